package environment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"lookout/internal/stack"
)

// endpoints returns the address of each service that the platform publishes on this machine; none if it is not up.
func (e *Environment) endpoints(ctx context.Context) (map[string]string, error) {
	s, err := e.readState(ctx, "platform")
	if err != nil {
		return nil, err
	}
	return s.urls(), nil
}

// urls are the addresses of the services. A service without an address is not published.
func (s state) urls() map[string]string {
	urls := map[string]string{}
	for name, one := range s.services() {
		if one.URL != "" {
			urls[name] = one.URL
		}
	}
	return urls
}

// awaitHealthy waits until each part answers from where a user asks.
func (e *Environment) awaitHealthy(ctx context.Context) error {
	urls, err := e.endpoints(ctx)
	if err != nil {
		return err
	}
	own, err := e.ownership(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, s := range stack.Services {
		// Elsewhere the engine's own check has to do, which Terraform waits for.
		if urls[s.Name] == "" || elsewhere(ctx, urls[s.Name]) {
			continue
		}
		if err := await(ctx, e.Client, urls[s.Name]+s.Health); err != nil {
			return fmt.Errorf("%s does not become healthy: %w; its log: docker logs %s-%s", s.Name, err, own.Name, s.Name)
		}
	}
	return nil
}

func await(ctx context.Context, client *http.Client, url string) error {
	last := errors.New("no answer yet")
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err == nil {
			_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
			_ = resp.Body.Close()
			if err == nil && resp.StatusCode == http.StatusOK {
				return nil
			}
			if err == nil {
				err = fmt.Errorf("%s answers %s", url, resp.Status)
			}
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return last
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Summary prints where everything is, how to log in, and what to try next. It says that the environment is up only if it
// is; a container that is not well is an error.
func (e *Environment) Summary(ctx context.Context) error {
	status, err := e.settled(ctx)
	if err != nil {
		return err
	}
	urls, err := e.endpoints(ctx)
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(status.headline())
	for _, one := range status.Services {
		if one.URL != "" {
			fmt.Fprintf(&b, "  %-12s %-24s %s\n", one.Name, one.URL, one.About)
		}
	}
	if e.Name == Local {
		if urls["grafana"] != "" {
			b.WriteString(`
Grafana's user is admin; ` + "`make password`" + ` prints the password, which is kept in
envs/local/platform/secrets.auto.tfvars.json.
`)
		}
		fmt.Fprintf(&b, `
See your first alert arrive and recover:

  curl -X PUT -d 30 %[1]s/faults/threads   # 30 busy OS threads: too many
  open %[2]s in a browser               # the message arrives within a minute
  curl -X DELETE %[1]s/faults              # and so does the recovery

`+"`make test`"+` proves that and everything else, `+"`make down`"+` removes it all, `+"`make help`"+` lists the rest.
`, urls["exporter"], urls["robot"])
	}
	if _, err = io.WriteString(e.Out, b.String()); err != nil {
		return err
	}
	// A target that is down, or a heartbeat that is about to come again, is said above: what was applied is well.
	for _, one := range status.Services {
		if !one.well() {
			return fmt.Errorf("the environment %s was applied, and %s is %s", e.Name, one.Name, one)
		}
	}
	return nil
}

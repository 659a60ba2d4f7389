package environment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

// services are the parts of a platform that a person may ask, by the name of the platform's output, with
// the path that tells whether each is healthy and what it is there for.
var services = []struct{ name, health, about string }{
	{"grafana", "/api/health", "dashboards and alert rules"},
	{"prometheus", "/-/ready", "targets and queries"},
	{"exporter", "/-/ready", "the sample service"},
	{"robot", "/-/ready", "what arrived in the chat (stands in for DingTalk)"},
	{"relay", "/-/ready", "deliveries to the chat"},
}

// endpoints returns the address of each service that the platform publishes on this machine.
func (e *Environment) endpoints(ctx context.Context) (map[string]string, error) {
	var outputs map[string]struct {
		Value json.RawMessage `json:"value"`
	}
	if err := e.query(ctx, &outputs, "platform", "output", "-json"); err != nil {
		return nil, err
	}
	urls := map[string]string{}
	for _, s := range services {
		output, ok := outputs[s.name]
		if !ok {
			continue
		}
		var service struct {
			URL string `json:"url"`
		}
		if err := json.Unmarshal(output.Value, &service); err != nil {
			return nil, fmt.Errorf("the output %s of envs/%s/platform: %w", s.name, e.Name, err)
		}
		if service.URL != "" {
			urls[s.name] = service.URL
		}
	}
	if len(urls) == 0 {
		return nil, fmt.Errorf("the environment %s is not up: run `make up ENV=%s`", e.Name, e.Name)
	}
	return urls, nil
}

// awaitHealthy waits until each part answers from where a user asks, and hands Grafana's address on to
// the local content.
func (e *Environment) awaitHealthy(ctx context.Context) error {
	urls, err := e.endpoints(ctx)
	if err != nil {
		return err
	}
	name, err := e.stackName()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, s := range services {
		if urls[s.name] == "" {
			continue
		}
		if err := await(ctx, e.Client, urls[s.name]+s.health); err != nil {
			return fmt.Errorf("%s does not become healthy: %w; its log: docker logs %s-%s", s.name, err, name, s.name)
		}
	}
	if e.Name != Local {
		return nil
	}
	var secrets contentSecrets
	if err := e.readVars("content", "secrets", &secrets); err != nil {
		return err
	}
	if url := urls["grafana"]; url != "" && url != secrets.URL {
		secrets.URL = url
		return e.writeVars("content", "secrets", 0o600, secrets)
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
			resp.Body.Close()
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

// Summary prints where everything is, how to log in, and what to try next.
func (e *Environment) Summary(ctx context.Context) error {
	if err := e.findTerraform(ctx); err != nil {
		return err
	}
	urls, err := e.endpoints(ctx)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nThe environment %s is up.\n\n", e.Name)
	for _, s := range services {
		if urls[s.name] != "" {
			fmt.Fprintf(&b, "  %-12s %-24s %s\n", s.name, urls[s.name], s.about)
		}
	}
	if e.Name == Local {
		fmt.Fprintf(&b, `
Grafana's user is admin; `+"`make password`"+` prints the password, which is kept in
envs/local/platform/secrets.auto.tfvars.json.

See your first alert arrive and recover:

  curl -X PUT -d 30 %[1]s/faults/threads   # 30 busy OS threads: too many
  open %[2]s in a browser               # the message arrives within a minute
  curl -X DELETE %[1]s/faults              # and so does the recovery

`+"`make test`"+` proves that and everything else, `+"`make down`"+` removes it all, `+"`make help`"+` lists the rest.
`, urls["exporter"], urls["robot"])
	}
	_, err = io.WriteString(e.Out, b.String())
	return err
}

// Password prints the local Grafana's admin password.
func (e *Environment) Password() error {
	var platform struct {
		Password string `json:"grafana_admin_password"`
	}
	if err := e.readVars("platform", "secrets", &platform); err != nil {
		return fmt.Errorf("no generated password for %s (only local has one, after `make init`): %w", e.Name, err)
	}
	_, err := fmt.Fprintln(e.Out, platform.Password)
	return err
}

// Down removes everything of the environment: what is in Grafana, then containers, networks and
// volumes, including what an interrupted apply has left.
func (e *Environment) Down(ctx context.Context) error {
	if err := e.confirmed("Remove every container, network and volume of"); err != nil {
		return err
	}
	release, err := e.exclusive(ctx)
	if err != nil {
		return err
	}
	defer release()
	if exists(e.cache("bin", "terraform")) {
		if err := e.findTerraform(ctx); err != nil {
			return err
		}
		if err := e.destroyRoots(ctx); err != nil {
			return err
		}
	}
	name, err := e.stackName()
	if err != nil {
		return err
	}
	removed, err := removeAll(ctx, name)
	if err != nil {
		return err
	}
	if removed > 0 {
		e.Progress.Note(fmt.Sprintf("removed %d more that no state knew", removed))
	}
	if err := os.Remove(e.cache("apply", e.Name)); err != nil && !os.IsNotExist(err) {
		return err
	}
	e.Progress.Step("Down", "no container, network or volume of "+name+" is left")
	return nil
}

func (e *Environment) destroyRoots(ctx context.Context) error {
	for _, root := range []string{"platform", "content"} {
		if err := e.restoreState(root); err != nil {
			return err
		}
	}
	// The local Grafana goes with its volume and all it holds: deleting its content piece by piece
	// first would only need it to be alive.
	if e.Name == Local {
		if err := e.forgetContent(); err != nil {
			return err
		}
	} else if err := e.destroyRoot(ctx, "content"); err != nil {
		return err
	}
	return e.destroyRoot(ctx, "platform")
}

func (e *Environment) destroyRoot(ctx context.Context, root string) error {
	if !exists(e.root(root) + "/.terraform") {
		return nil
	}
	start := time.Now()
	if err := e.run(ctx, root, "destroy", "-no-color", "-input=false", "-lock-timeout=120s", "-auto-approve"); err != nil {
		return err
	}
	e.Progress.Step("Destroyed", fmt.Sprintf("envs/%s/%s (%.1f s)", e.Name, root, time.Since(start).Seconds()))
	return nil
}

// forgetContent moves the local content's state aside.
func (e *Environment) forgetContent() error {
	file := e.root("content") + "/terraform.tfstate"
	if err := os.Rename(file, file+".backup"); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

// removeAll removes what is left in the engine under a stack's name.
func removeAll(ctx context.Context, name string) (int, error) {
	if exec.CommandContext(ctx, "docker", "version").Run() != nil {
		return 0, errors.New("the Docker Engine does not answer: start it and run `make down` again")
	}
	removed := 0
	for _, kind := range []string{"container", "network", "volume"} {
		format := "{{.Name}}"
		list := []string{kind, "ls", "--filter", "name=" + name, "--format", format}
		if kind == "container" {
			list = []string{kind, "ls", "--all", "--filter", "name=" + name, "--format", "{{.Names}}"}
		}
		out, err := exec.CommandContext(ctx, "docker", list...).Output()
		if err != nil {
			return removed, fmt.Errorf("listing %ss: %w", kind, err)
		}
		for _, found := range strings.Fields(string(out)) {
			if found != name && !strings.HasPrefix(found, name+"-") {
				continue
			}
			args := []string{kind, "rm", found}
			if kind != "network" {
				args = []string{kind, "rm", "--force", found}
			}
			if out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput(); err != nil {
				return removed, fmt.Errorf("removing the %s %s: %w: %s", kind, found, err, strings.TrimSpace(string(out)))
			}
			removed++
		}
	}
	return removed, nil
}

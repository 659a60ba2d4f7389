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
	"sort"
	"strings"
	"time"
)

// Endpoint is one address of a running environment, as the platform's output "endpoints" gives it.
type Endpoint struct {
	URL    string `json:"url"`
	Health string `json:"health"`
}

func (e *Environment) endpoints(ctx context.Context) (map[string]Endpoint, error) {
	var outputs map[string]struct {
		Value json.RawMessage `json:"value"`
	}
	if err := e.query(ctx, &outputs, "platform", "output", "-json"); err != nil {
		return nil, err
	}
	raw, ok := outputs["endpoints"]
	if !ok {
		return nil, fmt.Errorf("envs/%s/platform has no output named endpoints", e.Name)
	}
	var endpoints map[string]Endpoint
	return endpoints, json.Unmarshal(raw.Value, &endpoints)
}

// awaitHealthy waits until each part answers from where a user asks, and hands Grafana's address on to
// the local content.
func (e *Environment) awaitHealthy(ctx context.Context) error {
	endpoints, err := e.endpoints(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for name, endpoint := range endpoints {
		if endpoint.Health == "" {
			continue
		}
		if err := await(ctx, e.Client, endpoint.Health); err != nil {
			return fmt.Errorf("%s does not become healthy: %w; its log: docker logs lookout-%s-%s", name, err, e.Name, name)
		}
	}
	if e.Name != Local {
		return nil
	}
	var secrets contentSecrets
	if err := e.readVars("content", "secrets", &secrets); err != nil {
		return err
	}
	if url := endpoints["grafana"].URL; url != "" && url != secrets.URL {
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
	endpoints, err := e.endpoints(ctx)
	if err != nil {
		return err
	}
	about := map[string]string{
		"grafana":    "dashboards and alert rules",
		"prometheus": "targets, queries",
		"exporter":   "the sample service",
		"robot":      "what arrived in the chat (the DingTalk stand-in)",
		"relay":      "deliveries",
	}
	names := make([]string, 0, len(endpoints))
	for name := range endpoints {
		names = append(names, name)
	}
	sort.Strings(names)
	var b strings.Builder
	fmt.Fprintf(&b, "\nThe environment %s is up.\n\n", e.Name)
	for _, name := range names {
		fmt.Fprintf(&b, "  %-12s %-28s %s\n", name, endpoints[name].URL, about[name])
	}
	if e.Name == Local {
		fmt.Fprintf(&b, "\n  Log in to Grafana as admin; `make password` prints the password,\n  which is kept in envs/local/platform/secrets.auto.tfvars.json.\n")
		fmt.Fprintf(&b, "\nSee your first alert arrive and recover:\n\n")
		fmt.Fprintf(&b, "  curl -X PUT -d 30 %s/faults/threads      # too many OS threads\n", endpoints["exporter"].URL)
		fmt.Fprintf(&b, "  open %-37s # the message comes within a minute\n", endpoints["robot"].URL)
		fmt.Fprintf(&b, "  curl -X DELETE %s/faults                # and recovers\n", endpoints["exporter"].URL)
		fmt.Fprintf(&b, "\n`make test` drives that and everything else; `make down` removes it all; `make help` lists the rest.\n")
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

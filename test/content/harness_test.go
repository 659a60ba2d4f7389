// Package content runs what a Grafana holds, the root envs/local/content, with the real Terraform and the real provider,
// against the stand-in of test/internal/grafana, or against a real Grafana where one is given:
//
//	GRAFANA_URL=http://127.0.0.1:3001 GRAFANA_AUTH=admin:… go test ./test/content   # an empty one: the tests change and clear it
//	GRAFANA_IMAGE=grafana/grafana:13.2.3 go test ./test/content                       # a container of its own
//
// docs/grafana.md says what is proven where.
package content

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lookout/internal/docker"
	"lookout/test/internal/checkout"
	"lookout/test/internal/grafana"
	"lookout/test/internal/providers"
)

// A world is one Grafana and one copy of the tree whose content root is applied to it.
type world struct {
	t         *testing.T
	checkout  checkout.Checkout
	tree      string
	root      string // of the content
	url, auth string
	version   string
	standin   *grafana.Server // nil: a real one
	env       []string
}

func copyTree(c checkout.Checkout, to string) error {
	return c.CopyOwn(to, "alerts", "calendar", "dashboards", "envs/local", "modules", "slos", "stacks")
}

// newWorld makes an empty Grafana, an initialised copy of the tree, and a provider's process for all runs of Terraform in it.
// posing is the version of the stand-in, "" for the recorded one; a real Grafana is what it is. Worlds stand next to each other
// unless they share a Grafana.
func newWorld(t *testing.T, posing string) *world {
	t.Helper()
	if os.Getenv("GRAFANA_URL") == "" {
		t.Parallel()
	}
	c, err := checkout.Find()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, checkout: c, tree: t.TempDir()}
	w.root = filepath.Join(w.tree, "envs/local/content")
	if err := copyTree(c, w.tree); err != nil {
		t.Fatal(err)
	}
	switch image, url := os.Getenv("GRAFANA_IMAGE"), os.Getenv("GRAFANA_URL"); {
	case url != "":
		w.url, w.auth = strings.TrimSuffix(url, "/"), os.Getenv("GRAFANA_AUTH")
		w.empty()
	case image != "":
		w.container(image)
	default:
		w.auth = "admin:" + rand.Text()
		w.standin, w.url = grafana.Start(t, grafana.Options{Version: posing, Password: strings.TrimPrefix(w.auth, "admin:")})
	}
	var health struct{ Version string }
	w.get("/api/health", &health)
	w.version, _, _ = strings.Cut(health.Version, "-")
	w.env = append(os.Environ(), "TF_REATTACH_PROVIDERS="+providers.Start(t, c, w.tree, "envs/local/content"))
	for name, value := range c.Environ() {
		w.env = append(w.env, name+"="+value)
	}
	// What the tests themselves were told must not get past the variables below.
	w.env = slices.DeleteFunc(w.env, func(v string) bool { return strings.HasPrefix(v, "GRAFANA_") || strings.HasPrefix(v, "TF_VAR_") })
	w.set("grafana", map[string]any{"grafana_url": w.url, "grafana_auth": w.auth, "grafana_version": w.version})
	return w
}

// container runs an image and waits until it answers.
func (w *world) container(image string) {
	w.t.Helper()
	password := rand.Text()
	run := func(args ...string) string {
		w.t.Helper()
		out, err := docker.Run(w.t.Context(), args...)
		if err != nil {
			w.t.Fatal(err)
		}
		return strings.TrimSpace(out)
	}
	id := run("run", "--detach", "--publish", "127.0.0.1::3000", "--env", "GF_SECURITY_ADMIN_PASSWORD="+password,
		"--env", "GF_ANALYTICS_REPORTING_ENABLED=false", "--env", "GF_ANALYTICS_CHECK_FOR_UPDATES=false", "--env", "GF_DATABASE_WAL=true",
		"--label", "lookout.test=content", image)
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(w.t.Context()), time.Minute)
		defer cancel()
		if w.t.Failed() {
			if logs, err := docker.Run(ctx, "logs", "--tail", "50", id); err == nil {
				w.t.Logf("the last lines of Grafana's log:\n%s", logs)
			}
		}
		if _, err := docker.Run(ctx, "rm", "--force", "--volumes", id); err != nil {
			w.t.Error(err)
		}
	})
	w.auth = "admin:" + password
	w.url = "http://" + strings.Split(run("port", id, "3000/tcp"), "\n")[0]
	w.eventually(2*time.Minute, func() error { _, err := w.ask("GET", "/api/health", nil); return err })
}

// empty refuses a Grafana that others use: the tests replace its notification policy.
func (w *world) empty() {
	w.t.Helper()
	var found []struct{ Title string }
	w.get("/api/search?limit=1", &found)
	if len(found) > 0 {
		w.t.Fatalf("the Grafana at %s is not empty, it has %q: give the tests one of their own", w.url, found[0].Title)
	}
}

func (w *world) eventually(limit time.Duration, f func() error) {
	w.t.Helper()
	deadline := time.After(limit)
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			w.t.Fatalf("after %s: %v", limit, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// ask sends one request; body nil for none. The error of a refusal has its text.
func (w *world) ask(method, path string, body any) ([]byte, error) {
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	user, password, _ := strings.Cut(w.auth, ":")
	req.SetBasicAuth(user, password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s %s", method, path, resp.Status, answer)
	}
	return answer, err
}

func (w *world) get(path string, v any) {
	w.t.Helper()
	data, err := w.ask("GET", path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		w.t.Fatalf("%s: %v", path, err)
	}
}

func (w *world) do(method, path string, body any) {
	w.t.Helper()
	if _, err := w.ask(method, path, body); err != nil {
		w.t.Fatal(err)
	}
}

// set writes variables of the content root; a later file counts more than an earlier one by name.
func (w *world) set(name string, values map[string]any) {
	w.t.Helper()
	data, err := json.MarshalIndent(values, "", "  ")
	if err != nil {
		w.t.Fatal(err)
	}
	w.write("envs/local/content/"+name+".auto.tfvars.json", string(data))
}

// vary changes variables for the steps that follow; null leaves the default.
func (w *world) vary(values map[string]any) {
	w.t.Helper()
	w.set("varied", values)
}

func (w *world) write(file, text string) {
	w.t.Helper()
	path := filepath.Join(w.tree, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) remove(file string) {
	w.t.Helper()
	if err := os.Remove(filepath.Join(w.tree, file)); err != nil {
		w.t.Fatal(err)
	}
}

// edit exchanges text in a file of the tree; the old text has to be there.
func (w *world) edit(file, old, new string) {
	w.t.Helper()
	data, err := os.ReadFile(filepath.Join(w.tree, file))
	if err != nil {
		w.t.Fatal(err)
	}
	if !bytes.Contains(data, []byte(old)) {
		w.t.Fatalf("%s has no %q", file, old)
	}
	w.write(file, strings.Replace(string(data), old, new, 1))
}

// terraform runs one command in the content root.
func (w *world) terraform(args ...string) (out string, code int) {
	w.t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(w.t.Context()), w.checkout.Terraform, append(args, "-no-color")...)
	cmd.Dir, cmd.Env = w.root, w.env
	data, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	return string(data), cmd.ProcessState.ExitCode()
}

func (w *world) must(args ...string) string {
	w.t.Helper()
	out, code := w.terraform(args...)
	if code != 0 {
		w.t.Fatalf("terraform %s: exit code %d\n%s", args[0], code, out)
	}
	return out
}

// A plan is what Terraform would do: "update" or the like by address, and the outputs that would change.
type plan struct {
	changes map[string]string
	outputs []string
	file    string
	text    string
}

// planned is how Terraform words an action.
var planned = regexp.MustCompile(`(?m)^  # (\S.*?) (will be created|will be updated in-place|will be destroyed|must be replaced|will be imported)`)

var (
	actions     = map[string]string{"will be created": create, "will be updated in-place": update, "will be destroyed": gone, "must be replaced": replace}
	outputs     = regexp.MustCompile(`(?s)\nChanges to Outputs:\n(.*)`)
	outputNames = regexp.MustCompile(`(?m)^  [-+~] (\w+) `)
)

const create, update, gone, replace = "create", "update", "delete", "replace"

func (w *world) plan() plan {
	w.t.Helper()
	p := plan{changes: map[string]string{}, file: filepath.Join(w.t.TempDir(), "plan")}
	p.text = w.must("plan", "-input=false", "-out="+p.file)
	for _, found := range planned.FindAllStringSubmatch(p.text, -1) {
		p.changes[found[1]] = actions[found[2]]
	}
	if found := outputs.FindStringSubmatch(p.text); found != nil {
		for _, name := range outputNames.FindAllStringSubmatch(found[1], -1) {
			p.outputs = append(p.outputs, name[1])
		}
	}
	slices.Sort(p.outputs)
	return p
}

// unchanged fails unless there is nothing to do: no resource and no output.
func (w *world) unchanged(after string) {
	w.t.Helper()
	if out, code := w.terraform("plan", "-input=false", "-detailed-exitcode"); code != 0 {
		w.t.Errorf("the plan after %s is not empty (exit code %d):\n%s", after, code, out)
	}
}

// expect fails unless the plan is for these actions; an address may be cut short at its beginning.
func (p plan) expect(t *testing.T, want map[string]string) {
	t.Helper()
	left := maps.Clone(p.changes)
	for suffix, action := range want {
		found := ""
		for address := range left {
			if strings.HasSuffix(address, suffix) {
				found = address
			}
		}
		if found == "" {
			t.Errorf("nothing is planned for %s, wanted %s", suffix, action)
			continue
		}
		if left[found] != action {
			t.Errorf("%s: %s is planned, wanted %s", found, left[found], action)
		}
		delete(left, found)
	}
	for _, address := range slices.Sorted(maps.Keys(left)) {
		t.Errorf("%s: %s is planned, wanted nothing", address, left[address])
	}
	if t.Failed() {
		t.Log(p.text)
	}
}

// written are the requests since the last call that change something. Only the stand-in can say.
func (w *world) written() []string {
	var out []string
	if w.standin == nil {
		return nil
	}
	for _, r := range w.standin.Requests() {
		if r.Method != http.MethodGet {
			out = append(out, fmt.Sprintf("%s %d", r, r.Status))
		}
	}
	return out
}

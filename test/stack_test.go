package test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/logger"
	"github.com/gruntwork-io/terratest/modules/terraform"
	terratest "github.com/gruntwork-io/terratest/modules/testing"

	"lookout/internal/environment"
	"lookout/test/internal/checkout"
	"lookout/test/internal/ports"
)

// services are what publishes a port in the local environment, by the name that its variable ports
// has for them.
var services = []string{"exporter", "grafana", "prometheus", "relay", "robot"}

// A stack is the environment local under a name and on ports of its own, made from a copy of the
// checkout's files, so that it stands beside a running `make up` and beside other tests.
type stack struct {
	checkout checkout.Checkout
	// name is the prefix of everything in the engine.
	name string
	// tree is the copy; tests may change what is in it.
	tree     string
	ports    map[string]int
	password string
	client   *http.Client

	platform, content *terraform.Options
	log               *lockedBuffer
}

// newStack copies the tree and initialises both roots. Nothing is created in the engine yet, but
// whatever will be is removed when the test ends, after a bundle was written if it failed.
func newStack(t *testing.T) *stack {
	t.Helper()
	const images = "envs/local/platform/images.auto.tfvars.json"
	c, err := checkout.Find(images, "envs/local/platform/.terraform.lock.hcl", "envs/local/content/.terraform.lock.hcl")
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{
		checkout: c,
		name:     "lookout-test-" + randomHex(t),
		tree:     t.TempDir(),
		ports:    ports.Reserve(t, services...),
		password: rand.Text(),
		client:   &http.Client{Timeout: 15 * time.Second},
		log:      &lockedBuffer{},
	}
	t.Cleanup(s.client.CloseIdleConnections)
	if err := c.Copy(s.tree, "alerts", "dashboards", "envs/local", "modules", "stacks"); err != nil {
		t.Fatal(err)
	}
	if err := checkout.CopyFile(filepath.Join(c.Root, images), filepath.Join(s.tree, images)); err != nil {
		t.Fatal(err)
	}
	if err := environment.RelaySecrets(filepath.Join(s.root("platform"), "secrets")); err != nil {
		t.Fatal(err)
	}
	s.set(t, "platform", "stack", map[string]any{"name": s.name, "ports": s.ports, "grafana_admin_password": s.password})
	s.set(t, "content", "stack", map[string]any{"grafana_url": s.url("grafana"), "grafana_auth": "admin:" + s.password})

	s.platform, s.content = s.options("platform"), s.options("content")
	// Cleanups run last in, first out: the bundle needs the stack alive.
	t.Cleanup(func() { s.remove(t) })
	t.Cleanup(func() { s.bundle(t) })
	for _, root := range []*terraform.Options{s.platform, s.content} {
		terraform.InitContext(t, t.Context(), root)
	}
	t.Logf("stack %s: Grafana %s, Prometheus %s", s.name, s.url("grafana"), s.url("prometheus"))
	return s
}

func (s *stack) options(root string) *terraform.Options {
	return &terraform.Options{
		TerraformBinary: s.checkout.Terraform,
		TerraformDir:    s.root(root),
		EnvVars:         s.checkout.Environ(),
		Logger:          logger.New(s.log),
		NoColor:         true,
		Lock:            true,
	}
}

func (s *stack) root(name string) string { return filepath.Join(s.tree, "envs", "local", name) }

// url is where a service answers on this machine.
func (s *stack) url(service string) string {
	return fmt.Sprintf("http://127.0.0.1:%d", s.ports[service])
}

// set writes variables of a root into a file of their own, which unset removes again.
func (s *stack) set(t *testing.T, root, name string, vars map[string]any) {
	t.Helper()
	data, err := json.MarshalIndent(vars, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	write(t, s.varsFile(root, name), string(data))
}

func (s *stack) unset(t *testing.T, root, name string) {
	t.Helper()
	if err := os.Remove(s.varsFile(root, name)); err != nil {
		t.Fatal(err)
	}
}

func (s *stack) varsFile(root, name string) string {
	// Of several files the last by name counts; these come after what `make init` writes.
	return filepath.Join(s.root(root), "test-"+name+".auto.tfvars.json")
}

// apply brings both roots up to date in the order that `make up` has.
func (s *stack) apply(t *testing.T) {
	t.Helper()
	if err := s.tryApply(t, "platform"); err != nil {
		t.Fatalf("applying the platform: %v", err)
	}
	s.awaitHealthy(t)
	if err := s.tryApply(t, "content"); err != nil {
		t.Fatalf("applying the content: %v", err)
	}
}

func (s *stack) tryApply(t *testing.T, root string) error {
	t.Helper()
	options := s.platform
	if root == "content" {
		options = s.content
	}
	_, err := terraform.ApplyContextE(t, t.Context(), options)
	return err
}

// awaitHealthy waits until every service answers where a user asks.
func (s *stack) awaitHealthy(t *testing.T) {
	t.Helper()
	for _, service := range s.running(t) {
		eventually(t, time.Minute, service+" is healthy", func(ctx context.Context) error {
			return s.get(ctx, s.url(service)+healthPath(service), nil)
		})
	}
}

func healthPath(service string) string {
	if service == "grafana" {
		return "/api/health"
	}
	return "/-/healthy"
}

// running are the services that have a container in this stack.
func (s *stack) running(t *testing.T) []string {
	t.Helper()
	var running []string
	for _, c := range s.containers(t) {
		if service := strings.TrimPrefix(c.Name, s.name+"-"); slices.Contains(services, service) {
			running = append(running, service)
		}
	}
	slices.Sort(running)
	return running
}

// requireNoChanges plans both roots and fails with Terraform's words if one of them has anything to do.
func (s *stack) requireNoChanges(t *testing.T) {
	t.Helper()
	s.requireNoChangesIn(t, s.platform, s.content)
}

func (s *stack) requireNoChangesIn(t *testing.T, roots ...*terraform.Options) {
	t.Helper()
	var wg sync.WaitGroup
	for _, root := range roots {
		wg.Go(func() {
			stdout, stderr, code, err := terraform.RunTerraformCommandAndGetStdOutErrCodeContextE(t, t.Context(), root,
				terraform.FormatArgs(root, "plan", "-input=false", "-detailed-exitcode")...)
			name := filepath.Base(root.TerraformDir)
			switch code {
			case 0:
			case 2:
				t.Errorf("terraform plan in %s right after an apply wants changes:\n%s", name, withoutRefresh(stdout))
			default:
				t.Errorf("terraform plan in %s: %v\n%s", name, err, stderr)
			}
		})
	}
	wg.Wait()
}

// withoutRefresh leaves out the lines that name every object that is looked at.
func withoutRefresh(plan string) string {
	var b strings.Builder
	for line := range strings.Lines(plan) {
		if !strings.Contains(line, ": Refreshing state...") && !strings.Contains(line, ": Reading...") && !strings.Contains(line, ": Read complete") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// state decodes a root's state file.
func (s *stack) state(t *testing.T, root string) (state terraformState) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.root(root), "terraform.tfstate"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &state); err != nil {
		t.Fatal(err)
	}
	return state
}

type terraformState struct {
	Serial    int               `json:"serial"`
	Lineage   string            `json:"lineage"`
	Resources []json.RawMessage `json:"resources"`
}

// remove destroys what is left of the stack, and then whatever carries its name in the engine: after
// a test that failed in the middle, the state may not know all of it.
func (s *stack) remove(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if _, err := os.Stat(filepath.Join(s.root("platform"), "terraform.tfstate")); err == nil {
		// Grafana goes with its volume and all it holds.
		if _, err := terraform.DestroyContextE(t, ctx, s.platform); err != nil {
			t.Logf("destroying %s: %v", s.name, err)
		}
	}
	left, err := leftovers(ctx, s.name)
	if err != nil {
		t.Errorf("looking for what is left of %s: %v", s.name, err)
	}
	for _, o := range left {
		if _, err := docker(ctx, o.kind, "rm", "--force", o.name); err != nil && o.kind != "network" {
			t.Errorf("%v", err)
		}
	}
	for _, o := range left {
		if o.kind != "network" {
			continue
		}
		if _, err := docker(ctx, "network", "rm", o.name); err != nil {
			t.Errorf("%v", err)
		}
	}
}

// get asks a page of the stack, as Grafana's administrator where it is Grafana's, and decodes its JSON
// into v unless that is nil. Any status but 200 is an error.
func (s *stack) get(ctx context.Context, url string, v any) error {
	return s.do(ctx, http.MethodGet, url, nil, v)
}

func (s *stack) do(ctx context.Context, method, url string, body []byte, v any) error {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if strings.HasPrefix(url, s.url("grafana")) {
		req.SetBasicAuth("admin", s.password)
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(resp.Body); err != nil {
		return fmt.Errorf("%s %s: %w", method, url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, url, resp.Status, shortened(answer.String()))
	}
	if v == nil {
		return nil
	}
	if err := json.Unmarshal(answer.Bytes(), v); err != nil {
		return fmt.Errorf("%s %s: %w in %s", method, url, err, shortened(answer.String()))
	}
	return nil
}

func randomHex(t *testing.T) string {
	t.Helper()
	b := make([]byte, 4)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func shortened(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 600 {
		return s[:600] + "…"
	}
	return s
}

// lockedBuffer keeps what Terraform says, for the bundle and for messages; it would drown the story.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Logf is terratest's logger.
func (b *lockedBuffer) Logf(_ terratest.TestingT, format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fmt.Fprintf(&b.buf, format+"\n", args...)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

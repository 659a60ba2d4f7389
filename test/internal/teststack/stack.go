// Package teststack brings up the environment local under a name and on ports of its own, from a copy of the checkout's
// files: next to a running `make up`, and next to other tests.
package teststack

import (
	"bytes"
	"context"
	"crypto/rand"
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
	"lookout/internal/stack"
	"lookout/test/internal/checkout"
	"lookout/test/internal/ports"
	"lookout/test/internal/providers"
)

// The engines that evaluate alerts.
const (
	Prometheus = "prometheus"
	Grafana    = "grafana"
)

// images is what `make init` found, pulled or built.
const images = "envs/local/platform/images.auto.tfvars.json"

// Options say what a stack is to be like.
type Options struct {
	// Engine evaluates alerts; "" means Prometheus. A stack with Prometheus as its engine has no Grafana.
	Engine string
	// Prefix begins the stack's name; "" means "lookout-test".
	Prefix string
	// Edit changes the copied tree before anything is applied.
	Edit func(s *Stack)
}

// A Stack is the environment local, copied.
type Stack struct {
	Checkout checkout.Checkout
	// Name is the prefix of everything in the engine.
	Name string
	// Tree is the copy; tests may change what is in it.
	Tree   string
	Ports  map[string]int
	Engine string
	// Password is that of Grafana's administrator, where there is one.
	Password string
	Client   *http.Client

	Platform, Content *terraform.Options

	log *lockedBuffer
}

// GrafanaImage is the image of Grafana on this machine: the one that GRAFANA_IMAGE names, or what `make init` found; "" if
// there is none, so that engine grafana can't run here.
func GrafanaImage(t testing.TB) string {
	t.Helper()
	if image := os.Getenv("GRAFANA_IMAGE"); image != "" {
		return image
	}
	c, err := checkout.Find(images)
	if err != nil {
		t.Fatal(err)
	}
	found, err := readImages(c.Root)
	if err != nil {
		t.Fatal(err)
	}
	if found["grafana"] == nil {
		return ""
	}
	return *found["grafana"]
}

func readImages(root string) (map[string]*string, error) {
	data, err := os.ReadFile(filepath.Join(root, images))
	if err != nil {
		return nil, err
	}
	var vars struct{ Images map[string]any }
	if err := json.Unmarshal(data, &vars); err != nil {
		return nil, fmt.Errorf("%s: %w", images, err)
	}
	// Those of sources are not what a test's stack is made of.
	found := map[string]*string{}
	for role, image := range vars.Images {
		if name, ok := image.(string); ok {
			found[role] = &name
		} else if image == nil {
			found[role] = nil
		}
	}
	return found, nil
}

// New copies the tree and initialises its roots. Nothing is created in the engine yet, but whatever will be is removed
// when the test ends, after a bundle was written if it failed.
func New(t *testing.T, o Options) *Stack {
	t.Helper()
	if o.Engine == "" {
		o.Engine = Prometheus
	}
	if o.Prefix == "" {
		o.Prefix = "lookout-test"
	}
	needed := []string{images, "envs/local/platform/.terraform.lock.hcl"}
	if o.Engine == Grafana {
		needed = append(needed, "envs/local/content/.terraform.lock.hcl")
	}
	c, err := checkout.Find(needed...)
	if err != nil {
		t.Fatal(err)
	}
	s := &Stack{
		Checkout: c,
		Name:     o.Prefix + "-" + strings.ToLower(rand.Text()[:8]),
		Tree:     t.TempDir(),
		Ports:    ports.Reserve(t, stack.Names()...),
		Engine:   o.Engine,
		Password: rand.Text(),
		Client:   &http.Client{Timeout: 15 * time.Second},
		log:      &lockedBuffer{},
	}
	t.Cleanup(s.Client.CloseIdleConnections)
	if err := c.CopyOwn(s.Tree, "alerts", "calendar", "dashboards", "docs/runbooks", "envs/local", "modules", "slos", "stacks"); err != nil {
		t.Fatal(err)
	}
	use, err := readImages(c.Root)
	if err != nil {
		t.Fatal(err)
	}
	use["grafana"] = nil
	if o.Engine == Grafana {
		image := GrafanaImage(t)
		if image == "" {
			t.Fatal("engine grafana needs an image of Grafana: GRAFANA_IMAGE=… make init")
		}
		use["grafana"] = &image
	}
	if err := environment.RelaySecrets(s.Secrets()); err != nil {
		t.Fatal(err)
	}
	s.Set(t, "platform", "stack", map[string]any{
		"alerting": o.Engine, "grafana_admin_password": s.Password, "images": use, "name": s.Name, "ports": s.Ports,
	})
	s.Set(t, "content", "stack", map[string]any{
		"alerting": o.Engine, "grafana_auth": "admin:" + s.Password, "grafana_url": s.URL("grafana"),
	})
	if o.Edit != nil {
		o.Edit(s)
	}

	roots := []string{"envs/local/platform"}
	if o.Engine == Grafana {
		roots = append(roots, "envs/local/content")
	}
	env := s.Checkout.Environ()
	env["TF_REATTACH_PROVIDERS"] = providers.Start(t, c, s.Tree, roots...)
	s.Platform, s.Content = s.options("platform", env), s.options("content", env)
	// Cleanups run last in, first out: the bundle needs the stack alive.
	t.Cleanup(func() { s.remove(t) })
	t.Cleanup(func() { s.bundle(t) })
	t.Logf("stack %s, engine %s: console %s, Prometheus %s", s.Name, s.Engine, s.URL("console"), s.URL("prometheus"))
	return s
}

// Main runs a package's tests and what ends things that they share; their TestMain calls it.
func Main(m *testing.M, after ...func()) {
	// Part of terratest names every command on stdout whatever logger it is given. Each stack keeps its own log, which
	// goes into the bundle of a test that failed.
	logger.Default = logger.Discard
	code := m.Run()
	for _, f := range after {
		f()
	}
	os.Exit(code)
}

// Roots are the root modules that make up the stack, in the order in which they are applied: the content root only where
// there is a Grafana.
func (s *Stack) Roots() []*terraform.Options {
	if s.Engine == Grafana {
		return []*terraform.Options{s.Platform, s.Content}
	}
	return []*terraform.Options{s.Platform}
}

func (s *Stack) options(root string, env map[string]string) *terraform.Options {
	return &terraform.Options{
		TerraformBinary: s.Checkout.Terraform,
		TerraformDir:    s.Root(root),
		EnvVars:         env,
		Logger:          logger.New(s.log),
		NoColor:         true,
		Lock:            true,
	}
}

// Root is the folder of a root module: platform or content.
func (s *Stack) Root(name string) string { return filepath.Join(s.Tree, "envs", "local", name) }

// Secrets is the folder that relay and robot have mounted.
func (s *Stack) Secrets() string { return filepath.Join(s.Root("platform"), "secrets") }

// URL is where a service answers on this machine.
func (s *Stack) URL(service string) string { return stack.URL(s.Ports[service]) }

// Set writes variables of a root into a file of their own, which Unset removes again.
func (s *Stack) Set(t testing.TB, root, name string, vars map[string]any) {
	t.Helper()
	data, err := json.MarshalIndent(vars, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	Write(t, s.varsFile(root, name), string(data))
}

// Unset removes what Set has written.
func (s *Stack) Unset(t testing.TB, root, name string) {
	t.Helper()
	if err := os.Remove(s.varsFile(root, name)); err != nil {
		t.Fatal(err)
	}
}

func (s *Stack) varsFile(root, name string) string {
	// Of several files the last by name counts; these come after what `make init` writes.
	return filepath.Join(s.Root(root), "test-"+name+".auto.tfvars.json")
}

// Images are those that the stack is made of, by service; a service without one has nil.
func (s *Stack) Images(t testing.TB) map[string]any {
	t.Helper()
	var vars struct{ Images map[string]any }
	if err := json.Unmarshal([]byte(Read(t, s.varsFile("platform", "stack"))), &vars); err != nil {
		t.Fatal(err)
	}
	return vars.Images
}

// SetImage gives a service another image at the next apply.
func (s *Stack) SetImage(t testing.TB, service, image string) {
	t.Helper()
	file := s.varsFile("platform", "stack")
	vars := map[string]any{}
	if err := json.Unmarshal([]byte(Read(t, file)), &vars); err != nil {
		t.Fatal(err)
	}
	images := s.Images(t)
	images[service] = image
	vars["images"] = images
	s.Set(t, "platform", "stack", vars)
}

// Replace changes a text that a file of the tree holds exactly once.
func (s *Stack) Replace(t testing.TB, file, old, with string) {
	t.Helper()
	path := filepath.Join(s.Tree, filepath.FromSlash(file))
	text := Read(t, path)
	if n := strings.Count(text, old); n != 1 {
		t.Fatalf("%s has %q %d times, want once", file, old, n)
	}
	Write(t, path, strings.Replace(text, old, with, 1))
}

// Apply brings the roots up to date in the order that `make up` has.
func (s *Stack) Apply(t *testing.T) {
	t.Helper()
	if err := s.TryApply(t, "platform"); err != nil {
		t.Fatalf("applying the platform: %v", err)
	}
	s.AwaitHealthy(t)
	if s.Engine != Grafana {
		return
	}
	if err := s.TryApply(t, "content"); err != nil {
		t.Fatalf("applying the content: %v", err)
	}
}

// TryApply applies one root and returns what Terraform says if it fails.
func (s *Stack) TryApply(t *testing.T, root string) error {
	t.Helper()
	options := s.Platform
	if root == "content" {
		options = s.Content
	}
	_, err := terraform.ApplyContextE(t, t.Context(), options)
	return err
}

// Destroy destroys the roots, what was applied last first.
func (s *Stack) Destroy(t *testing.T) {
	t.Helper()
	roots := s.Roots()
	slices.Reverse(roots)
	for _, root := range roots {
		terraform.DestroyContext(t, t.Context(), root)
	}
}

// AwaitHealthy waits until every service that has a container answers where a user asks.
func (s *Stack) AwaitHealthy(t *testing.T) {
	t.Helper()
	for _, name := range s.Running(t) {
		service, _ := stack.Named(name)
		Eventually(t, time.Minute, name+" is healthy", func(ctx context.Context) error {
			return s.Get(ctx, s.URL(name)+service.Health, nil)
		})
	}
}

// Running are the services that have a container in this stack.
func (s *Stack) Running(t testing.TB) []string {
	t.Helper()
	var running []string
	for _, c := range s.Containers(t) {
		name := strings.TrimPrefix(c.Name, s.Name+"-")
		if _, known := stack.Named(name); known {
			running = append(running, name)
		}
	}
	slices.Sort(running)
	return running
}

// RequireNoChanges plans the roots and fails with Terraform's words if one of them has anything to do.
func (s *Stack) RequireNoChanges(t *testing.T) {
	t.Helper()
	s.RequireNoChangesIn(t, s.Roots()...)
}

// RequireNoChangesIn is RequireNoChanges for some of the roots.
func (s *Stack) RequireNoChangesIn(t *testing.T, roots ...*terraform.Options) {
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

// State is the part of a state file that tests look at.
type State struct {
	Serial    int               `json:"serial"`
	Lineage   string            `json:"lineage"`
	Resources []json.RawMessage `json:"resources"`
}

// State decodes a root's state file.
func (s *Stack) State(t testing.TB, root string) (state State) {
	t.Helper()
	if err := json.Unmarshal([]byte(Read(t, filepath.Join(s.Root(root), "terraform.tfstate"))), &state); err != nil {
		t.Fatal(err)
	}
	return state
}

// remove takes everything out of the engine that carries the stack's labels or its name. That Terraform destroys it is the
// story's to prove.
func (s *Stack) remove(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if err := s.Clear(ctx); err != nil {
		t.Errorf("removing what is left of %s: %v", s.Name, err)
	}
}

// Log is all that Terraform has said so far.
func (s *Stack) Log() string { return s.log.String() }

// Write writes a file of a test, with the folders above it.
func Write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	// Readable for everybody: the programs that read secrets run as nobody.
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Read is the text of a file.
func Read(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
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

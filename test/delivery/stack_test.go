package delivery

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/logger"
	"github.com/gruntwork-io/terratest/modules/terraform"
	terratest "github.com/gruntwork-io/terratest/modules/testing"

	engine "lookout/internal/docker"
	"lookout/internal/environment"
	"lookout/test/internal/checkout"
	"lookout/test/internal/ports"
)

var services = []string{"exporter", "grafana", "prometheus", "relay", "robot"}

// A stack is the environment local under a name and on ports of its own, made from a copy of the
// checkout's files.
type stack struct {
	checkout checkout.Checkout
	name     string
	tree     string
	ports    map[string]int
	password string
	client   *http.Client

	platform, content *terraform.Options
	log               *lockedBuffer

	// When the relay was stopped and started again; its recovery is told while another step runs.
	downSince, upSince time.Time
}

func newStack(t *testing.T) *stack {
	t.Helper()
	const images = "envs/local/platform/images.auto.tfvars.json"
	c, err := checkout.Find(images, "envs/local/platform/.terraform.lock.hcl", "envs/local/content/.terraform.lock.hcl")
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{
		checkout: c,
		name:     "lookout-delivery-" + strings.ToLower(rand.Text()[:8]),
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
	// Quicker than local has them, for the sake of the test's length.
	settings := filepath.Join(s.tree, "envs/local/alerts.yaml")
	text := read(t, settings)
	for _, group := range []string{"delivery", "watchdog"} {
		if line := "\n  " + group + ": 20s\n"; strings.Count(text, line) != 1 {
			t.Fatalf("%s has %q not once", settings, line)
		}
		text = strings.Replace(text, group+": 20s", group+": 10s", 1)
	}
	write(t, settings, text)
	if err := environment.RelaySecrets(s.secrets()); err != nil {
		t.Fatal(err)
	}
	s.set(t, "platform", map[string]any{"name": s.name, "ports": s.ports, "grafana_admin_password": s.password})
	s.set(t, "content", s.contentVars())
	s.platform, s.content = s.options("platform"), s.options("content")
	t.Cleanup(func() { s.remove(t) })
	t.Cleanup(func() { s.explain(t) })
	for _, root := range []*terraform.Options{s.platform, s.content} {
		terraform.InitContext(t, t.Context(), root)
	}
	return s
}

func (s *stack) options(root string) *terraform.Options {
	return &terraform.Options{
		TerraformBinary: s.checkout.Terraform,
		TerraformDir:    s.root(root),
		EnvVars:         s.checkout.Environ(),
		Logger:          logger.New(s.log),
		NoColor:         true,
	}
}

func (s *stack) root(name string) string { return filepath.Join(s.tree, "envs", "local", name) }

// secrets is the folder that relay and robot have mounted.
func (s *stack) secrets() string { return filepath.Join(s.root("platform"), "secrets") }

func (s *stack) url(service string) string {
	return fmt.Sprintf("http://127.0.0.1:%d", s.ports[service])
}

// contentVars are what every apply of the content needs here.
func (s *stack) contentVars() map[string]any {
	return map[string]any{
		"grafana_url": s.url("grafana"), "grafana_auth": "admin:" + s.password,
		"heartbeat_interval": beatInterval.String(),
		// Quicker than local has it, for the sake of the test's length.
		"timing": map[string]string{"group_interval": "3s", "group_wait": "1s", "repeat_interval": "1h"},
	}
}

// testVars is the file with what a test sets in a root.
const testVars = "test.auto.tfvars.json"

func (s *stack) set(t *testing.T, root string, vars map[string]any) {
	t.Helper()
	data, err := json.Marshal(vars)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(s.root(root), testVars), string(data))
}

func (s *stack) apply(t *testing.T) {
	t.Helper()
	if _, err := terraform.ApplyContextE(t, t.Context(), s.platform); err != nil {
		t.Fatalf("applying the platform: %v", err)
	}
	eventually(t, time.Minute, "Grafana is healthy", func(ctx context.Context) error {
		_, err := s.page(ctx, s.url("grafana")+"/api/health")
		return err
	})
	if _, err := terraform.ApplyContextE(t, t.Context(), s.content); err != nil {
		t.Fatalf("applying the content: %v", err)
	}
}

// remove destroys the stack, and then whatever carries its name in the engine.
func (s *stack) remove(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if _, err := terraform.DestroyContextE(t, ctx, s.platform); err != nil {
		t.Logf("destroying %s: %v", s.name, err)
	}
	for _, kind := range []string{"container", "volume", "network"} {
		list := []string{kind, "ls", "--quiet", "--filter", "name=" + s.name}
		if kind == "container" {
			list = append(list, "--all")
		}
		out, err := docker(ctx, list...)
		if err != nil {
			t.Error(err)
		}
		for _, id := range strings.Fields(out) {
			remove := []string{kind, "rm", id}
			if kind != "network" {
				remove = []string{kind, "rm", "--force", id}
			}
			if _, err := docker(ctx, remove...); err != nil {
				t.Error(err)
			}
		}
	}
}

// explain logs what the containers and the chat have to say about a failure: the relay in any case, others
// if they are not healthy. None of them tells secrets, and a test of this package fails if they do.
func (s *stack) explain(t *testing.T) {
	if !t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, service := range services {
		health, _ := engine.Run(ctx, "inspect", "--format={{.State.Status}} {{json .State.Health}}", s.name+"-"+service)
		if service != "relay" && strings.Contains(health, `"Status":"healthy"`) {
			continue
		}
		out, _ := engine.Logs(ctx, s.name+"-"+service, 60)
		t.Logf("%s: %s%s", service, health, out)
	}
	messages, err := s.messages(ctx)
	for _, m := range messages {
		t.Logf("at %s: %s (errcode %d): %s", m.Robot, m.Title, m.ErrCode, m.Time.Format(time.TimeOnly))
	}
	if err != nil {
		t.Log(err)
	}
}

// A message is what arrived at the stand-in for DingTalk.
type message struct {
	ID       int
	Time     time.Time
	Robot    string
	Accepted bool
	ErrCode  int
	Title    string
	Text     string
	Repeats  int
}

func (s *stack) messages(ctx context.Context) ([]message, error) {
	page, err := s.page(ctx, s.url("robot")+"/api/messages")
	if err != nil {
		return nil, err
	}
	var answer struct{ Messages []message }
	return answer.Messages, json.Unmarshal([]byte(page), &answer)
}

// page gets a page, logged in where it is Grafana's. Any status but 200 is an error.
func (s *stack) page(ctx context.Context, url string) (string, error) {
	status, body, err := s.ask(ctx, http.MethodGet, url, nil, nil)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s answers %d", url, status)
	}
	return body, err
}

func (s *stack) ask(ctx context.Context, method, url string, header http.Header, body []byte) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if strings.HasPrefix(url, s.url("grafana")) {
		req.SetBasicAuth("admin", s.password)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// eventually asks again and again until there is no error, and fails with the last one once the time
// is over. The sentence says what is waited for.
func eventually(t *testing.T, within time.Duration, sentence string, ask func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	last := errors.New("no answer")
	for {
		err := ask(ctx)
		if err == nil {
			return
		}
		// An answer that was cut off by the deadline says less than the one before.
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %s; last answer: %v", within, sentence, last)
		case <-tick.C:
		}
	}
}

func docker(ctx context.Context, args ...string) (string, error) {
	return engine.Run(ctx, args...)
}

// engine does something to the stack's containers or network.
func (s *stack) engine(t *testing.T, args ...string) {
	t.Helper()
	if _, err := docker(t.Context(), args...); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// measured prints a figure, and keeps it in test-results/.
func (s *stack) measured(t *testing.T, format string, args ...any) {
	t.Helper()
	line := fmt.Sprintf(format, args...)
	t.Log(line)
	dir := filepath.Join(s.checkout.Root, "test-results")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "measured.txt"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprintf(f, "%s %s: %s\n", time.Now().UTC().Format(time.RFC3339), t.Name(), line)
}

// lockedBuffer keeps what Terraform says.
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

// Package service follows docs/your-service.md as somebody new does: its blocks are run as they stand there, for a service that
// runs on this machine, until the message about it is in the chat.
package service

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lookout/internal/docker"
	"lookout/internal/rootconfig"
	"lookout/internal/stack"
	"lookout/test/internal/checkout"
	"lookout/test/internal/teststack"
)

// long runs the page on a stack of its own, which takes minutes: make prove-your-service, and every night.
var long = flag.Bool("long", false, "follow the page on a stack of its own")

const page = "docs/your-service.md"

var fenced = regexp.MustCompile("(?ms)^```(sh|hcl)\n(.*?)^```$")

// A block is one of the page, under its heading.
type block struct{ heading, kind, text string }

func blocks(t *testing.T, root, page string) (all []block) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, page))
	require.NoError(t, err)
	text := string(data)
	for _, at := range fenced.FindAllStringSubmatchIndex(text, -1) {
		heading := text[:at[0]]
		heading = heading[strings.LastIndex(heading, "\n## ")+4:]
		heading, _, _ = strings.Cut(heading, "\n")
		all = append(all, block{heading, text[at[2]:at[3]], text[at[4]:at[5]]})
	}
	require.NotEmpty(t, all)
	return all
}

// What the page says to write is what the environment takes, and what it says to run exists.
func TestThePageCanBeFollowed(t *testing.T) {
	c, err := checkout.Find()
	require.NoError(t, err)
	all := blocks(t, c.Root, page)
	dir := filepath.Join(t.TempDir(), "envs/local/platform")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	kinds := map[string]int{}
	for _, b := range all {
		kinds[b.kind]++
		if b.kind == "hcl" {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "terraform.tfvars"), []byte(b.text), 0o644))
			m, err := rootconfig.Load(filepath.Join(c.Root, "envs/local/platform"))
			require.NoError(t, err)
			undeclared, err := rootconfig.Undeclared(c.Root, dir, m, nil)
			require.NoError(t, err)
			require.Empty(t, undeclared)
			values, err := rootconfig.Values(c.Root, dir, m, nil, nil)
			require.NoError(t, err)
			require.NotEmpty(t, values)
			require.Empty(t, rootconfig.UnknownKeys(c.Root, m, values))
		}
		for line := range strings.Lines(b.text) {
			if target, ok := strings.CutPrefix(strings.TrimSpace(line), "make "); ok {
				out, err := exec.CommandContext(t.Context(), "make", append([]string{"-C", c.Root, "-n"}, strings.Fields(target)...)...).CombinedOutput()
				require.NoError(t, err, string(out))
			}
		}
	}
	require.GreaterOrEqual(t, kinds["sh"], 4)
	require.Equal(t, 1, kinds["hcl"])
}

// A shop is "your service": its checkouts fail on demand, and it can be stopped and started.
type shop struct {
	address string
	handler http.Handler
	failed  prometheus.Counter
	server  *http.Server
}

func newShop(t *testing.T) *shop {
	t.Helper()
	registry := prometheus.NewRegistry()
	s := &shop{failed: prometheus.NewCounter(prometheus.CounterOpts{Name: "checkout_errors_total", Help: "Checkouts that failed."})}
	registry.MustRegister(s.failed, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	l, err := net.Listen("tcp", ":0")
	require.NoError(t, err)
	s.address = l.Addr().String()
	s.serve(l)
	t.Cleanup(func() { s.server.Close() })
	return s
}

func (s *shop) port() string {
	_, port, _ := net.SplitHostPort(s.address)
	return port
}

func (s *shop) serve(l net.Listener) {
	s.server = &http.Server{Handler: s.handler, ReadHeaderTimeout: time.Minute}
	go s.server.Serve(l)
}

func (s *shop) start(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", ":"+s.port())
	require.NoError(t, err)
	s.serve(l)
}

// TestFollowedFromTheFirstCommandToTheMessage is the page, block by block, with the times at which somebody sees something.
func TestFollowedFromTheFirstCommandToTheMessage(t *testing.T) {
	if !*long {
		t.Skip("takes minutes: make prove-your-service")
	}
	c, err := checkout.Find()
	require.NoError(t, err)
	name := "lookout-service-" + strings.ToLower(rand.Text()[:6])
	dir := filepath.Join(t.TempDir(), "lookout")
	require.NoError(t, c.CopyTracked(t.Context(), dir))
	// What a person has written there is theirs.
	_ = os.Remove(filepath.Join(dir, "envs/local/platform/terraform.tfvars"))
	must(t, dir, name, "git init --quiet --initial-branch=main && git add --all && git -c user.name=t -c user.email=t@example.com commit --quiet --no-verify --message=tree")
	t.Cleanup(func() { remove(t, name) })
	s := newShop(t)
	began := time.Now()
	seen := func(format string, args ...any) {
		t.Logf("%6.1f s  %s", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	// Ports and names of this stack in place of the page's.
	ports := map[string]int{}
	here := func(text string) string {
		text = strings.ReplaceAll(text, "127.0.0.1:8080", "127.0.0.1:"+s.port())
		text = strings.ReplaceAll(text, "host.docker.internal:8080", "host.docker.internal:"+s.port())
		return text
	}
	chat := func() string { return stack.URL(ports["robot"]) }
	said := map[string]string{}
	for _, b := range blocks(t, dir, page) {
		if b.kind == "hcl" {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "envs/local/platform/terraform.tfvars"), []byte(here(b.text)), 0o644))
			continue
		}
		for line := range strings.Lines(b.text) {
			line = here(strings.TrimSpace(line))
			if line == "make status" {
				// A target that is new is scraped within the interval.
				require.Eventually(t, func() bool {
					out, err := run(t, dir, name, line)
					said[b.heading] += out
					return err == nil
				}, time.Minute, time.Second, "%s", said[b.heading])
			} else {
				said[b.heading] += must(t, dir, name, line)
			}
			seen("%s", line)
		}
		switch b.heading {
		case "The stack":
			if !strings.Contains(said[b.heading], "The environment local is up") {
				t.Fatal(said[b.heading])
			}
			var vars struct {
				Ports map[string]int `json:"ports"`
			}
			data, err := os.ReadFile(filepath.Join(dir, "envs/local/platform/name.auto.tfvars.json"))
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(data, &vars))
			ports = vars.Ports
		case "Scrape it":
			requireScraped(t, stack.URL(ports["prometheus"]), said[b.heading])
			seen("your service is scraped")
			requireThere(t, stack.URL(ports["console"])+"/d/go-runtime?var-job=shop")
			stopped := time.Now()
			require.NoError(t, s.server.Close())
			await(t, chat(), 2*time.Minute, "报警", "shop1")
			seen("the message that it is down is in the chat, %.0f s after it stopped", time.Since(stopped).Seconds())
			s.start(t)
			await(t, chat(), 2*time.Minute, "报警恢复", "shop1")
			seen("and the recovery")
		case "An alert of your own":
			require.Contains(t, said[b.heading], "wrote alerts/checkout-fails.test.yaml")
			require.Contains(t, said[b.heading], "0 expectations of ")
			requireThere(t, stack.URL(ports["console"])+"/d/shop")
			stop := make(chan struct{})
			go func() {
				for tick := time.NewTicker(100 * time.Millisecond); ; {
					select {
					case <-tick.C:
						s.failed.Add(5)
					case <-stop:
						tick.Stop()
						return
					}
				}
			}()
			failing := time.Now()
			await(t, chat(), 5*time.Minute, "报警", "Checkout fails", "shop1")
			close(stop)
			seen("the message of the alert is in the chat, %.0f s after checkouts began to fail", time.Since(failing).Seconds())
		case "Keep it":
			require.Contains(t, said[b.heading], "0 findings in ")
			require.Contains(t, said[b.heading], "0 problems in ")
		default:
			t.Errorf("the page has a block under %q, of which this test does not know what one sees", b.heading)
		}
	}
	seen("all of it")
	// Of a machine on which nothing else runs; this one may be busy.
	t.Logf("from the first command to the last: %.0f s; the page says ten minutes", time.Since(began).Seconds())

	t.Run("what the page adds passes make test's checks of content", func(t *testing.T) {
		must(t, dir, name, "go test ./docs ./internal/rules ./cmd/lookout -run 'Runbook|Languages|Links|Shipped|Repository' 2>&1")
	})
	t.Run("the address survives a new network", func(t *testing.T) {
		must(t, dir, name, "docker network disconnect -f "+name+" "+name+"-prometheus && make apply")
		require.Eventually(t, func() bool {
			out, err := run(t, dir, name, "make status")
			return err == nil && strings.Contains(out, "is up")
		}, 2*time.Minute, time.Second)
		requireScraped(t, stack.URL(ports["prometheus"]), must(t, dir, name, "make status"))
	})
	must(t, dir, name, "make down")
}

var upOf = regexp.MustCompile(`(\d+) of (\d+) up`)

// requireScraped wants all targets to be up by what `make status` says, and the shop to be one of them.
func requireScraped(t *testing.T, prometheus, status string) {
	t.Helper()
	// The last of several.
	found := upOf.FindAllStringSubmatch(status, -1)
	if len(found) == 0 || found[len(found)-1][1] != found[len(found)-1][2] {
		t.Fatalf("not all targets are up:\n%s", status)
	}
	resp, err := http.Get(prometheus + "/api/v1/query?query=up%7Bjob%3D%22shop%22%2Cinstance%3D%22shop1%22%7D%3D%3D1")
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Contains(t, string(body), `"shop1"`)
}

// requireThere wants a page of the console.
func requireThere(t *testing.T, url string) {
	t.Helper()
	require.Eventually(t, func() bool {
		resp, err := http.Get(url)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, 30*time.Second, time.Second, "%s is not there", url)
}

// await waits for a message in the chat that has all the words.
func await(t *testing.T, chat string, within time.Duration, words ...string) {
	t.Helper()
	last := ""
	found := assert.Eventually(t, func() bool {
		resp, err := http.Get(chat + "/api/messages")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		var chat struct {
			Messages []teststack.Message `json:"messages"`
		}
		if err != nil || json.Unmarshal(data, &chat) != nil {
			last = string(data)
			return false
		}
		for _, m := range chat.Messages {
			last = m.Title + "\n" + m.Text
			if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(strings.ReplaceAll(last, "\\", ""), word) }) {
				return true
			}
		}
		return false
	}, within, time.Second)
	if !found {
		t.Fatalf("no message with %q; the last: %s", words, last)
	}
}

func must(t *testing.T, dir, name, line string) string {
	t.Helper()
	out, err := run(t, dir, name, line)
	require.NoError(t, err, "%s\n%s", line, out)
	return out
}

// run does what a person types in a folder, for a stack of that name.
func run(t *testing.T, dir, name, line string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", line)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ENV=local", "NAME="+name)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func remove(t *testing.T, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	objects, err := docker.ListAll(ctx, "label="+stack.LabelEnvironment+"="+name)
	if err != nil {
		t.Error(err)
	}
	for _, o := range objects {
		if err := docker.Remove(ctx, o); err != nil {
			t.Error(err)
		}
	}
}

// Package interrupt proves that bringing an environment up may be ended at any moment: running it again
// ends in the same healthy stack.
package interrupt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lookout/internal/docker"
	"lookout/internal/stack"
	"lookout/test/internal/checkout"
	"lookout/test/internal/ports"
	"lookout/test/internal/teststack"
)

const (
	// longest is the latest moment of an interruption, counted from the moment from which things are
	// created; creating them all takes about as long.
	longest = 18 * time.Second
	// begin is what a run says right before that.
	begin = " initialised"
)

// rounds is how often the stack is interrupted: as often as there are ways, and then it must come up; if more often, it must
// come up after each.
var rounds = flag.Int("rounds", len(ways), "how often `make up` is interrupted at a random moment")

// ways are how a run ends before its time.
var ways = []struct {
	name string
	end  func(*run)
}{
	{"Ctrl-C", func(r *run) { r.signal(syscall.SIGINT) }},
	{"the whole tree killed", func(r *run) { r.killTree() }},
	{"only the parent killed", func(r *run) { r.signal(syscall.SIGKILL) }},
}

func TestAnInterruptedUpEndsInTheSameStack(t *testing.T) {
	s := newUp(t)
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for i := range *rounds {
		way := ways[i%len(ways)]
		after := time.Duration(random.Int64N(int64(longest)))
		r := s.start(t, "up")
		if i > 0 { // the first is interrupted while it gets ready
			r.waitFor(t, begin)
		}
		finished := r.wait(after)
		if !finished {
			way.end(r)
			r.wait(3 * time.Minute)
		}
		t.Logf("round %d: %s after %s, finished before: %t\n%s", i+1, way.name, after.Round(time.Millisecond), finished, r.output.String())
		if finished {
			require.NoError(t, r.err, r.output.String())
			s.must(t, "down")
		}
		if *rounds > len(ways) {
			s.must(t, "up")
			s.requireHealthy(t)
			s.must(t, "down")
		}
	}
	s.must(t, "up")

	// The worst that an interruption can leave: everything created, nothing recorded.
	image := s.grafanaImage(t)
	roots := []string{"platform"}
	if image != "" {
		roots = append(roots, "content")
	} else {
		t.Log("no image of Grafana here: that what Grafana holds is taken over is proven by internal/environment against the mock of its API")
	}
	for _, root := range roots {
		file := filepath.Join(s.repo, "envs/local", root, "terraform.tfstate")
		require.NoError(t, os.Remove(file))
		if err := os.Remove(file + ".backup"); !errors.Is(err, os.ErrNotExist) {
			require.NoError(t, err)
		}
		require.NoError(t, os.WriteFile(filepath.Join(s.repo, ".cache/apply/local"), []byte(time.Now().UTC().Format(time.RFC3339Nano)), 0o644))
		said := s.must(t, "up")
		require.Contains(t, said, map[string]string{"platform": "which an interrupted apply had not recorded", "content": "took over"}[root])
	}

	again := s.must(t, "up")
	require.Equal(t, len(roots), strings.Count(again, "no changes"), "a second run changes no root:\n%s", again)
	s.requireHealthy(t)
	s.requireImageRefused(t)
	s.must(t, "down")
	left, err := teststack.Leftovers(t.Context(), s.name)
	require.NoError(t, err)
	require.Empty(t, left)
}

// requireHealthy wants every service there once, and well.
func (s *up) requireHealthy(t *testing.T) {
	t.Helper()
	for _, service := range stack.Services {
		if service.Optional && s.grafanaImage(t) == "" {
			continue
		}
		found, err := docker.List(t.Context(), docker.Container, "label="+stack.LabelEnvironment+"="+s.name, "name="+s.name+"-"+service.Name+"$")
		require.NoError(t, err)
		require.Len(t, found, 1, service.Name)
		require.Equal(t, "healthy", found[0].Health, service.Name)
	}
}

// requireImageRefused names an image that can't be had, as a user does who upgrades: one sentence says so, before anything
// that runs is touched. Nothing listens on that port of this machine.
func (s *up) requireImageRefused(t *testing.T) {
	t.Helper()
	lives := func() string {
		found, err := docker.Run(t.Context(), "ps", "--all", "--no-trunc", "--format={{.ID}} {{.Names}}", "--filter=label="+stack.LabelEnvironment+"="+s.name)
		require.NoError(t, err)
		return found
	}
	before := lives()
	const image = "127.0.0.1:1/prom/prometheus:v3.16.0"
	t.Setenv("PROMETHEUS_IMAGE", image)
	r := s.start(t, "up")
	require.True(t, r.wait(5*time.Minute), "up does not end:\n%s", &r.output)
	require.NoError(t, os.Unsetenv("PROMETHEUS_IMAGE"))
	require.Error(t, r.err, r.output.String())
	require.Contains(t, r.output.String(), image)
	require.Equal(t, 1, strings.Count(r.output.String(), "Error"), r.output.String())
	require.Equal(t, before, lives(), "containers were touched")
}

// up is a copy of the checkout whose local environment has a name and ports of its own.
type up struct {
	name, repo, toolchain string
}

func newUp(t *testing.T) *up {
	t.Helper()
	c, err := checkout.Find()
	require.NoError(t, err)
	top := c.Root
	s := &up{name: "lookout-cut-" + strconv.Itoa(os.Getpid()), repo: filepath.Join(t.TempDir(), "lookout")}
	s.toolchain = filepath.Join(filepath.Dir(s.repo), "toolchain")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", s.toolchain, "./cmd/toolchain")
	build.Dir = top
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	require.NoError(t, c.CopyTracked(t.Context(), s.repo))

	// The choice that this machine has made already: asking again would only take time.
	if data, err := os.ReadFile(filepath.Join(top, ".cache", "origin.json")); err == nil {
		require.NoError(t, os.MkdirAll(filepath.Join(s.repo, ".cache"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(s.repo, ".cache", "origin.json"), data, 0o644))
	}
	vars, err := json.Marshal(map[string]any{"name": s.name, "ports": ports.Reserve(t, stack.Names()...)})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(s.repo, "envs/local/platform/name.auto.tfvars.json"), vars, 0o644))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		if out, err := exec.CommandContext(ctx, s.toolchain, "--repo="+s.repo, "down").CombinedOutput(); err != nil {
			t.Errorf("clearing up: %v\n%s", err, out)
		}
	})
	return s
}

// grafanaImage is the image that bringing the stack up has found, "" without one.
func (s *up) grafanaImage(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.repo, "envs/local/platform/images.auto.tfvars.json"))
	require.NoError(t, err)
	var vars struct{ Images struct{ Grafana string } }
	require.NoError(t, json.Unmarshal(data, &vars))
	return vars.Images.Grafana
}

// must runs a command of the toolchain to its end.
func (s *up) must(t *testing.T, command string) string {
	t.Helper()
	r := s.start(t, command)
	require.True(t, r.wait(5*time.Minute), "%s does not end:\n%s", command, &r.output)
	require.NoError(t, r.err, "%s:\n%s", command, &r.output)
	return r.output.String()
}

type run struct {
	cmd    *exec.Cmd
	output output
	done   chan struct{}
	err    error
}

func (s *up) start(t *testing.T, command string) *run {
	t.Helper()
	r := &run{cmd: exec.Command(s.toolchain, "--repo="+s.repo, command), done: make(chan struct{})}
	r.cmd.Stdout, r.cmd.Stderr = &r.output, &r.output
	// A killed parent leaves children that hold the pipe; waiting for them is not this test's business.
	r.cmd.WaitDelay = time.Second
	require.NoError(t, r.cmd.Start())
	go func() {
		r.err = r.cmd.Wait()
		close(r.done)
	}()
	return r
}

// output is what a run has printed so far.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// waitFor waits until the run has printed a text, or has ended.
func (r *run) waitFor(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool {
		return strings.Contains(r.output.String(), text) || r.wait(0)
	}, 3*time.Minute, 50*time.Millisecond, "it never says %q:\n%s", text, &r.output)
}

// wait reports whether the run ended within d.
func (r *run) wait(d time.Duration) bool {
	select {
	case <-r.done:
		return true
	default:
	}
	select {
	case <-r.done:
		return true
	case <-time.After(d):
		return false
	}
}

func (r *run) signal(s syscall.Signal) { _ = r.cmd.Process.Signal(s) }

// killTree kills the process and all that descends from it: what a power cut leaves.
func (r *run) killTree() {
	pids := descendants(r.cmd.Process.Pid)
	for _, pid := range append([]int{r.cmd.Process.Pid}, pids...) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

func descendants(pid int) []int {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		// The command's name, in brackets, may hold spaces; the parent is the second field behind it.
		rest := string(data[bytes.LastIndexByte(data, ')')+1:])
		fields := strings.Fields(rest)
		if len(fields) < 2 {
			continue
		}
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		parent, _ := strconv.Atoi(fields[1])
		children[parent] = append(children[parent], child)
	}
	var all []int
	for next := []int{pid}; len(next) > 0; {
		found := children[next[0]]
		next = append(next[1:], found...)
		all = append(all, found...)
	}
	return all
}

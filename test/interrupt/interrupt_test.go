// Package interrupt proves that bringing an environment up may be ended at any moment: running it again
// ends in the same healthy stack.
package interrupt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	"lookout/test/internal/ports"
)

const (
	// rounds is how often the stack is interrupted before it must come up.
	rounds = 3
	// longest is the latest moment of an interruption, counted from the moment from which things are
	// created; creating them all takes about as long.
	longest = 18 * time.Second
	// begin is what a run says right before that.
	begin = "both roots initialised"
)

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
	s := newStack(t)
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for i := range rounds {
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
	}
	s.must(t, "up")

	// The worst that an interruption can leave in Grafana: everything created, nothing recorded.
	require.NoError(t, os.Remove(filepath.Join(s.repo, "envs/local/content/terraform.tfstate")))
	require.NoError(t, os.WriteFile(filepath.Join(s.repo, ".cache/apply/local"), []byte(time.Now().UTC().Format(time.RFC3339Nano)), 0o644))
	require.Contains(t, s.must(t, "up"), "took over")

	again := s.must(t, "up")
	require.Equal(t, 2, strings.Count(again, "no changes"), "a second run changes neither root:\n%s", again)
	for _, container := range []string{"exporter", "grafana", "prometheus", "relay", "robot"} {
		out, err := docker.Run(t.Context(), "inspect", "--format", "{{.State.Health.Status}}", s.name+"-"+container)
		require.NoError(t, err)
		require.Equal(t, "healthy", out, container)
	}
	s.must(t, "down")
	for _, kind := range docker.Kinds {
		left, err := docker.List(t.Context(), kind, "name="+s.name)
		require.NoError(t, err)
		require.Empty(t, left)
	}
}

// stack is a copy of the checkout whose local environment has a name and ports of its own.
type stack struct {
	name, repo, toolchain string
}

func newStack(t *testing.T) *stack {
	t.Helper()
	top := repository(t)
	s := &stack{name: "lookout-cut-" + strconv.Itoa(os.Getpid()), repo: filepath.Join(t.TempDir(), "lookout")}
	s.toolchain = filepath.Join(filepath.Dir(s.repo), "toolchain")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", s.toolchain, "./cmd/toolchain")
	build.Dir = top
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	copyCheckout(t, top, s.repo)

	// The choice that this machine has made already: asking again would only take time.
	if data, err := os.ReadFile(filepath.Join(top, ".cache", "origin.json")); err == nil {
		require.NoError(t, os.MkdirAll(filepath.Join(s.repo, ".cache"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(s.repo, ".cache", "origin.json"), data, 0o644))
	}
	vars, err := json.Marshal(map[string]any{"name": s.name, "ports": ports.Reserve(t, "exporter", "grafana", "prometheus", "relay", "robot")})
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

// must runs a command of the toolchain to its end.
func (s *stack) must(t *testing.T, command string) string {
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

func (s *stack) start(t *testing.T, command string) *run {
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

func repository(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	t.Fatal("no go.mod above this test")
	return ""
}

// copyCheckout copies the files that git knows or would add, so neither state nor caches.
func copyCheckout(t *testing.T, from, to string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = from
	out, err := cmd.Output()
	require.NoError(t, err)
	for _, name := range strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		data, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		require.NoError(t, err)
		target := filepath.Join(to, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(target), 0o755))
		require.NoError(t, os.WriteFile(target, data, 0o644))
	}
}

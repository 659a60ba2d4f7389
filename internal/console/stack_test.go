package console_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lookout/internal/console"
	"lookout/internal/lint"
)

// binary finds a program that `make init` (test-deps) has put into .cache/bin.
func binary(t testing.TB, name string) string {
	t.Helper()
	p, err := filepath.Abs("../../.cache/bin/" + name)
	require.NoError(t, err)
	_, err = os.Stat(p)
	require.NoError(t, err, "%s is needed: make init test-deps", name)
	return p
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// eventually polls until f returns nil and reports the last error.
func eventually(t testing.TB, within time.Duration, f func() error) {
	t.Helper()
	var err error
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(within); time.Now().Before(end); <-tick.C {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatalf("not within %v: %v", within, err)
}

func get(url string) (int, string, error) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

func healthy(url string) func() error {
	return func() error {
		code, body, err := get(url)
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("%d %s", code, body)
		}
		return err
	}
}

// process runs a program until the test ends; what it wrote is shown if the test failed.
func process(t testing.TB, path string, args ...string) *exec.Cmd {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			text := out.String()
			t.Logf("%s wrote:\n%s", filepath.Base(path), text[max(len(text)-3000, 0):])
		}
	})
	return cmd
}

// sharedStack is what all tests ask: a Prometheus with history and firing alerts, and its Alertmanager.
var sharedStack struct {
	sync.Mutex
	prometheus, alertmanager string
	stop                     []func()
}

// stack starts the shared Prometheus and Alertmanager, once, and returns their addresses. Silences are seen by all tests: whoever makes one ends it.
func stack(t testing.TB) (prometheus, alertmanager string) {
	t.Helper()
	s := &sharedStack
	s.Lock()
	defer s.Unlock()
	if s.prometheus == "" {
		owner := &untilStopped{TB: t}
		s.stop = append(s.stop, owner.stop)
		addr := freePort(t)
		runAlertmanager(owner, owner.TempDir(), addr, "http://127.0.0.1:8090")
		s.prometheus, s.alertmanager = runPrometheus(owner, addr, testRules), "http://"+addr
	}
	return s.prometheus, s.alertmanager
}

func stopShared() {
	for _, f := range sharedStack.stop {
		f()
	}
}

// untilStopped is a test whose cleanups run when the test program ends.
type untilStopped struct {
	testing.TB
	cleanups []func()
}

// Cleanup keeps f for the end.
func (u *untilStopped) Cleanup(f func()) { u.cleanups = append(u.cleanups, f) }

// TempDir is a folder that lasts until then.
func (u *untilStopped) TempDir() string {
	u.TB.Helper()
	dir, err := os.MkdirTemp("", "console-test-")
	require.NoError(u.TB, err)
	u.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Failed is never asked of a test that may have ended: what the programs wrote is not shown.
func (u *untilStopped) Failed() bool { return false }

func (u *untilStopped) stop() {
	for i := len(u.cleanups) - 1; i >= 0; i-- {
		u.cleanups[i]()
	}
}

// runPrometheus starts a real Prometheus with three hours of made-up history of two Go services, rules, and an Alertmanager if there is an address of one.
func runPrometheus(t testing.TB, alertmanager, rules string) string {
	t.Helper()
	dir := t.TempDir()
	history := filepath.Join(dir, "history.om")
	require.NoError(t, os.WriteFile(history, []byte(openMetrics(time.Now().Add(-3*time.Hour), time.Now().Add(-30*time.Second))), 0o644))
	out, err := exec.Command(binary(t, "promtool"), "tsdb", "create-blocks-from", "openmetrics", history, filepath.Join(dir, "data")).CombinedOutput()
	require.NoError(t, err, string(out))
	addr := freePort(t)
	config := "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
	if alertmanager != "" {
		config += "alerting: {alertmanagers: [{static_configs: [{targets: ['" + alertmanager + "']}]}]}\n"
	}
	if rules != "" {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "rules.yml"), []byte(rules), 0o644))
		config += "rule_files: [rules.yml]\n"
	}
	config += "scrape_configs:\n- {job_name: prometheus, static_configs: [{targets: ['" + addr + "']}]}\n" +
		"- {job_name: gone, static_configs: [{targets: ['127.0.0.1:1'], labels: {team: \"<script>alert(1)</script>\"}}]}\n"
	file := filepath.Join(dir, "prometheus.yml")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o644))
	process(t, binary(t, "prometheus"), "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--rules.alert.resend-delay=2s", "--web.listen-address="+addr,
		"--storage.tsdb.retention.time=30d", "--log.level=warn")
	eventually(t, 30*time.Second, healthy("http://"+addr+"/-/ready"))
	return "http://" + addr
}

func runAlertmanager(t testing.TB, dir, addr, external string) *exec.Cmd {
	t.Helper()
	file := filepath.Join(dir, "alertmanager.yml")
	require.NoError(t, os.WriteFile(file, []byte("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"+
		"inhibit_rules: [{source_matchers: [severity=critical], target_matchers: [severity=warning], equal: [instance]}]\n"), 0o644))
	cmd := process(t, binary(t, "alertmanager"), "--config.file="+file, "--storage.path="+filepath.Join(dir, "am"), "--web.listen-address="+addr,
		"--cluster.listen-address=", "--web.external-url="+external, "--log.level=warn")
	eventually(t, 30*time.Second, healthy("http://"+addr+"/-/ready"))
	return cmd
}

// openMetrics is the history of the two services go1 and go2, every 15 s: smooth curves with a peak of threads.
func openMetrics(from, to time.Time) string {
	var b strings.Builder
	gauge := func(name string, f func(i, n int, inst string) float64) {
		fmt.Fprintf(&b, "# TYPE %s gauge\n", name)
		for _, inst := range []string{"go1", "go2"} {
			samples(&b, from, to, name+fmt.Sprintf(`{job="go",instance="%s"}`, inst), func(i, n int) float64 { return f(i, n, inst) })
		}
	}
	wave := func(i int, period, phase float64) float64 { return math.Sin(2*math.Pi*float64(i)/period + phase) }
	shift := func(inst string) float64 { return map[string]float64{"go1": 0, "go2": 1.3}[inst] }
	gauge("go_goroutines", func(i, _ int, inst string) float64 {
		return math.Round(40 + 12*wave(i, 160, shift(inst)) + 3*wave(i, 17, 0))
	})
	gauge("go_threads", func(i, n int, inst string) float64 {
		if inst == "go1" && i > n-90 {
			return math.Round(8 + min(float64(i-(n-90))/4, 6))
		}
		return math.Round(7 + wave(i, 90, shift(inst)))
	})
	gauge("process_resident_memory_bytes", func(i, _ int, inst string) float64 { return 48e6 + 2e4*float64(i%400) + 3e6*shift(inst) })
	gauge("process_open_fds", func(i, _ int, inst string) float64 { return math.Round(14 + 4*wave(i, 60, shift(inst))) })
	gauge("process_max_fds", func(int, int, string) float64 { return 1024 })
	gauge("go_memstats_heap_alloc_bytes", func(i, _ int, inst string) float64 { return 12e6 + 4e6*math.Abs(wave(i, 31, shift(inst))) })
	gauge("up", func(int, int, string) float64 { return 1 })
	for _, name := range []string{"process_cpu_seconds", "go_memstats_alloc_bytes"} {
		fmt.Fprintf(&b, "# TYPE %s counter\n", name)
		for _, inst := range []string{"go1", "go2"} {
			total := 0.0
			samples(&b, from, to, name+fmt.Sprintf(`_total{job="go",instance="%s"}`, inst), func(i, _ int) float64 {
				total += (4 + 2*wave(i, 120, shift(inst))) * map[string]float64{"process_cpu_seconds": 0.3, "go_memstats_alloc_bytes": 1e6}[name]
				return total
			})
		}
	}
	requests(&b, from, to)
	b.WriteString("# EOF\n")
	return b.String()
}

// requests are those that the two services answer, by route and code, with their durations.
func requests(b *strings.Builder, from, to time.Time) {
	routes := []struct {
		name        string
		rate, fails float64
		median      float64
	}{{"/api/orders", 18, 0.004, 0.03}, {"/api/items", 31, 0.001, 0.012}, {"/api/pay", 6, 0.02, 0.11}}
	b.WriteString("# TYPE http_requests counter\n")
	each := func(f func(inst string, k float64, route int)) {
		for i, inst := range []string{"go1", "go2"} {
			for route := range routes {
				f(inst, 1-0.25*float64(i), route)
			}
		}
	}
	load := func(i int) float64 { return 1 + 0.3*math.Sin(float64(i)/55) + 0.08*math.Sin(float64(i)/7) }
	fails := func(i, n, route int) float64 {
		if route == 2 && i > n-150 && i < n-70 {
			return 0.16
		}
		return routes[route].fails
	}
	each(func(inst string, k float64, route int) {
		for _, code := range []string{"200", "500"} {
			total := 0.0
			samples(b, from, to, fmt.Sprintf(`http_requests_total{job="go",instance="%s",route="%s",code="%s"}`, inst, routes[route].name, code), func(i, n int) float64 {
				share := fails(i, n, route)
				if code == "200" {
					share = 1 - share
				}
				total += 15 * k * routes[route].rate * load(i+40*route) * share
				return math.Round(total)
			})
		}
	})
	b.WriteString("# TYPE http_request_duration_seconds histogram\n")
	each(func(inst string, k float64, route int) {
		for _, le := range []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, math.Inf(1)} {
			total := 0.0
			bound := map[bool]string{true: "+Inf", false: fmt.Sprint(le)}[math.IsInf(le, 1)]
			samples(b, from, to, fmt.Sprintf(`http_request_duration_seconds_bucket{job="go",instance="%s",route="%s",le="%s"}`, inst, routes[route].name, bound), func(i, n int) float64 {
				median := routes[route].median * (1 + 0.4*math.Sin(float64(i)/80) + 3*(fails(i, n, route)-routes[route].fails))
				share := 1.0
				if !math.IsInf(le, 1) {
					share = 0.5 * math.Erfc(-math.Log(le/median)/(0.7*math.Sqrt2))
				}
				total += 15 * k * routes[route].rate * load(i+40*route) * share
				return math.Round(total)
			})
		}
	})
	b.WriteString("# TYPE http_requests_in_flight gauge\n")
	for i, inst := range []string{"go1", "go2"} {
		samples(b, from, to, fmt.Sprintf(`http_requests_in_flight{job="go",instance="%s"}`, inst), func(j, _ int) float64 { return math.Round(3*load(j) + float64(i)) })
	}
	b.WriteString("# TYPE orders_created counter\n")
	for i, channel := range []string{"app", "web"} {
		total := 0.0
		samples(b, from, to, fmt.Sprintf(`orders_created_total{job="go",instance="go1",channel="%s"}`, channel), func(j, _ int) float64 {
			total += 15 * (2 - float64(i)) * load(j)
			return math.Round(total)
		})
	}
}

func samples(b *strings.Builder, from, to time.Time, series string, f func(i, n int) float64) {
	n := int(to.Sub(from) / (15 * time.Second))
	for i := range n {
		fmt.Fprintf(b, "%s %g %d\n", series, f(i, n), from.Add(time.Duration(i)*15*time.Second).Unix())
	}
}

// running is a console that serves on a port of its own.
type running struct {
	url, dir string
	server   *console.Server
}

// startConsole serves until the test ends.
func startConsole(t testing.TB, cfg console.Config) *running {
	t.Helper()
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	cfg.Lint = lint.DefaultConfig()
	if cfg.ScrapeInterval == 0 {
		cfg.ScrapeInterval = 15 * time.Second
	}
	if testing.Verbose() {
		cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	l, err := net.Listen("tcp", cfg.Listen)
	require.NoError(t, err)
	s, err := console.New(cfg)
	require.NoError(t, err)
	serve(t, s, l)
	r := &running{url: "http://" + l.Addr().String(), server: s}
	eventually(t, 10*time.Second, healthy(r.url+"/-/ready"))
	return r
}

// serve runs a console until the test ends or stop is called; it has to end without an error.
func serve(t testing.TB, s *console.Server, l net.Listener) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-done)
	})
	t.Cleanup(stop)
	return stop
}

// copyTree copies a directory of the repository to one that a test may change.
func copyTree(t testing.TB, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "dashboards")
	require.NoError(t, os.CopyFS(to, os.DirFS(from)))
	return to
}

package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite testdata/contract.golden from what the program exposes")

func newTestService(t testing.TB) *service {
	t.Helper()
	s, err := newService(config{
		Registry:     prometheus.NewRegistry(),
		Logger:       slog.New(slog.DiscardHandler),
		Now:          func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) },
		Rand:         rand.New(rand.NewPCG(1, 2)),
		EnableFaults: true,
		Build:        build{Version: "1.2.3", Revision: "abc", GoVersion: "go1.26"},
	})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func do(t testing.TB, h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestOrders(t *testing.T) {
	h := newTestService(t).Handler()

	w := do(t, h, "POST", "/api/orders", `{"channel":"web","items":[{"sku":"tea-100","quantity":2}]}`)
	require.Equal(t, http.StatusCreated, w.Code, w.Body)
	assert.Equal(t, "/api/orders/1", w.Header().Get("Location"))
	assert.JSONEq(t, `{"id":1,"channel":"web","items":[{"sku":"tea-100","quantity":2}],"total_cents":13600,
		"state":"open","created":"2026-01-02T03:04:05Z"}`, w.Body.String())

	for _, tc := range []struct {
		name, method, path, body string
		code                     int
		contains                 string
	}{
		{"the order is found", "GET", "/api/orders/1", "", 200, `"total_cents":13600`},
		{"and listed", "GET", "/api/orders", "", 200, `"id":1`},
		{"and can be cancelled", "POST", "/api/orders/1/cancel", "", 200, `"cancelled"`},
		{"once", "POST", "/api/orders/1/cancel", "", 409, "already"},
		{"an unknown order", "GET", "/api/orders/2", "", 404, "no such order"},
		{"order 0", "GET", "/api/orders/0", "", 404, "no such order"},
		{"a word for an id", "GET", "/api/orders/newest", "", 404, "no such order"},
		{"products", "GET", "/api/products", "", 200, "tea-100"},
		{"a product", "GET", "/api/products/pot-01", "", 200, "teapot"},
		{"an unknown product", "GET", "/api/products/none", "", 404, "GET /api/products"},
		{"a channel we don't sell by", "POST", "/api/orders", `{"channel":"fax","items":[{"sku":"tea-100","quantity":1}]}`, 400, "app, api, web"},
		{"no items", "POST", "/api/orders", `{"channel":"web"}`, 400, "1 to 50"},
		{"a product that isn't", "POST", "/api/orders", `{"channel":"web","items":[{"sku":"x","quantity":1}]}`, 400, "no such product"},
		{"a quantity of none", "POST", "/api/orders", `{"channel":"web","items":[{"sku":"tea-100","quantity":0}]}`, 400, "1 to 999"},
		{"a field we don't know", "POST", "/api/orders", `{"chanel":"web"}`, 400, "chanel"},
		{"no JSON", "POST", "/api/orders", `channel=web`, 400, "body"},
		{"a limit beyond all", "GET", "/api/orders?limit=101", "", 400, "1 to 100"},
		{"the wrong method", "PUT", "/api/orders", "", 405, ""},
		{"an unknown path", "GET", "/wp-login.php", "", 404, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := do(t, h, tc.method, tc.path, tc.body)
			assert.Equal(t, tc.code, w.Code, w.Body)
			assert.Contains(t, w.Body.String(), tc.contains)
		})
	}
}

func TestOrderBookForgetsTheOldest(t *testing.T) {
	b := &orderBook{now: time.Now}
	for range keptOrders + 1 {
		b.add("web", nil, 1)
	}
	_, err := b.get(1)
	assert.ErrorIs(t, err, errNoOrder)
	_, err = b.get(2)
	assert.NoError(t, err)
	assert.Len(t, b.newest(2*keptOrders), keptOrders)
}

// What strangers ask for must not decide how many series there are.
func TestLabelValuesAreBounded(t *testing.T) {
	s := newTestService(t)
	h := s.Handler()
	for i := range 100 {
		do(t, h, "GET", fmt.Sprintf("/nowhere/%d", i), "")
		do(t, h, "GET", fmt.Sprintf("/api/orders/%d", i), "")
		do(t, h, fmt.Sprintf("METHOD%d", i), "/api/orders", "")
	}
	do(t, h, "GET", "/metrics", "")
	do(t, h, "GET", "/-/ready", "")
	expected := `
		# HELP http_requests_total Requests answered by the API, by route pattern, method and status code.
		# TYPE http_requests_total counter
		http_requests_total{code="404",method="GET",route="/api/orders/{id}"} 100
		http_requests_total{code="404",method="GET",route="other"} 100
		http_requests_total{code="405",method="other",route="other"} 100
	`
	assert.NoError(t, testutil.GatherAndCompare(s.cfg.Registry, strings.NewReader(expected), metricRequests))
	assert.Equal(t, 3, testutil.CollectAndCount(s.metrics.duration))
	assert.Zero(t, testutil.ToFloat64(s.metrics.inFlight))
}

func TestExemplarsCarryTheTrace(t *testing.T) {
	const trace = "0af7651916cd43dd8448eb211c80319c"
	h := newTestService(t).Handler()
	do(t, h, "GET", "/api/products", "", "traceparent", "00-"+trace+"-b7ad6b7169203331-01")

	open := do(t, h, "GET", "/metrics", "", "Accept", "application/openmetrics-text;version=1.0.0")
	assert.Contains(t, open.Header().Get("Content-Type"), "application/openmetrics-text")
	assert.Regexp(t, `http_request_duration_seconds_bucket\{.*\} 1 # \{trace_id="`+trace+`"\}`, open.Body.String())
	assert.True(t, strings.HasSuffix(open.Body.String(), "# EOF\n"))

	plain := do(t, h, "GET", "/metrics", "")
	assert.Contains(t, plain.Header().Get("Content-Type"), "text/plain")
	assert.NotContains(t, plain.Body.String(), trace)
}

func TestTraceIDOf(t *testing.T) {
	const id = "0af7651916cd43dd8448eb211c80319c"
	for given, want := range map[string]string{
		"00-" + id + "-b7ad6b7169203331-01":                        id,
		"01-" + id + "-b7ad6b7169203331-01-extra":                  id, // a later version may say more
		"00-" + id + "-b7ad6b7169203331-01-extra":                  "",
		"ff-" + id + "-b7ad6b7169203331-01":                        "",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01":  "",
		"00-" + strings.ToUpper(id) + "-b7ad6b7169203331-01":       "",
		"00-" + strings.Repeat("世", 10) + "aa-b7ad6b7169203331-01": "",
		"00-" + id: "",
		"":         "",
	} {
		assert.Equal(t, want, traceIDOf(given), given)
	}
	made := newTraceID()
	assert.Len(t, made, 32)
	assert.NotEqual(t, made, newTraceID())
}

func TestHistogramIsClassicAndNative(t *testing.T) {
	s := newTestService(t)
	do(t, s.Handler(), "GET", "/api/products", "")
	families, err := s.cfg.Registry.Gather()
	require.NoError(t, err)
	i := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == metricRequestDuration })
	require.GreaterOrEqual(t, i, 0)
	h := families[i].GetMetric()[0].GetHistogram()
	assert.Len(t, h.GetBucket(), 14, "classic buckets")
	assert.Equal(t, int32(3), h.GetSchema(), "a growth of at most 10 % is schema 3")
	assert.NotEmpty(t, h.GetPositiveSpan(), "native buckets")
	assert.NotEmpty(t, h.GetExemplars())
}

// TestContract holds names, types and label names against a golden file, which dashboards and rules
// rely on. After a wanted change: go test ./app/exporter -run TestContract -update
func TestContract(t *testing.T) {
	s := newTestService(t)
	do(t, s.Handler(), "POST", "/api/orders", `{"channel":"web","items":[{"sku":"tea-100","quantity":2}]}`)
	families, err := s.cfg.Registry.Gather()
	require.NoError(t, err)

	var b strings.Builder
	b.WriteString("# name type labels, sorted; everything the exporter exposes on Linux\n")
	for _, f := range families {
		labels := map[string]bool{}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = true
			}
		}
		names := make([]string, 0, len(labels))
		for l := range labels {
			names = append(names, l)
		}
		sort.Strings(names)
		line := f.GetName() + " " + strings.ToLower(f.GetType().String()) + " " + strings.Join(names, ",")
		b.WriteString(strings.TrimSpace(line) + "\n")
	}

	golden := filepath.Join("testdata", "contract.golden")
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), b.String(),
		"the metrics changed: dashboards and rules may rely on them; if it is meant, rerun with -update and commit the golden file")
}

func TestReadyTurnsFalseWhileStopping(t *testing.T) {
	s := newTestService(t)
	assert.Equal(t, 200, do(t, s.Handler(), "GET", "/-/ready", "").Code)
	s.Drain()
	assert.Equal(t, 503, do(t, s.Handler(), "GET", "/-/ready", "").Code)
	assert.Equal(t, 200, do(t, s.Handler(), "GET", "/-/healthy", "").Code)
}

func TestPanicIsCountedAsAnError(t *testing.T) {
	s := newTestService(t)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /boom", func(http.ResponseWriter, *http.Request) { panic("boom") })
	w := do(t, s.metrics.instrument(s.recovered(s.faulty(mux))), "GET", "/boom", "")
	assert.Equal(t, 500, w.Code)
	assert.Equal(t, 1.0, testutil.ToFloat64(s.metrics.requests.WithLabelValues("/boom", "GET", "500")))
}

// startProgram runs the real program until the test ends, and returns its address.
func startProgram(t *testing.T, args ...string) (addr string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, append([]string{"--listen=127.0.0.1:0", "--log-format=json"}, args...), io.Discard, w)
		w.Close()
	}()
	addrs := make(chan string, 1)
	go func() {
		dec := json.NewDecoder(r)
		for {
			var line struct{ Msg, Address string }
			if err := dec.Decode(&line); err != nil {
				close(addrs)
				io.Copy(io.Discard, r)
				return
			}
			if line.Msg == "listening" {
				addrs <- line.Address
			}
		}
	}()
	select {
	case addr = <-addrs:
	case <-time.After(30 * time.Second):
	}
	require.NotEmpty(t, addr, "the program did not say where it listens")
	var err error
	stopped := false
	stop = func() error {
		if !stopped {
			stopped = true
			cancel()
			err = <-done
		}
		return err
	}
	t.Cleanup(func() { assert.NoError(t, stop()) })
	return addr, stop
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func TestProgramServesAndStops(t *testing.T) {
	addr, stop := startProgram(t, "--self-traffic=200")
	code, body := get(t, "http://"+addr+"/api/products")
	assert.Equal(t, 200, code, body)
	code, _ = get(t, "http://"+addr+"/faults")
	assert.Equal(t, 404, code, "the knobs are off unless asked for")
	require.Eventually(t, func() bool {
		_, body := get(t, "http://"+addr+"/metrics")
		return strings.Contains(body, `http_requests_total{code="201",method="POST",route="/api/orders"}`)
	}, 30*time.Second, 20*time.Millisecond, "the service's own traffic buys something")
	require.NoError(t, stop())
}

func TestWrongFlagsGetOneClearMessage(t *testing.T) {
	busy := httptest.NewServer(http.NotFoundHandler())
	defer busy.Close()
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"--listen=" + busy.Listener.Addr().String()}, "choose a free port"},
		{[]string{"--listen=nowhere"}, "--listen=nowhere"},
		{[]string{"--self-traffic=-1"}, "--self-traffic=-1: give a number"},
		{[]string{"--self-traffic=NaN"}, "--self-traffic=NaN"},
		{[]string{"--shutdown-timeout=0s"}, "above zero"},
		{[]string{"--log-level=loud"}, "--log-level"},
		{[]string{"--nonsense"}, "--nonsense"},
	} {
		var stdout, stderr strings.Builder
		err := run(t.Context(), tc.args, &stdout, &stderr)
		require.Error(t, err, "%v", tc.args)
		assert.Contains(t, err.Error(), tc.want)
		assert.NotContains(t, err.Error(), "\n")
	}
}

func TestVersionAndHelpGoToStdout(t *testing.T) {
	for flag, want := range map[string]string{"--version": "exporter dev", "--help": "--enable-faults"} {
		var stdout, stderr strings.Builder
		require.NoError(t, run(t.Context(), []string{flag}, &stdout, &stderr))
		assert.Contains(t, stdout.String(), want)
		assert.Empty(t, stderr.String())
	}
}

// The README's curl commands do what it says they do.
func TestReadmeCommands(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	addr, _ := startProgram(t, "--enable-faults")
	var answers []string
	for line := range strings.Lines(string(readme)) {
		command, found := strings.CutPrefix(line, "    curl ")
		if !found {
			continue
		}
		command = strings.ReplaceAll("curl -fsS "+command, "localhost:9100", addr)
		out, err := exec.CommandContext(t.Context(), "sh", "-c", command).Output()
		require.NoError(t, err, "%s\n%s", command, out)
		answers = append(answers, string(out))
	}
	require.Len(t, answers, 6)
	assert.Contains(t, answers[0], `"threads":12`)
	assert.Contains(t, answers[1], `"threads":0`)
	assert.Contains(t, answers[4], `"threads":12`)
	assert.Contains(t, answers[5], `"threads":0`)
}

package prometheus_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	prom "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"

	"lookout/internal/prometheus"
)

func client(t *testing.T, cfg prometheus.Config, answer http.HandlerFunc) *prometheus.Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	cfg.URL = strings.Replace(server.URL, "://", "://user:s3cret@", 1) + "/prefix"
	c, err := prometheus.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	emptyMatrix = `{"status":"success","data":{"resultType":"matrix","result":[]}}`
	oneSample   = `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1,"2"]}]}}`
)

var hour = v1.Range{Start: time.Unix(0, 0), End: time.Unix(3600, 0), Step: time.Minute}

func TestAddresses(t *testing.T) {
	for _, address := range []string{"", "localhost:9090", "ftp://host", "http://", "http://%zz"} {
		if _, err := prometheus.New(prometheus.Config{URL: address}); err == nil || !strings.Contains(err.Error(), "not a valid address of a Prometheus; write http://host:9090") {
			t.Errorf("%q: %v", address, err)
		}
	}
	c, err := prometheus.New(prometheus.Config{URL: "http://user:s3cret@host:9090/p"})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Address(); strings.Contains(got, "s3cret") || !strings.Contains(got, "host:9090/p") {
		t.Errorf("address %q", got)
	}
}

// What is too dear is cut off and says what it costs; what Prometheus refuses says why; both are counted, and told from a Prometheus that is away.
func TestAnswersThatAreNone(t *testing.T) {
	for name, test := range map[string]struct {
		cfg         prometheus.Config
		status      int
		body        string
		says        string
		result      string
		unreachable bool
	}{
		"too many bytes":     {prometheus.Config{MaxBytes: 2 << 10}, 200, `{"status":"success","data":"` + strings.Repeat("x", 4<<10) + `"}`, "an answer of more than 2 KiB; the limit is 2 KiB", "too_expensive", false},
		"too many megabytes": {prometheus.Config{MaxBytes: 1 << 20}, 200, `{"status":"success","data":"` + strings.Repeat("x", 2<<20) + `"}`, "an answer of more than 1 MiB", "too_expensive", false},
		"too many series": {prometheus.Config{MaxSeries: 100, MaxPoints: 610}, 200, `{"status":"success","warnings":["results truncated due to limit"],"data":{"resultType":"matrix","result":[]}}`,
			"more than 10 series of 61 points, 610 points in all; the limit is 100 series and 610 points", "too_expensive", false},
		"too long":       {prometheus.Config{Timeout: 7 * time.Second}, 503, `{"status":"error","errorType":"timeout","error":"query timed out"}`, "the limit is 7s", "too_expensive", false},
		"a wrong query":  {prometheus.Config{}, 400, `{"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}`, "parse error: unexpected end", "refused", false},
		"another page":   {prometheus.Config{}, 200, `<html>`, "", "error", false},
		"a broken proxy": {prometheus.Config{}, 502, `bad gateway`, "", "error", false},
	} {
		registry := prom.NewRegistry()
		test.cfg.Registerer = registry
		c := client(t, test.cfg, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(test.status)
			_, _ = io.WriteString(w, test.body)
		})
		_, _, _, err := c.QueryRange(t.Context(), "up", hour)
		if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
		if prometheus.Unreachable(err) != test.unreachable {
			t.Errorf("%s: unreachable %t", name, prometheus.Unreachable(err))
		}
		var cost *prometheus.CostError
		if errors.As(err, &cost) != (test.result == "too_expensive") {
			t.Errorf("%s: %T", name, err)
		}
		counted := "# TYPE console_prometheus_requests_total counter\n# HELP console_prometheus_requests_total Requests to Prometheus by result: ok, refused, too_expensive, unreachable, error.\n"
		for _, l := range []string{"ok", "refused", "too_expensive", "unreachable", "error"} {
			counted += fmt.Sprintf("console_prometheus_requests_total{result=%q} %d\n", l, map[bool]int{true: 1}[l == test.result])
		}
		if err := testutil.GatherAndCompare(registry, strings.NewReader(counted), "console_prometheus_requests_total"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if reason, _ := c.Down(); reason != nil {
			t.Errorf("%s: it is down: %v", name, reason)
		}
	}
}

func TestAPrometheusThatIsAway(t *testing.T) {
	now := time.Unix(100, 0)
	c, err := prometheus.New(prometheus.Config{URL: "http://user:s3cret@127.0.0.1:1", Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	if reason, _ := c.Down(); reason != nil {
		t.Errorf("before it is asked: %v", reason)
	}
	for range 2 {
		if _, _, _, err := c.Query(t.Context(), "up", now); !prometheus.Unreachable(err) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v", err)
		}
		now = now.Add(time.Minute)
	}
	reason, since := c.Down()
	if reason == nil || !since.Equal(time.Unix(100, 0)) || !c.Answered().IsZero() {
		t.Errorf("down since %v (%v), answered %v", since, reason, c.Answered())
	}
	for err, want := range map[error]bool{nil: false, io.EOF: true, context.DeadlineExceeded: true, context.Canceled: false, &prometheus.CostError{}: false, errors.New("x"): false,
		&v1.Error{Type: v1.ErrBadData}: false} {
		if prometheus.Unreachable(err) != want {
			t.Errorf("unreachable by %v: %t", err, !want)
		}
	}
}

// Many ask for the same at the same time: it is asked once. Other ranges, times and labels are other questions.
func TestEachQuestionOnce(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]int{}
	var together, most atomic.Int64
	c := client(t, prometheus.Config{Parallel: 3, Timeout: time.Minute}, func(w http.ResponseWriter, r *http.Request) {
		n := together.Add(1)
		defer together.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if user, password, _ := r.BasicAuth(); user != "user" || password != "s3cret" {
			t.Errorf("login %s:%s", user, password)
		}
		mu.Lock()
		asked[r.URL.Path]++
		mu.Unlock()
		body := `{"status":"success","data":["x"]}`
		switch {
		case strings.HasSuffix(r.URL.Path, "/query_range"):
			if r.FormValue("timeout") != "1m0s" || r.FormValue("limit") == "" {
				t.Errorf("timeout %q, limit %q", r.FormValue("timeout"), r.FormValue("limit"))
			}
			body = emptyMatrix
		case strings.HasSuffix(r.URL.Path, "/query"):
			body = oneSample
		case strings.HasSuffix(r.URL.Path, "/rules"):
			body = `{"status":"success","data":{"groups":[]}}`
		case strings.HasSuffix(r.URL.Path, "/targets"):
			body = `{"status":"success","data":{"activeTargets":[],"droppedTargets":[]}}`
		}
		_, _ = io.WriteString(w, body)
	})
	var wg sync.WaitGroup
	later := hour
	later.End = later.End.Add(time.Minute)
	for range 20 {
		for _, ask := range []func() error{
			func() error { _, _, _, err := c.QueryRange(t.Context(), "up", hour); return err },
			func() error { _, _, _, err := c.QueryRange(t.Context(), "up", later); return err },
			func() error { _, _, _, err := c.QueryRange(t.Context(), "down", hour); return err },
			func() error {
				v, _, _, err := c.Query(t.Context(), "up", time.Unix(7, 0))
				if vector, ok := v.(model.Vector); !ok || len(vector) != 1 {
					t.Errorf("a query gives %v", v)
				}
				return err
			},
			func() error {
				_, _, _, err := c.LabelNames(t.Context(), []string{"up"}, hour.Start, hour.End)
				return err
			},
			func() error { _, _, _, err := c.LabelValues(t.Context(), "job", nil, hour.Start, hour.End); return err },
			func() error {
				_, _, _, err := c.LabelValues(t.Context(), "instance", nil, hour.Start, hour.End)
				return err
			},
		} {
			wg.Go(func() {
				if err := ask(); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if _, err := c.Rules(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := c.Targets(t.Context()); err != nil {
		t.Error(err)
	}
	const api = "/prefix/api/v1/"
	for path, want := range map[string]int{"query_range": 3, "query": 1, "labels": 1, "label/job/values": 1, "label/instance/values": 1, "rules": 1, "targets": 1} {
		if got := asked[api+path]; got != want {
			t.Errorf("%s was asked %d times, want %d", path, got, want)
		}
	}
	if most.Load() > 3 {
		t.Errorf("%d questions at the same time, 3 are allowed", most.Load())
	}
}

func TestTooManyQuestions(t *testing.T) {
	release := make(chan struct{})
	c := client(t, prometheus.Config{Parallel: 1, Timeout: 50 * time.Millisecond}, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	errs := make(chan error, 2)
	for _, q := range []string{"a", "b"} {
		go func() {
			_, _, _, err := c.Query(t.Context(), q, time.Unix(1, 0))
			errs <- err
		}()
	}
	for range 2 {
		if err := <-errs; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	}
}

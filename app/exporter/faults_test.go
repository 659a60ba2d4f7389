package main

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// gauge reads one value the way a scraper sees it.
func gauge(t testing.TB, g prometheus.Gatherer, name string) float64 {
	t.Helper()
	families, err := g.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// Every knob must be seen in /metrics going up, and coming down again: an alert that cannot
// recover can't be shown.
func TestKnobsRaiseAndLowerWhatIsMeasured(t *testing.T) {
	type knob struct {
		knob, metric string
		turn         int
		rise, slack  float64
	}
	knobs := []knob{
		{knobThreads, "go_threads", 30, 30, 4},
		{knobGoroutines, "go_goroutines", 500, 500, 20},
		{knobHeap, "go_memstats_heap_inuse_bytes", 200, 200 << 20, 10 << 20},
	}
	if !raceDetector { // which shadows all memory and keeps its shadows
		knobs = append(knobs, knob{knobHeap, "process_resident_memory_bytes", 200, 200 << 20, 40 << 20})
	}
	for _, tc := range knobs {
		t.Run(tc.metric, func(t *testing.T) {
			s := newTestService(t)
			h := s.Handler()
			before := gauge(t, s.cfg.Registry, tc.metric)

			w := do(t, h, "PUT", "/faults/"+tc.knob, fmt.Sprint(tc.turn))
			require.Equal(t, 200, w.Code, w.Body)
			assert.Contains(t, w.Body.String(), fmt.Sprintf("%q:%d", tc.knob, tc.turn))
			raised := gauge(t, s.cfg.Registry, tc.metric)
			assert.GreaterOrEqual(t, raised, before+tc.rise-tc.slack)

			w = do(t, h, "PUT", "/faults/"+tc.knob, "0")
			require.Equal(t, 200, w.Code, w.Body)
			after := gauge(t, s.cfg.Registry, tc.metric)
			// Memory must be back at once, since measuring for long enough makes the runtime return
			// it anyhow; threads and goroutines take a moment to end.
			if tc.knob != knobHeap {
				for deadline := time.Now().Add(time.Minute); after > before+tc.slack && time.Now().Before(deadline); {
					runtime.Gosched()
					after = gauge(t, s.cfg.Registry, tc.metric)
				}
			}
			assert.LessOrEqual(t, after, before+tc.slack)
			t.Logf("%s: %.0f, raised to %.0f, back at %.0f", tc.metric, before, raised, after)
		})
	}
}

// Turning a knob again and again must not leave more idle threads each time.
func TestThreadsDoNotDrift(t *testing.T) {
	s := newTestService(t)
	h := s.Handler()
	before := threadCount()
	for range 20 {
		for _, n := range []string{"40", "10"} {
			require.Equal(t, 200, do(t, h, "PUT", "/faults/threads", n).Code)
		}
		assert.InDelta(t, before+10, threadCount(), 5, "lowered in part")
		require.Equal(t, 200, do(t, h, "DELETE", "/faults", "").Code)
	}
	assert.LessOrEqual(t, threadCount(), before+4)
}

func TestErrorPercent(t *testing.T) {
	s := newTestService(t)
	h := s.Handler()
	require.Equal(t, 200, do(t, h, "PUT", "/faults/error_percent", "30").Code)
	failed := 0
	for range 1000 {
		if do(t, h, "GET", "/api/products", "").Code == http.StatusInternalServerError {
			failed++
		}
	}
	assert.InDelta(t, 300, failed, 60)
	assert.Equal(t, float64(failed), testutil.ToFloat64(s.metrics.requests.WithLabelValues("/api/products", "GET", "500")),
		"failures are counted under the route that was asked for")

	require.Equal(t, 200, do(t, h, "DELETE", "/faults", "").Code)
	for range 100 {
		require.Equal(t, 200, do(t, h, "GET", "/api/products", "").Code)
	}
}

func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestService(t)
		h := s.Handler()
		took := func() time.Duration {
			start := time.Now()
			do(t, h, "GET", "/api/products", "")
			return time.Since(start)
		}
		assert.Zero(t, took())
		require.Equal(t, 200, do(t, h, "PUT", "/faults/latency_milliseconds", "250").Code)
		assert.Equal(t, 250*time.Millisecond, took())
		require.Equal(t, 200, do(t, h, "PUT", "/faults/latency_milliseconds", "0").Code)
		assert.Zero(t, took())
	})
}

func TestBadKnobsAreRefusedAndChangeNothing(t *testing.T) {
	h := newTestService(t).Handler()
	for _, tc := range []struct{ knob, body, want string }{
		{"threads", "many", `threads=\"many\": send a whole number from 0 to 500`},
		{"threads", "", "0 to 500"},
		{"threads", "-1", "0 to 500"},
		{"threads", "501", "0 to 500"},
		{"threads", "1.5", "0 to 500"},
		{"goroutines", "99999999999999999999", "0 to 100000"},
		{"heap_mebibytes", "2049", "0 to 2048"},
		{"latency_milliseconds", "10001", "0 to 10000"},
		{"error_percent", "101", "0 to 100"},
		{"error_percent", strings.Repeat("1", 1000), "one whole number"},
		{"disk", "1", "choose one of error_percent, goroutines, heap_mebibytes, latency_milliseconds, threads"},
	} {
		w := do(t, h, "PUT", "/faults/"+tc.knob, tc.body)
		assert.Equal(t, 400, w.Code, "%s=%s", tc.knob, tc.body)
		assert.Contains(t, w.Body.String(), tc.want)
	}
	assert.JSONEq(t, `{"threads":0,"goroutines":0,"heap_mebibytes":0,"latency_milliseconds":0,"error_percent":0}`,
		do(t, h, "GET", "/faults", "").Body.String())
}

// What a drill turned goes back by itself once the drill no longer renews: it may have been killed.
func TestAFaultOnLeaseGoesBackByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestService(t)
		h := s.Handler()
		put := func(query, value string) int {
			return do(t, h, "PUT", "/faults/latency_milliseconds"+query, value).Code
		}
		now := func() int64 { synctest.Wait(); return s.faults.latency().Milliseconds() }

		require.Equal(t, 200, put("", "20"))
		require.Equal(t, 200, put("?lease=10s", "500"))
		time.Sleep(9 * time.Second)
		require.EqualValues(t, 500, now())
		require.Equal(t, 200, put("?lease=10s", "600"), "renewed, with another value")
		time.Sleep(9 * time.Second)
		require.EqualValues(t, 600, now())
		time.Sleep(time.Second)
		require.EqualValues(t, 20, now(), "it goes back to what it was before the first lease")

		require.Equal(t, 200, put("?lease=10s", "500"))
		require.Equal(t, 200, do(t, h, "DELETE", "/faults/latency_milliseconds", "").Code)
		require.EqualValues(t, 20, now(), "given back")
		time.Sleep(time.Minute)
		require.EqualValues(t, 20, now())

		require.Equal(t, 200, put("?lease=10s", "500"))
		require.Equal(t, 200, put("", "30"), "someone wants it for good")
		time.Sleep(time.Minute)
		require.EqualValues(t, 30, now())

		require.Equal(t, 200, put("?lease=10s", "500"))
		require.Equal(t, 200, do(t, h, "DELETE", "/faults", "").Code)
		time.Sleep(time.Minute)
		require.EqualValues(t, 0, now(), "all faults were taken back, leases too")

		for _, wrong := range []string{"x", "0s", "-5s", "1h", "999ms"} {
			w := do(t, h, "PUT", "/faults/latency_milliseconds?lease="+wrong, "500")
			require.Equal(t, 400, w.Code)
			require.Contains(t, w.Body.String(), "from 1s to 5m0s")
			require.EqualValues(t, 0, now(), "nothing is changed by what is refused")
		}
		require.Equal(t, 400, do(t, h, "DELETE", "/faults/nothing", "").Code)
	})
}

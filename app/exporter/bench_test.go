package main

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sys/unix"
)

// work keeps the processor busy for n rounds.
func work(n int) byte {
	var sum [32]byte
	for range n {
		sum = sha256.Sum256(sum[:])
	}
	return sum[0]
}

// roundsFor finds how many rounds of work take d on this machine: the best of many tries, since
// whatever else runs here only ever makes it slower.
func roundsFor(d time.Duration) int {
	const rounds = 500
	best := time.Hour
	for range 200 {
		start := time.Now()
		work(rounds)
		best = min(best, time.Since(start))
	}
	return int(int64(rounds) * int64(d) / int64(best))
}

// nothing is the cheapest ResponseWriter, so that only the handler is timed.
type nothing struct{ header http.Header }

func (n *nothing) Header() http.Header         { return n.header }
func (n *nothing) Write(b []byte) (int, error) { return len(b), nil }
func (n *nothing) WriteHeader(int)             {}

func timed(h http.Handler, r *http.Request) time.Duration {
	w := &nothing{http.Header{}}
	start := time.Now()
	h.ServeHTTP(w, r)
	return time.Since(start)
}

// cpuTime is the processor time h takes for a handful of requests, on a goroutine that is locked to
// its thread. Unlike the time on the wall it doesn't care what else the machine is doing.
func cpuTime(b *testing.B, h http.Handler, r *http.Request) time.Duration {
	const requests = 20
	w := &nothing{http.Header{}}
	start := threadTime(b)
	for range requests {
		h.ServeHTTP(w, r)
	}
	return (threadTime(b) - start) / requests
}

func threadTime(b *testing.B) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}

func median[T time.Duration | float64](d []T) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2])
}

// BenchmarkInstrumentation compares the requests per second of a handler that does 50 µs of work
// with and without instrumentation, turn by turn so that both see the same machine, as one processor
// could answer them. There is no network in it, which would only make the cost look smaller.
// Bar: at most 3 % fewer.
func BenchmarkInstrumentation(b *testing.B) {
	s := newTestService(b)
	rounds := roundsFor(50 * time.Microsecond)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /jobs/{id}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, work(rounds))
	})
	instrumented := s.metrics.instrument(mux)
	r := httptest.NewRequestWithContext(b.Context(), "GET", "/jobs/1", nil)

	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var bare, with []time.Duration
	var fewer []float64 // of each turn: its two halves meet the same neighbours on the processor
	for b.Loop() {
		x, y := cpuTime(b, mux, r), cpuTime(b, instrumented, r)
		bare, with = append(bare, x), append(with, y)
		fewer = append(fewer, 100*(1-float64(x)/float64(y)))
	}
	b.ReportMetric(median(bare), "bare-ns/req")
	b.ReportMetric(median(with), "instrumented-ns/req")
	b.ReportMetric(median(fewer), "%fewer-req/s")
	b.ReportMetric(0, "ns/op")
}

func scrape(h http.Handler, accept string) time.Duration {
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", accept)
	r.Header.Set("Accept-Encoding", "gzip")
	return timed(h, r)
}

const (
	acceptText        = "text/plain;version=0.0.4"
	acceptOpenMetrics = "application/openmetrics-text;version=1.0.0"
	acceptProtobuf    = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
)

// BenchmarkScrape is one scrape of everything, gzipped as Prometheus asks for it, after traffic on
// every route. Bar: at most 2 ms.
func BenchmarkScrape(b *testing.B) {
	s := newTestService(b)
	h := s.Handler()
	for range 100 {
		for _, route := range []string{"/", "/api/products", "/api/products/tea-100", "/api/orders", "/api/orders/1", "/none"} {
			do(b, h, "GET", route, "")
		}
		do(b, h, "POST", "/api/orders", `{"channel":"web","items":[{"sku":"tea-100","quantity":2}]}`)
		do(b, h, "POST", "/api/orders/1/cancel", "")
	}
	for name, accept := range map[string]string{"text": acceptText, "openmetrics": acceptOpenMetrics, "protobuf": acceptProtobuf} {
		b.Run(name, func(b *testing.B) {
			var all []time.Duration
			for b.Loop() {
				all = append(all, scrape(h, accept))
			}
			b.ReportMetric(median(all)/1e6, "median-ms")
		})
	}
}

// BenchmarkLargeScrape compares a scrape of 10,000 series through this program's handler with the
// library's handler as it comes, turn by turn. Bar: at most 1.05 times as long.
func BenchmarkLargeScrape(b *testing.B) {
	s := newTestService(b)
	many := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "many", Help: "Many."}, []string{"n"})
	for i := range 10_000 {
		many.WithLabelValues(fmt.Sprint(i)).Set(float64(i))
	}
	s.cfg.Registry.MustRegister(many)
	own := s.Handler()
	bare := promhttp.HandlerFor(s.cfg.Registry, promhttp.HandlerOpts{EnableOpenMetrics: true})

	var ours, theirs []time.Duration
	for b.Loop() {
		theirs = append(theirs, scrape(bare, acceptText))
		ours = append(ours, scrape(own, acceptText))
	}
	b.ReportMetric(median(theirs)/1e6, "bare-ms")
	b.ReportMetric(median(ours)/1e6, "ours-ms")
	b.ReportMetric(median(ours)/median(theirs), "ratio")
	b.ReportMetric(0, "ns/op")
}

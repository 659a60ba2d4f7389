package main

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// The names of every metric this program defines itself. testdata/contract.golden holds these and
// those of the Go and process collectors, with types and labels; dashboards and rules are checked
// against it.
const (
	metricBuildInfo        = "exporter_build_info"
	metricRequests         = "http_requests_total"
	metricRequestDuration  = "http_request_duration_seconds"
	metricRequestsInFlight = "http_requests_in_flight"
	metricOrdersCreated    = "orders_created_total"
	metricMemoryLimit      = "process_memory_limit_bytes"
)

type build struct{ Version, Revision, GoVersion string }

type metrics struct {
	requests      *prometheus.CounterVec
	duration      *prometheus.HistogramVec
	inFlight      prometheus.Gauge
	ordersCreated *prometheus.CounterVec

	known sync.Map // seriesKey → *series
}

// newMetrics registers everything /metrics shows on reg.
func newMetrics(reg prometheus.Registerer, b build) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricRequests,
			Help: "Requests answered by the API, by route pattern, method and status code.",
		}, []string{"route", "method", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    metricRequestDuration,
			Help:    "Time from the start of an API request to the end of its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
			// Beside the classic buckets, for scrapers that ask for native histograms: each bucket
			// is at most 10 % wider than the one before it.
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  160,
			NativeHistogramMinResetDuration: time.Hour,
		}, []string{"route", "method"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: metricRequestsInFlight,
			Help: "API requests being answered right now.",
		}),
		ordersCreated: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricOrdersCreated,
			Help: "Orders accepted, by sales channel.",
		}, []string{"channel"}),
	}
	buildInfo := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: metricBuildInfo,
		Help: "Always 1; its labels say what is running.",
		ConstLabels: prometheus.Labels{
			"version": b.Version, "revision": b.Revision, "goversion": b.GoVersion,
		},
	})
	buildInfo.Set(1)
	limit := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: metricMemoryLimit,
		Help: "Memory limit of the container that the process runs in, +Inf without one.",
	}, func() float64 { return memoryLimit(os.DirFS("/")) })
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		buildInfo, limit, m.requests, m.duration, m.inFlight, m.ordersCreated,
	} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	// A counter that starts at 0 lets rate() see its first increment.
	for _, c := range channels {
		m.ordersCreated.WithLabelValues(c)
	}
	return m, nil
}

// exposition serves what reg gathers: Prometheus text, OpenMetrics (the format that carries
// exemplars) or protobuf (the one that carries native histograms), whichever the scraper asks for.
func exposition(reg prometheus.Gatherer) http.Handler {
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{
		EnableOpenMetrics: true,
		// zstd allocates about 10 MB per scrape, which would be most of this program's memory.
		OfferedCompressions: []promhttp.Compression{promhttp.Identity, promhttp.Gzip},
		// No Timeout: it would keep the whole answer in memory first, and the server has its own.
		MaxRequestsInFlight: 8,
	})
}

// exemplarEvery is how seldom a series gets a new exemplar: each costs a few microseconds, and a
// scrape sees no more than one per bucket anyhow. Requests that took longer than this always get
// one, since theirs are the traces somebody will look for.
const exemplarEvery = 100 * time.Millisecond

// otherRoute and otherMethod stand for what no pattern matches and what HTTP does not define, so
// that nobody can make series by asking for things that don't exist.
const (
	otherRoute  = "other"
	otherMethod = "other"
)

// seriesKey is what tells requests apart in the metrics; all its values are bounded.
type seriesKey struct {
	route, method string
	code          int
}

// series are the metrics of one seriesKey, looked up once: finding them by their labels at every
// request takes longer than counting.
type series struct {
	requests     prometheus.Counter
	duration     prometheus.Observer
	nextExemplar atomic.Int64 // nanoseconds of the Unix time
}

func (m *metrics) series(k seriesKey) *series {
	if s, ok := m.known.Load(k); ok {
		return s.(*series)
	}
	s, _ := m.known.LoadOrStore(k, &series{
		requests: m.requests.WithLabelValues(k.route, k.method, strconv.Itoa(k.code)),
		duration: m.duration.WithLabelValues(k.route, k.method),
	})
	return s.(*series)
}

func (m *metrics) observe(k seriesKey, start time.Time, took time.Duration, r *http.Request) {
	s := m.series(k)
	now := start.Add(took).UnixNano()
	next := s.nextExemplar.Load()
	due := now >= next && s.nextExemplar.CompareAndSwap(next, now+int64(exemplarEvery))
	if !due && took < exemplarEvery {
		s.requests.Inc()
		s.duration.Observe(took.Seconds())
		return
	}
	id := traceIDOf(r.Header.Get("Traceparent"))
	if id == "" {
		id = newTraceID()
	}
	exemplar := prometheus.Labels{"trace_id": id}
	s.requests.(prometheus.ExemplarAdder).AddWithExemplar(1, exemplar)
	s.duration.(prometheus.ExemplarObserver).ObserveWithExemplar(took.Seconds(), exemplar)
}

// instrument counts and times what api answers. promhttp has middleware for this; it took 7 µs a
// request where this takes well under one (BenchmarkInstrumentation), because it looks every series
// up by its labels and can learn the route only by way of a context.
func (m *metrics) instrument(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		m.inFlight.Inc()
		rec := &recorder{ResponseWriter: w, code: http.StatusOK}
		r.Pattern = "" // an outer mux has left its own, which is not the route
		defer func() {
			m.inFlight.Dec()
			m.observe(seriesKey{routeOf(r.Pattern), methodOf(r.Method), rec.code}, start, time.Since(start), r)
		}()
		api.ServeHTTP(rec, r)
	})
}

// recorder remembers the status code of an answer.
type recorder struct {
	http.ResponseWriter
	code  int
	wrote bool
}

func (r *recorder) WriteHeader(code int) {
	if !r.wrote && code >= 200 { // what is below is a prelude to the answer
		r.code, r.wrote = min(code, 599), true
	}
	r.ResponseWriter.WriteHeader(code)
}

func (r *recorder) Write(b []byte) (int, error) {
	r.wrote = true
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach what the server itself offers.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// routeOf is the path of a ServeMux pattern such as "GET /api/orders/{id}", which the mux leaves in
// the request it was given.
func routeOf(pattern string) string {
	if pattern == "" {
		return otherRoute
	}
	if _, path, ok := strings.Cut(pattern, " "); ok {
		pattern = path
	}
	return strings.TrimSuffix(pattern, "{$}")
}

func methodOf(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return otherMethod
}

package main

import (
	"context"
	"net/http"
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
)

type build struct{ Version, Revision, GoVersion string }

type metrics struct {
	requests      *prometheus.CounterVec
	duration      *prometheus.HistogramVec
	inFlight      prometheus.Gauge
	ordersCreated *prometheus.CounterVec
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
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		buildInfo, m.requests, m.duration, m.inFlight, m.ordersCreated,
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
		MaxRequestsInFlight: 8,
		Timeout:             10 * time.Second,
	})
}

// otherRoute is the route of requests that match no pattern, so that nobody can make series by
// asking for paths that don't exist. promhttp bounds the method the same way, as "unknown".
const otherRoute = "other"

// request is what the layers of one request tell each other.
type request struct {
	traceID string
	route   string
}

type requestKey struct{}

func requestFrom(ctx context.Context) *request {
	r, ok := ctx.Value(requestKey{}).(*request)
	if !ok {
		return &request{route: otherRoute}
	}
	return r
}

// instrument counts and times what api answers. The route is the pattern that api chose, which is
// known only once api has returned.
func (m *metrics) instrument(api http.Handler) http.Handler {
	routed := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info := requestFrom(r.Context())
		defer func() { info.route = routeOf(r.Pattern) }()
		api.ServeHTTP(w, r)
	})
	route := promhttp.WithLabelFromCtx("route", func(ctx context.Context) string { return requestFrom(ctx).route })
	exemplar := promhttp.WithExemplarFromContext(func(ctx context.Context) prometheus.Labels {
		return prometheus.Labels{"trace_id": requestFrom(ctx).traceID}
	})
	counted := promhttp.InstrumentHandlerCounter(m.requests, routed, route, exemplar)
	timed := promhttp.InstrumentHandlerDuration(m.duration, counted, route, exemplar)
	return traced(promhttp.InstrumentHandlerInFlight(m.inFlight, timed))
}

package console

import (
	"strconv"
	"time"

	prom "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics are what the console says of itself; dashboards and rules may use them, so their names are kept.
type metrics struct {
	registry *prom.Registry
	requests *prom.CounterVec
	seconds  *prom.HistogramVec
	readers  prom.Gauge
	drawn    *prom.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prom.NewRegistry(),
		requests: prom.NewCounterVec(prom.CounterOpts{Name: "console_http_requests_total", Help: "Requests by page and status."}, []string{"page", "code"}),
		seconds: prom.NewHistogramVec(prom.HistogramOpts{
			Name: "console_http_request_duration_seconds", Help: "How long a request took, streams left out.", Buckets: []float64{.005, .01, .025, .05, .1, .3, 1, 3},
		}, []string{"page"}),
		readers: prom.NewGauge(prom.GaugeOpts{Name: "console_readers", Help: "Open pages that follow their dashboard's file."}),
		drawn:   prom.NewCounterVec(prom.CounterOpts{Name: "console_panels_total", Help: "Panels given to readers by where the picture came from: asked, shared, kept."}, []string{"from"}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.readers, m.drawn, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())
	return m
}

func (m *metrics) files(s *store) {
	m.registry.MustRegister(
		prom.NewGaugeFunc(prom.GaugeOpts{Name: "console_dashboards", Help: "Dashboards that are served."}, func() float64 { return float64(s.len()) }),
		prom.NewGaugeFunc(prom.GaugeOpts{Name: "console_dashboards_broken", Help: "Dashboards whose file cannot be read at present."}, func() float64 { return float64(s.broken()) }),
	)
}

func (m *metrics) observe(page string, code int, took time.Duration) {
	m.requests.WithLabelValues(page, strconv.Itoa(code)).Inc()
	if page != eventsPath {
		m.seconds.WithLabelValues(page).Observe(took.Seconds())
	}
}

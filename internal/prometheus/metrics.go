package prometheus

import (
	"errors"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	prom "github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	seconds prom.Histogram
	results *prom.CounterVec
	answers *prom.CounterVec
}

func newMetrics(r prom.Registerer) *metrics {
	m := &metrics{
		seconds: prom.NewHistogram(prom.HistogramOpts{
			Name: "console_prometheus_request_duration_seconds", Help: "How long Prometheus took to answer.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		results: prom.NewCounterVec(prom.CounterOpts{
			Name: "console_prometheus_requests_total", Help: "Requests to Prometheus by result: ok, refused, too_expensive, unreachable, error.",
		}, []string{"result"}),
		answers: prom.NewCounterVec(prom.CounterOpts{
			Name: "console_prometheus_answers_total", Help: "Answers given to readers by where they came from: asked, shared with a request that was under way, kept.",
		}, []string{"from"}),
	}
	for _, l := range []string{"ok", "refused", "too_expensive", "unreachable", "error"} {
		m.results.WithLabelValues(l)
	}
	for _, l := range []string{"asked", "shared", "kept"} {
		m.answers.WithLabelValues(l)
	}
	if r != nil {
		r.MustRegister(m.seconds, m.results, m.answers)
	}
	return m
}

func (m *metrics) observe(took time.Duration, err error) {
	m.seconds.Observe(took.Seconds())
	var cost *CostError
	var apiErr *v1.Error
	result := "error"
	switch {
	case err == nil:
		result = "ok"
	case errors.As(err, &cost):
		result = "too_expensive"
	case errors.As(err, &apiErr) && apiErr.Type != v1.ErrBadResponse && apiErr.Type != v1.ErrServer:
		result = "refused"
	case Unreachable(err):
		result = "unreachable"
	}
	m.results.WithLabelValues(result).Inc()
}

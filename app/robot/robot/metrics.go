package robot

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// The names of the metrics the robot defines itself.
const (
	metricCalls     = "robot_calls_total"
	metricRepeats   = "robot_repeated_messages_total"
	metricFaults    = "robot_faults_total"
	metricRedirects = "robot_redirects_followed_total"
	metricKept      = "robot_messages_kept"
	metricBlocked   = "robot_blocked"
	metricStreams   = "robot_event_streams"
)

type metrics struct {
	calls     *prometheus.CounterVec
	repeats   *prometheus.CounterVec
	faults    *prometheus.CounterVec
	redirects prometheus.Counter
	streams   prometheus.Gauge
}

func newMetrics(s *Server, reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricCalls,
			Help: "Calls of /robot/send by the robot's name and the errcode of the verdict; \"none\" where a fault kept the call from the robot.",
		}, []string{"robot", "errcode"}),
		repeats: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricRepeats,
			Help: "Calls whose msgUuid was known already: answered ok, not shown again.",
		}, []string{"robot"}),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricFaults,
			Help: "Calls that met a scripted fault, by its kind.",
		}, []string{"kind"}),
		redirects: prometheus.NewCounter(prometheus.CounterOpts{
			Name: metricRedirects,
			Help: "Times somebody followed the redirect of a scripted fault, which a careful sender never does.",
		}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: metricStreams,
			Help: "Pages that are open and being updated.",
		}),
	}
	cs := []prometheus.Collector{m.calls, m.repeats, m.faults, m.redirects, m.streams,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: metricKept, Help: "Messages in memory, accepted and refused.",
		}, func() float64 { return float64(s.kept()) }),
	}
	for _, r := range s.robots {
		cs = append(cs, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        metricBlocked,
			Help:        "1 while the robot is blocked because more than the allowed number of messages came within a minute.",
			ConstLabels: prometheus.Labels{"robot": r.Name},
		}, func() float64 {
			if r.blocked(s.cfg.Now()) {
				return 1
			}
			return 0
		}))
	}
	for _, c := range cs {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

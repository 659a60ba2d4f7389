package delivery

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lookout/app/relay/internal/channel"
	"lookout/app/relay/internal/channel/kinds"
	"lookout/app/relay/internal/pair"
	"lookout/app/relay/internal/spool"
)

// Metrics are all that the relay counts. The names are a contract: the dashboard "Alert delivery"
// and the rules in alerts/delivery.yaml use them.
type Metrics struct {
	Accepted    *prometheus.CounterVec
	Covered     *prometheus.CounterVec
	Duplicates  *prometheus.CounterVec
	Rejected    *prometheus.CounterVec
	Deliveries  *prometheus.CounterVec
	Retries     *prometheus.CounterVec
	Digests     *prometheus.CounterVec
	Digested    *prometheus.CounterVec
	Escalations *prometheus.CounterVec
	DeadLetters *prometheus.CounterVec
	Latency     *prometheus.HistogramVec
	AcceptTime  prometheus.Histogram
	CommitTime  prometheus.Histogram
	CommitSize  prometheus.Histogram
	TemplateErr prometheus.Counter
	Damaged     *prometheus.CounterVec
	Recoveries  prometheus.Counter
	ReloadOK    prometheus.Gauge
	ReloadTime  prometheus.Gauge
	Reloads     *prometheus.CounterVec
	Taps        *prometheus.CounterVec
	CardUpdates *prometheus.CounterVec
	Connected   *prometheus.GaugeVec
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		reg.MustRegister(c)
		return c
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
		reg.MustRegister(h)
		return h
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		reg.MustRegister(g)
		return g
	}
	fast := []float64{.0005, .001, .0025, .005, .01, .02, .05, .1, .25, 1}
	m := &Metrics{
		Accepted:    counter("relay_notifications_accepted_total", "Notifications that are on disk and were answered 202.", "target"),
		Duplicates:  counter("relay_notifications_duplicate_total", "Notifications recognised as a sender's repetition and not queued again.", "target"),
		Covered:     counter("relay_pair_covered_total", "Notifications and messages that were dropped here because the other relay of the pair delivered them.", "target"),
		Rejected:    counter("relay_notifications_rejected_total", "Calls that were not accepted, by reason.", "reason"),
		Deliveries:  counter("relay_deliveries_total", "Answers to attempts to deliver a message, by robot (or e-mail, or webhook), outcome and errcode.", "target", "channel", "outcome", "errcode"),
		Retries:     counter("relay_retries_total", "Attempts that were not a message's first on its channel.", "target", "channel"),
		Digests:     counter("relay_digests_total", "Messages that told several notifications at once.", "target"),
		Digested:    counter("relay_digested_alerts_total", "Alerts told in digests.", "target"),
		Escalations: counter("relay_escalations_total", "Messages that a channel did not deliver and the next one got.", "target", "channel", "reason"),
		DeadLetters: counter("relay_dead_letters_total", "Messages that no channel delivered.", "target", "reason"),
		Latency: histogram("relay_delivery_latency_seconds", "From a notification on disk to its message in the chat.",
			[]float64{.05, .1, .25, .5, 1, 2, 5, 10, 30, 60, 300, 900, 3600}, "target"),
		AcceptTime:  histogram("relay_accept_duration_seconds", "Time to take a notification, disk included.", fast).WithLabelValues().(prometheus.Histogram),
		CommitTime:  histogram("relay_store_commit_duration_seconds", "Time of a transaction of the spool, with its fsync.", fast).WithLabelValues().(prometheus.Histogram),
		CommitSize:  histogram("relay_store_commit_changes", "Changes that shared a transaction.", []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512}).WithLabelValues().(prometheus.Histogram),
		TemplateErr: counter("relay_template_errors_total", "Messages for which a template failed and the built-in one stepped in.").WithLabelValues(),
		Damaged:     counter("relay_store_damaged_records_total", "Records of the spool that could not be read and were put aside, by kind.", "kind"),
		Recoveries:  counter("relay_store_recoveries_total", "Starts at which the spool's file was damaged and read anew.").WithLabelValues(),
		ReloadOK:    gauge("relay_config_last_reload_successful", "1 if the last configuration that was read is in use, 0 if it was refused and the one before still is."),
		ReloadTime:  gauge("relay_config_last_reload_success_timestamp_seconds", "When the configuration in use was read."),
		Reloads:     counter("relay_config_reloads_total", "Configurations read, by outcome.", "outcome"),
	}
	m.Taps = counter("relay_taps_total", "Taps on cards that were carried out, refused, or recognised as repeated.", "channel", "outcome")
	m.CardUpdates = counter("relay_card_updates_total", "Answers to attempts to change a card, by outcome.", "channel", "outcome")
	m.Connected = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "relay_stream_connected", Help: "1 while taps on an app's cards arrive, 0 while its connection is down."}, []string{"channel"})
	reg.MustRegister(m.Connected)
	return m
}

// rejectReasons are the values of the label reason of Rejected.
var rejectReasons = []string{"bad_alert", "busy", "cut_off", "forbidden", "full", "malformed", "no_address", "no_target",
	"stopping", "store", "too_large", "unauthorised", "wrong_host", "wrong_method"}

// begin makes the series that alert rules watch start at 0: Prometheus sees no increase in a counter
// that appears with a 1, so the first refusal of a robot would go unnoticed.
func (m *Metrics) begin(target, label string, members []*member) {
	m.Accepted.WithLabelValues(target)
	m.Duplicates.WithLabelValues(target)
	m.Covered.WithLabelValues(target)
	m.Digests.WithLabelValues(target)
	m.Digested.WithLabelValues(target)
	m.Latency.WithLabelValues(target)
	for _, cause := range []string{"refused", "timeout"} {
		m.Escalations.WithLabelValues(target, label, cause)
		m.DeadLetters.WithLabelValues(target, cause)
	}
	for _, kind := range []string{"queue", "outbox", "dead", "members", "heartbeats", collectionSent, collectionTaken, collectionTaps, collectionCards} {
		m.Damaged.WithLabelValues(kind)
	}
	for _, reason := range rejectReasons {
		m.Rejected.WithLabelValues(reason)
	}
	for _, mem := range members {
		m.Retries.WithLabelValues(target, mem.id)
		m.Deliveries.WithLabelValues(target, mem.id, string(channel.Delivered), "0")
		for _, code := range refusals(mem.id) {
			m.Deliveries.WithLabelValues(target, mem.id, string(channel.Refused), code)
		}
	}
}

// refusals are the codes that a peer's refusals can have.
func refusals(id string) []string {
	name, _, _ := strings.Cut(id, ":")
	out := channel.SharedRefusals()
	if kind := kinds.Find(name); kind != nil {
		out = append(out, kind.Refusals...)
	}
	return out
}

// collector reads what lies in the spool when somebody asks.
type collector struct{ e *Engine }

var (
	descQueue   = prometheus.NewDesc("relay_queue_notifications", "Notifications waiting to become a message.", []string{"target"}, nil)
	descOutbox  = prometheus.NewDesc("relay_outbox_messages", "Messages made and not delivered yet.", []string{"target"}, nil)
	descOldest  = prometheus.NewDesc("relay_oldest_undelivered_age_seconds", "Age of the oldest notification not delivered yet, 0 if there is none.", []string{"target"}, nil)
	descDead    = prometheus.NewDesc("relay_dead_letters_waiting", "Dead letters that wait for somebody to re-send or drop them.", nil, nil)
	descSize    = prometheus.NewDesc("relay_store_size_bytes", "Size of the spool's file.", nil, nil)
	descFree    = prometheus.NewDesc("relay_store_free_bytes", "Free space of the spool's disk.", nil, nil)
	descReserve = prometheus.NewDesc("relay_store_reserve_bytes", "Free space below which notifications are answered 507.", nil, nil)
	descBlocked = prometheus.NewDesc("relay_channel_blocked", "1 while a robot or other channel is left alone: it got too many or keeps failing.", []string{"channel"}, nil)
	descUsed    = prometheus.NewDesc("relay_robot_window_used", "Calls that count against the robot's limit now.", []string{"channel"}, nil)
	descLimit   = prometheus.NewDesc("relay_robot_window_limit", "The robot's limit.", []string{"channel"}, nil)
	descSeen    = prometheus.NewDesc("relay_heartbeat_age_seconds", "Time since the heartbeat's last sign of life.", []string{"heartbeat"}, nil)
	descPart    = prometheus.NewDesc("relay_pair_mode", "1 for the part that the relay has in its pair: standby, leading, alone (PostgreSQL does not answer).", []string{"mode"}, nil)
	descPair    = prometheus.NewDesc("relay_pair_store_silence_seconds", "Time since the pair's PostgreSQL last answered.", nil, nil)
	descUntold  = prometheus.NewDesc("relay_pair_untold_messages", "Delivered messages that the other relay of the pair does not know of yet.", nil, nil)
	descMissing = prometheus.NewDesc("relay_heartbeat_missing", "1 while the heartbeat does not come and the alarm is raised.", []string{"heartbeat"}, nil)
)

// Describe is left empty on purpose: with it a registry would check a label set that changes with
// the configuration.
func (c collector) Describe(chan<- *prometheus.Desc) {}

func (c collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	e := c.e
	cfg := e.Config()
	s, err := e.Status()
	if err == nil {
		for _, t := range s.Targets {
			gauge(descQueue, float64(t.Queue), t.Name)
			gauge(descOutbox, float64(t.Outbox), t.Name)
			gauge(descOldest, t.Oldest.Seconds(), t.Name)
		}
		gauge(descDead, float64(s.Dead))
	}
	if size, free, err := e.store.Space(); err == nil {
		gauge(descSize, float64(size))
		gauge(descFree, float64(free))
		gauge(descReserve, float64(e.reserve))
	}
	now := e.store.Steady()
	for _, m := range e.memberList() {
		rest, used, limit := m.state(now)
		blocked := 0.0
		if rest > 0 {
			blocked = 1
		}
		gauge(descBlocked, blocked, m.id)
		if limit > 0 {
			gauge(descUsed, float64(used), m.id)
			gauge(descLimit, float64(limit), m.id)
		}
	}
	if p := e.pair; p != nil {
		for _, m := range pair.Modes {
			is := 0.0
			if m == p.Mode() {
				is = 1
			}
			gauge(descPart, is, m.String())
		}
		gauge(descPair, max(0, p.Silence()).Seconds())
		if err == nil {
			gauge(descUntold, float64(s.Pair.Untold))
		}
	}
	for name := range cfg.Heartbeats {
		b := e.beatState(name)
		gauge(descSeen, max(0, now-b.Seen).Seconds(), name)
		missing := 0.0
		if b.Missing {
			missing = 1
		}
		gauge(descMissing, missing, name)
	}
}

// PeerStatus is how a robot, mailbox or gateway stands.
type PeerStatus struct {
	ID string `json:"id"`
	// Used of Limit calls are taken in its longest window; Limit is 0 where there is none.
	Used  int `json:"used"`
	Limit int `json:"limit"`
	// Rest is how long it is left alone.
	Rest time.Duration `json:"rest_ns"`
	// Full is how long until its window has room again, 0 if it has.
	Full time.Duration `json:"full_ns,omitempty"`
	// Stream says whether taps on its cards arrive, "" where it has none.
	Stream string `json:"stream,omitempty"`
}

// Peers are all that are configured.
func (e *Engine) Peers() []PeerStatus {
	now := e.store.Steady()
	var out []PeerStatus
	for _, m := range e.memberList() {
		rest, used, limit := m.state(now)
		s := PeerStatus{ID: m.id, Used: used, Limit: limit, Rest: rest.Round(time.Second), Stream: m.stream()}
		if used >= limit && limit > 0 {
			s.Full = (m.available(now, true) + time.Second - 1).Truncate(time.Second)
		}
		out = append(out, s)
	}
	return out
}

// TargetStatus is how a target stands.
type TargetStatus struct {
	Name   string        `json:"name"`
	Queue  int64         `json:"queue"`
	Outbox int           `json:"outbox"`
	Oldest time.Duration `json:"oldest_ns"`
}

// Status is how the relay stands.
type Status struct {
	Targets []TargetStatus `json:"targets"`
	Dead    int            `json:"dead"`
	// Without are notifications and messages of targets that are not configured, until they are moved.
	Without map[string]int64 `json:"without,omitempty"`
	// Pair is the part in a pair; nil for a relay alone.
	Pair *PairStatus `json:"pair,omitempty"`
}

// PairStatus is how a relay stands in its pair.
type PairStatus struct {
	// Mode is standby, leading or alone; Since is for how long.
	Mode  string        `json:"mode"`
	Since time.Duration `json:"since_ns"`
	// Silence is how long the pair's PostgreSQL has not answered.
	Silence time.Duration `json:"silence_ns"`
	// Untold are delivered messages that the other relay does not know of yet.
	Untold int64 `json:"untold"`
}

// Status reads the state of all queues.
func (e *Engine) Status() (Status, error) {
	var s Status
	cfg := e.Config()
	now := e.store.Steady()
	err := e.store.View(func(tx *spool.Tx) error {
		index := map[string]int{}
		s = Status{}
		for _, name := range sortedKeys(cfg.Targets) {
			t := TargetStatus{Name: name}
			for _, urgent := range []bool{true, false} {
				t.Queue += tx.Depth(queueOf(name, urgent))
				tx.Queue(queueOf(name, urgent), func(r spool.Record) bool {
					t.Oldest = max(t.Oldest, now-r.Received)
					return false
				})
			}
			index[name] = len(s.Targets)
			s.Targets = append(s.Targets, t)
		}
		without := func(name string, n int64) {
			if n > 0 {
				if s.Without == nil {
					s.Without = map[string]int64{}
				}
				s.Without[name] += n
			}
		}
		for _, queue := range tx.Targets() {
			if _, ok := index[targetOf(queue)]; !ok {
				without(targetOf(queue), tx.Depth(queue))
			}
		}
		for _, outbox := range tx.Collections(collectionOutbox + "/") {
			target, _, _ := laneOf(outbox)
			i, ok := index[target]
			if !ok {
				without(target, tx.Count(outbox))
				continue
			}
			s.Targets[i].Outbox += int(tx.Count(outbox))
			if err := tx.Each(outbox, func(_ uint64, raw []byte) error {
				var m struct {
					Received time.Duration `json:"received"`
				}
				if json.Unmarshal(raw, &m) == nil {
					s.Targets[i].Oldest = max(s.Targets[i].Oldest, now-m.Received)
				}
				return spool.Stop
			}); err != nil {
				return err
			}
		}
		s.Dead = int(tx.Count(collectionDead))
		if p := e.pair; p != nil {
			s.Pair = &PairStatus{Mode: p.Mode().String(), Since: p.Since().Round(time.Second), Silence: max(0, p.Silence()).Round(time.Second), Untold: tx.Count(collectionTold)}
		}
		return nil
	})
	return s, err
}

// Waiting counts by target what lies in a spool that no relay has open.
func Waiting(store *spool.Store) (map[string]int64, error) {
	out := map[string]int64{}
	err := store.View(func(tx *spool.Tx) error {
		for _, queue := range tx.Targets() {
			out[targetOf(queue)] += tx.Depth(queue)
		}
		for _, outbox := range tx.Collections(collectionOutbox + "/") {
			target, _, _ := laneOf(outbox)
			out[target] += tx.Count(outbox)
		}
		return nil
	})
	return out, err
}

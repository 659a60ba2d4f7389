package drill

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/alertmanager"
	"lookout/internal/drill/series"
)

// conditions are what all drills of a run share: the environment's own durations.
type conditions struct {
	scrape time.Duration
	timing
}

// total is how long the drill of an alert takes by design: preparing, the way to the chat, and back.
func (f *conditions) total(p *Plan) time.Duration {
	if p.Heartbeat {
		return 0
	}
	prepare := time.Duration(max(len(p.Phases)-1, 0)) * f.scrape
	if p.Knob != "" {
		prepare = f.scrape
	}
	there := f.scrape + p.Interval + roundUp(p.For, p.Interval) + f.groupWait
	back := f.scrape + p.Empty + p.Interval + roundUp(p.KeepFiringFor, p.Interval) + f.groupInterval
	return prepare + there + back
}

// why names the longest of what a drill has to wait for.
func (f *conditions) why(p *Plan) string {
	longest, what := p.For, "for: "+p.For.String()
	for text, d := range map[string]time.Duration{"keep_firing_for: " + p.KeepFiringFor.String(): p.KeepFiringFor, "the range [" + p.Empty.String() + "] has to empty": p.Empty} {
		if d > longest {
			longest, what = d, text
		}
	}
	return what
}

// discovery is how long Prometheus needs to find its targets.
const discovery = 6 * time.Second

// check looks at every part of the chain before anything is changed, in the order of the way.
func (c *Chain) check(ctx context.Context, plans []*Plan) (*conditions, *Broken) {
	writes := slices.ContainsFunc(plans, func(p *Plan) bool { return p.Skip == "" && !p.Heartbeat && p.Knob == "" })
	if writes {
		if err := c.do(ctx, c.Console, http.MethodGet, series.MetricsPath, nil, nil); err != nil {
			return nil, c.seriesDown(err)
		}
	}
	found := &conditions{}
	if err := c.do(ctx, c.Prometheus, http.MethodGet, "/-/ready", nil, nil); err != nil {
		return nil, broken(PartPrometheus, "start it (docker start …-prometheus, or make apply), or give its address by --prometheus", "Prometheus at %s does not answer: %v", c.Prometheus.URL, err)
	}
	var t *target
	// A Prometheus that has just started finds its targets some seconds later.
	err := until(ctx, time.Now().Add(discovery), func() (bool, error) {
		var err error
		t, err = c.target(ctx, Job)
		return err == nil && (t != nil || !writes), err
	})
	if errors.Is(err, errLate) && t == nil && writes {
		err = nil
	}
	switch {
	case err != nil:
		return nil, broken(PartPrometheus, "look at its log", "Prometheus at %s does not say what it scrapes: %v", c.Prometheus.URL, err)
	case t == nil && writes:
		return nil, broken(PartScrape, "apply the environment (make apply)", "Prometheus has no scrape job %q, which scrapes the series that a drill writes", Job)
	case t != nil && t.Health == "down":
		return nil, broken(PartScrape, "start the console, and look at the page /targets", "the scrape of the job %q fails: %s", Job, t.LastError)
	case t != nil:
		found.scrape = t.interval()
	default:
		found.scrape = 15 * time.Second
	}
	if _, err := c.rules(ctx); err != nil {
		return nil, c.engineDown(err)
	}
	if found.timing, err = c.timing(ctx); err != nil {
		return nil, c.alertmanagerDown(err)
	}
	if c.Engine == EnginePrometheus {
		if b := c.sendsTo(ctx); b != nil {
			return nil, b
		}
	}
	if err := c.do(ctx, c.Relay, http.MethodGet, "/-/ready", nil, nil); err != nil {
		return nil, broken(PartRelay, "start it (docker start …-relay), or give its address by --relay", "the relay at %s is not ready: %v", c.Relay.URL, err)
	}
	if _, err := c.sent(ctx); err != nil {
		if s := status(err); s == http.StatusUnauthorized || s == http.StatusForbidden {
			return nil, broken(PartRelay, "name the file with its admin_token by --relay-token-file", "the relay at %s does not let the drill see what it sent: %v", c.Relay.URL, err)
		}
		return nil, broken(PartRelay, "look at its log", "the relay at %s does not say what it sent: %v", c.Relay.URL, err)
	}
	if c.Robot.URL != "" {
		if err := c.do(ctx, c.Robot, http.MethodGet, "/api/messages?since=9999999", nil, nil); err != nil {
			return nil, broken(PartRobot, "start it (docker start …-robot)", "the mock of the robot at %s does not answer: %v", c.Robot.URL, err)
		}
	}
	return found, nil
}

// sendsTo says that Prometheus knows no Alertmanager.
func (c *Chain) sendsTo(ctx context.Context) *Broken {
	var answer struct {
		Data struct{ ActiveAlertmanagers []struct{ URL string } }
	}
	err := until(ctx, time.Now().Add(discovery), func() (bool, error) {
		err := c.do(ctx, c.Prometheus, http.MethodGet, "/api/v1/alertmanagers", nil, &answer)
		return err == nil && len(answer.Data.ActiveAlertmanagers) > 0, err
	})
	if err != nil && !errors.Is(err, errLate) {
		return broken(PartPrometheus, "look at its log", "Prometheus does not say where it sends alerts: %v", err)
	}
	if len(answer.Data.ActiveAlertmanagers) == 0 {
		return broken(PartAlertmanager, "apply the environment: alerting.alertmanagers is missing in Prometheus' configuration", "Prometheus sends alerts to no Alertmanager")
	}
	return nil
}

func (c *Chain) engineDown(err error) *Broken {
	if c.Engine == EngineGrafana {
		if s := status(err); s == http.StatusUnauthorized || s == http.StatusForbidden {
			return broken(PartGrafana, "name the file with a service account's token by --grafana-token-file", "Grafana at %s does not let the drill see its rules: %v", c.Grafana.URL, err)
		}
		return broken(PartGrafana, "start it, or give its address by --grafana", "Grafana at %s does not answer: %v", c.Grafana.URL, err)
	}
	return broken(PartPrometheus, "start it (docker start …-prometheus, or make apply)", "Prometheus at %s does not answer: %v", c.Prometheus.URL, err)
}

func (c *Chain) alertmanagerDown(err error) *Broken {
	if c.Engine == EngineGrafana {
		return broken(PartGrafana, "start it, or give its address by --grafana", "the Alertmanager inside Grafana at %s does not answer: %v", c.Grafana.URL, err)
	}
	return broken(PartAlertmanager, "start it (docker start …-alertmanager), or give its address by --alertmanager", "Alertmanager at %s does not answer: %v", c.Alertmanager.URL, err)
}

func (c *Chain) seriesDown(err error) *Broken {
	switch s := status(err); {
	case s == http.StatusNotFound || s == http.StatusMethodNotAllowed:
		return broken(PartSeries, "start it with --drill-series (drill_series of modules/console)", "the console at %s takes no series of drills", c.Console.URL)
	case s != 0:
		return broken(PartSeries, "correct what it says", "the console at %s does not take the series: %v", c.Console.URL, err)
	}
	return broken(PartSeries, "start it (docker start …-console), or give its address by --console", "the console at %s, where a drill writes its series, does not answer: %v", c.Console.URL, err)
}

// notScraped says why what was set off is not in Prometheus.
func (c *Chain) notScraped(ctx context.Context, job string, seen *target, last error) error {
	if err := c.do(ctx, c.Prometheus, http.MethodGet, "/-/ready", nil, nil); err != nil {
		return broken(PartPrometheus, "start it (docker start …-prometheus)", "Prometheus at %s does not answer: %v", c.Prometheus.URL, err)
	}
	if job == Job {
		if err := c.do(ctx, c.Console, http.MethodGet, series.MetricsPath, nil, nil); err != nil {
			return c.seriesDown(err)
		}
	}
	switch {
	case seen == nil && last != nil && !errors.Is(last, errLate):
		return broken(PartPrometheus, "look at its log", "Prometheus does not say what it scrapes: %v", last)
	case seen == nil:
		return broken(PartScrape, "apply the environment (make apply)", "Prometheus has no scrape job %q", job)
	case seen.Health != "up":
		return broken(PartScrape, "look at the page /targets", "the scrape of %s fails: %s", job, cmp.Or(seen.LastError, "health "+seen.Health))
	}
	return broken(PartScrape, "look at the load of Prometheus", "%s was last scraped at %s, although it is due every %s", job, seen.LastScrape.Local().Format(time.TimeOnly), seen.ScrapeInterval)
}

// notPending says why a rule does not fire although the series is there.
func (c *Chain) notPending(ctx context.Context, r *run, last error) error {
	live, err := c.rule(ctx, r.p.Fires)
	switch {
	case err != nil:
		return c.engineDown(err)
	case live == nil:
		return broken(PartRule, "apply the environment (make apply)", "the engine has lost the alert rule %s meanwhile", r.p.Fires)
	case unhealthy(live):
		return broken(PartRule, "correct the expression; lookout rules check says what is wrong with it", "the rule %s cannot be evaluated: %s", live.Name, live.LastError)
	}
	if r.p.Knob == "" && c.Prometheus.URL != "" {
		ph := r.p.Phases[len(r.p.Phases)-1]
		stored, err := c.query(ctx, selectorOf(ph.Series[0].Labels))
		if err != nil {
			return broken(PartPrometheus, "look at its log", "Prometheus cannot be asked: %v", err)
		}
		if len(stored) == 0 {
			return broken(PartScrape, "look at metric_relabel_configs and sample_limit of the job "+Job, "the series %s was scraped and is not stored", selectorOf(ph.Series[0].Labels))
		}
	}
	if b := c.compare(ctx, r, live); b != nil {
		return b
	}
	if state, _ := live.state(r.p.Labels); state == "pending" {
		return broken(PartEvaluation, "compare for: of the rule with what is running", "%s is still pending after %s, and its rule has for: %s", r.p.Fires, time.Since(r.breach).Round(time.Second), r.p.For)
	}
	if age := time.Since(live.LastEvaluation); live.LastEvaluation.Year() > 1 && age > 3*r.p.Interval {
		return broken(PartEvaluation, "look at the load of the server and at its log", "%s was last evaluated %s ago, although it is due every %s", r.p.Fires, age.Round(time.Second), r.p.Interval)
	}
	return broken(PartEvaluation, "look at the log of the server", "the condition of %s holds, and it does not fire", r.p.Fires)
}

func selectorOf(l map[string]string) string {
	var parts []string
	for k, v := range l {
		if k != "__name__" {
			parts = append(parts, fmt.Sprintf("%s=%q", k, v))
		}
	}
	slices.Sort(parts)
	return l["__name__"] + "{" + strings.Join(parts, ",") + "}"
}

// compare says which value the rule's expression has and what it would have to be; nil if the condition holds, or that cannot be said.
func (c *Chain) compare(ctx context.Context, r *run, live *liveRule) *Broken {
	expr, operator, limit := r.p.Rule.Expr, "", 0.0
	if t := r.p.Rule.Threshold; t != nil {
		operator, limit = t.Operator(), t.Value
	}
	// What the server runs with counts, where it says so.
	if tree, err := seriesParser.ParseExpr(live.Query); err == nil && c.Engine == EnginePrometheus {
		if b, ok := tree.(*parser.BinaryExpr); ok && b.Op.IsComparisonOperator() {
			if n, ok := b.RHS.(*parser.NumberLiteral); ok {
				expr, operator, limit = b.LHS.String(), b.Op.String(), n.Val
			}
		}
	}
	if r.p.Fires != r.p.Alert {
		expr = live.Query
	}
	if operator == "" {
		return nil
	}
	all, err := c.query(ctx, expr)
	if err != nil {
		return broken(PartPrometheus, "look at its log", "the expression of %s cannot be asked for: %v", r.p.Fires, err)
	}
	i := slices.IndexFunc(all, func(s sample) bool {
		want := map[string]string{}
		for k, v := range r.p.Labels {
			// Those that the rule adds are not in its expression.
			if live.Labels[k] != v {
				want[k] = v
			}
		}
		return holds(s.labels, want)
	})
	if i < 0 {
		return broken(PartRule, "compare the expression of the rule with its unit test; a hint in the rule helps the drill (docs/drill.md)",
			"the expression of %s has no value for what the drill set off; the rule that is running is %s", r.p.Fires, live.Query)
	}
	value := all[i].value
	holdsNow := map[string]bool{">": value > limit, "<": value < limit, ">=": value >= limit, "<=": value <= limit, "==": value == limit, "!=": value != limit}[operator]
	if holdsNow || math.IsNaN(value) {
		return nil
	}
	remedy := "set the threshold to what can be reached, or give the drill a hint in the rule (docs/drill.md)"
	if t := r.p.Rule.Threshold; t != nil && t.Value != limit {
		remedy = fmt.Sprintf("apply the environment: its files say %s %s", t.Operator(), t.Literal())
	}
	return broken(PartThreshold, remedy, "%s is %.6g and fires at %s %.6g: the threshold is not reached", r.p.Fires, value, operator, limit)
}

// notNotified says why a firing alert is not in Alertmanager.
func (c *Chain) notNotified(ctx context.Context, r *run, last error) error {
	if _, err := c.am.Alerts(ctx); err != nil {
		return c.alertmanagerDown(err)
	}
	if c.Engine == EnginePrometheus {
		if b := c.sendsTo(ctx); b != nil {
			return b
		}
	}
	return broken(PartAlertmanager, "compare alerting.alertmanagers of Prometheus with the address of Alertmanager, and look at the log of Prometheus",
		"%s fires, and Alertmanager at %s does not have it", r.p.Fires, c.am.Address())
}

// counters are those of the senders and the relay that say why a notification did not arrive.
func (c *Chain) counters(ctx context.Context) (map[string]float64, error) {
	all, err := c.metrics(ctx, c.Relay, "relay_notifications_rejected_total")
	if err != nil {
		return nil, broken(PartRelay, "look at its log", "the metrics of the relay at %s cannot be read: %v", c.Relay.URL, err)
	}
	if c.Engine == EnginePrometheus {
		more, err := c.metrics(ctx, c.Alertmanager, "alertmanager_notifications_failed_total", "alertmanager_notification_requests_failed_total")
		if err != nil {
			return nil, c.alertmanagerDown(err)
		}
		for k, v := range more {
			all[k] = v
		}
	}
	return all, nil
}

// notSent says why the relay has not sent a message about an alert that Alertmanager has.
func (c *Chain) notSent(ctx context.Context, r *run, last error) error {
	a, err := c.alert(ctx, r.labels)
	if err != nil {
		return c.alertmanagerDown(err)
	}
	if a != nil {
		if b := c.suppressed(ctx, a); b != nil {
			return b
		}
	}
	if err := c.do(ctx, c.Relay, http.MethodGet, "/-/ready", nil, nil); err != nil {
		return broken(PartRelay, "start it (docker start …-relay)", "the relay at %s is not ready: %v", c.Relay.URL, err)
	}
	now, err := c.counters(ctx)
	if err != nil {
		return err
	}
	rejected := map[string]bool{}
	failed := false
	for name, v := range now {
		if v <= r.before[name] {
			continue
		}
		if rest, ok := strings.CutPrefix(name, `relay_notifications_rejected_total{reason="`); ok {
			reason, _, _ := strings.Cut(rest, `"`)
			rejected[reason] = true
		} else {
			failed = true
		}
	}
	var receivers []string
	if a != nil {
		for _, rc := range a.Receivers {
			receivers = append(receivers, rc.Name)
		}
	}
	to := strings.Join(receivers, ", ")
	switch {
	case rejected["unauthorised"]:
		return broken(PartToken, "give the sender the token of the relay's bearer_token_file (relay_token_file of notification)", "the relay rejects the notification of %s: the bearer token is missing or wrong", to)
	case rejected["no_target"] || rejected["no_address"] || rejected["wrong_method"]:
		return broken(PartReceiver, "let the receiver's address end in /v1/robots/<a target of relay.yaml>", "the relay does not know the address that the receiver %s sends to", to)
	case rejected["full"] || rejected["store"] || rejected["stopping"] || rejected["busy"]:
		return broken(PartRelay, "look at its log and at the space on its disk", "the relay cannot accept notifications: %s", strings.Join(sortedKeys(rejected), ", "))
	case len(rejected) > 0:
		return broken(PartReceiver, "look at the log of the relay", "the relay rejects the notification of %s: %s", to, strings.Join(sortedKeys(rejected), ", "))
	case c.waiting(ctx) > 0:
		return broken(PartRelay, "drill fewer alerts a minute (--starts), or wait until the robot's limit is no longer used up",
			"the relay has accepted the notification and holds it back: %d wait for a robot that is rate limited or does not answer", c.waiting(ctx))
	case failed:
		return broken(PartReceiver, "compare the receiver's address with that of the relay, and look at the log of Alertmanager", "the receiver %s sends to an address that does not accept the notification, and that is not the relay at %s", to, c.Relay.URL)
	}
	return broken(PartReceiver, "compare the receiver's address with that of the relay", "Alertmanager has notified %s, and the relay at %s has not sent anything about the alert", cmp.Or(to, "no one"), c.Relay.URL)
}

// waiting is how many messages the relay has not sent yet.
func (c *Chain) waiting(ctx context.Context) int64 {
	var status struct {
		Targets []struct{ Queue, Outbox int64 }
	}
	if c.do(ctx, c.Relay, http.MethodGet, "/api/status", nil, &status) != nil {
		return 0
	}
	n := int64(0)
	for _, t := range status.Targets {
		n += t.Queue + t.Outbox
	}
	return n
}

func sortedKeys(m map[string]bool) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// suppressed says what holds an alert back in Alertmanager; nil if nothing does.
func (c *Chain) suppressed(ctx context.Context, a *alertmanager.Alert) *Broken {
	switch {
	case len(a.Status.SilencedBy) > 0:
		s, err := c.am.Silence(ctx, a.Status.SilencedBy[0])
		if err != nil {
			s = alertmanager.Silence{ID: a.Status.SilencedBy[0]}
		}
		return silenced(s)
	case len(a.Status.InhibitedBy) > 0:
		by := a.Status.InhibitedBy[0]
		if all, err := c.am.Alerts(ctx); err == nil {
			for _, other := range all {
				if other.Fingerprint == by {
					by = other.Labels["alertname"] + " of " + cmp.Or(other.Labels["instance"], other.Labels["job"], "no instance")
				}
			}
		}
		return broken(PartInhibition, "look after that alert first", "another alert holds it back: %s", by)
	case len(a.Status.MutedBy) > 0:
		return broken(PartMute, "drill at another time, or change mute_intervals of the route", "its route is muted now by the time interval %s", strings.Join(a.Status.MutedBy, ", "))
	}
	return nil
}

// notEnded says why an alert goes on firing although what set it off was taken back.
func (c *Chain) notEnded(ctx context.Context, r *run, last error) error {
	live, err := c.rule(ctx, r.p.Fires)
	switch {
	case err != nil:
		return c.engineDown(err)
	case live == nil:
		return broken(PartRule, "apply the environment (make apply)", "the engine has lost the alert rule %s meanwhile", r.p.Fires)
	}
	detail := ""
	if all, err := c.query(ctx, live.Query); err == nil && c.Engine == EnginePrometheus {
		for _, s := range all {
			detail = fmt.Sprintf("; its expression still is %.6g", s.value)
		}
	}
	if r.p.Knob != "" {
		var values map[string]int64
		if err := c.do(ctx, c.Exporter, http.MethodGet, "/faults", nil, &values); err == nil && values[r.p.Knob] != 0 {
			return broken(PartRecovery, "turn it off (curl -X DELETE …/faults)", "%s does not end: the knob %s is %d, and not by this drill", r.p.Fires, r.p.Knob, values[r.p.Knob])
		}
	}
	return broken(PartRecovery, "look at what else raises the value: the console shows it at /alerts/"+r.p.Fires, "%s does not end %s after everything was taken back%s", r.p.Fires,
		time.Since(r.last).Round(time.Second), detail)
}

// heartbeatAge is how long ago the relay's last heartbeat came, and after how long one is missing; 0 and 0 if it has none. A missing one is an error.
func (c *Chain) heartbeatAge(ctx context.Context) (age, limit time.Duration, err error) {
	m, err := c.metrics(ctx, c.Relay, "relay_heartbeat_age_seconds", "relay_heartbeat_missing")
	if err != nil {
		return 0, 0, broken(PartRelay, "start it (docker start …-relay)", "the relay at %s does not answer: %v", c.Relay.URL, err)
	}
	for name, v := range m {
		switch {
		case strings.HasPrefix(name, "relay_heartbeat_missing") && v != 0:
			return 0, 0, broken(PartReceiver, "look at the receiver heartbeat of Alertmanager", "the relay misses the heartbeat %s", strings.TrimPrefix(name, "relay_heartbeat_missing"))
		case strings.HasPrefix(name, "relay_heartbeat_age_seconds"):
			age, limit = time.Duration(v*float64(time.Second)), time.Minute
		}
	}
	if limit > 0 && age > 5*time.Minute {
		return 0, 0, broken(PartReceiver, "look at the receiver heartbeat of Alertmanager", "the last heartbeat came %s ago", age.Round(time.Second))
	}
	return age, limit, nil
}

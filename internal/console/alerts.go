package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/alertmanager"
	"lookout/internal/render"
)

// States of an alert, as they are counted and coloured.
const (
	stateFiring    = "firing"
	statePending   = "pending"
	stateSilenced  = "silenced"
	stateInhibited = "inhibited"
	stateInactive  = "inactive"
)

// alertView is what is known of all alerts at one moment. It is shared between readers.
type alertView struct {
	Alerts []*alertRow
	Groups []*ruleGroup
	// Silences are those that are active or will be.
	Silences []alertmanager.Silence
	// RulesErr and AlertmanagerErr say what could not be asked.
	RulesErr, AlertmanagerErr error
	byPanel                   map[string]map[int64][]*ruleRow
}

type ruleGroup struct {
	Name, File string
	Interval   time.Duration
	Rules      []*ruleRow
}

type ruleRow struct {
	Name, State, Query string
	Severity           string
	For                time.Duration
	Health, LastError  string
	LastEvaluation     time.Time
	EvaluationTime     time.Duration
	Labels             []label
	Annotations        map[string]string
	Recording          bool
	Active             int
	// Threshold is what the query compares with, if it does.
	Threshold *threshold
	Group     *ruleGroup
}

type threshold struct {
	Op    string
	Value float64
}

type label struct{ Name, Value string }

// alertRow is one alert.
type alertRow struct {
	State, Name, Severity string
	Value, Threshold      string
	Since                 time.Time
	Labels                []label
	set                   map[string]string
	Annotations           map[string]string
	Rule                  *ruleRow
	SilencedBy            []alertmanager.Silence
	InhibitedBy           int
	// Unsent says that Alertmanager does not have the alert (yet).
	Unsent bool
}

// view asks the rules, the alerts and the silences, once for all readers.
func (s *Server) view(ctx context.Context) *alertView {
	limit, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	v, _, err := s.alerts.Do(limit, "alerts", time.Second, func(ctx context.Context) (*alertView, int, error) {
		limit, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		v := s.ask(limit)
		return v, 1<<10 + 2<<10*len(v.Alerts), nil
	})
	if err != nil {
		return &alertView{RulesErr: err}
	}
	return v
}

func (s *Server) ask(ctx context.Context) *alertView {
	v := &alertView{byPanel: map[string]map[int64][]*ruleRow{}}
	var rules v1.RulesResult
	var sent []alertmanager.Alert
	var wg sync.WaitGroup
	if s.rules != nil {
		wg.Go(func() { rules, v.RulesErr = s.rules.Rules(ctx) })
	}
	if s.am != nil {
		var err1, err2 error
		var silences []alertmanager.Silence
		wg.Go(func() { sent, err1 = s.am.Alerts(ctx) })
		wg.Go(func() { silences, err2 = s.am.Silences(ctx) })
		wg.Wait()
		v.AlertmanagerErr = cmp.Or(err1, err2)
		for _, x := range silences {
			if x.State() != "expired" {
				v.Silences = append(v.Silences, x)
			}
		}
	}
	wg.Wait()
	v.add(rules, sent)
	slices.SortStableFunc(v.Alerts, func(a, b *alertRow) int {
		return cmp.Or(cmp.Compare(stateRank(a.State), stateRank(b.State)), cmp.Compare(a.rank(), b.rank()), a.Since.Compare(b.Since), cmp.Compare(a.Name, b.Name))
	})
	return v
}

func (a *alertRow) rank() int {
	if a.heartbeat() {
		return 9
	}
	return severityRank(a.Severity)
}

func stateRank(s string) int {
	return slices.Index([]string{stateFiring, statePending, stateSilenced, stateInhibited}, s)
}

func severityRank(s string) int {
	switch strings.ToLower(s) {
	case "critical", "page", "error", "emergency":
		return 0
	case "warning", "warn":
		return 1
	case "none":
		return 3
	}
	return 2
}

// add joins what Prometheus evaluates with what Alertmanager holds.
func (v *alertView) add(rules v1.RulesResult, sent []alertmanager.Alert) {
	byName := map[string][]int{}
	for i, a := range sent {
		byName[a.Labels["alertname"]] = append(byName[a.Labels["alertname"]], i)
	}
	used := map[int]bool{}
	for _, g := range rules.Groups {
		group := &ruleGroup{Name: g.Name, File: path.Base(g.File), Interval: time.Duration(g.Interval * float64(time.Second))}
		v.Groups = append(v.Groups, group)
		for _, any := range g.Rules {
			switch r := any.(type) {
			case v1.RecordingRule:
				group.Rules = append(group.Rules, &ruleRow{Name: r.Name, Query: r.Query, Recording: true, Health: string(r.Health), LastError: r.LastError,
					LastEvaluation: r.LastEvaluation, EvaluationTime: seconds(r.EvaluationTime), Labels: labelsOf(r.Labels), Group: group})
			case v1.AlertingRule:
				row := &ruleRow{Name: r.Name, State: cmp.Or(r.State, stateInactive), Query: r.Query, For: seconds(r.Duration), Health: string(r.Health), LastError: r.LastError,
					LastEvaluation: r.LastEvaluation, EvaluationTime: seconds(r.EvaluationTime), Labels: labelsOf(r.Labels), Severity: string(r.Labels["severity"]),
					Annotations: texts(r.Annotations), Active: len(r.Alerts), Group: group, Threshold: thresholdOf(r.Query)}
				group.Rules = append(group.Rules, row)
				v.link(row)
				for _, a := range r.Alerts {
					one := &alertRow{State: string(a.State), Rule: row, Since: a.ActiveAt, Annotations: texts(a.Annotations), set: texts(a.Labels)}
					// Grafana's words.
					switch strings.ToLower(one.State) {
					case "alerting", "firing", "nodata", "error", "recovering":
						one.State = stateFiring
					case "pending":
						one.State = statePending
					case "normal", "inactive":
						continue
					}
					if f, err := strconv.ParseFloat(a.Value, 64); err == nil {
						one.Value = number(f)
					}
					if i := slices.IndexFunc(byName[one.set["alertname"]], func(i int) bool { return !used[i] && holds(sent[i].Labels, one.set) }); i >= 0 {
						i = byName[one.set["alertname"]][i]
						used[i] = true
						v.status(one, &sent[i])
					} else {
						one.Unsent = one.State == stateFiring
					}
					v.finish(one)
				}
			}
		}
	}
	for i := range sent {
		if used[i] {
			continue
		}
		a := &sent[i]
		one := &alertRow{State: stateFiring, Since: a.StartsAt, Annotations: a.Annotations, set: a.Labels}
		v.status(one, a)
		v.finish(one)
	}
}

// holds tells whether an alert at Alertmanager has all labels of one at Prometheus; external labels come on top.
func holds(has, wants map[string]string) bool {
	for k, w := range wants {
		if has[k] != w {
			return false
		}
	}
	return true
}

func (v *alertView) status(one *alertRow, a *alertmanager.Alert) {
	for _, id := range a.Status.SilencedBy {
		s := alertmanager.Silence{ID: id}
		if i := slices.IndexFunc(v.Silences, func(s alertmanager.Silence) bool { return s.ID == id }); i >= 0 {
			s = v.Silences[i]
		}
		one.SilencedBy = append(one.SilencedBy, s)
	}
	one.InhibitedBy = len(a.Status.InhibitedBy) + len(a.Status.MutedBy)
	switch {
	case len(one.SilencedBy) > 0:
		one.State = stateSilenced
	case one.InhibitedBy > 0:
		one.State = stateInhibited
	}
}

func (v *alertView) finish(one *alertRow) {
	one.Name, one.Severity = one.set["alertname"], one.set["severity"]
	one.Value = cmp.Or(one.Annotations["value"], one.Value)
	one.Threshold = one.Annotations["threshold"]
	if one.Threshold == "" && one.Rule != nil && one.Rule.Threshold != nil {
		one.Threshold = one.Rule.Threshold.Op + " " + number(one.Rule.Threshold.Value)
	}
	for k, val := range one.set {
		if k != "alertname" {
			one.Labels = append(one.Labels, label{k, val})
		}
	}
	slices.SortFunc(one.Labels, func(a, b label) int { return cmp.Compare(a.Name, b.Name) })
	v.Alerts = append(v.Alerts, one)
}

// link remembers which panel shows what a rule is about.
func (v *alertView) link(row *ruleRow) {
	uid, panel := panelOf(row.Annotations)
	if uid == "" {
		return
	}
	id, err := strconv.ParseInt(panelKey(panel), 10, 64)
	if err != nil {
		return
	}
	if v.byPanel[uid] == nil {
		v.byPanel[uid] = map[int64][]*ruleRow{}
	}
	v.byPanel[uid][id] = append(v.byPanel[uid][id], row)
}

// panelOf reads a dashboard's uid and a panel's id out of an alert's annotations.
func panelOf(a map[string]string) (uid, panel string) {
	if uid, panel = a["__dashboardUid__"], a["__panelId__"]; uid != "" {
		return uid, panel
	}
	for _, name := range []string{"panel_url", "dashboard_url"} {
		u, err := url.Parse(a[name])
		if err != nil {
			continue
		}
		_, rest, ok := strings.Cut(u.Path, "/d/")
		if !ok {
			continue
		}
		uid, _, _ = strings.Cut(rest, "/")
		// A rule's own annotations are templates, which put in what follows.
		panel, _, _ = strings.Cut(u.Query().Get("viewPanel"), "{{")
		return uid, panel
	}
	return "", ""
}

func seconds(f float64) time.Duration { return time.Duration(f * float64(time.Second)) }

func texts(s model.LabelSet) map[string]string {
	out := make(map[string]string, len(s))
	for k, v := range s {
		out[string(k)] = string(v)
	}
	return out
}

func labelsOf(s model.LabelSet) []label {
	var out []label
	for k, v := range s {
		out = append(out, label{string(k), string(v)})
	}
	slices.SortFunc(out, func(a, b label) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', 6, 64) }

var exprParser = parser.NewParser(parser.Options{EnableExperimentalFunctions: true})

// thresholdOf finds the number that a rule's query compares with at its top: `… > 8`.
func thresholdOf(query string) *threshold {
	e, err := exprParser.ParseExpr(query)
	if err != nil {
		return nil
	}
	_, t := comparedIn(e)
	return t
}

// line is the threshold as a chart shows it; nil for what is not a bound.
func (t *threshold) line() *render.Line {
	if t == nil || t.Op == "==" || t.Op == "!=" {
		return nil
	}
	return &render.Line{Value: t.Value, Below: t.Op == "<" || t.Op == "<="}
}

func numberOf(e parser.Expr) (float64, bool) {
	switch e := e.(type) {
	case *parser.NumberLiteral:
		return e.Val, true
	case *parser.ParenExpr:
		return numberOf(e.Expr)
	case *parser.UnaryExpr:
		n, ok := numberOf(e.Expr)
		if e.Op == parser.SUB {
			n = -n
		}
		return n, ok
	}
	return 0, false
}

// lines are the thresholds of alerts by the panel that shows them.
func (s *Server) lines(ctx context.Context, uid string) map[int64][]render.Line {
	if s.rules == nil || ctx.Err() != nil {
		return nil
	}
	out := map[int64][]render.Line{}
	for id, rules := range s.view(ctx).byPanel[uid] {
		for _, r := range rules {
			if l := r.Threshold.line(); l != nil {
				out[id] = append(out[id], *l)
			}
		}
	}
	return out
}

// panelAlert is an alert rule on the panel that shows what it is about.
type panelAlert struct {
	Name, State, Severity string
	Rule                  *ruleRow
	Alerts                []alertLine
	Runbook               string
	Threshold             string
}

// panelAlerts are the rules of a dashboard's panels with their alerts.
func (s *Server) panelAlerts(r *request, uid string) map[int64][]panelAlert {
	if s.rules == nil {
		return nil
	}
	out := map[int64][]panelAlert{}
	for id, rules := range s.view(r.wait).byPanel[uid] {
		for _, rule := range rules {
			out[id] = append(out[id], s.panelAlert(r, rule))
		}
	}
	return out
}

// panelAlert is a rule with its alerts.
func (s *Server) panelAlert(r *request, rule *ruleRow) panelAlert {
	one := panelAlert{Name: rule.Name, State: stateInactive, Severity: rule.Severity, Rule: rule, Runbook: runbookLink(r, rule.Annotations)}
	if rule.Threshold != nil {
		one.Threshold = rule.Threshold.Op + " " + number(rule.Threshold.Value)
	}
	for _, a := range s.view(r.wait).Alerts {
		if a.Rule == rule {
			if one.State == stateInactive || stateRank(a.State) < stateRank(one.State) {
				one.State = a.State
			}
			one.Alerts = append(one.Alerts, r.lineOf(a))
		}
	}
	return one
}

// heartbeat tells an alert that always fires to prove that the way of alerts works; it is shown and not counted.
func (a *alertRow) heartbeat() bool { return a.Severity == "none" || a.Name == "Watchdog" }

// alertLine is an alert as a reader sees it.
type alertLine struct {
	*alertRow
	Runbook, Panel, Silence, History string
	Summary, Description             string
}

func (r *request) lineOf(a *alertRow) alertLine {
	out := alertLine{alertRow: a, Runbook: runbookLink(r, a.Annotations), Panel: panelLink(r, a), History: r.link("/alerts/" + escape(a.Name))}
	out.Summary, out.Description = a.Annotations["summary"], a.Annotations["description"]
	q := url.Values{}
	for _, k := range slices.Sorted(mapKeys(a.set)) {
		equal := true
		q.Add("matcher", alertmanager.Matcher{Name: k, Value: a.set[k], IsEqual: &equal}.String())
	}
	out.Silence = r.s.base + "/silences/new?" + q.Encode()
	return out
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// runbookLink is where an alert's runbook can be read: here, if it is one of ours.
func runbookLink(r *request, a map[string]string) string {
	address := cmp.Or(a["runbook_url"], a["runbook"])
	if address == "" {
		return ""
	}
	if name, ok := r.s.ownRunbook(address); ok {
		return r.link("/runbooks/" + name)
	}
	return safeURL(r, address)
}

// panelLink is the panel of an alert at the time when it began, here if the dashboard is.
func panelLink(r *request, a *alertRow) string {
	address := cmp.Or(a.Annotations["panel_url"], a.Annotations["dashboard_url"])
	uid, panel := panelOf(a.Annotations)
	if uid == "" || !r.s.store.has(uid) {
		return safeURL(r, address)
	}
	q := url.Values{}
	if u, err := url.Parse(address); err == nil {
		for name, vals := range u.Query() {
			if strings.HasPrefix(name, "var-") {
				q[name] = vals
			}
		}
	}
	if panel != "" {
		q.Set("viewPanel", panelKey(panel))
	}
	from, to := a.Since.Add(-time.Hour), "now"
	if r.now.Sub(a.Since) > 24*time.Hour {
		to = strconv.FormatInt(a.Since.Add(6*time.Hour).UnixMilli(), 10)
	}
	q.Set("from", strconv.FormatInt(from.UnixMilli(), 10))
	q.Set("to", to)
	return r.s.base + "/d/" + escape(uid) + "?" + q.Encode()
}

// alertSummary counts the alerts by state.
type alertSummary struct {
	Firing, Pending, Silenced, Inhibited int
	First                                []alertLine
	Err                                  string
}

func (s *Server) summary(r *request) *alertSummary {
	if s.rules == nil && s.am == nil {
		return nil
	}
	v := s.view(r.wait)
	out := &alertSummary{}
	if err := cmp.Or(v.RulesErr, v.AlertmanagerErr); err != nil {
		out.Err = reason(err)
	}
	for _, a := range v.Alerts {
		if a.heartbeat() {
			continue
		}
		switch a.State {
		case stateFiring:
			out.Firing++
			if len(out.First) < 6 {
				out.First = append(out.First, r.lineOf(a))
			}
		case statePending:
			out.Pending++
		case stateSilenced:
			out.Silenced++
		case stateInhibited:
			out.Inhibited++
		}
	}
	return out
}

// firingNow counts for the navigation; it does not wait for a server that is slow.
func (s *Server) firingNow() int {
	if s.rules == nil && s.am == nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), 150*time.Millisecond)
	defer cancel()
	n := 0
	for _, a := range s.view(ctx).Alerts {
		if a.State == stateFiring && !a.heartbeat() {
			n++
		}
	}
	return n
}

// alertsPageView is the page of all alerts and rules.
type alertsPageView struct {
	Query  string
	States []stateView
	Total  int
	Groups []*ruleGroup
	Rules  int
	None   bool // there is nothing to ask
	Errors []string
	State  string
}

type stateView struct {
	State  string
	Alerts []alertLine
}

func (s *Server) alertsPage(r *request) error {
	q := r.URL.Query()
	view := &alertsPageView{Query: strings.TrimSpace(q.Get("q")), State: q.Get("state"), None: s.rules == nil && s.am == nil}
	v := s.view(r.wait)
	view.Errors = s.alertErrors(r, v)
	words := strings.Fields(strings.ToLower(view.Query))
	match := func(text string) bool {
		text = strings.ToLower(text)
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
	}
	for _, state := range []string{stateFiring, statePending, stateSilenced, stateInhibited} {
		one := stateView{State: state}
		for _, a := range v.Alerts {
			text := a.Name + " " + a.Annotations["summary"]
			for _, l := range a.Labels {
				text += " " + l.Name + "=" + l.Value
			}
			if a.State == state && match(text) {
				one.Alerts = append(one.Alerts, r.lineOf(a))
			}
		}
		view.Total += len(one.Alerts)
		view.States = append(view.States, one)
	}
	for _, g := range v.Groups {
		kept := *g
		kept.Rules = slices.DeleteFunc(slices.Clone(g.Rules), func(row *ruleRow) bool { return !match(g.Name + " " + row.Name + " " + row.Query) })
		if len(kept.Rules) > 0 {
			view.Groups = append(view.Groups, &kept)
			view.Rules += len(kept.Rules)
		}
	}
	return r.render(http.StatusOK, "alerts", r.t("Alerts"), view)
}

func (s *Server) alertErrors(r *request, v *alertView) []string {
	var out []string
	if v.RulesErr != nil {
		out = append(out, r.t("The rules cannot be asked: %v", s.noAnswer(r, s.rules.Address(), v.RulesErr)))
	}
	if v.AlertmanagerErr != nil {
		out = append(out, r.t("Alertmanager cannot be asked, so what is silenced is not known: %v", s.noAnswer(r, s.am.Address(), v.AlertmanagerErr)))
	}
	return out
}

// noAnswer says why a server gave none.
func (s *Server) noAnswer(r *request, address string, err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return r.t("%s has not answered for %s.", address, "2 s")
	}
	return reason(err)
}

// historyView is the page of one alert name.
type historyView struct {
	Name      string
	Rules     []*ruleRow
	Alerts    []alertLine
	Rows      []historyRow
	Ticks     []historyTick
	Ranges    []optionView
	Err       string
	Runbook   *runbookView
	Start     time.Time
	End       time.Time
	Panel     string
	More      int
	Firing    time.Duration
	Occasions int
	// Style places the texts of the time axis.
	Style template.CSS
	// Drawn says that the rules' expressions can be drawn: a Prometheus evaluates them.
	Drawn bool
}

type historyRow struct {
	Labels   []label
	Segments []historySegment
	Firing   time.Duration
	Times    int
}

// historySegment is a stretch of time in thousandths of the range.
type historySegment struct {
	X, W       float64
	State      string
	Start, End time.Time
}

type historyTick struct {
	X    float64
	Text string
}

var historyRanges = []struct {
	text string
	span time.Duration
}{{"1h", time.Hour}, {"6h", 6 * time.Hour}, {"24h", 24 * time.Hour}, {"7d", 7 * 24 * time.Hour}, {"30d", 30 * 24 * time.Hour}}

// alertPage shows one alert: its rules, what it is about now, and when it was pending and firing.
func (s *Server) alertPage(r *request) error {
	name := r.PathValue("name")
	view := &historyView{Name: name, Drawn: s.prom != nil && s.rules == s.prom}
	v := s.view(r.wait)
	if errs := s.alertErrors(r, v); len(errs) > 0 {
		view.Err = errs[0]
	}
	for _, g := range v.Groups {
		for _, row := range g.Rules {
			if row.Name == name && !row.Recording {
				view.Rules = append(view.Rules, row)
				if book := runbookLink(r, row.Annotations); book != "" && view.Runbook == nil {
					view.Runbook = s.runbookOf(r, book)
				}
			}
		}
	}
	for _, a := range v.Alerts {
		if a.Name == name {
			view.Alerts = append(view.Alerts, r.lineOf(a))
		}
	}
	span := 24 * time.Hour
	for _, h := range historyRanges {
		if h.text == r.URL.Query().Get("range") {
			span = h.span
		}
	}
	for _, h := range historyRanges {
		view.Ranges = append(view.Ranges, optionView{h.text, r.link("/alerts/"+escape(name), "range", h.text), h.span == span})
	}
	step := max(span/720, 5*time.Second)
	view.End = r.now.Truncate(tick(span)).In(r.Loc)
	view.Start = view.End.Add(-span)
	s.history(r, view, step)
	if len(view.Rules) == 0 && len(view.Alerts) == 0 && len(view.Rows) == 0 && v.RulesErr == nil && view.Err == "" {
		return problem(http.StatusNotFound, r.t("There is no alert “%s”, and there was none in this time.", name))
	}
	return r.render(http.StatusOK, "alert", name, view)
}

const maxHistoryRows = 60

func (s *Server) history(r *request, view *historyView, step time.Duration) {
	view.Ticks = historyTicks(view.Start, view.End)
	var css strings.Builder
	for i, t := range view.Ticks {
		fmt.Fprintf(&css, "#tick-%d{left:%.2f%%}", i, t.X/10)
	}
	r.newNonce()
	//lint:ignore G203 numbers only
	view.Style = template.CSS(css.String())
	if s.prom == nil {
		return
	}
	limit, cancel := context.WithTimeout(r.wait, askTimeout)
	defer cancel()
	value, _, _, err := s.prom.QueryRange(limit, fmt.Sprintf("ALERTS{alertname=%q}", view.Name), v1.Range{Start: view.Start.Truncate(step), End: view.End, Step: step})
	if err != nil {
		view.Err = s.silent(r, err)
		return
	}
	matrix, _ := value.(model.Matrix)
	rows := map[string]*historyRow{}
	var order []string
	for _, series := range matrix {
		set := series.Metric.Clone()
		state := string(set["alertstate"])
		delete(set, "alertstate")
		delete(set, model.MetricNameLabel)
		delete(set, "alertname")
		key := set.String()
		row := rows[key]
		if row == nil {
			row = &historyRow{Labels: labelsOf(model.LabelSet(set))}
			rows[key] = row
			order = append(order, key)
		}
		row.segments(series.Values, state, view, step)
	}
	slices.Sort(order)
	for _, key := range order {
		row := rows[key]
		slices.SortFunc(row.Segments, func(a, b historySegment) int { return cmp.Compare(a.X, b.X) })
		view.Firing += row.Firing
		view.Occasions += row.Times
		view.Rows = append(view.Rows, *row)
	}
	slices.SortStableFunc(view.Rows, func(a, b historyRow) int { return cmp.Compare(b.Firing, a.Firing) })
	if len(view.Rows) > maxHistoryRows {
		view.More = len(view.Rows) - maxHistoryRows
		view.Rows = view.Rows[:maxHistoryRows]
	}
}

// segments joins samples that follow each other.
func (row *historyRow) segments(values []model.SamplePair, state string, view *historyView, step time.Duration) {
	span := float64(view.End.Sub(view.Start))
	for i := 0; i < len(values); {
		j := i
		for j+1 < len(values) && values[j+1].Timestamp.Sub(values[j].Timestamp) <= step {
			j++
		}
		start, end := values[i].Timestamp.Time(), values[j].Timestamp.Time().Add(step)
		if end.After(view.End) {
			end = view.End
		}
		if start.Before(view.Start) {
			start = view.Start
		}
		x := float64(start.Sub(view.Start)) / span * 1000
		row.Segments = append(row.Segments, historySegment{X: x, W: max(float64(end.Sub(start))/span*1000, 2), State: state, Start: start, End: end})
		if state == stateFiring {
			row.Firing += end.Sub(start)
			row.Times++
		}
		i = j + 1
	}
}

func historyTicks(start, end time.Time) []historyTick {
	span := end.Sub(start)
	step, format := 24*time.Hour, "01-02"
	for _, s := range []time.Duration{10 * time.Minute, time.Hour, 4 * time.Hour, 24 * time.Hour, 5 * 24 * time.Hour} {
		if span/s <= 8 {
			step = s
			break
		}
	}
	if step < 24*time.Hour {
		format = "15:04"
	}
	_, offset := start.Zone()
	shift := time.Duration(offset) * time.Second
	var out []historyTick
	for t := start.Add(shift).Truncate(step).Add(step - shift); t.Before(end); t = t.Add(step) {
		out = append(out, historyTick{float64(t.Sub(start)) / float64(span) * 1000, t.Format(format)})
	}
	return out
}

// Millis is how long the last evaluation took, in milliseconds.
func (r *ruleRow) Millis() float64 { return float64(r.EvaluationTime) / float64(time.Millisecond) }

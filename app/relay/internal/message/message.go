// Package message turns notifications into messages: one notification with everything about it, or
// a digest of many, within DingTalk's size limit and with the keyword in place.
package message

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"lookout/app/relay/internal/channel"
	"lookout/app/relay/internal/notification"
)

//go:embed templates/default.tmpl
var builtin embed.FS

// maxRendered bounds what a template may produce, whatever it loops over.
const maxRendered = 1 << 20

// Templates are the texts of messages in a time zone. Make them with Load; they are read-only.
type Templates struct {
	zone     *time.Location
	set      *template.Template
	fallback *template.Template
}

// Load reads the built-in templates and, over them, every *.tmpl file of folder ("" for none). Every
// template is tried with sample alerts, so that a mistake shows here and not with the first alert.
func Load(folder string, zone *time.Location) (*Templates, error) {
	base, err := template.New("").Funcs(functions(zone)).Option("missingkey=zero").ParseFS(builtin, "templates/*.tmpl")
	if err != nil {
		return nil, fmt.Errorf("built-in templates: %w", err)
	}
	t := &Templates{zone: zone, set: base, fallback: base}
	if folder == "" {
		return t, nil
	}
	if _, err := os.Stat(folder); err != nil {
		return nil, fmt.Errorf("templates folder: %w", err)
	}
	files, err := fs.Glob(os.DirFS(folder), "*.tmpl")
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("templates folder %s holds no *.tmpl file", folder)
	}
	if t.set, err = base.Clone(); err != nil {
		return nil, err
	}
	for _, f := range files {
		if t.set, err = t.set.ParseFiles(filepath.Join(folder, f)); err != nil {
			return nil, fmt.Errorf("template %s: %w", f, err)
		}
	}
	if name := recursive(t.set); name != "" {
		return nil, fmt.Errorf("template %q includes itself: a message would have no end", name)
	}
	if err := t.try(); err != nil {
		return nil, err
	}
	return t, t.leavesOut(time.Now())
}

// Unused lists the templates of the folder that neither replace a built-in one, nor are included by another, nor are
// among used.
func (t *Templates) Unused(used map[string]bool) []string {
	including := map[string]bool{}
	for _, tmpl := range t.set.Templates() {
		if tmpl.Tree != nil && tmpl.Root != nil {
			for _, name := range included(tmpl.Root, nil) {
				including[name] = true
			}
		}
	}
	var out []string
	for _, tmpl := range t.set.Templates() {
		name := tmpl.Name()
		if name == "" || strings.HasSuffix(name, ".tmpl") || t.fallback.Lookup(name) != nil || including[name] || used[name] {
			continue
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// leavesOut names a template whose message would not say which alert it is about.
func (t *Templates) leavesOut(now time.Time) error {
	n := Samples(now)["firing"]
	c := Context{Keyword: "报警", Target: "sample", Now: now}
	a := n.Alerts[0]
	says := func(s string) bool {
		return strings.Contains(s, a.Name()) || strings.Contains(s, a.Labels["instance"]) || strings.Contains(s, a.Annotations["summary"])
	}
	line := t.entryView(Entry{State: a.Status, Alert: a}, c, Kind{})
	for name, v := range map[string]any{"text": t.newDetail(n, c), "plain": t.newDetail(n, c), "digest.line": line} {
		s, err := execute(t.set, name, v)
		if err == nil && !says(s) {
			return fmt.Errorf("template %q leaves the alerts out: it shows neither .Name nor .Where nor the summary", name)
		}
	}
	return nil
}

// recursive names a template that includes itself, over however many others. text/template stops such
// a one only after 100,000 levels, and takes minutes to get out of them.
func recursive(set *template.Template) string {
	calls := map[string][]string{}
	for _, t := range set.Templates() {
		if t.Tree != nil && t.Root != nil {
			calls[t.Name()] = included(t.Root, nil)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		seen := map[string]bool{}
		for todo := calls[name]; len(todo) > 0; {
			next := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if next == name {
				return name
			}
			if !seen[next] {
				seen[next] = true
				todo = append(slices.Clone(todo), calls[next]...)
			}
		}
	}
	return ""
}

// included adds the names of the templates that a part of a template includes.
func included(n parse.Node, names []string) []string {
	branch := func(b parse.BranchNode) {
		names = included(b.List, names)
		names = included(b.ElseList, names)
	}
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, m := range n.Nodes {
				names = included(m, names)
			}
		}
	case *parse.IfNode:
		branch(n.BranchNode)
	case *parse.RangeNode:
		branch(n.BranchNode)
	case *parse.WithNode:
		branch(n.BranchNode)
	case *parse.TemplateNode:
		names = append(names, n.Name)
	}
	return names
}

// try renders everything once.
func (t *Templates) try() error {
	now := time.Now()
	for _, name := range slices.Sorted(maps.Keys(Samples(now))) {
		n := Samples(now)[name]
		c := Context{Keyword: "报警", Target: "sample", Now: now}
		v := t.newDetail(n, c)
		for _, tmpl := range []string{"title", "text", "plain"} {
			if _, err := execute(t.set, tmpl, v); err != nil {
				return err
			}
		}
		if _, err := execute(t.set, "webhook", gatewayView{detail: v}); err != nil {
			return err
		}
		d := Merge([]Item{{Notification: n, Received: now}})
		head := d.view(c)
		for _, tmpl := range []string{"digest.title", "digest.head"} {
			if _, err := execute(t.set, tmpl, head); err != nil {
				return err
			}
		}
		for _, e := range d.Entries {
			if _, err := execute(t.set, "digest.line", t.entryView(e, c, Kind{})); err != nil {
				return err
			}
		}
		for _, tmpl := range []string{"digest.group", "digest.more"} {
			if _, err := execute(t.set, tmpl, Group{Name: "x", Count: 1}); err != nil {
				return err
			}
		}
	}
	return nil
}

type boundedBuffer struct{ bytes.Buffer }

var errTooLong = errors.New("the template produces more than 1 MiB")

func (b *boundedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxRendered {
		return 0, errTooLong
	}
	return b.Buffer.Write(p)
}

func execute(set *template.Template, name string, v any) (string, error) {
	var b boundedBuffer
	if err := set.ExecuteTemplate(&b, name, v); err != nil {
		return "", err
	}
	return strings.TrimSpace(strings.ToValidUTF8(b.String(), "�")), nil
}

// render prefers the user's template; if it fails on this alert the built-in one tells it, because
// a mistake in a template must not cost an alert. The error says what to mend.
func (t *Templates) render(name string, v any) (string, error) {
	s, err := execute(t.set, name, v)
	if err == nil {
		return s, nil
	}
	fallback, err2 := execute(t.fallback, name, v)
	return fallback, errors.Join(fmt.Errorf("template %q: %w", name, err), err2)
}

// Context is what a message depends on besides the alerts.
type Context struct {
	// Keyword is what stands in front, normally 报警.
	Keyword string
	// Keywords must each appear in title and text, one per robot that may carry the message.
	Keywords []string
	Target   string
	// Form is how the channel shows a message, and how much of it; without one there is no limit.
	Form channel.Form
	// Escalated says why an earlier channel did not deliver the message; "" on the first one.
	Escalated string
	Now       time.Time
	Mentions  []channel.Mention
	// Answer is a link by which people say that they take care of it, "" for none.
	Answer string
	// TakenBy says who takes care of an alert, "" for nobody; nil if that is not known.
	TakenBy func(notification.Alert) string
}

func (c Context) takenBy(a notification.Alert) string {
	if c.TakenBy == nil || a.Status != notification.Firing {
		return ""
	}
	return c.TakenBy(a)
}

// shown is markdown as people see it where the form is plain text.
func (c Context) shown(text string) string {
	if !c.Form.Plain {
		return text
	}
	return channel.EachLine(text, func(line string) string { return channel.ParseLine(line).Plain() })
}

// fits tells whether a channel takes the content in one message.
func (c Context) fits(m channel.Content) bool { return c.over(m) <= 0 }

// over is by how much the content is too long.
func (c Context) over(m channel.Content) int {
	if c.Form.Limit == 0 {
		return 0
	}
	return c.Form.Size(m) - c.Form.Limit
}

// Detail renders one notification with everything about it. fits is false when it is too long for
// one message, and then a digest is the way. err is a template's mistake; the content is usable
// even so.
func (t *Templates) Detail(n notification.Notification, c Context) (content channel.Content, fits bool, err error) {
	v := t.newDetail(n, c)
	title, err1 := t.render("title", v)
	name := "text"
	if c.Form.Plain {
		name = "plain"
	}
	text, err2 := t.render(name, v)
	content = channel.Content{Type: c.Form.Type, Title: title, Text: text, Level: level(v.Status, v.Severity), Link: v.Link}
	t.complete(&content, c, n.Alerts)
	return content, c.fits(content), errors.Join(err1, err2)
}

// level is how bad a message is, for the colour of a card.
func level(status, severity string) string {
	if status != notification.Firing {
		return status
	}
	switch notification.Rank(severity) {
	case 0:
		return "critical"
	case 1:
		return "error"
	case 2:
		return "warning"
	}
	return "info"
}

// Own tells the relay's own alerts, such as a missing heartbeat, from those that a sender knows of and can silence.
func Own(a notification.Alert) bool {
	return a.Labels["lookout_about"] == "delivery" && a.Fingerprint == "" && a.GeneratorURL == ""
}

// Drill tells an alert that only a drill sets off (alerts/drill.yaml): it is marked, and calls no one.
func Drill(a notification.Alert) bool { return a.Labels["lookout_drill"] != "" }

// complete makes sure of the title, the keywords and the mentions.
func (t *Templates) complete(m *channel.Content, c Context, alerts []notification.Alert) {
	m.Title = Clip(300, Safe(m.Title))
	m.Title = cmp.Or(m.Title, cmp.Or(c.Keyword, "alert"))
	m.Text = cmp.Or(m.Text, m.Title)
	if len(alerts) > 0 && !slices.ContainsFunc(alerts, func(a notification.Alert) bool { return !Drill(a) }) {
		// Whatever templates say: no one may take it for real.
		m.Title = "【演练 Drill】" + m.Title
		m.Text = "【演练 Drill】这是演练，无需处理 This is a drill: nothing has to be done\n\n" + m.Text
	}
	for _, k := range c.Keywords {
		if !strings.Contains(m.Title, k) {
			m.Title = k + " " + m.Title
		}
		if !strings.Contains(m.Text, k) {
			m.Text = k + "\n\n" + m.Text
		}
	}
	m.Text += c.answerLine(alerts)
	for _, who := range c.Mentions {
		if c.Form.Who == nil {
			break
		}
		// People are called when something breaks, not when it is over.
		if !slices.ContainsFunc(alerts, func(a notification.Alert) bool {
			return a.Status == notification.Firing && !Drill(a) && notification.Matches(a.Labels, who.Match) && c.takenBy(a) == ""
		}) {
			continue
		}
		who = c.Form.Who(who)
		m.All = m.All || who.All
		for _, x := range who.Mobiles {
			if !slices.Contains(m.Mobiles, x) {
				m.Mobiles = append(m.Mobiles, x)
			}
		}
		for _, x := range who.UserIDs {
			if !slices.Contains(m.UserIDs, x) {
				m.UserIDs = append(m.UserIDs, x)
			}
		}
	}
}

// answerLine is what a text ends with that people can answer, "" for one they can't.
func (c Context) answerLine(alerts []notification.Alert) string {
	if !slices.ContainsFunc(alerts, func(a notification.Alert) bool { return a.Status == notification.Firing && !Own(a) }) {
		return ""
	}
	const words = "🙋 认领 Take · 静默 Silence"
	// A channel that shows no links gets the address.
	if c.Form.Plain && c.Answer != "" {
		return "\n" + words + ": " + c.Answer
	}
	if l := link(words, c.Answer); l != "" {
		return "\n\n" + l
	}
	return ""
}

// Note is a message of a few lines that is about no alert itself. Its first line is the title.
func (t *Templates) Note(lines []string, c Context) channel.Content {
	m := channel.Content{Type: c.Form.Type, Title: Clip(200, lines[0]), Level: "info"}
	for i, l := range lines {
		l = Clip(400, Safe(l))
		switch {
		case c.Form.Plain:
		case i == 0:
			l = "**" + markdown(l) + "**\n"
		default:
			l = "- " + markdown(l)
		}
		m.Text += l + "\n"
	}
	m.Text = strings.TrimSpace(m.Text)
	t.complete(&m, c, nil)
	return m
}

// Gateway renders the body for a generic webhook by the named template.
func (t *Templates) Gateway(name string, m channel.Content, n notification.Notification, c Context, id string) (string, error) {
	v := gatewayView{detail: t.newDetail(n, c), Title: m.Title, Text: m.Text, ID: id}
	for _, a := range n.Alerts {
		v.Names = append(v.Names, strings.TrimSpace(a.Name()+" "+where(a)))
	}
	return t.render(name, v)
}

// Has tells whether a template of that name exists.
func (t *Templates) Has(name string) bool { return t.set.Lookup(name) != nil }

type gatewayView struct {
	detail
	Title, Text, ID string
	Names           []string
}

// detail is what the templates title, text and plain see.
type detail struct {
	Status, Severity, Name, Where string
	Keyword, Target, Escalated    string
	Firing, Resolved, Truncated   int
	Doubtful                      int
	// Error is set where a query failed for all alerts, and for one cause.
	Error                     string
	Link                      string
	Alerts                    []alertView
	GroupLabels, CommonLabels map[string]string
	CommonAnnotations         map[string]string
	ExternalURL               string
}

// alertView is what the template alert sees: an alert and what is derived from it.
type alertView struct {
	notification.Alert
	Name, Severity, Where, OtherLabels string
	Value, Threshold                   string
	For                                time.Duration
	Links                              string
	NoData, QueryError                 bool
	// Doubt says why an alert that is reported as resolved may not have recovered, "" for one that has.
	Doubt string
	// Cause is why a query failed.
	Cause string
	// Runbook is the path of a runbook that is not a link.
	Runbook string
	// Taken is who takes care of it.
	Taken string
	// Began and Ended are times, with a date where it is not today's.
	Began, Ended string
	// Index of Of alerts, from 0.
	Index, Of int
}

func (t *Templates) newDetail(n notification.Notification, c Context) detail {
	d := detail{
		Status: n.Status, Severity: n.Severity(), Keyword: c.Keyword, Target: c.Target, Escalated: withoutAddresses(c.Escalated),
		Firing: n.Count(notification.Firing), Resolved: n.Count(notification.Resolved), Truncated: n.TruncatedAlerts,
		GroupLabels: n.GroupLabels, CommonLabels: n.CommonLabels, CommonAnnotations: n.CommonAnnotations, ExternalURL: n.ExternalURL,
	}
	alerts := slices.Clone(n.Alerts)
	slices.SortStableFunc(alerts, func(a, b notification.Alert) int {
		return cmp.Or(cmp.Compare(a.Status, b.Status), cmp.Compare(notification.Rank(a.Severity()), notification.Rank(b.Severity())))
	})
	names := map[string]bool{}
	for i, a := range alerts {
		v := t.viewOf(a, c)
		if v.Doubt != "" {
			d.Doubtful++
			d.Resolved--
		}
		v.Index, v.Of = i, len(alerts)
		d.Alerts = append(d.Alerts, v)
		names[v.Name] = true
		if d.Link == "" {
			d.Link = firstURL(panelAt(a, c.Now), a.GeneratorURL, n.ExternalURL)
		}
	}
	if len(alerts) > 0 {
		d.Name = d.Alerts[0].Name
		if len(alerts) == 1 {
			d.Where = d.Alerts[0].Where
		}
	}
	if d.Firing == 0 && d.Doubtful > 0 {
		d.Status = Doubtful
	}
	if len(d.Alerts) > 1 && !slices.ContainsFunc(d.Alerts, func(v alertView) bool {
		return !v.QueryError || v.Status != notification.Firing || v.Cause != d.Alerts[0].Cause
	}) {
		d.Error = cmp.Or(d.Alerts[0].Cause, "?")
	}
	if len(names) > 1 {
		d.Name = fmt.Sprintf("%s +%d", d.Name, len(names)-1)
	}
	return d
}

func (t *Templates) viewOf(a notification.Alert, c Context) alertView {
	v := alertView{
		Alert: a, Name: a.Name(), Severity: a.Severity(), Where: where(a), OtherLabels: others(a),
		Value: value(a), Threshold: cmp.Or(a.Annotations["threshold"], a.Labels["threshold"]),
		NoData: a.Labels["alertname"] == "DatasourceNoData", QueryError: a.Labels["alertname"] == "DatasourceError",
		Doubt: doubt(a), Taken: c.takenBy(a), Began: t.moment(a.StartsAt, c.Now), Ended: t.moment(a.EndsAt, c.Now),
	}
	if v.QueryError {
		v.Cause = withoutAddresses(cmp.Or(a.Annotations["Error"], a.Annotations["error"]))
	}
	if v.NoData || v.QueryError {
		v.Value = ""
	}
	if !a.StartsAt.IsZero() {
		end := c.Now
		if a.Status == notification.Resolved && !a.EndsAt.IsZero() {
			end = a.EndsAt
		}
		v.For = max(0, end.Sub(a.StartsAt))
	}
	runbook := cmp.Or(a.Annotations["runbook_url"], a.Annotations["runbook"])
	if link("x", runbook) == "" {
		v.Runbook = runbook
	}
	silence := a.SilenceURL
	if a.Status == notification.Resolved && v.Doubt == "" {
		// What is over needs no silence.
		silence = ""
	}
	v.Links = links(panelAt(a, c.Now), a.GeneratorURL, silence, runbook)
	return v
}

// links are those that can be opened, on one line.
func links(panel, rule, silence, runbook string) string {
	var out []string
	for _, l := range [][2]string{{"📈 面板 Panel", panel}, {"📐 规则 Rule", rule}, {"🔕 静默 Silence", silence}, {"📖 手册 Runbook", runbook}} {
		if s := link(l[0], l[1]); s != "" {
			out = append(out, s)
		}
	}
	return strings.Join(out, " · ")
}

// moment is a time of the day, with the date where that is not today.
func (t *Templates) moment(at, now time.Time) string {
	switch at, now := at.In(t.zone), now.In(t.zone); {
	case at.IsZero():
		return ""
	case at.Format(time.DateOnly) == now.Format(time.DateOnly):
		return at.Format(time.TimeOnly)
	case at.Year() == now.Year():
		return at.Format("01-02 15:04:05")
	default:
		return at.Format("2006-01-02 15:04:05")
	}
}

// Doubtful is the state of an alert that is reported as resolved although nothing says that it has recovered.
const Doubtful = "doubtful"

// reasons of Grafana's for which an alert is over without having recovered
// (https://grafana.com/docs/grafana/latest/alerting/fundamentals/alert-rule-evaluation/stale-alert-instances/).
var reasons = map[string]string{
	"MissingSeries": "数据序列已消失 its series is gone",
	"NoData":        "没有数据 there is no data",
	"Error":         "查询失败 the query fails",
	"Paused":        "规则已暂停 its rule was paused",
	"RuleDeleted":   "规则已删除 its rule was deleted",
	"Updated":       "规则已修改 its rule was changed",
}

// doubt says why an alert that is reported as resolved may not have recovered.
func doubt(a notification.Alert) string {
	if a.Status != notification.Resolved || a.Labels["alertname"] == "DatasourceNoData" || a.Labels["alertname"] == "DatasourceError" {
		return ""
	}
	if reason := a.Annotations["grafana_state_reason"]; reason != "" {
		return cmp.Or(reasons[reason], reason)
	}
	// Only Grafana sends what is measured now; Prometheus' value is that of the last breach.
	if v, ok := measured(a); ok && breaches(v, cmp.Or(a.Annotations["threshold"], a.Labels["threshold"])) {
		return "数值仍越过阈值 the value is still beyond its threshold"
	}
	return ""
}

// withoutAddresses keeps of addresses the host alone: chats make links of them, to hosts that only containers know, and
// their parameters may be signed.
func withoutAddresses(s string) string {
	return addresses.ReplaceAllStringFunc(s, func(address string) string {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" {
			return "…"
		}
		return u.Host
	})
}

var addresses = regexp.MustCompile(`https?://[^\s"'<>]+`)

// breaches compares with a threshold that is written as "> 8"; with a unit it can't be compared.
func breaches(v float64, threshold string) bool {
	operator, number, _ := strings.Cut(strings.TrimSpace(threshold), " ")
	limit, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return false
	}
	switch operator {
	case ">":
		return v > limit
	case "<":
		return v < limit
	}
	return false
}

// panelURL is the picture of what the alert is about: the rule's own annotations (Lookout's rules carry
// them where they are evaluated by Prometheus), else what Grafana sends with the alert.
func panelURL(a notification.Alert) string {
	return firstURL(a.Annotations["panel_url"], a.PanelURL, a.Annotations["dashboard_url"], a.DashboardURL)
}

// panelAt is panelURL at the alert's job, instance and time. Grafana and Lookout's console read the same
// parameters.
func panelAt(a notification.Alert, now time.Time) string {
	address := panelURL(a)
	u, err := url.Parse(address)
	if address == "" || err != nil {
		return address
	}
	var more []string
	add := func(name, v string) {
		if v != "" && !u.Query().Has(name) {
			more = append(more, name+"="+url.QueryEscape(v))
		}
	}
	add("var-job", a.Labels["job"])
	add("var-instance", a.Labels["instance"])
	if !a.StartsAt.IsZero() {
		add("from", strconv.FormatInt(a.StartsAt.Add(-time.Hour).UnixMilli(), 10))
		to := now
		if a.Status == notification.Resolved && !a.EndsAt.IsZero() {
			to = a.EndsAt.Add(15 * time.Minute)
		}
		add("to", strconv.FormatInt(to.UnixMilli(), 10))
	}
	if len(more) > 0 && u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += strings.Join(more, "&")
	return u.String()
}

// plumbing lists labels that say nothing to a person.
var plumbing = map[string]bool{
	"alertname": true, "rulename": true, "severity": true, "grafana_folder": true, "datasource_uid": true,
	"ref_id": true, "lookout_about": true, "lookout_drill": true, "lookout_env": true, "threshold": true,
	"prometheus": true, "prometheus_replica": true, "replica": true,
}

// where is what an alert is about: the instance if it says so, else all that tells it from others.
func where(a notification.Alert) string {
	if i := a.Labels["instance"]; i != "" {
		return i
	}
	return others(a)
}

func others(a notification.Alert) string {
	var s []string
	for _, k := range slices.Sorted(maps.Keys(a.Labels)) {
		if !plumbing[k] && !strings.HasPrefix(k, "__") && k != "instance" {
			s = append(s, k+"="+a.Labels[k])
		}
	}
	return strings.Join(s, " ")
}

// value is what was measured: as the rule's author wrote it, else the number that Grafana sends. What is not
// a number is not a value.
func value(a notification.Alert) string {
	if v := strings.TrimSpace(a.Annotations["value"]); v != "" && !strings.HasPrefix(v, "NaN") && !strings.Contains(v, "<no value>") {
		return v
	}
	if v, ok := measured(a); ok {
		return Number(v)
	}
	return ""
}

// valueOf finds the entries of Grafana's valueString: [ var='B' labels={…} value=12.25 ], [ metric='…' … ].
var valueOf = regexp.MustCompile(`(?:var|metric)='([^']*)'[^\]]*?value=([^ \]]+)`)

// measured is the number that the rule compares with its threshold: B of Lookout's rules; of others the last query or
// expression by name before the one that says whether it breaches, which is 0 or 1.
func measured(a notification.Alert) (float64, bool) {
	values := a.Values
	if len(values) == 0 {
		values = map[string]float64{}
		for _, m := range valueOf.FindAllStringSubmatch(a.ValueString, -1) {
			if v, err := strconv.ParseFloat(m[2], 64); err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
				values[m[1]] = v
			}
		}
	}
	if v, ok := values["B"]; ok {
		return v, true
	}
	names := slices.Sorted(maps.Keys(values))
	if n := len(names); n > 1 {
		if v := values[names[n-1]]; v == 0 || v == 1 {
			names = names[:n-1]
		}
	}
	if len(names) == 0 {
		return 0, false
	}
	return values[names[len(names)-1]], true
}

func firstURL(candidates ...string) string {
	for _, c := range candidates {
		if link("x", c) != "" {
			return strings.TrimSpace(c)
		}
	}
	return ""
}

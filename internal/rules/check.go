package rules

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/promql"
)

// Units are how values are written in messages, by name: the template function and what follows the number. modules/alerts has the same.
var Units = map[string]struct{ Function, After string }{
	"bytes":   {"humanize1024", "B"},
	"percent": {"humanizePercentage", ""},
	"seconds": {"humanizeDuration", ""},
	"short":   {"humanize", ""},
}

// What a rule may not set, since it is set by what evaluates or routes it.
var (
	reservedLabels      = []string{"__name__", "alertname", "grafana_folder", "lookout_env"}
	reservedAnnotations = []string{"value", "threshold", "dashboard_url", "panel_url", "runbook", "__dashboardUid__", "__panelId__"}
)

var (
	// Prometheus takes any text as an alert's name; a name without spaces can be a key of Terraform's `overrides`. 190 is Grafana's limit.
	alertName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]{0,189}$`)
	groupName = regexp.MustCompile(`^[^/]{1,190}$`)
	labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	uid       = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,40}$`)
	// Other notations are read differently by different programs: 010 is 8 to some and 10 to others.
	decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
)

// year is the limit of durations: Grafana writes 365d back as 1y, which its provider can't read.
const year = 365 * 24 * 3600 * 1000

func (f *File) check() {
	if f.Form == Own && len(f.Groups) == 0 {
		f.Problems.add(Problem{Position: newSource(f.Path, nil).at(1, 1), Kind: KindFile, Message: "has no groups"})
	}
	seen := map[string]*Group{}
	for _, g := range f.Groups {
		say := func(field, format string, args ...any) {
			f.Problems.add(Problem{Position: g.Position(field), Kind: KindRule, Message: fmt.Sprintf(format, args...)})
		}
		if first := seen[g.Name]; first != nil && first.src == g.src && g.Name != "" {
			say("name", "the group %q is already in this file, on line %d", g.Name, first.Position("").Line)
		}
		seen[g.Name] = g
		if g.Form == Own {
			f.ownGroup(g, say)
			for _, r := range g.Rules {
				f.ownRule(r)
			}
			continue
		}
		f.plainGroup(g, say)
		for _, r := range g.Rules {
			f.plainRule(r)
		}
	}
}

// plainGroup says what Prometheus would refuse.
func (f *File) plainGroup(g *Group, say func(field, format string, args ...any)) {
	if g.Name == "" {
		say("name", "a group has no name")
	}
	for _, field := range []string{"interval", "query_offset"} {
		f.duration(g.src, g.node, "", field)
	}
	if n := g.node.get("limit"); n != nil && n.kind != nullKind {
		if _, err := strconv.Atoi(n.string()); err != nil {
			say("limit", "limit is %s; write a whole number", n.words())
		}
	}
	f.names(g.Labels, g.src, "", "label")
}

// duration says whether Prometheus can read a field.
func (f *File) duration(src *source, n *node, rule, field string) {
	v := n.get(field)
	if v == nil || v.kind == nullKind || v.kind == scalarKind && v.text == "" {
		return
	}
	if _, err := model.ParseDuration(v.string()); v.kind != scalarKind || err != nil {
		f.Problems.add(Problem{Position: src.of(v), Kind: KindRule, Rule: rule, Message: fmt.Sprintf("%s is %s, which is not a duration such as 5m", field, v.words())})
	}
}

func (f *File) names(pairs []Pair, src *source, rule, what string) {
	for _, p := range pairs {
		switch {
		case p.Name == "" || !utf8.ValidString(p.Name), what == "label" && p.Name == model.MetricNameLabel:
			f.Problems.add(Problem{Position: src.of(p.key), Kind: KindRule, Rule: rule, Message: fmt.Sprintf("%q is not a valid %s name", p.Name, what)})
		case !utf8.ValidString(p.Value):
			f.Problems.add(Problem{Position: src.of(p.node), Kind: KindRule, Rule: rule, Message: fmt.Sprintf("the value of %s %s is not UTF-8", what, p.Name)})
		}
	}
}

// plainRule says what Prometheus would refuse, but for the expression: see [Rule.CheckQuery].
func (f *File) plainRule(r *Rule) {
	say := func(field, format string, args ...any) {
		f.Problems.add(Problem{Position: r.Place(field), Kind: KindRule, Rule: r.Name(), Message: fmt.Sprintf(format, args...)})
	}
	for _, field := range []string{"alert", "record", "expr"} {
		if v := r.node.get(field); v != nil && (v.kind == mappingKind || v.kind == sequenceKind) {
			hint := ""
			if field == "expr" && v.kind == mappingKind {
				hint = ": quote an expression that begins with {"
			}
			say(field, "%s is %s; write text%s", field, v.words(), hint)
		}
	}
	switch {
	case r.Alert != "" && r.Record != "":
		say("record", "alert and record are both set; a rule is one of them")
	case r.Alert == "" && r.Record == "":
		say("", "neither alert nor record is set")
	}
	if r.Expr == "" && (r.expr != nil || r.node.get("expr") == nil || r.node.get("expr").kind == nullKind) {
		say("expr", "expr is %s", map[bool]string{true: "missing", false: "empty"}[r.node.get("expr") == nil])
	}
	for _, field := range []string{"for", "keep_firing_for"} {
		f.duration(r.src, r.node, r.Name(), field)
	}
	if r.Record != "" {
		for field, set := range map[string]bool{"annotations": len(r.Annotations) > 0, "for": set(r.For), "keep_firing_for": set(r.KeepFiringFor)} {
			if set {
				say(field, "%s has no meaning in a recording rule", field)
			}
		}
		switch {
		case !utf8.ValidString(r.Record):
			say("record", "the recorded name is not UTF-8")
		case strings.ContainsAny(r.Record, "{}"):
			say("record", "the recorded name %q has braces; labels go to labels, an expression to expr", r.Record)
		}
	}
	f.names(r.Labels, r.src, r.Name(), "label")
	f.names(r.Annotations, r.src, r.Name(), "annotation")
	if r.Alert != "" {
		f.templates(r)
	}
}

func set(duration string) bool {
	ms, err := ParseDuration(duration)
	return err == nil && ms != 0
}

// texts are the fields of a rule of Lookout's own form that hold text and have to be there.
var texts = []string{"alert", "uid", "expr", "no_data_state", "exec_err_state"}

func (f *File) ownGroup(g *Group, say func(field, format string, args ...any)) {
	if n := g.node.get("name"); !groupName.MatchString(g.Name) || n.tag != "!!str" {
		say("name", "a group needs a name of 1 to 190 characters without /, here it is %s", n.words())
	}
	if len(g.Rules) == 0 {
		say("rules", "group %q has no rules", g.Name)
	}
	// The limit is Grafana's scheduler, which ticks every ten seconds.
	n := g.node.get("interval")
	if ms, ok := wholeSeconds(n); !ok || ms <= 0 || ms%10_000 != 0 {
		word := n.words()
		if n == nil {
			word = "missing"
		}
		say("interval", "the interval of group %q is %s; write 10s or a multiple of that, less than a year", g.Name, word)
	}
}

// wholeSeconds reads a duration as both engines do: whole seconds, less than a year.
func wholeSeconds(n *node) (ms int64, ok bool) {
	if !n.is(scalarKind) || n.tag != "!!str" {
		return 0, false
	}
	ms, err := ParseDuration(n.text)
	return ms, err == nil && ms < year && !strings.Contains(n.text, "ms") && !strings.Contains(n.text, "y")
}

func (f *File) ownRule(r *Rule) {
	say := func(field, format string, args ...any) {
		f.Problems.add(Problem{Position: r.Place(field), Kind: KindRule, Rule: r.Name(), Message: fmt.Sprintf(format, args...)})
	}
	have := map[string]bool{}
	for _, field := range texts {
		switch v := r.node.get(field); {
		case v == nil:
			say(field, "%s is missing", field)
		case v.kind == nullKind || v.kind == scalarKind && v.tag == "!!str" && v.text == "":
			say(field, "%s is empty", field)
		case v.tag != "!!str":
			say(field, "%s is %s, which is not text; quote it", field, v.words())
		default:
			have[field] = true
		}
	}
	if have["alert"] && !alertName.MatchString(r.Alert) {
		say("alert", "alert is %q; write a name of letters, digits and _, up to 190, such as GoThreadsHigh", r.Alert)
	}
	if have["uid"] && !uid.MatchString(r.UID) {
		say("uid", "uid is %q; write 1 to 40 letters, digits, '-' and '_'", r.UID)
	}
	for _, field := range []string{"for", "keep_firing_for", "window"} {
		if v := r.node.get(field); v != nil {
			if _, ok := wholeSeconds(v); !ok {
				say(field, "%s is %s; write a duration in whole seconds of less than a year, such as 5m", field, v.words())
			}
		}
	}
	if r.Window != "" && r.Expr != "" && !strings.Contains(r.Expr, "["+r.Window+"]") {
		say("window", "window is %s, but expr has no [%s]", r.Window, r.Window)
	}
	f.threshold(r, say)
	oneOf := func(field string, known ...string) {
		if v := r.node.get(field); v.is(scalarKind) && v.text != "" && !slices.Contains(known, v.text) {
			say(field, "%s is %s; write %s", field, v.words(), strings.Join(known, ", "))
		}
	}
	oneOf("no_data_state", "NoData", "OK", "Alerting", "KeepLast")
	oneOf("exec_err_state", "Error", "OK", "Alerting", "KeepLast")
	oneOf("unit", "bytes", "percent", "seconds", "short")
	if v := r.node.get("unit"); v != nil && (!v.is(scalarKind) || v.text == "") {
		say("unit", "unit is %s; write bytes, percent, seconds or short, or leave it out", v.words())
	}
	if s := r.node.get("labels").get("severity"); (s == nil || s.is(scalarKind)) && !slices.Contains([]string{"critical", "warning", "info"}, s.string()) {
		word := "missing"
		if s != nil {
			word = s.words()
		}
		say("labels", "label severity is %s; write critical, warning or info", word)
	}
	for _, p := range r.Labels {
		at := func(format string, args ...any) {
			f.Problems.add(Problem{Position: r.src.of(p.key), Kind: KindRule, Rule: r.Name(), Message: fmt.Sprintf(format, args...)})
		}
		switch {
		case slices.Contains(reservedLabels, p.Name):
			at("label %s can't be set by a rule", p.Name)
		case !labelName.MatchString(p.Name):
			at("%q is not a valid label name; use letters, digits and _", p.Name)
		case p.Value == "":
			at("label %s is empty; write a text or leave it out", p.Name)
		}
	}
	for _, p := range r.Annotations {
		at := func(format string, args ...any) {
			f.Problems.add(Problem{Position: r.src.of(p.key), Kind: KindRule, Rule: r.Name(), Message: fmt.Sprintf(format, args...)})
		}
		switch {
		case slices.Contains(reservedAnnotations, p.Name):
			at("annotation %s can't be set by a rule: Lookout writes it", p.Name)
		case !labelName.MatchString(p.Name):
			at("%q is not a valid annotation name; use letters, digits and _", p.Name)
		case p.Value == "":
			at("annotation %s is empty", p.Name)
		}
	}
	for _, name := range []string{"summary", "description", "runbook_url"} {
		if r.node.get("annotations").get(name) == nil {
			say("annotations", "annotation %s is missing", name)
		}
	}
	f.panel(r, say)
	f.templates(r)
}

func (f *File) threshold(r *Rule, say func(field, format string, args ...any)) {
	t := r.node.get("threshold")
	for i := range entries(t) {
		f.unknown(r.src, t.entries[i].key, Own, "threshold", []string{"above", "below"})
	}
	above, below := t.get("above"), t.get("below")
	if (above == nil) == (below == nil) {
		say("threshold", "threshold has to be one of {above: 8} and {below: 1}")
		return
	}
	side, v := "above", above
	if v == nil {
		side, v = "below", below
	}
	value, err := strconv.ParseFloat(v.string(), 64)
	switch {
	case v.is(scalarKind) && (v.tag == "!!int" || v.tag == "!!float") && decimal.MatchString(v.text):
		if err != nil || math.Abs(value) >= 1e308 {
			say("threshold", "threshold %s is %s, which is not a finite number", side, v.words())
			return
		}
	case v.is(scalarKind) && (v.tag == "!!int" || v.tag == "!!float") && !strings.Contains(strings.ToLower(v.text), "n"):
		say("threshold", "threshold %s is read differently by different programs; write it as a decimal number", v.text)
		return
	default:
		say("threshold", "threshold %s is %s, which is not a finite number", side, v.words())
		return
	}
	r.Threshold = &Threshold{Below: below != nil, Value: value, text: v.text}
}

func entries(n *node) []entry {
	if n.is(mappingKind) {
		return n.entries
	}
	return nil
}

func (f *File) panel(r *Rule, say func(field, format string, args ...any)) {
	p := r.node.get("panel")
	if p == nil {
		return
	}
	for i := range entries(p) {
		f.unknown(r.src, p.entries[i].key, Own, "panel", []string{"dashboard", "id"})
	}
	dashboard, number := p.get("dashboard"), p.get("id")
	id, err := strconv.Atoi(number.string())
	if !dashboard.is(scalarKind) || dashboard.tag != "!!str" || dashboard.text == "" || number == nil || number.tag != "!!int" || err != nil || id < 1 {
		say("panel", "panel needs dashboard, the uid of a dashboard, and id, a whole number above 0")
		return
	}
	r.Panel = &Panel{Dashboard: dashboard.text, ID: id}
}

// server parses as a Prometheus without feature flags does.
var server = parser.NewParser(parser.Options{})

// CheckQuery says whether Prometheus takes the rule's expression, or for a rule of Lookout's own form the whole comparison; nil if it does. The expression
// has been parsed before. One in another language than PromQL is only looked at in Lookout's own form, where it has no place.
func (r *Rule) CheckQuery(expr *promql.Expr) *Problem {
	if r.Expr == "" || r.Group.Language != "" || r.Own() && r.expr.tag != "!!str" {
		return nil
	}
	p := func(offset int, format string, args ...any) *Problem {
		return &Problem{Position: r.Position(offset), Kind: KindPromQL, Rule: r.Name(), Message: fmt.Sprintf(format, args...)}
	}
	if expr.Err != nil {
		return p(expr.Err.Offset, "%s", expr.Err.Msg)
	}
	if expr.Tree == nil {
		if r.Own() {
			return p(0, "the expression is not PromQL (%s), which is all that alerts can ask", expr.Evidence)
		}
		return nil
	}
	for _, use := range expr.Uses {
		if !use.Quoted || strings.HasPrefix(use.Name, "__") {
			return p(use.At, "%s is a variable of dashboards, which alerts don't have; write its value", r.Expr[use.At:use.End])
		}
	}
	if r.Own() {
		if problem := r.checkOwnQuery(p); problem != nil {
			return problem
		}
	}
	// Prometheus takes it as a text, in which it is hardly ever what was meant.
	for _, use := range expr.Uses {
		problem := p(use.At, "%s looks like a variable of dashboards; in an alert it is these very characters", r.Expr[use.At:use.End])
		problem.Minor = true
		return problem
	}
	return nil
}

// checkOwnQuery looks at the whole comparison.
func (r *Rule) checkOwnQuery(p func(offset int, format string, args ...any) *Problem) *Problem {
	tree, err := server.ParseExpr(r.Expr)
	if err != nil {
		return p(offsetOf(err, 0), "%s", parseMessage(err))
	}
	switch tree.Type() {
	case parser.ValueTypeMatrix:
		return p(0, "the expression is a range of samples, which can't be compared; apply a function such as avg_over_time(…)")
	case parser.ValueTypeString:
		return p(0, "the expression is a text, which can't be compared with a number")
	case parser.ValueTypeScalar:
		return p(0, "the expression is a single number without labels, which Prometheus refuses to compare in an alert; write vector(…) around it if that is meant")
	}
	if r.Threshold != nil {
		if _, err := server.ParseExpr(r.Comparison()); err != nil {
			return p(offsetOf(err, 1), "with its threshold the expression is refused: %s", parseMessage(err))
		}
	}
	return nil
}

func offsetOf(err error, shift int) int {
	if errs := (parser.ParseErrors)(nil); errors.As(err, &errs) && len(errs) > 0 {
		return max(int(errs[0].PositionRange.Start)-shift, 0)
	}
	return 0
}

func parseMessage(err error) string {
	if errs := (parser.ParseErrors)(nil); errors.As(err, &errs) && len(errs) > 0 {
		return errs[0].Err.Error()
	}
	return err.Error()
}

package contract

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/parser/posrange"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/lint"
	"lookout/internal/promql"
	"lookout/internal/queries"
)

// The rules of check. Their findings can be silenced like those of lint.
const (
	RuleMetric = "check-metric" // no such metric
	RuleLabel  = "check-label"  // the metric has no such label
	RuleValue  = "check-value"  // the label has no such value
	RuleType   = "check-type"   // the metric is of another type than the query thinks
)

// Checker holds queries against an inventory.
type Checker struct {
	// Optional returns why a metric may be missing; nil means that none may.
	Optional func(metric string) (reason string, ok bool)

	inv *Inventory
	// before is what was exposed earlier, nil if that is not known.
	before *Inventory

	regexps map[string]*regexp.Regexp
	near    map[string]string
	index   *nameIndex
	// use notes who asks for a name in vain.
	use map[string][]string
}

// New makes a checker. before may be nil; if it is not, what is missing now and was there then is called dropped.
func New(inv, before *Inventory) *Checker {
	return &Checker{inv: inv, before: before, regexps: map[string]*regexp.Regexp{}, near: map[string]string{}, use: map[string][]string{}}
}

// Problem is one thing a query asks for in vain.
type Problem struct {
	Rule     string
	Severity finding.Severity
	// Offset is where in the query as written.
	Offset  int
	Message string
	// Metric is what was asked for.
	Metric string
}

// Query holds one query against the inventory. A query in another language, or a wrong one, has no problems here.
func (c *Checker) Query(q *queries.Query) []Problem {
	if q.Tree == nil {
		return nil
	}
	var out []Problem
	var found map[*parser.VectorSelector][]Problem
	for _, s := range q.Selectors() {
		c.note(s, q)
		if problems := c.selector(q, s); len(problems) > 0 {
			if found == nil {
				found = map[*parser.VectorSelector][]Problem{}
			}
			found[s.VectorSelector] = problems
		}
	}
	if found != nil {
		out = c.unexcused(q, found)
	}
	out = append(out, c.variable(q)...)
	return append(out, c.grouping(q)...)
}

// unexcused are the problems of the selectors that matter.
func (c *Checker) unexcused(q *queries.Query, found map[*parser.VectorSelector][]Problem) (out []Problem) {
	// In "a or b" one of the two is enough: it is how queries follow a metric that was renamed.
	excused := map[*parser.VectorSelector]bool{}
	promql.Walk(q.Tree, func(n parser.Node) {
		b, ok := n.(*parser.BinaryExpr)
		if !ok || b.Op != parser.LOR {
			return
		}
		left, right := selectorsOf(b.LHS), selectorsOf(b.RHS)
		if !broken(left, found) {
			excuse(right, excused)
		} else if !broken(right, found) {
			excuse(left, excused)
		}
	})
	for _, s := range q.Selectors() {
		if !excused[s.VectorSelector] {
			out = append(out, found[s.VectorSelector]...)
		}
	}
	return out
}

func selectorsOf(e parser.Expr) []*parser.VectorSelector {
	var out []*parser.VectorSelector
	promql.Walk(e, func(n parser.Node) {
		if vs, ok := n.(*parser.VectorSelector); ok {
			out = append(out, vs)
		}
	})
	return out
}

func broken(list []*parser.VectorSelector, found map[*parser.VectorSelector][]Problem) bool {
	for _, vs := range list {
		for _, p := range found[vs] {
			if p.Severity == finding.Error {
				return true
			}
		}
	}
	return len(list) == 0 // "or vector(0)" excuses nothing
}

func excuse(list []*parser.VectorSelector, excused map[*parser.VectorSelector]bool) {
	for _, vs := range list {
		excused[vs] = true
	}
}

// note remembers who uses what was dropped.
func (c *Checker) note(s queries.Selector, q *queries.Query) {
	if c.inv.Metrics[s.Metric] != nil {
		return
	}
	if s.Metric != "" && !slices.Contains(c.use[s.Metric], q.Owner) && len(c.use[s.Metric]) < 20 {
		c.use[s.Metric] = append(c.use[s.Metric], q.Owner)
	}
}

func (c *Checker) selector(q *queries.Query, s queries.Selector) []Problem {
	at := q.Offset(s.PosRange.Start)
	metrics, problem := c.metrics(q, s)
	if problem != nil {
		problem.Offset = at
		return []Problem{*problem}
	}
	var out []Problem
	if p := c.matchers(q, s, metrics); p != nil {
		p.Offset = at
		out = append(out, *p)
	}
	if p := c.types(q, s, metrics); p != nil {
		p.Offset = at
		out = append(out, *p)
	}
	return out
}

// metrics finds what a selector can mean. An empty list without a problem means that nothing can be said.
func (c *Checker) metrics(q *queries.Query, s queries.Selector) ([]*Metric, *Problem) {
	name := s.Metric
	switch {
	case name != "" && !promql.HasVariable(name):
		if m := c.inv.Metrics[name]; m != nil {
			return []*Metric{m}, nil
		}
		return nil, c.missing(name)
	case name != "":
		pattern := promql.Pattern(name, false)
		if pattern == ".*" {
			return nil, nil
		}
		if ms := c.named(pattern); len(ms) > 0 {
			return ms, nil
		}
		return nil, &Problem{Rule: RuleMetric, Severity: finding.Error, Metric: name, Message: fmt.Sprintf("%s exposes no metric like %s", c.inv.Source, q.Restore(name))}
	case s.Name != nil && s.Name.Type == labels.MatchRegexp:
		pattern := promql.Pattern(s.Name.Value, true)
		ms := c.named(pattern)
		if len(ms) == 0 && !strings.HasPrefix(pattern, ".*") {
			return nil, &Problem{Rule: RuleMetric, Severity: finding.Error, Metric: s.Name.Value, Message: fmt.Sprintf("%s exposes no metric that matches {__name__=~%q}", c.inv.Source, q.Restore(s.Name.Value))}
		}
		if s.Name.Value != pattern && len(ms) == 0 {
			return nil, nil
		}
		return ms, nil
	}
	return nil, nil // {job="x"}: any metric
}

func (c *Checker) regexp(pattern string) *regexp.Regexp {
	re, ok := c.regexps[pattern]
	if !ok {
		re, _ = regexp.Compile("^(?s:" + pattern + ")$")
		c.regexps[pattern] = re
	}
	return re
}

func (c *Checker) named(pattern string) []*Metric {
	re := c.regexp(pattern)
	if re == nil {
		return nil
	}
	var out []*Metric
	for _, name := range c.inv.Names() {
		if re.MatchString(name) {
			out = append(out, c.inv.Metrics[name])
		}
	}
	return out
}

func (c *Checker) missing(name string) *Problem {
	p := &Problem{Rule: RuleMetric, Severity: finding.Error, Metric: name}
	if c.Optional != nil {
		if reason, ok := c.Optional(name); ok {
			p.Severity, p.Message = finding.Info, fmt.Sprintf("%s does not expose %s, which is optional: %s", c.inv.Source, name, reason)
			return p
		}
	}
	// A histogram is queried by its own name in its native form, which the text format never shows.
	if m := c.inv.Metrics[name+"_count"]; m != nil && m.Type == model.MetricTypeHistogram && m.Family == name {
		p.Severity = finding.Info
		p.Message = fmt.Sprintf("%s is a histogram: queried by its own name it is the native one, which the text format does not show; that can't be checked here", name)
		return p
	}
	switch {
	case c.before != nil && c.before.Metrics[name] != nil:
		p.Message = fmt.Sprintf("%s was dropped from the exporter", name)
	case strings.Contains(name, ":"):
		p.Message = fmt.Sprintf("no recording rule gives %s", name)
	default:
		p.Message = fmt.Sprintf("%s does not expose %s", c.inv.Source, name)
	}
	if near := c.nearest(name); near != "" {
		p.Message += fmt.Sprintf("; did you mean %s?", near)
	}
	return p
}

// comesAndGoes are labels whose values appear only once something has happened: that a capture has no code="500" does not make it impossible.
var comesAndGoes = map[string]bool{
	"code": true, "status": true, "status_code": true, "http_code": true, "grpc_code": true, "http_status": true, "result": true, "outcome": true, "reason": true, "error": true,
	"err": true, "severity": true, "level": true, "alertname": true, "alertstate": true, "state": true, "phase": true, "condition": true, "success": true, "type": true, "event": true,
}

func (c *Checker) matchers(q *queries.Query, s queries.Selector, metrics []*Metric) *Problem {
	if len(metrics) == 0 {
		return nil
	}
	var judged []*labels.Matcher
	for _, m := range s.LabelMatchers {
		if m.Name == model.MetricNameLabel || promql.HasVariable(m.Name) || c.inv.TargetLabels[m.Name] {
			continue
		}
		judged = append(judged, m)
	}
	if len(judged) == 0 {
		return nil
	}
	for _, m := range metrics {
		if !m.LabelsKnown {
			return nil
		}
	}
	// A label that none of them has: only matchers that accept an empty value pass.
	for _, m := range judged {
		if !hasLabel(metrics, m.Name) && !c.accepts(m, "") && !(m.Name == "le" && metrics[0].Type == model.MetricTypeHistogram) {
			return &Problem{Rule: RuleLabel, Severity: finding.Error, Metric: metrics[0].Name, Message: fmt.Sprintf("%s has no label %s%s", nameOf(q, s), m.Name, known("its labels are ", labelNames(metrics)))}
		}
	}
	for _, m := range judged {
		if promql.HasVariable(m.Value) || comesAndGoes[m.Name] || m.Type == labels.MatchNotEqual || m.Type == labels.MatchNotRegexp {
			continue
		}
		if len(metrics) == 1 && m.Type == labels.MatchEqual && metrics[0].Labels[m.Name][m.Value] {
			continue
		}
		values := labelValues(metrics, m.Name)
		if c.accepts(m, "") || len(values) >= maxSeries || slices.ContainsFunc(values, func(v string) bool { return c.accepts(m, v) }) {
			continue
		}
		return &Problem{Rule: RuleValue, Severity: finding.Warning, Metric: metrics[0].Name, Message: fmt.Sprintf("no series of %s has %s%s", nameOf(q, s), q.Restore(m.String()), known("its values are ", values))}
	}
	// Each matcher passes somewhere; is there a series that passes all?
	for _, m := range metrics {
		if len(m.Series) >= maxSeries {
			return nil
		}
		for _, series := range m.Series {
			if !slices.ContainsFunc(judged, func(jm *labels.Matcher) bool {
				return !promql.HasVariable(jm.Value) && !comesAndGoes[jm.Name] && !c.accepts(jm, series.Get(jm.Name))
			}) {
				return nil
			}
		}
	}
	var written []string
	for _, m := range judged {
		written = append(written, q.Restore(m.String()))
	}
	return &Problem{Rule: RuleValue, Severity: finding.Warning, Metric: metrics[0].Name, Message: fmt.Sprintf("no series of %s has %s at once", nameOf(q, s), strings.Join(written, ", "))}
}

func nameOf(q *queries.Query, s queries.Selector) string {
	if s.Metric != "" {
		return q.Restore(s.Metric)
	}
	return q.Restore(s.Name.String())
}

func (c *Checker) accepts(m *labels.Matcher, value string) bool {
	switch m.Type {
	case labels.MatchEqual:
		return m.Value == value || promql.HasVariable(m.Value)
	case labels.MatchNotEqual:
		return m.Value != value || promql.HasVariable(m.Value)
	}
	re := c.regexp(promql.Pattern(m.Value, true))
	if re == nil || promql.HasVariable(m.Value) && m.Type == labels.MatchNotRegexp {
		return true
	}
	return re.MatchString(value) == (m.Type == labels.MatchRegexp)
}

func hasLabel(metrics []*Metric, name string) bool {
	for _, m := range metrics {
		if m.Labels[name] != nil {
			return true
		}
	}
	return false
}

func labelNames(metrics []*Metric) []string {
	set := map[string]bool{}
	for _, m := range metrics {
		for l := range m.Labels {
			set[l] = true
		}
	}
	return sortedKeys(set)
}

func labelValues(metrics []*Metric, name string) []string {
	set := map[string]bool{}
	for _, m := range metrics {
		for v := range m.Labels[name] {
			set[v] = true
		}
	}
	return sortedKeys(set)
}

func sortedKeys(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for k := range set {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// known appends the first few of a list to a message.
func known(prefix string, list []string) string {
	const show = 8
	if len(list) == 0 {
		return ", it has none"
	}
	more := ""
	if len(list) > show {
		more = fmt.Sprintf(" and %d more", len(list)-show)
		list = list[:show]
	}
	return "; " + prefix + strings.Join(list, ", ") + more
}

// types holds what the functions around a selector expect against the metric's type.
func (c *Checker) types(q *queries.Query, s queries.Selector, metrics []*Metric) *Problem {
	if len(metrics) != 1 {
		return nil
	}
	m := metrics[0]
	name := q.Restore(s.Metric)
	problem := func(format string, args ...any) *Problem {
		return &Problem{Rule: RuleType, Severity: finding.Warning, Metric: m.Name, Message: fmt.Sprintf(format, args...)}
	}
	monotonic := m.Type == model.MetricTypeCounter || m.Type == model.MetricTypeHistogram && m.Name != m.Family || m.Type == model.MetricTypeSummary && m.Name != m.Family
	call, _ := s.Parent().(*parser.Call)
	if call != nil && s.Range() != nil {
		switch call.Func.Name {
		case "rate", "irate", "increase", "resets":
			if m.Type == model.MetricTypeGauge && !slices.Contains(synthetic, m.Name) {
				return problem("%s() on %s, which is a gauge; use delta() or deriv()", call.Func.Name, name)
			}
			if m.Type == model.MetricTypeSummary && m.Name == m.Family {
				return problem("%s() on the quantiles of the summary %s", call.Func.Name, name)
			}
		case "delta", "idelta", "deriv", "predict_linear":
			if m.Type == model.MetricTypeCounter {
				return problem("%s() on %s, which is a counter and falls with each restart; use rate() or increase()", call.Func.Name, name)
			}
		}
	}
	for i := len(s.Parents) - 1; i >= 0; i-- {
		if call, ok := s.Parents[i].(*parser.Call); ok && call.Func.Name == "histogram_quantile" {
			if m.Type != model.MetricTypeHistogram && m.Type != model.MetricTypeUnknown && m.Type != "" {
				return problem("histogram_quantile() of %s, which is a %s", name, m.Type)
			}
			if m.Type == model.MetricTypeHistogram && (strings.HasSuffix(m.Name, "_sum") || strings.HasSuffix(m.Name, "_count")) && m.Name != m.Family {
				return problem("histogram_quantile() of %s; the buckets are %s_bucket", name, m.Family)
			}
		}
	}
	isVariable := q.Source != nil && q.Source.Variable != nil
	if m.Type == model.MetricTypeCounter && monotonic && !isVariable && !lint.CounterUsedWell(s) {
		return problem("%s is a counter but shown as it is; show rate() or increase() of it", name)
	}
	return nil
}

// variable holds the label that label_values asks for against the metric.
func (c *Checker) variable(q *queries.Query) []Problem {
	if q.Source == nil || q.Source.Variable == nil || q.Source.VariableQuery.Func != dashboard.LabelValues {
		return nil
	}
	label := q.Source.VariableQuery.Label
	if label == "" || len(promql.Variables(label)) > 0 || c.inv.TargetLabels[label] || label == model.MetricNameLabel {
		return nil
	}
	for _, s := range q.Selectors() {
		metrics, p := c.metrics(q, s)
		if p != nil || len(metrics) == 0 || hasLabel(metrics, label) || slices.ContainsFunc(metrics, func(m *Metric) bool { return !m.LabelsKnown }) {
			continue
		}
		return []Problem{{Rule: RuleLabel, Severity: finding.Error, Offset: 0, Metric: metrics[0].Name, Message: fmt.Sprintf("the variable asks for the values of %s, but %s has no such label%s", label, nameOf(q, s), known("its labels are ", labelNames(metrics)))}}
	}
	return nil
}

// grouping looks for labels that aggregations and joins use and the metric does not have: by (…), on (…), group_left (…). Only what surely keeps labels is looked through.
func (c *Checker) grouping(q *queries.Query) []Problem {
	var out []Problem
	// lacks reports the labels that a side of the expression can't have.
	lacks := func(side parser.Expr, list []string, at posrange.Pos, what func(label, name string) string) {
		metrics, s := c.plain(q, side)
		for _, l := range list {
			if len(metrics) == 0 || c.inv.TargetLabels[l] || promql.HasVariable(l) || hasLabel(metrics, l) || l == model.MetricNameLabel {
				continue
			}
			out = append(out, Problem{Rule: RuleLabel, Severity: finding.Warning, Offset: q.Offset(at), Metric: metrics[0].Name, Message: what(l, nameOf(q, s)) + known("its labels are ", labelNames(metrics))})
		}
	}
	promql.Walk(q.Tree, func(n parser.Node) {
		switch n := n.(type) {
		case *parser.AggregateExpr:
			if !n.Without {
				lacks(n.Expr, n.Grouping, n.PosRange.Start, func(l, name string) string {
					return fmt.Sprintf("%s by (%s), but %s has no such label", n.Op, l, name)
				})
			}
		case *parser.BinaryExpr:
			m := n.VectorMatching
			if m == nil {
				return
			}
			for _, side := range []parser.Expr{n.LHS, n.RHS} {
				if m.On {
					lacks(side, m.MatchingLabels, side.PositionRange().Start, func(l, name string) string {
						return fmt.Sprintf("on (%s), but %s has no such label", l, name)
					})
				}
			}
			switch m.Card {
			case parser.CardManyToOne:
				lacks(n.RHS, m.Include, n.RHS.PositionRange().Start, func(l, name string) string {
					return fmt.Sprintf("group_left (%s) takes the label from %s, which has no such label", l, name)
				})
			case parser.CardOneToMany:
				lacks(n.LHS, m.Include, n.LHS.PositionRange().Start, func(l, name string) string {
					return fmt.Sprintf("group_right (%s) takes the label from %s, which has no such label", l, name)
				})
			}
		}
	})
	return out
}

// plain are the metrics of an expression that is one selector and whose labels are all known; none if it is something else.
func (c *Checker) plain(q *queries.Query, e parser.Expr) ([]*Metric, queries.Selector) {
	vs := plainSelector(e)
	if vs == nil {
		return nil, queries.Selector{}
	}
	for _, s := range q.Selectors() {
		if s.VectorSelector != vs {
			continue
		}
		metrics, p := c.metrics(q, s)
		if p != nil || slices.ContainsFunc(metrics, func(m *Metric) bool { return !m.LabelsKnown }) {
			break
		}
		return metrics, s
	}
	return nil, queries.Selector{}
}

// plainSelector is the one selector of an expression that does not change labels, nil otherwise.
func plainSelector(e parser.Expr) *parser.VectorSelector {
	for {
		switch n := e.(type) {
		case *parser.ParenExpr:
			e = n.Expr
		case *parser.StepInvariantExpr:
			e = n.Expr
		case *parser.MatrixSelector:
			e = n.VectorSelector
		case *parser.SubqueryExpr:
			e = n.Expr
		case *parser.Call:
			switch n.Func.Name {
			case "rate", "irate", "increase", "delta", "deriv", "avg_over_time", "max_over_time", "min_over_time", "sum_over_time", "last_over_time", "changes", "resets", "abs", "ceil", "floor":
				e = n.Args[0]
				continue
			}
			return nil
		case *parser.VectorSelector:
			return n
		default:
			return nil
		}
	}
}

// UsedBy tells which panels and alerts ask in vain for a name, as far as queries have been checked.
func (c *Checker) UsedBy(name string) []string { return c.use[name] }

package diff

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/parser/posrange"

	"lookout/internal/promql"
)

// queries compares PromQL as trees. It is not safe for concurrent use.
type queries struct {
	parser *promql.Parser
	// A bulk edit makes the same pair in many panels.
	seen map[[2]string]queryEdit
}

func newQueries() *queries {
	return &queries{parser: promql.NewParser(), seen: map[[2]string]queryEdit{}}
}

// queryEdit is what happened to a query.
type queryEdit struct {
	// same means that only the writing differs.
	same bool
	// edits say what changed ("window 5m → 1m"); nil if the trees could not be compared, because one of the texts is no PromQL.
	edits []string
}

func (q *queries) compare(before, after string, defined func(string) bool) queryEdit {
	key := [2]string{before, after}
	if e, ok := q.seen[key]; ok {
		return e
	}
	e := q.compareTrees(before, after, defined)
	q.seen[key] = e
	return e
}

func (q *queries) compareTrees(before, after string, defined func(string) bool) queryEdit {
	a, b := q.tree(before, defined), q.tree(after, defined)
	if a == nil || b == nil {
		// Without a tree nothing is known to be mere writing, except white space at the ends.
		return queryEdit{same: strings.TrimSpace(before) == strings.TrimSpace(after)}
	}
	if a.key == b.key {
		return queryEdit{same: true}
	}
	m := treeMatcher{memo: map[[2]*queryNode]outcome{}}
	best := m.best(a, b)
	if best.edits == nil {
		return queryEdit{} // the keys differ in what no edit has a word for
	}
	// The same edit in several places of one query is told once.
	return queryEdit{edits: distinct(best.edits(nil))}
}

// tree is nil if the text is not PromQL.
func (q *queries) tree(text string, defined func(string) bool) *queryNode {
	e := q.parser.Parse(text, defined)
	if e.Tree == nil {
		return nil
	}
	c := converter{expr: e, claimed: make([]bool, len(e.Uses))}
	return c.node(e.Tree)
}

type queryKind uint8

const (
	selectorNode queryKind = iota
	windowNode
	callNode
	aggregateNode
	binaryNode
	unaryNode
	literalNode
)

// queryNode is a parsed query with its Grafana variables back in place, without parentheses, and with everything that has no order in order.
type queryNode struct {
	kind queryKind
	// head is the metric, function, operator or literal.
	head string
	// matchers are `label="value"`, sorted.
	matchers []string
	// window is the text inside [ ].
	window string
	// clause is by (…), on (…) and the like; modifier is offset and @; extra are variables that stand where no part of the tree does.
	clause, modifier, extra string
	children                []*queryNode
	// key identifies the meaning: equal keys, equal queries.
	key  string
	text string
	size int
}

type converter struct {
	expr    *promql.Expr
	claimed []bool
}

func (c *converter) span(r posrange.PositionRange) (int, int) {
	return c.expr.Offset(r.Start), c.expr.Offset(r.End)
}

// source is the query as written between two offsets, on one line.
func (c *converter) source(from, to int) string {
	if from < 0 || to > len(c.expr.Text) || from >= to {
		return ""
	}
	return strings.Join(strings.Fields(c.expr.Text[from:to]), " ")
}

// unclaimed tells whether variables stand between two offsets that no part of the tree has taken, and takes them.
func (c *converter) unclaimed(from, to int) bool {
	found := false
	for i, u := range c.expr.Uses {
		if u.At >= from && u.End <= to && !c.claimed[i] {
			c.claimed[i] = true
			found = true
		}
	}
	return found
}

// restore writes variables back and claims them, in one notation: $v, ${v} and [[v]] are the same.
func (c *converter) restore(s string, from, to int) string {
	if !promql.HasVariable(s) {
		return s
	}
	s = c.expr.Restore(s)
	for i, u := range c.expr.Uses {
		if u.At >= from && u.End <= to && strings.Contains(s, c.expr.Text[u.At:u.End]) {
			c.claimed[i] = true
		}
	}
	return oneNotation(s)
}

func oneNotation(s string) string {
	uses := promql.Variables(s)
	if len(uses) == 0 {
		return s
	}
	var b strings.Builder
	last := 0
	for _, u := range uses {
		b.WriteString(s[last:u.At])
		raw := s[u.At:u.End]
		switch {
		case strings.Contains(raw, "."):
			b.WriteString(raw)
		case u.Format != "":
			b.WriteString("${" + u.Name + ":" + u.Format + "}")
		default:
			b.WriteString("${" + u.Name + "}")
		}
		last = u.End
	}
	b.WriteString(s[last:])
	return b.String()
}

func (c *converter) node(e parser.Expr) *queryNode {
	switch e := e.(type) {
	case *parser.ParenExpr:
		return c.node(e.Expr)
	case *parser.StepInvariantExpr:
		return c.node(e.Expr)
	}
	from, to := c.span(e.PositionRange())
	n := &queryNode{size: 1}
	child := func(e parser.Expr) {
		k := c.node(e)
		n.children = append(n.children, k)
		n.size += k.size
	}
	switch e := e.(type) {
	case *parser.VectorSelector:
		c.selector(n, e, from, to)
	case *parser.MatrixSelector:
		n.kind = windowNode
		child(e.VectorSelector)
		n.window = durationText(e.Range, e.RangeExpr)
		if inner := c.expr.Text[from:to]; strings.HasSuffix(inner, "]") {
			if open := strings.LastIndexByte(strings.ReplaceAll(inner, "[[", "  "), '['); open >= 0 && c.unclaimed(from+open, to) {
				n.window = oneNotation(c.source(from+open+1, to-1))
			}
		} else if open := strings.IndexByte(inner, ']'); open >= 0 && c.unclaimed(from, from+open+1) {
			// "x[5m] offset 1h": the window is not at the end.
			n.window = oneNotation(c.source(from+strings.LastIndexByte(inner[:open], '[')+1, from+open))
		}
	case *parser.SubqueryExpr:
		n.kind = windowNode
		child(e.Expr)
		n.window = durationText(e.Range, e.RangeExpr) + ":"
		if e.Step != 0 || e.StepExpr != nil {
			n.window += durationText(e.Step, e.StepExpr)
		}
		_, inner := c.span(e.Expr.PositionRange())
		if c.unclaimed(inner, to) {
			n.window = oneNotation(strings.Trim(c.source(inner, to), "[]) "))
		}
		n.modifier = modifiers(e.OriginalOffset, e.OriginalOffsetExpr, e.Timestamp, e.StartOrEnd)
	case *parser.Call:
		n.kind, n.head = callNode, e.Func.Name
		for _, a := range e.Args {
			child(a)
		}
		if open := strings.IndexByte(c.expr.Text[from:to], '('); open >= 0 && c.unclaimed(from, from+open) {
			n.head = oneNotation(c.source(from, from+open))
		}
	case *parser.AggregateExpr:
		n.kind, n.head = aggregateNode, e.Op.String()
		n.clause = c.clause(e.Grouping, from, to)
		if e.Without {
			n.clause = "without (" + n.clause + ")"
		} else if n.clause != "" {
			n.clause = "by (" + n.clause + ")"
		}
		if e.Param != nil {
			child(e.Param)
		}
		child(e.Expr)
	case *parser.BinaryExpr:
		n.kind, n.head = binaryNode, e.Op.String()
		child(e.LHS)
		child(e.RHS)
		if e.ReturnBool {
			n.head += " bool"
		}
		if m := e.VectorMatching; m != nil {
			labels := c.clause(m.MatchingLabels, from, to)
			switch {
			case m.On:
				n.clause = "on (" + labels + ")"
			case labels != "":
				n.clause = "ignoring (" + labels + ")"
			}
			include := c.clause(m.Include, from, to)
			switch m.Card {
			case parser.CardManyToOne:
				n.clause += " group_left (" + include + ")"
			case parser.CardOneToMany:
				n.clause += " group_right (" + include + ")"
			}
			n.clause = strings.TrimSpace(n.clause)
		}
		_, left := c.span(e.LHS.PositionRange())
		right, _ := c.span(e.RHS.PositionRange())
		if c.unclaimed(left, right) {
			n.extra = oneNotation(strings.Trim(c.source(left, right), "() "))
		}
	case *parser.UnaryExpr:
		n.kind, n.head = unaryNode, e.Op.String()
		child(e.Expr)
	case *parser.NumberLiteral:
		n.kind = literalNode
		n.head = strconv.FormatFloat(e.Val, 'g', -1, 64)
		if c.unclaimed(from, to) {
			n.head = oneNotation(c.source(from, to))
		}
	case *parser.StringLiteral:
		n.kind = literalNode
		n.head = strconv.Quote(c.restore(e.Val, from, to))
		if c.unclaimed(from, to) {
			n.head = oneNotation(c.source(from, to))
		}
	default:
		n.kind, n.head = literalNode, c.restore(e.String(), from, to)
	}
	// Whatever variable is left in this span belongs to no finer part.
	for i, u := range c.expr.Uses {
		if u.At >= from && u.End <= to && !c.claimed[i] {
			c.claimed[i] = true
			n.extra += " " + oneNotation(c.expr.Text[u.At:u.End])
		}
	}
	n.text = c.source(from, to)
	n.seal()
	return n
}

func (c *converter) selector(n *queryNode, e *parser.VectorSelector, from, to int) {
	n.kind = selectorNode
	for _, m := range e.LabelMatchers {
		if m.Name == model.MetricNameLabel && m.Type.String() == "=" {
			n.head = c.restore(m.Value, from, to)
			continue
		}
		n.matchers = append(n.matchers, c.restore(m.Name, from, to)+m.Type.String()+strconv.Quote(c.restore(m.Value, from, to)))
	}
	slices.Sort(n.matchers)
	n.modifier = modifiers(e.OriginalOffset, e.OriginalOffsetExpr, e.Timestamp, e.StartOrEnd)
	if e.Anchored {
		n.modifier += " anchored"
	}
	if e.Smoothed {
		n.modifier += " smoothed"
	}
}

func (c *converter) clause(labels []string, from, to int) string {
	out := make([]string, len(labels))
	for i, l := range labels {
		out[i] = c.restore(l, from, to)
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), ", ")
}

func durationText(d time.Duration, expr *parser.DurationExpr) string {
	if expr != nil {
		return expr.String()
	}
	return model.Duration(d).String()
}

func modifiers(offset time.Duration, expr *parser.DurationExpr, at *int64, startOrEnd parser.ItemType) string {
	var out []string
	switch {
	case expr != nil:
		out = append(out, "offset "+expr.String())
	case offset < 0:
		out = append(out, "offset -"+model.Duration(-offset).String())
	case offset > 0:
		out = append(out, "offset "+model.Duration(offset).String())
	}
	switch {
	case at != nil:
		out = append(out, "@ "+strconv.FormatFloat(float64(*at)/1000, 'f', -1, 64))
	case startOrEnd == parser.START:
		out = append(out, "@ start()")
	case startOrEnd == parser.END:
		out = append(out, "@ end()")
	}
	return strings.Join(out, " ")
}

func (n *queryNode) seal() {
	var b strings.Builder
	fmt.Fprintf(&b, "%d%q", n.kind, n.head)
	for _, m := range n.matchers {
		b.WriteString(m)
		b.WriteByte(',')
	}
	fmt.Fprintf(&b, "[%s|%s|%s|%s](", n.window, n.clause, n.modifier, n.extra)
	for _, c := range n.children {
		b.WriteString(c.key)
		b.WriteByte(';')
	}
	b.WriteByte(')')
	n.key = b.String()
}

// outcome is the cheapest way found from one tree to another. The edits are put into words only for the way that is taken.
type outcome struct {
	cost  int
	edits func(to []string) []string
}

func (o outcome) and(p outcome) outcome {
	if p.edits == nil {
		return o
	}
	if o.edits == nil {
		return outcome{o.cost + p.cost, p.edits}
	}
	return outcome{o.cost + p.cost, func(to []string) []string { return p.edits(o.edits(to)) }}
}

func edit(cost int, text func() string) outcome {
	return outcome{cost, func(to []string) []string { return append(to, text()) }}
}

type treeMatcher struct {
	memo map[[2]*queryNode]outcome
}

// Costs are in tenths of an edit. A replacement tells the reader least, so it must save more than two edits to be chosen.
const (
	costEdit    = 10
	costWrap    = 11
	costReplace = 25
	// maxPairs bounds the work for queries that generators unrolled into thousands of operands.
	maxPairs = 20_000
)

func (m *treeMatcher) best(a, b *queryNode) outcome {
	if a.key == b.key {
		return outcome{}
	}
	pair := [2]*queryNode{a, b}
	if o, ok := m.memo[pair]; ok {
		return o
	}
	best := edit(replaceCost(a, b), func() string { return clip(a.text, 80) + " → " + clip(b.text, 80) })
	if len(m.memo) > maxPairs {
		return best
	}
	m.memo[pair] = best
	consider := func(o outcome) {
		if o.cost < best.cost {
			best = o
		}
	}
	if a.kind == b.kind {
		consider(m.sameKind(a, b))
	}
	for i, c := range b.children {
		if o := wrapped(b, i); o.cost < best.cost {
			consider(o.and(m.best(a, c)))
		}
	}
	for i, c := range a.children {
		if o := unwrapped(a, i); o.cost < best.cost {
			consider(o.and(m.best(c, b)))
		}
	}
	m.memo[pair] = best
	return best
}

func replaceCost(a, b *queryNode) int {
	return costReplace + 3*min(a.size, b.size)
}

// wrapped is the edit that puts the i-th operand of b into b.
func wrapped(b *queryNode, i int) outcome {
	return edit(wrapCost(b, i), func() string {
		switch b.kind {
		case binaryNode:
			other := b.children[1-i]
			if i == 0 {
				return operator(b) + " " + clip(other.text, 60) + " added"
			}
			return clip(other.text, 60) + " " + operator(b) + " added in front"
		case aggregateNode:
			return "wrapped in " + operator(b)
		case windowNode:
			return "window " + b.window + " added"
		case unaryNode:
			return "sign changed"
		}
		return "wrapped in " + b.head
	})
}

// unwrapped is the edit that leaves nothing of a but its i-th operand.
func unwrapped(a *queryNode, i int) outcome {
	return edit(wrapCost(a, i), func() string {
		switch a.kind {
		case binaryNode:
			other := a.children[1-i]
			if i == 0 {
				return operator(a) + " " + clip(other.text, 60) + " removed"
			}
			return clip(other.text, 60) + " " + operator(a) + " in front removed"
		case windowNode:
			return "window " + a.window + " removed"
		case unaryNode:
			return "sign changed"
		}
		return operator(a) + " around it removed"
	})
}

func wrapCost(n *queryNode, i int) int {
	return costWrap + 2*(n.size-1-n.children[i].size)
}

func operator(n *queryNode) string { return strings.TrimSpace(n.head + " " + n.clause) }

func (m *treeMatcher) sameKind(a, b *queryNode) outcome {
	var o outcome
	change := func(what, x, y string) {
		switch {
		case x == y:
		case x == "":
			o = o.and(edit(costEdit, func() string { return join(what, y) + " added" }))
		case y == "":
			o = o.and(edit(costEdit, func() string { return join(what, x) + " removed" }))
		default:
			o = o.and(edit(costEdit, func() string { return join(what, x) + " → " + y }))
		}
	}
	switch a.kind {
	case selectorNode:
		change("metric", a.head, b.head)
		o = o.and(matcherEdits(a.matchers, b.matchers))
	case windowNode:
		change("window", a.window, b.window)
	case callNode:
		change("function", a.head, b.head)
	case aggregateNode:
		change("aggregation", a.head, b.head)
		change("", a.clause, b.clause)
	case binaryNode:
		change("operator", a.head, b.head)
		change("", a.clause, b.clause)
	case unaryNode:
		change("sign", a.head, b.head)
	case literalNode:
		if strings.HasPrefix(a.head, `"`) {
			change("text", a.head, b.head)
		} else {
			change("number", a.head, b.head)
		}
	}
	change("", a.modifier, b.modifier)
	change("variable", strings.TrimSpace(a.extra), strings.TrimSpace(b.extra))
	return o.and(m.operands(a.children, b.children))
}

func join(what, value string) string { return strings.TrimSpace(what + " " + value) }

func (m *treeMatcher) operands(a, b []*queryNode) outcome {
	var o outcome
	for i := range min(len(a), len(b)) {
		o = o.and(m.best(a[i], b[i]))
	}
	for _, c := range a[min(len(a), len(b)):] {
		o = o.and(edit(costEdit, func() string { return "argument " + clip(c.text, 60) + " removed" }))
	}
	for _, c := range b[min(len(a), len(b)):] {
		o = o.and(edit(costEdit, func() string { return "argument " + clip(c.text, 60) + " added" }))
	}
	return o
}

// matcherEdits tells an edited matcher from one that went and one that came by its label.
func matcherEdits(a, b []string) outcome {
	var o outcome
	gone, come := without(a, b), without(b, a)
	for _, g := range gone {
		at := slices.IndexFunc(come, func(c string) bool { return labelOf(c) == labelOf(g) })
		if at < 0 {
			o = o.and(edit(costEdit, func() string { return "matcher " + g + " removed" }))
			continue
		}
		to := come[at]
		o = o.and(edit(costEdit, func() string { return "matcher " + g + " → " + to }))
		come = slices.Delete(come, at, at+1)
	}
	for _, c := range come {
		o = o.and(edit(costEdit, func() string { return "matcher " + c + " added" }))
	}
	return o
}

func labelOf(matcher string) string {
	if i := strings.IndexAny(matcher, "=!"); i >= 0 {
		return matcher[:i]
	}
	return matcher
}

func without(a, b []string) []string {
	var out []string
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}

// clip keeps a text short enough to stand in a sentence, without cutting a character in two.
func clip(s string, runes int) string {
	r := []rune(s)
	if len(r) <= runes {
		return s
	}
	return string(r[:runes-1]) + "…"
}

// distinct drops what came before.
func distinct(texts []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, t := range texts {
		if !seen[t] {
			seen[t] = true
			out = append(out, t)
		}
	}
	return out
}

package mutate

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// Kind is what is changed.
type Kind string

// The kinds. An excuse in a rule's comments names one of them.
const (
	// ComparisonFlipped turns > into <, == into !=.
	ComparisonFlipped Kind = "comparison-flipped"
	// ComparisonBoundary turns > into >=, < into <=, and back.
	ComparisonBoundary Kind = "comparison-boundary"
	// ThresholdUp adds 10 % to a number that is compared with; 0 becomes 1.
	ThresholdUp Kind = "threshold-up"
	// ThresholdDown takes 10 % off; 0 becomes -1.
	ThresholdDown Kind = "threshold-down"
	// WindowLonger doubles a range.
	WindowLonger Kind = "window-longer"
	// WindowShorter halves a range.
	WindowShorter Kind = "window-shorter"
	// ForLonger lets the alert wait for one evaluation more.
	ForLonger Kind = "for-longer"
	// ForShorter lets it wait for one evaluation less.
	ForShorter Kind = "for-shorter"
	// KeepLonger lets it go on firing for one evaluation more.
	KeepLonger Kind = "keep-firing-longer"
	// KeepShorter lets it go on firing for one evaluation less.
	KeepShorter Kind = "keep-firing-shorter"
	// MatcherNegated turns = into !=, =~ into !~, and back.
	MatcherNegated Kind = "matcher-negated"
	// MatcherDropped leaves a label matcher out.
	MatcherDropped Kind = "matcher-dropped"
)

// Mutation is one change of a rule that its unit tests should notice.
type Mutation struct {
	Kind Kind
	// Change is what becomes of what: "> 8 becomes > 8.8".
	Change string
	// Target is what an excuse may name to mean only this one of several: the matcher, the number, the range; "" for the pending period.
	Target string
	// Hint is the case that is missing if no test notices.
	Hint string
	// Quiet is set for a threshold that moves towards the values at which the alert is quiet: only a test that is quiet just under the threshold notices.
	Quiet bool

	// at is the byte of the expression that is changed, -1 for the rule's own fields.
	at int
	// What is written instead; what is nil stays.
	expr, pending, keep *string
}

// parse is what Prometheus without feature flags parses, as rules are.
var parse = parser.NewParser(parser.Options{})

// mutations are all changes of a rule: its whole expression, its pending period and how long it goes on firing. step is the time between two evaluations of the tests.
func mutations(expr, pending, keep string, step time.Duration) ([]Mutation, error) {
	tree, err := parse.ParseExpr(expr)
	if err != nil {
		return nil, fmt.Errorf("cannot parse %q: %w", expr, err)
	}
	same := tree.String()
	var out []Mutation
	// A changed tree is written out by Prometheus' printer, so each change begins with a tree of its own.
	add := func(m Mutation, change func(parser.Expr)) {
		tree, err := parse.ParseExpr(expr)
		if err != nil {
			return
		}
		change(tree)
		text := tree.String()
		if _, err := parse.ParseExpr(text); err != nil || text == same {
			return // {job="go"} without its only matcher is refused
		}
		m.expr = &text
		out = append(out, m)
	}
	uses := map[string]int{}
	var whole []Mutation
	for i, node := range nodes(tree) {
		switch n := node.(type) {
		case *parser.BinaryExpr:
			comparison(n, i, add)
		case *parser.MatrixSelector:
			if n.RangeExpr == nil {
				window(n.Range, int(n.PositionRange().Start), func(m Mutation, d time.Duration) {
					add(m, func(t parser.Expr) { nodes(t)[i].(*parser.MatrixSelector).Range = d })
				})
			}
		case *parser.SubqueryExpr:
			if n.RangeExpr == nil {
				window(n.Range, int(n.PositionRange().Start), func(m Mutation, d time.Duration) {
					add(m, func(t parser.Expr) { nodes(t)[i].(*parser.SubqueryExpr).Range = d })
				})
			}
		case *parser.VectorSelector:
			for j, matcher := range n.LabelMatchers {
				if matcher.Name == model.MetricNameLabel {
					continue
				}
				text := matcher.String()
				uses[text]++
				negated := labels.MustNewMatcher(opposite[matcher.Type], matcher.Name, matcher.Value)
				m := Mutation{Target: text, at: int(n.PosRange.Start)}
				m.Kind, m.Change = MatcherNegated, fmt.Sprintf("%s becomes %s in %s", text, negated, metric(n))
				m.Hint = fmt.Sprintf("add a test in which a series with %s makes it fire", text)
				add(m, func(t parser.Expr) { nodes(t)[i].(*parser.VectorSelector).LabelMatchers[j] = negated })
				m.Kind, m.Change = MatcherDropped, fmt.Sprintf("%s is left out of %s", text, metric(n))
				m.Hint = fmt.Sprintf("add a test with a series of %s that differs in %s only, and that it has to leave alone", metric(n), matcher.Name)
				add(m, func(t parser.Expr) { drop(nodes(t)[i].(*parser.VectorSelector), text) })
				if uses[text] == 2 {
					m.Change = fmt.Sprintf("%s is left out everywhere", text)
					m.Target = text + " everywhere"
					whole = append(whole, m)
				}
			}
		}
	}
	for _, m := range whole {
		add(m, func(t parser.Expr) {
			for _, node := range nodes(t) {
				if v, ok := node.(*parser.VectorSelector); ok {
					drop(v, strings.TrimSuffix(m.Target, " everywhere"))
				}
			}
		})
	}
	return append(out, periods(pending, keep, step)...), nil
}

// nodes are all parts of an expression, always in the same order.
func nodes(tree parser.Expr) []parser.Node {
	var out []parser.Node
	parser.Inspect(tree, func(n parser.Node, _ []parser.Node) error {
		if n != nil {
			out = append(out, n)
		}
		return nil
	})
	return out
}

func metric(v *parser.VectorSelector) string {
	if v.Name == "" {
		return v.String()
	}
	return v.Name
}

func drop(v *parser.VectorSelector, matcher string) {
	var kept []*labels.Matcher
	for _, m := range v.LabelMatchers {
		if m.Name == model.MetricNameLabel || m.String() != matcher {
			kept = append(kept, m)
		}
	}
	v.LabelMatchers = kept
}

var (
	flipped = map[parser.ItemType]parser.ItemType{
		parser.GTR: parser.LSS, parser.LSS: parser.GTR, parser.GTE: parser.LTE, parser.LTE: parser.GTE, parser.EQLC: parser.NEQ, parser.NEQ: parser.EQLC,
	}
	boundary = map[parser.ItemType]parser.ItemType{
		parser.GTR: parser.GTE, parser.GTE: parser.GTR, parser.LSS: parser.LTE, parser.LTE: parser.LSS,
	}
	opposite = map[labels.MatchType]labels.MatchType{
		labels.MatchEqual: labels.MatchNotEqual, labels.MatchNotEqual: labels.MatchEqual, labels.MatchRegexp: labels.MatchNotRegexp, labels.MatchNotRegexp: labels.MatchRegexp,
	}
)

// comparison changes the operator, and the number that is compared with.
func comparison(n *parser.BinaryExpr, i int, add func(Mutation, func(parser.Expr))) {
	if !n.Op.IsComparisonOperator() {
		return
	}
	number, right, fixed := n.RHS, true, constant(n.RHS)
	if !fixed {
		number, right, fixed = n.LHS, false, constant(n.LHS)
	}
	m := Mutation{at: int(n.PositionRange().Start)}
	value := "its other side"
	if fixed {
		value = number.String()
		m.Target = value
		if fields := number.PositionRange(); right {
			m.at = int(fields.Start)
		}
	}
	write := func(op parser.ItemType, value string) string {
		if !right && fixed {
			return value + " " + op.String()
		}
		return op.String() + " " + value
	}
	swap := func(kind Kind, to parser.ItemType, hint string) {
		m := m
		m.Kind, m.Change, m.Hint = kind, fmt.Sprintf("%s becomes %s", write(n.Op, value), write(to, value)), hint
		add(m, func(t parser.Expr) { nodes(t)[i].(*parser.BinaryExpr).Op = to })
	}
	swap(ComparisonFlipped, flipped[n.Op], "add a test on each side of the comparison: one value that makes it fire and one that leaves it quiet")
	if to, ok := boundary[n.Op]; ok {
		state := "stays quiet"
		if n.Op == parser.GTE || n.Op == parser.LTE {
			state = "fires"
		}
		swap(ComparisonBoundary, to, fmt.Sprintf("add a test in which the value is exactly %s and it %s", value, state))
	}
	if !fixed {
		return
	}
	for _, move := range []struct {
		kind   Kind
		factor float64
		zero   float64
	}{{ThresholdUp, 1.1, 1}, {ThresholdDown, 0.9, -1}} {
		to := moved(number, move.factor, move.zero)
		m := m
		m.Kind = move.kind
		m.Change = fmt.Sprintf("%s becomes %s", write(n.Op, value), write(n.Op, to.String()))
		// Which way is quiet: above a threshold more fires as it sinks.
		above := (n.Op == parser.GTR || n.Op == parser.GTE) == right
		below := (n.Op == parser.LSS || n.Op == parser.LTE) == right
		lower := valueOf(to) < valueOf(number)
		if n.Op == parser.EQLC || n.Op == parser.NEQ {
			m.Hint = fmt.Sprintf("add a test in which the value is exactly %s", value)
		} else {
			m.Quiet = above && lower || below && !lower
			state := "fires"
			if m.Quiet {
				state = "stays quiet"
			}
			low, high := value, to.String()
			if lower {
				low, high = high, low
			}
			m.Hint = fmt.Sprintf("add a test in which it %s with a value between %s and %s", state, low, high)
		}
		add(m, func(t parser.Expr) {
			b := nodes(t)[i].(*parser.BinaryExpr)
			if right {
				b.RHS = to
			} else {
				b.LHS = to
			}
		})
	}
}

// constant tells whether an expression is a number, whatever is stored and what time it is.
func constant(e parser.Expr) bool {
	switch e := e.(type) {
	case *parser.NumberLiteral:
		return true
	case *parser.ParenExpr:
		return constant(e.Expr)
	case *parser.UnaryExpr:
		return constant(e.Expr)
	case *parser.BinaryExpr:
		return constant(e.LHS) && constant(e.RHS)
	}
	return false
}

// valueOf is the value of a constant expression.
func valueOf(e parser.Expr) float64 {
	switch e := e.(type) {
	case *parser.NumberLiteral:
		return e.Val
	case *parser.ParenExpr:
		return valueOf(e.Expr)
	case *parser.UnaryExpr:
		if e.Op == parser.SUB {
			return -valueOf(e.Expr)
		}
		return valueOf(e.Expr)
	case *parser.BinaryExpr:
		l, r := valueOf(e.LHS), valueOf(e.RHS)
		switch e.Op {
		case parser.ADD:
			return l + r
		case parser.SUB:
			return l - r
		case parser.MUL:
			return l * r
		case parser.DIV:
			return l / r
		case parser.POW:
			return math.Pow(l, r)
		case parser.MOD:
			return math.Mod(l, r)
		}
	}
	return 0
}

// moved is the number ten per cent higher or lower, without the noise of binary fractions.
func moved(number parser.Expr, factor, zero float64) *parser.NumberLiteral {
	value := valueOf(number)
	to := zero
	if value != 0 {
		if value < 0 {
			factor = 2 - factor
		}
		to, _ = strconv.ParseFloat(strconv.FormatFloat(value*factor, 'g', 12, 64), 64)
	}
	return &parser.NumberLiteral{Val: to}
}

func window(d time.Duration, at int, add func(Mutation, time.Duration)) {
	text := model.Duration(d).String()
	m := Mutation{Target: "[" + text + "]", at: at}
	m.Kind, m.Change = WindowLonger, fmt.Sprintf("[%s] becomes [%s]", text, model.Duration(2*d))
	m.Hint = fmt.Sprintf("add a test in which what happened more than %s ago would change whether it fires or what it says", text)
	add(m, 2*d)
	half := (d / 2).Truncate(time.Millisecond)
	m.Kind, m.Change = WindowShorter, fmt.Sprintf("[%s] becomes [%s]", text, model.Duration(half))
	m.Hint = fmt.Sprintf("add a test in which what happened between %s and %s ago decides whether it fires or what it says", model.Duration(half), text)
	add(m, half)
}

// periods changes the pending period, and how long the alert goes on firing, by one evaluation.
func periods(pending, keep string, step time.Duration) []Mutation {
	var out []Mutation
	for _, p := range []struct {
		field, text     string
		longer, shorter Kind
		write           func(*Mutation, *string)
		hint            [2]string
	}{
		{"for", pending, ForLonger, ForShorter, func(m *Mutation, s *string) { m.pending = s },
			[2]string{"add a case at the very evaluation at which it begins to fire", "add a case at the last evaluation before it fires, which expects nothing"}},
		{"keep_firing_for", keep, KeepLonger, KeepShorter, func(m *Mutation, s *string) { m.keep = s },
			[2]string{"add a case at the very evaluation at which it recovers", "add a case at the last evaluation at which it still fires"}},
	} {
		d, err := model.ParseDuration(p.text)
		if err != nil {
			d = 0
		}
		if p.field == "keep_firing_for" && d == 0 {
			continue
		}
		was := model.Duration(d).String()
		// It ends at an evaluation, so what counts is how many.
		steps := (time.Duration(d) + step - 1) / step
		longer := model.Duration((steps + 1) * step).String()
		m := Mutation{Kind: p.longer, Change: fmt.Sprintf("%s: %s becomes %s", p.field, was, longer), Hint: p.hint[0], at: -1}
		p.write(&m, &longer)
		out = append(out, m)
		if steps > 0 {
			shorter := model.Duration((steps - 1) * step).String()
			m := Mutation{Kind: p.shorter, Change: fmt.Sprintf("%s: %s becomes %s", p.field, was, shorter), Hint: p.hint[1], at: -1}
			p.write(&m, &shorter)
			out = append(out, m)
		}
	}
	return out
}

package lint

import (
	"math"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/finding"
	"lookout/internal/promql"
	"lookout/internal/queries"
	"lookout/internal/rules"
)

var alertConstant = &Rule{
	ID: "alert-constant", Severity: finding.Warning,
	Summary: "A comparison is true, or false, for every value that its left side can have.",
	RuleFile: func(p *Pass) {
		p.alerts(func(r *rules.Rule, q *queries.Query) {
			say := func(at int, op string, value float64, always bool, b bounds) {
				if always && deadMan.MatchString(r.Alert) {
					return
				}
				what := "never true, so the alert never fires"
				if always {
					what = "always true, so the alert fires for whatever series there are"
				}
				p.Alert(r, r.Position(at), "%s %s is %s: %s", op, amount(value), what, b.why)
			}
			if r.Threshold != nil {
				b := boundsOf(q.Tree)
				if verdict := b.compare(r.Threshold.Operator(), r.Threshold.Value); verdict != 0 {
					say(0, r.Threshold.Operator(), r.Threshold.Value, verdict > 0, b)
				}
			}
			promql.Walk(q.Tree, func(n parser.Node) {
				c, ok := n.(*parser.BinaryExpr)
				if !ok || !c.Op.IsComparisonOperator() || c.ReturnBool {
					return
				}
				value, ok := constant(c.RHS)
				if !ok {
					return
				}
				b := boundsOf(c.LHS)
				if verdict := b.compare(c.Op.String(), value); verdict != 0 {
					say(q.Offset(c.PositionRange().Start), c.Op.String(), value, verdict > 0, b)
				}
			})
		})
	},
}

// bounds are the values that an expression can have, ends included. why is empty if nothing is known.
type bounds struct {
	low, high float64
	why       string
}

// compare returns 1 if the comparison is true for all values, -1 if for none, 0 if it depends.
func (b bounds) compare(op string, v float64) int {
	if b.why == "" {
		return 0
	}
	verdict := func(always, never bool) int {
		switch {
		case always:
			return 1
		case never:
			return -1
		}
		return 0
	}
	switch op {
	case ">":
		return verdict(b.low > v, b.high <= v)
	case ">=":
		return verdict(b.low >= v, b.high < v)
	case "<":
		return verdict(b.high < v, b.low >= v)
	case "<=":
		return verdict(b.high <= v, b.low > v)
	case "==":
		return verdict(b.low == v && b.high == v, v < b.low || v > b.high)
	case "!=":
		return verdict(v < b.low || v > b.high, b.low == v && b.high == v)
	}
	return 0
}

var infinite = math.Inf(1)

func boundsOf(e parser.Expr) bounds {
	switch n := unparen(e).(type) {
	case *parser.VectorSelector:
		if n.Name == "up" {
			return bounds{0, 1, "up is 0 or 1"}
		}
	case *parser.MatrixSelector:
		return boundsOf(n.VectorSelector)
	case *parser.Call:
		return boundsOfCall(n)
	case *parser.AggregateExpr:
		switch n.Op {
		case parser.COUNT:
			return bounds{1, infinite, "count() is at least 1; where there is nothing to count it is nothing"}
		case parser.GROUP:
			return bounds{1, 1, "group() is 1"}
		case parser.STDDEV, parser.STDVAR:
			return bounds{0, infinite, n.Op.String() + "() is not negative"}
		case parser.AVG, parser.MIN, parser.MAX, parser.TOPK, parser.BOTTOMK, parser.QUANTILE:
			return boundsOf(n.Expr)
		case parser.SUM:
			if b := boundsOf(n.Expr); b.why != "" && b.low >= 0 {
				return bounds{b.low, infinite, b.why}
			}
		}
	case *parser.BinaryExpr:
		if n.Op.IsComparisonOperator() && n.ReturnBool {
			return bounds{0, 1, "a comparison with bool is 0 or 1"}
		}
		// Without bool it keeps values of the left side.
		if n.Op.IsComparisonOperator() {
			if v, ok := constant(n.RHS); ok && n.Op == parser.EQLC {
				return bounds{v, v, "what == " + amount(v) + " leaves is " + amount(v)}
			}
			return boundsOf(n.LHS)
		}
	}
	return bounds{}
}

func boundsOfCall(n *parser.Call) bounds {
	switch name := n.Func.Name; name {
	case "absent", "absent_over_time", "present_over_time":
		return bounds{1, 1, name + "() is 1; where it does not apply it is nothing"}
	case "rate", "irate", "increase", "resets", "changes", "abs", "sqrt", "stddev_over_time", "stdvar_over_time", "histogram_count":
		return bounds{0, infinite, name + "() is not negative"}
	case "count_over_time":
		return bounds{1, infinite, name + "() is at least 1; where there is nothing to count it is nothing"}
	case "hour":
		return bounds{0, 23, "hour() is 0 to 23"}
	case "minute":
		return bounds{0, 59, "minute() is 0 to 59"}
	case "day_of_week":
		return bounds{0, 6, "day_of_week() is 0 to 6"}
	case "day_of_month":
		return bounds{1, 31, "day_of_month() is 1 to 31"}
	case "month":
		return bounds{1, 12, "month() is 1 to 12"}
	case "avg_over_time", "min_over_time", "max_over_time", "last_over_time", "round", "ceil", "floor", "sort", "sort_desc":
		for _, a := range n.Args {
			if t := a.Type(); t == parser.ValueTypeVector || t == parser.ValueTypeMatrix {
				return boundsOf(a)
			}
		}
	}
	return bounds{}
}

// constant is a number as it is written, possibly with a sign.
func constant(e parser.Expr) (float64, bool) {
	switch n := unparen(e).(type) {
	case *parser.NumberLiteral:
		return n.Val, true
	case *parser.UnaryExpr:
		v, ok := constant(n.Expr)
		if n.Op == parser.SUB {
			v = -v
		}
		return v, ok
	}
	return 0, false
}

func amount(v float64) string {
	return strings.TrimSuffix(rules.Threshold{Value: v}.Literal(), ".0")
}

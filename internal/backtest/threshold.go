package backtest

import (
	"slices"

	"github.com/prometheus/prometheus/promql/parser"
)

// threshold is a condition that ends in a comparison with a number: left > value.
type threshold struct {
	left  string
	op    parser.ItemType
	value float64
}

// splitThreshold takes a condition apart; ok is false if it is of another shape.
func splitThreshold(expr string) (t threshold, ok bool) {
	tree, err := parser.NewParser(parser.Options{EnableExperimentalFunctions: true}).ParseExpr(expr)
	if err != nil {
		return t, false
	}
	b, ok := bare(tree).(*parser.BinaryExpr)
	if !ok || b.ReturnBool || !slices.Contains([]parser.ItemType{parser.GTR, parser.GTE, parser.LSS, parser.LTE}, b.Op) || bare(b.LHS).Type() != parser.ValueTypeVector {
		return t, false
	}
	sign := 1.0
	right := bare(b.RHS)
	if u, ok := right.(*parser.UnaryExpr); ok {
		if u.Op == parser.SUB {
			sign = -1
		}
		right = bare(u.Expr)
	}
	n, ok := right.(*parser.NumberLiteral)
	if !ok || n.Val != n.Val {
		return t, false
	}
	return threshold{bare(b.LHS).String(), b.Op, sign * n.Val}, true
}

// bare takes the brackets off.
func bare(e parser.Expr) parser.Expr {
	for {
		p, ok := e.(*parser.ParenExpr)
		if !ok {
			return e
		}
		e = p.Expr
	}
}

// wider reports whether everything that holds for the other holds for t, too: both compare the same, and only the number differs.
func (t threshold) wider(other threshold) bool {
	if t.left != other.left || t.op != other.op {
		return false
	}
	if t.op == parser.GTR || t.op == parser.GTE {
		return t.value <= other.value
	}
	return t.value >= other.value
}

// holds compares as Prometheus does.
func (t threshold) holds(v float64) bool {
	switch t.op {
	case parser.GTR:
		return v > t.value
	case parser.GTE:
		return v >= t.value
	case parser.LSS:
		return v < t.value
	}
	return v <= t.value
}

// where leaves of a matrix what holds for the threshold.
func (m Matrix) where(t threshold) Matrix {
	out := m
	out.Value = nil
	for _, s := range m.Value {
		kept := Series{Metric: s.Metric}
		for i, v := range s.Values {
			if t.holds(v) {
				kept.Times, kept.Values = append(kept.Times, s.Times[i]), append(kept.Values, v)
			}
		}
		if len(kept.Times) > 0 {
			out.Value = append(out.Value, kept)
		}
	}
	return out
}

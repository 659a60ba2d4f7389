package lint

import (
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/finding"
	"lookout/internal/promql"
	"lookout/internal/queries"
)

var vectorMatching = &Rule{
	ID: "vector-matching", Severity: finding.Warning,
	Summary: "The two sides of an operator cannot match: they have no labels in common that could be equal.",
	Query: func(p *Pass, q *queries.Query) {
		if q.Tree == nil {
			return
		}
		promql.Walk(q.Tree, func(n parser.Node) {
			b, ok := n.(*parser.BinaryExpr)
			if !ok || b.VectorMatching == nil || b.Op == parser.LOR {
				return
			}
			left, right := labelsOf(b.LHS), labelsOf(b.RHS)
			m := b.VectorMatching
			if m.On {
				for _, side := range []struct {
					name string
					set  labelSet
				}{{"left", left}, {"right", right}} {
					for _, l := range m.MatchingLabels {
						if side.set.exact && !slices.Contains(side.set.names, l) && !promql.HasVariable(l) && !side.set.variable {
							other := right
							if side.name == "right" {
								other = left
							}
							if other.exact && !slices.Contains(other.names, l) {
								continue // missing on both sides, and so equal
							}
							p.Query(q, q.Offset(b.PositionRange().Start), "%s %s on(%s): the %s side has no label %q, its labels are (%s)", "the operator", b.Op, q.Restore(strings.Join(m.MatchingLabels, ", ")), side.name, l, q.Restore(strings.Join(side.set.names, ", ")))
							return
						}
					}
				}
				return
			}
			if !left.exact || !right.exact || left.variable || right.variable {
				return
			}
			l, r := without(left.names, m.MatchingLabels), without(right.names, m.MatchingLabels)
			if !slices.Equal(l, r) {
				p.Query(q, q.Offset(b.PositionRange().Start), "the left side of %s has the labels (%s), the right side (%s), so no pair is equal; match with on(…) or aggregate both by the same labels", b.Op, strings.Join(l, ", "), strings.Join(r, ", "))
			}
		})
	},
}

// labelSet is what is known about the labels of a vector. exact means that it has these labels and no others.
type labelSet struct {
	names    []string
	exact    bool
	variable bool // one of them is named by a Grafana variable
}

func labelsOf(e parser.Expr) labelSet {
	switch n := unparen(e).(type) {
	case *parser.AggregateExpr:
		switch n.Op {
		case parser.TOPK, parser.BOTTOMK, parser.LIMITK, parser.LIMIT_RATIO:
			return labelsOf(n.Expr)
		}
		if n.Without {
			return labelSet{}
		}
		names := slices.Clone(n.Grouping)
		if n.Op == parser.COUNT_VALUES {
			return labelSet{}
		}
		slices.Sort(names)
		return labelSet{names: slices.Compact(names), exact: true, variable: slices.ContainsFunc(names, promql.HasVariable)}
	case *parser.Call:
		switch n.Func.Name {
		case "absent", "absent_over_time":
			return labelsOfAbsent(n)
		case "label_replace", "label_join", "info", "scalar", "histogram_quantiles":
			return labelSet{}
		case "vector", "time", "pi":
			return labelSet{exact: true}
		case "histogram_quantile":
			if len(n.Args) == 2 {
				s := labelsOf(n.Args[1])
				s.names = without(s.names, []string{"le"})
				return s
			}
		}
		for _, a := range n.Args {
			if t := a.Type(); t == parser.ValueTypeVector || t == parser.ValueTypeMatrix {
				return labelsOf(a)
			}
		}
	case *parser.SubqueryExpr:
		return labelsOf(n.Expr)
	case *parser.UnaryExpr:
		return labelsOf(n.Expr)
	case *parser.BinaryExpr:
		return labelsOfBinary(n)
	}
	return labelSet{}
}

// labelsOfAbsent: absent() answers with the labels that its selector names by =, and with none for anything but a selector.
func labelsOfAbsent(n *parser.Call) labelSet {
	set := labelSet{exact: true}
	arg := unparen(n.Args[0])
	if m, ok := arg.(*parser.MatrixSelector); ok {
		arg = m.VectorSelector
	}
	selector, ok := arg.(*parser.VectorSelector)
	if !ok {
		return set
	}
	count := map[string]int{}
	for _, m := range selector.LabelMatchers {
		count[m.Name]++
	}
	for _, m := range selector.LabelMatchers {
		if m.Type == labels.MatchEqual && m.Name != model.MetricNameLabel && count[m.Name] == 1 && m.Value != "" {
			set.names = append(set.names, m.Name)
			set.variable = set.variable || promql.HasVariable(m.Name)
		}
	}
	slices.Sort(set.names)
	return set
}

func labelsOfBinary(n *parser.BinaryExpr) labelSet {
	if n.VectorMatching == nil {
		if n.LHS.Type() == parser.ValueTypeVector {
			return labelsOf(n.LHS)
		}
		return labelsOf(n.RHS)
	}
	switch {
	case n.Op == parser.LAND || n.Op == parser.LUNLESS:
		return labelsOf(n.LHS)
	case n.Op == parser.LOR:
		l, r := labelsOf(n.LHS), labelsOf(n.RHS)
		if l.exact && r.exact && slices.Equal(l.names, r.names) {
			return l
		}
		return labelSet{}
	}
	switch m := n.VectorMatching; m.Card {
	case parser.CardManyToOne, parser.CardOneToMany:
		many := n.LHS
		if m.Card == parser.CardOneToMany {
			many = n.RHS
		}
		s := labelsOf(many)
		if s.exact {
			names := slices.Concat(s.names, m.Include)
			slices.Sort(names)
			s.names = slices.Compact(names)
			s.variable = s.variable || slices.ContainsFunc(m.Include, promql.HasVariable)
		}
		return s
	default:
		if m.On {
			names := slices.Clone(m.MatchingLabels)
			slices.Sort(names)
			if !n.Op.IsComparisonOperator() || n.ReturnBool {
				return labelSet{names: names, exact: true, variable: slices.ContainsFunc(names, promql.HasVariable)}
			}
		}
		s := labelsOf(n.LHS)
		s.names = without(s.names, m.MatchingLabels)
		if n.Op.IsComparisonOperator() && !n.ReturnBool {
			return labelsOf(n.LHS)
		}
		return s
	}
}

func without(names, drop []string) []string {
	var out []string
	for _, n := range names {
		if !slices.Contains(drop, n) {
			out = append(out, n)
		}
	}
	return out
}

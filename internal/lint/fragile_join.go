package lint

import (
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/finding"
	"lookout/internal/promql"
)

var fragileJoin = &Rule{
	ID: "fragile-join", Severity: finding.Info,
	Summary: "The sides of an operator are matched by all labels that they happen to have: one label more on one side, and nothing matches.",
	RuleFile: func(p *Pass) {
		for _, r := range p.Rules.Rules() {
			q := p.queryOf(r)
			if q == nil || q.Tree == nil {
				continue
			}
			promql.Walk(q.Tree, func(n parser.Node) {
				b, ok := n.(*parser.BinaryExpr)
				if !ok || b.VectorMatching == nil || b.VectorMatching.On || b.Op == parser.LOR {
					return
				}
				left, right := originOf(b.LHS), originOf(b.RHS)
				// Series of one metric, or of one exporter, come with the same labels.
				if left.name == "" || right.name == "" || prefix(left.name) == prefix(right.name) {
					return
				}
				if left.aggregated && right.aggregated {
					return
				}
				p.Query(q, q.Offset(b.PositionRange().Start), "%s and %s are matched by all their labels, which differ as soon as one of them gets another one; say which count: on(…)", left.name, right.name)
			})
		}
	},
}

type origin struct {
	name       string
	aggregated bool
}

// originOf finds the one metric that an operand is made of, and whether its labels are fixed by an aggregation.
func originOf(e parser.Expr) origin {
	var o origin
	many := false
	promql.Walk(e, func(n parser.Node) {
		switch n := n.(type) {
		case *parser.VectorSelector:
			many = many || o.name != "" && o.name != n.Name
			o.name = n.Name
		case *parser.AggregateExpr:
			o.aggregated = o.aggregated || !n.Without
		}
	})
	if many || promql.HasVariable(o.name) {
		return origin{}
	}
	return o
}

// prefix is the name of the exporter, or of the program: "node" of node_load1.
func prefix(name string) string {
	first, _, _ := strings.Cut(name, "_")
	return first
}

package lint

import (
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/finding"
	"lookout/internal/promql"
	"lookout/internal/queries"
	"lookout/internal/rules"
)

var alertAbsent = &Rule{
	ID: "alert-absent", Severity: finding.Warning,
	Summary: "absent() is asked for labels that it can't know.",
	RuleFile: func(p *Pass) {
		p.alerts(func(r *rules.Rule, q *queries.Query) {
			promql.Walk(q.Tree, func(n parser.Node) {
				switch n := n.(type) {
				case *parser.Call:
					if n.Func.Name != "absent" && n.Func.Name != "absent_over_time" {
						return
					}
					if a, ok := unparen(n.Args[0]).(*parser.AggregateExpr); ok && len(a.Grouping) > 0 && !a.Without {
						p.Query(q, q.Offset(n.PosRange.Start), "%s() answers once and without labels if there is nothing at all; it does not say which %s is missing: compare with a list that is there, such as count by (%s) (up) unless …",
							n.Func.Name, strings.Join(a.Grouping, ", "), strings.Join(a.Grouping, ", "))
					}
				case *parser.AggregateExpr:
					call, ok := unparen(n.Expr).(*parser.Call)
					if !ok || n.Without || call.Func.Name != "absent" && call.Func.Name != "absent_over_time" {
						return
					}
					have := labelsOfAbsent(call)
					for _, l := range n.Grouping {
						if !slices.Contains(have.names, l) {
							p.Query(q, q.Offset(n.PosRange.Start), "%s() has the labels that its selector names by =, and %s is not one of them", call.Func.Name, l)
							return
						}
					}
				}
			})
		})
	},
}

package lint

import (
	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/finding"
	"lookout/internal/promql"
	"lookout/internal/queries"
)

var rateOverAggregate = &Rule{
	ID: "rate-over-aggregate", Severity: finding.Error,
	Summary: "A rate is taken over a sum of counters: the restart of one of them looks like a fall of all.",
	Query: func(p *Pass, q *queries.Query) {
		if q.Tree == nil {
			return
		}
		promql.Walk(q.Tree, func(n parser.Node) {
			call, ok := n.(*parser.Call)
			if !ok || call.Func.Name != "rate" && call.Func.Name != "irate" && call.Func.Name != "increase" || len(call.Args) == 0 {
				return
			}
			sub, ok := call.Args[0].(*parser.SubqueryExpr)
			if !ok {
				return
			}
			if agg, ok := unparen(sub.Expr).(*parser.AggregateExpr); ok && agg.Op == parser.SUM {
				p.Query(q, q.Offset(call.PosRange.Start), "%s() over sum(); take the sum of the rates: sum(%s(…))", call.Func.Name, call.Func.Name)
			}
		})
	},
}

func unparen(e parser.Expr) parser.Expr {
	for {
		switch p := e.(type) {
		case *parser.ParenExpr:
			e = p.Expr
		case *parser.StepInvariantExpr:
			e = p.Expr
		default:
			return e
		}
	}
}

package lint

import (
	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/finding"
	"lookout/internal/promql"
	"lookout/internal/queries"
)

var experimentalFunction = &Rule{
	ID: "experimental-function", Severity: finding.Info,
	Summary: "The function works only on some servers: it is experimental, or was renamed.",
	Query: func(p *Pass, q *queries.Query) {
		if q.Tree == nil {
			return
		}
		promql.Walk(q.Tree, func(n parser.Node) {
			call, ok := n.(*parser.Call)
			switch {
			case !ok:
			case call.Func.Name == "holt_winters":
				p.Query(q, q.Offset(call.PosRange.Start), "holt_winters() is called double_exponential_smoothing() since Prometheus 3, and experimental there")
			case call.Func.Experimental:
				p.Query(q, q.Offset(call.PosRange.Start), "%s() needs a Prometheus started with --enable-feature=promql-experimental-functions", call.Func.Name)
			}
		})
	},
}

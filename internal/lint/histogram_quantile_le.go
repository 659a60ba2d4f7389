package lint

import (
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/finding"
	"lookout/internal/promql"
	"lookout/internal/queries"
)

var histogramQuantileLe = &Rule{
	ID: "histogram-quantile-le", Severity: finding.Error,
	Summary: "histogram_quantile() of a classic histogram gets a vector without the label le and answers nothing.",
	Query: func(p *Pass, q *queries.Query) {
		if q.Tree == nil {
			return
		}
		promql.Walk(q.Tree, func(n parser.Node) {
			call, ok := n.(*parser.Call)
			if !ok || call.Func.Name != "histogram_quantile" || len(call.Args) != 2 {
				return
			}
			set := labelsOf(call.Args[1])
			if !set.exact && !dropsLe(call.Args[1]) || set.variable || slices.Contains(set.names, "le") ||
				slices.Contains(set.names, "vmrange") { // VictoriaMetrics' own buckets
				return
			}
			// Without buckets it is a native histogram, which has no le.
			classic := false
			promql.Walk(call.Args[1], func(n parser.Node) {
				if vs, ok := n.(*parser.VectorSelector); ok && strings.HasSuffix(vs.Name, "_bucket") {
					classic = true
				}
			})
			if classic {
				p.Query(q, q.Offset(call.PosRange.Start), "the buckets lose their label le on the way; keep it: sum by (%s) (…)", strings.Join(append([]string{"le"}, set.names...), ", "))
			}
		})
	},
}

func dropsLe(e parser.Expr) bool {
	agg, ok := unparen(e).(*parser.AggregateExpr)
	return ok && agg.Without && slices.Contains(agg.Grouping, "le")
}

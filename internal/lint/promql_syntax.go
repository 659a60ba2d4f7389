package lint

import "lookout/internal/queries"

var promqlSyntax = &Rule{
	ID: "promql-syntax", Severity: Error,
	Summary: "Prometheus refuses the query.",
	Query: func(p *Pass, q *queries.Query) {
		if q.Err == nil {
			return
		}
		if _, ok := relaxed(p, q); ok {
			return // query-language names it
		}
		p.Query(q, q.Err.Offset, "%s", q.Err.Msg)
	},
}

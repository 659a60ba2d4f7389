package lint

import (
	"strings"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/promql"
	"lookout/internal/queries"
)

var queryLanguage = &Rule{
	ID: "query-language", Severity: finding.Info,
	Summary: "The query is LogQL or MetricsQL, but its datasource is said to be a Prometheus.",
	Query: func(p *Pass, q *queries.Query) {
		if evidence, ok := relaxed(p, q); ok {
			p.Query(q, q.Err.Offset, "this is MetricsQL (by its dashboard: %s); Prometheus refuses it: %s", evidence, q.Err.Msg)
			return
		}
		if q.Language == promql.PromQL || q.Family != dashboard.FamilyPrometheus {
			return
		}
		p.Query(q, 0, "this is %s (%s), which Prometheus does not understand; it was not looked at", q.Language, q.Evidence)
	},
}

// relaxed tells whether PromQL's refusal is one of those that VictoriaMetrics does not share, in a dashboard that gives itself away elsewhere. On its own the same
// query is a mistake: rate(x) without a window.
func relaxed(p *Pass, q *queries.Query) (evidence string, ok bool) {
	if q.Err == nil || p.Dashboard == nil {
		return "", false
	}
	for _, msg := range []string{"expected type range vector", "ranges only allowed for vector selectors", "not allowed in binary scalar expression", "must contain only scalar and instant vector", "expected type instant vector in aggregation"} {
		if !strings.Contains(q.Err.Msg, msg) {
			continue
		}
		for _, other := range p.Queries {
			if other.Language == promql.MetricsQL {
				return other.Evidence, true
			}
		}
		for _, v := range p.Dashboard.Variables {
			if v.Type == "datasource" && strings.Contains(v.Query, "victoriametrics") {
				return "datasource variable " + v.Name, true
			}
		}
	}
	return "", false
}

package lint

import (
	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/queries"
)

var rateInterval = &Rule{
	ID: "rate-interval", Severity: Warning,
	Summary: "$__interval follows the zoom and falls below two scrapes; rates want $__rate_interval.",
	Query: func(p *Pass, q *queries.Query) {
		if q.Source == nil {
			return
		}
		for _, s := range q.Selectors() {
			call, ok := s.Parent().(*parser.Call)
			m := s.Range()
			if !ok || m == nil {
				continue
			}
			switch call.Func.Name {
			case "rate", "irate", "increase", "delta", "deriv":
			default:
				continue
			}
			switch rangeText(q, m) {
			case "$__interval", "${__interval}", "[[__interval]]":
				p.Query(q, q.Offset(s.PosRange.End), "%s(…[$__interval]) has gaps when zoomed in; use $__rate_interval, which is never shorter than four scrapes", call.Func.Name)
			}
		}
	},
}

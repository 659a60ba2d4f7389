package lint

import (
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/finding"
	"lookout/internal/queries"
)

var rateInterval = &Rule{
	ID: "rate-interval", Severity: finding.Warning,
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
				if minimum := minInterval(q); minimum >= 2*p.Config.ScrapeInterval {
					continue // it is never shorter than that
				}
				from := q.Offset(s.PosRange.End)
				if i := strings.Index(q.Text[from:], "$__interval"); i >= 0 && rangeText(q, m) == "$__interval" {
					p.rewrites(q, from+i, from+i+len("$__interval"), "$__rate_interval")
				}
				p.Query(q, q.Offset(s.PosRange.End), "%s(…[$__interval]) has gaps when zoomed in; use $__rate_interval, which is never shorter than four scrapes", call.Func.Name)
			}
		}
	},
}

// minInterval is the shortest that $__interval can be for a query: the panel's or the query's min interval. 0 if none is set.
func minInterval(q *queries.Query) time.Duration {
	for _, text := range []string{target(q), panelInterval(q)} {
		if d, err := model.ParseDuration(strings.TrimPrefix(strings.TrimSpace(text), ">")); err == nil {
			return time.Duration(d)
		}
	}
	return 0
}

func target(q *queries.Query) string {
	if q.Source == nil || q.Source.Target == nil {
		return ""
	}
	return q.Source.Target.Interval
}

func panelInterval(q *queries.Query) string {
	if q.Source == nil || q.Source.Panel == nil {
		return ""
	}
	return q.Source.Panel.Node.Get("interval").Text()
}

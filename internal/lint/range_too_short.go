package lint

import (
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/finding"
	"lookout/internal/queries"
)

var rangeTooShort = &Rule{
	ID: "range-too-short", Severity: finding.Warning,
	Summary: "The range is shorter than two scrapes, so most of the time it holds too few samples to compute anything.",
	Query: func(p *Pass, q *queries.Query) {
		for _, s := range q.Selectors() {
			m := s.Range()
			if m == nil || m.Range <= 0 || m.RangeExpr != nil {
				continue
			}
			call, ok := s.Parent().(*parser.Call)
			if !ok {
				continue
			}
			switch call.Func.Name {
			case "rate", "irate", "increase", "delta", "idelta", "deriv", "predict_linear", "changes", "resets":
			default:
				continue
			}
			if rangeIsVariable(q, m) || m.Range >= 2*p.Config.ScrapeInterval {
				continue
			}
			use := "at least"
			if q.Source != nil {
				use = "[$__rate_interval] or at least"
			}
			p.Query(q, q.Offset(s.PosRange.End), "[%s] is shorter than two scrapes of %s; %s() needs two samples, use %s [%s]",
				model.Duration(m.Range), model.Duration(p.Config.ScrapeInterval), call.Func.Name, use, model.Duration(4*p.Config.ScrapeInterval))
		}
	},
}

// rangeIsVariable tells whether the range as written holds a Grafana variable.
func rangeIsVariable(q *queries.Query, m *parser.MatrixSelector) bool {
	return strings.ContainsAny(rangeText(q, m), "$[")
}

// rangeText is what stands between the brackets, as written.
func rangeText(q *queries.Query, m *parser.MatrixSelector) string {
	vs, ok := m.VectorSelector.(*parser.VectorSelector)
	if !ok {
		return ""
	}
	from, to := q.Offset(vs.PosRange.End), q.Offset(m.EndPos)
	if from >= to || to > len(q.Text) {
		return ""
	}
	_, inner, ok := strings.Cut(q.Text[from:to], "[")
	if !ok {
		return ""
	}
	if i := strings.LastIndexByte(inner, ']'); i >= 0 {
		inner = inner[:i]
	}
	return strings.TrimSpace(inner)
}

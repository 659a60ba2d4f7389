package lint

import (
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/promql"
	"lookout/internal/queries"
)

var counterWithoutRate = &Rule{
	ID: "counter-without-rate", Severity: Warning,
	Summary: "A counter is shown as it is; its value depends on when the process started.",
	Query: func(p *Pass, q *queries.Query) {
		if q.Source != nil && q.Source.Variable != nil {
			return // what series there are, not what they say
		}
		for _, s := range q.Selectors() {
			if !looksLikeCounter(s.Metric) || CounterUsedWell(s) {
				continue
			}
			p.Query(q, q.Offset(s.PosRange.Start), "%s is a counter; show rate(%s[$__rate_interval]) or increase(…), since the sum itself starts anew with each restart", q.Restore(s.Metric), q.Restore(s.Metric))
		}
	},
}

// looksLikeCounter goes by the naming rules of Prometheus; recording rules (level:metric:operation) are left alone.
// Source: https://prometheus.io/docs/practices/naming/
func looksLikeCounter(name string) bool {
	return !strings.Contains(name, ":") && !promql.HasVariable(name) && (strings.HasSuffix(name, "_total") || strings.HasSuffix(name, "_bucket"))
}

// counterFunctions take a counter and give something that is none, or ask only whether it is there.
var counterFunctions = map[string]bool{
	"rate": true, "irate": true, "increase": true, "resets": true, "changes": true, "absent": true, "absent_over_time": true, "present_over_time": true,
	"count_over_time": true, "timestamp": true, "label_values": true, "ts_of_last_over_time": true, "info": true,
}

// CounterUsedWell tells whether the functions around a counter give something that does not depend on when the process started, or ask only
// whether it is there.
func CounterUsedWell(s queries.Selector) bool {
	for i := len(s.Parents) - 1; i >= 0; i-- {
		switch n := s.Parents[i].(type) {
		case *parser.Call:
			if counterFunctions[n.Func.Name] {
				return true
			}
		case *parser.AggregateExpr:
			if n.Op == parser.COUNT || n.Op == parser.GROUP || n.Op == parser.COUNT_VALUES {
				return true
			}
		case *parser.BinaryExpr:
			// The right side of and, unless only selects; x and x > 0 asks whether anything ever happened.
			if n.Op.IsSetOperator() && n.Op != parser.LOR && within(n.RHS, s) {
				return true
			}
			// x - x offset 1h is an increase, if a poor one; started - finished is what is still running.
			if n.Op == parser.SUB && n.LHS.Type() == parser.ValueTypeVector && n.RHS.Type() == parser.ValueTypeVector {
				return true
			}
		}
	}
	return false
}

func within(n parser.Expr, s queries.Selector) bool {
	r := n.PositionRange()
	return s.PosRange.Start >= r.Start && s.PosRange.End <= r.End
}

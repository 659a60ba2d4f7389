package lint

import (
	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/finding"
	"lookout/internal/promql"
	"lookout/internal/queries"
	"lookout/internal/rules"
)

var alertComparison = &Rule{
	ID: "alert-comparison", Severity: finding.Warning,
	Summary: "An alert without a comparison fires for every series there is, whatever its value.",
	RuleFile: func(p *Pass) {
		p.alerts(func(r *rules.Rule, q *queries.Query) {
			if r.Threshold != nil || r.Own() || deadMan.MatchString(r.Alert) || filters(q.Tree) {
				return
			}
			p.Alert(r, r.Position(0), "nothing in the expression compares, so the alert fires for every series that it finds, whatever the value; write what is too much, such as > 0")
		})
	},
}

// filters tells whether an expression can come out empty by the values of its series: by a comparison, a set operator or absent().
func filters(e parser.Expr) bool {
	found := false
	promql.Walk(e, func(n parser.Node) {
		switch n := n.(type) {
		case *parser.BinaryExpr:
			found = found || n.Op.IsComparisonOperator() && !n.ReturnBool || n.Op == parser.LUNLESS || n.Op == parser.LAND
		case *parser.Call:
			switch n.Func.Name {
			// vector(1) is the usual way to write an alert that fires always.
			case "absent", "absent_over_time", "vector":
				found = true
			}
		case *parser.VectorSelector:
			// The state of other alerts is 1 where it is at all.
			found = found || n.Name == "ALERTS"
		case *parser.AggregateExpr:
			found = found || n.Op == parser.COUNT_VALUES
		}
	})
	return found
}

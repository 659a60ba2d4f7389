package lint

import (
	"strings"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
)

var emptyQuery = &Rule{
	ID: "empty-query", Severity: finding.Warning,
	Summary: "A query without a text shows nothing.",
	Dashboard: func(p *Pass) {
		for _, panel := range p.Dashboard.Panels {
			for _, t := range panel.Targets {
				family := p.Dashboard.Datasource(panel, t).Family()
				if t.Hide || t.ExprNode == nil || strings.TrimSpace(t.Expr) != "" || family != dashboard.FamilyPrometheus && family != dashboard.FamilyUnknown {
					continue
				}
				p.Panel(panel, t.ExprNode, "query %s is empty; fill it in or delete it", t.RefID)
			}
		}
	},
}

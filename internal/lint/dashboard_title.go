package lint

import (
	"strings"

	"lookout/internal/finding"
)

var dashboardTitle = &Rule{
	ID: "dashboard-title", Severity: finding.Error,
	Summary: "A dashboard without a title is refused by Grafana.",
	Dashboard: func(p *Pass) {
		if strings.TrimSpace(p.Dashboard.Title) == "" {
			p.Node(p.Dashboard.Root, "the dashboard has no title")
		}
	},
}

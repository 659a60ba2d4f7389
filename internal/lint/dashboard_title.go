package lint

import "strings"

var dashboardTitle = &Rule{
	ID: "dashboard-title", Severity: Error,
	Summary: "A dashboard without a title is refused by Grafana.",
	Dashboard: func(p *Pass) {
		if strings.TrimSpace(p.Dashboard.Title) == "" {
			p.Node(p.Dashboard.Root, "the dashboard has no title")
		}
	},
}

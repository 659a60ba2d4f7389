package lint

import (
	"lookout/internal/dashboard"
	"lookout/internal/finding"
)

var dashboardPanels = &Rule{
	ID: "dashboard-panels", Severity: finding.Warning,
	Summary: "Grafana shows an empty page: the dashboard has no list of panels.",
	Dashboard: func(p *Pass) {
		root := p.Dashboard.Root
		if p.Dashboard.Form.IsV2() || root.Get("panels").Is(dashboard.Array) || root.Get("rows").Is(dashboard.Array) {
			return
		}
		if n := root.Get("panels"); n != nil {
			p.Node(n, `"panels" is not a list, so nothing of it is shown`)
			return
		}
		p.Node(root, `there is neither "panels" nor "rows", so Grafana shows an empty page; is a name misspelt?`)
	},
}

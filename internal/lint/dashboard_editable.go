package lint

import (
	"lookout/internal/dashboard"
	"lookout/internal/finding"
)

var dashboardEditable = &Rule{
	ID: "dashboard-editable", Severity: finding.Info,
	Summary: "Edits in Grafana are overwritten by the next apply; editable: false says so before someone loses work.",
	Dashboard: func(p *Pass) {
		if e := p.Dashboard.Root.Get("editable"); e.Bool() {
			p.replaces(e, dashboard.NewBool(false))
			p.Node(e, "editable is true, but what is edited in Grafana is overwritten from this file; set it to false")
		}
	},
}

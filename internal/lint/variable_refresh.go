package lint

import (
	"lookout/internal/dashboard"
	"lookout/internal/finding"
)

var variableRefresh = &Rule{
	ID: "variable-refresh", Severity: finding.Warning,
	Summary: "The values of a variable are never asked for again; new instances don't show up.",
	Dashboard: func(p *Pass) {
		for _, v := range p.Dashboard.Variables {
			if v.Type == "query" && v.Refresh == 0 {
				if r := v.Node.Get("refresh"); r.Is(dashboard.String) {
					p.Node(r, "variable %q: Grafana has no refresh %q, so it is never refreshed; set refresh to 2 (on time range change)", v.Name, r.Text())
					continue
				}
				p.Node(v.Node, "variable %q is never refreshed; set refresh to 2 (on time range change)", v.Name)
			}
		}
	},
}

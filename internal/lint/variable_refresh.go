package lint

import "lookout/internal/finding"

var variableRefresh = &Rule{
	ID: "variable-refresh", Severity: finding.Warning,
	Summary: "The values of a variable are never asked for again; new instances don't show up.",
	Dashboard: func(p *Pass) {
		for _, v := range p.Dashboard.Variables {
			if v.Type == "query" && v.Refresh == 0 {
				p.Node(v.Node, "variable %q is never refreshed; set refresh to 2 (on time range change)", v.Name)
			}
		}
	},
}

package lint

import "lookout/internal/finding"

var unresolvedInput = &Rule{
	ID: "unresolved-input", Severity: finding.Warning,
	Summary: "The dashboard is in the form for publishing: its __inputs are filled in only by Grafana's import dialogue.",
	Dashboard: func(p *Pass) {
		if len(p.Dashboard.Inputs) > 0 {
			p.Node(p.Dashboard.Root.Get("__inputs"), "%d inputs are not filled in (%s, …); bring the file in with lookout import", len(p.Dashboard.Inputs), p.Dashboard.Inputs[0].Name)
		}
	},
}

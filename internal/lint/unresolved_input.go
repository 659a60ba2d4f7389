package lint

import "lookout/internal/finding"

var unresolvedInput = &Rule{
	ID: "unresolved-input", Severity: finding.Warning,
	Summary: "The dashboard is in the form for publishing: its __inputs are filled in only by Grafana's import dialogue.",
	Dashboard: func(p *Pass) {
		if len(p.Dashboard.Inputs) > 0 {
			names, verb := p.Dashboard.Inputs[0].Name, "is"
			if n := len(p.Dashboard.Inputs); n > 1 {
				names, verb = names+", …", "are"
			}
			p.Node(p.Dashboard.Root.Get("__inputs"), "%s %s not filled in (%s); bring the file in with lookout import", finding.Count(len(p.Dashboard.Inputs), "input"), verb, names)
		}
	},
}

package lint

import "lookout/internal/finding"

var mixedSchema = &Rule{
	ID: "mixed-schema", Severity: finding.Warning,
	Summary: "The file has panels or variables of the old schema next to the elements of the new one; Grafana reads the elements only.",
	Dashboard: func(p *Pass) {
		if !p.Dashboard.Form.IsV2() {
			return
		}
		for _, n := range p.Dashboard.Leftovers() {
			p.Node(n, "%q is of the old schema and is not read, since the dashboard has elements and a layout; remove it", n.Key())
		}
	},
}

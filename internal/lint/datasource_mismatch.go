package lint

import (
	"lookout/internal/dashboard"
	"lookout/internal/finding"
)

var datasourceMismatch = &Rule{
	ID: "datasource-mismatch", Severity: finding.Warning,
	Summary: "A query names another datasource than its panel, which is not Mixed; Grafana sends it to the panel's.",
	Dashboard: func(p *Pass) {
		for _, panel := range p.Dashboard.Panels {
			own := p.Dashboard.Resolve(panel.Datasource)
			switch own.Kind {
			case dashboard.RefUID, dashboard.RefName, dashboard.RefVariable, dashboard.RefInput:
			default:
				continue
			}
			for _, t := range panel.Targets {
				r := p.Dashboard.Resolve(t.Datasource)
				switch r.Kind {
				case dashboard.RefUID, dashboard.RefName, dashboard.RefVariable, dashboard.RefInput:
				default:
					continue
				}
				same := r.Value == own.Value || r.Variable != "" && r.Variable == own.Variable
				// Between a name and a uid there is no telling.
				if !same && !(r.Kind == dashboard.RefName && own.Kind == dashboard.RefUID) && !(r.Kind == dashboard.RefUID && own.Kind == dashboard.RefName) {
					p.Panel(panel, t.Datasource.Node, "query %s names %q, the panel %q; make the panel's datasource -- Mixed --", t.RefID, r.Value, own.Value)
				}
			}
		}
	},
}

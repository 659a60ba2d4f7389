package lint

import (
	"slices"

	"lookout/internal/dashboard"
)

var datasourceHardcoded = &Rule{
	ID: "datasource-hardcoded", Severity: Warning,
	Summary: "A datasource is named directly; the dashboard works only where it has that name.",
	Dashboard: func(p *Pass) {
		type place struct {
			value string
			panel *dashboard.Panel
		}
		seen := map[place]bool{}
		p.datasources(func(r dashboard.Ref, panel *dashboard.Panel) {
			if r.Kind != dashboard.RefName && r.Kind != dashboard.RefUID || slices.Contains(p.Config.Datasources, r.Value) || seen[place{r.Value, panel}] {
				return
			}
			seen[place{r.Value, panel}] = true // panel and targets usually repeat it
			p.at(panel, r.Node, "the datasource %q is named directly; use a variable of type datasource, or list the uid in the configuration", r.Value)
		})
	},
}

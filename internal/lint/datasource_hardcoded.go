package lint

import (
	"fmt"
	"slices"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
)

var datasourceHardcoded = &Rule{
	ID: "datasource-hardcoded", Severity: finding.Warning,
	Summary: "A datasource is named directly; the dashboard works only where it has that name.",
	Dashboard: func(p *Pass) {
		// The remedy is the same wherever it stands: one finding for each datasource.
		type use struct {
			node   *dashboard.Node
			panel  *dashboard.Panel
			panels map[*dashboard.Panel]bool
		}
		uses := map[string]*use{}
		var order []string
		p.datasources(func(r dashboard.Ref, panel *dashboard.Panel) {
			if r.Kind != dashboard.RefName && r.Kind != dashboard.RefUID || slices.Contains(p.Config.Datasources, r.Value) {
				return
			}
			u := uses[r.Value]
			if u == nil {
				u = &use{r.Node, panel, map[*dashboard.Panel]bool{}}
				uses[r.Value] = u
				order = append(order, r.Value)
			}
			u.panels[panel] = true
		})
		for _, value := range order {
			u, more := uses[value], ""
			if n := len(u.panels) - 1; n > 0 {
				more = fmt.Sprintf(" (here and in %s)", finding.Count(n, "other place"))
			}
			p.at(u.panel, u.node, "the datasource %q is named directly%s; use a variable of type datasource, or list the uid in the configuration", value, more)
		}
	},
}

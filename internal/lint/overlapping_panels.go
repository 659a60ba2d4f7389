package lint

import (
	"cmp"
	"slices"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
)

var overlappingPanels = &Rule{
	ID: "overlapping-panels", Severity: finding.Warning,
	Summary: "Two panels lie on each other; Grafana moves one of them down, and with it all below.",
	Dashboard: func(p *Pass) {
		groups := map[*dashboard.Panel][]*dashboard.Panel{}
		for _, panel := range p.Dashboard.Panels {
			if panel.OldRow || !panel.HasGrid || panel.Grid.W <= 0 || panel.Grid.H <= 0 {
				continue
			}
			var holder *dashboard.Panel
			if panel.Nested {
				holder = panel.Row
			}
			groups[holder] = append(groups[holder], panel)
		}
		for _, panels := range groups {
			panels = slices.Clone(panels)
			slices.SortStableFunc(panels, func(a, b *dashboard.Panel) int { return cmp.Compare(a.Grid.Y, b.Grid.Y) })
			// Sorted by top edge only those that reach this far down can overlap: linear for real dashboards, even with 2,000 panels.
			var open []*dashboard.Panel
			for _, panel := range panels {
				open = slices.DeleteFunc(open, func(o *dashboard.Panel) bool { return o.Grid.Y+o.Grid.H <= panel.Grid.Y })
				for _, o := range open {
					if o.Grid.Overlaps(panel.Grid) {
						p.Panel(panel, panel.Node.Get("gridPos"), "it overlaps %q on line %d", o.Name(), o.Node.Pos().Line)
						break
					}
				}
				if len(open) < 64 {
					open = append(open, panel)
				}
			}
		}
	},
}

package lint

import "lookout/internal/finding"

var panelSize = &Rule{
	ID: "panel-size", Severity: finding.Warning,
	Summary: "A panel reaches beyond the 24 columns of the grid, or has no size.",
	Dashboard: func(p *Pass) {
		for _, panel := range p.Dashboard.Panels {
			at := panel.Node.Get("gridPos")
			if panel.OldRow || panel.IsRow() || at == nil { // Grafana gives rows all columns
				continue
			}
			switch g := panel.Grid; {
			case !panel.HasGrid:
				p.Panel(panel, at, "gridPos has no width or height")
			case g.W <= 0 || g.H <= 0 || g.X < 0 || g.Y < 0:
				p.Panel(panel, at, "gridPos is %d wide and %d high at %d, %d", g.W, g.H, g.X, g.Y)
			case g.X+g.W > 24:
				p.Panel(panel, at, "from column %d with a width of %d it reaches beyond the 24 columns", g.X, g.W)
			}
		}
	},
}

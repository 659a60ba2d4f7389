package lint

import (
	"lookout/internal/dashboard"
	"lookout/internal/finding"
)

var duplicatePanelID = &Rule{
	ID: "duplicate-panel-id", Severity: finding.Error,
	Summary: "Two panels have the same id: links, alerts and -- Dashboard -- queries reach only one of them.",
	Dashboard: func(p *Pass) {
		seen := map[int64]*dashboard.Panel{}
		for _, panel := range p.Dashboard.Panels {
			// Rows of the old kind have no use for an id, and 0 means "none yet".
			if !panel.HasID || panel.ID == 0 || panel.OldRow && panel.IsRow() {
				continue
			}
			if first := seen[panel.ID]; first != nil {
				p.Panel(panel, panel.Node.Get("id"), "the id %d belongs to the panel %q on line %d already", panel.ID, first.Name(), first.Node.Pos().Line)
				continue
			}
			seen[panel.ID] = panel
		}
	},
}

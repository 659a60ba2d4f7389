package lint

import (
	"strings"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
)

var panelDescription = &Rule{
	ID: "panel-description", Severity: finding.Info,
	Summary: "A panel without a description leaves its reader to guess what is good and what is bad.",
	Dashboard: func(p *Pass) {
		for _, panel := range p.Dashboard.Panels {
			if showsData(panel) && strings.TrimSpace(panel.Description) == "" {
				p.Panel(panel, nil, "the panel has no description; say what it shows and what to do if it looks bad")
			}
		}
	},
}

// showsData tells panels that show data of their own from rows, texts, lists and references to library panels.
func showsData(panel *dashboard.Panel) bool {
	switch panel.Type {
	case "", "row", "text", "dashlist", "alertlist", "news", "welcome", "annolist", "pluginlist", "gettingstarted":
		return false
	}
	return panel.LibraryNode == nil
}

package lint

import (
	"strings"

	"lookout/internal/finding"
)

var panelTitle = &Rule{
	ID: "panel-title", Severity: finding.Warning,
	Summary: "A panel without a title doesn't say what it shows.",
	Dashboard: func(p *Pass) {
		for _, panel := range p.Dashboard.Panels {
			if showsData(panel) && strings.TrimSpace(panel.Title) == "" {
				p.Panel(panel, nil, "the %s panel has no title", panel.Type)
			}
		}
	},
}

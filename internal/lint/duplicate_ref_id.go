package lint

import "lookout/internal/finding"

var duplicateRefID = &Rule{
	ID: "duplicate-ref-id", Severity: finding.Error,
	Summary: "Two queries of a panel have the same refId; overrides, transformations and alerts can't tell them apart.",
	Dashboard: func(p *Pass) {
		for _, panel := range p.Dashboard.Panels {
			if len(panel.Targets) < 2 {
				continue
			}
			seen := map[string]int{}
			for _, t := range panel.Targets {
				if t.RefID == "" {
					continue
				}
				if line, dup := seen[t.RefID]; dup {
					p.Panel(panel, t.Node.Get("refId"), "there is a query %s on line %d already", t.RefID, line)
					continue
				}
				seen[t.RefID] = t.Node.Pos().Line
			}
		}
	},
}

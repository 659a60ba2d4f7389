package lint

import "lookout/internal/finding"

var libraryPanel = &Rule{
	ID: "library-panel", Severity: finding.Warning,
	Summary: "A library panel lives in one Grafana, not in the file: it cannot be reviewed, and is missing elsewhere.",
	Dashboard: func(p *Pass) {
		elements := p.Dashboard.Root.Get("__elements")
		for _, panel := range p.Dashboard.Panels {
			switch {
			case panel.LibraryNode == nil:
			case panel.Library == "":
				p.Panel(panel, panel.LibraryNode, "the reference to a library panel has no uid")
			case elements.Get(panel.Library) == nil:
				p.Panel(panel, panel.LibraryNode, "the content is the library panel %q, which is not in the file; unlink it", panel.Library)
			}
		}
	},
}

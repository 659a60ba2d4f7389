package lint

import "lookout/internal/finding"

var layoutElement = &Rule{
	ID: "layout-element", Severity: finding.Error,
	Summary: "The layout names an element that is not there, or an element stands nowhere in the layout.",
	Dashboard: func(p *Pass) {
		for _, n := range p.Dashboard.MissingElements() {
			p.Node(n, "the layout shows the element %q, which is not among the elements", n.Text())
		}
		for _, panel := range p.Dashboard.Panels {
			if panel.Unplaced {
				p.Panel(panel, nil, "the layout does not show this element, so that it can't be seen; place or remove it")
			}
		}
	},
}

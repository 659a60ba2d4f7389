package lint

import "lookout/internal/finding"

var jsonDuplicateKey = &Rule{
	ID: "json-duplicate-key", Severity: finding.Error,
	Summary: "An object has two members of the same name; all but the last are silently lost.",
	Dashboard: func(p *Pass) {
		for _, n := range p.Dashboard.Doc.Duplicates {
			first := n
			for _, c := range n.Parent().Children() {
				if c.Key() == n.Key() {
					first = c
					break
				}
			}
			pos := n.KeyPos()
			p.report(n, pos, "", "%q stands in this object on line %d already; Grafana uses the last one only", n.Key(), first.KeyPos().Line)
		}
	},
}

package lint

import (
	"slices"
	"strings"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/promql"
)

var unusedVariable = &Rule{
	ID: "unused-variable", Severity: finding.Warning,
	Summary: "A variable can be chosen but changes nothing.",
	Dashboard: func(p *Pass) {
		if len(p.Dashboard.Variables) == 0 {
			return
		}
		used := map[string]bool{}
		for _, panel := range p.Dashboard.Panels {
			used[strings.TrimPrefix(panel.Repeat, "$")] = true
			for _, item := range panel.Condition.Path("spec", "items").Items() {
				used[item.Path("spec", "variable").Text()] = true
			}
		}
		for _, panel := range p.Dashboard.Panels {
			if panel.LibraryNode != nil {
				return // what a library panel uses is not in the file
			}
		}
		// A link that hands on the variables makes each of them count where it leads.
		links := p.Dashboard.Links
		for _, panel := range p.Dashboard.Panels {
			links = append(slices.Clip(links), panel.Links...)
		}
		if slices.ContainsFunc(links, func(l *dashboard.Link) bool { return l.Node.Get("includeVars").Bool() }) {
			return
		}
		// The text between the variables is searched as it is in the file: JSON escapes none of the characters a name has. Within a variable its own name does not count.
		src, at := p.Dashboard.Doc.Source, 0
		note := func(text, own string) {
			promql.EachVariable(text, func(u promql.Use) {
				if u.Name != own {
					used[u.Name] = true
				}
			})
		}
		for _, v := range p.Dashboard.Variables {
			start, end := v.Node.Range()
			if start < at {
				continue
			}
			note(src[at:start], "")
			note(src[start:end], v.Name)
			at = end
		}
		note(src[at:], "")
		if strings.Contains(src, `\u0024`) { // a $ that somebody did escape
			p.Dashboard.Root.Walk(func(n *dashboard.Node) bool {
				note(n.Text(), "")
				return true
			})
		}
		for _, v := range p.Dashboard.Variables {
			// Ad hoc filters and group-bys act without being named; a link that hands on all variables uses constants, too.
			if v.Name == "" || used[v.Name] || v.Type == "adhoc" || v.Type == "groupby" || used["__all_variables"] && v.Type == "constant" {
				continue
			}
			p.Node(v.Node, "variable %q is used nowhere", v.Name)
		}
	},
}

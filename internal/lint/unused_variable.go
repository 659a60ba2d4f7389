package lint

import (
	"strings"

	"lookout/internal/dashboard"
	"lookout/internal/promql"
)

var unusedVariable = &Rule{
	ID: "unused-variable", Severity: Warning,
	Summary: "A variable can be chosen but changes nothing.",
	Dashboard: func(p *Pass) {
		if len(p.Dashboard.Variables) == 0 {
			return
		}
		used := map[string]bool{}
		var owner *dashboard.Variable
		var walk func(n *dashboard.Node)
		walk = func(n *dashboard.Node) {
			if n.Is(dashboard.String) {
				text := n.Text()
				if n.Key() == "repeat" {
					used[strings.TrimPrefix(text, "$")] = true
				}
				if strings.IndexByte(text, '$') < 0 && !strings.Contains(text, "[[") {
					return
				}
				for _, u := range promql.Variables(text) {
					if owner == nil || u.Name != owner.Name {
						used[u.Name] = true
					}
				}
				// ${v} inside a link is written var-v=$v or ${v:queryparam}; both are found above. A link may also carry all variables.
				return
			}
			for _, c := range n.Children() {
				walk(c)
			}
		}
		byNode := map[*dashboard.Node]*dashboard.Variable{}
		for _, v := range p.Dashboard.Variables {
			byNode[v.Node] = v
		}
		list := p.Dashboard.Root.Path("templating", "list")
		for _, c := range p.Dashboard.Root.Children() {
			if c.Key() == "templating" {
				for _, v := range list.Items() {
					owner = byNode[v]
					walk(v)
				}
				owner = nil
				continue
			}
			walk(c)
		}
		for _, v := range p.Dashboard.Variables {
			// Ad hoc filters and group-bys act without being named; a link that hands on all variables uses them, too.
			if v.Name == "" || used[v.Name] || v.Type == "adhoc" || v.Type == "groupby" || used["__all_variables"] && v.Type == "constant" {
				continue
			}
			p.Node(v.Node, "variable %q is used nowhere", v.Name)
		}
	},
}

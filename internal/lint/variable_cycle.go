package lint

import (
	"slices"
	"strings"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/promql"
)

var variableCycle = &Rule{
	ID: "variable-cycle", Severity: finding.Error,
	Summary: "Variables ask for each other's value in a circle, so none of them can ever be filled.",
	Dashboard: func(p *Pass) {
		needs := map[string][]string{}
		for _, v := range p.Dashboard.Variables {
			if v.Type == "datasource" {
				continue // its values are Grafana's datasources
			}
			for _, text := range []string{v.Query, v.Regex, v.Datasource.Value} {
				for _, u := range promql.Variables(text) {
					if p.Dashboard.Variable(u.Name) != nil {
						needs[v.Name] = append(needs[v.Name], u.Name)
					}
				}
			}
		}
		done := map[string]bool{}
		var visit func(v *dashboard.Variable, path []string)
		visit = func(v *dashboard.Variable, path []string) {
			if i := slices.Index(path, v.Name); i >= 0 {
				p.Node(p.Dashboard.Variable(path[i]).Node, "%s", strings.Join(append(path[i:], v.Name), " needs "))
				return
			}
			if done[v.Name] {
				return
			}
			path = append(path, v.Name)
			for _, other := range needs[v.Name] {
				visit(p.Dashboard.Variable(other), path)
				if done[v.Name] {
					return
				}
			}
			done[v.Name] = true
		}
		for _, v := range p.Dashboard.Variables {
			if v.Name != "" && !done[v.Name] {
				visit(v, nil)
				done[v.Name] = true
			}
		}
	},
}

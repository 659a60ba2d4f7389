package lint

import (
	"regexp"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
)

var exprVariable = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?`)

var panelReference = &Rule{
	ID: "panel-reference", Severity: finding.Error,
	Summary: "A query takes the result of a panel or query that does not exist.",
	Dashboard: func(p *Pass) {
		ids := map[int64]bool{}
		for _, panel := range p.Dashboard.Panels {
			if panel.HasID {
				ids[panel.ID] = true
			}
		}
		for _, panel := range p.Dashboard.Panels {
			refs := map[string]bool{}
			for _, t := range panel.Targets {
				refs[t.RefID] = true
			}
			for _, t := range panel.Targets {
				r := p.Dashboard.Datasource(panel, t)
				if r.Kind == dashboard.RefDashboard {
					if id, ok := t.Node.Get("panelId").Int(); ok && !ids[id] {
						p.Panel(panel, t.Node.Get("panelId"), "query %s shows the result of panel %d, which does not exist", t.RefID, id)
					}
				}
				if r.Kind != dashboard.RefExpr {
					continue
				}
				expr := t.Node.Get("expression")
				names := []string{}
				switch t.Node.Get("type").Text() {
				case "sql", "classic_conditions": // SQL names queries as tables, and tables of its own
					continue
				}
				if t.Node.Get("type").Text() == "math" {
					for _, m := range exprVariable.FindAllStringSubmatch(expr.Text(), -1) {
						names = append(names, m[1])
					}
				} else if expr.Text() != "" {
					names = append(names, exprName(expr.Text()))
				}
				for _, name := range names {
					if !refs[name] && p.Dashboard.Variable(name) == nil {
						p.Panel(panel, expr, "expression %s takes query %s, which does not exist", t.RefID, name)
					}
				}
			}
		}
	},
}

func exprName(s string) string {
	if m := exprVariable.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	return s
}

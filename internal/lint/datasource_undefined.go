package lint

import (
	"fmt"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
)

var datasourceUndefined = &Rule{
	ID: "datasource-undefined", Severity: finding.Error,
	Summary: "A datasource is named by a variable that does not exist, or is none for datasources.",
	Dashboard: func(p *Pass) {
		gone := map[string]*undefinedUse{}
		var order []string
		p.datasources(func(r dashboard.Ref, panel *dashboard.Panel) {
			switch {
			case r.Kind == dashboard.RefInvalid:
				p.at(panel, r.Node, "a datasource is %s; write {\"type\": …, \"uid\": …}", r.Node.Kind())
			case r.Kind != dashboard.RefVariable:
			case p.Dashboard.Variable(r.Variable) == nil:
				// The remedy is the same wherever it stands: one finding for each variable.
				u := gone[r.Variable]
				if u == nil {
					u = &undefinedUse{ref: r, panel: panel, panels: map[*dashboard.Panel]bool{}}
					gone[r.Variable] = u
					order = append(order, r.Variable)
				}
				u.panels[panel] = true
			default:
				switch v := p.Dashboard.Variable(r.Variable); v.Type {
				case "datasource", "constant", "custom", "textbox", "query":
				default:
					p.at(panel, r.Node, "the datasource %q: variable %q is of type %s", r.Value, r.Variable, v.Type)
				}
			}
		})
		for _, name := range order {
			u, more := gone[name], ""
			if n := len(u.panels) - 1; n > 0 {
				more = fmt.Sprintf(" (here and in %s)", finding.Count(n, "other place"))
			}
			p.at(u.panel, u.ref.Node, "the datasource %q: there is no variable or input %q%s", u.ref.Value, name, more)
		}
	},
}

// undefinedUse is the first place that names a datasource by a variable that is not there, and all panels that do.
type undefinedUse struct {
	ref    dashboard.Ref
	panel  *dashboard.Panel
	panels map[*dashboard.Panel]bool
}

// datasources visits every reference to a datasource, resolved.
func (p *Pass) datasources(visit func(dashboard.Ref, *dashboard.Panel)) {
	d := p.Dashboard
	one := func(r dashboard.Ref, panel *dashboard.Panel) {
		if r.Kind != dashboard.RefAbsent {
			visit(d.Resolve(r), panel)
		}
	}
	for _, v := range d.Variables {
		if v.Type == "query" || v.Type == "adhoc" {
			one(v.Datasource, nil)
		}
	}
	for _, a := range d.Annotations {
		if !a.BuiltIn {
			one(a.Datasource, nil)
		}
	}
	for _, panel := range d.Panels {
		if panel.IsRow() {
			continue
		}
		one(panel.Datasource, panel)
		for _, t := range panel.Targets {
			one(t.Datasource, panel)
		}
	}
}

// at reports about a panel if there is one, else about the dashboard.
func (p *Pass) at(panel *dashboard.Panel, n *dashboard.Node, format string, args ...any) {
	if panel != nil {
		p.Panel(panel, n, format, args...)
		return
	}
	p.Node(n, format, args...)
}

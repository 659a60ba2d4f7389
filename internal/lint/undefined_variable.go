package lint

import (
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/promql"
	"lookout/internal/queries"
)

var undefinedVariable = &Rule{
	ID: "undefined-variable", Severity: finding.Error,
	Summary: "A variable is used that the dashboard does not define.",
	Query: func(p *Pass, q *queries.Query) {
		if p.Dashboard == nil {
			return
		}
		groups := captureGroups(q)
		for _, u := range q.Uses {
			if u.Builtin || p.defines(u.Name) || u.Quoted && groups[u.Name] {
				continue
			}
			p.Query(q, u.At, "there is no variable %q", u.Name)
		}
	},
	Dashboard: func(p *Pass) {
		check := func(panel *dashboard.Panel, n *dashboard.Node) {
			for _, u := range promql.Variables(n.Text()) {
				// "$5" in a title is money, and __field and the like are known only when a panel is drawn.
				if u.Builtin || p.defines(u.Name) || u.Name[0] >= '0' && u.Name[0] <= '9' {
					continue
				}
				if panel == nil {
					p.report(n, n.PosIn(u.At), "", "there is no variable %q", u.Name)
				} else {
					p.report(n, n.PosIn(u.At), panel.Name(), "there is no variable %q", u.Name)
				}
			}
		}
		for _, panel := range p.Dashboard.Panels {
			check(panel, panel.Node.Get("title"))
			for _, key := range []string{"interval", "timeFrom", "timeShift"} {
				check(panel, panel.Node.Get(key))
			}
			for _, t := range panel.Targets {
				check(panel, t.Node.Get("legendFormat"))
				check(panel, t.Node.Get("interval"))
			}
			if panel.Repeat != "" && p.Dashboard.Variable(strings.TrimPrefix(panel.Repeat, "$")) == nil {
				p.Panel(panel, panel.Node.Get("repeat"), "it is repeated for the variable %q, which does not exist", panel.Repeat)
			}
		}
		for _, v := range p.Dashboard.Variables {
			if v.Type == "query" {
				check(nil, v.Node.Get("regex"))
			}
		}
	},
}

// defines tells whether a name is a variable or, in a published dashboard, an input.
func (p *Pass) defines(name string) bool {
	return p.Dashboard.Variable(name) != nil || p.Dashboard.Input(name) != nil
}

// captureGroups are the names of groups in the regular expressions of label_replace, whose replacement refers to them like a variable.
func captureGroups(q *queries.Query) map[string]bool {
	if q.Tree == nil || !strings.Contains(q.Text, "label_replace") {
		return nil
	}
	out := map[string]bool{}
	promql.Walk(q.Tree, func(n parser.Node) {
		call, ok := n.(*parser.Call)
		if !ok || call.Func.Name != "label_replace" || len(call.Args) != 5 {
			return
		}
		expr, ok := unparen(call.Args[4]).(*parser.StringLiteral)
		if !ok {
			return
		}
		for part := range strings.SplitSeq(expr.Val, "(?") {
			part = strings.TrimPrefix(part, "P")
			if rest, ok := strings.CutPrefix(part, "<"); ok {
				if name, _, ok := strings.Cut(rest, ">"); ok {
					out[name] = true
				}
			}
		}
	})
	return out
}

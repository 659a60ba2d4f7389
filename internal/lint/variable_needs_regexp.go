package lint

import (
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"lookout/internal/dashboard"
	"lookout/internal/queries"
)

var variableNeedsRegexp = &Rule{
	ID: "variable-needs-regexp", Severity: Error,
	Summary: "A variable that can hold several values is compared with =, which finds nothing once two are chosen.",
	Query: func(p *Pass, q *queries.Query) {
		if p.Dashboard == nil || len(q.Uses) == 0 {
			return
		}
		for _, s := range q.Selectors() {
			for _, m := range s.LabelMatchers {
				if m.Type != labels.MatchEqual && m.Type != labels.MatchNotEqual {
					continue
				}
				written := q.Restore(m.Value)
				if written == m.Value {
					continue
				}
				for _, u := range q.Uses {
					if !strings.Contains(written, q.Text[u.At:u.End]) || u.Format != "" {
						continue
					}
					if v := p.Dashboard.Variable(u.Name); v != nil && several(v) && !repeated(q.Source.Panel, u.Name) {
						p.Query(q, u.At, "%s%s%q: %s can be several values at once (%s); write %s~", m.Name, m.Type, written, u.Name, why(v), m.Type)
						break
					}
				}
			}
		}
	},
}

// repeated reports whether a panel, or a row or tab that it stands in, is repeated for the variable: there it has one value at a time.
func repeated(panel *dashboard.Panel, name string) bool {
	for p := panel; p != nil; {
		if strings.TrimPrefix(p.Repeat, "$") == name {
			return true
		}
		if p.Outer != nil {
			p = p.Outer
		} else {
			p = p.Row
		}
	}
	return false
}

// several tells whether Grafana may put an alternation in for the variable. With an allValue "All" is what that says.
func several(v *dashboard.Variable) bool {
	return v.Type != "datasource" && v.Type != "interval" && (v.Multi || v.IncludeAll && v.AllValue == "") || v.Type != "datasource" && v.IncludeAll && strings.ContainsAny(v.AllValue, ".*+|")
}

func why(v *dashboard.Variable) string {
	if v.Multi {
		return "multi"
	}
	return "includeAll"
}

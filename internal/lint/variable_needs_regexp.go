package lint

import (
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/queries"
)

var variableNeedsRegexp = &Rule{
	ID: "variable-needs-regexp", Severity: finding.Error,
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
						if i := operatorBefore(q.Text, u.At, m.Type.String()); i >= 0 {
							p.rewrites(q, i, i+len(m.Type.String()), strings.TrimSuffix(m.Type.String(), "=")+map[bool]string{true: "=~", false: "~"}[m.Type == labels.MatchEqual])
						}
						p.Query(q, u.At, "%s%s%q: %s can be several values at once (%s); write %s~", m.Name, m.Type, written, u.Name, why(v), m.Type)
						break
					}
				}
			}
		}
	},
}

// operatorBefore finds the operator of the matcher whose quoted value a byte stands in; -1 if it is not there.
func operatorBefore(text string, at int, operator string) int {
	quote := strings.LastIndexAny(text[:at], "\"'`")
	if quote < 0 {
		return -1
	}
	before := strings.TrimRight(text[:quote], " \t\r\n")
	if !strings.HasSuffix(before, operator) {
		return -1
	}
	return len(before) - len(operator)
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

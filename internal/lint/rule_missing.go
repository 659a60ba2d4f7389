package lint

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/finding"
	"lookout/internal/promql"
)

// recordedName is how recorded series are named: level:metric:operations.
// Source: https://prometheus.io/docs/practices/rules/
var recordedName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*(:[a-zA-Z0-9_]+)+$`)

var ruleMissing = &Rule{
	ID: "rule-missing", Severity: finding.Warning,
	Summary: "A rule asks for what another rule records, or for another alert, and there is no such rule in the files.",
	Finish: func(l *Linter) {
		recorded, alerts := map[string]bool{}, map[string]bool{}
		for _, f := range l.files {
			for _, r := range f.Rules() {
				if r.Record != "" {
					recorded[r.Record] = true
				} else {
					alerts[r.Alert] = true
				}
			}
		}
		for _, f := range l.files {
			for _, r := range f.Rules() {
				if r.Expr == "" || r.Group.Language != "" {
					continue
				}
				e := l.Parser.Parse(r.Expr, nil)
				if e.Tree == nil {
					continue
				}
				said := map[string]bool{}
				say := func(n parser.Node, what, name string) {
					if said[name] {
						return
					}
					said[name] = true
					at := r.Position(e.Offset(n.PositionRange().Start))
					l.add(finding.Finding{
						Rule: "rule-missing", Severity: finding.Warning, File: at.File, Line: at.Line, Column: at.Column, Panel: r.Name(),
						Message: fmt.Sprintf("there is no rule in these files that %s %s", what, name),
					}, "", r.Expr+"\n"+r.Comments(), nil)
				}
				promql.Walk(e.Tree, func(n parser.Node) {
					s, ok := n.(*parser.VectorSelector)
					if !ok {
						return
					}
					switch {
					case s.Name == "ALERTS" || s.Name == "ALERTS_FOR_STATE":
						for _, m := range s.LabelMatchers {
							if m.Name == labels.AlertName && m.Type == labels.MatchEqual && !alerts[m.Value] && !promql.HasVariable(m.Value) {
								say(s, "alerts as", m.Value)
							}
						}
					// Where nothing is recorded, the recording rules are elsewhere.
					case len(recorded) > 0 && strings.Contains(s.Name, ":") && recordedName.MatchString(s.Name) && !recorded[s.Name] && !promql.HasVariable(s.Name):
						say(s, "records", s.Name)
					}
				})
			}
		}
	},
}

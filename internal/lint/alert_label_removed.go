package lint

import (
	"slices"
	"strings"

	"lookout/internal/finding"
	"lookout/internal/queries"
	"lookout/internal/rules"
)

var alertLabelRemoved = &Rule{
	ID: "alert-label-removed", Severity: finding.Warning,
	Summary: "The text of an alert names a label that its expression does not have.",
	RuleFile: func(p *Pass) {
		p.alerts(func(r *rules.Rule, q *queries.Query) {
			set := labelsOf(q.Tree)
			said := map[string]bool{}
			for _, pair := range slices.Concat(r.Labels, r.Annotations) {
				for _, used := range rules.TemplateLabels(pair.Value) {
					if said[used.Name] || !set.exact && used.Name != "alertname" || slices.Contains(set.names, used.Name) {
						continue
					}
					said[used.Name] = true
					switch {
					case used.Name == "alertname":
						p.Alert(r, r.PlaceOf(pair, used.Offset), "$labels has the labels of the expression, and alertname is not one of them; write the name")
					case len(set.names) == 0:
						p.Alert(r, r.PlaceOf(pair, used.Offset), "$labels.%s is empty: the result of the expression has no labels", used.Name)
					default:
						p.Alert(r, r.PlaceOf(pair, used.Offset), "$labels.%s is empty: the result of the expression has the labels %s only", used.Name, strings.Join(set.names, ", "))
					}
				}
			}
		})
	},
}

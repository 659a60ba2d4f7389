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
			aboutAlerts := namesAlerts(q)
			said := map[string]bool{}
			for _, pair := range slices.Concat(r.Labels, r.Annotations) {
				for _, used := range rules.TemplateLabels(pair.Value) {
					if said[used.Name] || !set.exact && (used.Name != "alertname" || aboutAlerts) || slices.Contains(set.names, used.Name) {
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

// namesAlerts reports whether series may have a label alertname: those about alerts have, like ALERTS and what rule evaluators count of each rule.
func namesAlerts(q *queries.Query) bool {
	for _, s := range q.Selectors() {
		if s.Metric == "" || strings.Contains(strings.ToLower(s.Metric), "alert") {
			return true
		}
		for _, m := range s.LabelMatchers {
			if m.Name == "alertname" {
				return true
			}
		}
	}
	return false
}

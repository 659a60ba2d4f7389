package dashboard

import (
	"fmt"
	"strings"
)

// ConditionText says in words when a conditional rendering shows what it belongs to: `shown if $details is "true" and there is data`. Without a condition it is
// "always shown".
func ConditionText(n *Node) string {
	spec := n.Get("spec")
	items := spec.Get("items")
	if items.Len() == 0 {
		return "always shown"
	}
	verb := "shown if "
	if spec.Get("visibility").Text() == "hide" {
		verb = "hidden if "
	}
	join := " and "
	if spec.Get("condition").Text() == "or" {
		join = " or "
	}
	var parts []string
	for _, item := range items.Items() {
		s := item.Get("spec")
		switch kind := item.Get("kind").Text(); kind {
		case "ConditionalRenderingVariable":
			operator := map[string]string{"equals": "=", "notEquals": "≠", "matches": "matches", "notMatches": "does not match"}[s.Get("operator").Text()]
			if operator == "" {
				operator = s.Get("operator").Scalarish()
			}
			parts = append(parts, fmt.Sprintf("%s %s %s", s.Get("variable").Text(), operator, s.Get("value").Scalarish()))
		case "ConditionalRenderingData":
			if s.Get("value").Is(Bool) && !s.Get("value").Bool() {
				parts = append(parts, "there is no data")
			} else {
				parts = append(parts, "there is data")
			}
		case "ConditionalRenderingTimeRangeSize":
			parts = append(parts, "the time range is below "+s.Get("value").Scalarish())
		default:
			parts = append(parts, item.Compact())
		}
	}
	return verb + strings.Join(parts, join)
}

package lint

import (
	"regexp"

	"lookout/internal/finding"
	"lookout/internal/queries"
	"lookout/internal/rules"
)

var (
	action = regexp.MustCompile(`\{\{-?\s*(.*?)\s*-?\}\}`)
	// What tests a value, or keeps it, doesn't print it.
	noPrint  = regexp.MustCompile(`^(if|else|with|range|end|define|template)\b|:=`)
	theValue = regexp.MustCompile(`(\$value|\.Value)\b`)
)

// printsValue finds the action of a template that writes the value; -1 if there is none.
func printsValue(text string) int {
	for _, m := range action.FindAllStringSubmatchIndex(text, -1) {
		if inner := text[m[2]:m[3]]; theValue.MatchString(inner) && !noPrint.MatchString(inner) {
			return m[0]
		}
	}
	return -1
}

var alertValueLabel = &Rule{
	ID: "alert-value-label", Severity: finding.Warning,
	Summary: "The value of an alert is in one of its labels: with each change it is another alert, and its pending period starts again.",
	RuleFile: func(p *Pass) {
		p.alerts(func(r *rules.Rule, _ *queries.Query) {
			for _, l := range r.Labels {
				if at := printsValue(l.Value); at >= 0 {
					p.Alert(r, r.PlaceOf(l, at), "label %s holds the value, so each change of it ends the alert and begins another; move it to an annotation", l.Name)
				}
			}
		})
	},
}

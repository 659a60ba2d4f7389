package lint

import (
	"maps"
	"slices"

	"lookout/internal/finding"
	"lookout/internal/rules"
)

var alertPolicy = &Rule{
	ID: "alert-policy", Severity: finding.Error,
	Summary: "An alert lacks a label or an annotation that .lookout.yaml asks for, or has another value.",
	RuleFile: func(p *Pass) {
		for _, r := range p.Rules.Rules() {
			if r.Alert == "" {
				continue
			}
			for _, side := range []struct {
				what  string
				asked map[string]Pattern
				have  []rules.Pair
			}{{"label", p.Config.Alerts.Labels, append(slices.Clone(r.Labels), r.Group.Labels...)}, {"annotation", p.Config.Alerts.Annotations, r.Annotations}} {
				for _, name := range slices.Sorted(maps.Keys(side.asked)) {
					pattern := side.asked[name]
					i := slices.IndexFunc(side.have, func(h rules.Pair) bool { return h.Name == name })
					switch {
					case i < 0:
						p.Alert(r, r.Place(side.what+"s"), "%s %s is missing; .lookout.yaml asks for %s", side.what, name, pattern)
					case !pattern.MatchString(side.have[i].Value):
						p.Alert(r, r.PlaceOf(side.have[i], 0), "%s %s is %q; .lookout.yaml asks for %s", side.what, name, side.have[i].Value, pattern)
					}
				}
			}
		}
	},
}

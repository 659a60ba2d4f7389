package lint

import (
	"regexp"
	"slices"
	"strings"

	"lookout/internal/finding"
)

var usedExternal = regexp.MustCompile(`(?:\$externalLabels|\.ExternalLabels)\.([a-zA-Z_][a-zA-Z0-9_]*)`)

var externalLabel = &Rule{
	ID: "external-label", Severity: finding.Warning,
	Summary: "A template asks for an external label that Prometheus is not configured to have.",
	RuleFile: func(p *Pass) {
		for _, r := range p.Rules.Rules() {
			for _, pair := range slices.Concat(r.Labels, r.Annotations) {
				if at := strings.Index(pair.Value, "$externalURL"); at >= 0 && r.Own() {
					p.Alert(r, r.PlaceOf(pair, at), "Grafana's templates have no $externalURL, and the text of the message would be an error there; links are in every message by themselves")
				}
				for _, m := range usedExternal.FindAllStringSubmatchIndex(pair.Value, -1) {
					name := pair.Value[m[2]:m[3]]
					switch {
					case r.Own():
						p.Alert(r, r.PlaceOf(pair, m[0]), "Grafana's templates have no external labels; the environment is in every message by itself")
					case p.Config.ExternalLabels != nil && !slices.Contains(p.Config.ExternalLabels, name):
						p.Alert(r, r.PlaceOf(pair, m[0]), "there is no external label %s; external-labels in .lookout.yaml has %s", name, strings.Join(p.Config.ExternalLabels, ", "))
					}
				}
			}
		}
	},
}

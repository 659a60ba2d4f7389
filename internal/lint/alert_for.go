package lint

import (
	"time"

	"github.com/prometheus/common/model"

	"lookout/internal/finding"
	"lookout/internal/queries"
	"lookout/internal/rules"
)

var alertFor = &Rule{
	ID: "alert-for", Severity: finding.Warning,
	Summary: "The pending period is shorter than the time between two evaluations, so it is as long as that.",
	RuleFile: func(p *Pass) {
		p.alerts(func(r *rules.Rule, _ *queries.Query) {
			interval, pending := span(r.Group.Interval), span(r.For)
			if interval > 0 && pending > 0 && pending < interval {
				p.Alert(r, r.Place("for"), "for is %s, but the group is evaluated every %s: the alert fires at the second evaluation, after %s; write that, or 0s", r.For, r.Group.Interval, r.Group.Interval)
			}
		})
	},
}

// span is a duration in Prometheus' notation, 0 if it is none.
func span(text string) time.Duration {
	d, err := model.ParseDuration(text)
	if err != nil {
		return 0
	}
	return time.Duration(d)
}

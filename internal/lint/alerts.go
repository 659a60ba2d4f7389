package lint

import (
	"regexp"

	"lookout/internal/queries"
	"lookout/internal/rules"
)

// alerts calls f for each alert whose expression is PromQL that could be parsed.
func (p *Pass) alerts(f func(r *rules.Rule, q *queries.Query)) {
	for _, r := range p.Rules.Rules() {
		if q := p.queryOf(r); q != nil && q.Tree != nil && r.Alert != "" {
			f(r, q)
		}
	}
}

// deadMan are names of alerts that fire always, on purpose: their end is the news.
var deadMan = regexp.MustCompile(`(?i)watchdog|dead.?man|heart.?beat|always.?firing`)

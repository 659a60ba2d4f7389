package lint

import (
	"strings"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/promql"
	"lookout/internal/queries"
)

var silenceReason = &Rule{
	ID: finding.SilenceReasonID, Severity: finding.Error,
	Summary: "A rule is silenced without a reason, or a rule is named that does not exist.",
	Dashboard: func(p *Pass) {
		if !strings.Contains(p.Dashboard.Doc.Source, finding.SilenceKey) {
			return
		}
		p.Dashboard.Root.Walk(func(n *dashboard.Node) bool {
			s := n.Get(finding.SilenceKey)
			if s == nil {
				return true
			}
			if !s.Is(dashboard.Object) {
				p.Node(s, "%s is %s; write an object from rule to reason", finding.SilenceKey, s.Kind())
				return true
			}
			for _, c := range s.Children() {
				switch {
				case !p.knows(c.Key()):
					p.Node(c, "there is no rule %q to silence", c.Key())
				case strings.TrimSpace(c.Text()) == "":
					p.Node(c, "%s is silenced without a reason; say why it can be overlooked", c.Key())
				}
			}
			return true
		})
	},
	Query: func(p *Pass, q *queries.Query) {
		if !strings.Contains(q.Text, "lookout:ignore") {
			return
		}
		comments := promql.Comments(q.Text)
		for _, m := range finding.QueryComment.FindAllStringSubmatchIndex(q.Text, -1) {
			if !strings.Contains(comments, q.Text[m[0]:m[3]]) {
				continue // a string
			}
			rule := q.Text[m[2]:m[3]]
			switch {
			case !p.knows(rule):
				p.Query(q, m[2], "there is no rule %q to silence", rule)
			case m[4] < 0:
				p.Query(q, m[2], "%s is silenced without a reason; write # lookout:ignore %s: why", rule, rule)
			}
		}
	},
}

// knows tells whether a rule exists, here or in check.
func (p *Pass) knows(rule string) bool {
	return p.linter.ids[rule] != nil || strings.HasPrefix(rule, "check-")
}

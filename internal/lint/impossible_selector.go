package lint

import (
	"github.com/prometheus/prometheus/model/labels"

	"lookout/internal/finding"
	"lookout/internal/promql"
	"lookout/internal/queries"
)

var impossibleSelector = &Rule{
	ID: "impossible-selector", Severity: finding.Error,
	Summary: "Two label matchers contradict each other, so the selector can never find a series.",
	Query: func(p *Pass, q *queries.Query) {
		for _, s := range q.Selectors() {
			if a, b, ok := contradiction(s.LabelMatchers); ok {
				p.Query(q, q.Offset(s.PosRange.Start), "no series can have both %s and %s", q.Restore(a.String()), q.Restore(b.String()))
			}
		}
	},
}

// contradiction finds two matchers of one label that exclude each other. A value with a variable in it can be anything.
func contradiction(ms []*labels.Matcher) (a, b *labels.Matcher, ok bool) {
	if len(ms) < 2 {
		return nil, nil, false
	}
	for i, a := range ms {
		if a.Type != labels.MatchEqual || promql.HasVariable(a.Value) || promql.HasVariable(a.Name) {
			continue
		}
		for j, b := range ms {
			if i == j || a.Name != b.Name || promql.HasVariable(b.Value) {
				continue
			}
			if !accepts(b, a.Value) {
				return a, b, true
			}
		}
	}
	// x=~"a" and x!~"a" with the same expression.
	for i, a := range ms {
		for _, b := range ms[i+1:] {
			if a.Name == b.Name && a.Value == b.Value && (a.Type == labels.MatchRegexp && b.Type == labels.MatchNotRegexp || a.Type == labels.MatchNotRegexp && b.Type == labels.MatchRegexp) {
				return a, b, true
			}
		}
	}
	return nil, nil, false
}

// accepts tells whether a label of that value passes the matcher.
func accepts(m *labels.Matcher, value string) bool {
	switch m.Type {
	case labels.MatchEqual:
		return m.Value == value
	case labels.MatchNotEqual:
		return m.Value != value
	}
	compiled, err := labels.NewMatcher(m.Type, m.Name, m.Value) // those in the tree are not compiled
	return err != nil || compiled.Matches(value)
}

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
	// One pass for each kind, since a selector may have thousands of matchers.
	equal := map[string]*labels.Matcher{}
	for _, m := range ms {
		if m.Type != labels.MatchEqual || promql.HasVariable(m.Value) || promql.HasVariable(m.Name) {
			continue
		}
		if was := equal[m.Name]; was == nil {
			equal[m.Name] = m
		} else if was.Value != m.Value {
			return was, m, true
		}
	}
	for _, m := range ms {
		if a := equal[m.Name]; a != nil && m.Type != labels.MatchEqual && !promql.HasVariable(m.Value) && !accepts(m, a.Value) {
			return a, m, true
		}
	}
	// x=~"a" and x!~"a" with the same expression.
	type regexp struct{ name, value string }
	seen := map[regexp]*labels.Matcher{}
	for _, m := range ms {
		if m.Type != labels.MatchRegexp && m.Type != labels.MatchNotRegexp {
			continue
		}
		key := regexp{m.Name, m.Value}
		if was := seen[key]; was != nil && was.Type != m.Type {
			return was, m, true
		} else if was == nil {
			seen[key] = m
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

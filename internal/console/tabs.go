package console

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"lookout/internal/dashboard"
	"lookout/internal/render"
)

// tabParam is the parameter that names the chosen tab, as in Grafana's addresses. That of tabs inside of a tab or row has the slug of that before it.
const tabParam = "dtab"

// tabs finds the bars of tabs of a V2 dashboard, by the index of the section that they stand before, and which sections belong to a tab that is not the chosen one.
func tabs(r *request, sections []render.BoardSection) (bars map[int][]optionView, hidden map[int]bool) {
	type group struct {
		param string
		// members are indices of sections; chosen is one of them.
		members []int
		slugs   []string
		chosen  int
	}
	groups := map[*dashboard.Panel]*group{}
	var order []*group
	for i, s := range sections {
		if s.Row == nil || !s.Row.Tab {
			continue
		}
		g := groups[s.Row.Outer]
		if g == nil {
			g = &group{param: tabParam}
			for out := s.Row.Outer; out != nil; out = out.Outer {
				g.param = slug(out.Title) + "-" + g.param
			}
			groups[s.Row.Outer] = g
			order = append(order, g)
		}
		name := slug(s.Title)
		for n := 2; slices.Contains(g.slugs, name); n++ {
			name = slug(s.Title) + "-" + strconv.Itoa(n)
		}
		g.members, g.slugs = append(g.members, i), append(g.slugs, name)
	}
	if len(order) == 0 {
		return nil, nil
	}
	// The chosen sections, and the rows that they are, since what stands inside of a tab names its row.
	chosen, open := map[int]bool{}, map[*dashboard.Panel]bool{}
	for _, g := range order {
		g.chosen = g.members[0]
		for n, name := range g.slugs {
			if name == r.URL.Query().Get(g.param) {
				g.chosen = g.members[n]
			}
		}
		chosen[g.chosen], open[sections[g.chosen].Row] = true, true
	}
	hidden = map[int]bool{}
	for i, s := range sections {
		if s.Row == nil {
			continue
		}
		hidden[i] = s.Row.Tab && !chosen[i]
		for out := s.Row.Outer; out != nil; out = out.Outer {
			hidden[i] = hidden[i] || out.Tab && !open[out]
		}
	}
	bars = map[int][]optionView{}
	for _, g := range order {
		first := g.members[0]
		if hidden[g.chosen] {
			continue // the bar stands inside of a tab that is not shown
		}
		for n, i := range g.members {
			bars[first] = append(bars[first], optionView{sections[i].Title, r.with(g.param, g.slugs[n]), i == g.chosen})
		}
	}
	return bars, hidden
}

// slug is a title as it stands in an address: Grafana's for titles in Latin script; others keep their letters, which Grafana's loses.
func slug(title string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(title) {
		switch {
		case unicode.IsLetter(c), unicode.IsDigit(c), c == '_':
			b.WriteRune(c)
		case c == ' ' && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	return b.String()
}

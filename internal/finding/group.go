package finding

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// quoted is what messages name: a metric, a label, a variable. Without it they say the same of different things.
var quoted = regexp.MustCompile("\"[^\"]*\"|`[^`]*`|[a-zA-Z_:][a-zA-Z0-9_:]*_[a-zA-Z0-9_:]*|[0-9]+")

// Groups writes findings that say the same of several places as one line each, the most frequent of each severity first, and at most so many lines: what a person
// can take in of a file that others wrote. What is left out is counted.
func (r *Result) Groups(w io.Writer, lines int) error {
	type group struct {
		Finding
		places []string
		count  int
	}
	var groups []*group
	byKey := map[string]*group{}
	for _, f := range r.Findings {
		key := f.Rule + "\x00" + quoted.ReplaceAllString(f.Message, "…")
		g := byKey[key]
		if g == nil {
			g = &group{Finding: f}
			byKey[key] = g
			groups = append(groups, g)
		}
		g.count++
		if place := f.Panel; place != "" && !slices.Contains(g.places, place) {
			g.places = append(g.places, place)
		}
	}
	slices.SortStableFunc(groups, func(a, b *group) int {
		if a.Severity != b.Severity {
			return a.Severity.rank() - b.Severity.rank()
		}
		return b.count - a.count
	})
	const mostPlaces = 3
	var b strings.Builder
	left := 0
	for i, g := range groups {
		if i >= lines {
			left += g.count
			continue
		}
		fmt.Fprintf(&b, "%-7s %s (%s)", g.Severity, g.Message, g.Rule)
		if g.count > 1 {
			fmt.Fprintf(&b, " and %d more like it", g.count-1)
		}
		if len(g.places) > 0 {
			var named []string
			for _, p := range g.places[:min(len(g.places), mostPlaces)] {
				named = append(named, fmt.Sprintf("%q", p))
			}
			fmt.Fprintf(&b, ": %s", strings.Join(named, ", "))
			if more := len(g.places) - mostPlaces; more > 0 {
				fmt.Fprintf(&b, " and %d more", more)
			}
		}
		b.WriteByte('\n')
	}
	if left > 0 {
		fmt.Fprintf(&b, "… and %s of %s\n", Count(left, "finding"), Count(len(groups)-lines, "other kind"))
	}
	fmt.Fprintln(&b, r.Line())
	_, err := io.WriteString(w, b.String())
	return err
}

package render

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// logs writes a line for each series that came back: the time, the value, and its labels. Log lines themselves are in a datasource that is not asked here.
func (r *renderer) logs(p *pen, body rect, v *view, list []*series) {
	const line = 17.0
	newest := v.panel.Node.Path("options", "sortOrder").Text() != "Ascending"
	type entry struct {
		t    float64
		s    *series
		text string
	}
	var lines []entry
	for _, s := range list {
		if s.f.hidden || len(s.points) == 0 {
			continue
		}
		last := s.points[len(s.points)-1]
		text, _, _ := v.fields.shown(s.f, last.v)
		lines = append(lines, entry{last.t, s, s.name + " " + text.String()})
	}
	slices.SortStableFunc(lines, func(a, b entry) int {
		if newest {
			return cmp.Compare(b.t, a.t)
		}
		return cmp.Compare(a.t, b.t)
	})
	stamp, code := textStyle{size: 10.5, mono: true, color: r.pal.dim, exact: true}, textStyle{size: 10.5, mono: true, color: r.pal.text}
	y := body.y
	for i, l := range lines {
		if y+line > body.bottom() {
			v.skip(plural(len(lines)-i, "more line"))
			return
		}
		p.fill(rect{body.x, y + 2, 3, line - 4}, 1, l.s.color)
		when := time.UnixMilli(int64(l.t * 1000)).In(r.loc).Format(time.DateTime)
		p.text(body.x+9, y+12, p.fit(when, body.w-10, stamp), stamp)
		x := body.x + 9 + p.width(when, stamp) + 10
		p.text(x, y+12, p.fit(l.text, body.right()-x, code), code)
		y += line
	}
}

// labelText writes labels without those that are told elsewhere.
func labelText(m model.Metric, without ...model.LabelName) string {
	var out []string
	for _, n := range labelNames([]*series{{metric: m}}) {
		if !slices.Contains(without, n) {
			out = append(out, string(n)+"="+string(m[n]))
		}
	}
	return strings.Join(out, "  ")
}

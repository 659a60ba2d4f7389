package render

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"lookout/internal/dashboard"
)

// pie draws each series' value as a share of all of them.
func (r *renderer) pie(p *pen, body rect, v *view, list []*series) {
	values := slices.DeleteFunc(v.reduce(list), func(s reduced) bool { return !(s.value > 0) || math.IsInf(s.value, 0) })
	n := v.panel.Node
	opts := n.Get("options")
	switch cmp.Or(opts.Get("sort").Text(), "desc") {
	case "desc":
		slices.SortStableFunc(values, func(a, b reduced) int { return cmp.Compare(b.value, a.value) })
	case "asc":
		slices.SortStableFunc(values, func(a, b reduced) int { return cmp.Compare(a.value, b.value) })
	}
	// The sum of the largest numbers would have none.
	largest := 0.0
	for _, s := range values {
		largest = max(largest, s.value)
	}
	share, scaled := 0.0, make([]float64, len(values))
	for i, s := range values {
		scaled[i] = s.value / largest
		share += scaled[i]
	}
	if len(values) == 0 || share <= 0 {
		r.noData(p, body, v)
		return
	}
	// The legend lists what the reader has hidden, too, in the order of the pie.
	spec := pieLegend(v.panel)
	spec.whole = largest * share
	entries := make([]*series, 0, len(list))
	for _, s := range values {
		one := *s.series
		one.color, one.points = s.color, []point{{v: s.value}}
		entries = append(entries, &one)
	}
	for _, s := range list {
		if s.f.hidden {
			entries = append(entries, s)
		}
	}
	body = r.legendBy(p, body, v, entries, spec)
	radius := min(body.w, body.h)/2 - 4
	if radius < 10 {
		return
	}
	cx, cy := body.x+body.w/2, body.y+body.h/2
	inner := 0.0
	if cmp.Or(opts.Get("pieType").Text(), n.Get("pieType").Text()) == "donut" {
		inner = radius * 0.62
	}
	var labels []string
	for _, l := range opts.Get("displayLabels").Items() {
		labels = append(labels, l.Text())
	}
	at := math.Pi / 2
	for i, s := range values {
		sweep := -2 * math.Pi * scaled[i] / share
		p.ring(cx, cy, radius, inner, at, sweep, s.color)
		if len(values) > 1 {
			sin, cos := math.Sincos(at)
			p.line(cx+inner*cos, cy-inner*sin, cx+radius*cos, cy-radius*sin, 1, r.pal.panel)
		}
		var text []string
		for _, l := range labels {
			switch l {
			case "name":
				text = append(text, s.name)
			case "value":
				text = append(text, s.text.String())
			case "percent":
				text = append(text, fixed(math.Round(scaled[i]/share*100), 0)+"%")
			}
		}
		// A label stands where the slice is wide enough for it.
		far := inner + (radius-inner)*0.62
		st := textStyle{size: 11, bold: true, color: readableOn(s.color), align: alignMiddle}
		if room := min(2*far*math.Sin(min(-sweep/2, math.Pi/2)), (radius-inner)*1.1); len(text) > 0 && room > 26 {
			sin, cos := math.Sincos(at + sweep/2)
			y := cy - far*sin - float64(len(text)-1)*6.5 + 4
			for _, t := range text {
				p.text(cx+far*cos, y, p.fit(t, room, st), st)
				y += 13
			}
		}
		at += sweep
	}
}

// pieLegend reads the legend of a pie chart, of which that of the old plugin has members of its own.
func pieLegend(panel *dashboard.Panel) legendSpec {
	spec := readLegend(panel)
	spec.calcs = nil
	for _, v := range panel.Node.Path("options", "legend", "values").Items() {
		spec.calcs = append(spec.calcs, v.Text())
	}
	if panel.Type == "grafana-piechart-panel" {
		l := panel.Node.Get("legend")
		spec.show = !l.Get("show").Is(dashboard.Bool) || l.Get("show").Bool()
		spec.right = strings.HasPrefix(panel.Node.Get("legendType").Text(), "Right")
		spec.calcs = nil
		if l.Get("values").Bool() {
			spec.calcs = append(spec.calcs, "value")
		}
		if l.Get("percentage").Bool() {
			spec.calcs = append(spec.calcs, "percent")
		}
		spec.table = len(spec.calcs) > 0
	}
	return spec
}

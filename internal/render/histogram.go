package render

import (
	"math"
	"slices"
)

// histogram counts the values of the series in buckets of one width.
func (r *renderer) histogram(p *pen, body rect, v *view, list []*series) {
	body = r.legend(p, body, v, list)
	opts := v.panel.Node.Get("options")
	var shown []*series
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, s := range list {
		if s.f.hidden {
			continue
		}
		shown = append(shown, s)
		for _, pt := range s.points {
			if !math.IsNaN(pt.v) && !math.IsInf(pt.v, 0) {
				lo, hi = min(lo, pt.v), max(hi, pt.v)
			}
		}
	}
	if math.IsInf(lo, 0) {
		r.noData(p, body, v)
		return
	}
	if body.w < 60 || body.h < 30 {
		return
	}
	count := 30.0
	if n := number(v.panel.Node.Path("xaxis", "buckets")); n != nil && *n >= 1 { // graph's
		count = min(*n, 200)
	}
	if n := number(opts.Get("bucketCount")); n != nil && *n >= 1 {
		count = min(*n, 200)
	}
	width := niceDecimal((hi - lo) / count)
	if n := number(opts.Get("bucketSize")); n != nil && *n > 0 && (hi-lo)/(*n) < 2000 {
		width = *n
	}
	offset := 0.0
	if n := number(opts.Get("bucketOffset")); n != nil {
		offset = *n
	}
	if !(width > 0) || math.IsInf(width, 0) || math.Floor(hi/width) == math.Floor(hi/width)+1 {
		width = max(math.Abs(hi)*0.1, 1) // all values are one, or as good as
	}
	bucket := func(v float64) float64 { return math.Floor((v-offset)/width + 1e-9) }
	first, n := bucket(lo), int(min(bucket(hi)-bucket(lo)+1, 2000))
	combine := opts.Get("combine").Bool()
	var counts [][]float64
	most := 0.0
	for i, s := range shown {
		if i == 0 || !combine {
			counts = append(counts, make([]float64, n))
		}
		c := counts[len(counts)-1]
		for _, pt := range s.points {
			if b := int(bucket(pt.v) - first); !math.IsNaN(pt.v) && !math.IsInf(pt.v, 0) && b >= 0 && b < n {
				c[b]++
			}
		}
		most = max(most, slices.Max(c))
	}
	var bars []box
	for i, c := range counts {
		for b, k := range c {
			if k > 0 {
				x := offset + (first+float64(b))*width
				bars = append(bars, box{x0: x, x1: x + width, y0: 0, y1: k, color: alpha(shown[i].color, max(shown[i].f.fill/math.Sqrt(float64(len(counts))), 0.3))})
			}
		}
	}
	pl := r.newPlot()
	f := shown[0].f
	values := &axis{field: f, r: r}
	pl.X.Min, pl.X.Max = offset+first*width, offset+(first+float64(n))*width
	pl.X.Tick.Marker = tickList(values.ticks(pl.X.Min, pl.X.Max, body.w/90))
	plainField := *f
	plainField.unit, plainField.decimals, plainField.min, plainField.max = "short", -1, nil, nil
	ax := &axis{field: &plainField, r: r, lo: 0, hi: most * 1.08}
	r.chartAxes(pl, ax, body)
	g := r.grid()
	g.Vertical.Width = 0
	pl.Add(g, &boxes{list: bars, m: r.m, inset: 0.5, handler: pl.TextHandler})
	drawPlot(p, pl, body.cut(6, 4, 0, 0))
}

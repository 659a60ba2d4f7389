package render

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/plot/plotter"
)

// xyChart draws columns of numbers over another one of the same table.
func (r *renderer) xyChart(p *pen, body rect, v *view, list []*series) {
	frames := v.tables
	if frames == nil {
		frames = ensureColumns(v.frames(list))
	}
	o := v.panel.Node.Get("options")
	want := cmp.Or(o.Get("xField").Text(), o.Path("dims", "x").Text(), o.Get("series").At(0).Path("x", "matcher", "options").Text())
	lines := v.panel.Type == "trend" || cmp.Or(v.panel.Node.Path("fieldConfig", "defaults", "custom", "show").Text(), o.Get("series").At(0).Get("show").Text()) == "lines"
	var curves []*curve
	var shown []*series
	lo, hi, xlo, xhi := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	var xField *field
	for _, f := range frames {
		x := f.find(want)
		if x == nil || want == "" {
			x = f.first(numberColumn)
		}
		if x == nil {
			continue
		}
		xField = cmp.Or(xField, v.fields.column(x, f.refID))
		for _, c := range f.numbers() {
			if c == x {
				continue
			}
			s := &series{name: c.title, refID: f.refID, metric: c.labels, f: v.fields.column(c, f.refID)}
			if s.f.name != "" {
				s.name = v.displayName(s.f.name, c.title, c.labels)
			}
			var run plotter.XYs
			for i, y := range c.cells {
				px, py := x.cells[i].value(), y.value()
				if math.IsNaN(px+py) || math.IsInf(px+py, 0) {
					continue
				}
				xlo, xhi, lo, hi = min(xlo, px), max(xhi, px), min(lo, py), max(hi, py)
				run = append(run, plotter.XY{X: px, Y: py})
				s.points = append(s.points, point{px, py})
			}
			s.color = v.fields.valueColor(s.f, calc("last", s.points), len(shown))
			s.f.draw = "points"
			if lines {
				s.f.draw = "line"
				slices.SortStableFunc(run, func(a, b plotter.XY) int { return cmp.Compare(a.X, b.X) })
			}
			shown = append(shown, s)
			if len(run) > 0 {
				curves = append(curves, &curve{series: s, runs: []plotter.XYs{run}})
			}
		}
	}
	if len(curves) == 0 {
		// Without a second column of numbers there is nothing to draw over each other.
		v.skip("x and y: drawn over the time")
		r.timeseries(p, body, v, list)
		return
	}
	body = r.legend(p, body, v, shown)
	if body.w < 60 || body.h < 30 {
		return
	}
	ax := &axis{field: shown[0].f, r: r}
	r.axisRange(ax, lo, hi)
	pl := r.newPlot()
	xax := &axis{field: xField, r: r}
	r.axisRange(xax, xlo, xhi)
	pl.X.Min, pl.X.Max = xax.lo, xax.hi
	pl.X.Tick.Marker = tickList(xax.ticks(xax.lo, xax.hi, body.w/90))
	r.chartAxes(pl, ax, body)
	pl.Add(r.grid())
	r.addCurves(pl, curves)
	drawPlot(p, pl, body.cut(4, 6, 0, 0))
}

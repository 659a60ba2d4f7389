package render

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
)

// span is a value that holds for a time.
type span struct {
	from, to float64
	text     string
	color    color.NRGBA
}

// stateTimeline draws a band for each series, cut where its value changes.
func (r *renderer) stateTimeline(p *pen, body rect, v *view, list []*series) {
	merge := v.panel.Node.Path("options", "mergeValues")
	r.bands(p, body, v, list, merge == nil || merge.Bool() || v.panel.Type != "state-timeline")
}

// statusHistory draws a cell for each value of each series.
func (r *renderer) statusHistory(p *pen, body rect, v *view, list []*series) {
	r.bands(p, body, v, list, false)
}

func (r *renderer) bands(p *pen, body rect, v *view, list []*series, merge bool) {
	body = r.legendOfStates(p, body, v, list)
	var rows []*series
	for _, s := range list {
		if !s.f.hidden {
			rows = append(rows, s)
		}
	}
	if body.w < 60 || body.h < 30 || len(rows) == 0 {
		return
	}
	room := max(int((body.h-20)/9), 1)
	if len(rows) > room {
		v.skip(plural(len(rows)-room, "more series"))
		rows = rows[:room]
	}
	opts := v.panel.Node.Get("options")
	height := 0.9
	if n := number(opts.Get("rowHeight")); n != nil && *n > 0 {
		height = min(*n, 1)
	}
	show := opts.Get("showValue").Text()
	var list2 []box
	end := float64(r.end.UnixMilli()) / 1000
	for i, s := range rows {
		y := float64(len(rows) - 1 - i)
		for _, sp := range r.spans(v, s, end, merge) {
			b := box{x0: sp.from, x1: sp.to, y0: y - height/2, y1: y + height/2, color: sp.color}
			if show != "never" {
				b.label = sp.text
			}
			list2 = append(list2, b)
		}
	}
	pl := r.newPlot()
	pl.X.Min, pl.X.Max = float64(r.start.UnixMilli())/1000, end
	pl.X.Tick.Marker = tickList(timeTicks(r.start, r.end, r.loc, body.w/90))
	pl.Y.Min, pl.Y.Max = -0.5, float64(len(rows))-0.5
	st := textStyle{size: 10.5}
	every := everyNth(len(rows), 13, body.h-22)
	var names []plot.Tick
	for i := 0; i < len(rows); i += every {
		names = append(names, plot.Tick{Value: float64(len(rows) - 1 - i), Label: r.m.fit(rows[i].name, body.w*0.25, st)})
	}
	pl.Y.Tick.Marker = tickList(names)
	b := &boxes{list: list2, m: r.m, handler: pl.TextHandler, ink: r.pal.text}
	if !merge {
		b.inset = 0.5
	}
	pl.Add(b)
	r.drawChart(p, pl, body.cut(4, 6, 0, 0))
}

// spans are the values of a series with the time that each holds; merge makes one of equal ones that follow each other.
func (r *renderer) spans(v *view, s *series, end float64, merge bool) []span {
	step := s.step
	if step <= 0 {
		step = spacing(s.points)
	}
	var out []span
	for i, pt := range s.points {
		if math.IsNaN(pt.v) {
			continue
		}
		to := pt.t + step
		if i+1 < len(s.points) && (s.points[i+1].t-pt.t < step*1.5 || s.f.spanNulls) {
			to = s.points[i+1].t
		}
		if step <= 0 {
			to = end
		}
		to = min(to, max(end, pt.t))
		text, col, mapped := v.fields.shown(s.f, pt.v)
		if !mapped {
			col = v.fields.valueColor(s.f, pt.v, 0)
			if s.f.colorMode == "palette-classic" {
				col = s.color
			}
		}
		if last := len(out) - 1; merge && last >= 0 && out[last].text == text.String() && out[last].color == col && out[last].to >= pt.t-1e-6 {
			out[last].to = to
			continue
		}
		out = append(out, span{pt.t, to, text.String(), alpha(col, 0.9)})
		out[len(out)-1].color.A = 255
	}
	return out
}

// legendOfStates lists the states and their colours; a page's legend lists the series, since those are what a reader hides.
func (r *renderer) legendOfStates(p *pen, body rect, v *view, list []*series) rect {
	if r.live != nil {
		return r.legend(p, body, v, list)
	}
	spec := readLegend(v.panel)
	spec.table, spec.right, spec.calcs = false, false, nil
	var states []*series
	seen := map[string]bool{}
	for _, s := range list {
		for _, sp := range r.spans(v, s, math.Inf(1), true) {
			if key := sp.text; !seen[key] && len(states) < 24 {
				seen[key] = true
				f := *s.f
				f.draw, f.noLegend = "bars", false
				states = append(states, &series{name: sp.text, f: &f, color: sp.color})
			}
		}
	}
	return r.legendBy(p, body, v, states, spec)
}

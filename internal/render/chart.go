package render

import (
	"cmp"
	"image/color"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lookout/internal/dashboard"
)

// axis is the value axis of a chart: its range, and how numbers become positions and labels.
type axis struct {
	lo, hi float64 // in axis coordinates: logarithms if log is set
	log    float64
	field  *field
	r      *renderer
}

// at is the axis coordinate of a value; NaN if it has none.
func (a *axis) at(v float64) float64 {
	if a.log == 0 {
		return v
	}
	if v <= 0 {
		return math.NaN()
	}
	return math.Log(v) / math.Log(a.log)
}

// Ticks implements [plot.Ticker]: round numbers of the unit.
func (a *axis) ticks(lo, hi, room float64) []plot.Tick {
	var out []plot.Tick
	if !(hi > lo) {
		return nil
	}
	if a.log != 0 {
		every := max(math.Ceil((hi-lo)/max(room, 1)), 1)
		for e := math.Ceil(lo); e <= hi+1e-9; e += every {
			v := math.Pow(a.log, e)
			out = append(out, plot.Tick{Value: e, Label: formatUnit(a.field.unit, v, a.field.decimals, a.r.loc, a.r.end).String()})
		}
		return out
	}
	step := niceStep(a.field.unit, (hi-lo)/max(room, 1))
	var values []float64
	for i := math.Ceil(lo/step - 1e-9); i*step <= hi+step*1e-9 && len(values) < 100; i++ {
		values = append(values, rounded(i*step))
	}
	for i, label := range a.labels(values) {
		out = append(out, plot.Tick{Value: values[i], Label: label})
	}
	return out
}

// rounded takes the noise out of a number that was computed of a round one.
func rounded(v float64) float64 {
	f, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 12, 64), 64)
	if err != nil {
		return v
	}
	return f
}

// labels writes numbers with as few decimals as show them exactly, and with equally many wherever the unit's prefix is the same.
func (a *axis) labels(values []float64) []string {
	out := make([]string, len(values))
	if len(values) == 0 {
		return out
	}
	s, scaled := scaleOf(a.field.unit)
	tiny := 1e-9 * math.Abs(values[len(values)-1]-values[0])
	decimals := map[string]int{}
	write := func(v float64, d int) formatted { return formatUnit(a.field.unit, v, d, a.r.loc, a.r.end) }
	for i, v := range values {
		if math.Abs(v) <= tiny {
			values[i] = 0
		}
		if !scaled || values[i] == 0 {
			continue // words and dates have no decimals
		}
		real := v * s.factor / s.pick(v*s.factor).size
		first := max(int(-math.Floor(math.Log10(math.Abs(real)))), 0)
		for d := first; d <= first+6; d++ {
			f := write(v, d)
			decimals[f.suffix] = max(decimals[f.suffix], d)
			if shown, ok := parseNumber(f.text); ok && math.Abs(shown-real) < 1e-3*math.Abs(real) {
				break
			}
		}
	}
	for i, v := range values {
		d := 0
		if v != 0 {
			d = decimals[write(v, 0).suffix]
		}
		out[i] = write(v, d).String()
	}
	return out
}

// niceStep is a round number at or above want: 1, 2, 5 times a power of ten; of the powers of two for bytes, of minutes and hours for times.
func niceStep(unit string, want float64) float64 {
	if want <= 0 || math.IsNaN(want) || math.IsInf(want, 0) {
		return 1
	}
	s, _ := scaleOf(unit)
	factor := cmp.Or(s.factor, 1)
	if s.kind == timeScale && want*factor >= 1 {
		for _, nice := range []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800} {
			if nice >= want*factor*(1-1e-9) {
				return nice / factor
			}
		}
		largest := s.steps[len(s.steps)-1].size
		return niceDecimal(want*factor/largest) * largest / factor
	}
	want *= factor
	if s.kind == binaryScale {
		power := math.Pow(1024, math.Floor(math.Log(max(want, 1))/math.Log(1024)))
		return math.Exp2(math.Ceil(math.Log2(want/power)-1e-9)) * power / factor
	}
	return niceDecimal(want) / factor
}

func niceDecimal(want float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(want)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		// 2.5 only where it needs no further digit.
		if m == 2.5 && power < 10 {
			continue
		}
		if m*power >= want*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

type tickList []plot.Tick

// Ticks implements [plot.Ticker].
func (t tickList) Ticks(_, _ float64) []plot.Tick { return t }

// timeTicks are round points in time, about one to room.
func timeTicks(start, end time.Time, loc *time.Location, room float64) []plot.Tick {
	span := end.Sub(start)
	if span <= 0 {
		return nil
	}
	want := time.Duration(float64(span) / max(room, 1))
	step := 365 * 24 * time.Hour
	for _, s := range []time.Duration{
		time.Millisecond * 100, time.Millisecond * 500, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
		24 * time.Hour, 2 * 24 * time.Hour, 7 * 24 * time.Hour, 14 * 24 * time.Hour, 30 * 24 * time.Hour, 90 * 24 * time.Hour,
	} {
		if s >= want {
			step = s
			break
		}
	}
	layout := "15:04"
	switch {
	case step < time.Second:
		layout = "15:04:05.0"
	case step < time.Minute:
		layout = "15:04:05"
	case step >= 24*time.Hour:
		layout = "01-02"
	case span > 24*time.Hour:
		layout = "01-02 15:04"
	}
	if span > 400*24*time.Hour {
		layout = "2006-01"
	}
	// Round in local time, or days begin at odd hours.
	_, offset := start.In(loc).Zone()
	shift := time.Duration(offset) * time.Second
	var out []plot.Tick
	for t := start.Add(shift).Truncate(step).Add(-shift); !t.After(end) && len(out) < 100; t = t.Add(step) {
		if !t.Before(start) {
			out = append(out, plot.Tick{Value: float64(t.UnixMilli()) / 1000, Label: t.In(loc).Format(layout)})
		}
	}
	return out
}

// newPlot is an empty chart in the theme's style.
func (r *renderer) newPlot() *plot.Plot {
	pl := plot.New()
	pl.BackgroundColor = nil
	pl.TextHandler = text.Plain{Fonts: r.m.fonts}
	pl.X.Tick.Length, pl.Y.Tick.Length = 8, 5
	st := textStyle{size: 10.5, color: r.pal.dim}
	for _, a := range []*plot.Axis{&pl.X, &pl.Y} {
		a.LineStyle.Width = 0
		// Marks of no width would leave no room between axis and labels.
		a.Tick.LineStyle.Color, a.Tick.LineStyle.Width = color.Transparent, 0.1
		a.Padding = 0
		a.Tick.Label.Color, a.Tick.Label.Font, a.Tick.Label.Handler = st.color, st.face(), pl.TextHandler
		a.Label.TextStyle.Color, a.Label.TextStyle.Font, a.Label.TextStyle.Handler = st.color, st.face(), pl.TextHandler
	}
	return pl
}

func (r *renderer) grid() *plotter.Grid {
	g := plotter.NewGrid()
	for _, l := range []*draw.LineStyle{&g.Horizontal, &g.Vertical} {
		l.Color, l.Width, l.Dashes = r.pal.rule, 1, nil
	}
	return g
}

// drawPlot draws a plot into a place given in pixels from the top.
func drawPlot(p *pen, pl *plot.Plot, at rect) {
	pl.Draw(draw.Canvas{Canvas: p.Canvas, Rectangle: vg.Rectangle{Min: p.pt(at.x, at.bottom()), Max: p.pt(at.right(), at.y)}})
}

// drawChart is drawPlot for a chart over time.
func (r *renderer) drawChart(p *pen, pl *plot.Plot, at rect) {
	if r.live != nil {
		r.live.keepFrame(p, pl, at)
	}
	drawPlot(p, pl, at)
}

// curve is a series ready for the chart: gaps cut it into runs, and stacking gives it a floor.
type curve struct {
	*series
	runs  []plotter.XYs // in axis coordinates
	floor []plotter.XYs // nil: the bottom of the chart, or zero
}

func (r *renderer) timeseries(p *pen, body rect, v *view, list []*series) {
	body = r.legend(p, body, v, list)
	if body.w < 60 || body.h < 30 {
		return
	}
	var left, right []*series
	for _, s := range list {
		switch {
		case s.f.hidden:
		case s.f.right:
			right = append(right, s)
		default:
			left = append(left, s)
		}
	}
	if len(left) == 0 {
		left, right = right, nil
	}
	pl := r.newPlot()
	pl.X.Min, pl.X.Max = float64(r.start.UnixMilli())/1000, float64(r.end.UnixMilli())/1000
	pl.X.Tick.Marker = tickList(timeTicks(r.start, r.end, r.loc, body.w/90))
	base := v.fields.make("", "")
	if len(left) > 0 {
		base = left[0].f
	}
	curves, ax := r.curves(left, base)
	r.chartAxes(pl, ax, body)
	pl.Add(r.grid())
	r.thresholdPlotters(pl, v, ax, base)
	r.addCurves(pl, curves)
	if len(right) > 0 {
		rightCurves, rax := r.curves(right, right[0].f)
		body = r.rightAxis(p, pl, rightCurves, rax, ax, body)
	}
	r.drawChart(p, pl, body.cut(4, 4, 0, 0))
}

func (r *renderer) chartAxes(pl *plot.Plot, ax *axis, body rect) {
	pl.Y.Min, pl.Y.Max = ax.lo, ax.hi
	ticks := ax.ticks(ax.lo, ax.hi, min(max(body.h/42, 2), 10))
	pl.Y.Tick.Marker = tickList(ticks)
	if ax.field.axisLabel != "" && body.w > 200 {
		st := textStyle{size: 10.5}
		pl.Y.Label.Text = r.m.fit(ax.field.axisLabel, body.h-30, st)
		pl.Y.Label.Padding = 2
	}
}

// curves stacks what is to be stacked, finds the axis' range and cuts at gaps.
func (r *renderer) curves(list []*series, base *field) ([]*curve, *axis) {
	ax := &axis{log: base.log, field: base, r: r}
	lo, hi := math.Inf(1), math.Inf(-1)
	see := func(v float64) {
		if v = ax.at(v); !math.IsNaN(v) && !math.IsInf(v, 0) {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	// Stacks are kept apart by group and by sign.
	type stackKey struct {
		group string
		below bool
	}
	tops := map[stackKey]map[float64]float64{}
	totals := map[stackKey]map[float64]float64{}
	key := func(s *series) stackKey { return stackKey{s.f.stackGroup, s.f.negate} }
	for _, s := range list {
		if s.f.stack == "percent" {
			t := totals[key(s)]
			if t == nil {
				t = map[float64]float64{}
				totals[key(s)] = t
			}
			for _, p := range s.points {
				if !math.IsNaN(p.v) {
					t[p.t] += math.Abs(p.v)
				}
			}
		}
	}
	var out []*curve
	for _, s := range list {
		c := &curve{series: s}
		out = append(out, c)
		var run, floor plotter.XYs
		stacked := s.f.stack != ""
		top := tops[key(s)]
		if stacked && top == nil {
			top = map[float64]float64{}
			tops[key(s)] = top
		}
		flush := func() {
			if len(run) > 0 {
				c.runs = append(c.runs, run)
				if stacked {
					c.floor = append(c.floor, floor)
				}
			}
			run, floor = nil, nil
		}
		last := math.NaN()
		for _, pt := range s.points {
			v := pt.v
			if stacked {
				if math.IsNaN(v) {
					v = 0
				}
				if s.f.stack == "percent" {
					if t := totals[key(s)][pt.t]; t != 0 {
						v = v / t
						if base.unit != "percentunit" {
							v *= 100
						}
					}
				}
				below := top[pt.t]
				v += below
				top[pt.t] = v
				see(below)
				floor = append(floor, plotter.XY{X: pt.t, Y: ax.at(below)})
			}
			y := ax.at(v)
			if math.IsNaN(y) || math.IsInf(y, 0) {
				if stacked {
					floor = floor[:len(floor)-1]
				}
				if !s.f.spanNulls {
					flush()
				}
				continue
			}
			if s.step > 0 && pt.t-last > s.step*1.5 && !s.f.spanNulls {
				// The floor of this point belongs to the next run.
				var keep plotter.XYs
				if stacked {
					keep, floor = plotter.XYs{floor[len(floor)-1]}, floor[:len(floor)-1]
				}
				flush()
				floor = keep
			}
			see(v)
			run = append(run, plotter.XY{X: pt.t, Y: y})
			last = pt.t
		}
		flush()
		if s.f.draw == "bars" && !stacked {
			see(0)
		}
	}
	r.axisRange(ax, lo, hi)
	return out, ax
}

// axisRange leaves some air around the data, keeps to what the panel fixes, and shows thresholds that are not far off.
func (r *renderer) axisRange(ax *axis, lo, hi float64) {
	f := ax.field
	if f.thresholds != "off" && f.thresholds != "" && !f.percentSteps {
		for _, s := range f.steps {
			if v := ax.at(s.from); !math.IsInf(v, 0) && !math.IsNaN(v) {
				if math.IsInf(lo, 0) {
					lo, hi = min(v, 0), v
				} else if v <= hi+2*max(hi-lo, math.Abs(hi)) && v >= lo-2*max(hi-lo, math.Abs(lo)) {
					lo, hi = min(lo, v), max(hi, v)
				}
			}
		}
	}
	if math.IsInf(lo, 0) {
		lo, hi = 0, 1
		if f.unit == "percent" {
			hi = 100
		}
	}
	if ax.log == 0 {
		pad := (hi - lo) * 0.08
		if pad == 0 {
			pad = cmp.Or(math.Abs(hi)*0.1, 1)
		}
		switch {
		case lo >= 0 && (lo-pad < 0 || lo < 0.3*hi):
			lo = 0
		default:
			lo -= pad
		}
		if hi > 0 || lo == 0 {
			hi += pad
		} else if hi += pad; hi > 0 {
			hi = 0
		}
	} else if hi-lo < 1 {
		lo, hi = math.Floor(lo), math.Ceil(hi+1e-9)
	}
	if f.softMin != nil {
		if v := ax.at(*f.softMin); !math.IsNaN(v) {
			lo = min(lo, v)
		}
	}
	if f.softMax != nil {
		if v := ax.at(*f.softMax); !math.IsNaN(v) {
			hi = max(hi, v)
		}
	}
	if f.min != nil {
		if v := ax.at(*f.min); !math.IsNaN(v) {
			lo = v
		}
	}
	if f.max != nil {
		if v := ax.at(*f.max); !math.IsNaN(v) {
			hi = v
		}
	}
	if !(hi > lo) || math.IsInf(hi-lo, 0) {
		hi = lo + cmp.Or(math.Abs(lo)*0.1, 1)
	}
	ax.lo, ax.hi = lo, hi
}

func (r *renderer) addCurves(pl *plot.Plot, curves []*curve) {
	lo, hi := pl.Y.Min, pl.Y.Max
	zero := min(max(0, lo), hi)
	clip := func(xys plotter.XYs) plotter.XYs {
		out := slices.Clone(xys)
		for i := range out {
			out[i].Y = min(max(out[i].Y, lo), hi)
		}
		return out
	}
	for _, c := range curves {
		width := c.f.lineWidth
		for i, run := range c.runs {
			run = clip(run)
			floor := func(x float64, j int) float64 { return zero }
			if c.floor != nil {
				below := clip(c.floor[i])
				floor = func(_ float64, j int) float64 { return below[j].Y }
			}
			if c.f.draw == "bars" {
				pl.Add(&bars{run, floor, c.step, alpha(c.color, max(c.f.fill, 0.6))})
				continue
			}
			if c.f.draw == "points" {
				pl.Add(dots(run, c.color, 2.2))
				continue
			}
			if len(run) == 1 {
				pl.Add(dots(run, c.color, max(width, 1.5)))
				continue
			}
			shape := stepped(run, c.f.interp)
			if c.f.fill > 0 {
				area := slices.Clone(shape)
				var bottom plotter.XYs
				for j, xy := range run {
					bottom = append(bottom, plotter.XY{X: xy.X, Y: floor(xy.X, j)})
				}
				bottom = stepped(bottom, c.f.interp)
				if c.floor == nil {
					bottom = plotter.XYs{{X: run[0].X, Y: zero}, {X: run[len(run)-1].X, Y: zero}}
				}
				slices.Reverse(bottom)
				if poly, err := plotter.NewPolygon(append(area, bottom...)); err == nil {
					poly.LineStyle.Width = 0
					poly.Color = alpha(c.color, c.f.fill)
					pl.Add(poly)
				}
			}
			if width > 0 {
				if l, err := plotter.NewLine(shape); err == nil {
					l.LineStyle = draw.LineStyle{Color: c.color, Width: vg.Length(max(width, 1.25))}
					for _, d := range c.f.dashed {
						l.LineStyle.Dashes = append(l.LineStyle.Dashes, vg.Length(d))
					}
					pl.Add(l)
				}
			}
			if c.f.points && len(run) < 200 {
				pl.Add(dots(run, c.color, max(width, 2)))
			}
		}
	}
}

// stepped turns a line into stairs if the panel wants them.
func stepped(xys plotter.XYs, how string) plotter.XYs {
	if how != "stepAfter" && how != "stepBefore" {
		return xys
	}
	out := make(plotter.XYs, 0, 2*len(xys))
	for i, xy := range xys {
		if i > 0 {
			corner := plotter.XY{X: xy.X, Y: xys[i-1].Y}
			if how == "stepBefore" {
				corner = plotter.XY{X: xys[i-1].X, Y: xy.Y}
			}
			out = append(out, corner)
		}
		out = append(out, xy)
	}
	return out
}

func dots(xys plotter.XYs, c color.NRGBA, radius float64) *plotter.Scatter {
	return &plotter.Scatter{XYs: xys, GlyphStyle: draw.GlyphStyle{Color: c, Radius: vg.Length(radius), Shape: draw.CircleGlyph{}}}
}

// bars is a plotter of columns; the library's own bar chart numbers its bars and knows no time.
type bars struct {
	xys   plotter.XYs
	floor func(x float64, i int) float64
	step  float64
	color color.NRGBA
}

// Plot implements [plot.Plotter].
func (b *bars) Plot(c draw.Canvas, pl *plot.Plot) {
	tx, ty := pl.Transforms(&c)
	c.SetColor(b.color)
	for i, xy := range b.xys {
		x, w := tx(xy.X), max((tx(xy.X+b.step)-tx(xy.X))*0.8, 1)
		l, r := max(x-w/2, c.Min.X), min(x+w/2, c.Max.X)
		top, bottom := ty(xy.Y), ty(b.floor(xy.X, i))
		if l >= r || top == bottom {
			continue
		}
		var path vg.Path
		path.Move(vg.Point{X: l, Y: bottom})
		path.Line(vg.Point{X: l, Y: top})
		path.Line(vg.Point{X: r, Y: top})
		path.Line(vg.Point{X: r, Y: bottom})
		path.Close()
		c.Fill(path)
	}
}

// thresholdPlotters draws thresholds as lines and areas, as far as the panel wants them on the chart.
func (r *renderer) thresholdPlotters(pl *plot.Plot, v *view, ax *axis, f *field) {
	mode := f.thresholds
	if mode == "off" || mode == "" {
		return
	}
	lo, hi := pl.Y.Min, pl.Y.Max
	at := func(s thresholdStep) float64 {
		if math.IsInf(s.from, 0) {
			return lo
		}
		if f.percentSteps {
			return lo + (hi-lo)*s.from/100
		}
		return ax.at(s.from)
	}
	for i, s := range f.steps {
		c, ok := r.pal.named(s.color)
		y := at(s)
		if !ok || c.A == 0 || math.IsNaN(y) {
			continue
		}
		from, to := y, hi
		if i+1 < len(f.steps) && mode != "old" {
			if next := at(f.steps[i+1]); !math.IsNaN(next) {
				to = next
			}
		}
		if s.below {
			from, to = lo, y
		}
		from, to = max(from, lo), min(to, hi)
		area := mode == "area" || mode == "line+area" || mode == "dashed+area" || s.fill
		if area && to > from {
			x0, x1 := pl.X.Min, pl.X.Max
			if poly, err := plotter.NewPolygon(plotter.XYs{{X: x0, Y: from}, {X: x1, Y: from}, {X: x1, Y: to}, {X: x0, Y: to}}); err == nil {
				poly.Color, poly.LineStyle.Width = alpha(c, 0.10), 0
				pl.Add(poly)
			}
		}
		line := mode != "area" && mode != "old" || s.line
		if line && y > lo && y <= hi && !math.IsInf(s.from, 0) {
			if l, err := plotter.NewLine(plotter.XYs{{X: pl.X.Min, Y: y}, {X: pl.X.Max, Y: y}}); err == nil {
				l.LineStyle = draw.LineStyle{Color: c, Width: 1.5}
				if mode == "dashed" || mode == "dashed+area" {
					l.LineStyle.Dashes = []vg.Length{8, 5}
				}
				pl.Add(l)
			}
		}
	}
}

// rightAxis adds curves with a scale of their own. The library has one value axis, so they are brought to its coordinates and their labels are written beside the
// chart at the places the library computes.
func (r *renderer) rightAxis(p *pen, pl *plot.Plot, curves []*curve, ax, left *axis, body rect) rect {
	to := func(y float64) float64 { return left.lo + (y-ax.lo)/(ax.hi-ax.lo)*(left.hi-left.lo) }
	for _, c := range curves {
		for _, list := range [][]plotter.XYs{c.runs, c.floor} {
			for _, run := range list {
				for i := range run {
					run[i].Y = to(run[i].Y)
				}
			}
		}
	}
	r.addCurves(pl, curves)
	st := textStyle{size: 10.5, color: r.pal.dim}
	ticks := ax.ticks(ax.lo, ax.hi, min(max(body.h/42, 2), 10))
	wide := 0.0
	for i := range ticks {
		ticks[i].Value = to(ticks[i].Value)
		wide = max(wide, p.width(ticks[i].Label, st))
	}
	pl.Add(rightLabels{ticks, text.Style{Color: st.color, Font: st.face(), Handler: pl.TextHandler, YAlign: draw.YCenter}})
	return body.cut(0, wide+8, 0, 0)
}

type rightLabels struct {
	ticks []plot.Tick
	style text.Style
}

// Plot implements [plot.Plotter].
func (l rightLabels) Plot(c draw.Canvas, pl *plot.Plot) {
	_, ty := pl.Transforms(&c)
	for _, t := range l.ticks {
		c.FillText(l.style, vg.Point{X: c.Max.X + 6, Y: ty(t.Value)}, t.Label)
	}
}

// ghost draws the empty chart of a panel without data: grid, and thresholds if there are any.
func (r *renderer) ghost(p *pen, body rect, v *view, f *field) {
	if body.w < 80 || body.h < 40 {
		return
	}
	pl := r.newPlot()
	pl.X.Min, pl.X.Max = 0, 1
	pl.X.Tick.Marker = tickList(nil)
	ax := &axis{log: f.log, field: f, r: r}
	r.axisRange(ax, math.Inf(1), math.Inf(-1))
	r.chartAxes(pl, ax, body)
	known := f.max != nil || f.thresholds != "off" && len(f.steps) > 0
	if !known {
		// Numbers nobody has measured would be made up.
		ticks := pl.Y.Tick.Marker.Ticks(0, 0)
		for i := range ticks {
			ticks[i].Label = " "
		}
	}
	g := r.grid()
	g.Vertical.Width = 0
	pl.Add(g)
	r.thresholdPlotters(pl, v, ax, f)
	drawPlot(p, pl, body.cut(4, 4, 0, 0))
}

// legendSpec is what a panel says about its legend.
type legendSpec struct {
	show, table, right bool
	calcs              []string
	// whole is the sum that shares are of, where a legend tells them.
	whole float64
}

// cell is what a legend's column says of a series.
func (l legendSpec) cell(r *renderer, s *series, name string) string {
	switch name {
	case "percent":
		return formatUnit("percentunit", calc("last", s.points)/l.whole, s.f.decimals, r.loc, r.end).String()
	case "value":
		name = "last"
	}
	return formatUnit(s.f.unit, calc(name, s.points), s.f.decimals, r.loc, r.end).String()
}

func readLegend(p *dashboard.Panel) legendSpec {
	if p.Type == "graph" {
		l := p.Node.Get("legend")
		spec := legendSpec{show: l.Get("show").Bool() || l == nil, table: l.Get("alignAsTable").Bool(), right: l.Get("rightSide").Bool()}
		if l.Get("values").Bool() {
			for _, c := range []string{"min", "max", "avg", "current", "total"} {
				if l.Get(c).Bool() {
					spec.calcs = append(spec.calcs, c)
				}
			}
		}
		return spec
	}
	l := p.Node.Path("options", "legend")
	spec := legendSpec{show: true, table: l.Get("displayMode").Text() == "table", right: l.Get("placement").Text() == "right"}
	if l.Get("displayMode").Text() == "hidden" || l.Get("showLegend").Is(dashboard.Bool) && !l.Get("showLegend").Bool() {
		spec.show = false
	}
	for _, c := range l.Get("calcs").Items() {
		spec.calcs = append(spec.calcs, c.Text())
	}
	return spec
}

// legend draws the legend at the bottom or the right and returns what is left for the chart.
func (r *renderer) legend(p *pen, body rect, v *view, list []*series) rect {
	return r.legendBy(p, body, v, list, readLegend(v.panel))
}

func (r *renderer) legendBy(p *pen, body rect, v *view, list []*series, spec legendSpec) rect {
	if r.live != nil {
		return r.live.keepLegend(r, body, spec, list)
	}
	var shown []*series
	for _, s := range list {
		if !s.f.noLegend {
			shown = append(shown, s)
		}
	}
	if !spec.show || len(shown) == 0 || body.h < 70 || body.w < 140 {
		return body
	}
	const line = 17.0
	if spec.right && body.w > 320 {
		w := 0.0
		st := textStyle{size: 11}
		for _, s := range shown {
			w = max(w, p.width(s.name, st)+22)
		}
		w = min(w+float64(len(spec.calcs))*72, body.w*0.45)
		at := rect{body.right() - w, body.y, w, body.h}
		r.legendTable(p, at, v, shown, spec, len(spec.calcs) > 0)
		return body.cut(0, w+8, 0, 0)
	}
	if spec.table {
		rows := len(shown)
		if len(spec.calcs) > 0 {
			rows++
		}
		h := min(float64(rows)*line, max(body.h*0.42, 2*line))
		h = math.Floor(h/line) * line
		at := rect{body.x, body.bottom() - h, body.w, h}
		r.legendTable(p, at, v, shown, spec, len(spec.calcs) > 0)
		return body.cut(0, 0, h+6, 0)
	}
	return r.legendList(p, body, v, shown, spec)
}

func (r *renderer) legendList(p *pen, body rect, v *view, shown []*series, spec legendSpec) rect {
	const line = 17.0
	name, dim := textStyle{size: 11, color: r.pal.text}, textStyle{size: 11, color: r.pal.dim}
	type item struct {
		s           *series
		label, vals string
		w           float64
	}
	var lines [][]item
	x := 0.0
	for _, s := range shown {
		it := item{s: s, label: p.fit(s.name, min(body.w-24, 420), name)}
		for _, c := range spec.calcs {
			it.vals += "  " + calcTitle(c) + ": " + spec.cell(r, s, c)
		}
		it.vals = p.fit(it.vals, max(body.w-40-p.width(it.label, name), 0), dim)
		it.w = 18 + p.width(it.label, name) + p.width("  "+it.vals, dim) + 12
		if len(lines) == 0 || x+it.w > body.w {
			lines, x = append(lines, nil), 0
		}
		lines[len(lines)-1] = append(lines[len(lines)-1], it)
		x += it.w
	}
	room := max(int(body.h*0.3/line), 1)
	left := 0
	if len(lines) > room {
		for _, l := range lines[room:] {
			left += len(l)
		}
		lines = lines[:room]
	}
	h := float64(len(lines)) * line
	y := body.bottom() - h
	for i, l := range lines {
		x := body.x + 2
		for j, it := range l {
			if left > 0 && i == len(lines)-1 && x+it.w > body.right()-70 {
				left += len(l) - j
				break
			}
			r.swatch(p, x, y+line/2, it.s)
			name.exact, dim.exact = true, true
			p.text(x+18, y+12, it.label, name)
			p.text(x+18+p.width(it.label, name)+6, y+12, strings.TrimSpace(it.vals), dim)
			dim.exact = false
			x += it.w
		}
		if left > 0 && i == len(lines)-1 {
			p.text(body.right()-2, y+12, "+"+strconv.Itoa(left)+" more", dim.at(alignEnd))
		}
		y += line
	}
	return body.cut(0, 0, h+6, 0)
}

func (r *renderer) swatch(p *pen, x, y float64, s *series) {
	if s.f.draw == "bars" || s.f.fill >= 0.5 {
		p.fill(rect{x, y - 4, 12, 8}, 2, s.color)
		return
	}
	p.fill(rect{x, y - 1.5, 12, 3}, 1.5, s.color)
}

func (r *renderer) legendTable(p *pen, at rect, v *view, shown []*series, spec legendSpec, head bool) {
	const line = 17.0
	name, dim := textStyle{size: 11, color: r.pal.text}, textStyle{size: 11, color: r.pal.dim}
	cells := make([][]string, len(shown))
	wide := make([]float64, len(spec.calcs))
	for i, s := range shown {
		for j, c := range spec.calcs {
			cell := spec.cell(r, s, c)
			cells[i] = append(cells[i], cell)
			wide[j] = max(wide[j], p.width(cell, name)+14, p.width(calcTitle(c), dim)+14)
		}
	}
	// Columns that leave no room for the name are left out, the last ones first.
	total := 0.0
	n := 0
	for n < len(wide) && total+wide[n] < at.w*0.62 {
		total += wide[n]
		n++
	}
	y := at.y
	if head {
		x := at.right()
		for j := n - 1; j >= 0; j-- {
			p.text(x-2, y+12, calcTitle(spec.calcs[j]), dim.at(alignEnd))
			x -= wide[j]
		}
		y += line
	}
	room := int((at.bottom() - y + 1) / line)
	for i, s := range shown {
		if i == room-1 && len(shown) > room {
			p.text(at.x+18, y+12, "+"+strconv.Itoa(len(shown)-i)+" more", dim)
			return
		}
		if i >= room {
			return
		}
		if i > 0 || head {
			p.line(at.x, y, at.right(), y, 0.5, r.pal.rule)
		}
		r.swatch(p, at.x+2, y+line/2, s)
		p.text(at.x+20, y+12, p.fit(s.name, at.w-total-24, name), name)
		x := at.right()
		for j := n - 1; j >= 0; j-- {
			p.text(x-2, y+12, cells[i][j], name.at(alignEnd))
			x -= wide[j]
		}
		y += line
	}
}

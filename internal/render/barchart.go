package render

import (
	"cmp"
	"math"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

// maxCategories bounds the groups of a bar chart.
const maxCategories = 500

// barChart draws a group of bars for each row of a table: the names are its first text, or the time.
func (r *renderer) barChart(p *pen, body rect, v *view, list []*series) {
	f, names := v.categories(list)
	var cols []*column
	var shown []*series
	if f != nil {
		for _, c := range f.numbers() {
			if c == names {
				continue
			}
			c.f = v.fields.column(c, f.refID)
			s := &series{name: c.title, refID: f.refID, metric: c.labels, f: c.f, step: 1}
			if c.f.name != "" {
				s.name = v.displayName(c.f.name, c.title, c.labels)
			}
			for _, x := range c.cells {
				s.points = append(s.points, point{v: x.value()})
			}
			s.color = v.fields.valueColor(c.f, calc("last", s.points), len(shown))
			if r.live != nil {
				r.live.choose([]*series{s})
			}
			shown = append(shown, s)
			if !c.f.hidden {
				cols = append(cols, c)
			}
		}
	}
	if len(shown) == 0 || f.rows() == 0 {
		r.noData(p, body, v)
		return
	}
	body = r.legend(p, body, v, shown)
	if body.w < 60 || body.h < 30 || len(cols) == 0 {
		return
	}
	rows := f.rows()
	if rows > maxCategories {
		v.skip(plural(rows-maxCategories, "more group"))
		rows = maxCategories
	}
	opts := v.panel.Node.Get("options")
	across := opts.Get("orientation").Text() == "horizontal" || opts.Get("orientation").Text() == "auto" && body.h > body.w
	stacking := opts.Get("stacking").Text()
	ax := &axis{field: cols[0].f, r: r, log: cols[0].f.log}
	lo, hi := 0.0, math.Inf(-1)
	if stacking == "percent" {
		percent := *ax.field
		percent.unit, percent.min, percent.max = "percentunit", nil, nil
		ax.field = &percent
	}
	group := 0.7
	if n := number(opts.Get("groupWidth")); n != nil {
		group = min(max(*n, 0.05), 1)
	}
	var bars []box
	for i := range rows {
		up, down, whole := 0.0, 0.0, 0.0
		for _, c := range cols {
			whole += math.Abs(c.cells[i].number)
		}
		width := group / float64(len(cols))
		if stacking == "normal" || stacking == "percent" {
			width = group
		}
		at := float64(i) - group/2
		for j, c := range cols {
			val := c.cells[i].value()
			if math.IsNaN(val) || math.IsInf(val, 0) {
				if stacking == "" || stacking == "none" {
					at += width
				}
				continue
			}
			text, _, _ := v.fields.shown(c.f, val)
			from, to := 0.0, val
			if stacking == "percent" && whole > 0 {
				to = val / whole
			}
			if stacking == "normal" || stacking == "percent" {
				base := &up
				if to < 0 {
					base = &down
				}
				from, to = *base, *base+to
				*base = to
			}
			lo, hi = min(lo, to), max(hi, to)
			col := v.fields.valueColor(c.f, val, indexOf(shown, c))
			b := box{y0: from, y1: to, x0: at, x1: at + width*0.97, color: alpha(col, max(c.f.fill, 0.3))}
			if show := opts.Get("showValue").Text(); show == "always" || show != "never" && j == len(cols)-1 && len(cols) == 1 {
				b.label = text.String()
			}
			bars = append(bars, b)
			if stacking == "" || stacking == "none" {
				at += width
			}
		}
	}
	r.axisRange(ax, lo, hi)
	for i := range bars {
		if ax.log != 0 {
			bars[i].y0, bars[i].y1 = ax.lo, ax.at(bars[i].y1)
		}
		if across {
			b := &bars[i]
			// The first row stands at the top.
			b.x0, b.x1, b.y0, b.y1 = b.y0, b.y1, float64(rows-1)-b.x0, float64(rows-1)-b.x1
		}
	}
	pl := r.newPlot()
	labels := &boxes{list: bars, m: r.m, above: stacking == "" || stacking == "none", across: across, ink: r.pal.dim, handler: pl.TextHandler}
	values := tickList(ax.ticks(ax.lo, ax.hi, min(max(map[bool]float64{true: body.w / 90, false: body.h / 42}[across], 2), 10)))
	var groups []plot.Tick
	st := textStyle{size: 10.5}
	each := 16.0
	widest := 0.0
	called := r.categoryNames(names, rows)
	for _, name := range called {
		widest = max(widest, r.m.width(name, st))
	}
	room := min(widest, 160)
	if across {
		room = min(widest, body.w*0.3)
	} else {
		each = min(room, max((body.w-60)/float64(rows)-6, 40)) + 12
		room = each - 10
	}
	every := everyNth(rows, each, map[bool]float64{true: body.h - 30, false: body.w - 60}[across])
	for i := 0; i < rows; i += every {
		t := plot.Tick{Value: float64(i), Label: r.m.fit(called[i], room, st)}
		if across {
			t.Value = float64(rows - 1 - i)
		}
		groups = append(groups, t)
	}
	pl.X.Min, pl.X.Max, pl.Y.Min, pl.Y.Max = -0.5, float64(rows)-0.5, ax.lo, ax.hi
	pl.X.Tick.Marker, pl.Y.Tick.Marker = tickList(groups), values
	g := r.grid()
	g.Vertical.Width = 0
	if across {
		pl.X.Min, pl.X.Max, pl.Y.Min, pl.Y.Max = ax.lo, ax.hi, -0.5, float64(rows)-0.5
		pl.X.Tick.Marker, pl.Y.Tick.Marker = values, tickList(groups)
		g.Vertical.Width, g.Horizontal.Width = 1, 0
	}
	pl.Add(g, labels)
	if !across {
		r.thresholdPlotters(pl, v, ax, cols[0].f)
	}
	pl.X.Tick.Length, pl.Y.Tick.Length = vg.Length(6), vg.Length(5)
	drawPlot(p, pl, body.cut(6, 4, 0, 0))
}

// categoryNames are the names of the groups; times are as short as their range lets them be.
func (r *renderer) categoryNames(names *column, rows int) []string {
	out := make([]string, rows)
	layout := "15:04"
	switch span := r.end.Sub(r.start); {
	case span > 7*24*time.Hour:
		layout = "01-02"
	case span > 24*time.Hour:
		layout = "01-02 15:04"
	case span < 5*time.Minute:
		layout = time.TimeOnly
	}
	for i := range out {
		out[i] = names.plainText(names.cells[i], r.loc)
		if names.kind == timeColumn && names.cells[i].set {
			out[i] = time.UnixMilli(int64(names.cells[i].number * 1000)).In(r.loc).Format(layout)
		}
	}
	return out
}

func indexOf(list []*series, c *column) int {
	for i, s := range list {
		if s.f == c.f {
			return i
		}
	}
	return 0
}

// categories is the table whose rows are groups of bars, and the column of their names.
func (v *view) categories(list []*series) (*frame, *column) {
	frames := v.tables
	if v.panel.Type == "graph" {
		// The old graph shows a bar for each series.
		name, val := &column{name: "Series", title: "Series"}, &column{name: "Value", title: "Value", kind: numberColumn}
		reducer := cmp.Or(v.panel.Node.Path("xaxis", "values").At(0).Text(), "total")
		for _, s := range list {
			name.cells, val.cells = append(name.cells, textCell(s.name)), append(val.cells, numberCell(calc(reducer, s.points)))
		}
		return &frame{cols: []*column{name, val}}, name
	}
	if frames == nil {
		// The series are joined, as the chart does itself.
		frames = ensureColumns(v.frames(list))
	}
	if len(frames) == 0 {
		return nil, nil
	}
	if len(frames) > 1 {
		v.skip(plural(len(frames)-1, "more table"))
	}
	f := frames[0]
	f = f.pick(allRows(f.rows()))
	names := f.find(v.panel.Node.Path("options", "xField").Text())
	for _, kind := range []columnKind{textColumn, timeColumn} {
		if names == nil {
			names = f.first(kind)
		}
	}
	if names == nil && f.rows() > 0 {
		names = &column{name: "", cells: make([]cell, f.rows())}
	}
	return f, names
}

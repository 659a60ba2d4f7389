package render

import (
	"cmp"
	"image/color"
	"math"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/palette/brewer"
	"gonum.org/v1/plot/plotter"
)

// cells is a heat map's grid: columns are times, rows are buckets.
type cells struct {
	times  []float64
	labels []string
	z      [][]float64 // by row, then column; NaN is empty
}

// The four methods of [plotter.GridXYZ]. Rows are numbered, since buckets are seldom equally wide.
func (c *cells) Dims() (cols, rows int) { return len(c.times), len(c.z) }
func (c *cells) Z(col, row int) float64 { return c.z[row][col] }
func (c *cells) X(col int) float64      { return c.times[col] }
func (c *cells) Y(row int) float64      { return float64(row) }

type colors []color.Color

// Colors implements gonum's palette.
func (c colors) Colors() []color.Color { return c }

func (r *renderer) heatmap(p *pen, body rect, v *view, list []*series) {
	f := v.fields.make("", "")
	grid := r.buckets(v, list)
	if grid == nil || len(grid.times) < 2 || len(grid.z) == 0 {
		r.noData(p, body, v)
		return
	}
	if body.w < 80 || body.h < 40 {
		return
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, row := range grid.z {
		for i, z := range row {
			if z <= 0 || math.IsInf(z, 0) {
				row[i] = math.NaN() // nothing counted is nothing drawn
				continue
			}
			if !math.IsNaN(z) {
				lo, hi = min(lo, z), max(hi, z)
			}
		}
	}
	if math.IsInf(lo, 0) {
		r.noData(p, body, v)
		return
	}
	// The gonum plotter wants two rows at least.
	if len(grid.z) == 1 {
		empty := make([]float64, len(grid.times))
		for i := range empty {
			empty[i] = math.NaN()
		}
		grid.z, grid.labels = append(grid.z, empty), append(grid.labels, "")
	}
	ramp := r.heatColors(cmp.Or(v.panel.Node.Path("options", "color", "scheme").Text(), strings.TrimPrefix(v.panel.Node.Path("color", "colorScheme").Text(), "interpolate")))
	h := plotter.NewHeatMap(grid, ramp)
	h.Min, h.Max = 0, hi
	h.NaN, h.Underflow = color.Transparent, color.Transparent
	h.Overflow = ramp[len(ramp)-1]

	// The scale of colours.
	scale := rect{body.x + 50, body.bottom() - 12, min(body.w*0.3, 180), 8}
	st := textStyle{size: 10, color: r.pal.dim}
	for i, c := range ramp {
		w := scale.w / float64(len(ramp))
		p.fill(rect{scale.x + w*float64(i), scale.y, w + 0.3, scale.h}, 0, c.(color.NRGBA))
	}
	p.text(scale.x-5, scale.y+8, "0", st.at(alignEnd))
	cellUnit := v.panel.Node.Path("options", "cellValues", "unit").Text()
	p.text(scale.right()+5, scale.y+8, formatUnit(cellUnit, hi, -1, r.loc, r.end).String(), st)

	pl := r.newPlot()
	pl.Add(h)
	half := (grid.times[1] - grid.times[0]) / 2
	pl.X.Min, pl.X.Max = min(float64(r.start.UnixMilli())/1000, grid.times[0]-half), max(float64(r.end.UnixMilli())/1000, grid.times[len(grid.times)-1]+half)
	pl.Y.Min, pl.Y.Max = -0.5, float64(len(grid.z))-0.5
	pl.X.Tick.Marker = tickList(timeTicks(r.start, r.end, r.loc, body.w/90))
	every := max(int(math.Ceil(float64(len(grid.labels))*16/(body.h-50))), 1)
	var ticks []plot.Tick
	for i, l := range grid.labels {
		if i%every == 0 {
			if n, ok := parseNumber(l); ok {
				l = formatUnit(f.unit, n, -1, r.loc, r.end).String()
			}
			ticks = append(ticks, plot.Tick{Value: float64(i), Label: r.m.fit(l, body.w*0.2, textStyle{size: 10.5})})
		}
	}
	pl.Y.Tick.Marker = tickList(ticks)
	r.drawChart(p, pl, body.cut(4, 6, 18, 0))
}

// heatColors are from the panel's colour to strong; the names are ColorBrewer's, as Grafana uses them.
func (r *renderer) heatColors(scheme string) colors {
	if scheme == "" {
		scheme = "Oranges"
	}
	pal, err := brewer.GetPalette(brewer.TypeAny, scheme, 9)
	if err != nil {
		pal, _ = brewer.GetPalette(brewer.TypeSequential, "Oranges", 9)
	}
	base := pal.Colors()
	stops := make([]color.NRGBA, len(base))
	for i, c := range base {
		stops[i] = color.NRGBAModel.Convert(c).(color.NRGBA)
	}
	if _, diverging := brewer.DivergingPalettes[scheme]; diverging {
		slices.Reverse(stops) // from cold to hot
	} else if r.pal.dark {
		// Light on dark: the strongest values shine.
		slices.Reverse(stops)
		stops[0] = mix(r.pal.panel, stops[0], 0.5)
	}
	out := make(colors, 48)
	for i := range out {
		at := float64(i) / float64(len(out)-1) * float64(len(stops)-1)
		j := min(int(at), len(stops)-2)
		out[i] = mix(stops[j], stops[j+1], at-float64(j))
	}
	return out
}

// buckets makes the grid: from histogram buckets (label le), from series that are rows already, or from values that are counted here.
func (r *renderer) buckets(v *view, list []*series) *cells {
	slices.SortStableFunc(list, func(a, b *series) int {
		if c := compareLabel(string(a.metric["le"]), string(b.metric["le"])); c != 0 {
			return c
		}
		return compareLabel(a.name, b.name)
	})
	g := &cells{}
	index := map[float64]int{}
	for _, s := range list {
		for _, pt := range s.points {
			if _, ok := index[pt.t]; !ok {
				index[pt.t] = 0
				g.times = append(g.times, pt.t)
			}
		}
	}
	slices.Sort(g.times)
	for i, t := range g.times {
		index[t] = i
	}
	hasLe := len(list) > 0 && !slices.ContainsFunc(list, func(s *series) bool { _, ok := s.metric[model.BucketLabel]; return !ok })
	calculate := v.panel.Node.Path("options", "calculate").Bool() || v.panel.Type == "heatmap" && v.panel.Node.Get("dataFormat").Text() == "timeseries"
	if calculate || !hasLe && len(list) == 1 {
		return countValues(list, g, index)
	}
	row := func() []float64 {
		out := make([]float64, len(g.times))
		for i := range out {
			out[i] = math.NaN()
		}
		return out
	}
	if !hasLe {
		for _, s := range list {
			z := row()
			for _, pt := range s.points {
				z[index[pt.t]] = pt.v
			}
			g.z, g.labels = append(g.z, z), append(g.labels, s.name)
		}
		return g
	}
	// Histogram buckets are cumulative; several series of one bound are added up.
	cumulative := true
	for _, q := range v.queries {
		cumulative = cumulative && (q.target.Format == "heatmap" || v.panel.Node.Get("dataFormat").Text() != "tsbuckets")
	}
	sums := map[string][]float64{}
	for _, s := range list {
		le := string(s.metric[model.BucketLabel])
		z := sums[le]
		if z == nil {
			z = row()
			sums[le] = z
			g.z, g.labels = append(g.z, z), append(g.labels, le)
		}
		for _, pt := range s.points {
			if i := index[pt.t]; math.IsNaN(z[i]) {
				z[i] = pt.v
			} else {
				z[i] += pt.v
			}
		}
	}
	if cumulative {
		for i := len(g.z) - 1; i > 0; i-- {
			for j := range g.z[i] {
				if below := g.z[i-1][j]; !math.IsNaN(below) {
					g.z[i][j] -= below
				}
			}
		}
	}
	return g
}

// countValues counts how many series are in each of some equal bands at each time.
func countValues(list []*series, g *cells, index map[float64]int) *cells {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, s := range list {
		for _, pt := range s.points {
			if !math.IsNaN(pt.v) && !math.IsInf(pt.v, 0) {
				lo, hi = min(lo, pt.v), max(hi, pt.v)
			}
		}
	}
	if math.IsInf(lo, 0) {
		return nil
	}
	if hi == lo {
		hi = lo + 1
	}
	step := niceDecimal((hi - lo) / 10)
	first := math.Floor(lo/step) * step
	n := min(int((hi-first)/step)+1, 100)
	for i := range n {
		g.z = append(g.z, make([]float64, len(g.times)))
		g.labels = append(g.labels, fixed(first+step*float64(i), -1))
	}
	for _, s := range list {
		for _, pt := range s.points {
			if i := int((pt.v - first) / step); !math.IsNaN(pt.v) && i >= 0 && i < n {
				g.z[i][index[pt.t]]++
			}
		}
	}
	return g
}

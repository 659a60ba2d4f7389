package render

import (
	"cmp"
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"

	"lookout/internal/dashboard"
)

// reduced is a series as one number.
type reduced struct {
	*series
	value  float64
	text   formatted
	color  color.NRGBA
	mapped bool
}

func (v *view) reduce(list []*series) []reduced {
	name := v.panel.Node.Path("options", "reduceOptions", "calcs").At(0).Text()
	if name == "" {
		name = v.panel.Node.Path("options", "fieldOptions", "calcs").At(0).Text()
	}
	if name == "" {
		name = v.panel.Node.Get("valueName").Text()
	}
	if name == "" && v.panel.Type == "singlestat" {
		name = "avg"
	}
	var out []reduced
	for i, s := range list {
		if s.f.hidden {
			continue
		}
		one := reduced{series: s, value: calc(cmp.Or(name, "lastNotNull"), s.points)}
		one.text, one.color, one.mapped = v.fields.shown(s.f, one.value)
		if s.text != "" {
			one.text, one.color, one.mapped = v.fields.shownText(s.f, s.text), v.fields.valueColor(s.f, math.Inf(-1), i), true
		}
		if one.mapped {
			out = append(out, one)
			continue
		}
		one.color = v.fields.valueColor(s.f, one.value, i)
		if name == "name" {
			one.text = formatted{text: s.name}
		}
		out = append(out, one)
	}
	return out
}

// tiles divides a body among n values: side by side or below one another, whichever is nearer to the shape of a tile.
func tiles(body rect, n int, orientation string) []rect {
	across := body.w >= body.h
	switch orientation {
	case "horizontal":
		across = false
	case "vertical":
		across = true
	}
	const space = 6.0
	cols, rows := 1, n
	if across {
		cols, rows = n, 1
	}
	if orientation == "" || orientation == "auto" {
		// Many values wrap into a grid whose tiles are about twice as wide as high.
		best := math.Inf(1)
		for c := 1; c <= n; c++ {
			rw := (n + c - 1) / c
			if bad := math.Abs(math.Log((body.w / float64(c)) / (body.h / float64(rw)) / 2)); bad < best {
				best, cols, rows = bad, c, rw
			}
		}
	}
	w, h := (body.w-space*float64(cols-1))/float64(cols), (body.h-space*float64(rows-1))/float64(rows)
	out := make([]rect, n)
	for i := range out {
		out[i] = rect{body.x + float64(i%cols)*(w+space), body.y + float64(i/cols)*(h+space), max(w, 0), max(h, 0)}
	}
	return out
}

// many cuts a list that would not be readable and tells how many are left.
func many(body rect, list []reduced, least float64) (shown []reduced, left int) {
	room := max(int(body.w*body.h/least), 1)
	if len(list) > room {
		return list[:room], len(list) - room
	}
	return list, 0
}

func (r *renderer) stat(p *pen, body rect, v *view, list []*series) {
	values := v.reduce(list)
	values, left := many(body, values, 1600)
	if left > 0 {
		body = r.more(p, body, left)
	}
	n := v.panel.Node
	opts := n.Get("options")
	colorMode, graphMode, textMode := cmp.Or(opts.Get("colorMode").Text(), "value"), cmp.Or(opts.Get("graphMode").Text(), "area"), cmp.Or(opts.Get("textMode").Text(), "auto")
	if v.panel.Type != "stat" {
		colorMode, graphMode = "none", "none"
		if n.Get("colorValue").Bool() {
			colorMode = "value"
		}
		if n.Get("colorBackground").Bool() {
			colorMode = "background"
		}
		if n.Path("sparkline", "show").Bool() {
			graphMode = "area"
		}
		textMode = "value"
		if len(values) > 1 {
			values = values[:1]
		}
	}
	for i, at := range tiles(body, len(values), opts.Get("orientation").Text()) {
		s := values[i]
		valueColor, nameColor := s.color, r.pal.dim
		switch colorMode {
		case "none":
			valueColor = r.pal.text
		case "background", "background_solid":
			p.fill(at, 4, s.color)
			valueColor = readableOn(s.color)
			nameColor = alpha(valueColor, 0.85)
		}
		spark := graphMode == "area" && len(s.points) > 1 && at.h > 40
		if spark {
			c := s.color
			if colorMode == "none" {
				c = r.pal.series(2)
			}
			if colorMode == "background" || colorMode == "background_solid" {
				c = valueColor
			}
			r.spark(p, rect{at.x, at.y + at.h*0.68, at.w, at.h * 0.32}, s.series, c)
		}
		name := ""
		if textMode == "name" || textMode == "value_and_name" || textMode == "auto" && len(values) > 1 {
			name = s.name
		}
		text := s.text
		if textMode == "name" {
			text, name = formatted{text: s.name}, ""
		}
		if textMode == "none" {
			continue
		}
		if spark {
			at.h *= 0.84 // the curve has the rest
		}
		r.bigValue(p, at, text, name, valueColor, nameColor)
	}
}

func (r *renderer) more(p *pen, body rect, left int) rect {
	st := textStyle{size: 11, color: r.pal.dim, align: alignEnd}
	p.text(body.right(), body.bottom()-2, "+"+plural(left, "more value")+"", st)
	return body.cut(0, 0, 16, 0)
}

// bigValue writes a value as large as fits, its unit smaller, and its name above.
func (r *renderer) bigValue(p *pen, at rect, text formatted, name string, c, nameColor color.NRGBA) {
	size := min(at.h*0.5, 56)
	if name != "" {
		size = min(at.h*0.4, 44)
	}
	big := textStyle{size: size, bold: true, color: c}
	small := big
	small.size = size * 0.6
	w := p.width(text.prefix, small) + p.width(text.text, big) + p.width(text.suffix, small)
	if room := at.w - 12; w > room && w > 0 {
		k := max(room/w, 9/size)
		big.size, small.size = big.size*k, small.size*k
		w *= k
	}
	x, y := at.x+at.w/2-w/2, at.y+at.h/2+big.size*0.35
	if name != "" {
		st := textStyle{size: min(max(at.h*0.14, 10), 15), color: nameColor, align: alignMiddle}
		y += st.size * 0.6
		p.text(at.x+at.w/2, y-big.size*0.9-st.size*0.25, p.fit(name, at.w-10, st), st)
	}
	if w > at.w {
		p.text(at.x+at.w/2, y, p.fit(text.String(), at.w-6, small), small.at(alignMiddle))
		return
	}
	big.exact, small.exact = true, true
	p.text(x, y, text.prefix, small)
	x += p.width(text.prefix, small)
	p.text(x, y, text.text, big)
	x += p.width(text.text, big)
	p.text(x, y, text.suffix, small)
}

// spark draws a curve without axes.
func (r *renderer) spark(p *pen, at rect, s *series, c color.NRGBA) {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, pt := range s.points {
		if !math.IsNaN(pt.v) && !math.IsInf(pt.v, 0) {
			lo, hi = min(lo, pt.v), max(hi, pt.v)
		}
	}
	if math.IsInf(lo, 0) {
		return
	}
	if s.f.min != nil {
		lo = min(lo, *s.f.min)
	}
	if hi <= lo {
		lo, hi = lo-1, hi+1
	}
	t0, t1 := float64(r.start.UnixMilli())/1000, float64(r.end.UnixMilli())/1000
	var top vg.Path
	var xs []float64
	for _, pt := range s.points {
		if math.IsNaN(pt.v) || math.IsInf(pt.v, 0) || pt.t < t0-1e-3 {
			continue
		}
		x, y := at.x+(pt.t-t0)/(t1-t0)*at.w, at.bottom()-1-(pt.v-lo)/(hi-lo)*(at.h-2)
		if len(xs) == 0 {
			top.Move(p.pt(x, y))
		} else {
			top.Line(p.pt(x, y))
		}
		xs = append(xs, x)
	}
	if len(xs) < 2 {
		return
	}
	area := append(vg.Path{}, top...)
	area.Line(p.pt(xs[len(xs)-1], at.bottom()))
	area.Line(p.pt(xs[0], at.bottom()))
	area.Close()
	p.SetColor(alpha(c, 0.16))
	p.Fill(area)
	p.SetColor(alpha(c, 0.8))
	p.SetLineWidth(1.25)
	p.Stroke(top)
}

// ends are what a gauge runs from and to.
func ends(s *series) (lo, hi float64) { return s.f.bounds(0, s.f.defaultMax()) }

func (r *renderer) gauge(p *pen, body rect, v *view, list []*series) {
	values := v.reduce(list)
	if v.panel.Type == "singlestat" && len(values) > 1 {
		values = values[:1]
	}
	values, left := many(body, values, 8000)
	if left > 0 {
		body = r.more(p, body, left)
	}
	opts := v.panel.Node.Get("options")
	markers := !opts.Get("showThresholdMarkers").Is(dashboard.Bool) || opts.Get("showThresholdMarkers").Bool()
	for i, at := range tiles(body, len(values), opts.Get("orientation").Text()) {
		s := values[i]
		if len(values) > 1 && at.h > 60 {
			st := textStyle{size: 12, color: r.pal.text, align: alignMiddle}
			p.text(at.x+at.w/2, at.bottom()-3, p.fit(s.name, at.w, st), st)
			at.h -= 18
		}
		r.arc(p, at, s, v, markers)
	}
}

// arc draws a gauge of 240 degrees.
func (r *renderer) arc(p *pen, at rect, s reduced, v *view, markers bool) {
	const from, sweep = 210 * math.Pi / 180, -240 * math.Pi / 180
	// The arc is one radius high above its centre and half of one below.
	radius := min(at.w/2-4, (at.h-6)/1.5)
	if radius < 12 {
		r.bigValue(p, at, s.text, "", s.color, r.pal.dim)
		return
	}
	cx, cy := at.x+at.w/2, at.y+3+radius+max(at.h-6-radius*1.5, 0)/2
	lo, hi := ends(s.series)
	ring := func(outer, inner, t0, t1 float64, c color.NRGBA) {
		if t1 > t0 {
			p.ring(cx, cy, outer, inner, from+sweep*t0, sweep*(t1-t0), c)
		}
	}
	band := max(radius*0.035, 2)
	outer := radius - band - 3
	inner := outer - radius*0.24
	ring(outer, inner, 0, 1, mix(r.pal.panel, r.pal.dim, 0.18))
	if t := (s.value - lo) / (hi - lo); !math.IsNaN(t) {
		ring(outer, inner, 0, min(max(t, 0), 1), s.color)
	}
	if markers {
		for i, step := range s.f.steps {
			t0, t1 := 0.0, 1.0
			pos := func(st thresholdStep) float64 {
				if s.f.percentSteps {
					return st.from / 100
				}
				return (st.from - lo) / (hi - lo)
			}
			if i > 0 {
				t0 = min(max(pos(step), 0), 1)
			}
			if i+1 < len(s.f.steps) {
				t1 = min(max(pos(s.f.steps[i+1]), 0), 1)
			}
			if c, ok := r.pal.named(step.color); ok {
				ring(radius, radius-band, t0, t1, c)
			}
		}
	}
	big := textStyle{size: min(radius*0.36, 40), bold: true, color: s.color, align: alignMiddle}
	text := s.text.String()
	if w := p.width(text, big); w > inner*1.7 {
		big.size *= inner * 1.7 / w
	}
	big.exact = true
	p.text(cx, cy+big.size*0.3, text, big)
	if labels := v.panel.Node.Path("options", "showThresholdLabels"); radius > 45 || labels.Bool() {
		st := textStyle{size: 10, color: r.pal.faint, align: alignMiddle}
		y := cy + radius*0.5 + 9
		if y < at.bottom()+8 {
			x := (outer + inner) / 2 * math.Cos(from)
			p.text(cx+x, y, formatUnit(s.f.unit, lo, s.f.decimals, r.loc, r.end).String(), st)
			p.text(cx-x, y, formatUnit(s.f.unit, hi, s.f.decimals, r.loc, r.end).String(), st)
		}
	}
}

func (r *renderer) barGauge(p *pen, body rect, v *view, list []*series) {
	values := v.reduce(list)
	opts := v.panel.Node.Get("options")
	horizontal := opts.Get("orientation").Text() != "vertical"
	if o := opts.Get("orientation").Text(); o == "" || o == "auto" {
		horizontal = body.w > body.h*0.8 || len(values) > 6
	}
	room := int(body.h / 18)
	if !horizontal {
		room = int(body.w / 40)
	}
	if left := len(values) - max(room, 1); left > 0 {
		values = values[:max(room, 1)]
		body = r.more(p, body, left)
	}
	// Without a maximum the largest value fills its bar.
	lo, hi := 0.0, math.Inf(-1)
	for _, s := range values {
		if !math.IsNaN(s.value) {
			lo, hi = min(lo, s.value), max(hi, s.value)
		}
	}
	lcd := opts.Get("displayMode").Text() == "lcd"
	for i, s := range values {
		l, h := s.f.bounds(lo, cmp.Or(map[bool]float64{true: hi}[hi > lo], 1))
		t := (s.value - l) / (h - l)
		if math.IsNaN(t) {
			t = 0
		}
		t = min(max(t, 0), 1)
		if horizontal {
			r.barRow(p, body, i, values, s, t, lcd)
		} else {
			r.barColumn(p, body, i, values, s, t, lcd)
		}
	}
}

func (r *renderer) barRow(p *pen, body rect, i int, values []reduced, s reduced, t float64, lcd bool) {
	pitch := min(body.h/float64(len(values)), 60)
	top := body.y + (body.h-pitch*float64(len(values)))/2 + pitch*float64(i)
	bar := rect{body.x, top + 2, body.w, pitch - 4}
	size := min(max(bar.h*0.5, 10), 16)
	name, val := textStyle{size: min(size, 13), color: r.pal.text}, textStyle{size: size, bold: true, color: s.color}
	nameW, valW := 0.0, 0.0
	for _, o := range values {
		nameW, valW = max(nameW, p.width(o.name, name)), max(valW, p.width(o.text.String(), val))
	}
	if most := body.w * 0.4; valW > most {
		val.size, valW = max(val.size*most/valW, 8), most
	}
	nameW = min(nameW, body.w*0.4)
	mid := bar.y + bar.h/2
	if pitch > 44 && len(values) > 0 {
		// Tall rows have the name above the bar.
		p.text(bar.x, bar.y+12, p.fit(s.name, bar.w-valW-10, name), name)
		bar, nameW = bar.cut(16, 0, 0, 0), 0
		mid = bar.y + bar.h/2
	} else {
		p.text(bar.x, mid+name.size*0.36, p.fit(s.name, nameW, name), name)
		nameW += 10
	}
	val.exact = true
	p.text(bar.right(), mid+val.size*0.36, p.fit(s.text.String(), valW+1, val), val.at(alignEnd))
	r.bar(p, bar.cut(0, valW+10, 0, nameW), s, t, lcd, true)
}

func (r *renderer) barColumn(p *pen, body rect, i int, values []reduced, s reduced, t float64, lcd bool) {
	pitch := min(body.w/float64(len(values)), 90)
	x := body.x + (body.w-pitch*float64(len(values)))/2 + pitch*float64(i)
	bar := rect{x + 3, body.y, pitch - 6, body.h}
	val, name := textStyle{size: min(pitch*0.24, 15), bold: true, color: s.color, align: alignMiddle}, textStyle{size: 11, color: r.pal.text, align: alignMiddle}
	if w := p.width(s.text.String(), val); w > pitch-2 {
		val.size = max(val.size*(pitch-2)/w, 7)
	}
	p.text(bar.x+bar.w/2, bar.bottom()-3, p.fit(s.name, pitch-4, name), name)
	p.text(bar.x+bar.w/2, bar.y+val.size, p.fit(s.text.String(), pitch-2, val), val)
	r.bar(p, bar.cut(val.size+6, 0, 18, 0), s, t, lcd, false)
}

func (r *renderer) bar(p *pen, at rect, s reduced, t float64, lcd, horizontal bool) {
	if at.w < 2 || at.h < 2 {
		return
	}
	track := mix(r.pal.panel, r.pal.dim, 0.16)
	if lcd {
		length := at.w
		if !horizontal {
			length = at.h
		}
		n := max(int(length/9), 1)
		for i := range n {
			c := track
			if float64(i)+0.5 < t*float64(n) {
				c = s.color
			}
			if horizontal {
				p.fill(rect{at.x + float64(i)*length/float64(n), at.y, length/float64(n) - 2, at.h}, 1, c)
			} else {
				p.fill(rect{at.x, at.bottom() - float64(i+1)*length/float64(n), at.w, length/float64(n) - 2}, 1, c)
			}
		}
		return
	}
	p.fill(at, 3, track)
	filled := rect{at.x, at.y, at.w * t, at.h}
	if !horizontal {
		filled = rect{at.x, at.bottom() - at.h*t, at.w, at.h * t}
	}
	p.fill(filled, 3, alpha(s.color, 0.85))
}

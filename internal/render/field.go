package render

import (
	"cmp"
	"image/color"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"lookout/internal/dashboard"
)

// field is how the values of one series are shown: the panel's defaults with the overrides that match, or what old panels say instead.
type field struct {
	unit             string
	decimals         int // -1: as many as needed
	min, max         *float64
	softMin, softMax *float64
	name             string // displayName
	noValue          string
	prefix, postfix  string // singlestat's
	mappings         []mapping
	steps            []thresholdStep
	percentSteps     bool
	colorMode        string
	fixedColor       string

	draw       string // line, bars, points
	interp     string
	lineWidth  float64
	fill       float64 // opacity, 0 to 1
	points     bool
	dashed     []float64
	stack      string // "", normal, percent
	stackGroup string
	negate     bool
	spanNulls  bool
	right      bool
	axisLabel  string
	log        float64 // base, 0 if linear
	hidden     bool    // from the picture
	noLegend   bool
	thresholds string // how a chart shows them: off, line, dashed, area, …

	cell     string // how a table shows it
	cellWide float64
}

type thresholdStep struct {
	from  float64 // -Inf for the first
	color string
	// below means that an old graph's threshold holds below the value.
	below bool
	line  bool
	fill  bool
}

// mapping replaces values by words.
type mapping struct {
	match func(v float64, text string) bool
	text  string
	color string
}

// fieldMaker knows a panel's configuration and makes a field for each series.
type fieldMaker struct {
	pal   palette
	panel *dashboard.Panel
	loc   *time.Location
	now   time.Time
	base  field
	over  []override
}

type override struct {
	match func(name, refID string, kind columnKind) bool
	apply func(*field)
}

func (r *renderer) fields(p *dashboard.Panel) *fieldMaker {
	m := &fieldMaker{pal: r.pal, panel: p, loc: r.loc, now: r.end}
	m.base = field{decimals: -1, lineWidth: 1, draw: "line", colorMode: "palette-classic", thresholds: "off"}
	switch p.Type {
	case "stat", "gauge", "bargauge", "singlestat", "table", "state-timeline", "status-history":
		m.base.colorMode = "thresholds"
	case "barchart", "histogram":
		m.base.fill = 0.8
	case "alertlist":
		m.base.noValue = "No alerts match"
	}
	defaults := p.Node.Path("fieldConfig", "defaults")
	if defaults == nil {
		defaults = p.Node.Path("options", "fieldOptions", "defaults")
	}
	for _, n := range defaults.Children() {
		if n.Key() == "custom" {
			for _, c := range n.Children() {
				m.base.set("custom."+c.Key(), c)
			}
			continue
		}
		m.base.set(n.Key(), n)
	}
	for _, n := range p.Overrides {
		if o, ok := readOverride(n); ok {
			m.over = append(m.over, o)
		}
	}
	switch p.Type {
	case "graph":
		m.oldGraph()
	case "grafana-piechart-panel":
		m.base.unit = cmp.Or(p.Node.Get("format").Text(), m.base.unit)
	case "singlestat", "grafana-singlestat-panel":
		m.singlestat()
	case "table", "table-old":
		if p.Node.Get("styles").Is(dashboard.Array) && p.Node.Get("fieldConfig") == nil || p.Type == "table-old" {
			m.oldTable()
		}
	}
	if m.base.unit == "" {
		m.base.unit = p.Unit
	}
	return m
}

// make is the field of a series.
func (m *fieldMaker) make(name, refID string) *field {
	f := m.base
	for _, o := range m.over {
		if o.match(name, refID, numberColumn) {
			o.apply(&f)
		}
	}
	return &f
}

// column is the field of a column: overrides may use its own name, or the one that transformations gave it.
func (m *fieldMaker) column(c *column, refID string) *field {
	f := m.base
	if c.from != nil {
		refID = c.from.refID
	}
	for _, o := range m.over {
		if o.match(c.title, refID, c.kind) || c.name != c.title && c.from == nil && o.match(c.name, refID, c.kind) {
			o.apply(&f)
		}
	}
	return &f
}

func number(n *dashboard.Node) *float64 {
	f, ok := n.Float()
	if !ok && n.Is(dashboard.String) {
		f, ok = parseNumber(n.Text())
	}
	if !ok || math.IsInf(f, 0) {
		return nil
	}
	return &f
}

// set reads one property, of the defaults or of an override: both name them alike.
func (f *field) set(id string, n *dashboard.Node) {
	switch id {
	case "unit":
		f.unit = n.Text()
	case "decimals":
		f.decimals = -1
		if d := number(n); d != nil && *d >= 0 {
			f.decimals = int(min(*d, 10))
		}
	case "min":
		f.min = number(n)
	case "max":
		f.max = number(n)
	case "displayName":
		f.name = n.Text()
	case "noValue":
		f.noValue = n.Text()
	case "mappings":
		f.mappings = readMappings(n)
	case "thresholds":
		f.steps, f.percentSteps = nil, n.Get("mode").Text() == "percentage"
		for _, s := range n.Get("steps").Items() {
			step := thresholdStep{from: math.Inf(-1), color: s.Get("color").Text()}
			if v := number(s.Get("value")); v != nil {
				step.from = *v
			}
			f.steps = append(f.steps, step)
		}
		slices.SortStableFunc(f.steps, func(a, b thresholdStep) int { return cmp.Compare(a.from, b.from) })
	case "color":
		if n.Is(dashboard.String) {
			f.colorMode, f.fixedColor = "fixed", n.Text()
			break
		}
		f.colorMode = cmp.Or(n.Get("mode").Text(), f.colorMode)
		f.fixedColor = n.Get("fixedColor").Text()
	case "custom.drawStyle":
		f.draw = n.Text()
	case "custom.lineInterpolation":
		f.interp = n.Text()
	case "custom.lineWidth":
		if v := number(n); v != nil {
			f.lineWidth = min(max(*v, 0), 10)
		}
	case "custom.lineStyle":
		f.dashed = nil
		switch n.Get("fill").Text() {
		case "dash":
			f.dashed = []float64{8, 5}
			if list := n.Get("dash"); list.Len() >= 2 && list.Len() <= 8 {
				f.dashed = nil
				for _, d := range list.Items() {
					if v := number(d); v != nil && *v > 0 {
						f.dashed = append(f.dashed, min(*v, 100))
					}
				}
			}
		case "dot":
			f.dashed = []float64{1, 4}
		}
	case "custom.fillOpacity":
		if v := number(n); v != nil {
			f.fill = min(max(*v/100, 0), 1)
		}
	case "custom.showPoints":
		f.points = n.Text() == "always"
	case "custom.spanNulls":
		f.spanNulls = n.Bool() || n.Is(dashboard.Number)
	case "custom.stacking":
		f.stack, f.stackGroup = n.Get("mode").Text(), n.Get("group").Text()
		if f.stack == "none" {
			f.stack = ""
		}
	case "custom.transform":
		f.negate = n.Text() == "negative-Y"
	case "custom.axisPlacement":
		f.right = n.Text() == "right"
	case "custom.axisLabel":
		f.axisLabel = n.Text()
	case "custom.axisSoftMin":
		f.softMin = number(n)
	case "custom.axisSoftMax":
		f.softMax = number(n)
	case "custom.scaleDistribution":
		f.log = 0
		if n.Get("type").Text() == "log" {
			f.log = 10
			if v := number(n.Get("log")); v != nil && *v > 1 {
				f.log = *v
			}
		}
	case "custom.hideFrom":
		f.hidden, f.noLegend = n.Get("viz").Bool(), n.Get("legend").Bool()
	case "custom.thresholdsStyle":
		f.thresholds = cmp.Or(n.Get("mode").Text(), "off")
	case "custom.cellOptions":
		f.cell = n.Get("type").Text()
	case "custom.displayMode":
		f.cell = n.Text()
	case "custom.hidden", "custom.hideFrom.viz":
		f.hidden = n.Bool()
	case "custom.width":
		if v := number(n); v != nil && *v > 0 {
			f.cellWide = *v
		}
	}
}

func readOverride(n *dashboard.Node) (override, bool) {
	m := n.Get("matcher")
	opt := m.Get("options")
	var o override
	switch m.Get("id").Text() {
	case "byName":
		want := opt.Text()
		o.match = func(name, _ string, _ columnKind) bool { return name == want }
	case "byRegexp":
		re, err := compileSlashed(opt.Text())
		if err != nil {
			return o, false
		}
		o.match = func(name, _ string, _ columnKind) bool { return re.MatchString(name) }
	case "byFrameRefID":
		want := opt.Text()
		o.match = func(_, ref string, _ columnKind) bool { return ref == want }
	case "byNames":
		var names []string
		for _, s := range opt.Get("names").Items() {
			names = append(names, s.Text())
		}
		exclude := opt.Get("mode").Text() == "exclude"
		o.match = func(name, _ string, _ columnKind) bool { return slices.Contains(names, name) != exclude }
	case "byType":
		want := opt.Text()
		kinds := map[string]columnKind{"number": numberColumn, "string": textColumn, "time": timeColumn}
		o.match = func(_, _ string, kind columnKind) bool { k, ok := kinds[want]; return ok && k == kind }
	default:
		return o, false
	}
	o.apply = func(f *field) {
		for _, p := range n.Get("properties").Items() {
			f.set(p.Get("id").Text(), p.Get("value"))
		}
	}
	return o, true
}

func readMappings(n *dashboard.Node) []mapping {
	var out []mapping
	add := func(text, col string, match func(float64, string) bool) {
		out = append(out, mapping{match, text, col})
	}
	for _, m := range n.Items() {
		opts := m.Get("options")
		res := opts.Get("result")
		switch m.Get("type").Scalarish() {
		case "value":
			for _, o := range opts.Children() {
				key := o.Key()
				want, isNumber := parseNumber(key)
				add(o.Get("text").Text(), o.Get("color").Text(), func(v float64, text string) bool { return isNumber && v == want || text == key })
			}
		case "range":
			from, to := number(opts.Get("from")), number(opts.Get("to"))
			add(res.Get("text").Text(), res.Get("color").Text(), func(v float64, _ string) bool {
				return !math.IsNaN(v) && (from == nil || v >= *from) && (to == nil || v <= *to)
			})
		case "regex":
			re, err := compileSlashed(opts.Get("pattern").Text())
			if err == nil {
				add(res.Get("text").Text(), res.Get("color").Text(), func(_ float64, text string) bool { return re.MatchString(text) })
			}
		case "special":
			which := opts.Get("match").Text()
			add(res.Get("text").Text(), res.Get("color").Text(), func(v float64, text string) bool {
				switch which {
				case "nan", "null", "null+nan":
					return math.IsNaN(v) && text == ""
				case "empty":
					return text == "" && math.IsNaN(v)
				case "true":
					return v == 1
				case "false":
					return v == 0
				}
				return false
			})
		case "1": // before Grafana 8: value to text
			key := m.Get("value").Scalarish()
			want, isNumber := parseNumber(key)
			add(m.Get("text").Text(), "", func(v float64, text string) bool {
				return isNumber && v == want || key == "null" && math.IsNaN(v) || text != "" && text == key
			})
		case "2": // before Grafana 8: range to text
			from, to := number(m.Get("from")), number(m.Get("to"))
			add(m.Get("text").Text(), "", func(v float64, _ string) bool { return from != nil && to != nil && v >= *from && v <= *to })
		}
	}
	return out
}

func (m *fieldMaker) oldGraph() {
	n, f := m.panel.Node, &m.base
	axis := func(i int) (unit, label string, lo, hi *float64, log float64) {
		a := n.Get("yaxes").At(i)
		unit, label, lo, hi = a.Get("format").Text(), a.Get("label").Text(), number(a.Get("min")), number(a.Get("max"))
		if b := number(a.Get("logBase")); b != nil && *b > 1 {
			log = *b
		}
		if unit == "" {
			unit = n.Get("y_formats").At(i).Text()
		}
		return
	}
	unit, label, lo, hi, log := axis(0)
	if unit != "" && f.unit == "" {
		f.unit = unit
	}
	f.axisLabel, f.log = label, log
	if lo != nil {
		f.min = lo
	}
	if hi != nil {
		f.max = hi
	}
	if v := number(n.Path("yaxes").At(0).Get("decimals")); v != nil && *v >= 0 {
		f.decimals = int(min(*v, 10))
	} else if v := number(n.Get("decimals")); v != nil && *v >= 0 {
		f.decimals = int(min(*v, 10))
	}
	style := func(n *dashboard.Node, f *field) {
		if v := number(n.Get("linewidth")); v != nil {
			f.lineWidth = min(max(*v, 0), 10)
		}
		if v := number(n.Get("fill")); v != nil {
			f.fill = min(max(*v/10, 0), 1)
		}
		switch {
		case n.Get("bars").Bool():
			f.draw = "bars"
		case n.Get("lines").Is(dashboard.Bool) && !n.Get("lines").Bool() && n.Get("points").Bool():
			f.draw = "points"
		}
		if s := n.Get("stack"); s.Is(dashboard.Bool) {
			f.stack = map[bool]string{true: "normal"}[s.Bool()]
		} else if s.Is(dashboard.String) {
			f.stack, f.stackGroup = "normal", s.Text()
		}
		if n.Get("steppedLine").Bool() {
			f.interp = "stepAfter"
		}
		if n.Get("dashes").Bool() {
			f.dashed = []float64{8, 5}
		}
		if mode := n.Get("nullPointMode").Text(); mode != "" {
			f.spanNulls = mode == "connected"
		}
	}
	f.fill = 0.1
	style(n, f)
	if f.stack != "" && n.Get("percentage").Bool() {
		f.stack = "percent"
	}
	for _, o := range n.Get("seriesOverrides").Items() {
		alias := o.Get("alias").Text()
		match := func(name, _ string, _ columnKind) bool { return name == alias }
		if strings.HasPrefix(alias, "/") {
			re, err := compileSlashed(alias)
			if err != nil {
				continue
			}
			match = func(name, _ string, _ columnKind) bool { return re.MatchString(name) }
		}
		m.over = append(m.over, override{match, func(f *field) {
			style(o, f)
			if c := o.Get("color").Text(); c != "" {
				f.colorMode, f.fixedColor = "fixed", c
			}
			if v, _ := o.Get("yaxis").Int(); v == 2 {
				f.right = true
				f.unit, f.axisLabel, f.min, f.max, f.log = axis(1)
			}
			f.negate = f.negate || o.Get("transform").Text() == "negative-Y"
			f.noLegend = f.noLegend || o.Get("legend").Is(dashboard.Bool) && !o.Get("legend").Bool()
			f.hidden = f.hidden || o.Get("lines").Is(dashboard.Bool) && !o.Get("lines").Bool() && !o.Get("bars").Bool() && !o.Get("points").Bool()
		}})
	}
	for _, c := range n.Get("aliasColors").Children() {
		name, col := c.Key(), c.Text()
		m.over = append(m.over, override{func(s, _ string, _ columnKind) bool { return s == name }, func(f *field) { f.colorMode, f.fixedColor = "fixed", col }})
	}
	for _, t := range n.Get("thresholds").Items() {
		v := number(t.Get("value"))
		if v == nil {
			continue
		}
		col := cmp.Or(t.Get("lineColor").Text(), t.Get("fillColor").Text())
		switch t.Get("colorMode").Text() {
		case "critical":
			col = "red"
		case "warning":
			col = "orange"
		case "ok":
			col = "green"
		}
		f.steps = append(f.steps, thresholdStep{
			from: *v, color: cmp.Or(col, "red"), below: t.Get("op").Text() == "lt", line: t.Get("line").Bool(), fill: t.Get("fill").Bool(),
		})
		f.thresholds = "old"
	}
}

func (m *fieldMaker) singlestat() {
	n, f := m.panel.Node, &m.base
	if n.Get("fieldConfig").Path("defaults", "unit") == nil {
		f.unit = cmp.Or(n.Get("format").Text(), f.unit)
	}
	f.prefix, f.postfix = n.Get("prefix").Text(), n.Get("postfix").Text()
	if v := number(n.Get("decimals")); v != nil && *v >= 0 {
		f.decimals = int(min(*v, 10))
	}
	for _, v := range n.Get("valueMaps").Items() {
		key, text := v.Get("value").Scalarish(), v.Get("text").Text()
		want, isNumber := parseNumber(key)
		f.mappings = append(f.mappings, mapping{text: text, match: func(v float64, _ string) bool {
			return isNumber && v == want || key == "null" && math.IsNaN(v)
		}})
	}
	if kind, _ := n.Get("mappingType").Int(); kind == 2 {
		f.mappings = nil
		for _, v := range n.Get("rangeMaps").Items() {
			from, to := number(v.Get("from")), number(v.Get("to"))
			f.mappings = append(f.mappings, mapping{text: v.Get("text").Text(), match: func(v float64, _ string) bool {
				return from != nil && to != nil && v >= *from && v <= *to
			}})
		}
	}
	if n.Get("thresholds").Is(dashboard.String) && len(f.steps) == 0 {
		colors := n.Get("colors")
		f.steps = append(f.steps, thresholdStep{from: math.Inf(-1), color: cmp.Or(colors.At(0).Text(), "green")})
		for i, t := range m.panel.Thresholds {
			if t.HasValue && t.Old {
				f.steps = append(f.steps, thresholdStep{from: t.Value, color: cmp.Or(colors.At(i+1).Text(), "red")})
			}
		}
	}
	if g := n.Get("gauge"); g.Get("show").Bool() {
		f.min, f.max = number(g.Get("minValue")), number(g.Get("maxValue"))
	}
}

func (m *fieldMaker) oldTable() {
	for _, s := range m.panel.Node.Get("styles").Items() {
		pattern := s.Get("pattern").Text()
		match := func(name, _ string, _ columnKind) bool { return name == pattern }
		if strings.HasPrefix(pattern, "/") {
			re, err := compileSlashed(pattern)
			if err != nil {
				continue
			}
			match = func(name, _ string, _ columnKind) bool { return re.MatchString(name) }
		}
		// The first style that matches wins, so those before must not be overwritten.
		m.over = append([]override{{match, func(f *field) {
			*f = m.base
			f.name, f.unit = s.Get("alias").Text(), s.Get("unit").Text()
			f.hidden = s.Get("type").Text() == "hidden"
			f.decimals = -1
			if v := number(s.Get("decimals")); v != nil && *v >= 0 {
				f.decimals = int(min(*v, 10))
			}
			if s.Get("type").Text() != "number" {
				f.unit = ""
			}
			f.steps = nil
			if list := s.Get("thresholds"); list.Len() > 0 {
				f.steps = append(f.steps, thresholdStep{from: math.Inf(-1), color: s.Get("colors").At(0).Text()})
				for i, t := range list.Items() {
					if v := number(t); v != nil {
						f.steps = append(f.steps, thresholdStep{from: *v, color: s.Get("colors").At(i + 1).Text()})
					}
				}
			}
			switch s.Get("colorMode").Text() {
			case "cell", "row":
				f.cell = "color-background"
			case "value":
				f.cell = "color-text"
			}
		}}}, m.over...)
	}
}

// shown is a value as the field shows it.
func (m *fieldMaker) shown(f *field, v float64) (text formatted, col color.NRGBA, mapped bool) {
	col = m.pal.text
	for _, mp := range f.mappings {
		if mp.match(v, "") {
			if c, ok := m.pal.named(mp.color); ok {
				col = c
			} else {
				col = m.valueColor(f, v, 0)
			}
			if mp.text == "" {
				break
			}
			return formatted{text: mp.text}, col, true
		}
	}
	if math.IsNaN(v) && f.noValue != "" {
		return formatted{text: f.noValue}, col, true
	}
	text = formatUnit(f.unit, v, f.decimals, m.loc, m.now)
	text.prefix, text.suffix = f.prefix+text.prefix, text.suffix+f.postfix
	return text, m.valueColor(f, v, 0), false
}

// shownText is a text as the field shows it: what it is mapped to, or itself.
func (m *fieldMaker) shownText(f *field, text string) formatted {
	number, ok := parseNumber(text)
	if !ok {
		number = math.NaN()
	}
	for _, mp := range f.mappings {
		if mp.text != "" && mp.match(number, text) {
			return formatted{text: mp.text}
		}
	}
	return formatted{prefix: f.prefix, text: text, suffix: f.postfix}
}

// valueColor is the colour of a value by the field's colour mode; index is the series' number, for the palette.
func (m *fieldMaker) valueColor(f *field, v float64, index int) color.NRGBA {
	switch mode := f.colorMode; {
	case mode == "fixed" || mode == "shades":
		if c, ok := m.pal.named(f.fixedColor); ok {
			return c
		}
	case mode == "thresholds":
		return m.stepColor(f, v)
	case strings.HasPrefix(mode, "continuous-"):
		lo, hi := f.bounds(0, 100)
		t := (v - lo) / (hi - lo)
		if math.IsNaN(t) {
			t = 0
		}
		return m.pal.gradient(strings.TrimPrefix(mode, "continuous-"), min(max(t, 0), 1))
	}
	return m.pal.series(index)
}

// stepColor is the colour of the threshold step that a value has reached.
func (m *fieldMaker) stepColor(f *field, v float64) color.NRGBA {
	c, _ := m.pal.named("green")
	lo, hi := f.bounds(0, 100)
	for i, s := range f.steps {
		from := s.from
		if f.percentSteps {
			from = lo + (hi-lo)*from/100
		}
		if i == 0 || v >= from {
			if sc, ok := m.pal.named(s.color); ok {
				c = sc
			}
		}
	}
	return c
}

// bounds are min and max with defaults for those not set.
func (f *field) bounds(lo, hi float64) (float64, float64) {
	if f.min != nil {
		lo = *f.min
	}
	if f.max != nil {
		hi = *f.max
	}
	if !(hi > lo) {
		hi = lo + 1
	}
	return lo, hi
}

// defaultMax is what a gauge ends at if nothing says: 1 for a fraction, else 100.
func (f *field) defaultMax() float64 {
	if f.unit == "percentunit" {
		return 1
	}
	return 100
}

// gradient follows the names of Grafana's continuous colour schemes: GrYlRd is green, yellow, red.
func (p palette) gradient(scheme string, t float64) color.NRGBA {
	names := map[string]string{"Gr": "green", "Yl": "yellow", "Rd": "red", "Bl": "blue", "Pu": "purple", "Or": "orange"}
	var stops []color.NRGBA
	for _, part := range hueWord.FindAllString(scheme, -1) {
		if c, ok := p.named(names[part[:2]]); ok {
			stops = append(stops, c)
		}
	}
	switch len(stops) {
	case 0:
		return p.series(0)
	case 1:
		stops = append([]color.NRGBA{p.panel}, stops...)
	}
	at := t * float64(len(stops)-1)
	i := min(int(at), len(stops)-2)
	return mix(stops[i], stops[i+1], at-float64(i))
}

var hueWord = regexp.MustCompile(`[A-Z][a-z]+`)

// calc reduces points to one number, by the name of Grafana's reducers or singlestat's.
func calc(name string, pts []point) float64 {
	var vals []float64
	for _, p := range pts {
		if !math.IsNaN(p.v) {
			vals = append(vals, p.v)
		}
	}
	if name == "count" {
		return float64(len(pts))
	}
	if len(vals) == 0 {
		switch name {
		case "changeCount", "distinctCount":
			return 0
		case "allIsNull":
			return 1
		}
		return math.NaN()
	}
	sum := 0.0
	for _, v := range vals {
		sum += v
	}
	mean := sum / float64(len(vals))
	first, last := vals[0], vals[len(vals)-1]
	switch name {
	case "mean", "avg":
		return mean
	case "min":
		return slices.Min(vals)
	case "max":
		return slices.Max(vals)
	case "sum", "total":
		return sum
	case "first", "firstNotNull":
		return first
	case "range":
		return slices.Max(vals) - slices.Min(vals)
	case "diff":
		return last - first
	case "diffperc":
		return (last - first) / first
	case "delta":
		total := 0.0
		for i := 1; i < len(vals); i++ {
			if d := vals[i] - vals[i-1]; d >= 0 {
				total += d
			} else {
				total += vals[i]
			}
		}
		return total
	case "median", "p50":
		return percentile(vals, 0.5)
	case "logmin":
		least := math.Inf(1)
		for _, v := range vals {
			if v > 0 {
				least = min(least, v)
			}
		}
		return least
	case "step":
		return spacing(pts)
	case "allIsZero":
		return truth(slices.Max(vals) == 0 && slices.Min(vals) == 0)
	case "variance", "stdDev":
		sq := 0.0
		for _, v := range vals {
			sq += (v - mean) * (v - mean)
		}
		sq /= float64(len(vals))
		if name == "stdDev" {
			return math.Sqrt(sq)
		}
		return sq
	case "changeCount":
		n := 0
		for i := 1; i < len(vals); i++ {
			if vals[i] != vals[i-1] {
				n++
			}
		}
		return float64(n)
	case "distinctCount":
		s := slices.Sorted(slices.Values(vals))
		return float64(len(slices.Compact(s)))
	}
	if q, ok := strings.CutPrefix(name, "p"); ok {
		if f, isNumber := parseNumber(q); isNumber && f >= 0 && f <= 100 {
			return percentile(vals, f/100)
		}
	}
	return last
}

func percentile(vals []float64, q float64) float64 {
	s := slices.Sorted(slices.Values(vals))
	return s[int(math.Round(q*float64(len(s)-1)))]
}

// calcTitle is a reducer as a legend's column or a transformation's result is called.
func calcTitle(name string) string {
	if title, ok := calcTitles[name]; ok {
		return title
	}
	if q, ok := strings.CutPrefix(name, "p"); ok {
		if _, isNumber := parseNumber(q); isNumber {
			return q + "th %"
		}
	}
	if name == "" {
		return ""
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

var calcTitles = map[string]string{
	"lastNotNull": "Last *", "firstNotNull": "First *", "current": "Last", "avg": "Mean", "sum": "Total", "diff": "Difference", "diffperc": "Difference percent",
	"stdDev": "StdDev", "allIsZero": "All zeros", "allIsNull": "All nulls", "changeCount": "Change count", "distinctCount": "Distinct count", "logmin": "Min (above zero)",
	"allValues": "All values", "uniqueValues": "All unique values",
}

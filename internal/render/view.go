package render

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"lookout/internal/dashboard"
)

// view is one panel at one place with its answers.
type view struct {
	panel   *dashboard.Panel
	place   rect
	scope   *scope
	note    string
	queries []*query
	fields  *fieldMaker
	// skipped are things of the panel that the picture does not show, in words.
	skipped []string
	// tables are what the panel's transformations made of the answers; nil if it has none.
	tables []*frame
}

func (v *view) title() string { return v.scope.text(v.panel.Title) }

// series is one curve, or one value.
type series struct {
	name   string
	refID  string
	query  *query
	metric model.Metric
	points []point
	step   float64 // seconds between points, 0 for an instant answer
	f      *field
	color  color.NRGBA
	// text is the value of a column of texts.
	text string
}

// series names and colours what came back, in the order of the targets, after the panel's expressions and transformations. end is the end of the range.
func (v *view) series(end time.Time) []*series {
	v.evaluate()
	out := v.answers()
	if len(v.panel.Transforms) == 0 && v.chosenFields() == "" {
		for i, s := range out {
			if s.f.name != "" {
				s.name = v.displayName(s.f.name, s.name, s.metric)
			}
			s.negate()
			s.color = v.fields.valueColor(s.f, calc("last", s.points), i)
		}
		return out
	}
	v.tables = v.transform(v.frames(out))
	if v.tables == nil {
		v.tables = []*frame{}
	}
	return v.fromFrames(v.tables, float64(end.UnixMilli())/1000)
}

// answers are the series of the queries that are shown, named by their legends.
func (v *view) answers() []*series {
	var out []*series
	for _, q := range v.queries {
		if !q.shown() {
			if !q.hidden && v.asked() && strings.TrimSpace(q.expr) != "" {
				v.skip(strings.TrimSpace(q.target.RefID + " " + q.skip))
			}
			continue
		}
		list := q.series
		if len(q.buckets) > 0 {
			if v.panel.Type == "heatmap" {
				list = append(slices.Clone(list), q.buckets...)
			} else {
				v.skip("native histogram of " + q.target.RefID + " (a heat map or histogram_quantile() shows it)")
			}
		}
		auto := varying(list)
		for i := range list {
			a := &list[i]
			name := v.legend(q, a, auto)
			s := &series{name: name, refID: q.target.RefID, query: q, metric: a.metric, points: a.points}
			if !q.instant {
				s.step = q.step.Seconds()
			}
			if q.compute != nil {
				s.step = spacing(s.points)
			}
			s.f = v.fields.make(name, q.target.RefID)
			out = append(out, s)
		}
	}
	return out
}

// negate turns the values of a series that its field draws downwards.
func (s *series) negate() {
	if !s.f.negate {
		return
	}
	s.points = slices.Clone(s.points)
	for j := range s.points {
		s.points[j].v = -s.points[j].v
	}
}

var legendLabel = regexp.MustCompile(`\{\{\s*([^}]+?)\s*\}\}`)

// legend names a series: by legendFormat, or "auto" as Grafana does it: what tells the series of the query apart.
func (v *view) legend(q *query, a *answerSeries, auto []model.LabelName) string {
	format := v.scope.text(q.target.Legend)
	if format == "__auto" || strings.TrimSpace(format) == "" {
		switch {
		case len(a.metric) == 0 && q.compute != nil:
			return q.target.RefID
		case len(a.metric) == 0:
			return oneLine(q.expr)
		case len(auto) == 1 && strings.TrimSpace(format) != "":
			return string(a.metric[auto[0]])
		case len(auto) > 1 && strings.TrimSpace(format) != "":
			var parts []string
			for _, l := range auto {
				if val := a.metric[l]; val != "" {
					parts = append(parts, fmt.Sprintf("%s=%q", l, string(val)))
				}
			}
			return "{" + strings.Join(parts, ", ") + "}"
		}
		return a.metric.String()
	}
	return oneLine(legendLabel.ReplaceAllStringFunc(format, func(m string) string {
		return string(a.metric[model.LabelName(legendLabel.FindStringSubmatch(m)[1])])
	}))
}

// varying are the labels that differ between the series of one answer.
func varying(list []answerSeries) []model.LabelName {
	if len(list) < 2 {
		return nil
	}
	seen := map[model.LabelName]bool{}
	var out []model.LabelName
	for _, s := range list {
		for l := range s.metric {
			if seen[l] {
				continue
			}
			seen[l] = true
			first := list[0].metric[l]
			if slices.ContainsFunc(list, func(o answerSeries) bool { return o.metric[l] != first }) {
				out = append(out, l)
			}
		}
	}
	slices.Sort(out)
	return out
}

var fieldUse = regexp.MustCompile(`\$\{__(?:field\.labels|field|series|frame)\.?([\w"\[\]]*)\}|\$__series_name|\$__cell_0`)

func (v *view) displayName(format, name string, metric model.Metric) string {
	return oneLine(v.scope.text(fieldUse.ReplaceAllStringFunc(format, func(use string) string {
		m := fieldUse.FindStringSubmatch(use)
		if strings.HasPrefix(use, "${__field.labels.") {
			return string(metric[model.LabelName(m[1])])
		}
		return name
	})))
}

// problems are the errors of the panel's queries, each once.
func (v *view) problems() []string {
	var out []string
	for _, q := range v.queries {
		if q.err != nil {
			if s := q.target.RefID + ": " + oneLine(q.err.Error()); !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

// asked tells whether any query of the panel went to Prometheus.
func (v *view) asked() bool {
	return slices.ContainsFunc(v.queries, (*query).sent)
}

// drawPanel draws the frame and, in it, what the panel's type asks for.
func (r *renderer) drawPanel(p *pen, v *view) {
	transparent := v.panel.Node.Get("transparent").Bool()
	if !transparent {
		p.fill(v.place, radius, r.pal.panel)
		p.outline(v.place, radius, 1, r.pal.border)
	}
	body := r.frame(p, v)
	if body.w < 20 || body.h < 12 {
		return
	}
	r.drawBody(p, v, body)
	if len(v.skipped) > 0 {
		st := textStyle{size: 10, color: r.pal.faint}
		text := p.fit("left out: "+strings.Join(v.skipped, ", "), v.place.w-24, st)
		p.text(v.place.right()-10, v.place.bottom()-4, text, st.at(alignEnd))
	}
}

// drawBody draws what is inside of the frame.
func (r *renderer) drawBody(p *pen, v *view, body rect) {
	kind := v.panel.Type
	if v.panel.Library != "" && len(v.panel.Targets) == 0 {
		r.report.Placeholders++
		r.placeholder(p, body, v, "Library panel “"+v.panel.Library+"”: its content is in Grafana, not in the file")
		return
	}
	draw := r.drawer(v)
	switch {
	case kind == "text":
		r.textPanel(p, body, v)
	case lists[kind] != nil:
		r.listPanel(p, body, v)
	case draw == nil:
		r.report.Placeholders++
		r.placeholder(p, body, v, "A panel of type “"+cmp.Or(kind, "(none)")+"” is not drawn")
	case r.opts.Prometheus == nil || !v.asked():
		r.plan0(p, body, v)
	default:
		list := v.series(r.end)
		if r.live != nil {
			r.live.choose(list)
		}
		if problems := v.problems(); len(problems) > 0 {
			body = r.problems(p, body, problems)
		}
		if len(list) == 0 && !(len(v.tables) > 0 && strings.HasPrefix(kind, "table")) {
			if len(v.problems()) == 0 {
				r.noData(p, body, v)
			}
			return
		}
		draw(p, body, v, list)
	}
}

// drawer is how the panel's type is drawn, nil if it is not.
func (r *renderer) drawer(v *view) func(*pen, rect, *view, []*series) {
	switch v.panel.Type {
	case "graph":
		switch v.panel.Node.Path("xaxis", "mode").Text() {
		case "histogram":
			return r.histogram
		case "series":
			return r.barChart
		}
		return r.timeseries
	case "timeseries":
		return r.timeseries
	case "candlestick":
		v.skip("candles: drawn as lines")
		return r.timeseries
	case "singlestat":
		if v.panel.Node.Path("gauge", "show").Bool() {
			return r.gauge
		}
		return r.stat
	case "stat", "grafana-singlestat-panel", "grafana-polystat-panel", "vonage-status-panel", "blackmirror1-singlestat-math-panel":
		return r.stat
	case "gauge", "briangann-gauge-panel":
		return r.gauge
	case "bargauge", "michaeldmoore-multistat-panel":
		return r.barGauge
	case "table", "table-old", "yesoreyeram-boomtable-panel":
		return r.table
	case "heatmap", "heatmap-new":
		return r.heatmap
	case "piechart", "grafana-piechart-panel":
		return r.pie
	case "barchart":
		return r.barChart
	case "histogram":
		return r.histogram
	case "state-timeline", "natel-discrete-panel":
		return r.stateTimeline
	case "status-history", "flant-statusmap-panel":
		return r.statusHistory
	case "logs":
		return r.logs
	case "alertlist":
		return r.alertList
	case "xychart", "trend":
		return r.xyChart
	}
	return nil
}

// frame draws title, description mark and badges, and returns what is left for the body.
func (r *renderer) frame(p *pen, v *view) rect {
	mark := r.opts.Marks[v.panel]
	right := v.place.right() - 10
	if mark.Kind != MarkNone {
		c := r.pal.mark(mark.Kind)
		if mark.Kind == MarkRemoved {
			p.fill(v.place, radius, alpha(c, 0.06))
		}
		p.outline(v.place.inset(-1), radius+1, 2.5, c)
		label := textStyle{size: 11, bold: true, color: readableOn(c)}
		if word := p.fit(cmp.Or(mark.Note, mark.Kind.String()), v.place.w*0.6, label); word != "" {
			w := p.width(word, label) + 16
			badge := rect{right - w + 2, v.place.y + 7, w, 18}
			p.fill(badge, 9, c)
			p.text(badge.x+8, badge.y+13, word, label)
			right = badge.x - 6
		}
	}
	title := v.title()
	if title == "" && mark.Kind == MarkNone {
		return v.place.cut(10, 10, 10, 10)
	}
	if v.note != "" {
		st := textStyle{size: 11, color: r.pal.dim}
		if note := p.fit(v.note, (right-v.place.x)*0.5, st); note != "" {
			p.text(right, v.place.y+20, note, st.at(alignEnd))
			right -= p.width(note, st) + 8
		}
	}
	st := textStyle{size: 13, bold: true, color: r.pal.text}
	room := right - v.place.x - 12
	description := strings.TrimSpace(v.scope.text(v.panel.Description))
	if description != "" {
		room -= 20
	}
	shown := p.fit(title, room, st)
	st.exact = description != ""
	p.text(v.place.x+12, v.place.y+21, shown, st)
	if description != "" && room > 0 {
		x := v.place.x + 12 + p.width(shown, st) + 13
		p.group(description, func() {
			// A small "i" in a circle; the circle is filled so that the pointer finds it.
			p.circle(x, v.place.y+16.5, 6.5, r.pal.rule)
			p.circle(x, v.place.y+13.3, 0.9, r.pal.dim)
			p.line(x, v.place.y+15.4, x, v.place.y+20, 1.5, r.pal.dim)
		})
	}
	return v.place.cut(32, 10, 8, 10)
}

// noData is what Grafana says, too.
func (r *renderer) noData(p *pen, body rect, v *view) {
	text := cmp.Or(v.fields.base.noValue, "No data")
	if r.live != nil {
		r.live.pic.Empty = text
		return
	}
	size := min(max(body.h*0.2, 11), 18)
	p.text(body.x+body.w/2, body.y+body.h/2+size/3, p.fit(text, body.w, textStyle{size: size}), textStyle{size: size, color: r.pal.faint, align: alignMiddle})
}

// problems lists what went wrong above the body and returns what is left.
func (r *renderer) problems(p *pen, body rect, list []string) rect {
	if r.live != nil {
		r.live.pic.Problems = list
		return body
	}
	st := textStyle{size: 11, color: r.pal.attention}
	for _, text := range list {
		for _, line := range p.wrap(text, body.w-18, 2, st) {
			if body.h < 16 {
				return body
			}
			p.fill(rect{body.x, body.y, 3, 15}, 1, r.pal.attention)
			p.text(body.x+10, body.y+11.5, line, st)
			body = body.cut(15, 0, 0, 0)
		}
	}
	return body.cut(4, 0, 0, 0)
}

// placeholder says honestly that a panel is not drawn, and lists its queries.
func (r *renderer) placeholder(p *pen, body rect, v *view, why string) {
	if r.live != nil {
		r.live.pic.NotDrawn = why
		return
	}
	p.outline(body, 4, 1, r.pal.border, 4, 4)
	st := textStyle{size: 12, color: r.pal.dim, align: alignMiddle}
	inner := body.inset(10)
	lines := p.wrap(why, inner.w, 3, st)
	if len(v.queries) == 0 || inner.h < 70 {
		y := body.y + body.h/2 - float64(len(lines)-1)*8 + 4
		for _, l := range lines {
			p.text(body.x+body.w/2, y, l, st)
			y += 16
		}
		return
	}
	y := inner.y + 10
	for _, l := range lines {
		p.text(body.x+body.w/2, y, l, st)
		y += 16
	}
	r.listQueries(p, rect{inner.x, y, inner.w, inner.bottom() - y}, v)
}

// listQueries writes the queries of a panel as they stand in the file, with their legends. It returns where it ended.
func (r *renderer) listQueries(p *pen, body rect, v *view) (end float64) {
	code := textStyle{size: 11, mono: true, color: r.pal.text}
	small := textStyle{size: 10.5, color: r.pal.dim}
	const line = 15.0
	left := int(body.h / line)
	y := body.y + 11
	for i, q := range v.queries {
		if left < 1 {
			return y - line
		}
		// Each of what follows should get a line, at least.
		n := max(left-(len(v.queries)-i-1), 1)
		if left == 1 && i < len(v.queries)-1 {
			p.text(body.x+16, y, "… "+plural(len(v.queries)-i, "query"), small)
			return y
		}
		col := r.pal.series(i)
		p.fill(rect{body.x, y - 8, 8, 8}, 2, col)
		text := cmp.Or(q.target.Expr, q.expr)
		if q.skip != "" {
			text = strings.TrimSpace(text + " (" + q.skip + ")")
		}
		legend := ""
		if q.target.Legend != "__auto" {
			legend = q.target.Legend
		}
		reserve := 0
		if legend != "" && n > 1 {
			reserve = 1
		}
		// A single query may have all the room there is.
		most := 4
		if len(v.queries) == 1 {
			most = 40
		}
		for _, l := range p.wrapCode(text, body.w-16, min(n-reserve, most), code) {
			p.text(body.x+16+l.indent, y, l.text, code)
			y += line
			left--
		}
		if reserve == 1 && left > 0 {
			p.text(body.x+16, y, p.fit(legend, body.w-16, small), small)
			y += line
			left--
		}
	}
	return y - line
}

// plan0 is a panel without data: its axes, thresholds and unit, and what it would ask.
func (r *renderer) plan0(p *pen, body rect, v *view) {
	f := v.fields.make("", "")
	var facts []string
	if f.unit != "" {
		facts = append(facts, "unit "+f.unit)
	}
	if f.min != nil || f.max != nil {
		show := func(b *float64) string {
			if b == nil {
				return "auto"
			}
			return formatUnit(f.unit, *b, -1, r.loc, r.end).String()
		}
		facts = append(facts, "range "+show(f.min)+" to "+show(f.max))
	}
	if body.h > 60 && body.w > 120 {
		strip := rect{body.x, body.bottom() - 18, body.w, 18}
		body.h -= 24
		x := strip.x
		st := textStyle{size: 10.5, color: r.pal.dim, exact: true}
		chip := func(text string, dot *color.NRGBA) {
			w := p.width(text, st) + 12
			if dot != nil {
				w += 11
			}
			if x+w > strip.right() {
				return
			}
			p.fill(rect{x, strip.y, w, 17}, 4, mix(r.pal.panel, r.pal.dim, 0.13))
			tx := x + 6
			if dot != nil {
				p.circle(tx+3, strip.y+8.5, 3.5, *dot)
				tx += 11
			}
			p.text(tx, strip.y+12.5, text, st)
			x += w + 5
		}
		chip(cmp.Or(v.panel.Type, "no type"), nil)
		for _, fact := range facts {
			chip(fact, nil)
		}
		for _, s := range f.steps {
			c, ok := r.pal.named(s.color)
			if !ok || c.A == 0 || math.IsInf(s.from, 0) && len(f.steps) < 2 {
				continue
			}
			text := "base"
			switch {
			case !math.IsInf(s.from, 0) && f.percentSteps:
				text = "≥ " + fixed(s.from, -1) + "%"
			case !math.IsInf(s.from, 0):
				text = map[bool]string{true: "≤ ", false: "≥ "}[s.below] + formatUnit(f.unit, s.from, f.decimals, r.loc, r.end).String()
			}
			chip(text, &c)
		}
		for _, t := range v.panel.Transforms {
			if !t.Get("disabled").Bool() {
				chip("then "+t.Get("id").Text(), nil)
			}
		}
	}
	end := r.listQueries(p, body.cut(0, 0, 0, 2), v)
	if v.panel.Type == "timeseries" || v.panel.Type == "graph" {
		r.ghost(p, body.cut(end-body.y+8, 0, 0, 0), v, f)
	}
}

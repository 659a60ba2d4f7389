package render

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"gonum.org/v1/plot/vg"

	"lookout/internal/dashboard"
)

// renderer holds one dashboard with its answers, ready to be drawn on any canvas.
type renderer struct {
	d          *dashboard.Dashboard
	opts       Options
	pal        palette
	m          *metrics
	width      float64
	loc        *time.Location
	start, end time.Time
	scrape     time.Duration
	scope      *scope
	// filters are those of ad hoc variables; every query has them.
	filters []*labels.Matcher
	layout  layout
	views   map[*section][]*view
	report  *Report
	// choices are the lists of the variables, by name.
	choiceLists map[string][]choice
	// live collects what a Board shows outside of the picture; nil when a whole dashboard is drawn.
	live *live
	// answered counts the queries that Prometheus understood.
	answered int
}

func newRenderer(ctx context.Context, d *dashboard.Dashboard, opts Options) (*renderer, error) {
	r := &renderer{d: d, opts: opts, width: float64(cmp.Or(opts.Width, 1400)), loc: opts.Location, m: newMetrics(), scrape: opts.ScrapeInterval, report: opts.Report}
	if r.width < 400 || r.width > 4000 {
		return nil, fmt.Errorf("width %d: from 400 to 4000 pixels are possible", opts.Width)
	}
	if r.loc == nil {
		r.loc = time.UTC
	}
	if r.scrape <= 0 {
		r.scrape = 15 * time.Second
	}
	if r.report == nil {
		r.report = &Report{}
	}
	*r.report = Report{}
	var err error
	if r.pal, err = newPalette(opts.Theme); err != nil {
		return nil, err
	}
	if opts.Prometheus != nil && opts.End.IsZero() && opts.Now.IsZero() {
		return nil, errors.New("drawing with data needs a time range or Now")
	}
	r.start, r.end = timeRange(d, opts)
	if !r.start.Before(r.end) {
		return nil, fmt.Errorf("time range from %s to %s is empty", r.start.Format(time.RFC3339), r.end.Format(time.RFC3339))
	}
	if err := r.readVariables(ctx); err != nil {
		return nil, err
	}
	r.layout = r.layOut()
	var all []*view
	r.views = map[*section][]*view{}
	for _, s := range r.layout.sections {
		for _, pl := range s.panels {
			v := &view{panel: pl.panel, place: pl.place, note: pl.note, scope: r.scope.with(pl.scope), fields: r.fields(pl.panel)}
			v.queries = r.plan(pl.panel, v.scope, pl.place.w)
			if span, shift := r.ownTime(pl.panel); span || shift {
				v.skipped = append(v.skipped, "a time range of its own")
			}
			r.views[s] = append(r.views[s], v)
			if opts.only == nil || opts.only == pl.panel {
				all = append(all, v)
			}
		}
	}
	r.report.Panels = len(all)
	if opts.Prometheus != nil {
		if err := r.ask(ctx, all); err != nil {
			return nil, err
		}
	}
	return r, ctx.Err()
}

func (r *renderer) ownTime(p *dashboard.Panel) (span, shift bool) {
	return p.Node.Get("timeFrom").Text() != "", p.Node.Get("timeShift").Text() != ""
}

// open tells whether a collapsed row is drawn open.
func (r *renderer) open(row *dashboard.Panel) bool {
	if r.opts.Expand {
		return true
	}
	for p := range r.opts.Marks {
		for at := p.Row; at != nil; at = at.Row {
			if at == row {
				return true
			}
		}
	}
	return false
}

// maxRepeats keeps a variable with a thousand values from making a picture of a thousand panels.
const maxRepeats = 12

// repeatValues are the scopes that a panel or row is drawn with: one for each value of the variable it is repeated for.
func (r *renderer) repeatValues(name string) (scopes []map[string]value, note string) {
	v, ok := r.scope.vars[name]
	if name == "" || !ok {
		return []map[string]value{nil}, ""
	}
	if len(v.values) < 2 {
		return []map[string]value{nil}, ""
	}
	values := v.values
	if len(values) > maxRepeats {
		note = fmt.Sprintf("%d of %d", maxRepeats, len(values))
		values = values[:maxRepeats]
	}
	for i, one := range values {
		val := value{values: []string{one}, multi: v.multi}
		if i < len(v.texts) {
			val.texts = v.texts[i : i+1]
		}
		scopes = append(scopes, map[string]value{name: val})
	}
	return scopes, note
}

// repeat makes the copies of a repeated panel: side by side as wide as the grid allows, or below one another.
func (r *renderer) repeat(it gridItem) []gridItem {
	scopes, note := r.repeatValues(it.panel.Repeat)
	if it.panel.Repeat != "" && len(scopes) == 1 && scopes[0] == nil {
		it.note = strings.TrimSpace(it.note + " repeated by $" + it.panel.Repeat)
	}
	if len(scopes) == 1 {
		return []gridItem{it}
	}
	out := make([]gridItem, len(scopes))
	perRow := 1
	if it.panel.Node.Get("repeatDirection").Text() != "v" {
		perRow = 4
		if n, ok := it.panel.Node.Get("maxPerRow").Int(); ok && n > 0 && n <= columns {
			perRow = int(n)
		}
		perRow = min(perRow, len(scopes))
		it.grid.W = columns / perRow
	}
	for i, sc := range scopes {
		c := it
		c.scope = merged(it.scope, sc)
		if perRow > 1 {
			c.grid.X = i % perRow * it.grid.W
		}
		c.grid.Y = it.grid.Y + i/perRow*it.grid.H
		if i == len(scopes)-1 {
			c.note = note
		}
		out[i] = c
	}
	return out
}

func merged(a, b map[string]value) map[string]value {
	if len(a) == 0 {
		return b
	}
	out := map[string]value{}
	for k, v := range a {
		out[k] = v
	}
	for k, v := range b {
		out[k] = v
	}
	return out
}

func (r *renderer) draw(c vg.Canvas, height float64) {
	p := newPen(c, height, r.m)
	if image, ok := c.(*imageCanvas); ok {
		image.background(r.pal.page)
	} else {
		p.fill(rect{0, 0, r.width, height}, 0, r.pal.page)
	}
	r.head(p)
	for _, s := range r.layout.sections {
		r.drawSection(p, s)
	}
}

func (r *renderer) drawSection(p *pen, s *section) {
	if s.row != nil {
		r.drawRow(p, s)
	}
	for _, v := range r.views[s] {
		p.group("", func() { r.drawPanel(p, v) })
	}
}

// head is the title, the variables and the time range.
func (r *renderer) head(p *pen) {
	st := textStyle{size: 20, bold: true, color: r.pal.text}
	right := r.width - margin
	if r.opts.Prometheus != nil {
		dim := textStyle{size: 12, color: r.pal.dim, align: alignEnd}
		text := r.rangeText()
		dim.exact = true
		p.text(right, margin+20, text, dim)
		right -= p.width(text, dim) + 16
	}
	st.exact = r.opts.Prometheus != nil
	p.text(margin+2, margin+22, p.fit(r.d.Name(), right-margin-2, st), st)
	x, y := margin+2.0, margin+34.0
	for _, v := range r.d.Variables {
		if v.Hide == 2 || v.Name == "" || v.Type == "adhoc" {
			continue
		}
		label, val := textStyle{size: 11, color: r.pal.dim}, textStyle{size: 11, bold: true, color: r.pal.text}
		name := p.fit(cmp.Or(v.Label, v.Name), 160, label)
		text := p.fit(cmp.Or(r.scope.vars[v.Name].text(), "—"), 220, val)
		w := p.width(name, label) + p.width(text, val) + 22
		if x+w > r.width-margin {
			p.text(x, y+14, ellipsis, label)
			break
		}
		p.fill(rect{x, y, w, 20}, 4, r.pal.panel)
		p.outline(rect{x, y, w, 20}, 4, 1, r.pal.border)
		p.text(x+8, y+14, name, label)
		p.text(x+8+p.width(name, label)+6, y+14, text, val)
		x += w + 6
	}
}

func (r *renderer) rangeText() string {
	const layout = "2006-01-02 15:04:05"
	from, to := r.start.In(r.loc), r.end.In(r.loc)
	end := to.Format("15:04:05")
	if from.Format(time.DateOnly) != to.Format(time.DateOnly) {
		end = to.Format(layout)
	}
	return from.Format(layout) + " – " + end + " " + to.Format("MST")
}

func (r *renderer) drawRow(p *pen, s *section) {
	x, y := s.place.x+6, s.place.y+s.place.h/2
	if s.collapsed {
		p.polygon(r.pal.dim, x, y-4, x+6, y, x, y+4)
	} else {
		p.polygon(r.pal.dim, x-1, y-3, x+7, y-3, x+3, y+3)
	}
	st := textStyle{size: 15, bold: true, color: r.pal.text}
	title := p.fit(cmp.Or(r.scope.with(s.scope).text(s.title), "Row"), s.place.w*0.7, st)
	p.text(x+16, y+5, title, st)
	var notes []string
	if s.collapsed {
		notes = append(notes, plural(s.hidden, "panel"))
	}
	if s.note != "" {
		notes = append(notes, s.note)
	}
	at := x + 26 + p.width(title, st)
	p.text(at, y+5, strings.Join(notes, ", "), textStyle{size: 12, color: r.pal.dim})
	if mark := r.opts.Marks[s.row]; mark.Kind != MarkNone {
		c := r.pal.mark(mark.Kind)
		label := textStyle{size: 11, bold: true, color: readableOn(c)}
		word := p.fit(cmp.Or(mark.Note, mark.Kind.String()), s.place.w*0.25, label)
		w := p.width(word, label) + 16
		p.fill(rect{s.place.right() - w - 8, y - 9, w, 18}, 9, c)
		p.text(s.place.right()-w, y+4, word, label)
		p.outline(s.place, radius, 2, c)
	}
	if s.collapsed {
		p.line(s.place.x, s.place.bottom(), s.place.right(), s.place.bottom(), 1, r.pal.border)
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if s, ok := strings.CutSuffix(noun, "y"); ok {
		return fmt.Sprintf("%d %sies", n, s)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

const radius = 6

package render

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	gmhtml "github.com/yuin/goldmark/renderer/html"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lookout/internal/dashboard"
)

// Board is a dashboard that is looked at panel by panel: its variables are known and its panels have their places; a panel's queries are asked when it is drawn.
// Its methods may be called at the same time.
type Board struct {
	r     *renderer
	views map[string]*view
	keys  map[*view]string
	pool  *sync.Pool
}

// BoardVariable is a template variable with what can be chosen.
type BoardVariable struct {
	*dashboard.Variable
	Choices []BoardChoice
	// Values that are set, and whether all are meant. Text is what a person reads.
	Values []string
	All    bool
	Text   string
	// Err is the error of its query; the saved value is used then.
	Err error
}

// BoardChoice is one entry of a variable's list.
type BoardChoice struct{ Text, Value string }

// BoardSection is a row with its panels, or the panels before the first row.
type BoardSection struct {
	// Row is nil for panels that belong to none.
	Row       *dashboard.Panel
	Title     string
	Collapsed bool
	// Note says that not all copies of a repeated row are there.
	Note   string
	Panels []BoardPanel
}

// BoardPanel is a panel at its place: columns of 24, rows of 38 pixels (30 and 8 of gap), from the section's top.
type BoardPanel struct {
	// Key names the panel within the dashboard: its id, "3-clone-1" for the first copy of a repeated one, "n7" for the seventh without an id.
	Key        string
	Panel      *dashboard.Panel
	X, Y, W, H int
	Title      string
	// Description is HTML without scripts, pictures or anything that loads.
	Description string
	Note        string
	Links       []BoardLink
}

// BoardLink is a link of a dashboard or panel with its variables put in. The address is untrusted.
type BoardLink struct{ Title, URL string }

// Picture is one panel's body. Only one of SVG, HTML and Table is set.
type Picture struct {
	SVG   []byte
	HTML  string
	Table *Table
	// Frame is where time runs in the picture; nil if it has no time axis.
	Frame *Frame
	// Legend has all series, hidden ones too, in the order of the picture.
	Legend *Legend
	// Problems are the errors of single queries.
	Problems []string
	// Empty is what to say instead of a picture since nothing came back.
	Empty string
	// NotDrawn tells why the panel is not drawn.
	NotDrawn string
	// NotApplied are what the picture leaves out: transformations, series without room, queries of other datasources.
	NotApplied []string
	// Queries are those of the panel with everything put in, and how many series and points came back.
	Queries []PictureQuery
}

// PictureQuery is a query as it was asked.
type PictureQuery struct {
	RefID, Expr    string
	Skip           string
	Step           time.Duration
	Series, Points int
}

// Frame is the rectangle of a chart's axes in pixels of the picture, y downwards.
type Frame struct {
	X, Y, W, H float64
	// Start and End are the times at its edges, in milliseconds.
	Start, End int64
}

// Legend lists the series of a chart.
type Legend struct {
	// Show is false if the panel wants none; the entries are there nevertheless.
	Show, Table, Right bool
	Columns            []string
	Entries            []LegendEntry
	// Width (of one at the right) or Height (of one at the bottom) is the room that the picture leaves for it, in pixels.
	Width, Height float64
}

// LegendEntry is one series.
type LegendEntry struct {
	Name, Color string
	Values      []string
	// Off means that the reader has hidden it.
	Off bool
}

// Table is a table panel.
type Table struct {
	Columns []TableColumn
	Rows    [][]TableCell
}

// TableColumn is a column's title; numbers are aligned at the right.
type TableColumn struct {
	Title   string
	Numeric bool
}

// TableCell is a cell's text. Color is "" for ordinary text, Fill says that it is the cell's background, and Share, if not negative, how much of a bar is filled.
type TableCell struct {
	Text, Color, Ink string
	Fill             bool
	Share            float64
}

// maxTableRows bounds a page; a table of more is not read by a person.
const maxTableRows = 1000

// NewBoard reads the variables and places the panels. If Prometheus cannot be asked for the variables, the board has the values that were saved with the dashboard, and
// unasked says why. Other errors are those of [SVG].
func NewBoard(ctx context.Context, d *dashboard.Dashboard, opts Options) (b *Board, unasked error, err error) {
	opts.Expand = true
	opts.only = &dashboard.Panel{} // none of the dashboard's
	opts.Report = &Report{}
	r, err := newRenderer(ctx, d, opts)
	if err != nil && opts.Prometheus != nil {
		unasked = err
		offline := opts
		offline.Prometheus = nil
		if r, err = newRenderer(context.WithoutCancel(ctx), d, offline); err == nil {
			r.opts.Prometheus = opts.Prometheus
		}
	}
	if err != nil {
		return nil, nil, err
	}
	b = &Board{r: r, views: map[string]*view{}, keys: map[*view]string{}, pool: &metricsPool}
	keys, copies := PanelKeys(d), map[*dashboard.Panel]int{}
	for _, s := range r.layout.sections {
		for _, v := range r.views[s] {
			key := keys[v.panel]
			if n := copies[v.panel]; n > 0 {
				key += "-clone-" + strconv.Itoa(n)
			}
			copies[v.panel]++
			b.views[key], b.keys[v] = v, key
		}
	}
	return b, unasked, nil
}

// PanelKeys name the panels of a dashboard: by id, "n7" for the seventh without one, and an id that is used before gets an x.
func PanelKeys(d *dashboard.Dashboard) map[*dashboard.Panel]string {
	out, taken, unnamed := map[*dashboard.Panel]string{}, map[string]bool{}, 0
	for _, p := range d.Panels {
		if p.IsRow() {
			continue
		}
		key := strconv.FormatInt(p.ID, 10)
		if !p.HasID {
			unnamed++
			key = "n" + strconv.Itoa(unnamed)
		}
		for taken[key] {
			key += "x"
		}
		taken[key] = true
		out[p] = key
	}
	return out
}

var metricsPool = sync.Pool{New: func() any { return newMetrics() }}

// Range is the time range, in the board's time zone.
func (b *Board) Range() (start, end time.Time) { return b.r.start.In(b.r.loc), b.r.end.In(b.r.loc) }

// Text puts variables into a text of the dashboard.
func (b *Board) Text(s string) string { return b.r.scope.text(s) }

// Variables are those of the dashboard, hidden ones too, in order.
func (b *Board) Variables() []BoardVariable {
	var out []BoardVariable
	for _, v := range b.r.d.Variables {
		val := b.r.scope.vars[v.Name]
		one := BoardVariable{Variable: v, Values: val.values, All: val.all, Text: val.text()}
		for _, c := range b.r.choiceLists[v.Name] {
			if c.value != allValues {
				one.Choices = append(one.Choices, BoardChoice{c.text, c.value})
			}
		}
		for _, p := range b.r.report.Problems {
			if p.Variable == v.Name {
				one.Err = p.Err
			}
		}
		out = append(out, one)
	}
	return out
}

// Sections are the rows with their panels from top to bottom; those of collapsed rows are there, too.
func (b *Board) Sections() []BoardSection {
	cell := (b.r.width - 2*margin + gap) / columns
	round := func(f float64) int { return int(math.Round(f)) }
	var out []BoardSection
	for _, s := range b.r.layout.sections {
		one := BoardSection{Row: s.row, Note: s.note}
		top := s.top
		if s.row != nil {
			// A page has tabs; s.title would say that this is one.
			one.Title, one.Collapsed = cmp.Or(b.r.scope.with(s.scope).text(s.row.Title), map[bool]string{true: "Tab", false: "Row"}[s.row.Tab]), s.row.Collapsed
			top = s.place.bottom() + gap
		}
		for _, v := range b.r.views[s] {
			one.Panels = append(one.Panels, BoardPanel{
				Key: b.keys[v], Panel: v.panel, Title: v.title(), Note: v.note, Description: SafeMarkdown(v.scope.text(v.panel.Description)),
				X: round((v.place.x - margin) / cell), W: round((v.place.w + gap) / cell),
				Y: round((v.place.y - top) / (unitHeight + gap)), H: round((v.place.h + gap) / (unitHeight + gap)),
				Links: b.links(v.panel, v.scope),
			})
		}
		out = append(out, one)
	}
	return out
}

func (b *Board) links(p *dashboard.Panel, sc *scope) []BoardLink {
	var out []BoardLink
	for _, n := range p.Node.Get("links").Items() {
		if l := (BoardLink{sc.text(n.Get("title").Text()), sc.text(n.Get("url").Text())}); l.URL != "" {
			out = append(out, l)
		}
	}
	return out
}

// Has tells whether there is a panel of that key.
func (b *Board) Has(key string) bool { return b.views[key] != nil }

// DrawOptions say how a panel's body is drawn.
type DrawOptions struct {
	// Width and Height in pixels; 120 to 4000, and 20 to 4000.
	Width, Height int
	// Only are the names of the series to draw; none means all.
	Only []string
	// Lines are further thresholds, those of alerts for one.
	Lines []Line
	// Whole draws legend, problems and tables into the picture, for readers without a script.
	Whole bool
}

// Line is a threshold of an alert: it is drawn at the value, and what lies beyond it is tinted.
type Line struct {
	Value float64
	Below bool
}

// Draw asks a panel's queries and draws its body. Errors are an unknown panel, a size that is not possible, or a Prometheus that cannot be asked.
func (b *Board) Draw(ctx context.Context, key string, o DrawOptions) (*Picture, error) {
	r, v, err := b.asked(ctx, key, o)
	if err != nil {
		return nil, err
	}
	defer b.pool.Put(r.m)
	c := newSVGCanvas(float64(o.Width), float64(o.Height))
	p := newPen(c, float64(o.Height), r.m)
	pic := r.live.pic
	if o.Whole {
		r.live = nil
		p.fill(v.place, 0, r.pal.panel)
	}
	r.drawBody(p, v, v.place)
	if l := pic.Legend; l != nil {
		// The page's legend stands where the picture ends.
		c.w, c.h = c.w-l.Width, c.h-l.Height
	}
	pic.NotApplied = v.skipped
	for _, q := range v.queries {
		one := PictureQuery{RefID: q.target.RefID, Expr: cmp.Or(q.expr, q.target.Expr), Skip: q.skip, Step: q.step, Series: len(q.series)}
		for _, s := range q.series {
			one.Points += len(s.points)
		}
		pic.Queries = append(pic.Queries, one)
	}
	if pic.HTML == "" && pic.Table == nil && pic.Empty == "" && pic.NotDrawn == "" {
		if len(c.buf) > 0 {
			pic.SVG = c.bytes(cmp.Or(v.title(), v.panel.Type))
		} else if len(pic.Problems) == 0 {
			pic.Empty = "Nothing to show" // names that are empty, for one
		}
	}
	return pic, nil
}

// asked makes a renderer of one panel whose queries are answered.
func (b *Board) asked(ctx context.Context, key string, o DrawOptions) (*renderer, *view, error) {
	v0 := b.views[key]
	if v0 == nil {
		return nil, nil, fmt.Errorf("panel %q: there is none in this dashboard", key)
	}
	if o.Width < 120 || o.Width > 4000 || o.Height < 20 || o.Height > 4000 {
		return nil, nil, fmt.Errorf("size %d×%d: 120×20 to 4000×4000 pixels are possible", o.Width, o.Height)
	}
	r := *b.r
	r.live = &live{pic: &Picture{}, only: o.Only, h: float64(o.Height)}
	r.report = &Report{}
	r.answered = 0
	v := *v0
	v.place = rect{0, 0, float64(o.Width), float64(o.Height)}
	if o.Whole {
		v.place = v.place.inset(4)
	}
	v.skipped = slices.Clone(v0.skipped)
	// Screens differ by a few pixels; asking for the same points lets them share the answers.
	v.queries = r.plan(v.panel, v.scope, math.Ceil(float64(o.Width)/200)*200)
	if len(o.Lines) > 0 {
		v.fields = v.fields.withLines(o.Lines)
	}
	if r.opts.Prometheus != nil && v.asked() {
		if err := r.ask(ctx, []*view{&v}); err != nil {
			return nil, nil, err
		}
	}
	r.m = b.pool.Get().(*metrics)
	return &r, &v, nil
}

// withLines adds thresholds to a chart; other kinds of panels colour their values by thresholds and stay as they are.
func (m *fieldMaker) withLines(lines []Line) *fieldMaker {
	if m.panel.Type != "timeseries" && m.panel.Type != "graph" {
		return m
	}
	out := *m
	f := &out.base
	visible := f.thresholds != "off" && f.thresholds != ""
	var steps []thresholdStep
	if visible {
		steps = slices.Clone(f.steps)
	} else {
		f.thresholds, f.percentSteps = "old", false
	}
	for _, l := range lines {
		if visible && slices.ContainsFunc(steps, func(s thresholdStep) bool { return s.from == l.Value }) {
			continue
		}
		step := thresholdStep{from: l.Value, color: "red", below: l.Below, line: true, fill: true}
		at := len(steps)
		if f.thresholds != "old" {
			if at = slices.IndexFunc(steps, func(s thresholdStep) bool { return s.from > l.Value }); at < 0 {
				at = len(steps)
			}
		}
		steps = slices.Insert(steps, at, step)
	}
	f.steps = steps
	return &out
}

// Values are a panel's numbers as its unit writes them: what a reader sees who points at a time.
type Values struct {
	// Times in milliseconds, ascending.
	Times  []int64       `json:"times"`
	Series []ValueSeries `json:"series"`
	// More is how many series are left out.
	More int `json:"more,omitempty"`
}

// ValueSeries is one series; Texts has a text for each time, "" where there is no value.
type ValueSeries struct {
	Name  string   `json:"name"`
	Color string   `json:"color"`
	Texts []string `json:"texts"`
}

const maxValueSeries = 60

// Values asks as [Board.Draw] does.
func (b *Board) Values(ctx context.Context, key string, o DrawOptions) (*Values, error) {
	r, v, err := b.asked(ctx, key, o)
	if err != nil {
		return nil, err
	}
	defer b.pool.Put(r.m)
	list := v.series(r.end)
	r.live.choose(list)
	at := map[int64]int{}
	out := &Values{Times: []int64{}, Series: []ValueSeries{}}
	shown := slices.DeleteFunc(list, func(s *series) bool { return s.f.hidden })
	if len(shown) > maxValueSeries {
		out.More = len(shown) - maxValueSeries
		shown = shown[:maxValueSeries]
	}
	for _, s := range shown {
		for _, p := range s.points {
			t := int64(math.Round(p.t * 1000))
			if _, ok := at[t]; !ok {
				at[t] = 0
				out.Times = append(out.Times, t)
			}
		}
	}
	slices.Sort(out.Times)
	for i, t := range out.Times {
		at[t] = i
	}
	for _, s := range shown {
		one := ValueSeries{Name: s.name, Color: hex(s.color), Texts: make([]string, len(out.Times))}
		for _, p := range s.points {
			if math.IsNaN(p.v) {
				continue
			}
			text, _, _ := v.fields.shown(s.f, p.v)
			one.Texts[at[int64(math.Round(p.t*1000))]] = text.String()
		}
		out.Series = append(out.Series, one)
	}
	return out, nil
}

// live is what a panel's picture leaves to the page around it.
type live struct {
	pic  *Picture
	only []string
	h    float64
}

// choose hides the series that the reader does not want.
func (l *live) choose(list []*series) {
	if len(l.only) == 0 {
		return
	}
	for _, s := range list {
		if !slices.Contains(l.only, s.name) {
			s.f.hidden = true
		}
	}
}

// Sizes of a legend on the page, in pixels; the page's style sheet has the same.
const (
	legendLine  = 24.0
	legendGap   = 6.0
	legendRight = 480.0 // narrower pictures have their legend at the bottom
)

// keepLegend keeps the legend for the page and returns what is left for the chart.
func (l *live) keepLegend(r *renderer, body rect, spec legendSpec, list []*series) rect {
	out := &Legend{Show: spec.show, Table: spec.table || len(spec.calcs) > 0, Right: spec.right && body.w >= legendRight}
	for _, c := range spec.calcs {
		out.Columns = append(out.Columns, calcTitle(c))
	}
	st := textStyle{size: 12}
	wide, lines, x := 0.0, 1.0, 0.0
	for _, s := range list {
		if s.f.noLegend {
			continue
		}
		one := LegendEntry{Name: s.name, Color: hex(s.color), Off: len(l.only) > 0 && !slices.Contains(l.only, s.name)}
		for _, c := range spec.calcs {
			one.Values = append(one.Values, spec.cell(r, s, c))
		}
		w := min(r.m.width(s.name, st)*1.08+38, body.w)
		if x+w > body.w {
			lines, x = lines+1, 0
		}
		x, wide = x+w, max(wide, w)
		out.Entries = append(out.Entries, one)
	}
	l.pic.Legend = out
	switch {
	case !out.Show || len(out.Entries) == 0 || body.h < 70 || body.w < 140:
		out.Show = false
		return body
	case out.Right:
		out.Width = math.Round(min(wide+float64(len(spec.calcs))*76, body.w*0.42))
		return body.cut(0, out.Width+legendGap, 0, 0)
	case out.Table:
		lines = float64(len(out.Entries)) + 1
	}
	room := max(math.Floor(body.h*0.34/legendLine), 1)
	if out.Table {
		room = max(room, 2)
	}
	out.Height = min(lines, room)*legendLine + legendGap
	return body.cut(0, 0, out.Height, 0)
}

func (l *live) keepFrame(p *pen, pl *plot.Plot, at rect) {
	c := draw.Canvas{Canvas: p.Canvas, Rectangle: vg.Rectangle{Min: p.pt(at.x, at.bottom()), Max: p.pt(at.right(), at.y)}}
	data := pl.DataCanvas(c)
	l.pic.Frame = &Frame{
		X: float64(data.Min.X), W: float64(data.Max.X - data.Min.X), Y: l.h - float64(data.Max.Y), H: float64(data.Max.Y - data.Min.Y),
		Start: int64(pl.X.Min * 1000), End: int64(pl.X.Max * 1000),
	}
}

func (l *live) keepTable(r *renderer, v *view, cols []*column) {
	out := &Table{}
	for _, c := range cols {
		out.Columns = append(out.Columns, TableColumn{c.title, c.numeric()})
	}
	for i := range min(len(cols[0].cells), maxTableRows) {
		row := make([]TableCell, len(cols))
		for j, c := range cols {
			text, col := r.cellText(v, c, c.cells[i])
			cell := TableCell{Text: text, Share: -1}
			if c.cells[i].set {
				switch c.f.cell {
				case "color-background", "color-background-solid":
					cell.Color, cell.Fill, cell.Ink = hex(col), true, hex(readableOn(col))
				case "color-text":
					cell.Color = hex(col)
				case "gradient-gauge", "lcd-gauge", "basic", "gauge":
					if c.numeric() {
						lo, hi := c.f.bounds(0, c.f.defaultMax())
						cell.Color, cell.Share = hex(col), min(max((c.cells[i].number-lo)/(hi-lo), 0), 1)
					}
				default:
					if !c.numeric() && col != r.pal.text {
						cell.Color = hex(col)
					}
				}
			}
			row[j] = cell
		}
		out.Rows = append(out.Rows, row)
	}
	l.pic.Table = out
}

func hex(c color.NRGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

// textHTML is a text panel for a page.
func (r *renderer) textHTML(v *view) string {
	n := v.panel.Node
	content := v.scope.text(cmp.Or(n.Path("options", "content").Text(), n.Get("content").Text()))
	switch cmp.Or(n.Path("options", "mode").Text(), n.Get("mode").Text()) {
	case "html":
		return safeHTML().Sanitize(content)
	case "code":
		return "<pre>" + bluemonday.StrictPolicy().Sanitize(content) + "</pre>"
	}
	return SafeMarkdown(content)
}

var safeHTML = sync.OnceValue(func() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowStandardURLs()
	p.AllowAttrs("href").OnElements("a")
	p.AllowElements("h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "b", "strong", "i", "em", "u", "s", "del", "sub", "sup", "code", "pre", "blockquote",
		"ul", "ol", "li", "dl", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "div", "span", "center")
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	return p
})

// SafeMarkdown turns Markdown into HTML that cannot run, load or send anything. "" stays "".
func SafeMarkdown(text string) string {
	if strings.TrimSpace(text) == "" {
		return ""
	}
	var b bytes.Buffer
	// What HTML the text holds is let through here, since the policy then takes out all that could do harm.
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(gmhtml.WithUnsafe()))
	if md.Convert([]byte(text), &b) != nil {
		return ""
	}
	return safeHTML().Sanitize(b.String())
}

// Range is the time range that a dashboard is drawn for with these options.
func Range(d *dashboard.Dashboard, opts Options) (start, end time.Time) { return timeRange(d, opts) }

// Message is a picture that says a sentence instead of showing something.
func Message(width, height int, theme Theme, text string) []byte {
	pal, err := newPalette(theme)
	if err != nil {
		pal, _ = newPalette(Dark)
	}
	m := metricsPool.Get().(*metrics)
	defer metricsPool.Put(m)
	c := newSVGCanvas(float64(width), float64(height))
	p := newPen(c, float64(height), m)
	p.fill(rect{0, 0, float64(width), float64(height)}, 0, pal.panel)
	st := textStyle{size: 13, color: pal.dim, align: alignMiddle}
	y := float64(height)/2 - 10
	for _, line := range m.wrap(text, float64(width)-24, 4, st) {
		p.text(float64(width)/2, y, line, st)
		y += 18
	}
	return c.bytes(text)
}

package render

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"lookout/internal/dashboard"
)

// table draws a table of the panel's transformations, or one made of the answers: a row for each series, columns being its labels and its value.
func (r *renderer) table(p *pen, body rect, v *view, list []*series) {
	f := v.table(list)
	if f == nil {
		r.noData(p, body, v)
		return
	}
	if s := v.panel.Node.Path("options", "sortBy").At(0); s != nil {
		f = sortRows(f, s.Get("displayName").Text(), s.Get("desc").Bool())
	}
	var shown []*column
	for _, c := range f.cols {
		c.f = v.fields.column(c, f.refID)
		if c.f.name != "" {
			c.title = v.displayName(c.f.name, c.title, c.labels)
		}
		if !c.f.hidden {
			shown = append(shown, c)
		}
	}
	if len(shown) == 0 {
		r.noData(p, body, v)
		return
	}
	r.drawTable(p, body, v, shown)
}

// table is the one that the panel shows; nil if there is none.
func (v *view) table(list []*series) *frame {
	if v.tables == nil {
		return v.plainTable(list)
	}
	at := 0
	if n, ok := v.panel.Node.Path("options", "frameIndex").Int(); ok && n >= 0 && int(n) < len(v.tables) {
		at = int(n)
	}
	if len(v.tables) == 0 {
		return nil
	}
	if n := len(v.tables); n > 1 {
		v.skip(fmt.Sprintf("%d of %d tables", n-1, n))
	}
	// The panel's names for columns are put into copies.
	f := v.tables[at]
	return f.pick(allRows(f.rows()))
}

// plainTable makes a table of answers that no transformation touches.
func (v *view) plainTable(list []*series) *frame {
	old := v.panel.Type == "table-old" || v.panel.Node.Get("styles").Is(dashboard.Array)
	tables := old || !slices.ContainsFunc(v.queries, func(q *query) bool { return q.shown() && q.target.Format != "table" })
	if !tables {
		// Time series in a table: what the reader looks for is the name and the value.
		name, val := &column{name: "Series", title: "Series"}, &column{name: "Value", title: "Last", kind: numberColumn}
		for _, s := range list {
			name.cells = append(name.cells, textCell(s.name))
			val.cells = append(val.cells, numberCell(calc("last", s.points)))
		}
		return &frame{cols: []*column{name, val}}
	}
	var refs []string
	of := map[string][]*series{}
	for _, s := range list {
		if of[s.refID] == nil {
			refs = append(refs, s.refID)
		}
		// The picture has room for the present.
		last := *s
		last.points = s.points[max(len(s.points)-1, 0):]
		of[s.refID] = append(of[s.refID], &last)
	}
	var frames []*frame
	for _, ref := range refs {
		value := "Value"
		if len(refs) > 1 {
			value = "Value #" + ref
		}
		frames = append(frames, tableFrame(ref, value, of[ref]))
	}
	if old {
		frames = mergeFrames(frames)
	}
	return stack(frames)
}

// stack puts tables below one another.
func stack(frames []*frame) *frame {
	switch len(frames) {
	case 0:
		return nil
	case 1:
		return frames[0]
	}
	out := &frame{}
	rows := 0
	for _, f := range frames {
		for _, c := range f.cols {
			d := out.find(c.title)
			if d == nil {
				d = &column{name: c.name, title: c.title, kind: c.kind, from: c.from}
				out.cols = append(out.cols, d)
			}
			for len(d.cells) < rows {
				d.cells = append(d.cells, cell{number: math.NaN()})
			}
			d.cells = append(d.cells, c.cells...)
		}
		rows += f.rows()
	}
	for _, c := range out.cols {
		for len(c.cells) < rows {
			c.cells = append(c.cells, cell{number: math.NaN()})
		}
	}
	// Values stand behind labels.
	slices.SortStableFunc(out.cols, func(a, b *column) int {
		return cmp.Compare(truth(a.kind == numberColumn), truth(b.kind == numberColumn))
	})
	return out
}

// cellText is what a cell shows, and its colour.
func (r *renderer) cellText(v *view, c *column, x cell) (string, color.NRGBA) {
	out, col := x.text, r.pal.text
	switch {
	case c.numeric():
		text, col, mapped := v.fields.shown(c.f, x.value())
		if !x.set && !mapped {
			return "", r.pal.text
		}
		return text.String(), col
	case c.kind == timeColumn && x.set:
		if strings.HasPrefix(c.f.unit, "dateTime") || strings.HasPrefix(c.f.unit, "time:") {
			return formatUnit(c.f.unit, x.number*1000, -1, r.loc, r.end).String(), col
		}
		return c.plainText(x, r.loc), col
	case x.set:
		for _, m := range c.f.mappings {
			number, ok := parseNumber(x.text)
			if !ok {
				number = math.NaN()
			}
			if m.match(number, x.text) {
				if mc, ok := r.pal.named(m.color); ok {
					col = mc
				}
				return cmp.Or(m.text, out), col
			}
		}
	}
	return out, col
}

func (r *renderer) drawTable(p *pen, body rect, v *view, cols []*column) {
	if r.live != nil {
		r.live.keepTable(r, v, cols)
		return
	}
	const line = 22.0
	head := textStyle{size: 11.5, bold: true, color: r.pal.moved}
	st := textStyle{size: 11.5, color: r.pal.text}
	rows := len(cols[0].cells)
	room := max(int((body.h-line)/line), 0)
	left := 0
	if rows > room {
		room = max(room-1, 0)
		left = rows - room
		rows = room
	}
	type shown struct {
		text string
		col  color.NRGBA
	}
	cells := make([][]shown, len(cols))
	wide := make([]float64, len(cols))
	for i, c := range cols {
		wide[i] = p.width(c.title, head) + 20
		for _, x := range c.cells[:rows] {
			text, col := r.cellText(v, c, x)
			out := shown{text, col}
			wide[i] = max(wide[i], p.width(out.text, st)+20)
			cells[i] = append(cells[i], out)
		}
		if c.f.cellWide > 0 {
			wide[i] = c.f.cellWide
		}
		wide[i] = min(wide[i], max(body.w*0.5, 80))
	}
	// What is too wide shrinks in proportion; what is too narrow is stretched.
	total := 0.0
	for _, w := range wide {
		total += w
	}
	hiddenCols := 0
	for total > 0 && (total > body.w*2.2 && len(cols) > 2 || total > body.w && body.w < 56*float64(len(cols)) && len(cols) > 1) {
		hiddenCols++
		total -= wide[len(cols)-1]
		cols = cols[:len(cols)-1]
	}
	for i := range cols {
		wide[i] *= body.w / total
	}
	p.fill(rect{body.x, body.y, body.w, line}, 3, mix(r.pal.panel, r.pal.dim, 0.08))
	x := body.x
	for i, c := range cols {
		title := p.fit(c.title, wide[i]-16, head)
		if c.numeric() {
			p.text(x+wide[i]-8, body.y+15, title, head.at(alignEnd))
		} else {
			p.text(x+8, body.y+15, title, head)
		}
		for j, out := range cells[i] {
			y := body.y + line*float64(j+1)
			style := st
			switch c.f.cell {
			case "color-background", "color-background-solid":
				if !c.cells[j].set {
					break
				}
				p.fill(rect{x + 1, y + 1, wide[i] - 2, line - 2}, 2, out.col)
				style.color = readableOn(out.col)
			case "color-text":
				style.color = out.col
			case "gradient-gauge", "lcd-gauge", "basic", "gauge":
				if c.numeric() && c.cells[j].set {
					lo, hi := c.f.bounds(0, c.f.defaultMax())
					t := min(max((c.cells[j].number-lo)/(hi-lo), 0), 1)
					valW := p.width(out.text, style) + 10
					r.bar(p, rect{x + 6, y + 6, max(wide[i]-valW-14, 0), line - 12}, reduced{color: out.col}, t, c.f.cell == "lcd-gauge", true)
				}
				style.color = out.col
			default:
				if c.numeric() || out.col != r.pal.text {
					style.color = r.pal.text
				}
			}
			text := p.fit(out.text, wide[i]-16, style)
			if c.numeric() {
				p.text(x+wide[i]-8, y+15, text, style.at(alignEnd))
			} else {
				p.text(x+8, y+15, text, style)
			}
		}
		x += wide[i]
	}
	for j := 1; j <= rows; j++ {
		y := body.y + line*float64(j+1)
		p.line(body.x, y, body.right(), y, 0.5, r.pal.rule)
	}
	var more []string
	if left > 0 {
		more = append(more, plural(left, "more row"))
	}
	if hiddenCols > 0 {
		more = append(more, plural(hiddenCols, "more column"))
	}
	if len(more) > 0 {
		p.text(body.x+8, body.y+line*float64(rows+1)+15, "+ "+strings.Join(more, ", "), st.in(r.pal.dim))
	}
}

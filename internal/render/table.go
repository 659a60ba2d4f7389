package render

import (
	"cmp"
	"image/color"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"lookout/internal/dashboard"
)

// column of a table: its cells are texts or numbers.
type column struct {
	key     string // as transformations and overrides call it
	title   string
	numeric bool
	cells   []cell
	f       *field
}

type cell struct {
	text   string
	number float64
	set    bool
}

// table draws one row for each series, columns being its labels and its last value; queries are merged on their labels if the panel asks for that.
func (r *renderer) table(p *pen, body rect, v *view, list []*series) {
	cols := v.columns(list)
	cols = v.transform(cols)
	var shown []*column
	for _, c := range cols {
		c.f = v.fields.make(c.key, "")
		if c.title != c.key && c.f.name == "" {
			// Overrides may use the name that a transformation gave.
			c.f = v.fields.make(c.title, "")
		}
		if c.f.name != "" {
			c.title = v.displayName(c.f.name, c.title, nil)
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

// columns makes a table of series. Series of one query share their value column.
func (v *view) columns(list []*series) []*column {
	refs, tables := []string{}, true
	for _, s := range list {
		if !slices.Contains(refs, s.refID) {
			refs = append(refs, s.refID)
		}
	}
	for _, q := range v.queries {
		if q.skip == "" && q.target.Format != "table" {
			tables = false
		}
	}
	merge := len(refs) > 1 && slices.ContainsFunc(v.panel.Transforms, func(t *dashboard.Node) bool {
		return slices.Contains([]string{"merge", "joinByField", "seriesToColumns", "joinByLabels"}, t.Get("id").Text())
	}) || v.panel.Type == "table-old" || v.panel.Node.Get("styles").Is(dashboard.Array)
	var names []model.LabelName
	for _, s := range list {
		for n := range s.metric {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	slices.Sort(names)
	if !tables && !merge {
		// Time series in a table: what the reader looks for is the name and the value.
		name, val := &column{key: "Series", title: "Series"}, &column{key: "Value", title: "Last", numeric: true}
		for _, s := range list {
			name.cells = append(name.cells, cell{text: s.name, set: true})
			val.cells = append(val.cells, cell{number: calc("last", s.points), set: true})
		}
		return []*column{name, val}
	}
	when := &column{key: "Time", title: "Time"}
	cols := []*column{when}
	for _, n := range names {
		cols = append(cols, &column{key: string(n), title: string(n)})
	}
	values := map[string]*column{}
	for _, ref := range refs {
		c := &column{key: "Value", title: "Value", numeric: true}
		if len(refs) > 1 {
			c.key = "Value #" + ref
			c.title = c.key
		}
		values[ref] = c
		cols = append(cols, c)
	}
	rows := map[string]int{}
	n := 0
	for _, s := range list {
		key := s.metric.String()
		if !merge {
			key = s.refID + key
		}
		at, ok := rows[key]
		if !ok {
			at, n = n, n+1
			rows[key] = at
			for _, c := range cols {
				c.cells = append(c.cells, cell{number: math.NaN()})
			}
			for i, name := range names {
				if val, has := s.metric[name]; has {
					cols[i+1].cells[at] = cell{text: string(val), set: true}
				}
			}
			if len(s.points) > 0 {
				t := s.points[len(s.points)-1].t
				when.cells[at] = cell{text: time.UnixMilli(int64(t * 1000)).In(v.fields.loc).Format(time.DateTime), number: t, set: true}
			}
		}
		values[s.refID].cells[at] = cell{number: calc("last", s.points), set: true}
	}
	return cols
}

// transform applies what can be done to a finished table; the rest is named under the panel.
func (v *view) transform(cols []*column) []*column {
	for _, t := range v.panel.Transforms {
		if t.Get("disabled").Bool() {
			continue
		}
		opts := t.Get("options")
		switch id := t.Get("id").Text(); id {
		case "merge", "joinByField", "seriesToColumns", "joinByLabels", "labelsToFields":
		case "organize":
			cols = organize(cols, opts)
		case "filterFieldsByName":
			cols = filterColumns(cols, opts)
		case "sortBy":
			sortRows(cols, opts.Get("sort").At(0).Get("field").Text(), opts.Get("sort").At(0).Get("desc").Bool())
		case "renameByRegex":
			re, err := compileSlashed(opts.Get("regex").Text())
			if err != nil {
				continue
			}
			for _, c := range cols {
				c.title = re.ReplaceAllString(c.title, jsReplacement.ReplaceAllString(opts.Get("renamePattern").Text(), "$${$1}"))
			}
		default:
			if id = cmp.Or(id, "a transformation without id"); !slices.Contains(v.skipped, id) {
				v.skipped = append(v.skipped, id)
			}
		}
	}
	if s := v.panel.Node.Path("options", "sortBy").At(0); s != nil {
		sortRows(cols, s.Get("displayName").Text(), s.Get("desc").Bool())
	}
	return cols
}

// jsReplacement is $1 in a replacement: Go reads "$1x" as a group named 1x.
var jsReplacement = regexp.MustCompile(`\$(\d+)`)

func organize(cols []*column, opts *dashboard.Node) []*column {
	var out []*column
	for _, c := range cols {
		if opts.Path("excludeByName", c.key).Bool() || opts.Path("excludeByName", c.title).Bool() {
			continue
		}
		out = append(out, c)
	}
	index := func(c *column) float64 {
		if f, ok := opts.Path("indexByName", c.key).Float(); ok {
			return f
		}
		return math.Inf(1)
	}
	if opts.Get("indexByName").Len() > 0 {
		slices.SortStableFunc(out, func(a, b *column) int { return cmp.Compare(index(a), index(b)) })
	}
	for _, c := range out {
		if name := opts.Path("renameByName", c.key).Text(); name != "" {
			c.title = name
		}
	}
	return out
}

func filterColumns(cols []*column, opts *dashboard.Node) []*column {
	keep := func(list *dashboard.Node, c *column) bool {
		for _, n := range list.Get("names").Items() {
			if n.Text() == c.key || n.Text() == c.title {
				return true
			}
		}
		if pattern := list.Get("pattern").Text(); pattern != "" {
			re, err := compileSlashed(pattern)
			return err == nil && re.MatchString(c.title)
		}
		return false
	}
	return slices.DeleteFunc(slices.Clone(cols), func(c *column) bool {
		include, exclude := opts.Get("include"), opts.Get("exclude")
		return include != nil && !keep(include, c) || exclude != nil && keep(exclude, c)
	})
}

func sortRows(cols []*column, by string, desc bool) {
	i := slices.IndexFunc(cols, func(c *column) bool { return c.key == by || c.title == by })
	if i < 0 || by == "" {
		return
	}
	order := make([]int, len(cols[i].cells))
	for j := range order {
		order[j] = j
	}
	key := cols[i]
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := key.cells[a], key.cells[b]
		c := strings.Compare(x.text, y.text)
		if key.numeric {
			c = cmp.Compare(x.number, y.number)
		}
		if desc {
			c = -c
		}
		return c
	})
	for _, c := range cols {
		old := slices.Clone(c.cells)
		for to, from := range order {
			c.cells[to] = old[from]
		}
	}
}

// cellText is what a cell shows, and its colour.
func (r *renderer) cellText(v *view, c *column, x cell) (string, color.NRGBA) {
	out, col := x.text, r.pal.text
	switch {
	case c.numeric && x.set:
		text, col, _ := v.fields.shown(c.f, x.number)
		return text.String(), col
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
	for total > 0 && total > body.w*2.2 && len(cols) > 2 {
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
		if c.numeric {
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
				if c.numeric && c.cells[j].set {
					lo, hi := c.f.bounds(0, c.f.defaultMax())
					t := min(max((c.cells[j].number-lo)/(hi-lo), 0), 1)
					valW := p.width(out.text, style) + 10
					r.bar(p, rect{x + 6, y + 6, max(wide[i]-valW-14, 0), line - 12}, reduced{color: out.col}, t, c.f.cell == "lcd-gauge", true)
				}
				style.color = out.col
			default:
				if c.numeric || out.col != r.pal.text {
					style.color = r.pal.text
				}
			}
			text := p.fit(out.text, wide[i]-16, style)
			if c.numeric {
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

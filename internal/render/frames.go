package render

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// frame is a table of columns of equal length: what Grafana passes from queries to transformations and from those to panels.
type frame struct {
	name, refID string
	cols        []*column
}

type columnKind uint8

const (
	textColumn columnKind = iota
	numberColumn
	timeColumn
)

// column of a frame or of a table.
type column struct {
	// name is the field's own ("Value"), title what a reader and the options of transformations call it.
	name, title string
	kind        columnKind
	labels      model.Metric
	cells       []cell
	f           *field
	// from is the series that the column is of, nil for what was computed.
	from *series
}

func (c *column) numeric() bool { return c.kind == numberColumn }

// named tells whether an option means the column.
func (c *column) named(name string) bool { return name != "" && (c.title == name || c.name == name) }

type cell struct {
	text   string
	number float64 // Unix seconds in a column of times
	set    bool
}

func numberCell(v float64) cell { return cell{number: v, set: !math.IsNaN(v)} }
func textCell(s string) cell    { return cell{text: s, set: true} }

// equal compares what two cells stand for.
func (x cell) equal(y cell) bool {
	return x.set == y.set && x.text == y.text && (x.number == y.number || math.IsNaN(x.number) && math.IsNaN(y.number))
}

// plainText is a cell without unit and mappings.
func (c *column) plainText(x cell, loc *time.Location) string {
	switch {
	case !x.set:
		return ""
	case c.kind == timeColumn:
		return time.UnixMilli(int64(x.number * 1000)).In(loc).Format(time.DateTime)
	case c.kind == numberColumn:
		return formatUnit("string", x.number, -1, loc, time.Time{}).String()
	}
	return x.text
}

func (f *frame) rows() int {
	if len(f.cols) == 0 {
		return 0
	}
	return len(f.cols[0].cells)
}

// time is the first column of times, nil if there is none.
func (f *frame) time() *column { return f.first(timeColumn) }

func (f *frame) first(kind columnKind) *column {
	if i := slices.IndexFunc(f.cols, func(c *column) bool { return c.kind == kind }); i >= 0 {
		return f.cols[i]
	}
	return nil
}

func (f *frame) find(name string) *column {
	if i := slices.IndexFunc(f.cols, func(c *column) bool { return c.title == name }); i >= 0 {
		return f.cols[i]
	}
	if i := slices.IndexFunc(f.cols, func(c *column) bool { return c.name == name }); i >= 0 {
		return f.cols[i]
	}
	return nil
}

// pick gives the rows of these numbers, in this order.
func (f *frame) pick(rows []int) *frame {
	out := &frame{name: f.name, refID: f.refID}
	for _, c := range f.cols {
		d := *c
		d.cells = make([]cell, len(rows))
		for i, r := range rows {
			d.cells[i] = c.cells[r]
		}
		out.cols = append(out.cols, &d)
	}
	return out
}

// key names a row by the cells of some columns.
func rowKey(cols []*column, row int) string {
	var b strings.Builder
	for _, c := range cols {
		b.WriteString(c.plainText(c.cells[row], time.UTC))
		b.WriteByte(0)
	}
	return b.String()
}

// frames are the answers of the panel's queries as Grafana's Prometheus datasource gives them: a table for a query whose format is table, else one for each series.
func (v *view) frames(list []*series) []*frame {
	asked := 0
	for _, q := range v.queries {
		if q.shown() {
			asked++
		}
	}
	var out []*frame
	for _, q := range v.queries {
		var of []*series
		for _, s := range list {
			if s.query == q {
				of = append(of, s)
			}
		}
		switch {
		case len(of) == 0:
		case q.target.Format == "table" || v.panel.Type == "table-old":
			value := "Value"
			if asked > 1 {
				value = "Value #" + q.target.RefID
			}
			out = append(out, tableFrame(q.target.RefID, value, of))
		default:
			for _, s := range of {
				out = append(out, seriesFrame(s))
			}
		}
	}
	return out
}

func seriesFrame(s *series) *frame {
	when := &column{name: "Time", title: "Time", kind: timeColumn}
	val := &column{name: "Value", title: s.name, kind: numberColumn, labels: s.metric, from: s}
	for _, p := range s.points {
		when.cells = append(when.cells, cell{number: p.t, set: true})
		val.cells = append(val.cells, numberCell(p.v))
	}
	return &frame{name: s.name, refID: s.refID, cols: []*column{when, val}}
}

// tableFrame has a column for each label and a row for each point.
func tableFrame(refID, value string, list []*series) *frame {
	f := &frame{name: refID, refID: refID, cols: []*column{{name: "Time", title: "Time", kind: timeColumn}}}
	names := labelNames(list)
	for _, n := range names {
		f.cols = append(f.cols, &column{name: string(n), title: string(n)})
	}
	val := &column{name: value, title: value, kind: numberColumn}
	f.cols = append(f.cols, val)
	for _, s := range list {
		for _, p := range s.points {
			f.cols[0].cells = append(f.cols[0].cells, cell{number: p.t, set: true})
			for i, n := range names {
				text, has := s.metric[n]
				f.cols[i+1].cells = append(f.cols[i+1].cells, cell{text: string(text), set: has})
			}
			val.cells = append(val.cells, numberCell(p.v))
		}
	}
	return f
}

func labelNames(list []*series) []model.LabelName {
	var names []model.LabelName
	seen := map[model.LabelName]bool{}
	for _, s := range list {
		for n := range s.metric {
			if !seen[n] {
				seen[n] = true
				names = append(names, n)
			}
		}
	}
	slices.Sort(names)
	return names
}

// fromFrames makes series of tables again, for panels that draw values: each column of numbers is one. Without a time each row is a point at the end of the range.
func (v *view) fromFrames(frames []*frame, end float64) []*series {
	every := v.panel.Node.Path("options", "reduceOptions", "values").Bool()
	chosen := func(c *column) bool { return c.kind == numberColumn }
	if want := v.chosenFields(); want != "" {
		if re, err := compileSlashed(want); strings.HasPrefix(want, "/") && err == nil {
			chosen = func(c *column) bool { return re.MatchString(c.title) }
		} else {
			chosen = func(c *column) bool { return c.named(want) }
		}
	}
	var out []*series
	add := func(c *column, title, refID string, points []point) {
		s := &series{name: title, refID: refID, metric: c.labels, points: points}
		if c.from != nil {
			s.query, s.step = c.from.query, c.from.step
			s.refID = cmp.Or(c.from.refID, refID)
		}
		s.f = v.fields.make(title, s.refID)
		if s.f.name != "" {
			s.name = v.displayName(s.f.name, title, s.metric)
		}
		if s.step == 0 {
			s.step = spacing(points)
		}
		out = append(out, s)
	}
	for _, f := range frames {
		when, words := f.time(), f.first(textColumn)
		for _, c := range f.cols {
			if !chosen(c) {
				continue
			}
			if c.kind != numberColumn {
				rows := allRows(len(c.cells))
				if !every && len(rows) > 1 {
					rows = rows[len(rows)-1:]
				}
				for _, i := range rows {
					add(c, c.title, f.refID, []point{{end, math.NaN()}})
					out[len(out)-1].text = c.plainText(c.cells[i], v.fields.loc)
				}
				continue
			}
			if every || when == nil && words != nil && !v.sequence() {
				// Each row is a value of its own, called by its words.
				for i, x := range c.cells {
					title := c.title
					if words != nil {
						title = words.cells[i].text
						if len(f.numbers()) > 1 {
							title += " " + c.title
						}
					}
					add(c, title, f.refID, []point{{end, x.value()}})
				}
				continue
			}
			points := make([]point, 0, len(c.cells))
			for i, x := range c.cells {
				p := point{end, x.value()}
				if when != nil {
					p.t = when.cells[i].number
				}
				points = append(points, p)
			}
			if when != nil {
				slices.SortStableFunc(points, func(a, b point) int { return cmp.Compare(a.t, b.t) })
			}
			add(c, c.title, f.refID, points)
		}
	}
	for i, s := range out {
		s.color = v.fields.valueColor(s.f, calc("last", s.points), i)
		s.negate()
	}
	return out
}

// chosenFields is the field that a panel of single values shows, "" if it shows all numbers. "/^version$/" is how Grafana writes one.
func (v *view) chosenFields() string {
	if !v.sequence() {
		return ""
	}
	return v.panel.Node.Path("options", "reduceOptions", "fields").Text()
}

// sequence tells whether the panel reduces the rows of a table to one value.
func (v *view) sequence() bool {
	switch v.panel.Type {
	case "stat", "gauge", "bargauge", "piechart":
		return true
	}
	return false
}

func (x cell) value() float64 {
	if !x.set {
		return math.NaN()
	}
	return x.number
}

func (f *frame) numbers() (out []*column) {
	for _, c := range f.cols {
		if c.kind == numberColumn {
			out = append(out, c)
		}
	}
	return out
}

// spacing is the usual distance between points, 0 for fewer than two.
func spacing(points []point) float64 {
	if len(points) < 2 {
		return 0
	}
	d := make([]float64, 0, len(points)-1)
	for i := 1; i < len(points); i++ {
		d = append(d, points[i].t-points[i-1].t)
	}
	slices.Sort(d)
	return d[len(d)/2]
}

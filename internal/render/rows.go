package render

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"lookout/internal/dashboard"
)

func sortBy(f *frame, opts *dashboard.Node) (*frame, bool) {
	s := opts.Get("sort").At(0)
	return sortRows(f, s.Get("field").Text(), s.Get("desc").Bool()), true
}

func sortRows(f *frame, by string, desc bool) *frame {
	key := f.find(by)
	if key == nil || by == "" {
		return f
	}
	order := make([]int, f.rows())
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := key.cells[a], key.cells[b]
		if x.set != y.set { // what is missing comes last
			return map[bool]int{true: -1, false: 1}[x.set]
		}
		c := cmp.Compare(x.number, y.number)
		if key.kind == textColumn {
			c = strings.Compare(x.text, y.text)
		}
		if desc {
			c = -c
		}
		return c
	})
	return f.pick(order)
}

func limitRows(f *frame, opts *dashboard.Node) (*frame, bool) {
	n := 10.0
	if v := number(opts.Get("limitField")); v != nil {
		n = *v
	}
	rows := make([]int, min(f.rows(), max(int(math.Abs(n)), 0)))
	for i := range rows {
		rows[i] = i
		if n < 0 { // from the end
			rows[i] = f.rows() - len(rows) + i
		}
	}
	return f.pick(rows), true
}

func filterByValue(f *frame, opts *dashboard.Node) (*frame, bool) {
	type test struct {
		c  *column
		ok func(cell) bool
	}
	var tests []test
	for _, n := range opts.Get("filters").Items() {
		c := f.find(n.Get("fieldName").Text())
		if c == nil {
			continue
		}
		ok := valueTest(c, n.Get("config"))
		if ok == nil {
			return nil, false
		}
		tests = append(tests, test{c, ok})
	}
	if len(tests) == 0 {
		return f, true
	}
	all, exclude := opts.Get("match").Text() == "all", opts.Get("type").Text() == "exclude"
	var rows []int
	for i := range f.rows() {
		holds := all
		for _, t := range tests {
			if t.ok(t.c.cells[i]) != all {
				holds = !all
				break
			}
		}
		if holds != exclude {
			rows = append(rows, i)
		}
	}
	return f.pick(rows), true
}

// valueTest is a condition on a cell, nil for one that is not known.
func valueTest(c *column, config *dashboard.Node) func(cell) bool {
	o := config.Get("options")
	want := o.Get("value").Scalarish()
	limit, isNumber := parseNumber(want)
	compare := func(ok func(a, b float64) bool) func(cell) bool {
		return func(x cell) bool { return x.set && isNumber && ok(x.number, limit) }
	}
	text := func(x cell) string { return c.plainText(x, time.UTC) }
	same := func(x cell) bool {
		if c.kind == textColumn || !isNumber {
			return x.set && text(x) == want
		}
		return x.set && x.number == limit
	}
	switch config.Get("id").Text() {
	case "equal":
		return same
	case "notEqual":
		return func(x cell) bool { return !same(x) }
	case "greater":
		return compare(func(a, b float64) bool { return a > b })
	case "greaterOrEqual":
		return compare(func(a, b float64) bool { return a >= b })
	case "lower":
		return compare(func(a, b float64) bool { return a < b })
	case "lowerOrEqual":
		return compare(func(a, b float64) bool { return a <= b })
	case "between":
		from, to := number(o.Get("from")), number(o.Get("to"))
		return func(x cell) bool { return x.set && from != nil && to != nil && x.number >= *from && x.number <= *to }
	case "isNull":
		return func(x cell) bool { return !x.set }
	case "isNotNull":
		return func(x cell) bool { return x.set }
	case "substring":
		return func(x cell) bool { return strings.Contains(strings.ToLower(text(x)), strings.ToLower(want)) }
	case "notSubstring":
		return func(x cell) bool { return !strings.Contains(strings.ToLower(text(x)), strings.ToLower(want)) }
	case "regex":
		re, err := compileSlashed(want)
		if err != nil {
			return nil
		}
		return func(x cell) bool { return re.MatchString(text(x)) }
	}
	return nil
}

func groupBy(f *frame, opts *dashboard.Node) (*frame, bool) {
	config := func(c *column) *dashboard.Node {
		if n := opts.Path("fields", c.title); n != nil {
			return n
		}
		return opts.Path("fields", c.name)
	}
	var keys []*column
	for _, c := range f.cols {
		if config(c).Get("operation").Text() == "groupby" {
			keys = append(keys, c)
		}
	}
	if len(keys) == 0 {
		return nil, true // Grafana leaves such tables out
	}
	var order []string
	groups := map[string][]int{}
	for i := range f.rows() {
		k := rowKey(keys, i)
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], i)
	}
	firsts := make([]int, len(order))
	for i, k := range order {
		firsts[i] = groups[k][0]
	}
	out := f.with(keys).pick(firsts)
	for _, c := range f.cols {
		n := config(c)
		if n.Get("operation").Text() != "aggregate" {
			continue
		}
		for _, a := range n.Get("aggregations").Items() {
			title := c.title + " (" + a.Text() + ")"
			d := &column{name: title, title: title, kind: c.kind, from: c.from}
			for _, k := range order {
				d.cells = append(d.cells, reduceCells(a.Text(), c, groups[k]))
			}
			if c.kind != timeColumn || a.Text() == "count" {
				d.kind = kindOf(d.cells)
			}
			out.cols = append(out.cols, d)
		}
	}
	return out, true
}

func groupingToMatrix(f *frame, opts *dashboard.Node) (*frame, bool) {
	across := f.find(cmp.Or(opts.Get("columnField").Text(), "Time"))
	down := f.find(cmp.Or(opts.Get("rowField").Text(), "Time"))
	val := f.find(cmp.Or(opts.Get("valueField").Text(), "Value"))
	if across == nil || down == nil || val == nil {
		return f, true
	}
	head := &column{name: down.title + `\` + across.title, kind: down.kind}
	head.title = head.name
	out := f.with([]*column{head})
	rows, cols := map[string]int{}, map[string]*column{}
	var list []*column
	for i := range f.rows() {
		k := rowKey([]*column{down}, i)
		if _, ok := rows[k]; !ok {
			rows[k] = len(head.cells)
			head.cells = append(head.cells, down.cells[i])
		}
		title := across.plainText(across.cells[i], time.UTC)
		if cols[title] == nil {
			cols[title] = &column{name: title, title: title, kind: val.kind, from: val.from}
			list = append(list, cols[title])
		}
	}
	for _, c := range list {
		c.cells = slices.Repeat([]cell{{number: math.NaN()}}, len(head.cells))
	}
	for i := range f.rows() {
		cols[across.plainText(across.cells[i], time.UTC)].cells[rows[rowKey([]*column{down}, i)]] = val.cells[i]
	}
	out.cols = append(out.cols, list...)
	return out, true
}

// maxTransposed bounds how many columns rows are made into.
const maxTransposed = 200

func transpose(f *frame, opts *dashboard.Node) (*frame, bool) {
	if len(f.cols) == 0 || f.rows() > maxTransposed {
		return nil, false
	}
	head := &column{name: "Field", title: cmp.Or(opts.Get("firstFieldName").Text(), "Field")}
	out := f.with([]*column{head})
	for _, c := range f.cols[1:] {
		head.cells = append(head.cells, textCell(c.title))
	}
	first := f.cols[0]
	for i := range f.rows() {
		c := &column{name: first.plainText(first.cells[i], time.UTC)}
		c.title = c.name
		numbers := true
		for _, d := range f.cols[1:] {
			numbers = numbers && d.kind == numberColumn
		}
		for _, d := range f.cols[1:] {
			if numbers {
				c.kind = numberColumn
				c.cells = append(c.cells, d.cells[i])
				continue
			}
			c.cells = append(c.cells, cell{text: d.plainText(d.cells[i], time.UTC), set: d.cells[i].set})
		}
		out.cols = append(out.cols, c)
	}
	return out, true
}

// rowsToFields makes a column of each row: its name is the first text, its value the first number, unless the options name others.
func rowsToFields(f *frame, opts *dashboard.Node) (*frame, bool) {
	if f.rows() > maxTransposed {
		return nil, false
	}
	names, values := f.first(textColumn), f.first(numberColumn)
	for _, m := range opts.Get("mappings").Items() {
		switch c := f.find(m.Get("fieldName").Text()); m.Get("handlerKey").Text() {
		case "field.name":
			names = cmp.Or(c, names)
		case "field.value":
			values = cmp.Or(c, values)
		case "", "__ignore":
		default:
			return nil, false
		}
	}
	if names == nil || values == nil {
		return f, true
	}
	out := f.with(nil)
	for i := range f.rows() {
		title := names.plainText(names.cells[i], time.UTC)
		out.cols = append(out.cols, &column{name: title, title: title, kind: values.kind, from: values.from, cells: []cell{values.cells[i]}})
	}
	return out, true
}

func seriesToRows(frames []*frame, _ *dashboard.Node, _ *scope) ([]*frame, bool) {
	when, metric, val := &column{name: "Time", title: "Time", kind: timeColumn}, &column{name: "Metric", title: "Metric"}, &column{name: "Value", title: "Value", kind: numberColumn}
	for _, f := range frames {
		t := f.time()
		if t == nil {
			continue
		}
		for _, c := range f.numbers() {
			for i, x := range c.cells {
				when.cells = append(when.cells, t.cells[i])
				metric.cells = append(metric.cells, textCell(c.title))
				val.cells = append(val.cells, x)
				val.from = cmp.Or(val.from, c.from)
			}
		}
	}
	return []*frame{sortRows(&frame{cols: []*column{when, metric, val}}, "Time", true)}, true
}

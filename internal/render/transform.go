package render

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"lookout/internal/dashboard"
)

// transformation changes the tables of a panel by its options. It returns false for options that it does not know.
type transformation func(frames []*frame, opts *dashboard.Node, sc *scope) ([]*frame, bool)

// transformations by the ids of Grafana's documentation ("Transform data").
var transformations = map[string]transformation{
	"noop": func(f []*frame, _ *dashboard.Node, _ *scope) ([]*frame, bool) { return f, true },

	"organize":           eachFrame(organize),
	"filterFieldsByName": eachFrame(filterFields),
	"renameByRegex":      eachFrame(renameByRegex),
	"sortBy":             eachFrame(sortBy),
	"limit":              eachFrame(limitRows),
	"filterByValue":      eachFrame(filterByValue),
	"convertFieldType":   eachFrame(convertFieldType),
	"groupBy":            eachFrame(groupBy),
	"groupingToMatrix":   eachFrame(groupingToMatrix),
	"transpose":          eachFrame(transpose),
	"rowsToFields":       eachFrame(rowsToFields),

	"reduce":          reduceFrames,
	"merge":           func(f []*frame, _ *dashboard.Node, _ *scope) ([]*frame, bool) { return mergeFrames(f), true },
	"joinByField":     joinByField,
	"seriesToColumns": joinByField,
	"ensureColumns":   func(f []*frame, _ *dashboard.Node, _ *scope) ([]*frame, bool) { return ensureColumns(f), true },
	"joinByLabels":    joinByLabels,
	"labelsToFields":  labelsToFields,
	"seriesToRows":    seriesToRows,
	"calculateField":  calculateField,
	"concatenate":     concatenate,
	"filterByRefId":   filterByRefID,
	"filterFrames":    filterByRefID,
	"timeSeriesTable": timeSeriesTable,
	"prepareTimeSeries": func(f []*frame, opts *dashboard.Node, _ *scope) ([]*frame, bool) {
		switch opts.Get("format").Text() {
		case "wide":
			return ensureColumns(f), true
		case "long":
			return f, false
		}
		return f, true
	},
}

// transform applies a panel's transformations in order; what can't be applied is named under the panel, and what follows sees the tables as they were.
func (v *view) transform(frames []*frame) []*frame {
	for _, t := range v.panel.Transforms {
		if t.Get("disabled").Bool() || t.Get("topic").Text() == "annotations" {
			continue
		}
		id := cmp.Or(t.Get("id").Text(), "a transformation without id")
		do := transformations[id]
		if do == nil {
			v.skip(id)
			continue
		}
		apply, rest, ok := filtered(frames, t.Get("filter"))
		if !ok {
			v.skip(id + " (its filter)")
			continue
		}
		out, ok := do(apply, t.Get("options"), v.scope)
		if !ok {
			v.skip(id)
			continue
		}
		frames = append(out, rest...)
	}
	return frames
}

// skip notes what the picture does not show.
func (v *view) skip(what string) {
	if !slices.Contains(v.skipped, what) {
		v.skipped = append(v.skipped, what)
	}
}

// filtered splits the tables into those that a transformation is for, and the others.
func filtered(frames []*frame, filter *dashboard.Node) (apply, rest []*frame, ok bool) {
	if !filter.Is(dashboard.Object) {
		return frames, nil, true
	}
	if filter.Get("id").Text() != "byRefId" {
		return nil, nil, false
	}
	match, ok := refMatcher(filter.Get("options").Text())
	for _, f := range frames {
		if ok && match(f.refID) {
			apply = append(apply, f)
		} else {
			rest = append(rest, f)
		}
	}
	return apply, rest, ok
}

// refMatcher matches "A" or "/^(?:A|B)$/".
func refMatcher(pattern string) (func(string) bool, bool) {
	if !strings.HasPrefix(pattern, "/") {
		pattern = "/^(?:" + pattern + ")$/"
	}
	re, err := compileSlashed(pattern)
	if err != nil {
		return nil, false
	}
	return re.MatchString, true
}

func eachFrame(do func(*frame, *dashboard.Node) (*frame, bool)) transformation {
	return func(frames []*frame, opts *dashboard.Node, _ *scope) ([]*frame, bool) {
		out := make([]*frame, 0, len(frames))
		for _, f := range frames {
			g, ok := do(f, opts)
			if !ok {
				return nil, false
			}
			if g != nil {
				out = append(out, g)
			}
		}
		return out, true
	}
}

func (f *frame) with(cols []*column) *frame { return &frame{name: f.name, refID: f.refID, cols: cols} }

// organize hides, orders and renames columns.
func organize(f *frame, opts *dashboard.Node) (*frame, bool) {
	by := func(member string, c *column) *dashboard.Node {
		if n := opts.Path(member, c.title); n != nil {
			return n
		}
		return opts.Path(member, c.name)
	}
	var out []*column
	for _, c := range f.cols {
		if by("excludeByName", c).Bool() || opts.Get("includeByName").Len() > 0 && !by("includeByName", c).Bool() {
			continue
		}
		out = append(out, c)
	}
	index := func(c *column) float64 {
		if at, ok := by("indexByName", c).Float(); ok {
			return at
		}
		return math.Inf(1)
	}
	if opts.Get("indexByName").Len() > 0 {
		slices.SortStableFunc(out, func(a, b *column) int { return cmp.Compare(index(a), index(b)) })
	}
	for i, c := range out {
		if name := by("renameByName", c).Text(); name != "" {
			d := *c
			d.title = name
			out[i] = &d
		}
	}
	return f.with(out), true
}

func filterFields(f *frame, opts *dashboard.Node) (*frame, bool) {
	keep := func(list *dashboard.Node, c *column) bool {
		for _, n := range list.Get("names").Items() {
			if c.named(n.Text()) {
				return true
			}
		}
		if pattern := list.Get("pattern").Text(); pattern != "" {
			re, err := compileSlashed(pattern)
			return err == nil && re.MatchString(c.title)
		}
		return false
	}
	if opts.Get("byVariable").Bool() {
		return nil, false
	}
	include, exclude := opts.Get("include"), opts.Get("exclude")
	out := f.with(slices.DeleteFunc(slices.Clone(f.cols), func(c *column) bool {
		return include != nil && !keep(include, c) || exclude != nil && keep(exclude, c)
	}))
	if len(out.cols) == 0 {
		return nil, true
	}
	return out, true
}

// jsReplacement is $1 in a replacement: Go reads "$1x" as a group named 1x.
var jsReplacement = regexp.MustCompile(`\$(\d+)`)

func renameByRegex(f *frame, opts *dashboard.Node) (*frame, bool) {
	pattern := opts.Get("regex").Text()
	re, err := compileSlashed(pattern)
	if err != nil {
		return nil, false
	}
	flags := pattern[strings.LastIndexByte(pattern, '/')+1:]
	all := strings.HasPrefix(pattern, "/") && strings.Contains(flags, "g")
	template := jsReplacement.ReplaceAllString(opts.Get("renamePattern").Text(), "$${$1}")
	out := f.with(slices.Clone(f.cols))
	for i, c := range out.cols {
		d := *c
		if all {
			d.title = re.ReplaceAllString(c.title, template)
		} else if m := re.FindStringSubmatchIndex(c.title); m != nil {
			d.title = c.title[:m[0]] + string(re.ExpandString(nil, template, c.title, m)) + c.title[m[1]:]
		}
		out.cols[i] = &d
	}
	return out, true
}

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

func convertFieldType(f *frame, opts *dashboard.Node) (*frame, bool) {
	out := f.with(slices.Clone(f.cols))
	for _, n := range opts.Get("conversions").Items() {
		i := slices.IndexFunc(out.cols, func(c *column) bool { return c.named(n.Get("targetField").Text()) })
		if i < 0 {
			continue
		}
		c := *out.cols[i]
		c.cells = slices.Clone(c.cells)
		switch to := n.Get("destinationType").Text(); to {
		case "number":
			for j, x := range c.cells {
				if v, ok := parseNumber(x.text); c.kind == textColumn {
					c.cells[j] = cell{number: v, set: ok}
				} else if c.kind == timeColumn {
					c.cells[j].number *= 1000
				}
			}
			c.kind = numberColumn
		case "string":
			for j, x := range c.cells {
				c.cells[j] = cell{text: c.plainText(x, time.UTC), set: x.set}
			}
			c.kind = textColumn
		case "time":
			if c.kind == textColumn {
				return nil, false // dates as text
			}
			for j := range c.cells {
				if c.kind == numberColumn {
					c.cells[j].number /= 1000
				}
			}
			c.kind = timeColumn
		default:
			return nil, false
		}
		out.cols[i] = &c
	}
	return out, true
}

// reduceCells reduces a column by the name of a reducer.
func reduceCells(reducer string, c *column, rows []int) cell {
	pts := make([]point, 0, len(rows))
	for _, i := range rows {
		pts = append(pts, point{v: c.cells[i].value()})
	}
	switch {
	case reducer == "count":
		return numberCell(float64(len(rows)))
	case c.kind == textColumn || reducer == "allValues" || reducer == "uniqueValues":
		return reduceTexts(reducer, c, rows)
	}
	return numberCell(calc(reducer, pts))
}

func reduceTexts(reducer string, c *column, rows []int) cell {
	var texts []string
	for _, i := range rows {
		if c.cells[i].set {
			texts = append(texts, c.plainText(c.cells[i], time.UTC))
		}
	}
	if len(texts) == 0 {
		return cell{number: math.NaN()}
	}
	switch reducer {
	case "first", "firstNotNull":
		return textCell(texts[0])
	case "distinctCount":
		slices.Sort(texts)
		return numberCell(float64(len(slices.Compact(texts))))
	case "uniqueValues":
		slices.Sort(texts)
		return textCell(strings.Join(slices.Compact(texts), ", "))
	case "allValues":
		return textCell(strings.Join(texts, ", "))
	}
	return textCell(texts[len(texts)-1])
}

func allRows(n int) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	return rows
}

// kindOf is the kind of a column of such cells.
func kindOf(cells []cell) columnKind {
	for _, x := range cells {
		if x.set && x.text != "" {
			return textColumn
		}
	}
	return numberColumn
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

func filterByRefID(frames []*frame, opts *dashboard.Node, _ *scope) ([]*frame, bool) {
	include, exclude := opts.Get("include").Text(), opts.Get("exclude").Text()
	if include == "" {
		include = opts.Path("include", "options").Text()
	}
	if exclude == "" {
		exclude = opts.Path("exclude", "options").Text()
	}
	var out []*frame
	for _, f := range frames {
		keep := true
		for pattern, want := range map[string]bool{include: true, exclude: false} {
			if pattern == "" {
				continue
			}
			match, ok := refMatcher(pattern)
			if !ok {
				return nil, false
			}
			keep = keep && match(f.refID) == want
		}
		if keep {
			out = append(out, f)
		}
	}
	return out, true
}

// reduceFrames makes a row of each column of numbers, or keeps the columns and reduces each to one row.
func reduceFrames(frames []*frame, opts *dashboard.Node, _ *scope) ([]*frame, bool) {
	var reducers []string
	for _, n := range opts.Get("reducers").Items() {
		reducers = append(reducers, n.Text())
	}
	if len(reducers) == 0 {
		reducers = []string{"max"}
	}
	if opts.Get("mode").Text() == "reduceFields" {
		var out []*frame
		for _, f := range frames {
			g := f.with(nil)
			for _, c := range f.cols {
				if c.kind == timeColumn && !opts.Get("includeTimeField").Bool() || c.kind == textColumn {
					continue
				}
				for _, r := range reducers {
					d := *c
					if len(reducers) > 1 {
						d.title = c.title + " " + calcTitle(r)
					}
					d.cells = []cell{reduceCells(r, c, allRows(len(c.cells)))}
					g.cols = append(g.cols, &d)
				}
			}
			if len(g.cols) > 0 {
				out = append(out, g)
			}
		}
		return mergeSingles(out), true
	}
	out := &frame{cols: []*column{{name: "Field", title: "Field"}}}
	head := out.cols[0]
	var labels []*column
	var names []model.LabelName
	if opts.Get("labelsToFields").Bool() {
		seen := map[model.LabelName]bool{}
		for _, f := range frames {
			for _, c := range f.numbers() {
				for n := range c.labels {
					if !seen[n] {
						seen[n] = true
						names = append(names, n)
					}
				}
			}
		}
		slices.Sort(names)
		for _, n := range names {
			labels = append(labels, &column{name: string(n), title: string(n)})
		}
	}
	values := make([]*column, len(reducers))
	for i, r := range reducers {
		values[i] = &column{name: calcTitle(r), title: calcTitle(r), kind: numberColumn}
	}
	for _, f := range frames {
		for _, c := range f.cols {
			if c.kind == timeColumn && !opts.Get("includeTimeField").Bool() || c.kind == textColumn {
				continue
			}
			title := c.title
			if len(names) > 0 && c.from != nil {
				title = c.name
			}
			head.cells = append(head.cells, textCell(title))
			for i, n := range names {
				text, has := c.labels[n]
				labels[i].cells = append(labels[i].cells, cell{text: string(text), set: has})
			}
			for i, r := range reducers {
				values[i].cells = append(values[i].cells, reduceCells(r, c, allRows(len(c.cells))))
			}
		}
	}
	for _, c := range values {
		c.kind = kindOf(c.cells)
	}
	out.cols = append(append(out.cols, labels...), values...)
	if len(head.cells) == 0 {
		return nil, true
	}
	return []*frame{out}, true
}

// mergeSingles puts tables of one row side by side.
func mergeSingles(frames []*frame) []*frame {
	if len(frames) < 2 {
		return frames
	}
	out := &frame{name: frames[0].name, refID: frames[0].refID}
	for _, f := range frames {
		out.cols = append(out.cols, f.cols...)
	}
	return []*frame{out}
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

// labelsToFields makes columns of labels and merges what comes out.
func labelsToFields(frames []*frame, opts *dashboard.Node, _ *scope) ([]*frame, bool) {
	if opts.Get("mode").Text() == "rows" {
		return labelRows(frames), true
	}
	valueLabel := model.LabelName(opts.Get("valueLabel").Text())
	var keep []string
	for _, n := range opts.Get("keepLabels").Items() {
		keep = append(keep, n.Text())
	}
	var out []*frame
	for _, f := range frames {
		t := f.time()
		plainTable := true
		for _, c := range f.numbers() {
			if len(c.labels) == 0 && c.from == nil {
				continue
			}
			plainTable = false
			g := f.with(nil)
			if t != nil {
				g.cols = append(g.cols, t)
			}
			var names []model.LabelName
			for n := range c.labels {
				if n != valueLabel && (len(keep) == 0 || slices.Contains(keep, string(n))) {
					names = append(names, n)
				}
			}
			slices.Sort(names)
			for _, n := range names {
				g.cols = append(g.cols, &column{name: string(n), title: string(n), cells: slices.Repeat([]cell{textCell(string(c.labels[n]))}, len(c.cells))})
			}
			d := *c
			d.title, d.labels = c.name, nil
			if v := c.labels[valueLabel]; valueLabel != "" && v != "" {
				d.title = string(v)
			}
			g.cols = append(g.cols, &d)
			out = append(out, g)
		}
		if plainTable {
			out = append(out, f)
		}
	}
	return mergeFrames(out), true
}

// labelRows lists the labels of each series, a row for each.
func labelRows(frames []*frame) []*frame {
	var out []*frame
	for _, f := range frames {
		for _, c := range f.numbers() {
			label, val := &column{name: "label", title: "label"}, &column{name: "value", title: "value"}
			for _, n := range labelNames([]*series{{metric: c.labels}}) {
				label.cells, val.cells = append(label.cells, textCell(string(n))), append(val.cells, textCell(string(c.labels[n])))
			}
			out = append(out, &frame{name: c.title, refID: f.refID, cols: []*column{label, val}})
		}
	}
	return out
}

func joinByLabels(frames []*frame, opts *dashboard.Node, _ *scope) ([]*frame, bool) {
	valueLabel := model.LabelName(opts.Get("value").Text())
	if valueLabel == "" {
		return nil, false
	}
	var join []string
	for _, n := range opts.Get("join").Items() {
		join = append(join, n.Text())
	}
	if len(join) == 0 {
		seen := map[string]bool{}
		for _, f := range frames {
			for _, c := range f.numbers() {
				for n := range c.labels {
					if n != valueLabel && n != model.MetricNameLabel && !seen[string(n)] {
						seen[string(n)] = true
						join = append(join, string(n))
					}
				}
			}
		}
		slices.Sort(join)
	}
	out := &frame{}
	for _, n := range join {
		out.cols = append(out.cols, &column{name: n, title: n})
	}
	rows, values := map[string]int{}, map[string]*column{}
	for _, f := range frames {
		for _, c := range f.numbers() {
			name := string(c.labels[valueLabel])
			if len(c.cells) == 0 || name == "" {
				continue
			}
			key := ""
			for _, n := range join {
				key += string(c.labels[model.LabelName(n)]) + "\x00"
			}
			at, ok := rows[key]
			if !ok {
				at = len(rows)
				rows[key] = at
				for i, d := range out.cols {
					if i < len(join) {
						d.cells = append(d.cells, textCell(string(c.labels[model.LabelName(join[i])])))
					} else {
						d.cells = append(d.cells, cell{number: math.NaN()})
					}
				}
			}
			d := values[name]
			if d == nil {
				d = &column{name: name, title: name, kind: numberColumn, from: c.from, cells: slices.Repeat([]cell{{number: math.NaN()}}, len(rows))}
				values[name] = d
				out.cols = append(out.cols, d)
			}
			d.cells[at] = c.cells[len(c.cells)-1]
		}
	}
	if len(rows) == 0 {
		return nil, true
	}
	return []*frame{out}, true
}

// timeSeriesTable makes a row of each series: its labels, and its last value where Grafana draws a small curve.
func timeSeriesTable(frames []*frame, _ *dashboard.Node, _ *scope) ([]*frame, bool) {
	var out []*frame
	for _, f := range frames {
		for _, c := range f.numbers() {
			if len(c.cells) == 0 {
				continue
			}
			g := &frame{refID: f.refID}
			for _, n := range labelNames([]*series{{metric: c.labels}}) {
				g.cols = append(g.cols, &column{name: string(n), title: string(n), cells: []cell{textCell(string(c.labels[n]))}})
			}
			title := "Trend #" + f.refID
			g.cols = append(g.cols, &column{name: title, title: title, kind: numberColumn, from: c.from, cells: []cell{reduceCells("lastNotNull", c, allRows(len(c.cells)))}})
			out = append(out, g)
		}
	}
	return mergeFrames(out), true
}

func concatenate(frames []*frame, _ *dashboard.Node, _ *scope) ([]*frame, bool) {
	if len(frames) < 2 {
		return frames, true
	}
	out := &frame{name: frames[0].name, refID: frames[0].refID}
	rows := 0
	for _, f := range frames {
		rows = max(rows, f.rows())
	}
	for _, f := range frames {
		for _, c := range f.cols {
			d := *c
			d.cells = slices.Clone(c.cells)
			for len(d.cells) < rows {
				d.cells = append(d.cells, cell{number: math.NaN()})
			}
			out.cols = append(out.cols, &d)
		}
	}
	out.unique()
	return []*frame{out}, true
}

// unique numbers columns that have one title, as Grafana does.
func (f *frame) unique() {
	count := map[string]int{}
	for _, c := range f.cols {
		count[c.title]++
	}
	at := map[string]int{}
	for i, c := range f.cols {
		if count[c.title] > 1 {
			at[c.title]++
			d := *c
			d.title = c.title + " " + strconv.Itoa(at[c.title])
			f.cols[i] = &d
		}
	}
}

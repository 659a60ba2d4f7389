package render

import (
	"cmp"
	"math"
	"slices"

	"lookout/internal/dashboard"
)

// mergeFrames makes one table of several: rows that agree in all columns that the tables share become one row.
func mergeFrames(frames []*frame) []*frame {
	if len(frames) < 2 {
		return frames
	}
	type place struct {
		title string
		kind  columnKind
	}
	at := func(c *column) place { return place{c.title, c.kind} }
	in := map[place]int{}
	out := &frame{refID: frames[0].refID}
	where := map[place]int{}
	for _, f := range frames {
		for _, c := range f.cols {
			in[at(c)]++
			if _, ok := where[at(c)]; !ok {
				where[at(c)] = len(out.cols)
				d := *c
				d.cells = nil
				out.cols = append(out.cols, &d)
			}
		}
	}
	shared := func(c *column) bool { return in[at(c)] == len(frames) && c.kind != numberColumn }
	rows := map[string][]int{}
	n := 0
	for _, f := range frames {
		var keys []*column
		for _, c := range f.cols {
			if shared(c) {
				keys = append(keys, c)
			}
		}
		slices.SortFunc(keys, func(a, b *column) int { return cmp.Compare(where[at(a)], where[at(b)]) })
		for i := range f.rows() {
			key := rowKey(keys, i)
			row := -1
			for _, r := range rows[key] {
				fits := true
				for _, c := range f.cols {
					have := out.cols[where[at(c)]].cells[r]
					if have.set && c.cells[i].set && !have.equal(c.cells[i]) {
						fits = false
						break
					}
				}
				if fits {
					row = r
					break
				}
			}
			if row < 0 {
				row = n
				n++
				rows[key] = append(rows[key], row)
				for _, c := range out.cols {
					c.cells = append(c.cells, cell{number: math.NaN()})
				}
			}
			for _, c := range f.cols {
				if c.cells[i].set {
					out.cols[where[at(c)]].cells[row] = c.cells[i]
				}
			}
		}
	}
	return []*frame{out}
}

// ensureColumns joins series by time if there is more than one.
func ensureColumns(frames []*frame) []*frame {
	for _, f := range frames {
		if f.time() == nil {
			return frames
		}
	}
	return join(frames, "", true)
}

func joinByField(frames []*frame, opts *dashboard.Node, _ *scope) ([]*frame, bool) {
	switch opts.Get("mode").Text() {
	case "", "outer", "outerTabular":
		return join(frames, opts.Get("byField").Text(), true), true
	case "inner":
		return join(frames, opts.Get("byField").Text(), false), true
	}
	return nil, false
}

// join puts tables side by side whose rows agree in one column; "" is the time.
func join(frames []*frame, by string, outer bool) []*frame {
	type side struct {
		f   *frame
		key *column
	}
	var sides []side
	for _, f := range frames {
		on := f.time()
		if by != "" {
			on = f.find(by)
		}
		if on != nil {
			sides = append(sides, side{f, on})
		}
	}
	if len(sides) < 2 {
		return frames
	}
	var keys []cell
	rows := map[cell]int{}
	in := map[cell]int{}
	key := func(x cell) cell {
		if math.IsNaN(x.number) {
			x.number = 0 // nothing is the same as nothing
		}
		return x
	}
	for i, s := range sides {
		for _, x := range s.key.cells {
			k := key(x)
			if _, ok := rows[k]; !ok {
				rows[k] = len(keys)
				keys = append(keys, x)
			}
			if in[k] == i {
				in[k]++
			}
		}
	}
	head := *sides[0].key
	head.cells = keys
	out := &frame{name: sides[0].f.name, refID: sides[0].f.refID, cols: []*column{&head}}
	for _, s := range sides {
		for _, c := range s.f.cols {
			if c == s.key {
				continue
			}
			d := *c
			d.cells = slices.Repeat([]cell{{number: math.NaN()}}, len(keys))
			for i, x := range c.cells {
				if at := rows[key(s.key.cells[i])]; !d.cells[at].set {
					d.cells[at] = x
				}
			}
			out.cols = append(out.cols, &d)
		}
	}
	out.unique()
	if !outer {
		var both []int
		for i, x := range keys {
			if in[key(x)] == len(sides) {
				both = append(both, i)
			}
		}
		out = out.pick(both)
	}
	if head.kind == timeColumn {
		out = sortRows(out, head.title, false)
	}
	return []*frame{out}
}

// calculateField adds a column that is computed of others, row by row.
func calculateField(frames []*frame, opts *dashboard.Node, sc *scope) ([]*frame, bool) {
	if ts := opts.Get("timeSeries"); !ts.Is(dashboard.Bool) || ts.Bool() {
		frames = ensureColumns(frames)
	}
	out := make([]*frame, 0, len(frames))
	for _, f := range frames {
		c, ok := calculated(f, opts, sc)
		if !ok {
			return nil, false
		}
		if c == nil {
			out = append(out, f)
			continue
		}
		c.kind = numberColumn
		if alias := opts.Get("alias").Text(); alias != "" {
			c.name = sc.text(alias)
		}
		c.title = c.name
		g := f.with(append(slices.Clone(f.cols), c))
		if opts.Get("replaceFields").Bool() {
			g.cols = slices.DeleteFunc(slices.Clone(f.cols), func(c *column) bool { return c.kind != timeColumn })
			g.cols = append(g.cols, c)
		}
		out = append(out, g)
	}
	return out, true
}

// calculated is the new column, nil if the table has nothing to compute it of.
func calculated(f *frame, opts *dashboard.Node, sc *scope) (*column, bool) {
	numbers := f.numbers()
	switch mode := opts.Get("mode").Text(); mode {
	case "", "reduceRow":
		var include []string
		for _, n := range opts.Path("reduce", "include").Items() {
			include = append(include, n.Text())
		}
		if len(include) > 0 {
			numbers = slices.DeleteFunc(numbers, func(c *column) bool { return !slices.ContainsFunc(include, c.named) })
		}
		reducer := cmp.Or(opts.Path("reduce", "reducer").Text(), "sum")
		if len(numbers) == 0 {
			return nil, true
		}
		c := &column{name: calcTitle(reducer)}
		for i := range f.rows() {
			pts := make([]point, len(numbers))
			for j, n := range numbers {
				pts[j].v = n.cells[i].value()
			}
			c.cells = append(c.cells, numberCell(calc(reducer, pts)))
		}
		return c, true
	case "binary":
		left, leftName, ok1 := operand(f, opts.Path("binary", "left"), sc)
		right, rightName, ok2 := operand(f, opts.Path("binary", "right"), sc)
		op := cmp.Or(opts.Path("binary", "operator").Text(), "+")
		do := arithmetic[op]
		if do == nil {
			return nil, false
		}
		if !ok1 || !ok2 {
			return nil, true
		}
		c := &column{name: leftName + " " + op + " " + rightName}
		for i := range f.rows() {
			c.cells = append(c.cells, numberCell(do(left(i), right(i))))
		}
		return c, true
	case "unary":
		of := f.find(opts.Path("unary", "fieldName").Text())
		do := unaryMath[cmp.Or(opts.Path("unary", "operator").Text(), "abs")]
		if do == nil {
			return nil, false
		}
		if of == nil {
			return nil, true
		}
		c := &column{name: opts.Path("unary", "operator").Text() + "(" + of.title + ")"}
		for _, x := range of.cells {
			c.cells = append(c.cells, numberCell(do(x.value())))
		}
		return c, true
	case "index":
		c := &column{name: "Row"}
		n := float64(f.rows())
		for i := range f.rows() {
			v := float64(i)
			if opts.Path("index", "asPercentile").Bool() {
				v /= max(n-1, 1)
			}
			c.cells = append(c.cells, numberCell(v))
		}
		return c, true
	case "cumulativeFunctions":
		of := f.find(opts.Path("cumulative", "field").Text())
		if of == nil {
			return nil, true
		}
		mean := opts.Path("cumulative", "reducer").Text() == "mean"
		c := &column{name: "cumulative " + map[bool]string{true: "mean", false: "sum"}[mean] + "(" + of.title + ")"}
		sum, n := 0.0, 0.0
		for _, x := range of.cells {
			if x.set {
				sum, n = sum+x.number, n+1
			}
			if mean {
				c.cells = append(c.cells, numberCell(sum/n))
			} else {
				c.cells = append(c.cells, numberCell(sum))
			}
		}
		return c, true
	}
	return nil, false
}

// operand is a side of a calculation: a column by name, or a number.
func operand(f *frame, n *dashboard.Node, sc *scope) (at func(int) float64, name string, ok bool) {
	text := n.Scalarish()
	if n.Is(dashboard.Object) {
		text = cmp.Or(n.Get("fixed").Scalarish(), n.Path("matcher", "options").Text())
	}
	text = sc.text(text)
	if c := f.find(text); c != nil && text != "" {
		return func(i int) float64 { return c.cells[i].value() }, text, true
	}
	if v, isNumber := parseNumber(text); isNumber {
		return func(int) float64 { return v }, text, true
	}
	return nil, "", false
}

var arithmetic = map[string]func(a, b float64) float64{
	"+": func(a, b float64) float64 { return a + b }, "-": func(a, b float64) float64 { return a - b },
	"*": func(a, b float64) float64 { return a * b }, "/": func(a, b float64) float64 { return a / b },
	"**": math.Pow, "^": math.Pow, "%": math.Mod,
}

var unaryMath = map[string]func(float64) float64{
	"abs": math.Abs, "exp": math.Exp, "ln": math.Log, "floor": math.Floor, "ceil": math.Ceil, "round": math.Round,
}

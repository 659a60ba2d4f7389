package render

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"lookout/internal/dashboard"
)

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

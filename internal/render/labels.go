package render

import (
	"math"
	"slices"

	"github.com/prometheus/common/model"

	"lookout/internal/dashboard"
)

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

package render

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

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

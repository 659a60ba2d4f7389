package render

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"lookout/internal/dashboard"
)

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

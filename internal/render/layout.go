package render

import (
	"cmp"
	"slices"
	"strings"

	"lookout/internal/dashboard"
)

const (
	columns    = 24
	gap        = 8.0  // between panels
	unitHeight = 30.0 // of a grid unit, without its gap
	margin     = 16.0 // around the picture
	headHeight = 64.0
	rowHeight  = 34.0
	// A panel taller than this is a mistake; it would make the picture useless.
	maxUnits = 100
)

// layout is where everything stands.
type layout struct {
	sections []*section
	height   float64
}

// section is a row with what it holds, or the panels before the first row.
type section struct {
	row    *dashboard.Panel // nil before the first row and after a collapsed one
	title  string
	place  rect // of the row's line
	panels []placed
	// hidden is how many panels a collapsed row keeps back.
	hidden    int
	collapsed bool
	// scope is what a repeated row stands for; note says that not all its copies are there.
	scope  map[string]value
	note   string
	top    float64
	bottom float64
}

type placed struct {
	panel *dashboard.Panel
	place rect
	// scope holds the variable a repeated panel stands for.
	scope map[string]value
	// note tells that the panel stands for several.
	note string
}

// gridItem is a panel on the grid before pixels.
type gridItem struct {
	placed
	grid dashboard.Grid
}

// layOut places panels as Grafana does: rows below one another, within a row the panels float up until they meet another. Files with overlaps or holes come out
// as they would there.
func (r *renderer) layOut() layout {
	var l layout
	y := margin + headHeight
	cell := (r.width - 2*margin + gap) / columns
	for _, s := range sections(r.d) {
		if r.opts.Tab != nil && !within(s.row, r.opts.Tab) {
			continue
		}
		repeat := ""
		if s.row != nil {
			repeat = s.row.Repeat
		}
		scopes, note := r.repeatValues(repeat)
		for i, sc := range scopes {
			out := &section{row: s.row, collapsed: s.row != nil && s.row.Collapsed && !r.open(s.row), top: y, scope: sc}
			if s.row != nil {
				out.title = s.row.Title
				if s.row.Tab {
					out.title = "Tab: " + s.row.Title
				}
				out.place = rect{margin, y, r.width - 2*margin, rowHeight}
				y += rowHeight + gap
				if i == len(scopes)-1 {
					out.note = note
				}
				if repeat != "" && sc == nil {
					out.note = "repeated by $" + repeat
				}
				if s.row.Condition != nil {
					out.note = strings.TrimPrefix(out.note+"; "+dashboard.ConditionText(s.row.Condition), "; ")
				}
			}
			if out.collapsed {
				out.hidden = len(s.panels)
			} else {
				items, height := r.spread(s.panels, sc)
				for _, it := range items {
					g := it.grid
					it.place = rect{margin + float64(g.X)*cell, y + float64(g.Y)*(unitHeight+gap), float64(g.W)*cell - gap, float64(g.H)*(unitHeight+gap) - gap}
					out.panels = append(out.panels, it.placed)
				}
				y += float64(height) * (unitHeight + gap)
			}
			out.bottom = y
			l.sections = append(l.sections, out)
		}
	}
	l.height = y - gap + margin
	return l
}

// Tabs are the tabs at the top of a V2 dashboard, in order; none if it has no tabs there.
func Tabs(d *dashboard.Dashboard) []*dashboard.Panel {
	var out []*dashboard.Panel
	for _, p := range d.Panels {
		if p.Tab && p.Outer == nil {
			out = append(out, p)
		}
	}
	return out
}

// within tells whether a row is a tab, or stands in it.
func within(row, tab *dashboard.Panel) bool {
	for ; row != nil; row = row.Outer {
		if row == tab {
			return true
		}
	}
	return false
}

// spread puts the panels of a section on the grid, with the copies of repeated ones, which push down what is below them. It returns the height, too.
func (r *renderer) spread(panels []placed, sc map[string]value) (out []gridItem, height int) {
	type growth struct{ below, extra int }
	var grown []growth
	for _, p := range panels {
		p.scope = merged(p.scope, sc)
		it := gridItem{placed: p, grid: clamp(p.panel)}
		copies := r.repeat(it)
		if extra := copies[len(copies)-1].grid.Y - it.grid.Y; extra > 0 {
			grown = append(grown, growth{it.grid.Y + it.grid.H, extra})
		}
		out = append(out, copies...)
	}
	for i := range out {
		shift := 0
		for _, g := range grown {
			// Copies of a panel stand at most as low as what is below it, hence the comparison with the original's place.
			if clamp(out[i].panel).Y >= g.below {
				shift += g.extra
			}
		}
		out[i].grid.Y += shift
	}
	return out, float(out)
}

// sections groups panels by rows in the order in which they appear on the screen.
func sections(d *dashboard.Dashboard) []*section {
	var top []*dashboard.Panel
	held := map[*dashboard.Panel][]*dashboard.Panel{}
	for _, p := range d.Panels {
		if (p.Nested || p.OldRow) && p.Row != nil {
			held[p.Row] = append(held[p.Row], p)
		} else {
			top = append(top, p)
		}
	}
	// A panel without a place comes after those that have one, in file order.
	slices.SortStableFunc(top, func(a, b *dashboard.Panel) int {
		if a.HasGrid != b.HasGrid {
			if a.HasGrid {
				return -1
			}
			return 1
		}
		if !a.HasGrid {
			return 0
		}
		return cmp.Or(cmp.Compare(a.Grid.Y, b.Grid.Y), cmp.Compare(a.Grid.X, b.Grid.X))
	})
	var out []*section
	current := &section{}
	flush := func() {
		if current.row != nil || len(current.panels) > 0 {
			out = append(out, current)
		}
	}
	for _, p := range top {
		if !p.IsRow() {
			current.panels = append(current.panels, placed{panel: p})
			continue
		}
		flush()
		current = &section{row: p}
		for _, c := range nested(p, held) {
			current.panels = append(current.panels, placed{panel: c})
		}
		if p.Collapsed && !p.OldRow {
			// What follows a collapsed row on the grid does not belong to it.
			flush()
			current = &section{}
		}
	}
	flush()
	return out
}

// nested are the panels held by a row; rows inside of rows give theirs to the outermost.
func nested(row *dashboard.Panel, held map[*dashboard.Panel][]*dashboard.Panel) []*dashboard.Panel {
	var out []*dashboard.Panel
	for _, p := range held[row] {
		if p.IsRow() {
			out = append(out, nested(p, held)...)
			continue
		}
		out = append(out, p)
	}
	return out
}

// clamp makes a usable place of whatever the file says.
func clamp(p *dashboard.Panel) dashboard.Grid {
	if !p.HasGrid {
		return dashboard.Grid{X: -1, W: columns / 2, H: 8}
	}
	g := p.Grid
	g.W = min(max(g.W, 1), columns)
	g.H = min(max(g.H, 1), maxUnits)
	g.X = min(max(g.X, 0), columns-g.W)
	return g
}

// float sorts items by their place and moves each up until it meets one above. It returns the height that they take together.
func float(items []gridItem) int {
	slices.SortStableFunc(items, func(a, b gridItem) int {
		if (a.grid.X < 0) != (b.grid.X < 0) {
			return cmp.Compare(b.grid.X, a.grid.X)
		}
		return cmp.Or(cmp.Compare(a.grid.Y, b.grid.Y), cmp.Compare(a.grid.X, b.grid.X))
	})
	var sky [columns]int
	bottom, nextX := 0, 0
	for i := range items {
		g := &items[i].grid
		if g.X < 0 { // no place of its own: beside the one before
			if nextX+g.W > columns {
				nextX = 0
			}
			g.X = nextX
			nextX += g.W
		}
		g.Y = slices.Max(sky[g.X : g.X+g.W])
		for x := g.X; x < g.X+g.W; x++ {
			sky[x] = g.Y + g.H
		}
		bottom = max(bottom, g.Y+g.H)
	}
	return bottom
}

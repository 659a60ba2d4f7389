package diff

import (
	"context"
	"fmt"

	"lookout/internal/dashboard"
	"lookout/internal/render"
)

// A picture of what changed is as wide as a comment on a code host shows it, so that its text is as large as on the screen.
const (
	changedWidth = 900
	// mostChanged is how many panels one picture shows; more would be a picture that no one scrolls through.
	mostChanged = 10
)

// Changed makes a dashboard of the panels that the events are about, each before on the left and after on the right, and draws it: SVG, or PNG if asked for.
// Panels that only moved are left out. It is nil if there is no panel to show.
func Changed(ctx context.Context, p Pair, events []Event, opts render.Options, png bool) ([]byte, error) {
	if p.Rules {
		return nil, nil
	}
	pairs, more := changedPanels(events)
	if len(pairs) == 0 {
		return nil, nil
	}
	d, marks, err := sideBySide(p, pairs, more)
	if err != nil {
		return nil, err
	}
	opts.Width, opts.Marks = changedWidth, marks
	draw := render.SVG
	if png {
		draw = render.PNG
	}
	out, err := draw(ctx, d, opts)
	if err != nil {
		return nil, fmt.Errorf("draw %s: %w", p.File, err)
	}
	return out, nil
}

// sides are the two versions of a panel; one may be nil.
type sides struct{ old, new *dashboard.Panel }

// changedPanels are the panels that events are about, none twice, and how many were left out.
func changedPanels(events []Event) (pairs []sides, more int) {
	add := func(s sides) {
		for i, had := range pairs {
			if had.old != nil && had.old == s.old || had.new != nil && had.new == s.new {
				if had.old == nil {
					pairs[i].old = s.old
				}
				if had.new == nil {
					pairs[i].new = s.new
				}
				return
			}
		}
		pairs = append(pairs, s)
	}
	for _, e := range events {
		switch e.Kind {
		case PanelMoved, PanelResized, PanelsShifted, RowAdded, RowRemoved:
			continue
		}
		old, new := onlyPanels(e.Old), onlyPanels(e.New)
		if len(old) == len(new) {
			for i := range old {
				add(sides{old[i], new[i]})
			}
			continue
		}
		for _, o := range old {
			add(sides{old: o})
		}
		for _, n := range new {
			add(sides{new: n})
		}
	}
	if more = len(pairs) - mostChanged; more > 0 {
		return pairs[:mostChanged], more
	}
	return pairs, 0
}

// sideBySide is a dashboard that holds the pairs, and the marks of its panels.
func sideBySide(p Pair, pairs []sides, more int) (*dashboard.Dashboard, map[*dashboard.Panel]render.Mark, error) {
	from := p.After
	if from == nil {
		from = p.Before
	}
	root := dashboard.NewObject()
	title := from.Name()
	if more > 0 {
		title += fmt.Sprintf(" (%d of %d panels)", len(pairs), len(pairs)+more)
	}
	root.Set("title", dashboard.NewString(title))
	for _, key := range []string{"templating", "time"} {
		if n := from.Root.Get(key); n != nil {
			root.Set(key, n.Clone())
		}
	}
	panels := dashboard.NewArray()
	var kinds []render.Mark
	y := 0
	for _, s := range pairs {
		height := 0
		for _, side := range []*dashboard.Panel{s.old, s.new} {
			if side != nil {
				height = max(height, min(max(side.Grid.H, 4), 9))
			}
		}
		put := func(side *dashboard.Panel, x int, mark render.Mark) {
			if side == nil {
				return
			}
			n := side.Node.Clone()
			for _, key := range []string{"repeat", "repeatDirection", "maxPerRow", "panels"} {
				n.Remove(key)
			}
			place := dashboard.NewObject()
			for _, e := range []struct {
				key   string
				value int
			}{{"x", x}, {"y", y}, {"w", 12}, {"h", height}} {
				place.Set(e.key, dashboard.NewInt(int64(e.value)))
			}
			n.Set("gridPos", place)
			n.Set("id", dashboard.NewInt(int64(len(kinds)+1)))
			panels.Append(n)
			kinds = append(kinds, mark)
		}
		switch {
		case s.new == nil:
			put(s.old, 0, render.Mark{Kind: render.MarkRemoved})
		case s.old == nil:
			put(s.new, 12, render.Mark{Kind: render.MarkAdded})
		default:
			put(s.old, 0, render.Mark{Kind: render.MarkMoved, Note: "before"})
			put(s.new, 12, render.Mark{Kind: render.MarkChanged, Note: "after"})
		}
		y += height
	}
	root.Set("panels", panels)
	d, err := dashboard.Load(p.File, root.JSON())
	if err != nil {
		return nil, nil, fmt.Errorf("draw %s: %w", p.File, err)
	}
	marks := map[*dashboard.Panel]render.Mark{}
	for _, panel := range d.Panels {
		if i := int(panel.ID) - 1; panel.HasID && i >= 0 && i < len(kinds) {
			marks[panel] = kinds[i]
		}
	}
	return d, marks, nil
}

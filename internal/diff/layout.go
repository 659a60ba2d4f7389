package diff

import (
	"cmp"
	"fmt"
	"slices"

	"lookout/internal/dashboard"
)

// layout tells moves of panels. Most of them are consequences: a panel that is put in pushes down all that stand below it. Those are told with their cause.
type layout struct {
	c     *comparer
	pairs []*panelPair
	grid  map[*panelPair][]*change
}

func (l *layout) add(ch *change) {
	p := ch.entity.panel
	if l.grid[p] == nil {
		l.pairs = append(l.pairs, p)
	}
	l.grid[p] = append(l.grid[p], ch)
	ch.taken = true
}

// cause is an event that may have shifted what stands below y, by delta grid units; any says that the distance is no telling.
type cause struct {
	y, delta int
	any      bool
	event    int
}

func (l *layout) resolve(events []Event, orders []*change, ignore func(*change, string)) []Event {
	var causes []cause
	for i := range events {
		e := &events[i]
		switch e.Kind {
		case PanelAdded, RowAdded:
			causes = append(causes, cause{e.new.Grid.Y, height(e.new), false, i})
		case PanelRemoved, RowRemoved:
			causes = append(causes, cause{e.old.Grid.Y, -height(e.old), false, i})
		case RowCollapsed, RowExpanded:
			causes = append(causes, cause{e.new.Grid.Y, 0, true, i})
		}
	}
	toggled := map[*dashboard.Panel]int{}
	for _, k := range causes {
		if k.any {
			toggled[events[k.event].new] = k.event
			toggled[events[k.event].old] = k.event
		}
	}
	shifts := map[int][]*panelPair{}
	var others []*panelPair
	for _, p := range l.pairs {
		a, b := p.old.Grid, p.new.Grid
		// What a row holds goes where its row goes.
		if at, ok := toggled[p.new.Row]; ok && p.new.Row != nil && a.X == b.X && a.W == b.W && a.H == b.H {
			l.attach(&events[at], p)
			continue
		}
		if p.old.HasGrid && p.new.HasGrid && a.X == b.X && a.W == b.W && a.H == b.H && a.Y != b.Y {
			shifts[b.Y-a.Y] = append(shifts[b.Y-a.Y], p)
			continue
		}
		others = append(others, p)
	}
	for _, p := range others {
		i := len(events)
		events = append(events, l.moveEvent(p))
		a, b := p.old.Grid, p.new.Grid
		if b.H != a.H {
			causes = append(causes, cause{b.Y, b.H - a.H, false, i})
		}
		if b.X != a.X || b.W != a.W {
			// It left one place and took another.
			causes = append(causes, cause{b.Y, b.H, false, i}, cause{a.Y, -a.H, false, i})
		}
	}
	slices.SortStableFunc(causes, func(a, b cause) int { return cmp.Compare(a.y, b.y) })

	var deltas []int
	for d := range shifts {
		deltas = append(deltas, d)
	}
	slices.SortFunc(deltas, func(a, b int) int {
		return cmp.Or(cmp.Compare(shifts[a][0].new.Grid.Y, shifts[b][0].new.Grid.Y), cmp.Compare(a, b))
	})
	for _, d := range deltas {
		moved := shifts[d]
		top := moved[0].new.Grid.Y
		for _, p := range moved {
			top = min(top, p.new.Grid.Y, p.old.Grid.Y)
		}
		if at := explain(causes, top, d, len(moved)); at >= 0 {
			e := &events[at]
			for _, p := range moved {
				l.attach(e, p)
			}
			e.what += fmt.Sprintf("; %s below moved %s", plural(len(moved), "panel"), direction(d))
			continue
		}
		if len(moved) == 1 {
			events = append(events, l.moveEvent(moved[0]))
			continue
		}
		events = append(events, l.shiftEvent(moved, "moved "+direction(d)))
	}
	return l.arrangements(events, orders, ignore)
}

func height(p *dashboard.Panel) int {
	if p.IsRow() && p.Grid.H < 1 {
		return 1
	}
	return p.Grid.H
}

func direction(d int) string {
	if d < 0 {
		return "up by " + itoa(-d)
	}
	return "down by " + itoa(d)
}

// explain finds the event that shifted n panels below top by d, -1 if none did.
func explain(causes []cause, top, d, n int) int {
	sum, bandY, bandDelta, last := 0, 0, 0, -1
	for i, k := range causes {
		if k.y > top {
			break
		}
		if k.any {
			return k.event
		}
		if k.delta == d {
			return k.event
		}
		// Panels side by side push as much as the tallest of them.
		if i == 0 || k.y != bandY || (k.delta < 0) != (bandDelta < 0) {
			sum, bandY, bandDelta = sum+bandDelta, k.y, k.delta
		} else if abs(k.delta) > abs(bandDelta) {
			bandDelta = k.delta
		}
		last = k.event
	}
	sum += bandDelta
	switch {
	case last < 0:
		return -1
	case sum == d:
		return last
	case n > 1 && (sum < 0) == (d < 0) && sum != 0:
		// Gaps were closed or left on the way; still the panels below moved because of what happened above.
		return last
	}
	return -1
}

func abs(i int) int { return max(i, -i) }

func (l *layout) attach(e *Event, p *panelPair) {
	for _, ch := range l.grid[p] {
		e.Changes = append(e.Changes, ch.Change)
	}
}

func (l *layout) moveEvent(p *panelPair) Event {
	e := Event{Kind: PanelMoved, Dashboard: l.c.new.Name(), File: l.c.new.File()}
	l.c.subject(&e, l.c.panelEntity(p))
	l.attach(&e, p)
	e.Before, e.After = p.old.Node.Get("gridPos"), p.new.Node.Get("gridPos")
	a, b := p.old.Grid, p.new.Grid
	switch {
	case !p.old.HasGrid || !p.new.HasGrid:
		e.what = "given a place on the grid"
	case a.W != b.W || a.H != b.H:
		e.Kind = PanelResized
		e.what = fmt.Sprintf("resized %d×%d → %d×%d", a.W, a.H, b.W, b.H)
		if a.X != b.X || a.Y != b.Y {
			e.what += fmt.Sprintf(" and moved %d,%d → %d,%d", a.X, a.Y, b.X, b.Y)
		}
	default:
		e.what = fmt.Sprintf("moved %d,%d → %d,%d", a.X, a.Y, b.X, b.Y)
	}
	if x, y := p.old.Row.Name(), p.new.Row.Name(); x != y && e.Kind == PanelMoved && !l.c.sameRow(p) {
		e.what += " (" + rowText(x) + " → " + rowText(y) + ")"
	}
	return e
}

func rowText(name string) string {
	if name == "" {
		return "above the rows"
	}
	return "row " + quote(name)
}

// sameRow tells whether both versions of a panel stand in the same row, be it renamed.
func (c *comparer) sameRow(p *panelPair) bool {
	if p.old.Row == nil || p.new.Row == nil {
		return p.old.Row == p.new.Row
	}
	rows := c.byOld[p.old.Row.Node]
	return rows != nil && rows.new == p.new.Row
}

func (l *layout) shiftEvent(moved []*panelPair, what string) Event {
	e := Event{Kind: PanelsShifted, Dashboard: l.c.new.Name(), File: l.c.new.File()}
	for _, p := range moved {
		l.attach(&e, p)
		e.Panels = append(e.Panels, p.new.Name())
		e.who = append(e.who, named{p.new, p.new.Name()})
		e.Old, e.New = append(e.Old, p.old), append(e.New, p.new)
	}
	e.Panel = joinNames(e.Panels)
	e.Text = fmt.Sprintf("%s %s: %s", plural(len(moved), "panel"), what, clipNames(e.Panels))
	e.what = what
	return e
}

// arrangements gives the changed order of the arrays that hold panels to an event, or ignores it: where a panel stands is decided by its place on the
// grid, not by its place in the file.
func (l *layout) arrangements(events []Event, orders []*change, ignore func(*change, string)) []Event {
	for _, ch := range orders {
		if !l.c.isContainer(ch.entity, ch.rel) {
			continue
		}
		ch.taken = true
		owner := -1
		for i := range events {
			switch events[i].Kind {
			case PanelAdded, PanelRemoved, RowAdded, RowRemoved, RowCollapsed, RowExpanded:
				if owner < 0 || l.inside(&events[i], ch) {
					owner = i
				}
			}
		}
		if owner >= 0 {
			events[owner].Changes = append(events[owner].Changes, ch.Change)
			continue
		}
		moved := l.rehoused(ch)
		if moved == nil && l.placed() {
			ignore(ch, "the order in the file; panels stand where gridPos says")
			continue
		}
		if moved == nil {
			e := Event{Kind: PanelMoved, Dashboard: l.c.new.Name(), File: l.c.new.File(), Text: "panels stand in another order", what: "panels stand in another order"}
			e.Changes = []Change{ch.Change}
			events = append(events, e)
			continue
		}
		// Into a collapsed row, or out of it: told with the panel.
		at := slices.IndexFunc(events, func(e Event) bool { return e.new == moved.new && (e.Kind == PanelMoved || e.Kind == PanelResized) })
		if at < 0 {
			at = len(events)
			e := l.moveEvent(moved)
			e.what = "moved (" + rowText(moved.old.Row.Name()) + " → " + rowText(moved.new.Row.Name()) + ")"
			e.Before, e.After = dashboard.NewString(moved.old.Row.Name()), dashboard.NewString(moved.new.Row.Name())
			events = append(events, e)
		}
		events[at].Changes = append(events[at].Changes, ch.Change)
	}
	return events
}

// inside tells whether a panel that came or went stood in the array that the change is about.
func (l *layout) inside(e *Event, ch *change) bool {
	return e.new != nil && e.new.Node.Parent().PointerFrom(l.c.new.Root) == ch.Path || e.new == nil && e.old != nil && e.old.Node.Parent().PointerFrom(l.c.old.Root) == ch.OldPath
}

// rehoused finds a panel that another row holds than before, or nil.
func (l *layout) rehoused(ch *change) *panelPair {
	var first *panelPair
	for _, p := range l.c.pairs {
		if p.old == nil || p.new == nil || p.old.Nested == p.new.Nested && (l.c.sameRow(p) || !p.new.Nested) || p.old.OldRow || p.new.OldRow {
			continue
		}
		here := p.new.Node.Parent().PointerFrom(l.c.new.Root) == ch.Path || p.old.Node.Parent().PointerFrom(l.c.old.Root) == ch.OldPath
		if here && first == nil {
			first = p
		}
	}
	return first
}

// placed tells whether all panels have a place on the grid.
func (l *layout) placed() bool {
	for _, d := range []*dashboard.Dashboard{l.c.old, l.c.new} {
		for _, p := range d.Panels {
			if !p.HasGrid || p.OldRow {
				return false
			}
		}
	}
	return true
}

// absorbRows tells a row that came or went together with the panels in it.
func (c *comparer) absorbRows(events []Event) []Event {
	rows := map[*dashboard.Panel]int{}
	for i := range events {
		switch events[i].Kind {
		case RowAdded:
			rows[events[i].new] = i
		case RowRemoved:
			rows[events[i].old] = i
		}
	}
	if len(rows) == 0 {
		return events
	}
	held := map[int][]string{}
	for _, at := range rows {
		// Those of a collapsed row stand in it, so they came or went with it.
		for _, ch := range events[at].Changes {
			for _, row := range []*dashboard.Node{ch.Before, ch.After} {
				for _, p := range row.Get("panels").Items() {
					held[at] = append(held[at], cmp.Or(p.Get("title").Text(), p.Get("type").Text()))
				}
			}
		}
	}
	gone := make([]bool, len(events))
	for i := range events {
		e := &events[i]
		var row *dashboard.Panel
		switch e.Kind {
		case PanelAdded:
			row = e.new.Row
		case PanelRemoved:
			row = e.old.Row
		default:
			continue
		}
		at, ok := rows[row]
		if !ok || row == nil {
			continue
		}
		// A row that came takes in panels that came, one that went those that went.
		if (events[at].Kind == RowAdded) != (e.Kind == PanelAdded) {
			continue
		}
		held[at] = append(held[at], e.Panel)
		events[at].Changes = append(events[at].Changes, e.Changes...)
		events[at].Old, events[at].New = append(events[at].Old, present(e.old)...), append(events[at].New, present(e.new)...)
		if _, more, ok := cutShift(e.what); ok {
			events[at].what += more
		}
		gone[i] = true
	}
	for at, names := range held {
		events[at].what = insertWith(events[at].what, "with "+plural(len(names), "panel")+": "+clipNames(names))
	}
	out := events[:0]
	for i, e := range events {
		if !gone[i] {
			out = append(out, e)
		}
	}
	return out
}

func present(p *dashboard.Panel) []*dashboard.Panel {
	if p == nil {
		return nil
	}
	return []*dashboard.Panel{p}
}

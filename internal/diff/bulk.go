package diff

import (
	"fmt"
	"slices"
	"strings"

	"lookout/internal/dashboard"
	"lookout/internal/promql"
)

// many is the number of events of one kind beyond which a reader wants them as one: a bulk edit.
const many = 6

// bulk joins events that say the same of several panels, and then those of a kind that has too many.
func bulk(events []Event) []Event {
	events = joinBy(events, 2, func(e *Event) string {
		switch e.Kind {
		case PanelAdded, PanelRemoved, RowAdded, RowRemoved, PanelsShifted, PanelMoved, PanelResized, PanelRetitled, VariableAdded, VariableRemoved, DashboardAdded, DashboardRemoved:
			return ""
		}
		if e.subject == "" {
			return ""
		}
		return e.Dashboard + "\x00" + string(e.Kind) + "\x00" + e.what
	}, func(e *Event, who []named) string {
		return e.what + " in " + where(e.Kind, who)
	})
	events = rework(events)
	events = variableUses(events)
	// What a removed panel was is in its picture; the names of several are what a reader asks for.
	events = joinBy(events, 3, func(e *Event) string {
		if e.Kind != PanelRemoved {
			return ""
		}
		return e.Dashboard
	}, func(e *Event, who []named) string { return manyText(e.Kind) + " " + where(e.Kind, who) })
	// Three shifts in different directions are one new arrangement.
	events = joinBy(events, 3, func(e *Event) string {
		if e.Kind != PanelsShifted {
			return ""
		}
		return e.Dashboard
	}, func(e *Event, who []named) string { return "rearranged " + where(e.Kind, who) })
	return joinBy(events, many+1, func(e *Event) string {
		switch e.Kind {
		case DashboardAdded, DashboardRemoved:
			return ""
		case PanelMoved, PanelResized, PanelsShifted:
			return e.Dashboard + "\x00layout"
		}
		return e.Dashboard + "\x00" + string(e.Kind)
	}, func(e *Event, who []named) string {
		if len(who) == 0 {
			return ""
		}
		text := manyText(e.Kind) + " " + where(e.Kind, who)
		switch e.Kind {
		case PanelAdded, PanelRemoved, PanelMoved, PanelResized, PanelsShifted:
			return text
		}
		// What the first ones are, and how many more.
		const shown = 2
		for i, part := range e.parts[:min(shown, len(e.parts))] {
			text += map[bool]string{true: " (", false: "; "}[i == 0] + clip(part, 160)
		}
		if more := len(e.parts) - shown; more > 0 {
			text += "; " + itoa(more) + " more"
		}
		return text + ")"
	})
}

// reworkedFrom is the number of changes of one panel from which they are told as one: such a panel was made anew.
const reworkedFrom = 7

func rework(events []Event) []Event {
	count := map[*dashboard.Panel]int{}
	for i := range events {
		if p := events[i].new; p != nil && len(events[i].Panels) == 1 {
			count[p]++
		}
	}
	first := map[*dashboard.Panel]int{}
	var out []Event
	for _, e := range events {
		if e.new == nil || len(e.Panels) != 1 || count[e.new] < reworkedFrom {
			out = append(out, e)
			continue
		}
		at, ok := first[e.new]
		if !ok {
			first[e.new] = len(out)
			e.Kind = PanelReworked
			out = append(out, e)
			continue
		}
		into := &out[at]
		into.Changes = append(slices.Clip(into.Changes), e.Changes...)
		into.what += "; " + e.what
		into.Text += "; " + e.what
		into.Before, into.After = e.old.Node, e.new.Node
	}
	return out
}

// mostUses is the number of events that a variable's own may take in before it becomes unreadable.
const mostUses = 3

// variableUses joins the event of a variable that came or went with those that put it into queries or took it out: nobody adds a variable for its own sake.
func variableUses(events []Event) []Event {
	used := make([]bool, len(events))
	for i := range events {
		e := &events[i]
		if e.Kind != VariableAdded && e.Kind != VariableRemoved || used[i] {
			continue
		}
		value := e.After
		if e.Kind == VariableRemoved {
			value = e.Before
		}
		name := value.Text()
		if name == "" {
			continue
		}
		var uses []int
		for k := range events {
			if o := &events[k]; !used[k] && o.Dashboard == e.Dashboard && (o.Kind == Query || o.Kind == Legend || o.Kind == Datasource || o.Kind == Repeat || o.Kind == PanelRetitled) &&
				mentions(o, name, e.Kind == VariableAdded) {
				uses = append(uses, k)
			}
		}
		if len(uses) > mostUses {
			continue
		}
		for _, k := range uses {
			o := &events[k]
			used[k] = true
			e.Changes = append(slices.Clip(e.Changes), o.Changes...)
			e.Old, e.New = append(slices.Clip(e.Old), o.Old...), append(slices.Clip(e.New), o.New...)
			e.who = unique(append(slices.Clip(e.who), o.who...))
			e.Panels = namesOf(e.who)
			e.Panel = joinNames(e.Panels)
			e.Text += "; " + o.Text
		}
	}
	out := events[:0]
	for i := range events {
		if !used[i] {
			out = append(out, events[i])
		}
	}
	return out
}

// mentions tells whether each change of the event puts the variable in, or takes it out.
func mentions(e *Event, name string, in bool) bool {
	has := func(n *dashboard.Node) bool {
		if n == nil {
			return false
		}
		found := false
		promql.EachVariable(n.Compact(), func(u promql.Use) { found = found || u.Name == name })
		return found
	}
	for _, ch := range e.Changes {
		if has(ch.After) != in || has(ch.Before) == in {
			return false
		}
	}
	return len(e.Changes) > 0
}

// where counts the panels or alerts and names them.
func where(kind Kind, who []named) string {
	noun := "panel"
	if strings.HasPrefix(string(kind), "alert-") {
		noun = "alert"
	} else if rows := slices.IndexFunc(who, func(w named) bool { p, ok := w.id.(*dashboard.Panel); return !ok || !p.IsRow() }) < 0; rows {
		noun = "row"
		if !slices.ContainsFunc(who, func(w named) bool { return !w.id.(*dashboard.Panel).Tab }) {
			noun = "tab"
		}
	}
	return fmt.Sprintf("%s: %s", plural(len(who), noun), clipNames(namesOf(who)))
}

func namesOf(who []named) []string {
	out := make([]string, len(who))
	for i, w := range who {
		out[i] = w.name
	}
	return out
}

func manyText(k Kind) string {
	switch k {
	case PanelAdded:
		return "added"
	case PanelRemoved:
		return "removed"
	case PanelMoved, PanelResized, PanelsShifted:
		return "rearranged"
	case PanelRetitled:
		return "retitled"
	case Query:
		return "queries changed in"
	case QueryAdded:
		return "queries added in"
	case QueryRemoved:
		return "queries removed in"
	}
	return strings.ReplaceAll(string(k), "-", " ") + " changed in"
}

// joinBy makes one event of those with the same key if there are at least least of them.
func joinBy(events []Event, least int, key func(*Event) string, text func(*Event, []named) string) []Event {
	count := map[string]int{}
	for i := range events {
		if k := key(&events[i]); k != "" {
			count[k]++
		}
	}
	first := map[string]int{}
	var out []Event
	for i := range events {
		e := events[i]
		k := key(&e)
		if k == "" || count[k] < least {
			out = append(out, e)
			continue
		}
		at, ok := first[k]
		if !ok {
			first[k] = len(out)
			out = append(out, e)
			out[len(out)-1].collapse = true
			if len(e.parts) == 0 {
				out[len(out)-1].parts = []string{e.Text}
			}
			continue
		}
		into := &out[at]
		into.Changes = append(slices.Clip(into.Changes), e.Changes...)
		into.Old, into.New = append(slices.Clip(into.Old), e.Old...), append(slices.Clip(into.New), e.New...)
		into.who = append(slices.Clip(into.who), e.who...)
		if len(e.parts) > 0 {
			into.parts = append(slices.Clip(into.parts), e.parts...)
		} else {
			into.parts = append(slices.Clip(into.parts), e.Text)
		}
		if !dashboard.Equal(into.Before, e.Before) || !dashboard.Equal(into.After, e.After) {
			into.Before, into.After = nil, nil
		}
		if into.Kind != e.Kind {
			into.Kind = PanelMoved
		}
		into.what = joinWhat(into.what, e.what)
	}
	for i := range out {
		e := &out[i]
		if !e.collapse {
			continue
		}
		e.collapse = false
		e.who = unique(e.who)
		e.Panels = namesOf(e.who)
		e.Panel = joinNames(e.Panels)
		if s := text(e, e.who); s != "" {
			if len(e.who) > 1 || e.subject == "" {
				e.Text = s
			} else {
				e.Text = e.subject + ": " + e.what
			}
		} else {
			e.Text = e.what
		}
		e.subject = ""
	}
	return out
}

func joinWhat(a, b string) string {
	if a == b || len(a) > 240 {
		return a
	}
	return a + "; " + b
}

func unique(who []named) []named {
	seen := map[any]bool{}
	var out []named
	for _, w := range who {
		if !seen[w.id] {
			seen[w.id] = true
			out = append(out, w)
		}
	}
	return out
}

func joinNames(names []string) string { return strings.Join(names, ", ") }

// clipNames names a few and counts the rest. A title that several have is named once, with how many they are.
func clipNames(names []string) string {
	const shown = 5
	times := map[string]int{}
	var distinct []string
	for _, n := range names {
		if times[n]++; times[n] == 1 {
			distinct = append(distinct, n)
		}
	}
	out, said := make([]string, 0, shown+1), 0
	for i, n := range distinct {
		if i == shown && len(distinct) > shown+1 {
			out = append(out, itoa(len(names)-said)+" more")
			break
		}
		said += times[n]
		text := quote(n)
		if times[n] > 1 {
			text += " (" + itoa(times[n]) + " of that title)"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// cutShift splits "; 3 panels below moved …" off.
func cutShift(what string) (before, shift string, ok bool) {
	i := strings.Index(what, "; ")
	if i < 0 || !strings.Contains(what[i:], " below moved ") {
		return what, "", false
	}
	return what[:i], what[i:], true
}

// insertWith puts a phrase before the shift.
func insertWith(what, phrase string) string {
	before, shift, _ := cutShift(what)
	return before + " " + phrase + shift
}

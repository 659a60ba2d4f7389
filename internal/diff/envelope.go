package diff

import (
	"fmt"
	"strings"

	"lookout/internal/dashboard"
)

// around compares what stands around the dashboard objects: the form of the file, a resource's metadata, the rest of an API answer.
func (c *comparer) around(res *Result) {
	var events []Event
	event := func(kind Kind, text string, o, n *dashboard.Node, changes ...Change) {
		e := Event{Kind: kind, Dashboard: c.new.Name(), File: c.new.File(), Before: o, After: n, what: text, Changes: changes}
		finish(&e)
		events = append(events, e)
	}
	if family(c.old.Form) != family(c.new.Form) {
		event(DashboardSchema, fmt.Sprintf("now saved as %s (was %s)", family(c.new.Form), family(c.old.Form)),
			dashboard.NewString(family(c.old.Form)), dashboard.NewString(family(c.new.Form)))
	}
	if c.old.Form != c.new.Form || (c.old.Envelope == nil) != (c.new.Envelope == nil) {
		c.otherForm(res, event)
	} else if c.old.Envelope != nil {
		c.envelopes(c.old.Envelope, c.new.Envelope, res, event)
	}
	c.notation(res)
	c.lost(res)
	res.Events = append(events, res.Events...)
}

// family is the schema that a form is written in, as a reader knows it.
func family(f dashboard.Form) string {
	if f.IsV2() {
		return "V2"
	}
	return "classic"
}

type emit func(kind Kind, text string, o, n *dashboard.Node, changes ...Change)

// otherForm compares files in different forms: uid and folder are all that both can say.
func (c *comparer) otherForm(res *Result, event emit) {
	if c.old.UID != c.new.UID && (c.old.Envelope.Get("metadata") != nil || c.new.Envelope.Get("metadata") != nil) && !covers(res, DashboardUID) {
		event(DashboardUID, fmt.Sprintf("uid %s → %s", quote(c.old.UID), quote(c.new.UID)), dashboard.NewString(c.old.UID), dashboard.NewString(c.new.UID))
	}
	if c.old.Folder != c.new.Folder && c.old.Folder != "" && c.new.Folder != "" {
		event(DashboardFolder, fmt.Sprintf("folder %s → %s", quote(c.old.Folder), quote(c.new.Folder)), dashboard.NewString(c.old.Folder), dashboard.NewString(c.new.Folder))
	}
	for _, side := range []struct {
		d   *dashboard.Dashboard
		new bool
	}{{c.old, false}, {c.new, true}} {
		for n := range outside(side.d) {
			ch := Change{Path: n.Pointer(), After: n, outside: true}
			if !side.new {
				ch = Change{OldPath: n.Pointer(), Before: n, outside: true}
			}
			res.Ignored = append(res.Ignored, Ignored{Change: ch, File: c.new.File(), Reason: "the file has another form now"})
		}
	}
}

func covers(res *Result, kind Kind) bool {
	for _, e := range res.Events {
		if e.Kind == kind {
			return true
		}
	}
	return false
}

// outside iterates over the leaves of a file that stand outside of its dashboard object.
func outside(d *dashboard.Dashboard) func(func(*dashboard.Node) bool) {
	return func(yield func(*dashboard.Node) bool) {
		if d.Envelope == nil {
			return
		}
		inner := d.Content()
		var walk func(*dashboard.Node) bool
		walk = func(n *dashboard.Node) bool {
			if n == inner {
				return true
			}
			if n.Len() == 0 {
				return yield(n)
			}
			for _, m := range n.Children() {
				if !walk(m) {
					return false
				}
			}
			return true
		}
		walk(d.Envelope)
	}
}

// envelopes compares two resources, or two API answers.
func (c *comparer) envelopes(before, after *dashboard.Node, res *Result, event emit) {
	was := map[string]*dashboard.Node{}
	var order []string
	for n := range outside(c.old) {
		p := n.PointerFrom(before)
		was[p] = n
		order = append(order, p)
	}
	tell := func(path string, o, n *dashboard.Node) {
		ch := Change{Path: path, OldPath: path, Before: o, After: n, outside: true}
		at, d := n, c.new
		if n == nil {
			at, d = o, c.old
		}
		switch {
		case path == "/metadata/name":
			event(DashboardUID, fmt.Sprintf("uid %s → %s", quote(o.Text()), quote(n.Text())), o, n, ch)
		case path == "/metadata/annotations/grafana.app~1folder":
			event(DashboardFolder, fmt.Sprintf("folder %s → %s", orNone(o), orNone(n)), o, n, ch)
		case path == "/apiVersion" && c.old.Form == c.new.Form:
			event(DashboardSchema, fmt.Sprintf("apiVersion %s → %s", quote(o.Text()), quote(n.Text())), o, n, ch)
		default:
			if why := d.EnvelopeNoise(at); why != nil {
				res.Ignored = append(res.Ignored, Ignored{Change: ch, File: c.new.File(), Reason: why.Reason})
				return
			}
			name := strings.ReplaceAll(strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", " "), "~1", "/")
			event(DashboardSetting, fmt.Sprintf("%s %s → %s", name, orNone(o), orNone(n)), o, n, ch)
		}
	}
	seen := map[string]bool{}
	for n := range outside(c.new) {
		p := n.PointerFrom(after)
		seen[p] = true
		if o := was[p]; !dashboard.Equal(o, n) {
			tell(p, o, n)
		}
	}
	for _, p := range order {
		if !seen[p] {
			tell(p, was[p], nil)
		}
	}
}

func orNone(n *dashboard.Node) string {
	if n == nil {
		return "none"
	}
	return clip(n.Compact(), 80)
}

// notation lists changed places of V2 files that the view of them does not hold: kinds, versions of queries, the names of elements in the layout. What they mean
// is told by what the view holds.
func (c *comparer) notation(res *Result) {
	if !c.old.Form.IsV2() || !c.new.Form.IsV2() {
		return
	}
	before, after := c.old.Notation(), c.new.Notation()
	was := map[string]*dashboard.Node{}
	for _, n := range before {
		was[n.Pointer()] = n
	}
	const why = "the notation of the V2 schema; what it means is told elsewhere"
	for _, n := range after {
		p := n.Pointer()
		if o := was[p]; o == nil || !dashboard.Equal(o, n) {
			res.Ignored = append(res.Ignored, Ignored{Change: Change{Path: p, OldPath: p, Before: was[p], After: n, outside: true}, File: c.new.File(), Reason: why})
		}
		delete(was, p)
	}
	for _, n := range before {
		if p := n.Pointer(); was[p] != nil {
			res.Ignored = append(res.Ignored, Ignored{Change: Change{OldPath: p, Before: n, outside: true}, File: c.new.File(), Reason: why})
		}
	}
}

// lost lists changed members that do not count, since one of the same name follows in their object.
func (c *comparer) lost(res *Result) {
	overshadowed := func(d *dashboard.Dashboard) map[string]*dashboard.Node {
		out := map[string]*dashboard.Node{}
		for _, dup := range d.Doc.Duplicates {
			for _, m := range dup.Parent().Children() {
				if m.Key() == dup.Key() && dup.Parent().Get(m.Key()) != m {
					out[m.Pointer()+"@"+itoa(m.Index())] = m
				}
			}
		}
		return out
	}
	before, after := overshadowed(c.old), overshadowed(c.new)
	const why = "a member of the same name follows and counts instead"
	for at, n := range after {
		if o := before[at]; o == nil || !dashboard.Equal(o, n) {
			res.Ignored = append(res.Ignored, Ignored{Change: Change{Path: n.Pointer(), OldPath: n.Pointer(), Before: o, After: n, outside: true}, File: c.new.File(), Reason: why})
		}
	}
	for at, o := range before {
		if after[at] == nil {
			res.Ignored = append(res.Ignored, Ignored{Change: Change{OldPath: o.Pointer(), Before: o, outside: true}, File: c.new.File(), Reason: why})
		}
	}
}

package diff

import (
	"fmt"
	"slices"
	"strings"

	"lookout/internal/dashboard"
)

// Apply makes the smallest change to a dashboard that gives it another version's meaning: only what events tell is taken over, and what was ignored (the
// order of members, ids that were given anew, defaults written out) stays as it is in the old file. keep may refuse an event; nil takes all.
//
// V2 dashboards keep their envelope, the order of their members and what was ignored; a dashboard that became V2 is taken over whole. That a V2 dashboard
// became classic is an error: it would lose what classic can't say.
//
// The outcome is in canonical form. Its diff to the other version has no events, except those refused.
func (d *Differ) Apply(old, new *dashboard.Dashboard, keep func(Event) bool) ([]byte, Result, error) {
	res := d.Dashboards(old, new)
	var changes []Change
	taken := Result{Ignored: res.Ignored}
	for _, e := range res.Events {
		if keep != nil && !keep(e) {
			continue
		}
		taken.Events = append(taken.Events, e)
		changes = append(changes, e.Changes...)
	}
	switch {
	case old.Form.IsV2() && !new.Form.IsV2():
		return nil, taken, fmt.Errorf("%s is saved as V2, and the other version is classic, which can't say all of it; get that as V2, too", old.File())
	case !old.Form.IsV2() && new.Form.IsV2():
		if len(taken.Events) == 0 {
			return old.Canonical(), taken, nil
		}
		return new.Canonical(), taken, nil
	case old.Form.IsV2():
		out, err := d.applyV2(old, new, res, taken)
		return out, taken, err
	}
	root, err := Replay(old.Root, withContainers(changes, res.Ignored))
	if err != nil {
		return nil, taken, err
	}
	// The envelope of an API answer stays.
	if old.Root != old.Doc.Root {
		doc := old.Doc.Root.Clone()
		doc.Set(old.Root.Key(), root)
		root = doc
	}
	made, err := dashboard.Load(old.File(), root.JSON())
	if err != nil {
		return nil, taken, err
	}
	// What came in may hold noise.
	return made.Canonical(), taken, nil
}

// withContainers adds the empty objects that new members among the changes stand in: they mean nothing by themselves and so were ignored.
func withContainers(changes []Change, ignored []Ignored) []Change {
	for _, i := range ignored {
		if i.spot == nil || i.Before != nil {
			continue
		}
		for _, ch := range changes {
			if strings.HasPrefix(ch.OldPath, i.OldPath+"/") {
				changes = append(changes, i.Change)
				break
			}
		}
	}
	return changes
}

// applyV2 takes the new spec, but keeps of the old one the order of members, what was ignored, and what an event that was refused says.
func (d *Differ) applyV2(old, new *dashboard.Dashboard, all, taken Result) ([]byte, error) {
	if len(taken.Events) == 0 {
		return old.Canonical(), nil
	}
	m := sourceMerger{keepOld: map[*dashboard.Node]bool{}, leaveOut: map[*dashboard.Node]bool{}}
	stay := func(ch Change) {
		if ch.outside || ch.Order != nil {
			return
		}
		if n := old.SourceNode(ch.Before); n != nil {
			m.keepOld[n] = true
		}
		if n := new.SourceNode(ch.After); n != nil {
			m.leaveOut[n] = true
		}
	}
	for _, i := range all.Ignored {
		stay(i.Change)
	}
	for _, e := range all.Events {
		if !slices.ContainsFunc(taken.Events, func(t Event) bool { return t.Text == e.Text && t.Kind == e.Kind }) {
			for _, ch := range e.Changes {
				stay(ch)
			}
		}
	}
	root := old.Doc.Root.Clone()
	spec := m.merge(old.Content(), new.Content())
	if at := old.Content().Pointer(); at == "" {
		root = spec
	} else {
		root.Find(at).Replace(spec)
	}
	made, err := dashboard.Load(old.File(), root.JSON())
	if err != nil {
		return nil, err
	}
	return made.Canonical(), nil
}

type sourceMerger struct {
	keepOld, leaveOut map[*dashboard.Node]bool
}

func (m *sourceMerger) merge(o, n *dashboard.Node) *dashboard.Node {
	switch {
	case m.keepOld[o] && m.leaveOut[n]:
		return o.Clone()
	case o.Is(dashboard.Object) && n.Is(dashboard.Object):
		out := dashboard.NewObject()
		for _, om := range o.Children() {
			if o.Get(om.Key()) != om {
				continue
			}
			if nm := n.Get(om.Key()); nm != nil {
				out.Set(om.Key(), m.merge(om, nm))
			} else if m.keepOld[om] {
				out.Set(om.Key(), om.Clone())
			}
		}
		for _, nm := range n.Children() {
			if n.Get(nm.Key()) == nm && !o.Has(nm.Key()) && !m.leaveOut[nm] {
				out.Set(nm.Key(), nm.Clone())
			}
		}
		return out
	case o.Is(dashboard.Array) && n.Is(dashboard.Array):
		out := dashboard.NewArray()
		was := map[string]*dashboard.Node{}
		for i, item := range o.Items() {
			was[itemName(item, i)] = item
		}
		for i, item := range n.Items() {
			if before := was[itemName(item, i)]; before != nil {
				out.Append(m.merge(before, item))
			} else {
				out.Append(item.Clone())
			}
		}
		return out
	case dashboard.Equal(o, n):
		return o.Clone()
	}
	return n.Clone()
}

// itemName is what an item of a V2 list is recognised by: a variable's name, a query's refId, the element that an item of the layout shows, the title of a row
// or tab; else its place.
func itemName(n *dashboard.Node, i int) string {
	spec := n.Get("spec")
	for _, at := range [][]string{{"name"}, {"refId"}, {"element", "name"}, {"title"}} {
		if s := spec.Path(at...).Text(); s != "" {
			return strings.Join(at, ".") + "=" + s
		}
	}
	return itoa(i)
}

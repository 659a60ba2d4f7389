package diff

import (
	"strings"

	"lookout/internal/dashboard"
)

// Apply makes the smallest change to a dashboard that gives it another version's meaning: only what events tell is taken over, and what was ignored (the
// order of members, ids that were given anew, defaults written out) stays as it is in the old file. keep may refuse an event; nil takes all.
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

package diff

import (
	"fmt"
	"slices"
	"strings"

	"lookout/internal/dashboard"
)

// Conflict is a place that both sides changed, each in its way. Ours was kept.
type Conflict struct {
	Path         string
	Ours, Theirs *dashboard.Node
	Text         string
}

// Merge brings what changed from base to theirs over to ours, which was made from base too. Panels and other items are recognised on both sides, so a local
// edit stays with its panel wherever the others put it. It returns the merged dashboard in canonical form, what theirs changed, and where both sides
// changed the same.
func (d *Differ) Merge(base, ours, theirs *dashboard.Dashboard) ([]byte, Result, []Conflict, error) {
	// Comparing may look at nodes only, so that base can serve twice.
	mine := d.Dashboards(base, ours)
	news := d.Dashboards(base, theirs)
	var others []Change
	for _, e := range news.Events {
		others = append(others, e.Changes...)
	}
	others = withContainers(others, news.Ignored)
	m := merger{base: base.Root, byPath: map[string]int{}}
	for _, ch := range mine.Changes() {
		m.take(ch)
	}
	m.removed = removedItems(m.out)
	removedByThem := removedItems(others)
	for _, ch := range others {
		m.bring(prefixed(ch))
	}
	// What they removed and we changed stays.
	for _, path := range removedByThem {
		if slices.Contains(m.removed, path) {
			continue
		}
		for _, ch := range mine.Changes() {
			if ch.OldPath == path && ch.After == nil {
				continue
			}
			if strings.HasPrefix(ch.OldPath, path+"/") && !onlyPlace(ch, path) {
				m.kept = append(m.kept, path)
				m.conflict(path, base.Root.Find(path), nil, "they removed what was changed here; kept")
				break
			}
		}
	}
	for i := range m.orders {
		m.mergeOrder(&m.orders[i])
	}
	for i := range m.out {
		// An array that only they arranged anew.
		for _, path := range m.kept {
			if o := &m.out[i]; o.Order != nil && path[:strings.LastIndexByte(path, '/')] == o.OldPath && !slices.Contains(o.Order, path) {
				o.Order = append(slices.Clone(o.Order), path)
			}
		}
	}
	root, err := Replay(base.Root, m.out)
	if err != nil {
		return nil, news, nil, fmt.Errorf("merge: %w", err)
	}
	made, err := dashboard.Load(ours.File(), root.JSON())
	if err != nil {
		return nil, news, nil, fmt.Errorf("merge: %w", err)
	}
	return made.Canonical(), news, m.conflicts, nil
}

// onlyPlace tells a change of a panel's place, which is no edit to be saved.
func onlyPlace(ch Change, item string) bool {
	return strings.HasPrefix(ch.OldPath, item+"/gridPos") || ch.OldPath == item+"/id"
}

// removedItems are the places of items of arrays that went.
func removedItems(changes []Change) []string {
	var out []string
	for _, ch := range changes {
		if ch.Before != nil && ch.After == nil && ch.Path == "" {
			out = append(out, ch.OldPath)
		}
	}
	return out
}

// theirs marks pointers into the other side's file, where both sides' new items meet.
const theirs = "theirs:"

func prefixed(ch Change) Change {
	if ch.Path != "" {
		ch.Path = theirs + ch.Path
	}
	return ch
}

type merger struct {
	base *dashboard.Node
	out  []Change
	// byPath are our changes by their place, as indices of out.
	byPath    map[string]int
	removed   []string
	kept      []string
	orders    []mergedOrder
	conflicts []Conflict
}

// mergedOrder is an array that both sides arranged anew.
type mergedOrder struct {
	at     int // in out
	theirs Change
}

func (m *merger) conflict(path string, ours, theirs *dashboard.Node, text string) {
	m.conflicts = append(m.conflicts, Conflict{path, ours, theirs, text})
}

func (m *merger) take(ch Change) {
	if ch.OldPath != "" && ch.Path != "" {
		m.byPath[ch.OldPath] = len(m.out)
	}
	m.out = append(m.out, ch)
}

// bring adds one of their changes if it does not contradict ours.
func (m *merger) bring(ch Change) {
	if ch.OldPath == "" || ch.Path == "" {
		m.out = append(m.out, ch) // an item that came or went: its array's order decides
		return
	}
	for _, gone := range m.removed {
		if strings.HasPrefix(ch.OldPath, gone+"/") {
			if ch.spot != nil {
				return
			}
			m.conflict(ch.OldPath, nil, ch.After, "they changed what was removed here; it stays away")
			return
		}
	}
	if at, ok := m.byPath[ch.OldPath]; ok {
		mine := m.out[at]
		switch {
		case ch.Order != nil && mine.Order != nil:
			m.orders = append(m.orders, mergedOrder{at, ch})
		case ch.Order == nil && mine.Order == nil && dashboard.Equal(ch.After, mine.After):
		default:
			m.conflict(ch.OldPath, mine.After, ch.After, "changed on both sides; the local value was kept")
		}
		return
	}
	for path, at := range m.byPath {
		if ch.spot != nil || m.out[at].spot != nil {
			continue // empty objects contradict nothing
		}
		inside, outside := strings.HasPrefix(ch.OldPath, path+"/"), strings.HasPrefix(path, ch.OldPath+"/")
		if inside && m.out[m.byPath[path]].Order == nil || outside && ch.Order == nil {
			m.conflict(ch.OldPath, m.out[m.byPath[path]].After, ch.After, "changed on both sides; the local value was kept")
			return
		}
	}
	m.out = append(m.out, ch)
}

// mergeOrder puts their new items behind the item they follow on their side, and takes away what they removed.
func (m *merger) mergeOrder(o *mergedOrder) {
	mine := &m.out[o.at]
	items := func(ch Change) []string {
		out := make([]string, len(ch.Order))
		for i, from := range ch.Order {
			out[i] = from
			if from == "" {
				out[i] = itemMark + ch.Path + "/" + itoa(i)
			}
		}
		return out
	}
	ours, others := items(*mine), items(o.theirs)
	var merged []string
	for _, item := range ours {
		isOld := !strings.HasPrefix(item, itemMark)
		inArray := isOld && strings.HasPrefix(item, mine.OldPath+"/")
		if inArray && !slices.Contains(others, item) && !slices.Contains(m.kept, item) {
			continue
		}
		merged = append(merged, item)
	}
	for i, item := range others {
		if slices.Contains(merged, item) || !strings.HasPrefix(item, itemMark) && slices.Contains(m.removed, item) {
			continue
		}
		at := 0
		for j := i - 1; j >= 0; j-- {
			if k := slices.Index(merged, others[j]); k >= 0 {
				at = k + 1
				break
			}
		}
		merged = slices.Insert(merged, at, item)
	}
	mine.Order = merged
}

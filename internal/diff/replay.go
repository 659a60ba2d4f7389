package diff

import (
	"fmt"
	"strconv"
	"strings"

	"lookout/internal/dashboard"
)

// Replay makes the new version out of the old one and the changes. With all [Result.Changes] the outcome equals the new file (the order of members
// aside); with some of them it is the old file with just those applied.
func Replay(old *dashboard.Node, changes []Change) (*dashboard.Node, error) {
	r := replayer{root: old, at: map[string]*Change{}, items: map[string]*Change{}, added: map[string][]*Change{}}
	for i := range changes {
		ch := &changes[i]
		switch {
		case ch.outside:
		case ch.Before == nil && ch.After == nil && ch.Order == nil:
			return nil, fmt.Errorf("replay: the change at %q says nothing", ch.Path)
		case ch.OldPath == "" && ch.Path == "":
			return ch.After.Clone(), nil // the whole file is new
		case ch.OldPath == "":
			r.items[ch.Path] = ch
		case ch.Path == "":
			// An item that went; the order of its array leaves it out.
		case r.at[ch.OldPath] != nil:
			return nil, fmt.Errorf("replay: two changes at %q", ch.OldPath)
		default:
			r.at[ch.OldPath] = ch
			if ch.Before == nil && (ch.Order == nil || old.Find(ch.OldPath) == nil) {
				parent := ch.OldPath[:strings.LastIndexByte(ch.OldPath, '/')]
				r.added[parent] = append(r.added[parent], ch)
			}
		}
	}
	return r.build(old, ""), nil
}

type replayer struct {
	root *dashboard.Node
	// at are changes by their place in the old file, items new items of arrays by their place in the new one.
	at, items map[string]*Change
	// added are new members by the place of their object in the old file.
	added map[string][]*Change
}

// build makes what o, which stands at path in the old file, became; nil if it is gone.
func (r *replayer) build(o *dashboard.Node, path string) *dashboard.Node {
	if ch := r.at[path]; ch != nil {
		switch {
		case ch.Order != nil:
			return r.arrange(ch)
		case ch.After == nil:
			return nil
		}
		return ch.After.Clone()
	}
	switch o.Kind() {
	case dashboard.Array:
		out := dashboard.NewArray()
		for i, item := range o.Items() {
			if made := r.build(item, path+"/"+strconv.Itoa(i)); made != nil {
				out.Append(made)
			}
		}
		return out
	case dashboard.Object:
		out := dashboard.NewObject()
		for _, m := range o.Children() {
			if o.Get(m.Key()) != m {
				continue
			}
			if made := r.build(m, path+"/"+escape(m.Key())); made != nil {
				out.Set(m.Key(), made)
			}
		}
		r.grow(out, path)
		return out
	}
	return o.Clone()
}

// grow adds the new members of the object that stood, or would have stood, at path in the old file.
func (r *replayer) grow(out *dashboard.Node, path string) {
	for _, ch := range r.added[path] {
		var made *dashboard.Node
		if ch.Order != nil {
			made = r.arrange(ch)
		} else {
			made = ch.After.Clone()
			if made.Is(dashboard.Object) {
				r.grow(made, ch.OldPath)
			}
		}
		spot := ch.After
		if ch.spot != nil {
			spot = ch.spot
		}
		r.insert(out, unescape(ch.OldPath[strings.LastIndexByte(ch.OldPath, '/')+1:]), made, spot)
	}
}

// itemMark begins an entry of an order that names a new item by its place in the new file, where others name an old item by its place in the old file. Merged
// orders hold new items of both sides.
const itemMark = "new item "

func (r *replayer) arrange(ch *Change) *dashboard.Node {
	out := dashboard.NewArray()
	for i, from := range ch.Order {
		if from == "" {
			from = itemMark + ch.Path + "/" + strconv.Itoa(i)
		}
		if key, new := strings.CutPrefix(from, itemMark); new {
			if item := r.items[key]; item != nil {
				out.Append(item.After.Clone())
			}
			continue
		}
		if made := r.build(r.root.Find(from), from); made != nil {
			out.Append(made)
		}
	}
	return out
}

// insert puts a new member behind the one it follows in the new file, so that it changes as few lines as possible.
func (r *replayer) insert(out *dashboard.Node, key string, made, after *dashboard.Node) {
	siblings := after.Parent()
	if siblings == nil || out.Has(key) {
		out.Set(key, made)
		return
	}
	for i := after.Index() - 1; i >= 0; i-- {
		if before := out.Get(siblings.At(i).Key()); before != nil {
			out.Insert(before.Index()+1, key, made)
			return
		}
	}
	for i := after.Index() + 1; i < siblings.Len(); i++ {
		if behind := out.Get(siblings.At(i).Key()); behind != nil {
			out.Insert(behind.Index(), key, made)
			return
		}
	}
	out.Set(key, made)
}

func unescape(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~1", "/"), "~0", "~")
}

package diff

import (
	"math/rand/v2"
	"testing"

	"lookout/internal/dashboard"
)

// Edits of two sides in different panels both arrive; what only one side did arrives exactly.
func TestMergeBringsBothSides(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 21))
		base := generate(r, 6+r.IntN(20))
		ours, theirs := clone(base).(object), clone(base).(object)
		used := map[string]bool{}
		for range 1 + r.IntN(3) {
			mutations[r.IntN(len(mutations))].apply(r, ours, used)
		}
		// Both know the same marks, so that they do not touch the same panel.
		for range 1 + r.IntN(3) {
			mutations[r.IntN(len(mutations))].apply(r, theirs, used)
		}
		b, o, n := load(t, base), load(t, ours), load(t, theirs)
		out, _, conflicts, err := New().Merge(b, o, n)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		merged, err := dashboard.Load("merged", out)
		if err != nil {
			t.Fatal(err)
		}
		if len(conflicts) > 0 {
			continue // two variables in one list, say: tested below
		}
		want := New().Dashboards(b, o).Events
		want = append(want, New().Dashboards(b, n).Events...)
		// The same edit on both sides becomes one event, so panels are looked at one by one.
		type seen struct {
			kind  Kind
			panel string
		}
		got := map[seen]bool{}
		each := func(e Event, f func(seen)) {
			for _, p := range append(e.Panels, "") {
				f(seen{e.Kind, p})
			}
		}
		for _, e := range New().Dashboards(b, merged).Events {
			each(e, func(s seen) { got[s] = true })
		}
		for _, e := range want {
			each(e, func(s seen) {
				if !got[s] {
					t.Fatalf("seed %d: lost: %s\ngot %s", seed, e.Text, texts(New().Dashboards(b, merged)))
				}
			})
		}
	}
}

func TestMergeWithOneSideUnchanged(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 22))
		base := generate(r, 3+r.IntN(20))
		edited := clone(base).(object)
		used := map[string]bool{}
		for range r.IntN(6) {
			mutations[r.IntN(len(mutations))].apply(r, edited, used)
		}
		b, e := load(t, base), load(t, edited)
		for name, sides := range map[string][2]*dashboard.Dashboard{"ours": {e, b}, "theirs": {b, e}} {
			out, _, conflicts, err := New().Merge(b, sides[0], sides[1])
			if err != nil || len(conflicts) > 0 {
				t.Fatalf("seed %d, only %s changed: %v, %d conflicts", seed, name, err, len(conflicts))
			}
			merged, err := dashboard.Load("merged", out)
			if err != nil {
				t.Fatal(err)
			}
			if res := New().Dashboards(merged, e); len(res.Events) > 0 {
				t.Fatalf("seed %d, only %s changed: the outcome is something else: %s", seed, name, texts(res))
			}
		}
	}
}

// What both changed stays as it is here, and is told; so does what one changed and the other removed.
func TestMergeTellsConflicts(t *testing.T) {
	base := board(box("a", 0, 0, 12, 8), box("b", 12, 0, 12, 8), box("c", 0, 8, 12, 8))
	unit := func(d object, i int, u string) object {
		d = clone(d).(object)
		d["panels"].([]any)[i].(object)["fieldConfig"] = object{"defaults": object{"unit": u}}
		return d
	}
	without := func(d object, i int) object {
		d = clone(d).(object)
		list := d["panels"].([]any)
		d["panels"] = append(append([]any{}, list[:i]...), list[i+1:]...)
		return d
	}
	for name, k := range map[string]struct {
		ours, theirs object
		conflicts    int
		want         object
	}{
		"the same place":       {unit(base, 0, "s"), unit(base, 0, "ms"), 1, unit(base, 0, "s")},
		"the same value":       {unit(base, 0, "s"), unit(base, 0, "s"), 0, unit(base, 0, "s")},
		"different panels":     {unit(base, 0, "s"), unit(base, 1, "ms"), 0, unit(unit(base, 0, "s"), 1, "ms")},
		"they removed ours":    {unit(base, 1, "s"), without(base, 1), 1, unit(base, 1, "s")},
		"we removed theirs":    {without(base, 1), unit(base, 1, "ms"), 1, without(base, 1)},
		"both removed":         {without(base, 1), without(base, 1), 0, without(base, 1)},
		"each removed another": {without(base, 0), without(base, 2), 0, without(without(base, 2), 0)},
	} {
		t.Run(name, func(t *testing.T) {
			out, _, conflicts, err := New().Merge(load(t, base), load(t, k.ours), load(t, k.theirs))
			if err != nil {
				t.Fatal(err)
			}
			if len(conflicts) != k.conflicts {
				t.Errorf("conflicts: %+v, want %d", conflicts, k.conflicts)
			}
			merged, err := dashboard.Load("merged", out)
			if err != nil {
				t.Fatal(err)
			}
			if res := New().Dashboards(load(t, k.want), merged); len(res.Events) > 0 {
				t.Errorf("got something else: %s", texts(res))
			}
		})
	}
}

package diff

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"lookout/internal/dashboard"
)

// box is a panel at a place; of type row if its title begins with "row".
func box(title string, x, y, w, h int) object {
	p := object{"type": "stat", "title": title, "gridPos": object{"x": x, "y": y, "w": w, "h": h}, "targets": []any{object{"refId": "A", "expr": "metric_" + strings.ReplaceAll(title, " ", "_")}}}
	if strings.HasPrefix(title, "row") {
		p["type"], p["collapsed"], p["panels"] = "row", false, []any{}
		delete(p, "targets")
	}
	return p
}

func board(panels ...object) object {
	list := make([]any, len(panels))
	for i, p := range panels {
		list[i] = p
	}
	return object{"title": "T", "uid": "t", "panels": list}
}

func with(p object, kv ...any) object {
	p = clone(p).(object)
	for i := 0; i < len(kv); i += 2 {
		p[kv[i].(string)] = kv[i+1]
	}
	return p
}

// Moves are told by their cause: what one insertion shifts is part of it.
func TestMovesAreToldByTheirCause(t *testing.T) {
	a, b, c, d := box("a", 0, 0, 12, 8), box("b", 12, 0, 12, 8), box("c", 0, 8, 12, 8), box("d", 12, 8, 12, 8)
	row := box("row R", 0, 8, 24, 1)
	at := func(p object, x, y int) object {
		g := maps.Clone(p["gridPos"].(object))
		g["x"], g["y"] = x, y
		return with(p, "gridPos", g)
	}
	size := func(p object, w, h int) object {
		g := maps.Clone(p["gridPos"].(object))
		g["w"], g["h"] = w, h
		return with(p, "gridPos", g)
	}
	for name, k := range map[string]struct {
		before, after object
		want          []string
	}{
		"nothing":                   {board(a, b, c, d), board(a, b, c, d), nil},
		"another order in the file": {board(a, b, c, d), board(d, b, a, c), nil},
		"one put in on top": {board(a, b, c, d), board(box("n", 0, 0, 24, 5), at(a, 0, 5), at(b, 12, 5), at(c, 0, 13), at(d, 12, 13)),
			[]string{`panel "n": added: stat with 1 query; 4 panels below moved down by 5`}},
		"one put in between": {board(a, b, c, d), board(a, b, box("n", 0, 8, 24, 3), at(c, 0, 11), at(d, 12, 11)),
			[]string{`panel "n": added: stat with 1 query; 2 panels below moved down by 3`}},
		"two beside each other": {board(a, b, c), board(box("m", 0, 0, 12, 4), box("n", 12, 0, 12, 4), at(a, 0, 4), at(b, 12, 4), at(c, 0, 12)),
			[]string{`panel "m": added: stat with 1 query; 3 panels below moved down by 4`, `panel "n": added: stat with 1 query`}},
		"one taken out": {board(box("n", 0, 0, 24, 5), at(a, 0, 5), at(b, 12, 5)), board(a, b),
			[]string{`panel "n": removed: stat with 1 query; 2 panels below moved up by 5`}},
		"one made taller": {board(a, c, d), board(size(a, 12, 10), at(c, 0, 10), at(d, 12, 10)),
			[]string{`panel "a": resized 12×8 → 12×10; 2 panels below moved down by 2`}},
		"one moved alone":           {board(a, c), board(a, at(c, 12, 8)), []string{`panel "c": moved 0,8 → 12,8`}},
		"a gap":                     {board(a, b, c, d), board(a, b, at(c, 0, 10), at(d, 12, 10)), []string{`2 panels moved down by 2: "c", "d"`}},
		"two swapped":               {board(a, b), board(at(a, 12, 0), at(b, 0, 0)), []string{`panel "b": moved 12,0 → 0,0`, `panel "a": moved 0,0 → 12,0`}},
		"a row with two panels":     {board(a, b), board(a, b, row, at(c, 0, 9), at(d, 12, 9)), []string{`row "row R": added with 2 panels: "c", "d"`}},
		"a collapsed row":           {board(a, b), board(a, b, with(row, "collapsed", true, "panels", []any{at(c, 0, 9), at(d, 12, 9)})), []string{`row "row R": added with 2 panels: "c", "d"`}},
		"a collapsed row that went": {board(a, b, with(row, "collapsed", true, "panels", []any{at(c, 0, 9), at(d, 12, 9)})), board(a, b), []string{`row "row R": removed with 2 panels: "c", "d"`}},
		"a row above what is there": {board(a, b, c, d), board(a, b, row, at(c, 0, 9), at(d, 12, 9)), []string{`row "row R": added; 2 panels below moved down by 1`}},
		"a row without its panels": {board(row, at(c, 0, 9), at(d, 12, 9)), board(at(c, 0, 8), at(d, 12, 8)),
			[]string{`row "row R": removed; 2 panels below moved up by 1`}},
		"a row collapsed": {board(row, at(c, 0, 9), at(d, 12, 9)), board(with(row, "collapsed", true, "panels", []any{at(c, 0, 9), at(d, 12, 9)})),
			[]string{`row "row R": collapsed`}},
		"a row collapsed, others come up": {board(row, at(c, 0, 9), box("row S", 0, 17, 24, 1), at(d, 0, 18)),
			board(with(row, "collapsed", true, "panels", []any{at(c, 0, 9)}), box("row S", 0, 9, 24, 1), at(d, 0, 10)),
			[]string{`row "row R": collapsed; 2 panels below moved up by 8`}},
		"an edit inside a row that is collapsed": {board(row, at(c, 0, 9)), board(with(row, "collapsed", true, "panels", []any{with(at(c, 0, 9), "description", "x")})),
			[]string{`row "row R": collapsed`, `panel "c": description added: "x"`}},
	} {
		t.Run(name, func(t *testing.T) {
			o, n := load(t, k.before), load(t, k.after)
			res := New().Dashboards(o, n)
			var got []string
			for _, e := range res.Events {
				got = append(got, e.Text)
			}
			if !slices.Equal(got, k.want) {
				t.Errorf("told\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(k.want, "\n  "))
			}
			made, err := Replay(o.Root, res.Changes())
			if err != nil || !dashboard.Equal(made, n.Root) {
				t.Errorf("replay makes something else: %v\n%s", err, made.JSON())
			}
		})
	}
}

// Panels are recognised though ids lie.
func TestPanelsAreRecognised(t *testing.T) {
	id := func(p object, id int) object { return with(p, "id", id) }
	a, b := box("Requests", 0, 0, 12, 8), box("Errors", 12, 0, 12, 8)
	query := func(p object, e string) object { return with(p, "targets", []any{object{"refId": "A", "expr": e}}) }
	for name, k := range map[string]struct {
		before, after object
		want          []string
	}{
		"ids exchanged":       {board(id(a, 1), id(b, 2)), board(id(a, 2), id(b, 1)), nil},
		"ids gone":            {board(id(a, 1), id(b, 2)), board(a, b), nil},
		"the id reused":       {board(id(a, 1)), board(id(box("Disk", 0, 0, 12, 8), 1)), []string{`panel "Disk": added: stat with 1 query`, `panel "Requests": removed: stat with 1 query`}},
		"renamed":             {board(id(a, 1), id(b, 2)), board(id(with(a, "title", "Traffic"), 1), id(b, 2)), []string{`panel "Traffic": retitled Requests → Traffic`}},
		"renamed, another id": {board(id(a, 1), id(b, 2)), board(id(with(a, "title", "Traffic"), 9), id(b, 2)), []string{`panel "Traffic": retitled Requests → Traffic`}},
		"twins, one edited": {board(id(a, 1), id(with(a, "gridPos", object{"x": 12, "y": 0, "w": 12, "h": 8}), 2)),
			board(id(a, 1), id(with(a, "gridPos", object{"x": 12, "y": 0, "w": 12, "h": 8}, "description", "x"), 2)),
			[]string{`panel "Requests" at 12,0: description added: "x"`}},
		"another query": {board(a, b), board(query(a, "sum(metric_Requests)"), b), []string{`panel "Requests": wrapped in sum`}},
	} {
		t.Run(name, func(t *testing.T) {
			res := New().Dashboards(load(t, k.before), load(t, k.after))
			var got []string
			for _, e := range res.Events {
				got = append(got, e.Text)
			}
			slices.Sort(got)
			if !slices.Equal(got, k.want) {
				t.Errorf("told\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(k.want, "\n  "))
			}
		})
	}
}

// A bulk edit is one event, and so are edits of one kind in many panels.
func TestBulkEditsAreOneEvent(t *testing.T) {
	var before, after []object
	for i := range 20 {
		p := box(fmt.Sprintf("p%d", i), 0, 8*i, 12, 8)
		p["fieldConfig"] = object{"defaults": object{"unit": "bytes"}}
		p["targets"] = []any{object{"refId": "A", "expr": fmt.Sprintf("rate(m%d[5m])", i)}}
		before = append(before, p)
		q := with(p, "description", fmt.Sprintf("What p%d is", i))
		q["fieldConfig"] = object{"defaults": object{"unit": "decbytes"}}
		q["targets"] = []any{object{"refId": "A", "expr": fmt.Sprintf("rate(m%d[1m])", i)}}
		after = append(after, q)
	}
	res := New().Dashboards(load(t, board(before...)), load(t, board(after...)))
	kinds := map[Kind]int{}
	for _, e := range res.Events {
		kinds[e.Kind]++
		if len(e.Panels) != 20 {
			t.Errorf("%s is told of %d panels", e.Kind, len(e.Panels))
		}
	}
	if want := map[Kind]int{Unit: 1, Query: 1, Description: 1}; !maps.Equal(kinds, want) {
		t.Errorf("told %v: %s", kinds, texts(res))
	}
}

// Old rows that are rewritten as panels are no change of what they hold.
func TestOldRowsBecomePanels(t *testing.T) {
	old := object{"title": "T", "schemaVersion": 14, "rows": []any{object{"title": "R", "panels": []any{
		object{"type": "graph", "title": "A", "span": 12, "targets": []any{object{"refId": "A", "expr": "up"}}},
	}}}}
	new := object{"title": "T", "schemaVersion": 39, "panels": []any{
		object{"type": "graph", "title": "A", "gridPos": object{"x": 0, "y": 0, "w": 24, "h": 8}, "targets": []any{object{"refId": "A", "expr": "up == 1"}}},
	}}
	o, n := load(t, old), load(t, new)
	res := New().Dashboards(o, n)
	if !slices.ContainsFunc(res.Events, func(e Event) bool { return e.Text == `panel "A": == 1 added` }) {
		t.Error(texts(res))
	}
	made, err := Replay(o.Root, res.Changes())
	if err != nil || !dashboard.Equal(made, n.Root) {
		t.Errorf("replay makes something else: %v", err)
	}
}

func FuzzReplay(f *testing.F) {
	for _, s := range []object{board(box("a", 0, 0, 1, 1)), board(), {"title": "x", "rows": []any{object{"panels": []any{object{}, nil, 1}}}, "panels": []any{[]any{}, nil, object{"panels": []any{nil}}}}} {
		data, _ := json.Marshal(s)
		f.Add(data, []byte(`{"title":"x","panels":[{"type":"row","panels":[{"title":"a"}]},null]}`))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		o, err := dashboard.Load("a", a)
		if err != nil {
			return
		}
		n, err := dashboard.Load("b", b)
		if err != nil {
			return
		}
		res := New().Dashboards(o, n)
		made, err := Replay(o.Root, res.Changes())
		if err != nil {
			t.Fatal(err)
		}
		if !dashboard.Equal(made, n.Root) {
			t.Fatalf("replay makes\n%s\nwant\n%s", made.JSON(), n.Root.JSON())
		}
	})
}

// A variable and the matchers that use it are one edit; a query that changed otherwise as well is another.
func TestVariableIsToldWithItsUses(t *testing.T) {
	query := func(title, expr string, y int) object {
		p := box(title, 0, y, 12, 8)
		p["targets"] = []any{object{"refId": "A", "expr": expr}}
		return p
	}
	before := board(query("one", "a", 0), query("two", "sum(b)", 8), query("three", "c", 16))
	after := board(query("one", `a{instance="$instance"}`, 0), query("two", `sum(b{instance="$instance"})`, 8), query("three", "d", 16))
	after["templating"] = object{"list": []any{object{"name": "instance", "type": "query", "query": "label_values(up, instance)"}}}
	for _, way := range []struct {
		name     string
		from, to object
		kind     Kind
	}{{"added", before, after, VariableAdded}, {"removed", after, before, VariableRemoved}} {
		res := New().Dashboards(load(t, way.from), load(t, way.to))
		if len(res.Events) != 2 {
			t.Fatalf("%s: told %s", way.name, texts(res))
		}
		for _, e := range res.Events {
			switch e.Kind {
			case way.kind:
				if !slices.Equal(e.Panels, []string{"one", "two"}) || !strings.Contains(e.Text, `matcher instance="${instance}" `+way.name) {
					t.Errorf("%s: %q about %q", way.name, e.Text, e.Panels)
				}
			case Query:
				if e.Panel != "three" {
					t.Errorf("%s: %q", way.name, e.Text)
				}
			default:
				t.Errorf("%s: told %s", way.name, e.Text)
			}
		}
	}
}

func TestSeveralRemovedPanelsAreOneEvent(t *testing.T) {
	before := board(box("a", 0, 0, 12, 8), box("b", 12, 0, 12, 8), box("c", 0, 8, 12, 8), box("d", 12, 8, 12, 8))
	after := board(box("d", 12, 8, 12, 8))
	res := New().Dashboards(load(t, before), load(t, after))
	if len(res.Events) != 1 || res.Events[0].Kind != PanelRemoved || res.Events[0].Text != `removed 3 panels: "a", "b", "c"` {
		t.Errorf("told %s", texts(res))
	}
}

package diff

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"lookout/internal/dashboard"
)

// mutation changes a dashboard in one known way and says how that is to be told; ok is false if the dashboard has nothing to change so.
type mutation struct {
	name  string
	apply func(r *rand.Rand, d object, used map[string]bool) (want told, ok bool)
}

// panelsOf are the panels that are no rows.
func panelsOf(d object) []object {
	var out []object
	for _, p := range d["panels"].([]any) {
		if p := p.(object); p["type"] != "row" {
			out = append(out, p)
		}
	}
	return out
}

// anyPanel picks a panel that no mutation has touched yet, so that what is expected stays simple.
func anyPanel(r *rand.Rand, d object, used map[string]bool) object {
	ps := panelsOf(d)
	for range 50 {
		p := ps[r.IntN(len(ps))]
		key := fmt.Sprint(p["id"])
		if !used[key] && p["fresh"] == nil {
			used[key] = true
			return p
		}
	}
	return nil
}

func onPanel(name string, f func(r *rand.Rand, p object) told) mutation {
	return mutation{name, func(r *rand.Rand, d object, used map[string]bool) (told, bool) {
		p := anyPanel(r, d, used)
		if p == nil {
			return told{}, false
		}
		w := f(r, p)
		if w.Panel == "" {
			w.Panel = p["title"].(string)
		}
		return w, w.Kind != ""
	}}
}

// place is a mutation of a panel's place; with a panel that came or went in the same edit its place before would be another one.
func place(name string, f func(r *rand.Rand, p object) told) mutation {
	m := onPanel(name, f)
	return mutation{name, func(r *rand.Rand, d object, used map[string]bool) (told, bool) {
		if used["layout"] {
			return told{}, false
		}
		used["layout"] = true
		return m.apply(r, d, used)
	}}
}

func defaultsOfPanel(p object) object {
	return p["fieldConfig"].(object)["defaults"].(object)
}

func anyTarget(r *rand.Rand, p object) object {
	ts := p["targets"].([]any)
	return ts[r.IntN(len(ts))].(object)
}

func rewrite(kind Kind, m object, key string, value any) told {
	w := told{Kind: kind, Before: compact(m[key]), After: compact(value)}
	m[key] = value
	return w
}

func query(old, replacement string) func(r *rand.Rand, p object) told {
	return func(r *rand.Rand, p object) told {
		t := anyTarget(r, p)
		e := t["expr"].(string)
		if !strings.Contains(e, old) {
			return told{}
		}
		return rewrite(Query, t, "expr", strings.Replace(e, old, replacement, 1))
	}
}

var mutations = []mutation{
	onPanel("title", func(r *rand.Rand, p object) told {
		n := fmt.Sprintf("Renamed %d", r.IntN(1e6))
		w := rewrite(PanelRetitled, p, "title", n)
		w.Panel = n
		return w
	}),
	onPanel("unit", func(_ *rand.Rand, p object) told { return rewrite(Unit, defaultsOfPanel(p), "unit", "decbytes") }),
	onPanel("unit removed", func(_ *rand.Rand, p object) told {
		w := told{Kind: Unit, Before: compact(defaultsOfPanel(p)["unit"])}
		delete(defaultsOfPanel(p), "unit")
		return w
	}),
	onPanel("threshold", func(r *rand.Rand, p object) told {
		step := defaultsOfPanel(p)["thresholds"].(object)["steps"].([]any)[1].(object)
		return rewrite(Threshold, step, "value", 200+r.IntN(1000))
	}),
	onPanel("threshold added", func(r *rand.Rand, p object) told {
		th := defaultsOfPanel(p)["thresholds"].(object)
		step := object{"color": "orange", "value": 300 + r.IntN(99)}
		th["steps"] = append(th["steps"].([]any), step)
		return told{Kind: Threshold, After: compact(step)}
	}),
	onPanel("legend", func(r *rand.Rand, p object) told {
		return rewrite(Legend, anyTarget(r, p), "legendFormat", fmt.Sprintf("of {{job}} %d", r.IntN(1e6)))
	}),
	onPanel("description", func(r *rand.Rand, p object) told {
		return rewrite(Description, p, "description", fmt.Sprintf("Another %d", r.IntN(1e6)))
	}),
	onPanel("type", func(_ *rand.Rand, p object) told {
		return rewrite(PanelType, p, "type", "histogram")
	}),
	onPanel("window", query("[5m]", "[1m]")),
	onPanel("matcher", query(`job="$job"`, `job="$job", env="prod"`)),
	onPanel("aggregation", query("sum", "max")),
	onPanel("function", query("rate(", "irate(")),
	onPanel("whole query", func(r *rand.Rand, p object) told {
		return rewrite(Query, anyTarget(r, p), "expr", fmt.Sprintf("up{n=\"%d\"}", r.IntN(1e6)))
	}),
	onPanel("query added", func(r *rand.Rand, p object) told {
		e := fmt.Sprintf("absent(up{n=\"%d\"})", r.IntN(1e6))
		p["targets"] = append(p["targets"].([]any), object{"refId": "Z", "expr": e})
		return told{Kind: QueryAdded, After: compact(e)}
	}),
	onPanel("query removed", func(r *rand.Rand, p object) told {
		ts := p["targets"].([]any)
		if len(ts) < 2 {
			return told{}
		}
		i := r.IntN(len(ts))
		gone := ts[i].(object)
		p["targets"] = slices.Delete(ts, i, i+1)
		return told{Kind: QueryRemoved, Before: compact(gone["expr"])}
	}),
	onPanel("hidden query", func(r *rand.Rand, p object) told { return rewrite(QueryOption, anyTarget(r, p), "hide", true) }),
	onPanel("datasource", func(r *rand.Rand, p object) told {
		return rewrite(Datasource, p, "datasource", object{"type": "prometheus", "uid": fmt.Sprintf("other%d", r.IntN(1e6))})
	}),
	onPanel("minimum", func(r *rand.Rand, p object) told { return rewrite(Range, defaultsOfPanel(p), "min", 1+r.IntN(1000)) }),
	onPanel("override", func(r *rand.Rand, p object) told {
		o := object{"matcher": object{"id": "byName", "options": fmt.Sprint("x", r.IntN(1e6))}, "properties": []any{object{"id": "unit", "value": "s"}}}
		fc := p["fieldConfig"].(object)
		fc["overrides"] = append(fc["overrides"].([]any), o)
		return told{Kind: Override, After: compact(o)}
	}),
	onPanel("style", func(r *rand.Rand, p object) told {
		return rewrite(Style, defaultsOfPanel(p)["custom"].(object), "lineWidth", 2+r.IntN(1000))
	}),
	onPanel("legend place", func(_ *rand.Rand, p object) told {
		return rewrite(Legend, p["options"].(object)["legend"].(object), "placement", "right")
	}),
	onPanel("repeat", func(_ *rand.Rand, p object) told { return rewrite(Repeat, p, "repeat", "instance") }),
	place("resize", func(r *rand.Rand, p object) told {
		before := compact(p["gridPos"])
		p["gridPos"].(object)["w"] = 1 + r.IntN(11)
		return told{Kind: PanelResized, Before: before, After: compact(p["gridPos"])}
	}),
	place("move", func(r *rand.Rand, p object) told {
		before := compact(p["gridPos"])
		g := p["gridPos"].(object)
		g["x"] = 12 - g["x"].(int)
		return told{Kind: PanelMoved, Before: before, After: compact(g)}
	}),
	onPanel("panel link", func(r *rand.Rand, p object) told {
		title := fmt.Sprint("L", r.IntN(1e6))
		p["links"] = []any{object{"title": title, "url": "https://example.org/" + title}}
		return told{Kind: LinkAdded, After: compact(title)}
	}),
	{"panel added", func(r *rand.Rand, d object, used map[string]bool) (told, bool) {
		if used["layout"] {
			return told{}, false
		}
		used["layout"] = true
		list := d["panels"].([]any)
		at := r.IntN(len(list)-1) + 1
		y := list[at].(object)["gridPos"].(object)["y"].(int)
		title := fmt.Sprint("Brand new ", r.IntN(1e6))
		p := object{"type": "stat", "title": title, "id": 1 + r.IntN(40), "fresh": true, "targets": []any{object{"refId": "A", "expr": "vector(1)"}}, "gridPos": object{"x": 0, "y": y, "w": 24, "h": 5}}
		for _, q := range list {
			if g := q.(object)["gridPos"].(object); g["y"].(int) >= y {
				g["y"] = g["y"].(int) + 5
			}
		}
		d["panels"] = slices.Insert(list, at, any(p))
		return told{PanelAdded, title, "", compact(title)}, true
	}},
	{"panel removed", func(r *rand.Rand, d object, used map[string]bool) (told, bool) {
		p := anyPanel(r, d, used)
		if p == nil || used["layout"] {
			return told{}, false
		}
		used["layout"] = true
		list := d["panels"].([]any)
		at := slices.IndexFunc(list, func(q any) bool { return q.(object)["id"] == p["id"] })
		d["panels"] = slices.Delete(slices.Clone(list), at, at+1)
		// Ids of the rest are given anew, as an export does.
		for i, q := range d["panels"].([]any) {
			q.(object)["id"] = i + 1
			used[fmt.Sprint(i+1)] = true
		}
		return told{PanelRemoved, p["title"].(string), compact(p["title"]), ""}, true
	}},
	{"variable query", func(r *rand.Rand, d object, used map[string]bool) (told, bool) {
		v := d["templating"].(object)["list"].([]any)[1].(object)
		if used["variable"] {
			return told{}, false
		}
		used["variable"] = true
		return rewrite(VariableKind, v, "query", fmt.Sprintf("label_values(m%d, job)", r.IntN(1e6))), true
	}},
	{"variable added", func(r *rand.Rand, d object, used map[string]bool) (told, bool) {
		name := fmt.Sprint("v", r.IntN(1e6))
		tpl := d["templating"].(object)
		tpl["list"] = append(tpl["list"].([]any), object{"name": name, "type": "custom", "query": "a,b"})
		return told{VariableAdded, "", "", compact(name)}, true
	}},
	{"variable removed", func(r *rand.Rand, d object, used map[string]bool) (told, bool) {
		tpl := d["templating"].(object)
		list := tpl["list"].([]any)
		if used["variable"] {
			return told{}, false
		}
		used["variable"] = true
		v := list[3].(object)
		tpl["list"] = slices.Delete(slices.Clone(list), 3, 4)
		return told{VariableRemoved, "", compact(v["name"]), ""}, true
	}},
	once("time range", func(r *rand.Rand, d object) told {
		return rewrite(TimeRange, d["time"].(object), "from", fmt.Sprintf("now-%dh", 2+r.IntN(40)))
	}),
	once("refresh", func(_ *rand.Rand, d object) told { return rewrite(Refresh, d, "refresh", "5m") }),
	once("dashboard title", func(r *rand.Rand, d object) told {
		return rewrite(DashboardRetitled, d, "title", fmt.Sprint("T", r.IntN(1e6)))
	}),
	once("tag", func(_ *rand.Rand, d object) told {
		d["tags"] = append(slices.Clone(d["tags"].([]any)), "more")
		return told{Kind: Tags, After: `"more"`}
	}),
	once("link", func(_ *rand.Rand, d object) told {
		return rewrite(LinkKind, d["links"].([]any)[0].(object), "url", "https://example.org/elsewhere")
	}),
	once("annotation", func(_ *rand.Rand, d object) told {
		return rewrite(AnnotationKind, d["annotations"].(object)["list"].([]any)[0].(object), "expr", `resets(go_goroutines[5m]) > 0`)
	}),
}

func once(name string, f func(*rand.Rand, object) told) mutation {
	return mutation{name, func(r *rand.Rand, d object, used map[string]bool) (told, bool) {
		if used[name] {
			return told{}, false
		}
		used[name] = true
		return f(r, d), true
	}}
}

// Of known random mutations at least 99 % are told exactly as what they were: the kind, the panel, the value before and after, nothing more and nothing less.
func TestMutationsAreToldAsWhatTheyWere(t *testing.T) {
	const rounds = 700
	total, exact := 0, 0
	missed := map[string]int{}
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 4))
		before := generate(r, 4+r.IntN(36))
		after := clone(before).(object)
		var want []told
		var names []string
		used := map[string]bool{}
		for range 1 + r.IntN(4) {
			m := mutations[r.IntN(len(mutations))]
			if w, ok := m.apply(r, after, used); ok {
				want, names = append(want, w), append(names, m.name)
			}
		}
		res := New().Dashboards(load(t, before), load(t, after))
		got := map[told]int{}
		for _, e := range res.Events {
			// One event may tell the same of several panels.
			for _, p := range e.Panels {
				w := tell(e)
				w.Panel = p
				got[w]++
			}
			if len(e.Panels) == 0 {
				got[tell(e)]++
			}
		}
		for i, w := range want {
			total++
			if got[w] > 0 {
				got[w]--
				exact++
				continue
			}
			missed[names[i]]++
			if missed[names[i]] <= 2 {
				t.Logf("seed %d, %s: want %+v, got %s", seed, names[i], w, texts(res))
			}
		}
		extra := 0
		for _, n := range got {
			extra += n
		}
		if extra > 0 && len(missed) == 0 {
			t.Errorf("seed %d, %v: too much was told: %s", seed, names, texts(res))
		}
		total += extra
	}
	t.Logf("%d of %d told exactly (%.2f %%)", exact, total, 100*float64(exact)/float64(total))
	if float64(exact) < 0.99*float64(total) {
		t.Errorf("told exactly: %d of %d; missed: %v", exact, total, slices.Sorted(maps.Keys(missed)))
	}
}

func texts(res Result) string {
	var b strings.Builder
	for _, e := range res.Events {
		fmt.Fprintf(&b, "\n  %-16s %s   [%s → %s]", e.Kind, e.Text, tell(e).Before, tell(e).After)
	}
	return b.String()
}

// The list of changed leaves is complete: the old file and the list make the new one, whatever happened.
func TestReplayRebuildsTheNewFile(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 5))
		before := generate(r, 3+r.IntN(20))
		after := clone(before).(object)
		used := map[string]bool{}
		for range r.IntN(12) {
			mutations[r.IntN(len(mutations))].apply(r, after, used)
		}
		for range r.IntN(6) {
			vandalise(r, after)
		}
		o, n := load(t, before), load(t, after)
		res := New().Dashboards(o, n)
		got, err := Replay(o.Root, res.Changes())
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if !dashboard.Equal(got, n.Root) {
			t.Fatalf("seed %d: replay makes something else\nevents: %s", seed, texts(res))
		}
		// And none of the list is too much: without it the outcome differs.
		if len(res.Changes()) > 0 && dashboard.Equal(o.Root, n.Root) {
			t.Fatalf("seed %d: changes told where there are none", seed)
		}
	}
}

// vandalise changes anything, sensible or not.
func vandalise(r *rand.Rand, v any) {
	switch v := v.(type) {
	case object:
		keys := slices.Sorted(maps.Keys(v))
		if len(keys) == 0 {
			return
		}
		k := keys[r.IntN(len(keys))]
		switch n := r.IntN(10); {
		case n < 6:
			if inner, ok := v[k].(object); ok {
				vandalise(r, inner)
			} else if inner, ok := v[k].([]any); ok && len(inner) > 0 {
				i := r.IntN(len(inner))
				switch r.IntN(4) {
				case 0:
					v[k] = slices.Delete(slices.Clone(inner), i, i+1)
				case 1:
					v[k] = append(slices.Clone(inner), clone(inner[i]))
				case 2:
					s := slices.Clone(inner)
					r.Shuffle(len(s), func(a, b int) { s[a], s[b] = s[b], s[a] })
					v[k] = s
				default:
					vandalise(r, inner[i])
				}
			} else {
				v[k] = r.IntN(1000)
			}
		case n == 6 && k != "title" && k != "panels":
			delete(v, k)
		case n == 7:
			v["odd/key~"] = object{"": []any{1, nil, "x"}}
		case n == 8 && k != "panels":
			v[k] = []any{"was something else"}
		}
	}
}

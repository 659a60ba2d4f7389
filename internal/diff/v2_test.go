package diff

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"lookout/internal/dashboard"
	"lookout/internal/dashboard/dashtest"
)

// v2Files are V2 dashboards: one written by hand with all that the schema can say, and some made from classic ones.
func v2Files(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	data, err := os.ReadFile("testdata/v2/tabs.json")
	if err != nil {
		t.Fatal(err)
	}
	out["tabs.json"] = data
	for _, f := range dashtest.Collection(8, 6, dashtest.Metrics(8, 60)) {
		d, err := dashboard.Load(f.Name, f.Data)
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name] = asV2(t, d).Doc.Root.JSON()
	}
	return out
}

// mutate changes one leaf of a JSON text and returns the new text, the leaf's pointer and what was done.
func mutate(r *rand.Rand, src []byte) (out []byte, pointer, what string) {
	doc, err := dashboard.Parse("x.json", src)
	if err != nil {
		panic(err)
	}
	var leaves []*dashboard.Node
	for n := range doc.Root.Leaves() {
		leaves = append(leaves, n)
	}
	n := leaves[r.IntN(len(leaves))]
	pointer = n.Pointer()
	var to *dashboard.Node
	switch n.Kind() {
	case dashboard.String:
		to = dashboard.NewString(n.Text() + "x")
	case dashboard.Number:
		f, _ := n.Float()
		to = dashboard.NewNumber(f + 1)
	case dashboard.Bool:
		to = dashboard.NewBool(!n.Bool())
	case dashboard.Null:
		to = dashboard.NewInt(5)
	case dashboard.Array:
		to = dashboard.NewArray(dashboard.NewString("new"))
	default:
		to = dashboard.NewObject()
		to.Set("new", dashboard.NewInt(1))
	}
	what = pointer + ": " + n.Compact() + " → " + to.Compact()
	n.Replace(to)
	return doc.Root.JSON(), pointer, what
}

// readable reports whether a mutated file is still a dashboard.
func readable(data []byte) (*dashboard.Dashboard, bool) {
	d, err := dashboard.Load("x.json", data)
	return d, err == nil
}

// covered reports whether a place of the new file is accounted for by an event or an ignored place: as such, in what changed as a whole, or by what is in it.
func covered(res Result, after *dashboard.Dashboard, pointer string) bool {
	for _, ch := range res.Changes() {
		for _, p := range []string{ch.place(), ch.source, ch.oldSource, ch.Path, ch.OldPath} {
			if p == pointer || p != "" && strings.HasPrefix(pointer, p+"/") || strings.HasPrefix(p, pointer+"/") {
				return true
			}
		}
		found := false
		ch.After.Walk(func(n *dashboard.Node) bool {
			found = found || !ch.outside && after.SourcePointer(n) == pointer
			return !found
		})
		if found {
			return true
		}
	}
	return false
}

// Every changed leaf of a V2 file is in an event or ignored with a reason, and one leaf that changes its meaning makes one event.
func TestEachChangedLeafOfV2IsTold(t *testing.T) {
	files := v2Files(t)
	events, ignored := 0, 0
	for name, src := range files {
		r := rand.New(rand.NewPCG(3, uint64(len(src))))
		before, ok := readable(src)
		if !ok {
			t.Fatal(name)
		}
		for range 80 {
			data, pointer, what := mutate(r, src)
			after, ok := readable(data)
			if !ok {
				continue
			}
			res := New().Dashboards(before, after)
			if !covered(res, after, pointer) {
				t.Errorf("%s: %s is swallowed; told: %s", name, what, texts(res))
				continue
			}
			for _, i := range res.Ignored {
				if i.Reason == "" {
					t.Errorf("%s: %s is ignored without a reason", name, what)
				}
			}
			if len(res.Events) > 0 {
				events++
			} else {
				ignored++
			}
			// A name that others refer to, and a place that pushes others, may make several.
			if most := 1; len(res.Events) > most && !strings.Contains(pointer, "/layout/") && !strings.HasSuffix(pointer, "/name") {
				t.Errorf("%s: %s makes %d events: %s", name, what, len(res.Events), texts(res))
			}
			if got, err := Replay(before.Root, res.Changes()); err != nil || !dashboard.Equal(got, after.Root) {
				t.Errorf("%s: %s: the changes do not make the new dashboard: %v\n%s", name, what, err, firstDifference(string(got.JSON()), string(after.Root.JSON())))
			}
		}
	}
	if events < 200 || ignored > events/2 {
		t.Errorf("%d mutations made an event, %d were ignored", events, ignored)
	}
}

// What two hundred edits of a V2 dashboard are called.
func TestMutationsOfV2AreToldExactly(t *testing.T) {
	src, err := os.ReadFile("testdata/v2/tabs.json")
	if err != nil {
		t.Fatal(err)
	}
	before, _ := readable(src)
	panel := "/spec/elements/panel-1/spec"
	viz := panel + "/vizConfig/spec"
	query := panel + "/data/spec/queries/0/spec"
	row := "/spec/layout/spec/tabs/0/spec/layout/spec/rows/0/spec"
	n := 0
	for _, m := range []struct {
		pointer string
		value   string // JSON; %d is replaced by a number that differs each time
		want    string // the whole text, %d likewise; "" means ignored
	}{
		{"/spec/title", `"Shop %d"`, `dashboard retitled Shop → "Shop %d"`},
		{"/spec/description", `"New %d."`, `description "What the shop does." → "New %d."`},
		{"/metadata/name", `"shop-%d"`, `uid "shop" → "shop-%d"`},
		{"/metadata/annotations/grafana.app~1folder", `"f%d"`, `folder "go" → "f%d"`},
		{"/metadata/labels/team", `"team%d"`, `metadata labels team "shop" → "team%d"`},
		{"/metadata/resourceVersion", `"9%d"`, ""},
		{"/metadata/annotations/grafana.app~1createdBy", `"user:9%d"`, ""},
		{"/spec/timeSettings/from", `"now-%dd"`, `time range now-3h…now → now-%dd…now`},
		{"/spec/timeSettings/autoRefresh", `"%ds"`, `refresh 1m → %ds`},
		{"/spec/timeSettings/timezone", `"Etc/GMT+%d"`, `timezone browser → Etc/GMT+%d`},
		{"/spec/links/0/url", `"https://example.org/%d"`, `link "Handbook": url https://example.org/handbook → https://example.org/%d`},
		{"/spec/annotations/1/spec/legacyOptions/step", `"%ds"`, `annotation "Deploys": step 60s → %ds`},
		{"/spec/variables/1/spec/label", `"Job %d"`, `variable "job": label Job → "Job %d"`},
		{"/spec/variables/2/spec/current/value", `"0.%d"`, `variable "quantile": default 0.9 → 0.%d`},
		{"/spec/variables/2/spec/query", `"%d"`, `variable "quantile": query 0.5, 0.9, 0.99 → %d`},
		{"/spec/variables/5/spec/query", `"p%d_"`, `variable "prefix": query shop_ → p%d_`},
		{"/spec/variables/6/spec/filters/0/value", `"stage%d"`, `variable "filters": filters.0.value prod → stage%d`},
		{panel + "/title", `"Load %d"`, `panel "Load %d": retitled Requests → "Load %d"`},
		{panel + "/description", `"How many %d."`, `panel "Requests": description "Requests a second." → "How many %d."`},
		{query + "/query/spec/legendFormat", `"{{job}}%d"`, `panel "Requests": legend {{code}} → {{job}}%d`},
		{query + "/query/spec/expr", `"sum by (code) (rate(requests_total{job=~\"$job\"}[%dm]))"`, `panel "Requests", query A: window ${window} → %dm`},
		{panel + "/data/spec/queryOptions/interval", `"%ds"`, `panel "Requests": interval 15s → %ds`},
		{panel + "/data/spec/queryOptions/maxDataPoints", `1%d`, `panel "Requests": maxDataPoints 300 → 1%d`},
		{panel + "/data/spec/queryOptions/timeFrom", `"%dd"`, `panel "Requests": time range timeFrom 1h → %dd`},
		{viz + "/fieldConfig/defaults/unit", `"suffix:u%d"`, `panel "Requests": unit reqps → suffix:u%d`},
		{viz + "/fieldConfig/defaults/min", `-%d`, `panel "Requests": min 0 → -%d`},
		{viz + "/fieldConfig/defaults/thresholds/steps/1/value", `9%d`, `panel "Requests": thresholds 80 → 9%d`},
		{viz + "/fieldConfig/defaults/custom/lineWidth", `1%d`, `panel "Requests": lineWidth 2 → 1%d`},
		{viz + "/options/legend/placement", `"p%d"`, `panel "Requests": legend.placement right → p%d`},
		{viz + "/fieldConfig/overrides/0/properties/0/value/fixedColor", `"c%d"`, `panel "Requests": override for "500": color`},
		{panel + "/vizConfig/version", `"13.1.%d"`, ""},
		{query + "/query/version", `"v%d"`, ""},
		{row + "/title", `"Traffic %d"`, `row "Traffic %d": retitled Traffic → "Traffic %d"`},
		{"/spec/layout/spec/tabs/1/spec/title", `"Common %d"`, `tab "Common %d": retitled Shared → "Common %d"`},
		{"/spec/layout/spec/tabs/1/spec/variables/0/spec/query", `"l%d"`, `tab "Shared": variable "level": query info,error → l%d`},
		{"/spec/layout/spec/tabs/1/spec/conditionalRendering/spec/items/0/spec/value", `"v%d"`, `tab "Shared": shown if details = true → shown if details = v%d`},
		{"/spec/layout/spec/tabs/1/spec/layout/spec/maxColumnCount", `1%d`, ``},
	} {
		for i := 2; i < 8; i++ {
			doc, err := dashboard.Parse("x.json", src)
			if err != nil {
				t.Fatal(err)
			}
			at := doc.Root.Find(m.pointer)
			if at == nil {
				t.Fatalf("%s is not there", m.pointer)
			}
			value, err := dashboard.Parse("value", []byte(strings.ReplaceAll(m.value, "%d", fmt.Sprint(i))))
			if err != nil {
				t.Fatal(err)
			}
			at.Replace(value.Root.Clone())
			after, ok := readable(doc.Root.JSON())
			if !ok {
				t.Fatal(m.pointer)
			}
			res := New().Dashboards(before, after)
			want := strings.ReplaceAll(m.want, "%d", fmt.Sprint(i))
			n++
			switch {
			case strings.HasSuffix(m.pointer, "/maxColumnCount"): // an automatic grid is another arrangement then
				if len(res.Events) == 0 {
					t.Errorf("%s is swallowed", m.pointer)
				}
			case want == "":
				if len(res.Events) > 0 || !covered(res, after, m.pointer) {
					t.Errorf("%s: %s", m.pointer, texts(res))
				}
			case len(res.Events) != 1 || !strings.HasPrefix(res.Events[0].Text, want):
				t.Errorf("%s\nwant %s\ngot  %s", m.pointer, want, texts(res))
			}
		}
	}
	if n < 200 {
		t.Errorf("only %d mutations", n)
	}
}

// Applying another version to a V2 file keeps the order of its members and its envelope, and what is left to tell is nothing.
func TestApplyOfV2IsAFixedPoint(t *testing.T) {
	for _, src := range v2Files(t) {
		r := rand.New(rand.NewPCG(5, uint64(len(src))))
		before, _ := readable(src)
		for range 12 {
			data, _, what := mutate(r, src)
			for range 3 {
				data, _, _ = mutate(r, data)
			}
			after, ok := readable(data)
			if !ok {
				continue
			}
			out, taken, err := New().Apply(before, after, nil)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			made, ok := readable(out)
			if !ok {
				t.Fatalf("%s: %s", what, out)
			}
			rest := New().Dashboards(made, after)
			for _, e := range rest.Events {
				if e.Kind != DashboardUID && e.Kind != DashboardFolder && e.Kind != DashboardSchema && !strings.HasPrefix(e.Text, "metadata") {
					t.Errorf("%s: not taken over: %s\nof %s", what, e.Text, texts(taken))
				}
			}
			var env struct{ Metadata json.RawMessage }
			if json.Unmarshal(out, &env) != nil || len(env.Metadata) == 0 {
				t.Errorf("%s: the envelope is gone", what)
			}
		}
	}
	classic, err := dashboard.Load("c.json", []byte(`{"title": "T", "panels": []}`))
	if err != nil {
		t.Fatal(err)
	}
	before, _ := readable(v2Files(t)["tabs.json"])
	if _, _, err := New().Apply(before, classic, nil); err == nil || !strings.Contains(err.Error(), "is saved as V2") {
		t.Errorf("a smaller form over a larger one: %v", err)
	}
}

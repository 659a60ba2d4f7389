package diff

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"lookout/internal/dashboard"
)

// Reordering, what another Grafana adds when it exports, and rewritten PromQL are no change; each place is ignored with a reason.
func TestNoiseGivesAnEmptyDiff(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 9))
		before := generate(r, 2+r.IntN(30))
		after := clone(before).(object)
		noises := []func(*rand.Rand, object){reexport, rewriteQueries, renumber, shuffle}
		for _, f := range noises {
			if r.IntN(3) > 0 {
				f(r, after)
			}
		}
		load(t, after)
		o, n := load(t, before), loadText(t, shuffledKeys(r, after)) // json.Marshal sorts; here they stand anyhow
		res := New().Dashboards(o, n)
		if len(res.Events) > 0 {
			t.Fatalf("seed %d: %s", seed, texts(res))
		}
		for _, i := range res.Ignored {
			if i.Reason == "" {
				t.Fatalf("seed %d: %s is ignored without a reason", seed, i.Path)
			}
		}
		got, err := Replay(o.Root, res.Changes())
		if err != nil || !dashboard.Equal(got, n.Root) {
			t.Fatalf("seed %d: the ignored places do not make the new file: %v", seed, err)
		}
	}
}

func loadText(t *testing.T, s string) *dashboard.Dashboard {
	t.Helper()
	d, err := dashboard.Load("generated.json", []byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func shuffledKeys(r *rand.Rand, v any) string {
	switch v := v.(type) {
	case object:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		for i, k := range keys {
			keys[i] = fmt.Sprintf("%q: %s", k, shuffledKeys(r, v[k]))
		}
		return "{" + strings.Join(keys, ", ") + "}"
	case []any:
		items := make([]string, len(v))
		for i, e := range v {
			items[i] = shuffledKeys(r, e)
		}
		return "[\n" + strings.Join(items, ",") + "]"
	}
	data, _ := json.Marshal(v)
	return string(data)
}

// reexport is what Grafana writes when the same dashboard is saved by another version.
func reexport(r *rand.Rand, d object) {
	d["version"], d["schemaVersion"], d["id"], d["iteration"] = r.IntN(99), 30+r.IntN(12), r.IntN(99), r.IntN(1e9)
	d["__requires"] = []any{object{"type": "grafana", "version": "12.0.0"}}
	d["fiscalYearStartMonth"], d["graphTooltip"], d["liveNow"], d["weekStart"], d["timezone"] = 0, 0, false, "", ""
	for _, p := range panelsOf(d) {
		p["pluginVersion"], p["transparent"], p["links"] = "12.0.0", false, []any{}
		defaults := defaultsOfPanel(p)
		defaults["mappings"] = []any{}
		defaults["custom"].(object)["axisLabel"] = ""
		defaults["custom"].(object)["hideFrom"] = object{"legend": false, "tooltip": false, "viz": false}
		steps := defaults["thresholds"].(object)["steps"].([]any)
		delete(steps[0].(object), "value")
		for _, t := range p["targets"].([]any) {
			t := t.(object)
			t["editorMode"], t["range"], t["instant"], t["hide"] = "code", true, false, false
			if r.IntN(2) == 0 {
				delete(t, "datasource") // the panel's is the same
			}
		}
		if r.IntN(2) == 0 {
			p["datasource"] = object{"uid": "$datasource"}
		}
	}
	for _, v := range d["templating"].(object)["list"].([]any) {
		v := v.(object)
		v["hide"], v["multi"], v["regex"], v["skipUrlSync"] = 0, false, "", false
		if c, ok := v["current"].(object); ok { // the same choice, as another version writes it
			v["current"] = object{"selected": true, "text": []any{c["text"]}, "value": []any{c["text"]}}
		}
		if q, ok := v["query"].(string); ok && v["type"] == "query" {
			v["definition"] = q
			v["query"] = object{"query": q, "refId": "StandardVariableQuery"}
		}
	}
	a := d["annotations"].(object)
	a["list"] = append([]any{object{"builtIn": 1, "name": "Annotations & Alerts", "type": "dashboard", "enable": true, "hide": true}}, a["list"].([]any)...)
}

func rewriteQueries(r *rand.Rand, d object) {
	for _, p := range panelsOf(d) {
		for _, t := range p["targets"].([]any) {
			t := t.(object)
			e := t["expr"].(string)
			for _, s := range [][2]string{
				{"(", "( "}, {",", " ,\n  "}, {"{", " { "}, {"[5m]", "[300s]"}, {"$job", "${job}"}, {"100 *", "1e2 *"},
			} {
				if r.IntN(2) == 0 {
					e = strings.ReplaceAll(e, s[0], s[1])
				}
			}
			if i, j := strings.Index(e, `{job="`), strings.IndexByte(e, '}'); i >= 0 && j > i && strings.Count(e[i:j], ",") == 1 && !strings.Contains(e[i:j], "${") {
				parts := strings.Split(e[i+1:j], ",")
				e = e[:i+1] + parts[1] + ", " + parts[0] + e[j:]
			}
			t["expr"] = "(" + e + ")"
		}
	}
}

// renumber gives panels other ids, and two of them each other's.
func renumber(r *rand.Rand, d object) {
	list := d["panels"].([]any)
	ids := r.Perm(len(list))
	for i, p := range list {
		p.(object)["id"] = ids[i]
	}
}

// shuffle changes the order of panels in the file, and of tags.
func shuffle(r *rand.Rand, d object) {
	list := slices.Clone(d["panels"].([]any))
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	d["panels"] = list
	tags := slices.Clone(d["tags"].([]any))
	slices.Reverse(tags)
	d["tags"] = tags
}

func TestQueriesAreComparedAsTrees(t *testing.T) {
	for _, c := range []struct{ before, after, want string }{
		{`rate(x[5m])`, `rate(x[1m])`, "window 5m → 1m"},
		{`rate(x[5m])`, `rate(x[$__rate_interval])`, "window 5m → ${__rate_interval}"},
		{`rate(x[$__rate_interval])`, `rate(x[${__rate_interval}])`, ""},
		{`rate(x[$__interval])`, `rate(x[$__rate_interval])`, "window ${__interval} → ${__rate_interval}"},
		{`rate(x[5m])`, `irate(x[5m])`, "function rate → irate"},
		{`x{a="1"}`, `x{a="1", job="b"}`, `matcher job="b" added`},
		{`x{a="1", job="b"}`, `x{job="b"}`, `matcher a="1" removed`},
		{`x{a="1"}`, `x{a=~"1|2"}`, `matcher a="1" → a=~"1|2"`},
		{`x{a="$v"}`, `x{a="$w"}`, `matcher a="${v}" → a="${w}"`},
		{`x{a="$v"}`, `x{a="${v:regex}"}`, `matcher a="${v}" → a="${v:regex}"`},
		{`sum(rate(x[5m]))`, `sum by (job) (rate(x[5m]))`, "by (job) added"},
		{`sum by (a) (x)`, `sum by (a, b) (x)`, "by (a) → by (a, b)"},
		{`sum(x)`, `max(x)`, "aggregation sum → max"},
		{`x`, `sum by (job) (x)`, "wrapped in sum by (job)"},
		{`sum(rate(x[5m]))`, `rate(x[5m])`, "sum around it removed"},
		{`rate(x[5m])`, `rate(x[5m]) * 100`, "* 100 added"},
		{`rate(x[5m])`, `100 * rate(x[5m])`, "100 * added in front"},
		{`a / b`, `a`, "/ b removed"},
		{`a / b`, `a / on (job) b`, "on (job) added"},
		{`a / b`, `a * b`, "operator / → *"},
		{`a > 5`, `a > 6`, "number 5 → 6"},
		{`a > bool 5`, `a > 5`, "operator > bool → >"},
		{`a > $min`, `a > $max`, "number ${min} → ${max}"},
		{`histogram_quantile(0.9, x)`, `histogram_quantile(0.99, x)`, "number 0.9 → 0.99"},
		{`x`, `x offset 1h`, "offset 1h added"},
		{`up`, `go_info`, "metric up → go_info"},
		{`avg_over_time(x[1h:5m])`, `avg_over_time(x[1h:1m])`, "window 1h:5m → 1h:1m"},
		{`topk(5, x)`, `topk($k, x)`, "number 5 → ${k}"},
		{`x{a="1",b="2"}`, "x {\n  b='2' ,a=\"1\",\n}", ""},
		{`(x)`, `x`, ""},
		{`sum(x) by (b, a)`, `sum by (a,b) (x)`, ""},
		{`1e3`, `1000`, ""},
		{`x[60s:]`, `x[1m:]`, ""},
		{`{__name__="x", a="1"}`, `x{a="1"}`, ""},
		{`x == 1`, `x == 1 # why`, ""},
		{`label_replace(x, "a", "$1", "b", "(.*)")`, `label_replace(x, "a", "$1", "c", "(.*)")`, `text "b" → "c"`},
		{`rate(x[5m]) + rate(y[5m])`, `rate(x[1m]) + rate(y[1m])`, "window 5m → 1m"},
	} {
		e := newQueries().compare(c.before, c.after, nil)
		if got := strings.Join(e.edits, "; "); got != c.want || e.same != (c.want == "") {
			t.Errorf("%s → %s: told %q (same: %v), want %q", c.before, c.after, got, e.same, c.want)
		}
	}
}

// What is no PromQL is compared as text.
func TestOtherLanguagesAreComparedAsText(t *testing.T) {
	q := newQueries()
	if e := q.compare(`{app="x"} |= "a"`, `{app="x"}   |= "a"`, nil); e.same {
		t.Error("white space in another language was taken for mere writing")
	}
	if e := q.compare(`{app="x"} |= "a"`, `{app="x"} |= "b"`, nil); e.same || e.edits != nil {
		t.Errorf("got %+v", e)
	}
}

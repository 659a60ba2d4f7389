package dashtest

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"lookout/internal/dashboard"
)

// Hostile are dashboards with all that real files have done to readers: old and nested rows, numbers as strings, null and repeated ids, members of the wrong type,
// text in many scripts, thousands of panels, queries cut off in the middle.
func Hostile(seed uint64, n int) []File {
	r := rand.New(rand.NewPCG(seed, 3))
	metrics := Metrics(seed, 30)
	out := []File{
		{"many-panels.json", manyPanels(r, 2000, metrics).JSON()},
		{"deep-rows.json", deepRows(200).JSON()},
		{"old-rows.json", oldRows(r, metrics).JSON()},
		{"wrapped.json", object("meta", object("slug", "x"), "dashboard", Dashboard(r, 1, 3, metrics)).JSON()},
		{"compact.json", []byte(Dashboard(r, 2, 3, metrics).Compact())},
		{"bom-crlf.json", []byte("\ufeff" + strings.ReplaceAll(string(Dashboard(r, 3, 3, metrics).JSON()), "\n", "\r\n"))},
		{"duplicates.json", []byte(`{"title": "first", "panels": [], "title": "second", "panels": [{"type": "stat", "id": 1, "id": 2, "targets": [{"expr": "up", "expr": "down"}]}]}`)},
	}
	for i := range n {
		d := Dashboard(r, i, 4+r.IntN(8), metrics)
		for range 1 + r.IntN(12) {
			spoil(r, d)
		}
		if !d.Get("panels").Is(dashboard.Array) && !d.Get("rows").Is(dashboard.Array) {
			d.Set("panels", dashboard.NewArray())
		}
		d.Set("title", dashboard.NewString(pick(r, texts)))
		out = append(out, File{fmt.Sprintf("hostile-%03d.json", i), d.JSON()})
	}
	return out
}

var texts = []string{"", " ", "报警 CPU 使用率", "é́̂̃", "🔥🔥", "\u202eabc", "a\u0000b", "\"quoted\" \\ back", "$job ${instance:raw} [[job]]", "<script>alert(1)</script>", strings.Repeat("x", 10_000), "|pipe|`tick`|", "line\nline\r\n\ttab"}

var spoiledQueries = []string{"sum(rate(", `{job="x"} |= "err"`, `x{a="`, "$", "${", "[[", "[[]]", "$$$$a$b${c}${d:e:f}[[g:h]]", "rate(x[$__interval", `x{$a$b$c$d$e$f$g$h}`, strings.Repeat("(", 5000), strings.Repeat("a+", 2000) + "a", `label_values(`, "\x00", "# only a comment", `x{a=~"(((("}`, "rollup(x)", strings.Repeat("$a ", 200)}

// junk is a value of a random kind.
func junk(r *rand.Rand) *dashboard.Node {
	switch r.IntN(9) {
	case 0:
		return dashboard.NewNull()
	case 1:
		return dashboard.NewBool(r.IntN(2) == 0)
	case 2:
		return dashboard.NewString(pick(r, texts))
	case 3:
		return dashboard.NewNumber(r.NormFloat64() * 1e12)
	case 4:
		return dashboard.NewInt(int64(r.IntN(3)) - 1)
	case 5:
		return dashboard.NewArray()
	case 6:
		return dashboard.NewObject()
	case 7:
		return dashboard.NewArray(dashboard.NewNull(), dashboard.NewString("5"), dashboard.NewArray(dashboard.NewInt(1)))
	}
	return object("uid", "$datasource", "type", 7, "query", dashboard.NewArray())
}

// spoil changes one thing somewhere.
func spoil(r *rand.Rand, d *dashboard.Node) {
	var all []*dashboard.Node
	d.Walk(func(n *dashboard.Node) bool {
		if n.Parent() != nil {
			all = append(all, n)
		}
		return true
	})
	n := all[r.IntN(len(all))]
	switch {
	case n.Key() == "expr":
		n.Replace(dashboard.NewString(pick(r, spoiledQueries)))
	case n.Key() == "id":
		n.Replace([]*dashboard.Node{dashboard.NewNull(), dashboard.NewString("7"), dashboard.NewInt(1), dashboard.NewNumber(1.5), dashboard.NewInt(-1)}[r.IntN(5)])
	case n.Key() == "schemaVersion":
		n.Replace(dashboard.NewString("16"))
	case r.IntN(4) == 0 && n.Parent().Is(dashboard.Object):
		n.Parent().Remove(n.Key())
	case r.IntN(6) == 0 && n.Parent().Is(dashboard.Array):
		n.Parent().Append(n.Clone())
	default:
		n.Replace(junk(r))
	}
}

func manyPanels(r *rand.Rand, n int, metrics []Metric) *dashboard.Node {
	d := Dashboard(r, 0, 0, metrics)
	all := dashboard.NewArray()
	for i := range n {
		all.Append(Panel(r, i, grid(i%4*6, i/4*8, 6, 8), metrics))
	}
	d.Set("panels", all)
	return d
}

// deepRows nests rows in rows, which Grafana does not write but accepts.
func deepRows(depth int) *dashboard.Node {
	row := object("type", "row", "title", "innermost", "panels", dashboard.NewArray())
	for i := range depth {
		row = object("type", "row", "id", i, "title", fmt.Sprint("row ", i), "collapsed", true, "panels", dashboard.NewArray(row))
	}
	return object("title", "deep", "schemaVersion", "30", "panels", dashboard.NewArray(row))
}

func oldRows(r *rand.Rand, metrics []Metric) *dashboard.Node {
	rows := dashboard.NewArray()
	for i := range 10 {
		panels := dashboard.NewArray()
		for k := range 6 {
			p := Panel(r, i*6+k, grid(0, 0, 1, 1), metrics)
			p.Remove("gridPos")
			p.Set("type", dashboard.NewString([]string{"graph", "singlestat", "table"}[r.IntN(3)]))
			p.Set("span", []*dashboard.Node{dashboard.NewInt(4), dashboard.NewNumber(2.4), dashboard.NewString("6"), dashboard.NewInt(0), dashboard.NewNull(), dashboard.NewInt(99)}[k])
			p.Set("thresholds", dashboard.NewString("50,x,"))
			panels.Append(p)
		}
		rows.Append(object("title", fmt.Sprint("Row ", i), "height", []any{"250px", 300, "x", nil, "-5px"}[i%5], "collapse", i%2 == 0, "panels", panels))
	}
	rows.Append(dashboard.NewNull())
	return object("title", "old", "schemaVersion", 6, "rows", rows, "templating", object("list", dashboard.NewArray(object("name", "job", "type", "query", "query", "label_values(job)", "refresh", true))))
}

// Package dashtest makes dashboards for tests: collections like those that large projects publish, and hostile ones.
//
// Everything follows from the seed: the same seed gives the same bytes.
package dashtest

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"lookout/internal/dashboard"
)

// File is a dashboard under a name.
type File struct {
	Name string
	Data []byte
}

// Metric is a metric that the collection queries.
type Metric struct {
	Name   string
	Type   string // counter, gauge, histogram
	Labels []string
}

var (
	areas   = []string{"node", "kube", "container", "http", "grpc", "mysql", "redis", "jvm", "etcd", "kafka", "nginx", "process"}
	things  = []string{"cpu", "memory", "disk", "network", "request", "connection", "queue", "cache", "replica", "thread", "page", "lock"}
	aspects = []string{"read", "write", "active", "idle", "failed", "pending", "used", "free", "received", "sent"}
	keys    = []string{"device", "mode", "route", "method", "db", "topic", "pool", "zone"}
)

// Metrics are n different metrics, a third of each type.
func Metrics(seed uint64, n int) []Metric {
	r := rand.New(rand.NewPCG(seed, 1))
	seen := map[string]bool{}
	var out []Metric
	for len(out) < n {
		base := fmt.Sprintf("%s_%s_%s", pick(r, areas), pick(r, things), pick(r, aspects))
		if len(out) > 1000 || r.IntN(3) == 0 {
			base += fmt.Sprintf("_%s", pick(r, things))
		}
		m := Metric{Labels: []string{pick(r, keys[:4]), pick(r, keys[4:])}}
		switch len(out) % 3 {
		case 0:
			m.Name, m.Type = base+"_total", "counter"
		case 1:
			m.Name, m.Type = base+"_bytes", "gauge"
		default:
			m.Name, m.Type = base+"_seconds", "histogram"
		}
		if seen[m.Name] {
			m.Name = strings.Replace(m.Name, "_", fmt.Sprint(len(out))+"_", 1)
		}
		if !seen[m.Name] {
			seen[m.Name] = true
			out = append(out, m)
		}
	}
	return out
}

// Exposition is what an exporter of the metrics answers. rename gives metrics other names; the empty name drops one.
func Exposition(metrics []Metric, rename map[string]string) []byte {
	var b strings.Builder
	for _, m := range metrics {
		name := m.Name
		if to, ok := rename[name]; ok {
			if name = to; name == "" {
				continue
			}
		}
		fmt.Fprintf(&b, "# HELP %s Made for a test.\n# TYPE %s %s\n", name, name, m.Type)
		for _, v := range []string{"a", "b"} {
			ls := fmt.Sprintf(`%s="%s",%s="x"`, m.Labels[0], v, m.Labels[1])
			if m.Type == "histogram" {
				for _, le := range []string{"0.1", "1", "+Inf"} {
					fmt.Fprintf(&b, "%s_bucket{%s,le=\"%s\"} 1\n", name, ls, le)
				}
				fmt.Fprintf(&b, "%s_sum{%s} 1\n%s_count{%s} 1\n", name, ls, name, ls)
				continue
			}
			fmt.Fprintf(&b, "%s{%s} 1\n", name, ls)
		}
	}
	return []byte(b.String())
}

// Collection is n dashboards with about 19 panels and 27 queries each, in the proportions of published collections (450 dashboards: 8,700 panels, 12,100
// queries), over the given metrics.
func Collection(seed uint64, n int, metrics []Metric) []File {
	r := rand.New(rand.NewPCG(seed, 2))
	var out []File
	for i := range n {
		out = append(out, File{fmt.Sprintf("board-%03d.json", i), Dashboard(r, i, 19, metrics).JSON()})
	}
	return out
}

// Dashboard is one ordinary dashboard.
func Dashboard(r *rand.Rand, number, panels int, metrics []Metric) *dashboard.Node {
	d := object("title", fmt.Sprintf("Board %d", number), "uid", fmt.Sprintf("board-%d", number), "schemaVersion", 39, "editable", false, "refresh", "1m",
		"tags", dashboard.NewArray(dashboard.NewString("test")))
	list := dashboard.NewArray(
		object("name", "datasource", "type", "datasource", "query", "prometheus", "label", "Data source"),
		object("name", "job", "type", "query", "query", "label_values(up, job)", "refresh", 2, "multi", true, "includeAll", true, "datasource", object("type", "prometheus", "uid", "${datasource}")),
		object("name", "instance", "type", "query", "query", `label_values(up{job=~"$job"}, instance)`, "refresh", 2, "multi", true, "datasource", object("type", "prometheus", "uid", "${datasource}")),
	)
	d.Set("templating", object("list", list))
	all := dashboard.NewArray()
	y := 0
	for p := range panels {
		if p%8 == 0 {
			all.Append(object("id", 1000+p, "type", "row", "title", fmt.Sprintf("Row %d", p/8), "collapsed", false, "gridPos", grid(0, y, 24, 1), "panels", dashboard.NewArray()))
			y++
		}
		all.Append(Panel(r, p+1, grid(p%2*12, y, 12, 8), metrics))
		if p%2 == 1 {
			y += 8
		}
		if p%8 == 7 && p%2 == 0 {
			y += 8
		}
	}
	d.Set("panels", all)
	return d
}

// Panel is one ordinary panel with one or two queries.
func Panel(r *rand.Rand, id int, place *dashboard.Node, metrics []Metric) *dashboard.Node {
	targets := dashboard.NewArray()
	n := 1
	if r.IntN(10) < 3 {
		n = 2
	}
	unit := "short"
	for i := range n {
		m := metrics[r.IntN(len(metrics))]
		expr := Query(r, m)
		switch {
		case m.Type == "histogram" && strings.HasPrefix(expr, "histogram_quantile") && i == 0:
			unit = "s"
		case m.Type == "gauge" && i == 0 && !strings.Contains(expr, "/"):
			unit = "bytes"
		default:
			unit = "short"
		}
		targets.Append(object("refId", string(rune('A'+i)), "expr", expr, "legendFormat", "{{"+m.Labels[0]+"}}", "datasource", object("type", "prometheus", "uid", "${datasource}")))
	}
	return object("id", id, "type", []string{"timeseries", "stat", "gauge"}[r.IntN(3)], "title", fmt.Sprintf("%s %s %d", pick(r, things), pick(r, aspects), id), "description", "What it says, and what to do.",
		"datasource", object("type", "prometheus", "uid", "${datasource}"), "gridPos", place, "targets", targets,
		"fieldConfig", object("defaults", object("unit", unit, "custom", object("drawStyle", "line", "lineWidth", 1, "fillOpacity", 10, "spanNulls", false, "showPoints", "never"),
			"thresholds", object("mode", "absolute", "steps", dashboard.NewArray(object("color", "green", "value", nil), object("color", "red", "value", 80)))), "overrides", dashboard.NewArray()),
		"options", object("legend", object("displayMode", "table", "placement", "bottom", "calcs", dashboard.NewArray(dashboard.NewString("mean"))), "tooltip", object("mode", "multi", "sort", "desc")))
}

// Query is a query such as people write for a metric of the type.
func Query(r *rand.Rand, m Metric) string {
	sel := fmt.Sprintf(`{job=~"$job", instance=~"$instance", %s="a"}`, m.Labels[0])
	if r.IntN(2) == 0 {
		sel = `{job=~"$job", instance=~"$instance"}`
	}
	by := m.Labels[1]
	switch m.Type {
	case "counter":
		switch r.IntN(3) {
		case 0:
			return fmt.Sprintf(`sum by (%s) (rate(%s%s[$__rate_interval]))`, by, m.Name, sel)
		case 1:
			return fmt.Sprintf(`sum(rate(%s%s[$__rate_interval])) / sum(rate(%s{job=~"$job"}[$__rate_interval])) * 100`, m.Name, sel, m.Name)
		}
		return fmt.Sprintf(`topk(5, sum(increase(%s%s[$__range])) by (instance, %s))`, m.Name, sel, by)
	case "histogram":
		switch r.IntN(2) {
		case 0:
			return fmt.Sprintf(`histogram_quantile(0.%d, sum by (le, %s) (rate(%s_bucket%s[$__rate_interval])))`, 50+r.IntN(50), by, m.Name, sel)
		}
		return fmt.Sprintf(`sum(rate(%s_sum%s[$__rate_interval])) by (%s) / sum(rate(%s_count%s[$__rate_interval])) by (%s)`, m.Name, sel, by, m.Name, sel, by)
	}
	switch r.IntN(3) {
	case 0:
		return m.Name + sel
	case 1:
		return fmt.Sprintf(`max by (%s) (avg_over_time(%s%s[5m]))`, by, m.Name, sel)
	}
	return fmt.Sprintf(`100 * (1 - %s%s / on (instance) group_left () max by (instance) (%s%s))`, m.Name, sel, m.Name, sel)
}

func grid(x, y, w, h int) *dashboard.Node { return object("x", x, "y", y, "w", w, "h", h) }

func pick(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }

// object builds an object from names and values.
func object(pairs ...any) *dashboard.Node {
	o := dashboard.NewObject()
	for i := 0; i+1 < len(pairs); i += 2 {
		o.Set(pairs[i].(string), value(pairs[i+1]))
	}
	return o
}

func value(v any) *dashboard.Node {
	switch v := v.(type) {
	case nil:
		return dashboard.NewNull()
	case string:
		return dashboard.NewString(v)
	case bool:
		return dashboard.NewBool(v)
	case int:
		return dashboard.NewInt(int64(v))
	case float64:
		return dashboard.NewNumber(v)
	case *dashboard.Node:
		return v
	}
	panic(fmt.Sprintf("dashtest: no JSON for %T", v))
}

package diff

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"lookout/internal/dashboard"
)

type object = map[string]any

// generate makes a dashboard as people make them: rows, panels of several types, one to three queries each, variables, and titles of which some occur twice.
func generate(r *rand.Rand, panels int) object {
	metrics := []string{
		"http_requests_total", "http_request_duration_seconds_bucket", "go_goroutines", "go_threads", "process_resident_memory_bytes", "node_cpu_seconds_total",
		"node_memory_MemAvailable_bytes", "redis_commands_processed_total", "mysql_global_status_queries", "container_network_receive_bytes_total",
	}
	labels := []string{"job", "instance", "code", "method", "route", "pod", "namespace"}
	words := strings.Fields("Requests Errors Latency Memory Goroutines Threads Connections Commands Queries Bytes Packets Disk Load Queue Cache Hits Misses Restarts Pods Nodes Heap GC Pauses Files Sockets")
	units := []string{"short", "bytes", "s", "reqps", "percentunit", "ops"}
	types := []string{"timeseries", "timeseries", "timeseries", "stat", "gauge", "table", "bargauge"}
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	expr := func() string {
		m := pick(metrics)
		l := pick(labels)
		switch r.IntN(5) {
		case 0:
			return fmt.Sprintf(`sum by (%s) (rate(%s{job="$job", %s=~"$%s"}[$__rate_interval]))`, l, m, l, l)
		case 1:
			return fmt.Sprintf(`histogram_quantile(0.%d, sum by (le, %s) (rate(http_request_duration_seconds_bucket{job="$job"}[5m])))`, 90+r.IntN(10), l)
		case 2:
			return fmt.Sprintf(`%s{instance="$instance"}`, m)
		case 3:
			return fmt.Sprintf(`100 * sum(rate(%s{%s="a%d"}[5m])) / sum(rate(%s[5m]))`, m, l, r.IntN(50), m)
		}
		return fmt.Sprintf(`avg_over_time(%s{job="$job"}[%dm])`, m, 1+r.IntN(9))
	}
	ds := object{"type": "prometheus", "uid": "${datasource}"}
	var list []any
	x, y := 0, 0
	for i := range panels {
		if i%8 == 0 {
			if x > 0 {
				x, y = 0, y+8
			}
			list = append(list, object{"type": "row", "title": fmt.Sprintf("%s %d", pick(words), i/8), "id": 1000 + i, "collapsed": false, "panels": []any{}, "gridPos": object{"x": 0, "y": y, "w": 24, "h": 1}})
			y++
		}
		title := fmt.Sprintf("%s %s %d", pick(words), pick(words), i)
		if r.IntN(12) == 0 {
			title = pick(words)
		}
		var targets []any
		for j := range 1 + r.IntN(3) {
			targets = append(targets, object{"refId": string(rune('A' + j)), "expr": expr(), "legendFormat": fmt.Sprintf("{{%s}}", pick(labels)), "datasource": ds})
		}
		defaults := object{
			"unit":       pick(units),
			"thresholds": object{"mode": "absolute", "steps": []any{object{"color": "green", "value": nil}, object{"color": "red", "value": 50 + r.IntN(50)}}},
			"custom":     object{"lineWidth": 1, "fillOpacity": 10},
		}
		list = append(list, object{
			"type": pick(types), "pluginVersion": "11.0.0", "title": title, "id": i + 1, "description": fmt.Sprintf("What %s shows.", title), "datasource": ds,
			"targets": targets, "gridPos": object{"x": x, "y": y, "w": 12, "h": 8}, "fieldConfig": object{"defaults": defaults, "overrides": []any{}},
			"options": object{"legend": object{"displayMode": "list", "placement": "bottom"}},
		})
		if x += 12; x == 24 {
			x, y = 0, y+8
		}
	}
	var variables []any
	for _, l := range append([]string{"datasource"}, labels...) {
		v := object{"name": l, "type": "query", "query": fmt.Sprintf("label_values(up, %s)", l), "datasource": ds, "refresh": 1, "current": object{"text": "x"}}
		if l == "datasource" {
			v = object{"name": l, "type": "datasource", "query": "prometheus"}
		}
		variables = append(variables, v)
	}
	return object{
		"title": "Generated", "uid": "generated", "schemaVersion": 39, "version": 4, "editable": false, "tags": []any{"generated", "test"},
		"time": object{"from": "now-1h", "to": "now"}, "refresh": "30s", "panels": list, "templating": object{"list": variables},
		"links":       []any{object{"title": "Handbook", "url": "https://example.org/handbook", "type": "link"}},
		"annotations": object{"list": []any{object{"name": "Deploys", "enable": true, "expr": `changes(process_start_time_seconds{job="$job"}[5m]) > 0`, "datasource": ds}}},
	}
}

func clone(v any) any {
	switch v := v.(type) {
	case object:
		out := make(object, len(v))
		for k, e := range v {
			out[k] = clone(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	}
	return v
}

func load(t testing.TB, v any) *dashboard.Dashboard {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	d, err := dashboard.Load("generated.json", data)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// told is what an event says, without the words.
type told struct {
	Kind          Kind
	Panel         string
	Before, After string
}

func tell(e Event) told {
	text := func(n *dashboard.Node) string {
		if n == nil {
			return ""
		}
		return n.Compact()
	}
	return told{e.Kind, e.Panel, text(e.Before), text(e.After)}
}

func compact(v any) string {
	if v == nil {
		return ""
	}
	data, _ := json.Marshal(v)
	d, err := dashboard.Parse("", data)
	if err != nil {
		return string(data)
	}
	return d.Root.Compact()
}

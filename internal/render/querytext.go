package render

import (
	"cmp"
	"strings"

	"lookout/internal/dashboard"
)

// queryText is what a target asks, in the language of its datasource, with the lines it has in the file; "" if there is nothing to read.
func queryText(t *dashboard.Target, ref dashboard.Ref) string {
	n := t.Node
	if ref.Kind == dashboard.RefExpr {
		return expressionText(n)
	}
	switch kind := ref.Type; {
	case kind == "cloudwatch":
		if s := cmp.Or(n.Get("sqlExpression").Text(), n.Get("expression").Text()); s != "" {
			return s
		}
		return words(n, "namespace", "metricName", "statistic", "statistics", "dimensions", "region", "period")
	case kind == "stackdriver":
		if s := cmp.Or(n.Path("timeSeriesQuery", "query").Text(), n.Path("promQLQuery", "expr").Text()); s != "" {
			return s
		}
		return words(n, "timeSeriesList", "metricQuery", "sloQuery")
	case kind == "grafana-azure-monitor-datasource":
		for _, path := range [][]string{{"azureLogAnalytics", "query"}, {"azureResourceGraph", "query"}} {
			if s := n.Path(path...).Text(); s != "" && n.Get("queryType").Text() != "Azure Monitor" {
				return s
			}
		}
		return words(n.Get("azureMonitor"), "metricNamespace", "metricName", "aggregation", "resourceGroup", "resourceName", "resources", "dimensionFilters")
	}
	for _, key := range []string{"expr", "rawSql", "rawQuery", "sql", "queryText", "rawQueryText", "statement", "kql", "query", "target", "expression", "search", "url", "lucene"} {
		if q := n.Get(key); q.Is(dashboard.String) && strings.TrimSpace(q.Text()) != "" {
			return strings.Trim(q.Text(), "\r\n")
		}
	}
	return words(n)
}

// notAsked are members of a target that say how, not what.
var notAsked = map[string]bool{
	"refId": true, "datasource": true, "hide": true, "format": true, "key": true, "queryType": true, "legendFormat": true, "intervalMs": true, "maxDataPoints": true,
	"editorMode": true, "rawQuery": true, "resultFormat": true, "alias": true, "id": true, "matchExact": true, "metricEditorMode": true, "metricQueryType": true,
	"panelId": true, "range": true, "instant": true, "exemplar": true, "adhocFilters": true,
}

const maxWords = 600

// words lists members of a query that is no text: "namespace AWS/EC2, metricName CPUUtilization". Without keys it takes all that say what is asked.
func words(n *dashboard.Node, keys ...string) string {
	var out []string
	size := 0
	var walk func(name string, n *dashboard.Node, depth int)
	walk = func(name string, n *dashboard.Node, depth int) {
		if size > maxWords || depth > 5 {
			return
		}
		switch {
		case n.Is(dashboard.Object):
			for _, c := range n.Children() {
				if depth == 0 && len(keys) == 0 && notAsked[c.Key()] {
					continue
				}
				walk(c.Key(), c, depth+1)
			}
		case n.Is(dashboard.Array):
			for _, c := range n.Items() {
				walk(name, c, depth+1)
			}
		default:
			if s := n.Scalarish(); s != "" && s != "null" && s != "false" {
				size += len(name) + len(s) + 3
				out = append(out, strings.TrimSpace(name+" "+s))
			}
		}
	}
	if len(keys) == 0 {
		walk("", n, 0)
	}
	for _, k := range keys {
		if c := n.Get(k); c != nil {
			walk(k, c, 1)
		}
	}
	return strings.Join(out, ", ")
}

package dashboard

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func load(t *testing.T, src string) *Dashboard {
	t.Helper()
	d, err := Load("d.json", []byte(src))
	require.NoError(t, err)
	return d
}

func TestPanelsOfEveryGenerationOfRowsAreFlattened(t *testing.T) {
	d := load(t, `{"title": "t", "schemaVersion": "16",
	 "panels": [
	  {"id": 1, "type": "stat", "title": "top", "gridPos": {"x": 0, "y": 0, "w": 4, "h": 4}},
	  {"id": 2, "type": "row", "title": "open", "gridPos": {"x": 0, "y": 4, "w": 24, "h": 1}},
	  {"id": 9, "type": "row", "title": "shut", "collapsed": true, "gridPos": {"x": 0, "y": 9, "w": 24, "h": 1},
	   "panels": [{"id": null, "type": "gauge", "title": "inside", "gridPos": {"x": 0, "y": 10, "w": 4, "h": 4}}]},
	  {"id": "7", "type": "table", "title": "under open", "gridPos": {"x": 0, "y": 5, "w": 4, "h": 4}},
	  "nonsense", null, {"type": 5}
	 ],
	 "rows": [{"title": "old", "height": "250px", "panels": [
	  {"id": 1, "type": "graph", "title": "left", "span": 8}, {"type": "graph", "title": "right", "span": 4}, {"type": "graph", "title": "below", "span": 12}]}]}`)
	var got []string
	for _, p := range d.Panels {
		got = append(got, fmt.Sprintf("%s/%s row=%s id=%v:%d nested=%v old=%v", p.Type, p.Title, p.Row.Name(), p.HasID, p.ID, p.Nested, p.OldRow))
	}
	require.Equal(t, []string{
		"row/old row= id=false:0 nested=false old=true",
		"graph/left row=old id=true:1 nested=false old=true",
		"graph/right row=old id=false:0 nested=false old=true",
		"graph/below row=old id=false:0 nested=false old=true",
		"stat/top row= id=true:1 nested=false old=false",
		"row/open row= id=true:2 nested=false old=false",
		"row/shut row= id=true:9 nested=false old=false",
		"gauge/inside row=shut id=false:0 nested=true old=false",
		"table/under open row= id=true:7 nested=false old=false",
		"/ row= id=false:0 nested=false old=false",
	}, got, "a panel without a place makes the file's order count")
	require.Equal(t, 16, d.SchemaVersion)
	require.Equal(t, Grid{0, 1, 16, 7}, d.Panels[1].Grid)
	require.Equal(t, Grid{16, 1, 8, 7}, d.Panels[2].Grid)
	require.Equal(t, Grid{0, 8, 24, 7}, d.Panels[3].Grid)
}

func TestAPanelBelongsToTheRowAboveIt(t *testing.T) {
	d := load(t, `{"title": "t", "panels": [
	  {"type": "stat", "title": "b", "gridPos": {"x": 0, "y": 12, "w": 4, "h": 4}},
	  {"type": "stat", "title": "a", "gridPos": {"x": 0, "y": 2, "w": 4, "h": 4}},
	  {"type": "row", "title": "A", "gridPos": {"y": 1, "w": 24, "h": 1}},
	  {"type": "row", "title": "B", "gridPos": {"y": 11, "w": 24, "h": 1}}]}`)
	require.Equal(t, "B", d.Panels[0].Row.Name())
	require.Equal(t, "A", d.Panels[1].Row.Name())
	require.Equal(t, []*Panel{d.Panels[0]}, d.Children(d.Panels[3]))
}

func TestDatasourcesInAllShapes(t *testing.T) {
	for _, tt := range []struct {
		json string
		want RefKind
		typ  string
	}{
		{`{}`, RefAbsent, ""},
		{`{"datasource": null}`, RefNull, ""},
		{`{"datasource": "Prometheus Main"}`, RefName, ""},
		{`{"datasource": "$ds"}`, RefVariable, "prometheus"},
		{`{"datasource": "${ds}"}`, RefVariable, "prometheus"},
		{`{"datasource": "[[ds]]"}`, RefVariable, "prometheus"},
		{`{"datasource": {"uid": "$ds"}}`, RefVariable, "prometheus"},
		{`{"datasource": {"uid": "${ds:raw}", "type": "loki"}}`, RefVariable, "loki"},
		{`{"datasource": "${DS_LOKI}"}`, RefInput, "loki"},
		{`{"datasource": {"uid": "${DS_LOKI}"}}`, RefInput, "loki"},
		{`{"datasource": {"uid": "${gone}"}}`, RefVariable, ""},
		{`{"datasource": {"type": "prometheus", "uid": "abc"}}`, RefUID, "prometheus"},
		{`{"datasource": {"type": "prometheus"}}`, RefNull, "prometheus"},
		{`{"datasource": "-- Mixed --"}`, RefMixed, ""},
		{`{"datasource": {"type": "datasource", "uid": "-- Mixed --"}}`, RefMixed, "datasource"},
		{`{"datasource": "-- Dashboard --"}`, RefDashboard, ""},
		{`{"datasource": "-- Grafana --"}`, RefGrafana, "grafana"},
		{`{"datasource": {"type": "datasource", "uid": "grafana"}}`, RefGrafana, "datasource"},
		{`{"datasource": {"type": "__expr__", "uid": "__expr__"}}`, RefExpr, "__expr__"},
		{`{"datasource": 7}`, RefInvalid, ""},
		{`{"datasource": ["a"]}`, RefInvalid, ""},
	} {
		d := load(t, `{"title": "t", "__inputs": [{"name": "DS_LOKI", "type": "datasource", "pluginId": "loki"}],
		 "templating": {"list": [{"name": "ds", "type": "datasource", "query": "prometheus"}]}, "panels": [`+tt.json+`]}`)
		got := d.Datasource(d.Panels[0], nil)
		require.Equal(t, tt.want, got.Kind, tt.json)
		require.Equal(t, tt.typ, got.Type, tt.json)
	}
}

func TestATargetInheritsItsPanelsDatasource(t *testing.T) {
	d := load(t, `{"title": "t", "panels": [{"datasource": {"type": "loki", "uid": "l"}, "targets": [{"refId": "A"}, {"refId": "B", "datasource": {"type": "prometheus", "uid": "p"}}, {"panelId": 3}]}]}`)
	p := d.Panels[0]
	require.Equal(t, "l", d.Datasource(p, p.Targets[0]).Value)
	require.Equal(t, "p", d.Datasource(p, p.Targets[1]).Value)
	require.Nil(t, p.Targets[2].ExprNode)
}

func TestVariableQueriesAreTakenApart(t *testing.T) {
	for _, tt := range []struct {
		q    string
		want VariableQuery
	}{
		{`label_values(up, instance)`, VariableQuery{Func: LabelValues, Expr: "up", ExprAt: 13, Label: "instance"}},
		{`label_values(up{a="b,c"}, $label)`, VariableQuery{Func: LabelValues, Expr: `up{a="b,c"}`, ExprAt: 13, Label: "$label"}},
		{` label_values( instance ) `, VariableQuery{Func: LabelValues, ExprAt: 14, Label: "instance"}},
		{`label_names(up)`, VariableQuery{Func: LabelNames, Expr: "up", ExprAt: 12}},
		{`label_names()`, VariableQuery{Func: LabelNames, ExprAt: 12}},
		{`metrics(node_.*)`, VariableQuery{Func: Metrics, Regex: "node_.*"}},
		{`query_result(topk(5, up))`, VariableQuery{Func: QueryResult, Expr: "topk(5, up)", ExprAt: 13}},
		{`sum(up) by (job)`, VariableQuery{Expr: "sum(up) by (job)"}},
		{`up`, VariableQuery{Expr: "up"}},
	} {
		require.Equal(t, tt.want, ParseVariableQuery(tt.q), tt.q)
	}
}

func TestVariablesAndAnnotations(t *testing.T) {
	d := load(t, `{"title": "t", "templating": {"list": [
	  {"name": "a", "type": "query", "query": "label_values(up, job)", "refresh": 1, "multi": true},
	  {"name": "b", "type": "query", "query": {"query": "label_values(up, instance)", "refId": "x"}, "refresh": true},
	  {"name": "c", "type": "query", "query": "", "definition": "label_values(x)"}, "junk"]},
	 "annotations": {"list": [{"builtIn": 1, "name": "own", "enable": false}, {"expr": "up == 0"}, {"target": {"expr": "changes(x[5m])"}}]}}`)
	require.Equal(t, "label_values(up, job)", d.Variable("a").Query)
	require.True(t, d.Variable("a").Multi)
	require.Equal(t, "/templating/list/1/query/query", d.Variable("b").QueryNode.Pointer())
	require.Equal(t, 1, d.Variable("b").Refresh)
	require.Equal(t, "label_values(x)", d.Variable("c").Query)
	require.True(t, d.Annotations[0].BuiltIn)
	require.False(t, d.Annotations[0].Enabled)
	require.Equal(t, "/annotations/list/1/expr", d.Annotations[1].ExprNode.Pointer())
	require.Equal(t, "/annotations/list/2/target/expr", d.Annotations[2].ExprNode.Pointer())
}

func TestUnitsAndThresholdsOfEveryGeneration(t *testing.T) {
	d := load(t, `{"title": "t", "panels": [
	 {"type": "timeseries", "fieldConfig": {"defaults": {"unit": "bytes", "thresholds": {"mode": "percentage", "steps": [{"color": "green", "value": null}, {"color": "red", "value": 80}]}},
	   "overrides": [{"matcher": {}, "properties": [{"id": "thresholds", "value": {"steps": [{"value": 5}]}}, {"id": "links", "value": [{"url": "u"}]}]}]}},
	 {"type": "graph", "yaxes": [{"format": "s"}, {"format": "short"}], "thresholds": [{"value": 8, "colorMode": "critical"}]},
	 {"type": "singlestat", "format": "percent", "thresholds": "50, 80"}]}`)
	ts, graph, stat := d.Panels[0], d.Panels[1], d.Panels[2]
	require.Equal(t, []string{"bytes", "s", "percent"}, []string{ts.Unit, graph.Unit, stat.Unit})
	require.Len(t, ts.Thresholds, 3)
	require.False(t, ts.Thresholds[0].HasValue)
	require.True(t, ts.Thresholds[1].Percentage)
	require.NotNil(t, ts.Thresholds[2].Override)
	require.Equal(t, "u", ts.Links[0].URL)
	require.Equal(t, 8.0, graph.Thresholds[0].Value)
	require.Equal(t, []float64{50, 80}, []float64{stat.Thresholds[0].Value, stat.Thresholds[1].Value})
}

func TestWhatIsADashboard(t *testing.T) {
	for src, want := range map[string]bool{
		`{"title": "t", "panels": []}`:                                            true,
		`{"rows": [], "schemaVersion": 6}`:                                        true,
		`{"title": "empty", "time": {}, "templating": {}}`:                        true,
		`{"dashboard": {"title": "t", "panels": []}, "meta": {}}`:                 true,
		`{"kind": "Dashboard", "spec": {"title": "t", "panels": []}}`:             true,
		`{"name": "x", "version": "1.0.0", "dependencies": {}}`:                   false,
		`{"groups": [{"rules": []}]}`:                                             false,
		`{"type": "timeseries", "title": "a panel", "panels": [], "targets": []}`: false,
		`[]`:   false,
		`null`: false,
	} {
		_, err := Load("f", []byte(src))
		if want {
			require.NoError(t, err, src)
		} else {
			require.ErrorIs(t, err, ErrNotDashboard, src)
		}
	}
}

func TestCanonicalDropsNoiseAndKeepsMeaning(t *testing.T) {
	d := load(t, `{"version": 4, "title": "t", "id": 12, "iteration": 1, "gnetId": null, "__requires": [], "schemaVersion": 38, "panels": [
	 {"id": 3, "type": "stat", "pluginVersion": "10.0.0", "options": {"x": 1}}, {"type": "heatmap", "pluginVersion": "10.0.0"}],
	 "templating": {"list": [
	  {"type": "query", "name": "q", "refresh": 1, "current": {"text": "a"}, "options": []},
	  {"type": "query", "name": "all", "refresh": 1, "includeAll": true, "current": {"text": "All", "value": "$__all"}, "options": []},
	  {"type": "query", "name": "never", "refresh": 0, "options": [{"text": "a"}]},
	  {"type": "custom", "name": "c", "query": "a,b", "current": {"text": "b"}, "options": [{}]},
	  {"type": "datasource", "name": "d", "current": {"text": "Prom"}}]}}`)
	want := load(t, `{"title": "t", "schemaVersion": 38, "panels": [
	 {"id": 3, "type": "stat", "options": {"x": 1}}, {"type": "heatmap", "pluginVersion": "10.0.0"}],
	 "templating": {"list": [
	  {"type": "query", "name": "q", "refresh": 1, "current": {"text": "a"}},
	  {"type": "query", "name": "all", "refresh": 1, "includeAll": true},
	  {"type": "query", "name": "never", "refresh": 0, "options": [{"text": "a"}]},
	  {"type": "custom", "name": "c", "query": "a,b", "current": {"text": "b"}, "options": [{}]},
	  {"type": "datasource", "name": "d", "current": {"text": "Prom"}}]}}`)
	require.Equal(t, string(want.Root.JSON()), string(d.Canonical()))
	require.Equal(t, string(d.Canonical()), string(load(t, string(d.Canonical())).Canonical()))
	require.Nil(t, d.Noise(d.Root.Find("/panels/0/options/x")))
	require.NotNil(t, d.Noise(d.Root.Find("/templating/list/1/current/text")), "what is below noise is noise")
}

func TestFindWalksDirectories(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"a/x.json", "a/.hidden/y.json", "a/node_modules/z.json", "b.JSON", "c.yaml", "a/b/deep.json"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(f)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, f), []byte("{}"), 0o644))
	}
	found, err := Find([]string{filepath.Join(dir, "c.yaml"), dir, filepath.Join(dir, "a")})
	require.NoError(t, err)
	var names []string
	for _, f := range found.Files {
		rel, _ := filepath.Rel(dir, f)
		names = append(names, filepath.ToSlash(rel))
	}
	require.Equal(t, []string{"c.yaml", "a/b/deep.json", "a/x.json", "b.JSON"}, names)
	_, err = Find([]string{filepath.Join(dir, "gone")})
	require.ErrorContains(t, err, "gone: no such file or directory")
}

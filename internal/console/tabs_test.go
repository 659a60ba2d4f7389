package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lookout/internal/console"
)

// tabbed is a V2 dashboard of two tabs, the second with tabs of its own, and a variable with filters.
const tabbed = `{"apiVersion": "dashboard.grafana.app/v2", "kind": "Dashboard", "metadata": {"name": "tabs"}, "spec": {"title": "Tabs", "tags": ["test"],
 "timeSettings": {"from": "now-1h", "to": "now"},
 "variables": [{"kind": "AdhocVariable", "group": "prometheus", "datasource": {"name": "prom"}, "spec": {"name": "filters", "label": "Filters", "hide": "dontHide",
   "baseFilters": [], "filters": [{"key": "job", "operator": "=", "value": "go"}]}}],
 "elements": {
  "panel-1": {"kind": "Panel", "spec": {"id": 1, "title": "Threads", "links": [], "data": {"kind": "QueryGroup", "spec": {"queries": [{"kind": "PanelQuery", "spec": {"refId": "A", "hidden": false,
   "query": {"kind": "DataQuery", "group": "prometheus", "version": "v0", "datasource": {"name": "prom"}, "spec": {"expr": "go_threads"}}}}], "transformations": [], "queryOptions": {}}},
   "vizConfig": {"kind": "VizConfig", "group": "timeseries", "version": "13.0.0", "spec": {"options": {}, "fieldConfig": {"defaults": {}, "overrides": []}}}}},
  "panel-2": {"kind": "Panel", "spec": {"id": 2, "title": "Resident", "links": [], "data": {"kind": "QueryGroup", "spec": {"queries": [{"kind": "PanelQuery", "spec": {"refId": "A", "hidden": false,
   "query": {"kind": "DataQuery", "group": "prometheus", "version": "v0", "datasource": {"name": "prom"}, "spec": {"expr": "sum(process_resident_memory_bytes) / sum(up)"}}}}], "transformations": [], "queryOptions": {}}},
   "vizConfig": {"kind": "VizConfig", "group": "timeseries", "version": "13.0.0", "spec": {"options": {}, "fieldConfig": {"defaults": {}, "overrides": []}}}}},
  "panel-3": {"kind": "Panel", "spec": {"id": 3, "title": "Heap", "links": [], "data": {"kind": "QueryGroup", "spec": {"queries": [{"kind": "PanelQuery", "spec": {"refId": "A", "hidden": false,
   "query": {"kind": "DataQuery", "group": "prometheus", "version": "v0", "datasource": {"name": "prom"}, "spec": {"expr": "go_memstats_heap_alloc_bytes"}}}}], "transformations": [], "queryOptions": {}}},
   "vizConfig": {"kind": "VizConfig", "group": "timeseries", "version": "13.0.0", "spec": {"options": {}, "fieldConfig": {"defaults": {}, "overrides": []}}}}}},
 "layout": {"kind": "TabsLayout", "spec": {"tabs": [
  {"kind": "TabsLayoutTab", "spec": {"title": "Go runtime", "layout": {"kind": "GridLayout", "spec": {"items": [{"kind": "GridLayoutItem", "spec": {"x": 0, "y": 0, "width": 24, "height": 8, "element": {"kind": "ElementReference", "name": "panel-1"}}}]}}}},
  {"kind": "TabsLayoutTab", "spec": {"title": "Memory", "layout": {"kind": "RowsLayout", "spec": {"rows": [
   {"kind": "RowsLayoutRow", "spec": {"title": "All of it", "collapse": false, "layout": {"kind": "TabsLayout", "spec": {"tabs": [
    {"kind": "TabsLayoutTab", "spec": {"title": "Process", "layout": {"kind": "GridLayout", "spec": {"items": [{"kind": "GridLayoutItem", "spec": {"x": 0, "y": 0, "width": 24, "height": 8, "element": {"kind": "ElementReference", "name": "panel-2"}}}]}}}},
    {"kind": "TabsLayoutTab", "spec": {"title": "堆", "layout": {"kind": "GridLayout", "spec": {"items": [{"kind": "GridLayoutItem", "spec": {"x": 0, "y": 0, "width": 24, "height": 8, "element": {"kind": "ElementReference", "name": "panel-3"}}}]}}}}]}}}}]}}}}]}}}}`

func TestTabsAndFilters(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []string
	prom := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/query_range") {
			mu.Lock()
			asked = append(asked, r.FormValue("query"))
			mu.Unlock()
			_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"matrix","result":[]}}`))
			return
		}
		_, _ = w.Write([]byte(`{"status":"success","data":["instance","job"]}`))
	}))
	t.Cleanup(prom.Close)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tabs.json"), []byte(tabbed), 0o644))
	c := startConsole(t, console.Config{Paths: []string{dir}, Prometheus: prom.URL, Location: time.UTC})
	for _, test := range []struct {
		query  string
		bars   []string // the tabs of each bar, the chosen one in brackets
		panels string
		asked  []string
	}{
		{"", []string{"[Go runtime] Memory"}, "1", []string{`go_threads{job="go"}`}},
		{"dtab=go-runtime&var-filters=", []string{"[Go runtime] Memory"}, "1", []string{`go_threads`}},
		{"dtab=memory", []string{"Go runtime [Memory]", "[Process] 堆"}, "2", []string{`sum(process_resident_memory_bytes{job="go"}) / sum(up{job="go"})`}},
		{"dtab=memory&memory-all-of-it-dtab=堆&var-filters=instance|=~|go.*&var-filters=job!=x", []string{"Go runtime [Memory]", "Process [堆]"}, "3",
			[]string{`go_memstats_heap_alloc_bytes{instance=~"go.*",job!="x"}`}},
		{"dtab=none&var-filters=a=b", []string{"[Go runtime] Memory"}, "1", []string{`go_threads{a="b"}`}},
		// A panel by itself is shown whatever its tab.
		{"viewPanel=3&var-filters=job|=__gfp__|a.b|c", nil, "3", []string{`go_memstats_heap_alloc_bytes{job=~"a\\.b|c"}`}},
	} {
		q, err := url.ParseQuery(test.query)
		require.NoError(t, err)
		code, page, err := get(c.url + "/d/tabs?" + q.Encode())
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, code, page)
		var bars []string
		for _, bar := range regexp.MustCompile(`(?s)<nav class="tabs".*?</nav>`).FindAllString(page, -1) {
			var names []string
			for _, a := range regexp.MustCompile(`<a href="([^"]*)"( aria-current="true")?>([^<]*)</a>`).FindAllStringSubmatch(bar, -1) {
				name := a[3]
				if a[2] != "" {
					name = "[" + name + "]"
				}
				names = append(names, name)
				to, err := url.Parse(strings.ReplaceAll(a[1], "&amp;", "&"))
				require.NoError(t, err)
				assert.Equal(t, q["var-filters"], to.Query()["var-filters"], "the filters go along")
			}
			bars = append(bars, strings.Join(names, " "))
		}
		assert.Equal(t, test.bars, bars, test.query)
		var keys []string
		for _, m := range regexp.MustCompile(`data-key="([^"]+)"`).FindAllStringSubmatch(page, -1) {
			keys = append(keys, m[1])
		}
		assert.Equal(t, test.panels, strings.Join(keys, " "), test.query)
		mu.Lock()
		asked = nil
		mu.Unlock()
		code, body, err := get(c.url + "/panels/tabs?p=" + test.panels + ":400x200&" + q.Encode())
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, code, body)
		mu.Lock()
		assert.Equal(t, test.asked, asked, "%s: %s", test.query, body)
		mu.Unlock()
	}
	_, page, err := get(c.url + "/d/tabs?var-filters=" + url.QueryEscape("job=~(") + "&var-filters=" + url.QueryEscape("a|=|b"))
	require.NoError(t, err)
	assert.Contains(t, page, "not a valid regular expression")
	assert.Contains(t, page, `name="var-filters" value="a|=|b"`)
	assert.Contains(t, page, `<option value="instance=">`)
}

package contract_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lookout/internal/contract"
	"lookout/internal/dashboard"
	"lookout/internal/dashboard/dashtest"
	"lookout/internal/promql"
	"lookout/internal/queries"
)

const exposition = `# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{code="200",method="GET",route="/"} 5
http_requests_total{code="200",method="POST",route="/orders"} 5
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{route="/",le="0.1"} 1
http_request_duration_seconds_bucket{route="/",le="+Inf"} 1
http_request_duration_seconds_sum{route="/"} 1
http_request_duration_seconds_count{route="/"} 1
# TYPE go_gc_duration_seconds summary
go_gc_duration_seconds{quantile="0.5"} 1
go_gc_duration_seconds_sum 1
go_gc_duration_seconds_count 1
# TYPE go_threads gauge
go_threads 8
# TYPE build_info gauge
build_info{version="1"} 1
# TYPE never_seen_total counter
plain 1
`

func inventory(t testing.TB, text string) *contract.Inventory {
	t.Helper()
	inv := contract.NewInventory("the exporter")
	require.NoError(t, inv.ReadExposition("metrics.txt", "", strings.NewReader(text)))
	return inv
}

// problems gives what check says about a query, as "rule: message".
func problems(c *contract.Checker, query string) []string {
	q := queries.ForAlert("A", query, promql.NewParser(), func(int) dashboard.Position { return dashboard.Position{} })
	var out []string
	for _, p := range c.Query(q) {
		out = append(out, p.Rule+": "+p.Message)
	}
	return out
}

func TestQueriesThatFit(t *testing.T) {
	c := contract.New(inventory(t, exposition), nil)
	for _, q := range []string{
		`rate(http_requests_total[5m])`, `sum by (code, job) (rate(http_requests_total{job="go",instance=~"x.*",code="500"}[5m]))`, `up == 0`,
		`histogram_quantile(0.9, sum by (le, route) (rate(http_request_duration_seconds_bucket{route="/"}[5m])))`, `histogram_quantile(0.9, rate(http_request_duration_seconds_bucket{le="0.1"}[5m]))`,
		`rate(http_request_duration_seconds_sum[5m]) / rate(http_request_duration_seconds_count[5m])`, `go_gc_duration_seconds{quantile="0.5"}`,
		`go_threads > $x`, `{__name__=~"http_.*"}`, `{job="go"}`, `http_requests_total{method=~"$method"} unless up`, `http_$kind`, `go_threads or gone_threads`, `(gone or go_threads) > 5`,
		`http_requests_total{code=~"5.."} and http_requests_total`, `never_seen_total{anything="x"}`, `rate(never_seen_total[5m])`, `plain`, `rate(plain[5m])`, `build_info{version!=""}`,
		`go_threads{gone=""}`, `go_threads{gone!="x"}`, `ALERTS{alertstate="firing"}`, `count(http_requests_total)`, `http_requests_total{method="GET",route=~"/|/orders"} and on() up`,
		`sum by ($by) (go_threads)`, `label_replace(go_threads, "x", "$1", "job", "(.*)")`, `scrape_samples_scraped`,
	} {
		found := slices.DeleteFunc(problems(c, q), func(p string) bool { return strings.HasPrefix(p, contract.RuleType) })
		require.Empty(t, found, q)
	}
}

func TestQueriesThatDont(t *testing.T) {
	inv := inventory(t, exposition)
	inv.AddRecorded("job:http_requests:rate5m")
	c := contract.New(inv, inventory(t, exposition+"go_lookups_total 1\n"))
	for _, tt := range []struct{ query, want string }{
		{`rate(http_request_total[5m])`, "check-metric: the exporter does not expose http_request_total; did you mean http_requests_total?"},
		{`sum(http_requests)`, "check-metric: the exporter does not expose http_requests; did you mean http_requests_total?"},
		{`go_lookups_total`, "check-metric: go_lookups_total was dropped from the exporter"},
		{`job:http_request:rate5m`, "check-metric: no recording rule gives job:http_request:rate5m; did you mean job:http_requests:rate5m?"},
		{`{__name__=~"mysql_.*"}`, `check-metric: the exporter exposes no metric that matches {__name__=~"mysql_.*"}`},
		{`mysql_${kind}_total`, "check-metric: the exporter exposes no metric like mysql_${kind}_total"},
		{`rate(http_requests_total{status="200"}[5m])`, "check-label: http_requests_total has no label status; its labels are code, method, route"},
		{`go_threads{a=~"b.+"}`, "check-label: go_threads has no label a, it has none"},
		{`rate(http_requests_total{route="/order"}[5m])`, `check-value: no series of http_requests_total has route="/order"; its values are /, /orders`},
		{`rate(http_requests_total{method="GET",route="/orders"}[5m])`, `check-value: no series of http_requests_total has method="GET", route="/orders" at once`},
		{`rate(http_request_duration_seconds_bucket{le="0.2"}[5m])`, `check-value: no series of http_request_duration_seconds_bucket has le="0.2"; its values are +Inf, 0.1`},
		{`sum by (status) (rate(http_requests_total[5m]))`, "check-label: sum by (status), but http_requests_total has no such label; its labels are code, method, route"},
		{`sum by (code) (rate(http_requests_total[5m])) / on (code, status) rate(http_requests_total[5m])`, "check-label: on (status), but http_requests_total has no such label; its labels are code, method, route"},
		{`go_threads * on (job) group_left (version) rate(http_requests_total[5m])`, "check-label: group_left (version) takes the label from http_requests_total, which has no such label; its labels are code, method, route"},
		{`rate(go_threads[5m])`, "check-type: rate() on go_threads, which is a gauge; use delta() or deriv()"},
		{`deriv(http_requests_total[5m])`, "check-type: deriv() on http_requests_total, which is a counter and falls with each restart; use rate() or increase()"},
		{`http_requests_total > 5`, "check-type: http_requests_total is a counter but shown as it is; show rate() or increase() of it"},
		{`histogram_quantile(0.9, go_threads)`, "check-type: histogram_quantile() of go_threads, which is a gauge"},
		{`histogram_quantile(0.9, rate(http_request_duration_seconds_sum[5m]))`, "check-type: histogram_quantile() of http_request_duration_seconds_sum; the buckets are http_request_duration_seconds_bucket"},
		{`histogram_quantile(0.9, go_gc_duration_seconds)`, "check-type: histogram_quantile() of go_gc_duration_seconds, which is a summary"},
		{`gone_a or gone_b`, "check-metric: the exporter does not expose gone_a"},
		{`rate(gone_total[5m]) or vector(0)`, "check-metric: the exporter does not expose gone_total"},
	} {
		got := problems(c, tt.query)
		require.NotEmpty(t, got, tt.query)
		require.Equal(t, tt.want, got[0], tt.query)
	}
}

func TestExpositions(t *testing.T) {
	inv := inventory(t, "# TYPE a counter\na_total{x=\"1\"} 5\na_created{x=\"1\"} 5\n# TYPE h histogram\n# TYPE i info\ni_info{v=\"1\"} 1\n# EOF\n")
	c := contract.New(inv, nil)
	require.Empty(t, problems(c, `rate(a_total{x="1"}[5m])`))
	require.Empty(t, problems(c, `rate(h_bucket{le="1"}[5m])`), "declared, without samples yet")
	require.NotEmpty(t, problems(c, `rate(a[5m])`))
	for text, want := range map[string]string{
		"":                        "there is no metric in it",
		"<html>":                  "this is a page, not metrics",
		`{"status": "success"}`:   "this is a page, not metrics",
		"a{b=\"c\" 1\n":           "no exposition of metrics",
		"# just a comment\n":      "there is no metric in it",
		"a 1\nb{x=\"y\"} seven\n": "after 1 samples",
	} {
		require.ErrorContains(t, contract.NewInventory("x").ReadExposition("m", "", strings.NewReader(text)), want, text)
	}
	require.NoError(t, contract.NewInventory("x").ReadExposition("m", "", strings.NewReader("a 1\r\nb 2")), "as an editor on Windows leaves it")
}

func TestHowMuchOfADashboardFits(t *testing.T) {
	d, err := dashboard.Load("d.json", []byte(`{"title": "T",
	 "templating": {"list": [{"name": "v", "type": "query", "query": "label_values(go_threads, version)"}, {"name": "w", "type": "query", "query": "label_values(nowhere)", "datasource": {"type": "prometheus"}},
	  {"name": "m", "type": "query", "query": "metrics(mysql_.*)", "datasource": {"type": "prometheus"}}]},
	 "panels": [{"type": "row", "title": "R"}, {"type": "text", "title": "no query"},
	 {"type": "stat", "title": "good", "targets": [{"expr": "go_threads"}, {"expr": "up"}]},
	 {"type": "stat", "title": "bad", "targets": [{"expr": "go_threads"}, {"expr": "gone"}]},
	 {"type": "stat", "title": "also bad", "targets": [{"expr": "rate(gone[5m]) / other"}]},
	 {"type": "stat", "title": "logs", "datasource": {"type": "loki"}, "targets": [{"expr": "{a=\"b\"}"}]}]}`))
	require.NoError(t, err)
	c := contract.New(inventory(t, strings.Replace(exposition, "# TYPE never_seen_total counter\n", "", 1)), nil)
	fit, findings := c.Dashboard(d, queries.Of(d, promql.NewParser()))
	require.Equal(t, "fits 1 of 3 panels; missing: gone, other", fit.String())
	require.Equal(t, []string{"bad", "also bad"}, fit.Broken)
	require.Equal(t, []string{"bad", "also bad"}, c.UsedBy("gone"))
	var got []string
	for _, f := range findings {
		got = append(got, fmt.Sprintf("%s %s", f.Rule, f.Panel))
	}
	require.Equal(t, []string{"check-label variable w", "check-metric variable m", "check-label variable v", "check-metric bad", "check-metric also bad", "check-metric also bad"}, got)
}

// TestSeededRenames renames metrics of an exporter and asks for exactly the queries that use them: all of them, no others, and with the new name where it is near.
func TestSeededRenames(t *testing.T) {
	for seed := range uint64(5) {
		metrics := dashtest.Metrics(seed, 300)
		files := dashtest.Collection(seed, 40, metrics)
		r := rand.New(rand.NewPCG(seed, 9))
		rename := map[string]string{}
		for _, i := range r.Perm(len(metrics))[:25] {
			old := metrics[i].Name
			base, unit := old[:strings.LastIndexByte(old, '_')], old[strings.LastIndexByte(old, '_'):]
			rename[old] = []string{base + "_v2" + unit, "new_" + old, ""}[r.IntN(3)]
		}
		inv := inventory(t, string(dashtest.Exposition(metrics, rename)))
		c := contract.New(inv, inventory(t, string(dashtest.Exposition(metrics, nil))))
		p := promql.NewParser()
		affected, told, suggested := 0, 0, 0
		for _, f := range files {
			d, err := dashboard.Load(f.Name, f.Data)
			require.NoError(t, err)
			for _, q := range queries.Of(d, p) {
				uses := map[string]bool{}
				for old := range rename {
					for _, s := range q.Selectors() {
						if s.Metric == old || strings.HasPrefix(s.Metric, old+"_") && strings.HasSuffix(old, "_seconds") {
							uses[old] = true
						}
					}
				}
				found := c.Query(q)
				if len(uses) == 0 {
					require.Empty(t, found, "false alarm: %s", q.Text)
					continue
				}
				affected++
				require.NotEmpty(t, found, "missed: %s", q.Text)
				told++
				for old := range uses {
					if to := rename[old]; to != "" && strings.Contains(found[0].Message, "did you mean "+to) {
						suggested++
					}
				}
			}
		}
		require.Greater(t, affected, 20)
		t.Logf("seed %d: %d of %d broken queries told, the new name suggested in %d", seed, told, affected, suggested)
	}
}

func TestALiveExporter(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprint(w, exposition)
	}))
	defer srv.Close()
	inv := contract.NewInventory("the exporter")
	require.NoError(t, inv.ReadURL(t.Context(), srv.Client(), srv.URL+"/metrics"))
	require.Empty(t, problems(contract.New(inv, nil), "go_threads"))
	require.ErrorContains(t, inv.ReadURL(t.Context(), srv.Client(), srv.URL), "404")
}

func TestAPrometheus(t *testing.T) {
	var asked []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		w.Header().Set("Content-Type", "application/json")
		data := "[]"
		switch r.URL.Path {
		case "/api/v1/metadata":
			data = `{"http_requests": [{"type": "unknown", "help": "", "unit": ""}], "x_total": [{"type": "counter", "help": "", "unit": ""}], "g": [{"type": "gauge", "help": "", "unit": ""}],
				"letters": [{"type": "counter", "help": "", "unit": ""}], "torn": [{"type": "gauge", "help": "", "unit": ""}, {"type": "counter", "help": "", "unit": ""}]}`
		case "/api/v1/label/__name__/values":
			data = `["x_total", "g", "other", "letters", "letters_total", "torn"]`
		case "/api/v1/rules":
			data = `{"groups": [{"name": "g", "file": "f", "interval": 60, "rules": [{"type": "recording", "name": "a:b", "query": "up", "health": "ok"}]}]}`
		case "/api/v1/series":
			asked = append(asked, r.Form["match[]"]...)
			data = `[{"__name__": "x_total", "job": "go", "code": "200"}, {"__name__": "g", "job": "node"}]`
		}
		fmt.Fprintf(w, `{"status": "success", "data": %s}`, data)
	}))
	defer srv.Close()
	inv := contract.NewInventory("the Prometheus")
	now := time.Unix(1_700_000_000, 0)
	require.NoError(t, inv.ReadPrometheus(t.Context(), srv.Client(), srv.URL, now.Add(-time.Hour), now, []string{"x_total", "g", "gone"}))
	require.Equal(t, []string{`{__name__="x_total"}`, `{__name__="g"}`}, asked, "only what is used and there")
	c := contract.New(inv, nil)
	require.Empty(t, problems(c, `rate(x_total{job="go"}[5m])`))
	require.Empty(t, problems(c, `a:b{anything="x"} + other{unknown="x"}`))
	require.Equal(t, []string{`check-value: no series of x_total has job="web"; its values are go`}, problems(c, `rate(x_total{job="web"}[5m])`), "a Prometheus knows the labels of targets")
	require.Equal(t, []string{"check-type: rate() on g, which is a gauge; use delta() or deriv()"}, problems(c, `rate(g[5m])`))

	require.Empty(t, problems(c, `letters + rate(letters_total[5m])`), "a gauge beside a counter of the same name, as OpenMetrics mixes them up")
	require.NotEmpty(t, problems(c, `letters_total`))
	require.Empty(t, problems(c, `torn + rate(torn[5m])`), "targets disagree about the type")

	srv.Close()
	require.ErrorContains(t, inv.ReadPrometheus(t.Context(), srv.Client(), srv.URL, now, now, nil), "ask the Prometheus at")
}

func TestHostileDashboardsDontCrashTheCheck(t *testing.T) {
	c := contract.New(inventory(t, string(bytes.TrimSpace([]byte(exposition)))), nil)
	p := promql.NewParser()
	for _, f := range dashtest.Hostile(5, 100) {
		d, err := dashboard.Load(f.Name, f.Data)
		require.NoError(t, err)
		c.Dashboard(d, queries.Of(d, p))
	}
}

package slo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func read(t *testing.T, name string) []*SLO {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	slos, err := Read(name, data)
	require.NoError(t, err)
	return slos
}

func TestReadSloth(t *testing.T) {
	s := read(t, "sloth.yaml")
	require.Len(t, s, 1)
	assert.Equal(t, "shop-requests-availability", s[0].Name)
	assert.Equal(t, "RequestsAvailability", s[0].Alert)
	assert.Equal(t, "0.001", s[0].budget())
	assert.Equal(t, `sum by (job) (rate(http_requests_total{code=~"5.."}[{{.window}}]))`, s[0].Errors)
	assert.Equal(t, "30d", s[0].Window)

	s, err := Read("x.yaml", []byte(`
version: prometheus/v1
service: Shop
labels: {team: shop}
slos:
  - name: raw
    objective: 95
    sli: {raw: {error_ratio_query: 'avg_over_time(probe_failed[{{ .window }}])'}}
    alerting:
      annotations: {runbook: https://wiki.example.com/slo}
      page_alert: {disable: true}
      ticket_alert: {labels: {severity: info}}
`))
	require.NoError(t, err)
	text := string(Alerts("x.yaml", s))
	assert.NotContains(t, text, "BudgetBurns1h", "pages are disabled")
	for _, want := range []string{"ShopRawBudgetBurns1d", "severity: info", "team: shop", "runbook_url: https://wiki.example.com/slo", "objective 95% over 30d"} {
		assert.Contains(t, text, want)
	}
	assert.Contains(t, string(Recordings("x.yaml", s)), "(avg_over_time(probe_failed[3d])) / 0.05")
}

func TestReadOpenSLO(t *testing.T) {
	s := read(t, "openslo.yaml")
	require.Len(t, s, 1)
	assert.Equal(t, "99.5", s[0].Objective)
	assert.Equal(t, "0.005", s[0].budget())
	assert.Equal(t, "sum(rate(http_requests_total[{{.window}}]))", s[0].Total)
	assert.Equal(t, `(sum(rate(http_requests_total[{{.window}}]))) - (sum(rate(http_requests_total{code!~"5.."}[{{.window}}])))`, s[0].Errors)
	// 2 % of 28 days in an hour.
	assert.Equal(t, "13.44", s[0].factor(pairs[0]))
}

func TestMistakes(t *testing.T) {
	own := func(fields, slo string) string { return "slos:\n  - {name: web" + fields + ", slo: {" + slo + "}}\n" }
	const good = `objective: 99.9, errors: 'sum(rate(e[{{.window}}]))', total: 'sum(rate(t[{{.window}}]))'`
	for name, test := range map[string]struct{ file, want string }{
		"objective of 100":   {own("", strings.Replace(good, "99.9", "100", 1)), `objective is "100"; write a percentage above 0 and below 100`},
		"objective in words": {own("", strings.Replace(good, "99.9", "three nines", 1)), `objective is "three nines"`},
		"no total":           {own("", `objective: 99, errors: 'sum(rate(e[{{.window}}]))'`), "it needs errors and total"},
		"ratio and events":   {own("", good+`, ratio: 'r{{.window}}'`), "it needs errors and total, two rates of events, or the ratio"},
		"no window":          {own("", strings.Replace(good, "{{.window}}", "5m", 1)), "errors has no {{.window}}"},
		"not PromQL":         {own("", strings.Replace(good, "sum(rate(e", "sum(rate((e", 1)), "errors is not PromQL"},
		"short window":       {own("", good+", window: 1d"), `window is "1d"; write seven days or more`},
		"a name":             {strings.Replace(own("", good), "web", "Web!", 1), `the name is "Web!"`},
		"minimum":            {own(", minimum_errors: -1", good), "minimum_errors is -1"},
		"a label of ours":    {own(", labels: {slo: x}", good), `label slo: "x" can't be set`},
		"an unknown field":   {own(", objective: 9", good), "field objective not found"},
		"nothing":            {"slos: []\n", "holds no objectives"},
		"empty":              {"", "holds no objectives"},
		"another version":    {"version: prometheus/v2\n", `is of version "prometheus/v2", which is not known`},
		"a plugin of sloth":  {"version: prometheus/v1\nservice: s\nslos: [{name: a, objective: 99, sli: {plugin: {id: x}}}]\n", "uses a plugin of sloth"},
		"an old OpenSLO":     {"apiVersion: openslo/v1alpha\nkind: SLO\n", "only openslo/v1 is read"},
		"time slices":        {"apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: a}\nspec: {budgetingMethod: Timeslices, objectives: [{target: 0.9}]}\n", "budgetingMethod is Timeslices"},
		"no indicator":       {"apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: a}\nspec: {indicatorRef: i, timeWindow: [{duration: 30d}], objectives: [{target: 0.9}]}\n", `its indicator "i" is not in this file`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read("slos/web.yaml", []byte(test.file))
			require.ErrorContains(t, err, test.want)
			assert.ErrorContains(t, err, "slos/web.yaml")
		})
	}
	_, err := Read("slos/web.yaml", []byte(own("", good)))
	require.NoError(t, err, "what the mistakes are made of")
}

func TestStale(t *testing.T) {
	source := []byte(fmt.Sprintf("slos:\n  - {name: web, slo: {objective: 99.9, errors: '%s', total: '%s'}}\n", "sum(rate(e[{{.window}}]))", "sum(rate(t[{{.window}}]))"))
	repo := fstest.MapFS{"slos/web.yaml": {Data: source}, "alerts/slo-web.test.yaml": {}}
	stale, err := Stale(repo, "slos", "alerts")
	require.NoError(t, err)
	assert.Equal(t, []string{"alerts/slo-web.yaml", "slos/rules/web.yaml"}, stale, "nothing was written yet")

	files, err := Generate(repo, "slos", "alerts")
	require.NoError(t, err)
	for _, f := range files {
		repo[f.Path] = &fstest.MapFile{Data: f.Data}
	}
	stale, err = Stale(repo, "slos", "alerts")
	require.NoError(t, err)
	assert.Empty(t, stale)

	repo["slos/web.yaml"] = &fstest.MapFile{Data: []byte(strings.Replace(string(source), "99.9", "99", 1))}
	repo["alerts/slo-gone.yaml"] = &fstest.MapFile{}
	stale, err = Stale(repo, "slos", "alerts")
	require.NoError(t, err)
	assert.Equal(t, []string{"alerts/slo-web.yaml", "slos/rules/web.yaml", "alerts/slo-gone.yaml"}, stale)

	repo["slos/again.yaml"] = &fstest.MapFile{Data: source}
	_, err = Stale(repo, "slos", "alerts")
	require.ErrorContains(t, err, `slo "web" is in slos/again.yaml already`)
}

package lint

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lookout/internal/dashboard"
	"lookout/internal/dashboard/dashtest"
	"lookout/internal/finding"
	"lookout/internal/promql"
	"lookout/internal/rules"
)

// judge runs queries through one rule: those of bad must be reported, those of good must not.
func judge(t *testing.T, rule string, bad, good []string) {
	t.Helper()
	for _, q := range bad {
		require.NotEmpty(t, findings(t, rule, "promql", q), q)
	}
	for _, q := range good {
		require.Empty(t, findings(t, rule, "promql", q), q)
	}
}

// judgePanel does the same with panels.
func judgePanel(t *testing.T, rule string, bad, good []string) {
	t.Helper()
	for _, p := range bad {
		require.NotEmpty(t, findings(t, rule, "json panel", p), p)
	}
	for _, p := range good {
		require.Empty(t, findings(t, rule, "json panel", p), p)
	}
}

func TestFindingsSayWhere(t *testing.T) {
	d, err := dashboard.Load("d.json", []byte("{\n \"title\": \"T\",\n \"panels\": [\n  {\"type\": \"stat\", \"title\": \"A\",\n   \"targets\": [{\"refId\": \"A\", \"expr\": \"sum(\\\"é\\\" x\"}]}]}"))
	require.NoError(t, err)
	l := New(DefaultConfig(), promql.NewParser())
	l.Dashboard(d, nil)
	for _, f := range l.Result().Findings {
		if f.Rule == "promql-syntax" {
			require.Equal(t, "d.json", f.File)
			require.Equal(t, 5, f.Line)
			require.Equal(t, "T", f.Dashboard)
			require.Equal(t, "A", f.Panel)
			require.Equal(t, strings.Index(strings.Split(d.Doc.Source, "\n")[4], " x\""), f.Column-1, "in characters, past the escapes; é is one")
			return
		}
	}
	t.Fatal("no finding")
}

// What formats need to know of the rules comes with the result: SARIF describes them all.
func TestAResultDescribesTheRules(t *testing.T) {
	r := New(DefaultConfig(), promql.NewParser()).Result()
	require.Len(t, r.Rules, len(Rules()))
	require.NotEmpty(t, r.Rules[0].Summary)
}

func TestConfiguration(t *testing.T) {
	for src, want := range map[string]string{
		"silence: [{rule: panel-unit}]":                       "no reason",
		"silence: [{rule: panel-unti, reason: x}]":            `"panel-unti", which does not exist`,
		"silence: [{reason: x}]":                              "without a rule",
		"silences: []":                                        "field silences not found",
		"scrape-interval: soon":                               `"soon" is no duration`,
		"silence: [{rule: panel-unit, pannel: x, reason: y}]": "field pannel not found",
	} {
		_, err := ParseConfig("c.yaml", []byte(src))
		require.ErrorContains(t, err, want, src)
	}
	cfg, err := ParseConfig("c.yaml", nil)
	require.NoError(t, err)
	require.Equal(t, 15*time.Second, cfg.ScrapeInterval)

	cfg, err = ParseConfig("c.yaml", []byte("silence: [{rule: panel-unit, file: 'vendor/**/x*.json', panel: P, reason: y}]"))
	require.NoError(t, err)
	f := finding.Finding{Rule: "panel-unit", File: "dashboards/vendor/a/b/x1.json", Panel: "P"}
	require.True(t, cfg.Silences.Cover(f, "", "", nil))
	f.File = "dashboards/vendor/x1.json"
	require.True(t, cfg.Silences.Cover(f, "", "", nil))
	f.File = "dashboards/other/x1.json"
	require.False(t, cfg.Silences.Cover(f, "", "", nil))
	f.File, f.Panel = "vendor/x1.json", "Q"
	require.False(t, cfg.Silences.Cover(f, "", "", nil))
}

func TestAReasonIsNotOptionalInFilesEither(t *testing.T) {
	require.NotEmpty(t, findings(t, "panel-description", "json panel", `{"type": "stat", "title": "A", "x-lookout-ignore": {"panel-description": " "}}`))
	require.Empty(t, findings(t, "panel-description", "json panel", `{"type": "stat", "title": "A", "x-lookout-ignore": {"panel-description": "why"}}`))
	require.NotEmpty(t, findings(t, "counter-without-rate", "promql", "x_total # lookout:ignore counter-without-rate"))
}

func TestQueriesOfAllPlacesAreJudged(t *testing.T) {
	d, err := dashboard.Load("d.json", []byte(`{"title": "T",
	 "rows": [{"panels": [{"type": "graph", "title": "old", "targets": [{"expr": "sum("}]}]}],
	 "panels": [{"type": "row", "title": "R", "collapsed": true, "panels": [{"type": "stat", "title": "nested", "targets": [{"expr": "sum("}]}]}, {"type": "stat", "title": "top", "targets": [{"expr": "sum("}]}],
	 "templating": {"list": [{"name": "v", "type": "query", "query": {"query": "label_values(sum(, job)"}}]},
	 "annotations": {"list": [{"name": "a", "expr": "sum("}, {"name": "b", "target": {"expr": "sum("}}]}}`))
	require.NoError(t, err)
	l := New(DefaultConfig(), promql.NewParser())
	l.Dashboard(d, nil)
	var got []string
	for _, f := range l.Result().Findings {
		if f.Rule == "promql-syntax" {
			got = append(got, f.Panel)
		}
	}
	require.ElementsMatch(t, []string{"old", "nested", "top", "variable v", "annotation a", "annotation b"}, got)
}

func TestAlertExpressionsAreJudged(t *testing.T) {
	l := New(DefaultConfig(), promql.NewParser())
	l.RuleFile(rules.Read("r.yaml", []byte("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: rate(x_total[5m]) > sum(\n  - record: a:b\n    expr: |\n      up\n      + )\n")))
	r := l.Result()
	require.Equal(t, finding.Summary{Alerts: 1, Expressions: 2}, r.Summary)
	require.Len(t, r.Findings, 2)
	require.Equal(t, []int{5, 9}, []int{r.Findings[0].Line, r.Findings[1].Line})
	require.Equal(t, "A", r.Findings[0].Panel)
}

func TestHostileDashboardsDontCrashTheRules(t *testing.T) {
	l := New(DefaultConfig(), promql.NewParser())
	n := 0
	for _, f := range dashtest.Hostile(3, 150) {
		d, err := dashboard.Load(f.Name, f.Data)
		require.NoError(t, err)
		l.Dashboard(d, nil)
		n++
	}
	r := l.Result()
	require.Equal(t, n, r.Summary.Dashboards)
	var b strings.Builder
	require.NoError(t, r.Write(&b, "sarif", false))
	require.True(t, json.Valid([]byte(b.String())))
}

func TestAnOrdinaryCollectionIsClean(t *testing.T) {
	l := New(DefaultConfig(), promql.NewParser())
	for _, f := range dashtest.Collection(1, 20, dashtest.Metrics(1, 100)) {
		d, err := dashboard.Load(f.Name, f.Data)
		require.NoError(t, err)
		l.Dashboard(d, nil)
	}
	for _, f := range l.Result().Findings {
		if f.Severity == finding.Error {
			t.Errorf("%+v", f)
		}
	}
}

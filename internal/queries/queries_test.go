package queries

import (
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"lookout/internal/dashboard"
	"lookout/internal/promql"
)

func TestRuleFilesOfAllKinds(t *testing.T) {
	for name, src := range map[string]string{
		"Prometheus": "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up == 0\n    labels: {severity: critical}\n  - record: a:b\n    expr: sum(up)\n",
		"Lookout":    "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up == 0\n    threshold: {above: 1}\n    labels: {severity: critical}\n  - record: a:b\n    expr: sum(up)\n",
		"Kubernetes": "apiVersion: v1\nkind: PrometheusRule\nspec:\n  groups:\n  - name: g\n    rules:\n    - alert: A\n      expr: up == 0\n      labels: {severity: critical}\n    - record: a:b\n      expr: sum(up)\n",
	} {
		rules, ok, err := ReadRules("r.yaml", []byte(src))
		require.NoError(t, err, name)
		require.True(t, ok, name)
		require.Len(t, rules, 2, name)
		require.Equal(t, []string{"A", "a:b"}, []string{rules[0].Name(), rules[1].Name()})
		require.Equal(t, "critical", rules[0].Labels["severity"])
	}
	for _, src := range []string{"", "a: b", "- 1", "groups: 5", "groups:\n- tests: []\n", "groups: [{rules: {}}]"} {
		_, ok, err := ReadRules("r.yaml", []byte(src))
		require.NoError(t, err, src)
		require.False(t, ok, src)
	}
	_, _, err := ReadRules("r.yaml", []byte("a: [\n"))
	require.ErrorContains(t, err, "r.yaml")
	rules, _, err := ReadRules("r.yaml", []byte("groups: [{rules: [{alert: A}, {expr: up}, null, {alert: B, expr: {a: b}}]}]"))
	require.NoError(t, err)
	require.Empty(t, rules, "what has no name or no expression is for others to judge")
}

func TestPlacesInRuleFiles(t *testing.T) {
	rules, _, err := ReadRules("r.yaml", []byte("groups:\n- rules:\n  - {alert: A, expr: 'up == 0'}\n  - alert: B\n    expr: up == 0\n  - alert: C\n    expr: |-\n      up\n        == 0\n  - alert: D\n    expr: >-\n      up\n      == 0\n"))
	require.NoError(t, err)
	at := func(i, offset int) string { return rules[i].Position(offset).String() }
	require.Equal(t, "r.yaml:3:26", at(0, 3))
	require.Equal(t, "r.yaml:5:14", at(1, 3))
	require.Equal(t, "r.yaml:9:1", at(2, 5))
	require.Equal(t, "r.yaml:12:1", at(3, 0))
	require.Equal(t, 4, rules[1].Line)
}

func TestGroupsInOtherLanguagesArePassedOver(t *testing.T) {
	rules, ok, err := ReadRules("r.yaml", []byte("groups:\n- type: vlogs\n  rules:\n  - {alert: A, expr: '* | stats count()'}\n- type: prometheus\n  rules:\n  - {alert: B, expr: up == 0}\n"))
	require.NoError(t, err)
	require.True(t, ok)
	require.Len(t, rules, 1)
	require.Equal(t, "B", rules[0].Alert)
}

func TestSelectorsKnowWhatTheyStandIn(t *testing.T) {
	q := ForAlert("A", `sum(rate(x{a="b"}[5m])) / y + {__name__=~"z.*"}`, promql.NewParser(), func(int) dashboard.Position { return dashboard.Position{} })
	s := q.Selectors()
	require.Len(t, s, 3)
	require.Equal(t, "x", s[0].Metric)
	require.NotNil(t, s[0].Range())
	require.Equal(t, "rate", s[0].Parent().(*parser.Call).Func.Name)
	require.Nil(t, s[1].Range())
	require.IsType(t, &parser.BinaryExpr{}, s[1].Parent())
	require.Equal(t, "z.*", s[2].Name.Value)
	require.Empty(t, s[2].Metric)
}

func TestLokiIsNotParsedAsPromQL(t *testing.T) {
	d, err := dashboard.Load("d.json", []byte(`{"title": "T", "panels": [{"datasource": {"type": "loki"}, "targets": [{"expr": "{a=\"b\"}"}]}, {"datasource": {"type": "mysql"}, "targets": [{"expr": "select"}]}, {"targets": [{"expr": "up"}]},
	 {"datasource": {"type": "victoriametrics-datasource"}, "targets": [{"expr": "rate(x)"}]}]}`))
	require.NoError(t, err)
	qs := Of(d, promql.NewParser())
	require.Len(t, qs, 3)
	require.Equal(t, []promql.Language{promql.LogQL, promql.PromQL, promql.MetricsQL}, []promql.Language{qs[0].Language, qs[1].Language, qs[2].Language})
	require.Nil(t, qs[2].Err)
}

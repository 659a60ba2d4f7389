package rules

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRuleFilesOfAllKinds(t *testing.T) {
	for form, src := range map[Form]string{
		Prometheus: "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up == 0\n    labels: {severity: critical}\n  - record: a:b\n    expr: sum(up)\n",
		Own:        "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up == 0\n    threshold: {above: 1}\n    labels: {severity: critical}\n  - record: a:b\n    expr: sum(up)\n",
		Kubernetes: "apiVersion: v1\nkind: PrometheusRule\nspec:\n  groups:\n  - name: g\n    rules:\n    - alert: A\n      expr: up == 0\n      labels: {severity: critical}\n    - record: a:b\n      expr: sum(up)\n",
		ConfigMap:  "kind: ConfigMap\ndata:\n  a.yaml: |\n    groups:\n    - name: g\n      rules:\n      - alert: A\n        expr: up == 0\n        labels: {severity: critical}\n      - record: a:b\n        expr: sum(up)\n  b.json: 'groups: {}'\n",
	} {
		f := Read("r.yaml", []byte(src))
		require.Equal(t, form, f.Form)
		require.True(t, f.Holds())
		rules := f.Rules()
		require.Len(t, rules, 2, form)
		require.Equal(t, []string{"A", "a:b"}, []string{rules[0].Name(), rules[1].Name()})
		require.Equal(t, "critical", rules[0].Label("severity"))
	}
	for src, form := range map[string]Form{
		"": Empty, "# only a comment": Empty, "a: b": Other, "- 1": Other, "groups: 5": Other, "groups:\n- tests: []\n": Other, "groups: [{rules: {a: b}}]": Prometheus,
		"tests: []": Tests, "kind: ConfigMap\ndata: {a: b}": Other, "global: {}\nrule_files: [a.yaml]": Other, "apiVersion: 1\ncontactPoints: []": Grafana,
		"groups: []": Prometheus,
	} {
		require.Equal(t, form, Read("r.yaml", []byte(src)).Form, src)
	}
	f := Read("r.yaml", []byte("a: [\n"))
	require.False(t, f.Holds())
	require.Equal(t, KindYAML, f.Problems[0].Kind)
	require.Equal(t, "r.yaml", f.Problems[0].File)
}

func TestPlacesInRuleFiles(t *testing.T) {
	f := Read("r.yaml", []byte("groups:\n- rules:\n  - {alert: A, expr: 'up == 0'}\n  - alert: B\n    expr: up == 0\n  - alert: C\n    expr: |-\n      up\n        == 0\n  - alert: D\n    expr: >-\n      up\n      == 0\n  - alert: E\n    expr: up\n      == 0\n  - alert: F\n    expr: \"up{a=\\\"b\\\"}\"\n"))
	rules := f.Rules()
	at := func(i, offset int) string { return rules[i].Position(offset).String() }
	require.Equal(t, "r.yaml:3:26", at(0, 3))
	require.Equal(t, "r.yaml:5:14", at(1, 3))
	require.Equal(t, "r.yaml:8:7", at(2, 0))
	require.Equal(t, "r.yaml:9:9", at(2, 5))
	require.Equal(t, "r.yaml:12:7", at(3, 0))
	require.Equal(t, "r.yaml:13:7", at(3, 3), "folded")
	require.Equal(t, "r.yaml:16:7", at(4, 3), "plain over two lines")
	require.Equal(t, "r.yaml:18:11", at(5, 6), "escapes: where the text begins")
	require.Equal(t, 4, rules[1].Place("").Line)
	require.Equal(t, "r.yaml:5:5", rules[1].Place("expr").String())
}

func TestPlacesInsideAConfigMap(t *testing.T) {
	f := Read("r.yaml", []byte("kind: ConfigMap\ndata:\n  a.yaml: |\n    groups:\n    - name: g\n      rules:\n      - alert: A\n        expr: |\n          up\n            == 0\n"))
	r := f.Rules()[0]
	require.Equal(t, "r.yaml:7:9", r.Place("").String())
	require.Equal(t, "r.yaml:10:13", r.Position(5).String())
}

func TestGroupsInOtherLanguagesAreKnown(t *testing.T) {
	f := Read("r.yaml", []byte("groups:\n- name: a\n  type: vlogs\n  rules:\n  - {alert: A, expr: '* | stats count()'}\n- name: b\n  type: prometheus\n  rules:\n  - {alert: B, expr: up == 0}\n"))
	require.Equal(t, []string{"vlogs", ""}, []string{f.Groups[0].Language, f.Groups[1].Language})
}

func TestCommentsBelongToTheirRule(t *testing.T) {
	f := Read("r.yaml", []byte("groups:\n- name: g\n  rules:\n  # first\n  - alert: A\n    expr: up == 0 # inside\n\n  # second\n  # third\n  - alert: B\n    expr: up == 0\n"))
	require.Equal(t, "  # first\n# inside", f.Rules()[0].Comments())
	require.Equal(t, "  # third\n  # second", f.Rules()[1].Comments())
}

package lint

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/promql"
	"lookout/internal/rules"
)

// said lints a dashboard and lists "rule: panel" of what a rule finds.
func said(t *testing.T, rule, src string) []string {
	t.Helper()
	d, err := dashboard.Load("d.json", []byte(src))
	require.NoError(t, err, src)
	l := New(DefaultConfig(), promql.NewParser())
	l.Dashboard(d, nil)
	out := []string{}
	for _, f := range l.Result().Findings {
		if f.Rule == rule {
			out = append(out, f.Panel)
		}
	}
	return out
}

// What was reported on public dashboards and is right there: each with the neighbour that is wrong.
func TestWhatIsRightIsNotReported(t *testing.T) {
	const job = `{"name": "job", "type": "query", "query": "label_values(up, job)", "refresh": 2, "multi": true}`
	board := func(variables, panels, rest string) string {
		return fmt.Sprintf(`{"title": "T", %s "templating": {"list": [%s]}, "panels": [%s]}`, rest, variables, panels)
	}
	stat := func(more, expr string) string {
		return fmt.Sprintf(`{"type": "stat", "title": "A", %s "targets": [{"refId": "A", "expr": %q}]}`, more, expr)
	}
	for _, c := range []struct{ name, rule, right, wrong string }{
		{"a repeated panel has one value at a time", "variable-needs-regexp",
			board(job, stat(`"repeat": "job",`, `up{job="$job"}`), ""), board(job, stat("", `up{job="$job"}`), "")},
		{"so has one in a repeated row", "variable-needs-regexp",
			board(job, `{"type": "row", "repeat": "job", "gridPos": {"x": 0, "y": 0, "w": 24, "h": 1}}, `+stat(`"gridPos": {"x": 0, "y": 1, "w": 12, "h": 8},`, `up{job="$job"}`), ""),
			board(job, `{"type": "row", "gridPos": {"x": 0, "y": 0, "w": 24, "h": 1}}, `+stat(`"gridPos": {"x": 0, "y": 1, "w": 12, "h": 8},`, `up{job="$job"}`), "")},
		{"a link that hands on variables uses them", "unused-variable",
			board(job, stat("", "up"), `"links": [{"title": "x", "type": "link", "url": "/d/x", "includeVars": true}],`), board(job, stat("", "up"), `"links": [{"title": "x", "type": "link", "url": "/d/x"}],`)},
		{"what a library panel uses is not in the file", "unused-variable",
			board(job, `{"title": "L", "libraryPanel": {"uid": "u", "name": "n"}}`, ""), board(job, stat("", "up"), "")},
		{"rows have no width", "panel-size",
			board("", `{"type": "row", "title": "R", "gridPos": {"x": 0, "y": 0, "w": 0, "h": 1}}`, ""), board("", `{"type": "stat", "title": "R", "gridPos": {"x": 0, "y": 0, "w": 0, "h": 1}}`, "")},
		{"a datasource variable is no cycle", "variable-cycle",
			board(`{"name": "ds", "type": "datasource", "query": "prometheus", "regex": "/$ds/"}`, "", ""), board(`{"name": "a", "type": "query", "query": "label_values(up{b=\"$b\"}, a)"}, {"name": "b", "type": "query", "query": "label_values(up{a=\"$a\"}, b)"}`, "", "")},
		{"the min interval counts", "rate-interval",
			board("", stat(`"interval": "2m",`, `rate(x_total[$__interval])`), ""), board("", stat(`"interval": "10s",`, `rate(x_total[$__interval])`), "")},
		{"SQL expressions name tables", "panel-reference",
			board("", `{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "up"}, {"refId": "B", "datasource": {"type": "__expr__", "uid": "__expr__"}, "type": "sql", "expression": "SELECT * FROM A"}]}`, ""),
			board("", `{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "up"}, {"refId": "B", "datasource": {"type": "__expr__", "uid": "__expr__"}, "type": "math", "expression": "$C * 2"}]}`, "")},
		{"an escaped $ is no variable", "undefined-variable",
			board("", stat("", `x{topic!~"SYSTEM.*|\\$SYS.*|"}`), ""), board("", stat("", `x{topic!~"SYSTEM.*|$SYS.*|"}`), "")},
		{"a set is no counter", "counter-without-rate",
			board("", stat("", `sum(cluster_nodes_total)`), ""), board("", stat("", `sum(requests_total)`), "")},
		{"max by reads as a set", "counter-without-rate",
			board("", stat("", `max by (job) (things_total)`), ""), board("", stat("", `sum by (job) (things_total)`), "")},
		{"a part of a whole", "counter-without-rate",
			board("", stat("", `memory_used / memory_ram_total`), ""), board("", stat("", `failures_total / requests_total`), "")},
		{"a whole next to its parts", "counter-without-rate",
			board("", `{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "sum(thing_total)"}, {"refId": "B", "expr": "sum(thing_active)"}, {"refId": "C", "expr": "sum(thing_down)"}]}`, ""),
			board("", `{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "sum(thing_total)"}, {"refId": "B", "expr": "sum(rate(thing_active[5m]))"}, {"refId": "C", "expr": "sum(other)"}]}`, "")},
		{"a whole next to the part in one state", "counter-without-rate",
			board("", `{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "sum(cluster_membership_total)"}]}, {"type": "stat", "title": "B", "targets": [{"refId": "A", "expr": "sum(cluster_membership_healthy)"}]}`, ""),
			board("", `{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "sum(cluster_calls_total)"}]}, {"type": "stat", "title": "B", "targets": [{"refId": "A", "expr": "sum(cluster_calls_seconds)"}]}`, "")},
		{"thresholds that a new panel has, migrated", "thresholds",
			board("", `{"type": "timeseries", "title": "A", "fieldConfig": {"defaults": {"max": 1, "thresholds": {"steps": [{"value": 0}, {"value": 80}]}}, "overrides": [{"properties": [{"id": "thresholds", "value": {"steps": [{"value": null}, {"value": 0.5}]}}]}]}}`, ""),
			board("", `{"type": "timeseries", "title": "A", "fieldConfig": {"defaults": {"max": 1, "thresholds": {"steps": [{"value": 0}, {"value": 90}]}}}}`, "")},
		{"a number in quotes", "thresholds",
			board("", `{"type": "stat", "title": "A", "fieldConfig": {"defaults": {"thresholds": {"steps": [{"value": null}, {"value": "0.95"}]}}}}`, ""),
			board("", `{"type": "stat", "title": "A", "fieldConfig": {"defaults": {"thresholds": {"steps": [{"value": null}, {"value": "high"}]}}}}`, "")},
		{"how long something has been up", "counter-without-rate",
			board("", stat("", `unbound_time_up_seconds_total`), ""), board("", stat("", `unbound_cpu_seconds_total`), "")},
		{"a spread text is no reference to a datasource", "datasource-undefined",
			board("", stat(`"datasource": {"type": "prometheus"},`, "up"), ""), board("", stat(`"datasource": {"0": "T", "1": "h"},`, "up"), "")},
		{"a string is no comment", "silence-reason",
			board("", stat("", `x{a="# lookout:ignore nope"}`), ""), board("", stat("", `x # lookout:ignore nope`), "")},
	} {
		require.Empty(t, said(t, c.rule, c.right), c.name)
		require.NotEmpty(t, said(t, c.rule, c.wrong), c.name)
	}
}

func TestOneFindingForOneRemedy(t *testing.T) {
	graphs := strings.TrimSuffix(strings.Repeat(`{"type": "graph", "title": "G", "datasource": {"type": "prometheus", "uid": "p"}, "targets": [{"refId": "A", "expr": "a_total + b_total"}]},`, 12), ",")
	src := `{"title": "T", "panels": [` + graphs + `]}`
	require.Len(t, said(t, "removed-panel-type", src), 1)
	require.Len(t, said(t, "datasource-hardcoded", src), 1)
	require.Len(t, said(t, "datasource-undefined", strings.ReplaceAll(src, `"uid": "p"`, `"uid": "${gone}"`)), 1)
	require.Len(t, said(t, "counter-without-rate", src), 12, "one for each query, not for each metric in it")
}

func TestNamesWithDotsAreExplained(t *testing.T) {
	f := findings(t, "promql-syntax", "promql", "sum(rate(http.server.requests[5m]))")
	require.Len(t, f, 1)
	require.Contains(t, f[0].Message, `{"http.server.requests"}`)
}

func TestAdviceForRulesIsValidInRules(t *testing.T) {
	l := New(DefaultConfig(), promql.NewParser())
	l.RuleFile(rules.Read("r.yaml", []byte("groups:\n- name: g\n  rules:\n  - {record: 'a:b', expr: requests_total > 5}\n  - {record: 'a:c', expr: 'rate(requests_total[5s]) > 1'}\n")))
	found := 0
	for _, f := range l.Result().Findings {
		if f.Rule == "counter-without-rate" || f.Rule == "range-too-short" {
			found++
		}
		require.NotContains(t, f.Message, "$__")
	}
	require.Equal(t, 2, found)
}

// Inside of range and with .Labels are those of a query's samples; $labels are the alert's everywhere.
func TestLabelsOfSamplesAreNotTheAlerts(t *testing.T) {
	said := func(summary string) int {
		l := New(DefaultConfig(), promql.NewParser())
		l.RuleFile(rules.Read("r.yaml", []byte("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: sum(up) < 1\n    annotations:\n      summary: '"+summary+"'\n")))
		n := 0
		for _, f := range l.Result().Findings {
			if f.Rule == "alert-label-removed" {
				n++
			}
		}
		return n
	}
	for summary, want := range map[string]int{
		`down:{{ range query "up == 0" }} {{ .Labels.job }}{{ end }}`:                                   0,
		`{{ with query "up" }}{{ range . }}{{ if .Value }}{{ .Labels.job }}{{ end }}{{ end }}{{ end }}`: 0,
		`{{ range query "up == 0" }}x{{ end }} {{ .Labels.job }}`:                                       1,
		`{{ range query "up == 0" }}{{ $labels.job }}{{ end }}`:                                         1,
		`{{ if true }}{{ .Labels.job }}{{ end }}`:                                                       1,
	} {
		require.Equal(t, want, said(summary), summary)
	}
}

// A warning says that something most likely misleads: a number whose query gives seconds and which says nothing of it does, a plain count does not.
func TestWhatIsOnlyUnsaidIsInformation(t *testing.T) {
	for _, c := range []struct {
		rule, panel string
		want        finding.Severity
	}{
		{"panel-unit", `{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "sum(queue_length)"}]}`, finding.Info},
		{"panel-unit", `{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "sum(queue_length)"}, {"refId": "B", "expr": "sum(rate(sent_bytes_total[5m]))"}]}`, finding.Warning},
		{"unit-unknown", `{"type": "stat", "title": "A", "fieldConfig": {"defaults": {"unit": "blocks/round"}}}`, finding.Info},
		{"unit-unknown", `{"type": "stat", "title": "A", "fieldConfig": {"defaults": {"unit": "seconds"}}}`, finding.Warning},
	} {
		found := findings(t, c.rule, "json panel", c.panel)
		require.Len(t, found, 1, c.panel)
		require.Equal(t, c.want, found[0].Severity, c.panel)
	}
}

package lint

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/finding"
	"lookout/internal/promql"
	"lookout/internal/rules"
)

// Files that share most of their rules are variants: one finding, and a warning only where both are surely read together.
func TestCopiesOfRuleFiles(t *testing.T) {
	file := func(names ...string) string {
		var b strings.Builder
		b.WriteString("groups:\n- name: g\n  rules:\n")
		for _, n := range names {
			fmt.Fprintf(&b, "  - alert: %s\n    expr: up{job=%q} == 0\n", n, n)
		}
		return b.String()
	}
	for _, c := range []struct {
		name string
		// files are paths and their rules, by turns.
		files    []string
		want     int
		severity finding.Severity
		says     string
	}{
		{"variants", []string{"x/cluster.yml", file("A", "B", "C"), "x/single.yml", file("A", "B", "D")}, 1, finding.Info, "2 of the 3 rules here are in x/cluster.yml, too"},
		{"variants that ask differently", []string{"x/a.yml", file("A", "B", "C", "D"), "x/b.yml", strings.ReplaceAll(file("A", "B", "C", "D"), `{job="B"}`, `{job="b"}`)}, 1, finding.Info, "3 of the 4 rules here"},
		{"applied together", []string{"../../alerts/a.yml", file("A", "B"), "../../alerts/b.yml", file("A", "B")}, 1, finding.Warning, "2 of the 2 rules here"},
		{"one by mistake", []string{"x/a.yml", file("A", "B", "C", "D"), "x/b.yml", file("A", "E", "F", "G")}, 1, finding.Warning, "the same rule, with the same labels and expression, is at x/a.yml:4"},
		{"a single rule each", []string{"x/a.yml", file("A"), "x/b.yml", file("A")}, 1, finding.Warning, "the same rule"},
		{"within a file", []string{"x/a.yml", file("A", "A", "B", "B")}, 2, finding.Warning, "the same rule"},
		{"none", []string{"x/a.yml", file("A"), "x/b.yml", file("B")}, 0, "", ""},
	} {
		l := New(DefaultConfig(), promql.NewParser())
		for i := 0; i < len(c.files); i += 2 {
			l.RuleFile(rules.Read(c.files[i], []byte(c.files[i+1])))
		}
		var found []finding.Finding
		for _, f := range l.Result().Findings {
			if f.Rule == "rule-duplicate" {
				found = append(found, f)
			}
		}
		require.Len(t, found, c.want, c.name)
		for _, f := range found {
			require.Equal(t, c.severity, f.Severity, c.name)
			require.Contains(t, f.Message, c.says, c.name)
		}
	}
}

// Series about alerts have a label alertname; others don't.
func TestAlertnameOfSeriesAboutAlerts(t *testing.T) {
	for expr, want := range map[string]int{
		`increase(vmalert_alerting_rules_errors_total[5m]) > 0`: 0,
		`ALERTS{severity="critical"} == 1`:                      0,
		`{alertname="Watchdog", __name__="x"} == 1`:             0,
		`up == 0`: 1,
		`sum by (job) (increase(vmalert_alerting_rules_errors_total[5m])) > 0`: 1,
	} {
		src := fmt.Sprintf("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: '%s'\n    annotations:\n      summary: 'Rule {{ $labels.alertname }}'\n", expr)
		require.Len(t, findings(t, "alert-label-removed", "yaml", src), want, expr)
	}
}

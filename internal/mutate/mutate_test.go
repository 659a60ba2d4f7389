package mutate

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lookout/internal/promql"
	"lookout/internal/rules"
)

func options(t *testing.T) Options {
	t.Helper()
	path, err := FindPromtool("../..", os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	return Options{Promtool: path, Jobs: 2}
}

// sets writes files to a directory and loads the rule files among them.
func sets(t *testing.T, files map[string]string) []Set {
	t.Helper()
	dir := t.TempDir()
	var of []*rules.File
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if f := rules.Read(path, []byte(text)); f.Holds() {
			if serious := f.Problems.Serious(); len(serious) > 0 {
				t.Fatal(serious)
			}
			of = append(of, f)
		}
	}
	out, err := Load(of)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const rule = `groups:
  - name: g
    interval: 1m
    rules:
      - alert: Busy
        uid: busy
        expr: avg_over_time(threads{job="go"}[2m])
        window: 2m
        threshold: {above: 10}
        for: 2m
        no_data_state: OK
        exec_err_state: OK
        labels: {severity: warning}
        annotations: {summary: s, description: "{{ $value }}", runbook_url: r}
      - alert: Down
        uid: down
        # lookout:survives threshold-down: up is 0 or 1
        expr: up
        threshold: {below: 1}
        for: 0s
        no_data_state: OK
        exec_err_state: OK
        labels: {severity: warning}
        annotations: {summary: s, description: d, runbook_url: r}
`

// What many would write: it fires far above the threshold, and it does not without data.
const weak = `rule_files: [a.rules.yaml]
evaluation_interval: 1m
tests:
  - name: it fires
    interval: 1m
    input_series: [{series: 'threads{job="go"}', values: 50x20}]
    alert_rule_test:
      - {eval_time: 10m, alertname: Busy, exp_alerts: [{exp_labels: {severity: warning, job: go}, exp_annotations: {summary: s, description: "50", runbook_url: r}}]}
  - name: it is down
    interval: 1m
    input_series: [{series: up, values: 1 0 1}]
    alert_rule_test: &down
      - {eval_time: 0m, alertname: Down, exp_alerts: []}
      - {eval_time: 1m, alertname: Down, exp_alerts: [{exp_labels: {severity: warning}, exp_annotations: {summary: s, description: d, runbook_url: r}}]}
      - {eval_time: 2m, alertname: Down, exp_alerts: []}
`

const strong = `rule_files: [a.rules.yaml]
evaluation_interval: 1m
tests:
  - name: it fires and recovers
    interval: 1m
    input_series: [{series: 'threads{job="go"}', values: 10.4x4 9.8x10}, {series: 'threads{job="other"}', values: 50x20}]
    alert_rule_test:
      - {eval_time: 1m, alertname: Busy, exp_alerts: []}
      - {eval_time: 2m, alertname: Busy, exp_alerts: [{exp_labels: &go {severity: warning, job: go}, exp_annotations: {summary: s, description: "10.4", runbook_url: r}}]}
      - {eval_time: 5m, alertname: Busy, exp_alerts: [{exp_labels: *go, exp_annotations: {summary: s, description: "10.100000000000001", runbook_url: r}}]}
      - {eval_time: 6m, alertname: Busy, exp_alerts: []}
  - name: ten is not too much
    interval: 1m
    input_series: [{series: 'threads{job="go", i="exactly"}', values: 10x20}, {series: 'threads{job="go", i="just-under"}', values: 9.5x20}]
    alert_rule_test: [{eval_time: 10m, alertname: Busy, exp_alerts: []}]
  - name: it is down
    interval: 1m
    input_series: [{series: up, values: 1 0 1}]
    alert_rule_test:
      - {eval_time: 0m, alertname: Down, exp_alerts: []}
      - {eval_time: 1m, alertname: Down, exp_alerts: [{exp_labels: {severity: warning}, exp_annotations: {summary: s, description: d, runbook_url: r}}]}
      - {eval_time: 2m, alertname: Down, exp_alerts: []}
`

func TestAWeakTestLeavesSurvivors(t *testing.T) {
	report, tested, err := Run(t.Context(), sets(t, map[string]string{"a.yaml": rule, "a.test.yaml": weak}), options(t))
	if err != nil || len(tested.Failures) > 0 {
		t.Fatal(tested, err)
	}
	var survivors []string
	for _, r := range report.Rules {
		for _, m := range r.Results {
			if m.Survived() {
				survivors = append(survivors, m.Rule+" "+m.Change)
			}
		}
	}
	// Killed are only that it fires at all: the comparison and the matcher turned round.
	want := []string{
		"Busy > 10 becomes >= 10", "Busy > 10 becomes > 11", "Busy > 10 becomes > 9", "Busy [2m] becomes [4m]", "Busy [2m] becomes [1m]",
		`Busy job="go" is left out of threads`, "Busy for: 2m becomes 3m", "Busy for: 2m becomes 1m",
	}
	if diff := cmp.Diff(want, survivors); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got, want := report.Count(), (Count{Mutations: 15, Killed: 6, Survived: 8, Excused: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if report.Good(0) {
		t.Error("no test is quiet just under the threshold, and no score makes up for that")
	}
	var out bytes.Buffer
	if err := report.Text(&out, 95, false); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`a.yaml:9:9: error: rule "Busy": > 10 becomes > 9, and no unit test fails; add a test in which it stays quiet with a value between 9 and 10 (threshold-down)`,
		`a.yaml:7:29: survived: rule "Busy": [2m] becomes [1m], and no unit test fails; add a test in which what happened between 1m and 2m ago decides whether it fires or what it says (window-shorter)`,
		`score 42.8 %: 6 of 14 mutations noticed, 1 excused, in 2 rules of 1 file; at least 95 % are wanted`,
	} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("%q is not in\n%s", line, out.String())
		}
	}
}

func TestAStrongTestLeavesNone(t *testing.T) {
	report, tested, err := Run(t.Context(), sets(t, map[string]string{"a.yaml": rule, "a.test.yaml": strong}), options(t))
	if err != nil || len(tested.Failures) > 0 {
		t.Fatal(tested, err)
	}
	if got, want := report.Count(), (Count{Mutations: 15, Killed: 14, Excused: 1}); got != want || !report.Good(100) {
		var out bytes.Buffer
		_ = report.Text(&out, 100, false)
		t.Errorf("got %+v, want %+v\n%s", got, want, out.String())
	}
}

func TestRulesWithoutTestsAndNeedlessExcuses(t *testing.T) {
	excused := strings.Replace(rule, "      - alert: Busy", "      # lookout:survives threshold-up: it is always so\n      # lookout:survives matcher-dropped job=\"went\": gone\n      - alert: Busy", 1)
	only, _, _ := strings.Cut(strong, "  - name: it is down")
	report, tested, err := Run(t.Context(), sets(t, map[string]string{"a.yaml": excused, "a.test.yaml": only}), options(t))
	if err != nil || len(tested.Failures) > 0 {
		t.Fatal(tested, err)
	}
	if diff := cmp.Diff([]string{`matcher-dropped job="went"`, "threshold-up"}, report.Rules[0].Needless); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if c := report.Rules[1].Count(); report.Rules[1].Tests != 0 || c.Killed != 0 || c.Survived != 4 {
		t.Errorf("Down has no test: %+v", c)
	}
	if report.Good(0) {
		t.Error("it is not good")
	}
}

func TestExcusesAreRead(t *testing.T) {
	for comment, want := range map[string]string{
		"threshold-down: up is 0 or 1": "",
		"threshold-down":               "has no reason",
		"threshold-down:":              "has no reason",
		"everything: it is old":        "cannot read the comment",
		"":                             "cannot read the comment",
	} {
		f := rules.Read("a.yaml", []byte(strings.Replace(rule, "      - alert: Busy", "      # lookout:survives "+comment+"\n      - alert: Busy", 1)))
		_, err := excuses(f.Rules()[0])
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", comment, err, want)
		}
	}
}

func TestNothingIsMutatedWhileTestsFail(t *testing.T) {
	report, tested, err := Run(t.Context(), sets(t, map[string]string{"a.yaml": rule, "a.test.yaml": strings.Replace(strong, "10.4x4", "9x4", 1)}), options(t))
	if err != nil || report != nil || len(tested.Failures) != 2 || tested.Failures[0].Test != "it fires and recovers" {
		t.Fatal(report, tested, err)
	}
}

// A recording rule in Prometheus' own form, and an alert on what it records: in another file, of Lookout's form.
func TestRulesOfSeveralFiles(t *testing.T) {
	const recorded = `groups:
  - name: records
    rules:
      - record: job:errors:rate5m
        expr: sum by (job) (rate(errors_total[5m]))
      # With ALERTS in the file everything stays in it.
      - alert: Both
        expr: ALERTS{alertname="Other"} > 0
`
	alert := strings.NewReplacer(`avg_over_time(threads{job="go"}[2m])`, "job:errors:rate5m", "        window: 2m\n", "", "above: 10", "above: 2", "for: 2m", "for: 0s").Replace(rule)
	alert = alert[:strings.Index(alert, "      - alert: Down")]
	tests := `rule_files: [b.rules.yaml, records.yaml]
tests:
  - interval: 1m
    input_series: [{series: 'errors_total{job="go"}', values: 0+132x10 1320x5}]
    promql_expr_test:
      - {expr: 'job:errors:rate5m', eval_time: 8m, exp_samples: [{labels: 'job:errors:rate5m{job="go"}', value: 2.2}]}
    alert_rule_test:
      - {eval_time: 8m, alertname: Busy, exp_alerts: [{exp_labels: {severity: warning, job: go}, exp_annotations: {summary: s, description: "2.2", runbook_url: r}}]}
`
	loaded := sets(t, map[string]string{"records.yaml": recorded, "b.yaml": alert, "b.test.yaml": tests})
	report, tested, err := Run(t.Context(), loaded, options(t))
	if err != nil || len(tested.Failures) > 0 || tested.Files != 2 {
		t.Fatal(tested, err)
	}
	var got []string
	for _, r := range report.Rules {
		for _, m := range r.Results {
			if m.Killed {
				got = append(got, m.Rule+" "+string(m.Kind))
			}
		}
	}
	slices.Sort(got)
	// The counter began within ten minutes.
	want := []string{"Busy comparison-flipped", "Busy threshold-up", "job:errors:rate5m window-longer"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// The unit tests of the alerts that are shipped hold, and each alert has those that it needs. make lint runs `lookout rules mutate` on them.
func TestShipped(t *testing.T) {
	fsys := os.DirFS("../..")
	for _, dir := range []string{"alerts", "modules/prometheus/rules"} {
		var files []*rules.File
		read, err := rules.ReadDir(fsys, dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range read {
			if f.Form != rules.Tests {
				f.Path = filepath.Join("../..", f.Path)
				files = append(files, f)
			}
		}
		if len(files) == 0 {
			t.Fatalf("there are no rule files in %s", dir)
		}
		for _, f := range files {
			for _, r := range f.Rules() {
				if p := r.CheckQuery(promql.NewParser().Parse(r.Expr, nil)); p != nil {
					t.Error(p)
				}
			}
		}
		loaded, err := Load(files)
		if err != nil {
			t.Fatal(err)
		}
		var tests []*rules.UnitTests
		for _, s := range loaded {
			tests = append(tests, s.Tests...)
		}
		for _, p := range rules.CheckTests(files, tests) {
			t.Error(p)
		}
		tested, err := Test(t.Context(), loaded, options(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range tested.Failures {
			t.Errorf("%s: %s", f.File, f.Message)
		}
		if tested.Tests == 0 {
			t.Errorf("no unit test of %s was run", dir)
		}
	}
}

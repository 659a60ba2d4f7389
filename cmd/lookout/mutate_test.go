package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/mutate"
)

const testedRule = `groups:
  - name: g
    interval: 1m
    rules:
      - alert: Busy
        uid: busy
        expr: threads
        threshold: {above: 10}
        for: 1m
        no_data_state: OK
        exec_err_state: OK
        labels: {severity: warning}
        annotations: {summary: 【报警】busy, description: d, runbook_url: r}
`

const testsOfIt = `rule_files: [a.rules.yaml]
tests:
  - interval: 1m
    input_series: [{series: 'threads{i="a"}', values: 10.5 10.5 10 10}, {series: 'threads{i="b"}', values: 9.5x9}]
    alert_rule_test:
      - {eval_time: 0m, alertname: Busy, exp_alerts: []}
      - {eval_time: 1m, alertname: Busy, exp_alerts: [{exp_labels: {severity: warning, i: a}, exp_annotations: {summary: 【报警】busy, description: d, runbook_url: r}}]}
      - {eval_time: 2m, alertname: Busy, exp_alerts: []}
      - {eval_time: 3m, alertname: Busy, exp_alerts: []}
`

// lookout rules check --tests, test and mutate, from no tests to good ones.
func TestRulesTestAndMutate(t *testing.T) {
	promtool, err := mutate.FindPromtool("../..", os.Getenv)
	require.NoError(t, err)
	promtool, err = filepath.Abs(promtool)
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	require.NoError(t, os.Mkdir("alerts", 0o700))
	var stdout, stderr bytes.Buffer
	lookout := func(code int, args ...string) {
		t.Helper()
		stdout.Reset()
		stderr.Reset()
		got := run(t.Context(), append([]string{"rules"}, args...), nil, &stdout, &stderr, func(name string) string {
			return map[string]string{"LOOKOUT_PROMTOOL": promtool}[name]
		})
		require.Equal(t, code, got, "%v\n%s%s", args, stdout.String(), stderr.String())
	}
	write := func(name, text string) { require.NoError(t, os.WriteFile(name, []byte(text), 0o600)) }

	write("alerts/a.yaml", testedRule)
	lookout(exitClean, "check")
	lookout(exitFindings, "check", "--tests")
	require.Contains(t, stdout.String(), `alerts/a.yaml:5:9: error: rule "Busy": no unit test for firing`)
	lookout(exitFindings, "mutate", "--min", "0")
	require.Contains(t, stdout.String(), `alerts/a.yaml:5:9: error: rule "Busy": no unit test, so that none of its 6 mutations would be noticed`)

	write("alerts/a.test.yaml", testsOfIt)
	lookout(exitClean, "check", "--tests")
	lookout(exitClean, "test")
	require.Regexp(t, `^0 expectations of 1 test in 1 test file of 1 rule file failed, \d+\.\d s\n$`, stdout.String())
	lookout(exitClean, "mutate", "--min=100")
	require.Equal(t, "score 100.0 %: 6 of 6 mutations noticed, in 1 rule of 1 file\n", stdout.String())
	lookout(exitClean, "mutate", "-v", "alerts/a.yaml")
	require.Contains(t, stdout.String(), `alerts/a.yaml:8:9: noticed: rule "Busy": > 10 becomes > 9 (threshold-down)`)

	// Without the case in which it has just recovered two mistakes would go unnoticed.
	write("alerts/a.test.yaml", string(bytes.ReplaceAll([]byte(testsOfIt), []byte("10.5 10.5 10 10"), []byte("12x1 8x1"))))
	lookout(exitFindings, "mutate")
	require.Contains(t, stdout.String(), `> 10 becomes >= 10, and no unit test fails`)
	require.Contains(t, stdout.String(), `score 66.6 %: 4 of 6 mutations noticed, in 1 rule of 1 file; at least 95 % are wanted`)
	lookout(exitClean, "mutate", "--min=60")
	lookout(exitFindings, "mutate", "--format=json")
	var report struct {
		Summary struct {
			Mutations, Killed, Survived, Excused int
			Score                                float64
			Good                                 bool
		}
		Rules []struct {
			Rule, File string
			Results    []struct{ Kind, State, Hint string }
		}
	}
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &report))
	require.Equal(t, 66.6, report.Summary.Score)
	require.Equal(t, 2, report.Summary.Survived)
	require.False(t, report.Summary.Good)
	require.Equal(t, "survived", report.Rules[0].Results[1].State)
	require.NotEmpty(t, report.Rules[0].Results[1].Hint)

	// Tests that fail say so, and nothing is mutated.
	write("alerts/a.test.yaml", string(bytes.ReplaceAll([]byte(testsOfIt), []byte("10.5 10.5"), []byte("9 9"))))
	lookout(exitFindings, "test")
	require.Contains(t, stdout.String(), `alerts/a.test.yaml: test "unnamed#0":`)
	require.Contains(t, stdout.String(), `1 expectation of 1 test in`)
	lookout(exitFindings, "mutate")
	require.Contains(t, stderr.String(), "nothing was mutated")

	lookout(exitFailed, "mutate", "--min", "101")
	require.Contains(t, stderr.String(), "--min is 101; write a number of per cent from 0 to 100")
	promtool = "/nowhere/promtool"
	lookout(exitFailed, "test")
	require.Contains(t, stderr.String(), "LOOKOUT_PROMTOOL: stat /nowhere/promtool")
	write("alerts/a.yaml", string(bytes.ReplaceAll([]byte(testedRule), []byte("expr: threads"), []byte("expr: threads("))))
	lookout(exitFailed, "mutate")
	require.Contains(t, stderr.String(), "these rules can't run")
}

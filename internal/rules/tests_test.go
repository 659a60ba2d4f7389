package rules

import (
	"strings"
	"testing"
)

func TestAnAlertNeedsATestForEach(t *testing.T) {
	const file = `groups:
  - name: g
    interval: 1m
    rules:
      - alert: Down
        uid: down
        expr: up
        threshold: {below: 1}
        for: 1m
        no_data_state: OK
        exec_err_state: OK
        labels: {severity: warning}
        annotations: {summary: s, description: d, runbook_url: r}
`
	const (
		fires = "{eval_time: 5m, alertname: Down, exp_alerts: [{exp_labels: {job: go}}]}"
		both  = "{eval_time: 5m, alertname: Down, exp_alerts: [{exp_labels: {job: go}}, {exp_labels: {job: b}}]}"
		later = "{eval_time: 9m, alertname: Down, exp_alerts: [{exp_labels: {job: go}}]}"
		ends  = "{eval_time: 1h, alertname: Down, exp_alerts: []}"
		quiet = "{eval_time: 0m, alertname: Down, exp_alerts: []}"
	)
	group := func(cases ...string) string { return "- {alert_rule_test: [" + strings.Join(cases, ", ") + "]}\n" }
	for _, c := range []struct{ name, tests, lacks string }{
		{"all in one, in any order", group(ends, fires, quiet), ""},
		{"one after the other", group(quiet) + group(fires, ends), ""},
		{"one of two recovers", group(quiet, both, later), ""},
		{"none at all", "", "firing, recovering, staying quiet"},
		{"of another alert", strings.ReplaceAll(group(quiet, fires, ends), "Down", "Up"), "firing, recovering, staying quiet"},
		{"it never fires", group(quiet, ends), "firing, recovering"},
		{"it goes on firing", group(quiet, fires, later), "recovering"},
		{"what recovers has not fired in that test", group(fires) + group(ends), "recovering"},
		{"it is only quiet after it has fired", group(fires, ends), "staying quiet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tests, err := ReadTests("alerts/a.test.yaml", []byte("rule_files: [a.rules.yaml]\ntests:\n"+c.tests))
			if err != nil {
				t.Fatal(err)
			}
			got := CheckTests([]*File{Read("alerts/a.yaml", []byte(file))}, []*UnitTests{tests})
			if c.name == "of another alert" {
				if len(got) != 2 || !strings.Contains(got[0].Error(), `alerts/a.test.yaml:3:1: test "" is about the alert "Up", which alerts/a.yaml does not have`) {
					t.Fatal(got)
				}
				got = got[1:]
			}
			if c.lacks == "" {
				if len(got) > 0 {
					t.Error(got)
				}
				return
			}
			if len(got) != 1 {
				t.Fatal(got)
			}
			for what, text := range map[string]string{"firing": "firing (", "recovering": "recovering (", "staying quiet": "staying quiet just"} {
				if strings.Contains(got[0].Message, text) != strings.Contains(c.lacks, what) {
					t.Errorf("%s, want %s", got[0], c.lacks)
				}
			}
			if !strings.HasPrefix(got[0].Error(), `alerts/a.yaml:5:9: rule "Down": no unit test for `) || !strings.HasSuffix(got[0].Message, "add it to alerts/a.test.yaml") {
				t.Error(got[0])
			}
		})
	}
}

func TestTestsThatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		"evaluation_interval: soon":                        `a.test.yaml: evaluation_interval is "soon", which is not a duration such as 1m`,
		"tests: [{alert_rule_test: [{eval_time: later}]}]": `a.test.yaml: test "": eval_time is "later", which is not a duration such as 5m`,
		"tests: {": "a.test.yaml: yaml:",
	} {
		if _, err := ReadTests("a.test.yaml", []byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestWhatTestsAreAbout(t *testing.T) {
	u := &UnitTests{Path: "alerts/x.test.yaml", RuleFiles: []string{"go.rules.yaml", "../records/job.yaml"}}
	for file, want := range map[string]bool{"alerts/go.yaml": true, "alerts/go.rules.yaml": true, "job.yaml": true, "alerts/o.yaml": false, "rules.yaml": false} {
		if u.Of(file) != want {
			t.Errorf("%s: %v", file, !want)
		}
	}
}

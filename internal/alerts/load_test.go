package alerts

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// sound is a file with nothing wrong; each case below spoils one thing of it.
const sound = `groups:
  - name: go-runtime
    interval: 1m
    rules:
      - alert: GoThreadsHigh
        uid: go-threads-high
        expr: avg_over_time(go_threads{job="go"}[1m])
        window: 1m
        threshold:
          above: 8
        for: 5m
        no_data_state: OK
        exec_err_state: Error
        labels:
          severity: warning
        annotations:
          summary: 【报警】系统线程数过高 Too many OS threads
          description: Many.
          runbook_url: docs/runbooks/go-threads-high.md
        panel:
          dashboard: go-runtime
          id: 3
`

func TestLoad(t *testing.T) {
	file, err := Load("alerts/go.yaml", []byte(sound))
	if err != nil {
		t.Fatal(err)
	}
	rule := file.Groups[0].Rules[0]
	if got, want := rule.Line(), 5; got != want {
		t.Errorf("line is %d, want %d", got, want)
	}
	if got, want := rule.Comparison(), `(avg_over_time(go_threads{job="go"}[1m])) > 8`; got != want {
		t.Errorf("comparison is %s, want %s", got, want)
	}
	if diff := cmp.Diff(&Panel{Dashboard: "go-runtime", ID: 3}, rule.Panel); diff != "" {
		t.Errorf("panel (-want +got):\n%s", diff)
	}
}

func TestLoadSaysWhatIsWrongAndWhere(t *testing.T) {
	for _, test := range []struct {
		name     string
		old, new string
		want     string
	}{
		{"field of a rule", "        for: 5m", "        fro: 5m", `a.yaml:11: unknown field "fro" in a rule; known are alert, annotations, exec_err_state, expr, for, keep_firing_for, labels, no_data_state, panel, threshold, uid, unit, window`},
		{"field of a group", "    interval: 1m", "    interval: 1m\n    limit: 3", `a.yaml:4: unknown field "limit" in a group; known are interval, name, rules`},
		{"field of the file", "groups:", "version: 1\ngroups:", `a.yaml:1: unknown field "version" in a rule file; known are groups`},
		{"field of a threshold", "          above: 8", "          over: 8", "a.yaml:10: unknown field \"over\" in threshold; known are above, below\na.yaml:5: rule \"GoThreadsHigh\": threshold has to be one of {above: 8} and {below: 1}"},
		{"threshold that is no number", "          above: 8", "          above: eight", "a.yaml:10: `eight` is no number"},
		{"two thresholds", "          above: 8", "          above: 8\n          below: 1", `a.yaml:5: rule "GoThreadsHigh": threshold has to be one of {above: 8} and {below: 1}`},
		{"not YAML", "      - alert: GoThreadsHigh", "      - alert: [GoThreadsHigh", `a.yaml:4: did not find expected ',' or ']'`},
		{"not PromQL", `avg_over_time(go_threads{job="go"}[1m])`, `avg_over_time(go_threads{job="go"}[1m]`, `a.yaml:5: rule "GoThreadsHigh": expr is no PromQL: 1:39: parse error: unclosed left parenthesis`},
		{"window that is not in the expression", "window: 1m", "window: 2m", `a.yaml:5: rule "GoThreadsHigh": window is 2m, but expr has no [2m]`},
		{"pending period", "        for: 5m", "        for: five", `a.yaml:5: rule "GoThreadsHigh": for is "five", which is no duration such as 5m`},
		{"interval that Grafana refuses", "interval: 1m", "interval: 15s", `a.yaml:2: interval of group "go-runtime" is "15s"; write 10s or a multiple of that`},
		{"severity", "severity: warning", "severity: bad", `a.yaml:5: rule "GoThreadsHigh": label severity is "bad"; write critical, warning, info`},
		{"state without data", "no_data_state: OK", "no_data_state: Fine", `a.yaml:5: rule "GoThreadsHigh": no_data_state is "Fine"; write NoData, OK, Alerting`},
		{"summary", "          summary: 【报警】系统线程数过高 Too many OS threads\n", "", `a.yaml:5: rule "GoThreadsHigh": annotation summary is missing`},
		{"uid", "uid: go-threads-high", "uid: go threads", `a.yaml:5: rule "GoThreadsHigh": uid is "go threads"; write 1 to 40 letters, digits, '-' and '_'`},
		{"panel", "          id: 3\n", "", `a.yaml:5: rule "GoThreadsHigh": panel needs both dashboard and id`},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Replace(sound, test.old, test.new, 1)
			if text == sound {
				t.Fatal("the case changes nothing")
			}
			_, err := Load("a.yaml", []byte(text))
			if err == nil {
				t.Fatal("it was accepted")
			}
			if diff := cmp.Diff(lines(test.want), lines(err.Error())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// lines compares messages regardless of their order.
func lines(text string) map[string]bool {
	set := map[string]bool{}
	for line := range strings.SplitSeq(text, "\n") {
		set[line] = true
	}
	return set
}

func TestLoadRefusesAnEmptyFile(t *testing.T) {
	if _, err := Load("a.yaml", []byte("# nothing\n")); err == nil || err.Error() != "a.yaml: is empty; a rule file has groups" {
		t.Errorf("error is %v", err)
	}
}

func TestLoadDirRefusesNamesThatStandInTwoFiles(t *testing.T) {
	_, err := LoadDir(fstest.MapFS{
		"alerts/a.yaml":      {Data: []byte(sound)},
		"alerts/b.yaml":      {Data: []byte(sound)},
		"alerts/a.test.yaml": {Data: []byte("tests: []")},
	}, "alerts")
	want := `alerts/b.yaml:2: the group "go-runtime" is already used at alerts/a.yaml:2
alerts/b.yaml:5: the alert "GoThreadsHigh" is already used at alerts/a.yaml:5
alerts/b.yaml:5: the uid "go-threads-high" is already used at alerts/a.yaml:5`
	if err == nil || err.Error() != want {
		t.Errorf("error is\n%v\nwant\n%s", err, want)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(sound))
	f.Add([]byte("groups: [{name: a, rules: [{threshold: {above: x}}]}]"))
	f.Add([]byte("groups: &a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Load("f.yaml", data)
		if err != nil {
			return
		}
		if _, err := file.Prometheus(); err != nil {
			t.Errorf("an accepted file can't be converted: %v", err)
		}
	})
}

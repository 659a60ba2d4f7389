package drill

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"lookout/internal/drill/series"
	"lookout/internal/rules"
	own "lookout/internal/shipped"
)

// shipped are the plans of the alerts in alerts/, as envs/local has them.
func shipped(t *testing.T) ([]*rules.File, *rules.Settings, []*Plan) {
	t.Helper()
	repository := os.DirFS("../..")
	files, err := rules.ReadDir(repository, "alerts")
	require.NoError(t, err)
	// Yours may take as long as you like.
	files = slices.DeleteFunc(files, func(f *rules.File) bool { return !own.Has(f.Path) })
	tests, err := rules.ReadTestsDir(repository, "alerts")
	require.NoError(t, err)
	data, err := os.ReadFile("../../envs/local/alerts.yaml")
	require.NoError(t, err)
	settings := rules.ReadSettings("envs/local/alerts.yaml", data)
	plans, err := Plans(files, tests, Settings{Settings: settings, Scrape: 10 * time.Second, Knobs: []string{"threads", "error_percent"}})
	require.NoError(t, err)
	return files, settings, plans
}

// What a drill writes has to make the rule fire, and to let it recover, by promtool's judgement with the thresholds of local: alerts that would be
// found out in minutes on a stack are found out here.
func TestEveryShippedAlertCanBeMadeToFire(t *testing.T) {
	promtool, err := filepath.Abs("../../.cache/bin/promtool")
	require.NoError(t, err)
	if _, err := os.Stat(promtool); err != nil {
		t.Fatal("promtool is needed: make init test-deps")
	}
	files, settings, plans := shipped(t)
	dir := t.TempDir()
	recording, err := os.ReadFile("../../modules/prometheus/rules/service.yaml")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "recording.yaml"), recording, 0o644))

	const scrape = 10 * time.Second
	type input struct {
		Series string `yaml:"series"`
		Values string `yaml:"values"`
	}
	type expr struct {
		Expr    string           `yaml:"expr"`
		At      string           `yaml:"eval_time"`
		Samples []map[string]any `yaml:"exp_samples"`
	}
	type test struct {
		Name     string  `yaml:"name"`
		Interval string  `yaml:"interval"`
		Input    []input `yaml:"input_series"`
		Exprs    []expr  `yaml:"promql_expr_test"`
	}
	// The rules of one file at a time: promtool evaluates all that a test file names, for each test.
	type testFile struct {
		Files []string `yaml:"rule_files"`
		Eval  string   `yaml:"evaluation_interval"`
		Tests []test   `yaml:"tests"`
	}
	of, outs := map[string]int{}, make([]testFile, len(files))
	for i, f := range files {
		name := fmt.Sprintf("rules%d.yaml", i)
		exported, err := rules.Export([]*rules.File{f}, rules.Target{Settings: settings})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), exported, 0o644))
		outs[i] = testFile{Files: []string{name, "recording.yaml"}, Eval: "10s"}
		for _, r := range f.Rules() {
			of[r.Alert] = i
		}
	}
	timing := &conditions{scrape: scrape, timing: timing{groupWait: time.Second, groupInterval: 10 * time.Second}}
	for _, p := range plans {
		if total := timing.total(p); p.Skip == "" && total > 6*time.Minute {
			t.Errorf("the drill of %s takes %s in local (%s): give it a shorter pending period or window in envs/local/alerts.yaml, or say # lookout:drill skip: why in the rule",
				p.Alert, total, timing.why(p))
			continue
		}
		if p.Skip != "" || p.Heartbeat || p.Knob != "" {
			t.Logf("%-32s %s", p.Alert, first(p.Skip, p.Means()))
			continue
		}
		one := test{Name: p.Alert, Interval: "10s"}
		values := map[string][]string{}
		at := 0
		put := func(all []series.Series, after time.Duration, n int) {
			for _, s := range all {
				key := key(s.Labels)
				for len(values[key]) < n {
					values[key] = append(values[key], "_")
				}
				values[key] = append(values[key], fmt.Sprint(s.Value+s.PerSecond*after.Seconds()))
			}
		}
		for _, ph := range p.Phases[:len(p.Phases)-1] {
			put(ph.At(time.Unix(0, 0)), 0, at)
			at++
		}
		// The scrape after the last phase was written, at the worst moment for a counter: at once.
		began := at
		last := p.Phases[len(p.Phases)-1].At(time.Unix(0, 0))
		fires := time.Duration(at)*scrape + roundUp(p.For, p.Interval) + p.Interval
		for time.Duration(at)*scrape <= fires+time.Minute {
			put(last, time.Duration(at-began)*scrape, at)
			at++
		}
		ends := at
		for k, v := range values {
			one.Input = append(one.Input, input{k, strings.Join(v, " ") + " stale"})
		}
		// The state is asked of ALERTS: the texts of alerts are not what a drill is about.
		selector := func(state string) string {
			l := maps.Clone(p.Labels)
			l["alertname"] = p.Alert
			if state != "" {
				l["alertstate"] = state
			}
			text := key(l)
			return "count(ALERTS" + text + ") > bool 0"
		}
		yes := []map[string]any{{"labels": "{}", "value": 1}}
		one.Exprs = append(one.Exprs, expr{selector("firing"), fires.String(), yes})
		over := time.Duration(ends)*scrape + p.Empty + roundUp(p.KeepFiringFor, p.Interval) + 2*p.Interval + scrape
		one.Exprs = append(one.Exprs, expr{selector("firing"), over.String(), nil})
		outs[of[p.Alert]].Tests = append(outs[of[p.Alert]].Tests, one)
	}
	args := []string{"test", "rules"}
	for i, out := range outs {
		data, err := yaml.Marshal(out)
		require.NoError(t, err)
		name := filepath.Join(dir, fmt.Sprintf("drill%d.yaml", i))
		require.NoError(t, os.WriteFile(name, data, 0o644))
		if len(out.Tests) > 0 {
			args = append(args, name)
		}
	}
	require.Greater(t, len(args), 5, "the alerts were looked for in the wrong place")
	cmd := exec.Command(promtool, args...)
	// It makes a database for each test, and would wait for the disk.
	if memory, err := os.MkdirTemp("/dev/shm", "drill-test-"); err == nil {
		defer os.RemoveAll(memory)
		cmd.Env = append(os.Environ(), "TMPDIR="+memory)
	}
	result, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s\n%s", result, "a rule that these series do not make fire needs a comment: # lookout:drill knob …, or # lookout:drill skip: why")
}

func key(l map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(l)) {
		if name != "__name__" {
			quoted, _ := json.Marshal(l[name])
			parts = append(parts, name+"="+string(quoted))
		}
	}
	return l["__name__"] + "{" + strings.Join(parts, ",") + "}"
}

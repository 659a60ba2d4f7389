package rules

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"lookout/internal/dashboard"
)

// UnitTests is a file of unit tests in promtool's format: https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/
// Only what says which alerts are tested is read; promtool runs them.
type UnitTests struct {
	Path string
	// RuleFiles are the names that it tests, as written: relative to the file.
	RuleFiles []string
	// Step is the time between two evaluations of all rules.
	Step   time.Duration
	Groups []TestGroup
	// Data is the file.
	Data []byte
}

// TestGroup is one test: series, and what is expected of them at some times.
type TestGroup struct {
	Name  string
	Cases []TestCase
	// Exprs are the expressions that the test evaluates next to the alerts.
	Exprs []string
}

// TestCase is what is expected of one alert at one time.
type TestCase struct {
	Alert string
	At    time.Duration
	// Firing are the label sets that are expected to fire.
	Firing []map[string]string
}

// ReadTests reads a file of unit tests. An error names the file.
func ReadTests(name string, data []byte) (*UnitTests, error) {
	var file struct {
		RuleFiles []string `yaml:"rule_files"`
		Step      string   `yaml:"evaluation_interval"`
		Tests     []struct {
			Name  string `yaml:"name"`
			Cases []struct {
				Alert  string `yaml:"alertname"`
				At     string `yaml:"eval_time"`
				Alerts []struct {
					Labels map[string]string `yaml:"exp_labels"`
				} `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
			Exprs []struct {
				Expr string `yaml:"expr"`
			} `yaml:"promql_expr_test"`
		} `yaml:"tests"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	out := &UnitTests{Path: name, RuleFiles: file.RuleFiles, Step: time.Minute, Data: data}
	if file.Step != "" {
		step, err := model.ParseDuration(file.Step)
		if err != nil || step <= 0 {
			return nil, fmt.Errorf("%s: evaluation_interval is %q, which is not a duration such as 1m", name, file.Step)
		}
		out.Step = time.Duration(step)
	}
	for _, t := range file.Tests {
		group := TestGroup{Name: t.Name}
		for _, c := range t.Cases {
			at, err := model.ParseDuration(c.At)
			if err != nil {
				return nil, fmt.Errorf("%s: test %q: eval_time is %q, which is not a duration such as 5m", name, t.Name, c.At)
			}
			one := TestCase{Alert: c.Alert, At: time.Duration(at)}
			for _, a := range c.Alerts {
				one.Firing = append(one.Firing, a.Labels)
			}
			group.Cases = append(group.Cases, one)
		}
		for _, e := range t.Exprs {
			group.Exprs = append(group.Exprs, e.Expr)
		}
		slices.SortStableFunc(group.Cases, func(a, b TestCase) int { return int(a.At - b.At) })
		out.Groups = append(out.Groups, group)
	}
	return out, nil
}

// testEndings are what names of files with unit tests end in.
var testEndings = []string{".test.yaml", ".test.yml", "_test.yaml", "_test.yml"}

// ReadTestsDir reads the files with unit tests of a directory, by their names.
func ReadTestsDir(fsys fs.FS, dir string) ([]*UnitTests, error) {
	found, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("reading the unit tests: %w", err)
	}
	var out []*UnitTests
	for _, e := range found {
		if e.IsDir() || !slices.ContainsFunc(testEndings, func(end string) bool { return strings.HasSuffix(e.Name(), end) }) {
			continue
		}
		name := path.Join(dir, e.Name())
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("reading the unit tests: %w", err)
		}
		tests, err := ReadTests(name, data)
		if err != nil {
			return nil, err
		}
		out = append(out, tests)
	}
	return out, nil
}

// Of tells whether the tests are about a rule file: rule_files names it, or what is exported from it (go.rules.yaml for go.yaml).
func (u *UnitTests) Of(file string) bool {
	return slices.ContainsFunc(u.RuleFiles, func(name string) bool { return Names(name, file) })
}

// Names tells whether an entry of rule_files means a rule file next to it.
func Names(entry, file string) bool {
	entry, file = path.Base(entry), path.Base(file)
	return entry == file || entry == strings.TrimSuffix(file, path.Ext(file))+".rules.yaml"
}

// CheckTests says which alerts lack which unit test. Each needs one in which it fires, one in which it recovers and one in which it
// stays quiet without having fired before. That the value is just under the threshold there only shows when the threshold is moved: see internal/mutate.
func CheckTests(files []*File, tests []*UnitTests) Problems {
	var problems Problems
	for _, f := range files {
		var of []*UnitTests
		for _, u := range tests {
			if path.Dir(u.Path) == path.Dir(f.Path) && u.Of(f.Path) {
				of = append(of, u)
			}
		}
		name := strings.TrimSuffix(f.Path, path.Ext(f.Path)) + ".test.yaml"
		if len(of) > 0 {
			name = of[0].Path
		}
		for _, r := range f.Rules() {
			if r.Alert == "" {
				continue
			}
			var fires, recovers, quiet bool
			for _, u := range of {
				for _, g := range u.Groups {
					a, b, c := g.covers(r.Alert)
					fires, recovers, quiet = fires || a, recovers || b, quiet || c
				}
			}
			var lacks []string
			for _, one := range []struct {
				there bool
				what  string
			}{
				{fires, "firing (exp_alerts with an alert)"},
				{recovers, "recovering (fires, and at a later eval_time of the same test no longer)"},
				{quiet, "staying quiet just under its threshold (exp_alerts: [] in a test in which it has not fired before)"},
			} {
				if !one.there {
					lacks = append(lacks, one.what)
				}
			}
			if len(lacks) > 0 {
				problems.add(Problem{Position: r.Place("alert"), Kind: KindTests, Rule: r.Alert, Message: fmt.Sprintf("no unit test for %s; add it to %s", strings.Join(lacks, ", "), name)})
			}
		}
		for _, u := range of {
			problems = append(problems, u.unknown(f)...)
		}
	}
	problems.sort()
	return problems
}

// covers tells what a test shows of an alert.
func (g TestGroup) covers(alert string) (fires, recovers, quiet bool) {
	var before []map[string]string
	for _, c := range g.Cases {
		if c.Alert != alert {
			continue
		}
		if len(c.Firing) == 0 && len(before) == 0 {
			quiet = true
		}
		for _, was := range before {
			if !slices.ContainsFunc(c.Firing, func(now map[string]string) bool { return maps.Equal(now, was) }) {
				recovers = true
			}
		}
		fires = fires || len(c.Firing) > 0
		before = append(before, c.Firing...)
	}
	return fires, recovers, quiet
}

// unknown says which alerts are tested that do not exist: promtool takes "exp_alerts: []" of any name for true.
func (u *UnitTests) unknown(f *File) Problems {
	if len(u.RuleFiles) != 1 {
		return nil
	}
	var problems Problems
	seen := map[string]bool{}
	for _, g := range u.Groups {
		for _, c := range g.Cases {
			if seen[c.Alert] || slices.ContainsFunc(f.Rules(), func(r *Rule) bool { return r.Alert == c.Alert }) {
				continue
			}
			seen[c.Alert] = true
			line := 1 + strings.Count(string(u.Data[:max(0, strings.Index(string(u.Data), "alertname: "+c.Alert))]), "\n")
			problems.add(Problem{Position: dashboard.Position{File: u.Path, Line: line, Column: 1}, Kind: KindTests, Message: fmt.Sprintf("test %q is about the alert %q, which %s does not have; correct its name or delete the case", g.Name, c.Alert, f.Path)})
		}
	}
	return problems
}

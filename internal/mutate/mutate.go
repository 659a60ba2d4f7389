// Package mutate asks whether unit tests of alert rules would notice a mistake: it changes each rule a little, one change at a time, and runs the rule's unit
// tests. At least one of them has to fail. What no test notices survives, and names the test that is missing.
//
// promtool decides, in a few processes for all changes together.
package mutate

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"lookout/internal/dashboard"
	"lookout/internal/rules"
)

// Options are how tests are run.
type Options struct {
	// Promtool is the program: see [FindPromtool].
	Promtool string
	// Jobs is how many processes run at once, at least 1.
	Jobs int
}

// Failure is a unit test that fails on the rules as they are.
type Failure struct {
	File    string `json:"file"`
	Test    string `json:"test"`
	Message string `json:"message"`
}

// Tested is the result of running unit tests.
type Tested struct {
	Files, Tests int
	Failures     []Failure
}

// Result is a mutation and what became of it.
type Result struct {
	dashboard.Position
	Rule string
	Mutation
	// Killed: a test failed, as it should.
	Killed bool

	excuse *excused
}

// Rule is what became of one rule.
type Rule struct {
	dashboard.Position
	Name string
	// Tests is how many tests are about it.
	Tests   int
	Results []Result
	// Needless are excuses that excuse nothing.
	Needless []string

	excuses excuseList
}

// Report is what became of all.
type Report struct {
	Rules []Rule
	Files int
}

// Test runs the unit tests of rule files as they are.
func Test(ctx context.Context, sets []Set, o Options) (*Tested, error) {
	dir, err := os.MkdirTemp(scratch(), "lookout-rules")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	return test(ctx, sets, o, dir)
}

func test(ctx context.Context, sets []Set, o Options, dir string) (*Tested, error) {
	var files []string
	var of []*rules.UnitTests
	for i, s := range sets {
		doc, err := ruleFile(s.File)
		if err != nil {
			return nil, err
		}
		name := filepath.Join(dir, fmt.Sprintf("rules%d.yaml", i))
		if err := write(name, doc); err != nil {
			return nil, err
		}
		for j, u := range s.Tests {
			more, err := others(u, s.File.Path, dir)
			if err != nil {
				return nil, err
			}
			doc, err := testFile(u, append([]string{name}, more...), "")
			if err != nil {
				return nil, err
			}
			name := filepath.Join(dir, fmt.Sprintf("tests%d-%d.yaml", i, j))
			if err := write(name, doc); err != nil {
				return nil, err
			}
			files, of = append(files, name), append(of, u)
		}
	}
	out := &Tested{Files: len(files)}
	if len(files) == 0 {
		return out, nil
	}
	outcomes, err := promtool{o.Promtool, max(1, o.Jobs), dir}.run(ctx, files)
	if err != nil {
		return nil, err
	}
	for i, result := range outcomes {
		out.Tests += result.tests
		for _, f := range result.failures {
			out.Failures = append(out.Failures, Failure{of[i].Path, f.test, f.message})
		}
	}
	return out, nil
}

// job is a mutation whose tests are to be run.
type job struct {
	result *Result
	files  []string
}

// Run changes every rule of the files and runs its unit tests. If these fail on the rules as they are, nothing is changed and tested says which.
func Run(ctx context.Context, sets []Set, o Options) (report *Report, tested *Tested, err error) {
	dir, err := os.MkdirTemp(scratch(), "lookout-mutate")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	tested, err = test(ctx, sets, o, dir)
	if err != nil || len(tested.Failures) > 0 {
		return nil, tested, err
	}
	report = &Report{Files: len(sets)}
	for _, s := range sets {
		for _, r := range s.File.Rules() {
			report.Rules = append(report.Rules, Rule{Position: r.Place(cmp.Or(map[bool]string{true: "alert"}[r.Alert != ""], "record")), Name: r.Name()})
		}
	}
	var jobs []job
	next := 0
	for i, s := range sets {
		doc, err := ruleFile(s.File)
		if err != nil {
			return nil, nil, err
		}
		for gi, g := range s.File.Groups {
			for ri, r := range g.Rules {
				one := &report.Rules[next]
				next++
				more, err := mutate(one, s, r, func(m Mutation, number int) ([]string, error) {
					return prepare(s, doc, gi, ri, r, m, filepath.Join(dir, fmt.Sprintf("m%d-%d-%d-%d", i, gi, ri, number)), dir)
				})
				if err != nil {
					return nil, nil, err
				}
				jobs = append(jobs, more...)
			}
		}
	}
	var files []string
	for _, j := range jobs {
		files = append(files, j.files...)
	}
	if len(files) > 0 {
		outcomes, err := promtool{o.Promtool, max(1, o.Jobs), dir}.run(ctx, files)
		if err != nil {
			return nil, nil, err
		}
		for _, j := range jobs {
			for range j.files {
				if text := outcomes[0].unreadable(); text != "" {
					return nil, nil, fmt.Errorf("promtool cannot load rule %q with %s: %s", j.result.Rule, j.result.Change, text)
				}
				j.result.Killed = j.result.Killed || len(outcomes[0].failures) > 0
				outcomes = outcomes[1:]
			}
		}
	}
	for i := range report.Rules {
		report.Rules[i].settle()
	}
	return report, tested, nil
}

// mutate lists the mutations of a rule, and what tests each.
func mutate(out *Rule, s Set, r *rules.Rule, prepare func(Mutation, int) ([]string, error)) ([]job, error) {
	step := time.Minute
	for _, u := range s.Tests {
		for _, g := range u.Groups {
			if r.Alert == "" && len(g.Exprs) > 0 || slices.ContainsFunc(g.Cases, func(c rules.TestCase) bool { return r.Alert != "" && c.Alert == r.Alert }) {
				out.Tests++
				step = u.Step
			}
		}
	}
	expr := r.Comparison()
	list, err := mutations(expr, r.For, r.KeepFiringFor, step)
	if err != nil {
		return nil, fmt.Errorf("%s: rule %q: %w", r.Place("expr"), r.Name(), err)
	}
	out.excuses, err = excuses(r)
	if err != nil {
		return nil, err
	}
	for _, m := range list {
		if r.Alert == "" {
			if m.at < 0 {
				continue
			}
			m.Quiet, m.Hint = false, fmt.Sprintf("add a promql_expr_test of %s whose samples this changes", r.Record)
		}
		out.Results = append(out.Results, Result{Position: where(r, m), Rule: r.Name(), Mutation: m, excuse: out.excuses.of(m)})
	}
	if out.Tests == 0 {
		return nil, nil
	}
	var jobs []job
	for i := range out.Results {
		files, err := prepare(out.Results[i].Mutation, i)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, job{&out.Results[i], files})
	}
	return jobs, nil
}

// prepare writes the changed rule file and its tests, and returns the latter.
func prepare(s Set, doc *yaml.Node, group, rule int, r *rules.Rule, m Mutation, dir, shared string) ([]string, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	alone := r.Alert != "" && !slices.ContainsFunc(s.File.Rules(), func(r *rules.Rule) bool { return strings.Contains(r.Expr, "ALERTS") })
	for _, u := range s.Tests {
		alone = alone && !strings.Contains(string(u.Data), "ALERTS")
	}
	name := filepath.Join(dir, "rules.yaml")
	if err := write(name, mutated(doc, group, rule, m, alone)); err != nil {
		return nil, err
	}
	var out []string
	for i, u := range s.Tests {
		more, err := others(u, s.File.Path, shared)
		if err != nil {
			return nil, err
		}
		test, err := testFile(u, append([]string{name}, more...), r.Alert)
		if err != nil {
			return nil, err
		}
		if test == nil {
			continue
		}
		name := filepath.Join(dir, fmt.Sprintf("tests%d.yaml", i))
		if err := write(name, test); err != nil {
			return nil, err
		}
		out = append(out, name)
	}
	return out, nil
}

// where is the place in the rule file that a mutation changes.
func where(r *rules.Rule, m Mutation) dashboard.Position {
	switch {
	case m.pending != nil:
		return r.Place("for")
	case m.keep != nil:
		return r.Place("keep_firing_for")
	case r.Threshold == nil:
		return r.Position(m.at)
	case m.at == 0 || m.at > len(r.Expr):
		return r.Place("threshold")
	}
	return r.Position(m.at - 1) // the bracket in front of the expression
}

// settle finds excuses that excuse nothing: what they name does not exist, or a test notices it.
func (r *Rule) settle() {
	for _, e := range r.excuses {
		needed := false
		for i := range r.Results {
			needed = needed || r.Results[i].excuse == e && !r.Results[i].Killed
		}
		if !needed {
			r.Needless = append(r.Needless, strings.TrimSpace(fmt.Sprintf("%s %s", e.kind, e.target)))
		}
	}
	slices.Sort(r.Needless)
}

// Excuse is the reason that the rule's comments give for a survivor, "" for none.
func (r Result) Excuse() string {
	if r.Killed || r.excuse == nil {
		return ""
	}
	return r.excuse.reason
}

// Survived tells whether no test noticed the mutation, and nothing excuses that.
func (r Result) Survived() bool { return !r.Killed && r.excuse == nil }

// excuse matches a comment that says why a mutation cannot be noticed:
//
//	# lookout:survives threshold-down: up is 0 or 1
//	# lookout:survives matcher-dropped job="go": the division keeps only jobs that both sides have
var excuse = regexp.MustCompile(`#\s*lookout:survives\s+([a-z-]+)(?:[ \t]+([^\n]*?))?[ \t]*(?:$|:(?:$|[ \t]+([^\n]*)))`)

type excused struct {
	kind   Kind
	target string
	reason string
}

type excuseList []*excused

func excuses(r *rules.Rule) (excuseList, error) {
	var out excuseList
	for line := range strings.SplitSeq(r.Comments(), "\n") {
		if !strings.Contains(line, "lookout:survives") {
			continue
		}
		m := excuse.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil || !slices.Contains(kinds, Kind(m[1])) {
			return nil, fmt.Errorf("%s: rule %q: cannot read the comment %q; write # lookout:survives threshold-down: why, with one of %s", r.Place(""), r.Name(), strings.TrimSpace(line), strings.Join(kindNames(), ", "))
		}
		if strings.TrimSpace(m[3]) == "" {
			return nil, fmt.Errorf("%s: rule %q: # lookout:survives %s has no reason; write # lookout:survives %s: why no test can notice it", r.Place(""), r.Name(), m[1], strings.TrimSpace(m[1]+" "+m[2]))
		}
		out = append(out, &excused{kind: Kind(m[1]), target: strings.TrimSpace(m[2]), reason: strings.TrimSpace(m[3])})
	}
	return out, nil
}

// of finds the excuse of a mutation, nil if there is none. One with a target goes before one without.
func (l excuseList) of(m Mutation) *excused {
	for _, target := range []string{m.Target, ""} {
		for _, e := range l {
			if e.kind == m.Kind && e.target == target {
				return e
			}
		}
	}
	return nil
}

var kinds = []Kind{
	ComparisonFlipped, ComparisonBoundary, ThresholdUp, ThresholdDown, WindowLonger, WindowShorter, ForLonger, ForShorter, KeepLonger, KeepShorter, MatcherNegated, MatcherDropped,
}

func kindNames() []string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = string(k)
	}
	return out
}

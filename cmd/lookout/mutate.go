package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"lookout/internal/finding"
	"lookout/internal/mutate"
	"lookout/internal/promql"
	"lookout/internal/rules"
	"lookout/internal/source"
)

type rulesTestCmd struct {
	Paths []string `arg:"" optional:"" name:"path" help:"Rule files, or directories of them. Default: alerts/."`
}

func (c *rulesTestCmd) Run(ctx context.Context, a *app) error {
	sets, options, err := testable(a, c.Paths)
	if err != nil {
		return err
	}
	var without []string
	for _, s := range sets {
		if len(s.Tests) == 0 {
			without = append(without, s.File.Path)
		}
	}
	if len(without) == len(sets) {
		return fmt.Errorf("there are no unit tests of %s; write them next to it, in a *.test.yaml whose rule_files names it", strings.Join(without, ", "))
	}
	for _, name := range without {
		a.note("%s has no unit tests", name)
	}
	began := a.now()
	tested, err := mutate.Test(ctx, sets, options)
	if err != nil {
		return err
	}
	a.failures(tested)
	fmt.Fprintf(a.stdout, "%s of %s in %s of %s failed, %.1f s\n", finding.Count(len(tested.Failures), "expectation"), finding.Count(tested.Tests, "test"),
		finding.Count(tested.Files, "test file"), finding.Count(len(sets), "rule file"), a.now().Sub(began).Seconds())
	if len(tested.Failures) > 0 {
		return errFindings
	}
	return nil
}

type rulesMutateCmd struct {
	Min     float64       `default:"95" placeholder:"PERCENT" help:"Exit code 1 if less of the mutations are noticed (default 95)."`
	Format  string        `enum:"text,json" default:"text" help:"text or json."`
	Verbose bool          `short:"v" help:"Every mutation, not only survivors (text)."`
	Timeout time.Duration `default:"5m" help:"How long all of it may take."`
	Paths   []string      `arg:"" optional:"" name:"path" help:"Rule files, or directories of them. Default: alerts/."`
}

func (c *rulesMutateCmd) Run(ctx context.Context, a *app) error {
	if !(c.Min >= 0 && c.Min <= 100) { // NaN is neither
		return fmt.Errorf("--min is %g; write a number of per cent from 0 to 100", c.Min)
	}
	sets, options, err := testable(a, c.Paths)
	if err != nil {
		return err
	}
	began := a.now()
	within, cancel := context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("not finished within --timeout %s; name fewer files, or allow more", c.Timeout))
	defer cancel()
	report, tested, err := mutate.Run(within, sets, options)
	if err != nil {
		if within.Err() != nil && ctx.Err() == nil {
			return context.Cause(within)
		}
		return err
	}
	if len(tested.Failures) > 0 {
		if c.Format == "json" {
			if err := json.NewEncoder(a.stdout).Encode(map[string]any{"failures": tested.Failures}); err != nil {
				return err
			}
		} else {
			a.failures(tested)
		}
		a.note("nothing was mutated, since unit tests fail on the rules as they are")
		return errFindings
	}
	if c.Format == "json" {
		err = report.JSON(a.stdout, c.Min)
	} else {
		err = report.Text(a.stdout, c.Min, c.Verbose)
	}
	if err != nil {
		return err
	}
	a.note("%.1f s", a.now().Sub(began).Seconds())
	if !report.Good(c.Min) {
		return errFindings
	}
	return nil
}

func (a *app) failures(tested *mutate.Tested) {
	for _, f := range tested.Failures {
		fmt.Fprintf(a.stdout, "%s: test %q:\n%s\n", f.File, f.Test, f.Message)
	}
}

// testable reads rule files and their unit tests, and finds what runs them.
func testable(a *app, paths []string) ([]mutate.Set, mutate.Options, error) {
	all, err := a.readRules(paths)
	if err != nil {
		return nil, mutate.Options{}, err
	}
	var files []*rules.File
	for _, f := range all {
		if f.Path == source.StdinName {
			return nil, mutate.Options{}, errors.New("unit tests stand next to a rule file; name that instead of -")
		}
		if f.Form != rules.Tests {
			files = append(files, f)
		}
	}
	if len(files) == 0 {
		return nil, mutate.Options{}, fmt.Errorf("%s holds unit tests; name the rule file that they test", strings.Join(paths, ", "))
	}
	if problems := checkAny(files, promql.NewParser(), "").Serious(); len(problems) > 0 {
		return nil, mutate.Options{}, fmt.Errorf("these rules can't run:\n%w", problems)
	}
	sets, err := mutate.Load(files)
	if err != nil {
		return nil, mutate.Options{}, err
	}
	path, err := mutate.FindPromtool(".", a.getenv)
	if err != nil {
		return nil, mutate.Options{}, err
	}
	return sets, mutate.Options{Promtool: path, Jobs: runtime.GOMAXPROCS(0)}, nil
}

// checkTests says which alerts lack which unit tests.
func checkTests(files []*rules.File) (rules.Problems, error) {
	sets, err := mutate.Load(files)
	if err != nil {
		return nil, err
	}
	var tests []*rules.UnitTests
	seen := map[*rules.UnitTests]bool{}
	for _, s := range sets {
		for _, u := range s.Tests {
			if !seen[u] {
				seen[u] = true
				tests = append(tests, u)
			}
		}
	}
	return rules.CheckTests(files, tests), nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lookout/internal/finding"
	"lookout/internal/inputs"
	"lookout/internal/lint"
	"lookout/internal/promql"
	"lookout/internal/review"
	"lookout/internal/rules"
	"lookout/internal/source"
)

// rulesCmd holds what is there for alert rules only.
type rulesCmd struct {
	Check  rulesCheckCmd  `cmd:"" help:"Say all that is wrong with the alert rules; make plan and make apply run it first."`
	Test   rulesTestCmd   `cmd:"" help:"Run the unit tests next to the alert rules (*.test.yaml in promtool's format)."`
	Mutate rulesMutateCmd `cmd:"" help:"Change each alert rule a little and say which changes none of its unit tests notices."`
	Export rulesExportCmd `cmd:"" help:"Write the alert rules as a standard Prometheus rule file."`

	SLO rulesSLOCmd `cmd:"" name:"slo" help:"Write the recording rules and alerts of the service level objectives in slos/."`

	Backtest rulesBacktestCmd `cmd:"" help:"Say how often and when each changed alert would have fired, before and after the change."`
}

type rulesCheckCmd struct {
	Config string   `placeholder:"FILE" help:"Configuration with the keyword; default .lookout.yaml, if there is one."`
	Tests  bool     `help:"Every alert needs unit tests next to its file: for firing, recovering and staying quiet."`
	Paths  []string `arg:"" optional:"" name:"path" help:"Rule files, or directories of them. Default: alerts/, and what dashboards/ and envs/*/alerts.yaml say about it."`
}

func (c *rulesCheckCmd) Run(a *app) error {
	cfg, err := lint.Load(c.Config)
	if err != nil {
		return err
	}
	parser := promql.NewParser()
	var files []*rules.File
	var problems rules.Problems
	if len(c.Paths) == 0 {
		for _, warning := range calendars(os.DirFS("."), a.now()) {
			a.note("%s", warning)
		}
		files, problems, err = rules.CheckRepository(os.DirFS("."), parser, cfg.Keyword)
		if errors.Is(err, fs.ErrNotExist) {
			return errNoAlerts
		}
	} else if files, err = a.readRules(c.Paths); err == nil {
		problems = checkAny(files, parser, cfg.Keyword)
	}
	if err != nil {
		return err
	}
	if c.Tests {
		missing, err := checkTests(files)
		if err != nil {
			return err
		}
		problems = append(problems, missing...)
	}
	serious, alerts := 0, 0
	for _, p := range problems {
		level := "error"
		if p.Minor {
			level = "warning"
		} else {
			serious++
		}
		rule := ""
		if p.Rule != "" {
			rule = fmt.Sprintf("rule %q: ", p.Rule)
		}
		fmt.Fprintf(a.stdout, "%s: %s: %s%s (%s)\n", p.Position, level, rule, p.Message, p.Kind)
	}
	for _, f := range files {
		alerts += len(f.Rules())
	}
	fmt.Fprintf(a.stdout, "%s in %s, %s\n", finding.Count(len(problems), "problem"), finding.Count(len(files), "file"), finding.Count(alerts, "rule"))
	unread := 0
	for _, f := range files {
		if !f.Holds() && f.Form != rules.Tests {
			unread++
		}
	}
	if unread > 0 {
		return fmt.Errorf("%s could not be read as rules", finding.Count(unread, "file"))
	}
	if serious > 0 {
		return errFindings
	}
	return nil
}

// checkAny says what is wrong with rule files of any form. One that is named has to be one.
func checkAny(files []*rules.File, parser *promql.Parser, keyword string) rules.Problems {
	var own, others []*rules.File
	for _, f := range files {
		if f.Form == rules.Own || !f.Holds() {
			own = append(own, f)
		} else {
			others = append(others, f)
		}
	}
	problems := rules.CheckOwn(own, parser, keyword)
	return append(problems, rules.CheckPlain(others, parser)...)
}

// errNoAlerts is what commands that look at alerts/ by default say where there is none.
var errNoAlerts = errors.New("there is no alerts/ here; name rule files, or run it in the repository")

// readRules reads the rule files under the paths, by default of alerts/. Unit tests are left alone unless they are named, and so is YAML of another kind that
// was found in a directory elsewhere.
func (a *app) readRules(paths []string) ([]*rules.File, error) {
	_, files, err := a.ruleSources(paths)
	return files, err
}

// ruleSources gives the rule files with what they were read from.
func (a *app) ruleSources(paths []string) (sources []source.File, files []*rules.File, err error) {
	if len(paths) == 0 {
		paths = []string{"alerts"}
		if _, err := os.Stat(paths[0]); errors.Is(err, fs.ErrNotExist) {
			return nil, nil, errNoAlerts
		}
	}
	listed, err := a.list(paths, source.RuleEndings...)
	if err != nil {
		return nil, nil, err
	}
	var skipped []source.Skip
	for _, f := range listed {
		if !f.Named && rules.IsTest(f.Name) {
			continue
		}
		data, err := f.Read(nil)
		if err != nil {
			return nil, nil, err
		}
		f.Read = func([]byte) ([]byte, error) { return data, nil } // standard input can't be read again
		switch r := rules.Read(f.Name, data); {
		case f.Named || r.Holds() || len(r.Problems) > 0 || f.Must && r.Form != rules.Tests:
			f.Must = true
			sources, files = append(sources, f), append(files, r)
		case r.Form != rules.Tests:
			skipped = append(skipped, source.Skip{File: f.Name, Reason: inputs.NotRules(r)})
		}
	}
	a.noteSkips(skipped)
	if len(files) == 0 {
		return nil, nil, fmt.Errorf("there is no rule file (*.yaml, *.yml, *.rules) in %s", strings.Join(paths, ", "))
	}
	return sources, files, nil
}

type rulesExportCmd struct {
	Env            string   `placeholder:"NAME" help:"The rules as this environment has them: with envs/NAME/alerts.yaml, its label and the texts of messages."`
	Output         string   `short:"o" placeholder:"PATH" help:"File to write, or an existing directory for a file per topic; default stdout."`
	RunbookBaseURL string   `name:"runbook-base-url" placeholder:"URL" help:"What runbook paths are relative to (with --env)."`
	ConsoleURL     string   `name:"console-url" placeholder:"URL" help:"Where links to dashboards and panels lead (with --env)."`
	Paths          []string `arg:"" optional:"" name:"path" help:"Rule files in Lookout's own form, or directories of them. Default: alerts/."`
}

func (c *rulesExportCmd) Run(_ context.Context, a *app) error {
	files, err := a.readRules(c.Paths)
	if err != nil {
		return err
	}
	problems := rules.CheckOwn(files, promql.NewParser(), "")
	target := rules.Target{Environment: c.Env, RunbookBaseURL: c.RunbookBaseURL, ConsoleURL: c.ConsoleURL}
	if c.Env != "" {
		if err := review.CheckEnvironment(c.Env); err != nil {
			return err
		}
		name := "envs/" + c.Env + "/alerts.yaml"
		data, err := os.ReadFile(name)
		switch {
		case errors.Is(err, fs.ErrNotExist): // it overrides nothing
		case err != nil:
			return err
		default:
			target.Settings = rules.ReadSettings(name, data)
			problems = append(problems, target.Settings.Check(files)...)
		}
	}
	if serious := problems.Serious(); len(serious) > 0 {
		return fmt.Errorf("nothing was written, since these rules can't run:\n%w", serious)
	}
	if info, err := os.Stat(c.Output); c.Output != "" && err == nil && info.IsDir() {
		written := map[string][]byte{}
		from := map[string]string{}
		for _, f := range files {
			data, err := rules.Export([]*rules.File{f}, target)
			if err != nil {
				return err
			}
			if data == nil {
				continue
			}
			if f.Path == source.StdinName {
				return fmt.Errorf("--output %s is a directory, and standard input has no name; name a file", c.Output)
			}
			name := filepath.Join(c.Output, filepath.Base(f.Path))
			if from[name] != "" {
				return fmt.Errorf("nothing was written, since %s and %s would both be %s; export them one by one, or into one file", from[name], f.Path, filepath.ToSlash(name))
			}
			from[name], written[name] = f.Path, data
		}
		for _, name := range slices.Sorted(maps.Keys(written)) {
			if err := source.Write(name, written[name]); err != nil {
				return err
			}
		}
		return nil
	}
	data, err := rules.Export(files, target)
	if err != nil {
		return err
	}
	if c.Output == "" || c.Output == "-" {
		_, err = a.stdout.Write(data)
		return err
	}
	return source.Write(c.Output, data)
}

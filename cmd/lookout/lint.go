package main

import (
	"context"
	"errors"
	"fmt"

	lintdocs "lookout/docs/lint"
	"lookout/internal/finding"
	"lookout/internal/lint"
	"lookout/internal/promql"
	"lookout/internal/review"
)

type lintCmd struct {
	Format      string   `enum:"text,json,markdown,sarif,github" default:"text" help:"text, json, markdown, sarif or github."`
	NewSince    string   `name:"new-since" placeholder:"REV" help:"Report only what is new since that commit, tag or branch."`
	MinSeverity string   `name:"min-severity" enum:"error,warning,info" default:"info" help:"Minimum severity to report: error, warning or info."`
	Config      string   `placeholder:"FILE" help:"Configuration with silences; default .lookout.yaml, if there is one."`
	FailOn      string   `name:"fail-on" enum:"error,warning,info" default:"warning" help:"Minimum severity that makes the exit code 1: error, warning or info."`
	Fix         bool     `help:"Fix what has one right answer, in the files, and report the rest."`
	Rules       bool     `help:"List the rules and exit."`
	Explain     string   `placeholder:"RULE" help:"Explain a rule: why it exists, what fails and what passes."`
	Paths       []string `arg:"" optional:"" name:"path" help:"Dashboards and rule files, or directories that are walked for them."`
}

func (c *lintCmd) Run(ctx context.Context, a *app) error {
	if c.Rules {
		cfg, err := lint.Load(c.Config)
		if err != nil {
			return err
		}
		rules := lint.New(cfg, promql.NewParser()).Rules()
		for _, r := range rules {
			fmt.Fprintf(a.stdout, "%-24s %-8s %s\n", r.ID, r.Severity, r.Summary)
		}
		return nil
	}
	if c.Explain != "" {
		page, err := lintdocs.Page(c.Explain)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(a.stdout, page)
		return err
	}
	if len(c.Paths) == 0 {
		return errors.New("no paths given; name dashboards, rule files or directories, or - for stdin")
	}
	cfg, err := lint.Load(c.Config)
	if err != nil {
		return err
	}
	files, err := a.sources(c.Paths)
	if err != nil {
		return err
	}
	result, fixed, err := review.Lint(ctx, review.Linting{Files: files, Config: cfg, NewSince: c.NewSince, Fix: c.Fix})
	if err != nil {
		return err
	}
	if c.Fix {
		a.note("%s fixed", finding.Count(fixed, "finding"))
	}
	a.noteNothing(c.Paths, result.Summary.Dashboards, len(result.Skipped), len(files))
	result.Keep(finding.Severity(c.MinSeverity))
	if err := result.Write(a.stdout, c.Format, a.colored(a.stdout)); err != nil {
		return err
	}
	if c.Format != "json" && c.Format != "sarif" {
		a.noteSkips(result.Skipped)
	} else {
		a.note("%s", result.Line())
	}
	if err := errUnread(result.Findings); err != nil {
		return err
	}
	if result.Has(finding.Severity(c.FailOn)) {
		return errFindings
	}
	return nil
}

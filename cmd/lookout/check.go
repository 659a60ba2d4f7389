package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"lookout/internal/finding"
	"lookout/internal/lint"
	"lookout/internal/review"
)

type checkCmd struct {
	Metrics      []string      `placeholder:"FILE|URL" sep:"none" help:"What an exporter exposes: a captured file, - for stdin, or the address of a live /metrics. Several are taken together. Without it and --prometheus: exposed.metrics of the configuration."`
	Prometheus   string        `placeholder:"URL" help:"A Prometheus that scrapes the exporters; knows the labels of targets, too."`
	Since        time.Duration `default:"1h" help:"How far back to ask the Prometheus for series."`
	RunExporters bool          `name:"run-exporters" help:"Start the programs under exposed.exporters of the configuration and check against what they expose, too."`
	Was          []string      `placeholder:"FILE" sep:"none" help:"What the exporter exposed before: tells what was dropped, and what that breaks."`
	TargetLabel  []string      `name:"target-label" placeholder:"NAME" help:"Labels that the scrape puts on besides job and instance, so that an exposition lacks them."`
	Lint         bool          `help:"Judge by the rules of docs/lint, too: every file is read once for both."`
	FailOn       string        `name:"fail-on" enum:"error,warning,info" default:"warning" help:"Minimum severity that makes the exit code 1: error, warning or info."`
	Format       string        `enum:"text,json,markdown,sarif,github" default:"text" help:"text, json, markdown, sarif or github."`
	Config       string        `placeholder:"FILE" help:"Configuration with silences; default .lookout.yaml, if there is one."`
	Paths        []string      `arg:"" name:"path" help:"Dashboards and rule files, or directories that are walked for them."`
}

// Help is shown by lookout check --help.
func (c *checkCmd) Help() string {
	return "Holds every metric, label and type that dashboards and alert rules use against what is exposed."
}

func (c *checkCmd) Run(ctx context.Context, a *app) error {
	if c.Since <= 0 {
		return fmt.Errorf("--since %s: write a duration above zero, such as 1h", c.Since)
	}
	cfg, err := lint.Load(c.Config)
	if err != nil {
		return err
	}
	files, err := a.sources(c.Paths)
	if err != nil {
		return err
	}
	checked, err := review.Check(ctx, review.Checking{
		Files: files, Config: cfg, Metrics: c.Metrics, Was: c.Was, RunExporters: c.RunExporters, Prometheus: c.Prometheus, Since: c.Since, Now: a.now(), TargetLabels: c.TargetLabel,
		Lint: c.Lint, Stdin: a.stdin, HTTP: a.client,
	})
	if err != nil {
		return err
	}
	a.noteNothing(c.Paths, checked.Summary.Dashboards, len(checked.Skipped), len(files))
	if err := checked.Write(a.stdout, c.Format, a.colored(a.stdout)); err != nil {
		return err
	}
	// How each dashboard fits belongs to the result where a person reads it, and is a diagnostic where a program does.
	switch tail := checked.Tail(); c.Format {
	case "text", "github":
		_, err = io.WriteString(a.stdout, tail)
	case "markdown":
		_, err = fmt.Fprintf(a.stdout, "\n```\n%s```\n", tail)
	default:
		_, err = fmt.Fprintf(a.stderr, "%s%s\n", tail, checked.Line())
	}
	if err != nil {
		return err
	}
	if err := errUnread(checked.Findings); err != nil {
		return err
	}
	if checked.Has(finding.Severity(c.FailOn)) {
		return errFindings
	}
	return nil
}

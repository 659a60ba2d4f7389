package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"lookout/internal/dashboard"
	"lookout/internal/lint"
	"lookout/internal/promql"
	"lookout/internal/source"
)

type lintCmd struct {
	Format      string   `enum:"text,json,markdown,sarif,github" default:"text" help:"text, json, markdown, sarif or github."`
	NewSince    string   `name:"new-since" placeholder:"REV" help:"Report only what is new since that commit, tag or branch."`
	MinSeverity string   `name:"min-severity" enum:"error,warning,info" default:"info" help:"Leave out what is less bad: error, warning or info."`
	Config      string   `placeholder:"FILE" help:"Configuration with silences; default .lookout.yaml, if there is one."`
	Rules       bool     `help:"List the rules and exit."`
	Paths       []string `arg:"" optional:"" name:"path" help:"Dashboards and rule files, or directories that are walked for them."`
}

func (c *lintCmd) Run(ctx context.Context, a *app) error {
	if c.Rules {
		for _, r := range lint.Rules() {
			fmt.Fprintf(a.stdout, "%-24s %-8s %s\n", r.ID, r.Severity, r.Summary)
		}
		return nil
	}
	if len(c.Paths) == 0 {
		return errors.New("no paths given; name dashboards, rule files or directories, or - for stdin")
	}
	cfg, err := loadConfig(c.Config)
	if err != nil {
		return err
	}
	files, err := a.sources(c.Paths)
	if err != nil {
		return err
	}
	parser := promql.NewParser()
	result, err := lintAll(ctx, files, cfg, parser)
	if err != nil {
		return err
	}
	if c.NewSince != "" {
		if err := c.dropOld(ctx, &result, files, cfg, parser); err != nil {
			return err
		}
	}
	kept := result.Findings[:0]
	for _, f := range result.Findings {
		if f.Severity.AtLeast(lint.Severity(c.MinSeverity)) {
			kept = append(kept, f)
		}
	}
	result.Findings = kept
	if err := result.Write(a.stdout, c.Format, a.colored(a.stdout)); err != nil {
		return err
	}
	if c.Format != "json" && c.Format != "sarif" {
		a.noteSkips(result.Skipped)
	} else {
		a.note("%s", result.Line())
	}
	if len(result.Findings) > 0 {
		return errFindings
	}
	return nil
}

func lintAll(ctx context.Context, files []source.File, cfg lint.Config, parser *promql.Parser) (lint.Result, error) {
	l := lint.New(cfg, parser)
	skipped, err := visit(ctx, files, visitor{
		dashboard: func(d *dashboard.Dashboard) { l.Dashboard(d, nil) },
		broken:    l.Unreadable,
		rules:     l.RuleFile,
	})
	if err != nil {
		return lint.Result{}, err
	}
	result := l.Result()
	result.Skipped = skipped
	return result, nil
}

// dropOld leaves only the findings that the revision did not have. A finding is the same if rule, file, dashboard, panel and message are; lines move with every
// edit. Of equal findings as many are old as there were before.
func (c *lintCmd) dropOld(ctx context.Context, result *lint.Result, files []source.File, cfg lint.Config, parser *promql.Parser) error {
	base, err := atRevision(ctx, c.NewSince, files)
	if err != nil {
		return err
	}
	old, err := lintAll(ctx, base, cfg, parser)
	if err != nil {
		return fmt.Errorf("at %s: %w", c.NewSince, err)
	}
	movedTo := map[string]string{} // title of a dashboard → its file now, if it is a new one
	was, is := map[string]bool{}, map[string]bool{}
	for _, f := range base {
		was[f.Name] = true
	}
	for _, f := range files {
		is[f.Name] = true
	}
	for _, f := range result.Findings {
		if f.Dashboard != "" && !was[f.File] {
			movedTo[f.Dashboard] = f.File
		}
	}
	had := map[string]int{}
	key := func(f lint.Finding, file string) string {
		return strings.Join([]string{f.Rule, file, f.Panel, stripLines(f.Message)}, "\x00")
	}
	for _, f := range old.Findings {
		file := f.File
		if to, ok := movedTo[f.Dashboard]; ok && !is[file] {
			file = to
		}
		had[key(f, file)]++
	}
	var fresh []lint.Finding
	for _, f := range result.Findings {
		if k := key(f, f.File); had[k] > 0 {
			had[k]--
			continue
		}
		fresh = append(fresh, f)
	}
	result.Findings = append([]lint.Finding{}, fresh...)
	return nil
}

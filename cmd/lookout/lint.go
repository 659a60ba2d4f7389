package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	lintdocs "lookout/docs/lint"
	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/lint"
	"lookout/internal/promql"
	"lookout/internal/source"
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
		cfg, err := loadConfig(c.Config)
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
	if c.Fix {
		if result, err = c.fix(ctx, a, files, cfg, parser, result); err != nil {
			return err
		}
	}
	if c.NewSince != "" {
		if err := c.dropOld(ctx, &result, files, cfg, parser); err != nil {
			return err
		}
	}
	kept := result.Findings[:0]
	for _, f := range result.Findings {
		if f.Severity.AtLeast(finding.Severity(c.MinSeverity)) {
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
	if result.Has(finding.Severity(c.FailOn)) {
		return errFindings
	}
	return nil
}

// mostFixes is how often a file is linted and fixed: an edit may make the next one possible.
const mostFixes = 5

// fix applies the edits of the findings and lints again.
func (c *lintCmd) fix(ctx context.Context, a *app, files []source.File, cfg lint.Config, parser *promql.Parser, result finding.Result) (finding.Result, error) {
	total := 0
	for range mostFixes {
		byFile := map[string][]finding.Finding{}
		for _, f := range result.Findings {
			if f.Fix != nil && f.File != source.StdinName {
				byFile[f.File] = append(byFile[f.File], f)
			}
		}
		if len(byFile) == 0 {
			break
		}
		for file, findings := range byFile {
			data, err := os.ReadFile(file)
			if err != nil {
				return result, err
			}
			text, bom := strings.CutPrefix(string(data), "\ufeff")
			fixed, n := finding.Fix(text, findings)
			if bom {
				fixed = "\ufeff" + fixed
			}
			if err := replaceFile(file, []byte(fixed)); err != nil {
				return result, err
			}
			total += n
		}
		var err error
		if result, err = lintAll(ctx, files, cfg, parser); err != nil {
			return result, err
		}
	}
	a.note("%s fixed", count(total, "finding"))
	return result, nil
}

func lintAll(ctx context.Context, files []source.File, cfg lint.Config, parser *promql.Parser) (finding.Result, error) {
	l := lint.New(cfg, parser)
	skipped, err := visit(ctx, files, visitor{
		dashboard: func(d *dashboard.Dashboard) { l.Dashboard(d, nil) },
		broken:    l.Unreadable,
		rules:     l.RuleFile,
	})
	if err != nil {
		return finding.Result{}, err
	}
	result := l.Result()
	result.Skipped = skipped
	return result, nil
}

// dropOld leaves only the findings that the revision did not have. A finding is the same if rule, file, dashboard, panel and message are; lines move with every
// edit. Of equal findings as many are old as there were before.
func (c *lintCmd) dropOld(ctx context.Context, result *finding.Result, files []source.File, cfg lint.Config, parser *promql.Parser) error {
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
	key := func(f finding.Finding, file string) string {
		return strings.Join([]string{f.Rule, file, f.Panel, stripLines(f.Message)}, "\x00")
	}
	for _, f := range old.Findings {
		file := f.File
		if to, ok := movedTo[f.Dashboard]; ok && !is[file] {
			file = to
		}
		had[key(f, file)]++
	}
	var fresh []finding.Finding
	for _, f := range result.Findings {
		if k := key(f, f.File); had[k] > 0 {
			had[k]--
			continue
		}
		fresh = append(fresh, f)
	}
	result.Findings = append([]finding.Finding{}, fresh...)
	return nil
}

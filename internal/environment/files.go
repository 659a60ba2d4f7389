package environment

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lookout/internal/catalog"
	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/inputs"
	"lookout/internal/lint"
	"lookout/internal/promql"
	"lookout/internal/rules"
	"lookout/internal/source"
)

// refused are the rules of lint whose findings would stop an apply, or leave a panel without data in what was applied.
var refused = []string{lint.UnreadableID, lint.JSONSyntaxID, "plan-refused", "duplicate-uid", "dashboard-title", "promql-syntax"}

// checkFiles refuses what a person may have got wrong in files that Terraform can only name, not point
// into: dashboards that the plan refuses or whose queries Prometheus refuses, and rule files that say something
// unknown.
func checkFiles(ctx context.Context, repo string) error {
	cfg, err := configuration(repo)
	if err != nil {
		return err
	}
	parser := promql.NewParser()
	problems, err := checkDashboards(ctx, repo, cfg, parser)
	if err != nil {
		return err
	}
	_, wrong, err := rules.CheckRepository(os.DirFS(repo), parser, cfg.Keyword)
	switch wrong = wrong.Serious(); {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case len(wrong) > 0:
		problems = append(problems, wrong.Error())
	}
	if len(problems) > 0 {
		return errors.New(strings.Join(problems, "\n") + "\nnothing was changed")
	}
	return nil
}

// checkDashboards lints the dashboards and gives what stops an apply.
func checkDashboards(ctx context.Context, repo string, cfg lint.Config, parser *promql.Parser) (problems []string, err error) {
	root := filepath.Join(repo, "dashboards")
	if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	files, err := source.Lister{Ext: []string{".json"}}.List([]string{root})
	if err != nil {
		return nil, err
	}
	var named []source.File
	for _, f := range files {
		rel, err := filepath.Rel(repo, filepath.FromSlash(f.Name))
		if err != nil {
			return nil, err
		}
		f.Name, f.Must = filepath.ToSlash(rel), true
		// lock.json of imports is not in a folder.
		if f.Name != "dashboards/"+catalog.LockName {
			named = append(named, f)
		}
	}
	linter := lint.New(cfg, parser)
	linter.Applies(repo)
	_, err = inputs.Visit(ctx, named, inputs.Visitor{
		Dashboard: func(d *dashboard.Dashboard) { linter.Dashboard(d, nil) },
		Broken:    linter.Unreadable,
		Rules: func(f *rules.File) {
			linter.Unreadable(lint.UnreadableID, dashboard.Position{File: f.Path, Line: 1, Column: 1}, "not a dashboard: it holds alert rules")
		},
	})
	if err != nil {
		return nil, err
	}
	for _, f := range linter.Result().Findings {
		if !slices.Contains(refused, f.Rule) || f.Severity != finding.Error {
			continue
		}
		panel := ""
		if f.Panel != "" {
			panel = fmt.Sprintf("panel %q: ", f.Panel)
		}
		problems = append(problems, fmt.Sprintf("%s:%d:%d: %s%s (%s)", f.File, f.Line, f.Column, panel, f.Message, f.Rule))
	}
	return problems, nil
}

// configuration is .lookout.yaml of the repository.
func configuration(repo string) (lint.Config, error) {
	const name = ".lookout.yaml"
	data, err := os.ReadFile(filepath.Join(repo, name))
	if errors.Is(err, fs.ErrNotExist) {
		return lint.DefaultConfig(), nil
	}
	if err != nil {
		return lint.Config{}, err
	}
	return lint.ParseConfig(name, data)
}

// Check refuses what can be seen to be wrong before Terraform is asked.
func (e *Environment) Check(ctx context.Context) error {
	if err := checkFiles(ctx, e.Repo); err != nil {
		return err
	}
	return e.findTerraform(ctx)
}

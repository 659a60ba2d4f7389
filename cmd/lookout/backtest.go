package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"lookout/internal/finding"
	"lookout/internal/render"
	"lookout/internal/review"
	"lookout/internal/rules"
	"lookout/internal/source"
)

type rulesBacktestCmd struct {
	Prometheus string   `required:"" placeholder:"URL" help:"The Prometheus that has stored what the alerts ask for."`
	Since      string   `default:"7d" help:"How far back, such as 12h or 7d."`
	Base       string   `default:"HEAD" placeholder:"REV" help:"Commit, tag or branch that the alerts are compared with (default HEAD)."`
	All        bool     `help:"Every alert, not only those that changed."`
	Env        string   `placeholder:"NAME" help:"The alerts as this environment has them (envs/NAME/alerts.yaml)."`
	Format     string   `enum:"text,markdown,json" default:"text" help:"text, markdown or json."`
	SVG        string   `name:"svg" placeholder:"FILE" help:"Write a picture of when each alert fires, before and after."`
	Paths      []string `arg:"" optional:"" name:"path" help:"Rule files, or directories of them. Default: alerts/."`
}

func (c *rulesBacktestCmd) Run(ctx context.Context, a *app) error {
	since, err := model.ParseDuration(c.Since)
	if err != nil || since <= 0 {
		return fmt.Errorf("--since is %q, which is not a duration such as 12h or 7d", c.Since)
	}
	sources, files, err := a.ruleSources(c.Paths)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(files, (*rules.File).Holds) {
		return fmt.Errorf("%s: not a rule file but %s", files[0].Path, files[0].Form)
	}
	report, err := review.Backtest(ctx, review.Backtesting{
		Files: sources, Base: c.Base, Env: c.Env, All: c.All, Prometheus: c.Prometheus, Since: time.Duration(since), Now: a.now(), HTTP: a.client,
	})
	if err != nil {
		return err
	}
	switch c.Format {
	case "json":
		err = report.JSON(a.stdout)
	case "markdown":
		err = report.Markdown(a.stdout, c.Base, 0)
	default:
		err = report.Text(a.stdout, c.Base)
	}
	if err != nil {
		return err
	}
	if c.SVG != "" {
		picture, err := report.Picture(ctx, render.Light, false)
		if err != nil {
			return err
		}
		if err := source.Write(c.SVG, picture); err != nil {
			return err
		}
	}
	if failed := report.Failed(); failed > 0 {
		return fmt.Errorf("%s could not be asked for", finding.Count(failed, "alert"))
	}
	return nil
}

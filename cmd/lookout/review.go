package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"lookout/internal/forge"
	"lookout/internal/lint"
	"lookout/internal/review"
	"lookout/internal/source"
)

type reviewCmd struct {
	Base         string   `placeholder:"REV" help:"What the working tree is compared with: its common ancestor with HEAD. Default: the merge request's base where CI says it (GitLab, Gitee), else main."`
	Out          string   `short:"o" default:".cache/review" placeholder:"DIR" help:"Gets review.md (the comment), review.html (a page with whole dashboards) and pictures/ (default .cache/review)."`
	Format       string   `enum:"text,github" default:"text" help:"text, or github for findings as annotations."`
	Config       string   `placeholder:"FILE" help:"Configuration with silences, metrics and exporters; default .lookout.yaml, if there is one."`
	Metrics      []string `placeholder:"FILE|URL" sep:"none" help:"What an exporter exposes (see lookout check). Default: exposed.metrics of the configuration."`
	RunExporters bool     `name:"run-exporters" help:"Start the programs under exposed.exporters of the configuration and check against what they expose, too."`
	Prometheus   string   `placeholder:"URL" help:"Evaluate changed alerts over what this Prometheus has stored."`
	Since        string   `default:"7d" help:"How far back alerts are evaluated, such as 12h or 7d."`
	Env          string   `placeholder:"NAME" help:"The environment whose thresholds count for alerts (envs/NAME/alerts.yaml)."`

	Forge      string `enum:"markdown,github,gitlab,gitea,gitee" default:"markdown" help:"Whose form the comment has: markdown, github, gitlab, gitea (Forgejo, too) or gitee."`
	Publish    bool   `help:"Write the comment on the pull request, or replace what it said before. The token comes from GITHUB_TOKEN, GITLAB_TOKEN, GITEA_TOKEN or GITEE_TOKEN."`
	From       string `placeholder:"DIR" help:"With --publish: publish what an earlier run wrote there, instead of making a review. Nothing of the working tree is run or read."`
	API        string `name:"api" placeholder:"URL" help:"Address of the forge's API; default: what CI says, else the public one."`
	Repository string `placeholder:"OWNER/NAME" help:"The repository, for GitLab the project's number or path; default: what CI says."`
	Number     int    `help:"The number of the pull request; default: what CI says."`
	Head       string `placeholder:"SHA" help:"The commit that was reviewed: if the pull request has another one by now, nothing is published."`

	Paths []string `arg:"" optional:"" name:"path" help:"Dashboards and rule files, or directories. Default: dashboards and alerts."`
}

// defaultOut is where a review is written if nothing else is said.
const defaultOut = ".cache/review"

func (c *reviewCmd) Help() string {
	return `Exit code 1 means that there are findings, or dashboards to format; that something changed is not a finding.`
}

func (c *reviewCmd) Run(ctx context.Context, a *app) error {
	kind := forge.Kind(c.Forge)
	if c.Forge == "markdown" {
		kind = ""
	}
	var target forge.Target
	if c.Publish {
		if kind == "" {
			return errors.New("--publish needs --forge: github, gitlab, gitea or gitee")
		}
		target = forge.FromEnvironment(kind, a.getenv)
		target.API, target.Repository = cmp.Or(c.API, target.API), cmp.Or(c.Repository, target.Repository)
		target.Number, target.Head = cmp.Or(c.Number, target.Number), c.Head
		target.HTTP, target.Note = a.client, a.note
		if err := target.Check(); err != nil {
			return err
		}
	}
	if c.From != "" {
		if !c.Publish {
			return errors.New("--from is for --publish")
		}
		return c.publish(ctx, a, target)
	}
	since, err := model.ParseDuration(c.Since)
	if err != nil || since <= 0 {
		return fmt.Errorf("--since is %q, which is not a duration such as 12h or 7d", c.Since)
	}
	cfg, err := lint.Load(c.Config)
	if err != nil {
		return err
	}
	began := a.now()
	form := kind.Form()
	made, err := review.Make(ctx, review.Options{
		Base: cmp.Or(c.Base, forge.Base(kind, a.getenv), "main"), Paths: c.Paths, Config: cfg, Metrics: c.Metrics, RunExporters: c.RunExporters,
		Prometheus: c.Prometheus, Since: time.Duration(since), Env: c.Env, PNG: form.PNG, Now: began, Stdin: a.stdin, HTTP: a.client,
	})
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		// Else the comment would go on saying what an earlier push was like, and --from would publish an earlier review.
		body := "The review could not run:\n\n```\n" + strings.ReplaceAll(err.Error(), "```", `"""`) + "\n```\n"
		if c.Publish {
			return errors.Join(err, forge.Publish(ctx, target, forge.Comment{Body: body}))
		}
		if _, there := os.Stat(filepath.Join(c.Out, "review.md")); c.Out != defaultOut || there == nil {
			return errors.Join(err, source.Write(filepath.Join(c.Out, "review.md"), []byte(body)))
		}
		return err
	}
	if err := made.Text(a.stdout, c.Format, a.colored(a.stdout)); err != nil {
		return err
	}
	if err := made.Save(ctx, c.Out, made.Comment(form), began); err != nil {
		return err
	}
	a.note("\nThe comment is %s, the page with pictures %s; made in %s.", filepath.Join(c.Out, "review.md"), filepath.Join(c.Out, "review.html"), a.now().Sub(began).Round(100*time.Millisecond))
	if c.Publish {
		c.From = c.Out
		if err := c.publish(ctx, a, target); err != nil {
			return err
		}
	}
	switch unread := errors.Join(append(made.Changes.Broken, errUnread(made.Lint.Findings))...); {
	case len(made.Problems) > 0:
		return errors.New(strings.Join(made.Problems, "; "))
	case unread != nil:
		return unread
	case made.Findings():
		return errFindings
	}
	return nil
}

// publish reads what a review wrote and hands it to the forge.
func (c *reviewCmd) publish(ctx context.Context, a *app, target forge.Target) error {
	body, err := source.ReadFile(filepath.Join(c.From, "review.md"), nil)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("--from %s: there is no review.md; name the directory that lookout review --out wrote", c.From)
	}
	if err != nil {
		return err
	}
	if strings.TrimSpace(string(body)) == "" {
		return fmt.Errorf("--from %s: review.md is empty; make the review again", c.From)
	}
	comment := forge.Comment{Body: string(body)}
	entries, err := os.ReadDir(filepath.Join(c.From, review.PictureDirectory))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		data, err := source.ReadFile(filepath.Join(c.From, review.PictureDirectory, e.Name()), nil)
		if err != nil {
			return err
		}
		comment.Pictures = append(comment.Pictures, forge.Picture{Name: e.Name(), Data: data})
	}
	err = forge.Publish(ctx, target, comment)
	if errors.Is(err, forge.ErrMoved) {
		a.note("nothing was published: %v", err)
		return nil
	}
	return err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"lookout/internal/diff"
	"lookout/internal/render"
	"lookout/internal/review"
	"lookout/internal/source"
)

type diffCmd struct {
	Format   string   `enum:"text,json,markdown,html" default:"text" help:"text, json, markdown (for a comment on a pull request) or html (one page with pictures)."`
	HTML     bool     `help:"The same as --format=html."`
	All      bool     `help:"List each changed place in the files, those without meaning too, with the reason."`
	Limit    int      `default:"60000" help:"The most bytes of --format=markdown, 0 for all of it; GitHub refuses comments of more than 65,536 characters."`
	Pictures string   `type:"path" placeholder:"DIR" help:"Write a picture of the changed panels of each dashboard, before and after, into this directory (SVG)."`
	Link     string   `placeholder:"URL" help:"With --format=markdown: show the pictures, which can be loaded from below this address."`
	Theme    string   `enum:"dark,light" default:"light" help:"The colours of pictures: dark or light."`
	Args     []string `arg:"" optional:"" name:"revision-or-path" help:"Two files; or BASE, BASE..HEAD or BASE...HEAD, and paths. Without a revision HEAD is compared with the working tree."`
}

func (c *diffCmd) Help() string {
	return `Two files are compared with each other. Otherwise the versions come from git: BASE with the working tree, or BASE with HEAD if BASE..HEAD is given
(BASE...HEAD begins where they parted). A name that is a file or directory is a path; write "name.." for a revision of that name.`
}

func (c *diffCmd) Run(ctx context.Context, a *app) error {
	if c.Limit < 0 {
		return fmt.Errorf("--limit is %d; give a number of bytes, or 0 for all of it", c.Limit)
	}
	if c.HTML && c.Format != "text" && c.Format != "html" {
		return fmt.Errorf("--html and --format=%s are both given; give one of them", c.Format)
	}
	changes, err := review.Diff(ctx, c.Args)
	if err != nil {
		return err
	}
	for _, s := range changes.Skipped {
		a.note("%s: %s", s.File, s.Reason)
	}
	if err := c.write(ctx, a, changes); err != nil {
		return err
	}
	if len(changes.Broken) > 0 {
		return errors.Join(changes.Broken...)
	}
	if len(changes.Report.Events) > 0 {
		return errFindings
	}
	return nil
}

func (c *diffCmd) write(ctx context.Context, a *app, changes *review.Changes) error {
	report := &changes.Report
	opts := render.Options{Theme: render.Theme(c.Theme), Now: a.now()}
	pictures := map[string]string{}
	if c.Pictures != "" {
		var err error
		if pictures, err = c.draw(ctx, changes, opts); err != nil {
			return err
		}
	}
	if c.HTML {
		c.Format = "html"
	}
	switch c.Format {
	case "json":
		return report.JSON(a.stdout)
	case "markdown":
		if c.Link == "" {
			pictures = nil
		}
		return report.Markdown(a.stdout, diff.MarkdownOptions{Limit: c.Limit, Pictures: pictures, All: c.All})
	case "html":
		return report.HTML(ctx, a.stdout, changes.Pairs, opts)
	}
	if err := report.Text(a.stdout, a.colored(a.stdout), c.All); err != nil {
		return err
	}
	a.note("%s", report.Summary())
	return nil
}

// draw writes the pictures and returns their addresses by file.
func (c *diffCmd) draw(ctx context.Context, changes *review.Changes, opts render.Options) (map[string]string, error) {
	pictures, err := changes.Draw(ctx, opts, false)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for file, p := range pictures {
		if err := source.Write(filepath.Join(c.Pictures, p.Name), p.Data); err != nil {
			return nil, err
		}
		out[file] = strings.TrimSuffix(c.Link, "/") + "/" + p.Name
	}
	return out, nil
}

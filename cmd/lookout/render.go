package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/render"
	"lookout/internal/review"
	"lookout/internal/source"
)

type renderCmd struct {
	Format string `enum:"svg,png,html," default:"" help:"svg, png or html. Default: what --out ends with, else svg."`
	Out    string `short:"o" placeholder:"FILE|DIR" help:"File to write; a directory if it is one, ends with a slash, or there are several dashboards. Default: stdout."`

	Prometheus     string        `placeholder:"URL" help:"Draw what this Prometheus answers. Without it the panels show what they would ask."`
	From           string        `placeholder:"TIME" help:"Start of the range: now-6h, 2026-01-02T15:04:05Z or Unix seconds. Default: as long as the dashboard's own range."`
	To             string        `placeholder:"TIME" help:"End of the range. Default: the dashboard's own. Fix both ends to get the same bytes again."`
	ScrapeInterval time.Duration `default:"15s" help:"What $$__rate_interval is computed from, as set in the datasource."`
	Var            []string      `placeholder:"NAME=VALUE" sep:"none" help:"Value of a template variable; several times for several values. $$__all means all."`

	Theme    string   `enum:"dark,light" default:"dark" help:"dark or light."`
	Width    int      `default:"1400" help:"Width of the dashboard in pixels, 400 to 4000."`
	Scale    float64  `default:"1" help:"PNG pixels to a pixel."`
	Expand   bool     `help:"Draw the panels of collapsed rows, too."`
	Tab      string   `placeholder:"TITLE" help:"Draw this tab alone. Default: all tabs below one another, or a picture of each where --out is a directory."`
	Panel    string   `placeholder:"ID|TITLE" help:"Draw this panel alone (svg)."`
	Font     []string `placeholder:"FILE" help:"Font for PNG with what Liberation Sans lacks, Chinese for one. Default: one that is installed."`
	Timezone string   `default:"UTC" help:"Time zone of axes and tables, such as Asia/Shanghai."`

	Paths []string `arg:"" name:"path" help:"Dashboard files, or directories that are walked for them."`

	// taken are the names of the pictures in the directory, in lower case; nil if the pictures do not go into one.
	taken map[string]bool
}

func (c *renderCmd) Run(ctx context.Context, a *app) error {
	opts, err := c.options(a)
	if err != nil {
		return err
	}
	// The names first, since they decide where pictures go; the dashboards again one by one, so that a thousand of them fit in memory.
	var files []string
	var failed []error
	var fromStdin *dashboard.Dashboard
	skipped, err := a.dashboards(ctx, c.Paths, func(d *dashboard.Dashboard) error {
		files = append(files, d.File())
		if d.File() == source.StdinName {
			fromStdin = d
		}
		return nil
	}, func(err error) { failed = append(failed, err) })
	if err = errors.Join(append(failed, err)...); err != nil {
		return err
	}
	a.noteSkips(skipped)
	if len(files) == 0 {
		return fmt.Errorf("no dashboard in %s (%s passed over)", strings.Join(c.Paths, ", "), finding.Count(len(skipped), "other JSON file"))
	}
	targets, err := c.targets(files)
	if err != nil {
		return err
	}
	var panels, placeholders, queries, problems int
	for i, file := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		loaded := dashboard.Loaded{Dashboard: fromStdin}
		if file != source.StdinName {
			loaded = dashboard.LoadFile(file)
		}
		if loaded.Err != nil {
			return fmt.Errorf("%s: %w", file, loaded.Err)
		}
		pictures, err := c.pictures(loaded.Dashboard, targets[i])
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, pic := range pictures {
			opts.Tab = pic.tab
			out, err := c.draw(ctx, loaded.Dashboard, opts)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			if err := writePicture(a, pic.target, out); err != nil {
				return err
			}
			report := opts.Report
			panels, placeholders, queries, problems = panels+report.Panels, placeholders+report.Placeholders, queries+report.Queries, problems+len(report.Problems)
			for _, p := range report.Problems {
				a.note("%s: %v", file, p)
			}
			if len(report.Missing) > 0 {
				a.note("%s: no font has %q; install one (Debian: fonts-noto-cjk) or name one with --font", file, string(report.Missing))
			}
		}
	}
	a.note("%s, %s, %d of them placeholders, %s, %d failed", finding.Count(len(files), "dashboard"), finding.Count(panels, "panel"), placeholders, finding.Count(queries, "request"), problems)
	if problems > 0 {
		return errFindings
	}
	return nil
}

// picture is one file to write: of a dashboard, or of one of its tabs.
type picture struct {
	target string
	tab    *dashboard.Panel
}

// pictures of a dashboard: one of the whole, of the tab that is asked for, or of each tab where there is a directory for them.
func (c *renderCmd) pictures(d *dashboard.Dashboard, target string) ([]picture, error) {
	tabs := render.Tabs(d)
	if c.Tab != "" {
		i := slices.IndexFunc(tabs, func(t *dashboard.Panel) bool { return t.Title == c.Tab })
		if i < 0 {
			return nil, fmt.Errorf("no tab has the title %q", c.Tab)
		}
		return []picture{{target, tabs[i]}}, nil
	}
	if len(tabs) < 2 || c.taken == nil || c.Panel != "" {
		return []picture{{target: target}}, nil
	}
	base := strings.TrimSuffix(target, "."+c.Format)
	out := make([]picture, len(tabs))
	for i, t := range tabs {
		out[i] = picture{c.free(base + "-" + fileName(cmp.Or(t.Title, "tab"))), t}
	}
	return out, nil
}

// fileName is a title as a part of a file's name.
func fileName(title string) string {
	words := strings.FieldsFunc(title, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	name := []rune(strings.Join(words, "-"))
	return cmp.Or(string(name[:min(len(name), 60)]), "tab")
}

// free is a file's name that no other picture of this run has, also where upper and lower case are the same.
func (c *renderCmd) free(base string) string {
	name := base + "." + c.Format
	for i := 2; c.taken[strings.ToLower(name)]; i++ {
		name = fmt.Sprintf("%s-%d.%s", base, i, c.Format)
	}
	c.taken[strings.ToLower(name)] = true
	return name
}

func (c *renderCmd) options(a *app) (render.Options, error) {
	opts := render.Options{
		Theme: render.Theme(c.Theme), Width: c.Width, Expand: c.Expand, Now: a.now(), ScrapeInterval: c.ScrapeInterval,
		Fonts: c.Font, Scale: c.Scale, Report: &render.Report{},
	}
	if c.Scale == 0 {
		return opts, errors.New("--scale 0: from 0.1 to 4 is possible")
	}
	var err error
	if opts.Location, err = time.LoadLocation(c.Timezone); err != nil {
		return opts, fmt.Errorf("--timezone %q: %w; take a name such as Asia/Shanghai", c.Timezone, err)
	}
	for _, t := range []struct {
		flag, text string
		to         *time.Time
	}{{"--from", c.From, &opts.Start}, {"--to", c.To, &opts.End}} {
		if t.text == "" {
			continue
		}
		at, ok := render.ParseTime(t.text, opts.Now.In(opts.Location), t.flag == "--to")
		if !ok {
			return opts, fmt.Errorf("%s %q is not a time; write now-6h, 2026-01-02T15:04:05Z or Unix seconds", t.flag, t.text)
		}
		*t.to = at
	}
	for _, v := range c.Var {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return opts, fmt.Errorf("--var %q: write NAME=VALUE", v)
		}
		if opts.Variables == nil {
			opts.Variables = map[string][]string{}
		}
		opts.Variables[name] = append(opts.Variables[name], value)
	}
	if c.ScrapeInterval <= 0 {
		return opts, fmt.Errorf("--scrape-interval %s: write a duration above zero, such as 15s", c.ScrapeInterval)
	}
	if c.Prometheus != "" {
		if err := review.CheckPrometheus(c.Prometheus); err != nil {
			return opts, err
		}
		client, err := api.NewClient(api.Config{Address: c.Prometheus, Client: a.client})
		if err != nil {
			return opts, fmt.Errorf("--prometheus: %w", err)
		}
		opts.Prometheus = v1.NewAPI(client)
	}
	return opts, nil
}

func (c *renderCmd) draw(ctx context.Context, d *dashboard.Dashboard, opts render.Options) ([]byte, error) {
	if c.Panel != "" {
		if c.Format != "svg" {
			return nil, errors.New("--panel draws SVG; leave --format away or set it to svg")
		}
		p, err := findPanel(d, c.Panel)
		if err != nil {
			return nil, err
		}
		return render.Panel(ctx, d, p, opts)
	}
	switch c.Format {
	case "png":
		return render.PNG(ctx, d, opts)
	case "html":
		return render.HTML(ctx, d, opts)
	}
	return render.SVG(ctx, d, opts)
}

func findPanel(d *dashboard.Dashboard, want string) (*dashboard.Panel, error) {
	id, err := strconv.ParseInt(want, 10, 64)
	byID := func(p *dashboard.Panel) bool { return err == nil && p.HasID && p.ID == id }
	byTitle := func(p *dashboard.Panel) bool { return p.Title == want }
	for _, match := range []func(*dashboard.Panel) bool{byID, byTitle} {
		if i := slices.IndexFunc(d.Panels, func(p *dashboard.Panel) bool { return !p.IsRow() && match(p) }); i >= 0 {
			return d.Panels[i], nil
		}
	}
	return nil, fmt.Errorf("no panel has the id or title %q", want)
}

// targets are the files to write, "" for stdout. It settles the format, too.
func (c *renderCmd) targets(files []string) ([]string, error) {
	ext := strings.ToLower(strings.TrimPrefix(filepath.Ext(c.Out), "."))
	isDir := strings.HasSuffix(c.Out, "/")
	if info, err := os.Stat(c.Out); c.Out != "" && err == nil {
		isDir = info.IsDir()
	}
	if c.Format == "" {
		c.Format = "svg"
		switch {
		case isDir || len(files) > 1:
		case ext == "png" || ext == "html":
			c.Format = ext
		case ext != "" && ext != "svg":
			return nil, fmt.Errorf("--out %s: pictures are .svg, .png or .html; name one of them, or give --format", c.Out)
		}
	}
	if len(files) == 1 && !isDir {
		return []string{c.Out}, nil
	}
	if c.Out == "" {
		return nil, fmt.Errorf("%d dashboards do not fit on stdout; name a directory with --out", len(files))
	}
	if !isDir && ext != "" {
		return nil, fmt.Errorf("--out %s is one file for %d dashboards; name a directory", c.Out, len(files))
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return nil, err
	}
	bare := func(file string) string { return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)) }
	named := map[string]int{}
	for _, file := range files {
		named[strings.ToLower(bare(file))]++
	}
	c.taken = map[string]bool{}
	var out []string
	for _, file := range files {
		base := bare(file)
		if named[strings.ToLower(base)] > 1 { // in several directories: the path becomes part of the name
			flat := strings.NewReplacer("/", "-", "\\", "-", "..", "").Replace(strings.TrimSuffix(file, filepath.Ext(file)))
			base = strings.TrimLeft(flat, "-.")
		}
		out = append(out, c.free(filepath.Join(c.Out, base)))
	}
	return out, nil
}

func writePicture(a *app, target string, data []byte) error {
	if target == "" {
		_, err := a.stdout.Write(data)
		return err
	}
	if err := source.Write(target, data); err != nil {
		return err
	}
	fmt.Fprintln(a.stdout, target)
	return nil
}

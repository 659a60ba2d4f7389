package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"lookout/internal/contract"
	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/lint"
	"lookout/internal/promql"
	"lookout/internal/queries"
	"lookout/internal/rules"
	"lookout/internal/source"
)

type checkCmd struct {
	Metrics     []string      `placeholder:"FILE|URL" sep:"none" help:"What an exporter exposes: a captured file, - for stdin, or the address of a live /metrics. Several are taken together."`
	Prometheus  string        `placeholder:"URL" help:"A Prometheus that scrapes the exporters; knows the labels of targets, too."`
	Since       time.Duration `default:"1h" help:"How far back to ask the Prometheus for series."`
	Was         []string      `placeholder:"FILE" sep:"none" help:"What the exporter exposed before: tells what was dropped, and what that breaks."`
	TargetLabel []string      `name:"target-label" placeholder:"NAME" help:"Labels that the scrape puts on besides job and instance, so that an exposition lacks them."`
	Lint        bool          `help:"Judge by the rules of docs/lint, too: every file is read once for both."`
	FailOn      string        `name:"fail-on" enum:"error,warning,info" default:"warning" help:"Minimum severity that makes the exit code 1: error, warning or info."`
	Format      string        `enum:"text,json,markdown,sarif,github" default:"text" help:"text, json, markdown, sarif or github."`
	Config      string        `placeholder:"FILE" help:"Configuration with silences; default .lookout.yaml, if there is one."`
	Paths       []string      `arg:"" name:"path" help:"Dashboards and rule files, or directories that are walked for them."`
}

// Help is shown by lookout check --help.
func (c *checkCmd) Help() string {
	return "Holds every metric, label and type that dashboards and alert rules use against what is exposed."
}

// checked is what was read of a file.
type checked struct {
	dash    *dashboard.Dashboard
	queries []*queries.Query
}

func (c *checkCmd) Run(ctx context.Context, a *app) error {
	if len(c.Metrics) == 0 && c.Prometheus == "" {
		return errors.New("nothing to check against: pass --metrics FILE|URL or --prometheus URL")
	}
	cfg, err := loadConfig(c.Config)
	if err != nil {
		return err
	}
	files, err := a.sources(c.Paths)
	if err != nil {
		return err
	}

	var before *contract.Inventory
	if len(c.Was) > 0 {
		before = contract.NewInventory(strings.Join(c.Was, ", "))
		for _, name := range c.Was {
			if err := c.read(ctx, a, before, name); err != nil {
				return err
			}
		}
	}

	parser := promql.NewParser()
	result := finding.Result{Findings: []finding.Finding{}, Languages: map[promql.Language]int{}}
	var inv *contract.Inventory
	var checker *contract.Checker
	type fit struct {
		file string
		contract.Fit
	}
	var fits []fit
	linter := lint.New(cfg, parser)
	add := func(findings []contract.Finding, uid string) {
		for _, f := range findings {
			if cfg.Silences.Cover(f.Finding, uid, f.Text, f.Node) {
				result.Silenced++
				continue
			}
			result.Findings = append(result.Findings, f.Finding)
		}
	}
	check := func(item checked) {
		if item.dash == nil {
			for _, q := range item.queries {
				add(checker.Alert(q), "")
			}
			return
		}
		f, findings := checker.Dashboard(item.dash, item.queries)
		add(findings, item.dash.UID)
		fits = append(fits, fit{item.dash.File(), f})
	}
	count := func(item checked) {
		result.Summary.Expressions += len(item.queries)
		for _, q := range item.queries {
			if q.Language != promql.PromQL {
				result.Languages[q.Language]++
			}
		}
	}

	// Rules come first: what they record, dashboards may use.
	var ruleFiles, boards []source.File
	for _, f := range files {
		if f.Name == source.StdinName || source.JSON(f.Name, nil) {
			boards = append(boards, f)
		} else {
			ruleFiles = append(ruleFiles, f)
		}
	}
	var waiting []checked
	var recorded []string
	skipped, err := visit(ctx, ruleFiles, visitor{broken: linter.Unreadable, rules: func(f *rules.File) {
		if c.Lint {
			linter.RuleFile(f)
		}
		var qs []*queries.Query
		for _, r := range f.Rules() {
			if r.Expr == "" || r.Group.Language != "" {
				continue
			}
			if r.Record != "" {
				recorded = append(recorded, r.Record)
			} else {
				result.Summary.Alerts++
			}
			qs = append(qs, queries.ForAlert(r.Name(), r.Expr, parser, r.Position))
		}
		item := checked{nil, qs}
		count(item)
		waiting = append(waiting, item)
	}})
	if err != nil {
		return err
	}
	// begin reads what is exposed and checks what waited for it.
	begin := func() (err error) {
		if inv, err = c.inventory(ctx, a, waiting); err != nil {
			return err
		}
		for _, name := range recorded {
			inv.AddRecorded(name)
		}
		checker = contract.New(inv, before)
		checker.Optional = cfg.IsOptional
		for _, item := range waiting {
			check(item)
		}
		waiting = nil
		return nil
	}
	// A Prometheus is asked for the names that are used, so all must be read before. Otherwise one dashboard at a time is in memory.
	if c.Prometheus == "" {
		if err := begin(); err != nil {
			return err
		}
	}
	passed, err := visit(ctx, boards, visitor{
		keep:   checker == nil,
		broken: linter.Unreadable,
		dashboard: func(d *dashboard.Dashboard) {
			item := checked{d, queries.Of(d, parser)}
			result.Summary.Dashboards++
			for _, p := range d.Panels {
				if !p.IsRow() {
					result.Summary.Panels++
				}
			}
			count(item)
			if c.Lint {
				linter.Dashboard(d, item.queries)
			}
			if checker == nil {
				waiting = append(waiting, item)
			} else {
				check(item)
			}
		},
	})
	if err != nil {
		return err
	}
	result.Skipped = append(skipped, passed...)
	if result.Summary.Dashboards == 0 && len(result.Skipped) == len(files) {
		a.note("there is no dashboard and no rule file in %s", strings.Join(c.Paths, ", "))
	}
	if checker == nil {
		if err := begin(); err != nil {
			return err
		}
	}
	{ // without --lint it holds the files that could not be read
		l := linter.Result()
		result.Findings = append(result.Findings, l.Findings...)
		result.Silenced += l.Silenced
	}
	result.Sort()
	if err := result.Write(a.stdout, c.Format, a.colored(a.stdout)); err != nil {
		return err
	}

	// How each dashboard fits belongs to the result where a person reads it, and is a diagnostic where a program does.
	var tail bytes.Buffer
	for _, f := range fits {
		fmt.Fprintf(&tail, "%s: %s\n", f.file, f.Fit)
	}
	if before != nil {
		for _, name := range inv.Dropped(before) {
			if users := checker.UsedBy(name); len(users) > 0 {
				fmt.Fprintf(&tail, "dropped: %s, which breaks %s\n", name, strings.Join(users, ", "))
			} else {
				fmt.Fprintf(&tail, "dropped: %s, which nothing here uses\n", name)
			}
		}
	}
	switch c.Format {
	case "text", "github":
		_, err = a.stdout.Write(tail.Bytes())
	case "markdown":
		_, err = fmt.Fprintf(a.stdout, "\n```\n%s```\n", tail.Bytes())
	default:
		_, err = a.stderr.Write(append(tail.Bytes(), result.Line()+"\n"...))
	}
	if err != nil {
		return err
	}
	if result.Has(finding.Severity(cmp.Or(c.FailOn, "warning"))) {
		return errFindings
	}
	return nil
}

func (c *checkCmd) inventory(ctx context.Context, a *app, all []checked) (*contract.Inventory, error) {
	source := "the exporter"
	if c.Prometheus != "" {
		source = "the Prometheus"
	}
	inv := contract.NewInventory(source, c.TargetLabel...)
	if c.Prometheus != "" {
		var qs []*queries.Query
		for _, item := range all {
			qs = append(qs, item.queries...)
		}
		now := a.now()
		if err := inv.ReadPrometheus(ctx, a.client, c.Prometheus, now.Add(-c.Since), now, contract.Names(qs)); err != nil {
			return nil, err
		}
	}
	for _, name := range c.Metrics {
		if err := c.read(ctx, a, inv, name); err != nil {
			return nil, err
		}
	}
	return inv, nil
}

func (c *checkCmd) read(ctx context.Context, a *app, inv *contract.Inventory, name string) error {
	switch {
	case name == "-":
		return inv.ReadExposition("stdin", "", a.stdin)
	case strings.HasPrefix(name, "http://"), strings.HasPrefix(name, "https://"):
		return inv.ReadURL(ctx, a.client, name)
	}
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	defer f.Close()
	return inv.ReadExposition(name, "", f)
}

package review

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lookout/internal/contract"
	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/inputs"
	"lookout/internal/lint"
	"lookout/internal/promql"
	"lookout/internal/queries"
	"lookout/internal/rules"
	"lookout/internal/source"
)

// Checking compares what dashboards and alert rules use with what is exposed.
type Checking struct {
	Files  []source.File
	Config lint.Config
	// Metrics are expositions: files, addresses, or - for Stdin; without them and without a Prometheus those of the configuration. Was is what was exposed before.
	Metrics, Was []string
	// RunExporters starts the exporters of the configuration and takes what they expose, too.
	RunExporters bool
	// Prometheus is the address of one that scrapes the exporters, or "". It is asked for the series since Since before Now.
	Prometheus string
	Since      time.Duration
	Now        time.Time
	// TargetLabels are those that the scrape adds besides job and instance.
	TargetLabels []string
	// Lint looks for the rules of the linter, too: every file is read once for both.
	Lint  bool
	Stdin io.Reader
	HTTP  *http.Client
}

// Checked is what came of it.
type Checked struct {
	finding.Result
	// Fits is how much of each dashboard is exposed.
	Fits []Fit
	// Dropped are metrics that were exposed before and are not any more, with the panels and alerts that use them.
	Dropped []Dropped
}

// Fit is how well one dashboard fits.
type Fit struct {
	File string
	contract.Fit
}

// Dropped is a metric that is not exposed any more.
type Dropped struct {
	Metric string
	Users  []string
}

// Tail is how each dashboard fits and what was dropped, a line each.
func (c *Checked) Tail() string {
	var b strings.Builder
	for _, f := range c.Fits {
		fmt.Fprintf(&b, "%s: %s\n", f.File, f.Fit)
	}
	for _, d := range c.Dropped {
		if len(d.Users) > 0 {
			fmt.Fprintf(&b, "dropped: %s, which breaks %s\n", d.Metric, strings.Join(d.Users, ", "))
		} else {
			fmt.Fprintf(&b, "dropped: %s, which nothing here uses\n", d.Metric)
		}
	}
	return b.String()
}

// Check compares.
func Check(ctx context.Context, c Checking) (*Checked, error) {
	if c.Prometheus != "" {
		if err := CheckPrometheus(c.Prometheus); err != nil {
			return nil, err
		}
	}
	remove, err := c.exposed(ctx)
	if err != nil {
		return nil, err
	}
	defer remove()
	k := checking{
		Checking: c, parser: promql.NewParser(),
		out: Checked{Result: finding.Result{Findings: []finding.Finding{}, Languages: map[promql.Language]int{}}},
	}
	k.linter = lint.NewSyntax(c.Config, k.parser)
	if c.Lint {
		k.linter = lint.New(c.Config, k.parser)
	}
	if len(c.Was) > 0 {
		k.before = contract.NewInventory(strings.Join(c.Was, ", "))
		for _, name := range c.Was {
			if err := k.read(ctx, k.before, name); err != nil {
				return nil, err
			}
		}
	}
	if err := k.run(ctx); err != nil {
		return nil, err
	}
	if k.before != nil {
		for _, name := range k.inventory.Dropped(k.before) {
			k.out.Dropped = append(k.out.Dropped, Dropped{name, k.checker.UsedBy(name)})
		}
	}
	// Without Lint it holds the files that could not be read and the queries that do not parse.
	linted := k.linter.Result()
	k.out.Findings = append(k.out.Findings, linted.Findings...)
	k.out.Silenced += linted.Silenced
	k.out.Rules = linted.Rules
	k.out.Sort()
	return &k.out, nil
}

// exposed adds what the configuration says of what is exposed. remove removes what was written for that.
func (c *Checking) exposed(ctx context.Context) (remove func(), err error) {
	remove = func() {}
	c.Metrics = slices.Clone(c.Metrics)
	if len(c.Metrics) == 0 && c.Prometheus == "" {
		if len(c.Config.Exposed.Exporters) > 0 && !c.RunExporters {
			return nil, errors.New("the configuration names exporters, without which much would seem to be missing: start them with --run-exporters, or pass --metrics or --prometheus")
		}
		for _, pattern := range c.Config.Exposed.Metrics {
			found, err := filepath.Glob(pattern)
			if err != nil || len(found) == 0 {
				return nil, fmt.Errorf("exposed.metrics of the configuration: there is no file %q", pattern)
			}
			c.Metrics = append(c.Metrics, found...)
		}
	}
	if c.RunExporters {
		files, clean, err := runExporters(ctx, c.Config.Exposed.Exporters, c.HTTP)
		if err != nil {
			return nil, err
		}
		c.Metrics, remove = append(c.Metrics, files...), clean
	}
	if len(c.Metrics) == 0 && c.Prometheus == "" {
		return nil, errors.New("nothing to check against: pass --metrics FILE|URL or --prometheus URL")
	}
	return remove, nil
}

// checking is one run.
type checking struct {
	Checking
	parser    *promql.Parser
	linter    *lint.Linter
	before    *contract.Inventory
	inventory *contract.Inventory
	checker   *contract.Checker
	// waiting are those that were read before it is known what is exposed, and recorded the metrics that rules record.
	waiting  []read
	recorded []string
	out      Checked
}

// read is what was read of a file: a dashboard, or nil for rules.
type read struct {
	dashboard *dashboard.Dashboard
	queries   []*queries.Query
}

func (k *checking) run(ctx context.Context) error {
	// Rules come first: what they record, dashboards may use.
	var ruleFiles, boards []source.File
	for _, f := range k.Files {
		if f.Name == source.StdinName || source.JSON(f.Name, nil) {
			boards = append(boards, f)
		} else {
			ruleFiles = append(ruleFiles, f)
		}
	}
	visitor := inputs.Visitor{Broken: k.linter.Unreadable, Rules: k.rules, Dashboard: k.board}
	skipped, err := inputs.Visit(ctx, ruleFiles, visitor)
	if err != nil {
		return err
	}
	// A Prometheus is asked for the names that are used, so all must be read before. Otherwise one dashboard at a time is in memory.
	if k.Prometheus == "" {
		if err := k.begin(ctx); err != nil {
			return err
		}
	}
	visitor.Keep = k.checker == nil
	passed, err := inputs.Visit(ctx, boards, visitor)
	if err != nil {
		return err
	}
	k.out.Skipped = append(skipped, passed...)
	if k.checker == nil {
		return k.begin(ctx)
	}
	return nil
}

func (k *checking) rules(f *rules.File) {
	k.linter.RuleFile(f)
	var qs []*queries.Query
	for _, r := range f.Rules() {
		if r.Expr == "" || r.Group.Language != "" {
			continue
		}
		if r.Record != "" {
			k.recorded = append(k.recorded, r.Record)
		} else {
			k.out.Summary.Alerts++
		}
		q := queries.ForAlert(r.Name(), r.Expr, k.parser, r.Position)
		q.Silences = r.Comments()
		qs = append(qs, q)
	}
	k.take(read{nil, qs})
}

func (k *checking) board(d *dashboard.Dashboard) {
	item := read{d, queries.Of(d, k.parser)}
	k.out.Summary.Dashboards++
	for _, p := range d.Panels {
		if !p.IsRow() {
			k.out.Summary.Panels++
		}
	}
	k.linter.Dashboard(d, item.queries)
	k.take(item)
}

func (k *checking) take(item read) {
	k.out.Summary.Expressions += len(item.queries)
	for _, q := range item.queries {
		if q.Language != promql.PromQL {
			k.out.Languages[q.Language]++
		}
	}
	if k.checker == nil {
		k.waiting = append(k.waiting, item)
	} else {
		k.check(item)
	}
}

func (k *checking) check(item read) {
	if item.dashboard == nil {
		for _, q := range item.queries {
			k.add(k.checker.Alert(q), "")
		}
		return
	}
	fit, findings := k.checker.Dashboard(item.dashboard, item.queries)
	k.add(findings, item.dashboard.UID)
	k.out.Fits = append(k.out.Fits, Fit{item.dashboard.File(), fit})
}

func (k *checking) add(findings []contract.Finding, uid string) {
	for _, f := range findings {
		if k.Config.Silences.Cover(f.Finding, uid, f.Text, f.Node) {
			k.out.Silenced++
			continue
		}
		k.out.Findings = append(k.out.Findings, f.Finding)
	}
}

// begin reads what is exposed and checks what waited for it.
func (k *checking) begin(ctx context.Context) error {
	exposed := "the exporter"
	if k.Prometheus != "" {
		exposed = "the Prometheus"
	}
	k.inventory = contract.NewInventory(exposed, k.TargetLabels...)
	if k.Prometheus != "" {
		var qs []*queries.Query
		for _, item := range k.waiting {
			qs = append(qs, item.queries...)
		}
		if err := k.inventory.ReadPrometheus(ctx, k.HTTP, k.Prometheus, k.Now.Add(-k.Since), k.Now, contract.Names(qs)); err != nil {
			return err
		}
	}
	for _, name := range k.Metrics {
		if err := k.read(ctx, k.inventory, name); err != nil {
			return err
		}
	}
	for _, name := range k.recorded {
		k.inventory.AddRecorded(name)
	}
	k.checker = contract.New(k.inventory, k.before)
	k.checker.Optional = k.Config.IsOptional
	for _, item := range k.waiting {
		k.check(item)
	}
	k.waiting = nil
	return nil
}

func (k *checking) read(ctx context.Context, inv *contract.Inventory, name string) error {
	switch {
	case name == "-":
		return inv.ReadExposition("stdin", "", k.Stdin)
	case strings.HasPrefix(name, "http://"), strings.HasPrefix(name, "https://"):
		return inv.ReadURL(ctx, k.HTTP, name)
	}
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	defer f.Close()
	return inv.ReadExposition(name, "", f)
}

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"

	"lookout/internal/backtest"
	"lookout/internal/rules"
	"lookout/internal/source"
)

type rulesBacktestCmd struct {
	Prometheus string   `required:"" placeholder:"URL" help:"The Prometheus that has stored what the alerts ask for."`
	Since      string   `default:"7d" help:"How far back, such as 12h or 7d."`
	Base       string   `default:"HEAD" placeholder:"REV" help:"Commit, tag or branch that the alerts are compared with."`
	All        bool     `help:"Every alert, not only those that changed."`
	Env        string   `placeholder:"NAME" help:"The alerts as this environment has them (envs/NAME/alerts.yaml)."`
	Format     string   `enum:"text,markdown,json" default:"text" help:"text, markdown or json."`
	Paths      []string `arg:"" optional:"" name:"path" help:"Rule files, or directories of them. Default: alerts/."`
}

// tested is one alert before and after.
type tested struct {
	Alert  string           `json:"alert"`
	File   string           `json:"file"`
	Change string           `json:"change"`
	Before *backtest.Result `json:"before"`
	After  *backtest.Result `json:"after"`
	Error  string           `json:"error,omitempty"`

	before, after *backtest.Rule
}

func (c *rulesBacktestCmd) Run(ctx context.Context, a *app) error {
	since, err := model.ParseDuration(c.Since)
	if err != nil || since <= 0 {
		return fmt.Errorf("--since is %q, which is not a duration such as 12h or 7d", c.Since)
	}
	paths := c.Paths
	if len(paths) == 0 {
		paths = []string{"alerts"}
	}
	after, err := a.list(paths, ".yaml", ".yml")
	if err != nil {
		return err
	}
	before, err := atRevision(ctx, c.Base, after)
	if err != nil {
		return err
	}
	alerts, err := c.changed(ctx, a, before, after)
	if err != nil {
		return err
	}
	end := a.now().UTC().Truncate(time.Minute)
	start := end.Add(-time.Duration(since))
	client := backtest.Client{Address: c.Prometheus, HTTP: a.client}
	began := time.Now()
	failed := askAll(ctx, client, alerts, start, end)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := c.write(a.stdout, alerts, start, end, time.Since(began)); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%s could not be asked for", count(failed, "alert"))
	}
	return nil
}

// askAll asks for all alerts, a few at a time, and returns how many could not be asked for. A condition that stands on both sides is asked for once.
func askAll(ctx context.Context, client backtest.Client, alerts []*tested, start, end time.Time) (failed int) {
	var group errgroup.Group
	group.SetLimit(4)
	var mu sync.Mutex
	for _, t := range alerts {
		group.Go(func() error {
			known := map[string]backtest.Matrix{}
			ask := func(rule *backtest.Rule) (*backtest.Result, error) {
				if rule == nil {
					return nil, nil
				}
				key := rule.Expr + "\x00" + rule.Interval.String()
				m, ok := known[key]
				if !ok {
					var err error
					if m, err = client.Query(ctx, *rule, start, end); err != nil {
						return nil, err
					}
					known[key] = m
				}
				r := backtest.Evaluate(m, *rule, start, end)
				return &r, nil
			}
			var errBefore, errAfter error
			t.Before, errBefore = ask(t.before)
			t.After, errAfter = ask(t.after)
			if err := cmp.Or(errAfter, errBefore); err != nil {
				mu.Lock()
				failed++
				mu.Unlock()
				t.Error = err.Error()
			}
			return nil
		})
	}
	_ = group.Wait()
	return failed
}

// changed finds the alerts that would fire otherwise than they did at the revision.
func (c *rulesBacktestCmd) changed(ctx context.Context, a *app, before, after []source.File) ([]*tested, error) {
	old, err := c.alertsOf(before, func(file string) ([]byte, error) { return git(ctx, "show", c.Base+":./"+file) })
	if err != nil {
		return nil, fmt.Errorf("at %s: %w", c.Base, err)
	}
	now, err := c.alertsOf(after, func(file string) ([]byte, error) { return source.ReadFile(file, nil) })
	if err != nil {
		return nil, err
	}
	was := map[string]alertRule{}
	for _, o := range old {
		was[o.name] = o
	}
	var out []*tested
	seen := map[string]bool{}
	for _, n := range now {
		seen[n.name] = true
		o, ok := was[n.name]
		t := &tested{Alert: n.name, File: n.at, after: &n.rule, Change: "new"}
		if ok {
			t.before = &o.rule
			if t.Change = difference(o.rule, n.rule); t.Change == "" {
				if !c.All {
					continue
				}
				t.Change = "unchanged"
			}
		}
		out = append(out, t)
	}
	for _, o := range old {
		if !seen[o.name] {
			out = append(out, &tested{Alert: o.name, File: o.at, before: &o.rule, Change: "removed"})
		}
	}
	return out, nil
}

func difference(o, n backtest.Rule) string {
	var parts []string
	if o.Expr != n.Expr {
		parts = append(parts, o.Expr+" → "+n.Expr)
	}
	for _, d := range []struct {
		name string
		o, n time.Duration
	}{{"for", o.For, n.For}, {"keep_firing_for", o.KeepFiringFor, n.KeepFiringFor}, {"interval", o.Interval, n.Interval}} {
		if d.o != d.n {
			parts = append(parts, fmt.Sprintf("%s %s → %s", d.name, model.Duration(d.o), model.Duration(d.n)))
		}
	}
	return strings.Join(parts, "; ")
}

type alertRule struct {
	name, at string
	rule     backtest.Rule
}

// defaultInterval is Prometheus' own where a group has none.
const defaultInterval = time.Minute

func (c *rulesBacktestCmd) alertsOf(files []source.File, read func(string) ([]byte, error)) ([]alertRule, error) {
	settings := &rules.Settings{}
	if c.Env != "" {
		name := filepath.ToSlash(filepath.Join("envs", c.Env, "alerts.yaml"))
		// An environment that was not there yet had nothing of its own.
		if data, err := read(name); err == nil {
			settings = rules.ReadSettings(name, data)
		}
	}
	var out []alertRule
	for _, f := range files {
		if rules.IsTest(f.Name) {
			continue
		}
		data, err := f.Read(nil)
		if err != nil {
			return nil, err
		}
		read := rules.Read(f.Name, data)
		if !read.Holds() {
			if f.Must && len(read.Problems) > 0 {
				return nil, read.Problems
			}
			continue
		}
		if serious := read.Problems.Serious(); len(serious) > 0 {
			return nil, serious
		}
		for _, r := range read.Rules() {
			o := settings.Overrides[r.Alert]
			if r.Alert == "" || o.Paused || r.Group.Language != "" {
				continue
			}
			r = r.Resolve(o)
			rule := backtest.Rule{Expr: r.Comparison(), For: duration(r.For), KeepFiringFor: duration(r.KeepFiringFor)}
			rule.Interval = cmp.Or(duration(cmp.Or(settings.Intervals[r.Group.Name], r.Group.Interval)), defaultInterval)
			out = append(out, alertRule{r.Alert, r.Place("alert").String(), rule})
		}
	}
	return out, nil
}

func duration(text string) time.Duration {
	ms, err := rules.ParseDuration(text)
	if err != nil {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

// Cells of a picture, and firings that are listed one by one.
const (
	pictureCells = 56
	mostFirings  = 5
)

func (c *rulesBacktestCmd) write(w io.Writer, alerts []*tested, start, end time.Time, took time.Duration) error {
	if c.Format == "json" {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(map[string]any{"start": start, "end": end, "alerts": alerts})
	}
	var b strings.Builder
	fence := func() {
		if c.Format == "markdown" {
			b.WriteString("```\n")
		}
	}
	if len(alerts) == 0 {
		fmt.Fprintf(&b, "no alert fires otherwise than at %s\n", c.Base)
	}
	for _, t := range alerts {
		title := fmt.Sprintf("%s (%s)", t.Alert, t.File)
		if c.Format == "markdown" {
			title = "**" + t.Alert + "** `" + t.File + "`"
		}
		fmt.Fprintf(&b, "%s\n", title)
		fence()
		fmt.Fprintf(&b, "  %s\n", strings.Join(strings.Fields(t.Change), " "))
		if t.Error != "" {
			fmt.Fprintf(&b, "  could not be asked for: %s\n", t.Error)
		}
		for _, side := range []struct {
			name string
			r    *backtest.Result
		}{{"before", t.Before}, {"after", t.After}} {
			if side.r == nil {
				continue
			}
			fmt.Fprintf(&b, "  %-6s %s %s\n", side.name, side.r.Draw(start, end, pictureCells), words(*side.r))
		}
		if r := cmp.Or(t.After, t.Before); r != nil {
			for _, f := range r.Firings[:min(len(r.Firings), mostFirings)] {
				fmt.Fprintf(&b, "         %s – %s %s\n", f.Start.Format("01-02 15:04"), f.End.Format("01-02 15:04"), f.Labels)
			}
			if more := len(r.Firings) - mostFirings; more > 0 {
				fmt.Fprintf(&b, "         and %d more\n", more)
			}
		}
		fence()
	}
	fmt.Fprintf(&b, "%s, %s to %s UTC, asked in %s\n", count(len(alerts), "alert"), start.Format("2006-01-02 15:04"), end.Format("2006-01-02 15:04"), took.Round(100*time.Millisecond))
	_, err := io.WriteString(w, b.String())
	return err
}

// words is how often and how long, and what it costs.
func words(r backtest.Result) string {
	s := "never"
	if n := len(r.Firings); n > 0 {
		s = fmt.Sprintf("%s, %s in all", count(n, "time"), model.Duration(r.Total().Round(time.Second)))
	}
	if r.Pending > 0 {
		s += fmt.Sprintf("; pending only %s", count(r.Pending, "time"))
	}
	s += fmt.Sprintf("; %s", map[bool]string{true: "1 series", false: fmt.Sprintf("%d series", r.Series)}[r.Series == 1])
	if r.Samples > 0 {
		s += fmt.Sprintf(", %s an evaluation", count(r.Samples, "sample"))
	}
	return s
}

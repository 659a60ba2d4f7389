package backtest

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"

	"lookout/internal/rules"
	"lookout/internal/source"
)

// Alert is one alert before and after a change.
type Alert struct {
	Alert  string  `json:"alert"`
	File   string  `json:"file"`
	Change string  `json:"change"`
	Before *Result `json:"before"`
	After  *Result `json:"after"`
	Error  string  `json:"error,omitempty"`

	before, after *Rule
}

// Side is one of the two versions.
type Side struct {
	Files []source.File
	// Settings are what an environment overrides; nil for nothing.
	Settings *rules.Settings
}

// Changed finds the alerts that would fire otherwise after than before; all gives the others, too.
func Changed(before, after Side, all bool) ([]*Alert, error) {
	old, err := before.alerts()
	if err != nil {
		return nil, fmt.Errorf("before: %w", err)
	}
	now, err := after.alerts()
	if err != nil {
		return nil, err
	}
	was := map[string]alertRule{}
	for _, o := range old {
		was[o.name] = o
	}
	var out []*Alert
	seen := map[string]bool{}
	for _, n := range now {
		seen[n.name] = true
		o, ok := was[n.name]
		t := &Alert{Alert: n.name, File: n.at, after: &n.rule, Change: "new"}
		if ok {
			t.before = &o.rule
			if t.Change = difference(o.rule, n.rule); t.Change == "" {
				if !all {
					continue
				}
				t.Change = "unchanged"
			}
		}
		out = append(out, t)
	}
	for _, o := range old {
		if !seen[o.name] {
			out = append(out, &Alert{Alert: o.name, File: o.at, before: &o.rule, Change: "removed"})
		}
	}
	return out, nil
}

func difference(o, n Rule) string {
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
	rule     Rule
}

// defaultInterval is Prometheus' own where a group has none.
const defaultInterval = time.Minute

func (s Side) alerts() ([]alertRule, error) {
	settings := s.Settings
	if settings == nil {
		settings = &rules.Settings{}
	}
	var out []alertRule
	for _, f := range s.Files {
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
			rule := Rule{Expr: r.Comparison(), For: duration(r.For), KeepFiringFor: duration(r.KeepFiringFor)}
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

// Report is what came of asking.
type Report struct {
	Start  time.Time `json:"start"`
	End    time.Time `json:"end"`
	Alerts []*Alert  `json:"alerts"`
	// Took is how long the server was asked.
	Took time.Duration `json:"-"`
}

// Failed counts the alerts that could not be asked for.
func (r *Report) Failed() (n int) {
	for _, a := range r.Alerts {
		if a.Error != "" {
			n++
		}
	}
	return n
}

// Ask evaluates the alerts over a time, as many at once as there are processors: the server computes, and more would only wait for each other. Where before and after have
// the same condition, or differ in the threshold only, it is asked for once.
func Ask(ctx context.Context, client Client, alerts []*Alert, start, end time.Time) (*Report, error) {
	began := time.Now()
	var group errgroup.Group
	group.SetLimit(max(2, runtime.NumCPU()))
	for _, t := range alerts {
		group.Go(func() error {
			if err := t.ask(ctx, client, start, end); err != nil {
				t.Error = err.Error()
			}
			return nil
		})
	}
	_ = group.Wait()
	return &Report{Start: start, End: end, Alerts: alerts, Took: time.Since(began)}, ctx.Err()
}

func (t *Alert) ask(ctx context.Context, client Client, start, end time.Time) error {
	before, after, err := t.matrices(ctx, client, start, end)
	if err != nil {
		return err
	}
	for _, side := range []struct {
		rule   *Rule
		matrix Matrix
		to     **Result
	}{{t.before, before, &t.Before}, {t.after, after, &t.After}} {
		if side.rule != nil {
			r := Evaluate(side.matrix, *side.rule, start, end)
			*side.to = &r
		}
	}
	return nil
}

// matrices are what the conditions of both sides were, with as few questions as that takes.
func (t *Alert) matrices(ctx context.Context, client Client, start, end time.Time) (before, after Matrix, err error) {
	ask := func(r *Rule) (Matrix, error) { return client.Query(ctx, *r, start, end) }
	switch {
	case t.before == nil:
		after, err = ask(t.after)
		return before, after, err
	case t.after == nil:
		before, err = ask(t.before)
		return before, after, err
	case t.before.Interval == t.after.Interval && t.before.Expr == t.after.Expr:
		before, err = ask(t.before)
		return before, before, err
	case t.before.Interval == t.after.Interval:
		o, ok1 := splitThreshold(t.before.Expr)
		n, ok2 := splitThreshold(t.after.Expr)
		if ok1 && ok2 && o.wider(n) {
			before, err = ask(t.before)
			return before, before.where(n), err
		}
		if ok1 && ok2 && n.wider(o) {
			after, err = ask(t.after)
			return after.where(o), after, err
		}
	}
	if before, err = ask(t.before); err == nil {
		after, err = ask(t.after)
	}
	return before, after, err
}

package backtest

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
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

// Changed finds the alerts that would fire otherwise after than before; all gives the others, too. A file that was broken before had no alerts.
func Changed(before, after Side, all bool) ([]*Alert, error) {
	old, err := before.alerts(true)
	if err != nil {
		return nil, fmt.Errorf("before: %w", err)
	}
	now, err := after.alerts(false)
	if err != nil {
		return nil, err
	}
	pairs := pair(old, now)
	var out []*Alert
	for i := range now {
		n := &now[i]
		t := &Alert{Alert: n.name, File: n.at, after: &n.rule, Change: "new"}
		if o := pairs[n]; o != nil {
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
	known := map[*alertRule]bool{}
	for _, o := range pairs {
		known[o] = true
	}
	for i := range old {
		if o := &old[i]; !known[o] {
			out = append(out, &Alert{Alert: o.name, File: o.at, before: &o.rule, Change: "removed"})
		}
	}
	return out, nil
}

// pair finds what each alert was. Several may have one name, for one a warning and a critical: they are told apart by their labels, and where those changed by their order.
func pair(old, now []alertRule) map[*alertRule]*alertRule {
	out := map[*alertRule]*alertRule{}
	taken := map[*alertRule]bool{}
	for _, same := range []func(o, n *alertRule) bool{
		func(o, n *alertRule) bool { return o.name == n.name && o.labels == n.labels && o.rule == n.rule },
		func(o, n *alertRule) bool { return o.name == n.name && o.labels == n.labels },
		func(o, n *alertRule) bool { return o.name == n.name },
	} {
		byName := map[string][]*alertRule{}
		for i := range old {
			if o := &old[i]; !taken[o] {
				byName[o.name] = append(byName[o.name], o)
			}
		}
		for i := range now {
			n := &now[i]
			if out[n] != nil {
				continue
			}
			for _, o := range byName[n.name] {
				if !taken[o] && same(o, n) {
					out[n], taken[o] = o, true
					break
				}
			}
		}
	}
	return out
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
	// labels are those of the rule, in one text.
	labels string
	rule   Rule
}

// defaultInterval is Prometheus' own where a group has none.
const defaultInterval = time.Minute

// alerts reads the files. With lenient set those that are broken have none.
func (s Side) alerts(lenient bool) ([]alertRule, error) {
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
			if f.Must && !lenient && len(read.Problems) > 0 {
				return nil, read.Problems
			}
			continue
		}
		if serious := read.Problems.Serious(); len(serious) > 0 {
			if lenient {
				continue
			}
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
			out = append(out, alertRule{r.Alert, r.Place("alert").String(), labelText(r.Labels), rule})
		}
	}
	return out, nil
}

// labelText is labels in one text, whatever their order.
func labelText(labels []rules.Pair) string {
	var list []string
	for _, l := range labels {
		list = append(list, fmt.Sprintf("%s=%q", l.Name, l.Value))
	}
	slices.Sort(list)
	return strings.Join(list, ",")
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

package diff

import (
	"errors"
	"strings"

	"github.com/prometheus/common/model"

	"lookout/internal/dashboard"
	"lookout/internal/rules"
)

// ErrNotRules is returned for YAML that is no file of alert rules.
var ErrNotRules = errors.New("not a file of alert rules (no groups)")

// ParseRules reads a file of alert rules, of any form that internal/rules knows, into the tree that is compared.
func ParseRules(file string, data []byte) (*dashboard.Dashboard, error) {
	f := rules.Read(file, data)
	for _, p := range f.Problems {
		// Whatever else is wrong with it, a file that can't be read to its end has no whole tree.
		if p.Kind == rules.KindYAML {
			return nil, p
		}
	}
	if !f.Holds() {
		if len(f.Problems) > 0 {
			return nil, f.Problems[0]
		}
		return nil, ErrNotRules
	}
	root := f.Tree()
	return &dashboard.Dashboard{Doc: &dashboard.Document{File: file, Root: root}, Root: root}, nil
}

// Rules tells what changed from one version of an alert file to the other. Either may be nil.
func (d *Differ) Rules(before, after *dashboard.Dashboard) Result {
	empty := func(like *dashboard.Dashboard) *dashboard.Dashboard {
		root := dashboard.NewObject()
		return &dashboard.Dashboard{Doc: &dashboard.Document{File: like.File(), Root: root}, Root: root}
	}
	if before == nil && after == nil {
		return Result{}
	}
	if before == nil {
		before = empty(after)
	}
	if after == nil {
		after = empty(before)
	}
	c := newComparer(d.queries, before, after)
	c.rules = true
	// A file that came or went is told rule by rule.
	o, n := before.Root.Get("groups"), after.Root.Get("groups")
	if o == nil || n == nil {
		return c.wholeRules(o, n)
	}
	c.compare(before.Root, after.Root, c.top, nil)
	return c.result()
}

func (c *comparer) wholeRules(o, n *dashboard.Node) Result {
	groups, kind, verb := n, AlertAdded, "added"
	if n == nil {
		groups, kind, verb = o, AlertRemoved, "removed"
	}
	var res Result
	for _, g := range groups.Items() {
		for _, r := range g.Get("rules").Items() {
			e := Event{Kind: kind, Dashboard: c.new.File(), File: c.new.File(), Panel: ruleName(r), Panels: []string{ruleName(r)}}
			e.Text = "alert " + quote(ruleName(r)) + ": " + verb + ": " + ruleSummary(r)
			name := dashboard.NewString(ruleName(r))
			ch := Change{}
			if kind == AlertAdded {
				ch.After, e.After = r, name
			} else {
				ch.Before, e.Before = r, name
			}
			e.Changes = []Change{ch}
			res.Events = append(res.Events, e)
		}
	}
	return res
}

func ruleKind(ch *change) Kind {
	if len(ch.rel) == 0 {
		switch {
		case ch.Before == nil:
			return AlertAdded
		case ch.After == nil:
			return AlertRemoved
		}
		return AlertOption
	}
	switch ch.rel[0] {
	case "alert", "record", "title":
		return AlertRenamed
	case "expr":
		return AlertQuery
	case "threshold":
		return AlertThreshold
	case "for", "keep_firing_for":
		return AlertFor
	case "labels":
		return AlertLabel
	case "annotations":
		return AlertAnnotation
	}
	return AlertOption
}

func (c *comparer) ignorableRule(ch *change) string {
	o, n := ch.Before, ch.After
	if len(ch.rel) == 0 {
		return ""
	}
	if ch.entity.kind == ruleEntity && ch.path() == "expr" && o.Is(dashboard.String) && n.Is(dashboard.String) {
		// Rules know no variables, but a template is no reason to fail.
		if c.queries.compare(o.Text(), n.Text(), nil).same {
			return "the same query, written differently"
		}
	}
	if (ch.path() == "for" || ch.path() == "keep_firing_for" || ch.path() == "interval") && sameDuration(o, n) {
		return "the same duration, written differently"
	}
	if len(ch.rel) == 2 && ch.rel[0] == "annotations" && o != nil && n != nil && strings.TrimSpace(o.Text()) == strings.TrimSpace(n.Text()) && o.Is(dashboard.String) && n.Is(dashboard.String) {
		return "only white space at the end"
	}
	return ""
}

func (c *comparer) ruleText(g *group) string {
	first := g.changes[0]
	switch g.kind {
	case AlertAdded:
		return "added: " + ruleSummary(first.After)
	case AlertRemoved:
		return "removed: " + ruleSummary(first.Before)
	case AlertRenamed:
		return "renamed " + valueText(first.Before) + " → " + valueText(first.After)
	case AlertQuery:
		o, n := first.Before.Text(), first.After.Text()
		if edits := c.queries.compare(o, n, nil).edits; len(edits) > 0 && len(edits) <= 6 {
			return strings.Join(edits, "; ")
		}
		return "query " + clip(oneLine(o), 120) + " → " + clip(oneLine(n), 120)
	case AlertGroup:
		if len(first.rel) == 0 {
			verb, v := "added", first.After
			if v == nil {
				verb, v = "removed", first.Before
			}
			var names []string
			for _, r := range v.Get("rules").Items() {
				names = append(names, ruleName(r))
			}
			return verb + " with " + plural(len(names), "rule") + ": " + clipNames(names)
		}
	}
	return leaves("", g.changes, false)
}

func ruleSummary(r *dashboard.Node) string {
	s := clip(oneLine(r.Get("expr").Text()), 100)
	for _, t := range r.Get("threshold").Children() {
		s += " " + t.Key() + " " + t.Scalarish()
		break
	}
	if f := r.Get("for").Scalarish(); f != "" {
		s += " for " + f
	}
	return s
}

func (c *comparer) orderRules(orders []*change, events *[]Event, ignore func(*change, string)) {
	for _, ch := range orders {
		ch.taken = false
	}
	c.itemOrders(orders, events, ignore)
}

func sameDuration(o, n *dashboard.Node) bool {
	a, errA := model.ParseDuration(o.Scalarish())
	b, errB := model.ParseDuration(n.Scalarish())
	return errA == nil && errB == nil && a == b
}

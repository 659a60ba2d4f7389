package contract

import (
	"fmt"
	"slices"
	"strings"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/promql"
	"lookout/internal/queries"
)

// Fit tells how much of a dashboard can work with what is exposed.
type Fit struct {
	// Panels is how many panels ask a Prometheus for something, Fitting how many get all they ask for.
	Panels, Fitting int
	// Missing are the names nobody exposes, in the order they are first used.
	Missing []string
	// Broken are the titles of the panels that don't fit.
	Broken []string
}

// Share is the part of the panels that fit, 0 to 1; 1 where no panel asks for anything.
func (f Fit) Share() float64 {
	if f.Panels == 0 {
		return 1
	}
	return float64(f.Fitting) / float64(f.Panels)
}

// String is "fits 31 of 34 panels; missing: a, b".
func (f Fit) String() string {
	s := fmt.Sprintf("fits %d of %d panels", f.Fitting, f.Panels)
	if len(f.Missing) > 0 {
		s += "; missing: " + strings.Join(f.Missing, ", ")
	}
	return s
}

// Finding is a problem with its place.
type Finding struct {
	finding.Finding
	// Node and Text are what a silence in the file is looked for in: see [finding.SilenceKey].
	Node *dashboard.Node
	Text string
}

// Dashboard checks all queries of a dashboard. qs are its queries as of [queries.Of].
func (c *Checker) Dashboard(d *dashboard.Dashboard, qs []*queries.Query) (Fit, []Finding) {
	var fit Fit
	findings := c.bareVariables(d)
	asks := map[*dashboard.Panel]bool{} // true: fits
	for _, q := range qs {
		var panel *dashboard.Panel
		if q.Source != nil {
			panel = q.Source.Panel
		}
		if panel != nil && q.Language == promql.PromQL {
			if _, ok := asks[panel]; !ok {
				asks[panel] = true
			}
		}
		for _, p := range c.Query(q) {
			pos := q.Position(p.Offset)
			findings = append(findings, Finding{
				Finding: finding.Finding{Rule: p.Rule, Severity: p.Severity, File: pos.File, Line: pos.Line, Column: pos.Column, Dashboard: d.Name(), Panel: q.Owner, Message: p.Message},
				Node:    q.Source.Node, Text: q.Text,
			})
			if p.Severity != finding.Error {
				continue
			}
			if panel != nil {
				asks[panel] = false
			}
			if p.Rule == RuleMetric && !slices.Contains(fit.Missing, q.Restore(p.Metric)) {
				fit.Missing = append(fit.Missing, q.Restore(p.Metric))
			}
		}
		if q.Err != nil && panel != nil {
			asks[panel] = false // what does not parse cannot fit; lint says why
		}
	}
	for _, panel := range d.Panels {
		fits, ok := asks[panel]
		switch {
		case !ok:
			continue
		case fits:
			fit.Fitting++
		default:
			fit.Broken = append(fit.Broken, panel.Name())
		}
		fit.Panels++
	}
	return fit, findings
}

// Alert checks the query of an alert or recording rule.
func (c *Checker) Alert(q *queries.Query) []Finding {
	var findings []Finding
	for _, p := range c.Query(q) {
		pos := q.Position(p.Offset)
		findings = append(findings, Finding{Finding: finding.Finding{Rule: p.Rule, Severity: p.Severity, File: pos.File, Line: pos.Line, Column: pos.Column, Panel: q.Owner, Message: p.Message}, Text: q.Text + "\n" + q.Silences})
	}
	return findings
}

// bareVariables are those that ask without a query: label_values(job), metrics(node_.*).
func (c *Checker) bareVariables(d *dashboard.Dashboard) []Finding {
	var out []Finding
	for _, v := range d.Variables {
		family := d.Resolve(v.Datasource).Family()
		if v.Type != "query" || v.QueryNode == nil || family != dashboard.FamilyPrometheus && family != dashboard.FamilyUnknown || len(promql.Variables(v.Query)) > 0 {
			continue
		}
		add := func(rule, format string, args ...any) {
			pos := v.QueryNode.Pos()
			out = append(out, Finding{
				Finding: finding.Finding{Rule: rule, Severity: finding.Error, File: pos.File, Line: pos.Line, Column: pos.Column, Dashboard: d.Name(), Panel: "variable " + v.Name, Message: fmt.Sprintf(format, args...)},
				Node:    v.QueryNode, Text: v.Query,
			})
		}
		switch vq := dashboard.ParseVariableQuery(v.Query); {
		case vq.Func == dashboard.LabelValues && vq.Expr == "" && !c.inv.TargetLabels[vq.Label] && vq.Label != "__name__" && !c.anyHas(vq.Label):
			add(RuleLabel, "no metric has the label %s", vq.Label)
		case vq.Func == dashboard.Metrics && c.regexp(".*("+vq.Regex+").*") != nil && len(c.named(".*("+vq.Regex+").*")) == 0:
			add(RuleMetric, "%s exposes no metric like %s", c.inv.Source, vq.Regex)
		}
	}
	return out
}

// anyHas tells whether a label exists anywhere; it does if not all labels are known.
func (c *Checker) anyHas(label string) bool {
	for _, name := range c.inv.Names() {
		m := c.inv.Metrics[name]
		if m.Labels[label] != nil || !m.LabelsKnown && m.Labels != nil {
			return true
		}
	}
	return false
}

// Names are the metric names that queries ask for, as far as they are plain: what to ask a Prometheus about.
func Names(qs []*queries.Query) []string {
	set := map[string]bool{}
	for _, q := range qs {
		for _, s := range q.Selectors() {
			if s.Metric != "" && !promql.HasVariable(s.Metric) {
				set[s.Metric] = true
			}
		}
	}
	return sortedKeys(set)
}

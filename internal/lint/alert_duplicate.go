package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/rules"
)

var alertDuplicate = &Rule{
	ID: "rule-duplicate", Severity: finding.Warning,
	Summary: "Two rules are the same, in one file or in two: each alert comes twice, each recorded series is refused.",
	Finish: func(l *Linter) {
		first := map[string]dashboard.Position{}
		for _, f := range l.files {
			for _, r := range f.Rules() {
				// Lookout's own form is checked more strictly: see alert-rule.
				if r.Own() || r.Expr == "" || r.Name() == "" {
					continue
				}
				key := identity(r, l)
				at := r.Place(cmp.Or(map[bool]string{true: "alert"}[r.Alert != ""], "record"))
				if was, ok := first[key]; ok {
					l.add(finding.Finding{
						Rule: "rule-duplicate", Severity: finding.Warning, File: at.File, Line: at.Line, Column: at.Column, Panel: r.Name(),
						Message: fmt.Sprintf("the same rule, with the same labels and expression, is at %s:%d", was.File, was.Line),
					}, "", r.Comments(), nil)
					continue
				}
				first[key] = at
			}
		}
	},
}

// identity is what two rules have in common that do the same.
func identity(r *rules.Rule, l *Linter) string {
	expr := r.Expr
	if e := l.Parser.Parse(expr, nil); e.Tree != nil {
		expr = e.Tree.String()
	}
	var labels []string
	for _, p := range r.Labels {
		labels = append(labels, p.Name+"="+p.Value)
	}
	slices.Sort(labels)
	return strings.Join(append([]string{r.Alert, r.Record, expr, string(r.Group.Form)}, labels...), "\x00")
}

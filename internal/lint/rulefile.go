package lint

import (
	"fmt"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/promql"
	"lookout/internal/queries"
	"lookout/internal/rules"
)

// What internal/rules says about a file is reported by these.
var (
	ruleFile = &Rule{
		ID: string(rules.KindFile), Severity: finding.Error,
		Summary: "Prometheus, or Terraform for Lookout's own form, refuses the rule file.",
	}
	alertRule = &Rule{
		ID: string(rules.KindRule), Severity: finding.Error,
		Summary: "A field of a rule, or of its group, holds something that is refused.",
		Finish: func(l *Linter) {
			for _, p := range rules.Doubles(l.files) {
				l.problem(p, "")
			}
		},
	}
	alertTemplate = &Rule{
		ID: string(rules.KindTemplate), Severity: finding.Error,
		Summary: "The template of a label or an annotation is refused, or fails for every alert.",
	}
)

// RuleFile looks at one file of rules.
func (l *Linter) RuleFile(f *rules.File) {
	pass := &Pass{Rules: f, Config: l.Config, linter: l, file: f.Path}
	byRule := map[*rules.Rule]*queries.Query{}
	for _, r := range f.Rules() {
		if r.Alert != "" {
			l.result.Summary.Alerts++
		}
		if r.Expr == "" || r.Group.Language != "" {
			continue
		}
		q := queries.ForAlert(r.Name(), r.Expr, l.Parser, r.Position)
		q.Silences = r.Comments()
		byRule[r] = q
		pass.Queries = append(pass.Queries, q)
		if q.Language != promql.PromQL {
			l.result.Languages[q.Language]++
		}
	}
	l.result.Summary.Expressions += len(pass.Queries)
	pass.queryOf = func(r *rules.Rule) *queries.Query { return byRule[r] }
	for _, p := range f.Problems {
		l.problem(p, "")
	}
	for _, r := range f.Rules() {
		// A query that is refused by itself is told by promql-syntax.
		if q := byRule[r]; q != nil && q.Err == nil {
			if p := r.CheckQuery(q.Expr); p != nil {
				l.problem(*p, q.Silences)
			}
		}
		if p := r.CheckKeyword(l.Config.Keyword); p != nil {
			l.problem(*p, r.Comments())
		}
	}
	for _, rule := range l.rules {
		pass.rule = rule
		if rule.Query != nil {
			for _, q := range pass.Queries {
				rule.Query(pass, q)
			}
		}
		if rule.RuleFile != nil {
			rule.RuleFile(pass)
		}
	}
	l.files = append(l.files, f)
}

// problem reports what the reader found.
func (l *Linter) problem(p rules.Problem, comments string) {
	severity := finding.Error
	if p.Minor {
		severity = finding.Warning
	}
	l.add(finding.Finding{Rule: string(p.Kind), Severity: severity, File: p.File, Line: p.Line, Column: p.Column, Panel: p.Rule, Message: p.Message}, "", comments, nil)
}

// Alert reports a finding about a rule at a place.
func (p *Pass) Alert(r *rules.Rule, at dashboard.Position, format string, args ...any) {
	p.add(r.Comments(), nil, at, r.Name(), fmt.Sprintf(format, args...))
}

package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/rules"
	"lookout/internal/source"
)

var alertDuplicate = &Rule{
	ID: "rule-duplicate", Severity: finding.Warning,
	Summary: "Two rules are the same, in one file or in two: each alert comes twice, each recorded series is refused.",
	Finish: func(l *Linter) {
		first := map[string]same{}
		for _, f := range l.files {
			all := f.Rules()
			var within []same
			across := map[*rules.File][]same{}
			var others []*rules.File
			for _, r := range all {
				// Lookout's own form is checked more strictly: see alert-rule.
				if r.Own() || r.Expr == "" || r.Name() == "" {
					continue
				}
				key := identity(r, l)
				is := same{file: f, rule: r, at: r.Place(cmp.Or(map[bool]string{true: "alert"}[r.Alert != ""], "record"))}
				was, ok := first[key]
				if !ok {
					first[key] = is
					continue
				}
				is.was = was.at
				if was.file == f {
					within = append(within, is)
					continue
				}
				if across[was.file] == nil {
					others = append(others, was.file)
				}
				across[was.file] = append(across[was.file], is)
			}
			for _, s := range within {
				s.report(l)
			}
			for _, other := range others {
				shared := across[other]
				if n := sharedNames(f, other); n > 1 && 2*n >= min(len(all), len(other.Rules())) {
					shared[0].reportCopy(l, len(shared), len(all), other)
					continue
				}
				for _, s := range shared {
					s.report(l)
				}
			}
		}
	},
}

// sharedNames is how many rules of a file have a name and labels that a rule of the other one has, whatever they ask: variants of one file differ in that.
func sharedNames(a, b *rules.File) int {
	name := func(r *rules.Rule) string {
		labels := make([]string, 0, len(r.Labels))
		for _, p := range r.Labels {
			labels = append(labels, p.Name+"="+p.Value)
		}
		slices.Sort(labels)
		return r.Name() + "\x00" + strings.Join(labels, "\x00")
	}
	has := map[string]bool{}
	for _, r := range b.Rules() {
		has[name(r)] = true
	}
	n := 0
	for _, r := range a.Rules() {
		if has[name(r)] {
			n++
		}
	}
	return n
}

// same is a rule that stands elsewhere, too.
type same struct {
	file    *rules.File
	rule    *rules.Rule
	at, was dashboard.Position
}

func (s same) report(l *Linter) {
	l.add(finding.Finding{
		Rule: "rule-duplicate", Severity: finding.Warning, File: s.at.File, Line: s.at.Line, Column: s.at.Column, Panel: s.rule.Name(),
		Message: fmt.Sprintf("the same rule, with the same labels and expression, is at %s:%d", s.was.File, s.was.Line),
	}, "", s.rule.Comments(), nil)
}

// reportCopy reports two files once, half of whose rules or more have the same names. Most likely they are variants, of which each Prometheus reads one; those that
// are applied from alerts/ of this repository are read together.
func (s same) reportCopy(l *Linter, shared, all int, other *rules.File) {
	severity := finding.Info
	if source.Kept(s.at.File) && source.Kept(other.Path) {
		severity = finding.Warning
	}
	l.add(finding.Finding{
		Rule: "rule-duplicate", Severity: severity, File: s.at.File, Line: s.at.Line, Column: s.at.Column, Panel: s.rule.Name(),
		Message: fmt.Sprintf("%d of the %s here are in %s, too; where one Prometheus reads both files, each of these alerts comes twice", shared, finding.Count(all, "rule"), other.Path),
	}, "", s.rule.Comments(), nil)
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

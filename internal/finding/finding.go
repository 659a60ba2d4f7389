// Package finding holds what lint and check report: findings, their formats, and the silences that overlook some.
package finding

import (
	"cmp"
	"slices"
	"strings"

	"lookout/internal/promql"
	"lookout/internal/source"
)

// Severity says how bad a finding is.
type Severity string

// An error means that something cannot work, a warning that it most likely misleads, an info that it could be better.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Info    Severity = "info"
)

// rank orders severities, worst first.
func (s Severity) rank() int { return slices.Index([]Severity{Error, Warning, Info}, s) }

// Valid reports whether it is one of the three.
func (s Severity) Valid() bool { return s.rank() >= 0 }

// AtLeast tells whether s is as bad as the other or worse.
func (s Severity) AtLeast(other Severity) bool { return s.rank() <= other.rank() }

// Finding is one thing that is not as it should be. Its JSON form is part of the command line's contract.
type Finding struct {
	Rule      string   `json:"rule"`
	Severity  Severity `json:"severity"`
	File      string   `json:"file"`
	Line      int      `json:"line"`
	Column    int      `json:"column,omitempty"`
	Dashboard string   `json:"dashboard"`
	Panel     string   `json:"panel"`
	Message   string   `json:"message"`
	// Fix is set where there is one right answer: see [Fix].
	Fix *Edit `json:"-"`
}

// Edit replaces bytes of a file.
type Edit struct {
	Start, End int
	Text       string
}

// Fix applies the edits of findings to a file's text. Of edits that overlap only the first is applied; lint again for the others. It returns how many were.
func Fix(src string, findings []Finding) (fixed string, applied int) {
	var edits []*Edit
	for _, f := range findings {
		if f.Fix != nil {
			edits = append(edits, f.Fix)
		}
	}
	slices.SortStableFunc(edits, func(a, b *Edit) int { return cmp.Compare(a.Start, b.Start) })
	var b strings.Builder
	at := 0
	for _, e := range edits {
		if e.Start < at || e.End < e.Start || e.End > len(src) {
			continue
		}
		b.WriteString(src[at:e.Start])
		b.WriteString(e.Text)
		at = e.End
		applied++
	}
	b.WriteString(src[at:])
	return b.String(), applied
}

// Summary says how much was looked at.
type Summary struct {
	Dashboards  int `json:"dashboards"`
	Panels      int `json:"panels"`
	Expressions int `json:"expressions"`
	Alerts      int `json:"alerts"`
}

// Rule describes what is looked for.
type Rule struct {
	ID       string
	Severity Severity
	// Summary is one sentence that says what is wrong if the rule finds something.
	Summary string
}

// Result is what lint and check have to say. Its JSON form is part of the command line's contract.
type Result struct {
	Summary  Summary   `json:"summary"`
	Findings []Finding `json:"findings"`
	// Silenced counts the findings that someone gave a reason to overlook.
	Silenced int `json:"-"`
	// Skipped are JSON and YAML files that are neither dashboards nor alert rules, with the reason.
	Skipped []source.Skip `json:"passed_over,omitempty"`
	// Languages counts expressions that are not PromQL.
	Languages map[promql.Language]int `json:"-"`
	// Rules are those that were looked for; SARIF describes them.
	Rules []Rule `json:"-"`
}

// Has reports whether there is a finding as bad as the severity or worse.
func (r *Result) Has(least Severity) bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity.AtLeast(least) })
}

// Keep drops the findings that are less severe.
func (r *Result) Keep(least Severity) {
	r.Findings = slices.DeleteFunc(r.Findings, func(f Finding) bool { return !f.Severity.AtLeast(least) })
}

// Sort orders findings by place.
func (r *Result) Sort() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), strings.Compare(a.Rule, b.Rule), strings.Compare(a.Message, b.Message))
	})
}

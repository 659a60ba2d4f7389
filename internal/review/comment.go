package review

import (
	"fmt"
	"slices"
	"strings"

	"lookout/internal/diff"
	"lookout/internal/finding"
	"lookout/internal/forge"
	"lookout/internal/markdown"
)

// How a comment's room is shared out, as parts of a hundred. What a part leaves goes to the changes, which come last.
const (
	findingsShare = 15 // each, of lint and check
	backtestShare = 20
	// mostRows is how many findings are listed; more are counted.
	mostRows = 25
)

// Comment is the review in Markdown as a forge shows it. Pictures are links to files in [PictureDirectory].
func (r *Review) Comment(form forge.Form) string {
	limit := form.Limit
	if limit == 0 {
		limit = 1 << 20
	}
	var b strings.Builder
	b.WriteString("### Lookout: what this changes in dashboards and alerts\n\n")
	b.WriteString(r.summary() + "\n")
	for _, err := range r.Changes.Broken[:min(len(r.Changes.Broken), mostRows)] {
		b.WriteString("\n⚠️ not compared: " + markdown.Inline(clip(err.Error(), 300)) + "\n")
	}
	for _, p := range r.Problems {
		b.WriteString("\n⚠️ " + markdown.Inline(p) + "\n")
	}
	if len(r.Unformatted) > 0 {
		b.WriteString("\n#### Format\n\n`lookout fmt` writes these in canonical form, so that a later change is small:\n\n")
		for _, f := range r.Unformatted[:min(len(r.Unformatted), mostRows)] {
			b.WriteString("- " + markdown.Code(f) + "\n")
		}
		if more := len(r.Unformatted) - mostRows; more > 0 {
			fmt.Fprintf(&b, "- … and %d more\n", more)
		}
	}
	b.WriteString(findings("New findings", r.Lint.Findings, limit*findingsShare/100))
	if r.Check != nil {
		b.WriteString(findings("Not exposed", r.Check.Findings, limit*findingsShare/100))
	}
	if r.Backtest != nil && len(r.Backtest.Alerts) > 0 {
		b.WriteString("\n#### How often changed alerts would have fired\n\n")
		if r.Firing.Data != nil && !form.NoPictures {
			b.WriteString("![when alerts would have fired](" + PictureDirectory + "/" + r.Firing.Name + ")\n\n")
		}
		// It fails only if the writer does.
		_ = r.Backtest.Markdown(&b, fmt.Sprintf("%.12s", r.Base), limit*backtestShare/100)
	}
	b.WriteString("\n")
	pictures := map[string]string{}
	if !form.NoPictures {
		for file, p := range r.Pictures {
			pictures[file] = PictureDirectory + "/" + p.Name
		}
	}
	_ = r.Changes.Report.Markdown(&b, diff.MarkdownOptions{Limit: max(limit-b.Len(), 600), Pictures: pictures, Plain: form.Plain})
	for _, skip := range r.Changes.Skipped {
		b.WriteString("\n" + markdown.Code(skip.File) + ": " + markdown.Inline(clip(skip.Reason, 200)) + "\n")
	}
	if form.NoPictures && len(r.Pictures) > 0 {
		b.WriteString("\nThe pictures are among the files of the CI job.\n")
	}
	return b.String()
}

// summary is one line: whether there is something to object to.
func (r *Review) summary() string {
	parts := []string{finding.Count(len(r.Lint.Findings), "new finding")}
	switch {
	case r.Check == nil:
		parts = append(parts, "not checked against what is exposed")
	case len(r.Check.Findings) > 0:
		parts = append(parts, finding.Count(len(r.Check.Findings), "finding")+" of what is exposed")
	default:
		parts = append(parts, "all that is used is exposed")
	}
	sign := "✅ "
	if r.Findings() {
		sign = "❌ "
	}
	return sign + strings.Join(parts, " · ")
}

// findings is a table of at most limit bytes. What says the same of several places is one row.
func findings(title string, list []finding.Finding, limit int) string {
	if len(list) == 0 {
		return ""
	}
	type row struct {
		finding.Finding
		more int
	}
	var rows []*row
	same := map[string]*row{}
	for _, f := range list {
		key := f.Rule + "\x00" + f.Message
		if r := same[key]; r != nil {
			r.more++
			continue
		}
		same[key] = &row{Finding: f}
		rows = append(rows, same[key])
	}
	slices.SortStableFunc(rows, func(a, b *row) int {
		worse := func(s finding.Severity) int {
			return slices.Index([]finding.Severity{finding.Error, finding.Warning, finding.Info}, s)
		}
		return worse(a.Severity) - worse(b.Severity)
	})
	icon := map[finding.Severity]string{finding.Error: "🔴", finding.Warning: "🟡", finding.Info: "🔵"}
	var b strings.Builder
	fmt.Fprintf(&b, "\n#### %s\n\n| | Where | What | Rule |\n|---|---|---|---|\n", title)
	left := 0
	for i, r := range rows {
		where := markdown.Code(fmt.Sprintf("%s:%d", r.File, r.Line))
		if r.Panel != "" {
			where += " " + markdown.Inline(r.Panel)
		}
		if r.more > 0 {
			where += fmt.Sprintf(" and %s", finding.Count(r.more, "other place"))
		}
		line := fmt.Sprintf("| %s | %s | %s | %s |\n", icon[r.Severity], where, markdown.Inline(clip(r.Message, 300)), r.Rule)
		if i >= mostRows || b.Len()+len(line) > limit-100 {
			left += 1 + r.more
			continue
		}
		b.WriteString(line)
	}
	if left > 0 {
		fmt.Fprintf(&b, "\n… and %s.\n", finding.Count(left, "more finding"))
	}
	return b.String()
}

// clip shortens a text to so many characters.
func clip(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

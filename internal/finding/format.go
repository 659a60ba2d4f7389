package finding

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/fatih/color"

	"lookout/internal/markdown"
	"lookout/internal/promql"
)

// Write prints a result. format is text, json, markdown, sarif or github; colored is for a terminal.
func (r *Result) Write(w io.Writer, format string, colored bool) error {
	switch format {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	case "sarif":
		return r.sarif(w)
	case "github":
		return r.github(w)
	case "markdown":
		return r.markdown(w)
	}
	return r.text(w, colored)
}

// Line is the summary on one line: how much was looked at, and what came of it.
func (r *Result) Line() string {
	s := fmt.Sprintf("%s in %s, %s, %s", Count(len(r.Findings), "finding"), Count(r.Summary.Dashboards, "dashboard"), Count(r.Summary.Panels, "panel"), Count(r.Summary.Expressions, "expression"))
	if r.Summary.Alerts > 0 {
		s += ", " + Count(r.Summary.Alerts, "alert")
	}
	for _, lang := range []promql.Language{promql.LogQL, promql.MetricsQL} {
		if n := r.Languages[lang]; n > 0 {
			s += fmt.Sprintf("; %d in %s, not looked at", n, lang)
		}
	}
	if r.Silenced > 0 {
		s += fmt.Sprintf("; %d silenced", r.Silenced)
	}
	if len(r.Skipped) > 0 {
		s += "; " + Count(len(r.Skipped), "other file") + " passed over"
	}
	return s
}

// Count is "1 finding", "2 findings".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func (r *Result) text(w io.Writer, colored bool) error {
	paint := func(attrs ...color.Attribute) func(string) string {
		c := color.New(attrs...)
		if !colored {
			return func(s string) string { return s }
		}
		c.EnableColor()
		return func(s string) string { return c.Sprint(s) }
	}
	tint := map[Severity]func(string) string{Error: paint(color.FgRed, color.Bold), Warning: paint(color.FgYellow), Info: paint(color.FgCyan)}
	dim := paint(color.Faint)
	for _, f := range r.Findings {
		where := f.Panel
		if where != "" {
			where = fmt.Sprintf(" %q:", where)
		}
		if _, err := fmt.Fprintf(w, "%s %s:%s %s %s\n", position(f), tint[f.Severity](string(f.Severity)), where, f.Message, dim("("+f.Rule+")")); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, r.Line())
	return err
}

func position(f Finding) string {
	if f.Line == 0 {
		return f.File + ":"
	}
	return fmt.Sprintf("%s:%d:%d:", f.File, f.Line, max(f.Column, 1))
}

// github writes workflow commands, which GitHub shows beside the lines of a pull request.
// Source: https://docs.github.com/actions/reference/workflow-commands-for-github-actions
func (r *Result) github(w io.Writer) error {
	level := map[Severity]string{Error: "error", Warning: "warning", Info: "notice"}
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	for _, f := range r.Findings {
		where := f.Panel
		if where != "" {
			where += ": "
		}
		_, err := fmt.Fprintf(w, "::%s file=%s,line=%d,col=%d,title=%s::%s\n", level[f.Severity], property.Replace(f.File), max(f.Line, 1), max(f.Column, 1), property.Replace(f.Rule), data.Replace(where+f.Message))
		if err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, r.Line())
	return err
}

func (r *Result) markdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("**" + r.Line() + "**\n")
	if len(r.Findings) > 0 {
		b.WriteString("\n| | Where | What | Rule |\n|---|---|---|---|\n")
	}
	icon := map[Severity]string{Error: "🔴", Warning: "🟡", Info: "🔵"}
	for _, f := range r.Findings {
		where := markdown.Code(fmt.Sprintf("%s:%d", f.File, f.Line))
		if f.Panel != "" {
			where += " " + markdown.Inline(f.Panel)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", icon[f.Severity], where, markdown.Inline(f.Message), f.Rule)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// sarif writes the Static Analysis Results Interchange Format, version 2.1.0, which code hosts read.
// Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
func (r *Result) sarif(w io.Writer) error {
	type text struct {
		Text string `json:"text"`
	}
	type rule struct {
		ID                   string            `json:"id"`
		ShortDescription     text              `json:"shortDescription"`
		DefaultConfiguration map[string]string `json:"defaultConfiguration"`
	}
	type region struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
	}
	type physical struct {
		ArtifactLocation map[string]string `json:"artifactLocation"`
		Region           region            `json:"region"`
	}
	type location struct {
		PhysicalLocation physical `json:"physicalLocation"`
	}
	type result struct {
		RuleID    string     `json:"ruleId"`
		Level     string     `json:"level"`
		Message   text       `json:"message"`
		Locations []location `json:"locations"`
	}
	level := map[Severity]string{Error: "error", Warning: "warning", Info: "note"}
	used := map[string]bool{}
	results := []result{}
	for _, f := range r.Findings {
		used[f.Rule] = true
		msg := f.Message
		if f.Panel != "" {
			msg = fmt.Sprintf("%q: %s", f.Panel, msg)
		}
		results = append(results, result{f.Rule, level[f.Severity], text{msg}, []location{{physical{
			map[string]string{"uri": f.File}, region{max(f.Line, 1), max(f.Column, 1)},
		}}}})
	}
	rules := []rule{}
	for _, known := range r.Rules {
		rules = append(rules, rule{known.ID, text{known.Summary}, map[string]string{"level": level[known.Severity]}})
		delete(used, known.ID)
	}
	for _, f := range r.Findings { // rules of check
		if used[f.Rule] {
			rules = append(rules, rule{f.Rule, text{f.Rule}, map[string]string{"level": level[f.Severity]}})
			delete(used, f.Rule)
		}
	}
	notes := []any{}
	for _, skip := range r.Skipped {
		notes = append(notes, map[string]any{
			"level": "note", "message": text{"passed over: " + skip.Reason},
			"locations": []any{map[string]any{"physicalLocation": map[string]any{"artifactLocation": map[string]string{"uri": skip.File}}}},
		})
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(map[string]any{
		"$schema": "https://json.schemastore.org/sarif-2.1.0.json",
		"version": "2.1.0",
		"runs": []any{map[string]any{
			"tool":        map[string]any{"driver": map[string]any{"name": "lookout", "rules": rules}},
			"columnKind":  "unicodeCodePoints",
			"results":     results,
			"invocations": []any{map[string]any{"executionSuccessful": true, "toolExecutionNotifications": notes}},
		}},
	})
}

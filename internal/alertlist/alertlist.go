// Package alertlist makes one table of all alert rules: what each asks in words, its threshold in every environment, who gets it, what its unit tests show, when it was
// last drilled, and its runbook.
package alertlist

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"

	"lookout/internal/rules"
)

// Environment is what an environment makes of the rules.
type Environment struct {
	Name     string          `json:"name"`
	Settings *rules.Settings `json:"-"`
	// Who returns the targets that get an alert with these labels.
	Who func(labels map[string]string) []string `json:"-"`
	// Drilled returns when an alert was last drilled, and what came of it; "" for never.
	Drilled func(alert string) string `json:"-"`
}

// Here is an alert in an environment.
type Here struct {
	// Condition is the comparison with its threshold, in the rule's unit, and how long it has to hold.
	Condition string   `json:"condition"`
	Severity  string   `json:"severity"`
	Paused    bool     `json:"paused,omitempty"`
	Who       []string `json:"who"`
	Drilled   string   `json:"last_drill,omitempty"`
}

// Alert is a row.
type Alert struct {
	Name  string `json:"name"`
	File  string `json:"file"`
	Line  int    `json:"line"`
	Words string `json:"words"`
	Expr  string `json:"expr"`
	// Summary is the message's first line.
	Summary string `json:"summary"`
	Runbook string `json:"runbook"`
	Panel   string `json:"panel,omitempty"`
	Tests   int    `json:"tests"`
	// Score is the share of mutations that its tests notice, in per cent; nil if it was not asked.
	Score *float64        `json:"mutation_score,omitempty"`
	In    map[string]Here `json:"environments"`
}

// List makes the table. tests are how many unit tests are about each alert, scores the mutation scores by alert, nil for unknown.
func List(files []*rules.File, environments []Environment, tests map[string]int, scores map[string]float64) []Alert {
	var out []Alert
	for _, f := range files {
		for _, r := range f.Rules() {
			if r.Alert == "" || r.Threshold == nil {
				continue
			}
			place := r.Place("alert")
			a := Alert{
				Name: r.Alert, File: place.File, Line: place.Line, Words: Words(r.Expr), Expr: r.Comparison(), Summary: strings.TrimSpace(r.Annotation("summary")),
				Runbook: r.Annotation("runbook_url"), Tests: tests[r.Alert], In: map[string]Here{},
			}
			if r.Panel != nil {
				a.Panel = fmt.Sprintf("%s/%d", r.Panel.Dashboard, r.Panel.ID)
			}
			if score, ok := scores[r.Alert]; ok {
				a.Score = &score
			}
			for _, e := range environments {
				a.In[e.Name] = here(r, e)
			}
			out = append(out, a)
		}
	}
	slices.SortStableFunc(out, func(a, b Alert) int { return cmp.Compare(a.File, b.File) })
	return out
}

func here(r *rules.Rule, e Environment) Here {
	var o rules.Override
	labels := map[string]string{"alertname": r.Alert, "lookout_env": e.Name}
	if e.Settings != nil {
		o = e.Settings.Overrides[r.Alert]
		for name, value := range e.Settings.Labels {
			labels[name] = value
		}
	}
	r = r.Resolve(o)
	for _, l := range r.Labels {
		labels[l.Name] = l.Value
	}
	out := Here{Severity: labels["severity"], Paused: o.Paused, Condition: condition(r)}
	if e.Who != nil {
		out.Who = e.Who(labels)
	}
	if e.Drilled != nil {
		out.Drilled = e.Drilled(r.Alert)
	}
	return out
}

// condition writes the threshold as messages do.
func condition(r *rules.Rule) string {
	unit := rules.Units[cmp.Or(r.Unit, "short")]
	value, err := rules.Expand("{{ $value | "+unit.Function+" }}"+unit.After, nil, r.Threshold.Value)
	if err != nil {
		value = r.Threshold.Literal()
	}
	text := map[bool]string{true: "below ", false: "above "}[r.Threshold.Below] + value
	if ms, err := rules.ParseDuration(r.For); err == nil && ms > 0 {
		text += " for " + r.For
	}
	return text
}

// JSON writes the table.
func JSON(w io.Writer, alerts []Alert) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(alerts)
}

// rows are the table as texts, the first of them the heading. Where no environment differs, its column says what the first one does.
func rows(alerts []Alert, environments []string, drills bool) [][]string {
	head := []string{"alert", "what it asks"}
	head = append(head, environments...)
	head = append(head, "tests", "mutations noticed", "runbook")
	out := [][]string{head}
	for _, a := range alerts {
		row := []string{a.Name, a.Words}
		for _, e := range environments {
			h := a.In[e]
			cell := h.Condition + "; " + h.Severity
			if len(h.Who) > 0 {
				cell += " → " + strings.Join(h.Who, ", ")
			}
			if h.Paused {
				cell = "paused"
			}
			if drills {
				cell += "; drilled: " + cmp.Or(h.Drilled, "never")
			}
			row = append(row, cell)
		}
		score := "–"
		if a.Score != nil {
			score = strconv.FormatFloat(*a.Score, 'f', 1, 64) + " %"
		}
		out = append(out, append(row, strconv.Itoa(a.Tests), score, a.Runbook))
	}
	return out
}

// Text writes a paragraph for each alert: a line of all that would be wider than a terminal.
func Text(w io.Writer, alerts []Alert, environments []string) error {
	table := rows(alerts, environments, true)
	for _, row := range table[1:] {
		if _, err := fmt.Fprintf(w, "%s\n", row[0]); err != nil {
			return err
		}
		for i, cell := range row[1:] {
			if _, err := fmt.Fprintf(w, "  %-18s %s\n", table[0][i+1], cell); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(w, "%d alerts in %d environments\n", len(alerts), len(environments))
	return err
}

// Markdown writes the table of a page of the documents. Drills and mutation scores change without the rules and are left out. link makes a link of a runbook's path.
func Markdown(w io.Writer, alerts []Alert, environments []string, link func(runbook string) string) error {
	escape := strings.NewReplacer("|", `\|`, "<", "&lt;", "_", `\_`, "*", `\*`)
	line := func(cells []string) error {
		_, err := fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
		return err
	}
	head := append([]string{"alert", "what it asks"}, environments...)
	if err := line(append(head, "runbook")); err != nil {
		return err
	}
	if err := line(slices.Repeat([]string{"---"}, len(environments)+3)); err != nil {
		return err
	}
	for _, row := range rows(alerts, environments, false)[1:] {
		cells := []string{"`" + row[0] + "`"}
		for _, cell := range row[1 : 2+len(environments)] {
			cells = append(cells, escape.Replace(cell))
		}
		if err := line(append(cells, link(row[len(row)-1]))); err != nil {
			return err
		}
	}
	return nil
}

//go:embed page.html
var page embed.FS

// HTML writes the table as a page that needs nothing else.
func HTML(w io.Writer, alerts []Alert, environments []string) error {
	t, err := template.ParseFS(page, "page.html")
	if err != nil {
		return err
	}
	table := rows(alerts, environments, true)
	return t.Execute(w, struct {
		Head []string
		Rows [][]string
	}{table[0], table[1:]})
}

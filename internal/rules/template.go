package rules

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/template"
)

// definitions are what Prometheus puts before the text of an alert.
const definitions = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}"

// usedLabel finds the labels that a template names, so that they have a value when it is executed.
var usedLabel = regexp.MustCompile(`(?:\$labels|\.Labels)(?:\.([a-zA-Z_][a-zA-Z0-9_]*)|\s+"([^"]+)")`)

// UsedLabel is a label that a template names, and the byte where.
type UsedLabel struct {
	Name   string
	Offset int
}

// TemplateLabels lists the labels of the alert that a template names. Inside of range and with .Labels are those of what they go through, a query's result for one.
func TemplateLabels(text string) []UsedLabel {
	var out []UsedLabel
	moved := dotMoved(text)
	for _, l := range namedLabels(text) {
		if text[l.Offset] == '$' || !moved(l.Offset) {
			out = append(out, l)
		}
	}
	return out
}

var control = regexp.MustCompile(`\{\{-?\s*(range|with|if|block|define|else|end)\b`)

// actionEnd is where an action that begins before a byte of a template ends: at the next }} that is in no string.
func actionEnd(text string, at int) int {
	var quote byte
	for i := at; i < len(text); i++ {
		switch c := text[i]; {
		case quote == '"' && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '`':
			quote = c
		case strings.HasPrefix(text[i:], "}}"):
			return i + 2
		}
	}
	return len(text)
}

// dotMoved tells for a byte of a template whether the dot is something else there than at the beginning.
func dotMoved(text string) func(offset int) bool {
	type change struct {
		at    int
		moved bool
	}
	var changes []change
	var open []bool // for each block whether it moves the dot
	for _, m := range control.FindAllStringSubmatchIndex(text, -1) {
		switch word := text[m[2]:m[3]]; word {
		case "range", "with", "block", "define":
			open = append(open, true)
		case "if":
			open = append(open, false)
		case "else":
			if len(open) > 0 {
				open[len(open)-1] = false
			}
		case "end":
			open = open[:max(len(open)-1, 0)]
		}
		changes = append(changes, change{actionEnd(text, m[3]), slices.Contains(open, true)})
	}
	return func(offset int) bool {
		moved := false
		for _, c := range changes {
			if c.at > offset {
				break
			}
			moved = c.moved
		}
		return moved
	}
}

// namedLabels are all labels that a template names, whatever the dot is.
func namedLabels(text string) []UsedLabel {
	var out []UsedLabel
	if !strings.Contains(text, "{{") {
		return nil
	}
	for _, m := range usedLabel.FindAllStringSubmatchIndex(text, -1) {
		for _, g := range []int{2, 4} {
			if m[g] >= 0 {
				out = append(out, UsedLabel{text[m[g]:m[g+1]], m[0]})
			}
		}
	}
	return out
}

// Expand executes a template as Prometheus does for an alert with these labels and value. Queries in it get one sample with the value 1.
func Expand(text string, set map[string]string, value float64) (string, error) {
	query := func(context.Context, string, time.Time) (promql.Vector, error) {
		return promql.Vector{{F: 1, Metric: labels.FromMap(set)}}, nil
	}
	data := template.AlertTemplateData(set, map[string]string{}, "", promql.Sample{F: value})
	return template.NewTemplateExpander(context.Background(), definitions+text, "text", data, model.Now(), query, nil, nil).Expand()
}

// templates says which texts Prometheus refuses, and which fail for every alert.
func (f *File) templates(r *Rule) {
	for _, list := range []struct {
		what  string
		pairs []Pair
	}{{"label", r.Labels}, {"annotation", r.Annotations}} {
		for _, p := range list.pairs {
			if offset, message := checkTemplate(p.Value); message != "" {
				f.Problems.add(Problem{Position: r.PlaceOf(p, offset), Kind: KindTemplate, Rule: r.Name(), Message: fmt.Sprintf("%s %s: %s", list.what, p.Name, message)})
			}
		}
	}
}

var (
	templateError = regexp.MustCompile(`(?s)template: text:(\d+)(?::(\d+))?: (.*)$`)
	// What the data that a template is tried with may be to blame for.
	executing    = regexp.MustCompile(`(?s)^executing "text" at <(.*?)>: (.*)$`)
	unknownField = regexp.MustCompile(`can't evaluate field (\w+) in type`)
	wrongUse     = regexp.MustCompile(`can't evaluate field|wrong number of args|can't give argument|has arguments but cannot be invoked|nil is not a command|range can't iterate|template "[^"]*" not defined|exceeded maximum template depth`)
	unknownName  = regexp.MustCompile(`(function|undefined variable) "([^"]+)"`)
)

// checkTemplate returns what is wrong with a template, and at which byte; "" if nothing is.
func checkTemplate(text string) (offset int, message string) {
	if !strings.Contains(text, "{{") {
		return 0, ""
	}
	set := map[string]string{"alertname": "x"}
	for _, l := range namedLabels(text) {
		set[l.Name] = "1"
	}
	_, err := Expand(text, set, math.Pi)
	if err == nil {
		return 0, ""
	}
	m := templateError.FindStringSubmatch(err.Error())
	if m == nil {
		return 0, ""
	}
	message = m[3]
	line, _ := strconv.Atoi(m[1])
	offset = lineStart(text, line)
	if m[2] != "" {
		column, _ := strconv.Atoi(m[2])
		if line == 1 {
			column -= len(definitions)
		}
		offset += max(column, 0)
	}
	if e := executing.FindStringSubmatch(message); e != nil {
		if !wrongUse.MatchString(e[2]) {
			return 0, ""
		}
		if field := unknownField.FindStringSubmatch(e[2]); field != nil {
			return offset, fmt.Sprintf("there is no field %q at %s; a template has .Labels, .Value, .ExternalLabels and .ExternalURL", field[1], e[1])
		}
		return offset, fmt.Sprintf("at %s: %s", e[1], e[2])
	}
	if n := unknownName.FindStringSubmatch(message); n != nil {
		if at := strings.Index(text[min(offset, len(text)):], n[2]); at >= 0 {
			offset += at
		}
		if n[1] == "function" {
			return offset, fmt.Sprintf("Prometheus' templates have no function %q", n[2])
		}
		return offset, fmt.Sprintf("there is no variable %s; there are $labels, $value, $externalLabels and $externalURL", n[2])
	}
	return offset, message
}

func lineStart(text string, line int) int {
	at := 0
	for ; line > 1; line-- {
		next := strings.IndexByte(text[at:], '\n')
		if next < 0 {
			return at
		}
		at += next + 1
	}
	return at
}

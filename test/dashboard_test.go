package test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lookout/internal/dashboard"
)

// needs names the shipped dashboards whose data comes from a service that the local stack may lack. A
// dashboard is left out only while its service is not there, and the test says so.
var needs = map[string]struct{ service, reason string }{
	"alert-delivery": {"relay", "its metrics are the relay's, and messages go straight to the robot where there is none"},
}

// shipped are the uids of the dashboards in the stack's tree.
func (s *stack) shipped(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.tree, "dashboards", "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var uids []string
	for _, file := range files {
		uids = append(uids, strings.TrimSuffix(filepath.Base(file), ".json"))
	}
	if len(uids) == 0 {
		t.Fatal("no dashboard is shipped")
	}
	slices.Sort(uids)
	return uids
}

// A question is one target of one panel, with its variables substituted.
type question struct {
	dashboard, panel, refID string
	query                   map[string]any
}

func (q question) String() string {
	return fmt.Sprintf("%s, panel %q, target %s: %v", q.dashboard, q.panel, q.refID, q.query["expr"])
}

// questions reads a dashboard back from Grafana and turns each target of each panel, in collapsed rows
// too, into what a browser that opens the dashboard would ask.
func (s *stack) questions(ctx context.Context, uid string) ([]question, error) {
	var raw json.RawMessage
	if err := s.get(ctx, s.url("grafana")+"/api/dashboards/uid/"+uid, &raw); err != nil {
		return nil, err
	}
	d, err := dashboard.Load(uid, raw)
	if err != nil {
		return nil, err
	}
	values, err := s.variables(ctx, d)
	if err != nil {
		return nil, err
	}
	var questions []question
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			if target.Expr == "" {
				return nil, fmt.Errorf("%s, panel %q: target %s has no expression, which this test cannot ask", uid, panel.Name(), target.RefID)
			}
			query := map[string]any{}
			if err := json.Unmarshal([]byte(target.Node.Compact()), &query); err != nil {
				return nil, err
			}
			// A browser leaves a hidden target out; it must have data for whoever shows it.
			delete(query, "hide")
			query["expr"] = substitute(target.Expr, values)
			if strings.Contains(query["expr"].(string), "$datasource") {
				return nil, fmt.Errorf("%s, panel %q: %s", uid, panel.Name(), query["expr"])
			}
			ref := d.Datasource(panel, target)
			query["datasource"] = map[string]any{"type": "prometheus", "uid": substitute(ref.Value, values)}
			query["intervalMs"], query["maxDataPoints"] = 1000, 600
			questions = append(questions, question{uid, panel.Name(), target.RefID, query})
		}
	}
	if len(questions) == 0 {
		return nil, fmt.Errorf("%s has no panel that asks for anything", uid)
	}
	return questions, nil
}

// variables gives each template variable the value that a browser would start with.
func (s *stack) variables(ctx context.Context, d *dashboard.Dashboard) (map[string]string, error) {
	values := map[string]string{}
	for _, v := range d.Variables {
		current := v.Node.Path("current", "value").Scalarish()
		if list := v.Node.Path("current", "value"); list.Len() > 0 {
			current = list.At(0).Scalarish()
		}
		var options []string
		switch v.Type {
		case "constant", "textbox":
			values[v.Name] = current
			continue
		case "datasource":
			var err error
			if options, err = s.datasources(ctx, v.Query); err != nil {
				return nil, err
			}
			if len(options) == 0 {
				return nil, fmt.Errorf("%s, variable %s: Grafana has no datasource of type %s", d.Name(), v.Name, v.Query)
			}
		case "query":
			var err error
			if options, err = s.variableValues(ctx, substitute(v.Query, values), values["datasource"]); err != nil {
				return nil, fmt.Errorf("%s, variable %s: %w", d.Name(), v.Name, err)
			}
			if len(options) == 0 {
				return nil, fmt.Errorf("%s, variable %s: %s finds no value", d.Name(), v.Name, v.Query)
			}
		case "custom", "interval":
			for option := range strings.SplitSeq(v.Query, ",") {
				options = append(options, strings.TrimSpace(option))
			}
		default:
			return nil, fmt.Errorf("%s, variable %s: this test does not know the type %q", d.Name(), v.Name, v.Type)
		}
		if current == "" && v.IncludeAll {
			// "All" is the first in the list.
			current = "$__all"
		}
		switch {
		case current == "$__all" && v.AllValue != "":
			values[v.Name] = v.AllValue
		case current == "$__all":
			quoted := make([]string, len(options))
			for i, option := range options {
				quoted[i] = regexp.QuoteMeta(option)
			}
			values[v.Name] = "(" + strings.Join(quoted, "|") + ")"
		case slices.Contains(options, current):
			values[v.Name] = current
		default:
			values[v.Name] = options[0]
		}
	}
	return values, nil
}

// datasources are the uids of Grafana's datasources of a type.
func (s *stack) datasources(ctx context.Context, kind string) ([]string, error) {
	var all []struct{ UID, Type string }
	if err := s.get(ctx, s.url("grafana")+"/api/datasources", &all); err != nil {
		return nil, err
	}
	var uids []string
	for _, d := range all {
		if d.Type == kind {
			uids = append(uids, d.UID)
		}
	}
	return uids, nil
}

// variableValues asks for a query variable's options through Grafana's datasource.
func (s *stack) variableValues(ctx context.Context, text, datasource string) ([]string, error) {
	q := dashboard.ParseVariableQuery(text)
	if q.Func != dashboard.LabelValues {
		return nil, fmt.Errorf("this test does not know the query %q", text)
	}
	address := fmt.Sprintf("%s/api/datasources/uid/%s/resources/api/v1/label/%s/values", s.url("grafana"), url.PathEscape(datasource), url.PathEscape(q.Label))
	if q.Expr != "" {
		address += "?" + url.Values{"match[]": {q.Expr}}.Encode()
	}
	var answer struct{ Data []string }
	err := s.get(ctx, address, &answer)
	return answer.Data, err
}

var reference = regexp.MustCompile(`\$\{(\w+)(?::\w+)?\}|\$(\w+)|\[\[(\w+)(?::\w+)?\]\]`)

// substitute puts values where a text refers to variables. What it has no value for stays: $__interval
// and its like are Grafana's backend's business.
func substitute(text string, values map[string]string) string {
	return reference.ReplaceAllStringFunc(text, func(found string) string {
		for _, name := range reference.FindStringSubmatch(found)[1:] {
			if value, ok := values[name]; ok && name != "" {
				return value
			}
		}
		return found
	})
}

// requireData asks every question until each has had an answer with at least one number.
func (s *stack) requireData(t *testing.T, questions []question) {
	t.Helper()
	open := questions
	err := poll(t.Context(), 90*time.Second, time.Second, func(ctx context.Context) error {
		var problems []string
		still := open[:0:0]
		for _, q := range open {
			now := time.Now()
			numbers, err := s.ask(ctx, q.query, now.Add(-5*time.Minute), now)
			if err == nil && numbers == 0 {
				err = fmt.Errorf("no data")
			}
			if err != nil {
				still = append(still, q)
				problems = append(problems, fmt.Sprintf("%s\n    %v", q, err))
			}
		}
		open = still
		if len(open) > 0 {
			return fmt.Errorf("%d of %d targets have no data:\n  %s", len(open), len(questions), strings.Join(problems, "\n  "))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

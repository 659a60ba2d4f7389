package test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lookout/internal/dashboard"
	"lookout/test/internal/teststack"
)

// An alertRule is a rule's definition as the provisioning API gives it.
type alertRule struct {
	UID         string
	Title       string
	Annotations map[string]string
	Data        []struct {
		RefID string
		Model struct {
			Expr       string
			Conditions []struct{ Evaluator struct{ Params []float64 } }
		}
	}
}

func (s *story) alertRule(ctx context.Context, title string) (alertRule, error) {
	var all []alertRule
	if err := s.Get(ctx, s.URL("grafana")+"/api/v1/provisioning/alert-rules", &all); err != nil {
		return alertRule{}, err
	}
	for _, r := range all {
		if r.Title == title {
			return r, nil
		}
	}
	return alertRule{}, fmt.Errorf("Grafana has no alert rule titled %s", title)
}

// query is A of a rule; threshold is what C compares it with.
func (r alertRule) query() (expr string, threshold float64, err error) {
	found := false
	for _, d := range r.Data {
		if d.RefID == "A" {
			expr = d.Model.Expr
		}
		for _, c := range d.Model.Conditions {
			for _, p := range c.Evaluator.Params {
				threshold, found = p, true
			}
		}
	}
	if expr == "" || !found {
		return "", 0, fmt.Errorf("the rule %s has no query A with a threshold", r.Title)
	}
	return expr, threshold, nil
}

// grafanaGroupWait is how long the policy lets the first message of a group of this environment wait.
func (s *story) grafanaGroupWait(ctx context.Context) (time.Duration, error) {
	type policy struct {
		GroupWait string      `json:"group_wait"`
		Matchers  [][3]string `json:"object_matchers"`
		Routes    json.RawMessage
	}
	var root policy
	if err := s.Get(ctx, s.URL("grafana")+"/api/v1/provisioning/policies", &root); err != nil {
		return 0, err
	}
	wait := root.GroupWait
	var routes []policy
	if root.Routes != nil {
		if err := json.Unmarshal(root.Routes, &routes); err != nil {
			return 0, err
		}
	}
	for _, route := range routes {
		for _, m := range route.Matchers {
			if m[0] == "lookout_env" && route.GroupWait != "" {
				wait = route.GroupWait
			}
		}
	}
	if wait == "" {
		// What Grafana takes where a policy says nothing.
		wait = "30s"
	}
	return time.ParseDuration(wait)
}

// ask sends one target of a panel to Grafana's query API, the way a browser does, and returns how many
// numbers came back.
func (s *story) ask(ctx context.Context, query map[string]any, from, to time.Time) (numbers int, err error) {
	body, err := json.Marshal(map[string]any{
		"queries": []any{query},
		"from":    fmt.Sprint(from.UnixMilli()),
		"to":      fmt.Sprint(to.UnixMilli()),
	})
	if err != nil {
		return 0, err
	}
	var answer struct {
		Results map[string]struct {
			Error  string
			Frames []struct {
				Schema struct {
					Fields []struct{ Type string }
				}
				Data struct{ Values [][]any }
			}
		}
	}
	if err := s.Do(ctx, "POST", s.URL("grafana")+"/api/ds/query", body, &answer); err != nil {
		return 0, err
	}
	for _, result := range answer.Results {
		if result.Error != "" {
			return 0, fmt.Errorf("%s", result.Error)
		}
		for _, frame := range result.Frames {
			for i, values := range frame.Data.Values {
				if i >= len(frame.Schema.Fields) || frame.Schema.Fields[i].Type != "number" {
					continue
				}
				for _, v := range values {
					// NaN and infinity have no JSON and come as null.
					if _, ok := v.(float64); ok {
						numbers++
					}
				}
			}
		}
	}
	return numbers, nil
}

// datasourceAnswers asks the datasource as a panel does.
func (s *story) datasourceAnswers(t *testing.T) {
	eventually(t, 30*time.Second, "Grafana's datasource gives the value of go_threads", func(ctx context.Context) error {
		now := time.Now()
		numbers, err := s.ask(ctx, map[string]any{
			"refId": "A", "expr": series, "instant": true,
			"datasource": map[string]any{"type": "prometheus", "uid": "prometheus"},
			"intervalMs": 1000, "maxDataPoints": 100,
		}, now.Add(-time.Minute), now)
		if err == nil && numbers != 1 {
			err = fmt.Errorf("%d numbers, want the one of %s", numbers, series)
		}
		return err
	})
}

// requireDataInGrafana asks every target of every panel through Grafana's own dashboards and datasource.
func (s *story) requireDataInGrafana(t *testing.T) {
	t.Helper()
	var all []question
	for _, d := range s.shipped(t) {
		eventually(t, 60*time.Second, "the variables of "+d.UID+" have values", func(ctx context.Context) error {
			questions, err := s.questions(ctx, d.UID)
			if err == nil {
				all = append(all, questions...)
			}
			return err
		})
	}
	s.requireAnswers(t, all)
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
func (s *story) questions(ctx context.Context, uid string) ([]question, error) {
	var raw json.RawMessage
	if err := s.Get(ctx, s.URL("grafana")+"/api/dashboards/uid/"+uid, &raw); err != nil {
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
func (s *story) variables(ctx context.Context, d *dashboard.Dashboard) (map[string]string, error) {
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
func (s *story) datasources(ctx context.Context, kind string) ([]string, error) {
	var all []struct{ UID, Type string }
	if err := s.Get(ctx, s.URL("grafana")+"/api/datasources", &all); err != nil {
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
func (s *story) variableValues(ctx context.Context, text, datasource string) ([]string, error) {
	q := dashboard.ParseVariableQuery(text)
	if q.Func != dashboard.LabelValues {
		return nil, fmt.Errorf("this test does not know the query %q", text)
	}
	address := fmt.Sprintf("%s/api/datasources/uid/%s/resources/api/v1/label/%s/values", s.URL("grafana"), url.PathEscape(datasource), url.PathEscape(q.Label))
	if q.Expr != "" {
		address += "?" + url.Values{"match[]": {q.Expr}}.Encode()
	}
	var answer struct{ Data []string }
	err := s.Get(ctx, address, &answer)
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

// requireAnswers asks every question until each has had an answer with at least one number.
func (s *story) requireAnswers(t *testing.T, questions []question) {
	t.Helper()
	open := questions
	err := teststack.Poll(t.Context(), 90*time.Second, time.Second, func(ctx context.Context) error {
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

// hasPanel tells whether Grafana's dashboard of that uid has a panel of that number.
func (s *story) hasPanel(ctx context.Context, uid string, id int) error {
	type panel struct {
		ID     int
		Panels []struct{ ID int }
	}
	var answer struct{ Dashboard struct{ Panels []panel } }
	if err := s.Get(ctx, s.URL("grafana")+"/api/dashboards/uid/"+uid, &answer); err != nil {
		return err
	}
	for _, p := range answer.Dashboard.Panels {
		if p.ID == id {
			return nil
		}
		for _, nested := range p.Panels {
			if nested.ID == id {
				return nil
			}
		}
	}
	return fmt.Errorf("the dashboard %s has no panel %d", uid, id)
}

package test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// A rule is the state of one alert rule in Grafana's scheduler.
type rule struct {
	Name   string
	State  string  // inactive, pending or firing
	Health string  // ok, nodata or error
	For    float64 `json:"duration"` // pending period in seconds
	Alerts []struct {
		Labels   map[string]string
		State    string    // Normal, Pending, Alerting, NoData or Error
		ActiveAt time.Time // since when it is in that state
	}

	interval float64 // of its group, in seconds
}

// rule asks Grafana how a rule stands.
func (s *stack) rule(ctx context.Context, name string) (rule, error) {
	rules, err := s.rules(ctx)
	if err != nil {
		return rule{}, err
	}
	names := make([]string, 0, len(rules))
	for _, r := range rules {
		if r.Name == name {
			return r, nil
		}
		names = append(names, r.Name)
	}
	return rule{}, fmt.Errorf("Grafana evaluates no rule %s, only %s", name, strings.Join(names, ", "))
}

func (s *stack) rules(ctx context.Context) ([]rule, error) {
	var answer struct {
		Data struct {
			Groups []struct {
				Interval float64
				Rules    []rule
			}
		}
	}
	if err := s.get(ctx, s.url("grafana")+"/api/prometheus/grafana/api/v1/rules", &answer); err != nil {
		return nil, err
	}
	var rules []rule
	for _, g := range answer.Data.Groups {
		for _, r := range g.Rules {
			r.interval = g.Interval
			rules = append(rules, r)
		}
	}
	return rules, nil
}

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

func (s *stack) alertRule(ctx context.Context, title string) (alertRule, error) {
	var all []alertRule
	if err := s.get(ctx, s.url("grafana")+"/api/v1/provisioning/alert-rules", &all); err != nil {
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

// groupWait is how long the policy lets the first message of a group of this environment wait.
func (s *stack) groupWait(ctx context.Context) (time.Duration, error) {
	type policy struct {
		GroupWait string      `json:"group_wait"`
		Matchers  [][3]string `json:"object_matchers"`
		Routes    json.RawMessage
	}
	var root policy
	if err := s.get(ctx, s.url("grafana")+"/api/v1/provisioning/policies", &root); err != nil {
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
func (s *stack) ask(ctx context.Context, query map[string]any, from, to time.Time) (numbers int, err error) {
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
	if err := s.do(ctx, "POST", s.url("grafana")+"/api/ds/query", body, &answer); err != nil {
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

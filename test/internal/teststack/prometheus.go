package teststack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A Target is one scrape target as Prometheus reports it.
type Target struct {
	Labels         map[string]string `json:"labels"`
	Health         string            `json:"health"`
	LastError      string            `json:"lastError"`
	ScrapeInterval string            `json:"scrapeInterval"`
	ScrapeURL      string            `json:"scrapeUrl"`
}

// Targets are the active ones by job and instance: "go/go1".
func (s *Stack) Targets(ctx context.Context) (map[string]Target, error) {
	var answer struct {
		Data struct {
			ActiveTargets []Target `json:"activeTargets"`
		} `json:"data"`
	}
	if err := s.Get(ctx, s.URL("prometheus")+"/api/v1/targets", &answer); err != nil {
		return nil, err
	}
	targets := map[string]Target{}
	for _, found := range answer.Data.ActiveTargets {
		targets[found.Labels["job"]+"/"+found.Labels["instance"]] = found
	}
	return targets, nil
}

// A Sample is a value with the time of its scrape or evaluation.
type Sample struct {
	At    time.Time
	Value float64
}

// Samples asks Prometheus for the stored samples of one series over the time that has passed since then. More or fewer than
// one series is an error.
func (s *Stack) Samples(ctx context.Context, selector string, since time.Time) ([]Sample, error) {
	window := max(time.Since(since), time.Millisecond)
	query := fmt.Sprintf("%s[%dms]", selector, window.Milliseconds())
	var answer struct {
		Data struct {
			Result []struct {
				Values [][2]json.RawMessage `json:"values"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := s.Get(ctx, s.URL("prometheus")+"/api/v1/query?query="+url.QueryEscape(query), &answer); err != nil {
		return nil, err
	}
	if len(answer.Data.Result) != 1 {
		return nil, fmt.Errorf("%s: %d series, want one", query, len(answer.Data.Result))
	}
	var samples []Sample
	for _, pair := range answer.Data.Result[0].Values {
		var at float64
		var text string
		if err := json.Unmarshal(pair[0], &at); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(pair[1], &text); err != nil {
			return nil, err
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, err
		}
		samples = append(samples, Sample{At: time.UnixMilli(int64(at * 1000)), Value: value})
	}
	return samples, nil
}

// Value is what an expression is at a moment for the series that has a label with a value.
func (s *Stack) Value(ctx context.Context, expr, label, want string, at time.Time) (float64, error) {
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	query := url.Values{"query": {expr}, "time": {strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64)}}
	if err := s.Get(ctx, s.URL("prometheus")+"/api/v1/query?"+query.Encode(), &answer); err != nil {
		return 0, err
	}
	for _, r := range answer.Data.Result {
		if text, ok := r.Value[1].(string); ok && r.Metric[label] == want {
			return strconv.ParseFloat(text, 64)
		}
	}
	return 0, fmt.Errorf("%s has no value with %s=%q at %s", expr, label, want, at)
}

// Configuration is what Prometheus runs with, as YAML.
func (s *Stack) Configuration(ctx context.Context) (string, error) {
	var answer struct {
		Data struct {
			YAML string `json:"yaml"`
		} `json:"data"`
	}
	err := s.Get(ctx, s.URL("prometheus")+"/api/v1/status/config", &answer)
	return answer.Data.YAML, err
}

// A Rule is an alert rule as the engine evaluates it.
type Rule struct {
	Name   string
	UID    string  // Grafana's
	State  string  // inactive, pending or firing
	Health string  // ok, unknown, err (Grafana: error or nodata)
	For    float64 `json:"duration"` // pending period in seconds
	Query  string
	// LastError is why it can't be evaluated.
	LastError      string
	LastEvaluation time.Time
	Labels         map[string]string
	Annotations    map[string]string
	Alerts         []RuleAlert

	// Interval of its group, in seconds.
	Interval float64 `json:"-"`
}

// A RuleAlert is one series for which a rule's condition holds.
type RuleAlert struct {
	Labels      map[string]string
	Annotations map[string]string
	State       string    // Prometheus: pending or firing; Grafana: Normal, Pending, Alerting, NoData or Error
	ActiveAt    time.Time // since when
}

// Rules are those that an engine evaluates.
func (s *Stack) Rules(ctx context.Context) ([]Rule, error) {
	path := s.URL("prometheus") + "/api/v1/rules?type=alert"
	if s.Engine == Grafana {
		path = s.URL("grafana") + "/api/prometheus/grafana/api/v1/rules"
	}
	var answer struct {
		Data struct {
			Groups []struct {
				Interval float64
				Rules    []Rule
			}
		}
	}
	if err := s.Get(ctx, path, &answer); err != nil {
		return nil, err
	}
	var rules []Rule
	for _, g := range answer.Data.Groups {
		for _, r := range g.Rules {
			r.Interval = g.Interval
			rules = append(rules, r)
		}
	}
	return rules, nil
}

// Rule asks the engine how a rule stands.
func (s *Stack) Rule(ctx context.Context, name string) (Rule, error) {
	rules, err := s.Rules(ctx)
	if err != nil {
		return Rule{}, err
	}
	names := make([]string, 0, len(rules))
	for _, r := range rules {
		if r.Name == name {
			return r, nil
		}
		names = append(names, r.Name)
	}
	return Rule{}, fmt.Errorf("no rule %s is evaluated, only %s", name, strings.Join(names, ", "))
}

package teststack

import (
	"context"
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"
)

// A Notified is an alert as Alertmanager has it.
type Notified struct {
	Labels      map[string]string
	Annotations map[string]string
	StartsAt    time.Time
	EndsAt      time.Time
	Fingerprint string
	Receivers   []struct{ Name string }
	Status      struct {
		State       string // active, suppressed or unprocessed
		InhibitedBy []string
		SilencedBy  []string
	}
}

// Alerts are those that Alertmanager has and that carry a name, by instance.
func (s *Stack) Alerts(ctx context.Context, name string) (map[string]Notified, error) {
	var all []Notified
	if err := s.Get(ctx, s.URL("alertmanager")+"/api/v2/alerts", &all); err != nil {
		return nil, err
	}
	found := map[string]Notified{}
	for _, a := range all {
		if a.Labels["alertname"] == name {
			found[a.Labels["instance"]] = a
		}
	}
	return found, nil
}

// A Matcher says which alerts a silence is about.
type Matcher struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	IsRegex bool   `json:"isRegex"`
	IsEqual bool   `json:"isEqual"`
}

// A Silence is one that Alertmanager has.
type Silence struct {
	ID       string
	Matchers []Matcher
	Status   struct{ State string }
	Comment  string
}

// SilenceByID asks for a silence.
func (s *Stack) SilenceByID(ctx context.Context, id string) (silence Silence, err error) {
	err = s.Get(ctx, s.URL("alertmanager")+"/api/v2/silence/"+id, &silence)
	return silence, err
}

// AlertmanagerConfiguration is what Alertmanager runs with, as YAML; without secrets, which it does not show.
func (s *Stack) AlertmanagerConfiguration(ctx context.Context) (string, error) {
	var answer struct{ Config struct{ Original string } }
	err := s.Get(ctx, s.URL("alertmanager")+"/api/v2/status", &answer)
	return answer.Config.Original, err
}

// GroupWait is how long Alertmanager lets the first message of a group wait.
func (s *Stack) GroupWait(ctx context.Context) (time.Duration, error) {
	text, err := s.AlertmanagerConfiguration(ctx)
	if err != nil {
		return 0, err
	}
	var config struct {
		Route struct {
			GroupWait string `yaml:"group_wait"`
		}
	}
	if err := yaml.Unmarshal([]byte(text), &config); err != nil {
		return 0, fmt.Errorf("Alertmanager's configuration: %w", err)
	}
	return time.ParseDuration(config.Route.GroupWait)
}

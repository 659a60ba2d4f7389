package alerts

import (
	"bytes"
	"fmt"
	"strconv"

	"go.yaml.in/yaml/v3"
)

type prometheusFile struct {
	Groups []prometheusGroup `yaml:"groups"`
}

type prometheusGroup struct {
	Name     string           `yaml:"name"`
	Interval Duration         `yaml:"interval,omitempty"`
	Rules    []prometheusRule `yaml:"rules"`
}

type prometheusRule struct {
	Alert         string            `yaml:"alert"`
	Expr          string            `yaml:"expr"`
	For           Duration          `yaml:"for,omitempty"`
	KeepFiringFor Duration          `yaml:"keep_firing_for,omitempty"`
	Labels        map[string]string `yaml:"labels,omitempty"`
	Annotations   map[string]string `yaml:"annotations,omitempty"`
}

// Prometheus returns the file as a rule file that Prometheus, promtool, Thanos Ruler and Mimir take. Each expression
// becomes "(<expr>) > <threshold>". What only Grafana knows (uid, panel, states without data) is left out.
func (f File) Prometheus() ([]byte, error) {
	out := prometheusFile{}
	for _, group := range f.Groups {
		converted := prometheusGroup{Name: group.Name, Interval: group.Interval}
		for _, rule := range group.Rules {
			converted.Rules = append(converted.Rules, prometheusRule{
				Alert:         rule.Alert,
				Expr:          rule.Comparison(),
				For:           rule.For,
				KeepFiringFor: rule.KeepFiringFor,
				Labels:        rule.Labels,
				Annotations:   rule.Annotations,
			})
		}
		out.Groups = append(out.Groups, converted)
	}

	var buffer bytes.Buffer
	encoder := yaml.NewEncoder(&buffer)
	encoder.SetIndent(2)
	if err := encoder.Encode(out); err != nil {
		return nil, fmt.Errorf("converting %s: %w", f.Path, err)
	}
	return buffer.Bytes(), nil
}

// Comparison is the rule's whole condition in PromQL.
func (r Rule) Comparison() string {
	return fmt.Sprintf("(%s) %s %s", r.Expr, r.Threshold.Operator(), strconv.FormatFloat(r.Threshold.Value(), 'f', -1, 64))
}

package rules

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Target is what an exported rule file is for.
type Target struct {
	// Environment, if set, is added as the label lookout_env, together with the annotations value and threshold that messages are made of.
	Environment string
	// Settings are the environment's; nil for none.
	Settings *Settings
	// RunbookBaseURL is what runbook paths are relative to, ConsoleURL where dashboards are looked at. "" for none.
	RunbookBaseURL, ConsoleURL string
}

type exportFile struct {
	Groups []exportGroup `yaml:"groups"`
}

type exportGroup struct {
	Name     string       `yaml:"name"`
	Interval string       `yaml:"interval,omitempty"`
	Rules    []exportRule `yaml:"rules"`
}

type exportRule struct {
	Alert         string            `yaml:"alert"`
	Expr          string            `yaml:"expr"`
	For           string            `yaml:"for,omitempty"`
	KeepFiringFor string            `yaml:"keep_firing_for,omitempty"`
	Labels        map[string]string `yaml:"labels,omitempty"`
	Annotations   map[string]string `yaml:"annotations,omitempty"`
}

// Export returns files of Lookout's own form, in which nothing is wrong, as one rule file that Prometheus, promtool, Thanos Ruler, vmalert and Mimir take:
// each expression becomes "(<expr>) > <threshold>", and what only Grafana knows is left out. It is empty if every alert is paused. modules/alerts makes the same.
func Export(files []*File, target Target) ([]byte, error) {
	settings := target.Settings
	if settings == nil {
		settings = &Settings{}
	}
	var out exportFile
	var groups []*Group
	for _, f := range files {
		if f.Form != Own {
			return nil, fmt.Errorf("%s is %s, not a rule file of Lookout; it can be used as it is", f.Path, f.Form)
		}
		groups = append(groups, f.Groups...)
	}
	for _, g := range groups {
		group := exportGroup{Name: g.Name, Interval: cmp.Or(settings.Intervals[g.Name], g.Interval)}
		for _, r := range g.Rules {
			if o := settings.Overrides[r.Alert]; !o.Paused {
				group.Rules = append(group.Rules, r.Resolve(o).export(target, settings.Labels))
			}
		}
		if len(group.Rules) > 0 {
			out.Groups = append(out.Groups, group)
		}
	}
	if len(out.Groups) == 0 {
		return nil, nil
	}
	var buffer bytes.Buffer
	encoder := yaml.NewEncoder(&buffer)
	encoder.SetIndent(2)
	if err := encoder.Encode(out); err != nil {
		return nil, fmt.Errorf("exporting rules: %w", err)
	}
	return buffer.Bytes(), nil
}

// Resolve is the rule with what differs in an environment.
func (r *Rule) Resolve(o Override) *Rule {
	out := *r
	if o.Threshold != nil && r.Threshold != nil {
		out.Threshold = &Threshold{Below: r.Threshold.Below, Value: o.Threshold.Value, text: o.Threshold.text}
	}
	if o.Window != "" && r.Window != "" {
		out.Expr = strings.ReplaceAll(r.Expr, "["+r.Window+"]", "["+o.Window+"]")
		out.Window = o.Window
	}
	out.For = cmp.Or(o.Pending, r.For)
	if o.Severity != "" {
		out.Labels = nil
		for _, l := range r.Labels {
			if l.Name == "severity" {
				l.Value = o.Severity
			}
			out.Labels = append(out.Labels, l)
		}
	}
	return &out
}

func (r *Rule) export(target Target, extra map[string]string) exportRule {
	out := exportRule{Alert: r.Alert, Expr: r.Comparison(), KeepFiringFor: r.KeepFiringFor, Labels: map[string]string{}, Annotations: map[string]string{}}
	if set(r.For) {
		out.For = r.For
	}
	for _, l := range r.Labels {
		out.Labels[l.Name] = l.Value
	}
	for name, value := range extra {
		out.Labels[name] = value
	}
	for _, a := range r.Annotations {
		out.Annotations[a.Name] = strings.TrimSpace(a.Value)
	}
	if target.Environment == "" {
		return out
	}
	out.Labels["lookout_env"] = target.Environment
	unit := Units[cmp.Or(r.Unit, "short")]
	out.Annotations["value"] = fmt.Sprintf("{{ $value | %s }}%s", unit.Function, unit.After)
	out.Annotations["threshold"] = fmt.Sprintf("%s {{ %q | %s }}%s", r.Threshold.Operator(), r.Threshold.Literal(), unit.Function, unit.After)
	runbook, console, base := out.Annotations["runbook_url"], strings.TrimSuffix(target.ConsoleURL, "/"), strings.TrimSuffix(target.RunbookBaseURL, "/")
	switch {
	case strings.HasPrefix(runbook, "http"):
	case base != "":
		out.Annotations["runbook_url"] = base + "/" + runbook
	case console != "":
		out.Annotations["runbook_url"] = console + "/runbooks/" + strings.TrimSuffix(strings.TrimPrefix(runbook, "docs/runbooks/"), ".md")
	default:
		delete(out.Annotations, "runbook_url")
		out.Annotations["runbook"] = runbook
	}
	if console != "" && r.Panel != nil {
		dashboard := console + "/d/" + r.Panel.Dashboard
		out.Annotations["dashboard_url"] = dashboard
		out.Annotations["panel_url"] = fmt.Sprintf("%s?viewPanel=%d{{ with $labels.job }}&var-job={{ . | urlquery }}{{ end }}{{ with $labels.instance }}&var-instance={{ . | urlquery }}{{ end }}", dashboard, r.Panel.ID)
	}
	return out
}

package slo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// own is a file of Lookout's.
type own struct {
	SLOs []struct {
		Name  string            `yaml:"name"`
		Alert string            `yaml:"alert"`
		Title map[string]string `yaml:"title"`
		SLO   struct {
			Objective yaml.Node `yaml:"objective"`
			Window    string    `yaml:"window"`
			Errors    string    `yaml:"errors"`
			Total     string    `yaml:"total"`
			Ratio     string    `yaml:"ratio"`
		} `yaml:"slo"`
		MinimumErrors *int              `yaml:"minimum_errors"`
		Labels        map[string]string `yaml:"labels"`
		Runbook       string            `yaml:"runbook_url"`
		Dashboard     string            `yaml:"dashboard"`
	} `yaml:"slos"`
}

// sloth is https://sloth.dev/specs/default/: version prometheus/v1.
type sloth struct {
	Version string            `yaml:"version"`
	Service string            `yaml:"service"`
	Labels  map[string]string `yaml:"labels"`
	SLOs    []struct {
		Name        string            `yaml:"name"`
		Description string            `yaml:"description"`
		Objective   yaml.Node         `yaml:"objective"`
		Labels      map[string]string `yaml:"labels"`
		SLI         struct {
			Raw *struct {
				Query string `yaml:"error_ratio_query"`
			} `yaml:"raw"`
			Events *struct {
				Errors string `yaml:"error_query"`
				Total  string `yaml:"total_query"`
			} `yaml:"events"`
			Plugin any `yaml:"plugin"`
		} `yaml:"sli"`
		Plugins  any `yaml:"plugins"`
		Alerting struct {
			Name        string            `yaml:"name"`
			Labels      map[string]string `yaml:"labels"`
			Annotations map[string]string `yaml:"annotations"`
			Page        slothAlert        `yaml:"page_alert"`
			Ticket      slothAlert        `yaml:"ticket_alert"`
		} `yaml:"alerting"`
	} `yaml:"slos"`
	Plugins any `yaml:"slo_plugins"`
}

type slothAlert struct {
	Disable     bool              `yaml:"disable"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// openSLO is a document of https://github.com/OpenSLO/OpenSLO, version openslo/v1: an SLO, or an SLI that one refers to.
type openSLO struct {
	Version  string `yaml:"apiVersion"`
	Kind     string `yaml:"kind"`
	Metadata struct {
		Name        string            `yaml:"name"`
		DisplayName string            `yaml:"displayName"`
		Labels      map[string]any    `yaml:"labels"`
		Annotations map[string]string `yaml:"annotations"`
	} `yaml:"metadata"`
	Spec struct {
		Indicator *struct {
			Spec openIndicator `yaml:"spec"`
		} `yaml:"indicator"`
		IndicatorRef  string `yaml:"indicatorRef"`
		openIndicator `yaml:",inline"`
		TimeWindow    []struct {
			Duration  string `yaml:"duration"`
			IsRolling *bool  `yaml:"isRolling"`
		} `yaml:"timeWindow"`
		BudgetingMethod string `yaml:"budgetingMethod"`
		Objectives      []struct {
			DisplayName string    `yaml:"displayName"`
			Target      yaml.Node `yaml:"target"`
			Percent     yaml.Node `yaml:"targetPercent"`
		} `yaml:"objectives"`
	} `yaml:"spec"`
}

type openIndicator struct {
	Ratio *struct {
		Counter bool        `yaml:"counter"`
		Good    *openMetric `yaml:"good"`
		Bad     *openMetric `yaml:"bad"`
		Total   *openMetric `yaml:"total"`
		Raw     *openMetric `yaml:"raw"`
		RawType string      `yaml:"rawType"`
	} `yaml:"ratioMetric"`
	Threshold any `yaml:"thresholdMetric"`
}

type openMetric struct {
	Source struct {
		Type string `yaml:"type"`
		Spec struct {
			Query string `yaml:"query"`
		} `yaml:"spec"`
	} `yaml:"metricSource"`
}

// Read reads the objectives of a file: Lookout's (slos), sloth's (version: prometheus/v1) or OpenSLO's (apiVersion: openslo/v1). The error lists all that is
// wrong with it.
func Read(name string, data []byte) ([]*SLO, error) {
	var docs []yaml.Node
	for decoder := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		docs = append(docs, doc)
	}
	var head struct {
		Version    string    `yaml:"version"`
		APIVersion string    `yaml:"apiVersion"`
		SLOs       yaml.Node `yaml:"slos"`
	}
	if len(docs) == 0 || docs[0].Decode(&head) != nil {
		return nil, fmt.Errorf("%s holds no objectives; write slos: with name and slo", name)
	}
	var out []*SLO
	var err error
	switch {
	case strings.HasPrefix(head.APIVersion, "openslo/"):
		out, err = readOpenSLO(name, docs)
	case len(docs) > 1:
		return nil, fmt.Errorf("%s has several documents; only OpenSLO's files may", name)
	case head.Version == "prometheus/v1":
		out, err = readSloth(name, data)
	case head.Version != "" || head.APIVersion != "":
		return nil, fmt.Errorf("%s is of version %q, which is not known; known are sloth's prometheus/v1, OpenSLO's openslo/v1, and Lookout's own, which has none", name, head.Version+head.APIVersion)
	default:
		out, err = readOwn(name, data)
	}
	if err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s holds no objectives; write slos: with name and slo", name)
	}
	var errs []error
	for _, s := range out {
		s.at = fmt.Sprintf("%s:%d", name, lineOf(data, s.Name))
		errs = append(errs, s.finish())
	}
	return out, errors.Join(errs...)
}

// lineOf is where an objective is named.
func lineOf(data []byte, name string) int {
	at := regexp.MustCompile(`(?m)name:\s*["']?` + regexp.QuoteMeta(name) + `["']?\s*(,|\}|#|$)`).FindIndex(data)
	if at == nil {
		return 1
	}
	return 1 + bytes.Count(data[:at[0]], []byte("\n"))
}

func strict(name string, data []byte, into any) error {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%s: %s", name, typeName.ReplaceAllString(err.Error(), "$1"))
	}
	return nil
}

// typeName is what the library says of Go's types.
var typeName = regexp.MustCompile(`(field \S+ (?:not found|already set)) in type \S.*`)

func readOwn(name string, data []byte) ([]*SLO, error) {
	var file own
	if err := strict(name, data, &file); err != nil {
		return nil, err
	}
	var out []*SLO
	for _, s := range file.SLOs {
		one := &SLO{
			Name: s.Name, Alert: s.Alert, English: s.Title["en"], Chinese: s.Title["zh"], Objective: s.SLO.Objective.Value, Window: s.SLO.Window,
			Errors: s.SLO.Errors, Total: s.SLO.Total, Ratio: s.SLO.Ratio, MinimumErrors: DefaultMinimumErrors, Labels: s.Labels, Runbook: s.Runbook, Dashboard: s.Dashboard,
		}
		if s.MinimumErrors != nil {
			one.MinimumErrors = *s.MinimumErrors
		}
		out = append(out, one)
	}
	return out, nil
}

func readSloth(name string, data []byte) ([]*SLO, error) {
	var file sloth
	if err := strict(name, data, &file); err != nil {
		return nil, err
	}
	var out []*SLO
	for _, s := range file.SLOs {
		if s.SLI.Plugin != nil || s.Plugins != nil || file.Plugins != nil {
			return nil, fmt.Errorf("%s: slo %q uses a plugin of sloth, which only sloth can run; write its queries as sli.events", name, s.Name)
		}
		one := &SLO{
			Name: slug(file.Service + "-" + s.Name), Alert: strings.NewReplacer(" ", "", "-", "_").Replace(s.Alerting.Name), English: s.Description, Objective: s.Objective.Value,
			MinimumErrors: DefaultMinimumErrors, NoPage: s.Alerting.Page.Disable, NoTicket: s.Alerting.Ticket.Disable,
			Labels: merged(file.Labels, s.Labels, s.Alerting.Labels), PageLabels: s.Alerting.Page.Labels, TicketLabels: s.Alerting.Ticket.Labels,
		}
		for _, annotations := range []map[string]string{s.Alerting.Annotations, s.Alerting.Page.Annotations, s.Alerting.Ticket.Annotations} {
			for _, key := range []string{"runbook", "runbook_url"} {
				if annotations[key] != "" {
					one.Runbook = annotations[key]
				}
			}
		}
		if s.SLI.Raw != nil {
			one.Ratio = s.SLI.Raw.Query
		}
		if s.SLI.Events != nil {
			one.Errors, one.Total = s.SLI.Events.Errors, s.SLI.Events.Total
		}
		out = append(out, one)
	}
	return out, nil
}

func merged(all ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, one := range all {
		for name, value := range one {
			out[name] = value
		}
	}
	return out
}

var notInSlug = regexp.MustCompile(`[^a-z0-9]+`)

func slug(text string) string {
	return strings.Trim(notInSlug.ReplaceAllString(strings.ToLower(text), "-"), "-")
}

func readOpenSLO(name string, docs []yaml.Node) ([]*SLO, error) {
	indicators := map[string]openIndicator{}
	var slos []openSLO
	for i := range docs {
		var doc openSLO
		if err := docs[i].Decode(&doc); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if doc.Version != "openslo/v1" {
			return nil, fmt.Errorf("%s: apiVersion is %q; only openslo/v1 is read: `oslo convert` writes it", name, doc.Version)
		}
		switch doc.Kind {
		case "SLI":
			indicators[doc.Metadata.Name] = doc.Spec.openIndicator
		case "SLO":
			slos = append(slos, doc)
		}
	}
	var out []*SLO
	for _, s := range slos {
		refuse := func(format string, args ...any) error {
			return fmt.Errorf("%s: slo %q: %s", name, s.Metadata.Name, fmt.Sprintf(format, args...))
		}
		if len(s.Spec.Objectives) != 1 {
			return nil, refuse("it has %d objectives; write an SLO for each", len(s.Spec.Objectives))
		}
		if m := s.Spec.BudgetingMethod; m != "" && m != "Occurrences" {
			return nil, refuse("budgetingMethod is %s; only Occurrences can be watched by burn rates", m)
		}
		if len(s.Spec.TimeWindow) != 1 || s.Spec.TimeWindow[0].IsRolling != nil && !*s.Spec.TimeWindow[0].IsRolling {
			return nil, refuse("it needs one rolling timeWindow, such as {duration: 30d, isRolling: true}")
		}
		indicator, ok := indicators[s.Spec.IndicatorRef]
		if s.Spec.Indicator != nil {
			indicator, ok = s.Spec.Indicator.Spec, true
		}
		if !ok {
			return nil, refuse("its indicator %q is not in this file", s.Spec.IndicatorRef)
		}
		r := indicator.Ratio
		if r == nil || r.Total == nil && r.Raw == nil {
			return nil, refuse("its indicator has no ratioMetric; a thresholdMetric has no events that could be counted")
		}
		one := &SLO{
			Name: slug(s.Metadata.Name), English: s.Metadata.DisplayName, Objective: s.Spec.Objectives[0].Percent.Value, Window: s.Spec.TimeWindow[0].Duration,
			MinimumErrors: DefaultMinimumErrors, Runbook: s.Metadata.Annotations["runbook_url"],
		}
		if target := s.Spec.Objectives[0].Target.Value; one.Objective == "" && target != "" {
			one.Objective = percent(target)
		}
		var err error
		query := func(m *openMetric) string {
			text, e := rate(m.Source.Spec.Query)
			err = errors.Join(err, e)
			return text
		}
		switch {
		case r.Raw != nil:
			one.Ratio = query(r.Raw)
			if r.RawType != "failure" {
				one.Ratio = "1 - (" + one.Ratio + ")"
			}
		case r.Bad != nil:
			one.Errors, one.Total = query(r.Bad), query(r.Total)
		case r.Good != nil:
			one.Total = query(r.Total)
			one.Errors = "(" + one.Total + ") - (" + query(r.Good) + ")"
		default:
			return nil, refuse("its ratioMetric has neither good nor bad")
		}
		if err != nil {
			return nil, refuse("%v", err)
		}
		out = append(out, one)
	}
	return out, nil
}

// rate makes a query of OpenSLO, which does not say how a window gets into one, a rate with {{.window}}: one that has it stays, a counter is summed.
func rate(query string) (string, error) {
	query = strings.TrimSpace(query)
	if windowAt.MatchString(query) {
		return query, nil
	}
	tree, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return "", fmt.Errorf("the query %s is not PromQL: %w", query, err)
	}
	if _, ok := tree.(*parser.VectorSelector); !ok {
		return "", fmt.Errorf("the query %s is neither a counter nor has {{.window}} where its range goes", query)
	}
	return "sum(rate(" + query + "[{{.window}}]))", nil
}

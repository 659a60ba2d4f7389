package slo

import (
	"bytes"
	"fmt"
	"math/big"
	"slices"

	"go.yaml.in/yaml/v3"
)

// percent writes a share as a percentage: 0.999 is 99.9.
func percent(share string) string {
	r, ok := new(big.Rat).SetString(share)
	if !ok {
		return share
	}
	return decimal(r.Mul(r, big.NewRat(100, 1)))
}

type group struct {
	Name     string `yaml:"name"`
	Interval string `yaml:"interval"`
	Rules    []any  `yaml:"rules"`
}

type recording struct {
	Record string            `yaml:"record"`
	Expr   string            `yaml:"expr"`
	Labels map[string]string `yaml:"labels"`
}

type threshold struct {
	Above yaml.Node `yaml:"above"`
}

type panel struct {
	Dashboard string `yaml:"dashboard"`
	ID        int    `yaml:"id"`
}

type alert struct {
	Alert        string            `yaml:"alert"`
	UID          string            `yaml:"uid"`
	Expr         string            `yaml:"expr"`
	Threshold    threshold         `yaml:"threshold"`
	For          string            `yaml:"for"`
	NoDataState  string            `yaml:"no_data_state"`
	ExecErrState string            `yaml:"exec_err_state"`
	Labels       map[string]string `yaml:"labels"`
	Annotations  annotations       `yaml:"annotations"`
	Panel        panel             `yaml:"panel"`
}

type annotations struct {
	Summary     string    `yaml:"summary"`
	Description yaml.Node `yaml:"description"`
	Runbook     string    `yaml:"runbook_url"`
}

// Recordings are the recording rules of the objectives of a file, in Prometheus' form. Each has the label slo:
//
//	slo:burn_rate:rate<window>        how many times as fast as allowed the budget burns, over each window
//	slo:burn_rate:min_<short>_<long>  the smaller of two of them, where there were errors enough within the long one: what the alerts compare
//	slo:errors:rate5m                 errors a second
//	slo:total:rate5m                  events a second
//	slo:error_budget:remaining        the share of the budget that is left of the objective's window, 1 at first, below 0 when it is overdrawn
func Recordings(source string, slos []*SLO) []byte {
	var groups []group
	for _, s := range slos {
		g := group{Name: "slo-" + s.Name, Interval: "1m"}
		record := func(name, format string, args ...any) {
			g.Rules = append(g.Rules, recording{name, fmt.Sprintf(format, args...), map[string]string{"slo": s.Name}})
		}
		of := func(name string) string { return fmt.Sprintf("%s{slo=%q}", name, s.Name) }
		for _, w := range windows {
			if s.Ratio != "" {
				record("slo:burn_rate:rate"+w, "(%s) / %s", at(s.Ratio, w), s.budget())
				continue
			}
			// Without any error there is no series of errors, and no traffic is no failure.
			record("slo:burn_rate:rate"+w, "((%[1]s) or (%[2]s) * 0)\n/ ((%[2]s) > 0) / %[3]s", at(s.Errors, w), at(s.Total, w), s.budget())
		}
		for _, p := range pairs {
			short, long := of("slo:burn_rate:rate"+p.short), of("slo:burn_rate:rate"+p.long)
			enough := ""
			if s.Ratio == "" && s.MinimumErrors > 0 {
				// The label slo stands on one side only.
				enough = fmt.Sprintf("\nand ignoring (slo) ((%s) * %d >= %d)", at(s.Errors, p.long), milliseconds(p.long)/1000, s.MinimumErrors)
			}
			// The comparisons keep what both windows have; the names do not count in "or" and "and".
			record("slo:burn_rate:min_"+p.short+"_"+p.long, "(\n  %[1]s <= %[2]s\n  or %[2]s < %[1]s\n)%[3]s", short, long, enough)
		}
		if s.Ratio != "" {
			record("slo:error_budget:remaining", "1 - avg_over_time(%s[%s])", of("slo:burn_rate:rate5m"), s.Window)
		} else {
			record("slo:errors:rate5m", "(%s) or (%s) * 0", at(s.Errors, "5m"), at(s.Total, "5m"))
			record("slo:total:rate5m", "%s", at(s.Total, "5m"))
			record("slo:error_budget:remaining", "1 - sum_over_time(%s[%s])\n/ sum_over_time(%s[%s]) / %s", of("slo:errors:rate5m"), s.Window, of("slo:total:rate5m"), s.Window, s.budget())
		}
		groups = append(groups, g)
	}
	return document(source, "Recording rules", groups)
}

// Alerts are the alerts of the objectives of a file, in Lookout's form.
func Alerts(source string, slos []*SLO) []byte {
	var groups []group
	for _, s := range slos {
		g := group{Name: "slo-alerts-" + s.Name, Interval: "1m"}
		for _, p := range pairs {
			page := p.severity == "critical"
			if page && s.NoPage || !page && s.NoTicket {
				continue
			}
			labels := merged(s.Labels, map[bool]map[string]string{true: s.PageLabels, false: s.TicketLabels}[page])
			if !slices.Contains([]string{"critical", "warning", "info"}, labels["severity"]) {
				labels["severity"] = p.severity
			}
			labels["slo"], labels["slo_window"] = s.Name, p.long
			g.Rules = append(g.Rules, alert{
				Alert:        s.Alert + p.long,
				UID:          "slo-" + s.Name + "-" + p.long,
				Expr:         fmt.Sprintf("slo:burn_rate:min_%s_%s{slo=%q}", p.short, p.long, s.Name),
				Threshold:    threshold{yaml.Node{Kind: yaml.ScalarNode, Value: s.factor(p)}},
				For:          "0s",
				NoDataState:  "OK",
				ExecErrState: "KeepLast",
				Labels:       labels,
				Annotations: annotations{
					Summary: "【报警】错误预算消耗过快 Error budget burns too fast",
					Description: yaml.Node{Kind: yaml.ScalarNode, Style: yaml.LiteralStyle, Value: fmt.Sprintf(
						"{{ with $labels.job }}{{ . }}：{{ end }}%[1]s，目标 %[3]s%%（%[4]s）。最近 %[5]s 和 %[6]s 的错误预算正以允许速度的 {{ $value | humanize }} 倍消耗；达到 %[7]s 倍时，整个预算在 %[8]s 内耗尽。\n"+
							"{{ with $labels.job }}{{ . }}: {{ end }}%[2]s, objective %[3]s%% over %[4]s. Over the last %[5]s and %[6]s the error budget burns {{ $value | humanize }} times as fast as allowed; at %[7]s times it lasts for %[8]s.",
						s.Chinese, s.English, s.Objective, s.Window, p.short, p.long, s.factor(p), s.lasts(p))},
					Runbook: s.Runbook,
				},
				Panel: panel{s.Dashboard, p.panel},
			})
		}
		groups = append(groups, g)
	}
	return document(source, "Alerts", groups)
}

// document writes groups, with maps in the order of their keys, so that the same objectives are always the same bytes.
func document(source, what string, groups []group) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "# %s of %s, written by `lookout rules slo`: edit that file, and run it again.\n", what, source)
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(map[string][]group{"groups": groups}); err != nil {
		panic(fmt.Sprintf("writing rules of known types: %v", err))
	}
	return out.Bytes()
}

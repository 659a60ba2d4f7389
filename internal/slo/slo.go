// Package slo turns service level objectives, which are data, into what watches them: recording rules of how fast their error budgets burn, and alerts over
// several windows, as Google's SRE workbook has them (https://sre.google/workbook/alerting-on-slos/). It reads Lookout's own files, sloth's and OpenSLO's.
//
// The rules are written into files of the repository, where everything that reads rules finds them: Terraform for both engines, tests, reviews, the console.
package slo

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// SLO is an objective: the share of events that may be errors over a window.
type SLO struct {
	// Name of small letters, digits and dashes; the label slo of everything that is made of it.
	Name string
	// Alert is what the names of its alerts begin with, such as RequestsBudgetBurns.
	Alert string
	// English and Chinese are what is promised, in a few words.
	English, Chinese string
	// Objective in percent, as it was written: "99.9".
	Objective string
	// Window is the time over which the objective holds, in Prometheus' notation.
	Window string
	// Errors and Total are the rates of events in PromQL, with {{.window}} where the range goes.
	Errors, Total string
	// Ratio takes the place of both where only the share of errors is known.
	Ratio string
	// MinimumErrors is how many errors there have to be within the long window of an alert, so that a single one does not wake anybody where there is little
	// traffic. It cannot be asked of a Ratio.
	MinimumErrors int
	// NoPage and NoTicket leave out the two alerts that are critical, or those that are warnings.
	NoPage, NoTicket bool
	// Labels of all alerts, PageLabels and TicketLabels of those alone.
	Labels, PageLabels, TicketLabels map[string]string
	// Runbook is a path in the repository or an address.
	Runbook string
	// Dashboard is the uid of the dashboard whose panels 3 to 6 show the four burn rates.
	Dashboard string

	at string // file and line
}

// DefaultMinimumErrors is what an SLO has that says nothing of it.
const DefaultMinimumErrors = 5

// pair is two windows that both have to burn: the long one says that it matters, the short one that it goes on.
type pair struct {
	short, long string
	// budget is the share of the budget that is gone when the long window has burnt this fast for as long as it is, in percent.
	budget   int64
	severity string
	panel    int
}

// pairs are those of the SRE workbook.
var pairs = []pair{
	{"5m", "1h", 2, "critical", 3},
	{"30m", "6h", 5, "critical", 4},
	{"2h", "1d", 10, "warning", 5},
	{"6h", "3d", 10, "warning", 6},
}

// windows of all pairs, shortest first.
var windows = []string{"5m", "30m", "1h", "2h", "6h", "1d", "3d"}

// factor is how many times as fast as allowed the budget burns at the threshold of a pair.
func (s *SLO) factor(p pair) string {
	return decimal(new(big.Rat).Mul(big.NewRat(p.budget, 100), big.NewRat(milliseconds(s.Window), milliseconds(p.long))))
}

// lasts is how long a whole budget lasts at that speed.
func (s *SLO) lasts(p pair) model.Duration {
	return model.Duration(milliseconds(p.long) * 1_000_000 * 100 / p.budget)
}

// budget is the share of errors that the objective allows.
func (s *SLO) budget() string {
	objective, _ := new(big.Rat).SetString(s.Objective)
	return decimal(objective.Quo(objective.Sub(big.NewRat(100, 1), objective), big.NewRat(100, 1)))
}

func decimal(r *big.Rat) string {
	text := r.FloatString(12)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

func milliseconds(text string) int64 {
	d, _ := model.ParseDuration(text)
	return int64(d) / 1_000_000
}

var (
	nameOf   = regexp.MustCompile(`^[a-z][a-z0-9-]{0,32}$`)
	alertOf  = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]{0,180}$`)
	labelOf  = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	number   = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,8})?$`)
	windowAt = regexp.MustCompile(`\{\{-?\s*\.window\s*-?\}\}`)
)

// at puts a range into a query.
func at(query, window string) string { return windowAt.ReplaceAllLiteralString(query, window) }

// finish fills in what was not said and says what is wrong.
func (s *SLO) finish() error {
	s.Window = cmp.Or(s.Window, "30d")
	s.Alert = cmp.Or(s.Alert, camel(s.Name)+"BudgetBurns")
	s.English = cmp.Or(s.English, s.Name)
	s.Chinese = cmp.Or(s.Chinese, s.English)
	s.Runbook = cmp.Or(s.Runbook, "docs/runbooks/error-budget.md")
	s.Dashboard = cmp.Or(s.Dashboard, "slo")
	var errs []error
	say := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: slo %q: %s", s.at, s.Name, fmt.Sprintf(format, args...)))
	}
	if !nameOf.MatchString(s.Name) {
		say("the name is %q; write up to 33 small letters, digits and dashes, beginning with a letter", s.Name)
	}
	if !alertOf.MatchString(s.Alert) {
		say("alert is %q; write what the names of its alerts begin with, such as RequestsBudgetBurns", s.Alert)
	}
	objective, ok := new(big.Rat).SetString(s.Objective)
	if !number.MatchString(s.Objective) || !ok || objective.Sign() <= 0 || objective.Cmp(big.NewRat(100, 1)) >= 0 {
		say("objective is %q; write a percentage above 0 and below 100, such as 99.9", s.Objective)
	}
	if d, err := model.ParseDuration(s.Window); err != nil || milliseconds(s.Window) < milliseconds("7d") || strings.Contains(s.Window, "y") && milliseconds(s.Window) > milliseconds("1y") || d <= 0 {
		say("window is %q; write seven days or more, such as 30d", s.Window)
	}
	if s.MinimumErrors < 0 {
		say("minimum_errors is %d; write 0 or more", s.MinimumErrors)
	}
	if (s.Ratio == "") == (s.Errors == "" && s.Total == "") || s.Ratio == "" && (s.Errors == "" || s.Total == "") {
		say("it needs errors and total, two rates of events, or the ratio of both")
	}
	for _, q := range []struct{ name, query string }{{"errors", s.Errors}, {"total", s.Total}, {"ratio", s.Ratio}} {
		if q.query == "" {
			continue
		}
		if !windowAt.MatchString(q.query) {
			say("%s has no {{.window}}; write it where the range goes: sum(rate(http_requests_total[{{.window}}]))", q.name)
		} else if tree, err := parser.NewParser(parser.Options{}).ParseExpr(at(q.query, "5m")); err != nil {
			say("%s is not PromQL: %v", q.name, err)
		} else if tree.Type() != parser.ValueTypeVector {
			say("%s is a %s; write a query that gives a rate, such as sum(rate(http_requests_total[{{.window}}]))", q.name, tree.Type())
		}
	}
	for _, labels := range []map[string]string{s.Labels, s.PageLabels, s.TicketLabels} {
		for name, value := range labels {
			if !labelOf.MatchString(name) || value == "" || slices.Contains([]string{"alertname", "slo", "slo_window", "lookout_env"}, name) {
				say("label %s: %q can't be set; use letters, digits and _, and no name that Lookout uses itself", name, value)
			}
		}
	}
	if s.NoPage && s.NoTicket {
		say("neither pages nor tickets are wanted, so nothing would watch it")
	}
	return errors.Join(errs...)
}

func camel(name string) string {
	var out strings.Builder
	for part := range strings.SplitSeq(name, "-") {
		if part != "" {
			out.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return out.String()
}

// File is a file that is made of objectives.
type File struct {
	Path string
	Data []byte
}

// Generate reads <dir>/*.yaml of a repository and returns what is made of them: for slos/web.yaml alerts/slo-web.yaml and slos/rules/web.yaml.
func Generate(fsys fs.FS, dir, alerts string) ([]File, error) {
	found, err := fs.Glob(fsys, path.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var out []File
	first := map[string]string{}
	var errs []error
	for _, name := range found {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("reading the objectives: %w", err)
		}
		slos, err := Read(name, data)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, s := range slos {
			if was := first[s.Name]; was != "" {
				errs = append(errs, fmt.Errorf("%s: slo %q is in %s already", s.at, s.Name, was))
			}
			first[s.Name] = name
		}
		out = append(out,
			File{path.Join(alerts, "slo-"+path.Base(name)), Alerts(name, slos)},
			File{path.Join(dir, "rules", path.Base(name)), Recordings(name, slos)})
	}
	return out, errors.Join(errs...)
}

// Stale says which of these files of a repository are not what is made of its objectives, and which are left over.
func Stale(fsys fs.FS, dir, alerts string) ([]string, error) {
	files, err := Generate(fsys, dir, alerts)
	if err != nil {
		return nil, err
	}
	var out []string
	made := map[string]bool{}
	for _, f := range files {
		made[f.Path] = true
		if have, err := fs.ReadFile(fsys, f.Path); err != nil || string(have) != string(f.Data) {
			out = append(out, f.Path)
		}
	}
	for _, pattern := range []string{path.Join(dir, "rules", "*.yaml"), path.Join(alerts, "slo-*.yaml")} {
		found, err := fs.Glob(fsys, pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range found {
			if !made[name] && !strings.HasSuffix(name, ".test.yaml") {
				out = append(out, name)
			}
		}
	}
	return out, nil
}

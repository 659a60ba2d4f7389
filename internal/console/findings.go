package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"time"

	"lookout/internal/contract"
	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/lint"
	"lookout/internal/promql"
	"lookout/internal/queries"
	"lookout/internal/render"
)

// panelFinding is what lint or check has to say of one panel; Key is "" for the dashboard itself.
type panelFinding struct {
	Key      string `json:"key"`
	Rule     string `json:"rule"`
	Severity string `json:"severity"`
	Line     int    `json:"line"`
	Text     string `json:"text"`
}

// findings answers what lint and check find in a dashboard's file, by panel.
func (s *Server) findings(r *request) error {
	file, err := s.store.find(r.PathValue("uid"))
	if err != nil {
		return problem(http.StatusNotFound, r.t("There is no such dashboard."))
	}
	list, _, err := s.checked.Do(r.Context(), file.UID+"@"+file.Version, 30*time.Second, func(ctx context.Context) ([]panelFinding, int, error) {
		s.checking <- struct{}{}
		defer func() { <-s.checking }()
		out, err := s.check(ctx, file)
		return out, 256 * len(out), err
	})
	if err != nil {
		return problem(http.StatusConflict, reason(err))
	}
	if list == nil {
		list = []panelFinding{}
	}
	data, err := json.Marshal(list)
	if err != nil {
		return err
	}
	return r.write(http.StatusOK, "application/json", data)
}

// check lints a file, and holds it against what Prometheus has if it can be asked.
func (s *Server) check(ctx context.Context, file boardFile) ([]panelFinding, error) {
	var syntax *dashboard.SyntaxError
	switch {
	case errors.As(file.Err, &syntax):
		return []panelFinding{{Rule: "json-syntax", Severity: string(finding.Error), Line: syntax.Line, Text: syntax.Msg}}, nil
	case file.Err != nil:
		return []panelFinding{{Rule: "not-a-dashboard", Severity: string(finding.Error), Text: file.Err.Error()}}, nil
	}
	data, err := file.content()
	if err != nil {
		return nil, err
	}
	// A copy of its own: positions are found while it is read.
	d, err := dashboard.Load(filepath.ToSlash(file.File), data)
	if err != nil {
		return nil, err
	}
	p := promql.NewParser()
	qs := queries.Of(d, p)
	linter := lint.New(s.cfg.Lint, p)
	linter.Dashboard(d, qs)
	found := linter.Result().Findings
	if s.prom != nil {
		limit, cancel := context.WithTimeout(ctx, 4*time.Second)
		defer cancel()
		inv := contract.NewInventory("the Prometheus")
		now := s.now()
		if inv.ReadPrometheus(limit, s.prom.HTTP(), s.cfg.Prometheus, now.Add(-time.Hour), now, contract.Names(qs)) == nil {
			_, problems := contract.New(inv, nil).Dashboard(d, qs)
			for _, f := range problems {
				if !s.cfg.Lint.Silences.Cover(f.Finding, d.UID, f.Text, f.Node) {
					found = append(found, f.Finding)
				}
			}
		}
	}
	keys := panelKeys(d)
	var out []panelFinding
	for _, f := range found {
		out = append(out, panelFinding{Key: keys(f), Rule: f.Rule, Severity: string(f.Severity), Line: f.Line, Text: f.Message})
	}
	return out, nil
}

// panelKeys finds the panel that a finding is about: of those with its title, the last that begins before its line.
func panelKeys(d *dashboard.Dashboard) func(finding.Finding) string {
	type place struct {
		line  int
		title string
		key   string
	}
	var places []place
	keys := render.PanelKeys(d)
	for p, key := range keys {
		places = append(places, place{p.Node.Pos().Line, p.Name(), key})
	}
	return func(f finding.Finding) string {
		if f.Panel == "" {
			return ""
		}
		best := place{}
		for _, p := range places {
			if p.title == f.Panel && p.line <= f.Line && p.line > best.line {
				best = p
			}
		}
		return best.key
	}
}

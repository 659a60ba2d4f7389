package console

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/dashboard"
	"lookout/internal/render"
)

const (
	// graphUID is the uid of a dashboard that is in no file: one chart of the expression that the address carries. Grafana allows no tilde in a uid.
	graphUID = "~graph"
	// graphParam is the parameter with the expression, as Prometheus writes it into the addresses that it gives to alerts.
	graphParam = "g0.expr"
	// graphPanel is the key of its only panel.
	graphPanel = "1"
	// maxExpr bounds an expression; a rule's is a few hundred bytes.
	maxExpr = 16 << 10
)

// source is the dashboard of a uid: a file's, or the one that draws an expression.
func (s *Server) source(r *request, uid string) (*dashboard.Dashboard, boardFile, error) {
	if uid == graphUID {
		return s.graphBoard(r)
	}
	return s.store.load(uid)
}

var promRange = regexp.MustCompile(`^[0-9]+(ms|[smhdwy])$`)

// graph is where Prometheus says that an alert comes from: /graph?g0.expr=…. It leads to the expression as a chart, over the time that the address names.
func (s *Server) graph(r *request) error {
	q := r.URL.Query()
	if strings.TrimSpace(q.Get(graphParam)) == "" {
		return r.redirect(r.link("/alerts"))
	}
	out := url.Values{graphParam: {q.Get(graphParam)}}
	for _, name := range []string{"from", "to", "theme", "timezone"} {
		if q.Get(name) != "" {
			out.Set(name, q.Get(name))
		}
	}
	if span := q.Get("g0.range_input"); promRange.MatchString(span) && !out.Has("from") {
		out.Set("from", "now-"+span)
	}
	return r.redirect(s.base + "/d/" + graphUID + "?" + out.Encode())
}

// graphLink is the address of an expression's chart.
func (r *request) graphLink(expr string) string { return r.link("/d/"+graphUID, graphParam, expr) }

// Graph is for templates.
func (r *request) Graph(expr string) string { return r.graphLink(expr) }

// GraphPicture is the address of the picture of an expression over a time, for templates.
func (r *request) GraphPicture(expr string, view *historyView, scheme string) string {
	return r.link("/picture/"+graphUID+"/"+graphPanel, graphParam, expr, "from", strconv.FormatInt(view.Start.UnixMilli(), 10), "to", strconv.FormatInt(view.End.UnixMilli(), 10),
		"w", "760", "h", "240", "scheme", scheme)
}

// graphBoard makes a dashboard of the expression in the address. A comparison at the top is drawn as what is compared, with the threshold as a line: the expression of a
// rule gives nothing while all is well.
func (s *Server) graphBoard(r *request) (*dashboard.Dashboard, boardFile, error) {
	expr := strings.TrimSpace(r.URL.Query().Get(graphParam))
	if expr == "" || len(expr) > maxExpr {
		return nil, boardFile{}, problem(http.StatusBadRequest, r.t("The address has to name an expression of at most %s in %s.", fmt.Sprintf("%d KiB", maxExpr>>10), graphParam))
	}
	drawn := expr
	if e, err := exprParser.ParseExpr(expr); err == nil {
		if left, t := comparedIn(e); t != nil {
			drawn = left.String()
		}
	}
	sum := sha256.Sum256([]byte(expr))
	file := boardFile{UID: graphUID, Title: r.t("Expression"), Version: hex.EncodeToString(sum[:8]), Expr: expr, Panels: 1}
	rules := s.rulesOf(r, expr)
	if len(rules) > 0 {
		file.Title = rules[0].Name
	}
	// Dollars are the expression's own: a regular expression's end, not a variable.
	panel := map[string]any{
		"id": 1, "type": "timeseries", "title": cmp.Or(summaryOf(rules), file.Title), "gridPos": map[string]int{"x": 0, "y": 0, "w": 24, "h": 14},
		"options": map[string]any{"legend": map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": true}},
		"targets": []any{map[string]any{"refId": "A", "expr": drawn}},
	}
	data, err := json.Marshal(map[string]any{
		"uid": graphUID, "title": file.Title, "schemaVersion": 39, "time": map[string]string{"from": "now-1h", "to": "now"}, "refresh": "30s", "panels": []any{panel},
	})
	if err != nil {
		return nil, file, err
	}
	d, err := dashboard.Load("expression", data)
	return d, file, err
}

// rulesOf are the alert rules with that query.
func (s *Server) rulesOf(r *request, expr string) []*ruleRow {
	if s.rules == nil {
		return nil
	}
	var out []*ruleRow
	for _, g := range s.view(r.wait).Groups {
		for _, row := range g.Rules {
			if !row.Recording && row.Query == expr {
				out = append(out, row)
			}
		}
	}
	return out
}

// summaryOf is what the first of the rules says of itself, if that holds for all its alerts.
func summaryOf(rules []*ruleRow) string {
	if len(rules) == 0 || strings.Contains(rules[0].Annotations["summary"], "{{") {
		return ""
	}
	return rules[0].Annotations["summary"]
}

// graphAlerts are the rules that the chart is about.
func (s *Server) graphAlerts(r *request, expr string) map[int64][]panelAlert {
	var out []panelAlert
	for _, rule := range s.rulesOf(r, expr) {
		out = append(out, s.panelAlert(r, rule))
	}
	return map[int64][]panelAlert{1: out}
}

// graphLines is the threshold of the expression.
func graphLines(expr string) map[int64][]render.Line {
	if l := thresholdOf(expr).line(); l != nil {
		return map[int64][]render.Line{1: {*l}}
	}
	return nil
}

// comparedIn finds the comparison with a number at the top of an expression: what is compared, and with what.
func comparedIn(e parser.Expr) (parser.Expr, *threshold) {
	switch e := e.(type) {
	case *parser.ParenExpr:
		return comparedIn(e.Expr)
	case *parser.BinaryExpr:
		if e.Op.IsComparisonOperator() {
			if n, ok := numberOf(e.RHS); ok {
				return e.LHS, &threshold{e.Op.String(), n}
			}
			return nil, nil
		}
		if e.Op.IsSetOperator() {
			return comparedIn(e.LHS)
		}
	}
	return nil, nil
}

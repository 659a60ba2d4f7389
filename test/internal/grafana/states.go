package grafana

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

func (s *Server) stateRoutes() []route {
	none := func(*call) answer { return answer{status: http.StatusOK, body: []any{}} }
	read := "any of alert.instances:read, alert.instances.external:read"
	return []route{
		{method: "GET", path: "/api/prometheus/grafana/api/v1/rules", query: []string{"dashboard_uid"}, needs: "alert.rules:read", role: Viewer, answer: ruleStates},
		{method: "GET", path: "/api/alertmanager/grafana/api/v2/alerts", query: []string{"filter", "silenced", "active", "inhibited"}, needs: read, role: Viewer, answer: none},
		{method: "GET", path: "/api/alertmanager/grafana/api/v2/status", needs: read, role: Viewer, answer: func(*call) answer {
			na := "N/A"
			return answer{status: http.StatusOK, body: map[string]any{
				"cluster": map[string]any{"peers": []any{}, "status": "disabled"}, "config": map[string]any{"templates": nil}, "uptime": nil,
				"versionInfo": map[string]any{"branch": na, "buildDate": na, "buildUser": na, "goVersion": na, "revision": na, "version": na},
			}}
		}},
	}
}

// ruleStates are those of rules that nothing has evaluated yet: all here are, always.
func ruleStates(c *call) answer {
	type key struct{ title, folder, group string }
	var keys []key
	for _, r := range c.rules {
		if wanted := c.query.Get("dashboard_uid"); wanted != "" && r.Annotations["__dashboardUid__"] != wanted {
			continue
		}
		k := key{folder: r.FolderUID, group: r.RuleGroup}
		if f := c.folder(r.FolderUID); f != nil {
			k.title = f.title
		}
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b key) int { return strings.Compare(a.title+"\x00"+a.group, b.title+"\x00"+b.group) })
	groups := []any{}
	for _, k := range keys {
		var rules []any
		interval := 0
		for _, r := range c.group(k.folder, k.group) {
			interval = r.interval
			one := map[string]any{
				"state": "inactive", "name": r.Title, "query": r.expression(), "health": "ok", "type": "alerting",
				"lastEvaluation": yearOne, "evaluationTime": 0, "labels": r.Labels, "annotations": r.Annotations,
			}
			if r.For.Duration > 0 {
				one["duration"] = r.For.Seconds()
			}
			rules = append(rules, one)
		}
		groups = append(groups, map[string]any{
			"name": k.group, "file": k.title, "rules": rules, "totals": map[string]any{"inactive": len(rules)}, "interval": interval,
			"lastEvaluation": yearOne, "evaluationTime": 0,
		})
	}
	body := map[string]any{"groups": groups}
	if len(c.rules) > 0 {
		body["totals"] = map[string]any{"inactive": len(c.rules)}
	}
	return answer{status: http.StatusOK, body: map[string]any{"status": "success", "data": body}}
}

// expression is the PromQL of a rule: that of its queries which are not expressions.
func (r *rule) expression() string {
	var out []string
	for _, q := range r.Data {
		var model struct{ Expr string }
		if q.DatasourceUID != expressions && json.Unmarshal(q.Model, &model) == nil {
			out = append(out, model.Expr)
		}
	}
	return strings.Join(out, " | ")
}

package grafana

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

func (s *Server) stateRoutes() []route {
	read := "any of alert.instances:read, alert.instances.external:read"
	return []route{
		{method: "GET", path: "/api/prometheus/grafana/api/v1/rules", query: []string{"dashboard_uid"}, needs: "alert.rules:read", role: Viewer, answer: ruleStates},
		{method: "GET", path: "/api/alertmanager/grafana/api/v2/alerts", query: []string{"filter", "silenced", "active", "inhibited"}, needs: read, role: Viewer, answer: listAlerts},
		{method: "GET", path: "/api/alertmanager/grafana/api/v2/status", needs: read, role: Viewer, answer: func(*call) answer {
			na := "N/A"
			return answer{status: http.StatusOK, body: map[string]any{
				"cluster": map[string]any{"peers": []any{}, "status": "disabled"}, "config": map[string]any{"templates": nil}, "uptime": nil,
				"versionInfo": map[string]any{"branch": na, "buildDate": na, "buildUser": na, "goVersion": na, "revision": na, "version": na},
			}}
		}},
	}
}

// An Instance is an alert of a rule. The stand-in evaluates nothing: what a rule was evaluated to is for a test to say.
type Instance struct {
	// Labels are those of the series; the rule's own come on top.
	Labels map[string]string
	// State is Grafana's: Normal, Pending or Alerting.
	State    string
	ActiveAt time.Time
}

// SetInstances says what a rule was evaluated to, until the rule is edited. It returns false if there is no rule of that title.
func (s *Server) SetInstances(title string, instances ...Instance) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.rules, func(r *rule) bool { return r.Title == title })
	if i < 0 {
		return false
	}
	if s.instances == nil {
		s.instances = map[string][]Instance{}
	}
	s.instances[s.rules[i].UID] = instances
	return true
}

// labelled are the labels that an alert has.
func (r *rule) labelled(i Instance) map[string]string {
	out := maps.Clone(i.Labels)
	maps.Copy(out, r.Labels)
	out["alertname"] = r.Title
	return out
}

// listAlerts are the alerts that Grafana's Alertmanager has: those that fire, and which silences hold them back.
func listAlerts(c *call) answer {
	out := []any{}
	for _, r := range c.rules {
		for _, i := range c.instances[r.UID] {
			if i.State != "Alerting" {
				continue
			}
			labels, now := r.labelled(i), c.options.Now()
			silencedBy, state := []string{}, "active"
			for _, s := range c.silences {
				if !now.Before(s.starts) && now.Before(s.ends) && !slices.ContainsFunc(s.Match, func(m silenceMatch) bool { return m.IsRegex || (labels[m.Name] == m.Value) != m.IsEqual }) {
					silencedBy, state = append(silencedBy, s.ID), "suppressed"
				}
			}
			out = append(out, map[string]any{
				"labels": labels, "annotations": r.Annotations, "startsAt": i.ActiveAt, "endsAt": now.Add(4 * time.Minute), "updatedAt": now,
				"fingerprint": r.UID, "generatorURL": "", "receivers": []any{map[string]any{"name": "relay"}},
				"status": map[string]any{"state": state, "silencedBy": silencedBy, "inhibitedBy": []string{}},
			})
		}
	}
	return answer{status: http.StatusOK, body: out}
}

// ruleStates are those of rules that nothing has evaluated, but for what a test says.
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
			var alerts []any
			for _, i := range c.instances[r.UID] {
				alerts = append(alerts, map[string]any{"labels": r.labelled(i), "annotations": r.Annotations, "state": i.State, "activeAt": i.ActiveAt, "value": ""})
				switch {
				case i.State == "Alerting":
					one["state"] = "firing"
				case i.State == "Pending" && one["state"] == "inactive":
					one["state"] = "pending"
				}
			}
			if alerts != nil {
				one["alerts"] = alerts
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

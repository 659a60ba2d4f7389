package console

import (
	"net/http"
	"net/url"
	"strings"
)

// grafanaURLs lets addresses that were made for Grafana lead to the page that shows the same here: links in messages, bookmarks and wikis go on working.
func (s *Server) grafanaURLs(get func(string, func(*request) error)) {
	to := func(path string) func(*request) error {
		return func(r *request) error { return r.redirect(r.link(path)) }
	}
	get("/dashboards/{rest...}", to("/dashboards"))
	get("/alerting/silence/new", func(r *request) error { return s.fromGrafanaSilence(r) })
	get("/alerting/silences", to("/silences"))
	get("/alerting/{source}/{uid}/view", s.grafanaRule)
	get("/alerting/{rest...}", to("/alerts"))
	get("/alerting", to("/alerts"))
	// Prometheus' own page, for links made with its external URL.
	get("/graph", s.graph)
}

// fromGrafanaSilence takes Grafana's matchers along: matcher=name%3Dvalue without quotes.
func (s *Server) fromGrafanaSilence(r *request) error {
	q := url.Values{}
	for _, m := range r.URL.Query()["matcher"] {
		for _, op := range []string{"!=", "=~", "!~", "="} {
			name, value, ok := strings.Cut(m, op)
			if !ok || op == "=" && strings.HasPrefix(value, "~") {
				continue
			}
			if !strings.HasPrefix(value, `"`) {
				value = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
			}
			q.Add("matcher", name+op+value)
			break
		}
	}
	if c := r.URL.Query().Get("comment"); c != "" {
		q.Set("comment", c)
	}
	http.Redirect(r.w, r.Request, s.base+"/silences/new?"+q.Encode(), http.StatusSeeOther)
	return nil
}

// grafanaRule shows the alert of a rule that a Grafana link names: by its name, or by the uid that Grafana gives it.
func (s *Server) grafanaRule(r *request) error {
	uid := r.PathValue("uid")
	for _, g := range s.view(r.wait).Groups {
		for _, row := range g.Rules {
			named := row.Name == uid || row.Annotations["__alert_rule_uid__"] == uid
			for _, l := range row.Labels {
				named = named || l.Name == "__alert_rule_uid__" && l.Value == uid
			}
			if named && !row.Recording {
				return r.redirect(r.link("/alerts/" + escape(row.Name)))
			}
		}
	}
	return r.redirect(r.link("/alerts"))
}

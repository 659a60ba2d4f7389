package grafana

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// unplayed are the recordings that the stand-in does not answer, with the reason.
var unplayed = map[string]string{
	"00-fresh/alertmanager-config":             "nothing of Lookout's reads that configuration",
	"20-auth/create-service-account":           "accounts are made by AddUser and AddToken",
	"20-auth/create-token":                     "accounts are made by AddUser and AddToken",
	"20-auth/viewer-ds-query":                  "nothing is evaluated here",
	"40-datasources/health":                    "nothing is behind a datasource here",
	"40-datasources/health-unreachable":        "nothing is behind a datasource here",
	"50-rules/ruler-get":                       "the API of the user interface; only its refusal is known",
	"50-rules/ruler-post-on-provisioned-group": "the API of the user interface; only its refusal is known",
	"60-contact-points/create-in-parallel":     "one request is answered after the other here",
	"72-silences/alerts-filtered":              "nothing fires here",
	"72-silences/alerts-while-silenced":        "nothing fires here",
}

var stories = []func(*replay){
	fresh, auth, foldersStory, dashboardsStory, searchStory, datasourcesStory, rulesStory, groupsStory, contactPointsStory, policiesStory,
	muteTimingsStory, templatesStory, silencesStory, odd, provider, drift,
}

func fresh(r *replay) {
	r.begin()
	r.play("00-fresh", "health", "frontend-settings-buildinfo", "folders-anonymous", "datasources-empty", "search-empty", "alert-rules-empty",
		"prometheus-rules-empty", "contact-points-default", "policies-default", "mute-timings-empty", "templates-empty",
		"alertmanager-alerts-empty", "alertmanager-silences-empty", "alertmanager-status")
}

func auth(r *replay) {
	r.begin()
	r.next(json.RawMessage(`{"id":27}`))
	r.must("POST", "/api/folders", map[string]any{"uid": "lookout-alerts", "title": "Alerts"})
	r.next(json.RawMessage(`{"id":31}`))
	r.must("POST", "/api/folders", map[string]any{"uid": "lookout-go", "title": "Go"})
	r.must("POST", "/api/dashboards/db", map[string]any{"dashboard": map[string]any{"uid": "service", "title": "Service"}, "folderUid": "lookout-go"})
	r.play("20-auth", "no-credentials-provisioning", "no-credentials-search", "bad-bearer", "unknown-user", "token-works",
		"viewer-folder-get", "viewer-dashboard-get", "viewer-prometheus-rules", "viewer-folder-create", "viewer-dashboard-save",
		"viewer-datasource-create", "viewer-rules-get", "viewer-group-get", "viewer-group-put", "viewer-contact-points-get",
		"viewer-policies-put", "viewer-silence-create",
		"editor-folder-get", "editor-folder-create", "editor-dashboard-save", "editor-datasource-create", "editor-group-put",
		"editor-policies-get", "editor-silence-create")
	r.play("01-provider", "pull-none-get-alert-rules")
	// Three, then the two that make five.
	r.play("20-auth", "wrong-password", "wrong-password-provisioning")
	r.play("01-provider", "pull-none-get-search")
	for range 2 {
		r.ask("GET", "/api/folders", "", "wrong", nil, nil)
	}
	r.play("20-auth", "locked-out-with-right-password")
	r.clock = r.clock.Add(lockoutFor)
	if rec := r.ask("GET", "/api/folders", "", "admin", nil, nil); rec.Code != http.StatusOK {
		r.t.Errorf("five minutes later the right password is answered %d", rec.Code)
	}
}

// product are the folders of Lookout's own content, with the ids of the recordings of folders and searches.
func (r *replay) product() {
	for i, f := range [][2]string{
		{"lookout-alerts", "Alerts"}, {"lookout-monitoring", "Monitoring"}, {"lookout-imported", "Imported"}, {"lookout-delivery", "Delivery"},
		{"lookout-go", "Go"},
	} {
		r.server.ids["dashboard"] = 26 + i
		r.must("POST", "/api/folders", map[string]any{"uid": f[0], "title": f[1]})
	}
}

func foldersStory(r *replay) {
	r.begin()
	r.product()
	r.play("30-folders", "create", "get", "create-uid-taken", "create-title-taken", "create-title-taken-other-case", "create-without-title",
		"create-empty-title", "create-title-general", "create-without-uid", "create-uid-invalid", "create-uid-41-chars", "create-uid-general",
		"create-title-unicode", "create-not-json", "put-title", "put-title-no-version", "put-title-stale-version", "put-title-taken",
		"put-empty-title", "put-new-uid", "put-missing", "get-missing", "get-general")
	// They were gone when the list was recorded.
	for _, uid := range []string{"f-zh", "da900862-34a1-4921-b308-6d0d5317c751"} {
		r.must("DELETE", "/api/folders/"+uid, nil)
	}
	r.play("30-folders", "list", "delete-missing")
}

func dashboardsStory(r *replay) {
	r.begin()
	r.server.ids["dashboard"] = 42
	r.must("POST", "/api/folders", map[string]any{"uid": "dd", "title": "Dash Folder"})
	r.must("POST", "/api/folders", map[string]any{"uid": "dd2", "title": "Dash Folder 2"})
	r.play("31-dashboards", "create", "get", "save-unchanged", "save-version-zero-no-overwrite", "save-stale-version", "save-current-version",
		"save-future-version", "title-missing", "title-blank", "title-padded", "get-title-padded", "uid-invalid", "uid-41-chars", "uid-missing",
		"folder-missing", "folder-empty-is-general", "get-in-general", "title-same-as-folder", "title-same-as-other-folder",
		"title-taken-in-folder", "title-taken-in-folder-overwrite")
	r.server.ids["dashboard"] = 49
	r.play("31-dashboards", "get-overwritten-by-title-new-uid", "get-overwritten-by-title-old-uid", "refresh-too-fast", "get-refresh",
		"moves-to-folder", "get-moved", "uid-of-folder", "id-given-unknown")
	r.server.ids["version"] = 69
	r.play("31-dashboards", "numbers-and-order", "get-numbers-and-order-raw", "versions", "dashboard-missing", "not-json", "get-missing",
		"delete-missing", "delete")
	r.play("30-folders", "delete-with-dashboards")
	if rec := r.ask("GET", "/api/dashboards/uid/dash-one", "", "admin", nil, nil); rec.Code != http.StatusNotFound {
		r.t.Errorf("the dashboard of a folder that was deleted is answered %d", rec.Code)
	}
}

func searchStory(r *replay) {
	r.begin()
	r.product()
	add := func(id int, uid, title, folder string, tags ...string) {
		r.server.ids["dashboard"] = id - 1
		r.must("POST", "/api/dashboards/db", map[string]any{
			"dashboard": map[string]any{"uid": uid, "title": title, "tags": tags}, "folderUid": folder,
		})
	}
	add(35, "alert-delivery", "Alert delivery", "lookout-delivery", "lookout", "relay")
	add(32, "go-processes", "Go processes", "lookout-imported", "go")
	add(89, "go-runtime", "Go runtime", "lookout-go", "go", "lookout")
	add(87, "prometheus", "Prometheus itself", "lookout-monitoring", "lookout", "prometheus")
	add(88, "service", "Service", "lookout-go", "go", "lookout", "red")
	r.play("01-provider", "pull-all-get-search")
	// The other searches were recorded earlier.
	for _, uid := range []string{"go-runtime", "service"} {
		r.must("DELETE", "/api/dashboards/uid/"+uid, nil)
	}
	add(33, "service", "Service", "lookout-go", "go", "lookout", "red")
	add(34, "go-runtime", "Go runtime", "lookout-go", "go", "lookout")
	r.server.ids["dashboard"] = 42
	r.must("POST", "/api/folders", map[string]any{"uid": "dd", "title": "Dash Folder"})
	r.server.ids["dashboard"] = 44
	r.must("POST", "/api/dashboards/db", map[string]any{"dashboard": map[string]any{"uid": "dash-one", "title": "Dash One C"}, "folderUid": "dd"})
	r.play("32-search", "by-tag", "by-type", "folders", "limit-too-large", "page-beyond", "query", "query-none")
}

func datasourcesStory(r *replay) {
	r.begin()
	settings := map[string]any{"httpMethod": "POST", "manageAlerts": false, "prometheusType": "Prometheus", "timeInterval": "2s"}
	create := func(id int, body map[string]any) {
		r.server.ids["datasource"] = id - 1
		maps.Copy(body, map[string]any{"type": "prometheus", "access": "proxy", "url": "http://prometheus:9090", "jsonData": settings})
		r.must("POST", "/api/datasources", body)
	}
	create(4, map[string]any{"uid": "prometheus", "name": "Prometheus", "isDefault": true})
	r.play("01-provider", "pull-check-state-get-datasources")
	create(13, map[string]any{"uid": "basic", "name": "Basic", "basicAuth": true})
	r.play("40-datasources", "create", "get", "get-by-name", "create-name-taken", "create-uid-taken", "create-no-name", "create-bad-url",
		"create-not-json", "put", "put-stale-version", "put-missing", "put-name-taken")
	r.must("PUT", "/api/datasources/uid/prometheus", map[string]any{
		"uid": "prometheus", "name": "Prometheus", "type": "prometheus", "access": "proxy", "url": "http://prometheus:9090", "jsonData": settings, "isDefault": false,
	})
	r.play("40-datasources", "list", "put-other-uid", "put-uid-taken")
	r.must("PUT", "/api/datasources/uid/second-b", map[string]any{
		"uid": "second", "name": "Second", "type": "prometheus", "access": "proxy", "url": "http://prometheus:9090", "jsonData": settings,
	})
	r.play("40-datasources", "delete", "get-missing", "delete-missing", "create-bad-uid", "create-empty-url", "create-uid-long",
		"create-with-basic-auth", "get-with-basic-auth", "create-without-uid", "create-bad-type", "create-second-default", "get-former-default")
	r.play("41-ds-query", "no-queries", "no-datasource", "unknown-datasource", "not-json")
}

// rulesStory: one rule at a time, each in the group g8.
func rulesStory(r *replay) {
	r.begin("rr", "Rule Folder", "rr2", "Rule Folder 2", "par", "Parallel")
	clear := func() {
		for _, rule := range r.server.group("rr", "g8") {
			r.must("DELETE", "/api/v1/provisioning/alert-rules/"+rule.UID, nil)
		}
	}
	// Refused, or answered as it was sent.
	for _, name := range strings.Fields(`bad-execerr bad-nodata bad-template-annotation dashboard-without-panel for-negative for-not-duration
		html-in-expr model-missing model-string no-condition no-data no-relative-range no-title nodata-missing panel-not-number
		panel-without-dashboard promql-syntax range-reversed title-too-long unknown-condition unknown-datasource for-1_5s`) {
		clear()
		r.play("50-rules", "rule-"+name)
	}
	r.play("50-rules", "interval-string", "not-json", "rule-for-1500ms")
	// Only what was stored was recorded; what was written is said by its name and note.
	base := r.recordings["50-rules/rule-promql-syntax"].Request.Body
	write := func(name string, change func(rule map[string]any)) {
		clear()
		var body map[string]any
		if err := json.Unmarshal(base, &body); err != nil {
			r.t.Fatal(err)
		}
		rule := body["rules"].([]any)[0].(map[string]any)
		modelOf(rule, 0)["expr"] = "up"
		change(rule)
		r.next(r.recordings["50-rules/"+name].Response.Body)
		r.must("PUT", "/api/v1/provisioning/folder/rr/rule-groups/g8", body)
		r.play("50-rules", name)
	}
	set := func(key string, value any) func(map[string]any) {
		return func(rule map[string]any) { rule[key] = value }
	}
	write("rule-for-1d.get", set("for", "24h"))
	write("rule-for-missing.get", func(rule map[string]any) { delete(rule, "for") })
	write("rule-expression-unknown-ref.get", func(rule map[string]any) { modelOf(rule, 1)["expression"] = "Z" })
	write("rule-refid-model-differs.get", func(rule map[string]any) { modelOf(rule, 0)["refId"] = "Q" })
	write("rule-bad-label-name.get", set("labels", map[string]any{"a b-c": "x"}))
	write("rule-reserved-label.get", set("labels", map[string]any{"__x__": "y", "alertname": "z"}))
	write("rule-dashboard-unknown.get", set("annotations", map[string]any{"__dashboardUid__": "none", "__panelId__": "3"}))
	write("rule-keep-firing-for.get", set("keep_firing_for", "1m"))
	write("rule-is-paused.get", set("isPaused", true))
	write("rule-empty-labels.get", func(rule map[string]any) { rule["labels"], rule["annotations"] = map[string]any{}, map[string]any{} })
	write("rule-null-labels.get", func(rule map[string]any) { rule["labels"], rule["annotations"] = nil, nil })
	write("rule-orgid-other.get", set("orgID", 7))
	clear()
	r.shown("50-rules/rule-for-odd-spelling", "50-rules/rule-for-odd-spelling.get")
	r.play("50-rules", "rule-for-odd-spelling.get")
	clear()

	r.play("50-rules", "rule-get-missing", "rule-delete-missing", "rule-put-missing", "rule-post", "rule-post-title-taken", "rule-post-with-uid",
		"rule-post-uid-taken", "rule-post-folder-missing", "rule-put", "rule-delete", "post-without-provenance", "get-without-provenance",
		"put-without-becomes-api", "put-api-to-none", "delete-with-other-provenance")
}

// modelOf is the model of one of a rule's queries.
func modelOf(rule map[string]any, query int) map[string]any {
	return rule["data"].([]any)[query].(map[string]any)["model"].(map[string]any)
}

func groupsStory(r *replay) {
	r.begin("rr", "Rule Folder", "rr2", "Rule Folder 2")
	r.play("50-rules", "group-get-missing", "group-get-missing-folder")
	r.shown("50-rules/group-create", "50-rules/group-get")
	r.play("50-rules", "group-get", "rule-get", "group-unchanged", "group-without-uid-again", "group-new-rule-with-uid", "group-duplicate-title",
		"group-duplicate-title-inside", "group-same-title-other-folder", "group-interval-0", "group-interval-15", "group-interval-negative",
		"group-no-rules", "group-emptied", "group-get-emptied", "group-folder-missing", "group-folder-body-differs", "group-title-body-differs",
		"group-delete-unsupported")
	r.shown("50-rules/name-with-space-and-slash", "50-rules/group-get-name-with-slash")
	r.play("50-rules", "group-get-name-with-slash")

	// Three rules, as three.get shows them afterwards.
	var three struct{ Rules []map[string]any }
	if err := json.Unmarshal(r.recordings["50-rules/three.get"].Response.Body, &three); err != nil {
		r.t.Fatal(err)
	}
	for _, rule := range three.Rules {
		r.server.ids["rule"] = int(rule["id"].(float64)) - 1
		r.must("POST", "/api/v1/provisioning/alert-rules", rule)
	}
	var rules []map[string]any
	for _, rule := range r.server.group("rr", "m") {
		rules = append(rules, map[string]any{"uid": rule.UID})
	}
	for i := range rules {
		maps.Copy(rules[i], three.Rules[i])
	}
	r.must("PUT", "/api/v1/provisioning/folder/rr/rule-groups/m", map[string]any{"interval": 10, "rules": rules})
	r.play("50-rules", "three.get", "three-reordered", "three-reordered.get", "titles-swapped", "ruler-delete-provisioned", "three-one-removed",
		"removed-rule-get", "renamed", "rule-of-other-group-taken")
	r.play("30-folders", "delete-with-rules", "delete-with-rules-force")
}

func contactPointsStory(r *replay) {
	r.begin()
	r.play("60-contact-points", "create-webhook", "list-by-name", "list-by-name-none", "create-same-name", "create-same-name-other-type",
		"create-uid-taken", "create-with-uid", "create-unicode-name", "create-webhook-no-url", "create-webhook-bad-url")
	r.must("DELETE", "/api/v1/provisioning/contact-points/fa9a7430-ba50-46a1-823a-ece0d9bf6c94", nil)
	r.play("60-contact-points", "create-webhook-basic-auth", "list-secure", "create-dingding", "create-dingding-no-url", "create-dingding-defaults",
		"create-dingding-bad-msgtype", "create-dingding-bad-template", "create-email", "create-email-no-addresses", "create-unknown-type",
		"create-unknown-setting", "create-no-type", "create-no-settings", "create-not-json", "put", "put-bad", "put-missing", "put-rename",
		"put-provenance-off", "put-other-type", "delete", "delete-missing", "delete-default-receiver-empty-uid")
	// The list was recorded with the product's own contact points.
	r.begin()
	r.listed("60-contact-points/list")
	r.play("60-contact-points", "list")
}

// listed creates what a recorded list of contact points shows. Of long texts only the beginning was kept.
func (r *replay) listed(name string) {
	var points []map[string]any
	if err := json.Unmarshal(r.recordings[name].Response.Body, &points); err != nil {
		r.t.Fatal(err)
	}
	for _, p := range points {
		if p["uid"] != "" && p["$more"] == nil {
			r.must("POST", "/api/v1/provisioning/contact-points", p)
		}
	}
}

// receivers are the contact points that the recorded policies name.
func (r *replay) receivers() {
	for _, name := range []string{"lookout-local-ops", "lookout-local-heartbeat-chain", "lookout-local-about-delivery"} {
		r.must("POST", "/api/v1/provisioning/contact-points", map[string]any{"name": name, "type": "webhook", "settings": map[string]any{"url": "http://relay:8070"}})
	}
}

func policiesStory(r *replay) {
	r.begin()
	r.receivers()
	put := func(body string) { r.must("PUT", "/api/v1/provisioning/policies", json.RawMessage(body)) }
	root := func(rest string) string { return `{"receiver":"lookout-local-ops"` + rest + `}` }
	put(string(r.recordings["01-provider/relay-apply-1-put-policies"].Request.Body))
	r.play("61-policies", "get", "unknown-receiver", "unknown-receiver-nested", "no-receiver", "nested-without-receiver", "root-with-continue",
		"mute-timing-on-root", "mute-timing-unknown", "group-by-duplicate", "group-by-ellipsis-and-more", "group-interval-zero",
		"repeat-interval-zero", "group-wait-bad", "group-wait-negative", "bad-matcher-operator", "bad-matcher-regexp", "not-json")
	r.play("61-policies", "durations-respelled", "durations-respelled.get", "durations-mixed", "durations-mixed.get", "matchers-all-operators",
		"matchers-all-operators.get", "group-by-ellipsis", "group-by-ellipsis.get")
	route := `,"routes":[{"receiver":"lookout-local-ops"`
	for _, step := range [][2]string{
		{"minimal.get", root("")},
		{"group-by-empty.get", root(`,"group_by":[]`)},
		{"group-wait-zero.get", root(`,"group_wait":"0s"`)},
		{"no-matchers.get", root(route + `}]`)},
		{"old-style-match.get", root(route + `,"match":{"a":"b"},"match_re":{"c":"d.*"}}]`)},
		{"provenance-in-body.get", root(`,"provenance":"file"`)},
		{"root-with-matchers.get", root(`,"object_matchers":[["a","=","b"]]`)},
		{"unknown-field.get", root(`,"whatever":1` + route + `,"object_matchers":[["a","=","b"]],"other":2}]`)},
	} {
		put(step[1])
		r.play("61-policies", step[0])
	}
	r.must("POST", "/api/v1/provisioning/mute-timings", json.RawMessage(`{"name":"nights","time_intervals":[{"weekdays":["monday"]}]}`))
	r.play("61-policies", "with-mute-timing")
	r.play("62-mute-timings", "delete-in-use")
	r.play("61-policies", "delete", "get-after-delete", "put-without-provenance")
}

func muteTimingsStory(r *replay) {
	r.begin()
	r.play("62-mute-timings", "create", "get", "list", "create-name-taken", "create-no-name", "create-bad-time", "create-reversed",
		"create-bad-weekday", "create-location", "create-bad-location", "put", "put-missing", "get-missing", "delete", "delete-missing")
}

func templatesStory(r *replay) {
	r.begin()
	r.play("63-templates", "create", "get", "list", "update", "without-define", "get-without-define", "syntax-error", "unknown-function",
		"function-of-newer-grafana", "humanize", "functions-known", "calls-unknown-template", "empty", "empty-name", "name-with-slash",
		"not-json", "get-missing", "delete", "delete-missing")
}

func silencesStory(r *replay) {
	at := func(text string) { r.clock, _ = time.Parse(time.RFC3339, text) }
	r.begin()
	at("2026-11-25T23:31:37.434Z")
	r.play("70-alerting", "silence-not-json", "silence-ends-before")
	multi := map[string]any{
		"matchers": []map[string]any{
			{"name": "alertname", "value": "Multi", "isRegex": false, "isEqual": true}, {"name": "instance", "value": "b", "isRegex": false, "isEqual": true},
		},
		"startsAt": "2026-11-25T23:31:37.000Z", "endsAt": "2026-11-26T00:31:37.000Z", "createdBy": "me", "comment": "recorded",
	}
	r.server.nextUID = "8ae92e43-fb1a-481b-a345-9b75c9b82fc8"
	r.must("POST", "/api/alertmanager/grafana/api/v2/silences", multi)
	r.play("70-alerting", "silence-list-filter")
	multi["id"], multi["comment"] = "8ae92e43-fb1a-481b-a345-9b75c9b82fc8", "changed"
	r.must("POST", "/api/alertmanager/grafana/api/v2/silences", multi)
	at("2026-11-25T23:31:58.606Z")
	r.must("DELETE", "/api/alertmanager/grafana/api/v2/silence/8ae92e43-fb1a-481b-a345-9b75c9b82fc8", nil)
	r.server.silences[0].starts, _ = time.Parse(time.RFC3339, "2026-11-25T23:31:37Z")
	r.play("70-alerting", "silence-get-expired")

	r.begin()
	// The silences of before, all of them expired.
	var earlier []silence
	if err := json.Unmarshal(r.recordings["72-silences/list"].Response.Body, &earlier); err != nil {
		r.t.Fatal(err)
	}
	for _, s := range earlier[1:] {
		if s.ID == "" {
			continue
		}
		s.starts, _ = time.Parse(time.RFC3339, s.Starts)
		s.ends, _ = time.Parse(time.RFC3339, s.EndsAt)
		s.updated, _ = time.Parse(time.RFC3339, s.Updated)
		r.server.silences = append(r.server.silences, &s)
	}
	at("2026-11-25T23:57:51.322Z")
	r.play("72-silences", "create", "get", "list", "create-no-matchers", "create-bad-regexp", "create-matches-empty", "create-ends-in-past",
		"get-missing", "delete-missing")
	at("2026-11-25T23:57:53.505Z")
	r.play("72-silences", "update")
	at("2026-11-25T23:57:53.657Z")
	// Lists were kept to six.
	r.server.silences = slices.DeleteFunc(r.server.silences, func(s *silence) bool { return s.ID == earlier[len(earlier)-1].ID })
	r.play("72-silences", "delete", "list-expired", "create-no-comment")
}

func odd(r *replay) {
	r.begin()
	r.product()
	r.play("73-test-endpoints", "trailing-slash", "org-header-bad", "org-header-other", "unknown-path", "method-not-allowed")
}

func provider(r *replay) {
	r.begin()
	r.play("01-provider", "drift-datasource-gone-plan-get-datasources-uid", "drift-folder-plan-get-folders",
		"drift-alert-folder-plan-get-rule-groups", "relay-apply-1-post-datasources", "relay-apply-1-post-folders")
	r.server.ids["dashboard"] = 1
	for _, f := range [][2]string{{"lookout-go", "Go"}, {"lookout-alerts", "Alerts"}, {"lookout-monitoring", "Monitoring"}} {
		r.must("POST", "/api/folders", map[string]any{"uid": f[0], "title": f[1]})
	}
	r.play("01-provider", "relay-apply-1-get-folders-lookout-alerts", "relay-apply-1-post-contact-points-1", "relay-apply-1-get-contact-points",
		"relay-apply-1-post-contact-points-2", "relay-apply-1-post-contact-points-3")
	r.shown("01-provider/relay-apply-1-put-rule-groups-watchdog", "01-provider/relay-apply-1-get-rule-groups-watchdog")
	r.play("01-provider", "relay-apply-1-get-rule-groups-watchdog", "relay-apply-1-put-policies", "relay-apply-1-get-policies",
		"relay-apply-1-post-dashboards-db")
	// As it was written; the recordings of this one show the answers only.
	var dashboard struct{ Dashboard map[string]any }
	if err := json.Unmarshal(r.recordings["01-provider/relay-apply-1-get-dashboards-uid-go-runtime"].Response.Body, &dashboard); err != nil {
		r.t.Fatal(err)
	}
	r.server.ids["dashboard"] = int(dashboard.Dashboard["id"].(float64)) - 1
	delete(dashboard.Dashboard, "id")
	r.must("POST", "/api/dashboards/db", map[string]any{"dashboard": dashboard.Dashboard, "folderUid": "lookout-go"})
	r.play("01-provider", "relay-apply-1-get-dashboards-uid-go-runtime")
	r.rule("01-provider/relay-apply-1-get-alert-rules")
	r.play("01-provider", "relay-apply-1-get-alert-rules", "odd-rule_for_ms-put-rule-groups-odd", "odd-rule_name_slash-put-rule-groups")

	r.play("01-provider", "chg-dashboard-title-apply-post-dashboards-db", "chg-datasource-url-apply-put-datasources-uid-prometheus",
		"chg-folder-title-apply-put-folders")
	r.must("DELETE", "/api/dashboards/uid/go-runtime", nil)
	r.play("01-provider", "chg-dashboard-moved-apply-post-dashboards-db", "chg-timing-apply-put-policies")
	r.must("DELETE", "/api/v1/provisioning/policies", nil)
	r.play("01-provider", "chg-relay-url-apply-post-contact-points", "chg-relay-url-apply-delete-contact-points")
	r.must("POST", "/api/v1/provisioning/alert-rules", r.renamed("01-provider/relay-apply-1-get-alert-rules", "f4860814-66c9-4984-ad37-853725cbbe01", "GoThreadsHigh"))
	r.play("01-provider", "chg-rule-threshold-apply-put-rule-groups")
	r.must("PUT", "/api/v1/provisioning/policies", r.respelled())
	r.play("01-provider", "timing-36h-plan-get-policies")
	r.play("01-provider", "email-extra-apply-post-contact-points", "native-full-apply-post-contact-points")
	r.point("ee0d65ae-4740-438c-bcf3-11d1bd81d250", "lookout-local-ops")
	r.play("01-provider", "email-hook-apply-put-contact-points")

	r.must("POST", "/api/v1/provisioning/alert-rules", r.renamed("01-provider/relay-apply-1-get-alert-rules", "b5cabcd5-93a4-454f-8473-55c2cbf3c416", "Gone"))
	r.point("ef934086-a37e-4590-bc73-89e866855379", "gone")
	r.play("01-provider", "destroy-relay-delete-alert-rules", "destroy-relay-delete-policies", "destroy-relay-delete-contact-points")
	r.server.ids["dashboard"] = 8
	r.must("POST", "/api/dashboards/db", map[string]any{"dashboard": map[string]any{"uid": "prometheus", "title": "Prometheus itself"}})
	r.play("01-provider", "destroy-relay-delete-dashboards-uid")
	r.server.datasources[0].ID = 2
	r.play("01-provider", "destroy-relay-delete-datasources-uid", "destroy-relay-delete-folders")
}

// rule creates the rule that a recording shows.
func (r *replay) rule(name string) {
	r.next(r.recordings[name].Response.Body)
	r.must("POST", "/api/v1/provisioning/alert-rules", r.recordings[name].Response.Body)
}

// renamed is the rule of a recording with another uid and title, in a group of its own.
func (r *replay) renamed(name, uid, title string) map[string]any {
	var rule map[string]any
	if err := json.Unmarshal(r.recordings[name].Response.Body, &rule); err != nil {
		r.t.Fatal(err)
	}
	rule["uid"], rule["title"], rule["ruleGroup"] = uid, title, title
	return rule
}

func (r *replay) point(uid, name string) {
	r.must("POST", "/api/v1/provisioning/contact-points", map[string]any{
		"uid": uid, "name": name, "type": "webhook", "settings": map[string]any{"url": "http://relay:8070/x"},
	})
}

// respelled is the policy of a plan that is not empty: what was written is what came back, in other words.
func (r *replay) respelled() json.RawMessage {
	text := string(r.recordings["01-provider/timing-36h-plan-get-policies"].Response.Body)
	return json.RawMessage(strings.ReplaceAll(text, `"1d12h"`, `"36h"`))
}

func drift(r *replay) {
	r.begin()
	r.receivers()
	r.server.ids["dashboard"] = 1
	r.must("POST", "/api/folders", map[string]any{"uid": "lookout-go", "title": "Go"})
	r.must("POST", "/api/folders", map[string]any{"uid": "lookout-alerts", "title": "Alerts"})
	r.must("POST", "/api/datasources", map[string]any{"uid": "prometheus", "name": "Prometheus", "type": "prometheus", "access": "proxy", "url": "http://prometheus:9090"})
	r.play("10-drift", "datasource-put", "datasource-delete")

	r.server.ids["dashboard"] = 5
	for range 3 {
		r.must("POST", "/api/dashboards/db", map[string]any{"dashboard": map[string]any{"uid": "service", "title": "Service"}, "folderUid": "lookout-go", "overwrite": true})
	}
	r.play("10-drift", "dashboard-saved-as-the-ui-does", "folder-delete-with-dashboards", "dashboard-gone-with-folder")

	r.next(r.recordings["10-drift/rule-put-other-threshold-with-provenance"].Response.Body)
	r.must("POST", "/api/v1/provisioning/alert-rules", r.renamed("10-drift/rule-put-other-threshold-with-provenance", "f0fc6ce2-c582-48ff-8ae1-da6de01e9fb5", "GoThreadsHigh"))
	r.play("10-drift", "rule-put-other-threshold", "rule-put-other-threshold-with-provenance", "folder-delete-with-rules",
		"folder-delete-with-rules-forced", "rule-gone-with-folder")

	r.begin()
	r.point("ef934086-a37e-4590-bc73-89e866855379", "lookout-local-about-delivery")
	r.point("ae3e6086-4144-4182-99f5-c8a3678a3419", "unused")
	r.must("PUT", "/api/v1/provisioning/policies", json.RawMessage(`{"receiver":"lookout-local-about-delivery"}`))
	r.play("10-drift", "contact-point-delete-in-use-lookout-local-about-delivery", "contact-point-delete", "policies-reset", "policies-after-reset")
}

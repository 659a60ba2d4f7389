package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lookout/internal/dashboard"
)

// fakeGrafana stands in for a Grafana: what its HTTP API answers, in the shapes of the real one (10.1; seen on the offline image).
type fakeGrafana struct {
	dashboards map[string]map[string]any // by uid
	v2         map[string]map[string]any // by uid: resources that the classic API refuses
	folders    map[string]string         // uid of a dashboard → title of its folder
	rules      string
	contacts   string
	sources    string
	auth       []string
}

func (g *fakeGrafana) serve(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /grafana/api/search", func(w http.ResponseWriter, r *http.Request) {
		g.auth = append(g.auth, r.Header.Get("Authorization"))
		out := []map[string]any{}
		for uid := range g.dashboards {
			out = append(out, map[string]any{"uid": uid, "type": "dash-db", "folderUid": strings.ToLower(g.folders[uid]), "folderTitle": g.folders[uid]})
		}
		for uid := range g.v2 {
			out = append(out, map[string]any{"uid": uid, "type": "dash-db", "folderUid": strings.ToLower(g.folders[uid]), "folderTitle": g.folders[uid]})
		}
		json.NewEncoder(w).Encode(out)
	})
	mux.HandleFunc("GET /grafana/api/dashboards/uid/{uid}", func(w http.ResponseWriter, r *http.Request) {
		d, ok := g.dashboards[r.PathValue("uid")]
		if g.v2[r.PathValue("uid")] != nil {
			http.Error(w, `{"message":"dashboard api version not supported, use /apis/dashboard.grafana.app"}`, http.StatusNotAcceptable)
			return
		}
		if !ok {
			http.Error(w, `{"message":"Dashboard not found"}`, http.StatusNotFound)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"dashboard": d, "meta": map[string]any{
			"updatedBy": "lisa", "updated": "2026-11-20T10:11:12Z", "version": d["version"], "folderTitle": g.folders[r.PathValue("uid")],
		}})
	})
	mux.HandleFunc("GET /grafana/apis/dashboard.grafana.app/{version}/namespaces/default/dashboards/{uid}", func(w http.ResponseWriter, r *http.Request) {
		d, ok := g.v2[r.PathValue("uid")]
		if !ok || d["apiVersion"] != "dashboard.grafana.app/"+r.PathValue("version") {
			http.Error(w, `{"message":"not found"}`, http.StatusNotFound)
			return
		}
		json.NewEncoder(w).Encode(d)
	})
	for path, body := range map[string]*string{
		"api/v1/provisioning/alert-rules": &g.rules, "api/v1/provisioning/contact-points": &g.contacts, "api/datasources": &g.sources,
	} {
		mux.HandleFunc("GET /grafana/"+path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, *body) })
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL + "/grafana"
}

// lookout runs the program and returns what it says; "stdin" of env is what it reads.
func lookout(t *testing.T, env map[string]string, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	for k, v := range env {
		t.Setenv(k, v)
	}
	var out, errs bytes.Buffer
	if code := run(context.Background(), args, strings.NewReader(env["stdin"]), &out, &errs, os.Getenv); code != want {
		t.Fatalf("lookout %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, want, &out, &errs)
	}
	return out.String(), errs.String()
}

const shopFile = `{
  "uid": "shop",
  "title": "Shop",
  "editable": false,
  "panels": [
    {
      "type": "stat",
      "title": "Memory",
      "gridPos": {
        "x": 0,
        "y": 0,
        "w": 12,
        "h": 8
      },
      "fieldConfig": {
        "defaults": {
          "unit": "bytes"
        }
      },
      "targets": [
        {
          "refId": "A",
          "expr": "process_resident_memory_bytes"
        }
      ]
    }
  ]
}
`

func decode(t *testing.T, s string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// One unit edited in Grafana changes one line of the file, whatever else Grafana writes when it saves; pulled again, nothing changes.
func TestPullIsTheSmallestChangeAndAFixedPoint(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "web", "shop.json")
	os.MkdirAll(filepath.Dir(file), 0o755)
	os.WriteFile(file, []byte(shopFile), 0o644)

	edited := decode(t, shopFile)
	edited["version"], edited["id"], edited["schemaVersion"], edited["editable"] = 9, 4, 41, true
	p := edited["panels"].([]any)[0].(map[string]any)
	p["id"], p["pluginVersion"], p["transparent"] = 1, "12.0.0", false
	p["options"] = map[string]any{"reduceOptions": map[string]any{"calcs": []any{"lastNotNull"}, "fields": "", "values": false}, "textMode": "auto"}
	p["fieldConfig"].(map[string]any)["defaults"].(map[string]any)["unit"] = "decbytes"
	p["fieldConfig"].(map[string]any)["overrides"] = []any{}
	g := &fakeGrafana{dashboards: map[string]map[string]any{"shop": edited}, folders: map[string]string{"shop": "Web"}}
	env := map[string]string{"GRAFANA_URL": g.serve(t), "GRAFANA_AUTH": "admin:secret"}

	out, _ := lookout(t, env, 1, "pull", "--check", "--dir", dir)
	if want := `panel "Memory": unit bytes → decbytes (by lisa, 2026-11-20 10:11 UTC)`; !strings.Contains(out, want) {
		t.Errorf("got %s\nwant %s", out, want)
	}
	if read(t, file) != shopFile {
		t.Error("--check wrote the file")
	}
	lookout(t, env, 0, "pull", "--uid", "shop", "--dir", dir)
	want := strings.Replace(shopFile, `"bytes"`, `"decbytes"`, 1)
	if got := read(t, file); got != want {
		t.Errorf("more than one line changed:\n%s", got)
	}
	_, errs := lookout(t, env, 0, "pull", "--all", "--dir", dir)
	if read(t, file) != want || !strings.Contains(errs, "0 differences, 0 files written") {
		t.Errorf("the second pull changed something: %s", errs)
	}
	lookout(t, env, 0, "pull", "--check", "--dir", dir)
	for _, a := range g.auth {
		if a != "Basic YWRtaW46c2VjcmV0" {
			t.Errorf("asked as %q", a)
		}
	}
}

// What is new in Grafana comes into the directory of its folder; what Grafana lost is told, and the file stays.
func TestPullOfNewAndLostDashboards(t *testing.T) {
	dir := t.TempDir()
	known := filepath.Join(dir, "web", "shop.json")
	os.MkdirAll(filepath.Dir(known), 0o755)
	os.WriteFile(known, []byte(shopFile), 0o644)
	lost := filepath.Join(dir, "web", "lost.json")
	os.WriteFile(lost, []byte(strings.ReplaceAll(shopFile, `"shop"`, `"lost"`)), 0o644)

	beside := decode(t, strings.ReplaceAll(shopFile, `"shop"`, `"Beside"`))
	elsewhere := decode(t, strings.ReplaceAll(shopFile, `"shop"`, `"elsewhere"`))
	g := &fakeGrafana{
		dashboards: map[string]map[string]any{"shop": decode(t, shopFile), "Beside": beside, "elsewhere": elsewhere},
		folders:    map[string]string{"shop": "Web", "Beside": "Web", "elsewhere": "Ops & Co"},
	}
	env := map[string]string{"GRAFANA_URL": g.serve(t)}
	out, _ := lookout(t, env, 0, "pull", "--all", "--dir", dir)
	if !strings.Contains(out, "is not in Grafana; it was never applied, or someone deleted it") {
		t.Error(out)
	}
	read(t, lost)
	lookout(t, nil, 0, "fmt", "--check", filepath.Join(dir, "web", "Beside.json"), filepath.Join(dir, "ops-co", "elsewhere.json"))
	_, errs := lookout(t, env, 2, "pull", "--uid", "nosuch", "--dir", dir)
	if !strings.Contains(errs, `Grafana has no dashboard with uid "nosuch"; it has`) {
		t.Error(errs)
	}
	if _, errs := lookout(t, map[string]string{"GRAFANA_URL": ""}, 2, "pull", "--all"); !strings.Contains(errs, "set --grafana or GRAFANA_URL") {
		t.Error(errs)
	}
}

const state = `{"format_version":"1.0","values":{"root_module":{"child_modules":[{"resources":[
 {"type":"grafana_rule_group","values":{"name":"Threads","folder_uid":"f","rule":[{"uid":"r1","name":"Threads","condition":"C","for":"5m0s","labels":{"severity":"warning"},"no_data_state":"OK","is_paused":false,
   "data":[{"ref_id":"A","datasource_uid":"prometheus","model":"{\"expr\":\"go_threads\",\"instant\":true}","relative_time_range":[{"from":600,"to":0}]},
           {"ref_id":"C","datasource_uid":"__expr__","model":"{\"type\":\"threshold\",\"conditions\":[{\"evaluator\":{\"type\":\"gt\",\"params\":[8]}}]}"}]}]}},
 {"type":"grafana_contact_point","values":{"name":"ops","dingding":[{"uid":"c1","url":"http://robot/send?access_token=s3cret","message_type":"link","title":"t","disable_resolve_message":false,"settings":null}]}},
 {"type":"grafana_data_source","values":{"uid":"prometheus","name":"Prometheus","type":"prometheus","url":"http://prometheus:9090","access_mode":"proxy","is_default":true,"json_data_encoded":"{\"timeInterval\":\"10s\"}"}}
]}]}}}`

const (
	liveRule = `{"uid":"r1","title":"Threads","ruleGroup":"Threads","condition":"C","for":"5m","labels":{"severity":"warning"},"noDataState":"OK","isPaused":false,
 "data":[{"refId":"A","datasourceUid":"prometheus","model":{"expr":"go_threads","instant":true,"intervalMs":1000,"maxDataPoints":43200,"refId":"A"},"relativeTimeRange":{"from":600,"to":0}},
         {"refId":"C","datasourceUid":"__expr__","model":{"type":"threshold","conditions":[{"evaluator":{"type":"gt","params":[8]}}],"intervalMs":1000,"maxDataPoints":43200,"refId":"C"}}]}`
	liveContact = `{"uid":"c1","name":"ops","type":"dingding","settings":{"url":"http://robot/send?access_token=s3cret","msgType":"link","title":"t"},"disableResolveMessage":false}`
	firstMail   = `{"uid":"","name":"email receiver","type":"email","settings":{"addresses":"<example@email.com>"}}`
	liveSource  = `{"uid":"prometheus","name":"Prometheus","type":"prometheus","url":"http://prometheus:9090","access":"proxy","isDefault":true,"jsonData":{"timeInterval":"10s","httpMethod":"POST"}}`
)

// Drift of rules, contact points and data sources is told with what was applied and what is; secrets are not.
func TestPullChecksWhatTerraformApplied(t *testing.T) {
	dir := t.TempDir()
	stateFile := filepath.Join(t.TempDir(), "state.json")
	os.WriteFile(stateFile, []byte(state), 0o600)
	for name, c := range map[string]struct {
		rules, contacts, sources string
		want                     []string
	}{
		"nothing drifted": {liveRule, liveContact, liveSource, nil},
		"a threshold": {strings.Replace(liveRule, "[8]", "[80]", 1), liveContact, liveSource,
			[]string{`rule "Threads": data.C.model.conditions [{"evaluator":{"type":"gt","params":[8]}}] → [{"evaluator":{"type":"gt","params":[80]}}]`}},
		"a pending period": {strings.Replace(liveRule, `"for":"5m"`, `"for":"7m"`, 1), liveContact, liveSource, []string{`rule "Threads": for 5m0s → 7m`}},
		"a pause":          {strings.Replace(liveRule, `"isPaused":false`, `"isPaused":true,"updatedBy":"tom"`, 1), liveContact, liveSource, []string{`rule "Threads": isPaused false → true (by tom)`}},
		"a secret": {liveRule, strings.Replace(liveContact, "s3cret", "0ther", 1), liveSource, []string{
			`contact point "ops": settings.url differs (its value is a secret), Grafana does not say by whom`}},
		"a type of message":  {liveRule, strings.Replace(liveContact, `"link"`, `"actionCard"`, 1), liveSource, []string{`contact point "ops": settings.msgType link → actionCard`}},
		"an address":         {liveRule, liveContact, strings.Replace(liveSource, "9090", "9091", 1), []string{`datasource "Prometheus": url http://prometheus:9090 → http://prometheus:9091`}},
		"all of them gone":   {"", "", "", []string{`rule "Threads": was applied, but is gone from Grafana`, `contact point "ops": was applied`, `datasource "Prometheus": was applied`}},
		"one made by a hand": {liveRule + "," + strings.NewReplacer("r1", "r2", `"title":"Threads"`, `"title":"Mine"`).Replace(liveRule), liveContact, liveSource, []string{`rule "Mine": is in Grafana, but Terraform does not know it`}},
	} {
		t.Run(name, func(t *testing.T) {
			contacts := firstMail
			if c.contacts != "" {
				contacts += "," + c.contacts
			}
			g := &fakeGrafana{rules: "[" + c.rules + "]", contacts: "[" + contacts + "]", sources: "[" + c.sources + "]"}
			code := 0
			if len(c.want) > 0 {
				code = 1
			}
			env := map[string]string{"GRAFANA_URL": g.serve(t)}
			out, _ := lookout(t, env, code, "pull", "--check", "--dir", dir, "--state", stateFile)
			for _, w := range c.want {
				if !strings.Contains(out, w) {
					t.Errorf("got  %s\nwant %s", out, w)
				}
			}
			if n := strings.Count(out, "  ~ "); n != len(c.want) {
				t.Errorf("%d differences told, want %d:\n%s", n, len(c.want), out)
			}
			if strings.Contains(out, "s3cret") || strings.Contains(out, "0ther") {
				t.Errorf("a secret is shown: %s", out)
			}
			env["stdin"] = state
			lookout(t, env, code, "pull", "--check", "--dir", dir, "--state", "-", "--format", "json")
		})
	}
	os.WriteFile(stateFile, []byte(`{"version":4}`), 0o600)
	g := &fakeGrafana{}
	if _, errs := lookout(t, map[string]string{"GRAFANA_URL": g.serve(t)}, 2, "pull", "--check", "--dir", dir, "--state", stateFile); !strings.Contains(errs, "not the output of terraform show -json") {
		t.Error(errs)
	}
}

// The catalogue is asked for the newest revision, or the one that is wanted; the book keeps it, and an update fetches both.
func TestImportFromACatalogue(t *testing.T) {
	publish := func(unit string, more string) string {
		return fmt.Sprintf(`{"__inputs":[{"name":"DS_P","type":"datasource","pluginId":"prometheus"}],"title":"Published","uid":"abc","id":null,"version":3,"panels":[
 {"id":1,"type":"stat","title":"Up","datasource":"${DS_P}","gridPos":{"x":0,"y":0,"w":12,"h":4},"fieldConfig":{"defaults":{"unit":%q}},"targets":[{"refId":"A","expr":"up"}]}%s]}`, unit, more)
	}
	revisions := map[string]string{
		"1": publish("short", ""), "2": publish("bool", ""),
		"3": publish("bool", `,{"id":1,"type":"stat","title":"Down","datasource":"${DS_P}","gridPos":{"x":12,"y":0,"w":12,"h":4},"targets":[{"refId":"A","expr":"1 - up"}]}`),
	}
	newest := 2
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/dashboards/42", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"id":42,"revision":%d}`, newest) })
	mux.HandleFunc("GET /api/dashboards/42/revisions/{n}/download", func(w http.ResponseWriter, r *http.Request) {
		body, ok := revisions[r.PathValue("n")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, body)
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "imported", "published.json")
	args := func(a ...string) []string {
		return append([]string{"import", "--catalogue", s.URL + "/api", "--dir", dir}, a...)
	}

	out, errs := lookout(t, nil, 0, args("42", "--revision", "1")...)
	if !strings.Contains(out, "imported from 42, revision 1") || !strings.Contains(errs, "the licence is unknown") {
		t.Error(out, errs)
	}
	first, book := read(t, file), read(t, filepath.Join(dir, "lock.json"))
	if strings.Contains(first, "DS_P") || !strings.Contains(first, `"uid": "published"`) || !strings.Contains(book, `"revision": 1`) {
		t.Error(first, book)
	}
	// Again, without naming the revision: the one in the book, byte for byte.
	lookout(t, nil, 0, args("42")...)
	if read(t, file) != first || read(t, filepath.Join(dir, "lock.json")) != book {
		t.Error("the second import made something else")
	}
	// An update without local edits gives exactly what a fresh import of that revision would.
	out, _ = lookout(t, nil, 0, args("--update", "42")...)
	if !strings.Contains(out, "unit short → bool") {
		t.Error(out)
	}
	other := t.TempDir()
	lookout(t, nil, 0, "import", "--catalogue", s.URL+"/api", "--dir", other, "42")
	if read(t, file) != read(t, filepath.Join(other, "imported", "published.json")) {
		t.Error("updated and fresh differ")
	}
	if _, errs := lookout(t, nil, 0, args("--update", "published")...); !strings.Contains(errs, "published is up to date") {
		t.Error(errs)
	}
	// With a local edit the newer revision is merged over it.
	newest = 3
	os.WriteFile(file, []byte(strings.Replace(read(t, file), `"title": "Up"`, `"title": "Reachable"`, 1)), 0o644)
	lookout(t, nil, 0, args("--update", "published")...)
	merged := read(t, file)
	if !strings.Contains(merged, `"Reachable"`) || !strings.Contains(merged, `"Down"`) || !strings.Contains(read(t, filepath.Join(dir, "lock.json")), `"revision": 3`) {
		t.Error(merged)
	}
	if _, errs := lookout(t, nil, 2, args("--uid", "x", "--revision", "9", "42")...); !strings.Contains(errs, "dashboard 42, revision 9") {
		t.Error(errs)
	}
	// An address works as well.
	lookout(t, nil, 0, args("--uid", "by-address", s.URL+"/api/dashboards/42/revisions/1/download")...)
}

// The dashboard that came in by import is still what the import of its published form makes, and the book knows it.
func TestTheImportedDashboardIsWhatItsImportMakes(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	dir := t.TempDir()
	book := read(t, "dashboards/lock.json")
	os.WriteFile(filepath.Join(dir, "lock.json"), []byte(book), 0o644)
	lookout(t, nil, 0, "import", "--dir", dir, "go-processes")
	if read(t, filepath.Join(dir, "imported/go-processes.json")) != read(t, "dashboards/imported/go-processes.json") {
		t.Error("dashboards/imported/go-processes.json is not what its import makes; lookout import go-processes")
	}
	if read(t, filepath.Join(dir, "lock.json")) != book {
		t.Error("dashboards/lock.json is out of date")
	}
}

// A dashboard that can't be read is named; the others are pulled all the same, and the exit code says that something was left out.
func TestPullGoesOnPastWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	g := &fakeGrafana{dashboards: map[string]map[string]any{
		"bad":  {"uid": "bad", "title": "Bad", "panels": "none"},
		"shop": decode(t, strings.Replace(shopFile, `"bytes"`, `"decbytes"`, 1)),
	}, folders: map[string]string{"bad": "Web", "shop": "Web"}}
	file := filepath.Join(dir, "web", "shop.json")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(shopFile), 0o644); err != nil {
		t.Fatal(err)
	}
	_, stderr := lookout(t, nil, exitFailed, "pull", "--all", "--dir", dir, "--grafana", g.serve(t))
	if !strings.Contains(stderr, "bad: ") || !strings.Contains(stderr, "1 dashboard could not be read") {
		t.Error(stderr)
	}
	if !strings.Contains(read(t, file), `"decbytes"`) {
		t.Error("the other dashboard was not pulled")
	}
}

// A red line that an environment has of its own is neither drift nor an edit of the file that all environments share.
func TestPullKnowsAnEnvironmentsOwnThresholds(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	board := func(line string) string {
		return strings.NewReplacer(`"type": "stat",`, `"id": 1, "type": "stat",`, `"unit": "bytes"`,
			`"unit": "bytes", "thresholds": {"mode": "absolute", "steps": [{"color": "green", "value": null}, {"color": "red", "value": `+line+`}]}`).Replace(shopFile)
	}
	write("dashboards/web/shop.json", board("8"))
	write("alerts/a.yaml", strings.Replace(backtested, "        for: 5m", "        panel: {dashboard: shop, id: 1}\n        for: 5m", 1))
	write("envs/prod/alerts.yaml", "overrides: {ThreadsHigh: {threshold: 64}}\n")
	write("envs/staging/alerts.yaml", "{}\n")
	g := &fakeGrafana{dashboards: map[string]map[string]any{"shop": decode(t, board("64"))}, folders: map[string]string{"shop": "Web"}}
	address := g.serve(t)
	before := read(t, "dashboards/web/shop.json")
	lookout(t, nil, exitClean, "pull", "--check", "--grafana", address, "--env", "prod")
	lookout(t, nil, exitClean, "pull", "--check", "--grafana", address)
	lookout(t, nil, exitClean, "pull", "--all", "--grafana", address)
	if now := read(t, "dashboards/web/shop.json"); now != before {
		t.Error(now)
	}
	// In an environment that has no line of its own it is an edit, and so is another value.
	if out, _ := lookout(t, nil, exitFindings, "pull", "--check", "--grafana", address, "--env", "staging"); !strings.Contains(out, "64") {
		t.Error(out)
	}
	g.dashboards["shop"] = decode(t, board("65"))
	if out, _ := lookout(t, nil, exitFindings, "pull", "--check", "--grafana", address, "--env", "prod"); !strings.Contains(out, "65") {
		t.Error(out)
	}
	if _, stderr := lookout(t, nil, exitFailed, "pull", "--check", "--grafana", address, "--env", "nowhere"); !strings.Contains(stderr, `there is no environment "nowhere"`) {
		t.Error(stderr)
	}
}

// A dashboard that is saved as schema V2 is read as that: a new file is its resource without what Grafana adds, and an edit is the smallest change.
func TestPullReadsWhatIsSavedAsV2(t *testing.T) {
	dir := t.TempDir()
	d, err := dashboard.Load("shop.json", []byte(shopFile))
	if err != nil {
		t.Fatal(err)
	}
	root, _ := d.ToV2()
	resource := decode(t, string(root.JSON()))
	resource["status"] = map[string]any{}
	resource["metadata"] = map[string]any{
		"name": "shop", "namespace": "default", "uid": "x", "resourceVersion": "12", "generation": 3, "creationTimestamp": "2026-11-20T10:11:12Z",
		"annotations": map[string]any{"grafana.app/folder": "web", "grafana.app/updatedBy": "lisa", "grafana.app/updatedTimestamp": "2026-11-20T10:11:12Z"},
	}
	g := &fakeGrafana{v2: map[string]map[string]any{"shop": resource}, folders: map[string]string{"shop": "Web"}}
	env := map[string]string{"GRAFANA_URL": g.serve(t)}
	lookout(t, env, exitClean, "pull", "--all", "--dir", dir)
	file := filepath.Join(dir, "web", "shop.json")
	first := read(t, file)
	if !strings.Contains(first, `"elements"`) || strings.Contains(first, "resourceVersion") || strings.Contains(first, "status") {
		t.Error(first)
	}
	lookout(t, nil, exitClean, "pull", "--check", "--dir", dir)

	g.v2["shop"] = decode(t, strings.Replace(string(dashboardJSON(t, resource)), `"bytes"`, `"decbytes"`, 1))
	out, _ := lookout(t, nil, exitFindings, "pull", "--check", "--dir", dir)
	if want := `panel "Memory": unit bytes → decbytes (by lisa, 2026-11-20 10:11 UTC)`; !strings.Contains(out, want) {
		t.Errorf("got %s\nwant %s", out, want)
	}
	lookout(t, nil, exitClean, "pull", "--uid", "shop", "--dir", dir)
	if got := read(t, file); got != strings.Replace(first, `"bytes"`, `"decbytes"`, 1) {
		t.Errorf("more than one line changed:\n%s", got)
	}
	// Grafana may not have the file's version; that is named and not written over.
	g.v2["shop"]["apiVersion"] = "dashboard.grafana.app/v3"
	if _, stderr := lookout(t, nil, exitFailed, "pull", "--all", "--dir", dir); !strings.Contains(stderr, "shop: dashboard shop: ask Grafana for /grafana/apis/") {
		t.Error(stderr)
	}
}

func dashboardJSON(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

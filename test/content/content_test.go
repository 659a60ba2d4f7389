package content

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lookout/test/internal/grafana"
)

const settings = "envs/local/alerts.yaml"

// Each test is a story: content is applied, changed in every way, drifts, is refused, is taken back, and goes.

func TestRelay(t *testing.T) {
	w := newWorld(t, "")
	step := w.step
	lookout := w.build()

	step("nothing is planned while a file is wrong", w.wrongFiles)
	step("apply", func() {
		w.must("apply", "-auto-approve", "-input=false")
		w.unchanged("the first apply")
		w.holds()
	})
	step("an empty plan asks no more than it has to", w.asks)
	step("lookout pull finds no difference", func() { w.pull(lookout, 0, "0 differences", "--all", "--check", "--state", w.state()) })
	step("a state of before there were stacks", w.addressesOfBefore)
	step("changes", w.changes)
	step("drift", func() { w.drift(lookout) })
	step("lookout pull brings an edit back", func() { w.pulled(lookout) })
	step("wrong input", w.refused)
	step("delivery without a relay and back", func() {
		for _, delivery := range []string{"native", "relay"} {
			w.vary(map[string]any{"delivery": delivery})
			w.must("apply", "-auto-approve", "-input=false")
		}
		w.unchanged("native and back")
		w.noSecondIntegration()
	})
	step("destroy", w.destroyed)
}

// addressesOfBefore gives every resource the address that it had while the root itself held the modules. All of it is
// recognised: nothing is planned but the moves, and Grafana is asked to change nothing.
func (w *world) addressesOfBefore() {
	w.t.Helper()
	file := filepath.Join(w.root, "terraform.tfstate")
	data, err := os.ReadFile(file)
	if err != nil {
		w.t.Fatal(err)
	}
	var state map[string]any
	if err := json.Unmarshal(data, &state); err != nil {
		w.t.Fatal(err)
	}
	once := regexp.MustCompile(`^module\.content\.module\.(\w+)(\[0\])?`)
	moved := map[string]int{}
	for _, r := range state["resources"].([]any) {
		r := r.(map[string]any)
		module, _ := r["module"].(string)
		found := once.FindStringSubmatch(module)
		if found == nil {
			continue
		}
		r["module"] = "module." + found[1] + module[len(found[0]):]
		moved[found[1]]++
		for _, i := range r["instances"].([]any) {
			// Dependencies are addresses too, and are written anew by the next apply.
			delete(i.(map[string]any), "dependencies")
		}
	}
	for _, module := range []string{"alert_rules", "dashboards", "datasource", "dingtalk"} {
		if moved[module] == 0 {
			w.t.Errorf("the state holds nothing of %s: the test tests nothing", module)
		}
	}
	if data, err = json.Marshal(state); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.written()
	p := w.plan()
	p.expect(w.t, nil)
	if !strings.Contains(p.text, "has moved to module.content.module.dashboards") {
		w.t.Errorf("the plan names no move:\n%s", p.text)
	}
	w.must("apply", "-input=false", p.file)
	if written := w.written(); len(written) > 0 {
		w.t.Errorf("Grafana was asked to change something: %q", written)
	}
	w.unchanged("the moves")
}

func TestNative(t *testing.T) {
	w := newWorld(t, "")
	w.vary(map[string]any{"delivery": "native", "about_delivery": map[string]any{
		"robot": "watch", "email": []string{"oncall@example.com"}, "webhook": "https://example.com/hook",
	}})
	w.step("apply", func() {
		w.must("apply", "-auto-approve", "-input=false")
		w.unchanged("the first apply")
		w.holds()
	})
	w.step("another robot's address", func() {
		w.vary(map[string]any{"delivery": "native", "robot_webhooks": map[string]any{"ops": "http://robot:8060/robot/send?access_token=another"}})
		p := w.plan()
		for address, actions := range p.changes {
			if !strings.Contains(address, "grafana_contact_point") {
				t.Errorf("%s: %s is planned", address, actions)
			}
		}
		w.must("apply", "-input=false", p.file)
		w.unchanged("another address")
	})
	w.step("what can't pass is not repeated", func() {
		if w.standin == nil {
			t.Skip("only the stand-in counts requests")
		}
		w.do("POST", "/api/datasources", map[string]any{"uid": "theirs", "name": "Taken", "type": "prometheus", "access": "proxy", "url": "http://x"})
		w.edit("modules/datasource/variables.tf", `"Prometheus"`, `"Taken"`)
		w.written()
		out, code := w.terraform("apply", "-auto-approve", "-input=false", "-target=module.content.module.datasource")
		written := w.written()
		if want := []string{"PUT /api/datasources/uid/prometheus 500"}; code == 0 || !slices.Equal(written, want) {
			w.t.Errorf("exit code %d, Grafana was asked %q, wanted %q\n%s", code, written, want, out)
		}
		w.edit("modules/datasource/variables.tf", `"Taken"`, `"Prometheus"`)
		w.do("DELETE", "/api/datasources/uid/theirs", nil)
	})
	w.step("alerting by Prometheus leaves datasource and dashboards", func() {
		w.vary(map[string]any{"alerting": "prometheus"})
		w.must("apply", "-auto-approve", "-input=false")
		w.unchanged("alerting = prometheus")
		var rules, points []any
		w.get("/api/v1/provisioning/alert-rules", &rules)
		w.get("/api/v1/provisioning/contact-points", &points)
		if len(rules) != 0 || len(points) != 1 {
			t.Errorf("%d rules and %d contact points are left, wanted none and Grafana's own", len(rules), len(points))
		}
	})
	w.step("destroy", w.destroyed)
}

// A newer Grafana takes rules with uids, several in a group, and says what is in a folder.
func TestNewerGrafana(t *testing.T) {
	w := newWorld(t, "13.2.3")
	w.step("apply", func() {
		w.must("apply", "-auto-approve", "-input=false")
		w.unchanged("the first apply")
		w.holds()
	})
	w.step("a folder that holds what others made", w.foreign)
	w.step("wrong input", func() {
		if w.version < "13" {
			w.t.Skip("Grafana " + w.version + " does not know schema V2")
		}
		w.without("dashboards/go/tabs.json", v2Dashboard, "is saved as schema V2, on which the provider grafana/grafana 4.25 crashes")
	})
	w.step("destroy", w.destroyed)
}

// step runs one step; what comes after a failed one would only fail as well.
func (w *world) step(name string, f func()) {
	outer := w.t
	if outer.Failed() {
		return
	}
	outer.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
		w.t = t
		begun := time.Now()
		defer func() { w.t = outer }()
		f()
		t.Logf("%.1f s", time.Since(begun).Seconds())
	})
}

// holds compares what is in Grafana with the tree.
func (w *world) holds() {
	w.t.Helper()
	var found []struct{ UID, FolderUID string }
	w.get("/api/search?type=dash-db&limit=1000", &found)
	uids := map[string]string{}
	for _, d := range found {
		uids[d.UID] = d.FolderUID
	}
	files, err := filepath.Glob(filepath.Join(w.tree, "dashboards/*/*.json"))
	if err != nil || len(files) == 0 {
		w.t.Fatal(files, err)
	}
	want := map[string]string{}
	for _, f := range files {
		want[strings.TrimSuffix(filepath.Base(f), ".json")] = "lookout-" + filepath.Base(filepath.Dir(f))
	}
	if !maps.Equal(uids, want) {
		w.t.Errorf("Grafana has the dashboards %v, the tree %v", uids, want)
	}
	var rules []struct{ Title, Provenance string }
	w.get("/api/v1/provisioning/alert-rules", &rules)
	topics, err := filepath.Glob(filepath.Join(w.tree, "alerts/*.yaml"))
	if err != nil {
		w.t.Fatal(err)
	}
	n := 0
	for _, file := range topics {
		data, err := os.ReadFile(file)
		if err != nil {
			w.t.Fatal(err)
		}
		if !strings.HasSuffix(file, ".test.yaml") {
			n += strings.Count(string(data), "- alert:")
		}
	}
	if len(rules) != n || n == 0 {
		w.t.Errorf("Grafana has %d rules, the files have %d", len(rules), n)
	}
	for _, r := range rules {
		if r.Provenance != "api" {
			w.t.Errorf("rule %s has the provenance %q", r.Title, r.Provenance)
		}
	}
	w.noSecondIntegration()
}

// noSecondIntegration: a name that is there twice is a message that is sent twice.
func (w *world) noSecondIntegration() {
	w.t.Helper()
	var points []struct{ Name, Type string }
	w.get("/api/v1/provisioning/contact-points", &points)
	seen := map[string]bool{}
	for _, p := range points {
		if seen[p.Name+p.Type] {
			w.t.Errorf("the contact point %s has two integrations of type %s", p.Name, p.Type)
		}
		seen[p.Name+p.Type] = true
	}
}

// asks holds the number of requests: for each resource one, for each rule one more.
func (w *world) asks() {
	if w.standin == nil {
		w.t.Skip("only the stand-in counts requests")
	}
	w.standin.Requests()
	w.unchanged("nothing")
	requests := w.standin.Requests()
	var state struct {
		Resources []struct {
			Mode, Type string
			Instances  []json.RawMessage
		}
	}
	data, err := os.ReadFile(filepath.Join(w.root, "terraform.tfstate"))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := json.Unmarshal(data, &state); err != nil {
		w.t.Fatal(err)
	}
	resources := 0
	for _, r := range state.Resources {
		if r.Mode == "managed" && strings.HasPrefix(r.Type, "grafana_") {
			resources += len(r.Instances)
		}
	}
	var rules []any
	w.get("/api/v1/provisioning/alert-rules", &rules)
	for _, r := range requests {
		if r.Method != "GET" {
			w.t.Errorf("an empty plan sends %s", r)
		}
	}
	if want := resources + len(rules); len(requests) > want {
		w.t.Errorf("an empty plan sends %d requests for %d resources and %d rules", len(requests), resources, len(rules))
	}
	w.t.Logf("%d requests", len(requests))
}

// A change is an edit of the tree and what it has to lead to, and nothing else: were the plan after the change before not
// empty, it would show here.
type change struct {
	name string
	make func(w *world)
	want map[string]string
	// outputs that change with it.
	outputs []string
	// after looks at Grafana once the change is applied; may be nil.
	after func(w *world)
	// settled asks for an empty plan afterwards, where the change after this one could hide what is left of it.
	settled bool
}

func rule(name string) string { return `grafana_rule_group.group["` + name + `"]` }
func board(folder, uid string) string {
	return `module.folder["` + folder + `"].grafana_dashboard.dashboard["` + uid + `"]`
}
func folderOf(name string) string { return `module.folder["` + name + `"].grafana_folder.folder` }

const (
	policy     = "grafana_notification_policy.tree[0]"
	plainHosts = `plain_http_hosts   = ["robot"]`
	routes     = "\n    routes = [{ robot = \"team\", labels = { severity = \"info\", b = \"2\", a = \"1\" } }]"
)

func changes() []change {
	moved := map[string]any{"timing": map[string]any{"group_wait": "90s", "group_interval": "36h", "repeat_interval": "365d"}, "heartbeat_interval": "100h"}
	return []change{
		{
			name: "one rule's annotation, while another one's alert fires",
			make: func(w *world) {
				w.fires("GoThreadsHigh")
				w.edit("alerts/service.yaml", "summary: 【报警】错误率过高 Too many requests fail", "summary: 【报警】错误率太高 Too many requests fail")
			},
			want: map[string]string{rule("ErrorRatioHigh"): update},
			// No other rule is written, so the alert that fires goes on as it was.
			after:   func(w *world) { w.stillFires("GoThreadsHigh") },
			settled: true,
		},
		{
			name:    "a dashboard's title, which is in its address",
			make:    func(w *world) { w.edit("dashboards/go/service.json", `"title": "Service"`, `"title": "Service X"`) },
			want:    map[string]string{board("go", "service"): update},
			settled: true,
		},
		{
			name: "a dashboard moves to another folder, and a new one comes",
			make: func(w *world) {
				w.move("dashboards/go/service.json", "dashboards/delivery/service.json")
				w.write("dashboards/new-team/fresh.json", `{"uid": "fresh", "title": "Fresh", "refresh": "5s", "panels": []}`)
			},
			want: map[string]string{
				board("go", "service"): gone, board("delivery", "service"): create, folderOf("new-team"): create, board("new-team", "fresh"): create,
			},
			outputs: []string{"dashboards"},
			settled: true,
		},
		{
			name: "a V1 resource, and a folder goes with its dashboard",
			make: func(w *world) {
				w.move("dashboards/delivery/service.json", "dashboards/go/service.json")
				w.remove("dashboards/new-team/fresh.json")
				w.write("dashboards/go/one.json", `{"apiVersion": "dashboard.grafana.app/v1", "kind": "Dashboard", "metadata": {"name": "one"},
					"spec": {"title": "One <&> 二", "panels": [], "tags": [], "weight": 9007199254740993, "share": 0.1, "small": 1e-7}}`)
			},
			want: map[string]string{
				board("delivery", "service"): gone, board("go", "service"): create, folderOf("new-team"): gone, board("new-team", "fresh"): gone,
				board("go", "one"): create,
			},
			outputs: []string{"dashboards"},
		},
		{
			name:    "durations that Grafana spells otherwise",
			make:    func(w *world) { w.vary(moved) },
			want:    map[string]string{policy: update},
			outputs: []string{"timing"},
		},
		{
			name: "a rule's threshold and the red line with it, and pending periods of hours and weeks",
			make: func(w *world) {
				w.override("GoThreadsHigh", "threshold: 64")
				w.override("ProcessMemoryHigh", "pending: 36h")
				w.override("TargetDown", "pending: 14d")
			},
			want: map[string]string{
				rule("GoThreadsHigh"): update, board("go", "go-runtime"): update, rule("ProcessMemoryHigh"): update, rule("TargetDown"): update,
			},
			// Its own rule was edited: that ends it, and shows that the change before could have.
			after: func(w *world) {
				if since := w.firingSince("GoThreadsHigh"); w.standin != nil && !since.IsZero() {
					w.t.Errorf("GoThreadsHigh still fires, since %s, after its own rule was edited: this test would notice nothing", since)
				}
			},
		},
		{
			name: "a rule comes, and the datasource's scrape interval is another",
			make: func(w *world) {
				w.write("alerts/odd.yaml", oddRule("OddOne", "5m"))
				w.edit("envs/local/content/main.tf", `scrape_interval = "2s"`, `scrape_interval = "5s"`)
			},
			want: map[string]string{rule("OddOne"): create, "grafana_data_source.prometheus": update},
		},
		{
			name: "a rule is renamed, and the relay has another address",
			make: func(w *world) {
				w.write("alerts/odd.yaml", oddRule("OddTwo", "5m"))
				w.edit("envs/local/content/main.tf", `"http://relay:8070"`, `"http://relay:8099"`)
			},
			want: map[string]string{
				rule("OddOne"): gone, rule("OddTwo"): create,
				`grafana_contact_point.robot["ops"]`: update, `grafana_contact_point.heartbeat["chain"]`: update,
			},
		},
		{
			name: "a rule goes, and a second robot comes with a route of its own",
			make: func(w *world) {
				w.remove("alerts/odd.yaml")
				w.edit("envs/local/content/main.tf", `robots = ["ops"]`, `robots = ["ops", "team"]`)
				w.edit("envs/local/content/main.tf", plainHosts, plainHosts+routes)
			},
			want:    map[string]string{rule("OddTwo"): gone, `grafana_contact_point.robot["team"]`: create, policy: update},
			outputs: []string{"contact_points"},
		},
		{
			name: "the second robot goes again",
			make: func(w *world) {
				w.edit("envs/local/content/main.tf", `robots = ["ops", "team"]`, `robots = ["ops"]`)
				w.edit("envs/local/content/main.tf", routes, "")
			},
			want:    map[string]string{`grafana_contact_point.robot["team"]`: gone, policy: update},
			outputs: []string{"contact_points"},
		},
		{
			name: "an address for e-mail",
			make: func(w *world) {
				vars := maps.Clone(moved)
				vars["about_delivery"] = map[string]any{"email": []string{"a@example.com", "b@example.com"}}
				w.vary(vars)
			},
			want: map[string]string{`grafana_contact_point.about_delivery[0]`: update},
		},
	}
}

// began is when the alert that fires on the stand-in began to.
var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// fires makes an alert fire on the stand-in, which evaluates nothing. A real Grafana has nothing to evaluate here.
func (w *world) fires(name string) {
	w.t.Helper()
	if w.standin == nil {
		return
	}
	if !w.standin.SetInstances(name, grafana.Instance{Labels: map[string]string{"job": "go", "instance": "go1"}, State: "Alerting", ActiveAt: began}) {
		w.t.Fatalf("Grafana has no rule %s", name)
	}
	w.written()
}

// firingSince is since when an alert fires; zero if it does not.
func (w *world) firingSince(name string) time.Time {
	w.t.Helper()
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct {
					Name, State string
					Alerts      []struct{ ActiveAt time.Time }
				}
			}
		}
	}
	w.get("/api/prometheus/grafana/api/v1/rules", &answer)
	for _, g := range answer.Data.Groups {
		for _, r := range g.Rules {
			if r.Name == name && r.State == "firing" && len(r.Alerts) == 1 {
				return r.Alerts[0].ActiveAt
			}
		}
	}
	return time.Time{}
}

// stillFires asks for an alert's state to be as it was, and for one rule to be written: Grafana keeps the state of rules that are not.
func (w *world) stillFires(name string) {
	w.t.Helper()
	if w.standin == nil {
		return
	}
	if since := w.firingSince(name); !since.Equal(began) {
		w.t.Errorf("%s fires since %s, want %s: another rule's annotation has reset it", name, since, began)
	}
	var groups []string
	for _, request := range w.written() {
		if strings.Contains(request, "rule-groups") {
			groups = append(groups, request)
		}
	}
	if len(groups) != 1 || !strings.Contains(groups[0], "ErrorRatioHigh") {
		w.t.Errorf("these rule groups were written, want the one of ErrorRatioHigh:\n%s", strings.Join(groups, "\n"))
	}
}

func (w *world) changes() {
	outer := w.t
	for _, c := range changes() {
		outer.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			w.t = t
			defer func() { w.t = outer }()
			c.make(w)
			p := w.plan()
			want := c.want
			if w.takesUIDs() {
				want = nil
			}
			if want != nil {
				p.expect(t, want)
			}
			if !slices.Equal(p.outputs, c.outputs) {
				t.Errorf("the outputs %v change, wanted %v\n%s", p.outputs, c.outputs, p.text)
			}
			w.must("apply", "-input=false", p.file)
			if c.after != nil {
				c.after(w)
			}
			if c.settled {
				w.unchanged(c.name)
			}
		})
	}
	w.t = outer
	w.unchanged("all changes")
	w.noSecondIntegration()
}

// takesUIDs: then a group holds all rules of its file, and changes are the group's.
func (w *world) takesUIDs() bool {
	var major, minor int
	_, err := fmt.Sscanf(w.version, "%d.%d", &major, &minor)
	return err == nil && (major > 11 || major == 11 && minor >= 6)
}

func (w *world) move(from, to string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(w.tree, to)), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(w.tree, from), filepath.Join(w.tree, to)); err != nil {
		w.t.Fatal(err)
	}
}

// override replaces what the environment says about an alert.
func (w *world) override(alert, with string) {
	w.t.Helper()
	data, err := os.ReadFile(filepath.Join(w.tree, settings))
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	found := false
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(strings.TrimSpace(line), alert+":") {
			line, found = "  "+alert+": { "+with+" }\n", true
		}
		out = append(out, line)
	}
	if !found {
		w.t.Fatalf("%s has no %s in one line", settings, alert)
	}
	w.write(settings, strings.Join(out, ""))
}

func oddRule(name, pending string) string {
	return `groups:
  - name: odd
    interval: 20s
    rules:
      - alert: ` + name + `
        uid: odd-rule
        expr: up < 1 # < > &
        for: ` + pending + `
        threshold: {above: 0}
        no_data_state: OK
        exec_err_state: Error
        labels: {severity: info}
        annotations:
          summary: 【报警】奇数 Odd <b>&amp; {{ $labels.job }}
          description: "{{ $value }} 线"
          runbook_url: docs/runbooks/target-down.md
`
}

// drift changes by hand what Terraform made; one apply brings it back.
func (w *world) drift(lookout string) {
	var saved struct {
		Dashboard map[string]any
		Meta      struct{ FolderUID string }
	}
	w.get("/api/dashboards/uid/prometheus", &saved)
	saved.Dashboard["title"], saved.Dashboard["refresh"] = "Edited by hand", "1m"
	w.do("POST", "/api/dashboards/db", map[string]any{"dashboard": saved.Dashboard, "folderUid": saved.Meta.FolderUID})
	w.do("DELETE", "/api/dashboards/uid/service", nil)
	w.do("DELETE", "/api/folders/lookout-delivery?forceDeleteRules=true", nil)

	var rules []map[string]any
	w.get("/api/v1/provisioning/alert-rules", &rules)
	byTitle := map[string]map[string]any{}
	for _, r := range rules {
		byTitle[r["title"].(string)] = r
	}
	threads := byTitle["GoThreadsHigh"]
	threads["for"] = "10m"
	w.do("PUT", "/api/v1/provisioning/alert-rules/"+threads["uid"].(string), threads)
	w.do("DELETE", "/api/v1/provisioning/alert-rules/"+byTitle["TargetDown"]["uid"].(string), nil)

	w.do("DELETE", "/api/v1/provisioning/policies", nil)
	var points []map[string]any
	w.get("/api/v1/provisioning/contact-points", &points)
	for _, p := range points {
		if p["name"] == "lookout-local-heartbeat-chain" {
			w.do("DELETE", "/api/v1/provisioning/contact-points/"+p["uid"].(string), nil)
		}
	}
	var source map[string]any
	w.get("/api/datasources/uid/prometheus", &source)
	source["jsonData"].(map[string]any)["timeInterval"] = "33s"
	w.do("PUT", "/api/datasources/uid/prometheus", source)

	// As an apply leaves it that was interrupted between creating and recording it: no plan shows it.
	w.do("POST", "/api/v1/provisioning/contact-points", map[string]any{
		"name": "lookout-local-ops", "type": "webhook", "uid": "left-behind", "settings": map[string]any{"url": "http://relay:8070/v1/robots/ops"},
	})

	out := w.pull(lookout, 1, "its messages are sent twice", "--all", "--check", "--state", w.state())
	for _, wanted := range []string{"Edited by hand", "service", "GoThreadsHigh", "TargetDown", "lookout-local-heartbeat-chain", "33s"} {
		if !strings.Contains(out, wanted) {
			w.t.Errorf("lookout pull --check does not report %q:\n%s", wanted, out)
		}
	}
	w.must("apply", "-auto-approve", "-input=false")
	w.unchanged("one apply after the drift")
	w.do("DELETE", "/api/v1/provisioning/contact-points/left-behind", nil)
	w.holds()
}

// build compiles lookout; the rest of the story needs it.
func (w *world) build() string {
	w.t.Helper()
	program := filepath.Join(w.t.TempDir(), "lookout")
	cmd := exec.CommandContext(w.t.Context(), "go", "build", "-o", program, "./cmd/lookout")
	cmd.Dir = w.checkout.Root
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("go build ./cmd/lookout: %v\n%s", err, out)
	}
	return program
}

// state writes what `terraform show -json` says into a file.
func (w *world) state() string {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "state.json")
	if err := os.WriteFile(file, []byte(w.must("show", "-json")), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return file
}

// pull runs lookout pull in the tree.
func (w *world) pull(lookout string, want int, says string, args ...string) string {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), lookout, append([]string{"pull"}, args...)...)
	cmd.Dir = w.tree
	cmd.Env = append(slices.Clone(w.env), "GRAFANA_URL="+w.url, "GRAFANA_AUTH="+w.auth)
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != want || !strings.Contains(string(out), says) {
		w.t.Errorf("lookout pull %s: %v (exit code %d, wanted %d with %q)\n%s", strings.Join(args, " "), err, code, want, says, out)
	}
	return string(out)
}

// pulled: an edit by hand becomes the file, and Terraform agrees.
func (w *world) pulled(lookout string) {
	var saved struct {
		Dashboard map[string]any
		Meta      struct{ FolderUID string }
	}
	w.get("/api/dashboards/uid/prometheus", &saved)
	saved.Dashboard["description"] = "Written in the user interface."
	w.do("POST", "/api/dashboards/db", map[string]any{"dashboard": saved.Dashboard, "folderUid": saved.Meta.FolderUID})
	w.pull(lookout, 0, "1 file written", "--uid", "prometheus")
	// Everything but the version, which is not in the file, is as it is in Grafana.
	w.unchanged("lookout pull")
}

// foreign: the deletion of a folder stops before it takes along what Terraform did not make. Before 10.2 Grafana can't be asked
// what is in a folder; there internal/environment looks.
func (w *world) foreign() {
	w.write("dashboards/passing/short.json", `{"uid": "short", "title": "Short-lived", "panels": []}`)
	w.must("apply", "-auto-approve", "-input=false")
	w.do("POST", "/api/dashboards/db", map[string]any{"dashboard": map[string]any{"uid": "mine", "title": "Made by hand"}, "folderUid": "lookout-passing"})
	w.remove("dashboards/passing/short.json")
	out, code := w.terraform("apply", "-auto-approve", "-input=false")
	if code == 0 || !strings.Contains(out, "Made by hand") {
		w.t.Errorf("the folder was deleted with what others made in it (exit code %d):\n%s", code, out)
	}
	var d map[string]any
	w.get("/api/dashboards/uid/mine", &d)
	w.do("DELETE", "/api/dashboards/uid/mine", nil)
	w.must("apply", "-auto-approve", "-input=false")
	w.unchanged("the folder was empty")
}

// destroyed leaves a Grafana as it was.
func (w *world) destroyed() {
	w.must("destroy", "-auto-approve", "-input=false")
	for path, want := range map[string]string{
		"/api/folders": "[]", "/api/search": "[]", "/api/datasources": "[]", "/api/v1/provisioning/alert-rules": "[]",
	} {
		data, err := w.ask("GET", path, nil)
		if got := strings.TrimSpace(string(data)); err != nil || got != want {
			w.t.Errorf("after destroy %s answers %s %v", path, got, err)
		}
	}
	var points []struct{ Name string }
	w.get("/api/v1/provisioning/contact-points", &points)
	var policy struct{ Receiver string }
	w.get("/api/v1/provisioning/policies", &policy)
	if len(points) != 1 || strings.HasPrefix(policy.Receiver, "lookout-") {
		w.t.Errorf("after destroy there are %v, and the policy is %v", points, policy)
	}
}

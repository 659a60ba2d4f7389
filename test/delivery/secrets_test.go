package delivery

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/terraform"

	"lookout/app/relay/mailtest"
	"lookout/internal/docker"
	"lookout/test/internal/teststack"
)

// planted are secrets besides those that `make init` writes, by the file in the secrets folder. The
// gateway's address is a secret as a whole, its last part is what is looked for.
var planted = map[string]string{
	"admin":      "canary-admin-0b6e3f9d52",
	"bearer":     "canary-bearer-5f1d0c7a93",
	"beside.url": besideURL,
	"smtp":       "canary-smtp-password-8e2b64",
	"sms.key":    "Bearer canary-gateway-key-77ab01",
	"sms.url":    "http://robot:8060/gateway/canary-gateway-address-c93d",
}

// The robot's address that the engine's notifier has. Alertmanager reads it from a file; Grafana's own contact point makes
// exceptions: it stands in a variable.
const (
	besideToken = "canary-token-beside-the-relay-61d7"
	besideURL   = "http://robot:8060/robot/send?access_token=" + besideToken
	nativeToken = "canary-native-token-4410de"
)

// An exception is a place where a secret is known to be, and why. Each has to be there, or the list
// lies.
type exception struct{ secret, place, why string }

// exceptions of the engines: Prometheus and Alertmanager need none.
var exceptions = map[string][]exception{
	teststack.Grafana: {
		{"admin password", `^file content/test-stack\.auto\.tfvars\.json$`, "written there for Terraform, like secrets.auto.tfvars.json by make init"},
		{"admin password", `^file platform/test-stack\.auto\.tfvars\.json$`, "the same"},
		{"admin password", `^state platform: docker_container\.secrets_writer .*upload.*content$`, "the provider keeps what it uploads; marked sensitive"},
		{"admin password", `^plan platform: .*(secrets_writer.*upload|variables.*grafana_admin_password)`, "a plan holds what will be uploaded, and its variables"},
		{"native token", `^file content/test-delivery\.auto\.tfvars\.json$`, "written there for Terraform"},
		{"native token", `^state content: grafana_contact_point\.robot .*dingding.*url$`, "Grafana's own contact point needs the whole address; marked sensitive"},
		{"native token", `^plan content: .*(dingding.*url|variables.*robot_webhooks)`, "the same"},
		{"beside.url", `^file content/test-delivery\.auto\.tfvars\.json$`, "written there for Terraform"},
		{"beside.url", `^state content: grafana_contact_point\.about_delivery .*dingding.*url$`, "where a robot is the way that bypasses the relay, Grafana needs its whole address; marked sensitive"},
		{"beside.url", `^plan content: .*(dingding.*url|variables.*robot_webhooks)`, "the same"},
		{"beside.url", `^page grafana/contact-points$|^page grafana/alertmanager-configuration$`, "Grafana 10.1 shows the address to administrators"},
		{"native token", `^page grafana/contact-points$|^page grafana/alertmanager-configuration$`, "Grafana 10.1 shows the address to administrators"},
	},
}

// secretsStay uses every secret there is, and then looks for each of them everywhere.
func (s *stack) secretsStay(t *testing.T) {
	// A relay that wants a bearer token comes when the engine is not needed any more; and native delivery once, for its
	// exception. Grafana can't have the bearer token without its being in the state.
	mail := s.mailServer(t)
	const relay = "envs/local/platform/relay.yaml"
	teststack.Write(t, filepath.Join(s.Secrets(), "mail-ca.pem"), string(mail.CA()))
	s.Replace(t, relay, `smarthost: "robot:8060"`, fmt.Sprintf("smarthost: %q, ca_file: /secrets/mail-ca.pem", mail.Address()))
	file := filepath.Join(s.Root("platform"), "relay.yaml")
	teststack.Write(t, file, "bearer_token_file: /secrets/bearer\nadmin_token_file: /secrets/admin\n"+teststack.Read(t, file))
	if s.Engine == teststack.Grafana {
		s.Set(t, "content", "delivery", map[string]any{
			"about_delivery": map[string]string{"robot": "beside"}, "delivery": "native",
			"robot_webhooks": map[string]string{"beside": besideURL, "ops": "http://robot:8060/robot/send?access_token=" + nativeToken},
		})
	}
	s.Apply(t)
	// Senders have one token, people who look at dead letters another.
	bearer := http.Header{"Authorization": {"Bearer " + planted["bearer"]}}
	admin := http.Header{"Authorization": {"Bearer " + planted["admin"]}}
	eventually(t, 30*time.Second, "the relay wants the bearer token", func(ctx context.Context) error {
		status, _, err := s.Ask(ctx, http.MethodGet, s.URL("relay")+"/api/status", nil, nil)
		if err == nil && status != http.StatusUnauthorized {
			err = fmt.Errorf("it answers %d without", status)
		}
		return err
	})
	// What fails is what gets into logs: a mail server that refuses the login and repeats the password, a
	// gateway that has no such page.
	began := time.Now()
	for i, target := range []string{"unreachable", "ops", "backup"} {
		status, text, err := s.Ask(t.Context(), http.MethodPost, s.URL("relay")+"/v1/robots/"+target, bearer, storm(900+i, began))
		if err != nil || status != http.StatusAccepted {
			t.Fatalf("%d %s %v", status, text, err)
		}
	}
	eventually(t, time.Minute, "two alerts are in the chats, the third is a dead letter", func(ctx context.Context) error {
		messages, err := s.Messages(ctx, 0)
		if err != nil {
			return err
		}
		for _, i := range []int{901, 902} {
			if !shown(messages, where(i)) {
				return fmt.Errorf("%s is not in the chat", where(i))
			}
		}
		_, dead, err := s.Ask(ctx, http.MethodGet, s.URL("relay")+"/api/dead", admin, nil)
		if err == nil && !strings.Contains(dead, "Storm") {
			err = fmt.Errorf("dead letters: %s", dead)
		}
		return err
	})

	secrets, want := map[string]string{}, 9
	if s.Engine == teststack.Grafana {
		secrets["admin password"], secrets["native token"], want = s.Password, nativeToken, want+2
	}
	for _, name := range []string{"ops.token", "ops.sign", "backup.token"} {
		secrets[name] = strings.TrimSpace(teststack.Read(t, filepath.Join(s.Secrets(), name)))
	}
	for name, secret := range planted {
		secrets[name] = secret[strings.Index(secret, "canary"):]
	}
	if len(secrets) != want {
		t.Fatalf("%d secrets, want %d", len(secrets), want)
	}
	s.requireUsed(t, secrets)
	if logins := mail.Passwords(); len(logins) == 0 || logins[0] != planted["smtp"] {
		t.Errorf("the relay logged in at the mail server with %q", logins)
	}

	found, looked := s.everywhere(t, admin, secrets)
	used := map[string]bool{}
	for _, place := range found {
		known := slices.IndexFunc(exceptions[s.Engine], func(e exception) bool {
			return e.secret == place.secret && regexp.MustCompile(e.place).MatchString(place.where)
		})
		if known < 0 {
			t.Errorf("the secret %q is in %s", place.secret, place.where)
			continue
		}
		used[exceptions[s.Engine][known].secret+exceptions[s.Engine][known].place] = true
	}
	for _, e := range exceptions[s.Engine] {
		if !used[e.secret+e.place] {
			t.Errorf("the exception %s in %s is not one any more: strike it off", e.secret, e.place)
		}
	}
	s.Measured(t, "%d secrets looked for in %d places, found in %d where they are known to be", len(secrets), looked, len(found))
}

// mailServer is one that the relay can reach from its container: on this machine's side of the network.
func (s *stack) mailServer(t *testing.T) *mailtest.Server {
	t.Helper()
	gateway, err := docker.Run(t.Context(), "network", "inspect", "--format={{(index .IPAM.Config 0).Gateway}}", s.Name)
	if err != nil {
		t.Fatal(err)
	}
	server, err := mailtest.Listen(net.JoinHostPort(gateway, "0"), func(verb, password string) string {
		if verb == "AUTH" {
			return "535 5.7.8 no such user with " + password + " from " + base64.StdEncoding.EncodeToString([]byte("\x00relay\x00"+password))
		}
		return ""
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server
}

// requireUsed makes sure that looking for them means something: the robot took messages that only they
// can have let in.
func (s *stack) requireUsed(t *testing.T, secrets map[string]string) {
	t.Helper()
	robots := teststack.Read(t, filepath.Join(s.Secrets(), "robots.yaml"))
	for _, name := range []string{"ops.token", "ops.sign", "backup.token"} {
		if !strings.Contains(robots, secrets[name]) {
			t.Errorf("the robot wants another %s", name)
		}
	}
	messages, err := s.Messages(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	took := map[string]int{}
	for _, m := range messages {
		if m.Accepted {
			took[m.Robot]++
		}
	}
	if took["ops"] == 0 || took["backup"] == 0 || took[besideTheRelay] == 0 {
		t.Errorf("accepted messages by robot: %v; none may be without", took)
	}
}

type place struct{ secret, where string }

// everywhere looks for the secrets, plain and as base64, in all that people and programs get to see.
func (s *stack) everywhere(t *testing.T, admin http.Header, secrets map[string]string) (found []place, looked int) {
	t.Helper()
	forms := map[string][]string{}
	for name, secret := range secrets {
		forms[name] = []string{secret, url.QueryEscape(secret)}
		for _, before := range []string{"", "u", "us"} {
			// As part of something longer that is encoded; both ends depend on what stands there.
			encoded := base64.RawStdEncoding.EncodeToString([]byte(before + secret))
			forms[name] = append(forms[name], encoded[2:len(encoded)-2])
		}
	}
	look := func(where, text string) {
		looked++
		for name := range secrets {
			for _, form := range forms[name] {
				if strings.Contains(text, form) {
					found = append(found, place{name, where})
					break
				}
			}
		}
	}
	// leaves looks at every string of a document, so that the place can be told.
	var leaves func(where string, v any)
	leaves = func(where string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, value := range v {
				look(where+" key", key)
				leaves(where+"."+key, value)
			}
		case []any:
			for _, value := range v {
				leaves(where, value)
			}
		case string:
			look(where, v)
		}
	}
	document := func(text string) (v map[string]any) {
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatalf("%v in %.200s", err, text)
		}
		return v
	}

	// Before the plans below, which are made to be read by programs and are printed here as well.
	look("terraform's output", s.Log())
	for _, root := range s.Roots() {
		name := filepath.Base(root.TerraformDir)
		state := document(teststack.Read(t, filepath.Join(root.TerraformDir, "terraform.tfstate")))
		resources, _ := state["resources"].([]any)
		for _, r := range resources {
			resource, _ := r.(map[string]any)
			leaves(fmt.Sprintf("state %s: %v.%v ", name, resource["type"], resource["name"]), resource["instances"])
		}
		leaves("state "+name+": outputs", state["outputs"])

		// A plan that creates everything says the most.
		plan := filepath.Join(t.TempDir(), "plan")
		if _, _, _, err := terraform.RunTerraformCommandAndGetStdOutErrCodeContextE(t, t.Context(), root,
			terraform.FormatArgs(root, "plan", "-input=false", "-refresh=false", "-out="+plan)...); err != nil {
			t.Fatal(err)
		}
		text, _, _, err := terraform.RunTerraformCommandAndGetStdOutErrCodeContextE(t, t.Context(), root, "show", "-json", "-no-color", plan)
		if err != nil {
			t.Fatal(err)
		}
		planned(document(text), func(where string, v any) { leaves("plan "+name+": "+where, v) })
	}
	s.files(t, look)

	for _, c := range s.Containers(t) {
		name := c.Name
		look("docker inspect "+strings.TrimPrefix(name, s.Name+"-"), s.Docker(t, "inspect", name))
		logs, err := docker.Logs(t.Context(), name, 0)
		if err != nil {
			t.Fatal(err)
		}
		look("log "+strings.TrimPrefix(name, s.Name+"-"), logs)
	}
	s.pages(t, admin, look)
	return found, looked
}

// planned walks a plan and names resources by their address.
func planned(plan map[string]any, leaves func(string, any)) {
	changes, _ := plan["resource_changes"].([]any)
	for _, c := range changes {
		change, _ := c.(map[string]any)
		leaves(fmt.Sprint(change["address"]), change["change"])
	}
	var module func(v any)
	module = func(v any) {
		m, _ := v.(map[string]any)
		resources, _ := m["resources"].([]any)
		for _, r := range resources {
			resource, _ := r.(map[string]any)
			leaves(fmt.Sprint(resource["address"]), resource["values"])
		}
		children, _ := m["child_modules"].([]any)
		for _, child := range children {
			module(child)
		}
	}
	values, _ := plan["planned_values"].(map[string]any)
	module(values["root_module"])
	prior, _ := plan["prior_state"].(map[string]any)
	values, _ = prior["values"].(map[string]any)
	module(values["root_module"])
	for _, rest := range []string{"configuration", "output_changes", "variables", "checks", "relevant_attributes", "resource_drift"} {
		leaves(rest, plan[rest])
	}
}

// files looks into all that lies in the environment's folder but the secrets themselves, state and its
// backup too; states were looked at by their parts.
func (s *stack) files(t *testing.T, look func(where, text string)) {
	t.Helper()
	base := filepath.Join(s.Tree, "envs", "local")
	err := filepath.WalkDir(base, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == ".terraform" || path == s.Secrets()) {
			return fs.SkipDir
		}
		if entry.IsDir() || strings.Contains(entry.Name(), ".tfstate") {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(base, path)
		look("file "+filepath.ToSlash(rel), string(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *stack) pages(t *testing.T, admin http.Header, look func(where, text string)) {
	t.Helper()
	services := map[string]map[string]string{
		"console": {
			"alert": "/alerts/RelayDown", "alerts": "/alerts", "dashboard": "/d/alert-delivery", "dashboards": "/dashboards", "metrics": "/metrics",
			"silences": "/silences", "targets": "/targets",
		},
		"exporter": {"metrics": "/metrics"},
		"prometheus": {
			"alerts":        "/api/v1/alerts",
			"alertmanagers": "/api/v1/alertmanagers",
			"configuration": "/api/v1/status/config",
			"flags":         "/api/v1/status/flags",
			"metrics":       "/metrics",
			"rules":         "/api/v1/rules",
			"targets":       "/api/v1/targets",
		},
		"relay": {
			"dead letters": "/api/dead", "metrics": "/metrics", "page": "/", "ready": "/-/ready", "render": "/render", "status": "/api/status",
		},
		"robot": {"answers": "/api/answers", "faults": "/api/faults", "messages": "/api/messages", "metrics": "/metrics", "page": "/"},
	}
	notifier := map[string]map[string]string{
		"alertmanager": {
			"alerts": "/api/v2/alerts", "groups": "/api/v2/alerts/groups", "metrics": "/metrics", "page": "/", "receivers": "/api/v2/receivers",
			"silences": "/api/v2/silences", "status": "/api/v2/status",
		},
	}
	if s.Engine == teststack.Grafana {
		notifier = map[string]map[string]string{"grafana": {
			"alerts":                     "/api/alertmanager/grafana/api/v2/alerts",
			"alertmanager-configuration": "/api/alertmanager/grafana/config/api/v1/alerts",
			"alertmanager-status":        "/api/alertmanager/grafana/api/v2/status",
			"annotations":                "/api/annotations",
			"contact-points":             "/api/v1/provisioning/contact-points",
			"datasources":                "/api/datasources",
			"metrics":                    "/metrics",
			"policies":                   "/api/v1/provisioning/policies",
			"rules":                      "/api/v1/provisioning/alert-rules",
			"settings":                   "/api/admin/settings",
		}}
	}
	maps.Copy(services, notifier)
	for service, paths := range services {
		for name, path := range paths {
			header := http.Header{}
			if service == "relay" {
				header = admin
			}
			status, text, err := s.Ask(t.Context(), http.MethodGet, s.URL(service)+path, header, nil)
			if err != nil || status != http.StatusOK {
				t.Errorf("%s of %s can't be looked at: %d %v", path, service, status, err)
			}
			look("page "+service+"/"+name, text)
		}
	}
}

package delivery

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
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
	engine "lookout/internal/docker"
)

// planted are secrets beside those that `make init` writes, by the file in the secrets folder. The
// gateway's address is a secret as a whole, its last part is what is looked for.
var planted = map[string]string{
	"bearer":  "canary-bearer-5f1d0c7a93",
	"smtp":    "canary-smtp-password-8e2b64",
	"sms.key": "Bearer canary-gateway-key-77ab01",
	"sms.url": "http://robot:8060/gateway/canary-gateway-address-c93d",
}

// These are the exceptions that Grafana's own contact point makes: they stand in a variable.
const (
	nativeToken = "canary-native-token-4410de"
	besideToken = "canary-token-beside-the-relay-61d7"
)

// An exception is a place where a secret is known to be, and why. Each has to be there, or the list
// lies.
type exception struct{ secret, place, why string }

var exceptions = []exception{
	{"admin password", `^file content/test\.auto\.tfvars\.json$`, "written there for Terraform, like secrets.auto.tfvars.json by make init"},
	{"admin password", `^file platform/test\.auto\.tfvars\.json$`, "the same"},
	{"admin password", `^state platform: docker_container\.secrets_writer .*upload.*content$`, "the provider keeps what it uploads; marked sensitive"},
	{"admin password", `^plan platform: .*(secrets_writer.*upload|variables.*grafana_admin_password)`, "a plan holds what will be uploaded, and its variables"},
	{"native token", `^file content/test\.auto\.tfvars\.json$`, "written there for Terraform"},
	{"native token", `^state content: grafana_contact_point\.robot .*dingding.*url$`, "Grafana's own contact point needs the whole address; marked sensitive"},
	{"native token", `^plan content: .*(dingding.*url|variables.*robot_webhooks)`, "the same"},
	{"token beside the relay", `^file content/test\.auto\.tfvars\.json$`, "written there for Terraform"},
	{"token beside the relay", `^state content: grafana_contact_point\.about_delivery .*dingding.*url$`, "where a robot is the way beside the relay, Grafana needs its whole address; marked sensitive"},
	{"token beside the relay", `^plan content: .*(dingding.*url|variables.*robot_webhooks)`, "the same"},
	{"token beside the relay", `^page grafana/contact-points$|^page grafana/alertmanager-configuration$`, "Grafana 10.1 shows the address to administrators"},
	{"native token", `^page grafana/contact-points$|^page grafana/alertmanager-configuration$`, "Grafana 10.1 shows the address to administrators"},
}

// secretsStay uses every secret there is, and then looks for each of them everywhere.
func (s *stack) secretsStay(t *testing.T) {
	// Native delivery once, for its exception; and a relay that wants a bearer token. Grafana can't
	// have one without its being in the state, so it comes when Grafana is not needed any more.
	mail := s.mailServer(t)
	file := filepath.Join(s.root("platform"), "relay.yaml")
	write(t, filepath.Join(s.secrets(), "mail-ca.pem"), string(mail.CA()))
	const nowhere = `smarthost: "robot:8060"`
	text := read(t, file)
	if strings.Count(text, nowhere) != 1 {
		t.Fatalf("relay.yaml has %q not once", nowhere)
	}
	write(t, file, "bearer_token_file: /secrets/bearer\n"+
		strings.Replace(text, nowhere, fmt.Sprintf("smarthost: %q, ca_file: /secrets/mail-ca.pem", mail.Address()), 1))
	vars := s.contentVars()
	vars["delivery"] = "native"
	vars["about_delivery"] = map[string]string{"robot": "beside"}
	vars["robot_webhooks"] = map[string]string{
		"beside": "http://robot:8060/robot/send?access_token=" + besideToken,
		"ops":    "http://robot:8060/robot/send?access_token=" + nativeToken,
	}
	s.set(t, "content", vars)
	s.apply(t)
	bearer := http.Header{"Authorization": {"Bearer " + planted["bearer"]}}
	eventually(t, 30*time.Second, "the relay wants the bearer token", func(ctx context.Context) error {
		status, _, err := s.ask(ctx, http.MethodGet, s.url("relay")+"/api/status", nil, nil)
		if err == nil && status != http.StatusUnauthorized {
			err = fmt.Errorf("it answers %d without", status)
		}
		return err
	})
	// What fails is what gets into logs: a mail server that refuses the login and repeats the password, a
	// gateway that has no such page.
	began := time.Now()
	status, text, err := s.ask(t.Context(), http.MethodPost, s.url("relay")+"/v1/robots/unreachable", bearer, storm(900, began))
	if err != nil || status != http.StatusAccepted {
		t.Fatalf("%d %s %v", status, text, err)
	}
	for i, target := range []string{"ops", "backup"} {
		status, text, err = s.ask(t.Context(), http.MethodPost, s.url("relay")+"/v1/robots/"+target, bearer, storm(901+i, began))
		if err != nil || status != http.StatusAccepted {
			t.Fatalf("%d %s %v", status, text, err)
		}
	}
	eventually(t, time.Minute, "two alerts are in the chats, the third is a dead letter", func(ctx context.Context) error {
		messages, err := s.messages(ctx)
		if err != nil {
			return err
		}
		for _, i := range []int{901, 902} {
			if !shown(messages, where(i)) {
				return fmt.Errorf("%s is not in the chat", where(i))
			}
		}
		_, dead, err := s.ask(ctx, http.MethodGet, s.url("relay")+"/api/dead", bearer, nil)
		if err == nil && !strings.Contains(dead, "Storm") {
			err = fmt.Errorf("dead letters: %s", dead)
		}
		return err
	})

	secrets := map[string]string{"admin password": s.password, "native token": nativeToken, "token beside the relay": besideToken}
	for _, name := range []string{"ops.token", "ops.sign", "backup.token"} {
		secrets[name] = strings.TrimSpace(read(t, filepath.Join(s.secrets(), name)))
	}
	for name, secret := range planted {
		secrets[name] = secret[strings.Index(secret, "canary"):]
	}
	if len(secrets) != 10 {
		t.Fatalf("%d secrets, want 10", len(secrets))
	}
	s.requireUsed(t, secrets)
	if logins := mail.Passwords(); len(logins) == 0 || logins[0] != planted["smtp"] {
		t.Errorf("the relay logged in at the mail server with %q", logins)
	}

	found, looked := s.everywhere(t, bearer, secrets)
	used := map[string]bool{}
	for _, place := range found {
		known := slices.IndexFunc(exceptions, func(e exception) bool {
			return e.secret == place.secret && regexp.MustCompile(e.place).MatchString(place.where)
		})
		if known < 0 {
			t.Errorf("the secret %q is in %s", place.secret, place.where)
			continue
		}
		used[exceptions[known].secret+exceptions[known].place] = true
	}
	for _, e := range exceptions {
		if !used[e.secret+e.place] {
			t.Errorf("the exception %s in %s is none any more: strike it off", e.secret, e.place)
		}
	}
	s.measured(t, "%d secrets looked for in %d places: in none but %d known ones", len(secrets), looked, len(found))
}

// mailServer is one that the relay can reach from its container: on this machine's side of the network.
func (s *stack) mailServer(t *testing.T) *mailtest.Server {
	t.Helper()
	gateway, err := docker(t.Context(), "network", "inspect", "--format={{(index .IPAM.Config 0).Gateway}}", s.name)
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
	robots := read(t, filepath.Join(s.secrets(), "robots.yaml"))
	for _, name := range []string{"ops.token", "ops.sign", "backup.token"} {
		if !strings.Contains(robots, secrets[name]) {
			t.Errorf("the robot wants another %s", name)
		}
	}
	messages, err := s.messages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	took := map[string]int{}
	for _, m := range messages {
		if m.Accepted {
			took[m.Robot]++
		}
	}
	if took["ops"] == 0 || took["backup"] == 0 {
		t.Errorf("accepted messages by robot: %v; neither may be without", took)
	}
}

type place struct{ secret, where string }

// everywhere looks for the secrets, plain and as base64, in all that people and programs get to see.
func (s *stack) everywhere(t *testing.T, bearer http.Header, secrets map[string]string) (found []place, looked int) {
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
	look("terraform's output", s.log.String())
	for _, root := range []*terraform.Options{s.platform, s.content} {
		name := filepath.Base(root.TerraformDir)
		state := document(read(t, filepath.Join(root.TerraformDir, "terraform.tfstate")))
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

	ids, err := docker(t.Context(), "ps", "--all", "--format", "{{.Names}}", "--filter", "name="+s.name)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(ids) {
		out, err := docker(t.Context(), "inspect", name)
		if err != nil {
			t.Fatal(err)
		}
		look("docker inspect "+strings.TrimPrefix(name, s.name+"-"), out)
		logs, err := engine.Logs(t.Context(), name, 0)
		if err != nil {
			t.Fatal(err)
		}
		look("log "+strings.TrimPrefix(name, s.name+"-"), logs)
	}
	s.pages(t, bearer, look)
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
	base := filepath.Join(s.tree, "envs", "local")
	err := filepath.WalkDir(base, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == ".terraform" || path == s.secrets()) {
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

func (s *stack) pages(t *testing.T, bearer http.Header, look func(where, text string)) {
	t.Helper()
	for service, paths := range map[string]map[string]string{
		"exporter": {"metrics": "/metrics"},
		"grafana": {
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
		},
		"prometheus": {
			"configuration": "/api/v1/status/config",
			"flags":         "/api/v1/status/flags",
			"metrics":       "/metrics",
			"targets":       "/api/v1/targets",
		},
		"relay": {
			"dead letters": "/api/dead", "metrics": "/metrics", "page": "/", "ready": "/-/ready", "render": "/render", "status": "/api/status",
		},
		"robot": {"answers": "/api/answers", "faults": "/api/faults", "messages": "/api/messages", "metrics": "/metrics", "page": "/"},
	} {
		for name, path := range paths {
			header := http.Header{}
			if service == "relay" {
				header = bearer
			}
			status, text, err := s.ask(t.Context(), http.MethodGet, s.url(service)+path, header, nil)
			if err != nil || status != http.StatusOK {
				t.Errorf("%s of %s can't be looked at: %d %v", path, service, status, err)
			}
			look("page "+service+"/"+name, text)
		}
	}
}

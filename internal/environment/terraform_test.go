package environment

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lookout/internal/stack"
)

// script puts a shell script in Terraform's place.
func script(t *testing.T, e *Environment, text string) (calls func() []string) {
	t.Helper()
	dir := t.TempDir()
	e.terraform.Path = filepath.Join(dir, "terraform")
	require.NoError(t, os.WriteFile(e.terraform.Path, []byte("#!/bin/sh\necho \"$*\" >> '"+dir+"/calls'\n"+text), 0o755))
	return func() []string {
		data, err := os.ReadFile(filepath.Join(dir, "calls"))
		if err != nil {
			return nil
		}
		return strings.Split(strings.TrimSpace(string(data)), "\n")
	}
}

func TestATerraformThatWasKilledIsToBeRunAgain(t *testing.T) {
	e, _ := newEnvironment(t)
	script(t, e, "echo 'half a sentence' >&2; kill -9 $$\n")
	err := e.run(t.Context(), "platform", "apply")
	require.EqualError(t, err, "terraform apply of envs/local/platform was killed (killed): run the same command again to go on")
}

func TestAnErrorBeginsWithWhatIsWrong(t *testing.T) {
	e, _ := newEnvironment(t)
	script(t, e, "printf '\\nError: Invalid value for variable\\n\\n  on main.tf line 3, in module \"platform\":\\n   3:   alerting = \"foo\"\\n\\n"+
		"alerting is \"foo\"; use \"prometheus\" or \"grafana\".\\n\\nThis was checked by the validation rule at x.tf:4,3-13.\\n' >&2; exit 1\n")
	err := e.run(t.Context(), "platform", "plan")
	require.ErrorContains(t, err, "nothing was changed")
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 2)
	require.Equal(t, `alerting is "foo"; use "prometheus" or "grafana". (envs/local/platform/main.tf:3)`, lines[0])
	log, err := os.ReadFile(e.logPath("platform"))
	require.NoError(t, err)
	require.Contains(t, string(log), "This was checked by")
}

// logins is a Grafana that counts how often it was asked with a wrong password, as the real one does.
func logins(t *testing.T, password string) (url string, wrong *atomic.Int64, answers map[string]any) {
	t.Helper()
	wrong = &atomic.Int64{}
	answers = map[string]any{"/api/org": map[string]any{"id": 1}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, got, _ := r.BasicAuth()
		if got == "" {
			got = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		}
		if got != password {
			wrong.Add(1)
			http.Error(w, `{"message":"Invalid username or password"}`, http.StatusUnauthorized)
			return
		}
		answer, ok := answers[r.URL.Path]
		if !ok {
			t.Errorf("unexpected request %s", r.URL)
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, wrong, answers
}

// withGrafana gives a local environment a platform that has a Grafana.
func withGrafana(t *testing.T, e *Environment, url string) {
	t.Helper()
	require.NoError(t, e.secrets())
	e.Client = &http.Client{Timeout: 5 * time.Second}
	write(t, filepath.Join(e.root("platform"), "terraform.tfstate"), `{"version": 4, "resources": [], "outputs": {
		"stack": {"value": {"id": "x", "name": "lookout-local", "alerting": "grafana"}}, "services": {"value": {"grafana": {"url": "`+url+`"}}}}}`)
}

func TestAWrongPasswordIsFoundByOneLogin(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"the local one": {nil, "the password of envs/local/platform/secrets.auto.tfvars.json for its user admin"},
		"a given one":   {map[string]string{"GRAFANA_AUTH": "bob:wrong"}, "the password for its user bob: correct GRAFANA_AUTH"},
		"a token":       {map[string]string{"GRAFANA_AUTH": "glsa_wrong"}, "the token: correct GRAFANA_AUTH"},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := newEnvironment(t)
			url, wrong, _ := logins(t, "right")
			withGrafana(t, e, url)
			for name, value := range c.env {
				t.Setenv("GRAFANA_URL", url)
				t.Setenv(name, value)
			}
			calls := script(t, e, "exit 0\n")
			err := e.Apply(t.Context())
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "nothing of it was planned")
			require.EqualValues(t, 1, wrong.Load(), "logins with a wrong password")
			require.Empty(t, calls(), "Terraform was asked")
			require.ErrorContains(t, e.Plan(t.Context()), c.want)
			require.EqualValues(t, 2, wrong.Load())
		})
	}
}

func TestAPlanShowsWhatChangesAndNotWhatIsRead(t *testing.T) {
	e, out := newEnvironment(t)
	withGrafana(t, e, "")
	script(t, e, `printf 'module.a.docker_network.x["y"]: Refreshing state... [id=1]\ndata.x.y: Reading...\n\n  # module.a.docker_network.x: Reading is not this\nPlan: 1 to add\n'`)
	require.NoError(t, e.Plan(t.Context()))
	require.Contains(t, out.String(), "envs/local/platform\n  # module.a.docker_network.x: Reading is not this\nPlan: 1 to add\n")
}

func TestContentIsLeftOutWithoutAGrafanaAndAppliedToAGivenOne(t *testing.T) {
	e, out := newEnvironment(t)
	withGrafana(t, e, "")
	calls := script(t, e, "exit 0\n")
	require.NoError(t, e.Plan(t.Context()))
	require.NoError(t, e.Apply(t.Context()))
	require.Equal(t, 2, strings.Count(out.String(), noGrafana), out)
	require.Len(t, calls(), 2, "the platform's plans only")

	t.Setenv("GRAFANA_URL", "http://127.0.0.1:1")
	require.ErrorContains(t, e.Apply(t.Context()), "GRAFANA_URL is set to http://127.0.0.1:1 but GRAFANA_AUTH is not")

	url, _, _ := logins(t, "right")
	t.Setenv("GRAFANA_URL", url)
	t.Setenv("GRAFANA_AUTH", "bob:right")
	require.NoError(t, e.Apply(t.Context()))
	require.Len(t, calls(), 4, "both roots")
	var written contentSecrets
	require.NoError(t, e.readVars("content", "secrets", &written))
	require.Equal(t, contentSecrets{URL: url, Auth: "bob:right"}, written)

	// One engine in both roots: the platform says which.
	var vars struct{ Alerting string }
	require.NoError(t, e.readVars("content", "alerting", &vars))
	require.Equal(t, "grafana", vars.Alerting)
	var plan Plan
	require.NoError(t, json.Unmarshal([]byte(`{"variables": {"alerting": {"value": "prometheus"}}}`), &plan))
	_, err := e.checkContent(t.Context(), plan)
	require.ErrorContains(t, err, `alerting is "prometheus" in envs/local/content but "grafana" in envs/local/platform`)
}

func TestWhatGrafanaHasAlreadyIsTakenOverOrRefused(t *testing.T) {
	for _, interrupted := range []bool{true, false} {
		e, out := newEnvironment(t)
		url, _, answers := logins(t, "right")
		answers["/api/v1/provisioning/contact-points"] = []any{map[string]any{"name": "lookout-local-ops"}}
		answers["/api/folders"] = []any{map[string]any{"uid": "other"}}
		withGrafana(t, e, url)
		t.Setenv("GRAFANA_URL", url)
		t.Setenv("GRAFANA_AUTH", "admin:right")
		calls := script(t, e, "exit 0\n")
		e.interrupted = interrupted
		var plan Plan
		require.NoError(t, json.Unmarshal([]byte(`{"resource_changes": [
			{"address": "module.content.grafana_contact_point.ops", "type": "grafana_contact_point", "change": {"actions": ["create"], "after": {"name": "lookout-local-ops"}}},
			{"address": "module.content.grafana_folder.go", "type": "grafana_folder", "change": {"actions": ["create"], "after": {"uid": "go"}}}]}`), &plan))
		again, err := e.checkContent(t.Context(), plan)
		if interrupted {
			require.NoError(t, err)
			require.True(t, again)
			require.Len(t, calls(), 1)
			require.Contains(t, calls()[0], "import")
			require.Contains(t, calls()[0], "module.content.grafana_contact_point.ops lookout-local-ops")
			require.Contains(t, out.String(), "took over")
			continue
		}
		require.ErrorContains(t, err, `the contact point "lookout-local-ops" is in Grafana already and not in this state`)
		require.ErrorContains(t, err, "nothing was changed")
		require.NotContains(t, err.Error(), "folder")
		require.Empty(t, calls())
	}
}

func TestAFolderThatHoldsWhatOthersMadeIsNotDeleted(t *testing.T) {
	e, _ := newEnvironment(t)
	url, _, answers := logins(t, "right")
	answers["/api/search"] = []any{
		map[string]any{"uid": "team", "title": "Team", "type": "dash-folder"},
		map[string]any{"uid": "ours", "title": "Ours", "type": "dash-db", "folderUid": "team"},
		map[string]any{"uid": "mine", "title": "Made by hand", "type": "dash-db", "folderUid": "team"},
		map[string]any{"uid": "else", "title": "Elsewhere", "type": "dash-db", "folderUid": "other"},
	}
	answers["/api/v1/provisioning/alert-rules"] = []any{
		map[string]any{"title": "Ours", "folderUID": "team", "ruleGroup": "ours"}, map[string]any{"title": "Also by hand", "folderUID": "team", "ruleGroup": "mine"},
	}
	withGrafana(t, e, url)
	t.Setenv("GRAFANA_URL", url)
	t.Setenv("GRAFANA_AUTH", "admin:right")
	plan := func(more string) (p Plan) {
		require.NoError(t, json.Unmarshal([]byte(`{"resource_changes": [
			{"type": "grafana_folder", "change": {"actions": ["delete"], "before": {"uid": "team", "title": "Team"}}},
			{"type": "grafana_rule_group", "change": {"actions": ["delete"], "before": {"folder_uid": "team", "name": "ours"}}},
			{"type": "grafana_dashboard", "change": {"actions": ["delete"], "before": {"uid": "ours"}}}`+more+`]}`), &p))
		return p
	}
	_, err := e.checkContent(t.Context(), plan(""))
	require.ErrorContains(t, err, `the folder "Team" would be deleted together with what Terraform did not make in it, `+
		`the dashboard "Made by hand", the alert rule "Also by hand": move that to another folder`)
	require.ErrorContains(t, err, "nothing was changed")
	_, err = e.checkContent(t.Context(), plan(`,{"type": "grafana_dashboard", "change": {"actions": ["no-op"], "before": {"uid": "mine"}}},
		{"type": "grafana_rule_group", "change": {"actions": ["delete", "create"], "before": {"folder_uid": "team", "name": "mine"}}}`))
	require.NoError(t, err, "Terraform made all of it")
}

// The state as an earlier commit left it: its Grafana was built here.
const builtState = `{"version": 4, "terraform_version": "1.11.0", "serial": 7, "lineage": "a", "outputs": {}, "resources": [
  {"module": "module.grafana", "mode": "managed", "type": "docker_image", "name": "grafana", "provider": "provider[\"registry.terraform.io/kreuzwerker/docker\"]",
   "instances": [{"schema_version": 0, "attributes": {"id": "sha256:1", "name": "lookout/grafana:10.1.0-pre-0123456789ab"}}]},
  {"module": "module.grafana", "mode": "managed", "type": "docker_container", "name": "grafana", "provider": "provider[\"registry.terraform.io/kreuzwerker/docker\"]",
   "instances": [{"schema_version": 2, "attributes": {"id": "c1", "name": "lookout-local-grafana", "image": "sha256:1"}}]},
  {"module": "module.grafana", "mode": "managed", "type": "docker_volume", "name": "data", "provider": "provider[\"registry.terraform.io/kreuzwerker/docker\"]",
   "instances": [{"schema_version": 0, "attributes": {"id": "lookout-local-grafana-data", "name": "lookout-local-grafana-data"}}]}]}`

func TestAGrafanaThatWasBuiltHereIsTakenDownAndItsDataKept(t *testing.T) {
	e, out := newEnvironment(t)
	e.terraform.Path = terraformPath(t)
	write(t, filepath.Join(e.root("platform"), "terraform.tfstate"), builtState)
	write(t, filepath.Join(e.root("content"), "terraform.tfstate"), `{"version": 4}`)
	require.NoError(t, e.writeVars("platform", "images", 0o644, map[string]any{"images": map[string]any{"grafana": "grafana/grafana:13.2.3"}}))
	require.NoError(t, e.takeDownBuiltGrafana(t.Context()))
	require.Empty(t, out.String(), "another Grafana goes on with the same volume")

	require.NoError(t, e.writeVars("platform", "images", 0o644, map[string]any{"images": map[string]any{"grafana": nil}}))
	require.NoError(t, e.takeDownBuiltGrafana(t.Context()))
	s, err := e.readState(t.Context(), "platform")
	require.NoError(t, err)
	var types []string
	for _, r := range s.resources() {
		types = append(types, r.Type)
	}
	require.ElementsMatch(t, []string{"docker_image", "docker_container"}, types, "the plan destroys these")
	require.NoFileExists(t, filepath.Join(e.root("content"), "terraform.tfstate"))
	require.FileExists(t, filepath.Join(e.root("content"), "terraform.tfstate.grafana-10.1.0-pre-0123456789ab"))
	for _, want := range []string{"kept the volume lookout-local-grafana-data", "set the content's state aside", "taking down lookout/grafana:10.1.0-pre-0123456789ab"} {
		require.Contains(t, out.String(), want)
	}
	own, err := e.ownership(t.Context())
	require.NoError(t, err)
	require.True(t, own.Recorded["lookout-local-grafana-data"], "`make down` removes it, and a plan that creates it again may")
}

func TestAKeptVolumeIsTakenBack(t *testing.T) {
	engine, name := newEngine(t), testName()
	engine.stack(t, name, "")
	e, out := newEnvironment(t)
	calls := script(t, e, "exit 0\n")
	require.NoError(t, e.note(func(n *notes) { n.KeptVolumes = []string{name + "-relay-spool"} }))
	replan, err := e.takeBackVolumes(t.Context(), planOf(t, name, 0))
	require.NoError(t, err)
	require.True(t, replan)
	require.Contains(t, calls()[0], "import")
	require.Contains(t, calls()[0], "c "+name+"-relay-spool")
	require.Contains(t, out.String(), "took back the volume")
	replan, err = e.takeBackVolumes(t.Context(), planOf(t, name, 0))
	require.NoError(t, err)
	require.False(t, replan)
}

func TestANewEnvironmentIsACopyWithNamesAndPortsOfItsOwn(t *testing.T) {
	repo := t.TempDir()
	for file, text := range map[string]string{
		"envs/local/platform/variables.tf":                 "9090 8070",
		"envs/prod/platform/variables.tf":                  "ports { prometheus = 9092, relay = 8072 }",
		"envs/staging/platform/variables.tf":               "name = \"lookout-staging\"\nports { prometheus = 9091, relay = 8071 }\nsize = 10000\n",
		"envs/staging/platform/terraform.tf":               `key = "lookout/staging/platform.tfstate"`,
		"envs/staging/platform/moved.tf":                   "moved {}",
		"envs/staging/platform/backend.hcl":                "bucket = \"secret\"",
		"envs/staging/platform/backend.hcl.example":        "bucket = \"example\"",
		"envs/staging/platform/images.auto.tfvars.json":    "{}",
		"envs/staging/platform/terraform.tfstate":          "{}",
		"envs/staging/platform/.terraform/providers/a":     "",
		"envs/staging/content/main.tf":                     "environment = \"staging\" # stagings stay",
		"envs/staging/content/tests/plan.tftest.hcl":       "http://127.0.0.1:9091",
		"envs/staging/content/.terraform.lock.hcl":         "lock",
		"envs/local/content/main.tf":                       "",
		"envs/prod/content/main.tf":                        "",
		"dashboards/not-an-environment/staging/board.json": "{}",
	} {
		write(t, filepath.Join(repo, file), text)
	}
	dir, err := New(repo, "qa")
	require.NoError(t, err)
	require.Equal(t, "envs/qa", dir)
	got := map[string]string{}
	require.NoError(t, filepath.WalkDir(filepath.Join(repo, dir), func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			rel, err := filepath.Rel(filepath.Join(repo, dir), path)
			require.NoError(t, err)
			got[rel] = string(data)
		}
		return err
	}))
	require.Len(t, got, 5)
	require.Regexp(t, `^name = "lookout-qa"\nports \{ prometheus = 9\d\d\d, relay = 8\d\d\d \}\nsize = 10000\n$`, got["platform/variables.tf"])
	require.NotContains(t, got["platform/variables.tf"], "9091")
	require.NotContains(t, got["platform/variables.tf"], "9092")
	require.Equal(t, `key = "lookout/qa/platform.tfstate"`, got["platform/terraform.tf"])
	require.Contains(t, got["platform/backend.hcl.example"], "example")
	require.Equal(t, "environment = \"qa\" # stagings stay", got["content/main.tf"])
	require.NotContains(t, got["content/tests/plan.tftest.hcl"], "9091")

	for name, want := range map[string]string{
		"qa":         "NAME=qa is taken: envs/qa exists already",
		"local":      "NAME=local is taken",
		"":           "give the environment a name",
		"Quality":    `NAME="Quality" is not a valid environment name`,
		"a/b":        "is not a valid environment name",
		"qa-":        "is not a valid environment name",
		"../escaped": "is not a valid environment name",
	} {
		_, err := New(repo, name)
		require.ErrorContains(t, err, want, name)
	}
	second, err := New(repo, "qb")
	require.NoError(t, err)
	data, err := os.ReadFile(filepath.Join(repo, second, "platform/variables.tf"))
	require.NoError(t, err)
	require.NotEqual(t, got["platform/variables.tf"], strings.ReplaceAll(string(data), "qb", "qa"), "its own ports")
	entries, err := os.ReadDir(filepath.Join(repo, "envs"))
	require.NoError(t, err)
	require.Len(t, entries, 5, "nothing half-written is left")
}

// A remote state is asked for through Terraform.
func TestARemoteStateIsPulled(t *testing.T) {
	e, _ := newEnvironment(t)
	write(t, filepath.Join(e.root("platform"), "backend.hcl"), "")
	write(t, filepath.Join(e.root("platform"), ".terraform", "x"), "")
	calls := script(t, e, `echo '{"version": 4, "outputs": {"stack": {"value": {"id": "far", "name": "lookout-far", "alerting": "prometheus"}}}, "resources": []}'`)
	own, err := e.ownership(t.Context())
	require.NoError(t, err)
	require.Equal(t, stack.Identity{ID: "far", Name: "lookout-far", Alerting: "prometheus"}, own.Identity)
	require.Equal(t, []string{"state pull"}, calls())
	script(t, e, "exit 1")
	_, err = e.ownership(context.WithoutCancel(t.Context()))
	require.Error(t, err)
}

func TestAReplacementIsRehearsed(t *testing.T) {
	change := func(address string, actions ...string) ResourceChange {
		c := ResourceChange{Address: address, Type: "docker_container"}
		c.Change.Actions = actions
		return c
	}
	const config, server = "module.platform.module.prometheus.module.config.docker_container.check[0]", "module.platform.module.prometheus.module.container.docker_container.container"
	for name, c := range map[string]struct {
		changes []ResourceChange
		want    []string
	}{
		"another image":           {[]ResourceChange{change(config, "delete", "create"), change(server, "delete", "create")}, []string{"-target=" + config}},
		"another configuration":   {[]ResourceChange{change(config, "delete", "create"), change(server, "no-op")}, nil},
		"the first apply":         {[]ResourceChange{change(config, "create"), change(server, "create")}, nil},
		"a server without checks": {[]ResourceChange{change(server, "delete", "create")}, nil},
		"the checks are gone":     {[]ResourceChange{change(config, "create"), change(server, "create", "delete")}, []string{"-target=" + config}},
		"the end":                 {[]ResourceChange{change(config, "delete"), change(server, "delete")}, nil},
	} {
		require.Equal(t, c.want, Plan{ResourceChanges: c.changes}.rehearsal(), name)
	}
}

func TestWhatMovesIsMovedBeforeAPartIsApplied(t *testing.T) {
	var plan Plan
	require.NoError(t, json.Unmarshal([]byte(`{"resource_changes":[{"address":"module.relay[0].docker_volume.spool","type":"docker_volume","change":{"actions":["no-op"]}}]}`), &plan))
	require.False(t, plan.moves())
	require.NoError(t, json.Unmarshal([]byte(`{"resource_changes":[{"address":"module.relay[0].docker_volume.spool","previous_address":"module.relay.docker_volume.spool","type":"docker_volume","change":{"actions":["no-op"]}}]}`), &plan))
	require.True(t, plan.moves())
}

package environment

import (
	"context"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/toolchain"
)

// repositoryCopy is what an environment is made of, in a folder of its own: envs/local and envs/staging of this repository with the
// stacks and modules that they call.
func repositoryCopy(t *testing.T) (repo string) {
	t.Helper()
	repo = t.TempDir()
	for _, dir := range []string{"stacks", "modules"} {
		at, err := filepath.Abs(filepath.Join("../..", dir))
		require.NoError(t, err)
		require.NoError(t, os.Symlink(at, filepath.Join(repo, dir)))
	}
	defer write(t, filepath.Join(repo, "envs/staging/alerts.yaml"), "overrides:\n  A: {severity: info}\n")
	// Its robots are a person's to choose.
	defer write(t, filepath.Join(repo, "envs/staging/platform/relay.yaml"), "robots:\n  team: {token_file: /secrets/team.token}\n")
	for _, dir := range []string{"envs/local", "envs/staging"} {
		from := filepath.Join("../..", dir)
		require.NoError(t, filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && (entry.Name() == ".terraform" || entry.Name() == "tests" || entry.Name() == "secrets"):
				return fs.SkipDir
			case entry.IsDir() || !(strings.HasSuffix(path, ".tf") || strings.HasSuffix(path, ".yaml") || strings.HasSuffix(path, ".example")):
				return nil
			}
			rel, err := filepath.Rel("../..", path)
			require.NoError(t, err)
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			write(t, filepath.Join(repo, rel), string(data))
			return nil
		}))
	}
	return repo
}

// A careless person's staging, complete at first.
type careless struct {
	t    *testing.T
	e    *Environment
	repo string
	// secrets is the secrets_directory.
	secrets string
	ctx     context.Context
}

func (c *careless) set(root, text string) {
	c.t.Helper()
	path := filepath.Join(c.e.root(root), "terraform.tfvars")
	before, _ := os.ReadFile(path)
	write(c.t, path, string(before)+text+"\n")
}

func (c *careless) edit(file, old, with string) {
	c.t.Helper()
	path := filepath.Join(c.repo, file)
	data, err := os.ReadFile(path)
	require.NoError(c.t, err)
	require.Contains(c.t, string(data), old)
	write(c.t, path, strings.Replace(string(data), old, with, 1))
}

func (c *careless) remove(path string) { require.NoError(c.t, os.Remove(path)) }

// withGrafana gives staging a Grafana that runs elsewhere.
func (c *careless) withGrafana() {
	c.t.Setenv("GRAFANA_URL", "https://grafana.example.com")
	c.t.Setenv("GRAFANA_AUTH", "glsa_token")
	write(c.t, filepath.Join(c.e.root("content"), "backend.hcl"), "bucket = \"b\"\n")
	c.set("content", `about_delivery = { webhook = "https://sms.example.com/alert" }`)
}

// newCareless is staging with all that it needs.
func newCareless(t *testing.T) *careless {
	t.Helper()
	for _, name := range []string{"GRAFANA_URL", "GRAFANA_AUTH", "GRAFANA_IMAGE", "ORIGIN", "YES"} {
		t.Setenv(name, "")
	}
	c := &careless{t: t, repo: repositoryCopy(t), secrets: filepath.Join(t.TempDir(), "lookout")}
	// As the containers' user sees it.
	for dir := c.secrets; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(t, os.MkdirAll(dir, 0o755))
	}
	var err error
	out := &strings.Builder{}
	c.e, err = Open(Environment{Name: "staging", Repo: c.repo, Out: out, Progress: &toolchain.Progress{Out: out}, Client: http.DefaultClient})
	require.NoError(t, err)
	c.ctx = (&fakeEngine{}).use(t)
	// A local engine, whose host's files can be looked at.
	write(t, filepath.Join(c.e.root("platform"), "backend.hcl"), "bucket = \"b\"\n")
	write(t, filepath.Join(c.secrets, "relay", "team.token"), "abc\n")
	write(t, filepath.Join(c.secrets, "alertmanager", "watch.url"), "https://x\n")
	c.set("platform", `secrets_directory = "`+c.secrets+`"`)
	c.set("platform", `alerting = "prometheus"`)
	return c
}

// A wrongInput is something that a person got wrong, and the words that they get. Those that only Terraform or a server can find
// are in test/upkeep_test.go and in modules/*/tests.
type wrongInput struct {
	name string
	// make does it; do is what notices it, by default the look at files, variables and secrets before anything is built.
	make func(*careless)
	do   func(*careless) error
	// words have to stand in the message: the value or its place, and what to do.
	words []string
}

// way is the notification of a complete staging.
const way = `notification = { about_delivery = { robot_file = "watch.url" } }`

var wrongInputs = []wrongInput{
	{"an unknown environment", nil, func(c *careless) error { _, err := Open(Environment{Name: "stagin", Repo: c.repo}); return err }, []string{`"stagin"`, "choose one of local, staging"}},
	{"a folder that is no checkout", nil, func(c *careless) error { _, err := Open(Environment{Name: "local", Repo: c.t.TempDir()}); return err }, []string{"run this in a checkout of Lookout"}},
	{"a new environment without a name", nil, func(c *careless) error { _, err := New(c.repo, ""); return err }, []string{"make new-env NAME=qa"}},
	{"a new environment with a name that is none", nil, func(c *careless) error { _, err := New(c.repo, "QA 2"); return err }, []string{`NAME="QA 2"`, "lower-case letters"}},
	{"a new environment that exists", nil, func(c *careless) error { _, err := New(c.repo, "staging"); return err }, []string{"envs/staging exists already", "choose another name"}},
	{"a stack's name that is none", nil, func(c *careless) error { return c.e.SetName(c.ctx, "Two!") }, []string{`NAME="Two!"`, "lower-case letters"}},
	{"an unknown origin", nil, func(c *careless) error {
		_, err := toolchain.OpenOrigins(filepath.Join(c.t.TempDir(), "o"), "mirror")
		return err
	}, []string{`ORIGIN="mirror"`, "auto, registry or modules"}},
	{"a service that is not there", nil, func(c *careless) error {
		engine := &fakeEngine{containers: map[string]map[string]any{"relay-id": container("relay", "running", "")}}
		write(c.t, filepath.Join(c.e.root("platform"), "terraform.tfstate"), `{"outputs":{"stack":{"value":{"id":"id-1","name":"lookout-fake"}}}}`)
		return c.e.Logs(engine.use(c.t), "rely", 1, false)
	}, []string{"SERVICE=rely", "choose one of relay"}},
	{"no terminal to ask at", nil, func(c *careless) error { return c.e.confirmed("Apply to platform of") }, []string{"no terminal", "YES=1"}},
	{"a yes where production's name is asked for", nil, func(c *careless) error {
		c.e.Name, c.e.In = "prod", strings.NewReader("yes\n")
		return c.e.confirmed("Apply to platform of")
	}, []string{"not confirmed", "nothing was changed"}},
	{"plan before init", nil, func(c *careless) error { return c.e.findTerraform(c.ctx) }, []string{"not initialised", "make init ENV=staging"}},

	{"no backend.hcl", func(c *careless) { c.remove(filepath.Join(c.e.root("platform"), "backend.hcl")) }, nil, []string{"envs/staging/platform/backend.hcl is missing", "copy backend.hcl.example"}},
	{"no backend.hcl for the content", func(c *careless) { c.withGrafana(); c.remove(filepath.Join(c.e.root("content"), "backend.hcl")) }, nil, []string{"envs/staging/content/backend.hcl is missing", "copy backend.hcl.example"}},
	{"GRAFANA_URL without GRAFANA_AUTH", func(c *careless) { c.withGrafana(); c.t.Setenv("GRAFANA_AUTH", "") }, nil, []string{"GRAFANA_AUTH is not", "token or user:password"}},
	{"GRAFANA_AUTH without GRAFANA_URL", func(c *careless) { c.t.Setenv("GRAFANA_AUTH", "x:y") }, nil, []string{"GRAFANA_URL is not: set it"}},
	{"GRAFANA_URL that is no address", func(c *careless) { c.withGrafana(); c.t.Setenv("GRAFANA_URL", "grafana:3000") }, nil, []string{`"grafana:3000"`, "write for example https://"}},
	{"GRAFANA_URL of another environment", func(c *careless) {
		c.withGrafana()
		write(c.t, filepath.Join(c.repo, "envs/local/platform/terraform.tfvars"), `root_url = "https://grafana.example.com/"`)
	}, nil, []string{"https://grafana.example.com", "belongs to the environment local"}},
	{"GRAFANA_URL of another stack on this machine", func(c *careless) {
		c.withGrafana()
		c.t.Setenv("GRAFANA_URL", "http://127.0.0.1:3001")
		grafana := container("grafana", "running", "healthy")
		grafana["NetworkSettings"] = map[string]any{"Ports": map[string]any{"3000/tcp": []map[string]string{{"HostPort": "3001"}}}}
		c.ctx = (&fakeEngine{containers: map[string]map[string]any{"grafana-id": grafana}}).use(c.t)
	}, nil, []string{"http://127.0.0.1:3001", "belongs to the stack lookout-fake"}},
	{"a wrong password of Grafana", func(c *careless) { c.withGrafana() }, func(c *careless) error {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
		defer server.Close()
		c.t.Setenv("GRAFANA_URL", server.URL)
		c.t.Setenv("GRAFANA_AUTH", "admin:wrong")
		return c.e.checkLogin(c.ctx)
	}, []string{"refuses the password for its user admin", "correct GRAFANA_AUTH"}},
	{"a Grafana to run without a password", func(c *careless) {
		c.t.Setenv("GRAFANA_IMAGE", "grafana/grafana:13.2.3")
		write(c.t, filepath.Join(c.e.root("content"), "backend.hcl"), "bucket = \"b\"\n")
	}, nil, []string{"grafana_admin_password is not set", "TF_VAR_grafana_admin_password"}},

	{"a secret of the relay that is missing", func(c *careless) { c.remove(filepath.Join(c.secrets, "relay/team.token")) }, nil, []string{"/lookout/relay/team.token is not there", "relay.yaml", "install -D -m 0640"}},
	{"a secret that is empty", func(c *careless) { write(c.t, filepath.Join(c.secrets, "relay/team.token"), "") }, nil, []string{"/lookout/relay/team.token is empty", "write it again"}},
	{"a secret that is a directory", func(c *careless) {
		c.remove(filepath.Join(c.secrets, "relay/team.token"))
		require.NoError(c.t, os.Mkdir(filepath.Join(c.secrets, "relay/team.token"), 0o755))
	}, nil, []string{"team.token is a directory", "put a file there"}},
	{"a secret that the containers cannot read", func(c *careless) { require.NoError(c.t, os.Chmod(filepath.Join(c.secrets, "relay/team.token"), 0o600)) }, nil, []string{"team.token cannot be read by uid 65534", "chgrp 65534"}},
	{"a folder of secrets that the containers cannot enter", func(c *careless) { require.NoError(c.t, os.Chmod(filepath.Join(c.secrets, "relay"), 0o700)) }, nil, []string{"cannot be read by uid 65534", "chmod g+rx"}},
	{"a secret of Prometheus that is missing", func(c *careless) {
		c.set("platform", `scrape_jobs = { db = { targets = [{ address = "db:9104" }], basic_auth = { username = "u", password_file = "db/password" } } }`)
	}, nil, []string{"/lookout/prometheus/db/password is not there", "scrape_jobs.db.basic_auth.password_file"}},
	{"a secret of Alertmanager that is missing", func(c *careless) { c.remove(filepath.Join(c.secrets, "alertmanager/watch.url")) }, nil, []string{"/lookout/alertmanager/watch.url is not there", "notification.about_delivery.robot_file"}},
	{"no way around the relay", func(c *careless) { c.edit("envs/staging/platform/terraform.tfvars", way, "") }, nil, []string{"notification.about_delivery is not set", "write notification ="}},
	{"no way around the relay with Grafana", func(c *careless) {
		c.withGrafana()
		c.edit("envs/staging/platform/terraform.tfvars", `alerting = "prometheus"`, `alerting = "grafana"`)
		c.edit("envs/staging/content/terraform.tfvars", "about_delivery", "# about_delivery")
	}, nil, []string{"envs/staging/content: about_delivery is not set", "write about_delivery ="}},

	{"a typo in a job", func(c *careless) {
		c.set("platform", `scrape_jobs = { shop = { intervall = "5s", targets = [{ address = "shop:80" }] } }`)
	}, nil, []string{`unknown key "intervall"`, `did you mean "interval"?`, "terraform.tfvars:"}},
	{"a typo in a target", func(c *careless) {
		c.set("platform", `scrape_jobs = { shop = { targets = [{ addres = "shop:80" }] } }`)
	}, nil, []string{`unknown key "addres"`, `did you mean "address"?`}},
	{"a typo in an override", func(c *careless) { c.set("platform", `alert_overrides = { GoThreadsHigh = { pendin = "5m" } }`) }, nil, []string{`unknown key "pendin"`, `did you mean "pending"?`}},
	{"a typo in the notification", func(c *careless) {
		c.t.Setenv("TF_VAR_notification", `{ about_delivry = {} }`)
		c.edit("envs/staging/platform/terraform.tfvars", way, "")
		c.edit("envs/staging/platform/terraform.tfvars", `"prometheus"`, `"grafana"`)
	}, nil, []string{"TF_VAR_notification: ", `unknown key "about_delivry"`, `did you mean "about_delivery"?`}},
	{"a typo in the timing", func(c *careless) {
		c.edit("envs/staging/platform/terraform.tfvars", "notification = {", `notification = { timing = { group_wiat = "1s" },`)
	}, nil, []string{`notification.timing has an unknown key "group_wiat"`, `did you mean "group_wait"?`}},
	{"a typo in a route", func(c *careless) {
		c.edit("envs/staging/platform/terraform.tfvars", "notification = {", `notification = { routes = [{ target = "team", match = { team = "db" } }],`)
	}, nil, []string{`notification.routes[0] has an unknown key "match"`, "matchers"}},
	{"a port of a service that is not there", func(c *careless) { c.set("platform", `ports = { promethues = 9191 }`) }, nil, []string{`unknown key "promethues"`, `did you mean "prometheus"?`}},
	{"an image of a service that is not there", func(c *careless) { c.set("platform", `images = { prometeus = "prom/prometheus:v3.16.0" }`) }, nil, []string{`unknown key "prometeus"`, `did you mean "prometheus"?`}},
	{"memory of a service that is not there", func(c *careless) { c.set("platform", `memory_mebibytes = { relai = 256 }`) }, nil, []string{`unknown key "relai"`, `did you mean "relay"?`}},
	{"a typo in a .tf file", func(c *careless) {
		write(c.t, filepath.Join(c.e.root("platform"), "more.tf"), "module \"more\" {\n  source    = \"../../../modules/prometheus\"\n  retention = { sice = \"1GB\" }\n}\n")
	}, nil, []string{"more.tf:3: ", `unknown key "sice"`, `did you mean "size"?`}},
	{"a typo in the content's timing", func(c *careless) { c.set("content", `timing = { repeat_intervall = "1h" }`) }, nil, []string{`unknown key "repeat_intervall"`, `did you mean "repeat_interval"?`}},
	{"a variable that is not there", func(c *careless) { c.set("platform", `retenton = { time = "30d" }`) }, nil, []string{`unknown variable "retenton"`, "terraform.tfvars:"}},
	{"a variable of the environment that is not there", func(c *careless) { c.t.Setenv("TF_VAR_scrape_job", "{}") }, nil, []string{"TF_VAR_scrape_job: ", "did you mean TF_VAR_scrape_jobs?"}},
	{"a variable that has no value", func(c *careless) {
		write(c.t, filepath.Join(c.e.root("platform"), "more.tf"), "variable \"needed\" {\n  type = string\n}\n")
	}, nil, []string{"the variable needed is not set", "TF_VAR_needed"}},

	{"a dashboard that is not JSON", func(c *careless) { write(c.t, filepath.Join(c.repo, "dashboards/shop/a.json"), `{"title": `) }, files, []string{"dashboards/shop/a.json:1:"}},
	{"two dashboards of one uid", func(c *careless) {
		write(c.t, filepath.Join(c.repo, "dashboards/a/a.json"), `{"uid":"a","title":"A","panels":[]}`)
		write(c.t, filepath.Join(c.repo, "dashboards/b/a.json"), `{"uid":"a","title":"B","panels":[]}`)
	}, files, []string{"dashboards/a/a.json:1:", "is also that of dashboards/b/a.json"}},
	{"a query that Prometheus refuses", func(c *careless) {
		write(c.t, filepath.Join(c.repo, "dashboards/a/a.json"), `{"uid":"a","title":"A","panels":[{"type":"stat","title":"P","targets":[{"expr":"sum("}]}]}`)
	}, files, []string{`panel "P"`, "unclosed left parenthesis"}},
	{"a typo in a rule file", func(c *careless) {
		write(c.t, filepath.Join(c.repo, "alerts/a.yaml"), "groups:\n  - name: a\n    rules:\n      - alert: A\n        exprr: up\n")
	}, files, []string{"alerts/a.yaml:5", "exprr"}},
	{"a typo in the settings of alerts", func(c *careless) {
		c.edit("envs/staging/alerts.yaml", "overrides:", "overides:")
		write(c.t, filepath.Join(c.repo, "alerts/a.yaml"), "groups:\n  - name: a\n    rules: []\n")
	}, files, []string{"envs/staging/alerts.yaml", "overides"}},
}

func files(c *careless) error { return checkFiles(c.ctx, c.repo) }

func TestAWrongInputEndsInASentenceWithItsRemedy(t *testing.T) {
	require.GreaterOrEqual(t, len(wrongInputs), 40)
	for _, w := range wrongInputs {
		t.Run(w.name, func(t *testing.T) {
			c := newCareless(t)
			c.set("platform", way)
			c.e.local = true
			calls := script(t, c.e, "")
			if w.name == "plan before init" {
				c.e.terraform.Path = ""
			}
			if w.make != nil {
				w.make(c)
			}
			if w.do == nil {
				w.do = func(c *careless) error { return c.e.preflight(c.ctx) }
			}
			err := w.do(c)
			require.Error(t, err)
			for _, word := range w.words {
				require.ErrorContains(t, err, word)
			}
			require.Empty(t, calls(), "Terraform is not asked")
		})
	}
}

func TestACompleteEnvironmentIsNotObjectedTo(t *testing.T) {
	c := newCareless(t)
	c.set("platform", way)
	c.e.local = true
	require.NoError(t, c.e.preflight(c.ctx))
	c.withGrafana()
	require.NoError(t, c.e.preflight(c.ctx))
	u, err := url.Parse("https://grafana.example.com")
	require.NoError(t, err)
	require.Empty(t, c.e.othersGrafana(c.ctx, u))
}

func TestAllThatIsMissingComesInOneMessage(t *testing.T) {
	c := newCareless(t)
	c.e.local = true
	c.remove(filepath.Join(c.e.root("platform"), "backend.hcl"))
	c.remove(filepath.Join(c.secrets, "relay/team.token"))
	c.set("platform", `scrape_jobs = { a = { intervall = "5s", targets = [{ address = "a:1" }] } }`)
	t.Setenv("GRAFANA_URL", "https://grafana.example.com")
	err := c.e.preflight(c.ctx)
	require.Error(t, err)
	for _, part := range []string{`"intervall"`, "envs/staging/platform/backend.hcl", "envs/staging/content/backend.hcl", "GRAFANA_AUTH", "team.token", "about_delivery", "nothing was changed"} {
		require.ErrorContains(t, err, part)
	}
}

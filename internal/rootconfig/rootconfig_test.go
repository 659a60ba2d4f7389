package rootconfig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const repository = "../.."

// copyOf is an environment of this repository in a folder of its own, with the modules that it calls.
func copyOf(t *testing.T, env string) (repo string) {
	t.Helper()
	repo = t.TempDir()
	for _, dir := range []string{"envs/" + env, "stacks", "modules"} {
		require.NoError(t, os.MkdirAll(filepath.Join(repo, filepath.Dir(dir)), 0o755))
		require.NoError(t, filepath.WalkDir(filepath.Join(repository, dir), func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !(strings.HasSuffix(path, ".tf") || strings.HasSuffix(path, "relay.yaml")) || strings.Contains(path, "/.terraform/") {
				return err
			}
			rel, err := filepath.Rel(repository, path)
			require.NoError(t, err)
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.MkdirAll(filepath.Join(repo, filepath.Dir(rel)), 0o755))
			return os.WriteFile(filepath.Join(repo, rel), data, 0o644)
		}))
	}
	// Its robots are a person's to choose.
	require.NoError(t, os.WriteFile(filepath.Join(repo, "envs", env, "platform/relay.yaml"), []byte("robots:\n  team: {token_file: /secrets/team.token}\n"), 0o644))
	return repo
}

func problems(t *testing.T, repo, root string, environ ...string) []string {
	t.Helper()
	dir := filepath.Join(repo, root)
	m, err := Load(dir)
	require.NoError(t, err)
	values, err := Values(repo, dir, m, environ, nil)
	require.NoError(t, err)
	found, err := Undeclared(repo, dir, m, environ)
	require.NoError(t, err)
	var all []string
	for _, p := range append(found, UnknownKeys(repo, m, values)...) {
		all = append(all, p.String())
	}
	return all
}

func TestNothingIsUnknownInTheEnvironmentsOfThisRepository(t *testing.T) {
	for _, env := range []string{"local", "staging", "prod"} {
		for _, root := range []string{"platform", "content"} {
			require.Empty(t, problems(t, repository, "envs/"+env+"/"+root))
		}
	}
}

func TestKeysThatTerraformWouldDropAreNamed(t *testing.T) {
	repo := copyOf(t, "staging")
	for name, c := range map[string]struct {
		root string
		// tfvars is the file's text; environ one variable of the environment; tf a further file of the root.
		tfvars, environ, tf string
		want                string
	}{
		"in a job, through three modules": {tfvars: `scrape_jobs = {
  shop = { intervall = "5s", targets = [{ address = "shop:80" }] }
}`, want: `envs/staging/platform/terraform.tfvars:1: scrape_jobs.shop has an unknown key "intervall", which would be ignored: did you mean "interval"?`},
		"in a list of a job":                 {tfvars: `scrape_jobs = { shop = { targets = [{ adress = "shop:80" }] } }`, want: `scrape_jobs.shop.targets[0] has an unknown key "adress", which would be ignored: did you mean "address"?`},
		"in an override":                     {tfvars: `alert_overrides = { GoThreadsHigh = { pendin = "5m" } }`, want: `alert_overrides.GoThreadsHigh has an unknown key "pendin", which would be ignored: did you mean "pending"?`},
		"in what is merged":                  {tfvars: `notification = { default_traget = "team" }`, want: `notification has an unknown key "default_traget", which would be ignored: did you mean "default_target"?`},
		"below what is merged":               {tfvars: `notification = { timing = { group_intervall = "1m" } }`, want: `notification.timing has an unknown key "group_intervall", which would be ignored: did you mean "group_interval"?`},
		"in a route":                         {tfvars: `notification = { routes = [{ label = { a = "b" }, target = "team" }] }`, want: `notification.routes[0] has an unknown key "label", which would be ignored: did you mean "labels"?`},
		"in a typed variable":                {tfvars: `ports = { promethues = 1 }`, want: `ports has an unknown key "promethues", which would be ignored: did you mean "prometheus"?`},
		"in a variable that is anything":     {tfvars: `images = { prometeus = "x" }`, want: `images has an unknown key "prometeus", which would be ignored: did you mean "prometheus"?`},
		"in a map of numbers that is merged": {tfvars: `memory_mebibytes = { relais = 1 }`, want: `memory_mebibytes has an unknown key "relais", which would be ignored: did you mean "relay"?`},
		"without a name that is close":       {tfvars: `ports = { ssh = 22 }`, want: `unknown key "ssh", which would be ignored: known are alertmanager, console, grafana, prometheus, relay`},
		"in the environment":                 {environ: `TF_VAR_notification={about_delivry = {email = ["a@example.com"]}}`, want: `TF_VAR_notification: notification has an unknown key "about_delivry", which would be ignored: did you mean "about_delivery"?`},
		"in a .tf file": {tf: `module "more" {
  source    = "../../../modules/prometheus"
  retention = { sise = "10GB" }
}`, want: `envs/staging/platform/more.tf:3: retention has an unknown key "sise", which would be ignored: did you mean "size"?`},
		"in an object of a .tf file in a merge": {tf: `module "more" {
  source       = "../../../stacks/platform"
  notification = merge({ timing = { group_wiat = "30s" } }, {})
}`, want: `notification.timing has an unknown key "group_wiat", which would be ignored: did you mean "group_wait"?`},
		"a variable that is not there":  {tfvars: `consol_url = "http://x"`, want: `envs/staging/platform/terraform.tfvars:1: unknown variable "consol_url", which would be ignored: did you mean "console_url"?`},
		"a variable of the environment": {environ: `TF_VAR_scrape_job={}`, want: `TF_VAR_scrape_job: no root has a variable of that name; did you mean TF_VAR_scrape_jobs?`},
		"in content":                    {root: "content", tfvars: `timing = { group_wiat = "1s" }`, want: `timing has an unknown key "group_wiat", which would be ignored: did you mean "group_wait"?`},
		"in a .tf file of the content": {root: "content", tf: `module "more" {
  source   = "../../../stacks/content"
  delivery = { heartbeat_intervall = "1m" }
}`, want: `delivery has an unknown key "heartbeat_intervall", which would be ignored: did you mean "heartbeat_interval"?`},
		"nothing wrong: another root's secret": {environ: `TF_VAR_aws_secret=x`},
		"nothing wrong: a map's own names":     {tfvars: `scrape_jobs = { anything = { targets = [{ address = "a:1", labels = { any = "x" } }], parameters = { module = ["x"] } } }`},
	} {
		t.Run(name, func(t *testing.T) {
			if c.root == "" {
				c.root = "platform"
			}
			dir := filepath.Join(repo, "envs/staging", c.root)
			if c.tfvars != "" {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "terraform.tfvars"), []byte(c.tfvars), 0o644))
				defer os.Remove(filepath.Join(dir, "terraform.tfvars"))
			}
			if c.tf != "" {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "more.tf"), []byte(c.tf), 0o644))
				defer os.Remove(filepath.Join(dir, "more.tf"))
			}
			found := problems(t, repo, "envs/staging/"+c.root, c.environ)
			if c.want == "" {
				require.Empty(t, found)
				return
			}
			require.Len(t, found, 1)
			require.Contains(t, found[0], c.want)
		})
	}
}

func TestValuesAreFoundAsTerraformFindsThem(t *testing.T) {
	repo := copyOf(t, "staging")
	dir := filepath.Join(repo, "envs/staging/platform")
	m, err := Load(dir)
	require.NoError(t, err)
	for name, text := range map[string]string{
		"terraform.tfvars":        `console_url = "http://from.tfvars"` + "\n" + `name = "first"`,
		"b.auto.tfvars.json":      `{"name": "third"}`,
		"a.auto.tfvars":           `name = "second"`,
		"images.auto.tfvars.json": `{"images": {"relay": "generated"}}`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	environ := []string{"TF_VAR_console_url=http://from.environment", "TF_VAR_root_url=http://grafana", `TF_VAR_scrape_jobs={a = {targets = [{address = "x:1"}]}}`}
	values, err := Values(repo, dir, m, environ, func(name string) bool { return name == "images.auto.tfvars.json" })
	require.NoError(t, err)
	require.Equal(t, "third", Text(values["name"].Value))
	require.Equal(t, "http://from.tfvars", Text(values["console_url"].Value), "a file counts more than the environment")
	require.Equal(t, "http://grafana", Text(values["root_url"].Value))
	require.NotContains(t, values, "images")
	e := NewEvaluator(m, values)
	directory, ok := e.Argument("platform", "relay")
	require.True(t, ok)
	require.Equal(t, "/etc/lookout/relay", Text(Get(directory, "secrets_directory")))
	require.Contains(t, Text(Get(directory, "config")), "team.token")
	secrets, ok := e.Argument("platform", "secrets_directory")
	require.True(t, ok)
	require.True(t, secrets.IsNull(), "no job names a secret")
	retention, err := e.Variable("ports")
	require.NoError(t, err)
	require.True(t, retention.Type().HasAttribute("relay"), "optional attributes have their defaults")
}

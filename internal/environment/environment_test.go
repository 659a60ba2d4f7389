package environment

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/toolchain"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

func newEnvironment(t *testing.T) (*Environment, *bytes.Buffer) {
	t.Helper()
	repo := t.TempDir()
	for _, dir := range []string{"envs/local/platform", "envs/local/content", "envs/prod/platform", "envs/prod/content"} {
		require.NoError(t, os.MkdirAll(filepath.Join(repo, dir), 0o755))
	}
	var out bytes.Buffer
	e, err := Open(Environment{Name: "local", Repo: repo, Out: &out, Progress: &toolchain.Progress{Out: &out}})
	require.NoError(t, err)
	return e, &out
}

func TestAnUnknownEnvironmentIsNamedWithThoseThatExist(t *testing.T) {
	e, _ := newEnvironment(t)
	_, err := Open(Environment{Name: "prdo", Repo: e.Repo})
	require.ErrorContains(t, err, `unknown environment "prdo": choose one of local, prod`)
}

func TestWrongFilesAreNamedWithTheirPlace(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"not JSON": {
			map[string]string{"go/a.json": "{\n  \"title\": \"A\",\n  \"panels\": [,]\n}\n"},
			"dashboards/go/a.json:3:14: "},
		"cut off": {
			map[string]string{"go/a.json": "{\n  \"title\": \"A\""},
			"dashboards/go/a.json:2:"},
		"one uid in two folders": {
			map[string]string{"go/a.json": `{"uid":"a","title":"One","panels":[]}`, "web/a.json": `{"uid":"a","title":"Two","panels":[]}`},
			`dashboards/go/a.json:1:8: the uid "a" is also that of dashboards/web/a.json (duplicate-uid)`},
		"the uid inside is another": {
			map[string]string{"go/a.json": `{"uid":"b","title":"B","panels":[]}`},
			`dashboards/go/a.json:1:8: the uid is "b" and the file is called a.json: both must be the same (plan-refused)`},
		"a list": {
			map[string]string{"go/a.json": `[]`},
			"dashboards/go/a.json:1:1: not a dashboard"},
		"a query that Prometheus refuses": {
			map[string]string{"go/a.json": `{"uid":"a","title":"A","panels":[{"type":"stat","title":"P","targets":[{"expr":"sum("}]}]}`},
			`panel "P": unclosed left parenthesis (promql-syntax)`},
		"an unknown field in a rule file": {
			map[string]string{"../alerts/a.yaml": "groups:\n  - name: a\n    rules:\n      - alert: A\n        exprr: up\n"},
			"alerts/a.yaml:5"},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := newEnvironment(t)
			for file, text := range c.files {
				write(t, filepath.Join(e.Repo, "dashboards", file), text)
			}
			err := checkFiles(t.Context(), e.Repo)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "nothing was changed")
		})
	}
	e, _ := newEnvironment(t)
	write(t, filepath.Join(e.Repo, "dashboards/lock.json"), "not a dashboard, and not in a folder")
	write(t, filepath.Join(e.Repo, "dashboards/go/a.json"), `{"uid":"a","title":"A","panels":[]}`)
	require.NoError(t, checkFiles(t.Context(), e.Repo))
}

func TestPublishedPortsOfAPlannedContainer(t *testing.T) {
	got := listenAddresses(map[string]any{"ports": []any{
		map[string]any{"external": 3001.0, "internal": 3000.0, "ip": "127.0.0.1", "protocol": "tcp"},
		map[string]any{"internal": 9000.0},
		map[string]any{"external": 53.0, "protocol": "udp"},
	}})
	require.Equal(t, []string{"127.0.0.1:3001"}, got)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.Error(t, free(l.Addr().String()))
	require.NoError(t, l.Close())
	require.NoError(t, free(l.Addr().String()))
}

func TestADamagedStateIsReplacedByItsBackupAndKept(t *testing.T) {
	e, out := newEnvironment(t)
	state := filepath.Join(e.root("platform"), "terraform.tfstate")
	write(t, state, `{"version": 4, "resour`)
	write(t, state+".backup", `{"version": 4}`)
	require.NoError(t, e.restoreState("platform"))
	data, err := os.ReadFile(state)
	require.NoError(t, err)
	require.JSONEq(t, `{"version": 4}`, string(data))
	require.FileExists(t, state+".damaged")
	require.Contains(t, out.String(), "its backup is used")

	write(t, state, "broken")
	write(t, state+".backup", "broken too")
	require.ErrorContains(t, e.restoreState("platform"), "no sound backup")
	data, err = os.ReadFile(state)
	require.NoError(t, err)
	require.Equal(t, "broken", string(data), "what cannot be repaired is left unchanged")
}

func TestTheLocalPasswordIsGeneratedOnceAndPrivate(t *testing.T) {
	e, out := newEnvironment(t)
	require.NoError(t, e.secrets())
	require.NoError(t, e.Password())
	password := strings.TrimSpace(out.String())
	require.GreaterOrEqual(t, len(password), 20)
	info, err := os.Stat(e.varsPath("platform", "secrets"))
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())

	var content contentSecrets
	require.NoError(t, e.readVars("content", "secrets", &content))
	require.Equal(t, "admin:"+password, content.Auth)

	require.NoError(t, e.secrets())
	out.Reset()
	require.NoError(t, e.Password())
	require.Equal(t, password, strings.TrimSpace(out.String()))
}

func TestTheRelaysSecretsAreGeneratedOnceAndFitTheRobot(t *testing.T) {
	e, _ := newEnvironment(t)
	dir := filepath.Join(e.root("platform"), "secrets")
	require.NoError(t, e.secrets())
	content := func() map[string]string {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		files := map[string]string{}
		for _, entry := range entries {
			data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
			require.NoError(t, err)
			info, err := entry.Info()
			require.NoError(t, err)
			require.EqualValues(t, 0o644, info.Mode().Perm(), "%s is not readable by the relay's user", entry.Name())
			files[entry.Name()] = strings.TrimSpace(string(data))
		}
		return files
	}
	files := content()
	require.Len(t, files, 5)
	require.GreaterOrEqual(t, len(files["answers.key"]), 64)
	for _, name := range []string{"ops.token", "ops.sign", "backup.token"} {
		require.GreaterOrEqual(t, len(files[name]), 64)
		require.Contains(t, files["robots.yaml"], files[name], "the robot does not know %s", name)
	}
	require.NotEqual(t, files["ops.token"], files["backup.token"])

	require.NoError(t, e.secrets())
	require.Equal(t, files, content())

	// A folder from before links for answers gets their key, and keeps what it has.
	require.NoError(t, os.Remove(filepath.Join(dir, "answers.key")))
	require.NoError(t, e.secrets())
	require.Equal(t, files["ops.token"], content()["ops.token"])
	require.GreaterOrEqual(t, len(content()["answers.key"]), 64)

	// Interrupted before its end, it starts over rather than leaving files that don't fit.
	require.NoError(t, os.Remove(filepath.Join(dir, "robots.yaml")))
	require.NoError(t, e.secrets())
	require.Contains(t, content()["robots.yaml"], content()["ops.token"])
}

func TestOtherEnvironmentsAskBeforeTheyChange(t *testing.T) {
	e, out := newEnvironment(t)
	e.Name = "prod"
	t.Setenv("YES", "")
	require.ErrorContains(t, e.confirmed("Apply to platform of"), "YES=1")
	e.In = strings.NewReader("y\n")
	require.ErrorContains(t, e.confirmed("Apply to platform of"), "nothing was changed")
	e.In = strings.NewReader("yes\n")
	require.ErrorContains(t, e.confirmed("Apply to platform of"), "nothing was changed", "production wants its name")
	e.In = strings.NewReader("prod\n")
	require.NoError(t, e.confirmed("Apply to platform of"))
	require.Contains(t, out.String(), `Apply to platform of prod? Only "prod" goes on: `)
	e.Name, e.In = "staging", strings.NewReader("yes\n")
	require.NoError(t, e.confirmed("Apply to platform of"))
	e.Name = "prod"
	require.NoError(t, e.secrets())
	require.NoFileExists(t, e.varsPath("platform", "secrets"), "only local has generated secrets")
	require.NoDirExists(t, filepath.Join(e.root("platform"), "secrets"), "only local has generated secrets")
}

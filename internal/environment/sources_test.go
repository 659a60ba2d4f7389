package environment

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/toolchain"
)

func sourcesEnvironment(t *testing.T, files map[string]string) *Environment {
	t.Helper()
	e := &Environment{Name: Local, Repo: t.TempDir()}
	require.NoError(t, os.MkdirAll(e.root("platform"), 0o755))
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(e.root("platform"), name), []byte(text), 0o644))
	}
	return e
}

func TestSourcesComeFromTheFilesOfAnEnvironment(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"nothing":                {nil, nil},
		"a line in main.tf":      {map[string]string{"main.tf": "module \"platform\" {\n  sources = [\"redis\", \"host\"]\n}\n"}, []string{"redis", "host"}},
		"several lines":          {map[string]string{"terraform.tfvars": "sources = [\n  \"redis\",\n  \"host\",\n]\n"}, []string{"redis", "host"}},
		"a variable is no list":  {map[string]string{"main.tf": "  sources = var.sources\n"}, nil},
		"another name":           {map[string]string{"main.tf": "  data_sources = [\"redis\"]\n"}, nil},
		"tfvars before main.tf":  {map[string]string{"main.tf": "  sources = [\"redis\"]\n", "terraform.tfvars": "sources = []\n"}, []string{}},
		"what was chosen counts": {map[string]string{"terraform.tfvars": "sources = [\"redis\"]\n", "sources.auto.tfvars.json": `{"sources": ["jvm"]}`}, []string{"jvm"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := sourcesEnvironment(t, c.files).sources()
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestAnUnknownSourceIsRefused(t *testing.T) {
	e := sourcesEnvironment(t, map[string]string{"terraform.tfvars": "sources = [\"oracle\"]\n"})
	_, err := e.sources()
	require.ErrorContains(t, err, `terraform.tfvars: "oracle" is not a known source of metrics: use all, none, or some of batch,`)
	require.ErrorContains(t, e.ChooseSources("redis,oracle"), `SOURCES="redis,oracle": "oracle" is not a known source`)
	_, err = os.Stat(e.varsPath("platform", "sources"))
	require.ErrorIs(t, err, os.ErrNotExist, "a wrong choice was kept")
}

func TestSourcesAreChosenAndKept(t *testing.T) {
	e := sourcesEnvironment(t, nil)
	for list, want := range map[string][]string{
		"redis":             {"redis"},
		"redis, host redis": {"host", "redis"},
		"none":              {},
		"all":               toolchain.SourceNames(),
	} {
		require.NoError(t, e.ChooseSources(list))
		got, err := e.sources()
		require.NoError(t, err)
		require.Equal(t, want, got, list)
	}
}

func TestSecretsOfSourcesAreMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	require.NoError(t, SourceSecrets(dir))
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return string(data)
	}
	password := read("redis/password")
	require.Len(t, password, 64)
	require.JSONEq(t, `{"redis://lookout@redis:6379": "`+password+`"}`, read("redis/passwords.json"))
	require.Contains(t, read("mysql/my.cnf"), "password = "+read("mysql/password")+"\n")
	require.NotEqual(t, read("mysql/password"), read("postgres/password"))
	require.NoError(t, SourceSecrets(dir))
	require.Equal(t, password, read("redis/password"))
}

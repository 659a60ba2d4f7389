package environment

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// littered is a checkout in which `make up` and `make down` have run.
func littered(t *testing.T) (e *Environment, out interface{ String() string }, cache string) {
	t.Helper()
	e, buffer := newEnvironment(t)
	cache = filepath.Join(t.TempDir(), "lookout")
	t.Setenv("LOOKOUT_CACHE", cache)
	t.Setenv("YES", "")
	write(t, filepath.Join(cache, "prometheus", "a"), strings.Repeat("x", 3<<20))
	write(t, e.cache("bin", "terraform"), "program")
	write(t, filepath.Join(e.root("platform"), "secrets", "ops.token"), "token")
	write(t, filepath.Join(e.root("platform"), "images.auto.tfvars.json"), "{}")
	write(t, filepath.Join(e.root("platform"), "main.tf"), "# mine")
	write(t, filepath.Join(e.root("platform"), "terraform.tfvars"), "# mine")
	write(t, filepath.Join(e.Repo, "backups", "one.tar.gz"), "data")
	return e, buffer, cache
}

func TestUninstallRemovesWhatIsOursAndNamesTheRest(t *testing.T) {
	e, out, cache := littered(t)
	engine := &fakeEngine{images: []string{"lookout/relay:0.1.0-1"}}
	ctx := engine.use(t)

	// Nothing goes without a yes.
	require.ErrorContains(t, e.Uninstall(ctx), "nothing was removed")
	e.In = strings.NewReader("y\n")
	require.ErrorContains(t, e.Uninstall(ctx), "nothing was removed")
	require.DirExists(t, cache)
	require.Empty(t, engine.removed)

	e.In = strings.NewReader("yes\n")
	require.NoError(t, e.Uninstall(ctx))
	require.NoDirExists(t, cache)
	require.NoDirExists(t, e.cache())
	require.NoDirExists(t, filepath.Join(e.root("platform"), "secrets"))
	require.NoFileExists(t, filepath.Join(e.root("platform"), "images.auto.tfvars.json"))
	require.FileExists(t, filepath.Join(e.root("platform"), "main.tf"))
	require.FileExists(t, filepath.Join(e.root("platform"), "terraform.tfvars"), "a person wrote that")
	require.FileExists(t, filepath.Join(e.Repo, "backups", "one.tar.gz"))
	require.Equal(t, []string{"lookout/relay:0.1.0-1"}, engine.removed)
	require.Contains(t, out.String(), "3 MiB  "+cache)
	require.Contains(t, out.String(), "image lookout/relay:0.1.0-1")
	require.Contains(t, out.String(), "backups (rm -r backups)")
}

func TestUninstallRefusesWhileSomethingIsUp(t *testing.T) {
	for name, c := range map[string]struct {
		engine *fakeEngine
		state  string
		words  string
	}{
		"a container": {&fakeEngine{containers: map[string]map[string]any{"relay-id": container("relay", "running", "healthy")}}, "", "make down"},
		"a state":     {&fakeEngine{}, `{"resources":[{"mode":"managed","type":"docker_network","name":"lookout","instances":[{"attributes":{"id":"1"}}]}]}`, "make down ENV=local"},
		"a bad state": {&fakeEngine{}, `{"resources"`, "not readable"},
	} {
		t.Run(name, func(t *testing.T) {
			e, _, cache := littered(t)
			t.Setenv("YES", "1")
			ctx := c.engine.use(t)
			if c.state != "" {
				write(t, filepath.Join(e.root("platform"), "terraform.tfstate"), c.state)
			}
			require.ErrorContains(t, e.Uninstall(ctx), c.words)
			require.DirExists(t, cache)
			_, err := os.Stat(e.cache("bin", "terraform"))
			require.NoError(t, err)
		})
	}
}

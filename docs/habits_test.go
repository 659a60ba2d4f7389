package docs

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// Every path that CODEOWNERS gives to someone exists, and everything has an owner.
func TestOwnersOwnWhatExists(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "CODEOWNERS"))
	require.NoError(t, err)
	all, n := false, 0
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		n++
		require.Greater(t, len(fields), 1, "no owner: %s", line)
		if fields[0] == "*" {
			all = true
			continue
		}
		_, err := os.Stat(filepath.Join(root, filepath.FromSlash(fields[0])))
		require.NoError(t, err)
	}
	require.True(t, all, "no line for *")
	require.Greater(t, n, 5)
}

// Dependency updates look at every go.mod and at the workflows.
func TestEveryModuleIsUpdated(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, ".github", "dependabot.yml"))
	require.NoError(t, err)
	var config struct {
		Version int
		Updates []struct {
			Ecosystem   string `yaml:"package-ecosystem"`
			Directory   string
			Directories []string
			Schedule    struct{ Interval string }
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &config))
	require.Equal(t, 2, config.Version)
	covered := func(ecosystem, dir string) bool {
		for _, u := range config.Updates {
			if u.Ecosystem != ecosystem {
				continue
			}
			for _, pattern := range append(slices.Clone(u.Directories), u.Directory) {
				if ok, err := path.Match(pattern, dir); err == nil && ok && u.Schedule.Interval != "" {
					return true
				}
			}
		}
		return false
	}
	modules := 0
	require.NoError(t, filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && name != root && (strings.HasPrefix(e.Name(), ".") || e.Name() == "testdata") {
			return fs.SkipDir
		}
		if e.Name() == "go.mod" {
			modules++
			dir, err := filepath.Rel(root, filepath.Dir(name))
			if err != nil {
				return err
			}
			if !covered("gomod", path.Join("/", filepath.ToSlash(dir))) {
				t.Errorf("%s/go.mod is not among the directories of .github/dependabot.yml", dir)
			}
		}
		return nil
	}))
	require.Greater(t, modules, 5)
	require.True(t, covered("github-actions", "/"))
	for _, env := range []string{"/envs/local/platform", "/envs/prod/content", "/stacks/platform"} {
		require.True(t, covered("terraform", env), env)
	}
}

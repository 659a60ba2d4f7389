package toolchain

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func config(t *testing.T, files map[string]string) (home string) {
	t.Helper()
	home = t.TempDir()
	for name, text := range files {
		require.NoError(t, WriteFile(filepath.Join(home, name), []byte(text), 0o600))
	}
	return home
}

const built = "registry.terraform.io/kreuzwerker/docker"

func TestOurMirrorIsMergedIntoTheUsersConfiguration(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		named string
		// has are lines of the result, hasNot are none.
		has, hasNot []string
	}{
		"no configuration": {
			has: []string{`path = "/mirror"`, `include = ["` + built + `"]`, `direct {`, `exclude = ["` + built + `"]`, `disable_checkpoint = true`},
		},
		"a network mirror keeps its place, without what is built here": {
			files: map[string]string{".terraformrc": "plugin_cache_dir = \"/plugins\" # mine\n" +
				"provider_installation {\n  network_mirror {\n    url = \"https://m.example.com/\"\n    exclude = [\"a/b/c\"]\n  }\n}\n" +
				"credentials \"m.example.com\" {\n  token = \"s3cret\"\n}\n"},
			has: []string{`plugin_cache_dir = "/plugins" # mine`, `network_mirror {`, `url = "https://m.example.com/"`,
				`exclude = ["a/b/c", "` + built + `"]`, `credentials "m.example.com" {`, `token = "s3cret"`},
			hasNot: []string{"direct"},
		},
		"a named file takes the place of all others": {
			files: map[string]string{".terraformrc": "plugin_cache_dir = \"/wrong\"\n", "mine.tfrc": "disable_checkpoint = false\n"},
			named: "mine.tfrc",
			has:   []string{"disable_checkpoint = false"}, hasNot: []string{"/wrong", "disable_checkpoint = true"},
		},
		"files of the configuration folder": {
			files: map[string]string{
				".terraform.d/x.tfrc":                "plugin_cache_dir = \"/x\"\n",
				".terraform.d/y.tfrc.json":           `{"disable_checkpoint": true, "host": {"h.example.com": {"services": {"providers.v1": "https://h/"}}}, "provider_installation": {"filesystem_mirror": {"path": "/y", "include": ["*/*/*"]}}}`,
				".terraform.d/credentials.tfrc.json": `{"credentials": {"z": {"token": "is read by Terraform itself"}}}`,
			},
			has:    []string{`plugin_cache_dir = "/x"`, `"disable_checkpoint" = true`, `"providers.v1" = "https://h/"`, `path = "/y"`, `include = ["*/*/*"]`},
			hasNot: []string{"is read by Terraform itself", "direct"},
		},
		"two places in JSON": {
			files: map[string]string{".terraform.d/y.tfrc.json": `{"provider_installation": {"filesystem_mirror": {"path": "/y"}, "direct": {}}}`},
			has:   []string{`path = "/y"`, "direct {"},
		},
		"overrides stay first": {
			files: map[string]string{".terraformrc": "provider_installation {\n  dev_overrides {\n    \"a/b\" = \"/dev\"\n  }\n  direct {}\n}\n"},
			has:   []string{`"a/b" = "/dev"`},
		},
		"folders in which Terraform looks by itself": {
			files: map[string]string{".terraform.d/plugins/registry.terraform.io/acme/thing/1.0.0/linux_amd64/terraform-provider-thing": ""},
			has:   []string{`include = ["registry.terraform.io/acme/thing"]`, `exclude = ["registry.terraform.io/acme/thing", "` + built + `"]`},
		},
		"a named file that is not there is none, as for Terraform": {named: "none", has: []string{"direct {"}},
	} {
		t.Run(name, func(t *testing.T) {
			home := config(t, c.files)
			named := c.named
			if named != "" {
				named = filepath.Join(home, named)
			}
			user, err := UserCLIConfig(named, home, Terraform{Name: "Terraform"})
			require.NoError(t, err)
			merged := user.Merged("/mirror", home, []string{built})
			for _, text := range c.has {
				require.Contains(t, merged, text)
			}
			for _, text := range c.hasNot {
				require.NotContains(t, merged, text)
			}
			if strings.Contains(merged, "dev_overrides") {
				require.Less(t, strings.Index(merged, "dev_overrides"), strings.Index(merged, "filesystem_mirror"))
			}
			terraformReads(t, merged)
		})
	}
}

// terraformReads holds a configuration against the program that it is for.
func terraformReads(t *testing.T, text string) {
	t.Helper()
	terraform, err := exec.LookPath("../../.cache/bin/terraform")
	if err != nil {
		terraform, err = exec.LookPath("terraform")
	}
	require.NoError(t, err, "`make init` gets a Terraform")
	terraform, err = filepath.Abs(terraform)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "terraform.rc")
	// It refuses a folder of cached plugins that does not exist.
	text = strings.NewReplacer(`"/plugins"`, `"`+t.TempDir()+`"`, `"/x"`, `"`+t.TempDir()+`"`).Replace(text)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	cmd := exec.Command(terraform, "init", "-no-color")
	cmd.Dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(cmd.Dir, "main.tf"), []byte("output \"x\" {\n  value = 1\n}\n"), 0o600))
	cmd.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+file, "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.NotContains(t, string(out), "CLI configuration", text)
}

func TestAWrongConfigurationIsNamed(t *testing.T) {
	for name, c := range map[string]struct{ text, wrong string }{
		"not HCL":    {"provider_installation {", "is not a valid configuration of the Terraform command line: "},
		"two blocks": {"provider_installation {\n}\nprovider_installation {\n}\n", "provider_installation is not a valid block, or there is more than one"},
		"not JSON":   {`{"provider_installation": `, "is not a valid configuration"},
	} {
		t.Run(name, func(t *testing.T) {
			home := config(t, map[string]string{".terraformrc": c.text})
			_, err := UserCLIConfig("", home, Terraform{Name: "Terraform"})
			require.ErrorContains(t, err, c.wrong)
			require.ErrorContains(t, err, filepath.Join(home, ".terraformrc"))
		})
	}
}

package environment

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// terraformPath is the Terraform that `make init` chose, or the one of this machine.
func terraformPath(t *testing.T) string {
	t.Helper()
	if path, err := filepath.EvalSymlinks("../../.cache/bin/terraform"); err == nil {
		return path
	}
	path, err := exec.LookPath("terraform")
	if err != nil {
		t.Fatal("no Terraform here: run `make init` first")
	}
	return path
}

// What Terraform really prints for each kind of mistake, and what is left of it for a person to read.
func TestOurSentenceComesBeforeTerraformsQuotation(t *testing.T) {
	terraform := terraformPath(t)
	for name, c := range map[string]struct{ code, want string }{
		"a variable's validation": {`
variable "alerting" {
  default = "foo"
  validation {
    condition     = contains(["prometheus", "grafana"], var.alerting)
    error_message = "alerting is \"${var.alerting}\"; use \"prometheus\", which needs no Grafana, or \"grafana\", which evaluates the rules inside it."
  }
}`, `alerting is "foo"; use "prometheus", which needs no Grafana, or "grafana", which evaluates the rules inside it. (envs/x/platform/main.tf:2)`},
		"a postcondition with a program's own lines": {`
resource "terraform_data" "check" {
  input = "x"
  lifecycle {
    precondition {
      condition     = length(path.root) > 100
      error_message = "promtool refuses the rules:\n  rules.yaml: 3:9: group \"a\", rule 1, \"A\": could not parse expression: unexpected end of input\nthe running ones stay"
    }
  }
}`, "promtool refuses the rules:\n  rules.yaml: 3:9: group \"a\", rule 1, \"A\": could not parse expression: unexpected end of input\n" +
			"the running ones stay (envs/x/platform/main.tf:6)"},
		"several, one of which each of two resources has": {`
variable "a" {
  default = 1
}
resource "terraform_data" "check" {
  for_each = toset(["1", "2"])
  lifecycle {
    precondition {
      condition     = var.a == 2
      error_message = "a is 1"
    }
  }
}
resource "terraform_data" "other" {
  lifecycle {
    precondition {
      condition     = var.a == 3
      error_message = "a isn't 3"
    }
  }
}`, "a is 1 (envs/x/platform/main.tf:9)\na isn't 3 (envs/x/platform/main.tf:17)"},
		"Terraform's own": {"output \"x\" {\n  value = foo.bar.z\n}",
			"Reference to undeclared resource: A managed resource \"foo\" \"bar\" has not been declared in the root module. (envs/x/platform/main.tf:2)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "main.tf"), []byte(c.code), 0o644))
			var stderr strings.Builder
			cmd := exec.CommandContext(t.Context(), terraform, "plan", "-no-color", "-input=false")
			cmd.Dir, cmd.Stderr = dir, &stderr
			require.Error(t, cmd.Run())
			require.Equal(t, c.want, sentences("envs/x/platform", stderr.String()), "made of:\n%s", &stderr)
		})
	}
}

func TestWhatAProgramSaysIsWhatIsShown(t *testing.T) {
	for name, c := range map[string]struct{ stderr, want string }{
		"a script's words": {"\nError: local-exec provisioner error\n\n  with terraform_data.b,\n  on ../../../stacks/platform/ports.tf line 11, in resource \"terraform_data\" \"b\":\n" +
			"  11:   provisioner \"local-exec\" {\n\nError running command 'sh ./free_port.sh': exit status 1. Output: Port 9100 is in use.\n\n",
			"Port 9100 is in use. (stacks/platform/ports.tf:11)"},
		"a validation far away, whose line is broken too": {"\nError: Invalid value for variable\n\n  on main.tf line 13, in module \"platform\":\n  13:   alerting = var.alerting\n\n" +
			"alerting is \"foo\".\n\nThis was checked by the validation rule at\n../../../stacks/platform/variables.tf:6,3-13.\n", "alerting is \"foo\". (envs/local/platform/main.tf:13)"},
		"in a frame, after a warning": {"╷\n│ Warning: Unable to open CLI configuration file\n│\n│ It says so.\n╵\n╷\n│ Error: No such thing\n│ \n│ It is gone.\n╵\n",
			"No such thing: It is gone."},
		"no error of Terraform's": {"signal: killed\n", "signal: killed"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, sentences("envs/local/platform", c.stderr))
		})
	}
	many := strings.Builder{}
	for i := range 15 {
		many.WriteString("\nError: number " + strings.Repeat("x", i) + "\n")
	}
	require.Contains(t, sentences("", many.String()), "and 5 more")
}

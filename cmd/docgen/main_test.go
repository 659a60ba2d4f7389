package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTablesFollowWhatTheyRepeat(t *testing.T) {
	repo := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(repo, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(repo, name), []byte(text), 0o644))
	}
	docgen := func(args ...string) (string, error) {
		var out bytes.Buffer
		err := run(t.Context(), append([]string{"--repo=" + repo}, args...), &out)
		return out.String(), err
	}
	_, err := docgen()
	require.ErrorContains(t, err, "has a table to generate", "nothing to do is not success")

	const page = "# m\n\n<!-- generated: inputs -->\n<!-- /generated -->\n\n<!-- generated: outputs -->\nold\n<!-- /generated -->\nend\n"
	write("m/README.md", page)
	write("m/main.tf", `variable "b" {
  description = "How many | of them."
  type        = number
  default     = 3
}
variable "a" {
  type = map(object({ name = string, inner = object({ long = list(object({ x = string })) }), more = optional(string, "a default") }))
}
output "o" {
  description = "What."
  value       = 1
}
`)
	_, err = docgen("--check")
	require.ErrorContains(t, err, "m/README.md")
	_, err = docgen()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(repo, "m/README.md"))
	require.NoError(t, err)
	require.Equal(t, "# m\n\n<!-- generated: inputs -->\n| input | type | default | meaning |\n|---|---|---|---|\n| `a` | `map(object(…))` | required |  |\n"+
		"| `b` | `number` | `3` | How many \\| of them. |\n<!-- /generated -->\n\n<!-- generated: outputs -->\n| output | meaning |\n|---|---|\n| `o` | What. |\n<!-- /generated -->\nend\n", string(text))
	out, err := docgen("--check")
	require.NoError(t, err)
	require.Equal(t, "2 generated tables in 1 pages\n", out)

	write("m/more.tf", "variable \"c\" {\n  default = null\n}\n")
	_, err = docgen("--check")
	require.ErrorContains(t, err, "make generate")

	for _, wrong := range []string{"<!-- generated: inputs -->\n", "<!-- generated: nonsense -->\n<!-- /generated -->\n"} {
		write("m/README.md", wrong)
		_, err = docgen()
		require.ErrorContains(t, err, "README.md", wrong)
	}
}

func TestTheListOfAlertsKeepsWhatThePageSaysOfThem(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(`groups:
  - name: a
    interval: 10s
    rules:
      - alert: Old
        uid: old
        expr: up
        threshold: {below: 1}
        for: 0s
        no_data_state: OK
        exec_err_state: KeepLast
        labels: {severity: critical}
        annotations: {summary: 报警 old, description: d, runbook_url: docs/runbooks/x.md}
      - alert: New
        uid: new
        expr: up
        threshold: {below: 1}
        for: 0s
        no_data_state: OK
        exec_err_state: KeepLast
        labels: {severity: warning}
        annotations: {summary: 报警 it is new, description: d, runbook_url: docs/runbooks/y.md}
`), 0o644))
	table, err := alerts(dir, "", "| `Old` | warning | in the page's words | [z.md](z.md) |\n| `Gone` | info | gone | [g.md](g.md) |\n", true)
	require.NoError(t, err)
	require.Equal(t, "共 2 条报警。\n\n| 报警 | 级别 | 含义 | 文件 |\n|---|---|---|---|\n| `Old` | 严重 | in the page's words | [x.zh-CN.md](x.zh-CN.md) |\n"+
		"| `New` | 警告 | 报警 it is new | [y.zh-CN.md](y.zh-CN.md) |\n", table)
}

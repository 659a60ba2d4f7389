package docs

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// The list of runbooks has every shipped alert with its severity and its runbook, and no other.
func TestRunbooksListEveryAlert(t *testing.T) {
	type alert struct{ severity, runbook string }
	shipped := map[string]alert{}
	files, err := filepath.Glob(filepath.Join(root, "alerts", "*.yaml"))
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, ".test.yaml") {
			continue
		}
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		var file struct {
			Groups []struct {
				Rules []struct {
					Alert       string
					Labels      struct{ Severity string }
					Annotations struct {
						Runbook string `yaml:"runbook_url"`
					}
				}
			}
		}
		require.NoError(t, yaml.Unmarshal(data, &file), name)
		for _, g := range file.Groups {
			for _, r := range g.Rules {
				shipped[r.Alert] = alert{r.Labels.Severity, r.Annotations.Runbook}
			}
		}
	}
	require.Greater(t, len(shipped), 10, "alerts were looked for in the wrong place")
	for page, severities := range map[string]map[string]string{
		"docs/runbooks/README.md":       {"critical": "critical", "warning": "warning", "info": "info"},
		"docs/runbooks/README.zh-CN.md": {"严重": "critical", "警告": "warning", "提示": "info"},
	} {
		listed := map[string]alert{}
		for _, row := range markdownPage(t, page).Tables[0][1:] {
			link := parse([]byte(row[3])).Links
			require.Len(t, link, 1, row)
			listed[strings.Trim(row[0], "`")] = alert{severities[row[1]], path.Join(path.Dir(page), strings.ReplaceAll(link[0], chinese, ".md"))}
		}
		require.Equal(t, shipped, listed, page)
	}
}

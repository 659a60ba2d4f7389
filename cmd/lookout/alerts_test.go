package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var updateList = flag.Bool("update-list", false, "write docs/alerts-list.md and its translation from `lookout alerts`")

// The list of the documents is what `lookout alerts` makes of the rules, the settings and the routes of the environments.
func TestTheListOfAlertsIsUpToDate(t *testing.T) {
	t.Chdir("../..")
	var out, stderr bytes.Buffer
	code := run(context.Background(), []string{"alerts", "--format=markdown"}, strings.NewReader(""), &out, &stderr, os.Getenv)
	require.Equal(t, 0, code, stderr.String())
	require.Greater(t, strings.Count(out.String(), "\n"), 30, "the rules were looked for in the wrong place")
	for name, table := range map[string]string{
		"docs/alerts-list.md":       out.String(),
		"docs/alerts-list.zh-CN.md": strings.NewReplacer("| alert | what it asks |", "| 报警 | 查询内容 |", " runbook |\n| ---", " 处理手册 |\n| ---", ".md)", ".zh-CN.md)").Replace(out.String()),
	} {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		text, _, ok := strings.Cut(string(data), "\n| ")
		require.True(t, ok, "%s has no table", name)
		if want := text + "\n" + table; *updateList {
			require.NoError(t, os.WriteFile(name, []byte(want), 0o600))
		} else {
			assert.Equal(t, want, string(data), "run: go test ./cmd/lookout -run TheListOfAlerts -update-list")
		}
	}
}

// Who gets an alert follows the routes of the environment, and what differs there.
func TestAlertsSayWhatDiffersInAnEnvironment(t *testing.T) {
	t.Chdir("../..")
	list := func(args ...string) string {
		var out, stderr bytes.Buffer
		code := run(context.Background(), append([]string{"alerts"}, args...), strings.NewReader(""), &out, &stderr, os.Getenv)
		require.Equal(t, 0, code, stderr.String())
		return out.String()
	}
	text := list("--env=prod", "alerts/go-runtime.yaml")
	assert.Contains(t, text, "mean of go_threads (job does not match alertmanager|console|grafana|prometheus|relay) over 1m")
	assert.Contains(t, text, "above 64 for 5m; warning → team; drilled: never")
	assert.Contains(t, text, "above 1GiB for 5m")
	assert.Contains(t, list("--env=prod", "alerts/service.yaml"), "below 1 for 1m; critical → oncall")
	assert.Contains(t, list("--env=local", "alerts/slo-web.yaml"), "paused")
	assert.Contains(t, list("--env=local", "alerts/watchdog.yaml"), "info → heartbeat")
	html := list("--format=html", "alerts/go-runtime.yaml")
	assert.Contains(t, html, `<th scope="row">GoThreadsHigh</th>`)
	assert.Equal(t, 2, strings.Count(html, `<th scope="row">`))

	scores := t.TempDir() + "/mutations.json"
	require.NoError(t, os.WriteFile(scores, []byte(`{"rules": [{"rule": "GoThreadsHigh", "score": 97.5}]}`), 0o600))
	assert.Contains(t, list("--mutations="+scores, "alerts/go-runtime.yaml"), "97.5 %")

	var out, stderr bytes.Buffer
	assert.Equal(t, 2, run(context.Background(), []string{"alerts", "--env=nowhere"}, strings.NewReader(""), &out, &stderr, os.Getenv))
	assert.Contains(t, stderr.String(), "nowhere")
	require.NoError(t, os.WriteFile(scores, []byte(`[]`), 0o600))
	assert.Equal(t, 2, run(context.Background(), []string{"alerts", "--mutations=" + scores}, strings.NewReader(""), &out, &stderr, os.Getenv))
	assert.Contains(t, stderr.String(), "is not what `lookout rules mutate --format json` writes")
}

package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const backtested = `groups:
  - name: g
    interval: 1m
    rules:
      - alert: ThreadsHigh
        uid: threads-high
        expr: go_threads
        threshold: {above: 8}
        for: 5m
        no_data_state: OK
        exec_err_state: Error
        labels: {severity: warning}
        annotations: {summary: 【报警】x, description: Many., runbook_url: docs/x.md}
      - alert: Same
        uid: same
        expr: up
        threshold: {below: 1}
        no_data_state: OK
        exec_err_state: Error
        labels: {severity: warning}
        annotations: {summary: 【报警】x, description: Many., runbook_url: docs/x.md}
`

// backtestRepository makes a repository with the alerts in its first commit, and an environment without settings.
func backtestRepository(t *testing.T) (write func(name, text string)) {
	t.Helper()
	t.Chdir(t.TempDir())
	git := func(args ...string) {
		out, err := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"}, args...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	write = func(name, text string) {
		require.NoError(t, os.MkdirAll("alerts", 0o755))
		require.NoError(t, os.MkdirAll("envs/prod", 0o755))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
	}
	git("init", "-q")
	write("alerts/a.yaml", backtested)
	git("add", ".")
	git("commit", "-qm", "first")
	return write
}

func TestBacktestTellsBeforeFromAfter(t *testing.T) {
	write := backtestRepository(t)
	write("alerts/a.yaml", strings.Replace(backtested, "{above: 8}", "{above: 64}", 1))

	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.PostFormValue("query")
		asked = append(asked, query)
		start, err := time.Parse(time.RFC3339, r.PostFormValue("start"))
		if err != nil {
			t.Error(err)
		}
		result := []any{}
		if strings.HasSuffix(query, "> 8") {
			// From the second to the third hour.
			var values [][2]any
			for minute := 60; minute < 120; minute++ {
				values = append(values, [2]any{start.Unix() + int64(minute)*60, "9"})
			}
			result = append(result, map[string]any{"metric": map[string]string{"instance": "go1"}, "values": values})
		}
		if strings.Contains(query, "broken") {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"status":"error","error":"query timed out"}`))
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{
			"resultType": "matrix", "result": result, "stats": map[string]any{"samples": map[string]any{"totalQueryableSamples": 721 * 3}},
		}})
	}))
	defer server.Close()
	lookout := func(args ...string) (int, string, string) {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), append([]string{"rules", "backtest", "--prometheus", server.URL, "--since", "12h"}, args...), nil, &stdout, &stderr, os.Getenv)
		return code, stdout.String(), stderr.String()
	}

	code, out, stderr := lookout()
	require.Equal(t, exitClean, code, stderr)
	require.Contains(t, out, "ThreadsHigh (alerts/a.yaml:5:9)\n  (go_threads) > 8 → (go_threads) > 64\n")
	require.Regexp(t, `before ·+[░▒▓█]+·+ 1 time, 55m in all; 1 series, 3 samples an evaluation\n`, out)
	require.Regexp(t, `after  ·{56} never; 0 series, 3 samples an evaluation\n`, out)
	require.NotContains(t, out, "Same")
	require.Contains(t, out, "1 alert, ")
	require.Equal(t, []string{"(go_threads) > 8"}, asked, "what holds for 64 is among that")

	// What an environment overrides counts, on both sides as it was.
	write("envs/prod/alerts.yaml", "overrides: {ThreadsHigh: {threshold: 8}}\n")
	code, out, _ = lookout("--env", "prod")
	require.Equal(t, exitClean, code)
	require.Contains(t, out, "no alert fires otherwise than at HEAD")

	code, out, _ = lookout("--all", "--format", "json")
	require.Equal(t, exitClean, code)
	var report struct {
		Alerts []struct {
			Alert, Change string
			Before, After struct{ Firings []any }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	require.Len(t, report.Alerts, 2)
	require.Equal(t, []string{"ThreadsHigh", "Same", "unchanged"}, []string{report.Alerts[0].Alert, report.Alerts[1].Alert, report.Alerts[1].Change})
	require.Equal(t, "1 0", strconv.Itoa(len(report.Alerts[0].Before.Firings))+" "+strconv.Itoa(len(report.Alerts[0].After.Firings)))

	// A new alert has only an after, a removed one only a before; what can't be asked for is said, and fails.
	write("alerts/a.yaml", strings.NewReplacer("ThreadsHigh", "Renamed", "threads-high", "renamed", "go_threads", "broken").Replace(backtested))
	code, out, stderr = lookout("--format", "markdown")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "1 alert could not be asked for")
	require.Contains(t, out, "**Renamed** `alerts/a.yaml:5:9`\n```\n  new\n  could not be asked for: query timed out\n```\n")
	require.Contains(t, out, "removed\n  before ")

	code, _, stderr = lookout("--since", "soon")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, `--since is "soon"`)
}

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/mutate"
)

// What `lookout new` writes passes everything that a pull request is asked for, as it was written: counters and gauges, above and
// below, whole and broken thresholds, a new dashboard and one that gets a panel more.
func TestWhatNewWritesPassesAsWritten(t *testing.T) {
	promtool, err := mutate.FindPromtool("../..", os.Getenv)
	require.NoError(t, err)
	promtool, err = filepath.Abs(promtool)
	require.NoError(t, err)
	config, err := os.ReadFile("../../.lookout.yaml")
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	for path, data := range map[string][]byte{"docs/runbooks/README.md": []byte("# Runbooks\n\n| alert | severity | meaning | file |\n|---|---|---|---|\n| `Watchdog` | info | always | |\n\nMore.\n"),
		"docs/runbooks/README.zh-CN.md": []byte("# 处理手册\n\n| 报警 | 级别 | 含义 | 文件 |\n|---|---|---|---|\n| `Watchdog` | 提示 | 一直 | |\n"),
		".lookout.yaml":                 config, "alerts/.keep": nil,
		// What the service exposes.
		".github/metrics/shop.prom": []byte("# TYPE checkout_errors_total counter\ncheckout_errors_total 1\n# TYPE stock_items gauge\nstock_items 5\n# TYPE queue_seconds gauge\nqueue_seconds 1\n" +
			"# TYPE orders_total counter\norders_total 1\n# TYPE cache_bytes gauge\ncache_bytes 3\n")} {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, data, 0o644))
	}
	var stdout, stderr bytes.Buffer
	lookout := func(code int, args ...string) string {
		t.Helper()
		stdout.Reset()
		stderr.Reset()
		got := run(t.Context(), args, nil, &stdout, &stderr, func(name string) string { return map[string]string{"LOOKOUT_PROMTOOL": promtool}[name] })
		require.Equal(t, code, got, "%v\n%s%s", args, &stdout, &stderr)
		return stdout.String()
	}
	out := lookout(exitClean, "new", "alert", "CheckoutFails", "--job=shop", "--metric=checkout_errors_total", "--above=5")
	require.Contains(t, out, "wrote dashboards/shop/shop.json\nadded to docs/runbooks/README.md\n")
	out = lookout(exitClean, "new", "alert", "StockLow", "--job=shop", "--metric=stock_items", "--below=10", "--severity=critical", "--for=10m")
	require.Contains(t, out, "added to dashboards/shop/shop.json")
	lookout(exitClean, "new", "alert", "QueueLong", "--job=shop", "--metric=queue_seconds", "--above=0.3", "--for=1m")
	lookout(exitClean, "new", "alert", "OrdersFew", "--job=shop", "--metric=orders_total", "--below=0.1", "--dashboard=shop-orders")
	lookout(exitClean, "new", "alert", "CacheLarge", "--job=shop", "--metric=cache_bytes", "--above=104857600")
	lookout(exitClean, "new", "alert", "StockAny", "--job=shop", "--metric=stock_items", "--above=0")
	lookout(exitClean, "new", "dashboard", "cache", "--job=shop", "--metric=cache_bytes", "--metric=orders_total")
	lookout(exitClean, "new", "runbook", "ByHand")
	for _, page := range []string{"docs/runbooks/README.md", "docs/runbooks/README.zh-CN.md"} {
		list, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, name := range []string{"CheckoutFails", "StockLow", "ByHand"} {
			require.Equal(t, 1, strings.Count(string(list), "| `"+name+"` |"), page)
		}
		require.Contains(t, string(list), map[string]string{"docs/runbooks/README.md": "| `StockLow` | critical |", "docs/runbooks/README.zh-CN.md": "| `StockLow` | 严重 |"}[page])
	}

	require.Contains(t, lookout(exitClean, "lint", "dashboards", "alerts"), "0 findings in 3 dashboards")
	lookout(exitClean, "fmt", "--check", "dashboards")
	require.Contains(t, lookout(exitClean, "rules", "check", "--tests"), "0 problems in 6 files, 6 rules")
	lookout(exitClean, "rules", "test")
	require.Contains(t, lookout(exitClean, "rules", "mutate", "alerts"), "score 100.0 %: ", "no mistake in the rules goes unnoticed")
	lookout(exitClean, "check", "--metrics", ".github/metrics/shop.prom", "dashboards/shop", "alerts")

	// Wrong input: one sentence, and nothing is written.
	before := tree(t)
	for words, args := range map[string][]string{
		"alerts/stock-low.yaml exists already": {"alert", "StockLow", "--job=shop", "--metric=stock_items", "--above=1"},
		`the alert's name is "stock low"`:      {"alert", "stock low", "--job=shop", "--metric=stock_items", "--above=1"},
		`the metric is "stock-items"`:          {"alert", "Other", "--job=shop", "--metric=stock-items", "--above=1"},
		"the threshold is -1":                  {"alert", "Other", "--job=shop", "--metric=stock_items", "--above=-1"},
		"the pending period is 30s":            {"alert", "Other", "--job=shop", "--metric=stock_items", "--above=1", "--for=30s"},
		"can't be used together":               {"alert", "Other", "--job=shop", "--metric=stock_items", "--above=1", "--below=1"},
		"dashboards/shop/cache.json exists":    {"dashboard", "cache", "--job=shop", "--metric=cache_bytes"},
		`the uid is "Cache!"`:                  {"dashboard", "Cache!", "--job=shop", "--metric=cache_bytes"},
		"docs/runbooks/by-hand.md exists":      {"runbook", "ByHand"},
		"missing flags: --metric":              {"dashboard", "x", "--job=shop"},
		"--severity must be one of":            {"runbook", "Other", "--severity=bad"},
	} {
		lookout(exitFailed, append([]string{"new"}, args...)...)
		require.Contains(t, stderr.String(), words)
		require.Equal(t, before, tree(t), words)
	}
}

// tree is every file of the working directory.
func tree(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(".", func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[path] = string(data)
		return err
	}))
	return files
}

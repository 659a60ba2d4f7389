package console_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lookout/internal/console"
)

const testRules = `groups:
- name: go-runtime
  rules:
  - alert: GoThreadsHigh
    expr: avg_over_time(go_threads{job="go"}[5m]) > 8
    for: 1s
    labels: {severity: warning}
    annotations:
      summary: "【报警】系统线程数过高 Too many OS threads"
      description: "服务 {{ $labels.job }} 的实例 {{ $labels.instance }} 平均有 {{ $value | humanize }} 个系统线程。\n{{ $labels.instance }} of {{ $labels.job }} has {{ $value | humanize }} OS threads on average."
      value: "{{ $value | humanize }} threads"
      threshold: "above 8 threads"
      runbook_url: docs/runbooks/go-threads-high.md
      panel_url: "http://console.example/d/go-runtime?viewPanel=3&var-job={{ $labels.job }}&var-instance={{ $labels.instance }}"
  - alert: TargetDown
    expr: up == 0
    for: 1s
    labels: {severity: critical}
    annotations: {summary: "【报警】采集目标失联 Target down", runbook_url: docs/runbooks/target-down.md}
  - alert: Later
    expr: count(up) > 0
    for: 1h
    labels: {severity: info}
    annotations: {summary: "Pending for an hour"}
  - alert: Watchdog
    expr: count(up) > 0
    labels: {severity: info}
  - {record: "job:up:sum", expr: "sum by (job) (up)"}
  - {alert: Wrong, expr: "up * on (job) group_left process_resident_memory_bytes"}
`

// whole starts everything: Prometheus with history and firing alerts, Alertmanager, console.
func whole(t testing.TB) (*running, string) {
	t.Helper()
	am := freePort(t)
	dir := t.TempDir()
	runAlertmanager(t, dir, am, "http://127.0.0.1:8090")
	prom := runPrometheus(t, am, testRules)
	dashboards := copyTree(t, "../../dashboards")
	c := startConsole(t, console.Config{
		Paths: []string{dashboards}, Prometheus: prom, Alertmanager: "http://" + am, Runbooks: "../../docs/runbooks", Location: time.UTC,
	})
	c.dir = dashboards
	eventually(t, time.Minute, func() error {
		_, body, err := get(c.url + "/alerts")
		if err == nil && (!strings.Contains(body, "TargetDown</a></h3>") || !strings.Contains(body, "GoThreadsHigh</a></h3>") || strings.Contains(body, "Not at Alertmanager")) {
			err = fmt.Errorf("alerts do not fire yet")
		}
		return err
	})
	return c, "http://" + am
}

func TestEveryPageInABrowser(t *testing.T) {
	c, _ := whole(t)
	b := newBrowser(t, "en-US")
	// Without a refresh: what is drawn anew meanwhile has controls that the keyboard has not reached yet.
	pages := []struct{ name, path, ready string }{
		{"home", "/", `document.querySelector("#folders li")`},
		{"dashboard", "/d/go-runtime/go-runtime?orgId=1&from=now-1h&to=now&var-job=go&refresh=", drawn},
		{"panel", "/d/go-runtime?viewPanel=panel-3&from=now-3h&to=now&refresh=", drawn},
		{"service", "/d/service?from=now-1h&to=now&refresh=", drawn},
		{"solo", "/d-solo/go-runtime/x?panelId=3&from=now-1h&to=now", drawn},
		{"alerts", "/alerts", `document.querySelectorAll(".alert").length >= 3`},
		{"alert", "/alerts/GoThreadsHigh?range=1h", `document.querySelector(".timeline")`},
		{"silences", "/silences", `document.querySelector("main")`},
		{"silence", "/silences/new?matcher=alertname%3D%22GoThreadsHigh%22&matcher=instance%3D%22go1%22", `document.querySelectorAll(".matcher").length === 2`},
		{"targets", "/targets", `document.querySelectorAll(".pool").length === 2`},
		{"runbooks", "/runbooks", `document.querySelector(".books a")`},
		{"runbook", "/runbooks/go-threads-high", `document.querySelector("article h1, article p")`},
		{"changes", "/changes/go-runtime", `document.querySelector("main p")`},
	}
	for _, p := range pages {
		for _, size := range []struct {
			name          string
			width, height int64
		}{{"desktop", 1400, 900}, {"phone", 390, 844}} {
			for _, dark := range []bool{false, true} {
				name := fmt.Sprintf("%s-%s-%s", p.name, size.name, map[bool]string{true: "dark", false: "light"}[dark])
				b.size(size.width, size.height, dark)
				b.open(c.url + p.path)
				b.until(p.ready + " && true || false")
				b.picture(name)
				assert.Equal(t, "false", b.eval(`document.documentElement.scrollWidth > innerWidth`), "%s sticks out sideways", name)
				if dark == (size.width < 600) { // each page in both themes, each size once
					b.accessible(name)
				}
				if !dark && size.width > 600 {
					b.keyboard(name)
				}
			}
		}
	}
	require.Empty(t, b.said(), "the browser complains")
	for _, asked := range b.requests {
		assert.True(t, strings.HasPrefix(asked, c.url+"/") || strings.HasPrefix(asked, "data:"), "asked elsewhere: %s", asked)
	}
}

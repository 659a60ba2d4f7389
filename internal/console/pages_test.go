package console_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lookout/internal/browsertest"
	"lookout/internal/console"
)

// threadsHigh is true of go1 for as long as the tests may take.
const threadsHigh = `avg_over_time(go_threads{job="go"}[30m]) > 8`

const testRules = `groups:
- name: go-runtime
  rules:
  - alert: GoThreadsHigh
    expr: ` + threadsHigh + `
    for: 1s
    labels: {severity: warning}
    annotations:
      summary: "【报警】系统线程数过高 Too many OS threads"
      description: "服务 {{ $labels.job }} 的实例 {{ $labels.instance }} 平均有 {{ $value | humanize }} 个系统线程。\n{{ $labels.instance }} of {{ $labels.job }} has {{ $value | humanize }} OS threads on average."
      value: "{{ $value | humanize }} threads"
      threshold: "above 8 threads"
      runbook_url: docs/runbooks/go-threads-high.md
      panel_url: "http://console.example/d/go-runtime?viewPanel=3{{ with $labels.job }}&var-job={{ . | urlquery }}{{ end }}{{ with $labels.instance }}&var-instance={{ . | urlquery }}{{ end }}"
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

// whole is a console that shows everything: dashboards that the test may change, firing alerts, silences, runbooks. It returns Alertmanager's address, too.
func whole(t testing.TB) (*running, string) {
	t.Helper()
	prom, am := stack(t)
	dashboards := copyTree(t, "../../dashboards")
	c := startConsole(t, console.Config{
		Paths: []string{dashboards}, Prometheus: prom, Alertmanager: am, Runbooks: "../../docs/runbooks", Location: time.UTC,
	})
	c.dir = dashboards
	eventually(t, time.Minute, func() error {
		_, body, err := get(c.url + "/alerts")
		if err == nil && (!strings.Contains(body, "TargetDown</a></h3>") || !strings.Contains(body, "GoThreadsHigh</a></h3>") || strings.Contains(body, "Not at Alertmanager")) {
			err = fmt.Errorf("alerts do not fire yet")
		}
		return err
	})
	return c, am
}

// Every page in both languages, both themes, wide and as narrow as a phone: the checker finds nothing serious, the keyboard reaches everything and shows where it is,
// nothing sticks out, nothing is asked elsewhere, and the browser has nothing to complain about.
func TestEveryPageInABrowser(t *testing.T) {
	t.Parallel()
	c, _ := whole(t)
	// Without a refresh: what is drawn anew meanwhile has controls that the keyboard has not reached yet.
	pages := []struct{ name, path, ready string }{
		{"home", "/", `document.querySelector("#folders li")`},
		{"dashboard", "/d/go-runtime/go-runtime?orgId=1&from=now-1h&to=now&var-job=go&refresh=", drawn},
		{"panel", "/d/go-runtime?viewPanel=panel-3&from=now-3h&to=now&refresh=", drawn},
		{"service", "/d/service?from=now-1h&to=now&refresh=", drawn},
		{"solo", "/d-solo/go-runtime/x?panelId=3&from=now-1h&to=now", drawn},
		{"tabs", "/d/tabs?from=now-1h&to=now&dtab=memory&var-filters=instance|%3D|go1", drawn},
		{"graph", "/graph?refresh=&g0.expr=" + url.QueryEscape(threadsHigh), drawn},
		{"alerts", "/alerts", `document.querySelectorAll(".alert").length >= 3`},
		{"alert", "/alerts/GoThreadsHigh?range=1h", `document.querySelector(".timeline")`},
		{"silences", "/silences", `document.querySelector("main")`},
		{"silence", "/silences/new?matcher=alertname%3D%22GoThreadsHigh%22&matcher=instance%3D%22go1%22", `document.querySelectorAll(".matcher").length === 2`},
		{"targets", "/targets", `document.querySelectorAll(".pool").length === 2`},
		{"runbooks", "/runbooks", `document.querySelector(".books a")`},
		{"runbook", "/runbooks/go-threads-high", `document.querySelector("article h1, article p")`},
		{"changes", "/changes/go-runtime", `document.querySelector("main p")`},
		{"error", "/d/none", `document.querySelector(".message a")`},
	}
	require.NoError(t, os.WriteFile(filepath.Join(c.dir, "tabs.json"), []byte(tabbed), 0o644))
	eventually(t, 20*time.Second, healthy(c.url+"/d/tabs"))
	for _, tour := range []struct {
		language, says string
		dark           bool
	}{{"en-US", "Alerts", false}, {"zh-CN", "报警", true}} {
		t.Run(tour.language, func(t *testing.T) {
			t.Parallel()
			b := browsertest.Open(t, tour.language)
			theme := map[bool]string{true: "dark", false: "light"}[tour.dark]
			for _, p := range pages {
				name := p.name + "-" + theme
				b.Size(1280, 720, tour.dark)
				b.Open(c.url + p.path)
				b.Until(p.ready)
				picture(b, name)
				fits(b, name)
				if p.name != "solo" {
					assert.Contains(t, b.Eval(`document.querySelector("nav").innerText`), tour.says, name)
				}
				if p.ready == drawn {
					drawAll(b)
				}
				accessible(b, name)
				missed, unseen := b.Keyboard()
				assert.Empty(t, missed, "not reached by the keyboard on %s", name)
				assert.Empty(t, unseen, "focus is not seen on %s", name)

				// The same page in the other theme on a phone. What depends on the size is checked again, once.
				b.Size(390, 844, !tour.dark)
				b.Eval(`(scrollTo(0, 0), "")`)
				if p.ready == drawn {
					// Panels are drawn for a theme: those of the other one are there until the new ones come.
					b.Open(c.url + p.path)
				}
				b.Until(p.ready)
				name += "-phone"
				picture(b, name)
				fits(b, name)
				if !tour.dark {
					accessible(b, name, "color-contrast", "scrollable-region-focusable", "target-size", "meta-viewport")
				}
			}
			said := b.Complaints()
			if assert.Len(t, said, 1, "the browser complains") {
				assert.Contains(t, said[0], "404", "the page of what does not exist")
			}
			for _, asked := range b.Requests() {
				assert.True(t, strings.HasPrefix(asked, c.url+"/") || strings.HasPrefix(asked, "data:"), "asked elsewhere: %s", asked)
			}
		})
	}
}

// fits wants a page that is not wider than the window.
func fits(b *browsertest.Tab, name string) {
	b.T.Helper()
	assert.Equal(b.T, "false", b.Eval(`document.documentElement.scrollWidth > innerWidth`), "%s sticks out sideways", name)
}

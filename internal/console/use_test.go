package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lookout/internal/alertmanager"
	"lookout/internal/console"
)

// point moves the mouse to a place inside of an element, given as shares of its size.
func (b *browser) point(selector string, kind input.DispatchMouseEventType, sx, sy float64) {
	b.t.Helper()
	var box struct{ X, Y, W, H float64 }
	text := b.eval(fmt.Sprintf(`(b => JSON.stringify({X: b.x, Y: b.y, W: b.width, H: b.height}))(document.querySelector(%q).getBoundingClientRect())`, selector))
	require.NoError(b.t, json.Unmarshal([]byte(text), &box))
	p := input.DispatchMouseEventParams{Type: kind, X: box.X + box.W*sx, Y: box.Y + box.H*sy}
	if kind != input.DispatchMouseEventTypeMouseMoved {
		p.Button, p.ClickCount = input.MouseButtonLeft, 1
	}
	call(b, input.DispatchMouseEvent, p)
}

func TestReadingADashboard(t *testing.T) {
	c, _ := whole(t)
	b := newBrowser(t, "en-US")
	b.size(1400, 900, false)
	b.open(c.url + "/d/go-runtime?from=now-1h&to=now&var-job=go")
	b.until(drawn)

	// Pointing shows the time and the values of all series.
	const plot = `#p-3 .plot`
	b.until(`document.querySelector("` + plot + ` .cross") !== null`)
	b.point(plot, input.DispatchMouseEventTypeMouseMoved, 0.5, 0.5)
	b.until(`!document.querySelector("#tip").hidden && document.querySelectorAll("#tip div").length === 2`)
	assert.Regexp(t, `\d+:\d\d:\d\d.*go1.*\d.*go2.*\d`, b.eval(`document.querySelector("#tip").innerText.replace(/\s+/g, " ")`))
	b.picture("hover")

	// A click in the legend shows one series alone, a second one all again; the address remembers.
	b.click(`#p-3 .legend a[data-series="go1"]`)
	b.until(`document.querySelectorAll("#p-3 .legend .off").length === 1 && location.search.includes("show-3=go1")`)
	b.click(`#p-3 .legend a[data-series="go1"]`)
	b.until(`document.querySelectorAll("#p-3 .legend .off").length === 0 && !location.search.includes("show-3")`)

	// A variable counts at once, and the address has it.
	b.eval(`document.querySelector("details.var").open = true`)
	b.eval(`[...document.querySelectorAll("details.var input[type=checkbox]")].find(i => i.value === "go2").click()`)
	b.click(`details.var .checks button`)
	b.until(`location.search.includes("var-instance=go2") && document.readyState === "complete"`)
	b.until(drawn + ` && document.querySelectorAll("#p-3 .legend [data-series]").length === 1`)
	assert.Equal(t, "go2", b.eval(`document.querySelector("#p-3 .legend [data-series]").dataset.series`))
	// A variable that others depend on makes them be chosen anew.
	b.eval(`(s => { s.value = "prometheus"; s.dispatchEvent(new Event("change", {bubbles: true})); })(document.querySelector("select[name=var-job]"))`)
	b.until(`location.search.includes("var-job=prometheus") && !location.search.includes("var-instance=go2") && document.readyState === "complete"`)

	// Dragging zooms.
	b.open(c.url + "/d/go-runtime?from=now-1h&to=now&var-job=go")
	b.until(drawn + ` && document.querySelector("` + plot + ` .cross") !== null`)
	b.point(plot, input.DispatchMouseEventTypeMousePressed, 0.4, 0.4)
	b.point(plot, input.DispatchMouseEventTypeMouseMoved, 0.6, 0.4)
	b.point(plot, input.DispatchMouseEventTypeMouseReleased, 0.6, 0.4)
	b.until(`/from=\d{13}&to=\d{13}/.test(location.search) && document.readyState === "complete"`)
	q, err := url.ParseQuery(strings.TrimPrefix(b.eval(`location.search`), "?"))
	require.NoError(t, err)
	var from, to int64
	_, err = fmt.Sscan(q.Get("from")+" "+q.Get("to"), &from, &to)
	require.NoError(t, err)
	assert.InDelta(t, 12.5*60, float64(to-from)/1000, 120, "a fifth of the chart's hour and its margins")
	assert.Equal(t, "go", q.Get("var-job"))

	// The theme is the reader's.
	b.click("#theme")
	b.until(`document.documentElement.dataset.theme === "dark"`)
	b.open(c.url + "/alerts")
	assert.Equal(t, "dark", b.eval(`document.documentElement.dataset.theme`))

	// Full screen and back by the keyboard.
	b.open(c.url + "/d/go-runtime?from=now-1h&to=now&viewPanel=3")
	b.until(drawn)
	assert.Equal(t, "1", b.eval(`document.querySelectorAll(".panel").length`))
	b.eval(`document.dispatchEvent(new KeyboardEvent("keydown", {key: "Escape"}))`)
	b.until(`!location.search.includes("viewPanel") && document.querySelectorAll(".panel").length > 5`)
	assert.Empty(t, b.said())

	// The picture of the README.
	b.size(1400, 880, true)
	b.eval(`(document.cookie = "lookout_theme=;path=/;max-age=0", "")`)
	b.open(c.url + "/d/service?from=now-65m&to=now-5m&var-job=go")
	b.until(drawn)
	b.picture("console")
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

func TestEditingADashboard(t *testing.T) {
	dir := copyTree(t, "../../dashboards")
	git(t, dir, "init", "-q")
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-q", "-m", "before")
	prom := runPrometheus(t, "", "")
	c := startConsole(t, console.Config{Paths: []string{dir}, Prometheus: prom, Location: time.UTC})
	b := newBrowser(t, "en-US")
	b.size(1400, 900, false)
	b.open(c.url + "/d/go-runtime?from=now-1h&to=now&var-job=go")
	b.until(drawn)
	b.eval(`window.mark = "the same page"`)

	file := filepath.Join(dir, "go", "go-runtime.json")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	good := string(text)
	save := func(text string) time.Time {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		return time.Now()
	}

	// A saved file is shown, without the page being loaded again.
	edited := strings.Replace(strings.Replace(good, `"title": "Goroutines"`, `"title": "Goroutines, edited"`, 1), `avg_over_time(go_threads{`, `2 * avg_over_time(go_threads{`, 1)
	require.NotEqual(t, good, edited)
	at := save(edited)
	b.until(`[...document.querySelectorAll(".panel h3")].some(h => h.innerText === "Goroutines, edited")`)
	t.Logf("from the save to the browser: %v", time.Since(at).Round(time.Millisecond))
	assert.Equal(t, "the same page", b.eval(`window.mark`))

	// Findings stand beside their panel.
	save(strings.Replace(edited, `2 * avg_over_time(go_threads{`, `2 * rate(go_threads{`, 1))
	b.until(`document.querySelector("#p-3 .marks li.error, #p-3 .marks li.warning") !== null`)
	save(strings.Replace(edited, `2 * avg_over_time(go_threads{`, `2 * avg_over_time(go_threadz{`, 1))
	b.until(`document.querySelector("#p-3 .marks")?.innerText.includes("go_threads")`)
	b.picture("findings")

	// A broken file shows its place, and the last good picture.
	save(strings.Replace(edited, `"title": "Goroutines, edited",`, `"title": "Goroutines, edited"`, 1))
	b.until(`document.querySelector("#notices .error")?.innerText.match(/go-runtime.json:\d+:\d+/) ? true : false`)
	b.until(drawn)
	assert.Equal(t, "true", b.eval(`[...document.querySelectorAll(".panel h3")].some(h => h.innerText === "Goroutines, edited")`))
	b.picture("broken")
	save(edited)
	b.until(`!document.querySelector("#notices .error")`)

	// Against the last commit: what changed in words, before and after.
	b.open(c.url + "/changes/go-runtime")
	b.until(`document.querySelectorAll(".pair .whole svg").length === 2`)
	events := b.eval(`document.querySelector(".events").innerText`)
	assert.Contains(t, events, "Goroutines, edited")
	assert.Contains(t, events, "OS threads")
	b.picture("against-head")
	assert.Empty(t, b.said())

	// A new file appears, a deleted one goes.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go", "new.json"), []byte(strings.NewReplacer(`"uid": "go-runtime"`, `"uid": "brand-new"`).Replace(good)), 0o644))
	eventually(t, 5*time.Second, healthy(c.url+"/d/brand-new"))
	require.NoError(t, os.Remove(filepath.Join(dir, "go", "new.json")))
	eventually(t, 5*time.Second, func() error {
		if code, _, err := get(c.url + "/d/brand-new"); err != nil || code != http.StatusNotFound {
			return fmt.Errorf("%d %v", code, err)
		}
		return nil
	})
}

// From the chat: the panel at the time of the alert with its threshold, the runbook beside it, a silence in two taps; all at the size of a phone.
func TestFromTheChatOnAPhone(t *testing.T) {
	c, am := whole(t)
	b := newBrowser(t, "zh-CN")
	b.size(390, 844, false)
	b.open(c.url + "/alerts?q=GoThreadsHigh")
	b.until(`document.querySelector(".alert.firing")` + " !== null")
	panel := b.eval(`[...document.querySelectorAll(".alert .actions a")].find(a => a.innerText === "面板").href`)
	assert.Regexp(t, `/d/go-runtime\?from=\d+&to=now&var-instance=go1&var-job=go&viewPanel=3`, panel)

	b.open(panel)
	b.until(drawn)
	assert.Equal(t, "true", b.eval(`document.querySelector("#p-3 svg").outerHTML.includes("#e02f44") || document.querySelector("#p-3 svg").outerHTML.includes("#f2495c")`), "the threshold's line")
	b.until(`document.querySelector("aside .runbook h2").innerText.includes("系统线程数过高")`)
	b.picture("chat-panel")

	// Tap one: the form, filled in. Tap two: two hours.
	b.eval(`[...document.querySelectorAll("aside .actions a")].find(a => a.innerText === "静默").click()`)
	b.until(`document.querySelectorAll(".matcher").length >= 3 && document.readyState === "complete"`)
	assert.Equal(t, "GoThreadsHigh", b.eval(`[...document.querySelectorAll(".matcher")].find(m => m.querySelector("[name=name]").value === "alertname").querySelector("[name=value]").value`))
	b.picture("chat-silence")
	b.click(`button[value="2h"]`)
	b.until(`document.querySelector(".silence.active") !== null && document.querySelector(".notice.good") !== null`)
	b.picture("chat-silenced")
	assert.Empty(t, b.said())

	client, err := alertmanager.New(am, nil, 5*time.Second)
	require.NoError(t, err)
	list, err := client.Silences(context.Background())
	require.NoError(t, err)
	require.Len(t, list, 1)
	assert.InDelta(t, 2*time.Hour, time.Until(list[0].EndsAt), float64(time.Minute))
	assert.Equal(t, "console", list[0].CreatedBy)
	eventually(t, 10*time.Second, func() error {
		_, body, err := get(c.url + "/alerts?q=GoThreadsHigh")
		if err == nil && !strings.Contains(body, `class="alert silenced`) {
			err = fmt.Errorf("not shown as silenced")
		}
		return err
	})

	// Longer, then over.
	b.eval(`[...document.querySelectorAll(".silence button")].find(a => a.innerText === "延长 2 小时").click()`)
	b.until(`location.search.includes("extended") && document.readyState === "complete"`)
	list, err = client.Silences(context.Background())
	require.NoError(t, err)
	longest := time.Duration(0)
	for _, s := range list {
		if s.State() == "active" {
			longest = max(longest, time.Until(s.EndsAt))
		}
	}
	assert.InDelta(t, 4*time.Hour, longest, float64(time.Minute))
	b.eval(`[...document.querySelectorAll(".silence button")].find(a => a.innerText === "立即结束").click()`)
	b.until(`location.search.includes("expired") && document.readyState === "complete" && document.querySelector(".silence.active") === null`)
}

// Links that were made for Grafana lead to the page that shows the same.
func TestGrafanasAddresses(t *testing.T) {
	c, _ := whole(t)
	for from, to := range map[string]string{
		"/alerting/list":                       "/alerts",
		"/alerting/grafana/GoThreadsHigh/view": "/alerts/GoThreadsHigh",
		"/alerting/silences":                   "/silences",
		"/alerting/silence/new?alertmanager=grafana&matcher=alertname%3DA%20b&matcher=x!%3D1": "/silences/new?matcher=" + url.QueryEscape(`alertname="A b"`) + "&matcher=" + url.QueryEscape(`x!="1"`),
		"/dashboards/f/abc/folder":                     "/dashboards",
		"/graph?g0.expr=" + url.QueryEscape("up == 0"): "/alerts/TargetDown",
	} {
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := client.Get(c.url + from)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, http.StatusSeeOther, resp.StatusCode, from)
		assert.Equal(t, to, resp.Header.Get("Location"), from)
	}
	for _, page := range []string{
		"/d/go-runtime/any-slug?orgId=1&from=now-6h&to=now&timezone=browser&var-job=go&var-instance=$__all&refresh=30s&viewPanel=panel-3",
		"/d/go-runtime?viewPanel=3&from=1700000000000&to=1700003600000", "/d/go-runtime?from=2026-01-02T15:04:05Z&to=2026-01-02T16:04:05Z", "/d-solo/go-runtime/x?orgId=1&panelId=3&from=now-1h&to=now&theme=light",
	} {
		code, body, err := get(c.url + page)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, code, page)
		assert.Contains(t, body, `data-key="3"`, page)
	}
}

package console_test

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lookout/internal/alertmanager"
	"lookout/internal/browsertest"
	"lookout/internal/console"
)

func TestReadingADashboard(t *testing.T) {
	t.Parallel()
	c, _ := whole(t)
	b := browsertest.Open(t, "en-US")
	b.Size(1400, 900, false)
	b.Open(c.url + "/d/go-runtime?from=now-1h&to=now&var-job=go")
	b.Until(drawn)

	// Pointing shows the time and the values of all series.
	const plot = `#p-3 .plot`
	b.Until(`document.querySelector("` + plot + ` .cross") !== null`)
	b.Repeat(func() {
		b.Mouse(plot, input.DispatchMouseEventTypeMouseMoved, 0.4, 0.5)
		b.Mouse(plot, input.DispatchMouseEventTypeMouseMoved, 0.5, 0.5)
	}, `!document.querySelector("#tip").hidden && document.querySelectorAll("#tip div").length === 2`)
	assert.Regexp(t, `\d+:\d\d:\d\d.*go1.*\d.*go2.*\d`, b.Eval(`document.querySelector("#tip").innerText.replace(/\s+/g, " ")`))
	picture(b, "hover")

	// A click in the legend shows one series alone, a second one all again; the address remembers.
	alone := func() { b.Click(`#p-3 .legend a[data-series="go1"]`) }
	b.Repeat(alone, `location.search.includes("show-3=go1")`)
	b.Until(`document.querySelectorAll("#p-3 .legend .off").length === 1`)
	b.Repeat(alone, `!location.search.includes("show-3")`)
	b.Until(`document.querySelectorAll("#p-3 .legend .off").length === 0`)

	// A variable counts at once, and the address has it.
	b.Eval(`document.querySelector("details.var").open = true`)
	b.Eval(`[...document.querySelectorAll("details.var input[type=checkbox]")].find(i => i.value === "go2").click()`)
	b.Click(`details.var .checks button`)
	b.Until(`location.search.includes("var-instance=go2") && document.readyState === "complete"`)
	b.Until(drawn + ` && document.querySelectorAll("#p-3 .legend [data-series]").length === 1`)
	assert.Equal(t, "go2", b.Eval(`document.querySelector("#p-3 .legend [data-series]").dataset.series`))
	// A variable that others depend on makes them be chosen anew.
	b.Eval(`(s => { s.value = "prometheus"; s.dispatchEvent(new Event("change", {bubbles: true})); })(document.querySelector("select[name=var-job]"))`)
	b.Until(`location.search.includes("var-job=prometheus") && !location.search.includes("var-instance=go2") && document.readyState === "complete"`)

	// Dragging zooms.
	b.Open(c.url + "/d/go-runtime?from=now-1h&to=now&var-job=go")
	b.Until(drawn + ` && document.querySelector("` + plot + ` .cross") !== null`)
	b.Repeat(func() {
		b.Mouse(plot, input.DispatchMouseEventTypeMousePressed, 0.4, 0.4)
		b.Mouse(plot, input.DispatchMouseEventTypeMouseMoved, 0.6, 0.4)
		b.Mouse(plot, input.DispatchMouseEventTypeMouseReleased, 0.6, 0.4)
	}, `/from=\d{13}&to=\d{13}/.test(location.search)`)
	b.Until(`document.readyState === "complete"`)
	q, err := url.ParseQuery(strings.TrimPrefix(b.Eval(`location.search`), "?"))
	require.NoError(t, err)
	var from, to int64
	_, err = fmt.Sscan(q.Get("from")+" "+q.Get("to"), &from, &to)
	require.NoError(t, err)
	assert.InDelta(t, 12.5*60, float64(to-from)/1000, 120, "a fifth of the chart's hour and its margins")
	assert.Equal(t, "go", q.Get("var-job"))

	// The theme is the reader's.
	b.Click("#theme")
	b.Until(`document.documentElement.dataset.theme === "dark"`)
	b.Open(c.url + "/alerts")
	assert.Equal(t, "dark", b.Eval(`document.documentElement.dataset.theme`))

	// Full screen and back by the keyboard.
	b.Open(c.url + "/d/go-runtime?from=now-1h&to=now&viewPanel=3")
	b.Until(drawn)
	assert.Equal(t, "1", b.Eval(`document.querySelectorAll(".panel").length`))
	b.Eval(`document.dispatchEvent(new KeyboardEvent("keydown", {key: "Escape"}))`)
	b.Until(`!location.search.includes("viewPanel") && document.querySelectorAll(".panel").length > 5`)
	assert.Empty(t, b.Complaints())

	// The picture of the README.
	b.Size(1400, 880, true)
	b.Eval(`(document.cookie = "lookout_theme=;path=/;max-age=0", "")`)
	b.Open(c.url + "/d/service?from=now-65m&to=now-5m&var-job=go")
	b.Until(drawn)
	picture(b, "console")
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

func TestEditingADashboard(t *testing.T) {
	t.Parallel()
	dir := copyTree(t, "../../dashboards")
	git(t, dir, "init", "-q")
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-q", "-m", "before")
	prom, _ := stack(t)
	c := startConsole(t, console.Config{Paths: []string{dir}, Prometheus: prom, Location: time.UTC})
	b := browsertest.Open(t, "en-US")
	b.Size(1400, 900, false)
	b.Open(c.url + "/d/go-runtime?from=now-1h&to=now&var-job=go")
	b.Until(drawn)
	b.Eval(`window.mark = "the same page"`)

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
	b.Until(`[...document.querySelectorAll(".panel h3")].some(h => h.innerText === "Goroutines, edited")`)
	t.Logf("from the save to the browser: %v", time.Since(at).Round(time.Millisecond))
	assert.Equal(t, "the same page", b.Eval(`window.mark`))

	// Findings stand beside their panel.
	save(strings.Replace(edited, `2 * avg_over_time(go_threads{`, `2 * rate(go_threads{`, 1))
	b.Until(`document.querySelector("#p-3 .marks li.error, #p-3 .marks li.warning") !== null`)
	save(strings.Replace(edited, `2 * avg_over_time(go_threads{`, `2 * avg_over_time(go_threadz{`, 1))
	b.Until(`document.querySelector("#p-3 .marks")?.innerText.includes("go_threads")`)
	picture(b, "findings")

	// A broken file shows its place, and the last good picture.
	save(strings.Replace(edited, `"title": "Goroutines, edited",`, `"title": "Goroutines, edited"`, 1))
	b.Until(`document.querySelector("#notices .error")?.innerText.match(/go-runtime.json:\d+:\d+/) ? true : false`)
	b.Until(drawn)
	assert.Equal(t, "true", b.Eval(`[...document.querySelectorAll(".panel h3")].some(h => h.innerText === "Goroutines, edited")`))
	picture(b, "broken")
	save(edited)
	b.Until(`!document.querySelector("#notices .error")`)

	// Against the last commit: what changed in words, before and after.
	b.Open(c.url + "/changes/go-runtime")
	b.Until(`document.querySelectorAll(".pair .whole svg").length === 2`)
	events := b.Eval(`document.querySelector(".events").innerText`)
	assert.Contains(t, events, "Goroutines, edited")
	assert.Contains(t, events, "OS threads")
	picture(b, "against-head")
	assert.Empty(t, b.Complaints())

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
	t.Parallel()
	c, am := whole(t)
	b := browsertest.Open(t, "zh-CN")
	b.Size(390, 844, false)
	b.Open(c.url + "/alerts?q=GoThreadsHigh")
	b.Until(`document.querySelector(".alert.firing")` + " !== null")
	panel := b.Eval(`[...document.querySelectorAll(".alert .actions a")].find(a => a.innerText === "面板").href`)
	assert.Regexp(t, `/d/go-runtime\?from=\d+&to=now&var-instance=go1&var-job=go&viewPanel=3`, panel)

	b.Open(panel)
	b.Until(drawn)
	assert.Equal(t, "true", b.Eval(`document.querySelector("#p-3 svg").outerHTML.includes("#f2495c")`), "the threshold's line")
	b.Until(`document.querySelector("aside .runbook h2").innerText.includes("系统线程数过高")`)
	picture(b, "chat-panel")

	// Tap one: the form, filled in. Tap two: two hours.
	b.Eval(`([...document.querySelectorAll("aside .actions a")].find(a => a.innerText === "静默").id = "silence-it")`)
	b.Tap("#silence-it")
	b.Until(`document.querySelectorAll(".matcher").length >= 3 && document.readyState === "complete"`)
	assert.Equal(t, "GoThreadsHigh", b.Eval(`[...document.querySelectorAll(".matcher")].find(m => m.querySelector("[name=name]").value === "alertname").querySelector("[name=value]").value`))
	picture(b, "chat-silence")
	b.Tap(`button[value="2h"]`)
	b.Until(`document.querySelector(".silence.active") !== null && document.querySelector(".notice.good") !== null`)
	picture(b, "chat-silenced")
	assert.Empty(t, b.Complaints())

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
	b.Eval(`[...document.querySelectorAll(".silence button")].find(a => a.innerText === "延长 2 小时").click()`)
	b.Until(`location.search.includes("extended") && document.readyState === "complete"`)
	list, err = client.Silences(context.Background())
	require.NoError(t, err)
	longest := time.Duration(0)
	for _, s := range list {
		if s.State() == "active" {
			longest = max(longest, time.Until(s.EndsAt))
		}
	}
	assert.InDelta(t, 4*time.Hour, longest, float64(time.Minute))
	b.Eval(`[...document.querySelectorAll(".silence button")].find(a => a.innerText === "立即结束").click()`)
	b.Until(`location.search.includes("expired") && document.readyState === "complete" && document.querySelector(".silence.active") === null`)
}

// Where Prometheus says that an alert comes from: the rule's expression is drawn without its comparison and with the threshold, its alerts and runbook beside it.
func TestTheExpressionOfARule(t *testing.T) {
	t.Parallel()
	c, _ := whole(t)
	for name, test := range map[string]struct {
		expr, title string
		line        bool
		beside      []string
	}{
		"a rule":        {threadsHigh, "GoThreadsHigh", true, []string{`class="alert `, "系统线程数过高", "/alerts/GoThreadsHigh", "/silences/new?matcher="}},
		"no bound":      {"up == 0", "TargetDown", false, []string{`class="alert `, "/alerts/TargetDown"}},
		"another":       {`go_goroutines{job=~"go$"} < 5`, "Expression", true, nil},
		"no comparison": {`sum by (job) (go_threads)`, "Expression", false, nil},
	} {
		code, page, err := get(c.url + "/graph?g0.expr=" + url.QueryEscape(test.expr))
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, code, name)
		assert.Regexp(t, `<h1>(<a [^>]*>)?`+test.title, page, name)
		assert.Contains(t, page, html.EscapeString(test.expr), name)
		for _, want := range test.beside {
			assert.Contains(t, page, want, name)
		}
		assert.Equal(t, test.beside != nil, strings.Contains(page, "<aside"), name)
		var body string
		eventually(t, time.Minute, func() error {
			if code, body, err = get(c.url + "/panels/~graph?p=1:600x300&theme=light&g0.expr=" + url.QueryEscape(test.expr)); err == nil && (code != http.StatusOK || !strings.Contains(body, "svg")) {
				err = fmt.Errorf("%d %s", code, body)
			}
			return err
		})
		assert.Contains(t, body, `data-series=`, "%s: what is compared is there, breach or not", name)
		assert.Equal(t, test.line, strings.Contains(body, "#f2495c"), "%s: the line of the threshold", name)
	}
	_, page, err := get(c.url + "/alerts/GoThreadsHigh?range=6h")
	require.NoError(t, err)
	m := regexp.MustCompile(`<img class="drawn" src="([^"]+)"`).FindStringSubmatch(page)
	require.NotNil(t, m)
	code, svg, err := get(c.url + html.UnescapeString(m[1]))
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, code)
	assert.Contains(t, svg, "#f2495c")
	for _, wrong := range []string{"/d/~graph", "/d/~graph?g0.expr=" + strings.Repeat("a", 20_000)} {
		code, _, err = get(c.url + wrong)
		require.NoError(t, err)
		assert.Equal(t, http.StatusBadRequest, code)
	}
	// What Prometheus does not understand is said in the panel.
	_, body, err := get(c.url + "/panels/~graph?p=1:600x300&g0.expr=" + url.QueryEscape("sum(("))
	require.NoError(t, err)
	assert.Contains(t, body, "parse error")
}

// Links that were made for Grafana lead to the page that shows the same.
func TestGrafanasAddresses(t *testing.T) {
	t.Parallel()
	c, _ := whole(t)
	for from, to := range map[string]string{
		"/alerting/list":                       "/alerts",
		"/alerting/grafana/GoThreadsHigh/view": "/alerts/GoThreadsHigh",
		"/alerting/silences":                   "/silences",
		"/alerting/silence/new?alertmanager=grafana&matcher=alertname%3DA%20b&matcher=x!%3D1": "/silences/new?matcher=" + url.QueryEscape(`alertname="A b"`) + "&matcher=" + url.QueryEscape(`x!="1"`),
		"/dashboards/f/abc/folder": "/dashboards",
		"/graph":                   "/alerts",
		"/graph?g0.tab=1&g0.range_input=3h&g0.expr=" + url.QueryEscape("up == 0"): "/d/~graph?from=now-3h&g0.expr=up+%3D%3D+0",
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

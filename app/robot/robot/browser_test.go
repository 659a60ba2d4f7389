package robot_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var screenshots = flag.String("screenshots", "", "folder to write pictures of the page to")

// browser is one tab of a real headless browser, together with everything it complained about and
// every address it asked for.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	complaints []string
	requests   []string
}

func newBrowser(t *testing.T, language string) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "google-chrome", "chromium-browser", "google-chrome-stable"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	require.NotEmpty(t, path, "the page is tested in a real browser: install chromium (Debian: apt-get install chromium) or put google-chrome into PATH")

	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("accept-lang", language),
		chromedp.UserDataDir(t.TempDir()),
	)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, leave := chromedp.NewContext(ctx)
	t.Cleanup(leave)
	b := &browser{t: t, ctx: ctx}
	require.NoError(t, chromedp.Listen(ctx, func(e any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := e.(type) {
		case *log.EventEntryAdded:
			b.complaints = append(b.complaints, e.Entry.Text+" "+e.Entry.URL)
		case *runtime.EventExceptionThrown:
			b.complaints = append(b.complaints, e.ExceptionDetails.Text+" "+e.ExceptionDetails.URL)
		case *network.EventRequestWillBeSent:
			b.requests = append(b.requests, e.Request.URL)
		}
	}))
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	return b
}

func call[P, R any](b *browser, command cdp.Command[P, R], params P) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, command, params)
	require.NoError(b.t, err, command.Method)
}

func (b *browser) open(url string) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, chromedp.Navigate(url)))
	b.live()
}

func (b *browser) reload() {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, chromedp.Reload()))
	b.live()
}

func (b *browser) live() {
	b.t.Helper()
	b.eventually(`document.getElementById("state").dataset.state === "live"`)
}

func (b *browser) click(selector string) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, chromedp.Click(chromedp.CSS(selector))), selector)
}

func (b *browser) size(width, height int64, dark bool) {
	b.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600})
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}

// eventually polls a JavaScript expression until it is true. (chromedp's own poll makes functions
// from strings, which the page's policy forbids, and ends when the page is loaded anew.)
func (b *browser) eventually(expression string) {
	b.t.Helper()
	var last error
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-tick.C {
		var ok bool
		if ok, last = chromedp.Run(b.ctx, chromedp.Evaluate[bool](expression)); ok && last == nil {
			return
		}
	}
	html, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.documentElement.outerHTML`))
	b.t.Fatalf("never true: %s (last error: %v)\n%s", expression, last, html)
}

func (b *browser) eval(expression string) string {
	b.t.Helper()
	s, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	require.NoError(b.t, err, expression)
	return s
}

func (b *browser) picture(name string) {
	b.t.Helper()
	if *screenshots == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(filepath.Join(*screenshots, name+".png"), png, 0o644))
}

// story sends one of everything: what the page is looked at with.
func (g *group) story() {
	g.t.Helper()
	ok := func(body string) { g.t.Helper(); require.Equal(g.t, 0, g.send(body).ErrCode, body) }
	ok(`{"msgtype":"markdown","msgUuid":"u-1","at":{"atMobiles":["13800138000","13900139000"]},"markdown":{"title":"报警 线程过多 go1","text":` +
		quote("### <font color=\"#d93026\">报警：线程过多</font>\n\n**Too many OS threads** · `critical`\n\n> go1 的线程数 1 分钟均值 **12.4**，阈值 8\n\n- 实例 / instance：`go1`\n- 环境 / env：local\n- 开始 / since：2026-11-22 15:20:30\n\n[打开面板](http://127.0.0.1:3001/d/go) · [规则](http://127.0.0.1:3001/alerting) · [处理手册](https://example.com/runbooks/threads)\n\n@13800138000 请处理") + `}}`)
	ok(`{"msgtype":"markdown","msgUuid":"u-1","markdown":{"title":"报警 线程过多 go1","text":"报警 repeated"}}`)
	ok(`{"msgtype":"text","text":{"content":"报警 磁盘将在 3 天内写满：db-1 /var\ndisk will be full in 3 days, see http://grafana.example.com/d/disk?var=db-1"},"at":{"isAtAll":true}}`)
	require.Equal(g.t, 310000, g.send(`{"msgtype":"text","text":{"content":"deploy finished: orders v1.4.2"}}`).ErrCode)
	ok(`{"msgtype":"link","link":{"title":"[FIRING:1] 报警 高错误率 (orders)","text":"Value: 7.3 %\nThreshold: 5 %\nroute=/api/orders code=500","messageUrl":"http://127.0.0.1:3001/alerting/list","picUrl":"https://example.com/a.png"}}`)
	ok(`{"msgtype":"actionCard","actionCard":{"title":"报警 内存","text":` +
		quote("#### 报警：进程内存过高\n\n| 不是 | 表格 |\n\n进程内存 **412 MiB**，阈值 256 MiB\n\n![内存曲线](https://example.com/memory.png)\n") + `,"btnOrientation":"1","btns":[{"title":"查看面板","actionURL":"http://127.0.0.1:3001/d/go"},{"title":"静默 2 小时","actionURL":"dingtalk://dingtalkclient/page/link?url=http%3A%2F%2F127.0.0.1%3A3001%2Falerting%2Fsilences&pc_slide=false"}]}}`)
	ok(`{"msgtype":"actionCard","actionCard":{"title":"恢复","text":` + quote("#### <font color=\"#1a9f5b\">报警恢复：线程过多</font>\n\n持续 6 分 30 秒 · resolved after 6m30s") + `,"singleTitle":"查看详情","singleURL":"http://127.0.0.1:3001/d/go"}}`)
	ok(`{"msgtype":"feedCard","feedCard":{"links":[{"title":"报警周报：第 47 周","messageURL":"https://example.com/w47","picURL":"https://example.com/1.png"},{"title":"最吵的十条规则","messageURL":"https://example.com/noisy","picURL":"https://example.com/2.png"},{"title":"Error budget: 71 % left","messageURL":"https://example.com/slo","picURL":"https://example.com/3.png"}]}}`)
	g.faults(`{"faults":[{"kind":"half_body"},{"kind":"status","status":502}]}`)
	g.try(`{"msgtype":"text","text":{"content":"报警 Redis 主从延迟 4.2 s"}}`)
	g.try(`{"msgtype":"text","text":{"content":"报警 MySQL 连接数 480/500"}}`)
	require.Equal(g.t, 460101, g.send(`{"msgtype":"text","text":{"content":"报警 `+strings.Repeat("很长", 4000)+`"}}`).ErrCode)
}

func TestPageInABrowser(t *testing.T) {
	t.Parallel()
	g := newGroup(t, nil)
	b := newBrowser(t, "zh-CN")
	b.size(1280, 900, false)
	b.open(g.url + "/")
	assert.Equal(t, "zh-CN", b.eval(`document.documentElement.lang`), "the browser's language")
	b.picture("empty")

	g.story()
	b.eventually(`document.querySelectorAll("article").length === 10`)
	b.eventually(`[...document.querySelectorAll("#m1 .note")].some(n => n.textContent.includes("msgUuid"))`)
	b.checkStory()
	for _, size := range []struct {
		name          string
		width, height int64
	}{{"desktop", 1280, 900}, {"phone", 390, 844}} {
		for _, dark := range []bool{false, true} {
			b.size(size.width, size.height, dark)
			assert.Equal(t, "0", b.eval(`document.documentElement.scrollWidth > innerWidth ? 1 : 0`), "nothing sticks out sideways")
			for i, where := range []string{"#m1", "#m4", "#m9"} {
				b.eval(fmt.Sprintf(`document.querySelector(%q).scrollIntoView({block:"start"})`, where))
				b.picture(fmt.Sprintf("%s-%v-%d", size.name, map[bool]string{false: "light", true: "dark"}[dark], i+1))
			}
		}
	}

	// What came live and what a fresh page shows must look the same.
	b.size(1280, 900, false)
	live := b.eval(`[...document.querySelectorAll("article")].map(a => a.className.replace(" arriving", "") + a.innerHTML).join()`)
	b.reload()
	assert.Equal(t, live, b.eval(`[...document.querySelectorAll("article")].map(a => a.className + a.innerHTML).join()`))
	assert.Equal(t, "0", b.eval(`Math.round(document.getElementById("chat").scrollHeight - document.getElementById("chat").scrollTop - document.getElementById("chat").clientHeight)`), "it opens at the newest message")

	// Refused messages can be hidden, and stay so.
	b.click("#show-refused")
	b.reload()
	b.eventually(`getComputedStyle(document.querySelector(".message.refused")).display === "none"`)
	b.click("#show-refused")
	b.eventually(`getComputedStyle(document.querySelector(".message.refused")).display === "flex"`)

	// Somebody who reads further up isn't torn away, but told.
	b.eval(`document.getElementById("chat").scrollTop = 0`)
	g.send(`{"msgtype":"text","text":{"content":"报警 while you were reading"}}`)
	b.eventually(`!document.getElementById("newest").hidden && document.title.startsWith("(1)")`)
	assert.Equal(t, "0", b.eval(`document.getElementById("chat").scrollTop`))
	b.picture("reading")
	b.click("#newest")
	b.eventually(`document.getElementById("newest").hidden && !document.title.startsWith("(")`)

	b.open(g.url + "/?lang=en")
	assert.Equal(t, "en", b.eval(`document.documentElement.lang`))
	assert.Contains(t, b.eval(`document.querySelector("#m3 .verdict").textContent`), "The group does not see this message 310000")
	b.click(".rules summary")
	b.click("#m1 .raw summary")
	b.picture("english")

	b.click("#clear")
	b.eventually(`document.querySelectorAll("article, .day").length === 0 && document.querySelector(".empty").offsetHeight > 0`)
	assert.Empty(t, g.messages())

	b.mu.Lock()
	defer b.mu.Unlock()
	assert.Empty(t, b.complaints, "a strict policy leaves nothing to complain about")
	for _, asked := range b.requests {
		assert.True(t, strings.HasPrefix(asked, g.url+"/"), "asked elsewhere: %s", asked)
	}
}

func (b *browser) checkStory() {
	b.t.Helper()
	is := func(want, expression string) { b.t.Helper(); assert.Equal(b.t, want, b.eval(expression), expression) }
	is("@13800138000", `[...document.querySelectorAll("#m1 .mention")].map(m => m.textContent).join()`)
	is("true", `document.querySelector("#m1 .note").textContent.includes("@13900139000")`)
	is("#d93026", `document.querySelector("#m1 h3 font").color`)
	is("critical,go1", `[...document.querySelectorAll("#m1 .markdown code")].map(c => c.textContent).join()`)
	is("@所有人", `document.querySelector("#m2 .mention").textContent`)
	is("http://grafana.example.com/d/disk?var=db-1", `document.querySelector("#m2 .plain a").href`)
	is("message refused", `document.querySelector("#m3").className.replace(" arriving", "")`)
	is("true", `document.querySelector("#m3 .verdict").textContent.includes("关键词不匹配")`)
	is("http://127.0.0.1:3001/alerting/list", `document.querySelector("#m4 a.card").href`)
	is("查看面板 http://127.0.0.1:3001/d/go,静默 2 小时 http://127.0.0.1:3001/alerting/silences",
		`[...document.querySelectorAll("#m5 .buttons a")].map(a => a.textContent + " " + a.href).join()`)
	is("0", `document.querySelectorAll("#m5 table, #m5 .markdown img").length`)
	is("内存曲线", `document.querySelector("#m5 .picture").textContent`)
	is("3", `document.querySelectorAll("#m7 .feed a").length`)
	is("message doubtful", `document.querySelector("#m8").className.replace(" arriving", "")`)
	is("message lost", `document.querySelector("#m9").className.replace(" arriving", "")`)
	is("460101", `document.querySelector("#m10 .verdict code").textContent`)
}

// A page that was open while the program was replaced must not show the old one's messages.
func TestPageNoticesARestart(t *testing.T) {
	t.Parallel()
	g := newGroup(t, nil)
	g.send(`{"msgtype":"text","text":{"content":"报警 of the first run"}}`)
	b := newBrowser(t, "en-US")
	b.open(g.url + "/")
	b.eventually(`document.querySelectorAll("article").length === 1`)
	assert.Equal(t, "en", b.eval(`document.documentElement.lang`))

	g.restart()
	g.send(`{"msgtype":"text","text":{"content":"报警 of the second run"}}`)
	b.eventually(`document.getElementById("state").dataset.state === "live" && document.body.textContent.includes("of the second run")`)
	assert.NotContains(t, b.eval(`document.body.textContent`), "of the first run")
}

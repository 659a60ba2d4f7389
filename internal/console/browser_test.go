package console_test

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var screenshots = flag.String("screenshots", "", "folder to write pictures of the pages to")

// browser is one tab of a real headless browser, with all that it complained about.
type browser struct {
	t   testing.TB
	ctx context.Context

	mu         sync.Mutex
	complaints []string
	requests   []string
}

func newBrowser(t testing.TB, language string) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "google-chrome", "chromium-browser", "google-chrome-stable"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	require.NotEmpty(t, path, "the pages are tested in a real browser: install chromium (Debian: apt-get install chromium) or put google-chrome into PATH")
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("accept-lang", language), chromedp.Flag("hide-scrollbars", true), chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
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
	require.NoError(b.t, chromedp.Do(b.ctx, chromedp.Navigate(url)), url)
	b.until(`document.readyState === "complete"`)
}

func (b *browser) click(selector string) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, chromedp.Click(chromedp.CSS(selector))), selector)
}

func (b *browser) size(width, height int64, dark bool) {
	b.t.Helper()
	scheme := map[bool]string{true: "dark", false: "light"}[dark]
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600})
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}

// until polls a JavaScript expression until it is true.
func (b *browser) until(expression string) {
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
	html, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText.slice(0, 4000)`))
	b.t.Fatalf("never true: %s (last error: %v)\ncomplaints: %q\n%s", expression, last, b.said(), html)
}

func (b *browser) eval(expression string) string {
	b.t.Helper()
	s, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	require.NoError(b.t, err, expression)
	return s
}

func (b *browser) said() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string{}, b.complaints...)
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

// drawn waits until each panel that is on the screen shows something.
const drawn = `[...document.querySelectorAll(".panel")].filter(p => p.getBoundingClientRect().top < innerHeight && p.offsetParent).every(p => p.querySelector(".body").children.length && !p.querySelector(".body > .wait"))`

// accessible runs the accessibility checker: nothing serious or critical.
func (b *browser) accessible(name string) {
	b.t.Helper()
	script, err := os.ReadFile("../../.cache/axe.min.js")
	require.NoError(b.t, err, "the accessibility checker is needed: make test-deps")
	_, err = chromedp.Run(b.ctx, chromedp.Evaluate[bool](string(script)+";true"))
	require.NoError(b.t, err)
	found := b.async(`axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.filter(v => v.impact === "serious" || v.impact === "critical").map(v =>
		v.id + ": " + v.nodes.slice(0, 3).map(n => n.target.join(" ") + " " + n.failureSummary.replace(/\s+/g, " ")).join("; ")).join("\n"))`)
	assert.Empty(b.t, found, "accessibility of %s", name)
}

// async waits for what a promise gives. (Evaluating a promise needs a value to come back later, so it is put aside and polled.)
func (b *browser) async(promise string) string {
	b.t.Helper()
	b.eval(`(window.result = null, ` + promise + `.then(v => window.result = {v}, e => window.result = {v: "failed: " + e}), "")`)
	b.until(`window.result !== null`)
	return b.eval(`window.result.v`)
}

// keyboard presses Tab through the page: each control that is seen gets the focus, and can be seen to have it.
func (b *browser) keyboard(name string) {
	b.t.Helper()
	const controls = `[...document.querySelectorAll("a[href],button,input:not([type=hidden]),select,summary,[tabindex='0']")].filter(e => e.checkVisibility({visibilityProperty: true, opacityProperty: false}) && !e.disabled)`
	// Panels are drawn when they are scrolled to. One that is drawn behind the focus would be passed over, so first all are.
	for range 60 {
		b.until(drawn)
		if b.eval(`(() => { const y = scrollY; scrollTo({top: y + innerHeight / 2, behavior: "instant"}); return scrollY === y })()`) == "true" {
			break
		}
	}
	b.until(drawn)
	b.eval(`(window.reached = new Set(), window.unseen = new Set(), document.activeElement.blur(), scrollTo(0, 0), document.addEventListener("focusin", e => {
		reached.add(e.target);
		const s = getComputedStyle(e.target);
		if (s.outlineStyle === "none" && !e.target.matches("input,select")) unseen.add(e.target.outerHTML.slice(0, 80));
	}), "")`)
	for presses := 0; presses < 400; presses++ {
		require.NoError(b.t, chromedp.Do(b.ctx, chromedp.KeyEvent(kb.Tab)))
		if presses%15 == 14 && b.eval(drawn+" && "+controls+`.every(e => reached.has(e) || e.type === "radio")`) == "true" {
			break
		}
	}
	missed := b.eval(controls + `.filter(e => !reached.has(e) && !(e.type === "radio")).map(e => e.outerHTML.slice(0, 100)).join("\n")`)
	assert.Empty(b.t, missed, "not reached by the keyboard on %s", name)
	assert.Equal(b.t, "", b.eval(`[...unseen].join("\n")`), "focus is not seen on %s", name)
}

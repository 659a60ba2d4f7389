// Package browsertest shows pages to tests in a real headless browser. All tabs of a test program share one browser, which takes a second to start; each has cookies
// and a language of its own.
package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var shared struct {
	sync.Mutex
	ctx     context.Context
	close   func()
	version string
	err     error
}

// Close closes the browser, if a test has started it. TestMain calls it after the tests.
func Close() {
	shared.Lock()
	defer shared.Unlock()
	if shared.close != nil {
		shared.close()
	}
}

// start starts the browser, once.
func start() (context.Context, string, error) {
	shared.Lock()
	defer shared.Unlock()
	if shared.ctx != nil || shared.err != nil {
		return shared.ctx, shared.version, shared.err
	}
	path := ""
	for _, name := range []string{"chromium", "google-chrome", "chromium-browser", "google-chrome-stable"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		shared.err = fmt.Errorf("pages are tested in a real browser: install chromium (Debian: apt-get install chromium) or put google-chrome into PATH")
		return nil, "", shared.err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("hide-scrollbars", true))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, leave := chromedp.NewContext(allocator)
	err := chromedp.Do(ctx)
	if err != nil {
		leave()
		stop()
		shared.err = fmt.Errorf("start %s: %w", path, err)
		return nil, "", shared.err
	}
	shared.ctx, shared.close = ctx, func() {
		limit, cancel := context.WithTimeout(ctx, 10*time.Second)
		_ = chromedp.Cancel(limit)
		cancel()
		leave()
		stop() // waits for the process and removes its folder
	}
	shared.version, shared.err = chromedp.Run(ctx, chromedp.Evaluate[string]("navigator.userAgent"))
	return shared.ctx, shared.version, shared.err
}

// Tab is one tab with all that the browser complained about and asked for.
type Tab struct {
	T   testing.TB
	Ctx context.Context
	// Patience is how long [Tab.Until] waits; half a minute unless a test says otherwise.
	Patience time.Duration

	mu         sync.Mutex
	complaints []string
	requests   []string
}

// Open opens a tab that prefers a language ("zh-CN") and closes it when the test ends.
func Open(t testing.TB, language string) *Tab {
	t.Helper()
	browser, agent, err := start()
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(leave)
	b := &Tab{T: t, Ctx: ctx, Patience: 30 * time.Second}
	if err := chromedp.Listen(ctx, b.note); err != nil {
		t.Fatal(err)
	}
	Call(b, network.Enable, network.EnableParams{})
	Call(b, log.Enable, cdp.Empty{})
	Call(b, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: agent, AcceptLanguage: language})
	// Several tabs at the same time: each behaves as if it were the one in front.
	Call(b, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	return b
}

func (b *Tab) note(e any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := e.(type) {
	case *log.EventEntryAdded:
		b.complaints = append(b.complaints, e.Entry.Text+" "+e.Entry.URL)
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, e.ExceptionDetails.Text+" "+e.ExceptionDetails.URL)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			text := "console.error"
			for _, a := range e.Args {
				text += fmt.Sprintf(" %s%s", a.Value, a.Description)
			}
			b.complaints = append(b.complaints, text)
		}
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	}
}

// Call sends a command of the browser's protocol.
func Call[P, R any](b *Tab, command cdp.Command[P, R], params P) R {
	b.T.Helper()
	out, err := chromedp.Call(b.Ctx, command, params)
	if err != nil {
		b.T.Fatalf("%s: %v", command.Method, err)
	}
	return out
}

// Complaints are what the browser has put on its console: errors of scripts, of the page's policy, and of what could not be loaded.
func (b *Tab) Complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string{}, b.complaints...)
}

// Requests are the addresses that were asked for.
func (b *Tab) Requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string{}, b.requests...)
}

// Open shows an address and waits until the page is there.
func (b *Tab) Open(url string) {
	b.T.Helper()
	if err := chromedp.Do(b.Ctx, chromedp.Navigate(url)); err != nil {
		b.T.Fatalf("open %s: %v", url, err)
	}
	b.Until(`document.readyState === "complete"`)
}

// Click clicks the first element that a CSS selector finds.
func (b *Tab) Click(selector string) {
	b.T.Helper()
	if err := chromedp.Do(b.Ctx, chromedp.Click(chromedp.CSS(selector))); err != nil {
		b.T.Fatalf("click %s: %v", selector, err)
	}
}

// Size makes the window so large, in pixels, and light or dark. Narrow ones are phones.
func (b *Tab) Size(width, height int64, dark bool) {
	b.T.Helper()
	scheme := map[bool]string{true: "dark", false: "light"}[dark]
	Call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600})
	Call(b, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: width < 600})
	// Without animations: a browser that draws in software spends most of its time on them.
	Call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// Until polls a JavaScript expression until it is true.
func (b *Tab) Until(expression string) {
	b.T.Helper()
	b.Repeat(func() {}, expression)
}

// Repeat does something again and again, at most once a second, until an expression is true: a page may be drawing anew what the pointer is at.
func (b *Tab) Repeat(do func(), expression string) {
	b.T.Helper()
	var last error
	var done time.Time
	tick := time.NewTicker(15 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(b.Patience); time.Now().Before(deadline); <-tick.C {
		var ok bool
		if ok, last = chromedp.Run(b.Ctx, chromedp.Evaluate[bool]("!!("+expression+")")); ok && last == nil {
			return
		}
		if time.Since(done) > time.Second {
			do()
			done = time.Now()
		}
	}
	page, _ := chromedp.Run(b.Ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText.slice(0, 4000)`))
	b.T.Fatalf("never true: %s (last error: %v)\ncomplaints: %q\n%s", expression, last, b.Complaints(), page)
}

// Eval is the value of a JavaScript expression as text.
func (b *Tab) Eval(expression string) string {
	b.T.Helper()
	s, err := chromedp.Run(b.Ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		b.T.Fatalf("%s: %v", expression, err)
	}
	return s
}

// Async is the text that a promise gives.
func (b *Tab) Async(promise string) string {
	b.T.Helper()
	s, err := chromedp.Run(b.Ctx, chromedp.Evaluate[string](promise+`.then(String, e => "failed: " + e)`, chromedp.EvalAwaitPromise))
	if err != nil {
		b.T.Fatalf("%s: %v", promise, err)
	}
	return s
}

// Mouse moves, presses or releases the mouse at a place inside of an element, given as shares of its size.
func (b *Tab) Mouse(selector string, kind input.DispatchMouseEventType, x, y float64) {
	b.T.Helper()
	var box struct{ X, Y, W, H float64 }
	text := b.Eval(fmt.Sprintf(`(b => JSON.stringify({X: b.x, Y: b.y, W: b.width, H: b.height}))(document.querySelector(%q).getBoundingClientRect())`, selector))
	if err := json.Unmarshal([]byte(text), &box); err != nil {
		b.T.Fatalf("place of %s: %v", selector, err)
	}
	p := input.DispatchMouseEventParams{Type: kind, X: box.X + box.W*x, Y: box.Y + box.H*y}
	if kind != input.DispatchMouseEventTypeMouseMoved {
		p.Button, p.ClickCount = input.MouseButtonLeft, 1
	}
	Call(b, input.DispatchMouseEvent, p)
}

// Tap touches the middle of the first element that a selector finds, as a finger does: it has to be on the screen or can be scrolled to.
func (b *Tab) Tap(selector string) {
	b.T.Helper()
	if err := chromedp.Do(b.Ctx, chromedp.Tap(chromedp.CSS(selector))); err != nil {
		b.T.Fatalf("tap %s: %v", selector, err)
	}
}

// Screenshot is what can be seen, as a PNG.
func (b *Tab) Screenshot() []byte {
	b.T.Helper()
	png, err := chromedp.Run(b.Ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.T.Fatalf("screenshot: %v", err)
	}
	return png
}

// Serious runs the accessibility checker axe, whose script is given, and returns its serious and critical findings, "" if there are none. Without rules all are checked.
func (b *Tab) Serious(axe []byte, rules ...string) string {
	b.T.Helper()
	if b.Eval(`typeof axe`) != "object" {
		if _, err := chromedp.Run(b.Ctx, chromedp.Evaluate[bool](string(axe)+";true")); err != nil {
			b.T.Fatalf("the accessibility checker: %v", err)
		}
	}
	only := ""
	if len(rules) > 0 {
		list, err := json.Marshal(rules)
		if err != nil {
			b.T.Fatal(err)
		}
		only = `, runOnly: {type: "rule", values: ` + string(list) + `}`
	}
	return b.Async(`axe.run(document, {resultTypes: ["violations"]` + only + `}).then(r => r.violations.filter(v => v.impact === "serious" || v.impact === "critical").map(v =>
		v.id + ": " + v.nodes.slice(0, 3).map(n => n.target.join(" ") + " " + n.failureSummary.replace(/\s+/g, " ")).join("; ")).join("\n"))`)
}

// controls are what the keyboard has to reach.
const controls = `[...document.querySelectorAll("a[href],button,input:not([type=hidden]),select,summary,[tabindex='0']")].filter(e => e.checkVisibility({visibilityProperty: true, opacityProperty: false}) && !e.disabled)`

// Keyboard presses Tab through the page, all of which has to be drawn, and returns the controls that did not get the focus and those that do not show that they have it.
func (b *Tab) Keyboard() (missed, unseen string) {
	b.T.Helper()
	b.Eval(`(window.reached = new Set(), window.unseen = new Set(), document.activeElement.blur(), scrollTo(0, 0), document.addEventListener("focusin", e => {
		reached.add(e.target);
		const s = getComputedStyle(e.target);
		if (s.outlineStyle === "none" && !e.target.matches("input,select")) unseen.add(e.target.outerHTML.slice(0, 80));
	}), "")`)
	left := controls + `.filter(e => !reached.has(e) && e.type !== "radio")`
	for presses := 0; presses < 400; {
		var todo int
		if _, err := fmt.Sscan(b.Eval(left+".length"), &todo); err != nil {
			b.T.Fatal(err)
		}
		if todo == 0 {
			break
		}
		// Each press reaches one control at most.
		for range todo {
			// The key going down moves the focus; that it comes up again does nothing.
			Call(b, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeRawKeyDown, Key: "Tab", Code: "Tab", WindowsVirtualKeyCode: 9})
			presses++
		}
	}
	return b.Eval(left + `.map(e => e.outerHTML.slice(0, 100)).join("\n")`), b.Eval(`[...unseen].join("\n")`)
}

package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"lookout/app/relay/internal/message"
	"lookout/app/relay/internal/notification"
	"lookout/app/robot/robot"
)

// The picture in the README is made by
//
//	go test ./app/relay -run TestWhatPeopleSee -args -picture "$PWD/docs/images/chat.png"
//	convert docs/images/chat.png -strip -dither None -colors 64 png8:docs/images/chat.png
//
// by a machine with the fonts Noto Sans CJK and Noto Color Emoji.
var picture = flag.String("picture", "", "file to write a picture of the chat to")

var pictures = flag.String("pictures", "", "folder to write a picture of every kind of message to")

func encodeNotification(t *testing.T, n notification.Notification) []byte {
	t.Helper()
	body, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestWhatPeopleSee looks at an alert, its end, and a storm with the eyes of a real browser: marked up
// instead of full of asterisks, links that lead somewhere, whoever is mentioned, and the colours by which
// firing and resolved are told apart.
func TestWhatPeopleSee(t *testing.T) {
	t.Parallel()
	server, messages := newGroup(t, robot.Robot{AccessToken: "token", Name: "运维群机器人", Keywords: []string{"报警"}})
	p := newProcess(t, fmt.Sprintf(`
time_zone: UTC
robots: {ops: {url: %q, token_file: secrets/ops, keywords: [报警]}}
targets:
  ops:
    channels: [{robots: [ops]}]
    mentions: [{match: {severity: critical}, mobiles: ["13800138000"]}]
    digest: {above: 1, pause: 2s, settle: 200ms}
`, server.URL+"/robot/send"), map[string]string{"ops": "token"})
	p.start()
	p.ready()
	samples := message.Samples(time.Now())
	tell := func(want int, notifications ...notification.Notification) {
		t.Helper()
		for _, n := range notifications {
			body, err := json.Marshal(n)
			if err != nil {
				t.Fatal(err)
			}
			if status, answer := p.post("/v1/robots/ops", body); status != 202 {
				t.Fatalf("%d %s", status, answer)
			}
		}
		eventually(t, 20*time.Second, func() error {
			if got := len(messages()); got != want {
				return fmt.Errorf("%d messages in the chat, want %d:\n%s", got, want, p.log)
			}
			return nil
		})
	}
	storm := samples["storm"]
	storm.Alerts = storm.Alerts[:5]
	tell(1, samples["firing"])
	tell(2, samples["resolved"])
	tell(3, storm, samples["group"], samples["nodata"])

	b := openBrowser(t, server.URL+"/?lang=zh", 700, 1130)
	eventually(t, 20*time.Second, func() error {
		if n := b.eval(`document.querySelectorAll("article.message").length`); n != "3" {
			return fmt.Errorf("%s messages on the page", n)
		}
		return nil
	})
	for expression, want := range map[string]string{
		`document.querySelector("#m1 .markdown h3").textContent`:                                                                       "🔴 报警 Firing · 严重 Critical",
		`document.querySelector("#m2 .markdown h3").textContent`:                                                                       "✅ 报警恢复 Resolved · 严重 Critical",
		`[...document.querySelectorAll("#m1 .mention")].map(m => m.textContent).join()`:                                                "@13800138000",
		`document.querySelectorAll("#m2 .mention, article .note, article.refused").length`:                                             "0",
		`[...document.querySelectorAll("#m1 .markdown a")].map(a => new URL(a.href).host).join()`:                                      "grafana.example.com,grafana.example.com,grafana.example.com,example.com",
		`[...document.querySelectorAll("#m1 li")].map(l => l.textContent).find(l => l.includes("Value"))`:                              "数值 Value: 12.25 (阈值 threshold > 8)",
		`document.querySelector("#m3 .markdown h3").textContent`:                                                                       "🔴 报警摘要 Digest",
		`[...document.querySelectorAll("#m3 li")].map(l => l.textContent.match(/^(\S+).*(go\d)/).slice(1, 3).join(" ")).sort().join()`: "⚪ go1,✅ go0,🔥 go1,🔥 go2,🔥 go3,🔥 go4",
		`[...document.querySelectorAll(".markdown")].some(m => /\*\*|\]\(|^#|^> /m.test(m.textContent))`:                               "false",
		`document.documentElement.scrollWidth > innerWidth`:                                                                            "false",
	} {
		if got := b.eval(expression); got != want {
			t.Errorf("%s\nis   %q\nwant %q", expression, got, want)
		}
	}
	if *picture != "" {
		b.eval(`document.getElementById("m2").scrollIntoView({block: "start", behavior: "instant"})`)
		png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(*picture, png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// browser is a tab of a real headless browser.
type browser struct {
	t   *testing.T
	ctx context.Context
}

func openBrowser(t *testing.T, url string, width, height int64) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "google-chrome", "chromium-browser", "google-chrome-stable"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Fatal("what people see is looked at in a real browser: install chromium (Debian: apt-get install chromium) or put google-chrome into PATH")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, stop := chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1"), chromedp.UserDataDir(t.TempDir()))...)
	t.Cleanup(stop)
	ctx, leave := chromedp.NewContext(ctx)
	t.Cleanup(leave)
	if _, err := chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1}); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		t.Fatal(err)
	}
	return &browser{t, ctx}
}

func (b *browser) eval(expression string) string {
	b.t.Helper()
	s, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return strings.TrimSpace(s)
}

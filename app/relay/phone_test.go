package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"lookout/app/relay/internal/message"
	"lookout/app/relay/internal/notification"
	"lookout/app/robot/robot"
)

// TestOnAPhone shows every kind of message at the width of a phone: nothing has to be scrolled sideways, nothing of
// the markdown shows, and what is wrong, where and how bad stands on the first screen. The pictures are
// written to a folder by
//
//	go test ./app/relay -run TestOnAPhone -args -pictures /tmp/pictures
//
// and are to be looked at whenever the templates change.
func TestOnAPhone(t *testing.T) {
	t.Parallel()
	const width, height = 390, 844
	server, messages := newGroup(t, robot.Robot{AccessToken: "token", Name: "ops", Keywords: []string{"报警"}})
	p := newProcess(t, "", map[string]string{"ops": "token", "answers": "0123456789abcdef"})
	p.write("relay.yaml", fmt.Sprintf(`
answers: {url: "http://phone.test:%s", key_file: secrets/answers, silences: "http://127.0.0.1:1"}
robots: {ops: {url: %q, token_file: secrets/ops, keywords: [报警]}}
targets: {ops: {channels: [{robots: [ops]}], digest: {pause: 10ms}}}
`, p.address[strings.LastIndex(p.address, ":")+1:], server.URL+"/robot/send"))
	p.start()
	p.ready()
	samples := message.Samples(time.Now())
	// Twenty a minute is the limit: one message of each kind.
	names := slices.Sorted(maps.Keys(samples))
	for i, name := range names {
		body := encodeNotification(t, samples[name])
		if status, answer := p.post("/v1/robots/ops", body); status != 202 {
			t.Fatalf("%d %s", status, answer)
		}
		eventually(t, 30*time.Second, func() error {
			if got := len(messages()); got <= i {
				return fmt.Errorf("%d messages in the chat, %s is missing", got, name)
			}
			return nil
		})
	}
	b := openBrowser(t, server.URL+"/?lang=zh", width, height)
	eventually(t, 20*time.Second, func() error {
		if n, _ := strconv.Atoi(b.eval(`document.querySelectorAll("article.message").length`)); n < len(names) {
			return fmt.Errorf("%d messages on the page", n)
		}
		return nil
	})
	if b.eval(`document.documentElement.scrollWidth > innerWidth`) != "false" {
		t.Error("the page is wider than the phone")
	}
	for i, name := range names {
		id := fmt.Sprintf("m%d", i+1)
		b.eval(fmt.Sprintf(`document.getElementById(%q).scrollIntoView({block: "start", behavior: "instant"})`, id))
		text := b.eval(fmt.Sprintf(`document.querySelector("#%s .markdown").innerText`, id))
		for _, raw := range []string{"**", "](", "\\*", "\\[", "### ", "<no value>", "NaN"} {
			if strings.Contains(text, raw) {
				t.Errorf("%s shows %q:\n%s", name, raw, text)
			}
		}
		if wide := b.eval(fmt.Sprintf(`[...document.querySelectorAll("#%s .markdown *")].filter(e => e.getBoundingClientRect().right > innerWidth).length`, id)); wide != "0" {
			t.Errorf("%s: %s elements stick out", name, wide)
		}
		// What the first screen holds of it.
		seen := b.eval(fmt.Sprintf(`[...document.querySelectorAll("#%s .markdown > *, #%s .markdown li")].filter(e => e.getBoundingClientRect().top < innerHeight - 20).map(e => e.innerText).join("\n")`, id, id))
		a := worst(samples[name])
		for _, want := range []string{a.Name(), a.Labels["instance"]} {
			if !strings.Contains(seen, want) {
				t.Errorf("%s: %q is not on the first screen:\n%s", name, want, seen)
			}
		}
		if *pictures != "" {
			png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
			if err == nil {
				err = os.WriteFile(filepath.Join(*pictures, name+".png"), png, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	// The page that the link of the largest message opens: nothing sticks out, and thumbs hit the buttons.
	link := ""
	for _, m := range messages() {
		if found := regexp.MustCompile(`http://[^)\s]+/answer/[^)\s]+`).FindString(m.Text); found != "" {
			link = found
		}
	}
	if err := chromedp.Do(b.ctx, chromedp.Navigate(link)); err != nil {
		t.Fatal(err)
	}
	for expression, want := range map[string]string{
		`document.documentElement.scrollWidth > innerWidth`:                                                         "false",
		`[...document.querySelectorAll("button, input")].filter(e => e.getBoundingClientRect().height < 44).length`: "0",
		`document.querySelectorAll("form button").length`:                                                           "4",
		`[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth).length`: "0",
	} {
		if got := b.eval(expression); got != want {
			t.Errorf("%s, %s is %s, want %s", link, expression, got, want)
		}
	}
	// By a name and without TLS browsers say less about where a form comes from: a tap has to work all the same.
	b.eval(`(document.querySelector("input[name=who]").value = "张三", document.querySelector("form button").click())`)
	eventually(t, 20*time.Second, func() error {
		if b.eval(`document.querySelector("#done") !== null`) != "true" {
			return fmt.Errorf("the tap did nothing: %s", b.eval(`document.body && document.body.innerText`))
		}
		return nil
	})
	// The relay's own page, with everything that was sent.
	if err := chromedp.Do(b.ctx, chromedp.Navigate("http://"+p.address+"/")); err != nil {
		t.Fatal(err)
	}
	if wide := b.eval(`[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth).length`); wide != "0" || b.eval(`document.documentElement.scrollWidth > innerWidth`) != "false" {
		t.Errorf("the relay's page: %s elements stick out", wide)
	}
}

// worst is the most severe alert that fires, or the first.
func worst(n notification.Notification) notification.Alert {
	best := n.Alerts[0]
	for _, a := range n.Alerts {
		if a.Status == notification.Firing && (best.Status != notification.Firing || notification.Rank(a.Severity()) < notification.Rank(best.Severity())) {
			best = a
		}
	}
	return best
}

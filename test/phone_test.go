package test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lookout/internal/browsertest"
	"lookout/test/internal/teststack"
)

// fromTheChatOnAPhone does what somebody does whom the message reaches on the way: one tap in the chat opens the panel at the time of the alert, with its threshold and the
// runbook; two more silence it. The silence is ended again, so that the story goes on: the recovery comes after all.
func (s *story) fromTheChatOnAPhone(t *testing.T) {
	b := browsertest.Open(t, "zh-CN")
	b.Patience = time.Minute
	b.Size(390, 844, false)
	b.Open(s.URL("robot") + "/?lang=zh")
	message := fmt.Sprintf("#m%d", s.firing.ID)
	b.Until(fmt.Sprintf(`document.querySelector("%s .markdown") !== null`, message))
	// The chat opens links in a browser of its own; here it is the same tab.
	b.Eval(fmt.Sprintf(`(a => { a.removeAttribute("target"); a.id = "panel"; return "" })([...document.querySelectorAll("%s .markdown a")].find(a => a.innerText.includes("面板")))`, message))
	b.Tap("#panel")

	b.Until(`location.pathname.startsWith("/d/") && document.readyState === "complete" && document.querySelector(".single .panel svg") !== null`)
	at, err := url.Parse(b.Eval("location.href"))
	if err != nil {
		t.Fatal(err)
	}
	s.requirePanel(t, at)
	for name, want := range map[string]string{"var-job": "go", "var-instance": instance} {
		if got := at.Query().Get(name); got != want {
			t.Errorf("the tap leads to %s, where %s is %q, want %q", at, name, got, want)
		}
	}
	millis := func(name string) time.Time {
		n, err := strconv.ParseInt(at.Query().Get(name), 10, 64)
		if err != nil {
			t.Errorf("the tap leads to %s: %s: %v", at, name, err)
		}
		return time.UnixMilli(n)
	}
	from, to := millis("from"), millis("to")
	if !from.Before(s.fired) || s.fired.Sub(from) > 2*time.Hour || to.Before(s.fired) || to.Sub(s.firing.Time).Abs() > time.Minute {
		t.Errorf("the tap leads to the time from %s to %s, and the alert fired at %s", from, to, s.fired)
	}
	for what, expression := range map[string]string{
		"the line of the threshold is in the chart": `document.querySelector(".single .panel svg").outerHTML.includes("#f2495c")`,
		"the series is in the legend":               `document.querySelector(".single .legend")?.innerText.includes("` + instance + `")`,
		"the alert stands beside it":                `document.querySelector("aside .alert.firing h3")?.innerText === "` + alert + `"`,
		"the runbook stands beside it, in Chinese":  `document.querySelector("aside .runbook h2")?.innerText.includes("系统线程数过高")`,
		"nothing sticks out sideways":               `document.documentElement.scrollWidth <= innerWidth`,
	} {
		if b.Eval(expression) != "true" {
			t.Errorf("it is not so that %s: %s\n%s", what, expression, b.Eval(`document.querySelector("main").innerText`))
		}
	}

	// Tap one: the form, filled in. Tap two: two hours.
	b.Eval(`([...document.querySelectorAll("aside .actions a")].find(a => a.innerText === "静默").id = "silence-it")`)
	b.Tap("#silence-it")
	b.Until(`location.pathname === "/silences/new" && document.readyState === "complete" && document.querySelectorAll(".matcher").length >= 3`)
	b.Tap(`button[value="2h"]`)
	b.Until(`location.pathname === "/silences" && document.querySelector(".silence.active") !== null && document.querySelector(".notice.good") !== null`)
	suppressed := func(want bool) {
		t.Helper()
		eventually(t, 30*time.Second, fmt.Sprintf("Alertmanager holds %s back: %t", alert, want), func(ctx context.Context) error {
			alerts, err := s.Alerts(ctx, alert)
			if a := alerts[instance]; err == nil && (len(a.Status.SilencedBy) > 0) != want {
				err = fmt.Errorf("status %+v", a.Status)
			}
			return err
		})
	}
	suppressed(true)
	b.Eval(`([...document.querySelectorAll(".silence.active button")].find(a => a.innerText === "立即结束").id = "end-it")`)
	b.Tap("#end-it")
	b.Until(`location.search.includes("expired") && document.querySelector(".silence.active") === null`)
	suppressed(false)
	s.answerFromTheMessage(t, b, message, suppressed)
	if said := b.Complaints(); len(said) > 0 {
		t.Errorf("the browser complains: %q", said)
	}
}

// answerFromTheMessage follows the link by which people answer: the page that it opens is the relay's, at the console's address. An hour's silence is
// made, the chat is told, and the silence is ended again.
func (s *story) answerFromTheMessage(t *testing.T, b *browsertest.Tab, message string, suppressed func(bool)) {
	t.Helper()
	b.Open(s.URL("robot") + "/?lang=zh")
	b.Until(fmt.Sprintf(`document.querySelector("%s .markdown") !== null`, message))
	b.Eval(fmt.Sprintf(`(a => { a.removeAttribute("target"); a.id = "answer"; return "" })([...document.querySelectorAll("%s .markdown a")].find(a => a.innerText.includes("认领")))`, message))
	b.Tap("#answer")
	b.Until(`location.pathname.startsWith("/answer/") && document.readyState === "complete" && document.querySelector("form input[name=who]") !== null`)
	if at := b.Eval("location.origin"); at != s.URL("console") {
		t.Errorf("the link leads to %s, and the console is %s", at, s.URL("console"))
	}
	b.Eval(`(document.querySelector("input[name=who]").value = "张三", "")`)
	b.Tap(`button[value="1"]`)
	b.Until(`document.querySelector("#done") !== null || document.querySelector("#error") !== null`)
	if said := b.Eval(`document.querySelector("#done, #error").innerText`); !strings.Contains(said, "张三 已静默") {
		t.Fatalf("the tap says %q", said)
	}
	suppressed(true)
	eventually(t, 30*time.Second, "the chat is told who took it", func(ctx context.Context) error {
		messages, err := s.Messages(ctx, s.firing.ID)
		if err == nil && !slices.ContainsFunc(messages, func(m teststack.Message) bool { return strings.Contains(m.Text, "张三 已静默") }) {
			err = fmt.Errorf("%d messages after the alert's do not say so", len(messages))
		}
		return err
	})
	b.Open(s.URL("console") + "/silences")
	b.Until(`document.readyState === "complete" && document.querySelector(".silence.active button") !== null`)
	b.Eval(`([...document.querySelectorAll(".silence.active button")].find(a => a.innerText === "立即结束").id = "end-it")`)
	b.Tap("#end-it")
	b.Until(`location.search.includes("expired") && document.querySelector(".silence.active") === null`)
	suppressed(false)
}

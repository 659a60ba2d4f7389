package delivery

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"lookout/app/robot/robot"
)

// slowTimeout is a transport error of an answer that did not come in time.
type slowTimeout struct{}

func (slowTimeout) Error() string   { return "deadline exceeded" }
func (slowTimeout) Timeout() bool   { return true }
func (slowTimeout) Temporary() bool { return true }

type brokenBody struct{ io.Reader }

func (brokenBody) Close() error { return nil }

// TestEveryAnswerHasItsAction is the table of what happens for every answer that DingTalk, or what
// stands before it, is known to give. Each message meets the answer once; robot a then takes what
// comes, robot b is the next channel.
func TestEveryAnswerHasItsAction(t *testing.T) {
	json := func(body string) func() (*http.Response, error) {
		return func() (*http.Response, error) { return answer(200, body), nil }
	}
	status := func(code int) func() (*http.Response, error) {
		return func() (*http.Response, error) { return answer(code, "<html>no</html>"), nil }
	}
	fails := func(err error) func() (*http.Response, error) {
		return func() (*http.Response, error) { return nil, err }
	}
	type row struct {
		name    string
		answer  func() (*http.Response, error)
		outcome string
		errcode string
		// calls of robot a in all, and of b; tried again not before and not after.
		a, b        int
		after, till time.Duration
		logs        string
	}
	const second, minute = time.Second, time.Minute
	rows := []row{
		{"success", json(`{"errcode":0,"errmsg":"ok"}`), "delivered", "0", 1, 0, 0, 0, "msg=delivered"},
		{"busy", json(`{"errcode":-1,"errmsg":"系统繁忙"}`), "retry", "-1", 2, 0, second / 2, 2 * second, "the system is busy"},
		{"too fast, old", json(`{"errcode":130101,"errmsg":"send too fast"}`), "throttled", "130101", 2, 0, 10 * minute, 10*minute + 2*second, "backing off"},
		{"too fast, new", json(`{"errcode":410100,"errmsg":"发送速度太快而限流"}`), "throttled", "410100", 2, 0, 10 * minute, 10*minute + 2*second, "backing off"},
		{"flood guard", json(`{"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"x"}`), "throttled", "flood_guard", 2, 0, 5 * second, 7 * second, "flood guard"},
		{"too long", json(`{"errcode":460101,"errmsg":"message too long, exceed 20000 bytes"}`), "split", "460101", 2, 0, 0, second, "goes out in parts"},
		{"HTTP 413", status(413), "split", "too_big", 2, 0, 0, second, "goes out in parts"},
		{"200 without errcode", json(`{"ok":true}`), "retry", "no_errcode", 2, 0, second / 2, 2 * second, "without an errcode"},
		{"errcode null", json(`{"errcode":null}`), "retry", "no_errcode", 2, 0, second / 2, 2 * second, "without an errcode"},
		{"errcode as text", json(`{"errcode":"zero"}`), "retry", "no_errcode", 2, 0, second / 2, 2 * second, "not a number"},
		{"empty 200", json(``), "retry", "not_json", 2, 0, second / 2, 2 * second, "not a JSON object"},
		{"200 with a page", json(`<html>login</html>`), "retry", "not_json", 2, 0, second / 2, 2 * second, "not a JSON object"},
		{"200 with a list", json(`[{"errcode":0}]`), "retry", "not_json", 2, 0, second / 2, 2 * second, "not a JSON object"},
		{"success in an error page", func() (*http.Response, error) { return answer(500, `{"errcode":0}`), nil }, "retry", "http_5xx", 2, 0, second / 2, 2 * second, "HTTP 500"},
		{"202", func() (*http.Response, error) { return answer(202, `{"errcode":0}`), nil }, "retry", "http_other", 2, 0, second / 2, 2 * second, "not 200"},
		{"502", status(502), "retry", "http_5xx", 2, 0, second / 2, 2 * second, "HTTP 502"},
		{"403 of a proxy", status(403), "retry", "http_4xx", 2, 0, second / 2, 2 * second, "HTTP 403"},
		{"429", status(429), "throttled", "http_429", 2, 0, 10 * minute, 10*minute + 2*second, "backing off"},
		{"redirect", func() (*http.Response, error) {
			r := answer(302, "")
			r.Header.Set("Location", "http://elsewhere.test/")
			return r, nil
		}, "retry", "redirect", 2, 0, second / 2, 2 * second, "redirects are not followed"},
		{"timeout", fails(slowTimeout{}), "retry", "timeout", 2, 0, second / 2, 2 * second, "no answer in time"},
		{"reset", fails(&net.OpError{Op: "read", Err: syscall.ECONNRESET}), "retry", "network", 2, 0, second / 2, 2 * second, "connection reset"},
		{"refused connection", fails(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), "retry", "network", 2, 0, second / 2, 2 * second, "connection refused"},
		{"no such host", fails(&net.DNSError{Err: "no such host", Name: "oapi.dingtalk.com"}), "retry", "network", 2, 0, second / 2, 2 * second, "cannot be resolved"},
		{"half an answer", func() (*http.Response, error) {
			r := answer(200, "")
			r.Body = brokenBody{io.MultiReader(strings.NewReader(`{"errcode":`), errReader{io.ErrUnexpectedEOF})}
			return r, nil
		}, "retry", "cut_off", 2, 0, second / 2, 2 * second, "cut off"},
		{"unknown errcode", json(`{"errcode":99,"errmsg":"?"}`), "retry", "other", 2, 0, second / 2, 2 * second, "unknown errcode"},
		{"keyword, old", json(`{"errcode":310000,"errmsg":"keywords not in content, more: [https://x]"}`), "refused", "310000", 1, 1, 0, second, "the keyword is missing"},
		{"keyword, new", json(`{"errcode":310000,"errmsg":"错误描述:关键词不匹配;"}`), "refused", "310000", 1, 1, 0, second, "the keyword is missing"},
		{"sign", json(`{"errcode":310000,"errmsg":"sign not match"}`), "refused", "310000", 1, 1, 0, second, "check the signing secret"},
		{"timestamp", json(`{"errcode":310000,"errmsg":"invalid timestamp"}`), "refused", "310000", 1, 1, 0, second, "check the clock"},
		{"address", json(`{"errcode":310000,"errmsg":"ip 1.2.3.4 not in whitelist"}`), "refused", "310000", 1, 1, 0, second, "not on the robot's list"},
		{"unsafe, unlisted", json(`{"errcode":430199,"errmsg":"?"}`), "refused", "other", 1, 1, 0, second, "430199"},
	}
	// What the stand-in robot knows to answer, in both generations of wording, has to be in FACTS'
	// classes too; the expectation comes from the code's family, not from the relay's own table.
	for _, known := range robot.Answers() {
		for wording, code := range known.Codes {
			r := row{name: "stand-in " + known.Name + " " + string(wording), errcode: fmt.Sprint(code),
				answer: json(fmt.Sprintf(`{"errcode":%d,"errmsg":%q}`, code, known.Texts[wording]))}
			switch {
			case code == 0:
				r.outcome, r.a, r.logs = "delivered", 1, "msg=delivered"
			case code == -1:
				r.outcome, r.a, r.after, r.till, r.logs = "retry", 2, second/2, 2*second, "retried"
			case code == 130101 || code == 410100:
				r.outcome, r.a, r.after, r.till, r.logs = "throttled", 2, 10*minute, 10*minute+2*second, "backing off"
			case code == 460101:
				r.outcome, r.a, r.till, r.logs = "split", 2, second, "goes out in parts"
			default:
				r.outcome, r.a, r.b, r.till, r.logs = "refused", 1, 1, second, "escalated to the next channel"
			}
			switch known.Name {
			case robot.AnswerKeyword:
				r.logs = "the keyword is missing"
			case robot.AnswerSign:
				r.logs = "check the signing secret"
			case robot.AnswerTimestamp:
				r.logs = "check the clock"
			case robot.AnswerIP:
				r.logs = "not on the robot's list"
			}
			rows = append(rows, r)
		}
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rec := &recorder{t: t, answer: func(p posted, n int) (*http.Response, error) {
					if p.token == "token-a" && n == 1 {
						return r.answer()
					}
					return answer(200, `{"errcode":0,"errmsg":"ok"}`), nil
				}}
				g := newRig(t, `
robots:
  a: {url: "http://robot.test/robot/send", token_file: a, keywords: [报警]}
  b: {url: "http://robot.test/robot/send", token_file: b, keywords: [报警]}
targets:
  ops:
    channels:
      - {robots: [a], escalate_after: 30m}
      - {robots: [b]}
`, rec)
				began := time.Now()
				g.accept("ops", alert("firing", "Disk"))
				time.Sleep(20 * time.Minute)
				synctest.Wait()
				var a, b []posted
				for _, c := range rec.got() {
					if c.token == "token-a" {
						a = append(a, c)
					} else {
						b = append(b, c)
					}
				}
				if len(a) != r.a || len(b) != r.b {
					t.Fatalf("robot a was called %d times and b %d, want %d and %d\n%s", len(a), len(b), r.a, r.b, g.log)
				}
				if took := a[0].at.Sub(began); took > 100*time.Millisecond {
					t.Errorf("the first try came after %s", took)
				}
				all := rec.got()
				if last := all[len(all)-1].at.Sub(began); len(all) > 1 && (last < r.after || last > r.till) {
					t.Errorf("the second try came after %s, want %s to %s", last, r.after, r.till)
				}
				if got := g.metric("relay_deliveries_total", fmt.Sprintf(`channel="robot:a",errcode=%q,outcome=%q,target="ops"`, r.errcode, r.outcome)); got != 1 {
					t.Errorf("relay_deliveries_total for outcome %s, errcode %s is %v, want 1", r.outcome, r.errcode, got)
				}
				if got := g.metric("relay_delivery_latency_seconds", `target="ops"`); got != 1 {
					t.Errorf("%v deliveries were timed, want 1", got)
				}
				if !strings.Contains(g.log.String(), r.logs) {
					t.Errorf("no log line says %q:\n%s", r.logs, g.log)
				}
				if strings.Contains(g.log.String(), "token-") {
					t.Errorf("a token is in the log:\n%s", g.log)
				}
				if r.outcome == "refused" && !strings.Contains(b[0].text, "拒绝 refused") {
					t.Errorf("the next channel isn't told why it gets the message:\n%s", b[0].text)
				}
				if s, err := g.engine.Status(); err != nil || s.Targets[2].Outbox+int(s.Targets[2].Queue)+s.Dead != 0 {
					t.Errorf("something is left: %+v %v", s, err)
				}
				g.lint()
			})
		})
	}
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

// TestAnAnswerThatNeverChanges: nothing goes round for ever, and nothing is thrown away in silence.
func TestAnAnswerThatNeverChanges(t *testing.T) {
	for _, r := range []struct {
		name, body string
		status     int
		reason     string
		least      int
		most       int
	}{
		{"unknown errcode", `{"errcode":99}`, 200, "unknown errcode", 5, 5},
		{"HTTP 404", `gone`, 404, "HTTP 404", 5, 5},
		{"busy for days", `{"errcode":-1}`, 200, "undelivered for 24h", 1000, 3000},
		{"too long however short", `{"errcode":460101}`, 200, "too long", 2, 4},
		{"no such token", `{"errcode":300005,"errmsg":"token is not exist"}`, 200, "the token does not exist", 1, 1},
	} {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rec := &recorder{t: t, answer: func(posted, int) (*http.Response, error) { return answer(r.status, r.body), nil }}
				g := newRig(t, "robots: {ops: {url: \"http://robot.test/send\", token_file: a}}", rec)
				g.accept("ops", alert("firing", "Disk"))
				time.Sleep(25 * time.Hour)
				synctest.Wait()
				if n := len(rec.got()); n < r.least || n > r.most {
					t.Errorf("%d tries, want %d to %d", n, r.least, r.most)
				}
				dead, _, err := g.engine.Dead(0, 10_000)
				if err != nil || len(dead) != 1 {
					t.Fatalf("%d dead letters, want 1 (%v)\n%s", len(dead), err, g.log)
				}
				if !strings.Contains(dead[0].Reason, r.reason) {
					t.Errorf("the reason is %q, want it to say %q", dead[0].Reason, r.reason)
				}
				if g.metric("relay_dead_letters_waiting", "") != 1 {
					t.Error("relay_dead_letters_waiting isn't 1")
				}
				// Mended, it can be sent again, and is meant to be shown: another msgUuid.
				old := rec.got()[0].uuid
				rec.reply(nil)
				if err := g.engine.Resend(t.Context(), dead[0].ID, ""); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				calls := rec.got()
				last := calls[len(calls)-1]
				if last.uuid == old || !strings.Contains(last.text, "Disk") || !strings.Contains(last.text, "re-sent") {
					t.Errorf("re-sent as %q with the same msgUuid: %v", last.text, last.uuid == old)
				}
				if dead, _, _ := g.engine.Dead(0, 10_000); len(dead) != 0 {
					t.Errorf("%d dead letters are left", len(dead))
				}
			})
		})
	}
}

// TestErrorsOfTheTransportHoldNoToken: net/http puts the whole address into its errors.
func TestErrorsOfTheTransportHoldNoToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t, answer: func(p posted, n int) (*http.Response, error) {
			return nil, &url.Error{Op: "Post", URL: "http://robot.test/send?access_token=" + p.token, Err: errors.New("proxy says: " + p.token)}
		}}
		g := newRig(t, "robots: {ops: {url: \"http://robot.test/send\", token_file: a}}", rec)
		g.accept("ops", alert("firing", "Disk"))
		time.Sleep(time.Minute)
		synctest.Wait()
		if strings.Contains(g.log.String(), "token-a") || !strings.Contains(g.log.String(), "[secret]") {
			t.Errorf("the log holds the token:\n%s", g.log)
		}
	})
}

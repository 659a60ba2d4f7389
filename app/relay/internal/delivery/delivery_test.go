package delivery

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"lookout/app/robot/robot"
)

// group is the stand-in for DingTalk with its real limits, in simulated time.
func group(t *testing.T, tokens ...string) *robot.Server {
	t.Helper()
	var robots []robot.Robot
	for _, token := range tokens {
		robots = append(robots, robot.Robot{AccessToken: token, Name: token, Keywords: []string{"报警"}})
	}
	s, err := robot.New(robot.Config{Robots: robots, Now: time.Now, Keep: 10_000, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// chat is what the group's robot knows: what was shown and what was refused.
func chat(t *testing.T, s *robot.Server) (shown, refused []robot.Message) {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/api/messages", nil))
	var out struct{ Messages []robot.Message }
	if err := json.NewDecoder(w.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	for _, m := range out.Messages {
		if m.Accepted {
			shown = append(shown, m)
		} else {
			refused = append(refused, m)
		}
	}
	return shown, refused
}

const oneRobot = `robots: {ops: {url: "http://robot.test/robot/send", token_file: a, keywords: [报警]}}`

// TestStorm is the bar: 500 alerts in 10 s, against a robot with DingTalk's real limit.
func TestStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dingtalk := group(t, "token-a")
		g := newRig(t, oneRobot, handler(dingtalk.Handler()))
		began := time.Now()
		severities := []string{"info", "warning", "critical"}
		for i := range 500 {
			n := alert("firing", fmt.Sprintf("Storm%d", i%7), "instance", fmt.Sprintf("host-%03d.example.com:9100", i))
			n.Alerts[0].Labels["severity"] = severities[i%3]
			n.Alerts[0].Annotations = map[string]string{"summary": "报警 something is wrong", "threshold": "> 90 %"}
			n.Alerts[0].Values = map[string]float64{"B": 91.5 + float64(i)/100}
			g.accept("ops", n)
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		shown, refused := chat(t, dingtalk)
		if len(refused) > 0 {
			t.Errorf("%d messages were refused, the first: %s", len(refused), refused[0].ErrMsg)
		}
		text, lines := "", 0
		for _, m := range shown {
			text += m.Text
			t.Logf("a message of %d bytes, %d lines", len(m.Payload), strings.Count(m.Text, "\n- "))
			if len(m.Payload) > 20_000 {
				t.Errorf("a message has %d bytes", len(m.Payload))
			}
		}
		for i := range 500 {
			if !strings.Contains(text, fmt.Sprintf("host-%03d.", i)) {
				t.Errorf("host-%03d is in no message", i)
			}
		}
		// The least number of messages: all lines of the digests, were they packed without any loss. What is
		// critical has messages of its own, and soon.
		others := 0
		for _, m := range shown[1:] {
			if strings.Contains(m.Text, "严重") {
				for _, host := range regexp.MustCompile(`host-(\d+)`).FindAllStringSubmatch(m.Text, -1) {
					i, _ := strconv.Atoi(host[1])
					if late := m.Time.Sub(began.Add(time.Duration(i) * 20 * time.Millisecond)); late > 5*time.Second {
						t.Errorf("host-%03d is critical and was shown after %s", i, late)
					}
				}
				continue
			}
			others++
			for line := range strings.Lines(m.Text) {
				if strings.HasPrefix(line, "- ") {
					lines += len(line) + 1 // the line feed takes two bytes in JSON
				}
			}
		}
		least := (lines + 19_999) / 20_000
		if others > least+1 {
			t.Errorf("%d messages of what is not critical, the least possible is %d and one more is allowed", others, least)
		}
		last := shown[len(shown)-1].Time.Sub(began)
		t.Logf("500 alerts in 10 s: %d messages (least %d), the last %s after the first alert", len(shown), least, last.Round(10*time.Millisecond))
		if last > 20*time.Second {
			t.Errorf("the last message came %s after the first alert", last)
		}
		// The most severe first, within all of a digest.
		for _, m := range shown[1:] {
			rank := 0
			for line := range strings.Lines(m.Text) {
				for i, s := range []string{"严重", "警告", "提示"} {
					if strings.HasPrefix(line, "**") && strings.Contains(line, s) {
						if i < rank {
							t.Errorf("%q comes after less severe ones", strings.TrimSpace(line))
						}
						rank = i
					}
				}
			}
		}
		if got := g.metric("relay_digested_alerts_total", `target="ops"`); got != 499 {
			t.Errorf("relay_digested_alerts_total is %v, want 499", got)
		}
	})
}

// TestNeverMoreThanTwentyAMinute drives every kind of traffic for hours, with restarts and somebody
// who sets the clock, and looks at every stretch of 60 s afterwards.
func TestNeverMoreThanTwentyAMinute(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 1))
				var ends []time.Time
				rec := &recorder{t: t}
				luck := rand.New(rand.NewPCG(seed, 2))
				dice := func(n int) int {
					rec.mu.Lock()
					defer rec.mu.Unlock()
					return luck.IntN(n)
				}
				rec.answer = func(p posted, n int) (*http.Response, error) {
					// The request arrives at some moment of the call.
					before := time.Duration(dice(900)) * time.Millisecond
					time.Sleep(before)
					rec.mu.Lock()
					ends = append(ends, time.Now())
					rec.mu.Unlock()
					time.Sleep(900*time.Millisecond - before)
					if dice(4) == 0 {
						return answer(200, `{"errcode":-1}`), nil
					}
					return answer(200, `{"errcode":0}`), nil
				}
				g := newRig(t, oneRobot+"\nretry: {initial: 100ms, max: 500ms}", rec)
				sent := 0
				for range 60 {
					switch random.IntN(8) {
					case 0:
						g.end()
						g.set += time.Duration(random.IntN(7200)-3600) * time.Second
						g.start()
					case 1:
						time.Sleep(time.Duration(random.IntN(200)) * time.Second)
					default:
						for range random.IntN(40) {
							g.accept("ops", alert("firing", "A", "instance", fmt.Sprint(sent)))
							sent++
							time.Sleep(time.Duration(random.IntN(3000)) * time.Millisecond)
						}
					}
				}
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				for i := 20; i < len(ends); i++ {
					if d := ends[i].Sub(ends[i-20]); d < time.Minute {
						t.Fatalf("21 calls arrived within %s", d)
					}
				}
				text := ""
				for _, c := range rec.got() {
					text += c.text + "\n"
				}
				for i := range sent {
					if !strings.Contains(text, fmt.Sprintf("🔥 %d 自", i)) && !strings.Contains(text, fmt.Sprintf("Target**: %d\n", i)) {
						t.Errorf("alert %d of %d was never sent", i, sent)
					}
				}
			})
		})
	}
}

func TestAnAlertThatFiredAndResolvedWhileWaitingIsOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var free atomic.Bool
		rec := &recorder{t: t}
		rec.answer = func(posted, int) (*http.Response, error) {
			if !free.Load() {
				return answer(200, `{"errcode":130101,"errmsg":"send too fast"}`), nil
			}
			return answer(200, `{"errcode":0}`), nil
		}
		g := newRig(t, strings.Replace(oneRobot, "keywords", "block: 2m, keywords", 1), rec)
		g.accept("ops", alert("firing", "Disk", "instance", "db1"))
		time.Sleep(10 * time.Second)
		free.Store(true)
		g.accept("ops", alert("resolved", "Disk", "instance", "db1"))
		g.accept("ops", alert("firing", "Cpu", "instance", "web1"))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		calls := rec.got()
		if len(calls) != 2 {
			t.Fatalf("%d calls, want the blocked one and one digest: %+v", len(calls), calls)
		}
		text := calls[1].text
		if strings.Count(text, "db1") != 1 || !strings.Contains(text, "↩️ db1") || !strings.Contains(text, "🔥 web1") {
			t.Errorf("the digest doesn't tell db1 in one line:\n%s", text)
		}
		if wait := calls[1].at.Sub(calls[0].at); wait < 2*time.Minute {
			t.Errorf("the block was waited out for %s only", wait)
		}
	})
}

func TestAFewAlertsAreToldAtOnceAndInFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t}
		g := newRig(t, oneRobot, rec)
		for i := range 3 {
			g.accept("ops", alert("firing", "Disk", "instance", fmt.Sprint("db", i)))
		}
		began := time.Now()
		time.Sleep(time.Minute)
		synctest.Wait()
		calls := rec.got()
		if len(calls) != 3 {
			t.Fatalf("%d messages, want 3", len(calls))
		}
		for i, c := range calls {
			if !strings.Contains(c.text, fmt.Sprint("db", i)) || strings.Contains(c.title, "摘要") {
				t.Errorf("message %d is %q", i, c.title)
			}
			if late := c.at.Sub(began); late > 2100*time.Millisecond {
				t.Errorf("message %d came after %s", i, late)
			}
		}
	})
}

func TestARepetitionGoesToTheSameRobotUnderTheSameUUID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t}
		rec.answer = func(p posted, n int) (*http.Response, error) {
			if n < 4 {
				return answer(504, "late"), nil
			}
			return answer(200, `{"errcode":0}`), nil
		}
		g := newRig(t, `
robots:
  a: {url: "http://robot.test/robot/send", token_file: a}
  b: {url: "http://robot.test/robot/send", token_file: b}
targets: {ops: {channels: [{robots: [a, b], escalate_after: 1h}]}}
`, rec)
		g.accept("ops", alert("firing", "Disk", "instance", "db1"))
		time.Sleep(time.Second / 10)
		// Another process goes on with it.
		g.end()
		g.start()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		calls := rec.got()
		if len(calls) != 4 {
			t.Fatalf("%d calls, want 4\n%s", len(calls), g.log)
		}
		for _, c := range calls {
			if c.token != calls[0].token || c.uuid != calls[0].uuid || c.uuid == "" {
				t.Errorf("a repetition went to %s as %s, the first to %s as %s", c.token, c.uuid, calls[0].token, calls[0].uuid)
			}
		}
	})
}

// TestWhatIsUncertainStaysUncertain: once an answer left open whether a message was shown, no later answer that only says "not this time"
// lets another robot have it.
func TestWhatIsUncertainStaysUncertain(t *testing.T) {
	for name, second := range map[string]string{
		"busy": `{"errcode":-1,"errmsg":"系统繁忙"}`, "too many": `{"errcode":130101,"errmsg":"send too fast"}`, "quota": `{"errcode":90018,"errmsg":"quota"}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rec := &recorder{t: t}
				rec.answer = func(p posted, n int) (*http.Response, error) {
					switch n {
					case 1:
						return answer(504, "late"), nil
					case 2:
						return answer(200, second), nil
					}
					return answer(200, `{"errcode":0}`), nil
				}
				g := newRig(t, `
robots:
  a: {url: "http://robot.test/robot/send", token_file: a}
  b: {url: "http://robot.test/robot/send", token_file: b}
targets: {ops: {channels: [{robots: [a, b], escalate_after: 3h}]}}
`, rec)
				g.accept("ops", alert("firing", "Disk", "instance", "db1"))
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				// What the relay says of its quota is another message.
				calls := slices.DeleteFunc(rec.got(), func(p posted) bool { return strings.Contains(p.text, "RelayQuota") })
				if len(calls) != 3 {
					t.Fatalf("%d calls, want 3\n%s", len(calls), g.log)
				}
				for _, c := range calls {
					if c.token != calls[0].token || c.uuid != calls[0].uuid {
						t.Errorf("it went to %s as %s, first to %s as %s", c.token, c.uuid, calls[0].token, calls[0].uuid)
					}
				}
			})
		})
	}
}

func TestRobotsTakeTurnsAndStepInForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t}
		rec.answer = func(p posted, n int) (*http.Response, error) {
			if p.token == "token-b" {
				return answer(200, `{"errcode":300005,"errmsg":"token is not exist"}`), nil
			}
			return answer(200, `{"errcode":0}`), nil
		}
		g := newRig(t, `
robots:
  a: {url: "http://robot.test/robot/send", token_file: a}
  b: {url: "http://robot.test/robot/send", token_file: b}
  c: {url: "http://robot.test/robot/send", token_file: c}
targets: {ops: {channels: [{robots: [a, b, c]}]}}
`, rec)
		for i := range 6 {
			g.accept("ops", alert("firing", "Disk", "instance", fmt.Sprint(i)))
			time.Sleep(5 * time.Second)
		}
		synctest.Wait()
		count := map[string]int{}
		for _, c := range rec.got() {
			count[c.token]++
		}
		if count["token-a"] < 2 || count["token-c"] < 2 || count["token-b"] < 1 || count["token-a"]+count["token-c"] != 6 {
			t.Errorf("the robots got %v", count)
		}
		if dead, _, _ := g.engine.Dead(0, 10_000); len(dead) != 0 {
			t.Errorf("%d dead letters though two robots are well", len(dead))
		}
	})
}

func TestEscalationGoesThroughAllChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var hooks []string
		g := newRig(t, `
robots:
  a: {url: "http://robot.test/robot/send", token_file: a}
  b: {url: "http://robot.test/robot/send", token_file: b}
webhooks:
  sms: {url: "http://sms.test/send", header_files: {Authorization: c}}
targets:
  ops:
    channels:
      - {robots: [a], escalate_after: 3m}
      - {robots: [b], escalate_after: 2m}
      - {webhook: sms}
`, side(func(r *http.Request, body []byte) (*http.Response, error) {
			if r.URL.Host == "sms.test" {
				if r.Header.Get("Authorization") != "token-c" || r.Header.Get("Idempotency-Key") == "" {
					t.Errorf("the gateway's headers are %v", r.Header)
				}
				mu.Lock()
				hooks = append(hooks, string(body))
				mu.Unlock()
				return answer(201, ""), nil
			}
			return answer(503, "down"), nil
		}))
		began := time.Now()
		g.accept("ops", alert("firing", "Disk", "instance", "db1"))
		time.Sleep(5*time.Minute - time.Second)
		synctest.Wait()
		mu.Lock()
		early := len(hooks)
		mu.Unlock()
		if early != 0 {
			t.Fatalf("the gateway was asked after %s already", time.Since(began))
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if len(hooks) != 1 {
			t.Fatalf("the gateway was asked %d times, want once\n%s", len(hooks), g.log)
		}
		var got struct {
			Title, Text, Reason, Severity string
			Alerts                        []string
		}
		if err := json.Unmarshal([]byte(hooks[0]), &got); err != nil {
			t.Fatalf("%v: %s", err, hooks[0])
		}
		if got.Alerts[0] != "Disk db1" || got.Severity != "warning" || !strings.Contains(got.Reason, "robot:b") || !strings.Contains(got.Reason, "HTTP 503") {
			t.Errorf("the gateway got %s", hooks[0])
		}
		for _, ch := range []string{"robot:a", "robot:b"} {
			if n := g.metric("relay_escalations_total", fmt.Sprintf(`channel=%q,reason="timeout",target="ops"`, ch)); n != 1 {
				t.Errorf("relay_escalations_total of %s is %v", ch, n)
			}
		}
	})
}

// TestWhatWaitsForABlockedRobotEscalatesToo: not only what was tried.
func TestWhatWaitsForABlockedRobotEscalatesToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t}
		rec.answer = func(p posted, n int) (*http.Response, error) {
			if p.token == "token-a" {
				return answer(200, `{"errcode":130101}`), nil
			}
			return answer(200, `{"errcode":0}`), nil
		}
		g := newRig(t, `
robots:
  a: {url: "http://robot.test/robot/send", token_file: a, block: 1h}
  b: {url: "http://robot.test/robot/send", token_file: b}
targets: {ops: {channels: [{robots: [a], escalate_after: 3m}, {robots: [b]}]}}
`, rec)
		g.accept("ops", alert("firing", "One"))
		time.Sleep(time.Minute)
		g.accept("ops", alert("firing", "Two"))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		text := ""
		for _, c := range rec.got() {
			if c.token == "token-b" {
				text += c.text
			}
		}
		if !strings.Contains(text, "One") || !strings.Contains(text, "Two") {
			t.Errorf("the next channel got only:\n%s\n%s", text, g.log)
		}
	})
}

func TestMentions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t}
		g := newRig(t, `
robots: {a: {url: "http://robot.test/robot/send", token_file: a}}
targets:
  ops:
    channels: [{robots: [a]}]
    mentions:
      - {match: {team: db}, mobiles: ["13800000001"], user_ids: [zhang]}
      - {match: {severity: critical}, all: true}
`, rec)
		g.accept("ops", alert("firing", "One", "team", "db"))
		time.Sleep(3 * time.Second)
		g.accept("ops", alert("firing", "Two", "severity", "critical"))
		time.Sleep(3 * time.Second)
		g.accept("ops", alert("resolved", "One", "team", "db"))
		time.Sleep(3 * time.Second)
		synctest.Wait()
		calls := rec.got()
		if len(calls) != 3 {
			t.Fatalf("%d messages", len(calls))
		}
		if c := calls[0]; len(c.mobs) != 1 || !strings.Contains(c.text, "@13800000001") || !strings.Contains(c.text, "@zhang") || c.all {
			t.Errorf("the team isn't called: %+v", c)
		}
		if c := calls[1]; !c.all || len(c.mobs) != 0 {
			t.Errorf("not all are called: %+v", c)
		}
		if c := calls[2]; c.all || len(c.mobs) != 0 || strings.Contains(c.text, "@138") {
			t.Errorf("somebody is called though it is over: %+v", c)
		}
	})
}

func TestRoutesByLabels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t}
		g := newRig(t, `
robots:
  a: {url: "http://robot.test/robot/send", token_file: a}
  b: {url: "http://robot.test/robot/send", token_file: b}
routes:
  - {match: {team: db}, target: b}
  - {target: a}
`, rec)
		n := alert("firing", "One", "team", "db")
		n.Alerts = append(n.Alerts, alert("firing", "Two").Alerts...)
		if got := g.accept("", n); len(got) != 2 {
			t.Fatalf("accepted %+v", got)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		for _, c := range rec.got() {
			if c.token == "token-b" != strings.Contains(c.text, "One") || c.token == "token-a" != strings.Contains(c.text, "Two") {
				t.Errorf("%s got %s", c.token, c.text)
			}
		}
		if len(rec.got()) != 2 {
			t.Errorf("%d messages, want 2", len(rec.got()))
		}
	})
}

const withHeartbeat = `
robots:
  a: {url: "http://robot.test/robot/send", token_file: a}
  b: {url: "http://robot.test/robot/send", token_file: b}
targets: {ops: {channels: [{robots: [a]}, {robots: [b]}]}}
heartbeats: {chain: {target: ops, timeout: 3m, repeat: 1h}}
`

func TestAHeartbeatThatStopsIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t}
		g := newRig(t, withHeartbeat, rec)
		beat := func(n int) {
			for range n {
				g.accept("ops", alert("firing", "Watchdog"))
				time.Sleep(time.Minute)
			}
		}
		beat(10)
		synctest.Wait()
		if n := len(rec.got()); n != 0 {
			t.Fatalf("the watchdog itself made %d messages: %+v", n, rec.got())
		}
		// Prometheus is gone: Grafana's rule fails and is renamed, which is no sign of life.
		broken := alert("firing", "DatasourceError", "rulename", "Watchdog")
		g.accept("ops", broken)
		time.Sleep(2*time.Minute + 5*time.Second)
		synctest.Wait()
		calls := rec.got()
		if len(calls) != 2 || calls[0].token != "token-a" || calls[1].token != "token-b" {
			t.Fatalf("want the error by a and the alarm by b: %+v\n%s", calls, g.log)
		}
		if c := calls[1]; !strings.Contains(c.text, "heartbeat missing: chain") || !strings.Contains(c.title, "报警") {
			t.Errorf("the alarm is %q\n%s", c.title, c.text)
		}
		if g.metric("relay_heartbeat_missing", `heartbeat="chain"`) != 1 {
			t.Error("relay_heartbeat_missing isn't 1")
		}
		// A restart doesn't repeat the alarm, an hour does.
		g.end()
		g.start()
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if n := len(rec.got()); n != 2 {
			t.Fatalf("%d messages after the restart, want 2", n)
		}
		time.Sleep(31 * time.Minute)
		synctest.Wait()
		if n := len(rec.got()); n != 3 {
			t.Fatalf("%d messages after an hour, want the alarm again", n)
		}
		beat(3)
		synctest.Wait()
		calls = rec.got()
		if len(calls) != 4 || calls[3].token != "token-b" || !strings.Contains(calls[3].title, "恢复") {
			t.Errorf("the end of the alarm isn't told: %+v", calls[len(calls)-1])
		}
		// "resolved" is no sign of life either.
		for range 5 {
			g.accept("ops", alert("resolved", "Watchdog"))
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		if n := len(rec.got()); n != 5 {
			t.Errorf("%d messages, want the alarm for a watchdog that resolved", n)
		}
	})
}

func TestTheFirstHeartbeatIsWaitedForAsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t}
		newRig(t, withHeartbeat, rec)
		time.Sleep(3*time.Minute - time.Second)
		synctest.Wait()
		if len(rec.got()) != 0 {
			t.Fatal("the alarm is raised before its time")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(rec.got()) != 1 {
			t.Error("a chain that never worked isn't told")
		}
	})
}

// TestARelayThatWasDownBlamesNobody: no heartbeat could come meanwhile, so it waits for the next.
func TestARelayThatWasDownBlamesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t}
		g := newRig(t, withHeartbeat, rec)
		g.accept("ops", alert("firing", "Watchdog"))
		g.end()
		time.Sleep(time.Hour)
		g.start()
		time.Sleep(3*time.Minute - time.Second)
		synctest.Wait()
		if calls := rec.got(); len(calls) != 0 {
			t.Fatalf("an alarm after the relay's own absence: %+v", calls)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := len(rec.got()); n != 1 {
			t.Errorf("%d messages once the heartbeat had its time, want the alarm", n)
		}
	})
}

func TestAlertsAboutDeliveryAvoidTheFirstChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t}
		g := newRig(t, withHeartbeat, rec)
		g.accept("ops", alert("firing", "RelayDeadLetters", AboutLabel, "delivery"))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if calls := rec.got(); len(calls) != 1 || calls[0].token != "token-b" {
			t.Errorf("it went %+v", calls)
		}
	})
}

func TestANewConfigurationTakesOverWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t}
		rec.answer = func(p posted, n int) (*http.Response, error) {
			if p.token == "token-a" {
				return answer(200, `{"errcode":-1}`), nil
			}
			return answer(200, `{"errcode":0}`), nil
		}
		g := newRig(t, oneRobot, rec)
		g.accept("ops", alert("firing", "One"))
		g.accept("ops", alert("firing", "Two"))
		time.Sleep(10 * time.Second)
		g.write("a", "token-new")
		g.engine.Apply(g.load())
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		text := ""
		for _, c := range rec.got() {
			if c.token == "token-new" {
				text += c.text
			}
		}
		if !strings.Contains(text, "One") || !strings.Contains(text, "Two") {
			t.Errorf("by the new token came only %q", text)
		}
		// A target that is gone leaves dead letters behind, not nothing.
		rec.reply(func(posted, int) (*http.Response, error) { return answer(200, `{"errcode":-1}`), nil })
		for i := range 5 {
			g.accept("ops", alert("firing", "Gone", "instance", fmt.Sprint(i)))
		}
		time.Sleep(10 * time.Second)
		g.write("relay.yaml", strings.Replace(oneRobot, "ops:", "other:", 1))
		g.engine.Apply(g.load())
		time.Sleep(10 * time.Second)
		synctest.Wait()
		dead, _, err := g.engine.Dead(0, 10_000)
		alerts := 0
		for _, d := range dead {
			alerts += d.Alerts
		}
		if err != nil || alerts != 5 {
			t.Fatalf("%d alerts are dead letters, want 5 (%v)\n%s", alerts, err, g.log)
		}
		rec.reply(nil)
		for _, d := range dead {
			if err := g.engine.Resend(t.Context(), d.ID, "ops"); err == nil {
				t.Error("re-sent to a target that is gone")
			}
			if err := g.engine.Resend(t.Context(), d.ID, "other"); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestATemplateThatFailsCostsNoAlert: the built-in one steps in.
func TestATemplateThatFailsCostsNoAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t}
		g := newRig(t, oneRobot, rec)
		g.end()
		g.write("mine.tmpl", `{{define "text"}}{{if eq .Name "Bad"}}{{index .Alerts 99}}{{end}}fine {{.Name}}{{end}}`)
		g.write("relay.yaml", oneRobot+"\ntemplates: .")
		g.start()
		g.accept("ops", alert("firing", "Good"))
		time.Sleep(5 * time.Second)
		g.accept("ops", alert("firing", "Bad", "instance", "db1"))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		calls := rec.got()
		if len(calls) != 2 || !strings.Contains(calls[0].text, "fine") || !strings.Contains(calls[0].text, "报警") || !strings.Contains(calls[1].text, "db1") {
			t.Errorf("sent %+v", calls)
		}
		if g.metric("relay_template_errors_total", "") != 1 {
			t.Error("relay_template_errors_total isn't 1")
		}
	})
}

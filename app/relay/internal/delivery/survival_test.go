package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"lookout/app/relay/internal/spool"
)

const twoChannels = `
robots:
  a: {url: "http://robot.test/robot/send", token_file: a}
  b: {url: "http://robot.test/robot/send", token_file: b}
targets: {ops: {channels: [{robots: [a]}, {robots: [b]}]}}
`

func byToken(calls []posted, token string) (out []posted) {
	for _, c := range calls {
		if c.token == token {
			out = append(out, c)
		}
	}
	return out
}

// TestOneBadRecordCostsOnlyItself damages a record of every kind: the relay starts, delivers all others, counts
// what it put aside, and reports it on the last channel.
func TestOneBadRecordCostsOnlyItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t, answer: func(posted, int) (*http.Response, error) { return answer(200, `{"errcode":-1}`), nil }}
		g := newRig(t, twoChannels, rec)
		g.accept("ops", alert("firing", "Outbox1"))
		time.Sleep(10 * time.Second)
		g.end()
		g.store = nil
		// Behind the relay's back.
		s, err := spool.Open(filepath.Join(g.dir, "spool.db"), spool.Options{Clock: spool.SystemClock()})
		if err != nil {
			t.Fatal(err)
		}
		raw := func(collection string, id uint64, v string) func(*spool.Tx) error {
			return func(tx *spool.Tx) error { return tx.Put(collection, id, json.RawMessage(v)) }
		}
		for _, fn := range []func(*spool.Tx) error{
			raw(outboxOf("ops", 0, false), 900, `[1]`), raw(outboxOf("ops", 0, false), 901, `{"detail":7}`), raw(outboxOf("ops", 1, true), 902, `{}`),
			raw(collectionDead, 903, `"x"`), raw(collectionDead, 904, `{"died":"never"}`),
			func(tx *spool.Tx) error { return tx.PutKey(collectionMembers, []byte("robot:a"), 7) },
			func(tx *spool.Tx) error { return tx.PutKey(collectionBeats, []byte("all"), "x") },
			func(tx *spool.Tx) error { _, err := tx.Enqueue("ops", 0, time.Now(), []byte(`{"alerts":`)); return err },
			func(tx *spool.Tx) error {
				_, err := tx.Enqueue("ops", 0, time.Now(), []byte(`{"status":"firing","alerts":[{"labels":{"alertname":"Queued1"}}]}`))
				return err
			},
		} {
			if err := s.Update(context.Background(), fn); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		rec.reply(nil)
		g.start()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		text := map[string]string{}
		for _, c := range rec.got() {
			text[c.token] += c.text
		}
		for _, want := range []string{"Outbox1", "Queued1", "RelayUnreadableNotification"} {
			if !strings.Contains(text["token-a"], want) {
				t.Errorf("%s was not delivered:\n%s", want, text["token-a"])
			}
		}
		if !strings.Contains(text["token-b"], "7 条记录已损坏") {
			t.Errorf("the last channel wasn't told:\n%s\n%s", text["token-b"], g.log)
		}
		for kind, want := range map[string]float64{"outbox": 3, "dead": 2, "members": 1, "heartbeats": 1, "queue": 1} {
			if got := g.metric("relay_store_damaged_records_total", fmt.Sprintf("kind=%q", kind)); got != want {
				t.Errorf("%v of %s were counted, want %v", got, kind, want)
			}
		}
		if dead, _, err := g.engine.Dead(0, 10); err != nil || len(dead) != 0 {
			t.Errorf("%d dead letters, %v", len(dead), err)
		}
	})
}

// TestADamagedSpoolIsReported: what was saved is delivered, and every target's last channel is told.
func TestADamagedSpoolIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t, answer: func(posted, int) (*http.Response, error) { return answer(200, `{"errcode":-1}`), nil }}
		g := newRig(t, twoChannels, rec)
		g.accept("ops", alert("firing", "Kept"))
		time.Sleep(time.Second)
		g.end()
		file := filepath.Join(g.dir, "spool.db")
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		clear(raw[2*4096:])
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		rec.reply(nil)
		g.start()
		time.Sleep(time.Minute)
		synctest.Wait()
		b := byToken(rec.got(), "token-b")
		if len(b) != 1 || !strings.Contains(b[0].text, "spool was damaged") || !strings.Contains(b[0].text, ".corrupt-") {
			t.Errorf("the last channel got %+v\n%s", b, g.log)
		}
		if got := g.metric("relay_store_recoveries_total", ""); got != 1 {
			t.Errorf("relay_store_recoveries_total is %v", got)
		}
	})
}

// TestARestoredSpoolHidesNoNewAlert: with the numbers of before, a new alert has another msgUuid than the one
// that had its number.
func TestARestoredSpoolHidesNoNewAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t}
		g := newRig(t, twoChannels, rec)
		g.end()
		file := filepath.Join(g.dir, "spool.db")
		backup, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"Before", "After"} {
			if err := os.WriteFile(file, backup, 0o600); err != nil {
				t.Fatal(err)
			}
			g.start()
			g.accept("ops", alert("firing", name))
			time.Sleep(time.Minute)
			g.end()
		}
		calls := rec.got()
		if len(calls) != 2 || calls[0].uuid == calls[1].uuid {
			t.Errorf("two alerts went out as %+v", calls)
		}
	})
}

// TestACrashLoopCannotPutOffTheHeartbeatsAlarm starts the relay anew every ten seconds.
func TestACrashLoopCannotPutOffTheHeartbeatsAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t}
		g := newRig(t, withHeartbeat, rec)
		g.accept("ops", alert("firing", "Watchdog"))
		for i := 0; len(rec.got()) == 0; i++ {
			if i == 40 {
				t.Fatal("after 40 starts there is no alarm")
			}
			time.Sleep(10 * time.Second)
			g.end()
			g.start()
			synctest.Wait()
		}
		if c := rec.got()[0]; !strings.Contains(c.text, "heartbeat missing") {
			t.Errorf("%s", c.text)
		}
		// A reload puts nothing off either.
		g.end()
		os.Remove(filepath.Join(g.dir, "spool.db"))
		before := len(rec.got())
		g.start()
		g.accept("ops", alert("firing", "Watchdog"))
		for range 20 {
			time.Sleep(10 * time.Second)
			g.engine.Apply(g.load())
		}
		synctest.Wait()
		if n := len(rec.got()) - before; n != 1 {
			t.Errorf("%d alarms though the configuration was read every ten seconds", n)
		}
	})
}

// TestAnUnsentRepeatIsReplaced: a heartbeat that is missing for a day while no channel works is one alarm.
func TestAnUnsentRepeatIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t, answer: func(p posted, n int) (*http.Response, error) {
			return answer(200, `{"status":1111,"wait":3600,"punish":"deny"}`), nil
		}}
		g := newRig(t, strings.Replace(withHeartbeat, "robots: [b]", "robots: [b], escalate_after: 48h", 1), rec)
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		s, err := g.engine.Status()
		if err != nil || s.Targets[2].Outbox > 2 {
			t.Errorf("%+v wait, %v", s.Targets, err)
		}
	})
}

// TestACriticalAlertBehindFiveThousandWarnings is shown within ten seconds, in a message of its own.
func TestACriticalAlertBehindFiveThousandWarnings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dingtalk := group(t, "token-a")
		g := newRig(t, oneRobot, handler(dingtalk.Handler()))
		for i := range 5000 {
			g.accept("ops", alert("firing", fmt.Sprint("Warn", i%50), "instance", fmt.Sprintf("host-%04d", i)))
			if i%100 == 99 {
				time.Sleep(300 * time.Millisecond)
			}
		}
		for i := range 5 {
			time.Sleep(7 * time.Second)
			name := fmt.Sprint("Critical", i)
			at := time.Now()
			g.accept("ops", alert("firing", name, "severity", "critical"))
			time.Sleep(10 * time.Second)
			synctest.Wait()
			shown, _ := chat(t, dingtalk)
			found := false
			for _, m := range shown {
				if strings.Contains(m.Text, name) {
					found = true
					if strings.Contains(m.Text, "Warn") {
						t.Errorf("%s is inside a digest", name)
					}
					t.Logf("%s after %s", name, m.Time.Sub(at))
				}
			}
			if !found {
				t.Fatalf("%s was not shown within 10 s", name)
			}
		}
		if _, refused := chat(t, dingtalk); len(refused) > 0 {
			t.Errorf("%d messages were refused: %s", len(refused), refused[0].ErrMsg)
		}
	})
}

// TestWhatWaitsOnALaterChannelIsMerged: the first robot refuses, the second can't be reached for an hour. What
// piled up comes as digests within minutes, the critical alert first, and none is missing.
func TestWhatWaitsOnALaterChannelIsMerged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := false
		calls := 0
		rec := &recorder{t: t}
		rec.answer = func(p posted, n int) (*http.Response, error) {
			if p.token == "token-a" {
				return answer(200, `{"errcode":300005,"errmsg":"token is not exist"}`), nil
			}
			rec.mu.Lock()
			defer rec.mu.Unlock()
			calls++
			if !up {
				return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
			}
			return answer(200, `{"errcode":0}`), nil
		}
		g := newRig(t, strings.Replace(twoChannels, "{robots: [a]}", "{robots: [a], escalate_after: 5m}", 1), rec)
		const all = 400
		for i := range all {
			severity := "warning"
			if i == all-1 {
				severity = "critical"
			}
			g.accept("ops", alert("firing", fmt.Sprint("R", i%9), "instance", fmt.Sprintf("host-%04d", i), "severity", severity))
			time.Sleep(3 * time.Second)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		failed := calls
		before := len(rec.got())
		rec.mu.Lock()
		up = true
		rec.mu.Unlock()
		began := time.Now()
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		var shown []posted
		for _, c := range rec.got()[before:] {
			if c.token == "token-b" {
				shown = append(shown, c)
			}
		}
		text := ""
		for _, c := range shown {
			text += c.text
			if c.size > 20_000 {
				t.Errorf("a message of %d bytes", c.size)
			}
		}
		missing := 0
		for i := range all {
			if !strings.Contains(text, fmt.Sprintf("host-%04d", i)) {
				missing++
			}
		}
		if missing > 0 {
			t.Errorf("%d of %d alerts are in no message", missing, all)
		}
		if len(shown) > 12 {
			t.Errorf("%d messages for what piled up", len(shown))
		}
		if len(shown) > 0 && !strings.Contains(shown[0].text, fmt.Sprintf("host-%04d", all-1)) {
			t.Errorf("the critical alert isn't in the first message, which came after %s", shown[0].at.Sub(began))
		}
		t.Logf("%d calls while it was down, %d messages afterwards", failed, len(shown))
	})
}

// TestAnEscalatedDigestIsPackedAgain: the reason that is added must not push alerts out.
func TestAnEscalatedDigestIsPackedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t, answer: func(p posted, n int) (*http.Response, error) {
			if p.token == "token-a" {
				return answer(200, fmt.Sprintf(`{"errcode":300005,"errmsg":%q}`, strings.Repeat("详细说明 detail ", 30))), nil
			}
			return answer(200, `{"errcode":0}`), nil
		}}
		g := newRig(t, twoChannels, rec)
		n := alert("firing", "Many")
		n.Alerts = nil
		for i := range 245 {
			n.Alerts = append(n.Alerts, alert("firing", "Many", "instance", fmt.Sprintf("host-%03d.example.com:9100-%s", i, strings.Repeat("x", 20))).Alerts...)
		}
		g.accept("ops", n)
		time.Sleep(time.Minute)
		synctest.Wait()
		text := ""
		for _, c := range byToken(rec.got(), "token-b") {
			text += c.text
		}
		for i := range 245 {
			if !strings.Contains(text, fmt.Sprintf("host-%03d.", i)) {
				t.Fatalf("host-%03d is in no message of the next channel", i)
			}
		}
	})
}

// TestDeadLettersAreOfferedOnceTheirChannelWorks: as a digest, by themselves, and once.
func TestDeadLettersAreOfferedOnceTheirChannelWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t, answer: func(posted, int) (*http.Response, error) {
			return answer(200, `{"errcode":300005,"errmsg":"token is not exist"}`), nil
		}}
		g := newRig(t, oneRobot, rec)
		for i := range 8 {
			g.accept("ops", alert("firing", "Lost", "instance", fmt.Sprint("db", i)))
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		if dead, _, _ := g.engine.Dead(0, 100); len(dead) != 8 {
			t.Fatalf("%d dead letters, want 8", len(dead))
		}
		rec.reply(func(p posted, n int) (*http.Response, error) {
			if strings.Contains(p.text, "Lost") {
				return answer(200, `{"errcode":430102,"errmsg":"unsafe"}`), nil
			}
			return answer(200, `{"errcode":0}`), nil
		})
		before := len(rec.got())
		for i := range 3 {
			g.accept("ops", alert("firing", "Works", "instance", fmt.Sprint(i)))
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		offered := 0
		for _, c := range rec.got()[before:] {
			if strings.Contains(c.text, "补发") {
				offered++
				for i := range 8 {
					if !strings.Contains(c.text, fmt.Sprint("db", i)) {
						t.Errorf("db%d isn't offered", i)
					}
				}
			}
		}
		dead, _, _ := g.engine.Dead(0, 100)
		if offered != 1 || len(dead) != 1 || dead[0].Alerts != 8 {
			t.Errorf("offered %d times, %d dead letters are left", offered, len(dead))
		}
	})
}

// TestAQuotaRestsTheOrganisation: another robot of it is not asked, the mail gateway gets it at once.
func TestAQuotaRestsTheOrganisation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		robots, hooks := 0, []string{}
		g := newRig(t, `
organisations: {corp: {monthly_quota: 20}}
robots:
  a: {url: "http://robot.test/robot/send", token_file: a, organisation: corp}
  b: {url: "http://robot.test/robot/send", token_file: b, organisation: corp}
webhooks: {sms: {url: "http://sms.test/send"}}
targets: {ops: {channels: [{robots: [a]}, {robots: [b]}, {webhook: sms}]}}
`, side(func(r *http.Request, body []byte) (*http.Response, error) {
			if r.URL.Host == "sms.test" {
				hooks = append(hooks, string(body))
				return answer(200, ""), nil
			}
			robots++
			if robots > 18 {
				return answer(200, `{"errcode":90018,"errmsg":"quota"}`), nil
			}
			return answer(200, `{"errcode":0}`), nil
		}))
		for i := range 18 {
			g.accept("ops", alert("firing", "Fine", "instance", fmt.Sprint(i)))
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		if len(hooks) != 2 || !strings.Contains(hooks[0], "50%") || !strings.Contains(hooks[1], "80%") {
			t.Fatalf("the quota was told as %q", hooks)
		}
		at := time.Now()
		g.accept("ops", alert("firing", "Nineteen"))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if robots != 19 {
			t.Errorf("%d calls of robots, want one more", robots)
		}
		if text := strings.Join(hooks, "\n"); !strings.Contains(text, "Nineteen") || !strings.Contains(text, "used up") {
			t.Errorf("after %s the gateway has %q\n%s", time.Since(at), text, g.log)
		}
		g.accept("ops", alert("firing", "Twenty"))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if text := strings.Join(hooks, "\n"); !strings.Contains(text, "Twenty") || robots != 19 {
			t.Errorf("%d calls of robots; the gateway has %q", robots, text)
		}
	})
}

// TestARobotsWindowOutlivesItsName: renamed with a reload and with a restart, the address and the token are what
// count.
func TestARobotsWindowOutlivesItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t}
		conf := func(name string) string {
			return fmt.Sprintf(`
robots: {%s: {url: "http://robot.test/robot/send", token_file: a}}
targets: {ops: {channels: [{robots: [%s]}], digest: {pause: 10ms}}}
`, name, name)
		}
		g := newRig(t, conf("r0"), rec)
		for i := range 60 {
			g.accept("ops", alert("firing", "A", "instance", fmt.Sprint(i), "severity", "critical"))
			time.Sleep(500 * time.Millisecond)
			if i%7 == 6 {
				g.write("relay.yaml", conf(fmt.Sprint("r", i)))
				if i%2 == 0 {
					g.engine.Apply(g.load())
				} else {
					g.end()
					g.start()
				}
			}
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		calls := rec.got()
		for i := 20; i < len(calls); i++ {
			if d := calls[i].at.Sub(calls[i-20].at); d < time.Minute {
				t.Fatalf("21 calls within %s", d)
			}
		}
	})
}

// TestAlertsAboutDeliveryAreMergedAndRecognised like others.
func TestAlertsAboutDeliveryAreMergedAndRecognised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t}
		g := newRig(t, twoChannels, rec)
		for i := range 30 {
			n := alert("firing", "RelayDown", AboutLabel, "delivery", "instance", fmt.Sprint("r", i/2))
			n.Alerts[0].StartsAt = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			g.accept("ops", n)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		calls := rec.got()
		if len(calls) == 0 || len(calls) > 5 || len(byToken(calls, "token-a")) > 0 {
			t.Errorf("%d messages, %d by the first channel", len(calls), len(byToken(calls, "token-a")))
		}
		if got := g.metric("relay_notifications_duplicate_total", `target="ops"`); got != 15 {
			t.Errorf("%v repetitions were recognised, want 15", got)
		}
	})
}

// TestAKnownWaitHandsOverAtOnce: a robot that rests for an hour is not waited for when the next channel may have it
// after three minutes.
func TestAKnownWaitHandsOverAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t, answer: func(p posted, n int) (*http.Response, error) {
			if p.token == "token-a" {
				return answer(200, `{"errcode":130101}`), nil
			}
			return answer(200, `{"errcode":0}`), nil
		}}
		g := newRig(t, strings.Replace(twoChannels, "{robots: [a]}", "{robots: [a], escalate_after: 3m}", 1), rec)
		for i := range 3 {
			g.accept("ops", alert("firing", fmt.Sprint("N", i)))
			at := time.Now()
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if b := byToken(rec.got(), "token-b"); len(b) != i+1 || !strings.Contains(b[i].text, fmt.Sprint("N", i)) {
				t.Fatalf("after %s the next channel has %d messages\n%s", time.Since(at), len(b), g.log)
			}
		}
		if n := len(byToken(rec.got(), "token-a")); n != 1 {
			t.Errorf("the robot that rests was asked %d times", n)
		}
	})
}

// TestASplitKeepsWhatIsUncertain: the first robot may have shown it, so only that one gets the parts.
func TestASplitKeepsWhatIsUncertain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t, answer: func(p posted, n int) (*http.Response, error) {
			switch n {
			case 1:
				return nil, errors.Join(io.ErrUnexpectedEOF)
			case 2:
				return answer(200, `{"errcode":101002}`), nil
			}
			return answer(200, `{"errcode":0}`), nil
		}}
		g := newRig(t, `
robots:
  a: {url: "http://robot.test/robot/send", token_file: a}
  b: {url: "http://robot.test/robot/send", token_file: b}
targets: {ops: {channels: [{robots: [a, b]}]}}
`, rec)
		n := alert("firing", "One")
		n.Alerts = append(n.Alerts, alert("firing", "Two").Alerts...)
		g.accept("ops", n)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		calls := rec.got()
		if len(calls) != 4 {
			t.Fatalf("%d calls, want 4\n%s", len(calls), g.log)
		}
		for _, c := range calls {
			if c.token != calls[0].token {
				t.Errorf("a part went to another robot")
			}
		}
	})
}

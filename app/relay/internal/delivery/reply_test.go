package delivery

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"lookout/app/relay/internal/notification"
)

const withAnswers = `
answers: {url: "https://relay.example.com", key_file: key, silences: "http://am.test"}
robots:
  a: {url: "http://robot.test/send", token_file: a}
  b: {url: "http://robot.test/send", token_file: b}
targets:
  ops:
    channels: [{robots: [a], escalate_after: 5m}, {robots: [b]}]
    mentions: [{match: {severity: critical}, mobiles: ["13800000000"]}]
`

// silences is an Alertmanager that remembers.
type silences struct {
	recorder
	mu   sync.Mutex
	made []map[string]any
	down bool
	// slow is how long it takes; refuse a value whose silence it refuses; gone is set where it knows no silence any more.
	slow   time.Duration
	refuse string
	gone   bool
}

func (s *silences) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "am.test" {
		return s.recorder.RoundTrip(r)
	}
	return side(func(r *http.Request, body []byte) (*http.Response, error) {
		time.Sleep(s.slow)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.refuse != "" && strings.Contains(string(body), s.refuse) {
			return answer(500, "no"), nil
		}
		if s.gone && strings.Contains(string(body), `"id"`) {
			return answer(404, `"silence not found"`), nil
		}
		if s.down {
			return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		}
		var m map[string]any
		if err := json.Unmarshal(body, &m); err != nil || r.URL.Path != "/api/v2/silences" {
			return answer(400, "no"), nil
		}
		id, _ := m["id"].(string)
		if id == "" {
			id = fmt.Sprint("silence-", len(s.made))
		}
		s.made = append(s.made, m)
		return answer(200, fmt.Sprintf(`{"silenceID":%q}`, id)), nil
	}).RoundTrip(r)
}

var linkRE = regexp.MustCompile(`https://relay\.example\.com/answer/([0-9a-f]+)\?e=(\d+)&s=([\w-]+)`)

// TestAnAnswerFromTheChat: the link in a message is good for a day and for nothing else; who takes an alert is told to the chat and
// stands in what is sent of it later, no one is called by it any more, and it is not escalated.
func TestAnAnswerFromTheChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		am := &silences{recorder: recorder{t: t}}
		g := newRigWith(t, withAnswers, am, map[string]string{"key": "0123456789abcdef0123456789abcdef"})
		disk := alert("firing", "Disk", "severity", "critical", "instance", "db1")
		began := disk.Alerts[0].StartsAt
		g.accept("ops", disk)
		time.Sleep(time.Second)
		synctest.Wait()
		first := am.got()[0]
		link := linkRE.FindStringSubmatch(first.text)
		if link == nil || len(first.mobs) != 1 {
			t.Fatalf("no link, or no one is called: %v\n%s", first.mobs, first.text)
		}
		q, err := g.engine.Ask(link[1], link[2], link[3])
		if err != nil || len(q.Alerts) != 1 || q.Alerts[0].Name != "Disk" {
			t.Fatalf("%+v, %v", q, err)
		}
		for name, l := range map[string][3]string{
			"another message": {strings.Repeat("0", 24), link[2], link[3]}, "a later end": {link[1], link[2] + "0", link[3]}, "no signature": {link[1], link[2], ""},
		} {
			if _, err := g.engine.Ask(l[0], l[1], l[2]); !errors.Is(err, ErrLink) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := g.engine.Answer(t.Context(), q, Reply{Who: " "}); err == nil {
			t.Error("no one takes it")
		}
		if _, err := g.engine.Answer(t.Context(), q, Reply{Who: "张三 *x*"}); err != nil {
			t.Fatal(err)
		}
		// A second tap changes nothing.
		if done, err := g.engine.Answer(t.Context(), q, Reply{Who: "张三 *x*"}); err != nil || !strings.Contains(done, "takes care") {
			t.Errorf("%s, %v", done, err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := len(am.got()); n != 2 {
			t.Errorf("%d messages after two taps, want the alert and who has it", n)
		}
		told := am.got()[1]
		if told.token != "token-a" || !strings.Contains(told.text, `张三 \*x\* 已认领`) || !strings.Contains(told.text, "db1") || !strings.Contains(told.title, "报警") || len(told.mobs) > 0 {
			t.Errorf("the chat is told: %q\n%s", told.title, told.text)
		}
		// Over a restart, and later than what would be the sender's repetition; the first robot is out of reach, and what fires
		// still waits for it alone.
		g.end()
		g.start()
		time.Sleep(2 * time.Minute)
		am.reply(func(p posted, _ int) (*http.Response, error) {
			if p.token == "token-a" {
				return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
			}
			return answer(200, `{"errcode":0}`), nil
		})
		again := alert("firing", "Disk", "severity", "critical", "instance", "db1")
		again.Alerts[0].StartsAt = began
		g.accept("ops", again)
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if n := len(byToken(am.got(), "token-b")); n != 0 {
			t.Fatalf("%d messages were escalated although it is taken", n)
		}
		am.reply(nil)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		calls := am.got()
		last := calls[len(calls)-1]
		if !strings.Contains(last.text, `Taken by**: 🙋 张三`) || len(last.mobs) > 0 {
			t.Errorf("what is sent of it later doesn't say who has it, or calls people: %v\n%s", last.mobs, last.text)
		}
		// In a digest too.
		for i := range 6 {
			n := alert("firing", "Disk", "severity", "critical", "instance", fmt.Sprint("db", i))
			if i == 1 {
				n.Alerts[0].StartsAt = began
			}
			g.accept("ops", n)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		digests := ""
		for _, c := range am.got()[len(calls):] {
			digests += c.text
		}
		if strings.Count(digests, "张三") != 1 {
			t.Errorf("who has it stands %d times in\n%s", strings.Count(digests, "张三"), digests)
		}
		// What fires anew is another matter.
		before := len(am.got())
		time.Sleep(time.Hour)
		g.accept("ops", alert("firing", "Disk", "severity", "critical", "instance", "db1"))
		time.Sleep(time.Minute)
		synctest.Wait()
		calls = am.got()[before:]
		if len(calls) != 1 || strings.Contains(calls[0].text, "张三") || len(calls[0].mobs) != 1 {
			t.Errorf("it fires anew: %+v", calls)
		}
		time.Sleep(24 * time.Hour)
		if _, err := g.engine.Ask(link[1], link[2], link[3]); !errors.Is(err, ErrLink) {
			t.Errorf("after a day: %v", err)
		}
	})
}

// TestTheRelaysOwnAlertsHaveNoLink: no one else knows of them, so a silence would silence nothing.
func TestTheRelaysOwnAlertsHaveNoLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		am := &silences{recorder: recorder{t: t}}
		g := newRigWith(t, withAnswers+"heartbeats: {chain: {target: ops, timeout: 3m}}", am, map[string]string{"key": "0123456789abcdef0123456789abcdef"})
		about := alert("firing", "RelayDown", AboutLabel, "delivery")
		about.Alerts[0].Fingerprint = "0011223344556677"
		g.accept("ops", about)
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		for _, c := range am.got() {
			if own := strings.Contains(c.text, "HeartbeatMissing"); own == linkRE.MatchString(c.text) {
				t.Errorf("a link: %v\n%s", !own, c.text)
			}
		}
		if len(am.got()) != 2 {
			t.Errorf("%d messages", len(am.got()))
		}
	})
}

// TestASilenceFromTheChat is one of exactly the alert's labels; a longer one moves its end.
func TestASilenceFromTheChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		am := &silences{recorder: recorder{t: t}}
		g := newRigWith(t, withAnswers, am, map[string]string{"key": "0123456789abcdef0123456789abcdef"})
		n := alert("firing", "Disk", "instance", `db"1\`)
		n.Alerts = append(n.Alerts, alert("resolved", "Gone").Alerts...)
		g.accept("ops", n)
		time.Sleep(time.Second)
		synctest.Wait()
		link := linkRE.FindStringSubmatch(am.got()[0].text)
		ask := func() Question {
			t.Helper()
			q, err := g.engine.Ask(link[1], link[2], link[3])
			if err != nil {
				t.Fatal(err)
			}
			return q
		}
		am.down = true
		if _, err := g.engine.Answer(t.Context(), ask(), Reply{Who: "李四", Silence: time.Hour}); err == nil || !strings.Contains(err.Error(), "not silenced") {
			t.Errorf("with no Alertmanager: %v", err)
		}
		if len(ask().Taken) > 0 {
			t.Error("it counts as taken although the silence failed")
		}
		am.down = false
		done, err := g.engine.Answer(t.Context(), ask(), Reply{Who: "李四", Silence: time.Hour})
		if err != nil || !strings.Contains(done, "silenced it until") {
			t.Fatalf("%s, %v", done, err)
		}
		if _, err := g.engine.Answer(t.Context(), ask(), Reply{Who: "李四", Silence: time.Hour}); err != nil || len(am.made) != 1 {
			t.Errorf("a second tap: %v, %d silences", err, len(am.made))
		}
		time.Sleep(30 * time.Minute)
		done, err = g.engine.Answer(t.Context(), ask(), Reply{Who: "王五", Silence: 4 * time.Hour})
		if err != nil || !strings.Contains(done, "extended") {
			t.Fatalf("%s, %v", done, err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(am.made) != 2 || am.made[0]["id"] != nil || am.made[1]["id"] != "silence-0" {
			t.Fatalf("%+v", am.made)
		}
		matchers := fmt.Sprint(am.made[0]["matchers"])
		for _, want := range []string{"map[isEqual:true isRegex:false name:alertname value:Disk]", `map[isEqual:true isRegex:false name:instance value:db"1\]`} {
			if !strings.Contains(matchers, want) {
				t.Errorf("%s is not among %s", want, matchers)
			}
		}
		if strings.Contains(matchers, "Gone") || am.made[1]["createdBy"] != "王五" {
			t.Errorf("%+v", am.made)
		}
		told := am.got()
		if len(told) != 3 || !strings.Contains(told[2].text, "王五 已延长静默") {
			t.Errorf("the chat is told %+v", told)
		}
		for _, a := range ask().Alerts {
			if a.Status == notification.Firing && ask().Taken[a.Hash] != "王五" {
				t.Errorf("%+v", ask().Taken)
			}
		}
	})
}

// TestWhatWasSentIsKept: the last thousand answers, to be searched, each with who was sent to and what came back.
func TestWhatWasSentIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t}
		rec.answer = func(p posted, n int) (*http.Response, error) {
			if p.token == "token-a" {
				return answer(200, `{"errcode":300005,"errmsg":"token is not exist"}`), nil
			}
			return answer(200, `{"errcode":0}`), nil
		}
		g := newRig(t, twoChannels+"retry: {initial: 1s}", rec)
		g.accept("ops", alert("firing", "Disk", "instance", "db1"))
		g.accept("ops", alert("firing", "Memory", "instance", "web1"))
		time.Sleep(time.Minute)
		synctest.Wait()
		all, err := g.engine.Sent("", 0, maxSent)
		if err != nil || len(all) != 4 {
			t.Fatalf("%d answers, %v: %+v", len(all), err, all)
		}
		found, _ := g.engine.Sent("DISK refused", 0, maxSent)
		if len(found) != 1 || found[0].Peer != "robot:a" || found[0].Code != "300005" || !strings.Contains(found[0].Reason, "token") || found[0].Alerts[0].Labels["instance"] != "db1" {
			t.Errorf("%+v", found)
		}
		if found, _ := g.engine.Sent("nothing", 0, maxSent); len(found) != 0 {
			t.Errorf("%+v", found)
		}
		rec.reply(nil)
		for i := range 75 {
			for range 20 {
				g.accept("ops", alert("firing", fmt.Sprint("A", i), "instance", fmt.Sprint(i)))
				time.Sleep(3100 * time.Millisecond)
			}
		}
		synctest.Wait()
		all, err = g.engine.Sent("", 0, maxSent)
		if err != nil || len(all) != maxSent || !all[0].At.After(all[len(all)-1].At) {
			t.Errorf("%d answers are kept, %v", len(all), err)
		}
		if found, _ := g.engine.Sent("Memory", 0, maxSent); len(found) != 0 {
			t.Error("the oldest is still there")
		}
	})
}

// TestWhatIsKeptIsBounded: a digest of a thousand alerts, or one with endless labels, takes no more room than a few.
func TestWhatIsKeptIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, oneRobot, &recorder{t: t})
		var n notification.Notification
		for i := range 1000 {
			a := alert("firing", fmt.Sprint("A", i), "instance", fmt.Sprint("host", i), "note", strings.Repeat("x", 100)).Alerts[0]
			n.Alerts = append(n.Alerts, a)
		}
		g.accept("ops", n)
		long := alert("firing", "Long")
		for i := range 100 {
			long.Alerts[0].Labels[fmt.Sprint("label", i)] = strings.Repeat("y", 5000)
		}
		g.accept("ops", long)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		all, err := g.engine.Sent("", 0, maxSent)
		if err != nil || len(all) < 2 {
			t.Fatalf("%d answers, %v", len(all), err)
		}
		told := 0
		for _, s := range all {
			raw, _ := json.Marshal(s)
			if len(raw) > 40<<10 {
				t.Errorf("%d bytes are kept of %s", len(raw), s.Title)
			}
			told += len(s.Alerts) + s.More
		}
		if told < 900 {
			t.Errorf("the kept answers count %d alerts", told)
		}
	})
}

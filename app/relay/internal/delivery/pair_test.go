package delivery

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lookout/app/relay/internal/memdir"
	"lookout/app/relay/internal/message"
	"lookout/app/relay/internal/notification"
	"lookout/app/relay/internal/pair"
	"lookout/app/relay/internal/pair/pairtest"
	"lookout/app/relay/internal/spool"
)

const pairConf = `
robots:
  a: {url: "http://robot.test/send", token_file: a}
targets: {ops: {channels: [{robots: [a]}]}}
`

// twins are two relays of a pair.
type twins struct {
	t     *testing.T
	store *pairtest.Store
	rec   *recorder
	rigs  [2]*rig
	links [2]*pairtest.Link
	// deaf is set for a relay that the other cannot ask.
	deaf [2]bool
}

// newTwins starts two relays with one robot. peers lets them ask each other.
func newTwins(t *testing.T, conf string, peers bool) *twins {
	t.Helper()
	w := &twins{t: t, store: pairtest.New(), rec: &recorder{t: t}}
	for i := range w.rigs {
		w.links[i] = w.store.Link()
		r := &rig{t: t, dir: memdir.New(t), log: &logBuffer{}, boot: time.Now(), side: w}
		for _, name := range []string{"a", "b", "c"} {
			r.write(name, "token-"+name)
		}
		r.write("answers", "0123456789abcdef0123456789abcdef")
		r.write("relay.yaml", conf)
		peer := ""
		if peers {
			peer = fmt.Sprintf("http://relay-%d.test", 1-i)
		}
		r.pair = func(store *spool.Store, log *slog.Logger) *pair.Pair {
			return pair.New(pair.Options{
				DB: w.links[i], Relay: fmt.Sprint("relay-", i), Takeover: 30 * time.Second, Peer: peer, Log: log, Now: store.Steady, Transport: w,
			})
		}
		w.rigs[i] = r
		r.start()
		t.Cleanup(r.end)
		// The first one leads.
		time.Sleep(2 * time.Second)
	}
	w.leads(0)
	return w
}

// RoundTrip is the network: the robot, and the relays for each other.
func (w *twins) RoundTrip(r *http.Request) (*http.Response, error) {
	if host, ok := strings.CutPrefix(r.URL.Host, "relay-"); ok {
		i := int(host[0] - '0')
		if w.rigs[i].stop == nil || w.deaf[i] {
			return nil, errors.New("connection refused")
		}
		return answer(200, w.rigs[i].engine.Pair().Answer()), nil
	}
	return w.rec.RoundTrip(r)
}

func (w *twins) leads(i int) {
	w.t.Helper()
	for j, r := range w.rigs {
		if r.stop == nil {
			continue
		}
		want := pair.Standby
		if i == j {
			want = pair.Leading
		}
		if got := r.engine.Pair().Mode(); got != want {
			w.t.Fatalf("relay %d is %s, not %s:\n%s", j, got, want, r.log)
		}
	}
}

// die ends a relay as a power cut would: it gives nothing up and tells nobody what it sent last.
func (w *twins) die(i int) {
	w.links[i].Cut.Store(true)
	w.rigs[i].end()
	w.links[i].Cut.Store(false)
}

// post hands a notification to both.
func (w *twins) post(n notification.Notification) {
	w.t.Helper()
	for _, r := range w.rigs {
		if r.stop != nil {
			r.accept("ops", n)
		}
	}
}

var numbered = regexp.MustCompile(`\bn\d{4}\b`)

// shown counts in how many messages each numbered alert stands.
func (w *twins) shown() map[string]int {
	out := map[string]int{}
	for _, c := range w.rec.got() {
		names := numbered.FindAllString(c.text, -1)
		slices.Sort(names)
		for _, n := range slices.Compact(names) {
			out[n]++
		}
	}
	return out
}

// all tells that alerts 0 to n were shown, each at most as often as said.
func (w *twins) all(n, most int) {
	w.t.Helper()
	shown := w.shown()
	for i := range n {
		name := fmt.Sprintf("n%04d", i)
		if shown[name] == 0 || shown[name] > most {
			w.t.Errorf("%s was shown %d times\n%s\n%s", name, shown[name], w.rigs[0].log, w.rigs[1].log)
			return
		}
	}
}

// empty tells that nothing waits in a relay.
func (w *twins) empty() {
	w.t.Helper()
	for i, r := range w.rigs {
		if r.stop == nil {
			continue
		}
		s, err := r.engine.Status()
		if err != nil {
			w.t.Fatal(err)
		}
		if s.Targets[0].Queue != 0 || s.Targets[0].Outbox != 0 || s.Dead != 0 || s.Pair.Untold != 0 {
			w.t.Errorf("in relay %d still wait %+v %+v", i, s, s.Pair)
		}
	}
}

// window tells that the robot was never called more than 20 times in a minute.
func (w *twins) window() {
	w.t.Helper()
	calls := w.rec.got()
	for i := 20; i < len(calls); i++ {
		if d := calls[i].at.Sub(calls[i-20].at); d < time.Minute {
			w.t.Fatalf("21 calls within %s, the last at %s", d, calls[i].at)
		}
	}
}

func numberedAlert(i int) notification.Notification {
	return alert("firing", "Numbered", "instance", fmt.Sprintf("n%04d", i))
}

func TestOneOfTwoDelivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTwins(t, strings.Replace(pairConf, "[a]}]", "[a]}], digest: {max_messages: 1}", 1), false)
		for i := range 200 {
			w.post(numberedAlert(i))
			time.Sleep(time.Duration(i%7) * 300 * time.Millisecond)
		}
		// A storm that is counted rather than listed.
		storm := numberedAlert(200)
		for i := 201; i < 1200; i++ {
			a := numberedAlert(i).Alerts[0]
			a.Labels["detail"] = strings.Repeat("x", 300)
			storm.Alerts = append(storm.Alerts, a)
		}
		w.post(storm)
		time.Sleep(5 * time.Minute)
		w.leads(0)
		w.all(200, 1)
		w.empty()
		w.window()
		if n := len(w.shown()); n == 1200 {
			t.Error("the storm is listed whole: nothing was counted")
		}
		if covered := w.rigs[1].metric("relay_pair_covered_total", `target="ops"`); covered != 201 {
			t.Errorf("%v of 201 notifications were dropped on standby", covered)
		}
		calls := len(w.rec.got())
		w.die(0)
		time.Sleep(2 * time.Minute)
		w.leads(1)
		if n := len(w.rec.got()); n != calls {
			t.Errorf("after the takeover %d messages were sent once more", n-calls)
		}
	})
}

// TestTheOtherTakesOver: whatever the one that led had not delivered is delivered by the other within half a minute, again and
// again, over clocks that are hours apart.
func TestTheOtherTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTwins(t, pairConf, false)
		w.rigs[1].set = -3 * time.Hour
		leader, n := 0, 0
		for round := range 12 {
			for range 5 {
				w.post(numberedAlert(n))
				n++
			}
			time.Sleep(time.Duration(round) * 350 * time.Millisecond)
			w.die(leader)
			died := time.Now()
			w.post(numberedAlert(n))
			n++
			for w.shown()[fmt.Sprintf("n%04d", n-1)] == 0 {
				time.Sleep(100 * time.Millisecond)
				if time.Since(died) > 30*time.Second {
					t.Fatalf("round %d: not taken over after %s\n%s", round, time.Since(died), w.rigs[1-leader].log)
				}
			}
			w.rigs[leader].set = time.Duration(round) * time.Hour
			w.rigs[leader].start()
			leader = 1 - leader
			time.Sleep(30 * time.Second)
			w.leads(leader)
		}
		time.Sleep(5 * time.Minute)
		w.all(n, 2)
		w.empty()
		w.window()
	})
}

// TestWhatOnlyOneGot: what reached only the relay on standby is delivered by the one that leads, once.
func TestWhatOnlyOneGot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTwins(t, pairConf, false)
		both := numberedAlert(0)
		only := numberedAlert(1)
		mixed := numberedAlert(0)
		mixed.Alerts[0] = both.Alerts[0]
		mixed.Alerts = append(mixed.Alerts, only.Alerts[0])
		w.rigs[0].accept("ops", both)
		w.rigs[1].accept("ops", mixed)
		for i := 2; i < 300; i++ {
			w.rigs[1].accept("ops", numberedAlert(i))
		}
		time.Sleep(3 * time.Minute)
		w.all(300, 1)
		w.empty()
		if n := w.store.Offers(); n != 0 {
			t.Errorf("%d offers were left", n)
		}
		w.leads(0)
	})
}

// resolved is the notification that the alerts of another are over.
func resolved(n notification.Notification) notification.Notification {
	n.Status, n.Alerts = notification.Resolved, slices.Clone(n.Alerts)
	for i := range n.Alerts {
		n.Alerts[i].Status, n.Alerts[i].EndsAt = notification.Resolved, time.Now()
	}
	return n
}

// TestARepetitionOnPurposeIsShown: an alert that is sent again after the group's interval is no copy, and neither is another state
// of it, however quickly it comes.
func TestARepetitionOnPurposeIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTwins(t, pairConf, false)
		fired := numberedAlert(0)
		w.post(fired)
		time.Sleep(5 * time.Second)
		w.post(resolved(fired))
		time.Sleep(5 * time.Second)
		again := numberedAlert(0)
		w.post(again)
		time.Sleep(2 * time.Minute)
		// Only the one on standby gets these: a repetition on purpose, and that it is over.
		w.rigs[1].accept("ops", again)
		time.Sleep(time.Minute)
		w.rigs[1].accept("ops", resolved(again))
		time.Sleep(time.Minute)
		w.die(0)
		// Within duplicate_window it would be the sender's repetition of a call whose answer got lost.
		time.Sleep(2 * time.Minute)
		w.post(again)
		time.Sleep(time.Minute)
		titles := []string{}
		for _, c := range w.rec.got() {
			titles = append(titles, c.title)
		}
		if len(titles) != 6 {
			t.Errorf("%d messages: %q", len(titles), titles)
		}
	})
}

// TestPostgreSQLIsGone: without it the relay that led goes on, and when that one dies the other delivers. Where they can ask each
// other nothing is shown twice; where they can't, repetitions are the price.
func TestPostgreSQLIsGone(t *testing.T) {
	for _, peers := range []bool{true, false} {
		t.Run(fmt.Sprint("peers ", peers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTwins(t, pairConf, peers)
				w.links[0].Cut.Store(true)
				w.links[1].Cut.Store(true)
				for i := range 50 {
					w.post(numberedAlert(i))
					if got := len(w.rec.got()); i > 3 && got == 0 {
						t.Fatal("nothing is delivered")
					}
					time.Sleep(4 * time.Second)
				}
				time.Sleep(5 * time.Minute)
				most := 1
				if !peers {
					most = 2
				}
				w.all(50, most)
				w.die(0)
				w.links[0].Cut.Store(true)
				died := time.Now()
				w.post(numberedAlert(50))
				for w.shown()["n0050"] == 0 {
					time.Sleep(time.Second)
					if time.Since(died) > 35*time.Second {
						t.Fatalf("after %s the other does not deliver\n%s", time.Since(died), w.rigs[1].log)
					}
				}
				w.window()
				w.rigs[0].start()
				w.links[0].Cut.Store(false)
				w.links[1].Cut.Store(false)
				time.Sleep(3 * time.Minute)
				w.all(51, 2)
				w.empty()
			})
		})
	}
}

// TestOneIsCutOff: the relay that led does not reach PostgreSQL any more, and the other takes over. The one that is cut off
// stops where it can ask the other; where it can't, both deliver, and the robot's limit holds all the same.
func TestOneIsCutOff(t *testing.T) {
	for _, peers := range []bool{true, false} {
		t.Run(fmt.Sprint("peers ", peers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// Every alert is a message of its own, so that the limit is used up.
				w := newTwins(t, strings.Replace(pairConf, "[a]}]", "[a]}], digest: {pause: 1ms, above: 1000}", 1), peers)
				for i := range 20 {
					w.post(numberedAlert(i))
					time.Sleep(time.Second)
				}
				w.links[0].Cut.Store(true)
				for i := 20; i < 400; i++ {
					w.post(numberedAlert(i))
					time.Sleep(time.Second)
				}
				time.Sleep(20 * time.Minute)
				want := pair.Alone
				most := 2
				if peers {
					want, most = pair.Standby, 1
				}
				if got := w.rigs[0].engine.Pair().Mode(); got != want {
					t.Errorf("the one that is cut off is %s", got)
				}
				if got := w.rigs[1].engine.Pair().Mode(); got != pair.Leading {
					t.Errorf("the other is %s", got)
				}
				w.all(400, 2)
				repeated := 0
				for _, n := range w.shown() {
					if n > 1 {
						repeated++
					}
				}
				// What was on its way while the lease changed hands.
				if most == 1 && repeated > 40 {
					t.Errorf("%d alerts were shown twice", repeated)
				}
				w.window()
				w.links[0].Cut.Store(false)
				time.Sleep(2 * time.Minute)
				w.leads(1)
				w.empty()
			})
		})
	}
}

// TestASlowStore: a PostgreSQL that takes two seconds for every answer delays messages and changes nothing else.
func TestASlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTwins(t, pairConf, false)
		for _, l := range w.links {
			l.Slow.Store(int64(2 * time.Second))
		}
		for i := range 60 {
			w.post(numberedAlert(i))
			time.Sleep(3 * time.Second)
		}
		time.Sleep(3 * time.Minute)
		w.leads(0)
		w.all(60, 1)
		w.empty()
		// Slower than a question may take: as if it were gone.
		for _, l := range w.links {
			l.Slow.Store(int64(time.Minute))
		}
		for i := 60; i < 70; i++ {
			w.post(numberedAlert(i))
			time.Sleep(3 * time.Second)
		}
		time.Sleep(3 * time.Minute)
		w.all(70, 2)
		w.window()
	})
}

// TestTheWindowIsOneForBoth: with takeovers in the middle of a storm, by a death, a cut, a clean stop, the robot is never called
// more than 20 times in any minute.
func TestTheWindowIsOneForBoth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conf := pairConf + "    digest: {pause: 100ms, settle: 100ms, max_wait: 300ms, above: 100}\n"
		conf = strings.Replace(conf, "targets: {ops: {channels: [{robots: [a]}]}}", "targets:\n  ops:\n    channels: [{robots: [a]}]", 1)
		w := newTwins(t, conf, false)
		n := 0
		for round := range 20 {
			for range 30 {
				w.post(numberedAlert(n))
				n++
				time.Sleep(700 * time.Millisecond)
			}
			one := round % 2
			switch round % 4 {
			case 0:
				w.die(one)
				time.Sleep(30 * time.Second)
				w.rigs[one].start()
			case 1:
				w.links[one].Cut.Store(true)
				time.Sleep(45 * time.Second)
				w.links[one].Cut.Store(false)
			case 2:
				w.rigs[one].end()
				time.Sleep(5 * time.Second)
				w.rigs[one].start()
			}
		}
		time.Sleep(10 * time.Minute)
		w.window()
		w.empty()
		if got := len(w.rec.got()); got < 100 {
			t.Errorf("only %d calls: that proves nothing", got)
		}
		missing := 0
		shown := w.shown()
		for i := range n {
			if shown[fmt.Sprintf("n%04d", i)] == 0 {
				missing++
			}
		}
		if missing > 0 {
			t.Errorf("%d of %d were not shown", missing, n)
		}
	})
}

// TestWhatIsSharedBesideAlerts: a link works on both relays whoever sent the message, an answer on standby counts and is told,
// a heartbeat's alarm is raised and called off once, and the use of a quota is known to both.
func TestWhatIsSharedBesideAlerts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTwins(t, `
answers: {url: "https://lookout.test", key_file: answers}
organisations: {corp: {monthly_quota: 1000}}
robots:
  a: {url: "http://robot.test/send", token_file: a, organisation: corp}
  b: {url: "http://robot.test/send", token_file: b}
targets: {ops: {channels: [{robots: [a], escalate_after: 10m}, {robots: [b]}]}}
heartbeats: {chain: {target: ops, timeout: 5m, repeat: 1h}}
`, false)
		w.post(alert("firing", "Watchdog"))
		fired := numberedAlert(0)
		w.post(fired)
		time.Sleep(10 * time.Second)
		link := regexp.MustCompile(`/answer/([0-9a-f]+)\?e=(\d+)&s=([\w-]+)`).FindStringSubmatch(w.rec.got()[0].text)
		if link == nil {
			t.Fatalf("no link in %s", w.rec.got()[0].text)
		}
		q, err := w.rigs[1].engine.Ask(link[1], link[2], link[3])
		if err != nil || len(q.Alerts) != 1 {
			t.Fatalf("on standby the link asks about %+v, %v", q.Alerts, err)
		}
		if _, err := w.rigs[1].engine.Answer(t.Context(), q, Reply{Who: "张三"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		calls := w.rec.got()
		if last := calls[len(calls)-1]; len(calls) != 2 || last.token != "token-a" || !strings.Contains(last.text, "张三") {
			t.Errorf("the chat is told in %d messages, the last is %+v", len(calls), last)
		}
		if who := w.rigs[0].engine.takenBy(fired.Alerts[0]); who != "张三" {
			t.Errorf("for the relay that leads it is taken by %q", who)
		}
		// The heartbeat stops; the one that leads dies after its alarm; it comes again to the other.
		time.Sleep(6 * time.Minute)
		w.die(0)
		time.Sleep(5 * time.Minute)
		w.leads(1)
		w.post(alert("firing", "Watchdog"))
		time.Sleep(time.Minute)
		var about []string
		for _, c := range w.rec.got()[2:] {
			about = append(about, c.title)
		}
		if len(about) != 2 || !strings.Contains(about[0], "HeartbeatMissing") || !strings.Contains(about[1], "恢复") {
			t.Errorf("of the heartbeat is told %q", about)
		}
		for _, m := range w.rigs[1].engine.memberList() {
			if m.org != nil && m.org.snapshot().Sent != 2 {
				t.Errorf("of the quota %d are used", m.org.snapshot().Sent)
			}
		}
	})
}

// TestWhatCoversWhat is the rule by which a relay on standby drops a copy.
func TestWhatCoversWhat(t *testing.T) {
	const slack = time.Minute
	told := func(starts int64, resolved bool, at time.Duration) known {
		return known{state{"a", starts, resolved}, at}
	}
	for name, c := range map[string]struct {
		s        state
		received time.Duration
		told     known
		want     bool
	}{
		"its copy, earlier":                           {state{"a", 5, false}, 0, told(5, false, time.Hour), true},
		"its copy, later":                             {state{"a", 5, false}, time.Hour + slack, told(5, false, time.Hour), true},
		"a repetition on purpose":                     {state{"a", 5, false}, time.Hour + slack + 1, told(5, false, time.Hour), false},
		"it is over, told was that it fires":          {state{"a", 5, true}, time.Hour, told(5, false, time.Hour), false},
		"it fires, told was that it is over":          {state{"a", 5, false}, time.Hour, told(5, true, time.Hour), true},
		"the same without a beginning":                {state{"a", 0, false}, time.Hour, told(0, true, time.Hour), false},
		"the same state without a beginning":          {state{"a", 0, false}, time.Hour, told(0, false, time.Hour), true},
		"an older episode":                            {state{"a", 4, true}, time.Hour, told(5, false, time.Hour), true},
		"an older episode that came long after":       {state{"a", 4, true}, 2 * time.Hour, told(5, false, time.Hour), false},
		"a newer episode":                             {state{"a", 6, false}, time.Hour, told(5, true, time.Hour), false},
		"no beginning, told was one with a beginning": {state{"a", 0, true}, time.Hour, told(5, true, time.Hour), false},
	} {
		if got := covered(c.s, c.received, slack, []known{told(1, true, 0), c.told}); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestSendersThatAreOne: the Alertmanagers of a cluster are one sender where the configuration says so, and a flapped entry tells
// both of its states.
func TestSendersThatAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conf := pairConf + "pair: {dsn_file: dsn, origins: ['http://am-1', 'http://am-2/']}\n"
		g := newRigWith(t, conf, &recorder{t: t}, map[string]string{"dsn": "postgres://x:y@pg/x"})
		from := func(origin string) state {
			a := numberedAlert(0).Alerts[0]
			a.Origin = origin
			return g.engine.stateOf("ops", a)
		}
		if from("http://am-1/") != from("http://am-2") {
			t.Error("two of a cluster are two")
		}
		if from("http://am-3") == from("http://am-1") || from("http://am-3") == from("http://am-4") {
			t.Error("strangers are one")
		}
		if g.engine.stateOf("db", numberedAlert(0).Alerts[0]) == g.engine.stateOf("ops", numberedAlert(0).Alerts[0]) {
			t.Error("two targets are one")
		}
		en := message.Entry{State: message.Flapped, Alert: resolved(numberedAlert(0)).Alerts[0]}
		if s := g.engine.entryStates("ops", en); len(s) != 2 || s[0].Resolved == s[1].Resolved {
			t.Errorf("a flapped entry tells %+v", s)
		}
	})
}

// TestPartsAreDropped: of what tells several alerts only those are dropped that were told, in the queue as in messages that were made
// while this relay led.
func TestPartsAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTwins(t, pairConf, false)
		w.rec.reply(func(posted, int) (*http.Response, error) { return answer(200, `{"errcode":-1}`), nil })
		several := func(from, to int) notification.Notification {
			n := numberedAlert(from)
			for i := from + 1; i < to; i++ {
				n.Alerts = append(n.Alerts, numberedAlert(i).Alerts[0])
			}
			return n
		}
		// The first makes messages of it, which wait; the second has it in its queue.
		all := several(0, 4)
		w.post(all)
		time.Sleep(5 * time.Second)
		// Someone tells two of them.
		var list []pair.Told
		for _, a := range all.Alerts[:2] {
			s := w.rigs[0].engine.stateOf("ops", a)
			list = append(list, pair.Told{Key: s.key(), Starts: s.Starts})
		}
		if err := w.links[0].Tell(t.Context(), list); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		err := w.rigs[1].store.View(func(tx *spool.Tx) error {
			tx.Queue("ops", func(r spool.Record) bool {
				n, err := notification.Parse(r.Body)
				if err != nil || len(n.Alerts) != 2 || n.Alerts[0].Labels["instance"] != "n0002" {
					t.Errorf("in the queue are %d alerts, %v", len(n.Alerts), err)
				}
				return true
			})
			if tx.Depth("ops") != 1 {
				t.Errorf("%d wait", tx.Depth("ops"))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		// Messages that no one was asked to show yet.
		e := w.rigs[1].engine
		d := message.Merge([]message.Item{{Notification: several(10, 14)}})
		detail := several(20, 22)
		one, two := &Message{Target: "ops", Digest: &d}, &Message{Target: "ops", Detail: &detail, Also: []state{e.stateOf("ops", numberedAlert(23).Alerts[0])}}
		tried := &Message{Target: "ops", Detail: &detail, Robot: "robot:a", Ambiguous: true, Attempts: 1}
		if err := w.rigs[1].store.Update(t.Context(), func(tx *spool.Tx) error {
			for _, m := range []*Message{one, two, tried} {
				if m.ID = 0; e.save(tx, m) != nil {
					return errors.New("save")
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		list = nil
		for _, i := range []int{10, 11, 20, 23} {
			s := e.stateOf("ops", numberedAlert(i).Alerts[0])
			list = append(list, pair.Told{Key: s.key(), Starts: time.Now().Add(time.Hour).UnixNano()})
		}
		if err := w.links[0].Tell(t.Context(), list); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if err := w.rigs[1].store.View(func(tx *spool.Tx) error {
			var got []int
			err := tx.Each(outboxOf("ops", 0, false), func(id uint64, raw []byte) error {
				var m Message
				if err := json.Unmarshal(raw, &m); err != nil {
					return err
				}
				got = append(got, m.alerts()+10*len(m.Also))
				return nil
			})
			if !slices.Equal(got, []int{2, 1, 2}) {
				t.Errorf("the messages tell %v", got)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	})
}

// TestACallIsAdoptedOnce: what the other relay called counts, each call once, however often this one takes over.
func TestACallIsAdoptedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTwins(t, pairConf, false)
		e := w.rigs[1].engine
		m := e.memberList()[0]
		for range 3 {
			if err := e.adopt(t.Context(), []pair.Call{{ID: 1, Peer: m.pairedAs(), Age: time.Second}, {ID: 2, Peer: m.pairedAs(), Age: -time.Second}, {ID: 3, Peer: "another"}}); err != nil {
				t.Fatal(err)
			}
		}
		if _, used, _ := m.state(e.store.Steady()); used != 2 {
			t.Errorf("%d calls count", used)
		}
		// Over a restart too.
		w.rigs[1].end()
		w.rigs[1].start()
		if _, used, _ := w.rigs[1].engine.memberList()[0].state(w.rigs[1].store.Steady()); used != 2 {
			t.Errorf("after a restart %d calls count", used)
		}
	})
}

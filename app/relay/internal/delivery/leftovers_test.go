package delivery

import (
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestAConfigurationThatCannotBeUsed: where the spool cannot say what is known of the robots, the old configuration
// stays, the metric says so, and the engine goes on.
func TestAConfigurationThatCannotBeUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t}
		g := newRig(t, oneRobot, rec)
		old := g.engine.Config()
		g.engine.Metrics.ReloadOK.Set(1)
		if err := g.store.Close(); err != nil {
			t.Fatal(err)
		}
		g.write("relay.yaml", oneRobot+"\nkeyword: 别的")
		g.engine.Apply(g.load())
		time.Sleep(time.Minute)
		synctest.Wait()
		if g.engine.Config() != old || g.metric("relay_config_last_reload_successful", "") != 0 {
			t.Errorf("the new configuration is in use, or counts as if it were:\n%s", g.log)
		}
		if !strings.Contains(g.log.String(), "cannot be used, the old one stays") {
			t.Errorf("nothing is said:\n%s", g.log)
		}
		select {
		case err := <-g.done:
			t.Fatalf("the engine ended: %v", err)
		default:
		}
	})
}

const twoHeartbeats = `
robots:
  a: {url: "http://robot.test/send", token_file: a}
targets: {ops: {channels: [{robots: [a]}]}}
heartbeats:
  chain: {target: ops, timeout: 3m, repeat: 1h}
  second: {target: ops, timeout: 3m, repeat: 1h, match: {alertname: Watchdog, replica: b}}
`

// TestTwoSendersOfAHeartbeat: of two Alertmanagers that post one heartbeat either is enough, and when both stop there is one
// alarm. A heartbeat of its own, by a label that only one of them has, misses that one.
func TestTwoSendersOfAHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t}
		g := newRig(t, twoHeartbeats, rec)
		post := func(replica string) {
			n := alert("firing", "Watchdog", "replica", replica)
			n.ExternalURL = "http://am-" + replica + ".example.com"
			g.accept("ops", n)
		}
		for range 10 {
			post("a")
			post("b")
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		if n := len(rec.got()); n != 0 {
			t.Fatalf("%d messages while both post: %+v", n, rec.got())
		}
		for range 10 {
			post("a")
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		calls := rec.got()
		if len(calls) != 1 || !strings.Contains(calls[0].text, "missing: second") {
			t.Fatalf("one sender of two stopped: %+v", calls)
		}
		if g.metric("relay_heartbeat_missing", `heartbeat="chain"`) != 0 {
			t.Error("the heartbeat that both post counts as missing")
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		calls = rec.got()
		if len(calls) != 2 || !strings.Contains(calls[1].text, "missing: chain") {
			t.Fatalf("both stopped: %+v", calls)
		}
		// Both are back at once: one all-clear each.
		post("b")
		post("a")
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, c := range rec.got()[2:] {
			if !strings.Contains(c.title, "恢复") {
				t.Errorf("%s", c.title)
			}
		}
	})
}

// TestWaitingCostsNothing: while what waits on a later channel can go nowhere, its lane looks only as often as it tries. It took
// most of a processor once.
func TestWaitingCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t}
		rec.answer = func(p posted, n int) (*http.Response, error) {
			if p.token == "token-a" {
				return answer(200, `{"errcode":300005,"errmsg":"token is not exist"}`), nil
			}
			return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		}
		g := newRig(t, twoChannels, rec)
		for range 200 {
			g.accept("ops", alert("firing", "Disk"))
			time.Sleep(time.Second)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		steps, calls := g.engine.steps.Load(), len(rec.got())
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		steps, calls = g.engine.steps.Load()-steps, len(rec.got())-calls
		if calls == 0 || steps > int64(20*calls+200) {
			t.Errorf("%d steps of the lanes for %d tries in two hours", steps, calls)
		}
		t.Logf("%d steps, %d tries", steps, calls)
	})
}

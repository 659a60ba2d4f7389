package delivery

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestWhatWaitsIsListed: what waits, on which channel and why, and how long until a full window has room.
func TestWhatWaitsIsListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, "retry: {initial: 1s, max: 1s}\nrobots: {ops: {url: 'http://robot.test/send', token_file: a, limit: 3}}", side(func(*http.Request, []byte) (*http.Response, error) {
			return answer(502, "no"), nil
		}))
		g.accept("ops", alert("firing", "Down", "instance", "db1"))
		time.Sleep(20 * time.Second)
		synctest.Wait()
		waiting, err := g.engine.Outgoing(10)
		if err != nil || len(waiting) != 1 {
			t.Fatalf("%v %v", waiting, err)
		}
		if w := waiting[0]; w.Target != "ops" || w.Channel != "robot:ops" || w.Alerts != 1 || w.Attempts != 3 || !strings.Contains(w.Reason, "HTTP 502") || !strings.Contains(w.Title, "db1") {
			t.Errorf("%+v", w)
		}
		if p := g.engine.Peers()[0]; p.Used != 3 || p.Full < 35*time.Second || p.Full > time.Minute {
			t.Errorf("%+v", p)
		}
	})
}

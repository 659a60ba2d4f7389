package delivery

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever is on call when a message goes out is called, and their number is in no log.
func TestWhoIsOnCallIsMentioned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{t: t}
		// Simulated time begins on 2000-01-01 at 8:00 in Shanghai, an hour before the handover.
		g := newRigWith(t, `
robots: {a: {url: "http://robot.test/robot/send", token_file: a}}
people:
  zhang: {mobile_file: zhang.mobile}
  li: {mobile_file: li.mobile, user_id_file: li.id}
rosters:
  ops: {starts: "1999-12-25", people: [zhang, li]}
targets:
  ops:
    channels: [{robots: [a]}]
    mentions:
      - {match: {severity: critical}, roster: ops}
`, rec, map[string]string{"zhang.mobile": "13800000001\n", "li.mobile": "13800000002\n", "li.id": "manager7421\n"})
		g.accept("ops", alert("firing", "One", "severity", "critical"))
		time.Sleep(3 * time.Second)
		g.accept("ops", alert("firing", "Two", "severity", "warning"))
		time.Sleep(time.Hour)
		g.accept("ops", alert("firing", "Three", "severity", "critical"))
		time.Sleep(3 * time.Second)
		g.accept("ops", alert("resolved", "Three", "severity", "critical"))
		time.Sleep(3 * time.Second)
		synctest.Wait()
		calls := rec.got()
		if len(calls) != 4 {
			t.Fatalf("%d messages\n%s", len(calls), g.log)
		}
		if c := calls[0]; len(c.mobs) != 1 || c.mobs[0] != "13800000001" || !strings.Contains(c.text, "@13800000001") {
			t.Errorf("before the handover zhang is not called: %+v", c)
		}
		if c := calls[1]; len(c.mobs) != 0 {
			t.Errorf("a warning calls somebody: %+v", c)
		}
		if c := calls[2]; len(c.mobs) != 1 || c.mobs[0] != "13800000002" || !strings.Contains(c.text, "@manager7421") {
			t.Errorf("after the handover li is not called: %+v", c)
		}
		if c := calls[3]; len(c.mobs) != 0 {
			t.Errorf("somebody is called though it is over: %+v", c)
		}
		for _, secret := range []string{"13800000001", "13800000002", "manager7421"} {
			if strings.Contains(g.log.String(), secret) {
				t.Errorf("%s is in the log", secret)
			}
		}
	})
}

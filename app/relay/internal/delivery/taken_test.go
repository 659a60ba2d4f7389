package delivery

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var answersKey = map[string]string{"key": "0123456789abcdef0123456789abcdef"}

// asked is what the link in the newest message that has one opens.
func asked(g *rig, am *silences) Question {
	g.t.Helper()
	calls := am.got()
	for i := len(calls) - 1; i >= 0; i-- {
		if link := linkRE.FindStringSubmatch(calls[i].text); link != nil {
			q, err := g.engine.Ask(link[1], link[2], link[3])
			if err != nil {
				g.t.Fatal(err)
			}
			return q
		}
	}
	g.t.Fatalf("no link in %d messages", len(calls))
	return Question{}
}

func settle(d time.Duration) { time.Sleep(d); synctest.Wait() }

// TestTakenAgain: whoever took an alert and takes it again once it fires anew has it again; it isn't a second tap.
func TestTakenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		am := &silences{recorder: recorder{t: t}}
		g := newRigWith(t, withAnswers, am, answersKey)
		g.accept("ops", alert("firing", "Disk", "instance", "db1"))
		settle(10 * time.Second)
		if _, err := g.engine.Answer(t.Context(), asked(g, am), Reply{Who: "张三"}); err != nil {
			t.Fatal(err)
		}
		settle(2 * time.Hour)
		anew := alert("firing", "Disk", "instance", "db1")
		g.accept("ops", anew)
		settle(10 * time.Second)
		q := asked(g, am)
		if len(q.Taken) != 0 {
			t.Errorf("the page says that it is taken: %v", q.Taken)
		}
		before := len(am.got())
		if _, err := g.engine.Answer(t.Context(), q, Reply{Who: "张三"}); err != nil {
			t.Fatal(err)
		}
		settle(10 * time.Second)
		if who := g.engine.takenBy(anew.Alerts[0]); who != "张三" || len(am.got()) != before+1 {
			t.Errorf("it is taken by %q, and %d messages say so", who, len(am.got())-before)
		}
	})
}

// TestTakenTooLate: what has recovered is neither taken nor silenced by the link of an older message, unless it fires again.
func TestTakenTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		am := &silences{recorder: recorder{t: t}}
		g := newRigWith(t, withAnswers, am, answersKey)
		disk := alert("firing", "Disk", "instance", "db1")
		g.accept("ops", disk)
		settle(10 * time.Second)
		link := linkRE.FindStringSubmatch(am.got()[0].text)
		settle(time.Hour)
		over := alert("resolved", "Disk", "instance", "db1")
		over.Alerts[0].StartsAt = disk.Alerts[0].StartsAt
		g.accept("ops", over)
		settle(10 * time.Second)
		before := len(am.got())
		ask := func() Question {
			q, err := g.engine.Ask(link[1], link[2], link[3])
			if err != nil {
				t.Fatal(err)
			}
			return q
		}
		if _, err := g.engine.Answer(t.Context(), ask(), Reply{Who: "张三", Silence: time.Hour}); err == nil || !strings.Contains(err.Error(), "fires") {
			t.Errorf("it has recovered, and is silenced: %v", err)
		}
		settle(10 * time.Second)
		if len(am.made) != 0 || len(am.got()) != before {
			t.Errorf("%d silences, %d messages", len(am.made), len(am.got())-before)
		}
		g.accept("ops", alert("firing", "Disk", "instance", "db1"))
		settle(10 * time.Second)
		if _, err := g.engine.Answer(t.Context(), ask(), Reply{Who: "张三"}); err != nil {
			t.Errorf("it fires again: %v", err)
		}
	})
}

// TestTwoAtOnce: two people, or one who taps twice, make one silence, and a double tap tells the chat once.
func TestTwoAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		am := &silences{recorder: recorder{t: t}, slow: time.Second}
		g := newRigWith(t, withAnswers, am, answersKey)
		g.accept("ops", alert("firing", "Disk", "instance", "db1"))
		settle(10 * time.Second)
		q := asked(g, am)
		var all sync.WaitGroup
		for _, who := range []string{"张三", "张三", "李四"} {
			all.Go(func() {
				if _, err := g.engine.Answer(t.Context(), q, Reply{Who: who, Silence: time.Hour}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		settle(10 * time.Second)
		for _, m := range am.made[1:] {
			if m["id"] != "silence-0" {
				t.Errorf("a silence of its own beside the first: %v", m)
			}
		}
		told := 0
		for _, c := range am.got()[1:] {
			told += strings.Count(c.text, "🙋 张三 已静默")
		}
		if told > 2 {
			t.Errorf("the chat is told %d times", told)
		}
	})
}

// TestASilenceOfManyFailsHalfway: what was silenced is remembered, so that the next try makes no second silence of it; and one
// that someone removed is made anew.
func TestASilenceOfManyFailsHalfway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		am := &silences{recorder: recorder{t: t}, refuse: "db2"}
		g := newRigWith(t, withAnswers, am, answersKey)
		n := alert("firing", "Disk", "instance", "db1")
		n.Alerts = append(n.Alerts, alert("firing", "Disk", "instance", "db2").Alerts...)
		g.accept("ops", n)
		settle(10 * time.Second)
		if _, err := g.engine.Answer(t.Context(), asked(g, am), Reply{Who: "张三", Silence: time.Hour}); err == nil || !strings.Contains(err.Error(), "1 / 2") {
			t.Errorf("how far it came: %v", err)
		}
		am.refuse = ""
		if _, err := g.engine.Answer(t.Context(), asked(g, am), Reply{Who: "张三", Silence: time.Hour}); err != nil {
			t.Fatal(err)
		}
		if len(am.made) != 3 || am.made[1]["id"] != "silence-0" || am.made[2]["id"] != nil {
			t.Errorf("%v", am.made)
		}
		am.gone = true
		if _, err := g.engine.Answer(t.Context(), asked(g, am), Reply{Who: "张三", Silence: 4 * time.Hour}); err != nil {
			t.Fatalf("the silences were removed: %v", err)
		}
	})
}

// TestASilenceIsNotWiderThanTheAlert: a label that is kept cut is matched by its beginning, not left out.
func TestASilenceIsNotWiderThanTheAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		am := &silences{recorder: recorder{t: t}}
		g := newRigWith(t, withAnswers, am, answersKey)
		labels := []string{"path", "/a.b/" + strings.Repeat("报", 200)}
		for i := range 40 {
			labels = append(labels, fmt.Sprintf("label%02d", i), "x")
		}
		g.accept("ops", alert("firing", "Disk", labels...))
		settle(10 * time.Second)
		if _, err := g.engine.Answer(t.Context(), asked(g, am), Reply{Who: "张三", Silence: time.Hour}); err != nil {
			t.Fatal(err)
		}
		matchers, _ := am.made[0]["matchers"].([]any)
		if len(matchers) != 43 {
			t.Errorf("%d matchers of 43 labels", len(matchers))
		}
		if s := fmt.Sprint(matchers); !strings.Contains(s, `isRegex:true name:path value:/a\.b/报`) || !strings.Contains(s, "(?s:.*)]") {
			t.Errorf("the long label is not matched: %s", s)
		}
		for i := range 60 {
			labels = append(labels, fmt.Sprintf("more%02d", i), "x")
		}
		g.accept("ops", alert("firing", "Many", labels...))
		settle(10 * time.Second)
		if _, err := g.engine.Answer(t.Context(), asked(g, am), Reply{Who: "张三", Silence: time.Hour}); err == nil || !strings.Contains(err.Error(), "labels") || len(am.made) != 1 {
			t.Errorf("with 103 labels: %v", err)
		}
	})
}

// TestASearchIsOfWhatIsShown: a word is found as it is written in a message, whatever JSON makes of it, and the names of fields
// are not words.
func TestASearchIsOfWhatIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRigWith(t, oneRobot, &recorder{t: t, answer: func(posted, int) (*http.Response, error) { return answer(200, `{"errcode":0}`), nil }}, nil)
		g.accept("ops", alert("firing", "Disk", "instance", `db<1>&"x"\C:`, "role", "主库"))
		settle(10 * time.Second)
		for search, want := range map[string]int{
			`db<1>&"x"\c:`: 1, "主库": 1, "role=主库": 1, "instance=db<1>": 1, "DISK delivered robot:": 1, "firing": 1, "": 1,
			"hash": 0, "outcome": 0, `\u003c`: 0, "%": 0, ".*": 0, `<1>"`: 0,
		} {
			if found, err := g.engine.Sent(search, 0, maxSent); err != nil || len(found) != want {
				t.Errorf("%q finds %d, %v; want %d", search, len(found), err, want)
			}
		}
	})
}

// TestAnotherKey: with a new key the links that were signed with the old one are void, and new messages have new ones.
func TestAnotherKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		am := &silences{recorder: recorder{t: t}}
		g := newRigWith(t, withAnswers, am, answersKey)
		g.accept("ops", alert("firing", "Disk", "instance", "db1"))
		settle(10 * time.Second)
		link := linkRE.FindStringSubmatch(am.got()[0].text)
		g.write("key", "fedcba9876543210fedcba9876543210")
		g.engine.Apply(g.load())
		settle(time.Second)
		if _, err := g.engine.Ask(link[1], link[2], link[3]); !errors.Is(err, ErrLink) {
			t.Errorf("the old link: %v", err)
		}
		g.accept("ops", alert("firing", "Disk", "instance", "db2"))
		settle(10 * time.Second)
		if q := asked(g, am); q.Alerts[0].Labels["instance"] != "db2" {
			t.Errorf("%+v", q)
		}
		g.write("relay.yaml", strings.ReplaceAll(withAnswers, "answers: {", "# answers: {"))
		g.engine.Apply(g.load())
		settle(time.Second)
		if _, err := g.engine.Ask(link[1], link[2], link[3]); !errors.Is(err, ErrLink) {
			t.Errorf("without answers: %v", err)
		}
	})
}

// TestWhatASilenceDid: a second tap says what the first one did, and a shorter silence isn't called extended.
func TestWhatASilenceDid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		am := &silences{recorder: recorder{t: t}}
		g := newRigWith(t, withAnswers, am, answersKey)
		g.accept("ops", alert("firing", "Disk", "instance", "db1"))
		settle(10 * time.Second)
		for i, c := range []struct {
			hours time.Duration
			says  string
		}{{4, "silenced it until"}, {4, "silenced it until"}, {1, "shortened"}, {24, "extended"}, {0, "takes care"}} {
			done, err := g.engine.Answer(t.Context(), asked(g, am), Reply{Who: "张三", Silence: c.hours * time.Hour})
			if err != nil || !strings.Contains(done, c.says) {
				t.Errorf("%d: %s, %v; want %q", i, done, err, c.says)
			}
		}
		if len(am.made) != 3 {
			t.Errorf("%d calls", len(am.made))
		}
	})
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lookout/app/robot/robot"
	"lookout/app/robot/stream"
)

// silencer is an Alertmanager as far as silences go. Some of its answers get lost after it has done what it was asked for.
type silencer struct {
	mu     sync.Mutex
	random *rand.Rand
	// lossy is how many of a hundred answers get lost.
	lossy int
	made  []madeSilence
	moved int
}

type madeSilence struct {
	ID, Instance, By, Comment string
	At, Ends                  time.Time
}

func (s *silencer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodGet {
		list := []map[string]any{}
		for _, m := range s.made {
			list = append(list, map[string]any{"id": m.ID, "comment": m.Comment, "endsAt": m.Ends, "status": map[string]string{"state": "active"}})
		}
		json.NewEncoder(w).Encode(list)
		return
	}
	var in struct {
		ID       string
		Matchers []struct{ Name, Value string }
		By       string    `json:"createdBy"`
		Comment  string    `json:"comment"`
		EndsAt   time.Time `json:"endsAt"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), 400)
		return
	}
	m := madeSilence{ID: fmt.Sprintf("s%05d", len(s.made)), By: in.By, Comment: in.Comment, At: time.Now(), Ends: in.EndsAt}
	for _, matcher := range in.Matchers {
		if matcher.Name == "instance" {
			m.Instance = matcher.Value
		}
	}
	if in.ID != "" {
		s.moved++
		m.ID = in.ID
		for i := range s.made {
			if s.made[i].ID == in.ID {
				s.made[i].Ends = in.EndsAt
			}
		}
	} else {
		s.made = append(s.made, m)
	}
	if s.random != nil && s.random.IntN(100) < s.lossy {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	fmt.Fprintf(w, `{"silenceID":%q}`, m.ID)
}

func (s *silencer) all() []madeSilence {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.made)
}

const tapConfig = `
retry: {initial: 20ms, max: 200ms}
answers: {silences: %q}
apps:
  ops: {url: %q, client_id_file: secrets/id, client_secret_file: secrets/secret, group: cidOps, template: t.schema, window: 200ms, people: {u1: 张三}}
targets:
  ops:
    channels: [{apps: [ops], escalate_after: 1h}]
    digest: {above: %d, pause: 1ms, settle: 1ms, max_wait: 100ms}
`

// TestATapOnACard: an alert comes as a card with buttons, a tap silences it, the card says so to everyone, and the relay's page
// has all of it; no secret is anywhere.
func TestATapOnACard(t *testing.T) {
	t.Parallel()
	gateway, err := stream.New(stream.Config{ClientID: "ding-client-id", ClientSecret: "ding-client-secret-5f1e"})
	if err != nil {
		t.Fatal(err)
	}
	var down atomic.Bool
	api, am := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			http.NotFound(w, r)
			return
		}
		gateway.Handler().ServeHTTP(w, r)
	})), &silencer{}
	defer api.Close()
	alertmanager := httptest.NewServer(am)
	defer alertmanager.Close()
	p := newProcess(t, fmt.Sprintf(tapConfig, alertmanager.URL, api.URL, 3), map[string]string{"id": "ding-client-id", "secret": "ding-client-secret-5f1e"})
	p.start()
	p.ready()
	if status, answer := p.post("/v1/robots/ops", webhook("firing", "instance", "db1")); status != http.StatusAccepted {
		t.Fatalf("HTTP %d %s", status, answer)
	}
	eventually(t, 15*time.Second, func() error {
		if len(gateway.Cards()) != 1 || gateway.Connections() != 1 {
			return fmt.Errorf("%d cards, %d connections, refused: %v\n%s", len(gateway.Cards()), gateway.Connections(), gateway.Refused(), p.lastWords())
		}
		return nil
	})
	card := gateway.Cards()[0]
	if card.Params["open"] != "true" || card.Params["can_silence"] != "true" || !strings.Contains(card.Params["text"], "db1") || strings.Contains(card.Params["text"], "/answer/") {
		t.Errorf("the card is %v", card.Params)
	}
	// The connection lives, and moves to another one when the gateway wants it to.
	gateway.Ping()
	gateway.Disconnect(100 * time.Millisecond)
	tap := func(user string, params map[string]any) {
		t.Helper()
		eventually(t, 15*time.Second, func() error {
			_, err := gateway.Tap(card.ID, user, params)
			return err
		})
	}
	eventually(t, 15*time.Second, func() error {
		if n := gateway.Connections(); n != 1 {
			return fmt.Errorf("%d connections", n)
		}
		return nil
	})
	tap("u1", map[string]any{"action": "silence", "hours": "4"})
	tap("u1", map[string]any{"action": "dance"})
	status := func(words string) {
		t.Helper()
		eventually(t, 15*time.Second, func() error {
			if s := gateway.Cards()[0].Params["status"]; !strings.Contains(s, words) {
				return fmt.Errorf("the card says %q, refused: %v\n%s", s, gateway.Refused(), p.lastWords())
			}
			return nil
		})
	}
	status("张三 已静默")
	tap("u2", map[string]any{"action": "extend", "hours": 1})
	status("u2 已延长静默")
	made := am.all()
	if len(made) != 1 || made[0].Instance != "db1" || made[0].By != "张三" || am.moved != 1 {
		t.Errorf("the silences are %v, %d moved", made, am.moved)
	}
	eventually(t, 15*time.Second, func() error {
		if n := len(gateway.Cards()); n < 2 {
			return fmt.Errorf("the chat is not told: %d cards", n)
		}
		return nil
	})
	if told := gateway.Cards()[1].Params; !strings.Contains(told["text"], "张三") || told["open"] != "false" {
		t.Errorf("the chat is told %v", told)
	}
	page := p.get("/")
	for _, want := range []string{"app:ops", "张三", "silence 4 h", "已静默"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	metrics := p.get("/metrics")
	for _, want := range []string{`relay_taps_total{channel="app:ops",outcome="done"} 2`, `relay_stream_connected{channel="app:ops"} 1`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	if r := gateway.Refused(); len(r) > 0 {
		t.Errorf("refused: %v", r)
	}
	if ready := p.get("/-/ready"); strings.Contains(ready, "not connected") {
		t.Errorf("ready says %s", ready)
	}
	down.Store(true)
	gateway.Disconnect(0)
	eventually(t, 15*time.Second, func() error {
		if ready := p.get("/-/ready"); !strings.Contains(ready, "app:ops: not connected to DingTalk") {
			return fmt.Errorf("ready says %s", ready)
		}
		return nil
	})
	if strings.Contains(p.log.String()+page+metrics, "ding-client-secret") {
		t.Error("the secret is in the log, the page or the metrics")
	}
}

// TestNoTapIsLostWhenTheRelayIsKilled is the bar with -args -long: 1,000 taps and 50 kills (-9), answers of Alertmanager's that get
// lost, and people who tap twice; each alert is silenced once.
func TestNoTapIsLostWhenTheRelayIsKilled(t *testing.T) {
	t.Parallel()
	taps, kills := atLength(20, 1000), atLength(2, 50)
	var acked atomic.Int64
	gateway, err := stream.New(stream.Config{
		ClientID: "id", ClientSecret: "secret", PerSecond: 1000, Redeliver: time.Second, Keep: 10 * taps,
		Acked: func(stream.Tap) { acked.Add(1) },
	})
	if err != nil {
		t.Fatal(err)
	}
	api, am := httptest.NewServer(gateway.Handler()), &silencer{random: rand.New(rand.NewPCG(5, 5)), lossy: 5}
	defer api.Close()
	alertmanager := httptest.NewServer(am)
	defer alertmanager.Close()
	p := newProcess(t, fmt.Sprintf(tapConfig, alertmanager.URL, api.URL, 1000), map[string]string{"id": "id", "secret": "secret"})
	p.start()
	p.ready()

	instance := regexp.MustCompile(`n\d{5}`)
	client := &http.Client{Timeout: 5 * time.Second}
	done := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(done)
	// Alerts come, each of its own.
	wg.Go(func() {
		tick := time.NewTicker(time.Duration(atLength(20, 70)) * time.Millisecond)
		defer tick.Stop()
		for i := 0; i < taps; {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			resp, err := client.Post(p.url("/v1/robots/ops"), "application/json", bytes.NewReader(webhook("firing", "instance", fmt.Sprintf("n%05d", i))))
			if err != nil {
				continue
			}
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode == http.StatusAccepted && err == nil {
				i++
			}
		}
	})
	// People see a card and tap on it, every fifth of them again a while later, with a tap of its own.
	tapped := map[string]time.Time{}
	var mu sync.Mutex
	wg.Go(func() {
		random := rand.New(rand.NewPCG(9, 9))
		params := map[string]any{"action": "silence", "hours": "4"}
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		type again struct {
			at   time.Time
			card string
		}
		var later []again
		seen := 0
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			cards := gateway.Cards()
			for _, c := range cards[seen:] {
				names := instance.FindAllString(c.Params["text"], -1)
				if c.Params["open"] != "true" || len(names) == 0 {
					continue
				}
				mu.Lock()
				for _, name := range names {
					if _, known := tapped[name]; !known {
						tapped[name] = time.Now()
					}
				}
				mu.Unlock()
				if _, err := gateway.Tap(c.ID, "u1", params); err != nil {
					t.Error(err)
				}
				if taps := len(gateway.Taps()); taps%6 == 5 {
					later = append(later, again{time.Now().Add(time.Duration(random.IntN(1500)) * time.Millisecond), c.ID})
				}
			}
			seen = len(cards)
			later = slices.DeleteFunc(later, func(a again) bool {
				if time.Now().Before(a.at) {
					return false
				}
				if _, err := gateway.Tap(a.card, "u1", params); err != nil {
					t.Error(err)
				}
				return true
			})
		}
	})
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(tapped) }
	// down is when no relay ran.
	type span struct{ from, to time.Time }
	var down []span
	random := rand.New(rand.NewPCG(3, 3))
	began := time.Now()
	for k := range kills {
		// Right after taps, when something is under way.
		eventually(t, 60*time.Second, func() error {
			if n, want := count(), (k+1)*taps/(kills+1); n < want {
				return fmt.Errorf("%d of %d taps before kill %d\n%s", n, want, k+1, p.lastWords())
			}
			return nil
		})
		time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond)
		p.kill()
		from := time.Now()
		time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
		p.start()
		down = append(down, span{from, time.Now()})
	}
	var made []madeSilence
	eventually(t, 60*time.Second, func() error {
		made = am.all()
		waiting := slices.DeleteFunc(gateway.Taps(), func(t stream.Tap) bool { return !t.Acked.IsZero() })
		if len(made) < taps || len(waiting) > 0 || len(gateway.Taps()) < taps+taps/10 {
			return fmt.Errorf("%d of %d alerts are tapped, %d silenced; %d taps not acknowledged; refused: %v\n%s", count(), taps, len(made), len(waiting), gateway.Refused(), p.lastWords())
		}
		if n := strings.Count(p.get("/"), `class="pending"`); n > 0 {
			return fmt.Errorf("%d taps wait", n)
		}
		return nil
	})
	made = am.all()
	times := map[string]int{}
	var took, whole []time.Duration
	for _, m := range made {
		times[m.Instance]++
		at := tapped[m.Instance]
		d := m.At.Sub(at)
		whole = append(whole, d)
		for _, s := range down {
			if from, to := maxTime(s.from, at), minTime(s.to, m.At); to.After(from) {
				d -= to.Sub(from)
			}
		}
		took = append(took, d)
	}
	for i := range taps {
		if n := times[fmt.Sprintf("n%05d", i)]; n != 1 {
			t.Errorf("n%05d was silenced %d times", i, n)
		}
	}
	all := gateway.Taps()
	pushes := 0
	for _, tap := range all {
		pushes += tap.Pushes
	}
	p99 := func(d []time.Duration) time.Duration {
		slices.Sort(d)
		return d[(len(d)-1)*99/100].Round(time.Millisecond)
	}
	t.Logf("%d alerts silenced once each by %d taps, pushed %d times, in %s; the relay was killed %d times; silences moved: %d",
		len(made), len(all), pushes, time.Since(began).Round(time.Second/10), kills, am.moved)
	t.Logf("from the tap to the silence: median %s, p99 %s, most %s; with the time when no relay ran p99 %s, most %s",
		median(took), p99(took), took[len(took)-1].Round(time.Millisecond), p99(whole), whole[len(whole)-1].Round(time.Millisecond))
	if *long && p99(took) > 3*time.Second {
		t.Errorf("p99 is %s", p99(took))
	}
	for _, r := range gateway.Refused() {
		if !strings.Contains(r, "outTrackIdRepeated") && !strings.Contains(r, "cardInstanceNotExist") {
			t.Errorf("refused: %s", r)
		}
	}
	if strings.Contains(p.log.String(), "panic") {
		t.Errorf("the log holds a panic:\n%s", p.log)
	}
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2].Round(time.Millisecond)
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// TestAnAnswerByLinkShowsOnTheCard: whoever takes an alert by the link in another chat's message is named on its card as well, and a
// tap on the card of what is over says so and takes the buttons away.
func TestAnAnswerByLinkShowsOnTheCard(t *testing.T) {
	t.Parallel()
	gateway, err := stream.New(stream.Config{ClientID: "id", ClientSecret: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(gateway.Handler())
	defer api.Close()
	group, messages := newGroup(t, robot.Robot{AccessToken: "token", Name: "ops", Keywords: []string{"报警"}})
	p := newProcess(t, "", map[string]string{"id": "id", "secret": "secret", "ops": "token", "key": "0123456789abcdef"})
	p.write("relay.yaml", fmt.Sprintf(`
answers: {url: "http://%s", key_file: secrets/key}
apps:
  cards: {url: %q, client_id_file: secrets/id, client_secret_file: secrets/secret, group: cidOps, template: t.schema}
robots: {links: {url: %q, token_file: secrets/ops, keywords: [报警]}}
`, p.address, api.URL, group.URL+"/robot/send"))
	p.start()
	p.ready()
	for _, target := range []string{"cards", "links"} {
		if status, answer := p.post("/v1/robots/"+target, webhook("firing", "instance", "db1")); status != http.StatusAccepted {
			t.Fatalf("HTTP %d %s", status, answer)
		}
	}
	eventually(t, 15*time.Second, func() error {
		if len(gateway.Cards()) != 1 || len(messages()) != 1 || gateway.Connections() != 1 || strings.Count(p.get("/api/sent"), `"delivered"`) != 2 {
			return fmt.Errorf("%d cards, %d messages\n%s", len(gateway.Cards()), len(messages()), p.lastWords())
		}
		return nil
	})
	if card := gateway.Cards()[0]; card.Params["can_silence"] != "false" || card.Params["open"] != "true" {
		t.Errorf("without silences the card has %v", card.Params)
	}
	link := regexp.MustCompile(`http://[^)\s]+/answer/[^)\s]+`).FindString(messages()[0].Text)
	resp, err := http.PostForm(link, url.Values{"who": {"李四"}, "hours": {""}})
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", resp, err)
	}
	resp.Body.Close()
	status := func(words, open string) {
		t.Helper()
		eventually(t, 15*time.Second, func() error {
			if c := gateway.Cards()[0].Params; !strings.Contains(c["status"], words) || c["open"] != open {
				return fmt.Errorf("the card says %q, open %s\n%s", c["status"], c["open"], p.lastWords())
			}
			return nil
		})
	}
	status("李四 已认领", "true")
	cards := len(gateway.Cards())
	if status, answer := p.post("/v1/robots/cards", webhook("resolved", "instance", "db1")); status != http.StatusAccepted {
		t.Fatalf("HTTP %d %s", status, answer)
	}
	eventually(t, 15*time.Second, func() error {
		if all := gateway.Cards(); len(all) <= cards || all[len(all)-1].Params["open"] != "false" || !strings.Contains(p.get("/api/sent"), `"resolved"`) {
			return fmt.Errorf("no card of the recovery: %d", len(all))
		}
		return nil
	})
	if _, err := gateway.Tap(gateway.Cards()[0].ID, "u9", map[string]any{"action": "take"}); err != nil {
		t.Fatal(err)
	}
	status("nothing of this message fires any more", "false")
}

package main

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"lookout/app/relay/internal/pair/pairtest"
	"lookout/app/robot/robot"
)

// arrivals notes when a robot was called, by its token.
type arrivals struct {
	mu    sync.Mutex
	at    map[string][]time.Time
	group http.Handler
}

func (a *arrivals) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("access_token")
	a.mu.Lock()
	a.at[token] = append(a.at[token], time.Now())
	a.mu.Unlock()
	// Answers take a moment, and some get lost after the message was shown.
	<-time.After(time.Duration(rand.IntN(300)) * time.Millisecond)
	if rand.IntN(10) == 0 {
		a.group.ServeHTTP(httptest.NewRecorder(), r)
		w.WriteHeader(http.StatusGatewayTimeout)
		return
	}
	a.group.ServeHTTP(w, r)
}

// TestRealWindows runs for 15 minutes with real windows of 60 s: more alerts than two robots can tell, one of them shared by two
// targets, with kills, reloads, renamed robots and targets, restarts; by a relay alone, and by a pair. No token is called more than
// 20 times in any minute. Only with -args -long; TestNeverMoreThanTwentyAMinute has the same in simulated time.
func TestRealWindows(t *testing.T) {
	if !*long {
		t.Skip("it takes 15 minutes: -args -long; internal/delivery has the same in simulated time")
	}
	for _, relays := range []int{1, 2} {
		t.Run(fmt.Sprintf("relays %d", relays), func(t *testing.T) {
			t.Parallel()
			realWindows(t, relays)
		})
	}
}

func realWindows(t *testing.T, count int) {
	group, err := robot.New(robot.Config{
		Robots: []robot.Robot{{AccessToken: "token-one", Name: "one", Keywords: []string{"报警"}}, {AccessToken: "token-two", Name: "two", Keywords: []string{"报警"}}},
		// The mock blocks after the 21st call, as DingTalk does.
		Window: time.Minute, Block: 10 * time.Minute, Keep: 1_000_000, KeepUUIDs: 1_000_000, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	calls := &arrivals{at: map[string][]time.Time{}, group: group.Handler()}
	server := httptest.NewServer(calls)
	defer server.Close()
	pairing := ""
	secrets := map[string]string{"one": "token-one", "two": "token-two"}
	if count == 2 {
		store := pairtest.Postgres(t)
		secrets["pg"] = store.DSN()
		pairing = "pair: {dsn_file: secrets/pg, takeover: 10s}"
	}
	// conf renames the robots and one of two targets, which share the first robot.
	conf := func(version int) string {
		return fmt.Sprintf(`
%s
duplicate_window: 10m
robots:
  one-%d: {url: %q, token_file: secrets/one, keywords: [报警]}
  two-%[2]d: {url: %[3]q, token_file: secrets/two, keywords: [报警]}
targets:
  ops: {channels: [{robots: [one-%[2]d]}], digest: {pause: 100ms, settle: 100ms, max_wait: 500ms, above: 50}}
  t%[2]d: {channels: [{robots: [one-%[2]d, two-%[2]d]}], digest: {pause: 100ms, above: 50}}
routes: [{match: {team: a}, target: ops}, {target: t%[2]d}]
`, pairing, version, server.URL+"/robot/send")
	}
	var relays []*process
	for range count {
		p := newProcess(t, conf(0), secrets)
		p.start()
		relays = append(relays, p)
	}
	for _, p := range relays {
		p.ready()
	}
	stop := make(chan struct{})
	var senders sync.WaitGroup
	client := &http.Client{Timeout: 2 * time.Second}
	for s := range 2 {
		senders.Go(func() {
			tick := time.NewTicker(400 * time.Millisecond)
			defer tick.Stop()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-tick.C:
				}
				// A pause now and then lets windows run empty and bursts begin.
				if i%200 > 160 {
					continue
				}
				for _, p := range relays {
					resp, err := client.Post(p.url("/v1/notify"), "application/json", strings.NewReader(string(webhook("firing", "instance", fmt.Sprintf("w%d-%05d", s, i), "team", string(rune('a'+i%2)), "severity", []string{"critical", "warning"}[i%2]))))
					if err == nil {
						io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
					}
				}
			}
		})
	}
	began := time.Now()
	random := rand.New(rand.NewPCG(15, uint64(count)))
	kills, reloads := 0, 0
	most := 0.0
	// What a process has used at most is known until it ends.
	end := func(p *process, how func()) {
		_, peak := p.rss()
		most = max(most, peak)
		how()
	}
	for version := 1; time.Since(began) < 15*time.Minute; version++ {
		<-time.After(time.Duration(5+random.IntN(25)) * time.Second)
		p := relays[random.IntN(len(relays))]
		switch random.IntN(4) {
		case 0:
			end(p, p.kill)
			kills++
			p.start()
		case 1:
			end(p, func() { p.stop() })
			p.start()
		case 2:
			end(p, p.kill)
			kills++
			<-time.After(time.Duration(random.IntN(20)) * time.Second)
			p.start()
			fallthrough
		default:
			for _, p := range relays {
				p.write("relay.yaml", conf(version))
			}
			reloads++
		}
	}
	close(stop)
	senders.Wait()
	calls.mu.Lock()
	defer calls.mu.Unlock()
	for token, at := range calls.at {
		most := 0
		for i := range at {
			n := 1
			for j := i - 1; j >= 0 && at[i].Sub(at[j]) < time.Minute; j-- {
				n++
			}
			most = max(most, n)
		}
		t.Logf("%s: %d calls in %s, at most %d within a minute; %d kills, %d reloads with new names", token, len(at), time.Since(began).Round(time.Second), most, kills, reloads)
		if most > 20 {
			t.Errorf("%s was called %d times within a minute", token, most)
		}
	}
	if len(calls.at["token-one"]) < 100 {
		t.Errorf("only %d calls: that proves nothing", len(calls.at["token-one"]))
	}
	for _, p := range relays {
		end(p, p.kill)
	}
	t.Logf("at most %.0f MiB resident", most)
	if most > 64 {
		t.Errorf("a relay used %.0f MiB", most)
	}
}

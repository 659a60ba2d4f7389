package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"lookout/app/relay/internal/pair/pairtest"
	"lookout/app/robot/robot"
)

// TestAPairIsKilled is the promise of a pair: two relays with a real PostgreSQL get the same notifications, and whatever is killed
// at random, at once or one after the other, is delivered, and shown twice at most. With -args -long 100 kills.
func TestAPairIsKilled(t *testing.T) {
	t.Parallel()
	kills := atLength(4, 100)
	notifications := kills * 40
	group, err := robot.New(robot.Config{
		Robots: []robot.Robot{{AccessToken: "pair-token", Name: "ops", Keywords: []string{"报警"}, Secret: "SECpair"}},
		Window: time.Second, Block: 5 * time.Second, Keep: 1_000_000, KeepUUIDs: 1_000_000, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	chaos := &moody{group: group, random: rand.New(rand.NewPCG(11, 7))}
	server := httptest.NewServer(chaos)
	defer server.Close()
	store := pairtest.Postgres(t)
	var relays [2]*process
	for i := range relays {
		relays[i] = newProcess(t, fmt.Sprintf(`
retry: {initial: 20ms, max: 200ms}
duplicate_window: 10m
pair: {dsn_file: secrets/pg, takeover: 2s}
robots:
  ops: {url: %q, token_file: secrets/ops, secret_file: secrets/sign, keywords: [报警], window: 1s, block: 300ms, timeout: 250ms}
targets:
  ops:
    channels: [{robots: [ops], escalate_after: 1h}]
    digest: {pause: 50ms, settle: 50ms, max_wait: 300ms, max_messages: 100}
`, server.URL+"/robot/send"), map[string]string{"ops": "pair-token", "sign": "SECpair", "pg": store.DSN()})
		relays[i].start()
	}
	for _, p := range relays {
		p.ready()
	}

	// A sender posts to both, as a contact point with two webhooks does, and goes on once one of them has it.
	work := make(chan int)
	var wg sync.WaitGroup
	var onlyOne, repeated atomic.Int64
	client := &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	for range 4 {
		wg.Go(func() {
			for i := range work {
				body := webhook("firing", "instance", fmt.Sprintf("n%05d", i))
				for taken := 0; taken == 0; {
					for _, p := range relays {
						resp, err := client.Post(p.url("/v1/robots/ops"), "application/json", bytes.NewReader(body))
						if err != nil {
							continue
						}
						_, err = io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
						if resp.StatusCode == http.StatusAccepted && err == nil {
							taken++
						}
					}
					switch taken {
					case 0:
						repeated.Add(1)
						// As a sender's own backoff: both are down.
						<-time.After(20 * time.Millisecond)
					case 1:
						onlyOne.Add(1)
					}
				}
			}
		})
	}
	random := rand.New(rand.NewPCG(5, uint64(kills)))
	began := time.Now()
	next := 0
	for killed := 0; killed < kills; {
		for range notifications / kills {
			work <- next
			next++
		}
		<-time.After(time.Duration(random.IntN(1500)) * time.Millisecond)
		var down []*process
		switch n := random.IntN(10); {
		case n == 0:
			// Both at once.
			down = relays[:]
		default:
			down = []*process{relays[random.IntN(2)]}
		}
		for _, p := range down {
			p.kill()
			killed++
		}
		<-time.After(time.Duration(random.IntN(3500)) * time.Millisecond)
		for _, p := range down {
			p.start()
		}
	}
	close(work)
	wg.Wait()
	for _, p := range relays {
		p.ready()
	}
	chaos.calm.Store(true)

	name := regexp.MustCompile(`n\d{5}`)
	seen := map[string]int{}
	eventually(t, 2*time.Minute, func() error {
		w := httptest.NewRecorder()
		group.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/api/messages", nil))
		var out struct{ Messages []robot.Message }
		if err := json.NewDecoder(w.Body).Decode(&out); err != nil {
			return err
		}
		clear(seen)
		for _, m := range out.Messages {
			if !m.Accepted {
				t.Fatalf("the robot refused a message: %s", m.ErrMsg)
			}
			once := map[string]bool{}
			for _, n := range name.FindAllString(m.Text, -1) {
				once[n] = true
			}
			for n := range once {
				seen[n]++
			}
		}
		if len(seen) < next {
			return fmt.Errorf("%d of %d alerts are in the chat\n%s\n---\n%s", len(seen), next, relays[0].lastWords(), relays[1].lastWords())
		}
		return nil
	})
	twice, more := 0, 0
	for n, times := range seen {
		if times == 2 {
			twice++
		}
		if times > 2 {
			more++
			t.Errorf("%s was shown %d times", n, times)
		}
	}
	// Each says what part it has, and they do not contradict each other.
	eventually(t, time.Minute, func() error {
		modes := map[string]int{}
		for _, p := range relays {
			var status struct{ Pair struct{ Mode string } }
			if err := json.Unmarshal([]byte(p.get("/api/status")), &status); err != nil {
				return err
			}
			mode := status.Pair.Mode
			modes[mode]++
			for path, want := range map[string]string{"/-/pair": mode + " ", "/": "双机 pair: " + mode + " ·", "/metrics": `relay_pair_mode{mode="` + mode + `"} 1`} {
				if got := p.get(path); !strings.Contains(got, want) {
					return fmt.Errorf("%s does not say %s", path, want)
				}
			}
		}
		if modes["leading"] != 1 || modes["standby"] != 1 {
			return fmt.Errorf("their parts are %v", modes)
		}
		return nil
	})
	for _, p := range relays {
		eventually(t, time.Minute, func() error {
			metrics := p.get("/metrics")
			for _, want := range []string{`relay_queue_notifications{target="ops"} 0`, `relay_outbox_messages{target="ops"} 0`, "relay_dead_letters_waiting 0", "relay_pair_untold_messages 0"} {
				if !strings.Contains(metrics, want) {
					return fmt.Errorf("the metrics don't say %s", want)
				}
			}
			return nil
		})
		if log := p.log.String(); strings.Contains(log, "panic") || strings.Contains(log, "pair-token") || strings.Contains(log, pairtest.Password) {
			t.Errorf("the log holds a panic or a secret:\n%s", log)
		}
	}
	t.Logf("%d kills in %s: %d notifications, %d of which only one relay got; 0 lost, %d shown twice, %d more often; %d calls to the robot, %d of which failed",
		kills, time.Since(began).Round(time.Second/10), next, onlyOne.Load(), twice, more, chaos.calls.Load(), chaos.failed.Load())
	for _, p := range relays {
		if code := p.stop(); code != 0 {
			t.Errorf("a relay stopped with %d:\n%s", code, p.lastWords())
		}
	}
}

// TestAPairTakesOver measures with the default of 30 s: the one that leads is killed, or stopped as a machine that is paused, or
// its PostgreSQL is, and an alert that comes then is shown within 30 s. Only with -args -long.
func TestAPairTakesOver(t *testing.T) {
	if !*long {
		t.Skip("it takes minutes: -args -long; internal/delivery has the same in simulated time")
	}
	t.Parallel()
	group, err := robot.New(robot.Config{
		Robots: []robot.Robot{{AccessToken: "pair-token", Name: "ops", Keywords: []string{"报警"}}},
		Keep:   100_000, KeepUUIDs: 100_000, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	server := httptest.NewServer(group.Handler())
	defer server.Close()
	store := pairtest.Postgres(t)
	var relays [2]*process
	for i := range relays {
		relays[i] = newProcess(t, "x: y", map[string]string{"ops": "pair-token", "pg": store.DSN()})
	}
	for i, p := range relays {
		p.write("relay.yaml", fmt.Sprintf("pair: {dsn_file: secrets/pg, peer: %q}\nrobots: {ops: {url: %q, token_file: secrets/ops, keywords: [报警]}}\n", "http://"+relays[1-i].address, server.URL+"/robot/send"))
		p.start()
	}
	leader := func() int {
		for i, p := range relays {
			if strings.HasPrefix(p.get("/-/pair"), "leading") {
				return i
			}
		}
		return -1
	}
	for _, p := range relays {
		p.ready()
	}
	n := 0
	shown := func(name string) bool {
		w := httptest.NewRecorder()
		group.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/api/messages", nil))
		return strings.Contains(w.Body.String(), name)
	}
	post := func(to ...*process) string {
		n++
		name := fmt.Sprintf("m%05d", n)
		for _, p := range to {
			if code, answer := p.post("/v1/robots/ops", webhook("firing", "instance", name)); code != http.StatusAccepted {
				t.Fatalf("%d %s", code, answer)
			}
		}
		return name
	}
	for _, fault := range []string{"killed", "paused", "PostgreSQL frozen and the leader killed", "PostgreSQL ended and the leader killed", "PostgreSQL ended"} {
		at := -1
		eventually(t, 2*time.Minute, func() error {
			if at = leader(); at < 0 {
				return fmt.Errorf("no one leads")
			}
			return nil
		})
		first := post(relays[:]...)
		eventually(t, 2*time.Minute, func() error {
			if !shown(first) {
				return fmt.Errorf("%s: before it %s is not shown", fault, first)
			}
			return nil
		})
		old, other := relays[at], relays[1-at]
		switch fault {
		case "paused":
			_ = old.cmd.Process.Signal(syscall.SIGSTOP)
		case "PostgreSQL frozen and the leader killed":
			store.Freeze()
			old.kill()
		case "PostgreSQL ended and the leader killed":
			store.Stop()
			old.kill()
		case "PostgreSQL ended":
			store.Stop()
		default:
			old.kill()
		}
		began := time.Now()
		name := post(other)
		if fault == "PostgreSQL ended" {
			name = post(old)
		}
		limit := 30 * time.Second
		if strings.HasPrefix(fault, "PostgreSQL") {
			limit = 40 * time.Second
		}
		eventually(t, 2*time.Minute, func() error {
			if !shown(name) {
				return fmt.Errorf("%s: %s is not shown", fault, name)
			}
			return nil
		})
		took := time.Since(began)
		t.Logf("%s: shown after %s", fault, took.Round(100*time.Millisecond))
		if took > limit {
			t.Errorf("%s: shown after %s", fault, took)
		}
		switch fault {
		case "paused":
			_ = old.cmd.Process.Signal(syscall.SIGCONT)
		case "PostgreSQL frozen and the leader killed":
			store.Thaw()
			old.start()
		case "PostgreSQL ended and the leader killed":
			store.Start()
			old.start()
		case "PostgreSQL ended":
			store.Start()
		default:
			old.start()
		}
		old.ready()
		eventually(t, 2*time.Minute, func() error {
			if strings.Count(relays[0].get("/-/pair")+relays[1].get("/-/pair"), "leading") != 1 {
				return fmt.Errorf("%s: not exactly one leads", fault)
			}
			return nil
		})
	}
}

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
	"testing"
	"time"

	"lookout/app/robot/robot"
)

// moody answers for a stand-in robot and fails at random, before or after the message was shown.
type moody struct {
	group  *robot.Server
	mu     sync.Mutex
	random *rand.Rand
	calm   atomic.Bool
	calls  atomic.Int64
	failed atomic.Int64
}

func (m *moody) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	mood := m.random.IntN(100)
	m.mu.Unlock()
	m.calls.Add(1)
	if m.calm.Load() || mood >= 45 {
		m.group.Handler().ServeHTTP(w, r)
		return
	}
	m.failed.Add(1)
	shown := func() { m.group.Handler().ServeHTTP(httptest.NewRecorder(), r) }
	cut := func(answer string) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			io.WriteString(conn, answer)
			conn.Close()
		}
	}
	switch {
	case mood < 5:
		io.WriteString(w, `{"errcode":-1,"errmsg":"系统繁忙"}`)
	case mood < 8:
		io.WriteString(w, `{"errcode":130101,"errmsg":"send too fast"}`)
	case mood < 10:
		io.WriteString(w, `{"status":1111,"wait":0.1,"source":"x5","punish":"deny"}`)
	case mood < 15:
		w.WriteHeader(502)
	case mood < 20:
		shown()
		w.WriteHeader(504)
	case mood < 25:
		cut("")
	case mood < 30:
		shown()
		cut("")
	case mood < 35:
		shown()
		cut("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{\"errc")
	case mood < 40:
		shown()
		io.WriteString(w, "<html>oops</html>")
	default:
		shown()
		<-r.Context().Done() // until the relay gives up waiting
	}
}

// TestNothingIsLostWhenTheRelayIsKilled is the bar with -args -long: 10,000 notifications, a robot that fails in
// nearly half of its calls, and the relay killed (-9) 50 times meanwhile.
func TestNothingIsLostWhenTheRelayIsKilled(t *testing.T) {
	t.Parallel()
	nothingIsLost(t, robot.Robot{AccessToken: "chaos-token", Name: "ops", Keywords: []string{"报警"}, Secret: "SECchaos"},
		"robots", "/robot/send", atLength(2_000, 10_000), atLength(10, 50))
}

// TestNothingIsLostInFeishu is the same for a chat that cannot tell a repetition: what is shown twice says that it may be.
func TestNothingIsLostInFeishu(t *testing.T) {
	t.Parallel()
	nothingIsLost(t, robot.Robot{Chat: robot.Feishu, AccessToken: "chaos-token", Name: "ops", Keywords: []string{"报警"}, Secret: "SECchaos"},
		"feishu", "/open-apis/bot/v2/hook", atLength(1_000, 10_000), atLength(5, 50))
}

func nothingIsLost(t *testing.T, ops robot.Robot, section, path string, notifications, kills int) {
	const senders = 8
	group, err := robot.New(robot.Config{
		Robots: []robot.Robot{ops},
		// A minute of a second, so that the test takes one.
		Window: time.Second, Block: 2 * time.Second, Keep: 1_000_000, KeepUUIDs: 1_000_000, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	chaos := &moody{group: group, random: rand.New(rand.NewPCG(7, 7))}
	server := httptest.NewServer(chaos)
	defer server.Close()
	p := newProcess(t, fmt.Sprintf(`
retry: {initial: 20ms, max: 200ms}
duplicate_window: 10m
%s:
  ops: {url: %q, token_file: secrets/ops, secret_file: secrets/sign, keywords: [报警], window: 1s, block: 300ms, timeout: 250ms}
targets:
  ops:
    channels: [{%[1]s: [ops], escalate_after: 1h}]
    digest: {pause: 50ms, settle: 50ms, max_wait: 300ms, max_messages: 100}
`, section, server.URL+path), map[string]string{"ops": "chaos-token", "sign": "SECchaos"})
	p.start()
	p.ready()

	work := make(chan int)
	var wg sync.WaitGroup
	var accepted, repeated, duplicates atomic.Int64
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	for range senders {
		wg.Go(func() {
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for i := range work {
				body := webhook("firing", "instance", fmt.Sprintf("n%05d", i))
				for {
					resp, err := client.Post(p.url("/v1/robots/ops"), "application/json", bytes.NewReader(body))
					if err == nil {
						answer, err := io.ReadAll(resp.Body)
						resp.Body.Close()
						// As with any sender, only a whole 202 counts; what is repeated for want of one may be
						// on disk already.
						if resp.StatusCode == http.StatusAccepted && err == nil {
							accepted.Add(1)
							if bytes.Contains(answer, []byte(`"duplicate":true`)) {
								duplicates.Add(1)
							}
							break
						}
					}
					repeated.Add(1)
					<-tick.C
				}
			}
		})
	}
	random := rand.New(rand.NewPCG(3, 3))
	began := time.Now()
	for k := range kills {
		pause := time.After(time.Duration(100+random.IntN(300)) * time.Millisecond)
		for i := range notifications / kills {
			work <- k*(notifications/kills) + i
		}
		<-pause
		p.kill()
		p.start()
	}
	close(work)
	wg.Wait()
	p.ready()
	t.Logf("%d notifications accepted and the relay killed %d times in %s; senders repeated %d calls, of which %d were on disk already",
		accepted.Load(), kills, time.Since(began).Round(time.Second/10), repeated.Load(), duplicates.Load())

	name := regexp.MustCompile(`n\d{5}`)
	seen := map[string]int{}
	var repeats, unmarked int
	eventually(t, 60*time.Second, func() error {
		w := httptest.NewRecorder()
		group.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/api/messages", nil))
		var out struct{ Messages []robot.Message }
		if err := json.NewDecoder(w.Body).Decode(&out); err != nil {
			return err
		}
		clear(seen)
		repeats, unmarked = 0, 0
		for _, m := range out.Messages {
			if !m.Accepted {
				t.Fatalf("the robot refused a message: %s", m.ErrMsg)
			}
			repeats += m.Repeats
			once := map[string]bool{}
			for _, n := range name.FindAllString(m.Text, -1) {
				once[n] = true
			}
			for n := range once {
				if seen[n]++; seen[n] > 1 && !strings.Contains(m.Title, "可能重复") {
					unmarked++
				}
			}
		}
		if len(seen) < notifications {
			return fmt.Errorf("%d of %d alerts are in the chat", len(seen), notifications)
		}
		return nil
	})
	twice := 0
	for _, n := range seen {
		if n > 1 {
			twice++
		}
	}
	if twice > 0 && ops.Chat == robot.DingTalk {
		t.Errorf("%d alerts were shown twice", twice)
	}
	if unmarked > 0 {
		t.Errorf("%d alerts were shown twice and do not say that they may be", unmarked)
	}
	t.Logf("all %d alerts are in the chat after %s; %d calls to the robot, %d failed on purpose; %d repeated messages were hidden by msgUuid, %d alerts shown twice",
		len(seen), time.Since(began).Round(time.Second/10), chaos.calls.Load(), chaos.failed.Load(), repeats, twice)
	eventually(t, 10*time.Second, func() error {
		metrics := p.get("/metrics")
		for _, want := range []string{`relay_queue_notifications{target="ops"} 0`, `relay_outbox_messages{target="ops"} 0`, "relay_dead_letters_waiting 0"} {
			if !strings.Contains(metrics, want) {
				return fmt.Errorf("the metrics don't say %s", want)
			}
		}
		return nil
	})
	if code := p.stop(); code != 0 {
		t.Errorf("the relay stopped with %d", code)
	}
	if strings.Contains(p.log.String(), "panic") || strings.Contains(p.log.String(), "chaos-token") {
		t.Errorf("the log holds a panic or a token:\n%s", p.log)
	}
}

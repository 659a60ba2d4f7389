// Package delivery proves on the whole stack what the relay promises: nothing that it took is lost,
// somebody is told when the chain before it breaks, and no secret leaves its file.
package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/logger"
)

func TestMain(m *testing.M) {
	// Part of terratest names every command on stdout whatever logger it is given.
	logger.Default = logger.Discard
	os.Exit(m.Run())
}

// Local's heartbeat, quicker: short enough for three outages in a test, and four beats until one counts as
// missed, as elsewhere.
const (
	beatInterval = 3 * time.Second
	beatTimeout  = 4 * beatInterval
)

// relayDownWithin bounds how late it is told that the relay is down, and that it is back: a scrape (2 s),
// an evaluation, the pending period and the evaluation after it (10 s each), group_wait or group_interval
// (1 s, 3 s), and the rest for a machine that is busy.
const relayDownWithin = 55 * time.Second

func TestDelivery(t *testing.T) {
	s := newStack(t)
	began := time.Now()
	s.configure(t)
	s.apply(t)
	s.measured(t, "the stack is up after %.1f s", time.Since(began).Seconds())

	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"that_the_relay_is_down_is_told_without_it", s.relayDown},
		{"nothing_is_lost_when_the_relay_is_killed", s.relayKilled},
		{"and_that_it_is_back", s.relayBack},
		{"the_watchdog_reaches_nobody", s.watchdogReachesNobody},
		{"prometheus_killed", s.outage("kill "+s.name+"-prometheus", "start "+s.name+"-prometheus")},
		{"grafana_killed", s.outage("kill "+s.name+"-grafana", "start "+s.name+"-grafana")},
		{"network_cut_between_grafana_and_relay", s.networkCut},
		{"secrets_stay_in_their_files", s.secretsStay},
	} {
		if !t.Run(step.name, step.run) {
			t.FailNow()
		}
	}
}

// configure changes what the local environment ships only where a test needs it: a heartbeat that comes
// more often and is missed sooner, and channels for the secrets that local has no use for.
func (s *stack) configure(t *testing.T) {
	t.Helper()
	file := filepath.Join(s.root("platform"), "relay.yaml")
	text := read(t, file)
	for _, change := range []struct{ old, new string }{
		{"timeout: 1m", "timeout: " + beatTimeout.String()},
		{"targets:\n", `emails:
  duty: {smarthost: "robot:8060", from: relay@example.com, to: [duty@example.com], username: relay, password_file: /secrets/smtp, timeout: 2s}
webhooks:
  sms: {url_file: /secrets/sms.url, header_files: {Authorization: /secrets/sms.key}}
targets:
  unreachable:
    channels:
      - {email: duty, escalate_after: 3s}
      - {webhook: sms, escalate_after: 3s}
`},
	} {
		if strings.Count(text, change.old) != 1 {
			t.Fatalf("relay.yaml has %q not once", change.old)
		}
		text = strings.Replace(text, change.old, change.new, 1)
	}
	write(t, file, text)
	for name, secret := range planted {
		write(t, filepath.Join(s.secrets(), name), secret+"\n")
	}
}

// besideTheRelay is the robot of the stand-in that the relay has no token of: only Grafana reaches it.
const besideTheRelay = "lookout"

// aboutRelay looks for what Grafana says by itself about the relay, by the colour of its state.
func (s *stack) aboutRelay(since time.Time, colour string) func(context.Context) error {
	return func(ctx context.Context) error {
		messages, err := s.messages(ctx)
		if err != nil {
			return err
		}
		for _, m := range messages {
			if m.Accepted && m.Robot == besideTheRelay && m.Time.After(since) && strings.Contains(m.Title, colour) && strings.Contains(m.Text, "The alert relay does not answer") {
				return nil
			}
		}
		return fmt.Errorf("no %s about the relay by the robot %s among %d messages", colour, besideTheRelay, len(messages))
	}
}

// relayDown stops the relay and waits for the alert about it, which can't come by the relay: that is not
// there.
func (s *stack) relayDown(t *testing.T) {
	if text := read(t, filepath.Join(s.root("platform"), "relay.yaml")); strings.Contains(text, besideTheRelay) {
		t.Fatalf("the relay knows the robot %s, so a message there proves nothing:\n%s", besideTheRelay, text)
	}
	s.engine(t, "stop", s.name+"-relay")
	s.downSince = time.Now()
	eventually(t, relayDownWithin, "somebody hears that the relay is down", s.aboutRelay(s.downSince, "🔴"))
	s.measured(t, "that the relay is down is told beside it after %.1f s", time.Since(s.downSince).Seconds())
	s.engine(t, "start", s.name+"-relay")
	s.upSince = time.Now()
}

// relayBack waits for the recovery, which takes its time while others go on.
func (s *stack) relayBack(t *testing.T) {
	eventually(t, relayDownWithin, "somebody hears that the relay is back", s.aboutRelay(s.upSince, "🟢"))
	s.measured(t, "and that it is back at most %.1f s after its start", time.Since(s.upSince).Seconds())
}

// relayKilled kills the relay while alerts come in, and sends again only what it has not said to have.
func (s *stack) relayKilled(t *testing.T) {
	const alerts, kills = 60, 3
	began := time.Now()
	sent, again := 0, 0
	for sent < alerts {
		if sent > 0 && sent%(alerts/(kills+1)) == 0 && again < kills {
			again++
			s.engine(t, "kill", "--signal=KILL", s.name+"-relay")
			// A kill by hand is not a crash to the engine, so its restart policy leaves the container alone.
			s.engine(t, "start", s.name+"-relay")
		}
		body := storm(sent, time.Now())
		eventually(t, 30*time.Second, "the relay takes an alert", func(ctx context.Context) error {
			status, text, err := s.ask(ctx, http.MethodPost, s.url("relay")+"/v1/robots/ops", nil, body)
			if err == nil && status != http.StatusAccepted {
				err = fmt.Errorf("%d %s", status, text)
			}
			return err
		})
		sent++
	}
	if again != kills {
		t.Fatalf("killed %d times, want %d", again, kills)
	}
	eventually(t, time.Minute, "every alert that was taken is in the chat", func(ctx context.Context) error {
		messages, err := s.messages(ctx)
		if err != nil {
			return err
		}
		for i := range alerts {
			if !shown(messages, where(i)) {
				return fmt.Errorf("%s is not among %d messages", where(i), len(messages))
			}
		}
		return nil
	})
	messages, err := s.messages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.measured(t, "%d alerts, the relay killed %d times: all in %d messages after %.1f s", alerts, kills, len(messages), time.Since(began).Seconds())
}

func where(i int) string { return fmt.Sprintf("storm-host-%03d", i) }

// storm is one alert as Grafana posts it.
func storm(i int, at time.Time) []byte {
	labels := map[string]string{"alertname": "Storm", "instance": where(i), "severity": "warning"}
	body, err := json.Marshal(map[string]any{
		"version": "4", "status": "firing", "receiver": "ops", "groupKey": fmt.Sprintf("{}:{i=%d}", i),
		"groupLabels": labels, "commonLabels": labels,
		"alerts": []any{map[string]any{
			"status": "firing", "labels": labels, "startsAt": at, "fingerprint": fmt.Sprintf("%016d", i),
			"annotations": map[string]string{"summary": "【报警】风暴 Storm"},
		}},
	})
	if err != nil {
		panic(err) // nothing in it can fail
	}
	return body
}

func shown(messages []message, words ...string) bool {
	_, ok := find(messages, words...)
	return ok
}

// find returns the last message that was shown and holds all words.
func find(messages []message, words ...string) (message, bool) {
	for i := len(messages) - 1; i >= 0; i-- {
		m, all := messages[i], true
		for _, word := range words {
			all = all && strings.Contains(m.Title+"\n"+m.Text, word)
		}
		if all && m.Accepted {
			return m, true
		}
	}
	return message{}, false
}

// beat says whether the relay misses the heartbeat, and how old the last sign of life is.
func (s *stack) beat(ctx context.Context) (missing bool, age float64, err error) {
	page, err := s.page(ctx, s.url("relay")+"/metrics")
	if err != nil {
		return false, 0, err
	}
	values := map[string]float64{}
	for line := range strings.Lines(page) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		var value float64
		if _, err := fmt.Sscan(text, &value); err == nil {
			values[name] = value
		}
	}
	age, ok := values[`relay_heartbeat_age_seconds{heartbeat="chain"}`]
	if !ok {
		return false, 0, errors.New("the relay knows no heartbeat called chain")
	}
	return values[`relay_heartbeat_missing{heartbeat="chain"}`] == 1, age, nil
}

func (s *stack) awaitBeat(t *testing.T) {
	t.Helper()
	// A fresh one, not the grace that a relay gives after its start.
	last := -1.0
	eventually(t, 90*time.Second, "the Watchdog comes", func(ctx context.Context) error {
		missing, age, err := s.beat(ctx)
		if err != nil {
			return err
		}
		if fresh := !missing && last >= 0 && age < last; fresh {
			return nil
		}
		last = age
		return fmt.Errorf("missing %t, last seen %.1f s ago", missing, age)
	})
}

func (s *stack) watchdogReachesNobody(t *testing.T) {
	s.awaitBeat(t)
	s.requireNoWatchdog(t)
}

func (s *stack) requireNoWatchdog(t *testing.T) {
	t.Helper()
	messages, err := s.messages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if m, ok := find(messages, "Watchdog"); ok {
		t.Errorf("the Watchdog reached people: %+v", m)
	}
}

// outage breaks the chain, waits for the alarm in the backup's chat, mends the chain and waits for the
// all-clear there.
func (s *stack) outage(breaks, mends string) func(*testing.T) {
	return func(t *testing.T) {
		s.awaitBeat(t)
		began := time.Now()
		s.engine(t, strings.Fields(breaks)...)
		eventually(t, beatTimeout+45*time.Second, "the alarm", func(ctx context.Context) error {
			return s.told(ctx, began, "Firing")
		})
		alarm := time.Since(began)
		back := time.Now()
		s.engine(t, strings.Fields(mends)...)
		eventually(t, 90*time.Second, "the all-clear", func(ctx context.Context) error {
			return s.told(ctx, back, "Resolved")
		})
		clear := time.Since(back)
		if container, started := strings.CutPrefix(mends, "start "); started {
			s.requireCleanHealth(t, container)
		}
		s.measured(t, "alarm after %.1f s (heartbeat's timeout %v), all-clear %.1f s after the mending", alarm.Seconds(), beatTimeout, clear.Seconds())
		s.requireNoWatchdog(t)
		messages, err := s.messages(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			if strings.Contains(m.Title, "HeartbeatMissing") && m.Robot != "backup" {
				t.Errorf("the alarm went to %s, the channel that it may be about", m.Robot)
			}
		}
	}
}

// requireCleanHealth wants a container that was started again to be healthy, and its checks to have
// nothing to say: they keep a file on its /tmp, which has to be writable the second time too.
func (s *stack) requireCleanHealth(t *testing.T, container string) {
	t.Helper()
	eventually(t, time.Minute, container+" is healthy again", func(ctx context.Context) error {
		out, err := docker(ctx, "inspect", "--format={{json .State.Health}}", container)
		if err != nil {
			return err
		}
		var health struct {
			Status string
			Log    []struct{ Output string }
		}
		if err := json.Unmarshal([]byte(out), &health); err != nil {
			return fmt.Errorf("%w in %s", err, out)
		}
		if len(health.Log) == 0 || health.Status != "healthy" || health.Log[len(health.Log)-1].Output != "" {
			return fmt.Errorf("its health is %s", out)
		}
		return nil
	})
}

// told looks for what the relay says about the heartbeat since then.
func (s *stack) told(ctx context.Context, since time.Time, state string) error {
	messages, err := s.messages(ctx)
	if err != nil {
		return err
	}
	if m, ok := find(messages, "HeartbeatMissing", state); ok && m.Time.After(since) {
		return nil
	}
	_, age, err := s.beat(ctx)
	return fmt.Errorf("no HeartbeatMissing %s among %d messages; the heartbeat was seen %.1f s ago (%v)", state, len(messages), age, err)
}

// networkCut takes the relay out of the network that it shares with Grafana. The way to people has to
// stay, so relay and robot get one of their own first.
func (s *stack) networkCut(t *testing.T) {
	people := s.name + "-people"
	s.engine(t, "network", "create", people)
	s.engine(t, "network", "connect", "--alias=robot", people, s.name+"-robot")
	s.engine(t, "network", "connect", people, s.name+"-relay")
	s.outage(
		fmt.Sprintf("network disconnect %[1]s %[1]s-relay", s.name),
		fmt.Sprintf("network connect --alias=relay %[1]s %[1]s-relay", s.name),
	)(t)
}

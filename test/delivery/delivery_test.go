// Package delivery proves on the whole stack what the relay promises: nothing that it took is lost, people are notified when
// the chain before it breaks, and no secret leaves its file.
package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"lookout/internal/docker"
	"lookout/test/internal/teststack"
)

func TestMain(m *testing.M) { teststack.Main(m) }

// Local's heartbeat, quicker: short enough for three outages in a test, and four beats until one counts as
// missed, as elsewhere.
const (
	beatInterval = 3 * time.Second
	beatTimeout  = 4 * beatInterval
	// watchdogInterval is how often the Watchdog is evaluated; the rule files know nothing shorter.
	watchdogInterval = 10 * time.Second
)

// relayDownWithin bounds how late it is notified that the relay is down, and that it is back: a scrape (2 s),
// an evaluation, the pending period and the evaluation after it (10 s each), group_wait or group_interval
// (1 s, 3 s), and the rest for a machine that is busy.
const relayDownWithin = 55 * time.Second

// resendDelay is the flag of modules/prometheus, shorter: it makes the longest wait of all.
const resendDelay = watchdogInterval

// outlives is how long the engine's Alertmanager takes an alert for firing that is not repeated any more: Prometheus says
// four times its rule's interval, or the flag of modules/prometheus, whichever is longer. Grafana's evaluation ends with its
// alerts.
var outlives = map[string]time.Duration{teststack.Prometheus: 4 * max(watchdogInterval, resendDelay), teststack.Grafana: 0}

var eventually = teststack.Eventually

// A stack is what the steps share.
type stack struct {
	*teststack.Stack
	// When the relay was stopped and started again; its recovery is notified while another step runs.
	downSince, upSince time.Time
}

// TestDelivery runs on engine prometheus, and on engine grafana wherever there is an image of one; see TestFlow.
func TestDelivery(t *testing.T) {
	engines := []string{teststack.Prometheus}
	if teststack.GrafanaImage(t) != "" {
		engines = append(engines, teststack.Grafana)
	}
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) { deliver(t, engine) })
	}
}

// deliver tells two stories at a time, each on a stack of its own: nearly all of both is waiting.
func deliver(t *testing.T, engine string) {
	t.Helper()
	notifier := map[string]string{teststack.Prometheus: "alertmanager", teststack.Grafana: "grafana"}[engine]
	type step struct {
		name string
		run  func(*stack) func(*testing.T)
	}
	does := func(f func(*stack, *testing.T)) func(*stack) func(*testing.T) {
		return func(s *stack) func(*testing.T) { return func(t *testing.T) { f(s, t) } }
	}
	killed := func(service string, livesOn time.Duration) func(*stack) func(*testing.T) {
		return func(s *stack) func(*testing.T) {
			return s.outage(livesOn, "kill "+s.Name+"-"+service, "start "+s.Name+"-"+service)
		}
	}
	for story, steps := range map[string][]step{
		"the_relay": {
			{"that_it_is_down_is_notified_without_it", does((*stack).relayDown)},
			{"nothing_is_lost_when_it_is_killed", does((*stack).relayKilled)},
			{"and_that_it_is_back", does((*stack).relayBack)},
			{"secrets_stay_in_their_files", does((*stack).secretsStay)},
		},
		"the_chain_before_it": {
			{"the_watchdog_reaches_nobody", does((*stack).watchdogReachesNobody)},
			{"prometheus_killed", killed("prometheus", outlives[engine])},
			{notifier + "_killed", killed(notifier, 0)},
			{"network_cut_between_" + notifier + "_and_relay", does((*stack).networkCut)},
		},
	} {
		t.Run(story, func(t *testing.T) {
			t.Parallel()
			s := &stack{Stack: teststack.New(t, teststack.Options{Engine: engine, Prefix: "lookout-delivery"})}
			began := time.Now()
			s.configure(t)
			s.Apply(t)
			s.Measured(t, "the stack is up after %.1f s", time.Since(began).Seconds())
			for _, step := range steps {
				if !t.Run(step.name, step.run(s)) {
					t.FailNow()
				}
			}
		})
	}
}

// configure changes what the local environment ships only where a test needs it: a heartbeat that comes
// more often and is missed sooner, and channels for the secrets that local has no use for.
func (s *stack) configure(t *testing.T) {
	t.Helper()
	const relay = "envs/local/platform/relay.yaml"
	s.Replace(t, relay, "timeout: 1m", "timeout: "+beatTimeout.String())
	s.Replace(t, relay, "targets:\n", `emails:
  duty: {smarthost: "robot:8060", from: relay@example.com, to: [duty@example.com], username: relay, password_file: /secrets/smtp, timeout: 2s}
webhooks:
  sms: {url_file: /secrets/sms.url, header_files: {Authorization: /secrets/sms.key}}
targets:
  unreachable:
    channels:
      - {email: duty, escalate_after: 3s}
      - {webhook: sms, escalate_after: 3s}
`)
	// Quicker than local has them, for the sake of the test's length.
	const settings = "envs/local/alerts.yaml"
	s.Replace(t, settings, "delivery: 20s", "delivery: 10s")
	s.Replace(t, settings, "watchdog: 20s", "watchdog: "+watchdogInterval.String())
	s.Replace(t, "modules/prometheus/main.tf", "resend-delay=20s", "resend-delay="+resendDelay.String())
	for name, secret := range planted {
		teststack.Write(t, filepath.Join(s.Secrets(), name), secret+"\n")
	}
	robots := filepath.Join(s.Secrets(), "robots.yaml")
	teststack.Write(t, robots, teststack.Read(t, robots)+fmt.Sprintf("  - {access_token: %s, name: %s, keywords: [报警]}\n", besideToken, besideTheRelay))

	timing := map[string]string{"group_interval": "3s", "group_wait": "1s", "repeat_interval": "1h"}
	if s.Engine == teststack.Prometheus {
		s.Set(t, "platform", "delivery", map[string]any{"notification": map[string]any{
			"about_delivery":     map[string]string{"robot_file": "beside.url"},
			"heartbeat_interval": beatInterval.String(),
			"secrets_directory":  s.Secrets(),
			"timing":             timing,
		}})
		return
	}
	s.Set(t, "content", "delivery", map[string]any{
		"about_delivery": map[string]string{"robot": "beside"}, "heartbeat_interval": beatInterval.String(),
		"robot_webhooks": map[string]string{"beside": besideURL}, "timing": timing,
	})
}

// besideTheRelay is the robot of the mock that the relay has no token of: only the engine's notifier reaches it.
const besideTheRelay = "beside"

// aboutRelay looks for what the engine says without the relay about the relay: firing or resolved.
func (s *stack) aboutRelay(t *testing.T, since time.Time, state string) func(context.Context) error {
	t.Helper()
	summary := s.summary(t, "delivery.yaml", "RelayDown")
	// Grafana's text has a colour in its title.
	colour := map[string]string{"Firing": "🔴", "Resolved": "🟢"}[state]
	return func(ctx context.Context) error {
		messages, err := s.Messages(ctx, 0)
		if err != nil {
			return err
		}
		for _, m := range messages {
			if m.Accepted && m.Robot == besideTheRelay && m.Time.After(since) && (m.Has(state) || m.Has(colour)) && m.Has(summary) {
				return nil
			}
		}
		return fmt.Errorf("nothing about %q, %s, by the robot %s among %d messages", summary, state, besideTheRelay, len(messages))
	}
}

// summary is that of a rule, as its file has it.
func (s *stack) summary(t *testing.T, file, alert string) string {
	t.Helper()
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert       string
				Annotations struct{ Summary string }
			}
		}
	}
	if err := yaml.Unmarshal([]byte(teststack.Read(t, filepath.Join(s.Tree, "alerts", file))), &rules); err != nil {
		t.Fatal(err)
	}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			if r.Alert == alert {
				return r.Annotations.Summary
			}
		}
	}
	t.Fatalf("alerts/%s has no rule %s", file, alert)
	return ""
}

// relayDown stops the relay and waits for the alert about it, which can't come by the relay: that is not
// there.
func (s *stack) relayDown(t *testing.T) {
	if text := teststack.Read(t, filepath.Join(s.Root("platform"), "relay.yaml")); strings.Contains(text, besideTheRelay) {
		t.Fatalf("the relay knows the robot %s, so a message there proves nothing:\n%s", besideTheRelay, text)
	}
	s.Docker(t, "stop", s.Name+"-relay")
	s.downSince = time.Now()
	eventually(t, relayDownWithin, "that the relay is down is notified", s.aboutRelay(t, s.downSince, "Firing"))
	s.Measured(t, "that the relay is down is notified without it after %.1f s", time.Since(s.downSince).Seconds())
	s.Docker(t, "start", s.Name+"-relay")
	s.upSince = time.Now()
}

// relayBack waits for the recovery, which takes its time while others go on.
func (s *stack) relayBack(t *testing.T) {
	eventually(t, relayDownWithin, "that the relay is back is notified", s.aboutRelay(t, s.upSince, "Resolved"))
	s.Measured(t, "and that it is back at most %.1f s after its start", time.Since(s.upSince).Seconds())
}

// relayKilled kills the relay while alerts come in, and sends again only what it has not said to have.
func (s *stack) relayKilled(t *testing.T) {
	const alerts, kills = 60, 3
	began := time.Now()
	sent, again := 0, 0
	for sent < alerts {
		if sent > 0 && sent%(alerts/(kills+1)) == 0 && again < kills {
			again++
			s.Docker(t, "kill", "--signal=KILL", s.Name+"-relay")
			// A kill by hand is not a crash to the engine, so its restart policy leaves the container alone.
			s.Docker(t, "start", s.Name+"-relay")
		}
		body := storm(sent, time.Now())
		eventually(t, 30*time.Second, "the relay takes an alert", func(ctx context.Context) error {
			status, text, err := s.Ask(ctx, http.MethodPost, s.URL("relay")+"/v1/robots/ops", nil, body)
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
		messages, err := s.Messages(ctx, 0)
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
	messages, err := s.Messages(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	s.Measured(t, "%d alerts, the relay killed %d times: all in %d messages after %.1f s", alerts, kills, len(messages), time.Since(began).Seconds())
}

func where(i int) string { return fmt.Sprintf("storm-host-%03d", i) }

// storm is one alert as the engines post it.
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

func shown(messages []teststack.Message, words ...string) bool {
	_, ok := find(messages, words...)
	return ok
}

// find returns the last message that was shown and holds all words.
func find(messages []teststack.Message, words ...string) (teststack.Message, bool) {
	for i := len(messages) - 1; i >= 0; i-- {
		if m := messages[i]; m.Accepted && m.Has(words...) {
			return m, true
		}
	}
	return teststack.Message{}, false
}

// beat says whether the relay misses the heartbeat, and how old the last sign of life is.
func (s *stack) beat(ctx context.Context) (missing bool, age float64, err error) {
	page, err := s.Page(ctx, s.URL("relay")+"/metrics")
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
	messages, err := s.Messages(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if m, ok := find(messages, "Watchdog"); ok {
		t.Errorf("the Watchdog reached people: %+v", m)
	}
}

// outage breaks the chain, waits for the alarm in the backup's chat, repairs the chain and waits for the
// all-clear there. What is broken may live on for a while for those that come after it.
func (s *stack) outage(livesOn time.Duration, breaks, repairs string) func(*testing.T) {
	return func(t *testing.T) {
		s.awaitBeat(t)
		began := time.Now()
		s.Docker(t, strings.Fields(breaks)...)
		eventually(t, livesOn+beatTimeout+45*time.Second, "the alarm", func(ctx context.Context) error {
			return s.told(ctx, began, "Firing")
		})
		alarm := time.Since(began)
		back := time.Now()
		s.Docker(t, strings.Fields(repairs)...)
		eventually(t, 90*time.Second, "the all-clear", func(ctx context.Context) error {
			return s.told(ctx, back, "Resolved")
		})
		clear := time.Since(back)
		if container, started := strings.CutPrefix(repairs, "start "); started {
			s.requireCleanHealth(t, container)
		}
		s.Measured(t, "alarm after %.1f s (the last alert lives on for %v, the heartbeat's timeout is %v), all-clear %.1f s after the repair", alarm.Seconds(), livesOn, beatTimeout, clear.Seconds())
		s.requireNoWatchdog(t)
		messages, err := s.Messages(t.Context(), 0)
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
		out, err := docker.Run(ctx, "inspect", "--format={{json .State.Health}}", container)
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
	messages, err := s.Messages(ctx, 0)
	if err != nil {
		return err
	}
	if m, ok := find(messages, "HeartbeatMissing", state); ok && m.Time.After(since) {
		return nil
	}
	_, age, err := s.beat(ctx)
	return fmt.Errorf("no HeartbeatMissing %s among %d messages; the heartbeat was seen %.1f s ago (%v)", state, len(messages), age, err)
}

// networkCut takes the relay out of the network that it shares with those that notify. The way to people has to
// stay, so relay and robot get one of their own first.
func (s *stack) networkCut(t *testing.T) {
	people := s.Name + "-people"
	s.Docker(t, "network", "create", people)
	s.Docker(t, "network", "connect", "--alias=robot", people, s.Name+"-robot")
	s.Docker(t, "network", "connect", people, s.Name+"-relay")
	s.outage(0,
		fmt.Sprintf("network disconnect %[1]s %[1]s-relay", s.Name),
		fmt.Sprintf("network connect --alias=relay %[1]s %[1]s-relay", s.Name),
	)(t)
}

// Package test drives the whole way of the data for real: a metric, its scrape, its dashboard, its
// rule, its message and its recovery, on a stack of its own beside whatever else runs.
package test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/terraform"
)

// The alert that the story follows, the series behind it, and the knob that sets it off.
const (
	alert    = "GoThreadsHigh"
	series   = `go_threads{job="go",instance="go1"}`
	instance = "go1"
	knob     = "threads"
	// turnedUp is so far above any threshold that one scrape carries the mean of a minute over it:
	// averaging is no part of the schedule.
	turnedUp = 200
	keyword  = "报警"
)

func TestFlow(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.apply(t)
	story := &story{stack: s}

	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"metric_exposed", story.metricExposed},
		{"target_scraped", story.targetScraped},
		{"datasource_answers", story.datasourceAnswers},
		{"dashboard_has_data", story.dashboardHasData},
		{"rule_fires", story.ruleFires},
		{"message_arrives", story.messageArrives},
		{"message_readable", story.messageReadable},
		{"recovery_announced", story.recoveryAnnounced},
		{"plan_is_empty", story.planIsEmpty},
		{"reload_without_restart", story.reloadWithoutRestart},
		{"bad_config_refused", story.badConfigRefused},
		{"destroy_leaves_nothing", story.destroyLeavesNothing},
	} {
		if !t.Run(step.name, step.run) {
			t.Fatalf("the story ends at %s: what comes after it stands on it", step.name)
		}
	}
}

// A story is the stack and what one step hands to the next.
type story struct {
	*stack
	breach   time.Time // when the knob was turned
	schedule schedule
	firing   message
	fired    time.Time // since when the alert is firing, by Grafana
}

func (s *story) metricExposed(t *testing.T) {
	eventually(t, 10*time.Second, "the exporter shows go_threads", func(ctx context.Context) error {
		body, err := s.page(ctx, s.url("exporter")+"/metrics")
		if err != nil {
			return err
		}
		if !regexp.MustCompile(`(?m)^go_threads [0-9]+$`).MatchString(body) {
			return fmt.Errorf("no go_threads in %d bytes", len(body))
		}
		return nil
	})
}

func (s *story) targetScraped(t *testing.T) {
	for _, name := range []string{"go/" + instance, "prometheus/prometheus"} {
		eventually(t, 30*time.Second, name+" is scraped", func(ctx context.Context) error {
			targets, err := s.targets(ctx)
			if err != nil {
				return err
			}
			found, ok := targets[name]
			if !ok {
				return fmt.Errorf("no such target among %d", len(targets))
			}
			if found.Health != "up" {
				return fmt.Errorf("health %s: %s", found.Health, found.LastError)
			}
			return nil
		})
	}
	eventually(t, 30*time.Second, "the series is stored", func(ctx context.Context) error {
		_, err := s.samples(ctx, series, time.Now().Add(-time.Minute))
		return err
	})
}

func (s *story) datasourceAnswers(t *testing.T) {
	eventually(t, 30*time.Second, "Grafana's datasource gives the value of go_threads", func(ctx context.Context) error {
		now := time.Now()
		numbers, err := s.ask(ctx, map[string]any{
			"refId": "A", "expr": series, "instant": true,
			"datasource": map[string]any{"type": "prometheus", "uid": "prometheus"},
			"intervalMs": 1000, "maxDataPoints": 100,
		}, now.Add(-time.Minute), now)
		if err == nil && numbers != 1 {
			err = fmt.Errorf("%d numbers, want the one of %s", numbers, series)
		}
		return err
	})
}

func (s *story) dashboardHasData(t *testing.T) {
	running := s.running(t)
	uids, asked := s.shipped(t), 0
	for uid := range needs {
		if !slices.Contains(uids, uid) {
			t.Errorf("needs names %s, which is not shipped", uid)
		}
	}
	var all []question
	for _, uid := range uids {
		if need, ok := needs[uid]; ok && !slices.Contains(running, need.service) {
			t.Logf("%s is not asked, since %s is not in the stack: %s", uid, need.service, need.reason)
			continue
		}
		eventually(t, 60*time.Second, "the variables of "+uid+" have values", func(ctx context.Context) error {
			questions, err := s.questions(ctx, uid)
			if err == nil {
				all, asked = append(all, questions...), asked+1
			}
			return err
		})
	}
	ctx, stop := context.WithCancel(t.Context())
	delivering := make(chan struct{})
	go func() {
		defer close(delivering)
		s.deliver(ctx, t)
	}()
	defer func() {
		stop()
		<-delivering
	}()
	s.requireData(t, all)
	t.Logf("%d dashboards, %d targets, all with data", asked, len(all))
}

// deliver gives the relay something to do, so that a dashboard about deliveries has any to show. To the
// second robot: the story's own message shall not have to wait for the limit of twenty a minute.
func (s *story) deliver(ctx context.Context, t *testing.T) {
	tick := time.NewTicker(4 * time.Second)
	defer tick.Stop()
	for n := 1; ; n++ {
		body := fmt.Sprintf(`{"version":"4","status":"firing","groupKey":"{}:{n=\"%[1]d\"}","alerts":[{"status":"firing",`+
			`"labels":{"alertname":"Example","instance":"example-%[1]d","severity":"info"},"startsAt":%[2]q}]}`, n, time.Now().UTC().Format(time.RFC3339))
		resp, err := http.Post(s.url("relay")+"/v1/robots/backup", "application/json", strings.NewReader(body))
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode != http.StatusAccepted {
				err = errors.New(resp.Status)
			}
		}
		if err != nil && ctx.Err() == nil {
			t.Errorf("giving the relay an example: %v", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *story) ruleFires(t *testing.T) {
	s.readSchedule(t)
	eventually(t, time.Minute, alert+" has been evaluated and is quiet", func(ctx context.Context) error {
		r, err := s.rule(ctx, alert)
		if err == nil && (r.State != "inactive" || r.Health != "ok") {
			err = fmt.Errorf("state %s, health %s", r.State, r.Health)
		}
		return err
	})

	s.turn(t, turnedUp)
	s.breach = time.Now()
	eventually(t, s.schedule.total()+30*time.Second, alert+" fires", func(ctx context.Context) error {
		r, err := s.rule(ctx, alert)
		if err != nil {
			return err
		}
		for _, a := range r.Alerts {
			if a.Labels["instance"] != instance {
				continue
			}
			switch a.State {
			case "Pending":
				s.schedule.pendingAt = a.ActiveAt
			case "Alerting":
				s.fired, s.schedule.firingAt, s.schedule.firingSeen = a.ActiveAt, a.ActiveAt, time.Now()
				return nil
			}
		}
		return fmt.Errorf("state %s, health %s, alerts %v", r.State, r.Health, r.Alerts)
	})
}

func (s *story) messageArrives(t *testing.T) {
	eventually(t, s.schedule.groupWait+30*time.Second, "the message is at the robot", func(ctx context.Context) (err error) {
		s.firing, err = s.arrived(ctx, 0, alert, "Firing")
		return err
	})
	s.schedule.messageAt = s.firing.Time

	_, threshold, err := s.definition(t).query()
	if err != nil {
		t.Fatal(err)
	}
	samples, err := s.samples(t.Context(), series, s.breach)
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range samples {
		if found.value > threshold {
			s.schedule.scrapedAt = found.at
			break
		}
	}
	for _, line := range s.schedule.lines(s.breach) {
		s.measured(t, "%s", line)
	}
	took := s.firing.Time.Sub(s.breach)
	if took-s.schedule.turn() > s.schedule.bar() {
		t.Errorf("the message came %.1f s after the breach, of which Grafana made the rule wait %.1f s for its turn; the schedule and 2 s allow %.1f s",
			took.Seconds(), s.schedule.turn().Seconds(), s.schedule.bar().Seconds())
	}
}

func (s *story) recoveryAnnounced(t *testing.T) {
	s.turn(t, 0)
	var recovered message
	// The mean has to leave its window and the next flush of the group has to come.
	eventually(t, 2*time.Minute, "the recovery is announced", func(ctx context.Context) (err error) {
		recovered, err = s.arrived(ctx, s.firing.ID, alert, "Resolved")
		return err
	})
	for part, text := range map[string]string{"title": recovered.Title, "body": recovered.Text} {
		if !strings.Contains(text, keyword) {
			t.Errorf("the %s of the recovery lacks the keyword %s: %q", part, keyword, text)
		}
	}
	if !holds(recovered.Text, instance, "恢复") {
		t.Errorf("the recovery does not say that %s is well again:\n%s", instance, recovered)
	}
}

func (s *story) planIsEmpty(t *testing.T) { s.requireNoChanges(t) }

func (s *story) reloadWithoutRestart(t *testing.T) {
	before := s.container(t, "prometheus")
	// A reload that costs a scrape costs one each time; a machine that is late once is not.
	const attempts = 3
	for attempt := 1; ; attempt++ {
		began := time.Now()
		s.set(t, "platform", "jobs", map[string]any{"scrape_jobs": map[string]any{
			"second": map[string]any{"targets": []any{map[string]any{
				"address": "exporter:9100", "labels": map[string]string{"instance": "again", "attempt": fmt.Sprint(attempt)},
			}}},
		}})
		if err := s.tryApply(t, "platform"); err != nil {
			t.Fatalf("applying another scrape job: %v", err)
		}
		eventually(t, 30*time.Second, "the new job is scraped", func(ctx context.Context) error {
			targets, err := s.targets(ctx)
			if again := targets["second/again"]; err == nil && (again.Health != "up" || again.Labels["attempt"] != fmt.Sprint(attempt)) {
				err = fmt.Errorf("second/again: %+v", again)
			}
			return err
		})
		after := s.container(t, "prometheus")
		if after.ID != before.ID || after.State.StartedAt != before.State.StartedAt {
			t.Errorf("Prometheus was container %s since %s and is %s since %s", before.ID[:12], before.State.StartedAt, after.ID[:12], after.State.StartedAt)
		}
		gap := s.largestGap(t, began.Add(-10*time.Second))
		s.measured(t, "reload %d: the largest gap in up is %.1f s; it is scraped every %.1f s", attempt, gap.Seconds(), s.schedule.scrape.Seconds())
		if gap <= s.schedule.scrape*3/2 {
			break
		}
		if attempt == attempts {
			t.Fatalf("each of %d reloads left a gap in up, the last one of %.1f s", attempts, gap.Seconds())
		}
	}
	s.requireNoChanges(t)
}

func (s *story) badConfigRefused(t *testing.T) {
	before := s.container(t, "prometheus")
	running, err := s.configuration(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// No type and no validation of ours knows regular expressions: this is for promtool to find.
	s.set(t, "platform", "jobs", map[string]any{"scrape_jobs": map[string]any{
		"second": map[string]any{
			"targets":     []any{map[string]any{"address": "exporter:9100"}},
			"relabelings": []any{map[string]any{"source_labels": []string{"job"}, "regex": "go(", "target_label": "service"}},
		},
	}})
	err = s.tryApply(t, "platform")
	if err == nil {
		t.Fatal("an apply with a broken regular expression succeeded")
	}
	// promtool's own words for it, which are those of Go's regexp package.
	if !holds(unwrapped(err.Error()), "FAILED", "missing closing )") {
		t.Errorf("the apply failed without promtool's words: %v", err)
	}
	after := s.container(t, "prometheus")
	if after.ID != before.ID || after.State.StartedAt != before.State.StartedAt {
		t.Errorf("the running Prometheus was touched: %s since %s is now %s since %s", before.ID[:12], before.State.StartedAt, after.ID[:12], after.State.StartedAt)
	}
	now, err := s.configuration(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if now != running {
		t.Errorf("the running configuration has changed:\n%s", now)
	}
	eventually(t, 15*time.Second, "the targets are up as before", func(ctx context.Context) error {
		targets, err := s.targets(ctx)
		if err == nil && targets["second/again"].Health != "up" {
			err = fmt.Errorf("%v", targets)
		}
		return err
	})

	s.unset(t, "platform", "jobs")
	if err := s.tryApply(t, "platform"); err != nil {
		t.Fatalf("applying the mended configuration: %v", err)
	}
	s.requireNoChanges(t)
}

func (s *story) destroyLeavesNothing(t *testing.T) {
	volumes := map[string]bool{}
	for _, c := range s.containers(t) {
		for _, m := range c.Mounts {
			if m.Type == "volume" {
				volumes[m.Name] = true
			}
		}
	}
	if len(volumes) == 0 {
		t.Fatal("no container of the stack has a volume; what should be left then?")
	}
	terraform.DestroyContext(t, t.Context(), s.content)
	terraform.DestroyContext(t, t.Context(), s.platform)
	left, err := leftovers(t.Context(), s.name)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range left {
		t.Errorf("the %s %s is left", o.kind, o.name)
	}
	// Volumes without a name of ours, which an image may ask for.
	for name := range volumes {
		if _, err := docker(t.Context(), "volume", "inspect", name); err == nil {
			t.Errorf("the volume %s of one of the containers is left", name)
		}
	}
	for root, state := range map[string]terraformState{"platform": s.state(t, "platform"), "content": s.state(t, "content")} {
		if len(state.Resources) > 0 {
			t.Errorf("the state of %s still has %d resources", root, len(state.Resources))
		}
	}
}

// turn sets the knob of the story's alert.
func (s *story) turn(t *testing.T, to int) {
	t.Helper()
	if err := s.do(t.Context(), http.MethodPut, s.url("exporter")+"/faults/"+knob, []byte(fmt.Sprint(to)), nil); err != nil {
		t.Fatal(err)
	}
}

func (s *story) definition(t *testing.T) alertRule {
	t.Helper()
	definition, err := s.alertRule(t.Context(), alert)
	if err != nil {
		t.Fatal(err)
	}
	return definition
}

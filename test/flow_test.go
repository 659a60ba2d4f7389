// Package test drives the whole way of the data for real: a metric, its scrape, its dashboard, its rule, its message and
// its recovery, on a stack of its own next to whatever else runs.
package test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lookout/internal/docker"
	"lookout/test/internal/teststack"
)

// The alert that the story follows, the series behind it, and the knob that sets it off.
const (
	alert    = "GoThreadsHigh"
	series   = `go_threads{job="go",instance="go1"}`
	instance = "go1"
	knob     = "threads"
	// turnedUp is so far above the threshold that one scrape carries the mean of the window over it: averaging is not part
	// of the schedule.
	turnedUp = 200
	// threshold takes the place of the file's 8: on a machine that is short of time Go's runtime makes threads of its own for
	// system calls that take long, keeps nine or ten of them, and the alert would not recover.
	threshold = 30
	keyword   = "报警"
)

var eventually = teststack.Eventually

type step struct {
	name string
	run  func(*testing.T)
}

// TestFlow tells the story on engine prometheus, and on engine grafana wherever there is an image of one.
func TestFlow(t *testing.T) {
	t.Parallel()
	engines := []string{teststack.Prometheus}
	if image := teststack.GrafanaImage(t); image != "" {
		engines = append(engines, teststack.Grafana)
		t.Logf("engine grafana runs %s", image)
	} else {
		t.Log("this machine has no image of Grafana (GRAFANA_IMAGE=… make init gives it one): what engine grafana is told, and what it " +
			"accepts, is proven by test/content against the mock of its API, recorded from a real one; that a real one evaluates and " +
			"notifies is proven wherever TestFlow/grafana runs, as in the GitHub workflow")
	}
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := teststack.New(t, teststack.Options{Engine: engine, Edit: func(s *teststack.Stack) {
				s.Replace(t, "envs/local/alerts.yaml", "threshold: 16", fmt.Sprintf("threshold: %d", threshold))
			}})
			s.Apply(t)
			tell(t, &story{Stack: s})
		})
	}
}

func tell(t *testing.T, s *story) {
	t.Helper()
	steps := []step{
		{"metric_exposed", s.metricExposed},
		{"target_scraped", s.targetScraped},
		{"dashboards_have_data", s.dashboardsHaveData},
		{"console_shows_dashboards", s.consoleShowsDashboards},
		{"rule_fires", s.ruleFires},
		{"message_arrives", s.messageArrives},
		{"drill_begins", s.drillBegins},
		{"message_readable", s.messageReadable},
		{"recovery_announced", s.recoveryAnnounced},
	}
	for range *runs - 1 {
		steps = append(steps, step{"rule_fires_again", s.ruleFires}, step{"message_arrives_again", s.messageArrives}, step{"recovery_announced_again", s.recoveryAnnounced})
	}
	if *runs > 1 {
		steps = append(steps, step{"schedule_kept", s.scheduleKept})
	}
	steps = append(steps,
		step{"plan_is_empty", s.planIsEmpty},
		step{"reload_without_restart", s.reloadWithoutRestart},
		step{"drill_passes", s.drillPasses},
	)
	if s.Engine == teststack.Grafana {
		steps = slices.Insert(steps, 2, step{"datasource_answers", s.datasourceAnswers})
	} else {
		steps = slices.Insert(steps, slices.IndexFunc(steps, func(s step) bool { return s.name == "recovery_announced" }), step{"from_the_chat_on_a_phone", s.fromTheChatOnAPhone})
		steps = append(steps,
			step{"rules_and_routes_without_restart", s.rulesAndRoutesWithoutRestart},
			step{"target_down_inhibits", s.targetDownInhibits},
			step{"silences_survive_a_restart", s.silencesSurvive},
		)
	}
	steps = append(steps,
		step{"bad_config_refused", s.badConfigRefused},
		step{"destroy_leaves_nothing", s.destroyLeavesNothing},
	)
	for _, step := range steps {
		if !t.Run(step.name, step.run) {
			t.Fatalf("the story ends at %s: what comes after it stands on it", step.name)
		}
	}
}

// A story is the stack and what one step hands to the next.
type story struct {
	*teststack.Stack
	breach   time.Time // when the knob was turned
	schedule schedule
	firing   teststack.Message
	fired    time.Time // since when the alert is firing, by the engine
	last     int       // id of the last message of the story so far
	late     []string  // runs that were later than the bar
	runs     int
	drill    chan error // ends with what the drill came to
}

func (s *story) metricExposed(t *testing.T) {
	eventually(t, 10*time.Second, "the exporter shows go_threads", func(ctx context.Context) error {
		body, err := s.Page(ctx, s.URL("exporter")+"/metrics")
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
	want := []string{"console/console", "drill/console", "go/" + instance, "prometheus/prometheus", "relay/relay1"}
	if s.Engine == teststack.Prometheus {
		want = append(want, "alertmanager/alertmanager")
	}
	for _, name := range want {
		eventually(t, 30*time.Second, name+" is scraped", func(ctx context.Context) error {
			targets, err := s.Targets(ctx)
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
		_, err := s.Samples(ctx, series, time.Now().Add(-time.Minute))
		return err
	})
}

func (s *story) dashboardsHaveData(t *testing.T) {
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
	s.requireData(t)
	if s.Engine == teststack.Grafana {
		s.requireDataInGrafana(t)
	}
}

// deliver gives the relay something to do, so that a dashboard about deliveries has any to show. To the
// second robot: the story's own message shall not have to wait for the limit of twenty a minute.
func (s *story) deliver(ctx context.Context, t *testing.T) {
	tick := time.NewTicker(4 * time.Second)
	defer tick.Stop()
	for n := 1; ; n++ {
		body := fmt.Sprintf(`{"version":"4","status":"firing","groupKey":"{}:{n=\"%[1]d\"}","alerts":[{"status":"firing",`+
			`"labels":{"alertname":"Example","instance":"example-%[1]d","severity":"info"},"startsAt":%[2]q}]}`, n, time.Now().UTC().Format(time.RFC3339))
		status, text, err := s.Ask(ctx, http.MethodPost, s.URL("relay")+"/v1/robots/backup", nil, []byte(body))
		if err == nil && status != http.StatusAccepted {
			err = fmt.Errorf("%d %s", status, text)
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
		r, err := s.Rule(ctx, alert)
		if err == nil && (r.State != "inactive" || r.Health != "ok") {
			err = fmt.Errorf("state %s, health %s", r.State, r.Health)
		}
		return err
	})

	if *runs > 1 {
		// The end of the run before is tied to an evaluation; a breach comes at any moment.
		select {
		case <-time.After(rand.N(s.schedule.evaluation)):
		case <-t.Context().Done():
		}
	}
	// Before it is turned: the answer to that may come later than the first scrape.
	s.breach = time.Now()
	s.turn(t, turnedUp)
	pending := false
	eventually(t, s.schedule.total()+30*time.Second, alert+" fires", func(ctx context.Context) error {
		r, err := s.Rule(ctx, alert)
		if err != nil {
			return err
		}
		for _, a := range r.Alerts {
			if a.Labels["instance"] != instance {
				continue
			}
			switch strings.ToLower(a.State) {
			case "pending":
				pending, s.schedule.pendingAt = true, a.ActiveAt
			case "firing", "alerting":
				s.fired, s.schedule.firingAt, s.schedule.firingSeen = a.ActiveAt, a.ActiveAt, time.Now()
				return nil
			}
		}
		return fmt.Errorf("state %s, health %s, alerts %v", r.State, r.Health, r.Alerts)
	})
	if !pending {
		t.Errorf("%s was not pending before it fired, and its rule has `for: %.0fs`", alert, s.schedule.pending.Seconds())
	}
	if s.Engine == teststack.Prometheus {
		s.readEvaluation(t)
	}
}

func (s *story) messageArrives(t *testing.T) {
	eventually(t, s.schedule.groupWait+30*time.Second, "the message is at the robot", func(ctx context.Context) (err error) {
		s.firing, err = s.Arrived(ctx, s.last, alert, "Firing")
		return err
	})
	s.schedule.messageAt, s.last = s.firing.Time, s.firing.ID
	s.runs++

	_, threshold := s.definition(t)
	samples, err := s.Samples(t.Context(), series, s.breach)
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range samples {
		if found.Value > threshold {
			s.schedule.scrapedAt = found.At
			break
		}
	}
	for _, line := range s.schedule.lines(s.breach) {
		s.Measured(t, "%s", line)
	}
	took, bar := s.firing.Time.Sub(s.breach), s.schedule.bar(s.Engine)
	if took > bar+s.schedule.turn(s.Engine) {
		late := fmt.Sprintf("run %d: the message came %.1f s after the breach; the schedule and its margin allow %.1f s", s.runs, took.Seconds(), bar.Seconds())
		s.late = append(s.late, late)
		// One of many is for scheduleKept to judge, which names them all.
		if *runs == 1 {
			t.Error(late)
		}
	}
}

// scheduleKept is the verdict over all runs.
func (s *story) scheduleKept(t *testing.T) {
	s.Measured(t, "breach → message within the schedule and its margin in %d of %d runs", s.runs-len(s.late), s.runs)
	for _, late := range s.late {
		t.Error(late)
	}
}

func (s *story) recoveryAnnounced(t *testing.T) {
	s.turn(t, 0)
	var recovered teststack.Message
	// The mean has to leave its window and the next flush of the group has to come.
	eventually(t, 2*time.Minute, "the recovery is announced", func(ctx context.Context) (err error) {
		recovered, err = s.Arrived(ctx, s.firing.ID, alert, "Resolved")
		return err
	})
	s.last = recovered.ID
	for part, text := range map[string]string{"title": recovered.Title, "body": recovered.Text} {
		if !strings.Contains(text, keyword) {
			t.Errorf("the %s of the recovery lacks the keyword %s: %q", part, keyword, text)
		}
	}
	if !teststack.Holds(recovered.Text, instance, "恢复") {
		t.Errorf("the recovery does not say that %s is well again:\n%s", instance, recovered)
	}
}

func (s *story) planIsEmpty(t *testing.T) { s.RequireNoChanges(t) }

func (s *story) reloadWithoutRestart(t *testing.T) {
	before := s.Lives(t, s.Running(t)...)
	// A reload that costs a scrape costs one each time; a machine that is late once is not.
	const attempts = 3
	for attempt := 1; ; attempt++ {
		began := time.Now()
		s.Set(t, "platform", "jobs", map[string]any{"scrape_jobs": map[string]any{
			"second": map[string]any{"targets": []any{map[string]any{
				"address": "exporter:9100", "labels": map[string]string{"instance": "again", "attempt": fmt.Sprint(attempt)},
			}}},
		}})
		if err := s.TryApply(t, "platform"); err != nil {
			t.Fatalf("applying another scrape job: %v", err)
		}
		eventually(t, 30*time.Second, "the new job is scraped", func(ctx context.Context) error {
			targets, err := s.Targets(ctx)
			if again := targets["second/again"]; err == nil && (again.Health != "up" || again.Labels["attempt"] != fmt.Sprint(attempt)) {
				err = fmt.Errorf("second/again: %+v", again)
			}
			return err
		})
		s.RequireSameLives(t, before)
		gap := s.largestGap(t, began.Add(-10*time.Second))
		s.Measured(t, "reload %d: the largest gap in up is %.1f s; it is scraped every %.1f s", attempt, gap.Seconds(), s.schedule.scrape.Seconds())
		if gap <= s.schedule.scrape*3/2 {
			break
		}
		if attempt == attempts {
			t.Fatalf("each of %d reloads left a gap in up, the last one of %.1f s", attempts, gap.Seconds())
		}
	}
	s.RequireNoChanges(t)
}

// badConfigRefused gives each server what only its own checker finds wrong: no type and no validation of ours knows it.
func (s *story) badConfigRefused(t *testing.T) {
	before := s.Lives(t, s.Running(t)...)
	running, err := s.configurations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Each server's own checker refuses its part of it, in its own words.
	wrong := map[string]any{"scrape_jobs": map[string]any{"second": map[string]any{
		"targets":     []any{map[string]any{"address": "exporter:9100"}},
		"relabelings": []any{map[string]any{"source_labels": []string{"job"}, "regex": "go(", "target_label": "service"}},
	}}}
	words := []string{"FAILED", "missing closing )"} // of Go's regexp package
	if s.Engine == teststack.Prometheus {
		wrong["notification"] = map[string]any{"mute_intervals": map[string]any{"night": []any{map[string]any{"location": "Asia/Shangai"}}}}
		words = append(words, "Asia/Shangai", "unknown time zone")
	}
	s.Set(t, "platform", "wrong", wrong)
	err = s.TryApply(t, "platform")
	s.Unset(t, "platform", "wrong")
	if err == nil {
		t.Fatal("an apply with a regular expression and a zone that are wrong succeeded")
	}
	if !teststack.Holds(teststack.Unwrapped(err.Error()), words...) {
		t.Errorf("the apply failed without one of %q: %v", words, err)
	}
	s.RequireSameLives(t, before)
	now, err := s.configurations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if now != running {
		t.Errorf("the running configuration has changed:\n%s", now)
	}
	eventually(t, 15*time.Second, "the targets are up as before", func(ctx context.Context) error {
		targets, err := s.Targets(ctx)
		if err == nil && targets["go/"+instance].Health != "up" {
			err = fmt.Errorf("%v", targets)
		}
		return err
	})
	if err := s.TryApply(t, "platform"); err != nil {
		t.Fatalf("applying without the mistakes: %v", err)
	}
	s.RequireNoChanges(t)
}

// configurations are what the servers run with.
func (s *story) configurations(ctx context.Context) (string, error) {
	text, err := s.Configuration(ctx)
	if err != nil || s.Engine != teststack.Prometheus {
		return text, err
	}
	more, err := s.AlertmanagerConfiguration(ctx)
	return text + more, err
}

func (s *story) destroyLeavesNothing(t *testing.T) {
	volumes := map[string]bool{}
	for _, c := range s.Containers(t) {
		for _, m := range c.Mounts {
			if m.Type == "volume" {
				volumes[m.Name] = true
			}
		}
	}
	if len(volumes) == 0 {
		t.Fatal("no container of the stack has a volume; what should be left then?")
	}
	s.Destroy(t)
	left, err := s.Leftovers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range left {
		t.Errorf("the %s is left", o)
	}
	// Volumes without a name of ours, which an image may ask for.
	for name := range volumes {
		found, err := docker.Inspect(t.Context(), docker.Volume, name)
		if err != nil || len(found) > 0 {
			t.Errorf("the volume %s of one of the containers is left (%v)", name, err)
		}
	}
	for _, root := range s.Roots() {
		name := strings.TrimPrefix(root.TerraformDir, s.Root("")+"/")
		if state := s.State(t, name); len(state.Resources) > 0 {
			t.Errorf("the state of %s still has %d resources", name, len(state.Resources))
		}
	}
}

// turn sets the knob of the story's alert.
func (s *story) turn(t *testing.T, to int) {
	t.Helper()
	if err := s.Do(t.Context(), http.MethodPut, s.URL("exporter")+"/faults/"+knob, []byte(fmt.Sprint(to)), nil); err != nil {
		t.Fatal(err)
	}
}

// definition is the expression of the story's alert and what its value is compared with, as the engine has them. On
// Prometheus the expression holds the comparison, which leaves values above the threshold as they are.
func (s *story) definition(t *testing.T) (expr string, threshold float64) {
	t.Helper()
	if s.Engine == teststack.Grafana {
		definition, err := s.alertRule(t.Context(), alert)
		if err != nil {
			t.Fatal(err)
		}
		expr, threshold, err = definition.query()
		if err != nil {
			t.Fatal(err)
		}
		return expr, threshold
	}
	r, err := s.Rule(t.Context(), alert)
	if err != nil {
		t.Fatal(err)
	}
	_, compared, ok := strings.Cut(r.Query, " > ")
	if !ok {
		t.Fatal(errors.New("no comparison in " + r.Query))
	}
	if _, err := fmt.Sscan(compared, &threshold); err != nil {
		t.Fatalf("the comparison of %s: %v", r.Query, err)
	}
	return r.Query, threshold
}

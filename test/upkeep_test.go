package test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lookout/internal/docker"
	"lookout/internal/environment"
	"lookout/internal/toolchain"
	"lookout/test/internal/teststack"
)

// unanswerable holds two rules that the stack cannot answer: one asks for a series that nobody has,
// the other for what PromQL refuses when it is evaluated.
const unanswerable = `groups:
  - name: unanswerable
    interval: 10s
    rules:
      - alert: NobodyHasThis
        uid: nobody-has-this
        expr: series_that_nobody_exposes
        threshold: {above: 1}
        for: 0s
        no_data_state: NoData
        exec_err_state: Error
        labels: {severity: info}
        annotations: &texts
          summary: 【报警】端到端测试 Written by a test
          description: 端到端测试 Written by a test
          runbook_url: https://example.com/
      - alert: NobodyCanAnswerThis
        uid: nobody-can-answer-this
        expr: up * on() up
        threshold: {above: 1}
        for: 0s
        no_data_state: NoData
        exec_err_state: Error
        labels: {severity: info}
        annotations: *texts
`

// upkeep is a stack that is not the story's.
type upkeep struct{ *teststack.Stack }

// TestUpkeep is what a stack goes through besides the story: queries without an answer, wrong inputs, a Prometheus that is
// gone for a moment. On engine grafana it runs wherever there is an image; see TestFlow.
func TestUpkeep(t *testing.T) {
	t.Parallel()
	engines := []string{teststack.Prometheus}
	if teststack.GrafanaImage(t) != "" {
		engines = append(engines, teststack.Grafana)
	}
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := upkeep{teststack.New(t, teststack.Options{Engine: engine})}
			teststack.Write(t, filepath.Join(s.Tree, "alerts", "unanswerable.yaml"), unanswerable)
			// It would rightly say that one of these can't be answered.
			s.Set(t, "platform", "unanswerable", map[string]any{"alert_overrides": map[string]any{"PrometheusRulesFailing": map[string]any{"paused": true}}})
			s.Apply(t)
			if engine == teststack.Grafana {
				t.Run("no_data_and_errors_are_announced", s.unanswerableAnnounced)
			} else {
				t.Run("no_data_and_errors_are_quiet", s.unanswerableQuiet)
			}
			t.Run("idle_memory", s.idleMemory)
			t.Run("wrong_input", s.wrongInputs)
			t.Run("prometheus_gone_for_a_moment", s.prometheusGone)
		})
	}
}

// TestLostContainers stops, kills and removes each container; one apply has to bring it back, and leave nothing to do.
func TestLostContainers(t *testing.T) {
	t.Parallel()
	engine := teststack.Prometheus
	if teststack.GrafanaImage(t) != "" {
		engine = teststack.Grafana
	}
	s := upkeep{teststack.New(t, teststack.Options{Engine: engine})}
	s.Apply(t)
	s.statusFollows(t)
	for i, round := range s.losses(t) {
		if !t.Run(fmt.Sprintf("round %d", i+1), func(t *testing.T) { s.lose(t, round) }) {
			t.FailNow()
		}
	}
}

// statusFollows asks `make status` of the stack, as it is and with its relay stopped: it says "up" when it is, and never else.
func (s upkeep) statusFollows(t *testing.T) {
	var out bytes.Buffer
	env, err := environment.Open(environment.Environment{Name: "local", Repo: s.Tree, Out: &out, Client: &http.Client{Timeout: 10 * time.Second},
		Progress: &toolchain.Progress{Out: &out}})
	if err != nil {
		t.Fatal(err)
	}
	var status environment.Status
	eventually(t, time.Minute, "the stack is up, says its status", func(ctx context.Context) (err error) {
		if status, err = env.Status(ctx, false); err == nil && (!status.Up || status.Targets.Unknown > 0) {
			err = fmt.Errorf("%+v", status)
		}
		return err
	})
	if running := s.Running(t); len(status.Services) != len(running) {
		t.Errorf("the status has %d services, and these run: %v", len(status.Services), running)
	}
	if d := status.Delivery; d == nil || len(d.HeartbeatSeconds) == 0 || d.DeadLetters != 0 {
		t.Errorf("the status says of deliveries: %+v", d)
	}
	s.Docker(t, "stop", "--time=5", s.Name+"-relay")
	stopped, err := env.Status(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if stopped.Up || len(stopped.Problems) == 0 || !strings.Contains(stopped.Problems[0], "relay is exited: `make apply ENV=local` brings it back") {
		t.Errorf("with a relay that was stopped: %q", stopped.Problems)
	}
	s.Docker(t, "start", s.Name+"-relay")
}

func (s upkeep) unanswerableAnnounced(t *testing.T) {
	for alert, words := range map[string]string{
		"NobodyHasThis":       "无数据",
		"NobodyCanAnswerThis": "查询失败",
	} {
		t.Run(alert, func(t *testing.T) {
			var m teststack.Message
			eventually(t, 90*time.Second, "a message about "+alert, func(ctx context.Context) (err error) {
				m, err = s.Arrived(ctx, 0, alert)
				return err
			})
			for part, text := range map[string]string{"title": m.Title, "body": m.Text} {
				if !teststack.Holds(text, keyword, words) {
					t.Errorf("the %s lacks %s or %s: %q", part, keyword, words, text)
				}
			}
		})
	}
}

// unanswerableQuiet waits until both rules have been evaluated several times: the engine says how they stand, and nobody is
// woken up. What is silent for longer is for TargetDown and the heartbeat to notice.
func (s upkeep) unanswerableQuiet(t *testing.T) {
	var first time.Time
	eventually(t, 90*time.Second, "both rules have been evaluated three times", func(ctx context.Context) error {
		for name, health := range map[string]string{"NobodyHasThis": "ok", "NobodyCanAnswerThis": "err"} {
			r, err := s.Rule(ctx, name)
			if err != nil {
				return err
			}
			if r.Health != health || r.State != "inactive" && health == "ok" || len(r.Alerts) > 0 {
				return fmt.Errorf("%s: health %s (want %s), state %s, %d alerts: %s", name, r.Health, health, r.State, len(r.Alerts), r.LastError)
			}
			if health == "err" && !strings.Contains(r.LastError, "many-to-many") {
				return fmt.Errorf("%s: its error is %q: %w", name, r.LastError, teststack.ErrNever)
			}
			if first.IsZero() {
				first = r.LastEvaluation
			}
			if ran := r.LastEvaluation.Sub(first); ran < 2*time.Duration(r.Interval)*time.Second {
				return fmt.Errorf("%s has been evaluated for %v", name, ran)
			}
		}
		return nil
	})
	s.requireNoMessages(t, 0)
}

// requireNoMessages fails for each message that came after the one with that id.
func (s upkeep) requireNoMessages(t *testing.T, since int) {
	t.Helper()
	messages, err := s.Messages(t.Context(), since)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		t.Errorf("a message without a cause, to the robot %s: %s", m.Robot, m)
	}
}

// prometheusGone takes Prometheus away for less than a minute in each way that upkeep has: nothing is wrong with what it
// watches, so nothing may be announced. That it is gone for longer is the heartbeat's to announce; see test/delivery.
func (s upkeep) prometheusGone(t *testing.T) {
	messages, err := s.Messages(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	for _, m := range messages {
		last = max(last, m.ID)
	}
	container := s.Name + "-prometheus"
	apply := func(t *testing.T) {
		t.Helper()
		if err := s.TryApply(t, "platform"); err != nil {
			t.Fatal(err)
		}
	}
	image := s.Docker(t, "inspect", "--format={{.Config.Image}}", container)
	another := "lookout/prometheus:" + s.Name
	for _, way := range []struct {
		name string
		do   func(t *testing.T)
	}{
		{"stopped", func(t *testing.T) {
			s.Docker(t, "stop", "--time=10", container)
			gone := time.Now()
			eventually(t, time.Minute, "it has been gone for 40 s", func(context.Context) error {
				if so := time.Since(gone); so < 40*time.Second {
					return fmt.Errorf("gone for %v", so)
				}
				return nil
			})
			s.Docker(t, "start", container)
		}},
		{"killed", func(t *testing.T) {
			s.Docker(t, "kill", container)
			s.Docker(t, "start", container)
		}},
		{"removed", func(t *testing.T) {
			s.Docker(t, "rm", "--force", container)
			apply(t)
		}},
		{"another image", func(t *testing.T) {
			// The same server under another name and with another id, as an upgrade has it.
			build := fmt.Sprintf("FROM %s\nLABEL lookout.test=%s\n", image, s.Name)
			if err := buildImage(t.Context(), another, build); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if _, err := docker.Run(context.Background(), "image", "rm", "--force", another); err != nil {
					t.Error(err)
				}
			})
			s.SetImage(t, "prometheus", another)
			apply(t)
			if now := s.Docker(t, "inspect", "--format={{.Config.Image}}", container); now == image {
				t.Errorf("Prometheus still runs %s", now)
			}
		}},
	} {
		began := time.Now()
		way.do(t)
		s.AwaitHealthy(t)
		s.Measured(t, "Prometheus %s: back after %.1f s", way.name, time.Since(began).Seconds())
		// Until it scrapes and has the Watchdog firing again: each is an outage of its own.
		eventually(t, time.Minute, "the Watchdog fires again", func(ctx context.Context) error {
			r, err := s.Rule(ctx, "Watchdog")
			if err == nil && (r.State != "firing" || r.LastEvaluation.Before(began)) {
				err = fmt.Errorf("it is %s, evaluated at %v", r.State, r.LastEvaluation)
			}
			return err
		})
	}
	s.awaitQuiet(t, time.Now())
	s.requireNoMessages(t, last)
	// The image that was made for this goes when the test ends.
	s.Docker(t, "rm", "--force", container)
}

// awaitQuiet waits until every rule has been evaluated after a moment, and none but the Watchdog, which always fires, has
// anything to say any more: nothing is pending that would be announced later.
func (s upkeep) awaitQuiet(t *testing.T, since time.Time) {
	t.Helper()
	eventually(t, 2*time.Minute, "every rule has been evaluated, and none has anything to say", func(ctx context.Context) error {
		rules, err := s.Rules(ctx)
		if err != nil {
			return err
		}
		if len(rules) == 0 {
			return fmt.Errorf("there are no rules")
		}
		for _, r := range rules {
			if after := r.LastEvaluation.Sub(since); after < 0 {
				return fmt.Errorf("%s was evaluated %v after it", r.Name, after)
			}
			if len(r.Alerts) > 0 && r.Name != "Watchdog" {
				return fmt.Errorf("%s has something to say: %v", r.Name, r.Alerts)
			}
		}
		return nil
	})
}

// maxIdleMebibytes is the bar of the whole stack; Grafana alone takes about as much as the others together.
var maxIdleMebibytes = map[string]float64{teststack.Prometheus: 150, teststack.Grafana: 350}

func (s upkeep) idleMemory(t *testing.T) {
	out := s.Docker(t, "stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}")
	total, seen := 0.0, 0
	for line := range strings.Lines(out) {
		name, usage, _ := strings.Cut(strings.TrimSpace(line), " ")
		service, ours := strings.CutPrefix(name, s.Name+"-")
		if !ours {
			continue
		}
		used, _, _ := strings.Cut(usage, " ")
		mebibytes, err := mebibytes(used)
		if err != nil {
			t.Fatal(err)
		}
		if mebibytes == 0 {
			// Containers that only carried files are listed without running.
			continue
		}
		s.Measured(t, "idle memory %-12s %6.1f MiB", service, mebibytes)
		total, seen = total+mebibytes, seen+1
	}
	if running := s.Running(t); seen != len(running) {
		t.Errorf("docker stats has %d containers, and %d run: %q", seen, len(running), out)
	}
	bar := maxIdleMebibytes[s.Engine]
	s.Measured(t, "idle memory %-12s %6.1f MiB (bar %.0f MiB)", "the stack", total, bar)
	if total > bar {
		t.Errorf("the idle stack uses %.1f MiB, more than %.0f", total, bar)
	}
}

// mebibytes reads an amount as `docker stats` prints it: "91.3MiB".
func mebibytes(text string) (float64, error) {
	for unit, factor := range map[string]float64{"KiB": 1.0 / 1024, "MiB": 1, "GiB": 1024} {
		if digits, ok := strings.CutSuffix(text, unit); ok {
			value, err := strconv.ParseFloat(digits, 64)
			return value * factor, err
		}
	}
	if digits, ok := strings.CutSuffix(text, "B"); ok {
		value, err := strconv.ParseFloat(digits, 64)
		return value / (1 << 20), err
	}
	return 0, fmt.Errorf("docker stats gives the memory %q, which has no known unit", text)
}

// A mistake is something that a user may get wrong, and the words of the message they get.
type mistake struct {
	name string
	// root is the one that refuses it.
	root string
	// make makes the mistake in the stack's tree.
	make func(t *testing.T)
	// words have to stand in the message: the value or its place, and what to do instead.
	words []string
	// checked means that a server's own checker finds it while it is applied, in a container that only checks. Other
	// mistakes are found while planning, and the state stays as it is.
	checked bool
}

func (s upkeep) wrongInputs(t *testing.T) {
	variable := func(root, name string, value any) func(*testing.T) {
		return func(t *testing.T) {
			s.Set(t, root, "wrong", map[string]any{name: value})
			t.Cleanup(func() { s.Unset(t, root, "wrong") })
		}
	}
	file := func(name, text string) func(*testing.T) {
		return func(t *testing.T) {
			path := filepath.Join(s.Tree, name)
			teststack.Write(t, path, text)
			t.Cleanup(func() {
				if err := os.Remove(path); err != nil {
					t.Error(err)
				}
			})
		}
	}
	replaced := func(name, old, with string) func(*testing.T) {
		return func(t *testing.T) {
			path := filepath.Join(s.Tree, name)
			before := teststack.Read(t, path)
			s.Replace(t, name, old, with)
			t.Cleanup(func() { teststack.Write(t, path, before) })
		}
	}
	ruleFile := func(changes ...string) string {
		text := strings.NewReplacer(
			"name: unanswerable", "name: wrong", "NobodyHasThis", "Wrong", "nobody-has-this", "wrong",
		).Replace(unanswerable)
		text = text[:strings.Index(text, "      - alert: NobodyCanAnswerThis")]
		return strings.NewReplacer(changes...).Replace(text)
	}
	// A zone that only amtool knows to be wrong is the story's: badConfigRefused.
	notification := func(value map[string]any) func(*testing.T) { return variable("platform", "notification", value) }

	mistakes := []mistake{
		{
			name: "an unknown engine", root: "platform",
			make:  variable("platform", "alerting", "thanos"),
			words: []string{`alerting is "thanos", which is not a known engine`, `use "prometheus" or "grafana"`},
		},
		{
			name: "an empty password", root: "platform",
			make: func(t *testing.T) {
				images := s.Images(t)
				if images["grafana"] == nil {
					// Refused before anything is pulled.
					images["grafana"] = "grafana/grafana:13.2.3"
				}
				s.Set(t, "platform", "wrong", map[string]any{"grafana_admin_password": "", "images": images})
				t.Cleanup(func() { s.Unset(t, "platform", "wrong") })
			},
			words: []string{"password is empty", "set one of your own"},
		},
		{
			name: "a threshold that is not a number", root: "platform",
			make:  replaced("envs/local/alerts.yaml", "threshold: 16", "threshold: many"),
			words: []string{"overrides", "threshold of GoThreadsHigh is many, which is not a finite number"},
		},
		{
			name: "a threshold in a rule file that is not a number", root: "platform",
			make:  file("alerts/wrong.yaml", ruleFile("{above: 1}", "{above: many}")),
			words: []string{"alerts/wrong.yaml", `"Wrong"`, `threshold above is "many", which is not a finite number`},
		},
		{
			name: "an unknown field in a rule file", root: "platform",
			make:  file("alerts/wrong.yaml", ruleFile("for: 0s", "for: 0s\n        treshold: 8")),
			words: []string{"alerts/wrong.yaml", `"Wrong"`, `unknown field "treshold"`, "known are", "threshold"},
		},
		{
			name: "a rule that Prometheus refuses", root: "platform", checked: true,
			make:  file("alerts/wrong.yaml", ruleFile("series_that_nobody_exposes", "sum by (job (up)")),
			words: []string{"promtool refuses the configuration", "the running one is untouched", `"Wrong"`, "parse error"},
		},
		{
			name: "a template that Prometheus refuses", root: "platform", checked: true,
			make:  file("alerts/wrong.yaml", ruleFile("description: 端到端测试", "description: '{{ $labels.instance | shout }}' # ")),
			words: []string{"promtool refuses the configuration", "the running one is untouched", `"Wrong"`, `function "shout" not defined`},
		},
		{
			name: "a route to an unknown target", root: "platform",
			make:  notification(map[string]any{"routes": []any{map[string]any{"labels": map[string]string{"team": "db"}, "target": "dba"}}}),
			words: []string{`unknown targets: "dba"`, "known are backup, ops"},
		},
		{
			name: "a route with an unknown mute interval", root: "platform",
			make:  notification(map[string]any{"routes": []any{map[string]any{"labels": map[string]string{"team": "db"}, "mute_intervals": []string{"nights"}, "target": "ops"}}}),
			words: []string{`unknown intervals: "nights"`, "known are free_days"},
		},
		{
			name: "a mute interval with what is not a zone", root: "platform",
			make:  notification(map[string]any{"mute_intervals": map[string]any{"night": []any{map[string]any{"location": "Shanghai"}}}}),
			words: []string{`night ("Shanghai")`, `write for example "Asia/Shanghai"`},
		},
	}
	if s.Engine == teststack.Prometheus {
		mistakes = append(mistakes, mistake{
			name: "engine grafana without a Grafana", root: "platform",
			make:  variable("platform", "alerting", "grafana"),
			words: []string{`alerting is "grafana", but this environment has no Grafana`, `GRAFANA_IMAGE=… make up`},
		})
	} else {
		// test/content has these and more against the mock API, on every machine.
		mistakes = append(mistakes, mistake{
			name: "a dashboard that is not JSON", root: "content",
			make:  file("dashboards/go/broken.json", "{\n  \"title\": \"Broken\",\n}\n"),
			words: []string{"dashboards/go/broken.json", "not a JSON object", "lookout fmt --check"},
		}, mistake{
			name: "two dashboards with one uid", root: "content",
			make:  file("dashboards/monitoring/service.json", teststack.Read(t, filepath.Join(s.Tree, "dashboards/go/service.json"))),
			words: []string{"the uid service is used by", "go/service.json", "monitoring/service.json", "rename one"},
		})
	}
	for _, m := range mistakes {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			m.make(t)
			s.requireRefused(t, m)
		})
	}
	// What was checked and refused has left nothing behind either.
	s.Apply(t)
	s.RequireNoChanges(t)
}

// requireRefused applies and wants one message with the mistake's words, and nothing touched.
func (s upkeep) requireRefused(t *testing.T, m mistake) {
	t.Helper()
	running := s.Running(t)
	engine, lives, serial := s.Snapshot(t), s.Lives(t, running...), s.State(t, m.root).Serial
	err := s.TryApply(t, m.root)
	if err == nil {
		t.Fatalf("%s was applied", m.name)
	}
	text := teststack.Unwrapped(err.Error())
	// What a checker says comes out of a container's log, whose last lines the engine gives up on a machine that is so busy
	// that they are not through two seconds after the container's end.
	for attempt := 1; m.checked && attempt < 3 && !teststack.Holds(text, m.words...); attempt++ {
		t.Logf("attempt %d, the message is not whole:\n%v", attempt, err)
		if err = s.TryApply(t, m.root); err == nil {
			t.Fatalf("%s was applied", m.name)
		}
		text = teststack.Unwrapped(err.Error())
	}
	if !teststack.Holds(text, m.words...) {
		t.Errorf("the message lacks one of %q:\n%v", m.words, err)
	}
	if n := strings.Count(text, "Error: "); n != 1 {
		t.Errorf("%d errors where one would do:\n%v", n, err)
	}
	if now := s.Running(t); !slices.Equal(now, running) {
		t.Fatalf("these have a container now: %q, before: %q", now, running)
	}
	s.RequireSameLives(t, lives)
	if m.checked {
		return
	}
	if now := s.Snapshot(t); now != engine {
		t.Errorf("the engine was touched; before:\n%safter:\n%s", engine, now)
	}
	if now := s.State(t, m.root).Serial; now != serial {
		t.Errorf("the state's serial was %d and is %d", serial, now)
	}
}

// losses are rounds in which containers go away: arguments for docker. In each of the three a third of the running ones is
// stopped, another third is killed, the rest is removed, and so is a third of those that only carried files and have ended:
// over all rounds each is lost in each way, once.
func (s upkeep) losses(t *testing.T) [3][][]string {
	t.Helper()
	ways := [3][]string{{"stop", "--time=5"}, {"kill"}, {"rm", "--force"}}
	var rounds [3][][]string
	running, ended := 0, 0
	for _, c := range s.Containers(t) {
		if !c.State.Running {
			round := ended % len(rounds)
			rounds[round] = append(rounds[round], []string{"rm", c.Name})
			ended++
			continue
		}
		for i, way := range ways {
			round := (running + i) % len(rounds)
			rounds[round] = append(rounds[round], append(slices.Clone(way), c.Name))
		}
		running++
	}
	if running < 5 || ended == 0 {
		t.Fatalf("the stack has too few containers to lose: %d that run and %d that have ended", running, ended)
	}
	return rounds
}

// lose makes containers go away and brings them back as `make apply` does.
func (s upkeep) lose(t *testing.T, losses [][]string) {
	t.Helper()
	before := s.Containers(t)
	for _, loss := range losses {
		s.Docker(t, loss...)
		t.Log(strings.Join(loss, " "))
	}
	s.Apply(t)
	state := func(all []teststack.Container) (lines []string) {
		for _, c := range all {
			lines = append(lines, fmt.Sprintf("%s running=%t", c.Name, c.State.Running))
		}
		return lines
	}
	if was, is := state(before), state(s.Containers(t)); !slices.Equal(was, is) {
		t.Errorf("after the apply these are there:\n%q\nbefore:\n%q", is, was)
	}
	s.RequireNoChanges(t)
}

// buildImage builds an image from a Dockerfile alone.
func buildImage(ctx context.Context, name, dockerfile string) error {
	var context bytes.Buffer
	w := tar.NewWriter(&context)
	err := w.WriteHeader(&tar.Header{Name: "Dockerfile", Mode: 0o644, Size: int64(len(dockerfile))})
	if err == nil {
		_, err = w.Write([]byte(dockerfile))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return err
	}
	return docker.Build(ctx, name, nil, &context)
}

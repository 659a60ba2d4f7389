package test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
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

// TestUpkeep is what a stack goes through beside the story: queries without an answer and wrong inputs.
func TestUpkeep(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	write(t, filepath.Join(s.tree, "alerts", "unanswerable.yaml"), unanswerable)
	s.apply(t)

	t.Run("no_data_and_errors_are_announced", s.unanswerableAnnounced)
	t.Run("idle_memory", s.idleMemory)
	t.Run("wrong_input", s.wrongInputs)
}

// TestLostContainers stops and removes each container; one apply of both roots has to mend it. That is
// mostly waiting, so that two stacks lose half of them each.
func TestLostContainers(t *testing.T) {
	t.Parallel()
	const stacks = 2
	for part := range stacks {
		t.Run(fmt.Sprintf("part %d of %d", part+1, stacks), func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			s.apply(t)
			for i, loss := range s.losses(t) {
				if i%stacks == part {
					t.Run(loss.name, func(t *testing.T) { s.lose(t, loss) })
				}
			}
			// What each loss has left out: see lose.
			s.apply(t)
			s.requireNoChanges(t)
		})
	}
}

func (s *stack) unanswerableAnnounced(t *testing.T) {
	for alert, words := range map[string]string{
		"NobodyHasThis":       "无数据",
		"NobodyCanAnswerThis": "查询失败",
	} {
		t.Run(alert, func(t *testing.T) {
			var m message
			eventually(t, 90*time.Second, "a message about "+alert, func(ctx context.Context) (err error) {
				m, err = s.arrived(ctx, 0, alert)
				return err
			})
			for part, text := range map[string]string{"title": m.Title, "body": m.Text} {
				if !holds(text, keyword, words) {
					t.Errorf("the %s lacks %s or %s: %q", part, keyword, words, text)
				}
			}
		})
	}
}

// maxIdleMebibytes is the bar of the whole stack.
const maxIdleMebibytes = 300

func (s *stack) idleMemory(t *testing.T) {
	out, err := docker(t.Context(), "stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}")
	if err != nil {
		t.Fatal(err)
	}
	total, seen := 0.0, 0
	for line := range strings.Lines(out) {
		name, usage, _ := strings.Cut(strings.TrimSpace(line), " ")
		service, ours := strings.CutPrefix(name, s.name+"-")
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
		s.measured(t, "idle memory %-10s %6.1f MiB", service, mebibytes)
		total, seen = total+mebibytes, seen+1
	}
	if running := s.running(t); seen != len(running) {
		t.Errorf("docker stats told of %d containers, and %d run: %q", seen, len(running), out)
	}
	s.measured(t, "idle memory %-10s %6.1f MiB (bar %d MiB)", "the stack", total, maxIdleMebibytes)
	if total > maxIdleMebibytes {
		t.Errorf("the idle stack uses %.1f MiB, more than %d", total, maxIdleMebibytes)
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
}

func (s *stack) wrongInputs(t *testing.T) {
	variable := func(root, name string, value any) func(*testing.T) {
		return func(t *testing.T) {
			s.set(t, root, "wrong", map[string]any{name: value})
			t.Cleanup(func() { s.unset(t, root, "wrong") })
		}
	}
	file := func(name, text string) func(*testing.T) {
		return func(t *testing.T) {
			path := filepath.Join(s.tree, name)
			write(t, path, text)
			t.Cleanup(func() {
				if err := os.Remove(path); err != nil {
					t.Error(err)
				}
			})
		}
	}
	settings := func(text string) func(*testing.T) {
		return func(t *testing.T) {
			path := filepath.Join(s.tree, "envs/local/alerts.yaml")
			before := read(t, path)
			write(t, path, text)
			t.Cleanup(func() { write(t, path, before) })
		}
	}
	ruleFile := func(threshold, more string) string {
		text := strings.NewReplacer(
			"name: unanswerable", "name: wrong", "NobodyHasThis", "Wrong", "nobody-has-this", "wrong",
			"threshold: {above: 1}", "threshold: "+threshold+more,
		).Replace(unanswerable)
		return text[:strings.Index(text, "      - alert: NobodyCanAnswerThis")]
	}
	for _, m := range []mistake{
		{
			"a malformed webhook URL", "content",
			// Without a scheme. The address holds the robot's token, so the message names the robot instead.
			variable("content", "robot_webhooks", map[string]string{"ops": "oapi.dingtalk.com/robot/send?access_token=x"}),
			[]string{"address of ops is not one of a DingTalk robot", "https://oapi.dingtalk.com/robot/send?access_token="},
		},
		{
			"an empty password", "platform",
			variable("platform", "grafana_admin_password", ""),
			[]string{"password is empty", "set one of your own"},
		},
		{
			"an override that is not a number", "content",
			settings("overrides: {GoThreadsHigh: {threshold: many}}\n"),
			[]string{"overrides", "threshold of GoThreadsHigh is many, which is not a finite number"},
		},
		{
			"a threshold in a rule file that is no number", "content",
			file("alerts/wrong.yaml", ruleFile("{above: many}", "")),
			[]string{"alerts/wrong.yaml", `"Wrong"`, `threshold above is "many", which is not a finite number`},
		},
		{
			"an unknown field in a rule file", "content",
			file("alerts/wrong.yaml", ruleFile("{above: 1}", "\n        treshold: 8")),
			[]string{"alerts/wrong.yaml", `"Wrong"`, `unknown field "treshold"`, "known are", "threshold"},
		},
		{
			"a dashboard that is not JSON", "content",
			file("dashboards/go/broken.json", "{\n  \"title\": \"Broken\",\n}\n"),
			[]string{"dashboards/go/broken.json", "not a JSON object", "lookout fmt --check"},
		},
		{
			"two dashboards with one uid", "content",
			file("dashboards/monitoring/service.json", read(t, filepath.Join(s.tree, "dashboards/go/service.json"))),
			[]string{"the uid service is used by", "go/service.json", "monitoring/service.json", "rename one"},
		},
	} {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			m.make(t)
			s.requireRefused(t, m)
		})
	}
}

// requireRefused applies and wants one message with the mistake's words, and nothing touched.
func (s *stack) requireRefused(t *testing.T, m mistake) {
	t.Helper()
	engine, serial := s.snapshot(t), s.state(t, m.root).Serial
	err := s.tryApply(t, m.root)
	if err == nil {
		t.Fatalf("%s was applied", m.name)
	}
	text := unwrapped(err.Error())
	if !holds(text, m.words...) {
		t.Errorf("the message lacks one of %q:\n%v", m.words, err)
	}
	if n := strings.Count(text, "Error: "); n != 1 {
		t.Errorf("%d errors where one would do:\n%v", n, err)
	}
	if now := s.snapshot(t); now != engine {
		t.Errorf("the engine was touched; before:\n%safter:\n%s", engine, now)
	}
	if now := s.state(t, m.root).Serial; now != serial {
		t.Errorf("the state's serial was %d and is %d", serial, now)
	}
}

// A loss is a container that goes away, and how: as arguments for docker.
type loss struct {
	name string
	how  []string
}

// losses are all that may happen to the stack's containers, in the same order for every stack.
func (s *stack) losses(t *testing.T) []loss {
	t.Helper()
	var all []loss
	for _, c := range s.containers(t) {
		name := strings.TrimPrefix(c.Name, s.name+"-")
		// One that carried files and ended has nothing to stop.
		if c.State.Running {
			all = append(all, loss{name + "_stopped", []string{"stop", "--time=5", c.Name}})
		}
		all = append(all, loss{name + "_removed", []string{"rm", "--force", c.Name}})
	}
	slices.SortFunc(all, func(a, b loss) int { return strings.Compare(a.name, b.name) })
	if len(all) == 0 {
		t.Fatal("the stack has no container to lose")
	}
	return all
}

// lose makes a container go away and mends it as `make apply` does. The content root asks nobody but
// Grafana, so unless that was lost it is only looked at when the stack's last loss is mended.
func (s *stack) lose(t *testing.T, l loss) {
	t.Helper()
	services := s.running(t)
	if _, err := docker(t.Context(), l.how...); err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(l.name, "grafana") {
		s.apply(t)
		defer s.requireNoChanges(t)
	} else {
		if err := s.tryApply(t, "platform"); err != nil {
			t.Fatalf("applying the platform: %v", err)
		}
		s.awaitHealthy(t)
		defer s.requireNoChangesIn(t, s.platform)
	}
	if now := s.running(t); !slices.Equal(now, services) {
		t.Errorf("after the apply these have a container: %q, want %q", now, services)
	}
	for _, service := range services {
		if !s.container(t, service).State.Running {
			t.Errorf("after the apply %s does not run", service)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

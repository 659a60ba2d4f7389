package test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"lookout/test/internal/teststack"
)

// downToo holds two rules that fire for a target that is down, later than TargetDown: one that it must hold back, and one
// about delivery, which nothing may.
const downToo = `groups:
  - name: down-too
    interval: 10s
    rules:
      - alert: DownToo
        uid: down-too
        expr: min by (job, instance) (up)
        threshold: {below: 1}
        for: 40s
        no_data_state: OK
        exec_err_state: OK
        labels: {severity: warning}
        annotations: &texts
          summary: 【报警】端到端测试 Written by a test
          description: 端到端测试 Written by a test
          runbook_url: https://example.com/
      - alert: DownTooAboutDelivery
        uid: down-too-about-delivery
        expr: min by (job, instance) (up)
        threshold: {below: 1}
        for: 40s
        no_data_state: OK
        exec_err_state: OK
        labels: {severity: warning, lookout_about: delivery}
        annotations: *texts
`

// rulesAndRoutesWithoutRestart changes a threshold, adds a rule file and a route: all take effect in the running servers.
func (s *story) rulesAndRoutesWithoutRestart(t *testing.T) {
	before := s.Lives(t, s.Running(t)...)
	began := time.Now()
	s.Replace(t, "envs/local/alerts.yaml", fmt.Sprintf("threshold: %d", threshold), "threshold: 150")
	teststack.Write(t, filepath.Join(s.Tree, "alerts", "down-too.yaml"), downToo)
	s.Set(t, "platform", "routes", map[string]any{"notification": map[string]any{
		"routes": []any{map[string]any{"labels": map[string]string{"alertname": alert}, "target": "backup"}},
	}})
	if err := s.TryApply(t, "platform"); err != nil {
		t.Fatalf("applying a threshold, a rule file and a route: %v", err)
	}
	s.Measured(t, "a threshold, a rule file and a route: applied after %.1f s", time.Since(began).Seconds())
	s.RequireSameLives(t, before)
	if _, now := s.definition(t); now != 150 {
		t.Errorf("Prometheus compares with %v, want 150", now)
	}
	if _, err := s.Rule(t.Context(), "DownToo"); err != nil {
		t.Error(err)
	}
	// relay.yaml's targets: what has one of its own goes there, and robots are targets too.
	text, err := s.AlertmanagerConfiguration(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !teststack.Holds(text, `alertname="GoThreadsHigh"`, "receiver: target-backup") {
		t.Errorf("Alertmanager runs without the new route:\n%s", text)
	}
	s.RequireNoChanges(t)
}

// targetDownInhibits stops the exporter: that it is down is notified, what else its target would say is held back while
// that lasts, and alerts about delivery pass all the same.
func (s *story) targetDownInhibits(t *testing.T) {
	container := s.Name + "-exporter"
	s.Docker(t, "stop", "--time=5", container)
	eventually(t, 90*time.Second, "that the target is down is notified", func(ctx context.Context) error {
		_, err := s.Arrived(ctx, s.last, "TargetDown", "Firing", instance)
		return err
	})
	state := func(ctx context.Context, name string) (teststack.Notified, error) {
		alerts, err := s.Alerts(ctx, name)
		if err != nil {
			return teststack.Notified{}, err
		}
		found, ok := alerts[instance]
		if !ok {
			return found, fmt.Errorf("Alertmanager has %d alerts %s, none about %s", len(alerts), name, instance)
		}
		return found, nil
	}
	down, err := state(t.Context(), "TargetDown")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 90*time.Second, "the other alert of the target is held back", func(ctx context.Context) error {
		other, err := state(ctx, "DownToo")
		if err == nil && (other.Status.State != "suppressed" || !slices.Contains(other.Status.InhibitedBy, down.Fingerprint)) {
			err = fmt.Errorf("it is %s, inhibited by %q; TargetDown is %s", other.Status.State, other.Status.InhibitedBy, down.Fingerprint)
		}
		return err
	})
	eventually(t, 60*time.Second, "the alert about delivery is notified", func(ctx context.Context) error {
		_, err := s.Arrived(ctx, s.last, "DownTooAboutDelivery", "Firing")
		return err
	})
	s.Docker(t, "start", container)
	eventually(t, 90*time.Second, "the recovery of the target is notified", func(ctx context.Context) error {
		_, err := s.Arrived(ctx, s.last, "TargetDown", "Resolved", instance)
		return err
	})
	// The alert about delivery came later than this one would have, and its recovery too.
	eventually(t, 90*time.Second, "the alert about delivery has recovered", func(ctx context.Context) error {
		_, err := s.Arrived(ctx, s.last, "DownTooAboutDelivery", "Resolved")
		return err
	})
	messages, err := s.Messages(t.Context(), s.last)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if m.Has("DownToo") && !m.Has("DownTooAboutDelivery") {
			t.Errorf("what should have been held back was notified: %s", m)
		}
		s.last = max(s.last, m.ID)
	}
	s.AwaitHealthy(t)
}

// silencesSurvive makes a silence as a person does, by the console's form, restarts Alertmanager, finds the silence in
// force, and ends it by the console.
func (s *story) silencesSurvive(t *testing.T) {
	address := s.URL("console") + "/silences/new?" + url.Values{"matcher": {`alertname="` + alert + `"`, `instance="` + instance + `"`}}.Encode()
	form, err := s.openForm(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	form.fields.Set("who", "a test")
	form.fields.Set("why", "a restart comes")
	form.fields.Set("for", "2h")
	if err := form.send(t.Context()); err != nil {
		t.Fatal(err)
	}
	silence, err := s.silenceOf(t.Context(), "a restart comes")
	if err != nil {
		t.Fatal(err)
	}
	s.Docker(t, "restart", "--time=10", s.Name+"-alertmanager")
	s.AwaitHealthy(t)

	// In force: what it matches is suppressed by it.
	s.turn(t, turnedUp)
	eventually(t, 90*time.Second, "the silence holds the alert back after the restart", func(ctx context.Context) error {
		alerts, err := s.Alerts(ctx, alert)
		if found := alerts[instance]; err == nil && !slices.Contains(found.Status.SilencedBy, silence.ID) {
			err = fmt.Errorf("of %d alerts the one about %s is %q, silenced by %q", len(alerts), instance, found.Status.State, found.Status.SilencedBy)
		}
		return err
	})
	messages, err := s.Messages(t.Context(), s.last)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		// The second job scrapes the same service under another instance, which nobody silenced.
		if m.Has(alert) && teststack.Holds(m.Title, instance) && teststack.Holds(m.Text, "Firing") {
			t.Errorf("what is silenced was notified: %s", m)
		}
	}
	s.turn(t, 0)

	end, err := s.openForm(t.Context(), s.URL("console")+"/silences", "/silences/"+silence.ID+"/expire")
	if err != nil {
		t.Fatal(err)
	}
	if err := end.send(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now, err := s.SilenceByID(t.Context(), silence.ID); err != nil || now.Status.State != "expired" {
		t.Errorf("after it was ended in the console the silence is %q (%v)", now.Status.State, err)
	}
}

// silenceOf is the active silence with a comment.
func (s *story) silenceOf(ctx context.Context, comment string) (teststack.Silence, error) {
	var all []teststack.Silence
	if err := s.Get(ctx, s.URL("alertmanager")+"/api/v2/silences", &all); err != nil {
		return teststack.Silence{}, err
	}
	for _, silence := range all {
		if silence.Comment == comment && silence.Status.State == "active" {
			return silence, nil
		}
	}
	return teststack.Silence{}, fmt.Errorf("none of %d silences is active with the comment %q", len(all), comment)
}

// A form is one of a page, with what it is filled in with, and the browser that has it open.
type form struct {
	browser http.Client
	page    *url.URL
	action  string
	fields  url.Values
}

// openForm opens a page in a browser of its own and reads its form that posts: the one whose address ends like action, if
// that is given.
func (s *story) openForm(ctx context.Context, address string, action ...string) (*form, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	f := &form{browser: http.Client{Jar: jar, Timeout: 15 * time.Second}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := f.browser.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", address, resp.Status)
	}
	f.page = resp.Request.URL
	doc, err := html.Parse(resp.Body)
	if err != nil {
		return nil, err
	}
	for n := range doc.Descendants() {
		if n.Data == "form" && attribute(n, "method") == "post" && (len(action) == 0 || strings.HasSuffix(attribute(n, "action"), action[0])) {
			f.action, f.fields = attribute(n, "action"), url.Values{}
			for field := range n.Descendants() {
				switch {
				case within(field, "noscript", n):
				case field.Data == "input":
					f.fields.Add(attribute(field, "name"), attribute(field, "value"))
				case field.Data == "select":
					f.fields.Add(attribute(field, "name"), chosen(field))
				}
			}
			return f, nil
		}
	}
	return nil, fmt.Errorf("%s has no form that posts %q", address, action)
}

func within(n *html.Node, tag string, top *html.Node) bool {
	for ; n != nil && n != top; n = n.Parent {
		if n.Data == tag {
			return true
		}
	}
	return false
}

// chosen is the selected option of a list, the first one if none is.
func chosen(list *html.Node) string {
	first, found := "", false
	for n := range list.Descendants() {
		if n.Data != "option" || n.FirstChild == nil {
			continue
		}
		for _, a := range n.Attr {
			if a.Key == "selected" {
				return n.FirstChild.Data
			}
		}
		if !found {
			first, found = n.FirstChild.Data, true
		}
	}
	return first
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// matchers are those that a silence's form is filled in with.
func (f *form) matchers() []string {
	var all []string
	for i, name := range f.fields["name"] {
		if i < len(f.fields["op"]) && i < len(f.fields["value"]) {
			all = append(all, fmt.Sprintf("%s%s%q", name, f.fields["op"][i], f.fields["value"][i]))
		}
	}
	return all
}

// send sends the form as a browser does.
func (f *form) send(ctx context.Context) error {
	to, err := f.page.Parse(f.action)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), strings.NewReader(f.fields.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", f.page.Scheme+"://"+f.page.Host)
	resp, err := f.browser.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status + " " + string(text))
	}
	return err
}

package test

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"lookout/test/internal/teststack"
)

// messageReadable looks at the message as a person does who is woken up by it: what, where, how bad,
// since when, and where to look.
func (s *story) messageReadable(t *testing.T) {
	for part, text := range map[string]string{"title": s.firing.Title, "body": s.firing.Text} {
		if !strings.Contains(text, keyword) {
			t.Errorf("the %s lacks the keyword %s: %q", part, keyword, text)
		}
	}
	for line, text := range map[*regexp.Regexp]string{ruleLine: alert, instanceLine: instance} {
		found := line.FindString(s.firing.Text)
		if !slices.Contains(strings.FieldsFunc(found, func(r rune) bool { return r == ' ' || r == '/' || r == ',' }), text) {
			t.Errorf("the body's line %q does not name %s", found, text)
		}
	}
	s.requireValue(t)
	s.requireStart(t)
	s.requireLinks(t)
	if t.Failed() {
		t.Logf("the message:\n%s", s.firing)
	}
}

// A fact stands on a line of its own behind its Chinese or English name.
var (
	ruleLine      = regexp.MustCompile(`(?m)^.*(?:规则|Rule)[^\w\n]*[:：].*$`)
	instanceLine  = regexp.MustCompile(`(?m)^.*(?:实例|Instance|Target)[^\w\n]*[:：].*$`)
	valueLine     = regexp.MustCompile(`(?m)^.*(?:当前值|Value)[^0-9\n]*([0-9.]+)`)
	thresholdLine = regexp.MustCompile(`(?m)^.*(?:阈值|Threshold)[^0-9\n]*([0-9.]+)`)
	timestamp     = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}`)
	markdownLink  = regexp.MustCompile(`\[([^\]]+)\]\((https?://[^)\s]+)\)`)
)

// requireValue compares value and threshold in the message with what Prometheus and the rule say.
func (s *story) requireValue(t *testing.T) {
	t.Helper()
	expr, threshold := s.definition(t)
	value, err := s.Value(t.Context(), expr, "instance", instance, s.fired)
	if err != nil {
		t.Fatal(err)
	}
	// A scrape that was stored just before or after the evaluation moves the mean a little.
	if shown, err := number(valueLine, s.firing.Text); err != nil || math.Abs(shown-value) > value/10 {
		t.Errorf("the body shows the value %v (%v), and Prometheus had %.4g at %s", shown, err, value, s.fired)
	}
	if shown, err := number(thresholdLine, s.firing.Text); err != nil || shown != threshold {
		t.Errorf("the body shows the threshold %v (%v), and the rule has %v", shown, err, threshold)
	}
}

func number(line *regexp.Regexp, text string) (float64, error) {
	found := line.FindStringSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("no line matches %s", line)
	}
	return strconv.ParseFloat(found[1], 64)
}

// zone is that of the environment local; with UTC this test would not see the zone ignored.
const zone = "Asia/Shanghai"

// requireStart reads the times in the message as times of the zone that is configured.
func (s *story) requireStart(t *testing.T) {
	t.Helper()
	in, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	shown := timestamp.FindAllString(s.firing.Text, -1)
	for _, text := range shown {
		if at, err := time.ParseInLocation(time.DateTime, text, in); err == nil && at.Sub(s.fired).Abs() <= 2*time.Second {
			return
		}
	}
	t.Errorf("none of the times in the body, %q, is its start, %s", shown, s.fired.In(in).Format(time.DateTime))
}

// requireLinks follows every link. Panel, rule and silence lead into what the reader has, the console or Grafana, and to
// what the message is about; Grafana's pages answer 200 to any uid, so what its links name has to exist as well.
func (s *story) requireLinks(t *testing.T) {
	t.Helper()
	home, kinds := s.URL("console"), []string{"Panel", "Rule", "Silence", "Runbook"}
	if s.Engine == teststack.Grafana {
		// It knows no address of the runbooks unless runbook_base_url says one.
		home, kinds = s.URL("grafana"), kinds[:3]
	}
	links := map[string]*url.URL{}
	for _, found := range markdownLink.FindAllStringSubmatch(s.firing.Text, -1) {
		u, err := url.Parse(found[2])
		if err != nil {
			t.Errorf("the link %q: %v", found[1], err)
			continue
		}
		if _, err := s.Page(t.Context(), u.String()); err != nil {
			t.Errorf("the link %q: %v", found[1], err)
		}
		if teststack.Holds(found[1], "Take") {
			// By it people take and silence it in one; it leads to the console whatever the engine.
			links["Take"] = u
			continue
		}
		for _, kind := range kinds {
			if teststack.Holds(found[1], kind) {
				links[kind] = u
			}
		}
	}
	if u := links["Take"]; u == nil || !strings.HasPrefix(u.String(), s.URL("console")+"/answer/") {
		t.Errorf("the link to take it leads to %v, not to the console", u)
	}
	for _, kind := range kinds {
		switch u := links[kind]; {
		case u == nil:
			t.Errorf("the body has no link called %s", kind)
		case !strings.HasPrefix(u.String(), home+"/"):
			t.Errorf("the link %s leads to %s, not to %s", kind, u, home)
		}
	}
	if t.Failed() {
		return
	}
	s.requirePanel(t, links["Panel"])
	if s.Engine == teststack.Grafana {
		definition, err := s.alertRule(t.Context(), alert)
		if err != nil {
			t.Fatal(err)
		}
		if path := links["Rule"].Path; path != "/alerting/grafana/"+definition.UID+"/view" {
			t.Errorf("the rule's link %s does not lead to the rule %s", links["Rule"], definition.UID)
		}
		return
	}
	if page, err := s.Page(t.Context(), links["Rule"].String()); err != nil || !strings.Contains(page, alert) {
		t.Errorf("the page behind the rule's link %s does not name %s (%v)", links["Rule"], alert, err)
	}
	if page, err := s.Page(t.Context(), links["Runbook"].String()); err != nil || !strings.Contains(page, alert) {
		t.Errorf("the runbook %s does not name %s (%v)", links["Runbook"], alert, err)
	}
	form, err := s.openForm(t.Context(), links["Silence"].String())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`alertname="` + alert + `"`, `instance="` + instance + `"`} {
		if !slices.Contains(form.matchers(), want) {
			t.Errorf("the form behind the silence link is filled in with %q, which lacks %s", form.matchers(), want)
		}
	}
}

// requirePanel wants the link to lead to the panel that the rule's file names.
func (s *story) requirePanel(t *testing.T, link *url.URL) {
	t.Helper()
	want := s.panelOfTheRule(t)
	// /d/<uid> or /d/<uid>/<slug>
	parts := strings.Split(strings.Trim(link.Path, "/"), "/")
	if len(parts) < 2 || parts[0] != "d" || parts[1] != want.dashboard {
		t.Errorf("the panel's link %s does not lead to the dashboard %s", link, want.dashboard)
	}
	if id := link.Query().Get("viewPanel"); id != strconv.Itoa(want.id) {
		t.Errorf("the panel's link %s leads to panel %q, and the rule names %d", link, id, want.id)
	}
	if s.Engine == teststack.Grafana {
		if err := s.hasPanel(t.Context(), want.dashboard, want.id); err != nil {
			t.Errorf("the panel's link %s: %v", link, err)
		}
		return
	}
	if got := link.Query().Get("var-instance"); got != instance {
		t.Errorf("the panel's link %s chooses the instance %q, want %s", link, got, instance)
	}
	for _, d := range s.shipped(t) {
		if d.UID != want.dashboard {
			continue
		}
		for _, p := range d.Panels {
			if p.ID == int64(want.id) {
				// The console knows which panels there are: another number is an error.
				query := link.Query()
				query.Set("viewPanel", "987654")
				other := *link
				other.RawQuery = query.Encode()
				if status, _, err := s.Ask(t.Context(), http.MethodGet, other.String(), nil, nil); err != nil || status != http.StatusNotFound {
					t.Errorf("%s answers %d (%v), though there is no such panel", &other, status, err)
				}
				return
			}
		}
	}
	t.Errorf("no dashboard in the tree has the panel of %s", link)
}

type panelOf struct {
	dashboard string
	id        int
}

// panelOfTheRule is what the rule's file says.
func (s *story) panelOfTheRule(t *testing.T) panelOf {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert string
				Panel struct {
					Dashboard string
					ID        int
				}
			}
		}
	}
	if err := yaml.Unmarshal([]byte(teststack.Read(t, filepath.Join(s.Tree, "alerts", "go-runtime.yaml"))), &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Alert == alert {
				return panelOf{r.Panel.Dashboard, r.Panel.ID}
			}
		}
	}
	t.Fatalf("alerts/go-runtime.yaml has no rule %s", alert)
	return panelOf{}
}

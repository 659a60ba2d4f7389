package test

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// messageReadable looks at the message as somebody does who is woken up by it: what, where, how bad,
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
	expr, threshold, err := s.definition(t).query()
	if err != nil {
		t.Fatal(err)
	}
	value, err := s.valueAt(t.Context(), expr, s.fired)
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

// valueAt is the value of an expression for the story's instance at a moment.
func (s *stack) valueAt(ctx context.Context, expr string, at time.Time) (float64, error) {
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	query := url.Values{"query": {expr}, "time": {strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64)}}
	if err := s.get(ctx, s.url("prometheus")+"/api/v1/query?"+query.Encode(), &answer); err != nil {
		return 0, err
	}
	for _, r := range answer.Data.Result {
		if text, ok := r.Value[1].(string); ok && r.Metric["instance"] == instance {
			return strconv.ParseFloat(text, 64)
		}
	}
	return 0, fmt.Errorf("%s has no value for %s at %s", expr, instance, at)
}

// requireStart reads the times in the message as times of the zone that is configured.
func (s *story) requireStart(t *testing.T) {
	t.Helper()
	name := ""
	for _, e := range s.container(t, "grafana").Config.Env {
		if zone, ok := strings.CutPrefix(e, "TZ="); ok {
			name = zone
		}
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "UTC" {
		t.Fatalf("Grafana's time zone is %q (%v); with UTC this test would not see the zone ignored", name, err)
	}
	shown := timestamp.FindAllString(s.firing.Text, -1)
	for _, text := range shown {
		if at, err := time.ParseInLocation(time.DateTime, text, zone); err == nil && at.Sub(s.fired).Abs() <= 2*time.Second {
			return
		}
	}
	t.Errorf("none of the times in the body, %q, is its start, %s", shown, s.fired.In(zone).Format(time.DateTime))
}

// requireLinks follows every link that leads into Grafana. Its pages answer 200 to any uid, so what the
// panel's and the rule's link name has to exist as well.
func (s *story) requireLinks(t *testing.T) {
	t.Helper()
	links := map[string]*url.URL{}
	for _, found := range markdownLink.FindAllStringSubmatch(s.firing.Text, -1) {
		u, err := url.Parse(found[2])
		if err != nil {
			t.Errorf("the link %q: %v", found[1], err)
			continue
		}
		if !strings.HasPrefix(u.String(), s.url("grafana")+"/") {
			continue
		}
		if _, err := s.page(t.Context(), u.String()); err != nil {
			t.Errorf("the link %q: %v", found[1], err)
		}
		switch {
		case holds(found[1], "Panel"):
			links["panel"] = u
		case holds(found[1], "Rule"):
			links["rule"] = u
		}
	}
	definition := s.definition(t)
	if rule := links["rule"]; rule == nil {
		t.Error("the body has no link to the rule in this Grafana")
	} else if rule.Path != "/alerting/grafana/"+definition.UID+"/view" {
		t.Errorf("the rule's link %s does not lead to the rule %s", rule, definition.UID)
	}
	panel := links["panel"]
	if panel == nil {
		t.Error("the body has no link to the panel in this Grafana")
		return
	}
	// /d/<uid> or /d/<uid>/<slug>
	uid := path.Base(panel.Path)
	if parts := strings.Split(strings.Trim(panel.Path, "/"), "/"); len(parts) > 1 && parts[0] == "d" {
		uid = parts[1]
	}
	id, err := strconv.Atoi(panel.Query().Get("viewPanel"))
	if err != nil {
		t.Errorf("the panel's link %s names no panel", panel)
	}
	if err := s.hasPanel(t.Context(), uid, id); err != nil {
		t.Errorf("the panel's link %s: %v", panel, err)
	}
	if want := definition.Annotations["__dashboardUid__"]; uid != want {
		t.Errorf("the panel's link leads to the dashboard %s, and the rule names %s", uid, want)
	}
}

// hasPanel tells whether Grafana's dashboard of that uid has a panel of that number.
func (s *stack) hasPanel(ctx context.Context, uid string, id int) error {
	type panel struct {
		ID     int
		Panels []struct{ ID int }
	}
	var answer struct{ Dashboard struct{ Panels []panel } }
	if err := s.get(ctx, s.url("grafana")+"/api/dashboards/uid/"+uid, &answer); err != nil {
		return err
	}
	for _, p := range answer.Dashboard.Panels {
		if p.ID == id {
			return nil
		}
		for _, nested := range p.Panels {
			if nested.ID == id {
				return nil
			}
		}
	}
	return fmt.Errorf("the dashboard %s has no panel %d", uid, id)
}

// page gets a page of the stack, logged in where it is Grafana's, as text.
func (s *stack) page(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(url, s.url("grafana")) {
		req.SetBasicAuth("admin", s.password)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return string(body), nil
}

// unwrapped undoes Terraform's line breaks and borders, so that a sentence can be looked for.
func unwrapped(text string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("│", " ", "╷", " ", "╵", " ").Replace(text)), " ")
}

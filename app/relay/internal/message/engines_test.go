package message

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lookout/app/relay/internal/channel/dingtalk"
	"lookout/app/relay/internal/notification"
)

var linkRE = regexp.MustCompile(`\[([^\]]*)\]\(([^)]*)\)`)

// withoutLinks is a message with its links taken out: the one thing in which the engines may differ.
func withoutLinks(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		rest := linkRE.ReplaceAllString(strings.TrimRight(line, "\n"), "")
		if linkRE.MatchString(line) && strings.Trim(rest, " ·") == "" {
			continue
		}
		out = append(out, rest)
	}
	return strings.Join(out, "\n")
}

func engine(t *testing.T, file string) notification.Notification {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "engines", file))
	if err != nil {
		t.Fatal(err)
	}
	n, err := notification.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestBothEnginesSayTheSame holds the message of an alert that Prometheus evaluated and Alertmanager sent
// against that of the same alert from Grafana: alike to the letter but for links.
func TestBothEnginesSayTheSame(t *testing.T) {
	tm := templates(t)
	for _, status := range []string{"firing", "resolved"} {
		for _, kind := range []string{"markdown", "actionCard", "text", "link", "digest"} {
			text := map[string]string{}
			for _, from := range []string{"alertmanager", "grafana"} {
				n := engine(t, from+"."+status+".json")
				c := Context{Keyword: "报警", Keywords: []string{"报警"}, Target: "ops", Form: dingtalk.Form(kind), Now: noon}
				content, fits, err := tm.Detail(n, c)
				if kind == "digest" {
					c.Form = dingtalk.Form("markdown")
					content, err = tm.Digest(Merge([]Item{{n, noon}, {n, noon}}), c)
				}
				if err != nil || !fits {
					t.Fatalf("%s: fits %v, %v", from, fits, err)
				}
				text[from] = content.Title + "\n\n" + withoutLinks(content.Text)
			}
			if diff := cmp.Diff(text["grafana"], text["alertmanager"]); diff != "" {
				t.Errorf("%s as %s (-grafana +alertmanager):\n%s", status, kind, diff)
			}
		}
	}
}

// TestAlertmanagersLinks: panel and silence form at the console, and no address that only containers know.
func TestAlertmanagersLinks(t *testing.T) {
	tm := templates(t)
	n := engine(t, "alertmanager.firing.json")
	c := Context{Keyword: "报警", Keywords: []string{"报警"}, Target: "ops", Form: dingtalk.Form("markdown"), Now: noon}
	m, _, err := tm.Detail(n, c)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(m.Text+m.Link, "5f3c9a1be0d2") {
		t.Errorf("the address of a container stands in the message:\n%s", m.Text)
	}
	links := map[string]string{}
	for _, l := range linkRE.FindAllStringSubmatch(m.Text, -1) {
		links[l[1]] = l[2]
	}
	if got := links["📈 面板 Panel"]; !strings.HasPrefix(got, "http://127.0.0.1:8090/d/go-runtime?") ||
		!strings.Contains(got, "viewPanel=2") || !strings.Contains(got, "var-instance=go1") {
		t.Errorf("the panel's link is %q", got)
	}
	silence, err := url.Parse(links["🔕 静默 Silence"])
	if err != nil {
		t.Fatal(err)
	}
	if silence.Host != "127.0.0.1:8090" || silence.Path != "/silences/new" {
		t.Errorf("the silence form is at %s", silence)
	}
	want := []string{`alertname="ThreadsHigh"`, `instance="go1"`, `job="go"`, `lookout_env="local"`, `severity="critical"`}
	if diff := cmp.Diff(want, silence.Query()["matcher"]); diff != "" {
		t.Errorf("matchers (-want +got):\n%s", diff)
	}
	if m.Link == "" || !strings.HasPrefix(m.Link, "http://127.0.0.1:8090/") {
		t.Errorf("the button leads to %q", m.Link)
	}
}

// TestSilenceFormOfAnAlertWithManyLabels keeps to an address that chats and browsers take.
func TestSilenceFormOfAnAlertWithManyLabels(t *testing.T) {
	body := `{"version":"4","externalURL":"https://alerts.example.com/am/","alerts":[{"status":"firing","labels":{"alertname":"A \"b\"","instance":"x","long":"` +
		strings.Repeat("长", 400) + `"}}]}`
	n, err := notification.Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	want := "https://alerts.example.com/am/silences/new?matcher=alertname%3D%22A+%5C%22b%5C%22%22&matcher=instance%3D%22x%22"
	if got := n.Alerts[0].SilenceURL; got != want {
		t.Errorf("the silence form is %q, want %q", got, want)
	}
}

func TestOnlyAddressesThatOthersKnowAreLinks(t *testing.T) {
	for address, want := range map[string]bool{
		"https://grafana.example.com/d/x": true, "http://127.0.0.1:3001/d/x": true, "http://localhost:3001/": true, "http://[::1]:3001/": true,
		"http://10.0.0.7:9090/graph": true, "http://5f3c9a1be0d2:9090/graph": false, "http://prometheus:9090/": false, "http://grafana:3000/d/x": false,
		"http://host.docker.internal:9093/": false, "javascript:alert(1)": false, "http://": false,
	} {
		if got := link("x", address) != ""; got != want {
			t.Errorf("%s is a link: %v", address, got)
		}
	}
}

// TestOneCauseIsOneLine: rules of different severities whose queries fail for one cause share a line in a digest, which is as bad as
// the worst of them.
func TestOneCauseIsOneLine(t *testing.T) {
	texts, err := Load("", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	failed := func(rule, severity, cause string) notification.Alert {
		return notification.Alert{Status: notification.Firing, StartsAt: noon, Labels: map[string]string{"alertname": "DatasourceError", "rulename": rule, "severity": severity}, Annotations: map[string]string{"Error": cause}}
	}
	n := notification.Notification{Status: notification.Firing, Alerts: []notification.Alert{
		failed("MemoryHigh", "warning", "no such host"), failed("Latency", "info", "timed out"), failed("ThreadsHigh", "critical", "no such host"),
	}}
	d := Merge([]Item{{Notification: n, Received: noon}})
	m, err := texts.Digest(d, Context{Keyword: "报警", Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(m.Text, "🟠 警告 查询失败") || strings.Count(m.Text, "no such host") != 1 || !strings.Contains(m.Text, "no such host — ThreadsHigh, MemoryHigh") || strings.Count(m.Text, "timed out") != 1 {
		t.Errorf("%s", m.Text)
	}
}

// TestDataThatIsBackIsNoRecovery: that a query works again, or has data again, says nothing of what its rule is about.
func TestDataThatIsBackIsNoRecovery(t *testing.T) {
	texts, err := Load("", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"DatasourceNoData": "数据恢复 data is back", "DatasourceError": "查询恢复 the query works again"} {
		a := notification.Alert{Status: notification.Resolved, StartsAt: noon.Add(-time.Hour), EndsAt: noon, Labels: map[string]string{"alertname": name, "rulename": "ThreadsHigh", "severity": "critical"}}
		n := notification.Notification{Status: notification.Resolved, Alerts: []notification.Alert{a}}
		c := Context{Keyword: "报警", Now: noon}
		one, _, err := texts.Detail(n, c)
		many, err2 := texts.Digest(Merge([]Item{{Notification: n, Received: noon}}), c)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		for _, text := range []string{one.Text, many.Text} {
			if !strings.Contains(text, want) || strings.Contains(text, "ThreadsHigh 恢复 resolved") {
				t.Errorf("%s is over:\n%s", name, text)
			}
		}
		if zh, _, _ := strings.Cut(want, " "); !strings.Contains(one.Title, zh) {
			t.Errorf("the title is %s", one.Title)
		}
	}
}

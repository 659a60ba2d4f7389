package message

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"lookout/app/relay/internal/channel"
	"lookout/app/relay/internal/channel/dingtalk"
	"lookout/app/relay/internal/channel/feishu"
	"lookout/app/relay/internal/channel/wecom"
	"lookout/app/relay/internal/notification"
)

var update = flag.Bool("update", false, "write the golden messages anew")

func templates(t testing.TB) *Templates {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	out, err := Load("", zone)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var noon = time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)

// TestGolden holds the built-in messages for the samples still. Look at the difference and, if it is
// meant, run go test ./app/relay/internal/message -update.
func TestGolden(t *testing.T) {
	tm := templates(t)
	for name, n := range Samples(noon) {
		for _, kind := range []string{"markdown", "text"} {
			c := Context{Keyword: "报警", Keywords: []string{"报警"}, Target: "ops", Form: dingtalk.Form(kind), Now: noon}
			content, fits, err := tm.Detail(n, c)
			if err != nil || fits == (name == "storm" && kind == "markdown") {
				t.Fatalf("%s as %s: fits %v, %v", name, kind, fits, err)
			}
			if !fits {
				continue
			}
			golden(t, name+"."+kind, content)
		}
		c := Context{Keyword: "报警", Keywords: []string{"报警"}, Target: "ops", Form: dingtalk.Form("markdown"), Now: noon, Escalated: "robot:ops 拒绝 refused: errcode 300005: the token does not exist"}
		content, err := tm.Digest(Merge([]Item{{n, noon.Add(-time.Second)}, {n, noon}}), c)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".digest", content)
	}
}

func golden(t *testing.T, name string, c channel.Content) {
	t.Helper()
	file := filepath.Join("testdata", name+".md")
	got := c.Title + "\n\n" + c.Text + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestKeywordsStandInTitleAndText(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bare.tmpl"), []byte(`{{define "title"}}x{{end}}{{define "text"}}{{.Name}}{{end}}{{define "digest.title"}}x{{end}}{{define "digest.head"}}y{{end}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	tm, err := Load(dir, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	c := Context{Keyword: "报警", Keywords: []string{"报警", "Lookout"}, Now: noon}
	detail, _, err := tm.Detail(Samples(noon)["firing"], c)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := tm.Digest(Merge([]Item{{Samples(noon)["firing"], noon}}), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []channel.Content{detail, digest} {
		for _, k := range c.Keywords {
			if !strings.Contains(m.Title, k) || !strings.Contains(m.Text, k) {
				t.Errorf("%s is missing in %q or %q", k, m.Title, m.Text)
			}
		}
	}
}

// TestPackNamesOrCountsEveryAlert tries random storms: no part is too long, no alert is missing, and
// no more parts are made than needed by more than one.
func TestPackNamesOrCountsEveryAlert(t *testing.T) {
	tm := templates(t)
	short := dingtalk.Form("markdown")
	short.Limit = 3000
	forms := []channel.Form{dingtalk.Form("markdown"), short, feishu.Form("card"), feishu.Form("post"), wecom.Form("markdown"), dingtalk.Form("text"), wecom.Form("text")}
	for seed := range uint64(21) {
		random := rand.New(rand.NewPCG(seed, 9))
		var items []Item
		alerts := 1 + random.IntN(1500)
		for i := range alerts {
			a := notification.Alert{Status: notification.Firing, StartsAt: noon, Labels: map[string]string{
				"alertname": fmt.Sprintf("Rule%d", random.IntN(1+alerts/10)), "instance": fmt.Sprintf("host-%04d", i),
				"severity": []string{"critical", "warning", "info", ""}[random.IntN(4)], "job": strings.Repeat("j", random.IntN(80)),
			}, Annotations: map[string]string{"threshold": "> 8", "value": strings.Repeat(`"`, random.IntN(30))}}
			if random.IntN(3) == 0 {
				a.Status, a.EndsAt = notification.Resolved, noon
			}
			items = append(items, Item{notification.Notification{Alerts: []notification.Alert{a}}, noon})
		}
		d := Merge(items)
		c := Context{Keyword: "报警", Keywords: []string{"报警"}, Now: noon, Form: forms[seed%uint64(len(forms))]}
		most := []int{1, 3, 1000}[seed%3]
		parts, err := tm.Pack(d, c, most)
		if err != nil {
			t.Fatal(err)
		}
		if len(parts) > most {
			t.Fatalf("%d parts, at most %d are wanted", len(parts), most)
		}
		text, told := "", 0
		for i, p := range parts {
			m, err := tm.Digest(p, c)
			if err != nil {
				t.Fatal(err)
			}
			if n := c.Form.Size(m); n > c.Form.Limit {
				t.Errorf("seed %d: part %d has %d bytes", seed, i, n)
			} else if i < len(parts)-1 && n < c.Form.Limit*80/100 {
				t.Errorf("seed %d: part %d of %d has only %d bytes", seed, i, len(parts), n)
			}
			text += m.Text
			told += p.Len()
		}
		if told != alerts {
			t.Errorf("seed %d: %d of %d alerts are named or counted", seed, told, alerts)
		}
		for _, p := range parts {
			for _, e := range p.Entries {
				if !strings.Contains(text, e.Alert.Labels["instance"]) {
					t.Errorf("seed %d: %s is in no text", seed, e.Alert.Labels["instance"])
				}
			}
		}
	}
}

func TestMerge(t *testing.T) {
	a := func(status, name string) Item {
		return Item{notification.Notification{Alerts: []notification.Alert{{Status: status, Labels: map[string]string{"alertname": name}}}}, noon}
	}
	d := Merge([]Item{a("firing", "up"), a("firing", "flap"), a("resolved", "flap"), a("resolved", "over"), a("firing", "up"),
		a("resolved", "again"), a("firing", "again"), a("firing", "twice"), a("resolved", "twice"), a("resolved", "twice")})
	got := map[string]string{}
	for _, e := range d.Entries {
		got[e.Alert.Name()] = e.State
	}
	want := map[string]string{"up": "firing", "flap": Flapped, "over": "resolved", "again": "firing", "twice": Flapped}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestALateFiringDoesNotReopen: two senders, or a repeated try, can bring the news that it fires after
// the news that it is over.
func TestALateFiringDoesNotReopen(t *testing.T) {
	at := func(status string, from, to time.Duration) Item {
		a := notification.Alert{Status: status, Labels: map[string]string{"alertname": "a"}, StartsAt: noon.Add(from)}
		if status == notification.Resolved {
			a.EndsAt = noon.Add(to)
		}
		return Item{notification.Notification{Alerts: []notification.Alert{a}}, noon}
	}
	for name, c := range map[string]struct {
		items []Item
		want  string
	}{
		"late":  {[]Item{at("resolved", 0, time.Minute), at("firing", 0, 0)}, Flapped},
		"again": {[]Item{at("resolved", 0, time.Minute), at("firing", 2*time.Minute, 0)}, notification.Firing},
	} {
		if got := Merge(c.items).Entries[0].State; got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	// The same labels from another Grafana are another alert.
	other := at("resolved", 0, time.Minute)
	other.Notification.Alerts[0].Origin = "https://other.example.com"
	if d := Merge([]Item{at("firing", 0, 0), other}); len(d.Entries) != 2 || d.Entries[0].State != notification.Firing {
		t.Errorf("%+v", d.Entries)
	}
	// What was merged is merged again.
	d := Combine([]Digest{Merge([]Item{at("firing", 0, 0)}), {Counted: []Group{{Name: "x", Count: 2, Firing: 2}}}, Merge([]Item{at("resolved", 0, time.Minute)}), {Counted: []Group{{Name: "x", Count: 3, Resolved: 3}}}})
	if d.Len() != 6 || d.Entries[0].State != Flapped || d.Counted[0].Firing != 2 || d.Counted[0].Resolved != 3 {
		t.Errorf("%+v", d)
	}
}

// TestNoFalseAllClear: nothing that may not have recovered looks as if it had, and a recovery says nothing that was
// true only while it fired.
func TestNoFalseAllClear(t *testing.T) {
	tm := templates(t)
	base := Samples(noon)["resolved"]
	for name, c := range map[string]struct {
		change func(a *notification.Alert)
		doubt  string
	}{
		"recovered":      {func(a *notification.Alert) {}, ""},
		"missing series": {func(a *notification.Alert) { a.Annotations["grafana_state_reason"] = "MissingSeries" }, "its series is gone"},
		"no data":        {func(a *notification.Alert) { a.Annotations["grafana_state_reason"] = "NoData" }, "there is no data"},
		"error":          {func(a *notification.Alert) { a.Annotations["grafana_state_reason"] = "Error" }, "the query fails"},
		"paused":         {func(a *notification.Alert) { a.Annotations["grafana_state_reason"] = "Paused" }, "was paused"},
		"deleted":        {func(a *notification.Alert) { a.Annotations["grafana_state_reason"] = "RuleDeleted" }, "was deleted"},
		"updated":        {func(a *notification.Alert) { a.Annotations["grafana_state_reason"] = "Updated" }, "was changed"},
		"another reason": {func(a *notification.Alert) { a.Annotations["grafana_state_reason"] = "Frobbed" }, "Frobbed"},
		"still too high": {func(a *notification.Alert) { a.Values = map[string]float64{"B": 12, "C": 1} }, "still beyond its threshold"},
		"by value string": {func(a *notification.Alert) {
			a.Values, a.ValueString = nil, "[ var='X' labels={a=b} value=12 ], [ var='Z' labels={} value=0 ]"
		}, "still beyond"},
		"below its low": {func(a *notification.Alert) {
			a.Annotations["threshold"], a.Values = "< 8", map[string]float64{"B": 7}
		}, "still beyond"},
		"Prometheus' value": {func(a *notification.Alert) { a.Values, a.Annotations["value"] = nil, "12.25" }, ""},
	} {
		n := base
		a := base.Alerts[0]
		a.Annotations = maps.Clone(a.Annotations)
		c.change(&a)
		n.Alerts = []notification.Alert{a}
		ctx := Context{Keyword: "报警", Keywords: []string{"报警"}, Now: noon, Form: dingtalk.Form("markdown")}
		detail, _, err := tm.Detail(n, ctx)
		digest, err2 := tm.Digest(Merge([]Item{{n, noon}}), ctx)
		ctx.Form = dingtalk.Form("text")
		plain, _, err3 := tm.Detail(n, ctx)
		if err := errors.Join(err, err2, err3); err != nil {
			t.Fatal(err)
		}
		for kind, m := range map[string]channel.Content{"detail": detail, "digest": digest, "text": plain} {
			all := m.Title + "\n" + m.Text
			if strings.Contains(all, "✅") != (c.doubt == "") || !strings.Contains(all, c.doubt) || strings.Contains(all, "可能未恢复") != (c.doubt != "") {
				t.Errorf("%s as %s:\n%s", name, kind, all)
			}
			if c.doubt == "" && (strings.Contains(all, "12.25") || strings.Contains(all, "mean number")) {
				t.Errorf("%s as %s repeats what was true while it fired:\n%s", name, kind, all)
			}
		}
	}
}

// TestTheMeasuredValueIsShown whatever its query is called, and none where there is none.
func TestTheMeasuredValueIsShown(t *testing.T) {
	for name, c := range map[string]struct {
		a    notification.Alert
		want string
	}{
		"Lookout's B":       {notification.Alert{Values: map[string]float64{"A": 3, "B": 12.25, "C": 1}}, "12.25"},
		"query and test":    {notification.Alert{Values: map[string]float64{"cpu": 91.5, "limit": 1}}, "91.5"},
		"reduced":           {notification.Alert{Values: map[string]float64{"Q": 3, "R": 4, "T": 0}}, "4"},
		"one that is 1":     {notification.Alert{Values: map[string]float64{"A": 1}}, "1"},
		"valueString":       {notification.Alert{ValueString: "[ metric='foo' labels={instance=bar} value=10 ]"}, "10"},
		"valueString, NaN":  {notification.Alert{ValueString: "[ var='A' labels={} value=NaN ]"}, ""},
		"annotation":        {notification.Alert{Annotations: map[string]string{"value": "91 %"}, Values: map[string]float64{"B": 3}}, "91 %"},
		"annotation is NaN": {notification.Alert{Annotations: map[string]string{"value": "NaN"}}, ""},
		"not rendered":      {notification.Alert{Annotations: map[string]string{"value": "<no value>"}}, ""},
		"none":              {notification.Alert{}, ""},
	} {
		if got := value(c.a); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestOneEndlessAlertIsCut(t *testing.T) {
	tm := templates(t)
	n := Samples(noon)["firing"]
	n.Alerts[0].Annotations["summary"] = strings.Repeat("长", 30_000)
	c := Context{Keyword: "报警", Keywords: []string{"报警"}, Now: noon, Form: dingtalk.Form("markdown")}
	if m, fits, _ := tm.Detail(n, c); !fits || !strings.Contains(m.Text, "长…") {
		t.Fatalf("a summary of 90,000 bytes isn't cut")
	}
	parts, err := tm.Pack(Merge([]Item{{n, noon}}), c, 10)
	if err != nil || len(parts) != 1 {
		t.Fatalf("%d parts, %v", len(parts), err)
	}
	m, err := tm.Digest(parts[0], c)
	if err != nil || !c.fits(m) || !strings.Contains(m.Text, "go1") {
		t.Errorf("%d bytes: %.200s", c.Form.Size(m), m.Text)
	}
}

func TestATemplateCannotProduceWithoutEnd(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bomb.tmpl"), []byte(`{{define "text"}}{{range .Alerts}}{{template "text" $}}{{end}}{{end}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir, time.UTC); err == nil {
		t.Error("a template without end is taken")
	}
}

func TestDurationAndNumber(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 秒 0s", -time.Hour: "0 秒 0s", 59 * time.Second: "59 秒 59s", 5*time.Minute + 3*time.Second: "5 分 3 秒 5m3s",
		time.Hour: "1 小时 1h", 49*time.Hour + time.Minute: "2 天 1 小时 2d1h",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
	for v, want := range map[float64]string{8: "8", 9.123456: "9.123", 1234.5678: "1235", 0.00012: "0.00012", 1e20: "1e+20", math.Inf(1): "+Inf", -0.5: "-0.5"} {
		if got := Number(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
}

// FuzzTemplates puts hostile values through every built-in template and function: no panic, valid
// UTF-8, the keyword in place, and nothing in a value can start a line of its own or close a link.
func FuzzTemplates(f *testing.F) {
	f.Add("go1", "summary\n# heading", "https://e.test/a b)", 12.5, int64(300))
	f.Add("\u202e](http://x)", "<script>", "javascript:alert(1)", math.NaN(), int64(-1))
	f.Add("{{.}}", "](", "http://[::1", math.MaxFloat64, int64(math.MaxInt64))
	tm := templates(f)
	f.Fuzz(func(t *testing.T, label, text, link string, value float64, seconds int64) {
		a := notification.Alert{
			Status: notification.Firing, Labels: map[string]string{"alertname": label, "instance": text, "severity": label, "x": text},
			Annotations: map[string]string{"summary": text, "description": text, "runbook_url": link, "value": label, "threshold": text},
			PanelURL:    link, GeneratorURL: link, SilenceURL: link, Values: map[string]float64{"B": value},
			StartsAt: noon.Add(time.Duration(seconds)), EndsAt: noon,
		}
		n := notification.Notification{Status: "firing", Alerts: []notification.Alert{a, a}}
		c := Context{Keyword: "报警", Keywords: []string{"报警"}, Now: noon, Escalated: text, Form: dingtalk.Form("markdown")}
		for _, kind := range []string{"markdown", "text", "link", "actionCard"} {
			c.Form = dingtalk.Form(kind)
			m, _, err := tm.Detail(n, c)
			if err != nil {
				t.Fatal(err)
			}
			if !utf8.ValidString(m.Text) || !utf8.ValidString(m.Title) || !strings.Contains(m.Title, "报警") || !strings.Contains(m.Text, "报警") {
				t.Errorf("%q\n%q", m.Title, m.Text)
			}
		}
		parts, err := tm.Pack(Merge([]Item{{n, noon}}), c, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			m, err := tm.Digest(p, c)
			if err != nil || !c.fits(m) {
				t.Fatalf("%d bytes, %v", c.Form.Size(m), err)
			}
		}
		safe := Safe(text)
		if strings.ContainsAny(safe, "\n\r<\x00") || strings.Contains(safe, "](") {
			t.Errorf("Safe(%q) is %q", text, safe)
		}
		if clipped := Clip(20, text); len(clipped) > 20 && utf8.ValidString(text) {
			t.Errorf("Clip(20, %q) is %q", text, clipped)
		}
		if l := linkOf("x", link); l != "" && (strings.Count(l, "(") != 1 || strings.Count(l, ")") != 1 || strings.ContainsAny(l, " \n")) {
			t.Errorf("the link for %q is %q", link, l)
		}
		Duration(time.Duration(seconds))
		Number(value)
	})
}

func linkOf(name, address string) string { return link(name, address) }

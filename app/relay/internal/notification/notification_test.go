package notification

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

const grafana = `{"receiver":"relay","status":"firing","orgId":1,"alerts":[{"status":"firing","labels":{"alertname":"GoThreadsHigh","instance":"go1","severity":"warning","n":7},
"annotations":{"summary":"报警"},"startsAt":"2026-11-22T10:00:00+08:00","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://g/rule","silenceURL":"http://g/s","dashboardURL":"","panelURL":"http://g/p","values":{"B":9.5},"valueString":"x"}],
"groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://g/","version":"1","groupKey":"{}","truncatedAlerts":2,"title":"t","state":"alerting","message":"m"}`

func TestParse(t *testing.T) {
	n, err := Parse([]byte(grafana))
	if err != nil {
		t.Fatal(err)
	}
	a := n.Alerts[0]
	if a.Labels["n"] != "7" || a.Values["B"] != 9.5 || a.PanelURL != "http://g/p" || n.TruncatedAlerts != 2 || n.Status != Firing {
		t.Errorf("read as %+v", n)
	}
	if want := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC); !a.StartsAt.Equal(want) || !a.EndsAt.IsZero() {
		t.Errorf("times are %v and %v", a.StartsAt, a.EndsAt)
	}
}

func TestParseTakesWhatSendersReallySend(t *testing.T) {
	for name, body := range map[string]string{
		"no version, no times":       `{"alerts":[{"status":"firing","labels":{"alertname":"x"}}]}`,
		"status of the group only":   `{"status":"resolved","alerts":[{"labels":{"alertname":"x"}}]}`,
		"null for what isn't there":  `{"status":"firing","alerts":[{"labels":{"alertname":"x"},"annotations":null,"values":null,"startsAt":null}],"groupLabels":null}`,
		"values that aren't numbers": `{"status":"firing","alerts":[{"labels":{"alertname":"x"},"values":{"B":"NaN"}}]}`,
		"a time that isn't one":      `{"status":"firing","alerts":[{"labels":{"alertname":"x"},"startsAt":"yesterday"}]}`,
		"truncatedAlerts as text":    `{"status":"firing","truncatedAlerts":"3","alerts":[{"labels":{"alertname":"x"}}]}`,
		"fields of another version":  `{"status":"firing","alerts":[{"labels":{"alertname":"x"},"imageURL":"y"}],"new":{}}`,
	} {
		if n, err := Parse([]byte(body)); err != nil || len(n.Alerts) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	for body, want := range map[string]string{
		"":                "empty",
		"{":               "ends in the middle",
		"{]":              "mistake at byte 2",
		"payload={}":      "not as a form",
		"[]":              "point Prometheus at an Alertmanager",
		"null":            `"alerts" is missing`,
		`{"alerts":[]}`:   `"alerts" is missing or empty`,
		`{"alerts":[{}]}`: "alerts[0] has no labels",
		`{"alerts":[{"labels":{"a":"b"},"status":"maybe"}]}`: "neither status",
		`{"alerts":{"a":1}}`: "JSON object",
		grafana + grafana:    "more than one",
		"\xff\xfe":           "not UTF-8",
		`{"alerts":[` + strings.Repeat(`{"labels":{"a":"b"},"status":"firing"},`, 10_001) + `{"labels":{"a":"b"}}]}`: "at most 10000",
	} {
		_, err := Parse([]byte(body))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", body, err, want)
		}
	}
}

// FuzzParse: whatever comes in, there is no panic, and what is accepted stays the same when it is
// written and read again, as the spool does with it.
func FuzzParse(f *testing.F) {
	f.Add([]byte(grafana))
	f.Add([]byte(`{"status":"firing","alerts":[{"labels":{"alertname":"\u0000<b>"},"startsAt":"9999-12-31T23:59:59Z","values":{"B":1e308}}]}`))
	f.Add([]byte(strings.Repeat("[", 20_000)))
	f.Fuzz(func(t *testing.T, body []byte) {
		n, err := Parse(body)
		if err != nil {
			if len(err.Error()) > 2000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		again, err := json.Marshal(n)
		if err != nil {
			t.Fatalf("what was accepted cannot be written: %v", err)
		}
		m, err := Parse(again)
		if err != nil {
			t.Fatalf("what was accepted is refused when read again: %v\n%s", err, again)
		}
		if len(m.Alerts) != len(n.Alerts) || m.Severity() != n.Severity() {
			t.Errorf("%+v\nbecame\n%+v", n, m)
		}
		for i := range n.Alerts {
			if n.Alerts[i].Key() != m.Alerts[i].Key() || n.Alerts[i].Status != m.Alerts[i].Status {
				t.Errorf("alert %d changed", i)
			}
		}
	})
}

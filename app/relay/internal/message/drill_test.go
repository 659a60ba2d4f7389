package message

import (
	"slices"
	"strings"
	"testing"
	"time"

	"lookout/app/relay/internal/channel"
	"lookout/app/relay/internal/notification"
)

// A drill goes the way of a real alert, says what it is, and calls no one; a real alert in the same message still does.
func TestADrillIsMarkedAndCallsNoOne(t *testing.T) {
	templates, err := Load("", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	alert := func(name, drill string) notification.Alert {
		labels := map[string]string{"alertname": name, "severity": "critical", "drilled": "TargetDown"}
		if drill != "" {
			labels["lookout_drill"] = drill
		}
		return notification.Alert{Status: notification.Firing, Labels: labels, Annotations: map[string]string{"summary": "【报警】演练 Drill"}, StartsAt: time.Unix(1000, 0)}
	}
	c := Context{Keyword: "报警", Keywords: []string{"报警"}, Target: "oncall", Now: time.Unix(1060, 0), Mentions: []channel.Mention{{Mobiles: []string{"13800000000"}, All: true}},
		Form: channel.Form{Type: "markdown", Who: func(m channel.Mention) channel.Mention { return m }}}
	for _, test := range []struct {
		name   string
		alerts []notification.Alert
		drill  bool
	}{
		{"a drill", []notification.Alert{alert("DrillCritical", "yes")}, true},
		{"a real alert", []notification.Alert{alert("TargetDown", "")}, false},
		{"both", []notification.Alert{alert("DrillCritical", "yes"), alert("TargetDown", "")}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			content, _, err := templates.Detail(notification.Notification{Status: notification.Firing, Alerts: test.alerts}, c)
			if err != nil {
				t.Fatal(err)
			}
			if marked := strings.HasPrefix(content.Title, "【演练 Drill】") && strings.HasPrefix(content.Text, "【演练 Drill】"); marked != test.drill {
				t.Errorf("marked is %t:\n%s\n%s", marked, content.Title, content.Text)
			}
			if called := content.All && slices.Contains(content.Mobiles, "13800000000"); called == test.drill {
				t.Errorf("called is %t: all=%t mobiles=%q", called, content.All, content.Mobiles)
			}
			if !strings.Contains(content.Title, "报警") {
				t.Errorf("without its keyword the robot drops %q", content.Title)
			}
			if strings.Contains(content.Text, "lookout_drill") {
				t.Errorf("the label says nothing to a person:\n%s", content.Text)
			}
		})
	}
}

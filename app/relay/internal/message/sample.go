package message

import (
	"fmt"
	"time"

	"lookout/app/relay/internal/notification"
)

// Samples are notifications to try templates on, by name.
func Samples(now time.Time) map[string]notification.Notification {
	threads := notification.Alert{
		Status: notification.Firing,
		Labels: map[string]string{"alertname": "ThreadsHigh", "severity": "critical", "instance": "go1", "job": "go", "lookout_env": "local"},
		Annotations: map[string]string{
			"summary":     "线程过多 too many OS threads: go1",
			"description": "最近一分钟平均线程数超过阈值。\nThe mean number of OS threads over one minute is above the threshold.",
			"threshold":   "> 8", "runbook_url": "https://example.com/runbooks/threads",
		},
		StartsAt:     now.Add(-5 * time.Minute),
		GeneratorURL: "https://grafana.example.com/alerting/grafana/threads/view",
		SilenceURL:   "https://grafana.example.com/alerting/silence/new?alertmanager=grafana&matcher=alertname%3DThreadsHigh",
		DashboardURL: "https://grafana.example.com/d/go-runtime",
		PanelURL:     "https://grafana.example.com/d/go-runtime?viewPanel=2",
		Values:       map[string]float64{"A": 12.25, "B": 12.25, "C": 1},
	}
	resolved := threads
	resolved.Status, resolved.EndsAt = notification.Resolved, now
	noData := threads
	noData.Labels = map[string]string{"alertname": "DatasourceNoData", "rulename": "ThreadsHigh", "severity": "critical", "instance": "go1"}
	noData.Values = nil
	one := func(a ...notification.Alert) notification.Notification {
		n := notification.Notification{Version: "4", Receiver: "relay", Status: a[0].Status, Alerts: a,
			GroupLabels: map[string]string{"alertname": a[0].Labels["alertname"]}, ExternalURL: "https://grafana.example.com/"}
		return n
	}
	var many []notification.Alert
	for i := range 60 {
		a := threads
		a.Labels = map[string]string{"alertname": fmt.Sprintf("Sample%d", i%4), "severity": []string{"critical", "warning", "info"}[i%3], "instance": fmt.Sprintf("go%d", i)}
		if i%5 == 0 {
			a.Status, a.EndsAt = notification.Resolved, now
		}
		many = append(many, a)
	}
	return map[string]notification.Notification{
		"firing": one(threads), "resolved": one(resolved), "nodata": one(noData), "group": one(many[:3]...), "storm": one(many...),
	}
}

package message

import (
	"fmt"
	"maps"
	"net/url"
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
	resolved.Values = map[string]float64{"A": 5, "B": 5, "C": 0}
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
			a.Status, a.EndsAt, a.Values = notification.Resolved, now, resolved.Values
		}
		many = append(many, a)
	}
	lost := resolved
	lost.Values = nil
	lost.Annotations = maps.Clone(threads.Annotations)
	lost.Annotations["grafana_state_reason"] = "MissingSeries"
	var failed []notification.Alert
	for _, rule := range []string{"ThreadsHigh", "MemoryHigh", "ErrorsHigh"} {
		a := threads
		a.Labels = map[string]string{"alertname": "DatasourceError", "rulename": rule, "severity": "critical"}
		a.Annotations = map[string]string{"Error": `failed to execute query A: Post "http://prometheus:9090/api/v1/query_range": dial tcp: lookup prometheus: no such host`}
		a.Values, a.StartsAt = nil, now.Add(-26*time.Hour)
		failed = append(failed, a)
	}
	var disks []notification.Alert
	for i, mount := range []string{"/", "/var", "/data*1"} {
		a := threads
		a.Labels = map[string]string{"alertname": "DiskFull", "severity": "warning", "instance": "db1:9100", "job": "node", "mountpoint": mount}
		a.Annotations = map[string]string{"summary": "磁盘将满 disk is filling: " + mount, "value": fmt.Sprint(91+i, "%"), "threshold": "> 90%", "runbook": "docs/runbooks/disk.md",
			"description": "1. *用量* `df -h`\n# 不是标题\n- [清理](http://example.com/clean) ~~旧日志~~"}
		a.Values, a.SilenceURL = nil, "https://grafana.example.com/alerting/silence/new?alertmanager=grafana&matcher=alertname%3DDiskFull&matcher=mountpoint%3D"+url.QueryEscape(mount)
		disks = append(disks, a)
	}
	return map[string]notification.Notification{
		"lost": one(lost), "error": one(failed[0]), "errors": one(failed...), "disks": one(disks...),
		"firing": one(threads), "resolved": one(resolved), "nodata": one(noData), "group": one(many[:3]...), "storm": one(many...),
	}
}

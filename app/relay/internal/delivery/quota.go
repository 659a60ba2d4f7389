package delivery

import (
	"context"
	"fmt"
	"sync"
	"time"

	"lookout/app/relay/internal/channel"
	"lookout/app/relay/internal/config"
	"lookout/app/relay/internal/notification"
	"lookout/app/relay/internal/spool"
)

// quotaRest is how long the robots of an organisation rest whose quota is used up, before one message
// finds out whether it still is: a refused call costs nothing of it.
const quotaRest = time.Hour

// quotaSteps are the shares of a monthly quota, in per cent, at which it is reported. From the last one on
// only urgent messages are sent by the organisation's robots.
var quotaSteps = []int{50, 80, 95}

// organisation is what the robots of a DingTalk organisation share: a quota of messages per calendar month.
type organisation struct {
	name  string
	quota int
	zone  *time.Location
	wall  func() time.Time

	mu sync.Mutex
	s  quotaState
}

// quotaState is what is kept of an organisation over a restart.
type quotaState struct {
	Month string        `json:"month,omitempty"`
	Sent  int           `json:"sent,omitempty"`
	Told  int           `json:"told,omitempty"`
	Rest  time.Duration `json:"rest,omitempty"`
}

// quotaNews is what has to be reported: per cent of the quota, 100 for one that is used up.
type quotaNews struct {
	organisation string
	percent      int
	sent, quota  int
}

func (o *organisation) snapshot() quotaState {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.s
}

// month turns over where a new one has begun.
func (o *organisation) month() {
	if m := o.wall().In(o.zone).Format("2006-01"); m != o.s.Month {
		o.s = quotaState{Month: m}
	}
}

// wait is how long the organisation's robots are not to be used.
func (o *organisation) wait(now time.Duration, urgent bool) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.month()
	rest := max(0, o.s.Rest-now)
	if !urgent && o.quota > 0 && o.s.Sent*100 >= o.quota*quotaSteps[len(quotaSteps)-1] {
		at := o.wall().In(o.zone)
		next := time.Date(at.Year(), at.Month()+1, 1, 0, 0, 0, 0, o.zone)
		rest = max(rest, next.Sub(at))
	}
	return rest
}

// answer counts what was delivered, and rests when the quota is used up.
func (o *organisation) answer(now time.Duration, a channel.Answer) *quotaNews {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.month()
	news := &quotaNews{organisation: o.name, quota: o.quota}
	switch a.Outcome {
	case channel.Delivered:
		o.s.Sent++
		o.s.Rest = 0
		for _, step := range quotaSteps {
			if o.quota > 0 && o.s.Sent*100 >= o.quota*step && o.s.Told < step {
				news.percent = step
			}
		}
	case channel.Quota:
		o.s.Rest = now + quotaRest
		news.percent = 100
	}
	if news.percent <= o.s.Told {
		return nil
	}
	o.s.Told, news.sent = news.percent, o.s.Sent
	return news
}

// tellQuota reports a quota on a channel that does not use it up, where the target has one.
func (e *Engine) tellQuota(ctx context.Context, l *lane, q quotaNews) {
	channel := len(l.target.Channels) - 1
	for i, ch := range l.target.Channels {
		if l.cfg.Peers[ch.IDs()[0]].Traits().Organisation == "" {
			channel = i
			break
		}
	}
	severity := "warning"
	zh, en := fmt.Sprintf("已用 %d%%（%d / %d 条）", q.percent, q.sent, q.quota), fmt.Sprintf("%d%% used (%d of %d messages)", q.percent, q.sent, q.quota)
	if q.percent >= 100 {
		severity = "critical"
		zh, en = "已用完，本月机器人可能不再送达", "used up, its robots may not deliver for the rest of the month"
	}
	n := deliveryAlert("RelayQuota", severity, map[string]string{"organisation": q.organisation},
		fmt.Sprintf("钉钉月度额度 DingTalk monthly quota of %s: %s %s", q.organisation, zh, en),
		"后续消息会改走其他渠道。\nFurther messages go on to other channels.", e.store.Wall())
	e.tell(ctx, l.cfg, l.target.Name, channel, "quota/"+q.organisation, n)
}

// deliveryAlert is an alert of the relay's own about delivery.
func deliveryAlert(name, severity string, labels map[string]string, summary, description string, at time.Time) notification.Notification {
	a := notification.Alert{
		Status: notification.Firing, StartsAt: at,
		Labels:      map[string]string{"alertname": name, "severity": severity, AboutLabel: "delivery"},
		Annotations: map[string]string{"summary": summary, "description": description, "runbook": "docs/runbooks/alert-delivery.md"},
	}
	for k, v := range labels {
		a.Labels[k] = v
	}
	return notification.Notification{Version: "4", Receiver: "relay", Status: notification.Firing, Alerts: []notification.Alert{a}}
}

// tell puts an alert of the relay's own on a channel. replaces names it, so that only the newest is sent.
func (e *Engine) tell(ctx context.Context, c *config.Config, target string, channel int, replaces string, n notification.Notification) {
	err := e.store.Update(ctx, func(tx *spool.Tx) error {
		_, err := e.putDirect(tx, c, target, channel, replaces, n)
		return err
	})
	if err != nil {
		e.log.Error("cannot persist an alert about delivery", "target", target, "error", err)
		return
	}
	e.wakeLane(target, channel, true)
}

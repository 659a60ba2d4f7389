package delivery

import (
	"context"
	"fmt"
	"time"

	"lookout/app/relay/internal/config"
	"lookout/app/relay/internal/message"
	"lookout/app/relay/internal/notification"
	"lookout/app/relay/internal/spool"
)

// beat is what is known of a heartbeat. Times are by the steady clock.
type beat struct {
	Seen    time.Duration `json:"seen"`
	Wall    time.Time     `json:"wall"`
	Missing bool          `json:"missing,omitempty"`
	// Since is when it went missing, by the wall clock.
	Since time.Time `json:"since,omitzero"`
	// Told is when the alarm was last raised.
	Told time.Duration `json:"told,omitempty"`
}

func (e *Engine) loadBeats() error {
	return e.store.View(func(tx *spool.Tx) error {
		_, err := tx.GetKey(collectionBeats, []byte("all"), &e.beats)
		if e.beats == nil {
			e.beats = map[string]beat{}
		}
		return err
	})
}

// startBeats gives every heartbeat its whole timeout from now on: while the relay was down, none
// could come.
func (e *Engine) startBeats(c *config.Config, now time.Duration) {
	e.beatMu.Lock()
	defer e.beatMu.Unlock()
	for name := range c.Heartbeats {
		b := e.beats[name]
		if !b.Missing {
			b.Seen = now
		}
		if b.Wall.IsZero() {
			b.Wall = e.store.Wall()
		}
		e.beats[name] = b
	}
}

func (e *Engine) beatState(name string) beat {
	e.beatMu.Lock()
	defer e.beatMu.Unlock()
	return e.beats[name]
}

// splitBeats takes the signs of life out of a notification. An alert counts only while it fires:
// "resolved" is a chain that works and a watchdog that doesn't, and a rule without data
// (DatasourceNoData, DatasourceError) has another alertname, so it counts as what it is, an alert.
func (e *Engine) splitBeats(c *config.Config, n notification.Notification) (rest notification.Notification, names []string) {
	if len(c.Heartbeats) == 0 {
		return n, nil
	}
	rest = n.Only(func(a notification.Alert) bool {
		for _, name := range sortedKeys(c.Heartbeats) {
			if notification.Matches(a.Labels, c.Heartbeats[name].Match) {
				if a.Status == notification.Firing {
					names = append(names, name)
				}
				return false
			}
		}
		return true
	})
	return rest, names
}

// beat notes signs of life.
func (e *Engine) beat(ctx context.Context, names []string, now time.Duration) {
	if len(names) == 0 {
		return
	}
	e.beatMu.Lock()
	for _, name := range names {
		b := e.beats[name]
		b.Seen, b.Wall = now, e.store.Wall()
		e.beats[name] = b
	}
	e.beatMu.Unlock()
	select {
	case e.beatAlarm <- struct{}{}:
	default:
	}
}

// watchBeats raises the alarm when a heartbeat stops coming, and calls it off when it is back.
func (e *Engine) watchBeats(ctx context.Context) {
	c := e.Config()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.beatAlarm:
		case <-timer.C:
		}
		wait := idle
		for _, name := range sortedKeys(c.Heartbeats) {
			in, err := e.checkBeat(ctx, c, c.Heartbeats[name])
			if err != nil && ctx.Err() == nil {
				e.log.Error("the heartbeat's alarm cannot be written down", "heartbeat", name, "error", err)
				in = time.Second
			}
			wait = min(wait, in)
		}
		timer.Reset(max(wait, time.Millisecond))
	}
}

// checkBeat acts on one heartbeat and returns when to look at it again.
func (e *Engine) checkBeat(ctx context.Context, c *config.Config, h *config.Heartbeat) (time.Duration, error) {
	now := e.store.Steady()
	b := e.beatState(h.Name)
	age := now - b.Seen
	timeout, repeat := h.Timeout.Std(), h.Repeat.Std()
	switch {
	case age < timeout && b.Missing:
		n := heartbeatAlert(h, b, notification.Resolved, e.store.Wall())
		b.Missing = false
		if err := e.tellBeat(ctx, c, h, b, n); err != nil {
			return 0, err
		}
		e.log.Info("the heartbeat is back", "heartbeat", h.Name)
		return timeout - age, nil
	case age < timeout:
		return timeout - age, nil
	case b.Missing && now-b.Told < repeat:
		return repeat - (now - b.Told), nil
	}
	if !b.Missing {
		b.Missing, b.Since = true, b.Wall
	}
	b.Told = now
	if err := e.tellBeat(ctx, c, h, b, heartbeatAlert(h, b, notification.Firing, e.store.Wall())); err != nil {
		return 0, err
	}
	e.log.Error("the heartbeat does not come: the chain before the relay is broken", "heartbeat", h.Name, "last_seen", b.Wall, "timeout", timeout.String())
	return repeat, nil
}

func (e *Engine) tellBeat(ctx context.Context, c *config.Config, h *config.Heartbeat, b beat, n notification.Notification) error {
	err := e.store.Update(ctx, func(tx *spool.Tx) error {
		if _, err := e.putDirect(tx, c, h.Target, *h.Channel, n); err != nil {
			return err
		}
		e.beatMu.Lock()
		defer e.beatMu.Unlock()
		e.beats[h.Name] = keepNewer(e.beats[h.Name], b)
		return tx.PutKey(collectionBeats, []byte("all"), e.beats)
	})
	if err == nil {
		e.wakeLane(h.Target, *h.Channel, true)
	}
	return err
}

// keepNewer takes b, but not its sign of life if a newer one came meanwhile.
func keepNewer(old, b beat) beat {
	if old.Seen > b.Seen {
		b.Seen, b.Wall = old.Seen, old.Wall
	}
	return b
}

func heartbeatAlert(h *config.Heartbeat, b beat, status string, now time.Time) notification.Notification {
	a := notification.Alert{
		Status: status,
		Labels: map[string]string{"alertname": "HeartbeatMissing", "heartbeat": h.Name, "severity": h.Severity, AboutLabel: "delivery"},
		Annotations: map[string]string{
			"summary": fmt.Sprintf("心跳中断 heartbeat missing: %s", h.Name),
			"description": fmt.Sprintf("%s 内没有收到看门狗:Prometheus、Grafana 或它们之间的网络有故障,其他报警也可能收不到。\nNo watchdog for %s: Prometheus, Grafana or the network between is broken, and other alerts may not arrive either.",
				message.Duration(h.Timeout.Std()), h.Timeout.Std()),
			"threshold": h.Timeout.Std().String(),
		},
		StartsAt: b.Since,
	}
	if status == notification.Resolved {
		a.EndsAt = now
		a.Annotations["description"] = "看门狗恢复。\nThe watchdog is back."
	} else {
		a.Annotations["value"] = now.Sub(b.Wall).Round(time.Second).String()
	}
	return notification.Notification{Version: "4", Receiver: "relay", Status: status, Alerts: []notification.Alert{a}}
}

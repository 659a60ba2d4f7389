package delivery

import (
	"context"
	"fmt"
	"maps"
	"time"

	"lookout/app/relay/internal/config"
	"lookout/app/relay/internal/message"
	"lookout/app/relay/internal/notification"
	"lookout/app/relay/internal/spool"
)

// beat is what is known of a heartbeat. Times are by the steady clock.
type beat struct {
	Seen time.Duration `json:"seen"`
	// Age is how long a relay that ran has waited for a sign of life, when this was written. A relay that is
	// down can't hear one, so that time does not count.
	Age time.Duration `json:"age,omitempty"`
	// Starts of the relay since the last sign of life.
	Starts  int       `json:"starts,omitempty"`
	Wall    time.Time `json:"wall"`
	Missing bool      `json:"missing,omitempty"`
	// Since is when it went missing, by the wall clock.
	Since time.Time `json:"since,omitzero"`
	// Told is when the alarm was last raised.
	Told time.Duration `json:"told,omitempty"`
}

// beatSteps is into how many parts a timeout is divided: so often the time without a sign of life is
// written down, and so much of it every further start of the relay counts at least. A relay that is started again and
// again can't put off the alarm.
const beatSteps = 20

func (e *Engine) loadBeats() {
	_ = e.store.View(func(tx *spool.Tx) error {
		// What cannot be read counts as not being there.
		if _, err := tx.GetKey(collectionBeats, []byte("all"), &e.beats); err != nil || e.beats == nil {
			e.beats = map[string]beat{}
		}
		return nil
	})
	now := e.store.Steady()
	for name, b := range e.beats {
		b.Seen = now - max(b.Age, 0)
		b.Told = min(b.Told, now)
		e.beats[name] = b
	}
	e.started = true
}

// startBeats begins to wait for heartbeats that are new. After a start of the relay all wait for a little less
// than they did; a reload changes nothing.
func (e *Engine) startBeats(c *config.Config, now time.Duration) {
	e.beatMu.Lock()
	defer e.beatMu.Unlock()
	beats := map[string]beat{}
	for name, h := range c.Heartbeats {
		b, known := e.beats[name]
		if !known {
			b.Seen = now
		} else if e.started {
			if b.Starts++; b.Starts > 1 {
				b.Seen -= h.Timeout.Std() / beatSteps
			}
		}
		if b.Missing {
			// Not back because the timeout was made longer, or because the clock started anew.
			b.Seen = min(b.Seen, now-h.Timeout.Std())
		}
		if b.Wall.IsZero() {
			b.Wall = e.store.Wall()
		}
		beats[name] = b
	}
	e.beats, e.started = beats, false
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
		beat := false
		for _, name := range sortedKeys(c.Heartbeats) {
			// One alert can be the sign of life of several, such as one for all senders and one for each.
			if notification.Matches(a.Labels, c.Heartbeats[name].Match) {
				beat = true
				if a.Status == notification.Firing {
					names = append(names, name)
				}
			}
		}
		return !beat
	})
	return rest, names
}

// persistBeats writes down at a start of the relay how long heartbeats have not come.
func (e *Engine) persistBeats() error {
	return e.store.Update(context.Background(), func(tx *spool.Tx) error {
		e.beatMu.Lock()
		defer e.beatMu.Unlock()
		if len(e.beats) == 0 {
			return nil
		}
		now := e.store.Steady()
		for name, b := range e.beats {
			b.Age = max(0, now-b.Seen)
			e.beats[name] = b
		}
		return tx.PutKey(collectionBeats, []byte("all"), e.beats)
	})
}

// putBeats writes down that heartbeats came, if that changes what a restart would make of it.
func (e *Engine) putBeats(tx *spool.Tx, c *config.Config, names []string) error {
	e.beatMu.Lock()
	defer e.beatMu.Unlock()
	stale := false
	for _, name := range names {
		stale = stale || e.beats[name].Age > 0 || e.beats[name].Starts > 0
	}
	if !stale {
		return nil
	}
	next := maps.Clone(e.beats)
	for _, name := range names {
		b := next[name]
		b.Age, b.Starts, b.Wall = 0, 0, e.store.Wall()
		next[name] = b
	}
	return tx.PutKey(collectionBeats, []byte("all"), next)
}

// beat notes signs of life.
func (e *Engine) beat(names []string, now time.Duration) {
	if len(names) == 0 {
		return
	}
	e.beatMu.Lock()
	for _, name := range names {
		b := e.beats[name]
		b.Seen, b.Wall, b.Age, b.Starts = now, e.store.Wall(), 0, 0
		e.beats[name] = b
	}
	e.beatMu.Unlock()
	select {
	case e.beatAlarm <- struct{}{}:
	default:
	}
}

// ageBeat writes down how long a heartbeat has not come, and returns when to do so again.
func (e *Engine) ageBeat(ctx context.Context, h *config.Heartbeat, age time.Duration) (time.Duration, error) {
	step := max(h.Timeout.Std()/beatSteps, 10*time.Millisecond)
	e.beatMu.Lock()
	written := e.beats[h.Name].Age
	e.beatMu.Unlock()
	// Two steps are what a heartbeat that comes as it should has behind it.
	if age < max(2*step, written+step) {
		return max(2*step, written+step) - age, nil
	}
	return step, e.store.Update(ctx, func(tx *spool.Tx) error {
		e.beatMu.Lock()
		defer e.beatMu.Unlock()
		b := e.beats[h.Name]
		b.Age = max(0, e.store.Steady()-b.Seen)
		e.beats[h.Name] = b
		return tx.PutKey(collectionBeats, []byte("all"), e.beats)
	})
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
				e.log.Error("cannot persist the heartbeat's alarm", "heartbeat", name, "error", err)
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
		b.Missing, b.Age = false, age
		if err := e.tellBeat(ctx, c, h, b, n); err != nil {
			return 0, err
		}
		e.log.Info("the heartbeat is back", "heartbeat", h.Name)
		return timeout - age, nil
	case age < timeout:
		in, err := e.ageBeat(ctx, h, age)
		return min(in, timeout-age), err
	case b.Missing && now-b.Told < repeat:
		return repeat - (now - b.Told), nil
	}
	if !b.Missing {
		b.Missing, b.Since = true, b.Wall
	}
	b.Told, b.Age = now, age
	if err := e.tellBeat(ctx, c, h, b, heartbeatAlert(h, b, notification.Firing, e.store.Wall())); err != nil {
		return 0, err
	}
	e.log.Error("heartbeat missing: the chain before the relay is broken", "heartbeat", h.Name, "last_seen", b.Wall, "timeout", timeout.String())
	return repeat, nil
}

func (e *Engine) tellBeat(ctx context.Context, c *config.Config, h *config.Heartbeat, b beat, n notification.Notification) error {
	err := e.store.Update(ctx, func(tx *spool.Tx) error {
		if _, err := e.putDirect(tx, c, h.Target, *h.Channel, "heartbeat/"+h.Name, n); err != nil {
			return err
		}
		e.beatMu.Lock()
		defer e.beatMu.Unlock()
		e.beats[h.Name] = keepNewer(e.beats[h.Name], b)
		if err := e.putShared(tx, share(sharedBeat, h.Name, b)); err != nil {
			return err
		}
		return tx.PutKey(collectionBeats, []byte("all"), e.beats)
	})
	if err == nil {
		e.wakeTeller()
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

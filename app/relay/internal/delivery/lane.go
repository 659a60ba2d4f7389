package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"lookout/app/relay/internal/config"
	"lookout/app/relay/internal/message"
	"lookout/app/relay/internal/notification"
	"lookout/app/relay/internal/robot"
	"lookout/app/relay/internal/spool"
)

const (
	// maxMerge and maxMergeBytes bound what one digest is made of, and with it the memory.
	maxMerge      = 1000
	maxMergeBytes = 2 << 20
	// maxStuck is how many messages of a lane may wait for one certain robot while others go on.
	maxStuck = 4
	// maxUnknown is how often an answer that nothing is known about is worth another try.
	maxUnknown = 5
	// idle is how long a lane sleeps when nothing tells it earlier.
	idle = time.Hour
)

// lane is one channel of one target: a goroutine that sends one message at a time.
type lane struct {
	e       *Engine
	cfg     *config.Config
	target  *config.Target
	index   int
	channel config.Channel
	members []*member
	turn    int
	wake    chan struct{}
	log     *slog.Logger

	dirty  atomic.Bool
	outbox []*Message

	lastFormed time.Duration
	stormSince time.Duration
	inStorm    bool
	// head is when the oldest in the queue was accepted.
	head      time.Duration
	headKnown bool
	// mergeBytes bounds the next digest: less than maxMergeBytes while the disk is so full that moving
	// more at once finds no room.
	mergeBytes int
}

func (l *lane) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait, err := l.step(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			l.log.Error("delivery is held up by the spool", "error", err)
			wait = time.Second
		}
		if wait <= 0 {
			if ctx.Err() != nil {
				return
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-timer.C:
		}
	}
}

// step does one thing and returns 0, or returns how long nothing can be done.
func (l *lane) step(ctx context.Context) (time.Duration, error) {
	if l.dirty.Swap(false) {
		if err := l.load(); err != nil {
			l.dirty.Store(true)
			return 0, err
		}
	}
	now := l.e.store.Steady()
	wait := idle
	escalateAfter := l.channel.EscalateAfter.Std()
	for _, m := range l.outbox {
		left := m.Since + escalateAfter - now
		if mem, _ := l.pick(m, now); left <= 0 && (mem == nil || m.Attempts > 0) {
			return 0, l.escalate(ctx, m, "timeout", fmt.Sprintf("%s 未送达 undelivered for %s: %s", l.channel.Label(), escalateAfter, m.lastFailure()))
		}
		wait = min(wait, max(left, time.Millisecond))
	}
	stuck := 0
	for _, m := range l.outbox {
		mem, in := l.pick(m, now)
		if mem == nil {
			wait = min(wait, in)
			stuck++
			continue
		}
		return 0, l.attempt(ctx, m, mem)
	}
	if l.index > 0 {
		return wait, nil
	}
	in, err := l.form(ctx, now, stuck)
	return min(wait, in), err
}

func (l *lane) load() error {
	l.outbox = nil
	return l.e.store.View(func(tx *spool.Tx) error {
		return tx.Each(collectionOutbox, func(_ uint64, raw []byte) error {
			var m Message
			if err := json.Unmarshal(raw, &m); err != nil {
				return err
			}
			if m.Target == l.target.Name && m.Channel == l.index {
				l.outbox = append(l.outbox, &m)
			}
			return nil
		})
	})
}

// pick finds the member to send a message by, or how long until there is one.
func (l *lane) pick(m *Message, now time.Duration) (*member, time.Duration) {
	wait := idle
	for i := range l.members {
		mem := l.members[(l.turn+i)%len(l.members)]
		if m != nil && (m.Robot != "" && m.Robot != mem.id && l.has(m.Robot) || slices.Contains(m.RefusedBy, mem.id)) {
			continue
		}
		in := mem.available(now)
		if in == 0 {
			return mem, 0
		}
		wait = min(wait, in)
	}
	return nil, wait
}

func (l *lane) has(id string) bool {
	return slices.ContainsFunc(l.members, func(m *member) bool { return m.id == id })
}

// render makes the message's content for this channel if it has none yet.
func (l *lane) render(m *Message) {
	if m.Content != nil {
		return
	}
	c := l.e.context(l.cfg, l.target, l.channel, m)
	if m.Detail != nil {
		content, fits, err := l.cfg.Texts.Detail(*m.Detail, c)
		l.templateError(err)
		if fits {
			m.Content = &content
			return
		}
		d := message.Merge([]message.Item{{Notification: *m.Detail, Received: m.Wall}})
		m.Digest, m.Detail = &d, nil
	}
	content, err := l.cfg.Texts.Digest(*m.Digest, c)
	l.templateError(err)
	m.Content = &content
}

func (l *lane) templateError(err error) {
	if err != nil {
		l.e.Metrics.TemplateErr.Inc()
		l.log.Error("a template failed; the built-in one was used", "error", err)
	}
}

// attempt sends one message by one member and acts on the answer.
func (l *lane) attempt(ctx context.Context, m *Message, mem *member) error {
	now := l.e.store.Steady()
	if !mem.acquire(now) {
		// Another target was quicker.
		return nil
	}
	l.turn++
	before := *m
	l.render(m)
	m.Robot, m.Ambiguous = mem.id, true
	m.Attempts++
	// What is about to happen is on disk before it happens: after a crash the same message goes to the
	// same robot under the same msgUuid, and the call counts against the limit.
	if err := l.e.store.Update(ctx, func(tx *spool.Tx) error {
		if err := mem.put(tx); err != nil {
			return err
		}
		return tx.Put(collectionOutbox, m.ID, m)
	}); err != nil {
		content := m.Content
		*m = before
		m.Content = content
		mem.release(l.e.store.Steady(), robot.Answer{Outcome: robot.Delivered})
		return err
	}
	if m.Attempts > 1 {
		l.e.Metrics.Retries.WithLabelValues(l.target.Name, mem.id).Inc()
	}
	// Not ctx: a send that has begun is brought to its end, so that its answer is known.
	sendCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mem.timeout)
	answer := mem.send(sendCtx, outgoing{
		id: m.uuid(l.e.store.Salt(), mem.id), content: *m.Content, message: m,
		ctx: l.e.context(l.cfg, l.target, l.channel, m),
	})
	cancel()
	answer.Reason = l.cfg.Redact(answer.Reason)
	if answer.Unknown || answer.Code == robot.CodeHTTP4xx && answer.Outcome == robot.Retry {
		if m.Unknown++; m.Unknown >= maxUnknown {
			answer.Outcome = robot.Refused
		}
	}
	mem.release(l.e.store.Steady(), answer)
	l.e.Metrics.Deliveries.WithLabelValues(l.target.Name, mem.id, string(answer.Outcome), answer.Code).Inc()

	if answer.Outcome != robot.Delivered {
		m.fail(Failure{At: l.e.store.Wall(), Channel: mem.id, Code: answer.Code, Reason: answer.Reason})
	}
	// Whatever has to be written now must be written even when the relay is being stopped; until it is,
	// nothing else of this lane happens, since the message would be sent once more.
	write := context.WithoutCancel(ctx)
	for {
		err := l.settle(write, m, mem, answer, before.Ambiguous)
		if err == nil || errors.Is(err, spool.ErrClosed) {
			return err
		}
		l.log.Error("the answer to a message cannot be written down", "error", err, "message", m.ID)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

// settle acts on an answer.
func (l *lane) settle(ctx context.Context, m *Message, mem *member, a robot.Answer, wasAmbiguous bool) error {
	log := l.log.With("message", m.ID, "member", mem.id, "outcome", string(a.Outcome), "errcode", a.Code, "attempt", m.Attempts)
	if a.Outcome == robot.Delivered {
		if err := l.remove(ctx, m, mem, nil); err != nil {
			return err
		}
		latency := l.e.store.Steady() - m.Received
		l.e.Metrics.Latency.WithLabelValues(l.target.Name).Observe(latency.Seconds())
		log.Info("delivered", "alerts", m.alerts(), "latency", latency.Round(time.Millisecond).String(), "digest", m.Digest != nil)
		return nil
	}
	log = log.With("reason", a.Reason)
	switch a.Outcome {
	case robot.Retry:
		m.Ambiguous = wasAmbiguous || a.Ambiguous
		if !m.Ambiguous {
			m.Robot = ""
		}
		log.Warn("not delivered, will be tried again")
		return l.keep(ctx, m, mem)
	case robot.Throttled:
		m.Ambiguous = wasAmbiguous
		if !m.Ambiguous {
			m.Robot = ""
		}
		rest, _, _ := mem.state(l.e.store.Steady())
		log.Warn("too many messages, the robot is left alone", "wait", rest.Round(time.Second).String())
		if !m.Ambiguous && l.index == 0 && m.Escalated == "" && m.Seq != 0 {
			return l.requeue(ctx, m, mem)
		}
		return l.keep(ctx, m, mem)
	case robot.Split:
		parts, ok := l.halve(m)
		if !ok {
			break
		}
		log.Warn("too long, goes out in parts", "parts", len(parts))
		return l.remove(ctx, m, mem, parts)
	}
	// Refused, or too long and not divisible.
	m.RefusedBy = append(slices.DeleteFunc(m.RefusedBy, func(s string) bool { return s == mem.id }), mem.id)
	m.Robot, m.Ambiguous = "", false
	if len(m.RefusedBy) < len(l.members) {
		log.Error("refused, the next robot gets it")
		return l.keep(ctx, m, mem)
	}
	log.Error("refused")
	if err := l.putMember(ctx, mem); err != nil {
		return err
	}
	return l.escalate(ctx, m, "refused", fmt.Sprintf("%s 拒绝 refused: %s", mem.id, a.Reason))
}

func (l *lane) putMember(ctx context.Context, mem *member) error {
	return l.e.store.Update(ctx, func(tx *spool.Tx) error { return mem.put(tx) })
}

// keep writes the message back as it is now.
func (l *lane) keep(ctx context.Context, m *Message, mem *member) error {
	return l.e.store.Update(ctx, func(tx *spool.Tx) error {
		if err := mem.put(tx); err != nil {
			return err
		}
		return tx.Put(collectionOutbox, m.ID, m)
	})
}

// remove takes the message out, putting others in its place.
func (l *lane) remove(ctx context.Context, m *Message, mem *member, instead []*Message) error {
	err := l.e.store.Update(ctx, func(tx *spool.Tx) error {
		if err := mem.put(tx); err != nil {
			return err
		}
		for _, p := range instead {
			id, err := tx.NextID()
			if err != nil {
				return err
			}
			p.ID = id
			if err := tx.Put(collectionOutbox, id, p); err != nil {
				return err
			}
		}
		return tx.Delete(collectionOutbox, m.ID)
	})
	if err == nil {
		l.forget(m)
		l.outbox = append(l.outbox, instead...)
	}
	return err
}

func (l *lane) forget(m *Message) {
	l.outbox = slices.DeleteFunc(l.outbox, func(o *Message) bool { return o.ID == m.ID })
}

// requeue gives back to the queue what was surely not shown and has to wait long, so that it is
// merged with what comes meanwhile.
func (l *lane) requeue(ctx context.Context, m *Message, mem *member) error {
	body, err := json.Marshal(m.notification())
	if err != nil {
		return l.keep(ctx, m, mem)
	}
	err = l.e.store.Update(ctx, func(tx *spool.Tx) error {
		if err := mem.put(tx); err != nil {
			return err
		}
		if err := tx.Requeue(l.target.Name, m.Seq, m.Received, m.Wall, body); err != nil {
			return err
		}
		return tx.Delete(collectionOutbox, m.ID)
	})
	if err == nil {
		l.forget(m)
	}
	return err
}

// halve divides a message that was too long.
func (l *lane) halve(m *Message) ([]*Message, bool) {
	d := m.Digest
	if d == nil {
		merged := message.Merge([]message.Item{{Notification: *m.Detail, Received: m.Wall}})
		if len(merged.Entries) == 1 {
			// One alert with everything about it was too long; the short form of it may fit.
			p := *m
			p.Detail, p.Digest, p.Content, p.Robot, p.Ambiguous, p.Seq = nil, &merged, nil, "", false, 0
			return []*Message{&p}, true
		}
		d = &merged
	}
	halves, ok := message.Halve(*d)
	if !ok {
		return nil, false
	}
	var out []*Message
	for _, h := range halves {
		p := *m
		p.Detail, p.Digest, p.Content, p.Robot, p.Ambiguous, p.Seq = nil, &h, nil, "", false, 0
		p.Failures = slices.Clone(m.Failures)
		out = append(out, &p)
	}
	return out, true
}

// escalate hands a message to the next channel, or makes it a dead letter.
func (l *lane) escalate(ctx context.Context, m *Message, cause, reason string) error {
	next := l.index + 1
	if next >= len(l.target.Channels) {
		err := l.e.store.Update(ctx, func(tx *spool.Tx) error {
			if err := tx.Delete(collectionOutbox, m.ID); err != nil {
				return err
			}
			return tx.Put(collectionDead, m.ID, DeadLetter{Message: *m, Died: l.e.store.Wall(), Reason: reason})
		})
		if err != nil {
			return err
		}
		l.forget(m)
		l.e.Metrics.DeadLetters.WithLabelValues(l.target.Name, cause).Inc()
		l.log.Error("dead letter: no channel delivered it", "message", m.ID, "alerts", m.alerts(), "reason", reason, "remedy", "relay dead list; relay dead resend")
		return nil
	}
	moved := *m
	moved.Channel, moved.Since, moved.Attempts, moved.Unknown = next, l.e.store.Steady(), 0, 0
	moved.Content, moved.Robot, moved.Ambiguous, moved.RefusedBy, moved.Seq = nil, "", false, nil, 0
	moved.Escalated = reason
	if err := l.e.store.Update(ctx, func(tx *spool.Tx) error { return tx.Put(collectionOutbox, m.ID, moved) }); err != nil {
		return err
	}
	l.forget(m)
	l.e.Metrics.Escalations.WithLabelValues(l.target.Name, l.channel.Label(), cause).Inc()
	l.log.Error("escalated to the next channel", "message", m.ID, "to", l.target.Channels[next].Label(), "reason", reason)
	l.e.wakeLane(l.target.Name, next, true)
	return nil
}

type queued struct {
	seq      uint64
	received time.Duration
	wall     time.Time
	n        notification.Notification
}

// peek reads the head of the queue.
func (l *lane) peek(limit int) (items []queued, depth int64, err error) {
	err = l.e.store.View(func(tx *spool.Tx) error {
		items = nil
		depth = tx.Depth(l.target.Name)
		size := 0
		tx.Queue(l.target.Name, func(r spool.Record) bool {
			q := queued{seq: r.Seq, received: r.Received, wall: r.Wall}
			n, err := notification.Parse(r.Body)
			if err != nil {
				// It was readable when it came; whatever happened, somebody must learn that there was one.
				n = unreadable(r)
			}
			q.n = n
			items = append(items, q)
			size += len(r.Body)
			return len(items) < limit && size < l.mergeBytes
		})
		return nil
	})
	return items, depth, err
}

func unreadable(r spool.Record) notification.Notification {
	return notification.Notification{Status: notification.Firing, Alerts: []notification.Alert{{
		Status: notification.Firing, StartsAt: r.Wall,
		Labels:      map[string]string{"alertname": "RelayUnreadableNotification", "severity": "warning"},
		Annotations: map[string]string{"summary": "一条通知无法读取 a notification in the spool cannot be read", "description": fmt.Sprintf("seq %d", r.Seq)},
	}}}
}

// form makes messages of what waits in the queue, or returns how long to wait with it.
//
// Every accepted notification wakes the lane, thousands a second in a storm, so what can be decided
// without reading the queue comes first.
func (l *lane) form(ctx context.Context, now time.Duration, stuck int) (time.Duration, error) {
	mem, in := l.pick(nil, now)
	if stuck >= maxStuck {
		// What is stuck waits for a certain robot, and step knows for how long; that another one is free
		// is no reason to look again at once.
		in = idle
	}
	if mem != nil && stuck < maxStuck {
		if wait := l.hold(now, mem); wait > 0 {
			return wait, nil
		}
	} else if l.headKnown && l.head+l.channel.EscalateAfter.Std() > now {
		return min(in, l.head+l.channel.EscalateAfter.Std()-now), nil
	}
	few, depth, err := l.peek(l.target.Digest.Above)
	if err != nil || len(few) == 0 {
		l.inStorm = false
		return idle, err
	}
	l.head, l.headKnown = few[0].received, true
	left := l.head + l.channel.EscalateAfter.Std() - now
	if mem == nil || stuck >= maxStuck {
		if left <= 0 {
			// The channel has not come free in time; what waits goes on to the next one as a whole.
			return 0, l.formDigest(ctx, now, l.head)
		}
		return min(left, in), nil
	}
	d := l.target.Digest
	// Merge as soon as much of the limit is used.
	busy := mem.usage(now) >= 0.5
	if depth <= int64(d.Above) && (!busy || depth == 1) && distinct(few) {
		l.inStorm = false
		return 0, l.formDetail(ctx, now, few[0])
	}
	if !l.inStorm {
		l.inStorm, l.stormSince = true, now
		if wait := l.hold(now, mem); wait > 0 {
			return wait, nil
		}
	}
	return 0, l.formDigest(ctx, now, since(l.head, left, now))
}

// hold is how long to wait before the next message may be made: a pause after the last one, and in
// a storm until it settles.
func (l *lane) hold(now time.Duration, mem *member) time.Duration {
	d := l.target.Digest
	pause := d.Pause.Std()
	if mem.usage(now) >= 0.5 {
		pause = max(pause, mem.windowLength()/20)
	}
	if since := now - l.lastFormed; since < pause {
		return pause - since
	}
	if !l.inStorm {
		return 0
	}
	last, ok := l.e.lastArrival(l.target.Name)
	if !ok {
		return 0
	}
	return max(0, min(d.Settle.Std()-(now-last), d.MaxWait.Std()-(now-l.stormSince)))
}

// since is when a message counts as waiting on its channel. What waited longer than the channel has,
// because the relay was down, gets its chance now that a robot is free.
func since(received, left, now time.Duration) time.Duration {
	if left <= 0 {
		return now
	}
	return received
}

func (m *member) windowLength() time.Duration {
	if m.window == nil {
		return 0
	}
	return m.window.Length
}

// distinct tells whether no alert occurs in two of the notifications: what fired and resolved while
// waiting is told in one line, not in two messages.
func distinct(items []queued) bool {
	seen := map[string]bool{}
	for _, it := range items {
		own := map[string]bool{}
		for _, a := range it.n.Alerts {
			k := a.Key()
			if seen[k] {
				return false
			}
			own[k] = true
		}
		for k := range own {
			seen[k] = true
		}
	}
	return true
}

// formDetail makes one notification a message, or several where it is too long for one.
func (l *lane) formDetail(ctx context.Context, now time.Duration, q queued) error {
	at := since(q.received, q.received+l.channel.EscalateAfter.Std()-now, now)
	m := &Message{Target: l.target.Name, Channel: 0, Received: q.received, Wall: q.wall, Since: at, Seq: q.seq, Detail: &q.n}
	c := l.e.context(l.cfg, l.target, l.channel, m)
	content, fits, err := l.cfg.Texts.Detail(q.n, c)
	l.templateError(err)
	if !fits {
		return l.putDigest(ctx, now, at, []queued{q})
	}
	m.Content = &content
	return l.put(ctx, now, []*Message{m}, []uint64{q.seq})
}

// formDigest merges what waits. at is when it counts as having come to the channel.
func (l *lane) formDigest(ctx context.Context, now, at time.Duration) error {
	items, _, err := l.peek(maxMerge)
	if err != nil || len(items) == 0 {
		return err
	}
	return l.putDigest(ctx, now, at, items)
}

func (l *lane) putDigest(ctx context.Context, now, at time.Duration, items []queued) error {
	var merge []message.Item
	var seqs []uint64
	oldest := items[0]
	for _, it := range items {
		merge = append(merge, message.Item{Notification: it.n, Received: it.wall})
		seqs = append(seqs, it.seq)
		if it.received < oldest.received {
			oldest = it
		}
	}
	d := message.Merge(merge)
	base := Message{Target: l.target.Name, Received: oldest.received, Wall: oldest.wall, Since: at}
	c := l.e.context(l.cfg, l.target, l.channel, &base)
	parts, err := l.cfg.Texts.Pack(d, c, l.target.Digest.MaxMessages)
	l.templateError(err)
	var out []*Message
	for i := range parts {
		m := base
		m.Digest = &parts[i]
		out = append(out, &m)
	}
	l.e.Metrics.Digests.WithLabelValues(l.target.Name).Add(float64(len(parts)))
	l.e.Metrics.Digested.WithLabelValues(l.target.Name).Add(float64(d.Len()))
	l.inStorm = false
	return l.put(ctx, now, out, seqs)
}

// put moves notifications from the queue into messages, in one transaction.
func (l *lane) put(ctx context.Context, now time.Duration, messages []*Message, seqs []uint64) error {
	err := l.e.store.Update(ctx, func(tx *spool.Tx) error {
		for _, m := range messages {
			id, err := tx.NextID()
			if err != nil {
				return err
			}
			m.ID = id
			if err := tx.Put(collectionOutbox, id, m); err != nil {
				return err
			}
		}
		return tx.Dequeue(l.target.Name, seqs)
	})
	if errors.Is(err, spool.ErrFull) {
		l.mergeBytes = max(l.mergeBytes/4, 1)
	}
	if err != nil {
		return err
	}
	l.mergeBytes = min(2*l.mergeBytes, l.e.mergeLimit())
	l.outbox = append(l.outbox, messages...)
	l.lastFormed, l.headKnown = now, false
	return nil
}

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

	"lookout/app/relay/internal/channel"
	"lookout/app/relay/internal/config"
	"lookout/app/relay/internal/message"
	"lookout/app/relay/internal/notification"
	"lookout/app/relay/internal/spool"
)

const (
	// maxMerge and maxMergeBytes bound what one digest is made of, and with it the memory.
	maxMerge      = 1000
	maxMergeBytes = 2 << 20
	// maxLoaded and maxLoadedBytes bound the messages that a box keeps in memory; further ones wait in the
	// spool.
	maxLoaded      = 32
	maxLoadedBytes = 1 << 20
	// maxStuck is how many messages of a lane may wait for one certain robot while others go on.
	maxStuck = 4
	// maxUnknown is how often an answer that nothing is known about is worth another try.
	maxUnknown = 5
	// maxRow is how many urgent messages go out in a row while others wait as well.
	maxRow = 4
	// idle is how long a lane sleeps when nothing wakes it earlier.
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

	dirty atomic.Bool
	// boxes hold what is urgent and what is not.
	boxes [2]*box
	// sent is what is to be kept of the answer that is acted on.
	sent *Sent
	// row is how many urgent messages were sent since one that is not.
	row int

	lastFormed, lastSent time.Duration
	// mergeBytes bounds the next digest: less than maxMergeBytes while the disk is so full that moving
	// more at once finds no room.
	mergeBytes int
}

// box is what waits on a lane, the urgent or the rest.
type box struct {
	urgent bool
	// queue is its name in the spool, for notifications that are not yet a message; outbox for messages.
	queue, outbox string
	loaded        []*Message
	// more is set while the spool may hold messages that are not loaded.
	more bool

	stormSince time.Duration
	inStorm    bool
	// head is when the oldest in the queue was accepted.
	head      time.Duration
	headKnown bool
}

func newLane(e *Engine, c *config.Config, t *config.Target, index int) *lane {
	l := &lane{e: e, cfg: c, target: t, index: index, channel: t.Channels[index], wake: make(chan struct{}, 1),
		lastFormed: -time.Hour, lastSent: -time.Hour, mergeBytes: e.mergeLimit()}
	l.log = e.log.With("target", t.Name, "channel", l.channel.Label())
	for i, urgent := range []bool{true, false} {
		l.boxes[i] = &box{urgent: urgent, outbox: outboxOf(t.Name, index, urgent)}
		if index == 0 {
			l.boxes[i].queue = queueOf(t.Name, urgent)
		}
	}
	l.dirty.Store(true)
	return l
}

func (l *lane) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		l.e.steps.Add(1)
		wait, err := l.step(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			l.log.Error("spool error, delivery paused", "error", err)
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
	if !l.e.delivers() {
		// The other relay does now, or it will be known in a moment.
		return 100 * time.Millisecond, nil
	}
	reload := l.dirty.Swap(false)
	for _, b := range l.boxes {
		if reload || b.more && len(b.loaded) == 0 {
			if err := l.load(ctx, b); err != nil {
				l.dirty.Store(true)
				return 0, err
			}
		}
	}
	now := l.e.store.Steady()
	wait := idle
	for _, b := range l.boxes {
		for _, m := range b.loaded {
			in, done, err := l.handOver(ctx, b, m, now)
			if done || err != nil {
				return 0, err
			}
			wait = min(wait, in)
		}
	}
	// What is urgent goes first, but not for ever.
	order := l.boxes
	if l.row >= maxRow {
		order[0], order[1] = order[1], order[0]
	}
	for _, b := range order {
		in, sent, err := l.sendFrom(ctx, b, now)
		if sent || err != nil {
			return 0, err
		}
		wait = min(wait, in)
	}
	return wait, nil
}

// handOver gives a message to the next channel if its time on this one is over, or is sure to pass before
// anything can be sent here. Otherwise it returns when to look again.
func (l *lane) handOver(ctx context.Context, b *box, m *Message, now time.Duration) (time.Duration, bool, error) {
	after := l.channel.EscalateAfter.Std()
	mem, in := l.pick(m, now, b.urgent)
	left := m.Since + after - now
	late := left <= 0 && (mem == nil || m.Attempts > 0)
	paused := mem == nil && in > after && l.index+1 < len(l.target.Channels)
	if (late || paused) && l.index+1 < len(l.target.Channels) && now-m.Since < takenLasts && l.e.allTaken(m) {
		// Someone takes care of it: no one else has to be called.
		return max(m.Since+takenLasts-now, time.Millisecond), false, nil
	}
	if late {
		return 0, true, l.escalate(ctx, b, m, "timeout", fmt.Sprintf("%s 未送达 undelivered for %s: %s", l.channel.Label(), after, m.lastFailure()))
	}
	if paused {
		return 0, true, l.escalate(ctx, b, m, "timeout", fmt.Sprintf("%s 暂停发送 paused for another %s: %s", l.channel.Label(), in.Round(time.Second), m.lastFailure()))
	}
	return max(left, time.Millisecond), false, nil
}

// sendFrom sends the first message of a box that can be sent, or makes one of what waits in its queue.
func (l *lane) sendFrom(ctx context.Context, b *box, now time.Duration) (time.Duration, bool, error) {
	wait, stuck := idle, 0
	for _, m := range b.loaded {
		mem, in := l.pick(m, now, b.urgent)
		if mem == nil {
			wait = min(wait, in)
			stuck++
			continue
		}
		if in := l.lastSent + l.pause(now, mem) - now; l.index > 0 && m.fresh() && in > 0 {
			// What comes meanwhile can be merged with it.
			wait = min(wait, in)
			break
		}
		if l.mergeable(b) {
			merged, err := l.merge(ctx, b)
			if merged || err != nil {
				return 0, true, err
			}
		}
		return 0, true, l.attempt(ctx, b, m, mem)
	}
	if b.queue == "" {
		return wait, false, nil
	}
	in, err := l.form(ctx, b, now, stuck)
	if in <= 0 && err == nil {
		return 0, true, nil
	}
	return min(wait, in), false, err
}

// load reads the first messages of a box.
func (l *lane) load(ctx context.Context, b *box) error {
	var bad []uint64
	err := l.e.store.View(func(tx *spool.Tx) error {
		b.loaded, b.more = nil, false
		size := 0
		return tx.Each(b.outbox, func(id uint64, raw []byte) error {
			if len(b.loaded) >= maxLoaded || size > maxLoadedBytes {
				b.more = true
				return spool.Stop
			}
			var m Message
			if json.Unmarshal(raw, &m) != nil {
				bad = append(bad, id)
				return nil
			}
			// Where it lies is what counts.
			m.ID, m.Target, m.Channel, m.Urgent = id, l.target.Name, l.index, b.urgent
			b.loaded = append(b.loaded, &m)
			size += len(raw)
			return nil
		})
	})
	if err != nil || len(bad) == 0 {
		return err
	}
	l.e.damaged(b.outbox, len(bad))
	return l.e.store.Update(ctx, func(tx *spool.Tx) error {
		for _, id := range bad {
			if err := tx.PutAside(b.outbox, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// pick finds the member to send a message by, or how long until there is one.
func (l *lane) pick(m *Message, now time.Duration, urgent bool) (*member, time.Duration) {
	wait := idle
	for i := range l.members {
		mem := l.members[(l.turn+i)%len(l.members)]
		if m != nil && (m.Robot != "" && m.Robot != mem.id && l.has(m.Robot) || slices.Contains(m.RefusedBy, mem.id)) {
			continue
		}
		in := mem.available(now, urgent)
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

// fresh tells a message that nobody was asked to show yet.
func (m *Message) fresh() bool { return m.Attempts == 0 && m.Robot == "" && !m.Ambiguous }

// mergeable tells whether more waits than is worth a message each, and something that was not merged yet.
func (l *lane) mergeable(b *box) bool {
	fresh, packed := 0, 0
	for _, m := range b.loaded {
		if !m.fresh() {
			continue
		}
		if m.Packed {
			packed++
		} else {
			fresh++
		}
	}
	return fresh > 0 && fresh+packed > l.target.Digest.Above || b.more && fresh > 1
}

// merge makes as few messages as possible of those that wait, in the order they came.
func (l *lane) merge(ctx context.Context, b *box) (bool, error) {
	var ids []uint64
	var digests []message.Digest
	var base Message
	anyFresh := false
	reasons := map[string]int{}
	err := l.e.store.View(func(tx *spool.Tx) error {
		size := 0
		return tx.Each(b.outbox, func(id uint64, raw []byte) error {
			var m Message
			if json.Unmarshal(raw, &m) != nil || !m.fresh() {
				return nil
			}
			if len(ids) > 0 && size+len(raw) > l.mergeBytes || len(ids) >= maxMerge {
				return spool.Stop
			}
			size += len(raw)
			ids = append(ids, id)
			digests = append(digests, m.digest())
			anyFresh = anyFresh || !m.Packed
			reasons[m.Escalated]++
			if len(ids) == 1 {
				base = m
				return nil
			}
			base.Received = min(base.Received, m.Received)
			base.Latest = max(base.latest(), m.latest())
			base.Also = append(base.Also, m.Also...)
			if m.Wall.Before(base.Wall) {
				base.Wall = m.Wall
			}
			if l.index+1 < len(l.target.Channels) {
				base.Since = min(base.Since, m.Since)
			} else {
				// What comes on the last channel has its whole time there.
				base.Since = max(base.Since, m.Since)
			}
			base.Offered = base.Offered && m.Offered
			base.Failures = m.Failures
			return nil
		})
	})
	if err != nil || len(ids) < 2 || !anyFresh {
		return false, err
	}
	for reason, n := range reasons {
		if n > reasons[base.Escalated] {
			base.Escalated = reason
		}
	}
	base.Seq, base.Detail, base.Content, base.Packed, base.Nonce, base.Replaces = 0, nil, nil, true, "", ""
	parts := l.pack(base, message.Combine(digests))
	err = l.e.store.Update(ctx, func(tx *spool.Tx) error {
		for i, p := range parts {
			// In the place of those that came first, so that what comes later is still later.
			p.ID = 0
			if i < len(ids) {
				p.ID = ids[i]
			}
			if err := l.e.save(tx, p); err != nil {
				return err
			}
		}
		for _, id := range ids[min(len(parts), len(ids)):] {
			if err := tx.Delete(b.outbox, id); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, spool.ErrFull) {
		l.mergeBytes = max(l.mergeBytes/4, 1)
	}
	if err != nil {
		return false, err
	}
	l.mergeBytes = min(2*l.mergeBytes, l.e.mergeLimit())
	l.log.Info("merged what waits", "messages", len(ids), "into", len(parts))
	return true, l.load(ctx, b)
}

// pack makes the messages of a digest as this channel takes them.
func (l *lane) pack(base Message, d message.Digest) []*Message {
	c := l.e.context(l.cfg, l.target, l.channel, &base)
	parts, err := l.texts().Pack(d, c, l.target.Digest.MaxMessages)
	l.templateError(err)
	var out []*Message
	also := l.e.unlisted(base, d, parts)
	for i := range parts {
		m := base
		if m.Also = nil; i == len(parts)-1 {
			m.Also = also
		}
		m.Digest, m.Detail, m.Content, m.Packed = &parts[i], nil, nil, true
		m.Failures = slices.Clone(base.Failures)
		out = append(out, &m)
	}
	l.e.Metrics.Digests.WithLabelValues(l.target.Name).Add(float64(len(parts)))
	return out
}

// prepare makes the message's content for this channel if it has none yet. A digest that has become too long,
// by the reason it was escalated for or by a channel that takes less, becomes several messages; then
// it returns those.
func (l *lane) prepare(m *Message) []*Message {
	if m.Content != nil {
		return nil
	}
	if m.Nonce == "" && m.Attempts == 0 {
		m.Nonce = newNonce()
	}
	c := l.e.context(l.cfg, l.target, l.channel, m)
	if m.Detail != nil {
		content, fits, err := l.texts().Detail(*m.Detail, c)
		l.templateError(err)
		if fits {
			m.Content = &content
			return nil
		}
		d := message.Merge([]message.Item{{Notification: *m.Detail, Received: m.Wall}})
		m.Digest, m.Detail = &d, nil
	}
	content, fits, err := l.texts().Fits(*m.Digest, c)
	if !fits {
		if parts := l.pack(*m, *m.Digest); len(parts) > 1 {
			return parts
		}
		// One line alone is too long.
		content, err = l.texts().Digest(*m.Digest, c)
	}
	l.templateError(err)
	m.Content = &content
	return nil
}

// texts are the target's templates.
func (l *lane) texts() *message.Templates { return l.cfg.TextsOf(l.target) }

func (l *lane) templateError(err error) {
	if err != nil {
		l.e.Metrics.TemplateErr.Inc()
		l.log.Error("a template failed; the built-in one was used", "error", err)
	}
}

// attempt sends one message by one member and acts on the answer.
func (l *lane) attempt(ctx context.Context, b *box, m *Message, mem *member) error {
	if parts := l.prepare(m); parts != nil {
		return l.replace(ctx, b, m, nil, parts)
	}
	now := l.e.store.Steady()
	if !mem.acquire(now, b.urgent) {
		// Another target was quicker.
		return nil
	}
	call, ok := l.e.reserveCall(ctx, mem)
	if !ok {
		mem.cancel()
		return nil
	}
	l.turn++
	l.lastSent = now
	if b.urgent {
		l.row++
	} else {
		l.row = 0
	}
	before := *m
	m.Robot, m.Ambiguous = mem.id, true
	m.Attempts++
	// What is about to happen is on disk before it happens: after a crash the same message goes to the
	// same robot under the same msgUuid, and the call counts against the limit.
	if err := l.e.store.Update(ctx, func(tx *spool.Tx) error {
		if err := mem.put(tx); err != nil {
			return err
		}
		return l.e.save(tx, m)
	}); err != nil {
		*m = before
		mem.release(l.e.store.Steady(), call != 0, channel.Answer{Outcome: channel.Delivered})
		l.e.ended(call)
		return err
	}
	if m.Attempts > 1 {
		l.e.Metrics.Retries.WithLabelValues(l.target.Name, mem.id).Inc()
	}
	// Not ctx: a send that has begun is brought to its end, so that its answer is known.
	sendCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mem.timeout)
	answer := mem.sender.Send(sendCtx, channel.Message{
		ID: m.uuid(l.e.store.Salt(), mem.id), Content: *m.Content, Repeated: before.Ambiguous,
		Target: l.target.Name, Escalated: m.Escalated, Notification: m.notification, Buttons: l.e.buttons(l, m),
	})
	cancel()
	l.e.ended(call)
	answer.Reason = l.cfg.Redact(answer.Reason)
	if answer.Unknown || answer.Code == channel.CodeHTTP4xx && answer.Outcome == channel.Retry {
		if m.Unknown++; m.Unknown >= maxUnknown {
			answer.Outcome = channel.Refused
		}
	}
	quota := mem.release(l.e.store.Steady(), call != 0, answer)
	l.e.Metrics.Deliveries.WithLabelValues(l.target.Name, mem.id, string(answer.Outcome), answer.Code).Inc()

	if answer.Outcome != channel.Delivered {
		m.fail(Failure{At: l.e.store.Wall(), Channel: mem.id, Code: answer.Code, Reason: answer.Reason, Meaning: answer.Meaning})
	}
	l.sent = l.sentOf(m, mem, answer)
	// Whatever has to be written now must be written even when the relay is being stopped; until it is,
	// nothing else of this lane happens, since the message would be sent once more.
	write := context.WithoutCancel(ctx)
	for {
		err := l.settle(write, b, m, mem, answer, before.Ambiguous)
		if err == nil || errors.Is(err, spool.ErrClosed) {
			l.sent = nil
			if quota != nil {
				l.e.tellQuota(write, l, *quota)
			}
			return err
		}
		l.log.Error("cannot persist the answer to a message", "error", err, "message", m.ID)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

// settle acts on an answer.
func (l *lane) settle(ctx context.Context, b *box, m *Message, mem *member, a channel.Answer, wasAmbiguous bool) error {
	log := l.log.With("message", m.ID, "member", mem.id, "outcome", string(a.Outcome), "errcode", a.Code, "attempt", m.Attempts)
	if a.Outcome == channel.Delivered {
		if err := l.replace(ctx, b, m, mem, nil); err != nil {
			return err
		}
		latency := l.e.store.Steady() - m.Received
		l.e.Metrics.Latency.WithLabelValues(l.target.Name).Observe(latency.Seconds())
		if a.Note != "" {
			log = log.With("note", a.Note)
		}
		log.Info("delivered", "alerts", m.alerts(), "latency", latency.Round(time.Millisecond).String(), "digest", m.Digest != nil)
		if !m.Offered {
			l.e.offerDead(ctx, l.target.Name)
		}
		return nil
	}
	log = log.With("reason", a.Reason)
	switch a.Outcome {
	case channel.Retry:
		m.Ambiguous = wasAmbiguous || a.Ambiguous
		if !m.Ambiguous {
			m.Robot = ""
		}
		log.Warn("not delivered, will be retried")
		return l.keep(ctx, m, mem)
	case channel.Throttled, channel.Quota:
		m.Ambiguous = wasAmbiguous
		if !m.Ambiguous {
			m.Robot = ""
		}
		rest, _, _ := mem.state(l.e.store.Steady())
		log.Warn("rate limited, backing off", "wait", rest.Round(time.Second).String())
		if !m.Ambiguous && l.index == 0 && m.Escalated == "" && m.Seq != 0 {
			return l.requeue(ctx, b, m, mem)
		}
		return l.keep(ctx, m, mem)
	case channel.Split:
		parts, ok := l.halve(m, wasAmbiguous)
		if !ok {
			break
		}
		log.Warn("too long, goes out in parts", "parts", len(parts))
		return l.replace(ctx, b, m, mem, parts)
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
	return l.escalate(ctx, b, m, "refused", fmt.Sprintf("%s 拒绝 refused: %s", mem.id, a.Ours()))
}

func (l *lane) putMember(ctx context.Context, mem *member) error {
	return l.e.store.Update(ctx, func(tx *spool.Tx) error { return l.note(tx, mem) })
}

// keep writes the message back as it is now.
func (l *lane) keep(ctx context.Context, m *Message, mem *member) error {
	return l.e.store.Update(ctx, func(tx *spool.Tx) error {
		if err := l.note(tx, mem); err != nil {
			return err
		}
		return l.e.save(tx, m)
	})
}

// replace takes the message out, putting others in its place.
func (l *lane) replace(ctx context.Context, b *box, m *Message, mem *member, instead []*Message) error {
	err := l.e.store.Update(ctx, func(tx *spool.Tx) error {
		if mem != nil {
			if err := l.note(tx, mem); err != nil {
				return err
			}
			if len(instead) == 0 {
				if mem.org != nil {
					if err := l.e.putShared(tx, share(sharedQuota, mem.org.name, mem.org.snapshot())); err != nil {
						return err
					}
				}
				if err := l.e.putTold(tx, m, l.sent); err != nil {
					return err
				}
			}
		}
		for i, p := range instead {
			p.ID, p.Nonce = 0, ""
			if i == 0 {
				p.ID = m.ID
			}
			if err := l.e.save(tx, p); err != nil {
				return err
			}
		}
		if len(instead) > 0 {
			return nil
		}
		return tx.Delete(b.outbox, m.ID)
	})
	if err != nil {
		return err
	}
	if len(instead) > 0 {
		return l.load(ctx, b)
	}
	b.forget(m)
	l.e.wakeTeller()
	return nil
}

func (b *box) forget(m *Message) {
	b.loaded = slices.DeleteFunc(b.loaded, func(o *Message) bool { return o.ID == m.ID })
}

// requeue gives back to the queue what was surely not shown and has to wait long, so that it is
// merged with what comes meanwhile.
func (l *lane) requeue(ctx context.Context, b *box, m *Message, mem *member) error {
	body, err := json.Marshal(m.notification())
	if err != nil {
		return l.keep(ctx, m, mem)
	}
	err = l.e.store.Update(ctx, func(tx *spool.Tx) error {
		if err := l.note(tx, mem); err != nil {
			return err
		}
		if err := tx.Requeue(b.queue, m.Seq, m.Received, m.Wall, body); err != nil {
			return err
		}
		return tx.Delete(b.outbox, m.ID)
	})
	if err == nil {
		b.forget(m)
		b.headKnown = false
	}
	return err
}

// halve divides a message that was too long. Where an earlier answer left open whether it was shown, only the
// robot that may have shown it gets the parts.
func (l *lane) halve(m *Message, uncertain bool) ([]*Message, bool) {
	part := func(d message.Digest) *Message {
		p := *m
		p.Detail, p.Digest, p.Content, p.Seq, p.Packed, p.Attempts = nil, &d, nil, 0, true, 0
		p.Failures = slices.Clone(m.Failures)
		if !uncertain {
			p.Robot, p.Ambiguous = "", false
		}
		return &p
	}
	if m.Digest == nil {
		merged := message.Merge([]message.Item{{Notification: *m.Detail, Received: m.Wall}})
		if len(merged.Entries) == 1 {
			// One alert with everything about it was too long; the short form of it may fit.
			return []*Message{part(merged)}, true
		}
		m.Digest = &merged
	}
	halves, ok := message.Halve(*m.Digest)
	if !ok {
		return nil, false
	}
	first, second := part(halves[0]), part(halves[1])
	// What is counted stands in the second.
	first.Also = nil
	return []*Message{first, second}, true
}

// escalate hands a message to the next channel, or makes it a dead letter.
func (l *lane) escalate(ctx context.Context, b *box, m *Message, cause, reason string) error {
	next := l.index + 1
	if next >= len(l.target.Channels) {
		err := l.e.store.Update(ctx, func(tx *spool.Tx) error {
			if err := tx.Delete(b.outbox, m.ID); err != nil {
				return err
			}
			id, err := tx.NextID()
			if err != nil {
				return err
			}
			dead := DeadLetter{Message: *m, Died: l.e.store.Wall(), Reason: reason}
			dead.ID = id
			return tx.Put(collectionDead, id, dead)
		})
		if err != nil {
			return err
		}
		b.forget(m)
		l.e.Metrics.DeadLetters.WithLabelValues(l.target.Name, cause).Inc()
		l.log.Error("dead letter: no channel delivered it", "message", m.ID, "alerts", m.alerts(), "reason", reason, "remedy", "relay dead list; relay dead resend")
		return nil
	}
	moved := *m
	moved.Channel, moved.Since, moved.Attempts, moved.Unknown = next, l.e.store.Steady(), 0, 0
	moved.Content, moved.Robot, moved.Ambiguous, moved.RefusedBy, moved.Seq, moved.Packed = nil, "", false, nil, 0, false
	moved.Escalated = reason
	if err := l.e.store.Update(ctx, func(tx *spool.Tx) error {
		if err := tx.Delete(b.outbox, m.ID); err != nil {
			return err
		}
		return l.e.save(tx, &moved)
	}); err != nil {
		return err
	}
	b.forget(m)
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
	bad      bool
}

// peek reads the head of a queue.
func (e *Engine) peek(queue string, limit, bytes int) (items []queued, depth int64, err error) {
	err = e.store.View(func(tx *spool.Tx) error {
		items = nil
		depth = tx.Depth(queue)
		size := 0
		tx.Queue(queue, func(r spool.Record) bool {
			q := queued{seq: r.Seq, received: min(r.Received, e.store.Steady()), wall: r.Wall}
			n, err := notification.Parse(r.Body)
			if err != nil {
				// It was readable when it came; whatever happened, someone must learn that there was one.
				n, q.bad = unreadable(r), true
			}
			q.n = n
			items = append(items, q)
			size += len(r.Body)
			return len(items) < limit && size < bytes
		})
		return nil
	})
	return items, depth, err
}

func unreadable(r spool.Record) notification.Notification {
	return notification.Notification{Status: notification.Firing, Alerts: []notification.Alert{{
		Status: notification.Firing, StartsAt: r.Wall,
		Labels:      map[string]string{"alertname": "RelayUnreadableNotification", "severity": "warning", "seq": fmt.Sprint(r.Seq)},
		Annotations: map[string]string{"summary": "一条通知已损坏，无法读取 a notification in the spool is damaged and cannot be read", "description": fmt.Sprintf("seq %d", r.Seq)},
	}}}
}

// form makes messages of what waits in the queue, or returns how long to wait with it.
//
// Every accepted notification wakes the lane, thousands a second in a storm, so what can be decided
// without reading the queue comes first.
func (l *lane) form(ctx context.Context, b *box, now time.Duration, stuck int) (time.Duration, error) {
	after := l.channel.EscalateAfter.Std()
	next := l.index+1 < len(l.target.Channels)
	mem, in := l.pick(nil, now, b.urgent)
	if stuck >= maxStuck {
		// What is stuck waits for a certain robot, and step knows for how long; that another one is free
		// is no reason to look again at once.
		mem, in = nil, idle
	}
	if mem != nil {
		if wait := l.hold(b, now, mem); wait > 0 {
			return wait, nil
		}
	} else if left := b.head + after - now; b.headKnown && left > 0 && (!next || stuck >= maxStuck || in <= after) {
		return min(in, left), nil
	}
	few, depth, err := l.e.peek(b.queue, l.target.Digest.Above, l.mergeBytes)
	if err != nil || len(few) == 0 {
		b.inStorm = false
		return idle, err
	}
	b.head, b.headKnown = few[0].received, true
	left := b.head + after - now
	if mem == nil {
		if left <= 0 || next && stuck < maxStuck && in > after {
			// The channel has not come free in time, or is sure not to; what waits goes on to the next one.
			return 0, l.formDigest(ctx, b, now, b.head)
		}
		return min(left, in), nil
	}
	d := l.target.Digest
	// Merge as soon as much of the limit is used. What is urgent has places of its own.
	busy := !b.urgent && mem.usage(now) >= 0.5
	if depth <= int64(d.Above) && (!busy || depth == 1) && distinct(few) {
		b.inStorm = false
		return 0, l.formDetail(ctx, b, now, few[0])
	}
	if !b.inStorm {
		b.inStorm, b.stormSince = true, now
		if wait := l.hold(b, now, mem); wait > 0 {
			return wait, nil
		}
	}
	return 0, l.formDigest(ctx, b, now, since(b.head, left, now))
}

// pause is the least time between two messages: longer once half of the limit is used, so that the rest of it
// lasts for the rest of the window.
func (l *lane) pause(now time.Duration, mem *member) time.Duration {
	if mem.usage(now) >= 0.5 {
		return max(l.target.Digest.Pause.Std(), mem.spacing())
	}
	return l.target.Digest.Pause.Std()
}

// hold is how long to wait before the next message may be made: a pause after the last one, and in
// a storm until it settles.
func (l *lane) hold(b *box, now time.Duration, mem *member) time.Duration {
	d := l.target.Digest
	pause, settle, most := l.pause(now, mem), d.Settle.Std(), d.MaxWait.Std()
	if b.urgent {
		settle, most = min(settle, time.Second), min(most, 3*time.Second)
	}
	if since := now - l.lastFormed; since < pause {
		return pause - since
	}
	if !b.inStorm {
		return 0
	}
	last, ok := l.e.lastArrival(b.queue)
	if !ok {
		return 0
	}
	return max(0, min(settle-(now-last), most-(now-b.stormSince)))
}

// since is when a message counts as waiting on its channel. What waited longer than the channel has,
// because the relay was down, gets its chance now that a robot is free.
func since(received, left, now time.Duration) time.Duration {
	if left <= 0 {
		return now
	}
	return received
}

// spacing is the time between two calls that use up the longest window evenly.
func (m *member) spacing() time.Duration {
	if len(m.windows) == 0 {
		return 0
	}
	return m.windows[0].Length / time.Duration(m.places(m.windows[0].Limit))
}

// distinct tells whether no alert occurs in two of the notifications: what fired and resolved while
// waiting is one line, not two messages.
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
func (l *lane) formDetail(ctx context.Context, b *box, now time.Duration, q queued) error {
	at := since(q.received, q.received+l.channel.EscalateAfter.Std()-now, now)
	m := &Message{Target: l.target.Name, Urgent: b.urgent, Received: q.received, Wall: q.wall, Since: at, Seq: q.seq, Detail: &q.n, Nonce: newNonce()}
	c := l.e.context(l.cfg, l.target, l.channel, m)
	content, fits, err := l.texts().Detail(q.n, c)
	l.templateError(err)
	if !fits {
		return l.putDigest(ctx, b, now, at, []queued{q})
	}
	m.Content = &content
	return l.put(ctx, b, now, []*Message{m}, []queued{q})
}

// formDigest merges what waits. at is when it counts as having come to the channel.
func (l *lane) formDigest(ctx context.Context, b *box, now, at time.Duration) error {
	items, _, err := l.e.peek(b.queue, maxMerge, l.mergeBytes)
	if err != nil || len(items) == 0 {
		return err
	}
	return l.putDigest(ctx, b, now, at, items)
}

func (l *lane) putDigest(ctx context.Context, b *box, now, at time.Duration, items []queued) error {
	d, oldest := mergeQueued(items)
	base := Message{Target: l.target.Name, Urgent: b.urgent, Received: oldest.received, Wall: oldest.wall, Since: at}
	for _, it := range items {
		base.Latest = max(base.Latest, it.received)
	}
	out := l.pack(base, d)
	l.e.Metrics.Digested.WithLabelValues(l.target.Name).Add(float64(d.Len()))
	b.inStorm = false
	return l.put(ctx, b, now, out, items)
}

func mergeQueued(items []queued) (message.Digest, queued) {
	var merge []message.Item
	oldest := items[0]
	for _, it := range items {
		merge = append(merge, message.Item{Notification: it.n, Received: it.wall})
		if it.received < oldest.received {
			oldest = it
		}
	}
	return message.Merge(merge), oldest
}

// dequeue takes what was made into messages out of a queue; what could not be read is kept aside.
func (e *Engine) dequeue(tx *spool.Tx, queue string, items []queued) error {
	var seqs []uint64
	for _, it := range items {
		if it.bad {
			if err := tx.PutAsideQueued(queue, it.seq); err != nil {
				return err
			}
		}
		seqs = append(seqs, it.seq)
	}
	return tx.Dequeue(queue, seqs)
}

// put moves notifications from the queue into messages, in one transaction.
func (l *lane) put(ctx context.Context, b *box, now time.Duration, messages []*Message, items []queued) error {
	err := l.e.store.Update(ctx, func(tx *spool.Tx) error {
		for _, m := range messages {
			m.ID = 0
			if err := l.e.save(tx, m); err != nil {
				return err
			}
		}
		return l.e.dequeue(tx, b.queue, items)
	})
	if errors.Is(err, spool.ErrFull) {
		l.mergeBytes = max(l.mergeBytes/4, 1)
	}
	if err != nil {
		return err
	}
	for _, it := range items {
		if it.bad {
			l.e.damaged("queue", 1)
		}
	}
	l.mergeBytes = min(2*l.mergeBytes, l.e.mergeLimit())
	if b.more {
		l.dirty.Store(true)
	} else {
		b.loaded = append(b.loaded, messages...)
	}
	l.lastFormed, b.headKnown = now, false
	return nil
}

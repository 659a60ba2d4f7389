package delivery

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"lookout/app/relay/internal/channel"
	"lookout/app/relay/internal/message"
	"lookout/app/relay/internal/notification"
	"lookout/app/relay/internal/pair"
	"lookout/app/relay/internal/spool"
)

const (
	collectionTold = "told"
	// maxTold bounds what waits to be written down for the other relay; the oldest goes, and may then be shown twice.
	maxTold = 50_000
	// coverPortion and coverBytes bound what is compared at once with what was told.
	coverPortion = 500
	coverBytes   = 1 << 20
	// offersAtOnce bounds the notifications that wait to be handed over, offerAgain is when one is offered once more
	// that was taken and is still not told.
	offersAtOnce = 200
	offerAgain   = time.Hour
	// pairMemory is for how long it is known what people were told: longer than a message waits anywhere.
	pairMemory = 48 * time.Hour
	// callMemory is how far back calls of the other relay count: no robot's window is longer.
	callMemory = time.Hour
	// maxHeld bounds the alerts that are known to be on this relay's disk.
	maxHeld = 100_000
)

// state is a state of an alert, as both relays of a pair know it.
type state struct {
	Alert    string `json:"a"`
	Starts   int64  `json:"s,omitempty"`
	Resolved bool   `json:"r,omitempty"`
}

func (s state) key() (k pair.Key) {
	raw, _ := base64.RawURLEncoding.DecodeString(s.Alert)
	copy(k[:], raw)
	return k
}

// short identifies the state among those that are held.
func (s state) short() uint64 {
	h := sha256.New()
	fmt.Fprintf(h, "%s %d %t", s.Alert, s.Starts, s.Resolved)
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// told is what is written down of a message that was delivered.
type told struct {
	States []state `json:"states"`
	// At is when the newest notification in it was accepted.
	At time.Duration `json:"at"`
	// Shared is something else that the other relay has to know.
	Shared []shared `json:"shared,omitempty"`
}

// shared is what one relay tells the other: an answer of a robot (by its reference), who takes an alert (by its hash), a
// heartbeat that is missing, the use of a quota.
type shared struct {
	Kind string          `json:"kind"`
	Name string          `json:"name"`
	Body json.RawMessage `json:"body"`
}

// Kinds of what is shared.
const (
	sharedSent  = "sent"
	sharedTaken = "taken"
	sharedBeat  = "beat"
	sharedQuota = "quota"
)

func share(kind, name string, v any) shared { return shared{kind, name, channel.JSON(v)} }

// putShared writes down what the other relay has to know, to be told when PostgreSQL answers.
func (e *Engine) putShared(tx *spool.Tx, list ...shared) error {
	if e.pair == nil || len(list) == 0 {
		return nil
	}
	return e.putRecord(tx, told{Shared: list})
}

// latest is when the newest notification in the message was accepted.
func (m *Message) latest() time.Duration { return max(m.Latest, m.Received) }

// stateOf is an alert's state for the pair. Senders that are configured as one are one.
func (e *Engine) stateOf(target string, a notification.Alert) state {
	origin := strings.TrimRight(a.Origin, "/")
	if p := e.Config().Pair; p != nil && slices.Contains(p.Origins, origin) {
		origin = ""
	}
	a.Origin = origin
	sum := sha256.Sum256([]byte(target + "\x00" + a.Key()))
	s := state{Alert: base64.RawURLEncoding.EncodeToString(sum[:16]), Resolved: a.Status == notification.Resolved}
	if !a.StartsAt.IsZero() {
		s.Starts = a.StartsAt.UnixNano()
	}
	return s
}

// entryStates are the states that a digest's entry tells.
func (e *Engine) entryStates(target string, en message.Entry) []state {
	s := e.stateOf(target, en.Alert)
	if en.State != message.Flapped {
		return []state{s}
	}
	fired, over := s, s
	fired.Resolved, over.Resolved = false, true
	return []state{fired, over}
}

// statesOf are the states that a message tells.
func (e *Engine) statesOf(m *Message) []state {
	out := slices.Clone(m.Also)
	if m.Detail != nil {
		for _, a := range m.Detail.Alerts {
			out = append(out, e.stateOf(m.Target, a))
		}
	}
	if m.Digest != nil {
		for _, en := range m.Digest.Entries {
			out = append(out, e.entryStates(m.Target, en)...)
		}
	}
	return out
}

// unlisted are the states of a digest that none of its parts lists.
func (e *Engine) unlisted(base Message, d message.Digest, parts []message.Digest) []state {
	if e.pair == nil {
		return nil
	}
	missing := map[state]bool{}
	for _, s := range base.Also {
		missing[s] = true
	}
	for _, en := range d.Entries {
		for _, s := range e.entryStates(base.Target, en) {
			missing[s] = true
		}
	}
	for _, p := range parts {
		for _, en := range p.Entries {
			for _, s := range e.entryStates(base.Target, en) {
				delete(missing, s)
			}
		}
	}
	var out []state
	for s := range missing {
		out = append(out, s)
	}
	return out
}

// delivers tells whether this relay may send now.
func (e *Engine) delivers() bool { return e.pair == nil || e.pair.Delivers() }

// Pair is this relay's part in its pair, nil for a relay alone.
func (e *Engine) Pair() *pair.Pair { return e.pair }

func (e *Engine) partChanged() <-chan struct{} {
	if e.pair == nil {
		return nil
	}
	return e.pair.Changed()
}

// reserveCall asks for a call that is about to be made. Without a limit there is nothing to share but the lease.
func (e *Engine) reserveCall(ctx context.Context, mem *member) (call int64, ok bool) {
	if e.pair == nil {
		return 0, true
	}
	return e.pair.Reserve(ctx, mem.pairedAs(), mem.timeout)
}

// pairedAs names the peer in both relays.
func (m *member) pairedAs() string {
	if m.paired != "" {
		return m.paired
	}
	return m.id
}

// ended notes that a call is over.
func (e *Engine) ended(call int64) {
	if e.pair == nil || call == 0 {
		return
	}
	e.callsMu.Lock()
	e.calls = append(e.calls, call)
	e.callsMu.Unlock()
	e.wakeTeller()
}

// putTold writes down, in the transaction that takes a delivered message out, what the other relay has to know.
func (e *Engine) putTold(tx *spool.Tx, m *Message, sent *Sent) error {
	if e.pair == nil {
		return nil
	}
	t := told{States: e.statesOf(m), At: m.latest()}
	if sent != nil && sent.Ref != "" {
		t.Shared = append(t.Shared, share(sharedSent, sent.Ref, sent))
	}
	return e.putRecord(tx, t)
}

func (e *Engine) putRecord(tx *spool.Tx, t told) error {
	id, err := tx.NextID()
	if err != nil {
		return err
	}
	if tx.Count(collectionTold) >= maxTold {
		oldest := uint64(0)
		if err := tx.Each(collectionTold, func(id uint64, _ []byte) error { oldest = id; return spool.Stop }); err != nil {
			return err
		}
		if err := tx.Delete(collectionTold, oldest); err != nil {
			return err
		}
	}
	return tx.Put(collectionTold, id, t)
}

func (e *Engine) wakeTeller() {
	select {
	case e.told <- struct{}{}:
	default:
	}
}

// join takes part in the pair until the function that it returns is called.
func (e *Engine) join(ctx context.Context) (leave func()) {
	if e.pair == nil {
		return func() {}
	}
	// Beyond ctx: what was sent last has to be written down.
	own, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { e.pair.Run(own) })
	wg.Go(func() { e.tellPair(own) })
	wg.Go(func() { e.learnFromPair(own) })
	return func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		_, _ = e.flushTold(last)
		stop()
		wg.Wait()
		e.pair.Close()
	}
}

// tellPair writes into the pair's store what people were told and which calls are over.
func (e *Engine) tellPair(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	purged := time.Duration(-pairMemory)
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.told:
		case <-timer.C:
		}
		wait := idle
		more, err := e.flushTold(ctx)
		switch {
		case err != nil:
			wait = time.Second
		case more:
			wait = 0
		}
		if now := e.store.Steady(); err == nil && e.pair.Mode() == pair.Leading && now-purged > time.Hour {
			purged = now
			_ = e.pair.Do(ctx, func(ctx context.Context, db pair.DB) error { return db.Purge(ctx, pairMemory) })
		}
		timer.Reset(wait)
	}
}

func (e *Engine) flushTold(ctx context.Context) (more bool, err error) {
	e.callsMu.Lock()
	calls := e.calls
	e.calls = nil
	e.callsMu.Unlock()
	var ids []uint64
	var list []pair.Told
	var shares []pair.Shared
	size := 0
	err = e.store.View(func(tx *spool.Tx) error {
		ids, list, shares, size, more = nil, nil, nil, 0, false
		now := e.store.Steady()
		return tx.Each(collectionTold, func(id uint64, raw []byte) error {
			if size += len(raw); len(ids) > 0 && size > coverBytes {
				more = true
				return spool.Stop
			}
			ids = append(ids, id)
			var t told
			// What cannot be read is shown twice at worst.
			if json.Unmarshal(raw, &t) == nil {
				for _, s := range t.States {
					list = append(list, pair.Told{Key: s.key(), Starts: s.Starts, Resolved: s.Resolved, Age: max(now-t.At, 0)})
				}
				for _, s := range t.Shared {
					shares = append(shares, pair.Shared{Kind: s.Kind, Name: s.Name, Body: s.Body})
				}
			}
			return nil
		})
	})
	if err != nil {
		return more, err
	}
	if len(calls) > 0 {
		// If this is not heard of, they count until their timeout.
		_ = e.pair.Do(ctx, func(ctx context.Context, db pair.DB) error { return db.Ended(ctx, calls) })
	}
	if len(ids) == 0 {
		return false, nil
	}
	if len(list) > 0 {
		if err := e.pair.Do(ctx, func(ctx context.Context, db pair.DB) error { return db.Tell(ctx, list) }); err != nil {
			return true, err
		}
	}
	if len(shares) > 0 {
		if err := e.pair.Do(ctx, func(ctx context.Context, db pair.DB) error { return db.Share(ctx, e.pair.Relay(), shares) }); err != nil {
			return true, err
		}
	}
	return more, e.store.Update(ctx, func(tx *spool.Tx) error {
		for _, id := range ids {
			if err := tx.Delete(collectionTold, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// learnFromPair takes over what the other relay shares, so that links of its messages work here, and what was taken, missed or used
// up is known to whoever delivers.
func (e *Engine) learnFromPair(ctx context.Context) {
	from := int64(0)
	seen := map[string][32]byte{}
	for {
		var list []pair.Shared
		var next int64
		err := e.pair.Do(ctx, func(ctx context.Context, db pair.DB) (err error) {
			list, next, err = db.Learn(ctx, e.pair.Relay(), from)
			return err
		})
		if err == nil {
			list = slices.DeleteFunc(list, func(s pair.Shared) bool { return seen[s.Kind+" "+s.Name] == sha256.Sum256(s.Body) })
			if err = e.learn(ctx, list); err == nil {
				from = next
				if len(seen) > 4*maxTaken {
					clear(seen)
				}
				for _, s := range list {
					seen[s.Kind+" "+s.Name] = sha256.Sum256(s.Body)
				}
			}
		}
		if err != nil && ctx.Err() == nil {
			e.log.Debug("learning from the other relay", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(e.pair.Pause()):
		}
	}
}

func (e *Engine) learn(ctx context.Context, list []pair.Shared) error {
	if len(list) == 0 {
		return nil
	}
	known := map[string]bool{}
	if err := e.eachSent(func(s Sent) bool { known[s.Ref] = true; return true }); err != nil {
		return err
	}
	var sent []Sent
	takes := map[uint64]taken{}
	now := e.store.Steady()
	for _, s := range list {
		switch s.Kind {
		case sharedSent:
			var v Sent
			if json.Unmarshal(s.Body, &v) == nil && !known[v.Ref] {
				sent = append(sent, v)
			}
		case sharedTaken:
			var v taken
			hash, err := strconv.ParseUint(s.Name, 16, 64)
			if err != nil || json.Unmarshal(s.Body, &v) != nil {
				continue
			}
			e.takenMu.Lock()
			if v.At.After(e.taken[hash].At) {
				takes[hash] = v
			}
			e.takenMu.Unlock()
		case sharedBeat:
			var v beat
			if json.Unmarshal(s.Body, &v) != nil || e.pair.Delivers() {
				continue
			}
			e.beatMu.Lock()
			if b, ok := e.beats[s.Name]; ok {
				b.Missing, b.Since, b.Told = v.Missing, v.Since, now-s.Age
				e.beats[s.Name] = b
			}
			e.beatMu.Unlock()
		case sharedQuota:
			var v quotaState
			if json.Unmarshal(s.Body, &v) == nil {
				e.learnQuota(s.Name, v)
			}
		}
	}
	err := e.store.Update(ctx, func(tx *spool.Tx) error {
		for _, s := range sent {
			if err := putSent(tx, s); err != nil {
				return err
			}
		}
		for hash, t := range takes {
			if err := tx.Put(collectionTaken, hash, t); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		e.takenMu.Lock()
		maps.Copy(e.taken, takes)
		e.takenMu.Unlock()
	}
	return err
}

// learnQuota counts what the other relay sent of an organisation's quota.
func (e *Engine) learnQuota(name string, v quotaState) {
	for _, m := range e.memberList() {
		if o := m.org; o != nil && o.name == name {
			o.mu.Lock()
			if o.month(); v.Month == o.s.Month {
				o.s.Sent, o.s.Told = max(o.s.Sent, v.Sent), max(o.s.Told, v.Told)
			}
			o.mu.Unlock()
			return
		}
	}
}

// takeOver prepares for delivering, and tells whether this relay does: what the other one told is dropped, and the calls
// that it made count.
func (e *Engine) takeOver(ctx context.Context) bool {
	if e.pair == nil {
		return true
	}
	mode := e.pair.Mode()
	if mode != pair.Leading {
		return mode == pair.Alone
	}
	// What this relay delivered before its end may not be written down yet.
	if _, err := e.flushTold(ctx); err != nil && ctx.Err() == nil {
		e.log.Error("what was delivered before cannot be written down for the other relay", "error", err)
	}
	var calls []pair.Call
	err := e.pair.Do(ctx, func(ctx context.Context, db pair.DB) (err error) {
		calls, err = db.Calls(ctx, e.pair.Relay(), callMemory)
		return err
	})
	if err == nil {
		err = e.adopt(ctx, calls)
	}
	if err == nil {
		err = e.cover(ctx, nil)
	}
	if err != nil && ctx.Err() == nil {
		e.log.Error("what the other relay delivered is not known, some may be shown twice", "error", err)
	}
	return ctx.Err() == nil
}

// adopt counts the other relay's calls, each once.
func (e *Engine) adopt(ctx context.Context, calls []pair.Call) error {
	now := e.store.Steady()
	adopted := map[int64]bool{}
	var changed []*member
	for _, m := range e.memberList() {
		for _, c := range calls {
			if c.Peer != m.pairedAs() {
				continue
			}
			adopted[c.ID] = true
			if !e.adopted[c.ID] {
				m.adopt(now - c.Age)
				changed = append(changed, m)
			}
		}
	}
	e.adopted = adopted
	return e.store.Update(ctx, func(tx *spool.Tx) error {
		for _, m := range slices.Compact(changed) {
			if err := m.put(tx); err != nil {
				return err
			}
		}
		return nil
	})
}

// known are an alert's states that people were told, with when the newest notification was accepted, by the steady clock.
type known struct {
	state
	at time.Duration
}

// covered tells whether a state that was accepted then was told, or something newer of the same alert. What was accepted
// within slack after what was told is the other relay's copy of it, and no repetition by the sender.
func covered(s state, received, slack time.Duration, list []known) bool {
	for _, k := range list {
		if received > k.at+slack {
			continue
		}
		switch {
		case k.Starts == s.Starts && (k.Resolved == s.Resolved || k.Resolved && s.Starts != 0):
			return true
		case s.Starts != 0 && k.Starts > s.Starts:
			return true
		}
	}
	return false
}

// ask returns what people were told of states' alerts.
func (e *Engine) askPair(ctx context.Context, states []state) (map[string][]known, error) {
	unique := map[string]bool{}
	var keys []pair.Key
	for _, s := range states {
		if !unique[s.Alert] {
			unique[s.Alert] = true
			keys = append(keys, s.key())
		}
	}
	out := map[string][]known{}
	if len(keys) == 0 {
		return out, nil
	}
	err := e.pair.Do(ctx, func(ctx context.Context, db pair.DB) error {
		list, err := db.Ask(ctx, keys)
		now := e.store.Steady()
		for _, t := range list {
			alert := base64.RawURLEncoding.EncodeToString(t.Key[:])
			out[alert] = append(out[alert], known{state{alert, t.Starts, t.Resolved}, now - t.Age})
		}
		return err
	})
	return out, err
}

func (e *Engine) slack() time.Duration { return e.Config().DuplicateWindow.Std() }

// cover drops what the other relay told from everything that waits here, in portions. left is called with what
// is not told yet.
func (e *Engine) cover(ctx context.Context, left func(ref string, target string, received time.Duration, n notification.Notification)) error {
	var queues, outboxes []string
	if err := e.store.View(func(tx *spool.Tx) error {
		queues, outboxes = tx.Targets(), tx.Collections(collectionOutbox+"/")
		return nil
	}); err != nil {
		return err
	}
	for _, queue := range queues {
		for from, more := uint64(0), true; more && ctx.Err() == nil; {
			var err error
			if from, more, err = e.coverQueue(ctx, queue, from, left); err != nil {
				return err
			}
			// Pages that were read count as memory until then.
			e.store.Trim()
		}
	}
	for _, outbox := range outboxes {
		for from, more := uint64(0), true; more && ctx.Err() == nil; {
			var err error
			if from, more, err = e.coverOutbox(ctx, outbox, from, left); err != nil {
				return err
			}
			e.store.Trim()
		}
	}
	return ctx.Err()
}

func (e *Engine) coverQueue(ctx context.Context, queue string, from uint64, left func(string, string, time.Duration, notification.Notification)) (next uint64, more bool, err error) {
	target := targetOf(queue)
	var items []queued
	size := 0
	if err := e.store.View(func(tx *spool.Tx) error {
		tx.QueueFrom(queue, from, func(r spool.Record) bool {
			next = r.Seq + 1
			size += len(r.Body)
			if n, err := notification.Parse(r.Body); err == nil {
				items = append(items, queued{seq: r.Seq, received: min(r.Received, e.store.Steady()), n: n})
			}
			more = len(items) >= coverPortion || size > coverBytes
			return !more
		})
		return nil
	}); err != nil || len(items) == 0 {
		return next, more, err
	}
	var states []state
	for _, it := range items {
		for _, a := range it.n.Alerts {
			states = append(states, e.stateOf(target, a))
		}
	}
	list, err := e.askPair(ctx, states)
	if err != nil {
		return next, more, err
	}
	var gone []uint64
	rewrite := map[uint64][]byte{}
	var rest []queued
	for _, it := range items {
		open := it.n.Only(func(a notification.Alert) bool {
			s := e.stateOf(target, a)
			return !covered(s, it.received, e.slack(), list[s.Alert])
		})
		switch {
		case len(open.Alerts) == 0:
			gone = append(gone, it.seq)
			continue
		case len(open.Alerts) < len(it.n.Alerts):
			rewrite[it.seq] = encode(open)
		}
		it.n = open
		rest = append(rest, it)
	}
	if len(gone)+len(rewrite) > 0 {
		if err := e.store.Update(ctx, func(tx *spool.Tx) error {
			for seq, body := range rewrite {
				if err := tx.Rewrite(queue, seq, body); err != nil {
					return err
				}
			}
			return tx.Dequeue(queue, gone)
		}); err != nil {
			return next, more, err
		}
		e.Metrics.Covered.WithLabelValues(target).Add(float64(len(gone)))
	}
	for _, it := range rest {
		e.holds([]targeted{{target, it.n}}, it.received)
		if left != nil {
			left(fmt.Sprintf("%s/%d", queue, it.seq), target, it.received, it.n)
		}
	}
	return next, more, nil
}

func (e *Engine) coverOutbox(ctx context.Context, outbox string, from uint64, left func(string, string, time.Duration, notification.Notification)) (next uint64, more bool, err error) {
	var list []*Message
	var states []state
	if err := e.store.View(func(tx *spool.Tx) error {
		size := 0
		return tx.EachFrom(outbox, from, func(id uint64, raw []byte) error {
			next = id + 1
			var m Message
			if json.Unmarshal(raw, &m) == nil {
				m.ID = id
				list = append(list, &m)
				states = append(states, e.statesOf(&m)...)
			}
			if size += len(raw); len(list) >= coverPortion || size > coverBytes {
				more = true
				return spool.Stop
			}
			return nil
		})
	}); err != nil || len(list) == 0 {
		return next, more, err
	}
	known, err := e.askPair(ctx, states)
	if err != nil {
		return next, more, err
	}
	var gone, changed []*Message
	for _, m := range list {
		open := func(s state) bool { return !covered(s, m.latest(), e.slack(), known[s.Alert]) }
		all := e.statesOf(m)
		switch n := len(slices.DeleteFunc(slices.Clone(all), func(s state) bool { return !open(s) })); {
		case len(all) > 0 && n == 0:
			gone = append(gone, m)
			continue
		case n < len(all) && m.fresh():
			// What may have been shown stays as it is: its robot recognises it.
			m.only(open, e)
			changed = append(changed, m)
		}
		n := m.notification()
		e.holds([]targeted{{m.Target, n}}, m.latest())
		if left != nil && m.fresh() && len(n.Alerts) > 0 {
			left(fmt.Sprintf("%s#%d", outbox, m.ID), m.Target, m.latest(), n)
		}
	}
	if len(gone)+len(changed) == 0 {
		return next, more, nil
	}
	err = e.store.Update(ctx, func(tx *spool.Tx) error {
		for _, m := range gone {
			if err := tx.Delete(outbox, m.ID); err != nil {
				return err
			}
		}
		for _, m := range changed {
			if err := tx.Put(outbox, m.ID, m); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && len(gone) > 0 {
		e.Metrics.Covered.WithLabelValues(gone[0].Target).Add(float64(len(gone)))
	}
	return next, more, err
}

// only takes out of a message what was told.
func (m *Message) only(open func(state) bool, e *Engine) {
	m.Also = slices.DeleteFunc(slices.Clone(m.Also), func(s state) bool { return !open(s) })
	m.Content, m.Nonce = nil, ""
	if m.Detail != nil {
		n := m.Detail.Only(func(a notification.Alert) bool { return open(e.stateOf(m.Target, a)) })
		m.Detail = &n
	}
	if m.Digest != nil {
		d := *m.Digest
		d.Entries = slices.DeleteFunc(slices.Clone(d.Entries), func(en message.Entry) bool {
			return !slices.ContainsFunc(e.entryStates(m.Target, en), open)
		})
		m.Digest = &d
	}
}

// standBy drops what the other relay tells, and offers it what it may not have got.
func (e *Engine) standBy(ctx context.Context) {
	offered := map[string]time.Duration{}
	wait := e.pair.Pause()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		began := e.store.Steady()
		wait = e.pair.Pause()
		if e.pair.Silence() > e.pair.Takeover()/2 {
			continue
		}
		if err := e.standByOnce(ctx, offered); err != nil && ctx.Err() == nil {
			e.log.Debug("standing by", "error", err)
		}
		// Most of the processor is for accepting, but what only this relay has got should not wait for long.
		wait = max(wait, min(3*(e.store.Steady()-began), e.pair.Takeover()))
	}
}

func (e *Engine) standByOnce(ctx context.Context, offered map[string]time.Duration) error {
	var refs []string
	var offers []pair.Offer
	err := e.cover(ctx, func(ref, target string, received time.Duration, n notification.Notification) {
		now := e.store.Steady()
		at, before := offered[ref]
		// A message that lies here is a note of this relay's own, or was made while it led.
		if note := strings.Contains(ref, "#"); !note && now-received < e.pair.Takeover() || before && now-at < offerAgain || len(offers) >= offersAtOnce {
			return
		}
		refs = append(refs, ref)
		offers = append(offers, pair.Offer{Target: target, Body: encode(n), Age: now - received})
	})
	if err != nil || len(offers) == 0 {
		return err
	}
	if err := e.pair.Do(ctx, func(ctx context.Context, db pair.DB) error { return db.Offer(ctx, e.pair.Relay(), refs, offers) }); err != nil {
		return err
	}
	now := e.store.Steady()
	for ref, at := range offered {
		if now-at > 2*offerAgain {
			delete(offered, ref)
		}
	}
	for _, ref := range refs {
		offered[ref] = now
	}
	return nil
}

// takeOffers accepts what only the other relay has got.
func (e *Engine) takeOffers(ctx context.Context) {
	if e.pair == nil {
		return
	}
	for {
		wait := max(e.pair.Pause(), time.Second)
		if e.pair.Mode() == pair.Leading {
			more, err := e.takeOffersOnce(ctx)
			if err != nil && ctx.Err() == nil {
				e.log.Error("what the other relay offers cannot be accepted yet", "error", err)
			} else if more {
				wait = e.pair.Pause()
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (e *Engine) takeOffersOnce(ctx context.Context) (more bool, err error) {
	// Otherwise what was just delivered would look like what this relay never had.
	if more, err := e.flushTold(ctx); more || err != nil {
		return false, err
	}
	var offers []pair.Offer
	if err := e.pair.Do(ctx, func(ctx context.Context, db pair.DB) (err error) {
		offers, err = db.Offers(ctx, e.pair.Relay(), offersAtOnce/4)
		return err
	}); err != nil || len(offers) == 0 {
		return false, err
	}
	var states []state
	parsed := make([]notification.Notification, len(offers))
	for i, o := range offers {
		// What cannot be read was not written by a relay.
		parsed[i], _ = notification.Parse(o.Body)
		for _, a := range parsed[i].Alerts {
			states = append(states, e.stateOf(o.Target, a))
		}
	}
	list, err := e.askPair(ctx, states)
	if err != nil {
		return false, err
	}
	var taken []int64
	for i, o := range offers {
		at := e.store.Steady() - o.Age
		n := parsed[i].Only(func(a notification.Alert) bool {
			s := e.stateOf(o.Target, a)
			return !e.held.has(s, at, e.slack()) && !covered(s, at, e.slack(), list[s.Alert])
		})
		if len(n.Alerts) > 0 {
			err := e.acceptOffer(ctx, o.Target, n)
			if errors.Is(err, ErrNoTarget) {
				e.log.Error("the other relay has a target that is missing here: give both the same configuration", "target", o.Target)
			} else if err != nil {
				return false, err
			} else {
				e.log.Info("accepted what only the other relay had got", "target", o.Target, "alerts", len(n.Alerts))
			}
		}
		taken = append(taken, o.ID)
	}
	return true, e.pair.Do(ctx, func(ctx context.Context, db pair.DB) error { return db.Take(ctx, taken) })
}

// acceptOffer is Accept, but that who answered a message is told on the channel where it was.
func (e *Engine) acceptOffer(ctx context.Context, target string, n notification.Notification) error {
	c := e.Config()
	if n.Alerts[0].Labels["alertname"] != takenName || c.Targets[target] == nil {
		_, err := e.Accept(ctx, target, encode(n), n)
		return err
	}
	err := e.store.Update(ctx, func(tx *spool.Tx) error {
		_, err := e.putDirect(tx, c, target, 0, "", n)
		return err
	})
	if err == nil {
		e.holds([]targeted{{target, n}}, e.store.Steady())
		e.wakeLane(target, 0, true)
	}
	return err
}

// held are the states that are, or lately were, on this relay's disk, with when they were accepted last.
type held struct {
	mu         sync.Mutex
	young, old map[uint64]time.Duration
}

func (h *held) add(s state, at time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.young) >= maxHeld || h.young == nil {
		h.young, h.old = map[uint64]time.Duration{}, h.young
	}
	k := s.short()
	h.young[k] = max(h.young[k], at)
}

// has tells whether a state that the other relay accepted then is a copy of one that is held.
func (h *held) has(s state, at, slack time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, generation := range []map[uint64]time.Duration{h.young, h.old} {
		if got, ok := generation[s.short()]; ok && at <= got+slack {
			return true
		}
	}
	return false
}

// holds notes what was accepted.
func (e *Engine) holds(list []targeted, at time.Duration) {
	if e.pair == nil {
		return
	}
	for _, t := range list {
		for _, a := range t.n.Alerts {
			e.held.add(e.stateOf(t.target, a), at)
		}
	}
}

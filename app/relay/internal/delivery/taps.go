package delivery

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"lookout/app/relay/internal/channel"
	"lookout/app/relay/internal/message"
	"lookout/app/relay/internal/notification"
	"lookout/app/relay/internal/spool"
)

const (
	collectionTaps  = "taps"
	collectionCards = "cards"
	// maxTaps are kept, with what came of them: a tap that the chat delivers once more is found among them.
	maxTaps = 2000
	// maxWaitingTaps and maxWaitingCards bound what waits to be done.
	maxWaitingTaps  = 1000
	maxWaitingCards = 1000
	// tapPatience is how long a tap is tried that cannot be carried out, cardPatience a card that cannot be changed.
	tapPatience  = 10 * time.Minute
	cardPatience = time.Hour
	// noteAfter is how soon after its tap a card must be known: it is noted once the answer to it is read.
	noteAfter = 30 * time.Second
	// doubleTap is how soon after the first a second tap on "extend" by the same person is none.
	doubleTap = 10 * time.Second
	// cardPause is between two changes of cards; DingTalk takes 20 calls a second of an app.
	cardPause = 100 * time.Millisecond
	// maxCards of an alert are changed when someone answers: the newest.
	maxCards = 20
)

// KeptTap is a tap on a card, and what came of it.
type KeptTap struct {
	channel.Tap
	// Peer that it came by, and when it was on disk.
	Peer string    `json:"peer"`
	Kept time.Time `json:"kept"`
	// Done is what came of it, "" until it is carried out. Failed is set where that is why it was not.
	Done   string    `json:"done,omitempty"`
	Failed bool      `json:"failed,omitempty"`
	Ended  time.Time `json:"ended,omitzero"`

	number uint64
	// again is set where it may have been carried out in part: by an earlier process, or a try that failed.
	again bool
	tries int
	next  time.Duration
}

// tapBook is what is known of taps.
type tapBook struct {
	mu sync.Mutex
	// known are the IDs of those that are kept.
	known   map[string]uint64
	pending []*KeptTap
	wake    chan struct{}
}

// cardChange is a change of a card that was not made yet.
type cardChange struct {
	channel.Card
	ID   string    `json:"id"`
	Peer string    `json:"peer"`
	At   time.Time `json:"at"`

	tries int
	next  time.Duration
}

func (c *cardChange) key() uint64 {
	h := fnv.New64a()
	h.Write([]byte(c.ID))
	return h.Sum64()
}

type cardBook struct {
	mu      sync.Mutex
	pending map[uint64]*cardChange
	wake    chan struct{}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// loadTaps reads what an earlier process left to be done.
func (e *Engine) loadTaps() error {
	e.taps = &tapBook{known: map[string]uint64{}, wake: make(chan struct{}, 1)}
	e.cards = &cardBook{pending: map[uint64]*cardChange{}, wake: make(chan struct{}, 1)}
	return e.store.View(func(tx *spool.Tx) error {
		err := tx.Each(collectionTaps, func(number uint64, raw []byte) error {
			var k KeptTap
			if json.Unmarshal(raw, &k) != nil {
				return nil
			}
			e.taps.known[k.ID] = number
			if k.Done == "" {
				k.number, k.again = number, true
				e.taps.pending = append(e.taps.pending, &k)
			}
			return nil
		})
		if err != nil {
			return err
		}
		return tx.Each(collectionCards, func(number uint64, raw []byte) error {
			var c cardChange
			if json.Unmarshal(raw, &c) == nil {
				e.cards.pending[number] = &c
			}
			return nil
		})
	})
}

// tapped keeps a tap. When it returns nil the tap is on disk, and will be carried out once, whatever happens to the process.
func (e *Engine) tapped(ctx context.Context, peer string, t channel.Tap) error {
	b := e.taps
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.known[t.ID]; ok {
		e.Metrics.Taps.WithLabelValues(peer, "repeated").Inc()
		return nil
	}
	if len(b.pending) >= maxWaitingTaps {
		return fmt.Errorf("%d taps wait to be carried out", len(b.pending))
	}
	t.Who = message.Clip(60, message.Safe(t.Who))
	k := &KeptTap{Tap: t, Peer: peer, Kept: e.store.Wall()}
	var dropped []string
	err := e.store.Update(context.WithoutCancel(ctx), func(tx *spool.Tx) error {
		dropped = nil
		number, err := tx.NextID()
		if err != nil {
			return err
		}
		k.number = number
		if err := tx.Put(collectionTaps, number, k); err != nil {
			return err
		}
		excess := tx.Count(collectionTaps) - maxTaps
		if excess <= 0 {
			return nil
		}
		var old []uint64
		err = tx.Each(collectionTaps, func(number uint64, raw []byte) error {
			var o KeptTap
			if int64(len(old)) >= excess {
				return spool.Stop
			}
			if json.Unmarshal(raw, &o) != nil || o.Done != "" {
				old, dropped = append(old, number), append(dropped, o.ID)
			}
			return nil
		})
		for _, number := range old {
			err = errors.Join(err, tx.Delete(collectionTaps, number))
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range dropped {
		delete(b.known, id)
	}
	b.known[t.ID] = k.number
	b.pending = append(b.pending, k)
	wake(b.wake)
	return nil
}

// due is the tap to carry out now, else how long until there is one.
func (b *tapBook) due(now time.Duration) (*KeptTap, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	wait := idle
	for _, k := range b.pending {
		if k.next <= now {
			return k, 0
		}
		wait = min(wait, k.next-now)
	}
	return nil, wait
}

// uncertain tells whether any tap may have been carried out without that being known.
func (b *tapBook) uncertain() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.pending, func(k *KeptTap) bool { return k.again })
}

// carryTaps carries out what people tapped, in the order it came.
func (e *Engine) carryTaps(ctx context.Context) {
	for ctx.Err() == nil {
		k, wait := e.taps.due(e.store.Steady())
		if k != nil {
			e.carry(ctx, k)
			continue
		}
		select {
		case <-ctx.Done():
		case <-e.taps.wake:
		case <-time.After(wait):
		}
	}
}

// carry carries out one tap, or says when to try it again.
func (e *Engine) carry(ctx context.Context, k *KeptTap) {
	done, err := e.answerTap(ctx, k)
	var p passing
	if errors.As(err, &p) && e.store.Wall().Sub(k.Kept) < tapPatience {
		if k.tries == 0 {
			e.log.Warn("a tap cannot be carried out yet", "card", k.Card, "who", k.Who, "reason", e.Config().Redact(err.Error()))
		}
		k.again = true
		k.next = e.store.Steady() + min(200*time.Millisecond<<min(k.tries, 6), 10*time.Second)
		k.tries++
		return
	}
	ended := *k
	ended.Done, ended.Ended = done, e.store.Wall()
	var change *cardChange
	if err != nil {
		ended.Done, ended.Failed = message.Clip(300, e.Config().Redact(err.Error())), true
		change = &cardChange{Card: channel.Card{Status: "⚠️ " + message.Clip(60, k.Who) + ": " + ended.Done, Open: !errors.Is(err, errOver)}, ID: k.Card, Peer: k.Peer, At: ended.Ended}
	}
	if err := e.store.Update(context.WithoutCancel(ctx), func(tx *spool.Tx) error {
		if err := tx.Put(collectionTaps, k.number, ended); err != nil || change == nil {
			return err
		}
		return tx.Put(collectionCards, change.key(), change)
	}); err != nil {
		e.log.Error("cannot persist what came of a tap", "error", err)
		k.again, k.next = true, e.store.Steady()+time.Second
		return
	}
	outcome := "done"
	if ended.Failed {
		outcome = "refused"
		e.log.Warn("a tap was not carried out", "card", k.Card, "who", k.Who, "reason", ended.Done)
		e.changeCards(change)
	}
	e.Metrics.Taps.WithLabelValues(k.Peer, outcome).Inc()
	e.taps.mu.Lock()
	e.taps.pending = slices.DeleteFunc(e.taps.pending, func(o *KeptTap) bool { return o == k })
	e.taps.mu.Unlock()
}

// answerTap does what a tap asks for: what a signed link does.
func (e *Engine) answerTap(ctx context.Context, k *KeptTap) (string, error) {
	q, err := e.question(k.Card, func(s Sent) bool { return s.Card == k.Card })
	if errors.Is(err, ErrUnknown) && e.store.Wall().Sub(k.Kept) < noteAfter {
		return "", passing{err}
	}
	if err != nil {
		return "", err
	}
	r := Reply{Who: k.Who, Key: k.ID, At: k.At, Again: e.taps.uncertain(), Extend: k.Action == channel.Extend}
	if k.Action != channel.Take {
		r.Silence = time.Duration(k.Hours) * time.Hour
	}
	return e.Answer(ctx, q, r)
}

// changesFor are the changes of all cards that show one of the alerts.
func (e *Engine) changesFor(alerts []SentAlert, card channel.Card, now time.Time) ([]*cardChange, error) {
	shown := map[uint64]bool{}
	for _, a := range alerts {
		shown[a.Hash] = true
	}
	var out []*cardChange
	err := e.eachSentWith(hashes(alerts), func(s Sent) bool {
		if s.Card != "" && slices.ContainsFunc(s.Alerts, func(a SentAlert) bool { return shown[a.Hash] }) {
			out = slices.DeleteFunc(out, func(c *cardChange) bool { return c.ID == s.Card })
			out = append(out, &cardChange{Card: card, ID: s.Card, Peer: s.Peer, At: now})
		}
		return true
	})
	return out[max(0, len(out)-maxCards):], err
}

// putChanges writes changes of cards; changeCards has to be called for them once they are on disk.
func putChanges(tx *spool.Tx, changes []*cardChange) error {
	for _, c := range changes {
		if err := tx.Put(collectionCards, c.key(), c); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) changeCards(changes ...*cardChange) {
	e.cards.mu.Lock()
	defer e.cards.mu.Unlock()
	for _, c := range changes {
		if _, ok := e.cards.pending[c.key()]; ok || len(e.cards.pending) < maxWaitingCards {
			e.cards.pending[c.key()] = c
		}
	}
	wake(e.cards.wake)
}

// updateCards changes cards, one after another.
func (e *Engine) updateCards(ctx context.Context) {
	for ctx.Err() == nil {
		now := e.store.Steady()
		var c *cardChange
		wait := idle
		e.cards.mu.Lock()
		for _, o := range e.cards.pending {
			if wait = min(wait, max(0, o.next-now)); o.next <= now && (c == nil || o.At.Before(c.At)) {
				c = o
			}
		}
		e.cards.mu.Unlock()
		if c != nil {
			e.updateCard(ctx, c)
			wait = cardPause
		}
		var woken <-chan struct{}
		if c == nil {
			woken = e.cards.wake
		}
		select {
		case <-ctx.Done():
		case <-woken:
		case <-time.After(wait):
		}
	}
}

func (e *Engine) updateCard(ctx context.Context, c *cardChange) {
	var a channel.Answer
	mem := (*e.members.Load())[c.Peer]
	if cards, ok := senderOf(mem).(channel.Cards); ok {
		sendCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mem.timeout)
		a = cards.Update(sendCtx, c.ID, c.Card)
		cancel()
		a.Reason = e.Config().Redact(a.Reason)
		e.Metrics.CardUpdates.WithLabelValues(c.Peer, string(a.Outcome)).Inc()
	} else {
		a = channel.Unusable("its app is not configured any more")
	}
	again := a.Outcome == channel.Retry || a.Outcome == channel.Throttled
	if again && e.store.Wall().Sub(c.At) < cardPatience {
		e.cards.mu.Lock()
		c.next = e.store.Steady() + max(a.Wait, min(time.Second<<min(c.tries, 6), time.Minute))
		if c.tries++; c.tries == 1 {
			e.log.Warn("a card cannot be changed yet", "card", c.ID, "member", c.Peer, "reason", a.Reason)
		}
		e.cards.mu.Unlock()
		return
	}
	if a.Outcome != channel.Delivered {
		e.log.Warn("a card was not changed", "card", c.ID, "member", c.Peer, "reason", a.Reason)
	}
	e.cards.mu.Lock()
	latest := e.cards.pending[c.key()] == c
	if latest {
		delete(e.cards.pending, c.key())
	}
	e.cards.mu.Unlock()
	if !latest {
		return
	}
	// Where that cannot be written the card is changed to the same once more.
	if err := e.store.Update(context.WithoutCancel(ctx), func(tx *spool.Tx) error { return tx.Delete(collectionCards, c.key()) }); err != nil {
		e.log.Warn("cannot persist that a card was changed", "error", err)
	}
}

func senderOf(m *member) channel.Sender {
	if m == nil {
		return nil
	}
	return m.sender
}

// listen hears what people tap on the cards of all apps, until ctx is over.
func (e *Engine) listen(ctx context.Context, wg *sync.WaitGroup) {
	for _, m := range e.memberList() {
		cards, ok := m.sender.(channel.Cards)
		if !ok {
			continue
		}
		gauge := e.Metrics.Connected.WithLabelValues(m.id)
		gauge.Set(0)
		wg.Go(func() {
			cards.Listen(ctx, e.log.With("member", m.id), func(ctx context.Context, t channel.Tap) error { return e.tapped(ctx, m.id, t) },
				func(on bool) {
					m.connected.Store(on)
					gauge.Set(map[bool]float64{true: 1}[on])
				})
		})
	}
}

// buttons are the actions that a message offers where its chat has buttons.
func (e *Engine) buttons(l *lane, m *Message) []string {
	n := m.notification()
	if !slices.ContainsFunc(n.Alerts, func(a notification.Alert) bool { return a.Status == notification.Firing && !message.Own(a) }) {
		return nil
	}
	if a := l.cfg.Answers; a == nil || a.Silences == "" {
		return []string{channel.Take}
	}
	return []string{channel.Take, channel.Silence, channel.Extend}
}

// Taps lists the last taps, newest first and at most limit.
func (e *Engine) Taps(limit int) ([]KeptTap, error) {
	var out []KeptTap
	err := e.store.View(func(tx *spool.Tx) error {
		return tx.Each(collectionTaps, func(number uint64, raw []byte) error {
			var k KeptTap
			if json.Unmarshal(raw, &k) == nil {
				k.number = number
				out = append(out, k)
			}
			return nil
		})
	})
	slices.SortFunc(out, func(a, b KeptTap) int { return cmp.Compare(b.number, a.number) })
	return out[:min(limit, len(out))], err
}

// stream says whether taps on a peer's cards arrive, "" where it sends none.
func (m *member) stream() string {
	if _, ok := m.sender.(channel.Cards); !ok {
		return ""
	}
	if m.connected.Load() {
		return StreamUp
	}
	return StreamDown
}

// Values of [PeerStatus.Stream].
const (
	StreamUp   = "Stream: connected"
	StreamDown = "Stream: not connected"
)

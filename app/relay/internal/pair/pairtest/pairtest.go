// Package pairtest is what two relays of a pair share, in memory: it can be slow, or out of reach of one of them.
package pairtest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"lookout/app/relay/internal/pair"
)

// Store is what two relays share.
type Store struct {
	mu      sync.Mutex
	holder  string
	expires time.Time
	id      int64
	told    map[pair.Key]map[pair.Told]time.Time
	calls   map[int64]call
	offers  map[int64]offer
	shared  map[[2]string]shared
}

type shared struct {
	relay string
	body  []byte
	at    time.Time
}

type call struct {
	relay, peer string
	ends        time.Time
}

type offer struct {
	relay, ref, target string
	body               []byte
	accepted           time.Time
}

// New makes an empty store.
func New() *Store {
	return &Store{told: map[pair.Key]map[pair.Told]time.Time{}, calls: map[int64]call{}, offers: map[int64]offer{}, shared: map[[2]string]shared{}}
}

// Link is one relay's way to the store.
type Link struct {
	s *Store
	// Cut is set while the relay cannot reach the store; Slow is how many nanoseconds every question takes.
	Cut  atomic.Bool
	Slow atomic.Int64
}

// Link makes a way to the store.
func (s *Store) Link() *Link { return &Link{s: s} }

// Steal gives the lease to another holder.
func (s *Store) Steal(holder string, ttl time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holder, s.expires = holder, time.Now().Add(ttl)
}

// Offers is how many offers wait.
func (s *Store) Offers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.offers)
}

func (l *Link) ask(ctx context.Context, do func(now time.Time)) error {
	if d := time.Duration(l.Slow.Load()); d > 0 {
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.Cut.Load() {
		return errors.New("connection refused")
	}
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	do(time.Now())
	return nil
}

// Campaign implements [pair.DB], as do the others.
func (l *Link) Campaign(ctx context.Context, holder string, ttl time.Duration) (held bool, err error) {
	err = l.ask(ctx, func(now time.Time) {
		if held = l.s.holder == holder || !l.s.expires.After(now); held {
			l.s.holder, l.s.expires = holder, now.Add(ttl)
		}
	})
	return held, err
}

func (l *Link) Release(ctx context.Context, holder string) error {
	return l.ask(ctx, func(now time.Time) {
		if l.s.holder == holder {
			l.s.expires = now
		}
	})
}

func (l *Link) Reserve(ctx context.Context, holder, relay, peer string, timeout time.Duration) (id int64, err error) {
	err = l.ask(ctx, func(now time.Time) {
		if l.s.holder == holder && l.s.expires.After(now) {
			l.s.id++
			id = l.s.id
			l.s.calls[id] = call{relay, peer, now.Add(timeout)}
		}
	})
	return id, err
}

func (l *Link) Ended(ctx context.Context, ids []int64) error {
	return l.ask(ctx, func(now time.Time) {
		for _, id := range ids {
			if c, ok := l.s.calls[id]; ok && c.ends.After(now) {
				c.ends = now
				l.s.calls[id] = c
			}
		}
	})
}

func (l *Link) Calls(ctx context.Context, relay string, within time.Duration) (out []pair.Call, err error) {
	err = l.ask(ctx, func(now time.Time) {
		for id, c := range l.s.calls {
			if c.relay != relay && now.Sub(c.ends) < within {
				out = append(out, pair.Call{ID: id, Peer: c.peer, Age: now.Sub(c.ends)})
			}
		}
	})
	return out, err
}

func (l *Link) Tell(ctx context.Context, told []pair.Told) error {
	return l.ask(ctx, func(now time.Time) {
		for _, t := range told {
			at := now.Add(-t.Age)
			t.Age = 0
			if l.s.told[t.Key] == nil {
				l.s.told[t.Key] = map[pair.Told]time.Time{}
			}
			if at.After(l.s.told[t.Key][t]) {
				l.s.told[t.Key][t] = at
			}
		}
	})
}

func (l *Link) Ask(ctx context.Context, keys []pair.Key) (out []pair.Told, err error) {
	err = l.ask(ctx, func(now time.Time) {
		for _, key := range keys {
			for t, at := range l.s.told[key] {
				t.Age = now.Sub(at)
				out = append(out, t)
			}
		}
	})
	return out, err
}

func (l *Link) Offer(ctx context.Context, relay string, refs []string, offers []pair.Offer) error {
	return l.ask(ctx, func(now time.Time) {
	next:
		for i, o := range offers {
			for _, have := range l.s.offers {
				if have.relay == relay && have.ref == refs[i] {
					continue next
				}
			}
			l.s.id++
			l.s.offers[l.s.id] = offer{relay, refs[i], o.Target, o.Body, now.Add(-o.Age)}
		}
	})
}

func (l *Link) Offers(ctx context.Context, relay string, limit int) (out []pair.Offer, err error) {
	err = l.ask(ctx, func(now time.Time) {
		for id, o := range l.s.offers {
			if o.relay != relay {
				out = append(out, pair.Offer{ID: id, Target: o.target, Body: o.body, Age: now.Sub(o.accepted)})
			}
		}
		slices.SortFunc(out, func(a, b pair.Offer) int { return int(a.ID - b.ID) })
		out = out[:min(limit, len(out))]
	})
	return out, err
}

func (l *Link) Take(ctx context.Context, ids []int64) error {
	return l.ask(ctx, func(time.Time) {
		for _, id := range ids {
			delete(l.s.offers, id)
		}
	})
}

func (l *Link) Share(ctx context.Context, relay string, list []pair.Shared) error {
	return l.ask(ctx, func(now time.Time) {
		for _, s := range list {
			l.s.shared[[2]string{s.Kind, s.Name}] = shared{relay, s.Body, now}
		}
	})
}

func (l *Link) Learn(ctx context.Context, relay string, from int64) (out []pair.Shared, next int64, err error) {
	next = from
	err = l.ask(ctx, func(now time.Time) {
		for name, s := range l.s.shared {
			if at := s.at.UnixMicro(); s.relay != relay && at > from-10_000_000 {
				out = append(out, pair.Shared{Kind: name[0], Name: name[1], Body: s.body, Age: now.Sub(s.at)})
				next = max(next, at)
			}
		}
		slices.SortFunc(out, func(a, b pair.Shared) int { return int(b.Age - a.Age) })
	})
	return out, next, err
}

func (l *Link) Purge(ctx context.Context, age time.Duration) error {
	return l.ask(ctx, func(now time.Time) {
		for _, told := range l.s.told {
			for t, at := range told {
				if now.Sub(at) > age {
					delete(told, t)
				}
			}
		}
		for name, s := range l.s.shared {
			if now.Sub(s.at) > age {
				delete(l.s.shared, name)
			}
		}
		for id, c := range l.s.calls {
			if now.Sub(c.ends) > age {
				delete(l.s.calls, id)
			}
		}
		for id, o := range l.s.offers {
			if now.Sub(o.accepted) > age {
				delete(l.s.offers, id)
			}
		}
	})
}

func (l *Link) Close() {}

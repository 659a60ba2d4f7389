package delivery

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"lookout/app/relay/internal/channel"
	"lookout/app/relay/internal/config"
	"lookout/app/relay/internal/pair"
	"lookout/app/relay/internal/spool"
)

// member is one peer. Targets share it, and so its limits and its rests.
type member struct {
	// id is what metrics and the store call it, such as robot:ops.
	id     string
	sender channel.Sender
	// connected is set while taps on its cards arrive.
	connected atomic.Bool
	// rest is how long it is left alone after "too many".
	rest    time.Duration
	timeout time.Duration

	// state is the key that the spool knows it by: for a robot its address and token, so that a new name, or a
	// second one, brings no second window.
	stateKey string
	*limiter
	// pair is the relay's part in its pair, nil for a relay alone; paired names the peer in both relays.
	pair   *pair.Pair
	paired string

	organisationName string
	org              *organisation
}

// limiter is when a peer may be called. Members of the same address and token share it.
type limiter struct {
	mu sync.Mutex
	// windows are those of the peer's limits, the longest first.
	windows []*channel.Window
	// apart are those of the calls that the other relay of a pair cannot know of.
	apart []*channel.Window
	// until is when its rest is over.
	until   time.Duration
	backoff *backoff.ExponentialBackOff
}

// memberState is what is kept of a member over a restart.
type memberState struct {
	Ends []time.Duration `json:"ends,omitempty"`
	// Busy calls were under way when this was written.
	Busy int `json:"busy,omitempty"`
	// Apart are the ends of calls that the other relay of a pair cannot know of.
	Apart []time.Duration `json:"apart,omitempty"`
	Rest  time.Duration   `json:"rest,omitempty"`
}

// keptPlaces of a window are for urgent messages only.
func keptPlaces(limit int) int { return limit / 5 }

// available returns how long the member is not to be used, 0 for now.
func (m *member) available(now time.Duration, urgent bool) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.availableLocked(now, urgent)
}

func (m *member) availableLocked(now time.Duration, urgent bool) time.Duration {
	wait := max(0, m.until-now)
	for _, w := range m.windows {
		limit := m.places(w.Limit)
		kept := w.Limit - limit
		if !urgent {
			kept += keptPlaces(limit)
		}
		wait = max(wait, w.Next(now, kept))
	}
	if m.alone() {
		for _, w := range m.apart {
			kept := keptPlaces(w.Limit)
			if urgent {
				kept = 0
			}
			wait = max(wait, w.Next(now, kept))
		}
	}
	if m.org != nil {
		wait = max(wait, m.org.wait(now, urgent))
	}
	return wait
}

// alone tells whether the other relay of a pair cannot know of a call now.
func (m *member) alone() bool { return m.pair != nil && m.pair.Mode() == pair.Alone }

// places is how many of a limit this relay may use.
func (m *member) places(limit int) int {
	if m.pair == nil || m.alone() {
		return limit
	}
	return limit - pair.Apart(limit)
}

// acquire takes a place in the window if there is one.
func (m *member) acquire(now time.Duration, urgent bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.availableLocked(now, urgent) > 0 {
		return false
	}
	for _, w := range m.windows {
		w.Start()
	}
	// A call that turns out to be one that the other knows of is one too many here, which is safe.
	for _, w := range m.apart {
		w.Start()
	}
	return true
}

// cancel gives the place back of a call that was not made.
func (m *member) cancel() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range slices.Concat(m.windows, m.apart) {
		w.Cancel()
	}
}

// adopt counts a call that the other relay made.
func (m *member) adopt(end time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.windows {
		w.Add(end)
	}
}

// release gives the place back with what came of the call. It returns what is to be told of the
// organisation's quota, nil for nothing. recorded is set where the other relay of a pair can know of the call.
func (m *member) release(now time.Duration, recorded bool, a channel.Answer) *quotaNews {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.windows {
		w.End(now)
	}
	for _, w := range m.apart {
		if w.Cancel(); recorded {
			continue
		}
		w.Add(now)
	}
	switch a.Outcome {
	case channel.Throttled:
		m.until = now + cmp.Or(a.Wait, m.rest)
	case channel.Retry:
		m.until = now + max(m.backoff.NextBackOff(), 0)
	default:
		m.backoff.Reset()
	}
	if m.org != nil {
		return m.org.answer(now, a)
	}
	return nil
}

// usage is how much of the longest window is taken, from 0 to 1.
func (m *member) usage(now time.Duration) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.windows) == 0 {
		return 0
	}
	return float64(m.windows[0].Used(now)) / float64(m.places(m.windows[0].Limit))
}

func (m *member) state(now time.Duration) (rest time.Duration, used, limit int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rest = max(0, m.until-now)
	if m.org != nil {
		rest = max(rest, m.org.wait(now, false))
	}
	if len(m.windows) > 0 {
		used, limit = m.windows[0].Used(now), m.windows[0].Limit
	}
	return rest, used, limit
}

// put writes the member's state into the transaction.
func (m *member) put(tx *spool.Tx) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := memberState{Rest: m.until}
	if len(m.windows) > 0 {
		// The calls of the longest are those of all.
		s.Ends, s.Busy = m.windows[0].State()
	}
	if len(m.apart) > 0 {
		s.Apart, _ = m.apart[0].State()
	}
	if m.org != nil {
		if err := tx.PutKey(collectionMembers, []byte("org:"+m.org.name), m.org.snapshot()); err != nil {
			return err
		}
	}
	return tx.PutKey(collectionMembers, []byte(m.stateKey), s)
}

// restore takes over what an earlier process, or configuration, left. A call that was under way may
// have been answered at any moment until now.
func (m *member) restore(s memberState, now time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	// A rest of the store's can't lie further ahead than the longest there is.
	m.until = min(s.Rest, now+max(m.rest, time.Hour))
	for _, w := range m.windows {
		for _, end := range s.Ends {
			w.Ends = append(w.Ends, min(end, now))
		}
		for range s.Busy {
			w.Ends = append(w.Ends, now)
		}
	}
	for _, w := range m.apart {
		for _, end := range s.Apart {
			w.Ends = append(w.Ends, min(end, now))
		}
		for range s.Busy {
			w.Ends = append(w.Ends, now)
		}
	}
}

func newBackoff(r config.Retry) *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = r.Initial.Std(), r.Max.Std()
	b.Multiplier, b.RandomizationFactor = 2, 0.5
	b.Reset()
	return b
}

// newMember makes the member of a peer.
func newMember(c *config.Config, id string, peer channel.Peer, salt []byte, env channel.Environment, part *pair.Pair) *member {
	t := peer.Traits()
	m := &member{
		id: id, pair: part, rest: t.Rest, timeout: t.Timeout, organisationName: t.Organisation, sender: peer.Sender(env),
		stateKey: id, limiter: &limiter{backoff: newBackoff(c.Retry)},
	}
	if t.Token != "" {
		m.stateKey = peerKey(salt, t.Address, t.Token)
		m.paired = peerKey([]byte("lookout pair"), t.Address, t.Token)
	}
	for _, l := range t.Limits {
		m.windows = append(m.windows, &channel.Window{Limit: l.Calls, Length: l.Length})
		if part != nil {
			m.apart = append(m.apart, &channel.Window{Limit: pair.Apart(l.Calls), Length: l.Length})
		}
	}
	return m
}

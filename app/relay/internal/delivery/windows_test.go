package delivery

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"lookout/app/relay/internal/channel"
	"lookout/app/relay/internal/config"
	"lookout/app/relay/internal/pair"
)

// TestALimitIsShared: a relay with the lease and one that is cut off, both sending as much as they may, call no robot more often
// than its limit allows, also right after the lease has changed hands.
func TestALimitIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, limit := range []channel.Limit{{Calls: pair.LeastLimit, Length: time.Minute}, {Calls: 20, Length: time.Minute}, {Calls: 100, Length: time.Minute}} {
			w := newTwins(t, pairConf, false)
			var calls []time.Time
			members := [2]*member{}
			for i := range members {
				members[i] = &member{pair: w.rigs[i].engine.Pair(), limiter: &limiter{
					backoff: newBackoff(config.Retry{}), windows: []*channel.Window{{Limit: limit.Calls, Length: limit.Length}},
					apart: []*channel.Window{{Limit: pair.Apart(limit.Calls), Length: limit.Length}},
				}}
			}
			began := time.Now()
			var by [2]int
			for step := range 3000 {
				if step == 1000 {
					w.links[0].Cut.Store(true)
				}
				for i, m := range members {
					now := time.Since(began)
					if p := m.pair; !p.Delivers() || !m.acquire(now, true) {
						continue
					}
					id, ok := m.pair.Reserve(t.Context(), "robot", time.Second)
					if !ok {
						m.cancel()
						continue
					}
					m.release(now, id != 0, channel.OK())
					calls = append(calls, time.Now())
					by[i]++
					if i == 0 && id != 0 {
						// The other counts it as soon as it takes over.
						members[1].adopt(now)
					}
				}
				time.Sleep(100 * time.Millisecond)
			}
			for i := limit.Calls; i < len(calls); i++ {
				if d := calls[i].Sub(calls[i-limit.Calls]); d < limit.Length {
					t.Fatalf("limit %d: one more within %s", limit.Calls, d)
				}
			}
			if by[0] < 2*limit.Calls || by[1] < limit.Calls {
				t.Errorf("limit %d: they made %d calls", limit.Calls, by)
			}
			for i := range w.rigs {
				w.rigs[i].end()
			}
		}
	})
}

// TestCallsUnderWayOutliveTheProcess: what was under way when the process died may have arrived as late as now, so it counts from now.
func TestCallsUnderWayOutliveTheProcess(t *testing.T) {
	fresh := func() *member {
		return &member{rest: time.Minute, limiter: &limiter{backoff: newBackoff(config.Retry{}), windows: []*channel.Window{{Limit: 20, Length: time.Minute}}}}
	}
	before := fresh()
	for i := range 20 {
		if !before.acquire(time.Duration(i)*time.Second, true) {
			t.Fatalf("call %d finds no place", i)
		}
		if i < 12 {
			before.release(time.Duration(i)*time.Second, true, channel.OK())
		}
	}
	var s memberState
	s.Ends, s.Busy = before.windows[0].State()
	died := 50 * time.Second
	after := fresh()
	after.restore(s, died)
	if after.acquire(died, true) {
		t.Error("a 21st call within a minute")
	}
	// Twelve are over by then, eight count until a minute after the start.
	for i := range 13 {
		if got := after.acquire(died+30*time.Second, true); got != (i < 12) {
			t.Errorf("call %d after the restart: %t", i+1, got)
		}
	}
}

// TestTwoWindowsAtOnce: with random bursts, slow calls and restarts neither window is passed, however the calls arrive within the time
// that they take: the first at its end, the last at its start.
func TestTwoWindowsAtOnce(t *testing.T) {
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 1))
		limits := []channel.Limit{{Calls: 100, Length: time.Minute}, {Calls: 5, Length: time.Second}}
		fresh := func() *member {
			m := &member{rest: time.Minute, limiter: &limiter{backoff: newBackoff(config.Retry{})}}
			for _, l := range limits {
				m.windows = append(m.windows, &channel.Window{Limit: l.Calls, Length: l.Length})
			}
			return m
		}
		m := fresh()
		var now time.Duration
		var starts, ends []time.Duration
		for range 600 {
			if random.IntN(4) == 0 {
				now += time.Duration(random.IntN(3000)) * time.Millisecond
			}
			if random.IntN(50) == 0 {
				var s memberState
				s.Ends, s.Busy = m.windows[0].State()
				m = fresh()
				m.restore(s, now)
			}
			urgent := random.IntN(2) == 0
			for waits := 0; !m.acquire(now, urgent); waits++ {
				if waits > 300 {
					t.Fatalf("seed %d: it waits for ever", seed)
				}
				now += max(m.available(now, urgent), time.Millisecond)
			}
			starts = append(starts, now)
			now += time.Duration(random.IntN(400)) * time.Millisecond / time.Duration(1+random.IntN(400))
			m.release(now, true, channel.OK())
			ends = append(ends, now)
		}
		for _, l := range limits {
			for i := l.Calls; i < len(starts); i++ {
				if d := starts[i] - ends[i-l.Calls]; d < l.Length {
					t.Fatalf("seed %d: %d calls within %s", seed, l.Calls+1, d)
				}
			}
		}
	}
}

package delivery

import (
	"math/rand/v2"
	"testing"
	"time"

	"lookout/app/relay/internal/channel"
	"lookout/app/relay/internal/config"
)

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
			m.release(now, channel.OK())
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

package channel

import (
	"testing"
	"testing/quick"
	"time"
)

// TestWindowNeverLetsTooManyThrough tries random patterns of calls against the definition itself.
func TestWindowNeverLetsTooManyThrough(t *testing.T) {
	check := func(waits []uint16) bool {
		w := Window{Limit: 20, Length: time.Minute}
		var now time.Duration
		var starts, ends []time.Duration
		for _, wait := range waits {
			now += time.Duration(wait%4000) * time.Millisecond
			if next := w.Next(now, 0); next > 0 {
				now += next
			}
			w.Start()
			starts = append(starts, now)
			now += time.Duration(wait%700) * time.Millisecond
			w.End(now)
			ends = append(ends, now)
		}
		// The worst arrival: the 1st at the end of its call, the 21st at the start of its own.
		for i := 20; i < len(starts); i++ {
			if starts[i]-ends[i-20] < time.Minute {
				return false
			}
		}
		return true
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 300}); err != nil {
		t.Error(err)
	}
}

func TestWindowIsNotStricterThanNeeded(t *testing.T) {
	w := Window{Limit: 20, Length: time.Minute}
	for i := range 20 {
		if wait := w.Next(0, 0); wait != 0 {
			t.Fatalf("call %d has to wait %s", i, wait)
		}
		w.Start()
		w.End(0)
	}
	if wait := w.Next(0, 0); wait < time.Minute || wait > time.Minute+Margin {
		t.Errorf("the 21st waits %s", wait)
	}
	if wait := w.Next(time.Minute+Margin, 0); wait != 0 {
		t.Errorf("after the minute it still waits %s", wait)
	}
}

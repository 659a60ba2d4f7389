package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"lookout/app/relay/internal/memdir"
)

func open(t testing.TB, path string, o Options) *Store {
	t.Helper()
	if o.Clock.Now == nil {
		o.Clock = SystemClock()
	}
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestRepetitionIsRecognisedAcrossARestart(t *testing.T) {
	path := filepath.Join(memdir.New(t), "spool.db")
	accept := func(s *Store, target, body string) (dup bool) {
		if err := s.Update(context.Background(), func(tx *Tx) (err error) {
			_, dup, err = tx.Accept(target, []byte(body))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return dup
	}
	s := open(t, path, Options{DuplicateWindow: time.Minute})
	if accept(s, "ops", "a") {
		t.Error("the first one counts as a repetition")
	}
	if accept(s, "dev", "a") {
		t.Error("another target's counts as a repetition")
	}
	if !accept(s, "ops", "a") {
		t.Error("a repetition isn't recognised")
	}
	s.Close()
	s = open(t, path, Options{DuplicateWindow: time.Minute})
	if !accept(s, "ops", "a") {
		t.Error("a repetition after a restart isn't recognised")
	}
	s.Close()
	// One boot later and two minutes further by the wall clock.
	clock := SystemClock()
	later := Clock{Now: func() time.Time { return clock.Now().Add(2 * time.Minute) }, Uptime: clock.Uptime, Boot: "another"}
	s = open(t, path, Options{DuplicateWindow: time.Minute, Clock: later})
	if accept(s, "ops", "a") {
		t.Error("what comes again after the window is no repetition")
	}
	s.View(func(tx *Tx) error {
		if got := tx.Depth("ops"); got != 2 {
			t.Errorf("depth %d, want 2", got)
		}
		return nil
	})
}

// TestARepetitionIsOneOnlyWhileNothingCameBetween: firing, resolved and firing again within the window are
// three pieces of news, in one transaction as in three, and over a restart.
func TestARepetitionIsOneOnlyWhileNothingCameBetween(t *testing.T) {
	path := filepath.Join(memdir.New(t), "spool.db")
	s := open(t, path, Options{DuplicateWindow: time.Minute})
	accept := func(tx *Tx, body string, alerts ...uint64) bool {
		_, dup, err := tx.Accept("ops", []byte(body), alerts...)
		if err != nil {
			t.Error(err)
		}
		return dup
	}
	together := func(fn func(tx *Tx)) {
		t.Helper()
		if err := s.Update(context.Background(), func(tx *Tx) error { fn(tx); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	together(func(tx *Tx) {
		if accept(tx, "firing", 1) || !accept(tx, "firing", 1) || accept(tx, "resolved", 1, 2) || accept(tx, "firing", 1) || !accept(tx, "firing", 1) {
			t.Error("in one transaction")
		}
	})
	for step, c := range []struct {
		body    string
		alerts  []uint64
		dup     bool
		restart bool
	}{
		{"firing", []uint64{1}, true, false}, {"resolved", []uint64{1, 2}, false, true}, {"firing", []uint64{1}, false, true},
		{"other", []uint64{3}, false, false}, {"firing", []uint64{1}, true, true}, {"other", []uint64{3}, true, false},
	} {
		together(func(tx *Tx) {
			if got := accept(tx, c.body, c.alerts...); got != c.dup {
				t.Errorf("step %d: %s is a repetition: %v", step, c.body, got)
			}
		})
		if c.restart {
			s.Close()
			s = open(t, path, Options{DuplicateWindow: time.Minute})
		}
	}
}

func TestAFailingChangeLeavesOthersAlone(t *testing.T) {
	s := open(t, filepath.Join(memdir.New(t), "spool.db"), Options{})
	wrong := errors.New("wrong")
	var wg sync.WaitGroup
	errs := make([]error, 100)
	for i := range errs {
		wg.Go(func() {
			errs[i] = s.Update(context.Background(), func(tx *Tx) error {
				if _, _, err := tx.Accept("ops", fmt.Append(nil, i)); err != nil {
					return err
				}
				if i%10 == 3 {
					return wrong
				}
				return nil
			})
		})
	}
	wg.Wait()
	for i, err := range errs {
		if (i%10 == 3) != errors.Is(err, wrong) {
			t.Errorf("change %d: %v", i, err)
		}
	}
	s.View(func(tx *Tx) error {
		var n int
		tx.Queue("ops", func(Record) bool { n++; return true })
		if n != 90 || tx.Depth("ops") != 90 {
			t.Errorf("%d queued, depth %d, want 90", n, tx.Depth("ops"))
		}
		return nil
	})
}

func TestSteadyClock(t *testing.T) {
	path := filepath.Join(memdir.New(t), "spool.db")
	wall, up, boot := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Hour, "one"
	at := func() Clock {
		return Clock{Now: func() time.Time { return wall }, Uptime: func() time.Duration { return up }, Boot: boot}
	}
	var before time.Duration
	for _, step := range []struct {
		name        string
		wall, up    time.Duration
		boot        string
		wantAdvance time.Duration
	}{
		{"first", 0, 0, "one", 0},
		{"running on", 10 * time.Second, 10 * time.Second, "one", 10 * time.Second},
		{"the clock is set a day ahead", 24 * time.Hour, time.Second, "one", time.Second},
		{"the clock is set two days back", -48 * time.Hour, time.Second, "one", time.Second},
		{"a reboot", 30 * time.Second, -time.Hour, "two", 30 * time.Second},
		{"a reboot with the clock set back", -time.Hour, 0, "three", 0},
	} {
		wall, up, boot = wall.Add(step.wall), up+step.up, step.boot
		s := open(t, path, Options{Clock: at()})
		if got := s.Steady() - before; got != step.wantAdvance {
			t.Errorf("%s: the steady clock advanced by %v, want %v", step.name, got, step.wantAdvance)
		}
		before = s.Steady()
		s.Close()
	}
}

func TestTwoRelaysCannotShareASpool(t *testing.T) {
	t.Parallel()
	path := filepath.Join(memdir.New(t), "spool.db")
	open(t, path, Options{})
	if _, err := Open(path, Options{Clock: SystemClock()}); err == nil {
		t.Fatal("a second one could open it")
	}
}

// BenchmarkAccept is the durable write alone, with fsync, from 32 senders at once. The same through
// HTTP, which is the bar, is BenchmarkDurableAccepts of package main.
func BenchmarkAccept(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "spool.db"), Options{DuplicateWindow: time.Minute})
	body := bytes.Repeat([]byte("x"), 1200)
	var mu sync.Mutex
	var took []time.Duration
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		var mine []time.Duration
		for i := 0; pb.Next(); i++ {
			own := fmt.Appendf(nil, "%p %d %s", pb, i, body)
			began := time.Now()
			if err := s.Update(context.Background(), func(tx *Tx) error {
				_, _, err := tx.Accept("ops", own)
				return err
			}); err != nil {
				b.Fatal(err)
			}
			mine = append(mine, time.Since(began))
		}
		mu.Lock()
		took = append(took, mine...)
		mu.Unlock()
	})
	slices.Sort(took)
	b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "accepts/s")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

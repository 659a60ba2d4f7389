package flight_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lookout/internal/flight"
)

var errAsk = errors.New("no answer")

// Answers of one key by what has happened to it before: the steps of each case are carried out in the time of a bubble.
func TestWhereAnswersComeFrom(t *testing.T) {
	type step struct {
		after time.Duration
		key   string
		err   error
		size  int
		want  flight.From
		value int
	}
	for name, steps := range map[string][]step{
		"kept, then asked again": {
			{0, "a", nil, 1, flight.Asked, 1}, {5 * time.Second, "a", nil, 1, flight.Kept, 1}, {5 * time.Second, "a", nil, 1, flight.Asked, 2}, {0, "a", nil, 1, flight.Kept, 2},
		},
		"each key for itself": {{0, "a", nil, 1, flight.Asked, 1}, {0, "b", nil, 1, flight.Asked, 2}, {0, "a", nil, 1, flight.Kept, 1}},
		"a failure is kept for a second": {
			{0, "a", errAsk, 1, flight.Asked, 1}, {999 * time.Millisecond, "a", nil, 1, flight.Kept, 1}, {time.Millisecond, "a", nil, 1, flight.Asked, 2},
		},
		"what expires next goes when there is too much": {
			{0, "a", nil, 40, flight.Asked, 1}, {time.Second, "b", nil, 40, flight.Asked, 2}, {time.Second, "c", nil, 40, flight.Asked, 3},
			{0, "b", nil, 40, flight.Kept, 2}, {0, "c", nil, 40, flight.Kept, 3}, {0, "a", nil, 40, flight.Asked, 4},
		},
		"what is larger than everything is answered and not kept": {
			{0, "a", nil, 1, flight.Asked, 1}, {0, "b", nil, 101, flight.Asked, 2}, {0, "b", nil, 1, flight.Asked, 3},
		},
		"what has expired leaves room": {
			{0, "a", nil, 90, flight.Asked, 1}, {10 * time.Second, "b", nil, 90, flight.Asked, 2}, {0, "b", nil, 90, flight.Kept, 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := flight.New[int](100, nil)
				asked := 0
				for i, s := range steps {
					time.Sleep(s.after)
					value, from, err := c.Do(t.Context(), s.key, 10*time.Second, func(context.Context) (int, int, error) {
						asked++
						return asked, s.size, s.err
					})
					if value != s.value || from != s.want {
						t.Errorf("step %d: %d, %s; want %d, %s", i, value, from, s.value, s.want)
					}
					if from == flight.Asked && !errors.Is(err, s.err) {
						t.Errorf("step %d: error %v, want %v", i, err, s.err)
					}
				}
			})
		})
	}
}

func TestOneCallForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := flight.New[string](100, nil)
		release := make(chan struct{})
		calls := 0
		ask := func(ctx context.Context) (string, int, error) {
			calls++
			<-release
			return "answer", 1, ctx.Err()
		}
		impatient, leave := context.WithCancel(t.Context())
		var mu sync.Mutex
		from := map[flight.From]int{}
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, f, err := c.Do(impatient, "k", time.Minute, ask); !errors.Is(err, context.Canceled) || f != flight.Asked {
				t.Errorf("the first asker, who left: %s, %v", f, err)
			}
		})
		synctest.Wait()
		for range 100 {
			wg.Go(func() {
				v, f, err := c.Do(t.Context(), "k", time.Minute, ask)
				if v != "answer" || err != nil {
					t.Errorf("%q, %v", v, err)
				}
				mu.Lock()
				from[f]++
				mu.Unlock()
			})
		}
		synctest.Wait()
		leave()
		synctest.Wait()
		// A call that is under way is not forgotten: those who wait get its answer.
		c.Forget(func(string) bool { return true })
		close(release)
		wg.Wait()
		if calls != 1 || from[flight.Shared] != 100 {
			t.Errorf("%d calls; answers %v", calls, from)
		}
		if _, f, _ := c.Do(t.Context(), "k", time.Minute, ask); f != flight.Kept {
			t.Errorf("afterwards: %s", f)
		}
	})
}

func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := flight.New[string](100, nil)
		do := func(key string) flight.From {
			_, from, err := c.Do(t.Context(), key, time.Minute, func(context.Context) (string, int, error) { return key, 1, nil })
			if err != nil {
				t.Error(err)
			}
			return from
		}
		do("x@1")
		do("y@1")
		c.Forget(func(key string) bool { return key[0] == 'x' })
		if a, b := do("x@1"), do("y@1"); a != flight.Asked || b != flight.Kept {
			t.Errorf("x %s, y %s", a, b)
		}
	})
}

// A call that panics is a failure of those who asked, not the end of the program.
func TestAPanicIsAnError(t *testing.T) {
	c := flight.New[string](100, nil)
	_, _, err := c.Do(t.Context(), "k", time.Minute, func(context.Context) (string, int, error) { panic("a mistake") })
	if err == nil || err.Error() != "panic: a mistake" {
		t.Errorf("error %v", err)
	}
}

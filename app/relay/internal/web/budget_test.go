package web

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestLargeBodiesGetInInTheOrderTheyCame: none starves another, small ones pass them, one that gives up leaves its place to those
// behind it, and all is given back.
func TestLargeBodiesGetInInTheOrderTheyCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const mib = 1 << 20
		b := newBudget(9*mib, mib)
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		for i := range 10 {
			// One after the other, each for a second: two at a time.
			time.Sleep(time.Millisecond)
			wg.Go(func() {
				wait := time.Minute
				if i == 5 {
					wait = 100 * time.Millisecond
				}
				if !b.take(4*mib, true, wait) {
					if i != 5 {
						t.Errorf("%d found no room", i)
					}
					return
				}
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				time.Sleep(time.Second)
				b.give(4 * mib)
			})
		}
		synctest.Wait()
		if !b.take(smallBody, false, 0) {
			t.Error("a small one has to wait for large ones")
		}
		if b.take(mib, true, time.Millisecond) {
			t.Error("a less large one passed the queue")
		}
		b.give(smallBody)
		began := time.Now()
		wg.Wait()
		if !slices.IsSorted(order) || len(order) != 9 || time.Since(began) > 5*time.Second {
			t.Errorf("they got in as %v in %s", order, time.Since(began))
		}
		if b.left != 9*mib || b.crowded() {
			t.Errorf("%d bytes are left", b.left)
		}
	})
}

// TestABodyOfAnyLength: what is announced, what is not, and what is longer than may be.
func TestABodyOfAnyLength(t *testing.T) {
	s := &Server{intake: newBudget(4<<20, 0)}
	for _, c := range []struct {
		size      int
		announced bool
		limit     int64
		ok        bool
	}{
		{0, true, 1 << 20, true}, {10, true, 1 << 20, true}, {10, false, 1 << 20, true}, {smallBody, false, 1 << 20, true}, {smallBody + 1, false, 1 << 20, true},
		{1 << 20, true, 1 << 20, true}, {1 << 20, false, 1 << 20, true}, {1<<20 + 1, true, 1 << 20, false}, {1<<20 + 1, false, 1 << 20, false},
		{100, true, 100, true}, {101, true, 100, false}, {101, false, 100, false},
	} {
		want := bytes.Repeat([]byte("x"), c.size)
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(want))
		if !c.announced {
			r.ContentLength = -1
			r.Body = io.NopCloser(bytes.NewReader(want))
		}
		got, release, err := s.read(httptest.NewRecorder(), r, c.limit)
		if (err == nil) != c.ok || c.ok && !bytes.Equal(got, want) {
			t.Errorf("%+v: %d bytes, %v", c, len(got), err)
		}
		if release(); s.intake.left != 4<<20 {
			t.Fatalf("%+v: %d bytes are left", c, s.intake.left)
		}
	}
}

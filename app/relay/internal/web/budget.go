package web

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// intakeBytes bounds the bodies that are held in memory at a time, whoever many senders they come from.
	intakeBytes = 12 << 20
	// keptForSmall of it are for bodies of at most smallBody, so that they pass a queue of large ones.
	keptForSmall = 1 << 20
	smallBody    = 64 << 10
	// parsingBytes bounds the bodies that are being read as JSON, which takes several times their size. One body
	// of any size is always read.
	parsingBytes = 4 << 20
	// smallWait and largeWait are how long a body waits for room before it is answered 503. A large one has its place in
	// a queue meanwhile, which it would lose by coming again.
	smallWait = 700 * time.Millisecond
	largeWait = 15 * time.Second
	// readFor is how long a body may take to come, from when there is room for it.
	readFor = 20 * time.Second
	// slowAfter and slowRate, in bytes a second: who comes more slowly for that long is sent away while others wait for room.
	slowAfter = 2 * time.Second
	slowRate  = 256 << 10
)

var errBusy = errors.New("too much is being taken at once: the sender should try again")

// budget is a number of bytes that requests share. Those that find no room wait in the order they came: small ones, and large ones
// for what is not kept for small ones.
type budget struct {
	mu    sync.Mutex
	left  int64
	kept  int64
	small []*waiter
	large []*waiter
}

type waiter struct {
	n     int64
	ready chan struct{}
}

func newBudget(n, kept int64) *budget { return &budget{left: n, kept: kept} }

// take takes n bytes, waiting up to wait for them.
func (b *budget) take(n int64, large bool, wait time.Duration) bool {
	b.mu.Lock()
	queue, kept := &b.small, int64(0)
	if large {
		queue, kept = &b.large, b.kept
	}
	if len(*queue) == 0 && b.left-kept >= n {
		b.left -= n
		b.mu.Unlock()
		return true
	}
	w := &waiter{n, make(chan struct{})}
	*queue = append(*queue, w)
	b.mu.Unlock()
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	select {
	case <-w.ready:
		return true
	case <-deadline.C:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	at := slices.Index(*queue, w)
	if at < 0 {
		// It got its bytes at the last moment.
		return true
	}
	*queue = slices.Delete(*queue, at, at+1)
	// Behind one that wanted much there may be one that wants less.
	b.grant()
	return false
}

// grant gives what is left to those who wait.
func (b *budget) grant() {
	for len(b.small) > 0 && b.left >= b.small[0].n {
		b.left -= b.small[0].n
		close(b.small[0].ready)
		b.small = b.small[1:]
	}
	for len(b.large) > 0 && b.left-b.kept >= b.large[0].n {
		b.left -= b.large[0].n
		close(b.large[0].ready)
		b.large = b.large[1:]
	}
}

func (b *budget) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left += n
	b.grant()
}

// crowded tells whether anyone waits.
func (b *budget) crowded() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.small)+len(b.large) > 0
}

// read reads a body of at most limit bytes, once the budget has room for all of it; release gives that back. A body
// that finds no room in time is refused before it is read.
func (s *Server) read(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, release func(), err error) {
	taken := int64(0)
	release = func() { s.intake.give(taken) }
	// One whose length is not known, or not yet because it is compressed, is a small one until it shows to be none.
	zipped := strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip")
	size := min(r.ContentLength, limit)
	if r.ContentLength < 0 || zipped {
		size = smallBody
	}
	large := size > smallBody
	if !s.intake.take(size, large, map[bool]time.Duration{false: smallWait, true: largeWait}[large]) {
		return nil, func() {}, errBusy
	}
	taken = size
	began := time.Now()
	// The time that a body has to come is not what it waited for room. Where deadlines can't be set there are none.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(began.Add(readFor))
	_ = control.SetWriteDeadline(began.Add(2 * readFor))
	in := io.Reader(http.MaxBytesReader(w, r.Body, limit))
	if zipped {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, release, errors.New("the body is not gzip, though Content-Encoding says so")
		}
		in = z
	}
	// One byte more shows that there is no more.
	body = make([]byte, 0, size+1)
	for {
		if len(body) == cap(body) {
			if taken < limit {
				// It is a large one after all; while it waits it holds no more than a small one.
				if !s.intake.take(limit-taken, true, largeWait) {
					return nil, release, errBusy
				}
				taken = limit
				began = time.Now()
				_ = control.SetReadDeadline(began.Add(readFor))
				_ = control.SetWriteDeadline(began.Add(2 * readFor))
			}
			body = append(make([]byte, 0, min(2*int64(cap(body)), limit)+1), body...)
		}
		n, err := in.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if int64(len(body)) > limit {
			return nil, release, &http.MaxBytesError{Limit: limit}
		}
		if err == io.EOF {
			return body, release, nil
		}
		if err != nil {
			return nil, release, err
		}
		if took := time.Since(began); took > slowAfter && float64(len(body)) < slowRate*took.Seconds() && s.intake.crowded() {
			return nil, release, errBusy
		}
	}
}

package web

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// intakeBytes bounds the bodies that are held in memory at a time, whoever many senders they come from.
	intakeBytes = 12 << 20
	// parsingBytes bounds the bodies that are being read as JSON, which takes several times their size. One body
	// of any size is always read.
	parsingBytes = 4 << 20
	// budgetWait is how long a body waits for room before it is answered 503.
	budgetWait = 700 * time.Millisecond
	// chunk is what a body takes of the budget before a byte of it has come.
	chunk = 4 << 10
)

var errBusy = errors.New("too much is being taken at once: the sender should try again")

// budget is a number of bytes that requests share.
type budget struct {
	mu    sync.Mutex
	left  int64
	freed chan struct{}
}

func newBudget(n int64) *budget { return &budget{left: n, freed: make(chan struct{})} }

// take takes n bytes, waiting up to wait for them.
func (b *budget) take(n int64, wait time.Duration) bool {
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for {
		b.mu.Lock()
		if b.left >= n {
			b.left -= n
			b.mu.Unlock()
			return true
		}
		freed := b.freed
		b.mu.Unlock()
		select {
		case <-freed:
		case <-deadline.C:
			return false
		}
	}
}

func (b *budget) give(n int64) {
	b.mu.Lock()
	b.left += n
	close(b.freed)
	b.freed = make(chan struct{})
	b.mu.Unlock()
}

// read reads a body of at most limit bytes. What has come of it so far is taken from the budget; release
// gives that back. A body that announces more than there is room for is refused before it is read.
func (s *Server) read(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, release func(), err error) {
	taken := int64(chunk)
	release = func() { s.intake.give(taken) }
	first := max(chunk, min(r.ContentLength, limit))
	// Small ones are taken whole; of a large one it is only asked whether there is room, since it may come slowly.
	if !s.intake.take(first, budgetWait) {
		return nil, func() {}, errBusy
	}
	if first > 64<<10 {
		s.intake.give(first - taken)
	} else {
		taken = first
	}
	in := io.Reader(http.MaxBytesReader(w, r.Body, limit))
	if strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip") {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, release, errors.New("the body is not gzip, though Content-Encoding says so")
		}
		in = z
	}
	body = make([]byte, 0, taken)
	for {
		if len(body) == cap(body) {
			more := int64(cap(body))
			if int64(len(body)) >= limit {
				// One byte more than may be.
				more = 1
			}
			if !s.intake.take(more, budgetWait) {
				return nil, release, errBusy
			}
			taken += more
			body = append(make([]byte, 0, int64(cap(body))+more), body...)
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
	}
}

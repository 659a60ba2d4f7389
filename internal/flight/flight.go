// Package flight answers many askers with one call: those that want the same at the same time wait for one, and its answer is kept for a while.
package flight

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Cache keeps answers by key. Answers are shared and must not be changed.
type Cache[T any] struct {
	limit int
	now   func() time.Time

	mu      sync.Mutex
	entries map[string]*entry[T]
	size    int
	swept   time.Time
}

type entry[T any] struct {
	done    chan struct{}
	value   T
	err     error
	size    int
	expires time.Time // zero while the call is under way
}

// From says where an answer came from.
type From string

// An answer was made for this asker, for another at the same time, or before.
const (
	Asked  From = "asked"
	Shared From = "shared"
	Kept   From = "kept"
)

// New makes a cache that keeps answers of limit bytes together, by the sizes that calls report.
func New[T any](limit int, now func() time.Time) *Cache[T] {
	if now == nil {
		now = time.Now
	}
	return &Cache[T]{limit: limit, now: now, entries: map[string]*entry[T]{}}
}

// errorsKept is how long a failure is kept: twenty askers do not each wait for a server that is gone, and it may come back soon.
const errorsKept = time.Second

// Do answers from the cache, or by calling ask in a goroutine of its own. An answer is kept for keep, a failure for a second at most. If ctx ends, Do returns its error at
// once; the call goes on for the others, with a context that does not end with this asker.
func (c *Cache[T]) Do(ctx context.Context, key string, keep time.Duration, ask func(context.Context) (value T, size int, err error)) (T, From, error) {
	from := Asked
	c.mu.Lock()
	now := c.now()
	c.sweep(now)
	e := c.entries[key]
	switch {
	case e != nil && e.expires.IsZero():
		from = Shared
	case e != nil && now.Before(e.expires):
		c.mu.Unlock()
		return e.value, Kept, e.err
	default:
		if e != nil {
			c.drop(key, e)
		}
		e = &entry[T]{done: make(chan struct{})}
		c.entries[key] = e
		go c.run(context.WithoutCancel(ctx), key, e, keep, ask)
	}
	c.mu.Unlock()
	select {
	case <-e.done:
		return e.value, from, e.err
	case <-ctx.Done():
		var none T
		return none, from, ctx.Err()
	}
}

func (c *Cache[T]) run(ctx context.Context, key string, e *entry[T], keep time.Duration, ask func(context.Context) (T, int, error)) {
	value, size, err := safely(ctx, ask)
	c.mu.Lock()
	defer c.mu.Unlock()
	e.value, e.err, e.size = value, err, size
	if err != nil {
		keep = min(keep, errorsKept)
	}
	e.expires = c.now().Add(keep)
	c.size += size
	close(e.done)
	c.shrink()
}

// safely makes an error of a panic: in a goroutine of its own it would end the program, and what panics here draws dashboards that anyone may have written.
func safely[T any](ctx context.Context, ask func(context.Context) (T, int, error)) (value T, size int, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return ask(ctx)
}

// Forget drops what is kept under the keys that match.
func (c *Cache[T]) Forget(match func(key string) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, e := range c.entries {
		if !e.expires.IsZero() && match(k) {
			c.drop(k, e)
		}
	}
}

func (c *Cache[T]) drop(key string, e *entry[T]) {
	c.size -= e.size
	delete(c.entries, key)
}

// sweep forgets what is too old, once a second at most.
func (c *Cache[T]) sweep(now time.Time) {
	if now.Sub(c.swept) < time.Second {
		return
	}
	c.swept = now
	for k, e := range c.entries {
		if !e.expires.IsZero() && !now.Before(e.expires) {
			c.drop(k, e)
		}
	}
}

// shrink forgets what expires next until the rest fits.
func (c *Cache[T]) shrink() {
	for c.size > c.limit {
		next := ""
		for k, e := range c.entries {
			if !e.expires.IsZero() && (next == "" || e.expires.Before(c.entries[next].expires)) {
				next = k
			}
		}
		if next == "" {
			return
		}
		c.drop(next, c.entries[next])
	}
}

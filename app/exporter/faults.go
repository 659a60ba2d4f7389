package main

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxLatency is the longest delay the latency knob can add, below the server's write timeout.
const maxLatency = 10 * time.Second

// knob is a fault with a whole number for its strength; 0 is off.
type knob struct {
	max int64
	// apply brings the fault from one strength to the next, and returns once that is so. nil where
	// requests look at the value themselves.
	apply func(from, to int64)
	value atomic.Int64

	// lease, if any, brings the knob back to before when it runs out: whoever turned it may have died.
	lease  *time.Timer
	before int64
}

// Leases are short, so that what is left behind by a drill that was killed ends soon.
const (
	leastLease = time.Second
	maxLease   = 5 * time.Minute
)

// faults are the things that can be made to go wrong, and right again.
type faults struct {
	mu    sync.Mutex // one change at a time
	knobs map[string]*knob

	threadQuits    []chan struct{}
	threadsBefore  int // OS threads of the process when the knob left 0
	goroutineQuits []chan struct{}
	ballast        [][]byte
}

const (
	knobThreads      = "threads"
	knobGoroutines   = "goroutines"
	knobHeap         = "heap_mebibytes"
	knobLatency      = "latency_milliseconds"
	knobErrorPercent = "error_percent"
)

func newFaults() *faults {
	f := &faults{}
	f.knobs = map[string]*knob{
		// The runtime crashes a program at 10,000 threads; the limits of containers are far lower.
		knobThreads:      {max: 500, apply: f.setThreads},
		knobGoroutines:   {max: 100_000, apply: f.setGoroutines},
		knobHeap:         {max: 2048, apply: f.setHeap},
		knobLatency:      {max: maxLatency.Milliseconds()},
		knobErrorPercent: {max: 100},
	}
	return f
}

func (f *faults) latency() time.Duration {
	return time.Duration(f.knobs[knobLatency].value.Load()) * time.Millisecond
}

func (f *faults) errorPercent() int64 { return f.knobs[knobErrorPercent].value.Load() }

func (f *faults) knob(name string) (*knob, error) {
	k, ok := f.knobs[name]
	if !ok {
		return nil, fmt.Errorf("no fault %q: choose one of %s", name, strings.Join(f.names(), ", "))
	}
	return k, nil
}

// set turns a knob. With a lease above 0 the knob goes back by itself to what it was before the lease, unless set is called again
// within that time; without one it stays. The error names the value and what would be right.
func (f *faults) set(name, given string, lease time.Duration) error {
	k, err := f.knob(name)
	if err != nil {
		return err
	}
	to, err := strconv.ParseInt(strings.TrimSpace(given), 10, 64)
	if err != nil || to < 0 || to > k.max {
		return fmt.Errorf("%s=%q: send a whole number from 0 to %d as the body", name, shortened(given), k.max)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	was, held := k.before, k.lease != nil
	k.endLease()
	if lease > 0 {
		if !held {
			was = k.value.Load()
		}
		k.before = was
		var timer *time.Timer
		timer = time.AfterFunc(lease, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			// A lease that was renewed at the last moment has another timer.
			if k.lease == timer {
				f.release(k)
			}
		})
		k.lease = timer
	}
	f.change(k, to)
	return nil
}

// giveBack ends a knob's lease and brings it back to what it was before; without a lease it is turned off.
func (f *faults) giveBack(name string) error {
	k, err := f.knob(name)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.release(k)
	return nil
}

func (f *faults) release(k *knob) {
	to := k.before
	k.endLease()
	f.change(k, to)
}

func (k *knob) endLease() {
	if k.lease != nil {
		k.lease.Stop()
	}
	k.lease, k.before = nil, 0
}

func (f *faults) change(k *knob, to int64) {
	from := k.value.Load()
	if k.apply != nil && from != to {
		k.apply(from, to)
	}
	k.value.Store(to)
}

func (f *faults) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range f.knobs {
		k.endLease()
		f.change(k, 0)
	}
}

func (f *faults) names() []string {
	names := make([]string, 0, len(f.knobs))
	for name := range f.knobs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// setThreads holds OS threads, each by a goroutine that is locked to it. A goroutine that ends
// while it is locked takes its thread with it; any other way of raising the number would leave
// idle threads behind, since the Go runtime keeps them for ever, and go_threads would never fall.
func (f *faults) setThreads(from, to int64) {
	if from == 0 {
		f.threadsBefore = threadCount()
	}
	for ; from < to; from++ {
		quit, held := make(chan struct{}), make(chan struct{})
		f.threadQuits = append(f.threadQuits, quit)
		go func() {
			runtime.LockOSThread() // and never unlocked: see above
			close(held)
			<-quit
		}()
		<-held
	}
	if from == to {
		return
	}
	for ; from > to; from-- {
		last := len(f.threadQuits) - 1
		close(f.threadQuits[last])
		f.threadQuits = f.threadQuits[:last]
	}
	// Handing over between so many threads made the runtime start some more, which it would keep
	// idle; and the ones let go take a moment to end. The one above what was there before is the
	// runtime's template thread, which starts with the first lock and stays.
	f.endIdleThreads(f.threadsBefore + int(to) + 1)
}

// endIdleThreads ends idle threads of the runtime until at most keep are left. It gives up after a
// while, since on a busy machine the runtime may be starting others for good reasons.
func (f *faults) endIdleThreads(keep int) {
	const pause = time.Millisecond
	before := math.MaxInt
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); time.Sleep(pause) {
		now := threadCount()
		if now <= keep {
			return
		}
		// While threads are on their way out, one more goroutine would only need one more thread.
		if now >= before {
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				runtime.LockOSThread() // the thread ends with its goroutine
			}()
			<-ended
		}
		before = now
	}
}

// threadCount is the number behind go_threads: the threads the runtime has, without creating a
// profile of them.
func threadCount() int {
	n, _ := runtime.ThreadCreateProfile(nil)
	return n
}

func (f *faults) setGoroutines(from, to int64) {
	for ; from < to; from++ {
		quit := make(chan struct{})
		f.goroutineQuits = append(f.goroutineQuits, quit)
		go func() { <-quit }()
	}
	for ; from > to; from-- {
		last := len(f.goroutineQuits) - 1
		close(f.goroutineQuits[last])
		f.goroutineQuits = f.goroutineQuits[:last]
	}
}

// setHeap holds memory that is really there: each page is written to. Going down, it gives the
// memory back to the system at once, where the runtime would take minutes; the resident size is
// what the memory alert looks at.
func (f *faults) setHeap(from, to int64) {
	const mebibyte, page = 1 << 20, 4 << 10
	for ; from < to; from++ {
		b := make([]byte, mebibyte)
		for i := 0; i < len(b); i += page {
			b[i] = 1
		}
		f.ballast = append(f.ballast, b)
	}
	if from > to {
		f.ballast = slices.Clone(f.ballast[:to])
		debug.FreeOSMemory()
	}
}

func (f *faults) show(w http.ResponseWriter, _ *http.Request) {
	values := make(map[string]int64, len(f.knobs))
	for name, k := range f.knobs {
		values[name] = k.value.Load()
	}
	writeJSON(w, http.StatusOK, values)
}

func (s *service) putFault(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64))
	if err != nil {
		writeError(w, http.StatusBadRequest, "body: send one whole number: "+err.Error())
		return
	}
	name := r.PathValue("knob")
	lease, err := leaseOf(r.URL.Query().Get("lease"))
	if err == nil {
		err = s.faults.set(name, string(body), lease)
	}
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	s.cfg.Logger.Warn("fault set", "fault", name, "value", strings.TrimSpace(string(body)), "lease", lease)
	s.faults.show(w, r)
}

// leaseOf reads for how long a fault is set; 0 is for good.
func leaseOf(given string) (time.Duration, error) {
	if given == "" {
		return 0, nil
	}
	lease, err := time.ParseDuration(given)
	if err != nil || lease < leastLease || lease > maxLease {
		return 0, fmt.Errorf("lease=%q: give a duration from %v to %v, or leave it out for no end", shortened(given), leastLease, maxLease)
	}
	return lease, nil
}

func (s *service) deleteFault(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("knob")
	if err := s.faults.giveBack(name); err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	s.cfg.Logger.Info("fault taken back", "fault", name)
	s.faults.show(w, r)
}

func (s *service) deleteFaults(w http.ResponseWriter, r *http.Request) {
	s.faults.reset()
	s.cfg.Logger.Info("faults taken back")
	s.faults.show(w, r)
}

func shortened(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

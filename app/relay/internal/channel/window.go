package channel

import (
	"slices"
	"time"
)

// Window keeps a robot below its limit: never more than Limit calls in any stretch of Length.
//
// It is a log of the calls rather than a token bucket (x/time/rate), because a bucket of 20 that is
// refilled at 20 a minute lets 39 through within some minute, and the 21st blocks the robot. A call
// counts from its start until Length after its *end*: the other side counts by arrival, which lies
// somewhere between the two.
//
// Times are those of a clock that does not jump (see Uptime in package delivery). A Window is not
// safe for concurrent use.
type Window struct {
	Limit  int
	Length time.Duration
	// Ends of the calls that still count, ascending. Calls under way count without an end.
	Ends []time.Duration
	busy int
}

// Margin is added to the window's length, for clocks that run at slightly different speeds.
const Margin = 250 * time.Millisecond

// Next returns how long to wait until a call may start that leaves kept places free, 0 for at once. While
// that many calls are under way it can't be known, and it returns Length.
func (w *Window) Next(now time.Duration, kept int) time.Duration {
	w.forget(now)
	free := w.Limit - kept - w.busy - len(w.Ends)
	if free > 0 {
		return 0
	}
	// The call that has to leave the window before one more fits.
	if i := -free; i < len(w.Ends) {
		return max(w.Ends[i]+w.Length+w.margin()-now, time.Millisecond)
	}
	return w.Length
}

// Used is how many of Limit are taken.
func (w *Window) Used(now time.Duration) int {
	w.forget(now)
	return w.busy + len(w.Ends)
}

// Start notes that a call begins; End that it is over.
func (w *Window) Start() { w.busy++ }

// End notes that a call is over, whatever came of it.
func (w *Window) End(now time.Duration) {
	w.busy--
	w.Add(now)
}

// Cancel takes back a Start whose call was not made.
func (w *Window) Cancel() { w.busy-- }

// Add notes a call that someone else made.
func (w *Window) Add(end time.Duration) {
	w.Ends = append(w.Ends, end)
	slices.Sort(w.Ends)
}

func (w *Window) margin() time.Duration { return min(Margin, w.Length/20) }

func (w *Window) forget(now time.Duration) {
	w.Ends = slices.DeleteFunc(w.Ends, func(end time.Duration) bool { return now-end >= w.Length+w.margin() })
}

// State is what has to be kept over a restart: the ends of calls and how many are under way.
func (w *Window) State() (ends []time.Duration, busy int) { return slices.Clone(w.Ends), w.busy }

package spool

import (
	"bytes"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Clock is where the relay gets its times from.
type Clock struct {
	// Now is the wall clock. It jumps when somebody sets it, so it is for showing and signing only.
	Now func() time.Time
	// Uptime is a clock that never jumps and also runs while the machine sleeps.
	Uptime func() time.Duration
	// Boot names the run of the machine that Uptime counts from.
	Boot string
}

// SystemClock is the machine's own.
func SystemClock() Clock {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return Clock{Now: time.Now, Uptime: uptime, Boot: string(bytes.TrimSpace(boot))}
}

func uptime() time.Duration {
	var ts unix.Timespec
	// Cannot fail: the clock exists since Linux 2.6.39, older than anything Go runs on.
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return time.Duration(ts.Nano())
}

// anchor ties the steady clock to the others in the store.
type anchor struct {
	Boot   string        `json:"boot"`
	Uptime time.Duration `json:"uptime"`
	Wall   time.Time     `json:"wall"`
	Steady time.Duration `json:"steady"`
}

// resume returns the steady time now. Within one run of the machine it goes by its uptime and no
// setting of the clock can disturb it; over a reboot the wall clock is all there is, and then time
// at least doesn't run backwards.
func (a anchor) resume(c Clock) time.Duration {
	if a.Wall.IsZero() {
		return 0
	}
	if a.Boot != "" && a.Boot == c.Boot && c.Uptime() >= a.Uptime {
		return a.Steady + c.Uptime() - a.Uptime
	}
	return a.Steady + max(0, c.Now().Sub(a.Wall))
}

package drill

import "time"

// roundUp is the first multiple of an interval that is not before d: what is evaluated at an interval cannot last shorter.
func roundUp(d, interval time.Duration) time.Duration {
	if interval <= 0 || d <= 0 {
		return max(d, 0)
	}
	return (d + interval - 1) / interval * interval
}

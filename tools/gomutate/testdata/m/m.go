// Package m is mutated by the tests of gomutate.
package m

import "time"

// Grade is tested at its borders.
func Grade(n int) string {
	if n < 0 || n > 100 {
		return "wrong"
	}
	if n >= 50 {
		return "good"
	}
	return "bad"
}

// Weak is called by a test that looks at nothing.
func Weak(a, b int) int {
	for i := range 3 {
		if i == b {
			a++
		}
	}
	return a * 2
}

// Slow must end.
func Slow(n int) int {
	for n > 0 {
		n--
	}
	return n
}

// Wait is excused.
func Wait(n int) time.Duration {
	//mutate:ignore a test
	return time.Duration(n) * time.Second
}

// Needless has an excuse that it does not need.
func Needless(on bool) bool {
	//mutate:ignore a test
	return !on
}

// Uncalled is reached by no test.
func Uncalled(a bool) bool { return !a }

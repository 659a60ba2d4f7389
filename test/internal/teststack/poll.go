package teststack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Eventually asks again and again until there is no error, and fails with the last one once the time is over. The sentence
// says what is waited for.
func Eventually(t testing.TB, within time.Duration, sentence string, ask func(context.Context) error) {
	t.Helper()
	if err := Poll(t.Context(), within, 100*time.Millisecond, ask); err != nil {
		t.Fatalf("not within %v: %s; last answer: %v", within, sentence, err)
	}
}

// ErrNever ends a poll at once: what is waited for cannot come any more.
var ErrNever = errors.New("this will not change")

// Poll asks until there is no error and returns the last one once the time is over.
func Poll(ctx context.Context, within, every time.Duration, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	last := errors.New("no answer")
	for {
		err := ask(ctx)
		if err == nil || errors.Is(err, ErrNever) {
			return err
		}
		// An answer that was cut off by the deadline says less than the one before.
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return last
		case <-tick.C:
		}
	}
}

// Measured prints a figure, and keeps it in test-results/, since `go test` shows what a test printed only with -v.
func (s *Stack) Measured(t testing.TB, format string, args ...any) {
	t.Helper()
	line := fmt.Sprintf(format, args...)
	t.Log(line)
	file := filepath.Join(s.Checkout.Root, "test-results", "measured.txt")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprintf(f, "%s %s: %s\n", time.Now().UTC().Format(time.RFC3339), t.Name(), line)
}

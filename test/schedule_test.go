package test

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// A schedule is how long each stage between a breach and its message may take by design, and when the
// message of the story went through it.
type schedule struct {
	scrape, evaluation, pending, groupWait time.Duration

	scrapedAt, pendingAt, firingAt, messageAt time.Time
	// firingSeen is when Grafana first said that the alert fires. Its clock of evaluations, which
	// pendingAt and firingAt are read from, stands still while a rule waits for its turn within a tick:
	// Grafana before 11 spreads the rules of a tick over the ten seconds of it, each time in another
	// order. A rule that is served last sees what was there at the beginning, up to ten seconds later.
	firingSeen time.Time
}

func (s schedule) total() time.Duration { return s.scrape + s.evaluation + s.pending + s.groupWait }

// bar is the longest that a message may take, beside the turn that Grafana makes the rule wait for.
func (s schedule) bar() time.Duration { return s.total() + 2*time.Second }

// turn is how long the rule waited for its turn in the tick that made it fire.
func (s schedule) turn() time.Duration { return max(0, s.firingSeen.Sub(s.firingAt)) }

// lines are the stages, each with what it took and what the schedule gives it.
func (s schedule) lines(breach time.Time) []string {
	lines := make([]string, 0, 5)
	from := breach
	for _, stage := range []struct {
		name  string
		until time.Time
		bar   time.Duration
	}{
		{"breach → scrape", s.scrapedAt, s.scrape},
		{"scrape → rule pending", s.pendingAt, s.evaluation},
		{"pending → firing", s.firingAt, s.pending},
		{"its turn in the tick", s.firingSeen, 0},
		{"firing → message", s.messageAt, s.groupWait},
	} {
		if stage.until.IsZero() {
			lines = append(lines, fmt.Sprintf("%-22s not seen  (schedule %4.1f s)", stage.name, stage.bar.Seconds()))
			continue
		}
		lines = append(lines, fmt.Sprintf("%-22s %5.1f s  (schedule %4.1f s)", stage.name, stage.until.Sub(from).Seconds(), stage.bar.Seconds()))
		from = stage.until
	}
	return append(lines, fmt.Sprintf("%-22s %5.1f s  (schedule %4.1f s, bar %.1f s)", "breach → message",
		s.messageAt.Sub(breach).Seconds(), s.total().Seconds(), s.bar().Seconds()))
}

// readSchedule asks Prometheus and Grafana for the schedule they run by.
func (s *story) readSchedule(t *testing.T) {
	t.Helper()
	targets, err := s.targets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.schedule.scrape, err = time.ParseDuration(targets["go/"+instance].ScrapeInterval); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "Grafana evaluates "+alert, func(ctx context.Context) error {
		r, err := s.rule(ctx, alert)
		s.schedule.evaluation = time.Duration(r.interval * float64(time.Second))
		s.schedule.pending = time.Duration(r.For * float64(time.Second))
		return err
	})
	if s.schedule.groupWait, err = s.groupWait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// largestGap is the longest time without a sample of the exporter's up, until now; up has to have been
// 1 all the while.
func (s *story) largestGap(t *testing.T, since time.Time) (gap time.Duration) {
	t.Helper()
	samples, err := s.samples(t.Context(), `up{job="go",instance="`+instance+`"}`, since)
	if err != nil {
		t.Fatal(err)
	}
	if len(samples) < 2 {
		t.Fatalf("%d samples of up since %s", len(samples), since)
	}
	samples = append(samples, sample{at: time.Now(), value: 1})
	for i, found := range samples {
		if found.value != 1 {
			t.Errorf("up was %v at %s", found.value, found.at)
		}
		if i > 0 {
			gap = max(gap, found.at.Sub(samples[i-1].at))
		}
	}
	return gap
}

package test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"lookout/test/internal/teststack"
)

// A schedule is how long each stage between a breach and its message may take by design, and when the message of the story
// went through it.
type schedule struct {
	scrape, evaluation, pending, groupWait time.Duration

	scrapedAt, pendingAt, firingAt, messageAt time.Time
	// firingSeen is when Grafana first said that the alert fires. Its clock of evaluations, which pendingAt and firingAt are
	// read from, stands still while a rule waits for its turn within a tick: Grafana before 11 spreads the rules of a tick
	// over the ten seconds of it, each time in another order. A rule that is served last sees what was there at the
	// beginning, up to ten seconds later.
	firingSeen time.Time
}

func (s schedule) total() time.Duration { return s.scrape + s.evaluation + s.pending + s.groupWait }

// bar is the longest that a message may take.
func (s schedule) bar(engine string) time.Duration {
	if engine == teststack.Grafana {
		return s.total() + 2*time.Second
	}
	return s.total() + time.Second
}

// turn is how long a rule of Grafana's waited for its turn in the tick that made it fire. Prometheus has none.
func (s schedule) turn(engine string) time.Duration {
	if engine == teststack.Grafana {
		return max(0, s.firingSeen.Sub(s.firingAt))
	}
	return 0
}

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
		{"firing → message", s.messageAt, s.groupWait},
	} {
		if stage.until.IsZero() {
			lines = append(lines, fmt.Sprintf("%-22s not seen  (schedule %4.1f s)", stage.name, stage.bar.Seconds()))
			continue
		}
		lines = append(lines, fmt.Sprintf("%-22s %5.1f s  (schedule %4.1f s)", stage.name, stage.until.Sub(from).Seconds(), stage.bar.Seconds()))
		from = stage.until
	}
	return append(lines, fmt.Sprintf("%-22s %5.1f s  (schedule %4.1f s)", "breach → message", s.messageAt.Sub(breach).Seconds(), s.total().Seconds()))
}

// readSchedule asks Prometheus and the engine for the schedule they run by.
func (s *story) readSchedule(t *testing.T) {
	t.Helper()
	targets, err := s.Targets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.schedule = schedule{}
	if s.schedule.scrape, err = time.ParseDuration(targets["go/"+instance].ScrapeInterval); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, alert+" is evaluated", func(ctx context.Context) error {
		r, err := s.Rule(ctx, alert)
		s.schedule.evaluation = time.Duration(r.Interval * float64(time.Second))
		s.schedule.pending = time.Duration(r.For * float64(time.Second))
		return err
	})
	wait := s.GroupWait
	if s.Engine == teststack.Grafana {
		wait = s.grafanaGroupWait
	}
	if s.schedule.groupWait, err = wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// readEvaluation takes the time of the evaluation that made the alert fire from Prometheus' own record of it, the series
// ALERTS. It has none of a server's first two evaluations, in which an alert may be pending, but not fire yet.
func (s *story) readEvaluation(t *testing.T) {
	t.Helper()
	selector := fmt.Sprintf(`ALERTS{alertname=%q,instance=%q,alertstate="firing"}`, alert, instance)
	eventually(t, 10*time.Second, "the evaluation that made the alert fire is on record", func(ctx context.Context) error {
		samples, err := s.Samples(ctx, selector, s.breach)
		if err == nil {
			s.schedule.firingAt = samples[0].At
		}
		return err
	})
	s.fired = s.schedule.firingAt
}

// largestGap is the longest time without a sample of the exporter's up, until now; up has to have been
// 1 all the while.
func (s *story) largestGap(t *testing.T, since time.Time) (gap time.Duration) {
	t.Helper()
	samples, err := s.Samples(t.Context(), `up{job="go",instance="`+instance+`"}`, since)
	if err != nil {
		t.Fatal(err)
	}
	if len(samples) < 2 {
		t.Fatalf("%d samples of up since %s", len(samples), since)
	}
	samples = append(samples, teststack.Sample{At: time.Now(), Value: 1})
	for i, found := range samples {
		if found.Value != 1 {
			t.Errorf("up was %v at %s", found.Value, found.At)
		}
		if i > 0 {
			gap = max(gap, found.At.Sub(samples[i-1].At))
		}
	}
	return gap
}

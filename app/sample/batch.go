package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/push"
)

// batch is a job that runs now and then: nobody can scrape it, so it pushes how it went.
type batch struct {
	gateway, job string
	every        time.Duration
	log          *slog.Logger
}

// loop runs the job until ctx ends.
func (b batch) loop(ctx context.Context) {
	tick := time.NewTicker(b.every)
	defer tick.Stop()
	for {
		if err := b.run(ctx); err != nil && ctx.Err() == nil {
			b.log.Warn("the run was not pushed", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// run does the work and pushes how it went: what every batch job should push (modules/batch/README.md).
func (b batch) run(ctx context.Context) error {
	started := time.Now()
	records := report()
	gauge := func(name, help string, value float64) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		g.Set(value)
		return g
	}
	// Add replaces what has the same name in the group, and leaves the time of the last success if this run has none to report.
	return push.New(b.gateway, b.job).
		Collector(gauge("batch_duration_seconds", "How long the last run took.", time.Since(started).Seconds())).
		Collector(gauge("batch_interval_seconds", "How often the job is meant to run.", b.every.Seconds())).
		Collector(gauge("batch_last_run_timestamp_seconds", "When the last run ended, whether it succeeded or not.", float64(time.Now().UnixMilli())/1000)).
		Collector(gauge("batch_last_success_timestamp_seconds", "When the last run ended that succeeded.", float64(time.Now().UnixMilli())/1000)).
		Collector(gauge("batch_records_processed", "Records that the last run processed.", float64(records))).
		AddContext(ctx)
}

// report sorts made-up orders by their amount, which is work that takes a while.
func report() int {
	amounts := make([]int, 20_000+rand.IntN(10_000))
	for i := range amounts {
		amounts[i] = rand.IntN(1_000_000)
	}
	slices.Sort(amounts)
	return len(amounts)
}

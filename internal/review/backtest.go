package review

import (
	"context"
	"net/http"
	"os"
	"time"

	"lookout/internal/backtest"
	"lookout/internal/revision"
	"lookout/internal/rules"
	"lookout/internal/source"
)

// Backtesting evaluates alerts over what a Prometheus has stored, as they were and as they are.
type Backtesting struct {
	Files []source.File
	// Base is the commit that they are compared with.
	Base string
	// Env is an environment whose overrides count, on both sides as they were; "" for none.
	Env string
	// All evaluates alerts that did not change, too.
	All        bool
	Prometheus string
	Since      time.Duration
	Now        time.Time
	HTTP       *http.Client
}

// Backtest asks the Prometheus.
func Backtest(ctx context.Context, b Backtesting) (*backtest.Report, error) {
	before, err := revision.At(ctx, b.Base, b.Files)
	if err != nil {
		return nil, err
	}
	settings := func(read func(name string) ([]byte, error)) *rules.Settings {
		if b.Env == "" {
			return nil
		}
		name := "envs/" + b.Env + "/alerts.yaml"
		data, err := read(name)
		if err != nil {
			return nil // an environment that was not there yet had nothing of its own
		}
		return rules.ReadSettings(name, data)
	}
	alerts, err := backtest.Changed(
		backtest.Side{Files: before, Settings: settings(func(name string) ([]byte, error) { return revision.Git(ctx, "show", b.Base+":./"+name) })},
		backtest.Side{Files: b.Files, Settings: settings(os.ReadFile)},
		b.All,
	)
	if err != nil {
		return nil, err
	}
	end := b.Now.UTC().Truncate(time.Minute)
	return backtest.Ask(ctx, backtest.Client{Address: b.Prometheus, HTTP: b.HTTP}, alerts, end.Add(-b.Since), end)
}

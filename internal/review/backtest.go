package review

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
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

// settings is the file of what an environment overrides.
func settings(env string) string { return "envs/" + env + "/alerts.yaml" }

// CheckPrometheus refuses what can't be the address of a Prometheus, given as --prometheus.
func CheckPrometheus(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("--prometheus %q is not an address; write http://host:9090", address)
	}
	return nil
}

// CheckEnvironment refuses an environment that does not exist or whose settings can't be read: its alerts would be taken as they are elsewhere.
func CheckEnvironment(env string) error {
	if env == "" {
		return nil
	}
	if strings.ContainsAny(env, `/\`) || env == "." || env == ".." {
		return fmt.Errorf("--env %q: write the name of a directory in envs", env)
	}
	if _, err := os.Stat("envs/" + env); err != nil {
		return fmt.Errorf("there is no environment %q (envs/%s)", env, env)
	}
	data, err := os.ReadFile(settings(env))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if problems := rules.ReadSettings(settings(env), data).Problems().Serious(); len(problems) > 0 {
		return problems
	}
	return nil
}

// Backtest asks the Prometheus.
func Backtest(ctx context.Context, b Backtesting) (*backtest.Report, error) {
	if err := CheckPrometheus(b.Prometheus); err != nil {
		return nil, err
	}
	if err := CheckEnvironment(b.Env); err != nil {
		return nil, err
	}
	before, err := revision.At(ctx, b.Base, b.Files)
	if err != nil {
		return nil, err
	}
	overrides := func(read func(name string) ([]byte, error)) *rules.Settings {
		if b.Env == "" {
			return nil
		}
		data, err := read(settings(b.Env))
		if err != nil {
			return nil // an environment that was not there yet had nothing of its own
		}
		return rules.ReadSettings(settings(b.Env), data)
	}
	alerts, err := backtest.Changed(
		backtest.Side{Files: before, Settings: overrides(func(name string) ([]byte, error) { return revision.Git(ctx, "show", b.Base+":./"+name) })},
		backtest.Side{Files: b.Files, Settings: overrides(os.ReadFile)},
		b.All,
	)
	if err != nil {
		return nil, err
	}
	end := b.Now.UTC().Truncate(time.Minute)
	return backtest.Ask(ctx, backtest.Client{Address: b.Prometheus, HTTP: b.HTTP}, alerts, end.Add(-b.Since), end)
}

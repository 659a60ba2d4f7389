package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/mattn/go-isatty"

	"lookout/internal/catalog"
	"lookout/internal/dashboard"
	"lookout/internal/lint"
	"lookout/internal/rules"
	"lookout/internal/source"
)

// sources lists the JSON and YAML files under the paths.
func (a *app) sources(paths []string) ([]source.File, error) {
	return a.list(paths, ".json", ".yaml", ".yml")
}

// visitor is given what the files hold, one at a time so that only one is in memory.
type visitor struct {
	dashboard func(*dashboard.Dashboard)
	rules     func(*rules.File)
	// keep means that dashboards are held on to after dashboard returns; otherwise the next one is read into their memory.
	keep bool
	// broken is given what must be readable and is not: the rule of the finding, the place, and what is wrong.
	broken func(rule string, at dashboard.Position, msg string)
}

// visit reads the files and returns those that hold something else.
func visit(ctx context.Context, files []source.File, v visitor) (skipped []source.Skip, err error) {
	var reader dashboard.Reader
	load := reader.Load
	if v.keep {
		load = dashboard.Load
	}
	var buf []byte
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return skipped, err
		}
		data, err := f.Read(buf)
		if err != nil {
			if errors.Is(err, context.Canceled) {
				return skipped, err
			}
			v.broken(lint.UnreadableID, dashboard.Position{File: f.Name, Line: 1, Column: 1}, err.Error())
			continue
		}
		buf = data
		if source.JSON(f.Name, data) {
			d, err := load(f.Name, data)
			at, msg, _ := dashboard.Problem(err)
			if errors.Is(err, dashboard.ErrNotDashboard) {
				// JSON is YAML, and so are rule files in it.
				if r := rules.Read(f.Name, data); r.Holds() {
					v.rules(r)
					continue
				}
			}
			switch {
			case err == nil:
				v.dashboard(d)
			case !errors.Is(err, dashboard.ErrNotDashboard):
				v.broken(lint.JSONSyntaxID, at, msg)
			case f.Must && !isLock(f.Name, data):
				v.broken(lint.UnreadableID, at, msg)
			default:
				skipped = append(skipped, skip(f, err))
			}
			continue
		}
		switch r := rules.Read(f.Name, data); {
		case r.Holds():
			v.rules(r)
		case len(r.Problems) > 0 && f.Must:
			for _, p := range r.Problems {
				v.broken(string(p.Kind), p.Position, p.Message)
			}
		case len(r.Problems) > 0:
			skipped = append(skipped, source.Skip{File: f.Name, Reason: r.Problems[0].Message})
		case f.Must && r.Form != rules.Tests:
			v.broken(lint.UnreadableID, dashboard.Position{File: f.Name, Line: 1, Column: 1}, notLookedAt(r.Form))
		default:
			skipped = append(skipped, source.Skip{File: f.Name, Reason: notLookedAt(r.Form)})
		}
	}
	return skipped, nil
}

// isLock recognises the file in which import keeps what it brought in: it lies among the dashboards.
func isLock(name string, data []byte) bool {
	return path.Base(name) == catalog.LockName && catalog.IsLock(data)
}

// notLookedAt says why YAML was passed over.
func notLookedAt(form rules.Form) string {
	switch form {
	case rules.Tests, rules.Grafana:
		return string(form) + " are not looked at"
	case rules.Empty:
		return "there is nothing in it"
	}
	return "no alert rules in it"
}

// loadConfig reads the configuration: the named file, or .lookout.yaml in the working directory if it is there.
func loadConfig(name string) (lint.Config, error) {
	explicit := name != ""
	if !explicit {
		name = ".lookout.yaml"
	}
	data, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) && !explicit {
		return lint.DefaultConfig(), nil
	}
	if err != nil {
		return lint.Config{}, fmt.Errorf("configuration: %w", err)
	}
	return lint.ParseConfig(name, data)
}

// colored tells whether w is a terminal that wants colour. NO_COLOR is a convention: https://no-color.org
func (a *app) colored(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && a.getenv("NO_COLOR") == "" && isatty.IsTerminal(f.Fd())
}

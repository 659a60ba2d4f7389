package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/mattn/go-isatty"

	"lookout/internal/catalog"
	"lookout/internal/dashboard"
	"lookout/internal/lint"
	"lookout/internal/queries"
	"lookout/internal/source"
)

// sources lists the JSON and YAML files under the paths.
func (a *app) sources(paths []string) ([]source.File, error) {
	return a.list(paths, ".json", ".yaml", ".yml")
}

// visitor is given what the files hold, one at a time so that only one is in memory.
type visitor struct {
	dashboard func(*dashboard.Dashboard)
	rules     func(file string, data []byte, rules []*queries.Rule)
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
		// Unit tests of rules have groups too, but no rules in them.
		rules, ok, err := queries.ReadRules(f.Name, data)
		switch {
		case err != nil && f.Must:
			at, msg := yamlProblem(f.Name, err)
			v.broken(lint.YAMLSyntaxID, at, msg)
		case err != nil:
			_, msg := yamlProblem(f.Name, err)
			skipped = append(skipped, source.Skip{File: f.Name, Reason: msg})
		case !ok:
			skipped = append(skipped, source.Skip{File: f.Name, Reason: "no alert rules in it"})
		default:
			v.rules(f.Name, data, rules)
		}
	}
	return skipped, nil
}

// isLock recognises the file in which import keeps what it brought in: it lies among the dashboards.
func isLock(name string, data []byte) bool {
	return path.Base(name) == catalog.LockName && catalog.IsLock(data)
}

var yamlLine = regexp.MustCompile(`line (\d+)`)

// yamlProblem takes the place out of an error of the YAML reader, which writes it as "line 3:".
func yamlProblem(file string, err error) (dashboard.Position, string) {
	msg := strings.TrimPrefix(strings.TrimPrefix(err.Error(), file+": "), "yaml: ")
	at := dashboard.Position{File: file, Line: 1, Column: 1}
	if m := yamlLine.FindStringSubmatch(msg); m != nil {
		at.Line, _ = strconv.Atoi(m[1])
		msg = strings.TrimPrefix(msg, m[0]+": ")
	}
	return at, msg
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

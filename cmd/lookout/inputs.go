package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mattn/go-isatty"

	"lookout/internal/dashboard"
	"lookout/internal/lint"
	"lookout/internal/queries"
)

// source is one file that lint and check look at: from the disk or out of a commit.
type source struct {
	name string
	read func() ([]byte, error)
}

// sources lists the JSON and YAML files under the paths.
func sources(paths []string) ([]source, error) {
	found, err := dashboard.FindExt(paths, ".json", ".yaml", ".yml")
	if err != nil {
		return nil, err
	}
	var out []source
	for _, f := range found.Files {
		out = append(out, source{filepath.ToSlash(f), func() ([]byte, error) { return os.ReadFile(f) }})
	}
	return out, nil
}

// visitor is told what the files hold, one at a time so that only one is in memory.
type visitor struct {
	dashboard func(*dashboard.Dashboard)
	rules     func(file string, data []byte, rules []*queries.Rule)
	// broken is told about JSON that does not parse. YAML that does not is left to those whose it is: Helm templates are no rule files.
	broken func(*dashboard.SyntaxError)
}

// visit reads the sources and returns how many held something else.
func visit(files []source, v visitor) (passedOver int, err error) {
	for _, f := range files {
		data, err := f.read()
		if err != nil {
			return passedOver, err
		}
		if strings.EqualFold(filepath.Ext(f.name), ".json") {
			d, err := dashboard.Load(f.name, data)
			var syntax *dashboard.SyntaxError
			switch {
			case err == nil:
				v.dashboard(d)
			case errors.As(err, &syntax):
				v.broken(syntax)
			case errors.Is(err, dashboard.ErrNotDashboard):
				passedOver++
			default:
				return passedOver, fmt.Errorf("%s: %w", f.name, err)
			}
			continue
		}
		// Unit tests of rules have groups too, but no rules in them.
		rules, ok, err := queries.ReadRules(f.name, data)
		if err != nil || !ok {
			passedOver++
			continue
		}
		v.rules(f.name, data, rules)
	}
	return passedOver, nil
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

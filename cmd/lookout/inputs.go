package main

import (
	"bytes"
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
	// read may use the buffer, if it is large enough.
	read func(buf []byte) ([]byte, error)
}

// sources lists the JSON and YAML files under the paths.
func sources(paths []string) ([]source, error) {
	found, err := dashboard.FindExt(paths, ".json", ".yaml", ".yml")
	if err != nil {
		return nil, err
	}
	var out []source
	for _, f := range found.Files {
		out = append(out, source{filepath.ToSlash(f), func(buf []byte) ([]byte, error) { return readFile(f, buf) }})
	}
	return out, nil
}

// readFile is os.ReadFile into a buffer.
func readFile(name string, buf []byte) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := bytes.NewBuffer(buf[:0])
	if info, err := f.Stat(); err == nil && info.Size() < 1<<30 {
		b.Grow(int(info.Size()) + bytes.MinRead)
	}
	_, err = b.ReadFrom(f)
	return b.Bytes(), err
}

// visitor is told what the files hold, one at a time so that only one is in memory.
type visitor struct {
	dashboard func(*dashboard.Dashboard)
	rules     func(file string, data []byte, rules []*queries.Rule)
	// keep means that dashboards are held on to after dashboard returns; otherwise the next one is read into their memory.
	keep bool
	// broken is told about JSON that does not parse. YAML that does not is left to those whose it is: Helm templates are no rule files.
	broken func(*dashboard.SyntaxError)
}

// visit reads the sources and returns how many held something else.
func visit(files []source, v visitor) (passedOver int, err error) {
	var reader dashboard.Reader
	load := reader.Load
	if v.keep {
		load = dashboard.Load
	}
	var buf []byte
	for _, f := range files {
		data, err := f.read(buf)
		if err != nil {
			return passedOver, err
		}
		buf = data
		if strings.EqualFold(filepath.Ext(f.name), ".json") {
			d, err := load(f.name, data)
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

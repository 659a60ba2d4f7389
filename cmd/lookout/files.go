package main

import (
	"context"
	"errors"
	"fmt"

	"lookout/internal/dashboard"
	"lookout/internal/source"
)

// list gives the files with these endings under the paths; - is standard input.
func (a *app) list(paths []string, ext ...string) ([]source.File, error) {
	return source.Lister{Stdin: a.stdin, Ext: ext}.List(paths)
}

// dashboards hands every dashboard under the paths to visit, one at a time so that only one is held in memory. What must be a dashboard and is not goes to broken,
// as an error with its place; other JSON is passed over and named.
func (a *app) dashboards(ctx context.Context, paths []string, visit func(*dashboard.Dashboard) error, broken func(error)) (skipped []source.Skip, err error) {
	files, err := a.list(paths, ".json")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return skipped, err
		}
		data, err := f.Read(nil)
		if err != nil {
			broken(err)
			continue
		}
		d, err := dashboard.Load(f.Name, data)
		switch {
		case err == nil:
			if err := visit(d); err != nil {
				return skipped, err
			}
		case errors.Is(err, dashboard.ErrNotDashboard) && (!f.Must || isLock(f.Name, data)):
			skipped = append(skipped, skip(f, err))
		default:
			broken(err)
		}
	}
	return skipped, nil
}

// skip is the entry for a file that is something else.
func skip(f source.File, err error) source.Skip {
	reason := err.Error()
	if _, msg, ok := dashboard.Problem(err); ok {
		reason = msg
	}
	return source.Skip{File: f.Name, Reason: reason}
}

// mostSkips is how many files that were passed over are named to a person; JSON and SARIF name all.
const mostSkips = 10

// noteSkips names what was passed over.
func (a *app) noteSkips(skipped []source.Skip) {
	for _, s := range skipped[:min(len(skipped), mostSkips)] {
		a.note("passed over %s: %s", s.File, s.Reason)
	}
	if more := len(skipped) - mostSkips; more > 0 {
		a.note("passed over %s more", count(more, "file"))
	}
}

// count is "1 dashboard", "2 dashboards".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

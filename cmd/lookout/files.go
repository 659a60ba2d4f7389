package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mattn/go-isatty"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/inputs"
	"lookout/internal/lint"
	"lookout/internal/source"
)

// sources lists the files under the paths that may be dashboards or hold rules.
func (a *app) sources(paths []string) ([]source.File, error) {
	return a.list(paths, source.Endings...)
}

// list gives the files with these endings under the paths; - is standard input.
func (a *app) list(paths []string, ext ...string) ([]source.File, error) {
	return source.Lister{Stdin: a.stdin, Ext: ext}.List(paths)
}

// dashboards hands every dashboard under the paths to visit: see [inputs.Dashboards].
func (a *app) dashboards(ctx context.Context, paths []string, visit func(*dashboard.Dashboard) error, broken func(error)) ([]source.Skip, error) {
	files, err := a.list(paths, ".json")
	if err != nil {
		return nil, err
	}
	return inputs.Dashboards(ctx, files, visit, broken)
}

// mostSkips is how many files that were passed over are named to a person; JSON and SARIF name all.
const mostSkips = 10

// noteSkips names what was passed over.
func (a *app) noteSkips(skipped []source.Skip) {
	for _, s := range skipped[:min(len(skipped), mostSkips)] {
		a.note("passed over %s: %s", s.File, s.Reason)
	}
	if more := len(skipped) - mostSkips; more > 0 {
		a.note("passed over %s more", finding.Count(more, "file"))
	}
}

// noteNothing says that no findings are no praise, since nothing was looked at.
func (a *app) noteNothing(paths []string, dashboards, skipped, files int) {
	if dashboards == 0 && skipped == files {
		a.note("there is no dashboard and no rule file in %s", strings.Join(paths, ", "))
	}
}

// errUnread is what keeps a command from having run where files could not be read; nil if all could. What it says of the others has been written by then.
func errUnread(findings []finding.Finding) error {
	if n := lint.Unread(findings); n > 0 {
		return fmt.Errorf("%s could not be read, so nothing is known of what is in there", finding.Count(n, "file"))
	}
	return nil
}

// colored tells whether w is a terminal that wants colour. NO_COLOR is a convention: https://no-color.org
func (a *app) colored(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && a.getenv("NO_COLOR") == "" && isatty.IsTerminal(f.Fd())
}

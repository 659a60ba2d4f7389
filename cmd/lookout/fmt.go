package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/source"
)

type fmtCmd struct {
	Check bool     `help:"Write nothing; name the files that are not in canonical form and exit 1 if there are any."`
	Paths []string `arg:"" name:"path" help:"Dashboard files, directories that are walked for them, or - for stdin, which is written to stdout."`
}

func (c *fmtCmd) Run(ctx context.Context, a *app) error {
	var changed, seen int
	var failed []error
	skipped, err := a.dashboards(ctx, c.Paths, func(d *dashboard.Dashboard) error {
		seen++
		out := d.Canonical()
		if d.File() == source.StdinName {
			if string(out) != d.Doc.Source {
				changed++
			}
			if c.Check {
				return nil
			}
			_, err := a.stdout.Write(out)
			return err
		}
		old, err := os.ReadFile(d.File())
		if err != nil {
			return err
		}
		if bytes.Equal(old, out) {
			return nil
		}
		changed++
		fmt.Fprintln(a.stdout, d.File())
		if c.Check {
			return nil
		}
		return source.Replace(d.File(), out)
	}, func(e error) { failed = append(failed, e) }) // one broken file must not keep the others from being formatted
	verb := "formatted"
	if c.Check {
		verb = "not in canonical form"
	}
	if err == nil {
		a.noteSkips(skipped)
		if seen == 0 && len(failed) == 0 {
			a.note("there is no dashboard in %s", strings.Join(c.Paths, ", "))
		}
		a.note("%d of %s %s, %s passed over", changed, finding.Count(seen, "dashboard"), verb, finding.Count(len(skipped), "other JSON file"))
	}
	if err = errors.Join(append(failed, err)...); err != nil {
		return err
	}
	if c.Check && changed > 0 {
		return errFindings
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/source"
)

type convertCmd struct {
	To    string   `enum:"v2,classic" required:"" help:"v2 (the resource that Grafana 13 saves) or classic."`
	Lossy bool     `help:"Convert although something can't be carried over; it is named on stderr."`
	Write bool     `help:"Write into the files. Default: to stdout, for one dashboard."`
	Paths []string `arg:"" name:"path" help:"Dashboard files, directories that are walked for them, or - for stdin."`
}

func (c *convertCmd) Help() string {
	return "What both schemas can say comes back unchanged from a conversion there and back. What the other can't say is named, and nothing is written unless --lossy is given."
}

func (c *convertCmd) Run(ctx context.Context, a *app) error {
	type converted struct {
		file string
		data []byte
	}
	var out []converted
	var failed []error
	lost := 0
	skipped, err := a.dashboards(ctx, c.Paths, func(d *dashboard.Dashboard) error {
		root, losses := d.ToClassic()
		if c.To == "v2" {
			root, losses = d.ToV2()
		}
		for _, l := range losses {
			a.note("%s", l)
		}
		lost += len(losses)
		out = append(out, converted{d.File(), root.JSON()})
		return nil
	}, func(err error) { failed = append(failed, err) })
	if err = errors.Join(append(failed, err)...); err != nil {
		return err
	}
	a.noteSkips(skipped)
	if len(out) == 0 {
		return fmt.Errorf("there is no dashboard in %s", strings.Join(c.Paths, ", "))
	}
	if lost > 0 && !c.Lossy {
		return fmt.Errorf("%s can't be said in %s; convert all the same with --lossy", finding.Count(lost, "thing"), c.To)
	}
	if !c.Write {
		if len(out) != 1 {
			return fmt.Errorf("%s don't fit on stdout; write into the files with --write", finding.Count(len(out), "dashboard"))
		}
		_, err := a.stdout.Write(out[0].data)
		return err
	}
	for _, o := range out {
		if o.file == source.StdinName {
			return errors.New("--write can't write into standard input")
		}
		if err := source.Replace(o.file, o.data); err != nil {
			return err
		}
		fmt.Fprintln(a.stdout, o.file)
	}
	return nil
}

package main

import (
	"context"

	"lookout/internal/importer"
)

type importCmd struct {
	Revision   int               `placeholder:"N" help:"The catalogue's revision; the newest by default."`
	Catalogue  string            `default:"https://grafana.com/api" env:"LOOKOUT_CATALOGUE" placeholder:"URL" help:"Where a numeric ID is looked up (default https://grafana.com/api): an address below which dashboards/ID and dashboards/ID/revisions/N/download are, such as a mirror."`
	Dir        string            `default:"dashboards" help:"Where the dashboards are; lock.json lies there."`
	Folder     string            `default:"imported" help:"The folder that a new dashboard comes into."`
	UID        string            `name:"uid" placeholder:"UID" help:"The uid, which is the file's name, too; made from the title by default."`
	Input      map[string]string `placeholder:"NAME=VALUE" help:"A constant that the dashboard asks for. May be repeated."`
	Licence    string            `placeholder:"SPDX" help:"The licence of the dashboard, an SPDX identifier; a catalogue does not tell it."`
	Force      bool              `help:"Import although the uid is taken by a dashboard that was not imported, or less of it fits than --min-fit."`
	DryRun     bool              `name:"dry-run" help:"Write nothing; show what would be imported and what to look at."`
	Update     bool              `help:"Take over what a newer revision changes, merged over local edits. The argument is the uid of an imported dashboard, or its origin."`
	Base       string            `placeholder:"FILE" help:"With --update: the file as it was imported, if the origin does not have it any more."`
	Metrics    []string          `placeholder:"FILE|URL" sep:"none" help:"Check the dashboard against what an exporter exposes (see lookout check)."`
	Prometheus string            `placeholder:"URL" help:"Check the dashboard against a Prometheus."`
	MinFit     float64           `name:"min-fit" default:"0.5" placeholder:"SHARE" help:"Refuse a dashboard of which a smaller share of the panels gets all it asks for (0 to 1, default 0.5), unless --force is given."`
	Findings   bool              `help:"List every finding of the check with its place; by default those that say the same are one line."`
	Origin     string            `arg:"" name:"file|url|id" help:"A file, an address, or a number in the catalogue."`
}

func (c *importCmd) Run(ctx context.Context, a *app) error {
	found, err := importer.Run(ctx, importer.Options{
		Origin: c.Origin, Revision: c.Revision, Catalogue: c.Catalogue, Dir: c.Dir, Folder: c.Folder, UID: c.UID, Inputs: c.Input, Licence: c.Licence,
		Force: c.Force, DryRun: c.DryRun, Update: c.Update, Base: c.Base,
		Metrics: c.Metrics, Prometheus: c.Prometheus, MinFit: c.MinFit, AllFindings: c.Findings,
		Stdin: a.stdin, Stdout: a.stdout, Colored: a.colored(a.stdout), Note: a.note, HTTP: a.client, Now: a.now(),
	})
	if found && err == nil {
		return errFindings
	}
	return err
}

package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"lookout/internal/catalog"
	"lookout/internal/dashboard"
	"lookout/internal/diff"
)

type importCmd struct {
	Revision   int               `placeholder:"N" help:"The catalogue's revision; the newest by default."`
	Catalogue  string            `default:"https://grafana.com/api" env:"LOOKOUT_CATALOGUE" placeholder:"URL" help:"Address of the catalogue: below it are dashboards/ID and dashboards/ID/revisions/N/download."`
	Dir        string            `default:"dashboards" help:"Where the dashboards are; lock.json lies there."`
	Folder     string            `default:"imported" help:"The folder that a new dashboard comes into."`
	UID        string            `name:"uid" placeholder:"UID" help:"The uid, which is the file's name, too; made from the title by default."`
	Input      map[string]string `placeholder:"NAME=VALUE" help:"A constant that the dashboard asks for. May be repeated."`
	Licence    string            `placeholder:"SPDX" help:"The licence of the dashboard, an SPDX identifier; a catalogue does not tell it."`
	Force      bool              `help:"Import although the uid is taken by a dashboard that was not imported."`
	DryRun     bool              `name:"dry-run" help:"Write nothing; show what would be imported and what to look at."`
	Update     bool              `help:"Take over what a newer revision changes, merged over local edits. The argument is the uid of an imported dashboard, or its origin."`
	Base       string            `placeholder:"FILE" help:"With --update: the file as it was imported, if the origin does not have it any more."`
	Metrics    []string          `placeholder:"FILE|URL" sep:"none" help:"Check the dashboard against what an exporter exposes (see lookout check)."`
	Prometheus string            `placeholder:"URL" help:"Check the dashboard against a Prometheus."`
	Origin     string            `arg:"" name:"file|url|id" help:"A file, an address, or a number in the catalogue."`
}

func (c *importCmd) Run(ctx context.Context, a *app) error {
	lockFile := filepath.Join(c.Dir, catalog.LockName)
	lock, err := catalog.ReadLock(lockFile)
	if err != nil {
		return err
	}
	im := importer{importCmd: c, app: a, lock: lock, lockFile: lockFile, source: catalog.Source{Catalogue: c.Catalogue, Client: a.client}}
	if c.Update {
		return im.update(ctx)
	}
	if c.Base != "" {
		return errors.New("--base is for --update")
	}
	return im.fresh(ctx)
}

var (
	goodUID = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)
	// spdx is the form of an SPDX licence expression: https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/
	spdx = regexp.MustCompile(`^[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*$`)
)

type importer struct {
	*importCmd
	app      *app
	lock     *catalog.Lock
	lockFile string
	source   catalog.Source
}

// fresh takes a dashboard in, or again: then the same bytes are made, unless the file was edited or the origin changed.
func (im *importer) fresh(ctx context.Context) error {
	if uid, known := im.find(); known && im.UID == "" {
		im.UID, im.Origin = uid, im.lock.Dashboards[uid].Origin
		im.Catalogue = cmp.Or(im.lock.Dashboards[uid].Catalogue, im.Catalogue)
		im.source.Catalogue = im.Catalogue
	}
	// Without a revision an import that is in the book is made again as it is there; newer ones are for --update.
	revision := im.Revision
	if entry, ok := im.lock.Dashboards[im.UID]; ok && revision == 0 {
		revision = entry.Revision
	}
	published, err := im.source.Fetch(ctx, im.Origin, revision)
	if err != nil {
		return err
	}
	if im.UID == "" {
		d, err := dashboard.Load(im.Origin, published.Data)
		if err != nil {
			return fmt.Errorf("%s: %w", im.Origin, err)
		}
		// A title in Chinese or of emoji has no letter that a uid may have: then the dashboard's own uid serves.
		if im.UID = cmp.Or(shortUID(d.Title), shortUID(d.UID)); im.UID == "" {
			return fmt.Errorf("neither the title %q nor the uid of %s has a letter that a uid may have; give --uid", d.Title, im.Origin)
		}
	}
	if len(im.UID) > 40 || !goodUID.MatchString(im.UID) {
		return fmt.Errorf("--uid %q: Grafana takes up to 40 letters, digits, - and _", im.UID)
	}
	if im.Licence != "" && !spdx.MatchString(im.Licence) {
		return fmt.Errorf("--licence %q is not an SPDX expression; write Apache-2.0 or \"MIT OR BSD-3-Clause\"", im.Licence)
	}
	entry, again := im.lock.Dashboards[im.UID]
	if !again && !im.Force {
		taken, err := localDashboards(im.Dir)
		if err != nil {
			return err
		}
		if other := taken[im.UID]; other != nil {
			return fmt.Errorf("uid %q is that of %s already; give --uid, or --force", im.UID, other.File())
		}
	}
	if again && entry.Origin != published.Origin {
		return fmt.Errorf("uid %q belongs to an import of %s; give --uid", im.UID, entry.Origin)
	}
	inputs := im.Input
	if again && inputs == nil {
		inputs = entry.Inputs
	}
	file := im.path(entry, again)
	out, notes, err := catalog.Convert(filepath.ToSlash(file), published.Data, catalog.Options{UID: im.UID, Inputs: inputs})
	if err != nil {
		return err
	}
	old, err := os.ReadFile(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return err
	case !again:
		return fmt.Errorf("%s exists and was not imported; give --uid or --folder", file)
	case entry.SHA256 != published.SHA256():
		return fmt.Errorf("%s: what is published there is not what was imported; see what it changes with lookout import --update %s", published.Origin, im.UID)
	case !bytes.Equal(old, out):
		return fmt.Errorf("%s was edited since it was imported; remove it to import it again as it was, or run lookout import --update %s", file, im.UID)
	}
	return im.finish(ctx, file, out, notes, published, inputs, entry.Licence)
}

// path is the file of a dashboard.
func (im *importer) path(entry catalog.Entry, known bool) string {
	if known {
		return filepath.Join(im.Dir, filepath.FromSlash(entry.File))
	}
	return filepath.Join(im.Dir, im.Folder, im.UID+".json")
}

// find looks the argument up in the book: by uid or by origin.
func (im *importer) find() (uid string, ok bool) {
	if _, ok := im.lock.Dashboards[im.Origin]; ok {
		return im.Origin, true
	}
	var found []string
	for uid, e := range im.lock.Dashboards {
		if e.Origin == im.Origin || e.Origin == filepath.ToSlash(filepath.Clean(im.Origin)) {
			found = append(found, uid)
		}
	}
	if len(found) != 1 {
		return "", false
	}
	return found[0], true
}

// finish writes the file and the book, and shows how the dashboard fits.
func (im *importer) finish(ctx context.Context, file string, out []byte, notes []string, p *catalog.Published, inputs map[string]string, licence string) error {
	licence = cmp.Or(im.Licence, licence, "NOASSERTION")
	if licence == "NOASSERTION" {
		notes = append(notes, "the licence is unknown; find out and give --licence")
	}
	rel, err := filepath.Rel(im.Dir, file)
	if err != nil {
		return err
	}
	entry := catalog.Entry{
		File: filepath.ToSlash(rel), Origin: portable(p.Origin), Revision: p.Revision, Licence: licence, SHA256: p.SHA256(), Inputs: inputs,
	}
	if p.Revision != 0 {
		entry.Catalogue = im.Catalogue
	}
	if im.DryRun {
		fmt.Fprintf(im.app.stdout, "%s: would be imported from %s\n", filepath.ToSlash(file), p.Origin)
		for _, n := range notes {
			im.app.note("%s: %s", filepath.ToSlash(file), n)
		}
		return nil
	}
	im.lock.Dashboards[im.UID] = entry
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := put(file, out); err != nil {
		return err
	}
	if err := put(im.lockFile, im.lock.Bytes()); err != nil {
		return err
	}
	fmt.Fprintf(im.app.stdout, "%s: imported from %s", filepath.ToSlash(file), p.Origin)
	if p.Revision != 0 {
		fmt.Fprintf(im.app.stdout, ", revision %d", p.Revision)
	}
	fmt.Fprintln(im.app.stdout)
	for _, n := range notes {
		im.app.note("%s: %s", filepath.ToSlash(file), n)
	}
	if len(im.Metrics) == 0 && im.Prometheus == "" {
		im.app.note("not checked against what is exposed; give --metrics or --prometheus")
		return nil
	}
	check := checkCmd{Metrics: im.Metrics, Prometheus: im.Prometheus, Since: defaultSince, Format: "text", Paths: []string{file}}
	return check.Run(ctx, im.app)
}

// portable is an origin as the lock file may name it: a path of this machine says nothing on another.
func portable(origin string) string {
	if !filepath.IsAbs(origin) {
		return origin
	}
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, origin); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel)
		}
	}
	return filepath.Base(origin)
}

// put writes a file that may not exist yet.
func put(file string, data []byte) error {
	if exists(file) {
		return replaceFile(file, data)
	}
	return os.WriteFile(file, data, 0o644)
}

// update merges what a newer revision changes over the local file.
func (im *importer) update(ctx context.Context) error {
	uid, ok := im.find()
	if !ok {
		return fmt.Errorf("%q is not in %s; import it first, or give the uid of one that was imported", im.Origin, im.lockFile)
	}
	im.UID = uid
	entry := im.lock.Dashboards[uid]
	if entry.Catalogue != "" && entry.Catalogue != im.Catalogue {
		im.source.Catalogue, im.Catalogue = entry.Catalogue, entry.Catalogue
	}
	newest, err := im.source.Fetch(ctx, entry.Origin, im.Revision)
	if err != nil {
		return err
	}
	if newest.SHA256() == entry.SHA256 {
		im.app.note("%s is up to date", uid)
		return nil
	}
	base, err := im.base(ctx, entry)
	if err != nil {
		return err
	}
	inputs := im.Input
	if inputs == nil {
		inputs = entry.Inputs
	}
	file := im.path(entry, true)
	convert := func(p *catalog.Published) (*dashboard.Dashboard, []byte, []string, error) {
		out, notes, err := catalog.Convert(filepath.ToSlash(file), p.Data, catalog.Options{UID: uid, Inputs: inputs})
		if err != nil {
			return nil, nil, nil, err
		}
		d, err := dashboard.Load(filepath.ToSlash(file), out)
		return d, out, notes, err
	}
	was, wasBytes, _, err := convert(base)
	if err != nil {
		return err
	}
	theirs, theirBytes, notes, err := convert(newest)
	if err != nil {
		return err
	}
	local := dashboard.LoadFile(file)
	if local.Err != nil {
		return local.Err
	}
	differ := diff.New()
	out, news, conflicts, err := differ.Merge(was, local.Dashboard, theirs)
	if err != nil {
		return err
	}
	if ours, err := os.ReadFile(file); err == nil && bytes.Equal(ours, wasBytes) {
		out = theirBytes // nothing of ours to keep
	}
	report := diff.Report{Result: news, Dashboards: 1}
	if err := report.Text(im.app.stdout, im.app.colored(im.app.stdout), false); err != nil {
		return err
	}
	slices.SortFunc(conflicts, func(a, b diff.Conflict) int { return strings.Compare(a.Path, b.Path) })
	for _, k := range conflicts {
		fmt.Fprintf(im.app.stdout, "  ! %s: %s", k.Path, k.Text)
		if k.Ours.Scalar() && k.Theirs.Scalar() {
			fmt.Fprintf(im.app.stdout, " (ours %s, theirs %s)", k.Ours.Compact(), k.Theirs.Compact())
		}
		fmt.Fprintln(im.app.stdout)
	}
	err = im.finish(ctx, file, out, notes, newest, inputs, entry.Licence)
	if len(conflicts) > 0 && err == nil {
		im.app.note("%s; the local values were kept", count(len(conflicts), "conflict"))
		return errFindings
	}
	return err
}

// base is what was published when the dashboard was imported: the origin's, or the file given, if its checksum is the one in the book.
func (im *importer) base(ctx context.Context, entry catalog.Entry) (*catalog.Published, error) {
	var base *catalog.Published
	var err error
	if im.Base != "" {
		data, err := os.ReadFile(im.Base)
		if err != nil {
			return nil, err
		}
		base = &catalog.Published{Origin: im.Base, Data: data}
	} else if base, err = im.source.Fetch(ctx, entry.Origin, entry.Revision); err != nil {
		return nil, fmt.Errorf("the version that was imported: %w; give it by --base", err)
	}
	if base.SHA256() != entry.SHA256 {
		return nil, fmt.Errorf("%s is not what was imported (SHA-256 %.12s…, the book has %.12s…); give that version by --base FILE", base.Origin, base.SHA256(), entry.SHA256)
	}
	return base, nil
}

// maxUID is Grafana's limit.
const maxUID = 40

func shortUID(title string) string {
	s := strings.Trim(notASCII.ReplaceAllString(strings.ToLower(title), "-"), "-")
	if len(s) > maxUID {
		s = strings.Trim(s[:maxUID], "-")
	}
	return s
}

// notASCII is what a uid may not hold.
var notASCII = regexp.MustCompile(`[^a-z0-9_-]+`)

// defaultSince is how far back a Prometheus is asked for series, as in check.
const defaultSince = time.Hour

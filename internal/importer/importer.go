// Package importer imports published dashboards: it makes them like those of this repository, checks them against what is exposed, records where they came from,
// and merges newer revisions over local edits.
package importer

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/github/go-spdx/v2/spdxexp"

	"lookout/internal/catalog"
	"lookout/internal/dashboard"
	"lookout/internal/diff"
	"lookout/internal/finding"
	"lookout/internal/lint"
	"lookout/internal/review"
	"lookout/internal/source"
)

// Options say what to import and how.
type Options struct {
	// Origin is a file, an address, or a number in the catalogue; with Update it may be the uid of an imported dashboard.
	Origin string
	// Revision is the catalogue's; 0 is the newest, or the one that was imported.
	Revision int
	// Catalogue is the address of the catalogue's API.
	Catalogue string
	// Dir is where the dashboards and their lock file are, Folder the folder of a new one.
	Dir, Folder string
	// UID of the dashboard; "" makes one from its title.
	UID string
	// Inputs are the constants that the dashboard asks for, by name.
	Inputs map[string]string
	// Licence is an SPDX expression, "" if unknown.
	Licence string
	// Force imports over a uid that is taken, and what fits less than MinFit. DryRun writes nothing.
	Force, DryRun bool
	// Update merges what a newer revision changes over the local file. Base is a file with what was imported, where the origin does not have it any more.
	Update bool
	Base   string
	// Metrics and Prometheus are what to check the dashboard against: see [review.Checking].
	Metrics    []string
	Prometheus string
	// MinFit is the least share of its panels, 0 to 1, that have to get all they ask for.
	MinFit float64
	// AllFindings lists each finding instead of a line for those that say the same.
	AllFindings bool

	Stdin  io.Reader
	Stdout io.Writer
	// Colored is for a terminal.
	Colored bool
	// Note gets diagnostics.
	Note func(format string, args ...any)
	HTTP *http.Client
	Now  time.Time
}

// Run imports or updates one dashboard. found reports that there is something to look at: findings of the check, or conflicts of an update.
func Run(ctx context.Context, o Options) (found bool, err error) {
	if !(o.MinFit >= 0 && o.MinFit <= 1) { // NaN is neither
		return false, fmt.Errorf("--min-fit %v: give a share from 0 to 1", o.MinFit)
	}
	if o.Revision < 0 {
		return false, fmt.Errorf("--revision %d: revisions are counted from 1; leave it out for the newest", o.Revision)
	}
	// Dashboards live in <dir>/<folder>/<uid>.json: deeper ones are refused by the plan, and nothing is written outside.
	if !filepath.IsLocal(o.Folder) || strings.ContainsAny(o.Folder, `/\`) || o.Folder == "." {
		return false, fmt.Errorf("--folder %q: give the name of one directory in %s", o.Folder, o.Dir)
	}
	lockFile := filepath.Join(o.Dir, catalog.LockName)
	lock, err := catalog.ReadLock(lockFile)
	if err != nil {
		return false, err
	}
	im := importer{Options: o, lock: lock, lockFile: lockFile, source: catalog.Source{Catalogue: o.Catalogue, Client: o.HTTP}}
	if o.Update {
		return im.update(ctx)
	}
	if o.Base != "" {
		return false, errors.New("--base is for --update")
	}
	return im.fresh(ctx)
}

var (
	goodUID = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)
)

// nearLicence suggests the identifier that is meant by what people write.
func nearLicence(s string) string {
	if id, ok := map[string]string{
		"apache": "Apache-2.0", "apache2": "Apache-2.0", "apache20": "Apache-2.0", "mit": "MIT", "bsd": "BSD-3-Clause", "bsd3": "BSD-3-Clause",
		"bsd2": "BSD-2-Clause", "agpl": "AGPL-3.0-only", "agpl3": "AGPL-3.0-only", "gpl": "GPL-3.0-only", "gpl3": "GPL-3.0-only", "gpl2": "GPL-2.0-only", "mpl": "MPL-2.0", "mpl2": "MPL-2.0",
		"cc0": "CC0-1.0", "ccby": "CC-BY-4.0", "ccbysa": "CC-BY-SA-4.0",
	}[strings.NewReplacer("license", "", "licence", "", "the ", "", " ", "", "-", "", ".", "", "v", "").Replace(strings.ToLower(s))]; ok {
		return fmt.Sprintf(" (%s?)", id)
	}
	return ""
}

type importer struct {
	Options
	lock     *catalog.Lock
	lockFile string
	source   catalog.Source
}

// fresh takes a dashboard in, or again: then the same bytes are made, unless the file was edited or the origin changed.
func (im *importer) fresh(ctx context.Context) (found bool, err error) {
	if uid, known := im.find(); known && im.UID == "" {
		im.UID, im.Origin = uid, im.origin(im.lock.Dashboards[uid])
		im.Catalogue = cmp.Or(im.lock.Dashboards[uid].Catalogue, im.Catalogue)
		im.source.Catalogue = im.Catalogue
	}
	// Without a revision an import that is in the lock file is made again as it is there; newer ones are for --update.
	revision := im.Revision
	if entry, ok := im.lock.Dashboards[im.UID]; ok && revision == 0 {
		revision = entry.Revision
	}
	published, err := im.source.Fetch(ctx, im.Origin, revision)
	if err != nil {
		return false, err
	}
	d, err := dashboard.Load(im.Origin, published.Data)
	if err != nil {
		return false, err // it names the file
	}
	if im.UID == "" {
		// A title in Chinese or of emoji has no letter that a uid may have: then the dashboard's own uid serves.
		if im.UID = cmp.Or(shortUID(d.Title), shortUID(d.UID)); im.UID == "" {
			return false, fmt.Errorf("neither the title %q nor the uid of %s has a letter that a uid may have; give --uid", d.Title, im.Origin)
		}
	}
	if len(im.UID) > 40 || !goodUID.MatchString(im.UID) {
		return false, fmt.Errorf("--uid %q: Grafana takes up to 40 letters, digits, - and _", im.UID)
	}
	if im.Licence != "" {
		if ok, _ := spdxexp.ValidateLicenses([]string{im.Licence}); !ok {
			return false, fmt.Errorf("--licence %q is not an SPDX expression%s; write Apache-2.0 or \"MIT OR BSD-3-Clause\"", im.Licence, nearLicence(im.Licence))
		}
	}
	entry, again := im.lock.Dashboards[im.UID]
	if !again && !im.Force {
		taken, err := dashboard.ByUID(im.Dir)
		if err != nil {
			return false, err
		}
		if other := taken[im.UID]; other != nil {
			return false, fmt.Errorf("uid %q is that of %s already; give --uid, or --force", im.UID, other.File())
		}
	}
	if again && entry.Origin != portable(published.Origin) {
		return false, fmt.Errorf("uid %q belongs to an import of %s; give --uid", im.UID, entry.Origin)
	}
	inputs := im.Inputs
	if again && inputs == nil {
		inputs = entry.Inputs
	}
	file := im.path(entry, again)
	out, notes, err := catalog.Convert(filepath.ToSlash(file), published.Data, catalog.Options{UID: im.UID, Inputs: inputs})
	if err != nil {
		return false, err
	}
	old, err := os.ReadFile(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return false, err
	case !again:
		return false, fmt.Errorf("%s exists and was not imported; give --uid or --folder", file)
	case entry.SHA256 != published.SHA256():
		return false, fmt.Errorf("%s: what is published there is not what was imported; see what it changes with lookout import --update %s", published.Origin, im.UID)
	case !bytes.Equal(old, out):
		return false, fmt.Errorf("%s was edited since it was imported; remove it to import it again as it was, or run lookout import --update %s", file, im.UID)
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

// origin is where an imported dashboard is fetched from: a path on the command line leads to what the lock file names without this machine's directories.
func (im *importer) origin(e catalog.Entry) string {
	if portable(filepath.ToSlash(filepath.Clean(im.Origin))) == e.Origin {
		return im.Origin
	}
	return e.Origin
}

// find looks the argument up in the lock file: by uid or by origin.
func (im *importer) find() (uid string, ok bool) {
	if _, ok := im.lock.Dashboards[im.Origin]; ok {
		return im.Origin, true
	}
	var found []string
	for uid, e := range im.lock.Dashboards {
		if e.Origin == im.Origin || e.Origin == portable(filepath.ToSlash(filepath.Clean(im.Origin))) {
			found = append(found, uid)
		}
	}
	if len(found) != 1 {
		return "", false
	}
	return found[0], true
}

// finish checks how the dashboard fits, and writes the file and its entry in the lock file.
func (im *importer) finish(ctx context.Context, file string, out []byte, notes []string, p *catalog.Published, inputs map[string]string, licence string) (found bool, err error) {
	licence = cmp.Or(im.Licence, licence, "NOASSERTION")
	if licence == "NOASSERTION" {
		notes = append(notes, "the licence is unknown; find out and give --licence")
	}
	rel, err := filepath.Rel(im.Dir, file)
	if err != nil {
		return false, err
	}
	name := filepath.ToSlash(file)
	checked, err := im.check(ctx, name, out)
	if err != nil {
		return false, err
	}
	if checked != nil && !im.Force {
		for _, fit := range checked.Fits {
			if share := fit.Share(); share < im.MinFit {
				if err := im.show(checked); err != nil {
					return false, err
				}
				return false, fmt.Errorf("%s gets all it asks for in %.0f %% of its panels, and --min-fit asks for %.0f %%; nothing was written: give a smaller --min-fit, or --force", name, 100*share, 100*im.MinFit)
			}
		}
	}
	entry := catalog.Entry{
		File: filepath.ToSlash(rel), Origin: portable(p.Origin), Revision: p.Revision, Licence: licence, SHA256: p.SHA256(), Inputs: inputs,
	}
	if p.Revision != 0 {
		entry.Catalogue = im.Catalogue
	}
	done := "imported"
	if im.DryRun {
		done = "would be imported"
	} else {
		im.lock.Dashboards[im.UID] = entry
		if err := source.Write(file, out); err != nil {
			return false, err
		}
		if err := source.Write(im.lockFile, im.lock.Bytes()); err != nil {
			return false, err
		}
	}
	fmt.Fprintf(im.Stdout, "%s: %s from %s", name, done, p.Origin)
	if p.Revision != 0 {
		fmt.Fprintf(im.Stdout, ", revision %d", p.Revision)
	}
	fmt.Fprintln(im.Stdout)
	for _, n := range notes {
		im.Note("%s: %s", name, n)
	}
	if checked == nil {
		im.Note("not checked against what is exposed; give --metrics or --prometheus")
		return false, nil
	}
	return checked.Has(finding.Warning), im.show(checked)
}

// check compares the dashboard with what is exposed, before anything is written; nil if there is nothing to compare it with.
func (im *importer) check(ctx context.Context, name string, out []byte) (*review.Checked, error) {
	if len(im.Metrics) == 0 && im.Prometheus == "" {
		return nil, nil
	}
	cfg, err := lint.Load("")
	if err != nil {
		return nil, err
	}
	file := source.File{Name: name, Must: true, Named: true, Read: func([]byte) ([]byte, error) { return out, nil }}
	return review.Check(ctx, review.Checking{
		Files: []source.File{file}, Config: cfg, Metrics: im.Metrics, Prometheus: im.Prometheus, Since: defaultSince, Now: im.Now, Stdin: im.Stdin, HTTP: im.HTTP,
	})
}

// screenful is how many lines of findings a person sees at a glance.
const screenful = 20

func (im *importer) show(checked *review.Checked) (err error) {
	if im.AllFindings {
		err = checked.Write(im.Stdout, "text", im.Colored)
	} else {
		err = checked.Groups(im.Stdout, screenful)
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(im.Stdout, checked.Tail())
	return err
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

// update merges what a newer revision changes over the local file.
func (im *importer) update(ctx context.Context) (found bool, err error) {
	uid, ok := im.find()
	if !ok {
		return false, fmt.Errorf("%q is not in %s; import it first, or give the uid of one that was imported", im.Origin, im.lockFile)
	}
	im.UID = uid
	entry := im.lock.Dashboards[uid]
	if entry.Catalogue != "" && entry.Catalogue != im.Catalogue {
		im.source.Catalogue, im.Catalogue = entry.Catalogue, entry.Catalogue
	}
	newest, err := im.source.Fetch(ctx, im.origin(entry), im.Revision)
	if err != nil {
		return false, err
	}
	newest.Origin = entry.Origin
	if newest.SHA256() == entry.SHA256 {
		im.Note("%s is up to date", uid)
		return false, nil
	}
	base, err := im.base(ctx, entry)
	if err != nil {
		return false, err
	}
	inputs := im.Inputs
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
		return false, err
	}
	theirs, theirBytes, notes, err := convert(newest)
	if err != nil {
		return false, err
	}
	local := dashboard.LoadFile(file)
	if local.Err != nil {
		return false, local.Err
	}
	differ := diff.New()
	out, news, conflicts, err := differ.Merge(was, local.Dashboard, theirs)
	if err != nil {
		return false, err
	}
	if ours, err := os.ReadFile(file); err == nil && bytes.Equal(ours, wasBytes) {
		out = theirBytes // nothing of ours to keep
	}
	report := diff.Report{Result: news, Dashboards: 1}
	if err := report.Text(im.Stdout, im.Colored, false); err != nil {
		return false, err
	}
	slices.SortFunc(conflicts, func(a, b diff.Conflict) int { return strings.Compare(a.Path, b.Path) })
	for _, k := range conflicts {
		fmt.Fprintf(im.Stdout, "  ! %s: %s", k.Path, k.Text)
		if k.Ours.Scalar() && k.Theirs.Scalar() {
			fmt.Fprintf(im.Stdout, " (ours %s, theirs %s)", k.Ours.Compact(), k.Theirs.Compact())
		}
		fmt.Fprintln(im.Stdout)
	}
	found, err = im.finish(ctx, file, out, notes, newest, inputs, entry.Licence)
	if len(conflicts) > 0 && err == nil {
		im.Note("%s; the local values were kept", finding.Count(len(conflicts), "conflict"))
		found = true
	}
	return found, err
}

// base is what was published when the dashboard was imported: the origin's, or the file given, if its checksum is the one in the lock file.
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
		return nil, fmt.Errorf("%s is not what was imported (SHA-256 %.12s…, the lock file has %.12s…); give that version by --base FILE", base.Origin, base.SHA256(), entry.SHA256)
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

// Package pull brings edits made in Grafana's UI back into the files, as the smallest change to each, and reports what differs from the files and from what
// Terraform applied.
package pull

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

	"lookout/internal/dashboard"
	"lookout/internal/diff"
	"lookout/internal/finding"
	"lookout/internal/grafana"
	"lookout/internal/source"
)

// Options say what to pull.
type Options struct {
	// UIDs are the dashboards; All means every one that Grafana has.
	UIDs []string
	All  bool
	// Check writes nothing and reports what differs.
	Check bool
	// Dir is where the dashboards are: a directory for each folder, the files named by uid.
	Dir string
	// Env is the environment that the Grafana belongs to; its own thresholds are no difference. "" takes those of all environments.
	Env string
	// Grafana is its address, Auth "user:password" or a token.
	Grafana, Auth string
	// State is a file with Terraform's state as JSON, - for Stdin, "" for none.
	State string
	// JSON writes the report as diff does.
	JSON bool

	Stdin  io.Reader
	Stdout io.Writer
	// Colored is for a terminal.
	Colored bool
	// Note gets diagnostics.
	Note func(format string, args ...any)
	HTTP *http.Client
}

// errWrite marks the errors about files, after which there is no point in going on.
var errWrite = errors.New("a file can't be written")

// Run compares, and writes the files unless only a check is wanted. different reports that there are differences. A dashboard that can't be read is named and
// passed over, and makes an error in the end.
func Run(ctx context.Context, o Options) (different bool, err error) {
	if o.Grafana == "" {
		return false, errors.New("no address of Grafana; set --grafana or GRAFANA_URL")
	}
	if len(o.UIDs) == 0 && !o.All {
		if !o.Check {
			return false, errors.New("say which dashboards: --uid U (may be repeated) or --all")
		}
		o.All = true
	}
	if o.State != "" && !o.Check {
		return false, errors.New("--state is for --check: pull brings back dashboards only")
	}
	client, err := grafana.New(o.Grafana, o.Auth, o.HTTP)
	if err != nil {
		return false, err
	}
	files, err := dashboard.ByUID(o.Dir)
	if err != nil {
		return false, err
	}
	lines, err := readLines(o.Env)
	if err != nil {
		return false, err
	}
	p := puller{Options: o, client: client, files: files, differ: diff.New(), lines: lines}
	if err := p.dashboards(ctx); err != nil {
		return false, err
	}
	if o.State != "" {
		if err := p.applied(ctx); err != nil {
			return false, err
		}
	}
	if err := p.write(); err != nil {
		return false, err
	}
	if p.unread > 0 {
		return len(p.report.Events) > 0, fmt.Errorf("%s could not be read", finding.Count(p.unread, "dashboard"))
	}
	return len(p.report.Events) > 0, nil
}

type puller struct {
	Options
	client  *grafana.Client
	files   map[string]*dashboard.Dashboard
	differ  *diff.Differ
	report  diff.Report
	written int
	// lines are the red lines that environments moved.
	lines redLines
	// unread counts the dashboards that could not be read.
	unread int
}

func (p *puller) dashboards(ctx context.Context) error {
	wanted := slices.Clone(p.UIDs)
	found, err := p.client.Search(ctx)
	if err != nil {
		return err
	}
	known := map[string]grafana.Found{}
	// Which directory a folder has is seen by the dashboards that are in both.
	dirs := map[string]string{}
	for _, f := range found {
		known[f.UID] = f
		if d := p.files[f.UID]; d != nil {
			dirs[f.FolderUID] = filepath.Dir(d.File())
		}
		if p.All {
			wanted = append(wanted, f.UID)
		}
	}
	slices.Sort(wanted)
	for _, uid := range slices.Compact(wanted) {
		f, ok := known[uid]
		if !ok {
			return fmt.Errorf("Grafana has no dashboard with uid %q; it has %s", uid, someUIDs(found))
		}
		dir, ok := dirs[f.FolderUID]
		if !ok {
			dir = filepath.Join(p.Dir, slug(cmp.Or(f.FolderTitle, "general")))
		}
		switch err := p.one(ctx, uid, dir); {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errWrite):
			return err
		case err != nil:
			// One that can't be read does not keep the others from being compared.
			p.unread++
			p.Note("%s: %v", uid, err)
		}
	}
	if !p.All {
		return nil
	}
	var missing []string
	for uid := range p.files {
		if _, ok := known[uid]; !ok {
			missing = append(missing, uid)
		}
	}
	slices.Sort(missing)
	for _, uid := range missing {
		d := p.files[uid]
		p.report.Events = append(p.report.Events, diff.Event{
			Kind: diff.DashboardRemoved, Dashboard: d.Name(), File: d.File(), Before: dashboard.NewString(d.Name()),
			Text: "is not in Grafana; it was never applied, or someone deleted it",
		})
	}
	return nil
}

func someUIDs(found []grafana.Found) string {
	if len(found) == 0 {
		return "none"
	}
	var out []string
	for _, f := range found[:min(len(found), 8)] {
		out = append(out, f.UID)
	}
	if len(found) > 8 {
		out = append(out, "…")
	}
	return strings.Join(out, ", ")
}

// one compares a dashboard with its file, and writes the file unless only a check is wanted.
func (p *puller) one(ctx context.Context, uid, dir string) error {
	local := p.files[uid]
	file := filepath.Join(dir, notInSlug.ReplaceAllString(uid, "-")+".json")
	if local != nil {
		file = local.File()
	}
	// In the file's own version, so that nothing is lost or made up on the way.
	version := ""
	if local != nil && local.Form.IsV2() {
		version = cmp.Or(local.Version, "v2")
	}
	remote, meta, err := p.client.Dashboard(ctx, uid, filepath.ToSlash(file), version)
	if err != nil {
		return err
	}
	p.report.Dashboards++
	if local != nil {
		if remote, err = p.lines.restore(local, remote); err != nil {
			return err
		}
	}
	var out []byte
	var res diff.Result
	if local == nil {
		res = p.differ.Dashboards(nil, remote)
		made, err := dashboard.Load(file, fresh(remote).JSON())
		if err != nil {
			return err
		}
		out = made.Canonical()
	} else if out, res, err = p.differ.Apply(local, remote, fromUI); err != nil {
		return err
	}
	for i := range res.Events {
		res.Events[i].Text += by(meta)
		res.Events[i].File = filepath.ToSlash(file)
	}
	p.report.Add(res)
	if p.Check || len(res.Events) == 0 {
		return nil
	}
	p.written++
	if err := source.Write(file, out); err != nil {
		return errors.Join(errWrite, err)
	}
	return nil
}

// fresh is a dashboard as a new file holds it: without what Grafana's answer says of the copy that it keeps.
func fresh(remote *dashboard.Dashboard) *dashboard.Node {
	if !remote.Form.IsV2() {
		return remote.Root.Clone()
	}
	root := remote.Doc.Root.Clone()
	root.Remove("status")
	metadata := dashboard.NewObject()
	metadata.Set("name", dashboard.NewString(remote.UID))
	root.Set("metadata", metadata)
	return root
}

// fromUI refuses what is not an edit: to change a dashboard in the UI someone has to make it editable first, and a file that names no folder stands in the directory of its
// folder.
func fromUI(e diff.Event) bool {
	switch e.Kind {
	case diff.DashboardSetting:
		return len(e.Changes) != 1 || e.Changes[0].OldPath != "/editable"
	case diff.DashboardFolder:
		return e.Before.Text() != ""
	}
	return true
}

func by(m grafana.Meta) string {
	if m.UpdatedBy == "" || m.Updated.IsZero() {
		return ""
	}
	return fmt.Sprintf(" (by %s, %s)", m.UpdatedBy, m.Updated.UTC().Format("2006-01-02 15:04 UTC"))
}

// applied compares rules, contact points and data sources with Terraform's state.
func (p *puller) applied(ctx context.Context) error {
	var data []byte
	var err error
	if p.State == "-" {
		data, err = io.ReadAll(p.Stdin)
	} else {
		data, err = os.ReadFile(p.State)
	}
	if err != nil {
		return fmt.Errorf("read Terraform's state: %w", err)
	}
	applied, err := grafana.ReadState(p.State, bytes.TrimSpace(data))
	if err != nil {
		return err
	}
	var holds grafana.Holds
	if holds.Rules, err = p.client.Rules(ctx); err != nil {
		return err
	}
	if holds.ContactPoints, err = p.client.ContactPoints(ctx); err != nil {
		return err
	}
	if holds.DataSources, err = p.client.DataSources(ctx); err != nil {
		return err
	}
	titles := map[string]string{"rule": "alert rules", "contact-point": "contact points", "datasource": "data sources"}
	for _, d := range applied.Drifts(holds) {
		who := ", Grafana does not say by whom"
		if d.By != "" {
			who = " (by " + d.By + ")"
		}
		p.report.Events = append(p.report.Events, diff.Event{
			Kind: diff.Kind("drift-" + d.Kind), Dashboard: titles[d.Kind], File: titles[d.Kind], Panel: d.Name, Before: d.Before, After: d.After,
			Text: fmt.Sprintf("%s %q: %s%s", strings.ReplaceAll(d.Kind, "-", " "), cmp.Or(d.Name, d.UID), d.Text, who),
		})
	}
	return nil
}

func (p *puller) write() error {
	if p.JSON {
		return p.report.JSON(p.Stdout)
	}
	if err := p.report.Text(p.Stdout, p.Colored, false); err != nil {
		return err
	}
	s := fmt.Sprintf("%s looked at, %s", finding.Count(p.report.Dashboards, "dashboard"), finding.Count(len(p.report.Events), "difference"))
	if !p.Check {
		s += fmt.Sprintf(", %s written", finding.Count(p.written, "file"))
	}
	if p.unread > 0 {
		s += fmt.Sprintf(", %s could not be read", finding.Count(p.unread, "dashboard"))
	}
	if p.Check && p.State == "" {
		s += "; rules, contact points and data sources were not compared (--state)"
	}
	p.Note("%s", s)
	return nil
}

var notInSlug = regexp.MustCompile(`[^\p{L}\p{N}_-]+`)

// slug makes a name that can stand in a path.
func slug(s string) string {
	return strings.Trim(notInSlug.ReplaceAllString(strings.ToLower(s), "-"), "-")
}

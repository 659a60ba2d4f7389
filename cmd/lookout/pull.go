package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"lookout/internal/dashboard"
	"lookout/internal/diff"
	"lookout/internal/grafana"
)

type pullCmd struct {
	UID     []string `help:"The dashboards to pull, by uid."`
	All     bool     `help:"Pull all dashboards, new ones too."`
	Check   bool     `help:"Write nothing; report what differs from the files (and, with --state, from what Terraform applied) and who changed it. Exit 1 if anything does."`
	Dir     string   `default:"dashboards" help:"Where the dashboards are: a directory for each folder, the files named by uid."`
	Grafana string   `env:"GRAFANA_URL" placeholder:"URL" help:"Grafana's address."`
	Auth    string   `env:"GRAFANA_AUTH" placeholder:"AUTH" help:"user:password or a service account's token. Rather set the environment variable: arguments can be seen by others."`
	State   string   `placeholder:"FILE" help:"With --check: the output of 'terraform show -json' of the content root, or - for stdin. Rules, contact points and data sources are compared with it."`
	Format  string   `enum:"text,json" default:"text" help:"text or json. The JSON is that of diff; its texts name who made the change."`
}

func (c *pullCmd) Run(ctx context.Context, a *app) error {
	if c.Grafana == "" {
		return errors.New("no address of Grafana; set --grafana or GRAFANA_URL")
	}
	if len(c.UID) == 0 && !c.All {
		if !c.Check {
			return errors.New("say which dashboards: --uid U (may be repeated) or --all")
		}
		c.All = true
	}
	if c.State != "" && !c.Check {
		return errors.New("--state is for --check: pull brings back dashboards only")
	}
	client, err := grafana.New(c.Grafana, c.Auth, a.client)
	if err != nil {
		return err
	}
	files, err := localDashboards(c.Dir)
	if err != nil {
		return err
	}
	p := puller{c: c, client: client, files: files, differ: diff.New()}
	if err := p.dashboards(ctx); err != nil {
		return err
	}
	if c.State != "" {
		if err := p.applied(ctx, a); err != nil {
			return err
		}
	}
	if err := p.write(a); err != nil {
		return err
	}
	if c.Check && len(p.report.Events) > 0 {
		return errFindings
	}
	return nil
}

// localDashboards are the dashboards below dir by uid.
func localDashboards(dir string) (map[string]*dashboard.Dashboard, error) {
	out := map[string]*dashboard.Dashboard{}
	if !exists(dir) {
		return out, nil
	}
	found, err := dashboard.Find([]string{dir})
	if err != nil {
		return nil, err
	}
	for _, f := range found.Files {
		l := dashboard.LoadFile(f)
		if errors.Is(l.Err, dashboard.ErrNotDashboard) {
			continue
		}
		if l.Err != nil {
			return nil, l.Err
		}
		uid := cmp.Or(l.Dashboard.UID, strings.TrimSuffix(filepath.Base(f), filepath.Ext(f)))
		if was := out[uid]; was != nil {
			return nil, fmt.Errorf("%s and %s have the same uid %q; give one of them another", was.File(), f, uid)
		}
		out[uid] = l.Dashboard
	}
	return out, nil
}

type puller struct {
	c       *pullCmd
	client  *grafana.Client
	files   map[string]*dashboard.Dashboard
	differ  *diff.Differ
	report  diff.Report
	written int
}

func (p *puller) dashboards(ctx context.Context) error {
	wanted := slices.Clone(p.c.UID)
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
		if p.c.All {
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
			dir = filepath.Join(p.c.Dir, slug(cmp.Or(f.FolderTitle, "general")))
		}
		if err := p.one(ctx, uid, dir); err != nil {
			return err
		}
	}
	if !p.c.All {
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
			Text: "is not in Grafana; it was never applied, or somebody deleted it",
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
	remote, meta, err := p.client.Dashboard(ctx, uid, filepath.ToSlash(file))
	if err != nil {
		return err
	}
	p.report.Dashboards++
	var out []byte
	var res diff.Result
	if local == nil {
		res = p.differ.Dashboards(nil, remote)
		made, err := dashboard.Load(file, remote.Root.Clone().JSON())
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
	if p.c.Check || len(res.Events) == 0 {
		return nil
	}
	p.written++
	if local != nil {
		return replaceFile(file, out)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, out, 0o644)
}

// fromUI refuses what is no edit: to change a dashboard in the UI somebody has to make it editable first.
func fromUI(e diff.Event) bool {
	return !(e.Kind == diff.DashboardSetting && len(e.Changes) == 1 && e.Changes[0].OldPath == "/editable")
}

func by(m grafana.Meta) string {
	if m.UpdatedBy == "" || m.Updated.IsZero() {
		return ""
	}
	return fmt.Sprintf(" (by %s, %s)", m.UpdatedBy, m.Updated.UTC().Format("2006-01-02 15:04 UTC"))
}

// applied compares rules, contact points and data sources with Terraform's state.
func (p *puller) applied(ctx context.Context, a *app) error {
	var data []byte
	var err error
	if p.c.State == "-" {
		data, err = io.ReadAll(a.stdin)
	} else {
		data, err = os.ReadFile(p.c.State)
	}
	if err != nil {
		return fmt.Errorf("read Terraform's state: %w", err)
	}
	applied, err := grafana.ReadState(p.c.State, bytes.TrimSpace(data))
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

func (p *puller) write(a *app) error {
	if p.c.Format == "json" {
		return p.report.JSON(a.stdout)
	}
	if err := p.report.Text(a.stdout, a.colored(a.stdout), false); err != nil {
		return err
	}
	s := fmt.Sprintf("%s looked at, %s", count(p.report.Dashboards, "dashboard"), count(len(p.report.Events), "difference"))
	if !p.c.Check {
		s += fmt.Sprintf(", %s written", count(p.written, "file"))
	}
	if p.c.Check && p.c.State == "" {
		s += "; rules, contact points and data sources were not compared (--state)"
	}
	a.note("%s", s)
	return nil
}

var notInSlug = regexp.MustCompile(`[^\p{L}\p{N}_-]+`)

// slug makes a name that can stand in a path.
func slug(s string) string {
	return strings.Trim(notInSlug.ReplaceAllString(strings.ToLower(s), "-"), "-")
}

// Package review makes the review of a change to dashboards and alert rules: what is new to the linter, what is not exposed, what changed in words and pictures, and how
// often changed alerts would have fired. The commands lint, check, diff and rules backtest are its parts.
package review

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"golang.org/x/sync/errgroup"

	"lookout/internal/backtest"
	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/inputs"
	"lookout/internal/lint"
	"lookout/internal/render"
	"lookout/internal/revision"
	"lookout/internal/source"
)

// Options say what to review.
type Options struct {
	// Base is the revision that the working tree is compared with: its common ancestor with HEAD.
	Base string
	// Paths are dashboards and rule files, or directories of them. Without any they are dashboards and alerts, as far as they are or were there.
	Paths  []string
	Config lint.Config
	// Metrics and RunExporters say what to check against: see [Checking].
	Metrics      []string
	RunExporters bool
	// Prometheus evaluates changed alerts over the time since, and gives the pictures their curves; "" leaves that out. Without Metrics the check asks it, too.
	Prometheus string
	Since      time.Duration
	// Env is the environment whose thresholds count for alerts.
	Env string
	// PNG makes pictures PNG instead of SVG.
	PNG   bool
	Now   time.Time
	Stdin io.Reader
	HTTP  *http.Client
}

// Review is what came of it.
type Review struct {
	// Base is the commit that was compared with.
	Base        string
	Changes     *Changes
	Unformatted []string
	Lint        finding.Result
	// Check is nil if there was nothing to check against.
	Check *Checked
	// Backtest is nil without a Prometheus.
	Backtest *backtest.Report
	// Pictures are those of changed dashboards by file, and Firing that of the backtest.
	Pictures map[string]Picture
	Firing   Picture
	// Problems are parts that could not be made; the others are there all the same.
	Problems []string
	// Took is how long each part took.
	Took map[string]time.Duration

	mu sync.Mutex
}

// Make makes a review. Its parts run at the same time.
func Make(ctx context.Context, o Options) (*Review, error) {
	if err := CheckEnvironment(o.Env); err != nil {
		return nil, err
	}
	if o.Prometheus != "" {
		if err := CheckPrometheus(o.Prometheus); err != nil {
			return nil, err
		}
	}
	base, err := revision.Git(ctx, "merge-base", o.Base, "HEAD")
	if err != nil {
		return nil, noBase(ctx, o.Base, err)
	}
	r := &Review{Base: strings.TrimSpace(string(base)), Took: map[string]time.Duration{}}
	here, err := o.paths(ctx, r.Base)
	if err != nil {
		return nil, err
	}
	files, err := source.Lister{Stdin: o.Stdin, Ext: source.Endings}.List(here)
	if err != nil {
		return nil, err
	}
	var jsons, yamls []source.File
	for _, f := range files {
		if strings.EqualFold(path.Ext(f.Name), ".json") {
			jsons = append(jsons, f)
		} else {
			yamls = append(yamls, f)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	took := make(chan func(), 8)
	part := func(name string, do func() error) {
		group.Go(func() error {
			began := time.Now()
			err := do()
			took <- func() { r.Took[name] = time.Since(began) }
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	}
	part("format", func() (err error) { r.Unformatted, err = unformatted(ctx, jsons); return err })
	part("lint", func() (err error) {
		r.Lint, _, err = Lint(ctx, Linting{Files: files, Config: o.Config, NewSince: r.Base})
		return err
	})
	part("check", func() (err error) { r.Check, err = o.check(ctx, files); return err })
	part("diff", func() (err error) {
		if r.Changes, err = Diff(ctx, append([]string{r.Base}, o.Paths...)); err != nil {
			return err
		}
		return r.draw(ctx, o)
	})
	if o.Prometheus != "" {
		part("backtest", func() error { return r.backtest(ctx, o, yamls) })
	}
	err = group.Wait()
	close(took)
	for record := range took {
		record()
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// noBase says why there is nothing to compare with, and what helps.
func noBase(ctx context.Context, base string, err error) error {
	remedy := "name a commit, tag or branch"
	if _, outside := revision.Git(ctx, "rev-parse", "--git-dir"); outside != nil {
		remedy = "run it in a git repository"
	} else if _, unknown := revision.Git(ctx, "rev-parse", "--verify", "--quiet", base+"^{commit}"); unknown == nil {
		remedy = "it has no ancestor in common with HEAD, or the clone is shallow: fetch the history"
	}
	return fmt.Errorf("--base %q: %w; %s", base, err, remedy)
}

// draw makes the pictures, with curves if there is a Prometheus. One that can't be asked costs the curves and is a problem of the review.
func (r *Review) draw(ctx context.Context, o Options) (err error) {
	opts := render.Options{Theme: render.Light, Now: o.Now}
	if o.Prometheus != "" {
		client, err := api.NewClient(api.Config{Address: o.Prometheus, Client: o.HTTP})
		if err != nil {
			return fmt.Errorf("--prometheus: %w", err)
		}
		opts.Prometheus = v1.NewAPI(client)
		if r.Pictures, err = r.Changes.Draw(ctx, opts, o.PNG); err == nil || ctx.Err() != nil {
			return err
		}
		opts.Prometheus = nil
		r.problem("the pictures have no curves: %v", err)
	}
	r.Pictures, err = r.Changes.Draw(ctx, opts, o.PNG)
	return err
}

// problem notes a part that could not be made.
func (r *Review) problem(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

// paths settles o.Paths, and returns those that are in the working tree: a directory may have been deleted as a whole.
func (o *Options) paths(ctx context.Context, base string) (here []string, err error) {
	given := len(o.Paths) > 0
	wanted := o.Paths
	if !given {
		wanted = []string{"dashboards", "alerts", "modules/prometheus/rules", "slos/rules"}
	}
	o.Paths = nil
	for _, p := range wanted {
		switch {
		case exists(p):
			here = append(here, p)
		case inCommit(ctx, base, p):
		case given:
			return nil, fmt.Errorf("%s: no such file or directory, neither here nor in %.12s", p, base)
		default:
			continue
		}
		o.Paths = append(o.Paths, p)
	}
	if len(o.Paths) == 0 {
		return nil, errors.New("there is neither dashboards nor alerts here; name what to review")
	}
	return here, nil
}

// unformatted names the dashboards that are not in canonical form. What can't be read is reported by lint.
func unformatted(ctx context.Context, files []source.File) (names []string, err error) {
	_, err = inputs.Dashboards(ctx, files, func(d *dashboard.Dashboard) error {
		if string(d.Canonical()) != d.Doc.Source {
			names = append(names, d.File())
		}
		return nil
	}, func(error) {})
	return names, err
}

// check compares with what is exposed; nil if nothing is known of that.
func (o *Options) check(ctx context.Context, files []source.File) (*Checked, error) {
	c := Checking{
		Files: files, Config: o.Config, Metrics: o.Metrics, RunExporters: o.RunExporters, Since: time.Hour, Now: o.Now, Stdin: o.Stdin, HTTP: o.HTTP,
	}
	if len(c.Metrics) == 0 && !c.RunExporters && (len(o.Config.Exposed.Metrics) == 0 || len(o.Config.Exposed.Exporters) > 0) {
		if c.Prometheus = o.Prometheus; c.Prometheus == "" {
			return nil, nil
		}
	}
	return Check(ctx, c)
}

// backtest adds how often the changed alerts would have fired. A Prometheus that can't be asked is a problem of the review, not its end.
func (r *Review) backtest(ctx context.Context, o Options, files []source.File) (err error) {
	r.Backtest, err = Backtest(ctx, Backtesting{Files: files, Base: r.Base, Env: o.Env, Prometheus: o.Prometheus, Since: o.Since, Now: o.Now, HTTP: o.HTTP})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		r.problem("the alerts were not evaluated: %v", err)
		return nil
	}
	if n := r.Backtest.Failed(); n > 0 {
		r.problem("%s could not be evaluated", finding.Count(n, "alert"))
	}
	r.Firing.Name = "backtest.svg"
	if o.PNG {
		r.Firing.Name = "backtest.png"
	}
	r.Firing.Data, err = r.Backtest.Picture(ctx, render.Light, o.PNG)
	return err
}

// Findings reports whether there is something to object to: that something changed is not.
func (r *Review) Findings() bool {
	return len(r.Unformatted) > 0 || r.Lint.Has(finding.Warning) || r.Check != nil && r.Check.Has(finding.Warning)
}

// Text writes the review for a terminal, or with format github with annotations.
func (r *Review) Text(w io.Writer, format string, colored bool) error {
	title := func(s string) { fmt.Fprintf(w, "\n== %s\n", s) }
	title("format")
	for _, f := range r.Unformatted {
		fmt.Fprintf(w, "%s is not in canonical form: run lookout fmt %s\n", f, f)
	}
	fmt.Fprintf(w, "%s to format\n", finding.Count(len(r.Unformatted), "dashboard"))
	title(fmt.Sprintf("lint: what is new since %.12s", r.Base))
	if err := r.Lint.Write(w, format, colored); err != nil {
		return err
	}
	title("check: what dashboards and alerts use, and what is exposed")
	if r.Check == nil {
		fmt.Fprintln(w, "not checked: give --metrics, --prometheus or --run-exporters, or list exposed.metrics in .lookout.yaml")
	} else {
		if err := r.Check.Write(w, format, colored); err != nil {
			return err
		}
		fmt.Fprint(w, r.Check.Tail())
	}
	title(fmt.Sprintf("diff: what changed since %.12s", r.Base))
	if err := r.Changes.Report.Text(w, colored, false); err != nil {
		return err
	}
	fmt.Fprintln(w, r.Changes.Report.Summary())
	for _, s := range r.Changes.Skipped {
		fmt.Fprintf(w, "%s: %s\n", s.File, s.Reason)
	}
	for _, err := range r.Changes.Broken {
		fmt.Fprintf(w, "not compared: %v\n", err)
	}
	if r.Backtest != nil {
		title("backtest: how often changed alerts would have fired")
		if err := r.Backtest.Text(w, fmt.Sprintf("%.12s", r.Base)); err != nil {
			return err
		}
	}
	if missing := r.Changes.MissingGlyphs; len(missing) > 0 {
		fmt.Fprintf(w, "no font has %q, so the pictures show boxes; install one (Debian: fonts-noto-cjk)\n", string(missing[:min(len(missing), 10)]))
	}
	for _, p := range r.Problems {
		fmt.Fprintln(w, p)
	}
	return nil
}

// HTML writes the page of all changes with whole dashboards before and after.
func (r *Review) HTML(ctx context.Context, w io.Writer, now time.Time) error {
	return r.Changes.Report.HTML(ctx, w, r.Changes.Pairs, render.Options{Theme: render.Light, Now: now})
}

// PictureDirectory is where [Review.Save] puts pictures, and what the comment's links to them begin with.
const PictureDirectory = "pictures"

// AllPictures are those of dashboards and that of the backtest, by name.
func (r *Review) AllPictures() []Picture {
	var out []Picture
	for _, p := range r.Pictures {
		out = append(out, p)
	}
	if r.Firing.Data != nil {
		out = append(out, r.Firing)
	}
	slices.SortFunc(out, func(a, b Picture) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Save writes review.md, review.html and the pictures into a directory, and removes the pictures of an earlier review.
func (r *Review) Save(ctx context.Context, dir, comment string, now time.Time) error {
	for _, ext := range []string{"svg", "png"} {
		old, err := filepath.Glob(filepath.Join(dir, PictureDirectory, "*."+ext))
		if err != nil {
			return err
		}
		for _, f := range old {
			if err := os.Remove(f); err != nil {
				return err
			}
		}
	}
	var page bytes.Buffer
	if err := r.HTML(ctx, &page, now); err != nil {
		return err
	}
	files := map[string][]byte{"review.md": []byte(comment), "review.html": page.Bytes()}
	for _, p := range r.AllPictures() {
		files[PictureDirectory+"/"+p.Name] = p.Data
	}
	for name, data := range files {
		if err := source.Write(filepath.Join(dir, filepath.FromSlash(name)), data); err != nil {
			return err
		}
	}
	return nil
}

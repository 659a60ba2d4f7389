package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"lookout/internal/dashboard"
	"lookout/internal/diff"
	"lookout/internal/render"
)

type diffCmd struct {
	Format   string   `enum:"text,json,markdown,html" default:"text" help:"text, json, markdown (for a comment on a pull request) or html (one page with pictures)."`
	HTML     bool     `help:"The same as --format=html."`
	All      bool     `help:"List each changed place in the files, those without meaning too, with the reason."`
	Limit    int      `default:"60000" help:"The most bytes of --format=markdown; GitHub refuses comments of more than 65,536 characters."`
	Pictures string   `type:"path" placeholder:"DIR" help:"Write pictures of each changed dashboard before and after into this directory (SVG)."`
	Link     string   `placeholder:"URL" help:"With --format=markdown: show the pictures, which can be loaded from below this address."`
	Theme    string   `enum:"dark,light" default:"light" help:"The colours of pictures: dark or light."`
	Args     []string `arg:"" optional:"" name:"revision-or-path" help:"Two files; or BASE, BASE..HEAD or BASE...HEAD, and paths. Without a revision HEAD is compared with the working tree."`
}

func (c *diffCmd) Help() string {
	return `Two files are compared with each other. Otherwise the versions come from git: BASE with the working tree, or BASE with HEAD if BASE..HEAD is given
(BASE...HEAD begins where they parted). A name that is a file or directory is a path; write "name.." for a revision of that name.`
}

func (c *diffCmd) Run(ctx context.Context, a *app) error {
	pairs, err := c.pairs(ctx)
	if err != nil {
		return err
	}
	var report diff.Report
	differ := diff.New()
	var kept []diff.Pair
	for _, v := range pairs {
		pair, err := v.load()
		if errors.Is(err, dashboard.ErrNotDashboard) || errors.Is(err, diff.ErrNotRules) {
			if v.explicit && errors.Is(err, diff.ErrNotRules) {
				return fmt.Errorf("%s: %w", v.name(), err)
			}
			if v.explicit {
				return err
			}
			continue
		}
		if pair.Rules && !v.explicit && err != nil && !errors.Is(err, os.ErrNotExist) {
			a.note("%s passed over: %v", pair.File, err) // Helm templates and the like
			continue
		}
		if err != nil {
			return err
		}
		var res diff.Result
		if pair.Rules {
			report.Rules++
			res = differ.Rules(pair.Before, pair.After)
		} else {
			report.Dashboards++
			res = differ.Dashboards(pair.Before, pair.After)
		}
		if v.oldName != "" && v.newName != "" && v.oldName != v.newName && !v.explicit {
			res.Events = append([]diff.Event{diff.Moved(pair, v.oldName, v.newName)}, res.Events...)
		}
		for i := range res.Events {
			res.Events[i].File = pair.File
		}
		for i := range res.Ignored {
			res.Ignored[i].File = pair.File
		}
		report.Add(res)
		kept = append(kept, pair)
	}
	if err := c.write(ctx, a, &report, kept); err != nil {
		return err
	}
	if len(report.Events) > 0 {
		return errFindings
	}
	return nil
}

func (c *diffCmd) write(ctx context.Context, a *app, report *diff.Report, pairs []diff.Pair) error {
	opts := render.Options{Theme: render.Theme(c.Theme), Now: a.now()}
	pictures := map[string]diff.Picture{}
	if c.Pictures != "" {
		var err error
		if pictures, err = c.draw(ctx, report, pairs, opts); err != nil {
			return err
		}
	}
	if c.HTML {
		c.Format = "html"
	}
	switch c.Format {
	case "json":
		return report.JSON(a.stdout)
	case "markdown":
		if c.Link == "" {
			pictures = nil
		}
		return report.Markdown(a.stdout, diff.MarkdownOptions{Limit: c.Limit, Pictures: pictures, All: c.All})
	case "html":
		return report.HTML(ctx, a.stdout, pairs, opts)
	}
	if err := report.Text(a.stdout, a.colored(a.stdout), c.All); err != nil {
		return err
	}
	a.note("%s", report.Summary())
	return nil
}

// draw writes the pictures and returns their addresses by file.
func (c *diffCmd) draw(ctx context.Context, report *diff.Report, pairs []diff.Pair, opts render.Options) (map[string]diff.Picture, error) {
	out := map[string]diff.Picture{}
	if err := os.MkdirAll(c.Pictures, 0o755); err != nil {
		return nil, err
	}
	for _, p := range pairs {
		var events []diff.Event
		for _, e := range report.Events {
			if e.File == p.File {
				events = append(events, e)
			}
		}
		if p.Rules || len(events) == 0 {
			continue
		}
		before, after, err := diff.Pictures(ctx, p, events, opts)
		if err != nil {
			return nil, err
		}
		// One flat directory: the path becomes part of the name.
		base := strings.NewReplacer("/", "-", "\\", "-", " ", "-", "..", "-").Replace(strings.TrimSuffix(p.File, path.Ext(p.File)))
		var pic diff.Picture
		for _, side := range []struct {
			svg  []byte
			name string
			url  *string
		}{{before, base + "-before.svg", &pic.Before}, {after, base + "-after.svg", &pic.After}} {
			if side.svg == nil {
				continue
			}
			if err := os.WriteFile(filepath.Join(c.Pictures, side.name), side.svg, 0o644); err != nil {
				return nil, err
			}
			*side.url = strings.TrimSuffix(c.Link, "/") + "/" + side.name
		}
		out[p.File] = pic
	}
	return out, nil
}

// versions is a file in its two versions. A name is "" if the file does not exist in that version.
type versions struct {
	oldName, newName string
	before, after    func() ([]byte, error)
	// explicit means that the files were named on the command line: then they must be dashboards or rules.
	explicit bool
}

func (v *versions) name() string { return cmp.Or(v.newName, v.oldName) }

func (v *versions) load() (diff.Pair, error) {
	pair := diff.Pair{File: filepath.ToSlash(v.name())}
	pair.Rules = !strings.EqualFold(path.Ext(pair.File), ".json")
	read := func(name string, get func() ([]byte, error)) (*dashboard.Dashboard, error) {
		if name == "" {
			return nil, nil
		}
		data, err := get()
		if err != nil {
			return nil, err
		}
		if pair.Rules {
			return diff.ParseRules(filepath.ToSlash(name), data)
		}
		return dashboard.Load(filepath.ToSlash(name), data)
	}
	var err, errAfter error
	pair.Before, err = read(v.oldName, v.before)
	pair.After, errAfter = read(v.newName, v.after)
	// A file that became a dashboard is a new one.
	foreign := func(err error) bool {
		return errors.Is(err, dashboard.ErrNotDashboard) || errors.Is(err, diff.ErrNotRules)
	}
	switch {
	case err == nil && errAfter == nil:
		return pair, nil
	case v.explicit || errAfter != nil && !foreign(errAfter):
		return pair, cmp.Or(errAfter, err)
	case pair.After != nil:
		// What was there before could not be read, or was something else.
		pair.Before = nil
		return pair, nil
	case pair.Before != nil && foreign(errAfter) && v.newName != "":
		return pair, nil
	}
	return pair, cmp.Or(errAfter, err)
}

func (c *diffCmd) pairs(ctx context.Context) ([]versions, error) {
	if len(c.Args) == 2 && isFile(c.Args[0]) && isFile(c.Args[1]) {
		disk := func(name string) func() ([]byte, error) { return func() ([]byte, error) { return os.ReadFile(name) } }
		return []versions{{c.Args[0], c.Args[1], disk(c.Args[0]), disk(c.Args[1]), true}}, nil
	}
	base, head, paths := "HEAD", "", c.Args
	if len(c.Args) > 0 && !exists(c.Args[0]) {
		paths = c.Args[1:]
		var ok bool
		if base, head, ok = strings.Cut(c.Args[0], "..."); ok {
			out, err := git(ctx, "merge-base", cmp.Or(base, "HEAD"), cmp.Or(head, "HEAD"))
			if err != nil {
				return nil, fmt.Errorf("%q: %w", c.Args[0], err)
			}
			base, head = strings.TrimSpace(string(out)), cmp.Or(head, "HEAD")
		} else if base, head, ok = strings.Cut(c.Args[0], ".."); ok {
			base = cmp.Or(base, "HEAD")
			if head == "" && strings.HasSuffix(c.Args[0], "..") && exists(base) {
				head = "" // "name.." only says that name is a revision
			} else {
				head = cmp.Or(head, "HEAD")
			}
		}
	}
	for _, rev := range []string{base, head} {
		if rev == "" {
			continue
		}
		if strings.HasPrefix(rev, "-") {
			return nil, fmt.Errorf("%q is neither a file nor a revision", rev)
		}
		if _, err := git(ctx, "rev-parse", "--verify", "--quiet", rev+"^{commit}"); err != nil {
			if _, inside := git(ctx, "rev-parse", "--git-dir"); inside != nil {
				return nil, fmt.Errorf("%q is no file, and this is no git repository; give two files", rev)
			}
			return nil, fmt.Errorf("%q is neither a file nor a commit of this repository", rev)
		}
	}
	for _, p := range paths {
		if strings.HasPrefix(p, "-") {
			return nil, fmt.Errorf("%q is no path", p)
		}
		if !strings.ContainsAny(p, "*?[:") && !exists(p) && !inCommit(ctx, base, p) && !inCommit(ctx, head, p) {
			return nil, fmt.Errorf("%s: there is no such file, neither here nor in %s", p, strings.Trim(base+", "+head, ", "))
		}
	}
	return gitPairs(ctx, base, head, paths)
}

// inCommit tells whether a path, from the working directory, is a file or directory in a commit.
func inCommit(ctx context.Context, rev, name string) bool {
	if rev == "" {
		return false
	}
	_, err := git(ctx, "cat-file", "-e", rev+":./"+filepath.ToSlash(name))
	return err == nil
}

// gitPairs lists the files that differ between base and head, or the working tree if head is empty.
func gitPairs(ctx context.Context, base, head string, paths []string) ([]versions, error) {
	out, err := git(ctx, "rev-parse", "--show-prefix")
	if err != nil {
		return nil, err
	}
	dir := strings.TrimSuffix(string(out), "\n")
	args := []string{"diff", "--name-status", "--find-renames", "--relative", "--no-ext-diff", "-z", base}
	if head != "" {
		args = append(args, head)
	}
	args = append(append(args, "--"), paths...)
	if out, err = git(ctx, args...); err != nil {
		return nil, err
	}
	blob := func(rev, name string) func() ([]byte, error) {
		if rev == "" {
			return func() ([]byte, error) { return os.ReadFile(filepath.FromSlash(name)) }
		}
		return func() ([]byte, error) { return git(ctx, "cat-file", "blob", rev+":"+dir+name) }
	}
	var list []versions
	add := func(oldName, newName string) {
		if !reviewed(cmp.Or(newName, oldName)) {
			return
		}
		list = append(list, versions{oldName: oldName, newName: newName, before: blob(base, oldName), after: blob(head, newName)})
	}
	fields := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	for i := 0; i+1 < len(fields); i += 2 {
		switch status, name := fields[i], fields[i+1]; {
		case status == "A":
			add("", name)
		case status == "D":
			add(name, "")
		case status[0] == 'R' && i+2 < len(fields):
			add(name, fields[i+2])
			i++
		case status[0] == 'C' && i+2 < len(fields):
			add("", fields[i+2])
			i++
		case status == "M" || status == "T":
			add(name, name)
		}
	}
	if head == "" {
		if out, err = git(ctx, append([]string{"ls-files", "--others", "--exclude-standard", "-z", "--"}, paths...)...); err != nil {
			return nil, err
		}
		for _, name := range strings.Split(string(out), "\x00") {
			if name != "" {
				add("", name)
			}
		}
	}
	return sameUID(list), nil
}

// sameUID joins a dashboard that went with one that came under another name if they have one uid: git recognises only small changes as a renaming.
func sameUID(list []versions) []versions {
	uid := func(name string, read func() ([]byte, error)) string {
		data, err := read()
		if err != nil || !strings.EqualFold(path.Ext(name), ".json") {
			return ""
		}
		d, err := dashboard.Load(name, data)
		if err != nil {
			return ""
		}
		return d.UID
	}
	gone := map[string]int{}
	for i, v := range list {
		if v.newName == "" {
			if u := uid(v.oldName, v.before); u != "" {
				gone[u] = i
			}
		}
	}
	if len(gone) == 0 {
		return list
	}
	drop := map[int]bool{}
	for i, v := range list {
		if v.oldName != "" {
			continue
		}
		if u := uid(v.newName, v.after); u != "" {
			if j, ok := gone[u]; ok && !drop[j] {
				list[i].oldName, list[i].before = list[j].oldName, list[j].before
				drop[j] = true
			}
		}
	}
	kept := list[:0:0]
	for i, v := range list {
		if !drop[i] {
			kept = append(kept, v)
		}
	}
	return kept
}

// reviewed tells the files that may be dashboards or alert rules.
func reviewed(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".json", ".yaml", ".yml":
	default:
		return false
	}
	for part := range strings.SplitSeq(path.Dir(name), "/") {
		if part == "testdata" || part == "node_modules" || len(part) > 1 && part[0] == '.' {
			return false
		}
	}
	return true
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.IsDir()
}

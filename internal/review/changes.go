package review

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"lookout/internal/dashboard"
	"lookout/internal/diff"
	"lookout/internal/render"
	"lookout/internal/revision"
	"lookout/internal/source"
)

// Changes is what differs between two versions of some files.
type Changes struct {
	Report diff.Report
	// Pairs are the files that differ, both versions of them.
	Pairs []diff.Pair
	// Skipped are files that were not compared, and why: rule files that could not be read, Helm templates for one.
	Skipped []source.Skip
	// Broken are files that were named, or lie under dashboards/ or alerts/, and could not be compared. What could be is in the report.
	Broken []error
	// MissingGlyphs are characters of the pictures that no font has; only PNG lacks any.
	MissingGlyphs []rune
}

// Diff compares two files with each other, or versions of git: see pairs for what arguments may be.
func Diff(ctx context.Context, arguments []string) (*Changes, error) {
	list, err := pairs(ctx, arguments)
	if err != nil {
		return nil, err
	}
	var out Changes
	differ := diff.New()
	for _, v := range list {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		pair, err := v.load()
		switch foreign := errors.Is(err, dashboard.ErrNotDashboard) || errors.Is(err, diff.ErrNotRules); {
		case err == nil:
		case v.explicit && errors.Is(err, diff.ErrNotRules):
			return nil, fmt.Errorf("%s: %w", v.name(), err)
		case v.explicit:
			return nil, err
		case foreign && !v.must:
			continue
		case v.must || !pair.Rules:
			out.Broken = append(out.Broken, prefixed(v.name(), err))
			continue
		default:
			out.Skipped = append(out.Skipped, source.Skip{File: pair.File, Reason: "passed over: " + err.Error()}) // Helm templates and the like
			continue
		}
		if v.note != "" {
			out.Skipped = append(out.Skipped, source.Skip{File: pair.File, Reason: v.note})
		}
		var res diff.Result
		if pair.Rules {
			out.Report.Rules++
			res = differ.Rules(pair.Before, pair.After)
		} else {
			out.Report.Dashboards++
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
		out.Report.Add(res)
		out.Pairs = append(out.Pairs, pair)
	}
	return &out, nil
}

// versions is a file in its two versions. A name is "" if the file does not exist in that version.
type versions struct {
	oldName, newName string
	before, after    func() ([]byte, error)
	// explicit means that two files were named to be compared: then they must be dashboards or rules.
	explicit bool
	// must means that a path named the file, or that it lies where the repository keeps dashboards and alerts: then it can't be passed over.
	must bool
	// note is what a person should know of how the two versions compare.
	note string
}

// prefixed puts the file's name before an error that does not begin with it.
func prefixed(name string, err error) error {
	if strings.HasPrefix(err.Error(), filepath.ToSlash(name)) {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
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
		var d *dashboard.Dashboard
		if pair.Rules {
			d, err = diff.ParseRules(filepath.ToSlash(name), data)
		} else {
			d, err = dashboard.Load(filepath.ToSlash(name), data)
		}
		if err != nil && bytes.Contains(data, []byte("\n<<<<<<< ")) {
			err = errors.New("it holds an unresolved merge conflict; resolve it, then compare")
		}
		return d, err
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
		if !foreign(err) {
			v.note = "the version before can't be read, so all of it counts as new: " + err.Error()
		}
		return pair, nil
	case pair.Before != nil && foreign(errAfter) && v.newName != "":
		return pair, nil
	}
	return pair, cmp.Or(errAfter, err)
}

// pairs finds the two versions of each file that the arguments are about.
func pairs(ctx context.Context, arguments []string) ([]versions, error) {
	if len(arguments) == 2 && isFile(arguments[0]) && isFile(arguments[1]) {
		disk := func(name string) func() ([]byte, error) {
			return func() ([]byte, error) { return source.ReadFile(name, nil) }
		}
		return []versions{{oldName: arguments[0], newName: arguments[1], before: disk(arguments[0]), after: disk(arguments[1]), explicit: true}}, nil
	}
	base, head, paths := "HEAD", "", arguments
	if len(arguments) > 0 && !exists(arguments[0]) {
		paths = arguments[1:]
		var ok bool
		if base, head, ok = strings.Cut(arguments[0], "..."); ok {
			out, err := revision.Git(ctx, "merge-base", cmp.Or(base, "HEAD"), cmp.Or(head, "HEAD"))
			if err != nil {
				return nil, fmt.Errorf("%q: %w", arguments[0], err)
			}
			base, head = strings.TrimSpace(string(out)), cmp.Or(head, "HEAD")
		} else if base, head, ok = strings.Cut(arguments[0], ".."); ok {
			base = cmp.Or(base, "HEAD")
			if head == "" && strings.HasSuffix(arguments[0], "..") && exists(base) {
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
		if _, err := revision.Git(ctx, "rev-parse", "--verify", "--quiet", rev+"^{commit}"); err != nil {
			if _, inside := revision.Git(ctx, "rev-parse", "--git-dir"); inside != nil {
				for _, a := range arguments {
					if !exists(a) {
						return nil, fmt.Errorf("%q is not a file, and this is not a git repository; give two files", a)
					}
				}
				return nil, errors.New("this is not a git repository, so there is nothing to compare with; give two files")
			}
			return nil, fmt.Errorf("%q is neither a file nor a commit of this repository", rev)
		}
	}
	for _, p := range paths {
		if strings.HasPrefix(p, "-") {
			return nil, fmt.Errorf("%q is not a path", p)
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
	_, err := revision.Git(ctx, "cat-file", "-e", rev+":./"+filepath.ToSlash(name))
	return err == nil
}

// gitPairs lists the files that differ between base and head, or the working tree if head is empty.
func gitPairs(ctx context.Context, base, head string, paths []string) ([]versions, error) {
	out, err := revision.Git(ctx, "rev-parse", "--show-prefix")
	if err != nil {
		return nil, err
	}
	dir := strings.TrimSuffix(string(out), "\n")
	git, root := revision.Git, ""
	if slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(filepath.Clean(p), "..") }) {
		// A path leads out of the working directory: everything is as seen from the top.
		if root, paths, err = fromTop(ctx, paths); err != nil {
			return nil, err
		}
		dir = ""
		git = func(ctx context.Context, args ...string) ([]byte, error) {
			return revision.Git(ctx, append([]string{"-C", root}, args...)...)
		}
	}
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
			return func() ([]byte, error) { return os.ReadFile(filepath.Join(root, filepath.FromSlash(name))) }
		}
		return func() ([]byte, error) { return git(ctx, "cat-file", "blob", rev+":"+dir+name) }
	}
	var list []versions
	seen := map[string]bool{}
	add := func(oldName, newName, note string) {
		name := cmp.Or(newName, oldName)
		named := isNamed(name, paths)
		if !reviewed(name, paths) || seen[name] {
			return
		}
		seen[name] = true
		at := dir + name
		list = append(list, versions{
			oldName: oldName, newName: newName, before: blob(base, oldName), after: blob(head, newName), note: note,
			must: named || strings.HasPrefix(at, "dashboards/") || strings.HasPrefix(at, "alerts/"),
		})
	}
	fields := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	for i := 0; i+1 < len(fields); i += 2 {
		switch status, name := fields[i], fields[i+1]; {
		case status == "A":
			add("", name, "")
		case status == "D":
			add(name, "", "")
		case status[0] == 'R' && i+2 < len(fields):
			add(name, fields[i+2], "")
			i++
		case status[0] == 'C' && i+2 < len(fields):
			add("", fields[i+2], "")
			i++
		case status == "M" || status == "U": // U is unmerged
			add(name, name, "")
		case status == "T":
			add(name, name, "it became another kind of file, a symbolic link for one; what it holds is compared")
		}
	}
	if head == "" {
		if out, err = git(ctx, append([]string{"ls-files", "--others", "--exclude-standard", "-z", "--"}, paths...)...); err != nil {
			return nil, err
		}
		for _, name := range strings.Split(string(out), "\x00") {
			if name != "" {
				add("", name, "")
			}
		}
		for _, p := range paths {
			name := filepath.ToSlash(filepath.Clean(p))
			if _, err := git(ctx, "check-ignore", "-q", "--", p); err != nil || seen[name] || !isFile(filepath.Join(root, p)) {
				continue
			}
			return nil, fmt.Errorf("%s is ignored by git, which has no other version of it; compare two files: lookout diff OLD %s", p, p)
		}
	}
	for _, p := range paths {
		name := filepath.ToSlash(filepath.Clean(p))
		rev := head
		switch {
		case seen[name]:
			continue
		case head == "" && isFile(filepath.Join(root, p)):
		case head == "" || !isBlob(ctx, git, head, dir+name):
			continue // a directory, a pattern, or a file that went
		}
		if !slices.Contains(source.Endings, strings.ToLower(path.Ext(name))) {
			return nil, fmt.Errorf("%s is neither a dashboard nor a rule file: their names end in %s", p, strings.Join(source.Endings, ", "))
		}
		// What did not change is compared with itself, so that it has to be what it was named for.
		list = append(list, versions{oldName: name, newName: name, before: blob(rev, name), after: blob(rev, name), must: true})
	}
	return sameUID(list), nil
}

// isBlob tells whether a path, from the top of the repository, is a file in a commit.
func isBlob(ctx context.Context, git func(context.Context, ...string) ([]byte, error), rev, name string) bool {
	kind, err := git(ctx, "cat-file", "-t", rev+":"+name)
	return err == nil && strings.TrimSpace(string(kind)) == "blob"
}

// fromTop gives the root of the repository, and the paths as seen from there.
func fromTop(ctx context.Context, paths []string) (root string, out []string, err error) {
	top, err := revision.Git(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return "", nil, err
	}
	root = strings.TrimSuffix(string(top), "\n")
	here, err := filepath.Abs(".")
	if err != nil {
		return "", nil, err
	}
	if here, err = filepath.EvalSymlinks(here); err != nil {
		return "", nil, err
	}
	for _, p := range paths {
		rel, err := filepath.Rel(root, filepath.Join(here, p))
		if err != nil || strings.HasPrefix(rel, "..") {
			return "", nil, fmt.Errorf("%s is outside of the repository %s", p, root)
		}
		out = append(out, rel)
	}
	return root, out, nil
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

// isNamed tells whether one of the paths is the file itself.
func isNamed(name string, paths []string) bool {
	return slices.ContainsFunc(paths, func(p string) bool { return filepath.ToSlash(filepath.Clean(p)) == name })
}

// reviewed tells the files that may be dashboards or alert rules. Hidden folders and those of tests count if a path names them.
func reviewed(name string, paths []string) bool {
	if !slices.Contains(source.Endings, strings.ToLower(path.Ext(name))) {
		return false
	}
	for _, p := range paths {
		if p = filepath.ToSlash(filepath.Clean(p)); p == name {
			return true
		}
		if rest, ok := strings.CutPrefix(name, p+"/"); ok && p != "." {
			name = rest
			break
		}
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

// Picture is a file to be shown.
type Picture struct {
	Name string
	Data []byte
}

// Draw makes a picture of the changed panels of each dashboard, by file; PNG if asked for, else SVG. Dashboards without such a panel have none.
func (c *Changes) Draw(ctx context.Context, opts render.Options, png bool) (map[string]Picture, error) {
	events := map[string][]diff.Event{}
	for _, e := range c.Report.Events {
		events[e.File] = append(events[e.File], e)
	}
	ext := ".svg"
	if png {
		ext = ".png"
	}
	out := map[string]Picture{}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, p := range c.Pairs {
		if len(events[p.File]) == 0 {
			continue
		}
		group.Go(func() error {
			var report render.Report
			own := opts
			own.Report = &report
			data, err := diff.Changed(ctx, p, events[p.File], own, png)
			if err != nil || data == nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for _, r := range report.Missing {
				if !slices.Contains(c.MissingGlyphs, r) {
					c.MissingGlyphs = append(c.MissingGlyphs, r)
				}
			}
			out[p.File] = Picture{pictureName(p.File) + ext, data}
			return nil
		})
	}
	return out, group.Wait()
}

// pictureName makes one name in one directory of a path, from letters that an address needs no escapes for. What is lost on the way is made up for by a checksum.
func pictureName(file string) string {
	base := strings.TrimSuffix(file, path.Ext(file))
	name := strings.Trim(notInName.ReplaceAllString(base, "-"), "-.")
	if plain := strings.ReplaceAll(base, "/", "-"); name == plain {
		return name
	}
	return fmt.Sprintf("%s-%08x", cmp.Or(name, "dashboard"), crc32.ChecksumIEEE([]byte(file)))
}

var notInName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

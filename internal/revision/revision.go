// Package revision reads files as they were in a commit of git.
package revision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"lookout/internal/source"
)

// At gives the files as they were in a commit, under the names they have now. Those that did not change since are read from the disk; those that are
// no more are there too, under their path from the top of the repository.
func At(ctx context.Context, rev string, files []source.File) (base []source.File, err error) {
	if strings.HasPrefix(rev, "-") {
		return nil, fmt.Errorf("%q is not a revision", rev)
	}
	if _, err := Git(ctx, "rev-parse", "--verify", "--quiet", rev+"^{commit}"); err != nil {
		if _, outside := Git(ctx, "rev-parse", "--git-dir"); outside != nil {
			return nil, fmt.Errorf("there is nothing to compare with at %q, since this is not a git repository: %w", rev, outside)
		}
		return nil, fmt.Errorf("%q is not a commit of this repository; name a commit, tag or branch", rev)
	}
	out, err := Git(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, err
	}
	top := strings.TrimSuffix(string(out), "\n")
	changed, gone, err := changes(ctx, top, rev)
	if err != nil {
		return nil, err
	}
	show := func(name string) func([]byte) ([]byte, error) {
		return func([]byte) ([]byte, error) { return Git(ctx, "show", rev+":"+name) }
	}
	for _, f := range files {
		if f.Name == source.StdinName {
			continue // it has no version in the commit, so that all of it is new
		}
		abs, err := filepath.Abs(f.Name)
		if err != nil {
			return nil, err
		}
		if real, err := filepath.EvalSymlinks(abs); err == nil {
			abs = real
		}
		name, err := filepath.Rel(top, abs)
		if err != nil || strings.HasPrefix(name, "..") {
			return nil, fmt.Errorf("%s is not in the repository %s, so nothing is known about it at %s", f.Name, top, rev)
		}
		was, ok := changed[filepath.ToSlash(name)]
		switch {
		case !ok:
			base = append(base, f)
		case was != "":
			base = append(base, source.File{Name: f.Name, Must: f.Must, Named: f.Named, Read: show(was)})
		}
	}
	// What was deleted may have been moved and changed so much that git sees no rename.
	for _, name := range gone {
		if slices.Contains(source.Endings, strings.ToLower(filepath.Ext(name))) {
			base = append(base, source.File{Name: name, Read: show(name)})
		}
	}
	return base, nil
}

// changes compares a commit with the working tree. changed maps paths from the top to what they were called, "" if they are new.
func changes(ctx context.Context, top, rev string) (changed map[string]string, gone []string, err error) {
	out, err := Git(ctx, "-C", top, "diff", "--name-status", "--find-renames", "-z", rev, "--")
	if err != nil {
		return nil, nil, err
	}
	changed = map[string]string{}
	fields := strings.Split(string(out), "\x00")
	for i := 0; i+1 < len(fields); i += 2 {
		switch status := fields[i]; {
		case strings.HasPrefix(status, "R"), strings.HasPrefix(status, "C"):
			if i+2 >= len(fields) {
				return nil, nil, errors.New("git diff: unexpected output")
			}
			changed[fields[i+2]] = fields[i+1]
			i++
		case status == "A":
			changed[fields[i+1]] = ""
		case status == "D":
			gone = append(gone, fields[i+1])
		default:
			changed[fields[i+1]] = fields[i+1]
		}
	}
	out, err = Git(ctx, "-C", top, "ls-files", "--others", "-z")
	if err != nil {
		return nil, nil, err
	}
	for name := range strings.SplitSeq(string(out), "\x00") {
		if _, ok := changed[name]; !ok && name != "" {
			changed[name] = ""
		}
	}
	return changed, gone, nil
}

func Git(ctx context.Context, args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		msg := strings.TrimSpace(stderr.String())
		if msg == "" {
			msg = err.Error()
		}
		return nil, fmt.Errorf("git %s: %s", args[0], msg)
	}
	return stdout.Bytes(), nil
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// atRevision gives the files as they were in a commit. Those that did not change since are read from the disk. renamed maps old names to new ones.
func atRevision(ctx context.Context, rev string, files []source) (base []source, renamed map[string]string, err error) {
	if strings.HasPrefix(rev, "-") {
		return nil, nil, fmt.Errorf("%q is no revision", rev)
	}
	if _, err := git(ctx, "rev-parse", "--verify", "--quiet", rev+"^{commit}"); err != nil {
		return nil, nil, fmt.Errorf("%q is no commit of this repository: %w", rev, err)
	}
	prefix, err := git(ctx, "rev-parse", "--show-prefix")
	if err != nil {
		return nil, nil, err
	}
	dir := strings.TrimSuffix(string(prefix), "\n")
	out, err := git(ctx, "diff", "--name-status", "--find-renames", "--relative", "-z", rev, "--")
	if err != nil {
		return nil, nil, err
	}
	changed := map[string]string{} // new name → old name, "" if the file is new
	renamed = map[string]string{}
	fields := strings.Split(string(out), "\x00")
	for i := 0; i+1 < len(fields); i += 2 {
		switch status := fields[i]; {
		case strings.HasPrefix(status, "R"), strings.HasPrefix(status, "C"):
			if i+2 >= len(fields) {
				return nil, nil, errors.New("git diff: unexpected output")
			}
			changed[fields[i+2]] = fields[i+1]
			if status[0] == 'R' {
				renamed[fields[i+1]] = fields[i+2]
			}
			i++
		case status == "A":
			changed[fields[i+1]] = ""
		default:
			changed[fields[i+1]] = fields[i+1]
		}
	}
	untracked, err := git(ctx, "ls-files", "--others", "-z", "--", ".")
	if err != nil {
		return nil, nil, err
	}
	for _, name := range strings.Split(string(untracked), "\x00") {
		if _, ok := changed[name]; !ok && name != "" {
			changed[name] = ""
		}
	}
	for _, f := range files {
		name := filepath.ToSlash(filepath.Clean(f.name))
		was, ok := changed[name]
		switch {
		case !ok:
			base = append(base, f)
		case was != "":
			base = append(base, source{was, func() ([]byte, error) { return git(ctx, "show", rev+":"+dir+was) }})
		}
	}
	return base, renamed, nil
}

func git(ctx context.Context, args ...string) ([]byte, error) {
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

var lineNumbers = regexp.MustCompile(`on line [0-9]+`)

// stripLines takes line numbers out of a message, since they change with every line above.
func stripLines(msg string) string { return lineNumbers.ReplaceAllString(msg, "on a line") }

package diff

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/semver"

	"lookout/internal/dashboard"
)

// realEdit is one file before and after.
type realEdit struct {
	name          string
	before, after []byte
}

// TestRealEdits counts the events of edits that people really made:
//
//	LOOKOUT_EDITS=dir go test ./internal/diff -run TestRealEdits -v
//
// dir is a clone with dashboards in it, of which each commit that changes a dashboard is an edit of that file; or a directory of directories, one for each
// version of a project, of which neighbours are compared ("project@v1.2.3" and "project@v1.2.4", ordered by version). $LOOKOUT_EDITS_VERBOSE=1 prints the events. Without
// it the edits are those of this repository. Whatever they are, replaying the leaves must rebuild the new file.
func TestRealEdits(t *testing.T) {
	dir := os.Getenv("LOOKOUT_EDITS")
	if dir == "" {
		dir = filepath.Join("..", "..")
	}
	var edits []realEdit
	if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
		edits = commits(t, dir)
	} else {
		edits = versions(t, dir)
	}
	d := New()
	var counts []int
	noise := 0
	for _, e := range edits {
		o, err := dashboard.Load(e.name, e.before)
		if err != nil {
			continue
		}
		n, err := dashboard.Load(e.name, e.after)
		if err != nil {
			continue
		}
		r := d.Dashboards(o, n)
		built, err := Replay(o.Root, r.Changes())
		if err != nil || !dashboard.Equal(built, n.Root) {
			t.Errorf("%s: the leaves do not rebuild the new file: %v", e.name, err)
		}
		if len(r.Events) == 0 {
			noise++
			continue
		}
		counts = append(counts, len(r.Events))
		if os.Getenv("LOOKOUT_EDITS_VERBOSE") != "" {
			fmt.Printf("%d %s\n", len(r.Events), e.name)
			for _, ev := range r.Events {
				fmt.Printf("\t%s: %.200s\n", ev.Kind, ev.Text)
			}
		}
	}
	if len(counts) == 0 {
		t.Logf("no edits of dashboards in %s", dir)
		return
	}
	slices.Sort(counts)
	at := func(p int) int { return counts[min(len(counts)*p/100, len(counts)-1)] }
	t.Logf("%d edits: median %d, 90th percentile %d, most %d events; %d changed noise only", len(counts), at(50), at(90), counts[len(counts)-1], noise)
}

// commits lists what each commit did to each dashboard. A file that came or went is no edit.
func commits(t *testing.T, dir string) []realEdit {
	git := func(args ...string) []byte {
		cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
		}
		return out
	}
	var out []realEdit
	commit := ""
	for line := range strings.Lines(string(git("log", "--no-merges", "--diff-filter=M", "--format=commit %H", "--name-only", "--", "*.json"))) {
		line = strings.TrimSpace(line)
		if sha, ok := strings.CutPrefix(line, "commit "); ok {
			commit = sha
		} else if line != "" {
			out = append(out, realEdit{commit[:10] + " " + line, git("show", commit+"^:"+line), git("show", commit+":"+line)})
		}
	}
	return out
}

// versions lists what each version of a project did to each of its files since the one before.
func versions(t *testing.T, dir string) []realEdit {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	projects := map[string][]string{}
	var names []string
	for _, e := range entries {
		name, version, ok := strings.Cut(e.Name(), "@")
		if !ok || !e.IsDir() {
			continue
		}
		if projects[name] == nil {
			names = append(names, name)
		}
		projects[name] = append(projects[name], version)
	}
	var out []realEdit
	for _, name := range names {
		list := projects[name]
		slices.SortFunc(list, func(a, b string) int { return semver.Compare(a, b) })
		for i := 1; i < len(list); i++ {
			from, to := filepath.Join(dir, name+"@"+list[i-1]), filepath.Join(dir, name+"@"+list[i])
			found, err := dashboard.Find([]string{to})
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range found.Files {
				rel, err := filepath.Rel(to, file)
				if err != nil {
					t.Fatal(err)
				}
				before, err := os.ReadFile(filepath.Join(from, rel))
				if err != nil {
					continue // new
				}
				after, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(before, after) {
					out = append(out, realEdit{name + "@" + list[i-1] + ".." + list[i] + " " + rel, before, after})
				}
			}
		}
	}
	return out
}

package modules

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"lookout/test/internal/checkout"
	"lookout/test/internal/providers"
)

// published is the address that examples give a repository of Lookout.
const published = "https://git.example.com/lookout.git"

// snippet is one example of a README.
var snippet = regexp.MustCompile("(?s)```hcl\n(.*?)```")

// TestExamplesOutsideOfTheRepository treats every example as one who pastes it would: in a folder that has nothing of
// Lookout, with modules fetched by git. Only the address leads to this checkout instead of git.example.com.
func TestExamplesOutsideOfTheRepository(t *testing.T) {
	c, err := checkout.Find()
	if err != nil {
		t.Fatal(err)
	}
	serve(t, c)
	r := runner{checkout: c, tree: t.TempDir(), slots: make(chan struct{}, atOnce), plugins: t.TempDir()}

	own := "own-repository"
	if err := os.CopyFS(filepath.Join(r.tree, own), os.DirFS(filepath.Join(c.Root, "examples", own))); err != nil {
		t.Fatal(err)
	}
	dirs := []string{own + "/platform", own + "/content"}
	r.providers = providers.Start(t, c, r.tree, dirs...)
	for _, pattern := range []string{"modules/[^_]*/README.md", "stacks/*/README.md", "examples/*/README.md"} {
		pages, err := filepath.Glob(filepath.Join(c.Root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			dirs = append(dirs, paste(t, c, r.tree, page)...)
		}
	}
	if len(dirs) < 10 {
		t.Fatalf("only %d examples were found: %v", len(dirs), dirs)
	}
	for _, dir := range dirs {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			r.slots <- struct{}{}
			defer func() { <-r.slots }()
			r.try(t, dir)
		})
	}
}

// paste writes each example of a page into a folder of its own and returns the folders.
func paste(t *testing.T, c checkout.Checkout, tree, page string) (dirs []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	rel, err := filepath.Rel(c.Root, filepath.Dir(page))
	if err != nil {
		t.Fatal(err)
	}
	for i, found := range snippet.FindAllSubmatch(text, -1) {
		dir := fmt.Sprintf("%s/%d", rel, i+1)
		if err := os.MkdirAll(filepath.Join(tree, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(tree, dir, "main.tf"), found[1], 0o644); err != nil {
			t.Fatal(err)
		}
		// What an example refers to in the repository of whoever pastes it.
		for _, folder := range []string{"alerts", "calendar", "dashboards"} {
			if !strings.Contains(string(found[1]), "${path.root}/"+folder) {
				continue
			}
			if err := c.Copy(filepath.Join(tree, dir), folder); err != nil {
				t.Fatal(err)
			}
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

// try validates an example and runs its tests, if it has any.
func (r *runner) try(t *testing.T, dir string) {
	if _, ok := r.terraform(t, dir, "fmt", "-check", "-diff"); !ok {
		t.Errorf("%s: not formatted as shown above", dir)
	}
	r.initialising.Lock()
	_, ok := r.terraform(t, dir, "init", "-backend=false", "-input=false")
	r.initialising.Unlock()
	if !ok {
		return
	}
	if _, ok := r.terraform(t, dir, "validate"); !ok {
		return
	}
	if _, err := os.Stat(filepath.Join(r.tree, dir, "tests")); err != nil {
		return
	}
	if out, ok := r.terraform(t, dir, "test"); ok && strings.Contains(out, " 0 passed,") {
		t.Errorf("%s: its tests hold no run block:\n%s", dir, out)
	}
}

// serve makes the published address lead to a repository that holds this working tree, whether committed or not, as
// its branch main. It lasts until the test ends.
func serve(t *testing.T, c checkout.Checkout) {
	t.Helper()
	repo := t.TempDir()
	var folders []string
	for _, folder := range []string{"modules", "stacks"} {
		if _, err := os.Stat(filepath.Join(c.Root, folder)); err == nil {
			folders = append(folders, folder)
		}
	}
	if err := c.Copy(repo, folders...); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"add", "--all"},
		{"-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false", "commit", "--quiet", "--no-verify", "--message=working tree"},
	} {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = repo
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args[0], err, out)
		}
	}
	t.Setenv("GIT_CONFIG_COUNT", "1")
	t.Setenv("GIT_CONFIG_KEY_0", "url.file://"+repo+".insteadOf")
	t.Setenv("GIT_CONFIG_VALUE_0", published)
}

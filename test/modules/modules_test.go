// Package modules runs Terraform's own checks and tests for every module, example and environment.
package modules

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"lookout/internal/environment"
	"lookout/test/internal/checkout"
	"lookout/test/internal/providers"
)

// atOnce is how many Terraform processes with their providers a small machine has memory for.
const atOnce = 2

func TestModules(t *testing.T) {
	c, err := checkout.Find()
	if err != nil {
		t.Fatal(err)
	}
	// In a copy, since init and test write into the folders that they work on.
	tree := t.TempDir()
	var folders []string
	for _, folder := range []string{"alerts", "calendar", "dashboards", "docs/runbooks", "envs", "examples", "modules", "slos", "stacks"} {
		if _, err := os.Stat(filepath.Join(c.Root, folder)); err == nil {
			folders = append(folders, folder)
		}
	}
	if err := c.Copy(tree, folders...); err != nil {
		t.Fatal(err)
	}
	// An environment as `make new-env` writes it is as good as any other.
	if _, err := environment.New(tree, "made-by-test"); err != nil {
		t.Fatal(err)
	}
	r := runner{checkout: c, tree: tree, slots: make(chan struct{}, atOnce), plugins: t.TempDir(), providers: providers.Start(t, c, tree, "envs/local/platform", "envs/local/content")}
	dirs := find(t, tree)
	for _, dir := range dirs {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			r.slots <- struct{}{}
			defer func() { <-r.slots }()
			r.check(t, dir)
		})
	}
	t.Logf("%d directories with Terraform code", len(dirs))
}

// find lists every root and module, relative to the tree.
func find(t *testing.T, tree string) []string {
	t.Helper()
	var dirs []string
	for _, pattern := range []string{"modules/*", "stacks/*", "examples/*", "envs/*/*"} {
		found, err := filepath.Glob(filepath.Join(tree, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range found {
			// A folder may hold other ones only; TestExamplesOutsideOfTheRepository looks at those of examples.
			if code, err := filepath.Glob(filepath.Join(dir, "*.tf")); err != nil || len(code) == 0 {
				continue
			}
			rel, err := filepath.Rel(tree, dir)
			if err != nil {
				t.Fatal(err)
			}
			dirs = append(dirs, rel)
		}
	}
	if len(dirs) == 0 {
		t.Fatal("neither modules nor environments are here")
	}
	return dirs
}

type runner struct {
	checkout checkout.Checkout
	tree     string
	slots    chan struct{}
	// plugins keeps what is downloaded where providers come from the registry; it is not made for two
	// at a time, hence initialising.
	plugins      string
	initialising sync.Mutex
	// providers says where those that run already listen: see providers.Start.
	providers string
}

func (r *runner) check(t *testing.T, dir string) {
	// An example may have nothing to assert beyond being valid; what it is an example of is tested.
	tests, err := filepath.Glob(filepath.Join(r.tree, dir, "tests", "*.tftest.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	// Nor has a private module, which is called by others only.
	if len(tests) == 0 && !strings.HasPrefix(dir, "examples/") && !strings.HasPrefix(dir, "modules/_") {
		t.Errorf("%s has no tests: add %s/tests/<topic>.tftest.hcl", dir, dir)
	}
	r.initialising.Lock()
	_, ok := r.terraform(t, dir, "init", "-backend=false", "-input=false")
	r.initialising.Unlock()
	if !ok {
		return
	}
	// A test validates first. The environment that was just written has the tests of the one it was made from.
	if len(tests) == 0 || strings.HasPrefix(dir, "envs/made-by-test/") {
		r.terraform(t, dir, "validate")
		return
	}
	out, ok := r.terraform(t, dir, "test")
	switch {
	case !ok:
	case strings.Contains(out, " 0 passed,"):
		t.Errorf("%s: its tests hold no run block:\n%s", dir, out)
	default:
		t.Log(last(out))
	}
}

// terraform runs one command in a directory and shows Terraform's own words if it fails.
func (r *runner) terraform(t *testing.T, dir string, args ...string) (output string, ok bool) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), r.checkout.Terraform, append(args, "-no-color")...)
	cmd.Dir = filepath.Join(r.tree, dir)
	cmd.Env = os.Environ()
	for name, value := range r.checkout.Environ() {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	// Initialising is left to find each provider, of the version that the code asks for, by itself.
	if args[0] != "init" {
		cmd.Env = append(cmd.Env, "TF_REATTACH_PROVIDERS="+r.providers)
	}
	if r.checkout.CLIConfig == "" {
		cmd.Env = append(cmd.Env, "TF_PLUGIN_CACHE_DIR="+r.plugins, "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE=1")
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("terraform %s in %s: %v\n%s", args[0], dir, err, out)
		return string(out), false
	}
	return string(out), true
}

func last(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return lines[len(lines)-1]
}

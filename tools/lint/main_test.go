package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// wanted lists file:line: check for each check in a comment that says what is wanted there.
func wantedIn(t *testing.T, files ...string) (all []string) {
	t.Helper()
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(data), "\n") {
			if _, checks, ok := strings.Cut(line, " want "); ok {
				for _, check := range strings.Fields(checks) {
					all = append(all, fmt.Sprintf("%s:%d: %s", filepath.Base(name), i+1, check))
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

var found = regexp.MustCompile(`(?m)^(?:.*/)?([^/:\n]+:\d+)(?::\d+)?: .*\(([\w-]+)\)$`)

func foundIn(output string) (all []string) {
	for _, m := range found.FindAllStringSubmatch(output, -1) {
		all = append(all, m[1]+": "+m[2])
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func compare(t *testing.T, got, want []string, output string) {
	t.Helper()
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("not found: %s", w)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("found, but not wanted: %s", g)
		}
	}
	if t.Failed() {
		t.Log(output)
	}
}

// Every mistake of testdata/golang is found and nothing else, through go vet as make lint runs it.
func TestGo(t *testing.T) {
	tool := filepath.Join(t.TempDir(), "lint")
	if out, err := exec.Command("go", "build", "-o", tool, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	vet := exec.Command("go", "vet", "-vettool="+tool, ".")
	vet.Dir = "testdata/golang"
	out, err := vet.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("%v\n%s", err, out)
	}
	want := append(wantedIn(t, "testdata/golang/a.go"), "a.go:63: excuses", "a.go:67: excuses")
	compare(t, foundIn(string(out)), want, string(out))
}

func TestTerraform(t *testing.T) {
	var out bytes.Buffer
	if _, err := terraform([]string{"testdata/terraform"}, &out); err != nil {
		t.Fatal(err)
	}
	compare(t, foundIn(out.String()), append(wantedIn(t, "testdata/terraform/main.tf"), "main.tf:1: required-version"), out.String())
	if _, err := terraform([]string{"testdata/shell"}, &out); err == nil {
		t.Error("a folder without Terraform is not an error")
	}
}

func TestShell(t *testing.T) {
	var out bytes.Buffer
	if _, err := shell([]string{"testdata/shell/bad.sh", "testdata/shell/.github/workflows/bad.yml"}, &out); err != nil {
		t.Fatal(err)
	}
	compare(t, foundIn(out.String()), []string{"bad.sh:1: format", "bad.sh:1: set-e", "bad.sh:2: backquotes", "bad.sh:3: cd", "bad.sh:4: quote", "bad.sh:7: obsolete",
		"bad.yml:1: permissions", "bad.yml:4: pin", "bad.yml:5: template-injection", "bad.yml:8: quote"}, out.String())
}

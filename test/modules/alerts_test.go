package modules

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"lookout/internal/promql"
	"lookout/internal/rules"
	"lookout/test/internal/checkout"
)

// goOnly are the cases that only Go refuses, by what Terraform lacks to see them. `make plan` and `make apply` ask Go first.
var goOnly = map[string][]string{
	"a parser of PromQL": {
		"own/expr-emptyre", "own/expr-experimental", "own/expr-info", "own/expr-interval", "own/expr-range", "own/expr-scalar", "own/expr-scalarfn", "own/expr-string",
		"own/expr-subquery",
	},
	"a parser of templates": {"own/tmpl-bad-var", "own/tmpl-unclosed", "own/tmpl-unknown-func"},
	"the text of the YAML":  {"own/label-dup"},
}

// TestBothReadersOfRules holds the two readers of rule files against one table of cases: what Terraform accepts and refuses, and what Go does.
func TestBothReadersOfRules(t *testing.T) {
	c := repository(t)
	cases := filepath.Join(c.Root, "internal/rules/testdata/cases")
	dir := t.TempDir()
	// One directory for each case, since a directory is what the module reads; those of "across" are one case together.
	want := map[string]bool{}
	parser := promql.NewParser()
	for _, set := range []string{"own", "forms"} {
		paths, err := filepath.Glob(filepath.Join(cases, set, "*.yaml"))
		if err != nil || len(paths) == 0 {
			t.Fatal(paths, err)
		}
		for _, path := range paths {
			// Unit tests are left alone by both. What makes Terraform give up before our words, `make plan` refuses before it asks Terraform.
			if rules.IsTest(path) || filepath.Base(path) == "selfalias.yaml" {
				continue
			}
			name := set + "/" + strings.TrimSuffix(filepath.Base(path), ".yaml")
			copyInto(t, filepath.Join(dir, "cases", name), path)
			want[name] = refusedByGo(t, parser, filepath.Join(dir, "cases", name))
		}
	}
	across, err := filepath.Glob(filepath.Join(cases, "across", "*.yaml"))
	if err != nil || len(across) < 2 {
		t.Fatal(across, err)
	}
	copyInto(t, filepath.Join(dir, "cases/across/both"), across...)
	want["across/both"] = refusedByGo(t, parser, filepath.Join(dir, "cases/across/both"))

	diagnostics := planAlerts(t, c, dir, fmt.Sprintf(`
module "alerts" {
  source      = %q
  for_each    = toset(distinct([for file in fileset("cases", "*/*/*.yaml") : dirname(file)]))
  path        = "cases/${each.key}"
  environment = "prod"
}
`, filepath.Join(c.Root, "modules/alerts")))
	got := map[string]bool{}
	place := regexp.MustCompile(`cases/([^/ ]+/[^/ ]+)/`)
	for _, d := range diagnostics {
		if d.Summary != "Module output value precondition failed" {
			t.Errorf("Terraform fails where it should refuse: %s: %s", d.Summary, d.Detail)
		}
		for _, m := range place.FindAllStringSubmatch(d.Detail, -1) {
			got[m[1]] = true
		}
	}
	exempt := map[string]bool{}
	for _, names := range goOnly {
		for _, name := range names {
			exempt[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		switch {
		case exempt[name] && (!want[name] || got[name]):
			t.Errorf("%s: refused by Go: %v, by Terraform: %v; it is listed as seen by Go alone", name, want[name], got[name])
		case !exempt[name] && want[name] != got[name]:
			t.Errorf("%s: refused by Go: %v, by Terraform: %v", name, want[name], got[name])
		}
	}
	if len(want) < 90 {
		t.Errorf("only %d cases", len(want))
	}
}

func refusedByGo(t *testing.T, parser *promql.Parser, dir string) bool {
	t.Helper()
	files, err := rules.ReadDir(os.DirFS(dir), ".")
	if err != nil {
		t.Fatal(err)
	}
	return len(rules.CheckOwn(files, parser, "").Serious()) > 0
}

// TestBothExportTheSame holds the rule file that `lookout rules export` writes against the one that Terraform hands to Prometheus.
func TestBothExportTheSame(t *testing.T) {
	c := repository(t)
	dir := t.TempDir()
	const console = "http://127.0.0.1:8090"
	environments, err := filepath.Glob(filepath.Join(c.Root, "envs/*/alerts.yaml"))
	if err != nil || len(environments) == 0 {
		t.Fatal(environments, err)
	}
	// Right files with odd contents, beside those that are shipped.
	odd := []string{"anchor-ok", "expr-comment", "expr-comment-ml", "for-0s", "for-mix", "merge", "thr-big", "thr-neg0"}
	var config strings.Builder
	fmt.Fprintf(&config, "module \"shipped\" {\n  source = %q\n  for_each = toset([", filepath.Join(c.Root, "modules/alerts"))
	for _, path := range environments {
		fmt.Fprintf(&config, "%q, ", filepath.Base(filepath.Dir(path)))
	}
	fmt.Fprintf(&config, `])
  path            = %q
  dashboards_path = %q
  environment     = each.key
  settings        = "%s/envs/${each.key}/alerts.yaml"
  console_url     = %q
}
module "odd" {
  source      = %q
  for_each    = toset(%s)
  path        = "odd/${each.key}"
  environment = "prod"
}
output "files" {
  value = merge({ for name, module in module.shipped : name => module.alerts.rule_files }, { for name, module in module.odd : name => module.alerts.rule_files })
}
`, filepath.Join(c.Root, "alerts"), filepath.Join(c.Root, "dashboards"), c.Root, console, filepath.Join(c.Root, "modules/alerts"), quoted(odd))
	for _, name := range odd {
		copyInto(t, filepath.Join(dir, "odd", name), filepath.Join(c.Root, "internal/rules/testdata/cases/own", name+".yaml"))
	}
	for _, d := range planAlerts(t, c, dir, config.String()) {
		t.Fatalf("%s: %s", d.Summary, d.Detail)
	}
	var shown struct {
		Planned struct {
			Outputs struct {
				Files struct {
					Value map[string]map[string]string `json:"value"`
				} `json:"files"`
			} `json:"outputs"`
		} `json:"planned_values"`
	}
	if err := json.Unmarshal(terraform(t, c, dir, "show", "-json", "plan"), &shown); err != nil {
		t.Fatal(err)
	}
	same := func(name string, target rules.Target, files []*rules.File) {
		for _, f := range files {
			data, err := rules.Export([]*rules.File{f}, target)
			if err != nil {
				t.Fatal(err)
			}
			var a, b any
			if err := yaml.Unmarshal(data, &a); err != nil {
				t.Fatal(err)
			}
			text := shown.Planned.Outputs.Files.Value[name][filepath.Base(f.Path)]
			if err := yaml.Unmarshal([]byte(text), &b); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(a, b); diff != "" {
				t.Errorf("%s of %s: -Go +Terraform:\n%s", f.Path, name, diff)
			}
		}
	}
	shipped, err := rules.ReadDir(os.DirFS(c.Root), "alerts")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range environments {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(filepath.Dir(path))
		same(name, rules.Target{Environment: name, Settings: rules.ReadSettings(path, data), ConsoleURL: console}, shipped)
	}
	for _, name := range odd {
		files, err := rules.ReadDir(os.DirFS(dir), "odd/"+name)
		if err != nil {
			t.Fatal(err)
		}
		same(name, rules.Target{Environment: "prod"}, files)
	}
}

func repository(t *testing.T) checkout.Checkout {
	t.Helper()
	c, err := checkout.Find()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func quoted(words []string) string {
	data, err := json.Marshal(words)
	if err != nil {
		panic(err)
	}
	return string(data)
}

func copyInto(t *testing.T, dir string, paths ...string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if err := checkout.CopyFile(path, filepath.Join(dir, filepath.Base(path))); err != nil {
			t.Fatal(err)
		}
	}
}

type diagnostic struct{ Summary, Detail string }

// planAlerts plans a configuration, which needs no provider, and returns Terraform's errors.
func planAlerts(t *testing.T, c checkout.Checkout, dir, config string) []diagnostic {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	terraform(t, c, dir, "init", "-input=false")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Terraform, "plan", "-json", "-input=false", "-out=plan")
	cmd.Dir, cmd.Env = dir, environ(c)
	out, err := cmd.Output()
	var all []diagnostic
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var line struct {
			Type       string
			Diagnostic struct{ Severity, Summary, Detail string }
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		if line.Type == "diagnostic" && line.Diagnostic.Severity == "error" {
			all = append(all, diagnostic{line.Diagnostic.Summary, line.Diagnostic.Detail})
		}
	}
	if (err != nil) != (len(all) > 0) {
		t.Fatalf("terraform plan: %v, with %d errors", err, len(all))
	}
	return all
}

func terraform(t *testing.T, c checkout.Checkout, dir string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), c.Terraform, args...)
	cmd.Dir, cmd.Env = dir, environ(c)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("terraform %s: %v\n%s%s", args[0], err, out, stderr.Bytes())
	}
	return out
}

func environ(c checkout.Checkout) []string {
	env := os.Environ()
	for name, value := range c.Environ() {
		env = append(env, name+"="+value)
	}
	return env
}

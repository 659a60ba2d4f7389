package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each case of lint gives these findings and no others; information is left out.
func TestLintCases(t *testing.T) {
	want := map[string]string{
		"chained-vars": "", "ds-number": "unused-variable datasource-undefined datasource-undefined", "ds-object-chars": "unused-variable datasource-undefined datasource-undefined",
		"dup-uid-case": "dashboard-uid", "empty-matcher": "promql-syntax promql-syntax", "expr-targets": "", "k8s-dup-uid": "duplicate-uid duplicate-uid",
		"k8s-resource-uid": "", "library-only": "library-panel", "logql-misjudged": "promql-syntax promql-syntax promql-syntax promql-syntax", "math-on-scalars": "promql-syntax",
		// A comment without a reason silences nothing, one with a reason does, and a string is no comment.
		"ignore-in-query": "counter-without-rate silence-reason counter-without-rate",
		// Grafana's own datasources are not judged as PromQL; that they are named directly is said once.
		"other-ds":    "unused-variable datasource-hardcoded",
		"panels-null": "dashboard-uid dashboard-panels", "refresh-auto": "", "regex-end-dollar": "undefined-variable",
		// x_total is shown as it is there; of \\$SYS nothing is said.
		"regex-escaped-dollar": "counter-without-rate",
		"row-w0":               "", "text-var-metric": "", "types-wrong": "dashboard-title dashboard-uid dashboard-panels", "vm-word": "promql-syntax",
	}
	dirs, err := filepath.Glob(filepath.Join(cases, "lint", "*"))
	if err != nil || len(dirs) != len(want) {
		t.Fatalf("%d cases, expectations for %d: %v", len(dirs), len(want), err)
	}
	for _, dir := range dirs {
		name := filepath.Base(dir)
		files, _ := filepath.Glob(filepath.Join(dir, "*"))
		var stdout, stderr strings.Builder
		code := run(t.Context(), append([]string{"lint", "--format=json"}, files...), nil, &stdout, &stderr, os.Getenv)
		var out struct {
			Findings []struct{ Rule, Severity string }
		}
		if err := json.Unmarshal([]byte(stdout.String()), &out); err != nil {
			t.Fatalf("%s: %v\n%s%s", name, err, stdout.String(), stderr.String())
		}
		var rules []string
		for _, f := range out.Findings {
			if f.Severity != "info" {
				rules = append(rules, f.Rule)
			}
		}
		if got := strings.Join(rules, " "); got != want[name] {
			t.Errorf("%s: %q, want %q", name, got, want[name])
		}
		if (code == exitFindings) != (want[name] != "") {
			t.Errorf("%s: exit code %d", name, code)
		}
	}
	// What does not parse is never clean against metrics either.
	metrics := filepath.Join(t.TempDir(), "m.prom")
	write(t, metrics, []byte("up 1\n"))
	bad := filepath.Join(cases, "lint", "logql-misjudged")
	if code, out := outcome(t, "check", "--metrics", metrics, filepath.Join(bad, "d.json"), filepath.Join(bad, "rules.yaml")); code != exitFindings {
		t.Errorf("check of what does not parse: exit code %d\n%s", code, out)
	}
}

// The text format never shows the native form of a histogram: check says that it can't see it, and does not call it missing.
func TestNativeHistogramCase(t *testing.T) {
	dir := filepath.Join(cases, "nh")
	code, out := outcome(t, "check", "--metrics", filepath.Join(dir, "m.prom"), filepath.Join(dir, "d.json"))
	if code != exitClean || strings.Count(out, "it is the native one, which the text format does not show; that can't be checked here") != 2 || strings.Contains(out, "error") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

// Changes of rule files with several documents, anchors, merge keys and duplicate keys are told.
func TestRuleDiffCases(t *testing.T) {
	dir := filepath.Join(cases, "rulediff")
	for pair, want := range map[string]string{
		"a b": `"up == 0" → "up == 1"`, "c d": "labels.severity critical → info", "e f": `for 5m → 9m in 2 alerts`, "g h": `"up == 1" → "up == 2"`,
	} {
		from, to, _ := strings.Cut(pair, " ")
		code, out := outcome(t, "diff", "--all", filepath.Join(dir, from+".yaml"), filepath.Join(dir, to+".yaml"))
		if code != exitFindings || !strings.Contains(out, want) {
			t.Errorf("%s: exit code %d, want %s\n%s", pair, code, want, out)
		}
	}
}

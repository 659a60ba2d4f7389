package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// outcome runs a command and returns its exit code and all that it wrote.
func outcome(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	code := run(t.Context(), args, strings.NewReader(""), &out, &out, func(string) string { return "" })
	return code, out.String()
}

const cases = "testdata/cases"

// Pairs of one dashboard, and what diff has to say: the text of each event, or that all is ignored.
func TestDiffCases(t *testing.T) {
	for name, want := range map[string][]string{
		"adhoc-filter": {`filters\.0\.value a → b`}, "bigints": {`9007199254740993 → 9007199254740992`}, "builtin-annotation-color": {`iconColor`},
		"builtin-annotation-off": {`enable true → false`}, "builtin-annotation-tags": {`deploy`}, "builtin-removed": nil, "constant": {`query a → b`},
		"custom-var-default": {`default 0\.99 → 0\.5`}, "datasource-default": {`default prom-eu → prom-us`}, "dupkey": nil, "dupkey2": {`T → A`},
		"editable-missing": {`editable false removed`}, "float-1e400": {`1e400 → 1e401`}, "float-precision": {`0\.1 → 0\.10000000000000000555`},
		"interval-auto": {`auto false → true`}, "interval-var-default": {`default 5m → 1m`}, "k8s-metadata": {`uid "a" → "b"`, `folder "f1" → "f2"`},
		"legend": {`legend`}, "logql-string-space": {`x␣␣y.* → .*x y`}, "logql-backtick": {"query"}, "panel-id-referenced": {`id 1 → 9`}, "panel-id-referenced-both": nil,
		"promql-comment": {`\+ 1 removed`}, "promql-commute": {`a → b; metric b → a`}, "promql-dur": nil, "promql-invalid-change": {`query`}, "promql-paren": {`b`},
		"promql-string-space": {`a="x  y" → a="x y"`}, "promql-var-format": {`regex.* → .*pipe`}, "query-var-default": {`default prod → All`},
		"query-var-default-dropped": {`default prod → none`}, "sql-comment": {`note⏎SELECT 1" → "-- note SELECT 1"`}, "switch-default": {`default true → false`},
		"switch-value": {`yes`}, "textbox-default": nil, "threshold-first-nonnull": {`0, 80 → 50, 80`}, "unicode-nfc": {`retitled`}, "wrapper": nil, "wrapper-meta": nil,
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(cases, "diff", name)
			code, out := outcome(t, "diff", "--all", filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json"))
			events := regexp.MustCompile(`(?m)^  [~+−] .*$`).FindAllString(out, -1)
			if len(events) != len(want) || (code == exitFindings) != (len(want) > 0) {
				t.Fatalf("exit code %d\n%s", code, out)
			}
			for i, w := range want {
				if !regexp.MustCompile(w).MatchString(events[i]) {
					t.Errorf("%q does not match %s", events[i], w)
				}
			}
			if len(want) == 0 && !strings.Contains(out, "ignored\n") {
				t.Errorf("what changed is not listed as ignored:\n%s", out)
			}
		})
	}
}

// Whether an exposition is taken is what Prometheus itself would decide.
func TestExpositionCases(t *testing.T) {
	refused := strings.Fields(`curl-headers empty eof-middle exemplar-eof exemplar-no-eof exemplar-nolabels gz html json latin1 nan-inf native-text nul om2-native only-comment
		ts-float type-case unknown-type`)
	files, err := filepath.Glob(filepath.Join(cases, "expositions", "*.prom"))
	if err != nil || len(files) < 35 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".prom")
		code, out := outcome(t, "check", "--metrics", file, filepath.Join(cases, "expositions", "d.json"))
		want := exitFindings // the dashboard asks for more than any of them has
		for _, r := range refused {
			if r == name {
				want = exitFailed
			}
		}
		if code != want {
			t.Errorf("%s: exit code %d, want %d\n%s", name, code, want, out)
		}
	}
}

// What is imported lies under --dir, is a dashboard, and holds no placeholder of its publisher; what can't be is refused.
func TestImportCases(t *testing.T) {
	inputs, err := filepath.Glob(filepath.Join(cases, "import*", "*", "in.json"))
	if err != nil || len(inputs) < 15 {
		t.Fatal(inputs, err)
	}
	inputs = append(inputs, filepath.Join(cases, "import-two-prometheus", "in.json"))
	for _, in := range inputs {
		name := filepath.Base(filepath.Dir(in))
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "dashboards")
			code, out := outcome(t, "import", "--dir", dir, in)
			if name == "not-json" {
				if code != exitFailed {
					t.Fatalf("exit code %d\n%s", code, out)
				}
				return
			}
			if code != exitClean {
				t.Fatalf("exit code %d\n%s", code, out)
			}
			var text string
			_ = filepath.WalkDir(filepath.Dir(dir), func(p string, e os.DirEntry, err error) error {
				if err == nil && !e.IsDir() {
					data, _ := os.ReadFile(p)
					if !strings.HasPrefix(p, dir) {
						t.Errorf("%s is outside", p)
					}
					text += string(data)
				}
				return nil
			})
			if strings.Contains(text, "${DS_") {
				t.Errorf("a placeholder remains:\n%s", text)
			}
			for of, want := range map[string]string{"expr-input": `"uid": "__expr__"`, "import-two-prometheus": `"name": "datasource_stage"`, "two-ds-constant": `"name": "datasource_loki"`} {
				if of == name && !strings.Contains(text, want) {
					t.Errorf("%s is missing in\n%s", want, text)
				}
			}
		})
	}
	for _, flag := range []string{"--uid=../../x", "--uid=" + strings.Repeat("x", 41), "--folder=../../x", "--input=NOPE=1", "--licence=No Such Licence"} {
		dir := filepath.Join(t.TempDir(), "dashboards")
		if code, out := outcome(t, "import", "--dir", dir, flag, filepath.Join(cases, "import", "plain", "in.json")); code != exitFailed {
			t.Errorf("%s: exit code %d\n%s", flag, code, out)
		}
	}
}

// fmt is a fixed point, and what it leaves out changes nothing.
func TestFmtCases(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(cases, "fmt*", "*.json"))
	if err != nil || len(files) < 15 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		once := filepath.Join(t.TempDir(), "d.json")
		write(t, once, data)
		if code, out := outcome(t, "fmt", once); code != exitClean {
			t.Fatalf("%s: exit code %d\n%s", file, code, out)
		}
		first, _ := os.ReadFile(once)
		if code, _ := outcome(t, "fmt", "--check", once); code != exitClean {
			t.Errorf("%s is not a fixed point", file)
		}
		if code, out := outcome(t, "diff", file, once); code != exitClean {
			t.Errorf("%s means something else after fmt:\n%s", file, out)
		}
		for _, keep := range map[string][]string{
			filepath.Join(cases, "fmt-2pow53", "d.json"):        {"9007199254740993"},
			filepath.Join(cases, "fmt-drops-default", "d.json"): {`"value": "prod"`, `"value": "prom-prod"`},
			filepath.Join(cases, "fmt-pluginversion", "d.json"): {`"pluginVersion": "12.1.0"`},
		}[file] {
			if strings.Contains(string(data), strings.TrimPrefix(keep, " ")) && !strings.Contains(string(first), keep) {
				t.Errorf("%s: %s is gone", file, keep)
			}
		}
	}
}

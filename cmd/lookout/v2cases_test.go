package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Dashboards as Grafana 13 saves them, the bare spec, and files that mix the forms: every command reads them, and a query that is broken in them is found.
func TestV2Cases(t *testing.T) {
	metrics := filepath.Join(t.TempDir(), "m.prom")
	write(t, metrics, []byte("orders_total 1\n"))
	for _, name := range []string{"v2-resource/v2.json", "v2-spec-only/v2.json", "v2-hybrid/v2.json", "v2-hybrid/hyb2.json"} {
		file := filepath.Join(cases, filepath.FromSlash(name))
		for _, c := range []struct {
			args []string
			code int
			want string
		}{
			{[]string{"lint"}, exitFindings, "unclosed left parenthesis (promql-syntax)"},
			{[]string{"check", "--metrics", metrics}, exitFindings, "unclosed left parenthesis"},
			{[]string{"render"}, exitClean, ">Rate<"},
		} {
			code, out := outcome(t, append(c.args, file)...)
			if code != c.code || !strings.Contains(out, c.want) {
				t.Errorf("%s %s: exit code %d, want %d with %q\n%.1500s", c.args[0], name, code, c.code, c.want, out)
			}
		}
		// fmt keeps what it can't say otherwise, and is a fixed point.
		once := filepath.Join(t.TempDir(), "d.json")
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		write(t, once, data)
		if code, out := outcome(t, "fmt", once); code != exitClean {
			t.Errorf("fmt %s: exit code %d\n%s", name, code, out)
		}
		if code, out := outcome(t, "diff", file, once); code != exitClean {
			t.Errorf("%s means something else after fmt: exit code %d\n%s", name, code, out)
		}
	}
	v2, after := filepath.Join(cases, "v2-resource", "v2.json"), filepath.Join(cases, "v2-resource", "v2-after.json")
	if code, out := outcome(t, "diff", v2, after); code != exitFindings || !strings.Contains(out, "retitled") {
		t.Errorf("diff of two V2 files: exit code %d\n%s", code, out)
	}
	// The bare spec that became a resource is the same dashboard in another form, now with a uid.
	spec, saved := filepath.Join(cases, "v2-git", "c.json"), filepath.Join(cases, "v2-git", "v2.json")
	code, out := outcome(t, "diff", "--all", spec, saved)
	if code != exitFindings || !strings.Contains(out, `~ uid "" → "orders"`) || !strings.Contains(out, "the file has another form now") || !strings.Contains(out, "1 change in 1 dashboard") {
		t.Errorf("diff of a spec and its resource: exit code %d\n%s", code, out)
	}
}

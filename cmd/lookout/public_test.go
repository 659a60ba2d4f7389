package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/lint"
	"lookout/internal/render"
	"lookout/internal/review"
	"lookout/internal/source"
)

// published is the collection that `make bench-public` fetches, $LOOKOUT_PUBLIC; the test is left out without one.
func published(t *testing.T) (dir string, files []source.File) {
	t.Helper()
	if dir = os.Getenv("LOOKOUT_PUBLIC"); dir == "" {
		t.Skip("make bench-public fetches a collection of public files and runs this")
	}
	files, err := source.Lister{Ext: []string{".json", ".yaml", ".yml", ".rules"}}.List([]string{dir})
	if err != nil || len(files) == 0 {
		t.Fatalf("nothing in %s: %v", dir, err)
	}
	return dir, files
}

// newest leaves out what a newer version of the same module has, too: figures are per project, not per release.
func newest(files []source.File) (out []source.File) {
	last := map[string]string{}
	version := func(name string) (module, version string) {
		module, rest, _ := strings.Cut(name, "@")
		version, _, _ = strings.Cut(rest, "/")
		return strings.TrimRight(module, "0123456789"), version // argo-cd/v2 and argo-cd/v3 are one
	}
	for _, f := range files {
		m, v := version(f.Name)
		if last[m] == "" || older(last[m], v) {
			last[m] = v
		}
	}
	for _, f := range files {
		if m, v := version(f.Name); last[m] == v {
			out = append(out, f)
		}
	}
	return out
}

// older compares versions by their numbers.
func older(a, b string) bool {
	numbers := func(v string) (out []int) {
		for part := range strings.FieldsFuncSeq(v, func(r rune) bool { return r < '0' || r > '9' }) {
			n := 0
			fmt.Sscan(part, &n)
			out = append(out, n)
		}
		return out
	}
	return slices.Compare(numbers(a), numbers(b)) < 0
}

// TestPublicFindings says how often each rule of lint finds something in the newest version of each public project, and how often per alert. $LOOKOUT_SAMPLE=SEED prints
// 200 errors and warnings to be judged by hand, in an order that the seed and the findings give; $LOOKOUT_SET=holdout takes one part of the collection alone.
func TestPublicFindings(t *testing.T) {
	dir, files := published(t)
	files = newest(files)
	if set := os.Getenv("LOOKOUT_SET"); set != "" {
		files = slices.DeleteFunc(files, func(f source.File) bool {
			return !strings.HasPrefix(f.Name, filepath.ToSlash(filepath.Join(dir, set))+"/")
		})
	}
	result, _, err := review.Lint(t.Context(), review.Linting{Files: files, Config: lint.DefaultConfig()})
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	var judged []finding.Finding
	refused := map[string]bool{}
	for _, f := range result.Findings {
		count[fmt.Sprintf("%-7s %s", f.Severity, f.Rule)]++
		if f.Severity.AtLeast(finding.Warning) {
			judged = append(judged, f)
		}
		if f.Rule == "promql-syntax" {
			refused[strings.TrimPrefix(f.File, dir)+":"+fmt.Sprint(f.Line)+": "+f.Message] = true
		}
	}
	t.Logf("%s; languages %v", result.Line(), result.Languages)
	for _, k := range slices.SortedFunc(maps.Keys(count), func(a, b string) int { return cmp.Or(cmp.Compare(count[b], count[a]), strings.Compare(a, b)) }) {
		t.Logf("%5d %s", count[k], k)
	}
	for _, q := range slices.Sorted(maps.Keys(refused)) {
		t.Logf("refused: %s", q)
	}
	if seed := os.Getenv("LOOKOUT_SAMPLE"); seed != "" {
		slices.SortFunc(judged, func(a, b finding.Finding) int {
			key := func(f finding.Finding) string {
				return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%s %s %s %d %d", seed, f.Rule, strings.TrimPrefix(f.File, dir), f.Line, f.Column)))
			}
			return strings.Compare(key(a), key(b))
		})
		for _, f := range judged[:min(len(judged), 200)] {
			fmt.Printf("%s:%d\t%s\t%s\t%s\t%s\n", strings.TrimPrefix(f.File, dir), f.Line, f.Severity, f.Rule, f.Panel, f.Message)
		}
	}
}

// TestPublicDashboards draws every dashboard, and puts it through fmt and convert: nothing crashes, at most 1 % of the panels are placeholders, and what is formatted stays as it is.
func TestPublicDashboards(t *testing.T) {
	_, files := published(t)
	boards, panels, placeholders := 0, 0, 0
	kinds := map[string]int{}
	for _, f := range newest(files) {
		if filepath.Ext(f.Name) != ".json" {
			continue
		}
		data, err := f.Read(nil)
		if err != nil {
			t.Fatal(err)
		}
		d, err := dashboard.Load(f.Name, data)
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
			continue
		}
		boards++
		report := &render.Report{}
		if _, err := render.SVG(t.Context(), d, render.Options{Expand: true, Report: report}); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		panels += report.Panels
		placeholders += report.Placeholders
		for _, p := range d.Panels {
			kinds[p.Type]++
		}
		once := d.Canonical()
		again, err := dashboard.Load(f.Name, once)
		if err != nil || !bytes.Equal(again.Canonical(), once) {
			t.Errorf("%s: formatted twice it is another file: %v", f.Name, err)
		}
		v2, _ := d.ToV2()
		back, err := dashboard.Load(f.Name, v2.JSON())
		if err != nil {
			t.Errorf("%s: in V2: %v", f.Name, err)
			continue
		}
		back.ToClassic()
		if len(back.Panels) < len(d.Panels) {
			t.Errorf("%s: %d panels in V2, %d before", f.Name, len(back.Panels), len(d.Panels))
		}
	}
	t.Logf("%d dashboards, %d panels, %d placeholders; types %v", boards, panels, placeholders, kinds)
	if placeholders*100 > panels {
		t.Errorf("%d of %d panels are placeholders, more than 1 %%", placeholders, panels)
	}
}

// TestPublicFilesBroken breaks a thousand public files somewhere: no command crashes, and none that can't be right is clean.
func TestPublicFilesBroken(t *testing.T) {
	_, files := published(t)
	files = slices.DeleteFunc(newest(files), func(f source.File) bool {
		data, err := f.Read(nil)
		return err != nil || len(data) > 400<<10
	})
	r := rand.New(rand.NewPCG(20261126, 4))
	dir := t.TempDir()
	broken := 0
	for i := range 1000 {
		f := files[r.IntN(len(files))]
		data, err := f.Read(nil)
		if err != nil {
			t.Fatal(err)
		}
		m := mutant{ext: filepath.Ext(f.Name), data: slices.Clone(data)}
		m = mutations[r.IntN(len(mutations))](r, m)
		if m.ext != ".json" || strings.Contains(m.broken, "query") {
			m.broken = "" // what breaks generated files may meet a title here, or a query in another language
		}
		name := filepath.Join(dir, "m"+m.ext)
		result, _, err := review.Lint(t.Context(), review.Linting{Config: lint.DefaultConfig(), Files: []source.File{
			{Name: name, Must: true, Named: true, Read: func([]byte) ([]byte, error) { return m.data, nil }},
		}})
		if why := m.wrong(); why != "" || m.ext == ".json" && !json.Valid(bytes.TrimPrefix(m.data, []byte("\ufeff"))) {
			broken++
			if err == nil && !result.Has(finding.Warning) {
				t.Errorf("%s, broken: %s, is clean", f.Name, why)
			}
		}
		if i%20 == 0 {
			write(t, name, m.data)
			outcome(t, [][]string{{"fmt", "--check", name}, {"render", "--out", filepath.Join(dir, "x.svg"), name}, {"diff", name, f.Name}, {"convert", "--to", "v2", "--lossy", name}}[i/20%4]...)
		}
	}
	t.Logf("%d of 1000 files are surely broken", broken)
	if broken < 300 {
		t.Errorf("only %d of 1000 files are surely broken", broken)
	}
}

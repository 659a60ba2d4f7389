package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"lookout/internal/dashboard"
	"lookout/internal/dashboard/dashtest"
	"lookout/internal/finding"
	"lookout/internal/lint"
	"lookout/internal/promql"
	"lookout/internal/queries"
	"lookout/internal/review"
	"lookout/internal/source"
)

// mutant is a file of some kind, and what breaks it.
type mutant struct {
	ext  string
	data []byte
	// broken says why the file can't be right; "" if it may be.
	broken string
}

// kindsOfFiles are right files of every kind that commands read.
func kindsOfFiles(t *testing.T) map[string]mutant {
	t.Helper()
	classic := dashtest.Dashboard(rand.New(rand.NewPCG(5, 2)), 0, 3, dashtest.Metrics(5, 12)).JSON()
	d, err := dashboard.Load("d.json", classic)
	if err != nil {
		t.Fatal(err)
	}
	v2, _ := d.ToV2()
	spec := v2.Get("spec")
	return map[string]mutant{
		"classic":    {ext: ".json", data: classic},
		"API export": {ext: ".json", data: []byte(`{"meta":{"slug":"x"},"dashboard":` + string(classic) + `}`)},
		"V1":         {ext: ".json", data: []byte(`{"apiVersion":"dashboard.grafana.app/v1beta1","kind":"Dashboard","metadata":{"name":"x"},"spec":` + string(classic) + `}`)},
		"V2":         {ext: ".json", data: v2.JSON()},
		"V2 spec":    {ext: ".json", data: spec.JSON()},
		"own rules": {ext: ".yaml", data: []byte("groups:\n  - name: g\n    interval: 1m\n    rules:\n      - alert: A\n        uid: a\n        expr: sum(rate(x_total[5m]))\n        threshold: {above: 8}\n" +
			"        for: 5m\n        no_data_state: OK\n        exec_err_state: Error\n        labels: {severity: critical}\n        annotations: {summary: 报警 a, description: b, runbook_url: docs/x.md}\n")},
		"rules": {ext: ".yaml", data: []byte("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: sum by (job) (rate(x_total[5m])) > 8\n    for: 5m\n" +
			"    labels:\n      severity: critical\n    annotations:\n      summary: 报警 \"{{ $labels.job }}\"\n  - record: job:x:rate5m\n    expr: sum by (job) (rate(x_total[5m]))\n")},
		"PrometheusRule": {ext: ".yaml", data: []byte("apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: x\nspec:\n  groups:\n  - name: g\n    rules:\n" +
			"    - alert: A\n      expr: up == 0\n      for: 5m\n      labels: {severity: critical}\n      annotations: {summary: 报警 a}\n")},
	}
}

// mutations break a file, or may.
var mutations = []func(r *rand.Rand, m mutant) mutant{
	func(r *rand.Rand, m mutant) mutant { // cut off
		m.data = m.data[:r.IntN(len(m.data))]
		return m
	},
	func(r *rand.Rand, m mutant) mutant { // one byte is another
		m.data[r.IntN(len(m.data))] = byte(r.IntN(256))
		return m
	},
	func(r *rand.Rand, m mutant) mutant { // a piece is gone
		at := r.IntN(len(m.data))
		m.data = append(m.data[:at], m.data[min(at+1+r.IntN(20), len(m.data)):]...)
		return m
	},
	func(r *rand.Rand, m mutant) mutant { // a piece is there twice
		at := r.IntN(len(m.data))
		piece := bytes.Clone(m.data[at:min(at+1+r.IntN(30), len(m.data))])
		m.data = append(m.data[:at:at], append(piece, m.data[at:]...)...)
		return m
	},
	func(r *rand.Rand, m mutant) mutant { // the end of a query's bracket is gone
		if at := nth(m.data, "[5m]", r); at >= 0 {
			m.data = append(m.data[:at+3], m.data[at+4:]...)
			m.broken = "a query that does not parse"
		}
		return m
	},
	func(r *rand.Rand, m mutant) mutant { // the query is half of itself
		for _, sum := range []string{"sum(", "sum by"} {
			if at := nth(m.data, sum, r); at >= 0 {
				m.data = append(m.data[:at], append([]byte("sum(("), m.data[at+len(sum):]...)...)
				m.broken = "a query that does not parse"
				return m
			}
		}
		return m
	},
	func(r *rand.Rand, m mutant) mutant { // not of this kind at all
		m.data = [][]byte{[]byte("null"), []byte("[]"), []byte(`"x"`), []byte("<html></html>"), {0, 1, 2}, []byte("a: [b"), nil}[r.IntN(7)]
		m.broken = "nothing that is a dashboard or rules"
		return m
	},
	func(r *rand.Rand, m mutant) mutant { // what holds everything is something else
		for _, key := range []string{`"panels": [`, `"elements": {`, "groups:"} {
			if at := bytes.Index(m.data, []byte(key)); at >= 0 {
				m.data = append(m.data[:at], append([]byte("\"x"), m.data[at+1:]...)...)
			}
		}
		return m
	},
}

func nth(data []byte, what string, r *rand.Rand) int {
	var at []int
	for i := 0; ; {
		j := bytes.Index(data[i:], []byte(what))
		if j < 0 {
			break
		}
		at = append(at, i+j)
		i += j + 1
	}
	if len(at) == 0 {
		return -1
	}
	return at[r.IntN(len(at))]
}

// wrong says why a file can't be right, as other readers see it; "" if they see nothing.
func (m mutant) wrong() string {
	if m.broken != "" {
		return m.broken
	}
	if m.ext != ".json" {
		return ""
	}
	if !json.Valid(bytes.TrimPrefix(m.data, []byte("\ufeff"))) {
		return "not JSON"
	}
	var any struct {
		Panels, Elements, Rows, Dashboard, Spec json.RawMessage
	}
	if json.Unmarshal(m.data, &any) != nil || any.Panels == nil && any.Elements == nil && any.Rows == nil && any.Dashboard == nil && any.Spec == nil {
		return "no dashboard"
	}
	d, err := dashboard.Load("d.json", m.data)
	if err != nil {
		return "no dashboard"
	}
	for _, q := range queries.Of(d, promql.NewParser()) {
		if q.Err != nil && q.Language == promql.PromQL {
			return "a query that does not parse: " + q.Text
		}
	}
	return ""
}

// A thousand files of every kind, each broken somewhere: no command crashes, and none that is broken is clean.
func TestMutatedFiles(t *testing.T) {
	r := rand.New(rand.NewPCG(20261126, 10))
	kinds := kindsOfFiles(t)
	names := []string{"classic", "API export", "V1", "V2", "V2 spec", "own rules", "rules", "PrometheusRule"}
	dir := t.TempDir()
	for _, name := range names {
		file := filepath.Join(dir, "right"+kinds[name].ext)
		write(t, file, kinds[name].data)
		if code, out := outcome(t, "lint", "--fail-on=error", file); code != exitClean {
			t.Fatalf("%s is not right to begin with: %s", name, out)
		}
	}
	write(t, filepath.Join(dir, "m.prom"), []byte("x_total 1\n"))
	broken := 0
	for i := range 1000 {
		name := names[i%len(names)]
		m := kinds[name]
		m.data = bytes.Clone(m.data)
		m = mutations[r.IntN(len(mutations))](r, m)
		if bytes.Equal(m.data, kinds[name].data) {
			continue
		}
		file := filepath.Join(dir, fmt.Sprintf("m%d%s", i, m.ext))
		// What the command does, without reading its flags a thousand times.
		result, _, err := review.Lint(t.Context(), review.Linting{Config: lint.DefaultConfig(), Files: []source.File{
			{Name: file, Must: true, Named: true, Read: func([]byte) ([]byte, error) { return m.data, nil }},
		}})
		if why := m.wrong(); why != "" {
			broken++
			if err == nil && !result.Has(finding.Warning) {
				t.Errorf("file %d, %s, is clean although it is %s:\n%v\n%.600s", i, name, why, result.Findings, m.data)
			}
		}
		// The others must survive it, too; some files meet one of them.
		if i%7 == 0 {
			write(t, file, m.data)
			outcome(t, [][]string{
				{"fmt", "--check", file}, {"render", "--out", filepath.Join(dir, "x.svg"), file}, {"diff", file, file}, {"check", "--metrics", filepath.Join(dir, "m.prom"), file},
				{"convert", "--to", "v2", "--lossy", file},
			}[i/7%5]...)
		}
	}
	if broken < 400 {
		t.Errorf("only %d of 1000 files are surely broken", broken)
	}
}

package rules

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/promql"
)

// plain has most of what a rule file of Prometheus can hold.
const plain = `groups:
- name: first
  interval: 30s
  query_offset: 1m
  limit: 10
  labels:
    team: core
  rules:
  - record: job:errors:rate5m
    expr: sum by (job) (rate(errors_total{code=~"5.."}[5m]))
    labels:
      kind: recorded
  - alert: Errors
    expr: |
      job:errors:rate5m
        > 1
    for: 5m
    keep_firing_for: 10m
    labels:
      severity: critical
    annotations:
      summary: "{{ $labels.job }} has {{ $value | humanize }} errors"
      description: 'see {{ $externalURL }}'
- name: second
  rules:
  - alert: Down
    expr: up == 0
`

// promtool is what Prometheus' own reader says.
func promtool(data []byte) []error {
	_, errs := rulefmt.Parse(data, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	return errs
}

// TestWhatPromtoolRefusesIsRefused breaks rule files in a thousand ways and holds our reader against Prometheus' own.
func TestWhatPromtoolRefusesIsRefused(t *testing.T) {
	bases := []string{plain}
	paths, err := filepath.Glob("testdata/cases/forms/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bases = append(bases, string(data))
	}
	p := promql.NewParser()
	refused, passed := 0, 0
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 1))
		text := bases[0]
		if seed%5 == 4 {
			text = bases[r.IntN(len(bases))]
		}
		for range 1 + r.IntN(2) {
			text = mutate(r, text)
		}
		f := Read("r.yaml", []byte(text))
		if f.Form != Prometheus && f.Form != Empty {
			continue
		}
		ours := CheckPlain([]*File{f}, p)
		theirs := promtool([]byte(text))
		switch {
		case len(theirs) > 0:
			refused++
			// A file that holds nothing Prometheus would read is told by its form.
			if len(ours) == 0 && !(f.Form == Empty) {
				t.Errorf("seed %d: promtool says %v, we say nothing of\n%s", seed, theirs, text)
			}
		default:
			passed++
			for _, problem := range ours.Serious() {
				// Both keys are valid to Prometheus; to us a rule without either is as wrong as to it.
				t.Errorf("seed %d: promtool accepts, we say %v of\n%s", seed, problem, text)
			}
		}
		if t.Failed() {
			return
		}
	}
	if refused < 300 || passed < 100 {
		t.Errorf("%d refused and %d passed: too few to mean something", refused, passed)
	}
	t.Logf("%d refused by both, %d passed by both", refused, passed)
}

// mutate makes one change that a person could make.
func mutate(r *rand.Rand, text string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	i := r.IntN(len(lines))
	switch r.IntN(9) {
	case 0:
		lines = append(lines[:i], lines[i+1:]...)
	case 1:
		lines = append(lines[:i+1], lines[i:]...)
	case 2:
		lines[i] = "  " + lines[i]
	case 3:
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	case 4:
		if key, _, ok := strings.Cut(lines[i], ":"); ok {
			lines[i] = key + ": " + []string{"", "5", "[a]", "{a: b}", "true", "1.5h", "-5m", "~", `"{{ $x }}"`, "'{{ .Foo }}'", "__name__", "up ==", "0x1", "a b", "&x y", "*x"}[r.IntN(16)]
		}
	case 5:
		if key, value, ok := strings.Cut(lines[i], ":"); ok {
			indent := key[:len(key)-len(strings.TrimLeft(key, " -"))]
			lines[i] = indent + []string{"alert", "record", "expr", "for", "name", "rules", "labels", "fro", "limit", "interval"}[r.IntN(10)] + ":" + value
		}
	case 6:
		if len(lines[i]) > 0 {
			j := r.IntN(len(lines[i]))
			lines[i] = lines[i][:j] + lines[i][j+1:]
		}
	case 7:
		j := r.IntN(len(lines[i]) + 1)
		lines[i] = lines[i][:j] + string(`{}[]"':#|>&*!%@-? ,$`[r.IntN(20)]) + lines[i][j:]
	case 8:
		j := r.IntN(len(lines))
		lines[i], lines[j] = lines[j], lines[i]
	}
	return fmt.Sprintln(strings.Join(lines, "\n"))
}

package diff

import (
	"math/rand/v2"
	"testing"
)

// The diff of one dashboard of 30 panels with three edits, parsing of the two files not included. A Differ made anew has no queries in memory.
func BenchmarkDashboard(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	before := generate(r, 30)
	after := clone(before).(object)
	used := map[string]bool{}
	for range 3 {
		mutations[r.IntN(len(mutations))].apply(r, after, used)
	}
	o, n := load(b, before), load(b, after)
	b.ReportAllocs()
	for b.Loop() {
		New().Dashboards(o, n)
	}
}

// A bulk edit: each query of 120 panels changed.
func BenchmarkBulkEdit(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	before := generate(r, 120)
	after := clone(before).(object)
	for _, p := range panelsOf(after) {
		for _, t := range p["targets"].([]any) {
			t := t.(object)
			t["expr"] = "max(" + t["expr"].(string) + ") / 2"
		}
	}
	o, n := load(b, before), load(b, after)
	for b.Loop() {
		New().Dashboards(o, n)
	}
}

// The worst that can come: 2,000 panels of which nothing was left as it was.
func BenchmarkEverythingChanged(b *testing.B) {
	before := generate(rand.New(rand.NewPCG(1, 2)), 2000)
	after := generate(rand.New(rand.NewPCG(3, 4)), 2000)
	o, n := load(b, before), load(b, after)
	for b.Loop() {
		New().Dashboards(o, n)
	}
}

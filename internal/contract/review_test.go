package contract_test

import (
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"lookout/internal/contract"
	"lookout/internal/dashboard"
	"lookout/internal/dashboard/dashtest"
	"lookout/internal/lint"
	"lookout/internal/promql"
	"lookout/internal/queries"
)

// corpus is the directory $LOOKOUT_CORPUS, or a generated collection of the size of the large published ones.
func corpus(tb testing.TB) []dashtest.File {
	dir := os.Getenv("LOOKOUT_CORPUS")
	if dir == "" {
		return dashtest.Collection(1, 450, dashtest.Metrics(1, 2000))
	}
	found, err := dashboard.Find([]string{dir})
	if err != nil {
		tb.Fatal(err)
	}
	var out []dashtest.File
	for _, name := range found.Files {
		data, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, dashtest.File{Name: name, Data: data})
	}
	return out
}

// BenchmarkReview reads, lints and checks a whole collection, as CI does for a change of the configuration. On one core:
//
//	go test ./internal/contract -run '^$' -bench Review -cpu 1
//
// It also prints how many expressions that were, and how large the heap became.
func BenchmarkReview(b *testing.B) {
	files := corpus(b)
	defer debug.SetGCPercent(debug.SetGCPercent(1600)) // as main does
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(160 << 20))
	exposition := dashtest.Exposition(dashtest.Metrics(1, 2000), nil)
	var expressions, panels int
	var heap uint64
	b.ResetTimer()
	before := cpu()
	for b.Loop() {
		p := promql.NewParser()
		inv := contract.NewInventory("the exporter")
		if err := inv.ReadExposition("metrics", "", bytes.NewReader(exposition)); err != nil {
			b.Fatal(err)
		}
		l, c := lint.New(lint.DefaultConfig(), p), contract.New(inv, nil)
		findings := 0
		var reader dashboard.Reader // as the commands have it
		for _, f := range files {
			d, err := reader.Load(f.Name, f.Data)
			if err != nil {
				continue
			}
			qs := queries.Of(d, p)
			l.Dashboard(d, qs)
			_, found := c.Dashboard(d, qs)
			findings += len(found)
		}
		r := l.Result()
		expressions, panels = r.Summary.Expressions, r.Summary.Panels
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		heap = max(heap, m.Sys)
	}
	// On a busy machine the time on the clock says little; this is what the process itself used.
	b.ReportMetric((cpu()-before).Seconds()*1000/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(expressions), "expressions")
	b.ReportMetric(float64(panels), "panels")
	b.ReportMetric(float64(len(files)), "dashboards")
	b.ReportMetric(float64(heap)/(1<<20), "MiB")
}

// cpu is the processor time the process has used so far.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

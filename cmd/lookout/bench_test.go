package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"lookout/internal/dashboard/dashtest"
)

// BenchmarkCommands runs the real program on one core over dashboards at least as heavy as 426 public ones are, 26 MB with 13,750 expressions; the start of the process and the reading of
// the files are included:
//
//	go test ./cmd/lookout -run '^$' -bench Commands -cpu 1
//
// The bars are 500 ms for lint, 700 ms for lint and check together ("both" reads each file once for them), and 150 MiB. cpu-ms is what the process itself used, whatever
// else the machine does.
func BenchmarkCommands(b *testing.B) {
	dir := b.TempDir()
	program := filepath.Join(dir, "lookout")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	metrics := dashtest.Metrics(1, 2000)
	size := 0
	for _, f := range dashtest.Heavy(1, 426, metrics) {
		write(b, filepath.Join(dir, "dashboards", f.Name), f.Data)
		size += len(f.Data)
	}
	write(b, filepath.Join(dir, "metrics.prom"), dashtest.Exposition(metrics, nil))
	for name, args := range map[string][]string{
		"lint":  {"lint", "dashboards"},
		"check": {"check", "--metrics=metrics.prom", "dashboards"},
		"both":  {"check", "--lint", "--metrics=metrics.prom", "dashboards"},
	} {
		b.Run(name, func(b *testing.B) {
			var cpu, rss float64
			for b.Loop() {
				cmd := exec.Command(program, args...)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
				var stderr bytes.Buffer
				cmd.Stderr = &stderr
				err := cmd.Run()
				// The collection has faults for the rules to find.
				if exit := (&exec.ExitError{}); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != exitFindings) {
					b.Fatalf("%v\n%s", err, stderr.Bytes())
				}
				cpu += (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds() * 1000
				rss = max(rss, float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)/1024)
			}
			b.ReportMetric(cpu/float64(b.N), "cpu-ms/op")
			b.ReportMetric(rss, "MiB")
			b.ReportMetric(float64(size)/1e6, "MB-read")
		})
	}
}

func write(tb testing.TB, name string, data []byte) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		tb.Fatal(err)
	}
}

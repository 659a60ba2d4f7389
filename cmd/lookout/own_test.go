package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Everything that the shipped dashboards and alerts ask for is exposed by the programs of this very tree: a metric, label or value that is renamed there is missed here. What
// Prometheus exposes was captured once, see .github/metrics.
func TestShippedDashboardsFitWhatIsExposed(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"check", "--run-exporters", "dashboards", "alerts", "modules/prometheus/rules", "slos/rules"}, nil, &stdout, &stderr, os.Getenv); code != exitClean {
		t.Errorf("exit code %d\n%s%s", code, stdout.Bytes(), stderr.Bytes())
	}
	if !regexp.MustCompile(`alert-delivery\.json: fits [1-9]`).Match(stdout.Bytes()) {
		t.Errorf("it did not look at all:\n%s", stdout.Bytes())
	}
}

// The capture is of the Prometheus that is built here, not of one before it.
func TestCaptureIsOfThePinnedPrometheus(t *testing.T) {
	root := filepath.Join("..", "..")
	mod, err := os.ReadFile(filepath.Join(root, "tools", "prometheus", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	// v0.316.0 of the module is version 3.16.0 of the program.
	pinned := regexp.MustCompile(`github\.com/prometheus/prometheus v0\.(\d+)(\d\d)\.(\d+)`).FindSubmatch(mod)
	if pinned == nil {
		t.Fatal("tools/prometheus/go.mod requires no Prometheus")
	}
	want := fmt.Sprintf(`version="%s.%s.%s"`, pinned[1], strings.TrimPrefix(string(pinned[2]), "0"), pinned[3])
	capture, err := os.ReadFile(filepath.Join(root, ".github", "metrics", "prometheus.prom"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(capture, []byte(want)) {
		t.Errorf("prometheus.prom has no %s; capture it anew as .github/metrics/README.md says", want)
	}
}

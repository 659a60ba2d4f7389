package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Everything that the shipped dashboards and alerts ask for is exposed by the programs of this very tree: a metric, label or value that is renamed there is missed here. What
// Prometheus exposes was captured once, see .github/metrics.
func TestShippedDashboardsFitWhatIsExposed(t *testing.T) {
	root := filepath.Join("..", "..")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "token"), []byte("none"))
	write(t, filepath.Join(dir, "backup"), []byte("other"))
	// Two channels and a heartbeat, so that every series is there; nothing is sent.
	write(t, filepath.Join(dir, "relay.yaml"), []byte(`
robots:
  ops: {url: "http://127.0.0.1:1/", token_file: token}
  backup: {url: "http://127.0.0.1:1/", token_file: backup}
targets:
  ops: {channels: [{robots: [ops], escalate_after: 1m}, {robots: [backup]}]}
heartbeats:
  chain: {timeout: 1h, target: ops}
`))
	args := []string{"check",
		"--metrics", exposed(t, dir, "exporter", []string{"orders_created_total", "http_requests_total", "http_request_duration_seconds_bucket"}, "--self-traffic=50"),
		"--metrics", exposed(t, dir, "relay", []string{"relay_heartbeat_age_seconds"}, "serve", "--config="+filepath.Join(dir, "relay.yaml"), "--spool="+filepath.Join(dir, "spool.db")),
		"--metrics", filepath.Join(root, ".github", "metrics", "prometheus.prom"),
		filepath.Join(root, "dashboards"), filepath.Join(root, "alerts"),
	}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), args, nil, &stdout, &stderr, func(string) string { return "" }); code != exitClean {
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

// exposed builds app/<name>, runs it and returns a file with what it exposes once that includes the metrics.
func exposed(t *testing.T, dir, name string, metrics []string, args ...string) string {
	t.Helper()
	program := filepath.Join(dir, name)
	if out, err := exec.Command("go", "build", "-o", program, "lookout/app/"+name).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	log, err := os.Create(program + ".log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	ctx, stop := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, program, append(args, "--listen=127.0.0.1:0", "--log-format=json")...)
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { stop(); _ = cmd.Wait() }()
	address := regexp.MustCompile(`"msg":"listening".*"address":"([^"]+)"`)
	capture := func() ([]byte, error) {
		text, err := os.ReadFile(log.Name())
		if err != nil {
			return nil, err
		}
		m := address.FindSubmatch(text)
		if m == nil {
			return nil, fmt.Errorf("it says no address:\n%s", text)
		}
		resp, err := http.Get("http://" + string(m[1]) + "/metrics")
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		for _, metric := range metrics {
			if err == nil && !bytes.Contains(data, []byte("\n"+metric)) {
				err = fmt.Errorf("there is no %s", metric)
			}
		}
		return data, err
	}
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		data, err := capture()
		if err == nil {
			file := program + ".prom"
			write(t, file, data)
			return file
		}
		select {
		case <-deadline:
			t.Fatalf("%s: %v", name, err)
		case <-tick.C:
		}
	}
}

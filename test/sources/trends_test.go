package sources

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"lookout/test/internal/checkout"
)

// Ninety days of a disk that gains 0.55 % a day, of which 89.5 % are used today: it is full in 19 days. The history is made up; what
// reads it is the real Prometheus with the shipped rules, dashboard and alert.
func TestTrendsOfNinetyDays(t *testing.T) {
	needsLong(t)
	c, err := checkout.Find(".cache/bin/prometheus", ".cache/bin/promtool")
	require.NoError(t, err)
	dir := t.TempDir()
	now := time.Now()
	const perDay, left = 0.0055, 0.105
	history := filepath.Join(dir, "history.txt")
	require.NoError(t, os.WriteFile(history, []byte(generated(now, perDay, 1-left)), 0o600))
	data := filepath.Join(dir, "data")
	out, err := exec.CommandContext(t.Context(), filepath.Join(c.Root, ".cache/bin/promtool"), "tsdb", "create-blocks-from",
		// Or there is a block for every two hours.
		"--max-block-duration=60d", "openmetrics", history, data).CombinedOutput()
	require.NoError(t, err, string(out))
	p := server{start(t, c.Root, dir, data)}

	p.until(t, time.Minute, "capacity:left:seconds", 1)
	value, _, _, err := p.Query(t.Context(), "capacity:left:seconds", time.Now())
	require.NoError(t, err)
	seconds := float64(value.(model.Vector)[0].Value)
	want := left / perDay * 86400
	require.InDelta(t, want, seconds, 86400, "it is full in %.1f days, and is said to be in %.1f", want/86400, seconds/86400)
	t.Logf("full in %.2f days, the truth is %.2f", seconds/86400, want/86400)

	expr, below := alert(t, c.Root)
	p.until(t, time.Minute, fmt.Sprintf("(%s) < %g", expr, below), 1)
	value, _, _, err = p.Query(t.Context(), `count_over_time(capacity:used:avg1h{mountpoint="/"}[90d])`, time.Now())
	require.NoError(t, err)
	require.Greater(t, float64(value.(model.Vector)[0].Value), 25_000.0, "the history is not what is asked")
	var asked int
	var missing []string
	require.Eventually(t, func() bool {
		asked, missing = ask(t, filepath.Join(c.Root, "dashboards/sources/trends.json"), p.API, time.Now().Add(-time.Minute))
		return len(missing) == 0
	}, time.Minute, time.Second, "no data: %v", &missing)
	t.Logf("%d queries of the dashboard have data", asked)
}

// generated is what the recording rules would have left behind, and their source for the last two hours. Next to the disk that
// fills there are one that does not, and one that is younger than a week and steep.
func generated(now time.Time, perDay, used float64) string {
	var b strings.Builder
	series := func(metric, mountpoint string, since, step time.Duration, perDay, used float64) {
		for ago := since; ago >= 0; ago -= step {
			at := now.Add(-ago)
			fmt.Fprintf(&b, "%s{job=\"host\",instance=\"host1\",device=\"/dev/sda1\",fstype=\"ext4\",mountpoint=%q,resource=\"disk\"} %g %d\n",
				metric, mountpoint, used-perDay*ago.Hours()/24, at.Unix())
		}
	}
	for _, s := range []struct {
		mountpoint   string
		since        time.Duration
		perDay, used float64
	}{{"/", 90 * 24 * time.Hour, perDay, used}, {"/steady", 90 * 24 * time.Hour, 0, 0.5}, {"/young", 48 * time.Hour, 0.2, 0.5}} {
		series("capacity:used:avg1h", s.mountpoint, s.since, 5*time.Minute, s.perDay, s.used)
	}
	for _, s := range []struct {
		mountpoint   string
		perDay, used float64
	}{{"/", perDay, used}, {"/steady", 0, 0.5}, {"/young", 0.2, 0.5}} {
		series("capacity:used:ratio", s.mountpoint, 2*time.Hour, 5*time.Minute, s.perDay, s.used)
	}
	return b.String() + "# EOF\n"
}

// start runs Prometheus on data, with the shipped rules of trends evaluated every second.
func start(t *testing.T, root, dir, data string) v1.API {
	t.Helper()
	rules, err := os.ReadFile(filepath.Join(root, "modules/prometheus/rules/trends.yaml"))
	require.NoError(t, err)
	quick := strings.ReplaceAll(string(rules), "interval: 5m", "interval: 1s")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "trends.yaml"), []byte(quick), 0o600))
	config := filepath.Join(dir, "prometheus.yml")
	require.NoError(t, os.WriteFile(config, []byte("rule_files: [trends.yaml]\n"), 0o600))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, ".cache/bin/prometheus"), "--config.file="+config, "--storage.tsdb.path="+data,
		"--storage.tsdb.retention.time=1y", "--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // it was killed
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("Prometheus: %s", text)
		}
	})
	client, err := api.NewClient(api.Config{Address: "http://" + address})
	require.NoError(t, err)
	return v1.NewAPI(client)
}

// alert is the expression of the shipped alert, and its threshold.
func alert(t *testing.T, root string) (expr string, below float64) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "alerts/trends.yaml"))
	require.NoError(t, err)
	var file struct {
		Groups []struct {
			Rules []struct {
				Expr      string
				Threshold struct{ Below float64 }
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(data, &file))
	return file.Groups[0].Rules[0].Expr, file.Groups[0].Rules[0].Threshold.Below
}

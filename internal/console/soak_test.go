package console_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var soak = flag.Duration("soak", 0, "how long readers look at a console whose memory is measured (make bench-console); 0 leaves that out")

// soakReaders and soakLimit are the bar: ten readers, an hour, 60 MiB.
const (
	soakReaders = 10
	soakLimit   = 60 << 20
)

// TestMemoryOfAnHour is `make bench-console`: the program as it is shipped, a real Prometheus and Alertmanager, and ten readers who do what a browser does. Each has a
// page open that refreshes every ten seconds and listens for changes, points at charts, looks at alerts and targets, and moves on to another dashboard each minute.
func TestMemoryOfAnHour(t *testing.T) {
	if *soak == 0 {
		t.Skip("measured by make bench-console")
	}
	dir := t.TempDir()
	am := freePort(t)
	runAlertmanager(t, dir, am, "http://127.0.0.1:8090")
	prom := runPrometheus(t, am, testRules)
	boards := copyTree(t, "../../dashboards")
	for i := range 4 {
		uid := fmt.Sprintf("twenty-%d", i)
		require.NoError(t, os.WriteFile(filepath.Join(boards, uid+".json"), []byte(twenty(uid)), 0o644))
	}
	program := filepath.Join(dir, "lookout")
	out, err := exec.Command("go", "build", "-trimpath", "-o", program, "../../cmd/lookout").CombinedOutput()
	require.NoError(t, err, string(out))
	addr := freePort(t)
	cmd := process(t, program, "serve", boards, "--prometheus=http://"+strings.TrimPrefix(prom, "http://"), "--alertmanager=http://"+am,
		"--runbooks=../../docs/runbooks", "--listen="+addr, "--scrape-interval=15s", "--log-level=warn")
	base := "http://" + addr
	eventually(t, 30*time.Second, healthy(base+"/-/ready"))
	_, list, err := get(base + "/dashboards")
	require.NoError(t, err)
	var uids []string
	for _, m := range uidLink.FindAllStringSubmatch(list, -1) {
		uids = append(uids, m[1])
	}
	require.Greater(t, len(uids), 5)

	ctx, cancel := context.WithTimeout(context.Background(), *soak)
	defer cancel()
	var wg sync.WaitGroup
	var pages, bad atomic.Int64
	for i := range soakReaders {
		wg.Go(func() { soakReader(ctx, t, base, uids, i, &pages, &bad) })
	}
	began, highest := time.Now(), 0
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	report := began
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		now := resident(t, cmd.Process.Pid, "VmRSS")
		highest = max(highest, now)
		if time.Since(report) >= min(time.Minute, *soak/4) {
			report = time.Now()
			t.Logf("%v: %.1f MiB (heap and stacks %.1f, program %.1f), highest seen %.1f MiB, %d answers, %d not 200", time.Since(began).Round(time.Second), mebibytes(now),
				mebibytes(resident(t, cmd.Process.Pid, "RssAnon")), mebibytes(resident(t, cmd.Process.Pid, "RssFile")), mebibytes(highest), pages.Load(), bad.Load())
		}
	}
	wg.Wait()
	after, peak := resident(t, cmd.Process.Pid, "VmRSS"), resident(t, cmd.Process.Pid, "VmHWM")
	t.Logf("after %v with %d readers: %.1f MiB resident, at most %.1f MiB; %d answers, %d not 200",
		time.Since(began).Round(time.Second), soakReaders, mebibytes(after), mebibytes(peak), pages.Load(), bad.Load())
	if bad.Load() > 0 {
		t.Errorf("%d answers were not 200", bad.Load())
	}
	if after > soakLimit {
		t.Errorf("%.1f MiB after %v, the bar is %d MiB", mebibytes(after), *soak, soakLimit>>20)
	}
}

func mebibytes(n int) float64 { return float64(n) / (1 << 20) }

// resident reads a process' memory in bytes: VmRSS is what it has now, VmHWM the most it had.
func resident(t *testing.T, pid int, field string) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	m := regexp.MustCompile(field + `:\s+(\d+) kB`).FindSubmatch(data)
	require.NotNil(t, m, "%s in %s", field, data)
	n, err := strconv.Atoi(string(m[1]))
	require.NoError(t, err)
	return n << 10
}

// soakReader is one browser.
func soakReader(ctx context.Context, t *testing.T, base string, uids []string, seed int, pages, bad *atomic.Int64) {
	random := rand.New(rand.NewPCG(uint64(seed), 9))
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Error(err)
		return
	}
	client := &http.Client{Jar: jar}
	ask := func(ctx context.Context, path string) string {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
		if err != nil {
			t.Error(err)
			return ""
		}
		resp, err := client.Do(req)
		if err != nil {
			if ctx.Err() == nil {
				bad.Add(1)
			}
			return ""
		}
		defer resp.Body.Close()
		var b strings.Builder
		if _, err := bufio.NewReader(resp.Body).WriteTo(&b); err != nil {
			if ctx.Err() == nil {
				bad.Add(1)
			}
			return ""
		}
		pages.Add(1)
		if resp.StatusCode != http.StatusOK {
			bad.Add(1)
			t.Logf("%s: %d", path, resp.StatusCode)
		}
		return b.String()
	}
	pause := func(d time.Duration) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
	key := regexp.MustCompile(`data-key="([^"]+)" aria`)
	for ctx.Err() == nil {
		uid := uids[random.IntN(len(uids))]
		span := []string{"from=now-1h&to=now", "from=now-3h&to=now", "from=now-15m&to=now", "from=now-6h&to=now-5m"}[random.IntN(4)]
		page := ask(ctx, "/d/"+uid+"?"+span)
		var keys []string
		for _, m := range key.FindAllStringSubmatch(page, -1) {
			keys = append(keys, m[1])
		}
		listening, stop := context.WithCancel(ctx)
		var wg sync.WaitGroup
		wg.Go(func() { ask(listening, "/events?uid="+uid) })
		ask(ctx, "/findings/"+uid)
		for range 6 {
			query := ""
			for _, k := range keys {
				query += "&p=" + k + ":" + []string{"318x220", "662x260", "430x220"}[random.IntN(3)]
			}
			ask(ctx, "/panels/"+uid+"?"+span+query)
			if len(keys) > 0 {
				ask(ctx, "/values/"+uid+"/"+keys[random.IntN(len(keys))]+"?"+span+"&w=600")
			}
			pause(10 * time.Second)
		}
		stop()
		wg.Wait()
		for _, p := range []string{"/", "/alerts", "/alerts/GoThreadsHigh?range=6h", "/targets", "/silences", "/runbooks"} {
			ask(ctx, p)
			pause(time.Second)
		}
	}
}

package console_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lookout/internal/console"
)

// twenty is a dashboard of 20 charts of the made-up history.
func twenty(uid string) string {
	var panels []string
	exprs := []string{`go_goroutines`, `go_threads`, `process_resident_memory_bytes`, `rate(http_requests_total[$__rate_interval])`, `rate(process_cpu_seconds_total[$__rate_interval])`}
	for i := range 20 {
		panels = append(panels, fmt.Sprintf(`{"id":%d,"type":"timeseries","title":"Panel %d","gridPos":{"x":%d,"y":%d,"w":6,"h":7},"fieldConfig":{"defaults":{"unit":"short"}},
		"targets":[{"refId":"A","expr":%q,"legendFormat":"{{instance}}"}]}`, i+1, i+1, i%4*6, i/4*7, fmt.Sprintf("%s + %d", exprs[i%len(exprs)], i)))
	}
	return fmt.Sprintf(`{"uid":%q,"title":"Twenty %s","tags":["bench"],"schemaVersion":39,"time":{"from":"now-1h","to":"now"},"panels":[%s]}`, uid, uid, strings.Join(panels, ","))
}

func benchClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
}

// fetch gets a page as a browser does and returns how many bytes came over the network.
func fetch(b testing.TB, client *http.Client, url string) int {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	require.NoError(b, err)
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := client.Do(req)
	require.NoError(b, err)
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	require.NoError(b, err)
	require.Equal(b, http.StatusOK, resp.StatusCode)
	return int(n)
}

func percentile(list []time.Duration, p float64) time.Duration {
	slices.Sort(list)
	return list[min(int(float64(len(list))*p), len(list)-1)]
}

// BenchmarkWholePage is a dashboard of 20 panels over an hour at 15 s, read by ten readers at once, page and all pictures, from a real Prometheus. Each round is of
// another range, so that nothing has been asked before.
func BenchmarkWholePage(b *testing.B) {
	dir := b.TempDir()
	require.NoError(b, os.WriteFile(filepath.Join(dir, "twenty.json"), []byte(twenty("twenty")), 0o644))
	prom, _ := stack(b)
	c := startConsole(b, console.Config{Paths: []string{dir}, Prometheus: prom, Location: time.UTC})
	client := benchClient()
	var ask strings.Builder
	for i := range 20 {
		fmt.Fprintf(&ask, "&p=%d:318x220", i+1)
	}
	var mu sync.Mutex
	var whole []time.Duration
	weight := 0
	end := time.Now().Add(-5 * time.Minute)
	round := 0
	for b.Loop() {
		at := end.Add(-time.Duration(round) * time.Second).UnixMilli()
		round++
		span := fmt.Sprintf("from=%d&to=%d", at-3600_000, at)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				began := time.Now()
				page := fetch(b, client, c.url+"/d/twenty?"+span)
				fetch(b, client, c.url+"/panels/twenty?"+span+ask.String())
				mu.Lock()
				whole = append(whole, time.Since(began))
				weight = page
				mu.Unlock()
			})
		}
		wg.Wait()
	}
	b.ReportMetric(float64(percentile(whole, 0.5).Milliseconds()), "p50-ms")
	b.ReportMetric(float64(percentile(whole, 0.95).Milliseconds()), "p95-ms")
	weight += fetch(b, client, c.url+"/static/console.js") + fetch(b, client, c.url+"/static/console.css")
	b.ReportMetric(float64(weight)/1000, "page-kB")
}

// BenchmarkOnePanel is one panel that nobody has asked for yet.
func BenchmarkOnePanel(b *testing.B) {
	dir := b.TempDir()
	require.NoError(b, os.WriteFile(filepath.Join(dir, "twenty.json"), []byte(twenty("twenty")), 0o644))
	prom, _ := stack(b)
	c := startConsole(b, console.Config{Paths: []string{dir}, Prometheus: prom, Location: time.UTC})
	client := benchClient()
	end := time.Now().Add(-5 * time.Minute)
	round := 0
	var took []time.Duration
	for b.Loop() {
		at := end.Add(-time.Duration(round) * time.Second).UnixMilli()
		round++
		began := time.Now()
		fetch(b, client, fmt.Sprintf("%s/panels/twenty?from=%d&to=%d&p=3:600x260", c.url, at-3600_000, at))
		took = append(took, time.Since(began))
	}
	b.ReportMetric(float64(percentile(took, 0.95).Microseconds())/1000, "p95-ms")
}

// BenchmarkListOfAThousand is the list of 1,000 dashboards.
func BenchmarkListOfAThousand(b *testing.B) {
	dir := b.TempDir()
	for i := range 1000 {
		sub := filepath.Join(dir, fmt.Sprintf("folder-%02d", i%25))
		require.NoError(b, os.MkdirAll(sub, 0o755))
		uid := fmt.Sprintf("board-%04d", i)
		require.NoError(b, os.WriteFile(filepath.Join(sub, uid+".json"), []byte(twenty(uid)), 0o644))
	}
	c := startConsole(b, console.Config{Paths: []string{dir}})
	client := benchClient()
	var took []time.Duration
	weight := 0
	for b.Loop() {
		began := time.Now()
		weight = fetch(b, client, c.url+"/dashboards")
		took = append(took, time.Since(began))
	}
	b.ReportMetric(float64(percentile(took, 0.95).Microseconds())/1000, "p95-ms")
	weight += fetch(b, client, c.url+"/static/console.js") + fetch(b, client, c.url+"/static/console.css")
	b.ReportMetric(float64(weight)/1000, "page-kB")
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lookout/app/relay/internal/spool"
)

// quietConf is a relay whose robot is never reached, so that only accepting is measured.
func quietConf(url string) string {
	return fmt.Sprintf("robots:\n  ops: {url: %q, token_file: secrets/ops, keywords: [报警]}\n", url)
}

// body1k is a notification of about 1 kB, as Grafana sends it for one alert.
func body1k(i int64) []byte {
	return fmt.Appendf(nil, `{"receiver":"relay","status":"firing","orgId":1,"alerts":[{"status":"firing","labels":{"alertname":"GoThreadsHigh","instance":"go%d","job":"go","lookout_env":"prod","severity":"warning"},"annotations":{"summary":"【报警】系统线程数过高 Too many OS threads","description":"服务 go 的实例 go1 平均有 9 个系统线程,通常是阻塞的系统调用或 cgo 造成的。","runbook_url":"https://example.com/runbooks/go-threads-high"},"startsAt":"2026-11-22T10:00:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://grafana:3000/alerting/grafana/go-threads-high/view","fingerprint":"%016x","silenceURL":"http://grafana:3000/alerting/silence/new","dashboardURL":"http://grafana:3000/d/go-runtime","panelURL":"http://grafana:3000/d/go-runtime?viewPanel=3","values":{"A":9,"B":9,"C":1},"valueString":"[ var='A' value=9 ]"}],"groupLabels":{"alertname":"GoThreadsHigh"},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://grafana:3000/","version":"4","groupKey":"{}","truncatedAlerts":0,"title":"[FIRING:1]","state":"alerting","message":"x"}`, i, i)
}

// BenchmarkDurableAccepts measures what the bar asks for: notifications answered 202 per second,
// each on disk (fsync) before its answer, over HTTP from 32 senders, with the relay in a process of
// its own delivering digests meanwhile. It prints the rate, the median and 99th percentile, the relay's
// resident memory, and what a bare write and fsync of 4 KiB takes on the same disk just before: a
// commit has two of those, so a disk that others keep busy shows in both.
//
//	go test ./app/relay -run '^$' -bench DurableAccepts -benchtime 20000x -count 5
func BenchmarkDurableAccepts(b *testing.B) {
	robot := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, `{"errcode":0,"errmsg":"ok"}`)
	}))
	defer robot.Close()
	p := newProcess(b, quietConf(robot.URL), map[string]string{"ops": "token-of-benchmark"})
	p.start()
	p.ready()
	bare := bareSyncs(b, p.dir)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	var mu sync.Mutex
	var took []time.Duration
	var number atomic.Int64
	b.SetParallelism(16)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		var mine []time.Duration
		for pb.Next() {
			body := body1k(number.Add(1))
			began := time.Now()
			resp, err := client.Post(p.url("/v1/robots/ops"), "application/json", bytes.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			mine = append(mine, time.Since(began))
			if resp.StatusCode != http.StatusAccepted {
				b.Errorf("HTTP %d", resp.StatusCode)
				return
			}
		}
		mu.Lock()
		took = append(took, mine...)
		mu.Unlock()
	})
	b.StopTimer()
	slices.Sort(took)
	now, peak := p.rss()
	b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "accepts/s")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(bare[len(bare)/2].Microseconds())/1000, "bare-fsync-p50-ms")
	b.ReportMetric(float64(bare[len(bare)*99/100].Microseconds())/1000, "bare-fsync-p99-ms")
	b.ReportMetric(now, "rss-MiB")
	b.ReportMetric(peak, "peak-rss-MiB")
}

// bareSyncs measures the disk itself: sorted times of a 4 KiB write with fsync.
func bareSyncs(b *testing.B, dir string) []time.Duration {
	b.Helper()
	f, err := os.Create(filepath.Join(dir, "bare"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	var took []time.Duration
	page := make([]byte, 4096)
	for range 500 {
		began := time.Now()
		if _, err := f.Write(page); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took
}

// BenchmarkRestartWithBacklog measures how long a relay with 100,000 notifications in its spool takes
// from its start until it takes the next one, and its memory then.
//
//	go test ./app/relay -run '^$' -bench RestartWithBacklog -benchtime 5x
func BenchmarkRestartWithBacklog(b *testing.B) {
	const backlog = 100_000
	robot := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, `{"errcode":-1,"errmsg":"busy"}`)
	}))
	defer robot.Close()
	p := newProcess(b, quietConf(robot.URL), map[string]string{"ops": "token-of-benchmark"})
	fill(b, filepath.Join(p.dir, "data", "spool.db"), backlog)
	var took []time.Duration
	var peak float64
	for b.Loop() {
		p.start()
		took = append(took, p.ready())
		_, peak = p.rss()
		if !strings.Contains(p.get("/metrics"), `relay_queue_notifications{target="ops"}`) {
			b.Fatal("no queue")
		}
		p.kill()
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2].Seconds(), "median-s")
	b.ReportMetric(took[len(took)-1].Seconds(), "worst-s")
	b.ReportMetric(peak, "peak-rss-MiB")
}

// fill writes a backlog straight into a spool.
func fill(t testing.TB, path string, n int) {
	t.Helper()
	s, err := spool.Open(path, spool.Options{Clock: spool.SystemClock(), DuplicateWindow: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const each = 5000
	for at := 0; at < n; at += each {
		if err := s.Update(context.Background(), func(tx *spool.Tx) error {
			for i := range min(each, n-at) {
				if _, _, err := tx.Accept("ops", body1k(int64(at+i))); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
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

// acceptRate is the load of BenchmarkDurableAccepts/steady in notifications a second, a quarter more than is promised.
const acceptRate = 2500

// BenchmarkDurableAccepts measures notifications answered 202, each on disk (fsync) before its answer, over
// HTTP, by a relay in a process of its own that delivers meanwhile. Two loads:
//
// steady is the promise, 2,000 a second with a 99th percentile of 20 ms: senders that don't know of each
// other and don't wait for each other's answers, 2,500 a second at random moments (exponential gaps, always
// the same ones). A notification's time runs from the moment at which it was due, so whatever holds up the
// relay, or the sender, counts for everything that was due meanwhile.
//
// saturated is what it can take at most: 32 senders, each of which sends its next one as soon as it has its
// answer. Its times are 32 divided by its rate (Little's law) and say how fast the relay is, not how long
// one waits for it.
//
// Beside the rate and the times it prints the processor time that one accept costs the relay, its resident
// memory, how many processors other programs kept busy meanwhile and the host took away, and what a bare
// write and fsync of 4 KiB takes on the same disk meanwhile (a commit has two of those, and an accept may have
// to wait for the commit before its own): a machine or a disk that is not quiet shows in these.
// Sender and relay share the machine's processors.
//
//	go test ./app/relay -run '^$' -bench DurableAccepts -benchtime 20000x -count 5
func BenchmarkDurableAccepts(b *testing.B) {
	b.Run("steady", func(b *testing.B) {
		durableAccepts(b, 64, func(due chan<- time.Time) {
			gaps := mathrand.New(mathrand.NewPCG(1, 2))
			at := time.Now()
			for range b.N {
				at = at.Add(time.Duration(gaps.ExpFloat64() * float64(time.Second/acceptRate)))
				time.Sleep(time.Until(at))
				due <- at
			}
		})
	})
	b.Run("saturated", func(b *testing.B) {
		durableAccepts(b, 32, func(due chan<- time.Time) {
			for range b.N {
				due <- time.Time{} // as soon as a sender is free
			}
		})
	})
}

// durableAccepts starts a relay and measures b.N notifications that are sent over a number of connections.
// The load says when each is due; one that finds every connection taken waits for it, and its time runs.
func durableAccepts(b *testing.B, connections int, load func(due chan<- time.Time)) {
	b.Helper()
	robot := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, `{"errcode":0,"errmsg":"ok"}`)
	}))
	defer robot.Close()
	p := newProcess(b, quietConf(robot.URL), map[string]string{"ops": "token-of-benchmark"})
	p.start()
	p.ready()
	var number atomic.Int64
	var failure atomic.Pointer[error]
	took := make([]time.Duration, b.N)
	send := func(c *sender, due time.Time) error {
		i := number.Add(1)
		if due.IsZero() {
			due = time.Now()
		}
		if err := c.post("/v1/robots/ops", body1k(i)); err != nil {
			return fmt.Errorf("notification %d of %d was not taken: %w", i, b.N, err)
		}
		took[i-1] = time.Since(due)
		return nil
	}
	// Room for all: whoever says when does not wait for whoever sends.
	queue := make(chan time.Time, b.N)
	var senders sync.WaitGroup
	for range connections {
		c, err := dialSender(p.address)
		if err != nil {
			b.Fatal(err)
		}
		defer c.conn.Close()
		senders.Go(func() {
			for due := range queue {
				// After a failure the rest is not worth sending.
				if failure.Load() != nil {
					continue
				}
				if err := send(c, due); err != nil {
					failure.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	relayBefore, mineBefore := p.cpu(), ownCPU(b)
	busyBefore, stolenBefore := machineCPU(b)
	bareSyncs := probeDisk(b, p.dir)
	b.ResetTimer()
	load(queue)
	close(queue)
	senders.Wait()
	b.StopTimer()
	bare := bareSyncs()
	if err := failure.Load(); err != nil {
		b.Fatalf("%v\nthe relay's last words:\n%s", *err, p.lastWords())
	}
	relay := p.cpu() - relayBefore
	busy, stolen := machineCPU(b)
	others := busy - busyBefore - relay - (ownCPU(b) - mineBefore)
	slices.Sort(took)
	now, peak := p.rss()
	milliseconds := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "accepts/s")
	b.ReportMetric(milliseconds(took[len(took)/2]), "p50-ms")
	b.ReportMetric(milliseconds(took[len(took)*99/100]), "p99-ms")
	b.ReportMetric(milliseconds(took[len(took)-1]), "max-ms")
	b.ReportMetric(milliseconds(relay)/float64(b.N), "relay-cpu-ms/op")
	b.ReportMetric(max(0, others.Seconds()/b.Elapsed().Seconds()), "others-cpus")
	b.ReportMetric((stolen-stolenBefore).Seconds()/b.Elapsed().Seconds(), "stolen-cpus")
	b.ReportMetric(milliseconds(bare[len(bare)/2]), "bare-fsync-p50-ms")
	b.ReportMetric(milliseconds(bare[len(bare)*99/100]), "bare-fsync-p99-ms")
	b.ReportMetric(milliseconds(bare[len(bare)-1]), "bare-fsync-max-ms")
	b.ReportMetric(now, "rss-MiB")
	b.ReportMetric(peak, "peak-rss-MiB")
}

// A sender is a kept connection. It is leaner than net/http's client, since what it uses of the processors
// is missing to the relay.
type sender struct {
	conn net.Conn
	r    *bufio.Reader
}

func dialSender(address string) (*sender, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &sender{conn, bufio.NewReader(conn)}, nil
}

// post sends a notification; anything but 202 is an error with the answer in it.
func (s *sender) post(path string, body []byte) error {
	if err := s.conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	request := fmt.Appendf(make([]byte, 0, len(body)+256), "POST %s HTTP/1.1\r\nHost: relay\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", path, len(body))
	if _, err := s.conn.Write(append(request, body...)); err != nil {
		return err
	}
	resp, err := http.ReadResponse(s.r, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusAccepted {
		return fmt.Errorf("%s %s", resp.Status, bytes.TrimSpace(answer))
	}
	return nil
}

// machineCPU is how long all processors together have been at work for anybody, and how long they could
// not because the host of this virtual machine had other plans.
func machineCPU(b *testing.B) (busy, stolen time.Duration) {
	b.Helper()
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		b.Fatal(err)
	}
	// cpu user nice system idle iowait irq softirq steal, see proc(5)
	for i, field := range strings.Fields(string(raw))[1:9] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		switch i {
		case 3, 4:
		case 7:
			stolen += time.Duration(ticks) * tick
		default:
			busy += time.Duration(ticks) * tick
		}
	}
	return busy, stolen
}

// ownCPU is the processor time of this process, the sender.
func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// probeDisk writes 4 KiB to the same disk and syncs it, fifty times a second, until the function that it
// returns is called, which answers the sorted times.
func probeDisk(b *testing.B, dir string) func() []time.Duration {
	b.Helper()
	f, err := os.Create(filepath.Join(dir, "bare"))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan []time.Duration)
	go func() {
		defer f.Close()
		page := make([]byte, 4096)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		var took []time.Duration
		for {
			began := time.Now()
			_, err := f.Write(page)
			if err := errors.Join(err, f.Sync()); err != nil {
				b.Errorf("probing the disk: %v", err)
			}
			took = append(took, time.Since(began))
			select {
			case <-ctx.Done():
				done <- took
				return
			case <-tick.C:
			}
		}
	}()
	return func() []time.Duration {
		cancel()
		took := <-done
		slices.Sort(took)
		return took
	}
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

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"lookout/app/relay/internal/delivery"
	"lookout/app/relay/internal/spool"
	"lookout/app/relay/mailtest"
)

const unreachable = "robots: {ops: {url: \"http://127.0.0.1:1/robot/send\", token_file: secrets/ops}}\n"

// promptly posts a notification and asks for health on connections of their own, and fails where either takes more
// than a second.
func (p *process) promptly(t *testing.T, when string) {
	t.Helper()
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for i := range 3 {
		began := time.Now()
		resp, err := client.Get(p.url("/-/healthy"))
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		resp.Body.Close()
		health := time.Since(began)
		began = time.Now()
		resp, err = client.Post(p.url("/v1/robots/ops"), "application/json", bytes.NewReader(webhook("firing", "instance", fmt.Sprint(when, i))))
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		resp.Body.Close()
		if took := time.Since(began); resp.StatusCode != 202 || health > time.Second || took > time.Second {
			t.Errorf("%s: health took %s, a notification %s, HTTP %d", when, health, took, resp.StatusCode)
		}
	}
}

// TestNoCrowdBlocksTheDoors: 512 connections that say nothing and 130 that are slow delay neither health nor a
// notification by more than a second.
func TestNoCrowdBlocksTheDoors(t *testing.T) {
	p := newProcess(t, unreachable, map[string]string{"ops": "token"})
	p.start()
	p.ready()
	p.promptly(t, "alone")
	for range 512 {
		conn, err := net.Dial("tcp", p.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	p.promptly(t, "beside 512 idle ones")
	for range 130 {
		conn, err := net.Dial("tcp", p.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "POST /v1/robots/ops HTTP/1.1\r\nHost: relay\r\nContent-Length: 4000000\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
	}
	p.promptly(t, "beside 130 slow ones")
}

// TestSixtyFourLargeBodiesAtOnce: 64 notifications of 4 MiB at a time are taken or answered 503, and cost less than
// the container has.
func TestSixtyFourLargeBodiesAtOnce(t *testing.T) {
	p := newProcess(t, unreachable, map[string]string{"ops": "token"})
	p.start()
	p.ready()
	var b bytes.Buffer
	b.WriteString(`{"version":"4","status":"firing","externalURL":"https://am.example.com","alerts":[`)
	for i := 0; b.Len() < 4<<20-1000; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"status":"firing","labels":{"alertname":"Big","severity":"warning","instance":"host-%d"},"annotations":{"summary":"%s"},"startsAt":"2026-11-22T10:00:00Z"}`, i, strings.Repeat("s", 300))
	}
	b.WriteString("]}")
	memory := p.anonymous()
	count := map[int]int{}
	began := time.Now()
	// A short run ends once some are through; the others are not waited for.
	ctx, enough := context.WithCancel(t.Context())
	defer enough()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			body := bytes.Replace(b.Bytes(), []byte("host-0"), fmt.Appendf(nil, "host-0-%d", i), 1)
			again := time.NewTicker(300 * time.Millisecond)
			defer again.Stop()
			for deadline := time.Now().Add(time.Duration(atLength(3, 15)) * time.Minute); time.Now().Before(deadline) && ctx.Err() == nil; <-again.C {
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url("/v1/robots/ops"), bytes.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Content-Type", "application/json")
				resp, err := http.DefaultClient.Do(req)
				if ctx.Err() != nil {
					return
				}
				if err != nil {
					// Answered before the body was read, and the connection closed on what was still coming.
					mu.Lock()
					count[0]++
					mu.Unlock()
					continue
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				mu.Lock()
				if count[resp.StatusCode]++; count[202] >= atLength(4, 64) {
					enough()
				}
				mu.Unlock()
				if resp.StatusCode == 202 {
					return
				}
			}
		})
	}
	wg.Wait()
	peak := memory()
	t.Logf("%d bytes each: %v in %s, at most %.0f MiB; the relay used %s of processor time for each that it took", b.Len(), count,
		time.Since(began).Round(time.Second/10), peak, (p.cpu() / time.Duration(max(1, count[202]))).Round(time.Millisecond))
	if peak >= 128 {
		t.Errorf("it took %.0f MiB, a container has 128", peak)
	}
	if count[202] < atLength(4, 64) || count[0] > 100 || count[0]+count[202]+count[503] != sum(count) {
		t.Errorf("answered %v", count)
	}
}

func sum(m map[int]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

// TestARenamedTargetWithMuchWaiting: the backlog, a hundred thousand in a long run, becomes dead letters in the background and in bounded
// memory, while the relay takes and delivers what comes, and over a restart in the middle.
func TestARenamedTargetWithMuchWaiting(t *testing.T) {
	p := newProcess(t, strings.Replace(unreachable, "ops:", "renamed:", 1), map[string]string{"ops": "token"})
	// Far more than fits into the bound at once.
	waiting := atLength(30_000, 100_000)
	if err := os.MkdirAll(filepath.Join(p.dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := spool.Open(filepath.Join(p.dir, "data", "spool.db"), spool.Options{Clock: spool.SystemClock()})
	if err != nil {
		t.Fatal(err)
	}
	for from := 0; from < waiting; from += 5000 {
		if err := s.Update(context.Background(), func(tx *spool.Tx) error {
			for i := from; i < from+5000; i++ {
				if _, err := tx.Enqueue("ops", s.Steady(), time.Now(), body1k(int64(i))); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check, err := runCommand(t, "check", "--spool", filepath.Join(p.dir, "data", "spool.db"), filepath.Join(p.dir, "relay.yaml"))
	if err != nil || !strings.Contains(check, fmt.Sprint(waiting)) || !strings.Contains(check, `"ops"`) {
		t.Errorf("relay check says %q, %v", check, err)
	}
	p.start()
	memory := p.anonymous()
	p.ready()
	if status, answer := p.post("/v1/robots/renamed", webhook("firing")); status != 202 {
		t.Errorf("meanwhile a notification was answered %d %s", status, answer)
	}
	eventually(t, 60*time.Second, func() error {
		var status delivery.Status
		if err := json.Unmarshal([]byte(p.get("/api/status")), &status); err != nil || status.Dead < 3 {
			return fmt.Errorf("%+v, %v", status, err)
		}
		return nil
	})
	peak := memory()
	p.kill()
	p.start()
	memory = p.anonymous()
	p.ready()
	eventually(t, 120*time.Second, func() error {
		var status delivery.Status
		if err := json.Unmarshal([]byte(p.get("/api/status")), &status); err != nil || len(status.Without) > 0 {
			return fmt.Errorf("%v still wait, %v", status.Without, err)
		}
		return nil
	})
	if n := p.deadAlerts(); n != waiting {
		t.Errorf("%d of %d alerts are dead letters", n, waiting)
	}
	again := memory()
	t.Logf("at most %.0f MiB", max(peak, again))
	if max(peak, again) > 64 {
		t.Errorf("it took %.0f MiB", max(peak, again))
	}
}

// deadAlerts is how many alerts the dead letters hold.
func (p *process) deadAlerts() (n int) {
	for after := uint64(0); ; {
		var page struct {
			Dead []delivery.DeadSummary
			Next uint64
		}
		if err := json.Unmarshal([]byte(p.get(fmt.Sprintf("/api/dead?after=%d", after))), &page); err != nil {
			p.t.Fatal(err)
		}
		for _, d := range page.Dead {
			n += d.Alerts
		}
		if page.Next <= after {
			return n
		}
		after = page.Next
	}
}

func runCommand(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), args, strings.NewReader(""), &out, &out)
	return out.String(), err
}

// TestWhatDoorsTake: compressed bodies, byte order marks, one bad alert among good ones; a browser that came by a
// foreign name is sent away, and a thousand wrong tokens are a few lines of the log.
func TestWhatDoorsTake(t *testing.T) {
	p := newProcess(t, "bearer_token_file: secrets/bearer\nadmin_token_file: secrets/admin\nhosts: [relay.example.com]\n"+unreachable,
		map[string]string{"ops": "token", "bearer": "sender", "admin": "operator"})
	p.start()
	p.ready()
	do := func(method, path, body string, header ...string) (int, string) {
		req, err := http.NewRequest(method, p.url(path), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer sender")
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
			if header[i] == "Host" {
				req.Host = header[i+1]
			}
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(answer)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(webhook("firing", "instance", "gzip"))
	z.Close()
	var bomb bytes.Buffer
	z = gzip.NewWriter(&bomb)
	z.Write(bytes.Repeat([]byte(" "), 64<<20))
	z.Close()
	for _, c := range []struct {
		method, path, body string
		header             []string
		want               int
	}{
		{"POST", "/v1/robots/ops", packed.String(), []string{"Content-Encoding", "gzip"}, 202},
		{"POST", "/v1/robots/ops", "not gzip", []string{"Content-Encoding", "gzip"}, 400},
		{"POST", "/v1/robots/ops", bomb.String(), []string{"Content-Encoding", "gzip"}, 413},
		{"POST", "/v1/robots/ops", "\ufeff" + string(webhook("firing", "instance", "bom")), nil, 202},
		{"POST", "/v1/robots/ops", `{"status":"firing","alerts":[{"labels":{"alertname":"Good"}},{"labels":{}},7]}`, nil, 202},
		{"POST", "/v1/robots/ops", string(webhook("firing", "instance", "x")), []string{"Origin", "http://evil.example.com", "Host", "evil.example.com"}, 421},
		{"GET", "/", "", []string{"User-Agent", "Mozilla/5.0", "Host", "evil.example.com", "Authorization", "Bearer operator"}, 421},
		{"GET", "/", "", []string{"User-Agent", "Mozilla/5.0", "Host", "relay.example.com", "Authorization", "Bearer operator"}, 200},
		{"POST", "/v1/robots/ops", string(webhook("firing", "instance", "y")), []string{"Host", "any.example.com"}, 202},
		{"GET", "/api/dead", "", nil, 401},
		{"GET", "/api/dead", "", []string{"Authorization", "Bearer operator"}, 200},
		{"POST", "/v1/robots/ops", string(webhook("firing", "instance", "z")), []string{"Authorization", "Bearer operator"}, 401},
	} {
		if got, answer := do(c.method, c.path, c.body, c.header...); got != c.want {
			t.Errorf("%s %s %v: HTTP %d %s, want %d", c.method, c.path, c.header, got, answer, c.want)
		}
	}
	for range 1000 {
		do("POST", "/v1/robots/ops", "{}", "Authorization", "Bearer wrong")
	}
	if n := strings.Count(p.log.String(), "status=401"); n > 3 {
		t.Errorf("wrong tokens made %d lines of the log", n)
	}
	metrics := p.get("/metrics")
	for _, want := range []string{`{reason="bad_alert"} 2`, `{reason="wrong_host"} 2`, `{reason="unauthorised"} 1002`} {
		if !strings.Contains(metrics, "relay_notifications_rejected_total"+want) {
			t.Errorf("the metrics don't say %s", want)
		}
	}
}

// TestTLSAndADoorForHealth: the web configuration file of the Prometheus family, and a listener that only answers
// health and metrics.
func TestTLSAndADoorForHealth(t *testing.T) {
	mail, err := mailtest.Listen("127.0.0.1:0", func(string, string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	defer mail.Close()
	p := newProcess(t, unreachable, map[string]string{"ops": "token"})
	cert, key := mail.KeyPair()
	p.write("cert.pem", string(cert))
	p.write("key.pem", string(key))
	p.write("web.yml", "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	health := l.Addr().String()
	l.Close()
	p.args = []string{"--web.config.file", filepath.Join(p.dir, "web.yml"), "--health-listen", health}
	p.start()
	eventually(t, 20*time.Second, func() error {
		resp, err := http.Get("http://" + health + "/-/ready")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != 200 {
			return fmt.Errorf("%s", resp.Status)
		}
		return nil
	})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(mail.CA())
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	resp, err := client.Post("https://"+p.address+"/v1/robots/ops", "application/json", bytes.NewReader(webhook("firing")))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 202 {
		t.Errorf("over TLS: %s", resp.Status)
	}
	if resp, err := http.Post("http://"+health+"/v1/robots/ops", "application/json", bytes.NewReader(webhook("firing"))); err != nil || resp.StatusCode != 404 {
		t.Errorf("the door for health takes notifications: %v %v", resp, err)
	}
	if resp, err := http.Get(p.url("/-/healthy")); err == nil && resp.StatusCode == 200 {
		t.Error("it answers without TLS")
	}
}

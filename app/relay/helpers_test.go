package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"lookout/app/relay/internal/memdir"
	"lookout/app/relay/internal/notification"
)

// long asks for the whole lengths that the README promises. By default tests are as long as it takes to see what they
// are about, so that all of them together stay quick.
var long = flag.Bool("long", false, "run with the full numbers of notifications and kills")

// atLength is a number of a long run, or of a short one.
func atLength(short, full int) int {
	if *long {
		return full
	}
	return short
}

// runAsRelay makes this test binary the relay, so that tests can kill a real process.
const runAsRelay = "LOOKOUT_TEST_RUN_AS_RELAY"

func TestMain(m *testing.M) {
	if os.Getenv(runAsRelay) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// process is a relay in a process of its own.
type process struct {
	t       testing.TB
	dir     string
	address string
	args    []string
	log     *syncBuffer
	cmd     *exec.Cmd
	exited  chan struct{}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// newProcess prepares a relay with a configuration; secret files are given by their names.
func newProcess(t testing.TB, conf string, secrets map[string]string) *process {
	t.Helper()
	p := &process{t: t, dir: memdir.New(t), log: &syncBuffer{}}
	if _, measured := t.(*testing.B); measured {
		// What is measured is a disk.
		p.dir = t.TempDir()
	}
	p.write("relay.yaml", conf)
	for name, value := range secrets {
		p.write(filepath.Join("secrets", name), value)
	}
	// A fixed port, so that senders find it again after a restart.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = l.Addr().String()
	l.Close()
	t.Cleanup(func() { p.kill() })
	return p
}

func (p *process) write(name, content string) {
	p.t.Helper()
	file := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		p.t.Fatal(err)
	}
	// Replaced, not rewritten: nobody must read half a file.
	if err := os.WriteFile(file+".new", []byte(content), 0o600); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) url(path string) string { return "http://" + p.address + path }

func (p *process) start() {
	p.t.Helper()
	args := append([]string{"serve", "--config", filepath.Join(p.dir, "relay.yaml"), "--spool", filepath.Join(p.dir, "data", "spool.db"), "--listen", p.address}, p.args...)
	p.cmd = exec.Command(os.Args[0], args...)
	p.cmd.Env = append(os.Environ(), runAsRelay+"=1")
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	// The relay must not outlive a test that is killed.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	exited := make(chan struct{})
	p.exited = exited
	cmd := p.cmd
	go func() { cmd.Wait(); close(exited) }()
}

// ready waits until the relay takes notifications and returns how long that was.
func (p *process) ready() time.Duration {
	p.t.Helper()
	began := time.Now()
	eventually(p.t, 30*time.Second, func() error {
		select {
		case <-p.exited:
			p.t.Fatalf("the relay ended:\n%s", p.log)
		default:
		}
		resp, err := http.Get(p.url("/-/ready"))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != 200 {
			return fmt.Errorf("%d %s", resp.StatusCode, body)
		}
		return nil
	})
	return time.Since(began)
}

// kill ends the relay as a power cut would end it.
func (p *process) kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	<-p.exited
	p.cmd = nil
}

// stop ends the relay the polite way and returns its exit code.
func (p *process) stop() int {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(30 * time.Second):
		p.t.Fatal("the relay does not stop")
	}
	code := p.cmd.ProcessState.ExitCode()
	p.cmd = nil
	return code
}

// rss is the relay's resident memory and its peak, in MiB.
func (p *process) rss() (now, peak float64) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		var kib float64
		if strings.HasPrefix(line, "Rss") && testing.Verbose() {
			p.t.Log(strings.TrimSpace(line))
		}
		if _, err := fmt.Sscanf(line, "VmRSS: %f kB", &kib); err == nil {
			now = kib / 1024
		}
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kib); err == nil {
			peak = kib / 1024
		}
	}
	return now, peak
}

// anonymous samples the relay's own memory until stop is called, which returns the most there was, in MiB. What is
// left out are pages of the spool's file, which the kernel takes back whenever it needs them.
func (p *process) anonymous() (stop func() float64) {
	done, most := make(chan struct{}), make(chan float64)
	status := fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid)
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		peak := 0.0
		for {
			if raw, err := os.ReadFile(status); err == nil {
				for line := range strings.Lines(string(raw)) {
					var kib float64
					if _, err := fmt.Sscanf(line, "RssAnon: %f kB", &kib); err == nil {
						peak = max(peak, kib/1024)
					}
				}
			}
			select {
			case <-tick.C:
			case <-done:
				most <- peak
				return
			}
		}
	}()
	return func() float64 { close(done); return <-most }
}

// cpu is the processor time that the relay has used so far, its own and the kernel's for it.
func (p *process) cpu() time.Duration {
	p.t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	// Fields 14 and 15 of proc(5), counted from behind the name, which may hold anything.
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		p.t.Fatal(err)
	}
	return time.Duration(user+system) * tick
}

// tick is the kernel's unit of processor time in /proc, the same on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// lastWords are the ends of the relay's log: enough to see why something failed.
func (p *process) lastWords() string {
	lines := strings.SplitAfter(p.log.String(), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "")
}

func (p *process) get(path string) string {
	p.t.Helper()
	resp, err := http.Get(p.url(path))
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(body)
}

func (p *process) post(path string, body []byte) (int, string) {
	p.t.Helper()
	resp, err := http.Post(p.url(path), "application/json", bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(answer)
}

// eventually polls until check returns nil, and reports its last error otherwise.
func eventually(t testing.TB, limit time.Duration, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("after %s still: %v", limit, err)
		case <-tick.C:
		}
	}
}

// webhook is the body of a notification with one alert of the given labels.
func webhook(status string, labels ...string) []byte {
	a := notification.Alert{
		Status: status, Labels: map[string]string{"alertname": "Test", "severity": "critical"},
		Annotations: map[string]string{"summary": "报警 a test"},
		StartsAt:    time.Now().Add(-time.Minute).UTC().Truncate(time.Second), Values: map[string]float64{"B": 12},
	}
	for i := 0; i+1 < len(labels); i += 2 {
		a.Labels[labels[i]] = labels[i+1]
	}
	if status == notification.Resolved {
		a.EndsAt = time.Now().UTC()
	}
	b, _ := json.Marshal(notification.Notification{
		Version: "4", Status: status, GroupKey: "{}:{}", Receiver: "relay",
		GroupLabels: map[string]string{"alertname": "Test"}, ExternalURL: "http://grafana.test/", Alerts: []notification.Alert{a},
	})
	return b
}

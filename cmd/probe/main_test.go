package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// service answers 200 or 503 and counts who asked.
type service struct {
	*httptest.Server
	ill   atomic.Bool
	asked atomic.Int32
}

func newService(t *testing.T) *service {
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.asked.Add(1)
		if s.ill.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func probe(t *testing.T, args ...string) (code int, says string, took time.Duration) {
	t.Helper()
	var out bytes.Buffer
	began := time.Now()
	code = run(t.Context(), args, &out, &out)
	return code, out.String(), time.Since(began)
}

func TestOnce(t *testing.T) {
	s := newService(t)
	if code, says, _ := probe(t, s.URL); code != 0 || says != "" {
		t.Errorf("a healthy service: exit %d, %q", code, says)
	}
	s.ill.Store(true)
	if code, says, _ := probe(t, s.URL); code != 1 || !strings.Contains(says, "503") {
		t.Errorf("an ill service: exit %d, %q", code, says)
	}
	s.Close()
	if code, says, _ := probe(t, s.URL); code != 1 || !strings.Contains(says, "refused") {
		t.Errorf("no service: exit %d, %q", code, says)
	}
	if n := s.asked.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

func TestTheFirstAnswerEndsACheckAndLaterOnesHold(t *testing.T) {
	s := newService(t)
	marker := filepath.Join(t.TempDir(), "answered")
	held := []string{"--hold=600ms", "--every=100ms", "--wait=400ms", "--marker=" + marker, s.URL}

	// It is still starting: asked until the check's time is over.
	s.ill.Store(true)
	code, _, took := probe(t, held...)
	if code != 1 || took < 400*time.Millisecond || s.asked.Load() < 2 {
		t.Errorf("while starting: exit %d after %s and %d questions", code, took, s.asked.Load())
	}
	// It comes up in the middle of a check, which ends with that.
	time.AfterFunc(100*time.Millisecond, func() { s.ill.Store(false) })
	if code, says, took := probe(t, held...); code != 0 || took > 390*time.Millisecond {
		t.Errorf("the first answer: exit %d after %s, %q", code, took, says)
	}
	// A later check goes on asking,
	before := s.asked.Load()
	if code, _, took := probe(t, held...); code != 0 || took < 600*time.Millisecond || s.asked.Load()-before < 4 {
		t.Errorf("a later check: exit %d after %s and %d questions", code, took, s.asked.Load()-before)
	}
	// and ends with the first bad answer; the next one is a first one again.
	time.AfterFunc(150*time.Millisecond, func() { s.ill.Store(true) })
	if code, says, took := probe(t, held...); code != 1 || took > 550*time.Millisecond || !strings.Contains(says, "503") {
		t.Errorf("bad news: exit %d after %s, %q", code, took, says)
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("bad news leaves the marker of an earlier answer")
	}
}

func TestWithoutAMarkerEveryCheckHolds(t *testing.T) {
	s := newService(t)
	held := []string{"--hold=300ms", "--every=50ms", "--wait=200ms", "--marker=" + filepath.Join(t.TempDir(), "none", "answered"), s.URL}
	code, says, took := probe(t, held...)
	if code != 0 || took < 300*time.Millisecond || !strings.Contains(says, "mount a tmpfs there") {
		t.Errorf("a healthy service: exit %d after %s, %q", code, took, says)
	}
	s.ill.Store(true)
	if code, says, _ := probe(t, held...); code != 1 || !strings.Contains(says, "503") {
		t.Errorf("an ill service: exit %d, %q", code, says)
	}
}

func TestACheckThatIsToldToEndDoes(t *testing.T) {
	s := newService(t)
	marker := filepath.Join(t.TempDir(), "answered")
	if err := os.WriteFile(marker, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	var out bytes.Buffer
	run(ctx, []string{"--hold=30s", "--marker=" + marker, s.URL}, &out, &out)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it went on for %s", took)
	}
}

func TestWrongUse(t *testing.T) {
	for _, w := range []struct {
		args []string
		says string
	}{
		{nil, "is not an address"},
		{[]string{"localhost:3000"}, `"localhost:3000" is not an address`},
		{[]string{"--hold=-1s", "http://127.0.0.1:1/"}, "--hold=-1s is negative"},
		{[]string{"--hold=soon", "http://127.0.0.1:1/"}, "--hold"},
		{[]string{"--hold=1s", "--every=0s", "http://127.0.0.1:1/"}, "--every=0s"},
	} {
		if code, says, _ := probe(t, w.args...); code != 2 || !strings.Contains(says, w.says) {
			t.Errorf("%q: exit %d, %q; want 2 and %q", w.args, code, says, w.says)
		}
	}
}

func TestBehindALogin(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/broken" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer s.Close()
	if code, _, _ := probe(t, s.URL); code != 1 {
		t.Errorf("without --alive: exit %d, although the certificate is unknown", code)
	}
	if code, says, _ := probe(t, "--alive", s.URL); code != 0 {
		t.Errorf("a service that wants a login: exit %d, %q", code, says)
	}
	if code, says, _ := probe(t, "--alive", s.URL+"/broken"); code != 1 || !strings.Contains(says, "502") {
		t.Errorf("a broken service behind a login: exit %d, %q", code, says)
	}
}

func TestASnapshotIsRemovedAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	snapshot := filepath.Join(dir, "snapshots", "20261126T103000Z-0123456789abcdef")
	block := filepath.Join(dir, "01M8BQMBKWMHA0SQQ21C5MT7X7")
	for _, folder := range []string{filepath.Join(snapshot, "block"), block} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, wrong := range []string{block, filepath.Join(dir, "snapshots"), snapshot + "/..", snapshot + "/../../" + filepath.Base(block), "snapshots/20261126T103000Z-0123456789abcdef"} {
		var stderr bytes.Buffer
		if code := run(t.Context(), []string{"--remove-snapshot=" + wrong}, io.Discard, &stderr); code != 2 || !strings.Contains(stderr.String(), "is not a snapshot") {
			t.Errorf("%s: exit %d, %q", wrong, code, stderr.String())
		}
	}
	var stderr bytes.Buffer
	if code := run(t.Context(), []string{"--remove-snapshot=" + snapshot}, io.Discard, &stderr); code != 0 {
		t.Errorf("exit %d, %q", code, stderr.String())
	}
	if _, err := os.Stat(snapshot); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v", snapshot, err)
	}
	if _, err := os.Stat(block); err != nil {
		t.Error(err)
	}
}

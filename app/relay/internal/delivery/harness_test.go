package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"lookout/app/relay/internal/config"
	"lookout/app/relay/internal/memdir"
	"lookout/app/relay/internal/notification"
	"lookout/app/relay/internal/pair"
	"lookout/app/relay/internal/spool"
)

// rig is an engine with everything around it, made to be run inside testing/synctest: time is
// simulated, and the other side is a function.
type rig struct {
	t        *testing.T
	dir      string
	log      *logBuffer
	registry *prometheus.Registry
	store    *spool.Store
	engine   *Engine
	side     http.RoundTripper
	boot     time.Time
	// pair is its part in a pair, made anew at every start; nil for a relay alone.
	pair func(*spool.Store, *slog.Logger) *pair.Pair
	// set moves the wall clock, as somebody who sets it does.
	set time.Duration

	stop context.CancelFunc
	done chan error
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// side is the other side of an HTTP call, in the same process: sockets would make synctest's clock
// stand still.
type side func(*http.Request, []byte) (*http.Response, error)

func (f side) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return f(r, body)
}

// handler is a side that an http.Handler plays.
func handler(h http.Handler) side {
	return func(r *http.Request, body []byte) (*http.Response, error) {
		in := r.Clone(r.Context())
		in.Body = io.NopCloser(bytes.NewReader(body))
		in.RemoteAddr = "127.0.0.1:40000"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, in)
		return w.Result(), nil
	}
}

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// newRig starts an engine. Secrets a, b and c exist as files.
func newRig(t *testing.T, conf string, s http.RoundTripper) *rig {
	t.Helper()
	return newRigWith(t, conf, s, nil)
}

// newRigWith has further files.
func newRigWith(t *testing.T, conf string, s http.RoundTripper, files map[string]string) *rig {
	t.Helper()
	r := &rig{t: t, dir: memdir.New(t), log: &logBuffer{}, side: s, boot: time.Now()}
	for _, name := range []string{"a", "b", "c"} {
		r.write(name, "token-"+name)
	}
	for name, content := range files {
		r.write(name, content)
	}
	r.write("relay.yaml", conf)
	r.start()
	t.Cleanup(r.end)
	return r
}

func (r *rig) write(name, content string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(content), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) load() *config.Config {
	r.t.Helper()
	c, err := config.Load(filepath.Join(r.dir, "relay.yaml"))
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

func (r *rig) start() {
	r.t.Helper()
	var err error
	r.store, err = spool.Open(filepath.Join(r.dir, "spool.db"), spool.Options{
		Clock:           spool.Clock{Now: func() time.Time { return time.Now().Add(r.set) }, Uptime: func() time.Duration { return time.Since(r.boot) }, Boot: "test"},
		DuplicateWindow: time.Minute,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.registry = prometheus.NewRegistry()
	log := slog.New(slog.NewTextHandler(r.log, nil))
	var part *pair.Pair
	if r.pair != nil {
		part = r.pair(r.store, log)
	}
	r.engine, err = New(Options{
		Pair:  part,
		Store: r.store, Config: r.load(), Log: log,
		Registry: r.registry, Metrics: NewMetrics(r.registry), Transport: r.side,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop, r.done = stop, make(chan error, 1)
	go func() { r.done <- r.engine.Run(ctx) }()
}

func (r *rig) end() {
	if r.stop == nil {
		return
	}
	r.stop()
	if err := <-r.done; err != nil {
		r.t.Error(err)
	}
	if err := r.store.Close(); err != nil {
		r.t.Error(err)
	}
	r.stop = nil
}

// alert is a notification with one alert.
func alert(status, name string, labels ...string) notification.Notification {
	a := notification.Alert{Status: status, StartsAt: time.Now(), Labels: map[string]string{"alertname": name, "severity": "warning"}}
	for i := 0; i+1 < len(labels); i += 2 {
		a.Labels[labels[i]] = labels[i+1]
	}
	if status == notification.Resolved {
		a.EndsAt = time.Now()
	}
	return notification.Notification{Version: "4", Status: status, Alerts: []notification.Alert{a}}
}

func (r *rig) accept(target string, n notification.Notification) []Accepted {
	r.t.Helper()
	raw, err := json.Marshal(n)
	if err != nil {
		r.t.Fatal(err)
	}
	// As it would arrive.
	if n, err = notification.Parse(raw); err != nil {
		r.t.Fatal(err)
	}
	a, err := r.engine.Accept(context.Background(), target, raw, n)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

// metric returns a metric's value; labels are written as in the exposition, "" for none.
func (r *rig) metric(name, labels string) float64 {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var pairs []string
			for _, l := range m.GetLabel() {
				pairs = append(pairs, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			if strings.Join(pairs, ",") == labels {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return 0
}

// lint holds the metrics to Prometheus' naming rules.
func (r *rig) lint() {
	r.t.Helper()
	problems, err := testutil.GatherAndLint(r.registry)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, p := range problems {
		r.t.Errorf("metric %s: %s", p.Metric, p.Text)
	}
}

// posted is the text and the token of a call to a robot.
type posted struct {
	at    time.Time
	token string
	uuid  string
	title string
	text  string
	size  int
	mobs  []string
	all   bool
}

func readPosted(t *testing.T, r *http.Request, body []byte) posted {
	t.Helper()
	var m struct {
		MsgUUID  string `json:"msgUuid"`
		Markdown struct{ Title, Text string }
		At       struct {
			AtMobiles []string
			IsAtAll   bool
		}
	}
	if err := json.Unmarshal(body, &m); err != nil {
		t.Error(err)
	}
	return posted{time.Now(), r.URL.Query().Get("access_token"), m.MsgUUID, m.Markdown.Title, m.Markdown.Text, len(body), m.At.AtMobiles, m.At.IsAtAll}
}

// recorder is a side that notes every call and answers as told.
type recorder struct {
	t      *testing.T
	mu     sync.Mutex
	calls  []posted
	answer func(p posted, n int) (*http.Response, error)
}

func (rec *recorder) RoundTrip(r *http.Request) (*http.Response, error) {
	return side(func(r *http.Request, body []byte) (*http.Response, error) {
		p := readPosted(rec.t, r, body)
		rec.mu.Lock()
		rec.calls = append(rec.calls, p)
		n, reply := len(rec.calls), rec.answer
		rec.mu.Unlock()
		if reply == nil {
			return answer(200, `{"errcode":0,"errmsg":"ok"}`), nil
		}
		return reply(p, n)
	}).RoundTrip(r)
}

// reply changes how calls are answered from now on; nil is success.
func (rec *recorder) reply(f func(posted, int) (*http.Response, error)) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.answer = f
}

func (rec *recorder) got() []posted {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return append([]posted{}, rec.calls...)
}

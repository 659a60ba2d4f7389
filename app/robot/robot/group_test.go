package robot_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"lookout/app/robot/robot"
)

// clock is a time that stands still until it is told otherwise.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

const (
	tokenKeyword = "token-keyword"
	tokenSigned  = "token-signed"
	tokenIP      = "token-ip"
	secret       = "SEC000"
)

// group is a running server with a robot of each kind.
type group struct {
	t     *testing.T
	url   string
	clock *clock
	reg   *prometheus.Registry

	config  robot.Config
	server  *robot.Server
	handler atomic.Pointer[http.Handler]
	http    *httptest.Server
	client  *http.Client
}

func newGroup(t *testing.T, change func(*robot.Config)) *group {
	t.Helper()
	g := &group{t: t, clock: &clock{t: time.Date(2026, 11, 22, 7, 30, 0, 0, time.UTC)}, reg: prometheus.NewRegistry()}
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	require.NoError(t, err)
	g.config = robot.Config{
		Robots: []robot.Robot{
			{AccessToken: tokenKeyword, Name: "运维群机器人", Keywords: []string{"报警", "alert"}},
			{AccessToken: tokenSigned, Name: "signed", Secret: secret},
			{AccessToken: tokenIP, Name: "internal", AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
			{AccessToken: "token-disabled", Name: "disabled", Keywords: []string{"报警"}, State: robot.Disabled},
			{AccessToken: "token-removed", Name: "removed", Keywords: []string{"报警"}, State: robot.Removed},
			{AccessToken: "token-disbanded", Name: "disbanded", Keywords: []string{"报警"}, State: robot.Disbanded},
		},
		TimeZone: shanghai, Now: g.clock.now, Registry: g.reg, Version: "test",
	}
	if change != nil {
		change(&g.config)
	}
	g.server, err = robot.New(g.config)
	require.NoError(t, err)
	h := g.server.Handler()
	g.handler.Store(&h)
	g.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*g.handler.Load()).ServeHTTP(w, r)
	}))
	g.url = g.http.URL
	// Without keep-alive and with no retries of its own, so that each call is one connection.
	g.client = &http.Client{
		Timeout:       20 * time.Second,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(func() {
		g.server.Close()
		g.http.Close()
	})
	return g
}

// restart replaces the server by a new one that knows nothing, under the same address.
func (g *group) restart() {
	g.t.Helper()
	g.config.Registry = prometheus.NewRegistry()
	next, err := robot.New(g.config)
	require.NoError(g.t, err)
	h := next.Handler()
	g.handler.Store(&h)
	g.server.Close()
	g.server = next
}

type answer struct {
	ErrCode int    `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
}

func (g *group) post(path, body string) (*http.Response, []byte, error) {
	g.t.Helper()
	req, err := http.NewRequestWithContext(g.t.Context(), http.MethodPost, g.url+path, bytes.NewReader([]byte(body)))
	require.NoError(g.t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := g.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	return resp, read, err
}

// sendTo calls a robot and demands a proper answer.
func (g *group) sendTo(query, body string) answer {
	g.t.Helper()
	resp, read, err := g.post("/robot/send?"+query, body)
	require.NoError(g.t, err)
	require.Equal(g.t, http.StatusOK, resp.StatusCode, "DingTalk answers everything with 200")
	var a struct {
		ErrCode *int
		ErrMsg  string
	}
	require.NoError(g.t, json.Unmarshal(read, &a), "%s", read)
	require.NotNil(g.t, a.ErrCode, "%s", read)
	return answer{*a.ErrCode, a.ErrMsg}
}

func (g *group) send(body string) answer {
	g.t.Helper()
	return g.sendTo("access_token="+tokenKeyword, body)
}

// try calls the robot with keywords and doesn't mind what comes back.
func (g *group) try(body string) (*http.Response, []byte, error) {
	g.t.Helper()
	return g.post("/robot/send?access_token="+tokenKeyword, body)
}

func (g *group) faults(script string) {
	g.t.Helper()
	resp, read, err := g.post("/api/faults", script)
	require.NoError(g.t, err)
	require.Equal(g.t, http.StatusOK, resp.StatusCode, "%s", read)
}

func (g *group) get(path string) (int, []byte) {
	g.t.Helper()
	req, err := http.NewRequestWithContext(g.t.Context(), http.MethodGet, g.url+path, nil)
	require.NoError(g.t, err)
	resp, err := g.client.Do(req)
	require.NoError(g.t, err)
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	require.NoError(g.t, err)
	return resp.StatusCode, read
}

func (g *group) messagesAt(path string) []robot.Message {
	g.t.Helper()
	code, read := g.get(path)
	require.Equal(g.t, http.StatusOK, code, "%s", read)
	var list struct{ Messages []robot.Message }
	require.NoError(g.t, json.Unmarshal(read, &list))
	return list.Messages
}

func (g *group) messages() []robot.Message { g.t.Helper(); return g.messagesAt("/api/messages") }

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func text(content string) string {
	return `{"msgtype":"text","text":{"content":` + quote(content) + `}}`
}

package robot_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lookout/app/robot/robot"
)

func (g *group) clear() {
	g.t.Helper()
	req, err := http.NewRequestWithContext(g.t.Context(), http.MethodDelete, g.url+"/api/messages", nil)
	require.NoError(g.t, err)
	resp, err := g.client.Do(req)
	require.NoError(g.t, err)
	resp.Body.Close()
	require.Equal(g.t, http.StatusNoContent, resp.StatusCode)
}

// metric sums all series of a metric.
func (g *group) metric(name string) float64 {
	g.t.Helper()
	families, err := g.reg.Gather()
	require.NoError(g.t, err)
	sum, found := 0.0, false
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			found = true
		}
	}
	require.True(g.t, found, "no metric %s", name)
	return sum
}

func TestListingMessages(t *testing.T) {
	g := newGroup(t, nil)
	code, body := g.get("/api/messages")
	assert.Equal(t, 200, code)
	assert.JSONEq(t, `{"messages":[]}`, string(body), "a list even when it is empty")

	g.send(text("报警 1"))
	g.send(text("no"))
	g.send(`{"msgtype":"markdown","markdown":{"title":"报警 3","text":"**3** <b>&"},"msgUuid":"u3"}`)

	kept := g.messages()
	require.Len(t, kept, 3)
	for i, m := range kept {
		assert.EqualValues(t, i+1, m.ID, "newest last")
	}
	assert.Equal(t, "报警 3", kept[2].Title)
	assert.Equal(t, "**3** <b>&", kept[2].Text, "as it was sent")
	assert.Equal(t, "u3", kept[2].MsgUUID)
	assert.Equal(t, "运维群机器人", kept[2].Robot)
	assert.JSONEq(t, `{"msgtype":"text","text":{"content":"报警 1"}}`, string(kept[0].Payload))

	ids := func(query string) (ids []int64) {
		for _, m := range g.messagesAt("/api/messages" + query) {
			ids = append(ids, m.ID)
		}
		return ids
	}
	assert.Equal(t, []int64{3}, ids("?since=2"))
	assert.Equal(t, []int64{1, 3}, ids("?accepted=true"))
	assert.Equal(t, []int64{2}, ids("?accepted=false"))
	assert.Empty(t, ids("?robot=signed"))
	for _, bad := range []string{"?since=x", "?since=-1", "?accepted=perhaps"} {
		code, _ := g.get("/api/messages" + bad)
		assert.Equal(t, 400, code, bad)
	}

	g.clear()
	assert.Empty(t, g.messages())
	g.send(text("报警 4"))
	assert.Equal(t, []int64{4}, ids(""), "an id never comes twice")
}

func TestMemoryIsBounded(t *testing.T) {
	g := newGroup(t, func(c *robot.Config) { c.Keep, c.PerMinute = 3, 100 })
	for i := range 10 {
		require.Zero(t, g.send(text(fmt.Sprintf("报警 %d", i))).ErrCode)
	}
	kept := g.messages()
	require.Len(t, kept, 3)
	assert.Equal(t, "报警 9", kept[2].Text)
	assert.Equal(t, 3.0, g.metric("robot_messages_kept"))
}

func TestAnswersAreListed(t *testing.T) {
	code, body := newGroup(t, nil).get("/api/answers")
	assert.Equal(t, 200, code)
	var list struct{ Answers []robot.Answer }
	require.NoError(t, json.Unmarshal(body, &list))
	codes := map[int]bool{}
	for _, a := range list.Answers {
		for _, c := range a.Codes {
			codes[c] = true
		}
	}
	for _, c := range []int{0, -1, 310000, 130101, 410100, 300001, 300005, 40035, 43002, 400013, 400101, 400102, 400105, 400106,
		430101, 430102, 430103, 430104, 460101} {
		assert.True(t, codes[c], "%d", c)
	}
}

func TestMetrics(t *testing.T) {
	g := newGroup(t, func(c *robot.Config) { c.PerMinute = 2 })
	g.send(text("no"))
	g.faults(`{"faults":[{"kind":"status"}]}`)
	g.try(text("报警"))
	for range 2 {
		g.send(`{"msgtype":"text","text":{"content":"报警"},"msgUuid":"u"}`)
	}
	assert.Zero(t, g.metric("robot_blocked"))
	g.send(text("报警"))
	assert.Equal(t, 1.0, g.metric("robot_blocked"))
	assert.Equal(t, 5.0, g.metric("robot_calls_total"))
	assert.Equal(t, 1.0, g.metric("robot_repeated_messages_total"))
	assert.Equal(t, 1.0, g.metric("robot_faults_total"))
	for range 50 {
		g.sendTo("access_token=stranger", text("x"))
	}
	families, err := g.reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == "robot_calls_total" {
			assert.Len(t, f.GetMetric(), 5, "0, 310000, 410100, none, and strangers as one")
		}
	}
}

// Tokens and secrets are shown nowhere: who can see the chat need not be able to write to it.
func TestSecretsStayInside(t *testing.T) {
	var logged syncBuffer
	g := newGroup(t, func(c *robot.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	g.send(text("报警"))
	g.sendTo("access_token="+tokenSigned, text("x"))
	g.sendTo("access_token=mistyped-canary", text("x"))
	g.faults(`{"faults":[{"kind":"reset","access_token":"` + tokenSigned + `"}]}`)
	seen := logged.String()
	for _, path := range []string{"/", "/api/messages", "/api/faults", "/api/answers"} {
		_, body := g.get(path)
		seen += string(body)
	}
	families, err := g.reg.Gather()
	require.NoError(t, err)
	seen += fmt.Sprint(families)
	require.Contains(t, seen, "运维群机器人")
	for _, canary := range []string{tokenKeyword, tokenSigned, secret, "mistyped-canary"} {
		assert.NotContains(t, seen, canary)
	}
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

func TestPageHeaders(t *testing.T) {
	g := newGroup(t, nil)
	resp, err := g.client.Get(g.url + "/")
	require.NoError(t, err)
	resp.Body.Close()
	policy := resp.Header.Get("Content-Security-Policy")
	assert.Contains(t, policy, "default-src 'none'; script-src 'self'; style-src 'self'; ")
	assert.NotContains(t, policy, "unsafe")
	assert.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
	for path, want := range map[string]int{"/assets/app.js": 200, "/assets/style.css": 200, "/assets/index.tmpl": 404, "/nowhere": 404} {
		code, _ := g.get(path)
		assert.Equal(t, want, code, path)
	}
}

// A page whose connection broke asks for what came meanwhile.
func TestEventsResumeWhereTheyEnded(t *testing.T) {
	g := newGroup(t, nil)
	for i := range 3 {
		g.send(text(fmt.Sprintf("报警 %d", i+1)))
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+"/api/events?since=0", nil)
	require.NoError(t, err)
	req.Header.Set("Last-Event-ID", "1") // counts for more than the address it first asked
	resp, err := g.client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))

	lines := bufio.NewScanner(resp.Body)
	next := func() (event, id string) {
		for lines.Scan() {
			switch line := lines.Text(); {
			case strings.HasPrefix(line, "event: "):
				event = line[len("event: "):]
			case strings.HasPrefix(line, "id: "):
				id = line[len("id: "):]
			case line == "" && event != "":
				return event, id
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return "", ""
	}
	expect := func(event, id string) {
		t.Helper()
		e, i := next()
		require.Equal(t, event+" "+id, e+" "+i)
	}
	expect("hello", "")
	expect("message", "2")
	expect("message", "3")
	g.send(`{"msgtype":"text","text":{"content":"报警 4"},"msgUuid":"u"}`)
	expect("message", "4")
	g.send(`{"msgtype":"text","text":{"content":"报警 4"},"msgUuid":"u"}`)
	expect("changed", "4")
	assert.Equal(t, 1.0, g.metric("robot_event_streams"))
	g.clear()
	expect("cleared", "")
	g.server.Close()
	assert.False(t, lines.Scan() && lines.Text() != "", "the stream ends with the server")
}

// Many senders and readers at once, for the race detector.
func TestConcurrently(t *testing.T) {
	g := newGroup(t, func(c *robot.Config) { c.PerMinute, c.Keep = 10_000, 50 })
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 25 {
				g.send(fmt.Sprintf(`{"msgtype":"text","text":{"content":"报警"},"msgUuid":"%d"}`, (i*25+j)%100))
				if j%5 == 0 {
					g.get("/")
					g.messages()
				}
			}
		})
	}
	all.Wait()
	assert.Len(t, g.messages(), 50)
	assert.Equal(t, 100.0, g.metric("robot_repeated_messages_total"), "each of 100 ids came twice")
}

package robot_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lookout/app/robot/robot"
)

// Each kind of fault: what the sender sees, and whether the group sees the message.
func TestFaults(t *testing.T) {
	for _, tc := range []struct {
		name, script string
		shown        bool
		sees         func(t *testing.T, resp *http.Response, body string, err error)
	}{
		{"slow", `{"kind":"slow","delay":"1ms"}`, true, func(t *testing.T, resp *http.Response, body string, err error) {
			require.NoError(t, err)
			assert.JSONEq(t, `{"errcode":0,"errmsg":"ok"}`, body)
		}},
		{"timeout", `{"kind":"timeout","delay":"1ms"}`, false, func(t *testing.T, _ *http.Response, _ string, err error) {
			assert.ErrorIs(t, err, io.EOF, "no answer at all")
		}},
		{"timeout with the message shown", `{"kind":"timeout","delay":"1ms","deliver":true}`, true, func(t *testing.T, _ *http.Response, _ string, err error) {
			assert.ErrorIs(t, err, io.EOF)
		}},
		{"reset", `{"kind":"reset"}`, false, func(t *testing.T, _ *http.Response, _ string, err error) {
			assert.ErrorIs(t, err, syscall.ECONNRESET)
		}},
		{"status", `{"kind":"status"}`, false, func(t *testing.T, resp *http.Response, _ string, err error) {
			require.NoError(t, err)
			assert.Equal(t, 503, resp.StatusCode)
		}},
		{"another status", `{"kind":"status","status":204}`, false, func(t *testing.T, resp *http.Response, _ string, err error) {
			require.NoError(t, err)
			assert.Equal(t, 204, resp.StatusCode)
		}},
		{"html", `{"kind":"html"}`, false, func(t *testing.T, resp *http.Response, body string, err error) {
			require.NoError(t, err)
			assert.Equal(t, 200, resp.StatusCode)
			assert.False(t, json.Valid([]byte(body)))
		}},
		{"flood_guard", `{"kind":"flood_guard"}`, false, func(t *testing.T, resp *http.Response, body string, err error) {
			require.NoError(t, err)
			assert.Equal(t, 200, resp.StatusCode)
			var fields map[string]any
			require.NoError(t, json.Unmarshal([]byte(body), &fields))
			assert.EqualValues(t, 1111, fields["status"])
			assert.NotContains(t, fields, "errcode")
		}},
		{"redirect", `{"kind":"redirect"}`, false, func(t *testing.T, resp *http.Response, _ string, err error) {
			require.NoError(t, err)
			assert.Equal(t, 302, resp.StatusCode)
			assert.Equal(t, "/robot/redirected", resp.Header.Get("Location"))
		}},
		{"half_body", `{"kind":"half_body"}`, true, func(t *testing.T, resp *http.Response, body string, err error) {
			assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
			assert.True(t, strings.HasPrefix(`{"errcode":0,"errmsg":"ok"}`, body) && body != "", body)
		}},
		{"a named answer", `{"kind":"errcode","answer":"unsafe_link"}`, false, func(t *testing.T, _ *http.Response, body string, err error) {
			require.NoError(t, err)
			assert.Contains(t, body, `"errcode":430101`)
		}},
		{"any errcode", `{"kind":"errcode","errcode":-1,"errmsg":"系统繁忙"}`, false, func(t *testing.T, _ *http.Response, body string, err error) {
			require.NoError(t, err)
			assert.JSONEq(t, `{"errcode":-1,"errmsg":"系统繁忙"}`, body)
		}},
		{"none", `{"kind":"none"}`, true, func(t *testing.T, _ *http.Response, body string, err error) {
			require.NoError(t, err)
			assert.JSONEq(t, `{"errcode":0,"errmsg":"ok"}`, body)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newGroup(t, nil)
			g.faults(`{"faults":[` + tc.script + `]}`)
			resp, body, err := g.try(text("报警"))
			tc.sees(t, resp, string(body), err)

			kept := g.messages()
			require.Len(t, kept, 1)
			assert.Equal(t, tc.shown, kept[0].Accepted)
			assert.Equal(t, "报警", kept[0].Text)
			assert.Zero(t, g.send(text("报警 again")).ErrCode, "the script is at its end")
		})
	}
}

// A sender that gets no answer tries again: with a msgUuid the group sees one message.
func TestRetryAfterALostAnswer(t *testing.T) {
	g := newGroup(t, nil)
	g.faults(`{"faults":[{"kind":"half_body"},{"kind":"reset","deliver":true}]}`)
	body := `{"msgtype":"text","text":{"content":"报警"},"msgUuid":"u"}`
	for range 2 {
		_, _, err := g.try(body)
		require.Error(t, err)
	}
	require.Zero(t, g.send(body).ErrCode)
	kept := g.messages()
	require.Len(t, kept, 1)
	assert.Equal(t, 2, kept[0].Repeats)
}

func TestScriptIsPlayedInItsOrder(t *testing.T) {
	g := newGroup(t, nil)
	g.faults(`{"faults":[{"kind":"status","times":2},{"kind":"none"},{"kind":"html"}]}`)
	g.faults(`{"faults":[{"kind":"status","status":500,"access_token":"` + tokenSigned + `"}]}`)
	var seen []string
	for range 5 {
		resp, body, err := g.try(text("报警"))
		require.NoError(t, err)
		seen = append(seen, fmt.Sprint(resp.StatusCode, json.Valid(body)))
	}
	assert.Equal(t, []string{"503 false", "503 false", "200 true", "200 false", "200 true"}, seen)

	code, left := g.get("/api/faults")
	assert.Equal(t, 200, code)
	assert.JSONEq(t, `{"faults":[{"kind":"status","times":1,"percent":100,"status":500,"access_token":"(set)"}]}`, string(left), "the other robot's line waits for it")
	resp, _, err := g.post("/robot/send?access_token="+tokenSigned, text("x"))
	require.NoError(t, err)
	assert.Equal(t, 500, resp.StatusCode)
}

func TestScriptForeverUntilCleared(t *testing.T) {
	g := newGroup(t, nil)
	g.faults(`{"faults":[{"kind":"status","times":-1}]}`)
	for range 30 {
		resp, _, err := g.try(text("报警"))
		require.NoError(t, err)
		require.Equal(t, 503, resp.StatusCode)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, g.url+"/api/faults", nil)
	require.NoError(t, err)
	resp, err := g.client.Do(req)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, 204, resp.StatusCode)
	assert.Zero(t, g.send(text("报警")).ErrCode)
}

// With the same seed the same calls fail, so that a failed run can be had again.
func TestFaultsAtRandomCanBeRepeated(t *testing.T) {
	play := func() (fingerprint string, proper int) {
		g := newGroup(t, func(c *robot.Config) { c.PerMinute = 1000 })
		g.faults(`{"faults":[{"kind":"random","percent":40,"times":-1}]}`)
		for range 100 {
			resp, body, err := g.try(text("报警"))
			switch {
			case err != nil:
				fingerprint += "x"
			case resp.StatusCode == 200 && strings.Contains(string(body), `"errcode":0`):
				fingerprint += "."
				proper++
			default:
				fingerprint += fmt.Sprint(resp.StatusCode / 100)
			}
		}
		return fingerprint, proper
	}
	first, proper := play()
	second, _ := play()
	assert.Equal(t, first, second)
	assert.InDelta(t, 64, proper, 15, "60 and the slow ones: %s", first)
}

func TestBadScriptsAreRefusedWhole(t *testing.T) {
	g := newGroup(t, nil)
	for body, want := range map[string]string{
		`{`:            `{"faults":[{"kind":"…"}]}`,
		`{}`:           "the list is empty",
		`{"fault":[]}`: "fault",
		`{"faults":[{"kind":"reset"},{"kind":"explode"}]}`:                               `faults[1]: kind "explode": choose one of none, slow`,
		`{"faults":[{"kind":"reset","times":-2}]}`:                                       "times -2",
		`{"faults":[{"kind":"reset","percent":101}]}`:                                    "percent 101",
		`{"faults":[{"kind":"slow","delay":"long"}]}`:                                    `delay "long"`,
		`{"faults":[{"kind":"slow","delay":"61s"}]}`:                                     "from 0s to 1m0s",
		`{"faults":[{"kind":"status","status":99}]}`:                                     "status 99",
		`{"faults":[{"kind":"reset","status":500}]}`:                                     `with kind "status" only`,
		`{"faults":[{"kind":"errcode"}]}`:                                                "needs answer",
		`{"faults":[{"kind":"errcode","answer":"maybe"}]}`:                               "GET /api/answers",
		`{"faults":[{"kind":"reset","errcode":5}]}`:                                      `go with kind "errcode"`,
		`{"faults":[{"kind":"reset","access_token":"nobody"}]}`:                          "belongs to no robot",
		`{"faults":[` + strings.Repeat(`{"kind":"none"},`, 10_000) + `{"kind":"none"}]}`: "at most 10000 lines",
	} {
		resp, read, err := g.post("/api/faults", body)
		require.NoError(t, err)
		assert.Equal(t, 400, resp.StatusCode, "%.80s", body)
		var refusal struct{ Error string }
		require.NoError(t, json.Unmarshal(read, &refusal))
		assert.Contains(t, refusal.Error, want)
	}
	assert.Zero(t, g.send(text("报警")).ErrCode, "nothing of them was taken")
}

func TestFollowedRedirectIsCounted(t *testing.T) {
	g := newGroup(t, nil)
	g.faults(`{"faults":[{"kind":"redirect"}]}`)
	g.client.CheckRedirect = nil // a careless sender
	assert.Zero(t, g.send(text("报警")).ErrCode, "it looks like success")
	assert.Equal(t, 1.0, g.metric("robot_redirects_followed_total"))
	assert.Empty(t, g.messagesAt("/api/messages?accepted=true"), "but is none")
}

// A scripted wait of a minute must not keep the program from stopping.
func TestCloseEndsWaits(t *testing.T) {
	g := newGroup(t, nil)
	g.faults(`{"faults":[{"kind":"timeout"}]}`)
	done := make(chan error, 1)
	go func() {
		_, _, err := g.try(text("报警"))
		done <- err
	}()
	require.Eventually(t, func() bool { return len(g.messages()) == 1 }, 10*time.Second, 5*time.Millisecond)
	g.server.Close()
	select {
	case err := <-done:
		assert.Error(t, err)
	case <-time.After(10 * time.Second):
		t.Fatal("still waiting")
	}
}

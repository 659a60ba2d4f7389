package robot_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lookout/app/robot/robot"
)

// chats is a server with robots of the other chats, at a time that tests set.
type chats struct {
	t      *testing.T
	server *robot.Server
	now    time.Time
}

func newChats(t *testing.T, robots ...robot.Robot) *chats {
	t.Helper()
	c := &chats{t: t, now: time.Unix(1_700_000_000, 0)}
	var err error
	c.server, err = robot.New(robot.Config{Robots: robots, Now: func() time.Time { return c.now }, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(c.server.Close)
	return c
}

// call posts to a path and returns the code and the words of the answer, whatever its chat calls them.
func (c *chats) call(path, body string) (int, string) {
	c.t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:4000"
	c.server.Handler().ServeHTTP(w, r)
	raw, err := io.ReadAll(w.Result().Body)
	require.NoError(c.t, err)
	var a struct {
		Code, Errcode *int
		Msg, Errmsg   string
	}
	require.NoError(c.t, json.Unmarshal(raw, &a), "%s", raw)
	if a.Code != nil {
		return *a.Code, a.Msg
	}
	require.NotNil(c.t, a.Errcode, "%s", raw)
	return *a.Errcode, a.Errmsg
}

const card = `{"msg_type":"interactive","card":{"schema":"2.0","header":{"title":{"tag":"plain_text","content":"报警 T"},"template":"red"},"body":{"elements":[{"tag":"markdown","content":"**x** <at id=ou_1></at> <at id=all></at>"},{"tag":"button","text":{"tag":"plain_text","content":"Open"},"behaviors":[{"type":"open_url","default_url":"https://e.test/"}]}]}}}`

// sign is worked out as the documentation says: the time and the secret are the key, of an empty message.
func sign(secret string, timestamp int64) string {
	return base64.StdEncoding.EncodeToString(hmac.New(sha256.New, fmt.Appendf(nil, "%d\n%s", timestamp, secret)).Sum(nil))
}

// TestFeishusRules: each refuses with its code.
func TestFeishusRules(t *testing.T) {
	c := newChats(t,
		robot.Robot{Chat: robot.Feishu, AccessToken: "keyword", Name: "keyword", Keywords: []string{"报警"}},
		robot.Robot{Chat: robot.Feishu, AccessToken: "signed", Name: "signed", Secret: "SEC"},
		robot.Robot{Chat: robot.Feishu, AccessToken: "ip", Name: "ip", AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
		robot.Robot{Chat: robot.Feishu, AccessToken: "off", Name: "off", State: robot.Disabled},
		robot.Robot{AccessToken: "dingtalk", Name: "dingtalk", Keywords: []string{"报警"}},
	)
	const hook = "/open-apis/bot/v2/hook/"
	signed := func(age time.Duration, secret string) string {
		ts := c.now.Add(-age).Unix()
		return fmt.Sprintf(`{"timestamp":"%d","sign":%q,"msg_type":"text","content":{"text":"x"}}`, ts, sign(secret, ts))
	}
	for _, tc := range []struct {
		name, token, body string
		code              int
	}{
		{"a card", "keyword", card, 0},
		{"a text", "keyword", `{"msg_type":"text","content":{"text":"报警 x"}}`, 0},
		{"rich text", "keyword", `{"msg_type":"post","content":{"post":{"zh_cn":{"title":"报警","content":[[{"tag":"text","text":"a"},{"tag":"a","text":"b","href":"https://e.test/"},{"tag":"at","user_id":"all"}]]}}}}`, 0},
		{"no keyword", "keyword", `{"msg_type":"text","content":{"text":"all is well"}}`, 19024},
		{"another chat's robot", "dingtalk", card, 19001},
		{"an unknown token", "unknown", card, 19001},
		{"a robot that is off", "off", card, 19007},
		{"a stranger's address", "ip", card, 19022},
		{"signed", "signed", signed(0, "SEC"), 0},
		{"signed within the hour", "signed", signed(59*time.Minute, "SEC"), 0},
		{"an old signature", "signed", signed(61*time.Minute, "SEC"), 19021},
		{"a signature of the future", "signed", signed(-61*time.Minute, "SEC"), 19021},
		{"another secret", "signed", signed(0, "OTHER"), 19021},
		{"no signature", "signed", `{"msg_type":"text","content":{"text":"x"}}`, 19021},
		{"not JSON", "keyword", `报警`, 9499},
		{"no msg_type", "keyword", `{"content":{"text":"报警"}}`, 19002},
		{"an unknown msg_type", "keyword", `{"msg_type":"markdown","content":{"text":"报警"}}`, 9499},
		{"an empty text", "keyword", `{"msg_type":"text","content":{"text":" "}}`, 9499},
		{"a card of the older schema", "keyword", strings.Replace(card, `"2.0"`, `"1.0"`, 1), 9499},
		{"a card without title", "keyword", strings.Replace(card, "报警 T", "", 1), 9499},
		{"a card of no colour", "keyword", strings.Replace(card, `"red"`, `"#f00"`, 1), 9499},
		{"a card with an unknown element", "keyword", strings.Replace(card, `"tag":"markdown"`, `"tag":"lark_md"`, 1), 9499},
		{"too long", "keyword", `{"msg_type":"text","content":{"text":"报警 ` + strings.Repeat("x", 20_000) + `"}}`, 9499},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, words := c.call(hook+tc.token, tc.body)
			assert.Equal(t, tc.code, code, words)
		})
	}
	first := c.server.Messages(0)[0]
	assert.Equal(t, robot.Feishu, first.Chat)
	assert.Equal(t, "报警 T", first.Title)
	assert.Equal(t, "**x** @ou_1 @all", first.Text)
	assert.True(t, first.At.All)
	assert.Equal(t, []string{"ou_1"}, first.At.UserIDs)
	assert.Equal(t, "https://e.test/", first.Links[0].URL)
}

// TestFeishusLimits: five in a second and a hundred in a minute; beyond that nothing is blocked.
func TestFeishusLimits(t *testing.T) {
	c := newChats(t, robot.Robot{Chat: robot.Feishu, AccessToken: "t", Name: "t"})
	send := func() int {
		code, _ := c.call("/open-apis/bot/v2/hook/t", card)
		return code
	}
	for range 5 {
		require.Equal(t, 0, send())
	}
	require.Equal(t, 11232, send(), "the sixth of a second")
	for range 19 {
		c.now = c.now.Add(time.Second)
		for range 5 {
			require.Equal(t, 0, send())
		}
	}
	c.now = c.now.Add(time.Second)
	require.Equal(t, 11232, send(), "the 101st of a minute")
	c.now = c.now.Add(41 * time.Second)
	require.Equal(t, 0, send(), "once the first are a minute ago")
}

// TestWeComsRules: each refuses with its code.
func TestWeComsRules(t *testing.T) {
	c := newChats(t,
		robot.Robot{Chat: robot.WeCom, AccessToken: "key", Name: "group"},
		robot.Robot{Chat: robot.WeCom, AccessToken: "gone", Name: "gone", State: robot.Removed},
	)
	markdown := func(content string) string {
		b, err := json.Marshal(map[string]any{"msgtype": "markdown", "markdown": map[string]string{"content": content}})
		require.NoError(t, err)
		return string(b)
	}
	for _, tc := range []struct {
		name, key, body string
		code            int
		words           string
	}{
		{"markdown", "key", markdown("**报警**"), 0, "ok"},
		{"whoever is mentioned", "key", `{"msgtype":"markdown","markdown":{"content":"x <@zhangsan><@all>"}}`, 0, "ok"},
		{"text", "key", `{"msgtype":"text","text":{"content":"x","mentioned_list":["@all"],"mentioned_mobile_list":["138"]}}`, 0, "ok"},
		{"4096 bytes", "key", markdown(strings.Repeat("长", 1365) + "x"), 0, "ok"},
		{"4097 bytes", "key", markdown(strings.Repeat("长", 1365) + "xx"), 40058, "markdown.content exceed max length 4096"},
		{"a long text", "key", `{"msgtype":"text","text":{"content":"` + strings.Repeat("x", 2049) + `"}}`, 40058, "text.content exceed max length 2048"},
		{"an escape", "key", `{"msgtype":"markdown","markdown":{"content":"a\u0026b"}}`, 40033, ""},
		{"a backslash before a u", "key", `{"msgtype":"markdown","markdown":{"content":"C:\\u1234"}}`, 0, "ok"},
		{"an unknown type", "key", `{"msgtype":"card"}`, 40008, "invalid message type"},
		{"empty", "key", markdown(" "), 44004, "empty content"},
		{"not JSON", "key", `x`, 40058, "wrong json format"},
		{"a wrong key", "other", markdown("x"), 93000, "invalid webhook url"},
		{"a robot that was taken out", "gone", markdown("x"), 93000, "invalid webhook url"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, words := c.call("/cgi-bin/webhook/send?key="+tc.key, tc.body)
			assert.Equal(t, tc.code, code, words)
			assert.Contains(t, words, tc.words)
		})
	}
	at := c.server.Messages(0)[1]
	assert.Equal(t, "x @zhangsan@all", at.Text)
	assert.True(t, at.At.All)
	for range 15 {
		code, _ := c.call("/cgi-bin/webhook/send?key=key", markdown("x"))
		require.Equal(t, 0, code)
	}
	code, words := c.call("/cgi-bin/webhook/send?key=key", markdown("x"))
	require.Equal(t, 45009, code, "the 21st of a minute")
	require.Contains(t, words, "api freq out of limit")
	c.now = c.now.Add(time.Minute)
	code, _ = c.call("/cgi-bin/webhook/send?key=key", markdown("x"))
	require.Equal(t, 0, code, "a minute later")
}

// TestFaultsOfOtherChats: a scripted errcode has the form of the chat.
func TestFaultsOfOtherChats(t *testing.T) {
	c := newChats(t, robot.Robot{Chat: robot.Feishu, AccessToken: "t", Name: "t"})
	w := httptest.NewRecorder()
	c.server.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/api/faults", strings.NewReader(`{"faults":[{"kind":"errcode","errcode":11232,"errmsg":"frequency limited","access_token":"t"}]}`)))
	require.Equal(t, 200, w.Code, w.Body)
	code, words := c.call("/open-apis/bot/v2/hook/t", card)
	assert.Equal(t, 11232, code)
	assert.Equal(t, "frequency limited", words)
}

// TestOtherChatsOnThePage: lines stay lines, a card has its title and button, and what WeCom does not format is shown as written.
func TestOtherChatsOnThePage(t *testing.T) {
	c := newChats(t,
		robot.Robot{Chat: robot.Feishu, AccessToken: "t", Name: "f"},
		robot.Robot{Chat: robot.WeCom, AccessToken: "k", Name: "w"},
	)
	c.call("/open-apis/bot/v2/hook/t", card)
	c.call("/cgi-bin/webhook/send?key=k", `{"msgtype":"markdown","markdown":{"content":"**报警**\n• a_b_c\n• second"}}`)
	w := httptest.NewRecorder()
	c.server.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/?lang=zh", nil))
	page := w.Body.String()
	for _, want := range []string{"<h3>报警 T</h3>", `href="https://e.test/"`, "• a_b_c<br", "• second"} {
		assert.Contains(t, page, want)
	}
}

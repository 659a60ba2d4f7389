package robot_test

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lookout/app/robot/robot"
)

// Each rule refuses with its code, in the words of both generations.
func TestRefusals(t *testing.T) {
	long := text("报警 " + strings.Repeat("x", 20_000))
	for _, tc := range []struct {
		name, query, body  string
		codeNew, codeOld   int
		wordsNew, wordsOld string
	}{
		{"no token", "", text("报警"), 400101, 400101, "access_token不存在", "access_token"},
		{"an unknown token", "access_token=nobody", text("报警"), 300005, 300001, "token is not exist", "token is not exist"},
		{"a disabled robot", "access_token=token-disabled", text("报警"), 400102, 400102, "机器人已停用", "disabled"},
		{"a removed robot", "access_token=token-removed", text("报警"), 400106, 400106, "机器人不存在", "not found"},
		{"a group that is gone", "access_token=token-disbanded", text("报警"), 400013, 400013, "群已被解散", "disbanded"},
		{"no keyword", "access_token=" + tokenKeyword, text("all is well"), 310000, 310000, "关键词不匹配", "keywords not in content"},
		{"the keyword in another case", "access_token=" + tokenKeyword, text("ALERT"), 310000, 310000, "关键词不匹配", "keywords not in content"},
		{"a stranger's address", "access_token=" + tokenIP, text("x"), 310000, 310000, "127.0.0.1", "ip 127.0.0.1 not in whitelist"},
		{"no signature", "access_token=" + tokenSigned, text("x"), 310000, 310000, "签名过期", "invalid timestamp"},
		{"a body that is no JSON", "access_token=" + tokenKeyword, "报警", 40035, 40035, "缺少参数 json", "缺少参数 json"},
		{"an empty body", "access_token=" + tokenKeyword, "", 40035, 40035, "缺少参数 json", "缺少参数 json"},
		{"a number for a text", "access_token=" + tokenKeyword, `{"msgtype":"text","text":{"content":7}}`, 40035, 40035, "json", "json"},
		{"no msgtype", "access_token=" + tokenKeyword, `{"text":{"content":"报警"}}`, 40035, 40035, "msgtype", "msgtype"},
		{"an unsupported msgtype", "access_token=" + tokenKeyword, `{"msgtype":"file"}`, 400105, 400105, "不支持的消息类型", "msgtype"},
		{"a text without content", "access_token=" + tokenKeyword, `{"msgtype":"text","text":{"content":" "}}`, 40035, 40035, "text.content", "text.content"},
		{"markdown without title", "access_token=" + tokenKeyword, `{"msgtype":"markdown","markdown":{"text":"报警"}}`, 40035, 40035, "markdown.title", "markdown.title"},
		{"a link without address", "access_token=" + tokenKeyword, `{"msgtype":"link","link":{"title":"报警","text":"x"}}`, 40035, 40035, "link.messageUrl", "link.messageUrl"},
		{"an actionCard without buttons", "access_token=" + tokenKeyword, `{"msgtype":"actionCard","actionCard":{"title":"报警","text":"x"}}`, 40035, 40035, "actionCard.singleTitle", "actionCard.singleTitle"},
		{"a button without address", "access_token=" + tokenKeyword, `{"msgtype":"actionCard","actionCard":{"title":"报警","text":"x","btns":[{"title":"go"}]}}`, 40035, 40035, "actionCard.btns.actionURL", "actionCard.btns.actionURL"},
		{"an empty feedCard", "access_token=" + tokenKeyword, `{"msgtype":"feedCard","feedCard":{"links":[]}}`, 40035, 40035, "feedCard.links", "feedCard.links"},
		{"a body that is too long", "access_token=" + tokenKeyword, long, 460101, 460101, "不超过20000", "exceed 20000 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for wording, want := range map[robot.Wording]struct {
				code  int
				words string
			}{robot.Described: {tc.codeNew, tc.wordsNew}, robot.Classic: {tc.codeOld, tc.wordsOld}} {
				g := newGroup(t, func(c *robot.Config) { c.Wording = wording })
				got := g.sendTo(tc.query, tc.body)
				assert.Equal(t, want.code, got.ErrCode)
				assert.Contains(t, got.ErrMsg, want.words)

				kept := g.messages()
				require.Len(t, kept, 1, "what is refused is kept for the page")
				assert.False(t, kept[0].Accepted)
				assert.Equal(t, answer{kept[0].ErrCode, kept[0].ErrMsg}, got)
			}
		})
	}
}

func TestMethodIsPost(t *testing.T) {
	g := newGroup(t, nil)
	code, body := g.get("/robot/send?access_token=" + tokenKeyword)
	assert.Equal(t, 200, code)
	assert.JSONEq(t, `{"errcode":43002,"errmsg":"需要POST请求"}`, string(body))
}

func TestAcceptedBodyIsExactlyOK(t *testing.T) {
	g := newGroup(t, nil)
	_, body, err := g.try(text("报警"))
	require.NoError(t, err)
	assert.JSONEq(t, `{"errcode":0,"errmsg":"ok"}`, string(body))
}

// The keyword may stand wherever the group can read it.
func TestKeywordIsLookedForInAllThatIsShown(t *testing.T) {
	g := newGroup(t, nil)
	for _, body := range []string{
		text("报警"), text("an alert"),
		`{"msgtype":"markdown","markdown":{"title":"报警","text":"x"}}`,
		`{"msgtype":"markdown","markdown":{"title":"x","text":"报警"}}`,
		`{"msgtype":"link","link":{"title":"报警","text":"x","messageUrl":"http://a"}}`,
		`{"msgtype":"link","link":{"title":"x","text":"报警","messageUrl":"http://a"}}`,
		`{"msgtype":"actionCard","actionCard":{"title":"x","text":"报警","singleTitle":"y","singleURL":"http://a"}}`,
		`{"msgtype":"actionCard","actionCard":{"title":"x","text":"y","btns":[{"title":"报警","actionURL":"http://a"}]}}`,
		`{"msgtype":"feedCard","feedCard":{"links":[{"title":"报警","messageURL":"http://a","picURL":"http://a"}]}}`,
	} {
		assert.Zero(t, g.send(body).ErrCode, body)
	}
	for _, body := range []string{
		`{"msgtype":"link","link":{"title":"x","text":"y","messageUrl":"http://a/报警"}}`,
		`{"msgtype":"text","text":{"content":"x"},"markdown":{"title":"报警","text":"报警"}}`,
		`{"msgtype":"text","text":{"content":"x"},"msgUuid":"报警"}`,
	} {
		assert.Equal(t, 310000, g.send(body).ErrCode, body)
	}
}

// The expected value was computed by another implementation (Python's hmac).
func TestSign(t *testing.T) {
	assert.Equal(t, "0mUoy51oaZiRp9zSbtu3Gh7pbwvH33YBGob4MsxeXA4=", robot.Sign("SEC000", time.UnixMilli(1577262236757)))
}

func TestSignature(t *testing.T) {
	g := newGroup(t, nil)
	query := func(signedAt time.Time, sign string) string {
		return url.Values{"access_token": {tokenSigned}, "timestamp": {fmt.Sprint(signedAt.UnixMilli())}, "sign": {sign}}.Encode()
	}
	now := g.clock.now()
	for _, tc := range []struct {
		name  string
		query string
		want  string // part of the refusal; empty: accepted
	}{
		{"now", query(now, robot.Sign(secret, now)), ""},
		{"an hour ago", query(now.Add(-time.Hour), robot.Sign(secret, now.Add(-time.Hour))), ""},
		{"in an hour", query(now.Add(time.Hour), robot.Sign(secret, now.Add(time.Hour))), ""},
		{"more than an hour ago", query(now.Add(-time.Hour-time.Millisecond), robot.Sign(secret, now.Add(-time.Hour-time.Millisecond))), "签名过期"},
		{"more than an hour ahead", query(now.Add(time.Hour+time.Millisecond), robot.Sign(secret, now.Add(time.Hour+time.Millisecond))), "签名过期"},
		{"another secret", query(now, robot.Sign("SEC001", now)), "签名不匹配"},
		{"another time's signature", query(now, robot.Sign(secret, now.Add(time.Second))), "签名不匹配"},
		{"seconds for milliseconds", "access_token=" + tokenSigned + "&sign=x&timestamp=" + fmt.Sprint(now.Unix()), "签名过期"},
		{"no sign", "access_token=" + tokenSigned + "&timestamp=" + fmt.Sprint(now.UnixMilli()), "签名不匹配"},
		{"no timestamp", "access_token=" + tokenSigned + "&sign=x", "签名过期"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := g.sendTo(tc.query, text("no keyword needed"))
			if tc.want == "" {
				assert.Equal(t, answer{0, "ok"}, got)
				return
			}
			assert.Equal(t, 310000, got.ErrCode)
			assert.Contains(t, got.ErrMsg, tc.want)
		})
	}
}

// The sign holds "+" and "/": who forgets to escape it for the query sends a space.
func TestUnescapedSignDoesNotMatch(t *testing.T) {
	g := newGroup(t, nil)
	for i := range 100 {
		at := g.clock.now().Add(time.Duration(i) * time.Second)
		sign := robot.Sign(secret, at)
		if !strings.Contains(sign, "+") {
			continue
		}
		got := g.sendTo(fmt.Sprintf("access_token=%s&timestamp=%d&sign=%s", tokenSigned, at.UnixMilli(), sign), text("x"))
		assert.Equal(t, 310000, got.ErrCode)
		return
	}
	t.Fatal("no sign with a + among 100")
}

func TestAllSecuritySettingsMustBeMet(t *testing.T) {
	g := newGroup(t, func(c *robot.Config) {
		c.Robots = []robot.Robot{{AccessToken: tokenKeyword, Name: "all", Keywords: []string{"报警"}, Secret: secret,
			AllowedIPs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}
	})
	now := g.clock.now()
	signed := url.Values{"access_token": {tokenKeyword}, "timestamp": {fmt.Sprint(now.UnixMilli())}, "sign": {robot.Sign(secret, now)}}.Encode()
	assert.Equal(t, 310000, g.send(text("报警")).ErrCode)
	assert.Equal(t, 310000, g.sendTo(signed, text("x")).ErrCode)
	assert.Zero(t, g.sendTo(signed, text("报警")).ErrCode)
}

func TestTwentyAMinuteThenBlocked(t *testing.T) {
	g := newGroup(t, nil)
	tooFast := func() bool { return g.send(text("报警")).ErrCode == 410100 }
	for range 10 {
		require.False(t, tooFast())
	}
	g.clock.add(59 * time.Second)
	for range 10 {
		require.False(t, tooFast())
	}
	g.clock.add(time.Second) // the first ten are a minute old
	for range 10 {
		require.False(t, tooFast())
	}
	require.True(t, tooFast(), "the 21st of any minute")
	assert.Zero(t, g.sendTo("access_token="+tokenSigned+signQuery(g.clock.now()), text("x")).ErrCode, "another robot is not blocked")

	g.clock.add(10*time.Minute - time.Millisecond)
	require.True(t, tooFast(), "blocked for ten minutes")
	g.clock.add(time.Millisecond)
	require.False(t, tooFast(), "and no longer, although it was tried meanwhile")
}

func signQuery(at time.Time) string {
	return fmt.Sprintf("&timestamp=%d&sign=%s", at.UnixMilli(), url.QueryEscape(robot.Sign(secret, at)))
}

func TestLimitsCanBeScaled(t *testing.T) {
	g := newGroup(t, func(c *robot.Config) { c.PerMinute, c.Window, c.Block = 2, time.Second, 3*time.Second })
	for range 2 {
		require.Zero(t, g.send(text("报警")).ErrCode)
	}
	require.Equal(t, 410100, g.send(text("报警")).ErrCode)
	g.clock.add(3 * time.Second)
	require.Zero(t, g.send(text("报警")).ErrCode)
}

// What a security setting refuses costs nothing of the minute; a repeat does.
func TestWhatCountsTowardsTheMinute(t *testing.T) {
	g := newGroup(t, func(c *robot.Config) { c.PerMinute = 2 })
	for range 5 {
		require.Equal(t, 310000, g.send(text("x")).ErrCode)
	}
	repeated := `{"msgtype":"text","text":{"content":"报警"},"msgUuid":"u"}`
	require.Zero(t, g.send(repeated).ErrCode)
	require.Zero(t, g.send(repeated).ErrCode)
	require.Equal(t, 410100, g.send(repeated).ErrCode)
}

func TestLongestBody(t *testing.T) {
	g := newGroup(t, nil)
	frame := len(text("报警"))
	assert.Zero(t, g.send(text("报警"+strings.Repeat("x", 20_000-frame))).ErrCode, "20,000 bytes")
	assert.Equal(t, 460101, g.send(text("报警"+strings.Repeat("x", 20_001-frame))).ErrCode)
	assert.Equal(t, 460101, g.send(text("报警"+strings.Repeat("x", 900_000))).ErrCode)
	assert.NotZero(t, g.send(text("报警"+strings.Repeat("x", 3<<20))).ErrCode, "reading has an end")
	for _, long := range []string{
		`{"msgtype":"link","link":{"title":"` + strings.Repeat("x", 100_000) + `","text":"x","messageUrl":"http://a"}}`,
		`{"msgtype":"` + strings.Repeat("x", 100_000) + `"}`,
		`{"msgtype":"text","text":{"content":"报警"},"at":{"atMobiles":["` + strings.Repeat("1", 100_000) + `"]}}`,
	} {
		assert.Equal(t, 460101, g.send(long).ErrCode)
	}
	_, list := g.get("/api/messages")
	assert.Less(t, len(list), 5*20_000+10_000, "what is too long isn't kept whole")
	code, _ := g.get("/")
	assert.Equal(t, 200, code, "and can be shown")
}

func TestMsgUUIDMakesARetryHarmless(t *testing.T) {
	g := newGroup(t, nil)
	body := `{"msgtype":"text","text":{"content":"报警 %s"},"msgUuid":"same"}`
	require.Equal(t, 310000, g.send(`{"msgtype":"text","text":{"content":"x"},"msgUuid":"same"}`).ErrCode)
	for _, word := range []string{"first", "second", "third"} {
		require.Equal(t, answer{0, "ok"}, g.send(fmt.Sprintf(body, word)))
	}
	kept := g.messagesAt("/api/messages?accepted=true")
	require.Len(t, kept, 1, "a refused one doesn't use up the id, an accepted one does")
	assert.Equal(t, "报警 first", kept[0].Text)
	assert.Equal(t, 2, kept[0].Repeats)

	require.Zero(t, g.sendTo("access_token="+tokenSigned+signQuery(g.clock.now()), fmt.Sprintf(body, "elsewhere")).ErrCode)
	assert.Len(t, g.messagesAt("/api/messages?accepted=true"), 2, "each robot has its own ids")

	g.clear()
	require.Zero(t, g.send(fmt.Sprintf(body, "fourth")).ErrCode)
	assert.Empty(t, g.messages(), "still known after the chat was cleared")
}

func TestMsgUUIDsAreBounded(t *testing.T) {
	g := newGroup(t, func(c *robot.Config) { c.KeepUUIDs, c.PerMinute = 2, 100 })
	send := func(id string) {
		require.Zero(t, g.send(`{"msgtype":"text","text":{"content":"报警"},"msgUuid":"`+id+`"}`).ErrCode)
	}
	for _, id := range []string{"a", "b", "c", "c", "b", "a"} {
		send(id)
	}
	assert.Len(t, g.messages(), 4, "a was forgotten, b and c were not")
}

func TestMentions(t *testing.T) {
	g := newGroup(t, nil)
	require.Zero(t, g.send(`{"msgtype":"text","text":{"content":"报警 @13800138000 @u1"},"at":{"atMobiles":["13800138000","13900139000"],"atUserIds":["u1","u2"],"isAtAll":false}}`).ErrCode)
	require.Zero(t, g.send(`{"msgtype":"text","text":{"content":"报警"},"at":{"isAtAll":"true"}}`).ErrCode)
	kept := g.messages()
	assert.Equal(t, robot.At{Mobiles: []string{"13800138000", "13900139000"}, UserIDs: []string{"u1", "u2"}, Lost: []string{"13900139000", "u2"}}, kept[0].At)
	assert.True(t, kept[1].At.All)
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	good := robot.Robot{AccessToken: "t", Name: "n", Keywords: []string{"k"}}
	for want, change := range map[string]func(*robot.Config){
		"no robots":              func(c *robot.Config) { c.Robots = nil },
		"access_token is empty":  func(c *robot.Config) { c.Robots[0].AccessToken = "" },
		`name ""`:                func(c *robot.Config) { c.Robots[0].Name = "" },
		`name "unknown"`:         func(c *robot.Config) { c.Robots[0].Name = "unknown" },
		"another robot's":        func(c *robot.Config) { c.Robots = append(c.Robots, robot.Robot{AccessToken: "t", Name: "o"}) },
		"two robots":             func(c *robot.Config) { c.Robots = append(c.Robots, robot.Robot{AccessToken: "u", Name: "n"}) },
		"at least one":           func(c *robot.Config) { c.Robots[0].Keywords = nil },
		"a keyword is empty":     func(c *robot.Config) { c.Robots[0].Keywords = []string{"k", ""} },
		"a robot takes up to 10": func(c *robot.Config) { c.Robots[0].Keywords = strings.Split("abcdefghijk", "") },
		`state "asleep"`:         func(c *robot.Config) { c.Robots[0].State = "asleep" },
		`wording "french"`:       func(c *robot.Config) { c.Wording = "french" },
		"below zero":             func(c *robot.Config) { c.Keep = -1 },
	} {
		c := robot.Config{Robots: []robot.Robot{good}}
		change(&c)
		_, err := robot.New(c)
		require.Error(t, err, want)
		assert.Contains(t, err.Error(), want)
		assert.NotContains(t, err.Error(), "\n")
	}
}

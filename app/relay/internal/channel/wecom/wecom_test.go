package wecom

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"lookout/app/relay/internal/channel"
)

func same(s string) string { return s }

// TestAnswers: what each answer means, by its code and its words.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		status  int
		body    string
		outcome channel.Outcome
		code    string
		says    string
	}{
		{200, `{"errcode":0,"errmsg":"ok"}`, channel.Delivered, "0", "ok"},
		{200, `{"errcode":-1,"errmsg":"system busy"}`, channel.Retry, "-1", "busy"},
		{200, `{"errcode":45009,"errmsg":"api freq out of limit, hint: [1], from ip: 127.0.0.1"}`, channel.Throttled, "45009", "too many"},
		{200, `{"errcode":45033,"errmsg":"api concurrent out of limit"}`, channel.Throttled, "45033", "at once"},
		{200, `{"errcode":40058,"errmsg":"markdown.content exceed max length 4096. invalid Request Parameter, hint: [1]"}`, channel.Split, "40058", "too long"},
		{200, `{"errcode":40058,"errmsg":"invalid Request Parameter, hint: [1]"}`, channel.Refused, "40058", "not valid"},
		{200, `{"errcode":45002,"errmsg":"content size out of limit"}`, channel.Split, "45002", "too long"},
		{200, `{"errcode":93000,"errmsg":"invalid webhook url, hint: [1]"}`, channel.Refused, "93000", "key is wrong"},
		{200, `{"errcode":93999,"errmsg":"?"}`, channel.Refused, channel.CodeOther, "93999"},
		{200, `{"errcode":40008,"errmsg":"invalid message type"}`, channel.Refused, "40008", "type"},
		{200, `{"errcode":44004,"errmsg":"empty content"}`, channel.Refused, "44004", "empty"},
		{200, `{"errcode":301,"errmsg":"?"}`, channel.Retry, channel.CodeOther, "unknown"},
		{200, `{"errmsg":"ok"}`, channel.Retry, channel.CodeNoErrcode, "without"},
		{200, `ok`, channel.Retry, channel.CodeNotJSON, "JSON"},
		{502, `{"errcode":0}`, channel.Retry, channel.CodeHTTP5xx, "502"},
	} {
		a := Read(channel.Response{Status: c.status, Body: []byte(c.body), Header: http.Header{}}, same)
		if a.Outcome != c.outcome || a.Code != c.code || !strings.Contains(a.Reason, c.says) {
			t.Errorf("HTTP %d %s is %s %s (%s), want %s %s with %q", c.status, c.body, a.Outcome, a.Code, a.Reason, c.outcome, c.code, c.says)
		}
	}
}

const text = "### 🔴 报警 Firing\n\n**a\\*b**\n\n> quoted\n- **规则 Rule**: \\*\\*not bold\\*\\* \\`code\\` <@all> [x] (y)\n\\# no heading\n---\n[📈 面板](http://console.test/d/x)\x01\u2028"

// TestBodies: headings, bold, links and quotations as WeCom writes them, the rest as text; what was escaped is shown as
// written, no one is called by text, and nothing is left that JSON writes as \uxxxx.
func TestBodies(t *testing.T) {
	c := channel.Content{Type: "markdown", Title: "not shown", Text: text, UserIDs: []string{"zhangsan"}, All: true}
	want := `{"markdown":{"content":"### 🔴 报警 Firing\n\n**a*b**\n\n> quoted\n• **规则 Rule**: *` + "\u200b" + `*not bold*` + "\u200b" + `* ˋcodeˋ ‹@all> [x] (y)\n` + "\u200b" + `# no heading\n————\n[📈 面板](http://console.test/d/x)\n<@all><@zhangsan>"},"msgtype":"markdown"}`
	if got := string(Form("markdown").Body(c, "")); got != want {
		t.Errorf("markdown:\n%s, want\n%s", got, want)
	}
	c.Type, c.Mobiles = "text", []string{"13800000000"}
	c.Text = "报警\x02 x"
	want = `{"msgtype":"text","text":{"content":"报警  x","mentioned_list":["@all","zhangsan"],"mentioned_mobile_list":["13800000000"]}}`
	if got := string(Form("text").Body(c, "")); got != want {
		t.Errorf("text:\n%s, want\n%s", got, want)
	}
	// What counts is the content, in bytes.
	if got := Form("text").Size(channel.Content{Type: "text", Text: "报警"}); got != len("报警\n"+channel.MayRepeat) {
		t.Errorf("the size is %d", got)
	}
}

// TestStarsStayStars: however many stand beside each other, none of them makes the text bold.
func TestStarsStayStars(t *testing.T) {
	for n := 2; n < 12; n++ {
		line := strings.Repeat(`\*`, n) + "a" + strings.Repeat(`\*`, n)
		if got := markdownLine(line); strings.Contains(got, "**") || strings.Count(got, "*") != 2*n {
			t.Errorf("%d stars become %q", n, got)
		}
	}
}

// TestExactlyTheLimit: the text that WeCom just takes, and no byte more, with characters of three bytes.
func TestExactlyTheLimit(t *testing.T) {
	for kind, limit := range map[string]int{"markdown": 4096, "text": 2048} {
		f := Form(kind)
		room := limit - f.Size(channel.Content{Type: kind})
		text := strings.Repeat("报", room/3) + strings.Repeat("x", room%3)
		for extra, fits := range map[string]bool{"": true, "x": false, "报": false} {
			c := channel.Content{Type: kind, Text: text + extra}
			if (f.Size(c) <= f.Limit) != fits || f.Size(c) != limit+len(extra) {
				t.Errorf("%s: %d bytes of %d", kind, f.Size(c), f.Limit)
			}
			var posted struct{ Text, Markdown struct{ Content string } }
			if err := json.Unmarshal(body(c, true), &posted); err != nil || len(posted.Text.Content+posted.Markdown.Content) != f.Size(c) {
				t.Errorf("%s: %d bytes are posted, %v", kind, len(posted.Text.Content+posted.Markdown.Content), err)
			}
		}
	}
}

// TestALinesSizeIsWhatItAdds: digests are packed by it.
func TestALinesSizeIsWhatItAdds(t *testing.T) {
	for _, kind := range Kind.Types {
		f := Form(kind)
		base := f.Size(channel.Content{Type: kind, Text: "first"})
		for line := range strings.SplitSeq(text, "\n") {
			if got, want := f.Size(channel.Content{Type: kind, Text: "first\n" + line})-base, f.Line(line); got != want {
				t.Errorf("%s: %q adds %d bytes, and counts as %d", kind, line, got, want)
			}
		}
	}
}

func TestSend(t *testing.T) {
	var query string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query = r.URL.RawQuery
		io.WriteString(w, `{"errcode":93000,"errmsg":"invalid webhook url the+key"}`)
	}))
	defer s.Close()
	r := Robot{channel.Robot{URL: s.URL + "/cgi-bin/webhook/send?debug=1", Token: "the+key"}}
	env := channel.Environment{Transport: http.DefaultTransport, Redact: func(s string) string { return strings.ReplaceAll(s, "the+key", "[secret]") }}
	a := r.Sender(env).Send(t.Context(), channel.Message{Content: channel.Content{Type: "markdown", Text: "x"}})
	if query != "debug=1&key=the%2Bkey" || a.Outcome != channel.Refused || strings.Contains(a.Reason, "the+key") {
		t.Errorf("%s: %+v", query, a)
	}
}

// FuzzLines: whatever is written in a line, the forms are valid, no one is called by it, nothing is written as \uxxxx, and its
// size is what it adds.
func FuzzLines(f *testing.F) {
	for line := range strings.SplitSeq(text, "\n") {
		f.Add(line)
	}
	f.Add("[a](http://x/) ** \\ [](y) `<@all>` 12. x")
	f.Add("[a](http://x/<@all>) [b](`<@all>x/) ** [](<@all>)")
	f.Fuzz(func(t *testing.T, line string) {
		line = strings.ToValidUTF8(strings.ReplaceAll(line, "\n", " "), "")
		for _, kind := range Kind.Types {
			form := Form(kind)
			a, b := channel.Content{Type: kind, Text: "first"}, channel.Content{Type: kind, Text: "first\n" + line}
			if got, want := form.Size(b)-form.Size(a), form.Line(line); got != want {
				t.Errorf("%s: %q adds %d bytes, and counts as %d", kind, line, got, want)
			}
			var body struct{ Text, Markdown struct{ Content string } }
			raw := form.Body(b, "")
			if err := json.Unmarshal(raw, &body); err != nil || kind == "markdown" && strings.Contains(body.Markdown.Content, "<@") || escaped.Match(raw) {
				t.Errorf("%s: %q becomes %s, %v", kind, line, raw, err)
			}
		}
	})
}

var escaped = regexp.MustCompile(`(?:^|[^\\])(?:\\\\)*\\u[0-9a-f]{4}`)

package feishu

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"lookout/app/relay/internal/channel"
)

func same(s string) string { return s }

// TestExactlyTheLimit: what is posted at most, signed and marked as a repetition, has exactly the bytes that were counted.
func TestExactlyTheLimit(t *testing.T) {
	posted := make(chan []byte, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		posted <- body
		io.WriteString(w, `{"code":0}`)
	}))
	defer s.Close()
	for _, kind := range Kind.Types {
		f := Form(kind)
		room := f.Limit - f.Size(channel.Content{Type: kind, Title: "报警", Text: "x", Link: "https://x.test/"})
		for _, extra := range []string{"", "x", "报"} {
			c := channel.Content{Type: kind, Title: "报警", Text: "x" + strings.Repeat("报", room/3) + strings.Repeat("x", room%3) + extra, Link: "https://x.test/"}
			if got := f.Size(c); got != f.Limit+len(extra) {
				t.Errorf("%s: %d bytes, want %d", kind, got, f.Limit+len(extra))
			}
			r := Robot{Robot: channel.Robot{URL: s.URL, Token: "t"}, Secret: "secret"}
			env := channel.Environment{Transport: http.DefaultTransport, Redact: same, Now: func() time.Time { return time.Unix(1700000000, 0) }}
			r.Sender(env).Send(t.Context(), channel.Message{Content: c, Repeated: true})
			if got := len(<-posted); got != f.Size(c) {
				t.Errorf("%s: %d bytes are posted, and %d counted", kind, got, f.Size(c))
			}
		}
	}
}

func TestSignature(t *testing.T) {
	// Worked out with openssl: printf '' | openssl dgst -sha256 -hmac $'1700000000\nSECtest' -binary | base64
	if got, want := Sign("SECtest", 1700000000), "G7XpBpG8NgG02fJOAhX6FRAObIljmFoxVReo8I62pEk="; got != want {
		t.Errorf("the signature is %s, want %s", got, want)
	}
}

// TestAnswers: what each answer means, by its code, its words and its status.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		status  int
		body    string
		outcome channel.Outcome
		code    string
		says    string
	}{
		{200, `{"code":0,"msg":"success","data":{}}`, channel.Delivered, "0", "ok"},
		{200, `{"Extra":null,"StatusCode":0,"StatusMessage":"success"}`, channel.Delivered, "0", "ok"},
		{200, `{"StatusCode":0,"StatusMessage":"success","code":19024,"msg":"Key Words Not Found"}`, channel.Refused, "19024", "keyword"},
		{200, `{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}`, channel.Refused, "19021", "clock"},
		{200, `{"code":19022,"msg":"Ip Not Allowed"}`, channel.Refused, "19022", "address"},
		{200, `{"code":19001,"msg":"param invalid: incoming webhook access token invalid"}`, channel.Refused, "19001", "token"},
		{200, `{"code":19007,"msg":"Bot Not Enabled"}`, channel.Refused, channel.CodeOther, "19007"},
		{200, `{"code":9499,"msg":"Bad Request","data":{}}`, channel.Refused, "9499", "not valid"},
		{200, `{"code":9499,"msg":"too many request"}`, channel.Throttled, "9499", "too many"},
		{200, `{"code":11232,"msg":"frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]"}`, channel.Throttled, "11232", "too many"},
		{200, `{"code":19036,"msg":"The message exceeds the size limit of 30KB"}`, channel.Split, "19036", "too long"},
		{400, `{"code":99991400,"msg":"request trigger frequency limit"}`, channel.Throttled, "99991400", "too many"},
		{429, `{"code":11232,"msg":"frequency limited"}`, channel.Throttled, "11232", "too many"},
		{400, `{"code":230020,"msg":"This operation triggers the frequency limit"}`, channel.Throttled, "230020", "too many"},
		{200, `{"code":230099,"msg":"Failed to create card content"}`, channel.Refused, "230099", "card"},
		{200, `{"code":9499,"msg":"Bad Request","data":{}} {"code":0}`, channel.Refused, "9499", "not valid"},
		{200, "\xef\xbb\xbf{\"code\":\"0\"}", channel.Delivered, "0", "ok"},
		{200, `{"code":0`, channel.Retry, channel.CodeNotJSON, "JSON"},
		{200, `[{"code":0}]`, channel.Retry, channel.CodeNotJSON, "JSON"},
		{200, ``, channel.Retry, channel.CodeNotJSON, "JSON"},
		{200, `null`, channel.Retry, channel.CodeNotJSON, "JSON"},
		{200, `{"code":true}`, channel.Retry, channel.CodeNoErrcode, "not a number"},
		{200, `{"code":null,"msg":"success"}`, channel.Retry, channel.CodeNoErrcode, "without"},
		{200, `{"code":1e-400}`, channel.Retry, channel.CodeNoErrcode, "not a number"},
		{201, `{"code":0}`, channel.Retry, channel.CodeHTTPOther, "201"},
		{302, `{"code":0}`, channel.Retry, channel.CodeRedirect, "redirects"},
		{429, ``, channel.Throttled, channel.CodeHTTP429, "429"},
		{400, `{"code":19001,"msg":"param invalid"}`, channel.Refused, "19001", "token"},
		{400, `<html>`, channel.Retry, channel.CodeHTTP4xx, "400"},
		{502, `{"code":0}`, channel.Retry, channel.CodeHTTP5xx, "502"},
		{200, `{"code":777,"msg":"?"}`, channel.Retry, channel.CodeOther, "unknown"},
		{200, `{"ok":true}`, channel.Retry, channel.CodeNoErrcode, "without"},
		{200, `<html>`, channel.Retry, channel.CodeNotJSON, "JSON"},
		{413, ``, channel.Split, channel.CodeTooBig, "too long"},
	} {
		a := Read(channel.Response{Status: c.status, Body: []byte(c.body), Header: http.Header{}}, same)
		if a.Outcome != c.outcome || a.Code != c.code || !strings.Contains(a.Reason, c.says) {
			t.Errorf("HTTP %d %s is %s %s (%s), want %s %s with %q", c.status, c.body, a.Outcome, a.Code, a.Reason, c.outcome, c.code, c.says)
		}
	}
	// How long to wait stands in a header of Feishu's own.
	a := Read(channel.Response{Status: 429, Header: http.Header{"X-Ogw-Ratelimit-Reset": {"52"}}, Body: []byte(`{"code":11232}`)}, same)
	if a.Wait != 52*time.Second {
		t.Errorf("the wait is %s", a.Wait)
	}
}

const text = "### 🔴 报警 Firing\n\n**a\\*b \\[x\\]**\n\n> quoted \\_\n- **规则 Rule**: \\*\\*not bold\\*\\* <at id=all>\n- 1\\. two\n1\\. one\n---\n[📈 面板 Panel](http://console.test/d/x) · [📖 手册](http://x.test/)"

// TestBodies holds the three forms still: markdown is translated, what was escaped is shown as written, and nobody is called
// by text.
func TestBodies(t *testing.T) {
	c := channel.Content{Title: "🔴 报警 T", Text: text, Level: "critical", Link: "https://e.test/", UserIDs: []string{"ou_1"}, All: true}
	for kind, want := range map[string]string{
		"card": `{"card":{"body":{"elements":[{"content":"**a&#42;b &#91;x&#93;**\n\n> quoted &#95;\n- **规则 Rule**: &#42;&#42;not bold&#42;&#42; &#60;at id=all&#62;\n- 1&#46; two\n1&#46; one\n---\n[📈 面板 Panel](http://console.test/d/x) · [📖 手册](http://x.test/)\n\n<at id=all></at> <at id=ou_1></at>","tag":"markdown"},` +
			`{"behaviors":[{"default_url":"https://e.test/","type":"open_url"}],"tag":"button","text":{"content":"查看 Open","tag":"plain_text"},"type":"primary"}]},"header":{"template":"red","title":{"content":"🔴 报警 T","tag":"plain_text"}},"schema":"2.0"},"msg_type":"interactive"}`,
		"post": `{"content":{"post":{"zh_cn":{"content":[[{"tag":"text","text":"a*b [x]","style":["bold"]}],[{"tag":"text","text":"｜ "},{"tag":"text","text":"quoted _"}],[{"tag":"text","text":"• "},{"tag":"text","text":"规则 Rule","style":["bold"]},{"tag":"text","text":": **not bold** <at id=all>"}],[{"tag":"text","text":"• "},{"tag":"text","text":"1. two"}],[{"tag":"text","text":"1. one"}],[{"tag":"text","text":"————"}],` +
			`[{"tag":"a","text":"📈 面板 Panel","href":"http://console.test/d/x"},{"tag":"text","text":" · "},{"tag":"a","text":"📖 手册","href":"http://x.test/"}],[{"tag":"at","user_id":"all"},{"tag":"at","user_id":"ou_1"}]],"title":"🔴 报警 T"}}},"msg_type":"post"}`,
	} {
		c.Type = kind
		if got := string(Form(kind).Body(c, "")); got != want {
			t.Errorf("%s:\n%s, want\n%s", kind, got, want)
		}
	}
	c.Type, c.Text = "text", "报警 <at user_id=\"all\">"
	if got, want := string(Form("text").Body(c, "")), `{"content":{"text":"报警 ‹at user_id=\"all\">\n\n<at user_id=\"all\"></at> <at user_id=\"ou_1\"></at>"},"msg_type":"text"}`; got != want {
		t.Errorf("text:\n%s, want\n%s", got, want)
	}
}

// TestALinesSizeIsWhatItAdds: digests are packed by it.
func TestALinesSizeIsWhatItAdds(t *testing.T) {
	for _, kind := range Kind.Types {
		f := Form(kind)
		base := f.Size(channel.Content{Type: kind, Title: "x", Text: "first"})
		for line := range strings.SplitSeq(strings.TrimPrefix(text, "### 🔴 报警 Firing\n\n"), "\n") {
			if got, want := f.Size(channel.Content{Type: kind, Title: "x", Text: "first\n" + line})-base, f.Line(line); got != want {
				t.Errorf("%s: %q adds %d bytes, and counts as %d", kind, line, got, want)
			}
		}
	}
}

func TestSend(t *testing.T) {
	var path string
	var body map[string]any
	reply := `{"code":0,"msg":"success"}`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, body = r.URL.Path, nil
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		io.WriteString(w, reply)
	}))
	defer s.Close()
	now := time.Unix(1700000000, 0)
	r := Robot{Robot: channel.Robot{URL: s.URL + "/hook", Token: "the-token", Type: "card"}, Secret: "SECtest"}
	sender := r.Sender(channel.Environment{Transport: http.DefaultTransport, Now: func() time.Time { return now }, Redact: same})
	m := channel.Message{Content: channel.Content{Type: "card", Title: "报警 T", Text: "x"}}
	if a := sender.Send(t.Context(), m); a.Outcome != channel.Delivered {
		t.Fatalf("%+v", a)
	}
	if path != "/hook/the-token" || body["timestamp"] != "1700000000" || body["sign"] != Sign("SECtest", 1700000000) {
		t.Errorf("%s %v", path, body)
	}
	// What may be shown twice says so: a bot has nothing to recognise it by.
	m.Repeated = true
	sender.Send(t.Context(), m)
	raw, _ := json.Marshal(body)
	if !strings.Contains(string(raw), channel.MayRepeat) {
		t.Errorf("%s", raw)
	}
	// "Bad Request" stands for a long message too.
	reply = `{"code":9499,"msg":"Bad Request"}`
	if a := sender.Send(t.Context(), m); a.Outcome != channel.Refused {
		t.Errorf("a short one: %+v", a)
	}
	m.Content.Text = strings.Repeat("长", 5000)
	if a := sender.Send(t.Context(), m); a.Outcome != channel.Split {
		t.Errorf("a long one: %+v", a)
	}
}

// FuzzRead: whatever answers, there is no panic, nothing but a code of 0 under 200 is success, and what ends up in labels and log
// lines is bounded.
func FuzzRead(f *testing.F) {
	for _, body := range []string{`{"code":0}`, `{"StatusCode":0}`, `{"code":"0"}`, `{"code":9499,"msg":"too many request"}`, `{"code":19021,"msg":7}`, `[]`, ``} {
		f.Add(200, "3", []byte(body))
	}
	f.Add(400, "1e99", []byte(`{"code":99991400}`))
	known := map[string]bool{}
	for _, c := range append(channel.SharedCodes(), Kind.Codes...) {
		known[c] = true
	}
	f.Fuzz(func(t *testing.T, status int, wait string, body []byte) {
		a := Read(channel.Response{Status: status, Header: http.Header{"X-Ogw-Ratelimit-Reset": {wait}}, Body: body}, strings.ToUpper)
		if a.Outcome == channel.Delivered && status != 200 || !known[a.Code] || a.Wait < 0 || a.Wait > time.Hour || strings.ContainsAny(a.Reason, "\n\r\x00") || len(a.Reason) > 2000 {
			t.Errorf("HTTP %d %q is %+v", status, body, a)
		}
	})
}

// FuzzLines: whatever is written in a line, the forms are valid, no one is called by it, and its size is what it adds.
func FuzzLines(f *testing.F) {
	for line := range strings.SplitSeq(text, "\n") {
		f.Add(line)
	}
	f.Add("[a](http://x/) ** \\ [](y) `<at id=all></at>` 12. x")
	f.Fuzz(func(t *testing.T, line string) {
		line = strings.ToValidUTF8(strings.ReplaceAll(line, "\n", " "), "")
		for _, kind := range Kind.Types {
			form := Form(kind)
			a, b := channel.Content{Type: kind, Title: "x", Text: "first"}, channel.Content{Type: kind, Title: "x", Text: "first\n" + line}
			if got, want := form.Size(b)-form.Size(a), form.Line(line); got != want {
				t.Errorf("%s: %q adds %d bytes, and counts as %d", kind, line, got, want)
			}
			body := form.Body(b, "")
			if !json.Valid(body) || kind != "post" && strings.Contains(string(body), "<at ") {
				t.Errorf("%s: %q becomes %s", kind, line, body)
			}
		}
	})
}

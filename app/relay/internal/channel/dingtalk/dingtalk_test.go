package dingtalk

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"lookout/app/relay/internal/channel"
)

func TestSignature(t *testing.T) {
	// Worked out with openssl: printf '1700000000000\nSECtest' | openssl dgst -sha256 -hmac SECtest -binary | base64
	if got, want := Sign("SECtest", 1700000000000), "aZLLrriXgn05YbwaGR7knYsLeJADjr9NwLaNNKpxh4g="; got != want {
		t.Errorf("the signature is %s, want %s", got, want)
	}
}

func TestSignatureStandsInTheQuery(t *testing.T) {
	var got *http.Request
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		io.WriteString(w, `{"errcode":0}`)
	}))
	defer s.Close()
	now := time.UnixMilli(1700000000000)
	r := Robot{Robot: channel.Robot{URL: s.URL + "/robot/send?x=1", Token: "t+o/k="}, Secret: "SECtest"}
	if a := r.Sender(environment(now)).Send(t.Context(), channel.Message{}); a.Outcome != channel.Delivered {
		t.Fatalf("%+v", a)
	}
	q := got.URL.Query()
	if q.Get("access_token") != "t+o/k=" || q.Get("timestamp") != "1700000000000" || q.Get("sign") != Sign("SECtest", 1700000000000) || q.Get("x") != "1" {
		t.Errorf("the query is %v", q)
	}
}

func environment(now time.Time) channel.Environment {
	return channel.Environment{Transport: http.DefaultTransport, Now: func() time.Time { return now }, Redact: func(s string) string { return s }}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	followed := false
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			followed = true
			return
		}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	defer s.Close()
	r := Robot{Robot: channel.Robot{URL: s.URL, Token: "t"}}
	if a := r.Sender(environment(time.Now())).Send(t.Context(), channel.Message{}); a.Code != channel.CodeRedirect || followed {
		t.Errorf("%+v, followed: %v", a, followed)
	}
}

func TestBodies(t *testing.T) {
	c := channel.Content{Title: "报警 x", Text: "<b>&", Link: "https://e.test/", Mobiles: []string{"138"}, All: true}
	for kind, want := range map[string]string{
		"markdown":   `{"at":{"atMobiles":["138"],"isAtAll":true},"markdown":{"text":"<b>&\n\n@138","title":"报警 x"},"msgUuid":"u","msgtype":"markdown"}`,
		"text":       `{"at":{"atMobiles":["138"],"isAtAll":true},"msgUuid":"u","msgtype":"text","text":{"content":"<b>&\n\n@138"}}`,
		"link":       `{"at":{"atMobiles":["138"],"isAtAll":true},"link":{"messageUrl":"https://e.test/","text":"<b>&\n\n@138","title":"报警 x"},"msgUuid":"u","msgtype":"link"}`,
		"actionCard": `{"actionCard":{"singleTitle":"查看 Open","singleURL":"https://e.test/","text":"<b>&\n\n@138","title":"报警 x"},"at":{"atMobiles":["138"],"isAtAll":true},"msgUuid":"u","msgtype":"actionCard"}`,
	} {
		c.Type = kind
		if got := string(Body(c, "u")); got != want {
			t.Errorf("%s:\n%s, want\n%s", kind, got, want)
		}
	}
}

// TestReadIsLenientWhereItIsSafe: a byte order mark, a zero with a fraction and words that are not a string are no
// reason to show a message twice; secrets are gone before words are cut to length.
func TestReadIsLenientWhereItIsSafe(t *testing.T) {
	same := func(s string) string { return s }
	for body, want := range map[string]channel.Outcome{
		"\ufeff{\"errcode\":0}": channel.Delivered, `{"errcode":0.0,"errmsg":null}`: channel.Delivered, `{"errcode":0,"errmsg":{"a":1}}`: channel.Delivered, `{"errcode":0,"errmsg":7}`: channel.Delivered,
		`{"errcode":0.5}`: channel.Retry, `{"errcode":"zero"}`: channel.Retry, `{"errcode":null}`: channel.Retry, `{"errcode":true}`: channel.Retry,
		`{"errcode":90018,"errmsg":"quota"}`: channel.Quota, `{"errcode":90020}`: channel.Quota, `{"errcode":90030}`: channel.Quota, `{"errcode":101002}`: channel.Split,
		`{"errcode":130101,"errmsg":["too fast"]}`: channel.Throttled,
	} {
		if a := Read(channel.Response{Status: 200, Body: []byte(body)}, same); a.Outcome != want {
			t.Errorf("%s is %s, want %s", body, a.Outcome, want)
		}
	}
	token := strings.Repeat("0123456789abcdef", 4)
	body := fmt.Sprintf(`{"errcode":300005,"errmsg":"%s%s"}`, strings.Repeat("x", 160), token)
	a := Read(channel.Response{Status: 200, Body: []byte(body)}, func(s string) string { return strings.ReplaceAll(s, token, "[secret]") })
	if strings.Contains(a.Reason, "01234567") || !strings.Contains(a.Reason, "[secret]") {
		t.Errorf("part of the token is left: %s", a.Reason)
	}
}

// FuzzRead: whatever answers, there is no panic, nothing but errcode 0 under 200 is success, and
// what ends up in labels and log lines is bounded.
func FuzzRead(f *testing.F) {
	for _, body := range []string{
		`{"errcode":0,"errmsg":"ok"}`, `{"errcode":0.0}`, `{"errcode":"0"}`, `{"errcode":310000,"errmsg":"关键词不匹配"}`,
		`{"status":1111,"wait":5,"source":"x5","punish":"deny"}`, `{"wait":1e999,"punish":"x"}`, `[]`, `<html>`, `{"errcode":1e3}`, ``,
		`{"errCode":"00"}`, `{"errcode":" 0"}`, `{"errcode":"0x0"}`,
	} {
		f.Add(200, "3", []byte(body))
	}
	f.Add(429, "999999999999999999999", []byte(`{"errcode":0}`))
	codes := map[string]bool{}
	for _, c := range append(channel.SharedCodes(), Kind.Codes...) {
		codes[c] = true
	}
	f.Fuzz(func(t *testing.T, status int, retryAfter string, body []byte) {
		a := Read(channel.Response{Status: status, Header: http.Header{"Retry-After": {retryAfter}}, Body: body}, strings.ToUpper)
		if a.Outcome == channel.Delivered {
			var w struct{ Errcode json.Number }
			_ = json.NewDecoder(strings.NewReader(strings.TrimPrefix(string(body), "\ufeff"))).Decode(&w)
			if n, err := w.Errcode.Float64(); err != nil || n != 0 || status != 200 {
				t.Errorf("status %d, body %q is success", status, body)
			}
		}
		if !codes[a.Code] {
			t.Errorf("the class %q is not a known one", a.Code)
		}
		if a.Wait < 0 || a.Wait > time.Hour || len(a.Reason) > 2000 || strings.ContainsAny(a.Reason, "\n\r\x00") {
			t.Errorf("%+v", a)
		}
		switch a.Outcome {
		case channel.Delivered, channel.Retry, channel.Throttled, channel.Split, channel.Refused, channel.Quota:
		default:
			t.Errorf("the outcome is %q", a.Outcome)
		}
	})
}

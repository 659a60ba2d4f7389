package web

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lookout/app/relay/internal/config"
	"lookout/app/relay/internal/delivery"
	"lookout/app/relay/internal/memdir"
	"lookout/app/relay/internal/spool"
)

const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)> javascript:alert(3) {{.}} 报警&amp;\`

// newServer is a relay with the last thousand answers, which sends nothing.
func newServer(t *testing.T) *Server {
	t.Helper()
	dir := memdir.New(t)
	for name, content := range map[string]string{
		"relay.yaml": "answers: {url: 'http://relay.test', key_file: key}\nrobots: {ops: {token_file: token}}\n",
		"key":        "0123456789abcdef", "token": "abc-token",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(filepath.Join(dir, "relay.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	store, err := spool.Open(filepath.Join(dir, "spool.db"), spool.Options{Clock: spool.SystemClock(), DuplicateWindow: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	err = store.Update(context.Background(), func(tx *spool.Tx) error {
		for i := 1; i <= 1000; i++ {
			s := delivery.Sent{
				Ref: fmt.Sprintf("%024x", i), At: time.Now(), Target: "ops", Peer: "robot:ops", Title: fmt.Sprintf("No. %d. %s", i, evil), Outcome: "refused", Code: "310000", Reason: strings.Repeat("很长", 100),
				Alerts: []delivery.SentAlert{{Hash: uint64(i), Name: evil, Status: "firing", Labels: map[string]string{"instance": evil}}},
			}
			if err := tx.Put("sent", uint64(i), s); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	log := slog.New(slog.DiscardHandler)
	engine, err := delivery.New(delivery.Options{Store: store, Config: c, Log: log, Registry: registry, Metrics: delivery.NewMetrics(registry), Transport: http.DefaultTransport})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Engine: engine, Log: log, MaxBody: 1 << 20, Metrics: http.NotFoundHandler()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *Server) ask(method, address string, form url.Values, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, address, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// TestAThousandAnswers: every one is on exactly one page, no page is large, and what is written in them stays text.
func TestAThousandAnswers(t *testing.T) {
	s := newServer(t)
	row := regexp.MustCompile(`<td>No\. (\d+)\. `)
	older := regexp.MustCompile(`id="older" href="([^"]*)"`)
	for search, want := range map[string]int{"": 1000, `No. onerror=alert(2)>`: 1000, "99": 19, `\`: 1000, "nowhere": 0, "%_.*": 0} {
		seen, pages := map[string]int{}, 0
		for next := "/?q=" + url.QueryEscape(search); next != ""; pages++ {
			w := s.ask("GET", next, nil)
			page := w.Body.String()
			if w.Code != 200 || len(page) > 400<<10 || strings.Contains(page, "<script") || strings.Contains(page, "<img") || pages > 10 {
				t.Fatalf("HTTP %d, %d bytes, page %d", w.Code, len(page), pages)
			}
			for _, m := range row.FindAllStringSubmatch(page, -1) {
				seen[m[1]]++
			}
			if next = ""; older.MatchString(page) {
				next = strings.Split(html.UnescapeString(older.FindStringSubmatch(page)[1]), "#")[0]
			}
		}
		twice := 0
		for _, n := range seen {
			twice += n - 1
		}
		if len(seen) != want || twice != 0 {
			t.Errorf("%q: %d answers on %d pages, %d of them twice; want %d", search, len(seen), pages, twice, want)
		}
	}
	if w := s.ask("GET", "/?before=x", nil); w.Code != 200 {
		t.Errorf("HTTP %d", w.Code)
	}
}

// TestTheListIsWrittenInPortions: all thousand come, newest first and each once, and none of them is held longer than it takes to write it.
func TestTheListIsWrittenInPortions(t *testing.T) {
	s := newServer(t)
	for search, want := range map[string]int{"": 1000, "99": 19, "nowhere": 0} {
		var got struct{ Sent []delivery.Sent }
		w := &portions{ResponseRecorder: httptest.NewRecorder()}
		s.ServeHTTP(w, httptest.NewRequest("GET", "/api/sent?q="+search, nil))
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 || got.Sent == nil || len(got.Sent) != want {
			t.Errorf("%q: HTTP %d, %d of %d, %v", search, w.Code, len(got.Sent), want, err)
		}
		for i, a := range got.Sent {
			if i > 0 && a.ID >= got.Sent[i-1].ID {
				t.Fatalf("%d comes after %d", a.ID, got.Sent[i-1].ID)
			}
		}
		if w.largest > 300<<10 {
			t.Errorf("%q: %d bytes at once", search, w.largest)
		}
	}
}

// portions notes the most that is written at once.
type portions struct {
	*httptest.ResponseRecorder
	largest int
}

func (p *portions) Write(b []byte) (int, error) {
	p.largest = max(p.largest, len(b))
	return p.ResponseRecorder.Write(b)
}

// TestLinksThatAreNotOurs: nothing but the exact link opens the page, nothing but a form of its own answers, and looking does
// nothing, by whatever method.
func TestLinksThatAreNotOurs(t *testing.T) {
	s := newServer(t)
	ref := fmt.Sprintf("%024x", 1000)
	const phone = "http://relay.test"
	e := fmt.Sprint(time.Now().Add(time.Hour).Unix())
	signed := func(key, e string) string {
		mac := hmac.New(sha256.New, []byte(key))
		fmt.Fprintf(mac, "answer\n%s\n%s", ref, e)
		return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:18])
	}
	sign := signed("0123456789abcdef", e)
	link := phone + "/answer/" + ref + "?e=" + e + "&s=" + sign
	past := fmt.Sprint(time.Now().Add(-time.Second).Unix())
	form := url.Values{"who": {"张三"}}
	w := s.ask("GET", link, nil)
	page := w.Body.String()
	if w.Code != 200 || strings.Contains(page, "<script") || strings.Contains(page, "<img") || !strings.Contains(page, "&lt;script&gt;") {
		t.Fatalf("HTTP %d: %s", w.Code, page)
	}
	for name, c := range map[string]struct {
		method, address string
		form            url.Values
		header          []string
		want            int
	}{
		"a preview":               {"HEAD", link, nil, nil, 200},
		"another message":         {"GET", phone + "/answer/" + fmt.Sprintf("%024x", 999) + "?e=" + e + "&s=" + sign, nil, nil, 403},
		"a later end":             {"POST", phone + "/answer/" + ref + "?e=9" + e + "&s=" + sign, form, nil, 403},
		"of another relay":        {"POST", phone + "/answer/" + ref + "?e=" + e + "&s=" + signed("another key of 16", e), form, nil, 403},
		"expired":                 {"POST", phone + "/answer/" + ref + "?e=" + past + "&s=" + signed("0123456789abcdef", past), form, nil, 403},
		"no end":                  {"POST", phone + "/answer/" + ref + "?s=" + sign, form, nil, 403},
		"a cut signature":         {"POST", link[:len(link)-1], form, nil, 403},
		"no signature":            {"POST", phone + "/answer/" + ref + "?e=" + e, form, nil, 403},
		"a signature in the form": {"POST", phone + "/answer/" + ref, url.Values{"who": {"x"}, "e": {e}, "s": {sign}}, nil, 403},
		"PUT":                     {"PUT", link, form, nil, 404},
		"DELETE":                  {"DELETE", link, nil, nil, 404},
		"a form of another page":  {"POST", link, form, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"of another page, old":    {"POST", link, form, []string{"Origin", "http://evil.test"}, 403},
		"another name":            {"POST", strings.Replace(link, "relay.test", "evil.test", 1), form, []string{"User-Agent", "Mozilla/5.0"}, 421},
		"a name in the address":   {"POST", link + "&who=x", url.Values{"hours": {""}}, nil, 400},
		"an endless name":         {"POST", link, url.Values{"who": {strings.Repeat("x", 5000)}}, nil, 400},
		"a name of nothing":       {"POST", link, url.Values{"who": {"\u202e\u200b \u2028"}}, nil, 400},
		"half an hour":            {"POST", link, url.Values{"who": {"x"}, "hours": {"0.5"}}, nil, 400},
		"for ever":                {"POST", link, url.Values{"who": {"x"}, "hours": {"99999999999999999999"}}, nil, 400},
		"backwards":               {"POST", link, url.Values{"who": {"x"}, "hours": {"-1"}}, nil, 400},
		"no silences configured":  {"POST", link, url.Values{"who": {"x"}, "hours": {"1"}}, nil, 400},
	} {
		if w := s.ask(c.method, c.address, c.form, c.header...); w.Code != c.want || w.Header().Get("Location") != "" {
			t.Errorf("%s: HTTP %d, want %d: %s", name, w.Code, c.want, w.Body)
		}
	}
	if page := s.ask("GET", link, nil).Body.String(); strings.Contains(page, "已认领") {
		t.Error("one of them took it")
	}
	// A form of its own, as browsers send it with and without TLS.
	w = s.ask("POST", link, url.Values{"who": {evil}}, "Origin", phone, "User-Agent", "Mozilla/5.0")
	if page := w.Body.String(); w.Code != 200 || !strings.Contains(page, "已认领") || strings.Contains(page, "<script") || strings.Contains(page, sign) || w.Header().Get("Referrer-Policy") != "same-origin" {
		t.Errorf("HTTP %d: %s", w.Code, page)
	}
	// A proxy before the console may have another name than phones see; what counts is the address of the link.
	if w := s.ask("POST", strings.Replace(link, "relay.test", "console:8090", 1), form, "Origin", phone, "User-Agent", "Mozilla/5.0"); w.Code != 200 {
		t.Errorf("by way of a proxy: HTTP %d: %s", w.Code, w.Body)
	}
	if w := s.ask("POST", "http://console:8090/dead/1/resend", url.Values{}, "Origin", phone); w.Code != 403 {
		t.Errorf("other forms than answers: HTTP %d", w.Code)
	}
	if c := w.Result().Cookies(); len(c) != 1 || !c[0].HttpOnly || strings.ContainsAny(c[0].Value, "<>\";") {
		t.Errorf("%v", c)
	}
}

// TestTheNameIsRememberedBelowAPrefix: browsers send the cookie with the name back to where the page is, also where the console
// that passes it on lives below a path of its own.
func TestTheNameIsRememberedBelowAPrefix(t *testing.T) {
	for address, want := range map[string]string{"https://x.test": "/answer/", "https://x.test/": "/answer/", "https://x.test/monitor/": "/monitor/answer/"} {
		if got := answerPath(&config.Config{Answers: &config.Answers{URL: address}}); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

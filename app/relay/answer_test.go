package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"lookout/app/relay/internal/delivery"
	"lookout/app/robot/robot"
)

// TestAnAnswerFromAPhone: the link in the message opens a page without a password; opening it does nothing, a tap silences
// and tells the chat, and whoever has no signature gets nowhere. The relay's page then has all of it, for operators.
func TestAnAnswerFromAPhone(t *testing.T) {
	t.Parallel()
	server, messages := newGroup(t, robot.Robot{AccessToken: "token", Name: "ops", Keywords: []string{"报警"}})
	silenced := make(chan string, 4)
	am := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		silenced <- r.Header.Get("Authorization") + " " + string(body)
		io.WriteString(w, `{"silenceID":"s1"}`)
	}))
	defer am.Close()
	conf := `
bearer_token_file: secrets/bearer
admin_token_file: secrets/admin
answers: {url: "http://%s", key_file: secrets/answers, silences: %q, header_files: {Authorization: secrets/am}}
robots: {ops: {url: %q, token_file: secrets/ops, keywords: [报警]}}
`
	p := newProcess(t, "", map[string]string{"ops": "token", "bearer": "sender", "admin": "operator", "answers": "0123456789abcdef-key", "am": "Bearer am-secret"})
	p.write("relay.yaml", fmt.Sprintf(conf, p.address, am.URL, server.URL+"/robot/send"))
	p.start()
	p.ready()
	call := func(method, address, token string, form url.Values) (int, string) {
		t.Helper()
		req, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		if form != nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		req.Header.Set("User-Agent", "Mozilla/5.0 (a phone)")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	req, _ := http.NewRequest("POST", p.url("/v1/robots/ops"), strings.NewReader(string(webhook("firing", "instance", "db<1>"))))
	req.Header.Set("Authorization", "Bearer sender")
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("%v %v", resp, err)
	}
	resp.Body.Close()
	eventually(t, 15*time.Second, func() error {
		if len(messages()) == 0 {
			return fmt.Errorf("nothing in the chat:\n%s", p.lastWords())
		}
		return nil
	})
	link := regexp.MustCompile(`http://[^)\s]+/answer/[^)\s]+`).FindString(messages()[0].Text)
	if link == "" {
		t.Fatalf("no link in %s", messages()[0].Text)
	}
	var status int
	var page string
	// The robot has shown it a moment before the relay has noted that it did.
	eventually(t, 15*time.Second, func() error {
		if status, page = call("GET", link, "", nil); status == http.StatusNotFound {
			return fmt.Errorf("HTTP 404:\n%s", page)
		}
		return nil
	})
	if status != 200 || !strings.Contains(page, "db&lt;1&gt;") || !strings.Contains(page, "Take it") || strings.Contains(page, "db<1>") {
		t.Fatalf("HTTP %d:\n%s", status, page)
	}
	if len(silenced) > 0 || len(messages()) != 1 {
		t.Fatal("opening the link did something")
	}
	if status, _ := call("GET", strings.Replace(link, "&s=", "&s=x", 1), "", nil); status != http.StatusForbidden {
		t.Errorf("with a wrong signature: HTTP %d", status)
	}
	if status, page := call("POST", link, "", url.Values{"who": {""}, "hours": {""}}); status != http.StatusBadRequest || !strings.Contains(page, "write your name") {
		t.Errorf("without a name: HTTP %d", status)
	}
	if status, _ := call("POST", link, "", url.Values{"who": {"张三"}, "hours": {"999"}}); status != http.StatusBadRequest {
		t.Errorf("for 999 hours: HTTP %d", status)
	}
	status, page = call("POST", link, "", url.Values{"who": {"张三"}, "hours": {"4"}})
	if status != 200 || !strings.Contains(page, "张三 已静默") || !strings.Contains(page, "taken by 张三") {
		t.Fatalf("HTTP %d:\n%s", status, page)
	}
	if got := <-silenced; !strings.HasPrefix(got, "Bearer am-secret ") || !strings.Contains(got, `"value":"db<1>"`) {
		t.Errorf("the silence is %s", got)
	}
	eventually(t, 15*time.Second, func() error {
		if m := messages(); len(m) != 2 || !strings.Contains(m[1].Text, "张三 已静默") {
			return fmt.Errorf("the chat is not told: %d messages", len(m))
		}
		return nil
	})
	// What operators see of it, and no one else.
	for _, path := range []string{"/", "/api/sent"} {
		if status, _ := call("GET", p.url(path), "sender", nil); path == "/" && status == http.StatusUnauthorized {
			continue
		} else if status != http.StatusUnauthorized {
			t.Errorf("%s is open to senders: HTTP %d", path, status)
		}
	}
	status, page = call("GET", p.url("/?q=db"), "operator", nil)
	if status != 200 || !strings.Contains(page, "robot:ops") || !strings.Contains(page, "2 / 20") || !strings.Contains(page, "delivered") || strings.Contains(page, "am-secret") {
		t.Errorf("HTTP %d:\n%s", status, page)
	}
	status, page = call("GET", p.url("/api/sent?q=AlertTaken"), "operator", nil)
	var sent struct{ Sent []delivery.Sent }
	if err := json.Unmarshal([]byte(page), &sent); err != nil || status != 200 || len(sent.Sent) != 1 || sent.Sent[0].Outcome != "delivered" {
		t.Errorf("HTTP %d: %v %s", status, err, page)
	}
	out, err := runCommand(t, "sent", "--url", p.url(""), "--token-file", filepath.Join(p.dir, "secrets", "admin"), "db", "delivered")
	if err != nil || !strings.Contains(out, "robot:ops") || !strings.Contains(out, "1 answers") {
		t.Errorf("relay sent: %v\n%s", err, out)
	}
	if strings.Contains(p.log.String(), "0123456789abcdef-key") || strings.Contains(p.log.String(), "am-secret") {
		t.Error("a secret is in the log")
	}
}

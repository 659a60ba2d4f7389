package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"lookout/app/relay/mailtest"
	"lookout/app/robot/robot"
)

// newGroup starts a stand-in robot.
func newGroup(t *testing.T, r robot.Robot) (*httptest.Server, func() []robot.Message) {
	t.Helper()
	g, err := robot.New(robot.Config{Robots: []robot.Robot{r}, Logger: slog.New(slog.DiscardHandler), Block: time.Second, Window: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	s := httptest.NewServer(g.Handler())
	t.Cleanup(s.Close)
	return s, func() []robot.Message {
		w := httptest.NewRecorder()
		g.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/api/messages", nil))
		var out struct{ Messages []robot.Message }
		if err := json.NewDecoder(w.Body).Decode(&out); err != nil {
			t.Fatal(err)
		}
		return out.Messages
	}
}

// canaries are the secrets of TestSecretsStayInTheirFiles, in every form they could leak in.
var canaries = map[string]string{
	"token": "canary-token-7f3a", "feishu": "canary-feishu+hook-4b1d", "feishusign": "canary+feishu&sign-77ac", "wecom": "canary-wecom-key-c0fe", "sign": "SECcanary-sign-91bc", "bearer": "canary-bearer-55d0", "smtp": "canary-smtp-e2e1",
	"appid": "canary-app-id-6d2f", "appsecret": "canary-app+secret/9e4b==",
	"sms": "canary-sms-header-08aa", "smsurl": "http://127.0.0.1:1/canary-sms-url-3c3c",
	"pair": "postgres://relay:canary-pair%2Fpassword-5d1e@127.0.0.1:1/canary",
}

// accessToken is one that DingTalk gives an app, which no file holds.
const accessToken = "canary-access-token-41c7"

// encodings are forms that a secret takes on its way through other programs.
func encodings(secret string) []string {
	quoted, _ := json.Marshal(secret)
	escaped, percent, entities := "", "", ""
	for _, r := range secret {
		escaped += fmt.Sprintf("\\u%04x", r)
		percent += fmt.Sprintf("%%%02X", r)
		entities += fmt.Sprintf("&#%d;", r)
	}
	return []string{
		percent, strings.ToLower(percent), entities,
		secret, url.QueryEscape(secret), url.QueryEscape(url.QueryEscape(secret)), url.PathEscape(secret), string(quoted[1 : len(quoted)-1]),
		escaped, hex.EncodeToString([]byte(secret)), fmt.Sprintf("%X", secret), html.EscapeString(secret),
	}
}

// insideBase64 are the parts of a secret that show in something longer that is encoded, wherever it begins there.
func insideBase64(secret string) (forms []string) {
	for _, before := range []string{"", "u", "us"} {
		encoded := base64.RawStdEncoding.EncodeToString([]byte(before + secret))
		forms = append(forms, encoded[2:len(encoded)-2])
	}
	return forms
}

// TestSecretsStayInTheirFiles drives every path on which a secret is used or could be shown — sending,
// failing, being refused with the secret repeated, a broken configuration, pages, metrics, errors,
// dead letters — and looks for them everywhere but in their files.
func TestSecretsStayInTheirFiles(t *testing.T) {
	t.Parallel()
	var turn atomic.Int64
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The rudest answer there is: it repeats all that it was sent, and the secrets in every form.
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/v1.0/oauth2/accessToken" {
			fmt.Fprintf(w, `{"accessToken":%q,"expireIn":7200}`, accessToken)
			return
		}
		words := r.URL.String() + " " + string(body)
		for _, name := range []string{"sign", "token", "feishu", "feishusign", "wecom", "appid", "appsecret"} {
			words += " " + strings.Join(encodings(canaries[name]), " ")
			for _, before := range []string{"", "u", "us"} {
				words += " " + base64.StdEncoding.EncodeToString([]byte(before+canaries[name]+"zz"))
			}
		}
		// Each time the last of it comes first, since only so much is kept of it.
		from := int(turn.Add(37)) % len(words)
		words = words[from:] + words[:from]
		if strings.HasPrefix(r.URL.Path, "/v1.0/") {
			// DingTalk's OpenAPI, and the registration of a connection.
			w.WriteHeader(http.StatusBadRequest)
			json.NewEncoder(w).Encode(map[string]any{"code": "param.empty", "message": r.Header.Get("x-acs-dingtalk-access-token") + " " + words})
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"errcode": 300005, "errmsg": words, "code": 19001, "msg": words})
	}))
	defer echo.Close()
	// As rude: it refuses the login, and repeats the password.
	mail, err := mailtest.Listen("127.0.0.1:0", func(verb, password string) string {
		if verb == "AUTH" {
			return "535 5.7.8 no such user with " + password + " from " + base64.StdEncoding.EncodeToString([]byte("\x00relay\x00"+password))
		}
		return ""
	})
	if err != nil {
		t.Fatal(err)
	}
	defer mail.Close()
	p := newProcess(t, fmt.Sprintf(`
bearer_token_file: secrets/bearer
retry: {initial: 10ms, max: 50ms}
pair: {dsn_file: secrets/pair, takeover: 2s}
robots:
  ops: {url: %[1]q, token_file: secrets/token, secret_file: secrets/sign}
  down: {url: "http://127.0.0.1:1/robot/send", token_file: secrets/token, secret_file: secrets/sign}
feishu:
  fei: {url: %[1]q, token_file: secrets/feishu, secret_file: secrets/feishusign}
  fei-down: {url: "http://127.0.0.1:1/open-apis/bot/v2/hook", token_file: secrets/feishu, secret_file: secrets/feishusign}
wecom:
  wei: {url: %[1]q, token_file: secrets/wecom}
  wei-down: {url: "http://127.0.0.1:1/cgi-bin/webhook/send", token_file: secrets/wecom}
apps:
  app: {url: %[1]q, client_id_file: secrets/appid, client_secret_file: secrets/appsecret, group: cidX, template: t.schema}
  app-down: {url: "http://127.0.0.1:1", client_id_file: secrets/appid, client_secret_file: secrets/appsecret, group: cidX, template: t.schema}
emails:
  duty: {smarthost: %[2]q, from: relay@example.com, to: [duty@example.com], username: relay, password_file: secrets/smtp, ca_file: mail.pem, timeout: 2s}
webhooks:
  sms: {url_file: secrets/smsurl, header_files: {Authorization: secrets/sms}}
targets:
  all: {channels: [{robots: [ops], escalate_after: 1s}, {robots: [down], escalate_after: 1s}, {feishu: [fei, fei-down], escalate_after: 1s}, {wecom: [wei, wei-down], escalate_after: 1s}, {apps: [app, app-down], escalate_after: 1s}, {email: duty, escalate_after: 1s}, {webhook: sms, escalate_after: 1s}]}
`, echo.URL, mail.Address()), canaries)
	p.write("mail.pem", string(mail.CA()))
	p.start()
	eventually(t, 20*time.Second, func() error {
		_, err := http.Get(p.url("/-/ready"))
		return err
	})
	var seen bytes.Buffer
	call := func(method, path, auth string, body []byte) int {
		req, _ := http.NewRequest(method, p.url(path), bytes.NewReader(body))
		if auth != "" {
			req.Header.Set("Authorization", auth)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		fmt.Fprintln(&seen, resp.Header)
		io.Copy(&seen, resp.Body)
		return resp.StatusCode
	}
	bearer := "Bearer " + canaries["bearer"]
	if got := call("POST", "/v1/robots/all", "", webhook("firing")); got != http.StatusUnauthorized {
		t.Errorf("without the bearer token: HTTP %d", got)
	}
	if got := call("POST", "/v1/robots/all", "Bearer canary-bearer-wrong", webhook("firing")); got != http.StatusUnauthorized {
		t.Errorf("with a wrong bearer token: HTTP %d", got)
	}
	if got := call("POST", "/v1/robots/all", bearer, webhook("firing")); got != http.StatusAccepted {
		t.Errorf("with the bearer token: HTTP %d", got)
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("me:"+canaries["bearer"]))
	if got := call("GET", "/", basic, nil); got != http.StatusOK {
		t.Errorf("the page for a browser with the token as password: HTTP %d", got)
	}
	eventually(t, 30*time.Second, func() error {
		if !strings.Contains(p.get("/metrics"), "relay_dead_letters_waiting 1") {
			return fmt.Errorf("no dead letter yet:\n%s", p.log)
		}
		return nil
	})
	for _, path := range []string{"/metrics", "/-/ready", "/-/healthy", "/api/status", "/api/dead", "/render", "/nowhere"} {
		call("GET", path, bearer, nil)
	}
	call("GET", "/-/pair", bearer, nil)
	call("POST", "/v1/robots/nobody", bearer, webhook("firing"))
	call("POST", "/v1/robots/all", bearer, []byte("{"))
	// A configuration that cannot be used, with a secret in the wrong place.
	p.write("relay.yaml", "robots: {ops: {url: \"http://x.test/?access_token="+canaries["token"]+"\", token_file: secrets/token}}\n")
	_ = p.cmd.Process.Signal(syscall.SIGHUP)
	eventually(t, 10*time.Second, func() error {
		if !strings.Contains(p.log.String(), "is refused, the old one stays") {
			return fmt.Errorf("no refusal in the log")
		}
		return nil
	})
	var out, errs bytes.Buffer
	token := filepath.Join(p.dir, "secrets", "bearer")
	for _, args := range [][]string{
		{"check", filepath.Join(p.dir, "relay.yaml")},
		{"dead", "--url", "http://" + p.address, "--token-file", token, "list"},
		{"dead", "--url", "http://" + p.address, "--token-file", token, "list", "--json"},
		{"dead", "--url", "http://" + p.address, "resend", "--all"},
	} {
		if err := run(t.Context(), args, strings.NewReader(""), &out, &errs); err != nil {
			fmt.Fprintln(&errs, err)
		}
	}
	if !strings.Contains(out.String(), "1") || !strings.Contains(errs.String(), "1 dead letters") {
		t.Errorf("dead letters were not listed:\n%s%s", out.String(), errs.String())
	}
	p.stop()
	spoolFile, err := os.ReadFile(filepath.Join(p.dir, "data", "spool.db"))
	if err != nil {
		t.Fatal(err)
	}
	secrets := maps.Clone(canaries)
	secrets["access token"] = accessToken
	secrets["pair's password"] = "canary-pair/password-5d1e"
	for name, secret := range secrets {
		forms := append(encodings(secret), insideBase64(secret)...)
		for _, form := range forms {
			for place, text := range map[string]string{"the log": p.log.String(), "an answer": seen.String(), "the output of a command": out.String() + errs.String(), "the spool": string(spoolFile)} {
				if strings.Contains(text, form) {
					i := strings.Index(text, form)
					t.Errorf("secret %s is in %s: …%q…", name, place, text[max(0, i-120):min(len(text), i+60)])
				}
			}
		}
	}
	for _, member := range []string{"robot:ops", "robot:down", "feishu:fei", "feishu:fei-down", "wecom:wei", "wecom:wei-down", "email:duty", "webhook:sms"} {
		if !strings.Contains(p.log.String(), "member="+member) {
			t.Errorf("%s was never tried: the test tests too little", member)
		}
	}
	if !strings.Contains(p.log.String(), "the pair's PostgreSQL does not answer") {
		t.Error("the pair's PostgreSQL was never asked: the test tests too little")
	}
	if !strings.Contains(p.log.String(), "[secret]") {
		t.Error("the echo was never heard: the test tests nothing")
	}
	if logins := mail.Passwords(); len(logins) == 0 || logins[0] != canaries["smtp"] || !strings.Contains(p.log.String(), "no such user with [secret]") {
		t.Errorf("the mail server was sent the passwords %q, and its refusal is not in the log: the test tests nothing", logins)
	}
}

func TestConfigurationIsReloaded(t *testing.T) {
	t.Parallel()
	server, messages := newGroup(t, robot.Robot{AccessToken: "second", Name: "ops", Keywords: []string{"报警"}, Secret: "SECreload"})
	conf := fmt.Sprintf("retry: {initial: 50ms, max: 200ms}\nrobots: {ops: {url: %q, token_file: secrets/ops, secret_file: secrets/sign, limit: 20, window: 2s}}\n", server.URL+"/robot/send")
	p := newProcess(t, conf, map[string]string{"ops": "first", "sign": "SECreload"})
	p.start()
	p.ready()
	if status, answer := p.post("/v1/robots/ops", webhook("firing", "instance", "one")); status != http.StatusAccepted || !strings.Contains(answer, `"target":"ops"`) {
		t.Fatalf("HTTP %d %s", status, answer)
	}
	eventually(t, 10*time.Second, func() error {
		if !strings.Contains(p.get("/metrics"), `relay_dead_letters_total{reason="refused",target="ops"} 1`) {
			return fmt.Errorf("the wrong token isn't refused yet")
		}
		return nil
	})
	// The right token comes by its file alone.
	p.write("secrets/ops", "second\n")
	eventually(t, 10*time.Second, func() error {
		if strings.Count(p.log.String(), "configuration in use") != 1 {
			return fmt.Errorf("not reloaded")
		}
		return nil
	})
	var out bytes.Buffer
	if err := run(t.Context(), []string{"dead", "--url", "http://" + p.address, "resend", "--all"}, nil, &out, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	eventually(t, 10*time.Second, func() error {
		for _, m := range messages() {
			if m.Accepted && strings.Contains(m.Text, "one") {
				return nil
			}
		}
		return fmt.Errorf("the dead letter is not in the chat: %s", p.log)
	})
	// A wrong one is refused, whether it is YAML, a field or a secret that is wrong.
	for i, wrong := range []string{"robots: [", conf + "colour: red\n", strings.Replace(conf, "secrets/ops", "secrets/none", 1), strings.Replace(conf, "limit: 20", "limit: 21", 1)} {
		p.write("relay.yaml", wrong)
		eventually(t, 10*time.Second, func() error {
			if n := strings.Count(p.log.String(), "is refused, the old one stays"); n != i+1 {
				return fmt.Errorf("%d refusals", n)
			}
			return nil
		})
		if !strings.Contains(p.get("/metrics"), "relay_config_last_reload_successful 0") {
			t.Errorf("the metric says that %q is in use", wrong)
		}
		if status, _ := p.post("/v1/robots/ops", webhook("firing", "instance", fmt.Sprint("wrong", i))); status != http.StatusAccepted {
			t.Errorf("HTTP %d with the old configuration", status)
		}
	}
	// Going back to the one in use clears the alarm.
	p.write("relay.yaml", conf)
	eventually(t, 10*time.Second, func() error {
		if !strings.Contains(p.get("/metrics"), "relay_config_last_reload_successful 1") {
			return fmt.Errorf("still 0")
		}
		return nil
	})
	// So far two were taken, the token and the way back. SIGHUP reads it again though nothing has changed.
	taken := func(want string) {
		t.Helper()
		eventually(t, 10*time.Second, func() error {
			if page := p.get("/metrics"); !strings.Contains(page, `relay_config_reloads_total{outcome="taken"} `+want+"\n") {
				return fmt.Errorf("want %s configurations taken:\n%s", want, page)
			}
			return nil
		})
	}
	taken("2")
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	taken("3")
}

func TestWhatIsNotTaken(t *testing.T) {
	p := newProcess(t, "robots: {ops: {url: \"http://127.0.0.1:1/\", token_file: secrets/ops}}\n", map[string]string{"ops": "token"})
	p.args = []string{"--max-body", "10000"}
	p.start()
	p.ready()
	for _, r := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"POST", "/v1/robots/ops", "{", 400, "ends in the middle"},
		{"POST", "/v1/robots/ops", `{"alerts":[]}`, 400, "missing or empty"},
		{"POST", "/v1/robots/ops", strings.Repeat("x", 10_001), 413, "more than 10000 bytes"},
		{"POST", "/v1/robots/nobody", string(webhook("firing")), 404, `no such target \"nobody\"`},
		{"POST", "/v1/notify", string(webhook("firing")), 404, "no routes"},
		{"POST", "/v1/heartbeats/none", string(webhook("firing")), 404, "no heartbeat"},
		{"GET", "/v1/robots/ops", "", 405, "notifications are posted"},
		{"POST", "/v1/robot/ops", string(webhook("firing")), 404, "the targets are ops"},
		{"POST", "/dingtalk/nobody/send", string(webhook("firing")), 404, `no such target \"nobody\"`},
		{"POST", "/v1/robots/ops/", string(webhook("firing", "instance", "slash")), 202, "accepted"},
		{"POST", "/dingtalk/ops/send", string(webhook("firing", "instance", "peer")), 202, "accepted"},
		{"POST", "/api/dead/7/resend", "", 404, "no dead letter 7"},
		{"POST", "/dead/7/resend", "", 404, "no dead letter 7"},
		{"DELETE", "/api/dead/x", "", 404, "invalid syntax"},
		{"GET", "/-/healthy", "", 200, "ok"},
	} {
		req, _ := http.NewRequest(r.method, p.url(r.path), strings.NewReader(r.body))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != r.status || !strings.Contains(string(answer), r.says) {
			t.Errorf("%s %s %.20q: HTTP %d %s, want %d %q", r.method, r.path, r.body, resp.StatusCode, answer, r.status, r.says)
		}
	}
	metrics := p.get("/metrics")
	for _, want := range []string{`{reason="malformed"} 2`, `{reason="too_large"} 1`, `{reason="no_target"} 4`, `{reason="no_address"} 1`, `{reason="wrong_method"} 1`} {
		if !strings.Contains(metrics, "relay_notifications_rejected_total"+want) {
			t.Errorf("the metrics don't say %s", want)
		}
	}
	// A sender that repeats what it got no answer for is told that it was there.
	body := webhook("firing", "instance", "twice")
	p.post("/v1/robots/ops", body)
	if status, answer := p.post("/v1/robots/ops", body); status != 202 || !strings.Contains(answer, `"duplicate":true`) {
		t.Errorf("HTTP %d %s", status, answer)
	}
}

// TestACrowdOfSenders has three thousand at once, each of which is slow to say what it has to: they must not
// take more than a container's memory, so some wait outside, and all of them are heard.
func TestACrowdOfSenders(t *testing.T) {
	const crowd = 3000
	p := newProcess(t, "robots: {ops: {url: \"http://127.0.0.1:1/robot/send\", token_file: secrets/ops}}\n", map[string]string{"ops": "token"})
	p.start()
	p.ready()
	body := webhook("firing", "instance", "crowd")
	half := len(body) / 2
	var conns []net.Conn
	for i := range crowd {
		conn, err := net.Dial("tcp", p.address)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		defer conn.Close()
		if _, err := fmt.Fprintf(conn, "POST /v1/robots/ops HTTP/1.1\r\nHost: relay\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:half]); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	// What each costs is the Go runtime's to say, and several times as much under the race detector; how many
	// there are at a time is the relay's.
	var open int
	eventually(t, 20*time.Second, func() error {
		files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
		if open = len(files); err == nil && open < maxConnections {
			err = fmt.Errorf("it has %d files open", open)
		}
		return err
	})
	if open > maxConnections+50 {
		t.Errorf("the relay has %d files open, want some more than %d", open, maxConnections)
	}
	for i, conn := range conns {
		if _, err := conn.Write(body[half:]); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	for i, conn := range conns {
		conn.SetReadDeadline(time.Now().Add(30 * time.Second))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusAccepted {
			t.Fatalf("connection %d: %s", i, resp.Status)
		}
	}
	_, peak := p.rss()
	t.Logf("%d connections: at most %.0f MiB", crowd, peak)
}

func TestThePageCleansWhatAlertsBring(t *testing.T) {
	p := newProcess(t, "robots: {ops: {url: \"http://127.0.0.1:1/\", token_file: secrets/ops}}\n", map[string]string{"ops": "token"})
	p.start()
	p.ready()
	hostile := `{"status":"firing","alerts":[{"labels":{"alertname":"<script>alert(1)</script>"},"annotations":{"summary":"报警 <img src=x onerror=alert(2)> [x](javascript:alert(3))"}}]}`
	resp, err := http.PostForm(p.url("/render"), url.Values{"captured": {hostile}, "target": {"ops"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, _ := io.ReadAll(resp.Body)
	for _, bad := range []string{"<script>", "<img", `href="javascript`} {
		if strings.Contains(string(page), bad) {
			t.Errorf("the page holds %s:\n%s", bad, page)
		}
	}
	if !strings.Contains(string(page), "报警") || resp.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("the page is\n%s", page)
	}
	resp, err = http.PostForm(p.url("/render"), url.Values{"sample": {"storm"}, "digest": {"1"}, "type": {"text"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, _ = io.ReadAll(resp.Body)
	if !strings.Contains(string(page), "摘要") || !strings.Contains(string(page), "go59") {
		t.Errorf("the storm isn't rendered:\n%s", page)
	}
	req, _ := http.NewRequest("POST", p.url("/api/dead/1/resend"), nil)
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	other, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	other.Body.Close()
	if other.StatusCode != http.StatusForbidden {
		t.Errorf("another site's page may re-send: HTTP %d", other.StatusCode)
	}
}

func TestWrongUse(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "robots: {ops: {url: \"http://127.0.0.1:1/\", token_file: secrets/ops}}\n", map[string]string{"ops": "token"})
	p.start()
	p.ready()
	var out bytes.Buffer
	for _, r := range []struct {
		args []string
		says string
	}{
		{[]string{"--config", filepath.Join(p.dir, "none.yaml")}, "no such file"},
		{[]string{"--config", filepath.Join(p.dir, "relay.yaml"), "--spool", filepath.Join(p.dir, "data", "spool.db"), "--listen", "127.0.0.1:0"}, "in use by another relay"},
		{[]string{"--config", filepath.Join(p.dir, "relay.yaml"), "--listen", p.address}, "address already in use"},
		{[]string{"render", "--sample", "none"}, `there is no sample "none"`},
		{[]string{"render", "--time-zone", "Mars/Base"}, "not known"},
		{[]string{"dead", "--url", "http://" + p.address, "resend"}, "--all"},
		{[]string{"dead", "--url", "http://" + p.address, "drop", "12"}, "no dead letter 12"},
		{[]string{"frobnicate"}, "unexpected argument"},
	} {
		err := run(t.Context(), r.args, strings.NewReader(""), &out, &out)
		if err == nil || !strings.Contains(err.Error(), r.says) {
			t.Errorf("%v: %v, want %q", r.args, err, r.says)
		}
	}
	if code := p.stop(); code != 0 {
		t.Errorf("SIGTERM ends with %d", code)
	}
}

func TestRenderCommand(t *testing.T) {
	var out, errs bytes.Buffer
	if err := run(context.Background(), []string{"render", "--notification", "-", "--json"}, bytes.NewReader(webhook("firing", "instance", "db1")), &out, &errs); err != nil {
		t.Fatal(err)
	}
	var m struct {
		Markdown struct{ Title, Text string }
	}
	if err := json.Unmarshal(out.Bytes(), &m); err != nil || !strings.Contains(m.Markdown.Title, "报警") || !strings.Contains(m.Markdown.Text, "db1") {
		t.Errorf("%v: %s", err, out.String())
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine.tmpl"), []byte(`{{define "text"}}mine {{.Nope}}{{end}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(context.Background(), []string{"render", "--templates", dir}, nil, &out, &errs); err == nil || !strings.Contains(err.Error(), "Nope") {
		t.Errorf("a template with a mistake: %v", err)
	}
}

func TestEscalationByMail(t *testing.T) {
	t.Parallel()
	var tries atomic.Int64
	box, err := mailtest.Listen("127.0.0.1:0", func(verb, _ string) string {
		if verb == "DATA" && tries.Add(1) == 1 {
			return "451 later"
		}
		return ""
	})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	server, _ := newGroup(t, robot.Robot{AccessToken: "ops", Name: "ops", Keywords: []string{"别的"}})
	conf := fmt.Sprintf(`
keyword: 报警
retry: {initial: 20ms, max: 100ms}
robots: {ops: {url: %q, token_file: secrets/ops}}
emails:
  duty: {smarthost: %q, from: relay@example.com, to: [duty@example.com], username: relay, password_file: secrets/smtp, ca_file: ca.pem, timeout: 5s}
targets: {ops: {channels: [{robots: [ops]}, {email: duty}]}}
`, server.URL+"/robot/send", box.Address())
	p := newProcess(t, conf, map[string]string{"ops": "ops", "smtp": "mail-password"})
	p.write("ca.pem", string(box.CA()))
	p.start()
	p.ready()
	p.post("/v1/robots/ops", webhook("firing", "instance", "db1"))
	var got string
	eventually(t, 15*time.Second, func() error {
		mails := box.Mails()
		if len(mails) != 1 {
			return fmt.Errorf("%d mails:\n%s", len(mails), p.log)
		}
		got = mails[0]
		return nil
	})
	for _, want := range []string{"To: <duty@example.com>", "Message-ID: <", "text/plain", "text/html"} {
		if !strings.Contains(got, want) {
			t.Errorf("the mail has no %q:\n%s", want, got)
		}
	}
	if !strings.Contains(p.log.String(), "451") {
		t.Errorf("the first try wasn't put off:\n%s", p.log)
	}
	logins := box.Passwords()
	if len(logins) != 2 || logins[0] != "mail-password" || logins[1] != "mail-password" {
		t.Errorf("logged in with %q", logins)
	}
	// The certificate counts: without the authority nothing is sent, neither is the password.
	p.write("relay.yaml", strings.Replace(conf, "ca_file: ca.pem, ", "", 1))
	eventually(t, 10*time.Second, func() error {
		if !strings.Contains(p.log.String(), "configuration in use") {
			return fmt.Errorf("not reloaded")
		}
		return nil
	})
	p.post("/v1/robots/ops", webhook("firing", "instance", "db2"))
	eventually(t, 15*time.Second, func() error {
		if !strings.Contains(p.log.String(), "certificate") {
			return fmt.Errorf("no complaint about the certificate:\n%s", p.log)
		}
		return nil
	})
	if len(box.Mails()) != 1 || len(box.Passwords()) != len(logins) {
		t.Errorf("a mail or the password went to a server nobody knows")
	}
}

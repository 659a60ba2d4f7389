package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func load(t *testing.T, conf string, files map[string]string) (*Config, error) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "relay.yaml")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path)
}

func TestTheSimplestConfiguration(t *testing.T) {
	c, err := load(t, "robots: {ops: {token_file: token}}", map[string]string{"token": "abc\n"})
	if err != nil {
		t.Fatal(err)
	}
	r, target := c.Robots["ops"], c.Targets["ops"]
	if r.Token != "abc" || r.URL != "https://oapi.dingtalk.com/robot/send" || r.Limit != 20 || r.Window.Std() != time.Minute || r.Block.Std() != 10*time.Minute {
		t.Errorf("the robot is %+v", r)
	}
	if len(target.Channels) != 1 || target.Channels[0].Label() != "robot:ops" || c.Zone.String() != "Asia/Shanghai" {
		t.Errorf("the target is %+v", target)
	}
}

// TestTheDocumentedConfiguration reads the example of docs/configuration.md, so that it stays true.
func TestTheDocumentedConfiguration(t *testing.T) {
	doc, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(doc), "```yaml\n")
	conf, _, ok2 := strings.Cut(rest, "```")
	if !ok || !ok2 {
		t.Fatal("there is no example in it")
	}
	files := map[string]string{}
	for line := range strings.Lines(conf) {
		for _, word := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" :,{}\n\"", r) }) {
			if strings.HasPrefix(word, "secrets/") {
				files[strings.ReplaceAll(word, "/", "-")] = "http://gateway.example/secret"
			}
		}
	}
	conf = strings.ReplaceAll(conf, "secrets/", "secrets-")
	conf = strings.Replace(conf, "templates: templates", "", 1)
	conf = strings.Replace(conf, "ca_file: mail-ca.pem", "", 1)
	if _, err := load(t, conf, files); err != nil {
		t.Error(err)
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	base := "robots: {ops: {token_file: token}}\n"
	for conf, want := range map[string]string{
		"":                                                                     "nowhere to deliver",
		base + "colour: red":                                                   "field colour not found",
		"robots: {Ops: {token_file: token}}":                                   "lower-case",
		"robots: {ops: {}}":                                                    "token_file is missing",
		"robots: {ops: }":                                                      "is empty",
		"robots: {ops: {token_file: none}}":                                    "no such file",
		"robots: {ops: {token_file: void}}":                                    "is empty",
		"robots: {ops: {token_file: two}}":                                     "more than one line",
		"robots: {ops: {token_file: whole}}":                                   "whole address",
		"robots: {ops: {token_file: token, limit: 21}}":                        "between 1 and 20",
		"robots: {ops: {token_file: token, window: 30s}}":                      "shorter than DingTalk's minute",
		"robots: {ops: {token_file: token, window: 60}}":                       "is no duration",
		"robots: {ops: {token_file: token, type: feedCard}}":                   "none of markdown",
		"robots: {ops: {token_file: token, url: 'ftp://x'}}":                   "not an http(s) address",
		"robots: {ops: {token_file: token, url: 'https://x/?access_token=y'}}": "put it into the token_file",
		base + "time_zone: Mars/Base":                                          "not known",
		base + "targets: {x: {channels: []}}":                                  "has no channels",
		base + "targets: {x: {channels: [{robots: [none]}]}}":                  `robot "none" is not defined`,
		base + "targets: {x: {channels: [{robots: [ops], email: y}]}}":         "exactly one of",
		base + "targets: {x: {channels: [{webhook: y}]}}":                      `webhook "y" is not defined`,
		base + "routes: [{match: {a: b}, target: ops}]":                        "must have no match",
		base + "routes: [{target: none}]":                                      `target "none" is not defined`,
		base + "heartbeats: {h: {target: none}}":                               `target "none" is not defined`,
		base + "heartbeats: {h: {target: ops, channel: 3}}":                    "channel 3 does not exist",
		base + "emails: {m: {smarthost: mail, from: a@b, to: [c@d]}}":          "not host:port",
		base + "emails: {m: {smarthost: 'mail:25', from: nobody, to: [c@d]}}":  "no mail address",
		base + "emails: {m: {smarthost: 'mail:25', tls: none, from: a@b, to: [c@d], username: u, password_file: token}}": "in clear",
		base + "emails: {m: {smarthost: 'mail:25', from: a@b, to: [c@d], username: u}}":                                  "belong together",
		base + "webhooks: {w: {}}":                                                            "exactly one of url and url_file",
		base + "webhooks: {w: {url: 'http://x', template: none}}":                             `no template "none"`,
		base + "templates: nowhere":                                                           "templates folder",
		base + "targets: {x: {channels: [{robots: [ops]}], mentions: [{match: {a: b}}]}}":     "names nobody",
		base + "targets: {x: {channels: [{robots: [ops]}], mentions: [{mobiles: ['1 38']}]}}": "no mobile number",
	} {
		_, err := load(t, conf, map[string]string{"token": "abc-secret", "void": "\n", "two": "a\nb", "whole": "https://x/?access_token=abc-secret"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v\nwant %q", conf, err, want)
		} else if strings.Contains(err.Error(), "abc-secret") {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
}

func TestRedact(t *testing.T) {
	c := &Config{Secrets: []string{"a+b/c=d", "ab"}}
	if got := c.Redact("x a+b/c=d y a%2Bb%2Fc%3Dd z abc"); got != "x [secret] y [secret] z abc" {
		t.Errorf("%q", got)
	}
}

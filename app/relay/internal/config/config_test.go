package config

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"lookout/app/relay/internal/channel/dingtalk"
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
	r, target := c.Peers["robot:ops"].(*dingtalk.Robot), c.Targets["ops"]
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
				name := strings.ReplaceAll(word, "/", "-")
				files[name] = name
				if strings.HasSuffix(name, ".dsn") {
					files[name] = "postgres://relay:" + name + "@pg.example/relay"
				}
				if strings.HasSuffix(name, ".mobile") {
					files[name] = fmt.Sprintf("1380000%04d", len(files))
				}
				if strings.HasSuffix(name, ".url") {
					files[name] = "http://gateway.example/" + name
				}
			}
		}
	}
	conf = strings.ReplaceAll(conf, "secrets/", "secrets-")
	conf = strings.ReplaceAll(conf, "templates: templates", "")
	conf = strings.Replace(conf, "ca_file: mail-ca.pem", "", 1)
	// As many keywords as a robot can have.
	conf = strings.Replace(conf, "keywords: [报警, Lookout]", "keywords: [a, b, c, d, e, f, g, h, i, j]", 1)
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
		"robots: {ops: {token_file: token, window: 60}}":                       "is not a valid duration",
		"robots: {ops: {token_file: token, type: feedCard}}":                   "none of markdown",
		"robots: {ops: {token_file: token, url: 'ftp://x'}}":                   "not an http(s) address",
		"robots: {ops: {token_file: token, url: 'https://x/?access_token=y'}}": "put it into the token_file",
		"feishu: {ops: {token_file: token, limit: 101}}":                       "between 1 and 100, which is what Feishu",
		"feishu: {ops: {token_file: token, type: markdown}}":                   "none of card, post, text",
		"feishu: {ops: {token_file: hook}}":                                    "only what stands after /hook/",
		"feishu: {ops: {token_file: token, url: 'https://open.feishu.cn/open-apis/bot/v2/hook/abc'}}": "holds the token (hook)",
		"feishu: {ops: {token_file: token, window: 30s}}":                                             "shorter than Feishu's minute",
		"feishu: {ops: {token_file: token, organisation: x}}":                                         "line 1: field organisation not found",
		"wecom: {ops: {token_file: token, limit: 21}}":                                                "between 1 and 20, which is what WeCom",
		"wecom: {ops: {token_file: token, secret_file: token}}":                                       "field secret_file not found",
		"apps: {ops: {}}": "client_id_file is missing",
		"apps: {ops: {client_id_file: token, client_secret_file: token, group: cidX, template: t.schema}}":                                                                                       "holds the Client ID",
		"apps: {ops: {client_id_file: token, client_secret_file: other, group: X, template: t.schema}}":                                                                                          `group "X" is not an openConversationId`,
		"apps: {ops: {client_id_file: token, client_secret_file: other, group: cidX, template: t}}":                                                                                              `template "t" is not the number of a card template`,
		"apps: {ops: {client_id_file: token, client_secret_file: other, group: cidX, template: t.schema, limit: 21}}":                                                                            "limit 21 is not between 1 and 20",
		"apps: {ops: {client_id_file: token, client_secret_file: other, group: cidX, template: t.schema, window: 1s}}":                                                                           "shorter than DingTalk's minute",
		"apps: {ops: {client_id_file: token, client_secret_file: other, group: cidX, template: t.schema, max_bytes: 10}}":                                                                        "max_bytes 10 is not between",
		"apps: {ops: {client_id_file: token, client_secret_file: other, group: cidX, template: t.schema, people: {u1: ''}}}":                                                                     `people: "u1" has no name`,
		"apps: {ops: {client_id_file: token, client_secret_file: other, group: cidX, template: t.schema, url: 'http://api.dingtalk.com'}}":                                                       "would send the secret in clear",
		"apps: {ops: {client_id_file: token, client_secret_file: other, group: cidX, template: t.schema, url: 'https://oapi.dingtalk.com'}}":                                                     "not that of DingTalk's OpenAPI",
		"apps: {ops: {client_id_file: token, client_secret_file: other, group: cidX, template: t.schema, url: 'https://x.test/v1.0'}}":                                                           "has a path, a query or a fragment",
		"apps: {a: {client_id_file: token, client_secret_file: other, group: cidX, template: t.schema}, b: {client_id_file: token, client_secret_file: other, group: cidX, template: t.schema}}": "they are one robot",
		base + "answers: {silences: 'http://am:9093'}": "answers.url is missing",
		"wecom: {ops: }": "it needs at least a token_file",
		"wecom: {ops: {token_file: token, url: 'https://x/send?key=y'}}":                                                       "holds the token (key)",
		base + "feishu: {ops: {token_file: other}}":                                                                            "robots.ops and feishu.ops have one name: define targets.ops",
		base + "targets: {x: {channels: [{feishu: none}]}}":                                                                    `feishu "none" is not defined: add it to feishu`,
		base + "targets: {x: {channels: [{slack: none}]}}":                                                                     "field slack not found",
		base + "targets: {x: {channels: [{escalate_after: 5m}]}}":                                                              "exactly one of",
		base + "targets: {x: {channels: [{robots: [ops]}], mentions: [{ids: {robot: [x], slack: [y]}}]}}":                      `"slack" is none`,
		base + "targets: {x: {channels: [{robots: [ops]}], mentions: [{ids: {wecom: [a]}}]}}":                                  "mentions[0]: no channel of the target can call them",
		"wecom: {w: {token_file: token}}\ntargets: {x: {channels: [{wecom: w}], mentions: [{all: true}, {mobiles: ['138']}]}}": "mentions[1]: no channel of the target can call them",
		base + "time_zone: Mars/Base":                                                                                          "not known",
		base + "targets: {x: {channels: []}}":                                                                                  "has no channels",
		base + "targets: {x: {channels: [{robots: [none]}]}}":                                                                  `robot "none" is not defined`,
		base + "targets: {x: {channels: [{robots: [ops], email: y}]}}":                                                         "exactly one of",
		base + "targets: {x: {channels: [{webhook: y}]}}":                                                                      `webhook "y" is not defined`,
		base + "routes: [{match: {a: b}, target: ops}]":                                                                        "must have no match",
		base + "routes: [{target: none}]":                                                                                      `target "none" is not defined`,
		base + "heartbeats: {h: {target: none}}":                                                                               `target "none" is not defined`,
		base + "heartbeats: {h: {target: ops, channel: 3}}":                                                                    "channel 3 does not exist",
		base + "emails: {m: {smarthost: mail, from: a@b, to: [c@d]}}":                                                          "not host:port",
		base + "emails: {m: {smarthost: 'mail:25', from: nobody, to: [c@d]}}":                                                  "is not a valid mail address",
		base + "emails: {m: {smarthost: 'mail:25', tls: none, from: a@b, to: [c@d], username: u, password_file: token}}":       "in clear",
		base + "emails: {m: {smarthost: 'mail:25', from: a@b, to: [c@d], username: u}}":                                        "belong together",
		base + "webhooks: {w: {}}":                                                                                             "exactly one of url and url_file",
		base + "webhooks: {w: {url: 'http://x', template: none}}":                                                              `no template "none"`,
		base + "time_zone: Local":                                                                                              "another one on every machine",
		base + "duplicate_window: 30d":                                                                                         "duplicate_window: 720h0m0s is longer than 1h0m0s",
		base + "retry: {max: 9000h}":                                                                                           "retry.max: 9000h0m0s is longer than 1h0m0s",
		"robots: {ops: {token_file: token, timeout: 1h}}":                                                                      "robots.ops.timeout: 1h0m0s is longer than 1m0s",
		"robots: {ops: {token_file: token, timeout: 1ns}}":                                                                     "robots.ops.timeout: 1ns is shorter than 10ms",
		"robots: {ops: {token_file: token, block: 1ns}}":                                                                       "robots.ops.block: 1ns is shorter than 10ms",
		"robots: {ops: {token_file: token, block: 2d}}":                                                                        "robots.ops.block: 48h0m0s is longer than 24h0m0s",
		"robots: {ops: {token_file: token, window: 8760h}}":                                                                    "robots.ops.window: 8760h0m0s is longer than 1h0m0s",
		"robots: {ops: {token_file: token, limit: 0}}":                                                                         "line 1: limit 0 lets nothing through",
		base + "targets: {x: {channels: [{robots: [ops]}], digest: {above: 0}}}":                                               "line 2: above 0 lets nothing through",
		"robots: {ops: {token_file: token, keywords: [' 报警']}}":                                                                "has spaces at an end",
		"robots: {ops: {token_file: token, keywords: [\"a\\nb\"]}}":                                                            "or a line break",
		"robots: {ops: {token_file: token, keywords: [a, b, a]}}":                                                              `the keyword "a" stands there twice`,
		"robots: {ops: {token_file: token, keywords: [a, b, c, d, e, f, g, h, i, j, k]}}":                                      "11 keywords, a robot can have 10",
		"robots: {ops: {token_file: token, secret_file: token}}":                                                               "robots.ops.secret_file: holds the token",
		"keyword: '" + strings.Repeat("x", 101) + "'\n" + base:                                                                 "a keyword of 101 bytes",
		base + "bearer_token_file: token":                                                                                      "bearer_token_file: it holds the token of robots.ops",
		base + "admin_token_file: token":                                                                                       "admin_token_file: it holds the token of robots.ops",
		base + "hosts: ['https://relay.example.com/']":                                                                         `hosts[0]: "https://relay.example.com/" is not a host name`,
		base + "hosts: [a.b, '*.example.com']":                                                                                 `hosts[1]: "*.example.com" is not a host name`,
		base + "hosts: ['relay.example.com:8070']":                                                                             "without scheme, port or *",
		base + "hosts: ['']":                                                                                                `hosts[0]: "" is not a host name`,
		base + "organisations: {x: {monthly_quota: -1}}":                                                                    "monthly_quota -1 is not a number of messages",
		base + "organisations: {x: {monthly_quota: 1}}":                                                                     "no robot says organisation: x",
		base + "targets: {x: {channels: [{robots: [ops]}], digest: {settle: 1h, max_wait: 1s}}}":                            "settle 1h0m0s is longer than max_wait 1s",
		base + "targets: {x: {channels: [{robots: [ops]}], digest: {max_wait: 10h}}}":                                       "max_wait: 10h0m0s is longer than 10m0s",
		base + "targets: {x: {channels: [{robots: [ops]}], digest: {pause: 10h}}}":                                          "pause: 10h0m0s is longer than 10m0s",
		base + "targets: {x: {channels: [{robots: [ops]}], digest: {above: 1001}}}":                                         "above and max_messages are 1 to 1000",
		base + "targets: {x: {channels: [{robots: [ops]}], digest: {max_messages: 1001}}}":                                  "above and max_messages are 1 to 1000",
		base + "targets: {x: {channels: [{robots: [ops]}], mentions: [{match: {a: 'x|y'}, all: true}]}}":                    "targets.x.mentions[0].match.a: \"x|y\" looks like a regular expression",
		base + "targets: {x: {channels: [{robots: [ops]}], mentions: [{match: {a: x}, mobiles: ['+']}]}}":                   `"+" is no mobile number`,
		base + "targets: {x: {channels: [{robots: [ops]}], mentions: [{match: {a: x}, mobiles: ['1234']}]}}":                `"1234" is no mobile number`,
		base + "targets: {x: {channels: [{robots: [ops]}], mentions: [{match: {a: x}, user_ids: ['']}]}}":                   "mentions[0]: an id is empty",
		base + "routes: [{match: {'': x}, target: ops}, {target: ops}]":                                                     "routes[0].match: a label has no name",
		base + "routes: [{matchers: ['team=~\".*\"'], target: ops}, {target: ops}]":                                         "routes[1]: no alert gets here, routes[0] takes all",
		base + "routes: [{match: {a: b}, target: ops}, {matchers: ['a=\"b\"'], match: {c: d}, target: ops}, {target: ops}]": "routes[1]: no alert gets here, routes[0] takes all that fits",
		base + "routes: [{match: {a: b}, matchers: ['a!=\"b\"'], target: ops}, {target: ops}]":                              "routes[0]: no alert fits it",
		base + "routes: [{matchers: ['a=\"b\"', 'a=~\"c.*\"'], target: ops}, {target: ops}]":                                "exclude each other",
		base + "routes: [{target: ops, continue: true}]":                                                                    "routes[0]: continue: true has nothing to go on to",
		base + "heartbeats: {h: {target: ops, timeout: 1ms}}":                                                               "heartbeats.h.timeout: 1ms is shorter than 100ms",
		base + "heartbeats: {h: {target: ops, timeout: 8d}}":                                                                "heartbeats.h.timeout: 192h0m0s is longer than 168h0m0s",
		base + "heartbeats: {h: {target: ops, repeat: 1s}}":                                                                 "heartbeats.h.repeat: 1s is shorter than 10s",
		base + "heartbeats: {h: {target: ops, match: {alertname: 'Watch.*'}}}":                                              "heartbeats.h.match.alertname",
		base + "heartbeats: {h: {target: ops, severity: Purple}}":                                                           `severity "Purple" is not known`,
		base + "heartbeats: {a: {target: ops}, b: {target: ops}}":                                                           "heartbeats.b is heartbeats.a",
		base + "emails: {m: {smarthost: 'mail:25', from: a@b, to: [c@d, c@d]}}":                                             `to "c@d" stands there twice`,
		base + "emails: {m: {smarthost: 'mail:465', from: a@b, to: [c@d]}}":                                                 "port 465 speaks TLS from the start",
		base + "webhooks: {w: {url: 'http://x', preset: aliyun-sms, success: {values: [a]}}}":                               "success and preset exclude each other",
		base + "webhooks: {w: {url: 'http://x', success: {path: a..b, values: [a]}}}":                                       `"a..b" has an empty part`,
		base + "webhooks: {w: {url: 'http://x', headers: {'Bad Header': x}}}":                                               `"Bad Header" is not a header that can be sent`,
		base + "webhooks: {w: {url: 'http://x', headers: {X: \"a\\nb\"}}}":                                                  `"X" is not a header that can be sent`,
		base + "webhooks: {w: {url: 'http://x', headers: {Authorization: Bearer abcdefgh}}}":                                "the value of Authorization is a secret",
		base + "webhooks: {w: {url: 'http://x', headers: {Content-Type: x/y}}}":                                             "write content_type for Content-Type",
		base + "webhooks: {w: {url: 'http://x', headers: {X: a}, header_files: {X: other}}}":                                "X stands in headers as well",
		base + "webhooks: {w: {url: 'http://x', header_files: {'a b': other}}}":                                             `"a b" is not the name of a header`,
		base + "webhooks: {w: {url: 'http://x', content_type: \"a\\nb\"}}":                                                  "is not one",
		base + "webhooks: {w: {url: 'http://x:99999/y'}}":                                                                   "has the port 99999",
		base + "webhooks: {w: {url: 'http://abc-secret@x/y'}}":                                                              "holds a user or a password",
		base + "pair: {}":                                                                                "pair.dsn_file is missing",
		base + "pair: {dsn_file: none}":                                                                  "pair.dsn_file: ",
		base + "pair: {dsn_file: token}":                                                                 "pair.dsn_file: it is not the address of a PostgreSQL",
		base + "pair: {dsn_file: dsn, takeover: 1s}":                                                     "pair.takeover: 1s is not between 2s and 10m",
		base + "pair: {dsn_file: dsn, takeover: 11m}":                                                    "pair.takeover: 11m0s is not between",
		base + "pair: {dsn_file: dsn, name: A B}":                                                        `pair.name "A B"`,
		base + "pair: {dsn_file: dsn, peer: 'http://x/-/pair'}":                                          "pair.peer ends with /-/pair",
		base + "pair: {dsn_file: dsn, peer: relay}":                                                      "pair.peer is not an http(s) address",
		base + "pair: {dsn_file: dsn, origins: ['http://am-1']}":                                         "one sender is one anyway",
		base + "pair: {dsn_file: dsn, origins: [am-1, am-2]}":                                            "pair.origins[0] is not an http(s) address",
		base + "pair: {dsn_file: dsn, dsn: x}":                                                           "field dsn not found",
		"robots: {ops: {token_file: token, limit: 4}}\npair: {dsn_file: dsn}":                            "robots.ops: two relays cannot share a limit of 4",
		base + "retry: {initial: 2m}":                                                                    "shorter than initial",
		"robots: {ops: {token_file: token, timeout: 0s}}":                                                "0 is not a time",
		"robots: {ops: {token_file: token, keywords: ['']}}":                                             "must not be empty",
		base + "keyword: ''":                                                                             "must not be empty",
		base + "---\nkeyword: x":                                                                         "second YAML document",
		"robots: {a: {token_file: token}, b: {token_file: token}}":                                       "are one robot",
		base + "targets: {x: {channels: [{robots: [ops, ops]}]}}":                                        "stands there twice",
		base + "targets: {x: {channels: [{robots: [ops]}, {robots: [ops]}]}}":                            "is in channels[0] already",
		base + "targets: {x: {channels: [{robots: [ops], escalate_after: 2d}, {email: y}]}}":             "longer than the day",
		base + "routes: [{target: ops}, {match: {a: b}, target: ops}, {target: ops}]":                    "no alert gets here",
		base + "routes: [{match: {a: 'b|c'}, target: ops}, {target: ops}]":                               "looks like a regular expression",
		base + "routes: [{match: {a: '^b$'}, target: ops}, {target: ops}]":                               "looks like a regular expression",
		base + "routes: [{matchers: ['a=~\"(\"'], target: ops}, {target: ops}]":                          "is not a valid matcher",
		base + "organisations: {x: {}}\ntargets: {y: {channels: [{robots: [ops]}], templates: nowhere}}": "templates folder",
		"robots: {ops: {token_file: token, organisation: none}}":                                         `organisation "none" is not defined`,
		base + "webhooks: {w: {url: 'http://x', preset: none}}":                                          `preset "none" is not known`,
		base + "webhooks: {w: {url: 'http://x', success: {path: a}}}":                                    "both path and values",
		base + "webhooks: {w: {url: 'http://me:abc-secret@x/'}}":                                         "holds a user or a password",
		base + "admin_token_file: token\nbearer_token_file: token":                                       "the senders' token",
		"robots: {ops: {token_file: token, limit: abc-secret}}":                                          "cannot unmarshal",
		"robots: {a: {token_file: token}, b: {token_file: other}}\ntargets: {x: {channels: [{robots: [a]}, {robots: [b]}]}}\nheartbeats: {h: {target: x, channel: 0, repeat: 1m}}": "before it could be escalated",
		base + "templates: nowhere":                                                                                          "templates folder",
		base + "answers: {url: 'http://x.test/?a=b', key_file: long}":                                                        "answers.url holds a query or a fragment",
		base + "answers: {url: 'http://x.test/#a', key_file: long}":                                                          "answers.url holds a query or a fragment",
		base + "answers: {url: 'http://u:abc-secret@x.test/', key_file: long}":                                               "answers.url holds a user or a password: leave it out",
		base + "answers: {url: 'http://x.test/answer/', key_file: long}":                                                     "answers.url ends with /answer: leave that out",
		base + "answers: {url: 'http://x.test', key_file: long, silences: 'http://am:9093/api/v2/silences'}":                 "answers.silences ends with /api/v2/silences: leave that out",
		base + "answers: {url: 'http://x.test', key_file: long, silences: 'http://am:9093/api/v2/'}":                         "answers.silences ends with /api/v2: leave that out",
		base + "answers: {url: 'http://x.test', key_file: long, silences: 'http://am:9093/?x=1'}":                            "answers.silences holds a query or a fragment",
		base + "answers: {url: 'http://x.test', key_file: long, silences: 'http://am:9093', header_files: {'Auth x': long}}": `answers.header_files: "Auth x" is not the name of a header`,
		base + "answers: {url: 'http://x.test', key_file: long, header_files: {Authorization: long}}":                        "answers: header_files are sent to answers.silences, which is missing",
		base + "answers: {url: 'http://x.test', key_file: long, silence: 'http://am:9093'}":                                  "field silence not found",
		base + "answers: {}":                                   "answers.url is missing: it is how phones reach",
		"feishu: {f: {token_file: slash}}":                     "feishu.f.token_file: holds characters that a token does not have",
		"feishu: {f: {token_file: spaced}}":                    "feishu.f.token_file: holds characters that a token does not have",
		"robots: {f: {token_file: spaced}}":                    "robots.f.token_file: holds characters that a token does not have",
		"feishu: {f: {token_file: token, secret_file: token}}": "feishu.f.secret_file: holds the token",
		"feishu: {f: {token_file: token, url: 'https://open.feishu.cn/open-apis/bot/v2/hook?x=1'}}":             "feishu.f.url: holds a query",
		"feishu: {f: {token_file: token, url: 'https://open.larksuite.com/open-apis/bot/v2/hook', window: 1s}}": "shorter than Feishu's minute",
		"feishu: {f: {token_file: token, url: 'https://open.feishu.cn/open-apis/bot/hook'}}":                    "feishu.f.url: has another path than Feishu's /open-apis/bot/v2/hook",
		"feishu: {f: {token_file: token, url: 'http://open.feishu.cn/open-apis/bot/v2/hook'}}":                  "feishu.f.url: would send the token in clear: write https",
		"feishu: {f: {token_file: token, url: 'https://qyapi.weixin.qq.com/cgi-bin/webhook/send'}}":             "feishu.f.url: is WeCom's: robots of WeCom belong below wecom",
		"wecom: {w: {token_file: token, url: 'https://oapi.dingtalk.com/robot/send'}}":                          "wecom.w.url: is DingTalk's: robots of DingTalk belong below robots",
		"robots: {w: {token_file: token, url: 'https://open.feishu.cn/open-apis/bot/v2/hook'}}":                 "robots.w.url: is Feishu's: robots of Feishu belong below feishu",
		base + "targets: {x: {channels: [{robots: [ops]}], mentions: [{match: {a: b}}]}}":                       "names nobody",
		base + "targets: {x: {channels: [{robots: [ops]}], mentions: [{mobiles: ['1 38']}]}}":                   "no mobile number",
	} {
		_, err := load(t, conf, map[string]string{"dsn": "postgres://relay:pa55@pg/relay", "long": "0123456789abcdef", "slash": "abc/abc-secret?x=1", "spaced": "abc-secret x", "token": "abc-secret", "void": "\n", "two": "a\nb", "other": "def-other", "whole": "https://x/?access_token=abc-secret", "hook": "https://open.feishu.cn/open-apis/bot/v2/hook/abc-secret"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v\nwant %q", conf, err, want)
		} else if strings.Contains(err.Error(), "abc-secret") {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
}

// TestAByteOrderMarkIsNotPartOfASecret: editors of Windows write one, and nothing says so afterwards.
// TestWhatTheStackKnows: the file's own addresses go first, and without answers in it nothing is made up.
func TestWhatTheStackKnows(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"token": "abc", "key": "0123456789abcdef",
		"bare.yaml": "robots: {ops: {token_file: token}}", "key.yaml": "answers: {key_file: key}\nrobots: {ops: {token_file: token}}",
		"own.yaml": "answers: {key_file: key, url: 'https://own.test', silences: 'http://own.test'}\nrobots: {ops: {token_file: token}}",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := Defaults{AnswersURL: "http://127.0.0.1:8090", AnswersSilences: "http://alertmanager:9093"}
	if c, err := LoadWith(filepath.Join(dir, "bare.yaml"), d); err != nil || c.Answers != nil {
		t.Errorf("%+v %v", c, err)
	}
	if c, err := LoadWith(filepath.Join(dir, "key.yaml"), d); err != nil || c.Answers.URL != d.AnswersURL || c.Answers.Silences != d.AnswersSilences {
		t.Errorf("%v", err)
	}
	if c, err := LoadWith(filepath.Join(dir, "own.yaml"), d); err != nil || c.Answers.URL != "https://own.test" || c.Answers.Silences != "http://own.test" {
		t.Errorf("%v", err)
	}
	if _, err := LoadWith(filepath.Join(dir, "key.yaml"), Defaults{AnswersURL: "console:8090"}); err == nil || !strings.Contains(err.Error(), "answers.url is not an http(s) address") {
		t.Errorf("%v", err)
	}
}

func TestAByteOrderMarkIsNotPartOfASecret(t *testing.T) {
	c, err := load(t, "robots: {ops: {token_file: token}}\n", map[string]string{"token": "\ufeffabc-secret\r\n"})
	if err != nil || c.Peers["robot:ops"].Traits().Token != "abc-secret" {
		t.Errorf("%v", err)
	}
}

func TestRedact(t *testing.T) {
	c := &Config{Secrets: []string{"a+b/c=d", "ab"}}
	if got := c.Redact("x a+b/c=d y a%2Bb%2Fc%3Dd z abc"); got != "x [secret] y [secret] z abc" {
		t.Errorf("%q", got)
	}
}

// TestRedactFindsSecretsInEveryForm in which the other side, or a library, may repeat them.

// TestRedactAnswerLinks: another side that repeats a message repeats the link that lets in.
func TestRedactAnswerLinks(t *testing.T) {
	link := "https://relay.test/answer/0123456789abcdef01234567?e=1700000000&s=Zm9v-bar_Zm9v"
	quoted, _ := json.Marshal(link)
	for _, form := range []string{link, string(quoted), html.EscapeString(link), url.QueryEscape(link)} {
		if got := (&Config{}).Redact("x " + form + " y"); strings.Contains(got, "Zm9v") || !strings.Contains(got, "relay.test") || !strings.HasSuffix(got, " y") {
			t.Errorf("%s", got)
		}
	}
	if got := (&Config{}).Redact("the answer is s=short"); strings.Contains(got, "[secret]") {
		t.Error(got)
	}
}

func TestRedactFindsSecretsInEveryForm(t *testing.T) {
	secret := `s3cr/et+K"ey&=<7>`
	c := Config{Secrets: []string{secret}}
	quotedJSON, _ := json.Marshal(secret)
	for name, form := range map[string]string{
		"as it is": secret, "query": url.QueryEscape(secret), "query, lower": strings.ToLower(url.QueryEscape("/")) + url.QueryEscape(secret),
		"path": url.PathEscape(secret), "twice": url.QueryEscape(url.QueryEscape(secret)), "JSON": string(quotedJSON), "Go": strconv.Quote(secret),
		"HTML": html.EscapeString(secret), "base64": base64.StdEncoding.EncodeToString([]byte("user:" + secret)), "base64 url": base64.URLEncoding.EncodeToString([]byte("x" + secret)),
		"hex": hex.EncodeToString([]byte(secret)), "HEX": fmt.Sprintf("%X", secret), "signed": "https://x.test/send?access_token=abcdefgh&timestamp=1&sign=Zm9v%2Fbar",
	} {
		got := c.Redact("before " + form + " after")
		if !strings.Contains(got, "[secret]") || strings.Contains(got, "s3cr") || strings.Contains(got, "czNjc") || strings.Contains(got, "733363") || strings.Contains(got, "Zm9v") || strings.Contains(got, "abcdefgh") {
			t.Errorf("%s: %s", name, got)
		}
		if !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after") {
			t.Errorf("%s takes more away than the secret: %s", name, got)
		}
	}
}

func TestRoutesByMatchers(t *testing.T) {
	c, err := load(t, `
robots: {ops: {token_file: token}, db: {token_file: other}}
routes:
  - {matchers: ['team=~"db|mysql"', 'severity!="info"'], target: db}
  - {matchers: 'env!~"dev.*"', match: {zone: eu}, target: db, continue: true}
  - {target: ops}
heartbeats: {h: {target: ops, timeout: 1d12h}}
`, map[string]string{"token": "abc", "other": "def"})
	if err != nil {
		t.Fatal(err)
	}
	for labels, want := range map[string]string{
		"team=db": "db", "team=mysql severity=info": "ops", "team=dbx": "ops", "zone=eu": "db ops", "zone=eu env=dev1": "ops", "": "ops",
	} {
		alert := map[string]string{}
		for pair := range strings.FieldsSeq(labels) {
			k, v, _ := strings.Cut(pair, "=")
			alert[k] = v
		}
		if got := strings.Join(c.Route(alert), " "); got != want {
			t.Errorf("%s goes to %s, want %s", labels, got, want)
		}
	}
	if got := c.Heartbeats["h"].Timeout.Std(); got != 36*time.Hour {
		t.Errorf("1d12h is %s", got)
	}
}

// TestTemplatesThatCannotBeMeant: one that nothing uses, and one that leaves the alerts out.
func TestTemplatesThatCannotBeMeant(t *testing.T) {
	base := "templates: .\nrobots: {ops: {token_file: token}}\n"
	for tmpl, want := range map[string]string{
		`{{define "txet"}}{{.Name}}{{end}}`:                                              `"txet" is defined and used by nothing`,
		`{{define "text"}}something is wrong{{end}}`:                                     `template "text" leaves the alerts out`,
		`{{define "digest.line"}}- alert{{end}}`:                                         `template "digest.line" leaves the alerts out`,
		`{{define "text"}}{{template "mine" .}}{{end}}{{define "mine"}}{{.Name}}{{end}}`: "",
	} {
		_, err := load(t, base, map[string]string{"token": "abc", "x.tmpl": tmpl})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", tmpl, err, want)
		}
	}
}

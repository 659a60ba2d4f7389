package robot

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The rules of Feishu's custom bots: https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot.
// 9499, 11232, 19021, 19022 and 19024 are documented there with their texts, 19001, 19002 and 19007 were seen by users.
var (
	feishuOK      = verdict{0, "success"}
	feishuBad     = verdict{9499, "Bad Request"}
	feishuToken   = verdict{19001, "param invalid: incoming webhook access token invalid"}
	feishuType    = verdict{19002, "params error, msg_type need"}
	feishuOff     = verdict{19007, "Bot Not Enabled"}
	feishuSign    = verdict{19021, "sign match fail or timestamp is not within one hour from current time"}
	feishuIP      = verdict{19022, "Ip Not Allowed"}
	feishuKeyword = verdict{19024, "Key Words Not Found"}
	feishuTooFast = verdict{11232, "frequency limited psm[lark.oapi.app_platform_runtime]"}
)

var feishu = &protocol{
	chat:  Feishu,
	token: func(r *http.Request) string { return r.PathValue("token") },
	take:  func(m *Message, body []byte, limit int) { m.takeFeishu(body, limit) },
	judge: judgeFeishu,
	answer: func(v verdict) any {
		if v.Code != 0 {
			return map[string]any{"code": v.Code, "msg": v.Text, "data": map[string]any{}}
		}
		return map[string]any{"code": 0, "msg": "success", "data": map[string]any{}, "StatusCode": 0, "StatusMessage": "success"}
	},
	limits: func(c Config) []*limiter {
		// 100 in a minute and 5 in a second, as --per-minute and --window scale DingTalk's 20. Nothing is blocked beyond that.
		return []*limiter{{limit: 5 * c.PerMinute, window: c.Window}, {limit: max(1, c.PerMinute/4), window: c.Window / 60}}
	},
}

// wireFeishu is the body of a call.
type wireFeishu struct {
	Timestamp string `json:"timestamp"`
	Sign      string `json:"sign"`
	MsgType   string `json:"msg_type"`
	Content   struct {
		Text string `json:"text"`
		Post map[string]struct {
			Title   string `json:"title"`
			Content [][]struct {
				Tag    string `json:"tag"`
				Text   string `json:"text"`
				Href   string `json:"href"`
				UserID string `json:"user_id"`
			} `json:"content"`
		} `json:"post"`
	} `json:"content"`
	Card *feishuCard `json:"card"`
}

type feishuCard struct {
	Schema string `json:"schema"`
	Header struct {
		Title    feishuText `json:"title"`
		Template string     `json:"template"`
	} `json:"header"`
	Body struct {
		Elements []feishuElement `json:"elements"`
	} `json:"body"`
}

type feishuText struct {
	Tag     string `json:"tag"`
	Content string `json:"content"`
}

type feishuElement struct {
	Tag       string     `json:"tag"`
	Content   string     `json:"content"`
	Text      feishuText `json:"text"`
	Behaviors []struct {
		Type string `json:"type"`
		URL  string `json:"default_url"`
	} `json:"behaviors"`
}

var (
	feishuAt     = regexp.MustCompile(`<at (?:user_)?id="?([^">]+)"?></at>`)
	feishuColour = regexp.MustCompile(`^(blue|wathet|turquoise|green|yellow|orange|red|carmine|violet|purple|indigo|grey|default)$`)
)

// takeFeishu fills m and returns the call, and what refuses it if it can't be read as one.
func (m *Message) takeFeishu(body []byte, limit int) (wireFeishu, verdict) {
	var w wireFeishu
	bad := feishuOK
	if json.Unmarshal(body, &w) != nil {
		bad = feishuBad
		m.Text = shorten(string(body), limit)
		return w, bad
	}
	m.MsgType = w.MsgType
	var text []string
	switch w.MsgType {
	case "":
		bad = feishuType
	case "text":
		text = []string{w.Content.Text}
	case "post":
		for _, p := range w.Content.Post {
			m.Title = p.Title
			for _, paragraph := range p.Content {
				line := ""
				for _, e := range paragraph {
					switch e.Tag {
					case "text":
						line += e.Text
					case "a":
						line += e.Text
						m.Links = append(m.Links, Link{Title: e.Text, URL: e.Href})
					case "at":
						line += `<at id=` + e.UserID + `></at>`
					default:
						bad = feishuBad
					}
				}
				text = append(text, line)
			}
		}
	case "interactive":
		if w.Card == nil || w.Card.Schema != "2.0" || w.Card.Header.Title.Tag != "plain_text" || w.Card.Header.Title.Content == "" || !feishuColour.MatchString(w.Card.Header.Template) {
			bad = feishuBad
			break
		}
		m.Title = w.Card.Header.Title.Content
		for _, e := range w.Card.Body.Elements {
			switch {
			case e.Tag == "markdown" && e.Content != "":
				text = append(text, e.Content)
			case e.Tag == "button" && e.Text.Content != "" && len(e.Behaviors) == 1 && e.Behaviors[0].Type == "open_url" && e.Behaviors[0].URL != "":
				m.Links = append(m.Links, Link{Title: e.Text.Content, URL: e.Behaviors[0].URL})
			case e.Tag == "hr":
			default:
				bad = feishuBad
			}
		}
	default:
		bad = feishuBad
	}
	m.Text, m.At = called(strings.Join(text, "\n"), feishuAt)
	if bad == feishuOK && strings.TrimSpace(m.Text) == "" {
		bad = feishuBad
	}
	if len(body) > limit {
		m.Text, m.Links = shorten(m.Text, limit), nil
		return w, feishuBad
	}
	m.Payload = compact(body)
	return w, bad
}

// judgeFeishu applies the rules. The documentation gives no order; this one tells a sender who it is taken for before what is
// wrong with what it says.
func judgeFeishu(s *Server, robot *member, r *http.Request, body []byte, m *Message) verdict {
	w, bad := m.takeFeishu(body, s.cfg.MaxBody)
	switch {
	case r.Method != http.MethodPost:
		return feishuBad
	case robot == nil, robot.State == Removed, robot.State == Disbanded:
		return feishuToken
	case robot.State == Disabled:
		return feishuOff
	case !robot.allows(clientIP(r.RemoteAddr)):
		return feishuIP
	case robot.Secret != "" && !signedForFeishu(robot.Secret, w.Timestamp, w.Sign, m.Time, s.cfg.ClockSkew):
		return feishuSign
	case bad != feishuOK:
		return bad
	case len(robot.Keywords) > 0 && !m.holds(robot.Keywords):
		return feishuKeyword
	case !robot.admit(m.Time):
		return feishuTooFast
	}
	return feishuOK
}

// signedForFeishu checks a signature: the time stamp and the secret are the key, of an empty message.
func signedForFeishu(secret, timestamp, sign string, now time.Time, skew time.Duration) bool {
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return false
	}
	if d := now.Sub(time.Unix(seconds, 0)); d > skew || d < -skew {
		return false
	}
	mac := hmac.New(sha256.New, []byte(timestamp+"\n"+secret))
	return hmac.Equal([]byte(sign), []byte(base64.StdEncoding.EncodeToString(mac.Sum(nil))))
}

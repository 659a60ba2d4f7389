package robot

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// The rules of WeCom's group robots: https://developer.work.weixin.qq.com/document/path/99110, its codes:
// https://developer.work.weixin.qq.com/document/path/90455.
const (
	wecomMaxMarkdown = 4096
	wecomMaxText     = 2048
)

var wecom = &protocol{
	chat:  WeCom,
	token: func(r *http.Request) string { return r.URL.Query().Get("key") },
	take:  func(m *Message, body []byte, limit int) { m.takeWeCom(body, limit) },
	judge: judgeWeCom,
	answer: func(v verdict) any {
		if v.Code != 0 {
			v.Text += fmt.Sprintf(", hint: [1700000000_1_0], from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=%d", v.Code)
		}
		return v
	},
	limits: func(c Config) []*limiter {
		// Nothing is blocked beyond the minute.
		return []*limiter{{limit: c.PerMinute, window: c.Window}}
	},
}

// wireWeCom is the body of a call.
type wireWeCom struct {
	MsgType string `json:"msgtype"`
	Text    struct {
		Content string   `json:"content"`
		IDs     []string `json:"mentioned_list"`
		Mobiles []string `json:"mentioned_mobile_list"`
	} `json:"text"`
	Markdown struct {
		Content string `json:"content"`
	} `json:"markdown"`
}

var (
	wecomAt      = regexp.MustCompile(`<@([^<>\s]+)>`)
	wecomEscaped = regexp.MustCompile(`(?:^|[^\\])(?:\\\\)*\\u[0-9a-fA-F]{4}`)
)

// takeWeCom fills m and returns what refuses the call, "ok" if it can be read.
func (m *Message) takeWeCom(body []byte, limit int) verdict {
	ok := verdict{0, "ok"}
	var w wireWeCom
	if json.Unmarshal(body, &w) != nil {
		m.Text = shorten(string(body), limit)
		return verdict{40058, "invalid Request Parameter. Warning: wrong json format. "}
	}
	m.MsgType = w.MsgType
	longest := 0
	switch w.MsgType {
	case "text":
		longest, m.Text = wecomMaxText, w.Text.Content
		for _, id := range w.Text.IDs {
			if id == "@all" {
				m.At.All = true
			} else {
				m.At.UserIDs = append(m.At.UserIDs, id)
			}
		}
		m.At.Mobiles = w.Text.Mobiles
	case "markdown":
		longest = wecomMaxMarkdown
		m.Text, m.At = called(w.Markdown.Content, wecomAt)
	default:
		return verdict{40008, "invalid message type"}
	}
	content := w.Text.Content + w.Markdown.Content
	switch {
	case len(content) > longest:
		m.Text = shorten(m.Text, limit)
		return verdict{40058, fmt.Sprintf("%s.content exceed max length %d. invalid Request Parameter", w.MsgType, longest)}
	case strings.TrimSpace(content) == "":
		return verdict{44004, "empty content"}
	case wecomEscaped.Match(body):
		return verdict{40033, "invalid charset"}
	}
	m.Payload = compact(body)
	return ok
}

// judgeWeCom applies the rules. A robot has no security settings but its key.
func judgeWeCom(_ *Server, robot *member, r *http.Request, body []byte, m *Message) verdict {
	v := m.takeWeCom(body, wecomMaxMarkdown)
	switch {
	case r.Method != http.MethodPost:
		return verdict{43002, "require POST method"}
	case robot == nil, robot.State != Active:
		return verdict{93000, "invalid webhook url"}
	case v.Code != 0:
		return v
	case !robot.admit(m.Time):
		return verdict{45009, "api freq out of limit"}
	}
	return v
}

package robot

import (
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Chat is whose robots a robot is one of.
type Chat string

// The chats whose rules are known here.
const (
	DingTalk Chat = "" // also written dingtalk
	Feishu   Chat = "feishu"
	WeCom    Chat = "wecom"
)

// protocol is how the robots of a chat are called, and how they answer.
type protocol struct {
	chat Chat
	// token of the robot that a call is for.
	token func(*http.Request) string
	// take fills a message with as much of a body as can be read and is worth keeping.
	take func(m *Message, body []byte, limit int)
	// judge applies the rules to a call and fills the message.
	judge func(s *Server, robot *member, r *http.Request, body []byte, m *Message) verdict
	// answer is the body of an answer.
	answer func(verdict) any
	// limits of a robot, by what the server is configured with.
	limits func(Config) []*limiter
}

var dingTalk = &protocol{
	chat:  DingTalk,
	token: func(r *http.Request) string { return r.URL.Query().Get("access_token") },
	take:  func(m *Message, body []byte, limit int) { m.take(body, limit) },
	judge: func(s *Server, robot *member, r *http.Request, body []byte, m *Message) verdict {
		name, about := s.judge(robot, r, body, m)
		return s.book.verdict(name, about)
	},
	answer: func(v verdict) any { return v },
	limits: func(c Config) []*limiter {
		return []*limiter{{limit: c.PerMinute, window: c.Window, block: c.Block}}
	},
}

var protocols = []*protocol{dingTalk, feishu, wecom}

func protocolOf(c Chat) *protocol {
	for _, p := range protocols {
		if p.chat == c {
			return p
		}
	}
	return nil
}

// admit asks every limit, and takes a place in each only where all have one.
func (m *member) admit(now time.Time) bool {
	m.admission.Lock()
	defer m.admission.Unlock()
	for _, l := range m.limiters {
		if !l.room(now) {
			return false
		}
	}
	for _, l := range m.limiters {
		l.take(now)
	}
	return true
}

func (m *member) blocked(now time.Time) bool {
	return slices.ContainsFunc(m.limiters, func(l *limiter) bool { return l.blocked(now) })
}

// readBody reads a body, of one that is far too long only its beginning; ok is false if the caller is gone.
func readBody(w http.ResponseWriter, r *http.Request) (body []byte, ok bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRead))
	if err != nil && len(body) < maxRead {
		return nil, false
	}
	return body, true
}

// called takes mentions out of a text, in the form that its chat writes them, and leaves @name.
func called(text string, form *regexp.Regexp) (string, At) {
	var at At
	text = form.ReplaceAllStringFunc(text, func(s string) string {
		id := form.FindStringSubmatch(s)[1]
		if id == "all" {
			at.All = true
			return "@all"
		}
		at.UserIDs = append(at.UserIDs, id)
		return "@" + id
	})
	return text, at
}

// shorten keeps of a text that is too long enough to recognise it by.
func shorten(s string, limit int) string {
	if len(s) > limit {
		return strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}

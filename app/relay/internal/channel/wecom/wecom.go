// Package wecom sends by robots of WeCom (企业微信) groups, as markdown or plain text.
//
// The interface is described at https://developer.work.weixin.qq.com/document/path/99110.
package wecom

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"lookout/app/relay/internal/channel"
)

// The most bytes that a message's content may have.
const (
	MaxMarkdown = 4096
	MaxText     = 2048
)

var chat = channel.Chat{
	Name: "WeCom", URL: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send", TokenBehind: "key=",
	Types: []string{"markdown", "text"}, Calls: 20, Rest: time.Minute,
}

// Kind is WeCom's.
var Kind = channel.Kind{
	Name: "wecom", Section: "wecom", Key: "wecom", Needs: "at least a token_file", Alone: true,
	Types: chat.Types, Codes: codes.All(), Refusals: append(codes.Refusals(), "40058"),
	New:    func() channel.Peer { return &Robot{} },
	Sample: func(t string) channel.Peer { return &Robot{Robot: channel.Robot{Type: t}} },
}

// Robot is a robot of a group. Its key is all that secures it.
type Robot struct {
	channel.Robot `yaml:",inline"`
}

// Check implements [channel.Peer].
func (r *Robot) Check(c channel.Checker) { r.Robot.Check(c, chat) }

// Traits implements [channel.Peer].
func (r *Robot) Traits() channel.Traits { return r.Robot.Traits(Form(r.Type)) }

// Form is how WeCom shows messages of a type. The bytes of the content are what counts, not those of the body.
func Form(messageType string) channel.Form {
	f := channel.Form{
		Type: messageType, Limit: MaxMarkdown,
		Size: func(c channel.Content) int { return len(content(c, true)) },
		Line: func(s string) int { return len(channel.EachLine(s, markdownLine)) + len("\n") },
		Body: func(c channel.Content, _ string) []byte { return body(c, false) },
		Who: func(m channel.Mention) channel.Mention {
			return channel.Mention{UserIDs: m.IDs["wecom"], All: m.All}
		},
	}
	if messageType == "text" {
		f.Plain, f.Limit = true, MaxText
		f.Line = func(s string) int { return len(clean(s)) + len("\n") }
		f.Who = func(m channel.Mention) channel.Mention {
			return channel.Mention{UserIDs: m.IDs["wecom"], Mobiles: m.Mobiles, All: m.All}
		}
	}
	return f
}

// content is the text of a message.
func content(c channel.Content, repeated bool) string {
	text := c.Text
	if repeated {
		text = channel.MayRepeat + "\n" + text
	}
	if c.Type == "text" {
		return clean(text)
	}
	text = channel.EachLine(text, markdownLine)
	var at []string
	for _, id := range called(c) {
		at = append(at, "<@"+clean(id)+">")
	}
	if len(at) > 0 {
		text += "\n" + strings.Join(at, "")
	}
	return text
}

func body(c channel.Content, repeated bool) []byte {
	if c.Type == "text" {
		m := map[string]any{"content": content(c, repeated)}
		everyone := func(list []string) []string {
			if c.All {
				return append([]string{"@all"}, list...)
			}
			return list
		}
		if ids := everyone(c.UserIDs); len(ids) > 0 {
			m["mentioned_list"] = ids
		}
		if len(c.Mobiles) > 0 {
			m["mentioned_mobile_list"] = c.Mobiles
		}
		return channel.JSON(map[string]any{"msgtype": "text", "text": m})
	}
	return channel.JSON(map[string]any{"msgtype": "markdown", "markdown": map[string]string{"content": content(c, repeated)}})
}

// called are the ids of those whom a message calls.
func called(c channel.Content) []string {
	if c.All {
		return append([]string{"all"}, c.UserIDs...)
	}
	return c.UserIDs
}

// clean leaves out what JSON could only write as \uxxxx, which WeCom refuses (40033).
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case unicode.IsControl(r), r == '\u2028', r == '\u2029', r == unicode.ReplacementChar:
			return ' '
		}
		return r
	}, s)
}

// apart keeps what WeCom formats by from doing so. It knows no escapes, so that a mark is parted from what would make it
// one by a character that is not seen.
var apart = strings.NewReplacer("**", "*\u200b*", "](", "]\u200b(", "`", "ˋ", "<", "‹")

// markdownLine is a line in WeCom's markdown: headings, bold, links and quotations. It knows no lists and no rules.
func markdownLine(line string) string {
	l := channel.ParseLine(clean(line))
	var b strings.Builder
	switch l.Mark {
	case "#":
		b.WriteString("### ")
	case ">":
		b.WriteString("> ")
	case "-":
		b.WriteString("• ")
	case "---":
		return "————"
	}
	for i, s := range l.Spans {
		// Of four stars the middle two are parted by the second time.
		text := apart.Replace(apart.Replace(s.Text))
		if i == 0 && l.Mark == "" && strings.IndexAny(text, "#>") == 0 {
			text = "\u200b" + text
		}
		if s.URL != "" {
			text = "[" + text + "](" + s.URL + ")"
		}
		if s.Bold && l.Mark != "#" {
			text = "**" + text + "**"
		}
		b.WriteString(text)
	}
	return b.String()
}

type sender struct {
	robot  *Robot
	env    channel.Environment
	client *http.Client
}

// Sender implements [channel.Peer].
func (r *Robot) Sender(env channel.Environment) channel.Sender {
	return &sender{r, env, channel.HTTPClient(r.Timeout.Std(), env.Transport)}
}

// Send implements [channel.Sender].
func (s *sender) Send(ctx context.Context, m channel.Message) channel.Answer {
	u, err := url.Parse(s.robot.URL)
	if err != nil {
		return channel.Unusable("the robot's URL cannot be read")
	}
	q := u.Query()
	q.Set("key", s.robot.Token)
	u.RawQuery = q.Encode()
	return channel.Post(ctx, s.client, u.String(), body(m.Content, m.Repeated),
		func(r channel.Response) channel.Answer { return Read(r, s.env.Redact) }, s.env.Redact)
}

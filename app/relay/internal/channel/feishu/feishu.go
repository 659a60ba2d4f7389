// Package feishu sends by custom bots of Feishu (Lark) groups: cards, rich text or plain text.
//
// The interface is described at
// https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot, cards at
// https://open.feishu.cn/document/uAjLw4CM/ukzMukzMukzM/feishu-cards/card-json-v2-structure.
package feishu

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"lookout/app/relay/internal/channel"
)

// MaxBytes is the most that the body of one call may have: Feishu says 20 KB.
const MaxBytes = 20_000

// perSecond is what a bot takes in addition to its 100 in a minute.
const perSecond = 5

var chat = channel.Chat{
	Name: "Feishu", URL: "https://open.feishu.cn/open-apis/bot/v2/hook", TokenBehind: "/hook/",
	Types: []string{"card", "post", "text"}, Calls: 100, Rest: time.Minute,
}

// Kind is Feishu's.
var Kind = channel.Kind{
	Name: "feishu", Section: "feishu", Key: "feishu", Needs: "at least a token_file", Alone: true,
	Types: chat.Types, Codes: codes.All(), Refusals: append(codes.Refusals(), "9499"),
	New:    func() channel.Peer { return &Robot{} },
	Sample: func(t string) channel.Peer { return &Robot{Robot: channel.Robot{Type: t}} },
}

// Robot is a custom bot of a group.
type Robot struct {
	channel.Robot `yaml:",inline"`
	// SecretFile is for a bot secured by a signature.
	SecretFile string `yaml:"secret_file"`
	// Keywords are those that the bot is secured by.
	Keywords []channel.Word `yaml:"keywords"`

	Secret string `yaml:"-"`
}

// Check implements [channel.Peer].
func (r *Robot) Check(c channel.Checker) {
	r.Robot.Check(c, chat)
	if r.Secret = c.Secret("secret_file", r.SecretFile); r.Secret != "" && r.Secret == r.Token {
		c.Fail("secret_file", "holds the token: it should hold what the bot's settings show below signature verification")
	}
	channel.CheckKeywords(c, r.Keywords)
}

// Traits implements [channel.Peer].
func (r *Robot) Traits() channel.Traits {
	t := r.Robot.Traits(Form(r.Type))
	// A test's minute may be a second; then so is its second.
	second := min(time.Second, r.Window.Std())
	t.Limits = append(t.Limits, channel.Limit{Calls: perSecond, Length: second})
	t.Keywords = channel.Words(r.Keywords)
	return t
}

// Form is how Feishu shows messages of a type.
func Form(messageType string) channel.Form {
	f := channel.Form{
		Type: messageType, Plain: messageType == "text", Limit: MaxBytes,
		Size: func(c channel.Content) int { return len(channel.JSON(message(c, true))) + signRoom },
		Body: func(c channel.Content, _ string) []byte { return channel.JSON(message(c, false)) },
		Who: func(m channel.Mention) channel.Mention {
			return channel.Mention{UserIDs: m.IDs["feishu"], All: m.All}
		},
	}
	switch messageType {
	case "text":
		f.Line = func(s string) int { return channel.Escaped(textLine(s)) + len(`\n`) }
	case "post":
		f.Line = func(s string) int {
			n := 0
			for l := range strings.SplitSeq(s, "\n") {
				if p := paragraph(l); p != nil {
					n += len(channel.JSON(p)) + len(",")
				}
			}
			return n
		}
	default:
		f.Line = func(s string) int { return channel.Escaped(channel.EachLine(s, cardLine)) + len(`\n`) }
	}
	return f
}

// signRoom is what the signature adds to a body.
const signRoom = len(`"timestamp":"1700000000","sign":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",`)

// colours of a card's header, by the content's level.
var colours = map[string]string{
	"critical": "red", "error": "orange", "warning": "orange", "info": "blue", "resolved": "green", "doubtful": "yellow",
}

// message is what is posted, without a signature.
func message(c channel.Content, repeated bool) map[string]any {
	title := c.Title
	if repeated {
		title = channel.MayRepeat + title
	}
	switch c.Type {
	case "text":
		text := c.Text
		if repeated {
			text = channel.MayRepeat + text
		}
		return map[string]any{"msg_type": "text", "content": map[string]string{"text": channel.EachLine(text, textLine) + at(c, `<at user_id="%s"></at>`)}}
	case "post":
		var paragraphs [][]element
		for l := range strings.SplitSeq(channel.WithoutHeading(c.Text), "\n") {
			if p := paragraph(l); p != nil {
				paragraphs = append(paragraphs, p)
			}
		}
		var who []element
		for _, id := range called(c) {
			who = append(who, element{Tag: "at", UserID: id})
		}
		if who != nil {
			paragraphs = append(paragraphs, who)
		}
		return map[string]any{"msg_type": "post", "content": map[string]any{"post": map[string]any{"zh_cn": map[string]any{"title": title, "content": paragraphs}}}}
	}
	elements := []any{map[string]string{"tag": "markdown", "content": channel.EachLine(channel.WithoutHeading(c.Text), cardLine) + at(c, "<at id=%s></at>")}}
	if c.Link != "" {
		elements = append(elements, map[string]any{
			"tag": "button", "type": "primary", "text": map[string]string{"tag": "plain_text", "content": "查看 Open"},
			"behaviors": []any{map[string]string{"type": "open_url", "default_url": c.Link}},
		})
	}
	return map[string]any{"msg_type": "interactive", "card": map[string]any{
		"schema": "2.0",
		"header": map[string]any{"title": map[string]string{"tag": "plain_text", "content": title}, "template": cmp.Or(colours[c.Level], "grey")},
		"body":   map[string]any{"elements": elements},
	}}
}

// element is a part of a paragraph of rich text.
type element struct {
	Tag    string   `json:"tag"`
	Text   string   `json:"text,omitempty"`
	Href   string   `json:"href,omitempty"`
	UserID string   `json:"user_id,omitempty"`
	Style  []string `json:"style,omitempty"`
}

// paragraph is a line of markdown as rich text, nil for an empty one.
func paragraph(line string) []element {
	l := channel.ParseLine(line)
	var out []element
	if mark := (channel.Line{Mark: l.Mark}).Plain(); mark != "" {
		out = append(out, element{Tag: "text", Text: mark})
	}
	for _, s := range l.Spans {
		e := element{Tag: "text", Text: s.Text}
		if s.URL != "" {
			e.Tag, e.Href = "a", s.URL
		}
		if s.Bold {
			e.Style = []string{"bold"}
		}
		out = append(out, e)
	}
	return out
}

// entities are characters that format in a card; Feishu shows them as written where they are HTML entities.
var entities = func() *strings.Replacer {
	var pairs []string
	for _, r := range "&\\*_`[]~#<>|$" {
		pairs = append(pairs, string(r), fmt.Sprintf("&#%d;", r))
	}
	return strings.NewReplacer(pairs...)
}()

// cardLine is a line of markdown as a card takes it: without backslashes, which it shows.
func cardLine(line string) string {
	l := channel.ParseLine(line)
	var b strings.Builder
	switch l.Mark {
	case "":
	case "---":
		return "---"
	case "#":
	default:
		b.WriteString(l.Mark + " ")
	}
	for i, s := range l.Spans {
		text := entities.Replace(s.Text)
		if i == 0 && l.Mark != "#" && strings.IndexAny(text, "-+=") == 0 {
			text = fmt.Sprintf("&#%d;", text[0]) + text[1:]
		} else if n := number(text); i == 0 && n > 0 {
			text = text[:n] + fmt.Sprintf("&#%d;", text[n]) + text[n+1:]
		}
		if s.URL != "" {
			text = "[" + text + "](" + s.URL + ")"
		}
		if s.Bold {
			text = "**" + text + "**"
		}
		b.WriteString(text)
	}
	return b.String()
}

// number finds the end of what would number a list, 0 for none.
func number(s string) int {
	i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if i > 0 && i < 10 && (s[i] == '.' || s[i] == ')') {
		return i
	}
	return 0
}

// textLine keeps a line of a plain message from calling people by itself.
func textLine(line string) string { return strings.ReplaceAll(line, "<", "‹") }

// called are the ids of those whom a message calls.
func called(c channel.Content) []string {
	if c.All {
		return append([]string{"all"}, c.UserIDs...)
	}
	return c.UserIDs
}

func at(c channel.Content, format string) string {
	var out strings.Builder
	for i, id := range called(c) {
		out.WriteString([]string{"\n\n", " "}[min(i, 1)] + fmt.Sprintf(format, id))
	}
	return out.String()
}

// Sign is Feishu's signature over a time stamp in seconds: base64(HMAC-SHA256("<timestamp>\n<secret>", "")).
// Unlike DingTalk's, what is signed is the key, of an empty message.
func Sign(secret string, timestamp int64) string {
	mac := hmac.New(sha256.New, fmt.Appendf(nil, "%d\n%s", timestamp, secret))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
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
	body := message(m.Content, m.Repeated)
	if s.robot.Secret != "" {
		ts := s.env.Now().Unix()
		body["timestamp"], body["sign"] = strconv.FormatInt(ts, 10), Sign(s.robot.Secret, ts)
	}
	raw := channel.JSON(body)
	if !utf8.Valid(raw) {
		return channel.Unusable("the message is not valid UTF-8")
	}
	return channel.Post(ctx, s.client, strings.TrimSuffix(s.robot.URL, "/")+"/"+s.robot.Token, raw, func(r channel.Response) channel.Answer {
		a := Read(r, s.env.Redact)
		if a.Code == "9499" && a.Outcome == channel.Refused && len(raw) > MaxBytes/2 {
			// Too long is one of the things that "Bad Request" stands for.
			a.Outcome = channel.Split
		}
		return a
	}, s.env.Redact)
}

// Package dingtalk sends by custom robots of DingTalk groups: it signs, posts and understands the answers.
package dingtalk

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"lookout/app/relay/internal/channel"
)

// MaxBytes is the most that the body of one call may have, as DingTalk counts it (else 460101).
const MaxBytes = 20_000

var chat = channel.Chat{
	Name: "DingTalk", URL: "https://oapi.dingtalk.com/robot/send", TokenBehind: "access_token=",
	Types: []string{"markdown", "actionCard", "text", "link"}, Calls: 20, Rest: 10 * time.Minute,
}

// Kind is DingTalk's.
var Kind = channel.Kind{
	Name: "robot", Section: "robots", Key: "robots", Needs: "at least a token_file", Alone: true,
	Types: chat.Types, Codes: codes.All(), Refusals: codes.Refusals(),
	New:    func() channel.Peer { return &Robot{} },
	Sample: func(t string) channel.Peer { return &Robot{Robot: channel.Robot{Type: t}} },
}

// Robot is a custom robot of a group.
type Robot struct {
	channel.Robot `yaml:",inline"`
	// SecretFile is for a robot secured by a signature.
	SecretFile string `yaml:"secret_file"`
	// Keywords are those that the robot is secured by.
	Keywords []channel.Word `yaml:"keywords"`
	// Organisation that the robot belongs to; "default" unless there are several.
	Organisation string `yaml:"organisation"`

	Secret string `yaml:"-"`
}

// Check implements [channel.Peer].
func (r *Robot) Check(c channel.Checker) {
	r.Robot.Check(c, chat)
	if r.Secret = c.Secret("secret_file", r.SecretFile); r.Secret != "" && r.Secret == r.Token {
		c.Fail("secret_file", "holds the token: it should hold what the robot's settings show below signature (SEC…)")
	}
	channel.CheckKeywords(c, r.Keywords)
	r.Organisation = cmp.Or(r.Organisation, "default")
	if r.Organisation != "default" && !c.HasOrganisation(r.Organisation) {
		c.Fail("", "organisation %q is not defined: add it to organisations", r.Organisation)
	}
}

// Traits implements [channel.Peer].
func (r *Robot) Traits() channel.Traits {
	t := r.Robot.Traits(Form(r.Type))
	t.Keywords, t.Organisation = channel.Words(r.Keywords), r.Organisation
	return t
}

// Form is how DingTalk shows messages of a type.
func Form(messageType string) channel.Form {
	return channel.Form{
		Type: messageType, Plain: messageType == "text" || messageType == "link", Limit: MaxBytes,
		Size: func(c channel.Content) int { return len(Body(c, uuidRoom)) },
		Line: func(s string) int { return channel.Escaped(s) + len(`\n`) },
		Body: Body,
		Who:  func(m channel.Mention) channel.Mention { return m },
	}
}

// uuidRoom stands for the msgUuid, whose length is always the same.
const uuidRoom = "00000000-0000-0000-0000-000000000000"

type wireAt struct {
	AtMobiles []string `json:"atMobiles,omitempty"`
	AtUserIDs []string `json:"atUserIds,omitempty"`
	IsAtAll   bool     `json:"isAtAll,omitempty"`
}

// Body is what is posted for the content. The mentions are written into the text as well, because
// DingTalk ignores those that stand in only one of the two places.
func Body(c channel.Content, msgUUID string) []byte {
	m := map[string]any{"msgtype": c.Type, "msgUuid": msgUUID}
	text := c.Text
	if tail := mentions(c); tail != "" {
		text += "\n\n" + tail
	}
	switch {
	case c.Type == "text", c.Type == "link" && c.Link == "":
		// A link without an address is refused (40035); the text alone is not.
		m["msgtype"] = "text"
		m["text"] = map[string]string{"content": text}
	case c.Type == "link":
		m["link"] = map[string]string{"title": c.Title, "text": text, "messageUrl": c.Link}
	case c.Type == "actionCard":
		card := map[string]string{"title": c.Title, "text": text}
		if c.Link != "" {
			card["singleTitle"], card["singleURL"] = "查看 Open", c.Link
		}
		m["actionCard"] = card
	default:
		m["msgtype"] = "markdown"
		m["markdown"] = map[string]string{"title": c.Title, "text": text}
	}
	if len(c.Mobiles)+len(c.UserIDs) > 0 || c.All {
		m["at"] = wireAt{c.Mobiles, c.UserIDs, c.All}
	}
	return channel.JSON(m)
}

func mentions(c channel.Content) string {
	var at []string
	for _, who := range append(append([]string{}, c.Mobiles...), c.UserIDs...) {
		if mention := "@" + who; !strings.Contains(c.Text, mention) {
			at = append(at, mention)
		}
	}
	return strings.Join(at, " ")
}

// Sign is DingTalk's signature over a time stamp in milliseconds:
// base64(HMAC-SHA256(secret, "<timestamp>\n<secret>")), not yet escaped for a query.
func Sign(secret string, timestamp int64) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d\n%s", timestamp, secret)
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

// Send implements [channel.Sender]. A repeated message has the msgUuid that it had before, so it is shown once.
func (s *sender) Send(ctx context.Context, m channel.Message) channel.Answer {
	u, err := url.Parse(s.robot.URL)
	if err != nil {
		return channel.Unusable("the robot's URL cannot be read")
	}
	q := u.Query()
	q.Set("access_token", s.robot.Token)
	if s.robot.Secret != "" {
		// Both belong into the query; the robot doesn't look for them in the body.
		ts := s.env.Now().UnixMilli()
		q.Set("timestamp", strconv.FormatInt(ts, 10))
		q.Set("sign", Sign(s.robot.Secret, ts))
	}
	u.RawQuery = q.Encode()
	return channel.Post(ctx, s.client, u.String(), Body(m.Content, m.ID),
		func(r channel.Response) channel.Answer { return Read(r, s.env.Redact) }, s.env.Redact)
}

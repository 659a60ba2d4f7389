// Package channel is what all ways to people have in common: what a message is before it takes a chat's form, how
// it is sent, and what an answer means. Each kind of channel is a folder below with its configuration,
// answers, limits and signature; package kinds lists them.
package channel

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"lookout/app/relay/internal/notification"
)

// Sender brings a message to people by one robot, mailbox or gateway.
type Sender interface {
	// Send tries once and reads the answer. It returns by the end of ctx, and nothing that it returns holds
	// a secret.
	Send(ctx context.Context, m Message) Answer
}

// Message is one message on its way.
type Message struct {
	// ID is the same for every try of the message at one peer.
	ID      string
	Content Content
	// Repeated is set where an earlier try may have been shown.
	Repeated bool
	// Target is where the message is for, Escalated why the channel before did not deliver it.
	Target, Escalated string
	// Notification is what the message tells, for gateways that show something else than the content.
	Notification func() notification.Notification
	// Buttons are the actions that a card offers, none where there is nothing to answer.
	Buttons []string
}

// Content is a message before it takes a chat's form.
type Content struct {
	// Type is the form that its chat shows it in, such as markdown.
	Type  string `json:"type"`
	Title string `json:"title"`
	// Text is DingTalk's subset of markdown, or plain text where the form is plain. Other chats translate it.
	Text string `json:"text"`
	// Level is how bad it is: critical, error, warning, info, resolved or doubtful; "" if that is not known.
	Level string `json:"level,omitempty"`
	// Link is where a link or the button of a card leads to.
	Link    string   `json:"link,omitempty"`
	Mobiles []string `json:"mobiles,omitempty"`
	UserIDs []string `json:"user_ids,omitempty"`
	All     bool     `json:"all,omitempty"`
}

// Mention calls people for alerts that carry all labels of Match.
type Mention struct {
	Match map[string]string `yaml:"match"`
	// Mobiles and UserIDs are DingTalk's; WeCom takes the numbers in messages of type text.
	Mobiles []string `yaml:"mobiles"`
	UserIDs []string `yaml:"user_ids"`
	// IDs are those of other chats by their kind: feishu, wecom.
	IDs map[string][]string `yaml:"ids"`
	All bool                `yaml:"all"`
	// Roster names a rota: whoever is on call when a message is sent is called as well.
	Roster string `yaml:"roster"`
}

// Form is how a peer's chat shows a message.
type Form struct {
	// Type is that of its messages.
	Type string
	// Plain is set where the text is not markdown.
	Plain bool
	// Limit is the most that Size may return, 0 for no limit.
	Limit int
	// Size is what counts against the limit, with everything that sending adds.
	Size func(Content) int
	// Line is what a further line of text adds to the size, its line break included.
	Line func(string) int
	// Body is what is posted, without what depends on the time.
	Body func(c Content, id string) []byte
	// Who says whom of a mention the chat can call; nil if no one.
	Who func(Mention) Mention
	// Buttons is set where messages have buttons to answer by, and so need no link for it.
	Buttons bool
}

// Limit is how many calls are taken within any stretch of time.
type Limit struct {
	Calls  int
	Length time.Duration
}

// Traits are what delivery has to know of a peer.
type Traits struct {
	Form Form
	// Keywords of which one must stand in title and text.
	Keywords []string
	// Limits, the longest first.
	Limits []Limit
	// Rest is how long to leave it alone after "too many", Timeout how long a try may take.
	Rest, Timeout time.Duration
	// Address and Token say which peer it is, whatever its name; "" where the name is all there is.
	Address, Token string
	// Organisation whose quota it uses up, "" for none.
	Organisation string
	// Template that it renders its body by, "" for none.
	Template string
}

// Peer is the configuration of one robot, mailbox or gateway, as its kind reads it from the YAML file.
type Peer interface {
	// Check fills in defaults, reads secrets, and reports everything that is wrong.
	Check(Checker)
	// Traits of a peer that was checked.
	Traits() Traits
	// Sender of a peer that was checked.
	Sender(Environment) Sender
}

// Checker is what a peer's check can ask for. field is the name below the peer's own, "" for the peer itself.
type Checker interface {
	Name() string
	Fail(field, format string, args ...any)
	// Secret reads a file with one line that must never be written anywhere; "" for no file.
	Secret(field, file string) string
	// File reads a file; nil if it cannot be read, which is reported.
	File(field, file string) []byte
	// Address refuses what is not an http(s) address or carries secrets, and keeps the rest of it out of what is
	// written.
	Address(field, address string)
	HasTemplate(name string) bool
	HasOrganisation(name string) bool
}

// Environment is what senders share.
type Environment struct {
	Transport http.RoundTripper
	// Now is the clock that signatures are made by.
	Now func() time.Time
	// Redact takes secrets out of what the other side says.
	Redact func(string) string
	// Render makes a gateway's body by a template.
	Render func(template string, m Message) (string, error)
}

// Kind is a kind of channel.
type Kind struct {
	// Name stands before the peer's own in metrics, messages and the spool, as in robot:ops.
	Name string
	// Section of the configuration has its peers by name; Key names them in a target's channel.
	Section, Key string
	// Needs says what a peer has at least.
	Needs string
	// Alone is set where a peer that no target is named after is a target by itself.
	Alone bool
	// Types of message that it knows, the default first.
	Types []string
	// Codes are all errcodes of its own, Refusals those that refuse a message for good.
	Codes, Refusals []string
	// New returns a pointer to an empty configuration.
	New func() Peer
	// Sample returns one that was not read from a file, for previews.
	Sample func(messageType string) Peer
}

// ID names a peer in metrics, messages and the spool.
func (k *Kind) ID(name string) string { return k.Name + ":" + name }

// JSON encodes what is posted, without making text longer than JSON demands.
func JSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	// Maps of strings and lists cannot fail to encode.
	_ = enc.Encode(v)
	return bytes.TrimSpace(b.Bytes())
}

// Escaped is how many bytes s takes inside a JSON string.
func Escaped(s string) int { return len(JSON(s)) - len(`""`) }

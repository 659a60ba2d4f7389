package robot

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

// Message is one call that was made to a robot: shown in the chat if it was accepted, and otherwise
// what DingTalk would have thrown away.
type Message struct {
	// ID counts from 1 over all robots and never repeats while the program runs.
	ID   int64     `json:"id"`
	Time time.Time `json:"time"`
	// Robot is the robot's name, or "unknown" where the access token belongs to none. Tokens are
	// not kept.
	Robot string `json:"robot"`
	// Chat is feishu or wecom; absent for DingTalk.
	Chat Chat `json:"chat,omitempty"`
	// Accepted says whether the message stands in the chat.
	Accepted bool   `json:"accepted"`
	ErrCode  int    `json:"errcode"`
	ErrMsg   string `json:"errmsg"`
	// Fault is the kind of scripted fault the caller saw in place of a proper answer, if any. An
	// accepted message with a fault was shown, but its sender may not know.
	Fault   string `json:"fault,omitempty"`
	MsgType string `json:"msgtype"`
	Title   string `json:"title,omitempty"`
	// Text is the message's text as it was sent: plain for text and link, markdown for markdown and
	// actionCard, one line per link for feedCard.
	Text    string `json:"text"`
	MsgUUID string `json:"msg_uuid,omitempty"`
	// Repeats counts the later calls with the same msgUuid, which were answered ok and not shown.
	Repeats int `json:"repeats"`
	At      At  `json:"at"`
	// Links are the message's buttons and links, in their order.
	Links []Link `json:"links,omitempty"`
	// Payload is the body as it was sent, absent where it was no JSON or too long.
	Payload json.RawMessage `json:"payload,omitempty"`

	vertical bool // actionCard: buttons one above the other
}

// At is whom a message mentions.
type At struct {
	Mobiles []string `json:"mobiles,omitempty"`
	UserIDs []string `json:"user_ids,omitempty"`
	All     bool     `json:"all,omitempty"`
	// Lost are those named in "at" whose @ stands nowhere in the text, so that DingTalk tells
	// nobody; its answer is ok nevertheless.
	Lost []string `json:"lost,omitempty"`
}

// Link is a button of an actionCard, an entry of a feedCard, or where a link message leads.
type Link struct {
	Title  string `json:"title"`
	URL    string `json:"url"`
	PicURL string `json:"pic_url,omitempty"`
}

// wire is the body of a call, as the documentation of the custom robot describes it.
type wire struct {
	MsgType string `json:"msgtype"`
	MsgUUID string `json:"msgUuid"`
	At      struct {
		Mobiles []string  `json:"atMobiles"`
		UserIDs []string  `json:"atUserIds"`
		All     looseBool `json:"isAtAll"`
	} `json:"at"`
	Text struct {
		Content string `json:"content"`
	} `json:"text"`
	Link struct {
		Title      string `json:"title"`
		Text       string `json:"text"`
		MessageURL string `json:"messageUrl"`
		PicURL     string `json:"picUrl"`
	} `json:"link"`
	Markdown struct {
		Title string `json:"title"`
		Text  string `json:"text"`
	} `json:"markdown"`
	ActionCard struct {
		Title          string `json:"title"`
		Text           string `json:"text"`
		SingleTitle    string `json:"singleTitle"`
		SingleURL      string `json:"singleURL"`
		BtnOrientation string `json:"btnOrientation"`
		Btns           []struct {
			Title     string `json:"title"`
			ActionURL string `json:"actionURL"`
		} `json:"btns"`
	} `json:"actionCard"`
	FeedCard struct {
		Links []struct {
			Title      string `json:"title"`
			MessageURL string `json:"messageURL"`
			PicURL     string `json:"picURL"`
		} `json:"links"`
	} `json:"feedCard"`
}

// looseBool takes true and "true": senders have got away with the string for years.
type looseBool bool

func (b *looseBool) UnmarshalJSON(raw []byte) error {
	*b = looseBool(strings.Trim(string(raw), `"`) == "true")
	return nil
}

// take fills m with as much of a body as can be read and is worth keeping, which of one that is
// longer than limit is only its beginning: enough to recognise it by. The results are those of read.
func (m *Message) take(body []byte, limit int) (missing string, unsupported bool) {
	var w wire
	if json.Unmarshal(body, &w) != nil {
		missing = "json"
		m.Text = string(bytes.ToValidUTF8(body, []byte("\uFFFD")))
	} else {
		missing, unsupported = m.read(w)
		m.Payload = compact(body)
	}
	if len(body) > limit {
		text := m.Text
		if len(text) > limit {
			text = strings.ToValidUTF8(text[:limit], "") + "…"
		}
		*m = Message{Time: m.Time, Robot: m.Robot, Chat: m.Chat, Fault: m.Fault, ErrCode: m.ErrCode, ErrMsg: m.ErrMsg, Text: text}
		if !unsupported {
			m.MsgType = w.MsgType
		}
	}
	return missing, unsupported
}

// read fills m from w and names the first parameter that is missing, or "" if all are there.
// unsupported reports a msgtype that no custom robot takes.
func (m *Message) read(w wire) (missing string, unsupported bool) {
	m.MsgType, m.MsgUUID = w.MsgType, w.MsgUUID
	need := func(name, value string) {
		if missing == "" && strings.TrimSpace(value) == "" {
			missing = name
		}
	}
	switch w.MsgType {
	case "":
		return "msgtype", false
	case "text":
		need("text.content", w.Text.Content)
		m.Text = w.Text.Content
	case "link":
		need("link.title", w.Link.Title)
		need("link.text", w.Link.Text)
		need("link.messageUrl", w.Link.MessageURL)
		m.Title, m.Text = w.Link.Title, w.Link.Text
		m.Links = []Link{{Title: w.Link.Title, URL: w.Link.MessageURL, PicURL: w.Link.PicURL}}
	case "markdown":
		need("markdown.title", w.Markdown.Title)
		need("markdown.text", w.Markdown.Text)
		m.Title, m.Text = w.Markdown.Title, w.Markdown.Text
	case "actionCard":
		c := w.ActionCard
		need("actionCard.title", c.Title)
		need("actionCard.text", c.Text)
		m.Title, m.Text = c.Title, c.Text
		m.vertical = c.BtnOrientation != "1"
		if len(c.Btns) == 0 {
			need("actionCard.singleTitle", c.SingleTitle)
			need("actionCard.singleURL", c.SingleURL)
			m.Links = []Link{{Title: c.SingleTitle, URL: c.SingleURL}}
		}
		for _, b := range c.Btns {
			need("actionCard.btns.title", b.Title)
			need("actionCard.btns.actionURL", b.ActionURL)
			m.Links = append(m.Links, Link{Title: b.Title, URL: b.ActionURL})
		}
	case "feedCard":
		if len(w.FeedCard.Links) == 0 {
			need("feedCard.links", "")
		}
		var titles []string
		for _, l := range w.FeedCard.Links {
			need("feedCard.links.title", l.Title)
			need("feedCard.links.messageURL", l.MessageURL)
			need("feedCard.links.picURL", l.PicURL)
			titles = append(titles, l.Title)
			m.Links = append(m.Links, Link{Title: l.Title, URL: l.MessageURL, PicURL: l.PicURL})
		}
		m.Text = strings.Join(titles, "\n")
	default:
		return "", true
	}
	m.At = At{Mobiles: w.At.Mobiles, UserIDs: w.At.UserIDs, All: bool(w.At.All)}
	for _, who := range append(append([]string(nil), w.At.Mobiles...), w.At.UserIDs...) {
		if !strings.Contains(m.Text, "@"+who) {
			m.At.Lost = append(m.At.Lost, who)
		}
	}
	return missing, false
}

// holds reports whether one of the keywords stands in what the message shows.
func (m *Message) holds(keywords []string) bool {
	content := []string{m.Title, m.Text}
	for _, l := range m.Links {
		content = append(content, l.Title)
	}
	all := strings.Join(content, "\n")
	for _, k := range keywords {
		if strings.Contains(all, k) {
			return true
		}
	}
	return false
}

// Package robot talks to DingTalk custom robots: it signs, sends and understands the answers.
package robot

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// MaxBytes is the most that the body of one call may have, as DingTalk counts it (else 460101).
const MaxBytes = 20_000

// maxAnswer bounds what is read of an answer: a real one has fewer than 200 bytes.
const maxAnswer = 64 << 10

// Content is a message before it takes DingTalk's form.
type Content struct {
	// Type is markdown, actionCard, text or link.
	Type  string `json:"type"`
	Title string `json:"title"`
	// Text is DingTalk's subset of markdown, or plain text for the types text and link.
	Text string `json:"text"`
	// Link is where a link or the button of an action card leads to.
	Link    string   `json:"link,omitempty"`
	Mobiles []string `json:"mobiles,omitempty"`
	UserIDs []string `json:"user_ids,omitempty"`
	All     bool     `json:"all,omitempty"`
}

type wireAt struct {
	AtMobiles []string `json:"atMobiles,omitempty"`
	AtUserIDs []string `json:"atUserIds,omitempty"`
	IsAtAll   bool     `json:"isAtAll,omitempty"`
}

// Body is what is posted for the content. The mentions are written into the text as well, because
// DingTalk ignores those that stand in only one of the two places.
func (c Content) Body(msgUUID string) []byte {
	m := map[string]any{"msgtype": c.Type, "msgUuid": msgUUID}
	text := c.Text
	if tail := c.mentions(); tail != "" {
		text += "\n\n" + tail
	}
	switch c.Type {
	case "text":
		m["text"] = map[string]string{"content": text}
	case "link":
		m["link"] = map[string]string{"title": c.Title, "text": text, "messageUrl": c.Link}
	case "actionCard":
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
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	// A map of strings and lists cannot fail to encode.
	_ = enc.Encode(m)
	return bytes.TrimSpace(b.Bytes())
}

func (c Content) mentions() string {
	var at []string
	for _, who := range append(append([]string{}, c.Mobiles...), c.UserIDs...) {
		if mention := "@" + who; !strings.Contains(c.Text, mention) {
			at = append(at, mention)
		}
	}
	return strings.Join(at, " ")
}

// Client is one robot.
type Client struct {
	// URL is the address without token and signature.
	URL string
	// Token and Secret are read at every call, since their files may change. Secret "" means that
	// the robot isn't secured by a signature.
	Token, Secret string
	HTTP          *http.Client
	// Now is the clock that signatures are made by.
	Now func() time.Time
	// Redact takes secrets out of what the other side says; nil for none.
	Redact func(string) string
}

// Sign is DingTalk's signature over a time stamp in milliseconds:
// base64(HMAC-SHA256(secret, "<timestamp>\n<secret>")), not yet escaped for a query.
func Sign(secret string, timestamp int64) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d\n%s", timestamp, secret)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Send posts one body and reads the answer. Nothing it returns holds the address, which carries
// the token.
func (c *Client) Send(ctx context.Context, body []byte) Answer {
	u, err := url.Parse(c.URL)
	if err != nil {
		return Answer{Outcome: Refused, Code: CodeConfig, Reason: "the robot's URL cannot be read"}
	}
	q := u.Query()
	q.Set("access_token", c.Token)
	if c.Secret != "" {
		// Both belong into the query; the robot doesn't look for them in the body.
		ts := c.Now().UnixMilli()
		q.Set("timestamp", strconv.FormatInt(ts, 10))
		q.Set("sign", Sign(c.Secret, ts))
	}
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return Answer{Outcome: Refused, Code: CodeConfig, Reason: "the robot's URL cannot be used"}
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	redact := c.Redact
	if redact == nil {
		redact = func(s string) string { return s }
	}
	return Do(c.HTTP, req, func(status int, retryAfter string, body []byte) Answer { return Read(status, retryAfter, body, redact) }, redact)
}

// Do sends a request and reads its answer by read. Errors of the transport become answers without
// the address in them: net/http puts the whole URL, secrets included, into its errors.
func Do(client *http.Client, req *http.Request, read func(int, string, []byte) Answer, redact func(string) string) Answer {
	resp, err := client.Do(req)
	if err != nil {
		return transport(err, false, redact)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return transport(err, true, redact)
	}
	return read(resp.StatusCode, resp.Header.Get("Retry-After"), body)
}

// transport names what went wrong below HTTP. Unless no connection came about at all, the message
// may have arrived.
func transport(err error, midway bool, redact func(string) string) Answer {
	var op *net.OpError
	var dns *net.DNSError
	a := Answer{Outcome: Retry, Code: CodeNetwork, Ambiguous: true}
	switch {
	case midway && !isTimeout(err):
		a.Code, a.Reason = CodeCutOff, "the answer was cut off"
	case errors.As(err, &dns):
		a.Ambiguous, a.Reason = false, "the host's name cannot be resolved"
	case errors.As(err, &op) && op.Op == "dial":
		a.Ambiguous, a.Reason = false, "no connection: "+rootCause(err, redact)
		if isTimeout(err) {
			a.Code = CodeTimeout
		}
	case isTimeout(err):
		a.Code, a.Reason = CodeTimeout, "no answer in time"
	default:
		a.Reason = "the connection broke: " + rootCause(err, redact)
	}
	return a
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

// rootCause is the innermost error's text: system errors such as "connection refused" have no
// address in them.
func rootCause(err error, redact func(string) string) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			break
		}
		err = next
	}
	if _, isURL := err.(*url.Error); isURL {
		return "transport error"
	}
	return OneLine(redact(err.Error()))
}

// HTTPClient is a client fit for robots and gateways: bounded in time, and it follows no redirect.
func HTTPClient(timeout time.Duration, tr http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     tr,
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

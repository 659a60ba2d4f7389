package delivery

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/microcosm-cc/bluemonday"
	"github.com/wneessen/go-mail"
	"github.com/yuin/goldmark"

	"lookout/app/relay/internal/config"
	"lookout/app/relay/internal/message"
	"lookout/app/relay/internal/robot"
	"lookout/app/relay/internal/spool"
)

// member is one robot, e-mail or webhook. Targets share it, and so its limit and its rests.
type member struct {
	// id is what metrics and the store call it, such as robot:ops.
	id   string
	kind string
	// block is how long a robot rests that got too many.
	block   time.Duration
	timeout time.Duration
	send    func(ctx context.Context, o outgoing) robot.Answer

	mu      sync.Mutex
	window  *robot.Window
	rest    time.Duration
	backoff *backoff.ExponentialBackOff
}

// outgoing is a message on its way to a member.
type outgoing struct {
	id      string
	content robot.Content
	message *Message
	ctx     message.Context
}

// memberState is what is kept of a member over a restart.
type memberState struct {
	Ends []time.Duration `json:"ends,omitempty"`
	// Busy calls were under way when this was written.
	Busy int           `json:"busy,omitempty"`
	Rest time.Duration `json:"rest,omitempty"`
}

// available returns how long the member is not to be used, 0 for now.
func (m *member) available(now time.Duration) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.availableLocked(now)
}

func (m *member) availableLocked(now time.Duration) time.Duration {
	wait := max(0, m.rest-now)
	if m.window != nil {
		wait = max(wait, m.window.Next(now))
	}
	return wait
}

// acquire takes a place in the window if there is one.
func (m *member) acquire(now time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.availableLocked(now) > 0 {
		return false
	}
	if m.window != nil {
		m.window.Start()
	}
	return true
}

// release gives the place back with what came of the call.
func (m *member) release(now time.Duration, a robot.Answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.window != nil {
		m.window.End(now)
	}
	switch a.Outcome {
	case robot.Throttled:
		m.rest = now + cmp.Or(a.Wait, m.block)
	case robot.Retry:
		m.rest = now + max(m.backoff.NextBackOff(), 0)
	default:
		m.backoff.Reset()
	}
}

// usage is how much of the window is taken, from 0 to 1.
func (m *member) usage(now time.Duration) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.window == nil {
		return 0
	}
	return float64(m.window.Used(now)) / float64(m.window.Limit)
}

func (m *member) state(now time.Duration) (rest time.Duration, used, limit int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rest = max(0, m.rest-now)
	if m.window != nil {
		used, limit = m.window.Used(now), m.window.Limit
	}
	return rest, used, limit
}

// put writes the member's state into the transaction.
func (m *member) put(tx *spool.Tx) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := memberState{Rest: m.rest}
	if m.window != nil {
		s.Ends, s.Busy = m.window.State()
	}
	return tx.PutKey(collectionMembers, []byte(m.id), s)
}

// restore takes over what an earlier process, or configuration, left. A call that was under way may
// have been answered at any moment until now.
func (m *member) restore(s memberState, now time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	// A rest of the store's can't lie further ahead than the longest there is.
	m.rest = min(s.Rest, now+max(m.block, time.Hour))
	if m.window == nil {
		return
	}
	for _, end := range s.Ends {
		m.window.Ends = append(m.window.Ends, min(end, now))
	}
	for range s.Busy {
		m.window.Ends = append(m.window.Ends, now)
	}
}

func newBackoff(r config.Retry) *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = r.Initial.Std(), r.Max.Std()
	b.Multiplier, b.RandomizationFactor = 2, 0.5
	b.Reset()
	return b
}

func robotMember(c *config.Config, r *config.Robot, tr http.RoundTripper, now func() time.Time) *member {
	client := &robot.Client{URL: r.URL, Token: r.Token, Secret: r.Secret, HTTP: robot.HTTPClient(r.Timeout.Std(), tr), Now: now}
	return &member{
		id: "robot:" + r.Name, kind: "robot", block: r.Block.Std(), timeout: r.Timeout.Std(), backoff: newBackoff(c.Retry),
		window: &robot.Window{Limit: r.Limit, Length: r.Window.Std()},
		send: func(ctx context.Context, o outgoing) robot.Answer {
			return client.Send(ctx, o.content.Body(o.id))
		},
	}
}

func webhookMember(c *config.Config, w *config.Webhook, tr http.RoundTripper) *member {
	client := robot.HTTPClient(w.Timeout.Std(), tr)
	return &member{
		id: "webhook:" + w.Name, kind: "webhook", block: time.Minute, timeout: w.Timeout.Std(), backoff: newBackoff(c.Retry),
		send: func(ctx context.Context, o outgoing) robot.Answer {
			body, err := c.Texts.Gateway(w.Template, o.content, o.message.notification(), o.ctx, o.id)
			if body == "" {
				return robot.Answer{Outcome: robot.Refused, Code: robot.CodeConfig, Reason: fmt.Sprintf("template %q fails: %v", w.Template, err)}
			}
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.Address, strings.NewReader(body))
			if err != nil {
				return robot.Answer{Outcome: robot.Refused, Code: robot.CodeConfig, Reason: "the webhook's address cannot be used"}
			}
			req.Header.Set("Content-Type", w.ContentType)
			req.Header.Set("Idempotency-Key", o.id)
			for k, v := range w.Header {
				req.Header.Set(k, v)
			}
			return robot.Do(client, req, readGateway)
		},
	}
}

// readGateway understands a gateway's answer: it has no errcode to look at, so any 2xx is success.
func readGateway(status int, retryAfter string, body []byte) robot.Answer {
	switch {
	case status >= 200 && status < 300:
		return robot.Answer{Outcome: robot.Delivered, Code: "0", Reason: "ok"}
	case status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooEarly && status != http.StatusTooManyRequests:
		return robot.Answer{Outcome: robot.Refused, Code: robot.CodeHTTP4xx, Reason: fmt.Sprintf("HTTP %d", status)}
	}
	return robot.Read(status, retryAfter, body)
}

func emailMember(c *config.Config, e *config.Email) *member {
	return &member{
		id: "email:" + e.Name, kind: "email", block: time.Minute, timeout: e.Timeout.Std(), backoff: newBackoff(c.Retry),
		send: func(ctx context.Context, o outgoing) robot.Answer { return sendMail(ctx, e, o) },
	}
}

func sendMail(ctx context.Context, e *config.Email, o outgoing) robot.Answer {
	wrong := func(err error) robot.Answer {
		return robot.Answer{Outcome: robot.Refused, Code: robot.CodeConfig, Reason: "e-mail: " + err.Error()}
	}
	m := mail.NewMsg()
	if err := m.From(e.From); err != nil {
		return wrong(err)
	}
	if err := m.To(e.To...); err != nil {
		return wrong(err)
	}
	m.Subject(o.content.Title)
	// The same for every try, so that mailboxes can recognise a repeated one.
	m.SetMessageIDWithValue(o.id + "@relay.lookout")
	m.SetDate()
	m.SetBodyString(mail.TypeTextPlain, o.content.Text)
	var html bytes.Buffer
	if err := goldmark.Convert([]byte(o.content.Text), &html); err == nil {
		m.AddAlternativeString(mail.TypeTextHTML, bluemonday.UGCPolicy().Sanitize(html.String()))
	}
	opts := []mail.Option{mail.WithPort(e.Port), mail.WithTimeout(e.Timeout.Std())}
	conf := &tls.Config{ServerName: e.Host, RootCAs: e.Roots, MinVersion: tls.VersionTLS12}
	switch e.TLS {
	case "implicit":
		opts = append(opts, mail.WithSSL(), mail.WithTLSConfig(conf))
	case "none":
		opts = append(opts, mail.WithTLSPolicy(mail.NoTLS))
	default:
		opts = append(opts, mail.WithTLSPolicy(mail.TLSMandatory), mail.WithTLSConfig(conf))
	}
	if e.Username != "" {
		opts = append(opts, mail.WithUsername(e.Username), mail.WithPassword(e.Password), mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover))
	}
	client, err := mail.NewClient(e.Host, opts...)
	if err != nil {
		return wrong(err)
	}
	if err := client.DialAndSendWithContext(ctx, m); err != nil {
		a := robot.Answer{Outcome: robot.Retry, Code: robot.CodeSMTP, Ambiguous: true, Reason: "e-mail: " + oneLine(err)}
		var sent *mail.SendError
		var reply *textproto.Error
		if errors.As(err, &sent) && sent.ErrorCode() >= 500 || errors.As(err, &reply) && reply.Code >= 500 {
			// 5yz is the server's final word on this mail (RFC 5321, 4.2.1).
			a.Outcome, a.Ambiguous = robot.Refused, false
		}
		return a
	}
	return robot.Answer{Outcome: robot.Delivered, Code: "0", Reason: "ok"}
}

func oneLine(err error) string {
	return message.Clip(300, message.Safe(err.Error()))
}

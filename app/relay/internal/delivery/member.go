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

	// state is the key that the spool knows it by: for a robot its address and token, so that a new name, or a
	// second one, brings no second window.
	stateKey string
	*limiter
	org *organisation
}

// limiter is when a peer may be called. Members of the same address and token share it.
type limiter struct {
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

// keptPlaces of a window are for urgent messages only.
func keptPlaces(limit int) int { return limit / 5 }

// available returns how long the member is not to be used, 0 for now.
func (m *member) available(now time.Duration, urgent bool) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.availableLocked(now, urgent)
}

func (m *member) availableLocked(now time.Duration, urgent bool) time.Duration {
	wait := max(0, m.rest-now)
	if m.window != nil {
		kept := keptPlaces(m.window.Limit)
		if urgent {
			kept = 0
		}
		wait = max(wait, m.window.Next(now, kept))
	}
	if m.org != nil {
		wait = max(wait, m.org.wait(now, urgent))
	}
	return wait
}

// acquire takes a place in the window if there is one.
func (m *member) acquire(now time.Duration, urgent bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.availableLocked(now, urgent) > 0 {
		return false
	}
	if m.window != nil {
		m.window.Start()
	}
	return true
}

// release gives the place back with what came of the call. It returns what is to be told of the
// organisation's quota, nil for nothing.
func (m *member) release(now time.Duration, a robot.Answer) *quotaNews {
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
	if m.org != nil {
		return m.org.answer(now, a)
	}
	return nil
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
	if m.org != nil {
		rest = max(rest, m.org.wait(now, false))
	}
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
	if m.org != nil {
		if err := tx.PutKey(collectionMembers, []byte("org:"+m.org.name), m.org.snapshot()); err != nil {
			return err
		}
	}
	return tx.PutKey(collectionMembers, []byte(m.stateKey), s)
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
	client := &robot.Client{URL: r.URL, Token: r.Token, Secret: r.Secret, HTTP: robot.HTTPClient(r.Timeout.Std(), tr), Now: now, Redact: c.Redact}
	return &member{
		id: "robot:" + r.Name, kind: "robot", block: r.Block.Std(), timeout: r.Timeout.Std(),
		limiter: &limiter{backoff: newBackoff(c.Retry), window: &robot.Window{Limit: r.Limit, Length: r.Window.Std()}},
		send: func(ctx context.Context, o outgoing) robot.Answer {
			return client.Send(ctx, o.content.Body(o.id))
		},
	}
}

func webhookMember(c *config.Config, w *config.Webhook, tr http.RoundTripper) *member {
	client := robot.HTTPClient(w.Timeout.Std(), tr)
	return &member{
		id: "webhook:" + w.Name, kind: "webhook", block: time.Minute, timeout: w.Timeout.Std(),
		stateKey: "webhook:" + w.Name, limiter: &limiter{backoff: newBackoff(c.Retry)},
		send: func(ctx context.Context, o outgoing) robot.Answer {
			body, err := c.TextsOf(c.Targets[o.ctx.Target]).Gateway(w.Template, o.content, o.message.notification(), o.ctx, o.id)
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
			return robot.Do(client, req, func(status int, retryAfter string, body []byte) robot.Answer {
				return readGateway(w, status, retryAfter, body, c.Redact)
			}, c.Redact)
		},
	}
}

func emailMember(c *config.Config, e *config.Email) *member {
	return &member{
		id: "email:" + e.Name, kind: "email", block: time.Minute, timeout: e.Timeout.Std(),
		stateKey: "email:" + e.Name, limiter: &limiter{backoff: newBackoff(c.Retry)},
		send: func(ctx context.Context, o outgoing) robot.Answer { return sendMail(ctx, e, o, c.Redact) },
	}
}

// sendMail writes to all recipients at once. A server that refuses one of them takes the mail for none, so
// then each gets a mail of their own.
func sendMail(ctx context.Context, e *config.Email, o outgoing, redact func(string) string) robot.Answer {
	a, recipient := mailTo(ctx, e, o, e.To, o.id, redact)
	if !recipient || len(e.To) == 1 {
		return a
	}
	var refused []string
	for i, to := range e.To {
		one, _ := mailTo(ctx, e, o, []string{to}, fmt.Sprintf("%s.%d", o.id, i), redact)
		switch one.Outcome {
		case robot.Delivered:
		case robot.Refused:
			refused = append(refused, to)
			a = one
		default:
			// What it was before is not known to all of them.
			one.Ambiguous = true
			return one
		}
	}
	if len(refused) == len(e.To) {
		return a
	}
	return robot.Answer{Outcome: robot.Delivered, Code: "0", Reason: "ok", Note: fmt.Sprintf("refused for %s: %s", strings.Join(refused, ", "), a.Reason)}
}

// mailTo sends one mail. recipient is set where one of the recipients is refused for good, and so nobody has it.
func mailTo(ctx context.Context, e *config.Email, o outgoing, to []string, id string, redact func(string) string) (a robot.Answer, recipient bool) {
	wrong := func(err error) (robot.Answer, bool) {
		return robot.Answer{Outcome: robot.Refused, Code: robot.CodeConfig, Reason: "e-mail: " + oneLine(err, redact)}, false
	}
	m := mail.NewMsg()
	if err := m.From(e.From); err != nil {
		return wrong(err)
	}
	if err := m.To(to...); err != nil {
		return wrong(err)
	}
	m.Subject(o.content.Title)
	// The same for every try, so that mailboxes can recognise a repeated one.
	m.SetMessageIDWithValue(id + "@relay.lookout")
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
		a := robot.Answer{Outcome: robot.Retry, Code: robot.CodeNetwork, Ambiguous: true, Reason: "e-mail: " + oneLine(err, redact)}
		var sent *mail.SendError
		var reply *textproto.Error
		isSent := errors.As(err, &sent)
		if isSent && sent.Reason == mail.ErrSMTPRcptTo {
			// Before the mail itself: nobody has it yet.
			a.Code, a.Ambiguous = robot.CodeSMTP, false
		}
		if isSent && sent.ErrorCode() >= 500 || errors.As(err, &reply) && reply.Code >= 500 {
			// 5yz is the server's final word on this mail (RFC 5321, 4.2.1).
			a.Code, a.Outcome, a.Ambiguous = robot.CodeSMTP, robot.Refused, false
			recipient = isSent && sent.Reason == mail.ErrSMTPRcptTo
		}
		return a, recipient
	}
	return robot.Answer{Outcome: robot.Delivered, Code: "0", Reason: "ok"}, false
}

func oneLine(err error, redact func(string) string) string {
	return message.Clip(300, message.Safe(redact(err.Error())))
}

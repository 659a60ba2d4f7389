// Package email sends by a mail server.
package email

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	netmail "net/mail"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/microcosm-cc/bluemonday"
	"github.com/wneessen/go-mail"
	"github.com/yuin/goldmark"

	"lookout/app/relay/internal/channel"
)

// Kind is that of mail.
var Kind = channel.Kind{
	Name: "email", Section: "emails", Key: "email", Needs: "smarthost, from and to", Types: []string{"markdown"},
	New:    func() channel.Peer { return &Email{} },
	Sample: func(string) channel.Peer { return &Email{} },
}

// Email is a mail server and whom to write to.
type Email struct {
	// Smarthost is host:port.
	Smarthost string `yaml:"smarthost"`
	// TLS is starttls (default, mandatory), implicit, or none (for a server on the loopback only).
	TLS          string   `yaml:"tls"`
	From         string   `yaml:"from"`
	To           []string `yaml:"to"`
	Username     string   `yaml:"username"`
	PasswordFile string   `yaml:"password_file"`
	// CAFile is for a server whose certificate the system doesn't know.
	CAFile  string           `yaml:"ca_file"`
	Timeout channel.Duration `yaml:"timeout"`

	Host     string         `yaml:"-"`
	Port     int            `yaml:"-"`
	Password string         `yaml:"-"`
	Roots    *x509.CertPool `yaml:"-"`
}

// Check implements [channel.Peer].
func (e *Email) Check(c channel.Checker) {
	host, port, ok := strings.Cut(e.Smarthost, ":")
	n, err := strconv.Atoi(port)
	if !ok || host == "" || err != nil || n < 1 || n > 65535 {
		c.Fail("", "smarthost %q is not host:port", e.Smarthost)
	}
	e.Host, e.Port = host, n
	e.TLS = cmp.Or(e.TLS, "starttls")
	switch e.TLS {
	case "starttls", "implicit":
	case "none":
		if host != "localhost" && host != "127.0.0.1" && e.PasswordFile != "" {
			c.Fail("", "tls none with a password would send it in clear: use starttls or implicit")
		}
	default:
		c.Fail("", "tls %q is none of starttls, implicit, none", e.TLS)
	}
	if _, err := netmail.ParseAddress(e.From); err != nil {
		c.Fail("", "from %q is not a valid mail address", e.From)
	}
	if len(e.To) == 0 {
		c.Fail("", "to is empty")
	}
	if n == 465 && e.TLS == "starttls" {
		c.Fail("", "port 465 speaks TLS from the start: write tls: implicit, or port 587")
	}
	for i, to := range e.To {
		if slices.Contains(e.To[:i], to) {
			c.Fail("", "to %q stands there twice", to)
		}
		if _, err := netmail.ParseAddress(to); err != nil {
			c.Fail("", "to %q is not a valid mail address", to)
		}
	}
	if (e.Username == "") != (e.PasswordFile == "") {
		c.Fail("", "username and password_file belong together")
	}
	e.Password = c.Secret("password_file", e.PasswordFile)
	if e.CAFile != "" {
		e.Roots = x509.NewCertPool()
		if pem := c.File("ca_file", e.CAFile); pem != nil && !e.Roots.AppendCertsFromPEM(pem) {
			c.Fail("", "ca_file %s holds no certificate", e.CAFile)
		}
	}
	e.Timeout.Or(20 * time.Second)
}

// Traits implements [channel.Peer].
func (e *Email) Traits() channel.Traits {
	return channel.Traits{Form: form, Rest: time.Minute, Timeout: e.Timeout.Std()}
}

var form = channel.Form{
	Type: "markdown", Limit: 256 << 10,
	Size: func(c channel.Content) int { return len(c.Title) + len(c.Text) },
	Line: func(s string) int { return len(s) + len("\n") },
	Body: func(c channel.Content, _ string) []byte {
		return []byte("Subject: " + c.Title + "\n\n" + c.Text)
	},
}

type sender struct {
	email *Email
	env   channel.Environment
}

// Sender implements [channel.Peer].
func (e *Email) Sender(env channel.Environment) channel.Sender { return &sender{e, env} }

// Send implements [channel.Sender]. It writes to all recipients at once. A server that refuses one of them takes the
// mail for none, so then each gets a mail of their own.
func (s *sender) Send(ctx context.Context, m channel.Message) channel.Answer {
	a, recipient := s.mailTo(ctx, m, s.email.To, m.ID)
	if !recipient || len(s.email.To) == 1 {
		return a
	}
	var refused []string
	for i, to := range s.email.To {
		one, _ := s.mailTo(ctx, m, []string{to}, fmt.Sprintf("%s.%d", m.ID, i))
		switch one.Outcome {
		case channel.Delivered:
		case channel.Refused:
			refused = append(refused, to)
			a = one
		default:
			// What it was before is not known to all of them.
			one.Ambiguous = true
			return one
		}
	}
	if len(refused) == len(s.email.To) {
		return a
	}
	ok := channel.OK()
	ok.Note = fmt.Sprintf("refused for %s: %s", strings.Join(refused, ", "), a.Reason)
	return ok
}

// mailTo sends one mail. recipient is set where one of the recipients is refused for good, and so no one has it.
func (s *sender) mailTo(ctx context.Context, o channel.Message, to []string, id string) (a channel.Answer, recipient bool) {
	e := s.email
	oneLine := func(err error) string { return channel.OneLine(s.env.Redact(err.Error())) }
	wrong := func(err error) (channel.Answer, bool) { return channel.Unusable("e-mail: " + oneLine(err)), false }
	m := mail.NewMsg()
	if err := m.From(e.From); err != nil {
		return wrong(err)
	}
	if err := m.To(to...); err != nil {
		return wrong(err)
	}
	m.Subject(o.Content.Title)
	// The same for every try, so that mailboxes can recognise a repeated one.
	m.SetMessageIDWithValue(id + "@relay.lookout")
	m.SetDate()
	m.SetBodyString(mail.TypeTextPlain, o.Content.Text)
	var html bytes.Buffer
	if err := goldmark.Convert([]byte(o.Content.Text), &html); err == nil {
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
		a := channel.Answer{Outcome: channel.Retry, Code: channel.CodeNetwork, Ambiguous: true, Reason: "e-mail: " + oneLine(err)}
		var sent *mail.SendError
		var reply *textproto.Error
		isSent := errors.As(err, &sent)
		if isSent && sent.Reason == mail.ErrSMTPRcptTo {
			// Before the mail itself: no one has it yet.
			a.Code, a.Ambiguous = channel.CodeSMTP, false
		}
		if isSent && sent.ErrorCode() >= 500 || errors.As(err, &reply) && reply.Code >= 500 {
			// 5yz is the server's final word on this mail (RFC 5321, 4.2.1).
			a.Code, a.Outcome, a.Ambiguous = channel.CodeSMTP, channel.Refused, false
			recipient = isSent && sent.Reason == mail.ErrSMTPRcptTo
		}
		return a, recipient
	}
	return channel.OK(), false
}

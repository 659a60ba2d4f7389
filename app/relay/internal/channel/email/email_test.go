package email

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"lookout/app/relay/internal/channel"
	"lookout/app/relay/mailtest"
)

// TestARefusedRecipientCostsTheOthersNothing: a server that refuses one of three takes the mail for none, and then each has a
// mail of their own.
func TestARefusedRecipientCostsTheOthersNothing(t *testing.T) {
	for name, c := range map[string]struct {
		// answers to RCPT by what stands in them, and to the mail itself.
		refused map[string]string
		outcome channel.Outcome
		mails   []string
		note    string
	}{
		"none":                  {nil, channel.Delivered, []string{"a@x b@x c@x"}, ""},
		"one":                   {map[string]string{"b@": "550 5.1.1 no such user"}, channel.Delivered, []string{"a@x", "c@x"}, "refused for b@example.com"},
		"all":                   {map[string]string{"@": "550 5.1.1 no such user"}, channel.Refused, nil, ""},
		"one for the moment":    {map[string]string{"b@": "450 4.2.1 mailbox busy"}, channel.Retry, nil, ""},
		"one of each":           {map[string]string{"a@": "550 no", "b@": "450 later"}, channel.Retry, nil, ""},
		"the last and the rest": {map[string]string{"c@": "554 rejected"}, channel.Delivered, []string{"a@x", "b@x"}, "refused for c@example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box, err := mailtest.ListenLines("127.0.0.1:0", func(verb, line string) string {
				if verb != "RCPT" {
					return ""
				}
				for who, answer := range c.refused {
					if strings.Contains(line, who) {
						return answer
					}
				}
				return ""
			})
			if err != nil {
				t.Fatal(err)
			}
			defer box.Close()
			host, port, _ := strings.Cut(box.Address(), ":")
			e := Email{TLS: "starttls", From: "relay@example.com", To: []string{"a@example.com", "b@example.com", "c@example.com"},
				Username: "relay", Password: "p", Host: host, Roots: x509.NewCertPool(), Timeout: channel.Duration(10 * time.Second)}
			fmt.Sscan(port, &e.Port)
			e.Roots.AppendCertsFromPEM(box.CA())
			a := e.Sender(channel.Environment{Redact: func(s string) string { return s }}).Send(t.Context(),
				channel.Message{ID: "id", Content: channel.Content{Title: "报警", Text: "**x**"}})
			if a.Outcome != c.outcome || !strings.Contains(a.Note, c.note) {
				t.Errorf("%+v, want %s with %q", a, c.outcome, c.note)
			}
			var got []string
			for _, mail := range box.Mails() {
				to := ""
				for line := range strings.Lines(mail) {
					if rest, ok := strings.CutPrefix(line, "To: "); ok {
						to = strings.NewReplacer("<", "", ">", "", "example.com", "x", ",", "", "\r\n", "").Replace(rest)
					}
				}
				got = append(got, to)
			}
			if c.outcome == channel.Delivered && strings.Join(got, "|") != strings.Join(c.mails, "|") {
				t.Errorf("mails to %q, want %q", got, c.mails)
			}
		})
	}
}

package app

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"lookout/app/relay/internal/channel"
)

// renewBefore is how long before its end a token is renewed, so that no call is under way with one that ends.
const renewBefore = 5 * time.Minute

// call asks the OpenAPI once, or twice where the token was not accepted.
func (s *sender) call(ctx context.Context, method, path string, body []byte, deliver bool) channel.Answer {
	for try := 0; ; try++ {
		token, refused := s.accessToken(ctx)
		if refused != nil {
			return *refused
		}
		req, err := http.NewRequestWithContext(ctx, method, s.app.URL+path, bytes.NewReader(body))
		if err != nil {
			return channel.Unusable("the app's URL cannot be used")
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("x-acs-dingtalk-access-token", token)
		a := channel.Do(s.client, req, func(r channel.Response) channel.Answer { return Read(r, deliver, s.redact) }, s.redact)
		if a.Code != "InvalidAuthentication" || try > 0 {
			return a
		}
		s.forget(token)
	}
}

// accessToken is one that is good for some minutes, else the answer to a message that cannot be sent without.
func (s *sender) accessToken(ctx context.Context) (string, *channel.Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token != "" && s.env.Now().Before(s.renewAt) {
		return s.token, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.app.URL+"/v1.0/oauth2/accessToken",
		bytes.NewReader(channel.JSON(map[string]string{"appKey": s.app.ClientID, "appSecret": s.app.ClientSecret})))
	if err != nil {
		a := channel.Unusable("the app's URL cannot be used")
		return "", &a
	}
	req.Header.Set("Content-Type", "application/json")
	a := channel.Do(s.client, req, func(r channel.Response) channel.Answer {
		var w struct {
			Token  string        `json:"accessToken"`
			Expire channel.Loose `json:"expireIn"`
		}
		if r.Status != http.StatusOK {
			return Read(r, false, s.env.Redact)
		}
		seconds := 0
		if r.Decode(&w) {
			seconds, _ = w.Expire.Whole()
		}
		if w.Token == "" || strings.ContainsFunc(w.Token, func(r rune) bool { return r <= ' ' || r > '~' }) || seconds <= 0 {
			return channel.Answer{Outcome: channel.Retry, Code: channel.CodeNotJSON, Reason: "HTTP 200 without an access token"}
		}
		lasts := time.Duration(min(seconds, 86400)) * time.Second
		s.token, s.renewAt = w.Token, s.env.Now().Add(lasts-min(renewBefore, lasts/2))
		return channel.OK()
	}, s.env.Redact)
	if a.Outcome != channel.Delivered {
		// Nothing was sent without a token.
		a.Ambiguous = false
		return "", &a
	}
	return s.token, nil
}

// forget drops a token that is not accepted.
func (s *sender) forget(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == token {
		s.token = ""
	}
}

// redact takes the access token out of the other side's words too, which no file holds.
func (s *sender) redact(words string) string {
	s.mu.Lock()
	token := s.token
	s.mu.Unlock()
	words = s.env.Redact(words)
	if token == "" {
		return words
	}
	return strings.NewReplacer(token, "[secret]", url.QueryEscape(token), "[secret]").Replace(words)
}

// plain is an error for the log, without secrets and in one line.
func (s *sender) plain(err error) string {
	// An address has the ticket in it.
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return channel.OneLine(s.redact(err.Error()))
}

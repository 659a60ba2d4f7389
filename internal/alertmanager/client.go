// Package alertmanager asks an Alertmanager, or what Grafana has that speaks its API, for alerts and silences.
package alertmanager

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/alertmanager/pkg/labels"
)

// Client speaks the API v2 of an Alertmanager.
type Client struct {
	base  *url.URL
	shown string
	http  *http.Client
}

// maxBytes of an answer: some ten thousand alerts.
const maxBytes = 32 << 20

// New makes a client of the Alertmanager at an address, with the path that comes before /api/v2. timeout bounds one request. transport may be nil.
func New(address string, transport http.RoundTripper, timeout time.Duration) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%q is not a valid address of an Alertmanager; write http://host:9093", address)
	}
	if transport == nil {
		transport = &http.Transport{DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext, MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute}
	}
	return &Client{base: u, shown: u.Redacted(), http: &http.Client{Transport: transport, Timeout: timeout}}, nil
}

// Address is the URL without a password.
func (c *Client) Address() string { return c.shown }

// Matcher selects alerts by one label.
type Matcher struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	IsRegex bool   `json:"isRegex"`
	// IsEqual is true for = and =~; absent means true.
	IsEqual *bool `json:"isEqual,omitempty"`
}

// String writes the matcher as a person does: name="value".
func (m Matcher) String() string {
	name := m.Name
	if strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		name = fmt.Sprintf("%q", name)
	}
	return name + m.Op() + fmt.Sprintf("%q", m.Value)
}

// Op is =, !=, =~ or !~.
func (m Matcher) Op() string {
	equal := m.IsEqual == nil || *m.IsEqual
	switch {
	case equal && m.IsRegex:
		return "=~"
	case equal:
		return "="
	case m.IsRegex:
		return "!~"
	}
	return "!="
}

// Matches tells whether a set of labels has what the matcher wants; an absent label is an empty one.
func (m Matcher) Matches(set map[string]string) bool {
	lm, err := labels.NewMatcher(map[string]labels.MatchType{"=": labels.MatchEqual, "!=": labels.MatchNotEqual, "=~": labels.MatchRegexp, "!~": labels.MatchNotRegexp}[m.Op()], m.Name, m.Value)
	return err == nil && lm.Matches(set[m.Name])
}

// ParseMatcher reads name="value", name=value, and the same with !=, =~ and !~. The error says what is wrong with the text.
func ParseMatcher(text string) (Matcher, error) {
	m, err := parse.Matcher(text)
	if err != nil {
		return Matcher{}, fmt.Errorf("%q is not a valid matcher: %w; write name=\"value\"", text, err)
	}
	equal := m.Type == labels.MatchEqual || m.Type == labels.MatchRegexp
	return Matcher{Name: m.Name, Value: m.Value, IsRegex: m.Type == labels.MatchRegexp || m.Type == labels.MatchNotRegexp, IsEqual: &equal}, nil
}

// Silence keeps alerts that all its matchers match from being notified.
type Silence struct {
	ID        string        `json:"id,omitempty"`
	Matchers  []Matcher     `json:"matchers"`
	StartsAt  time.Time     `json:"startsAt"`
	EndsAt    time.Time     `json:"endsAt"`
	CreatedBy string        `json:"createdBy"`
	Comment   string        `json:"comment"`
	UpdatedAt time.Time     `json:"updatedAt,omitzero"`
	Status    *SilenceState `json:"status,omitempty"`
}

// SilenceState is active, pending or expired.
type SilenceState struct {
	State string `json:"state"`
}

// State is the silence's state, "" if it has not been saved.
func (s Silence) State() string {
	if s.Status == nil {
		return ""
	}
	return s.Status.State
}

// Matches tells whether all matchers match.
func (s Silence) Matches(set map[string]string) bool {
	return !slices.ContainsFunc(s.Matchers, func(m Matcher) bool { return !m.Matches(set) })
}

// Alert is one that Alertmanager knows.
type Alert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	UpdatedAt    time.Time         `json:"updatedAt"`
	Fingerprint  string            `json:"fingerprint"`
	GeneratorURL string            `json:"generatorURL"`
	Status       struct {
		State       string   `json:"state"`
		SilencedBy  []string `json:"silencedBy"`
		InhibitedBy []string `json:"inhibitedBy"`
		MutedBy     []string `json:"mutedBy"`
	} `json:"status"`
	Receivers []struct {
		Name string `json:"name"`
	} `json:"receivers"`
}

// Error is what the server says instead of doing what it was asked.
type Error struct {
	Status  int
	Message string
}

// Error is the server's own words.
func (e *Error) Error() string { return fmt.Sprintf("%s (HTTP %d)", e.Message, e.Status) }

// ErrNotFound is returned for a silence that does not exist.
var ErrNotFound = errors.New("there is no such silence; it may have been deleted after it expired")

func (c *Client) do(ctx context.Context, method, path string, body, into any) error {
	var payload io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload = bytes.NewReader(data)
	}
	//lint:ignore G125 callers escape what is not constant
	req, err := http.NewRequestWithContext(ctx, method, c.base.JoinPath("api/v2", path).String(), payload)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask the Alertmanager at %s: %w", c.shown, unwrapURL(err))
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxBytes+1))
	switch {
	case err != nil:
		return fmt.Errorf("read the answer of the Alertmanager at %s: %w", c.shown, err)
	case len(data) > maxBytes:
		return fmt.Errorf("the Alertmanager at %s answers more than %d MiB; that is cut off", c.shown, maxBytes>>20)
	case resp.StatusCode == http.StatusNotFound && strings.HasPrefix(path, "silence/"):
		return ErrNotFound
	case resp.StatusCode/100 != 2:
		return &Error{resp.StatusCode, errorText(data)}
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("the Alertmanager at %s answers what is not its API: %w", c.shown, err)
	}
	return nil
}

// unwrapURL takes the address out of an error, since it may hold a password.
func unwrapURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// errorText finds the words in what Alertmanager (a JSON string, or {"message": …}) and Grafana ({"message": …}) answer.
func errorText(data []byte) string {
	var object struct{ Message, Error string }
	var text string
	switch {
	case json.Unmarshal(data, &text) == nil:
	case json.Unmarshal(data, &object) == nil && object.Message+object.Error != "":
		text = object.Message
		if text == "" {
			text = object.Error
		}
	default:
		text = string(data)
	}
	if text = strings.Join(strings.Fields(text), " "); len(text) > 300 {
		text = text[:300] + "…"
	}
	if text == "" {
		return "no reason given"
	}
	return text
}

// Alerts are all alerts that are active, silenced or inhibited.
func (c *Client) Alerts(ctx context.Context) ([]Alert, error) {
	var out []Alert
	err := c.do(ctx, http.MethodGet, "alerts", nil, &out)
	return out, err
}

// Silences are all silences that Alertmanager keeps, expired ones too.
func (c *Client) Silences(ctx context.Context) ([]Silence, error) {
	var out []Silence
	err := c.do(ctx, http.MethodGet, "silences", nil, &out)
	return out, err
}

// Silence is one by its id; [ErrNotFound] if there is none.
func (c *Client) Silence(ctx context.Context, id string) (Silence, error) {
	var out Silence
	err := c.do(ctx, http.MethodGet, "silence/"+url.PathEscape(id), nil, &out)
	return out, err
}

// Save creates a silence, or changes the one with its id. It returns the id, which is a new one if the change is more than one of the end.
func (c *Client) Save(ctx context.Context, s Silence) (id string, err error) {
	s.Status, s.UpdatedAt = nil, time.Time{}
	var out struct {
		SilenceID string `json:"silenceID"`
		// Grafana's name.
		ID string `json:"id"`
	}
	if err := c.do(ctx, http.MethodPost, "silences", s, &out); err != nil {
		return "", err
	}
	if out.SilenceID != "" {
		return out.SilenceID, nil
	}
	return out.ID, nil
}

// Expire ends a silence now.
func (c *Client) Expire(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodDelete, "silence/"+url.PathEscape(id), nil, nil)
}

// Valid checks a regular expression as Alertmanager reads it.
func (m Matcher) Valid() error {
	_, err := labels.NewMatcher(map[bool]labels.MatchType{true: labels.MatchRegexp, false: labels.MatchEqual}[m.IsRegex], m.Name, m.Value)
	return err
}

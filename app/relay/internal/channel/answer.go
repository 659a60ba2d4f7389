package channel

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Outcome is what an answer means for the message that was sent.
type Outcome string

// Every answer of a robot, an e-mail server or a gateway falls into one of these.
const (
	// Delivered: the message is in the chat.
	Delivered Outcome = "delivered"
	// Retry: not delivered as far as one can know; the same message goes out again later.
	Retry Outcome = "retry"
	// Throttled: refused for now because there were too many; nothing goes out until the wait is over.
	Throttled Outcome = "throttled"
	// Quota: the organisation has used up its messages; another robot of it would not help.
	Quota Outcome = "quota"
	// Split: too long; it goes out again in smaller parts.
	Split Outcome = "split"
	// Refused: it will never be taken; the next robot or channel has to carry it.
	Refused Outcome = "refused"
)

// Answer is the reading of one answer.
type Answer struct {
	Outcome Outcome
	// Code is the errcode, or a name where there is none. It is one of a bounded set (its kind's Codes, and
	// SharedCodes) and so fit to be the label of a metric.
	Code string
	// Reason is one line for people, without secrets: the meaning and the other side's own words. Meaning is the
	// same in our words alone, where there are others in it.
	Reason, Meaning string
	// Wait is how long the other side wants to be left alone; 0 if it does not say.
	Wait time.Duration
	// Ambiguous is set when the message may have been shown although no success was reported: only
	// the same message, with the same ID, to the same robot is then free of repetition.
	Ambiguous bool
	// Note is what is worth a line in the log although the message was delivered.
	Note string
	// Unknown is set for an errcode that nothing is known about: worth a few tries, not endless ones.
	Unknown bool
}

// OK is the answer to a message that was delivered.
func OK() Answer { return Answer{Outcome: Delivered, Code: "0", Reason: "ok"} }

// Unusable is the answer of a sender that cannot even try.
func Unusable(reason string) Answer {
	return Answer{Outcome: Refused, Code: CodeConfig, Reason: reason}
}

// Ours is the meaning in our words.
func (a Answer) Ours() string {
	if a.Meaning != "" {
		return a.Meaning
	}
	return a.Reason
}

// Names that stand where an answer has no errcode.
const (
	CodeNotJSON   = "not_json"
	CodeNoErrcode = "no_errcode"
	CodeFlood     = "flood_guard"
	CodeRedirect  = "redirect"
	CodeTimeout   = "timeout"
	CodeNetwork   = "network"
	CodeCutOff    = "cut_off"
	CodeOther     = "other"
	CodeHTTP4xx   = "http_4xx"
	CodeHTTP429   = "http_429"
	CodeHTTP5xx   = "http_5xx"
	CodeHTTPOther = "http_other"
	CodeSMTP      = "smtp"
	CodeTooBig    = "too_big"
	CodeConfig    = "config"
	CodeGateway   = "gateway"
)

// SharedCodes lists every value that Answer.Code can have in addition to its kind's own.
func SharedCodes() []string {
	return []string{CodeNotJSON, CodeNoErrcode, CodeFlood, CodeRedirect, CodeTimeout, CodeNetwork, CodeCutOff, CodeOther,
		CodeHTTP4xx, CodeHTTP429, CodeHTTP5xx, CodeHTTPOther, CodeSMTP, CodeTooBig, CodeConfig, CodeGateway}
}

// SharedRefusals lists those of SharedCodes that a refusal can have.
func SharedRefusals() []string {
	return []string{CodeOther, CodeHTTP4xx, CodeSMTP, CodeConfig, CodeGateway}
}

// Codes are the errcodes that a chat is known to answer, with what they mean for the message.
type Codes map[int]Code

// Code is one of them.
type Code struct {
	Outcome Outcome
	Meaning string
}

// All lists the errcodes.
func (c Codes) All() []string { return c.of(func(Code) bool { return true }) }

// Refusals lists the errcodes that refuse a message for good.
func (c Codes) Refusals() []string {
	return c.of(func(code Code) bool { return code.Outcome == Refused })
}

func (c Codes) of(want func(Code) bool) []string {
	var out []string
	for n, code := range c {
		if want(code) {
			out = append(out, strconv.Itoa(n))
		}
	}
	slices.Sort(out)
	return out
}

// Answer is the reading of an errcode: by the table, else by refused, which tells families whose members
// are not all known; what neither knows is worth a few tries.
func (c Codes) Answer(n int, words string, refused func(int) bool) Answer {
	known, ok := c[n]
	switch {
	case ok && known.Outcome == Delivered:
		return OK()
	case ok:
		return c.Explain(n, known.Outcome, known.Meaning, words)
	case refused(n):
		return Answer{Outcome: Refused, Code: CodeOther, Reason: join(n, "refused", words), Meaning: join(n, "refused", "")}
	}
	return Answer{Outcome: Retry, Code: CodeOther, Unknown: true, Reason: join(n, "unknown errcode", words), Meaning: join(n, "unknown errcode", "")}
}

// Explain is the reading of a known errcode whose meaning depends on more than its number.
func (c Codes) Explain(n int, outcome Outcome, meaning, words string) Answer {
	return Answer{Outcome: outcome, Code: strconv.Itoa(n), Reason: join(n, meaning, words), Meaning: join(n, meaning, "")}
}

func join(code int, meaning, words string) string {
	if words == "" {
		return fmt.Sprintf("errcode %d: %s", code, meaning)
	}
	return fmt.Sprintf("errcode %d: %s (%s)", code, meaning, words)
}

// Loose is a field of an answer as text: a number as it is written, a string without its quotes.
type Loose string

// UnmarshalJSON takes any value.
func (m *Loose) UnmarshalJSON(raw []byte) error {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		s = string(raw)
	}
	if s == "null" {
		s = ""
	}
	*m = Loose(s)
	return nil
}

// number is one as JSON writes it: 00, 0x0 and what has blanks around it are none.
var number = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// Whole reads a number without a fraction, also where it is written with one.
func (m Loose) Whole() (int, bool) {
	if !number.MatchString(string(m)) {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(m), 64)
	digits, _, _ := strings.Cut(strings.ToLower(string(m)), "e")
	// Too small to be told from 0 is not success.
	tiny := f == 0 && strings.ContainsAny(digits, "123456789")
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1e9 || tiny {
		return 0, false
	}
	return int(f), true
}

// Response is what came back over HTTP.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Decode reads a JSON object leniently: a byte order mark and what follows the object are passed over.
func (r Response) Decode(into any) bool {
	body := bytes.TrimPrefix(r.Body, []byte("\xef\xbb\xbf"))
	err := json.NewDecoder(bytes.NewReader(body)).Decode(into)
	return err == nil && strings.HasPrefix(strings.TrimSpace(string(body)), "{")
}

// ReadStatus understands every HTTP status but 200, whose body says more; for that ok is false.
func ReadStatus(r Response) (a Answer, ok bool) {
	switch status := r.Status; {
	case status >= 300 && status < 400:
		return Answer{Outcome: Retry, Code: CodeRedirect, Reason: fmt.Sprintf("HTTP %d: redirects are not followed, since the token would go along", status)}, true
	case status == http.StatusTooManyRequests:
		return Answer{Outcome: Throttled, Code: CodeHTTP429, Wait: Seconds(r.Header.Get("Retry-After")), Reason: "HTTP 429: too many requests"}, true
	case status == http.StatusRequestEntityTooLarge:
		return Answer{Outcome: Split, Code: CodeTooBig, Reason: "HTTP 413: the message is too long"}, true
	case status >= 500:
		return Answer{Outcome: Retry, Code: CodeHTTP5xx, Ambiguous: true, Reason: fmt.Sprintf("HTTP %d", status)}, true
	case status >= 400:
		return Answer{Outcome: Retry, Code: CodeHTTP4xx, Reason: fmt.Sprintf("HTTP %d", status)}, true
	case status != http.StatusOK:
		return Answer{Outcome: Retry, Code: CodeHTTPOther, Ambiguous: true, Reason: fmt.Sprintf("HTTP %d is not 200", status)}, true
	}
	return Answer{}, false
}

// NotJSON is the reading of a 200 whose body is something else.
func NotJSON() Answer {
	return Answer{Outcome: Retry, Code: CodeNotJSON, Ambiguous: true, Reason: "HTTP 200 with a body that is not a JSON object"}
}

// NoCode is the reading of a 200 without an errcode that is a number; field is what it is called there.
func NoCode(field string, v Loose) Answer {
	a := Answer{Outcome: Retry, Code: CodeNoErrcode, Ambiguous: true, Reason: "HTTP 200 without an " + field}
	if v != "" {
		a.Reason = "HTTP 200 with an " + field + " that is not a number"
	}
	return a
}

// Seconds reads a wait, bounded so that a hostile answer can't silence a robot for a year.
func Seconds(s string) time.Duration {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n > 0) {
		return 0
	}
	return time.Duration(min(n, 3600) * float64(time.Second))
}

// OneLine makes foreign words fit for a log line and a message.
func OneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 200 {
		s = string(r[:200]) + "…"
	}
	return s
}

// maxAnswer bounds what is read of an answer: a real one has fewer than 200 bytes.
const maxAnswer = 64 << 10

// Do sends a request and reads its answer by read. Errors of the transport become answers without
// the address in them: net/http puts the whole URL, secrets included, into its errors.
func Do(client *http.Client, req *http.Request, read func(Response) Answer, redact func(string) string) Answer {
	//lint:ignore G704 the address is that of a configured target; nothing that a stranger sends is part of it
	resp, err := client.Do(req)
	if err != nil {
		return transport(err, false, redact)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return transport(err, true, redact)
	}
	return read(Response{Status: resp.StatusCode, Header: resp.Header, Body: body})
}

// Post sends a JSON body to an address, which is not repeated in any answer, and reads what comes back.
func Post(ctx context.Context, client *http.Client, address string, body []byte, read func(Response) Answer, redact func(string) string) Answer {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return Unusable("the robot's URL cannot be used")
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	return Do(client, req, read, redact)
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
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
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

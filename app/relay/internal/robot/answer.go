package robot

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
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
	// Code is the errcode, or a name where there is none. It is one of a bounded set (CodeClasses)
	// and so fit to be the label of a metric.
	Code string
	// Reason is one line for people, without secrets: the meaning and the other side's own words. Meaning is the
	// same in our words alone, where there are others in it.
	Reason, Meaning string
	// Wait is how long the other side wants to be left alone; 0 if it does not say.
	Wait time.Duration
	// Ambiguous is set when the message may have been shown although no success was reported: only
	// the same message, with the same msgUuid, to the same robot is then free of repetition.
	Ambiguous bool
	// Note is what is worth a line in the log although the message was delivered.
	Note string
	// Unknown is set for an errcode that nothing is known about: worth a few tries, not endless ones.
	Unknown bool
}

// Docs of the codes: https://open.dingtalk.com/document/orgapp/custom-robot-access and what users of
// the interface saw, which is more; FACTS of the project lists where from.
var codes = map[int]struct {
	outcome Outcome
	meaning string
}{
	0:      {Delivered, "ok"},
	-1:     {Retry, "the system is busy"},
	130101: {Throttled, "too many messages in a minute"},
	410100: {Throttled, "too many messages in a minute"},
	90018:  {Quota, "the organisation's quota is used up"},
	90020:  {Quota, "the organisation's quota is used up"},
	90030:  {Quota, "the organisation's quota is used up"},
	101002: {Split, "the message is too long"},
	460101: {Split, "the message is too long"},
	310000: {Refused, "refused by the robot's security settings"},
	300001: {Refused, "the token does not exist"},
	300005: {Refused, "the token does not exist"},
	40035:  {Refused, "a parameter is missing"},
	43002:  {Refused, "not a POST"},
	400013: {Refused, "the group does not exist any more"},
	400101: {Refused, "the token is missing"},
	400102: {Refused, "the robot is disabled"},
	400105: {Refused, "the message type is not supported"},
	400106: {Refused, "the robot does not exist any more"},
	430101: {Refused, "unsafe link"},
	430102: {Refused, "unsafe text"},
	430103: {Refused, "unsafe image"},
	430104: {Refused, "unsafe content"},
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

// member is a field of an answer as text: a number as it is written, a string without its quotes.
type member string

func (m *member) UnmarshalJSON(raw []byte) error {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		s = string(raw)
	}
	if s == "null" {
		s = ""
	}
	*m = member(s)
	return nil
}

// whole reads a number without a fraction, also where it is written with one.
func (m member) whole() (int, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(string(m)), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1e9 {
		return 0, false
	}
	return int(f), true
}

type wireAnswer struct {
	Errcode member `json:"errcode"`
	Errmsg  member `json:"errmsg"`
	// The flood guard in front of the interface answers in another form.
	Status member `json:"status"`
	Wait   member `json:"wait"`
	Punish member `json:"punish"`
}

// Read understands the answer to a message. Success is exactly status 200 with an errcode that is
// there and 0; everything else is something to act on. retryAfter is the header of that name. redact takes
// secrets out of the other side's words before they are cut to length.
func Read(status int, retryAfter string, body []byte, redact func(string) string) Answer {
	var w wireAnswer
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	dec := json.NewDecoder(bytes.NewReader(body))
	err := dec.Decode(&w)
	isObject := err == nil && strings.HasPrefix(strings.TrimSpace(string(body)), "{")

	switch {
	case status >= 300 && status < 400:
		return Answer{Outcome: Retry, Code: CodeRedirect, Reason: fmt.Sprintf("HTTP %d: redirects are not followed, since the token would go along", status)}
	case status == http.StatusTooManyRequests:
		return Answer{Outcome: Throttled, Code: CodeHTTP429, Wait: seconds(retryAfter), Reason: "HTTP 429: too many requests"}
	case status == http.StatusRequestEntityTooLarge:
		return Answer{Outcome: Split, Code: CodeTooBig, Reason: "HTTP 413: the message is too long"}
	case status >= 500:
		return Answer{Outcome: Retry, Code: CodeHTTP5xx, Ambiguous: true, Reason: fmt.Sprintf("HTTP %d", status)}
	case status >= 400:
		return Answer{Outcome: Retry, Code: CodeHTTP4xx, Reason: fmt.Sprintf("HTTP %d", status)}
	case status != http.StatusOK:
		return Answer{Outcome: Retry, Code: CodeHTTPOther, Ambiguous: true, Reason: fmt.Sprintf("HTTP %d is not 200", status)}
	case !isObject:
		return Answer{Outcome: Retry, Code: CodeNotJSON, Ambiguous: true, Reason: "HTTP 200 with a body that is not a JSON object"}
	case w.Errcode == "" && (w.Punish != "" || w.Status == "1111"):
		return Answer{Outcome: Throttled, Code: CodeFlood, Wait: seconds(string(w.Wait)), Reason: "stopped by the flood guard"}
	case w.Errcode == "":
		return Answer{Outcome: Retry, Code: CodeNoErrcode, Ambiguous: true, Reason: "HTTP 200 without an errcode"}
	}
	n, ok := w.Errcode.whole()
	if !ok {
		return Answer{Outcome: Retry, Code: CodeNoErrcode, Ambiguous: true, Reason: "HTTP 200 with an errcode that is not a number"}
	}
	words := OneLine(redact(string(w.Errmsg)))
	known, ok := codes[n]
	switch {
	case ok && n == 0:
		return Answer{Outcome: Delivered, Code: "0", Reason: "ok"}
	case n == 310000:
		return Answer{Outcome: Refused, Code: "310000", Reason: join(n, security(string(w.Errmsg)), words), Meaning: join(n, security(string(w.Errmsg)), "")}
	case ok:
		return Answer{Outcome: known.outcome, Code: strconv.Itoa(n), Reason: join(n, known.meaning, words), Meaning: join(n, known.meaning, "")}
	case n >= 300000 && n < 310000, n >= 400000 && n < 410000, n >= 430000 && n < 440000:
		// The rest of the documented families: token, robot and content.
		return Answer{Outcome: Refused, Code: CodeOther, Reason: join(n, "refused", words), Meaning: join(n, "refused", "")}
	}
	return Answer{Outcome: Retry, Code: CodeOther, Unknown: true, Reason: join(n, "unknown errcode", words), Meaning: join(n, "unknown errcode", "")}
}

// security names which of a robot's rules a 310000 is about: it is one code, only the text tells.
func security(errmsg string) string {
	s := strings.ToLower(errmsg)
	switch {
	case strings.Contains(s, "keyword"), strings.Contains(s, "关键词"):
		return "the keyword is missing"
	case strings.Contains(s, "timestamp"), strings.Contains(s, "签名过期"):
		// Before the signature, which the Chinese wording mentions here too.
		return "the timestamp is off by more than an hour: check the clock"
	case strings.Contains(s, "sign"), strings.Contains(s, "签名"):
		return "the signature does not match: check the signing secret"
	case strings.Contains(s, "whitelist"), strings.Contains(s, "白名单"):
		return "this machine's address is not on the robot's list"
	}
	return codes[310000].meaning
}

// Ours is the meaning in our words.
func (a Answer) Ours() string {
	if a.Meaning != "" {
		return a.Meaning
	}
	return a.Reason
}

func join(code int, meaning, words string) string {
	if words == "" {
		return fmt.Sprintf("errcode %d: %s", code, meaning)
	}
	return fmt.Sprintf("errcode %d: %s (%s)", code, meaning, words)
}

// seconds reads a wait, bounded so that a hostile answer can't silence a robot for a year.
func seconds(s string) time.Duration {
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

// RefusalCodes lists the values of Answer.Code that an answer of outcome Refused can have.
func RefusalCodes() []string {
	out := []string{CodeOther, CodeHTTP4xx, CodeSMTP, CodeConfig, CodeGateway}
	for code, known := range codes {
		if known.outcome == Refused {
			out = append(out, strconv.Itoa(code))
		}
	}
	slices.Sort(out)
	return out
}

// CodeClasses lists every value that Answer.Code can have.
func CodeClasses() []string {
	out := []string{CodeNotJSON, CodeNoErrcode, CodeFlood, CodeRedirect, CodeTimeout, CodeNetwork, CodeCutOff, CodeOther,
		CodeHTTP4xx, CodeHTTP429, CodeHTTP5xx, CodeHTTPOther, CodeSMTP, CodeTooBig, CodeConfig, CodeGateway}
	for code := range codes {
		out = append(out, strconv.Itoa(code))
	}
	slices.Sort(out)
	return out
}

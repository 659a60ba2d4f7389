package dingtalk

import (
	"strings"

	"lookout/app/relay/internal/channel"
)

// Docs of the codes: https://open.dingtalk.com/document/orgapp/custom-robot-access and what users of
// the interface saw, which is more.
var codes = channel.Codes{
	0:      {Outcome: channel.Delivered, Meaning: "ok"},
	-1:     {Outcome: channel.Retry, Meaning: "the system is busy"},
	130101: {Outcome: channel.Throttled, Meaning: "too many messages in a minute"},
	410100: {Outcome: channel.Throttled, Meaning: "too many messages in a minute"},
	90018:  {Outcome: channel.Quota, Meaning: "the organisation's quota is used up"},
	90020:  {Outcome: channel.Quota, Meaning: "the organisation's quota is used up"},
	90030:  {Outcome: channel.Quota, Meaning: "the organisation's quota is used up"},
	101002: {Outcome: channel.Split, Meaning: "the message is too long"},
	460101: {Outcome: channel.Split, Meaning: "the message is too long"},
	310000: {Outcome: channel.Refused, Meaning: "refused by the robot's security settings"},
	300001: {Outcome: channel.Refused, Meaning: "the token does not exist"},
	300005: {Outcome: channel.Refused, Meaning: "the token does not exist"},
	40035:  {Outcome: channel.Refused, Meaning: "a parameter is missing"},
	43002:  {Outcome: channel.Refused, Meaning: "not a POST"},
	400013: {Outcome: channel.Refused, Meaning: "the group does not exist any more"},
	400101: {Outcome: channel.Refused, Meaning: "the token is missing"},
	400102: {Outcome: channel.Refused, Meaning: "the robot is disabled"},
	400105: {Outcome: channel.Refused, Meaning: "the message type is not supported"},
	400106: {Outcome: channel.Refused, Meaning: "the robot does not exist any more"},
	430101: {Outcome: channel.Refused, Meaning: "unsafe link"},
	430102: {Outcome: channel.Refused, Meaning: "unsafe text"},
	430103: {Outcome: channel.Refused, Meaning: "unsafe image"},
	430104: {Outcome: channel.Refused, Meaning: "unsafe content"},
}

// Read understands the answer to a message. Success is exactly status 200 with an errcode that is
// there and 0; everything else is something to act on. redact takes secrets out of the other side's words before they are
// cut to length.
func Read(r channel.Response, redact func(string) string) channel.Answer {
	if a, ok := channel.ReadStatus(r); ok {
		return a
	}
	var w struct {
		Errcode channel.Loose `json:"errcode"`
		Errmsg  channel.Loose `json:"errmsg"`
		// The flood guard in front of the interface answers in another form.
		Status channel.Loose `json:"status"`
		Wait   channel.Loose `json:"wait"`
		Punish channel.Loose `json:"punish"`
	}
	if !r.Decode(&w) {
		return channel.NotJSON()
	}
	if w.Errcode == "" && (w.Punish != "" || w.Status == "1111") {
		return channel.Answer{Outcome: channel.Throttled, Code: channel.CodeFlood, Wait: channel.Seconds(string(w.Wait)), Reason: "stopped by the flood guard"}
	}
	n, ok := w.Errcode.Whole()
	if !ok {
		return channel.NoCode("errcode", w.Errcode)
	}
	words := channel.OneLine(redact(string(w.Errmsg)))
	if n == 310000 {
		return codes.Explain(n, channel.Refused, security(string(w.Errmsg)), words)
	}
	return codes.Answer(n, words, func(n int) bool {
		// The rest of the documented families: token, robot and content.
		return n >= 300000 && n < 310000 || n >= 400000 && n < 410000 || n >= 430000 && n < 440000
	})
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
	return codes[310000].Meaning
}

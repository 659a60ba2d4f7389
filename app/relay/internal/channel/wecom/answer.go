package wecom

import (
	"strings"

	"lookout/app/relay/internal/channel"
)

// Of https://developer.work.weixin.qq.com/document/path/90455, those that a robot's call can meet.
var codes = channel.Codes{
	0:     {Outcome: channel.Delivered, Meaning: "ok"},
	-1:    {Outcome: channel.Retry, Meaning: "the system is busy"},
	45009: {Outcome: channel.Throttled, Meaning: "too many messages in a minute"},
	45033: {Outcome: channel.Throttled, Meaning: "too many calls at once"},
	45002: {Outcome: channel.Split, Meaning: "the message is too long"},
	40058: {Outcome: channel.Split, Meaning: "the message is too long"},
	93000: {Outcome: channel.Refused, Meaning: "the key is wrong, or the robot was taken out of its group"},
	40008: {Outcome: channel.Refused, Meaning: "the message type is not supported"},
	40033: {Outcome: channel.Refused, Meaning: "the message holds characters that are not allowed"},
	40035: {Outcome: channel.Refused, Meaning: "a parameter is not valid"},
	43002: {Outcome: channel.Refused, Meaning: "not a POST"},
	44004: {Outcome: channel.Refused, Meaning: "the message is empty"},
}

// Read understands the answer to a message. Success is exactly status 200 with an errcode that is there and 0.
func Read(r channel.Response, redact func(string) string) channel.Answer {
	if a, ok := channel.ReadStatus(r); ok {
		return a
	}
	var w struct {
		Errcode channel.Loose `json:"errcode"`
		Errmsg  channel.Loose `json:"errmsg"`
	}
	if !r.Decode(&w) {
		return channel.NotJSON()
	}
	n, ok := w.Errcode.Whole()
	if !ok {
		return channel.NoCode("errcode", w.Errcode)
	}
	words := channel.OneLine(redact(string(w.Errmsg)))
	if n == 40058 && !strings.Contains(string(w.Errmsg), "max length") {
		// One code for every parameter that is not as it should be; only the text says which.
		return codes.Explain(n, channel.Refused, "a parameter is not valid", words)
	}
	return codes.Answer(n, words, func(n int) bool {
		// The families of parameters, methods and bodies, and the robots' own.
		return n >= 40000 && n < 45000 || n >= 93000 && n < 94000
	})
}

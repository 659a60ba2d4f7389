package feishu

import (
	"cmp"
	"strings"

	"lookout/app/relay/internal/channel"
)

// Documented are 0, 9499, 11232, 19021, 19022 and 19024; the others were seen by users of the interface.
var codes = channel.Codes{
	0:        {Outcome: channel.Delivered, Meaning: "success"},
	9499:     {Outcome: channel.Throttled, Meaning: "too many requests"},
	11232:    {Outcome: channel.Throttled, Meaning: "too many requests"},
	230020:   {Outcome: channel.Throttled, Meaning: "too many requests for this group"},
	99991400: {Outcome: channel.Throttled, Meaning: "too many requests"},
	19036:    {Outcome: channel.Split, Meaning: "the message is too long"},
	19001:    {Outcome: channel.Refused, Meaning: "the token does not exist"},
	19002:    {Outcome: channel.Refused, Meaning: "a parameter is missing"},
	19021:    {Outcome: channel.Refused, Meaning: "the signature does not match, or the clock is off by more than an hour: check the signing secret and the clock"},
	19022:    {Outcome: channel.Refused, Meaning: "this machine's address is not on the bot's list"},
	19024:    {Outcome: channel.Refused, Meaning: "the keyword is missing"},
	230099:   {Outcome: channel.Refused, Meaning: "the card is not valid"},
}

// Read understands the answer to a message. Success is exactly status 200 with a code, or in the older form a
// StatusCode, that is there and 0.
func Read(r channel.Response, redact func(string) string) channel.Answer {
	var w struct {
		Code          channel.Loose `json:"code"`
		Msg           channel.Loose `json:"msg"`
		StatusCode    channel.Loose `json:"StatusCode"`
		StatusMessage channel.Loose `json:"StatusMessage"`
	}
	object := r.Decode(&w)
	field := cmp.Or(w.Code, w.StatusCode)
	n, number := field.Whole()
	wait := channel.Seconds(cmp.Or(r.Header.Get("Retry-After"), r.Header.Get("X-Ogw-Ratelimit-Reset")))
	// Some refusals come as 400 or 429, with the code that says what for.
	explained := object && number && n != 0 && r.Status >= 400 && r.Status < 500
	if a, ok := channel.ReadStatus(r); ok && !explained {
		a.Wait = max(a.Wait, wait)
		return a
	}
	switch {
	case !object:
		return channel.NotJSON()
	case !number:
		return channel.NoCode("errcode", field)
	}
	words := channel.OneLine(redact(string(cmp.Or(w.Msg, w.StatusMessage))))
	said := strings.ToLower(string(cmp.Or(w.Msg, w.StatusMessage)))
	if n == 9499 && !strings.Contains(said, "too many") && !strings.Contains(said, "frequen") {
		// One code for two things: the documentation has it for a body that is wrong.
		return codes.Explain(n, channel.Refused, "the request is not valid, or too long", words)
	}
	// The rest of the bots' own family.
	a := codes.Answer(n, words, func(n int) bool { return n >= 19000 && n < 20000 || n >= 230000 && n < 240000 })
	if a.Outcome == channel.Throttled {
		a.Wait = wait
	}
	return a
}

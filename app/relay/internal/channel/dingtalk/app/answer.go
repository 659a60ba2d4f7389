package app

import (
	"maps"
	"slices"
	"strings"
	"time"

	"lookout/app/relay/internal/channel"
)

// codes are those of the OpenAPI that are documented for cards, and what its users saw of the gateway in front of it.
var codes = map[string]channel.Code{
	"InvalidAuthentication":                              {Outcome: channel.Refused, Meaning: "the access token is not accepted"},
	"invalidClientIdOrSecret":                            {Outcome: channel.Refused, Meaning: "the Client ID or the Client Secret is wrong"},
	"Forbidden.AccessDenied.AccessTokenPermissionDenied": {Outcome: channel.Refused, Meaning: "the app lacks the permission Card.Instance.Write"},
	"Forbidden.AccessDenied.IpNotInWhiteList":            {Outcome: channel.Refused, Meaning: "the relay's address is not in the app's allow-list"},
	"Forbidden.AccessDenied.QpsLimitForAppkeyAndApi":     {Outcome: channel.Throttled, Meaning: "too many calls in a second"},
	"Forbidden.AccessDenied.QpsLimitForApi":              {Outcome: channel.Throttled, Meaning: "too many calls in a second"},
	"param.empty":                                        {Outcome: channel.Refused, Meaning: "a parameter is missing"},
	"param.cardTemplateIdEmpty":                          {Outcome: channel.Refused, Meaning: "the template's number is missing"},
	"param.outTrackIdEmpty":                              {Outcome: channel.Refused, Meaning: "outTrackId is missing"},
	"param.cardPublicDataEmpty":                          {Outcome: channel.Refused, Meaning: "the card has no data"},
	"param.userIdNotExist":                               {Outcome: channel.Refused, Meaning: "someone who is mentioned is not in the organisation"},
	"param.contentUnsafe":                                {Outcome: channel.Refused, Meaning: "unsafe content"},
	"param.openSpaceModelInvalid":                        {Outcome: channel.Refused, Meaning: "the group's model is not valid"},
	codeUndelivered:                                      {Outcome: channel.Refused, Meaning: "the card was made and not shown in the group"},
	"ServiceUnavailable":                                 {Outcome: channel.Retry, Meaning: "the service is not available"},
	"system.error":                                       {Outcome: channel.Retry, Meaning: "the system is busy"},
}

// codeUndelivered stands where the card was made and a group did not get it.
const codeUndelivered = "undelivered"

func allCodes() []string { return slices.Sorted(maps.Keys(codes)) }

func refusals() []string {
	return slices.DeleteFunc(allCodes(), func(c string) bool { return codes[c].Outcome != channel.Refused })
}

// wire is what the OpenAPI answers.
type wire struct {
	Code    channel.Loose `json:"code"`
	Message channel.Loose `json:"message"`
	Success channel.Loose `json:"success"`
	Result  any           `json:"result"`
}

// Read understands an answer. Success is exactly status 200 with success true, and for a card that is delivered with every
// group's own success as well. redact takes secrets out of the other side's words before they are cut to length.
func Read(r channel.Response, deliver bool, redact func(string) string) channel.Answer {
	var w wire
	readable := r.Decode(&w)
	if r.Status != 200 {
		a, _ := channel.ReadStatus(r)
		if r.Status < 400 || r.Status >= 500 || r.Status == 429 || !readable || w.Code == "" {
			return a
		}
		return explain(string(w.Code), channel.OneLine(redact(string(w.Message))))
	}
	switch {
	case !readable:
		return channel.NotJSON()
	case w.Success != "true" && w.Code != "":
		return explain(string(w.Code), channel.OneLine(redact(string(w.Message))))
	case w.Success != "true":
		return channel.Answer{Outcome: channel.Retry, Code: channel.CodeNoErrcode, Ambiguous: true, Reason: "HTTP 200 without success: true"}
	case !deliver:
		return channel.OK()
	}
	var d struct {
		Result struct {
			Groups []struct {
				Success channel.Loose `json:"success"`
				Words   channel.Loose `json:"errorMsg"`
			} `json:"deliverResults"`
		} `json:"result"`
	}
	if !r.Decode(&d) || len(d.Result.Groups) == 0 {
		return channel.Answer{Outcome: channel.Retry, Code: channel.CodeNoErrcode, Ambiguous: true, Reason: "HTTP 200 that does not say whether the group got the card"}
	}
	for _, g := range d.Result.Groups {
		if g.Success != "true" {
			return explain(codeUndelivered, channel.OneLine(redact(string(g.Words))))
		}
	}
	return channel.OK()
}

// explain is the reading of a code.
func explain(code, words string) channel.Answer {
	known, ok := codes[code]
	a := channel.Answer{Outcome: known.Outcome, Code: code, Meaning: code + ": " + known.Meaning}
	if !ok {
		a.Code, a.Meaning = channel.CodeOther, channel.OneLine(code)+": not a known code"
		lower := strings.ToLower(code)
		switch {
		case strings.Contains(lower, "qpslimit"), strings.Contains(lower, "toomany"):
			a.Outcome = channel.Throttled
		case strings.Contains(lower, "toolong"), strings.Contains(lower, "toolarge"):
			a.Outcome = channel.Split
		case strings.Contains(lower, "quota"):
			// One of a month's calls; another channel has to carry it meanwhile.
			a.Outcome, a.Wait = channel.Throttled, time.Hour
		case strings.HasPrefix(lower, "param."), strings.HasPrefix(lower, "forbidden."):
			a.Outcome = channel.Refused
		default:
			a.Outcome, a.Unknown = channel.Retry, true
		}
	}
	if a.Outcome == channel.Throttled && a.Wait == 0 {
		// The limit is one of a second.
		a.Wait = time.Second
	}
	a.Reason = a.Meaning
	if words != "" {
		a.Reason += " (" + words + ")"
	}
	return a
}

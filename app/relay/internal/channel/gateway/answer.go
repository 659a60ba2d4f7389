package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"lookout/app/relay/internal/channel"
)

// read understands a gateway's answer: HTTP 2xx, and what its body says of itself. Many gateways answer
// 200 to what they refuse.
func read(success Success, r channel.Response, redact func(string) string) channel.Answer {
	status := r.Status
	var answer any
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(r.Body, []byte("\xef\xbb\xbf"))))
	dec.UseNumber()
	decoded := dec.Decode(&answer) == nil
	refused := func(path, v string) channel.Answer {
		a := channel.Answer{Outcome: channel.Refused, Code: channel.CodeGateway,
			Reason: channel.OneLine(redact(fmt.Sprintf("HTTP %d with %s = %s: %s", status, path, v, bytes.TrimSpace(r.Body))))}
		if slices.ContainsFunc(success.Throttled, func(s string) bool { return strings.HasPrefix(v, s) }) {
			a.Outcome = channel.Throttled
		}
		return a
	}
	// What a gateway says at the path where it says anything at all, "" for nothing.
	said := func(path string) []string {
		if !decoded || path == "" {
			return nil
		}
		return at(answer, strings.Split(path, "."))
	}
	switch {
	case status >= 200 && status < 300:
	case status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooEarly &&
		status != http.StatusTooManyRequests && status != http.StatusRequestEntityTooLarge:
		// Some say "too many" this way, such as Aliyun.
		for _, path := range []string{success.Path, success.errorPath} {
			for _, v := range said(path) {
				if a := refused(path, v); a.Outcome == channel.Throttled {
					return a
				}
			}
		}
		return channel.Answer{Outcome: channel.Refused, Code: channel.CodeHTTP4xx, Reason: fmt.Sprintf("HTTP %d", status)}
	default:
		a, _ := channel.ReadStatus(r)
		return a
	}
	if success.Path != "" {
		if !decoded {
			return channel.Answer{Outcome: channel.Retry, Code: channel.CodeNotJSON, Ambiguous: true, Reason: fmt.Sprintf("HTTP %d with a body that is not JSON", status)}
		}
		found := said(success.Path)
		if len(found) == 0 {
			for _, v := range said(success.errorPath) {
				return refused(success.errorPath, v)
			}
			return refused(success.Path, "nothing")
		}
		for _, v := range found {
			if !slices.Contains(success.Values, v) {
				return refused(success.Path, v)
			}
		}
		return channel.OK()
	}
	// One answer, or one for each recipient.
	answers, isList := answer.([]any)
	if !isList {
		answers = []any{answer}
	}
	for _, one := range answers {
		object, isObject := one.(map[string]any)
		if !decoded || !isObject {
			continue
		}
		for _, name := range []string{"errcode", "code", "Code", "status", "success", "Success", "ok"} {
			switch v := object[name].(type) {
			case nil, map[string]any, []any:
			case bool:
				if !v {
					return refused(name, "false")
				}
			default:
				s := fmt.Sprint(v)
				verdict := name != "success" && name != "Success" && name != "ok"
				if verdict && !slices.Contains([]string{"0", "0.0", "200", "ok", "success"}, strings.ToLower(s)) || !verdict && strings.EqualFold(s, "false") {
					return refused(name, s)
				}
			}
		}
	}
	return channel.OK()
}

// at finds the values at a path: names of members, numbers of list items, * for all items.
func at(v any, path []string) []string {
	if len(path) == 0 {
		switch v := v.(type) {
		case nil, map[string]any, []any:
			return nil
		default:
			return []string{fmt.Sprint(v)}
		}
	}
	switch v := v.(type) {
	case map[string]any:
		return at(v[path[0]], path[1:])
	case []any:
		var out []string
		for i, item := range v {
			if path[0] == "*" || path[0] == fmt.Sprint(i) {
				out = append(out, at(item, path[1:])...)
			}
		}
		return out
	}
	return nil
}

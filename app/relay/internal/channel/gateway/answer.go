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
	switch {
	case status >= 200 && status < 300:
	case status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooEarly &&
		status != http.StatusTooManyRequests && status != http.StatusRequestEntityTooLarge:
		return channel.Answer{Outcome: channel.Refused, Code: channel.CodeHTTP4xx, Reason: fmt.Sprintf("HTTP %d", status)}
	default:
		a, _ := channel.ReadStatus(r)
		return a
	}
	ok := channel.OK()
	var answer any
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(r.Body, []byte("\xef\xbb\xbf"))))
	dec.UseNumber()
	decoded := dec.Decode(&answer) == nil
	words := func(path string, v string) channel.Answer {
		a := channel.Answer{Outcome: channel.Refused, Code: channel.CodeGateway,
			Reason: channel.OneLine(redact(fmt.Sprintf("HTTP %d with %s = %s: %s", status, path, v, bytes.TrimSpace(r.Body))))}
		if slices.ContainsFunc(success.Throttled, func(s string) bool { return strings.HasPrefix(v, s) }) {
			a.Outcome = channel.Throttled
		}
		return a
	}
	if success.Path != "" {
		if !decoded {
			return channel.Answer{Outcome: channel.Retry, Code: channel.CodeNotJSON, Ambiguous: true, Reason: fmt.Sprintf("HTTP %d with a body that is not JSON", status)}
		}
		found := at(answer, strings.Split(success.Path, "."))
		if len(found) == 0 {
			return words(success.Path, "nothing")
		}
		for _, v := range found {
			if !slices.Contains(success.Values, v) {
				return words(success.Path, v)
			}
		}
		return ok
	}
	object, isObject := answer.(map[string]any)
	if !decoded || !isObject {
		return ok
	}
	for _, name := range []string{"errcode", "code", "Code", "status"} {
		switch v := object[name].(type) {
		case nil, map[string]any, []any, bool:
		default:
			s := fmt.Sprint(v)
			if !slices.Contains([]string{"0", "0.0", "200", "ok", "success"}, strings.ToLower(s)) {
				return words(name, s)
			}
		}
	}
	return ok
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

package main

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"strings"
)

// traced gives each request the trace id that its exemplars carry: the caller's, or a new one.
func traced(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info := &request{traceID: traceIDOf(r.Header.Get("Traceparent")), route: otherRoute}
		if info.traceID == "" {
			info.traceID = newTraceID()
		}
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, info))
		r.Pattern = "" // an outer mux has left its own, which is not the route
		next.ServeHTTP(w, r)
	})
}

// traceIDOf takes the trace id out of a traceparent header (W3C Trace Context, section 3.2:
// version-traceid-parentid-flags in lower-case hex). It is empty where the header is absent or not
// well formed, since the length of an exemplar is limited and its content must not be a stranger's.
func traceIDOf(traceparent string) string {
	const idStart, idEnd, length = 3, 35, 55
	if len(traceparent) < length || traceparent[2] != '-' || traceparent[idEnd] != '-' || traceparent[52] != '-' {
		return ""
	}
	if version := traceparent[:2]; !isLowerHex(version) || version == "ff" || version == "00" && len(traceparent) != length {
		return ""
	}
	id := traceparent[idStart:idEnd]
	if !isLowerHex(id) || strings.Trim(id, "0") == "" {
		return ""
	}
	return id
}

func isLowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// newTraceID makes an id that is unique enough; it guards nothing, so it need not be unguessable.
func newTraceID() string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], rand.Uint64())
	binary.BigEndian.PutUint64(b[8:], rand.Uint64()|1) // all zeros would be invalid
	return hex.EncodeToString(b[:])
}

// routeOf is the path of a ServeMux pattern such as "GET /api/orders/{id}".
func routeOf(pattern string) string {
	if pattern == "" {
		return otherRoute
	}
	if _, path, ok := strings.Cut(pattern, " "); ok {
		pattern = path
	}
	return strings.TrimSuffix(pattern, "{$}")
}

package main

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strings"
)

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

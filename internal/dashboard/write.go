package dashboard

import (
	"math"
	"strconv"
	"strings"
)

// JSON writes the value in the form that Grafana's "Export" and JSON.stringify(…, null, 2) use: two spaces, one value a
// line, UTF-8 unescaped, members in the order they have, of duplicates only the one that counts, a newline at the end. So a file that
// comes back from Grafana's editor differs only where its meaning does.
func (n *Node) JSON() []byte {
	return append(n.appendJSON(nil, 0, true), '\n')
}

// Compact writes the value on one line without spaces and without a newline at the end.
func (n *Node) Compact() string { return string(n.appendJSON(nil, 0, false)) }

func (n *Node) appendJSON(b []byte, depth int, indent bool) []byte {
	newline := func(depth int) {
		if indent {
			b = append(b, '\n')
			for range depth {
				b = append(b, ' ', ' ')
			}
		}
	}
	switch n.Kind() {
	case Bool:
		return strconv.AppendBool(b, n.flag)
	case Number:
		return append(b, canonicalNumber(n.text)...)
	case String:
		return appendString(b, n.text)
	case Array:
		if len(n.children) == 0 {
			return append(b, "[]"...)
		}
		b = append(b, '[')
		for i, c := range n.children {
			if i > 0 {
				b = append(b, ',')
			}
			newline(depth + 1)
			b = c.appendJSON(b, depth+1, indent)
		}
		newline(depth)
		return append(b, ']')
	case Object:
		if len(n.children) == 0 {
			return append(b, "{}"...)
		}
		b = append(b, '{')
		first := true
		for _, c := range n.children {
			if n.Get(c.key) != c {
				continue
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			newline(depth + 1)
			b = append(appendString(b, c.key), ':')
			if indent {
				b = append(b, ' ')
			}
			b = c.appendJSON(b, depth+1, indent)
		}
		newline(depth)
		return append(b, '}')
	}
	return append(b, "null"...)
}

const hexDigits = "0123456789abcdef"

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(b, s[from:]...), '"')
}

// canonicalNumber rewrites a literal the way JavaScript prints it, unless float64 would lose digits of it: then it stays.
func canonicalNumber(literal string) string {
	plain := len(literal) <= 15
	for i := 0; plain && i < len(literal); i++ {
		plain = literal[i] >= '0' && literal[i] <= '9' || literal[i] == '-' && i == 0 && literal != "-0"
	}
	if plain {
		return literal
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return literal
	}
	digits := strings.TrimLeft(strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.SplitN(strings.ToLower(literal), "e", 2)[0]), "0")
	if len(digits) > 17 || len(digits) > 15 && f == math.Trunc(f) && math.Abs(f) >= 1<<53 {
		return literal
	}
	return formatNumber(f)
}

// formatNumber follows ECMAScript's Number::toString: decimal from 1e-6 up to 1e21, exponent beyond.
func formatNumber(f float64) string {
	if f == 0 {
		return "0"
	}
	if abs := math.Abs(f); abs >= 1e-6 && abs < 1e21 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	// Go pads the exponent to two digits, JavaScript does not.
	s = strings.Replace(s, "e-0", "e-", 1)
	return strings.Replace(s, "e+0", "e+", 1)
}

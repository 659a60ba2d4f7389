package promql

import (
	"regexp"
	"strconv"
	"strings"
)

// Use is one place where a query holds a Grafana variable.
type Use struct {
	// Name is the variable without $, braces, field and format: "job" for ${job:regex}.
	Name string
	// Format is what follows the colon in ${v:regex} and [[v:regex]].
	Format string
	// At and End are byte offsets in the query as written.
	At, End int
	// Quoted means that it stands inside a string literal. There Grafana leaves a name it does not know as it is.
	Quoted bool
	// Builtin means one of Grafana's own, $__interval and the like.
	Builtin bool
}

// markerPrefix and markerSuffix frame the number of a [Use] in the text given to the parser. They are letters, so the marker can stand in a metric name,
// a label name and a regular expression alike.
const (
	markerPrefix = "lookoutVar"
	markerSuffix = "Q"
)

// nextMarker finds the first marker of a text from a byte on; use is the index of its [Use]. end is 0 if there is none.
func nextMarker(s string, from int) (start, end, use int) {
	for {
		i := strings.Index(s[from:], markerPrefix)
		if i < 0 {
			return 0, 0, 0
		}
		start = from + i
		digits := start + len(markerPrefix)
		end = digits
		for use = 0; end < len(s) && s[end] >= '0' && s[end] <= '9'; end++ {
			use = min(use*10+int(s[end]-'0'), 1<<30)
		}
		if end > digits && strings.HasPrefix(s[end:], markerSuffix) {
			return start, end + len(markerSuffix), use
		}
		from = digits
	}
}

func marker(i int) string { return markerPrefix + strconv.Itoa(i) + markerSuffix }

// HasVariable tells whether a name or value taken from a parsed tree depends on a Grafana variable.
func HasVariable(s string) bool {
	if len(s) < len(markerPrefix) {
		return false
	}
	_, end, _ := nextMarker(s, 0)
	return end > 0
}

// Pattern is the regular expression of what a name from a parsed tree can be once Grafana has filled in its variables. isRegexp tells that s is
// an expression already (the value of a =~ matcher).
func Pattern(s string, isRegexp bool) string {
	var b strings.Builder
	last := 0
	for start, end, _ := nextMarker(s, 0); end > 0; start, end, _ = nextMarker(s, last) {
		b.WriteString(quoteUnless(isRegexp, s[last:start]))
		b.WriteString(".*")
		last = end
	}
	b.WriteString(quoteUnless(isRegexp, s[last:]))
	return b.String()
}

func quoteUnless(raw bool, s string) string {
	if raw {
		return s
	}
	return regexp.QuoteMeta(s)
}

// matchVariable recognises a Grafana variable at the beginning of s, by the rules of Grafana's own template service: $name, ${name}, ${name.field},
// ${name:format}, [[name]], [[name:format]]. size is 0 if there is none.
func matchVariable(s string) (name, format string, size int) {
	if len(s) < 2 {
		return "", "", 0
	}
	switch {
	case s[0] == '$' && isWord(s[1]):
		end := 1
		for end < len(s) && isWord(s[end]) {
			end++
		}
		return s[1:end], "", end
	case s[0] == '$' && s[1] == '{':
		inner, _, ok := strings.Cut(s[2:], "}")
		if !ok {
			return "", "", 0
		}
		size = len(inner) + 3
		inner, format, _ = strings.Cut(inner, ":")
		name, _, _ = strings.Cut(inner, ".")
	case s[0] == '[' && s[1] == '[':
		inner, _, ok := strings.Cut(s[2:], "]]")
		if !ok {
			return "", "", 0
		}
		size = len(inner) + 4
		name, format, _ = strings.Cut(inner, ":")
	default:
		return "", "", 0
	}
	for i := range len(name) {
		if !isWord(name[i]) {
			return "", "", 0
		}
	}
	if name == "" {
		return "", "", 0
	}
	return name, format, size
}

// Variables lists the Grafana variables in any text: a title, a legend, a link.
func Variables(s string) []Use {
	var out []Use
	EachVariable(s, func(u Use) { out = append(out, u) })
	return out
}

// EachVariable is Variables without the list.
func EachVariable(s string, visit func(Use)) {
	// Nearly all texts have none, and some are whole files: two looks for one thing are much cheaper than one for either.
	after := func(i int, what string) int {
		if at := strings.Index(s[i:], what); at >= 0 {
			return i + at
		}
		return len(s)
	}
	dollar, bracket := after(0, "$"), after(0, "[[")
	for i := 0; ; {
		if dollar < i {
			dollar = after(i, "$")
		}
		if bracket < i {
			bracket = after(i, "[[")
		}
		if i = min(dollar, bracket); i == len(s) {
			return
		}
		name, format, size := matchVariable(s[i:])
		if size == 0 {
			i++
			continue
		}
		visit(Use{Name: name, Format: format, At: i, End: i + size, Builtin: builtin(name)})
		i += size
	}
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// builtin tells Grafana's own variables. Names with two underscores are reserved for them; the two others are leftovers of its first versions.
func builtin(name string) bool {
	return strings.HasPrefix(name, "__") || name == "timeFilter" || name == "interval_ms"
}

// builtinNumber tells the built-in variables that stand for a bare number.
func builtinNumber(name string) bool {
	switch name {
	case "__interval_ms", "__rate_interval_ms", "__range_ms", "__range_s", "__from", "__to", "interval_ms":
		return true
	}
	return false
}

// builtinDuration tells the built-in variables that stand for a duration such as 15s.
func builtinDuration(name string) bool {
	switch name {
	case "__interval", "__rate_interval", "__range":
		return true
	}
	return false
}

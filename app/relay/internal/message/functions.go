package message

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"
	"unicode"
	"unicode/utf8"

	"lookout/app/relay/internal/notification"
)

// functions are what templates can call besides text/template's own. None of them panics or grows
// its input without bound; the fuzz test holds them to it.
func functions(zone *time.Location) template.FuncMap {
	return template.FuncMap{
		"icon":       icon,
		"plain":      Safe,
		"severityZH": severityZH,
		"title":      capital,
		"upper":      strings.ToUpper,
		"lower":      strings.ToLower,
		"clip":       Clip,
		"safe":       markdown,
		"quote":      quote,
		"json":       toJSON,
		"link":       link,
		"duration":   Duration,
		"clock":      func(t time.Time) string { return showTime(t, zone, "2006-01-02 15:04:05 MST") },
		"timeOnly":   func(t time.Time) string { return showTime(t, zone, "15:04:05") },
		"format":     func(layout string, t time.Time) string { return showTime(t, zone, Clip(100, layout)) },
		"number":     Number,
		"join":       func(sep string, s []string) string { return strings.Join(s, sep) },
		"replace":    func(old, with, s string) string { return Clip(64<<10, strings.ReplaceAll(s, old, with)) },
		"contains":   func(part, s string) bool { return strings.Contains(s, part) },
	}
}

// icon tells firing from resolved, and how bad, at a glance.
func icon(status, severity string) string {
	switch status {
	case notification.Resolved:
		return "✅"
	case Doubtful:
		return "⚠️"
	}
	switch notification.Rank(severity) {
	case 0:
		return "🔴"
	case 1, 2:
		return "🟠"
	case 3:
		return "🔵"
	}
	return "⚪"
}

func severityZH(severity string) string {
	switch notification.Rank(severity) {
	case 0:
		return "严重"
	case 1:
		return "错误"
	case 2:
		return "警告"
	case 3:
		return "提示"
	}
	return "未分级"
}

func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return ""
	}
	return string(unicode.ToUpper(r)) + s[n:]
}

// Clip cuts s to at most n bytes between two characters, with an ellipsis where it was cut.
func Clip(n int, s string) string {
	n = max(n, 4)
	if len(s) <= n {
		return s
	}
	cut := n - len("…")
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// pieces of markdown that a cut may not go through; the last are halves of them at the end of a text.
var pieces = regexp.MustCompile(`\\.|\*\*|\[(?:\\.|[^\]\\])*\]\([^)\s]*\)|((?:\\|\*|\[(?:\\.|[^\]\\])*\\?(?:\](?:\([^)\s]*)?)?)$)`)

// cut shortens a text to n bytes or fewer, at least to "…", and leaves neither half a character nor half of what formats.
func (c Context) cut(n int, s string) string {
	if n >= len(s) {
		return s
	}
	s = strings.TrimSuffix(Clip(n, s), "…")
	if c.Form.Plain {
		return s + "…"
	}
	begin := strings.LastIndexByte(s, '\n') + 1
	line, bold := s[begin:], -1
	for _, m := range pieces.FindAllStringSubmatchIndex(line, -1) {
		switch {
		case m[2] >= 0:
			line = line[:m[0]]
		case line[m[0]:m[1]] == "**" && bold < 0:
			bold = m[0]
		case line[m[0]:m[1]] == "**":
			bold = -1
		}
	}
	if bold >= 0 {
		line = line[:bold]
	}
	return s[:begin] + line + "…"
}

// Safe makes a value fit for the middle of a line of markdown: no line break that would start a
// heading or a list, no link and no tag that the author of the rule didn't write.
func Safe(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
			// Marks that turn the writing direction can make a host name read as another.
			return -1
		case r == '<':
			return '‹'
		}
		return r
	}, s)
	s = strings.ReplaceAll(s, "](", "] (")
	return strings.Join(strings.Fields(s), " ")
}

// special are the characters that DingTalk's markdown formats by.
var special = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `_`, `\_`, "`", "\\`", `[`, `\[`, `]`, `\]`, `~`, `\~`)

// markdown is Safe for a place where markdown is read: what would format is shown as it is written.
func markdown(s string) string { return special.Replace(Safe(s)) }

// lineStart is markdown for the beginning of a line, where more characters format: those of headings,
// quotations and lists.
func lineStart(s string) string {
	s = markdown(s)
	if s == "" {
		return s
	}
	if strings.ContainsRune("#>-+=|", rune(s[0])) {
		return `\` + s
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }); i > 0 && i < 10 && (s[i] == '.' || s[i] == ')') && (i+1 == len(s) || s[i+1] == ' ') {
		return s[:i] + `\` + s[i:]
	}
	return s
}

// quote sets a text of several lines as a markdown quotation.
func quote(s string) string {
	var out []string
	for line := range strings.Lines(s) {
		if line = lineStart(line); line != "" {
			out = append(out, "> "+line)
		}
	}
	return strings.Join(out, "  \n")
}

func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return `""`
	}
	return string(b)
}

// link is a markdown link, or nothing where the address isn't a plain http(s) one that can be opened
// from a phone or a desk.
func link(name, address string) string {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || !reachable(u.Hostname()) || len(address) > 2000 {
		return ""
	}
	return "[" + markdown(name) + "](" + strings.NewReplacer("(", "%28", ")", "%29", " ", "%20", "*", "%2A", "`", "%60").Replace(u.String()) + ")"
}

// reachable tells a host that others may know from one that only containers do: Prometheus and
// Alertmanager without an external address call themselves by their container's id, and a name
// without a dot is one of a Docker or Kubernetes network.
func reachable(host string) bool {
	if host == "localhost" {
		return true
	}
	return strings.ContainsAny(host, ".:") && host != "host.docker.internal"
}

// Duration reads like "1 小时 5 分 1h5m": the two largest units.
func Duration(d time.Duration) string {
	d = max(d, 0).Truncate(time.Second)
	type unit struct {
		n      int64
		zh, en string
	}
	s := int64(d / time.Second)
	units := []unit{{s / 86400, "天", "d"}, {s / 3600 % 24, "小时", "h"}, {s / 60 % 60, "分", "m"}, {s % 60, "秒", "s"}}
	for len(units) > 1 && units[0].n == 0 {
		units = units[1:]
	}
	units = units[:min(2, len(units))]
	var zh, en []string
	for i, u := range units {
		if u.n > 0 || i == 0 {
			zh = append(zh, fmt.Sprintf("%d %s", u.n, u.zh))
			en = append(en, fmt.Sprintf("%d%s", u.n, u.en))
		}
	}
	return strings.Join(zh, " ") + " " + strings.Join(en, "")
}

func showTime(t time.Time, zone *time.Location, layout string) string {
	if t.IsZero() {
		return ""
	}
	return t.In(zone).Format(layout)
}

// Number shows a value with as many digits as mean something.
func Number(v float64) string {
	switch {
	case math.IsNaN(v), math.IsInf(v, 0):
		return strconv.FormatFloat(v, 'g', -1, 64)
	case v == math.Trunc(v) && math.Abs(v) < 1e15:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case math.Abs(v) >= 0.001 && math.Abs(v) < 1e9:
		return strconv.FormatFloat(roundTo(v, 4), 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// roundTo keeps digits significant digits, and all those before the decimal point.
func roundTo(v float64, digits int) float64 {
	places := max(0, digits-1-int(math.Floor(math.Log10(math.Abs(v)))))
	scale := math.Pow(10, float64(places))
	return math.Round(v*scale) / scale
}

package channel

import (
	"regexp"
	"strings"
)

// Span is a part of a line of markdown: text as people see it, and where it leads to, "" for nowhere.
type Span struct {
	Text, URL string
	// Bold text, or text that is set as a heading.
	Bold bool
}

// Line is a line of DingTalk's markdown taken apart, for chats that write theirs another way.
type Line struct {
	// Mark is what the line begins with: # for a heading, - for a list item, > for a quotation, --- for a rule.
	Mark  string
	Spans []Span
}

var (
	marks = regexp.MustCompile(`^(#{1,6}|-|>|---)(?: +|$)`)
	spans = regexp.MustCompile(`\\.|\*\*|\[((?:\\.|[^\]\\])*)\]\(([^)\s]*)\)`)
)

// ParseLine takes a line apart, which holds no line break.
func ParseLine(s string) Line {
	var out Line
	s = strings.TrimRight(s, " ")
	if m := marks.FindStringSubmatch(s); m != nil {
		out.Mark = m[1]
		if out.Mark[0] == '#' {
			out.Mark = "#"
		}
		s = s[len(m[0]):]
	}
	bold := out.Mark == "#"
	add := func(text, url string) {
		if text == "" {
			return
		}
		if n := len(out.Spans); n > 0 && url == "" && out.Spans[n-1].URL == "" && out.Spans[n-1].Bold == bold {
			out.Spans[n-1].Text += text
			return
		}
		out.Spans = append(out.Spans, Span{Text: text, URL: url, Bold: bold})
	}
	for len(s) > 0 {
		m := spans.FindStringSubmatchIndex(s)
		if m == nil {
			break
		}
		add(s[:m[0]], "")
		switch found := s[m[0]:m[1]]; {
		case found == "**":
			bold = !bold
		case found[0] == '\\':
			add(found[1:], "")
		default:
			add(unescape.ReplaceAllString(s[m[2]:m[3]], "$1"), addresses.Replace(s[m[4]:m[5]]))
		}
		s = s[m[1]:]
	}
	add(s, "")
	return out
}

// addresses writes what no address holds as it is (RFC 3986), and chats take for their own: <@all> calls everyone.
var addresses = strings.NewReplacer("<", "%3C", ">", "%3E", "`", "%60")

var unescape = regexp.MustCompile(`\\(.)`)

// Plain is the line as people see it where nothing is marked up.
func (l Line) Plain() string {
	var b strings.Builder
	switch l.Mark {
	case "-":
		b.WriteString("• ")
	case ">":
		b.WriteString("｜ ")
	case "---":
		b.WriteString("————")
	}
	for _, s := range l.Spans {
		b.WriteString(s.Text)
		if s.URL != "" {
			b.WriteString(" " + s.URL)
		}
	}
	return b.String()
}

// EachLine translates a text line by line.
func EachLine(text string, translate func(string) string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = translate(l)
	}
	return strings.Join(lines, "\n")
}

// WithoutHeading leaves out a heading that a text begins with: the card's own says the same.
func WithoutHeading(text string) string {
	first, rest, _ := strings.Cut(text, "\n")
	if ParseLine(first).Mark != "#" {
		return text
	}
	return strings.TrimLeft(rest, "\n")
}

// MayRepeat stands before the title of what is sent once more, where a chat cannot tell a repetition.
const MayRepeat = "↻ 可能重复 may be a repetition: "

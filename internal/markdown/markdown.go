// Package markdown writes what others wrote, titles, queries and file names, into Markdown so that it stays text.
package markdown

import (
	"html"
	"strings"
	"unicode"
)

// apart is a character without width. GitHub, GitLab and Gitea look for @name, #1 and !1 in the text after Markdown was read, so that escaping does not help: a title
// would notify people or link to other issues.
const apart = "\u200b"

// Inline makes a text harmless on one line of Markdown, and in the cell of a table.
func Inline(s string) string {
	var b strings.Builder
	text := []rune(strings.Join(strings.Fields(s), " "))
	for i, r := range text {
		next := rune(0)
		if i+1 < len(text) {
			next = text[i+1]
		}
		switch r {
		case '<', '>', '&':
			b.WriteString(html.EscapeString(string(r)))
		case '\\', '`', '*', '_', '[', ']', '|', '~', '$':
			b.WriteByte('\\')
			b.WriteRune(r)
		case '#', '!':
			b.WriteByte('\\')
			b.WriteRune(r)
			if unicode.IsDigit(next) {
				b.WriteString(apart)
			}
		case '@':
			b.WriteRune(r)
			if unicode.IsLetter(next) || unicode.IsDigit(next) {
				b.WriteString(apart)
			}
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Code is a text in the typeface of code, on one line.
func Code(s string) string {
	s = strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if len(fence) > 1 {
		s = " " + s + " "
	}
	return fence + s + fence
}

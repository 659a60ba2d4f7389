package grafana

import (
	"regexp"
	"strings"
)

var dashes = regexp.MustCompile(`-{2,}`)

// slug is the part of an address that comes from a title: Grafana drops what is not a Latin letter or digit, and says "and"
// for "&".
func slug(title string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(title)) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
			b.WriteRune(r)
		case r == ' ':
			b.WriteByte('-')
		case r == '&':
			b.WriteString("and")
		}
	}
	return strings.Trim(dashes.ReplaceAllString(b.String(), "-"), "-")
}

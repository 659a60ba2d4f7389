package diff

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"lookout/internal/dashboard"
)

// alike reports whether two different texts look the same: letters composed differently, spaces of another kind, or characters that have no width.
func alike(a, b string) bool { return a != b && looks(a) == looks(b) }

func looks(s string) string {
	return norm.NFKC.String(strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Cf, r):
			return -1
		case unicode.Is(unicode.Zs, r):
			return ' '
		}
		return r
	}, s))
}

// apart writes two texts that look the same so that they don't: é as e\u0301 where that is what stands there.
func apart(a, b string) (string, string) {
	hidden := func(s string) string {
		var out strings.Builder
		for _, r := range s {
			if unicode.In(r, unicode.Mn, unicode.Cf) || r != ' ' && unicode.Is(unicode.Zs, r) {
				fmt.Fprintf(&out, `\u%04x`, r)
				continue
			}
			out.WriteRune(r)
		}
		return out.String()
	}
	if x, y := hidden(a), hidden(b); looks(x) != looks(y) {
		return x, y
	}
	plain := func(s string) string {
		q := strconv.QuoteToASCII(s)
		return q[1 : len(q)-1]
	}
	return plain(a), plain(b)
}

// visible shows the white space of a text.
func visible(s string) string {
	s = strings.NewReplacer("\r", "␍", "\n", "⏎", "\t", "⇥", "  ", "␣␣").Replace(s)
	if rest, ok := strings.CutPrefix(s, " "); ok {
		s = "␣" + rest
	}
	if rest, ok := strings.CutSuffix(s, " "); ok {
		s = rest + "␣"
	}
	return s
}

// twoValues are two values in a sentence, which differ there if they differ at all.
func twoValues(before, after *dashboard.Node) (string, string) {
	if before.Is(dashboard.String) && after.Is(dashboard.String) {
		if a, b := before.Text(), after.Text(); alike(a, b) || oneLine(a) == oneLine(b) {
			a, b = twoTexts(a, b, 80)
			return `"` + a + `"`, `"` + b + `"`
		}
	}
	return valueText(before), valueText(after)
}

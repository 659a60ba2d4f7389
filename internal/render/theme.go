package render

import (
	"fmt"
	"image/color"
	"math"
	"strconv"
	"strings"
)

type palette struct {
	dark                                      bool
	page, panel, border, rule                 color.NRGBA
	text, dim, faint                          color.NRGBA
	added, removed, changed, moved, attention color.NRGBA
}

func newPalette(t Theme) (palette, error) {
	switch t {
	case Dark, "":
		return palette{
			dark: true,
			page: rgb(0x0f1116), panel: rgb(0x181b21), border: rgb(0x2a2e37), rule: rgb(0x2a2e37),
			text: rgb(0xd7dae3), dim: rgb(0x9096a5), faint: rgb(0x626878),
			added: rgb(0x3fb950), removed: rgb(0xf85149), changed: rgb(0xe3a008), moved: rgb(0x4c9ff0), attention: rgb(0xf2495c),
		}, nil
	case Light:
		return palette{
			page: rgb(0xf2f4f7), panel: rgb(0xffffff), border: rgb(0xdde1e8), rule: rgb(0xe6e9ee),
			text: rgb(0x24292f), dim: rgb(0x667085), faint: rgb(0x98a1b0),
			added: rgb(0x1a7f37), removed: rgb(0xcf222e), changed: rgb(0xb27b00), moved: rgb(0x0969da), attention: rgb(0xe02f44),
		}, nil
	}
	return palette{}, fmt.Errorf("theme %q: there are dark and light", t)
}

func (p palette) mark(k MarkKind) color.NRGBA {
	switch k {
	case MarkAdded:
		return p.added
	case MarkRemoved:
		return p.removed
	case MarkMoved:
		return p.moved
	}
	return p.changed
}

func rgb(v uint32) color.NRGBA {
	return color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 255}
}

// alpha makes a colour translucent: 1 leaves it as it is.
func alpha(c color.NRGBA, a float64) color.NRGBA {
	c.A = uint8(math.Round(float64(c.A) * min(max(a, 0), 1)))
	return c
}

// mix is a at t = 0 and b at t = 1.
func mix(a, b color.NRGBA, t float64) color.NRGBA {
	f := func(x, y uint8) uint8 { return uint8(math.Round(float64(x) + (float64(y)-float64(x))*t)) }
	return color.NRGBA{f(a.R, b.R), f(a.G, b.G), f(a.B, b.B), f(a.A, b.A)}
}

// readableOn is black or white, whichever is the better to read on c.
func readableOn(c color.NRGBA) color.NRGBA {
	if 0.299*float64(c.R)+0.587*float64(c.G)+0.114*float64(c.B) > 150 {
		return rgb(0x111217)
	}
	return rgb(0xffffff)
}

// Hues as dashboards name them: each has five shades, "super-light-" to "dark-".
var hues = []struct {
	name   string
	shades [5]uint32 // dark, semi-dark, plain, light, super-light
}{
	{"red", [5]uint32{0xc4162a, 0xe02f44, 0xf2495c, 0xff7383, 0xffa6b0}},
	{"orange", [5]uint32{0xfa6400, 0xff780a, 0xff9830, 0xffb357, 0xffcb7d}},
	{"yellow", [5]uint32{0xe0b400, 0xf2cc0c, 0xfade2a, 0xffee52, 0xfff899}},
	{"green", [5]uint32{0x37872d, 0x56a64b, 0x73bf69, 0x96d98d, 0xc8f2c2}},
	{"blue", [5]uint32{0x1f60c4, 0x3274d9, 0x5794f2, 0x8ab8ff, 0xc0d8ff}},
	{"purple", [5]uint32{0x8f3bb8, 0xa352cc, 0xb877d9, 0xca95e5, 0xdeb6f2}},
}

// The colours CSS knows by name, as far as dashboards use them.
var cssColors = map[string]uint32{
	"black": 0x000000, "white": 0xffffff, "gray": 0x808080, "grey": 0x808080, "silver": 0xc0c0c0, "lightgray": 0xd3d3d3, "darkgray": 0xa9a9a9,
	"pink": 0xffc0cb, "brown": 0xa52a2a, "cyan": 0x00ffff, "aqua": 0x00ffff, "magenta": 0xff00ff, "fuchsia": 0xff00ff, "lime": 0x00ff00,
	"navy": 0x000080, "teal": 0x008080, "olive": 0x808000, "maroon": 0x800000, "gold": 0xffd700, "violet": 0xee82ee, "indigo": 0x4b0082,
	"crimson": 0xdc143c, "tomato": 0xff6347, "salmon": 0xfa8072, "coral": 0xff7f50, "turquoise": 0x40e0d0, "lightblue": 0xadd8e6,
	"skyblue": 0x87ceeb, "steelblue": 0x4682b4, "royalblue": 0x4169e1, "lightgreen": 0x90ee90, "forestgreen": 0x228b22, "darkorange": 0xff8c00,
}

// seriesColors are given out in turn to series without a colour of their own.
var seriesColors = []string{
	"green", "yellow", "blue", "orange", "red", "purple",
	"light-blue", "dark-green", "light-orange", "dark-purple", "semi-dark-blue", "light-red",
	"super-light-green", "dark-yellow", "dark-blue", "super-light-purple", "dark-orange", "super-light-blue", "dark-red", "light-green",
}

func (p palette) series(i int) color.NRGBA {
	c, _ := p.named(seriesColors[i%len(seriesColors)])
	if !p.dark {
		// Pale lines drown on white.
		if lum := 0.299*float64(c.R) + 0.587*float64(c.G) + 0.114*float64(c.B); lum > 150 {
			c = mix(c, rgb(0), (lum-150)/260)
		}
	}
	return c
}

// named reads a colour as dashboards write it: Grafana's names, CSS' names, #rgb, #rrggbb, #rrggbbaa, rgb(…), rgba(…).
func (p palette) named(s string) (c color.NRGBA, ok bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	switch s {
	case "":
		return c, false
	case "transparent":
		return color.NRGBA{}, true
	case "text":
		return p.text, true
	case "panel-bg", "background":
		return p.panel, true
	}
	if hex, found := strings.CutPrefix(s, "#"); found {
		return parseHex(hex)
	}
	if strings.HasPrefix(s, "rgb") {
		return parseRGB(s)
	}
	shade, name := 2, s
	for _, prefix := range []struct {
		text  string
		shade int
	}{{"super-light-", 4}, {"semi-dark-", 1}, {"light-", 3}, {"dark-", 0}} {
		if rest, found := strings.CutPrefix(s, prefix.text); found {
			shade, name = prefix.shade, rest
			break
		}
	}
	for _, h := range hues {
		if h.name == name {
			return rgb(h.shades[shade]), true
		}
	}
	if v, found := cssColors[s]; found {
		return rgb(v), true
	}
	return c, false
}

func parseHex(s string) (c color.NRGBA, ok bool) {
	v, err := strconv.ParseUint(s, 16, 32)
	if err != nil {
		return c, false
	}
	switch len(s) {
	case 3, 4:
		a := uint8(255)
		if len(s) == 4 {
			a, v = uint8(v&15)*17, v>>4
		}
		return color.NRGBA{uint8(v>>8&15) * 17, uint8(v>>4&15) * 17, uint8(v&15) * 17, a}, true
	case 6:
		return rgb(uint32(v)), true
	case 8:
		c = rgb(uint32(v >> 8))
		c.A = uint8(v)
		return c, true
	}
	return c, false
}

func parseRGB(s string) (c color.NRGBA, ok bool) {
	_, args, _ := strings.Cut(s, "(")
	args, closed := strings.CutSuffix(args, ")")
	parts := strings.FieldsFunc(args, func(r rune) bool { return r == ',' || r == ' ' || r == '/' })
	if !closed || len(parts) != 3 && len(parts) != 4 {
		return c, false
	}
	out := [4]uint8{3: 255}
	for i, part := range parts {
		f, err := strconv.ParseFloat(strings.TrimSuffix(part, "%"), 64)
		if err != nil || math.IsNaN(f) {
			return c, false
		}
		switch {
		case i == 3 && strings.HasSuffix(part, "%"):
			f *= 2.55
		case i == 3:
			f *= 255
		case strings.HasSuffix(part, "%"):
			f *= 2.55
		}
		out[i] = uint8(min(max(math.Round(f), 0), 255))
	}
	return color.NRGBA{out[0], out[1], out[2], out[3]}, true
}

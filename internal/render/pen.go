package render

import (
	"image/color"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	stdfont "golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/text/width"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/vg"
)

type align uint8

const (
	alignStart align = iota
	alignMiddle
	alignEnd
)

type textStyle struct {
	size       float64
	bold, mono bool
	color      color.NRGBA
	align      align
	// exact makes a viewer whose font is wider or narrower than the built-in one keep to the width, since something stands right behind the text.
	exact bool
}

func (s textStyle) at(a align) textStyle       { s.align = a; return s }
func (s textStyle) in(c color.NRGBA) textStyle { s.color = c; return s }
func (s textStyle) face() font.Font {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: font.Length(s.size)}
	if s.mono {
		f.Variant = "Mono"
	}
	if s.bold {
		f.Weight = stdfont.WeightBold
	}
	return f
}

// metrics measures text in the built-in font. What that font lacks counts as wide as East Asian typography has it, since the font that draws it isn't known.
type metrics struct {
	fonts    *font.Cache
	advances [4]map[rune]float64 // by bold and mono, per em
	buf      sfnt.Buffer
}

func newMetrics() *metrics {
	m := &metrics{fonts: font.NewCache(liberation.Collection())}
	for i := range m.advances {
		m.advances[i] = make(map[rune]float64, 128)
	}
	return m
}

func (m *metrics) advance(r rune, st textStyle) float64 {
	i := 0
	if st.bold {
		i++
	}
	if st.mono {
		i += 2
	}
	if w, ok := m.advances[i][r]; ok {
		return w
	}
	f := m.fonts.Lookup(st.face(), 1)
	w := 0.6
	switch idx, err := f.Face.GlyphIndex(&m.buf, r); {
	case err == nil && idx != 0:
		em := f.Face.UnitsPerEm()
		if adv, err := f.Face.GlyphAdvance(&m.buf, idx, 64*2048, stdfont.HintingNone); err == nil && em > 0 {
			w = float64(adv) / 64 / 2048
		}
	case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Cf, r):
		w = 0
	default:
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			w = 1
		}
	}
	m.advances[i][r] = w
	return w
}

// width is that of one line, in pixels.
func (m *metrics) width(s string, st textStyle) float64 {
	w := 0.0
	for _, r := range s {
		w += m.advance(r, st)
	}
	return w * st.size
}

const ellipsis = "…"

// fit cuts text that is wider than w and ends it with an ellipsis.
func (m *metrics) fit(s string, w float64, st textStyle) string {
	s = oneLine(s)
	if utf8.RuneCountInString(s) > 2000 {
		s = string([]rune(s)[:2000])
	}
	if m.width(s, st) <= w {
		return s
	}
	room, at := w-m.width(ellipsis, st), 0
	if room < 0 {
		return ""
	}
	for i, r := range s {
		room -= m.advance(r, st) * st.size
		if room < 0 {
			break
		}
		at = i + utf8.RuneLen(r)
	}
	return strings.TrimRight(s[:at], " ") + ellipsis
}

// wrap breaks text into at most n lines of width w, preferably after a space or a comma; the last line ends with an ellipsis if text is left over.
func (m *metrics) wrap(s string, w float64, n int, st textStyle) []string {
	if utf8.RuneCountInString(s) > 4000 {
		s = string([]rune(s)[:4000])
	}
	var lines []string
	for s = oneLine(s); s != "" && len(lines) < n; {
		if len(lines) == n-1 {
			return append(lines, m.fit(s, w, st))
		}
		used, end, breakAt := 0.0, len(s), 0
		for i, r := range s {
			used += m.advance(r, st) * st.size
			if used > w && i > 0 {
				end = i
				break
			}
			next := i + utf8.RuneLen(r)
			if r == ' ' || r == ',' || r == '(' || r == '|' || r > 0x2e80 {
				breakAt = next
			}
		}
		if end < len(s) && breakAt > end/3 && breakAt <= end {
			end = breakAt
		}
		lines = append(lines, strings.TrimRight(s[:end], " "))
		s = strings.TrimLeft(s[end:], " ")
	}
	return lines
}

// codeLine is a line of a query, indent pixels to the right.
type codeLine struct {
	indent float64
	text   string
}

// wrapCode breaks a query into at most n lines of width w. The lines that its author made stay, and so does their indentation.
func (m *metrics) wrapCode(s string, w float64, n int, st textStyle) []codeLine {
	var out []codeLine
	var lines []string
	for l := range strings.Lines(strings.ReplaceAll(s, "\r", "")) {
		if l = strings.TrimRight(strings.ReplaceAll(l, "\t", "  "), " \n"); l != "" {
			lines = append(lines, l)
		}
		if len(lines) > n {
			break
		}
	}
	if len(lines) > n && n == 1 {
		lines = []string{s} // there is no room for lines
	}
	for i, l := range lines {
		if len(out) == n {
			break
		}
		text := strings.TrimLeft(l, " ")
		indent := min(float64(len(l)-len(text)), 40) * m.width(" ", st)
		indent = min(indent, w/3)
		room := n - len(out)
		parts := m.wrap(text, w-indent, room, st)
		for j, part := range parts {
			if j == room-1 && i < len(lines)-1 && !strings.HasSuffix(part, ellipsis) {
				part = m.fit(part+" "+ellipsis, w-indent, st)
			}
			out = append(out, codeLine{indent, part})
		}
	}
	return out
}

// oneLine joins lines and runs of space.
func oneLine(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	return strings.Join(strings.Fields(s), " ")
}

// rect is a place in pixels, y downwards.
type rect struct{ x, y, w, h float64 }

func (r rect) inset(d float64) rect { return r.cut(d, d, d, d) }
func (r rect) cut(t, rt, b, l float64) rect {
	return rect{r.x + l, r.y + t, max(r.w-l-rt, 0), max(r.h-t-b, 0)}
}
func (r rect) right() float64  { return r.x + r.w }
func (r rect) bottom() float64 { return r.y + r.h }

// pen draws on a canvas in pixels with y downwards, as screens have it.
type pen struct {
	vg.Canvas
	*metrics
	svg *svgCanvas // the canvas if it is an SVG
	h   float64
}

func newPen(c vg.Canvas, h float64, m *metrics) *pen {
	p := &pen{Canvas: c, metrics: m, h: h}
	p.svg, _ = c.(*svgCanvas)
	return p
}

func (p *pen) pt(x, y float64) vg.Point { return vg.Point{X: vg.Length(x), Y: vg.Length(p.h - y)} }

// text draws one line with its baseline at y.
func (p *pen) text(x, y float64, s string, st textStyle) {
	if s == "" {
		return
	}
	if trimmed := strings.TrimLeft(s, " "); len(trimmed) < len(s) && st.align == alignStart {
		// XML drops leading spaces.
		x += float64(len(s)-len(trimmed)) * p.advance(' ', st) * st.size
		s = trimmed
	}
	if p.svg != nil {
		// The anchor keeps text aligned though the viewer's font is a little wider or narrower.
		p.svg.text(x, y, s, st, 0, p.metrics)
		return
	}
	switch st.align {
	case alignMiddle:
		x -= p.width(s, st) / 2
	case alignEnd:
		x -= p.width(s, st)
	}
	p.SetColor(st.color)
	p.FillString(p.fonts.Lookup(st.face(), font.Length(st.size)), p.pt(x, y), s)
}

func (p *pen) roundRect(r rect, radius float64) vg.Path {
	radius = min(radius, r.w/2, r.h/2)
	var path vg.Path
	if radius <= 0 {
		path.Move(p.pt(r.x, r.y))
		path.Line(p.pt(r.right(), r.y))
		path.Line(p.pt(r.right(), r.bottom()))
		path.Line(p.pt(r.x, r.bottom()))
		path.Close()
		return path
	}
	path.Move(p.pt(r.x+radius, r.y))
	path.Line(p.pt(r.right()-radius, r.y))
	path.QuadTo(p.pt(r.right(), r.y), p.pt(r.right(), r.y+radius))
	path.Line(p.pt(r.right(), r.bottom()-radius))
	path.QuadTo(p.pt(r.right(), r.bottom()), p.pt(r.right()-radius, r.bottom()))
	path.Line(p.pt(r.x+radius, r.bottom()))
	path.QuadTo(p.pt(r.x, r.bottom()), p.pt(r.x, r.bottom()-radius))
	path.Line(p.pt(r.x, r.y+radius))
	path.QuadTo(p.pt(r.x, r.y), p.pt(r.x+radius, r.y))
	path.Close()
	return path
}

func (p *pen) fill(r rect, radius float64, c color.NRGBA) {
	if r.w <= 0 || r.h <= 0 || c.A == 0 {
		return
	}
	p.SetColor(c)
	p.Fill(p.roundRect(r, radius))
}

func (p *pen) outline(r rect, radius, width float64, c color.NRGBA, dash ...vg.Length) {
	p.SetColor(c)
	p.SetLineWidth(vg.Length(width))
	p.SetLineDash(dash, 0)
	p.Stroke(p.roundRect(r.inset(width/2), radius))
	p.SetLineDash(nil, 0)
}

func (p *pen) line(x1, y1, x2, y2, width float64, c color.NRGBA) {
	var path vg.Path
	path.Move(p.pt(x1, y1))
	path.Line(p.pt(x2, y2))
	p.SetColor(c)
	p.SetLineWidth(vg.Length(width))
	p.SetLineDash(nil, 0)
	p.Stroke(path)
}

func (p *pen) polygon(c color.NRGBA, xy ...float64) {
	var path vg.Path
	for i := 0; i+1 < len(xy); i += 2 {
		if i == 0 {
			path.Move(p.pt(xy[i], xy[i+1]))
		} else {
			path.Line(p.pt(xy[i], xy[i+1]))
		}
	}
	path.Close()
	p.SetColor(c)
	p.Fill(path)
}

func (p *pen) circle(x, y, r float64, c color.NRGBA) {
	var path vg.Path
	path.Arc(p.pt(x, y), vg.Length(r), 0, 2*3.141592653589793)
	path.Close()
	p.SetColor(c)
	p.Fill(path)
}

// ring is a part of a ring, or of a disc if inner is 0. Angles are in radians, counted against the clock from the right.
func (p *pen) ring(cx, cy, outer, inner, from, sweep float64, c color.NRGBA) {
	var path vg.Path
	o := p.pt(cx, cy)
	at := func(r, angle float64) vg.Point {
		sin, cos := math.Sincos(angle)
		return vg.Point{X: o.X + vg.Length(r*cos), Y: o.Y + vg.Length(r*sin)}
	}
	path.Move(at(outer, from))
	path.Arc(o, vg.Length(outer), from, sweep)
	if inner > 0 {
		path.Line(at(inner, from+sweep))
		path.Arc(o, vg.Length(inner), from+sweep, -sweep)
	} else {
		path.Line(o)
	}
	path.Close()
	p.SetColor(c)
	p.Fill(path)
}

// group gives what draw draws a tooltip where the format has such a thing.
func (p *pen) group(tooltip string, draw func()) {
	if p.svg == nil {
		draw()
		return
	}
	p.svg.begin(tooltip)
	draw()
	p.svg.end()
}

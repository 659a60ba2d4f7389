package render

import (
	"image"
	"image/color"
	"math"
	"strconv"
	"unicode/utf8"

	stdfont "golang.org/x/image/font"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// Families of an SVG's text. The first ones have the same metrics as the built-in font that widths are measured with; then what systems have for Chinese.
const (
	sansFamilies = `Arial, 'Liberation Sans', Arimo, Helvetica, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', 'Noto Sans SC', 'Source Han Sans SC', 'WenQuanYi Micro Hei', sans-serif`
	monoFamilies = `'Liberation Mono', Menlo, Consolas, 'DejaVu Sans Mono', 'Noto Sans Mono CJK SC', 'PingFang SC', 'Microsoft YaHei', monospace`
)

// svgCanvas is gonum/plot's canvas as SVG. The library's own writes points in a mirrored coordinate system and one font family per text, which leaves Chinese
// to chance; this one writes pixels, no ids, and about a third of the bytes.
type svgCanvas struct {
	canvasState
	w, h float64
	buf  []byte
}

var _ vg.Canvas = (*svgCanvas)(nil)

func newSVGCanvas(w, h float64) *svgCanvas {
	c := &svgCanvas{w: w, h: h, buf: make([]byte, 0, 1<<16), canvasState: newCanvasState()}
	vg.Initialize(c)
	return c
}

func (c *svgCanvas) Stroke(p vg.Path) {
	if c.state.width <= 0 || c.state.color.A == 0 || len(p) == 0 {
		return
	}
	c.path(p)
	c.paint("stroke", c.state.color)
	if c.state.width != 1 {
		c.attr("stroke-width", c.state.width)
	}
	if len(c.state.dash) > 0 {
		c.str(` stroke-dasharray="`)
		for i, d := range c.state.dash {
			if i > 0 {
				c.str(" ")
			}
			c.num(float64(d))
		}
		c.str(`"`)
	}
	c.str("/>\n")
}

func (c *svgCanvas) Fill(p vg.Path) {
	if c.state.color.A == 0 || len(p) == 0 {
		return
	}
	c.path(p)
	c.paint("fill", c.state.color)
	c.str("/>\n")
}

func (c *svgCanvas) path(p vg.Path) {
	c.str(`<path d="`)
	last := byte(0)
	op := func(b byte) {
		if b != last || b != 'L' {
			c.buf = append(c.buf, b)
		} else {
			c.buf = append(c.buf, ' ')
		}
		last = b
	}
	for _, comp := range p {
		switch comp.Type {
		case vg.MoveComp:
			op('M')
			c.point(comp.Pos)
		case vg.LineComp:
			op('L')
			c.point(comp.Pos)
		case vg.CurveComp:
			if len(comp.Control) == 1 {
				op('Q')
			} else {
				op('C')
			}
			for _, q := range comp.Control {
				c.point(q)
				c.str(" ")
			}
			c.point(comp.Pos)
		case vg.ArcComp:
			// SVG leaves out an arc that ends where it began, so a circle is two halves; halving every arc makes the large-arc flag needless.
			at := func(angle float64) vg.Point {
				sin, cos := math.Sincos(angle)
				return vg.Point{X: comp.Pos.X + comp.Radius*vg.Length(cos), Y: comp.Pos.Y + comp.Radius*vg.Length(sin)}
			}
			if last == 0 {
				op('M')
			} else {
				op('L')
			}
			c.point(at(comp.Start))
			for i := 1; i <= 2; i++ {
				op('A')
				r := float64(comp.Radius) * math.Sqrt(math.Abs(c.state.a*c.state.d-c.state.b*c.state.c))
				c.num(r)
				c.str(" ")
				c.num(r)
				if comp.Angle < 0 {
					c.str(" 0 0 1 ") // y points down here, so the sense turns
				} else {
					c.str(" 0 0 0 ")
				}
				c.point(at(comp.Start + comp.Angle*float64(i)/2))
			}
		case vg.CloseComp:
			op('Z')
		}
	}
	c.str(`"`)
}

func (c *svgCanvas) point(p vg.Point) {
	x, y := c.state.apply(p)
	c.num(x)
	c.str(",")
	c.num(c.h - y)
}

func (c *svgCanvas) FillString(f font.Face, pt vg.Point, text string) {
	if f.Font.Size <= 0 {
		return
	}
	x, y := c.state.apply(pt)
	c.text(x, c.h-y, text, textStyle{
		size: float64(f.Font.Size), bold: f.Font.Weight >= stdfont.WeightSemiBold, mono: f.Font.Variant == "Mono", color: c.state.color,
	}, -math.Atan2(c.state.b, c.state.a), nil)
}

// text writes text with its baseline at (x, y), y counted from the top, turned clockwise by rad.
func (c *svgCanvas) text(x, y float64, text string, st textStyle, rad float64, m *metrics) {
	if text == "" || st.color.A == 0 {
		return
	}
	c.str("<text")
	c.attr("x", x)
	c.attr("y", y)
	if math.Abs(rad) > 1e-9 {
		c.str(` transform="rotate(`)
		c.num(rad * 180 / math.Pi)
		c.str(" ")
		c.num(x)
		c.str(" ")
		c.num(y)
		c.str(`)"`)
	}
	c.attr("font-size", st.size)
	if st.exact && m != nil {
		c.attr("textLength", m.width(text, st))
		c.str(` lengthAdjust="spacingAndGlyphs"`)
	}
	if st.bold {
		c.str(` font-weight="600"`)
	}
	if st.mono {
		c.str(` font-family="` + monoFamilies + `"`)
	}
	switch st.align {
	case alignMiddle:
		c.str(` text-anchor="middle"`)
	case alignEnd:
		c.str(` text-anchor="end"`)
	}
	c.paint("fill", st.color)
	c.str(">")
	c.escaped(text)
	c.str("</text>\n")
}

// DrawImage is part of the interface; nothing here draws images.
func (c *svgCanvas) DrawImage(vg.Rectangle, image.Image) {}

// begin opens a group with a tooltip, end closes it.
func (c *svgCanvas) begin(tooltip string) {
	c.str("<g>")
	if tooltip != "" {
		c.str("<title>")
		c.escaped(tooltip)
		c.str("</title>")
	}
	c.str("\n")
}

func (c *svgCanvas) end() { c.str("</g>\n") }

func (c *svgCanvas) bytes(title string) []byte {
	body := c.buf
	c.buf = make([]byte, 0, len(body)+1024)
	c.str(`<svg xmlns="http://www.w3.org/2000/svg"`)
	c.attr("width", c.w)
	c.attr("height", c.h)
	c.str(` viewBox="0 0 `)
	c.num(c.w)
	c.str(" ")
	c.num(c.h)
	// Speed means no kerning: pairs of small letters would touch, and widths are measured without it.
	c.str(`" fill="none" stroke-linejoin="round" text-rendering="optimizeSpeed" role="img" font-family="` + sansFamilies + "\">\n<title>")
	c.escaped(title)
	c.str("</title>\n")
	c.buf = append(c.buf, body...)
	c.str("</svg>\n")
	return c.buf
}

func (c *svgCanvas) str(s string) { c.buf = append(c.buf, s...) }

func (c *svgCanvas) attr(name string, v float64) {
	c.str(" ")
	c.str(name)
	c.str(`="`)
	c.num(v)
	c.str(`"`)
}

// num writes a hundredth of a pixel at most, and never an exponent.
func (c *svgCanvas) num(v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		v = 0
	}
	v = math.Round(v*100) / 100
	if v == 0 {
		v = 0 // no "-0"
	}
	c.buf = strconv.AppendFloat(c.buf, v, 'f', -1, 64)
}

func (c *svgCanvas) paint(what string, col color.NRGBA) {
	const hex = "0123456789abcdef"
	c.str(" ")
	c.str(what)
	c.str(`="#`)
	for _, v := range [3]uint8{col.R, col.G, col.B} {
		c.buf = append(c.buf, hex[v>>4], hex[v&15])
	}
	c.str(`"`)
	if col.A != 255 {
		c.attr(what+"-opacity", float64(col.A)/255)
	}
}

// escaped writes text for XML, which has no way to write most control characters.
func (c *svgCanvas) escaped(s string) {
	for _, r := range s {
		switch {
		case r == '<':
			c.str("&lt;")
		case r == '>':
			c.str("&gt;")
		case r == '&':
			c.str("&amp;")
		case r == '"':
			c.str("&#34;")
		case r == '\n':
			c.str("&#10;")
		case r == '\t':
			c.str(" ")
		case r < ' ' || r == 0xfffe || r == 0xffff:
			c.str("\ufffd")
		default:
			c.buf = utf8.AppendRune(c.buf, r)
		}
	}
}

package render

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"sync"

	"github.com/golang/freetype/raster"
	stdfont "golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	fix "golang.org/x/image/math/fixed"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// rasterCanvas is gonum/plot's canvas as pixels. The library's own draws each pixel of a large area alone and makes each letter anew: a dashboard took five times as
// long. Shapes come from the same rasteriser; here it looks only at a shape's own bounds, whole spans are copied, and letters are kept.
type rasterCanvas struct {
	canvasState
	img   *image.RGBA
	h     float64 // in pixels of the canvas, which has y upwards
	scale float64 // pixels of the picture for one of the canvas

	rast   *raster.Rasterizer
	path   raster.Path
	faces  map[faceKey]stdfont.Face
	glyphs map[glyphKey]glyph
	buf    sfnt.Buffer
}

var _ vg.Canvas = (*rasterCanvas)(nil)

// pixels are of pictures that are done: many are drawn one after the other, and to clear fresh memory takes as long as a tenth of one.
var pixels sync.Pool

// newRasterCanvas has arbitrary pixels until background is called.
func newRasterCanvas(w, h, scale float64) *rasterCanvas {
	img := &image.RGBA{Rect: image.Rect(0, 0, max(int(w*scale+0.5), 1), max(int(h*scale+0.5), 1))}
	img.Stride = 4 * img.Rect.Dx()
	n := img.Stride * img.Rect.Dy()
	if old, _ := pixels.Get().(*[]uint8); old != nil && cap(*old) >= n {
		img.Pix = (*old)[:n]
	} else {
		img.Pix = make([]uint8, n)
	}
	c := &rasterCanvas{
		canvasState: newCanvasState(),
		img:         img, h: h, scale: scale,
		rast: raster.NewRasterizer(1, 1), faces: map[faceKey]stdfont.Face{}, glyphs: map[glyphKey]glyph{},
	}
	vg.Initialize(c)
	return c
}

// release gives the pixels to the next picture; the canvas can't be used any more.
func (c *rasterCanvas) release() {
	pixels.Put(&c.img.Pix)
	c.img = nil
}

// background fills all of it, as the first thing drawn.
func (c *rasterCanvas) background(col color.NRGBA) {
	draw.Draw(c.img, c.img.Rect, image.NewUniform(col), image.Point{}, draw.Src)
}

// device is where a point of the canvas is in the picture.
func (c *rasterCanvas) device(p vg.Point) (x, y float64) {
	x, y = c.state.apply(p)
	return x * c.scale, (c.h - y) * c.scale
}

// zoom is by how much lengths grow on the way into the picture.
func (c *rasterCanvas) zoom() float64 {
	return c.scale * math.Sqrt(math.Abs(c.state.a*c.state.d-c.state.b*c.state.c))
}

type xy struct{ x, y float64 }

// lines turns a path into polylines in pixels of the picture.
func (c *rasterCanvas) lines(p vg.Path) [][]xy {
	var all [][]xy
	var line []xy
	at := func(p vg.Point) xy { x, y := c.device(p); return xy{x, y} }
	end := func() {
		if len(line) > 1 {
			all = append(all, line)
		}
		line = nil
	}
	for _, comp := range p {
		switch comp.Type {
		case vg.MoveComp:
			end()
			line = append(make([]xy, 0, len(p)), at(comp.Pos))
		case vg.LineComp:
			line = append(line, at(comp.Pos))
		case vg.CurveComp:
			to := at(comp.Pos)
			from := to
			if len(line) > 0 {
				from = line[len(line)-1]
			}
			control := make([]xy, len(comp.Control))
			length, last := 0.0, from
			for i, q := range comp.Control {
				control[i] = at(q)
				length, last = length+math.Hypot(control[i].x-last.x, control[i].y-last.y), control[i]
			}
			length += math.Hypot(to.x-last.x, to.y-last.y)
			n := int(min(max(math.Sqrt(length)*2, 4), 100))
			for i := 1; i <= n; i++ {
				line = append(line, bezier(from, control, to, float64(i)/float64(n)))
			}
		case vg.ArcComp:
			n := int(min(max(math.Sqrt(float64(comp.Radius)*c.zoom())*math.Abs(comp.Angle)*1.5, 6), 200))
			for i := 0; i <= n; i++ {
				sin, cos := math.Sincos(comp.Start + comp.Angle*float64(i)/float64(n))
				line = append(line, at(vg.Point{X: comp.Pos.X + comp.Radius*vg.Length(cos), Y: comp.Pos.Y + comp.Radius*vg.Length(sin)}))
			}
		case vg.CloseComp:
			if len(line) > 1 {
				first := line[0]
				line = append(line, first)
				end()
				line = []xy{first}
			}
		}
	}
	end()
	return all
}

func bezier(from xy, control []xy, to xy, t float64) xy {
	u := 1 - t
	if len(control) == 1 {
		q := control[0]
		return xy{u*u*from.x + 2*u*t*q.x + t*t*to.x, u*u*from.y + 2*u*t*q.y + t*t*to.y}
	}
	q, r := control[0], control[1]
	return xy{
		u*u*u*from.x + 3*u*u*t*q.x + 3*u*t*t*r.x + t*t*t*to.x,
		u*u*u*from.y + 3*u*u*t*q.y + 3*u*t*t*r.y + t*t*t*to.y,
	}
}

// Fill fills the inside of a path.
func (c *rasterCanvas) Fill(p vg.Path) {
	if c.state.color.A == 0 {
		return
	}
	c.rasterize(c.lines(p), 0)
}

// Stroke draws a path as a line.
func (c *rasterCanvas) Stroke(p vg.Path) {
	if c.state.width <= 0 || c.state.color.A == 0 {
		return
	}
	lines := c.lines(p)
	if len(c.state.dash) > 0 {
		pattern := make([]float64, len(c.state.dash))
		for i, d := range c.state.dash {
			pattern[i] = max(float64(d)*c.zoom(), 0)
		}
		lines = dashed(lines, pattern, float64(c.state.off)*c.zoom())
	}
	c.rasterize(lines, c.state.width*c.zoom())
}

// rasterize fills polylines, or strokes them if width is more than 0.
func (c *rasterCanvas) rasterize(lines [][]xy, width float64) {
	lo, hi := xy{math.Inf(1), math.Inf(1)}, xy{math.Inf(-1), math.Inf(-1)}
	for _, line := range lines {
		for _, p := range line {
			lo, hi = xy{min(lo.x, p.x), min(lo.y, p.y)}, xy{max(hi.x, p.x), max(hi.y, p.y)}
		}
	}
	// What lies outside the picture is not worth a row of the rasteriser; a not-a-number compares false and draws nothing.
	lo, hi = xy{max(lo.x-width, 0), max(lo.y-width, 0)}, xy{min(hi.x+width, float64(c.img.Rect.Dx())), min(hi.y+width, float64(c.img.Rect.Dy()))}
	if !(lo.x < hi.x && lo.y < hi.y) {
		return
	}
	x0, y0 := int(lo.x), int(lo.y)
	w, h := int(math.Ceil(hi.x))-x0, int(math.Ceil(hi.y))-y0
	c.rast.SetBounds(w, h)
	c.rast.Dx, c.rast.Dy = x0, y0
	c.rast.UseNonZeroWinding = true
	point := func(p xy) fix.Point26_6 {
		// The rasteriser walks every cell that a line crosses: far outside only the direction matters.
		limit := func(v, size float64) fix.Int26_6 {
			return fix.Int26_6(math.Round(min(max(v, -size-4096), 2*size+4096) * 64))
		}
		return fix.Point26_6{X: limit(p.x-float64(x0), float64(w)), Y: limit(p.y-float64(y0), float64(h))}
	}
	for _, line := range lines {
		c.path.Clear()
		first := point(line[0])
		c.path.Start(first)
		last := first
		for i, p := range line[1:] {
			q := point(p)
			if width > 0 && i < len(line)-2 {
				// The stroker makes spikes of steps shorter than an eighth of a pixel.
				if d := q.Sub(last); -8 < d.X && d.X < 8 && -8 < d.Y && d.Y < 8 {
					continue
				}
			}
			c.path.Add1(q)
			last = q
		}
		if width > 0 {
			c.rast.AddStroke(c.path, fix.Int26_6(math.Round(width*64)), raster.ButtCapper, raster.RoundJoiner)
			continue
		}
		if last != first {
			c.path.Add1(first)
		}
		c.rast.AddPath(c.path)
	}
	c.rast.Rasterize(c)
}

// dashed cuts polylines into the parts that a pattern of lengths draws.
func dashed(lines [][]xy, pattern []float64, offset float64) [][]xy {
	total := 0.0
	for _, d := range pattern {
		total += d
	}
	if total < 0.1 || math.IsNaN(total) || math.IsInf(total, 0) {
		return lines // so fine that it is no pattern
	}
	if len(pattern)%2 == 1 {
		pattern = append(pattern, pattern...)
		total *= 2
	}
	var out [][]xy
	for _, line := range lines {
		i, left := 0, math.Mod(offset, total)
		if left < 0 {
			left += total
		}
		for left >= pattern[i] {
			left -= pattern[i]
			i = (i + 1) % len(pattern)
		}
		left = pattern[i] - left
		part := []xy{line[0]}
		for k := 1; k < len(line); k++ {
			from, to := line[k-1], line[k]
			for {
				d := math.Hypot(to.x-from.x, to.y-from.y)
				if !(d > left) {
					left -= d
					part = append(part, to)
					break
				}
				t := left / d
				from = xy{from.x + (to.x-from.x)*t, from.y + (to.y-from.y)*t}
				if i%2 == 0 {
					out = append(out, append(part, from))
				}
				part = []xy{from}
				i = (i + 1) % len(pattern)
				left = pattern[i]
			}
		}
		if i%2 == 0 && len(part) > 1 {
			out = append(out, part)
		}
	}
	return out
}

// Shades are as many as there are steps between nothing and a full pixel. Sixteen look the same as 256, and leave most pictures with few enough colours for a palette, which
// makes them a third of the size and several times faster to encode.
const shades = 16

// Paint implements [raster.Painter] in the current colour.
func (c *rasterCanvas) Paint(spans []raster.Span, _ bool) {
	col := c.state.color
	px := [4]uint8{col.R, col.G, col.B, 255}
	for _, s := range spans {
		if s.Y < 0 || s.Y >= c.img.Rect.Dy() || s.X0 < 0 || s.X1 > c.img.Rect.Dx() || s.X0 >= s.X1 {
			continue
		}
		row := c.img.Pix[s.Y*c.img.Stride+4*s.X0 : s.Y*c.img.Stride+4*s.X1]
		alpha := (s.Alpha*shades + 0x7fff) / 0xffff * 255 / shades * uint32(col.A) / 255
		if alpha == 255 {
			n := copy(row, px[:])
			for n < len(row) {
				n += copy(row[n:], row[:n])
			}
			continue
		}
		for i := 0; i < len(row); i += 4 {
			blend(row[i:i+4:i+4], px, alpha)
		}
	}
}

// blend lays a colour over an opaque pixel.
func blend(pix []uint8, col [4]uint8, alpha uint32) {
	rest := 255 - alpha
	pix[0] = uint8((uint32(pix[0])*rest + uint32(col[0])*alpha + 127) / 255)
	pix[1] = uint8((uint32(pix[1])*rest + uint32(col[1])*alpha + 127) / 255)
	pix[2] = uint8((uint32(pix[2])*rest + uint32(col[2])*alpha + 127) / 255)
}

type faceKey struct {
	font *opentype.Font
	size fix.Int26_6
}

type glyphKey struct {
	faceKey
	ch  rune
	sub uint8 // quarter of a pixel that it begins at
}

// glyph is a letter's coverage, placed relative to its origin.
type glyph struct {
	image.Rectangle
	pix     []uint8 // 0 to shades
	advance fix.Int26_6
}

func (c *rasterCanvas) face(key faceKey) stdfont.Face {
	face, ok := c.faces[key]
	if !ok {
		var err error
		if face, err = opentype.NewFace(key.font, &opentype.FaceOptions{Size: float64(key.size) / 64, DPI: 72}); err != nil {
			panic(err) // only possible for options that are no numbers
		}
		c.faces[key] = face
	}
	return face
}

func (c *rasterCanvas) glyph(key glyphKey) glyph {
	g, ok := c.glyphs[key]
	if ok {
		return g
	}
	bounds, mask, at, advance, ok := c.face(key.faceKey).Glyph(fix.Point26_6{X: fix.Int26_6(key.sub) * 16}, key.ch)
	if !ok {
		// The face has drawn its box for unknown characters.
		if mask == nil {
			advance, _ = c.face(key.faceKey).GlyphAdvance(key.ch)
		}
	}
	g = glyph{Rectangle: bounds, advance: advance}
	if alpha, ok := mask.(*image.Alpha); ok {
		g.pix = make([]uint8, 0, bounds.Dx()*bounds.Dy())
		for y := range bounds.Dy() {
			for x := range bounds.Dx() {
				g.pix = append(g.pix, uint8((int(alpha.AlphaAt(at.X+x, at.Y+y).A)*shades+127)/255))
			}
		}
	}
	c.glyphs[key] = g
	return g
}

// minKernSize is from how many pixels on (26.6) the spaces of pairs of letters are adjusted.
const minKernSize = 18 << 6

// FillString writes text with its baseline at pt.
func (c *rasterCanvas) FillString(f font.Face, pt vg.Point, text string) {
	key := faceKey{f.Face, fix.Int26_6(math.Round(float64(f.Font.Size) * c.zoom() * 64))}
	if key.size <= 0 || c.state.color.A == 0 {
		return
	}
	if c.state.b != 0 || c.state.c != 0 || c.state.a <= 0 || c.state.d <= 0 {
		c.outlines(f, pt, text)
		return
	}
	x, y := c.device(pt)
	if math.Abs(x) > 1e6 || math.Abs(y) > 1e6 || math.IsNaN(x+y) {
		return
	}
	dot, line := fix.Int26_6(math.Round(x*64)), int(math.Round(y))
	col := c.state.color
	px := [4]uint8{col.R, col.G, col.B, 255}
	var levels [shades + 1]uint32
	for i := range levels {
		levels[i] = uint32(i) * 255 / shades * uint32(col.A) / 255
	}
	face, last := c.face(key), rune(-1)
	// Pairs are drawn together in large text only: in small one letters would touch, "11" for one.
	kern := key.size >= minKernSize
	for _, ch := range text {
		if kern && last >= 0 {
			dot += face.Kern(last, ch)
		}
		last = ch
		at := (dot + 8) &^ 15 // the nearest quarter
		g := c.glyph(glyphKey{key, ch, uint8(at & 63 / 16)})
		left, top := at.Floor()+g.Min.X, line+g.Min.Y
		for j := max(0, -top); j < g.Dy() && top+j < c.img.Rect.Dy(); j++ {
			row := c.img.Pix[(top+j)*c.img.Stride : (top+j+1)*c.img.Stride]
			for i := max(0, -left); i < g.Dx() && left+i < c.img.Rect.Dx(); i++ {
				if a := g.pix[j*g.Dx()+i]; a > 0 {
					blend(row[4*(left+i):4*(left+i)+4:4*(left+i)+4], px, levels[a])
				}
			}
		}
		dot += g.advance
	}
}

// outlines draws text that is turned: its letters are paths like any other.
func (c *rasterCanvas) outlines(f font.Face, pt vg.Point, text string) {
	size := fix.Int26_6(math.Round(float64(f.Font.Size) * 64))
	at := pt
	for _, ch := range text {
		index, err := f.Face.GlyphIndex(&c.buf, ch)
		if err != nil {
			continue
		}
		segments, err := f.Face.LoadGlyph(&c.buf, index, size, nil)
		if err != nil {
			continue // a picture in colours, say
		}
		point := func(p fix.Point26_6) vg.Point {
			return vg.Point{X: at.X + vg.Length(p.X)/64, Y: at.Y - vg.Length(p.Y)/64}
		}
		var path vg.Path
		for _, s := range segments {
			switch s.Op {
			case sfnt.SegmentOpMoveTo:
				path.Move(point(s.Args[0]))
			case sfnt.SegmentOpLineTo:
				path.Line(point(s.Args[0]))
			case sfnt.SegmentOpQuadTo:
				path.QuadTo(point(s.Args[0]), point(s.Args[1]))
			case sfnt.SegmentOpCubeTo:
				path.CubeTo(point(s.Args[0]), point(s.Args[1]), point(s.Args[2]))
			}
		}
		c.Fill(path)
		if advance, err := f.Face.GlyphAdvance(&c.buf, index, size, stdfont.HintingNone); err == nil {
			at.X += vg.Length(advance) / 64
		}
	}
}

// DrawImage is part of the interface; nothing here draws images.
func (c *rasterCanvas) DrawImage(vg.Rectangle, image.Image) {}

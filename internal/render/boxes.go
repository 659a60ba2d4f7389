package render

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// box is a rectangle in the coordinates of a chart, with a word in it where there is room.
type box struct {
	x0, x1, y0, y1 float64
	color          color.NRGBA
	label          string
}

// boxes is a plotter of rectangles: bars, buckets, states.
type boxes struct {
	list []box
	m    *metrics
	// inset is left free at every side, in pixels.
	inset vg.Length
	// above puts labels at the end of a bar if it has no room inside; across says that bars lie.
	above, across bool
	ink           color.NRGBA
	handler       text.Handler
}

// Plot implements [plot.Plotter].
func (b *boxes) Plot(c draw.Canvas, pl *plot.Plot) {
	tx, ty := pl.Transforms(&c)
	st := textStyle{size: 10.5}
	for _, one := range b.list {
		l, r := tx(min(one.x0, one.x1)), tx(max(one.x0, one.x1))
		bottom, top := ty(min(one.y0, one.y1)), ty(max(one.y0, one.y1))
		l, r, bottom, top = max(l, c.Min.X), min(r, c.Max.X), max(bottom, c.Min.Y), min(top, c.Max.Y)
		if r-l > 8*b.inset {
			l, r = l+b.inset, r-b.inset
		}
		if top-bottom > 8*b.inset {
			bottom, top = bottom+b.inset, top-b.inset
		}
		if !(r > l && top > bottom) {
			if !b.above || math.IsNaN(float64(l+r+top+bottom)) {
				continue
			}
		} else {
			var path vg.Path
			path.Move(vg.Point{X: l, Y: bottom})
			path.Line(vg.Point{X: l, Y: top})
			path.Line(vg.Point{X: r, Y: top})
			path.Line(vg.Point{X: r, Y: bottom})
			path.Close()
			c.SetColor(one.color)
			c.Fill(path)
		}
		if one.label == "" {
			continue
		}
		style := text.Style{Font: st.face(), Handler: b.handler, XAlign: draw.XCenter, YAlign: draw.YCenter, Color: b.ink}
		at := vg.Point{X: (l + r) / 2, Y: (bottom + top) / 2}
		room := float64(r - l - 6)
		switch {
		case b.above && b.across:
			style.XAlign, at.X = draw.XLeft, r+4
			room = float64(c.Max.X - at.X)
			if w := b.m.width(one.label, st); w > room && w < float64(r-l)-8 {
				// No room behind the longest bar: inside of it.
				style.XAlign, at.X, style.Color, room = draw.XRight, r-4, readableOn(one.color), w
			}
		case b.above:
			style.YAlign, at.Y = draw.YBottom, top+2
			room = float64(r-l) * 1.2
			if at.Y+10 > c.Max.Y {
				continue
			}
		case top-bottom < 12:
			continue
		default:
			style.Color = readableOn(one.color)
		}
		if b.m.width(one.label, st) > room {
			if b.above || room < 20 {
				continue
			}
			one.label = b.m.fit(one.label, room, st)
		}
		c.FillText(style, at, one.label)
	}
}

// everyNth is how many names are left out between two that are shown, so that those fit.
func everyNth(n int, each, room float64) int {
	if n == 0 || room <= 0 {
		return 1
	}
	return max(int(math.Ceil(float64(n)*each/room)), 1)
}

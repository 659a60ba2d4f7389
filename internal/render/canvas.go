package render

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
)

// canvasState is what the canvases for SVG and PNG have in common: pen and coordinates, and the stack of both.
type canvasState struct {
	state drawState
	stack []drawState
}

type drawState struct {
	color color.NRGBA
	width float64
	dash  []vg.Length
	off   vg.Length
	// A point of the canvas is (a·x + c·y + e, b·x + d·y + f).
	a, b, c, d, e, f float64
}

func newCanvasState() canvasState { return canvasState{state: drawState{a: 1, d: 1}} }

func (c *canvasState) SetLineWidth(w vg.Length) { c.state.width = float64(w) }

func (c *canvasState) SetLineDash(pattern []vg.Length, offset vg.Length) {
	c.state.dash, c.state.off = pattern, offset
}

func (c *canvasState) SetColor(col color.Color) {
	if col == nil {
		col = color.Black
	}
	c.state.color = color.NRGBAModel.Convert(col).(color.NRGBA)
}

func (c *canvasState) Rotate(rad float64) {
	sin, cos := math.Sincos(rad)
	s := &c.state
	s.a, s.b, s.c, s.d = s.a*cos+s.c*sin, s.b*cos+s.d*sin, s.c*cos-s.a*sin, s.d*cos-s.b*sin
}

func (c *canvasState) Translate(p vg.Point) {
	c.state.e, c.state.f = c.state.apply(p)
}

func (c *canvasState) Scale(x, y float64) {
	s := &c.state
	s.a, s.b, s.c, s.d = s.a*x, s.b*x, s.c*y, s.d*y
}

func (s *drawState) apply(p vg.Point) (x, y float64) {
	px, py := float64(p.X), float64(p.Y)
	return s.a*px + s.c*py + s.e, s.b*px + s.d*py + s.f
}

func (c *canvasState) Push() { c.stack = append(c.stack, c.state) }

func (c *canvasState) Pop() {
	c.state = c.stack[len(c.stack)-1]
	c.stack = c.stack[:len(c.stack)-1]
}

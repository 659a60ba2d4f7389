package render

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"testing"

	"gonum.org/v1/plot/vg"
)

// A picture with few colours loses nothing by a palette, one with more than fit keeps its areas and shifts no pixel far, and one of all colours gets no palette.
func TestPalette(t *testing.T) {
	picture := func(at func(x, y int) color.RGBA) *image.RGBA {
		img := image.NewRGBA(image.Rect(0, 0, 101, 67)) // odd, since pixels are looked at in pairs
		for y := range 67 {
			for x := range 101 {
				img.SetRGBA(x, y, at(x, y))
			}
		}
		return img
	}
	for name, tt := range map[string]struct {
		at    func(x, y int) color.RGBA
		shift int
		full  bool
	}{
		"few": {at: func(x, y int) color.RGBA { return color.RGBA{uint8(x / 10), uint8(y / 10), 7, 255} }},
		"many": {at: func(x, y int) color.RGBA {
			if y < 40 {
				return color.RGBA{17, 18, 23, 255}
			}
			return color.RGBA{uint8(x), uint8(y), 40, 255}
		}, shift: 16},
		"all": {at: func(x, y int) color.RGBA { return color.RGBA{uint8(x * 5), uint8(y * 3), uint8(x * y), 255} }, full: true},
	} {
		t.Run(name, func(t *testing.T) {
			img := picture(tt.at)
			data, err := encodePNG(img)
			if err != nil {
				t.Fatal(err)
			}
			got, err := png.Decode(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := got.(*image.Paletted); ok == tt.full {
				t.Errorf("it is a %T", got)
			}
			worst, area := 0, 0
			for y := range 67 {
				for x := range 101 {
					want := img.RGBAAt(x, y)
					r, g, b, _ := got.At(x, y).RGBA()
					d := max(diff8(want.R, r), diff8(want.G, g), diff8(want.B, b))
					worst = max(worst, d)
					if y < 40 {
						area = max(area, d)
					}
				}
			}
			if worst > tt.shift || area > 0 {
				t.Errorf("a pixel is off by %d, at most %d; one of an area by %d", worst, tt.shift, area)
			}
			if tt.shift > 0 && worst == 0 {
				t.Error("nothing was shifted, so this shows nothing")
			}
		})
	}
}

func diff8(want uint8, got uint32) int { return int(math.Abs(float64(want) - float64(got>>8))) }

// painted is the box around everything that is not black.
func painted(c *rasterCanvas) image.Rectangle {
	var box image.Rectangle
	for y := range c.img.Rect.Dy() {
		for x := range c.img.Rect.Dx() {
			if p := c.img.RGBAAt(x, y); p.R > 40 {
				box = box.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return box
}

func black(w, h float64) *rasterCanvas {
	c := newRasterCanvas(w, h, 1)
	c.background(rgb(0))
	c.SetColor(rgb(0xffffff))
	return c
}

func TestShapes(t *testing.T) {
	for name, tt := range map[string]struct {
		draw func(*pen)
		want image.Rectangle
	}{
		"a rectangle":            {func(p *pen) { p.fill(rect{10, 20, 30, 5}, 0, rgb(0xffffff)) }, image.Rect(10, 20, 40, 25)},
		"one larger than that":   {func(p *pen) { p.fill(rect{-1e9, 50, 2e9, 10}, 0, rgb(0xffffff)) }, image.Rect(0, 50, 100, 60)},
		"one that is outside":    {func(p *pen) { p.fill(rect{200, 20, 30, 5}, 0, rgb(0xffffff)) }, image.Rectangle{}},
		"no number":              {func(p *pen) { p.line(math.NaN(), 3, 5, math.Inf(1), 2, rgb(0xffffff)) }, image.Rectangle{}},
		"a line":                 {func(p *pen) { p.line(10, 30, 60, 30, 2, rgb(0xffffff)) }, image.Rect(10, 29, 60, 31)},
		"a circle":               {func(p *pen) { p.circle(50, 50, 10, rgb(0xffffff)) }, image.Rect(40, 40, 60, 60)},
		"a line out of all ways": {func(p *pen) { p.line(-1e12, 30, 1e12, 30, 2, rgb(0xffffff)) }, image.Rect(0, 29, 100, 31)},
	} {
		t.Run(name, func(t *testing.T) {
			c := black(100, 100)
			tt.draw(newPen(c, 100, newMetrics()))
			if got := painted(c); got != tt.want {
				t.Errorf("painted %v, want %v", got, tt.want)
			}
		})
	}
}

func TestDashes(t *testing.T) {
	c := black(100, 10)
	p := newPen(c, 10, newMetrics())
	p.SetLineDash([]vg.Length{6, 4}, 3)
	p.SetLineWidth(2)
	var path vg.Path
	path.Move(p.pt(10, 5))
	path.Line(p.pt(50, 5))
	p.Stroke(path)
	got := ""
	for x := 10; x < 50; x++ {
		if c.img.RGBAAt(x, 5).R > 128 {
			got += "#"
		} else {
			got += "."
		}
	}
	if want := "###....######....######....######....###"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Turned text stands on its end; text half outside is cut, not refused.
func TestTextOnPixels(t *testing.T) {
	m := newMetrics()
	face := m.fonts.Lookup(textStyle{size: 12}.face(), 12)
	c := black(100, 100)
	c.FillString(face, vg.Point{X: 50, Y: 50}, "turned")
	flat := painted(c)
	c = black(100, 100)
	c.Push()
	c.Translate(vg.Point{X: 50, Y: 50})
	c.Rotate(math.Pi / 2)
	c.FillString(face, vg.Point{}, "turned")
	c.Pop()
	up := painted(c)
	if math.Abs(float64(flat.Dx()-up.Dy())) > 2 || math.Abs(float64(flat.Dy()-up.Dx())) > 2 || flat.Dx() < 2*flat.Dy() || up.Max.Y > 51 {
		t.Errorf("flat %v, turned %v", flat, up)
	}
	c = black(100, 100)
	c.FillString(face, vg.Point{X: -10, Y: 97}, "outside")
	if got := painted(c); got.Min.X != 0 || got.Min.Y != 0 || got.Dx() < 10 {
		t.Errorf("text at a corner painted %v", got)
	}
}

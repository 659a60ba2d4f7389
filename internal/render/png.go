package render

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unicode"

	"github.com/klauspost/compress/zlib"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"

	"lookout/internal/dashboard"
)

// maxPixels keeps a dashboard of two thousand panels from taking all memory: four bytes a pixel.
const maxPixels = 64 << 20

// PNG draws a dashboard as one PNG. Its Latin text is in Liberation Sans, which is built in. Characters that it lacks, Chinese above all, are drawn with the first of
// Options.Fonts that has them, else with a font installed on the machine: no such font is shipped. What none has is left as an empty box and named in the
// report. Errors are those of [SVG], a font file that cannot be read, and a picture larger than 64 million pixels.
func PNG(ctx context.Context, d *dashboard.Dashboard, opts Options) ([]byte, error) {
	r, err := newRenderer(ctx, d, opts)
	if err != nil {
		return nil, err
	}
	scale := cmp.Or(opts.Scale, 1)
	if scale < 0.1 || scale > 4 || math.IsNaN(scale) {
		return nil, fmt.Errorf("scale %v: from 0.1 to 4 is possible", opts.Scale)
	}
	if px := r.width * r.layout.height * scale * scale; px > maxPixels {
		return nil, fmt.Errorf("a PNG of %.0f×%.0f pixels is too large; use SVG, or draw fewer panels", r.width*scale, r.layout.height*scale)
	}
	fb, err := newFallback(opts.Fonts)
	if err != nil {
		return nil, err
	}
	c := &imageCanvas{
		rasterCanvas: newRasterCanvas(r.width, r.layout.height, scale),
		fallback:     fb,
		report:       r.report,
	}
	r.draw(c, r.layout.height)
	out, err := encodePNG(c.img)
	c.release()
	if err != nil {
		return nil, fmt.Errorf("encode PNG: %w", err)
	}
	return out, ctx.Err()
}

// encodePNG makes a picture with a palette, which is a quarter of the bytes to compress, if few enough colours will do.
func encodePNG(img *image.RGBA) ([]byte, error) {
	if p := paletted(img); p != nil {
		return p.encode()
	}
	var buf bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	err := enc.Encode(&buf, img)
	return buf.Bytes(), err
}

// encode writes the four chunks of a PNG with a palette (PNG specification, 11.2 and 11.3). The standard library's encoder wants a whole second picture and can't be given
// another compressor, and this one takes half the time. Its fastest level costs 3 % in size, since large flat areas compress well at any.
func (p *palettePicture) encode() ([]byte, error) {
	var data bytes.Buffer
	z, err := zlib.NewWriterLevel(&data, zlib.BestSpeed)
	if err != nil {
		return nil, err
	}
	line := make([]uint8, 1+p.width) // begins with the filter: 0 is none, best where neighbours are equal or unlike
	for _, runs := range p.rows {
		rest := line[1:]
		for _, r := range runs {
			at, run := p.index[r.color], rest[:r.n]
			for i := range run {
				run[i] = at
			}
			rest = rest[r.n:]
		}
		if _, err := z.Write(line); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}

	out := bytes.NewBuffer(make([]byte, 0, data.Len()+1024))
	out.WriteString("\x89PNG\r\n\x1a\n")
	chunk := func(name string, body []byte) {
		sum := crc32.NewIEEE()
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(body)))
		out.Write(n[:])
		both := io.MultiWriter(out, sum) // neither a buffer nor a sum ever fails
		_, _ = both.Write([]byte(name))
		_, _ = both.Write(body)
		binary.BigEndian.PutUint32(n[:], sum.Sum32())
		out.Write(n[:])
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(p.width))
	head = binary.BigEndian.AppendUint32(head, uint32(len(p.rows)))
	chunk("IHDR", append(head, 8 /* bits */, 3 /* palette */, 0, 0, 0))
	var colors []byte
	for _, px := range p.palette {
		colors = append(colors, uint8(px), uint8(px>>8), uint8(px>>16))
	}
	chunk("PLTE", colors)
	chunk("IDAT", data.Bytes())
	chunk("IEND", nil)
	return out.Bytes(), nil
}

const maxColors = 256 // of a PNG's palette

// palettePicture is a picture as rows of runs; a row without any is like the one above it.
type palettePicture struct {
	width   int
	rows    [][]run
	palette []uint32 // red in the lowest byte, then green and blue
	index   []uint8  // of a run's colour, in the palette
}

// paletted is the picture with a palette: the same if it has at most 256 colours. With more, which only many curves make, shades on edges of letters and lines are shifted to a
// near one, by a sixteenth at most. It is nil if that is not enough, or if the picture is not opaque.
func paletted(img *image.RGBA) *palettePicture {
	rows, colors := rowsOf(img)
	if slices.ContainsFunc(colors, func(c counted) bool { return c.px>>24 != 255 }) {
		return nil
	}
	for _, shift := range []int{0, 4, 8, 16} {
		if palette, index, ok := nearPalette(colors, shift); ok {
			return &palettePicture{width: img.Rect.Dx(), rows: rows, palette: palette, index: index}
		}
	}
	return nil
}

// nearPalette chooses colours, the frequent ones first, so that no other is further from one of them than shift in red, green or blue. index is the place of each.
func nearPalette(colors []counted, shift int) (palette []uint32, index []uint8, ok bool) {
	const areas = 64 // what is painted rather than the edge of something keeps its colour
	if shift == 0 && len(colors) > maxColors {
		return nil, nil, false
	}
	order := make([]int, len(colors))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(colors[b].n, colors[a].n), cmp.Compare(a, b)) })
	index = make([]uint8, len(colors))
next:
	for i, id := range order {
		px := colors[id].px
		if shift > 0 && i >= areas {
			for k, other := range palette {
				if apart(px, other) <= shift {
					index[id] = uint8(k)
					continue next
				}
			}
		}
		if len(palette) == maxColors {
			return nil, nil, false
		}
		index[id] = uint8(len(palette))
		palette = append(palette, px)
	}
	return palette, index, true
}

// run is n pixels of one colour.
type run struct{ color, n int32 }

// counted is a colour and how many pixels have it.
type counted struct {
	px uint32
	n  int
}

// rowsOf is the picture as rows of runs, since most pixels are like the one before, and its colours in the order they come. A row like the one above it is nil, which
// every other one is.
func rowsOf(img *image.RGBA) (rows [][]run, colors []counted) {
	w, h := 4*img.Rect.Dx(), img.Rect.Dy()
	rows = make([][]run, h)
	all := make([]run, 0, h*32)
	ids := map[uint32]int32{}
	// Few colours are met again and again: a look at where the colour was last is cheaper than one into the map.
	var recent [1024]struct {
		px uint32
		id int32
	}
	for y := 0; y < h; {
		src := img.Pix[y*img.Stride : y*img.Stride+w]
		same := 1
		for y+same < h && bytes.Equal(src, img.Pix[(y+same)*img.Stride:(y+same)*img.Stride+w]) {
			same++
		}
		start := len(all)
		for i := 0; i < len(src); {
			px := binary.LittleEndian.Uint32(src[i:])
			end, two := i+4, uint64(px)<<32|uint64(px)
			for end+8 <= len(src) && binary.LittleEndian.Uint64(src[end:]) == two {
				end += 8
			}
			if end+4 <= len(src) && binary.LittleEndian.Uint32(src[end:]) == px {
				end += 4
			}
			at := &recent[px*2654435761>>22] // Knuth's multiplicative hash
			if at.px != px || px == 0 {
				id, ok := ids[px]
				if !ok {
					id = int32(len(colors))
					ids[px] = id
					colors = append(colors, counted{px: px})
				}
				at.px, at.id = px, id
			}
			colors[at.id].n += same * (end - i) / 4
			all = append(all, run{at.id, int32((end - i) / 4)})
			i = end
		}
		// Of its own capacity, so that a later row can't write into it.
		rows[y] = all[start:len(all):len(all)]
		y += same
	}
	return rows, colors
}

// apart is the largest difference of two colours in red, green or blue.
func apart(a, b uint32) int {
	d := 0
	for s := 0; s < 24; s += 8 {
		x, y := int(a>>s&255), int(b>>s&255)
		d = max(d, x-y, y-x)
	}
	return d
}

// imageCanvas is a canvas of pixels with fonts for characters that the built-in one lacks.
type imageCanvas struct {
	*rasterCanvas
	fallback *fallback
	report   *Report
}

// FillString draws runs of characters that one font has.
func (c *imageCanvas) FillString(f font.Face, pt vg.Point, text string) {
	start := 0
	var current *opentype.Font
	flush := func(end int) {
		if end <= start {
			return
		}
		face := f
		if current != nil {
			face.Face = current
		}
		run := text[start:end]
		c.rasterCanvas.FillString(face, pt, run)
		pt.X += face.Width(run)
		start = end
	}
	for i, ch := range text {
		var want *opentype.Font
		switch idx, err := f.Face.GlyphIndex(&c.buf, ch); {
		case err == nil && idx != 0 || unicode.IsSpace(ch) || unicode.Is(unicode.Cf, ch) || unicode.Is(unicode.Mn, ch):
			want = nil
		default:
			want = c.fallback.find(ch)
			if want == nil && !slices.Contains(c.report.Missing, ch) {
				c.report.Missing = append(c.report.Missing, ch)
			}
		}
		if want != current {
			flush(i)
			current = want
		}
	}
	flush(len(text))
}

// fallback finds fonts for characters, reading font files only when a character needs one.
type fallback struct {
	fonts []*opentype.Font
	// files are those not read yet, in the order of preference. search lists them when a character first needs one; it is nil afterwards.
	files  []string
	search func() []string
	found  map[rune]*opentype.Font
	buf    sfnt.Buffer
}

func newFallback(files []string) (*fallback, error) {
	f := &fallback{found: map[rune]*opentype.Font{}, search: systemFonts}
	for _, file := range files {
		list, err := readFonts(file)
		if err != nil {
			return nil, fmt.Errorf("font %s: %w", file, err)
		}
		f.fonts = append(f.fonts, list...)
	}
	return f, nil
}

func (f *fallback) find(ch rune) *opentype.Font {
	if font, ok := f.found[ch]; ok {
		return font
	}
	has := func(list []*opentype.Font) *opentype.Font {
		for _, font := range list {
			if idx, err := font.GlyphIndex(&f.buf, ch); err == nil && idx != 0 {
				return font
			}
		}
		return nil
	}
	got := has(f.fonts)
	if got == nil && f.search != nil {
		f.files, f.search = f.search(), nil
	}
	for got == nil && len(f.files) > 0 {
		file := f.files[0]
		f.files = f.files[1:]
		list, err := readFonts(file)
		if err != nil {
			continue // not what its name promises; the next one may be
		}
		f.fonts = append(f.fonts, list...)
		got = has(list)
	}
	f.found[ch] = got
	return got
}

func readFonts(file string) ([]*opentype.Font, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	c, err := opentype.ParseCollection(data)
	if err != nil {
		return nil, err
	}
	var out []*opentype.Font
	var buf sfnt.Buffer
	for i := range c.NumFonts() {
		one, err := c.Font(i)
		if err != nil {
			return nil, err
		}
		if name, _ := one.Name(&buf, sfnt.NameIDFamily); c.NumFonts() > 1 && strings.Contains(name, " SC") {
			// Of a collection for all of East Asia, the simplified Chinese shapes come first.
			out = append([]*opentype.Font{one}, out...)
			continue
		}
		out = append(out, one)
	}
	return out, nil
}

// systemFonts lists installed fonts with Chinese, the better ones first. Only names are looked at; the files are opened when they are needed.
func systemFonts() []string {
	wanted := []string{
		"notosanscjk-regular", "notosanscjksc-regular", "notosanssc-regular", "notosanssc", "sourcehansanssc-regular", "sourcehansanscn-regular", "sourcehansans-regular",
		"wqy-microhei", "wqy-zenhei", "droidsansfallbackfull", "droidsansfallback", "pingfang", "hiragino sans gb", "stheiti light", "stheiti medium", "msyh", "simhei", "simsun", "arialunicode", "arial unicode", "dejavusans",
	}
	var dirs []string
	home, _ := os.UserHomeDir()
	switch runtime.GOOS {
	case "darwin":
		dirs = []string{"/System/Library/Fonts", "/Library/Fonts", filepath.Join(home, "Library/Fonts")}
	case "windows":
		dirs = []string{filepath.Join(cmp.Or(os.Getenv("WINDIR"), `C:\Windows`), "Fonts")}
	default:
		dirs = []string{filepath.Join(home, ".local/share/fonts"), filepath.Join(home, ".fonts"), "/usr/local/share/fonts", "/usr/share/fonts"}
	}
	type found struct {
		rank int
		file string
	}
	var list []found
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return nil // a directory that cannot be read has no fonts for us
			}
			name := strings.ToLower(e.Name())
			ext := filepath.Ext(name)
			if ext != ".ttf" && ext != ".otf" && ext != ".ttc" && ext != ".otc" {
				return nil
			}
			if rank := slices.Index(wanted, strings.TrimSuffix(name, ext)); rank >= 0 {
				list = append(list, found{rank, path})
			}
			return nil
		})
	}
	slices.SortStableFunc(list, func(a, b found) int { return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.file, b.file)) })
	out := make([]string, len(list))
	for i, l := range list {
		out[i] = l.file
	}
	return out
}

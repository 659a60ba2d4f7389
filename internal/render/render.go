package render

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"gonum.org/v1/plot/vg"

	"lookout/internal/dashboard"
)

// renderer holds one dashboard with its answers, ready to be drawn on any canvas.
type renderer struct {
	d      *dashboard.Dashboard
	opts   Options
	pal    palette
	width  float64
	layout layout
	m      *metrics
	loc    *time.Location
	start  time.Time
	end    time.Time
}

func newRenderer(ctx context.Context, d *dashboard.Dashboard, opts Options) (*renderer, error) {
	r := &renderer{d: d, opts: opts, width: float64(cmp.Or(opts.Width, 1400)), loc: opts.Location}
	if r.width < 400 || r.width > 4000 {
		return nil, fmt.Errorf("width %d: from 400 to 4000 pixels are possible", opts.Width)
	}
	if r.loc == nil {
		r.loc = time.UTC
	}
	var err error
	if r.pal, err = newPalette(opts.Theme); err != nil {
		return nil, err
	}
	if opts.Prometheus != nil && opts.End.IsZero() && opts.Now.IsZero() {
		return nil, errors.New("drawing with data needs a time range or Now")
	}
	r.m = newMetrics()
	r.layout = layOut(d, r.width, r.open, func(it gridItem) []gridItem { return []gridItem{it} })
	if opts.Report != nil {
		*opts.Report = Report{}
	}
	return r, ctx.Err()
}

// open tells whether a collapsed row is drawn open.
func (r *renderer) open(row *dashboard.Panel) bool {
	if r.opts.Expand {
		return true
	}
	for p := range r.opts.Marks {
		for at := p.Row; at != nil; at = at.Row {
			if at == row {
				return true
			}
		}
	}
	return false
}

func (r *renderer) draw(c vg.Canvas, height float64) {
	p := newPen(c, height, r.m)
	p.fill(rect{0, 0, r.width, height}, 0, r.pal.page)
	r.head(p)
	for _, s := range r.layout.sections {
		r.section(p, s)
	}
}

func (r *renderer) head(p *pen) {
	st := textStyle{size: 20, bold: true, color: r.pal.text}
	p.text(margin+2, margin+24, p.fit(r.d.Name(), r.width*0.6, st), st)
}

func (r *renderer) section(p *pen, s *section) {
	if s.row != nil {
		r.row(p, s)
	}
	for _, pl := range s.panels {
		r.panel(p, pl)
	}
}

func (r *renderer) row(p *pen, s *section) {
	x, y := s.place.x+6, s.place.y+s.place.h/2
	if s.collapsed {
		p.polygon(r.pal.dim, x, y-4, x+6, y, x, y+4)
	} else {
		p.polygon(r.pal.dim, x-1, y-3, x+7, y-3, x+3, y+3)
	}
	st := textStyle{size: 15, bold: true, color: r.pal.text}
	title := p.fit(cmp.Or(s.title, "Row"), s.place.w*0.7, st)
	p.text(x+16, y+5, title, st)
	if s.hidden > 0 || s.collapsed {
		dim := textStyle{size: 12, color: r.pal.dim}
		p.text(x+26+p.width(title, st), y+5, plural(s.hidden, "panel"), dim)
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

const radius = 6

func (r *renderer) panel(p *pen, pl placed) {
	p.fill(pl.place, radius, r.pal.panel)
	mark := r.opts.Marks[pl.panel]
	p.outline(pl.place, radius, 1, r.pal.border)
	st := textStyle{size: 13, bold: true, color: r.pal.text}
	room := pl.place.w - 24
	if mark.Kind != MarkNone {
		c := r.pal.mark(mark.Kind)
		p.outline(pl.place, radius, 2, c)
		label := textStyle{size: 11, bold: true, color: readableOn(c)}
		word := p.fit(cmp.Or(mark.Note, mark.Kind.String()), room*0.6, label)
		w := p.width(word, label) + 14
		badge := rect{pl.place.right() - w - 8, pl.place.y + 7, w, 18}
		p.fill(badge, 9, c)
		p.text(badge.x+7, badge.y+13, word, label)
		room -= w + 8
	}
	p.text(pl.place.x+12, pl.place.y+21, p.fit(pl.panel.Title, room, st), st)
}

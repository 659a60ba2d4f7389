package render

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	gmhtml "github.com/yuin/goldmark/renderer/html"

	"lookout/internal/dashboard"
)

//go:embed page.html.tmpl
var pageTemplate string

var page = template.Must(template.New("page").Parse(pageTemplate))

type pageData struct {
	Title, Range, Theme string
	Page, Panel, Border template.CSS
	Text, Dim, Accent   template.CSS
	Width               int
	Variables           []pageVariable
	Sections            []pageSection
	Summary             string
	Problems            []string
}

type pageVariable struct{ Name, Value string }

type pageSection struct {
	Title  string
	IsRow  bool
	Open   bool
	Count  string
	SVG    template.HTML
	Panels []pagePanel
}

type pagePanel struct {
	Title, Type, Unit string
	Mark              string
	Description       template.HTML
	Queries           []pageQuery
}

type pageQuery struct{ RefID, Expr, Legend, Skip string }

// HTML draws a dashboard as one page that needs nothing else: rows fold as they do in Grafana, collapsed ones start folded, and every panel's description and queries
// can be read below its row. There is no script in it, and what a dashboard brings along as HTML is cleaned. Errors are those of [SVG].
func HTML(ctx context.Context, d *dashboard.Dashboard, opts Options) ([]byte, error) {
	opts.Expand = true // the page folds by itself
	r, err := newRenderer(ctx, d, opts)
	if err != nil {
		return nil, err
	}
	css := func(c interface{ RGBA() (r, g, b, a uint32) }) template.CSS {
		cr, cg, cb, _ := c.RGBA()
		//lint:ignore G203 a colour
		return template.CSS(fmt.Sprintf("#%02x%02x%02x", cr>>8, cg>>8, cb>>8))
	}
	data := pageData{
		Title: d.Name(), Theme: "light", Width: int(r.width),
		Page: css(r.pal.page), Panel: css(r.pal.panel), Border: css(r.pal.border), Text: css(r.pal.text), Dim: css(r.pal.dim), Accent: css(r.pal.moved),
		Summary: plural(r.report.Panels, "panel"),
	}
	if r.pal.dark {
		data.Theme = "dark"
	}
	if opts.Prometheus != nil {
		data.Range = r.rangeText()
	}
	for _, v := range d.Variables {
		if v.Hide != 2 && v.Name != "" && v.Type != "adhoc" {
			data.Variables = append(data.Variables, pageVariable{cmp.Or(v.Label, v.Name), cmp.Or(r.scope.vars[v.Name].text(), "—")})
		}
	}
	policy := bluemonday.UGCPolicy()
	for _, s := range r.layout.sections {
		one := pageSection{IsRow: s.row != nil, Open: true}
		if s.row != nil {
			one.Title = cmp.Or(r.scope.with(s.scope).text(s.title), "Row")
			one.Open = !s.row.Collapsed || r.marked(s)
			one.Count = strings.TrimSuffix(plural(len(s.panels), "panel")+", "+s.note, ", ")
		}
		if len(s.panels) > 0 {
			//lint:ignore G203 pictures of this package, which escapes all text
			one.SVG = template.HTML(r.sectionSVG(s))
		}
		for _, v := range r.views[s] {
			one.Panels = append(one.Panels, r.pagePanel(v, policy))
		}
		data.Sections = append(data.Sections, one)
	}
	for _, p := range r.report.Problems {
		data.Problems = append(data.Problems, p.Error())
	}
	var buf bytes.Buffer
	if err := page.Execute(&buf, data); err != nil {
		return nil, fmt.Errorf("write page: %w", err)
	}
	return buf.Bytes(), ctx.Err()
}

// marked tells whether a section has a panel that a review should see.
func (r *renderer) marked(s *section) bool {
	for _, pl := range s.panels {
		if r.opts.Marks[pl.panel].Kind != MarkNone {
			return true
		}
	}
	return r.opts.Marks[s.row].Kind != MarkNone
}

// sectionSVG is the panels of one section as an SVG of their own.
func (r *renderer) sectionSVG(s *section) []byte {
	top := s.top
	if s.row != nil {
		top = s.place.bottom() + gap
	}
	h := s.bottom - top
	c := newSVGCanvas(r.width, h)
	p := newPen(c, h, r.m)
	for _, v := range r.views[s] {
		v.place.y -= top
		p.group("", func() { r.drawPanel(p, v) })
	}
	return c.bytes(cmp.Or(s.title, r.d.Name()))
}

func (r *renderer) pagePanel(v *view, policy *bluemonday.Policy) pagePanel {
	out := pagePanel{Title: v.title(), Type: v.panel.Type, Unit: v.panel.Unit}
	if m := r.opts.Marks[v.panel]; m.Kind != MarkNone {
		out.Mark = cmp.Or(m.Note, m.Kind.String())
	}
	if text := v.scope.text(v.panel.Description); strings.TrimSpace(text) != "" {
		var b bytes.Buffer
		// What HTML a description holds is let through here, since the policy then takes out all that could run or load anything.
		if goldmark.New(goldmark.WithRendererOptions(gmhtml.WithUnsafe())).Convert([]byte(text), &b) == nil {
			//lint:ignore G203 the sanitiser made it
			out.Description = template.HTML(policy.SanitizeBytes(b.Bytes()))
		}
	}
	for _, q := range v.queries {
		out.Queries = append(out.Queries, pageQuery{q.target.RefID, strings.TrimSpace(cmp.Or(q.target.Expr, q.expr)), q.target.Legend, q.skip})
	}
	return out
}

// Panel draws one panel as an SVG of its own, as large as it is on the dashboard; Options.Width is the dashboard's. It errs like [SVG], and if the
// panel is not one of the dashboard's or is a row.
func Panel(ctx context.Context, d *dashboard.Dashboard, panel *dashboard.Panel, opts Options) ([]byte, error) {
	opts.Expand = true
	opts.only = panel
	r, err := newRenderer(ctx, d, opts)
	if err != nil {
		return nil, err
	}
	for _, s := range r.layout.sections {
		for _, v := range r.views[s] {
			if v.panel != panel {
				continue
			}
			const edge = 4 // for the frame of a mark
			w, h := v.place.w+2*edge, v.place.h+2*edge
			v.place.x, v.place.y = edge, edge
			c := newSVGCanvas(w, h)
			p := newPen(c, h, r.m)
			p.fill(rect{0, 0, w, h}, 0, r.pal.page)
			r.drawPanel(p, v)
			return c.bytes(panel.Name()), nil
		}
	}
	return nil, fmt.Errorf("panel %q is a row or not part of dashboard %q", panel.Name(), d.Name())
}

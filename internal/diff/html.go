package diff

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"io"
	"slices"

	"lookout/internal/dashboard"
	"lookout/internal/render"
)

// Pair is the two versions of a file; one may be nil.
type Pair struct {
	File          string
	Before, After *dashboard.Dashboard
	// Rules tells that it is a file of alert rules, which has no picture.
	Rules bool
}

// Pictures draws the two versions of a dashboard and marks what the events are about. A version that does not exist has no picture.
func Pictures(ctx context.Context, p Pair, events []Event, opts render.Options) (before, after []byte, err error) {
	old, new := map[*dashboard.Panel]render.Mark{}, map[*dashboard.Panel]render.Mark{}
	for _, e := range events {
		kind := render.MarkChanged
		switch e.Kind {
		case PanelAdded, RowAdded, DashboardAdded:
			kind = render.MarkAdded
		case PanelRemoved, RowRemoved, DashboardRemoved:
			kind = render.MarkRemoved
		case PanelMoved, PanelResized, PanelsShifted:
			kind = render.MarkMoved
		}
		mark := func(marks map[*dashboard.Panel]render.Mark, panels []*dashboard.Panel) {
			for _, panel := range panels {
				// To be told "changed" says more than "moved".
				if was, ok := marks[panel]; !ok || was.Kind == render.MarkMoved {
					marks[panel] = render.Mark{Kind: kind}
				}
			}
		}
		if e.Kind != DashboardAdded && e.Kind != DashboardRemoved {
			mark(old, e.Old)
			mark(new, e.New)
		}
	}
	draw := func(d *dashboard.Dashboard, marks map[*dashboard.Panel]render.Mark) ([]byte, error) {
		if d == nil {
			return nil, nil
		}
		opts.Marks = marks
		svg, err := render.SVG(ctx, d, opts)
		if err != nil {
			return nil, fmt.Errorf("draw %s: %w", p.File, err)
		}
		return svg, nil
	}
	if before, err = draw(p.Before, old); err == nil {
		after, err = draw(p.After, new)
	}
	return before, after, err
}

type page struct {
	Summary string
	Files   []pageFile
	Ignored []Ignored
}

type pageFile struct {
	Name, File    string
	Events        []Event
	Before, After template.HTML
	Pictures      bool
}

// HTML writes one page without scripts or anything to load: the events of each file, and its pictures side by side.
func (r *Report) HTML(ctx context.Context, w io.Writer, pairs []Pair, opts render.Options) error {
	out := page{Summary: r.Summary(), Ignored: r.Ignored}
	for _, file := range r.files() {
		f := pageFile{File: file, Events: r.of(file)}
		f.Name = f.Events[0].Dashboard
		if at := slices.IndexFunc(pairs, func(p Pair) bool { return p.File == file }); at >= 0 && !pairs[at].Rules {
			before, after, err := Pictures(ctx, pairs[at], f.Events, opts)
			if err != nil {
				return err
			}
			// render escapes all text that comes from dashboards, and makes no scripts.
			//lint:ignore G203 see above
			f.Before, f.After, f.Pictures = template.HTML(before), template.HTML(after), true
		}
		out.Files = append(out.Files, f)
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, out); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Sign and Place are what the page shows of an event and of an ignored place.
func (e Event) Sign() string { return sign(e.Kind) }

// Place is the file and the pointer of an ignored change.
func (i Ignored) Place() string { return i.File + "#" + i.place() }

var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{.Summary}}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1800px; padding: 0 1rem; color: #1f2328; background: #fff }
h2 { margin: 2rem 0 .2rem } .file { color: #59636e; font-family: monospace }
ul { list-style: none; padding: 0 } li { padding: .15rem 0 .15rem 1.6rem; position: relative; overflow-wrap: anywhere }
li b { position: absolute; left: .3rem; font-family: monospace } .kind { color: #59636e; font-size: 12px; margin-left: .5rem }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem } .pair figure { margin: 0; min-width: 0 } .pair svg { width: 100%; height: auto }
figcaption { color: #59636e; font-size: 13px } .none { border: 1px dashed #d1d9e0; padding: 3rem; text-align: center; color: #59636e }
details { margin-top: 2rem } @media (max-width: 900px) { .pair { grid-template-columns: 1fr } }
@media (prefers-color-scheme: dark) { body { color: #f0f6fc; background: #0d1117 } .file, .kind, figcaption, .none { color: #9198a1 } }
</style>
</head>
<body>
<h1>{{.Summary}}</h1>
{{- range .Files}}
<section>
<h2>{{.Name}}</h2>
<div class="file">{{.File}}</div>
<ul>
{{- range .Events}}
<li><b>{{.Sign}}</b>{{.Text}}<span class="kind">{{.Kind}}</span></li>
{{- end}}
</ul>
{{- if .Pictures}}
<div class="pair">
<figure><figcaption>before</figcaption>{{if .Before}}{{.Before}}{{else}}<div class="none">did not exist</div>{{end}}</figure>
<figure><figcaption>after</figcaption>{{if .After}}{{.After}}{{else}}<div class="none">does not exist any more</div>{{end}}</figure>
</div>
{{- end}}
</section>
{{- end}}
{{- if .Ignored}}
<details><summary>{{len .Ignored}} places without meaning</summary>
<ul>
{{- range .Ignored}}
<li><span class="file">{{.Place}}</span> {{.Reason}}</li>
{{- end}}
</ul>
</details>
{{- end}}
</body>
</html>
`))

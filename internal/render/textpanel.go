package render

import (
	"bytes"
	"cmp"
	"html"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	gtext "github.com/yuin/goldmark/text"
)

// block is a paragraph of a text panel.
type block struct {
	text   string
	level  int // of a heading
	bullet bool
	code   bool
}

var tag = regexp.MustCompile(`(?s)<!--.*?-->|<(script|style)\b.*?</(script|style)>|<[^>]*>`)

// textPanel writes Markdown and HTML as plain paragraphs: pictures cannot hold either, and what a dashboard brings along must not run.
func (r *renderer) textPanel(p *pen, body rect, v *view) {
	if r.live != nil {
		r.live.pic.HTML = r.textHTML(v)
		return
	}
	n := v.panel.Node
	content := v.scope.text(cmp.Or(n.Path("options", "content").Text(), n.Get("content").Text()))
	var blocks []block
	if mode := cmp.Or(n.Path("options", "mode").Text(), n.Get("mode").Text()); mode == "html" {
		blocks = plainBlocks(content)
	} else {
		blocks = markdownBlocks([]byte(content))
	}
	y := body.y + 4
	for _, b := range blocks {
		st, indent := textStyle{size: 12.5, color: r.pal.text}, 0.0
		switch {
		case b.level > 0:
			st.bold, st.size = true, max(20-2*float64(b.level), 13)
		case b.code:
			st.mono, st.size = true, 11.5
		case b.bullet:
			indent = 14
		}
		line := st.size * 1.45
		for i, text := range p.wrap(b.text, body.w-indent, 50, st) {
			if y+line > body.bottom()+2 {
				return
			}
			if b.bullet && i == 0 {
				p.circle(body.x+5, y+st.size*0.65, 1.8, r.pal.dim)
			}
			p.text(body.x+indent, y+st.size, text, st)
			y += line
		}
		y += 4
	}
}

func markdownBlocks(src []byte) []block {
	var out []block
	doc := goldmark.New().Parser().Parse(gtext.NewReader(src))
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			out = append(out, block{text: inline(n, src), level: n.Level})
			return ast.WalkSkipChildren, nil
		case *ast.Paragraph, *ast.TextBlock:
			_, item := n.Parent().(*ast.ListItem)
			out = append(out, block{text: inline(n, src), bullet: item})
			return ast.WalkSkipChildren, nil
		case *ast.CodeBlock, *ast.FencedCodeBlock:
			for i := range n.Lines().Len() {
				seg := n.Lines().At(i)
				out = append(out, block{text: string(seg.Value(src)), code: true})
			}
			return ast.WalkSkipChildren, nil
		case *ast.HTMLBlock:
			var b bytes.Buffer
			for i := range n.Lines().Len() {
				seg := n.Lines().At(i)
				b.Write(seg.Value(src))
			}
			out = append(out, plainBlocks(b.String())...)
			return ast.WalkSkipChildren, nil
		}
		return ast.WalkContinue, nil
	})
	return out
}

// inline is the text of a block without its marks.
func inline(n ast.Node, src []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(c ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch c := c.(type) {
		case *ast.Text:
			b.Write(c.Segment.Value(src))
			if c.SoftLineBreak() || c.HardLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.String:
			b.Write(c.Value)
		case *ast.AutoLink:
			b.Write(c.URL(src))
		}
		return ast.WalkContinue, nil
	})
	return html.UnescapeString(b.String())
}

func plainBlocks(s string) []block {
	s = strings.NewReplacer("<br>", "\n", "<br/>", "\n", "</p>", "\n", "</h1>", "\n", "</h2>", "\n", "</li>", "\n", "</div>", "\n").Replace(s)
	var out []block
	for line := range strings.SplitSeq(tag.ReplaceAllString(s, ""), "\n") {
		if line = strings.TrimSpace(html.UnescapeString(line)); line != "" {
			out = append(out, block{text: line})
		}
	}
	return out
}

package robot

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	nethtml "golang.org/x/net/html"
)

func TestMarkdownIsRendered(t *testing.T) {
	r := newRenderer()
	for source, want := range map[string]string{
		"**bold**":                         "<p><strong>bold</strong></p>",
		"# 报警":                             "<h1>报警</h1>",
		"> quote":                          "<blockquote>\n<p>quote</p>\n</blockquote>",
		"[面板](http://g/d)":                 `<p><a href="http://g/d" target="_blank" rel="noopener noreferrer nofollow">面板</a></p>`,
		`<font color="#ff0000">red</font>`: `<p><font color="#ff0000">red</font></p>`,
		"<font color=red>red</font>":       `<p><font color="red">red</font></p>`,
		"![曲线](http://g/a.png)":            `<p><a href="http://g/a.png" target="_blank" rel="noopener noreferrer nofollow" class="picture">曲线</a></p>`,
		"see http://g/d.":                  `<p>see <a href="http://g/d" target="_blank" rel="noopener noreferrer nofollow">http://g/d</a>.</p>`,
		"看http://g/d，好":                    `<p>看<a href="http://g/d" target="_blank" rel="noopener noreferrer nofollow">http://g/d</a>，好</p>`,
		"`http://g/d`":                     `<p><code>http://g/d</code></p>`,
		"[x](dingtalk://dingtalkclient/page/link?url=http%3A%2F%2Fg%2Fd&pc_slide=false)": `<p><a href="http://g/d" target="_blank" rel="noopener noreferrer nofollow">x</a></p>`,
		"[x](dingtalk://dingtalkclient/action/joingroup)":                                `<p><a>x</a></p>`,
		"|a|b|\n|-|-|\n|1|2|": "<p>|a|b|\n|-|-|\n|1|2|</p>", // DingTalk knows no tables
		"a\nb":                "<p>a\nb</p>",                // nor does it break lines at single newlines
	} {
		assert.Equal(t, want, strings.TrimSpace(string(r.md(source, At{}))), source)
	}
}

func TestMentionsAreHighlighted(t *testing.T) {
	r := newRenderer()
	at := At{Mobiles: []string{"138", "13800138000"}, UserIDs: []string{"a.b"}}
	assert.Equal(t, `<p>hi <span class="mention">@13800138000</span>, <span class="mention">@a.b</span> and @axb</p>`,
		strings.TrimSpace(string(r.md("hi @13800138000, @a.b and @axb", at))))
	assert.Equal(t, `hi @13900139000`, string(r.text("hi @13900139000", at)), "who isn't named in at isn't told")
	assert.Equal(t, `x <span class="mention">@all</span>`, string(r.text("x @all", At{All: true})))
	assert.Equal(t, "x\n"+`<span class="mention">@所有人</span>`, string(r.text("x", At{All: true})))
	assert.Equal(t, `&lt;b&gt; <span class="mention">@138</span>`, string(r.text("<b> @138", at)))
}

func TestTextIsNotMarkup(t *testing.T) {
	assert.Equal(t, "&lt;script&gt;alert(1)&lt;/script&gt; **x**", string(newRenderer().text("<script>alert(1)</script> **x**", At{})))
}

func TestSafeURL(t *testing.T) {
	for given, want := range map[string]string{
		"http://g/d?a=b#c": "http://g/d?a=b#c", " https://g ": "https://g", "HTTP://g": "http://g",
		"javascript:alert(1)": "", "data:text/html,x": "", "//g/d": "", "/d": "", "http:": "", "": "", "http://[::1": "",
		"dingtalk://dingtalkclient/page/link?url=https%3A%2F%2Fg": "https://g",
		"dingtalk://x?url=javascript%3Aalert(1)":                  "",
		"dingtalk://x?url=dingtalk%3A%2F%2Fx":                     "",
	} {
		assert.Equal(t, want, safeURL(given), given)
	}
}

var hostile = []string{
	"<script>alert(1)</script>", `<img src=x onerror=alert(1)>`, `[x](javascript:alert(1))`, `<a href="javascript:alert(1)">x</a>`,
	`<svg onload=alert(1)>`, `<iframe src="http://evil"></iframe>`, `<style>*{display:none}</style>`, `<font color="red;background:url(x)">x</font>`,
	`<p style="position:fixed">x</p>`, `![x](javascript:alert(1))`, `<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>`,
	"```html\n<script>alert(1)</script>\n```", `<form action="http://evil"><input></form>`, `<base href="http://evil/">`, `<a href="data:text/html,x">x</a>`,
	`@<script>`, "<plaintext>", "\x00<scr\x00ipt>", `<a href="dingtalk://x?url=javascript:alert(1)">x</a>`,
}

// FuzzRender looks for a message that gets anything onto the page but what the policy names.
func FuzzRender(f *testing.F) {
	for _, h := range hostile {
		f.Add(h, "13800138000")
	}
	r := newRenderer()
	elements := strings.Fields("p br hr h1 h2 h3 h4 h5 h6 blockquote strong b em i ul ol li pre code font a span html head body")
	attributes := map[string]string{"href": "a", "target": "a", "rel": "a", "class": "a span", "color": "font", "start": "ol"}
	f.Fuzz(func(t *testing.T, source, who string) {
		at := At{Mobiles: []string{who}, All: true}
		for _, rendered := range []string{string(r.md(source, at)), string(r.text(source, at))} {
			doc, err := nethtml.Parse(strings.NewReader(rendered))
			if err != nil {
				t.Fatal(err)
			}
			for n := range doc.Descendants() {
				if n.Type == nethtml.CommentNode || n.Type == nethtml.ElementNode && !slices.Contains(elements, n.Data) {
					t.Fatalf("%q made <%s>: %s", source, n.Data, rendered)
				}
				for _, a := range n.Attr {
					if !slices.Contains(strings.Fields(attributes[a.Key]), n.Data) {
						t.Fatalf("%q made <%s %s=%q>: %s", source, n.Data, a.Key, a.Val, rendered)
					}
					if a.Key == "href" && !strings.HasPrefix(a.Val, "http://") && !strings.HasPrefix(a.Val, "https://") {
						t.Fatalf("%q leads to %q", source, a.Val)
					}
				}
			}
		}
	})
}

package robot

import (
	"bytes"

	"html/template"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/renderer/html"
	nethtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// renderer turns what senders wrote into HTML that can do no harm.
type renderer struct {
	markdown goldmark.Markdown
	policy   *bluemonday.Policy
}

func newRenderer() *renderer {
	// No extensions: DingTalk's clients know no tables, footnotes or strikethrough either. HTML in
	// the source is let through to the policy, since they do know <font color>.
	md := goldmark.New(goldmark.WithRendererOptions(html.WithUnsafe()))

	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "strong", "b", "em", "i",
		"ul", "ol", "li", "pre", "code", "font")
	p.AllowAttrs("start").Matching(bluemonday.Integer).OnElements("ol")
	p.AllowAttrs("color").Matching(regexp.MustCompile(`^(#[0-9a-fA-F]{3}|#[0-9a-fA-F]{6}|[a-zA-Z]{3,20})$`)).OnElements("font")
	p.AllowAttrs("href").OnElements("a")
	p.AllowAttrs("src", "alt").OnElements("img")
	p.AllowURLSchemes("http", "https", "dingtalk")
	p.RequireParseableURLs(true)
	return &renderer{markdown: md, policy: p}
}

// text renders the text of a text message: no markup, but addresses can be clicked.
func (r *renderer) text(s string, at At) template.HTML {
	return r.finish(template.HTMLEscapeString(s), "\n", at)
}

// md renders markdown.
func (r *renderer) md(s string, at At) template.HTML {
	var b bytes.Buffer
	if err := r.markdown.Convert([]byte(s), &b); err != nil {
		return r.text(s, at)
	}
	return r.finish(r.policy.Sanitize(b.String()), "", at)
}

// finish takes clean HTML, highlights whom it mentions, makes addresses clickable and replaces
// pictures by links: the page loads nothing from elsewhere. gap parts the text from a mention of
// all that is missing in it, which DingTalk adds.
func (r *renderer) finish(clean, gap string, at At) template.HTML {
	body := &nethtml.Node{Type: nethtml.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := nethtml.ParseFragment(strings.NewReader(clean), body)
	if err != nil {
		//lint:ignore G203 escaped here
		return template.HTML(template.HTMLEscapeString(clean))
	}
	for _, n := range nodes {
		body.AppendChild(n)
	}
	f := finisher{mentions: mentions(at)}
	f.children(body, false)
	var b bytes.Buffer
	for n := body.FirstChild; n != nil; n = n.NextSibling {
		if err := nethtml.Render(&b, n); err != nil {
			//lint:ignore G203 escaped here
			return template.HTML(template.HTMLEscapeString(clean))
		}
	}
	if at.All && !f.all {
		b.WriteString(gap + `<span class="mention">@所有人</span>`)
	}
	//lint:ignore G203 rendered from nodes of the sanitised text
	return template.HTML(b.String())
}

// everybody are the ways a text calls the whole group, of which the first is what DingTalk adds.
var everybody = []string{"@所有人", "@all"}

func mentions(at At) *regexp.Regexp {
	var alternatives []string
	for _, who := range slices.Concat(at.Mobiles, at.UserIDs) {
		if who = strings.ToValidUTF8(who, "\uFFFD"); who != "" {
			alternatives = append(alternatives, regexp.QuoteMeta("@"+who))
		}
	}
	if at.All {
		for _, e := range everybody {
			alternatives = append(alternatives, regexp.QuoteMeta(e))
		}
	}
	if len(alternatives) == 0 {
		return nil
	}
	// Longest first: one user id may begin like another.
	slices.SortFunc(alternatives, func(a, b string) int { return len(b) - len(a) })
	return regexp.MustCompile(strings.Join(alternatives, "|"))
}

var address = regexp.MustCompile(`https?://[^\s<>"'，。；、）】》]+[^\s<>"'，。；、）】》.,;:!?)\]]`)

type finisher struct {
	mentions *regexp.Regexp
	all      bool // the whole group was mentioned in the text
}

func (f *finisher) children(n *nethtml.Node, quiet bool) {
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		switch {
		case c.Type == nethtml.TextNode:
			f.textNode(n, c, quiet)
		case c.DataAtom == atom.Img:
			n.InsertBefore(picture(c), c)
			n.RemoveChild(c)
		case c.DataAtom == atom.A:
			href := safeURL(attr(c, "href"))
			c.Attr = outward(href)
			f.children(c, true)
		case c.DataAtom == atom.Code || c.DataAtom == atom.Pre:
			f.children(c, true)
		default:
			f.children(c, quiet)
		}
		c = next
	}
}

// textNode splits t into text, mentions and addresses. Within links and code (quiet) addresses stay
// text.
func (f *finisher) textNode(parent, t *nethtml.Node, quiet bool) {
	type span struct {
		from, to int
		mention  bool
	}
	var spans []span
	if f.mentions != nil {
		for _, m := range f.mentions.FindAllStringIndex(t.Data, -1) {
			spans = append(spans, span{m[0], m[1], true})
			if slices.Contains(everybody, t.Data[m[0]:m[1]]) {
				f.all = true
			}
		}
	}
	if !quiet {
		for _, m := range address.FindAllStringIndex(t.Data, -1) {
			if !slices.ContainsFunc(spans, func(s span) bool { return s.from < m[1] && m[0] < s.to }) {
				spans = append(spans, span{m[0], m[1], false})
			}
		}
	}
	if len(spans) == 0 {
		return
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	at := 0
	insert := func(n *nethtml.Node) { parent.InsertBefore(n, t) }
	for _, s := range spans {
		if s.from > at {
			insert(&nethtml.Node{Type: nethtml.TextNode, Data: t.Data[at:s.from]})
		}
		piece := t.Data[s.from:s.to]
		n := &nethtml.Node{Type: nethtml.ElementNode, Data: "span", DataAtom: atom.Span,
			Attr: []nethtml.Attribute{{Key: "class", Val: "mention"}}}
		if !s.mention {
			n = &nethtml.Node{Type: nethtml.ElementNode, Data: "a", DataAtom: atom.A, Attr: outward(safeURL(piece))}
		}
		n.AppendChild(&nethtml.Node{Type: nethtml.TextNode, Data: piece})
		insert(n)
		at = s.to
	}
	if at < len(t.Data) {
		insert(&nethtml.Node{Type: nethtml.TextNode, Data: t.Data[at:]})
	}
	parent.RemoveChild(t)
}

func picture(img *nethtml.Node) *nethtml.Node {
	src := safeURL(attr(img, "src"))
	label := attr(img, "alt")
	if label == "" {
		label = host(src)
	}
	n := &nethtml.Node{Type: nethtml.ElementNode, Data: "a", DataAtom: atom.A,
		Attr: append(outward(src), nethtml.Attribute{Key: "class", Val: "picture"})}
	n.AppendChild(&nethtml.Node{Type: nethtml.TextNode, Data: label})
	return n
}

func attr(n *nethtml.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// outward are the attributes of a link that leaves the page without telling where it was clicked.
func outward(href string) []nethtml.Attribute {
	if href == "" {
		return nil
	}
	return []nethtml.Attribute{
		{Key: "href", Val: href}, {Key: "target", Val: "_blank"}, {Key: "rel", Val: "noopener noreferrer nofollow"},
	}
}

// safeURL is u if a browser may follow it, and otherwise empty. DingTalk's own scheme, by which a
// sender chooses how the client opens a page, is reduced to the page it opens.
func safeURL(u string) string {
	parsed, err := url.Parse(strings.TrimSpace(u))
	if err != nil {
		return ""
	}
	if parsed.Scheme == "dingtalk" {
		return safeURL(dropDingTalk(parsed))
	}
	if (parsed.Scheme == "http" || parsed.Scheme == "https") && parsed.Host != "" {
		return parsed.String()
	}
	return ""
}

func dropDingTalk(u *url.URL) string {
	inner := u.Query().Get("url")
	if strings.HasPrefix(inner, "dingtalk:") { // one inside the other leads nowhere
		return ""
	}
	return inner
}

func host(u string) string {
	parsed, err := url.Parse(u)
	if err != nil || parsed.Host == "" {
		return ""
	}
	return parsed.Host
}

func prettyJSON(raw []byte) string {
	var b bytes.Buffer
	if err := indent(&b, raw); err != nil {
		return string(raw)
	}
	return b.String()
}

package render

import (
	"html"
	"strings"

	"lookout/internal/dashboard"
)

// lists are panels whose content is in Grafana and not in the file: what is drawn is what they list.
var lists = map[string]func(p *dashboard.Panel, sc *scope) []string{
	"dashlist":       dashList,
	"annolist":       annotationList,
	"news":           newsList,
	"welcome":        func(*dashboard.Panel, *scope) []string { return []string{"Grafana's words of welcome"} },
	"gettingstarted": func(*dashboard.Panel, *scope) []string { return []string{"Grafana's first steps"} },
	"pluginlist":     func(*dashboard.Panel, *scope) []string { return []string{"Plugins that are installed"} },
}

func option(p *dashboard.Panel, key string) *dashboard.Node {
	if n := p.Node.Path("options", key); n != nil {
		return n
	}
	return p.Node.Get(key) // before Grafana 7
}

func dashList(p *dashboard.Panel, sc *scope) []string {
	var out []string
	for _, l := range []struct{ key, old, text string }{
		{"showStarred", "starred", "Starred dashboards"}, {"showRecentlyViewed", "recent", "Recently viewed dashboards"},
	} {
		if option(p, l.key).Bool() || p.Node.Get(l.old).Bool() {
			out = append(out, l.text)
		}
	}
	var by []string
	if q := sc.text(option(p, "query").Text()); q != "" {
		by = append(by, "matching “"+q+"”")
	}
	var tags []string
	for _, t := range option(p, "tags").Items() {
		tags = append(tags, sc.text(t.Text()))
	}
	if len(tags) > 0 {
		by = append(by, "tagged "+strings.Join(tags, ", "))
	}
	if folder := option(p, "folderUID").Text(); folder != "" {
		by = append(by, "in folder "+folder)
	}
	if len(by) > 0 || option(p, "showSearch").Bool() || p.Node.Get("search").Bool() || len(out) == 0 {
		out = append(out, strings.TrimSpace("Dashboards "+strings.Join(by, ", ")))
	}
	return out
}

func annotationList(p *dashboard.Panel, sc *scope) []string {
	text := "Annotations"
	if option(p, "onlyFromThisDashboard").Bool() {
		text += " of this dashboard"
	}
	var tags []string
	for _, t := range option(p, "tags").Items() {
		tags = append(tags, sc.text(t.Text()))
	}
	if len(tags) > 0 {
		text += " tagged " + strings.Join(tags, ", ")
	}
	return []string{text}
}

func newsList(p *dashboard.Panel, _ *scope) []string {
	return []string{strings.TrimSpace("News of " + option(p, "feedUrl").Text())}
}

// listPanel says what a panel of [lists] would list.
func (r *renderer) listPanel(p *pen, body rect, v *view) {
	lines := lists[v.panel.Type](v.panel, v.scope)
	if r.live != nil {
		var b strings.Builder
		b.WriteString("<ul>")
		for _, l := range lines {
			b.WriteString("<li>" + html.EscapeString(l) + "</li>")
		}
		b.WriteString("</ul>")
		r.live.pic.HTML = b.String()
		return
	}
	st := textStyle{size: 12.5, color: r.pal.dim}
	y := body.y + 6
	for _, l := range lines {
		for i, text := range p.wrap(l, body.w-14, 3, st) {
			if y+18 > body.bottom()+2 {
				return
			}
			if i == 0 {
				p.circle(body.x+5, y+8, 1.8, r.pal.dim)
			}
			p.text(body.x+14, y+12, text, st)
			y += 18
		}
	}
}

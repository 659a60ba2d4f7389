package render

import (
	"cmp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"lookout/internal/dashboard"
)

// alertQuery asks Prometheus for the alerts that an alert list shows, as far as its options are a selector.
func alertQuery(p *dashboard.Panel, sc *scope) *query {
	o := p.Node.Get("options")
	states := []string{}
	for _, s := range []string{"firing", "pending"} {
		n := o.Get("stateFilter")
		if n.Get(s).Bool() || !n.Is(dashboard.Object) {
			states = append(states, s)
		}
	}
	if len(states) == 0 {
		states = []string{"firing"}
	}
	expr := `ALERTS{alertstate=~"` + strings.Join(states, "|") + `"`
	if name := sc.text(cmp.Or(o.Get("alertName").Text(), o.Get("nameFilter").Text(), p.Node.Get("nameFilter").Text())); name != "" {
		expr += `,alertname=~".*` + strings.ReplaceAll(quoteRegexp(name), `\`, `\\`) + `.*"`
	}
	if labels := strings.TrimSpace(sc.promql(o.Get("alertInstanceLabelFilter").Text(), 0, 0)); strings.HasPrefix(labels, "{") && strings.HasSuffix(labels, "}") {
		if inner := strings.TrimSpace(labels[1 : len(labels)-1]); inner != "" {
			expr += "," + inner
		}
	}
	expr += "}"
	return &query{target: &dashboard.Target{Panel: p, RefID: "A", Expr: expr, Instant: true}, expr: expr, instant: true}
}

// alertList writes a line for each alert.
func (r *renderer) alertList(p *pen, body rect, v *view, list []*series) {
	const line = 20.0
	list = slices.Clone(list)
	rank := func(s *series) int {
		return map[model.LabelValue]int{"firing": 0, "pending": 1}[s.metric["alertstate"]]
	}
	slices.SortStableFunc(list, func(a, b *series) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.metric[model.AlertNameLabel], b.metric[model.AlertNameLabel]), cmp.Compare(a.metric.String(), b.metric.String()))
	})
	most := len(list)
	if n := number(v.panel.Node.Path("options", "maxItems")); n != nil && *n >= 1 {
		most = min(most, int(min(*n, 1000)))
	}
	name, dim := textStyle{size: 12, bold: true, color: r.pal.text, exact: true}, textStyle{size: 11, color: r.pal.dim}
	y := body.y
	for i, s := range list[:most] {
		if y+line > body.bottom() {
			v.skip(plural(most-i, "more alert"))
			return
		}
		state := string(s.metric["alertstate"])
		col := r.pal.attention
		if state == "pending" {
			col = r.pal.changed
		}
		badge := textStyle{size: 10, bold: true, color: readableOn(col), exact: true}
		w := p.width(state, badge) + 12
		p.fill(rect{body.x, y + 2, w, 15}, 7, col)
		p.text(body.x+6, y+13, state, badge)
		x := body.x + w + 8
		title := p.fit(string(s.metric[model.AlertNameLabel]), (body.right()-x)*0.6, name)
		p.text(x, y+14, title, name)
		x += p.width(title, name) + 10
		p.text(x, y+14, p.fit(labelText(s.metric, model.MetricNameLabel, model.AlertNameLabel, "alertstate"), body.right()-x, dim), dim)
		y += line
	}
}

package diff

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"lookout/internal/dashboard"
)

// ignorable finds why a change says nothing; "" if it has a meaning. It is asked about places with a value, not about the order of arrays.
func (c *comparer) ignorable(ch *change) string {
	if c.rules {
		return c.ignorableRule(ch)
	}
	o, n, e := ch.Before, ch.After, ch.entity
	last := ""
	if len(ch.rel) > 0 {
		last = ch.rel[len(ch.rel)-1]
	}
	if e.kind == variableEntity && ch.path() == "current" {
		return c.sameDefault(o, n)
	}
	if e.kind == panelEntity && ch.path() == "pluginVersion" && (n != nil && c.new.Noise(n) == nil || o != nil && c.old.Noise(o) == nil) {
		if (majorVersion(o) < 8) == (majorVersion(n) < 8) {
			return "the version of the panel plugin that saved the panel"
		}
		return ""
	}
	if e.kind == dashboardEntity && ch.path() == "uid" && c.old.UID == c.new.UID {
		return "the same uid, which the resource's metadata names"
	}
	if n != nil && n != c.new.Root {
		if why := c.new.Noise(n); why != nil {
			return why.Reason
		}
	}
	if o != nil && o != c.old.Root {
		if why := c.old.Noise(o); why != nil {
			return why.Reason
		}
	}
	if e.kind == targetEntity && len(ch.rel) == 0 && e.panel.any().IsRow() {
		return "a row shows no data"
	}
	if e.kind == panelEntity && len(ch.rel) == 0 || e.kind == targetEntity && len(ch.rel) == 0 || e.kind == variableEntity && len(ch.rel) == 0 {
		return ""
	}
	switch e.kind {
	case panelEntity:
		switch {
		case ch.path() == "id":
			if c.losesReference(e.panel, o) {
				return ""
			}
			return "Grafana gives panels their ids and renumbers them"
		case ch.path() == "datasource" && e.panel.old != nil && e.panel.new != nil && len(e.panel.old.Targets)+len(e.panel.new.Targets) == 0:
			return "no query asks it"
		case ch.path() == "gridPos.y" && c.sameInFoldedRow(e.panel):
			return "the place in a folded row counts from its first panel"
		case e.panel.any().IsRow() && (last == "datasource" || last == "targets" || last == "height" || last == "options" || last == "fieldConfig"):
			return "a row shows no data"
		case last == "$$hashKey" || last == "scopedVars" || last == "repeatIteration" || last == "repeatPanelId" || last == "repeatedByRow" || last == "isNew" || last == "seriesOverrides" && o.Len() == 0 && n.Len() == 0:
			return "what one browser had on its screen"
		}
	case targetEntity:
		switch {
		case e.panel.any().IsRow():
			return "a row shows no data"
		case last == "expr":
			if o.Is(dashboard.String) && n.Is(dashboard.String) && c.promQL(e) && c.queries.compare(o.Text(), n.Text(), c.defined).same {
				return "the same query, written differently"
			}
		case len(ch.rel) == 1 && last == "refId" && o == nil:
			return "Grafana gives a name to queries that have none"
		case last == "panelId" && c.samePanelID(o, n):
			return "points at the same panel, whose id changed"
		case len(ch.rel) > 0 && contains(editorState, ch.rel[0]):
			return "only the query editor reads it"
		}
	case variableEntity:
		switch {
		case ch.path() == "queryValue":
			return "what was last chosen"
		case last == "definition":
			return "repeats the query"
		case ch.path() == "query":
			if a, b := variableQuery(o), variableQuery(n); a != "" && c.sameVariableQuery(a, b) {
				return "the same query, written differently"
			}
		case strings.HasPrefix(ch.path(), "tagsQuery"), strings.HasPrefix(ch.path(), "tagValuesQuery"), last == "tags", last == "useTags", last == "allFormat", last == "multiFormat":
			return "Grafana no longer reads it"
		case last == "label" && textOrName(o, e) == textOrName(n, e):
			return "a variable without a label shows its name"
		}
	case annotationEntity:
		if last == "expr" && o.Is(dashboard.String) && n.Is(dashboard.String) && c.queries.compare(o.Text(), n.Text(), c.defined).same {
			return "the same query, written differently"
		}
		key := cmp.Or(e.new, e.old)
		if builtIn := key.Get("builtIn"); builtIn.Bool() || builtIn.Scalarish() == "1" {
			if len(ch.rel) == 0 && !key.Is(dashboard.Invalid) && (!key.Get("enable").Is(dashboard.Bool) || key.Get("enable").Bool()) {
				return "Grafana adds its own annotation to every dashboard"
			}
			if ch.at("target") && (key.Path("target", "type").Text() == "tags" || e.old.Path("target", "type").Text() == "tags") {
				return "" // then it shows annotations by their tags
			}
			if last == "datasource" || ch.at("target") || last == "type" || last == "name" || last == "iconColor" && (o == nil || n == nil) {
				return "belongs to Grafana's own annotation"
			}
		}
	case dashboardEntity:
		if ch.path() == "rows" && n == nil && c.survive(o) {
			return "the old form of rows, rewritten as panels"
		}
		if len(ch.rel) == 1 && contains([]string{"originalTitle", "hideControls", "sharedCrosshair", "slug", "meta", "is_starred"}, last) {
			return "Grafana no longer reads it"
		}
		if ch.path() == "annotations" {
			// The whole member came or went: what it holds counts.
			v := cmp.Or(n, o)
			builtIn := true
			for _, a := range v.Get("list").Items() {
				b := a.Get("builtIn")
				builtIn = builtIn && (b.Bool() || b.Scalarish() == "1")
			}
			if builtIn {
				return "Grafana adds its own annotation to every dashboard"
			}
		}
	}
	if last == "datasource" && c.sameDatasource(ch) {
		return "the same datasource in another notation"
	}
	if saysNothing(e.kind, ch.path(), o) && saysNothing(e.kind, ch.path(), n) {
		switch {
		case o == nil:
			return "a default written out"
		case n == nil:
			return "a default left out"
		}
		return "both are the default"
	}
	return ""
}

// sameDefault tells why a change of what a variable has chosen says nothing; "" if the dashboard's default is another one now.
func (c *comparer) sameDefault(o, n *dashboard.Node) string {
	a, b := dashboard.DefaultValue(o), dashboard.DefaultValue(n)
	if o != nil && n != nil && slices.Equal(a, b) {
		return "the same default, written differently"
	}
	var why string
	for _, side := range []struct {
		d *dashboard.Dashboard
		n *dashboard.Node
	}{{c.old, o}, {c.new, n}} {
		if side.n == nil {
			continue
		}
		noise := side.d.Noise(side.n)
		if noise == nil {
			return ""
		}
		why = noise.Reason
	}
	return why
}

// majorVersion is the number before the first dot; a missing version means 6.1 to Grafana.
func majorVersion(n *dashboard.Node) int {
	major, _, _ := strings.Cut(n.Text(), ".")
	i, err := strconv.Atoi(major)
	if err != nil {
		return 6
	}
	return i
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// survive tells whether each panel of old-style rows is still there.
func (c *comparer) survive(rows *dashboard.Node) bool {
	for _, row := range rows.Items() {
		for _, p := range row.Get("panels").Items() {
			if pair := c.byOld[p]; pair == nil || pair.new == nil {
				return false
			}
		}
	}
	return true
}

// promQL tells whether a target's query may be read as PromQL: another language could give a difference in writing a meaning.
func (c *comparer) promQL(e *entity) bool {
	for _, side := range []struct {
		d *dashboard.Dashboard
		n *dashboard.Node
		p *dashboard.Panel
	}{{c.old, e.old, e.panel.old}, {c.new, e.new, e.panel.new}} {
		for _, t := range side.p.Targets {
			if t.Node != side.n {
				continue
			}
			if kind := side.d.Datasource(side.p, t).Type; kind != "" && kind != "prometheus" {
				return false
			}
		}
	}
	return true
}

func (c *comparer) samePanelID(o, n *dashboard.Node) bool {
	a, okA := o.Int()
	b, okB := n.Int()
	if !okA || !okB {
		return false
	}
	for _, p := range c.pairs {
		if p.old != nil && p.new != nil && p.old.HasID && p.new.HasID && p.old.ID == a {
			return p.new.ID == b
		}
	}
	return false
}

// sameInFoldedRow reports whether a panel of a folded row kept its distance to the row's first panel: Grafana does not keep the places up to date while a row
// is folded.
func (c *comparer) sameInFoldedRow(pair *panelPair) bool {
	if pair.old == nil || pair.new == nil || !pair.old.Nested || !pair.new.Nested {
		return false
	}
	return pair.old.Grid.Y-c.firstLine(pair.old.Row) == pair.new.Grid.Y-c.firstLine(pair.new.Row)
}

func (c *comparer) firstLine(row *dashboard.Panel) int {
	if c.first == nil {
		c.first = map[*dashboard.Panel]int{}
		for _, d := range []*dashboard.Dashboard{c.old, c.new} {
			for _, p := range d.Panels {
				if y, ok := c.first[p.Row]; p.Nested && (!ok || p.Grid.Y < y) {
					c.first[p.Row] = p.Grid.Y
				}
			}
		}
	}
	return c.first[row]
}

// losesReference reports whether another panel's query still asks for the panel by the id that it had: then it shows something else now, or nothing.
func (c *comparer) losesReference(pair *panelPair, was *dashboard.Node) bool {
	id, ok := was.Int()
	if !ok || pair.old == nil || pair.new == nil {
		return false
	}
	for _, p := range c.new.Panels {
		for _, t := range p.Targets {
			if to, ok := t.Node.Get("panelId").Int(); ok && to == id && c.new.Datasource(p, t).Kind == dashboard.RefDashboard {
				return true
			}
		}
	}
	return false
}

func variableQuery(n *dashboard.Node) string {
	if n.Is(dashboard.Object) {
		for _, m := range n.Children() {
			switch m.Key() {
			case "query", "refId", "qryType", "expr", "label", "metric", "labelFilters":
			default:
				return "" // something that the text does not say
			}
		}
		if q := n.Get("query").Text(); q != "" {
			return q
		}
		return n.Get("expr").Text()
	}
	return n.Text()
}

func (c *comparer) sameVariableQuery(a, b string) bool {
	if strings.Join(strings.Fields(a), "") == strings.Join(strings.Fields(b), "") && !strings.ContainsAny(a+b, `"'`) {
		return true
	}
	qa, qb := dashboard.ParseVariableQuery(a), dashboard.ParseVariableQuery(b)
	if qa.Func != qb.Func || qa.Label != qb.Label || qa.Regex != qb.Regex {
		return false
	}
	return qa.Expr == qb.Expr || qa.Expr != "" && qb.Expr != "" && qa.Func != dashboard.QueryBare && c.queries.compare(qa.Expr, qb.Expr, c.defined).same
}

func textOrName(n *dashboard.Node, e *entity) string { return cmp.Or(n.Text(), e.name) }

// sameDatasource tells whether two references lead to one datasource.
func (c *comparer) sameDatasource(ch *change) bool {
	a, b := c.effective(c.old, ch, ch.entity.old, false), c.effective(c.new, ch, ch.entity.new, true)
	if a.Type != "" && b.Type != "" && a.Type != b.Type {
		return false
	}
	if a.Kind == dashboard.RefAbsent || a.Kind == dashboard.RefNull {
		return b.Kind == dashboard.RefAbsent || b.Kind == dashboard.RefNull
	}
	if a.Kind == dashboard.RefVariable || a.Kind == dashboard.RefInput {
		return a.Kind == b.Kind && a.Variable == b.Variable
	}
	// A name and a uid of the same text need not be the same datasource.
	return a.Kind == b.Kind && a.Value == b.Value && a.Value != ""
}

// effective is what a reference comes to: a target without one has its panel's.
func (c *comparer) effective(d *dashboard.Dashboard, ch *change, owner *dashboard.Node, new bool) dashboard.Ref {
	e := ch.entity
	switch e.kind {
	case targetEntity, panelEntity:
		if len(ch.rel) != 1 || e.panel == nil {
			break
		}
		p := e.panel.old
		if new {
			p = e.panel.new
		}
		if p == nil {
			break
		}
		if e.kind == panelEntity {
			return d.Resolve(p.Datasource)
		}
		for _, t := range p.Targets {
			if t.Node == owner {
				return d.Datasource(p, t)
			}
		}
	case variableEntity:
		for _, v := range d.Variables {
			if v.Node == owner {
				return d.Resolve(v.Datasource)
			}
		}
	case annotationEntity:
		for _, a := range d.Annotations {
			if a.Node == owner {
				return d.Resolve(a.Datasource)
			}
		}
	}
	return dashboard.Ref{Kind: dashboard.RefInvalid}
}

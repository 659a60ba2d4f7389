package diff

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"lookout/internal/dashboard"
)

// group is the changes that make one event.
type group struct {
	kind    Kind
	entity  *entity
	changes []*change
}

func (c *comparer) result() Result {
	var res Result
	ignore := func(ch *change, reason string) {
		ch.taken = true
		res.Ignored = append(res.Ignored, Ignored{Change: ch.Change, File: c.new.File(), Reason: reason})
	}
	var orders []*change
	for _, ch := range c.changes {
		if ch.Order != nil {
			orders = append(orders, ch)
			continue
		}
		if why := c.ignorable(ch); why != "" {
			ignore(ch, why)
		}
	}
	var groups []*group
	index := map[groupKey]*group{}
	put := func(ch *change, kind Kind, e *entity) {
		ch.taken = true
		k := groupKey{kind, e}
		g := index[k]
		if g == nil {
			g = &group{kind: kind, entity: e}
			index[k] = g
			groups = append(groups, g)
		}
		g.changes = append(g.changes, ch)
	}
	retyped := map[*panelPair]bool{}
	for _, ch := range c.changes {
		if !ch.taken && ch.Order == nil && ch.entity.kind == panelEntity && ch.path() == "type" {
			retyped[ch.entity.panel] = true
		}
	}
	layout := &layout{c: c, grid: map[*panelPair][]*change{}}
	for _, ch := range c.changes {
		if ch.taken || ch.Order != nil {
			continue
		}
		if !c.rules && ch.entity.kind == panelEntity && ch.at("gridPos") && ch.entity.panel.old != nil && ch.entity.panel.new != nil {
			layout.add(ch)
			continue
		}
		kind, e := c.classify(ch)
		if retyped[ch.entity.panel] && ch.entity.kind == panelEntity && c.followsType(ch, kind) {
			kind, e = PanelType, ch.entity
		}
		put(ch, kind, e)
	}
	var events []Event
	for _, g := range groups {
		events = append(events, c.event(g))
	}
	if c.rules {
		c.orderRules(orders, &events, ignore)
		for i := range events {
			finish(&events[i])
		}
		res.Events = bulk(events)
		return res
	}
	events = layout.resolve(events, orders, ignore)
	c.itemOrders(orders, &events, ignore)
	events = c.absorbRows(events)
	for i := range events {
		finish(&events[i])
	}
	sortEvents(events)
	res.Events = bulk(events)
	return res
}

type groupKey struct {
	kind   Kind
	entity *entity
}

// classify says which event a change belongs to, and the entity that the event is about.
func (c *comparer) classify(ch *change) (Kind, *entity) {
	e := ch.entity
	whole := len(ch.rel) == 0
	came, went := ch.Before == nil, ch.After == nil
	pick := func(changed, added, removed Kind) Kind {
		switch {
		case whole && came:
			return added
		case whole && went:
			return removed
		}
		return changed
	}
	switch e.kind {
	case dashboardEntity:
		if c.rules {
			return AlertOption, e
		}
		return dashboardKind(ch), e
	case variableEntity:
		return pick(VariableKind, VariableAdded, VariableRemoved), e
	case annotationEntity:
		return pick(AnnotationKind, AnnotationAdded, AnnotationRemoved), e
	case linkEntity:
		return pick(LinkKind, LinkAdded, LinkRemoved), e
	case inputEntity:
		return Input, c.top
	case overrideEntity:
		return Override, e
	case transformationEntity:
		return Transformation, c.panelEntity(e.panel)
	case targetEntity:
		if whole {
			return pick(QueryOption, QueryAdded, QueryRemoved), e
		}
		switch ch.rel[0] {
		case "expr":
			return Query, e
		case "legendFormat":
			return Legend, c.panelEntity(e.panel)
		case "datasource":
			return Datasource, c.panelEntity(e.panel)
		}
		return QueryOption, e
	case panelEntity:
		if whole {
			if e.panel.any().IsRow() {
				return pick(Option, RowAdded, RowRemoved), e
			}
			return pick(Option, PanelAdded, PanelRemoved), e
		}
		return panelKind(ch), e
	case groupEntity:
		return AlertGroup, e
	case ruleEntity:
		return ruleKind(ch), e
	}
	return Option, e
}

func dashboardKind(ch *change) Kind {
	if len(ch.rel) == 0 {
		return DashboardSetting
	}
	switch ch.rel[0] {
	case "title":
		return DashboardRetitled
	case "description":
		return DashboardDescription
	case "uid":
		return DashboardUID
	case "tags":
		return Tags
	case "time":
		return TimeRange
	case "refresh":
		return Refresh
	case "templating":
		return VariableKind
	case "annotations":
		return AnnotationKind
	case "links":
		return LinkKind
	case "__inputs":
		return Input
	case "rows", "panels":
		return Option
	}
	return DashboardSetting
}

func panelKind(ch *change) Kind {
	row := ch.entity.panel.any().IsRow()
	switch ch.rel[0] {
	case "title":
		return PanelRetitled
	case "description":
		return Description
	case "type":
		return PanelType
	case "datasource":
		return Datasource
	case "targets":
		return QueryOption
	case "interval", "maxDataPoints", "cacheTimeout", "queryCachingTTL":
		return QueryOption
	case "timeFrom", "timeShift", "hideTimeOverride":
		return TimeRange
	case "gridPos", "span", "height":
		return PanelResized
	case "repeat", "repeatDirection", "maxPerRow", "minSpan":
		return Repeat
	case "transformations":
		return Transformation
	case "links":
		return LinkKind
	case "libraryPanel":
		return LibraryPanel
	case "__conditionalRendering":
		return Condition
	case "__variables":
		return VariableKind
	case "collapsed", "collapse":
		if row {
			if ch.After.Bool() {
				return RowCollapsed
			}
			return RowExpanded
		}
	case "thresholds":
		return Threshold
	case "format":
		return Unit
	case "decimals":
		return Unit
	case "legend":
		return Legend
	case "seriesOverrides":
		return Override
	case "aliasColors", "colors":
		return Color
	case "yaxes", "yaxis", "xaxis":
		switch ch.rel[len(ch.rel)-1] {
		case "format":
			return Unit
		case "min", "max":
			return Range
		}
		return Style
	case "fieldConfig":
		if len(ch.rel) < 3 {
			return Option
		}
		if ch.rel[1] == "overrides" {
			return Override
		}
		switch ch.rel[2] {
		case "unit", "decimals":
			return Unit
		case "thresholds":
			return Threshold
		case "min", "max", "fieldMinMax":
			return Range
		case "mappings", "noValue":
			return Mapping
		case "color":
			return Color
		case "links":
			return LinkKind
		case "displayName":
			return Legend
		case "custom":
			return Style
		}
	case "options":
		if len(ch.rel) > 1 && ch.rel[1] == "legend" {
			return Legend
		}
		if len(ch.rel) > 1 && ch.rel[1] == "dataLinks" {
			return LinkKind
		}
	}
	return Option
}

// followsType tells whether a change is part of a panel's change of type: each type has options of its own, and Grafana converts what it can.
func (c *comparer) followsType(ch *change, kind Kind) bool {
	p := ch.entity.panel
	switch kind {
	case Unit:
		return p.old.Unit == p.new.Unit
	case Threshold:
		return thresholdText(p.old) == thresholdText(p.new) || ch.Before == nil
	case Option, Style, Legend, Range, Color, Mapping, Override, PanelType:
		return true
	}
	return false
}

func thresholdText(p *dashboard.Panel) string {
	var out []string
	for _, t := range p.Thresholds {
		if t.HasValue && t.Override == nil {
			v := strconv.FormatFloat(t.Value, 'g', -1, 64)
			if t.Percentage {
				v += "%"
			}
			out = append(out, v)
		}
	}
	return strings.Join(out, ", ")
}

// event makes the event of a group.
func (c *comparer) event(g *group) Event {
	e := Event{Kind: g.kind, Dashboard: c.new.Name(), File: c.new.File()}
	for _, ch := range g.changes {
		e.Changes = append(e.Changes, ch.Change)
	}
	c.subject(&e, g.entity)
	c.values(&e, g)
	e.what = c.what(g, &e)
	return e
}

func (c *comparer) subject(e *Event, ent *entity) {
	if ent.panel != nil {
		p := ent.panel.any()
		e.old, e.new = ent.panel.old, ent.panel.new
		e.Panel = p.Name()
		e.subject = c.panelName(ent.panel)
	}
	switch ent.kind {
	case targetEntity:
		if len(ent.panel.any().Targets) > 1 {
			e.subject += ", query " + cmp.Or(ent.name, "without refId")
		}
	case ruleEntity:
		e.Panel = ent.name
		e.subject = "alert " + quote(ent.name)
		if cmp.Or(ent.new, ent.old).Has("record") {
			e.subject = "recording rule " + quote(ent.name)
		}
	case groupEntity:
		e.subject = "group " + quote(ent.name)
	}
}

// panelName is how a sentence calls a panel; of several with one title the row or the place tells which.
func (c *comparer) panelName(pair *panelPair) string {
	p := pair.any()
	noun := "panel"
	if p.IsRow() {
		noun = rowNoun(p)
	}
	if p.Title == "" {
		if p.HasGrid {
			return fmt.Sprintf("untitled %s %s at %d,%d", p.Type, noun, p.Grid.X, p.Grid.Y)
		}
		return "untitled " + p.Type + " " + noun
	}
	d := c.new
	if pair.new == nil {
		d = c.old
	}
	twins, inRow := 0, 0
	for _, q := range d.Panels {
		if q.Title == p.Title && q.IsRow() == p.IsRow() {
			twins++
			if q.Row.Name() == p.Row.Name() {
				inRow++
			}
		}
	}
	name := noun + " " + quote(p.Title)
	switch {
	case twins > 1 && inRow == 1 && p.Row != nil:
		name += " in " + rowNoun(p.Row) + " " + quote(p.Row.Name())
	case twins > 1 && p.HasGrid:
		name += fmt.Sprintf(" at %d,%d", p.Grid.X, p.Grid.Y)
	}
	return name
}

func quote(s string) string { return `"` + clip(strings.Join(strings.Fields(s), " "), 80) + `"` }

// rowNoun is what a row is called.
func rowNoun(p *dashboard.Panel) string {
	if p.Tab {
		return "tab"
	}
	return "row"
}

// values sets Before and After: of one leaf its values, of several what they are together.
func (c *comparer) values(e *Event, g *group) {
	if len(g.changes) == 1 {
		e.Before, e.After = g.changes[0].Before, g.changes[0].After
	}
	name := func(n *dashboard.Node, key string) *dashboard.Node {
		if v := n.Get(key); v != nil {
			return v
		}
		return n
	}
	switch g.kind {
	case PanelAdded, PanelRemoved, RowAdded, RowRemoved, LinkAdded, LinkRemoved:
		e.Before, e.After = name(e.Before, "title"), name(e.After, "title")
	case VariableAdded, VariableRemoved, AnnotationAdded, AnnotationRemoved:
		e.Before, e.After = name(e.Before, "name"), name(e.After, "name")
	case QueryAdded, QueryRemoved:
		e.Before, e.After = name(e.Before, "expr"), name(e.After, "expr")
	case AlertAdded, AlertRemoved:
		e.Before, e.After = name(e.Before, "alert"), name(e.After, "alert")
	case PanelType:
		e.Before, e.After = dashboard.NewString(e.old.Type), dashboard.NewString(e.new.Type)
	}
	if len(g.changes) < 2 || g.kind == PanelType {
		return
	}
	// Several leaves: the smallest value that holds them all, on both sides.
	common := g.changes[0].rel
	sameEntity := true
	for _, ch := range g.changes {
		sameEntity = sameEntity && ch.entity == g.changes[0].entity
		i := 0
		for i < len(common) && i < len(ch.rel) && common[i] == ch.rel[i] {
			i++
		}
		common = common[:i]
	}
	if sameEntity && len(common) > 0 {
		o, n := g.changes[0].entity.old, g.changes[0].entity.new
		e.Before, e.After = follow(o, common), follow(n, common)
	}
}

func follow(n *dashboard.Node, path []string) *dashboard.Node {
	for _, p := range path {
		if n.Is(dashboard.Array) {
			i, err := strconv.Atoi(p)
			if err != nil {
				return nil
			}
			n = n.At(i)
			continue
		}
		n = n.Get(p)
	}
	return n
}

// what tells what happened, without saying to whom.
func (c *comparer) what(g *group, e *Event) string {
	first := g.changes[0]
	switch g.kind {
	case PanelAdded, PanelRemoved:
		verb := "added"
		if g.kind == PanelRemoved {
			verb = "removed"
		}
		return verb + ": " + panelSummary(g.entity.panel.any())
	case RowAdded:
		return "added"
	case RowRemoved:
		return "removed"
	case RowCollapsed:
		return "collapsed"
	case RowExpanded:
		return "expanded"
	case PanelType:
		return "type " + g.entity.panel.old.Type + " → " + g.entity.panel.new.Type
	case Query:
		return c.queryText(first)
	case QueryAdded:
		return "query " + cmp.Or(g.entity.name, "without refId") + " added: " + clip(oneLine(first.After.Get("expr").Text()), 120)
	case QueryRemoved:
		return "query " + cmp.Or(g.entity.name, "without refId") + " removed: " + clip(oneLine(first.Before.Get("expr").Text()), 120)
	case VariableAdded, VariableRemoved, AnnotationAdded, AnnotationRemoved, LinkAdded, LinkRemoved:
		return c.itemText(g)
	case VariableKind, AnnotationKind, LinkKind:
		noun := map[Kind]string{VariableKind: "variable", AnnotationKind: "annotation", LinkKind: "link"}[g.kind]
		if g.entity.name == "" || g.entity.kind == panelEntity || g.entity.kind == dashboardEntity {
			return leaves(noun, g.changes, false)
		}
		return noun + " " + quote(g.entity.name) + ": " + c.leavesOf(g.changes)
	case Threshold:
		a, b := thresholdText(g.entity.panel.old), thresholdText(g.entity.panel.new)
		switch {
		case a == b:
			return leaves("threshold", g.changes, true)
		case a == "":
			return "thresholds added: " + b
		case b == "":
			return "thresholds removed: " + a
		}
		return "thresholds " + a + " → " + b
	case Unit:
		return leaves("unit", g.changes, true)
	case Override:
		name := g.entity.name
		if g.entity.kind == overrideEntity {
			switch {
			case first.Before == nil && len(first.rel) == 0:
				return "override for " + quote(name) + " added: " + overrideText(first.After)
			case first.After == nil && len(first.rel) == 0:
				return "override for " + quote(name) + " removed: " + overrideText(first.Before)
			}
			return "override for " + quote(name) + ": " + overrideChanges(g)
		}
		return leaves("override", g.changes, false)
	case Transformation:
		if len(first.rel) == 0 && len(g.changes) == 1 {
			if first.Before == nil {
				return "transformation " + first.entity.name + " added"
			}
			if first.After == nil {
				return "transformation " + first.entity.name + " removed"
			}
		}
		return leaves("transformation", g.changes, false)
	case Condition:
		return dashboard.ConditionText(first.Before) + " → " + dashboard.ConditionText(first.After)
	case Datasource:
		return "datasource " + refText(first.Before) + " → " + refText(first.After)
	case Legend:
		return leaves("legend", g.changes, true)
	case DashboardRetitled:
		a, b := twoValues(first.Before, first.After)
		return "dashboard retitled " + a + " → " + b
	case PanelRetitled:
		a, b := twoValues(first.Before, first.After)
		return "retitled " + a + " → " + b
	case Description, DashboardDescription:
		return textChange("description", first)
	case DashboardUID:
		return "uid " + valueText(first.Before) + " → " + valueText(first.After)
	case Tags:
		return listText("tags", g.changes)
	case TimeRange:
		if g.entity.kind == dashboardEntity {
			o, n := g.entity.old.Get("time"), g.entity.new.Get("time")
			if o != nil && n != nil {
				return "time range " + rangeText(o) + " → " + rangeText(n)
			}
		}
		return leaves("time range", g.changes, false)
	case AlertAdded, AlertRemoved, AlertRenamed, AlertQuery, AlertThreshold, AlertFor, AlertLabel, AlertAnnotation, AlertOption, AlertGroup:
		return c.ruleText(g)
	}
	return leaves("", g.changes, false)
}

func panelSummary(p *dashboard.Panel) string {
	s := cmp.Or(p.Type, "panel of no type")
	if n := len(p.Targets); n > 0 {
		s += " with " + plural(n, "query")
	} else if p.Library != "" {
		s += ", library panel " + p.Library
	}
	if p.Unit != "" {
		s += ", unit " + p.Unit
	}
	return s
}

func (c *comparer) queryText(ch *change) string {
	o, n := ch.Before.Text(), ch.After.Text()
	if c.promQL(ch.entity) {
		if edits := c.queries.compare(o, n, c.defined).edits; len(edits) > 0 && len(edits) <= 6 {
			return strings.Join(edits, "; ")
		}
	}
	a, b := twoTexts(o, n, 120)
	return "query " + a + " → " + b
}

// twoTexts shortens two versions of a text to a window around what differs. If only white space differs, it is made visible.
func twoTexts(o, n string, most int) (string, string) {
	if alike(o, n) {
		o, n = apart(o, n)
	}
	a, b := oneLine(o), oneLine(n)
	if a == b {
		a, b = visible(o), visible(n)
	}
	ra, rb := []rune(a), []rune(b)
	if len(ra) <= most && len(rb) <= most {
		return a, b
	}
	same := 0
	for same < len(ra) && same < len(rb) && ra[same] == rb[same] {
		same++
	}
	// A third of the window shows what stands before.
	from := max(0, min(same-most/3, max(len(ra), len(rb))-most))
	cut := func(r []rune) string {
		end := min(len(r), from+most)
		s := string(r[min(from, end):end])
		if from > 0 {
			s = "…" + s
		}
		if end < len(r) {
			s += "…"
		}
		return s
	}
	return cut(ra), cut(rb)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func (c *comparer) itemText(g *group) string {
	first := g.changes[0]
	n, verb := first.After, "added"
	if n == nil {
		n, verb = first.Before, "removed"
	}
	switch g.entity.kind {
	case variableEntity:
		s := "variable " + quote(g.entity.name) + " " + verb
		if q := variableQuery(n.Get("query")); q != "" {
			s += ": " + clip(oneLine(q), 100)
		}
		return s
	case annotationEntity:
		return "annotation " + quote(g.entity.name) + " " + verb
	}
	s := "link " + quote(g.entity.name) + " " + verb
	if u := n.Get("url").Text(); u != "" && u != g.entity.name {
		s += ": " + clip(u, 100)
	}
	return s
}

// leavesOf lists changes, with queries compared as trees.
func (c *comparer) leavesOf(changes []*change) string {
	for _, ch := range changes {
		if len(changes) == 1 && (ch.path() == "query" || ch.path() == "expr") {
			a, b := variableQuery(ch.Before), variableQuery(ch.After)
			if a != "" && b != "" {
				a, b = twoTexts(a, b, 100)
				return "query " + a + " → " + b
			}
		}
	}
	return leaves("", changes, false)
}

// maxLeaves is how many leaves an event spells out.
const maxLeaves = 3

// leaves spells changes out. label is the name of the whole; if it is short the first leaf needs no name of its own.
func leaves(label string, changes []*change, short bool) string {
	var out []string
	for _, ch := range changes {
		if len(out) == maxLeaves && len(changes) > maxLeaves {
			out = append(out, itoa(len(changes)-maxLeaves)+" more")
			break
		}
		name := leafName(ch)
		if short && (name == label || strings.HasSuffix(name, "."+label) || ch.entity.kind == targetEntity || isUnitPath(ch)) {
			name = label
		} else if label != "" && !strings.Contains(name, label) {
			name = strings.TrimSpace(label + " " + name)
		}
		out = append(out, leafText(name, ch))
	}
	return strings.Join(slices.Compact(out), "; ")
}

func isUnitPath(ch *change) bool {
	last := ""
	if len(ch.rel) > 0 {
		last = ch.rel[len(ch.rel)-1]
	}
	return last == "unit" || last == "format"
}

func leafName(ch *change) string {
	path := ch.rel
	if len(path) > 2 && path[0] == "fieldConfig" && path[1] == "defaults" {
		path = path[2:]
	}
	if len(path) > 1 && (path[0] == "custom" || path[0] == "options") {
		path = path[1:]
	}
	if len(path) > 0 && strings.HasPrefix(path[0], "__") && path[0] != "__inputs" { // what a view adds
		path = append([]string{strings.TrimPrefix(path[0], "__")}, path[1:]...)
	}
	return strings.Join(path, ".")
}

// inView says a change of what a view of the V2 schema adds, in its terms; "" if it is not one.
func inView(ch *change) string {
	if len(ch.rel) != 1 {
		return ""
	}
	depth := func(n *dashboard.Node) string { return cmp.Or(n.Scalarish(), "1") }
	switch ch.rel[0] {
	case "__tab":
		if ch.After.Bool() {
			return "a tab instead of a row"
		}
		return "a row instead of a tab"
	case "__unplaced":
		if ch.After.Bool() {
			return "no longer shown by the layout"
		}
		return "shown by the layout now"
	case "__depth":
		return "level " + depth(ch.Before) + " → " + depth(ch.After)
	}
	return ""
}

func leafText(name string, ch *change) string {
	if s := inView(ch); s != "" {
		return s
	}
	if ch.entity != nil && ch.entity.kind == variableEntity && ch.path() == "current" && (ch.Before == nil || ch.After == nil) {
		return "default " + defaultText(ch.Before) + " → " + defaultText(ch.After)
	}
	switch {
	case ch.Before == nil:
		return strings.TrimSpace(name + " set to " + valueText(ch.After))
	case ch.After == nil:
		return strings.TrimSpace(name + " " + valueText(ch.Before) + " removed")
	}
	if ch.entity != nil && ch.entity.kind == variableEntity && ch.path() == "current" {
		return "default " + defaultText(ch.Before) + " → " + defaultText(ch.After)
	}
	before, after := valueText(ch.Before), valueText(ch.After)
	switch o, n := ch.Before, ch.After; {
	case o.Is(dashboard.String) && n.Is(dashboard.String):
		if len(o.Text()) > 80 || len(n.Text()) > 80 || before == after || alike(o.Text(), n.Text()) {
			a, b := twoTexts(o.Text(), n.Text(), 80)
			before, after = `"`+a+`"`, `"`+b+`"`
		}
	case !o.Scalar() || !n.Scalar():
		before, after = twoTexts(o.Compact(), n.Compact(), 80)
	}
	return strings.TrimSpace(name + " " + before + " → " + after)
}

// defaultText is what a variable chooses by default, in words.
func defaultText(n *dashboard.Node) string {
	values := dashboard.DefaultValue(n)
	if len(values) == 0 {
		return "none"
	}
	for i, v := range values {
		if v == "$__all" {
			values[i] = "All"
		}
	}
	return clip(strings.Join(values, ", "), 80)
}

// valueText is a value in a sentence: words stand for themselves, other texts in quotes.
func valueText(n *dashboard.Node) string {
	switch n.Kind() {
	case dashboard.Invalid:
		return "nothing"
	case dashboard.String:
		s := n.Text()
		if s != "" && len(s) <= 40 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '"' || r == ';' || r == ',' }) {
			return s
		}
		return quote(s)
	case dashboard.Object, dashboard.Array:
		return clip(n.Compact(), 80)
	}
	return n.Compact()
}

func textChange(name string, ch *change) string {
	switch {
	case ch.Before == nil || ch.Before.Text() == "":
		return name + " added: " + quote(ch.After.Text())
	case ch.After == nil || ch.After.Text() == "":
		return name + " removed: " + quote(ch.Before.Text())
	}
	a, b := twoTexts(ch.Before.Text(), ch.After.Text(), 80)
	return name + ` "` + a + `" → "` + b + `"`
}

func rangeText(n *dashboard.Node) string {
	return n.Get("from").Scalarish() + "…" + n.Get("to").Scalarish()
}

func refText(n *dashboard.Node) string {
	switch n.Kind() {
	case dashboard.Invalid:
		return "the inherited one"
	case dashboard.Null:
		return "the default"
	case dashboard.Object:
		s := n.Get("uid").Scalarish()
		if t := n.Get("type").Text(); t != "" {
			s = strings.TrimSpace(t + " " + s)
		}
		return s
	}
	return n.Scalarish()
}

func listText(name string, changes []*change) string {
	var plus, minus []string
	for _, ch := range changes {
		if ch.Before != nil {
			minus = append(minus, "−"+valueText(ch.Before))
		}
		if ch.After != nil {
			plus = append(plus, "+"+valueText(ch.After))
		}
	}
	return name + " " + strings.Join(append(minus, plus...), " ")
}

func overrideText(n *dashboard.Node) string {
	var out []string
	for _, p := range n.Get("properties").Items() {
		out = append(out, p.Get("id").Text()+" "+valueText(p.Get("value")))
	}
	return clip(strings.Join(out, ", "), 160)
}

func overrideChanges(g *group) string {
	var out []string
	for _, ch := range g.changes {
		name := ch.path()
		if len(ch.rel) >= 2 && ch.rel[0] == "properties" {
			side := g.entity.new
			if ch.After == nil {
				side = g.entity.old
			}
			id := follow(side, ch.rel[:2]).Get("id").Text()
			name = strings.TrimSuffix(strings.Join(append([]string{id}, ch.rel[2:]...), "."), ".value")
			if len(ch.rel) == 2 {
				v := cmp.Or(ch.After, ch.Before)
				verb := " set to "
				if ch.After == nil {
					verb = " removed, was "
				}
				out = append(out, name+verb+valueText(v.Get("value")))
				continue
			}
		}
		out = append(out, leafText(name, ch))
	}
	if len(out) > maxLeaves {
		out = append(out[:maxLeaves], itoa(len(out)-maxLeaves)+" more")
	}
	return strings.Join(out, "; ")
}

// finish puts subject and what together.
func finish(e *Event) {
	if e.Text == "" {
		e.Text = e.what
		if e.subject != "" {
			e.Text = e.subject + ": " + e.what
		}
	}
	if len(e.Panels) == 0 && e.Panel != "" {
		e.Panels = []string{e.Panel}
	}
	if len(e.who) == 0 {
		for _, name := range e.Panels {
			var id any = new(byte) // an alert: there is one event of a kind for each
			if p := cmp.Or(e.new, e.old); p != nil {
				id = p
			}
			e.who = append(e.who, named{id, name})
		}
	}
	if e.old != nil {
		e.Old = append(e.Old, e.old)
	}
	if e.new != nil {
		e.New = append(e.New, e.new)
	}
}

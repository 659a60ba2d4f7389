package diff

import (
	"slices"
	"strconv"
	"strings"

	"lookout/internal/dashboard"
)

// entity is what a changed leaf belongs to, in a reader's eyes.
type entity struct {
	kind     entityKind
	old, new *dashboard.Node
	// panel is set for panels and everything in them.
	panel *panelPair
	// name is what the reader calls it: the variable, the refId, the title of the link.
	name string
}

type entityKind uint8

const (
	dashboardEntity entityKind = iota
	panelEntity
	targetEntity
	variableEntity
	annotationEntity
	linkEntity
	overrideEntity
	transformationEntity
	inputEntity
	groupEntity
	ruleEntity
)

// panelPair is a panel in both versions; one side is nil for a panel that is new or gone.
type panelPair struct {
	old, new *dashboard.Panel
}

func (p *panelPair) any() *dashboard.Panel {
	if p.new != nil {
		return p.new
	}
	return p.old
}

// change is a Change with what is needed to tell about it.
type change struct {
	Change
	entity *entity
	// rel is the path from the entity.
	rel   []string
	taken bool
}

func (c *change) at(path ...string) bool {
	return len(c.rel) >= len(path) && slices.Equal(c.rel[:len(path)], path)
}

func (c *change) path() string { return strings.Join(c.rel, ".") }

type comparer struct {
	queries  *queries
	old, new *dashboard.Dashboard // nil for alert files
	rules    bool
	top      *entity
	entities map[*dashboard.Node]*entity // by new node, else old node
	changes  []*change

	pairs   []*panelPair
	byOld   map[*dashboard.Node]*panelPair
	byNew   map[*dashboard.Node]*panelPair
	defined func(string) bool
	// first is the line of the grid on which the panels of a folded row begin.
	first map[*dashboard.Panel]int
}

func newComparer(q *queries, before, after *dashboard.Dashboard) *comparer {
	c := &comparer{
		queries: q, old: before, new: after, entities: map[*dashboard.Node]*entity{},
		byOld: map[*dashboard.Node]*panelPair{}, byNew: map[*dashboard.Node]*panelPair{},
	}
	c.top = &entity{kind: dashboardEntity, old: before.Root, new: after.Root}
	// A variable that one version defines is a variable in both: otherwise a query that did not change would read differently.
	c.defined = func(name string) bool { return before.Variable(name) != nil || after.Variable(name) != nil }
	return c
}

func (c *comparer) roots() (o, n *dashboard.Node) { return c.top.old, c.top.new }

func (c *comparer) record(o, n *dashboard.Node, e *entity, rel []string) *change {
	or, nr := c.roots()
	ch := &change{entity: e, rel: slices.Clone(rel)}
	ch.Before, ch.After = o, n
	if o != nil {
		ch.OldPath = o.PointerFrom(or)
	}
	if n != nil {
		ch.Path = n.PointerFrom(nr)
	}
	if !c.rules {
		if n != nil && c.new.Form.IsV2() {
			ch.source = c.new.SourcePointer(n)
		}
		if o != nil && c.old.Form.IsV2() {
			ch.oldSource = c.old.SourcePointer(o)
		}
	}
	c.changes = append(c.changes, ch)
	return ch
}

// same is a quick test: equal text is equal meaning, and most of a file did not change.
func same(o, n *dashboard.Node) bool {
	if ro := o.Raw(); ro != "" && ro == n.Raw() {
		return true
	}
	return dashboard.Equal(o, n)
}

func (c *comparer) compare(o, n *dashboard.Node, e *entity, rel []string) {
	switch {
	case o.Is(dashboard.Object) && n.Is(dashboard.Object):
		c.objects(o, n, e, rel)
	case o.Is(dashboard.Array) && n.Is(dashboard.Array):
		c.arrays(o, n, e, rel)
	default:
		if !same(o, n) {
			c.record(o, n, e, rel)
		}
	}
}

func (c *comparer) objects(o, n *dashboard.Node, e *entity, rel []string) {
	for _, om := range o.Children() {
		key := om.Key()
		if o.Get(key) != om {
			continue // a duplicate that does not count
		}
		nm := n.Get(key)
		sub := append(rel, key)
		if c.isContainer(e, sub) {
			if om.Is(dashboard.Array) && (nm.Is(dashboard.Array) || nm == nil) {
				c.container(om, nm, o, n, e, sub)
				continue
			}
		}
		switch {
		case nm == nil:
			// The place that is gone is named in the new file, for replay.
			c.went(om, n.PointerFrom(c.top.new)+"/"+escape(key), e, sub)
		case om.Kind() != nm.Kind() || c.whole(e, sub):
			if !same(om, nm) {
				c.record(om, nm, e, sub)
			}
		default:
			c.compare(om, nm, e, sub)
		}
	}
	for _, nm := range n.Children() {
		key := nm.Key()
		if n.Get(key) != nm || o.Has(key) {
			continue
		}
		sub := append(rel, key)
		if nm.Is(dashboard.Array) && c.isContainer(e, sub) {
			c.container(nil, nm, o, n, e, sub)
			continue
		}
		c.came(nm, o.PointerFrom(c.top.old)+"/"+escape(key), e, sub)
	}
}

// came records a member that was not there. Objects that only hold other things are taken apart: to set a unit where there was no fieldConfig is to set a
// unit. oldPath is where the member would have been.
func (c *comparer) came(n *dashboard.Node, oldPath string, e *entity, rel []string) {
	kind, named := c.itemKind(e, rel)
	switch {
	case n.Is(dashboard.Array) && named && n.Len() > 0:
		order := make([]string, n.Len())
		for _, item := range n.Items() {
			c.record(nil, item, c.itemEntity(kind, e, nil, item), nil)
		}
		ch := &change{entity: e, rel: slices.Clone(rel)}
		ch.Path, ch.OldPath, ch.Order, ch.After = n.PointerFrom(c.top.new), oldPath, order, n
		c.changes = append(c.changes, ch)
	case n.Is(dashboard.Object) && n.Len() > 0 && c.holds(e, rel):
		ch := c.record(nil, n, e, rel)
		ch.OldPath, ch.After, ch.spot = oldPath, dashboard.NewObject(), n
		for _, m := range n.Children() {
			if n.Get(m.Key()) == m {
				c.came(m, oldPath+"/"+escape(m.Key()), e, append(rel, m.Key()))
			}
		}
	default:
		c.record(nil, n, e, rel).OldPath = oldPath
	}
}

// went is the opposite of came.
func (c *comparer) went(o *dashboard.Node, newPath string, e *entity, rel []string) {
	kind, named := c.itemKind(e, rel)
	switch {
	case o.Is(dashboard.Array) && named && o.Len() > 0:
		for _, item := range o.Items() {
			c.record(item, nil, c.itemEntity(kind, e, item, nil), nil)
		}
		ch := c.record(o, nil, e, rel)
		ch.Path, ch.Before = newPath, dashboard.NewArray()
	case o.Is(dashboard.Object) && o.Len() > 0 && c.holds(e, rel):
		ch := c.record(o, nil, e, rel)
		ch.Path, ch.Before = newPath, dashboard.NewObject()
		for _, m := range o.Children() {
			if o.Get(m.Key()) == m {
				c.went(m, newPath+"/"+escape(m.Key()), e, append(rel, m.Key()))
			}
		}
	default:
		c.record(o, nil, e, rel).Path = newPath
	}
}

// holds tells the objects that mean nothing by themselves.
func (c *comparer) holds(e *entity, rel []string) bool {
	if c.rules {
		return e.kind == ruleEntity && (rel[0] == "labels" || rel[0] == "annotations")
	}
	switch e.kind {
	case dashboardEntity:
		return len(rel) == 1 && (rel[0] == "templating" || rel[0] == "annotations")
	case panelEntity:
		switch strings.Join(rel, ".") {
		case "fieldConfig", "fieldConfig.defaults", "fieldConfig.defaults.custom", "options", "options.legend", "options.tooltip", "options.reduceOptions":
			return true
		}
	}
	return false
}

// whole tells places that are compared as one value: a reader thinks of them as one.
func (c *comparer) whole(e *entity, rel []string) bool {
	if c.rules {
		return false
	}
	switch last := rel[len(rel)-1]; last {
	case "datasource", "current", "__conditionalRendering", "__requires", "__elements", "libraryPanel", "nowDelay", "refresh_intervals", "time_options":
		return true
	case "options":
		return e.kind == variableEntity
	case "query":
		return e.kind == variableEntity
	case "value":
		return e.kind == overrideEntity
	}
	return false
}

func escape(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}

// isContainer tells the arrays that hold panels.
func (c *comparer) isContainer(e *entity, rel []string) bool {
	if c.rules || len(rel) != 1 {
		return false
	}
	switch rel[0] {
	case "panels":
		return e.kind == dashboardEntity || e.kind == panelEntity
	case "rows":
		return e.kind == dashboardEntity
	}
	return false
}

// container compares arrays of panels: which old panel each new one was has been decided already, across all of them.
// o and n are the arrays, one of them may be nil; op and np the objects that hold them.
func (c *comparer) container(o, n, op, np *dashboard.Node, e *entity, rel []string) {
	or, nr := c.roots()
	moved := o == nil || n == nil || o.Len() != n.Len()
	var order []string
	for i, item := range n.Items() {
		pair := c.byNew[item]
		if pair == nil || pair.old == nil {
			order = append(order, "")
			moved = true
			ent := &entity{kind: dashboardEntity}
			if pair != nil {
				ent = c.panelEntity(pair)
			}
			c.record(nil, item, ent, nil)
			c.movedInto(item)
			continue
		}
		order = append(order, pair.old.Node.PointerFrom(or))
		if pair.old.Node.Parent() != o || pair.old.Node.Index() != i {
			moved = true
		}
		c.compare(pair.old.Node, item, c.panelEntity(pair), nil)
	}
	if n == nil {
		ch := c.record(o, nil, e, rel)
		ch.Path = np.PointerFrom(nr) + "/" + escape(rel[len(rel)-1])
	} else if moved {
		ch := &change{entity: e, rel: slices.Clone(rel)}
		ch.Path, ch.Order = n.PointerFrom(nr), order
		ch.OldPath = op.PointerFrom(or) + "/" + escape(rel[len(rel)-1])
		if o == nil {
			// Replay wants to know where to put the new member.
			ch.After = n
		}
		if ch.Order == nil {
			ch.Order = []string{}
		}
		c.changes = append(c.changes, ch)
	}
	for _, item := range o.Items() {
		pair := c.byOld[item]
		if pair != nil && pair.new != nil {
			continue
		}
		ent := &entity{kind: dashboardEntity}
		if pair != nil {
			ent = c.panelEntity(pair)
		}
		if n != nil || pair != nil {
			c.record(item, nil, ent, nil)
		}
	}
}

// movedInto compares the old panels that a new row holds.
func (c *comparer) movedInto(row *dashboard.Node) {
	for _, item := range row.Get("panels").Items() {
		if pair := c.byNew[item]; pair != nil && pair.old != nil {
			c.compare(pair.old.Node, item, c.panelEntity(pair), nil)
		}
	}
}

func (c *comparer) panelEntity(p *panelPair) *entity {
	e := &entity{kind: panelEntity, panel: p}
	if p.old != nil {
		e.old = p.old.Node
	}
	if p.new != nil {
		e.new = p.new.Node
	}
	key := e.new
	if key == nil {
		key = e.old
	}
	if known := c.entities[key]; known != nil {
		return known
	}
	c.entities[key] = e
	return e
}

// itemKind tells what the items of an array are.
func (c *comparer) itemKind(e *entity, rel []string) (entityKind, bool) {
	path := strings.Join(rel, "/")
	if c.rules {
		switch {
		case e.kind == dashboardEntity && path == "groups":
			return groupEntity, true
		case e.kind == groupEntity && path == "rules":
			return ruleEntity, true
		}
		return 0, false
	}
	switch e.kind {
	case dashboardEntity:
		switch path {
		case "templating/list":
			return variableEntity, true
		case "annotations/list":
			return annotationEntity, true
		case "links":
			return linkEntity, true
		case "__inputs":
			return inputEntity, true
		}
	case panelEntity:
		switch path {
		case "targets":
			return targetEntity, true
		case "__variables":
			return variableEntity, true
		case "links", "fieldConfig/defaults/links", "options/dataLinks":
			return linkEntity, true
		case "fieldConfig/overrides":
			return overrideEntity, true
		case "transformations":
			return transformationEntity, true
		}
	}
	return 0, false
}

func (c *comparer) itemEntity(kind entityKind, parent *entity, o, n *dashboard.Node) *entity {
	key := n
	if key == nil {
		key = o
	}
	if e := c.entities[key]; e != nil {
		return e
	}
	e := &entity{kind: kind, old: o, new: n, panel: parent.panel}
	switch kind {
	case targetEntity:
		e.name = key.Get("refId").Text()
	case variableEntity, annotationEntity, inputEntity, groupEntity:
		e.name = key.Get("name").Text()
	case linkEntity:
		e.name = key.Get("title").Text()
		if e.name == "" {
			e.name = key.Get("url").Text()
		}
	case overrideEntity:
		e.name = key.Path("matcher", "options").Scalarish()
	case transformationEntity:
		e.name = key.Get("id").Text()
	case ruleEntity:
		e.name = ruleName(key)
	}
	c.entities[key] = e
	return e
}

func (c *comparer) arrays(o, n *dashboard.Node, e *entity, rel []string) {
	if same(o, n) {
		return
	}
	kind, named := c.itemKind(e, rel)
	from := matchItems(o, n, c.identity(kind, named), c.closeness(kind, named))
	or, nr := c.roots()
	moved := o.Len() != n.Len()
	order := make([]string, n.Len())
	kept := make([]bool, o.Len())
	for i, j := range from {
		if j != i {
			moved = true
		}
		item := n.At(i)
		sub := append(rel, strconv.Itoa(i))
		if j < 0 {
			if named {
				c.record(nil, item, c.itemEntity(kind, e, nil, item), nil)
			} else {
				c.record(nil, item, e, sub)
			}
			continue
		}
		kept[j] = true
		before := o.At(j)
		order[i] = before.PointerFrom(or)
		switch {
		case named:
			c.compare(before, item, c.itemEntity(kind, e, before, item), nil)
		case before.Kind() == item.Kind():
			c.compare(before, item, e, sub)
		default:
			c.record(before, item, e, sub)
		}
	}
	if moved {
		ch := &change{entity: e, rel: slices.Clone(rel)}
		ch.Path, ch.OldPath, ch.Order = n.PointerFrom(nr), o.PointerFrom(or), order
		c.changes = append(c.changes, ch)
	}
	for j, k := range kept {
		if k {
			continue
		}
		item := o.At(j)
		if named {
			c.record(item, nil, c.itemEntity(kind, e, item, nil), nil)
		} else {
			c.record(item, nil, e, append(rel, strconv.Itoa(j)))
		}
	}
}

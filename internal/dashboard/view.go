package dashboard

import (
	"slices"
	"strconv"
	"strings"
)

// A V2 dashboard is shown to everything else as the classic object that means the same: the view. Its values know where in the file they
// stand, so that findings and changes point into the V2 source. What classic cannot say stands in members that begin with two
// underscores and a capital or the word itself, which no Grafana writes:
const (
	elementKey     = "__element"              // the element's name, where it is not panel-<id>
	tabKey         = "__tab"                  // a row that is a tab
	depthKey       = "__depth"                // how deep a row or tab stands in others, from 1 on
	conditionKey   = "__conditionalRendering" // when a row, tab or panel is shown
	layoutKey      = "__layout"               // settings of the layout inside a row, a tab or the dashboard
	sectionVarsKey = "__variables"            // variables of a row or tab
	unplacedKey    = "__unplaced"             // an element that the layout does not show
	elementsKey    = "__missing"              // elements that the layout names and that are not there
)

// viewer builds the view of one dashboard.
type viewer struct {
	elements *Node
	named    map[string]*Node // the elements; of duplicates the last
	used     map[string]bool
	panels   *Node
	missing  []*Node
}

// view makes the classic object of a V2 spec.
func view(spec *Node) *Node {
	v := &viewer{elements: spec.Get("elements"), used: map[string]bool{}, panels: NewArray(), named: map[string]*Node{}}
	for _, e := range v.elements.Children() {
		v.named[e.key] = e
	}
	out := stand(NewObject(), spec)
	for _, m := range spec.Children() {
		if spec.Get(m.key) != m {
			continue
		}
		switch m.key {
		case "cursorSync":
			set(out, "graphTooltip", enum(m, "Off", "Crosshair", "Tooltip"))
		case "timeSettings":
			v.time(out, m)
		case "annotations":
			if !m.Is(Array) { // a hybrid
				set(out, "annotations", m.Clone())
				continue
			}
			list := stand(NewArray(), m)
			for _, a := range m.Items() {
				list.Append(annotation(a))
			}
			set(out, "annotations", stand(NewObject(), m))
			out.Get("annotations").Set("list", list)
		case "variables":
			list := variables(m)
			set(out, "templating", stand(NewObject(), m))
			out.Get("templating").Set("list", list)
		case "elements":
		case "layout":
			set(out, "panels", stand(v.panels, m))
			v.layout(m, out, 0, 0, true)
		case "panels", "templating", "rows": // leftovers of the old schema in a hybrid, which Grafana does not read
			set(out, "__old_"+m.key, m.Clone())
		default:
			set(out, m.key, m.Clone())
		}
	}
	for _, e := range v.elements.Children() {
		if !v.used[e.key] && v.named[e.key] == e {
			p := v.element(e, e.key)
			p.Set(unplacedKey, stand(NewBool(true), e))
			v.panels.Append(p)
		}
	}
	if len(v.missing) > 0 {
		list := NewArray()
		for _, m := range v.missing {
			list.Append(m.Clone())
		}
		out.Set(elementsKey, list)
	}
	return out
}

// stand gives a made value the place of the one it was made of.
func stand(made, of *Node) *Node {
	if of != nil && made != nil {
		made.off, made.end, made.keyOff, made.doc, made.made = of.off, of.end, of.keyOff, of.doc, true
	}
	return made
}

// set adds a member; nil values are left out.
func set(to *Node, key string, value *Node) {
	if value != nil {
		to.Set(key, value)
	}
}

// copyRest copies the members that are not named.
func copyRest(to, from *Node, but ...string) {
	for _, m := range from.Children() {
		if from.Is(Object) && from.Get(m.key) == m && !slices.Contains(but, m.key) {
			to.Set(m.key, m.Clone())
		}
	}
}

// enum turns a word into its number; a word that is not among them stays.
func enum(n *Node, words ...string) *Node {
	if n == nil {
		return nil
	}
	if i := slices.Index(words, n.Text()); i >= 0 && n.Is(String) {
		return stand(NewInt(int64(i)), n)
	}
	return n.Clone()
}

func (v *viewer) time(out, t *Node) {
	time, picker := stand(NewObject(), t), stand(NewObject(), t)
	for _, m := range t.Children() {
		if !t.Is(Object) || t.Get(m.key) != m {
			continue
		}
		switch m.key {
		case "from", "to":
			time.Set(m.key, m.Clone())
		case "autoRefresh":
			out.Set("refresh", m.Clone())
		case "autoRefreshIntervals":
			picker.Set("refresh_intervals", m.Clone())
		case "hideTimepicker":
			picker.Set("hidden", m.Clone())
		case "nowDelay":
			picker.Set("nowDelay", m.Clone())
		case "quickRanges":
			picker.Set("quick_ranges", m.Clone())
		default: // timezone, weekStart, fiscalYearStartMonth
			out.Set(m.key, m.Clone())
		}
	}
	if time.Len() > 0 {
		out.Set("time", time)
	}
	if picker.Len() > 0 {
		out.Set("timepicker", picker)
	}
}

// dataQuery reads where a query goes and what it asks. owner is the object around it, which had the reference in v2alpha1.
func dataQuery(query, owner *Node) (ref, spec *Node) {
	spec = query.Get("spec")
	group, name := query.Get("group"), query.Path("datasource", "name")
	if old := owner.Get("datasource"); old.Is(Object) && query.Get("datasource") == nil {
		return old.Clone(), spec
	}
	if group == nil && query.Get("kind").Text() != "DataQuery" {
		group = query.Get("kind")
	}
	if group.Text() == "" && name == nil {
		return nil, spec
	}
	at := query.Get("datasource")
	if at == nil {
		at = group
	}
	ref = stand(NewObject(), at)
	if group.Text() != "" {
		ref.Set("type", group.Clone())
	}
	set(ref, "uid", name.Clone())
	return ref, spec
}

func annotation(a *Node) *Node {
	spec := a.Get("spec")
	if !spec.Is(Object) {
		return a.Clone()
	}
	out := stand(NewObject(), a)
	query := spec.Get("query")
	ref, target := dataQuery(query, spec)
	if b := spec.Get("builtIn"); b.Is(Bool) {
		i := int64(0)
		if b.Bool() {
			i = 1
		}
		out.Set("builtIn", stand(NewInt(i), b))
	}
	set(out, "datasource", ref)
	copyRest(out, spec, "builtIn", "query", "legacyOptions", "datasource")
	if target.Len() > 0 {
		out.Set("target", target.Clone())
	}
	copyRest(out, spec.Get("legacyOptions"), "datasource")
	copyRest(out, query, "kind", "group", "datasource", "spec", "version")
	copyRest(out, a, "kind", "spec")
	return out
}

var variableTypes = map[string]string{
	"QueryVariable": "query", "CustomVariable": "custom", "DatasourceVariable": "datasource", "IntervalVariable": "interval",
	"TextVariable": "textbox", "ConstantVariable": "constant", "AdhocVariable": "adhoc", "GroupByVariable": "groupby", "SwitchVariable": "switch",
}

var (
	hideWords    = []string{"dontHide", "hideLabel", "hideVariable", "inControlsMenu"}
	refreshWords = []string{"never", "onDashboardLoad", "onTimeRangeChanged"}
	sortWords    = []string{
		"disabled", "alphabeticalAsc", "alphabeticalDesc", "numericalAsc", "numericalDesc", "alphabeticalCaseInsensitiveAsc", "alphabeticalCaseInsensitiveDesc",
		"naturalAsc", "naturalDesc",
	}
)

func variables(list *Node) *Node {
	out := stand(NewArray(), list)
	for _, n := range list.Items() {
		out.Append(variable(n))
	}
	return out
}

func variable(n *Node) *Node {
	spec, kind := n.Get("spec"), n.Get("kind")
	if !spec.Is(Object) {
		return n.Clone()
	}
	out := stand(NewObject(), n)
	if t, known := variableTypes[kind.Text()]; known {
		out.Set("type", stand(NewString(t), kind))
	} else {
		set(out, "type", kind.Clone())
	}
	switch kind.Text() {
	case "AdhocVariable", "GroupByVariable":
		ref, _ := dataQuery(n, spec)
		if ref.Get("type").Text() == kind.Text() { // v2alpha1 has no group
			ref = nil
		}
		set(out, "datasource", ref)
	}
	for _, m := range spec.Children() {
		if spec.Get(m.key) != m {
			continue
		}
		switch m.key {
		case "hide":
			out.Set("hide", enum(m, hideWords...))
		case "refresh":
			out.Set("refresh", enum(m, refreshWords...))
		case "sort":
			out.Set("sort", enum(m, sortWords...))
		case "pluginId":
			out.Set("query", m.Clone())
		case "datasource":
			if !out.Has("datasource") {
				out.Set("datasource", m.Clone())
			}
		case "query":
			if !m.Is(Object) {
				out.Set("query", m.Clone())
				continue
			}
			ref, q := dataQuery(m, spec)
			set(out, "datasource", ref)
			if text := q.Get("__legacyStringValue"); text != nil && q.Len() == 1 {
				out.Set("query", text.Clone())
			} else {
				set(out, "query", q.Clone())
			}
			copyRest(out, m, "kind", "group", "datasource", "spec", "version")
		case "enabledValue", "disabledValue", "current":
			if kind.Text() != "SwitchVariable" {
				out.Set(m.key, m.Clone())
			}
		default:
			out.Set(m.key, m.Clone())
		}
	}
	if kind.Text() == "SwitchVariable" {
		switchValues(out, spec)
	}
	copyRest(out, n, "kind", "spec", "group", "datasource")
	return out
}

// switchValues writes a switch the way the classic schema does: the value of "on" is the first option.
func switchValues(out, spec *Node) {
	options := stand(NewArray(), spec)
	for _, key := range []string{"enabledValue", "disabledValue"} {
		if m := spec.Get(key); m != nil {
			o := stand(NewObject(), m)
			o.Set("text", m.Clone())
			o.Set("value", m.Clone())
			options.Append(o)
		}
	}
	if c := spec.Get("current"); c != nil {
		o := stand(NewObject(), c)
		o.Set("text", c.Clone())
		o.Set("value", c.Clone())
		out.Set("current", o)
	}
	out.Set("options", options)
}

// element makes the panel of an element, without a place.
func (v *viewer) element(e *Node, name string) *Node {
	spec := e.Get("spec")
	out := stand(NewObject(), e)
	if !spec.Is(Object) {
		copyRest(out, e)
		out.Set(elementKey, stand(NewString(name), e))
		return out
	}
	if id, ok := spec.Get("id").Int(); !ok || name != "panel-"+strconv.FormatInt(id, 10) {
		out.Set(elementKey, stand(NewString(name), e))
	}
	viz := spec.Get("vizConfig")
	plugin := viz.Get("group")
	if plugin == nil {
		plugin = viz.Get("kind")
	}
	set(out, "type", plugin.Clone())
	copyRest(out, spec, "data", "vizConfig", "type")
	version := viz.Get("version")
	if version == nil {
		version = viz.Path("spec", "pluginVersion")
	}
	set(out, "pluginVersion", version.Clone())
	copyRest(out, viz, "kind", "group", "version", "spec")
	copyRest(out, viz.Get("spec"), "pluginVersion")
	data := spec.Path("data", "spec")
	if qs := data.Get("queries"); qs.Is(Array) {
		out.Set("targets", targets(qs))
		set(out, "datasource", commonDatasource(out.Get("targets"), qs))
	}
	if ts := data.Get("transformations"); ts.Is(Array) {
		list := stand(NewArray(), ts)
		for _, t := range ts.Items() {
			list.Append(transformation(t))
		}
		out.Set("transformations", list)
	}
	copyRest(out, data.Get("queryOptions"))
	copyRest(out, data, "queries", "transformations", "queryOptions")
	copyRest(out, e, "kind", "spec")
	return out
}

func targets(qs *Node) *Node {
	list := stand(NewArray(), qs)
	for _, q := range qs.Items() {
		spec := q.Get("spec")
		if !spec.Is(Object) {
			list.Append(q.Clone())
			continue
		}
		t := stand(NewObject(), q)
		set(t, "refId", spec.Get("refId").Clone())
		set(t, "hide", spec.Get("hidden").Clone())
		query := spec.Get("query")
		ref, ask := dataQuery(query, spec)
		set(t, "datasource", ref)
		copyRest(t, ask, "datasource", "refId", "hide")
		copyRest(t, spec, "refId", "hidden", "query", "datasource")
		copyRest(t, query, "kind", "group", "datasource", "spec", "version")
		list.Append(t)
	}
	return list
}

// commonDatasource is the panel's datasource as the classic schema has it: that of all queries, or -- Mixed --.
func commonDatasource(targets, at *Node) *Node {
	var first *Node
	for _, t := range targets.Items() {
		ref := t.Get("datasource")
		if ref == nil || ref.Get("uid").Text() == "__expr__" {
			continue
		}
		if first == nil {
			first = ref
		} else if !Equal(first, ref) {
			mixed := stand(NewObject(), at)
			mixed.Set("type", stand(NewString("datasource"), at))
			mixed.Set("uid", stand(NewString("-- Mixed --"), at))
			return mixed
		}
	}
	return first.Clone()
}

func transformation(t *Node) *Node {
	out := stand(NewObject(), t)
	spec := t.Get("spec")
	id := t.Get("group") // v2
	if id == nil {
		id = spec.Get("id")
	}
	if id == nil {
		id = t.Get("kind")
	}
	set(out, "id", id.Clone())
	copyRest(out, spec, "id")
	copyRest(out, t, "kind", "group", "spec")
	return out
}

// layout places the elements of a layout from row y on and returns the first free row. holder is the dashboard, or the row or tab.
func (v *viewer) layout(l, holder *Node, y, depth int, top bool) int {
	spec := l.Get("spec")
	switch kind := l.Get("kind").Text(); kind {
	case "RowsLayout", "TabsLayout":
		key := "rows"
		if kind == "TabsLayout" {
			key = "tabs"
		}
		settings(holder, l, spec, key)
		for i, r := range spec.Get(key).Items() {
			y = v.section(r, y, depth+1, kind == "TabsLayout", top && i == 0)
		}
		return y
	case "AutoGridLayout":
		settings(holder, l, spec, "items")
		return v.autoGrid(spec, y)
	default:
		settings(holder, l, spec, "items")
		bottom := y
		for _, item := range spec.Get("items").Items() {
			is := item.Get("spec")
			p := v.place(is)
			if p == nil {
				continue
			}
			grid := stand(NewObject(), item)
			for _, m := range [][2]string{{"x", "x"}, {"y", "y"}, {"w", "width"}, {"h", "height"}} {
				n := is.Get(m[1])
				if n == nil {
					continue
				}
				if i, ok := n.Int(); ok && m[0] == "y" && i >= 0 && i < 1e6 {
					grid.Set("y", stand(NewInt(i+int64(y)), n))
				} else {
					grid.Set(m[0], n.Clone())
				}
			}
			p.Set("gridPos", grid)
			top, _ := is.Get("y").Int()
			height, _ := is.Get("height").Int()
			if top >= 0 && top < 1e6 && height > 0 && height < 1e6 {
				bottom = max(bottom, y+int(top+height))
			}
			v.repeat(p, is)
			copyRest(p, is, "x", "y", "width", "height", "element", "repeat", "conditionalRendering")
			v.panels.Append(p)
		}
		return bottom
	}
}

// settings keeps what a layout says besides its items, and its kind where it is not the plain grid.
func settings(holder, l, spec *Node, items string) {
	out := stand(NewObject(), l)
	if kind := l.Get("kind"); kind.Text() == "AutoGridLayout" {
		out.Set("kind", kind.Clone())
	}
	copyRest(out, spec, items)
	copyRest(out, l, "kind", "spec")
	if out.Len() > 0 {
		holder.Set(layoutKey, out)
	}
}

// place takes the element that an item of a layout shows; nil if it is not there.
func (v *viewer) place(item *Node) *Node {
	ref := item.Path("element", "name")
	e := v.named[ref.Text()]
	if e == nil {
		if ref != nil {
			v.missing = append(v.missing, ref)
		}
		return nil
	}
	v.used[e.key] = true
	p := v.element(e, e.key)
	set(p, conditionKey, item.Get("conditionalRendering").Clone())
	return p
}

func (v *viewer) repeat(p, item *Node) {
	r := item.Get("repeat")
	set(p, "repeat", r.Get("value").Clone())
	set(p, "repeatDirection", r.Get("direction").Clone())
	set(p, "maxPerRow", r.Get("maxPerRow").Clone())
	if r.Is(Object) {
		copyRest(p, r, "mode", "value", "direction", "maxPerRow")
	}
}

// The heights of automatic rows in pixels, and how many columns there are. Source: Grafana's documentation of the auto grid.
var autoHeights = map[string]float64{"short": 168, "standard": 320, "tall": 512}

const autoColumns = 3

func (v *viewer) autoGrid(spec *Node, y int) int {
	columns, ok := spec.Get("maxColumnCount").Float()
	if !ok || columns < 1 {
		columns = autoColumns
	}
	columns = min(columns, 24)
	w := int(24 / columns)
	px := autoHeights[spec.Get("rowHeightMode").Text()]
	if own, ok := spec.Get("rowHeight").Float(); ok && spec.Get("rowHeightMode").Text() == "custom" {
		px = own
	}
	if px <= 0 || px > 1e5 {
		px = autoHeights["standard"]
	}
	h := max(int((px+8)/38+0.5), 2)
	x, placed := 0, false
	for _, item := range spec.Get("items").Items() {
		is := item.Get("spec")
		p := v.place(is)
		if p == nil {
			continue
		}
		if x+w > 24 {
			x, y = 0, y+h
		}
		grid := stand(NewObject(), item)
		for _, m := range []struct {
			key string
			n   int
		}{{"h", h}, {"w", w}, {"x", x}, {"y", y}} {
			grid.Set(m.key, stand(NewInt(int64(m.n)), item))
		}
		p.Set("gridPos", grid)
		v.repeat(p, is)
		copyRest(p, is, "element", "repeat", "conditionalRendering")
		v.panels.Append(p)
		x, placed = x+w, true
	}
	if placed {
		y += h
	}
	return y
}

// section reads a row or a tab.
func (v *viewer) section(r *Node, y, depth int, tab, first bool) int {
	spec := r.Get("spec")
	row := stand(NewObject(), r)
	row.Set("type", stand(NewString("row"), r))
	if tab {
		row.Set(tabKey, stand(NewBool(true), r))
	}
	if depth > 1 {
		row.Set(depthKey, stand(NewInt(int64(depth)), r))
	}
	set(row, "title", spec.Get("title").Clone())
	collapsed := spec.Get("collapse")
	set(row, "collapsed", collapsed.Clone())
	set(row, "repeat", spec.Path("repeat", "value").Clone())
	if rep := spec.Get("repeat"); rep.Is(Object) {
		copyRest(row, rep, "mode", "value")
	}
	set(row, conditionKey, spec.Get("conditionalRendering").Clone())
	if vars := spec.Get("variables"); vars.Is(Array) && vars.Len() > 0 {
		row.Set(sectionVarsKey, variables(vars))
	}
	copyRest(row, spec, "title", "collapse", "repeat", "conditionalRendering", "variables", "layout", "hideHeader")
	copyRest(row, r, "kind", "spec")
	// Panels before the first row stand in a row without a header; classic has no row there.
	bare := first && depth == 1 && !tab && spec.Get("hideHeader").Bool() && !spec.Get("repeat").Is(Object) && !row.Has(conditionKey) && !row.Has(sectionVarsKey) &&
		!collapsed.Bool()
	outer := v.panels
	if !bare {
		set(row, "hideHeader", spec.Get("hideHeader").Clone())
		grid := stand(NewObject(), r)
		for _, m := range []struct {
			key string
			n   int
		}{{"h", 1}, {"w", 24}, {"x", 0}, {"y", y}} {
			grid.Set(m.key, stand(NewInt(int64(m.n)), r))
		}
		row.Set("gridPos", grid)
		v.panels.Append(row)
		y++
		if collapsed.Bool() && !tab {
			v.panels = stand(NewArray(), r)
			row.Set("panels", v.panels)
		}
	}
	bottom := v.layout(spec.Get("layout"), row, y, depth, false)
	if v.panels != outer {
		v.panels = outer
		return y
	}
	return bottom
}

// SourcePointer is the JSON pointer of the value in the file, from the file's root. A value that was made up (a computed place on the grid) has that of what
// it was made of.
func (d *Dashboard) SourcePointer(n *Node) string {
	if d.view == nil {
		return n.Pointer()
	}
	for n != nil && (n.doc == nil || n.end == 0) {
		n = n.parent
	}
	if n == nil || n == d.view {
		return d.spec.Pointer()
	}
	return sourceAt(d.Doc.Root, n).Pointer()
}

// SourceNode is the value in the file that the value of the view was copied from; nil if it was made up or changed on the way.
func (d *Dashboard) SourceNode(n *Node) *Node {
	if d.view == nil {
		return n
	}
	if n == nil || n.doc == nil || n.end == 0 || n.made {
		return nil
	}
	src := sourceAt(d.Doc.Root, n)
	if src.off != n.off || src.end != n.end || !Equal(src, n) {
		return nil
	}
	return src
}

// sourceAt finds the value of the file that begins where n does and has the same extent, else the innermost that holds it.
func sourceAt(root, n *Node) *Node {
	at := root
	for {
		i, found := slices.BinarySearchFunc(at.children, n.off, func(c *Node, off int32) int {
			switch {
			case c.end <= off:
				return -1
			case c.off > off:
				return 1
			}
			return 0
		})
		if !found || at.off == n.off && at.end == n.end {
			return at
		}
		at = at.children[i]
	}
}

// Leftovers are members of the old schema in a V2 dashboard, of the spec or next to it, which Grafana does not read. Empty lists are left out.
func (d *Dashboard) Leftovers() []*Node {
	if d.view == nil {
		return nil
	}
	var out []*Node
	add := func(n *Node) {
		if n.Len() > 0 && (n.key != "templating" || n.Get("list").Len() > 0) {
			out = append(out, n)
		}
	}
	for _, key := range []string{"panels", "rows", "templating"} {
		add(d.spec.Get(key))
		if d.Envelope != nil && (d.Form == V2Resource) {
			add(d.Envelope.Get(key))
		}
	}
	return out
}

// MissingElements are the names in the layout of a V2 dashboard that no element has.
func (d *Dashboard) MissingElements() []*Node {
	var out []*Node
	for _, n := range d.view.Get(elementsKey).Items() {
		out = append(out, n)
	}
	return out
}

// Content is the dashboard object as it stands in the file: the classic object or the V2 spec.
func (d *Dashboard) Content() *Node {
	if d.spec != nil {
		return d.spec
	}
	return d.Root
}

// Notation lists the leaves of a V2 spec that stand for nothing in the view: kinds, versions, references by name.
func (d *Dashboard) Notation() []*Node {
	if d.view == nil {
		return nil
	}
	type extent struct{ off, end int32 }
	shown := map[extent]bool{}
	d.view.Walk(func(n *Node) bool {
		if n.end > 0 {
			shown[extent{n.off, n.end}] = true
		}
		return true
	})
	var out []*Node
	for n := range d.spec.Leaves() {
		if !shown[extent{n.off, n.end}] {
			out = append(out, n)
		}
	}
	return out
}

// isViewKey reports whether a member stands only in views, not in files.
func isViewKey(key string) bool {
	switch key {
	case elementKey, tabKey, depthKey, conditionKey, layoutKey, sectionVarsKey, unplacedKey, elementsKey:
		return true
	}
	return strings.HasPrefix(key, "__old_")
}

package dashboard

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Loss is something that the other schema cannot say.
type Loss struct {
	// Position is where it stands in the file that was converted.
	Position
	// What names it: `panel "CPU": conditional rendering`.
	What string
}

func (l Loss) String() string { return l.Position.String() + ": can't be carried over: " + l.What }

// V2Version is the version of the API that [Dashboard.ToV2] writes: that of Grafana 13.
const V2Version = "v2"

// ToV2 writes the dashboard as a V2 resource. What V2 cannot say is left out and listed. A V2 dashboard comes back as it is, in an envelope.
func (d *Dashboard) ToV2() (*Node, []Loss) {
	c := converter{d: d}
	spec := d.spec.Clone()
	if d.view == nil {
		spec = c.spec()
	}
	out := NewObject()
	version := V2Version
	if d.view != nil && strings.HasPrefix(d.Version, "v2") {
		version = d.Version
	}
	out.Set("apiVersion", NewString(apiGroup+version))
	out.Set("kind", NewString("Dashboard"))
	out.Set("metadata", c.metadata())
	out.Set("spec", spec)
	return out, c.losses
}

// ToClassic writes the dashboard as a classic object. What classic cannot say (tabs, nesting, conditional rendering, automatic grids, section variables) is
// replaced by what comes nearest, and listed.
func (d *Dashboard) ToClassic() (*Node, []Loss) {
	c := converter{d: d}
	out := d.Root.Clone()
	if d.view != nil {
		c.strip(d.Root, out)
	}
	if d.UID != "" && out.Get("uid").Text() != d.UID {
		out.Remove("uid")
		out.Set("uid", NewString(d.UID))
	}
	c.lostMetadata()
	if d.view != nil {
		if !out.Has("schemaVersion") {
			out.Set("schemaVersion", NewInt(classicSchemaVersion))
		}
		if !out.Has("panels") {
			out.Set("panels", NewArray())
		}
	}
	return out, c.losses
}

// classicSchemaVersion is that of the Grafana that introduced V2, so that no migration of old panels runs over new ones.
const classicSchemaVersion = 42

type converter struct {
	d      *Dashboard
	losses []Loss
}

func (c *converter) lose(at *Node, format string, args ...any) {
	c.losses = append(c.losses, Loss{at.Pos(), fmt.Sprintf(format, args...)})
}

// metadata makes a resource's metadata: that of the file if it is one.
func (c *converter) metadata() *Node {
	if m := c.d.Envelope.Get("metadata"); m.Is(Object) && (c.d.Form == V1Resource || c.d.Form == V2Resource) {
		return m.Clone()
	}
	out := NewObject()
	if c.d.UID != "" {
		out.Set("name", NewString(c.d.UID))
	}
	if c.d.Folder != "" {
		a := NewObject()
		a.Set("grafana.app/folder", NewString(c.d.Folder))
		out.Set("annotations", a)
	}
	return out
}

// lostMetadata lists what a resource's metadata says besides name and what the server gives.
func (c *converter) lostMetadata() {
	if c.d.Form != V1Resource && c.d.Form != V2Resource {
		return
	}
	for n := range c.d.Envelope.Get("metadata").Leaves() {
		if n.key == "name" && n.parent.key == "metadata" || c.d.EnvelopeNoise(n) != nil {
			continue
		}
		if n.key == "grafana.app/folder" {
			c.lose(n, "the folder %q: a classic file does not name its folder", n.Text())
			continue
		}
		if n.Len() == 0 && !n.Scalar() {
			continue
		}
		c.lose(n, "metadata %s", strings.TrimPrefix(n.Pointer(), "/metadata/"))
	}
}

// strip takes out what the view has beyond classic. from is the view's node, out its copy.
func (c *converter) strip(from, out *Node) {
	for _, m := range from.Children() {
		switch {
		case from.Is(Object) && strings.HasPrefix(m.key, "__old_"):
			out.Remove(m.key)
		case from.Is(Object) && isViewKey(m.key):
			out.Remove(m.key)
			c.loseView(m)
		case from == c.d.Root && m.key == "panels", m.key == "panels" && from.Get("type").Text() == "row":
			for i, p := range m.Items() {
				c.strip(p, out.Get("panels").At(i))
			}
		}
	}
	if from.Get("type").Text() == "row" {
		for _, key := range []string{"hideHeader", "fillScreen"} {
			if out.Has(key) {
				out.Remove(key)
				if from.Get(key).Bool() {
					c.lose(from.Get(key), "row %q: %s", from.Get("title").Text(), key)
				}
			}
		}
	}
}

func (c *converter) loseView(m *Node) {
	owner := "the dashboard"
	if p := m.parent; p != c.d.Root {
		noun := "panel"
		if p.Get("type").Text() == "row" {
			noun = "row"
			if p.Get(tabKey).Bool() {
				noun = "tab"
			}
		}
		owner = fmt.Sprintf("%s %q", noun, p.Get("title").Text())
	}
	switch m.key {
	case elementKey:
	case tabKey:
		c.lose(m, "%s: tabs become rows", owner)
	case depthKey:
		c.lose(m, "%s: rows and tabs inside of others stand on one level", owner)
	case conditionKey:
		c.lose(m, "%s: conditional rendering; it is always shown", owner)
	case layoutKey:
		c.lose(m, "%s: settings of the layout (%s); panels keep the places computed from them", owner, strings.Join(keys(m), ", "))
	case sectionVarsKey:
		c.lose(m, "%s: variables of its own", owner)
	case unplacedKey:
		c.lose(m, "%s: stands nowhere in the layout", owner)
	case elementsKey:
		c.lose(m, "%s: the layout names elements that are not there", owner)
	default:
		c.lose(m, "%s: %s", owner, strings.TrimLeft(m.key, "_"))
	}
}

func keys(n *Node) []string {
	var out []string
	for _, m := range n.Children() {
		out = append(out, m.key)
	}
	return out
}

// spec makes a V2 spec of a classic dashboard.
func (c *converter) spec() *Node {
	root := c.d.Root
	out, time := NewObject(), NewObject()
	setOr := func(to *Node, key string, n *Node, otherwise *Node) {
		if n == nil || n.Is(Null) {
			if otherwise != nil {
				to.Set(key, otherwise)
			}
			return
		}
		to.Set(key, n.Clone())
	}
	setOr(out, "title", root.Get("title"), NewString(""))
	setOr(out, "description", root.Get("description"), nil)
	annotations := NewArray()
	for _, a := range root.Path("annotations", "list").Items() {
		annotations.Append(c.annotation(a))
	}
	out.Set("annotations", annotations)
	out.Set("cursorSync", word(root.Get("graphTooltip"), "Off", "Off", "Crosshair", "Tooltip"))
	setOr(out, "editable", root.Get("editable"), nil)
	elements, layout := c.layoutOf()
	out.Set("elements", elements)
	out.Set("layout", layout)
	setOr(out, "links", root.Get("links"), NewArray())
	setOr(out, "liveNow", root.Get("liveNow"), nil)
	setOr(out, "preload", root.Get("preload"), NewBool(false))
	setOr(out, "revision", root.Get("revision"), nil)
	setOr(out, "tags", root.Get("tags"), NewArray())
	picker := root.Get("timepicker")
	setOr(time, "timezone", root.Get("timezone"), nil)
	setOr(time, "from", root.Path("time", "from"), NewString("now-6h"))
	setOr(time, "to", root.Path("time", "to"), NewString("now"))
	refresh := root.Get("refresh")
	if !refresh.Is(String) {
		refresh = nil
	}
	setOr(time, "autoRefresh", refresh, NewString(""))
	setOr(time, "autoRefreshIntervals", picker.Get("refresh_intervals"), refreshIntervals())
	setOr(time, "quickRanges", picker.Get("quick_ranges"), nil)
	setOr(time, "hideTimepicker", picker.Get("hidden"), NewBool(false))
	setOr(time, "weekStart", root.Get("weekStart"), nil)
	setOr(time, "fiscalYearStartMonth", root.Get("fiscalYearStartMonth"), NewInt(0))
	setOr(time, "nowDelay", picker.Get("nowDelay"), nil)
	out.Set("timeSettings", time)
	variables := NewArray()
	for _, v := range root.Path("templating", "list").Items() {
		variables.Append(c.variable(v))
	}
	out.Set("variables", variables)
	known := []string{
		"title", "description", "annotations", "graphTooltip", "editable", "panels", "rows", "links", "liveNow", "preload", "revision", "tags", "timezone", "time", "refresh",
		"timepicker", "weekStart", "fiscalYearStartMonth", "templating", "uid", "hideControls", "sharedCrosshair", "style", "originalTitle", "slug", "meta",
	}
	for _, m := range root.Children() {
		switch {
		case root.Get(m.key) != m || slices.Contains(known, m.key) || c.d.noise(m) != nil:
		case m.key == silenceKey:
			out.Set(m.key, m.Clone())
		case m.Is(Null) || m.Len() == 0 && !m.Scalar():
		default:
			c.lose(m, "the dashboard: %s", m.key)
		}
	}
	for _, m := range picker.Children() {
		switch m.key {
		case "refresh_intervals", "quick_ranges", "hidden", "nowDelay", "time_options", "collapse", "enable", "notice", "now", "status", "type":
		default:
			c.lose(m, "the dashboard: timepicker.%s", m.key)
		}
	}
	return out
}

// silenceKey is Lookout's own member, which silences findings (docs/lint).
const silenceKey = "x-lookout-ignore"

func refreshIntervals() *Node {
	out := NewArray()
	for _, s := range []string{"5s", "10s", "30s", "1m", "5m", "15m", "30m", "1h", "2h", "1d"} {
		out.Append(NewString(s))
	}
	return out
}

// word turns a number into its word; what is neither stays.
func word(n *Node, otherwise string, words ...string) *Node {
	i, ok := n.Int()
	switch {
	case ok && i >= 0 && int(i) < len(words):
		return NewString(words[i])
	case n == nil || n.Is(Null):
		return NewString(otherwise)
	case n.Is(Bool):
		return NewString(words[min(1, len(words)-1)*btoi(n.Bool())])
	}
	return n.Clone()
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// query makes a DataQuery of a reference to a datasource and what is asked.
func query(ref Ref, spec *Node) *Node {
	out := NewObject()
	out.Set("kind", NewString("DataQuery"))
	out.Set("group", NewString(ref.Type))
	out.Set("version", NewString("v0"))
	if ref.Value != "" && ref.Kind != RefNull && ref.Kind != RefAbsent {
		ds := NewObject()
		ds.Set("name", NewString(ref.Value))
		out.Set("datasource", ds)
	}
	out.Set("spec", spec)
	return out
}

func kindSpec(kind string, spec *Node) *Node {
	out := NewObject()
	out.Set("kind", NewString(kind))
	out.Set("spec", spec)
	return out
}

func (c *converter) annotation(a *Node) *Node {
	if !a.Is(Object) {
		return a.Clone()
	}
	spec, legacy := NewObject(), NewObject()
	ref := c.d.Resolve(readRef(a.Get("datasource")))
	target := a.Get("target").Clone()
	if !target.Is(Object) {
		target = NewObject()
	}
	spec.Set("query", query(ref, target))
	spec.Set("enable", NewBool(!a.Get("enable").Is(Bool) || a.Get("enable").Bool()))
	spec.Set("hide", NewBool(a.Get("hide").Bool()))
	for _, m := range a.Children() {
		if a.Get(m.key) != m {
			continue
		}
		switch m.key {
		case "datasource", "target", "enable", "hide":
		case "builtIn":
			spec.Set("builtIn", NewBool(m.Bool() || m.Scalarish() == "1"))
		case "name", "iconColor", "filter", "placement", "mappings":
			spec.Set(m.key, m.Clone())
		default:
			legacy.Set(m.key, m.Clone())
		}
	}
	if !spec.Has("name") {
		spec.Set("name", NewString(""))
	}
	if !spec.Has("iconColor") {
		spec.Set("iconColor", NewString(""))
	}
	if legacy.Len() > 0 {
		spec.Set("legacyOptions", legacy)
	}
	return kindSpec("AnnotationQuery", spec)
}

func (c *converter) variable(v *Node) *Node {
	kind := ""
	for k, t := range variableTypes {
		if t == v.Get("type").Text() {
			kind = k
		}
	}
	if kind == "" || !v.Is(Object) {
		c.lose(v, "variable %q: type %q", v.Get("name").Text(), v.Get("type").Text())
		return v.Clone()
	}
	spec := NewObject()
	out := kindSpec(kind, spec)
	ref := c.d.Resolve(readRef(v.Get("datasource")))
	for _, m := range v.Children() {
		if v.Get(m.key) != m {
			continue
		}
		switch m.key {
		case "type", "datasource", "useTags", "tags", "tagsQuery", "tagValuesQuery", "error", "queryValue":
		case "hide":
			spec.Set("hide", word(m, hideWords[0], hideWords...))
		case "refresh":
			if kind == "QueryVariable" || kind == "DatasourceVariable" || kind == "IntervalVariable" {
				spec.Set("refresh", word(m, refreshWords[0], refreshWords...))
			}
		case "sort":
			spec.Set("sort", word(m, sortWords[0], sortWords...))
		case "query":
			switch {
			case kind == "DatasourceVariable":
				spec.Set("pluginId", m.Clone())
			case kind == "QueryVariable" && m.Is(Object):
				spec.Set("query", query(ref, m.Clone()))
			case kind == "QueryVariable":
				text := NewObject()
				text.Set("__legacyStringValue", m.Clone())
				spec.Set("query", query(ref, text))
			case kind == "SwitchVariable":
			default:
				spec.Set("query", m.Clone())
			}
		case "current":
			if kind != "SwitchVariable" {
				spec.Set("current", m.Clone())
				continue
			}
			if value := DefaultValue(m); len(value) > 0 {
				spec.Set("current", NewString(value[0]))
			}
		case "options":
			if kind != "SwitchVariable" {
				spec.Set("options", m.Clone())
				continue
			}
			for i, key := range []string{"enabledValue", "disabledValue"} {
				if o := m.At(i).Get("value"); o != nil {
					spec.Set(key, NewString(o.Scalarish()))
				}
			}
		default:
			spec.Set(m.key, m.Clone())
		}
	}
	if kind == "AdhocVariable" || kind == "GroupByVariable" {
		out.Set("group", NewString(ref.Type))
		if ref.Value != "" && ref.Kind != RefNull && ref.Kind != RefAbsent {
			ds := NewObject()
			ds.Set("name", NewString(ref.Value))
			out.Set("datasource", ds)
		}
	}
	for _, m := range []struct {
		key string
		n   *Node
	}{{"hide", NewString(hideWords[0])}, {"skipUrlSync", NewBool(false)}} {
		if !spec.Has(m.key) {
			spec.Set(m.key, m.n)
		}
	}
	return out
}

// layoutOf makes elements and layout of the panels.
func (c *converter) layoutOf() (elements, layout *Node) {
	elements = NewObject()
	names := c.names()
	item := func(p *Panel, g Grid, y0 int) *Node {
		name := names[p]
		elements.Set(name, c.element(p, name))
		spec := NewObject()
		for _, m := range []struct {
			key string
			n   int
		}{{"x", g.X}, {"y", g.Y - y0}, {"width", g.W}, {"height", g.H}} {
			spec.Set(m.key, NewInt(int64(m.n)))
		}
		ref := NewObject()
		ref.Set("kind", NewString("ElementReference"))
		ref.Set("name", NewString(name))
		spec.Set("element", ref)
		if p.Repeat != "" {
			rep := NewObject()
			rep.Set("mode", NewString("variable"))
			rep.Set("value", NewString(p.Repeat))
			set(rep, "direction", p.Node.Get("repeatDirection").Clone())
			set(rep, "maxPerRow", p.Node.Get("maxPerRow").Clone())
			spec.Set("repeat", rep)
		}
		return kindSpec("GridLayoutItem", spec)
	}
	grid := func(panels []*Panel, y0 int) *Node {
		items := NewArray()
		bottom := y0
		for _, p := range panels {
			if p.HasGrid {
				bottom = max(bottom, p.Grid.Y+p.Grid.H)
			}
		}
		for _, p := range panels {
			g := p.Grid
			if !p.HasGrid { // V2 gives each element a place: below the others
				g = Grid{0, bottom, 12, 8}
				bottom += g.H
			}
			items.Append(item(p, g, y0))
		}
		spec := NewObject()
		spec.Set("items", items)
		return kindSpec("GridLayout", spec)
	}
	var rows []*Panel
	for _, p := range c.d.Panels {
		if p.IsRow() {
			rows = append(rows, p)
		}
	}
	if len(rows) == 0 {
		return elements, grid(c.d.Panels, 0)
	}
	slices.SortStableFunc(rows, func(a, b *Panel) int { return a.Grid.Y - b.Grid.Y })
	list := NewArray()
	if above := c.d.Children(nil); len(above) > 0 {
		spec := NewObject()
		spec.Set("title", NewString(""))
		spec.Set("collapse", NewBool(false))
		spec.Set("hideHeader", NewBool(true))
		spec.Set("layout", grid(above, 0))
		list.Append(kindSpec("RowsLayoutRow", spec))
	}
	for _, r := range rows {
		spec := NewObject()
		spec.Set("title", NewString(r.Title))
		spec.Set("collapse", NewBool(r.Collapsed))
		if r.Repeat != "" {
			rep := NewObject()
			rep.Set("mode", NewString("variable"))
			rep.Set("value", NewString(r.Repeat))
			spec.Set("repeat", rep)
		}
		spec.Set("layout", grid(c.d.Children(r), c.firstY(r)))
		list.Append(kindSpec("RowsLayoutRow", spec))
	}
	spec := NewObject()
	spec.Set("rows", list)
	return elements, kindSpec("RowsLayout", spec)
}

// firstY is the line of the grid on which a row's panels begin. Those of a collapsed row may have been moved without it.
func (c *converter) firstY(r *Panel) int {
	y := r.Grid.Y + 1
	children := c.d.Children(r)
	if r.Collapsed && len(children) > 0 {
		y = children[0].Grid.Y
	}
	for _, p := range children {
		y = min(y, p.Grid.Y)
	}
	return y
}

// names gives each panel the name of its element: panel-<id>, made unique.
func (c *converter) names() map[*Panel]string {
	names, taken := map[*Panel]string{}, map[string]bool{}
	var highest int64
	for _, p := range c.d.Panels {
		highest = max(highest, p.ID)
	}
	for _, p := range c.d.Panels {
		if p.IsRow() {
			continue
		}
		name := "panel-" + strconv.FormatInt(p.ID, 10)
		for !p.HasID || p.ID <= 0 && taken[name] || taken[name] {
			highest++
			name = "panel-" + strconv.FormatInt(highest, 10)
			if !taken[name] {
				break
			}
		}
		taken[name] = true
		names[p] = name
	}
	return names
}

// The members of a classic panel that have a place in a V2 element.
var (
	elementMembers = []string{"title", "description", "subtitle", "links", "transparent", silenceKey}
	queryOptions   = []string{"timeFrom", "timeTo", "maxDataPoints", "timeShift", "queryCachingTTL", "interval", "cacheTimeout", "hideTimeOverride", "timeCompare"}
	placeMembers   = []string{
		"id", "gridPos", "type", "targets", "datasource", "transformations", "options", "fieldConfig", "pluginVersion", "repeat", "repeatDirection", "maxPerRow", "libraryPanel",
		"span", "height", "editable", "error", "isNew", "scopedVars", "repeatIteration", "repeatPanelId", "repeatedByRow", "minSpan",
	}
)

// dataless are types of panels that ask nothing, whatever datasource they name.
var dataless = []string{"text", "dashlist", "alertlist", "news", "welcome", "gettingstarted", "annolist", "debug"}

func (c *converter) element(p *Panel, name string) *Node {
	n, spec := p.Node, NewObject()
	id, _ := strconv.ParseInt(strings.TrimPrefix(name, "panel-"), 10, 64)
	spec.Set("id", NewInt(id))
	if p.LibraryNode != nil {
		spec.Set("title", NewString(p.Title))
		ref := NewObject()
		ref.Set("name", NewString(p.LibraryNode.Get("name").Text()))
		ref.Set("uid", NewString(p.LibraryNode.Get("uid").Text()))
		spec.Set("libraryPanel", ref)
		return kindSpec("LibraryPanel", spec)
	}
	spec.Set("title", NewString(p.Title))
	for _, key := range elementMembers[1:] {
		if m := n.Get(key); m != nil && !m.Is(Null) {
			spec.Set(key, m.Clone())
		}
	}
	if !spec.Has("links") {
		spec.Set("links", NewArray())
	}
	queries := NewArray()
	for _, t := range p.Targets {
		q := NewObject()
		ask := NewObject()
		copyRest(ask, t.Node, "refId", "hide", "datasource")
		q.Set("query", query(c.d.Datasource(p, t), ask))
		q.Set("refId", NewString(t.RefID))
		q.Set("hidden", NewBool(t.Hide))
		queries.Append(kindSpec("PanelQuery", q))
	}
	if (p.Datasource.Value != "" || p.Datasource.Kind == RefInvalid) && len(p.Targets) == 0 && !slices.Contains(dataless, p.Type) {
		c.lose(p.Datasource.Node, "panel %q: the datasource %s, since it has no query", p.Name(), p.Datasource.Node.Compact())
	}
	transformations := NewArray()
	for _, t := range p.Transforms {
		ts := NewObject()
		copyRest(ts, t, "id")
		kind := NewObject()
		kind.Set("kind", NewString("Transformation"))
		set(kind, "group", t.Get("id").Clone())
		kind.Set("spec", ts)
		transformations.Append(kind)
	}
	options := NewObject()
	for _, key := range queryOptions {
		if m := n.Get(key); m != nil && !m.Is(Null) {
			options.Set(key, m.Clone())
		}
	}
	data := NewObject()
	data.Set("queries", queries)
	data.Set("transformations", transformations)
	data.Set("queryOptions", options)
	spec.Set("data", kindSpec("QueryGroup", data))
	viz, vs := NewObject(), NewObject()
	vs.Set("options", objectOr(n.Get("options")))
	field := objectOr(n.Get("fieldConfig"))
	if !field.Has("defaults") {
		field.Set("defaults", NewObject())
	}
	if !field.Has("overrides") {
		field.Set("overrides", NewArray())
	}
	vs.Set("fieldConfig", field)
	viz.Set("kind", NewString("VizConfig"))
	viz.Set("group", NewString(p.Type))
	viz.Set("version", NewString(n.Get("pluginVersion").Text()))
	viz.Set("spec", vs)
	spec.Set("vizConfig", viz)
	var lost []string
	for _, m := range n.Children() {
		if n.Get(m.key) == m && !slices.Contains(elementMembers, m.key) && !slices.Contains(queryOptions, m.key) && !slices.Contains(placeMembers, m.key) &&
			!m.Is(Null) && (m.Scalar() || m.Len() > 0) && !strings.HasPrefix(m.key, "$$") {
			lost = append(lost, m.key)
		}
	}
	if len(lost) > 0 {
		c.lose(n, "panel %q (%s): %s", p.Name(), p.Type, strings.Join(lost, ", "))
	}
	return kindSpec("Panel", spec)
}

func objectOr(n *Node) *Node {
	if n.Is(Object) {
		return n.Clone()
	}
	return NewObject()
}

package dashboard

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

// ErrNotDashboard is what errors.Is finds in the *[ShapeError] that [Read] returns for JSON that is something else.
var ErrNotDashboard = errors.New("not a dashboard")

// Dashboard is the model of one dashboard file.
type Dashboard struct {
	Doc *Document
	// Form is how the file says it, Version the version of its API ("v2beta1"; "" without an envelope).
	Form    Form
	Version string
	// Root is the classic dashboard object. It is below the document's root if the file is an answer of Grafana's API ({"dashboard": …}) or
	// a V1 resource ({"spec": …}); of a V2 dashboard it is made from the elements and the layout, with the places they have in the file.
	Root *Node
	// Envelope is the resource or API answer around the dashboard, nil if there is none.
	Envelope *Node

	// UID is the resource's metadata.name, else the object's uid; UIDNode is where it stands, nil if it has none.
	UID, Title string
	UIDNode    *Node
	// Folder is the uid of the folder that a resource names.
	Folder string
	// SchemaVersion is 0 if there is none; strings are understood.
	SchemaVersion int
	// Panels are all panels in file order, rows included, each row before what it holds.
	Panels      []*Panel
	Variables   []*Variable
	Annotations []*Annotation
	Links       []*Link
	Inputs      []*Input

	variables map[string]*Variable
	inputs    map[string]*Input
	// spec and view are set for V2: the spec in the file, and the classic object made of it.
	spec, view *Node
}

// File is the name the dashboard was read under.
func (d *Dashboard) File() string { return d.Doc.File }

// Name is what a person calls the dashboard: its title, else its uid, else its file.
func (d *Dashboard) Name() string { return cmp.Or(d.Title, d.UID, d.Doc.File) }

// Variable is the template variable of that name, nil if there is none.
func (d *Dashboard) Variable(name string) *Variable { return d.variables[name] }

// Input is the entry of __inputs of that name ("DS_PROMETHEUS"), nil if there is none.
func (d *Dashboard) Input(name string) *Input { return d.inputs[name] }

// Panel is one panel or row.
type Panel struct {
	Node  *Node
	Type  string // "timeseries"; old exports have "graph", "singlestat", …; "row" for rows of all generations
	Title string
	// Description may hold Markdown.
	Description string
	// ID is the panel's number; HasID is false if it is absent, null or no whole number. IDs lie: don't take them for an identity.
	ID    int64
	HasID bool
	// Row is the row the panel stands in: the one that holds it when collapsed or old-style, else the last one above it. nil before
	// the first row.
	Row *Panel
	// Nested means the JSON stands inside another panel (a collapsed row's "panels").
	Nested bool
	// OldRow means the JSON stands in, or is, an element of "rows", which Grafana gave up with schemaVersion 16.
	OldRow bool
	// Collapsed is meaningful for rows.
	Collapsed bool
	// Tab means that a row is a tab of a V2 layout. Depth is how many rows and tabs it stands in, itself included; 1 for classic rows.
	Tab   bool
	Depth int
	// Outer is the row or tab that a row of a V2 layout stands in.
	Outer *Panel
	// Element is the element's name in a V2 dashboard where it is not panel-<id>; Unplaced means that its layout does not show it.
	Element  string
	Unplaced bool
	// Condition says when a V2 dashboard shows it; nil means always.
	Condition *Node
	// Grid is the place on the 24-column grid; for OldRow panels it is computed from span and height as Grafana's migration does.
	Grid Grid
	// HasGrid is false if there is no usable gridPos.
	HasGrid bool
	// Repeat is the variable that the panel or row is repeated for.
	Repeat string
	// Datasource is what the panel itself names; see [Dashboard.Datasource] for what counts.
	Datasource Ref
	Targets    []*Target
	Links      []*Link
	// Library is the library panel's uid when the content lives in Grafana, not in the file.
	Library     string
	LibraryNode *Node
	// Unit is the unit of the panel's default field ("bytes"), or of the left axis of an old graph; UnitNode is nil if none is set.
	Unit       string
	UnitNode   *Node
	Thresholds []*Threshold
	Transforms []*Node
	Overrides  []*Node
}

// IsRow tells whether the panel is a row of any generation.
func (p *Panel) IsRow() bool { return p.Type == "row" }

// Name is what a person calls the panel: its title, else its type.
func (p *Panel) Name() string {
	if p == nil {
		return ""
	}
	return cmp.Or(p.Title, p.Type)
}

// Grid is a place on Grafana's grid: 24 columns wide, one unit of height is 30 pixels and 8 pixels of gap.
type Grid struct{ X, Y, W, H int }

// Overlaps tells whether two places share a cell.
func (g Grid) Overlaps(o Grid) bool {
	return g.X < o.X+o.W && o.X < g.X+g.W && g.Y < o.Y+o.H && o.Y < g.Y+g.H
}

// Target is one query of a panel.
type Target struct {
	Node  *Node
	Panel *Panel
	RefID string
	// Expr is the query text, ExprNode the leaf it stands in; nil if the target has none (it names another panel, or is of a language
	// that is not text).
	Expr     string
	ExprNode *Node
	Hide     bool
	Instant  bool
	Legend   string
	Format   string
	// Interval is the minimum step, as written ("30s", "$interval").
	Interval   string
	Datasource Ref
}

// Threshold is one step of a panel's thresholds.
type Threshold struct {
	Node *Node
	// Value is nil-able: the first step of a list holds null and means minus infinity; then HasValue is false.
	Value    float64
	HasValue bool
	Color    string
	// Override is the field override the step belongs to, nil for the panel's own.
	Override *Node
	// Percentage means that the value is a percentage of the range between min and max.
	Percentage bool
	// Old means graph's or singlestat's form.
	Old bool
}

// Annotation is one annotation query.
type Annotation struct {
	Node *Node
	Name string
	// BuiltIn is Grafana's own "Annotations & Alerts".
	BuiltIn    bool
	Enabled    bool
	Expr       string
	ExprNode   *Node
	Datasource Ref
}

// Link is a link of the dashboard, of a panel or of a field (data link).
type Link struct {
	Node  *Node
	Title string
	URL   string
	// Type is "link" or "dashboards" for the dashboard's own.
	Type string
	Tags []string
}

// Input is an entry of __inputs: what a published dashboard wants replaced when it is imported.
type Input struct {
	Node               *Node
	Name, Label, Type  string
	PluginID, PluginNm string
	Value              string
}

// Read models a parsed document. JSON that is something else gives a *[ShapeError].
func Read(doc *Document) (*Dashboard, error) {
	sh, err := detect(doc)
	if err != nil {
		return nil, err
	}
	d := &Dashboard{
		Doc: doc, Root: sh.root, Form: sh.form, Version: sh.version, Envelope: sh.envelope,
		variables: map[string]*Variable{}, inputs: map[string]*Input{},
	}
	if sh.form.IsV2() {
		d.spec, d.view = sh.root, view(sh.root)
		d.Root = d.view
	}
	if d.Envelope == nil && sh.root != doc.Root {
		d.Envelope = doc.Root
	}
	root := d.Root
	d.Title = root.Get("title").Text()
	d.readIdentity()
	if v, ok := root.Get("schemaVersion").Int(); ok {
		d.SchemaVersion = int(v)
	}
	for _, n := range root.Get("__inputs").Items() {
		in := &Input{
			Node: n, Name: n.Get("name").Text(), Label: n.Get("label").Text(), Type: n.Get("type").Text(),
			PluginID: n.Get("pluginId").Text(), PluginNm: n.Get("pluginName").Text(), Value: n.Get("value").Scalarish(),
		}
		d.Inputs = append(d.Inputs, in)
		if in.Name != "" {
			d.inputs[in.Name] = in
		}
	}
	for _, n := range root.Path("templating", "list").Items() {
		if v := readVariable(n); v != nil {
			d.Variables = append(d.Variables, v)
			if _, dup := d.variables[v.Name]; !dup && v.Name != "" {
				d.variables[v.Name] = v
			}
		}
	}
	for _, n := range root.Path("annotations", "list").Items() {
		if n.Is(Object) {
			d.Annotations = append(d.Annotations, readAnnotation(n))
		}
	}
	d.Links = readLinks(root.Get("links"), nil)
	d.readSectionVariables(root.Get("panels"))
	d.readRows()
	for _, n := range root.Get("panels").Items() {
		d.readPanel(n, nil, false)
	}
	d.assignRows()
	return d, nil
}

// Load parses and models in one step. Errors are *[SyntaxError] or [ErrNotDashboard].
func Load(file string, data []byte) (*Dashboard, error) {
	doc, err := Parse(file, data)
	if err != nil {
		return nil, err
	}
	return Read(doc)
}

// readIdentity finds uid and folder: a resource's metadata counts more than what its spec says.
func (d *Dashboard) readIdentity() {
	d.UIDNode = d.Root.Get("uid")
	meta := d.Envelope.Get("metadata")
	if d.Form == V1Resource || d.Form == V2Resource {
		if name := meta.Get("name"); name.Text() != "" {
			d.UIDNode = name
		}
		d.Folder = meta.Path("annotations", "grafana.app/folder").Text()
	} else {
		d.Folder = d.Envelope.Path("meta", "folderUid").Text()
	}
	d.UID = d.UIDNode.Text()
}

// readSectionVariables adds the variables that rows and tabs of a V2 layout have for themselves.
func (d *Dashboard) readSectionVariables(panels *Node) {
	for _, p := range panels.Items() {
		for _, n := range p.Get(sectionVarsKey).Items() {
			if v := readVariable(n); v != nil {
				v.Section = p
				d.Variables = append(d.Variables, v)
				if _, dup := d.variables[v.Name]; !dup && v.Name != "" {
					d.variables[v.Name] = v
				}
			}
		}
		d.readSectionVariables(p.Get("panels"))
	}
}

// looksLikeDashboard recognises a classic dashboard. Two of the members that only dashboards have must be there, or "panels"
// or "rows" with a title: an alert rule file or a package.json has neither.
func looksLikeDashboard(n *Node) bool {
	if !n.Is(Object) {
		return false
	}
	score := 0
	for _, key := range []string{"schemaVersion", "templating", "annotations", "timepicker", "time", "graphTooltip", "__inputs"} {
		if n.Has(key) {
			score++
		}
	}
	panels := n.Get("panels").Is(Array) || n.Get("rows").Is(Array)
	// A library panel's model has targets and a type of its own.
	if n.Has("targets") && n.Get("type").Is(String) {
		return false
	}
	return panels && (score >= 1 || n.Get("title").Is(String)) || score >= 2 && n.Has("title")
}

func (d *Dashboard) readRows() {
	y := 0
	for _, n := range d.Root.Get("rows").Items() {
		if !n.Is(Object) {
			continue
		}
		row := d.newPanel(n)
		row.Type, row.OldRow = "row", true
		row.Collapsed = n.Get("collapse").Bool()
		row.Repeat = n.Get("repeat").Text()
		row.Grid, row.HasGrid = Grid{0, y, 24, 1}, true
		d.Panels = append(d.Panels, row)
		y++
		x, height := 0, 0
		rowHeight := oldHeight(n.Get("height"), 250)
		for _, pn := range n.Get("panels").Items() {
			if !pn.Is(Object) {
				continue
			}
			p := d.readPanel(pn, row, true)
			if p.HasGrid {
				continue
			}
			span := 4.0
			if s, ok := pn.Get("span").Float(); ok && s > 0 {
				span = min(s, 12)
			}
			w, h := max(int(span*2), 2), oldHeight(pn.Get("height"), rowHeight)
			if x+w > 24 {
				x, y, height = 0, y+height, 0
			}
			p.Grid, p.HasGrid = Grid{x, y, w, h}, true
			x, height = x+w, max(height, h)
		}
		y += height
	}
}

// oldHeight converts pixels ("250px", 250) into grid units the way Grafana's migration of rows does; a value below
// the default of 100 px counts as 3 units.
func oldHeight(n *Node, inherited int) int {
	px, ok := n.Float()
	if !ok {
		if i, isInt := NewString(strings.TrimSuffix(n.Text(), "px")).Int(); isInt {
			px, ok = float64(i), true
		}
	}
	if !ok || px <= 0 || px > 1e5 {
		if inherited > 50 { // the row's default is given in pixels
			return oldHeight(NewInt(int64(inherited)), 0)
		}
		return inherited
	}
	// A unit with its gap is 38 px.
	return max(int((px+37)/38), 3)
}

func (d *Dashboard) newPanel(n *Node) *Panel {
	p := &Panel{
		Node: n, Type: n.Get("type").Text(), Title: n.Get("title").Text(), Description: n.Get("description").Text(),
		Repeat: n.Get("repeat").Text(), Collapsed: n.Get("collapsed").Bool(),
		Datasource: readRef(n.Get("datasource")), Depth: 1,
		Tab: n.Get(tabKey).Bool(), Element: n.Get(elementKey).Text(), Unplaced: n.Get(unplacedKey).Bool(), Condition: n.Get(conditionKey),
	}
	if depth, ok := n.Get(depthKey).Int(); ok {
		p.Depth = int(depth)
	}
	p.ID, p.HasID = n.Get("id").Int()
	return p
}

func (d *Dashboard) readPanel(n *Node, row *Panel, old bool) *Panel {
	if !n.Is(Object) {
		return nil
	}
	p := d.newPanel(n)
	p.Row, p.OldRow, p.Nested = row, old, row != nil && !old
	if g := n.Get("gridPos"); g.Is(Object) {
		p.HasGrid = true
		for i, to := range [...]*int{&p.Grid.X, &p.Grid.Y, &p.Grid.W, &p.Grid.H} {
			key := "xywh"[i : i+1]
			f, ok := g.Get(key).Float()
			if !ok {
				i, isInt := g.Get(key).Int()
				f, ok = float64(i), isInt
			}
			// x and y may be left out; a panel without a size has no place.
			if !ok && (key == "w" || key == "h") || f < -1e6 || f > 1e6 {
				p.HasGrid = false
				continue
			}
			*to = int(f)
		}
	}
	if lp := n.Get("libraryPanel"); lp.Is(Object) {
		p.Library, p.LibraryNode = cmp.Or(lp.Get("uid").Text(), lp.Get("name").Text()), lp
	}
	for _, t := range n.Get("targets").Items() {
		if t.Is(Object) {
			p.Targets = append(p.Targets, readTarget(t, p))
		}
	}
	p.Links = readLinks(n.Get("links"), p.Links)
	p.Links = readLinks(n.Path("fieldConfig", "defaults", "links"), p.Links)
	p.Links = readLinks(n.Path("options", "dataLinks"), p.Links)
	p.readUnit()
	p.readThresholds()
	for _, t := range n.Get("transformations").Items() {
		p.Transforms = append(p.Transforms, t)
	}
	for _, o := range n.Path("fieldConfig", "overrides").Items() {
		p.Overrides = append(p.Overrides, o)
		for _, prop := range o.Get("properties").Items() {
			if prop.Get("id").Text() == "links" {
				p.Links = readLinks(prop.Get("value"), p.Links)
			}
		}
	}
	d.Panels = append(d.Panels, p)
	if !old {
		holder := row
		if p.IsRow() {
			holder = p
		}
		for _, c := range n.Get("panels").Items() {
			d.readPanel(c, holder, false)
		}
	}
	return p
}

func (p *Panel) readUnit() {
	candidates := []*Node{p.Node.Path("fieldConfig", "defaults", "unit"), p.Node.Path("options", "fieldOptions", "defaults", "unit")}
	switch p.Type {
	case "graph":
		candidates = append(candidates, p.Node.Get("yaxes").At(0).Get("format"), p.Node.Get("y_formats").At(0))
	case "singlestat", "gauge", "bargauge", "grafana-piechart-panel", "grafana-singlestat-panel":
		candidates = append(candidates, p.Node.Get("format"), p.Node.Path("options", "unit"))
	case "heatmap":
		candidates = append(candidates, p.Node.Path("options", "yAxis", "unit"), p.Node.Path("yAxis", "format"))
	}
	for _, c := range candidates {
		if c.Is(String) {
			p.Unit, p.UnitNode = c.Text(), c
			return
		}
	}
}

// thresholdValue is a number, or a string that holds one: generators write such, and the browser compares it as a number.
func thresholdValue(n *Node) (float64, bool) {
	if n.Is(String) {
		return (&Node{kind: Number, text: strings.TrimSpace(n.Text())}).Float()
	}
	return n.Float()
}

func (p *Panel) readThresholds() {
	steps := func(t, override *Node) {
		for _, s := range t.Get("steps").Items() {
			if !s.Is(Object) {
				continue
			}
			step := &Threshold{Node: s, Color: s.Get("color").Text(), Override: override, Percentage: t.Get("mode").Text() == "percentage"}
			step.Value, step.HasValue = thresholdValue(s.Get("value"))
			p.Thresholds = append(p.Thresholds, step)
		}
	}
	steps(p.Node.Path("fieldConfig", "defaults", "thresholds"), nil)
	steps(p.Node.Path("options", "fieldOptions", "defaults", "thresholds"), nil)
	for _, o := range p.Node.Path("fieldConfig", "overrides").Items() {
		for _, prop := range o.Get("properties").Items() {
			if prop.Get("id").Text() == "thresholds" {
				steps(prop.Get("value"), o)
			}
		}
	}
	switch old := p.Node.Get("thresholds"); old.Kind() {
	case Array: // graph
		for _, s := range old.Items() {
			if !s.Is(Object) {
				continue
			}
			step := &Threshold{Node: s, Old: true, Color: cmp.Or(s.Get("lineColor").Text(), s.Get("colorMode").Text())}
			step.Value, step.HasValue = s.Get("value").Float()
			p.Thresholds = append(p.Thresholds, step)
		}
	case String: // singlestat: "50,80"
		for part := range strings.SplitSeq(old.Text(), ",") {
			if part = strings.TrimSpace(part); part == "" {
				continue
			}
			step := &Threshold{Node: old, Old: true}
			step.Value, step.HasValue = (&Node{kind: Number, text: part}).Float()
			p.Thresholds = append(p.Thresholds, step)
		}
	}
}

func readTarget(n *Node, p *Panel) *Target {
	t := &Target{
		Node: n, Panel: p, RefID: n.Get("refId").Text(), Hide: n.Get("hide").Bool(), Instant: n.Get("instant").Bool(),
		Legend: n.Get("legendFormat").Text(), Format: n.Get("format").Text(), Interval: n.Get("interval").Scalarish(),
		Datasource: readRef(n.Get("datasource")),
	}
	if e := n.Get("expr"); e.Is(String) {
		t.Expr, t.ExprNode = e.Text(), e
	}
	return t
}

func readAnnotation(n *Node) *Annotation {
	a := &Annotation{Node: n, Name: n.Get("name").Text(), Datasource: readRef(n.Get("datasource"))}
	if b := n.Get("builtIn"); b.Bool() || b.Scalarish() == "1" {
		a.BuiltIn = true
	}
	a.Enabled = !n.Get("enable").Is(Bool) || n.Get("enable").Bool()
	for _, e := range []*Node{n.Get("expr"), n.Path("target", "expr")} {
		if e.Is(String) && (a.ExprNode == nil || a.Expr == "") {
			a.Expr, a.ExprNode = e.Text(), e
		}
	}
	return a
}

func readLinks(list *Node, to []*Link) []*Link {
	for _, n := range list.Items() {
		if !n.Is(Object) {
			continue
		}
		l := &Link{Node: n, Title: n.Get("title").Text(), URL: n.Get("url").Text(), Type: n.Get("type").Text()}
		for _, t := range n.Get("tags").Items() {
			l.Tags = append(l.Tags, t.Text())
		}
		to = append(to, l)
	}
	return to
}

// assignRows finds the row above each panel that is not held by one. Grafana orders panels by their place on the grid and gives
// what follows a row to that row; a panel without a place keeps its place in the file.
func (d *Dashboard) assignRows() {
	var top []*Panel
	placed := true
	for _, p := range d.Panels {
		if !p.Nested && !p.OldRow {
			top = append(top, p)
			placed = placed && p.HasGrid
		}
	}
	if placed {
		slices.SortStableFunc(top, func(a, b *Panel) int {
			return cmp.Or(cmp.Compare(a.Grid.Y, b.Grid.Y), cmp.Compare(a.Grid.X, b.Grid.X))
		})
	}
	var row *Panel
	var open []*Panel // the rows that the next one may stand in
	for _, p := range top {
		switch {
		case p.IsRow():
			row = p
			for len(open) > 0 && open[len(open)-1].Depth >= p.Depth {
				open = open[:len(open)-1]
			}
			if len(open) > 0 {
				p.Outer = open[len(open)-1]
			}
			open = append(open, p)
		case row != nil && !row.Collapsed:
			p.Row = row
		}
	}
}

// Children are the panels whose Row is row, in file order. Rows themselves are not among them.
func (d *Dashboard) Children(row *Panel) []*Panel {
	var out []*Panel
	for _, p := range d.Panels {
		if p.Row == row && !p.IsRow() {
			out = append(out, p)
		}
	}
	return out
}

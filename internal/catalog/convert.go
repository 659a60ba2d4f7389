package catalog

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"lookout/internal/dashboard"
)

// Options say how a published dashboard becomes one of ours.
type Options struct {
	// UID is the dashboard's from now on.
	UID string
	// Inputs are values of the constants that a published dashboard asks for, by name.
	Inputs map[string]string
}

// variableName is the template variable by which our dashboards select their datasource.
const variableName = "datasource"

// Convert turns a published dashboard into one of ours: what __inputs asks for is filled in, every reference to a Prometheus becomes the variable
// "datasource", library panels are put in place, and what only says which Grafana saved the file is dropped. The same input gives the same bytes. notes are
// what a person should look at.
func Convert(file string, data []byte, opts Options) (out []byte, notes []string, err error) {
	published, err := dashboard.Load(file, data)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	c := converter{opts: opts}
	if published.Form.IsV2() {
		return c.v2(file, published)
	}
	root := published.Root.Clone()
	if err := c.inputs(published, root); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	c.libraryPanels(root)
	for _, key := range []string{"__inputs", "__requires", "__elements", "id", "gnetId", "version", "iteration", "slug", "meta"} {
		root.Remove(key)
	}
	// Now that the inputs are gone the rest is looked at through the model.
	d, err := dashboard.Load(file, root.JSON())
	if err != nil {
		return nil, nil, err
	}
	c.datasources(d)
	c.links(d.Root, published.UID)
	d.Root.Set("uid", dashboard.NewString(opts.UID))
	// Edits in Grafana come back by "lookout pull".
	d.Root.Set("editable", dashboard.NewBool(false))
	d, err = dashboard.Load(file, d.Root.Clone().JSON())
	if err != nil {
		return nil, nil, err
	}
	out = d.Canonical()
	if left := unfilled.Find(out); left != nil {
		return nil, nil, fmt.Errorf("%s: %s is still in it, and __inputs does not say what it stands for; replace it in the file by the variable ${%s}", file, left, variableName)
	}
	return out, c.notes, nil
}

// unfilled is a placeholder of a published dashboard that nothing filled in.
var unfilled = regexp.MustCompile(`\$\{DS_[\w-]+\}`)

// v2 takes a V2 dashboard in: in its envelope, under the uid that it gets here. What it names directly stays, and is noted.
func (c *converter) v2(file string, published *dashboard.Dashboard) (out []byte, notes []string, err error) {
	root, _ := published.ToV2()
	meta := root.Get("metadata")
	for _, key := range []string{"namespace", "annotations", "labels"} {
		meta.Remove(key)
	}
	meta.Set("name", dashboard.NewString(c.opts.UID))
	c.links(root.Get("spec"), published.UID)
	root.Get("spec").Set("editable", dashboard.NewBool(false))
	d, err := dashboard.Load(file, root.JSON())
	if err != nil {
		return nil, nil, err
	}
	out = d.Canonical()
	if left := unfilled.Find(out); left != nil {
		return nil, nil, fmt.Errorf("%s: %s is still in it; replace it in the file by the variable ${%s}", file, left, variableName)
	}
	for _, p := range d.Panels {
		for _, t := range p.Targets {
			if r := d.Datasource(p, t); r.Kind == dashboard.RefUID {
				c.note("the datasource %q is named directly; make it a variable", r.Value)
			}
		}
	}
	return out, c.notes, nil
}

type converter struct {
	opts  Options
	notes []string
}

func (c *converter) note(format string, args ...any) {
	if s := fmt.Sprintf(format, args...); !slices.Contains(c.notes, s) {
		c.notes = append(c.notes, s)
	}
}

// inputs fills in what __inputs asks for: datasources become variables, constants their values.
func (c *converter) inputs(d *dashboard.Dashboard, root *dashboard.Node) error {
	replace, plugins := map[string]string{}, map[string]int{}
	for _, in := range d.Inputs {
		if in.Name == "" {
			continue
		}
		switch in.Type {
		case "datasource":
			if in.PluginID == "__expr__" { // built in
				replace[in.Name] = "__expr__"
				continue
			}
			name := variableName
			if in.PluginID != "prometheus" {
				name = variableName + "_" + word.ReplaceAllString(in.PluginID, "_")
			}
			// A second input of one plugin is another datasource: the publisher asks for two.
			if plugins[in.PluginID]++; plugins[in.PluginID] > 1 {
				name += "_" + strings.ToLower(word.ReplaceAllString(strings.TrimPrefix(in.Name, "DS_"), "_"))
			}
			used := strings.Contains(d.Doc.Source, "{"+in.Name) || strings.Contains(d.Doc.Source, "$"+in.Name) || strings.Contains(d.Doc.Source, "[["+in.Name)
			if name != variableName && used {
				c.addVariable(root, name, in.PluginID)
				c.note("it also wants a datasource of type %s (%s), which variable %s selects", in.PluginID, cmp.Or(in.Label, in.Name), name)
			}
			replace[in.Name] = "${" + name + "}"
		default:
			value, given := c.opts.Inputs[in.Name]
			if !given {
				value = in.Value
			}
			if value == "" && !given {
				return fmt.Errorf("the dashboard asks for %s (%s); give --input %s=VALUE", in.Name, in.Label, in.Name)
			}
			replace[in.Name] = value
		}
	}
	for name := range c.opts.Inputs {
		if d.Input(name) == nil {
			return fmt.Errorf("--input %s: the dashboard asks for no such input", name)
		}
	}
	if len(replace) > 0 {
		rewrite(root, func(s string) string {
			return reference.ReplaceAllStringFunc(s, func(m string) string {
				if to, ok := replace[nameOf(m)]; ok {
					return to
				}
				return m
			})
		})
	}
	return nil
}

// toDashboard is the address of a dashboard in a link.
var toDashboard = regexp.MustCompile(`(^|[^a-zA-Z0-9_-])(d|d-solo)/([a-zA-Z0-9_-]{1,40})(/|\?|$)`)

// links lets a dashboard's links to itself follow its new uid, and notes those to others, which may not be here.
func (c *converter) links(root *dashboard.Node, was string) {
	rewrite(root, func(s string) string {
		if !strings.Contains(s, "d/") && !strings.Contains(s, "d-solo/") {
			return s
		}
		return toDashboard.ReplaceAllStringFunc(s, func(link string) string {
			m := toDashboard.FindStringSubmatch(link)
			switch {
			case m[3] == was && was != "":
				return m[1] + m[2] + "/" + c.opts.UID + m[4]
			case m[3] != c.opts.UID && m[1] == "/":
				c.note("it links to the dashboard %s; import that with --uid %s, or change the link", m[3], m[3])
			}
			return link
		})
	})
}

var (
	word = regexp.MustCompile(`[^a-zA-Z0-9_]+`)
	// reference is a use of a variable or an input: $name, ${name}, ${name:format}, [[name]].
	reference = regexp.MustCompile(`\$\w+|\$\{[\w-]+(?::\w+)?\}|\[\[[\w-]+(?::\w+)?\]\]`)
)

func nameOf(ref string) string {
	name, _, _ := strings.Cut(strings.Trim(ref, "${}[]"), ":")
	return name
}

// rewrite changes all texts below a node.
func rewrite(n *dashboard.Node, f func(string) string) {
	n.Walk(func(m *dashboard.Node) bool {
		if !m.Is(dashboard.String) || m.Parent() == nil {
			return true
		}
		if to := f(m.Text()); to != m.Text() {
			m.Replace(dashboard.NewString(to))
		}
		return true
	})
}

func (c *converter) addVariable(root *dashboard.Node, name, plugin string) {
	templating := root.Get("templating")
	if !templating.Is(dashboard.Object) {
		templating = dashboard.NewObject()
		root.Set("templating", templating)
	}
	list := templating.Get("list")
	if !list.Is(dashboard.Array) {
		list = dashboard.NewArray()
		templating.Set("list", list)
	}
	for _, v := range list.Items() {
		if v.Get("name").Text() == name {
			return
		}
	}
	v := dashboard.NewObject()
	v.Set("hide", dashboard.NewInt(0))
	v.Set("includeAll", dashboard.NewBool(false))
	v.Set("label", dashboard.NewString("Datasource"))
	v.Set("multi", dashboard.NewBool(false))
	v.Set("name", dashboard.NewString(name))
	v.Set("query", dashboard.NewString(plugin))
	v.Set("refresh", dashboard.NewInt(1))
	v.Set("regex", dashboard.NewString(""))
	v.Set("type", dashboard.NewString("datasource"))
	// The variable comes first: the others are asked of it.
	list.Insert(0, "", v)
}

// libraryPanels puts the panels that were exported beside the dashboard in their place.
func (c *converter) libraryPanels(root *dashboard.Node) {
	elements := root.Get("__elements")
	var visit func(list *dashboard.Node)
	visit = func(list *dashboard.Node) {
		for _, p := range list.Items() {
			visit(p.Get("panels"))
			lib := p.Get("libraryPanel")
			if lib == nil {
				continue
			}
			uid := lib.Get("uid").Text()
			model := elements.Get(uid).Get("model")
			if !model.Is(dashboard.Object) {
				for _, e := range elements.Items() { // an array before Grafana 9.2
					if e.Get("uid").Text() == uid {
						model = e.Get("model")
					}
				}
			}
			if !model.Is(dashboard.Object) {
				c.note("library panel %q was not exported with the dashboard; the panel stays empty until it is made", lib.Get("name").Text())
				continue
			}
			for _, m := range model.Children() {
				if m.Key() != "id" && m.Key() != "gridPos" && m.Key() != "libraryPanel" {
					p.Set(m.Key(), m.Clone())
				}
			}
			p.Remove("libraryPanel")
		}
	}
	visit(root.Get("panels"))
}

// datasources makes every reference to a Prometheus the variable "datasource".
func (c *converter) datasources(d *dashboard.Dashboard) {
	// A variable of the author's for the same thing takes our name.
	for _, v := range d.Variables {
		if v.Type == "datasource" && v.Query == "prometheus" && v.Name != variableName && !strings.HasPrefix(v.Name, variableName+"_") && d.Variable(variableName) == nil {
			was := v.Name
			rewrite(d.Root, func(s string) string {
				return reference.ReplaceAllStringFunc(s, func(m string) string {
					if nameOf(m) == was {
						return "${" + variableName + "}"
					}
					return m
				})
			})
			for _, n := range d.Root.Path("templating", "list").Items() {
				if n.Get("name").Text() == was {
					n.Set("name", dashboard.NewString(variableName))
				}
			}
			break
		}
	}
	d, _ = dashboard.Read(&dashboard.Document{File: d.File(), Root: d.Root})
	ours := func() *dashboard.Node {
		ref := dashboard.NewObject()
		ref.Set("type", dashboard.NewString("prometheus"))
		ref.Set("uid", dashboard.NewString("${"+variableName+"}"))
		return ref
	}
	// prometheus tells the references to replace; asks means that the owner holds a query without saying whom it asks.
	fix := func(owner *dashboard.Node, ref dashboard.Ref, asks bool) {
		ref = d.Resolve(ref)
		switch ref.Kind {
		case dashboard.RefAbsent, dashboard.RefNull:
			if !asks {
				return
			}
		case dashboard.RefVariable, dashboard.RefInput:
			if ref.Variable != variableName {
				return
			}
			if ref.Node.Is(dashboard.Object) && ref.Type == "prometheus" && ref.Value == "${"+variableName+"}" {
				return
			}
		case dashboard.RefName, dashboard.RefUID:
			if ref.Type != "" && ref.Type != "prometheus" {
				c.note("a datasource of type %s is named directly (%s); nothing of ours has that name", ref.Type, ref.Value)
				return
			}
		default:
			return
		}
		owner.Set("datasource", ours())
	}
	for _, p := range d.Panels {
		asks := false
		for _, t := range p.Targets {
			fix(t.Node, t.Datasource, false)
			asks = asks || t.Expr != ""
		}
		if !p.IsRow() {
			fix(p.Node, p.Datasource, asks)
		}
	}
	for _, v := range d.Variables {
		fix(v.Node, v.Datasource, v.Type == "query" && v.Query != "")
	}
	for _, a := range d.Annotations {
		if !a.BuiltIn {
			fix(a.Node, a.Datasource, a.Expr != "")
		}
	}
	c.addVariable(d.Root, variableName, "prometheus")
}

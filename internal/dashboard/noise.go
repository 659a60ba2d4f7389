package dashboard

import (
	"slices"
	"strings"
)

// Noise tells whether a value says something about the Grafana that wrote the file rather than about the dashboard, and why. A nil result
// means it has a meaning. Drop means that Grafana shows the same dashboard without it, so fmt may leave it out; the other noise
// stays in files, since Grafana's migrations read it, but is no reason to call two versions different.
//
// The node must stand in the dashboard's tree; what is below noise is noise for the same reason.
func (d *Dashboard) Noise(n *Node) *Noise {
	for c := n; c != nil && c != d.Root; c = c.parent {
		if why := d.noise(c); why != nil {
			return why
		}
	}
	return nil
}

// Noise is a reason to overlook a value.
type Noise struct {
	Reason string
	Drop   bool
}

// percentPanels are the types for which a missing pluginVersion means 6.1: below 8.0 Grafana writes min 0 and max 100 (or 1) into those with a percent unit.
// Source: the migration handler of Grafana's single-value panels.
var percentPanels = []string{"stat", "gauge", "bargauge"}

// tamePanels are the types whose migrations don't mind a missing pluginVersion. Others (heatmap, table, canvas, geomap) take its absence for
// a panel of an older generation and convert it.
var tamePanels = []string{"timeseries", "stat", "gauge", "bargauge", "piechart", "row", "state-timeline", "status-history", "histogram", "logs"}

func (d *Dashboard) noise(n *Node) *Noise {
	parent := n.parent
	switch {
	case parent == d.Root:
		switch n.key {
		case "id":
			return &Noise{"the number is given by one Grafana", true}
		case "version":
			return &Noise{"counts the saves in one Grafana", true}
		case "iteration":
			return &Noise{"the time of the last save", true}
		case "schemaVersion":
			return &Noise{"tells which Grafana saved the file", false}
		case "gnetId":
			return &Noise{"the number in a catalogue of dashboards", n.kind == Null}
		case "__requires":
			return &Noise{"lists what the exporting Grafana had installed", true}
		case "__elements":
			if n.Len() == 0 {
				return &Noise{"no library panels were exported", true}
			}
		}
	case n.key == "pluginVersion" && parent.Has("type"):
		kind := parent.Get("type").Text()
		if slices.Contains(percentPanels, kind) && percentUnit(parent) {
			return nil
		}
		return &Noise{"the version of the panel plugin that saved the panel", slices.Contains(tamePanels, kind)}
	case isViewKey(n.key) && strings.HasPrefix(n.key, "__old_"):
		return &Noise{"left over from the old schema; Grafana reads the elements", false}
	case n.key == elementKey && parent.Has("gridPos"):
		return &Noise{"the name that the file gives to an element", false}
	case (n.key == "current" || n.key == "options") && isVariable(d.Root, parent):
		return variableNoise(n, parent)
	case n.key == "value" && n.kind == Null && n.parent.Is(Object) && n.parent.index == 0 && parent.parent.Key() == "steps":
		return &Noise{"the first threshold begins at minus infinity", false}
	}
	return nil
}

// variableNoise is about what Grafana saves of a variable's choices. The chosen value is the dashboard's default and has a meaning, unless something else
// decides it: issue 5929 of Grafana.
func variableNoise(n, variable *Node) *Noise {
	kind, refresh := variable.Get("type").Text(), variable.Get("refresh")
	never := false
	if r, ok := refresh.Int(); ok && r == 0 || refresh.Is(Bool) && !refresh.Bool() || refresh.Kind() <= Null {
		never = true
	}
	if n.key == "options" {
		switch {
		case kind == "datasource":
			return &Noise{"what one Grafana had to choose from", true}
		case kind == "switch":
			return nil
		case kind == "query":
			// Never refreshed, these are the only values there are; without a refresh member Grafana does not refresh either.
			return &Noise{"what was found when the dashboard was saved", !never}
		}
		return &Noise{"repeats the values that the variable lists", false}
	}
	switch {
	case kind == "textbox":
		return &Noise{"what was last entered; the query is the default", false}
	case kind == "constant":
		return &Noise{"repeats the constant", false}
	case kind == "adhoc", kind == "groupby":
		return nil
	}
	switch value := DefaultValue(n); {
	case len(value) == 0:
		return &Noise{"nothing was chosen", kind == "datasource" || kind == "query" && !never}
	case len(value) == 1 && value[0] == "$__all":
		return &Noise{"All is what Grafana chooses by itself", kind == "query" && !never && variable.Get("includeAll").Bool()}
	}
	return nil
}

// DefaultValue lists the values that a variable's "current" member chooses; "All" is "$__all". It is empty if nothing is chosen.
func DefaultValue(current *Node) []string {
	value := current
	if current.Is(Object) {
		if value = current.Get("value"); value == nil {
			value = current.Get("text")
		}
	}
	var out []string
	add := func(n *Node) {
		if t := n.Scalarish(); t != "" {
			if strings.EqualFold(t, "all") {
				if current.Path("value") == nil {
					t = "$__all"
				}
			}
			out = append(out, t)
		}
	}
	if value.Is(Array) {
		for _, item := range value.Items() {
			add(item)
		}
	} else {
		add(value)
	}
	return out
}

// percentUnit reports whether the panel, or an override of it, shows percentages without having both ends of the scale.
func percentUnit(panel *Node) bool {
	isPercent := func(n *Node) bool { return n.Text() == "percent" || n.Text() == "percentunit" }
	defaults := panel.Path("fieldConfig", "defaults")
	if isPercent(defaults.Get("unit")) && (!defaults.Has("min") || !defaults.Has("max")) {
		return true
	}
	for _, o := range panel.Path("fieldConfig", "overrides").Items() {
		for _, p := range o.Get("properties").Items() {
			if p.Get("id").Text() == "unit" && isPercent(p.Get("value")) {
				return true
			}
		}
	}
	return false
}

// serverMetadata are members of a resource's metadata that the Grafana gives it that stores it.
var serverMetadata = []string{"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"}

// EnvelopeNoise is [Dashboard.Noise] for what stands around the dashboard object: metadata of a resource, "meta" of an API answer.
func (d *Dashboard) EnvelopeNoise(n *Node) *Noise {
	var path []string
	for c := n; c != nil && c.parent != nil; c = c.parent {
		path = append([]string{c.key}, path...)
	}
	if len(path) == 0 {
		return nil
	}
	resource := d.Form == V1Resource || d.Form == V2Resource
	switch {
	case !resource:
		return &Noise{"belongs to the API answer around the dashboard", false}
	case path[0] == "status":
		return &Noise{"what one Grafana made of it", false}
	case path[0] == "metadata" && len(path) > 1 && slices.Contains(serverMetadata, path[1]):
		return &Noise{"given by the Grafana that stores it", true}
	case path[0] == "metadata" && len(path) > 1 && path[1] == "namespace":
		return &Noise{"the organisation of one Grafana", false}
	case path[0] == "metadata" && len(path) > 2 && (path[1] == "annotations" && path[2] != "grafana.app/folder" || path[1] == "labels") && strings.HasPrefix(path[2], "grafana.app/"):
		return &Noise{"what one Grafana keeps about it", false}
	}
	return nil
}

func isVariable(root, n *Node) bool {
	return n.Is(Object) && n.parent.Is(Array) && n.parent.key == "list" && n.parent.parent.Key() == "templating" && n.parent.parent.parent == root
}

// Canonical is the one form of a file that fmt writes: [Node.JSON] of what is left without the noise that can be dropped. Author's key order is
// kept: a sorted file would differ from the next export in every line. Applying it twice changes nothing.
//
// The form stays: the wrapper of an API answer or a resource is kept, since whoever wrote it may want to send it back. Of V2 only what the storing Grafana
// added to the metadata is dropped: its defaults are part of the schema.
func (d *Dashboard) Canonical() []byte {
	var drop []*Node
	if d.view == nil {
		d.Root.Walk(func(n *Node) bool {
			if n == d.Root {
				return true
			}
			if why := d.noise(n); why != nil && why.Drop {
				drop = append(drop, n)
				return false
			}
			return true
		})
	}
	if d.Envelope != nil {
		for _, m := range d.Envelope.Get("metadata").Children() {
			if why := d.EnvelopeNoise(m); why != nil && why.Drop {
				drop = append(drop, m)
			}
		}
	}
	if len(drop) == 0 {
		return d.Doc.Root.JSON()
	}
	pointers := make([]string, len(drop))
	for i, n := range drop {
		pointers[i] = n.Pointer()
	}
	root := d.Doc.Root.Clone()
	for _, p := range pointers {
		if n := root.Find(p); n != nil {
			n.parent.Remove(n.key)
		}
	}
	return root.JSON()
}

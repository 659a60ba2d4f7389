package dashboard

import "slices"

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
		return &Noise{"the version of the panel plugin that saved the panel", slices.Contains(tamePanels, parent.Get("type").Text())}
	case (n.key == "current" || n.key == "options") && isVariable(d.Root, parent):
		kind, refresh := parent.Get("type").Text(), parent.Get("refresh")
		switch kind {
		case "datasource":
			return &Noise{"what one Grafana had to choose from", true}
		case "query":
			if r, ok := refresh.Int(); ok && r == 0 || refresh.Is(Bool) && !refresh.Bool() {
				// Never refreshed: these are the only values there are.
				return &Noise{"what was found when the dashboard was saved", false}
			}
			// Without a refresh member Grafana does not refresh either.
			return &Noise{"what was found when the dashboard was saved", refresh != nil && refresh.kind != Null}
		}
		return &Noise{"the choice when the dashboard was saved", false}
	case n.key == "value" && n.kind == Null && n.parent.Is(Object) && n.parent.index == 0 && parent.parent.Key() == "steps":
		return &Noise{"the first threshold begins at minus infinity", false}
	}
	return nil
}

func isVariable(root, n *Node) bool {
	return n.Is(Object) && n.parent.Is(Array) && n.parent.key == "list" && n.parent.parent.Key() == "templating" && n.parent.parent.parent == root
}

// Canonical is the one form of a file that fmt writes: [Node.JSON] of what is left without the noise that can be dropped. Author's key order is
// kept: a sorted file would differ from the next export in every line. Applying it twice changes nothing.
//
// The wrapper of an API answer is kept, since whoever wrote it may want to send it back.
func (d *Dashboard) Canonical() []byte {
	var drop []*Node
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

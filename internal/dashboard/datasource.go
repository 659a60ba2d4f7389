package dashboard

import (
	"cmp"
	"strings"
)

// RefKind tells in which of its many shapes a datasource is named.
type RefKind uint8

const (
	RefAbsent    RefKind = iota // no member: inherited from the panel, else Grafana's default
	RefNull                     // null: Grafana's default
	RefName                     // a bare string: the datasource's name, or its uid
	RefUID                      // {"type","uid"}
	RefVariable                 // "$ds", "${ds}", {"uid":"$ds"}: a variable of type datasource
	RefInput                    // "${DS_X}" where __inputs has DS_X
	RefMixed                    // -- Mixed --: each target names its own
	RefDashboard                // -- Dashboard --: the result of another panel
	RefGrafana                  // -- Grafana --, or type "grafana" or "datasource": built in
	RefExpr                     // __expr__: server-side expressions
	RefInvalid                  // a shape that Grafana does not write
)

// Ref is a reference to a datasource as written.
type Ref struct {
	Kind RefKind
	// Node is nil for RefAbsent.
	Node *Node
	// Type is the plugin ("prometheus"), "" if the reference does not say.
	Type string
	// Value is the uid or name as written, "${datasource}" included.
	Value string
	// Variable is the name inside Value for RefVariable and RefInput. Whether it is a variable or an input depends on the dashboard: a Ref
	// has RefVariable until [Dashboard.Resolve] looked it up.
	Variable string
}

func readRef(n *Node) Ref {
	r := Ref{Node: n}
	switch n.Kind() {
	case Invalid:
		return r
	case Null:
		r.Kind = RefNull
		return r
	case String:
		r.Kind, r.Value = RefName, n.Text()
		if r.Value == "" || r.Value == "default" {
			r.Kind = RefNull
			return r
		}
	case Object:
		r.Kind, r.Type, r.Value = RefUID, n.Get("type").Text(), n.Get("uid").Scalarish()
		if r.Value == "" {
			r.Value = n.Get("name").Text()
		}
		if n.Len() > 0 && !n.Has("uid") && !n.Has("type") && !n.Has("name") {
			r.Kind = RefInvalid // {"0": "P", "1": "r", …}: a text that was spread into an object
			return r
		}
	default:
		r.Kind = RefInvalid
		return r
	}
	switch r.Value {
	case "-- Mixed --":
		r.Kind = RefMixed
	case "-- Dashboard --":
		r.Kind = RefDashboard
	case "-- Grafana --", "grafana":
		r.Kind, r.Type = RefGrafana, cmp.Or(r.Type, "grafana")
	case "__expr__":
		r.Kind, r.Type = RefExpr, "__expr__"
	case "":
		r.Kind = RefNull
	default:
		if v, ok := wholeVariable(r.Value); ok {
			r.Kind, r.Variable = RefVariable, v
		}
	}
	return r
}

// wholeVariable recognises a text that is nothing but one variable.
func wholeVariable(s string) (name string, ok bool) {
	switch {
	case strings.HasPrefix(s, "${") && strings.HasSuffix(s, "}"):
		name, _, _ = strings.Cut(s[2:len(s)-1], ":")
	case strings.HasPrefix(s, "[[") && strings.HasSuffix(s, "]]"):
		name, _, _ = strings.Cut(s[2:len(s)-2], ":")
	case strings.HasPrefix(s, "$"):
		name = s[1:]
	}
	if name == "" || strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return "", false
	}
	return name, true
}

// Resolve completes a reference with what the dashboard knows: a variable becomes an input if __inputs has that name, and the type is
// filled in from the variable's query or the input's plugin.
func (d *Dashboard) Resolve(r Ref) Ref {
	if r.Kind != RefVariable {
		return r
	}
	if v := d.variables[r.Variable]; v != nil {
		if v.Type == "datasource" {
			r.Type = cmp.Or(r.Type, v.Query)
		}
		return r
	}
	if in := d.inputs[r.Variable]; in != nil {
		r.Kind, r.Type = RefInput, cmp.Or(r.Type, in.PluginID)
	}
	return r
}

// Datasource is the datasource that answers a target: its own, else its panel's. t may be nil for the panel's.
func (d *Dashboard) Datasource(p *Panel, t *Target) Ref {
	if t != nil {
		own := d.Resolve(t.Datasource)
		if own.Kind != RefAbsent && own.Kind != RefNull {
			return own
		}
	}
	if p == nil {
		return Ref{}
	}
	return d.Resolve(p.Datasource)
}

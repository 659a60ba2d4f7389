package dashboard

import (
	"iter"
	"strings"
)

// Family is the kind of datasource a query goes to, as far as the file tells.
type Family uint8

// FamilyUnknown is a datasource given by name only, or Grafana's default: most of the time a Prometheus, but the query must tell.
const (
	FamilyUnknown Family = iota
	FamilyPrometheus
	FamilyVictoriaMetrics
	FamilyLoki
	FamilyOther
)

// Family classifies a resolved reference by its plugin type.
func (r Ref) Family() Family {
	switch r.Kind {
	case RefGrafana, RefDashboard, RefExpr:
		return FamilyOther
	case RefMixed:
		return FamilyUnknown
	}
	t := strings.ToLower(r.Type)
	switch {
	case t == "" || t == "datasource" || t == "mixed":
		return FamilyUnknown
	case strings.Contains(t, "prometheus"): // Amazon's and Azure's have longer names
		return FamilyPrometheus
	case strings.Contains(t, "victoriametrics-logs"):
		return FamilyOther
	case strings.Contains(t, "victoriametrics"):
		return FamilyVictoriaMetrics
	case t == "loki":
		return FamilyLoki
	}
	return FamilyOther
}

// Query is one text that is sent to a metrics datasource, wherever in the dashboard it stands.
type Query struct {
	// Text is the expression alone: of label_values(up, job) it is "up". It is never empty.
	Text string
	// Node is the string leaf that holds the expression, from byte Offset of its decoded text on.
	Node   *Node
	Offset int
	Family Family
	// One of these says where it stands; Panel is set together with Target.
	Panel      *Panel
	Target     *Target
	Variable   *Variable
	Annotation *Annotation
	// VariableQuery is set together with Variable.
	VariableQuery VariableQuery
}

// Pos is the place of a byte of Text in the file.
func (q *Query) Pos(offset int) Position { return q.Node.PosIn(q.Offset + offset) }

// Queries iterates over what is sent to Prometheus and its relatives, or may be: targets, variables, annotations. Queries to datasources known to be
// something else (SQL, Elasticsearch, …) are left out; LogQL is not.
func (d *Dashboard) Queries() iter.Seq[*Query] {
	return func(yield func(*Query) bool) {
		for _, v := range d.Variables {
			if v.Type != "query" || v.QueryNode == nil {
				continue
			}
			family := d.Resolve(v.Datasource).Family()
			vq := ParseVariableQuery(v.Query)
			if family == FamilyOther || family == FamilyUnknown && vq.Func == QueryBare || strings.TrimSpace(vq.Expr) == "" {
				continue
			}
			if !yield(&Query{Text: vq.Expr, Node: v.QueryNode, Offset: vq.ExprAt, Family: family, Variable: v, VariableQuery: vq}) {
				return
			}
		}
		for _, a := range d.Annotations {
			family := d.Resolve(a.Datasource).Family()
			if a.BuiltIn || a.ExprNode == nil || family == FamilyOther || strings.TrimSpace(a.Expr) == "" {
				continue
			}
			if !yield(&Query{Text: a.Expr, Node: a.ExprNode, Family: family, Annotation: a}) {
				return
			}
		}
		for _, p := range d.Panels {
			for _, t := range p.Targets {
				family := d.Datasource(p, t).Family()
				if t.ExprNode == nil || family == FamilyOther || strings.TrimSpace(t.Expr) == "" {
					continue
				}
				if !yield(&Query{Text: t.Expr, Node: t.ExprNode, Family: family, Panel: p, Target: t}) {
					return
				}
			}
		}
	}
}

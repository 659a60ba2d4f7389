// Package queries brings the queries of dashboards and alert rules into one form, parsed once, for everything that judges them.
package queries

import (
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/dashboard"
	"lookout/internal/promql"
)

// Query is one parsed query and where it stands.
type Query struct {
	*promql.Expr
	// Source is where in a dashboard it stands, nil for an alert rule.
	Source *dashboard.Query
	// Family is the kind of datasource it goes to.
	Family dashboard.Family
	// Owner is what a person calls the place: the panel's title, "variable job", "annotation deploys", the alert's name.
	Owner string
	// Alert is set for alert and recording rules.
	Alert string
	// Silences are the comments around an alert rule in its file, where findings may be silenced.
	Silences string
	// Position finds a byte of Text in the file.
	Position func(offset int) dashboard.Position

	selectors []Selector
	analysed  bool
}

// Selector is one vector selector of a query.
type Selector struct {
	*parser.VectorSelector
	// Metric is the name it asks for, "" if it asks by other means. It may hold a placeholder.
	Metric string
	// Name is the matcher on __name__ that is no plain equality, nil if there is none.
	Name *labels.Matcher
	// Parents are what it stands in, the innermost last.
	Parents []parser.Node
}

// Of parses all queries of a dashboard.
func Of(d *dashboard.Dashboard, p *promql.Parser) []*Query {
	defined := func(name string) bool { return d.Variable(name) != nil }
	var out []*Query
	for src := range d.Queries() {
		q := &Query{Source: src, Family: src.Family, Position: src.Pos}
		switch {
		case src.Panel != nil:
			q.Owner = src.Panel.Name()
		case src.Variable != nil:
			q.Owner = "variable " + src.Variable.Name
		case src.Annotation != nil:
			q.Owner = "annotation " + src.Annotation.Name
		}
		if src.Family == dashboard.FamilyLoki {
			q.Expr = &promql.Expr{Text: src.Text, Language: promql.LogQL, Evidence: "datasource loki", Uses: promql.Variables(src.Text)}
		} else {
			q.Expr = p.Parse(src.Text, defined)
			if q.Err != nil && src.Family == dashboard.FamilyVictoriaMetrics {
				q.Language, q.Evidence, q.Err = promql.MetricsQL, "datasource victoriametrics", nil
			}
		}
		out = append(out, q)
	}
	return out
}

// ForAlert parses the expression of an alert or recording rule.
func ForAlert(name, expr string, p *promql.Parser, position func(offset int) dashboard.Position) *Query {
	return &Query{Expr: p.Parse(expr, nil), Family: dashboard.FamilyPrometheus, Owner: name, Alert: name, Position: position}
}

// Pos is where a position of the tree stands in the file.
func (q *Query) Pos(n parser.Node) dashboard.Position {
	return q.Position(q.Offset(n.PositionRange().Start))
}

// Selectors lists the vector selectors of the query, none if it could not be parsed.
func (q *Query) Selectors() []Selector {
	if q.analysed || q.Tree == nil {
		return q.selectors
	}
	q.analysed = true
	var path []parser.Node
	var walk func(parser.Node)
	walk = func(n parser.Node) {
		if vs, ok := n.(*parser.VectorSelector); ok {
			s := Selector{VectorSelector: vs, Parents: append([]parser.Node(nil), path...)}
			for _, m := range vs.LabelMatchers {
				if m.Name != model.MetricNameLabel {
					continue
				}
				if m.Type == labels.MatchEqual {
					s.Metric = m.Value
				} else {
					s.Name = m
				}
			}
			q.selectors = append(q.selectors, s)
			return
		}
		path = append(path, n)
		switch n := n.(type) { // as [promql.Walk] does, and for the same reason
		case *parser.NumberLiteral, *parser.StringLiteral:
		case *parser.MatrixSelector:
			walk(n.VectorSelector)
		case *parser.ParenExpr:
			walk(n.Expr)
		case *parser.BinaryExpr:
			walk(n.LHS)
			walk(n.RHS)
		case *parser.Call:
			for _, a := range n.Args {
				walk(a)
			}
		default:
			for c := range parser.ChildrenIter(n) {
				walk(c)
			}
		}
		path = path[:len(path)-1]
	}
	walk(q.Tree)
	return q.selectors
}

// Parent is the innermost node around the selector that is more than brackets and range, nil at the top.
func (s Selector) Parent() parser.Node {
	for i := len(s.Parents) - 1; i >= 0; i-- {
		switch s.Parents[i].(type) {
		case *parser.ParenExpr, *parser.MatrixSelector, *parser.StepInvariantExpr:
			continue
		}
		return s.Parents[i]
	}
	return nil
}

// Range is the range selector around it, nil if it is an instant vector.
func (s Selector) Range() *parser.MatrixSelector {
	if len(s.Parents) == 0 {
		return nil
	}
	m, _ := s.Parents[len(s.Parents)-1].(*parser.MatrixSelector)
	return m
}

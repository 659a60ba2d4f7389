// Package rules reads files of alert and recording rules, of all forms that they are found in, and says what is wrong with them and where.
//
// Lookout's own form is YAML in Prometheus' vocabulary (groups, alert, expr, for, labels, annotations) with the comparison apart from the expression,
// so that it can differ per environment, become a node of its own in Grafana and a red line on a panel:
//
//	threshold: {above: 8}
//
// It is described in modules/alerts, which reads the same files for Terraform. Read takes Prometheus' form too, as it is, in Kubernetes' PrometheusRule and
// in ConfigMaps.
package rules

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"

	"lookout/internal/dashboard"
)

// Form is what a document is, told by its keys.
type Form string

// What [Read] knows. Of the last four nothing but the form is read.
const (
	// Own is Lookout's: threshold apart.
	Own Form = "Lookout"
	// Prometheus is what promtool takes.
	Prometheus Form = "Prometheus"
	// Kubernetes is a PrometheusRule of the Prometheus operator (or a VMRule), and lists of these.
	Kubernetes Form = "PrometheusRule"
	// ConfigMap holds rule files as texts.
	ConfigMap Form = "ConfigMap"
	// Tests are unit tests for promtool.
	Tests Form = "unit tests of promtool"
	// Grafana is Grafana's provisioning format for alert rules.
	Grafana Form = "alert rules in Grafana's provisioning format"
	// Dashboard is a dashboard, which is read from JSON only.
	Dashboard Form = "a dashboard"
	// Empty has no document.
	Empty Form = "empty"
	// Other is anything else.
	Other Form = "other YAML"
)

// Kind says which page of docs/lint explains a [Problem].
type Kind string

// The kinds.
const (
	// KindFile: the file can't be read as what it is, or not by Prometheus.
	KindFile Kind = "rule-file"
	// KindYAML: the file is not YAML.
	KindYAML Kind = "yaml-syntax"
	// KindRule: something in it has no meaning.
	KindRule Kind = "alert-rule"
	// KindPromQL: the expression is refused.
	KindPromQL Kind = "promql-syntax"
	// KindTemplate: a text with a template is refused, or fails for every alert.
	KindTemplate Kind = "alert-template"
	// KindTests: unit tests are missing, or are about no alert. Only [CheckTests] says so, no rule of lint.
	KindTests Kind = "alert-tests"
)

// Problem is one thing that is wrong.
type Problem struct {
	dashboard.Position
	Kind Kind
	// Rule is the alert or recording rule, "" if it is none.
	Rule    string
	Message string
	// Minor is set for what Prometheus only warns of.
	Minor bool
}

func (p Problem) Error() string {
	if p.Rule == "" {
		return fmt.Sprintf("%s: %s", p.Position, p.Message)
	}
	return fmt.Sprintf("%s: rule %q: %s", p.Position, p.Rule, p.Message)
}

// Problems is everything that is wrong, in order of file and line.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Serious leaves out what is only warned of.
func (p Problems) Serious() Problems {
	var out Problems
	for _, problem := range p {
		if !problem.Minor {
			out = append(out, problem)
		}
	}
	return out
}

func (p *Problems) add(problem Problem) { *p = append(*p, problem) }

func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// File is what was read of a file.
type File struct {
	Path string
	// Form is that of its documents; of several the first that holds rules.
	Form   Form
	Groups []*Group
	// Problems are in the order of the file. Rules that have problems are there as far as they could be read.
	Problems Problems

	docs []*node
}

// Rules are the rules of all groups.
func (f *File) Rules() []*Rule {
	var out []*Rule
	for _, g := range f.Groups {
		out = append(out, g.Rules...)
	}
	return out
}

// Group is a set of rules that are evaluated together.
type Group struct {
	Form Form
	Name string
	// Interval is how often the rules are evaluated, as it was written. Grafana takes ten seconds or a multiple.
	Interval string
	// Language is what the expressions are written in, "" for PromQL. vmalert evaluates groups in others:
	// https://docs.victoriametrics.com/vmalert/#groups
	Language string
	Labels   []Pair
	Rules    []*Rule

	src  *source
	node *node
}

// Position is where the group stands, or one of its fields if it is there.
func (g *Group) Position(field string) dashboard.Position { return place(g.src, g.node, field) }

// Pair is a label or an annotation.
type Pair struct {
	Name, Value string

	key, node *node
}

// Rule is an alert or a recording rule.
type Rule struct {
	Group *Group
	// One of the two is set.
	Alert, Record string
	// Expr is PromQL; in Lookout's own form without the comparison.
	Expr string
	// Threshold is set in Lookout's own form.
	Threshold *Threshold
	// Window, if set, is the range in Expr that an environment may replace by another.
	Window string
	// For is the pending period and KeepFiringFor how long the alert goes on firing after its condition ended, as they were written.
	For, KeepFiringFor  string
	Labels, Annotations []Pair

	// The rest is Lookout's own.

	// UID is the rule's identifier in Grafana: 1 to 40 letters, digits, '-' and '_'.
	UID string
	// Unit says how values are written in messages: bytes, percent, seconds or short. Empty means short.
	Unit string
	// NoDataState is what Grafana does when the query returns nothing: NoData, OK, Alerting or KeepLast.
	NoDataState string
	// ExecErrState is what Grafana does when the query fails: Error, OK, Alerting or KeepLast.
	ExecErrState string
	// Panel is the panel that shows what the rule watches; nil for none.
	Panel *Panel

	src      *source
	node     *node
	expr     *node
	comments *string
}

// Threshold is the comparison.
type Threshold struct {
	// Below: the alert fires below the value, otherwise above.
	Below bool
	Value float64

	text string
}

// Operator is the comparison in PromQL: ">" or "<".
func (t Threshold) Operator() string {
	if t.Below {
		return "<"
	}
	return ">"
}

// Literal is the value as PromQL and messages write it: as Terraform does, with all digits of large numbers.
func (t Threshold) Literal() string {
	if t.text != "" {
		// The precision that Terraform's numbers have.
		if f, _, err := big.ParseFloat(t.text, 10, 512, big.ToNearestEven); err == nil {
			return f.Text('f', -1)
		}
	}
	return strconv.FormatFloat(t.Value, 'f', -1, 64)
}

// Panel names a panel of a dashboard.
type Panel struct {
	// Dashboard is the dashboard's uid.
	Dashboard string
	ID        int
}

// Comments are the lines of comments right above the rule and inside it.
func (r *Rule) Comments() string {
	if r.comments == nil {
		text := r.src.comments(r.node)
		r.comments = &text
	}
	return *r.comments
}

// Name is the alert's or the recorded series' name.
func (r *Rule) Name() string { return cmp.Or(r.Alert, r.Record) }

// Label returns a label's value, "" if it is not there.
func (r *Rule) Label(name string) string { return lookup(r.Labels, name) }

// Annotation returns an annotation's text, "" if it is not there.
func (r *Rule) Annotation(name string) string { return lookup(r.Annotations, name) }

func lookup(pairs []Pair, name string) string {
	for _, p := range pairs {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// Own tells whether the rule is in Lookout's own form.
func (r *Rule) Own() bool { return r.Group.Form == Own }

// Comparison is the rule's whole condition in PromQL: in Lookout's own form the expression and its threshold.
func (r *Rule) Comparison() string {
	if r.Threshold == nil {
		return r.Expr
	}
	end := ""
	if strings.Contains(r.Expr, "#") {
		// On a line of its own the bracket is safe from a comment.
		end = "\n"
	}
	return fmt.Sprintf("(%s%s) %s %s", r.Expr, end, r.Threshold.Operator(), r.Threshold.Literal())
}

// Place is where the rule stands, or one of its fields if it is there.
func (r *Rule) Place(field string) dashboard.Position { return place(r.src, r.node, field) }

// Position is where a byte of Expr stands.
func (r *Rule) Position(offset int) dashboard.Position {
	if r.expr == nil {
		return r.Place("")
	}
	return r.src.inside(r.expr, offset)
}

// PlaceOf is where the value of one of the rule's labels or annotations stands, at a byte of it.
func (r *Rule) PlaceOf(p Pair, offset int) dashboard.Position {
	if p.node.is(scalarKind) {
		return r.src.inside(p.node, offset)
	}
	return r.src.of(p.key)
}

func place(src *source, n *node, field string) dashboard.Position {
	if e := n.entry(field); e != nil {
		return src.of(e.key)
	}
	return src.of(n)
}

// IsTest tells whether a file holds unit tests for promtool by its name; they stand next to the rule files.
func IsTest(name string) bool {
	return strings.HasSuffix(name, ".test.yaml") || strings.HasSuffix(name, ".test.yml")
}

// ParseDuration reads a time span in Prometheus' notation, such as 1h30m, and returns milliseconds.
func ParseDuration(text string) (int64, error) {
	d, err := model.ParseDuration(text)
	if err != nil {
		return 0, err
	}
	return int64(d) / 1_000_000, nil
}

// Tree is the file as the diff compares it: a JSON-like document with groups, whatever the form.
func (f *File) Tree() *dashboard.Node {
	root := dashboard.NewObject()
	groups := dashboard.NewArray()
	for _, g := range f.Groups {
		groups.Append(g.node.tree())
	}
	if len(f.docs) == 1 && f.docs[0].get("groups") != nil {
		// As it stands, in its order.
		for _, e := range f.docs[0].entries {
			if e.key.text == "groups" {
				root.Set("groups", groups)
				continue
			}
			root.Set(e.key.text, e.value.tree())
		}
		return root
	}
	root.Set("groups", groups)
	var rest []*dashboard.Node
	for _, d := range f.docs {
		t := d.tree()
		dropRules(t)
		if t.Len() > 0 {
			rest = append(rest, t)
		}
	}
	switch len(rest) {
	case 0:
	case 1:
		for _, c := range rest[0].Children() {
			if c.Key() != "groups" {
				root.Set(c.Key(), c.Clone())
			}
		}
	default:
		root.Set("documents", dashboard.NewArray(rest...))
	}
	return root
}

// dropRules leaves what is around the groups.
func dropRules(n *dashboard.Node) {
	switch n.Kind() {
	case dashboard.Array:
		for _, c := range n.Items() {
			dropRules(c)
		}
	case dashboard.Object:
		if g := n.Get("groups"); g.Is(dashboard.Array) {
			n.Remove("groups")
		}
		for _, c := range n.Children() {
			dropRules(c)
		}
	}
}

package lint

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/ext"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/promql"
	"lookout/internal/queries"
)

// Custom is a rule of a team's own, written in the Common Expression Language (https://cel.dev) in .lookout.yaml or a file that it names.
type Custom struct {
	// ID names the rule as in findings and silences; it must not be that of a rule of Lookout.
	ID       string           `yaml:"id"`
	Severity finding.Severity `yaml:"severity"`
	// For is what the expression looks at, one at a time: dashboard, panel, variable or query. Default: panel.
	For string `yaml:"for"`
	// When is true for what is to be reported.
	When string `yaml:"when"`
	// Message says what is wrong; {…} holds an expression of its own.
	Message string `yaml:"message"`
	// Tests are run with the configuration: a rule that does not do what they say is refused.
	Tests []CustomTest `yaml:"tests"`

	when    cel.Program
	message []messagePart
}

// CustomTest is a thing that a rule looks at, and whether it has to be reported.
type CustomTest struct {
	Dashboard map[string]any `yaml:"dashboard"`
	Panel     map[string]any `yaml:"panel"`
	Variable  map[string]any `yaml:"variable"`
	Query     map[string]any `yaml:"query"`
	Finds     bool           `yaml:"finds"`
}

type messagePart struct {
	text string
	expr cel.Program
}

var customID = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// customKinds are what a rule can be about; the names are those of the variables in its expression.
var customKinds = []string{"dashboard", "panel", "variable", "query"}

// compile checks a rule and runs its tests.
func (c *Custom) compile(ids map[string]*Rule) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("rule %q: %s", c.ID, fmt.Sprintf(format, args...))
	}
	switch {
	case !customID.MatchString(c.ID):
		return fail("not a valid id; write lower-case words joined by dashes")
	case ids[c.ID] != nil || strings.HasPrefix(c.ID, "check-"):
		return fail("Lookout has a rule of that name; choose another id")
	case c.Message == "":
		return fail("no message; say what is wrong and what to do")
	}
	if c.For == "" {
		c.For = "panel"
	}
	if c.Severity == "" {
		c.Severity = finding.Warning
	}
	if !c.Severity.Valid() {
		return fail("severity %q is not error, warning or info", c.Severity)
	}
	known := false
	for _, k := range customKinds {
		known = known || k == c.For
	}
	if !known {
		return fail("for: %q is not one of %s", c.For, strings.Join(customKinds, ", "))
	}
	options := []cel.EnvOption{ext.Strings(), cel.Variable("dashboard", cel.DynType), cel.Variable("panel", cel.DynType)}
	for _, k := range customKinds[2:] {
		options = append(options, cel.Variable(k, cel.DynType))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return fail("%v", err)
	}
	program := func(what, text string) (cel.Program, error) {
		ast, issues := env.Compile(text)
		if issues.Err() != nil {
			return nil, fail("%s: %v", what, issues.Err())
		}
		// A rule that goes on for ever over one dashboard must not stop all others.
		return env.Program(ast, cel.CostLimit(1_000_000))
	}
	if c.when, err = program("when", c.When); err != nil {
		return err
	}
	for rest := c.Message; rest != ""; {
		before, after, ok := strings.Cut(rest, "{")
		c.message = append(c.message, messagePart{text: before})
		if !ok {
			break
		}
		expr, tail, ok := strings.Cut(after, "}")
		if !ok {
			return fail("message: a { without its }")
		}
		p, err := program("message", expr)
		if err != nil {
			return err
		}
		c.message = append(c.message, messagePart{expr: p})
		rest = tail
	}
	for i, test := range c.Tests {
		vars, err := exampleModel(map[string]map[string]any{"dashboard": test.Dashboard, "panel": test.Panel, "variable": test.Variable, "query": test.Query})
		if err != nil {
			return fail("test %d: %v", i+1, err)
		}
		found, _, err := c.finds(vars)
		if err != nil {
			return fail("test %d: %v", i+1, err)
		}
		if found != test.Finds {
			return fail("test %d: it finds %s, the test wants %s", i+1, something(found), something(test.Finds))
		}
	}
	return nil
}

func something(found bool) string {
	if found {
		return "something"
	}
	return "nothing"
}

// exampleModel is what a test says of the objects, on top of empty ones: a test names what matters to it.
func exampleModel(said map[string]map[string]any) (map[string]any, error) {
	d, err := dashboard.Load("example.json", []byte(`{"title": "", "panels": [{"type": "", "targets": [{"expr": ""}]}], "templating": {"list": [{"name": "", "type": ""}]}}`))
	if err != nil {
		return nil, err
	}
	panel := panelModel(d, d.Panels[0])
	panel["queries"] = []string{}
	empty := map[string]map[string]any{
		"dashboard": dashboardModel(d), "panel": panel, "variable": variableModel(d.Variables[0]),
		"query": {"expr": "", "owner": "", "language": "", "metrics": []string{}, "alert": false, "legend": "", "refId": ""},
	}
	out := map[string]any{}
	for kind, model := range empty {
		for name, value := range said[kind] {
			if _, known := model[name]; !known {
				return nil, fmt.Errorf("a %s has no %q; it has %s", kind, name, strings.Join(slices.Sorted(maps.Keys(model)), ", "))
			}
			model[name] = value
		}
		out[kind] = model
	}
	return out, nil
}

// finds evaluates the rule.
func (c *Custom) finds(vars map[string]any) (found bool, message string, err error) {
	out, _, err := c.when.Eval(vars)
	if err != nil {
		return false, "", fmt.Errorf("when: %w", err)
	}
	truth, ok := out.(types.Bool)
	if !ok {
		return false, "", fmt.Errorf("when: the expression gives %v; write one that is true or false", out.Type())
	}
	if !bool(truth) {
		return false, "", nil
	}
	var b strings.Builder
	for _, part := range c.message {
		if part.expr == nil {
			b.WriteString(part.text)
			continue
		}
		v, _, err := part.expr.Eval(vars)
		if err != nil {
			return false, "", fmt.Errorf("message: %w", err)
		}
		fmt.Fprint(&b, v.Value())
	}
	return true, b.String(), nil
}

// rule makes a Rule of a custom one.
func (c *Custom) rule() *Rule {
	r := &Rule{ID: c.ID, Severity: c.Severity, Summary: c.Message}
	look := func(p *Pass, vars map[string]any, report func(msg string)) {
		switch found, msg, err := c.finds(vars); {
		case err != nil:
			report(fmt.Sprintf("the rule could not be evaluated: %v", err))
		case found:
			report(msg)
		}
	}
	if c.For == "query" {
		r.Query = func(p *Pass, q *queries.Query) {
			vars := map[string]any{"dashboard": map[string]any{}, "panel": map[string]any{}, "variable": map[string]any{}, "query": queryModel(q)}
			if p.Dashboard != nil {
				vars["dashboard"] = p.model()
				if q.Source != nil && q.Source.Panel != nil {
					vars["panel"] = panelModel(p.Dashboard, q.Source.Panel)
				}
			}
			look(p, vars, func(msg string) { p.Query(q, 0, "%s", msg) })
		}
		return r
	}
	r.Dashboard = func(p *Pass) {
		vars := map[string]any{"dashboard": p.model(), "panel": map[string]any{}, "variable": map[string]any{}, "query": map[string]any{}}
		switch c.For {
		case "dashboard":
			look(p, vars, func(msg string) { p.Node(p.Dashboard.Root, "%s", msg) })
		case "variable":
			for _, v := range p.Dashboard.Variables {
				vars["variable"] = variableModel(v)
				look(p, vars, func(msg string) { p.Node(v.Node, "%s", msg) })
			}
		default:
			for _, panel := range p.Dashboard.Panels {
				if panel.IsRow() {
					continue
				}
				vars["panel"] = panelModel(p.Dashboard, panel)
				look(p, vars, func(msg string) { p.Panel(panel, nil, "%s", msg) })
			}
		}
	}
	return r
}

// model is the dashboard as expressions see it, made once for a file.
func (p *Pass) model() map[string]any {
	if p.shown == nil {
		p.shown = dashboardModel(p.Dashboard)
	}
	return p.shown
}

// The model that expressions see. Its names are documented in docs/lint/README.md; "json" is the object as the classic schema has it, whatever the file's form.

func dashboardModel(d *dashboard.Dashboard) map[string]any {
	tags := []string{}
	for _, t := range d.Root.Get("tags").Items() {
		tags = append(tags, t.Text())
	}
	panels := 0
	for _, p := range d.Panels {
		if !p.IsRow() {
			panels++
		}
	}
	return map[string]any{
		"title": d.Title, "uid": d.UID, "file": d.File(), "folder": d.Folder, "schema": d.Form.String(), "tags": tags, "panels": panels,
		"variables": len(d.Variables), "refresh": d.Root.Get("refresh").Text(), "json": plain(d.Root),
	}
}

func panelModel(d *dashboard.Dashboard, p *dashboard.Panel) map[string]any {
	exprs := []string{}
	for _, t := range p.Targets {
		exprs = append(exprs, t.Expr)
	}
	return map[string]any{
		"title": p.Title, "type": p.Type, "description": p.Description, "unit": p.Unit, "row": p.Row.Name(), "repeat": p.Repeat, "queries": exprs,
		"datasource": d.Datasource(p, nil).Value, "thresholds": len(p.Thresholds), "width": p.Grid.W, "height": p.Grid.H, "library": p.Library, "json": plain(p.Node),
	}
}

func variableModel(v *dashboard.Variable) map[string]any {
	return map[string]any{
		"name": v.Name, "type": v.Type, "label": v.Label, "query": v.Query, "regex": v.Regex, "multi": v.Multi, "includeAll": v.IncludeAll, "json": plain(v.Node),
	}
}

func queryModel(q *queries.Query) map[string]any {
	metrics := []string{}
	for _, s := range q.Selectors() {
		if s.Metric != "" && !promql.HasVariable(s.Metric) {
			metrics = append(metrics, s.Metric)
		}
	}
	m := map[string]any{"expr": q.Text, "owner": q.Owner, "language": q.Language.String(), "metrics": metrics, "alert": q.Alert, "legend": "", "refId": ""}
	if q.Source != nil && q.Source.Target != nil {
		m["legend"], m["refId"] = q.Source.Target.Legend, q.Source.Target.RefID
	}
	return m
}

// plain is a JSON value as Go's usual types.
func plain(n *dashboard.Node) any {
	switch n.Kind() {
	case dashboard.Bool:
		return n.Bool()
	case dashboard.Number:
		f, _ := n.Float()
		return f
	case dashboard.String:
		return n.Text()
	case dashboard.Array:
		out := make([]any, 0, n.Len())
		for _, c := range n.Items() {
			out = append(out, plain(c))
		}
		return out
	case dashboard.Object:
		out := map[string]any{}
		for _, c := range n.Children() {
			out[c.Key()] = plain(c)
		}
		return out
	}
	return nil
}

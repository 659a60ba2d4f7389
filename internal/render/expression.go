package render

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"lookout/internal/dashboard"
)

// expressionText is a server-side expression as a person reads it.
func expressionText(n *dashboard.Node) string {
	of := strings.TrimPrefix(n.Get("expression").Text(), "$")
	switch n.Get("type").Text() {
	case "reduce":
		return cmp.Or(n.Get("reducer").Text(), "last") + " of " + of
	case "resample":
		return of + " every " + n.Get("window").Text()
	case "threshold":
		e := n.Get("conditions").At(0).Get("evaluator")
		var limits []string
		for _, p := range e.Get("params").Items() {
			limits = append(limits, p.Scalarish())
		}
		return of + " " + e.Get("type").Text() + " " + strings.Join(limits, " ")
	case "classic_conditions":
		return "classic conditions"
	}
	return n.Get("expression").Text()
}

// evaluate computes the panel's server-side expressions of what its queries gave. What can't be computed is named.
func (v *view) evaluate() {
	state := map[*query]int{} // 1 under way, 2 done
	byRef := map[string]*query{}
	for _, q := range v.queries {
		byRef[q.target.RefID] = q
	}
	var run func(q *query) bool
	run = func(q *query) bool {
		if q.compute == nil {
			return q.skip == ""
		}
		if state[q] > 0 {
			return state[q] == 2
		}
		state[q] = 1
		get := func(ref string) ([]answerSeries, bool) {
			of := byRef[strings.TrimPrefix(ref, "$")]
			if of == nil || !run(of) {
				return nil, false
			}
			return of.series, true
		}
		var ok bool
		if q.series, ok = computeExpression(q.compute, get); ok {
			state[q] = 2
		}
		return ok
	}
	for _, q := range v.queries {
		if q.compute != nil && !run(q) && !q.hidden {
			v.skip(q.target.RefID + " (" + cmp.Or(q.compute.Get("type").Text(), "expression") + ")")
		}
	}
}

func computeExpression(n *dashboard.Node, get func(string) ([]answerSeries, bool)) ([]answerSeries, bool) {
	switch n.Get("type").Text() {
	case "math":
		return computeMath(n.Get("expression").Text(), get)
	case "reduce":
		list, ok := get(n.Get("expression").Text())
		if !ok {
			return nil, false
		}
		var out []answerSeries
		for _, s := range list {
			if len(s.points) > 0 {
				value := calc(cmp.Or(n.Get("reducer").Text(), "last"), s.points)
				out = append(out, answerSeries{s.metric, []point{{s.points[len(s.points)-1].t, value}}})
			}
		}
		return out, true
	case "threshold":
		list, ok := get(n.Get("expression").Text())
		e := n.Get("conditions").At(0).Get("evaluator")
		a, b := number(e.Get("params").At(0)), number(e.Get("params").At(1))
		test := thresholdTest(e.Get("type").Text(), a, b)
		if !ok || test == nil {
			return nil, false
		}
		return eachPoint(list, func(v float64) float64 { return truth(test(v)) }), true
	}
	return nil, false
}

func thresholdTest(kind string, a, b *float64) func(float64) bool {
	switch {
	case a == nil:
	case kind == "gt":
		return func(v float64) bool { return v > *a }
	case kind == "lt":
		return func(v float64) bool { return v < *a }
	case kind == "gte":
		return func(v float64) bool { return v >= *a }
	case kind == "lte":
		return func(v float64) bool { return v <= *a }
	case kind == "eq":
		return func(v float64) bool { return v == *a }
	case kind == "ne":
		return func(v float64) bool { return v != *a }
	case b == nil:
	case kind == "within_range":
		return func(v float64) bool { return v > *a && v < *b }
	case kind == "outside_range":
		return func(v float64) bool { return v < *a || v > *b }
	}
	return nil
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func eachPoint(list []answerSeries, do func(float64) float64) []answerSeries {
	out := make([]answerSeries, len(list))
	for i, s := range list {
		out[i] = answerSeries{s.metric, slices.Clone(s.points)}
		for j := range out[i].points {
			out[i].points[j].v = do(s.points[j].v)
		}
	}
	return out
}

var mathVariable = regexp.MustCompile(`\$\{([^}]+)\}|\$(\w+)`)

// computeMath evaluates Grafana's math. Its operators have the precedence that Go gives them, so Go's own parser reads it; a power, which Go has not, is read as the
// product with what a pointer points to.
func computeMath(text string, get func(string) ([]answerSeries, bool)) ([]answerSeries, bool) {
	var refs []string
	text = mathVariable.ReplaceAllStringFunc(text, func(use string) string {
		m := mathVariable.FindStringSubmatch(use)
		refs = append(refs, cmp.Or(m[1], m[2]))
		return "ref_" + strings.Repeat("x", len(refs))
	})
	e, err := parser.ParseExpr(strings.Join(strings.Fields(text), " "))
	if err != nil {
		return nil, false
	}
	m := &mathEval{refs: refs, get: get}
	out, ok := m.eval(e)
	return out.list(), ok
}

// operandValue is a number, or a list of series.
type operandValue struct {
	number float64
	series []answerSeries
	many   bool
}

func (o operandValue) list() []answerSeries {
	if o.many {
		return o.series
	}
	return []answerSeries{{nil, []point{{0, o.number}}}}
}

type mathEval struct {
	refs []string
	get  func(string) ([]answerSeries, bool)
}

func (m *mathEval) eval(e ast.Expr) (operandValue, bool) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return m.eval(e.X)
	case *ast.BasicLit:
		if v, ok := parseNumber(e.Value); ok && e.Kind != token.STRING {
			return operandValue{number: v}, true
		}
	case *ast.Ident:
		if x, ok := strings.CutPrefix(e.Name, "ref_"); ok && len(x) > 0 && len(x) <= len(m.refs) {
			list, ok := m.get(m.refs[len(x)-1])
			return operandValue{series: list, many: true}, ok
		}
	case *ast.UnaryExpr:
		x, ok := m.eval(e.X)
		switch e.Op {
		case token.SUB:
			return x.each(func(v float64) float64 { return -v }), ok
		case token.NOT:
			return x.each(func(v float64) float64 { return truth(v == 0) }), ok
		}
	case *ast.CallExpr:
		return m.call(e)
	case *ast.BinaryExpr:
		return m.binary(e)
	}
	return operandValue{}, false
}

func (m *mathEval) binary(e *ast.BinaryExpr) (operandValue, bool) {
	op := e.Op.String()
	left, right := e.X, e.Y
	if star, power := right.(*ast.StarExpr); power && op == "*" {
		op, right = "**", star.X
		// a*b**c is a*(b**c).
		if l, ok := left.(*ast.BinaryExpr); ok && (l.Op == token.MUL || l.Op == token.QUO || l.Op == token.REM) {
			if _, power := l.Y.(*ast.StarExpr); !power {
				inner := &ast.BinaryExpr{X: l.Y, Op: token.MUL, Y: star}
				return m.binary(&ast.BinaryExpr{X: l.X, Op: l.Op, Y: &ast.ParenExpr{X: inner}})
			}
		}
	}
	do := mathOperators[op]
	a, ok1 := m.eval(left)
	b, ok2 := m.eval(right)
	if do == nil || !ok1 || !ok2 {
		return operandValue{}, false
	}
	switch {
	case !a.many && !b.many:
		return operandValue{number: do(a.number, b.number)}, true
	case !b.many:
		return a.each(func(v float64) float64 { return do(v, b.number) }), true
	case !a.many:
		return b.each(func(v float64) float64 { return do(a.number, v) }), true
	}
	return operandValue{series: joinSeries(a.series, b.series, do), many: true}, true
}

func (o operandValue) each(do func(float64) float64) operandValue {
	if !o.many {
		return operandValue{number: do(o.number)}
	}
	return operandValue{series: eachPoint(o.series, do), many: true}
}

func (m *mathEval) call(e *ast.CallExpr) (operandValue, bool) {
	name, ok := e.Fun.(*ast.Ident)
	if !ok {
		return operandValue{}, false
	}
	if len(e.Args) == 0 {
		v, known := map[string]float64{"nan": math.NaN(), "null": math.NaN(), "inf": math.Inf(1), "infn": math.Inf(-1)}[name.Name]
		return operandValue{number: v}, known
	}
	do := mathFunctions[name.Name]
	if do == nil || len(e.Args) != 1 {
		return operandValue{}, false
	}
	x, ok := m.eval(e.Args[0])
	return x.each(do), ok
}

var mathFunctions = map[string]func(float64) float64{
	"abs": math.Abs, "log": math.Log, "round": math.Round, "ceil": math.Ceil, "floor": math.Floor,
	"is_nan": func(v float64) float64 { return truth(math.IsNaN(v)) }, "is_null": func(v float64) float64 { return truth(math.IsNaN(v)) },
	"is_inf":    func(v float64) float64 { return truth(math.IsInf(v, 0)) },
	"is_number": func(v float64) float64 { return truth(!math.IsNaN(v) && !math.IsInf(v, 0)) },
}

var mathOperators = func() map[string]func(a, b float64) float64 {
	out := map[string]func(a, b float64) float64{
		"==": func(a, b float64) float64 { return truth(a == b) }, "!=": func(a, b float64) float64 { return truth(a != b) },
		">": func(a, b float64) float64 { return truth(a > b) }, ">=": func(a, b float64) float64 { return truth(a >= b) },
		"<": func(a, b float64) float64 { return truth(a < b) }, "<=": func(a, b float64) float64 { return truth(a <= b) },
		"&&": func(a, b float64) float64 { return truth(a != 0 && b != 0) }, "||": func(a, b float64) float64 { return truth(a != 0 || b != 0) },
	}
	maps.Copy(out, arithmetic)
	return out
}()

// joinSeries computes of each pair of series that belong together: their labels are the same, one's are among the other's, or there is but one on a side.
func joinSeries(a, b []answerSeries, do func(a, b float64) float64) []answerSeries {
	within := func(small, large model.Metric) bool {
		for n, v := range small {
			if n != model.MetricNameLabel && large[n] != v {
				return false
			}
		}
		return true
	}
	var out []answerSeries
	for _, x := range a {
		for _, y := range b {
			if len(a) > 1 && len(b) > 1 && !within(x.metric, y.metric) && !within(y.metric, x.metric) {
				continue
			}
			labels := x.metric
			if len(y.metric) > len(labels) {
				labels = y.metric
			}
			one := answerSeries{metric: labels}
			switch {
			case len(y.points) == 1:
				for _, p := range x.points {
					one.points = append(one.points, point{p.t, do(p.v, y.points[0].v)})
				}
			case len(x.points) == 1:
				for _, p := range y.points {
					one.points = append(one.points, point{p.t, do(x.points[0].v, p.v)})
				}
			default:
				at := map[float64]float64{}
				for _, p := range y.points {
					at[p.t] = p.v
				}
				for _, p := range x.points {
					if v, ok := at[p.t]; ok {
						one.points = append(one.points, point{p.t, do(p.v, v)})
					}
				}
			}
			if len(one.points) > 0 {
				out = append(out, one)
			}
		}
	}
	return out
}

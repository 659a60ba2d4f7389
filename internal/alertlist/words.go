package alertlist

import (
	"fmt"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// phrases say what functions make of a range (%s, over %s), or of a vector.
var phrases = map[string]string{
	"avg_over_time":      "mean of %s over %s",
	"changes":            "number of changes of %s within %s",
	"count_over_time":    "number of samples of %s within %s",
	"delta":              "change of %s within %s",
	"deriv":              "slope of %s per second, by the line through %s",
	"idelta":             "last change of %s within %s",
	"increase":           "increase of %s within %s",
	"irate":              "last rate of %s per second within %s",
	"last_over_time":     "last %s within %s",
	"max_over_time":      "largest %s within %s",
	"min_over_time":      "smallest %s within %s",
	"quantile_over_time": "quantile of %s within %s",
	"rate":               "rate of %s per second over %s",
	"resets":             "number of resets of %s within %s",
	"stddev_over_time":   "standard deviation of %s over %s",
	"sum_over_time":      "sum of %s over %s",
	"absent_over_time":   "no %s within %s",
}

var aggregations = map[string]string{"avg": "mean", "bottomk": "smallest", "count": "number", "max": "largest", "min": "smallest", "quantile": "quantile", "stddev": "standard deviation", "sum": "sum", "topk": "largest"}

var operators = map[string]string{"+": "plus", "-": "minus", "*": "times", "/": "divided by", ">": "above", "<": "below", ">=": "at least", "<=": "at most", "==": "equal to", "!=": "different from", "and": "where there is", "or": "or else", "unless": "where there is no"}

// Words say in English what an expression of PromQL asks; the expression itself if it cannot be parsed.
func Words(expr string) string {
	tree, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return expr
	}
	return words(tree)
}

func words(node parser.Expr) string {
	switch n := node.(type) {
	case *parser.ParenExpr:
		if inner, ok := n.Expr.(*parser.BinaryExpr); ok {
			return "(" + words(inner) + ")"
		}
		return words(n.Expr)
	case *parser.NumberLiteral:
		return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.6f", n.Val), "0"), ".")
	case *parser.StringLiteral:
		return fmt.Sprintf("%q", n.Val)
	case *parser.UnaryExpr:
		return "minus " + words(n.Expr)
	case *parser.VectorSelector:
		return selector(n)
	case *parser.StepInvariantExpr:
		return words(n.Expr)
	case *parser.AggregateExpr:
		return aggregation(n)
	case *parser.BinaryExpr:
		return words(n.LHS) + " " + operators[n.Op.String()] + " " + words(n.RHS)
	case *parser.Call:
		return call(n)
	}
	return node.String()
}

func selector(n *parser.VectorSelector) string {
	var conditions []string
	for _, m := range n.LabelMatchers {
		if m.Name == model.MetricNameLabel {
			continue
		}
		how := map[string]string{"=": "is", "!=": "is not", "=~": "matches", "!~": "does not match"}[m.Type.String()]
		conditions = append(conditions, fmt.Sprintf("%s %s %s", m.Name, how, m.Value))
	}
	text := n.Name
	if len(conditions) > 0 {
		text += " (" + strings.Join(conditions, ", ") + ")"
	}
	if n.OriginalOffset > 0 {
		text += " " + model.Duration(n.OriginalOffset).String() + " before"
	}
	return text
}

func aggregation(n *parser.AggregateExpr) string {
	name := aggregations[n.Op.String()]
	if name == "" {
		name = n.Op.String()
	}
	if n.Param != nil {
		name = words(n.Param) + " " + name
	}
	text := name + " of " + words(n.Expr)
	switch {
	case n.Without && len(n.Grouping) > 0:
		text += ", whatever the " + strings.Join(n.Grouping, ", ")
	case len(n.Grouping) > 0:
		text += ", per " + strings.Join(n.Grouping, " and ")
	}
	return text
}

func call(n *parser.Call) string {
	if n.Func.Name == "time" {
		return "now"
	}
	if len(n.Args) > 0 {
		if m, ok := n.Args[0].(*parser.MatrixSelector); ok {
			inner, window := words(m.VectorSelector), model.Duration(m.Range).String()
			if n.Func.Name == "predict_linear" && len(n.Args) == 2 {
				return fmt.Sprintf("%s in %s, by the line through the last %s", inner, seconds(n.Args[1]), window)
			}
			if phrase := phrases[n.Func.Name]; phrase != "" {
				return fmt.Sprintf(phrase, inner, window)
			}
		}
	}
	var args []string
	for _, a := range n.Args {
		args = append(args, words(a))
	}
	return n.Func.Name + " of " + strings.Join(args, ", ")
}

// seconds writes a number of seconds as a time, where it is one or a product of numbers.
func seconds(n parser.Expr) string {
	var value func(parser.Expr) (float64, bool)
	value = func(n parser.Expr) (float64, bool) {
		switch n := n.(type) {
		case *parser.NumberLiteral:
			return n.Val, true
		case *parser.ParenExpr:
			return value(n.Expr)
		case *parser.BinaryExpr:
			a, okA := value(n.LHS)
			b, okB := value(n.RHS)
			return a * b, okA && okB && n.Op == parser.MUL
		}
		return 0, false
	}
	if v, ok := value(n); ok {
		return model.Duration(v * 1e9).String()
	}
	return words(n) + " seconds"
}

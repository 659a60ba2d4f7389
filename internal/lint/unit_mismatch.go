package lint

import (
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/finding"
	"lookout/internal/promql"
	"lookout/internal/queries"
)

var unitMismatch = &Rule{
	ID: "unit-mismatch", Severity: finding.Warning,
	Summary: "The metric's name says one thing, the panel's unit another.",
	Query: func(p *Pass, q *queries.Query) {
		if q.Tree == nil || q.Source == nil || q.Source.Panel == nil || q.Source.Target.Hide {
			return
		}
		panel := q.Source.Panel
		for _, o := range panel.Overrides {
			for _, prop := range o.Get("properties").Items() {
				if prop.Get("id").Text() == "unit" {
					return // this query may be the one that is overridden
				}
			}
		}
		shown, ok := dimensions[panel.Unit]
		if !ok {
			return
		}
		if meant := dimensionOf(q.Tree); meant != "" && meant != shown {
			p.Query(q, 0, "the query gives %s, but the panel's unit %q stands for %s", meant, panel.Unit, shown)
		}
	},
}

// dimensions are the units that leave no doubt.
var dimensions = map[string]string{
	"bytes": "bytes", "decbytes": "bytes", "kbytes": "kilobytes", "mbytes": "megabytes", "gbytes": "gigabytes",
	"Bps": "bytes per second", "binBps": "bytes per second", "s": "seconds", "ms": "milliseconds", "µs": "microseconds", "ns": "nanoseconds", "m": "minutes", "h": "hours",
	"percent": "percent", "celsius": "degrees", "reqps": "events per second",
}

// dimensionOf follows the functions that keep a dimension or change it in a known way; "" is "cannot say".
func dimensionOf(e parser.Expr) string {
	switch n := unparen(e).(type) {
	case *parser.VectorSelector:
		if promql.HasVariable(n.Name) || strings.Contains(n.Name, ":") {
			return ""
		}
		return dimensionOfName(n.Name)
	case *parser.MatrixSelector:
		return dimensionOf(n.VectorSelector)
	case *parser.SubqueryExpr:
		return dimensionOf(n.Expr)
	case *parser.AggregateExpr:
		switch n.Op {
		case parser.SUM, parser.AVG, parser.MIN, parser.MAX, parser.TOPK, parser.BOTTOMK, parser.QUANTILE:
			return dimensionOf(n.Expr)
		}
	case *parser.Call:
		switch n.Func.Name {
		case "rate", "irate":
			if strings.HasSuffix(selectorName(n.Args[0]), "_bytes_total") {
				return "bytes per second"
			}
		case "increase", "delta", "idelta", "avg_over_time", "max_over_time", "min_over_time", "last_over_time", "clamp_min", "clamp_max", "sort", "sort_desc", "abs", "label_replace":
			return dimensionOf(n.Args[0])
		case "histogram_quantile":
			if len(n.Args) == 2 {
				return dimensionOfName(bucketName(n.Args[1]))
			}
		}
	}
	return ""
}

func dimensionOfName(name string) string {
	base := strings.TrimSuffix(strings.TrimSuffix(name, "_total"), "_bucket")
	switch {
	case strings.HasSuffix(name, "_count"), strings.HasSuffix(name, "_info"), strings.HasSuffix(base, "_timestamp_seconds"), strings.HasSuffix(base, "_time_seconds"):
		return ""
	case strings.HasSuffix(base, "_bytes"):
		return "bytes"
	case strings.HasSuffix(base, "_seconds"):
		return "seconds"
	case strings.HasSuffix(base, "_milliseconds"):
		return "milliseconds"
	case strings.HasSuffix(base, "_celsius"):
		return "degrees"
	}
	return ""
}

func selectorName(e parser.Expr) string {
	if m, ok := unparen(e).(*parser.MatrixSelector); ok {
		if vs, ok := m.VectorSelector.(*parser.VectorSelector); ok && !promql.HasVariable(vs.Name) {
			return vs.Name
		}
	}
	return ""
}

// bucketName is the one histogram below an expression, "" if there are several.
func bucketName(e parser.Expr) string {
	name := ""
	promql.Walk(e, func(n parser.Node) {
		vs, ok := n.(*parser.VectorSelector)
		switch {
		case !ok:
		case name != "" && name != vs.Name, promql.HasVariable(vs.Name), strings.Contains(vs.Name, ":"):
			name = "?"
		default:
			name = vs.Name
		}
	})
	return name
}

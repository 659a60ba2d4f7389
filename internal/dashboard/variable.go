package dashboard

import "strings"

// Variable is a template variable.
type Variable struct {
	Node *Node
	Name string
	// Type is "query", "custom", "interval", "datasource", "textbox", "constant", "adhoc", "groupby" or "switch".
	Type  string
	Label string
	// Query is the text of the query: of type query what is sent to the datasource; of custom the list of values; of datasource the plugin;
	// of interval the list of intervals. QueryNode is the leaf it stands in.
	Query     string
	QueryNode *Node
	Regex     string
	// Multi and IncludeAll decide how the value is put into a query: as an alternation (a|b) rather than a plain word.
	Multi, IncludeAll bool
	AllValue          string
	// Refresh is 0 never, 1 on dashboard load, 2 on time range change.
	Refresh int
	// Hide is 0 shown, 1 label hidden, 2 hidden.
	Hide       int
	Datasource Ref
	// Section is the row or tab that a variable of a V2 layout belongs to, nil for one of the dashboard.
	Section *Node
}

func readVariable(n *Node) *Variable {
	if !n.Is(Object) {
		return nil
	}
	v := &Variable{
		Node: n, Name: n.Get("name").Text(), Type: n.Get("type").Text(), Label: n.Get("label").Text(), Regex: n.Get("regex").Text(),
		Multi: n.Get("multi").Bool(), IncludeAll: n.Get("includeAll").Bool(), AllValue: n.Get("allValue").Text(),
		Datasource: readRef(n.Get("datasource")),
	}
	if i, ok := n.Get("refresh").Int(); ok {
		v.Refresh = int(i)
	} else if n.Get("refresh").Bool() { // before schemaVersion 12
		v.Refresh = 1
	}
	if i, ok := n.Get("hide").Int(); ok {
		v.Hide = int(i)
	}
	for _, q := range []*Node{n.Get("query"), n.Path("query", "query"), n.Path("query", "expr"), n.Get("definition")} {
		if q.Is(String) && strings.TrimSpace(q.Text()) != "" {
			v.Query, v.QueryNode = q.Text(), q
			break
		}
	}
	return v
}

// QueryFunc is the function a Prometheus variable query calls.
type QueryFunc string

// The functions of Grafana's Prometheus datasource. QueryBare is none of them: Grafana runs the text as an instant query.
const (
	LabelValues QueryFunc = "label_values"
	LabelNames  QueryFunc = "label_names"
	Metrics     QueryFunc = "metrics"
	QueryResult QueryFunc = "query_result"
	QueryBare   QueryFunc = ""
)

// VariableQuery is a Prometheus variable query taken apart.
type VariableQuery struct {
	Func QueryFunc
	// Expr is the PromQL inside, ExprAt its byte offset in the query's text. It may be empty: label_values(instance).
	Expr   string
	ExprAt int
	// Label is what label_values asks for.
	Label string
	// Regex is the argument of metrics().
	Regex string
}

// ParseVariableQuery takes apart what [Variable.Query] holds. It follows the datasource's own expressions: a text that only nearly looks like a function is a
// bare query.
func ParseVariableQuery(q string) VariableQuery {
	trimmed := strings.TrimSpace(q)
	at := strings.Index(q, trimmed)
	name, inner, ok := strings.Cut(trimmed, "(")
	if !ok || !strings.HasSuffix(inner, ")") {
		return VariableQuery{Expr: trimmed, ExprAt: at}
	}
	innerAt := at + len(name) + 1
	inner = inner[:len(inner)-1]
	trimInner := func(s string, off int) (string, int) {
		t := strings.TrimSpace(s)
		return t, off + strings.Index(s, t)
	}
	switch QueryFunc(strings.TrimSpace(name)) {
	case LabelValues:
		// The label is what follows the last comma outside of brackets; label names hold none.
		expr, label := "", inner
		if i := strings.LastIndexByte(inner, ','); i >= 0 && !strings.ContainsAny(inner[i:], `)}]"`) || i >= 0 && isVariableText(inner[i+1:]) {
			expr, label = inner[:i], inner[i+1:]
		}
		e, off := trimInner(expr, innerAt)
		return VariableQuery{Func: LabelValues, Expr: e, ExprAt: off, Label: strings.TrimSpace(label)}
	case LabelNames:
		e, off := trimInner(inner, innerAt)
		return VariableQuery{Func: LabelNames, Expr: e, ExprAt: off}
	case Metrics:
		return VariableQuery{Func: Metrics, Regex: strings.TrimSpace(inner)}
	case QueryResult:
		e, off := trimInner(inner, innerAt)
		return VariableQuery{Func: QueryResult, Expr: e, ExprAt: off}
	}
	return VariableQuery{Expr: trimmed, ExprAt: at}
}

func isVariableText(s string) bool {
	_, ok := wholeVariable(strings.TrimSpace(s))
	return ok
}

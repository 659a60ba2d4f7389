package promql

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/parser/posrange"
)

// Prometheus' parser is made by yacc and moves some 300 bytes for each step of its grammar: it took more than half of the time of a review. Most queries need only
// a small part of that grammar. quick reads this part in one pass and makes the very tree that Prometheus' parser makes of it. Whatever else it meets, and whatever
// is wrong, it leaves to that parser, which alone judges: quick never refuses a query. TestQuick holds the two against each other.
type quick struct {
	p     *Parser
	s     string
	pos   int
	depth int
}

// quickDepth is how deep brackets may nest before the query is left to Prometheus' parser, whose stack does not grow with them.
const quickDepth = 64

// quick is the tree of a query, nil if it is one for Prometheus' parser.
func (p *Parser) quick(text string) parser.Expr {
	if strings.IndexByte(text, '#') >= 0 {
		return nil
	}
	q := quick{p: p, s: text}
	e := q.expr(1)
	if e == nil || q.next() != 0 || q.pos < len(text) {
		return nil
	}
	return e
}

// next passes over space and is the byte that follows, 0 at the end.
func (q *quick) next() byte {
	for q.pos < len(q.s) {
		switch c := q.s[q.pos]; c {
		case ' ', '\t', '\n', '\r':
			q.pos++
		default:
			return c
		}
	}
	return 0
}

// take passes over a byte if it is the one that follows.
func (q *quick) take(c byte) bool {
	if q.next() != c {
		return false
	}
	q.pos++
	return true
}

// word is the name or keyword that follows, "" if there is none.
func (q *quick) word() string {
	q.next()
	start := q.pos
	for q.pos < len(q.s) {
		if c := q.s[q.pos]; !isWord(c) && c != ':' || q.pos == start && c >= '0' && c <= '9' {
			break
		}
		q.pos++
	}
	return q.s[start:q.pos]
}

// reserved tells the words that mean something by themselves, and which aggregation they are. Case does not count.
func reserved(word string) (op parser.ItemType, ok bool) {
	if len(word) > len("count_values") {
		return 0, false
	}
	switch lower(word) {
	case "sum":
		op = parser.SUM
	case "avg":
		op = parser.AVG
	case "count":
		op = parser.COUNT
	case "min":
		op = parser.MIN
	case "max":
		op = parser.MAX
	case "group":
		op = parser.GROUP
	case "stddev":
		op = parser.STDDEV
	case "stdvar":
		op = parser.STDVAR
	case "topk":
		op = parser.TOPK
	case "bottomk":
		op = parser.BOTTOMK
	case "quantile":
		op = parser.QUANTILE
	case "and", "or", "unless", "atan2", "count_values", "limitk", "limit_ratio", "offset", "smoothed", "anchored", "by", "without", "on", "ignoring", "group_left", "group_right",
		"fill", "fill_left", "fill_right", "bool", "start", "end", "step", "range", "max_of", "min_of", "inf", "nan":
	default:
		return 0, false
	}
	return op, true
}

// operator is the binary operator that follows, its rank and length; rank 0 is none, and a rank below 0 something else than an operator or the end of an expression.
func (q *quick) operator() (op parser.ItemType, rank, size int) {
	c := q.next()
	second := byte(0)
	if q.pos+1 < len(q.s) {
		second = q.s[q.pos+1]
	}
	switch {
	case c == 0 || c == ')' || c == ',':
		return 0, 0, 0
	case c == '+':
		return parser.ADD, 4, 1
	case c == '-':
		return parser.SUB, 4, 1
	case c == '*':
		return parser.MUL, 5, 1
	case c == '/':
		return parser.DIV, 5, 1
	case c == '%':
		return parser.MOD, 5, 1
	case c == '=' && second == '=':
		return parser.EQLC, 3, 2
	case c == '!' && second == '=':
		return parser.NEQ, 3, 2
	case c == '<' && second == '=':
		return parser.LTE, 3, 2
	case c == '>' && second == '=':
		return parser.GTE, 3, 2
	case c == '<' && second != '/':
		return parser.LSS, 3, 1
	case c == '>' && second != '/':
		return parser.GTR, 3, 1
	}
	at := q.pos
	word := q.word()
	q.pos = at
	switch word {
	case "or":
		return parser.LOR, 1, 2
	case "and":
		return parser.LAND, 2, 3
	case "unless":
		return parser.LUNLESS, 2, 6
	}
	return 0, -1, 0
}

// expr is an expression whose operators are all of the rank or above.
func (q *quick) expr(rank int) parser.Expr {
	left := q.unary()
	for left != nil {
		op, r, size := q.operator()
		if r < 0 {
			return nil
		}
		if r < rank {
			return left
		}
		q.pos += size
		left = q.binary(left, op, r)
	}
	return nil
}

// binary is what an operator makes of the expression to its left and what follows.
func (q *quick) binary(left parser.Expr, op parser.ItemType, rank int) parser.Expr {
	b := &parser.BinaryExpr{Op: op, LHS: left}
	m := &parser.VectorMatching{Card: parser.CardOneToOne}
	at := q.pos
	word := q.word()
	if word == "bool" {
		if !op.IsComparisonOperator() {
			return nil
		}
		b.ReturnBool = true
		at = q.pos
		word = q.word()
	}
	if word == "on" || word == "ignoring" {
		var ok bool
		if m.MatchingLabels, ok = q.grouping(); !ok {
			return nil
		}
		m.On = word == "on"
		at = q.pos
		switch q.word() {
		case "group_left":
			m.Card = parser.CardManyToOne
		case "group_right":
			m.Card = parser.CardOneToMany
		}
		if m.Card != parser.CardOneToOne {
			if at = q.pos; q.next() == '(' {
				if m.Include, ok = q.grouping(); !ok {
					return nil
				}
				at = q.pos
			}
		}
	}
	q.pos = at
	right := q.expr(rank + 1)
	if right == nil {
		return nil
	}
	b.RHS = right
	lt, rt := left.Type(), right.Type()
	vectors := lt == parser.ValueTypeVector && rt == parser.ValueTypeVector
	switch {
	case lt != parser.ValueTypeVector && lt != parser.ValueTypeScalar || rt != parser.ValueTypeVector && rt != parser.ValueTypeScalar:
		return nil
	case !vectors && (len(m.MatchingLabels) > 0 || op.IsSetOperator()):
		return nil
	case lt == parser.ValueTypeScalar && rt == parser.ValueTypeScalar && op.IsComparisonOperator() && !b.ReturnBool:
		return nil
	case op.IsSetOperator() && m.Card != parser.CardOneToOne:
		return nil
	case !vectors:
		return b
	case op.IsSetOperator():
		m.Card = parser.CardManyToMany
	}
	if m.On {
		for _, l := range m.MatchingLabels {
			for _, other := range m.Include {
				if l == other {
					return nil
				}
			}
		}
	}
	b.VectorMatching = m
	return b
}

// grouping is a list of label names in brackets.
func (q *quick) grouping() ([]string, bool) {
	if !q.take('(') {
		return nil, false
	}
	if q.take(')') {
		return []string{}, true
	}
	var names []string
	for {
		name := q.word()
		if name == "" || strings.IndexByte(name, ':') >= 0 {
			return nil, false
		}
		if _, ok := reserved(name); ok {
			return nil, false
		}
		names = append(names, name)
		if q.take(')') {
			return names, true
		}
		if !q.take(',') {
			return nil, false
		}
	}
}

func (q *quick) unary() parser.Expr {
	c := q.next()
	if c != '-' && c != '+' {
		return q.operand()
	}
	start := posrange.Pos(q.pos)
	q.pos++
	if c := q.next(); c == '-' || c == '+' {
		return nil
	}
	e := q.operand()
	switch n := e.(type) {
	case nil:
		return nil
	case *parser.NumberLiteral:
		if c == '-' {
			n.Val *= -1
		}
		n.PosRange.Start = start
		return n
	}
	if t := e.Type(); t != parser.ValueTypeScalar && t != parser.ValueTypeVector {
		return nil
	}
	op := parser.ItemType(parser.ADD)
	if c == '-' {
		op = parser.SUB
	}
	return &parser.UnaryExpr{Op: op, Expr: e, StartPos: start}
}

func (q *quick) operand() parser.Expr {
	c := q.next()
	start := q.pos
	switch {
	case c == '(':
		if q.depth++; q.depth > quickDepth {
			return nil
		}
		q.pos++
		e := q.expr(1)
		if e == nil || !q.take(')') {
			return nil
		}
		q.depth--
		return &parser.ParenExpr{Expr: e, PosRange: q.since(start)}
	case c >= '0' && c <= '9':
		return q.number()
	case c == '"' || c == '\'':
		value, ok := q.literal()
		if !ok {
			return nil
		}
		return &parser.StringLiteral{Val: value, PosRange: q.since(start)}
	case c == '{':
		return q.selector("", start)
	}
	word := q.word()
	if word == "" {
		return nil
	}
	op, ok := reserved(word)
	switch {
	case op != 0:
		return q.aggregation(op, start)
	case ok:
		return nil
	}
	at := q.pos
	if q.next() == '(' {
		return q.call(word, start)
	}
	q.pos = at
	return q.selector(word, start)
}

// since is the range from start to here.
func (q *quick) since(start int) posrange.PositionRange {
	return posrange.PositionRange{Start: posrange.Pos(start), End: posrange.Pos(q.pos)}
}

// number reads the plain ones: no exponent, not hexadecimal, not octal, no duration, nothing that float64 does not hold.
func (q *quick) number() parser.Expr {
	start := q.pos
	dots := 0
	for ; q.pos < len(q.s); q.pos++ {
		if c := q.s[q.pos]; c == '.' {
			dots++
		} else if c < '0' || c > '9' {
			break
		}
	}
	text := q.s[start:q.pos]
	if len(text) > 15 || dots > 1 || text[len(text)-1] == '.' || text[0] == '0' && len(text) > 1 && text[1] != '.' || q.pos < len(q.s) && isWord(q.s[q.pos]) {
		return nil
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil
	}
	return &parser.NumberLiteral{Val: value, PosRange: q.since(start)}
}

// literal reads a string that stands for itself.
func (q *quick) literal() (string, bool) {
	quote := q.s[q.pos]
	if quote != '"' && quote != '\'' {
		return "", false
	}
	for i := q.pos + 1; i < len(q.s); i++ {
		switch c := q.s[i]; {
		case c == quote:
			value := q.s[q.pos+1 : i]
			q.pos = i + 1
			return value, true
		case c == '\\' || c < ' ' || c >= 0x7f:
			return "", false
		}
	}
	return "", false
}

func (q *quick) aggregation(op parser.ItemType, start int) parser.Expr {
	a := &parser.AggregateExpr{Op: op}
	modifier := func() bool {
		word := q.word()
		if word != "by" && word != "without" {
			return false
		}
		var ok bool
		a.Grouping, ok = q.grouping()
		a.Without = word == "without"
		return ok
	}
	modified := q.next() != '('
	if modified && !modifier() {
		return nil
	}
	args, ok := q.args()
	if !ok {
		return nil
	}
	a.PosRange = q.since(start)
	if c := q.next(); !modified && (c == 'b' || c == 'w') {
		if !modifier() {
			return nil
		}
		a.PosRange = q.since(start)
	}
	if op.IsAggregatorWithParam() {
		if len(args) != 2 || args[0].Type() != parser.ValueTypeScalar {
			return nil
		}
		a.Param, args = args[0], args[1:]
	}
	if len(args) != 1 || args[0].Type() != parser.ValueTypeVector {
		return nil
	}
	a.Expr = args[0]
	return a
}

// args are the arguments of a function, which Prometheus' parser keeps as a list that is never nil.
func (q *quick) args() (parser.Expressions, bool) {
	if !q.take('(') {
		return nil, false
	}
	if q.take(')') {
		return parser.Expressions{}, true
	}
	if q.depth++; q.depth > quickDepth {
		return nil, false
	}
	var out parser.Expressions
	for {
		e := q.expr(1)
		if e == nil {
			return nil, false
		}
		out = append(out, e)
		if q.take(')') {
			q.depth--
			return out, true
		}
		if !q.take(',') {
			return nil, false
		}
	}
}

func (q *quick) call(name string, start int) parser.Expr {
	f := q.p.functions[name]
	if f == nil || name == "info" { // whose second argument has rules of its own
		return nil
	}
	args, ok := q.args()
	if !ok {
		return nil
	}
	n := len(f.ArgTypes)
	switch {
	case f.Variadic == 0 && len(args) != n, f.Variadic != 0 && len(args) < n-1, f.Variadic > 0 && len(args) > n-1+f.Variadic:
		return nil
	}
	for i, a := range args {
		if a.Type() != f.ArgTypes[min(i, n-1)] {
			return nil
		}
	}
	return &parser.Call{Func: f, Args: args, PosRange: q.since(start)}
}

// selector reads what follows a metric's name: matchers, range, or nothing.
func (q *quick) selector(name string, start int) parser.Expr {
	vs := &parser.VectorSelector{Name: name, PosRange: q.since(start)}
	var found [8]labels.Matcher
	list, selective := found[:0], name != ""
	if q.next() == '{' {
		q.pos++
		for q.next() != '}' {
			m, long, ok := q.matcher()
			if !ok || m.Name == model.MetricNameLabel && name != "" {
				return nil
			}
			// Whether a regular expression matches nothing, too, Prometheus' parser has to tell.
			selective = selective || m.Type == labels.MatchEqual && m.Value != "" || m.Type == labels.MatchNotEqual && m.Value == "" || long
			list = append(list, m)
			if c := q.next(); c == ',' {
				q.pos++
			} else if c != '}' {
				return nil
			}
		}
		q.pos++
		vs.PosRange = q.since(start)
	}
	if !selective {
		return nil
	}
	if name != "" {
		list = append(list, labels.Matcher{Type: labels.MatchEqual, Name: model.MetricNameLabel, Value: name})
	}
	kept := make([]labels.Matcher, len(list))
	copy(kept, list)
	vs.LabelMatchers = make([]*labels.Matcher, len(list))
	for i := range kept {
		vs.LabelMatchers[i] = &kept[i]
	}
	at := q.pos
	if q.next() != '[' {
		q.pos = at
		return vs
	}
	q.pos++
	span, ok := q.duration()
	if !ok || !q.take(']') {
		return nil
	}
	return &parser.MatrixSelector{VectorSelector: vs, Range: span, EndPos: posrange.Pos(q.pos)}
}

// matcher reads one of a selector's. long tells a regular expression that Prometheus' parser is given a mask for, which no empty value matches.
func (q *quick) matcher() (m labels.Matcher, long, ok bool) {
	m.Name = q.word()
	if m.Name == "" || strings.IndexByte(m.Name, ':') >= 0 || q.next() == 0 || q.pos+1 >= len(q.s) {
		return m, false, false
	}
	switch op, second := q.s[q.pos], q.s[q.pos+1]; {
	case op == '=' && second == '~':
		m.Type = labels.MatchRegexp
	case op == '!' && second == '~':
		m.Type = labels.MatchNotRegexp
	case op == '!' && second == '=':
		m.Type = labels.MatchNotEqual
	case op == '=':
		m.Type = labels.MatchEqual
		q.pos--
	default:
		return m, false, false
	}
	q.pos += 2
	if q.next() == 0 {
		return m, false, false
	}
	if m.Value, ok = q.literal(); !ok {
		return m, false, false
	}
	if m.Type == labels.MatchRegexp || m.Type == labels.MatchNotRegexp {
		if q.p.checkRegexp(m.Value) != nil {
			return m, false, false
		}
		long = m.Type == labels.MatchRegexp && len(m.Value) > 3
	}
	return m, long, true
}

// duration reads a plain one: 5m.
func (q *quick) duration() (time.Duration, bool) {
	q.next()
	start := q.pos
	for q.pos < len(q.s) && q.s[q.pos] >= '0' && q.s[q.pos] <= '9' {
		q.pos++
	}
	digits := q.pos - start
	for q.pos < len(q.s) && isWord(q.s[q.pos]) {
		q.pos++
	}
	switch q.s[start+digits : q.pos] {
	case "ms", "s", "m", "h", "d", "w", "y":
	default:
		return 0, false
	}
	if digits < 1 || digits > 6 {
		return 0, false
	}
	d, err := model.ParseDuration(q.s[start:q.pos])
	if err != nil || d <= 0 {
		return 0, false
	}
	// The way through seconds is Prometheus' parser's own.
	return time.Duration(math.Round(time.Duration(d).Seconds() * float64(time.Second))), true
}

// Package promql parses the queries of Grafana dashboards with Prometheus' own parser.
//
// Queries in dashboards hold Grafana variables in all places: as durations, names, label matchers, operators, functions. [Parser.Parse] puts a
// placeholder that fits for each of them, so that what Prometheus would accept is accepted, and errors point at the query as it was written. Queries that
// are LogQL or MetricsQL are recognised and named, not refused.
package promql

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/parser/posrange"
)

// Expr is a query as it was understood.
type Expr struct {
	// Text is the query as written.
	Text string
	// Language is what it is written in; for anything but PromQL Tree is nil and Err is nil.
	Language Language
	// Evidence says what gave the language away ("line filter |=", "function rollup_rate"); "" for PromQL.
	Evidence string
	// Tree is the parsed query, nil if Err is set. It is shared between equal queries: don't change it. Names in it may hold placeholders, see
	// [HasVariable], [Pattern] and [Expr.Restore]. Matchers of regular expressions in it are not compiled: build one with labels.NewMatcher to match with.
	Tree parser.Expr
	Err  *Error
	// Uses are the variables in it, in the order of the text.
	Uses []Use

	segs []segment
}

// Error is what is wrong with a query.
type Error struct {
	// Offset is the byte in [Expr.Text] where it is.
	Offset int
	Msg    string
}

func (e *Error) Error() string { return e.Msg }

// Parser parses queries and remembers them: the same query stands in many dashboards. It is not safe for concurrent use.
type Parser struct {
	p         parser.Parser
	functions map[string]*parser.Function
	cache     map[string]cached
	// regexps remembers which regular expressions are right.
	regexps map[string]error
	scanner scanner // kept for its buffers
}

type cached struct {
	tree parser.Expr
	err  error
}

// cacheSize bounds the memory of the caches. Repetitions stand near each other: in one dashboard, or in variants of it.
const cacheSize = 4096

// NewParser makes a parser that accepts all that any Prometheus since 2.0 accepts, experimental functions included: whether a certain server has them
// switched on, the query does not tell.
func NewParser() *Parser {
	functions := make(map[string]*parser.Function, len(parser.Functions)+1)
	for name, f := range parser.Functions {
		functions[name] = f
	}
	// Prometheus 3 renamed it; older servers know only this name.
	old := *parser.Functions["double_exponential_smoothing"]
	old.Name = "holt_winters"
	functions["holt_winters"] = &old
	return &Parser{
		p: parser.NewParser(parser.Options{
			EnableExperimentalFunctions: true, EnableBinopFillModifiers: true, Functions: functions,
		}),
		functions: functions, cache: map[string]cached{}, regexps: map[string]error{},
	}
}

// The most that is looked at of one query. The longest of 13,750 public ones has 8 kB and nests 60 levels deep; each term of a sum is a level.
const (
	MaxText  = 128 << 10
	MaxDepth = 500
)

// nesting is how deep a tree is, counted up to where it is too deep.
func nesting(root parser.Node) int {
	type at struct {
		n     parser.Node
		depth int
	}
	deepest, open := 0, []at{{root, 1}}
	for len(open) > 0 {
		top := open[len(open)-1]
		open = open[:len(open)-1]
		deepest = max(deepest, top.depth)
		for c := range parser.ChildrenIter(top.n) {
			open = append(open, at{c, top.depth + 1})
		}
	}
	return deepest
}

func tooDeep(depth int) *Error {
	return &Error{Msg: fmt.Sprintf("the query nests %d levels deep; the most that is looked at is %d. Split it, or record a part of it", depth, MaxDepth)}
}

// openings is how deep brackets and signs nest at most, which shows without parsing. It counts too little rather than too much: brackets in strings end a count.
func openings(text string) (deepest int) {
	if len(text) <= MaxDepth {
		return 0
	}
	depth, signs := 0, 0
	for i := range len(text) {
		switch text[i] {
		case '(':
			depth++
		case ')':
			depth = max(depth-1, 0)
		case '-', '+':
			signs++
		case ' ', '\t', '\n', '\r':
		case '"', '\'', '`', '#':
			depth, signs = 0, 0
		default:
			signs = 0
		}
		deepest = max(deepest, depth, signs)
	}
	return deepest
}

// Parse understands a query. defined tells whether the dashboard has a variable of that name; nil means that all names are good. Grafana leaves an unknown
// name inside a string alone, so it may be part of a regular expression.
func (p *Parser) Parse(text string, defined func(name string) bool) *Expr {
	e := &Expr{Text: text}
	if len(text) > MaxText {
		e.Err = &Error{Msg: fmt.Sprintf("the query has %d bytes; the most that is looked at is %d. Split it, or record a part of it", len(text), MaxText)}
		return e
	}
	if depth := openings(text); depth > MaxDepth {
		// Prometheus' parser asks each level for its type, which asks all below it.
		e.Err = tooDeep(depth)
		return e
	}
	tree, err := p.parse(e, defined)
	if err == nil {
		if depth := 0; len(text) > MaxDepth { // a level takes a byte at least
			depth = nesting(tree)
			if depth <= MaxDepth {
				e.Tree = tree
				return e
			}
			e.Err = tooDeep(depth)
			return e
		}
		e.Tree = tree
		return e
	}
	if lang, why := Detect(text); lang != PromQL {
		e.Language, e.Evidence = lang, why
		return e
	}
	e.Err = e.explain(err)
	return e
}

// maxTries bounds how many combinations of placeholders are tried for a query that the likeliest one does not fit.
const maxTries = 64

func (p *Parser) parse(e *Expr, defined func(string) bool) (parser.Expr, error) {
	if strings.IndexByte(e.Text, '$') < 0 && !strings.Contains(e.Text, "[[") {
		return p.parseText(e.Text)
	}
	s := &p.scanner
	s.reset(e.Text, defined)
	s.scan()
	s.plan()
	e.Uses = slices.Clone(s.uses)
	choice := make([]int, len(s.holes))
	text, segs := s.fill(choice)
	tree, first := p.parseText(text)
	e.segs = segs
	if first == nil {
		return tree, nil
	}
	tries := 0
	try := func() bool {
		tries++
		text, segs := s.fill(choice)
		var err error
		if tree, err = p.parseText(text); err == nil {
			e.segs = segs
			return true
		}
		return false
	}
	// One variable off its likeliest placeholder, then two, then all by the same step.
	for i := range s.holes {
		for choice[i] = 1; choice[i] < len(s.holes[i].candidates) && tries < maxTries; choice[i]++ {
			if try() {
				return tree, nil
			}
		}
		choice[i] = 0
	}
	for i := range s.holes {
		for j := range i {
			for choice[i] = 1; choice[i] < len(s.holes[i].candidates); choice[i]++ {
				for choice[j] = 1; choice[j] < len(s.holes[j].candidates) && tries < maxTries; choice[j]++ {
					if try() {
						return tree, nil
					}
				}
			}
			choice[j] = 0
		}
		choice[i] = 0
	}
	for step := 1; step < 4; step++ {
		for i := range s.holes {
			choice[i] = min(step, len(s.holes[i].candidates)-1)
		}
		if try() {
			return tree, nil
		}
	}
	return nil, first
}

func (p *Parser) parseText(text string) (parser.Expr, error) {
	if c, ok := p.cache[text]; ok {
		return c.tree, c.err
	}
	var err error
	tree := p.quick(text)
	if tree == nil {
		tree, err = p.parseFully(text)
	}
	if err == nil && strings.Contains(text, "~") {
		if err = p.emptySelector(tree, text); err != nil {
			tree = nil
		}
	}
	if len(p.cache) >= cacheSize {
		clear(p.cache)
	}
	p.cache[text] = cached{tree, err}
	return tree, err
}

// parseFully is by Prometheus' parser.
func (p *Parser) parseFully(text string) (tree parser.Expr, err error) {
	if m := p.maskRegexps(text); m.err != nil {
		at := posrange.Pos(m.errAt)
		err = parser.ParseErrors{{PositionRange: posrange.PositionRange{Start: at, End: at}, Err: regexpError(m.err), Query: text}}
	} else if tree, err = p.p.ParseExpr(m.text); err == nil {
		m.unmask(tree)
	} else if tree, err = p.p.ParseExpr(text); err != nil { // the message must quote what was written, not the mask
		tree = nil
	}
	return tree, err
}

// Offset is where a position of the tree stands in the query as written.
func (e *Expr) Offset(pos posrange.Pos) int {
	at, from := int(pos), int(pos)
	for _, s := range e.segs {
		if s.to > at {
			break
		}
		from = s.from
		if !s.fixed {
			from += at - s.to
		}
	}
	return min(from, len(e.Text))
}

// Restore writes the variables back into a text that came out of the tree.
func (e *Expr) Restore(s string) string {
	if !strings.Contains(s, markerPrefix) {
		return s
	}
	var b strings.Builder
	last := 0
	for start, end, use := nextMarker(s, 0); end > 0; start, end, use = nextMarker(s, last) {
		b.WriteString(s[last:start])
		if use < len(e.Uses) {
			b.WriteString(e.Text[e.Uses[use].At:e.Uses[use].End])
		} else {
			b.WriteString(s[start:end])
		}
		last = end
	}
	b.WriteString(s[last:])
	return b.String()
}

// explain turns the parser's error into one about the query as written.
func (e *Expr) explain(err error) *Error {
	out := &Error{Msg: err.Error()}
	var list parser.ParseErrors
	if errors.As(err, &list) && len(list) > 0 {
		out.Offset = e.Offset(list[0].PositionRange.Start)
		out.Msg = list[0].Err.Error()
	}
	out.Msg = e.Restore(strings.TrimPrefix(out.Msg, "parse error: "))
	return out
}

package promql

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/util/strutil"
)

// Prometheus' parser compiles every regular expression it meets into an optimised matcher. That takes more time than all the rest of parsing, and a review needs
// only to know whether the expression is right. So long string literals after =~ and !~ are masked by words of the same length, which need no compiling, and put back
// into the tree afterwards. The same length keeps all positions.

type masked struct {
	text  string
	value map[string]string // mask → value
	err   error
	errAt int
}

// maskRegexps replaces the literals after =~ and !~.
func (p *Parser) maskRegexps(text string) masked {
	out := masked{text: text}
	var buf []byte
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '#':
			for i < len(text) && text[i] != '\n' {
				i++
			}
			continue
		case c == '"' || c == '\'' || c == '`':
			i = literalEnd(text, i)
			continue
		case c != '~':
			i++
			continue
		}
		if i++; i < 2 || text[i-2] != '=' && text[i-2] != '!' {
			continue
		}
		for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r') {
			i++
		}
		if i >= len(text) || text[i] != '"' && text[i] != '\'' && text[i] != '`' {
			continue
		}
		start, end := i, literalEnd(text, i)
		i = end
		if end-start < 2 || text[end-1] != text[start] {
			continue
		}
		value, err := strutil.Unquote(text[start:end])
		if err != nil {
			continue // the parser says what is wrong with it
		}
		if err := p.checkRegexp(value); err != nil {
			out.err, out.errAt = err, start
			return out
		}
		if end-start < 6 || len(out.value) >= 26*26*26 {
			continue // nothing to gain, and no room for a number
		}
		if buf == nil {
			buf = []byte(text)
			out.value = map[string]string{}
		}
		n := len(out.value)
		for k := start + 1; k < end-1; k++ {
			buf[k] = 'x'
		}
		buf[start+1], buf[start+2], buf[start+3] = byte('A'+n%26), byte('A'+n/26%26), byte('A'+n/676)
		out.value[string(buf[start+1:end-1])] = value
	}
	if buf != nil {
		out.text = string(buf)
	}
	return out
}

// literalEnd is where the string literal that begins at i ends.
func literalEnd(text string, i int) int {
	quote := text[i]
	for i++; i < len(text); i++ {
		switch {
		case text[i] == quote:
			return i + 1
		case text[i] == '\\' && quote != '`':
			i++
		}
	}
	return len(text)
}

func (p *Parser) checkRegexp(value string) error {
	if err, ok := p.regexps[value]; ok {
		return err
	}
	_, err := syntax.Parse("^(?s:"+value+")$", syntax.Perl|syntax.DotNL)
	if err != nil {
		// The error of the anchored expression would quote what nobody wrote.
		if _, plain := syntax.Parse(value, syntax.Perl|syntax.DotNL); plain != nil {
			err = plain
		}
	}
	if len(p.regexps) >= cacheSize {
		clear(p.regexps)
	}
	p.regexps[value] = err
	return err
}

// unmask puts the values back.
func (m masked) unmask(tree parser.Expr) {
	if m.value == nil {
		return
	}
	Walk(tree, func(n parser.Node) {
		vs, ok := n.(*parser.VectorSelector)
		if !ok {
			return
		}
		for _, matcher := range vs.LabelMatchers {
			if v, ok := m.value[matcher.Value]; ok && (matcher.Type == labels.MatchRegexp || matcher.Type == labels.MatchNotRegexp) {
				*matcher = labels.Matcher{Type: matcher.Type, Name: matcher.Name, Value: v}
			}
		}
	})
}

// Walk visits a tree, parents first, in the order of [parser.ChildrenIter]. That one makes a function for each node, of which there are many: the kinds that make up nearly
// all queries do without.
func Walk(n parser.Node, visit func(parser.Node)) {
	if n == nil {
		return
	}
	visit(n)
	switch n := n.(type) {
	case *parser.VectorSelector, *parser.NumberLiteral, *parser.StringLiteral:
	case *parser.AggregateExpr:
		if n.Expr != nil {
			Walk(n.Expr, visit)
		}
		if n.Param != nil {
			Walk(n.Param, visit)
		}
	case *parser.BinaryExpr:
		Walk(n.LHS, visit)
		Walk(n.RHS, visit)
	case *parser.Call:
		for _, a := range n.Args {
			Walk(a, visit)
		}
	case *parser.ParenExpr:
		Walk(n.Expr, visit)
	case *parser.MatrixSelector:
		Walk(n.VectorSelector, visit)
	default:
		for c := range parser.ChildrenIter(n) {
			Walk(c, visit)
		}
	}
}

func regexpError(err error) error {
	return fmt.Errorf("error parsing regexp: %s", trimRegexp(err.Error()))
}

func trimRegexp(s string) string {
	const prefix = "error parsing regexp: "
	if len(s) > len(prefix) && s[:len(prefix)] == prefix {
		return s[len(prefix):]
	}
	return s
}

// emptySelector refuses, as Prometheus does, a selector without a name all of whose matchers match the empty string: it would find every series. Its parser
// can't see that, since it gets masks in place of regular expressions.
func (p *Parser) emptySelector(tree parser.Expr, text string) (err error) {
	Walk(tree, func(n parser.Node) {
		vs, ok := n.(*parser.VectorSelector)
		if !ok || vs.Name != "" || err != nil || slices.ContainsFunc(vs.LabelMatchers, excludesEmpty) {
			return
		}
		err = parser.ParseErrors{{PositionRange: vs.PosRange, Err: errors.New("vector selector must contain at least one non-empty matcher"), Query: text}}
	})
	return err
}

// excludesEmpty tells whether a matcher does not match the empty string.
func excludesEmpty(m *labels.Matcher) bool {
	switch m.Type {
	case labels.MatchEqual:
		return m.Value != ""
	case labels.MatchNotEqual:
		return m.Value == ""
	}
	re, err := regexp.Compile("^(?s:" + m.Value + ")$")
	return err != nil || re.MatchString("") == (m.Type == labels.MatchNotRegexp)
}

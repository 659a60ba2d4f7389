package promql

import (
	"slices"
	"sort"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

// A query with Grafana variables is no PromQL yet. What a variable may become depends on where it stands, so the text is cut into tokens
// first, roughly as Prometheus' lexer does it; each variable gets a list of placeholders, the likeliest first. Only if the parser refuses the likeliest
// are the others tried: PromQL's own grammar is the judge.

type tokenKind uint8

const (
	tokWord   tokenKind = iota // letters, digits, '_', ':', '.', and variables glued to them
	tokString                  // a literal with its quotes
	tokPunct                   // an operator or bracket
)

type part struct {
	text string // literal text, or the variable as written
	use  int    // index into uses, -1 for literal text
}

type token struct {
	kind    tokenKind
	at, end int
	// parts is nil if there is no variable in it.
	parts []part
}

func (t *token) text(src string) string { return src[t.at:t.end] }

// lone tells that the token is one variable and nothing else.
func (t *token) lone() bool { return len(t.parts) == 1 && t.parts[0].use >= 0 }

// hole is a variable with the placeholders that may stand for it.
type hole struct {
	use        int
	candidates []string
}

type scanner struct {
	src     string
	defined func(string) bool
	tokens  []token
	uses    []Use
	holes   []hole
	stack   []context
}

func (s *scanner) reset(src string, defined func(string) bool) {
	s.src, s.defined = src, defined
	s.tokens, s.uses, s.holes, s.stack = s.tokens[:0], s.uses[:0], s.holes[:0], s.stack[:0]
}

func (s *scanner) variable(at int, quoted bool) (size int) {
	name, format, size := matchVariable(s.src[at:])
	if size == 0 {
		return 0
	}
	if quoted && !builtin(name) && format == "" {
		// In a string Grafana leaves what it does not know: "$1" of label_replace, the end of a regular expression.
		if name[0] >= '0' && name[0] <= '9' {
			return 0
		}
		if s.defined != nil && !s.defined(name) && (s.src[at] == '[' || at > 0 && s.src[at-1] == '\\') {
			return 0 // a character class, or a $ that is meant as such
		}
	}
	s.uses = append(s.uses, Use{Name: name, Format: format, At: at, End: at + size, Quoted: quoted, Builtin: builtin(name)})
	return size
}

func (s *scanner) scan() {
	src := s.src
	bracket := 0
	for i := 0; i < len(src); {
		c := src[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '#':
			for i < len(src) && src[i] != '\n' {
				i++
			}
		case c == '"' || c == '\'' || c == '`':
			i = s.scanString(i)
		default:
			if end := s.scanWord(i, bracket > 0); end > i {
				i = end
				continue
			}
			size := 1
			if i+1 < len(src) {
				switch src[i : i+2] {
				case "=~", "!~", "!=", "==", ">=", "<=":
					size = 2
				}
			}
			switch c {
			case '[':
				bracket++
			case ']':
				bracket--
			}
			s.tokens = append(s.tokens, token{kind: tokPunct, at: i, end: i + size})
			i += size
		}
	}
}

func (s *scanner) scanString(at int) int {
	src, quote := s.src, s.src[at]
	t := token{kind: tokString, at: at}
	lit, i := at, at+1
	for i < len(src) {
		c := src[i]
		if c == quote {
			i++
			break
		}
		if c == '\\' && quote != '`' && i+1 < len(src) {
			i += 2
			continue
		}
		if c == '$' || c == '[' {
			if size := s.variable(i, true); size > 0 {
				t.parts = append(t.parts, part{src[lit:i], -1}, part{src[i : i+size], len(s.uses) - 1})
				i += size
				lit = i
				continue
			}
		}
		i++
	}
	t.end = i
	if t.parts != nil {
		t.parts = append(t.parts, part{src[lit:i], -1})
	}
	s.tokens = append(s.tokens, t)
	return i
}

func (s *scanner) scanWord(at int, inBracket bool) int {
	src := s.src
	t := token{kind: tokWord, at: at}
	lit, i := at, at
	for i < len(src) {
		c := src[i]
		if isWord(c) || c == '.' || c >= 0x80 || c == ':' && !inBracket {
			i++
			continue
		}
		if c == '$' || c == '[' {
			if size := s.variable(i, false); size > 0 {
				if i > lit {
					t.parts = append(t.parts, part{src[lit:i], -1})
				}
				t.parts = append(t.parts, part{src[i : i+size], len(s.uses) - 1})
				i += size
				lit = i
				continue
			}
		}
		break
	}
	if i == at {
		return at
	}
	if i > lit && t.parts != nil {
		t.parts = append(t.parts, part{src[lit:i], -1})
	}
	t.end = i
	s.tokens = append(s.tokens, t)
	return i
}

// context is what the scanner knows about the brackets around a token.
type context struct {
	open byte // '(', '{', '[' or 0
	// grouping is a ( after by, on, group_left and the like: a list of label names.
	grouping bool
	// call is the word before a (.
	call string
	arg  int
	// inside {}: what has been seen since the last comma.
	name, op, value bool
}

func (s *scanner) plan() {
	stack := s.stack
	top := &context{}
	base := context{}
	push := func(c context) {
		stack = append(stack, c)
		top = &stack[len(stack)-1]
	}
	for i := range s.tokens {
		t := &s.tokens[i]
		if t.kind == tokPunct {
			switch c := s.src[t.at]; c {
			case '(':
				word := ""
				if i > 0 && s.tokens[i-1].kind == tokWord {
					word = lower(s.tokens[i-1].text(s.src))
				}
				push(context{open: '(', grouping: groupingWord(word), call: word})
			case '{', '[':
				push(context{open: c})
			case ')', '}', ']':
				if len(stack) > 0 {
					stack = stack[:len(stack)-1]
				}
				if top = &base; len(stack) > 0 {
					top = &stack[len(stack)-1]
				}
			case ',':
				top.arg++
				top.name, top.op, top.value = false, false, false
			case '=', '!':
				if top.open == '{' {
					top.op = true
				}
			}
			continue
		}
		if hasVariable(t) {
			s.planToken(i, top)
		}
		if top.open == '{' {
			switch {
			case t.kind == tokWord && !top.name:
				top.name = true
			case top.op:
				top.value = true
			}
		}
	}
}

func hasVariable(t *token) bool {
	for _, p := range t.parts {
		if p.use >= 0 {
			return true
		}
	}
	return false
}

func (s *scanner) hole(use int, candidates ...string) {
	s.holes = append(s.holes, hole{use, candidates})
}

// after is the first byte of the token that follows, 0 at the end; word is set if it is a word.
func (s *scanner) after(i int) (c byte, word string) {
	if i+1 >= len(s.tokens) {
		return 0, ""
	}
	t := &s.tokens[i+1]
	if t.kind == tokWord {
		return s.src[t.at], lower(t.text(s.src))
	}
	return s.src[t.at], ""
}

func (s *scanner) planToken(i int, ctx *context) {
	t := &s.tokens[i]
	if t.kind == tokString {
		for _, p := range t.parts {
			if p.use >= 0 {
				s.hole(p.use, marker(p.use))
			}
		}
		return
	}
	next, nextWord := s.after(i)
	var prev *token
	prevWord := ""
	prevByte := byte(0)
	if i > 0 {
		prev = &s.tokens[i-1]
		prevByte = s.src[prev.at]
		if prev.kind == tokWord {
			prevWord = lower(prev.text(s.src))
		}
	}
	switch {
	case ctx.open == '{':
		s.planMatcher(t, ctx, next)
		return
	case ctx.open == '[', prevWord == "offset", prevByte == '-' && i > 1 && strings.EqualFold(s.tokens[i-2].text(s.src), "offset"):
		s.planDuration(t)
		return
	case ctx.grouping:
		glueBreak := prev != nil && prev.kind == tokWord
		for _, p := range t.parts {
			if p.use < 0 {
				continue
			}
			if glueBreak && t.lone() {
				s.hole(p.use, "", ","+marker(p.use)) // the value brings its comma along
			} else {
				s.hole(p.use, marker(p.use), "")
			}
		}
		return
	case prevByte == '@':
		for _, p := range t.parts {
			if p.use >= 0 {
				s.hole(p.use, "1", "start()")
			}
		}
		return
	}
	if t.lone() {
		s.hole(t.parts[0].use, s.lone(t, ctx, prev, prevByte, prevWord, next, nextWord)...)
		return
	}
	s.planGlued(t, next)
}

// lone lists placeholders for a variable that stands by itself where an expression may stand.
func (s *scanner) lone(t *token, ctx *context, prev *token, prevByte byte, prevWord string, next byte, nextWord string) []string {
	use := t.parts[0].use
	m, name := marker(use), s.uses[use].Name
	if builtinNumber(name) {
		return []string{"1", m}
	}
	if builtinDuration(name) {
		return []string{"5m", "1"}
	}
	afterOperand := false
	if prev != nil {
		switch prev.kind {
		case tokWord:
			afterOperand = !operatorWord(prevWord) && !groupingWord(prevWord)
		case tokString:
			afterOperand = true
		default:
			afterOperand = prevByte == ')' || prevByte == '}' || prevByte == ']'
		}
	}
	beforeOperand := next != 0 && (nextWord != "" && !operatorWord(nextWord) && !groupingWord(nextWord) || next == '"' || next == '\'' || next == '`' || next == '(' || next == '{')
	switch {
	case afterOperand && beforeOperand:
		// An operator, or a clause such as "by (job)".
		return []string{"*", ">", "and", "", "by"}
	case afterOperand && groupingWord(nextWord):
		return []string{"*", ""}
	case afterOperand:
		// A comparison, a clause or a modifier that may be empty.
		return []string{"", "> 1", "{}"}
	case next == '{' || next == '[':
		return []string{m}
	case next == '(' || nextWord == "by" || nextWord == "without":
		return []string{"sum", "rate", "abs", "topk", "quantile_over_time", "histogram_quantile"}
	case next == '.':
		return []string{m}
	}
	number := prev != nil && (prev.kind == tokPunct && strings.IndexByte("+-*/%^<>=!", prevByte) >= 0 || prevWord == "bool") ||
		next != 0 && strings.IndexByte("+-*/%^<>=!", next) >= 0 ||
		ctx.open == '(' && ctx.arg == 0 && next == ',' && ctx.call != "label_replace" && ctx.call != "label_join" ||
		ctx.open == '(' && ctx.arg > 0
	if ctx.open == '(' && ctx.arg == 0 && ctx.call == "count_values" {
		return []string{`"` + m + `"`, m}
	}
	if number {
		return []string{"1", m, `"` + m + `"`, m + "[5m]"}
	}
	return []string{m, "1", `"` + m + `"`, m + "[5m]"}
}

func (s *scanner) planDuration(t *token) {
	for k, p := range t.parts {
		if p.use < 0 {
			continue
		}
		before, after := "", ""
		if k > 0 {
			before = t.parts[k-1].text
		}
		if k+1 < len(t.parts) {
			after = t.parts[k+1].text
		}
		afterIsVar := k+1 < len(t.parts) && t.parts[k+1].use >= 0
		beforeIsVar := k > 0 && t.parts[k-1].use >= 0
		switch {
		case beforeIsVar, before != "" && before[len(before)-1] >= '0' && before[len(before)-1] <= '9':
			if after != "" && !afterIsVar {
				s.hole(p.use, "5", "")
			} else {
				s.hole(p.use, "m", "5", "")
			}
		case after != "":
			s.hole(p.use, "5", "")
		default:
			s.hole(p.use, "5m", "300")
		}
	}
}

func (s *scanner) planMatcher(t *token, ctx *context, next byte) {
	last := len(t.parts) - 1
	nextString := next == '"' || next == '\'' || next == '`'
	for k, p := range t.parts {
		if p.use < 0 {
			continue
		}
		m := marker(p.use)
		whole := m + `=~".+"`
		switch {
		case ctx.value:
			s.hole(p.use, "", ","+whole)
		case ctx.op:
			if t.lone() {
				s.hole(p.use, `"`+m+`"`, "")
			} else {
				s.hole(p.use, m, "")
			}
		case ctx.name && nextString:
			s.hole(p.use, "=", "=~")
		case ctx.name:
			s.hole(p.use, "", `="`+m+`"`, ","+whole)
		case k == last && nextString && len(t.parts) > 1:
			s.hole(p.use, "=", m+"=")
		case nextString:
			s.hole(p.use, m+"=", m)
		case t.lone() && (next == ',' || next == '}' || next == 0):
			s.hole(p.use, whole, "")
		default:
			s.hole(p.use, m, whole, "")
		}
	}
}

func (s *scanner) planGlued(t *token, next byte) {
	digits, vars := true, 0
	for _, p := range t.parts {
		if p.use >= 0 {
			vars++
			continue
		}
		digits = digits && strings.Trim(p.text, "0123456789.") == ""
	}
	literal := vars < len(t.parts)
	for k, p := range t.parts {
		if p.use < 0 {
			continue
		}
		m := marker(p.use)
		switch {
		case literal && digits:
			s.hole(p.use, "5", "m", "")
		case next == '(' && vars == 1:
			s.hole(p.use, append(functionsLike(t, k), m, "")...)
		case k == 0 && len(t.parts) == 2 && isUnit(t.parts[1].text):
			s.hole(p.use, m, "5", "")
		case builtinNumber(s.uses[p.use].Name):
			s.hole(p.use, m, "1", "")
		default:
			s.hole(p.use, m, "", "{}")
		}
	}
}

// functionsLike finds what a variable inside a function's name may be: "avg" in ${fn}_over_time(…).
func functionsLike(t *token, k int) []string {
	var prefix, suffix string
	for i, p := range t.parts {
		if i < k {
			prefix += p.text
		} else if i > k {
			suffix += p.text
		}
	}
	var out []string
	for _, name := range functionNames {
		if len(name) > len(prefix)+len(suffix) && strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix) {
			out = append(out, name[len(prefix):len(name)-len(suffix)])
		}
	}
	// The usual ones first: the parser decides between the kinds of arguments, four tries are enough for that.
	sort.SliceStable(out, func(i, j int) bool { return usual(out[i]) && !usual(out[j]) })
	return out[:min(len(out), 4)]
}

func usual(s string) bool {
	return slices.Contains([]string{"avg", "max", "min", "sum", "rate", "irate", "quantile", "increase"}, s)
}

// functionNames are the functions and aggregations, sorted.
var functionNames = func() []string {
	names := []string{"sum", "avg", "max", "min", "count", "stddev", "stdvar", "topk", "bottomk", "quantile", "group", "count_values"}
	for name := range parser.Functions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}()

func isUnit(s string) bool {
	switch s {
	case "ms", "s", "m", "h", "d", "w", "y":
		return true
	}
	return false
}

// lower is strings.ToLower without an allocation for the usual case.
func lower(s string) string {
	for i := range len(s) {
		if s[i] >= 'A' && s[i] <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}

func groupingWord(s string) bool {
	switch s {
	case "by", "without", "on", "ignoring", "group_left", "group_right":
		return true
	}
	return false
}

func operatorWord(s string) bool {
	switch s {
	case "and", "or", "unless", "atan2", "bool", "offset":
		return true
	}
	return false
}

// fill writes the query with one placeholder for each hole. holes are in the order of the text.
func (s *scanner) fill(choice []int) (text string, segs []segment) {
	var b strings.Builder
	b.Grow(len(s.src) + 12*len(s.holes))
	segs = make([]segment, 0, 2*len(s.holes))
	last := 0
	for i, h := range s.holes {
		u := s.uses[h.use]
		b.WriteString(s.src[last:u.At])
		segs = append(segs, segment{to: b.Len(), from: u.At, fixed: true})
		b.WriteString(h.candidates[choice[i]])
		segs = append(segs, segment{to: b.Len(), from: u.End})
		last = u.End
	}
	b.WriteString(s.src[last:])
	return b.String(), segs
}

// segment maps a stretch of the substituted text back to the query as written.
type segment struct {
	to, from int
	// fixed means that the whole stretch is one placeholder and comes from one place.
	fixed bool
}

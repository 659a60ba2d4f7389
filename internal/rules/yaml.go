package rules

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"lookout/internal/dashboard"
)

// kind is what a YAML value is.
type kind int

const (
	nullKind kind = iota
	scalarKind
	sequenceKind
	mappingKind
)

// node is a YAML value with its place. Aliases and merge keys are resolved; a value that is used twice is one node.
type node struct {
	kind kind
	tag  string
	// text is a scalar as it was written, without quotes.
	text    string
	style   yaml.Style
	line    int
	column  int
	items   []*node
	entries []entry
	// broken: something has been said about it already.
	broken bool
	// last is the last line it begins a value on.
	last int
	// size is how many values it holds once every alias is written out.
	size int
}

// entry is one key of a mapping.
type entry struct {
	key   *node
	value *node
}

// get finds a key, nil if it is not there.
func (n *node) get(key string) *node {
	if e := n.entry(key); e != nil {
		return e.value
	}
	return nil
}

func (n *node) entry(key string) *entry {
	if n == nil {
		return nil
	}
	for i := range n.entries {
		if n.entries[i].key.text == key {
			return &n.entries[i]
		}
	}
	return nil
}

func (n *node) is(k kind) bool { return n != nil && n.kind == k }

// string is the text of a scalar, "" for anything else.
func (n *node) string() string {
	if n.is(scalarKind) {
		return n.text
	}
	return ""
}

// words says what a value is, for messages.
func (n *node) words() string {
	switch {
	case n == nil || n.kind == nullKind:
		return "empty"
	case n.kind == sequenceKind:
		return "a list"
	case n.kind == mappingKind:
		return "a map"
	case n.tag == "!!str":
		return strconv.Quote(n.text)
	}
	return n.text
}

// maxAliases bounds the aliases of a file of one's own rules, which Terraform reads as well: it writes all of them out before
// anything can look at them. So many stand for some hundred thousand values at most (e to the power of 32/e).
const maxAliases = 32

// maxSize bounds what aliases may grow to: a file of a kilobyte can hold ten million values.
const maxSize = 1 << 20

// reader makes nodes of what the YAML library read.
type reader struct {
	src      *source
	problems *Problems
	done     map[*yaml.Node]*node
	open     map[*yaml.Node]bool
}

// source is the text that positions point into: a file, or a text of YAML inside one.
type source struct {
	file  string
	lines []string
	// outer finds a place of this text in the file it stands in; nil for the file itself.
	outer func(line, column int) dashboard.Position
	// aliases is how many the documents that were read hold.
	aliases int
}

func newSource(file string, data []byte) *source {
	lines := strings.Split(string(data), "\n")
	for i := range lines {
		lines[i] = strings.TrimSuffix(lines[i], "\r")
	}
	return &source{file: file, lines: lines}
}

func (s *source) at(line, column int) dashboard.Position {
	if s.outer != nil {
		return s.outer(line, column)
	}
	return dashboard.Position{File: s.file, Line: line, Column: max(column, 1)}
}

func (s *source) of(n *node) dashboard.Position {
	if n == nil {
		return s.at(1, 1)
	}
	return s.at(n.line, n.column)
}

// comments gives the lines of comments right above a value and inside it.
func (s *source) comments(n *node) string {
	var out []string
	for number := n.line - 1; number >= 1 && strings.HasPrefix(strings.TrimSpace(s.line(number)), "#"); number-- {
		out = append(out, s.line(number))
	}
	for number := n.line; number <= n.last; number++ {
		if _, comment, ok := strings.Cut(s.line(number), "#"); ok {
			out = append(out, "#"+comment)
		}
	}
	return strings.Join(out, "\n")
}

func (s *source) line(number int) string {
	if number < 1 || number > len(s.lines) {
		return ""
	}
	return s.lines[number-1]
}

// inside finds a byte of a scalar's text in the file. In a quoted text with escapes, and in one that is folded in a way that can't be
// followed, it is where the text begins.
func (s *source) inside(n *node, offset int) dashboard.Position {
	offset = max(0, min(offset, len(n.text)))
	if n.style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && !strings.Contains(n.text, "\n") {
		column, raw := n.column, s.line(n.line)
		if n.style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
			column++
		}
		rest := after(raw, column-1)
		if strings.HasPrefix(rest, n.text[:offset]) {
			return s.at(n.line, column+utf8.RuneCountInString(n.text[:offset]))
		}
	}
	// Line by line: each holds a piece of the text, and between two pieces there is nothing but the blanks that folding made.
	line, at := n.line, 0
	if n.style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		line++
	}
	for first := line; line <= len(s.lines) && at < len(n.text); line++ {
		raw := s.lines[line-1]
		start := 0
		if line == first && n.style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
			start = len(raw) - len(after(raw, n.column-1))
			if n.style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
				start++
			}
		}
		start = min(start, len(raw))
		piece := strings.TrimSpace(raw[start:])
		if piece == "" {
			continue
		}
		start += strings.Index(raw[start:], piece)
		gap := len(n.text[at:]) - len(strings.TrimLeft(n.text[at:], " \n"))
		have := common(n.text[at+gap:], piece)
		if have == 0 {
			break
		}
		// What the first piece leaves out is what it begins with: blanks of a block belong to the text.
		begin := at + gap
		if offset <= begin+have {
			return s.at(line, utf8.RuneCountInString(raw[:start])+1+utf8.RuneCountInString(n.text[begin:max(begin, offset)]))
		}
		at = begin + have
	}
	return s.of(n)
}

// after is what follows so many characters.
func after(text string, characters int) string {
	for ; characters > 0 && text != ""; characters-- {
		_, size := utf8.DecodeRuneInString(text)
		text = text[size:]
	}
	return text
}

func common(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// documents reads all documents of a text. What is wrong with the YAML itself is added to problems; documents before it are returned.
func (s *source) documents(data []byte, problems *Problems) []*node {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	var out []*node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			problems.add(s.syntax(err))
			return out
		}
		r := &reader{src: s, problems: problems, done: map[*yaml.Node]*node{}, open: map[*yaml.Node]bool{}}
		n := r.node(doc.Content[0])
		if n.size > maxSize {
			problems.add(Problem{Position: s.of(n), Kind: KindFile, Message: fmt.Sprintf("its aliases stand for more than %d values", maxSize)})
			return out
		}
		out = append(out, n)
	}
}

func (r *reader) node(y *yaml.Node) *node {
	if n, ok := r.done[y]; ok {
		return n
	}
	n := &node{tag: y.ShortTag(), text: y.Value, style: y.Style, line: y.Line, column: y.Column, last: y.Line, size: 1}
	if r.open[y] {
		r.problems.add(Problem{Position: r.src.of(n), Kind: KindFile, Message: "the anchor holds an alias of itself"})
		return n
	}
	r.open[y] = true
	defer delete(r.open, y)
	switch y.Kind {
	case yaml.AliasNode:
		r.src.aliases++
		if r.open[y.Alias] {
			r.problems.add(Problem{Position: r.src.of(n), Kind: KindFile, Message: fmt.Sprintf("the alias *%s stands in what it is an alias of", y.Value)})
			return n
		}
		n = r.node(y.Alias)
	case yaml.ScalarNode:
		if n.tag != "!!null" {
			n.kind = scalarKind
		}
	case yaml.SequenceNode:
		n.kind, n.text = sequenceKind, ""
		for _, c := range y.Content {
			item := r.node(c)
			n.items = append(n.items, item)
			n.size = min(n.size+item.size, maxSize+1)
			if y.Content[len(n.items)-1].Kind != yaml.AliasNode {
				n.last = max(n.last, item.last)
			}
		}
	case yaml.MappingNode:
		n.kind, n.text = mappingKind, ""
		r.mapping(n, y)
	}
	r.done[y] = n
	return n
}

func (r *reader) mapping(n *node, y *yaml.Node) {
	var merged []*node
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := r.node(y.Content[i]), r.node(y.Content[i+1])
		n.size = min(n.size+value.size, maxSize+1)
		n.last = max(n.last, key.last)
		if y.Content[i+1].Kind != yaml.AliasNode {
			n.last = max(n.last, value.last)
		}
		if y.Content[i].ShortTag() == "!!merge" {
			if value.is(sequenceKind) {
				merged = append(merged, value.items...)
			} else {
				merged = append(merged, value)
			}
			continue
		}
		if key.kind != scalarKind {
			message := "a key has to be a word"
			if key.kind == mappingKind && strings.HasPrefix(after(r.src.line(n.line), n.column-1), "{{") {
				message = `a text that begins with {{ has to be quoted: "{{ … }}"`
			}
			r.problems.add(Problem{Position: r.src.of(n), Kind: KindFile, Message: message})
			n.broken = true
			continue
		}
		if first := n.entry(key.text); first != nil {
			r.problems.add(Problem{Position: r.src.of(key), Kind: KindFile, Message: fmt.Sprintf("key %q is set twice, first on line %d", key.text, r.src.of(first.key).Line)})
			// As most programs read it that accept this.
			first.value = value
			continue
		}
		n.entries = append(n.entries, entry{key, value})
	}
	for _, m := range merged {
		if m.kind != mappingKind {
			r.problems.add(Problem{Position: r.src.of(m), Kind: KindFile, Message: "<< takes a map, or a list of maps"})
			continue
		}
		for _, e := range m.entries {
			if n.entry(e.key.text) == nil {
				n.entries = append(n.entries, e)
			}
		}
	}
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:unmarshal errors:\s*)?line (\d+): (.*)$`)

// syntax takes the line out of what the YAML library says, since it only has it as text, and adds what is most often the reason.
func (s *source) syntax(err error) Problem {
	p := Problem{Kind: KindYAML, Message: strings.TrimPrefix(err.Error(), "yaml: ")}
	line := 0
	if match := yamlLine.FindStringSubmatch(err.Error()); match != nil {
		line, _ = strconv.Atoi(match[1])
		p.Message = match[2]
	}
	// The library counts from the beginning of what it could not finish, so the reason is there or on the next lines.
	for number := max(line-1, 1); number <= min(line+2, len(s.lines)); number++ {
		if hint := yamlHint(s.line(number)); hint != "" {
			line = number
			p.Message += "; " + hint
			break
		}
	}
	p.Position = s.at(max(line, 1), 1+len(s.line(line))-len(strings.TrimLeft(s.line(line), " \t")))
	return p
}

var (
	unquoted = regexp.MustCompile(`^\s*(?:- )?[\w.-]+:\s+([^"'|>#\s].*)$`)
	quoted   = regexp.MustCompile(`^\s*(?:- )?[\w.-]+:\s+"(.*)$`)
)

// yamlHint says what is wrong with a line, if it is one of the usual mistakes.
func yamlHint(line string) string {
	if indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]; strings.Contains(indent, "\t") {
		return "a tab can't indent, use spaces"
	}
	if m := unquoted.FindStringSubmatch(line); m != nil {
		text := strings.TrimSpace(m[1])
		switch {
		case strings.HasPrefix(text, "{{"), strings.HasPrefix(text, "{") && !strings.HasSuffix(text, "}"), strings.HasPrefix(text, "%"), strings.HasPrefix(text, "@"):
			return fmt.Sprintf("quote a text that begins with %s", text[:1])
		case strings.HasPrefix(text, "{"), strings.HasPrefix(text, "["):
			if strings.Count(strings.ReplaceAll(text, `\"`, ""), `"`)%2 == 1 {
				return "the quote is not closed"
			}
		case strings.Contains(text, ": "):
			return `quote a text that holds ": "`
		}
	}
	if m := quoted.FindStringSubmatch(line); m != nil {
		switch n := strings.Count(strings.ReplaceAll(m[1], `\"`, ""), `"`); {
		case n == 0:
			return "the quote is not closed"
		case n > 1:
			return `write a quote inside quotes as \", or put the text in single quotes`
		}
	}
	return ""
}

// tree is the value as the diff compares it.
func (n *node) tree() *dashboard.Node {
	switch n.kind {
	case sequenceKind:
		out := dashboard.NewArray()
		for _, item := range n.items {
			out.Append(item.tree())
		}
		return out
	case mappingKind:
		out := dashboard.NewObject()
		for _, e := range n.entries {
			out.Set(e.key.text, e.value.tree())
		}
		return out
	case nullKind:
		return dashboard.NewNull()
	}
	switch n.tag {
	case "!!bool":
		return dashboard.NewBool(slices.Contains([]string{"true", "True", "TRUE"}, n.text))
	case "!!int", "!!float":
		var f float64
		if err := (&yaml.Node{Kind: yaml.ScalarNode, Tag: n.tag, Value: n.text}).Decode(&f); err == nil && f-f == 0 {
			return dashboard.NewNumber(f)
		}
	}
	return dashboard.NewString(n.text)
}

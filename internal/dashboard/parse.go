package dashboard

import (
	"fmt"
	"sort"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Position is a place in a file. Lines and columns count from 1; a column counts Unicode code points, which is what
// editors show and what SARIF calls unicodeCodePoints. The zero Position means "stands in no file".
type Position struct {
	File         string
	Line, Column int
}

// String is file:line:column, as compilers print it.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// SyntaxError says what is wrong with a file that is not JSON, and where.
type SyntaxError struct {
	Position
	Msg string
}

func (e *SyntaxError) Error() string { return e.Position.String() + ": " + e.Msg }

// Document is a JSON file as it was read.
type Document struct {
	// File is the name that positions carry; it is never opened.
	File string
	// Source is the text, without a byte order mark.
	Source string
	// Root is the value.
	Root *Node
	// Duplicates are members whose name stood in their object before; the last of them counts.
	Duplicates []*Node

	lines []int32
	runes []int32
}

// maxDepth is how deep values may nest. Real dashboards stay below 20; without a limit a file of brackets would
// exhaust the stack, which Go cannot recover from.
const maxDepth = 512

// maxSize is what offsets can address; Grafana itself refuses far smaller dashboards.
const maxSize = 1 << 30

// Parse reads one JSON value. It accepts exactly RFC 8259 plus a leading byte order mark. Errors are *[SyntaxError].
// A lone surrogate (\ud800) becomes U+FFFD, as in Grafana's backend.
func Parse(file string, data []byte) (*Document, error) { return parseIn(file, data, nil) }

func parseIn(file string, data []byte, mem *memory) (*Document, error) {
	d := &Document{File: file}
	if len(data) >= 2 && (data[0] == 0xff && data[1] == 0xfe || data[0] == 0xfe && data[1] == 0xff) {
		return nil, &SyntaxError{Position{file, 1, 1}, "the file is UTF-16; save it as UTF-8"}
	}
	if len(data) > maxSize {
		return nil, &SyntaxError{Position{file, 1, 1}, "the file is larger than 1 GiB"}
	}
	d.Source = strings.TrimPrefix(string(data), "\ufeff")
	p := &parser{doc: d, s: d.Source, mem: mem}
	// Nodes come from slabs sized by the file; a formatted dashboard has a value per 30 to 60 bytes.
	p.slabSize = min(max(len(d.Source)/48, 16), 4096)
	if mem != nil {
		p.slabSize = reusedSlab
	}
	p.space()
	if p.pos == len(p.s) {
		return nil, p.fail(0, "the file is empty")
	}
	root, err := p.value(0)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.pos < len(p.s) {
		return nil, p.fail(p.pos, "%s after the end of the document", p.found())
	}
	d.Root = root
	return d, nil
}

// Position is where a byte of the source stands.
func (d *Document) Position(offset int) Position {
	if d.lines == nil && offset < 4096 { // near the beginning counting is cheaper than a table of all lines
		before := d.Source[:offset]
		return Position{d.File, 1 + strings.Count(before, "\n"), utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1}
	}
	if d.lines == nil {
		d.lines = append(make([]int32, 0, 1+strings.Count(d.Source, "\n")), 0)
		for i := 0; ; {
			j := strings.IndexByte(d.Source[i:], '\n')
			if j < 0 {
				break
			}
			i += j + 1
			d.lines = append(d.lines, int32(i))
		}
	}
	line := sort.Search(len(d.lines), func(i int) bool { return int(d.lines[i]) > offset })
	start := int(d.lines[line-1])
	if offset-start < 2*runeStep {
		return Position{d.File, line, utf8.RuneCountInString(d.Source[start:offset]) + 1}
	}
	return Position{d.File, line, d.runesBefore(offset) - d.runesBefore(start) + 1}
}

// runeStep is how many bytes lie between two entries of the table of characters: on a line of megabytes a column is found in it.
const runeStep = 1024

// runesBefore counts the characters that begin before a byte.
func (d *Document) runesBefore(offset int) int {
	count := func(s string) (n int) {
		for i := range len(s) {
			if s[i]&0xc0 != 0x80 {
				n++
			}
		}
		return n
	}
	if d.runes == nil {
		d.runes = make([]int32, 1, len(d.Source)/runeStep+2)
		for i := 0; i+runeStep <= len(d.Source); i += runeStep {
			d.runes = append(d.runes, d.runes[len(d.runes)-1]+int32(count(d.Source[i:i+runeStep])))
		}
	}
	step := offset / runeStep
	return int(d.runes[step]) + count(d.Source[step*runeStep:offset])
}

// Pos is where the value begins in its file.
func (n *Node) Pos() Position {
	if n == nil || n.doc == nil {
		return Position{}
	}
	return n.doc.Position(int(n.off))
}

// KeyPos is where the member's name begins, or the value itself if it has no name.
func (n *Node) KeyPos() Position {
	if n == nil || n.doc == nil {
		return Position{}
	}
	if n.key == "" {
		return n.Pos()
	}
	return n.doc.Position(int(n.keyOff))
}

// PosIn is where the i-th byte of a string's decoded value stands in the file, so that an error inside a query points at the very
// character, past escapes such as \" and \u00e9. For other kinds it is [Node.Pos].
func (n *Node) PosIn(i int) Position {
	if !n.Is(String) || n.doc == nil {
		return n.Pos()
	}
	src := n.doc.Source
	at, decoded := int(n.off)+1, 0
	for decoded < i && at < int(n.end)-1 {
		if src[at] != '\\' {
			at++
			decoded++
			continue
		}
		if src[at+1] != 'u' {
			at += 2
			decoded++
			continue
		}
		r, size := unicodeEscape(src[at:])
		at += size
		decoded += utf8.RuneLen(r)
	}
	return n.doc.Position(at)
}

// Range is where the value stands in [Document.Source], in bytes; 0, 0 for a node that stands in no file.
func (n *Node) Range() (start, end int) {
	if n == nil {
		return 0, 0
	}
	return int(n.off), int(n.end)
}

// Raw is the node's text in the file, byte for byte; "" for a node that stands in no file, or that a view was made with.
func (n *Node) Raw() string {
	if n == nil || n.doc == nil || n.made {
		return ""
	}
	return n.doc.Source[n.off:n.end]
}

type parser struct {
	doc      *Document
	s        string
	pos      int
	slab     []Node
	ptrs     []*Node
	slabSize int
	stack    []*Node
	mem      *memory
}

func (p *parser) fail(at int, format string, args ...any) error {
	return &SyntaxError{p.doc.Position(min(at, len(p.s))), fmt.Sprintf(format, args...)}
}

// found names what stands at the current position.
func (p *parser) found() string {
	if p.pos >= len(p.s) {
		return "the end of the file"
	}
	if strings.HasPrefix(p.s[p.pos:], "<<<<<<<") || strings.HasPrefix(p.s[p.pos:], ">>>>>>>") || strings.HasPrefix(p.s[p.pos:], "=======") {
		return "an unresolved merge conflict"
	}
	r, size := utf8.DecodeRuneInString(p.s[p.pos:])
	if r == utf8.RuneError && size == 1 {
		return fmt.Sprintf("byte 0x%02x, which is not UTF-8,", p.s[p.pos])
	}
	return fmt.Sprintf("%q", r)
}

// space passes over white space. Where none follows, which is half of the times, it is inlined.
func (p *parser) space() {
	if p.pos < len(p.s) && p.s[p.pos] <= ' ' {
		p.spaces()
	}
}

func (p *parser) spaces() {
	s, i := p.s, p.pos
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r') {
		i++
	}
	p.pos = i
}

func (p *parser) node(kind Kind, off int) *Node {
	if len(p.slab) == 0 {
		p.slab = p.mem.nodes(p.slabSize)
	}
	n := &p.slab[0]
	p.slab = p.slab[1:]
	n.kind, n.off, n.doc = kind, int32(off), p.doc
	return n
}

// adopt moves what lies on the stack above base into the node as its children.
func (p *parser) adopt(n *Node, base int) {
	items := p.stack[base:]
	if len(items) > 0 {
		if len(p.ptrs) < len(items) {
			p.ptrs = p.mem.pointers(max(p.slabSize, len(items)))
		}
		n.children = p.ptrs[:len(items):len(items)]
		p.ptrs = p.ptrs[len(items):]
		copy(n.children, items)
		for i, c := range n.children {
			c.parent, c.index = n, int32(i)
		}
	}
	p.stack = p.stack[:base]
	n.end = int32(p.pos)
}

func (p *parser) value(depth int) (*Node, error) {
	if p.pos >= len(p.s) {
		return nil, p.fail(p.pos, "the file ends where a value should be")
	}
	off := p.pos
	switch c := p.s[p.pos]; {
	case c == '"':
		n := p.node(String, off)
		s, err := p.str()
		n.text, n.end = s, int32(p.pos)
		return n, err
	case c == '{':
		return p.object(depth + 1)
	case c == '[':
		return p.array(depth + 1)
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	var n *Node
	switch rest := p.s[p.pos:]; {
	case strings.HasPrefix(rest, "true"):
		n = p.node(Bool, off)
		n.flag = true
		p.pos += len("true")
	case strings.HasPrefix(rest, "false"):
		n = p.node(Bool, off)
		p.pos += len("false")
	case strings.HasPrefix(rest, "null"):
		n = p.node(Null, off)
		p.pos += len("null")
	default:
		return nil, p.fail(p.pos, "%s where a value should be", p.found())
	}
	n.end = int32(p.pos)
	return n, nil
}

func (p *parser) object(depth int) (*Node, error) {
	if depth > maxDepth {
		return nil, p.fail(p.pos, "values nest deeper than %d levels", maxDepth)
	}
	n, open := p.node(Object, p.pos), p.pos
	base := len(p.stack)
	p.pos++
	p.space()
	if p.pos < len(p.s) && p.s[p.pos] == '}' {
		p.pos++
		n.end = int32(p.pos)
		return n, nil
	}
	for {
		keyOff := p.pos
		if p.pos >= len(p.s) {
			return nil, p.fail(p.pos, "the file ends inside the object that began on line %d", p.doc.Position(open).Line)
		}
		if p.s[p.pos] != '"' {
			if p.s[p.pos] == '}' {
				return nil, p.fail(p.pos, "a comma before '}'; remove it")
			}
			return nil, p.fail(p.pos, "%s where a member name in double quotes should be", p.found())
		}
		key, err := p.str()
		if err != nil {
			return nil, err
		}
		p.space()
		if p.pos >= len(p.s) || p.s[p.pos] != ':' {
			return nil, p.fail(p.pos, "%s where ':' should be after %q", p.found(), key)
		}
		p.pos++
		p.space()
		child, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		child.key, child.keyOff = key, int32(keyOff)
		p.stack = append(p.stack, child)
		p.space()
		if p.pos >= len(p.s) {
			return nil, p.fail(p.pos, "the file ends inside the object that began on line %d", p.doc.Position(open).Line)
		}
		if p.s[p.pos] == '}' {
			p.pos++
			p.duplicates(p.stack[base:])
			p.adopt(n, base)
			return n, nil
		}
		if p.s[p.pos] != ',' {
			return nil, p.fail(p.pos, "%s where ',' or '}' should be", p.found())
		}
		p.pos++
		p.space()
	}
}

// duplicates notes repeated names. Objects are small: comparing pairs costs less than a map, except in a file made to hurt.
func (p *parser) duplicates(members []*Node) {
	if len(members) > 64 {
		seen := make(map[string]bool, len(members))
		for _, m := range members {
			if seen[m.key] {
				p.doc.Duplicates = append(p.doc.Duplicates, m)
			}
			seen[m.key] = true
		}
		return
	}
	// A name with a length, beginning and end like no other's before is new: most names need not be compared at all.
	var seen uint64
	for i, m := range members {
		mark := uint64(1)
		if k := len(m.key); k > 0 {
			mark <<= (uint(k)*7 + uint(m.key[0])*3 + uint(m.key[k-1])*5) % 64
		}
		if seen&mark != 0 {
			for _, before := range members[:i] {
				if before.key == m.key {
					p.doc.Duplicates = append(p.doc.Duplicates, m)
					break
				}
			}
		}
		seen |= mark
	}
}

// plain are the bytes that stand for themselves in a string: ASCII without control characters, quotes and backslash.
var plain = func() (t [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

func (p *parser) array(depth int) (*Node, error) {
	if depth > maxDepth {
		return nil, p.fail(p.pos, "values nest deeper than %d levels", maxDepth)
	}
	n, open := p.node(Array, p.pos), p.pos
	base := len(p.stack)
	p.pos++
	p.space()
	if p.pos < len(p.s) && p.s[p.pos] == ']' {
		p.pos++
		n.end = int32(p.pos)
		return n, nil
	}
	for {
		if p.pos < len(p.s) && p.s[p.pos] == ']' {
			return nil, p.fail(p.pos, "a comma before ']'; remove it")
		}
		child, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		p.stack = append(p.stack, child)
		p.space()
		if p.pos >= len(p.s) {
			return nil, p.fail(p.pos, "the file ends inside the array that began on line %d", p.doc.Position(open).Line)
		}
		if p.s[p.pos] == ']' {
			p.pos++
			p.adopt(n, base)
			return n, nil
		}
		if p.s[p.pos] != ',' {
			return nil, p.fail(p.pos, "%s where ',' or ']' should be", p.found())
		}
		p.pos++
		p.space()
	}
}

func (p *parser) number() (*Node, error) {
	start := p.pos
	digits := func() bool {
		from := p.pos
		for p.pos < len(p.s) && p.s[p.pos] >= '0' && p.s[p.pos] <= '9' {
			p.pos++
		}
		return p.pos > from
	}
	if p.s[p.pos] == '-' {
		p.pos++
	}
	zero := p.pos < len(p.s) && p.s[p.pos] == '0'
	from := p.pos
	if !digits() {
		return nil, p.fail(p.pos, "%s where a digit should be", p.found())
	}
	if zero && p.pos > from+1 {
		return nil, p.fail(from, "a number with a leading zero")
	}
	if p.pos < len(p.s) && p.s[p.pos] == '.' {
		p.pos++
		if !digits() {
			return nil, p.fail(p.pos, "%s where a digit should be", p.found())
		}
	}
	if p.pos < len(p.s) && (p.s[p.pos] == 'e' || p.s[p.pos] == 'E') {
		p.pos++
		if p.pos < len(p.s) && (p.s[p.pos] == '+' || p.s[p.pos] == '-') {
			p.pos++
		}
		if !digits() {
			return nil, p.fail(p.pos, "%s where a digit should be", p.found())
		}
	}
	n := p.node(Number, start)
	n.text, n.end = p.s[start:p.pos], int32(p.pos)
	return n, nil
}

func (p *parser) str() (string, error) {
	open, start := p.pos, p.pos+1
	ascii := true
	for src, i := p.s, start; ; i++ {
		for i < len(src) && plain[src[i]] {
			i++
		}
		p.pos = i
		if i >= len(src) {
			return "", p.controlOrEnd(open)
		}
		switch c := src[i]; {
		case c == '"':
			s := src[start:i]
			if !ascii && !utf8.ValidString(s) {
				return "", p.notUTF8(start)
			}
			p.pos++
			return s, nil
		case c == '\\':
			return p.escaped(open, start)
		case c < 0x20:
			return "", p.controlOrEnd(open)
		}
		ascii = false
	}
}

func (p *parser) controlOrEnd(open int) error {
	if p.pos >= len(p.s) || p.s[p.pos] == '\n' || p.s[p.pos] == '\r' {
		return p.fail(open, "a string that is not closed on its line")
	}
	return p.fail(p.pos, "control character 0x%02x inside a string; write it as \\u%04x", p.s[p.pos], p.s[p.pos])
}

func (p *parser) notUTF8(from int) error {
	for i, r := range p.s[from:] {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(p.s[from+i:]); size == 1 {
				return p.fail(from+i, "byte 0x%02x is not UTF-8", p.s[from+i])
			}
		}
	}
	return p.fail(from, "the string is not UTF-8")
}

func (p *parser) escaped(open, start int) (string, error) {
	var b strings.Builder
	b.WriteString(p.s[start:p.pos])
	for p.pos < len(p.s) {
		c := p.s[p.pos]
		switch {
		case c == '"':
			if s := b.String(); utf8.ValidString(s) {
				p.pos++
				return s, nil
			}
			return "", p.notUTF8(start)
		case c < 0x20:
			return "", p.controlOrEnd(open)
		case c != '\\':
			from := p.pos
			for p.pos < len(p.s) && p.s[p.pos] != '"' && p.s[p.pos] != '\\' && p.s[p.pos] >= 0x20 {
				p.pos++
			}
			b.WriteString(p.s[from:p.pos])
			continue
		}
		if p.pos+1 >= len(p.s) {
			break
		}
		switch e := p.s[p.pos+1]; e {
		case '"', '\\', '/':
			b.WriteByte(e)
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'u':
			r, size := unicodeEscape(p.s[p.pos:])
			if size == 0 {
				return "", p.fail(p.pos, "\\u without four hexadecimal digits")
			}
			b.WriteRune(r)
			p.pos += size
			continue
		default:
			return "", p.fail(p.pos, "unknown escape \\%c inside a string", e)
		}
		p.pos += 2
	}
	return "", p.fail(open, "a string that is not closed on its line")
}

// unicodeEscape decodes \uXXXX, or a pair of them that makes one character, at the beginning of s. size is 0 if there is none.
func unicodeEscape(s string) (r rune, size int) {
	hex := func(s string) rune {
		if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
			return -1
		}
		var r rune
		for _, c := range []byte(s[2:6]) {
			switch {
			case c >= '0' && c <= '9':
				r = r<<4 | rune(c-'0')
			case c >= 'a' && c <= 'f':
				r = r<<4 | rune(c-'a'+10)
			case c >= 'A' && c <= 'F':
				r = r<<4 | rune(c-'A'+10)
			default:
				return -1
			}
		}
		return r
	}
	first := hex(s)
	if first < 0 {
		return utf8.RuneError, 0
	}
	if !utf16.IsSurrogate(first) {
		return first, 6
	}
	if second := hex(s[6:]); second >= 0 {
		if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
			return r, 12
		}
	}
	return utf8.RuneError, 6
}

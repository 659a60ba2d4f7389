package dashboard

import (
	"iter"
	"math"
	"strconv"
	"strings"
)

// Kind is the JSON type of a [Node].
type Kind uint8

// The kinds of JSON values. Invalid is what a nil *Node reports: a place in the document that does not exist.
const (
	Invalid Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

// String is the kind as a person names it in a message ("a string").
func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case Bool:
		return "a boolean"
	case Number:
		return "a number"
	case String:
		return "a string"
	case Array:
		return "an array"
	case Object:
		return "an object"
	}
	return "absent"
}

// Node is one value of a JSON document. It keeps what encoding/json throws away and a review needs: the order of
// members, duplicate members, how a number was written, and where in the file each value stands.
//
// Every reading method works on a nil *Node, which stands for "not there", so that a path into a hostile document
// can be followed without a check at each step: n.Get("options").Get("legend").Text() is "" if any of it is missing or
// of another kind.
type Node struct {
	kind     Kind
	flag     bool
	made     bool  // stands where what it was made of stands, but does not say the same
	index    int32 // place among the parent's children
	off, end int32 // bytes in the source; end is 0 for a node that was not read from a file
	keyOff   int32
	text     string // decoded string, or a number as it was written
	key      string // member name when the parent is an object
	children []*Node
	parent   *Node
	doc      *Document
}

// NewNull, NewBool, NewString, NewNumber, NewLiteral, NewArray and NewObject make nodes that stand in no file; their
// position is the zero [Position].

// NewNull is a JSON null.
func NewNull() *Node { return &Node{kind: Null} }

// NewBool is a JSON boolean.
func NewBool(b bool) *Node { return &Node{kind: Bool, flag: b} }

// NewString is a JSON string.
func NewString(s string) *Node { return &Node{kind: String, text: s} }

// NewNumber is a JSON number, written the way JavaScript writes it. JSON has no NaN and no infinity; they become null,
// as JSON.stringify makes them.
func NewNumber(f float64) *Node {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return NewNull()
	}
	return &Node{kind: Number, text: formatNumber(f)}
}

// NewInt is a JSON number without a fraction.
func NewInt(i int64) *Node { return &Node{kind: Number, text: strconv.FormatInt(i, 10)} }

// NewArray is a JSON array of the given nodes, which must not have a parent yet (see [Node.Clone]).
func NewArray(items ...*Node) *Node {
	n := &Node{kind: Array}
	for _, item := range items {
		n.Append(item)
	}
	return n
}

// NewObject is an empty JSON object; fill it with [Node.Set].
func NewObject() *Node { return &Node{kind: Object} }

// Kind is the node's JSON type, Invalid for nil.
func (n *Node) Kind() Kind {
	if n == nil {
		return Invalid
	}
	return n.kind
}

// Is tells whether the node exists and is of the kind.
func (n *Node) Is(k Kind) bool { return n.Kind() == k && n != nil }

// Scalar tells whether the node is null, a boolean, a number or a string.
func (n *Node) Scalar() bool {
	k := n.Kind()
	return k == Null || k == Bool || k == Number || k == String
}

// Text is the decoded value of a string, and "" for everything else.
func (n *Node) Text() string {
	if n.Is(String) {
		return n.text
	}
	return ""
}

// Literal is a number as it was written ("1e3", "0.10"), and "" for everything else.
func (n *Node) Literal() string {
	if n.Is(Number) {
		return n.text
	}
	return ""
}

// Bool is true only for a JSON true.
func (n *Node) Bool() bool { return n.Is(Bool) && n.flag }

// Float is the value of a number. ok is false for any other kind, and for a number that float64 cannot hold.
func (n *Node) Float() (value float64, ok bool) {
	if !n.Is(Number) {
		return 0, false
	}
	f, err := strconv.ParseFloat(n.text, 64)
	return f, err == nil
}

// Int is the value of a whole number, or of a string that holds one: exports exist where ids and schemaVersion
// are strings. ok is false for everything else.
func (n *Node) Int() (value int64, ok bool) {
	switch n.Kind() {
	case Number:
	case String:
		i, err := strconv.ParseInt(strings.TrimSpace(n.text), 10, 64)
		return i, err == nil
	default:
		return 0, false
	}
	if i, err := strconv.ParseInt(n.text, 10, 64); err == nil {
		return i, true
	}
	f, err := strconv.ParseFloat(n.text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// Scalarish is the text of a string, number or boolean the way a template would print it; "" for the rest.
func (n *Node) Scalarish() string {
	switch n.Kind() {
	case String, Number:
		return n.text
	case Bool:
		return strconv.FormatBool(n.flag)
	}
	return ""
}

// Len is the number of children of an array or object.
func (n *Node) Len() int {
	if n == nil {
		return 0
	}
	return len(n.children)
}

// At is the i-th child in file order, nil if there is none.
func (n *Node) At(i int) *Node {
	if n == nil || i < 0 || i >= len(n.children) {
		return nil
	}
	return n.children[i]
}

// Children iterates over items or members in file order. Of duplicate members all are visited.
func (n *Node) Children() iter.Seq2[int, *Node] {
	return func(yield func(int, *Node) bool) {
		if n == nil {
			return
		}
		for i, c := range n.children {
			if !yield(i, c) {
				return
			}
		}
	}
}

// Items iterates over the items of an array, and over nothing if the node is anything else.
func (n *Node) Items() iter.Seq2[int, *Node] {
	if !n.Is(Array) {
		return func(func(int, *Node) bool) {}
	}
	return n.Children()
}

// Get is the member of an object, nil if there is none. Of duplicate members the last counts, as it does for
// Grafana's backend and for browsers.
func (n *Node) Get(key string) *Node {
	if !n.Is(Object) {
		return nil
	}
	for i := len(n.children) - 1; i >= 0; i-- {
		if n.children[i].key == key {
			return n.children[i]
		}
	}
	return nil
}

// Has tells whether an object has the member, be it null.
func (n *Node) Has(key string) bool { return n.Get(key) != nil }

// Path follows member names: n.Path("fieldConfig", "defaults", "unit").
func (n *Node) Path(keys ...string) *Node {
	for _, k := range keys {
		if n = n.Get(k); n == nil {
			return nil
		}
	}
	return n
}

// Key is the member name under which the node stands in its parent object; "" in an array and at the root.
func (n *Node) Key() string {
	if n == nil {
		return ""
	}
	return n.key
}

// Index is the node's place among its parent's children.
func (n *Node) Index() int {
	if n == nil {
		return 0
	}
	return int(n.index)
}

// Parent is the array or object that holds the node, nil at the root.
func (n *Node) Parent() *Node {
	if n == nil {
		return nil
	}
	return n.parent
}

// Pointer is the node's JSON pointer (RFC 6901) from the root of its document, "" for the root itself.
func (n *Node) Pointer() string { return n.PointerFrom(nil) }

// PointerFrom is the JSON pointer relative to an ancestor.
func (n *Node) PointerFrom(ancestor *Node) string {
	var parts []string
	for c := n; c != nil && c != ancestor && c.parent != nil; c = c.parent {
		if c.parent.kind == Array {
			parts = append(parts, strconv.Itoa(int(c.index)))
		} else {
			parts = append(parts, escapePointer(c.key))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	var b strings.Builder
	for i := len(parts) - 1; i >= 0; i-- {
		b.WriteByte('/')
		b.WriteString(parts[i])
	}
	return b.String()
}

func escapePointer(s string) string {
	if !strings.ContainsAny(s, "~/") {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "~", "~0"), "/", "~1")
}

// Find follows a JSON pointer (RFC 6901); nil if it leads nowhere.
func (n *Node) Find(pointer string) *Node {
	if pointer == "" {
		return n
	}
	if pointer[0] != '/' {
		return nil
	}
	for part := range strings.SplitSeq(pointer[1:], "/") {
		if strings.Contains(part, "~") {
			part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
		}
		switch n.Kind() {
		case Object:
			n = n.Get(part)
		case Array:
			i, err := strconv.Atoi(part)
			if err != nil || strconv.Itoa(i) != part {
				return nil
			}
			n = n.At(i)
		default:
			return nil
		}
	}
	return n
}

// Walk visits the node and everything below it, parents first. Returning false skips what is below.
func (n *Node) Walk(visit func(*Node) bool) {
	if n == nil || !visit(n) {
		return
	}
	for _, c := range n.children {
		c.Walk(visit)
	}
}

// Leaves iterates over what has nothing below it: scalars, and empty arrays and objects.
func (n *Node) Leaves() iter.Seq[*Node] {
	return func(yield func(*Node) bool) { n.leaves(yield) }
}

func (n *Node) leaves(yield func(*Node) bool) bool {
	if n == nil {
		return true
	}
	if len(n.children) == 0 {
		return yield(n)
	}
	for _, c := range n.children {
		if !c.leaves(yield) {
			return false
		}
	}
	return true
}

// Set gives an object's member a value; a new member goes to the end, an existing one keeps its place. The value must not
// stand in a tree already. Set on anything but an object panics: it is a mistake of the program, not of the file.
func (n *Node) Set(key string, value *Node) {
	n.mustBe(Object)
	value.key = key
	if old := n.Get(key); old != nil {
		n.put(int(old.index), value)
		return
	}
	n.put(len(n.children), value)
}

// Append adds an item to an array.
func (n *Node) Append(value *Node) {
	n.mustBe(Array)
	n.put(len(n.children), value)
}

// Insert puts an item into an array before the i-th, or a member (named by key, which must be new) into an object.
func (n *Node) Insert(i int, key string, value *Node) {
	if n.kind == Object {
		value.key = key
	} else {
		n.mustBe(Array)
	}
	n.children = append(n.children, nil)
	copy(n.children[i+1:], n.children[i:])
	n.children[i] = nil
	n.put(i, value)
	n.renumber(i)
}

func (n *Node) put(i int, value *Node) {
	if value.parent != nil {
		panic("dashboard: the node stands in a tree already; Clone it")
	}
	value.parent, value.index = n, int32(i)
	if i == len(n.children) {
		n.children = append(n.children, value)
		return
	}
	if old := n.children[i]; old != nil {
		old.parent = nil
	}
	n.children[i] = value
}

// Remove takes the member (all of its duplicates) out of an object and tells whether it was there.
func (n *Node) Remove(key string) bool {
	found := false
	for i := n.Len() - 1; i >= 0; i-- {
		if n.kind == Object && n.children[i].key == key {
			n.RemoveAt(i)
			found = true
		}
	}
	return found
}

// RemoveAt takes the i-th child out.
func (n *Node) RemoveAt(i int) {
	n.children[i].parent = nil
	n.children = append(n.children[:i:i], n.children[i+1:]...)
	n.renumber(i)
}

// Replace puts another value where the node stands in its parent.
func (n *Node) Replace(value *Node) {
	value.key = n.key
	n.parent.put(int(n.index), value)
}

func (n *Node) renumber(from int) {
	for i := from; i < len(n.children); i++ {
		n.children[i].index = int32(i)
	}
}

func (n *Node) mustBe(k Kind) {
	if n.kind != k {
		panic("dashboard: the node is " + n.kind.String() + ", not " + k.String())
	}
}

// Clone copies the node and everything below it. The copy has no parent, but still knows the position it was read from.
func (n *Node) Clone() *Node {
	if n == nil {
		return nil
	}
	c := *n
	c.parent, c.index = nil, 0
	if n.children != nil {
		c.children = make([]*Node, len(n.children))
		for i, child := range n.children {
			cc := child.Clone()
			cc.parent, cc.index = &c, int32(i)
			c.children[i] = cc
		}
	}
	return &c
}

// Equal tells whether two values mean the same: the order of members and the way a number is written don't count, and
// of duplicate members the last does.
func Equal(a, b *Node) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	switch a.Kind() {
	case Bool:
		return a.flag == b.flag
	case String:
		return a.text == b.text
	case Number:
		return a.text == b.text || canonicalNumber(a.text) == canonicalNumber(b.text)
	case Array:
		if len(a.children) != len(b.children) {
			return false
		}
		for i, c := range a.children {
			if !Equal(c, b.children[i]) {
				return false
			}
		}
	case Object:
		na, nb := 0, 0
		for _, c := range b.children {
			if b.Get(c.key) == c {
				nb++
			}
		}
		for _, c := range a.children {
			if a.Get(c.key) != c {
				continue
			}
			na++
			other := b.Get(c.key)
			if other == nil || !Equal(c, other) {
				return false
			}
		}
		return na == nb
	}
	return true
}

package rootconfig

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// UnknownKeys finds keys of objects that no type has, in what a root and the modules below it are given: in literals of .tf files
// and in values of variables, however many modules they are handed through. Terraform drops them in silence.
func UnknownKeys(repo string, root *Module, values map[string]Value) []Problem {
	c := &checker{repo: repo, seen: map[Problem]bool{}}
	top := &scope{module: root, values: values}
	for name, v := range root.Variables {
		if value, ok := values[name]; ok {
			c.value(value.Value, v.Type, name, value.Where)
		}
	}
	c.calls(top, 0)
	slices.SortFunc(c.problems, func(a, b Problem) int { return strings.Compare(a.String(), b.String()) })
	return c.problems
}

// maxDepth ends the walk through modules that call each other in a circle, which Terraform refuses, and through locals that do.
const maxDepth = 32

type checker struct {
	repo     string
	problems []Problem
	seen     map[Problem]bool
}

// A scope is a module as one call uses it.
type scope struct {
	module *Module
	// parent and args are the call's; nil for the root.
	parent *scope
	args   map[string]hclsyntax.Expression
	// values are the root's.
	values map[string]Value
}

func (c *checker) calls(s *scope, depth int) {
	if depth > maxDepth {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(s.module.Calls)) {
		call := s.module.Calls[name]
		for arg, expr := range call.Args {
			if v, ok := call.Module.Variables[arg]; ok {
				c.expr(s, expr, nil, v.Type, arg, 0)
			}
		}
		c.calls(&scope{module: call.Module, parent: s, args: call.Args}, depth+1)
	}
}

// expr checks what an expression yields, below the attributes of path, against a type. What can't be seen without evaluating is
// passed over.
func (c *checker) expr(s *scope, e hclsyntax.Expression, path []string, t cty.Type, name string, depth int) {
	if depth > maxDepth || t == cty.DynamicPseudoType || t.IsPrimitiveType() {
		return
	}
	next := func(e hclsyntax.Expression) { c.expr(s, e, path, t, name, depth+1) }
	switch e := e.(type) {
	case *hclsyntax.ParenthesesExpr:
		next(e.Expression)
	case *hclsyntax.ConditionalExpr:
		next(e.TrueResult)
		next(e.FalseResult)
	case *hclsyntax.FunctionCallExpr:
		switch e.Name {
		case "merge", "coalesce", "concat", "try", "distinct", "flatten", "sensitive", "nonsensitive":
			for _, arg := range e.Args {
				next(arg)
			}
		}
	case *hclsyntax.ForExpr:
		if len(path) > 0 {
			return
		}
		if t.IsMapType() || t.IsCollectionType() {
			c.expr(s, e.ValExpr, nil, t.ElementType(), name+"[…]", depth+1)
		}
	case *hclsyntax.TupleConsExpr:
		if len(path) == 0 && (t.IsListType() || t.IsSetType()) {
			for i, one := range e.Exprs {
				c.expr(s, one, nil, t.ElementType(), fmt.Sprintf("%s[%d]", name, i), depth+1)
			}
		}
	case *hclsyntax.ObjectConsExpr:
		c.object(s, e, path, t, name, depth)
	case *hclsyntax.ScopeTraversalExpr:
		c.reference(s, e.Traversal, path, t, name, depth)
	}
}

func (c *checker) object(s *scope, e *hclsyntax.ObjectConsExpr, path []string, t cty.Type, name string, depth int) {
	for _, item := range e.Items {
		value, diags := item.KeyExpr.Value(nil)
		if diags.HasErrors() || value.Type() != cty.String || value.IsNull() || !value.IsKnown() {
			continue
		}
		key := value.AsString()
		switch {
		case len(path) > 0:
			if key == path[0] {
				c.expr(s, item.ValueExpr, path[1:], t, name, depth+1)
			}
		case t.IsObjectType():
			if !t.HasAttribute(key) {
				c.unknown(place(c.repo, item.KeyExpr.Range()), name, key, t)
				continue
			}
			c.expr(s, item.ValueExpr, nil, t.AttributeType(key), name+"."+key, depth+1)
		case t.IsMapType():
			c.expr(s, item.ValueExpr, nil, t.ElementType(), name+"."+key, depth+1)
		}
	}
}

// reference follows var.<name> to whoever set it, and local.<name>.
func (c *checker) reference(s *scope, r hcl.Traversal, path []string, t cty.Type, name string, depth int) {
	if len(r) < 2 {
		return
	}
	attribute, ok := r[1].(hcl.TraverseAttr)
	if !ok {
		return
	}
	var further []string
	for _, step := range r[2:] {
		attr, ok := step.(hcl.TraverseAttr)
		if !ok {
			return
		}
		further = append(further, attr.Name)
	}
	path = append(further, path...)
	switch r.RootName() {
	case "local":
		if e, ok := s.module.Locals[attribute.Name]; ok {
			c.expr(s, e, path, t, name, depth+1)
		}
	case "var":
		v, ok := s.module.Variables[attribute.Name]
		if !ok || !anything(v.Type, path) {
			// Its own type has been checked where it was set.
			return
		}
		// The name that a person knows it by.
		name = strings.Join(append([]string{attribute.Name}, path...), ".")
		if s.parent != nil {
			if e, ok := s.args[attribute.Name]; ok {
				c.expr(s.parent, e, path, t, name, depth+1)
			} else if v.Default != nil {
				c.expr(s, v.Default, path, t, name, depth+1)
			}
			return
		}
		if set, ok := s.values[attribute.Name]; ok {
			if value, ok := below(set.Value, path); ok {
				c.value(value, t, name, set.Where)
			}
		} else if v.Default != nil {
			c.expr(s, v.Default, path, t, name, depth+1)
		}
	}
}

// anything reports whether a type lets any keys through at a path: it says nothing about what lies there, or that it is a map.
func anything(t cty.Type, path []string) bool {
	for _, step := range path {
		switch {
		case t == cty.DynamicPseudoType:
			return true
		case t.IsObjectType() && t.HasAttribute(step):
			t = t.AttributeType(step)
		case t.IsMapType():
			t = t.ElementType()
		default:
			return false
		}
	}
	return t == cty.DynamicPseudoType || t.IsMapType() && t.ElementType().IsPrimitiveType()
}

// below is the part of a value at a path.
func below(v cty.Value, path []string) (cty.Value, bool) {
	for _, step := range path {
		if v.IsNull() || !v.IsKnown() || !v.CanIterateElements() || !(v.Type().IsObjectType() || v.Type().IsMapType()) {
			return v, false
		}
		part, ok := v.AsValueMap()[step]
		if !ok {
			return v, false
		}
		v = part
	}
	return v, true
}

// value checks a value against a type.
func (c *checker) value(v cty.Value, t cty.Type, name, where string) {
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() || t == cty.DynamicPseudoType || t.IsPrimitiveType() || !v.CanIterateElements() {
		return
	}
	keyed := v.Type().IsObjectType() || v.Type().IsMapType()
	switch {
	case t.IsObjectType() && keyed:
		for key, part := range v.AsValueMap() {
			if !t.HasAttribute(key) {
				c.unknown(where, name, key, t)
				continue
			}
			c.value(part, t.AttributeType(key), name+"."+key, where)
		}
	case t.IsMapType() && keyed:
		for key, part := range v.AsValueMap() {
			c.value(part, t.ElementType(), name+"."+key, where)
		}
	case (t.IsListType() || t.IsSetType()) && !keyed:
		for i, part := range v.AsValueSlice() {
			c.value(part, t.ElementType(), fmt.Sprintf("%s[%d]", name, i), where)
		}
	}
}

func (c *checker) unknown(where, name, key string, t cty.Type) {
	p := Problem{where, name + " has an " + unknown("key", key, slices.Sorted(maps.Keys(t.AttributeTypes())))}
	if !c.seen[p] {
		c.seen[p] = true
		c.problems = append(c.problems, p)
	}
}

// unknown is half a sentence about a name that nothing has: with the one that is probably meant, else with all.
func unknown(what, name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return fmt.Sprintf("unknown %s %q, which would be ignored: did you mean %q?", what, name, near)
	}
	return fmt.Sprintf("unknown %s %q, which would be ignored: known are %s", what, name, strings.Join(known, ", "))
}

// nearest is the known name that a typo may have been, or "".
func nearest(name string, known []string) (near string) {
	best := 3
	if len(name) < 6 {
		best = 2
	}
	for _, k := range known {
		if d := distance(name, k); d < best {
			near, best = k, d
		}
	}
	if near == "" {
		// Cut off, as "pendin" may be of a longer word.
		for _, k := range known {
			if len(name) >= 4 && (strings.HasPrefix(k, name) || strings.HasPrefix(name, k) && len(k) >= 4) {
				return k
			}
		}
	}
	return near
}

// distance is how many letters have to be added, removed or replaced (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

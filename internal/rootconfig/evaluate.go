package rootconfig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// An Evaluator knows what a root's expressions come to, as far as they need nothing that only Terraform knows.
type Evaluator struct {
	root    *Module
	values  map[string]Value
	context *hcl.EvalContext
}

// NewEvaluator evaluates a root whose variables are set as Values says.
func NewEvaluator(root *Module, values map[string]Value) *Evaluator {
	e := &Evaluator{root: root, values: values, context: &hcl.EvalContext{
		Functions: functions(root.Dir),
		Variables: map[string]cty.Value{"path": cty.ObjectVal(map[string]cty.Value{
			"cwd": cty.StringVal(root.Dir), "module": cty.StringVal(root.Dir), "root": cty.StringVal(root.Dir),
		})},
	}}
	variables := map[string]cty.Value{}
	for name := range root.Variables {
		if value, err := e.Variable(name); err == nil {
			variables[name] = value
		}
	}
	e.context.Variables["var"] = cty.ObjectVal(variables)
	// Locals may name each other: as long as one more is known, another may be.
	locals := map[string]cty.Value{}
	for more := true; more; {
		more = false
		e.context.Variables["local"] = cty.ObjectVal(locals)
		for name, expr := range root.Locals {
			if _, ok := locals[name]; ok {
				continue
			}
			if value, diags := expr.Value(e.context); !diags.HasErrors() {
				locals[name], more = value, true
			}
		}
	}
	return e
}

// Variable is the value of one of the root's variables: as it is set, else its default.
func (e *Evaluator) Variable(name string) (cty.Value, error) {
	v, ok := e.root.Variables[name]
	if !ok {
		return cty.NilVal, fmt.Errorf("there is no variable %s", name)
	}
	if set, ok := e.values[name]; ok && (v.Nullable || !set.Value.IsNull()) {
		return v.convert(set.Value)
	}
	if v.Default == nil {
		return cty.NilVal, fmt.Errorf("%s is not set", name)
	}
	value, diags := v.Default.Value(&hcl.EvalContext{Functions: e.context.Functions})
	if diags.HasErrors() {
		return cty.NilVal, errors.New(diags.Error())
	}
	return v.convert(value)
}

// Argument is what a module of the root is given; ok is false where it is not given, or needs Terraform to be known.
func (e *Evaluator) Argument(call, name string) (value cty.Value, ok bool) {
	c := e.root.Calls[call]
	if c == nil || c.Args[name] == nil {
		return cty.NilVal, false
	}
	return e.eval(c.Args[name])
}

func (e *Evaluator) eval(expr hclsyntax.Expression) (cty.Value, bool) {
	value, diags := expr.Value(e.context)
	return value, !diags.HasErrors() && value.IsWhollyKnown()
}

// Text is a value that is a string, else "".
func Text(v cty.Value) string {
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return ""
	}
	return v.AsString()
}

// Get is the part of a value at a path of keys; cty.NilVal if there is none.
func Get(v cty.Value, path ...string) cty.Value {
	if v == cty.NilVal {
		return v
	}
	if part, ok := below(v, path); ok {
		return part
	}
	return cty.NilVal
}

// Strings calls visit with the keys and the text of every string below a value.
func Strings(v cty.Value, visit func(path []string, text string)) { walkStrings(v, nil, visit) }

func walkStrings(v cty.Value, path []string, visit func([]string, string)) {
	switch {
	case v == cty.NilVal || v.IsNull() || !v.IsKnown():
	case v.Type() == cty.String:
		visit(path, v.AsString())
	case v.CanIterateElements():
		for it := v.ElementIterator(); it.Next(); {
			key, part := it.Element()
			step := ""
			if key.Type() == cty.String && key.IsKnown() {
				step = key.AsString()
			}
			walkStrings(part, append(path[:len(path):len(path)], step), visit)
		}
	}
}

// functions are those of Terraform that environments are written with.
func functions(dir string) map[string]function.Function {
	text := func(name string, fn func(string) (string, error)) function.Function {
		return function.New(&function.Spec{
			Params: []function.Parameter{{Name: name, Type: cty.String}}, Type: function.StaticReturnType(cty.String),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				out, err := fn(args[0].AsString())
				return cty.StringVal(out), err
			},
		})
	}
	test := func(fn func(s, part string) bool) function.Function {
		return function.New(&function.Spec{
			Params: []function.Parameter{{Name: "text", Type: cty.String}, {Name: "part", Type: cty.String}}, Type: function.StaticReturnType(cty.Bool),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				return cty.BoolVal(fn(args[0].AsString(), args[1].AsString())), nil
			},
		})
	}
	below := func(path string) string {
		if filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(dir, path)
	}
	return map[string]function.Function{
		"abs": stdlib.AbsoluteFunc, "coalesce": stdlib.CoalesceFunc, "compact": stdlib.CompactFunc, "concat": stdlib.ConcatFunc,
		"contains": stdlib.ContainsFunc, "distinct": stdlib.DistinctFunc, "flatten": stdlib.FlattenFunc, "format": stdlib.FormatFunc,
		"join": stdlib.JoinFunc, "jsondecode": stdlib.JSONDecodeFunc, "jsonencode": stdlib.JSONEncodeFunc, "keys": stdlib.KeysFunc,
		"length": stdlib.LengthFunc, "lookup": stdlib.LookupFunc, "lower": stdlib.LowerFunc, "max": stdlib.MaxFunc, "merge": stdlib.MergeFunc,
		"min": stdlib.MinFunc, "regex": stdlib.RegexFunc, "replace": stdlib.ReplaceFunc, "split": stdlib.SplitFunc, "trimspace": stdlib.TrimSpaceFunc,
		"upper": stdlib.UpperFunc, "values": stdlib.ValuesFunc, "zipmap": stdlib.ZipmapFunc,
		"can": tryfunc.CanFunc, "try": tryfunc.TryFunc,
		"endswith": test(strings.HasSuffix), "startswith": test(strings.HasPrefix), "strcontains": test(strings.Contains),
		"abspath": text("path", func(path string) (string, error) { return filepath.Abs(below(path)) }),
		"file": text("path", func(path string) (string, error) {
			data, err := os.ReadFile(below(path))
			return string(data), err
		}),
	}
}

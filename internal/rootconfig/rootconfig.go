// Package rootconfig reads a Terraform root as a person wrote it: which variables it has, what sets them, what its modules are
// given. Terraform drops unknown keys of objects and undeclared variables of the environment without a word; here they are found,
// and values can be had before Terraform, its providers or a state are there.
package rootconfig

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// A Module is a folder of .tf files.
type Module struct {
	// Dir is its folder.
	Dir       string
	Variables map[string]*Variable
	Locals    map[string]hclsyntax.Expression
	Calls     map[string]*Call
}

// A Variable is a `variable` block.
type Variable struct {
	Name string
	// Type is what it is converted to; cty.DynamicPseudoType where it may be anything.
	Type     cty.Type
	defaults *typeexpr.Defaults
	// Default is its default; nil if it has none and so has to be set.
	Default  hclsyntax.Expression
	Nullable bool
}

// A Call is a `module` block whose source is a folder.
type Call struct {
	Name string
	// Module is what it calls.
	Module *Module
	Args   map[string]hclsyntax.Expression
}

// reserved are the arguments of a module block that are not variables.
var reserved = []string{"count", "depends_on", "for_each", "providers", "source", "version"}

// Load reads a folder and the local modules that it calls. A syntax error is left to Terraform, which quotes the line: what
// can't be read is as if it were not there.
func Load(dir string) (*Module, error) { return load(dir, map[string]*Module{}) }

func load(dir string, known map[string]*Module) (*Module, error) {
	dir = filepath.Clean(dir)
	if m, ok := known[dir]; ok {
		return m, nil
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.tf"))
	if err != nil {
		return nil, err
	}
	m := &Module{Dir: dir, Variables: map[string]*Variable{}, Locals: map[string]hclsyntax.Expression{}, Calls: map[string]*Call{}}
	known[dir] = m
	parser := hclparse.NewParser()
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		f, _ := parser.ParseHCL(data, path)
		if f == nil {
			continue
		}
		body, ok := f.Body.(*hclsyntax.Body)
		if !ok {
			continue
		}
		for _, b := range body.Blocks {
			switch {
			case b.Type == "variable" && len(b.Labels) == 1:
				m.Variables[b.Labels[0]] = variable(b)
			case b.Type == "locals":
				for name, a := range b.Body.Attributes {
					m.Locals[name] = a.Expr
				}
			case b.Type == "module" && len(b.Labels) == 1:
				call, err := m.call(b, known)
				if err != nil {
					return nil, err
				}
				if call != nil {
					m.Calls[call.Name] = call
				}
			}
		}
	}
	return m, nil
}

func variable(b *hclsyntax.Block) *Variable {
	v := &Variable{Name: b.Labels[0], Type: cty.DynamicPseudoType, Nullable: true}
	if a := b.Body.Attributes["type"]; a != nil {
		if t, defaults, diags := typeexpr.TypeConstraintWithDefaults(a.Expr); !diags.HasErrors() {
			v.Type, v.defaults = t, defaults
		}
	}
	if a := b.Body.Attributes["default"]; a != nil {
		v.Default = a.Expr
	}
	if a := b.Body.Attributes["nullable"]; a != nil {
		if value, diags := a.Expr.Value(nil); !diags.HasErrors() && value.Type() == cty.Bool {
			v.Nullable = value.True()
		}
	}
	return v
}

// call reads a module block; nil if its source is not a folder.
func (m *Module) call(b *hclsyntax.Block, known map[string]*Module) (*Call, error) {
	c := &Call{Name: b.Labels[0], Args: map[string]hclsyntax.Expression{}}
	for name, a := range b.Body.Attributes {
		if name != "source" {
			if !slices.Contains(reserved, name) {
				c.Args[name] = a.Expr
			}
			continue
		}
		source, diags := a.Expr.Value(nil)
		if diags.HasErrors() || source.Type() != cty.String || !strings.HasPrefix(source.AsString(), ".") {
			return nil, nil
		}
		called, err := load(filepath.Join(m.Dir, source.AsString()), known)
		if err != nil {
			return nil, err
		}
		c.Module = called
	}
	if c.Module == nil {
		return nil, nil
	}
	return c, nil
}

// convert is what a variable makes of a value.
func (v *Variable) convert(value cty.Value) (cty.Value, error) {
	if v.Type == cty.DynamicPseudoType {
		return value, nil
	}
	if v.defaults != nil && !value.IsNull() {
		value = v.defaults.Apply(value)
	}
	return convert.Convert(value, v.Type)
}

// A Problem is something that Terraform would pass over in silence.
type Problem struct {
	// Where is the file and line, or the name of the environment variable.
	Where string
	// What is the sentence about it, with the remedy.
	What string
}

func (p Problem) String() string {
	if p.Where == "" {
		return p.What
	}
	return p.Where + ": " + p.What
}

// place is a range as file:line, relative to the repository.
func place(repo string, r hcl.Range) string {
	name := r.Filename
	if rel, err := filepath.Rel(repo, name); err == nil && !strings.HasPrefix(rel, "..") {
		name = filepath.ToSlash(rel)
	}
	if r.Start.Line == 0 {
		return name
	}
	return fmt.Sprintf("%s:%d", name, r.Start.Line)
}

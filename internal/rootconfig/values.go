package rootconfig

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// A Value is what someone has given a variable.
type Value struct {
	Value cty.Value
	// Where is the file with its line, or the variable of the environment.
	Where string
}

// Values are what a root's variables are set to, as Terraform looks for it: TF_VAR_…, terraform.tfvars, terraform.tfvars.json,
// then *.auto.tfvars and *.auto.tfvars.json by name; what comes later wins. environ is in the form of os.Environ. skip leaves out
// files by their names, for what programs write. Values that cannot be read are left to Terraform.
func Values(repo, dir string, m *Module, environ []string, skip func(name string) bool) (map[string]Value, error) {
	values := map[string]Value{}
	for _, entry := range environ {
		entry, ok := strings.CutPrefix(entry, "TF_VAR_")
		if !ok {
			continue
		}
		name, text, _ := strings.Cut(entry, "=")
		v, known := m.Variables[name]
		if known {
			if value, ok := parse(v, text); ok {
				values[name] = Value{value, "TF_VAR_" + name}
			}
		}
	}
	files, err := tfvars(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		if skip != nil && skip(name) {
			continue
		}
		set, err := fileValues(repo, filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		maps.Copy(values, set)
	}
	return values, nil
}

// parse reads the text of an environment variable: as it is for strings, else as an expression.
func parse(v *Variable, text string) (cty.Value, bool) {
	if v.Type.IsPrimitiveType() {
		return cty.StringVal(text), true
	}
	expr, diags := hclsyntax.ParseExpression([]byte(text), "TF_VAR_"+v.Name, hcl.InitialPos)
	if !diags.HasErrors() {
		value, diags := expr.Value(nil)
		return value, !diags.HasErrors()
	}
	return cty.NilVal, false
}

// tfvars are the names of the files that Terraform reads by itself, the one that wins last.
func tfvars(dir string) (names []string, err error) {
	for _, name := range []string{"terraform.tfvars", "terraform.tfvars.json"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			names = append(names, name)
		}
	}
	var auto []string
	for _, pattern := range []string{"*.auto.tfvars", "*.auto.tfvars.json"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			auto = append(auto, filepath.Base(path))
		}
	}
	slices.Sort(auto)
	return append(names, auto...), nil
}

func fileValues(repo, path string) (map[string]Value, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	parser := hclparse.NewParser()
	var f *hcl.File
	if strings.HasSuffix(path, ".json") {
		f, _ = parser.ParseJSON(data, path)
	} else {
		f, _ = parser.ParseHCL(data, path)
	}
	values := map[string]Value{}
	if f == nil {
		return values, nil
	}
	attributes, _ := f.Body.JustAttributes()
	for name, a := range attributes {
		if value, diags := a.Expr.Value(nil); !diags.HasErrors() {
			values[name] = Value{value, place(repo, a.Range)}
		}
	}
	return values, nil
}

// Undeclared are values of files, and of the environment where the name is close to a variable's, that no variable takes. others
// are variables that may be meant by TF_VAR_… of the environment besides the root's own.
func Undeclared(repo, dir string, m *Module, environ []string, others ...*Module) (problems []Problem, err error) {
	files, err := tfvars(dir)
	if err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(m.Variables))
	for _, file := range files {
		set, err := fileValues(repo, filepath.Join(dir, file))
		if err != nil {
			return nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(set)) {
			if _, ok := m.Variables[name]; !ok {
				problems = append(problems, Problem{set[name].Where, unknown("variable", name, names)})
			}
		}
	}
	all := names
	for _, o := range others {
		all = append(all, slices.Collect(maps.Keys(o.Variables))...)
	}
	slices.Sort(all)
	for _, entry := range environ {
		name, _, _ := strings.Cut(strings.TrimPrefix(entry, "TF_VAR_"), "=")
		if !strings.HasPrefix(entry, "TF_VAR_") || slices.Contains(all, name) {
			continue
		}
		// Other names may be another root's.
		if near := nearest(name, all); near != "" {
			problems = append(problems, Problem{"TF_VAR_" + name, "no root has a variable of that name; did you mean TF_VAR_" + near + "?"})
		}
	}
	return problems, nil
}

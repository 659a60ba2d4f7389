package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// A configuration is the .tf files of one folder, which Terraform reads as one.
type configuration struct {
	dir      string
	files    map[string]*hclsyntax.Body
	sources  map[string][]string // the lines of each file
	findings []finding
	// declared is where each thing is declared that something should refer to, and used what is referred to.
	declared map[string]hcl.Range
	used     map[string]bool
	// required are the providers of required_providers, and needed those that blocks need.
	required map[string]hcl.Range
	needed   map[string]hcl.Range
	version  bool // whether required_version is set
}

// terraform checks every folder below dirs that holds .tf files, writes findings to w and returns their number. What Terraform
// itself finds, `terraform test` and `terraform validate` say; these are the checks that it lacks.
func terraform(dirs []string, w io.Writer) (int, error) {
	var found []finding
	folders := 0
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if !e.IsDir() {
				return nil
			}
			if strings.HasPrefix(e.Name(), ".") && len(e.Name()) > 1 {
				return fs.SkipDir
			}
			c, err := readConfiguration(path)
			if err != nil || c == nil {
				return err
			}
			folders++
			c.check()
			found = append(found, c.findings...)
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	if folders == 0 {
		return 0, fmt.Errorf("no .tf file below %s", strings.Join(dirs, ", "))
	}
	return report(w, found), nil
}

// readConfiguration reads the .tf files of a folder; nil if it has none.
func readConfiguration(dir string) (*configuration, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.tf"))
	if err != nil || len(names) == 0 {
		return nil, err
	}
	c := &configuration{dir: dir, files: map[string]*hclsyntax.Body{}, sources: map[string][]string{}, declared: map[string]hcl.Range{},
		used: map[string]bool{}, required: map[string]hcl.Range{}, needed: map[string]hcl.Range{}}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		file, problems := hclsyntax.ParseConfig(data, name, hcl.InitialPos)
		if problems.HasErrors() {
			return nil, problems
		}
		c.files[name] = file.Body.(*hclsyntax.Body)
		c.sources[name] = strings.Split(string(data), "\n")
		tokens, _ := hclsyntax.LexConfig(data, name, hcl.InitialPos)
		for _, t := range tokens {
			if t.Type == hclsyntax.TokenComment && (strings.HasPrefix(string(t.Bytes), "//") || strings.HasPrefix(string(t.Bytes), "/*")) {
				c.add(t.Range, "comment-syntax", "comments begin with #")
			}
		}
	}
	return c, nil
}

var tfExcuse = regexp.MustCompile(`#\s*lint:ignore (\S+) \S+`)

// add notes a finding, unless the line or the one before excuses it: # lint:ignore CHECK reason.
func (c *configuration) add(at hcl.Range, check, format string, args ...any) {
	for _, n := range []int{at.Start.Line, at.Start.Line - 1} {
		if lines := c.sources[at.Filename]; n >= 1 && n <= len(lines) {
			if m := tfExcuse.FindStringSubmatch(lines[n-1]); m != nil && slices.Contains(strings.Split(m[1], ","), check) {
				return
			}
		}
	}
	c.findings = append(c.findings, finding{fmt.Sprintf("%s:%d:%d", at.Filename, at.Start.Line, at.Start.Column), check, fmt.Sprintf(format, args...)})
}

func (c *configuration) check() {
	for _, name := range sorted(c.files) {
		c.blocks(name, c.files[name])
	}
	for _, name := range sorted(c.files) {
		diags := hclsyntax.Walk(c.files[name], &expressions{c})
		if diags.HasErrors() {
			c.findings = append(c.findings, finding{name, "syntax", diags.Error()})
		}
	}
	for _, what := range sorted(c.declared) {
		if !c.used[what] {
			c.add(c.declared[what], "unused", "%s is declared, but nothing refers to it", what)
		}
	}
	main := filepath.Join(c.dir, sorted(c.files)[0])
	if _, ok := c.files[filepath.Join(c.dir, "main.tf")]; ok {
		main = filepath.Join(c.dir, "main.tf")
	}
	if !c.version {
		c.findings = append(c.findings, finding{main + ":1:1", "required-version", "the folder says nowhere which versions of Terraform it supports: set required_version"})
	}
	for _, p := range sorted(c.needed) {
		if _, ok := c.required[p]; !ok {
			c.add(c.needed[p], "required-provider", "provider %q is used, but not in required_providers", p)
		}
	}
	for _, p := range sorted(c.required) {
		_, needed := c.needed[p]
		if !needed && !c.used["provider."+p] {
			c.add(c.required[p], "unused", "provider %q is required, but no resource, data source or module here uses it", p)
		}
	}
}

var snake = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// blocks checks the blocks at the top of a file and notes what they declare.
func (c *configuration) blocks(name string, body *hclsyntax.Body) {
	last := map[string]string{}
	for _, b := range body.Blocks {
		for i, label := range b.Labels {
			if (i == len(b.Labels)-1) && b.Type != "provider" && !snake.MatchString(label) {
				c.add(b.LabelRanges[i], "naming", "%s %q: names are lower_case_with_underscores", b.Type, label)
			}
		}
		if b.Type == "variable" || b.Type == "output" {
			if b.Labels[0] < last[b.Type] {
				c.add(b.DefRange(), "order", "%s %q stands after %q: the order is alphabetical", b.Type, b.Labels[0], last[b.Type])
			}
			last[b.Type] = b.Labels[0]
			if b.Body.Attributes["description"] == nil {
				c.add(b.DefRange(), "description", "%s %q has no description", b.Type, b.Labels[0])
			}
		}
		switch b.Type {
		case "variable":
			if b.Body.Attributes["type"] == nil {
				c.add(b.DefRange(), "type", "variable %q has no type", b.Labels[0])
			}
			c.declared["var."+b.Labels[0]] = b.DefRange()
		case "locals":
			for _, a := range b.Body.Attributes {
				c.declared["local."+a.Name] = a.NameRange
			}
		case "data":
			c.declared["data."+strings.Join(b.Labels, ".")] = b.DefRange()
			c.needs(b)
		case "resource", "ephemeral":
			c.needs(b)
		case "provider":
			c.needed[b.Labels[0]] = b.DefRange()
		case "module":
			c.module(b)
		case "terraform":
			c.version = c.version || b.Body.Attributes["required_version"] != nil
			for _, in := range b.Body.Blocks {
				if in.Type == "required_providers" {
					for _, a := range in.Body.Attributes {
						c.required[a.Name] = a.NameRange
						keys := map[string]bool{}
						if o, ok := a.Expr.(*hclsyntax.ObjectConsExpr); ok {
							for _, item := range o.Items {
								keys[hcl.ExprAsKeyword(item.KeyExpr)] = true
							}
						}
						if !keys["source"] || !keys["version"] {
							c.add(a.NameRange, "required-provider", "provider %q needs a source and a version", a.Name)
						}
					}
				}
			}
		}
	}
}

// needs notes the provider of a resource: what it says itself, else the first word of its type. That of Terraform itself needs no entry.
func (c *configuration) needs(b *hclsyntax.Block) {
	p, _, _ := strings.Cut(b.Labels[0], "_")
	if a := b.Body.Attributes["provider"]; a != nil {
		if t, diags := hcl.AbsTraversalForExpr(a.Expr); !diags.HasErrors() {
			p = t.RootName()
		}
	}
	if p != "terraform" {
		c.needed[p] = b.DefRange()
	}
}

// module checks that a module of elsewhere has a version, and notes which providers it is handed. A module of this
// repository uses those of its name without being handed any.
func (c *configuration) module(b *hclsyntax.Block) {
	source := ""
	if a := b.Body.Attributes["source"]; a != nil {
		if v, diags := a.Expr.Value(nil); !diags.HasErrors() && v.Type().FriendlyName() == "string" {
			source = v.AsString()
		}
	}
	if strings.HasPrefix(source, ".") {
		if inner, err := readConfiguration(filepath.Join(c.dir, source)); err == nil && inner != nil {
			for name, body := range inner.files {
				inner.blocks(name, body)
			}
			for p := range inner.required {
				c.used["provider."+p] = true
			}
		}
		return
	}
	if b.Body.Attributes["version"] == nil && !strings.Contains(source, "?ref=") {
		c.add(b.DefRange(), "module-version", "module %q comes from %q without a version", b.Labels[0], source)
	}
}

// expressions looks at every expression of a configuration.
type expressions struct{ c *configuration }

func (e *expressions) Exit(hclsyntax.Node) hcl.Diagnostics { return nil }

func (e *expressions) Enter(n hclsyntax.Node) hcl.Diagnostics {
	c := e.c
	switch n := n.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		c.refer(n.Traversal)
		for i, step := range n.Traversal {
			if index, ok := step.(hcl.TraverseIndex); ok && i > 0 && legacyIndex(c.sources[index.SrcRange.Filename], index.SrcRange) {
				c.add(index.SrcRange, "legacy-index", "write [0] instead of .0")
			}
		}
	case *hclsyntax.TemplateWrapExpr:
		c.add(n.SrcRange, "interpolation", `"${…}" around a single expression: write the expression alone`)
	case *hclsyntax.FunctionCallExpr:
		if n.Name == "lookup" && len(n.Args) == 2 {
			c.add(n.NameRange, "lookup", "lookup without a default: write map[key]")
		}
	case *hclsyntax.BinaryOpExpr:
		if n.Op == hclsyntax.OpEqual || n.Op == hclsyntax.OpNotEqual {
			for _, side := range []hclsyntax.Expression{n.LHS, n.RHS} {
				if l, ok := side.(*hclsyntax.TupleConsExpr); ok && len(l.Exprs) == 0 {
					c.add(n.SrcRange, "empty-list", "a comparison with [] is never true for a list of a type: compare length(…) with 0")
				}
			}
		}
	case *hclsyntax.ObjectConsExpr:
		keys := map[string]bool{}
		for _, item := range n.Items {
			v, diags := item.KeyExpr.Value(nil)
			if diags.HasErrors() || !v.IsKnown() || v.IsNull() || v.Type().FriendlyName() != "string" {
				continue
			}
			if keys[v.AsString()] {
				c.add(item.KeyExpr.Range(), "duplicate-key", "the key %q stands here twice; the first one is lost", v.AsString())
			}
			keys[v.AsString()] = true
		}
	}
	return nil
}

func legacyIndex(lines []string, at hcl.Range) bool {
	return at.Start.Line <= len(lines) && at.Start.Column <= len(lines[at.Start.Line-1]) && lines[at.Start.Line-1][at.Start.Column-1] == '.'
}

// refer notes what a reference refers to.
func (c *configuration) refer(t hcl.Traversal) {
	parts := []string{t.RootName()}
	for _, step := range t[1:] {
		a, ok := step.(hcl.TraverseAttr)
		if !ok {
			break
		}
		parts = append(parts, a.Name)
	}
	for n := 2; n <= min(3, len(parts)); n++ {
		c.used[strings.Join(parts[:n], ".")] = true
	}
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/packages"
)

// load reads and type-checks packages.
func load(ctx context.Context, dir, pattern string) ([]*packages.Package, error) {
	pkgs, err := packages.Load(&packages.Config{Context: ctx, Dir: dir,
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo | packages.NeedImports | packages.NeedDeps | packages.NeedExportFile,
	}, pattern)
	if err != nil {
		return nil, err
	}
	for _, p := range pkgs {
		for _, e := range p.Errors {
			return nil, e
		}
	}
	if len(pkgs) == 0 {
		return nil, fmt.Errorf("%s matches no package", pattern)
	}
	return pkgs, nil
}

// A mutant is one mistake.
type mutant struct {
	id         int
	file       string // below the module's directory
	line       int
	what       string
	start, end token.Pos
	// text is the code of the place with the switch in it; sub gives the code of a part, with its own switches.
	text func(sub func(ast.Node) string) string

	excused  *excuse
	excludes bool // the compiler does not take it
	reached  []string
	outcome  outcome
}

type outcome int

const (
	untried outcome = iota
	noticed
	survived
)

// An excuse is a comment that says why nothing can notice the mistakes of a line.
type excuse struct {
	file   string
	line   int
	reason string
	needed bool
}

const directive = "//mutate:ignore"

// mutate finds the mistakes that can be made in a package's files.
func mutate(dir string, pkg *packages.Package, files string) (all []*mutant, excuses []*excuse, err error) {
	for i, f := range pkg.Syntax {
		name := pkg.CompiledGoFiles[i]
		if ok, err := path.Match(cmp.Or(files, "*"), filepath.Base(name)); err != nil {
			return nil, nil, err
		} else if !ok || ast.IsGenerated(f) {
			continue
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return nil, nil, err
		}
		m := &finder{pkg: pkg, file: f, name: filepath.ToSlash(rel)}
		for _, group := range f.Comments {
			for _, c := range group.List {
				if rest, ok := strings.CutPrefix(c.Text, directive); ok {
					reason := strings.TrimSpace(rest)
					line := pkg.Fset.Position(c.Pos()).Line
					if reason == "" {
						return nil, nil, fmt.Errorf("%s:%d: an excuse is written %s reason", m.name, line, directive)
					}
					m.excuses = append(m.excuses, &excuse{file: m.name, line: line, reason: reason})
				}
			}
		}
		m.find()
		all = append(all, m.found...)
		excuses = append(excuses, m.excuses...)
	}
	for i, m := range all {
		m.id = i + 1
	}
	return all, excuses, nil
}

// finder finds the mistakes of one file.
type finder struct {
	pkg     *packages.Package
	file    *ast.File
	name    string
	found   []*mutant
	excuses []*excuse
	stack   []ast.Node
}

func (m *finder) add(n ast.Node, what string, text func(id int, sub func(ast.Node) string) string) {
	line := m.pkg.Fset.Position(n.Pos()).Line
	if b, ok := n.(*ast.BinaryExpr); ok {
		line = m.pkg.Fset.Position(b.OpPos).Line
	}
	one := &mutant{file: m.name, line: line, what: what, start: n.Pos(), end: n.End()}
	one.text = func(sub func(ast.Node) string) string { return text(one.id, sub) }
	for _, e := range m.excuses {
		if e.line == line || e.line == line-1 {
			one.excused = e
		}
	}
	m.found = append(m.found, one)
}

var comparisons = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR, token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LAND: token.LOR, token.LOR: token.LAND,
}

var arithmetic = map[token.Token]token.Token{
	token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL,
}

func (m *finder) find() {
	ast.Inspect(m.file, func(n ast.Node) bool {
		if n == nil {
			m.stack = m.stack[:len(m.stack)-1]
			return true
		}
		if m.skips(n) {
			return false
		}
		m.stack = append(m.stack, n)
		switch n := n.(type) {
		case *ast.BinaryExpr:
			m.binary(n)
		case *ast.UnaryExpr:
			if n.Op == token.NOT && !m.constant(n) {
				m.add(n, "! removed", func(id int, sub func(ast.Node) string) string {
					return fmt.Sprintf("(!µ(%d) && !(%s) || µ(%d) && (%s))", id, sub(n.X), id, sub(n.X))
				})
			}
		case *ast.Ident:
			if (n.Name == "true" || n.Name == "false") && m.pkg.TypesInfo.Uses[n] == types.Universe.Lookup(n.Name) {
				m.add(n, n.Name+" negated", func(id int, _ func(ast.Node) string) string {
					return fmt.Sprintf("(µ(%d) == %t)", id, n.Name == "false")
				})
			}
		case *ast.BasicLit:
			m.number(n)
		case ast.Stmt:
			m.statement(n)
		}
		return true
	})
	slices.SortStableFunc(m.found, func(a, b *mutant) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end)) })
}

// skips are parts of a file in which nothing can be switched: constants, types, and what only says how large something will be.
func (m *finder) skips(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GenDecl:
		return n.Tok == token.CONST || n.Tok == token.IMPORT || n.Tok == token.TYPE
	case *ast.ArrayType, *ast.FieldList:
		return true
	case *ast.CallExpr:
		if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "make" || id.Name == "panic") {
			return m.pkg.TypesInfo.Uses[id] == types.Universe.Lookup(id.Name)
		}
	}
	return false
}

func (m *finder) constant(e ast.Expr) bool { return m.pkg.TypesInfo.Types[e].Value != nil }

func (m *finder) binary(n *ast.BinaryExpr) {
	if m.constant(n) {
		return
	}
	if other, ok := comparisons[n.Op]; ok {
		m.add(n, fmt.Sprintf("%s became %s", n.Op, other), func(id int, sub func(ast.Node) string) string {
			x, y := sub(n.X), sub(n.Y)
			return fmt.Sprintf("(!µ(%d) && (%s %s %s) || µ(%d) && (%s %s %s))", id, x, n.Op, y, id, x, other, y)
		})
		return
	}
	other, ok := arithmetic[n.Op]
	t := m.pkg.TypesInfo.TypeOf(n)
	basic, isBasic := t.Underlying().(*types.Basic)
	if !ok || !isBasic || basic.Info()&types.IsNumeric == 0 {
		return
	}
	name, ok := m.typeName(t)
	if !ok {
		return
	}
	m.add(n, fmt.Sprintf("%s became %s", n.Op, other), func(id int, sub func(ast.Node) string) string {
		x, y := sub(n.X), sub(n.Y)
		return fmt.Sprintf("func() %s { if µ(%d) { return %s(%s %s %s) }; return %s(%s %s %s) }()", name, id, name, x, other, y, name, x, n.Op, y)
	})
}

// number makes a whole number one larger, where it is not the size of something.
func (m *finder) number(n *ast.BasicLit) {
	tv := m.pkg.TypesInfo.Types[n]
	if n.Kind != token.INT || tv.Type == nil || tv.Value == nil || len(m.stack) < 2 {
		return
	}
	// A literal that is part of a constant expression (3 * time.Second) is made larger with the whole.
	if parent, ok := m.stack[len(m.stack)-2].(ast.Expr); ok && m.constant(parent) {
		return
	}
	if v, exact := constant.Int64Val(constant.ToInt(tv.Value)); !exact || v > 1<<30 {
		return
	}
	basic, ok := tv.Type.Underlying().(*types.Basic)
	if !ok || basic.Info()&types.IsNumeric == 0 || basic.Info()&types.IsComplex != 0 {
		return
	}
	name, ok := m.typeName(types.Default(tv.Type))
	if !ok {
		return
	}
	m.add(n, n.Value+" became "+n.Value+"+1", func(id int, _ func(ast.Node) string) string {
		return fmt.Sprintf("µadd[%s](%d, %s)", name, id, n.Value)
	})
}

// statement leaves a statement out, where the ones around it do not need it to compile.
func (m *finder) statement(n ast.Stmt) {
	if len(m.stack) < 2 {
		return
	}
	switch m.stack[len(m.stack)-2].(type) {
	case *ast.BlockStmt, *ast.CaseClause, *ast.CommClause:
	default:
		return
	}
	what := ""
	switch n := n.(type) {
	case *ast.ExprStmt:
		if _, ok := n.X.(*ast.CallExpr); ok && !m.skips(n.X) {
			what = "call left out"
		}
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE && !blank(n.Lhs) {
			what = "assignment left out"
		}
	case *ast.IncDecStmt:
		what = n.Tok.String() + " left out"
	case *ast.BranchStmt:
		if n.Tok == token.BREAK || n.Tok == token.CONTINUE {
			what = n.Tok.String() + " left out"
		}
	case *ast.ReturnStmt:
		if len(n.Results) == 0 {
			what = "return left out"
		}
	}
	if what == "" {
		return
	}
	m.add(n, what, func(id int, sub func(ast.Node) string) string {
		return fmt.Sprintf("if !µ(%d) { %s }", id, sub(n))
	})
}

func blank(exprs []ast.Expr) bool {
	return !slices.ContainsFunc(exprs, func(e ast.Expr) bool { id, ok := e.(*ast.Ident); return !ok || id.Name != "_" })
}

// typeName writes a type as the file can name it; false if it cannot.
func (m *finder) typeName(t types.Type) (string, bool) {
	ok := true
	name := types.TypeString(t, func(p *types.Package) string {
		if p == m.pkg.Types {
			return ""
		}
		for _, i := range m.file.Imports {
			if imported, _ := strconv.Unquote(i.Path.Value); imported == p.Path() {
				if i.Name != nil {
					return i.Name.Name
				}
				return p.Name()
			}
		}
		ok = false
		return p.Name()
	})
	return name, ok && !strings.Contains(name, "untyped")
}

// most is how long the code of one place may become; where switches inside of switches make it longer, the inner ones are left out.
const most = 40_000

// rewrite writes a file with its switches.
func rewrite(src []byte, base token.Pos, mutants []*mutant) string {
	offset := func(p token.Pos) int { return int(p - base) }
	var text func(from, to int, inside []*mutant) string
	text = func(from, to int, inside []*mutant) string {
		var b strings.Builder
		at := from
		for i := 0; i < len(inside); {
			m := inside[i]
			j := i + 1
			for j < len(inside) && inside[j].start < m.end {
				j++
			}
			within := inside[i+1 : j]
			b.Write(src[at:offset(m.start)])
			code := ""
			if m.excludes {
				code = text(offset(m.start), offset(m.end), within)
			} else {
				code = m.text(func(n ast.Node) string {
					var in []*mutant
					for _, w := range within {
						if w.start >= n.Pos() && w.end <= n.End() {
							in = append(in, w)
						}
					}
					s := text(offset(n.Pos()), offset(n.End()), in)
					if len(s) > most {
						for _, w := range in {
							w.excludes = true
						}
						return string(src[offset(n.Pos()):offset(n.End())])
					}
					return s
				})
			}
			b.WriteString(code)
			at = offset(m.end)
			i = j
		}
		b.Write(src[at:to])
		return b.String()
	}
	return text(0, len(src), mutants)
}

// runtimeCode is the file that is added to the package: the switch, and a note of which switches tests have passed.
func runtimeCode(pkg, state string) string {
	return fmt.Sprintf(`package %s

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

var (
	µactive int
	µnotes  *os.File
	µseen   [1 << 16]atomic.Bool
	µlock   sync.Mutex
)

func init() {
	// Programs that a test starts with an environment of their own find it in the file.
	text := os.Getenv("GOMUTATE")
	if text == "" {
		data, _ := os.ReadFile(%q)
		text = string(data)
	}
	number, notes, _ := strings.Cut(text, " ")
	µactive, _ = strconv.Atoi(number)
	if notes != "" {
		µnotes, _ = os.OpenFile(notes, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	}
}

func µ(n int) bool {
	if µnotes != nil && !µseen[n].Swap(true) {
		µlock.Lock()
		µnotes.WriteString(strconv.Itoa(n) + "\n")
		µlock.Unlock()
	}
	return n == µactive
}

func µadd[T ~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64 | ~uintptr](n int, v T) T {
	if µ(n) {
		return v + 1
	}
	return v
}
`, pkg, state)
}

// overlay writes the package's files with their switches into dir, and the file for go build -overlay.
func overlay(dir string, pkg *packages.Package, root string, mutants []*mutant) (string, error) {
	replace := map[string]string{}
	for i, f := range pkg.Syntax {
		name := pkg.CompiledGoFiles[i]
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return "", err
		}
		var own []*mutant
		for _, m := range mutants {
			if m.file == filepath.ToSlash(rel) {
				own = append(own, m)
			}
		}
		if len(own) == 0 {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		to := filepath.Join(dir, strconv.Itoa(i)+"_"+filepath.Base(name))
		if err := os.WriteFile(to, []byte(rewrite(src, f.FileStart, own)), 0o644); err != nil {
			return "", err
		}
		replace[name] = to
	}
	if len(replace) == 0 {
		return "", errors.New("there is nothing in it that could be wrong")
	}
	added := filepath.Join(dir, "switches.go")
	if err := os.WriteFile(added, []byte(runtimeCode(pkg.Name, filepath.Join(dir, "active"))), 0o644); err != nil {
		return "", err
	}
	replace[filepath.Join(filepath.Dir(pkg.CompiledGoFiles[0]), "zz_gomutate_switches.go")] = added
	return writeOverlay(dir, replace)
}

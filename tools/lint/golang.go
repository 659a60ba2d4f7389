package main

import (
	"go/ast"
	"go/types"
	"maps"
	"regexp"
	"slices"
	"strings"

	"codeberg.org/polyfloyd/go-errorlint/errorlint"
	"github.com/gordonklaus/ineffassign/pkg/ineffassign"
	"github.com/kisielk/errcheck/errcheck"
	"github.com/securego/gosec/v2/goanalysis"
	"github.com/timakin/bodyclose/passes/bodyclose"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/printf"
	"golang.org/x/tools/go/analysis/suite/vet"
	"honnef.co/go/tools/analysis/facts/deprecated"
	"honnef.co/go/tools/simple"
	"honnef.co/go/tools/staticcheck"
	"honnef.co/go/tools/stylecheck"
)

// security are the checks of gosec that are of use here.
//
// Left out: G104, which errcheck does; G122, since folders that are walked are the checkout of whoever runs the program; G115, since conversions here are of colours, places in files and identifiers that
// are only compared; G204, G301, G302, G304, G306, G307 and G703, since these are programs that run other programs and read and write the files that
// their user names, with the permissions of any other file of theirs.
var security = []string{
	"G101", "G102", "G106", "G107", "G108", "G109", "G110", "G111", "G112", "G113", "G114", "G116", "G117", "G118", "G119", "G120", "G121", "G123",
	"G124", "G125", "G201", "G202", "G203", "G303", "G305", "G401", "G402", "G403", "G404", "G405", "G406", "G407", "G408", "G501", "G502", "G503", "G504",
	"G505", "G506", "G507", "G601", "G602", "G701", "G702", "G704", "G705", "G706", "G707", "G708", "G709", "G710",
}

// spared are checks that do not apply to a part of the repository.
var spared = map[string]*regexp.Regexp{
	// These show, try or measure things; nothing secret comes from their random numbers.
	"G404": regexp.MustCompile(`^lookout/(app/exporter|app/robot|app/sample|internal/dashboard/dashtest|test)(/|$)`),
}

// errorless are calls whose error says nothing that the program could act on: the other side went away, or a hash, which never fails.
var errorless = []string{
	"fmt.Fprint", "fmt.Fprintf", "fmt.Fprintln",
	"(net/http.ResponseWriter).Write", "io.WriteString(net/http.ResponseWriter)",
	"io.WriteString(hash.Hash)", "encoding/binary.Write(hash.Hash)",
}

// names are proper names, with which the text of an error may begin.
var names = regexp.MustCompile(`"(Alertmanager|DingTalk|Docker|Feishu|Gitee|GitHub|GitLab|Grafana|Prometheus|Terraform|WeCom)\b`)

// facts are the analyzers that run over other modules: what is deprecated there, and what is a wrapper of Printf.
func facts() []*analysis.Analyzer { return []*analysis.Analyzer{printf.Analyzer, deprecated.Analyzer} }

// analyzers are all that run over packages of this repository.
func analyzers() []*analysis.Analyzer {
	errcheck.DefaultExcludedSymbols = append(errcheck.DefaultExcludedSymbols, errorless...)
	must(goanalysis.Analyzer.Flags.Set("include", strings.Join(security, ",")))
	x := &excuses{}
	all := map[*analysis.Analyzer]bool{} // whether it runs over tests
	for _, a := range vet.Suite {
		all[a] = true
	}
	for _, a := range slices.Concat(staticcheck.Analyzers, simple.Analyzers, stylecheck.Analyzers) {
		if !a.Doc.NonDefault || wanted[a.Analyzer.Name] {
			all[a.Analyzer] = true
		}
	}
	for _, a := range []*analysis.Analyzer{unusedAnalyzer(), errorlint.NewAnalyzer(), ineffassign.Analyzer} {
		all[a] = true
	}
	// Tests hand responses to helpers that close them, which bodyclose does not see; and what a test ignores, it does not need.
	for _, a := range []*analysis.Analyzer{bodyclose.Analyzer, errcheck.Analyzer, goanalysis.Analyzer} {
		all[a] = false
	}
	list := slices.Collect(maps.Keys(all))
	for _, a := range list {
		x.respect(a, all[a])
	}
	return append(list, x.analyzer(slices.Clone(list)))
}

// wanted are checks of staticcheck that it leaves to its users to switch on.
var wanted = map[string]bool{"ST1020": true, "ST1021": true, "ST1022": true}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// harmless reports whether a finding is one of those that do not apply here.
func harmless(pass *analysis.Pass, check string, d analysis.Diagnostic) bool {
	if where := spared[check]; where != nil && where.MatchString(strings.TrimSuffix(pass.Pkg.Path(), "_test")) {
		return true
	}
	switch check {
	case "errcheck":
		return tidies(pass, d)
	case "ST1005":
		return names.MatchString(lineOf(pass, d.Pos))
	}
	return false
}

// tidies reports whether a call is the end of something: a deferred Close of what was read, or the removal of what is temporary.
// Files that were written are closed where the error can be returned.
func tidies(pass *analysis.Pass, d analysis.Diagnostic) (found bool) {
	for _, f := range pass.Files {
		if d.Pos < f.FileStart || d.Pos > f.FileEnd {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			s, ok := n.(*ast.DeferStmt)
			if !ok {
				return true
			}
			if d.Pos < s.Pos() || d.Pos > s.End() {
				return true
			}
			ast.Inspect(s, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok && call.Pos() <= d.Pos && d.Pos <= call.End() {
					if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
						f, _ := pass.TypesInfo.Uses[sel.Sel].(*types.Func)
						found = found || f != nil && (f.Name() == "Close" || f.FullName() == "os.Remove" || f.FullName() == "os.RemoveAll")
					}
				}
				return true
			})
			return true
		})
	}
	return found
}

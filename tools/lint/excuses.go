package main

import (
	"fmt"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/tools/go/analysis"
	"honnef.co/go/tools/unused"
)

// directive is how a finding is excused in place: //lint:ignore CHECK[,CHECK…] reason, on the finding's line or on the
// line before it.
const directive = "//lint:ignore"

// excuses are those of one package, which is all that a process of go vet sees.
type excuses struct {
	once sync.Once
	mu   sync.Mutex
	all  []*excuse
}

type excuse struct {
	pos    token.Pos
	file   string
	line   int
	checks []string
	reason string
	used   bool
}

// read finds the excuses in the files of a package.
func (x *excuses) read(pass *analysis.Pass) {
	x.once.Do(func() {
		for _, f := range pass.Files {
			for _, group := range f.Comments {
				for _, c := range group.List {
					rest, ok := strings.CutPrefix(c.Text, directive)
					if !ok {
						continue
					}
					checks, reason, _ := strings.Cut(strings.TrimSpace(rest), " ")
					at := pass.Fset.PositionFor(c.Pos(), false)
					x.all = append(x.all, &excuse{c.Pos(), at.Filename, at.Line, strings.Split(checks, ","), strings.TrimSpace(reason), false})
				}
			}
		}
	})
}

// excused reports whether a finding is excused, and notes that the excuse was needed.
func (x *excuses) excused(at token.Position, check string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.all {
		if e.file == at.Filename && (e.line == at.Line || e.line == at.Line-1) && slices.Contains(e.checks, check) && e.reason != "" {
			e.used = true
			return true
		}
	}
	return false
}

// respect changes an analyzer so that its findings name their check, and are dropped where they are harmless or excused and,
// without tests, in test files.
func (x *excuses) respect(a *analysis.Analyzer, tests bool) {
	run := a.Run
	a.Run = func(pass *analysis.Pass) (any, error) {
		x.read(pass)
		inner := *pass
		inner.Report = func(d analysis.Diagnostic) {
			at := pass.Fset.PositionFor(d.Pos, false)
			check := a.Name
			// gosec is one analyzer for many checks.
			if d.Category != "" && a.Name == "gosec" {
				check = d.Category
			}
			if !tests && strings.HasSuffix(at.Filename, "_test.go") || harmless(pass, check, d) || x.excused(at, check) {
				return
			}
			d.Message = fmt.Sprintf("%s (%s)", strings.TrimPrefix(d.Message, check+": "), check)
			pass.Report(d)
		}
		return run(&inner)
	}
}

// lineOf is the text of the line that pos is on.
func lineOf(pass *analysis.Pass, pos token.Pos) string {
	at := pass.Fset.PositionFor(pos, false)
	data, err := pass.ReadFile(at.Filename)
	if err != nil {
		return ""
	}
	lines := strings.Split(string(data), "\n")
	if at.Line > len(lines) {
		return ""
	}
	return lines[at.Line-1]
}

// analyzer reports excuses that give no reason or excuse nothing. It runs after all others.
func (x *excuses) analyzer(others []*analysis.Analyzer) *analysis.Analyzer {
	return &analysis.Analyzer{Name: "excuses", Doc: "report " + directive + " without a reason or without a finding", Requires: others,
		Run: func(pass *analysis.Pass) (any, error) {
			x.read(pass)
			for _, e := range x.all {
				switch {
				case e.reason == "" || e.checks[0] == "":
					pass.Reportf(e.pos, "an excuse is written %s CHECK reason (excuses)", directive)
				case !e.used && !slices.Contains(e.checks, "U1000"):
					pass.Reportf(e.pos, "%s is excused, but does not find anything here: remove the comment (excuses)", strings.Join(e.checks, ","))
				}
			}
			return nil, nil
		}}
}

// unusedAnalyzer reports what staticcheck's U1000 finds. Where a package has tests of its own, only the package together with
// them shows what is used.
func unusedAnalyzer() *analysis.Analyzer {
	found := unused.Analyzer.Analyzer
	return &analysis.Analyzer{Name: "U1000", Doc: "report unused code", Requires: []*analysis.Analyzer{found},
		Run: func(pass *analysis.Pass) (any, error) {
			if withoutItsTests(pass) {
				return nil, nil
			}
			for _, o := range pass.ResultOf[found].(unused.Result).Unused {
				pos := token.NoPos
				for _, f := range pass.Files {
					if file := pass.Fset.File(f.Pos()); file.Name() == o.Position.Filename {
						pos = file.LineStart(o.Position.Line) + token.Pos(o.Position.Column-1)
					}
				}
				if pos.IsValid() {
					pass.Reportf(pos, "%s %s is unused", o.Kind, o.Name)
				}
			}
			return nil, nil
		}}
}

// withoutItsTests reports whether the package's folder has test files of the package which the pass lacks.
func withoutItsTests(pass *analysis.Pass) bool {
	if len(pass.Files) == 0 {
		return true
	}
	for _, f := range pass.Files {
		if strings.HasSuffix(pass.Fset.File(f.Pos()).Name(), "_test.go") {
			return false
		}
	}
	names, err := filepath.Glob(filepath.Join(filepath.Dir(pass.Fset.File(pass.Files[0].Pos()).Name()), "*_test.go"))
	if err != nil {
		return false
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err == nil && strings.Contains("\n"+string(data), "\npackage "+pass.Pkg.Name()+"\n") {
			return true
		}
	}
	return false
}

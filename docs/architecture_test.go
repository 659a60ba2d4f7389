package docs

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

const module = "lookout/"

// importing is one import of a file.
type importing struct {
	dir, file string // below the repository's root
	imported  string
	test      bool // in a _test.go file
}

// importsOf reads all Go files and returns the packages' directories and every import.
func importsOf(repository fs.FS) (packages []string, all []importing, err error) {
	err = fs.WalkDir(repository, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if name != "." && (strings.HasPrefix(e.Name(), ".") || e.Name() == "testdata" || e.Name() == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		data, err := fs.ReadFile(repository, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, data, parser.ImportsOnly)
		if err != nil {
			return err
		}
		if file.Name.Name == "tools" { // blank imports that keep a version in go.mod
			return nil
		}
		dir := path.Dir(name)
		packages = append(packages, dir)
		for _, i := range file.Imports {
			imported, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			all = append(all, importing{dir, name, imported, strings.HasSuffix(name, "_test.go")})
		}
		return nil
	})
	slices.Sort(packages)
	return slices.Compact(packages), all, err
}

// architecture is what docs/architecture.md says.
type architecture struct {
	trees    map[string][]string // files in → may import
	reserved map[string][]string // module or package → imported only by
	layers   map[string]string   // package → layer
	twice    []string            // packages that stand there more than once
}

func architectureOf(p page) architecture {
	a := architecture{map[string][]string{}, map[string][]string{}, map[string]string{}, nil}
	for n, table := range p.Tables {
		for _, row := range table[1:] {
			for _, first := range spans(row[0]) {
				switch n {
				case 0:
					a.trees[first] = spans(row[1])
				case 1:
					a.reserved[first] = spans(row[1])
				default:
					if _, known := a.layers[first]; known {
						a.twice = append(a.twice, first)
					}
					a.layers[first] = row[1]
				}
			}
		}
	}
	return a
}

// faults are the places where code and page disagree.
func (a architecture) faults(packages []string, imports []importing) []string {
	var all []string
	for _, p := range packages {
		if _, known := a.layers[p]; !known {
			all = append(all, fmt.Sprintf("%s: not in docs/architecture.md; add a line that says what it does", p))
		}
	}
	for _, p := range slices.Sorted(maps.Keys(a.layers)) {
		if !slices.Contains(packages, p) {
			all = append(all, fmt.Sprintf("docs/architecture.md names %s, which has no Go files", p))
		}
	}
	for _, p := range a.twice {
		all = append(all, fmt.Sprintf("docs/architecture.md names %s twice", p))
	}
	for p, layer := range a.layers {
		if _, err := strconv.Atoi(layer); err != nil && !slices.Contains([]string{"program", "pages", "tests", "end to end"}, layer) {
			all = append(all, fmt.Sprintf("docs/architecture.md: the layer of %s is %q", p, layer))
		}
	}
	for _, i := range imports {
		for reserved, by := range a.reserved {
			if !i.test && within(i.imported, reserved) && !slices.ContainsFunc(by, func(tree string) bool { return within(i.dir, tree) }) {
				all = append(all, fmt.Sprintf("%s imports %s, which only %s may", i.file, i.imported, strings.Join(by, ", ")))
			}
		}
		own, ours := strings.CutPrefix(i.imported, module)
		if !ours || own == i.dir { // an external test imports its package
			continue
		}
		tree := ""
		for candidate := range a.trees {
			if within(i.dir, candidate) && len(candidate) > len(tree) {
				tree = candidate
			}
		}
		if !slices.ContainsFunc(a.trees[tree], func(allowed string) bool { return within(own, allowed) }) {
			all = append(all, fmt.Sprintf("%s imports %s: files in %q may import %s", i.file, own, tree, strings.Join(a.trees[tree], ", ")))
			continue
		}
		if i.test {
			continue
		}
		if a.layers[own] == "tests" {
			if a.layers[i.dir] != "tests" && !within(i.dir, "test") {
				all = append(all, fmt.Sprintf("%s imports %s, which is for tests only", i.file, own))
			}
			continue
		}
		from, errFrom := strconv.Atoi(a.layers[i.dir])
		to, errTo := strconv.Atoi(a.layers[own])
		if errFrom == nil && errTo == nil && to >= from {
			all = append(all, fmt.Sprintf("%s imports %s: layer %d may not import layer %d", i.file, own, from, to))
		}
	}
	slices.Sort(all)
	return all
}

// within reports whether a path is a directory or lies below it.
func within(name, tree string) bool {
	tree = strings.TrimSuffix(tree, "/")
	return name == tree || strings.HasPrefix(name, tree+"/")
}

func TestArchitectureIsWhatThePageSays(t *testing.T) {
	packages, imports, err := importsOf(os.DirFS(filepath.FromSlash(root)))
	require.NoError(t, err)
	a := architectureOf(markdownPage(t, "docs/architecture.md"))
	for _, fault := range a.faults(packages, imports) {
		t.Error(fault)
	}
	for name := range a.reserved {
		require.True(t, slices.ContainsFunc(imports, func(i importing) bool { return within(i.imported, name) }),
			"docs/architecture.md keeps %s behind a package, but nothing imports it", name)
	}
}

// Each rule finds what breaks it.
func TestArchitectureRulesFindFaults(t *testing.T) {
	a := architectureOf(markdownPage(t, "docs/architecture.md"))
	for file, test := range map[string]struct{ imports, want string }{
		"internal/new/new.go":                       {"fmt", "internal/new: not in docs/architecture.md"},
		"internal/dashboard/x.go":                   {"lookout/internal/lint", "layer 1 may not import layer 3"},
		"internal/lint/x.go":                        {"lookout/internal/diff", "layer 3 may not import layer 3"},
		"internal/render/x.go":                      {"lookout/internal/dashboard/dashtest", "for tests only"},
		"internal/review/x_test.go":                 {"lookout/app/robot/robot", `files in "internal/" may import internal/`},
		"app/relay/x.go":                            {"lookout/internal/dashboard", `files in "app/" may import app/, internal/program`},
		"app/robot/robot/x_test.go":                 {"lookout/app/relay/internal/channel", `files in "app/robot" may import`},
		"app/relay/internal/web/x.go":               {"go.etcd.io/bbolt/errors", "which only app/relay/internal/spool may"},
		"app/relay/internal/channel/wecom/x.go":     {"lookout/app/relay/internal/channel/feishu", "which only app/relay/internal/channel/kinds may"},
		"app/relay/internal/message/x.go":           {"lookout/app/relay/internal/channel/feishu", "which only app/relay/internal/channel/kinds may"},
		"app/relay/internal/channel/x.go":           {"lookout/app/relay/internal/channel/kinds", "layer 2 may not import layer 4"},
		"test/readme/x_test.go":                     {"lookout/cmd/lookout", `files in "test/" may import`},
		"app/relay/internal/notification/x_test.go": {"fmt", ""},
	} {
		t.Run(file, func(t *testing.T) {
			source := fmt.Sprintf("package x\n\nimport %q\n", test.imports)
			packages, imports, err := importsOf(fstest.MapFS{file: {Data: []byte(source)}})
			require.NoError(t, err)
			faults := strings.Join(a.faults(packages, imports), "\n")
			if test.want != "" {
				require.Contains(t, faults, test.want)
			} else {
				require.NotContains(t, faults, file)
			}
			require.Contains(t, faults, "which has no Go files") // all other packages are missing here
		})
	}
}

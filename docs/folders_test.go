package docs

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every package says what it is in its package comment, and every Terraform module in its README (ADR 33).
func TestFoldersSayWhatTheyAre(t *testing.T) {
	said := map[string]bool{} // folder → whether it is described
	require.NoError(t, filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if name != root && (strings.HasPrefix(e.Name(), ".") || e.Name() == "testdata" || e.Name() == "node_modules" || e.Name() == "fixtures") {
				return fs.SkipDir
			}
			return nil
		}
		dir := filepath.Dir(name)
		tree, _, _ := strings.Cut(strings.TrimPrefix(filepath.ToSlash(dir), root+"/"), "/")
		switch {
		case (tree == "modules" || tree == "stacks") && e.Name() == "main.tf":
			_, err := os.Stat(filepath.Join(dir, "README.md"))
			said[dir] = err == nil
		case tree != "tools" && filepath.Ext(name) == ".go":
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				return err
			}
			pkg := strings.TrimSuffix(file.Name.Name, "_test")
			want := "Package " + pkg + " "
			if pkg == "main" {
				want = "Command " + filepath.Base(dir) + " "
			}
			said[dir] = said[dir] || strings.HasPrefix(file.Doc.Text(), want)
		}
		return nil
	}))
	require.Greater(t, len(said), 80, "folders were looked for in the wrong place")
	for dir, ok := range said {
		if !ok {
			t.Errorf("%s: neither a README.md nor a package comment (“Package %s …”, “Command %s …”) says what it is", dir, filepath.Base(dir), filepath.Base(dir))
		}
	}
}

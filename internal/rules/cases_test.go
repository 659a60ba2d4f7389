package rules

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lookout/internal/promql"
)

var update = flag.Bool("update", false, "rewrite testdata/cases/*.golden, for a person to read in the diff")

// all is what is wrong with a file when it is read by itself, expressions included.
func all(f *File, parser *promql.Parser) Problems {
	problems := append(Problems(nil), f.Problems...)
	for _, r := range f.Rules() {
		if p := r.CheckQuery(parser.Parse(r.Expr, nil)); p != nil {
			problems.add(*p)
		}
	}
	problems.sort()
	return problems
}

// The files of a directory are one case each: right and wrong rule files, and what is said about them.
func TestCases(t *testing.T) {
	for _, dir := range []string{"own", "forms"} {
		t.Run(dir, func(t *testing.T) {
			paths, err := filepath.Glob("testdata/cases/" + dir + "/*")
			if err != nil || len(paths) == 0 {
				t.Fatal(paths, err)
			}
			parser := promql.NewParser()
			var got strings.Builder
			for _, path := range paths {
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				f := Read(filepath.Base(path), data)
				fmt.Fprintf(&got, "%s: %s, %d rules\n", f.Path, f.Form, len(f.Rules()))
				for _, p := range all(f, parser) {
					level := "error"
					if p.Minor {
						level = "warning"
					}
					fmt.Fprintf(&got, "\t%s (%s, %s)\n", p, p.Kind, level)
				}
			}
			golden := "testdata/cases/" + dir + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

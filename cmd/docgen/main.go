// Command docgen writes the tables of the documentation that repeat what stands elsewhere: inputs and outputs of Terraform modules, flags of
// programs, lint rules, alerts with their runbooks, and what Terraform has moved. A table stands between the lines
//
//	<!-- generated: inputs -->
//	<!-- /generated -->
//
// and everything between them is replaced. With --check nothing is written: it is an error if a table is not as it would be.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"

	"lookout/internal/program"
)

func main() {
	program.Main(func(ctx context.Context) int {
		return program.Report(os.Stderr, "docgen", run(ctx, os.Args[1:], os.Stdout))
	})
}

type options struct {
	Repo  string `help:"The repository." default:"." type:"path"`
	Check bool   `help:"Write nothing; fail if a table is not as it would be."`
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	var o options
	_, err := program.Parse(&o, args, stdout, kong.Name("docgen"),
		kong.Description("Writes the tables of the documentation that repeat what stands elsewhere."))
	if errors.Is(err, program.ErrDone) {
		return nil
	}
	if err != nil {
		return err
	}
	pages, tables := 0, 0
	var stale []string
	err = filepath.WalkDir(o.Repo, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if n := e.Name(); name != o.Repo && (strings.HasPrefix(n, ".") || n == "testdata" || n == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".md" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		now, n, err := generate(ctx, o.Repo, name, text)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if n > 0 {
			pages++
			tables += n
		}
		if bytes.Equal(now, text) {
			return nil
		}
		if o.Check {
			rel, err := filepath.Rel(o.Repo, name)
			if err != nil {
				return err
			}
			stale = append(stale, rel)
			return nil
		}
		fmt.Fprintln(stdout, "wrote", name)
		return os.WriteFile(name, now, 0o644)
	})
	if err != nil {
		return err
	}
	if tables == 0 {
		return fmt.Errorf("no page below %s has a table to generate", o.Repo)
	}
	if len(stale) > 0 {
		return fmt.Errorf("not as generated, run `make generate`:\n%s", strings.Join(stale, "\n"))
	}
	fmt.Fprintf(stdout, "%d generated tables in %d pages\n", tables, pages)
	return nil
}

var section = regexp.MustCompile(`(?s)(<!-- generated: ([^\n]*?) -->\n)(.*?)(<!-- /generated -->)`)

// generate returns a page with its tables as they should be, and how many there are.
func generate(ctx context.Context, repo, name string, text []byte) (out []byte, n int, err error) {
	out = section.ReplaceAllFunc(text, func(found []byte) []byte {
		m := section.FindSubmatch(found)
		n++
		kind, argument, _ := strings.Cut(string(m[2]), " ")
		table, one := "", error(nil)
		switch kind {
		case "inputs":
			table, one = inputs(filepath.Dir(name))
		case "outputs":
			table, one = outputs(filepath.Dir(name))
		case "flags":
			table, one = flags(ctx, repo, argument)
		case "moved":
			table, one = moved(repo)
		case "rules":
			table = lintRules()
		case "alerts":
			table, one = alerts(filepath.Join(repo, "alerts"), filepath.Dir(name), string(m[3]), strings.HasSuffix(name, ".zh-CN.md"))
		default:
			one = fmt.Errorf("nothing generates %q; there are inputs, outputs, flags PACKAGE, moved, rules and alerts", kind)
		}
		if one != nil {
			err = errors.Join(err, one)
			return found
		}
		return fmt.Appendf(nil, "%s%s\n%s", m[1], strings.TrimRight(table, "\n"), m[4])
	})
	if err == nil && bytes.Count(text, []byte("<!-- generated: ")) != n {
		err = errors.New("a table begins with <!-- generated: … --> and does not end with <!-- /generated -->")
	}
	return out, n, err
}

// Command lint runs the static checks of this repository: of Go packages, called by `go vet -vettool`, which keeps the verdict
// of a package until something that it is made of changes; of Terraform (lint terraform DIR…) and of shell scripts
// (lint shell FILE…). docs/adr/0035 says why these and not the programs that bundle them.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis/unitchecker"
)

// ours is the prefix of import paths of this repository; what is below it is analysed in full.
const ours = "lookout/"

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "terraform":
			exit(terraform(os.Args[2:], os.Stdout))
		case "shell":
			exit(shell(os.Args[2:], os.Stdout))
		}
		if last := os.Args[len(os.Args)-1]; strings.HasSuffix(last, ".cfg") && dependency(last) {
			unitchecker.Run(last, facts())
		}
	}
	unitchecker.Main(analyzers()...)
}

// exit ends the process: 0 without findings, 1 with some, 2 if the check could not run.
func exit(findings int, err error) {
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "lint:", err)
		os.Exit(2)
	case findings > 0:
		os.Exit(1)
	}
	os.Exit(0)
}

// dependency reports whether a unit that go vet hands over is of another module: of those only a few facts are needed, and
// analysing them in full would take minutes.
func dependency(config string) bool {
	data, err := os.ReadFile(config)
	if err != nil {
		return false // unitchecker says it
	}
	var unit struct {
		ImportPath string
		VetxOnly   bool
	}
	return json.Unmarshal(data, &unit) == nil && unit.VetxOnly && !strings.HasPrefix(unit.ImportPath, ours)
}

// A finding is something that was found in a file that is not Go.
type finding struct {
	place, check, message string
}

// report prints findings and returns how many there were.
func report(w io.Writer, findings []finding) int {
	for _, f := range findings {
		fmt.Fprintf(w, "%s: %s (%s)\n", f.place, f.message, f.check)
	}
	return len(findings)
}

// sorted are the keys of a map in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

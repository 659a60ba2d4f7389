package main

import (
	"context"
	"flag"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"lookout": func() {
			os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
		},
	})
}

var update = flag.Bool("update", false, "rewrite the expected outputs in the scripts")

// TestScripts runs every testdata/script/*.txtar. They are the documentation of the commands, too: one file a story, named after the command.
//
// "exits N command…" asserts an exact exit code, which "!" cannot.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                scriptCommands,
		// go test ./cmd/lookout -run TestScripts/lint -update rewrites the expected outputs, for a person to read in the diff.
		UpdateScripts: *update,
	})
}

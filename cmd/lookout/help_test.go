package main

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whoever reads --help learns what a flag is if it is not given: kong shows a default only where there is no placeholder.
func TestEveryDefaultIsInTheHelp(t *testing.T) {
	var c commands
	parser, err := kong.New(&c, kong.Vars{"version": "x"})
	require.NoError(t, err)
	var visit func(n *kong.Node)
	visit = func(n *kong.Node) {
		for _, f := range n.Flags {
			if !f.HasDefault || f.Default == "" || f.PlaceHolder == "" {
				continue
			}
			assert.Contains(t, strings.ReplaceAll(f.Help, "$$", "$"), f.Default, "%s --%s", n.FullPath(), f.Name)
		}
		for _, child := range n.Children {
			visit(child)
		}
	}
	visit(parser.Model.Node)
}

// A newcomer finds where to start.
func TestHelpSaysWhereToStart(t *testing.T) {
	code, out := outcome(t, "--help")
	require.Equal(t, exitClean, code)
	for _, want := range []string{"lookout lint dashboards alerts", "lookout diff main", "lookout check --prometheus", "Exit code", "lookout <command> --help"} {
		require.Contains(t, out, want)
	}
}

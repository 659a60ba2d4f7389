package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// right are the cases of rule files in which there is nothing to find; everything else must never be clean.
var right = []string{
	"own/aliases-32.yaml", "own/anchor-ok.yaml", "own/expr-anchored.yaml", "own/expr-utf8.yaml", "own/for-0s.yaml", "own/for-d.yaml", "own/for-mix.yaml", "own/interval-90s.yaml",
	"own/merge.yaml", "own/panel-nodash.yaml", "own/thr-big.yaml", "own/thr-neg0.yaml", "own/tmpl-dot.yaml", "own/tmpl-query.yaml", "forms/x.test.yaml",
}

func TestABrokenRuleFileIsNeverClean(t *testing.T) {
	paths, err := filepath.Glob("../../internal/rules/testdata/cases/*/*")
	require.NoError(t, err)
	require.Greater(t, len(paths), 90)
	for _, path := range paths {
		name := filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path)
		if filepath.Dir(name) == "across" {
			continue // each is right by itself
		}
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), []string{"lint", path}, nil, &stdout, &stderr, os.Getenv)
		want := exitFindings
		if slices.Contains(right, name) {
			want = exitClean
		} else if regexp.MustCompile(`(?m)\((yaml-syntax|unreadable|json-syntax)\)$`).MatchString(stdout.String()) {
			want = exitFailed // it can't be read at all
		}
		require.Equal(t, want, code, "%s\n%s%s", name, stdout.String(), stderr.String())
	}
	code := run(t.Context(), []string{"lint", "../../internal/rules/testdata/cases/across"}, nil, &bytes.Buffer{}, &bytes.Buffer{}, os.Getenv)
	require.Equal(t, exitFindings, code)
}

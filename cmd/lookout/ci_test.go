package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// Each CI file is YAML, and what it calls are commands with flags that exist.
func TestTheFilesForCICallWhatExists(t *testing.T) {
	root := filepath.Join("..", "..")
	files, err := filepath.Glob(filepath.Join(root, "examples", "ci", "*.yml"))
	require.NoError(t, err)
	require.Len(t, files, 3)
	files = append(files, filepath.Join(root, ".github", "workflows", "review.yml"), filepath.Join(root, ".github", "workflows", "comment.yml"), filepath.Join(root, "Makefile"))
	call := regexp.MustCompile(`go run \./cmd/lookout (review .*)`)
	variable := regexp.MustCompile(`"?\$[{(]?[A-Za-z_]+[)}]?"?`)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		if filepath.Ext(file) == ".yml" {
			var any map[string]any
			require.NoError(t, yaml.Unmarshal(data, &any), file)
		}
		m := call.FindSubmatch(data)
		require.NotNil(t, m, "%s does not call lookout review", file)
		args := strings.Fields(variable.ReplaceAllString(string(m[1]), "7"))
		// A path that is not there stops the command after its flags were parsed, before it does anything.
		var stdout, stderr bytes.Buffer
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "review.md"), []byte("### Review\n"), 0o644))
		for i, a := range args {
			if strings.HasPrefix(a, "--out=") || strings.HasPrefix(a, "--from=") {
				name, _, _ := strings.Cut(a, "=")
				args[i] = name + "=" + dir
			}
		}
		code := run(t.Context(), append(args, "--config=nowhere.yaml", "--api=http://127.0.0.1:1"), nil, &stdout, &stderr, func(name string) string {
			return map[string]string{"GITHUB_REPOSITORY": "a/b", "CI_PROJECT_ID": "1", "CI_MERGE_REQUEST_IID": "7", "GITEE_PULL_ID": "7", "GITHUB_REF": "refs/pull/7/merge",
				"GITHUB_TOKEN": "s3cret", "GITLAB_TOKEN": "s3cret", "GITEA_TOKEN": "s3cret", "GITEE_TOKEN": "s3cret"}[name]
		})
		require.Equal(t, exitFailed, code)
		require.Regexp(t, `configuration: open nowhere.yaml|127\.0\.0\.1:1: connect`, stderr.String(), file)
	}
}

// Package readme runs what the READMEs tell people to type.
package readme

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

var (
	block = regexp.MustCompile("(?s)```sh\n(.*?)```")
	link  = regexp.MustCompile(`\]\(([^)#:]+)\)`)
)

// commands are the lines of the sh blocks of a page, without their comments.
func commands(t *testing.T, page string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, page))
	require.NoError(t, err)
	var lines []string
	for _, b := range block.FindAllStringSubmatch(string(data), -1) {
		for line := range strings.Lines(b[1]) {
			line, _, _ = strings.Cut(line, "#")
			if line = strings.TrimSpace(line); line != "" {
				lines = append(lines, line)
			}
		}
	}
	require.NotEmpty(t, lines, "%s holds no commands", page)
	return lines
}

func TestWhatTheReadmesSayCanBeTyped(t *testing.T) {
	for _, page := range []string{"README.md", "README.zh-CN.md", "cmd/lookout/README.md"} {
		for _, line := range commands(t, page) {
			t.Run(page+": "+line, func(t *testing.T) {
				words := strings.Fields(line)
				switch {
				case words[0] == "make" && words[1] != "help":
					// The story and test/interrupt run what is behind these; here: they exist.
					out, err := exec.CommandContext(t.Context(), "make", append([]string{"-C", root, "-n"}, words[1:]...)...).CombinedOutput()
					require.NoError(t, err, string(out))
				case words[0] == "curl":
					// The story turns the same knobs through the same addresses, on ports of its own.
					require.Regexp(t, `http://127\.0\.0\.1:(9100/faults|8060/api/messages)`, line)
				default:
					cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
					cmd.Dir = root
					out, err := cmd.CombinedOutput()
					if err != nil {
						// diff ends with 1 when there are changes.
						require.Equal(t, 1, cmd.ProcessState.ExitCode(), string(out))
						require.Contains(t, line, "lookout diff", string(out))
					}
				}
			})
		}
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	for _, page := range []string{"README.md", "README.zh-CN.md", "CONTRIBUTING.md", "docs/runbooks/README.md", "cmd/lookout/README.md"} {
		data, err := os.ReadFile(filepath.Join(root, page))
		require.NoError(t, err)
		for _, found := range link.FindAllStringSubmatch(string(data), -1) {
			require.FileExists(t, orDirectory(filepath.Join(root, filepath.Dir(page), found[1])), "%s links to %s", page, found[1])
		}
	}
}

// orDirectory is a file that stands for a folder, since FileExists wants a file.
func orDirectory(path string) string {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return path
	}
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) == 0 {
		return filepath.Join(path, "(empty)")
	}
	for _, e := range entries {
		if !e.IsDir() {
			return filepath.Join(path, e.Name())
		}
	}
	return orDirectory(filepath.Join(path, entries[0].Name()))
}

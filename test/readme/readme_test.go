// Package readme runs what the READMEs tell people to type.
package readme

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/stack"
)

const root = "../.."

var block = regexp.MustCompile("(?s)```sh\n(.*?)```")

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

// pages hold commands that a person may type.
var pages = []string{"README.md", "README.zh-CN.md", "cmd/lookout/README.md"}

func TestWhatTheReadmesSayCanBeTyped(t *testing.T) {
	ran := map[string]bool{}
	for _, page := range pages {
		for _, line := range commands(t, page) {
			if ran[line] {
				continue // the same in another language
			}
			ran[line] = true
			t.Run(page+": "+line, func(t *testing.T) {
				words := strings.Fields(line)
				switch {
				case words[0] == "make" && words[1] != "help":
					// The story and test/interrupt run what is behind these; here: they exist.
					requireMake(t, words[1:]...)
				case words[0] == "curl":
					// The story turns the same knobs through the same addresses, on ports of its own.
					requireAddress(t, line)
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

func requireMake(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "make", append([]string{"-C", root, "-n"}, args...)...).CombinedOutput()
	require.NoError(t, err, string(out))
}

var address = regexp.MustCompile(`http://127\.0\.0\.1:([0-9]+)(/faults|/api/messages)`)

// requireAddress wants a command to go to a service's port of the environment local.
func requireAddress(t *testing.T, line string) {
	t.Helper()
	found := address.FindStringSubmatch(line)
	require.NotNil(t, found, line)
	service, known := stack.Named(map[string]string{"/faults": "exporter", "/api/messages": "robot"}[found[2]])
	require.True(t, known)
	require.Equal(t, strconv.Itoa(service.Port), found[1], "the port of %s", service.Name)
}

// mention is a target of make in running text or in an indented block.
var mention = regexp.MustCompile("(?m)(?:`|^ {4}.*)make (?:-C \\S+ )?([a-z][a-z-]*)")

func TestTargetsThatAreMentionedExist(t *testing.T) {
	for _, page := range slices.Concat(pages, []string{"CONTRIBUTING.md"}) {
		data, err := os.ReadFile(filepath.Join(root, page))
		require.NoError(t, err)
		for _, found := range mention.FindAllStringSubmatch(string(data), -1) {
			t.Run(page+": make "+found[1], func(t *testing.T) { requireMake(t, found[1]) })
		}
	}
}

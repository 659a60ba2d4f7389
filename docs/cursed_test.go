package docs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each guard that CURSED.md names is still in its file.
func TestCursedKnowledgeIsGuarded(t *testing.T) {
	rows := 0
	for _, table := range markdownPage(t, "CURSED.md").Tables {
		for _, row := range table[1:] {
			rows++
			require.Len(t, row, 2, row)
			guard := spans(row[1])
			require.Len(t, guard, 2, "%s: the second column is `file`: `code`", row)
			data, err := os.ReadFile(filepath.Join(root, guard[0]))
			require.NoError(t, err)
			if !strings.Contains(oneBlank(string(data)), oneBlank(guard[1])) {
				t.Errorf("CURSED.md: %s no longer has %s. It guarded against this: %s", guard[0], guard[1], row[0])
			}
		}
	}
	require.Greater(t, rows, 40, "the tables of CURSED.md were not found")
}

// oneBlank makes every run of blanks one, since formatters align code.
func oneBlank(text string) string { return strings.Join(strings.Fields(text), " ") }

package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// alsoChinese are files besides the pages whose Chinese people read.
var alsoChinese = []string{"alerts/*.yaml", "app/relay/internal/message/templates/*.tmpl", "modules/dingtalk/templates/*.tmpl", "internal/console/language.go"}

// Chinese words that the glossary rules out are used nowhere that a person reads.
func TestOneChineseWordForEachTerm(t *testing.T) {
	instead := map[string]string{} // word → what the glossary has
	for _, table := range markdownPage(t, "docs/glossary.md").Tables {
		for _, row := range table[1:] {
			require.Len(t, row, 4, row)
			for _, word := range strings.Split(row[2], "、") {
				require.NotContains(t, instead, word, "twice in the glossary")
				require.NotEmpty(t, word, row)
				instead[word] = row[1]
			}
		}
	}
	require.Greater(t, len(instead), 40, "the glossary was not found")
	for word, use := range instead {
		require.False(t, strings.Contains(use, word), "the glossary rules out %s, which is part of %s", word, use)
	}
	var files []string
	for _, name := range markdownFiles(t) {
		if strings.HasSuffix(name, chinese) {
			files = append(files, name)
		}
	}
	for _, pattern := range alsoChinese {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, found, pattern)
		for _, name := range found {
			name, err = filepath.Rel(root, name)
			require.NoError(t, err)
			files = append(files, name)
		}
	}
	for _, name := range files {
		data, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		n := 0
		for line := range strings.Lines(string(data)) {
			n++
			for word, use := range instead {
				if strings.Contains(line, word) {
					t.Errorf("%s:%d: %s; docs/glossary.md has %s", name, n, word, use)
				}
			}
			if found := halfWidth.FindString(line); found != "" && strings.HasSuffix(name, chinese) && !strings.HasPrefix(line, " ") {
				t.Errorf("%s:%d: half-width punctuation after Chinese: %s", name, n, found)
			}
		}
	}
}

// halfWidth is ASCII punctuation where Chinese has its own.
var halfWidth = regexp.MustCompile(`\p{Han}[,;:?!] ?\p{Han}`)

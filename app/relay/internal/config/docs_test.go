package config

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	codeBlocks = regexp.MustCompile("(?s)```[a-z]*\n(.*?)```")
	comments   = regexp.MustCompile(`(?m)[ \t]*#.*$`)
	inCode     = regexp.MustCompile("`[^`]+`")
)

// outline is what a page has to share with its translation: the levels of its headings, its code without comments, the shape of its
// tables with what is code in their first column, and the options and addresses that it names.
type outline struct {
	headings []string
	code     []string
	tables   []string
	names    []string
}

func outlineOf(t *testing.T, file string) outline {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var o outline
	for _, m := range codeBlocks.FindAllStringSubmatch(string(raw), -1) {
		o.code = append(o.code, comments.ReplaceAllString(m[1], ""))
	}
	text := codeBlocks.ReplaceAllString(string(raw), "")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "#"):
			o.headings = append(o.headings, strings.Fields(line)[0])
		case strings.HasPrefix(line, "|"):
			cells := strings.Split(strings.Trim(line, "|"), "|")
			o.tables = append(o.tables, strings.Repeat("|", len(cells))+strings.Join(inCode.FindAllString(cells[0], -1), " "))
		}
	}
	o.names = inCode.FindAllString(text, -1)
	slices.Sort(o.names)
	o.names = slices.Compact(o.names)
	return o
}

// TestTheTranslationSaysTheSame holds docs/configuration.zh-CN.md against docs/configuration.md.
func TestTheTranslationSaysTheSame(t *testing.T) {
	en, zh := outlineOf(t, "../../docs/configuration.md"), outlineOf(t, "../../docs/configuration.zh-CN.md")
	for name, pair := range map[string][2][]string{
		"headings": {en.headings, zh.headings}, "code blocks": {en.code, zh.code}, "tables": {en.tables, zh.tables}, "names": {en.names, zh.names},
	} {
		for i := range max(len(pair[0]), len(pair[1])) {
			a, b := "(nothing)", "(nothing)"
			if i < len(pair[0]) {
				a = pair[0][i]
			}
			if i < len(pair[1]) {
				b = pair[1][i]
			}
			if a != b {
				t.Errorf("%s, number %d:\n%s\nand in Chinese\n%s", name, i+1, a, b)
				break
			}
		}
	}
	if len(en.headings) < 8 || len(en.code) != 2 || len(en.tables) < 20 {
		t.Errorf("only %d headings, %d code blocks and %d lines of tables were found", len(en.headings), len(en.code), len(en.tables))
	}
}

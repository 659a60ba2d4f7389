package docs

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

const chinese = ".zh-CN.md"

// inChinese says which pages have a translation. Pages of decisions and of lint rules are in English.
var inChinese = []string{"README.md", "CONTRIBUTING.md", "docs/*.md", "docs/runbooks/*.md", "app/relay/docs/*.md", "cmd/lookout/README.md", "modules/relay/README.md"}

// A page and its translation differ in nothing but the language: headings, code, tables, lists, links and what is named in code.
func TestTranslationsSayTheSame(t *testing.T) {
	files := markdownFiles(t)
	pairs := 0
	for _, name := range files {
		if strings.HasSuffix(name, chinese) {
			require.Contains(t, files, strings.TrimSuffix(name, chinese)+".md", "%s translates a page that does not exist", name)
			continue
		}
		if name == "docs/glossary.md" {
			continue // in both languages
		}
		translation := strings.TrimSuffix(name, ".md") + chinese
		if !slices.Contains(files, translation) {
			require.False(t, slices.ContainsFunc(inChinese, func(pattern string) bool {
				found, err := path.Match(pattern, name)
				return err == nil && found
			}), "%s has no translation: write %s", name, translation)
			continue
		}
		pairs++
		t.Run(name, func(t *testing.T) {
			for _, d := range differences(markdownPage(t, name), markdownPage(t, translation)) {
				t.Errorf("%s and %s: %s", name, translation, d)
			}
		})
	}
	require.GreaterOrEqual(t, pairs, 3, "translations were found in the wrong place")
}

// differences between a page and its translation that have nothing to do with the language.
func differences(en, zh page) []string {
	var all []string
	compare := func(what string, a, b []string) {
		for i := range max(len(a), len(b)) {
			x, y := "(nothing)", "(nothing)"
			if i < len(a) {
				x = a[i]
			}
			if i < len(b) {
				y = b[i]
			}
			if x != y {
				all = append(all, fmt.Sprintf("%s, number %d: %s", what, i+1, cmp.Diff(x, y)))
				return
			}
		}
	}
	compare("headings", levels(en), levels(zh))
	compare("code blocks", blocks(en), blocks(zh))
	compare("tables", shapes(en), shapes(zh))
	compare("list items", []string{fmt.Sprint(en.Items)}, []string{fmt.Sprint(zh.Items)})
	compare("links", targets(en), targets(zh))
	compare("names in code", names(en), names(zh))
	return all
}

func levels(p page) []string {
	var all []string
	for _, h := range p.Headings {
		all = append(all, strings.Repeat("#", h.Level))
	}
	return all
}

var (
	comment     = regexp.MustCompile(`(?m)(^|[ \t]+)#.*$`)
	placeholder = regexp.MustCompile(`<[^<>]+>`)
)

// blocks are the code blocks without their comments. Drawings (text) may be translated; they have as many lines.
func blocks(p page) []string {
	var all []string
	for _, c := range p.Code {
		if c.Language == "text" || c.Language == "" && !strings.Contains(c.Text, "#") && han.MatchString(c.Text) {
			all = append(all, fmt.Sprintf("%d lines", strings.Count(c.Text, "\n")+1))
			continue
		}
		all = append(all, c.Language+"\n"+comment.ReplaceAllString(c.Text, ""))
	}
	return all
}

// shapes are the rows of all tables: how many cells, and what the first one names.
func shapes(p page) []string {
	var all []string
	for n, table := range p.Tables {
		for _, row := range table {
			var first []string
			for _, span := range spans(row[0]) {
				first = append(first, plain(span))
			}
			all = append(all, fmt.Sprintf("table %d: %d cells %s", n+1, len(row), strings.Join(first, " ")))
		}
	}
	return all
}

func targets(p page) []string {
	var all []string
	for _, link := range p.Links {
		link, _, _ = strings.Cut(link, "#") // headings have names of their own
		all = append(all, strings.ReplaceAll(link, chinese, ".md"))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

var han = regexp.MustCompile(`\p{Han}`)

// names are what is written as code, but for what holds words of a language.
func names(p page) []string {
	var all []string
	for _, span := range p.Spans {
		if span = plain(span); !han.MatchString(span) {
			all = append(all, span)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// plain leaves out what stands between < and >, which is translated.
func plain(span string) string { return placeholder.ReplaceAllString(span, "<>") }

// The comparison itself: each change to a page is noticed.
func TestDifferencesAreFound(t *testing.T) {
	const before = "# T\n\nText with `name` and [a link](a.md).\n\n## H\n\n- one\n- two\n\n| a | b |\n|---|---|\n| `x` | y |\n\n```sh\nmake up # comment\n```\n"
	require.Empty(t, differences(parse([]byte(before)), parse([]byte(strings.ReplaceAll(before, "# comment", "# 注释")))))
	for what, edit := range map[string][2]string{
		"headings":      {"## H", "### H"},
		"code blocks":   {"make up", "make down"},
		"tables":        {"| `x` | y |", "| `x` | y |\n| `z` | y |"},
		"list items":    {"- two\n", ""},
		"links":         {"a.md", "b.md"},
		"names in code": {"`name`", "`nam`"},
	} {
		t.Run(what, func(t *testing.T) {
			after := strings.Replace(before, edit[0], edit[1], 1)
			require.NotEqual(t, before, after)
			require.Contains(t, strings.Join(differences(parse([]byte(before)), parse([]byte(after))), "\n"), what)
		})
	}
}

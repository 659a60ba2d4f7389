package console

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every text of a page has a Chinese one with the same places for values.
func TestEveryTextIsTranslated(t *testing.T) {
	used := map[string]bool{}
	collect := func(text string, patterns ...*regexp.Regexp) {
		for _, p := range patterns {
			for _, m := range p.FindAllStringSubmatch(text, -1) {
				used[m[1]] = true
			}
		}
	}
	templates, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range templates {
		data, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		collect(string(data), regexp.MustCompile(`[{(|\s]t "([^"]*)"`))
	}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "_test.go") && name != "language.go" {
			collect(string(data), regexp.MustCompile(`\br\.t\("([^"]*)"`), regexp.MustCompile(`R\.t\("([^"]*)"`), regexp.MustCompile(`\{"now-\w+", "([^"]*)"\}`), regexp.MustCompile(`part\([^"\n]*"(\w+)"\)`))
		}
	}
	if len(used) < 150 {
		t.Fatalf("only %d texts found: the patterns miss some", len(used))
	}
	verbs := regexp.MustCompile(`%[sdv]`)
	for text := range used {
		zh, ok := chinese[text]
		if !ok && text != "%v" {
			t.Errorf("%q has no translation", text)
			continue
		}
		if a, b := verbs.FindAllString(text, -1), verbs.FindAllString(zh, -1); strings.Join(a, "") != strings.Join(b, "") && text != "%v" {
			t.Errorf("%q has %v, its translation %v", text, a, b)
		}
	}
	for text := range chinese {
		// States, and columns of a legend.
		if !used[text] && !slices.Contains([]string{"inactive", "unknown", "Last", "Last *", "Max", "Min", "Mean", "Total", "First", "First *", "Count", "Percent"}, text) {
			t.Errorf("%q is translated and not used", text)
		}
	}
}

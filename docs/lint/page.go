// Package lintdocs holds the pages of the rules, for lookout lint --explain.
package lintdocs

import (
	"embed"
	"fmt"
)

//go:embed *.md
var pages embed.FS

// Page is the page of a rule, as Markdown.
func Page(rule string) (string, error) {
	data, err := pages.ReadFile(rule + ".md")
	if err != nil {
		return "", fmt.Errorf("there is no rule %q; lookout lint --rules lists them", rule)
	}
	return string(data), nil
}

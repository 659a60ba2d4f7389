package docs

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Links within the repository lead to a file or folder, and to a heading where they name one.
func TestLinksLeadSomewhere(t *testing.T) {
	files := markdownFiles(t)
	links := 0
	for _, name := range files {
		for _, link := range markdownPage(t, name).Links {
			if strings.Contains(link, ":") || strings.HasPrefix(link, "/") {
				continue // elsewhere
			}
			links++
			target, anchor, _ := strings.Cut(link, "#")
			file := name
			if target != "" {
				file = path.Join(path.Dir(name), target)
			}
			if _, err := os.Stat(filepath.Join(root, file)); err != nil {
				t.Errorf("%s links to %s, which does not exist", name, link)
				continue
			}
			if anchor != "" && path.Ext(file) == ".md" && !slices.Contains(anchors(markdownPage(t, file)), anchor) {
				t.Errorf("%s links to %s, but %s has no such heading", name, link, file)
			}
		}
	}
	require.Greater(t, links, 100, "links were looked for in the wrong place")
}

var notInAnchors = regexp.MustCompile(`[^\p{L}\p{N}\s_-]`)

// anchors are the names that forges give to headings.
func anchors(p page) []string {
	var all []string
	for _, h := range p.Headings {
		all = append(all, strings.ReplaceAll(notInAnchors.ReplaceAllString(strings.ToLower(h.Text), ""), " ", "-"))
	}
	return all
}

// Package docs holds the pages against each other and against the code: a page and its translation say the same, the map of the
// packages is the one that the imports draw, links lead somewhere.
package docs

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

const root = ".."

// page is what the tests look at in a Markdown file.
type page struct {
	Headings []heading
	Code     []code
	Tables   [][][]string // rows of cells as they are written, the head first
	Items    int          // list items
	Spans    []string     // inline code, in the order of the page
	Links    []string     // targets of links and images
}

type heading struct {
	Level int
	Text  string
}

type code struct{ Language, Text string }

// markdownPage reads a page; name is its path below the repository's root.
func markdownPage(t *testing.T, name string) page {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	return parse(data)
}

func parse(data []byte) page {
	var p page
	doc := goldmark.New(goldmark.WithExtensions(extension.Table)).Parser().Parse(text.NewReader(data))
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			p.Headings = append(p.Headings, heading{n.Level, source(n, data)})
		case *ast.FencedCodeBlock:
			p.Code = append(p.Code, code{string(n.Language(data)), source(n, data)})
		case *ast.CodeBlock:
			p.Code = append(p.Code, code{"", source(n, data)})
		case *extast.Table:
			p.Tables = append(p.Tables, nil)
		case *extast.TableHeader, *extast.TableRow:
			last := len(p.Tables) - 1
			p.Tables[last] = append(p.Tables[last], nil)
		case *extast.TableCell:
			rows := p.Tables[len(p.Tables)-1]
			rows[len(rows)-1] = append(rows[len(rows)-1], source(n, data))
		case *ast.ListItem:
			p.Items++
		case *ast.CodeSpan:
			p.Spans = append(p.Spans, inner(n, data))
		case *ast.Link:
			p.Links = append(p.Links, string(n.Destination))
		case *ast.Image:
			p.Links = append(p.Links, string(n.Destination))
		}
		return ast.WalkContinue, nil
	})
	return p
}

// source is the text of a block as it is written.
func source(n ast.Node, data []byte) string {
	var b strings.Builder
	for i := range n.Lines().Len() {
		line := n.Lines().At(i)
		b.Write(line.Value(data))
	}
	return strings.TrimRight(b.String(), "\n")
}

// inner is the text within inline code.
func inner(n ast.Node, data []byte) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			b.Write(t.Segment.Value(data))
		}
	}
	return strings.ReplaceAll(b.String(), "\n", " ")
}

// spans are the texts in backquotes of a table's cell.
func spans(cell string) []string {
	var all []string
	for _, found := range backquoted.FindAllStringSubmatch(cell, -1) {
		all = append(all, found[1])
	}
	return all
}

var backquoted = regexp.MustCompile("`([^`]+)`")

// markdownFiles are the Markdown files of the repository, below its root.
func markdownFiles(t *testing.T) []string {
	t.Helper()
	var all []string
	require.NoError(t, filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if e.IsDir() {
			if name == ".cache" || name == ".git" || e.Name() == "testdata" || e.Name() == "node_modules" || e.Name() == ".terraform" {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) == ".md" {
			all = append(all, name)
		}
		return nil
	}))
	slices.Sort(all)
	return all
}

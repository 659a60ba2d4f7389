package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
	"mvdan.cc/sh/v3/syntax"
)

// shell checks scripts and the `run` blocks of workflows (files that end with .yml), writes findings to w and returns their number.
func shell(files []string, w io.Writer) (int, error) {
	var found []finding
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			return 0, err
		}
		if filepath.Ext(name) == ".yml" {
			one, err := workflow(name, data)
			if err != nil {
				return 0, err
			}
			found = append(found, one...)
			continue
		}
		found = append(found, script(name, 0, string(data), true)...)
	}
	if len(files) == 0 {
		return 0, fmt.Errorf("no script was named")
	}
	return report(w, found), nil
}

// printed is the form that scripts have.
var printed = syntax.NewPrinter(syntax.Indent(2))

// script checks one script, whose first line is line first+1 of the file. Those of whole files have a first line that names the shell
// and the form of shfmt -i 2, and stop at errors.
func script(name string, first int, text string, whole bool) (found []finding) {
	add := func(pos syntax.Pos, check, format string, args ...any) {
		lines := strings.Split(text, "\n")
		for _, n := range []uint{pos.Line(), pos.Line() - 1} {
			if n >= 1 && int(n) <= len(lines) {
				if m := tfExcuse.FindStringSubmatch(lines[n-1]); m != nil && m[1] == check {
					return
				}
			}
		}
		found = append(found, finding{fmt.Sprintf("%s:%d:%d", name, first+int(pos.Line()), pos.Col()), check, fmt.Sprintf(format, args...)})
	}
	variant := syntax.LangBash
	if strings.HasPrefix(text, "#!/bin/sh") {
		variant = syntax.LangPOSIX
	}
	file, err := syntax.NewParser(syntax.KeepComments(true), syntax.Variant(variant)).Parse(strings.NewReader(text), name)
	if err != nil {
		return []finding{{fmt.Sprintf("%s:%d", name, first+1), "syntax", err.Error()}}
	}
	if whole {
		if !strings.HasPrefix(text, "#!") {
			add(syntax.NewPos(0, 1, 1), "shebang", "the first line does not name the shell")
		}
		var b bytes.Buffer
		if err := printed.Print(&b, file); err == nil && b.String() != text {
			add(syntax.NewPos(0, 1, 1), "format", "not in the form of shfmt -i 2, first in line %d", firstDifference(text, b.String()))
		}
		if !stops.MatchString(text) {
			add(syntax.NewPos(0, 1, 1), "set-e", "the script goes on after an error: set -eu")
		}
	}
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CallExpr:
			for i, word := range n.Args {
				if i == 0 && len(n.Args) == 1 {
					continue // a command alone: its words may be meant
				}
				unquoted(word, func(pos syntax.Pos, what string) {
					add(pos, "quote", "%s without quotes is split into words and expanded as a pattern", what)
				})
			}
			if len(n.Args) > 0 {
				switch n.Args[0].Lit() {
				case "cd":
					// Without set -e a failed cd lets everything after it happen elsewhere.
					if !whole || !stops.MatchString(text) {
						add(n.Pos(), "cd", "what follows happens elsewhere if this cd fails: cd … || exit")
					}
				case "egrep", "fgrep", "which":
					add(n.Pos(), "obsolete", "%s is obsolete: grep -E, grep -F, command -v", n.Args[0].Lit())
				}
			}
		case *syntax.CmdSubst:
			if n.Backquotes {
				add(n.Pos(), "backquotes", "write $(…)")
			}
		}
		return true
	})
	return found
}

var stops = regexp.MustCompile(`(?m)^set -[a-z]*e`)

// unquoted calls f for each expansion in a word that no quotes keep together. Numbers ($?, $#, $$, lengths) need none.
func unquoted(word *syntax.Word, f func(syntax.Pos, string)) {
	for _, part := range word.Parts {
		switch p := part.(type) {
		case *syntax.ParamExp:
			if p.Length || p.Param != nil && strings.Contains("?#$!", p.Param.Value) {
				continue
			}
			f(p.Pos(), "$"+p.Param.Value)
		case *syntax.CmdSubst:
			f(p.Pos(), "$(…)")
		}
	}
}

func firstDifference(a, b string) int {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return i + 1
		}
	}
	return min(len(x), len(y))
}

var (
	template = regexp.MustCompile(`\$\{\{[^}]*\}\}`)
	// A commit's hash, behind which an action can't change.
	pinned = regexp.MustCompile(`@[0-9a-f]{40}$`)
)

// workflow checks the scripts of a workflow, and that it is written so that a pull request can't make it run something else:
// what it inserts into scripts comes by the environment, actions are named by commit, and permissions are stated.
func workflow(name string, data []byte) (found []finding, err error) {
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(root.Content) == 0 || root.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s: not a workflow", name)
	}
	// Examples are for other forges, which know neither.
	github := strings.Contains(filepath.ToSlash(name), ".github/workflows/")
	if github && value(root.Content[0], "permissions") == nil {
		found = append(found, finding{name + ":1:1", "permissions", "the workflow states no permissions, so it has all that the repository gives"})
	}
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Kind == yaml.MappingNode {
			if uses := value(n, "uses"); github && uses != nil && !strings.HasPrefix(uses.Value, "./") && !pinned.MatchString(uses.Value) {
				found = append(found, finding{fmt.Sprintf("%s:%d:%d", name, uses.Line, uses.Column), "pin", uses.Value + ": name the action by its commit"})
			}
			if run := value(n, "run"); run != nil && run.Kind == yaml.ScalarNode {
				first := run.Line - 1
				if run.Style == yaml.LiteralStyle || run.Style == yaml.FoldedStyle {
					first = run.Line
				}
				if template.MatchString(run.Value) {
					found = append(found, finding{fmt.Sprintf("%s:%d", name, run.Line), "template-injection",
						"${{ … }} in a script is text that becomes code: hand it over by env"})
				}
				found = append(found, script(name, first, template.ReplaceAllString(run.Value, "x"), false)...)
			}
		}
		for _, child := range n.Content {
			walk(child)
		}
	}
	walk(&root)
	return found, nil
}

// value is a mapping's value for a key, nil if it has none.
func value(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

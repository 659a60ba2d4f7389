package mutate

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"lookout/internal/rules"
)

// Set is a rule file and the unit tests next to it.
type Set struct {
	File  *rules.File
	Tests []*rules.UnitTests
}

// Load finds the unit tests of rule files: files with tests in the same directory that name them, or their export, in rule_files.
func Load(files []*rules.File) ([]Set, error) {
	dirs := map[string][]*rules.UnitTests{}
	var out []Set
	for _, f := range files {
		dir := filepath.Dir(f.Path)
		if _, ok := dirs[dir]; !ok {
			tests, err := rules.ReadTestsDir(os.DirFS(dir), ".")
			if err != nil {
				return nil, err
			}
			for _, t := range tests {
				t.Path = filepath.ToSlash(filepath.Join(dir, t.Path))
			}
			dirs[dir] = tests
		}
		set := Set{File: f}
		for _, t := range dirs[dir] {
			if t.Of(f.Path) {
				set.Tests = append(set.Tests, t)
			}
		}
		out = append(out, set)
	}
	return out, nil
}

// ruleFile is a rule file as promtool takes it.
func ruleFile(f *rules.File) (*yaml.Node, error) {
	var data []byte
	var err error
	switch f.Form {
	case rules.Own:
		data, err = rules.Export([]*rules.File{f}, rules.Target{})
	case rules.Prometheus:
		data, err = os.ReadFile(f.Path)
	default:
		return nil, fmt.Errorf("%s is %s; unit tests run on rule files of Lookout or Prometheus", f.Path, f.Form)
	}
	if err != nil {
		return nil, err
	}
	return document(f.Path, data)
}

// document reads YAML, with each alias written out.
func document(name string, data []byte) (*yaml.Node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(doc.Content) != 1 {
		return nil, fmt.Errorf("%s is empty", name)
	}
	return clone(doc.Content[0]), nil
}

func clone(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return clone(n.Alias)
	}
	out := *n
	out.Anchor, out.Content = "", nil
	out.HeadComment, out.LineComment, out.FootComment = "", "", ""
	for _, c := range n.Content {
		out.Content = append(out.Content, clone(c))
	}
	return &out
}

// get is the value of a key, nil if it is not there.
func get(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func set(n *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			n.Content[i+1] = value
			return
		}
	}
	n.Content = append(n.Content, text(key), value)
}

func text(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
}

func items(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

func write(name string, n *yaml.Node) error {
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(n); err != nil {
		return err
	}
	return os.WriteFile(name, b.Bytes(), 0o600)
}

// mutated is the rule file with one rule changed. Other alerts are left out if nothing asks for them, since they take as long to evaluate.
func mutated(doc *yaml.Node, group, rule int, m Mutation, alone bool) *yaml.Node {
	doc = clone(doc)
	groups := items(get(doc, "groups"))
	one := items(get(groups[group], "rules"))[rule]
	for key, value := range map[string]*string{"expr": m.expr, "for": m.pending, "keep_firing_for": m.keep} {
		if value != nil {
			set(one, key, text(*value))
		}
	}
	if !alone {
		return doc
	}
	var kept []*yaml.Node
	for _, g := range groups {
		list := get(g, "rules")
		list.Content = slices.DeleteFunc(list.Content, func(r *yaml.Node) bool { return r != one && get(r, "alert") != nil })
		if len(list.Content) > 0 {
			kept = append(kept, g)
		}
	}
	get(doc, "groups").Content = kept
	return doc
}

// testFile is a file of unit tests with other rule files, and with the tests about one alert only; "" stands for all.
func testFile(u *rules.UnitTests, files []string, alert string) (*yaml.Node, error) {
	doc, err := document(u.Path, u.Data)
	if err != nil {
		return nil, err
	}
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for _, f := range files {
		list.Content = append(list.Content, text(f))
	}
	set(doc, "rule_files", list)
	if alert == "" {
		return doc, nil
	}
	tests := get(doc, "tests")
	tests.Content = slices.DeleteFunc(items(tests), func(group *yaml.Node) bool {
		cases := get(group, "alert_rule_test")
		if len(items(cases)) == 0 {
			return true
		}
		cases.Content = slices.DeleteFunc(cases.Content, func(c *yaml.Node) bool {
			name := get(c, "alertname")
			return name == nil || name.Value != alert
		})
		return len(cases.Content) == 0
	})
	if len(tests.Content) == 0 {
		return nil, nil
	}
	return doc, nil
}

// others are the rule files that a file of unit tests needs besides the one that is tested. Those of Lookout's own form are exported to dir.
func others(u *rules.UnitTests, tested, dir string) ([]string, error) {
	var out []string
	for _, entry := range u.RuleFiles {
		if rules.Names(entry, tested) {
			continue
		}
		pattern := entry
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(filepath.Dir(u.Path), pattern)
		}
		found, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("%s: rule_files: %q: %w", u.Path, entry, err)
		}
		if own := strings.TrimSuffix(pattern, ".rules.yaml") + ".yaml"; len(found) == 0 && own != pattern+".yaml" {
			data, err := os.ReadFile(own)
			if err != nil {
				return nil, fmt.Errorf("%s: rule_files: %q: %w", u.Path, entry, err)
			}
			doc, err := ruleFile(rules.Read(filepath.ToSlash(own), data))
			if err != nil {
				return nil, err
			}
			name := filepath.Join(dir, filepath.Base(pattern))
			if err := write(name, doc); err != nil {
				return nil, err
			}
			found = []string{name}
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s: rule_files names %q, and there is no such file", u.Path, entry)
		}
		for _, name := range found {
			absolute, err := filepath.Abs(name)
			if err != nil {
				return nil, err
			}
			out = append(out, absolute)
		}
	}
	return out, nil
}

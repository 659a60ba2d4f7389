package queries

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"lookout/internal/dashboard"
)

// Rule is an alerting or recording rule with the place of its expression.
type Rule struct {
	Alert, Record string
	Expr          string
	Labels        map[string]string
	// Line is where the rule begins.
	Line int

	file string
	expr *yaml.Node
}

// Name is the alert's or the recorded series' name.
func (r *Rule) Name() string {
	if r.Alert != "" {
		return r.Alert
	}
	return r.Record
}

// Position is where a byte of Expr stands. In folded and quoted texts of several lines it is the expression's first line.
func (r *Rule) Position(offset int) dashboard.Position {
	pos := dashboard.Position{File: r.file, Line: r.expr.Line, Column: r.expr.Column}
	offset = min(offset, len(r.Expr))
	switch before := r.Expr[:offset]; r.expr.Style {
	case yaml.LiteralStyle:
		pos.Line += 1 + strings.Count(before, "\n")
		pos.Column = 1
	case yaml.DoubleQuotedStyle, yaml.SingleQuotedStyle:
		pos.Column += 1 + len([]rune(before))
	case yaml.FoldedStyle:
		pos.Line, pos.Column = pos.Line+1, 1
	default:
		if !strings.Contains(r.Expr, "\n") {
			pos.Column += len([]rune(before))
		}
	}
	return pos
}

// ReadRules reads the rules of a file in Prometheus' format, Lookout's (the same with the threshold apart) or Kubernetes' PrometheusRule. ok is false if the YAML is
// something else. It takes what it understands: judging the rest is the business of internal/alerts.
func ReadRules(file string, data []byte) (rules []*Rule, ok bool, err error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, false, fmt.Errorf("%s: %w", file, err)
	}
	if len(doc.Content) == 0 {
		return nil, false, nil
	}
	root := doc.Content[0]
	groups := member(root, "groups")
	if groups == nil {
		groups = member(member(root, "spec"), "groups")
	}
	if groups == nil || groups.Kind != yaml.SequenceNode {
		return nil, false, nil
	}
	for _, g := range groups.Content {
		list := member(g, "rules")
		if list == nil || list.Kind != yaml.SequenceNode {
			continue
		}
		ok = true
		// VictoriaMetrics' vmalert evaluates groups in other languages, too: https://docs.victoriametrics.com/vmalert/#groups
		if t := text(g, "type"); t != "" && t != "prometheus" {
			continue
		}
		for _, n := range list.Content {
			r := &Rule{Alert: text(n, "alert"), Record: text(n, "record"), Line: n.Line, file: file, expr: member(n, "expr"), Labels: map[string]string{}}
			if r.expr == nil || r.expr.Kind != yaml.ScalarNode || r.Name() == "" {
				continue
			}
			r.Expr = r.expr.Value
			if l := member(n, "labels"); l != nil && l.Kind == yaml.MappingNode {
				for i := 0; i+1 < len(l.Content); i += 2 {
					r.Labels[l.Content[i].Value] = l.Content[i+1].Value
				}
			}
			rules = append(rules, r)
		}
	}
	return rules, ok, nil
}

func member(n *yaml.Node, key string) *yaml.Node {
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

func text(n *yaml.Node, key string) string {
	if v := member(n, key); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}

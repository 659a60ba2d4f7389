package program

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// DescribeFlags is the only argument that has a program print the tables of its flags, for its documentation.
const DescribeFlags = "--describe-flags"

// FlagTables are the flags of a program in Markdown: one table of those that all commands take, and one for each command that has flags or
// arguments of its own.
func FlagTables(parser *kong.Kong) string {
	var b strings.Builder
	table(&b, "", parser.Model.Node)
	return strings.TrimSpace(b.String())
}

func table(b *strings.Builder, name string, n *kong.Node) {
	var rows [][]string
	for _, p := range n.Positional {
		rows = append(rows, []string{"`" + p.Summary() + "`", "", p.Help})
	}
	for _, f := range n.Flags {
		if f.Hidden || f.Name == "help" || f.Name == "version" {
			continue
		}
		flag := "--" + f.Name
		if f.Short != 0 {
			flag = fmt.Sprintf("-%c, %s", f.Short, flag)
		}
		if len(f.Envs) > 0 {
			flag += "`, `$" + strings.Join(f.Envs, "`, `$")
		}
		value := ""
		if !f.IsBool() && f.HasDefault && f.Default != "" {
			value = "`" + f.Default + "`"
		}
		rows = append(rows, []string{"`" + flag + "`", cmp.Or(value, map[bool]string{true: "required"}[f.Required]), f.Help})
	}
	if len(rows) > 0 {
		if name != "" {
			fmt.Fprintf(b, "`%s`: %s\n\n", name, n.Help)
		}
		b.WriteString("| flag | default | meaning |\n|---|---|---|\n")
		for _, r := range rows {
			for i, cell := range r {
				r[i] = strings.ReplaceAll(strings.Join(strings.Fields(cell), " "), "|", "\\|")
			}
			fmt.Fprintf(b, "| %s |\n", strings.Join(r, " | "))
		}
		b.WriteString("\n")
	}
	for _, c := range n.Children {
		if !c.Hidden {
			table(b, strings.TrimSpace(name+" "+c.Name), c)
		}
	}
}

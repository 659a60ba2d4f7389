package lint

import "lookout/internal/finding"

var duplicateVariable = &Rule{
	ID: "duplicate-variable", Severity: finding.Error,
	Summary: "Two variables have the same name, or one has none.",
	Dashboard: func(p *Pass) {
		seen := map[string]int{}
		for _, v := range p.Dashboard.Variables {
			switch line, dup := seen[v.Name]; {
			case v.Name == "":
				p.Node(v.Node, "a variable without a name")
			case dup:
				p.Node(v.Node, "there is a variable %q on line %d already", v.Name, line)
			default:
				seen[v.Name] = v.Node.Pos().Line
			}
		}
	},
}

package lint

import (
	"regexp"
	"strings"

	"lookout/internal/finding"
)

var variableRegexp = &Rule{
	ID: "variable-regexp", Severity: finding.Error,
	Summary: "The regular expression that filters a variable's values is wrong.",
	Dashboard: func(p *Pass) {
		for _, v := range p.Dashboard.Variables {
			expr := v.Regex
			if v.Type != "query" && v.Type != "datasource" || expr == "" || strings.Contains(expr, "$") && strings.ContainsAny(expr, "{[") {
				continue
			}
			if strings.HasPrefix(expr, "/") {
				if end := strings.LastIndexByte(expr, '/'); end > 0 {
					expr = expr[1:end]
				}
			}
			// JavaScript's expressions have more than Go's; what only Go lacks is not wrong.
			for _, js := range []string{"(?=", "(?!", "(?<=", "(?<!", `\1`, `\2`, `\k<`, `\/`, `\-`, `\u`, `\c`, `[^]`, "[]"} {
				if strings.Contains(expr, js) {
					expr = ""
				}
			}
			if _, err := regexp.Compile(expr); err != nil {
				p.Node(v.Node.Get("regex"), "variable %q: %v", v.Name, err)
			}
		}
	},
}

package lint

import "lookout/internal/finding"

// The rules that are reported by [Linter.Unreadable]: there is no dashboard to pass to a function.
var (
	jsonSyntax = &Rule{ID: JSONSyntaxID, Severity: finding.Error, Summary: "The file is not JSON."}
	yamlSyntax = &Rule{ID: YAMLSyntaxID, Severity: finding.Error, Summary: "The file is not YAML."}
	unreadable = &Rule{ID: UnreadableID, Severity: finding.Error, Summary: "The file has to be a dashboard, because it was named or stands where they are kept, and is not."}
)

// The names of rules about files that could not be read.
const (
	JSONSyntaxID = "json-syntax"
	YAMLSyntaxID = "yaml-syntax"
	UnreadableID = "unreadable"
)

// Unread is how many files had to be read and could not be, by the findings that say so: they were not looked at.
func Unread(findings []finding.Finding) int {
	files := map[string]bool{}
	for _, f := range findings {
		switch f.Rule {
		case UnreadableID, JSONSyntaxID, YAMLSyntaxID:
			files[f.File] = true
		}
	}
	return len(files)
}

package lint

// jsonSyntax is reported by [Linter.Broken]: there is no dashboard to pass to a function.
var jsonSyntax = &Rule{ID: "json-syntax", Severity: Error, Summary: "The file is not JSON."}

package lint

import (
	"fmt"
	"regexp"

	"lookout/internal/finding"
	"lookout/internal/queries"
)

var promqlSyntax = &Rule{
	ID: "promql-syntax", Severity: finding.Error,
	Summary: "Prometheus refuses the query.",
	Query: func(p *Pass, q *queries.Query) {
		if q.Err == nil {
			return
		}
		if _, ok := relaxed(p, q); ok {
			return // query-language names it
		}
		p.Query(q, q.Err.Offset, "%s%s", q.Err.Msg, utf8Hint(q))
	},
}

// dotted is a metric name with dots or dashes that stands unquoted, as OpenTelemetry's do.
var dotted = regexp.MustCompile(`(?:^|[\s(,])([a-zA-Z_][a-zA-Z0-9_]*(?:[.-][a-zA-Z0-9_]+)*\.[a-zA-Z_][a-zA-Z0-9_.-]*)\s*(?:[{\[)]|$)`)

// utf8Hint explains how a name with other characters than letters, digits, _ and : is written.
// Source: https://prometheus.io/docs/guides/utf8/
func utf8Hint(q *queries.Query) string {
	if m := dotted.FindStringSubmatch(q.Text); m != nil {
		return fmt.Sprintf("; a name with dots is written in quotes inside the braces: {%q}", m[1])
	}
	return ""
}

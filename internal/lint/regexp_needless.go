package lint

import (
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"lookout/internal/finding"
	"lookout/internal/promql"
	"lookout/internal/queries"
)

var regexpNeedless = &Rule{
	ID: "regexp-needless", Severity: finding.Info,
	Summary: "A regular expression that does nothing a plain comparison would not do.",
	Query: func(p *Pass, q *queries.Query) {
		for _, s := range q.Selectors() {
			for _, m := range s.LabelMatchers {
				if m.Type != labels.MatchRegexp && m.Type != labels.MatchNotRegexp || promql.HasVariable(m.Value) || promql.HasVariable(m.Name) {
					continue
				}
				at := q.Offset(s.PosRange.Start)
				plain := "="
				if m.Type == labels.MatchNotRegexp {
					plain = "!="
				}
				switch {
				case m.Value == ".*" && m.Type == labels.MatchRegexp:
					if m.Name != model.MetricNameLabel { // there it may be the only matcher
						p.Query(q, at, "%s=~\".*\" matches everything, even a series without the label; leave it out", m.Name)
					}
				case m.Value == "":
					p.Query(q, at, "%s%s\"\" is a regular expression for nothing; write %s%s\"\"", m.Name, m.Type, m.Name, plain)
				case strings.HasPrefix(m.Value, "^") || strings.HasSuffix(m.Value, "$") && !strings.HasSuffix(m.Value, `\$`):
					p.Query(q, at, "%s%s%q: Prometheus anchors regular expressions on both sides itself; leave ^ and $ out", m.Name, m.Type, m.Value)
				case isLiteral(m.Value):
					written := q.Text[at:q.Offset(s.PosRange.End)]
					if loc := regexp.MustCompile(regexp.QuoteMeta(m.Name) + `\s*(` + regexp.QuoteMeta(m.Type.String()) + `)\s*["'` + "`]" + regexp.QuoteMeta(m.Value) + `["'` + "`]").FindStringSubmatchIndex(written); loc != nil {
						p.rewrites(q, at+loc[2], at+loc[3], plain)
					}
					p.Query(q, at, "%s%s%q is no pattern; write %s%s%q", m.Name, m.Type, m.Value, m.Name, plain, m.Value)
				}
			}
		}
	},
}

// isLiteral tells whether a regular expression matches exactly its own text. A lone dot counts as meant literally only if it is escaped.
func isLiteral(expr string) bool {
	if !strings.ContainsAny(expr, `.*+?()[]{}|^$\`) {
		return true
	}
	re, err := syntax.Parse(expr, syntax.Perl)
	return err == nil && re.Op == syntax.OpLiteral && re.Flags&syntax.FoldCase == 0 && string(re.Rune) == expr
}

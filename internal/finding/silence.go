package finding

import (
	"fmt"
	"regexp"
	"strings"

	"lookout/internal/dashboard"
	"lookout/internal/promql"
)

// SilenceKey is the member that silences rules for the object it stands in and all below: a dashboard, a panel, a target, a variable. It holds an object from
// rule to reason:
//
//	"x-lookout-ignore": {"panel-unit": "a count of things that has no unit"}
//
// Grafana keeps members it does not know.
const SilenceKey = "x-lookout-ignore"

// QueryComment matches the comment that silences a rule for one query, from inside it:
//
//	# lookout:ignore counter-without-rate: the total since the start is what we want
var QueryComment = regexp.MustCompile(`#\s*lookout:ignore\s+([a-z0-9-]+)\s*(?::\s*(\S.*))?`)

// SilenceReasonID is the rule that finds silences without a reason: silencing itself must not be silenced.
const SilenceReasonID = "silence-reason"

func silencedInFile(rule, query string, at *dashboard.Node) bool {
	if rule == SilenceReasonID {
		return false
	}
	if strings.Contains(query, "lookout:ignore") {
		for _, m := range QueryComment.FindAllStringSubmatch(promql.Comments(query), -1) {
			if m[1] == rule && m[2] != "" {
				return true
			}
		}
	}
	for n := at; n != nil; n = n.Parent() {
		if s := n.Get(SilenceKey); s != nil && strings.TrimSpace(s.Get(rule).Text()) != "" {
			return true
		}
	}
	return false
}

// Silences are those of a configuration file.
type Silences []*Silence

// Cover reports whether someone gave a reason to overlook a finding: in the configuration, in a comment of the query, or in the file at or above the node.
// uid is the dashboard's; query and at may be empty.
func (s Silences) Cover(f Finding, uid, query string, at *dashboard.Node) bool {
	for _, one := range s {
		if one != nil && one.matches(&f, uid) {
			return true
		}
	}
	return silencedInFile(f.Rule, query, at)
}

// Silence is an entry of the configuration file: it overlooks the findings that match all members given.
type Silence struct {
	Rule string `yaml:"rule"`
	// File is a pattern as of path.Match, where ** stands for any number of directories.
	File string `yaml:"file"`
	// Dashboard is a uid or title, Panel a title.
	Dashboard string `yaml:"dashboard"`
	Panel     string `yaml:"panel"`
	// Reason is what someone reading this in a year needs to know.
	Reason string `yaml:"reason"`

	file *regexp.Regexp
}

// Validate reports what keeps a silence from working: known tells the rules that exist, besides those of check. It has to be called before Cover.
func (s *Silence) Validate(known func(rule string) bool) error {
	switch {
	case s.Rule == "":
		return fmt.Errorf("a silence without a rule; name one of docs/lint")
	case !known(s.Rule) && !strings.HasPrefix(s.Rule, "check-"):
		return fmt.Errorf("a silence for the rule %q, which does not exist; see lookout lint --rules", s.Rule)
	case strings.TrimSpace(s.Reason) == "":
		return fmt.Errorf("the silence for %s has no reason; say why the finding can be overlooked", s.Rule)
	}
	if s.File != "" {
		s.file = glob(s.File)
	}
	return nil
}

// glob translates a pattern with * (within a directory), ** (across) and ? into a regular expression.
func glob(pattern string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?:^|/)`)
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case strings.HasPrefix(pattern[i:], "**/"):
			b.WriteString(`(?:.*/)?`)
			i += 2
		case strings.HasPrefix(pattern[i:], "**"):
			b.WriteString(`.*`)
			i++
		case c == '*':
			b.WriteString(`[^/]*`)
		case c == '?':
			b.WriteString(`[^/]`)
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	b.WriteString(`$`)
	return regexp.MustCompile(b.String())
}

func (s *Silence) matches(f *Finding, uid string) bool {
	return s.Rule == f.Rule &&
		(s.file == nil || s.file.MatchString(f.File)) &&
		(s.Dashboard == "" || s.Dashboard == f.Dashboard || s.Dashboard == uid) &&
		(s.Panel == "" || s.Panel == f.Panel)
}

package render

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/dashboard"
)

// Filter is one condition of an ad hoc variable: it is added to every selector of every query.
type Filter struct{ Label, Op, Value string }

// String writes the filter as it stands in Grafana's addresses and values: label|operator|value.
func (f Filter) String() string {
	bar := strings.NewReplacer("|", "__gfp__", ",", "__gfc__")
	return bar.Replace(f.Label) + "|" + bar.Replace(f.Op) + "|" + bar.Replace(f.Value)
}

var typedFilter = regexp.MustCompile(`^\s*([^\s=!~"|]+)\s*(=~|!~|!=|=)\s*(.*?)\s*$`)

// ParseFilter reads a filter as Grafana's addresses have it (job|=|go, job|=__gfp__|go|worker for one of several), or as a person types it (job=go, job=~"go.*").
func ParseFilter(s string) (Filter, error) {
	plain := func(s string) string {
		s, _, _ = strings.Cut(s, ",") // what follows is a text for people
		return strings.NewReplacer("__gfp__", "|", "__gfc__", ",").Replace(s)
	}
	var f Filter
	if m := typedFilter.FindStringSubmatch(s); m != nil {
		f = Filter{m[1], m[2], m[3]}
		if len(f.Value) > 1 && strings.HasPrefix(f.Value, `"`) && strings.HasSuffix(f.Value, `"`) {
			f.Value = f.Value[1 : len(f.Value)-1]
		}
	} else if label, rest, ok := strings.Cut(s, "|"); ok {
		op, value, _ := strings.Cut(rest, "|")
		if f = (Filter{plain(label), plain(op), plain(value)}); f.Op == "=|" || f.Op == "!=|" {
			var quoted []string
			for _, v := range strings.Split(value, "|") {
				quoted = append(quoted, regexp.QuoteMeta(plain(v)))
			}
			f.Op, f.Value = map[string]string{"=|": "=~", "!=|": "!~"}[f.Op], strings.Join(quoted, "|")
		}
	} else {
		return f, fmt.Errorf("%q is not a valid filter; write label=value, label!=value, label=~pattern or label!~pattern", s)
	}
	_, err := f.matcher()
	return f, err
}

func (f Filter) matcher() (*labels.Matcher, error) {
	if !model.UTF8Validation.IsValidLabelName(f.Label) {
		return nil, fmt.Errorf("%q is not a valid label name", f.Label)
	}
	kind, ok := map[string]labels.MatchType{"=": labels.MatchEqual, "!=": labels.MatchNotEqual, "=~": labels.MatchRegexp, "!~": labels.MatchNotRegexp}[f.Op]
	if !ok {
		return nil, fmt.Errorf("%q is not a valid operator of a filter; use =, !=, =~ or !~", f.Op)
	}
	m, err := labels.NewMatcher(kind, f.Label, f.Value)
	if err != nil {
		return nil, fmt.Errorf("%q is not a valid regular expression: %w", f.Value, err)
	}
	return m, nil
}

// adHoc reads the filters of an ad hoc variable: what the options say, else those that the dashboard was saved with. Saved base filters always count.
func (r *renderer) adHoc(v *dashboard.Variable) (value, error) {
	saved := func(key string) (out []string) {
		for _, n := range v.Node.Get(key).Items() {
			f := Filter{n.Get("key").Text(), n.Get("operator").Text(), n.Get("value").Text()}
			if f.Label != "" {
				out = append(out, f.String())
			}
		}
		return out
	}
	want, asked := r.opts.Variables[v.Name]
	if !asked {
		want = saved("filters")
	}
	var out value
	var errs []error
	add := func(texts []string, shown bool) {
		for _, text := range texts {
			f, err := ParseFilter(r.scope.text(text))
			var m *labels.Matcher
			if err == nil {
				m, err = f.matcher()
			}
			if err != nil {
				errs = append(errs, err)
				continue
			}
			r.filters = append(r.filters, m)
			if shown {
				out.values = append(out.values, f.String())
			}
		}
	}
	add(saved("baseFilters"), false)
	add(want, true)
	return out, errors.Join(errs...)
}

var filterParser = parser.NewParser(parser.Options{EnableExperimentalFunctions: true, EnableBinopFillModifiers: true})

// narrowed adds the matchers to every selector of an expression. One that cannot be parsed stays as it is: Prometheus says what is wrong with it.
func narrowed(expr string, filters []*labels.Matcher) string {
	if len(filters) == 0 {
		return expr
	}
	e, err := filterParser.ParseExpr(expr)
	if err != nil {
		return expr
	}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			for _, f := range filters {
				if !slices.ContainsFunc(s.LabelMatchers, func(m *labels.Matcher) bool { return m.Name == f.Name && m.Type == f.Type && m.Value == f.Value }) {
					s.LabelMatchers = append(s.LabelMatchers, f)
				}
			}
		}
		return nil
	})
	return e.String()
}

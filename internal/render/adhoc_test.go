package render

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

func TestParseFilter(t *testing.T) {
	for text, want := range map[string]struct {
		filter Filter
		err    string
	}{
		"job|=|go":                         {Filter{"job", "=", "go"}, ""},
		"job,Job|=~|go.*,Go programs":      {Filter{"job", "=~", "go.*"}, ""},
		"path|!=|a__gfp__b__gfc__c":        {Filter{"path", "!=", "a|b,c"}, ""},
		"job|=__gfp__|a.b|c":               {Filter{"job", "=~", `a\.b|c`}, ""},
		"job|!=__gfp__|a":                  {Filter{"job", "!~", "a"}, ""},
		"job=go":                           {Filter{"job", "=", "go"}, ""},
		` job =~ "go.*" `:                  {Filter{"job", "=~", "go.*"}, ""},
		"job!=":                            {Filter{"job", "!=", ""}, ""},
		"job!~a":                           {Filter{"job", "!~", "a"}, ""},
		"http.route=/a":                    {Filter{"http.route", "=", "/a"}, ""},
		"job":                              {err: `"job" is not a valid filter`},
		"":                                 {err: "not a valid filter"},
		"job|>|3":                          {err: `">" is not a valid operator`},
		"job=~(":                           {err: "not a valid regular expression"},
		"|=|go":                            {err: "not a valid label name"},
		strings.Repeat("a", 10) + "\xff=b": {err: "not a valid label name"},
	} {
		got, err := ParseFilter(text)
		switch {
		case want.err != "":
			if err == nil || !strings.Contains(err.Error(), want.err) {
				t.Errorf("%q: %v, want an error with %q", text, err, want.err)
			}
		case err != nil || got != want.filter:
			t.Errorf("%q is %+v (%v), want %+v", text, got, err, want.filter)
		default:
			if again, err := ParseFilter(got.String()); err != nil || again != got {
				t.Errorf("%q is written as %q, which is read as %+v (%v)", text, got, again, err)
			}
		}
	}
}

func TestFiltersAreAddedToEverySelector(t *testing.T) {
	filters := []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "job", "go"), labels.MustNewMatcher(labels.MatchRegexp, "path", `a\.b`)}
	const both = `job="go",path=~"a\\.b"`
	for expr, want := range map[string]string{
		`up`:                                     `up{` + both + `}`,
		`up{job="go"}`:                           `up{` + both + `}`,
		`up{job="other"}`:                        `up{job="go",job="other",path=~"a\\.b"}`,
		`rate(a[5m]) / on (x) b`:                 `rate(a{` + both + `}[5m]) / on (x) b{` + both + `}`,
		`max_over_time(sum(a offset 5m)[1h:1m])`: `max_over_time(sum(a{` + both + `} offset 5m)[1h:1m])`,
		`time()`:                                 `time()`,
		`sum((`:                                  `sum((`,
	} {
		if got := narrowed(expr, filters); got != want {
			t.Errorf("%s becomes %s, want %s", expr, got, want)
		}
		if got := narrowed(expr, nil); got != expr {
			t.Errorf("%s without filters becomes %s", expr, got)
		}
	}
}

func TestAdHocVariables(t *testing.T) {
	const text = `{"uid":"u","title":"T","schemaVersion":39,"templating":{"list":[{"name":"Filters","type":"adhoc","baseFilters":[{"key":"env","operator":"=","value":"prod"}],
	 "filters":[{"key":"job","operator":"=","value":"go"}]}]},"panels":[{"id":1,"type":"timeseries","gridPos":{"w":12,"h":8},"targets":[{"refId":"A","expr":"up"}]}]}`
	for name, test := range map[string]struct {
		set   map[string][]string
		query string
		err   string
	}{
		"as saved":    {nil, `up{env="prod",job="go"}`, ""},
		"others":      {map[string][]string{"Filters": {"job=~a|b", "x|!=|y"}}, `up{env="prod",job=~"a|b",x!="y"}`, ""},
		"taken away":  {map[string][]string{"Filters": {}}, `up{env="prod"}`, ""},
		"one is bad":  {map[string][]string{"Filters": {"job=~(", "x=y"}}, `up{env="prod",x="y"}`, "regular expression"},
		"another one": {map[string][]string{"filters": {"x=y"}}, `up{env="prod",job="go"}`, ""},
	} {
		b := board(t, parse(t, text), Options{Prometheus: constant{value: 1}, Now: time.Unix(1_700_000_000, 0), Variables: test.set})
		pic, err := b.Draw(context.Background(), "1", DrawOptions{Width: 300, Height: 200})
		if err != nil {
			t.Fatal(err)
		}
		if got := pic.Queries[0].Expr; got != test.query {
			t.Errorf("%s: asks %s, want %s", name, got, test.query)
		}
		v := b.Variables()[0]
		if (v.Err != nil) != (test.err != "") || v.Err != nil && !strings.Contains(v.Err.Error(), test.err) {
			t.Errorf("%s: error %v, want %q", name, v.Err, test.err)
		}
	}
}

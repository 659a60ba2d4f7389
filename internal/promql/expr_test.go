package promql

import (
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
)

func TestVariablesInAllPlaces(t *testing.T) {
	p := NewParser()
	for _, q := range []string{
		// durations
		`rate(x_total[$__rate_interval])`, `rate(x_total[${__rate_interval}])`, `rate(x_total[[[interval]]])`, `rate(x_total[$interval])`,
		`rate(x_total[${interval}s])`, `rate(x_total[5$unit])`, `rate(x_total[$n$unit])`, `max_over_time(rate(x_total[5m])[$__range:$__interval])`,
		`max_over_time(rate(x_total[5m])[${__range_s}s:])`, `max_over_time(x[1h:$step])`, `rate(x_total[$__interval_ms])`, `x offset $o`, `x offset -$o`, `x offset ${o}d`,
		`rate(x_total[5m] offset $o)`, `x @ ${__to:date:seconds}`, `x @ $__from`, `increase(x_total[$__range]) / $__range_s`, `x / $__interval_ms * 1000`,
		`sum(x) / ($__interval)`,
		// inside strings, all three kinds of quotes, escapes and all
		`x{a="$b"}`, `x{a=~"$b|[[c]]"}`, `x{a=~'^(${b:regex})$'}`, "x{a=~`${b}\\d+$`}", `x{a="\"$b\\"}`, `x{a=~"[[:alpha:]]+"}`, `label_replace(x, "a", "$1", "b", "(.*)")`,
		`label_replace(x, "a", "${1}-$2", "b", "(.*)-(.*)")`, `x{a=~"foo$|bar$"}`, `x{a="# $b"} # a comment with "$q`, `x{a=~"$b.*$"}`, `x{pod=~"$pod-[0-9]+"}`,
		// names
		`$metric`, `$metric{a="b"}`, `${metric}`, `rate($metric[5m])`, `node_$metric`, `node_${metric}_total`, `$a$b`, `$prefix:rate5m`, `rate(${prefix}_total{a="b"}[5m])`,
		`sum($metric) by ($label)`, `sum by ($a, $b) (x)`, `sum by (${labels}) (x)`, `x * on($l) group_left($m) y`, `sum by (a $extra) (x)`, `sum by(job, [[by]]) (x)`,
		// inside braces
		`x{$filters}`, `x{a="b",$filters}`, `x{a="b" $filters}`, `x{$filters,}`, `x{$label="b"}`, `x{$label=~"$value"}`, `x{a$op"b"}`, `x{$label$op"$value"}`, `x{a=$value}`,
		`x{$label_value"b"}`, `{$filters}`, `{__name__="$m"}`, `x{a=~${v:doublequote}}`, `sum(rate(x_total{$f}[5m]))`, `x{[[f]]}`, `x{a="b",$f,c="d"}`,
		// scalars, functions, operators, clauses, whole queries
		`x > $threshold`, `x * $factor`, `$factor * x`, `topk($n, x)`, `topk([[n]], x)`, `histogram_quantile($q, sum by (le) (rate(x_bucket[5m])))`, `histogram_quantile(0.$q, y)`,
		`quantile(${q}, x)`, `clamp_max(x, $max)`, `round(x, $r)`, `x > bool $t`, `$a > $b`, `vector($v)`, `$f(x)`, `$f(rate(x_total[5m])) by (a)`, `${f}_over_time(x[5m])`, `$f(x[5m])`,
		`${agg} by (a) (x)`, `a $op b`, `sum(a) $op sum(b)`, `x $cmp 5`, `x $filter`, `sum(x) $by`, `sum $by (x)`, `(x) $op (y)`, `$q`, `count_values("$l", x)`, `count_values($l, x)`,
		`label_replace(x, $dst, "$1", $src, "(.*)")`, `(${a} + ${b}) / $c`, `sum(x) or $fallback`, `($a) / ($b)`, `-$x`, `avg($q)`, `sum(${q}) without($l)`, `$a and $b`, `predict_linear(x[1h], $h * 3600)`,
		`sum(rate(x_total[$__rate_interval])) by ([[label]]) > $t`, `absent($m{job="$job"})`, `quantile_over_time($q, x[$__interval])`, `topk(5, $f(x[5m]))`,
		// what newer and older Prometheus accept
		`holt_winters(x[5m], 0.5, 0.5)`, `limitk(5, x)`, `{"a.b"}`, `sum(x) by ()`, `x{}`, `sum(x,)`, `rate(x_total[5m:]) `, `info(x)`, `Sum(x) BY (a)`, `x ==bool 1`,
	} {
		e := p.Parse(q, nil)
		if q == `sum(x,)` {
			require.NotNil(t, e.Err, "a trailing comma is wrong everywhere")
			continue
		}
		require.Nil(t, e.Err, "%s: %v", q, e.Err)
		require.Equal(t, PromQL, e.Language, q)
		require.NotNil(t, e.Tree, q)
	}
}

func TestErrorsPointAtTheQueryAsWritten(t *testing.T) {
	p := NewParser()
	for _, tt := range []struct{ q, at, msg string }{
		{`sum(rate(x[$__rate_interval])`, "", "unclosed left parenthesis"},
		{`rate(${a_long_name}_total{b="$c"})`, "${a", "expected type range vector in call to function \"rate\", got instant vector"},
		{`sum(x{a=~"$b", c=~"(d"})`, `"(d"`, "error parsing regexp: missing closing ): `(d`"},
		{`foo($x)`, "foo", `unknown function with name "foo"`},
		{`x{a="$b"} )`, "", `unexpected right parenthesis ')'`},
		{`x{job="$job",a==~"b"}`, `=~"b"`, `unexpected <op:=~>`},
		{`$a $b $c) x`, "", ``},
		{``, "", "no expression found in input"},
	} {
		e := p.Parse(tt.q, nil)
		require.NotNil(t, e.Err, tt.q)
		require.Contains(t, e.Err.Msg, tt.msg, tt.q)
		require.NotContains(t, e.Err.Msg, markerPrefix)
		require.True(t, strings.HasPrefix(tt.q[e.Err.Offset:], tt.at), "%s: offset %d", tt.q, e.Err.Offset)
	}
}

func TestOtherLanguagesAreNamed(t *testing.T) {
	p := NewParser()
	for q, want := range map[string]Language{
		`{job="x"} |= "error"`: LogQL,
		`sum(rate({job="$j"} |~ "$q" | json | x > 5 [$__interval]))`: LogQL,
		`{job="x"} != "debug"`:                       LogQL,
		`sum by (a) (rate({job="x"} | logfmt [5m]))`: LogQL,
		`{job="x"} | status >= 500`:                  LogQL,
		`topk_max(5, x)`:                             MetricsQL,
		`rollup_rate(x[5m])`:                         MetricsQL,
		`sum(rate(x[5i]))`:                           MetricsQL,
		`sum(x) default 0`:                           MetricsQL,
		`rate(x[5m]) keep_metric_names`:              MetricsQL,
		`WITH (a = {b="c"}) x{a}`:                    MetricsQL,
		`x{a="b" or c="d"}`:                          MetricsQL,
		`median(x)`:                                  MetricsQL,
		`x{a="|= json"}`:                             PromQL,
		`x{a="b" default}`:                           PromQL,
		`sum(x`:                                      PromQL,
	} {
		e := p.Parse(q, nil)
		require.Equal(t, want, e.Language, q)
		if want != PromQL {
			require.Nil(t, e.Err, q)
			require.NotEmpty(t, e.Evidence, q)
		}
	}
}

func TestNamesFromTheTreeCanBeShownAndMatched(t *testing.T) {
	e := NewParser().Parse(`rate(node_${kind}_total{job=~"$job-.+", a="$b"}[5m])`, nil)
	require.Nil(t, e.Err)
	var vs *parser.VectorSelector
	Walk(e.Tree, func(n parser.Node) {
		if v, ok := n.(*parser.VectorSelector); ok {
			vs = v
		}
	})
	require.Equal(t, "node_${kind}_total", e.Restore(vs.Name))
	require.Equal(t, `node_.*_total`, Pattern(vs.Name, false))
	require.True(t, HasVariable(vs.LabelMatchers[0].Value))
	require.Equal(t, `.*-.+`, Pattern(vs.LabelMatchers[0].Value, true))
	require.Equal(t, len(`rate(`), e.Offset(vs.PosRange.Start))
	require.Equal(t, e.Text[len(`rate(`):len(e.Text)-len(`[5m])`)], e.Text[e.Offset(vs.PosRange.Start):e.Offset(vs.PosRange.End)])
	require.Equal(t, []string{"kind", "job", "b"}, []string{e.Uses[0].Name, e.Uses[1].Name, e.Uses[2].Name})
}

func TestUnknownNamesInsideStringsStayRegularExpressions(t *testing.T) {
	none := func(string) bool { return false }
	e := NewParser().Parse(`x{a=~"[[abc]]+"}`, none)
	require.Nil(t, e.Err)
	require.Empty(t, e.Uses)
	e = NewParser().Parse(`x{a=~"$abc"}`, none)
	require.Nil(t, e.Err)
	require.Len(t, e.Uses, 1)
	require.True(t, e.Uses[0].Quoted)
}

func TestTheSameRegularExpressionIsPutBackEverywhere(t *testing.T) {
	q := `x{a=~"one|two", b!~'three.*', c=~"o"} + y{a=~"one|two", d=~"\"quoted\""} # z=~"no"`
	e := NewParser().Parse(q, nil)
	require.Nil(t, e.Err)
	require.Equal(t, `x{a=~"one|two",b!~"three.*",c=~"o"} + y{a=~"one|two",d=~"\"quoted\""}`, e.Tree.String())
}

// FuzzParse looks for crashes, and for placeholders that leak into what a person reads.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`rate(x[$a])`, `x{a=~"$b", $c}`, `[[a]]$b${c:d}`, `{a="b"} |= "c"`, `$a $b $c`, "x{a=`${b`}", `sum by ($a $b) (x)`, `#$a`, `x[[[[a]]]]`} {
		f.Add(s)
	}
	p := NewParser()
	f.Fuzz(func(t *testing.T, q string) {
		e := p.Parse(q, func(n string) bool { return len(n)%2 == 0 })
		if e.Err != nil {
			require.LessOrEqual(t, e.Err.Offset, len(q))
			if !strings.Contains(q, markerPrefix) {
				require.NotContains(t, e.Err.Msg, markerPrefix)
			}
		}
		if e.Tree != nil {
			_ = e.Restore(e.Tree.String())
			Walk(e.Tree, func(n parser.Node) { e.Offset(n.PositionRange().Start) })
		}
	})
}

func TestComparisonsAreNotLineFilters(t *testing.T) {
	e := NewParser().Parse(`sum(up{job="a"} != 1`, nil)
	require.NotNil(t, e.Err)
	require.Equal(t, PromQL, e.Language)
	require.Contains(t, e.Err.Msg, "unclosed left parenthesis")
	require.Equal(t, LogQL, NewParser().Parse(`{job="a"} != "x"`, nil).Language)
}

func TestASelectorThatMatchesEverythingIsRefused(t *testing.T) {
	for _, text := range []string{`{job=~"(foo|bar)?"}`, `count({job=~".*", env!~"x"}) > 0`, `{job!="x"}`, `{job=~""}`, `rate({a!~"b"}[5m])`} {
		e := NewParser().Parse(text, nil)
		require.NotNil(t, e.Err, text)
		require.Contains(t, e.Err.Msg, "non-empty matcher", text)
	}
	for _, text := range []string{`{job=~"(foo|bar)"}`, `up{job=~".*"}`, `{job=~".+"}`, `{job!~"|a"}`, `{__name__=~"a.*", job=~".*"}`} {
		require.Nil(t, NewParser().Parse(text, nil).Err, text)
	}
}

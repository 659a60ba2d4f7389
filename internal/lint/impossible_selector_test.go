package lint

import "testing"

func TestImpossibleSelector(t *testing.T) {
	judge(t, "impossible-selector", []string{
		`x{a="b",a="c"}`,
		`x{a="b",a!="b"}`,
		`x{a="b",a=~"c.*"}`,
		`x{a="b",a!~"b|c"}`,
		`x{a=~"b",a!~"b"}`,
		`sum(rate(x{a="",a=~".+"}[5m]))`,
	}, []string{
		`x{a="b",a="b"}`,
		`x{a!="b",a!="c"}`,
		`x{a=~"b.*",a!="bc"}`,
		`x{a="$b",a="c"}`,
		`x{a=~"$b",a!~"$b"}`,
		`x{a="b",b="c"}`,
		`x{a="b",a=~"$c"}`,
	})
}

package lint

import "testing"

func TestUndefinedVariable(t *testing.T) {
	judge(t, "undefined-variable", []string{
		`x{a="$gone"}`,
		`rate(x[${gone}])`,
		`$gone`,
		`x{a=~"a$gone"}`,
	}, []string{
		`x{a="$job"}`,
		`label_replace(x, "a", "$1-$2", "b", "(.*)-(.*)")`,
		`label_replace(x, "a", "${name}", "b", "(?P<name>.*)")`,
		`rate(x[$__rate_interval])`,
		`x{a=~"foo$|bar$"}`,
		`x{a=~"[[:alpha:]]"}`,
	})
}

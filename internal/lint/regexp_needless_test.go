package lint

import "testing"

func TestRegexpNeedless(t *testing.T) {
	judge(t, "regexp-needless", []string{
		`x{a=~"b"}`,
		`x{a!~"b"}`,
		`x{a=~"^b|c"}`,
		`x{a=~"b.*$"}`,
		`x{a=~".*"}`,
		`x{a=~""}`,
	}, []string{
		`x{a=~"b|c"}`,
		`x{a=~"$b"}`,
		`x{a=~"b$c"}`,
		`x{a=~"(?i)b"}`,
		`x{a=~"b\\.c"}`,
		`{__name__=~".*",a="b"}`,
		`x{a=~".+"}`,
		`x{a!~".*"}`,
		`x{a=~"a\\$"}`,
	})
}

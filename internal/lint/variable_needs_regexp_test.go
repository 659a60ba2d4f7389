package lint

import "testing"

func TestVariableNeedsRegexp(t *testing.T) {
	judge(t, "variable-needs-regexp", []string{
		`x{job="$job"}`,
		`x{job!="${job}"}`,
		`x{job="a-$job"}`,
		`x{job="[[job]]"}`,
	}, []string{
		`x{job=~"$job"}`,
		`x{instance="$instance"}`,
		`x{job="${job:csv}"}`,
		`x{job="job"}`,
		`x{a="$__interval"}`,
	})
}

package lint

import "testing"

func TestRangeTooShort(t *testing.T) {
	judge(t, "range-too-short", []string{
		`rate(x_total[10s])`,
		`increase(x_total[29s])`,
		`sum(rate(x_total{a="b"}[15s]))`,
	}, []string{
		`rate(x_total[30s])`,
		`rate(x_total[$__interval])`,
		`rate(x_total[${w}])`,
		`rate(x_total[[[w]]])`,
		`sum_over_time(x[1s])`,
		`rate(x_total[5m:10s])`,
	})
}

package lint

import "testing"

func TestRateOverAggregate(t *testing.T) {
	judge(t, "rate-over-aggregate", []string{
		`rate(sum(x_total)[5m:])`,
		`increase(sum by (a) (x_total)[5m:1m])`,
		`irate((sum(x_total))[5m:])`,
	}, []string{
		`rate(max(x)[5m:])`,
		`sum(rate(x_total[5m]))`,
		`deriv(sum(x)[5m:])`,
	})
}

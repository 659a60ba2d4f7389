package lint

import "testing"

func TestRateInterval(t *testing.T) {
	judge(t, "rate-interval", []string{
		`rate(x_total[$__interval])`,
		`sum(irate(x_total{a=~"$b"}[${__interval}]))`,
		`increase(x_total[ $__interval ])`,
	}, []string{
		`rate(x_total[$__rate_interval])`,
		`rate(x_total[$interval])`,
		`max_over_time(x[$__interval])`,
	})
}

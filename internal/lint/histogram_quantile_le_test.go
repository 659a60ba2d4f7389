package lint

import "testing"

func TestHistogramQuantileLe(t *testing.T) {
	judge(t, "histogram-quantile-le", []string{
		`histogram_quantile(0.9, sum by (job) (rate(x_bucket[5m])))`,
		`histogram_quantile(0.9, sum without (le) (rate(x_bucket[5m])))`,
		`histogram_quantile($q, avg(x_bucket))`,
	}, []string{
		`histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))`,
		`histogram_quantile(0.9, sum without (job) (rate(x_bucket[5m])))`,
		`histogram_quantile(0.9, sum(rate(x[5m])))`,
		`histogram_quantile(0.9, sum by (vmrange) (rate(x_bucket[5m])))`,
		`histogram_quantile(0.9, sum by ($by) (rate(x_bucket[5m])))`,
	})
}

package alertlist

import "testing"

func TestWords(t *testing.T) {
	for expr, want := range map[string]string{
		`avg_over_time(go_threads{job!="x"}[1m])`:                         "mean of go_threads (job is not x) over 1m",
		`min by (job, instance) (up)`:                                     "smallest of up, per job and instance",
		`sum without (pod) (rate(a[5m])) / sum(rate(b[5m]))`:              "sum of rate of a per second over 5m, whatever the pod divided by sum of rate of b per second over 5m",
		`predict_linear(node_avail[1h], 4 * 3600) / node_size`:            "node_avail in 4h, by the line through the last 1h divided by node_size",
		`deriv(g[1h]) * 3600`:                                             "slope of g per second, by the line through 1h times 3600",
		`(a - b) / c`:                                                     "(a minus b) divided by c",
		`min(probe_ssl_earliest_cert_expiry) - time()`:                    "smallest of probe_ssl_earliest_cert_expiry minus now",
		`up offset 1d unless on (job) absent(x)`:                          "up 1d before where there is no absent of x",
		`topk(3, -x)`:                                                     "3 largest of minus x",
		`changes(process_start_time_seconds[15m])`:                        "number of changes of process_start_time_seconds within 15m",
		`not a query`:                                                     "not a query",
		`histogram_quantile(0.9, sum by (le) (rate(h_bucket[5m]))) > 0.5`: "histogram_quantile of 0.9, sum of rate of h_bucket per second over 5m, per le above 0.5",
	} {
		if got := Words(expr); got != want {
			t.Errorf("%s\n got %s\nwant %s", expr, got, want)
		}
	}
}

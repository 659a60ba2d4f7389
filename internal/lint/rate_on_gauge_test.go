package lint

import "testing"

func TestRateOnGauge(t *testing.T) {
	judge(t, "rate-on-gauge", []string{
		`rate(up[5m])`,
		`irate(go_threads[5m])`,
		`sum(increase(node_load1[5m]))`,
		`resets(cache_hit_ratio[1h])`,
	}, []string{
		`rate(x_total[5m])`,
		`delta(up[5m])`,
		`rate(node_network_info_total[5m])`,
		`rate(go_memstats_alloc_bytes_total[5m])`,
		`avg_over_time(up[5m])`,
	})
}

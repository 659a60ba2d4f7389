package lint

import "testing"

func TestCounterWithoutRate(t *testing.T) {
	judge(t, "counter-without-rate", []string{
		`x_total`,
		`x_total / y_total`,
		`avg_over_time(x_total[5m])`,
		`histogram_quantile(0.9, x_bucket)`,
		`x_total > 5`,

		`delta(x_total[5m])`,
		`sum(scrape_errors_total)`,
		`sum(leader_transfers_total)`,
	}, []string{
		`rate(x_total[5m])`,
		`sum(rate(x_total[5m]))`,
		`increase(x_total{a="b"}[5m])`,
		`count by (job) (x_total)`,
		`group(x_total)`,
		`job:x_total:sum`,
		`up and x_total`,
		`up unless on(job) x_total`,
		`absent(x_total)`,
		`timestamp(x_total)`,
		`x_total - x_total offset 1h`,
		`changes(x_total[1h])`,
		`sum(increase(x_total[1d:1h]))`,
		`$metric`,
		`x_totals`,
		`max(x_total) by (job)`,
		`ceph_osds_total`,
		`sum(ruler_managers_total)`,
		`node_memory_bytes_total`,
		`used_bytes / disk_total`,
	})
}

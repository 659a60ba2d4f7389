package lint

import "testing"

func TestUnitMismatch(t *testing.T) {
	judgePanel(t, "unit-mismatch", []string{
		`{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "sum(x_bytes)"}], "fieldConfig": {"defaults": {"unit": "s"}}}`,
		`{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "max_over_time(x_seconds[5m])"}], "fieldConfig": {"defaults": {"unit": "bytes"}}}`,
		`{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "histogram_quantile(0.9, sum by (le) (rate(x_seconds_bucket[5m])))"}], "fieldConfig": {"defaults": {"unit": "ms"}}}`,
		`{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "rate(x_bytes_total[5m])"}], "fieldConfig": {"defaults": {"unit": "bytes"}}}`,
	}, []string{
		`{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "x_bytes * 8"}], "fieldConfig": {"defaults": {"unit": "s"}}}`,
		`{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "x_seconds_count"}], "fieldConfig": {"defaults": {"unit": "bytes"}}}`,
		`{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "x_start_time_seconds"}], "fieldConfig": {"defaults": {"unit": "bytes"}}}`,
		`{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "rate(x_seconds_total[5m])"}], "fieldConfig": {"defaults": {"unit": "percent"}}}`,
		`{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "increase(x_bytes_total[1h])"}], "fieldConfig": {"defaults": {"unit": "bytes"}}}`,
		`{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "$metric"}], "fieldConfig": {"defaults": {"unit": "s"}}}`,
		`{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "x_bytes"}], "fieldConfig": {"defaults": {"unit": "short"}}}`,
		`{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "count(x_bytes)"}], "fieldConfig": {"defaults": {"unit": "s"}}}`,
		`{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "a:x_bytes:sum"}], "fieldConfig": {"defaults": {"unit": "s"}}}`,
		`{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "histogram_quantile(0.9, sum by (le) (rate(x_seconds_bucket[5m])))"}], "fieldConfig": {"defaults": {"unit": "s"}}}`,
	})
}

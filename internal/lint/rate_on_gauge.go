package lint

import (
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/finding"
	"lookout/internal/promql"
	"lookout/internal/queries"
)

var rateOnGauge = &Rule{
	ID: "rate-on-gauge", Severity: finding.Warning,
	Summary: "rate() and its kin take every fall for a restart; on a gauge they answer nonsense.",
	Query: func(p *Pass, q *queries.Query) {
		for _, s := range q.Selectors() {
			if !looksLikeGauge(s.Metric) {
				continue
			}
			call, ok := s.Parent().(*parser.Call)
			if !ok || s.Range() == nil {
				continue
			}
			switch call.Func.Name {
			case "rate", "irate", "increase", "resets":
				p.Query(q, q.Offset(call.PosRange.Start), "%s() on %s, which is a gauge by its name; use delta() or deriv()", call.Func.Name, q.Restore(s.Metric))
			}
		}
	},
}

// knownGauges are gauges of client libraries that no suffix gives away.
var knownGauges = map[string]bool{
	"up": true, "go_goroutines": true, "go_threads": true, "process_open_fds": true, "process_max_fds": true, "process_resident_memory_bytes": true,
	"process_virtual_memory_bytes": true, "process_start_time_seconds": true, "go_memstats_heap_inuse_bytes": true, "go_memstats_heap_alloc_bytes": true,
	"go_memstats_heap_idle_bytes": true, "go_memstats_heap_objects": true, "go_memstats_heap_sys_bytes": true, "go_memstats_sys_bytes": true,
	"go_memstats_stack_inuse_bytes": true, "go_memstats_next_gc_bytes": true, "go_memstats_alloc_bytes": true, "node_load1": true, "node_load5": true, "node_load15": true,
	"node_memory_MemAvailable_bytes": true, "node_memory_MemFree_bytes": true, "node_memory_MemTotal_bytes": true, "node_filesystem_avail_bytes": true,
	"node_filesystem_free_bytes": true, "node_filesystem_size_bytes": true, "container_memory_working_set_bytes": true, "container_memory_usage_bytes": true,
}

// looksLikeGauge is careful: without types only names speak, and old exporters have counters named like gauges.
func looksLikeGauge(name string) bool {
	if name == "" || strings.Contains(name, ":") || promql.HasVariable(name) {
		return false
	}
	if knownGauges[name] {
		return true
	}
	for _, suffix := range []string{"_info", "_ratio", "_percent", "_celsius", "_timestamp_seconds", "_in_flight", "_in_progress"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

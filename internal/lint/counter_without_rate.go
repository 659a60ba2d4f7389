package lint

import (
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/finding"
	"lookout/internal/promql"
	"lookout/internal/queries"
)

var counterWithoutRate = &Rule{
	ID: "counter-without-rate", Severity: finding.Warning,
	Summary: "A counter is shown as it is; its value depends on when the process started.",
	Query: func(p *Pass, q *queries.Query) {
		if q.Source != nil && q.Source.Variable != nil {
			return // what series there are, not what they say
		}
		for _, s := range q.Selectors() {
			if !looksLikeCounter(s.Metric) || CounterUsedWell(s) || readsAsSet(s) && !p.ratedElsewhere(s.Metric) || p.partsShown(s.Metric) {
				continue
			}
			window := "5m"
			if q.Source != nil {
				window = "$__rate_interval"
			}
			p.Query(q, q.Offset(s.PosRange.Start), "%s is a counter; show rate(%s[%s]) or increase(…), since it begins at 0 again when the process restarts",
				q.Restore(s.Metric), q.Restore(s.Metric), window)
		}
	},
}

// setNouns are things that are there rather than happen, and amounts that have a size: x_nodes_total says how many nodes there are.
var setNouns = words(`
accounts agents alerts backends blocks brokers buckets cards certificates channels chunks clients clusters columns consumers containers controllers cores cpus cpu crds customers
databases datasets deployments devices disks dists documents domains drives endpoints entries events_pending executors files fds filesystems folders gpus groups hosts images indexes
indices inodes instances interfaces ips items jobs keys keyspaces leaders leases licenses limits machines masters members memory mem mounts namespaces networks nodes objects objectives
offsets organizations osds partitions peers pending pgs pids pipelines pods policies pools ports processes processors producers projects proxies queues quotas records regions
repositories replicas replicasets resources roles routers routes rows rules schemas seats secrets segments series servers services sessions shards sites size slaves slots snapshots sockets
space stacks stages states statefulsets subscribers subscriptions swap switches tables tablets targets tenants tests threads tokens topics users versions vms volumes vus watchers
workers workloads zones capacity heap storage bytes_available available active open idle in_use running ready alive healthy unhealthy up down online offline connected`)

func words(text string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(text) {
		out[w] = true
	}
	return out
}

// readsAsSet reports whether a metric named like a counter is, by the noun in its name or by what is done with it, the size of a set: a gauge with a
// misleading suffix, of which public exporters have many.
func readsAsSet(s queries.Selector) bool {
	stem, ok := strings.CutSuffix(s.Metric, "_total")
	if !ok {
		return false
	}
	for _, unit := range []string{"_bytes", "_mib", "_kb", "_mb", "_gb", "_count", "_number"} {
		stem = strings.TrimSuffix(stem, unit)
	}
	if strings.Contains(stem, "uptime") || strings.Contains(stem, "time_up") {
		return true // how long something has been up is what is to be seen
	}
	if noun := stem[strings.LastIndexByte(stem, '_')+1:]; setNouns[noun] || isAgents(noun) {
		return true
	}
	for i, parent := range s.Parents {
		switch n := parent.(type) {
		case *parser.AggregateExpr:
			// The highest or lowest of counters says nothing; of sets it does.
			if n.Op == parser.MAX || n.Op == parser.MIN || n.Op == parser.AVG {
				return true
			}
		case *parser.Call:
			switch n.Func.Name {
			case "max_over_time", "min_over_time":
				return true
			}
		case *parser.BinaryExpr:
			// used / x_total is a share of a whole, unless both are counters.
			if n.Op == parser.DIV && i == len(s.Parents)-1 && within(n.RHS, s) && !namesCounter(n.LHS) {
				return true
			}
			if n.Op == parser.SUB && within(n.LHS, s) && !namesCounter(n.RHS) {
				return true
			}
		}
	}
	return false
}

// isAgents reports whether a word names those who do something (managers, handlers, collectors): they are there. Words that only end like that happen.
func isAgents(word string) bool {
	return (strings.HasSuffix(word, "ers") || strings.HasSuffix(word, "ors")) && !notAgents[word] && len(word) > 5
}

var notAgents = words(`errors answers encounters failovers handovers offers orders registers renders rollovers takeovers transfers triggers turnovers delivers recovers`)

// namesCounter reports whether an expression has a metric that is named like a counter.
func namesCounter(n parser.Expr) bool {
	found := false
	promql.Walk(n, func(c parser.Node) {
		if vs, ok := c.(*parser.VectorSelector); ok && looksLikeCounter(vs.Name) {
			found = true
		}
	})
	return found
}

// ratedElsewhere reports whether another query of the dashboard takes the metric for a counter.
func (p *Pass) ratedElsewhere(metric string) bool {
	for _, q := range p.Queries {
		if !strings.Contains(q.Text, metric) {
			continue
		}
		for _, s := range q.Selectors() {
			if call, ok := s.Parent().(*parser.Call); s.Metric == metric && ok && s.Range() != nil {
				switch call.Func.Name {
				case "rate", "irate", "increase":
					return true
				}
			}
		}
	}
	return false
}

// partsShown reports whether another query of the dashboard shows a part of what the metric would be the whole of, as it is: x_active and x_down next to x_total. One is enough if it is the name of a state.
func (p *Pass) partsShown(metric string) bool {
	stem, ok := strings.CutSuffix(metric, "total")
	if !ok || p.ratedElsewhere(metric) {
		return false
	}
	parts, state := map[string]bool{}, false
	for _, q := range p.Queries {
		if !strings.Contains(q.Text, stem) {
			continue
		}
		for _, s := range q.Selectors() {
			rest, ok := strings.CutPrefix(s.Metric, stem)
			if ok && rest != "total" && !strings.Contains(rest, "_") && s.Range() == nil {
				parts[rest] = true
				state = state || setNouns[rest]
			}
		}
	}
	return len(parts) > 1 || state
}

// looksLikeCounter goes by the naming rules of Prometheus; recording rules (level:metric:operation) are left alone.
// Source: https://prometheus.io/docs/practices/naming/
func looksLikeCounter(name string) bool {
	return !strings.Contains(name, ":") && !promql.HasVariable(name) && (strings.HasSuffix(name, "_total") || strings.HasSuffix(name, "_bucket"))
}

// counterFunctions take a counter and give something that is none, or ask only whether it is there.
var counterFunctions = map[string]bool{
	"rate": true, "irate": true, "increase": true, "resets": true, "changes": true, "absent": true, "absent_over_time": true, "present_over_time": true,
	"count_over_time": true, "timestamp": true, "label_values": true, "ts_of_last_over_time": true, "info": true,
}

// CounterUsedWell tells whether the functions around a counter give something that does not depend on when the process started, or ask only
// whether it is there.
func CounterUsedWell(s queries.Selector) bool {
	for i := len(s.Parents) - 1; i >= 0; i-- {
		switch n := s.Parents[i].(type) {
		case *parser.Call:
			if counterFunctions[n.Func.Name] {
				return true
			}
		case *parser.AggregateExpr:
			if n.Op == parser.COUNT || n.Op == parser.GROUP || n.Op == parser.COUNT_VALUES {
				return true
			}
		case *parser.BinaryExpr:
			// The right side of and, unless only selects; x and x > 0 asks whether anything ever happened.
			if n.Op.IsSetOperator() && n.Op != parser.LOR && within(n.RHS, s) {
				return true
			}
			// x - x offset 1h is an increase, if a poor one; started - finished is what is still running.
			if n.Op == parser.SUB && n.LHS.Type() == parser.ValueTypeVector && n.RHS.Type() == parser.ValueTypeVector {
				return true
			}
		}
	}
	return false
}

func within(n parser.Expr, s queries.Selector) bool {
	r := n.PositionRange()
	return s.PosRange.Start >= r.Start && s.PosRange.End <= r.End
}

package promql

import (
	"regexp"
	"strings"
)

// Language is what a query is written in.
type Language uint8

// The languages that are told apart. They share most of their grammar; a query that is right in PromQL counts as PromQL.
const (
	PromQL Language = iota
	LogQL
	MetricsQL
)

func (l Language) String() string {
	switch l {
	case LogQL:
		return "LogQL"
	case MetricsQL:
		return "MetricsQL"
	}
	return "PromQL"
}

var (
	// Outside of strings a | exists in no PromQL; } != "text" compares with a text, which PromQL can't.
	logFilter = regexp.MustCompile(`\|=|\|~|\|>|!>|\}\s*!=\s*["` + "`" + `]|\}\s*!~\s*["` + "`" + `]`)
	logStage  = regexp.MustCompile(`\|\s*(json|logfmt|unpack|unwrap|pattern|regexp|line_format|label_format|decolorize|drop|keep|[a-zA-Z_][a-zA-Z0-9_]*\s*(=|!=|>|<|=~|!~))`)
	logFunc   = regexp.MustCompile(`\b(bytes_rate|bytes_over_time|rate_counter|first_over_time|approx_topk)\s*\(`)

	metricsFunc = regexp.MustCompile(`(?i)\b(` + strings.Join(metricsQLFunctions, "|") + `)\s*\(`)
	metricsWord = regexp.MustCompile(`(?i)\bkeep_metric_names\b|\)\s*(default|ifnot|if)\s+|[)}\]a-z_]\s+(default|ifnot|if)\s+[(a-z0-9_\-$]|^\s*with\s*\(|\blimit\s+[0-9]+\s*\)?\s*$`)
	metricsStep = regexp.MustCompile(`\[[0-9.]*[0-9]i\]|\[\s*\]|:[0-9.]+i\]`)
	metricsOr   = regexp.MustCompile(`\{[^{}]*\bor\b[^{}]*\}`)
	metricsNum  = regexp.MustCompile(`\b[0-9.]+(Ki|Mi|Gi|Ti|KiB|MiB|GiB|TiB|KB|MB|GB|TB)\b`)
)

// metricsQLFunctions are the functions of VictoriaMetrics that Prometheus does not have.
// Source: https://docs.victoriametrics.com/metricsql/
var metricsQLFunctions = []string{
	"aggr_over_time", "ascent_over_time", "count_eq_over_time", "count_gt_over_time", "count_le_over_time", "count_ne_over_time",
	"count_values_over_time", "decreases_over_time", "default_rollup", "delta_prometheus", "deriv_fast", "descent_over_time", "distinct_over_time",
	"duration_over_time", "first_over_time", "geomean_over_time", "histogram_over_time", "hoeffding_bound_lower", "hoeffding_bound_upper",
	"ideriv", "increase_prometheus", "increase_pure", "increases_over_time", "integrate", "iqr_over_time", "lag", "lifetime", "median_over_time", "mode_over_time",
	"outlier_iqr_over_time", "quantiles_over_time", "range_over_time", "rate_over_sum", "rate_prometheus", "rollup", "rollup_candlestick", "rollup_delta", "rollup_deriv",
	"rollup_increase", "rollup_rate", "rollup_scrape_interval", "scrape_interval", "share_eq_over_time", "share_gt_over_time", "share_le_over_time", "stale_samples_over_time",
	"sum_eq_over_time", "sum_gt_over_time", "sum_le_over_time", "sum2_over_time", "tfirst_over_time", "timestamp_with_name", "tlast_change_over_time", "tlast_over_time",
	"tmax_over_time", "tmin_over_time", "zscore_over_time", "bitmap_and", "bitmap_or", "bitmap_xor", "buckets_limit", "drop_empty_series", "histogram_share", "interpolate",
	"keep_last_value", "keep_next_value", "limit_offset", "now", "prometheus_buckets", "rand", "rand_exponential", "rand_normal", "range_avg", "range_first", "range_last",
	"range_linear_regression", "range_mad", "range_max", "range_median", "range_min", "range_normalize", "range_quantile", "range_stddev", "range_stdvar", "range_sum",
	"range_trim_outliers", "range_trim_spikes", "range_trim_zscore", "range_zscore", "remove_resets", "running_avg", "running_max", "running_min", "running_sum",
	"smooth_exponential", "timezone_offset", "ttf", "union", "vmrange", "alias", "drop_common_labels", "label_copy", "label_del", "label_graphite_group", "label_keep",
	"label_lowercase", "label_map", "label_match", "label_mismatch", "label_move", "label_set", "label_transform", "label_uppercase", "label_value", "labels_equal",
	"sort_by_label_numeric", "sort_by_label_numeric_desc", "any", "bottomk_avg", "bottomk_last", "bottomk_max", "bottomk_median", "bottomk_min", "distinct", "geomean",
	"histogram", "mad", "median", "mode", "outliers_iqr", "outliers_mad", "outliersk", "quantiles", "share", "sum2", "topk_avg", "topk_last", "topk_max",
	"topk_median", "topk_min", "zscore",
}

// Detect guesses the language of a query that PromQL's parser refuses, and says by what. It answers PromQL if nothing speaks for another language: then the
// query is simply wrong.
func Detect(text string) (Language, string) {
	bare := withoutStrings(text)
	if m := logFilter.FindString(bare); m != "" {
		return LogQL, "line filter " + strings.TrimLeft(m, "} ")
	}
	if m := logStage.FindString(bare); m != "" {
		return LogQL, "pipeline stage " + m
	}
	if m := logFunc.FindString(bare); m != "" && strings.Contains(bare, "{") {
		return LogQL, "function " + strings.TrimRight(m, " (")
	}
	if m := metricsFunc.FindString(bare); m != "" {
		return MetricsQL, "function " + strings.TrimRight(m, " (")
	}
	if m := metricsWord.FindString(bare); m != "" {
		return MetricsQL, "keyword " + strings.Trim(m, ")}] (")
	}
	if m := metricsStep.FindString(bare); m != "" {
		return MetricsQL, "window " + m
	}
	if metricsOr.MatchString(bare) {
		return MetricsQL, "or between label filters"
	}
	if m := metricsNum.FindString(bare); m != "" {
		return MetricsQL, "number " + m
	}
	return PromQL, ""
}

// withoutStrings empties string literals and drops comments, so that their content gives no false evidence. Braces of ${v} count as part of a name.
func withoutStrings(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch c {
		case '"', '\'', '`':
			b.WriteByte(c)
			for i++; i < len(text) && text[i] != c; i++ {
				if text[i] == '\\' && c != '`' {
					i++
				}
			}
			b.WriteByte(c)
		case '#':
			for i < len(text) && text[i] != '\n' {
				i++
			}
			b.WriteByte(' ')
		case '$', '[':
			if _, _, size := matchVariable(text[i:]); size > 0 {
				b.WriteString("v")
				i += size - 1
				continue
			}
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Comments are the comments of a query, without what stands in strings.
func Comments(text string) string {
	if !strings.Contains(text, "#") {
		return ""
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"', '\'', '`':
			for i++; i < len(text) && text[i] != c; i++ {
				if text[i] == '\\' && c != '`' {
					i++
				}
			}
		case '#':
			end := strings.IndexByte(text[i:], '\n')
			if end < 0 {
				end = len(text) - i
			}
			b.WriteString(text[i : i+end])
			b.WriteByte('\n')
			i += end - 1
		}
	}
	return b.String()
}

package lint

import (
	"strings"
	"testing"
)

// A word in a text says nothing about the server: what counts is the datasource, and what the queries are written in.
func TestQueryLanguage(t *testing.T) {
	vm := `{"type": "stat", "title": "A", "description": "%s", "datasource": {"type": "prometheus", "uid": "${datasource}"}, "targets": [{"refId": "A", "expr": "sum(rate(x_total))"}]}`
	named := replace(vm, "See https://docs.victoriametrics.com")
	metricsQL := `{"type": "stat", "title": "A", "datasource": {"type": "prometheus", "uid": "${datasource}"}, "targets": [{"refId": "A", "expr": "sum(rate(x_total))"}, {"refId": "B", "expr": "range_median(x)"}]}`
	judgePanel(t, "query-language", []string{metricsQL}, []string{named, replace(vm, "Requests")})
	judgePanel(t, "promql-syntax", []string{named, replace(vm, "Requests")}, []string{metricsQL})
	judge(t, "query-language", []string{`{job="a"} != "x"`, `{job="a"} |= "x"`}, []string{`sum(up{job="a"} != 1`})
	judge(t, "promql-syntax", []string{`sum(up{job="a"} != 1`}, nil)
}

func replace(format, text string) string { return strings.Replace(format, "%s", text, 1) }

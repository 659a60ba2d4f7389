package lint

import (
	"strings"
	"testing"
)

func TestQueryLanguage(t *testing.T) {
	vm := `{"type": "stat", "title": "A", "description": "%s", "datasource": {"type": "prometheus", "uid": "${datasource}"}, "targets": [{"refId": "A", "expr": "sum(rate(x_total))"}]}`
	named := replace(vm, "See https://docs.victoriametrics.com")
	plain := replace(vm, "Requests")
	judgePanel(t, "query-language", []string{named}, []string{plain})
	judgePanel(t, "promql-syntax", []string{plain}, []string{named})
}

func replace(format, text string) string { return strings.Replace(format, "%s", text, 1) }

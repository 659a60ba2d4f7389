package lint

import "testing"

func TestPanelUnit(t *testing.T) {
	judgePanel(t, "panel-unit", []string{
		`{"type": "timeseries", "title": "A", "targets": [{"refId": "A", "expr": "up"}]}`,
		`{"type": "graph", "title": "A", "targets": [{"refId": "A", "expr": "up"}], "yaxes": [{}]}`,
		`{"type": "gauge", "title": "A", "targets": [{"refId": "A", "expr": "up"}], "fieldConfig": {"defaults": {}}}`,
	}, []string{
		`{"type": "graph", "title": "A", "targets": [{"refId": "A", "expr": "up"}], "yaxes": [{"format": "short"}]}`,
		`{"type": "singlestat", "title": "A", "targets": [{"refId": "A", "expr": "up"}], "format": "none"}`,
		`{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "up"}], "fieldConfig": {"defaults": {"mappings": [{}]}}}`,
		`{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "up"}], "options": {"textMode": "name"}}`,
		`{"type": "timeseries", "title": "A", "targets": [{"refId": "A", "expr": "up"}], "fieldConfig": {"overrides": [{"properties": [{"id": "unit", "value": "s"}]}]}}`,
		`{"type": "logs", "title": "A", "targets": [{"refId": "A", "expr": "up"}]}`,
		`{"type": "stat", "title": "A"}`,
	})
}

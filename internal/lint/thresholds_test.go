package lint

import "testing"

func TestThresholds(t *testing.T) {
	judgePanel(t, "thresholds", []string{
		`{"type": "stat", "title": "A", "fieldConfig": {"defaults": {"thresholds": {"mode": "absolute", "steps": [{"value": null}, {"value": 5}, {"value": 4}]}}}}`,
		`{"type": "stat", "title": "A", "fieldConfig": {"defaults": {"thresholds": {"mode": "absolute", "steps": [{"value": null}, {"value": 5}, {"value": 5}]}}}}`,
		`{"type": "stat", "title": "A", "fieldConfig": {"defaults": {"thresholds": {"mode": "absolute", "steps": [{"value": null}, {"value": null}]}}}}`,
		`{"type": "stat", "title": "A", "fieldConfig": {"defaults": {"thresholds": {"mode": "percentage", "steps": [{"value": null}, {"value": 150}]}}}}`,
		`{"type": "stat", "title": "A", "fieldConfig": {"defaults": {"min": 10, "thresholds": {"mode": "absolute", "steps": [{"value": null}, {"value": 5}]}}}}`,
		`{"type": "singlestat", "title": "A", "thresholds": "5,x"}`,
	}, []string{
		`{"type": "stat", "title": "A", "fieldConfig": {"defaults": {"thresholds": {"mode": "absolute", "steps": [{"value": null}, {"value": 4}, {"value": 5}]}}}}`,
		`{"type": "stat", "title": "A", "fieldConfig": {"defaults": {"max": 1, "thresholds": {"mode": "absolute", "steps": [{"value": null}, {"value": 80}]}}}}`,
		`{"type": "stat", "title": "A", "fieldConfig": {"defaults": {"thresholds": {"mode": "percentage", "steps": [{"value": 0}, {"value": 100}]}}}}`,
		`{"type": "stat", "title": "A", "fieldConfig": {"defaults": {"thresholds": {"mode": "absolute", "steps": [{"value": -5}, {"value": 0}]}}}}`,
		`{"type": "graph", "title": "A", "thresholds": [{"value": 5}, {"value": 4}]}`,
		`{"type": "singlestat", "title": "A", "thresholds": ""}`,
	})
}

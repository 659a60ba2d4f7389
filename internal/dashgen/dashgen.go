// Package dashgen writes directories full of believable dashboards, to measure on what nobody has at hand.
package dashgen

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Options says how much is written.
type Options struct {
	Folders    int
	Dashboards int
	// Panels is the number of panels of each dashboard; twenty make about 20 kB.
	Panels int
}

// Validate names the first value that makes no sense.
func (o Options) Validate() error {
	switch {
	case o.Folders < 1:
		return fmt.Errorf("%d folders; give at least 1", o.Folders)
	case o.Dashboards < o.Folders:
		return fmt.Errorf("%d dashboards in %d folders; give at least one for each folder", o.Dashboards, o.Folders)
	case o.Panels < 1:
		return fmt.Errorf("%d panels; give at least 1", o.Panels)
	}
	return nil
}

// Write writes the dashboards as <dir>/<folder>/<uid>.json, in canonical form and the same for the same options. It
// returns how many bytes they have.
func Write(dir string, options Options) (int64, error) {
	if err := options.Validate(); err != nil {
		return 0, err
	}
	var size int64
	for i := range options.Dashboards {
		folder := filepath.Join(dir, fmt.Sprintf("team-%03d", i%options.Folders))
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return 0, fmt.Errorf("writing dashboards: %w", err)
		}
		uid := fmt.Sprintf("generated-%05d", i)
		data, err := json.MarshalIndent(dashboard(uid, i, options.Panels), "", "  ")
		if err != nil {
			return 0, fmt.Errorf("writing dashboards: %w", err)
		}
		data = append(data, '\n')
		if err := os.WriteFile(filepath.Join(folder, uid+".json"), data, 0o644); err != nil {
			return 0, fmt.Errorf("writing dashboards: %w", err)
		}
		size += int64(len(data))
	}
	return size, nil
}

type object = map[string]any

func dashboard(uid string, number, panels int) object {
	datasource := object{"type": "prometheus", "uid": "${datasource}"}
	list := make([]object, panels)
	for i := range list {
		list[i] = object{
			"datasource":  datasource,
			"description": fmt.Sprintf("Endpoint %d of service %d.", i, number),
			"fieldConfig": object{
				"defaults": object{
					"color":      object{"mode": "palette-classic"},
					"thresholds": object{"mode": "absolute", "steps": []object{{"color": "green", "value": nil}}},
					"unit":       "reqps",
				},
				"overrides": []object{},
			},
			"gridPos": object{"h": 8, "w": 12, "x": i % 2 * 12, "y": i / 2 * 8},
			"id":      i + 1,
			"options": object{"tooltip": object{"mode": "multi"}},
			"targets": []object{{
				"datasource":   datasource,
				"expr":         fmt.Sprintf(`sum by (code) (rate(http_requests_total{job="service-%d", route="/endpoint/%d"}[$__rate_interval]))`, number, i),
				"legendFormat": "{{code}}",
				"refId":        "A",
			}},
			"title": fmt.Sprintf("Endpoint %d", i),
			"type":  "timeseries",
		}
	}
	return object{
		"editable":      false,
		"panels":        list,
		"refresh":       "1m",
		"schemaVersion": 38,
		"tags":          []string{"generated"},
		"templating": object{"list": []object{{
			"current": object{"selected": false, "text": "Prometheus", "value": "prometheus"},
			"name":    "datasource",
			"query":   "prometheus",
			"type":    "datasource",
		}}},
		"time":  object{"from": "now-1h", "to": "now"},
		"title": fmt.Sprintf("Service %d", number),
		"uid":   uid,
	}
}

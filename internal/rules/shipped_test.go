package rules

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lookout/internal/promql"
)

// keyword is what the robots' security setting asks for; the default of modules/dingtalk.
const keyword = "报警"

// root is the repository.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("there is no go.mod above the test")
		}
		dir = parent
	}
}

func shipped(t *testing.T) []*File {
	t.Helper()
	files, problems, err := CheckRepository(os.DirFS(root(t)), promql.NewParser(), keyword)
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	if len(files) == 0 {
		t.Fatal("there are no rule files in alerts/")
	}
	return files
}

func TestShippedRulesHaveRunbookAndPanel(t *testing.T) {
	type panel struct {
		ID          int     `json:"id"`
		Panels      []panel `json:"panels"`
		FieldConfig struct {
			Defaults struct {
				Thresholds struct {
					Steps []struct {
						Color string   `json:"color"`
						Value *float64 `json:"value"`
					} `json:"steps"`
				} `json:"thresholds"`
			} `json:"defaults"`
		} `json:"fieldConfig"`
	}

	var all []*Rule
	for _, file := range shipped(t) {
		all = append(all, file.Rules()...)
	}
	for _, rule := range all {
		name := rule.Alert
		t.Run(name, func(t *testing.T) {
			if _, err := os.Stat(filepath.Join(root(t), rule.Annotation("runbook_url"))); err != nil {
				t.Errorf("runbook: %v", err)
			}

			if name == "Watchdog" || strings.HasPrefix(name, "Drill") {
				// Nobody gets its message, or nothing is wrong, so there is nothing to look at.
				return
			}
			if rule.Panel == nil {
				t.Fatal("it has no panel to look at")
			}
			found, err := filepath.Glob(filepath.Join(root(t), "dashboards", "*", rule.Panel.Dashboard+".json"))
			if err != nil || len(found) != 1 {
				t.Fatalf("dashboard %q: found %v, %v", rule.Panel.Dashboard, found, err)
			}
			data, err := os.ReadFile(found[0])
			if err != nil {
				t.Fatal(err)
			}
			var dashboard struct {
				Panels []panel `json:"panels"`
			}
			if err := json.Unmarshal(data, &dashboard); err != nil {
				t.Fatal(err)
			}
			for _, p := range dashboard.Panels {
				if p.ID != rule.Panel.ID {
					continue
				}
				// Below-thresholds are lower bounds; a red area from there upwards would be the wrong way round.
				if rule.Threshold.Below {
					return
				}
				for _, step := range p.FieldConfig.Defaults.Thresholds.Steps {
					if step.Color == "red" && step.Value != nil && *step.Value == rule.Threshold.Value {
						return
					}
				}
				t.Errorf("panel %d of %s has no red line at %v", p.ID, rule.Panel.Dashboard, rule.Threshold.Value)
				return
			}
			t.Errorf("%s has no panel %d", rule.Panel.Dashboard, rule.Panel.ID)
		})
	}
}

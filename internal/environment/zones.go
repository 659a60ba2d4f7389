package environment

import (
	"fmt"
	"path"
	"time"
	_ "time/tzdata" // a machine may have no time zones of its own

	"go.yaml.in/yaml/v3"
)

// unknownZones names the time zones in a planned Alertmanager configuration that don't exist. Terraform cannot look
// them up, and Alertmanager's own checker would be asked only when other things are created already.
func unknownZones(c ResourceChange) (problems []string) {
	uploads, _ := c.Change.After["upload"].([]any)
	for _, u := range uploads {
		upload, _ := u.(map[string]any)
		file, _ := upload["file"].(string)
		content, _ := upload["content"].(string)
		if path.Base(file) != "alertmanager.yml" {
			continue
		}
		var config struct {
			Intervals []struct {
				Name  string `yaml:"name"`
				Spans []struct {
					Location string `yaml:"location"`
				} `yaml:"time_intervals"`
			} `yaml:"time_intervals"`
		}
		// What is not YAML is for Alertmanager's checker to say.
		if yaml.Unmarshal([]byte(content), &config) != nil {
			continue
		}
		for _, interval := range config.Intervals {
			for _, span := range interval.Spans {
				if _, err := time.LoadLocation(span.Location); err != nil {
					problems = append(problems, fmt.Sprintf("mute_intervals: %s is meant in the time zone %q, which does not exist: write an IANA name such as \"Asia/Shanghai\"",
						interval.Name, span.Location))
				}
			}
		}
	}
	return problems
}

// Package shipped lists the alerts and dashboards that Lookout comes with. What proves Lookout looks at these; what is yours is
// asked only for what has to hold anywhere: it lints, its unit tests pass, its metrics are exposed.
package shipped

import (
	"bytes"
	_ "embed"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed files.txt
var list string

// Files are their paths in the repository, sorted.
func Files() []string {
	files := strings.Fields(list)
	slices.Sort(files)
	return files
}

// Has reports whether a path of the repository is one of them, or the unit tests of one.
func Has(name string) bool {
	name = path.Clean(name)
	if rest, ok := strings.CutSuffix(name, ".test.yaml"); ok {
		name = rest + ".yaml"
	}
	return slices.Contains(Files(), name)
}

// Settings are those of an environment's alerts.yaml without what is said of groups and alerts that are not in names.
func Settings(data []byte, names map[string]bool) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("reading the settings of alerts: %w", err)
	}
	changed := false
	if len(doc.Content) == 1 && doc.Content[0].Kind == yaml.MappingNode {
		top := doc.Content[0].Content
		for i := 0; i+1 < len(top); i += 2 {
			section := top[i+1]
			if key := top[i].Value; key != "intervals" && key != "overrides" || section.Kind != yaml.MappingNode {
				continue
			}
			var kept []*yaml.Node
			for j := 0; j+1 < len(section.Content); j += 2 {
				if names[section.Content[j].Value] {
					kept = append(kept, section.Content[j], section.Content[j+1])
				} else {
					changed = true
				}
			}
			section.Content = kept
		}
	}
	if !changed {
		return data, nil
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&doc); err != nil {
		return nil, err
	}
	return out.Bytes(), encoder.Close()
}

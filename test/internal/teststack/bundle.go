package teststack

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"lookout/internal/docker"
)

// bundle writes what a person needs to see why a test failed into test-results/<test>/ and prints the
// path: logs, targets, rules, messages and states, without secrets.
func (s *Stack) bundle(t testing.TB) {
	if !t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir := filepath.Join(s.Checkout.Root, "test-results", strings.ReplaceAll(t.Name(), "/", "_"))
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
	save := func(name, text string, err error) {
		if err != nil {
			// What could not be had is part of the picture.
			text += "\n" + err.Error() + "\n"
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Error(err)
			return
		}
		if err := os.WriteFile(path, []byte(s.redacted(text)), 0o644); err != nil {
			t.Error(err)
		}
	}

	containers, err := s.inspect(ctx)
	save("containers/list.txt", list(containers), err)
	for _, c := range containers {
		service := strings.TrimPrefix(c.Name, s.Name+"-")
		out, err := docker.Logs(ctx, c.ID, 0)
		save("containers/"+service+".log", out, err)
		out, err = docker.Run(ctx, "inspect", c.ID)
		save("containers/"+service+".json", out, err)
	}
	pages := map[string]string{
		"prometheus/targets.json":       s.URL("prometheus") + "/api/v1/targets",
		"prometheus/rules.json":         s.URL("prometheus") + "/api/v1/rules",
		"prometheus/configuration.json": s.URL("prometheus") + "/api/v1/status/config",
		"relay/metrics.txt":             s.URL("relay") + "/metrics",
		"robot/messages.json":           s.URL("robot") + "/api/messages",
	}
	engine := map[string]string{
		"alertmanager/alerts.json":   s.URL("alertmanager") + "/api/v2/alerts",
		"alertmanager/silences.json": s.URL("alertmanager") + "/api/v2/silences",
		"alertmanager/status.json":   s.URL("alertmanager") + "/api/v2/status",
	}
	if s.Engine == Grafana {
		engine = map[string]string{
			"grafana/rules.json":             s.URL("grafana") + "/api/prometheus/grafana/api/v1/rules",
			"grafana/definitions.json":       s.URL("grafana") + "/api/v1/provisioning/alert-rules",
			"grafana/policies.json":          s.URL("grafana") + "/api/v1/provisioning/policies",
			"grafana/contact-points.json":    s.URL("grafana") + "/api/v1/provisioning/contact-points",
			"grafana/alertmanager.json":      s.URL("grafana") + "/api/alertmanager/grafana/api/v2/alerts",
			"grafana/alertmanager-conf.json": s.URL("grafana") + "/api/alertmanager/grafana/api/v2/status",
		}
	}
	maps.Copy(pages, engine)
	for name, url := range pages {
		page, err := s.Page(ctx, url)
		save(name, page, err)
	}
	for _, root := range s.Roots() {
		data, err := os.ReadFile(filepath.Join(root.TerraformDir, "terraform.tfstate"))
		save("terraform/"+filepath.Base(root.TerraformDir)+".tfstate", string(redactedState(data)), err)
	}
	save("terraform/output.log", s.log.String(), nil)
	t.Logf("logs, targets, rules, messages and states: %s", dir)
}

func list(containers []Container) string {
	var b strings.Builder
	for _, c := range containers {
		b.WriteString(c.ID[:12] + " " + c.Name)
		if !c.State.Running {
			b.WriteString(" (not running)")
		}
		b.WriteString("\n")
	}
	return b.String()
}

var token = regexp.MustCompile(`((?:access[_-]token|secret|sign)(?:=|%3[Dd]))[^&"\\\s]+`)

// redacted takes the secrets that this stack has out of a text.
func (s *Stack) redacted(text string) string {
	return token.ReplaceAllString(strings.ReplaceAll(text, s.Password, "REDACTED"), "${1}REDACTED")
}

// redactedState drops the value of every attribute that a state marks as sensitive. A state that it
// cannot read is dropped whole.
func redactedState(data []byte) []byte {
	var state map[string]any
	if err := json.Unmarshal(data, &state); err != nil {
		return nil
	}
	resources, _ := state["resources"].([]any)
	for _, r := range resources {
		resource, _ := r.(map[string]any)
		instances, _ := resource["instances"].([]any)
		for _, i := range instances {
			instance, _ := i.(map[string]any)
			attributes, _ := instance["attributes"].(map[string]any)
			paths, _ := instance["sensitive_attributes"].([]any)
			for _, p := range paths {
				steps, _ := p.([]any)
				if len(steps) == 0 {
					continue
				}
				// The attribute that holds the secret goes as a whole.
				step, _ := steps[0].(map[string]any)
				if name, ok := step["value"].(string); ok && attributes != nil {
					attributes[name] = "REDACTED"
				}
			}
		}
	}
	outputs, _ := state["outputs"].(map[string]any)
	for _, o := range outputs {
		if output, _ := o.(map[string]any); output["sensitive"] == true {
			output["value"] = "REDACTED"
		}
	}
	out, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return nil
	}
	return out
}

package environment

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// nouns are what people call the types of resources, and the attribute that names one.
var nouns = map[string][2]string{
	"docker_container":            {"container", "name"},
	"docker_image":                {"image", "name"},
	"docker_network":              {"network", "name"},
	"docker_volume":               {"volume", "name"},
	"grafana_contact_point":       {"contact point", "name"},
	"grafana_dashboard":           {"dashboard", "uid"},
	"grafana_data_source":         {"data source", "name"},
	"grafana_folder":              {"folder", "title"},
	"grafana_message_template":    {"message template", "name"},
	"grafana_mute_timing":         {"mute timing", "name"},
	"grafana_notification_policy": {"notification policy", ""},
	"grafana_rule_group":          {"rule group", "name"},
}

// verb is what happens to a resource, "" for nothing; mark is Terraform's own for it.
func (c ResourceChange) verb() (mark, verb string) {
	switch actions := c.Change.Actions; {
	case c.creates() && c.deletes():
		return "-/+", "replace"
	case c.creates():
		return "+", "create"
	case c.deletes():
		return "-", "remove"
	case slices.Contains(actions, "update"):
		return "~", "change"
	}
	return "", ""
}

// subject names the resource as a person would: "container lookout-prod-relay".
func (c ResourceChange) subject() string {
	noun, ok := nouns[c.Type]
	if !ok {
		return c.Address
	}
	from := c.Change.After
	if from == nil {
		from = c.Change.Before
	}
	if name, _ := from[noun[1]].(string); name != "" {
		return noun[0] + " " + name
	}
	if name, _ := c.Change.Before[noun[1]].(string); name != "" {
		return noun[0] + " " + name
	}
	return noun[0]
}

// differs are the attributes that change, each with its values where they are short and not secret. Those that force a replacement
// come alone where there are any: the rest follows from them.
func (c ResourceChange) differs() []string {
	if c.Change.Before == nil || c.Change.After == nil {
		return nil
	}
	names := map[string]bool{}
	for _, path := range c.Change.ReplacePaths {
		if len(path) > 0 {
			if name, ok := path[0].(string); ok {
				names[name] = true
			}
		}
	}
	if len(names) == 0 {
		for name, after := range c.Change.After {
			if before, ok := c.Change.Before[name]; ok && !reflect.DeepEqual(before, after) {
				names[name] = true
			}
		}
		for name, unknown := range c.Change.AfterUnknown {
			// What only becomes known with the apply is not what it was.
			if is, _ := unknown.(bool); is && !c.creates() {
				names[name] = true
			}
		}
	}
	var words []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		before, short := brief(c.Change.Before[name])
		after, alsoShort := brief(c.Change.After[name])
		secret := c.Change.BeforeSensitive.holds(name) || c.Change.AfterSensitive.holds(name)
		switch {
		case secret:
			words = append(words, name+" (secret)")
		case short && alsoShort && before != after:
			words = append(words, fmt.Sprintf("%s %s → %s", name, before, after))
		default:
			words = append(words, name)
		}
	}
	return words
}

// brief is a scalar as text; ok is false for what would not fit into a line.
func brief(v any) (text string, ok bool) {
	switch v := v.(type) {
	case nil:
		return "nothing", true
	case string:
		v = shortID(v)
		return fmt.Sprintf("%q", v), len(v) <= 60 && !strings.Contains(v, "\n")
	case bool, float64:
		return fmt.Sprint(v), true
	}
	return "", false
}

// shortID cuts the digest of an image to what people compare.
func shortID(v string) string {
	if hash, ok := strings.CutPrefix(v, "sha256:"); ok && len(hash) == 64 {
		return "sha256:" + hash[:12]
	}
	return v
}

// sensitive is Terraform's mark of what is secret: true for all, or by attribute.
type sensitive struct {
	all  bool
	some map[string]json.RawMessage
}

func (s *sensitive) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &s.all) == nil {
		return nil
	}
	return json.Unmarshal(data, &s.some)
}

// holds reports whether an attribute, or something below it, is secret.
func (s sensitive) holds(name string) bool {
	return s.all || strings.Contains(string(s.some[name]), "true")
}

// describe lists what a plan changes, one line each with its address; steps of Terraform's own are only counted.
func (p Plan) describe() []string {
	var lines []string
	steps := 0
	for _, c := range p.ResourceChanges {
		mark, verb := c.verb()
		switch {
		case verb == "":
			continue
		case c.Type == "terraform_data":
			steps++
			continue
		}
		line := fmt.Sprintf("%-3s %s %s", mark, verb, c.subject())
		if differs := c.differs(); len(differs) > 0 {
			line += ": " + strings.Join(differs, ", ")
		}
		if subject := c.subject(); subject != c.Address {
			line += " (" + c.Address + ")"
		}
		lines = append(lines, line)
	}
	if steps > 0 {
		lines = append(lines, fmt.Sprintf("    and %s that Terraform takes for itself: ports tried, servers told to reload", count(steps, "step")))
	}
	return lines
}

// replaced are the containers that a plan makes anew, apart from those that only check and carry files.
func (p Plan) replaced() []string {
	var names []string
	for _, c := range p.ResourceChanges {
		if c.Type != "docker_container" || !c.creates() || !c.deletes() {
			continue
		}
		if running, _ := c.Change.After["must_run"].(bool); !running {
			continue
		}
		words := c.subject()
		if differs := c.differs(); len(differs) > 0 {
			words += " (" + strings.Join(differs, ", ") + ")"
		}
		names = append(names, words)
	}
	return names
}

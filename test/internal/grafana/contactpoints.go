package grafana

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// An integration is one way of one contact point; the contact point is no more than their common name.
type integration struct {
	uid, name, kind       string
	settings              map[string]any
	disableResolveMessage bool
	provenance            string
	fallback              bool // Grafana's own e-mail
}

const (
	defaultReceiver = "grafana-default-email"
	redacted        = "[REDACTED]"
)

// secrets are the settings that are not shown. DingDing's url is not one of them in the recorded version.
var secrets = map[string][]string{"webhook": {"password", "authorization_credentials"}}

func defaultIntegration() *integration {
	return &integration{name: "email receiver", kind: "email", settings: map[string]any{"addresses": "<example@email.com>"}, fallback: true}
}

// receiver is the name by which a policy knows it.
func (i *integration) receiver() string {
	if i.fallback {
		return defaultReceiver
	}
	return i.name
}

func (s *Server) contactPointRoutes() []route {
	const all, one = "/api/v1/provisioning/contact-points", "/api/v1/provisioning/contact-points/{uid}"
	return []route{
		{method: "GET", path: all, query: []string{"name"}, needs: readRules, role: Admin, answer: listContactPoints},
		{method: "POST", path: all, needs: writeRules, role: Admin, answer: createContactPoint},
		{method: "PUT", path: one, needs: writeRules, role: Admin, answer: putContactPoint},
		{method: "DELETE", path: one, needs: writeRules, role: Admin, answer: deleteContactPoint},
	}
}

// json is an integration as a list shows it: of the secrets those that are set. The answer to a POST has all of its kind.
func (i *integration) json(posted bool) map[string]any {
	settings := maps.Clone(i.settings)
	for _, name := range secrets[i.kind] {
		if _, set := settings[name]; set || posted {
			settings[name] = redacted
		}
	}
	body := map[string]any{
		"uid": i.uid, "name": i.name, "type": i.kind, "settings": settings, "disableResolveMessage": i.disableResolveMessage,
	}
	if i.provenance != "" {
		body["provenance"] = i.provenance
	}
	return body
}

func listContactPoints(c *call) answer {
	sorted := slices.Clone(c.integrations)
	slices.SortStableFunc(sorted, func(a, b *integration) int { return strings.Compare(a.name, b.name) })
	out := []any{}
	for _, i := range sorted {
		if name, ok := c.query["name"]; !ok || name[0] == i.name {
			out = append(out, i.json(false))
		}
	}
	return answer{status: http.StatusOK, body: out}
}

type contactPointCommand struct {
	UID                   string
	Name                  string
	Type                  string
	Settings              map[string]any
	DisableResolveMessage bool
}

// check looks at what the product uses; ok is false for kinds that were not recorded.
func (in contactPointCommand) check() (err error, ok bool) {
	invalid := func(text string, args ...any) error {
		return refuse(http.StatusBadRequest, "invalid object specification: "+text, args...)
	}
	integration := func(text string) error {
		return invalid("failed to validate integration %q (UID %s) of type %q: %s", in.Name, in.UID, in.Type, text)
	}
	required := map[string][2]string{
		"dingding": {"url", "could not find url property in settings"},
		"email":    {"addresses", "could not find addresses in settings"},
		"webhook":  {"url", "required field 'url' is not specified"},
	}
	switch {
	case in.Type == "":
		return invalid("type should not be an empty string"), true
	case in.Settings == nil:
		return invalid("settings should not be empty"), true
	}
	if want, known := required[in.Type]; known {
		if text, _ := in.Settings[want[0]].(string); text == "" {
			return integration(want[1]), true
		}
		return nil, true
	}
	if slices.Contains(kinds, in.Type) {
		return nil, false
	}
	return integration(fmt.Sprintf("notifier %s is not supported", in.Type)), true
}

// kinds are those that Grafana knows and nobody recorded.
var kinds = strings.Fields("alertmanager discord googlechat kafka line opsgenie pagerduty pushover sensugo slack teams telegram threema victorops webex wecom")

func createContactPoint(c *call) answer {
	var in contactPointCommand
	if err := c.decode(&in); err != nil {
		return badRequest
	}
	err, ok := in.check()
	switch {
	case !ok || in.Name == "":
		return answer{}
	case err != nil:
		return refused("", err)
	}
	for _, other := range c.integrations {
		if in.UID != "" && other.uid == in.UID {
			return failed(http.StatusInternalServerError,
				"receiver configuration with UID '%s' already exist in contact point '%s'. Please use unique identifiers for receivers across all contact points",
				in.UID, other.name)
		}
	}
	// A name that is there already is not a conflict: this is its second integration.
	i := &integration{
		uid: cmp.Or(in.UID, c.uid()), name: in.Name, kind: in.Type, settings: in.Settings,
		disableResolveMessage: in.DisableResolveMessage, provenance: c.origin(),
	}
	c.integrations = append(c.integrations, i)
	return answer{status: http.StatusAccepted, body: i.json(true)}
}

func (c *call) integration() *integration {
	for _, i := range c.integrations {
		if i.uid == c.part("uid") {
			return i
		}
	}
	return nil
}

func putContactPoint(c *call) answer {
	var in contactPointCommand
	if err := c.decode(&in); err != nil {
		return badRequest
	}
	in.UID = c.part("uid")
	err, ok := in.check()
	switch {
	case !ok || in.Name == "":
		return answer{}
	case err != nil:
		return refused("", err)
	}
	i := c.integration()
	if i == nil {
		return failed(http.StatusNotFound, "object not found: contact point with uid '%s' not found", in.UID)
	}
	if c.unprovenanced() && i.provenance != "" {
		return failed(http.StatusInternalServerError, "cannot change provenance from '%s' to ''", i.provenance)
	}
	for _, name := range secrets[in.Type] {
		// Documented: what comes back as it was shown stays as it is.
		if in.Settings[name] == redacted {
			in.Settings[name] = i.settings[name]
		}
	}
	i.name, i.kind, i.settings, i.disableResolveMessage, i.provenance = in.Name, in.Type, in.Settings, in.DisableResolveMessage, c.origin()
	return message(http.StatusAccepted, "contactpoint updated")
}

// deleteContactPoint knows no missing one; the last integration of a name that the policy uses has to stay.
func deleteContactPoint(c *call) answer {
	if i := c.integration(); i != nil {
		last := !slices.ContainsFunc(c.integrations, func(o *integration) bool { return o != i && o.receiver() == i.receiver() })
		if last && c.policy.uses(func(p *policy) bool { return p.Receiver == i.receiver() }) {
			return failed(http.StatusInternalServerError, "contact point '%s' is currently used by a notification policy", i.name)
		}
		c.integrations = slices.DeleteFunc(c.integrations, func(o *integration) bool { return i == o })
	}
	return message(http.StatusAccepted, "contactpoint deleted")
}

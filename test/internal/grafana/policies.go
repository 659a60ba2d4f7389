package grafana

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// A policy is one node of the tree, in Grafana's field names and order.
type policy struct {
	Receiver       string            `json:"receiver,omitempty"`
	GroupBy        []string          `json:"group_by,omitempty"`
	Match          map[string]string `json:"match,omitempty"`
	MatchRE        map[string]string `json:"match_re,omitempty"`
	Matchers       []string          `json:"matchers,omitempty"`
	ObjectMatchers []matcher         `json:"object_matchers,omitempty"`
	MuteTimings    []string          `json:"mute_time_intervals,omitempty"`
	// Documented: from 12.1.
	ActiveTimings  []string  `json:"active_time_intervals,omitempty"`
	Continue       bool      `json:"continue,omitempty"`
	Routes         []policy  `json:"routes,omitempty"`
	GroupWait      *duration `json:"group_wait,omitempty"`
	GroupInterval  *duration `json:"group_interval,omitempty"`
	RepeatInterval *duration `json:"repeat_interval,omitempty"`
}

// A matcher is a list of name, operator and value.
type matcher struct{ Name, Operator, Value string }

func (m matcher) MarshalJSON() ([]byte, error) {
	return json.Marshal([3]string{m.Name, m.Operator, m.Value})
}

func (m *matcher) UnmarshalJSON(data []byte) error {
	var parts []string
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	if len(parts) != 3 {
		return fmt.Errorf("a matcher of %d parts", len(parts))
	}
	*m = matcher{parts[0], parts[1], parts[2]}
	switch m.Operator {
	case "=", "!=":
		return nil
	case "=~", "!~":
		_, err := regexp.Compile("^(?:" + m.Value + ")$")
		return err
	}
	return fmt.Errorf("operator %q", m.Operator)
}

func defaultPolicy() policy {
	return policy{Receiver: defaultReceiver, GroupBy: []string{"grafana_folder", "alertname"}}
}

func (p *policy) uses(is func(*policy) bool) bool {
	if is(p) {
		return true
	}
	for i := range p.Routes {
		if p.Routes[i].uses(is) {
			return true
		}
	}
	return false
}

// sound is what makes the body one that can be read at all.
func (p *policy) sound() error {
	seen := map[string]bool{}
	for _, label := range p.GroupBy {
		if seen[label] || label == "..." && len(p.GroupBy) > 1 {
			return errors.New("group_by")
		}
		seen[label] = true
	}
	for _, d := range []*duration{p.GroupInterval, p.RepeatInterval} {
		if d != nil && d.Duration == 0 {
			return errors.New("zero interval")
		}
	}
	slices.SortStableFunc(p.ObjectMatchers, func(a, b matcher) int { return strings.Compare(a.Name, b.Name) })
	for i := range p.Routes {
		if err := p.Routes[i].sound(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) policyRoutes() []route {
	const path = "/api/v1/provisioning/policies"
	return []route{
		{method: "GET", path: path, needs: readRules, role: Admin, answer: getPolicy},
		{method: "PUT", path: path, needs: writeRules, role: Admin, answer: putPolicy},
		{method: "DELETE", path: path, needs: writeRules, role: Admin, answer: deletePolicy},
	}
}

type provenancedPolicy struct {
	policy
	Provenance string `json:"provenance,omitempty"`
}

func getPolicy(c *call) answer {
	return answer{status: http.StatusOK, body: provenancedPolicy{c.policy, c.provenance}}
}

func putPolicy(c *call) answer {
	var in policy
	if err := c.decode(&in); err != nil || in.sound() != nil {
		return badRequest
	}
	if in.Receiver == "" || len(in.MuteTimings) > 0 {
		return badRequest
	}
	if in.Continue {
		return failed(http.StatusInternalServerError, "change would result in an invalid configuration state: cannot have continue in root route")
	}
	if err := c.refers(&in); err != nil {
		return refused("invalid object specification: ", err)
	}
	if !c.version.from(12, 1, 0) && in.uses(func(p *policy) bool { return len(p.ActiveTimings) > 0 }) {
		return answer{}
	}
	c.policy, c.Server.provenance = in, c.origin()
	return message(http.StatusAccepted, "policies updated")
}

// refers refuses names that nothing has. Every route needs a receiver: none is inherited.
func (c *call) refers(p *policy) error {
	if !slices.ContainsFunc(c.integrations, func(i *integration) bool { return i.receiver() == p.Receiver }) && p.Receiver != defaultReceiver {
		return refuse(http.StatusBadRequest, "receiver '%s' does not exist", p.Receiver)
	}
	for _, name := range slices.Concat(p.MuteTimings, p.ActiveTimings) {
		if c.muteTiming(name) == nil {
			return refuse(http.StatusBadRequest, "mute time interval '%s' does not exist", name)
		}
	}
	for i := range p.Routes {
		if err := c.refers(&p.Routes[i]); err != nil {
			return err
		}
	}
	return nil
}

func deletePolicy(c *call) answer {
	c.policy, c.Server.provenance = defaultPolicy(), ""
	return answer{status: http.StatusAccepted, body: c.policy}
}

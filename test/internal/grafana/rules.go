package grafana

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A rule is kept in Grafana's field names. What a later version knows besides is left out of answers while it is unset.
type rule struct {
	ID           int               `json:"id"`
	UID          string            `json:"uid"`
	OrgID        int               `json:"orgID"`
	FolderUID    string            `json:"folderUID"`
	RuleGroup    string            `json:"ruleGroup"`
	Title        string            `json:"title"`
	Condition    string            `json:"condition"`
	Data         []query           `json:"data"`
	Updated      string            `json:"updated"`
	NoDataState  string            `json:"noDataState"`
	ExecErrState string            `json:"execErrState"`
	For          duration          `json:"for"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
	IsPaused     bool              `json:"isPaused"`
	Provenance   string            `json:"provenance,omitempty"`

	// Documented: from 11.6.
	KeepFiringFor *duration `json:"keep_firing_for,omitempty"`
	// Documented: from 12.0.
	MissingSeriesEvalsToResolve *int `json:"missingSeriesEvalsToResolve,omitempty"`
	// Documented: from 10.4.
	NotificationSettings map[string]any `json:"notification_settings,omitempty"`

	interval, place int
	written         time.Time
}

type query struct {
	RefID     string `json:"refId"`
	QueryType string `json:"queryType"`
	Range     struct {
		From int `json:"from"`
		To   int `json:"to"`
	} `json:"relativeTimeRange"`
	DatasourceUID string          `json:"datasourceUid"`
	Model         json.RawMessage `json:"model"`
}

const (
	baseInterval    = 10 // seconds
	defaultInterval = 60
	maxRuleTitle    = 190
	expressions     = "__expr__"
	yearOne         = "0001-01-01T00:00:00Z"
	readRules       = "alert.provisioning:read"
	writeRules      = "alert.provisioning:write"
)

func (s *Server) ruleRoutes() []route {
	const group, all, one = "/api/v1/provisioning/folder/{folder}/rule-groups/{group}", "/api/v1/provisioning/alert-rules", "/api/v1/provisioning/alert-rules/{uid}"
	return []route{
		{method: "GET", path: group, needs: readRules, role: Admin, answer: getGroup},
		{method: "PUT", path: group, needs: writeRules, role: Admin, answer: putGroup},
		{method: "GET", path: all, needs: readRules, role: Admin, answer: listRules},
		{method: "POST", path: all, needs: writeRules, role: Admin, answer: createRule},
		{method: "GET", path: one, needs: readRules, role: Admin, answer: getRule},
		{method: "PUT", path: one, needs: writeRules, role: Admin, answer: putRule},
		{method: "DELETE", path: one, needs: writeRules, role: Admin, answer: deleteRule},
		// What the user interface does to a group; recorded for one that was provisioned.
		{method: "DELETE", path: "/api/ruler/grafana/api/v1/rules/{title}/{group}", needs: "alert.rules:delete", role: Editor, answer: rulerDelete},
	}
}

// group are the rules of one group in their order.
func (s *Server) group(folder, name string) []*rule {
	var out []*rule
	for _, r := range s.rules {
		if r.FolderUID == folder && r.RuleGroup == name {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b *rule) int { return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(a.ID, b.ID)) })
	return out
}

func (s *Server) rule(uid string) *rule {
	if i := slices.IndexFunc(s.rules, func(r *rule) bool { return r.UID == uid }); i >= 0 && uid != "" {
		return s.rules[i]
	}
	return nil
}

// groupJSON is a group; its rules don't say where they come from.
func groupJSON(folder, name string, interval int, rules []*rule, updated func(*rule) string) answer {
	shown := []rule{}
	for _, r := range rules {
		one := *r
		one.Provenance, one.Updated = "", updated(r)
		shown = append(shown, one)
	}
	return answer{status: http.StatusOK, body: map[string]any{"title": name, "folderUid": folder, "interval": interval, "rules": shown}}
}

func getGroup(c *call) answer {
	rules := c.group(c.part("folder"), c.part("group"))
	if len(rules) == 0 {
		return failed(http.StatusNotFound, "rulegroup not found")
	}
	return groupJSON(c.part("folder"), c.part("group"), rules[0].interval, rules, func(r *rule) string { return whole(r.written) })
}

// A refusal is an error with its status.
type refusal struct {
	status int
	text   string
}

func (r refusal) Error() string { return r.text }

func refuse(status int, format string, args ...any) error {
	return refusal{status, fmt.Sprintf(format, args...)}
}

// refused answers an error; before stands before its text.
func refused(before string, err error) answer {
	var r refusal
	if !errors.As(err, &r) {
		return failed(http.StatusInternalServerError, "%s%s", before, err)
	}
	return failed(r.status, "%s%s", before, r.text)
}

// annotated refuses a link to a panel that is half or no number.
func (r *rule) annotated() error {
	_, dashboard := r.Annotations["__dashboardUid__"]
	panel, hasPanel := r.Annotations["__panelId__"]
	if dashboard != hasPanel {
		return refuse(http.StatusInternalServerError, "both annotations __dashboardUid__ and __panelId__ must be specified")
	}
	if !hasPanel {
		return nil
	}
	if _, err := strconv.ParseInt(panel, 10, 64); err != nil {
		return refuse(http.StatusInternalServerError, "annotation __panelId__ must be a valid integer Panel ID")
	}
	return nil
}

// complete checks a rule and fills in what Grafana does before it is stored.
func (s *Server) complete(r *rule) error {
	states := func(own ...string) []string {
		if s.version.from(10, 4, 0) {
			own = append(own, "KeepLast") // documented
		}
		return own
	}
	switch {
	case len(r.Data) == 0:
		return refuse(http.StatusBadRequest, "invalid alert rule: no queries or expressions are found")
	case r.Title == "":
		return refuse(http.StatusBadRequest, "invalid alert rule: title is empty")
	case len(r.Title) > maxRuleTitle:
		return refuse(http.StatusBadRequest, "invalid alert rule: name length should not be greater than %d", maxRuleTitle)
	case !slices.Contains(states("Alerting", "Error", "OK"), r.ExecErrState):
		return refuse(http.StatusInternalServerError, "unknown Error state option %s", r.ExecErrState)
	case !slices.Contains(states("Alerting", "NoData", "OK"), r.NoDataState):
		return refuse(http.StatusInternalServerError, "unknown NoData state option %s", r.NoDataState)
	}
	for i := range r.Data {
		q := &r.Data[i]
		wrong := func(format string, args ...any) error {
			return refuse(http.StatusInternalServerError, "invalid alert query %s: "+format, append([]any{q.RefID}, args...)...)
		}
		var model map[string]any
		d := json.NewDecoder(bytes.NewReader(q.Model))
		d.UseNumber()
		if err := d.Decode(&model); err != nil {
			if len(q.Model) == 0 {
				err = errors.New("unexpected end of JSON input")
			}
			return wrong("failed to set query type to query model: failed to unmarshal query model: %s", err)
		}
		if from, to := time.Duration(q.Range.From)*time.Second, time.Duration(q.Range.To)*time.Second; q.DatasourceUID != expressions && from <= to {
			return wrong("invalid relative time range: {From:%s To:%s}", from, to)
		}
		for name, value := range map[string]string{"intervalMs": "1000", "maxDataPoints": "43200"} {
			if _, ok := model[name]; !ok {
				model[name] = json.Number(value)
			}
		}
		q.Model, _ = json.Marshal(model)
	}
	r.OrgID = 1
	if !s.version.from(11, 6, 0) {
		r.KeepFiringFor = nil
	}
	if !s.version.from(12, 0, 0) {
		r.MissingSeriesEvalsToResolve = nil
	}
	if !s.version.from(10, 4, 0) {
		r.NotificationSettings = nil
	}
	return nil
}

// titleFree refuses a title that another rule of the folder has.
func (s *Server) titleFree(r *rule) error {
	for _, other := range s.rules {
		if other.UID != r.UID && other.FolderUID == r.FolderUID && other.Title == r.Title {
			return refuse(http.StatusInternalServerError,
				"a conflicting alert rule is found: rule title under the same organisation and folder should be unique")
		}
	}
	return nil
}

// same says whether two versions of a rule differ in nothing that Grafana counts as a change; the place in the group does not.
func same(a, b *rule) bool {
	strip := func(r *rule) rule {
		c := *r
		c.ID, c.Updated, c.Provenance, c.place, c.written = 0, "", "", 0, time.Time{}
		if len(c.Labels) == 0 {
			c.Labels = nil
		}
		if len(c.Annotations) == 0 {
			c.Annotations = nil
		}
		return c
	}
	return reflect.DeepEqual(strip(a), strip(b))
}

func putGroup(c *call) answer {
	var in struct {
		Interval int
		Rules    []rule
	}
	if err := c.decode(&in); err != nil {
		return badRequest
	}
	folder, name := c.part("folder"), c.part("group")
	for i := range in.Rules {
		if in.Rules[i].For.Duration < 0 {
			return badRequest
		}
	}
	if in.Interval <= 0 || in.Interval%baseInterval != 0 {
		return failed(http.StatusBadRequest, "invalid alert rule: interval (%s) should be non-zero and divided exactly by scheduler interval: %d",
			time.Duration(in.Interval)*time.Second, baseInterval)
	}
	for i := range in.Rules {
		if err := in.Rules[i].annotated(); err != nil {
			return refused("", err)
		}
	}
	// The answer shows what was sent, with the durations respelled.
	var sent []*rule
	for i := range in.Rules {
		one := in.Rules[i]
		one.OrgID, one.Data = 1, slices.Clone(one.Data)
		if at, err := time.Parse(time.RFC3339Nano, cmp.Or(one.Updated, yearOne)); err != nil {
			return badRequest
		} else {
			one.Updated = at.Format(time.RFC3339Nano)
		}
		sent = append(sent, &one)
	}
	echo := groupJSON(folder, name, in.Interval, sent, func(r *rule) string { return r.Updated })
	if len(in.Rules) == 0 {
		// Recorded: nothing is deleted either.
		return echo
	}
	before := slices.Clone(c.rules)
	undo := func(a answer) answer {
		c.rules = before
		return a
	}
	known := map[string]bool{}
	var added, changed []*rule
	for i := range in.Rules {
		r := in.Rules[i]
		r.FolderUID, r.RuleGroup, r.interval, r.place = folder, name, in.Interval, i+1
		if r.UID == "" || c.version.from(11, 5, 2) && c.rule(r.UID) == nil { // the second is documented
			added = append(added, &r)
			continue
		}
		if c.rule(r.UID) == nil {
			return failed(http.StatusInternalServerError,
				"failed to calculate diff for alert rules: failed to update rule with UID %s because could not find alert rule", r.UID)
		}
		known[r.UID] = true
		changed = append(changed, &r)
	}
	now := c.now()
	const insert, update = "failed to insert alert rules: ", "failed to update alert rules: "
	for _, r := range added {
		if err := c.complete(r); err != nil {
			return undo(refused(insert, err))
		}
		r.UID = cmp.Or(r.UID, c.uid())
		if err := c.titleFree(r); err != nil {
			return undo(refused(insert, err))
		}
		r.ID, r.written, r.Provenance = c.id("rule"), now, c.origin()
		c.rules = append(c.rules, r)
		known[r.UID] = true
	}
	for _, r := range changed {
		was := c.rule(r.UID)
		if err := c.complete(r); err != nil {
			return undo(refused(update, err))
		}
		r.ID = was.ID
		if same(was, r) {
			continue
		}
		if c.unprovenanced() && was.Provenance != "" {
			return undo(failed(http.StatusInternalServerError, "cannot change provenance from '%s' to ''", was.Provenance))
		}
		if err := c.titleFree(r); err != nil {
			return undo(refused(update, err))
		}
		r.written, r.Provenance = now, c.origin()
		c.replace(was, r)
	}
	c.rules = slices.DeleteFunc(c.rules, func(r *rule) bool { return r.FolderUID == folder && r.RuleGroup == name && !known[r.UID] })
	return echo
}

// replace puts one rule in another's stead; the list itself may still be needed as it was.
func (c *call) replace(old, new *rule) {
	c.rules = slices.Clone(c.rules)
	c.rules[slices.Index(c.rules, old)] = new
	// Documented: alerts of a rule that was edited are resolved, with the reason Updated.
	delete(c.instances, old.UID)
}

func (c *call) origin() string {
	if c.unprovenanced() {
		return ""
	}
	return "api"
}

func listRules(c *call) answer {
	sorted := slices.Clone(c.rules)
	slices.SortStableFunc(sorted, func(a, b *rule) int {
		return cmp.Or(strings.Compare(a.FolderUID, b.FolderUID), strings.Compare(a.RuleGroup, b.RuleGroup), cmp.Compare(a.place, b.place), cmp.Compare(a.ID, b.ID))
	})
	out := []rule{}
	for _, r := range sorted {
		out = append(out, r.shown(whole))
	}
	return answer{status: http.StatusOK, body: out}
}

func (r *rule) shown(stamp func(time.Time) string) rule {
	one := *r
	one.Updated = stamp(r.written)
	return one
}

func getRule(c *call) answer {
	r := c.rule(c.part("uid"))
	if r == nil {
		return gone
	}
	return answer{status: http.StatusOK, body: r.shown(whole)}
}

func createRule(c *call) answer {
	var r rule
	if err := c.decode(&r); err != nil || r.For.Duration < 0 {
		return badRequest
	}
	if err := r.annotated(); err != nil {
		return refused("", err)
	}
	if err := c.complete(&r); err != nil {
		return refused("", err)
	}
	if c.rule(r.UID) != nil {
		// Recorded: the same words as for a title.
		return failed(http.StatusInternalServerError,
			"a conflicting alert rule is found: rule title under the same organisation and folder should be unique")
	}
	r.UID = cmp.Or(r.UID, c.uid())
	if err := c.titleFree(&r); err != nil {
		return refused("", err)
	}
	r.interval = defaultInterval
	others := c.group(r.FolderUID, r.RuleGroup)
	if len(others) > 0 {
		r.interval = others[0].interval
	}
	r.ID, r.place, r.written, r.Provenance = c.id("rule"), len(others)+1, c.now(), c.origin()
	c.rules = append(c.rules, &r)
	return answer{status: http.StatusCreated, body: r.shown(fine)}
}

func putRule(c *call) answer {
	var r rule
	if err := c.decode(&r); err != nil || r.For.Duration < 0 {
		return badRequest
	}
	was := c.rule(c.part("uid"))
	if was == nil {
		return gone
	}
	if err := r.annotated(); err != nil {
		return refused("", err)
	}
	if err := c.complete(&r); err != nil {
		return refused("", err)
	}
	r.UID = was.UID
	if err := c.titleFree(&r); err != nil {
		return refused("", err)
	}
	if c.unprovenanced() && was.Provenance != "" {
		return failed(http.StatusInternalServerError, "cannot change provenance from '%s' to ''", was.Provenance)
	}
	r.ID, r.interval, r.place, r.written, r.Provenance = was.ID, was.interval, was.place, c.now(), c.origin()
	c.replace(was, &r)
	return answer{status: http.StatusOK, body: r.shown(fine)}
}

// deleteRule knows no missing rule.
func deleteRule(c *call) answer {
	c.rules = slices.DeleteFunc(slices.Clone(c.rules), func(r *rule) bool { return r.UID == c.part("uid") })
	return answer{status: http.StatusNoContent}
}

func rulerDelete(c *call) answer {
	f := c.folderTitled(c.part("title"))
	if f == nil {
		return noFolder
	}
	for _, r := range c.group(f.uid, c.part("group")) {
		if r.Provenance != "" {
			return failed(http.StatusBadRequest, "failed to delete rule group: request affects resources created via provisioning API")
		}
	}
	return answer{}
}

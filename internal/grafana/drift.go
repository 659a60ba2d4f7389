package grafana

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"lookout/internal/dashboard"
)

// Drift is one difference between what was applied and what Grafana holds.
type Drift struct {
	// Kind is "rule", "contact-point" or "datasource".
	Kind string
	// Name is its title, UID its uid.
	Name, UID string
	// Text says what differs; Before and After the values, nil where there is none.
	Text          string
	Before, After *dashboard.Node
	// By is who changed it last, "" if Grafana does not say.
	By string
}

// Applied is what Terraform recorded of the parts that Lookout manages, by uid.
type Applied struct {
	Rules, ContactPoints, DataSources map[string]*dashboard.Node
}

// ReadState takes what Lookout manages out of the output of "terraform show -json". It describes rules, contact points and data sources in the words of
// Grafana's API, so that both can be compared.
func ReadState(name string, data []byte) (*Applied, error) {
	doc, err := dashboard.Parse(name, data)
	if err != nil {
		return nil, err
	}
	if !doc.Root.Has("format_version") {
		return nil, fmt.Errorf("%s is not the output of terraform show -json (no format_version)", name)
	}
	a := &Applied{map[string]*dashboard.Node{}, map[string]*dashboard.Node{}, map[string]*dashboard.Node{}}
	a.module(doc.Root.Path("values", "root_module"))
	return a, nil
}

func (a *Applied) module(m *dashboard.Node) {
	for _, r := range m.Get("resources").Items() {
		v := r.Get("values")
		switch r.Get("type").Text() {
		case "grafana_rule_group":
			for _, rule := range v.Get("rule").Items() {
				a.Rules[rule.Get("uid").Text()] = stateRule(v, rule)
			}
		case "grafana_contact_point":
			a.contactPoint(v)
		case "grafana_data_source":
			a.DataSources[v.Get("uid").Text()] = stateDataSource(v)
		}
	}
	for _, c := range m.Get("child_modules").Items() {
		a.module(c)
	}
}

// put copies a member if it says something.
func put(to *dashboard.Node, key string, v *dashboard.Node) {
	if v == nil || v.Is(dashboard.Null) || v.Is(dashboard.String) && v.Text() == "" || (v.Is(dashboard.Object) || v.Is(dashboard.Array)) && v.Len() == 0 {
		return
	}
	to.Set(key, v.Clone())
}

func stateRule(group, rule *dashboard.Node) *dashboard.Node {
	out := dashboard.NewObject()
	put(out, "title", rule.Get("name"))
	put(out, "group", group.Get("name"))
	put(out, "condition", rule.Get("condition"))
	put(out, "for", rule.Get("for"))
	put(out, "labels", rule.Get("labels"))
	put(out, "annotations", rule.Get("annotations"))
	put(out, "noDataState", rule.Get("no_data_state"))
	put(out, "execErrState", rule.Get("exec_err_state"))
	put(out, "isPaused", rule.Get("is_paused"))
	data := dashboard.NewObject()
	for _, d := range rule.Get("data").Items() {
		q := dashboard.NewObject()
		put(q, "datasourceUid", d.Get("datasource_uid"))
		if model, err := dashboard.Parse("", []byte(d.Get("model").Text())); err == nil {
			put(q, "model", tidyModel(model.Root))
		}
		if rr := d.Get("relative_time_range").At(0); rr != nil {
			put(q, "relativeTimeRange", rr)
		}
		data.Set(d.Get("ref_id").Text(), q)
	}
	put(out, "data", data)
	return out
}

func apiRule(rule *dashboard.Node) *dashboard.Node {
	out := dashboard.NewObject()
	put(out, "title", rule.Get("title"))
	put(out, "group", rule.Get("ruleGroup"))
	for _, key := range []string{"condition", "for", "labels", "annotations", "noDataState", "execErrState", "isPaused"} {
		put(out, key, rule.Get(key))
	}
	data := dashboard.NewObject()
	for _, d := range rule.Get("data").Items() {
		q := dashboard.NewObject()
		put(q, "datasourceUid", d.Get("datasourceUid"))
		put(q, "model", tidyModel(d.Get("model")))
		put(q, "relativeTimeRange", d.Get("relativeTimeRange"))
		data.Set(d.Get("refId").Text(), q)
	}
	put(out, "data", data)
	return out
}

// tidyModel leaves out what Grafana adds to every query.
func tidyModel(m *dashboard.Node) *dashboard.Node {
	if !m.Is(dashboard.Object) {
		return m
	}
	m = m.Clone()
	for key, value := range map[string]string{"intervalMs": "1000", "maxDataPoints": "43200", "refId": "", "hide": "false"} {
		if n := m.Get(key); n != nil && (value == "" || n.Compact() == value) {
			m.Remove(key)
		}
	}
	return m
}

// notSettings are members of a contact point's block that are no settings of the notifier.
var notSettings = []string{"uid", "disable_resolve_message", "settings"}

func (a *Applied) contactPoint(v *dashboard.Node) {
	for _, block := range v.Children() {
		for _, p := range block.Items() {
			if !p.Is(dashboard.Object) || !p.Has("uid") {
				continue
			}
			out := dashboard.NewObject()
			put(out, "name", v.Get("name"))
			put(out, "type", dashboard.NewString(block.Key()))
			put(out, "disableResolveMessage", p.Get("disable_resolve_message"))
			settings := dashboard.NewObject()
			for _, m := range p.Children() {
				if !slices.Contains(notSettings, m.Key()) {
					put(settings, settingName(m.Key()), m)
				}
			}
			out.Set("settings", settings)
			a.ContactPoints[p.Get("uid").Text()] = out
		}
	}
}

// settingName is a provider's attribute in the words of Grafana's API, which are its attributes in camel case with few exceptions.
func settingName(attribute string) string {
	switch attribute {
	case "message_type":
		return "msgType"
	case "basic_auth_user":
		return "username"
	case "basic_auth_password":
		return "password"
	}
	return camel(attribute)
}

func camel(s string) string {
	parts := strings.Split(s, "_")
	for i, p := range parts[1:] {
		if p != "" {
			parts[i+1] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, "")
}

func stateDataSource(v *dashboard.Node) *dashboard.Node {
	out := dashboard.NewObject()
	put(out, "name", v.Get("name"))
	put(out, "type", v.Get("type"))
	put(out, "url", v.Get("url"))
	put(out, "access", v.Get("access_mode"))
	put(out, "isDefault", v.Get("is_default"))
	if doc, err := dashboard.Parse("", []byte(v.Get("json_data_encoded").Text())); err == nil {
		put(out, "jsonData", doc.Root)
	}
	return out
}

func apiDataSource(v *dashboard.Node) *dashboard.Node {
	out := dashboard.NewObject()
	for _, key := range []string{"name", "type", "url", "access", "isDefault", "jsonData"} {
		put(out, key, v.Get(key))
	}
	return out
}

// Holds is what Grafana holds now.
type Holds struct {
	Rules, ContactPoints, DataSources []*dashboard.Node
}

// Drifts compares what was applied with what Grafana holds. Things that Terraform does not know count as made by hand, except Grafana's own first contact
// point.
func (a *Applied) Drifts(h Holds) []Drift {
	var out []Drift
	out = append(out, drifts("rule", "title", a.Rules, h.Rules, apiRule)...)
	out = append(out, drifts("contact-point", "name", a.ContactPoints, slices.DeleteFunc(slices.Clone(h.ContactPoints), func(n *dashboard.Node) bool {
		_, known := a.ContactPoints[n.Get("uid").Text()]
		return !known && n.Get("type").Text() == "email" && strings.Contains(n.Path("settings", "addresses").Text(), "<example@email.com>")
	}), nil)...)
	return append(out, drifts("datasource", "name", a.DataSources, h.DataSources, apiDataSource)...)
}

// secretPath matches settings of contact points that are secrets or hold one, as the access token in the address of a robot.
var secretPath = regexp.MustCompile(`(?i)^settings\..*(url|password|token|secret|key|authorization|credentials)`)

func drifts(kind, nameKey string, applied map[string]*dashboard.Node, held []*dashboard.Node, shape func(*dashboard.Node) *dashboard.Node) []Drift {
	var out []Drift
	seen := map[string]bool{}
	for _, n := range held {
		uid := n.Get("uid").Text()
		seen[uid] = true
		d := Drift{Kind: kind, Name: n.Get(nameKey).Text(), UID: uid, By: changedBy(n)}
		want := applied[uid]
		if want == nil {
			d.Text, d.After = "is in Grafana, but Terraform does not know it", n.Get(nameKey)
			if kind == "contact-point" && named(applied, nameKey, d.Name) {
				// No plan shows this: the provider looks at the integrations of its own uids.
				d.Text = "has an integration that Terraform does not know, so its messages are sent twice"
			}
			out = append(out, d)
			continue
		}
		got := n
		if shape != nil {
			got = shape(n)
		}
		// A contact point is compared by what Terraform set: the API adds defaults, and hides secrets.
		difference(want, got, "", shape != nil && kind != "datasource", func(path string, o, n *dashboard.Node) {
			e := d
			if secretPath.MatchString(path) {
				// Reports are read by more people than secrets.
				e.Text = path + " differs (its value is a secret)"
				out = append(out, e)
				return
			}
			e.Before, e.After = o, n
			e.Text = path + " " + show(o) + " → " + show(n)
			out = append(out, e)
		})
	}
	var gone []string
	for uid := range applied {
		if !seen[uid] {
			gone = append(gone, uid)
		}
	}
	slices.Sort(gone)
	for _, uid := range gone {
		name := applied[uid].Get(nameKey)
		out = append(out, Drift{Kind: kind, Name: name.Text(), UID: uid, Text: "was applied, but is gone from Grafana", Before: name})
	}
	return out
}

// named says whether something of this name was applied.
func named(applied map[string]*dashboard.Node, nameKey, name string) bool {
	for _, n := range applied {
		if n.Get(nameKey).Text() == name {
			return true
		}
	}
	return false
}

func changedBy(n *dashboard.Node) string {
	return cmp.Or(n.Get("updatedBy").Text(), n.Path("updatedBy", "name").Text(), n.Path("updated_by", "name").Text())
}

// difference visits the places where got differs from want. strict counts members that only got has.
func difference(want, got *dashboard.Node, path string, strict bool, visit func(path string, o, n *dashboard.Node)) {
	if dashboard.Equal(want, got) || got.Text() == "[REDACTED]" {
		return
	}
	// The provider has a list of addresses where the API has one text.
	if want.Is(dashboard.Array) && got.Is(dashboard.String) {
		var parts []string
		for _, i := range want.Items() {
			parts = append(parts, i.Scalarish())
		}
		if strings.Join(parts, ";") == got.Text() {
			return
		}
	}
	// Terraform's state keeps some numbers and booleans as text.
	if want.Scalar() && got.Scalar() && want.Scalarish() == got.Scalarish() && want.Scalarish() != "" {
		return
	}
	if path == "for" && sameDuration(want.Text(), got.Text()) {
		return
	}
	if want.Is(dashboard.Bool) && !want.Bool() && got == nil || got.Is(dashboard.Bool) && !got.Bool() && want == nil {
		return
	}
	if !want.Is(dashboard.Object) || !got.Is(dashboard.Object) {
		if got == nil && path == "" {
			return
		}
		visit(path, want, got)
		return
	}
	at := func(key string) string { return strings.TrimPrefix(path+"."+key, ".") }
	for _, m := range want.Children() {
		if got.Get(m.Key()) == nil && !strict && path == "settings" {
			continue // secret settings of other versions are left out of the answer
		}
		difference(m, got.Get(m.Key()), at(m.Key()), strict, visit)
	}
	if !strict {
		return
	}
	for _, m := range got.Children() {
		if !want.Has(m.Key()) {
			difference(nil, m, at(m.Key()), strict, visit)
		}
	}
}

// sameDuration knows that 5m0s, as the state has it, is 5m.
func sameDuration(a, b string) bool {
	x, err := model.ParseDuration(a)
	if err != nil {
		return false
	}
	y, err := model.ParseDuration(b)
	return err == nil && x == y
}

func show(n *dashboard.Node) string {
	if n == nil {
		return "nothing"
	}
	if s := n.Scalarish(); s != "" && !strings.ContainsAny(s, " \n") {
		return s
	}
	s := n.Compact()
	if r := []rune(s); len(r) > 100 {
		s = string(r[:99]) + "…"
	}
	return s
}

package rules

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"lookout/internal/dashboard"
)

// Read reads all that a file holds. What is wrong is in the result, and so is a file that holds no rules: see [File.Form].
func Read(name string, data []byte) *File {
	f := &File{Path: name, Form: Empty}
	src := newSource(name, data)
	f.docs = src.documents(data, &f.Problems)
	for _, doc := range f.docs {
		f.document(src, doc)
	}
	f.manyDocuments(src)
	f.check()
	f.Problems.sort()
	return f
}

// Holds tells whether the file is there for rules: rules were found, or what is wrong with it stands where rules would be.
func (f *File) Holds() bool {
	switch f.Form {
	case Own, Prometheus, Kubernetes, ConfigMap:
		return true
	}
	return false
}

func (f *File) form(form Form) {
	if f.Form == Empty || f.Form == Other && form != Empty || !f.Holds() && slices.Contains([]Form{Own, Prometheus, Kubernetes, ConfigMap}, form) {
		f.Form = form
	}
}

func (f *File) document(src *source, doc *node) {
	switch {
	case doc.kind == nullKind:
		return
	case doc.kind != mappingKind:
		f.form(Other)
	case doc.get("kind").string() == "List" && doc.get("items").is(sequenceKind):
		f.form(Other)
		for _, item := range doc.get("items").items {
			f.document(src, item)
		}
	case isKubernetes(doc):
		spec := doc.get("spec")
		f.form(Kubernetes)
		if groups := spec.get("groups"); groups.is(sequenceKind) {
			f.groups(src, groups, Kubernetes)
		} else {
			f.Problems.add(Problem{Position: src.of(doc), Kind: KindFile, Message: fmt.Sprintf("a %s has spec.groups, here it is %s", doc.get("kind").string(), groups.words())})
		}
	case doc.get("kind").string() == "ConfigMap":
		f.configMap(src, doc)
	case doc.get("groups") == nil && (doc.get("tests") != nil || doc.get("rule_files").is(sequenceKind) && doc.get("scrape_configs") == nil && doc.get("global") == nil):
		f.form(Tests)
	case isGrafana(doc):
		f.form(Grafana)
	case isDashboard(doc):
		f.form(Dashboard)
	case doc.get("groups").is(sequenceKind) && rulesInside(doc.get("groups")):
		form := Prometheus
		if isOwn(doc.get("groups")) {
			form = Own
		}
		f.form(form)
		if form == Own && src.aliases > maxAliases {
			f.Problems.add(Problem{Position: src.of(doc), Kind: KindFile, Message: fmt.Sprintf("%d aliases; a rule file may hold %d: write out what they stand for", src.aliases, maxAliases)})
		}
		for _, e := range doc.entries {
			if e.key.text != "groups" {
				f.unknown(src, e.key, form, "a rule file", []string{"groups"})
			}
		}
		f.groups(src, doc.get("groups"), form)
	default:
		f.form(Other)
	}
}

func isKubernetes(doc *node) bool {
	k := doc.get("kind").string()
	return (k == "PrometheusRule" || k == "VMRule") && doc.get("spec").is(mappingKind)
}

// isDashboard tells a dashboard of Grafana's, classic or a resource.
func isDashboard(doc *node) bool {
	if strings.HasPrefix(doc.get("apiVersion").string(), "dashboard.grafana.app/") {
		return true
	}
	return doc.get("groups") == nil && (doc.get("panels").is(sequenceKind) || doc.get("elements").is(mappingKind) && doc.get("layout").is(mappingKind))
}

// isGrafana tells by the keys that only Grafana's provisioning has:
// https://grafana.com/docs/grafana/latest/alerting/set-up/provision-alerting-resources/file-provisioning/
func isGrafana(doc *node) bool {
	if doc.get("apiVersion") == nil {
		return false
	}
	for _, key := range []string{"deleteRules", "contactPoints", "policies", "muteTimes", "templates"} {
		if doc.get(key).is(sequenceKind) {
			return true
		}
	}
	for _, g := range items(doc.get("groups")) {
		if g.get("folder") != nil || g.get("orgId") != nil {
			return true
		}
		for _, r := range items(g.get("rules")) {
			if r.get("condition") != nil && r.get("data") != nil {
				return true
			}
		}
	}
	return false
}

func items(n *node) []*node {
	if n.is(sequenceKind) {
		return n.items
	}
	return nil
}

// rulesInside tells groups of rules from other lists of that name: a group has rules, or at least a name and nothing strange.
func rulesInside(groups *node) bool {
	if len(groups.items) == 0 {
		return true
	}
	for _, g := range groups.items {
		if rules := g.get("rules"); rules != nil {
			for _, r := range items(rules) {
				if r.get("alert") != nil || r.get("record") != nil || r.get("expr") != nil || r.get("threshold") != nil {
					return true
				}
			}
			if len(items(rules)) == 0 {
				return true
			}
		}
	}
	return false
}

// ownFields are the keys of a rule that only Lookout knows.
var ownFields = []string{"threshold", "uid", "window", "no_data_state", "exec_err_state", "unit", "panel"}

func isOwn(groups *node) bool {
	for _, g := range items(groups) {
		for _, r := range items(g.get("rules")) {
			if slices.ContainsFunc(ownFields, func(field string) bool { return r.get(field) != nil }) {
				return true
			}
		}
	}
	return false
}

// configMap reads the texts of a ConfigMap that are rule files.
func (f *File) configMap(src *source, doc *node) {
	found := false
	for _, e := range dataOf(doc) {
		if !e.value.is(scalarKind) || !strings.Contains(e.value.text, "groups:") {
			continue
		}
		if ext := path.Ext(e.key.text); ext != "" && !slices.Contains([]string{".yaml", ".yml", ".rules", ".json"}, ext) {
			continue
		}
		text := e.value
		inner := newSource(src.file, []byte(text.text))
		starts := []int{0}
		for _, line := range inner.lines {
			starts = append(starts, starts[len(starts)-1]+len(line)+1)
		}
		inner.outer = func(line, column int) dashboard.Position {
			if line < 1 || line >= len(starts) {
				return src.of(text)
			}
			prefix := len(inner.line(line)) - len(after(inner.line(line), column-1))
			return src.inside(text, starts[line-1]+prefix)
		}
		for _, d := range inner.documents([]byte(text.text), &f.Problems) {
			if d.get("groups").is(sequenceKind) && rulesInside(d.get("groups")) {
				f.form(ConfigMap)
				found = true
				f.groups(inner, d.get("groups"), ConfigMap)
			}
		}
	}
	if !found {
		f.form(Other)
	}
}

func dataOf(doc *node) []entry {
	if data := doc.get("data"); data.is(mappingKind) {
		return data.entries
	}
	return nil
}

// manyDocuments says what becomes of all documents but the first.
func (f *File) manyDocuments(src *source) {
	if len(f.docs) < 2 {
		return
	}
	switch f.Form {
	case Own:
		f.Problems.add(Problem{Position: src.of(f.docs[1]), Kind: KindFile, Message: "a second document; a rule file of Lookout has one, make it a file of its own"})
	case Prometheus:
		f.Problems.add(Problem{Position: src.of(f.docs[1]), Kind: KindFile, Minor: true, Message: "a second document, which Prometheus does not read; make it a file of its own"})
	}
}

// known are the keys of each form, and those of others that read the same files.
var (
	groupFields = map[Form][]string{
		Own:        {"interval", "name", "rules"},
		Prometheus: {"interval", "labels", "limit", "name", "query_offset", "rules"},
	}
	ruleFields = map[Form][]string{
		Own: {"alert", "annotations", "exec_err_state", "expr", "for", "keep_firing_for", "labels", "no_data_state", "panel", "threshold", "uid", "unit", "window"},
		// https://prometheus.io/docs/prometheus/latest/configuration/recording_rules/
		Prometheus: {"alert", "annotations", "expr", "for", "keep_firing_for", "labels", "record"},
	}
	othersFields = map[string]string{
		"partial_response_strategy": "the Thanos Ruler",
		"evaluation_delay":          "Mimir", "source_tenants": "Mimir", "align_evaluation_time_on_interval": "Mimir",
		"type": "vmalert", "concurrency": "vmalert", "headers": "vmalert", "params": "vmalert", "eval_offset": "vmalert", "eval_delay": "vmalert",
		"eval_alignment": "vmalert", "notifier_headers": "vmalert", "debug": "vmalert", "update_entries_limit": "vmalert", "extra_filter_labels": "vmalert",
		"tenant": "vmalert", "remote_write": "Loki", "namespace": "cortextool and mimirtool",
	}
)

// unknown says that a key is not one of this form's.
func (f *File) unknown(src *source, key *node, form Form, what string, known []string) {
	if slices.Contains(known, key.text) {
		return
	}
	p := Problem{Position: src.of(key), Kind: KindFile, Message: fmt.Sprintf("unknown field %q in %s; known are %s", key.text, what, strings.Join(known, ", "))}
	if who := othersFields[key.text]; who != "" && form != Own {
		p.Minor, p.Message = true, fmt.Sprintf("field %q of %s is known to %s only, Prometheus refuses the file", key.text, what, who)
	}
	f.Problems.add(p)
}

// vocabulary is the form that decides which keys are known.
func vocabulary(form Form) Form {
	if form == Own {
		return Own
	}
	return Prometheus
}

func (f *File) groups(src *source, list *node, form Form) {
	for _, n := range list.items {
		g := &Group{Form: form, src: src, node: n}
		if n.kind != mappingKind {
			f.Problems.add(Problem{Position: src.of(n), Kind: KindFile, Message: fmt.Sprintf("a group is %s; it has name and rules", n.words())})
			continue
		}
		for _, e := range n.entries {
			f.unknown(src, e.key, form, "a group", groupFields[vocabulary(form)])
		}
		g.Name, g.Interval = n.get("name").string(), n.get("interval").string()
		g.Labels = f.pairs(src, "", n.get("labels"), "labels", form)
		if t := n.get("type").string(); t != "" && t != "prometheus" {
			g.Language = t
		}
		f.Groups = append(f.Groups, g)
		if rules := n.get("rules"); rules != nil && rules.kind != sequenceKind && rules.kind != nullKind {
			f.Problems.add(Problem{Position: src.of(rules), Kind: KindFile, Message: fmt.Sprintf("rules of group %q is %s; it has to be a list", g.Name, rules.words())})
		}
		for _, r := range items(n.get("rules")) {
			f.rule(src, g, r)
		}
	}
}

func (f *File) rule(src *source, g *Group, n *node) {
	if n.kind != mappingKind {
		f.Problems.add(Problem{Position: src.of(n), Kind: KindFile, Message: fmt.Sprintf("a rule is %s; it has alert and expr, or record and expr", n.words())})
		return
	}
	r := &Rule{Group: g, src: src, node: n, Alert: n.get("alert").string(), Record: n.get("record").string()}
	for _, e := range n.entries {
		if e.key.text == "record" && g.Form == Own {
			f.Problems.add(Problem{Position: src.of(e.key), Kind: KindFile, Rule: r.Name(), Message: "a recording rule has no place among alerts; they are in modules/prometheus/rules"})
			continue
		}
		f.unknown(src, e.key, g.Form, "a rule", ruleFields[vocabulary(g.Form)])
	}
	if e := n.get("expr"); e.is(scalarKind) {
		r.Expr, r.expr = e.text, e
	}
	r.Window, r.For, r.KeepFiringFor = n.get("window").string(), n.get("for").string(), n.get("keep_firing_for").string()
	r.UID, r.Unit = n.get("uid").string(), n.get("unit").string()
	r.NoDataState, r.ExecErrState = n.get("no_data_state").string(), n.get("exec_err_state").string()
	r.Labels = f.pairs(src, r.Name(), n.get("labels"), "labels", g.Form)
	r.Annotations = f.pairs(src, r.Name(), n.get("annotations"), "annotations", g.Form)
	g.Rules = append(g.Rules, r)
}

// pairs reads labels or annotations.
func (f *File) pairs(src *source, rule string, n *node, what string, form Form) []Pair {
	if n == nil || n.kind == nullKind && form != Own {
		return nil
	}
	if n.kind != mappingKind {
		f.Problems.add(Problem{Position: src.of(n), Kind: KindFile, Rule: rule, Message: fmt.Sprintf("%s is %s; write names and values", what, n.words())})
		return nil
	}
	var out []Pair
	single := strings.TrimSuffix(what, "s")
	for _, e := range n.entries {
		switch {
		case e.value.broken:
			continue
		case e.value.kind == mappingKind || e.value.kind == sequenceKind, e.value.kind == nullKind && form == Own:
			f.Problems.add(Problem{Position: src.of(e.key), Kind: KindFile, Rule: rule, Message: fmt.Sprintf("%s %s is %s; write a text", single, e.key.text, e.value.words())})
			continue
		case form == Own && e.value.tag != "!!str":
			f.Problems.add(Problem{Position: src.of(e.value), Kind: KindFile, Rule: rule, Message: fmt.Sprintf("%s %s is %s, which is not text; quote it", single, e.key.text, e.value.words())})
			continue
		}
		out = append(out, Pair{Name: e.key.text, Value: e.value.string(), key: e.key, node: e.value})
	}
	return out
}

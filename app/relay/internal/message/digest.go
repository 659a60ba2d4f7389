package message

import (
	"cmp"
	"errors"
	"maps"
	"math"
	"net/url"
	"slices"
	"sort"
	"strings"
	"time"

	"lookout/app/relay/internal/channel"
	"lookout/app/relay/internal/notification"
)

// Flapped is the state of an alert that fired and resolved while its message was waiting.
const Flapped = "flapped"

// Item is a notification that a digest is made of.
type Item struct {
	Notification notification.Notification
	Received     time.Time
}

// Entry is one alert in a digest.
type Entry struct {
	State string             `json:"state"`
	Alert notification.Alert `json:"alert"`
	// Worst is the severity of the worst rule whose query fails for the same cause, where it is about that.
	Worst string `json:"worst,omitempty"`
}

// Group counts what a digest says of alerts of one name and severity.
type Group struct {
	Name     string `json:"name"`
	Severity string `json:"severity"`
	Status   string `json:"status"`
	Count    int    `json:"count"`
	Firing   int    `json:"firing,omitempty"`
	Resolved int    `json:"resolved,omitempty"`
	Flapped  int    `json:"flapped,omitempty"`
	Doubtful int    `json:"doubtful,omitempty"`
	// Common is what all alerts of the group share, Threshold and Links likewise.
	Common    string `json:"-"`
	Threshold string `json:"-"`
	Links     string `json:"-"`
	// More is set where a group goes on from the message before.
	More bool `json:"more,omitempty"`
}

func (g *Group) add(state string, n int) {
	g.Count += n
	switch state {
	case notification.Firing:
		g.Firing += n
	case notification.Resolved:
		g.Resolved += n
	case Doubtful:
		g.Doubtful += n
	default:
		g.Flapped += n
	}
}

// Digest is many alerts in one message, or one part of it.
type Digest struct {
	Entries []Entry `json:"entries,omitempty"`
	// Counted are alerts that are counted by name rather than listed.
	Counted []Group `json:"counted,omitempty"`
	// Summary counts the alerts of all parts by rule: with it a storm begins.
	Summary []Group `json:"summary,omitempty"`
	// Kinds say for the groups of all parts what their alerts share and differ in.
	Kinds     []Kind    `json:"kinds,omitempty"`
	Truncated int       `json:"truncated,omitempty"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	// Continued is set where the first group goes on from the part before.
	Continued bool `json:"continued,omitempty"`
	Part      int  `json:"part,omitempty"`
	Parts     int  `json:"parts,omitempty"`
}

// Merge makes one digest of notifications, given in the order they came: every alert once, in its
// latest state, the most severe first.
func Merge(items []Item) Digest {
	m := merger{index: map[string]int{}}
	for _, it := range items {
		m.span(it.Received, it.Received)
		m.d.Truncated += it.Notification.TruncatedAlerts
		for _, a := range it.Notification.Alerts {
			m.add(stateOf(a), a)
		}
	}
	return m.done()
}

// Combine makes one digest of several, given in the order they came.
func Combine(digests []Digest) Digest {
	m := merger{index: map[string]int{}}
	for _, d := range digests {
		m.span(d.From, d.To)
		m.d.Truncated += d.Truncated
		for _, e := range d.Entries {
			m.add(e.State, e.Alert)
		}
		for _, g := range d.Counted {
			i := slices.IndexFunc(m.d.Counted, func(o Group) bool { return o.Name == g.Name && o.Severity == g.Severity })
			if i < 0 {
				m.d.Counted = append(m.d.Counted, g)
				continue
			}
			c := &m.d.Counted[i]
			c.Count += g.Count
			c.Firing += g.Firing
			c.Resolved += g.Resolved
			c.Flapped += g.Flapped
			c.Doubtful += g.Doubtful
		}
	}
	m.d.Counted = boundGroups(m.d.Counted)
	return m.done()
}

// stateOf is an alert's state in a digest.
func stateOf(a notification.Alert) string {
	if doubt(a) != "" {
		return Doubtful
	}
	return a.Status
}

type merger struct {
	d     Digest
	index map[string]int
}

func (m *merger) span(from, to time.Time) {
	if m.d.From.IsZero() || !from.IsZero() && from.Before(m.d.From) {
		m.d.From = from
	}
	if to.After(m.d.To) {
		m.d.To = to
	}
}

// add takes in an alert's state, which is later than those before.
func (m *merger) add(state string, a notification.Alert) {
	k := a.Key()
	i, seen := m.index[k]
	if !seen {
		m.index[k] = len(m.d.Entries)
		m.d.Entries = append(m.d.Entries, Entry{State: state, Alert: a})
		return
	}
	e := &m.d.Entries[i]
	over := e.State == notification.Resolved || e.State == Flapped || e.State == Doubtful
	switch {
	case state == notification.Firing && over && !a.StartsAt.IsZero() && a.StartsAt.Before(e.Alert.EndsAt):
		// It was on its way for longer than the news that it is over.
		if e.State == notification.Resolved {
			e.State = Flapped
		}
		return
	case state == notification.Resolved && (e.State == notification.Firing || e.State == Flapped):
		if a.StartsAt.IsZero() {
			a.StartsAt = e.Alert.StartsAt
		}
		e.State = Flapped
	default:
		e.State = state
	}
	e.Alert = a
}

func (m *merger) done() Digest {
	d := m.d
	// Rules whose queries fail for one cause are one line, as bad as the worst of them.
	worst := map[string]string{}
	for _, e := range d.Entries {
		if c := e.cause(); c != "" {
			if s, ok := worst[c]; !ok || notification.Rank(e.Alert.Severity()) < notification.Rank(s) {
				worst[c] = e.Alert.Severity()
			}
		}
	}
	for i := range d.Entries {
		d.Entries[i].Worst = worst[d.Entries[i].cause()]
	}
	slices.SortStableFunc(d.Entries, func(a, b Entry) int {
		return cmp.Or(
			cmp.Compare(stateRank(a.State), stateRank(b.State)),
			cmp.Compare(notification.Rank(a.group().Severity), notification.Rank(b.group().Severity)),
			cmp.Compare(a.group().Name, b.group().Name),
			cmp.Compare(a.cause(), b.cause()),
			cmp.Compare(notification.Rank(a.Alert.Severity()), notification.Rank(b.Alert.Severity())),
			a.Alert.StartsAt.Compare(b.Alert.StartsAt),
			cmp.Compare(where(a.Alert), where(b.Alert)),
		)
	})
	return d
}

// stateRank puts what burns before what is over.
func stateRank(state string) int {
	switch state {
	case notification.Firing:
		return 0
	case Doubtful:
		return 1
	case Flapped:
		return 2
	}
	return 3
}

// digestView is what digest.title and digest.head see.
type digestView struct {
	Status, Severity           string
	Keyword, Target, Escalated string
	Firing, Resolved, Flapped  int
	Doubtful                   int
	Summary                    []Group
	Truncated, Part, Parts     int
	From, To                   time.Time
}

func (d Digest) view(c Context) digestView {
	var total Group
	severity, rank := "none", 1<<10
	for _, e := range d.Entries {
		total.add(e.State, 1)
		if r := notification.Rank(e.Alert.Severity()) + 100*stateRank(e.State); r < rank {
			severity, rank = e.Alert.Severity(), r
		}
	}
	for _, g := range d.Counted {
		total.add(notification.Firing, g.Firing)
		total.add(notification.Resolved, g.Resolved)
		total.add(Flapped, g.Flapped)
		total.add(Doubtful, g.Doubtful)
		if r := notification.Rank(g.Severity); r < rank {
			severity, rank = g.Severity, r
		}
	}
	status := notification.Resolved
	switch {
	case total.Firing > 0:
		status = notification.Firing
	case total.Doubtful > 0:
		status = Doubtful
	}
	return digestView{Doubtful: total.Doubtful, Summary: d.Summary,
		Status: status, Severity: severity, Keyword: c.Keyword, Target: c.Target, Escalated: withoutAddresses(c.Escalated),
		Firing: total.Firing, Resolved: total.Resolved, Flapped: total.Flapped, Truncated: d.Truncated,
		Part: d.Part, Parts: d.Parts, From: d.From, To: d.To,
	}
}

type entryView struct {
	alertView
	State string
	// Subject is what tells the alert from others of its group.
	Subject string
	// Others are further rules whose query fails for the same cause.
	Others []string
}

// Kind is what the alerts of a group differ in, and what they share.
type Kind struct {
	Name     string   `json:"name"`
	Severity string   `json:"severity"`
	Status   string   `json:"status"`
	Differ   []string `json:"differ,omitempty"`
	Common   string   `json:"common,omitempty"`
	// Threshold is set where it is the same for all.
	Threshold string `json:"threshold,omitempty"`
	Count     int    `json:"count"`
	// Since is when the first of them began.
	Since time.Time `json:"since,omitzero"`
}

// kinds are those that Pack found in the whole digest, or those of the entries.
func (d Digest) kinds(entries []Entry) map[Group]Kind {
	list := d.Kinds
	if len(list) == 0 {
		list = kindsOf(entries)
	}
	out := map[Group]Kind{}
	for _, k := range list {
		out[Group{Name: k.Name, Severity: k.Severity, Status: k.Status}] = k
	}
	return out
}

// kindsOf finds them for every group, in the order of the entries.
func kindsOf(entries []Entry) []Kind {
	byGroup := map[Group][]Entry{}
	var order []Group
	for _, e := range entries {
		g := e.group()
		if byGroup[g] == nil {
			order = append(order, g)
		}
		byGroup[g] = append(byGroup[g], e)
	}
	var out []Kind
	for _, g := range order {
		list := byGroup[g]
		k := Kind{Name: g.Name, Severity: g.Severity, Status: g.Status, Count: len(list), Threshold: list[0].Alert.Annotations["threshold"]}
		names := map[string]bool{}
		for _, e := range list {
			if at := e.Alert.StartsAt; !at.IsZero() && (k.Since.IsZero() || at.Before(k.Since)) {
				k.Since = at
			}
			for name := range e.Alert.Labels {
				names[name] = true
			}
			if e.Alert.Annotations["threshold"] != k.Threshold {
				k.Threshold = ""
			}
		}
		var common []string
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if plumbing[name] || strings.HasPrefix(name, "__") {
				continue
			}
			first := list[0].Alert.Labels[name]
			if slices.ContainsFunc(list, func(e Entry) bool { return e.Alert.Labels[name] != first }) {
				k.Differ = append(k.Differ, name)
			} else if len(list) > 1 {
				common = append(common, name+"="+first)
			}
		}
		k.Common = Clip(300, strings.Join(common, " "))
		out = append(out, k)
	}
	return out
}

// entryView is what digest.line sees.
func (t *Templates) entryView(e Entry, c Context, of Kind) entryView {
	v := entryView{alertView: t.viewOf(e.Alert, c), State: e.State, Subject: where(e.Alert)}
	if of.Count > 1 && len(of.Differ) > 0 {
		var s []string
		if i := e.Alert.Labels["instance"]; i != "" && slices.Contains(of.Differ, "instance") {
			s = append(s, i)
		}
		for _, name := range of.Differ {
			if l := e.Alert.Labels[name]; name != "instance" && l != "" {
				s = append(s, name+"="+l)
			}
		}
		v.Subject = strings.Join(s, " ")
	} else if i := e.Alert.Labels["instance"]; i != "" && others(e.Alert) != "" {
		v.Subject = i + " " + others(e.Alert)
	}
	if of.Count > 1 && of.Threshold != "" {
		v.Threshold = ""
	}
	return v
}

func (e Entry) group() Group {
	status := e.State
	if status == Flapped {
		status = notification.Resolved
	}
	g := Group{Name: e.Alert.Name(), Severity: e.Alert.Severity(), Status: status}
	if e.cause() != "" {
		g.Name, g.Severity = "查询失败 Query failed", cmp.Or(e.Worst, g.Severity)
	}
	return g
}

// cause is why a query fails, "" for an alert that is not about that.
func (e Entry) cause() string {
	if e.State != notification.Firing || e.Alert.Labels["alertname"] != "DatasourceError" {
		return ""
	}
	return cmp.Or(withoutAddresses(cmp.Or(e.Alert.Annotations["Error"], e.Alert.Annotations["error"])), "?")
}

// summarise counts a digest's alerts by rule, at most ten lines.
func summarise(d Digest) []Group {
	groups := countGroups(d.Entries, d.Counted)
	if d.Len() <= 10 || len(groups) < 2 {
		return nil
	}
	slices.SortStableFunc(groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(min(1, b.Firing), min(1, a.Firing)), cmp.Compare(notification.Rank(a.Severity), notification.Rank(b.Severity)), cmp.Compare(b.Count, a.Count))
	})
	if len(groups) > 10 {
		groups = append(groups[:9:9], sumGroups(groups[9:]))
	}
	return groups
}

// Len is how many alerts the digest tells.
func (d Digest) Len() int {
	n := len(d.Entries)
	for _, g := range d.Counted {
		n += g.Count
	}
	return n
}

// Notification is the digest's alerts as one notification, for gateways.
func (d Digest) Notification() notification.Notification {
	n := notification.Notification{Status: d.view(Context{}).Status, TruncatedAlerts: d.Truncated}
	for _, e := range d.Entries {
		n.Alerts = append(n.Alerts, e.Alert)
	}
	return n
}

// Pack divides a digest into as few parts as the size limit allows, at most maxParts; what does not
// fit into those is counted by name in the last one, so that every alert is named or counted.
func (t *Templates) Pack(d Digest, c Context, maxParts int) ([]Digest, error) {
	maxParts = max(1, maxParts)
	// What every part spends on itself, with numbers as long as they may get.
	probe := d
	probe.Part, probe.Parts, probe.Summary = 999, 999, nil
	frame, errs := t.assemble(probe, c, nil)
	summary := summarise(d)
	probe.Summary = summary
	summed, err := t.assemble(probe, c, nil)
	errs = errors.Join(errs, err)
	budget, begin := math.MaxInt32, 0
	if c.Form.Limit > 0 {
		begin = c.Form.Size(summed) - c.Form.Size(frame)
		// The slack is for one "continued".
		budget = max(c.Form.Limit-c.Form.Size(frame)-48, 256)
	}
	size := func(string) int { return 0 }
	if c.Form.Line != nil {
		size = func(line string) int { return c.Form.Line(c.shown(line)) }
	}

	var counted int
	for _, g := range d.Counted {
		line, err := t.render("digest.more", g)
		errs = errors.Join(errs, err)
		counted += size(line)
	}
	all := kindsOf(d.Entries)
	d.Kinds = all
	kinds := d.kinds(nil)
	sizes := make([]int, len(d.Entries))
	heads := make([]int, len(d.Entries))
	for i, e := range d.Entries {
		line, err := t.render("digest.line", t.entryView(e, c, kinds[e.group()]))
		errs = errors.Join(errs, err)
		head, err := t.render("digest.group", heading(e, 999, kinds[e.group()], c))
		errs = errors.Join(errs, err)
		sizes[i], heads[i] = size(line), size("\n"+head+"\n")
	}
	// Fill from the most severe on. The counted ones of an earlier packing go into the last part.
	var parts []Digest
	fill := func(from, room int) int {
		last := Group{}
		used := 0
		for i := from; i < len(d.Entries); i++ {
			need := sizes[i]
			if g := d.Entries[i].group(); g != last {
				need += heads[i]
				last = g
			}
			if used+need > room && i > from {
				return i
			}
			used += need
		}
		return len(d.Entries)
	}
	blank := Digest{From: d.From, To: d.To}
	for at := 0; at < len(d.Entries); {
		room := budget
		if at == 0 {
			room -= begin
		}
		end := fill(at, room)
		if len(parts) == maxParts-1 && (end < len(d.Entries) || counted > 0) {
			// The last allowed part: leave room for the counts of the rest.
			rest := Merge(nil)
			rest.Counted = countGroups(d.Entries[at:], d.Counted)
			used := counted
			for _, g := range rest.Counted {
				line, _ := t.render("digest.more", g)
				used += size(line)
			}
			if counted == 0 || end < len(d.Entries) {
				end = fill(at, max(room-used, 0))
			}
			p := blank
			p.Entries, p.Continued = d.Entries[at:end], continued(d.Entries, at)
			p.Counted = countGroups(d.Entries[end:], d.Counted)
			parts = append(parts, p)
			break
		}
		p := blank
		p.Entries, p.Continued = d.Entries[at:end], continued(d.Entries, at)
		parts = append(parts, p)
		at = end
	}
	if len(d.Entries) == 0 || (len(parts) < maxParts && len(d.Counted) > 0) {
		p := blank
		p.Counted = d.Counted
		parts = append(parts, p)
	}
	parts[0].Truncated, parts[0].Summary = d.Truncated, summary
	for i := range parts {
		for _, k := range all {
			if slices.ContainsFunc(parts[i].Entries, func(e Entry) bool { return e.group() == Group{Name: k.Name, Severity: k.Severity, Status: k.Status} }) {
				parts[i].Kinds = append(parts[i].Kinds, k)
			}
		}
		parts[i].Part, parts[i].Parts = i+1, len(parts)
		parts[i].Counted = boundGroups(parts[i].Counted)
	}
	return parts, errs
}

// heading is a group's line: its name, how many there are, what they share, and one link of each kind.
func heading(e Entry, count int, of Kind, c Context) Group {
	g := e.group()
	g.Count = count
	if e.cause() != "" {
		return g
	}
	a := e.Alert
	panel, silence := panelAt(a, c.Now), a.SilenceURL
	if of.Count > 1 {
		panel = commonPanel(a, of, c.Now)
		g.Common, g.Threshold = of.Common, of.Threshold
		silence = commonSilence(silence, of.Differ)
	}
	runbook := cmp.Or(a.Annotations["runbook_url"], a.Annotations["runbook"])
	g.Links = links(panel, "", silence, runbook)
	if runbook != "" && link("x", runbook) == "" {
		// A path stands there even where it is no link.
		path := "📖 手册 Runbook: " + markdown(Clip(200, runbook))
		g.Links = strings.TrimPrefix(g.Links+" · "+path, " · ")
	}
	if e.State == notification.Resolved || e.State == Flapped {
		// What is over needs no silence.
		g.Links = links(panel, "", "", "")
	}
	return g
}

// commonPanel is the panel of a group's alerts from the time when the first of them began, without the variables that they differ in.
func commonPanel(a notification.Alert, of Kind, now time.Time) string {
	if !of.Since.IsZero() {
		a.StartsAt = of.Since
	}
	a.Status = notification.Firing // up to now: each has an end of its own
	u, err := url.Parse(panelAt(a, now))
	if err != nil {
		return panelURL(a)
	}
	var kept []string
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		name, _, _ := strings.Cut(part, "=")
		if label, ok := strings.CutPrefix(name, "var-"); !ok || !slices.Contains(of.Differ, label) {
			kept = append(kept, part)
		}
	}
	u.RawQuery = strings.Join(kept, "&")
	return u.String()
}

// commonSilence takes out of a silence form's matchers those that the alerts of a group differ in.
func commonSilence(address string, differ []string) string {
	u, err := url.Parse(address)
	if err != nil || address == "" {
		return ""
	}
	var kept []string
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		name, v, _ := strings.Cut(part, "=")
		if name == "matcher" {
			v, _ = url.QueryUnescape(v)
			label, _, _ := strings.Cut(v, "=")
			if slices.Contains(differ, label) {
				continue
			}
		}
		kept = append(kept, part)
	}
	u.RawQuery = strings.Join(kept, "&")
	return u.String()
}

func continued(entries []Entry, at int) bool {
	return at > 0 && entries[at-1].group() == entries[at].group()
}

// maxGroups bounds the lines that count alerts: a thousand different names have to share some.
const maxGroups = 40

func boundGroups(groups []Group) []Group {
	if len(groups) <= maxGroups {
		return groups
	}
	return append(slices.Clone(groups[:maxGroups-1]), sumGroups(groups[maxGroups-1:]))
}

func sumGroups(groups []Group) Group {
	others := Group{Name: "其他 others", Severity: groups[0].Severity}
	for _, g := range groups {
		others.Count += g.Count
		others.Firing += g.Firing
		others.Resolved += g.Resolved
		others.Flapped += g.Flapped
		others.Doubtful += g.Doubtful
	}
	return others
}

func countGroups(entries []Entry, more []Group) []Group {
	out := slices.Clone(more)
	for _, e := range entries {
		name, severity := e.Alert.Name(), e.Alert.Severity()
		i := slices.IndexFunc(out, func(g Group) bool { return g.Name == name && g.Severity == severity })
		if i < 0 {
			out = append(out, Group{Name: name, Severity: severity})
			i = len(out) - 1
		}
		out[i].add(e.State, 1)
	}
	return boundGroups(out)
}

// Fits renders one part and says whether it is short enough.
func (t *Templates) Fits(d Digest, c Context) (channel.Content, bool, error) {
	m, err := t.assemble(d, c, d.Entries)
	return m, c.fits(m), err
}

// Digest renders one part as Pack made it. A part that is too long even so, because one of its
// alerts is, is cut.
func (t *Templates) Digest(d Digest, c Context) (channel.Content, error) {
	m, err := t.assemble(d, c, d.Entries)
	if c.fits(m) {
		return m, err
	}
	var alerts []notification.Alert
	for _, e := range d.Entries {
		alerts = append(alerts, e.Alert)
	}
	tail := c.answerLine(alerts)
	body := strings.TrimSuffix(m.Text, tail)
	// The most of it that fits; what a chat makes of a byte depends on the byte.
	n := sort.Search(len(body), func(n int) bool {
		m.Text = c.cut(n+1, body) + tail
		return !c.fits(m)
	})
	m.Text = c.cut(n, body) + tail
	return m, err
}

func (t *Templates) assemble(d Digest, c Context, entries []Entry) (channel.Content, error) {
	v := d.view(c)
	title, err := t.render("digest.title", v)
	text, err2 := t.render("digest.head", v)
	err = errors.Join(err, err2)
	kinds := d.kinds(entries)
	counts := map[Group]int{}
	for _, e := range entries {
		counts[e.group()]++
	}
	last := Group{}
	var alerts []notification.Alert
	for _, e := range d.Entries {
		alerts = append(alerts, e.Alert)
	}
	for i, e := range entries {
		if g := e.group(); g != last {
			last = g
			g = heading(e, counts[g], kinds[g], c)
			g.More = i == 0 && d.Continued
			head, err2 := t.render("digest.group", g)
			err = errors.Join(err, err2)
			text += "\n\n" + head + "\n"
		}
		v := t.entryView(e, c, kinds[e.group()])
		if cause := e.cause(); cause != "" {
			if i > 0 && entries[i-1].cause() == cause && entries[i-1].group() == e.group() {
				// Said with the first of them.
				continue
			}
			for _, o := range entries[i+1:] {
				if o.cause() != cause || o.group() != e.group() {
					break
				}
				v.Others = append(v.Others, o.Alert.Name())
			}
		}
		line, err2 := t.render("digest.line", v)
		err = errors.Join(err, err2)
		text += "\n" + line
	}
	if len(entries) == len(d.Entries) && len(d.Counted) > 0 {
		text += "\n"
		for _, g := range d.Counted {
			line, err2 := t.render("digest.more", g)
			err = errors.Join(err, err2)
			text += "\n" + line
		}
	}
	tail, err2 := t.render("digest.tail", v)
	err = errors.Join(err, err2)
	if tail != "" {
		text += "\n\n" + tail
	}
	m := channel.Content{Type: c.Form.Type, Title: title, Text: c.shown(text), Level: level(v.Status, v.Severity)}
	for _, e := range d.Entries {
		if m.Link = firstURL(panelAt(e.Alert, c.Now), e.Alert.GeneratorURL); m.Link != "" {
			break
		}
	}
	t.complete(&m, c, alerts)
	return m, err
}

// Halve divides a digest that was refused as too long; ok is false for one that can't be divided.
func Halve(d Digest) (parts []Digest, ok bool) {
	if len(d.Entries) < 2 {
		return nil, false
	}
	a, b := d, d
	half := len(d.Entries) / 2
	a.Entries, a.Counted = d.Entries[:half], nil
	b.Entries, b.Truncated, b.Continued = d.Entries[half:], 0, continued(d.Entries, half)
	a.Part, a.Parts, b.Part, b.Parts = 1, 2, 2, 2
	return []Digest{a, b}, true
}

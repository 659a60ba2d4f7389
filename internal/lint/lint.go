// Package lint judges dashboards and alert rules by rules, each of which has a file here and a page in docs/lint.
package lint

import (
	"cmp"
	"fmt"
	"strings"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/promql"
	"lookout/internal/queries"
	"lookout/internal/rules"
)

// Rule is one thing to look for. It sets the functions it needs.
type Rule struct {
	// ID names the rule in findings and silences, and its page docs/lint/<ID>.md.
	ID       string
	Severity finding.Severity
	// Summary is one sentence that says what is wrong if the rule finds something.
	Summary string
	// Dashboard is called once for each dashboard.
	Dashboard func(*Pass)
	// Query is called for each query of a dashboard and each alert expression. It may be in another language than PromQL or wrong: then Tree is nil.
	Query func(*Pass, *queries.Query)
	// RuleFile is called once for each file of alert and recording rules.
	RuleFile func(*Pass)
	// Finish is called once at the end, for what only shows across files.
	Finish func(*Linter)
}

// Pass is one rule looking at one file.
type Pass struct {
	// Dashboard is nil when alert rules are looked at.
	Dashboard *dashboard.Dashboard
	// Rules is nil when a dashboard is looked at.
	Rules   *rules.File
	Queries []*queries.Query
	Config  Config

	linter *Linter
	rule   *Rule
	file   string
	// queryOf finds the parsed expression of a rule, nil if there is none.
	queryOf func(*rules.Rule) *queries.Query
	// shown is what rules of a team's own see of the dashboard.
	shown map[string]any
	// fix is what mends the next finding.
	fix *finding.Edit
	// severity is that of the next finding, where it is another than the rule's; "" is the rule's.
	severity finding.Severity
	// last is the query that the rule has said something about.
	last *queries.Query
}

// Panel reports a finding about a panel at a node (the panel's own if nil).
func (p *Pass) Panel(panel *dashboard.Panel, at *dashboard.Node, format string, args ...any) {
	if at == nil {
		at = panel.Node
	}
	p.report(at, at.Pos(), panel.Name(), format, args...)
}

// Node reports a finding about something that is no panel.
func (p *Pass) Node(at *dashboard.Node, format string, args ...any) {
	p.report(at, at.Pos(), "", format, args...)
}

// Query reports a finding about a query, at a byte of its text.
//
// One query has one finding of a rule: the remedy is the same for what else is wrong with it.
func (p *Pass) Query(q *queries.Query, offset int, format string, args ...any) {
	if p.last == q {
		return
	}
	p.last = q
	if q.Source == nil {
		p.add(q.Text+"\n"+q.Silences, nil, q.Position(offset), q.Owner, fmt.Sprintf(format, args...))
		return
	}
	p.add(q.Text, q.Source.Node, q.Position(offset), q.Owner, fmt.Sprintf(format, args...))
}

func (p *Pass) report(at *dashboard.Node, pos dashboard.Position, panel, format string, args ...any) {
	p.add("", at, pos, panel, fmt.Sprintf(format, args...))
}

func (p *Pass) add(query string, at *dashboard.Node, pos dashboard.Position, panel, msg string) {
	// Texts of a dashboard are parts of its source; a copy lets go of the rest.
	fix, severity := p.fix, cmp.Or(p.severity, p.rule.Severity)
	p.fix, p.severity = nil, ""
	f := finding.Finding{Fix: fix, Rule: p.rule.ID, Severity: severity, File: pos.File, Line: pos.Line, Column: pos.Column, Panel: strings.Clone(panel), Message: msg}
	uid := ""
	if p.Dashboard != nil {
		f.Dashboard, uid = strings.Clone(p.Dashboard.Name()), p.Dashboard.UID
	}
	p.linter.add(f, uid, query, at)
}

// Linter looks at one file after the other and remembers what it found.
type Linter struct {
	Config Config
	Parser *promql.Parser

	rules  []*Rule
	ids    map[string]*Rule
	result finding.Result
	uids   map[string][]uidUse
	// titles are the uses of titles within a folder that Terraform applies, and applied knows which those are.
	titles  map[string][]uidUse
	applied applied
	// files are the rule files, for what only shows across them.
	files []*rules.File
	// panels are the panels of each repository's dashboards, read once.
	panels map[string]rules.Panels
}

// uidUse is where a uid stands. It must not hold on to the dashboard: that would keep all of them in memory.
type uidUse struct {
	finding  finding.Finding
	silenced bool
}

// New makes a linter with all rules. The parser may be shared with other checks, one after the other.
func New(cfg Config, p *promql.Parser) *Linter {
	l := &Linter{Config: cfg, Parser: p, rules: Rules(), ids: map[string]*Rule{}, uids: map[string][]uidUse{}, titles: map[string][]uidUse{}}
	l.result.Languages = map[promql.Language]int{}
	for _, c := range cfg.Rules {
		l.rules = append(l.rules, c.rule())
	}
	for _, r := range l.rules {
		l.ids[r.ID] = r
	}
	return l
}

// NewSyntax makes a linter that looks only for queries that do not parse: whoever compares queries with something must not pass those over.
func NewSyntax(cfg Config, p *promql.Parser) *Linter {
	l := New(cfg, p)
	l.rules = []*Rule{promqlSyntax}
	return l
}

// replaces makes the next finding one that can be fixed: the text of a string, or another value, is replaced by a new one.
func (p *Pass) replaces(n *dashboard.Node, with *dashboard.Node) {
	start, end := n.Range()
	if end > start && n.Raw() != "" {
		p.fix = &finding.Edit{Start: start, End: end, Text: with.Compact()}
	}
}

// rewrites is replaces for a part of a query, from a byte of its text to another.
func (p *Pass) rewrites(q *queries.Query, from, to int, text string) {
	if q.Source == nil || from < 0 || to < from || to > len(q.Text) {
		return
	}
	whole := q.Source.Node.Text()
	at := q.Source.Offset
	p.replaces(q.Source.Node, dashboard.NewString(whole[:at+from]+text+whole[at+to:]))
}

// Rules are the rules that it looks for: Lookout's and the team's own.
func (l *Linter) Rules() []*Rule { return l.rules }

// Dashboard looks at one dashboard. qs are its queries if they have been parsed already, else nil.
func (l *Linter) Dashboard(d *dashboard.Dashboard, qs []*queries.Query) {
	if qs == nil {
		qs = queries.Of(d, l.Parser)
	}
	l.result.Summary.Dashboards++
	for _, p := range d.Panels {
		if !p.IsRow() {
			l.result.Summary.Panels++
		}
	}
	l.result.Summary.Expressions += len(qs)
	for _, q := range qs {
		if q.Language != promql.PromQL {
			l.result.Languages[q.Language]++
		}
	}
	l.pass(d, d.File(), qs)
	if n := d.UIDNode; n.Text() != "" {
		pos := n.Pos()
		f := finding.Finding{Rule: duplicateUIDID, Severity: finding.Error, File: pos.File, Line: pos.Line, Column: pos.Column, Dashboard: strings.Clone(d.Name())}
		l.uids[strings.Clone(d.UID)] = append(l.uids[d.UID], uidUse{f, l.Config.Silences.Cover(f, d.UID, "", n)})
	}
}

func (l *Linter) pass(d *dashboard.Dashboard, file string, qs []*queries.Query) {
	pass := &Pass{Dashboard: d, Queries: qs, Config: l.Config, linter: l, file: file}
	for _, r := range l.rules {
		pass.rule, pass.last = r, nil
		if r.Dashboard != nil && d != nil {
			r.Dashboard(pass)
		}
		if r.Query != nil {
			for _, q := range qs {
				r.Query(pass, q)
			}
		}
	}
}

// Unreadable reports a file that has to be readable and is not. rule is [UnreadableID], [JSONSyntaxID] or [YAMLSyntaxID].
func (l *Linter) Unreadable(rule string, at dashboard.Position, msg string) {
	l.add(finding.Finding{Rule: rule, Severity: finding.Error, File: at.File, Line: max(at.Line, 1), Column: max(at.Column, 1), Message: msg}, "", "", nil)
}

// Add takes a finding from elsewhere, for example of a rule that is no Rule.
func (l *Linter) Add(f finding.Finding) { l.add(f, "", "", nil) }

func (l *Linter) add(f finding.Finding, uid, query string, at *dashboard.Node) {
	if l.Config.Silences.Cover(f, uid, query, at) {
		l.result.Silenced++
		return
	}
	l.result.Findings = append(l.result.Findings, f)
}

// Result ends the run.
func (l *Linter) Result() finding.Result {
	for _, r := range l.rules {
		if r.Finish != nil {
			r.Finish(l)
		}
	}
	if l.result.Findings == nil {
		l.result.Findings = []finding.Finding{} // an empty list in JSON, not null
	}
	l.result.Sort()
	for _, r := range l.rules {
		l.result.Rules = append(l.result.Rules, finding.Rule{ID: r.ID, Severity: r.Severity, Summary: r.Summary})
	}
	return l.result
}

package drill

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"lookout/internal/drill/series"
	"lookout/internal/rules"
)

// Plan is how one alert is made to happen.
type Plan struct {
	Alert string
	// Fires is the alert that is followed: Alert itself, or in its place one that only a drill sets off.
	Fires string
	// Rule is the rule as the environment has it, Group the name of its group and Interval how often that is evaluated.
	Rule     *rules.Rule
	Group    string
	Interval time.Duration
	// For and KeepFiringFor are the rule's.
	For, KeepFiringFor time.Duration
	// Labels are those that the alert carries, without its severity; they tell it from others of its name.
	Labels map[string]string
	// Knob and KnobValue are a fault of the sample service. "" where series are written.
	Knob      string
	KnobValue int64
	// Phases are what is written one after the other: each but the last until it was scraped.
	Phases []Phase
	// Fill is how long the last phase has to last until the expression's ranges are full enough to breach, beyond one scrape; Empty how long
	// they take to be empty of it afterwards.
	Fill, Empty time.Duration
	// Heartbeat is set for an alert that always fires: it is looked for at the relay, and nothing is changed.
	Heartbeat bool
	// Skip says why the alert cannot be drilled, "" if it can.
	Skip string

	selectors []*parser.VectorSelector
}

// Phase is the series that are exposed for a while. Values of Epoch are seconds since 1970 and are moved to now.
type Phase struct {
	Series []series.Series
	epoch  []bool
}

// Means says in words how the alert is made to happen.
func (p *Plan) Means() string {
	switch {
	case p.Skip != "":
		return ""
	case p.Heartbeat:
		return "it always fires; nothing is changed"
	case p.Fires != p.Alert:
		return "the alert " + p.Fires + " in its place, with its labels"
	case p.Knob != "":
		return fmt.Sprintf("exporter's knob %s = %d", p.Knob, p.KnobValue)
	}
	n := len(p.Phases[len(p.Phases)-1].Series)
	if n == 1 {
		return "1 series like those of its unit test"
	}
	return fmt.Sprintf("%d series like those of its unit test", n)
}

// Settings of [Plans].
type Settings struct {
	// Environment's own thresholds, intervals and pending periods; nil for none.
	Settings *rules.Settings
	// Scrape is how often the series of a drill are scraped.
	Scrape time.Duration
	// Knobs are the faults that the environment's sample service has; nil without one.
	Knobs []string
}

// Plans derives how each alert of the files is made to happen: by a knob that the rule names in a comment,
//
//	# lookout:drill knob threads=200
//
// else by the series of the unit test in which it fires. A comment can also say why it cannot be drilled:
//
//	# lookout:drill skip: why
//
// An error is a comment that cannot be read.
func Plans(files []*rules.File, tests []*rules.UnitTests, s Settings) ([]*Plan, error) {
	if s.Settings == nil {
		s.Settings = &rules.Settings{}
	}
	var out []*Plan
	for _, f := range files {
		var of []*rules.UnitTests
		for _, u := range tests {
			if u.Of(f.Path) {
				of = append(of, u)
			}
		}
		for _, r := range f.Rules() {
			if r.Alert == "" {
				continue
			}
			p, err := planOf(r, of, s)
			if err != nil {
				return nil, err
			}
			out = append(out, p)
		}
	}
	return out, nil
}

// hint is a comment about drills inside a rule.
var hint = regexp.MustCompile(`#\s*lookout:drill\s+(?:knob\s+([a-z_]+)=([0-9]+)|skip:\s*([^\n]+?))[ \t]*(?:\n|$)`)

func planOf(r *rules.Rule, tests []*rules.UnitTests, s Settings) (*Plan, error) {
	o := s.Settings.Overrides[r.Alert]
	resolved := r.Resolve(o)
	p := &Plan{Alert: r.Alert, Fires: r.Alert, Rule: resolved, Group: r.Group.Name}
	p.For, p.KeepFiringFor, p.Interval = durationOf(resolved.For), durationOf(resolved.KeepFiringFor), durationOf(first(s.Settings.Intervals[r.Group.Name], r.Group.Interval, "1m"))
	if o.Paused {
		p.Skip = "it is paused in this environment"
		return p, nil
	}
	comments := r.Comments()
	m := hint.FindStringSubmatch(comments)
	if m == nil && strings.Contains(comments, "lookout:drill") {
		return nil, fmt.Errorf("%s: rule %q: cannot read the comment about drills; write # lookout:drill knob threads=200, or # lookout:drill skip: why", r.Place(""), r.Alert)
	}
	if m != nil && m[3] != "" {
		p.Skip = m[3]
		return p, nil
	}
	// Prometheus' own parser, since its matchers are used here.
	tree, err := seriesParser.ParseExpr(resolved.Expr)
	if err != nil {
		p.Skip = "its expression cannot be read: " + err.Error()
		return p, nil
	}
	a := analyse(tree)
	p.selectors = a.selectors
	test, at, found := firingTest(r.Alert, tests)
	if !found {
		p.Skip = "no unit test makes it fire; write one next to the rule (lookout rules check --tests)"
		return p, nil
	}
	if m != nil && slices.Contains(s.Knobs, m[1]) {
		value, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: rule %q: the knob's value is %q: %w", r.Place(""), r.Alert, m[2], err)
		}
		p.Knob, p.KnobValue = m[1], value
		p.Labels = maps.Clone(test.expected)
		delete(p.Labels, "severity")
		p.Empty = a.longest
		return p, nil
	}
	if a.absent {
		p.Skip = "it fires when series are missing: nothing can be written that makes it happen without taking real ones away"
		return p, nil
	}
	if isHeartbeat(resolved, a) {
		p.Heartbeat = true
		p.Labels = maps.Clone(test.expected)
		delete(p.Labels, "severity")
		return p, nil
	}
	if err := p.replay(test, at, a, r, s); err != nil {
		p.Skip = err.Error()
	}
	return p, nil
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func durationOf(text string) time.Duration {
	d, err := model.ParseDuration(first(text, "0s"))
	if err != nil {
		return 0
	}
	return time.Duration(d)
}

// isHeartbeat tells an alert that fires as long as anything is scraped: it counts `up` and compares with 0.
func isHeartbeat(r *rules.Rule, a analysis) bool {
	return a.counts && len(a.selectors) == 1 && a.selectors[0].Name == "up" && len(a.selectors[0].LabelMatchers) == 1 && r.Threshold != nil && !r.Threshold.Below && r.Threshold.Value <= 0
}

// unitTest is a test in which the alert fires, with the series that make it.
type unitTest struct {
	interval time.Duration
	series   []testSeries
	expected map[string]string
}

type testSeries struct {
	labels labels.Labels
	values []parser.SequenceValue
}

// seriesParser reads promtool's notation of series.
var seriesParser = parser.NewParser(parser.Options{})

// firingTest finds the first test in which an alert fires, and the time of that.
func firingTest(alert string, tests []*rules.UnitTests) (test unitTest, at time.Duration, found bool) {
	for _, u := range tests {
		var file struct {
			Tests []struct {
				Interval string `yaml:"interval"`
				Input    []struct {
					Series string `yaml:"series"`
					Values string `yaml:"values"`
				} `yaml:"input_series"`
			} `yaml:"tests"`
		}
		if yaml.Unmarshal(u.Data, &file) != nil || len(file.Tests) != len(u.Groups) {
			continue
		}
		for i, g := range u.Groups {
			for _, c := range g.Cases {
				if c.Alert != alert || len(c.Firing) == 0 {
					continue
				}
				test = unitTest{interval: durationOf(first(file.Tests[i].Interval, "1m")), expected: c.Firing[0]}
				for _, in := range file.Tests[i].Input {
					l, values, err := seriesParser.ParseSeriesDesc(in.Series + " " + in.Values)
					if err != nil {
						continue
					}
					test.series = append(test.series, testSeries{l, values})
				}
				if test.interval > 0 {
					return test, c.At, true
				}
			}
		}
	}
	return unitTest{}, 0, false
}

// analysis is what an expression says about the series that it needs.
type analysis struct {
	selectors []*parser.VectorSelector
	// rises: a larger value of the selector makes the expression larger; false for smaller. Missing where that is not known.
	rises map[*parser.VectorSelector]bool
	// counter: the range of the selector is looked at for growth; slope: for its slope; changing: for how often it changes.
	counter, slope, changing map[*parser.VectorSelector]bool
	// epoch: the selector is compared with the time of day.
	epoch map[*parser.VectorSelector]bool
	// ratio is set where the expression divides.
	ratio, absent, counts bool
	// longest is the longest range.
	longest time.Duration
}

func analyse(tree parser.Expr) analysis {
	a := analysis{rises: map[*parser.VectorSelector]bool{}, counter: map[*parser.VectorSelector]bool{}, slope: map[*parser.VectorSelector]bool{},
		changing: map[*parser.VectorSelector]bool{}, epoch: map[*parser.VectorSelector]bool{}}
	a.walk(tree, true, true, "")
	return a
}

// walk goes through an expression: up says whether a larger value here makes all of it larger, known whether that is known.
func (a *analysis) walk(e parser.Expr, up, known bool, function string) {
	switch e := e.(type) {
	case *parser.ParenExpr:
		a.walk(e.Expr, up, known, function)
	case *parser.StepInvariantExpr:
		a.walk(e.Expr, up, known, function)
	case *parser.UnaryExpr:
		a.walk(e.Expr, up != (e.Op == parser.SUB), known, function)
	case *parser.AggregateExpr:
		if e.Op == parser.COUNT {
			a.counts = true
		}
		a.walk(e.Expr, up, known && e.Op != parser.COUNT && e.Op != parser.STDDEV && e.Op != parser.STDVAR, function)
	case *parser.SubqueryExpr:
		a.longest = max(a.longest, e.Range)
		a.walk(e.Expr, up, known, function)
	case *parser.Call:
		a.absent = a.absent || e.Func.Name == "absent" || e.Func.Name == "absent_over_time"
		for _, arg := range e.Args {
			a.walk(arg, up, known, e.Func.Name)
		}
	case *parser.MatrixSelector:
		a.longest = max(a.longest, e.Range)
		if s, ok := e.VectorSelector.(*parser.VectorSelector); ok {
			a.selector(s, up, known)
			switch function {
			case "rate", "increase", "irate":
				a.counter[s] = true
			case "deriv", "predict_linear", "delta", "idelta":
				a.slope[s] = true
			case "changes", "resets":
				a.changing[s] = true
			}
		}
	case *parser.VectorSelector:
		a.selector(e, up, known)
	case *parser.BinaryExpr:
		left, right := timeIn(e.LHS), timeIn(e.RHS)
		switch {
		case e.Op != parser.SUB && e.Op != parser.ADD && !e.Op.IsComparisonOperator():
		case left && !right:
			a.markEpoch(e.RHS)
		case right && !left:
			a.markEpoch(e.LHS)
		}
		a.ratio = a.ratio || e.Op == parser.DIV
		second := up
		if e.Op == parser.SUB || e.Op == parser.DIV {
			second = !up
		}
		filters := e.Op.IsComparisonOperator() || e.Op == parser.LAND || e.Op == parser.LUNLESS
		a.walk(e.LHS, up, known && e.Op != parser.POW && e.Op != parser.MOD, "")
		a.walk(e.RHS, second, known && !filters && e.Op != parser.POW && e.Op != parser.MOD, "")
	}
}

func (a *analysis) selector(s *parser.VectorSelector, up, known bool) {
	a.selectors = append(a.selectors, s)
	if known {
		a.rises[s] = up
	}
}

func (a *analysis) markEpoch(e parser.Expr) {
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			a.epoch[s] = true
		}
		return nil
	})
}

// timeIn tells whether an expression asks for the time of day outside of selectors.
func timeIn(e parser.Expr) bool {
	found := false
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if c, ok := n.(*parser.Call); ok && c.Func.Name == "time" {
			found = true
		}
		return nil
	})
	return found
}

func matches(s *parser.VectorSelector, l labels.Labels) bool {
	for _, m := range s.LabelMatchers {
		if !m.Matches(l.Get(m.Name)) {
			return false
		}
	}
	return true
}

// margin is how far beyond a unit test's value a drill's goes: tests are just above the threshold, and real series may be mixed in.
const margin = 1.5

// mostPhases bounds how long a drill prepares its series.
const mostPhases = 8

// replay turns the series of a unit test into phases: the steady stretch that the alert fires in, and what was before it.
func (p *Plan) replay(test unitTest, at time.Duration, a analysis, r *rules.Rule, s Settings) error {
	f := int(at / test.interval)
	instances := map[string]string{}
	var used []testSeries
	kinds := struct{ counter, slope, changing bool }{}
	for _, in := range test.series {
		if f >= len(in.values) || in.values[f].Omitted {
			continue
		}
		if in.values[f].Histogram != nil {
			return fmt.Errorf("its unit test has native histograms, which cannot be written in the text format")
		}
		used = append(used, in)
		for _, sel := range a.selectors {
			if matches(sel, in.labels) {
				kinds.counter = kinds.counter || a.counter[sel]
				kinds.slope = kinds.slope || a.slope[sel]
				kinds.changing = kinds.changing || a.changing[sel]
			}
		}
	}
	// What the rule does not look at is there to show that it does not; unless it looks at what other rules record.
	if own := slices.DeleteFunc(slices.Clone(used), func(in testSeries) bool {
		return !slices.ContainsFunc(a.selectors, func(sel *parser.VectorSelector) bool { return matches(sel, in.labels) })
	}); len(own) > 0 {
		used = own
	}
	if len(used) == 0 {
		return fmt.Errorf("its unit test has no series when it fires: it is about series that are missing, and real ones are not taken away")
	}
	// The instance that the test expects comes first, so that it gets the plain name.
	if i := test.expected["instance"]; i != "" {
		instances[i] = "drill-" + strings.ToLower(p.Rule.UID)
	}
	rename := func(l labels.Labels) map[string]string {
		out := l.Map()
		if i, ok := out["instance"]; ok {
			if instances[i] == "" {
				instances[i] = fmt.Sprintf("drill-%s-%d", strings.ToLower(p.Rule.UID), len(instances)+1)
			}
			out["instance"] = instances[i]
		}
		return out
	}
	diff := func(v []parser.SequenceValue, i int) float64 { return v[i].Value - v[i-1].Value }
	// step is how a series goes on when the alert fires.
	step := func(v []parser.SequenceValue) float64 {
		switch {
		case f+1 < len(v) && !v[f+1].Omitted:
			return diff(v, f+1)
		case f > 0 && !v[f-1].Omitted:
			return diff(v, f)
		}
		return 0
	}
	// began is the first sample of the stretch in which all series go on like that.
	began := 0
	for _, in := range used {
		i, d := f, step(in.values)
		for i > 0 && !in.values[i-1].Omitted && math.Abs(diff(in.values, i)-d) <= 1e-9*(1+math.Abs(in.values[f].Value)) {
			i--
		}
		began = max(began, i)
	}
	var starts []int
	switch {
	case kinds.changing:
		window := int(durationOf(first(r.Window, model.Duration(a.longest).String())) / test.interval)
		for i := max(f-window, 0); i <= f; i++ {
			if i == max(f-window, 0) || slices.ContainsFunc(used, func(in testSeries) bool {
				return !in.values[i].Omitted && !in.values[i-1].Omitted && diff(in.values, i) != 0
			}) {
				starts = append(starts, i)
			}
		}
		if len(starts) > mostPhases {
			starts = starts[len(starts)-mostPhases:]
		}
	case began > 0 || kinds.counter || kinds.slope:
		switch {
		case kinds.slope:
			// A slope needs two samples; the level is that at which the alert fires.
			starts = []int{f, f}
		case kinds.counter:
			starts = []int{max(began-1, 0), began}
		default:
			starts = []int{began}
		}
	default:
		starts = []int{0}
	}
	last := len(starts) - 1
	for n, start := range starts {
		phase := Phase{}
		for _, in := range used {
			v := in.values[start]
			if v.Omitted {
				continue
			}
			one := series.Series{Labels: rename(in.labels), Value: v.Value}
			slope := step(in.values) / test.interval.Seconds()
			factor, epoch, counter := p.factor(in, a, r)
			switch {
			case kinds.changing:
			case n == last && last > 0 && counter && slope > 0:
				// What would have been counted within the window comes at once, so that one scrape shows it.
				lead := durationOf(p.Rule.Window).Seconds()
				if lead == 0 {
					lead = a.longest.Seconds()
				}
				one.PerSecond = slope * factor
				one.Value = v.Value*factor + slope*factor*lead
			case kinds.slope && !counter:
				// Steeper, and not higher: how high it is decides when it arrives.
				steep := margin * max(p.change(r), 1)
				if n == last && slope != 0 {
					one.PerSecond = slope * steep
					one.Value = v.Value + slope*steep*s.Scrape.Seconds()
				}
			case n == last:
				one.Value *= factor
				if counter {
					one.PerSecond = slope * factor
				}
			case kinds.counter && counter:
				if slope == 0 && start > 0 && start < f && !in.values[start-1].Omitted && diff(in.values, start) != 0 && diff(in.values, start) == diff(in.values, start+1) {
					// It grew until then, and stops: from the beginning here, or the range would still hold its growth.
					one.Value = in.values[start+1].Value
				}
				one.Value *= factor
			}
			if epoch {
				one.Value -= float64(f) * test.interval.Seconds()
			}
			phase.Series = append(phase.Series, one)
			phase.epoch = append(phase.epoch, epoch)
		}
		if len(phase.Series) > 0 {
			p.Phases = append(p.Phases, phase)
		}
	}
	p.Labels = maps.Clone(test.expected)
	delete(p.Labels, "severity")
	if i := p.Labels["instance"]; i != "" {
		p.Labels["instance"] = instances[i]
	}
	p.Empty = a.longest
	return nil
}

// factor is what a series of the unit test is multiplied with, so that it breaches clearly with the environment's threshold; epoch tells that the
// value is a time, counter that its growth counts.
func (p *Plan) factor(in testSeries, a analysis, r *rules.Rule) (factor float64, epoch, counter bool) {
	var rise, fall, both bool
	for _, sel := range a.selectors {
		if !matches(sel, in.labels) {
			continue
		}
		epoch = epoch || a.epoch[sel]
		counter = counter || a.counter[sel]
		up, known := a.rises[sel]
		switch {
		case !known:
			both = true
		case up:
			rise = true
		default:
			fall = true
		}
	}
	if epoch || both || !rise || r.Threshold == nil || p.Rule.Threshold == nil {
		return 1, epoch, counter
	}
	if fall && !a.ratio {
		return 1, epoch, counter
	}
	change := p.change(r)
	if p.Rule.Threshold.Below {
		return min(change, 1) / margin, epoch, counter
	}
	return max(change, 1) * margin, epoch, counter
}

// change is how many times the threshold of the rule file the environment's is.
func (p *Plan) change(r *rules.Rule) float64 {
	if r.Threshold == nil || p.Rule.Threshold == nil || r.Threshold.Value <= 0 || p.Rule.Threshold.Value <= 0 {
		return 1
	}
	return p.Rule.Threshold.Value / r.Threshold.Value
}

// At is the phase with its times moved to a moment.
func (ph Phase) At(now time.Time) []series.Series {
	out := slices.Clone(ph.Series)
	for i := range out {
		if ph.epoch[i] {
			out[i].Value += float64(now.Unix())
		}
	}
	return out
}

// Disturbs tells whether what a plan writes is looked at by another plan's rule: they cannot be drilled at the same time.
func (p *Plan) Disturbs(other *Plan) bool {
	if p.Knob != "" && !other.Heartbeat {
		// What a knob moves is what its own rule looks at.
		for _, own := range p.selectors {
			if slices.ContainsFunc(other.selectors, func(s *parser.VectorSelector) bool { return s.Name == own.Name }) {
				return true
			}
		}
	}
	for _, ph := range p.Phases {
		for _, one := range ph.Series {
			l := labels.FromMap(one.Labels)
			if slices.ContainsFunc(other.selectors, func(s *parser.VectorSelector) bool { return matches(s, l) }) {
				return true
			}
		}
	}
	return false
}

// probes are the alerts that only a drill sets off, by severity.
var probes = map[string]string{"critical": "DrillCritical", "warning": "DrillWarning", "info": "DrillInfo"}

// Probes turns plans into ones that write nothing but [series.Probe]: in the place of each alert one of its severity fires that only drills set off,
// with its labels, so that it is routed like it. What the alert's own rule looks at is left alone.
func Probes(plans []*Plan) []*Plan {
	var out []*Plan
	for _, p := range plans {
		q := *p
		q.Knob, q.Phases, q.Fill, q.Empty = "", nil, 0, 0
		if p.Heartbeat || p.Skip != "" && strings.Contains(p.Skip, "paused") || slices.Contains(slices.Collect(maps.Values(probes)), p.Alert) {
			out = append(out, &q)
			continue
		}
		q.Skip = ""
		q.Fires = probes[p.Rule.Label("severity")]
		i := slices.IndexFunc(plans, func(other *Plan) bool { return other.Alert == q.Fires })
		if i < 0 {
			q.Skip = fmt.Sprintf("there is no alert %q, which fires in its place; alerts/drill.yaml has it", q.Fires)
			out = append(out, &q)
			continue
		}
		q.Interval, q.For, q.KeepFiringFor, q.Group = plans[i].Interval, plans[i].For, plans[i].KeepFiringFor, plans[i].Group
		one := series.Series{Labels: map[string]string{"__name__": series.Probe, "severity": p.Rule.Label("severity"), "drilled": p.Alert}, Value: 1}
		for _, l := range p.Rule.Labels {
			if l.Name == "team" || l.Name == "lookout_about" {
				one.Labels[l.Name] = l.Value
			}
		}
		q.Phases = []Phase{{Series: []series.Series{one}, epoch: []bool{false}}}
		q.Labels = maps.Clone(one.Labels)
		delete(q.Labels, "__name__")
		delete(q.Labels, "severity")
		out = append(out, &q)
	}
	return out
}

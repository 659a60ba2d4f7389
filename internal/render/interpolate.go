package render

import (
	"cmp"
	"encoding/json"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"lookout/internal/dashboard"
)

// value is what a template variable stands for.
type value struct {
	texts  []string
	values []string
	// all means that every value is meant; allValue replaces them if the variable defines one.
	all      bool
	allValue string
	// multi variables are put into PromQL as an alternation.
	multi bool
}

// scope is all that may be substituted: variables, and what Grafana computes from the time range.
type scope struct {
	vars map[string]value
	// over holds what a repeated panel stands for.
	over     map[string]value
	builtins map[string]string
}

func (s *scope) lookup(name string) (value, bool) {
	if v, ok := s.over[name]; ok {
		return v, true
	}
	v, ok := s.vars[name]
	return v, ok
}

// with is the scope inside of a repeated panel.
func (s *scope) with(over map[string]value) *scope {
	if len(over) == 0 {
		return s
	}
	return &scope{vars: s.vars, builtins: s.builtins, over: over}
}

// variableUse finds $name, ${name}, ${name:format}, ${name.field} and [[name]], [[name:format]].
var variableUse = regexp.MustCompile(`\$\{(\w+)(?:\.[^:}]+)?(?::([^}]*))?\}|\[\[(\w+)(?::(\w+))?\]\]|\$(\w+)`)

// replace substitutes every use; def formats a variable whose use names no format. Unknown names stay as they are.
func (s *scope) replace(text string, extra map[string]string, def func(value) string) string {
	if !strings.ContainsAny(text, "$[") {
		return text
	}
	return variableUse.ReplaceAllStringFunc(text, func(use string) string {
		m := variableUse.FindStringSubmatch(use)
		name := cmp.Or(m[1], m[3], m[5])
		if b, ok := extra[name]; ok {
			return b
		}
		if b, ok := s.builtins[name]; ok {
			return b
		}
		v, ok := s.lookup(name)
		if !ok {
			return use
		}
		if format := cmp.Or(m[2], m[4]); format != "" {
			return v.format(format)
		}
		return def(v)
	})
}

// promql substitutes as Grafana's Prometheus datasource does. interval is the step.
func (s *scope) promql(expr string, interval, scrape time.Duration) string {
	rate := max(interval+scrape, 4*scrape)
	return s.replace(expr, map[string]string{
		"__interval":         promDuration(interval),
		"__interval_ms":      strconv.FormatInt(interval.Milliseconds(), 10),
		"__rate_interval":    promDuration(rate),
		"__rate_interval_ms": strconv.FormatInt(rate.Milliseconds(), 10),
	}, value.promql)
}

// text substitutes in titles and legends.
func (s *scope) text(t string) string { return s.replace(t, nil, value.text) }

func (v value) text() string {
	if v.all {
		return "All"
	}
	if len(v.texts) > 0 {
		return strings.Join(v.texts, " + ")
	}
	return strings.Join(v.values, " + ")
}

// effective are the values with the wish for all of them resolved.
func (v value) effective() []string {
	if v.all && v.allValue != "" {
		return []string{v.allValue}
	}
	if v.all && len(v.values) == 0 {
		return []string{".*"}
	}
	return v.values
}

func (v value) promql() string {
	vals := v.effective()
	if v.all && (v.allValue != "" || len(v.values) == 0) {
		return vals[0] // a regular expression already
	}
	if !v.multi {
		return strings.NewReplacer(`\`, `\\`, `'`, `\\'`).Replace(strings.Join(vals, "|"))
	}
	quoted := make([]string, len(vals))
	for i, s := range vals {
		// Twice: once for the regular expression, once for the PromQL string that it stands in.
		quoted[i] = strings.ReplaceAll(quoteRegexp(s), `\`, `\\`)
	}
	if len(quoted) == 1 {
		return quoted[0]
	}
	return "(" + strings.Join(quoted, "|") + ")"
}

// quoteRegexp leaves characters alone that mean nothing special; regexp.QuoteMeta would do, too, but differs from Grafana in none that matter.
func quoteRegexp(s string) string { return regexp.QuoteMeta(s) }

func (v value) format(format string) string {
	vals := v.effective()
	each := func(sep string, f func(string) string) string {
		out := make([]string, len(vals))
		for i, s := range vals {
			out[i] = f(s)
		}
		return strings.Join(out, sep)
	}
	same := func(s string) string { return s }
	format, _, _ = strings.Cut(format, ":")
	switch format {
	case "regex":
		if v.all && (v.allValue != "" || len(v.values) == 0) {
			return vals[0]
		}
		if len(vals) == 1 {
			return quoteRegexp(vals[0])
		}
		return "(" + each("|", quoteRegexp) + ")"
	case "pipe":
		return each("|", same)
	case "csv", "raw":
		return each(",", same)
	case "text":
		return v.text()
	case "json":
		b, err := json.Marshal(vals)
		if err != nil {
			return ""
		}
		return string(b)
	case "doublequote":
		return each(",", func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` })
	case "singlequote", "sqlstring":
		return each(",", func(s string) string { return `'` + strings.ReplaceAll(s, `'`, `\'`) + `'` })
	case "percentencode", "queryparam":
		return url.QueryEscape(each(",", same))
	case "glob":
		if len(vals) > 1 {
			return "{" + each(",", same) + "}"
		}
		return each(",", same)
	}
	return v.promql()
}

// promDuration writes a duration as PromQL has it, in the largest unit that divides it.
func promDuration(d time.Duration) string {
	for _, u := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d >= u.size && d%u.size == 0 {
			return strconv.FormatInt(int64(d/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(max(d.Milliseconds(), 1), 10) + "ms"
}

var durationText = regexp.MustCompile(`^\s*>?\s*(\d+(?:\.\d+)?)\s*(ms|[smhdwMy]?)\s*$`)

// parseInterval reads "30s", ">15s", "500ms", "1m"; a bare number is in seconds. ok is false for anything else.
func parseInterval(s string) (d time.Duration, ok bool) {
	m := durationText.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, false
	}
	unit := map[string]time.Duration{
		"": time.Second, "ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
		"d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "M": 30 * 24 * time.Hour, "y": 365 * 24 * time.Hour,
	}[m[2]]
	ns := n * float64(unit)
	if ns <= 0 || ns > float64(100*365*24*time.Hour) {
		return 0, false
	}
	return time.Duration(ns), true
}

// niceSteps are the steps that Grafana rounds a query's step to, roughly.
var niceSteps = []time.Duration{
	10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 20 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 20 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour, 365 * 24 * time.Hour,
}

// stepFor is the step of a query over a range so that no more than points come back, and never below least.
func stepFor(span time.Duration, points float64, least time.Duration) time.Duration {
	want := time.Duration(float64(span) / math.Max(points, 1))
	i, _ := slices.BinarySearch(niceSteps, want)
	step := niceSteps[min(i, len(niceSteps)-1)]
	step = max(step, least)
	// Prometheus refuses more than 11,000 points.
	for span/step > 10000 {
		step *= 2
	}
	return step
}

// ParseTime reads a point in time as dashboards and people write it: "now", "now-6h", "now/d", RFC 3339, or Unix time in seconds or milliseconds.
func ParseTime(s string, now time.Time, roundUp bool) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if rest, ok := strings.CutPrefix(s, "now"); ok {
		return relativeTime(rest, now, roundUp)
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateTime, "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, true
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || f < 0 || f > 1e14 {
		return time.Time{}, false
	}
	if f >= 1e11 { // no one draws the year 5138
		f /= 1000
	}
	return time.UnixMilli(int64(f * 1000)).In(now.Location()), true
}

var timeMath = regexp.MustCompile(`^([+-/])(\d*)([smhdwMy])`)

func relativeTime(expr string, t time.Time, roundUp bool) (time.Time, bool) {
	for expr != "" {
		m := timeMath.FindStringSubmatch(expr)
		if m == nil {
			return time.Time{}, false
		}
		expr = expr[len(m[0]):]
		n := 1
		if m[2] != "" {
			var err error
			if n, err = strconv.Atoi(m[2]); err != nil || n > 1e6 {
				return time.Time{}, false
			}
		}
		switch m[1] {
		case "-", "+":
			if m[1] == "-" {
				n = -n
			}
			t = addUnit(t, n, m[3])
		case "/":
			if t = floorUnit(t, m[3]); roundUp {
				t = addUnit(t, 1, m[3]).Add(-time.Millisecond)
			}
		default:
			return time.Time{}, false
		}
	}
	return t, true
}

func addUnit(t time.Time, n int, unit string) time.Time {
	switch unit {
	case "d":
		return t.AddDate(0, 0, n)
	case "w":
		return t.AddDate(0, 0, 7*n)
	case "M":
		return t.AddDate(0, n, 0)
	case "y":
		return t.AddDate(n, 0, 0)
	}
	return t.Add(time.Duration(n) * map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit])
}

func floorUnit(t time.Time, unit string) time.Time {
	y, mon, d := t.Date()
	switch unit {
	case "s":
		return t.Truncate(time.Second)
	case "m":
		return t.Truncate(time.Minute)
	case "h":
		return time.Date(y, mon, d, t.Hour(), 0, 0, 0, t.Location())
	case "w":
		return time.Date(y, mon, d-(int(t.Weekday())+6)%7, 0, 0, 0, 0, t.Location())
	case "M":
		return time.Date(y, mon, 1, 0, 0, 0, 0, t.Location())
	case "y":
		return time.Date(y, 1, 1, 0, 0, 0, 0, t.Location())
	}
	return time.Date(y, mon, d, 0, 0, 0, 0, t.Location())
}

// timeRange is what the picture shows: the options', else the dashboard's own, else the last hour.
func timeRange(d *dashboard.Dashboard, opts Options) (start, end time.Time) {
	now := opts.Now
	if now.IsZero() {
		now = opts.End
	}
	if opts.Location != nil {
		now = now.In(opts.Location)
	} else {
		now = now.UTC()
	}
	start, end = opts.Start, opts.End
	own := d.Root.Get("time")
	if end.IsZero() {
		var ok bool
		if end, ok = ParseTime(own.Get("to").Scalarish(), now, true); !ok {
			end = now
		}
	}
	if start.IsZero() {
		from, ok1 := ParseTime(own.Get("from").Scalarish(), now, false)
		to, ok2 := ParseTime(own.Get("to").Scalarish(), now, true)
		span := time.Hour
		if ok1 && ok2 && to.After(from) {
			span = to.Sub(from)
		}
		start = end.Add(-span)
	}
	return start, end
}

package render

import (
	"image/color"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"lookout/internal/dashboard"
)

func TestInterpolation(t *testing.T) {
	sc := &scope{
		vars: map[string]value{
			"one":    {values: []string{"a.b"}},
			"multi":  {values: []string{"a.b", "c"}, multi: true},
			"single": {values: []string{"a.b"}, multi: true},
			"all":    {values: []string{"x", "y"}, all: true, multi: true},
			"custom": {values: []string{"x", "y"}, all: true, multi: true, allValue: ".+"},
			"void":   {all: true, multi: true},
		},
		builtins: map[string]string{"__range": "6h", "__range_s": "21600"},
	}
	for _, c := range []struct{ in, want string }{
		{`up`, `up`},
		{`up{a="$one"}`, `up{a="a.b"}`},
		{`up{a=~"$multi"}`, `up{a=~"(a\\.b|c)"}`},
		{`up{a=~"${single}"}`, `up{a=~"a\\.b"}`},
		{`up{a=~"[[all]]"}`, `up{a=~"(x|y)"}`},
		{`up{a=~"$custom"}`, `up{a=~".+"}`},
		{`up{a=~"$void"}`, `up{a=~".*"}`},
		{`up{a=~"${multi:pipe}"}`, `up{a=~"a.b|c"}`},
		{`up{a=~"${multi:regex}"}`, `up{a=~"(a\.b|c)"}`},
		{`${multi:csv} ${multi:doublequote} ${multi:json}`, `a.b,c "a.b","c" ["a.b","c"]`},
		{`rate(x[$__rate_interval]) $__interval ${__interval_ms} $__range ${__range_s}`, `rate(x[1m]) 15s 15000 6h 21600`},
		{`$unknown ${unknown} $1`, `$unknown ${unknown} $1`},
		{`a$oneb`, `a$oneb`},
	} {
		if got := sc.promql(c.in, 15*time.Second, 15*time.Second); got != c.want {
			t.Errorf("%s becomes %s, want %s", c.in, got, c.want)
		}
	}
	if got := sc.with(map[string]value{"multi": {values: []string{"c"}}}).text("of $multi and $all"); got != "of c and All" {
		t.Errorf("in a repeated panel: %q", got)
	}
	// Above the scrape interval the window follows the step.
	if got := sc.promql("$__rate_interval", 2*time.Minute, 15*time.Second); got != "135s" {
		t.Errorf("$__rate_interval at a step of 2 minutes is %s, want 135s", got)
	}
}

func TestTimes(t *testing.T) {
	now := time.Date(2026, 3, 18, 15, 4, 5, 0, time.UTC) // a Wednesday
	for _, c := range []struct {
		in   string
		up   bool
		want string
	}{
		{"now", false, "2026-03-18T15:04:05Z"},
		{"now-6h", false, "2026-03-18T09:04:05Z"},
		{"now-1d/d", false, "2026-03-17T00:00:00Z"},
		{"now/d", false, "2026-03-18T00:00:00Z"},
		{"now/w", false, "2026-03-16T00:00:00Z"},
		{"now/M", false, "2026-03-01T00:00:00Z"},
		{"now-1y", false, "2025-03-18T15:04:05Z"},
		{"1700000000", false, "2023-11-14T22:13:20Z"},
		{"1700000000000", false, "2023-11-14T22:13:20Z"},
		{"2026-01-02T03:04:05Z", false, "2026-01-02T03:04:05Z"},
		{"2026-01-02 03:04:05", false, "2026-01-02T03:04:05Z"},
	} {
		got, ok := ParseTime(c.in, now, c.up)
		if !ok || got.Format(time.RFC3339) != c.want {
			t.Errorf("%s is %s (%v), want %s", c.in, got.Format(time.RFC3339), ok, c.want)
		}
	}
	if got, ok := ParseTime("now/d", now, true); !ok || got.Format(time.RFC3339Nano) != "2026-03-18T23:59:59.999Z" {
		t.Errorf("the end of now/d is %s (%v)", got, ok)
	}
	for _, bad := range []string{"", "yesterday", "now-", "now-5x", "now+99999999999999999999d", "-1", "NaN"} {
		if got, ok := ParseTime(bad, now, false); ok {
			t.Errorf("%q is read as %s", bad, got)
		}
	}
}

func TestTheRangeIsTheDashboardsOwnUnlessSaid(t *testing.T) {
	d := parse(t, `{"title":"d","panels":[],"time":{"from":"now-3h","to":"now"}}`)
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		opts       Options
		start, end string
	}{
		{Options{Now: now}, "09:00", "12:00"},
		{Options{Now: now, Start: now.Add(-time.Hour)}, "11:00", "12:00"},
		{Options{Now: now, End: now.Add(-time.Hour)}, "08:00", "11:00"},
		{Options{End: now}, "09:00", "12:00"},
	} {
		start, end := timeRange(d, c.opts)
		if start.Format("15:04") != c.start || end.Format("15:04") != c.end {
			t.Errorf("%s to %s, want %s to %s", start, end, c.start, c.end)
		}
	}
}

func TestVariableRegex(t *testing.T) {
	found := []string{`up{instance="a:1"}`, `up{instance="b:2"}`, `down`, `up{instance="a:1"}`}
	for pattern, want := range map[string][]choice{
		"":                             {{found[0], found[0]}, {found[1], found[1]}, {"down", "down"}},
		`/instance="([^"]*)"/`:         {{"a:1", "a:1"}, {"b:2", "b:2"}},
		`/(?<text>[ab]):(?<value>\d)/`: {{"a", "1"}, {"b", "2"}},
		`/^UP/i`:                       {{found[0], found[0]}, {found[1], found[1]}},
		`/(/`:                          nil,
	} {
		if got := filterChoices(found, pattern); !slices.Equal(got, want) {
			t.Errorf("%s gives %v, want %v", pattern, got, want)
		}
	}
}

func TestColors(t *testing.T) {
	pal, err := newPalette(Dark)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]color.NRGBA{
		"red": rgb(0xf2495c), "semi-dark-red": rgb(0xe02f44), "super-light-blue": rgb(0xc0d8ff), "#299c46": rgb(0x299c46), "#abc": rgb(0xaabbcc),
		"#11223380": {0x11, 0x22, 0x33, 0x80}, "rgba(237, 129, 40, 0.5)": {237, 129, 40, 128}, "rgb(1,2,3)": {1, 2, 3, 255}, "transparent": {}, "Orange": rgb(0xff9830),
	} {
		if got, ok := pal.named(text); !ok || got != want {
			t.Errorf("%s is %v (%v), want %v", text, got, ok, want)
		}
	}
	for _, bad := range []string{"", "#12", "#zzz", "rgb(1,2)", "rgba(1,2,3,4", "no-such-colour", "rgb(NaN,1,2)"} {
		if got, ok := pal.named(bad); ok {
			t.Errorf("%q is read as %v", bad, got)
		}
	}
}

func TestCalcs(t *testing.T) {
	pts := []point{{0, 4}, {1, math.NaN()}, {2, 1}, {3, 7}}
	for name, want := range map[string]float64{
		"lastNotNull": 7, "last": 7, "current": 7, "mean": 4, "avg": 4, "min": 1, "max": 7, "sum": 12, "total": 12, "count": 4, "first": 4, "range": 6, "diff": 3, "delta": 7,
		"median": 4, "p95": 7, "changeCount": 2, "distinctCount": 3,
	} {
		if got := calc(name, pts); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if got := calc("mean", nil); !math.IsNaN(got) {
		t.Errorf("the mean of nothing is %v", got)
	}
}

func TestText(t *testing.T) {
	m := newMetrics()
	st := textStyle{size: 10}
	if w := m.width("报警", st); w != 20 {
		t.Errorf("two Chinese characters of 10 pixels are %v wide, want 20", w)
	}
	// Liberation Sans has Arial's widths: 1139/2048 em for a digit.
	if w := m.width("0123456789", st); math.Abs(w-55.6) > 0.1 {
		t.Errorf("ten digits of 10 pixels are %v wide, want 55.6", w)
	}
	if got := m.fit("a rather long title", 50, st); m.width(got, st) > 50 || got[len(got)-len(ellipsis):] != ellipsis {
		t.Errorf("cut to %q, %v wide", got, m.width(got, st))
	}
	if got := m.fit("short\n title", 500, st); got != "short title" {
		t.Errorf("%q", got)
	}
	lines := m.wrap("sum by (job) (rate(http_requests_total[5m]))", 100, 3, st)
	if len(lines) != 3 {
		t.Errorf("%q", lines)
	}
	for _, l := range lines {
		if m.width(l, st) > 100 {
			t.Errorf("%q is %v wide", l, m.width(l, st))
		}
	}
	if got := m.wrap("wwwwwwww", 1, 3, st); len(got) != 3 {
		t.Errorf("no room at all: %q", got)
	}
}

func TestLegends(t *testing.T) {
	d := parse(t, `{"title":"d","panels":[{"type":"timeseries","title":"p","targets":[{"refId":"A","expr":"x"}]}]}`)
	for legend, want := range map[string]string{
		"{{ job }} of {{le}}": "a of 5", "plain": "plain", "": `{job="a", le="5"}`, "__auto": `{job="a", le="5"}`, "{{missing}}x": "x",
	} {
		d.Panels[0].Targets[0].Legend = legend
		opts := anHour
		opts.Prometheus = constant{value: 1}
		r, err := newRenderer(t.Context(), d, opts)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.views[r.layout.sections[0]][0].series(r.end)[0].name; got != want {
			t.Errorf("legend %q gives %q, want %q", legend, got, want)
		}
	}
}

func TestOverridesAndMappings(t *testing.T) {
	d := parse(t, `{"title":"d","panels":[{"type":"stat","fieldConfig":{"defaults":{"unit":"bytes","mappings":[{"type":"value","options":{"0":{"text":"none","color":"red"}}},{"type":"range","options":{"from":100,"to":200,"result":{"text":"some"}}},{"type":"special","options":{"match":"null+nan","result":{"text":"?"}}}]},
		"overrides":[{"matcher":{"id":"byRegexp","options":"/^sec/"},"properties":[{"id":"unit","value":"s"},{"id":"decimals","value":1}]},{"matcher":{"id":"byFrameRefID","options":"B"},"properties":[{"id":"unit","value":"percent"}]}]}}]}`)
	r, err := newRenderer(t.Context(), d, Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := r.fields(d.Panels[0])
	for _, c := range []struct {
		name, ref string
		v         float64
		want      string
	}{
		{"x", "A", 2048, "2 KiB"}, {"seconds", "A", 0.5, "500.0 ms"}, {"x", "B", 5, "5%"}, {"x", "A", 0, "none"}, {"x", "A", 150, "some"}, {"x", "A", math.NaN(), "?"},
	} {
		if got, _, _ := m.shown(m.make(c.name, c.ref), c.v); got.String() != c.want {
			t.Errorf("%v of %s (%s) is shown as %q, want %q", c.v, c.name, c.ref, got, c.want)
		}
	}
	if _, col, _ := m.shown(m.make("x", "A"), 0); col != rgb(0xf2495c) {
		t.Errorf("the mapping's colour is %v", col)
	}
}

func TestHistogramBucketsAreTakenApart(t *testing.T) {
	bucket := func(le string, v float64) *series {
		return &series{metric: model.Metric{"le": model.LabelValue(le)}, points: []point{{0, v}, {15, v}}, name: le}
	}
	r := &renderer{}
	v := &view{panel: &dashboard.Panel{Type: "heatmap"}}
	g := r.buckets(v, []*series{bucket("+Inf", 10), bucket("0.1", 1), bucket("10", 9), bucket("2", 4)})
	if !slices.Equal(g.labels, []string{"0.1", "2", "10", "+Inf"}) {
		t.Errorf("rows %q", g.labels)
	}
	var got []float64
	for _, row := range g.z {
		got = append(got, row[0])
	}
	if !slices.Equal(got, []float64{1, 3, 5, 1}) {
		t.Errorf("counts %v", got)
	}
}

func TestMarkdownBecomesParagraphs(t *testing.T) {
	got := markdownBlocks([]byte("# Head *x*\n\ntext `code` &amp;\nmore\n\n- item\n\n<div>in <b>HTML</b><script>no()</script></div>\n\n    indented\n"))
	want := []block{{text: "Head x", level: 1}, {text: "text code & more"}, {text: "item", bullet: true}, {text: "in HTML"}, {text: "indented\n", code: true}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

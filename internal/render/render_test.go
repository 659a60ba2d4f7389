package render

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"golang.org/x/image/font/opentype"

	"lookout/internal/dashboard"
	"lookout/internal/dashboard/dashtest"
)

// checkSVG fails if a picture is no XML or has what would clash or run when several of them stand in one page.
func checkSVG(t testing.TB, svg string) {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(svg))
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("the picture is no XML: %v", err)
		}
		el, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		if !slices.Contains([]string{"svg", "g", "path", "text", "title"}, el.Name.Local) {
			t.Fatalf("an element <%s>", el.Name.Local)
		}
		for _, a := range el.Attr {
			if a.Name.Local == "id" || strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Name.Local, "href") {
				t.Fatalf("an attribute %s", a.Name.Local)
			}
			if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
				t.Fatalf("<%s %s=%q>", el.Name.Local, a.Name.Local, a.Value)
			}
		}
	}
}

func contains(t testing.TB, text string, wanted ...string) {
	t.Helper()
	for _, w := range wanted {
		if !strings.Contains(text, w) {
			t.Errorf("%q is missing", w)
		}
	}
}

func TestEverything(t *testing.T) {
	prom, rec, asked := recorded(t)
	d := load(t, "testdata/everything.json")
	report := &Report{}
	opts := Options{Prometheus: prom, Start: rec.Start, End: rec.End, ScrapeInterval: 5 * time.Second, Expand: true, Report: report}
	svg := mustSVG(t, d, opts)
	checkSVG(t, svg)
	contains(t, svg,
		">Everything · 一切<", ">目标在线<", "正在被抓取的目标数。", // titles, and a description as a tooltip
		">resident go<", ">heap<", // legends by legendFormat
		">64 MiB<", "req/s<", ">Mean<", // units on axes, and the legend's columns
		">在线<", ">Scrape<", // value mapping and a column renamed by a transformation
		"A panel of type “nodeGraph” is not drawn",
		"parse error", ">No data<",
		">GC of go<", ">GC of prometheus<", // a panel repeated for a variable whose values Prometheus gave
		">On call<", ">第二件事<",
		">+∞<", // the last bucket of the heat map
	)
	if strings.Contains(svg, "alert(1)") {
		t.Error("a script of a text panel is in the picture")
	}
	if report.Panels != 18 || report.Placeholders != 1 {
		t.Errorf("%d panels and %d placeholders, want 18 and 1", report.Panels, report.Placeholders)
	}
	if len(report.Problems) != 1 || report.Problems[0].Panel != "A query that is refused" {
		t.Errorf("problems %v", report.Problems)
	}
	var queries []string
	for _, f := range asked() {
		queries = append(queries, f.Get("query"))
	}
	for _, want := range []string{`sum(up{job=~"(go|prometheus)"})`, `rate(process_cpu_seconds_total[20s])`, `rate(go_gc_duration_seconds_count{job="go"}[20s])`} {
		if !slices.Contains(queries, want) {
			t.Errorf("%s was not asked, but %q", want, queries)
		}
	}
	if again := mustSVG(t, d, opts); again != svg {
		t.Error("the same input gave other bytes")
	}
	opts.Theme = Light
	light := mustSVG(t, d, opts)
	checkSVG(t, light)
	if light == svg {
		t.Error("the light picture is the dark one")
	}
}

func TestFolding(t *testing.T) {
	d := load(t, "testdata/everything.json")
	folded := mustSVG(t, d, Options{})
	if strings.Contains(folded, "GC of") {
		t.Error("a collapsed row is drawn open")
	}
	contains(t, folded, ">A row that is folded<", ">1 panel<")
	inside := d.Panels[len(d.Panels)-1]
	contains(t, mustSVG(t, d, Options{Expand: true}), "GC of")
	contains(t, mustSVG(t, d, Options{Marks: map[*dashboard.Panel]Mark{inside: {Kind: MarkAdded}}}), "GC of", ">added<")
}

func TestWithoutDataThePanelsShowWhatTheyWouldAsk(t *testing.T) {
	svg := mustSVG(t, load(t, "testdata/everything.json"), Options{})
	checkSVG(t, svg)
	contains(t, svg, `sum(up{job=~&#34;$job&#34;})`, ">unit bytes<", "≥ 48 MiB", "resident {{job}}", "unit percentunit")
	if strings.Contains(svg, "No data") {
		t.Error("nobody was asked, so nobody can say that there are no data")
	}
}

// constant answers every query with one series of one value.
type constant struct {
	value float64
	err   error
}

func (c constant) Query(context.Context, string, time.Time, ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	return model.Vector{{Metric: model.Metric{"job": "a"}, Value: model.SampleValue(c.value), Timestamp: 1000}}, nil, nil, c.err
}

func (c constant) QueryRange(_ context.Context, _ string, r v1.Range, _ ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	s := &model.SampleStream{Metric: model.Metric{"job": "a", "le": "5"}}
	for at := r.Start; !at.After(r.End); at = at.Add(r.Step) {
		s.Values = append(s.Values, model.SamplePair{Timestamp: model.TimeFromUnixNano(at.UnixNano()), Value: model.SampleValue(c.value)})
	}
	return model.Matrix{s}, nil, nil, c.err
}

func (c constant) LabelNames(context.Context, []string, time.Time, time.Time, ...v1.Option) (model.LabelNames, v1.Warnings, v1.Infos, error) {
	return model.LabelNames{"job"}, nil, nil, c.err
}

func (c constant) LabelValues(context.Context, string, []string, time.Time, time.Time, ...v1.Option) (model.LabelValues, v1.Warnings, v1.Infos, error) {
	return model.LabelValues{"a", "b"}, nil, nil, c.err
}

var anHour = Options{Start: time.Unix(1700000000, 0), End: time.Unix(1700003600, 0)}

// heights are the y of the horizontal lines of a colour.
func heights(t *testing.T, svg, color string) (out []float64) {
	t.Helper()
	for _, m := range regexp.MustCompile(`<path d="M([\d.]+),([\d.]+)L[^"]*" stroke="`+color+`"`).FindAllStringSubmatch(svg, -1) {
		y, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, y)
	}
	return out
}

func TestCurvesAndThresholdsAreAtTheirValues(t *testing.T) {
	d := parse(t, `{"title":"d","schemaVersion":39,"panels":[{"type":"timeseries","title":"p","gridPos":{"x":0,"y":0,"w":24,"h":10},
		"targets":[{"refId":"A","expr":"x"}],"options":{"legend":{"showLegend":false}},
		"fieldConfig":{"defaults":{"min":0,"max":10,"color":{"mode":"fixed","fixedColor":"#010203"},
		"thresholds":{"mode":"absolute","steps":[{"color":"#0a0b0c","value":null},{"color":"#040506","value":8}]},"custom":{"thresholdsStyle":{"mode":"line"}}}}}]}`)
	at := func(v float64) (curve, threshold float64) {
		opts := anHour
		opts.Prometheus = constant{value: v}
		svg := mustSVG(t, d, opts)
		c, th := heights(t, svg, "#010203"), heights(t, svg, "#040506")
		if len(c) != 1 || len(th) != 1 {
			t.Fatalf("%d curves and %d thresholds in %s", len(c), len(th), svg)
		}
		return c[0], th[0]
	}
	bottom, _ := at(0)
	top, _ := at(10)
	middle, threshold := at(5)
	// The library leaves room for half a line's width at the edges.
	if math.Abs(middle-(top+bottom)/2) > 1 || bottom-top < 200 {
		t.Errorf("0, 5 and 10 are at %v, %v and %v", bottom, middle, top)
	}
	if want := bottom + (top-bottom)*0.8; math.Abs(threshold-want) > 1 {
		t.Errorf("the threshold is at %v, want %v", threshold, want)
	}
	if onIt, threshold := at(8); math.Abs(onIt-threshold) > 0.05 {
		t.Errorf("a curve of 8 is at %v, the threshold of 8 at %v", onIt, threshold)
	}
	contains(t, mustSVG(t, d, anHour), "≥ 8")
}

func TestTheScaleOfBytesIsRound(t *testing.T) {
	r := &renderer{loc: time.UTC}
	for _, c := range []struct {
		unit   string
		lo, hi float64
		want   string
	}{
		{"bytes", 0, 100 << 20, "0 B, 32 MiB, 64 MiB, 96 MiB"},
		{"bytes", 0, 3 << 30, "0 B, 1 GiB, 2 GiB, 3 GiB"},
		{"s", 0, 0.9, "0 s, 200 ms, 400 ms, 600 ms, 800 ms"},
		{"s", 0, 7200, "0 s, 30 min, 1.0 hour, 1.5 hour, 2.0 hour"},
		{"percentunit", 0, 1, "0%, 20%, 40%, 60%, 80%, 100%"},
		{"short", 0, 2500, "0, 500, 1.0 K, 1.5 K, 2.0 K, 2.5 K"},
		{"none", -1, 1, "-1.0, -0.5, 0, 0.5, 1.0"},
		{"ms", 0, 0, ""},
	} {
		a := &axis{field: &field{unit: c.unit, decimals: -1}, r: r}
		var got []string
		for _, tick := range a.ticks(c.lo, c.hi, 5) {
			got = append(got, tick.Label)
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s from %v to %v: %s, want %s", c.unit, c.lo, c.hi, strings.Join(got, ", "), c.want)
		}
	}
}

func TestMarks(t *testing.T) {
	d := load(t, "testdata/everything.json")
	pal, _ := newPalette(Dark)
	for kind, want := range map[MarkKind]string{MarkAdded: "added", MarkRemoved: "removed", MarkChanged: "changed", MarkMoved: "moved"} {
		svg := mustSVG(t, d, Options{Marks: map[*dashboard.Panel]Mark{d.Panels[1]: {Kind: kind}}})
		c := pal.mark(kind)
		contains(t, svg, ">"+want+"<", fmt.Sprintf(`stroke="#%02x%02x%02x" stroke-width="2.5"`, c.R, c.G, c.B))
	}
	contains(t, mustSVG(t, d, Options{Marks: map[*dashboard.Panel]Mark{d.Panels[1]: {Kind: MarkChanged, Note: "query, unit"}}}), ">query, unit<")
}

func TestPanelsFloatLikeInGrafana(t *testing.T) {
	d := parse(t, `{"title":"d","schemaVersion":39,"panels":[
		{"type":"stat","title":"below a hole","gridPos":{"x":0,"y":20,"w":12,"h":4}},
		{"type":"stat","title":"first","gridPos":{"x":0,"y":0,"w":12,"h":4}},
		{"type":"stat","title":"overlaps the first","gridPos":{"x":6,"y":2,"w":12,"h":4}},
		{"type":"stat","title":"too wide","gridPos":{"x":20,"y":30,"w":99,"h":4}},
		{"type":"stat","title":"without a place"}]}`)
	r, err := newRenderer(context.Background(), d, Options{Width: 1000})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]rect{}
	for _, pl := range r.layout.sections[0].panels {
		got[pl.panel.Title] = pl.place
	}
	unit := unitHeight + gap
	top := got["first"].y
	for title, y := range map[string]float64{"first": 0, "overlaps the first": 4, "below a hole": 8, "too wide": 12, "without a place": 16} {
		if got[title].y != top+y*unit {
			t.Errorf("%s is at unit %v, want %v", title, (got[title].y-top)/unit, y)
		}
	}
	if p := got["too wide"]; p.x != margin || math.Abs(p.right()-(1000-margin)) > 0.01 {
		t.Errorf("the panel that is too wide stands at %+v", p)
	}
	var all []rect
	for _, p := range got {
		all = append(all, p)
	}
	for i, a := range all {
		for _, b := range all[i+1:] {
			if a.x < b.right()-1 && b.x < a.right()-1 && a.y < b.bottom()-1 && b.y < a.bottom()-1 {
				t.Errorf("%+v and %+v overlap", a, b)
			}
		}
	}
}

func TestOldRows(t *testing.T) {
	d := parse(t, `{"title":"old","schemaVersion":12,"rows":[
		{"title":"One","height":"250px","panels":[{"type":"graph","title":"left","span":6,"targets":[{"expr":"a"}]},{"type":"graph","title":"right","span":6,"targets":[{"expr":"b"}]}]},
		{"title":"Two","collapse":true,"panels":[{"type":"singlestat","title":"hidden","span":12}]}]}`)
	svg := mustSVG(t, d, Options{})
	contains(t, svg, ">One<", ">left<", ">right<", ">Two<", ">1 panel<")
	if strings.Contains(svg, ">hidden<") {
		t.Error("a panel of a collapsed row is drawn")
	}
}

func TestPrometheusThatIsNotThere(t *testing.T) {
	d := load(t, "testdata/everything.json")
	srv := httptest.NewServer(http.NotFoundHandler())
	dead := srv.URL
	srv.Close()
	empty := httptest.NewServer(http.NotFoundHandler())
	defer empty.Close()
	for name, address := range map[string]string{"refused": dead, "something else": empty.URL} {
		client, err := api.NewClient(api.Config{Address: address})
		if err != nil {
			t.Fatal(err)
		}
		opts := anHour
		opts.Prometheus = v1.NewAPI(client)
		if _, err := SVG(context.Background(), d, opts); err == nil || !strings.Contains(err.Error(), "ask Prometheus") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := SVG(ctx, d, anHour); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
}

// away is a Prometheus that no connection reaches.
type away struct {
	constant
	calls atomic.Int32
}

func (a *away) QueryRange(context.Context, string, v1.Range, ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	a.calls.Add(1)
	return nil, nil, nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
}

func TestAPrometheusThatIsGoneIsNotAskedAgainAndAgain(t *testing.T) {
	var panels []string
	for i := range 200 {
		panels = append(panels, fmt.Sprintf(`{"type":"timeseries","targets":[{"refId":"A","expr":"x%d"}]}`, i))
	}
	a := &away{}
	opts := anHour
	opts.Prometheus = a
	if _, err := SVG(context.Background(), parse(t, `{"title":"d","panels":[`+strings.Join(panels, ",")+`]}`), opts); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("error %v", err)
	}
	// Those already under way may finish.
	if n := a.calls.Load(); n > 2*parallelQueries {
		t.Errorf("%d queries were sent", n)
	}
}

func TestWrongOptions(t *testing.T) {
	d := parse(t, `{"title":"d","panels":[]}`)
	for want, opts := range map[string]Options{
		"width 10":          {Width: 10},
		`theme "pink"`:      {Theme: "pink"},
		"needs a time":      {Prometheus: constant{}},
		"is empty":          {Start: anHour.End, End: anHour.Start},
		"font no-such-file": {Fonts: []string{"no-such-file"}},
		"scale 9":           {Scale: 9},
	} {
		if _, err := PNG(context.Background(), d, opts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

// Nothing that a file may hold brings the program down, with or without data, and the picture stays valid.
func TestHostileDashboards(t *testing.T) {
	values := []float64{1, 0, -1, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 1e300}
	for i, f := range dashtest.Hostile(7, 60) {
		d, err := dashboard.Load(f.Name, f.Data)
		if err != nil {
			continue // what is no dashboard is not drawn
		}
		opts := anHour
		opts.Expand = true
		opts.Width = []int{400, 1400, 4000}[i%3]
		checkSVG(t, mustSVG(t, d, opts))
		opts.Prometheus = constant{value: values[i%len(values)]}
		checkSVG(t, mustSVG(t, d, opts))
		if _, err := HTML(context.Background(), d, opts); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}

// Every panel type with every odd value: the fixtures have panels of all types.
func TestExtremeValues(t *testing.T) {
	kinds := load(t, "testdata/kinds.json")
	for _, v := range []float64{0, -1, math.NaN(), math.Inf(1), math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64} {
		opts := anHour
		opts.Prometheus, opts.Width = constant{value: v}, 700
		checkSVG(t, mustSVG(t, kinds, opts))
	}
	d := load(t, "testdata/everything.json")
	for _, v := range []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 1e-300, 1e300} {
		opts := anHour
		opts.Prometheus = constant{value: v}
		svg := mustSVG(t, d, opts)
		checkSVG(t, svg)
		opts.Width = 400
		checkSVG(t, mustSVG(t, d, opts))
	}
}

func TestPNG(t *testing.T) {
	prom, rec, _ := recorded(t)
	d := load(t, "testdata/everything.json")
	report := &Report{}
	opts := Options{Prometheus: prom, Start: rec.Start, End: rec.End, ScrapeInterval: 5 * time.Second, Expand: true, Report: report, Scale: 0.5}
	data, err := PNG(context.Background(), d, opts)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if w := img.Bounds().Dx(); w != 700 {
		t.Errorf("%d pixels wide, want 700", w)
	}
	pal, _ := newPalette(Dark)
	if r, g, b, _ := img.At(1, 1).RGBA(); uint8(r>>8) != pal.page.R || uint8(g>>8) != pal.page.G || uint8(b>>8) != pal.page.B {
		t.Errorf("the corner is %v %v %v", r>>8, g>>8, b>>8)
	}
	again, err := PNG(context.Background(), d, opts)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, again) {
		t.Error("the same input gave other bytes")
	}
	if _, err := PNG(context.Background(), d, Options{Width: 4000, Scale: 4}); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a picture of hundreds of megabytes: error %v", err)
	}
}

func TestHTML(t *testing.T) {
	d := parse(t, `{"title":"<b>d</b>","schemaVersion":39,"panels":[
		{"type":"stat","title":"one","description":"**bold** <em onclick='alert(3)'>kept</em> <script>alert(1)</script> [x](javascript:alert(2))","gridPos":{"x":0,"y":0,"w":6,"h":4},"targets":[{"refId":"A","expr":"a < 1","legendFormat":"l"}]},
		{"type":"row","title":"folded","collapsed":true,"gridPos":{"x":0,"y":4,"w":24,"h":1},"panels":[{"type":"stat","title":"two","gridPos":{"x":0,"y":5,"w":6,"h":4}}]},
		{"type":"row","title":"open","gridPos":{"x":0,"y":6,"w":24,"h":1}},
		{"type":"stat","title":"three","gridPos":{"x":0,"y":7,"w":6,"h":4}}]}`)
	out, err := HTML(context.Background(), d, Options{})
	if err != nil {
		t.Fatal(err)
	}
	page := string(out)
	contains(t, page, "&lt;b&gt;d&lt;/b&gt;", "<strong>bold</strong>", "<em>kept</em>", "a &lt; 1", `<details class="row"><summary>folded`, `<details class="row" open><summary>open`, ">two<", ">three<")
	for _, bad := range []string{"<script", `href="javascript:`, "<b>d</b>"} {
		if strings.Contains(page, bad) {
			t.Errorf("%q is in the page", bad)
		}
	}
	marked, err := HTML(context.Background(), d, Options{Marks: map[*dashboard.Panel]Mark{d.Panels[2]: {Kind: MarkChanged}}})
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(marked), `<details class="row" open><summary>folded`)
}

func TestPanel(t *testing.T) {
	d := load(t, "testdata/everything.json")
	out, err := Panel(context.Background(), d, d.Panels[5], Options{})
	if err != nil {
		t.Fatal(err)
	}
	checkSVG(t, string(out))
	contains(t, string(out), ">Memory with thresholds<")
	if strings.Contains(string(out), "Uptime") {
		t.Error("another panel is in the picture")
	}
	if _, err := Panel(context.Background(), d, &dashboard.Panel{Title: "foreign"}, Options{}); err == nil {
		t.Error("a panel of another dashboard is drawn")
	}
}

func TestCharactersThatNoFontHas(t *testing.T) {
	c := &imageCanvas{fallback: &fallback{found: nil}, report: &Report{}}
	c.fallback.found = map[rune]*opentype.Font{}
	c.rasterCanvas = newRasterCanvas(200, 50, 1)
	newPen(c, 50, newMetrics()).text(10, 20, "a 报警 b报", textStyle{size: 12, color: rgb(0xffffff)})
	if got := string(c.report.Missing); got != "报警" {
		t.Errorf("missing %q, want 报警", got)
	}
}

func benchmark(b *testing.B, draw func(*dashboard.Dashboard) error) {
	files := dashtest.Collection(1, 20, dashtest.Metrics(1, 300))
	var list []*dashboard.Dashboard
	panels := 0
	for _, f := range files {
		d, err := dashboard.Load(f.Name, f.Data)
		if err != nil {
			b.Fatal(err)
		}
		list = append(list, d)
		panels += len(d.Panels)
	}
	b.ReportAllocs()
	i, before := 0, cpuTime(b)
	for b.Loop() {
		if err := draw(list[i%len(list)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
	// The clock on the wall says little on a machine that others use.
	b.ReportMetric((cpuTime(b)-before).Seconds()*1000/float64(i), "cpu-ms/op")
	b.ReportMetric(float64(panels)/float64(len(list)), "panels/op")
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// One operation is one dashboard as large collections have them. The bar is 50 ms on one core: go test -bench . -cpu 1 ./internal/render
func BenchmarkSVG(b *testing.B) {
	benchmark(b, func(d *dashboard.Dashboard) error {
		_, err := SVG(context.Background(), d, Options{Expand: true})
		return err
	})
}

func BenchmarkSVGWithData(b *testing.B) {
	opts := anHour
	opts.Expand, opts.Prometheus = true, constant{value: 5}
	benchmark(b, func(d *dashboard.Dashboard) error {
		_, err := SVG(context.Background(), d, opts)
		return err
	})
}

func BenchmarkHTML(b *testing.B) {
	benchmark(b, func(d *dashboard.Dashboard) error {
		_, err := HTML(context.Background(), d, Options{})
		return err
	})
}

func BenchmarkPNG(b *testing.B) {
	benchmark(b, func(d *dashboard.Dashboard) error {
		_, err := PNG(context.Background(), d, Options{Expand: true})
		return err
	})
}

func BenchmarkPNGWithData(b *testing.B) {
	opts := anHour
	opts.Expand, opts.Prometheus = true, constant{value: 5}
	benchmark(b, func(d *dashboard.Dashboard) error {
		_, err := PNG(context.Background(), d, opts)
		return err
	})
}

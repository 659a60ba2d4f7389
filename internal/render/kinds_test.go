package render

import (
	"context"
	"flag"
	"html"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// To look at the pictures of testdata/kinds.json:
//
//	go test ./internal/render -run TestKinds -pictures DIR
var pictures = flag.String("pictures", "", "directory to write the pictures of testdata/kinds.json into")

// waves answers with one series for each name in the query, separated by commas, whose values differ and always are the same.
type waves struct{ constant }

func (waves) series(query string, at []time.Time) model.Matrix {
	var out model.Matrix
	for i, name := range strings.Split(query, ",") {
		name = strings.TrimSpace(name)
		s := &model.SampleStream{Metric: model.Metric{"job": model.LabelValue(name), "instance": model.LabelValue("host-" + string(rune('a'+i))), "alertname": model.LabelValue(name), "alertstate": "firing"}}
		for j, t := range at {
			v := float64(10*(i+1)) + 8*math.Sin(float64(j)/7+float64(i))
			switch {
			case strings.HasPrefix(name, "state"):
				v = math.Floor(float64(j+3*i)/11) - 3*math.Floor(float64(j+3*i)/33)
			case strings.HasPrefix(name, "up"):
				v = 1
			}
			s.Values = append(s.Values, model.SamplePair{Timestamp: model.TimeFromUnixNano(t.UnixNano()), Value: model.SampleValue(v)})
		}
		out = append(out, s)
	}
	return out
}

func (w waves) Query(_ context.Context, query string, at time.Time, _ ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	if strings.HasPrefix(query, "ALERTS") {
		query = "ThreadsHigh,DiskFull"
	}
	var out model.Vector
	for _, s := range w.series(query, []time.Time{at}) {
		out = append(out, &model.Sample{Metric: s.Metric, Timestamp: s.Values[0].Timestamp, Value: s.Values[0].Value})
	}
	return out, nil, nil, nil
}

func (w waves) QueryRange(_ context.Context, query string, r v1.Range, _ ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	var at []time.Time
	for t := r.Start; !t.After(r.End); t = t.Add(r.Step) {
		at = append(at, t)
	}
	return w.series(query, at), nil, nil, nil
}

// Every kind of panel gives a picture that shows its data.
func TestKinds(t *testing.T) {
	d := load(t, "testdata/kinds.json")
	for _, theme := range []Theme{Dark, Light} {
		for _, width := range []int{1400, 420} {
			opts := anHour
			report := &Report{}
			opts.Prometheus, opts.Theme, opts.Width, opts.Report = waves{}, theme, width, report
			svg := mustSVG(t, d, opts)
			checkSVG(t, svg)
			if report.Placeholders != 0 || len(report.Problems) != 0 {
				t.Errorf("%d placeholders, problems %v", report.Placeholders, report.Problems)
			}
			if width == 1400 {
				contains(t, svg,
					">41%<", ">41.3%<", ">35.8 B<", // the pie's share, in the pie and in its legend
					">10%<", ">26.7 s<", // bars with their values
					">down<", ">starting<", ">up<", // states by their words, in the band and in the legend
					">firing<", ">ThreadsHigh<", ">DiskFull<", // alerts
					">Now<", ">13.2%<", // reduced, renamed, and in its unit
					">Instance<", ">ratio<", ">0.374<", // joined and calculated
					">mySQL<", ">both<", // renamed, and a sum
					">FROM orders<", ">GROUP BY 1 (asks mysql)<", // the lines of a query
					"namespace AWS/EC2, metricName CPUUtilization", ">|= &#34;error&#34;<",
					">Starred dashboards<", ">Dashboards matching “mysql”, tagged go<",
					">1.32e-11<", ">1.3223e+300<", ">1e-11<", ">1e+276 Sept<",
				)
				if strings.Contains(svg, "left out: calculateField") || strings.Contains(svg, "left out: B") {
					t.Error("a transformation or an expression is not applied")
				}
			}
			if *pictures != "" {
				name := filepath.Join(*pictures, "kinds-"+string(theme)+"-"+map[int]string{1400: "wide", 420: "narrow"}[width]+".svg")
				if err := os.WriteFile(name, []byte(svg), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	// The console's pages show each of them, too.
	opts := anHour
	opts.Prometheus = waves{}
	b := board(t, d, opts)
	for _, p := range b.Sections()[0].Panels {
		pic, err := b.Draw(context.Background(), p.Key, DrawOptions{Width: 500, Height: 240})
		if err != nil {
			t.Fatal(p.Title, err)
		}
		if pic.NotDrawn != "" || pic.Empty != "" || pic.SVG == nil && pic.Table == nil && pic.HTML == "" {
			t.Errorf("%s: nothing to show: %+v", p.Title, pic)
		}
		if pic.SVG != nil {
			checkSVG(t, string(pic.SVG))
		}
		if (p.Panel.Type == "piechart" || p.Panel.Type == "histogram") && (pic.Legend == nil || len(pic.Legend.Entries) < 2) {
			t.Errorf("%s has no legend to choose from", p.Title)
		}
		if p.Panel.Type == "state-timeline" && pic.Frame == nil {
			t.Errorf("%s has no frame, so times can't be pointed at", p.Title)
		}
	}
	if *pictures != "" {
		svg := mustSVG(t, d, Options{})
		if err := os.WriteFile(filepath.Join(*pictures, "kinds-plan.svg"), []byte(svg), 0o600); err != nil {
			t.Fatal(err)
		}
		opts := anHour
		opts.Prometheus = waves{}
		data, err := PNG(context.Background(), d, opts)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*pictures, "kinds.png"), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A table may have texts only, a stat may show a label, and the old graph has other axes than time.
func TestPanelsOfTextsAndOldAxes(t *testing.T) {
	table := `"targets":[{"refId":"A","expr":"go,mysql","format":"table","instant":true}]`
	for name, c := range map[string]struct {
		panel string
		want  []string
		not   string
	}{
		"texts": {`"type":"table",` + table + `,"transformations":[{"id":"filterFieldsByName","options":{"include":{"names":["job","instance"]}}}]`, []string{">go<", ">mysql<", ">host-b<"}, "No data"},
		"label": {`"type":"stat",` + table + `,"options":{"reduceOptions":{"fields":"/^job$/","values":false}}`, []string{">mysql<"}, ">26.7<"},
		"rows":  {`"type":"stat",` + table + `,"options":{"reduceOptions":{"fields":"/^job$/","values":true}}`, []string{">go<", ">mysql<"}, ">26.7<"},
		"mapped": {`"type":"stat",` + table + `,"options":{"reduceOptions":{"fields":"job"}},"fieldConfig":{"defaults":{"mappings":[{"type":"value","options":{"mysql":{"text":"the database"}}}]}}`,
			[]string{">the database<"}, ">mysql<"},
		"histogram": {`"type":"graph","targets":[{"refId":"A","expr":"go"}],"xaxis":{"mode":"histogram","buckets":4}`, []string{">5<", ">10<"}, ">22:30<"},
		"series":    {`"type":"graph","targets":[{"refId":"A","expr":"go,mysql","legendFormat":"{{job}}"}],"xaxis":{"mode":"series","values":["max"]}`, []string{">go<", ">mysql<", ">28.0<"}, ">22:30<"},
	} {
		opts := anHour
		opts.Prometheus = waves{}
		svg := mustSVG(t, parse(t, `{"title":"d","panels":[{"title":"p","gridPos":{"x":0,"y":0,"w":12,"h":8},`+c.panel+`}]}`), opts)
		checkSVG(t, svg)
		contains(t, svg, c.want...)
		if strings.Contains(svg, c.not) || t.Failed() {
			t.Errorf("%s: %s is there", name, c.not)
		}
	}
}

var textElement = regexp.MustCompile(`<text x="(-?[\d.]+)" y="(-?[\d.]+)"([^>]*)>([^<]*)</text>`)

// Whatever the number and its unit, what is written stays inside of the panel.
func TestNumbersStayInsideTheirPanel(t *testing.T) {
	m := newMetrics()
	for _, kind := range []string{"timeseries", "stat", "gauge", "bargauge", "table", "piechart", "barchart", "histogram", "state-timeline", "status-history", "heatmap"} {
		for _, unit := range []string{"none", "short", "bytes", "s", "percentunit", "currencyUSD"} {
			d := parse(t, `{"title":"d","panels":[{"type":"`+kind+`","title":"p","gridPos":{"x":0,"y":0,"w":5,"h":6},"targets":[{"refId":"A","expr":"go"}],
				"fieldConfig":{"defaults":{"unit":"`+unit+`"}},"options":{"legend":{"showLegend":false},"displayLabels":["value"],"showValue":"always"}}]}`)
			for _, v := range []float64{1e-12, 3e-9, 18446744073709551615, 4.2e21, 1e300, -1.23456789e250} {
				opts := anHour
				opts.Prometheus = constant{value: v}
				data, err := Panel(context.Background(), d, d.Panels[0], opts)
				if err != nil {
					t.Fatal(err)
				}
				svg := string(data)
				wide, err := strconv.ParseFloat(regexp.MustCompile(`width="([\d.]+)"`).FindStringSubmatch(svg)[1], 64)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range textElement.FindAllStringSubmatch(svg, -1) {
					x, _ := strconv.ParseFloat(e[1], 64)
					size, _ := strconv.ParseFloat(regexp.MustCompile(`font-size="([\d.]+)"`).FindStringSubmatch(e[3])[1], 64)
					w := m.width(html.UnescapeString(e[4]), textStyle{size: size, bold: strings.Contains(e[3], "font-weight"), mono: strings.Contains(e[3], "Mono")})
					if strings.Contains(e[3], `"middle"`) {
						x -= w / 2
					} else if strings.Contains(e[3], `"end"`) {
						x -= w
					}
					if !strings.Contains(e[3], "rotate") && (x < 0 || x+w > wide+0.5) {
						t.Errorf("%v in %s in a %s: %q reaches from %.0f to %.0f of %.0f", v, unit, kind, e[4], x, x+w, wide)
					}
				}
			}
		}
	}
}

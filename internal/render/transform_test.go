package render

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"lookout/internal/dashboard"
)

// tableOf reads a table: names of columns (#number, @time, else text), then rows; a dash is nothing.
func tableOf(refID, text string) *frame {
	f := &frame{name: refID, refID: refID}
	for i, line := range strings.Split(text, " / ") {
		for j, word := range strings.Fields(line) {
			if i == 0 {
				c := &column{name: strings.TrimLeft(word, "#@")}
				c.title = c.name
				switch word[0] {
				case '#':
					c.kind = numberColumn
				case '@':
					c.kind = timeColumn
				}
				f.cols = append(f.cols, c)
				continue
			}
			c, x := f.cols[j], cell{number: math.NaN()}
			if v, ok := parseNumber(word); ok && c.kind != textColumn {
				x = cell{number: v, set: true}
			} else if word != "-" {
				x = textCell(word)
			}
			c.cells = append(c.cells, x)
		}
	}
	return f
}

// labelled is a series as a table.
func labelled(refID, name string, labels model.Metric, values ...float64) *frame {
	s := &series{name: name, refID: refID, metric: labels}
	for i, v := range values {
		s.points = append(s.points, point{float64(i), v})
	}
	return seriesFrame(s)
}

func written(frames []*frame) string {
	var tables []string
	for _, f := range frames {
		var lines []string
		var head []string
		for _, c := range f.cols {
			head = append(head, strings.ReplaceAll(c.title, " ", "_"))
		}
		lines = append(lines, strings.Join(head, " "))
		for i := range f.rows() {
			var row []string
			for _, c := range f.cols {
				text := c.plainText(c.cells[i], time.UTC)
				if c.kind == timeColumn && c.cells[i].set {
					text = formatUnit("string", c.cells[i].number, -1, time.UTC, time.Time{}).String()
				}
				if text == "" {
					text = "-"
				}
				row = append(row, strings.ReplaceAll(text, " ", "_"))
			}
			lines = append(lines, strings.Join(row, " "))
		}
		tables = append(tables, strings.Join(lines, " / "))
	}
	return strings.Join(tables, " ; ")
}

func TestTransformations(t *testing.T) {
	cpu := func() *frame { return tableOf("A", "@Time host #Value / 1 a 10 / 2 b 30 / 3 a 20") }
	pair := func() []*frame {
		return []*frame{tableOf("A", "host #A / a 1 / b 2"), tableOf("B", "host #B / b 20 / c 30")}
	}
	curves := func() []*frame {
		return []*frame{labelled("A", "one", model.Metric{"host": "a", "job": "x"}, 1, 2), labelled("B", "two", model.Metric{"host": "b", "job": "x"}, 3, 5)}
	}
	for name, c := range map[string]struct {
		in   []*frame
		list string
		want string
	}{
		"organize": {[]*frame{cpu()}, `{"id":"organize","options":{"excludeByName":{"Time":true},"indexByName":{"Value":0,"host":1},"renameByName":{"host":"Host"}}}`, "Value Host / 10 a / 30 b / 20 a"},
		"include":  {[]*frame{cpu()}, `{"id":"organize","options":{"includeByName":{"host":true}}}`, "host / a / b / a"},
		"filter":   {[]*frame{cpu()}, `{"id":"filterFieldsByName","options":{"include":{"pattern":"/^v/i"}}}`, "Value / 10 / 30 / 20"},
		"names":    {[]*frame{cpu()}, `{"id":"filterFieldsByName","options":{"exclude":{"names":["Time"]}}}`, "host Value / a 10 / b 30 / a 20"},
		"regex":    {curves()[:1], `{"id":"renameByRegex","options":{"regex":"(o)n(e)","renamePattern":"$2-$1"}}`, "Time e-o / 0 1 / 1 2"},
		"sort":     {[]*frame{cpu()}, `{"id":"sortBy","options":{"sort":[{"field":"Value","desc":true}]}}`, "Time host Value / 2 b 30 / 3 a 20 / 1 a 10"},
		"limit":    {[]*frame{cpu()}, `{"id":"limit","options":{"limitField":"1"}}`, "Time host Value / 1 a 10"},
		"group":    {[]*frame{cpu()}, `{"id":"groupBy","options":{"fields":{"host":{"operation":"groupby","aggregations":[]},"Value":{"operation":"aggregate","aggregations":["sum","max"]}}}}`, "host Value_(sum) Value_(max) / a 30 20 / b 30 30"},
		"value":    {[]*frame{cpu()}, `{"id":"filterByValue","options":{"type":"include","match":"all","filters":[{"fieldName":"Value","config":{"id":"greater","options":{"value":15}}},{"fieldName":"host","config":{"id":"equal","options":{"value":"a"}}}]}}`, "Time host Value / 3 a 20"},
		"exclude":  {[]*frame{cpu()}, `{"id":"filterByValue","options":{"type":"exclude","match":"any","filters":[{"fieldName":"host","config":{"id":"regex","options":{"value":"^b"}}}]}}`, "Time host Value / 1 a 10 / 3 a 20"},
		"matrix":   {[]*frame{tableOf("A", "day host #v / mo a 1 / mo b 2 / tu a 3")}, `{"id":"groupingToMatrix","options":{"columnField":"host","rowField":"day","valueField":"v"}}`, `day\host a b / mo 1 2 / tu 3 -`},
		"swap":     {[]*frame{tableOf("A", "host #x #y / a 1 2 / b 3 4")}, `{"id":"transpose"}`, "Field a b / x 1 3 / y 2 4"},
		"fields":   {[]*frame{tableOf("A", "host #x / a 1 / b 3")}, `{"id":"rowsToFields"}`, "a b / 1 3"},
		"type":     {[]*frame{tableOf("A", "n / 5 / x")}, `{"id":"convertFieldType","options":{"conversions":[{"targetField":"n","destinationType":"number"}]}}`, "n / 5 / -"},
		"merge":    {pair(), `{"id":"merge"}`, "host A B / a 1 - / b 2 20 / c - 30"},
		"outer":    {pair(), `{"id":"joinByField","options":{"byField":"host","mode":"outer"}}`, "host A B / a 1 - / b 2 20 / c - 30"},
		"inner":    {pair(), `{"id":"joinByField","options":{"byField":"host","mode":"inner"}}`, "host A B / b 2 20"},
		"columns":  {curves(), `{"id":"seriesToColumns","options":{}}`, "Time one two / 0 1 3 / 1 2 5"},
		"rows":     {curves(), `{"id":"seriesToRows"}`, "Time Metric Value / 1 one 2 / 1 two 5 / 0 one 1 / 0 two 3"},
		"labels":   {curves(), `{"id":"labelsToFields","options":{"keepLabels":["host"]}}`, "Time host Value / 0 a 1 / 1 a 2 / 0 b 3 / 1 b 5"},
		"by label": {curves(), `{"id":"joinByLabels","options":{"value":"host"}}`, "job a b / x 2 5"},
		"reduce":   {curves(), `{"id":"reduce","options":{"reducers":["mean","lastNotNull"]}}`, "Field Mean Last_* / one 1.5 2 / two 4 5"},
		"reduced":  {curves(), `{"id":"reduce","options":{"reducers":["max"],"mode":"reduceFields"}}`, "one two / 2 5"},
		"with labels": {curves(), `{"id":"reduce","options":{"reducers":["max"],"labelsToFields":true}}`,
			"Field host job Max / Value a x 2 / Value b x 5"},
		"sum": {curves(), `{"id":"calculateField","options":{"mode":"reduceRow","reduce":{"reducer":"sum"}}}`, "Time one two Total / 0 1 3 4 / 1 2 5 7"},
		"binary": {curves(), `{"id":"calculateField","options":{"mode":"binary","binary":{"left":{"matcher":{"id":"byName","options":"two"}},"operator":"-","right":{"fixed":"1"}},"alias":"less","replaceFields":true}}`,
			"Time less / 0 2 / 1 4"},
		"trend":     {curves(), `{"id":"timeSeriesTable"}`, "host job Trend_#A Trend_#B / a x 2 - / b x - 5"},
		"ref":       {curves(), `{"id":"filterByRefId","options":{"include":"/^(?:B)$/"}}`, "Time two / 0 3 / 1 5"},
		"only some": {curves(), `{"id":"limit","options":{"limitField":1},"filter":{"id":"byRefId","options":"A"}}`, "Time one / 0 1 ; Time two / 0 3 / 1 5"},
		"disabled":  {curves()[:1], `{"id":"limit","disabled":true,"options":{"limitField":1}}`, "Time one / 0 1 / 1 2"},
		"two": {pair(), `{"id":"merge"},{"id":"calculateField","options":{"mode":"binary","binary":{"left":"A","operator":"+","right":"B"},"alias":"sum"}},{"id":"sortBy","options":{"sort":[{"field":"sum"}]}}`,
			"host A B sum / b 2 20 22 / a 1 - - / c - 30 -"},
		"beside": {pair(), `{"id":"concatenate"}`, "host_1 A host_2 B / a 1 b 20 / b 2 c 30"},
	} {
		d := parse(t, `{"title":"d","panels":[{"type":"table","transformations":[`+c.list+`]}]}`)
		v := &view{panel: d.Panels[0], scope: &scope{}}
		if got := written(v.transform(c.in)); got != c.want || len(v.skipped) > 0 {
			t.Errorf("%s:\n got %s\nwant %s %q", name, got, c.want, v.skipped)
		}
	}
	d := parse(t, `{"title":"d","panels":[{"type":"table","transformations":[{"id":"configFromData"},{"id":"calculateField","options":{"mode":"windowFunctions"}}]}]}`)
	v := &view{panel: d.Panels[0], scope: &scope{}}
	if v.transform(curves()); strings.Join(v.skipped, " ") != "configFromData calculateField" {
		t.Errorf("what can't be applied is not named: %q", v.skipped)
	}
}

func TestMathOfQueries(t *testing.T) {
	list := func(host string, values ...float64) answerSeries {
		s := answerSeries{metric: model.Metric{"host": model.LabelValue(host)}}
		for i, v := range values {
			s.points = append(s.points, point{float64(i), v})
		}
		return s
	}
	get := func(ref string) ([]answerSeries, bool) {
		all := map[string][]answerSeries{"A": {list("a", 4, 9), list("b", 2, 5)}, "B": {list("b", 10, 20), list("a", 1, 3)}, "C": {{points: []point{{0, 2}}}}}
		out, ok := all[ref]
		return out, ok
	}
	for expr, want := range map[string][]float64{
		"1 + 2 * 3 ** 2":      {19},
		"2 * 3 ** 2":          {18},
		"$A / 2":              {2, 4.5, 1, 2.5},
		"$A + $B":             {5, 12, 12, 25},
		"${A} * $C":           {8, 18, 4, 10},
		"$A > 4 && !($A < 6)": {0, 1, 0, 0},
		"abs(-$A)":            {4, 9, 2, 5},
		"is_nan(nan())":       {1},
	} {
		out, ok := computeMath(expr, get)
		var got []float64
		for _, s := range out {
			for _, p := range s.points {
				got = append(got, p.v)
			}
		}
		if !ok || len(got) != len(want) {
			t.Errorf("%s gives %v %v, want %v", expr, got, ok, want)
			continue
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s gives %v, want %v", expr, got, want)
				break
			}
		}
	}
	for _, expr := range []string{"$D + 1", "$A +", `"x"`, "foo($A)", "$A[0]", "func() {}", ""} {
		if out, ok := computeMath(expr, get); ok {
			t.Errorf("%q gives %v", expr, out)
		}
	}
}

func TestQueryTexts(t *testing.T) {
	for target, want := range map[string]string{
		`{"expr":"up"}`: "up",
		`{"datasource":{"type":"mysql"},"rawSql":"SELECT 1\n  FROM x\n","format":"table"}`:                                                                "SELECT 1\n  FROM x",
		`{"datasource":{"type":"cloudwatch"},"namespace":"AWS/EC2","metricName":"CPU","dimensions":{"Id":["a","b"]},"id":"","region":"x"}`:                "namespace AWS/EC2, metricName CPU, Id a, Id b, region x",
		`{"datasource":{"type":"influxdb"},"query":"SELECT mean(x)","rawQuery":true}`:                                                                     "SELECT mean(x)",
		`{"datasource":{"type":"elasticsearch"},"query":"level:error","metrics":[{"id":"1","type":"count"}]}`:                                             "level:error",
		`{"datasource":{"type":"zabbix"},"group":{"filter":"Linux"},"item":{"filter":"CPU"},"refId":"A"}`:                                                 "filter Linux, filter CPU",
		`{"datasource":{"type":"__expr__","uid":"__expr__"},"type":"threshold","expression":"A","conditions":[{"evaluator":{"type":"gt","params":[8]}}]}`: "A gt 8",
	} {
		d := parse(t, `{"title":"d","panels":[{"type":"timeseries","targets":[`+target+`]}]}`)
		p := d.Panels[0]
		if got := queryText(p.Targets[0], d.Datasource(p, p.Targets[0])); got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
	// The lines of a query stay, with their indentation.
	m := newMetrics()
	lines := m.wrapCode("SELECT 1\n  FROM x\n\n WHERE y", 400, 10, textStyle{size: 10, mono: true})
	if len(lines) != 3 || lines[0].indent != 0 || lines[1].indent <= lines[2].indent || lines[2].text != "WHERE y" {
		t.Errorf("%+v", lines)
	}
}

// Letters of small text keep their distance: as a pair "11" would be one pixel narrower than two ones, and they would touch.
func TestSmallLettersDoNotTouch(t *testing.T) {
	c := newRasterCanvas(60, 20, 1)
	c.background(rgb(0))
	newPen(c, 20, newMetrics()).text(2, 14, "1111", textStyle{size: 10.5, color: rgb(0xffffff)})
	first, last := -1, -1
	for x := range 60 {
		if r, _, _, _ := c.img.At(x, 10).RGBA(); r > 0x8000 {
			if first < 0 {
				first = x
			}
			last = x
		}
	}
	// Three advances of 5.84 pixels lie between the first and the last stroke.
	if last-first < 17 {
		t.Errorf("four ones are %d pixels wide", last-first)
	}
}

// No order of transformations, whatever their options say, breaks a table: its columns are equally long.
func TestTransformationsInAnyOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	ids := slices.Sorted(maps.Keys(transformations))
	word := func() string {
		return []string{`"host"`, `"Time"`, `"Value"`, `"A"`, `"one"`, `""`, `null`, `7`, `-1`, `{}`, `[]`, `["host","one"]`, `true`, `"/(/"`, `{"host":true}`, `{"fixed":2}`}[r.IntN(16)]
	}
	options := func() string {
		var out []string
		for _, key := range []string{"excludeByName", "indexByName", "renameByName", "include", "exclude", "regex", "renamePattern", "sort", "limitField", "filters", "fields", "byField", "mode",
			"reducers", "reduce", "binary", "alias", "replaceFields", "columnField", "rowField", "valueField", "conversions", "mappings", "keepLabels", "valueLabel", "value", "join", "format"} {
			if r.IntN(3) == 0 {
				out = append(out, `"`+key+`":`+word())
			}
		}
		out = append(out, []string{`"sort":[{"field":"host"}]`, `"fields":{"host":{"operation":"groupby"},"Value":{"operation":"aggregate","aggregations":["sum","last",null]}}`,
			`"mode":"reduceFields"`, `"mode":"binary","binary":{"left":"one","operator":"/","right":"0"}`, `"mode":"index"`, `"mode":"inner"`, `"reducers":["mean","allValues"]`, `"mode":"rows"`}[r.IntN(8)])
		return "{" + strings.Join(out, ",") + "}"
	}
	for i := range 1500 {
		var list []string
		for range 1 + r.IntN(4) {
			list = append(list, fmt.Sprintf(`{"id":%q,"options":%s}`, ids[r.IntN(len(ids))], options()))
		}
		src := `{"title":"d","panels":[{"type":"table","transformations":[` + strings.Join(list, ",") + `]}]}`
		d, err := dashboard.Load("d.json", []byte(src))
		if err != nil {
			t.Fatal(err, src)
		}
		v := &view{panel: d.Panels[0], scope: &scope{}, fields: &fieldMaker{panel: d.Panels[0], loc: time.UTC}}
		in := []*frame{tableOf("A", "@Time host #Value / 1 a 10 / 2 b - / 3 a 20"), labelled("B", "one", model.Metric{"host": "a"}, 1, 2), labelled("C", "two", model.Metric{"host": "b"}), {}}
		for _, f := range v.transform(in[:1+i%4]) {
			for _, c := range f.cols {
				if len(c.cells) != f.rows() {
					t.Fatalf("%s: %q has %d cells of %d", src, c.title, len(c.cells), f.rows())
				}
			}
			if f.time() != nil {
				v.fromFrames([]*frame{f}, 1)
			}
		}
	}
}

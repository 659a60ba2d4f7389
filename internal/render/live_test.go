package render

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"lookout/internal/dashboard"
)

func board(t testing.TB, d *dashboard.Dashboard, opts Options) *Board {
	t.Helper()
	b, unasked, err := NewBoard(context.Background(), d, opts)
	if err != nil || unasked != nil {
		t.Fatal(err, unasked)
	}
	return b
}

const twoSeries = `{"uid":"u","title":"T","schemaVersion":39,"time":{"from":"now-1h","to":"now"},"panels":[
 {"id":3,"type":"timeseries","title":"P","description":"**bold** <script>alert(1)</script><img src=x onerror=alert(1)>","gridPos":{"x":12,"y":0,"w":12,"h":8},
  "fieldConfig":{"defaults":{"unit":"bytes"}},"options":{"legend":{"calcs":["mean"]}},"targets":[
   {"refId":"A","expr":"a","legendFormat":"first"},{"refId":"B","expr":"b","legendFormat":"second"}]},
 {"type":"text","title":"Words","gridPos":{"x":0,"y":0,"w":12,"h":8},"options":{"content":"# Head\n\n<iframe src=x></iframe>\n\n[go](javascript:alert(1))"}}]}`

func TestBoardGivesPanelsWithPlaceLegendFrameAndValues(t *testing.T) {
	d := parse(t, twoSeries)
	now := time.Unix(1_700_000_000, 0)
	b := board(t, d, Options{Prometheus: constant{value: 2048}, Now: now})
	panels := b.Sections()[0].Panels
	if len(panels) != 2 || panels[1].Key != "3" || panels[1].X != 12 || panels[1].W != 12 || panels[1].H != 8 || panels[1].Y != 0 {
		t.Fatalf("%+v", panels)
	}
	if html := panels[1].Description; !strings.Contains(html, "<strong>bold</strong>") || strings.Contains(html, "script") || strings.Contains(html, "img") {
		t.Errorf("description %s", html)
	}
	o := DrawOptions{Width: 600, Height: 260, Only: []string{"second"}, Lines: []Line{{Value: 2000}}}
	pic, err := b.Draw(context.Background(), "3", o)
	if err != nil {
		t.Fatal(err)
	}
	checkSVG(t, string(pic.SVG))
	if pic.Frame == nil || pic.Frame.W < 400 || pic.Frame.Start != now.Add(-time.Hour).UnixMilli() || pic.Frame.End != now.UnixMilli() {
		t.Errorf("frame %+v", pic.Frame)
	}
	entries := pic.Legend.Entries
	if len(entries) != 2 || !entries[0].Off || entries[1].Off || entries[1].Values[0] != "2 KiB" || entries[1].Color == "" {
		t.Errorf("legend %+v", entries)
	}
	if !strings.Contains(string(pic.SVG), "#f2495c") {
		t.Error("the line of the alert is missing")
	}
	if strings.Contains(string(pic.SVG), entries[0].Color) {
		t.Error("the series that was not wanted is drawn")
	}
	values, err := b.Values(context.Background(), "3", o)
	if err != nil || len(values.Series) != 1 || values.Series[0].Name != "second" || !slices.Contains(values.Series[0].Texts, "2 KiB") {
		t.Errorf("%+v %v", values, err)
	}
	words, err := b.Draw(context.Background(), "n1", DrawOptions{Width: 300, Height: 200})
	if err != nil || !strings.Contains(words.HTML, "<h1>Head</h1>") || strings.Contains(words.HTML, "href") || strings.Contains(words.HTML, "iframe") {
		t.Errorf("%+v %v", words, err)
	}
	if _, err := b.Draw(context.Background(), "4", DrawOptions{Width: 300, Height: 200}); err == nil {
		t.Error("a panel that is not there was drawn")
	}
	if _, err := b.Draw(context.Background(), "3", DrawOptions{Width: 30000, Height: 200}); err == nil {
		t.Error("a picture of 30,000 pixels was drawn")
	}
}

func TestBoardWithoutItsPrometheusHasTheSavedValues(t *testing.T) {
	gone := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	d := parse(t, `{"uid":"u","title":"T","schemaVersion":39,"templating":{"list":[{"name":"job","type":"query","query":"label_values(up, job)",
	 "datasource":{"type":"prometheus"},"current":{"value":"saved","text":"saved"}}]},"panels":[{"id":1,"type":"stat","title":"for $job",
	 "gridPos":{"w":4,"h":4},"targets":[{"refId":"A","expr":"up"}]}]}`)
	b, unasked, err := NewBoard(context.Background(), d, Options{Prometheus: constant{err: gone}, Now: time.Unix(1e9, 0)})
	if err != nil || unasked == nil {
		t.Fatal(err, unasked)
	}
	if title := b.Sections()[0].Panels[0].Title; title != "for saved" {
		t.Errorf("title %q", title)
	}
	if _, err := b.Draw(context.Background(), "1", DrawOptions{Width: 200, Height: 100}); err == nil {
		t.Error("a panel was drawn without its Prometheus")
	}
}

func TestBoardDrawsEveryPanelOfEverything(t *testing.T) {
	prom, rec, _ := recorded(t)
	d := load(t, "testdata/everything.json")
	b := board(t, d, Options{Prometheus: prom, Start: rec.Start, End: rec.End, ScrapeInterval: 5 * time.Second})
	n, tables := 0, 0
	for _, s := range b.Sections() {
		for _, p := range s.Panels {
			n++
			o := DrawOptions{Width: 600, Height: 300}
			pic, err := b.Draw(context.Background(), p.Key, o)
			if err != nil {
				t.Errorf("%s: %v", p.Title, err)
				continue
			}
			if pic.SVG != nil {
				checkSVG(t, string(pic.SVG))
			}
			if pic.Table != nil {
				tables++
			}
			if pic.SVG == nil && pic.HTML == "" && pic.Table == nil && pic.Empty == "" && pic.NotDrawn == "" && len(pic.Problems) == 0 {
				t.Errorf("%s: nothing to show", p.Title)
			}
		}
	}
	if n != 18 || tables == 0 {
		t.Errorf("%d panels, %d tables", n, tables)
	}
}

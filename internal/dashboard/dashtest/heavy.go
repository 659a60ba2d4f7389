package dashtest

import (
	"fmt"
	"math/rand/v2"

	"lookout/internal/dashboard"
)

// Heavy is a collection at least as heavy as 426 public dashboards are, which have 61 kB and 32 queries each: 25 panels with all that Grafana writes into them, overrides, and queries of which a third
// are long.
func Heavy(seed uint64, n int, metrics []Metric) []File {
	r := rand.New(rand.NewPCG(seed, 3))
	var out []File
	for i := range n {
		d := Dashboard(r, i, 25, metrics)
		for _, p := range d.Get("panels").Items() {
			if p.Get("type").Text() != "row" {
				weigh(r, p, metrics)
			}
		}
		out = append(out, File{fmt.Sprintf("board-%03d.json", i), d.JSON()})
	}
	return out
}

// weigh adds to a panel what Grafana writes out even where it is the default.
func weigh(r *rand.Rand, p *dashboard.Node, metrics []Metric) {
	defaults := p.Path("fieldConfig", "defaults")
	defaults.Set("color", object("mode", "palette-classic"))
	defaults.Set("mappings", dashboard.NewArray())
	defaults.Set("min", value(0))
	defaults.Set("custom", object("axisBorderShow", false, "axisCenteredZero", false, "axisColorMode", "text", "axisLabel", "", "axisPlacement", "auto", "barAlignment", 0,
		"drawStyle", "line", "fillOpacity", 10, "gradientMode", "none", "hideFrom", object("legend", false, "tooltip", false, "viz", false), "insertNulls", false,
		"lineInterpolation", "linear", "lineWidth", 1, "pointSize", 5, "scaleDistribution", object("type", "linear"), "showPoints", "never", "spanNulls", false,
		"stacking", object("group", "A", "mode", "none"), "thresholdsStyle", object("mode", "off")))
	var overrides []*dashboard.Node
	for i := range r.IntN(4) / 3 {
		overrides = append(overrides, object("matcher", object("id", "byRegexp", "options", fmt.Sprintf("/.*%s.*/", things[i])), "properties", dashboard.NewArray(
			object("id", "color", "value", object("fixedColor", "#890F02", "mode", "fixed")), object("id", "custom.transform", "value", "negative-Y"))))
	}
	p.Get("fieldConfig").Set("overrides", dashboard.NewArray(overrides...))
	p.Set("pluginVersion", dashboard.NewString("12.2.1"))
	for _, t := range p.Get("targets").Items() {
		t.Set("editorMode", dashboard.NewString("code"))
		t.Set("format", dashboard.NewString("time_series"))
		t.Set("interval", dashboard.NewString(""))
		t.Set("intervalFactor", value(1))
		t.Set("range", value(true))
		if r.IntN(3) == 0 {
			a, b := metrics[r.IntN(len(metrics))], metrics[r.IntN(len(metrics))]
			t.Set("expr", dashboard.NewString("("+Query(r, a)+") and on (instance) ("+Query(r, b)+`) or on (instance) label_replace(up{job=~"$job", instance=~"$instance"}, "node", "$1", "instance", "(.*):.*")`))
		}
	}
}

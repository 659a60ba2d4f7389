package lint

import (
	"lookout/internal/dashboard"
	"lookout/internal/finding"
)

// removedTypes are Angular panels and what took their place. Source: Grafana's "What's new" of 11 and 12.
var removedTypes = map[string]string{
	"graph": "timeseries", "singlestat": "stat", "table-old": "table", "grafana-piechart-panel": "piechart", "grafana-worldmap-panel": "geomap",
	"grafana-singlestat-panel": "stat", "natel-discrete-panel": "state-timeline", "flant-statusmap-panel": "status-history", "vonage-status-panel": "stat",
	"bessler-pictureit-panel": "canvas", "agenty-flowcharting-panel": "canvas", "briangann-gauge-panel": "gauge", "michaeldmoore-multistat-panel": "bargauge",
}

var removedPanelType = &Rule{
	ID: "removed-panel-type", Severity: finding.Info,
	Summary: "The panel is of a type that Grafana 12 no longer has.",
	Dashboard: func(p *Pass) {
		// Grafana converts all of a type at once when the dashboard is opened and saved: one finding for each type.
		first, count := map[string]*dashboard.Panel{}, map[string]int{}
		var types []string
		for _, panel := range p.Dashboard.Panels {
			if _, ok := removedTypes[panel.Type]; !ok {
				continue
			}
			if count[panel.Type]++; count[panel.Type] == 1 {
				first[panel.Type] = panel
				types = append(types, panel.Type)
			}
		}
		for _, t := range types {
			panel, more := first[t], ""
			if n := count[t] - 1; n > 0 {
				more = ", and " + finding.Count(n, "more panel") + " of this type"
			}
			p.Panel(panel, panel.Node.Get("type"), "%s panels were removed from Grafana; make it %s%s", t, removedTypes[t], more)
		}
	},
}

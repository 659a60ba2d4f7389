package lint

// removedTypes are Angular panels and what took their place. Source: Grafana's "What's new" of 11 and 12.
var removedTypes = map[string]string{
	"graph": "timeseries", "singlestat": "stat", "table-old": "table", "grafana-piechart-panel": "piechart", "grafana-worldmap-panel": "geomap",
	"grafana-singlestat-panel": "stat", "natel-discrete-panel": "state-timeline", "flant-statusmap-panel": "status-history", "vonage-status-panel": "stat",
	"bessler-pictureit-panel": "canvas", "agenty-flowcharting-panel": "canvas", "briangann-gauge-panel": "gauge", "michaeldmoore-multistat-panel": "bargauge",
}

var removedPanelType = &Rule{
	ID: "removed-panel-type", Severity: Info,
	Summary: "The panel is of a type that Grafana 12 no longer has.",
	Dashboard: func(p *Pass) {
		for _, panel := range p.Dashboard.Panels {
			if next, ok := removedTypes[panel.Type]; ok {
				p.Panel(panel, panel.Node.Get("type"), "%s panels were removed from Grafana; make it %s", panel.Type, next)
			}
		}
	},
}

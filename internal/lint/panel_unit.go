package lint

import (
	"strings"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
)

var panelUnit = &Rule{
	ID: "panel-unit", Severity: finding.Warning,
	Summary: "Numbers without a unit: no one knows whether 5 is seconds or bytes.",
	Dashboard: func(p *Pass) {
		for _, panel := range p.Dashboard.Panels {
			switch panel.Type {
			case "timeseries", "stat", "gauge", "bargauge", "graph", "singlestat", "barchart", "piechart":
			default:
				continue
			}
			if panel.LibraryNode != nil || len(panel.Targets) == 0 || panel.Unit != "" || hasUnitElsewhere(panel) {
				continue
			}
			if meant := p.dimensionIn(panel); meant != "" {
				p.Panel(panel, nil, "no unit is set, and the query gives %s", meant)
				continue
			}
			p.severity = finding.Info
			p.Panel(panel, nil, "no unit is set; \"short\" says that it is a plain count")
		}
	},
}

// hasUnitElsewhere tells panels whose fields get units one by one, or whose values are words.
func hasUnitElsewhere(panel *dashboard.Panel) bool {
	for _, o := range panel.Overrides {
		for _, prop := range o.Get("properties").Items() {
			if prop.Get("id").Text() == "unit" {
				return true
			}
		}
	}
	if panel.Node.Path("fieldConfig", "defaults", "mappings").Len() > 0 || panel.Node.Get("valueMaps").Len() > 0 && panel.Node.Get("mappingType").Scalarish() != "" && panel.Type == "singlestat" {
		return true
	}
	// A stat that shows a label shows no number.
	mode := panel.Node.Path("options", "textMode").Text()
	return mode == "name" || strings.TrimSpace(panel.Node.Path("options", "reduceOptions", "fields").Text()) != ""
}

// dimensionIn is what a query of the panel surely gives; "" if none says.
func (p *Pass) dimensionIn(panel *dashboard.Panel) string {
	for _, q := range p.Queries {
		if q.Source != nil && q.Source.Panel == panel && q.Tree != nil && q.Source.Target != nil && !q.Source.Target.Hide {
			if meant := dimensionOf(q.Tree); meant != "" {
				return meant
			}
		}
	}
	return ""
}

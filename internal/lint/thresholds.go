package lint

import (
	"strconv"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
)

var thresholds = &Rule{
	ID: "thresholds", Severity: finding.Warning,
	Summary: "Thresholds in the wrong order, twice the same, or where no value ever comes.",
	Dashboard: func(p *Pass) {
		for _, panel := range p.Dashboard.Panels {
			var last *dashboard.Threshold
			for i, t := range panel.Thresholds {
				if t.Old { // graph and singlestat sort them themselves
					if t.Node.Is(dashboard.String) && !t.HasValue {
						p.Panel(panel, t.Node, "the thresholds %q are not numbers", t.Node.Text())
						break
					}
					continue
				}
				first := i == 0 || panel.Thresholds[i-1].Node.Parent() != t.Node.Parent()
				switch {
				case first:
					last = t
				case !t.HasValue:
					p.Panel(panel, t.Node, "threshold %d has no value; only the first may have none", t.Node.Index()+1)
				case last != nil && last.HasValue && t.Value < last.Value:
					p.Panel(panel, t.Node, "threshold %s stands after %s; put them in ascending order, since Grafana takes the last one that is passed", number(t.Value), number(last.Value))
				case last != nil && last.HasValue && t.Value == last.Value:
					p.Panel(panel, t.Node, "threshold %s stands there twice", number(t.Value))
				}
				if t.HasValue {
					last = t
				}
				if t.Override != nil || first || !t.HasValue || isDefault(panel, t) {
					continue
				}
				lo, hasLo := panel.Node.Path("fieldConfig", "defaults", "min").Float()
				hi, hasHi := panel.Node.Path("fieldConfig", "defaults", "max").Float()
				if t.Percentage {
					lo, hasLo, hi, hasHi = 0, true, 100, true
				}
				if hasHi && t.Value > hi || hasLo && t.Value < lo {
					p.Panel(panel, t.Node, "threshold %s lies outside of the panel's range from %s to %s", number(t.Value), limit(lo, hasLo), limit(hi, hasHi))
				}
			}
		}
	},
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func limit(f float64, known bool) string {
	if !known {
		return "anything"
	}
	return number(f)
}

// isDefault tells the thresholds that Grafana gives to every new panel: nobody meant them. The first has no value, or 0 where a server has migrated the dashboard.
func isDefault(panel *dashboard.Panel, of *dashboard.Threshold) bool {
	var list []*dashboard.Threshold
	for _, t := range panel.Thresholds {
		if t.Node.Parent() == of.Node.Parent() {
			list = append(list, t)
		}
	}
	return len(list) == 2 && list[0].Value == 0 && list[1].Value == 80
}

package lint

import (
	"github.com/prometheus/common/model"

	"lookout/internal/finding"
)

var refreshTooFast = &Rule{
	ID: "refresh-too-fast", Severity: finding.Info,
	Summary: "The dashboard reloads more often than there are new samples.",
	Dashboard: func(p *Pass) {
		n := p.Dashboard.Root.Get("refresh")
		d, err := model.ParseDuration(n.Text())
		if err != nil || d <= 0 || d >= model.Duration(p.Config.ScrapeInterval) {
			return
		}
		p.Node(n, "it reloads every %s, but metrics are scraped every %s", n.Text(), model.Duration(p.Config.ScrapeInterval))
	},
}

package lint

import (
	"regexp"
	"unicode/utf8"

	"lookout/internal/finding"
)

// goodUID is what Grafana accepts: up to 40 letters, digits, dashes and underscores.
var goodUID = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

var dashboardUID = &Rule{
	ID: "dashboard-uid", Severity: finding.Warning,
	Summary: "Without a uid the dashboard gets another address in each Grafana; with a wrong one it is refused.",
	Dashboard: func(p *Pass) {
		switch uid := p.Dashboard.UIDNode; {
		case uid.Text() == "":
			p.Node(p.Dashboard.Root, "the dashboard has no uid; links to it break with each import")
		case !goodUID.MatchString(uid.Text()):
			p.Node(uid, "Grafana refuses the uid %q; use letters, digits, - and _", uid.Text())
		case utf8.RuneCountInString(uid.Text()) > 40:
			p.Node(uid, "Grafana refuses a uid of more than 40 characters; %q has %d", uid.Text(), utf8.RuneCountInString(uid.Text()))
		}
	},
}

package lint

import (
	"fmt"
	"path"

	"lookout/internal/finding"
	"lookout/internal/source"
)

const duplicateUIDID = "duplicate-uid"

var duplicateUID = &Rule{
	ID: duplicateUIDID, Severity: finding.Error,
	Summary: "Two dashboards have the same uid; in Grafana the second replaces the first.",
	// All files with the uid are named, so that a change which brings in the second one is told whatever the file is called.
	Finish: func(l *Linter) {
		for uid, uses := range l.uids {
			for i, u := range uses {
				if len(uses) < 2 {
					break
				}
				if u.silenced {
					l.result.Silenced++
					continue
				}
				other := uses[(i+1)%len(uses)].finding
				u.finding.Message = fmt.Sprintf("the uid %q is also that of %s", uid, other.File)
				if variants(uses) {
					u.finding.Severity = finding.Info
					u.finding.Message += ", which has the same title; don't apply both to one Grafana"
				}
				l.result.Findings = append(l.result.Findings, u.finding)
			}
		}
	},
}

// variants reports whether dashboards of one uid are one dashboard in several places, of which each Grafana gets one: they have the same title, each
// lies in a directory of its own, and no two are applied from dashboards/ of this repository.
func variants(uses []uidUse) bool {
	kept, dirs := 0, map[string]bool{}
	for _, u := range uses {
		dir := path.Dir(u.finding.File)
		if u.finding.Dashboard != uses[0].finding.Dashboard || dirs[dir] {
			return false
		}
		dirs[dir] = true
		if source.Kept(u.finding.File) {
			kept++
		}
	}
	return kept < 2
}

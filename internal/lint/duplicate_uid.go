package lint

import (
	"fmt"

	"lookout/internal/finding"
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
				u.finding.Message = fmt.Sprintf("the uid %q is also that of %s", uid, uses[(i+1)%len(uses)].finding.File)
				l.result.Findings = append(l.result.Findings, u.finding)
			}
		}
	},
}

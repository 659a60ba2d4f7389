package lint

var duplicateUID = &Rule{
	ID: "duplicate-uid", Severity: Error,
	Summary: "Two dashboards have the same uid; in Grafana the second replaces the first.",
	// All files with the uid are named, so that a change which brings in the second one is told whatever the file is called.
	Finish: func(l *Linter) {
		for uid, uses := range l.uids {
			for i, u := range uses {
				if len(uses) < 2 {
					break
				}
				other := uses[(i+1)%len(uses)]
				p := &Pass{Dashboard: u.dash, linter: l, rule: l.ids["duplicate-uid"], file: u.dash.File()}
				p.Node(u.node, "the uid %q is also that of %s", uid, other.dash.File())
			}
		}
	},
}

package main

import (
	"runtime/debug"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"
)

// commands is the command line: one line here and one file for each command, whose type has a
//
//	Run(ctx context.Context, a *app) error
//
// that returns nil, errFindings, or what kept it from running.
type commands struct {
	Fmt     fmtCmd     `cmd:"" help:"Write dashboards in the one canonical form."`
	Lint    lintCmd    `cmd:"" help:"Lint dashboards and alert rules."`
	Check   checkCmd   `cmd:"" help:"Check that every metric and label used is exposed."`
	Diff    diffCmd    `cmd:"" help:"Summarise changes of dashboards and alerts in plain words."`
	Render  renderCmd  `cmd:"" help:"Draw dashboards without a Grafana: SVG, PNG or one HTML page, with curves if there is a Prometheus."`
	Convert convertCmd `cmd:"" help:"Write a dashboard in the other schema: classic or V2."`
	Serve   serveCmd   `cmd:"" help:"Show dashboards, alerts, silences and targets in a browser, live, without a Grafana."`
	Pull    pullCmd    `cmd:"" help:"Bring edits made in Grafana's UI back into the files, or report drift."`
	Import  importCmd  `cmd:"" help:"Import or update a published dashboard."`
	Review  reviewCmd  `cmd:"" help:"Review a change: format, lint, check, diff and backtest in one comment, for GitHub, GitLab, Gitea, Gitee or a file."`
	Drill   drillCmd   `cmd:"" help:"Make alerts happen and follow each to the chat and back, or name the part that is broken."`
	Alerts  alertsCmd  `cmd:"" help:"Show all alert rules in one table: what they ask, thresholds and who gets them in each environment, tests, drills, runbooks."`
	Silence silenceCmd `cmd:"" help:"Keep an alert quiet until a certain time, for maintenance."`
	Rules   rulesCmd   `cmd:"" help:"Check alert rules, or write them as a standard Prometheus rule file."`
	New     newCmd     `cmd:"" help:"Write a dashboard, an alert or a runbook that passes lint, check and its unit tests as written."`

	Completion kongcompletion.Completion `cmd:"" help:"Show how the shell (bash, zsh, fish) can complete commands and flags."`

	Version kong.VersionFlag `help:"Print the version and exit."`
}

// Help is shown by lookout --help, below what it is.
func (commands) Help() string {
	return `Where to start:

    lookout lint dashboards alerts                   what is wrong with dashboards and alert rules
    lookout lint --explain panel-unit                why a rule exists, what fails and what passes
    lookout check --prometheus http://HOST:9090 dashboards
                                                     whether all that they ask for is there
    lookout diff main dashboards alerts              what changed since a branch, in words
    lookout render -o pictures/ dashboards           what a dashboard looks like, as SVG
    lookout review --base main                       all of it as one comment on a change

Paths are files, or directories that are walked; - is standard input. Results go to stdout, everything else to stderr.

Exit code: 0 clean; 1 findings or changes; 2 could not run, or a file could not be read; 130 interrupted.`
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return "lookout " + info.Main.Version
	}
	return "lookout (unknown version)"
}

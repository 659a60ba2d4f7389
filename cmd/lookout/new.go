package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"lookout/internal/lint"
	"lookout/internal/scaffold"
)

// newCmd writes first versions, complete by the rules of lint, check and the unit tests.
type newCmd struct {
	Dashboard newDashboardCmd `cmd:"" help:"Write a dashboard with a panel for each metric."`
	Alert     newAlertCmd     `cmd:"" help:"Write an alert on a metric, with its unit test, its panel with the red line, and its runbook in both languages."`
	Runbook   newRunbookCmd   `cmd:"" help:"Write a runbook in both languages and add it to the lists."`
}

type newDashboardCmd struct {
	UID    string   `arg:"" help:"The dashboard's uid, which is its file's name: checkout."`
	Job    string   `required:"" help:"The scrape job that it is about."`
	Metric []string `required:"" placeholder:"NAME" help:"A metric that the job exposes, once for each panel. Of counters (…_total) the rate is drawn."`
	Folder string   `help:"The folder in Grafana and below dashboards/. Default: the job."`
	Title  string   `help:"What people see. Default: made of the uid."`
}

func (c *newDashboardCmd) Run(a *app) error {
	if c.Folder == "" {
		c.Folder = scaffold.Slug(c.Job)
	}
	files, err := scaffold.Dashboard{UID: c.UID, Folder: c.Folder, Title: c.Title, Job: c.Job, Metrics: c.Metric}.Files()
	if err != nil {
		return err
	}
	return a.wrote(files, nil, "")
}

type newAlertCmd struct {
	Name      string        `arg:"" help:"The alert's name: CheckoutFails."`
	Job       string        `required:"" help:"The scrape job that it is about."`
	Metric    string        `required:"" placeholder:"NAME" help:"The metric. Of counters (…_total) the rate per second of five minutes counts."`
	Above     *float64      `xor:"side" required:"" help:"Fire while the value is above this."`
	Below     *float64      `xor:"side" required:"" help:"Fire while the value is below this."`
	For       time.Duration `default:"5m" help:"For how long it has to be so."`
	Severity  string        `enum:"critical,warning,info" default:"warning" help:"critical, warning or info."`
	Dashboard string        `placeholder:"UID" help:"The dashboard that gets the panel; written if there is none. Default: the job."`
}

func (c *newAlertCmd) Run(a *app) error {
	cfg, err := lint.Load("")
	if err != nil {
		return err
	}
	alert := scaffold.Alert{Name: c.Name, Metric: scaffold.Metric{Name: c.Metric, Job: c.Job}, For: c.For, Severity: c.Severity, Dashboard: c.Dashboard, Keyword: cfg.Keyword}
	if c.Above != nil {
		alert.Threshold = *c.Above
	} else {
		alert.Threshold, alert.Below = *c.Below, true
	}
	files, changed, err := alert.Files(".")
	if err != nil {
		return err
	}
	return a.wrote(files, changed, "lookout rules test shows that it fires and recovers; make apply brings it to the environment; then complete the runbook")
}

type newRunbookCmd struct {
	Alert    string `arg:"" help:"The name of the alert: CheckoutFails."`
	Severity string `enum:"critical,warning,info" default:"warning" help:"The alert's severity, for the list."`
}

func (c *newRunbookCmd) Run(a *app) error {
	files := scaffold.Files{}
	changed, err := scaffold.Runbook{
		Alert: c.Alert, Severity: c.Severity,
		Meaning: "Say here in one sentence what it means.", MeaningChinese: "在这里用一句话说明它的含义。",
		Where: "Say here which dashboard and which logs to look at.", WhereChinese: "在这里写：看哪个仪表盘、哪些日志。",
	}.Files(".", files)
	if err != nil {
		return err
	}
	return a.wrote(files, changed, "its path for runbook_url: docs/runbooks/"+scaffold.Slug(c.Alert)+".md")
}

// wrote writes the files and names them.
func (a *app) wrote(files scaffold.Files, changed []string, next string) error {
	if _, err := os.Stat("alerts"); err != nil {
		if _, err := os.Stat("dashboards"); err != nil {
			return fmt.Errorf("there is neither alerts/ nor dashboards/ here: run it in the repository")
		}
	}
	paths, err := files.Write(".", changed...)
	if err != nil {
		return err
	}
	for _, path := range paths {
		verb := "wrote"
		if slices.Contains(changed, path) {
			verb = "added to"
		}
		fmt.Fprintln(a.stdout, verb, path)
	}
	if next = strings.TrimSpace(next); next != "" {
		a.note("%s", next)
	}
	return nil
}

package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
	_ "time/tzdata" // images have no time zones of their own

	"lookout/internal/console"
	"lookout/internal/lint"
	"lookout/internal/program"
)

type serveCmd struct {
	Prometheus   string `placeholder:"URL" help:"Prometheus that dashboards, rules and targets are asked of. Without it panels show what they would ask."`
	Alertmanager string `placeholder:"URL" help:"Alertmanager that silences are made in."`

	Relay string `placeholder:"URL" help:"Relay that the links in its messages are passed on to (answers.url of its configuration is then the console's address)."`

	Grafana              string `placeholder:"URL" help:"Grafana whose engine evaluates the alerts: rules and silences are its own, instead of Alertmanager's."`
	GrafanaTokenFile     string `type:"existingfile" placeholder:"FILE" help:"Token of a Grafana service account that may read rules and make silences."`
	GrafanaBasicAuthFile string `type:"existingfile" placeholder:"FILE" help:"user:password for Grafana."`

	Listen              string `default:"127.0.0.1:8090" placeholder:"HOST:PORT" help:"Address to serve on (default 127.0.0.1:8090; port 0 takes a free one, which the log names). Loopback needs no login; others need --web.config.file."`
	WebConfigFile       string `name:"web.config.file" placeholder:"FILE" help:"TLS and users, as in Prometheus' web configuration file."`
	PublishedOnLoopback bool   `help:"--listen is inside a container whose port is published on loopback only, so that no login is needed."`
	ExternalURL         string `placeholder:"URL" help:"Address that readers use, if it differs from --listen. Its path comes before all pages."`

	DrillSeries string `enum:"off,probe,any" default:"off" help:"Series that lookout drill may write here for Prometheus to scrape at /drill/metrics: off, probe (only the metric that a drill's own alerts look at) or any."`

	Runbooks       string        `type:"existingdir" placeholder:"DIR" help:"Directory of runbooks in Markdown, shown at /runbooks. Default: docs/runbooks, if there is one."`
	ScrapeInterval time.Duration `default:"15s" help:"What $$__rate_interval is computed from, as set in the datasource."`
	Timezone       string        `default:"Local" help:"Time zone for readers whose browser does not say its own, such as Asia/Shanghai."`
	QueryTimeout   time.Duration `default:"10s" help:"A query that takes longer is cut off."`
	Config         string        `placeholder:"FILE" help:"Configuration with silences of lint findings; default .lookout.yaml, if there is one."`
	LogLevel       string        `enum:"debug,info,warn,error" default:"info" help:"debug, info, warn or error."`
	LogFormat      string        `enum:"text,json" default:"text" help:"text or json."`

	Paths []string `arg:"" name:"path" help:"Dashboard files, or directories that are walked for them."`
}

// Help is shown by lookout serve --help.
func (c *serveCmd) Help() string {
	return "Shows dashboards, alerts, silences and targets in a browser, live, without a Grafana. A dashboard that is saved is redrawn within a second."
}

func (c *serveCmd) Run(ctx context.Context, a *app) error {
	// Unlike the other commands this one stays: what it holds counts, not how fast it is done.
	debug.SetGCPercent(50)
	go staySmall(ctx)
	lintConfig, err := lint.Load(c.Config)
	if err != nil {
		return err
	}
	loc, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return fmt.Errorf("--timezone %q: %w; write a name such as Asia/Shanghai", c.Timezone, err)
	}
	const runbooks = "docs/runbooks"
	if _, err := os.Stat(runbooks); c.Runbooks == "" && err == nil {
		c.Runbooks = runbooks
	}
	return console.Run(ctx, console.Config{
		Paths: c.Paths, Prometheus: c.Prometheus, Alertmanager: c.Alertmanager, Relay: c.Relay,
		Grafana: c.Grafana, GrafanaTokenFile: c.GrafanaTokenFile, GrafanaBasicAuthFile: c.GrafanaBasicAuthFile,
		Listen: c.Listen, WebConfigFile: c.WebConfigFile, PublishedOnLoopback: c.PublishedOnLoopback, ExternalURL: c.ExternalURL, DrillSeries: c.DrillSeries,
		Runbooks: c.Runbooks, ScrapeInterval: c.ScrapeInterval, Location: loc, QueryTimeout: c.QueryTimeout, Lint: lintConfig,
		Log: program.Logger(a.stderr, c.LogLevel, c.LogFormat), Now: a.now,
	})
}

// staySmall lets Go's runtime hold little more than what is in use: a fourth on top, and what it needs for itself. A fixed limit would have it collect garbage all the
// time once there are many dashboards. Half of the process' memory is the program itself, which the limit does not count.
func staySmall(ctx context.Context) {
	const least, own = 32 << 20, 10 << 20
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		metrics.Read(live)
		debug.SetMemoryLimit(max(least, int64(live[0].Value.Uint64())*5/4+own))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // machines may have none

	"lookout/internal/drill"
	"lookout/internal/review"
	"lookout/internal/rules"
	"lookout/internal/source"
)

type drillCmd struct {
	Env    string `default:"local" placeholder:"NAME" help:"Environment whose alerts are drilled (default local). Where its messages reach people, it has to be named."`
	All    bool   `help:"Every alert."`
	DryRun bool   `help:"Stop before people: a silence of the drilled alert, with an end, holds it back in Alertmanager."`
	Wake   bool   `help:"Drill during quiet hours too, where messages reach people."`

	JSON  bool   `name:"json" help:"Write the results as JSON."`
	JUnit string `name:"junit" placeholder:"FILE" help:"Write the results as a JUnit file, too."`

	Within     time.Duration `default:"6m" help:"Skip alerts that take longer by design, and say why."`
	Slack      time.Duration `default:"1s" help:"How much later than the schedule a message may come."`
	Patience   time.Duration `default:"10s" help:"How long beyond the schedule a stage is waited for."`
	Starts     int           `default:"7" help:"Alerts that are set off within a minute for one robot: it takes 20 messages, four of them are kept for critical alerts, and each alert makes two."`
	QuietHours string        `default:"22:00-08:00" help:"When people sleep, in the environment's time zone."`
	Zone       string        `placeholder:"ZONE" help:"Time zone of the people, such as Asia/Shanghai; default: the environment's."`

	Engine               string `enum:",prometheus,grafana" default:"" help:"Who evaluates the alerts: prometheus or grafana; default: the environment's."`
	Prometheus           string `placeholder:"URL" help:"Address of Prometheus; this and the following default to what Terraform knows of the environment."`
	Alertmanager         string `placeholder:"URL" help:"Address of Alertmanager."`
	Grafana              string `placeholder:"URL" help:"Address of Grafana, whose engine evaluates the alerts."`
	GrafanaTokenFile     string `type:"existingfile" placeholder:"FILE" help:"Token of a service account that may read rules and make silences."`
	GrafanaBasicAuthFile string `type:"existingfile" placeholder:"FILE" help:"user:password for Grafana."`
	Relay                string `placeholder:"URL" help:"Address of the relay."`
	RelayTokenFile       string `type:"existingfile" placeholder:"FILE" help:"The relay's admin_token, if it has one."`
	Console              string `placeholder:"URL" help:"Address of the console, which takes the series of a drill."`
	ConsoleBasicAuthFile string `type:"existingfile" placeholder:"FILE" help:"user:password for the console, if it has a login."`
	Exporter             string `placeholder:"URL" help:"Address of the sample service with its knobs."`
	Robot                string `placeholder:"URL" help:"Address of the mock in the chat's place."`

	Alerts []string `arg:"" optional:"" name:"alert" help:"Alerts to drill."`
}

// Help is shown by lookout drill --help.
func (c *drillCmd) Help() string {
	return "Makes alerts happen and follows each to the chat and back: what took how long, or which part is broken. Where the mock takes the messages, " +
		"the alert's own rule fires; where people do, an alert that only drills set off fires in its place, marked 演练. However it ends, killed too, everything " +
		"that was set off ends. Exit code: 0 all passed, 1 one failed, 2 could not run, 130 interrupted."
}

func (c *drillCmd) Run(ctx context.Context, a *app) error {
	if err := review.CheckEnvironment(c.Env); err != nil {
		return err
	}
	if c.All == (len(c.Alerts) > 0) {
		return errors.New("name the alerts to drill, or give --all")
	}
	chain, zone, err := c.chain(ctx)
	if err != nil {
		return err
	}
	if err := chain.Open(); err != nil {
		return err
	}
	real := chain.Robot.URL == ""
	if err := c.allowed(ctx, a, chain, zone, real); err != nil {
		return err
	}
	plans, err := c.plans(ctx, chain, real)
	if err != nil {
		return err
	}
	if c.Starts < 1 {
		return fmt.Errorf("--starts is %d; write how many alerts are set off within a minute, 1 or more", c.Starts)
	}
	began := a.now()
	options := &drill.Options{Chain: chain, Environment: c.Env, DryRun: c.DryRun, Slack: c.Slack, Patience: c.Patience, Within: c.Within, Starts: c.Starts}
	if !c.JSON {
		options.Say = func(alert string, s drill.Stage) { a.note("%-28s %s", alert, s.Line()) }
	}
	results, err := drill.Drill(ctx, plans, options)
	if results == nil {
		return err
	}
	took := a.now().Sub(began)
	for _, r := range results {
		if err := drill.Save(".", r); err != nil {
			a.note("the result of %s is not kept: %v", r.Alert, err)
		}
	}
	if c.JUnit != "" {
		var b bytes.Buffer
		if err := drill.JUnit(&b, c.Env, results, took); err != nil {
			return err
		}
		if err := source.Write(c.JUnit, b.Bytes()); err != nil {
			return err
		}
	}
	if c.JSON {
		e := json.NewEncoder(a.stdout)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		err = e.Encode(results)
	} else {
		err = drill.Text(a.stdout, results, took)
	}
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if slices.ContainsFunc(results, func(r drill.Result) bool { return r.Verdict == drill.Failed }) {
		return errFindings
	}
	// Of those that were named each has to have been drilled.
	if i := slices.IndexFunc(results, func(r drill.Result) bool { return r.Verdict == drill.Skipped }); i >= 0 && !c.All {
		return fmt.Errorf("%s was not drilled: %s", results[i].Alert, results[i].Reason)
	}
	return nil
}

// chain is where everything is: flags before what Terraform knows.
func (c *drillCmd) chain(ctx context.Context) (*drill.Chain, string, error) {
	needed := c.Prometheus != "" && c.Relay != "" && c.Console != "" && (c.Alertmanager != "" || c.Grafana != "")
	place := drill.Place{Engine: drill.EnginePrometheus, Zone: "Asia/Shanghai"}
	if !needed {
		var err error
		if place, err = drill.FindPlace(ctx, ".", c.Env); err != nil {
			return nil, "", err
		}
	} else if c.Grafana != "" {
		place.Engine = drill.EngineGrafana
	}
	pick := func(given, name string) drill.Address {
		if given == "" {
			given = place.URLs[name]
		}
		return drill.Address{URL: strings.TrimRight(given, "/")}
	}
	chain := &drill.Chain{
		Engine: place.Engine, Prometheus: pick(c.Prometheus, "prometheus"), Alertmanager: pick(c.Alertmanager, "alertmanager"), Grafana: pick(c.Grafana, "grafana"),
		Relay: pick(c.Relay, "relay"), Robot: pick(c.Robot, "robot"), Console: pick(c.Console, "console"), Exporter: pick(c.Exporter, "exporter"),
	}
	if c.Engine != "" {
		chain.Engine = c.Engine
	}
	zone := place.Zone
	if c.Zone != "" {
		zone = c.Zone
	}
	for _, login := range []struct {
		file  string
		basic bool
		to    *drill.Address
	}{
		{c.GrafanaTokenFile, false, &chain.Grafana}, {c.GrafanaBasicAuthFile, true, &chain.Grafana},
		{c.RelayTokenFile, false, &chain.Relay}, {c.ConsoleBasicAuthFile, true, &chain.Console},
	} {
		if login.file == "" {
			continue
		}
		data, err := os.ReadFile(login.file)
		if err != nil {
			return nil, "", err
		}
		text := strings.TrimSpace(string(data))
		if login.basic {
			login.to.Authorization = "Basic " + base64.StdEncoding.EncodeToString([]byte(text))
		} else {
			login.to.Authorization = "Bearer " + text
		}
	}
	return chain, zone, nil
}

// allowed refuses what would surprise people.
func (c *drillCmd) allowed(ctx context.Context, a *app, chain *drill.Chain, zone string, real bool) error {
	if label, err := chain.Label(ctx); err == nil && label != "" && label != c.Env {
		return fmt.Errorf("the rules that are running are those of %q, and --env is %s; nothing was set off. Say --env %s if that is meant", label, c.Env, label)
	}
	if !real || c.DryRun || c.Wake {
		return nil
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return fmt.Errorf("--zone %q: %w; write a name such as Asia/Shanghai", zone, err)
	}
	quiet, err := drill.Quiet(a.now(), loc, c.QuietHours)
	if err != nil {
		return fmt.Errorf("--quiet-hours: %w", err)
	}
	if quiet {
		return fmt.Errorf("it is %s in %s, and people sleep (%s): nothing was set off. Use --dry-run, wait, or say --wake", a.now().In(loc).Format("15:04"), zone, c.QuietHours)
	}
	return nil
}

// ofSources are the rule files about servers that an environment may not have; what they are about is in its variable `sources`.
var ofSources = []string{"batch", "host", "jvm", "memcached", "mysql", "postgres", "probe", "redis"}

// leaveOut skips the alerts of a source of metrics of which nothing is evaluated. Of another file, or of some alerts only, that would be a fault,
// which the drill finds.
func leaveOut(plans []*drill.Plan, files []*rules.File, loaded []string) {
	for _, f := range files {
		name := strings.TrimSuffix(path.Base(f.Path), ".yaml")
		if !slices.Contains(ofSources, name) || slices.ContainsFunc(f.Rules(), func(r *rules.Rule) bool { return slices.Contains(loaded, r.Alert) }) {
			continue
		}
		for _, p := range plans {
			if p.Skip == "" && slices.ContainsFunc(f.Rules(), func(r *rules.Rule) bool { return r.Alert == p.Alert }) {
				p.Skip = fmt.Sprintf("%s is not applied in this environment; add %q to its sources to have that", f.Path, name)
			}
		}
	}
}

func (c *drillCmd) plans(ctx context.Context, chain *drill.Chain, real bool) ([]*drill.Plan, error) {
	repository := os.DirFS(".")
	files, err := rules.ReadDir(repository, "alerts")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoAlerts
	}
	if err != nil {
		return nil, err
	}
	tests, err := rules.ReadTestsDir(repository, "alerts")
	if err != nil {
		return nil, err
	}
	settings := drill.Settings{Scrape: 10 * time.Second, Knobs: chain.Knobs(ctx)}
	name := filepath.ToSlash(filepath.Join("envs", c.Env, "alerts.yaml"))
	data, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist): // it overrides nothing
	case err != nil:
		return nil, err
	default:
		settings.Settings = rules.ReadSettings(name, data)
	}
	if scrape, err := chain.ScrapeInterval(ctx); err == nil {
		settings.Scrape = scrape
	}
	plans, err := drill.Plans(files, tests, settings)
	if err != nil {
		return nil, err
	}
	if c.All {
		// Where it does not answer, the drill says so itself.
		if loaded, err := chain.Loaded(ctx); err == nil && len(loaded) > 0 {
			leaveOut(plans, files, loaded)
		}
	}
	if real {
		plans = drill.Probes(plans)
	}
	var chosen []*drill.Plan
	var names []string
	for _, p := range plans {
		names = append(names, p.Alert)
		if c.All || slices.Contains(c.Alerts, p.Alert) {
			chosen = append(chosen, p)
		}
	}
	for _, wanted := range c.Alerts {
		if !slices.Contains(names, wanted) {
			return nil, fmt.Errorf("there is no alert %q in alerts/; known are %s", wanted, strings.Join(names, ", "))
		}
	}
	return chosen, nil
}

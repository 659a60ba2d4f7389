package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // machines may have none

	"github.com/prometheus/common/model"

	"lookout/internal/alertmanager"
	"lookout/internal/drill"
	"lookout/internal/finding"
	"lookout/internal/review"
)

// maxSilence is how long a silence may last: what is meant for ever belongs into envs/<env>/alerts.yaml, where others see it.
const maxSilence = 30 * 24 * time.Hour

// silenceCmd keeps alerts quiet for a while.
type silenceCmd struct {
	For     string   `placeholder:"DURATION" help:"How long, such as 2h; at most 30d. Required, but for --end."`
	Env     string   `default:"local" placeholder:"NAME" help:"Environment whose alerts are meant (default local)."`
	Match   []string `placeholder:"LABEL=VALUE" help:"Only alerts with this label; may be given several times: instance=go1, severity=~'warning|info'."`
	Comment string   `default:"maintenance" help:"Why, for the others."`
	By      string   `placeholder:"NAME" help:"Who; default: the user of this machine."`
	End     bool     `help:"End the silences of the alert that were made this way, before their time."`

	Alertmanager     string `placeholder:"URL" help:"Address of Alertmanager, or of Grafana's own: http://grafana:3000/api/alertmanager/grafana. Default: what Terraform knows of the environment."`
	GrafanaTokenFile string `type:"existingfile" placeholder:"FILE" help:"Token of a service account that may make silences, where Grafana notifies."`

	Alert string `arg:"" optional:"" name:"alert" help:"Alert that is kept quiet; without one --match says which."`
}

// silencedBy marks the silences of this command.
const silencedBy = " (lookout silence)"

func (c *silenceCmd) Run(ctx context.Context, a *app) error {
	length, err := c.length()
	if err != nil {
		return err
	}
	matchers, err := c.matchers()
	if err != nil {
		return err
	}
	client, zone, err := c.client(ctx)
	if err != nil {
		return err
	}
	if c.End {
		return c.end(ctx, a, client, matchers)
	}
	now := a.now()
	who := c.By
	if who == "" {
		who = "unknown"
		if u, err := user.Current(); err == nil {
			who = u.Username
		}
	}
	silence := alertmanager.Silence{Matchers: matchers, StartsAt: now, EndsAt: now.Add(length), CreatedBy: who + silencedBy, Comment: c.Comment}
	alerts, err := client.Alerts(ctx)
	if err != nil {
		return fmt.Errorf("asking which alerts that concerns: %w", err)
	}
	id, err := client.Save(ctx, silence)
	if err != nil {
		return fmt.Errorf("making the silence: %w", err)
	}
	firing := 0
	for _, alert := range alerts {
		if silence.Matches(alert.Labels) {
			firing++
		}
	}
	fmt.Fprintf(a.stdout, "%s quiet until %s (silence %s); %s firing now. To end it before: lookout silence --env=%s --end%s\n", describe(matchers), silence.EndsAt.In(zone).Format("2006-01-02 15:04 MST"), id,
		finding.Count(firing, "such alert"), c.Env, c.again())
	return nil
}

// again is how this alert is named once more.
func (c *silenceCmd) again() string {
	text := ""
	for _, m := range c.Match {
		text += fmt.Sprintf(" --match='%s'", m)
	}
	if c.Alert != "" {
		text += " " + c.Alert
	}
	return text
}

func describe(matchers []alertmanager.Matcher) string {
	var texts []string
	for _, m := range matchers {
		texts = append(texts, m.String())
	}
	return strings.Join(texts, ", ")
}

func (c *silenceCmd) length() (time.Duration, error) {
	if c.End {
		if c.For != "" {
			return 0, fmt.Errorf("--for %s and --end contradict each other; keep one", c.For)
		}
		return 0, nil
	}
	if c.For == "" {
		return 0, fmt.Errorf("--for is missing: a silence needs an end; write --for=2h (make silence ALERT=… FOR=2h)")
	}
	length, err := model.ParseDuration(c.For)
	if err != nil || length <= 0 {
		return 0, fmt.Errorf("--for is %q, which is not a duration; write for example 2h", c.For)
	}
	if time.Duration(length) > maxSilence {
		return 0, fmt.Errorf("--for is %s; a silence lasts 30d at most: pause the alert in envs/%s/alerts.yaml instead, where others see it", c.For, c.Env)
	}
	return time.Duration(length), nil
}

func (c *silenceCmd) matchers() ([]alertmanager.Matcher, error) {
	var out []alertmanager.Matcher
	if c.Alert != "" {
		out = append(out, alertmanager.Matcher{Name: "alertname", Value: c.Alert})
	}
	for _, text := range c.Match {
		m, err := alertmanager.ParseMatcher(text)
		if err != nil {
			return nil, fmt.Errorf("--match: %w", err)
		}
		out = append(out, m)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("name the alert that is to be quiet (make silence ALERT=… FOR=2h), or give --match; a silence of everything would hide what nobody expects")
	}
	for _, m := range out {
		if err := m.Valid(); err != nil {
			return nil, err
		}
	}
	if c.Alert == "Watchdog" {
		return nil, fmt.Errorf("the alert Watchdog shows that the chain works; silenced, the relay would report that it is broken")
	}
	return out, nil
}

// client finds where silences are made, and the time zone of the environment's people.
func (c *silenceCmd) client(ctx context.Context) (*alertmanager.Client, *time.Location, error) {
	if err := review.CheckEnvironment(c.Env); err != nil {
		return nil, nil, err
	}
	zone, address := time.Local, c.Alertmanager
	if address == "" {
		place, err := drill.FindPlace(ctx, ".", c.Env)
		if err != nil {
			return nil, nil, err
		}
		if l, err := time.LoadLocation(place.Zone); err == nil {
			zone = l
		}
		address = place.URLs["alertmanager"]
		if place.Engine == drill.EngineGrafana {
			address = strings.TrimRight(place.URLs["grafana"], "/") + "/api/alertmanager/grafana"
		}
		if address == "" {
			return nil, nil, fmt.Errorf("the environment %q publishes no Alertmanager; give its address with --alertmanager", c.Env)
		}
	}
	transport := http.DefaultTransport
	if c.GrafanaTokenFile != "" {
		token, err := os.ReadFile(c.GrafanaTokenFile)
		if err != nil {
			return nil, nil, err
		}
		transport = bearer(strings.TrimSpace(string(token)))
	}
	client, err := alertmanager.New(address, transport, 10*time.Second)
	return client, zone, err
}

// bearer is a transport that logs in with a token.
type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

// end ends the silences with these very matchers that the command made.
func (c *silenceCmd) end(ctx context.Context, a *app, client *alertmanager.Client, matchers []alertmanager.Matcher) error {
	silences, err := client.Silences(ctx)
	if err != nil {
		return err
	}
	ended := 0
	for _, s := range silences {
		if s.State() == "expired" || !strings.HasSuffix(s.CreatedBy, silencedBy) || !same(s.Matchers, matchers) {
			continue
		}
		if err := client.Expire(ctx, s.ID); err != nil {
			return fmt.Errorf("ending silence %s: %w", s.ID, err)
		}
		ended++
	}
	if ended == 0 {
		return fmt.Errorf("no silence of %s was made this way, or it has ended; the console lists all of them", describe(matchers))
	}
	fmt.Fprintf(a.stdout, "%s of %s ended\n", finding.Count(ended, "silence"), describe(matchers))
	return nil
}

func same(a, b []alertmanager.Matcher) bool {
	texts := func(list []alertmanager.Matcher) []string {
		var out []string
		for _, m := range list {
			out = append(out, m.String())
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(texts(a), texts(b))
}

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"lookout/app/relay/internal/channel"
	"lookout/app/relay/internal/channel/kinds"
	"lookout/app/relay/internal/config"
	"lookout/app/relay/internal/delivery"
	"lookout/app/relay/internal/message"
	"lookout/app/relay/internal/notification"
	"lookout/app/relay/internal/spool"
)

// answersFlags are for whoever knows where the relay's surroundings are, such as a stack.
type answersFlags struct {
	AnswersURL      string `name:"answers-url" help:"answers.url of a configuration that has answers without it: how phones reach the console or the relay."`
	AnswersSilences string `name:"answers-silences" help:"answers.silences of a configuration that has answers without it."`
}

func (f answersFlags) load(path string) (*config.Config, error) {
	return config.LoadWith(path, config.Defaults{AnswersURL: f.AnswersURL, AnswersSilences: f.AnswersSilences})
}

type checkCmd struct {
	answersFlags
	Config string `arg:"" help:"Configuration file." default:"/etc/relay/relay.yaml"`
	Spool  string `help:"Spool of a relay that is not running: warn of what waits there for targets that the configuration lacks."`
	URL    string `name:"url" help:"Address of a running relay, to warn of the same."`
}

// without warns of what will be left without a target.
func (cmd *checkCmd) without(ctx context.Context, s *streams, c *config.Config) error {
	waiting := map[string]int64{}
	switch {
	case cmd.Spool != "":
		if _, err := os.Stat(cmd.Spool); err != nil {
			return fmt.Errorf("--spool: %w", err)
		}
		store, err := spool.Open(cmd.Spool, spool.Options{Clock: spool.SystemClock()})
		if err != nil {
			return err
		}
		defer store.Close()
		if waiting, err = delivery.Waiting(store); err != nil {
			return err
		}
	case cmd.URL != "":
		var status delivery.Status
		if err := (&deadCmd{URL: cmd.URL}).call(ctx, http.MethodGet, "/api/status", &status); err != nil {
			return err
		}
		for _, t := range status.Targets {
			waiting[t.Name] = t.Queue + int64(t.Outbox)
		}
		maps.Copy(waiting, status.Without)
	}
	for _, name := range slices.Sorted(maps.Keys(waiting)) {
		if waiting[name] > 0 && c.Targets[name] == nil {
			fmt.Fprintf(s.err, "warning: %d notifications and messages wait for target %q, which this configuration does not have: they will become dead letters\n", waiting[name], name)
		}
	}
	return nil
}

func (cmd *checkCmd) Run(ctx context.Context, s *streams) error {
	c, err := cmd.load(cmd.Config)
	if err != nil {
		return err
	}
	if err := cmd.without(ctx, s, c); err != nil {
		return err
	}
	var peers []string
	for _, kind := range kinds.All {
		if names := c.Names(kind); len(names) > 0 {
			peers = append(peers, fmt.Sprintf("%s: %d", kind.Section, len(names)))
		}
	}
	fmt.Fprintf(s.out, "%s: %d targets (%s), %d heartbeats, %d secrets: ok\n",
		cmd.Config, len(c.Targets), strings.Join(peers, ", "), len(c.Heartbeats), len(c.Secrets))
	return nil
}

type renderCmd struct {
	answersFlags
	Config       string `help:"Configuration whose target and templates to use; the built-in templates without one."`
	Target       string `help:"Target of the configuration; its first by default."`
	Templates    string `help:"Folder of templates to try, in place of the configuration's."`
	Sample       string `help:"Built-in sample: firing, resolved, nodata, error, errors, lost, group, disks, storm." default:"firing"`
	Notification string `help:"File with a captured notification (webhook JSON), - for standard input."`
	Channel      int    `help:"Channel of the target, from 0."`
	Kind         string `help:"Kind of channel without a configuration: robot (DingTalk), app (DingTalk cards), feishu, wecom, email, webhook." default:"robot"`
	Type         string `help:"Type of the message; of DingTalk markdown, actionCard, text or link, of Feishu card, post or text, of WeCom markdown or text."`
	Digest       bool   `help:"Show it the way a storm's digest does."`
	JSON         bool   `help:"Print what would be posted to the robot."`
	TimeZone     string `help:"Zone of times without a configuration." default:"Asia/Shanghai"`
}

func (cmd *renderCmd) Run(s *streams) error {
	c := &config.Config{
		Keyword: "报警",
		Targets: map[string]*config.Target{"ops": {Name: "ops", Digest: config.Digest{MaxMessages: 10}}},
	}
	var err error
	if cmd.Config != "" {
		if c, err = cmd.load(cmd.Config); err != nil {
			return err
		}
	} else {
		kind := kinds.Find(cmd.Kind)
		if kind == nil {
			return fmt.Errorf("--kind %q is not known: use one of %s", cmd.Kind, strings.Join(kinds.Names(), ", "))
		}
		c.Peers = map[string]channel.Peer{kind.ID("ops"): kind.Sample(cmp.Or(cmd.Type, kind.Types[0]))}
		c.Targets["ops"].Channels = []config.Channel{{Kind: kind, Names: []string{"ops"}}}
		if c.Zone, err = time.LoadLocation(cmd.TimeZone); err != nil {
			return fmt.Errorf("time zone %q is not known: use a name like Asia/Shanghai", cmd.TimeZone)
		}
		if c.Texts, err = message.Load(cmd.Templates, c.Zone); err != nil {
			return err
		}
	}
	if cmd.Config != "" && cmd.Templates != "" {
		if c.Texts, err = message.Load(cmd.Templates, c.Zone); err != nil {
			return err
		}
	}
	target := cmd.Target
	if target == "" {
		target = slices.Sorted(maps.Keys(c.Targets))[0]
	}
	samples := message.Samples(time.Now())
	n, ok := samples[cmd.Sample]
	if !ok {
		return fmt.Errorf("there is no sample %q: name one of %s", cmd.Sample, strings.Join(slices.Sorted(maps.Keys(samples)), ", "))
	}
	if cmd.Notification != "" {
		var raw []byte
		if cmd.Notification == "-" {
			raw, err = io.ReadAll(s.in)
		} else {
			raw, err = os.ReadFile(cmd.Notification)
		}
		if err != nil {
			return fmt.Errorf("captured notification: %w", err)
		}
		if n, err = notification.Parse(raw); err != nil {
			return fmt.Errorf("captured notification %s: %w", cmd.Notification, err)
		}
	}
	shown, err := delivery.Preview(c, target, cmd.Channel, cmd.Type, n, cmd.Digest, time.Now())
	if err != nil {
		return err
	}
	if cmd.JSON {
		_, err = fmt.Fprintf(s.out, "%s\n", shown.Body)
		return err
	}
	fmt.Fprintf(s.out, "%s\n\n%s\n", shown.Title, shown.Text)
	fmt.Fprintf(s.err, "%d of at most %d bytes\n", shown.Bytes, shown.Limit)
	return nil
}

type sentCmd struct {
	URL       string   `help:"Address of the running relay." default:"http://127.0.0.1:8070" name:"url"`
	TokenFile string   `help:"File with the relay's bearer token, if it has one." type:"existingfile"`
	JSON      bool     `help:"Print JSON."`
	Words     []string `arg:"" optional:"" help:"Words that all have to occur, such as db1 refused."`
}

func (cmd *sentCmd) Run(ctx context.Context, s *streams) error {
	var answer struct{ Sent []delivery.Sent }
	relay := deadCmd{URL: cmd.URL, TokenFile: cmd.TokenFile}
	if err := relay.call(ctx, http.MethodGet, "/api/sent?q="+url.QueryEscape(strings.Join(cmd.Words, " ")), &answer); err != nil {
		return err
	}
	if cmd.JSON {
		return json.NewEncoder(s.out).Encode(map[string]any{"sent": answer.Sent})
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	if len(answer.Sent) > 0 {
		fmt.Fprintln(w, "AT\tTARGET\tTO\tANSWER\tALERTS\tTITLE\tREASON")
	}
	for _, a := range answer.Sent {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s %s\t%d\t%s\t%s\n", a.At.Format(time.RFC3339), a.Target, a.Peer, a.Outcome, a.Code, len(a.Alerts)+a.More, a.Title, a.Reason)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(s.err, "%d answers\n", len(answer.Sent))
	return nil
}

type deadCmd struct {
	URL       string        `help:"Address of the running relay." default:"http://127.0.0.1:8070" name:"url"`
	TokenFile string        `help:"File with the relay's bearer token, if it has one." type:"existingfile"`
	List      deadListCmd   `cmd:"" help:"List dead letters."`
	Resend    deadResendCmd `cmd:"" help:"Put dead letters back on their target's first channel."`
	Drop      deadDropCmd   `cmd:"" help:"Delete dead letters that nobody needs any more."`
}

// call asks the running relay: it holds the spool, so nobody else can read it.
func (cmd *deadCmd) call(ctx context.Context, method, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(cmd.URL, "/")+path, nil)
	if err != nil {
		return fmt.Errorf("--url %q: %w", cmd.URL, err)
	}
	if cmd.TokenFile != "" {
		token, err := os.ReadFile(cmd.TokenFile)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask the relay: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 256<<20))
	if err != nil {
		return fmt.Errorf("ask the relay: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		var answer struct{ Error string }
		_ = json.Unmarshal(body, &answer)
		return fmt.Errorf("the relay says HTTP %d: %s", resp.StatusCode, answer.Error)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(body, into)
}

func (cmd *deadCmd) all(ctx context.Context) ([]delivery.DeadSummary, error) {
	var out []delivery.DeadSummary
	for after := uint64(0); ; {
		var answer struct {
			Dead []delivery.DeadSummary
			Next uint64
		}
		if err := cmd.call(ctx, http.MethodGet, fmt.Sprintf("/api/dead?after=%d", after), &answer); err != nil {
			return nil, err
		}
		out = append(out, answer.Dead...)
		if answer.Next <= after {
			return out, nil
		}
		after = answer.Next
	}
}

type deadListCmd struct {
	JSON bool `help:"Print JSON."`
}

func (cmd *deadListCmd) Run(ctx context.Context, c *cli, s *streams) error {
	dead, err := c.Dead.all(ctx)
	if err != nil {
		return err
	}
	if cmd.JSON {
		return json.NewEncoder(s.out).Encode(map[string]any{"dead": dead})
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	if len(dead) > 0 {
		fmt.Fprintln(w, "ID\tTARGET\tACCEPTED\tDIED\tALERTS\tTITLE\tREASON")
	}
	for _, d := range dead {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t%s\t%s\n", d.ID, d.Target, d.Accepted.Format(time.RFC3339), d.Died.Format(time.RFC3339), d.Alerts, d.Title, d.Reason)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(s.err, "%d dead letters\n", len(dead))
	return nil
}

type deadResendCmd struct {
	IDs    []string `arg:"" optional:"" name:"id" help:"Numbers from relay dead list."`
	All    bool     `help:"All of them."`
	Target string   `help:"Send to this target instead."`
}

func (cmd *deadResendCmd) Run(ctx context.Context, c *cli, s *streams) error {
	return c.Dead.each(ctx, s, cmd.IDs, cmd.All, "re-sent", func(id string) error {
		path := "/api/dead/" + url.PathEscape(id) + "/resend"
		if cmd.Target != "" {
			path += "?target=" + url.QueryEscape(cmd.Target)
		}
		return c.Dead.call(ctx, http.MethodPost, path, nil)
	})
}

type deadDropCmd struct {
	IDs []string `arg:"" optional:"" name:"id" help:"Numbers from relay dead list."`
	All bool     `help:"All of them."`
}

func (cmd *deadDropCmd) Run(ctx context.Context, c *cli, s *streams) error {
	return c.Dead.each(ctx, s, cmd.IDs, cmd.All, "dropped", func(id string) error {
		return c.Dead.call(ctx, http.MethodDelete, "/api/dead/"+url.PathEscape(id), nil)
	})
}

func (cmd *deadCmd) each(ctx context.Context, s *streams, ids []string, all bool, done string, do func(string) error) error {
	if all == (len(ids) > 0) {
		return fmt.Errorf("name dead letters by their numbers (relay dead list), or all of them by --all")
	}
	if all {
		dead, err := cmd.all(ctx)
		if err != nil {
			return err
		}
		for _, d := range dead {
			ids = append(ids, fmt.Sprint(d.ID))
		}
	}
	for i, id := range ids {
		if err := do(id); err != nil {
			return fmt.Errorf("dead letter %s (%d of %d %s before): %w", id, i, len(ids), done, err)
		}
	}
	fmt.Fprintf(s.out, "%d %s\n", len(ids), done)
	return nil
}

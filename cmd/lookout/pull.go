package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"lookout/internal/pull"
)

type pullCmd struct {
	UID     []string `help:"The dashboards to pull, by uid."`
	All     bool     `help:"Pull all dashboards, new ones too."`
	Check   bool     `help:"Write nothing; report what differs from the files (and, with --state, from what Terraform applied) and who changed it. Exit 1 if anything does."`
	Dir     string   `default:"dashboards" help:"Where the dashboards are: a directory for each folder, the files named by uid."`
	Grafana string   `env:"GRAFANA_URL" placeholder:"URL" help:"Grafana's address."`
	Auth    string   `env:"GRAFANA_AUTH" placeholder:"AUTH" help:"user:password or a service account's token. Rather set the environment variable: arguments can be seen by others."`
	State   string   `placeholder:"FILE" help:"With --check: the output of 'terraform show -json' of the content root, or - for stdin. Rules, contact points and data sources are compared with it."`
	Env     string   `placeholder:"NAME" help:"The environment of this Grafana. In a checkout its address and login are known from envs/NAME, by default local's: and a red line that envs/NAME/alerts.yaml moved is not a difference. Without it, what any environment says counts."`
	Format  string   `enum:"text,json" default:"text" help:"text or json. The JSON is that of diff; its texts name who made the change."`
}

func (c *pullCmd) Run(ctx context.Context, a *app) error {
	if err := c.login(); err != nil {
		return err
	}
	different, err := pull.Run(ctx, pull.Options{
		UIDs: c.UID, All: c.All, Check: c.Check, Dir: c.Dir, Env: c.Env, Grafana: c.Grafana, Auth: c.Auth, State: c.State, JSON: c.Format == "json",
		Stdin: a.stdin, Stdout: a.stdout, Colored: a.colored(a.stdout), Note: a.note, HTTP: a.client,
	})
	if c.Check && different && err == nil {
		return errFindings
	}
	return err
}

// login takes address and login from what `make up` and people write into the content root of the environment, where they are not
// given.
func (c *pullCmd) login() error {
	if c.Grafana != "" {
		return nil
	}
	env := cmp.Or(c.Env, "local")
	files, err := filepath.Glob(filepath.Join("envs", env, "content", "*.auto.tfvars.json"))
	if err != nil {
		return err
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var set struct {
			URL  string `json:"grafana_url"`
			Auth string `json:"grafana_auth"`
		}
		if err := json.Unmarshal(data, &set); err != nil {
			return fmt.Errorf("%s is not what `make init` writes (%w): fix or delete it", file, err)
		}
		c.Grafana, c.Auth = cmp.Or(set.URL, c.Grafana), cmp.Or(c.Auth, set.Auth)
	}
	if c.Grafana == "" {
		return fmt.Errorf("no address of Grafana: set --grafana or GRAFANA_URL (envs/%s/content names none here)", env)
	}
	return nil
}

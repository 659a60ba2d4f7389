package environment

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"lookout/internal/docker"
)

// command is a Terraform call in one root. Ctrl-C reaches Terraform once, through this process, and
// Terraform is given time to write its state: a second signal would make it drop what it is doing.
func (e *Environment) command(ctx context.Context, root string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, e.terraform.Path, args...)
	cmd.Dir = e.root(root)
	cmd.Env = append(os.Environ(), "TF_IN_AUTOMATION=1", "TF_INPUT=0", "CHECKPOINT_DISABLE=1")
	switch rc := e.cache("terraform.rc"); {
	case exists(rc):
		cmd.Env = append(cmd.Env, "TF_CLI_CONFIG_FILE="+rc)
	case os.Getenv("TF_CLI_CONFIG_FILE") == rc:
		// make found it before it was removed: the user's own configuration counts.
		cmd.Env = append(cmd.Env, "TF_CLI_CONFIG_FILE="+os.Getenv("LOOKOUT_TF_CLI_CONFIG_FILE"))
	}
	if root == "content" {
		// What a file sets counts more, and is the same.
		if e.content.URL != "" {
			cmd.Env = append(cmd.Env, "TF_VAR_grafana_url="+e.content.URL)
		}
		if e.content.Auth != "" {
			cmd.Env = append(cmd.Env, "TF_VAR_grafana_auth="+e.content.Auth)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = 2 * time.Minute
	return cmd
}

// rootName is a root's folder within the repository.
func (e *Environment) rootName(root string) string { return "envs/" + e.Name + "/" + root }

// run calls Terraform with its words in the root's log. Of an error it returns what a person has to know, which is in
// the first lines; what Terraform quotes around it is in the log.
func (e *Environment) run(ctx context.Context, root string, args ...string) error {
	_, err := e.output(ctx, root, args...)
	return err
}

// output is run that returns what Terraform prints.
func (e *Environment) output(ctx context.Context, root string, args ...string) (string, error) {
	path := e.logPath(root)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	log, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return "", err
	}
	defer log.Close()
	fmt.Fprintf(log, "\n%s terraform %s\n", time.Now().Format(time.RFC3339), strings.Join(args, " "))
	cmd := e.command(ctx, root, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(log, &stdout, &identityWatch{e: e}), io.MultiWriter(log, &stderr)
	err = cmd.Run()
	if err == nil {
		return stdout.String(), nil
	}
	if ctx.Err() != nil {
		return "", fmt.Errorf("interrupted while %s of %s ran; run the same command again to go on", args[0], e.rootName(root))
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if exit.ExitCode() == 2 && args[0] == "plan" {
			return stdout.String(), errChanges
		}
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return "", fmt.Errorf("terraform %s of %s was killed (%s): run the same command again to go on", args[0], e.rootName(root), status.Signal())
		}
	}
	words := sentences(e.rootName(root), stderr.String())
	if words == "" {
		words = strings.TrimSpace(stdout.String())
	}
	if words == "" {
		words = err.Error()
	}
	ended := "nothing was changed"
	if args[0] != "plan" && args[0] != "init" {
		ended = "the same command goes on from there"
	}
	return "", fmt.Errorf("%s\nterraform %s of %s stopped there; %s; its whole log: %s", words, args[0], e.rootName(root), ended, path)
}

// errChanges is `terraform plan -detailed-exitcode` saying that there is something to do.
var errChanges = errors.New("there are changes")

// query calls Terraform and decodes the JSON it prints.
func (e *Environment) query(ctx context.Context, v any, root string, args ...string) error {
	cmd := e.command(ctx, root, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s\nterraform %s of %s failed: %w", sentences(e.rootName(root), stderr.String()), args[0], e.rootName(root), err)
	}
	return json.Unmarshal(out, v)
}

func (e *Environment) initRoot(ctx context.Context, root string) error {
	args := []string{"init", "-no-color", "-input=false"}
	config := filepath.Join(e.root(root), "backend.hcl")
	switch {
	case exists(config):
		args = append(args, "-backend-config=backend.hcl")
	case exists(config + ".example"):
		return fmt.Errorf("envs/%s/%s has no backend.hcl, which says where its state is kept: copy backend.hcl.example there and fill it in", e.Name, root)
	}
	return e.run(ctx, root, args...)
}

// A Plan is the part of `terraform show -json` that the checks before an apply look at.
type Plan struct {
	ResourceChanges []ResourceChange `json:"resource_changes"`
	// Variables are the root's, without ephemeral ones.
	Variables map[string]struct {
		Value any `json:"value"`
	} `json:"variables"`
}

// ResourceChange is one planned change.
type ResourceChange struct {
	Address string `json:"address"`
	// PreviousAddress is set where a moved block gives something in the state another address.
	PreviousAddress string `json:"previous_address"`
	Type            string `json:"type"`
	Change          struct {
		Actions []string       `json:"actions"`
		Before  map[string]any `json:"before"`
		After   map[string]any `json:"after"`
		// AfterUnknown are attributes that the apply makes known.
		AfterUnknown    map[string]any `json:"after_unknown"`
		BeforeSensitive sensitive      `json:"before_sensitive"`
		AfterSensitive  sensitive      `json:"after_sensitive"`
		// ReplacePaths are the attributes that can't be changed in place.
		ReplacePaths [][]any `json:"replace_paths"`
	} `json:"change"`
}

func (c ResourceChange) creates() bool {
	for _, a := range c.Change.Actions {
		if a == "create" {
			return true
		}
	}
	return false
}

// counts says what a plan would do, in Terraform's own order.
func (p Plan) counts() (add, change, destroy int) {
	for _, c := range p.ResourceChanges {
		for _, a := range c.Change.Actions {
			switch a {
			case "create":
				add++
			case "update":
				change++
			case "delete":
				destroy++
			}
		}
	}
	return add, change, destroy
}

// applyRoot plans a root, lets check look at the plan before anything is changed, and applies exactly
// that plan. check reports whether it changed the state, so that the plan must be made again.
func (e *Environment) applyRoot(ctx context.Context, root string, check func(context.Context, Plan) (replan bool, err error)) error {
	start := time.Now()
	file := e.cache("plan", e.Name+"-"+root+".tfplan")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	// A plan holds what its root's variables hold: nothing of it stays behind.
	defer os.Remove(file)
	title := "Platform"
	if root == "content" {
		title = "Content"
	}
	rehearsed := false
	for {
		args, err := e.planArgs(ctx, root, file)
		if err != nil {
			return err
		}
		err = e.run(ctx, root, args...)
		if err == nil {
			e.Progress.Step(title, fmt.Sprintf("no changes (%.1f s)", time.Since(start).Seconds()))
			return nil
		}
		if !errors.Is(err, errChanges) {
			return err
		}
		var plan Plan
		if err := e.query(ctx, &plan, root, "show", "-json", file); err != nil {
			return err
		}
		again, err := check(ctx, plan)
		if err != nil {
			return err
		}
		if again {
			continue
		}
		add, change, destroy := plan.counts()
		words := fmt.Sprintf("%d to add, %d to change, %d to destroy", add, change, destroy)
		if !rehearsed {
			if e.asks() {
				e.announce(ctx, root, plan)
			}
			if err := e.confirmed("Apply to " + root + " (" + words + ") of"); err != nil {
				return err
			}
			if checks := plan.rehearsal(); len(checks) > 0 {
				rehearsed = true
				if plan.moves() {
					// A part of a plan can't be applied before what is elsewhere has been moved.
					if err := e.run(ctx, root, "apply", "-no-color", "-input=false", "-lock-timeout=120s", "-auto-approve", "-refresh-only"); err != nil {
						return err
					}
				}
				if err := e.run(ctx, root, append([]string{"apply", "-no-color", "-input=false", "-lock-timeout=120s", "-auto-approve"}, checks...)...); err != nil {
					return err
				}
				continue
			}
		}
		if err := e.run(ctx, root, "apply", "-no-color", "-input=false", "-lock-timeout=120s", "-auto-approve", file); err != nil {
			return err
		}
		e.Progress.Step(title, fmt.Sprintf("%d added, %d changed, %d destroyed (%.1f s)", add, change, destroy, time.Since(start).Seconds()))
		for _, container := range plan.replaced() {
			e.Progress.Note("replaced " + container)
		}
		return nil
	}
}

// rehearsal are the arguments that limit an apply to the checks of a plan that replaces servers. Terraform removes a container
// before it makes what the new one depends on: a check that fails would leave nothing running, and one that takes seconds would
// be seconds without a server.
func (p Plan) rehearsal() (targets []string) {
	replaces := false
	for _, c := range p.ResourceChanges {
		switch {
		case c.Type != "docker_container" || !c.creates():
		case strings.Contains(c.Address, ".docker_container.check["):
			targets = append(targets, "-target="+c.Address)
		case len(c.Change.Actions) > 1:
			replaces = replaces || strings.HasSuffix(c.Address, ".docker_container.container")
		}
	}
	if !replaces {
		return nil
	}
	return targets
}

// moves reports whether something in the state gets another address.
func (p Plan) moves() bool {
	return slices.ContainsFunc(p.ResourceChanges, func(c ResourceChange) bool { return c.PreviousAddress != "" })
}

// planArgs are the arguments of a plan that is written to a file. Whatever holds the state's lock is waited for.
func (e *Environment) planArgs(ctx context.Context, root, file string) ([]string, error) {
	again, err := e.failedChecks(ctx, root)
	if err != nil {
		return nil, err
	}
	return append([]string{"plan", "-no-color", "-input=false", "-lock-timeout=120s", "-detailed-exitcode", "-out=" + file}, again...), nil
}

// announce says where a plan would be applied and what it would change, before anyone is asked.
func (e *Environment) announce(ctx context.Context, root string, plan Plan) {
	where := "the Docker Engine of this machine"
	if host := docker.Host(ctx); host != "" {
		where = "the Docker Engine at " + host
	}
	if root == "content" {
		where = "Grafana"
		if a, ok, err := e.access(ctx); err == nil && ok {
			where = "Grafana at " + a.URL
		}
	}
	fmt.Fprintf(e.Out, "\n%s of %s, at %s:\n\n  %s\n\n", root, e.Name, where, strings.Join(plan.describe(), "\n  "))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

package environment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"lookout/internal/toolchain"
)

// checkPlatform refuses a plan that cannot work, before anything is created: a port that somebody
// else listens on, a container name that is taken.
func (e *Environment) checkPlatform(ctx context.Context, plan Plan) (bool, error) {
	held, err := containers(ctx)
	if err != nil {
		return false, err
	}
	var problems []string
	for _, c := range plan.ResourceChanges {
		if c.Type != "docker_container" || !c.creates() {
			continue
		}
		name, _ := c.Change.After["name"].(string)
		before, _ := c.Change.Before["name"].(string)
		if other, ok := held[name]; ok && name != before {
			problems = append(problems, fmt.Sprintf("a container named %s exists already (created %s) and is not in this checkout's state: "+
				"run `make down` where it was started, or remove it with `docker rm -f %s`", name, other.CreatedAt, name))
			continue
		}
		old := map[string]bool{}
		for _, address := range listenAddresses(c.Change.Before) {
			old[address] = true
		}
		for _, address := range listenAddresses(c.Change.After) {
			if old[address] {
				continue
			}
			if err := free(address); err != nil {
				problems = append(problems, fmt.Sprintf("%s, which %s wants, is in use%s: stop what listens there, or give the environment another port in envs/%s/platform",
					address, name, holder(address, held), e.Name))
			}
		}
	}
	if len(problems) > 0 {
		return false, errors.New(strings.Join(problems, "\n") + "\nnothing was changed")
	}
	return false, nil
}

// listenAddresses are the host's addresses that a planned container publishes.
func listenAddresses(container map[string]any) []string {
	ports, _ := container["ports"].([]any)
	var addresses []string
	for _, p := range ports {
		port, _ := p.(map[string]any)
		external, _ := port["external"].(float64)
		ip, _ := port["ip"].(string)
		if protocol, _ := port["protocol"].(string); external == 0 || protocol == "udp" {
			continue
		}
		addresses = append(addresses, net.JoinHostPort(ip, strconv.Itoa(int(external))))
	}
	return addresses
}

func free(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

// holder names the container that publishes an address, if it is one.
func holder(address string, held map[string]container) string {
	_, port, _ := net.SplitHostPort(address)
	for name, c := range held {
		if strings.Contains(c.Ports, ":"+port+"->") {
			return " by the container " + name
		}
	}
	return ""
}

type container struct {
	ID, Names, Ports, CreatedAt string
}

func containers(ctx context.Context) (map[string]container, error) {
	out, err := exec.CommandContext(ctx, "docker", "ps", "--all", "--no-trunc", "--format", "{{json .}}").Output()
	if err != nil {
		return nil, fmt.Errorf("the Docker Engine does not list its containers: %w", err)
	}
	held := map[string]container{}
	for line := range strings.Lines(string(out)) {
		var c container
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			return nil, err
		}
		held[c.Names] = c
	}
	return held, nil
}

// begin records that an apply has started; done that it came to its end. What an interrupted one has
// left in the engine without recording it in the state is found by that record.
func (e *Environment) begin() (done func() error, err error) {
	file := e.cache("apply", e.Name)
	if !exists(file) {
		if err := toolchain.WriteFile(file, []byte(time.Now().UTC().Format(time.RFC3339Nano)+"\n"), 0o644); err != nil {
			return nil, err
		}
	}
	return func() error { return os.Remove(file) }, nil
}

// began returns when the apply started that was interrupted, if one was.
func (e *Environment) began() (time.Time, bool) {
	data, err := os.ReadFile(e.cache("apply", e.Name))
	if err != nil {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(string(data)))
	return at, err == nil
}

// repair undoes the half-done parts of an interrupted apply: a state file that was cut off while it
// was written, and containers and networks that were created but not recorded. It touches nothing
// that is older than that apply, nor any volume.
func (e *Environment) repair(ctx context.Context) error {
	for _, root := range []string{"platform", "content"} {
		if err := e.restoreState(root); err != nil {
			return err
		}
	}
	since, interrupted := e.began()
	e.interrupted = interrupted
	if !interrupted {
		return nil
	}
	name, err := e.stackName()
	if err != nil {
		return err
	}
	known, err := e.recordedIDs(ctx)
	if err != nil {
		return err
	}
	// The engine's clock is this machine's; a second covers its coarser stamps.
	since = since.Add(-time.Second)
	for _, kind := range []string{"container", "network"} {
		ids, err := createdSince(ctx, kind, name, since)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if known[id] {
				continue
			}
			args := []string{kind, "rm", id}
			if kind == "container" {
				args = []string{"container", "rm", "--force", id}
			}
			if out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput(); err != nil {
				return fmt.Errorf("removing the %s that an interrupted apply has left: %w: %s", kind, err, strings.TrimSpace(string(out)))
			}
			e.Progress.Note("removed a " + kind + " that an interrupted apply had not recorded: " + id[:12])
		}
	}
	return nil
}

// stackName is the prefix of everything that the environment creates in the engine.
func (e *Environment) stackName() (string, error) {
	var vars struct {
		Name string `json:"name"`
	}
	err := e.readVars("platform", "name", &vars)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if vars.Name != "" {
		return vars.Name, nil
	}
	return "lookout-" + e.Name, nil
}

// restoreState puts Terraform's own backup back if the state file is not JSON any more.
func (e *Environment) restoreState(root string) error {
	file := filepath.Join(e.root(root), "terraform.tfstate")
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if json.Valid(data) {
		return nil
	}
	backup, err := os.ReadFile(file + ".backup")
	if err != nil || !json.Valid(backup) {
		if len(strings.TrimSpace(string(data))) == 0 {
			return os.Remove(file)
		}
		return fmt.Errorf("%s is damaged and there is no sound backup beside it: put a copy back, or move it away and run `make down` first", file)
	}
	if err := os.Rename(file, file+".damaged"); err != nil {
		return err
	}
	e.Progress.Note(file + " was cut off by an interruption: its backup is used, the old one is kept as .damaged")
	return toolchain.WriteFile(file, backup, 0o600)
}

// recordedIDs are the ids of all that the platform's state knows.
func (e *Environment) recordedIDs(ctx context.Context) (map[string]bool, error) {
	var state struct {
		Resources []struct {
			Instances []struct {
				Attributes map[string]any `json:"attributes"`
			} `json:"instances"`
		} `json:"resources"`
	}
	ids := map[string]bool{}
	cmd := e.command(ctx, "platform", "state", "pull")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("reading the state of envs/%s/platform: %w", e.Name, err)
	}
	if len(strings.TrimSpace(string(out))) == 0 {
		return ids, nil
	}
	if err := json.Unmarshal(out, &state); err != nil {
		return nil, err
	}
	for _, r := range state.Resources {
		for _, i := range r.Instances {
			if id, ok := i.Attributes["id"].(string); ok {
				ids[id] = true
			}
		}
	}
	return ids, nil
}

func createdSince(ctx context.Context, kind, prefix string, since time.Time) ([]string, error) {
	list := []string{kind, "ls", "--no-trunc", "--quiet", "--filter", "name=" + prefix}
	if kind == "container" {
		list = append(list, "--all")
	}
	out, err := exec.CommandContext(ctx, "docker", list...).Output()
	if err != nil {
		return nil, fmt.Errorf("listing %ss: %w", kind, err)
	}
	var found []string
	for _, id := range strings.Fields(string(out)) {
		// A container may go while it is being looked at.
		detail, err := exec.CommandContext(ctx, "docker", kind, "inspect", id).Output()
		if err != nil {
			continue
		}
		var object []struct {
			Name    string
			Created time.Time
		}
		if err := json.Unmarshal(detail, &object); err != nil || len(object) != 1 {
			return nil, fmt.Errorf("inspecting the %s %s: %w", kind, id, err)
		}
		name := strings.TrimPrefix(object[0].Name, "/")
		if (name == prefix || strings.HasPrefix(name, prefix+"-")) && object[0].Created.After(since) {
			found = append(found, id)
		}
	}
	return found, nil
}

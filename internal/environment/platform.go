package environment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"lookout/internal/docker"
	"lookout/internal/stack"
	"lookout/internal/toolchain"
)

// checkPlatform refuses a plan that cannot work, before anything is created. It takes back volumes that were kept, and
// then asks for a new plan.
func (e *Environment) checkPlatform(ctx context.Context, plan Plan) (replan bool, err error) {
	if replan, err := e.takeBackVolumes(ctx, plan); replan || err != nil {
		return replan, err
	}
	problems, err := e.platformProblems(ctx, plan)
	if err != nil {
		return false, err
	}
	return false, refusal(problems)
}

// platformProblems are the reasons why a plan cannot work: a name that belongs to another stack, a port that something else
// listens on, a time zone that does not exist.
func (e *Environment) platformProblems(ctx context.Context, plan Plan) (problems []string, err error) {
	own, err := e.ownership(ctx)
	if err != nil {
		return nil, err
	}
	held := map[string]docker.Object{}
	for _, kind := range docker.Kinds {
		objects, err := docker.List(ctx, kind)
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			held[string(kind)+" "+o.Name] = o
		}
	}
	var foreign []docker.Object
	for _, c := range plan.ResourceChanges {
		kind, ok := kinds[c.Type]
		if !ok || !c.creates() {
			continue
		}
		name, _ := c.Change.After["name"].(string)
		if other, ok := held[string(kind)+" "+name]; ok && !own.Owns(other) {
			foreign = append(foreign, other)
		}
		if kind == docker.Container {
			problems = append(problems, e.takenPorts(ctx, c, held, own)...)
			for _, problem := range unknownZones(c) {
				// The checker gets the same file as the server.
				if !slices.Contains(problems, problem) {
					problems = append(problems, problem)
				}
			}
		}
	}
	if len(foreign) > 0 {
		return []string{e.taken(foreign)}, nil
	}
	return append(problems, e.waiting(ctx, plan)...), nil
}

// taken says in one sentence that names which a plan wants belong to something else.
func (e *Environment) taken(foreign []docker.Object) string {
	oldest := slices.MinFunc(foreign, func(a, b docker.Object) int { return a.Created.Compare(b.Created) }).Created
	name := foreign[0].Labels[stack.LabelEnvironment]
	whose := "did not come from this checkout"
	if name != "" {
		whose = "belongs to the stack " + name + " of another checkout"
	}
	return fmt.Sprintf("%s exists already (since %s) and %s: run `make down ENV=%s` where it was started (here, it asks about it), "+
		"or start a second stack with `make up ENV=%s NAME=%s`",
		describe(foreign), oldest.Local().Format("2006-01-02 15:04"), whose, e.Name, e.Name, e.secondName(name))
}

// secondName proposes a name for a stack that stands next to another one.
func (e *Environment) secondName(taken string) string {
	if taken == "" {
		taken = "lookout-" + e.Name
	}
	return taken + "-2"
}

func (e *Environment) takenPorts(ctx context.Context, c ResourceChange, held map[string]docker.Object, own stack.Ownership) (problems []string) {
	name, _ := c.Change.After["name"].(string)
	old := map[string]bool{}
	for _, address := range listenAddresses(c.Change.Before) {
		old[address] = true
	}
	for _, address := range listenAddresses(c.Change.After) {
		if old[address] {
			continue
		}
		by, mine := holder(address, held, own)
		// Of another machine's ports only those of its containers can be seen from here.
		taken := by != ""
		if !anotherMachine(docker.Host(ctx)) {
			taken = free(address) != nil
		}
		if taken {
			if mine {
				// It goes before the new one comes.
				continue
			}
			problems = append(problems, fmt.Sprintf("%s, which %s wants, is in use%s: stop what listens there, "+
				"or give the environment another port in envs/%s/platform",
				address, name, by, e.Name))
		}
	}
	return problems
}

// anotherMachine reports whether an engine's address, as DOCKER_HOST has it, leads to another machine: "ssh://ops@host".
func anotherMachine(engine string) bool {
	u, err := url.Parse(engine)
	return err == nil && slices.Contains([]string{"ssh", "tcp", "http", "https"}, u.Scheme) && !loopback(u.Hostname())
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// elsewhere reports whether an address is on the loopback of another machine, the engine's: it can't be asked from here.
func elsewhere(ctx context.Context, address string) bool {
	u, err := url.Parse(address)
	return err == nil && anotherMachine(docker.Host(ctx)) && loopback(u.Hostname())
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

// holder names the container that publishes an address, if it is one, and says whether it is the stack's own.
func holder(address string, held map[string]docker.Object, own stack.Ownership) (by string, mine bool) {
	_, port, _ := net.SplitHostPort(address)
	for _, o := range held {
		if slices.Contains(o.Ports, port) {
			return " by the " + o.String(), own.Owns(o)
		}
	}
	return "", false
}

// begin records that an apply has started; done that it came to its end.
func (e *Environment) begin() (done func() error, err error) {
	file := e.cache("apply", e.Name)
	if !exists(file) {
		if err := toolchain.WriteFile(file, []byte(time.Now().UTC().Format(time.RFC3339Nano)+"\n"), 0o644); err != nil {
			return nil, err
		}
	}
	return func() error {
		now := time.Now().UTC()
		return errors.Join(e.note(func(n *notes) { n.Applied = &now }), os.Remove(file))
	}, nil
}

// repair undoes the half-done parts of an interrupted apply: a state file that was cut off while it was written, and
// containers and networks that carry the stack's identity but are in no state. It touches no volume.
func (e *Environment) repair(ctx context.Context) error {
	for _, root := range []string{"platform", "content"} {
		if err := e.restoreState(root); err != nil {
			return err
		}
	}
	e.interrupted = exists(e.cache("apply", e.Name))
	if !e.interrupted && e.remoteState("platform") {
		// What no state has yet may be in the hands of another machine's apply.
		return nil
	}
	own, err := e.ownership(ctx)
	if err != nil {
		return err
	}
	leftover, err := e.leftover(ctx, own)
	if err != nil {
		return err
	}
	for _, o := range leftover {
		if o.Kind == docker.Volume {
			continue
		}
		if err := docker.Remove(ctx, o); err != nil {
			return err
		}
		e.Progress.Note("removed the " + o.String() + ", which an interrupted apply had not recorded")
	}
	return nil
}

// leftover are the stack's own objects that no state knows.
func (e *Environment) leftover(ctx context.Context, own stack.Ownership) ([]docker.Object, error) {
	objects, err := docker.ListAll(ctx, "label="+stack.LabelStack)
	if err != nil {
		return nil, err
	}
	mine, _ := own.Sort(objects)
	return slices.DeleteFunc(mine, func(o docker.Object) bool { return own.Recorded[o.ID] }), nil
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
		return fmt.Errorf("%s is damaged and there is no sound backup next to it: put a copy back, or move it away and run `make down` first", file)
	}
	if err := os.Rename(file, file+".damaged"); err != nil {
		return err
	}
	e.Progress.Note(file + " was cut off by an interruption: its backup is used, the old one is kept as .damaged")
	return toolchain.WriteFile(file, backup, 0o600)
}

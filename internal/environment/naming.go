package environment

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"regexp"
	"strconv"

	"lookout/internal/stack"
)

// stackNames are what the platform's variable `name` takes.
var stackNames = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,40}$`)

// portStep is how far the ports of one stack are from those of the next.
const portStep = 100

// SetName gives this checkout's stack a name of its own, and ports that are free, so that it stands next to another
// one. It is kept in name.auto.tfvars.json, and changes nothing once the stack exists under that name.
func (e *Environment) SetName(ctx context.Context, name string) error {
	if !stackNames.MatchString(name) {
		return fmt.Errorf("NAME=%q is not a valid name: use at most 41 lower-case letters, digits, dots, dashes and underscores, "+
			"beginning with a letter or digit", name)
	}
	own, err := e.ownership(ctx)
	if err != nil {
		return err
	}
	if len(own.Recorded) > 0 && own.Name != name {
		return fmt.Errorf("this checkout's %s is the stack %s already: run `make down ENV=%s` first, "+
			"or start %s from another checkout (git worktree add ../%s)",
			e.Name, own.Name, e.Name, name, name)
	}
	var vars nameVars
	if err := e.readVars("platform", "name", &vars); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if vars.Name == name && len(vars.Ports) > 0 {
		return nil
	}
	ports, err := freePorts()
	if err != nil {
		return err
	}
	if err := e.writeVars("platform", "name", 0o644, nameVars{Name: name, Ports: ports}); err != nil {
		return err
	}
	e.Progress.Note(fmt.Sprintf("the stack is named %s; its name and ports are kept in %s/name.auto.tfvars.json", name, e.rootName("platform")))
	return nil
}

// freePorts are a port for each service, all as far from the default ones, on which nothing listens.
func freePorts() (map[string]int, error) {
	for offset := portStep; offset <= 20*portStep; offset += portStep {
		if ports, ok := portsAt(offset); ok {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("no free ports up to %d beyond the default ones: write your own into name.auto.tfvars.json", 20*portStep)
}

func portsAt(offset int) (map[string]int, bool) {
	ports := map[string]int{}
	for _, s := range stack.Services {
		port := s.Port + offset
		if free(net.JoinHostPort("127.0.0.1", strconv.Itoa(port))) != nil {
			return nil, false
		}
		ports[s.Name] = port
	}
	return ports, true
}

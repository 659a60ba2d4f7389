package test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	engine "lookout/internal/docker"
)

// docker runs the Docker client and returns what it prints.
func docker(ctx context.Context, args ...string) (string, error) {
	return engine.Run(ctx, args...)
}

// A container is the part of `docker inspect` that tests look at.
type container struct {
	ID     string
	Name   string
	Config struct{ Env []string }
	State  struct {
		Running   bool
		StartedAt string
	}
	Mounts []struct{ Type, Name string }
}

// containers inspects every container of the stack, running or not.
func (s *stack) containers(t *testing.T) []container {
	t.Helper()
	all, err := s.inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (s *stack) inspect(ctx context.Context) ([]container, error) {
	names, err := docker(ctx, "ps", "--all", "--quiet", "--filter", "name="+s.name)
	if err != nil {
		return nil, err
	}
	if names == "" {
		return nil, nil
	}
	out, err := docker(ctx, append([]string{"inspect"}, strings.Fields(names)...)...)
	if err != nil {
		return nil, err
	}
	var all []container
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		return nil, err
	}
	for i := range all {
		all[i].Name = strings.TrimPrefix(all[i].Name, "/")
	}
	slices.SortFunc(all, func(a, b container) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// container returns the one of a service.
func (s *stack) container(t *testing.T, service string) container {
	t.Helper()
	for _, c := range s.containers(t) {
		if c.Name == s.name+"-"+service {
			return c
		}
	}
	t.Fatalf("the stack %s has no container for %s", s.name, service)
	return container{}
}

// snapshot is all that the engine has of a stack, for comparing before and after.
func (s *stack) snapshot(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, c := range s.containers(t) {
		fmt.Fprintf(&b, "container %s %s running=%t since %s\n", c.Name, c.ID[:12], c.State.Running, c.State.StartedAt)
	}
	left, err := leftovers(t.Context(), s.name)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range left {
		fmt.Fprintf(&b, "%s %s\n", o.kind, o.name)
	}
	return b.String()
}

type object struct{ kind, name string }

// leftovers lists everything in the engine whose name begins with the stack's.
func leftovers(ctx context.Context, name string) ([]object, error) {
	var left []object
	for _, list := range [][]string{
		{"container", "ls", "--all", "--format", "{{.Names}}", "--filter", "name=" + name},
		{"volume", "ls", "--format", "{{.Name}}", "--filter", "name=" + name},
		{"network", "ls", "--format", "{{.Name}}", "--filter", "name=" + name},
	} {
		out, err := docker(ctx, list...)
		if err != nil {
			return left, err
		}
		for _, found := range strings.Fields(out) {
			if found == name || strings.HasPrefix(found, name+"-") {
				left = append(left, object{list[0], found})
			}
		}
	}
	return left, nil
}

// dockerLogs returns both streams of a container's log; programs of ours write to stderr.
func dockerLogs(ctx context.Context, id string) (string, error) {
	return engine.Logs(ctx, id, 0)
}

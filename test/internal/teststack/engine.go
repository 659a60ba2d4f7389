package teststack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"lookout/internal/docker"
	"lookout/internal/stack"
)

// A Container is the part of `docker inspect` that tests look at.
type Container struct {
	ID     string
	Name   string
	Config struct {
		Env    []string
		Labels map[string]string
	}
	State struct {
		Running   bool
		StartedAt string
	}
	Mounts []struct{ Type, Name string }
}

// Containers inspects every container of the stack, running or not.
func (s *Stack) Containers(t testing.TB) []Container {
	t.Helper()
	all, err := s.inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (s *Stack) inspect(ctx context.Context) ([]Container, error) {
	names, err := docker.Run(ctx, "ps", "--all", "--quiet", "--filter", "label="+stack.LabelEnvironment+"="+s.Name)
	if err != nil || names == "" {
		return nil, err
	}
	out, err := docker.Run(ctx, append([]string{"inspect"}, strings.Fields(names)...)...)
	if err != nil {
		return nil, err
	}
	var all []Container
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		return nil, err
	}
	for i := range all {
		all[i].Name = strings.TrimPrefix(all[i].Name, "/")
	}
	slices.SortFunc(all, func(a, b Container) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Container returns the one of a service.
func (s *Stack) Container(t testing.TB, service string) Container {
	t.Helper()
	for _, c := range s.Containers(t) {
		if c.Name == s.Name+"-"+service {
			return c
		}
	}
	t.Fatalf("the stack %s has no container for %s", s.Name, service)
	return Container{}
}

// Lives are the lives of some services' containers: one that is made anew or started again has another.
func (s *Stack) Lives(t testing.TB, services ...string) map[string]string {
	t.Helper()
	lives := map[string]string{}
	for _, service := range services {
		c := s.Container(t, service)
		lives[service] = fmt.Sprintf("container %s since %s, running=%t", c.ID[:12], c.State.StartedAt, c.State.Running)
	}
	return lives
}

// RequireSameLives fails if one of the containers is not what it was.
func (s *Stack) RequireSameLives(t testing.TB, before map[string]string) {
	t.Helper()
	for service, was := range before {
		if now := s.Lives(t, service)[service]; now != was {
			t.Errorf("%s was %s and is %s", service, was, now)
		}
	}
}

// Snapshot is all that the engine has of the stack, for comparing before and after.
func (s *Stack) Snapshot(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	for _, c := range s.Containers(t) {
		fmt.Fprintf(&b, "container %s %s running=%t since %s\n", c.Name, c.ID[:12], c.State.Running, c.State.StartedAt)
	}
	left, err := s.Leftovers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range left {
		fmt.Fprintf(&b, "%s\n", o)
	}
	return b.String()
}

// Leftovers lists everything in the engine that belongs to the stack: by its label, and by its name, since what lacks the
// label would be missed by it.
func (s *Stack) Leftovers(ctx context.Context) ([]docker.Object, error) {
	return Leftovers(ctx, s.Name)
}

// Leftovers lists everything in the engine that carries a stack's label or whose name begins with the stack's.
func Leftovers(ctx context.Context, name string) ([]docker.Object, error) {
	labelled, err := docker.ListAll(ctx, "label="+stack.LabelEnvironment+"="+name)
	if err != nil {
		return nil, err
	}
	named, err := docker.ListAll(ctx, "name="+name)
	if err != nil {
		return nil, err
	}
	for _, o := range named {
		ours := o.Name == name || strings.HasPrefix(o.Name, name+"-")
		if ours && !slices.ContainsFunc(labelled, func(l docker.Object) bool { return l.Kind == o.Kind && l.ID == o.ID }) {
			labelled = append(labelled, o)
		}
	}
	return labelled, nil
}

// Clear removes everything of the stack from the engine.
func (s *Stack) Clear(ctx context.Context) error {
	left, err := s.Leftovers(ctx)
	errs := []error{err}
	// Networks and volumes go once no container holds them any more.
	for _, kind := range docker.Kinds {
		var one errgroup.Group
		one.SetLimit(4)
		for _, o := range left {
			if o.Kind == kind {
				one.Go(func() error { return docker.Remove(ctx, o) })
			}
		}
		errs = append(errs, one.Wait())
	}
	return errors.Join(errs...)
}

// Docker does something to the stack's containers or networks.
func (s *Stack) Docker(t testing.TB, args ...string) string {
	t.Helper()
	out, err := docker.Run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

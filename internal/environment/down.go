package environment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"lookout/internal/docker"
	"lookout/internal/stack"
)

// Down removes everything of this checkout's stack: what is in Grafana, then containers, networks and volumes,
// including what an interrupted apply has left. What only has the stack's name, but was started elsewhere, is named;
// it is removed as well if a person at the terminal says so, and never otherwise.
func (e *Environment) Down(ctx context.Context) error {
	if _, err := docker.Version(ctx); err != nil {
		return fmt.Errorf("the Docker Engine does not answer: start it and run `make down` again (%w)", err)
	}
	release, err := e.exclusive(ctx)
	if err != nil {
		return err
	}
	defer release()
	for _, root := range []string{"platform", "content"} {
		if err := e.restoreState(root); err != nil {
			return err
		}
	}
	if e.remoteState("platform") {
		if err := e.findTerraform(ctx); err != nil {
			return err
		}
	}
	own, err := e.ownership(ctx)
	if err != nil {
		return err
	}
	if err := e.confirmed("Remove every container, network and volume of"); err != nil {
		return err
	}
	if err := e.destroyRoots(ctx); err != nil {
		return err
	}
	removed, foreign, err := removeOwn(ctx, own)
	if err != nil {
		return err
	}
	if removed > 0 {
		e.Progress.Note(fmt.Sprintf("removed %d more that Terraform did not know", removed))
	}
	if s, err := e.readState(ctx, "platform"); err == nil && len(s.resources()) > 0 {
		if err := e.setAside("platform", "down"); err != nil {
			return err
		}
	}
	for _, file := range []string{e.cache("apply", e.Name), e.notesFile()} {
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	e.Progress.Step("Down", "no container, network or volume of this checkout's "+own.Name+" is left")
	return e.offerForeign(ctx, own.Name, foreign)
}

// removeOwn removes what is left of a stack in the engine, and returns what has its name but is not its own.
func removeOwn(ctx context.Context, own stack.Ownership) (removed int, foreign []docker.Object, err error) {
	// Containers first, since they hold networks and volumes.
	for _, kind := range docker.Kinds {
		objects, err := docker.List(ctx, kind, "label="+stack.LabelEnvironment)
		if err != nil {
			return removed, nil, err
		}
		mine, others := own.Sort(objects)
		for _, o := range mine {
			if err := docker.Remove(ctx, o); err != nil {
				return removed, nil, err
			}
			removed++
		}
		foreign = append(foreign, others...)
	}
	return removed, foreign, nil
}

// offerForeign names what was started elsewhere under the stack's name and removes it if a person types that name.
func (e *Environment) offerForeign(ctx context.Context, name string, foreign []docker.Object) error {
	if len(foreign) == 0 {
		return nil
	}
	e.Progress.Note(fmt.Sprintf("not touched: %s under the name %s, started by another checkout or before this one's state was lost",
		describe(foreign), name))
	if e.In == nil || os.Getenv("YES") == "1" {
		e.Progress.Note("to remove that too, run `make down` where it was started, or here at a terminal without YES=1")
		return nil
	}
	fmt.Fprintf(e.Out, "Remove that too, with all its data? Only the name %q goes on: ", name)
	var answer string
	if _, err := fmt.Fscanln(e.In, &answer); err != nil || answer != name {
		e.Progress.Note("left unchanged")
		return nil
	}
	for _, o := range foreign {
		if err := docker.Remove(ctx, o); err != nil {
			return err
		}
	}
	e.Progress.Step("Down", "removed "+describe(foreign))
	return nil
}

func (e *Environment) destroyRoots(ctx context.Context) error {
	// The local Grafana goes with its volume and all it holds: deleting its content piece by piece first would only
	// need it to be alive.
	if e.Name == Local && os.Getenv("GRAFANA_URL") == "" {
		if err := e.setAside("content", "backup"); err != nil {
			return err
		}
	} else if err := e.destroyContent(ctx); err != nil {
		return err
	}
	return e.destroyRoot(ctx, "platform")
}

// destroyContent takes out of Grafana what the content has put into it.
func (e *Environment) destroyContent(ctx context.Context) error {
	s, err := e.readState(ctx, "content")
	if err != nil {
		return err
	}
	if len(s.resources()) == 0 {
		return nil
	}
	ok, err := e.contentReady(ctx)
	if err != nil && !errors.Is(err, errSilent) {
		return err
	}
	if err == nil && ok {
		return e.destroyRoot(ctx, "content")
	}
	why := "there is no Grafana"
	if err != nil {
		why = err.Error()
	}
	if e.remoteState("content") {
		e.Progress.Note(fmt.Sprintf("the content is not removed from Grafana: %s. Its state stays where backend.hcl says: "+
			"run `make down ENV=%s` again when Grafana answers, or delete that state if Grafana is gone for good", why, e.Name))
		return nil
	}
	if err := e.setAside("content", "gone"); err != nil {
		return err
	}
	e.Progress.Note(fmt.Sprintf("the content is not removed from Grafana: %s. Its state is kept as %s/terraform.tfstate.gone", why, e.rootName("content")))
	return nil
}

// destroyRoot lets Terraform destroy what a root's state has. Where Terraform or the root's providers are not here any
// more, what the state names is removed without them.
func (e *Environment) destroyRoot(ctx context.Context, root string) error {
	s, err := e.readState(ctx, root)
	if err != nil {
		return err
	}
	if len(s.resources()) == 0 {
		return nil
	}
	if !exists(e.root(root)+"/.terraform") || !exists(e.cache("bin", "terraform")) {
		if root != "platform" {
			return fmt.Errorf("%s has a state but is not initialised: run `make init ENV=%s` first", e.rootName(root), e.Name)
		}
		// removeOwn goes by the state, and then the state is set aside.
		return nil
	}
	if err := e.findTerraform(ctx); err != nil {
		return err
	}
	start := time.Now()
	if err := e.run(ctx, root, "destroy", "-no-color", "-input=false", "-lock-timeout=120s", "-auto-approve"); err != nil {
		return err
	}
	e.Progress.Step("Destroyed", fmt.Sprintf("%s (%.1f s)", e.rootName(root), time.Since(start).Seconds()))
	return nil
}

// setAside renames a root's local state, so that the root starts afresh.
func (e *Environment) setAside(root, suffix string) error {
	file := filepath.Join(e.root(root), "terraform.tfstate")
	if err := os.Rename(file, file+"."+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

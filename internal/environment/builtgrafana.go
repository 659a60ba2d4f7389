package environment

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"lookout/internal/docker"
)

// builtGrafana is the name of Grafana's image as earlier commits built it from source.
const builtGrafana = "lookout/grafana:"

// takeDownBuiltGrafana prepares the state of a stack whose Grafana was built here by an earlier commit, which this one
// does not do any more, for running without one: the plan takes the container down, but must leave the volume, and the
// content's state describes a Grafana that will be gone. Where another Grafana takes its place, nothing is to be done:
// it goes on with the same volume.
func (e *Environment) takeDownBuiltGrafana(ctx context.Context) error {
	if e.plansGrafana() {
		return nil
	}
	s, err := e.readState(ctx, "platform")
	if err != nil {
		return err
	}
	image, volumes := "", map[string]string{}
	for _, r := range s.resources() {
		switch name := r.text("name"); {
		case r.Type == "docker_image" && strings.HasPrefix(name, builtGrafana):
			image = name
		case r.Type == "docker_volume" && strings.HasSuffix(name, "-grafana-data"):
			volumes[r.Address] = name
		}
	}
	if image == "" {
		return nil
	}
	for address, name := range volumes {
		// Noted first: what is in neither place would belong to no stack.
		err := e.note(func(n *notes) {
			if !slices.Contains(n.KeptVolumes, name) {
				n.KeptVolumes = append(n.KeptVolumes, name)
			}
		})
		if err != nil {
			return err
		}
		if err := e.run(ctx, "platform", "state", "rm", "-lock-timeout=120s", address); err != nil {
			return err
		}
		e.Progress.Note("kept the volume " + name + ": `make up` takes it back when this stack has a Grafana again, `make down` removes it")
	}
	suffix := "grafana-" + strings.TrimPrefix(image, builtGrafana)
	if exists(e.root("content") + "/terraform.tfstate") {
		if err := e.setAside("content", suffix); err != nil {
			return err
		}
		e.Progress.Note(fmt.Sprintf("set the content's state aside as %s/terraform.tfstate.%s", e.rootName("content"), suffix))
	}
	e.Progress.Note("taking down " + image + ", which an earlier commit built here: " +
		"Lookout does not build Grafana any more, since its source is AGPL-3.0")
	return nil
}

// takeBackVolumes imports volumes that were kept and that a plan would create.
func (e *Environment) takeBackVolumes(ctx context.Context, plan Plan) (replan bool, err error) {
	n, err := e.notes()
	if err != nil || len(n.KeptVolumes) == 0 {
		return false, err
	}
	for _, c := range plan.ResourceChanges {
		name, _ := c.Change.After["name"].(string)
		if c.Type != "docker_volume" || !c.creates() || !slices.Contains(n.KeptVolumes, name) {
			continue
		}
		there, err := docker.Inspect(ctx, docker.Volume, name)
		if err != nil {
			return false, err
		}
		if len(there) > 0 {
			if err := e.run(ctx, "platform", "import", "-no-color", "-input=false", "-lock-timeout=120s", c.Address, name); err != nil {
				return false, err
			}
			e.Progress.Note("took back the volume " + name)
			replan = true
		}
		err = e.note(func(n *notes) {
			n.KeptVolumes = slices.DeleteFunc(n.KeptVolumes, func(v string) bool { return v == name })
		})
		if err != nil {
			return false, err
		}
	}
	return replan, nil
}

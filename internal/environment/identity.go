package environment

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"lookout/internal/docker"
	"lookout/internal/stack"
	"lookout/internal/toolchain"
)

// state is the part of a Terraform state that is read here.
type state struct {
	Outputs map[string]struct {
		Value json.RawMessage `json:"value"`
	} `json:"outputs"`
	Resources []struct {
		Module    string `json:"module"`
		Mode      string `json:"mode"`
		Type      string `json:"type"`
		Name      string `json:"name"`
		Instances []struct {
			IndexKey   any            `json:"index_key"`
			Attributes map[string]any `json:"attributes"`
		} `json:"instances"`
	} `json:"resources"`
}

// recorded is one resource in a state.
type recorded struct {
	Type, Name string
	// Address is what Terraform's commands know it by.
	Address    string
	Attributes map[string]any
}

// text returns an attribute that is a string, else "".
func (r recorded) text(attribute string) string {
	text, _ := r.Attributes[attribute].(string)
	return text
}

// resources are those that Terraform manages.
func (s state) resources() []recorded {
	var all []recorded
	for _, r := range s.Resources {
		if r.Mode == "data" {
			continue
		}
		for _, i := range r.Instances {
			address := r.Type + "." + r.Name
			if r.Module != "" {
				address = r.Module + "." + address
			}
			switch key := i.IndexKey.(type) {
			case string:
				address += fmt.Sprintf("[%q]", key)
			case float64:
				address += fmt.Sprintf("[%d]", int(key))
			}
			all = append(all, recorded{Type: r.Type, Name: r.Name, Address: address, Attributes: i.Attributes})
		}
	}
	return all
}

// kinds are the types of what the engine holds.
var kinds = map[string]docker.Kind{
	"docker_container": docker.Container,
	"docker_network":   docker.Network,
	"docker_volume":    docker.Volume,
}

// identity is the stack's, as far as the state has it: the name comes from the output, or from the network, which
// carries it alone, where an apply did not get as far or was of an earlier commit.
func (s state) identity() (id stack.Identity) {
	if output, ok := s.Outputs["stack"]; ok {
		// An output of another kind under that name is not one of ours.
		_ = json.Unmarshal(output.Value, &id)
	}
	for _, r := range s.resources() {
		switch {
		case r.Type == "terraform_data" && r.Name == "identity" && id.ID == "":
			id.ID = r.text("id")
		case r.Type == "docker_network" && id.Name == "":
			id.Name = r.text("name")
		}
	}
	return id
}

// readState returns a root's state; an empty one if there is none. A local state is read from its file, so that it
// can be had without Terraform, too.
func (e *Environment) readState(ctx context.Context, root string) (s state, err error) {
	data, err := os.ReadFile(filepath.Join(e.root(root), "terraform.tfstate"))
	switch {
	case err == nil:
	case !errors.Is(err, fs.ErrNotExist):
		return s, err
	case !e.remoteState(root):
		return s, nil
	default:
		var stderr bytes.Buffer
		cmd := e.command(ctx, root, "state", "pull")
		cmd.Stderr = &stderr
		if data, err = cmd.Output(); err != nil {
			return s, fmt.Errorf("reading the state of envs/%s/%s: %s", e.Name, root, sentences(e.rootName(root), stderr.String()))
		}
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return s, nil
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("the state of envs/%s/%s is not readable: %w", e.Name, root, err)
	}
	return s, nil
}

// remoteState reports whether a root was initialised with a backend other than the local file.
func (e *Environment) remoteState(root string) bool {
	return exists(filepath.Join(e.root(root), "backend.hcl")) && exists(filepath.Join(e.root(root), ".terraform"))
}

// ownership says what in the engine is this checkout's stack: what is in its state, and what carries its identity.
func (e *Environment) ownership(ctx context.Context) (stack.Ownership, error) {
	s, err := e.readState(ctx, "platform")
	if err != nil {
		return stack.Ownership{}, err
	}
	own := stack.Ownership{Identity: s.identity(), Recorded: map[string]bool{}}
	for _, r := range s.resources() {
		kind, ok := kinds[r.Type]
		if !ok {
			continue
		}
		id := r.text("id")
		if kind == docker.Volume {
			id = r.text("name")
		}
		if id != "" {
			own.Recorded[id] = true
		}
	}
	notes, err := e.notes()
	if err != nil {
		return own, err
	}
	own.IDs = notes.IDs
	for _, v := range notes.KeptVolumes {
		own.Recorded[v] = true
	}
	if own.Name == "" {
		own.Name, err = e.plannedName()
	}
	return own, err
}

// plannedName is the name that the stack would get: of the variables, else the environment's own.
func (e *Environment) plannedName() (string, error) {
	var vars nameVars
	err := e.readVars("platform", "name", &vars)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if vars.Name != "" {
		return vars.Name, nil
	}
	return "lookout-" + e.Name, nil
}

// nameVars is what name.auto.tfvars.json gives a stack that is not to have the environment's own name and ports.
type nameVars struct {
	Name  string         `json:"name"`
	Ports map[string]int `json:"ports"`
}

// notes are what a checkout remembers of its stack outside the state, for when the state is lost, or on purpose does
// not know of something any more.
type notes struct {
	// IDs are the identities that applies here have created.
	IDs []string `json:"ids,omitempty"`
	// KeptVolumes were taken out of the state to be kept; see takeDownBuiltGrafana.
	KeptVolumes []string `json:"kept_volumes,omitempty"`
	// Applied is when an apply last came to its end.
	Applied *time.Time `json:"applied,omitempty"`
}

func (e *Environment) notesFile() string { return e.cache("stack", e.Name+".json") }

func (e *Environment) notes() (n notes, err error) {
	data, err := os.ReadFile(e.notesFile())
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	if err != nil {
		return n, err
	}
	if err := json.Unmarshal(data, &n); err != nil {
		return n, fmt.Errorf("%s is not what `make up` writes (%w): delete it", e.notesFile(), err)
	}
	return n, nil
}

func (e *Environment) note(change func(*notes)) error {
	n, err := e.notes()
	if err != nil {
		return err
	}
	change(&n)
	data, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		return err
	}
	return toolchain.WriteFile(e.notesFile(), append(data, '\n'), 0o644)
}

// created matches Terraform saying that it has made an identity.
var created = regexp.MustCompile(`terraform_data\.identity: Creation complete after \S+ \[id=([^\]]+)\]`)

// identityWatch is a writer for what an apply prints. It notes an identity as soon as there is one: whatever is made
// after it carries it, and must be known as this checkout's own even if the apply is killed and its state is lost.
type identityWatch struct {
	e    *Environment
	line []byte
}

func (w *identityWatch) Write(p []byte) (int, error) {
	w.line = append(w.line, p...)
	for {
		line, rest, ok := bytes.Cut(w.line, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		w.line = rest
		m := created.FindSubmatch(line)
		if m == nil {
			continue
		}
		err := w.e.note(func(n *notes) {
			if id := string(m[1]); !slices.Contains(n.IDs, id) {
				n.IDs = append(n.IDs, id)
			}
		})
		if err != nil {
			return len(p), err
		}
	}
}

// describe names objects in a few words: "2 containers and a network (lookout-local-relay, …)".
func describe(objects []docker.Object) string {
	count := map[docker.Kind]int{}
	var names []string
	for _, o := range objects {
		count[o.Kind]++
		names = append(names, o.Name)
	}
	var parts []string
	for _, kind := range docker.Kinds {
		switch n := count[kind]; n {
		case 0:
		case 1:
			parts = append(parts, "1 "+string(kind))
		default:
			parts = append(parts, fmt.Sprintf("%d %ss", n, kind))
		}
	}
	if len(names) > 8 {
		names = append(names[:7], fmt.Sprintf("and %d more", len(names)-7))
	}
	return join(parts) + " (" + strings.Join(names, ", ") + ")"
}

func join(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}

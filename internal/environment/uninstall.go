package environment

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lookout/internal/docker"
	"lookout/internal/stack"
	"lookout/internal/toolchain"
)

// A leftover is something that Lookout has put onto this machine.
type leftover struct {
	// What names it, Bytes is its size; -1 where that is not known.
	What  string
	Bytes int64
	// Remove takes it away; nil for what is only named, and Hint says how a person does it.
	Remove func(context.Context) error
	Hint   string
}

// Uninstall removes what is left of Lookout on this machine besides the checkout: images that were built here, caches, and what was
// generated in the checkout. What others may use too, packages of the system and Go's caches, it names. It refuses while there
// are stacks.
func (e *Environment) Uninstall(ctx context.Context) error {
	if err := e.refuseStacks(ctx); err != nil {
		return err
	}
	all, err := e.leftovers(ctx)
	if err != nil {
		return err
	}
	var kept, gone []leftover
	total := int64(0)
	for _, l := range all {
		if l.Remove == nil {
			kept = append(kept, l)
			continue
		}
		gone = append(gone, l)
		total += max(l.Bytes, 0)
	}
	if len(gone) == 0 {
		fmt.Fprintln(e.Out, "nothing of Lookout is left on this machine besides this checkout")
	} else {
		fmt.Fprintln(e.Out, "To be removed:")
		show(e, gone)
		if err := e.agreed(fmt.Sprintf("Remove these %s? Only \"yes\" goes on: ", size(total))); err != nil {
			return err
		}
		for _, l := range gone {
			if err := l.Remove(ctx); err != nil {
				return fmt.Errorf("removing %s: %w; the same command goes on from there", l.What, err)
			}
		}
		e.Progress.Step("Uninstalled", fmt.Sprintf("%d things, %s", len(gone), size(total)))
	}
	if len(kept) > 0 {
		fmt.Fprintln(e.Out, "\nLeft, since other programs may use it, or since it is yours:")
		show(e, kept)
	}
	return nil
}

func show(e *Environment, all []leftover) {
	for _, l := range all {
		fmt.Fprintf(e.Out, "  %9s  %s", size(l.Bytes), l.What)
		if l.Hint != "" {
			fmt.Fprintf(e.Out, " (%s)", l.Hint)
		}
		fmt.Fprintln(e.Out)
	}
}

// agreed asks, in whichever environment.
func (e *Environment) agreed(question string) error {
	if os.Getenv("YES") == "1" {
		return nil
	}
	if e.In == nil {
		return errors.New("that needs a yes, and there is no terminal to ask at: set YES=1 if you mean it; nothing was removed")
	}
	fmt.Fprint(e.Out, question)
	var answer string
	if _, err := fmt.Fscanln(e.In, &answer); err != nil || answer != "yes" {
		return errors.New("not confirmed; nothing was removed")
	}
	return nil
}

// refuseStacks refuses while a stack exists that uses what would be removed, or a state that knows of one elsewhere.
func (e *Environment) refuseStacks(ctx context.Context) error {
	names, err := Names(e.Repo)
	if err != nil {
		return err
	}
	for _, name := range names {
		other := *e
		other.Name = name
		s, err := other.readLocalState("platform")
		if err != nil {
			return err
		}
		if len(s.resources()) > 0 {
			return fmt.Errorf("envs/%s is up, or its state says so: run `make down ENV=%s` first; nothing was removed", name, name)
		}
	}
	if _, err := docker.Version(ctx); err != nil {
		return nil //nolint:nilerr // Without an engine there are neither stacks nor images; leftovers says so.
	}
	objects, err := docker.ListAll(ctx, "label="+stack.LabelEnvironment)
	if err != nil {
		return err
	}
	if len(objects) > 0 {
		return fmt.Errorf("%s belong to stacks: run `make down` where they were started; nothing was removed", describe(objects))
	}
	return nil
}

// readLocalState is readState for a state that is a file.
func (e *Environment) readLocalState(root string) (s state, err error) {
	data, err := os.ReadFile(filepath.Join(e.root(root), "terraform.tfstate"))
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(strings.TrimSpace(string(data))) == 0 {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("%s/terraform.tfstate is not readable: %w", e.rootName(root), err)
	}
	return s, nil
}

func (e *Environment) leftovers(ctx context.Context) ([]leftover, error) {
	all, err := imagesBuiltHere(ctx)
	if err != nil {
		return nil, err
	}
	cache, err := toolchain.DefaultRoot()
	if err != nil {
		return nil, err
	}
	folders := []string{cache, filepath.Join(e.Repo, ".cache"), filepath.Join(e.Repo, "test-results")}
	for _, pattern := range []string{"terraform.tfstate*", ".terraform", ".terraform.lock.hcl", "images.auto.tfvars.json", "grafana.auto.tfvars.json", "name.auto.tfvars.json", "alerting.auto.tfvars.json"} {
		found, err := filepath.Glob(filepath.Join(e.Repo, "envs", "*", "*", pattern))
		if err != nil {
			return nil, err
		}
		folders = append(folders, found...)
	}
	// Generated, and good for nothing but local's mock.
	for _, name := range []string{"platform/secrets", "platform/secrets.auto.tfvars.json", "content/secrets.auto.tfvars.json"} {
		folders = append(folders, filepath.Join(e.Repo, "envs", Local, name))
	}
	for _, folder := range folders {
		if !exists(folder) {
			continue
		}
		bytes, err := diskUsage(folder)
		if err != nil {
			return nil, err
		}
		all = append(all, leftover{What: e.shorten(folder), Bytes: bytes, Remove: func(context.Context) error { return os.RemoveAll(folder) }})
	}
	if backups := filepath.Join(e.Repo, "backups"); exists(backups) {
		bytes, err := diskUsage(backups)
		if err != nil {
			return nil, err
		}
		all = append(all, leftover{What: "backups", Bytes: bytes, Hint: "rm -r backups"})
	}
	for _, name := range toolchain.InstalledPackages(ctx) {
		all = append(all, leftover{What: "the package " + name.Name, Bytes: name.Bytes, Hint: "apt-get remove --autoremove " + name.Name})
	}
	for variable, flag := range map[string]string{"GOCACHE": "-cache", "GOMODCACHE": "-modcache"} {
		out, err := exec.CommandContext(ctx, "go", "env", variable).Output()
		folder := strings.TrimSpace(string(out))
		if err != nil || folder == "" || !exists(folder) {
			continue
		}
		// Its size takes longer to count than all the rest.
		all = append(all, leftover{What: "Go's " + folder, Bytes: -1, Hint: "go clean " + flag})
	}
	slices.SortStableFunc(all, func(a, b leftover) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return all, nil
}

// imagesBuiltHere are those under the names that only builds here give.
func imagesBuiltHere(ctx context.Context) ([]leftover, error) {
	if _, err := docker.Version(ctx); err != nil {
		return []leftover{{What: "images, if any: the Docker Engine does not answer", Bytes: -1, Hint: "start it and run this again"}}, nil //nolint:nilerr
	}
	out, err := docker.Run(ctx, "image", "ls", "--filter=reference=lookout/*", "--format={{.Repository}}:{{.Tag}} {{.ID}}")
	if err != nil {
		return nil, err
	}
	var all []leftover
	for line := range strings.Lines(out) {
		name, id, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" {
			continue
		}
		bytes := int64(-1)
		if text, err := docker.Run(ctx, "image", "inspect", "--format={{.Size}}", id); err == nil {
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				bytes = n
			}
		}
		all = append(all, leftover{What: "image " + name, Bytes: bytes, Remove: func(ctx context.Context) error {
			_, err := docker.Run(ctx, "image", "rm", name)
			return err
		}})
	}
	return all, nil
}

// diskUsage is the size of all files below a folder, or of a file.
func diskUsage(root string) (total int64, err error) {
	err = filepath.WalkDir(root, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

// size writes bytes as people do; "?" where they are not known.
func size(bytes int64) string {
	switch {
	case bytes < 0:
		return "?"
	case bytes >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
	case bytes >= 1<<20:
		return fmt.Sprintf("%.0f MiB", float64(bytes)/(1<<20))
	}
	return fmt.Sprintf("%.0f KiB", float64(bytes)/(1<<10))
}

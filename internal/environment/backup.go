package environment

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"lookout/internal/backup"
	"lookout/internal/docker"
	"lookout/internal/stack"
	"lookout/internal/toolchain"
)

// stateWithin is how old what Alertmanager has written may be; see modules/alertmanager.
const stateWithin = 45 * time.Second

// made are the files of variables that every machine makes for itself.
var made = []string{"images.auto.tfvars.json", "grafana.auto.tfvars.json"}

// Backup writes what this environment's stack cannot make again into one file, while it runs: the servers' volumes, a local
// state, and what was generated for it. file may be "", which means a new one in backups/.
func (e *Environment) Backup(ctx context.Context, file string) error {
	release, err := e.exclusive(ctx)
	if err != nil {
		return err
	}
	defer release()
	begun := time.Now()
	if file == "" {
		file = filepath.Join(e.Repo, "backups", e.Name+"-"+begun.UTC().Format("20060102T150405Z")+".tar.gz")
	}
	if exists(file) {
		return fmt.Errorf("%s exists already: name another file with FILE=…; nothing was written", file)
	}
	own, containers, err := e.dataContainers(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	// Under its own name only once it is complete.
	half, err := os.OpenFile(file+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(half.Name())
	defer half.Close()
	m := backup.Manifest{Lookout: toolchain.Version, Environment: e.Name, Stack: own.Name, ID: own.ID, Taken: begun.UTC().Truncate(time.Second), Images: map[string]string{}}
	for name, c := range containers {
		m.Images[name] = c.Image
	}
	w := backup.NewWriter(half, m)
	for _, s := range stack.Services {
		c, ok := containers[s.Name]
		if s.Volume == "" || !ok {
			continue
		}
		if err := e.backupVolume(ctx, w, own, s, c, begun); err != nil {
			return fmt.Errorf("backing up %s: %w; nothing was written", s.Name, err)
		}
	}
	if err := e.backupFiles(w); err != nil {
		return err
	}
	if err := errors.Join(w.Close(), half.Sync(), half.Close()); err != nil {
		return err
	}
	if err := os.Rename(half.Name(), file); err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	e.Progress.Step("Backup", fmt.Sprintf("%s (%.1f MiB, %.1f s)", e.shorten(file), float64(info.Size())/(1<<20), time.Since(begun).Seconds()))
	e.Progress.Note("it holds passwords and tokens: keep it where they may be kept")
	return nil
}

// shorten names a file as one does who stands in the repository.
func (e *Environment) shorten(file string) string {
	if rel, err := filepath.Rel(e.Repo, file); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return file
}

// dataContainers are the running containers of this checkout's stack, by service.
func (e *Environment) dataContainers(ctx context.Context) (stack.Ownership, map[string]docker.Object, error) {
	own, err := e.ownership(ctx)
	if err != nil {
		return own, nil, err
	}
	objects, err := docker.List(ctx, docker.Container, "label="+stack.LabelEnvironment+"="+own.Name)
	if err != nil {
		return own, nil, err
	}
	mine, _ := own.Sort(objects)
	containers := map[string]docker.Object{}
	for _, o := range mine {
		service, ok := strings.CutPrefix(o.Name, own.Name+"-")
		s, known := stack.Named(service)
		if !ok || !known {
			continue
		}
		if s.Volume != "" && o.State != "running" {
			return own, nil, fmt.Errorf("%s is %s: run `make apply ENV=%s` first, a backup is taken while everything runs", o.Name, o.State, e.Name)
		}
		containers[service] = o
	}
	if len(containers) == 0 {
		return own, nil, fmt.Errorf("nothing of %s runs here: there is nothing to back up", own.Name)
	}
	return own, containers, nil
}

func (e *Environment) backupVolume(ctx context.Context, w *backup.Writer, own stack.Ownership, s stack.Service, c docker.Object, begun time.Time) error {
	start := time.Now()
	name := own.Name + "-" + s.Volume
	found, err := docker.Inspect(ctx, docker.Volume, name)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("there is no volume %s", name)
	}
	v := backup.Volume{Service: s.Name, Name: name, Labels: found[0].Labels, How: "paused"}
	if s.Name == "prometheus" {
		snapshot, err := e.snapshot(ctx)
		if err != nil {
			return err
		}
		if snapshot != "" {
			v.How = "snapshot"
			folder := path.Join(s.Data, "snapshots", snapshot)
			err := docker.ReadFolder(ctx, c.ID, folder, func(r io.Reader) error { return w.Volume(v, r, nil) })
			if err := errors.Join(err, e.removeSnapshot(ctx, own, name, s.Data, folder)); err != nil {
				return err
			}
			e.Progress.Step("Backup", fmt.Sprintf("%s: by snapshot (%.1f s)", s.Name, time.Since(start).Seconds()))
			return nil
		}
	}
	if s.Name == "alertmanager" {
		if err := awaitWritten(ctx, c, s.Data, begun); err != nil {
			return err
		}
	}
	var stood time.Duration
	err = docker.Paused(ctx, c.ID, func() error {
		paused := time.Now()
		defer func() { stood = time.Since(paused) }()
		return docker.ReadFolder(ctx, c.ID, s.Data, func(r io.Reader) error { return w.Volume(v, r, needed(s.Name)) })
	})
	if err != nil {
		return err
	}
	e.Progress.Step("Backup", fmt.Sprintf("%s: it stood still for %.1f s", s.Name, stood.Seconds()))
	if s.Name == "prometheus" && stood > 5*time.Second {
		e.Progress.Note("with prometheus_admin_api = true it would take a snapshot instead, and go on scraping")
	}
	return nil
}

// needed leaves out of a volume what its server makes at every start, or what is a copy.
func needed(service string) func(name string) bool {
	if service != "prometheus" {
		return nil
	}
	return func(name string) bool {
		top, _, _ := strings.Cut(name, "/")
		return !slices.Contains([]string{"lock", "queries.active", "snapshots"}, top)
	}
}

// snapshot asks Prometheus for one and returns its name; "" where it may not be asked.
func (e *Environment) snapshot(ctx context.Context) (string, error) {
	urls, err := e.endpoints(ctx)
	if err != nil || urls["prometheus"] == "" || elsewhere(ctx, urls["prometheus"]) {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, urls["prometheus"]+"/api/v1/admin/tsdb/snapshot", nil)
	if err != nil {
		return "", err
	}
	// The environment's client gives up long before a large snapshot is written.
	client := &http.Client{Transport: e.Client.Transport}
	resp, err := client.Do(req)
	if err != nil {
		return "", nil //nolint:nilerr // Its port may be published on another machine: pausing it needs no port.
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", err
	}
	var answer struct {
		Status, Error string
		Data          struct{ Name string }
	}
	if resp.StatusCode != http.StatusOK {
		if strings.Contains(string(body), "admin APIs disabled") || resp.StatusCode == http.StatusNotFound {
			return "", nil
		}
		return "", fmt.Errorf("Prometheus makes no snapshot: %s: %s", resp.Status, strings.TrimSpace(string(body)))
	}
	if err := json.Unmarshal(body, &answer); err != nil || !snapshotName.MatchString(answer.Data.Name) {
		return "", fmt.Errorf("what Prometheus answers about its snapshot is not readable: %q", body)
	}
	return answer.Data.Name, nil
}

var snapshotName = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z-[0-9a-f]+$`)

// removeSnapshot removes a snapshot out of the volume, which Prometheus itself never does: it would keep blocks on disk whose
// retention is over.
func (e *Environment) removeSnapshot(ctx context.Context, own stack.Ownership, volume, data, folder string) error {
	relay, err := docker.List(context.WithoutCancel(ctx), docker.Container, "name="+own.Name+"-relay")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(relay, func(o docker.Object) bool { return o.Name == own.Name+"-relay" })
	if i < 0 {
		return fmt.Errorf("the snapshot %s stays in the volume %s: there is no relay, whose image has what removes it", folder, volume)
	}
	_, err = docker.Run(context.WithoutCancel(ctx), "run", "--rm", "--network=none", "--user=0:0", "--read-only", "--entrypoint=/bin/probe",
		"--volume="+volume+":"+data, relay[i].Image, "--remove-snapshot="+folder)
	return err
}

// awaitWritten waits until Alertmanager has written its silences and what it has sent after a moment: until then they are in
// its memory.
func awaitWritten(ctx context.Context, c docker.Object, data string, after time.Time) error {
	ctx, cancel := context.WithTimeoutCause(ctx, stateWithin, fmt.Errorf("it has not written its silences for %s: is it of an earlier version of Lookout? `make apply` first", stateWithin))
	defer cancel()
	for {
		written := map[string]time.Time{}
		err := docker.ReadFolder(ctx, c.ID, data, func(r io.Reader) error {
			in := tar.NewReader(r)
			for {
				h, err := in.Next()
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err != nil {
					return err
				}
				written[path.Base(h.Name)] = h.ModTime
			}
		})
		// Times in a tar are whole seconds.
		if since := after.Truncate(time.Second).Add(time.Second); err == nil && written["silences"].After(since) && written["nflog"].After(since) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(time.Second):
		}
	}
}

// backupFiles adds a local state of both roots, and what git does not know of them.
func (e *Environment) backupFiles(w *backup.Writer) error {
	for _, root := range []string{"platform", "content"} {
		names, err := e.generated(root)
		if err != nil {
			return err
		}
		for _, name := range names {
			data, err := os.ReadFile(filepath.Join(e.root(root), name))
			if err != nil {
				return err
			}
			info, err := os.Stat(filepath.Join(e.root(root), name))
			if err != nil {
				return err
			}
			if err := w.File(path.Join("files", root, filepath.ToSlash(name)), int64(info.Mode().Perm()), data); err != nil {
				return err
			}
		}
	}
	return nil
}

// generated are the files of a root that belong to its stack and not to the repository.
func (e *Environment) generated(root string) ([]string, error) {
	var names []string
	for _, name := range []string{"terraform.tfstate", "backend.hcl"} {
		if exists(filepath.Join(e.root(root), name)) {
			names = append(names, name)
		}
	}
	vars, err := filepath.Glob(filepath.Join(e.root(root), "*.auto.tfvars.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range vars {
		if name := filepath.Base(file); !slices.Contains(made, name) {
			names = append(names, name)
		}
	}
	err = filepath.WalkDir(filepath.Join(e.root(root), "secrets"), func(file string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return fs.SkipAll
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(e.root(root), file)
		names = append(names, rel)
		return err
	})
	return names, err
}

// Restore brings back what a backup holds, where nothing of the stack is: a new machine, or after `make down`.
func (e *Environment) Restore(ctx context.Context, file string) error {
	if file == "" {
		return errors.New("which backup? FILE=backups/… names it; nothing was changed")
	}
	begun := time.Now()
	m, err := verified(file)
	if err != nil {
		return fmt.Errorf("%s: %w; nothing was changed", file, err)
	}
	if m.Environment != e.Name {
		return fmt.Errorf("%s is a backup of the environment %s: run `make restore ENV=%s FILE=%s`; nothing was changed", file, m.Environment, m.Environment, file)
	}
	if err := e.restorable(ctx, m); err != nil {
		return err
	}
	if err := e.confirmed("Restore the backup of " + m.Taken.Local().Format("2006-01-02 15:04:05") + " as"); err != nil {
		return err
	}
	// The engine, images and providers first: they may not be to be had, and nothing has been touched then. The files come before
	// them, since they say how the state is kept.
	if err := e.restoreFiles(file); err != nil {
		return err
	}
	if err := e.Init(ctx); err != nil {
		return err
	}
	if err := e.restoreVolumes(ctx, file, m); err != nil {
		return fmt.Errorf("%w; `make down ENV=%s` removes what is there so far, and `make restore` begins again", err, e.Name)
	}
	if err := e.Apply(ctx); err != nil {
		return err
	}
	e.Progress.Step("Restored", fmt.Sprintf("%s as of %s (%.1f s)", m.Stack, m.Taken.Local().Format("2006-01-02 15:04:05"), time.Since(begun).Seconds()))
	return e.Summary(ctx)
}

func verified(file string) (backup.Manifest, error) {
	f, err := os.Open(file)
	if err != nil {
		return backup.Manifest{}, err
	}
	defer f.Close()
	return backup.Verify(f)
}

// restorable refuses to restore over something that is there.
func (e *Environment) restorable(ctx context.Context, m backup.Manifest) error {
	own, err := e.ownership(ctx)
	if err != nil {
		return err
	}
	if !e.remoteState("platform") && len(own.Recorded) > 0 {
		return fmt.Errorf("this checkout's %s is the stack %s already, and restoring would replace it: `make backup` it if its data matters, `make down ENV=%s`, and then `make restore`; nothing was changed",
			e.Name, own.Name, e.Name)
	}
	if _, err := docker.Version(ctx); err != nil {
		// Then nothing can be there; Init sees to an engine.
		return nil //nolint:nilerr
	}
	there, err := docker.ListAll(ctx, "label="+stack.LabelEnvironment+"="+m.Stack)
	if err != nil {
		return err
	}
	for _, v := range m.Volumes {
		found, err := docker.Inspect(ctx, docker.Volume, v.Name)
		if err != nil {
			return err
		}
		for _, o := range found {
			if !slices.ContainsFunc(there, func(t docker.Object) bool { return t.Kind == o.Kind && t.Name == o.Name }) {
				there = append(there, o)
			}
		}
	}
	if len(there) > 0 {
		return fmt.Errorf("%s is here already, and restoring would replace it: run `make down ENV=%s` where it was started, and then `make restore`; nothing was changed", describe(there), e.Name)
	}
	return nil
}

// restoreFiles writes what git does not know of both roots. A file that is there with other content is kept under another name.
func (e *Environment) restoreFiles(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return backup.Files(f, "files", func(name string, mode int64, data []byte) error {
		root, rest, _ := strings.Cut(name, "/")
		if root != "platform" && root != "content" || !filepath.IsLocal(rest) {
			return fmt.Errorf("%s holds files/%s, which no environment has; nothing was changed", file, name)
		}
		to := filepath.Join(e.root(root), filepath.FromSlash(rest))
		old, err := os.ReadFile(to)
		switch {
		case err == nil && string(old) == string(data):
			return nil
		case err == nil && strings.TrimSpace(string(old)) != "":
			aside := to + "." + time.Now().UTC().Format("20060102T150405Z") + ".backup"
			if err := os.Rename(to, aside); err != nil {
				return err
			}
			e.Progress.Note(e.shorten(to) + " was there with other content: it is kept as " + filepath.Base(aside))
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return toolchain.WriteFile(to, data, fs.FileMode(mode).Perm())
	})
}

func (e *Environment) restoreVolumes(ctx context.Context, file string, m backup.Manifest) error {
	var images struct{ Images toolchain.Images }
	if err := e.readVars("platform", "images", &images); err != nil {
		return err
	}
	if err := e.note(func(n *notes) {
		if m.ID != "" && !slices.Contains(n.IDs, m.ID) {
			n.IDs = append(n.IDs, m.ID)
		}
	}); err != nil {
		return err
	}
	for _, v := range m.Volumes {
		start := time.Now()
		if err := docker.CreateVolume(ctx, v.Name, v.Labels); err != nil {
			return err
		}
		err := docker.FillVolume(ctx, v.Name, images.Images.Relay, func(folder string, w io.Writer) error {
			f, err := os.Open(file)
			if err != nil {
				return err
			}
			defer f.Close()
			return backup.WriteVolume(f, v.Service, folder, w)
		})
		if err != nil {
			return fmt.Errorf("filling the volume %s: %w", v.Name, err)
		}
		e.Progress.Step("Restored", fmt.Sprintf("%s (%.1f s)", v.Name, time.Since(start).Seconds()))
	}
	return nil
}

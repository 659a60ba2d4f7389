package environment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"lookout/internal/docker"
	"lookout/internal/toolchain"
)

// setup gets the engine, images, providers and programs of one checkout.
type setup struct {
	e       *Environment
	origins *toolchain.Origins
	wanted  toolchain.Wanted
	cache   *toolchain.Cache
	// userFile is the configuration that the user's own Terraform commands read, or "" for Terraform's default.
	userFile string
	user     toolchain.CLIConfig

	mu sync.Mutex
	// built are the cached folders of parts, by name.
	built map[string]string
	// began is when the first part was asked for that was not in the cache.
	began time.Time
}

func (e *Environment) newSetup() (*setup, error) {
	origins, err := toolchain.OpenOrigins(e.cache("origin.json"), e.Origin)
	if err != nil {
		return nil, err
	}
	root, err := toolchain.DefaultRoot()
	if err != nil {
		return nil, err
	}
	s := &setup{e: e, origins: origins, wanted: toolchain.WantedImages(os.Getenv), built: map[string]string{}, began: time.Now(),
		cache: &toolchain.Cache{Root: root, Tools: filepath.Join(e.Repo, "tools"), Progress: e.Progress}}
	sources, err := e.sources()
	if err != nil {
		return nil, err
	}
	s.wanted.Sources = toolchain.SourceImages(sources, e.Name == Local)
	// make replaces TF_CLI_CONFIG_FILE by ours and hands on the user's under another name.
	if s.userFile = os.Getenv("LOOKOUT_TF_CLI_CONFIG_FILE"); s.userFile == "" {
		s.userFile = os.Getenv("TF_CLI_CONFIG_FILE")
	}
	if s.userFile == e.cache("terraform.rc") {
		s.userFile = ""
	}
	return s, nil
}

// run sees to a Docker Engine while providers are built, and then decides about images: what takes minutes goes on
// side by side. The first failure stops everything. Where no engine can be had it fails before anything else.
func (s *setup) run(ctx context.Context) error {
	version, err := toolchain.FindEngine(ctx)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	engine, terraform := make(chan struct{}), make(chan struct{})
	group.Go(func() (err error) {
		if version == "" {
			if version, err = toolchain.InstallEngine(ctx, s.e.Progress); err != nil {
				return err
			}
		}
		s.e.Progress.Step("Docker Engine", version+" answers")
		close(engine)
		return nil
	})
	group.Go(func() error {
		own, why, ok := toolchain.FindTerraform(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.findConfig(own); err != nil {
			return err
		}
		s.e.terraform = own
		group.Go(func() error {
			if !ok {
				s.e.Progress.Note(why + ": building OpenTofu from its module")
				if err := s.openTofu(ctx); err != nil {
					return err
				}
			}
			close(terraform)
			return nil
		})
		// The one that every environment needs.
		return s.chooseAndBuild(ctx, toolchain.Providers[0], own, ok)
	})
	group.Go(func() error {
		if err := awaitClosed(ctx, engine); err != nil {
			return err
		}
		if err := s.origins.ChooseImages(ctx, s.wanted, toolchain.Engine{}); err != nil {
			return err
		}
		s.reportImages()
		if err := s.images(ctx); err != nil {
			return err
		}
		if err := awaitClosed(ctx, terraform); err != nil {
			return err
		}
		for _, p := range toolchain.Providers[1:] {
			// One that was built for tests stays in the mirror.
			_, known := s.origins.Provider(p.Type)
			if s.e.hasGrafana() || known && s.cached(ctx, p) {
				if err := s.provider(ctx, p); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	if d := time.Since(s.began); d > 30*time.Second {
		s.e.Progress.Note("toolchain complete after " + d.Round(time.Second).String())
	}
	if err := s.origins.Save(); err != nil {
		return err
	}
	if err := link(s.e.terraform.Path, s.e.cache("bin", "terraform")); err != nil {
		return err
	}
	return s.configure()
}

func awaitClosed(ctx context.Context, ready <-chan struct{}) error {
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *setup) openTofu(ctx context.Context) error {
	dir, err := s.part(ctx, toolchain.OpenTofu().Name)
	if err != nil {
		return err
	}
	s.e.terraform, err = toolchain.DescribeTerraform(ctx, filepath.Join(dir, "tofu"))
	return err
}

// part returns the folder of a part, building it if need be.
func (s *setup) part(ctx context.Context, name string) (string, error) {
	dir, err := s.cache.Get(ctx, toolchain.PartNamed(name))
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.built[name] = dir
	return dir, nil
}

// findConfig reads the user's own configuration of Terraform.
func (s *setup) findConfig(tf toolchain.Terraform) error {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "/"
	}
	s.user, err = toolchain.UserCLIConfig(s.userFile, home, tf)
	return err
}

func (s *setup) choose(ctx context.Context, p toolchain.Provider, tf toolchain.Terraform, ok bool) (toolchain.Choice, error) {
	known := &tf
	if !ok {
		known = nil
	}
	return s.origins.ChooseProvider(ctx, p, known, s.userFile, s.e.cache("probe"), s.e.Client)
}

// chooseAndBuild decides where a provider comes from and builds it if it is to be built.
func (s *setup) chooseAndBuild(ctx context.Context, p toolchain.Provider, tf toolchain.Terraform, ok bool) error {
	c, err := s.choose(ctx, p, tf, ok)
	if err != nil {
		return err
	}
	s.e.Progress.Step("Provider", p.Namespace+"/"+p.Type+" "+p.Version+": "+c.String())
	if c.From == toolchain.Built {
		_, err = s.part(ctx, p.Part)
	}
	return err
}

func (s *setup) provider(ctx context.Context, p toolchain.Provider) error {
	if len(s.user.Files) == 0 {
		if err := s.findConfig(s.e.terraform); err != nil {
			return err
		}
	}
	return s.chooseAndBuild(ctx, p, s.e.terraform, true)
}

func (s *setup) cached(ctx context.Context, p toolchain.Provider) bool {
	return s.cache.Has(ctx, toolchain.PartNamed(p.Part))
}

// configure lays out the providers that were built and merges their place into the user's own configuration; where none
// was built, that is left unchanged.
func (s *setup) configure() error {
	artifacts := map[string]string{}
	for _, p := range toolchain.Providers {
		if dir, ok := s.built[p.Part]; ok {
			artifacts[p.Type] = dir
		}
	}
	rc := s.e.cache("terraform.rc")
	if len(artifacts) == 0 {
		if err := os.Remove(rc); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	providers, err := toolchain.Mirror(s.e.cache("mirror"), s.e.terraform.RegistryHost, artifacts)
	if err != nil {
		return err
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "/"
	}
	// For the user alone: it may hold credentials of theirs.
	return toolchain.WriteFile(rc, []byte(s.user.Merged(s.e.cache("mirror"), home, providers)), 0o600)
}

// servers are the images that can be built from parts, and the programs that tests and checks run on the host.
var servers = map[string][]string{
	"alertmanager": {"alertmanager", "amtool"},
	"prometheus":   {"prometheus", "promtool"},
}

// reportImages says where each image comes from, and how a Grafana can be had where there is none.
func (s *setup) reportImages() {
	p := s.e.Progress
	roles := toolchain.Roles()
	slices.SortStableFunc(roles, func(a, b string) int { return strings.Compare(group(a), group(b)) })
	var ours []string
	for _, role := range roles {
		c := s.origins.Image(role)
		_, published := toolchain.PublishedImages[role]
		switch {
		case role == "grafana" && s.wanted.NoGrafana:
			p.Step("Grafana", os.Getenv("GRAFANA_URL")+", which runs already")
		case role == "grafana" && c.From == toolchain.Absent:
			p.Step("Grafana", "none: neither the engine nor a registry has "+toolchain.PublishedImages[role]+
				"; the console shows the dashboards, Prometheus evaluates the alerts")
			p.Note("to add one: docker load its image, name a mirror (IMAGE_REGISTRY=host/prefix, or the engine's with " +
				"ORIGIN=auto), or set GRAFANA_URL and GRAFANA_AUTH")
		case !published && c.From == toolchain.Built:
			ours = append(ours, role)
		default:
			p.Step("Image", role+": "+c.String())
		}
	}
	for _, image := range s.wanted.Sources {
		switch c := s.origins.Image(image.Role); {
		case c.From == toolchain.Built && len(image.Debian) > 0:
			p.Step("Image", image.Role+": built from Debian's packages")
		case c.From == toolchain.Built && image.Exporter == "":
			ours = append(ours, image.Role)
		default:
			p.Step("Image", image.Role+": "+c.Brief())
		}
	}
	if len(ours) > 0 {
		p.Step("Image", strings.Join(ours, ", ")+": built from this checkout")
	}
}

// group sorts our own programs to the end.
func group(role string) string {
	if _, published := toolchain.PublishedImages[role]; published {
		return "a"
	}
	return "b"
}

// images makes every image that is to be built and writes their names for the platform.
func (s *setup) images(ctx context.Context) error {
	var images toolchain.Images
	var mu sync.Mutex
	set := func(role, image string) {
		mu.Lock()
		defer mu.Unlock()
		images.Set(role, image)
	}
	b := &toolchain.ImageBuilder{Root: s.e.Repo, Cache: s.cache}
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return s.servers(ctx, b, set) })
	if c := s.origins.Image("grafana"); c.Image != "" {
		set("grafana", c.Image)
	}
	all.Go(func() error { return s.ours(ctx, b, set) })
	all.Go(func() error { return s.sourceImages(ctx, b, set) })
	if err := all.Wait(); err != nil {
		return err
	}
	if err := s.ownImages(ctx, &images); err != nil {
		return err
	}
	if s.e.Name == Local && images.Grafana != nil {
		// What the content may ask of this Grafana; elsewhere it may be another server altogether.
		vars := map[string]any{"grafana_version": grafanaVersion(*images.Grafana)}
		if err := s.e.writeVars("content", "grafana", 0o644, vars); err != nil {
			return err
		}
	}
	return s.e.writeVars("platform", "images", 0o644, map[string]any{"images": images})
}

// ownImages lets what a person has set in a file or variable win over what was found or built.
func (s *setup) ownImages(ctx context.Context, images *toolchain.Images) error {
	own, where, err := s.e.ownImages()
	if err != nil {
		return err
	}
	for _, role := range slices.Sorted(maps.Keys(own)) {
		if image := own[role]; !docker.HasImage(ctx, image) {
			if err := docker.Pull(ctx, image); err != nil {
				return fmt.Errorf("%s: images.%s is %q, which the engine does not have and can't pull: %w; name another, or docker load it", where, role, image, err)
			}
		}
		images.Set(role, own[role])
		s.e.Progress.Step("Image", fmt.Sprintf("%s: %s, as %s says", role, own[role], where))
	}
	return nil
}

// build makes the images that this checkout is to make itself, or finds them made of the same sources before. parts are the
// folders of programs that come from elsewhere.
func (s *setup) build(ctx context.Context, b *toolchain.ImageBuilder, name string, parts, roles []string, create func(context.Context, string) (string, error), set func(role, image string)) error {
	known := b.Recall(ctx, name, parts, docker.HasImage)
	built := map[string]string{}
	var mu sync.Mutex
	all, building := errgroup.WithContext(ctx)
	all.SetLimit(2)
	for _, role := range roles {
		if image := cmp.Or(s.origins.Image(role).Image, known[role]); image != "" {
			set(role, image)
			continue
		}
		all.Go(func() error {
			image, err := create(building, role)
			if err != nil {
				return err
			}
			set(role, image)
			mu.Lock()
			defer mu.Unlock()
			built[role] = image
			return nil
		})
	}
	if err := all.Wait(); err != nil || len(built) == 0 {
		return err
	}
	maps.Copy(built, known)
	return b.Remember(ctx, name, parts, built)
}

// ours gets the images of our own programs.
func (s *setup) ours(ctx context.Context, b *toolchain.ImageBuilder, set func(role, image string)) error {
	programs := map[string]toolchain.Program{}
	var roles []string
	for _, p := range toolchain.Programs {
		programs[p.Role], roles = p, append(roles, p.Role)
	}
	return s.build(ctx, b, "ours", nil, roles, func(ctx context.Context, role string) (string, error) {
		return b.FromProgram(ctx, programs[role], toolchain.Version)
	}, set)
}

// servers gets the images of the servers, and their programs for the host.
func (s *setup) servers(ctx context.Context, b *toolchain.ImageBuilder, set func(role, image string)) error {
	dirs, err := s.programs(ctx)
	if err != nil {
		return err
	}
	return s.build(ctx, b, "servers", slices.Sorted(maps.Values(dirs)), slices.Sorted(maps.Keys(servers)), func(ctx context.Context, role string) (string, error) {
		return b.FromPart(ctx, toolchain.PartNamed(role), dirs[role])
	}, set)
}

// programs returns the folders of the servers' programs, by role, and links those that tests and checks run on the host.
func (s *setup) programs(ctx context.Context) (map[string]string, error) {
	var parts []toolchain.Part
	dirs := map[string]string{}
	for role, programs := range servers {
		c := s.origins.Image(role)
		if c.Image == "" {
			continue
		}
		dir, err := s.extract(ctx, c.Image, programs)
		if err != nil {
			s.e.Progress.Note(fmt.Sprintf("%s can't be had from %s (%v): building them from their module", strings.Join(programs, " and "), c.Image, err))
			continue
		}
		dirs[role] = dir
	}
	// In this order, since the second finds compiled packages of the first.
	for _, role := range []string{"prometheus", "alertmanager"} {
		if dirs[role] == "" {
			parts = append(parts, toolchain.PartNamed(role))
		}
	}
	built, err := s.cache.GetAll(ctx, parts)
	if err != nil {
		return nil, err
	}
	maps.Copy(dirs, built)
	for role, programs := range servers {
		for _, program := range programs {
			if err := link(filepath.Join(dirs[role], program), s.e.cache("bin", program)); err != nil {
				return nil, err
			}
		}
	}
	return dirs, nil
}

// extract returns a folder with programs out of an image, which run on this machine.
func (s *setup) extract(ctx context.Context, image string, programs []string) (string, error) {
	id, err := docker.Run(ctx, "image", "inspect", "--format", "{{.Id}}", image)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(s.cache.Root, "from-images", strings.TrimPrefix(id, "sha256:"))
	for _, program := range programs {
		at := filepath.Join(dir, program)
		if exists(at) {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", err
		}
		// Under its own name only once it is complete and known to run.
		half := at + ".half"
		if err := docker.CopyOut(ctx, image, "/bin/"+program, half); err != nil {
			return "", err
		}
		if out, err := exec.CommandContext(ctx, half, "--version").CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s does not run here: %w: %s", program, err, strings.TrimSpace(string(out)))
		}
		if err := os.Rename(half, at); err != nil {
			return "", err
		}
	}
	return dir, nil
}

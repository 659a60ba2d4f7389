package environment

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"lookout/internal/toolchain"
)

// Init gets what both roots need: Terraform, providers, images, the local environment's secrets; and
// runs `terraform init`. Afterwards a plain `terraform apply` works in each root.
func (e *Environment) Init(ctx context.Context, engine bool) error {
	if err := checkFiles(e.Repo); err != nil {
		return err
	}
	origins, built, err := e.engineAndToolchain(ctx, engine)
	if err != nil {
		return err
	}
	if engine {
		if err := e.images(ctx, origins, built); err != nil {
			return err
		}
	}
	if err := e.secrets(); err != nil {
		return err
	}
	for _, p := range toolchain.Providers {
		if err := e.lockRoot(origins, p); err != nil {
			return err
		}
		if err := e.initRoot(ctx, p.Root); err != nil {
			return err
		}
	}
	e.Progress.Step("Terraform", fmt.Sprintf("%s %s (%s), both roots initialised", e.terraform.Name, e.terraform.Version, e.terraform.Path))
	return nil
}

// engineAndToolchain sees to a Docker Engine, if one is asked for, while the toolchain is built: both may
// take minutes, and neither needs the other. The first failure stops both. Where no engine can be had it
// fails before anything else.
func (e *Environment) engineAndToolchain(ctx context.Context, engine bool) (origins toolchain.Origins, built map[string]string, err error) {
	var version string
	if engine {
		if version, err = toolchain.FindEngine(ctx); err != nil {
			return origins, nil, err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	if engine {
		group.Go(func() (err error) {
			if version == "" {
				if version, err = toolchain.InstallEngine(ctx, e.Progress); err != nil {
					return err
				}
			}
			e.Progress.Step("Docker Engine", version+" answers")
			return nil
		})
	}
	group.Go(func() (err error) {
		if origins, err = toolchain.ChooseOrigins(ctx, e.cache("origin.json"), e.Origin, e.Client); err != nil {
			return err
		}
		e.Progress.Step("Origin", fmt.Sprintf("images: %s, providers: %s (%s)", say(origins.Images), say(origins.Providers), origins.Why))
		built, err = e.build(ctx, origins)
		return err
	})
	err = group.Wait()
	return origins, built, err
}

func say(o toolchain.Origin) string {
	if o == toolchain.Modules {
		return "built from Go modules"
	}
	return "pulled as published"
}

// build gets every part that the origins ask for and makes Terraform usable. It returns the cached
// folder of each.
func (e *Environment) build(ctx context.Context, origins toolchain.Origins) (map[string]string, error) {
	parts := toolchain.Needed(origins)
	own, why, ok := toolchain.FindTerraform(ctx)
	if !ok {
		e.Progress.Note(why + ": building OpenTofu from its module")
		parts = append([]toolchain.Part{toolchain.OpenTofu()}, parts...)
	}
	root, err := toolchain.DefaultRoot()
	if err != nil {
		return nil, err
	}
	cache := &toolchain.Cache{Root: root, Tools: filepath.Join(e.Repo, "tools"), Progress: e.Progress}
	start := time.Now()
	e.Progress.Step("Toolchain", fmt.Sprintf("%d parts in %s", len(parts), root))
	built, err := cache.GetAll(ctx, parts)
	if err != nil {
		return nil, err
	}
	if d := time.Since(start); d > 30*time.Second {
		e.Progress.Note("toolchain complete after " + d.Round(time.Second).String())
	}
	if dir, ok := built["opentofu"]; ok {
		if own, err = toolchain.DescribeTerraform(ctx, filepath.Join(dir, "tofu")); err != nil {
			return nil, err
		}
	}
	e.terraform = own
	links := map[string]string{"terraform": own.Path}
	// The checkers for rule tests and configurations; the servers, for tests.
	for program, part := range map[string]string{"promtool": "prometheus", "prometheus": "prometheus",
		"amtool": "alertmanager", "alertmanager": "alertmanager"} {
		if dir, ok := built[part]; ok {
			links[program] = filepath.Join(dir, program)
		}
	}
	for name, target := range links {
		if err := link(target, e.cache("bin", name)); err != nil {
			return nil, err
		}
	}
	if origins.Providers == toolchain.Modules {
		err = toolchain.Mirror(e.cache("mirror"), e.cache("terraform.rc"), own.RegistryHost, map[string]string{
			"docker":  built["terraform-provider-docker"],
			"grafana": built["terraform-provider-grafana"],
		})
		if err != nil {
			return nil, err
		}
	} else if err := os.Remove(e.cache("terraform.rc")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return built, nil
}

func link(target, at string) error {
	if old, err := os.Readlink(at); err == nil && old == target {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	tmp := at + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(target, tmp); err != nil {
		return err
	}
	return os.Rename(tmp, at)
}

// findTerraform uses what Init has left in the checkout's cache.
func (e *Environment) findTerraform(ctx context.Context) error {
	if e.terraform.Path != "" {
		return nil
	}
	path, err := filepath.EvalSymlinks(e.cache("bin", "terraform"))
	if err != nil {
		return fmt.Errorf("this checkout is not initialised: run `make init ENV=%s` first", e.Name)
	}
	e.terraform, err = toolchain.DescribeTerraform(ctx, path)
	return err
}

// images makes every image and tells the platform their names. Programs of our own are built from this
// checkout either way.
func (e *Environment) images(ctx context.Context, origins toolchain.Origins, built map[string]string) error {
	b := toolchain.ImageBuilder{Root: e.Repo}
	var images toolchain.Images
	if origins.Images == toolchain.Modules {
		for _, part := range []string{"prometheus", "alertmanager"} {
			image, err := b.FromPart(ctx, toolchain.PartNamed(part), built[part])
			if err != nil {
				return err
			}
			images.Set(part, image)
		}
	} else {
		for role, image := range toolchain.Published {
			e.Progress.Note("pulling " + image)
			if err := b.Pull(ctx, image); err != nil {
				return err
			}
			images.Set(role, image)
		}
	}
	for _, program := range toolchain.Programs {
		image, err := b.FromProgram(ctx, program, toolchain.Version)
		if err != nil {
			return err
		}
		images.Set(program.Role, image)
	}
	grafana := "no Grafana"
	if images.Grafana != nil {
		grafana = *images.Grafana
	}
	e.Progress.Step("Images", fmt.Sprintf("%s, %s, %s, and our own programs %s",
		images.Prometheus, images.Alertmanager, grafana, toolchain.Version))
	if e.Name == Local && images.Grafana != nil {
		// What the content may ask of this Grafana; elsewhere it may be another server altogether.
		vars := map[string]any{"grafana_version": grafanaVersion(*images.Grafana)}
		if err := e.writeVars("content", "grafana", 0o644, vars); err != nil {
			return err
		}
	}
	return e.writeVars("platform", "images", 0o644, map[string]any{"images": images})
}

// grafanaVersion is the version in an image's tag: "13.2.3", or "12.0.0" of "12.0.0-ubuntu".
func grafanaVersion(image string) string {
	tag := image[strings.LastIndex(image, ":")+1:]
	version, _, _ := strings.Cut(tag, "-")
	return version
}

// secrets generates what the local environment needs to be logged in to, once.
func (e *Environment) secrets() error {
	if e.Name != Local {
		return nil
	}
	var platform struct {
		Password string `json:"grafana_admin_password"`
	}
	err := e.readVars("platform", "secrets", &platform)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if platform.Password == "" {
		platform.Password = rand.Text()
		if err := e.writeVars("platform", "secrets", 0o600, platform); err != nil {
			return err
		}
	}
	if err := RelaySecrets(filepath.Join(e.root("platform"), "secrets")); err != nil {
		return err
	}
	var content contentSecrets
	err = e.readVars("content", "secrets", &content)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	want := contentSecrets{URL: content.URL, Auth: "admin:" + platform.Password}
	if want.URL == "" {
		want.URL = "http://127.0.0.1:3001"
	}
	if want != content {
		return e.writeVars("content", "secrets", 0o600, want)
	}
	return nil
}

type contentSecrets struct {
	URL  string `json:"grafana_url"`
	Auth string `json:"grafana_auth"`
}

func (e *Environment) varsPath(root, name string) string {
	return filepath.Join(e.root(root), name+".auto.tfvars.json")
}

func (e *Environment) readVars(root, name string, v any) error {
	path := e.varsPath(root, name)
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s is not what `make init` writes (%w): mend or delete it", path, err)
	}
	return nil
}

func (e *Environment) writeVars(root, name string, mode fs.FileMode, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return toolchain.WriteFile(e.varsPath(root, name), append(data, '\n'), mode)
}

func (e *Environment) lockRoot(origins toolchain.Origins, p toolchain.Provider) error {
	dir := e.root(p.Root)
	if origins.Providers == toolchain.Registry {
		return toolchain.LayRegistryLock(dir, filepath.Join(e.Repo, "tools", "locks", p.Root+".lock.hcl"))
	}
	return toolchain.WriteLock(dir, e.cache("mirror"), e.terraform.RegistryHost, p)
}

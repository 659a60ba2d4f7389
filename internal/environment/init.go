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

	"lookout/internal/docker"
	"lookout/internal/toolchain"
)

// Init gets what both roots need: Terraform, providers, images, the local environment's secrets; and
// runs `terraform init`. Afterwards a plain `terraform apply` works in each root.
func (e *Environment) Init(ctx context.Context) error {
	if err := checkFiles(ctx, e.Repo); err != nil {
		return err
	}
	// Those of local are made before it is looked whether any are missing.
	if err := e.secrets(); err != nil {
		return err
	}
	if err := e.handOnDelivery(); err != nil {
		return err
	}
	if err := e.preflight(ctx); err != nil {
		return err
	}
	s, err := e.newSetup()
	if err != nil {
		return err
	}
	if err := s.run(ctx); err != nil {
		return err
	}
	roots := "the root platform"
	for _, p := range toolchain.Providers {
		if p.Root == "content" && !e.hasGrafana() {
			continue
		}
		if p.Root == "content" {
			roots = "both roots"
		}
		if err := e.lockRoot(s.origins, p); err != nil {
			return err
		}
		if err := e.initRoot(ctx, p.Root); err != nil {
			return err
		}
	}
	e.Progress.Step("Terraform", fmt.Sprintf("%s %s (%s), %s initialised", e.terraform.Name, e.terraform.Version, e.terraform.Path, roots))
	return nil
}

// TestDeps gets what the tests need beyond what Init has got: a browser, PostgreSQL, a registry, and Grafana's provider even where
// there is no Grafana, since a mock takes its place.
func (e *Environment) TestDeps(ctx context.Context) error {
	for _, need := range []toolchain.Need{toolchain.NeedBrowser, toolchain.NeedPostgreSQL} {
		if err := toolchain.Ensure(ctx, e.Progress, need); err != nil {
			return err
		}
	}
	cacheRoot, err := toolchain.DefaultRoot()
	if err != nil {
		return err
	}
	if err := toolchain.Axe(ctx, e.Progress, cacheRoot, e.cache("axe.min.js")); err != nil {
		return err
	}
	s, err := e.newSetup()
	if err != nil {
		return err
	}
	if err := e.findTerraform(ctx); err != nil {
		return err
	}
	for _, p := range toolchain.Providers {
		if err := s.provider(ctx, p); err != nil {
			return err
		}
	}
	dir, err := s.part(ctx, "registry")
	if err != nil {
		return err
	}
	if err := link(filepath.Join(dir, "registry"), e.cache("bin", "registry")); err != nil {
		return err
	}
	if err := s.configure(); err != nil {
		return err
	}
	if err := s.origins.Save(); err != nil {
		return err
	}
	for _, p := range toolchain.Providers {
		if err := e.lockRoot(s.origins, p); err != nil {
			return err
		}
	}
	return nil
}

// Licences checks under which licences the modules are that anything here is linked from.
func (e *Environment) Licences(ctx context.Context) error {
	s, err := e.newSetup()
	if err != nil {
		return err
	}
	return s.cache.Licences(ctx, e.Repo, func(target, notices string) {
		e.Progress.Step("Licences", target+": allowed; notices: "+notices)
	})
}

// Origins prints where images and providers come from. With ORIGIN it chooses again, which `make up` then goes by.
func (e *Environment) Origins(ctx context.Context) error {
	s, err := e.newSetup()
	if err != nil {
		return err
	}
	if e.Origin != "" {
		if _, err := docker.Version(ctx); err != nil {
			return fmt.Errorf("where images come from is for the Docker Engine to say: %w", err)
		}
		if err := s.origins.ChooseImages(ctx, s.wanted, toolchain.Engine{}); err != nil {
			return err
		}
		tf, _, ok := toolchain.FindTerraform(ctx)
		if err := s.findConfig(tf); err != nil {
			return err
		}
		for _, p := range toolchain.Providers {
			if _, err := s.choose(ctx, p, tf, ok); err != nil {
				return err
			}
		}
		if err := s.origins.Save(); err != nil {
			return err
		}
	}
	if len(s.origins.Images) == 0 {
		fmt.Fprintln(e.Out, "nothing is chosen yet: `make up` chooses, `make origin ORIGIN=auto` only chooses")
		return nil
	}
	for _, role := range toolchain.Roles() {
		c := s.origins.Image(role)
		from := c.String()
		if _, published := toolchain.PublishedImages[role]; !published && c.From == toolchain.Built {
			from = "built from this checkout"
		}
		fmt.Fprintf(e.Out, "%-17s %s\n", role, from)
	}
	for _, p := range toolchain.Providers {
		if c, ok := s.origins.Provider(p.Type); ok {
			fmt.Fprintf(e.Out, "%-17s %s\n", "provider "+p.Type, c)
		}
	}
	return nil
}

// hasGrafana reports whether the environment has a Grafana to fill: one of its own, or one that runs elsewhere.
func (e *Environment) hasGrafana() bool {
	if e.plansGrafana() || os.Getenv("GRAFANA_URL") != "" {
		return true
	}
	if e.Name == Local {
		return false
	}
	set, err := e.contentVariables()
	return err == nil && set.URL != "" || os.Getenv("TF_VAR_grafana_url") != ""
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
	if err := SourceSecrets(filepath.Join(e.Repo, "envs", e.Name, "secrets")); err != nil {
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
		return fmt.Errorf("%s is not what `make init` writes (%w): fix or delete it", path, err)
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

func (e *Environment) lockRoot(origins *toolchain.Origins, p toolchain.Provider) error {
	dir := e.root(p.Root)
	if c, ok := origins.Provider(p.Type); !ok || c.From == toolchain.Published {
		return toolchain.LayRegistryLock(dir, filepath.Join(e.Repo, "tools", "locks", p.Root+".lock.hcl"))
	}
	return toolchain.WriteLock(dir, e.cache("mirror"), e.terraform.RegistryHost, p)
}

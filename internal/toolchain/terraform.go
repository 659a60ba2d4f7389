package toolchain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/mod/semver"
	"golang.org/x/mod/sumdb/dirhash"
)

// Provider is a Terraform provider that the roots of an environment need.
type Provider struct {
	Namespace, Type, Version string
	// Part is the name of the part that it is built as.
	Part string
	// Root is the root module of an environment that uses it: "platform" or "content".
	Root string
}

// Providers are all that Lookout uses, each by exactly one root.
var Providers = []Provider{
	{Namespace: "kreuzwerker", Type: "docker", Version: DockerProviderVersion,
		Part: "terraform-provider-docker", Root: "platform"},
	{Namespace: "grafana", Type: "grafana", Version: GrafanaProviderVersion,
		Part: "terraform-provider-grafana", Root: "content"},
}

// Terraform is the program that applies environments: Terraform itself or OpenTofu.
type Terraform struct {
	// Name is what the program calls itself.
	Name    string
	Path    string
	Version string
	// RegistryHost is where a provider address without a host belongs to.
	RegistryHost string
}

// FindTerraform returns the machine's own Terraform, or OpenTofu, if it is recent enough. ok is false
// if there is none; why then says what was found.
func FindTerraform(ctx context.Context) (tf Terraform, why string, ok bool) {
	why = "there is neither terraform nor tofu on the PATH"
	for _, name := range []string{"terraform", "tofu"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		tf, err := DescribeTerraform(ctx, path)
		if err != nil {
			why = fmt.Sprintf("%s does not report its version: %v", path, err)
			continue
		}
		if semver.Compare("v"+tf.Version, "v"+MinTerraform) < 0 {
			why = fmt.Sprintf("%s is %s, older than %s", path, tf.Version, MinTerraform)
			continue
		}
		return tf, "", true
	}
	return Terraform{}, why, false
}

// DescribeTerraform asks a program for its version.
func DescribeTerraform(ctx context.Context, path string) (Terraform, error) {
	version := func(args ...string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, path, append([]string{"version"}, args...)...)
		cmd.Dir = os.TempDir()
		// A user's CLI configuration may be broken or missing; its version doesn't depend on it.
		cmd.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+os.DevNull, "CHECKPOINT_DISABLE=1")
		return cmd.Output()
	}
	out, err := version("-json")
	if err != nil {
		return Terraform{}, err
	}
	var v struct {
		Version string `json:"terraform_version"`
	}
	if err := json.Unmarshal(out, &v); err != nil {
		return Terraform{}, err
	}
	tf := Terraform{Name: "Terraform", Path: path, Version: v.Version, RegistryHost: "registry.terraform.io"}
	text, err := version()
	if err != nil {
		return Terraform{}, err
	}
	if strings.Contains(string(text), "OpenTofu v") {
		tf.Name, tf.RegistryHost = "OpenTofu", "registry.opentofu.org"
	}
	return tf, nil
}

// Mirror lays out built providers the way `terraform init` looks for them. artifacts maps a provider's type to its
// cached folder. It returns the providers' full addresses.
func Mirror(dir, host string, artifacts map[string]string) ([]string, error) {
	var addresses []string
	for _, p := range Providers {
		artifact, ok := artifacts[p.Type]
		if !ok {
			continue
		}
		at := filepath.Join(dir, host, p.Namespace, p.Type, p.Version, platform())
		program := fmt.Sprintf("terraform-provider-%s_v%s", p.Type, p.Version)
		if err := os.MkdirAll(at, 0o755); err != nil {
			return nil, err
		}
		if err := relink(filepath.Join(artifact, program), filepath.Join(at, program)); err != nil {
			return nil, err
		}
		addresses = append(addresses, host+"/"+p.Namespace+"/"+p.Type)
	}
	return addresses, nil
}

// relink makes link a hard link of file, or a copy where that can't be (another file system): the
// provider's checksum is taken over a folder of real files.
func relink(file, link string) error {
	if same(file, link) {
		return nil
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if os.Link(file, link) == nil {
		return nil
	}
	return copyFile(file, link, 0o755)
}

func same(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	if err != nil {
		return false
	}
	return os.SameFile(x, y)
}

// WriteLock writes the dependency lock file of one root for providers that were built here: exactly
// their checksums, so that Terraform refuses a binary that was changed afterwards. It is not the file
// that verifies published packages: see docs/adr on where providers come from.
func WriteLock(rootDir, mirror, host string, p Provider) error {
	at := filepath.Join(mirror, host, p.Namespace, p.Type, p.Version, platform())
	h1, err := dirhash.HashDir(at, "", dirhash.Hash1)
	if err != nil {
		return fmt.Errorf("checksum of the provider %s/%s: %w", p.Namespace, p.Type, err)
	}
	text := fmt.Sprintf(`# Written by "make init" for a provider that was built from its module on this machine.
# Not committed: tools/locks holds what verifies published packages.

provider "%s/%s/%s" {
  version     = %q
  constraints = %[4]q
  hashes = [
    %[5]q,
  ]
}
`, host, p.Namespace, p.Type, p.Version, h1)
	file := filepath.Join(rootDir, lockName)
	if old, err := os.ReadFile(file); err == nil && string(old) == text {
		return nil
	}
	return WriteFile(file, []byte(text), 0o644)
}

const lockName = ".terraform.lock.hcl"

// LayRegistryLock puts the committed lock of published packages where Terraform reads it. Without a
// committed one Terraform checks the registry's signature and records what it saw.
func LayRegistryLock(rootDir, committed string) error {
	data, err := os.ReadFile(committed)
	if errors.Is(err, fs.ErrNotExist) {
		return dropBuiltLock(rootDir)
	}
	if err != nil {
		return err
	}
	return WriteFile(filepath.Join(rootDir, lockName), data, 0o644)
}

// dropBuiltLock removes a lock that WriteLock wrote: its checksums match no published package.
func dropBuiltLock(rootDir string) error {
	file := filepath.Join(rootDir, lockName)
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if strings.Contains(string(data), "built from its module on this machine") {
		return os.Remove(file)
	}
	return nil
}
